#include "postgres/value_codec.hpp"

#include <charconv>
#include <cmath>
#include <cstring>

#include "duet/failure.hpp"

namespace duet::postgres {
namespace {

[[noreturn]] void refuse(const char* what) { throw failure(failure_kind::damaged_log, what); }

constexpr std::size_t real_size_max = 32;  // the longest shortest double has 24 characters

constexpr auto digit_of = [] {
  struct { signed char at[256]; } t{};
  for (int i = 0; i < 256; ++i) t.at[i] = -1;
  for (int i = 0; i < 10; ++i) t.at['0' + i] = static_cast<signed char>(i);
  for (int i = 0; i < 6; ++i) t.at['a' + i] = t.at['A' + i] = static_cast<signed char>(10 + i);
  return t;
}();

// `out` has room for text.size() bytes. Returns what was used.
std::size_t write_bytes(std::string_view text, char* out) {
  if (text.size() < 2 || text[0] != '\\' || text[1] != 'x' || text.size() % 2) refuse("a bytea value is not in hex form");
  const char* p = text.data() + 2;
  const std::size_t n = (text.size() - 2) / 2;
  int bad = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const int high = digit_of.at[static_cast<unsigned char>(p[2 * i])], low = digit_of.at[static_cast<unsigned char>(p[2 * i + 1])];
    bad |= high | low;
    out[i] = static_cast<char>(high * 16 + low);
  }
  if (bad < 0) refuse("a bytea value is not in hex form");
  return n;
}

template <class T>
std::size_t write_real(std::string_view text, char* out) {
  for (std::string_view word : {"NaN", "Infinity", "-Infinity"})
    if (text == word) {
      std::memcpy(out, word.data(), word.size());
      return word.size();
    }
  T value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) refuse("a floating point value is no number");
  return static_cast<std::size_t>(std::to_chars(out, out + real_size_max, value).ptr - out);
}

// 2024-05-01 10:00:00.5+00, 0044-03-15 12:00:00+00 BC, infinity
std::size_t write_instant(std::string_view text, char* out) {
  constexpr std::string_view zone = "+00", bc = " BC";
  if (text == "infinity" || text == "-infinity") {
    std::memcpy(out, text.data(), text.size());
    return text.size();
  }
  const bool before_christ = text.ends_with(bc);
  std::string_view body = text.substr(0, text.size() - (before_christ ? bc.size() : 0));
  if (!body.ends_with(zone)) refuse("a timestamp with time zone is not printed in UTC");
  body.remove_suffix(zone.size());
  std::memcpy(out, body.data(), body.size());
  if (!before_christ) return body.size();
  std::memcpy(out + body.size(), bc.data(), bc.size());
  return body.size() + bc.size();
}

std::string_view without_padding(std::string_view text) {
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

std::string_view boolean_digit(std::string_view text) {
  if (text == "t") return "1";
  if (text == "f") return "0";
  refuse("a boolean value is neither t nor f");
}

std::size_t room_for(text_form form, std::size_t size) {
  return form == text_form::real_32 || form == text_form::real_64 ? real_size_max : size;
}

// The forms that need room of their own.
std::size_t write(text_form form, std::string_view text, char* out) {
  switch (form) {
    case text_form::hex_bytes: return write_bytes(text, out);
    case text_form::real_32: return write_real<float>(text, out);
    case text_form::real_64: return write_real<double>(text, out);
    default: return write_instant(text, out);
  }
}

}  // namespace

text_form text_form_of(const column_type& type) {
  switch (type.kind) {
    case value_kind::boolean: return text_form::boolean;
    case value_kind::bytes: return text_form::hex_bytes;
    case value_kind::real: return type.bits == 32 ? text_form::real_32 : text_form::real_64;
    case value_kind::timestamp: return text_form::instant;
    case value_kind::text: return type.fixed ? text_form::padded : text_form::as_is;
    default: return text_form::as_is;
  }
}

void decode_text(const column_type& type, std::string_view text, std::string& out) {
  switch (const text_form form = text_form_of(type)) {
    case text_form::as_is: out.assign(text); break;
    case text_form::boolean: out.assign(boolean_digit(text)); break;
    case text_form::padded: out.assign(without_padding(text)); break;
    default:
      out.resize(room_for(form, text.size()));
      out.resize(write(form, text, out.data()));
  }
}

void decode_text(text_form form, std::string_view text, block_writer& writer, block_writer::image image, std::size_t column) {
  switch (form) {
    case text_form::as_is: writer.set(image, column, text); break;
    case text_form::boolean: writer.set(image, column, boolean_digit(text)); break;
    case text_form::padded: writer.set(image, column, without_padding(text)); break;
    default: {
      char* out = writer.append(image, column, room_for(form, text.size()));
      writer.keep_appended(write(form, text, out));
    }
  }
}

}  // namespace duet::postgres
