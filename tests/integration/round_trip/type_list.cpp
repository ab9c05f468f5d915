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
                     *too_deep = "nested too deeply", *spelling = "not written as PostgreSQL itself writes", *bounds = "bounds of its own",
                     *no_host = "no single address", *no_vector = "a vector can't keep", *no_wkb = "it is not WKB", *half_pair = "half a surrogate", *no_json = "not a valid JSON";

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
const std::vector<refused> other_ranges = {{"'[1,9]'", spelling}, {"'[3,3)'", spelling}};
const std::vector<refused> other_numbers = {{"'[1.5]'", "a whole number"}, {"'[\"1\"]'", "a whole number"}, {"'[true]'", "a whole number"}, {"'{\"a\": 1}'", "not an array"}};
const std::vector<refused> no_json_text = {{"'{'", no_json}, {"''", no_json}};

std::vector<refused> joined(std::vector<refused> a, const std::vector<refused>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

values positive_numbers(std::int64_t high) {
  return {{"1", std::to_string(high)}, [high](dice& d) { return std::to_string(d.between(1, high)); }};
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
      {"numbers", "d_1000", "numeric(1000,40)", "decimal(65,30)", decimal(65, 30), plain, {{"1e35", "more digits"}, {"1e-31", "more fraction digits"}}, {}, as_number},
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

      {"addresses", "a_i", "inet", "varchar(43)", inets(), quoted, {},
       {{"'10.0.0.1/32'", spelling}, {"'2001:DB8::1'", spelling}, {"'300.1.1.1'", "invalid input syntax for type inet", "", false}}},
      {"addresses", "a_t", "inet", "text", inets(), quoted},
      {"addresses", "a_c", "cidr", "varchar(43) CHARACTER SET ascii", cidrs(), quoted, {}, {{"'10.0.0.1'", spelling}}},
      {"addresses", "a_m", "macaddr", "char(17)", hardware_addresses(6), quoted, {}, {{"'08-00-2b-01-02-03'", spelling}, {"'08:00:2B:01:02:03'", spelling}}},
      {"addresses", "a_m8", "macaddr8", "varchar(30)", hardware_addresses(8), quoted},
      {"addresses", "a_4", "inet", "inet4", hosts4(), quoted, {{"'::1'", no_host}, {"'10.0.0.0/8'", no_host}}, {}, bytewise, "mariadb"},
      {"addresses", "a_6", "inet", "inet6", hosts6(), quoted, {{"'10.0.0.1'", no_host}, {"'::/0'", no_host}}, {}, bytewise, "mariadb"},
      {"addresses", "a_t4", "text", "inet4", hosts4(), quoted, {{"'10.0.0.01'", no_host}, {"''", no_host}}, {}, bytewise, "mariadb"},
      {"addresses", "a_t6", "varchar(45)", "inet6", hosts6(), quoted, {{"'0::1'", "another spelling"}, {"'x'", no_host}}, {}, bytewise, "mariadb"},
      {"addresses", "a_lsn", "pg_lsn", "varchar(20)", log_places(), quoted, {}, {{"'0/a'", spelling}}},
      {"addresses", "a_name", "name", "varchar(63)", text(15), quoted},

      {"prints", "p_iv", "interval", "varchar(64)", intervals(), quoted, {}, {{"'1 day'", spelling}, {"'P1DT0S'", spelling}, {"'P1W'", spelling}}},
      {"prints", "p_iv3", "interval(3)", "varchar(64)", {{"PT0.123S", "P1Y"}, [](dice& d) { return "PT" + std::to_string(d.between(1, 59)) + ".5S"; }}, quoted, {},
       {{"'PT0.1234S'", spelling}}},
      {"prints", "p_tz", "time with time zone", "varchar(30)", zoned_times(), quoted, {}, {{"'04:05:06Z'", spelling}, {"'4:05:06+00'", spelling}}},
      {"prints", "p_x", "xml", "longtext", xmls(), quoted, {},
       {{"'<?xml version=\"1.0\" encoding=\"UTF-8\"?><a/>'", spelling}, {"'<a>'", "invalid XML content", "", false}}},
      {"prints", "p_vb", "bit varying(70)", "varchar(100)", bit_strings(70), quoted, {}, {{"'xff'", spelling}, {"repeat('1', 71)", spelling}}},
      {"prints", "p_b100", "bit(100)", "text", bit_string(100), quoted, {}, {{"'1'", "digits 0 and 1"}, {"repeat('2', 100)", "digits 0 and 1"}}},
      {"prints", "p_ts", "tsvector", "longtext", lexemes(), quoted, {}, {{"'b a'", spelling}, {"'a'", spelling}}},
      {"prints", "p_co", "pair_of", "longtext", composites(), quoted, {}, {{"'( 1,x)'", spelling}, {"'(1,\"x\")'", spelling}}},
      {"prints", "p_hs", "hstore", "longtext", stores(false), each_quoted, {}, {{"'a=>1'", spelling}, {"'\"b\"=>\"1\", \"a\"=>\"1\"'", spelling}}},
      {"prints", "p_hj", "hstore", "json", stores(true), each_quoted, {}, {{"'{\"a\": 1}'", "strings and nulls"}, {"'[]'", "strings and nulls"}, {"'{\"a\": {}}'", "strings and nulls"}}},
      {"prints", "p_lt", "ltree", "varchar(100)", label_paths(), quoted},
      {"prints", "p_ci", "citext", "varchar(40)", text(40), quoted, {}, zero_in_text},
      {"prints", "p_cb", "citext", "varchar(40) COLLATE utf8mb4_bin", text(40), quoted, {{"repeat('x', 41)", too_long}}},
      {"prints", "p_do", "positive", "int", positive_numbers(2147483647), plain, {}, {{"0", "check constraint", "", false}}},
      {"prints", "p_do2", "small_positive", "int", positive_numbers(99), plain, {}, {{"100", "check constraint", "", false}, {"-1", "check constraint", "", false}}},
      {"prints", "p_dt", "short_text", "varchar(20)", text(10), quoted, {}, {{"'12345678901'", too_long}}},
      {"prints", "p_da", "numbers_of", "json", arrays(whole(-9, 9), element_form::plain), each_quoted},

      {"spans", "r_4", "int4range", "varchar(60)", ranges("int"), quoted, {}, other_ranges},
      {"spans", "r_8", "int8range", "text", ranges("int"), quoted},
      {"spans", "r_n", "numrange", "text", ranges("num"), quoted, {}, {{"'[1, 9]'", spelling}, {"'[9,1]'", "range lower bound", "", false}}},
      {"spans", "r_d", "daterange", "text", ranges("date"), quoted, {}, {{"'[2024-01-01,2024-01-02]'", spelling}}},
      {"spans", "r_ts", "tsrange", "text", ranges("ts"), quoted, {}, {{"'[2024-01-01,2024-01-02]'", spelling}}},
      {"spans", "r_tz", "tstzrange", "text", ranges("tstz"), quoted},
      {"spans", "r_own", "float_range", "text", ranges("int"), quoted},
      {"spans", "r_m4", "int4multirange", "text", multiranges("int"), quoted, {}, {{"'{[1,5),[3,9)}'", spelling}}},
      {"spans", "r_mn", "nummultirange", "text", multiranges("num"), quoted},
      {"spans", "r_md", "datemultirange", "text", multiranges("date"), quoted},
      {"spans", "g_p", "point", "varchar(100)", points(), quoted, {}, {{"'1,2'", spelling}, {"'(1.0,2)'", spelling}}},
      {"spans", "g_b", "box", "text", boxes(), quoted, {}, {{"'(0,0),(1,1)'", spelling}}},
      {"spans", "g_pa", "path", "text", paths(false), quoted},
      {"spans", "g_po", "polygon", "text", paths(true), quoted},
      {"spans", "g_c", "circle", "text", circles(), quoted},
      {"spans", "g_l", "line", "text", lines(), quoted},
      {"spans", "g_s", "lseg", "text", {{"[(0,0),(1,1)]"}, [](dice& d) { return "[(" + std::to_string(d.below(9)) + ",0),(1,1)]"; }}, quoted},

      {"lists", "l_4", "integer[]", "json", arrays(whole(-2147483648, 2147483647), element_form::plain), each_quoted, {{"'[0:1]={1,2}'", bounds}},
       joined(other_numbers, {{"'[2147483648]'", "out of range", "", false}, {"'[[1], [2, 3]]'", "malformed array literal", "", false}})},
      {"lists", "l_8", "bigint[]", "json", arrays(whole(-top - 1, top), element_form::plain), each_quoted},
      {"lists", "l_8t", "bigint[]", "longtext", arrays(whole(-top - 1, top), element_form::plain), each_quoted, {}, {{"'{1,2}'", no_json}}},
      {"lists", "l_b", "boolean[]", "json", arrays(truth(), element_form::truth), each_quoted, {}, {{"'[1]'", "true or false"}}},
      {"lists", "l_t", "text[]", "json", arrays(text(20), element_form::quoted), each_quoted, {{"'[0:0]={a}'", bounds}},
       {{"'[1]'", "elements are texts"}, {R"('["a\u0000"]')", zero_character}, {"'[{}]'", "an object"}}},
      {"lists", "l_v", "varchar(5)[]", "json", arrays(text(5), element_form::quoted), each_quoted, {}, {{"'[\"123456\"]'", spelling}}},
      {"lists", "l_n", "numeric(10,2)[]", "json", arrays({{"0.00", "-99999999.99", "0.01"}, [](dice& d) { return std::to_string(d.between(1, 99999999)) + ".50"; }}, element_form::quoted), each_quoted, {}, {{"'[\"1\"]'", spelling}, {"'[1.00]'", "elements are texts"}}},
      {"lists", "l_f", "double precision[]", "json",
       arrays({{"0.1", "1e+20", "-1.5", "100000", "1e-07"}, [](dice& d) { return std::to_string(d.between(-99999, 99999)) + ".5"; }}, element_form::plain), each_quoted, {{"'[2:2]={1}'", bounds}},
       {{"'[\"1\"]'", "a number"}}, as_document},
      {"lists", "l_r", "real[]", "json", arrays({{"0.1", "-1.5", "100000"}, [](dice& d) { return std::to_string(d.between(-9999, 9999)) + ".5"; }}, element_form::plain), each_quoted, {},
       {{"'[0.12345678901234]'", "exactly"}}, as_document},
      {"lists", "l_u", "uuid[]", "json", arrays(uuids(), element_form::quoted), each_quoted},
      {"lists", "l_d", "date[]", "json", arrays(dates(), element_form::quoted), each_quoted},
      {"lists", "l_e", "mood[]", "json", arrays(labels(mood), element_form::quoted), each_quoted, {}, {{"'[\"blue\"]'", "invalid input value for enum", "", false}}},
      {"lists", "l_c", "pair_of[]", "json", arrays(composites(), element_form::quoted), each_quoted},
      {"lists", "l_ip", "inet[]", "json", arrays(inets(), element_form::quoted), each_quoted},

      {"places", "s_g", "bytea", "geometry", geometries(), each_plain,
       {{"'\\x00'", no_wkb}, {"'\\x00000000013ff00000000000003ff0000000000000'", "highest byte first"}, {"'\\x01e9030000'", "two dimensions"}, {"'\\x0101000000'", "no geometry", "", false}}, {},
       as_bytes},
      {"places", "s_v", "real[]", "vector(3)", vectors(false), each_plain, {{"'{NaN}'", no_vector}, {"'{1,2,3,4}'", "more elements"}, {"'{}'", "whole number of floats"}}, {}, as_bytes, "mysql"},
      {"places", "s_vb", "bytea", "vector(3)", vectors(true), each_plain, {{"'\\x00'", "whole number of floats"}}, {}, as_bytes, "mysql"},
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
    case written::each_quoted:
    case written::each_plain: {
      const std::size_t cut = value.find(either);
      const std::string own = s == side::home ? value.substr(0, cut) : value.substr(cut + 1);
      return p.as == written::each_quoted ? in_quotes(own) : own;
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
                             : p.how == compared::as_document && p.home.find("[]") == std::string::npos ? "::jsonb"
                                                              : "::text COLLATE \"C\"";
    return a + cast + " IS NOT DISTINCT FROM " + b + cast;
  }
  if (p.how == compared::as_bytes) return "(HEX(" + a + ") <=> HEX(" + b + "))";
  return "(" + a + " <=> " + b + " AND CAST(" + a + " AS BINARY) <=> CAST(" + b + " AS BINARY))";
}

}  // namespace duet::testing
