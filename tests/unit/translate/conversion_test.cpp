// Single values through the type contract: what comes out, or why it is held.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>

#include "translate/conversions.hpp"
#include "translate/json_check.hpp"
#include "translate/translate.hpp"
#include "translate/type_contract.hpp"
#include "types.hpp"

namespace duet::translate {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

struct result {
  std::string value, reason;
  bool held = false;
  friend void PrintTo(const result& r, std::ostream* out) { *out << (r.held ? "held: " + r.reason : "'" + r.value + "'"); }
};

result through(side from, const column_type& home, const column_type& spoke, const std::string& value) {
  const pairing p = pair_types(home, spoke);
  EXPECT_NE(p.is, grade::refused) << p.refusal;
  table_pair table;
  table.columns.resize(1);
  table.columns[0].home.name = "h";
  table.columns[0].spoke.name = "s";
  table.columns[0].home.type = home;
  table.columns[0].spoke.type = spoke;
  table.columns[0].to_spoke = p.to_spoke;
  table.columns[0].to_home = p.to_home;
  base::arena arena;
  result r;
  cell out;
  const cell in = cell::of(value);
  r.held = !convert_row(table, from, &in, &out, arena, r.reason);
  if (r.held) {
    EXPECT_THAT(r.reason, StartsWith(from == side::home ? "column h: " : "column s: "));
    if (value.size() > 6 && value.find("nfinity") == std::string::npos) {
      EXPECT_THAT(r.reason, Not(HasSubstr(value)));
    }
  } else {
    r.value = out.text();
  }
  return r;
}

constexpr const char* held = "\x01held";

MATCHER_P(gives, expected, "") { return arg.held ? expected == std::string(held) : arg.value == expected; }

result to_spoke(const column_type& home, const column_type& spoke, const std::string& v) { return through(side::home, home, spoke, v); }
result to_home(const column_type& home, const column_type& spoke, const std::string& v) { return through(side::spoke, home, spoke, v); }

TEST(conversion, keeps_booleans_and_holds_other_numbers) {
  for (const auto& spoke : {integer_type(8), integer_type(32, true), boolean_type()}) {
    EXPECT_THAT(to_spoke(boolean_type(), spoke, "1"), gives("1"));
    EXPECT_THAT(to_home(boolean_type(), spoke, "0"), gives("0"));
    EXPECT_THAT(to_home(boolean_type(), spoke, "2"), gives(held));
    EXPECT_THAT(to_home(boolean_type(), spoke, "-1"), gives(held));
  }
  EXPECT_THAT(to_spoke(boolean_type(), bits_type(1), "1"), gives("1"));
  EXPECT_THAT(to_home(boolean_type(), bits_type(1), "0"), gives("0"));
  EXPECT_EQ(pair_types(boolean_type(), bits_type(2)).is, grade::refused);
  EXPECT_THAT(to_spoke(integer_type(32), boolean_type(), "2"), gives(held));
}

TEST(conversion, checks_integers_at_the_borders_of_the_target) {
  struct { int bits; bool is_unsigned; const char *least, *below, *most, *above; } cases[] = {
      {8, false, "-128", "-129", "127", "128"},
      {8, true, "0", "-1", "255", "256"},
      {16, false, "-32768", "-32769", "32767", "32768"},
      {16, true, "0", "-1", "65535", "65536"},
      {24, false, "-8388608", "-8388609", "8388607", "8388608"},
      {24, true, "0", "-1", "16777215", "16777216"},
      {32, false, "-2147483648", "-2147483649", "2147483647", "2147483648"},
      {32, true, "0", "-1", "4294967295", "4294967296"},
  };
  for (const auto& c : cases) {
    const column_type spoke = integer_type(c.bits, c.is_unsigned);
    EXPECT_THAT(to_spoke(integer_type(64), spoke, c.least), gives(c.least));
    EXPECT_THAT(to_spoke(integer_type(64), spoke, c.most), gives(c.most));
    EXPECT_THAT(to_spoke(integer_type(64), spoke, c.below), gives(held)) << c.below;
    EXPECT_THAT(to_spoke(integer_type(64), spoke, c.above), gives(held)) << c.above;
    EXPECT_THAT(to_home(integer_type(64), spoke, c.most), gives(c.most));
  }
  const column_type big = integer_type(64, true);
  EXPECT_THAT(to_home(integer_type(64), big, "9223372036854775807"), gives("9223372036854775807"));
  EXPECT_THAT(to_home(integer_type(64), big, "9223372036854775808"), gives(held));
  EXPECT_THAT(to_spoke(integer_type(64), big, "-1"), gives(held));
  EXPECT_THAT(to_home(integer_type(16), integer_type(24), "40000"), gives(held));
}

TEST(conversion, carries_bigint_unsigned_in_numeric) {
  const column_type home = decimal_type(20, 0), spoke = integer_type(64, true);
  EXPECT_THAT(to_home(home, spoke, "18446744073709551615"), gives("18446744073709551615"));
  EXPECT_THAT(to_spoke(home, spoke, "18446744073709551615"), gives("18446744073709551615"));
  EXPECT_THAT(to_spoke(home, spoke, "18446744073709551616"), gives(held));
  EXPECT_THAT(to_spoke(home, spoke, "-1"), gives(held));
  EXPECT_THAT(to_spoke(home, spoke, "NaN"), gives(held));
  EXPECT_THAT(to_spoke(decimal_type(-1, -1), spoke, "7.00"), gives("7"));
  EXPECT_THAT(to_spoke(decimal_type(-1, -1), spoke, "7.01"), gives(held));
  EXPECT_THAT(to_home(decimal_type(10, 2), integer_type(32), "7"), gives("7.00"));
  EXPECT_THAT(to_home(integer_type(64), decimal_type(20, 2), "12.00"), gives("12"));
  EXPECT_THAT(to_home(integer_type(64), decimal_type(20, 2), "12.50"), gives(held));
  EXPECT_THAT(to_spoke(integer_type(64), decimal_type(5, 2), "-999"), gives("-999.00"));
  EXPECT_THAT(to_spoke(integer_type(64), decimal_type(5, 2), "1000"), gives(held));
}

TEST(conversion, rescales_decimals_exactly_or_holds_them) {
  struct { int precision, scale; const char *in, *out; } cases[] = {
      {10, 2, "12.5", "12.50"},     {10, 2, "12", "12.00"},     {10, 2, "12.50", "12.50"},    {10, 2, "12.5000", "12.50"},
      {10, 2, "12.505", held},      {10, 2, "-0.01", "-0.01"},  {10, 2, "-0.001", held},      {10, 0, "12.000", "12"},
      {10, 0, "0", "0"},            {10, 2, "0", "0.00"},       {10, 2, "99999999.99", "99999999.99"}, {10, 2, "100000000.00", held},
      {2, 2, "0.99", "0.99"},       {2, 2, "1.00", held},       {5, 0, "-99999", "-99999"},   {5, 0, "100000", held},
      {65, 30, "0.000000000000000000000000000001", "0.000000000000000000000000000001"},
      {65, 30, "0.0000000000000000000000000000001", held},
      {65, 0, "99999999999999999999999999999999999999999999999999999999999999999", "99999999999999999999999999999999999999999999999999999999999999999"},
      {10, 2, "NaN", held},         {10, 2, "Infinity", held},  {10, 2, "-Infinity", held},   {10, 2, "1e5", held},
      {10, 2, "", held},            {10, 2, "-", held},         {10, 2, "1.2.3", held},       {10, 3, "000.1", "000.100"},
  };
  for (const auto& c : cases) EXPECT_THAT(to_spoke(decimal_type(-1, -1), decimal_type(c.precision, c.scale), c.in), gives(c.out)) << c.in;
  EXPECT_THAT(to_home(decimal_type(-1, -1), decimal_type(10, 4), "1.5000"), gives("1.5000"));
  EXPECT_THAT(to_home(decimal_type(6, 2), decimal_type(10, 4), "1.5000"), gives("1.50"));
  EXPECT_THAT(to_home(decimal_type(6, 2), decimal_type(10, 4), "12345.0000"), gives(held));
  EXPECT_THAT(to_home(decimal_type(3, 5), decimal_type(10, 5), "0.00999"), gives("0.00999"));
  EXPECT_THAT(to_home(decimal_type(3, 5), decimal_type(10, 5), "0.01000"), gives(held));
  EXPECT_THAT(to_spoke(decimal_type(10, 2), decimal_type(10, 2, true), "-1.00"), gives(held));
  EXPECT_THAT(to_spoke(decimal_type(10, 2), decimal_type(10, 2), "NaN"), gives(held));
}

TEST(conversion, widens_floats_to_the_same_number_and_rounds_doubles) {
  const column_type f = real_type(32), d = real_type(64);
  EXPECT_THAT(to_spoke(f, f, "0.1"), gives("0.1"));
  EXPECT_THAT(to_spoke(d, d, "1e+300"), gives("1e+300"));
  EXPECT_THAT(to_spoke(f, d, "0.1"), gives("0.10000000149011612"));
  EXPECT_THAT(to_home(f, d, "0.10000000149011612"), gives("0.1"));
  EXPECT_THAT(to_home(f, d, "0.1"), gives("0.1"));
  EXPECT_THAT(to_home(f, d, "1e+300"), gives(held));
  EXPECT_THAT(to_spoke(d, f, "0.1"), gives("0.1"));
  EXPECT_THAT(to_home(d, f, "0.1"), gives("0.10000000149011612"));
  for (const char* special : {"NaN", "Infinity", "-Infinity"}) {
    EXPECT_THAT(to_spoke(d, d, special), gives(held));
    EXPECT_THAT(to_spoke(f, d, special), gives(held));
    EXPECT_THAT(to_spoke(d, f, special), gives(held));
  }
  EXPECT_FALSE(pair_types(d, d).guarded);
  EXPECT_EQ(pair_types(d, d).is, grade::exact);
  EXPECT_EQ(pair_types(f, d).is, grade::declared_loss);
  column_type rounded = f;
  rounded.native = "float(7,2)";
  EXPECT_EQ(pair_types(f, rounded).is, grade::declared_loss);
}

TEST(conversion, counts_characters_of_text_not_bytes) {
  const column_type spoke = text_type(3, false, "utf8mb4");
  EXPECT_THAT(to_spoke(text_type(), spoke, "äöü"), gives("äöü"));
  EXPECT_THAT(to_spoke(text_type(), spoke, "😀😀😀"), gives("😀😀😀"));
  EXPECT_THAT(to_spoke(text_type(), spoke, "abcd"), gives(held));
  EXPECT_THAT(to_spoke(text_type(), spoke, ""), gives(""));
  EXPECT_THAT(to_home(text_type(2), text_type(3, false, "utf8mb4"), "äöü"), gives(held));
  EXPECT_THAT(to_home(text_type(2), text_type(3, false, "utf8mb4"), "äö"), gives("äö"));
  EXPECT_EQ(pair_types(text_type(3), text_type(3, false, "utf8mb4")).to_spoke.code, 0);
  EXPECT_EQ(pair_types(text_type(), text_type(-1, false, "utf8mb4", "longtext")).to_spoke.code, 0);
  const column_type tiny = text_type(255, false, "utf8mb4", "tinytext");
  EXPECT_THAT(to_spoke(text_type(), tiny, std::string(255, 'a')), gives(std::string(255, 'a')));
  EXPECT_THAT(to_spoke(text_type(), tiny, std::string(254, 'a') + "ä"), gives(held));
}

TEST(conversion, holds_characters_that_a_side_cannot_keep) {
  EXPECT_THAT(to_home(text_type(), text_type(9, false, "utf8mb4"), "a\0b"s), gives(held));
  EXPECT_THAT(to_home(text_type(), text_type(9, false, "utf8mb4"), ""), gives(""));
  EXPECT_THAT(to_spoke(text_type(), text_type(9, false, "utf8mb3"), "a😀"), gives(held));
  EXPECT_THAT(to_spoke(text_type(), text_type(9, false, "utf8"), "a€"), gives("a€"));
  EXPECT_THAT(to_spoke(text_type(), text_type(9, false, "latin1"), "ä€ÿ"), gives("ä€ÿ"));
  EXPECT_THAT(to_spoke(text_type(), text_type(9, false, "latin1"), "ł"), gives(held));
  EXPECT_THAT(to_spoke(text_type(), text_type(9, false, "ascii"), "ab"), gives("ab"));
  EXPECT_THAT(to_spoke(text_type(), text_type(9, false, "ascii"), "ä"), gives(held));
  EXPECT_THAT(to_spoke(text_type(), text_type(9, false, "ascii"), "\xff"), gives(held));
}

TEST(conversion, trims_the_padding_of_char_and_holds_blanks_that_char_would_lose) {
  const column_type fixed = text_type(5, true), fixed_spoke = text_type(5, true, "utf8mb4"), varying = text_type(5, false, "utf8mb4");
  EXPECT_THAT(to_spoke(fixed, fixed_spoke, "ab   "), gives("ab"));
  EXPECT_THAT(to_spoke(fixed, fixed_spoke, "ab"), gives("ab"));
  EXPECT_THAT(to_home(fixed, fixed_spoke, "ab"), gives("ab"));
  EXPECT_THAT(to_spoke(fixed, varying, "ab   "), gives("ab"));
  EXPECT_THAT(to_home(fixed, varying, "ab"), gives("ab"));
  EXPECT_THAT(to_home(fixed, varying, "ab "), gives(held));
  EXPECT_THAT(to_spoke(text_type(), fixed_spoke, "ab "), gives(held));
  EXPECT_THAT(to_spoke(text_type(), fixed_spoke, " ab"), gives(" ab"));
  EXPECT_THAT(to_spoke(text_type(), varying, "ab "), gives("ab "));
  EXPECT_THAT(to_spoke(fixed, fixed_spoke, "     "), gives(""));
}

TEST(conversion, limits_and_pads_bytes) {
  EXPECT_THAT(to_spoke(bytes_type(), bytes_type(3), "a\0b"s), gives("a\0b"s));
  EXPECT_THAT(to_spoke(bytes_type(), bytes_type(3), "abcd"), gives(held));
  EXPECT_THAT(to_spoke(bytes_type(), bytes_type(4, true), "ab"), gives(held));
  EXPECT_THAT(to_spoke(bytes_type(), bytes_type(4, true), "ab\0\0"s), gives("ab\0\0"s));
  EXPECT_THAT(to_home(bytes_type(), bytes_type(4, true), "ab"), gives("ab\0\0"s));
  EXPECT_THAT(to_home(bytes_type(), bytes_type(4, true), "abcd"), gives("abcd"));
  EXPECT_THAT(to_spoke(bytes_type(), bytes_type(-1, false, "tinyblob"), std::string(256, 'x')), gives(held));
  EXPECT_THAT(to_home(bytes_type(), bytes_type(-1, false, "longblob"), "\xff\0"s), gives("\xff\0"s));
}

TEST(conversion, holds_dates_that_the_other_side_lacks) {
  const column_type d = of_kind(value_kind::date, "date");
  for (const char* good : {"2024-02-29", "0001-01-01", "9999-12-31", "1582-10-10"}) {
    EXPECT_THAT(to_spoke(d, d, good), gives(good));
    EXPECT_THAT(to_home(d, d, good), gives(good));
  }
  for (const char* bad : {"infinity", "-infinity", "0044-03-15 BC", "10000-01-01", "294276-12-31", "", "2024-1-1", "-2024-01-01"}) {
    EXPECT_THAT(to_spoke(d, d, bad), gives(held)) << bad;
  }
  for (const char* bad : {"0000-00-00", "2024-00-10", "2024-10-00", "0000-05-05", "2023-02-29", "1900-02-29", "2024-04-31", "2024-13-01", "", "2024-01-01x"}) {
    EXPECT_THAT(to_home(d, d, bad), gives(held)) << bad;
  }
  EXPECT_THAT(to_home(d, d, "2000-02-29"), gives("2000-02-29"));
}

TEST(conversion, names_why_a_date_is_held) {
  const column_type d = of_kind(value_kind::date, "date");
  EXPECT_THAT(to_home(d, d, "0000-00-00").reason, HasSubstr("zero date"));
  EXPECT_THAT(to_home(d, d, "2024-00-10").reason, HasSubstr("zero month or day"));
  EXPECT_THAT(to_home(d, d, "2023-02-30").reason, HasSubstr("does not exist"));
  EXPECT_THAT(to_spoke(d, d, "infinity").reason, HasSubstr("infinity"));
  EXPECT_THAT(to_spoke(d, d, "0044-03-15 BC").reason, HasSubstr("before Christ"));
  EXPECT_THAT(to_spoke(d, d, "10000-01-01").reason, HasSubstr("9999"));
}

TEST(conversion, keeps_times_within_a_day) {
  const column_type t6 = fraction_type(value_kind::time, 6), t0 = fraction_type(value_kind::time, 0);
  for (const char* good : {"00:00:00", "23:59:59.999999", "24:00:00"}) {
    EXPECT_THAT(to_spoke(t6, t6, good), gives(good));
    EXPECT_THAT(to_home(t6, t6, good), gives(good));
  }
  for (const char* bad : {"-00:00:01", "24:00:01", "24:00:00.5", "838:59:59", "100:00:00", "", "x"}) {
    EXPECT_THAT(to_home(t6, t6, bad), gives(held)) << bad;
  }
  EXPECT_THAT(to_spoke(t6, t0, "23:59:59.999999"), gives("23:59:59"));
  EXPECT_THAT(to_home(t0, t6, "10:00:00.9"), gives("10:00:00"));
  EXPECT_EQ(pair_types(t6, t0).is, grade::declared_loss);
  EXPECT_EQ(pair_types(t6, t6).is, grade::exact);
}

TEST(conversion, cuts_fractions_and_never_rounds) {
  const auto dt = [](int n) { return fraction_type(value_kind::datetime, n); };
  EXPECT_THAT(to_spoke(dt(6), dt(3), "2024-01-01 00:00:00.123999"), gives("2024-01-01 00:00:00.123"));
  EXPECT_THAT(to_spoke(dt(6), dt(3), "2024-01-01 00:00:00.1"), gives("2024-01-01 00:00:00.1"));
  EXPECT_THAT(to_spoke(dt(6), dt(3), "2024-01-01 00:00:00.100999"), gives("2024-01-01 00:00:00.1"));
  EXPECT_THAT(to_spoke(dt(6), dt(3), "2024-01-01 00:00:00.000999"), gives("2024-01-01 00:00:00"));
  EXPECT_THAT(to_spoke(dt(6), dt(0), "9999-12-31 23:59:59.999999"), gives("9999-12-31 23:59:59"));
  EXPECT_THAT(to_home(dt(0), dt(6), "2024-01-01 23:59:59.9"), gives("2024-01-01 23:59:59"));
  EXPECT_THAT(to_spoke(dt(6), dt(6), "2024-01-01 10:20:30.00001"), gives("2024-01-01 10:20:30.00001"));
  EXPECT_FALSE(pair_types(dt(6), dt(3)).guarded);
  EXPECT_TRUE(pair_types(dt(3), dt(3)).guarded);
  EXPECT_THAT(pair_types(dt(6), dt(3)).loss, HasSubstr("3 digits"));
  EXPECT_THAT(to_home(dt(6), dt(6), "0000-00-00 00:00:00"), gives(held));
  EXPECT_THAT(to_spoke(dt(6), dt(6), "infinity"), gives(held));
  EXPECT_THAT(to_spoke(dt(6), dt(6), "0044-03-15 12:00:00 BC"), gives(held));
  EXPECT_THAT(to_spoke(dt(6), dt(6), "2024-01-01"), gives(held));
}

TEST(conversion, keeps_instants_within_the_range_of_timestamp) {
  const column_type home = fraction_type(value_kind::timestamp, 6);
  column_type spoke = fraction_type(value_kind::timestamp, 6);
  for (const char* good : {"1970-01-01 00:00:01", "2038-01-19 03:14:07.999999", "2024-02-29 12:00:00.5"}) {
    EXPECT_THAT(to_spoke(home, spoke, good), gives(good));
    EXPECT_THAT(to_home(home, spoke, good), gives(good));
  }
  for (const char* bad : {"1970-01-01 00:00:00", "1970-01-01 00:00:00.999999", "1969-12-31 23:59:59", "2038-01-19 03:14:08", "0001-01-01 00:00:00", "infinity",
                          "10000-01-01 00:00:00"}) {
    EXPECT_THAT(to_spoke(home, spoke, bad), gives(held)) << bad;
  }
  EXPECT_THAT(to_home(home, spoke, "0000-00-00 00:00:00"), gives(held));
  spoke.is_unsigned = true;
  EXPECT_THAT(to_spoke(home, spoke, "2038-01-19 03:14:08"), gives("2038-01-19 03:14:08"));
  EXPECT_THAT(to_spoke(home, spoke, "2106-02-07 06:28:15"), gives("2106-02-07 06:28:15"));
  EXPECT_THAT(to_spoke(home, spoke, "2106-02-07 06:28:16"), gives(held));
  const column_type local = fraction_type(value_kind::datetime, 6);
  EXPECT_THAT(to_spoke(home, local, "2038-01-19 03:14:08"), gives("2038-01-19 03:14:08"));
  EXPECT_THAT(pair_types(home, local).assumption, HasSubstr("UTC"));
  EXPECT_THAT(pair_types(local, spoke).assumption, HasSubstr("UTC"));
  EXPECT_TRUE(pair_types(home, spoke).assumption.empty());
}

TEST(conversion, knows_the_range_of_year) {
  for (const char* good : {"0", "1901", "2155"}) EXPECT_THAT(to_spoke(integer_type(16), year_type(), good), gives(good));
  for (const char* bad : {"1900", "2156", "-1", "70", "99999999999"}) EXPECT_THAT(to_spoke(integer_type(32), year_type(), bad), gives(held)) << bad;
  EXPECT_THAT(to_home(integer_type(16), year_type(), "2155"), gives("2155"));
}

TEST(conversion, keeps_json_documents_that_both_sides_can_hold) {
  const column_type json = of_kind(value_kind::json, "json"), jsonb = of_kind(value_kind::json, "jsonb");
  const column_type longtext = text_type(-1, false, "utf8mb4", "longtext");
  for (const char* good : {"{}", "[]", "null", " [1, 2.50, -3e10, {\"a\": [true, false, null]}] ", "\"\\ud83d\\ude00 \\u00e4 \\\"\"", "18446744073709551615", "0.1",
                           "1e100", "-9223372036854775808", "{\"a\":1,\"a\":2}", "12345678901234567", "1.50", "\"ä😀\"", "0.10000000149011612"}) {
    EXPECT_THAT(to_spoke(jsonb, json, good), gives(good));
    EXPECT_THAT(to_home(jsonb, json, good), gives(good));
    EXPECT_THAT(to_spoke(json, longtext, good), gives(good));
    EXPECT_THAT(to_home(json, longtext, good), gives(good));
  }
  for (const char* number : {"18446744073709551616", "0.1234567890123456789", "1e400", "[1e-400]", "123456789012345678901234567890.5", "-9223372036854775809"}) {
    EXPECT_THAT(to_spoke(jsonb, json, number), gives(held)) << number;
    EXPECT_THAT(to_spoke(jsonb, longtext, number), gives(number));
    EXPECT_THAT(to_home(jsonb, longtext, number), gives(number));
  }
  for (const char* bad : {"", "{", "}", "[1,]", "{\"a\"}", "{\"a\":}", "{a:1}", "[1 2]", "01", "1.", ".5", "+1", "1e", "tru", "nul", "\"", "\"\\x\"", "\"\\u12g4\"",
                          "\"\\u12", "\"\n\"", "[1]]", "{}{}", "'a'", "{\"a\":1,}", "-", "[,1]", "\"\\", "NaN", "\"\\u-123\""}) {
    EXPECT_THAT(to_home(json, longtext, bad), gives(held)) << bad;
    EXPECT_THAT(to_home(jsonb, longtext, bad), gives(held)) << bad;
  }
  EXPECT_THAT(to_home(jsonb, json, "\"a\\u0000\""), gives(held));
  EXPECT_THAT(to_home(jsonb, json, "\"a\\\\u0000\""), gives("\"a\\\\u0000\""));
  EXPECT_THAT(to_home(json, json, "\"a\\u0000\""), gives("\"a\\u0000\""));
  for (const char* half : {"\"\\ud83d\"", "\"\\ude00\"", "\"\\ud83dx\"", "\"\\ud83d\\ud83d\"", "\"\\ud83d\\n\\ude00\""}) EXPECT_THAT(to_home(jsonb, json, half), gives(held)) << half;
  EXPECT_THAT(to_spoke(json, json, std::string(101, '[') + std::string(101, ']')), gives(held));
  EXPECT_THAT(to_spoke(json, json, std::string(100, '[') + std::string(100, ']')).reason, "");
  EXPECT_THAT(to_home(json, longtext, std::string(1000000, '[')), gives(held));
  EXPECT_FALSE(pair_types(jsonb, json).guarded);
  EXPECT_FALSE(pair_types(json, longtext).guarded);
}

TEST(conversion, carries_uuids_as_text_and_bytes) {
  const column_type uuid = of_kind(value_kind::uuid, "uuid"), text = text_type(36, true, "ascii"), bytes = bytes_type(16, true), varbytes = bytes_type(16);
  const char* u = "00112233-4455-6677-8899-aabbccddeeff";
  const std::string raw = "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff"s;
  EXPECT_THAT(to_spoke(uuid, text, u), gives(u));
  EXPECT_THAT(to_home(uuid, text, u), gives(u));
  EXPECT_THAT(to_spoke(uuid, bytes, u), gives(raw));
  EXPECT_THAT(to_home(uuid, bytes, raw), gives(u));
  EXPECT_THAT(to_home(uuid, bytes, "\x01"s), gives("01000000-0000-0000-0000-000000000000"));
  EXPECT_THAT(to_home(uuid, varbytes, "\x01"s), gives(held));
  EXPECT_THAT(to_spoke(uuid, uuid, u), gives(u));
  EXPECT_THAT(to_spoke(text_type(36), uuid, u), gives(u));
  for (const char* bad : {"", "00112233-4455-6677-8899-aabbccddeef", "00112233-4455-6677-8899-AABBCCDDEEFF", "00112233445566778899aabbccddeeff", "00112233-4455-6677-8899_aabbccddeeff",
                          "0011223g-4455-6677-8899-aabbccddeeff", "00112233-4455-6677-8899-aabbccddeeff0"}) {
    EXPECT_THAT(to_home(uuid, text, bad), gives(held)) << bad;
    EXPECT_THAT(to_spoke(text_type(), uuid, bad), gives(held)) << bad;
  }
  EXPECT_EQ(pair_types(uuid, text_type(32, true)).is, grade::refused);
  EXPECT_EQ(pair_types(uuid, bytes_type(20, true)).is, grade::refused);
  EXPECT_EQ(pair_types(uuid, bytes_type(15)).is, grade::refused);
}

TEST(conversion, holds_labels_that_the_other_side_lacks) {
  const auto e = [](std::vector<std::string> labels) { return labels_type(value_kind::enumeration, std::move(labels)); };
  EXPECT_THAT(to_spoke(e({"a", "b"}), e({"b", "c"}), "b"), gives("b"));
  EXPECT_THAT(to_spoke(e({"a", "b"}), e({"b", "c"}), "a"), gives(held));
  EXPECT_THAT(to_home(e({"a", "b"}), e({"b", "c"}), "c"), gives(held));
  EXPECT_THAT(to_home(e({"a"}), e({"a"}), ""), gives(held));
  EXPECT_THAT(to_home(e({"a", ""}), e({"a", ""}), ""), gives(""));
  EXPECT_THAT(to_spoke(e({"A", "a"}), e({"a"}), "A"), gives(held));
  EXPECT_EQ(pair_types(e({"a"}), e({"b"})).is, grade::refused);
  EXPECT_THAT(to_spoke(text_type(), e({"x y", "z"}), "x y"), gives("x y"));
  EXPECT_THAT(to_spoke(text_type(), e({"x y", "z"}), "X Y"), gives(held));
  EXPECT_THAT(to_spoke(text_type(), e({"x"}), ""), gives(held));
  EXPECT_THAT(to_home(text_type(), e({"x"}), "x"), gives("x"));
  EXPECT_THAT(to_home(text_type(), e({"x"}), ""), gives(held));
  EXPECT_THAT(to_home(text_type(2), e({"x", "long"}), "long"), gives(held));
  EXPECT_THAT(to_spoke(e({"small", "large"}), text_type(5, false, "utf8mb4"), "large"), gives("large"));
  EXPECT_THAT(to_spoke(e({"small", "larger"}), text_type(5, false, "utf8mb4"), "larger"), gives(held));
  EXPECT_THAT(to_home(e({"small"}), text_type(9, false, "utf8mb4"), "tiny"), gives(held));
}

TEST(conversion, refuses_labels_that_the_spokes_catalog_may_not_show_as_they_are) {
  for (const auto kind : {value_kind::enumeration, value_kind::set}) {
    column_type t = labels_type(kind, {"a", "who?"});
    for (const char* charset : {"utf8mb4", "utf16", "utf32"}) {
      t.charset = charset;
      EXPECT_EQ(pair_types(text_type(), t).is, grade::refused) << charset;
      EXPECT_THAT(pair_types(text_type(), t).refusal, HasSubstr("beyond U+FFFF")) << charset;
    }
    for (const char* charset : {"utf8mb3", "latin1"}) {
      t.charset = charset;
      EXPECT_NE(pair_types(text_type(), t).is, grade::refused) << charset;
    }
    t.charset = "utf8mb4";
    t.labels = {"a", "\xe6\xbc\xa2"};
    EXPECT_NE(pair_types(text_type(), t).is, grade::refused);
  }
}

TEST(conversion, orders_set_labels_as_the_set_does) {
  const column_type s = labels_type(value_kind::set, {"a", "b", "c d"});
  EXPECT_THAT(to_spoke(text_type(), s, ""), gives(""));
  EXPECT_THAT(to_spoke(text_type(), s, "a,b"), gives("a,b"));
  EXPECT_THAT(to_spoke(text_type(), s, "c d,a,a"), gives("a,c d"));
  for (const char* bad : {"x", "a,x", "a,", ",a", ",", "a,,b", "A", "a b"}) EXPECT_THAT(to_spoke(text_type(), s, bad), gives(held)) << bad;
  EXPECT_THAT(to_home(text_type(), s, "a,c d"), gives("a,c d"));
  EXPECT_THAT(to_home(text_type(), s, ""), gives(""));
  EXPECT_FALSE(pair_types(text_type(), s).guarded);
}

TEST(conversion, reads_and_writes_array_literals) {
  const column_type array = text_array_type();
  const column_type s = labels_type(value_kind::set, {"a", "c d", "q\"r", "b\\s", "null", "{x}", "ä"});
  const std::pair<const char*, const char*> both_ways[] = {
      {"{}", ""},           {"{a}", "a"},           {"{a,\"c d\"}", "a,c d"}, {"{\"q\\\"r\"}", "q\"r"},
      {"{\"b\\\\s\"}", "b\\s"}, {"{\"null\"}", "null"}, {"{\"{x}\"}", "{x}"},     {"{a,ä}", "a,ä"},
  };
  for (const auto& [literal, labels] : both_ways) {
    EXPECT_THAT(to_spoke(array, s, literal), gives(labels));
    EXPECT_THAT(to_home(array, s, labels), gives(literal));
  }
  EXPECT_THAT(to_spoke(array, s, "{ä,a,a}"), gives("a,ä"));
  for (const char* bad : {"", "{", "}", "a", "{a", "a}", "{NULL}", "{a,NULL}", "{{a}}", "{{a},{a}}", "[0:1]={a,ä}", "{x}", "{a,}", "{,a}", "{\"a}", "{\"a\\}", "{\"a\"b}", "{a b}", "{\"\"}",
                          "{null}x", "{a\"}", "{\\"}) {
    EXPECT_THAT(to_spoke(array, s, bad), gives(held)) << bad;
  }
}

TEST(conversion, converts_sets_of_64_labels) {
  std::vector<std::string> labels;
  std::string all, literal = "{";
  for (int i = 0; i < 64; ++i) {
    labels.push_back("l" + std::to_string(i));
    all += (i ? "," : "") + labels.back();
    literal += (i ? "," : "") + labels.back();
  }
  literal += "}";
  const column_type s = labels_type(value_kind::set, labels), array = text_array_type();
  EXPECT_THAT(to_spoke(array, s, literal), gives(all));
  EXPECT_THAT(to_home(array, s, all), gives(literal));
}

TEST(conversion, passes_bit_strings_of_equal_length_only) {
  EXPECT_THAT(to_spoke(bits_type(3), bits_type(3), "101"), gives("101"));
  EXPECT_EQ(pair_types(bits_type(3), bits_type(4)).is, grade::refused);
}

TEST(type_contract, refuses_pairs_that_are_not_in_the_table) {
  EXPECT_EQ(pair_types(text_type(), integer_type(32)).is, grade::refused);
  EXPECT_EQ(pair_types(decimal_type(5, 2), real_type(64)).is, grade::refused);
  EXPECT_EQ(pair_types(of_kind(value_kind::date, "date"), fraction_type(value_kind::datetime, 0)).is, grade::refused);
  EXPECT_EQ(pair_types(of_kind(value_kind::uuid, "uuid"), integer_type(64)).is, grade::refused);
  const pairing p = pair_types(printed_type("point"), integer_type(32));
  EXPECT_EQ(p.is, grade::refused);
  EXPECT_THAT(p.refusal, HasSubstr("it goes with char, varchar, text"));
}

TEST(type_contract, says_what_to_take_instead_of_a_type_that_is_refused) {
  const auto refusal = [](const char* name, const column_type& spoke) {
    const pairing p = pair_types(named(of_kind(value_kind::other, name), name), spoke);
    EXPECT_EQ(p.is, grade::refused);
    return p.refusal;
  };
  EXPECT_THAT(refusal("money", decimal_type(19, 2)), testing::AllOf(HasSubstr("money"), HasSubstr("numeric(19,2)")));
  EXPECT_THAT(refusal("regclass", text_type()), HasSubstr("bigint or text"));
  EXPECT_THAT(pair_types(printed_type("interval"), fraction_type(value_kind::time, 6)).refusal, HasSubstr("varchar(64)"));
  EXPECT_THAT(pair_types(of_kind(value_kind::array, "float8[]"), named(bytes_type(12, false, "vector(3)"), "vector")).refusal, HasSubstr("real[]"));
  EXPECT_EQ(pair_types(bytes_type(), named(bytes_type(-1, false, "point"), "geometry")).is, grade::exact);
  EXPECT_EQ(pair_types(of_kind(value_kind::uuid, "uuid"), named(bytes_type(16, false, "vector(4)"), "vector")).is, grade::refused);
}

TEST(type_contract, lets_only_such_printed_types_be_keys_whose_equality_is_that_of_their_text) {
  EXPECT_TRUE(pair_types(printed_type("inet"), text_type(43)).may_be_key);
  EXPECT_TRUE(pair_types(printed_type("daterange"), text_type(60)).may_be_key);
  EXPECT_FALSE(pair_types(printed_type("interval"), text_type(64)).may_be_key) << "1 day is 24 hours to PostgreSQL";
  EXPECT_FALSE(pair_types(printed_type("numrange"), text_type(64)).may_be_key) << "[1,2) is [1.0,2)";
  EXPECT_FALSE(pair_types(named(text_type(), "citext"), text_type(64)).may_be_key);
}

TEST(conversion, writes_arrays_as_json_and_reads_them_back) {
  column_type numbers = of_kind(value_kind::array, "integer[]"), texts = of_kind(value_kind::array, "text[]"), reals = of_kind(value_kind::array, "real[]");
  numbers.element = value_kind::integer, texts.element = value_kind::text, reals.element = value_kind::real, reals.bits = 32;
  const column_type json = of_kind(value_kind::json, "json");
  EXPECT_THAT(to_spoke(numbers, json, "{{1,NULL},{-3,4}}"), gives("[[1, null], [-3, 4]]"));
  EXPECT_THAT(to_home(numbers, json, " [ [1,null], [-3,4] ] "), gives("{{1,NULL},{-3,4}}"));
  EXPECT_THAT(to_spoke(numbers, json, "[0:1]={1,2}"), gives(held));
  for (const char* bad : {"[1.5]", "[\"1\"]", "[true]", "{}", "1", "[1", "[{}]", "", "[1e2]", "[-0]", "[[]]", "[[1], []]"}) EXPECT_THAT(to_home(numbers, json, bad), gives(held)) << bad;
  EXPECT_THAT(to_spoke(texts, json, R"({a,"b c",NULL,"null","",q\"x,"\\"})"), gives(held));
  EXPECT_THAT(to_spoke(texts, json, R"({a,"b c",NULL,"null","","{\"x\\"})"), gives(R"(["a", "b c", null, "null", "", "{\"x\\"])"));
  EXPECT_THAT(to_home(texts, json, R"(["a", "b c", null, "null", "", "{\"x\\", "\ud83c\udfb5\n\u00e9"])"), gives("{a,\"b c\",NULL,\"null\",\"\",\"{\\\"x\\\\\",\"\xf0\x9f\x8e\xb5\n\xc3\xa9\"}"));
  EXPECT_THAT(to_home(texts, json, R"(["\u0000"])"), gives(held));
  EXPECT_THAT(to_spoke(reals, json, "{0.1,1e+20,-0,NaN}"), gives("[0.1, 1e+20, -0.0, \"NaN\"]"));
  EXPECT_THAT(to_home(reals, json, "[0.10, 1e20, -0.0, \"NaN\", 100000, 1000000, 0.0001, 0.00001, 12.5]"), gives("{0.1,1e+20,-0,NaN,100000,1e+06,0.0001,1e-05,12.5}"));
  EXPECT_THAT(to_home(reals, json, "[0.12345678901]"), gives(held));
}

TEST(conversion, keeps_hstore_in_a_json_object) {
  const column_type store = printed_type("hstore"), json = of_kind(value_kind::json, "json");
  EXPECT_THAT(to_spoke(store, json, R"("a"=>"1, 2", "b"=>NULL, "=>"=>"N\"\\")"), gives(R"({"a": "1, 2", "b": null, "=>": "N\"\\"})"));
  EXPECT_THAT(to_home(store, json, R"({"bb": null, "c": "x", "a": "\"\\"})"), gives(R"("a"=>"\"\\", "c"=>"x", "bb"=>NULL)"));
  EXPECT_THAT(to_home(store, json, "{}"), gives(""));
  for (const char* bad : {R"({"a": 1})", R"({"a": {}})", "[]", "null", R"({"a": "1", "a": "2"})", R"({"a": true})"}) EXPECT_THAT(to_home(store, json, bad), gives(held)) << bad;
}

TEST(conversion, carries_geometry_by_wkb_and_its_srid) {
  const column_type geometry = named(bytes_type(-1, false, "point"), "geometry");
  const std::string head("\x01\x01\0\0\0", 5), place(16, 'x'), srid("\xe6\x10\0\0", 4), head_with_srid("\x01\x01\0\0\x20", 5);
  EXPECT_THAT(to_spoke(bytes_type(), geometry, head + place), gives(std::string(4, '\0') + head + place));
  EXPECT_THAT(to_spoke(bytes_type(), geometry, head_with_srid + srid + place), gives(srid + head + place));
  EXPECT_THAT(to_home(bytes_type(), geometry, srid + head + place), gives(head_with_srid + srid + place));
  EXPECT_THAT(to_home(bytes_type(), geometry, std::string(4, '\0') + head + place), gives(head + place));
  EXPECT_THAT(to_spoke(bytes_type(), geometry, ""), gives(held));
  EXPECT_THAT(to_spoke(bytes_type(), geometry, head_with_srid + "\x01"), gives(held));
  EXPECT_THAT(to_spoke(bytes_type(), geometry, std::string(9, '\0')), gives(held));
  EXPECT_THAT(to_spoke(bytes_type(), geometry, std::string("\x01\xe9\x03\0\0", 5) + place), gives(held)) << "three dimensions";
  EXPECT_THAT(to_home(bytes_type(), geometry, "short"), gives(held));
}

TEST(conversion, exists_for_each_code) {
  const column_type t = text_type();
  base::arena arena;
  for (std::uint16_t code = 0; code < static_cast<std::uint16_t>(conversion_code::count); ++code) {
    std::string_view out;
    const char* cause = convert({"1", {code, 1, 0}, t, t, arena}, out);
    EXPECT_TRUE(cause || !out.empty()) << code;
  }
}

TEST(type_contract, prints_a_row_for_each_pair) {
  const std::string text = describe_type_contract();
  EXPECT_EQ(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) - std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(text.find("|---")), '\n') - 1,
            type_contract().size());
  EXPECT_THAT(text, HasSubstr("| uuid | binary(16) | exact |"));
  for (const auto& row : type_contract()) EXPECT_EQ(row.decide == nullptr, row.to_spoke.is == grade::refused) << row.home;
}

// DUET_WRITE_DOCUMENTS=1 writes it anew.
TEST(type_contract, is_the_table_of_its_document) {
  const std::string file = std::string(DUET_SOURCE_DIR) + "/src/translate/README.md";
  if (std::getenv("DUET_WRITE_DOCUMENTS")) std::ofstream(file) << describe_type_contract();
  std::ifstream in(file);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), describe_type_contract()) << "DUET_WRITE_DOCUMENTS=1 unit_translate writes " << file;
}

