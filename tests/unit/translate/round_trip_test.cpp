// Random values of every pair of the contract: there and back unchanged, or held with a reason; and what arrives is a value
// that the target's type can have. DUET_SEED=n repeats a run, DUET_ROUNDS=n makes it longer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <random>
#include <set>

#include "translate/conversions.hpp"
#include "translate/json_check.hpp"
#include "translate/translate.hpp"
#include "translate/type_contract.hpp"
#include "types.hpp"

namespace duet::translate {
namespace {

using kind = value_kind;

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

class generator {
 public:
  generator(std::uint64_t seed, side s) : random_(seed), side_(s) {}

  std::string value_of(const column_type& t) {
    switch (t.kind) {
      case kind::boolean: return below(2) ? "1" : "0";
      case kind::integer: return integer(t);
      case kind::decimal: return decimal(t);
      case kind::real: return t.bits == 32 ? real<float, std::uint32_t>() : real<double, std::uint64_t>();
      case kind::text: return text(t);
      case kind::bytes: return bytes(t);
      case kind::date: return date();
      case kind::time: return time(t.precision);
      case kind::datetime:
      case kind::timestamp: return datetime(t);
      case kind::json: return json(0);
      case kind::bits: {
        std::string s;
        for (int i = 0; i < t.bits; ++i) s += below(2) ? '1' : '0';
        return s;
      }
      case kind::uuid: return uuid();
      case kind::enumeration: return below(20) || side_ == side::home ? t.labels[below(t.labels.size())] : "";
      case kind::set: {
        std::string s;
        for (const auto& l : t.labels)
          if (below(2)) s += (s.empty() ? "" : ",") + l;
        return s;
      }
      case kind::array: return t.element == kind::text ? array() : samples_[below(samples_.size())];
      case kind::printed:
        for (;;) {
          const std::string& s = samples_[below(samples_.size())];
          const bool any = t.name != "inet4" && t.name != "inet6", is_6 = s.find(':') != std::string::npos;
          if (any || (is_6 == (t.name == "inet6") && s.find('/') == std::string::npos && s != "0::1")) return s;
        }
      case kind::other: break;
    }
    return "";
  }

  void prefer(std::vector<std::string> samples) { samples_ = std::move(samples); }  // texts that go well with the partner's type

 private:
  std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_); }
  bool one_in(std::size_t n) { return below(n) == 0; }

  std::string integer(const column_type& t) {
    if (t.native.starts_with("year")) return one_in(8) ? "0" : std::to_string(1901 + below(255));
    const int bits = t.bits;
    const int used = 1 + static_cast<int>(below(static_cast<std::size_t>(bits)));
    std::uint64_t v = random_();
    if (used < 64) v &= (std::uint64_t{1} << used) - 1;
    if (one_in(4)) v = bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
    if (t.is_unsigned) return std::to_string(v);
    return std::to_string(static_cast<std::int64_t>(v << (64 - bits)) >> (64 - bits));
  }

  std::string digits(std::size_t n) {
    std::string s;
    while (s.size() < n) s += one_in(4) ? '0' : one_in(4) ? '9' : static_cast<char>('0' + below(10));
    return s;
  }

  std::string decimal(const column_type& t) {
    if (side_ == side::home && one_in(30)) return t.precision < 0 && below(2) ? "Infinity" : "NaN";
    const std::size_t scale = t.precision < 0 ? below(12) : static_cast<std::size_t>(t.scale);
    const std::size_t whole_max = t.precision < 0 ? 30 : static_cast<std::size_t>(t.precision - t.scale);
    std::string whole = digits(below(whole_max + 1));
    whole.erase(0, std::min(whole.find_first_not_of('0'), whole.size()));
    std::string s = (whole.empty() ? "0" : whole) + (scale ? "." + digits(scale) : "");
    const bool zero = s.find_first_not_of("0.") == std::string::npos;
    return below(2) && !zero && !t.is_unsigned ? "-" + s : s;
  }

