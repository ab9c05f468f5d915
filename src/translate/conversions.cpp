#include "translate/conversions.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cmath>
#include <cstring>

#include "translate/converters.hpp"
#include "translate/json_check.hpp"

namespace duet::translate {

namespace {

using call = conversion_call;
using text = std::string_view;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

const char* pass(const call& c, text& out) {
  out = c.in;
  return nullptr;
}

// ---- numbers

const char* boolean_check(const call& c, text& out) {
  out = c.in;
  return c.in == "0" || c.in == "1" ? nullptr : "it is neither 0 nor 1";
}

constexpr const char* out_of_range = "it is out of the range of the other side's type";
constexpr const char* no_number = "it is not a number";

const char* integer_range(const call& c, text& out) {
  out = c.in;
  const char *first = c.in.data(), *last = first + c.in.size();
  if (c.how.b) {
    if (c.in.starts_with('-')) return out_of_range;
    std::uint64_t v = 0;
    const auto [end, error] = std::from_chars(first, last, v);
    if (error == std::errc::result_out_of_range) return out_of_range;
    if (error != std::errc() || end != last) return no_number;
    return c.how.a >= 64 || v < std::uint64_t{1} << c.how.a ? nullptr : out_of_range;
  }
  std::int64_t v = 0;
  const auto [end, error] = std::from_chars(first, last, v);
  if (error == std::errc::result_out_of_range) return out_of_range;
  if (error != std::errc() || end != last) return no_number;
  if (c.how.a >= 64) return nullptr;
  const std::int64_t half = std::int64_t{1} << (c.how.a - 1);
  return v >= -half && v < half ? nullptr : out_of_range;
}

const char* year_range(const call& c, text& out) {
  out = c.in;
  int v = 0;
  const auto [end, error] = std::from_chars(c.in.data(), c.in.data() + c.in.size(), v);
  if (error == std::errc::result_out_of_range) return out_of_range;
  if (error != std::errc() || end != c.in.data() + c.in.size()) return no_number;
  return v == 0 || (v >= 1901 && v <= 2155) ? nullptr : "a YEAR is 0 or 1901 to 2155";
}

struct decimal_parts {
  bool negative = false;
  text whole, fraction;
};

const char* decode_decimal(text in, decimal_parts& out) {
  if (in == "NaN" || in == "Infinity" || in == "-Infinity") return "NaN and infinity do not exist at the other side";
  if (in.starts_with('-')) {
    out.negative = true;
    in.remove_prefix(1);
  }
  const std::size_t point = in.find('.');
  out.whole = in.substr(0, point);
  if (point != text::npos) out.fraction = in.substr(point + 1);
  if (out.whole.empty() || !std::all_of(out.whole.begin(), out.whole.end(), is_digit) ||
      !std::all_of(out.fraction.begin(), out.fraction.end(), is_digit)) {
    return no_number;
  }
  return nullptr;
}

const char* decimal_rescale(const call& c, text& out) {
  decimal_parts parts;
  if (const char* cause = decode_decimal(c.in, parts)) return cause;
  if (parts.negative && c.to.is_unsigned) return "it is negative, and the other side's type is unsigned";
  const std::size_t scale = static_cast<std::size_t>(c.how.b);
  text fraction = parts.fraction;
  if (fraction.size() > scale) {
    if (fraction.find_first_not_of('0', scale) != text::npos) return "it has more fraction digits than the other side keeps";
    fraction = fraction.substr(0, scale);
  }
  std::size_t digits = scale;
  if (const std::size_t first = parts.whole.find_first_not_of('0'); first != text::npos) {
    digits += parts.whole.size() - first;
  } else if (const std::size_t zeros = fraction.find_first_not_of('0'); zeros != text::npos) {
    digits -= zeros;
  } else {
    digits = 0;
  }
  if (digits > static_cast<std::size_t>(c.how.a)) return "it has more digits than the other side keeps";

  if (parts.fraction.size() == scale) {
    out = c.in;
    return nullptr;
  }
  if (parts.fraction.size() > scale) {  // only zeros go: the result is the front of the input
    const std::size_t cut = parts.fraction.size() - scale + (scale == 0);
    out = c.in.substr(0, c.in.size() - cut);
    return nullptr;
  }
  const std::size_t size = parts.negative + parts.whole.size() + 1 + scale;
  char* p = c.arena.allocate(size);
  out = {p, size};
  if (parts.negative) *p++ = '-';
  p = std::copy(parts.whole.begin(), parts.whole.end(), p);
  *p++ = '.';
  p = std::copy(fraction.begin(), fraction.end(), p);
  std::memset(p, '0', scale - fraction.size());
  return nullptr;
}

const char* decimal_to_integer(const call& c, text& out) {
  decimal_parts parts;
  if (const char* cause = decode_decimal(c.in, parts)) return cause;
  if (parts.fraction.find_first_not_of('0') != text::npos) return "it has a fraction, and the other side keeps whole numbers";
  call whole{c.in.substr(0, parts.negative + parts.whole.size()), c.how, c.from, c.to, c.arena};
  return integer_range(whole, out);
}

const char* real_finite(const call& c, text& out) {
  out = c.in;
  if (c.in == "NaN" || c.in == "Infinity" || c.in == "-Infinity") return "NaN and infinity do not exist at the other side";
  if (c.to.is_unsigned && c.in.starts_with('-') && c.in != "-0") return "it is negative, and the other side's type is unsigned";
  return nullptr;
}

template <class From, class To>
const char* convert_real(const call& c, text& out) {
  if (const char* cause = real_finite(c, out)) return cause;
  From v{};
  const auto [end, error] = std::from_chars(c.in.data(), c.in.data() + c.in.size(), v);
  if (error != std::errc() || end != c.in.data() + c.in.size()) return no_number;
  const To w = static_cast<To>(v);
  if (!std::isfinite(w)) return out_of_range;
  char* p = c.arena.allocate(32);
  out = {p, static_cast<std::size_t>(std::to_chars(p, p + 32, w).ptr - p)};
  return nullptr;
}

// ---- text and bytes

// Code points of valid UTF-8; anything else counts as U+FFFD per byte and is left to the server.
char32_t next_code_point(text s, std::size_t& i) {
  const auto byte = [&](std::size_t k) { return k < s.size() ? static_cast<unsigned char>(s[k]) : 0u; };
  const unsigned b = byte(i);
  const int more = b >= 0xf0 ? 3 : b >= 0xe0 ? 2 : b >= 0xc0 ? 1 : 0;
  if (b < 0x80 || more == 0) {
    ++i;
    return b < 0x80 ? b : 0xfffd;
  }
  char32_t c = b & (0x3f >> more);
  for (int k = 1; k <= more; ++k) {
    if ((byte(i + static_cast<std::size_t>(k)) & 0xc0) != 0x80) {
      ++i;
      return 0xfffd;
    }
    c = c << 6 | (byte(i + static_cast<std::size_t>(k)) & 0x3f);
  }
  i += static_cast<std::size_t>(more) + 1;
  return c;
}

std::size_t count_characters(text s) {
  return static_cast<std::size_t>(std::count_if(s.begin(), s.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

text without_blanks_at_end(text s) {
  while (s.ends_with(' ')) s.remove_suffix(1);
  return s;
}

const char* fit_text(const call& c, int characters, int bytes, text& out) {
  out = c.in;
  if (c.from.fixed) {
    out = without_blanks_at_end(out);
  } else if (c.to.fixed && out.ends_with(' ')) {
    return "it ends with blanks, which CHAR does not keep";
  }
  if (bytes >= 0 && out.size() > static_cast<std::size_t>(bytes)) return "it is longer than the other side's column";
  if (characters >= 0 && out.size() > static_cast<std::size_t>(characters) && count_characters(out) > static_cast<std::size_t>(characters)) {
    return "it is longer than the other side's column";
  }
  return nullptr;
}

const char* text_to_home(const call& c, text& out) {
  if (c.in.find('\0') != text::npos) return "it has the character U+0000, which PostgreSQL can't keep";
  return fit_text(c, c.how.a, -1, out);
}

const char* text_to_spoke(const call& c, text& out) { return fit_text(c, c.how.a, c.how.b, out); }

template <bool (*allowed)(char32_t)>
const char* text_to_spoke_within(const call& c, text& out) {
  if (const char* cause = fit_text(c, c.how.a, c.how.b, out)) return cause;
  const bool plain = std::all_of(out.begin(), out.end(), [](char b) { return static_cast<signed char>(b) >= 0; });
  if (plain) return nullptr;
  for (std::size_t i = 0; i < out.size();)
    if (!allowed(next_code_point(out, i))) return "it has a character that the other side's character set lacks";
  return nullptr;
}

bool in_bmp(char32_t c) { return c <= 0xffff; }
bool in_ascii(char32_t c) { return c <= 0x7f; }
bool in_latin1(char32_t c) {
  constexpr char32_t c1[] = {0x81,   0x8d,   0x8f,   0x90,   0x9d,   0x152,  0x153,  0x160,  0x161,  0x178,  0x17d,
                             0x17e,  0x192,  0x2c6,  0x2dc,  0x2013, 0x2014, 0x2018, 0x2019, 0x201a, 0x201c, 0x201d,
                             0x201e, 0x2020, 0x2021, 0x2022, 0x2026, 0x2030, 0x2039, 0x203a, 0x20ac, 0x2122};
  return c <= 0x7f || (c >= 0xa0 && c <= 0xff) || std::binary_search(std::begin(c1), std::end(c1), c);
}

const char* bytes_limit(const call& c, text& out) {
  out = c.in;
  return c.in.size() <= static_cast<std::size_t>(c.how.a) ? nullptr : "it is longer than the other side's column";
}

const char* bytes_exact(const call& c, text& out) {
  out = c.in;
  return c.in.size() == static_cast<std::size_t>(c.how.a) ? nullptr : "it has not exactly as many bytes as the other side's column";
}

const char* bytes_pad(const call& c, text& out) {
  out = c.in;
  if (out.size() < static_cast<std::size_t>(c.how.a)) {
    const std::size_t size = static_cast<std::size_t>(c.how.a);
    char* p = c.arena.allocate(size);
    std::memset(std::copy(c.in.begin(), c.in.end(), p), 0, size - c.in.size());
    out = {p, size};
  }
  return c.how.b < 0 || out.size() <= static_cast<std::size_t>(c.how.b) ? nullptr : "it is longer than the other side's column";
}

// ---- labels

constexpr const char* unknown_label = "the other side's type has no such label";

bool has_label(const std::vector<std::string>& labels, text label) { return std::find(labels.begin(), labels.end(), label) != labels.end(); }

const char* label(const call& c, text& out) {
  out = c.in;
  return has_label(c.to.labels, c.in) ? nullptr : unknown_label;
}

const char* label_to_text(const call& c, text& out) {
  if (!has_label(c.from.labels, c.in)) return "it is MySQL's mark of an invalid ENUM value";
  return fit_text(c, c.how.a, -1, out);
}

// Which of the (at most 64) labels.
const char* add_label(const std::vector<std::string>& labels, text label, std::uint64_t& members) {
  const auto at = std::find(labels.begin(), labels.end(), label);
  if (at == labels.end() || at - labels.begin() >= 64) return unknown_label;
  members |= std::uint64_t{1} << (at - labels.begin());
  return nullptr;
}

text encode_set(const std::vector<std::string>& labels, std::uint64_t members, base::arena& arena) {
  std::size_t size = 0;
  for (std::size_t i = 0; i < labels.size() && i < 64; ++i)
    if (members >> i & 1) size += labels[i].size() + (size > 0);
  char* const start = arena.allocate(size);
  char* p = start;
  for (std::size_t i = 0; i < labels.size() && i < 64; ++i) {
    if (!(members >> i & 1)) continue;
    if (p != start) *p++ = ',';
    p = std::copy(labels[i].begin(), labels[i].end(), p);
  }
  return {start, static_cast<std::size_t>(p - start)};
}

const char* text_to_set(const call& c, text& out) {
  std::uint64_t members = 0;
  for (text rest = c.in; !rest.empty();) {
    const std::size_t comma = rest.find(',');
    if (const char* cause = add_label(c.to.labels, rest.substr(0, comma), members)) return cause;
    if (comma + 1 == rest.size()) return unknown_label;  // an empty label after the last ','
    rest = comma == text::npos ? text() : rest.substr(comma + 1);
  }
  out = encode_set(c.to.labels, members, c.arena);
  return nullptr;
}

const char* array_to_set(const call& c, text& out) {
  constexpr const char* no_array = "it is not a PostgreSQL array literal";
  text in = c.in;
  if (in.starts_with('[')) return "its array has bounds of its own, which SET can't keep";
  if (in.size() < 2 || in.front() != '{' || in.back() != '}') return no_array;
  in = in.substr(1, in.size() - 2);
  std::uint64_t members = 0;
  if (!in.empty()) {
    char* const buffer = c.arena.allocate(in.size());
    for (std::size_t i = 0;;) {
      char* p = buffer;
      bool quoted = false;
      if (i < in.size() && in[i] == '{') return "its array has more than one dimension, which SET can't keep";
      if (i < in.size() && in[i] == '"') {
        quoted = true;
        for (++i; i < in.size() && in[i] != '"'; ++i) {
          if (in[i] == '\\' && ++i == in.size()) return no_array;
          *p++ = in[i];
        }
        if (i++ >= in.size()) return no_array;
      } else {
        for (; i < in.size() && in[i] != ','; ++i) {
          if (in[i] == '{' || in[i] == '}' || in[i] == '"' || is_array_space(in[i])) return no_array;
          if (in[i] == '\\' && ++i == in.size()) return no_array;
          *p++ = in[i];
        }
        if (p == buffer) return no_array;
      }
      const text element{buffer, static_cast<std::size_t>(p - buffer)};
      if (!quoted && element == "NULL") return "its array has a NULL element, which SET can't keep";
      if (const char* cause = add_label(c.to.labels, element, members)) return cause;
      if (i == in.size()) break;
      if (in[i++] != ',') return no_array;
    }
  }
  out = encode_set(c.to.labels, members, c.arena);
  return nullptr;
}

const char* set_to_array(const call& c, text& out) {
  char* const start = c.arena.allocate(2 * c.in.size() + 2 * static_cast<std::size_t>(std::count(c.in.begin(), c.in.end(), ',')) + 4);
  char* p = start;
  *p++ = '{';
  for (text rest = c.in; !rest.empty();) {
    const std::size_t comma = rest.find(',');
    const text one = rest.substr(0, comma);
    if (p != start + 1) *p++ = ',';
    p = write_array_element(one, p);
    rest = comma == text::npos ? text() : rest.substr(comma + 1);
  }
  *p++ = '}';
  out = {start, static_cast<std::size_t>(p - start)};
  return nullptr;
}

// ---- date and time

constexpr const char* no_date = "it is not a date";

int two_digits(text s, std::size_t at) {
  return at + 2 <= s.size() && is_digit(s[at]) && is_digit(s[at + 1]) ? (s[at] - '0') * 10 + s[at + 1] - '0' : -1;
}

int days_in_month(int year, int month) {
  constexpr int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) ? 29 : days[month - 1];
}

// A date of PostgreSQL, perhaps with a time behind it.
const char* check_date_for_spoke(text in) {
  if (in == "infinity" || in == "-infinity") return "infinity does not exist at the other side";
  if (in.ends_with(" BC")) return "it is a year before Christ, which does not exist at the other side";
  const std::size_t dash = in.find('-');
  if (dash == text::npos || dash < 4 || in.size() < dash + 6 || !std::all_of(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(dash), is_digit)) {
    return no_date;
  }
  if (dash > 4) return "its year is after 9999, which does not exist at the other side";
  return two_digits(in, 5) > 0 && in[7] == '-' && two_digits(in, 8) > 0 ? nullptr : no_date;
}

// A date of MySQL, perhaps with a time behind it.
const char* check_date_for_home(text in) {
  const int century = two_digits(in, 0), years = two_digits(in, 2), month = two_digits(in, 5), day = two_digits(in, 8);
  if (century < 0 || years < 0 || month < 0 || day < 0 || in[4] != '-' || in[7] != '-' || month > 12) return no_date;
  const int year = century * 100 + years;
  if (year == 0 && month == 0 && day == 0) return "it is the zero date, which does not exist at the other side";
  if (month == 0 || day == 0) return "it is a date with a zero month or day, which does not exist at the other side";
  if (year == 0) return "it is in the year 0, which does not exist at the other side";
  return day <= days_in_month(year, month) ? nullptr : "it is a day that does not exist";
}

// Cuts the fraction of a second to `digits`, and the zeros that are then at its end. Cutting, not rounding: the result is
// never later than the original, never in another second, and the same whichever server the value came from.
text cut_fraction(text in, int digits) {
  const std::size_t point = in.rfind('.');
  if (point == text::npos || in.size() - point - 1 <= static_cast<std::size_t>(digits)) return in;
  in = in.substr(0, point + 1 + static_cast<std::size_t>(digits));
  while (in.ends_with('0') && in.size() > point) in.remove_suffix(1);
  if (in.ends_with('.')) in.remove_suffix(1);
  return in;
}

const char* date_to_spoke(const call& c, text& out) {
  out = c.in;
  return c.in.size() == 10 || check_date_for_spoke(c.in) ? check_date_for_spoke(c.in) : no_date;
}

const char* date_to_home(const call& c, text& out) {
  out = c.in;
  return c.in.size() == 10 ? check_date_for_home(c.in) : no_date;
}

const char* time_to_spoke(const call& c, text& out) {
  out = cut_fraction(c.in, c.how.a);
  return nullptr;
}

const char* time_to_home(const call& c, text& out) {
  out = cut_fraction(c.in, c.how.a);
  if (c.in.starts_with('-')) return "it is a negative time, which does not exist at the other side";
  const bool two = c.in.size() > 2 && c.in[2] == ':';
  const int hours = two_digits(c.in, 0);
  if (hours < 0) return "it is not a time";
  if (two && (hours < 24 || c.in == "24:00:00")) return nullptr;
  return "it is a time beyond 24 hours, which does not exist at the other side";
}

const char* datetime_to_spoke(const call& c, text& out) {
  out = cut_fraction(c.in, c.how.a);
  if (const char* cause = check_date_for_spoke(c.in)) return cause;
  return c.in.size() >= 19 && c.in[10] == ' ' ? nullptr : no_date;
}

const char* datetime_to_home(const call& c, text& out) {
  out = cut_fraction(c.in, c.how.a);
  if (c.in.size() < 19 || c.in[10] != ' ') return no_date;
  return check_date_for_home(c.in);
}

const char* instant_to_spoke(const call& c, text& out) {
  if (const char* cause = datetime_to_spoke(c, out)) return cause;
  const text seconds = c.in.substr(0, 19);
  const text last = c.how.b ? "2106-02-07 06:28:15" : "2038-01-19 03:14:07";
  return seconds >= "1970-01-01 00:00:01" && seconds <= last ? nullptr : "it is out of the range of TIMESTAMP";
}

// ---- documents and UUIDs

const char* json_to_mysql(const call& c, text& out) {
  out = c.in;
  return check_json(c.in, {.no_zero_character = false, .whole_surrogates = true, .exact_numbers = true, .depth_max = 100});
}

const char* json_to_jsonb(const call& c, text& out) {
  out = c.in;
  return check_json(c.in, {.no_zero_character = true, .whole_surrogates = true});
}

const char* json_to_json(const call& c, text& out) {
  out = c.in;
  return check_json(c.in, {});
}

bool is_hyphen_at(std::size_t i) { return i == 8 || i == 13 || i == 18 || i == 23; }

int hex_digit(char c) { return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

const char* uuid_check(const call& c, text& out) {
  out = c.from.fixed ? without_blanks_at_end(c.in) : c.in;
  bool ok = out.size() == 36;
  for (std::size_t i = 0; ok && i < 36; ++i) ok = is_hyphen_at(i) ? out[i] == '-' : hex_digit(out[i]) >= 0;
  return ok ? nullptr : "it is not a UUID in lower case with hyphens";
}

const char* uuid_to_bytes(const call& c, text& out) {
  if (const char* cause = uuid_check(c, out)) return cause;
  char* p = c.arena.allocate(16);
  std::size_t n = 0;
  for (std::size_t i = 0; i < 36; i += 2) {
    if (is_hyphen_at(i)) ++i;
    p[n++] = static_cast<char>(hex_digit(c.in[i]) * 16 + hex_digit(c.in[i + 1]));
  }
  out = {p, 16};
  return nullptr;
}

const char* bytes_to_uuid(const call& c, text& out) {
  if (c.in.size() > 16 || (c.in.size() < 16 && !c.from.fixed)) return "it has not exactly the 16 bytes of a UUID";
  char* p = c.arena.allocate(36);
  out = {p, 36};
  for (std::size_t i = 0; i < 16; ++i) {
    const unsigned b = i < c.in.size() ? static_cast<unsigned char>(c.in[i]) : 0u;
    *p++ = "0123456789abcdef"[b >> 4];
    *p++ = "0123456789abcdef"[b & 15];
    if (i == 3 || i == 5 || i == 7 || i == 9) *p++ = '-';
  }
  return nullptr;
}


constexpr auto converters = [] {
  std::array<converter*, static_cast<std::size_t>(conversion_code::count)> t{};
  const auto set = [&](conversion_code code, converter* f) { t[static_cast<std::size_t>(code)] = f; };
  set(conversion_code::pass, pass);
  set(conversion_code::boolean_check, boolean_check);
  set(conversion_code::integer_range, integer_range);
  set(conversion_code::year_range, year_range);
  set(conversion_code::decimal_rescale, decimal_rescale);
  set(conversion_code::decimal_to_integer, decimal_to_integer);
  set(conversion_code::real_finite, real_finite);
  set(conversion_code::real_widen, convert_real<float, double>);
  set(conversion_code::real_narrow, convert_real<double, float>);
  set(conversion_code::text_to_home, text_to_home);
  set(conversion_code::text_to_spoke, text_to_spoke);
  set(conversion_code::text_to_spoke_bmp, text_to_spoke_within<in_bmp>);
  set(conversion_code::text_to_spoke_latin1, text_to_spoke_within<in_latin1>);
  set(conversion_code::text_to_spoke_ascii, text_to_spoke_within<in_ascii>);
  set(conversion_code::bytes_limit, bytes_limit);
  set(conversion_code::bytes_exact, bytes_exact);
  set(conversion_code::bytes_pad, bytes_pad);
  set(conversion_code::label, label);
  set(conversion_code::label_to_text, label_to_text);
  set(conversion_code::text_to_set, text_to_set);
  set(conversion_code::array_to_set, array_to_set);
  set(conversion_code::set_to_array, set_to_array);
  set(conversion_code::date_to_spoke, date_to_spoke);
  set(conversion_code::date_to_home, date_to_home);
  set(conversion_code::time_to_spoke, time_to_spoke);
  set(conversion_code::time_to_home, time_to_home);
  set(conversion_code::datetime_to_spoke, datetime_to_spoke);
  set(conversion_code::datetime_to_home, datetime_to_home);
  set(conversion_code::instant_to_spoke, instant_to_spoke);
  set(conversion_code::json_to_mysql, json_to_mysql);
  set(conversion_code::json_to_jsonb, json_to_jsonb);
  set(conversion_code::json_to_json, json_to_json);
  set(conversion_code::uuid_check, uuid_check);
  set(conversion_code::uuid_to_bytes, uuid_to_bytes);
  set(conversion_code::bytes_to_uuid, bytes_to_uuid);
  set(conversion_code::bits_check, bits_check);
  set(conversion_code::array_to_json, array_to_json);
  set(conversion_code::json_to_array, json_to_array);
  set(conversion_code::hstore_to_json, hstore_to_json);
  set(conversion_code::json_to_hstore, json_to_hstore);
  set(conversion_code::address_check, address_check);
  set(conversion_code::wkb_to_geometry, wkb_to_geometry);
  set(conversion_code::geometry_to_wkb, geometry_to_wkb);
  set(conversion_code::hex_wkb_to_geometry, hex_wkb_to_geometry);
  set(conversion_code::geometry_to_hex_wkb, geometry_to_hex_wkb);
  set(conversion_code::bytes_to_vector, bytes_to_vector);
  set(conversion_code::reals_to_vector, reals_to_vector);
  set(conversion_code::vector_to_reals, vector_to_reals);
  return t;
}();

}  // namespace

const char* convert(const conversion_call& c, std::string_view& out) {
  assert(c.how.code < converters.size() && converters[c.how.code]);
  return converters[c.how.code](c, out);
}

}  // namespace duet::translate
