#include "type_list.hpp"

#include <algorithm>

namespace duet::testing {

namespace {

constexpr const char *range = "out of the range", *nan = "NaN and infinity", *is_infinite = "infinity does not exist",
                     *bc = "before Christ", *beyond = "after 9999", *zero_date = "zero date", *zero_part = "zero month or day",
                     *no_day = "a day that does not exist", *year_zero = "in the year 0", *too_long = "longer than",
                     *charset = "character set lacks", *blanks = "ends with blanks", *zero_character = "U+0000",
                     *no_label = "no such label", *no_uuid = "not a UUID", *boolean = "neither 0 nor 1",
                     *day_long = "beyond 24 hours", *negative_time = "a negative time", *inexact = "can't be kept exactly",
                     *too_deep = "nested too deeply", *half_pair = "half a surrogate", *no_json = "not a valid JSON";

const std::vector<refused> bad_days = {
    {"'infinity'", is_infinite}, {"'-infinity'", is_infinite}, {"'0044-03-15 BC'", bc}, {"'10000-01-01'", beyond}};
const std::vector<refused> bad_moments = {{"'infinity'", is_infinite},
                                          {"'-infinity'", is_infinite},
                                          {"'0001-12-31 23:59:59 BC'", bc},
                                          {"'10000-01-01 00:00:00'", beyond}};
const std::vector<refused> zero_days = {{"'0000-00-00'", zero_date},
                                        {"'2024-00-10'", zero_part},
                                        {"'2024-10-00'", zero_part},
                                        {"'2023-02-29'", no_day},
                                        {"'0000-01-01'", year_zero}};
const std::vector<refused> zero_moments = {
    {"'0000-00-00 00:00:00'", zero_date}, {"'2024-00-10 10:00:00'", zero_part}, {"'2023-02-31 10:00:00'", no_day}};
const std::vector<refused> no_instants = {{"'1970-01-01 00:00:00'", range},
                                          {"'1969-12-31 23:59:59'", range},
                                          {"'2038-01-19 03:14:08'", range, "mysql"},
                                          {"'2106-02-07 06:28:16'", range},
                                          {"'infinity'", is_infinite}};
const std::vector<refused> zero_instant = {{"'0000-00-00 00:00:00'", zero_date}};
const std::vector<refused> long_times = {{"'-00:00:01'", negative_time}, {"'24:00:01'", day_long}, {"'838:59:59'", day_long}};
const std::vector<refused> not_finite = {{"'NaN'", nan}, {"'Infinity'", nan}, {"'-Infinity'", nan}};
const std::vector<refused> zero_in_text = {{"CONCAT('a', CHAR(0 USING utf8mb4), 'b')", zero_character}};
const std::vector<refused> other_uuids = {
    {"'6F9619FF-8B86-D011-B42D-00C04FC964FF'", no_uuid}, {"'6f9619ff8b86d011b42d00c04fc964ff'", no_uuid}, {"''", no_uuid}};
const std::vector<refused> refused_uuids = {
    {"'01234567-89ab-cdef-0123-456789abcd00'", "not a value of column u_u", "", false},  // by MariaDB
    {"'01234567-89ab-8def-80ff-456789abcd00'", "not a value of column u_u", "", false}};
const std::vector<refused> no_documents = {
    {"(repeat('[', 101) || repeat(']', 101))::json", too_deep, "mysql"},
    {"'[0.12345678901234567890]'", inexact, "mysql"},
    {"'1e400'", inexact, "mysql"},
    {"(repeat('[', 40) || repeat(']', 40))::json", "violates check constraint", "mariadb", false}};
const std::vector<refused> no_binary_documents = {{R"('{"a": "\u0000"}')", zero_character}};
const std::vector<refused> no_binary_texts = {
    {"'{'", no_json}, {"''", no_json}, {R"('{"a": "\u0000"}')", zero_character}, {R"('["\ud800"]')", half_pair}};
const std::vector<refused> no_json_text = {{"'{'", no_json}, {"''", no_json}};

std::vector<refused> joined(std::vector<refused> a, const std::vector<refused>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

const std::vector<std::string> mood = {"sad", "ok", "it's \xe6\xbc\xa2", "Very Happy"},
                               colours = {"red", "green", "bl\xc3\xa4u", "x y", "it's"};
const std::string mood_enum = "enum('sad', 'ok', 'it''s \xe6\xbc\xa2', 'Very Happy', 'at the spoke')",
                  colour_labels = "('red', 'green', 'bl\xc3\xa4u', 'x y', 'it''s')";

std::vector<type_pair> all_types() {
  using enum written;
  using enum compared;
  constexpr std::int64_t top = 0x7fffffffffffffff;
  // clang-format off
  return {
      // table, column, home, spoke, values, how they are written, what the spoke can't keep, what home can't keep
      {"numbers", "i2", "smallint", "smallint", whole(-32768, 32767)},
      {"numbers", "i4", "integer", "int", whole(-2147483648, 2147483647)},
      {"numbers", "i8", "bigint", "bigint", whole(-top - 1, top)},
      {"numbers", "i1", "smallint", "tinyint", whole(-128, 127), plain, {{"-129", range}, {"128", range}}},
      {"numbers", "i3", "integer", "mediumint", whole(-8388608, 8388607), plain, {{"-8388609", range}, {"8388608", range}}},
      {"numbers", "i24", "smallint", "int", whole(-32768, 32767), plain, {}, {{"-32769", range}, {"32768", range}}},
      {"numbers", "u1", "smallint", "tinyint unsigned", whole(0, 255), plain, {{"-1", range}, {"256", range}}},
      {"numbers", "u2", "integer", "smallint unsigned", whole(0, 65535), plain, {{"-1", range}, {"65536", range}}},
      {"numbers", "u3", "integer", "mediumint unsigned", whole(0, 16777215), plain, {{"-1", range}, {"16777216", range}}},
      {"numbers", "u4", "bigint", "int unsigned", whole(0, 4294967295), plain, {{"-1", range}, {"4294967296", range}}},
      {"numbers", "u8", "bigint", "bigint unsigned", whole(0, top), plain, {{"-1", range}},
       {{"9223372036854775808", range}, {"18446744073709551615", range}}},
      {"numbers", "n8", "numeric(20,0)", "bigint unsigned", natural(0xffffffffffffffff), plain,
       {{"-1", range}, {"18446744073709551616", range}, {"'NaN'", nan}}},
      {"numbers", "n4", "numeric", "int unsigned", natural(0xffffffff), plain,
       {{"0.5", "a fraction"}, {"4294967296", range}, {"-1", range}, {"'Infinity'", nan}}, {}, as_number},
      {"numbers", "d8", "bigint", "decimal(22,2)", whole(-top - 1, top), plain, {},
       {{"0.01", "a fraction"}, {"9223372036854775808", range}}},
      {"numbers", "yes", "boolean", "tinyint(1)", truth(), plain, {}, {{"2", boolean}, {"-1", boolean}}},
      {"numbers", "yes_bit", "boolean", "bit(1)", truth()},
      {"numbers", "y", "smallint", "year", years(), plain, {{"1900", "YEAR"}, {"2156", "YEAR"}, {"-1", "YEAR"}}},
      {"numbers", "d2", "numeric(12,2)", "decimal(12,2)", decimal(12, 2), plain, {{"'NaN'", nan}}},
      {"numbers", "d30", "numeric(65,30)", "decimal(65,30)", decimal(65, 30), plain, {{"'NaN'", nan}}},
      {"numbers", "d0", "numeric(9,0)", "decimal(9,0)", decimal(9, 0)},
      {"numbers", "d_free", "numeric", "decimal(30,6)", decimal(30, 6), plain,
       joined(not_finite, {{"0.0000001", "more fraction digits"}, {"1e24", "more digits"}}), {}, as_number},
      {"numbers", "d_narrow", "numeric(6,2)", "decimal(10,4)", decimal(6, 2), plain, {},
       {{"0.0001", "more fraction digits"}, {"10000", "more digits"}}},
      {"numbers", "d_unsigned", "numeric(10,3)", "decimal(10,3) unsigned", natural(9999999), plain, {{"-0.001", "negative"}}},
      {"numbers", "f4", "real", "float", real(32), quoted, not_finite},
      {"numbers", "f8", "double precision", "double", real(64), quoted, not_finite},
      {"numbers", "f8_zero", "double precision", "double", zeros(), quoted, {}, {}, bytewise, "mysql"},
      {"numbers", "f8_zero", "double precision", "double", zeros(), quoted, {}, {}, as_number, "mariadb"},  // it stores -0 as 0

      {"texts", "c", "char(10)", "char(10)", text(10), quoted, {}, zero_in_text},
      {"texts", "v", "varchar(40)", "varchar(40)", text(40), quoted, {}, zero_in_text},
      {"texts", "t", "text", "text", text(2000), quoted, {{"repeat('x', 65536)", too_long}}, zero_in_text},
      {"texts", "t_long", "text", "longtext", text(20000), quoted, {}, zero_in_text},
      {"texts", "t_medium", "text", "mediumtext", text(300), quoted, {}, zero_in_text},
      {"texts", "t_tiny", "text", "tinytext", text(63), quoted,
       {{"repeat('x', 256)", too_long}, {"repeat('\xc3\xa9', 128)", too_long}}},
      {"texts", "t_bin", "text", "varchar(30) COLLATE utf8mb4_bin", text(30), quoted, {{"repeat('x', 31)", too_long}}},
      {"texts", "t_any_case", "text", "varchar(30) COLLATE utf8mb4_unicode_ci", text(30), quoted,
       {{"repeat('x', 31)", too_long}}},
      {"texts", "v_short", "varchar(5)", "varchar(40)", text(5), quoted, {},
       {{"'123456'", too_long}, {"'\xf0\x9f\x8e\xb5\xf0\x9f\x8e\xb5 \xf0\x9f\x8e\xb5  '", too_long}}},
      {"texts", "t_into_char", "text", "char(10)", text_without_blanks_at_end(10), quoted,
       {{"'ab '", blanks}, {"' '", blanks}, {"'12345678901'", too_long}}},
      {"texts", "char_into_v", "char(10)", "varchar(10)", text_without_blanks_at_end(10), quoted, {}, {{"'ab '", blanks}}},
      {"texts", "v_latin1", "varchar(20)", "varchar(20) CHARACTER SET latin1", text(20, letters::latin1), quoted,
       {{"'\xe6\xbc\xa2'", charset}, {"'\xf0\x9f\x8e\xb5'", charset}}},
      {"texts", "v_ascii", "varchar(20)", "varchar(20) CHARACTER SET ascii", text(20, letters::ascii), quoted,
       {{"'\xc3\xa9'", charset}}},
      {"texts", "v_utf8mb3", "varchar(20)", "varchar(20) CHARACTER SET utf8mb3", text(20, letters::basic_plane), quoted,
       {{"'a\xf0\x9f\x8e\xb5'", charset}}},
      {"texts", "v_utf16", "varchar(20)", "varchar(20) CHARACTER SET utf16", text(20), quoted},

      {"labels", "e_e", "mood", mood_enum, labels(mood), quoted, {{"'at home'", no_label}},
       {{"'at the spoke'", no_label}, {"''", no_label}}},
      {"labels", "e_t", "mood", "varchar(20)", labels(mood), quoted, {},
       {{"'ok '", no_label}, {"'OK'", no_label}, {"''", no_label}}},
      {"labels", "t_e", "text", "enum" + colour_labels, labels(colours), quoted,
       {{"'blue'", no_label}, {"'RED'", no_label}, {"''", no_label}},
       {{"''", "invalid ENUM"}}},
      {"labels", "t_s", "text", "set" + colour_labels, label_sets(colours), quoted,
       {{"'red,blue'", no_label}, {"'red,'", no_label}}},
      {"labels", "a_s", "text[]", "set" + colour_labels, label_sets(colours), set_or_array,
       {{"'{red,blue}'", no_label}, {"'{red,NULL}'", "NULL element"}, {"'{{red},{green}}'", "more than one dimension"},
       {"'[2:3]={red,green}'", "bounds of its own"}}},
      {"labels", "u_c", "uuid", "char(36)", uuids(), quoted, {}, other_uuids},
      {"labels", "u_v", "uuid", "varchar(40)", uuids(), quoted, {}, other_uuids},
      {"labels", "u_b", "uuid", "binary(16)", uuids(), uuid_as_bytes},
      {"labels", "u_u", "uuid", "uuid", standard_uuids(), quoted, refused_uuids, {}, bytewise, "mariadb"},
      {"labels", "t_u", "text", "uuid", standard_uuids(), quoted,
       {{"'6F9619FF-8B86-D011-B42D-00C04FC964FF'", no_uuid}, {"''", no_uuid}}, {}, bytewise, "mariadb"},

      {"bytes", "b8", "bytea", "binary(8)", bytes(8, 8), as_hex,
       {{"'\\x00'", "exactly"}, {"''", "exactly"}, {"'\\x000000000000000000'", "exactly"}}},
      {"bytes", "b_var", "bytea", "varbinary(40)", bytes(0, 40), as_hex, {{"decode(repeat('00', 41), 'hex')", too_long}}},
      {"bytes", "b_tiny", "bytea", "tinyblob", bytes(0, 255), as_hex, {{"decode(repeat('00', 256), 'hex')", too_long}}},
      {"bytes", "b", "bytea", "blob", bytes(0, 65535), as_hex, {{"decode(repeat('00', 65536), 'hex')", too_long}}},
      {"bytes", "b_long", "bytea", "longblob", bytes(0, 100000), as_hex},
      {"bytes", "bit_1", "bit(1)", "bit(1)", bit_string(1), written::bits},
      {"bytes", "bit_7", "bit(7)", "bit(7)", bit_string(7), written::bits},
      {"bytes", "bit_8", "bit(8)", "bit(8)", bit_string(8), written::bits},
      {"bytes", "bit_33", "bit(33)", "bit(33)", bit_string(33), written::bits},
      {"bytes", "bit_63", "bit(63)", "bit(63)", bit_string(63), written::bits},
      {"bytes", "bit_64", "bit(64)", "bit(64)", bit_string(64), written::bits},

      {"times", "d", "date", "date", dates(), quoted, bad_days, zero_days},
      {"times", "t0", "time(0)", "time", times(0), quoted, {}, long_times},
      {"times", "t3", "time(3)", "time(3)", times(3), quoted, {},
       {{"'24:00:00.001'", day_long}, {"'-00:00:00.001'", negative_time}}},
      {"times", "t6", "time", "time(6)", times(6), quoted, {}, long_times},
      {"times", "m0", "timestamp(0)", "datetime", moments(0), quoted, bad_moments, zero_moments},
      {"times", "m1", "timestamp(1)", "datetime(1)", moments(1), quoted},
      {"times", "m2", "timestamp(2)", "datetime(2)", moments(2), quoted},
      {"times", "m3", "timestamp(3)", "datetime(3)", moments(3), quoted, bad_moments, zero_moments},
      {"times", "m4", "timestamp(4)", "datetime(4)", moments(4), quoted},
      {"times", "m5", "timestamp(5)", "datetime(5)", moments(5), quoted},
      {"times", "m6", "timestamp", "datetime(6)", moments(6), quoted, bad_moments, zero_moments},
      {"times", "i0", "timestamptz(0)", "timestamp", instants(0), quoted, no_instants, zero_instant},
      {"times", "i1", "timestamptz(1)", "timestamp(1)", instants(1), quoted},
      {"times", "i2", "timestamptz(2)", "timestamp(2)", instants(2), quoted},
      {"times", "i3", "timestamptz(3)", "timestamp(3)", instants(3), quoted},
      {"times", "i4", "timestamptz(4)", "timestamp(4)", instants(4), quoted},
      {"times", "i5", "timestamptz(5)", "timestamp(5)", instants(5), quoted},
      {"times", "i6", "timestamptz", "timestamp(6)", instants(6), quoted, no_instants, zero_instant},
      {"times", "i_m", "timestamptz", "datetime(6)", moments(6), quoted, bad_moments, zero_moments},
      {"times", "m_i", "timestamp", "timestamp(6)", instants(6), quoted, no_instants, zero_instant},

      {"documents", "j", "json", "json", documents(), quoted, no_documents, {}, as_document, "mysql"},
      {"documents", "j", "json", "json", documents(), quoted, no_documents, {}, bytewise, "mariadb"},
      {"documents", "jb", "jsonb", "json", documents(), quoted, no_documents, no_binary_documents, as_document},
      {"documents", "j_t", "json", "longtext", documents(), quoted, {}, no_json_text},
      {"documents", "jb_t", "jsonb", "longtext", documents(), quoted, {}, no_binary_texts, as_document},
      {"documents", "t_j", "text", "json", documents(), quoted, no_json_text, {}, as_document},
  };
  // clang-format on
}

std::string to_hex(const std::string& bytes) {
  std::string out;
  for (unsigned char b : bytes) (out += "0123456789abcdef"[b >> 4]) += "0123456789abcdef"[b & 15];
  return out;
}

}  // namespace

std::vector<type_pair> type_list(const std::string& spoke_kind) {
  std::vector<type_pair> all = all_types();
  const auto elsewhere = [&](const auto& x) { return !x.only.empty() && x.only != spoke_kind; };
  std::erase_if(all, elsewhere);
  for (type_pair& p : all) std::erase_if(p.not_for_spoke, elsewhere), std::erase_if(p.not_for_home, elsewhere);
  return all;
}

std::string in_quotes(const std::string& text) {
  std::string out = "'";
  for (char c : text) (out += c) += c == '\'' ? "'" : "";
  return out + "'";
}

std::string literal(const type_pair& p, side s, const std::string& value) {
  switch (p.as) {
    case written::plain:
      return value;
    case written::quoted:
      return in_quotes(value);
    case written::bits:
      return "b'" + value + "'";
    case written::as_hex:
      return s == side::home ? "'\\x" + to_hex(value) + "'" : "x'" + to_hex(value) + "'";
    case written::uuid_as_bytes: {
      if (s == side::home) return in_quotes(value);
      std::string digits = value;
      std::erase(digits, '-');
      return "x'" + digits + "'";
    }
    case written::set_or_array:
      return s == side::home && !value.empty() ? "string_to_array(" + in_quotes(value) + ", ',')"
             : s == side::home                 ? "'{}'"
                                               : in_quotes(value);
  }
  return "NULL";
}

std::string sameness(const type_pair& p, side s) {
  const std::string a = "a." + p.column, b = "b." + p.column;
  if (s == side::home) {
    const std::string cast = p.how == compared::as_number     ? "::numeric"
                             : p.how == compared::as_document ? "::jsonb"
                                                              : "::text COLLATE \"C\"";
    return a + cast + " IS NOT DISTINCT FROM " + b + cast;
  }
  return "(" + a + " <=> " + b + " AND CAST(" + a + " AS BINARY) <=> CAST(" + b + " AS BINARY))";
}

}  // namespace duet::testing