  template <class T, class Bits>
  std::string real() {
    if (side_ == side::home && one_in(30)) return below(2) ? "NaN" : "-Infinity";
    T v;
    do {
      const Bits b = static_cast<Bits>(random_());
      static_assert(sizeof(b) == sizeof(v));
      std::memcpy(&v, &b, sizeof(v));
      if (one_in(3)) v = static_cast<T>(static_cast<std::int64_t>(below(20000)) - 10000) / 100;
    } while (!std::isfinite(v));
    char s[32];
    return {s, std::to_chars(s, s + 32, v).ptr};
  }

  void append(std::string& s, char32_t c) {
    if (c < 0x80) s += static_cast<char>(c);
    else if (c < 0x800) s += {static_cast<char>(0xc0 | c >> 6), static_cast<char>(0x80 | (c & 63))};
    else if (c < 0x10000) s += {static_cast<char>(0xe0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 63)), static_cast<char>(0x80 | (c & 63))};
    else s += {static_cast<char>(0xf0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 63)), static_cast<char>(0x80 | (c >> 6 & 63)), static_cast<char>(0x80 | (c & 63))};
  }

  std::string text(const column_type& t) {
    if (!samples_.empty() && !one_in(4)) return samples_[below(samples_.size())];
    std::string s;
    const std::size_t n = below(t.length >= 0 ? std::min<std::size_t>(static_cast<std::size_t>(t.length), 40) + 1 : 40);
    for (std::size_t i = 0; i < n; ++i) {
      switch (t.charset == "ascii" ? below(2) : below(6)) {
        case 0: append(s, U' '); break;
        case 1: append(s, static_cast<char32_t>(1 + below(127))); break;
        case 2: append(s, static_cast<char32_t>(0xa0 + below(0x60))); break;
        case 3: if (t.charset == "latin1") s += "€"; else append(s, static_cast<char32_t>(0x100 + below(0x7000))); break;
        case 4: if (t.charset.empty() || t.charset == "utf8mb4") append(s, static_cast<char32_t>(0x10000 + below(0xfffff))); break;
        default: if (side_ == side::spoke && one_in(40)) s += '\0'; break;
      }
    }
    if (t.fixed)
      while (s.ends_with(' ')) s.pop_back();
    return s;
  }

  std::string bytes(const column_type& t) {
    while (!samples_.empty() && !one_in(4)) {
      const std::string& s = samples_[below(samples_.size())];
      if (t.name == "geometry" && (s.size() < 9 || s[4] != 1)) continue;  // it is the other side's form
      if ((t.length < 0 || s.size() <= static_cast<std::size_t>(t.length)) && (t.name != "vector" || s.size() % 4 == 0)) return s;
    }
    if (t.name == "vector") return std::string(4 * (1 + below(3)), 'v');
    if (t.name == "geometry") return samples_.back();
    const std::size_t n = t.fixed ? static_cast<std::size_t>(t.length) : below(t.length >= 0 ? static_cast<std::size_t>(t.length) + 1 : 20);
    std::string s;
    while (s.size() < n) s += static_cast<char>(one_in(3) ? 0 : below(256));
    if (t.fixed && one_in(2))
      while (s.ends_with('\0')) s.pop_back();  // as the log has it
    return s;
  }

  static std::string padded(std::size_t v, int width) {
    std::string s = std::to_string(v);
    while (s.size() < static_cast<std::size_t>(width)) s.insert(0, 1, '0');
    return s;
  }

  std::string date() {
    if (one_in(12)) {
      if (side_ == side::home) return std::vector<std::string>{"infinity", "-infinity", "0044-03-15 BC", "12024-01-01"}[below(4)];
      return std::vector<std::string>{"0000-00-00", "2024-00-01", "2024-01-00", "2023-02-31"}[below(4)];
    }
    const std::size_t year = one_in(3) ? 1 + below(9999) : 1965 + below(80), month = 1 + below(12);
    const std::size_t last = month == 2 ? 28 : month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
    return padded(year, 4) + "-" + padded(month, 2) + "-" + padded(1 + below(last), 2);
  }

  std::string fraction(int precision) {
    std::string s = digits(below(static_cast<std::size_t>(precision) + 1));
    while (s.ends_with('0')) s.pop_back();
    return s.empty() ? s : "." + s;
  }

  std::string time(int precision) {
    if (one_in(20)) return "24:00:00";
    const bool wild = side_ == side::spoke && one_in(6);
    return (wild && below(2) ? "-" : "") + padded(wild ? below(838) : below(24), 2) + ":" + padded(below(60), 2) + ":" + padded(below(60), 2) + fraction(precision);
  }

  std::string datetime(const column_type& t) {
    const std::string d = date();
    if (d.ends_with("infinity")) return d;
    const std::string clock = padded(below(24), 2) + ":" + padded(below(60), 2) + ":" + padded(below(60), 2) + fraction(t.precision);
    if (d.ends_with(" BC")) return d.substr(0, 10) + " " + clock + " BC";
    if (d.starts_with("0000")) return "0000-00-00 00:00:00";
    if (side_ == side::spoke && t.kind == kind::timestamp) return padded(1971 + below(66), 4) + d.substr(4, 3) + "-1" + d.substr(9, 1) + " " + clock;
    return d + " " + clock;
  }

  std::string json(int depth) {
    switch (below(depth > 3 ? 5 : 7)) {
      case 0: return "null";
      case 1: return below(2) ? "true" : "false";
      case 2: return one_in(6) && side_ == side::home ? "7" + digits(below(3)) + "." + digits(1 + below(30)) : std::to_string(static_cast<std::int64_t>(random_()));
      case 3: return real<double, std::uint64_t>().find_first_of("NI") == std::string::npos ? "0.5" : "7";
      case 4: return one_in(10) && side_ == side::spoke ? "\"\\u0000\"" : "\"a\\n\\u00e4 ü😀\"";
      case 5: return "[" + json(depth + 1) + ", " + json(depth + 1) + "]";
      default: return "{\"k\": " + json(depth + 1) + ", \"l\": " + json(depth + 1) + "}";
    }
  }

  std::string uuid() {
    std::string s;
    for (int i = 0; i < 36; ++i) s += i == 8 || i == 13 || i == 18 || i == 23 ? '-' : "0123456789abcdef"[one_in(3) ? 0 : below(16)];
    return s;
  }

  std::string array() {
    if (one_in(10)) return below(2) ? "{NULL}" : "{{a}}";
    static const char* elements[] = {"a", "\"b c\"", "\"q\\\"\\\\r\"", "ä", "unknown"};
    std::string s;
    for (std::size_t n = below(5); n > 0; --n) s += (s.empty() ? "" : ",") + std::string(elements[below(one_in(4) ? 5 : 4)]);
    return "{" + s + "}";
  }

  std::mt19937_64 random_;
  side side_;
  std::vector<std::string> samples_;
};

