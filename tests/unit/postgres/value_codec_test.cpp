#include "postgres/value_codec.hpp"

#include <gtest/gtest.h>

#include "unit/postgres/source_fixtures.hpp"

namespace duet::postgres {
namespace {

column_type type_of(value_kind kind, int bits = 0, bool fixed = false) {
  column_type t;
  t.kind = kind;
  t.bits = bits;
  t.fixed = fixed;
  return t;
}

// Both ways of decoding must agree.
std::string decoded(const column_type& type, std::string_view text) {
  std::string out = "what was there before";
  decode_text(type, text, out);

  tests::kept_blocks blocks;
  block_writer writer(blocks);
  writer.begin({8}, 0, 1);
  writer.start_change(operation::insert, 0, 2, false, true);
  decode_text(text_form_of(type), text, writer, block_writer::after, 1);
  writer.set(block_writer::after, 0, "next");
  writer.finish_change();
  auto* change = static_cast<const change_record*>(blocks.all()[0].next(blocks.all()[0].first()));
  EXPECT_EQ(change->after(1).text(), out);
  EXPECT_EQ(change->after(0).text(), "next");
  return out;
}

void expect_damaged(const column_type& type, std::string_view text) {
  std::string out;
  try {
    decode_text(type, text, out);
    ADD_FAILURE() << "accepted: " << text;
  } catch (const failure& f) {
    EXPECT_EQ(f.kind, failure_kind::damaged_log);
    if (text.size() > 3) {
      EXPECT_EQ(std::string(f.what()).find(text), std::string::npos) << "a value in an error's text";
    }
  }
}

using enum value_kind;

TEST(value_codec, makes_digits_of_booleans) {
  EXPECT_EQ(decoded(type_of(boolean), "t"), "1");
  EXPECT_EQ(decoded(type_of(boolean), "f"), "0");
  for (const char* text : {"", "true", "1", "T"}) expect_damaged(type_of(boolean), text);
}

TEST(value_codec, makes_raw_bytes_of_hex) {
  EXPECT_EQ(decoded(type_of(bytes), "\\x"), "");
  EXPECT_EQ(decoded(type_of(bytes), "\\x00ff10Ab"), std::string("\0\xff\x10\xab", 4));
  for (const char* text : {"", "\\", "x00", "\\x0", "\\x0g", "\\xg0", "\\000"}) expect_damaged(type_of(bytes), text);
}

TEST(value_codec, prints_reals_in_their_shortest_form) {
  EXPECT_EQ(decoded(type_of(real, 64), "0.1"), "0.1");
  EXPECT_EQ(decoded(type_of(real, 32), "0.1"), "0.1");
  EXPECT_EQ(decoded(type_of(real, 64), "100000"), "1e+05");
  EXPECT_EQ(decoded(type_of(real, 64), "123456"), "123456");
  EXPECT_EQ(decoded(type_of(real, 32), "16777216"), "16777216");
  EXPECT_EQ(decoded(type_of(real, 32), "1e-45"), "1e-45");
  EXPECT_EQ(decoded(type_of(real, 64), "5e-324"), "5e-324");
  EXPECT_EQ(decoded(type_of(real, 64), "1.7976931348623157e+308"), "1.7976931348623157e+308");
  EXPECT_EQ(decoded(type_of(real, 64), "-0"), "-0");
  for (const char* word : {"NaN", "Infinity", "-Infinity"}) EXPECT_EQ(decoded(type_of(real, 64), word), word);
  for (const char* text : {"", "-", "1e999", "0x10", "1,5", "1 ", " 1", "inf", "nan(1)"}) expect_damaged(type_of(real, 64), text);
  expect_damaged(type_of(real, 32), "1e39");
}

TEST(value_codec, cuts_the_zone_off_an_instant) {
  EXPECT_EQ(decoded(type_of(timestamp), "2024-02-29 13:14:15.12+00"), "2024-02-29 13:14:15.12");
  EXPECT_EQ(decoded(type_of(timestamp), "0044-03-15 12:00:00+00 BC"), "0044-03-15 12:00:00 BC");
  EXPECT_EQ(decoded(type_of(timestamp), "infinity"), "infinity");
  EXPECT_EQ(decoded(type_of(timestamp), "-infinity"), "-infinity");
  for (const char* text : {"", "2024-02-29 13:14:15", "2024-02-29 13:14:15+01", "2024-02-29 13:14:15+00:30", " BC"}) expect_damaged(type_of(timestamp), text);
}

TEST(value_codec, cuts_the_padding_of_char_columns_only) {
  EXPECT_EQ(decoded(type_of(text, 0, true), "ab    "), "ab");
  EXPECT_EQ(decoded(type_of(text, 0, true), "a b   "), "a b");
  EXPECT_EQ(decoded(type_of(text, 0, true), "   "), "");
  EXPECT_EQ(decoded(type_of(text), "ab    "), "ab    ");
}

TEST(value_codec, passes_all_other_kinds_as_they_are) {
  for (value_kind kind : {integer, decimal, text, date, time, datetime, json, bits, uuid, enumeration, array}) {
    EXPECT_EQ(text_form_of(type_of(kind)), text_form::as_is);
    EXPECT_EQ(decoded(type_of(kind), "any \\x 'text'"), "any \\x 'text'");
    EXPECT_EQ(decoded(type_of(kind), ""), "");
  }
}

}  // namespace
}  // namespace duet::postgres
