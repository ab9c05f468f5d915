// Values of the types that PostgreSQL prints, each in exactly its spelling; and of arrays, as both sides write them.
#include <algorithm>

#include <arpa/inet.h>

#include <cstring>

#include "values.hpp"

namespace duet::testing {

namespace {

std::string padded(std::int64_t n, std::size_t width) {
  std::string s = std::to_string(n);
  return s.size() < width ? std::string(width - s.size(), '0') + s : s;
}

std::string hex(dice& d, int digits) {
  std::string out;
  for (int i = 0; i < digits; ++i) out += "0123456789abcdef"[d.below(16)];
  return out;
}

std::string ip4(dice& d, std::uint32_t mask = ~0u) {
  const std::uint32_t a = htonl(static_cast<std::uint32_t>(d.bits()) & mask);
  char out[INET_ADDRSTRLEN];
  return inet_ntop(AF_INET, &a, out, sizeof out);
}

std::string ip6(dice& d) {
  in6_addr a;
  for (auto& word : a.s6_addr16) word = d.one_in(2) ? 0 : static_cast<std::uint16_t>(d.bits());
  if (d.one_in(6)) std::memset(&a, 0, 10), std::memset(a.s6_addr + 10, d.one_in(2) ? 0 : 255, 2);
  char out[INET6_ADDRSTRLEN];
  return inet_ntop(AF_INET6, &a, out, sizeof out);
}

std::string fraction(dice& d) {
  std::string s = padded(static_cast<std::int64_t>(d.below(1000000)), 6);
  while (s.ends_with('0')) s.pop_back();
  return s.empty() || d.one_in(2) ? "" : "." + s;
}

std::string date(dice& d) {
  return padded(d.between(1, 9999), 4) + "-" + padded(d.between(1, 12), 2) + "-" + padded(d.between(1, 28), 2);
}

std::string clock(dice& d) { return padded(d.between(0, 23), 2) + ":" + padded(d.between(0, 59), 2) + ":" + padded(d.between(0, 59), 2) + fraction(d); }

std::string half(dice& d) {
  const std::int64_t n = d.between(-9999, 9999);
  return d.one_in(2) ? std::to_string(n) : (n < 0 ? "-" : "") + std::to_string(std::abs(n)) + ".5";
}

std::string two(std::string a, const std::string& b) { return a + "," + b; }
std::string point(dice& d) { return "(" + two(half(d), half(d)) + ")"; }

}  // namespace

values inets() {
  return {{"0.0.0.0", "255.255.255.255", "10.0.0.1/8", "0.0.0.0/0", "::", "::1", "::ffff:1.2.3.4", "::1.2.3.4", "1:0:2:0:3:0:4:0", "fe80::1/64", "::/0"},
          [](dice& d) {
            const bool v4 = d.one_in(2);
            return (v4 ? ip4(d) : ip6(d)) + (d.one_in(3) ? "/" + std::to_string(d.below(v4 ? 32 : 128)) : "");
          }};
}
values hosts4() {
  return {{"0.0.0.0", "255.255.255.255", "127.0.0.1"}, [](dice& d) { return ip4(d); }};
}
values hosts6() {
  return {{"::", "::1", "::ffff:1.2.3.4", "::1.2.3.4", "1:0:2:0:3:0:4:0", "1:2:3:4:5:6:7:0", "0:1::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
          [](dice& d) { return ip6(d); }};
}
values cidrs() {
  return {{"0.0.0.0/0", "10.0.0.0/8", "192.168.1.7/32", "::/0", "::1/128", "2001:db8::/32"}, [](dice& d) {
            const auto bits = static_cast<int>(d.below(33));
            return ip4(d, bits ? ~0u << (32 - bits) : 0) + "/" + std::to_string(bits);
          }};
}
values hardware_addresses(int bytes) {
  const auto all = [bytes](const char* pair) {
    std::string out = pair;
    for (int i = 1; i < bytes; ++i) (out += ':') += pair;
    return out;
  };
  return {{all("00"), all("ff")}, [bytes](dice& d) {
            std::string out = hex(d, 2);
            for (int i = 1; i < bytes; ++i) out += ":" + hex(d, 2);
            return out;
          }};
}

values intervals() {
  return {{"PT0S", "P1Y", "P-1Y-2M3DT-4H-5M-6.7S", "PT-0.000001S", "PT24H", "P1D", "P178956970Y7M", "PT838H59M59S", "P1M", "P30D"}, [](dice& d) {
            const bool back = d.one_in(4), late = d.one_in(4);
            const auto part = [&](std::int64_t most, char unit, bool negative) {
              const std::int64_t n = d.one_in(2) ? 0 : d.between(1, most);
              return n ? (negative ? "-" : "") + std::to_string(n) + unit : std::string();
            };
            std::string day = part(9999, 'Y', back) + part(11, 'M', back) + part(99999, 'D', d.one_in(2));
            std::string time = part(9999, 'H', late) + part(59, 'M', late);
            const std::string seconds = std::to_string(d.between(0, 59)) + fraction(d);
            if (seconds != "0") time += (late ? "-" : "") + seconds + "S";
            if (day.empty() && time.empty()) return std::string("PT0S");
            return "P" + day + (time.empty() ? "" : "T" + time);
          }};
}
values zoned_times() {
  return {{"00:00:00+00", "24:00:00-15:59", "12:00:00.000001+05:30", "01:02:03-00:00:01", "23:59:59.999999+15:59:59"}, [](dice& d) {
            return clock(d) + (d.one_in(2) ? "+" : "-") + padded(d.between(1, 14), 2) + (d.one_in(2) ? ":" + padded(d.between(1, 59), 2) : "");
          }};
}

values ranges(const std::string& of) {
  const auto make = [of](dice& d, std::int64_t at) -> std::string {
    const auto bound = [&](std::int64_t n) -> std::string {
      if (of == "date") return padded(n % 8000 + 1000, 4) + "-" + padded(n % 12 + 1, 2) + "-07";
      if (of == "num") return std::to_string(n) + (n % 2 ? ".50" : "");
      if (of == "ts") return "\"" + padded(n % 8000 + 1000, 4) + "-01-02 03:04:05" + (n % 2 ? ".5" : "") + "\"";
      if (of == "tstz") return "\"" + padded(n % 8000 + 1000, 4) + "-01-02 03:04:05+00\"";
      return std::to_string(n);
    };
    const bool discrete = of == "date" || of == "int";
    const std::int64_t size = d.between(1, 400);
    const bool from = !d.one_in(6), to = !d.one_in(6);
    const std::string low = from ? bound(at) : "", high = to ? bound(at + size) : "";
    return (from && (discrete || d.one_in(2)) ? "[" : "(") + low + "," + high + (to && !discrete && d.one_in(2) ? "]" : ")");
  };
  values v{{"empty", "(,)"}, [make](dice& d) { return make(d, d.between(1, 7000)); }};
  if (of == "int") v.edges.insert(v.edges.end(), {"[-2147483648,2147483647)", "(,-2147483648)"});
  if (of == "num") v.edges.insert(v.edges.end(), {"[1.0,1.0]", "[1.00,1.000]", "[NaN,NaN]", "(-Infinity,Infinity]"});
  if (of == "date") v.edges.insert(v.edges.end(), {"[-infinity,infinity]", "[\"0044-03-15 BC\",0001-01-01)"});
  return v;
}
values multiranges(const std::string& of) {
  const values one = ranges(of);
  return {{"{}", "{(,)}"}, [one](dice& d) {
            for (;;) {
              std::string r = one.random(d);
              if (r != "empty") return "{" + r + "}";
            }
          }};
}

values points() {
  return {{"(0,0)", "(-0,1e+300)", "(NaN,Infinity)", "(0.1,1e-07)"}, [](dice& d) { return point(d); }};
}
values boxes() {
  return {{"(0,0),(0,0)"}, [](dice& d) {
            const std::int64_t x = d.between(-99, 99), y = d.between(-99, 99);
            return "(" + std::to_string(x + d.between(0, 9)) + "," + std::to_string(y + d.between(0, 9)) + "),(" + std::to_string(x) + "," + std::to_string(y) + ")";
          }};
}
values paths(bool closed) {
  return {{closed ? "((0,0))" : "[(0,0),(1,1)]"}, [closed](dice& d) {
            std::string out = point(d);
            for (std::uint64_t i = d.below(5); i > 0; --i) out += "," + point(d);
            return closed ? "(" + out + ")" : "[" + out + "]";
          }};
}
values circles() {
  return {{"<(0,0),0>"}, [](dice& d) { return "<" + point(d) + "," + std::to_string(d.below(100)) + ">"; }};
}
values lines() {
  return {{"{1,-1,0}"}, [](dice& d) { return "{" + std::to_string(d.between(1, 9)) + "," + half(d) + "," + half(d) + "}"; }};
}

values composites() {
  return {{"(,)", "(1,)", "(,\"\")", "(-1,\"a \"\"b\"\" \\\\ c\")", "(1,x)", "(7,\"(a,b)\")", "(1,\"\xe6\xbc\xa2 \xf0\x9f\x8e\xb5\")", "(1,NULL)"}, [](dice& d) {
            const std::string word = std::string(1 + d.below(9), static_cast<char>('a' + d.below(26)));
            return "(" + std::to_string(d.between(-99999, 99999)) + "," + (d.one_in(2) ? word : "\"" + word + " " + word + "\"") + ")";
          }};
}
values lexemes() {
  return {{"", "'it''s'", "'a' 'b':1", "'cat':3A,7B 'fat':2 'rat':12,16383"}, [](dice& d) {
            std::string out;
            for (char c = 'a'; c <= 'z'; ++c)
              if (d.one_in(6)) out += (out.empty() ? "'" : " '") + std::string(3, c) + "'" + (d.one_in(2) ? ":" + std::to_string(d.between(1, 16383)) : "");
            return out;
          }};
}
values xmls() {
  return {{"", "<a/>", "<a b=\"c\">it's &amp; &lt;</a>", "text <b>and</b> more", "<?pi x?><!-- c --><a>\xe6\xbc\xa2 \xf0\x9f\x8e\xb5</a>", " <a> </a> "}, [](dice& d) {
            std::string out;
            for (std::uint64_t i = d.below(5); i > 0; --i) out += "<t" + std::to_string(i) + ">" + hex(d, 3) + "</t" + std::to_string(i) + ">\n";
            return out;
          }};
}
values bit_strings(std::size_t most) {
  return {{"", "0", std::string(most, '1')}, [most](dice& d) {
            std::string out(d.below(most + 1), '0');
            for (char& b : out) b = static_cast<char>('0' + d.below(2));
            return out;
          }};
}
values log_places() {
  return {{"0/0", "FFFFFFFF/FFFFFFFF"}, [](dice& d) { return std::to_string(d.between(1, 9)) + "/" + std::to_string(d.between(1, 99999999)); }};
}
values label_paths() {
  return {{"", "a", "Top.Science.Astronomy"}, [](dice& d) { return "a" + hex(d, 3) + (d.one_in(2) ? ".b" + hex(d, 2) : ""); }};
}

values both(std::string home, std::string spoke) {
  return {{std::move(home) + either + std::move(spoke)}, nullptr};
}

namespace {

std::string in_postgres_quotes(const std::string& s) {
  std::string out = "\"";
  for (const char c : s) (c == '"' || c == '\\' ? out += '\\' : out) += c;
  return out + "\"";
}
std::string in_json_quotes(const std::string& s) {
  std::string out = "\"";
  for (const char c : s) {
    if (c == '"' || c == '\\') (out += '\\') += c;
    else if (c == '\n') out += "\\n";
    else if (c == '\t') out += "\\t";
    else if (c == '\b') out += "\\b";
    else if (c == '\r') out += "\\r";
    else if (static_cast<unsigned char>(c) < 0x20) (out += "\\u00") += {"0123456789abcdef"[c >> 4], "0123456789abcdef"[c & 15]};
    else out += c;
  }
  return out + "\"";
}

}  // namespace

values arrays(values of, element_form form) {
  const auto write = [form](const std::string& v, bool home) {
    switch (form) {
      case element_form::plain: return v;
      case element_form::truth: return home ? std::string(v == "true" ? "t" : "f") : v;
      case element_form::quoted: break;
    }
    return home ? in_postgres_quotes(v) : in_json_quotes(v);
  };
  const auto make = [write](const std::vector<std::string>& all) {
    std::string home = "{", spoke = "[";
    for (std::size_t i = 0; i < all.size(); ++i) {
      home += (i ? "," : "") + (all[i] == null_element ? "NULL" : write(all[i], true));
      spoke += (i ? ", " : "") + (all[i] == null_element ? "null" : write(all[i], false));
    }
    return home + "}" + either + spoke + "]";
  };
  const std::string one = of.edges.empty() ? std::string() : of.edges.front();
  values v{{"{}" + std::string(either) + "[]", make({null_element}), make(of.edges)}, nullptr};
  if (!of.edges.empty())
    v.edges.push_back("{{" + write(one, true) + ",NULL},{NULL," + write(one, true) + "}}" + either + "[[" + write(one, false) + ", null], [null, " + write(one, false) + "]]");
  v.random = [of, make](dice& d) {
    std::vector<std::string> all;
    for (std::uint64_t n = d.below(6); n > 0; --n) all.push_back(d.one_in(6) ? null_element : of.random(d));
    return make(all);
  };
  return v;
}

values stores(bool json) {
  const auto make = [json](const std::vector<std::pair<std::string, std::string>>& all) {
    std::string home, spoke;
    for (const auto& [k, v] : all) {
      home += (home.empty() ? "" : ", ") + in_postgres_quotes(k) + "=>" + (v == null_element ? "NULL" : in_postgres_quotes(v));
      spoke += (spoke.empty() ? "" : ", ") + in_json_quotes(k) + ": " + (v == null_element ? "null" : in_json_quotes(v));
    }
    return home + either + (json ? "{" + spoke + "}" : home);
  };
  return {{make({}), make({{"", ""}, {"a", null_element}, {"b", "NULL"}, {"it's", "\"\\ =>,\n\xf0\x9f\x8e\xb5"}})}, [make](dice& d) {
            std::vector<std::pair<std::string, std::string>> all;
            for (char c = 'a'; c <= 'z'; ++c)
              if (d.one_in(8)) all.push_back({std::string(1, c), d.one_in(4) ? null_element : hex(d, 4)});
            return make(all);
          }};
}

values geometries() {
  // The point (x y), a line and a polygon, with and without a SRID.
  const auto number = [](double v) {
    char bytes[8];
    std::memcpy(bytes, &v, 8);
    std::string out;
    for (const char b : bytes) (out += "0123456789abcdef"[static_cast<unsigned char>(b) >> 4]) += "0123456789abcdef"[b & 15];
    return out;
  };
  const auto make = [](const std::string& kind, const std::string& rest, bool srid) {
    const std::string plain = "01" + kind + "000000" + rest;
    const std::string home = srid ? "01" + kind + "000020" + "e6100000" + rest : plain;
    return "'\\x" + home + "'" + std::string(either) + "x'" + (srid ? "e6100000" : "00000000") + plain + "'";
  };
  const std::string square = "0100000004000000" + number(0) + number(0) + number(1) + number(0) + number(1) + number(1) + number(0) + number(0);
  return {{make("01", number(0) + number(-1.5), false), make("01", number(12) + number(48), true),
           make("02", "02000000" + number(1) + number(2) + number(3) + number(4), true), make("03", square, false), make("07", "00000000", false)},
          [=](dice& d) { return make("01", number(static_cast<double>(d.between(-90, 90)) / 7) + number(static_cast<double>(d.between(-90, 90))), d.one_in(2)); }};
}

values vectors(bool bytes) {
  const auto make = [bytes](const std::vector<float>& all) {
    std::string home, spoke;
    for (const float f : all) {
      char raw[4];
      std::memcpy(raw, &f, 4);
      for (const char b : raw) (spoke += "0123456789abcdef"[static_cast<unsigned char>(b) >> 4]) += "0123456789abcdef"[b & 15];
      home += (home.empty() ? "" : ",") + std::to_string(f);
    }
    return (bytes ? "'\\x" + spoke + "'" : "'{" + home + "}'") + either + "x'" + spoke + "'";
  };
  return {{make({0.5f}), make({-1, 100000, 1000000}), make({0.25f, -0.0009765625f, 65536})}, [make](dice& d) {
            std::vector<float> all;
            for (int i = 0; i < 3; ++i) all.push_back(static_cast<float>(d.between(-99999, 99999)) / 64);
            return make(all);
          }};
}

}  // namespace duet::testing
