#include "mysql/json_decoder.hpp"

#include <bit>
#include <charconv>
#include <cmath>

#include "base/byte_reader.hpp"
#include "mysql/decimal.hpp"
#include "mysql/temporal.hpp"

namespace duet::mysql {

namespace {

using base::byte_reader;
using base::throw_damaged;

enum json_type : std::uint8_t {
  small_object, large_object, small_array, large_array, literal, int16, uint16, int32, uint32, int64, uint64, real, string, opaque = 0x0f
};

enum field_type : std::uint8_t { field_timestamp = 7, field_date = 10, field_time = 11, field_datetime = 12, field_decimal = 246 };

constexpr int depth_max = 128;  // the server allows 100

class printer {
 public:
  printer(std::string& out, std::size_t input) : out_(out), limit_(out.size() + input * 10 + 65536) {}

  void value(std::uint8_t type, std::string_view at, int depth) {
    // Two entries may point to one value, so that few bytes could print as endless text: no server writes that.
    if (out_.size() > limit_) throw_damaged("a JSON document that refers to itself");
    byte_reader r(at);
    switch (type) {
      case small_object: return container(at, true, false, depth);
      case large_object: return container(at, true, true, depth);
      case small_array: return container(at, false, false, depth);
      case large_array: return container(at, false, true, depth);
      case literal: return literal_value(r.u8());
      case int16: return integer(static_cast<std::int16_t>(r.u16_le()));
      case uint16: return integer(r.u16_le());
      case int32: return integer(static_cast<std::int32_t>(r.u32_le()));
      case uint32: return integer(r.u32_le());
      case int64: return integer(static_cast<std::int64_t>(r.u64_le()));
      case uint64: return integer(r.u64_le());
      case real: return real_value(std::bit_cast<double>(r.u64_le()));
      case string: return quoted(sized(r));
      case opaque: {
        const std::uint8_t field = r.u8();
        return opaque_value(field, sized(r));
      }
      default: throw_damaged("a JSON value of unknown type");
    }
  }

 private:
  // A length of seven bits a byte, the low ones first, and as many bytes.
  static std::string_view sized(byte_reader& r) {
    std::uint64_t n = 0;
    for (int i = 0; i < 5; ++i) {
      const std::uint8_t b = r.u8();
      n |= static_cast<std::uint64_t>(b & 0x7f) << 7 * i;
      if (!(b & 0x80)) return r.bytes(n);
    }
    throw_damaged("a JSON length that does not end");
  }

  void container(std::string_view at, bool object, bool large, int depth) {
    if (depth >= depth_max) throw_damaged("a JSON document nested too deeply");
    const std::size_t width = large ? 4 : 2;
    byte_reader r(at);
    const std::uint64_t count = r.uint_le(width), size = r.uint_le(width);
    if (size > at.size()) throw_damaged("a JSON container beyond its end");
    const std::string_view whole = at.substr(0, size);
    const std::size_t key_entry = object ? width + 2 : 0, value_entry = 1 + width;
    if (count > size / value_entry || 2 * width + count * (key_entry + value_entry) > size)
      throw_damaged("a JSON container with too many elements");
    byte_reader keys(whole.substr(2 * width)), values(whole.substr(2 * width + count * key_entry));
    out_ += object ? '{' : '[';
    for (std::uint64_t i = 0; i < count; ++i) {
      if (i) out_ += ", ";
      if (object) {
        const std::uint64_t offset = keys.uint_le(width);
        const std::uint16_t length = keys.u16_le();
        if (offset > size || length > size - offset) throw_damaged("a JSON key beyond its container");
        quoted(whole.substr(offset, length));
        out_ += ": ";
      }
      const std::uint8_t type = values.u8();
      if (in_place(type, large)) {
        value(type, values.bytes(width), depth + 1);
      } else {
        const std::uint64_t offset = values.uint_le(width);
        if (offset < 2 * width || offset > size) throw_damaged("a JSON value beyond its container");
        value(type, whole.substr(offset), depth + 1);
      }
    }
    out_ += object ? '}' : ']';
  }

  static bool in_place(std::uint8_t type, bool large) {
    return type == literal || type == int16 || type == uint16 || (large && (type == int32 || type == uint32));
  }

  void literal_value(std::uint8_t which) {
    switch (which) {
      case 0: out_ += "null"; break;
      case 1: out_ += "true"; break;
      case 2: out_ += "false"; break;
      default: throw_damaged("a JSON literal that is none");
    }
  }

  template <class T>
  void integer(T v) {
    char text[24];
    out_.append(text, static_cast<std::size_t>(std::to_chars(text, text + sizeof text, v).ptr - text));
  }