std::size_t characters(const std::string& s) {
  return static_cast<std::size_t>(std::count_if(s.begin(), s.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

// Can a column of this type hold the value, and is this how it would be read back? Empty: yes. Told apart from the code
// under test: by other means, or from the manual.
std::string objection(side s, const column_type& t, const std::string& v) {
  const auto must = [](bool ok, const char* what) { return ok ? std::string() : std::string(what); };
  switch (t.kind) {
    case kind::boolean: return must(v == "0" || v == "1", "no boolean");
    case kind::integer: {
      const bool negative = v.starts_with('-');
      const std::string magnitude = v.substr(negative);
      if (magnitude.empty() || magnitude.find_first_not_of("0123456789") != std::string::npos) return "no digits";
      if (magnitude.size() > 1 && magnitude[0] == '0') return "leading zero";
      if (magnitude.size() > 20 || v == "-0") return "odd";
      const __int128 n = [&] {
        __int128 x = 0;
        for (char c : magnitude) x = x * 10 + (c - '0');
        return negative ? -x : x;
      }();
      if (t.native.starts_with("year")) return must(n == 0 || (n >= 1901 && n <= 2155), "no year");
      const __int128 one = 1;
      const __int128 least = t.is_unsigned ? 0 : -(one << (t.bits - 1)), most = t.is_unsigned ? (one << t.bits) - 1 : (one << (t.bits - 1)) - 1;
      return must(n >= least && n <= most, "out of range");
    }
    case kind::decimal: {
      if (v == "NaN" || v.ends_with("Infinity")) return must(s == side::home, "no number");
      const std::string m = v.substr(v.starts_with('-'));
      if (t.is_unsigned && v.starts_with('-')) return "negative";
      const std::size_t point = m.find('.');
      const std::string fraction = point == std::string::npos ? "" : m.substr(point + 1);
      if (t.precision < 0) return {};
      if (fraction.size() != static_cast<std::size_t>(t.scale)) return "wrong scale";
      std::string all = m.substr(0, point) + fraction;
      all.erase(0, std::min(all.find_first_not_of('0'), all.size()));
      return must(all.size() <= static_cast<std::size_t>(t.precision), "too many digits");
    }
    case kind::real: {
      if (s == side::spoke && v.find_first_of("NI") != std::string::npos) return "no number";
      char again[32];
      if (t.bits == 32) {
        const float f = std::strtof(v.c_str(), nullptr);
        return must(std::string(again, std::to_chars(again, again + 32, f).ptr) == v || std::isnan(f), "not canonical");
      }
      const double d = std::strtod(v.c_str(), nullptr);
      return must(std::string(again, std::to_chars(again, again + 32, d).ptr) == v || std::isnan(d), "not canonical");
    }
    case kind::text: {
      if (t.length >= 0 && characters(v) > static_cast<std::size_t>(t.length)) return "too long";
      if (s == side::home && v.find('\0') != std::string::npos) return "U+0000";
      if (t.fixed && v.ends_with(' ')) return "padded";
      if (t.charset == "utf8mb3" && v.find_first_of("\xf0\xf1\xf2\xf3\xf4") != std::string::npos) return "beyond utf8mb3";
      if (t.charset == "ascii") return must(std::none_of(v.begin(), v.end(), [](char c) { return c & 0x80; }), "not ascii");
      return {};
    }
    case kind::bytes:
      if (t.fixed) return must(v.size() == static_cast<std::size_t>(t.length), "wrong length");
      return must(t.length < 0 || v.size() <= static_cast<std::size_t>(t.length), "too long");
    case kind::date:
    case kind::datetime:
    case kind::timestamp: {
      using namespace std::chrono;
      if (v.size() < 10 || v[4] != '-' || v[7] != '-') return "no date";
      const year_month_day d{year{std::stoi(v.substr(0, 4))}, month{static_cast<unsigned>(std::stoi(v.substr(5, 2)))}, day{static_cast<unsigned>(std::stoi(v.substr(8, 2)))}};
      if (!d.ok() || d.year() < year{1}) return "no such day";
      if (t.kind == kind::date) return must(v.size() == 10, "no date");
      if (t.kind == kind::timestamp && s == side::spoke && (d.year() < year{1970} || d.year() > year{2038})) return "beyond TIMESTAMP";
      if (v.size() < 19 || v.size() == 20 || (v.size() > 20 && v[19] != '.') || v.ends_with("0") != (v.size() == 19 && v[18] == '0')) return "no clock";
      return must(v.size() <= 20 + static_cast<std::size_t>(t.precision), "too many fraction digits");
    }
    case kind::time: {
      if (s == side::home && (v.size() < 8 || v[2] != ':' || v.substr(0, 8) > "24:00:00")) return "beyond a day";
      const std::size_t point = v.find('.');
      return must(point == std::string::npos || (v.size() - point - 1 <= static_cast<std::size_t>(t.precision) && !v.ends_with('0') && !v.ends_with('.')), "fraction");
    }
    case kind::json: return must(check_json(v, {.no_zero_character = s == side::home && t.native == "jsonb"}) == nullptr, "no JSON");
    case kind::bits: return must(v.size() == static_cast<std::size_t>(t.bits) && v.find_first_not_of("01") == std::string::npos, "no bits");
    case kind::uuid: return must(v.size() == 36 && v.find_first_not_of("0123456789abcdef-") == std::string::npos, "no uuid");
    case kind::enumeration: return must(std::find(t.labels.begin(), t.labels.end(), v) != t.labels.end(), "no label");
    case kind::set: {
      std::size_t last = 0;
      for (std::size_t at = 0; at < v.size();) {
        const std::size_t comma = std::min(v.find(',', at), v.size());
        const auto label = std::find(t.labels.begin() + static_cast<std::ptrdiff_t>(last), t.labels.end(), v.substr(at, comma - at));
        if (label == t.labels.end()) return "no set";
        last = static_cast<std::size_t>(label - t.labels.begin()) + 1;
        at = comma + 1;
      }
      return {};
    }
    case kind::array: return must(v.starts_with('{') && v.ends_with('}'), "no array");
    case kind::printed: return {};
    case kind::other: break;
  }
  return "other";
}

struct type_pair {
  column_type home, spoke;
  std::vector<std::string> samples = {};
};

std::vector<type_pair> pairs() {
  const auto f = fraction_type;
  const std::vector<std::string> labels = {"a", "b c", "q\"\\r", "ä"};
  const column_type uuid = of_kind(kind::uuid, "uuid"), json = of_kind(kind::json, "json"), jsonb = of_kind(kind::json, "jsonb"), date = of_kind(kind::date, "date");
  const column_type set = labels_type(kind::set, labels), longtext = text_type(-1, false, "utf8mb4", "longtext");
  const auto array_of = [](kind element, const char* native, int bits = 0) {
    column_type t = of_kind(kind::array, native);
    t.name = "array";
    t.element = element;
    t.bits = bits;
    return t;
  };
  const column_type array = array_of(kind::text, "text[]");
  const auto printed = printed_type;
  const column_type geometry = named(bytes_type(-1, false, "point"), "geometry"), vector = named(bytes_type(12, false, "vector(3)"), "vector");
  const std::string place(16, '\x01'), wkb = std::string("\x01\x01\0\0\0", 5) + place, ewkb = std::string("\x01\x01\0\0\x20\xe6\x10\0\0", 9) + place,
                    with_srid = std::string("\xe6\x10\0\0", 4) + wkb, without = std::string(4, '\0') + wkb;
  const std::string hex_wkb = "0101000000" + std::string(32, '0'), hex_ewkb = "0101000020E6100000" + std::string(32, '0');
  std::vector<type_pair> all = {
      {boolean_type(), integer_type(8)},
      {boolean_type(), boolean_type()},
      {boolean_type(), bits_type(1)},
      {integer_type(16), year_type()},
      {integer_type(32), year_type()},
      {integer_type(32), boolean_type()},
      {integer_type(64), decimal_type(20, 0)},
      {integer_type(32), decimal_type(8, 2)},
      {decimal_type(20, 0), integer_type(64, true)},
      {decimal_type(-1, -1), integer_type(32)},
      {decimal_type(12, 3), integer_type(64)},
      {decimal_type(12, 2), decimal_type(12, 2)},
      {decimal_type(12, 2), decimal_type(65, 30)},
      {decimal_type(-1, -1), decimal_type(20, 4)},
      {decimal_type(38, 10), decimal_type(12, 2, true)},
      {real_type(32), real_type(32)},
      {real_type(64), real_type(64)},
      {real_type(32), real_type(64)},
      {real_type(64), real_type(32)},
      {text_type(), text_type(-1, false, "utf8mb4", "longtext")},
      {text_type(), text_type(10, false, "utf8mb4")},
      {text_type(10), text_type(20, false, "utf8mb4")},
      {text_type(10, true), text_type(10, true, "utf8mb4")},
      {text_type(10, true), text_type(10, false, "utf8mb4")},
      {text_type(10), text_type(8, true, "utf8mb4")},
      {text_type(), text_type(30, false, "utf8mb3")},
      {text_type(), text_type(30, false, "ascii")},
      {text_type(), text_type(30, false, "latin1")},
      {text_type(), labels_type(kind::enumeration, labels), labels},
      {text_type(), set, {"", "a", "ä,a", "a,b c", "a,a"}},
      {text_type(), uuid, {"00112233-4455-6677-8899-aabbccddeeff"}},
      {text_type(), json, {"{}", "[1, 2]"}},
      {bytes_type(), bytes_type(-1, false, "longblob")},
      {bytes_type(), bytes_type(8)},
      {bytes_type(), bytes_type(6, true)},
      {date, date},
      {json, json},
      {jsonb, json},
      {jsonb, text_type(-1, false, "utf8mb4", "longtext"), {"{}", "[1,2.0]"}},
      {json, text_type(-1, false, "utf8mb4", "longtext"), {"{}", "[1,2.0]"}},
      {bits_type(1), bits_type(1)},
      {bits_type(64), bits_type(64)},
      {uuid, uuid},
      {uuid, text_type(36, true, "ascii"), {"00112233-4455-6677-8899-aabbccddeeff"}},
      {uuid, text_type(36, false, "utf8mb4"), {"00112233-4455-6677-8899-aabbccddeeff"}},
      {uuid, bytes_type(16, true)},
      {uuid, bytes_type(16)},
      {labels_type(kind::enumeration, labels), labels_type(kind::enumeration, labels)},
      {labels_type(kind::enumeration, {"a", "x"}), labels_type(kind::enumeration, labels)},
      {labels_type(kind::enumeration, labels), text_type(4, false, "utf8mb4"), labels},
      {array, set},
      {array, json},
      {array_of(kind::integer, "int[]"), json, {"{1,NULL,-3}", "{}", "{{1,2},{3,4}}", "[0:1]={1,2}"}},
      {array_of(kind::boolean, "boolean[]"), json, {"{t,f,NULL}"}},
      {array_of(kind::real, "real[]", 32), json, {"{0.1,1e+20,-0,NaN,100000,1e+06}"}},
      {array_of(kind::real, "float8[]", 64), json, {"{0.1,1e-07,-0,Infinity,123456789012345}"}},
      {array, longtext, {"[]", "[\"a\"]"}},
      {array_of(kind::real, "real[]", 32), vector, {"{1,0.5}", "{}", "{NULL}", "{1e+20,1e-05,100000}", "{1,2,3,4}", std::string("\0\0\x80\x3f", 4)}},
      {bytes_type(), vector, {std::string(4, 'a'), std::string(12, 'a'), "abc"}},
      {bytes_type(), geometry, {wkb, ewkb, with_srid, without}},
      {printed("geometry"), geometry, {hex_wkb, hex_ewkb}},
      {printed("hstore"), json, {"\"a\"=>\"1\", \"b\"=>NULL", "", R"("it's"=>"\\ \"q\"")"}},
      {printed("inet"), printed("inet4"), {"10.0.0.1", "10.0.0.0/8", "::1"}},
      {printed("inet"), printed("inet6"), {"::1", "10.0.0.1"}},
      {text_type(), printed("inet6"), {"::1", "0::1", "1::"}},
      {bits_type(70), text_type(100, false, "ascii"), {std::string(70, '1')}},
      {printed("interval"), text_type(64, false, "ascii"), {"P1D", "PT0S"}},
      {printed("composite type"), longtext, {"(1,a)"}},
  };
  for (int bits : {16, 32, 64})
    for (int other : {8, 16, 24, 32, 64})
      for (bool is_unsigned : {false, true}) all.push_back({integer_type(bits), integer_type(other, is_unsigned)});
  for (int h : {0, 3, 6})
    for (int s : {0, 3, 6}) {
      all.push_back({f(kind::time, h), f(kind::time, s)});
      for (kind a : {kind::datetime, kind::timestamp})
        for (kind b : {kind::datetime, kind::timestamp}) all.push_back({f(a, h), f(b, s)});
    }
  return all;
}

TEST(round_trip, covers_each_row_of_the_contract) {
  std::set<std::pair<kind, kind>> covered;
  for (const auto& p : pairs()) covered.insert({p.home.kind, p.spoke.kind});
  for (const auto& row : type_contract())
    if (row.decide) EXPECT_TRUE(covered.contains({row.home_kind, row.spoke_kind})) << row.home << " " << row.spoke;
}

// Keeps the value while it can be seen that nothing of it was lost: another form of the same number or CHAR is fine.
bool same_value(const column_type& t, const std::string& a, const std::string& b) {
  if (a == b) return true;
  if (t.kind == kind::decimal && t.precision < 0) {
    const auto plain = [](std::string s) {
      if (s.find('.') == std::string::npos) return s;
      while (s.ends_with('0')) s.pop_back();
      if (s.ends_with('.')) s.pop_back();
      return s;
    };
    return plain(a) == plain(b);
  }
  if (t.kind == kind::json) return true;  // its spelling is the server's
  if (t.kind == kind::bytes && t.fixed) return a + std::string(b.size() - std::min(a.size(), b.size()), '\0') == b;
  return false;
}

TEST(round_trip, returns_each_value_unchanged_or_holds_it_by_a_declared_rule) {
  const std::uint64_t seed = number_from("DUET_SEED", std::random_device{}()), rounds = number_from("DUET_ROUNDS", 400);
  std::cout << "DUET_SEED=" << seed << "\n";
  std::size_t arrived = 0, held = 0;
  for (const auto& p : pairs()) {
    const pairing how = pair_types(p.home, p.spoke);
    ASSERT_NE(how.is, grade::refused) << p.home.native << " " << p.spoke.native << ": " << how.refusal;
    table_pair table;
    table.columns.resize(1);
    column_pair& c = table.columns[0];
    c.home.name = c.spoke.name = "c";
    c.home.type = p.home;
    c.spoke.type = p.spoke;
    c.to_spoke = how.to_spoke;
    c.to_home = how.to_home;
    std::size_t arrived_here = 0;
    for (side from : {side::home, side::spoke}) {
      const column_type &source = c.on(from).type, &target = c.on(other(from)).type;
      generator values(seed, from);
      values.prefer(p.samples);
      for (std::uint64_t i = 0; i < rounds; ++i) {
        const std::string v = values.value_of(source);
        base::arena arena;
        std::string reason;
        const cell in = cell::of(v);
        cell there, back, again;
        if (!convert_row(table, from, &in, &there, arena, reason)) {
          ++held;
          EXPECT_THAT(reason, testing::StartsWith("column c: "));
          ASSERT_FALSE(how.held.empty()) << source.native << " -> " << target.native << ": " << reason << " '" << v << "'";
          continue;
        }
        ++arrived;
        ++arrived_here;
        const std::string arrival(there.text());
        ASSERT_EQ(objection(other(from), target, arrival), "") << "seed " << seed << ": " << source.native << " '" << v << "' -> " << target.native << " '" << arrival << "'";
        // Only a lossy pair may fail to come back.
        const bool returns = convert_row(table, other(from), &there, &back, arena, reason);
        ASSERT_TRUE(returns) << "seed " << seed << ": " << source.native << " '" << v << "' -> " << target.native << " '" << arrival << "': " << reason;
        if (how.is == grade::exact || (source.kind == kind::real && source.bits == 32)) {
          ASSERT_TRUE(same_value(source, v, std::string(back.text())))
              << "seed " << seed << ": " << source.native << " '" << v << "' -> " << target.native << " '" << arrival << "' -> '" << back.text() << "'";
        }
        // The second time nothing is lost any more.
        ASSERT_TRUE(convert_row(table, from, &back, &again, arena, reason)) << "seed " << seed << ": " << source.native << " '" << v << "'";
        ASSERT_EQ(again.text(), arrival) << "seed " << seed << ": " << source.native << " '" << v << "' -> " << target.native;
        if (!how.may_be_key) continue;
        table.key = {0};
        ASSERT_EQ(key_token(table, from, &in, arena), key_token(table, other(from), &there, arena))
            << "seed " << seed << ": " << source.native << " '" << v << "' -> " << target.native << " '" << arrival << "'";
      }
    }
    EXPECT_GT(arrived_here, rounds / 10) << p.home.native << " <-> " << p.spoke.native << ": nearly everything is held";
  }
  std::cout << pairs().size() << " pairs, " << arrived << " values arrived, " << held << " held\n";
}

// Any bytes at all, valid or not, never break a conversion.
TEST(round_trip, survives_values_that_are_no_values) {
  const std::uint64_t seed = number_from("DUET_SEED", std::random_device{}());
  std::cout << "DUET_SEED=" << seed << "\n";
  std::mt19937_64 random(seed);
  const std::string alphabet = std::string("0129-: .{}[],\"\\NULLnaBCeE+tfu") + '\0' + "\xff\xc3\xa4";
  for (const auto& p : pairs()) {
    const pairing how = pair_types(p.home, p.spoke);
    for (int i = 0; i < 300; ++i) {
      std::string v;
      for (std::size_t n = random() % 40; n > 0; --n) v += alphabet[random() % alphabet.size()];
      base::arena arena;
      std::string_view out;
      (void)convert({v, how.to_spoke, p.home, p.spoke, arena}, out);
      (void)convert({v, how.to_home, p.spoke, p.home, arena}, out);
    }
  }
}

}  // namespace
}  // namespace duet::translate
