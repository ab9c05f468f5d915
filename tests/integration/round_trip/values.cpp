#include "values.hpp"

#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

namespace duet::testing {

namespace {

std::string padded(std::int64_t n, std::size_t width) {
  std::string s = std::to_string(n);
  return s.size() < width ? std::string(width - s.size(), '0') + s : s;
}

std::string in_utf8(char32_t c) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | (c >> shift & 0x3f)); };
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xc0 | c >> 6), tail(0)};
  if (c < 0x10000) return {static_cast<char>(0xe0 | c >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xf0 | c >> 18), tail(12), tail(6), tail(0)};
}

char32_t random_letter(dice& d, letters from) {
  const auto in = [&](std::int64_t low, std::int64_t high) { return static_cast<char32_t>(d.between(low, high)); };
  switch (d.below(from == letters::ascii ? 3 : from == letters::latin1 ? 4 : from == letters::basic_plane ? 8 : 10)) {
    case 0:
      return in('a', 'z');
    case 1:
      return in(' ', '~');
    case 2:
      return d.one_of<char32_t>({'\'', '"', '\\', '\n', '\r', '\t', '\b', 1, 0x1a, 0x7f, '%', '_', ',', ';', '{', '}'});
    case 3:
      return in(0xa0, 0xff);
    case 4:
      return in(0x100, 0x24f);
    case 5:
      return in(0x300, 0x36f);  // marks that join the letter before them
    case 6:
      return in(0x4e00, 0x9fff);
    case 7:
      return d.one_of<char32_t>({0xfeff, 0xfffd, 0xffff, 0x2028, 0x200d, 0x130, 0x131, 0xdf, 0x1e9e, 0xd7ff, 0xe000, 0x85});
    case 8:
      return in(0x1f300, 0x1faff);
    default:
      return in(0x10000, 0x10ffff);
  }
}

std::string random_text(dice& d, std::size_t characters, letters from) {
  std::string out;
  for (std::size_t n = d.below(characters + 1); n > 0; --n) out += in_utf8(random_letter(d, from));
  return out;
}

std::string scientific(double v) {
  char out[40];
  return {out, std::to_chars(out, out + sizeof out, v, std::chars_format::scientific).ptr};
}

std::string with_fraction(dice& d, std::string clock, int digits) {
  if (digits == 0 || d.one_in(5)) return clock;
  clock += '.';
  for (int i = 0; i < digits; ++i) clock += static_cast<char>('0' + d.below(10));
  return clock;
}

std::string fraction(char digit, int digits) {
  return digits ? "." + std::string(static_cast<std::size_t>(digits), digit) : "";
}

std::string random_date(dice& d, int first, int last) {
  return padded(d.between(first, last), 4) + "-" + padded(d.between(1, 12), 2) + "-" + padded(d.between(1, 28), 2);
}

std::string random_clock(dice& d) {
  return padded(d.between(0, 23), 2) + ":" + padded(d.between(0, 59), 2) + ":" + padded(d.between(0, 59), 2);
}

std::string json_text(dice& d) {
  std::string out = "\"";
  for (std::size_t n = d.below(10); n > 0; --n) {
    const char32_t c = random_letter(d, letters::unicode);
    constexpr char hex[] = "0123456789abcdef";
    if (c == '"' || c == '\\')
      (out += '\\') += static_cast<char>(c);
    else if (c < ' ')
      ((out += "\\u00") += hex[c >> 4]) += hex[c & 15];
    else
      out += in_utf8(c);
  }
  return out + '"';
}

// A number that a double keeps, whatever its spelling.
std::string json_number(dice& d) {
  switch (d.below(5)) {
    case 0:
      return std::to_string(d.between(-1000, 1000));
    case 1:
      return std::to_string(static_cast<std::int64_t>(d.bits()));
    case 2:
      return std::to_string(d.between(-99999, 99999)) + "." + std::to_string(d.between(0, 99999));
    case 3:
      return scientific(std::ldexp(static_cast<double>(d.bits() >> 12), static_cast<int>(d.between(-300, 200))));
    default:
      return d.one_of<std::string>({"0", "-1", "1.0", "1.50", "1e2", "0.1", "1E-5", "12345678901234567"});
  }
}

std::string json_document(dice& d, int depth) {
  switch (d.below(depth > 0 ? 8 : 5)) {
    case 0:
      return "null";
    case 1:
      return d.one_in(2) ? "true" : "false";
    case 2:
      return json_text(d);
    case 3:
    case 4:
      return json_number(d);
    case 5:
    case 6: {
      std::string out = "{";
      for (std::uint64_t i = 0, n = d.below(5); i < n; ++i)
        out += (i ? ", " : "") + ("\"" + std::string(d.below(3), 'k') + std::to_string(i * 7 % 5) + "\": ") +
               json_document(d, depth - 1);
      return out + "}";
    }
    default: {
      std::string out = "[";
      for (std::uint64_t i = 0, n = d.below(5); i < n; ++i) out += (i ? "," : "") + json_document(d, depth - 1);
      return out + "]";
    }
  }
}

}  // namespace

