#include "observe/printable.hpp"

#include <cstdio>

namespace duet::observe {

namespace {

// Length of the UTF-8 sequence at the front and its code point; 0: none.
std::size_t decode_utf8(std::string_view s, char32_t& point) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) {
    point = first;
    return 1;
  }
  const std::size_t length = first >= 0xf0 && first < 0xf5 ? 4 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xc2 && first < 0xe0 ? 2 : 0;
  if (length == 0 || s.size() < length) return 0;
  point = first & (0xff >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    point = point << 6 | (byte(i) & 0x3f);
  }
  constexpr char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (point < smallest[length] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return 0;
  return length;
}

bool moves_something(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x200e || c == 0x200f || c == 0x2028 || c == 0x2029 ||
         (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

std::string escape(std::string_view s, bool keep_line_ends) {
  std::string out;
  out.reserve(s.size());
  char code[16];
  while (!s.empty()) {
    char32_t point = 0;
    std::size_t length = decode_utf8(s, point);
    if (length == 0) {
      std::snprintf(code, sizeof code, "\\x%02x", static_cast<unsigned char>(s[0]));
      out += code;
      length = 1;
    } else if (point == '\n' && keep_line_ends) {
      out += '\n';
    } else if (moves_something(point)) {
      std::snprintf(code, sizeof code, point < 0x80 ? "\\x%02x" : "\\u{%04x}", static_cast<unsigned>(point));
      out += code;
    } else {
      out += s.substr(0, length);
    }
    s.remove_prefix(length);
  }
  return out;
}

std::string format(const char* pattern, double v, const char* unit) {
  char text[48];
  std::snprintf(text, sizeof text, pattern, v, unit);
  return text;
}

}  // namespace

std::string printable(std::string_view s) { return escape(s, false); }
std::string printable_lines(std::string_view s) { return escape(s, true); }

std::string grouped(std::uint64_t n) {
  std::string digits = std::to_string(n);
  for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, 1, ',');
  return digits;
}

std::string human_bytes(std::uint64_t n) {
  if (n < 1024) return std::to_string(n) + (n == 1 ? " byte" : " bytes");
  double v = static_cast<double>(n);
  const char* unit = "";
  for (const char* next : {"kB", "MB", "GB", "TB", "PB"}) {
    if (v < 1023.95) break;
    v /= 1024;
    unit = next;
  }
  return format("%.1f %s", v, unit);
}

std::string human_duration_ms(std::int64_t ms) {
  if (ms < 0) return "-" + human_duration_ms(-ms);
  if (ms < 1000) return std::to_string(ms) + " ms";
  if (ms < 59'950) return format("%.1f %s", static_cast<double>(ms) / 1000, "s");
  const std::int64_t s = (ms + 500) / 1000;
  const auto two = [](std::int64_t a, const char* unit_a, std::int64_t b, const char* unit_b) {
    return std::to_string(a) + ' ' + unit_a + ' ' + std::to_string(b) + ' ' + unit_b;
  };
  if (s < 3600) return two(s / 60, "min", s % 60, "s");
  if (s < 86'400) return two(s / 3600, "h", s % 3600 / 60, "min");
  return two(s / 86'400, "d", s % 86'400 / 3600, "h");
}

std::string shortened(std::string_view s, std::size_t columns) {
  std::size_t count = 0, keep = 0;
  for (std::size_t i = 0; i < s.size(); ++i) {
    if ((static_cast<unsigned char>(s[i]) & 0xc0) == 0x80) continue;  // inside a character
    if (++count == columns) keep = i;
  }
  if (count <= columns) return std::string(s);
  return columns == 0 ? std::string() : std::string(s.substr(0, keep)) + "~";
}

}  // namespace duet::observe