TEST(convert_row, passes_null_and_absent_and_holds_null_for_not_null) {
  table_pair t;
  t.columns.resize(2);
  for (auto& c : t.columns) c.home.name = c.spoke.name = "c";
  t.columns[1].to_spoke = pair_types(integer_type(64), integer_type(8)).to_spoke;
  t.columns[1].spoke.type = integer_type(8);
  base::arena arena;
  std::string reason;
  cell in[2] = {cell::null(), {}}, out[2];
  EXPECT_TRUE(convert_row(t, side::home, in, out, arena, reason));
  EXPECT_TRUE(out[0].is_null());
  EXPECT_TRUE(out[1].absent());
  const cell empty[2] = {cell::of(""), cell::of("5")};
  EXPECT_TRUE(convert_row(t, side::home, empty, out, arena, reason));
  EXPECT_TRUE(out[0].present());
  EXPECT_EQ(out[0].text(), "");
  t.columns[0].spoke.nullable = false;
  EXPECT_FALSE(convert_row(t, side::home, in, out, arena, reason));
  EXPECT_THAT(reason, HasSubstr("NULL"));
  EXPECT_TRUE(convert_row(t, side::spoke, in, out, arena, reason));
}

TEST(convert_row, gives_views_of_the_input_where_nothing_changes) {
  table_pair t;
  t.columns.resize(1);
  t.columns[0].home.type = fraction_type(value_kind::datetime, 6);
  t.columns[0].spoke.type = fraction_type(value_kind::datetime, 3);
  const pairing p = pair_types(t.columns[0].home.type, t.columns[0].spoke.type);
  t.columns[0].to_spoke = p.to_spoke;
  const std::string value = "2024-01-01 00:00:00.123456";
  const cell in = cell::of(value);
  cell out;
  base::arena arena;
  std::string reason;
  ASSERT_TRUE(convert_row(t, side::home, &in, &out, arena, reason));
  EXPECT_EQ(out.data, value.data());
  EXPECT_EQ(out.size, 23u);
}

}  // namespace
}  // namespace duet::translate