std::int64_t dice::between(std::int64_t low, std::int64_t high) {
  const std::uint64_t width = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low) + 1;
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + (width ? engine_() % width : engine_()));
}

values whole(std::int64_t low, std::int64_t high) {
  values v{{std::to_string(low), std::to_string(high), "0", "1"}, [=](dice& d) {
             const std::int64_t n = d.between(low, high);
             return std::to_string(d.one_in(2) ? n : low < 0 ? n % 1000 : n & 1023 & high);
           }};
  if (low < 0) v.edges.push_back("-1");
  return v;
}

values natural(std::uint64_t high) {
  return {{"0", "1", std::to_string(high), std::to_string(high / 2), std::to_string(high / 2 + 1)}, [=](dice& d) {
            return std::to_string(high == std::numeric_limits<std::uint64_t>::max() ? d.bits() : d.below(high + 1));
          }};
}

values decimal(int digits, int fraction) {
  const auto n = static_cast<std::size_t>(digits), f = static_cast<std::size_t>(fraction);
  const std::string most = std::string(n - f, '9') + (f ? "." + std::string(f, '9') : "");
  const std::string least = f ? "0." + std::string(f - 1, '0') + "1" : "1";
  return {{"0", most, "-" + most, least, "-" + least, "1", "-1"}, [=](dice& d) {
            std::string out = d.one_in(2) ? "-" : "";
            out += static_cast<char>('0' + d.below(10));
            for (std::size_t i = d.below(n - f); i > 0; --i) out += static_cast<char>('0' + d.below(10));
            if (f && !d.one_in(4)) {
              out += '.';
              for (std::size_t i = 1 + d.below(f); i > 0; --i) out += static_cast<char>('0' + d.below(10));
            }
            return out;
          }};
}

values real(int bits) {
  using f = std::numeric_limits<float>;
  using g = std::numeric_limits<double>;
  values v;
  if (bits == 32) {
    for (float e : {f::max(), f::lowest(), f::min(), f::denorm_min(), f::epsilon(), 0.1f, -1.5f, 16777216.f, 16777215.f, 1e10f})
      v.edges.push_back(scientific(e));
  } else {
    for (double e : {g::max(), g::lowest(), g::min(), g::denorm_min(), g::epsilon(), 0.1, -1.5, 9007199254740992.,
                     9007199254740991., 1e22, 1e-5, 1. / 3})
      v.edges.push_back(scientific(e));
  }
  v.edges.push_back("0");
  v.random = [bits](dice& d) -> std::string {
    if (d.one_in(4)) return std::to_string(d.between(-100000, 100000));
    if (d.one_in(3)) return std::to_string(d.between(-9999, 9999)) + "." + std::to_string(d.between(0, 99));
    for (;;) {
      const double r = bits == 32 ? static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(d.bits())))
                                  : std::bit_cast<double>(d.bits());
      if (std::isfinite(r) && r != 0) return scientific(r);
    }
  };
  return v;
}

values zeros() {
  return {{"0", "-0"}, [](dice& d) { return d.one_in(2) ? "0" : "-0"; }};
}

values truth() {
  return {{"true", "false"}, [](dice& d) { return d.one_in(2) ? "true" : "false"; }};
}

values years() {
  return {{"0", "1901", "1970", "2000", "2155"}, [](dice& d) { return std::to_string(d.between(1901, 2155)); }};
}

values text(std::size_t characters, letters from) {
  values v{{"", " ", "x", "it's", "back\\slash", "\"", std::string(characters, 'm'), " both ", "NULL"},
           [=](dice& d) { return random_text(d, d.one_in(3) ? characters : std::min<std::size_t>(characters, 8), from); }};
  std::erase_if(v.edges, [&](const std::string& s) { return s.size() > characters; });
  const auto repeat = [&](const std::string& letter) {
    std::string out;
    for (std::size_t i = 0; i < characters; ++i) out += letter;
    v.edges.push_back(out);
  };
  if (from != letters::ascii) repeat("\xc3\xbf");
  if (from == letters::basic_plane || from == letters::unicode) repeat("\xe6\xbc\xa2");
  if (from == letters::unicode) repeat("\xf0\x9f\x8e\xb5");
  return v;
}