  // The shortest digits that read back as the same number; with an exponent if the point would lie more than 14 places
  // left or 15 places right of the first digit. A whole number gets ".0".
  void real_value(double v) {
    if (!std::isfinite(v)) throw_damaged("a JSON number that is none");
    char text[40];
    const char* end = std::to_chars(text, text + sizeof text, v, std::chars_format::scientific).ptr;
    const char* p = text;
    if (*p == '-') out_ += *p++;
    char digits[24];
    int count = 0;
    for (; *p != 'e'; ++p)
      if (*p != '.') digits[count++] = *p;
    int exponent = 0;
    std::from_chars(p + (p[1] == '+' ? 2 : 1), end, exponent);
    const int point = exponent + 1;  // the number is 0.digits times ten to the power of this
    if (v == 0) {
      out_ += "0.0";
    } else if (point < -14 || point > 15) {
      out_ += digits[0];
      if (count > 1) out_.append(1, '.').append(digits + 1, static_cast<std::size_t>(count - 1));
      out_ += 'e';
      integer(exponent);
    } else if (point <= 0) {
      out_.append("0.").append(static_cast<std::size_t>(-point), '0').append(digits, static_cast<std::size_t>(count));
    } else if (count <= point) {
      out_.append(digits, static_cast<std::size_t>(count)).append(static_cast<std::size_t>(point - count), '0').append(".0");
    } else {
      out_.append(digits, static_cast<std::size_t>(point)).append(1, '.').append(digits + point, static_cast<std::size_t>(count - point));
    }
  }

  void quoted(std::string_view s) {
    constexpr char hex[] = "0123456789abcdef";
    out_ += '"';
    for (char c : s) {
      switch (c) {
        case '"': out_ += "\\\""; break;
        case '\\': out_ += "\\\\"; break;
        case '\b': out_ += "\\b"; break;
        case '\f': out_ += "\\f"; break;
        case '\n': out_ += "\\n"; break;
        case '\r': out_ += "\\r"; break;
        case '\t': out_ += "\\t"; break;
        default:
          if (static_cast<unsigned char>(c) < 0x20) {
            out_.append("\\u00").append(1, hex[c >> 4 & 15]).append(1, hex[c & 15]);
          } else {
            out_ += c;
          }
      }
    }
    out_ += '"';
  }

  void opaque_value(std::uint8_t field, std::string_view bytes) {
    byte_reader r(bytes);
    char text[decimal_text_max + temporal_text_max];
    switch (field) {
      case field_decimal: {
        const int precision = r.u8(), scale = r.u8();
        const std::string_view packed = r.bytes(packed_decimal_size(precision, scale));
        out_.append(text, decode_decimal(reinterpret_cast<const std::uint8_t*>(packed.data()), precision, scale, text));
        return;
      }
      case field_date: return temporal(text, decode_packed_date(static_cast<std::int64_t>(r.u64_le()), text));
      case field_time: return temporal(text, decode_packed_time(static_cast<std::int64_t>(r.u64_le()), text));
      case field_timestamp:
      case field_datetime: return temporal(text, decode_packed_datetime(static_cast<std::int64_t>(r.u64_le()), text));
      default: break;
    }
    out_ += "\"base64:type";
    integer(static_cast<unsigned>(field));
    out_ += ':';
    base64(bytes);
    out_ += '"';
  }

  void temporal(const char* text, std::size_t n) { out_.append(1, '"').append(text, n).append(1, '"'); }

  // In lines of 76 characters, the line feeds escaped.
  void base64(std::string_view bytes) {
    constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
      if (i && i % 57 == 0) out_ += "\\n";
      std::uint32_t v = 0;
      for (std::size_t k = 0; k < 3; ++k) v = v << 8 | (i + k < bytes.size() ? static_cast<std::uint8_t>(bytes[i + k]) : 0);
      out_ += digits[v >> 18];
      out_ += digits[v >> 12 & 63];
      out_ += i + 1 < bytes.size() ? digits[v >> 6 & 63] : '=';
      out_ += i + 2 < bytes.size() ? digits[v & 63] : '=';
    }
  }

  std::string& out_;
  const std::size_t limit_;
};

}  // namespace

void decode_json(std::string_view binary, std::string& out) {
  if (binary.empty()) {  // what INSERT IGNORE leaves for a missing value
    out += "null";
    return;
  }
  printer(out, binary.size()).value(static_cast<std::uint8_t>(binary[0]), binary.substr(1), 0);
}

}  // namespace duet::mysql