values text_without_blanks_at_end(std::size_t characters) {
  const auto trim = [](std::string s) {
    while (s.ends_with(' ')) s.pop_back();
    return s;
  };
  values v = text(characters);
  for (std::string& edge : v.edges) edge = trim(edge);
  v.random = [trim, random = v.random](dice& d) { return trim(random(d)); };
  return v;
}

values bytes(std::size_t least, std::size_t most) {
  values v{{std::string(most, '\0'), std::string(most, '\xff'), std::string(least, '\0'), std::string(most - 1, 'x') + '\0'},
           [=](dice& d) {
             std::string out(least + d.below(std::min<std::size_t>(most - least, 300) + 1), '\0');
             for (char& b : out) b = static_cast<char>(d.below(256));
             while (!out.empty() && d.one_in(8)) out[out.size() - 1 - d.below(out.size())] = d.one_in(2) ? '\0' : ' ';
             return out;
           }};
  if (least < most) v.edges.push_back("'\\ \n");
  return v;
}

values bit_string(int n) {
  const auto size = static_cast<std::size_t>(n);
  return {{std::string(size, '0'), std::string(size, '1'), std::string(size - 1, '0') + "1", "1" + std::string(size - 1, '0')},
          [size](dice& d) {
            std::string out(size, '0');
            for (char& b : out) b = static_cast<char>('0' + d.below(2));
            return out;
          }};
}

values dates() {
  return {{"0001-01-01", "9999-12-31", "1970-01-01", "1969-12-31", "2024-02-29", "1900-02-28", "2000-02-29", "1582-10-10"},
          [](dice& d) { return d.one_in(2) ? random_date(d, 1, 9999) : random_date(d, 1950, 2050); }};
}

values times(int digits) {
  return {{"00:00:00", "23:59:59" + fraction('9', digits), "24:00:00", "12:00:00" + fraction('1', digits),
           "00:00:00" + fraction('9', digits)},
          [=](dice& d) { return with_fraction(d, random_clock(d), digits); }};
}

values moments(int digits) {
  return {{"0001-01-01 00:00:00", "9999-12-31 23:59:59" + fraction('9', digits), "1969-12-31 23:59:59" + fraction('9', digits),
           "1970-01-01 00:00:00", "2024-02-29 12:00:00" + fraction('1', digits), "2038-01-19 03:14:08"},
          [=](dice& d) {
            return with_fraction(d, random_date(d, d.one_in(2) ? 1 : 1950, d.one_in(2) ? 9999 : 2050) + " " + random_clock(d),
                                 digits);
          }};
}

values instants(int digits) {
  return {{"1970-01-01 00:00:01", "2038-01-19 03:14:07" + fraction('9', digits), "2024-02-29 12:00:00" + fraction('1', digits),
           "2024-03-31 02:30:00", "2001-09-09 01:46:40" + fraction('5', digits)},
          [=](dice& d) { return with_fraction(d, random_date(d, 1971, 2037) + " " + random_clock(d), digits); }};
}

values documents() {
  return {{"null", "{}", "[]", "\"\"", "0", "-0.5", "{\"a\": {}}", "[[], [[]]]", "9223372036854775807", "-9223372036854775808",
           "18446744073709551615", "1.7976931348623157e308", "{\"b\": 1, \"a\": [true, false, null], \"\": \"it's\"}",
           "\"\\\"\\\\/\\b\\f\\n\\r\\t\xc3\xa9\xf0\x9f\x8e\xb5\"", " [ 1 , 2 ] "},
          [](dice& d) { return json_document(d, 4); }};
}

values uuids() {
  return {
      {"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", "01234567-89ab-cdef-0123-456789abcd00"},
      [](dice& d) {
        std::string out;
        for (int i = 0; i < 36; ++i) out += i == 8 || i == 13 || i == 18 || i == 23 ? '-' : "0123456789abcdef"[d.below(16)];
        return out;
      }};
}

values standard_uuids() {
  return {
      {"00000000-0000-0000-0000-000000000000", "01234567-89ab-1def-8123-456789abcd00", "01234567-89ab-7def-b123-456789abcdff"},
      [random = uuids().random](dice& d) {
        std::string out = random(d);
        out[14] = static_cast<char>('1' + d.below(7));
        out[19] = "89ab"[d.below(4)];
        return out;
      }};
}

values labels(std::vector<std::string> all) {
  return {all, [all](dice& d) { return d.one_of(all); }};
}

values label_sets(std::vector<std::string> all) {
  const auto pick = [all](auto takes) {
    std::string out;
    for (const auto& label : all)
      if (takes()) out += (out.empty() ? "" : ",") + label;
    return out;
  };
  return {{"", all.front(), all.back(), pick([] { return true; })},
          [pick](dice& d) { return pick([&] { return d.one_in(2); }); }};
}

}  // namespace duet::testing
