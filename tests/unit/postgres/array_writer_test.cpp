#include "postgres/array_writer.hpp"

#include <gtest/gtest.h>

#include "duet/failure.hpp"

namespace duet::postgres {
namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (int v : values) out += static_cast<char>(v);
  return out;
}

std::string header(int has_null, std::uint8_t oid_high, std::uint8_t oid_low, int count) {
  return bytes({0, 0, 0, 1, 0, 0, 0, has_null, 0, 0, oid_high, oid_low, 0, 0, 0, count, 0, 0, 0, 1});
}

std::string failing_state(element e, std::string_view value) {
  array_writer w;
  w.start(e);
  try {
    w.add(cell::of(value));
  } catch (const failure& f) {
    EXPECT_EQ(f.kind, failure_kind::row_refused);
    EXPECT_EQ(std::string(f.what()).find(value.empty() ? "\"" : value), std::string::npos) << "the value is in the text";
    return f.server_code;
  }
  return "accepted";
}

TEST(array_writer, writes_integers_of_each_width_in_network_order) {
  array_writer w;
  w.start(element::int2);
  w.add(cell::of("-2"));
  w.add(cell::of("258"));
  EXPECT_EQ(w.finish(), header(0, 0, 21, 2) + bytes({0, 0, 0, 2, 0xff, 0xfe, 0, 0, 0, 2, 1, 2}));
  w.start(element::int4);
  w.add(cell::of("-2147483648"));
  EXPECT_EQ(w.finish(), header(0, 0, 23, 1) + bytes({0, 0, 0, 4, 0x80, 0, 0, 0}));
  w.start(element::int8);
  w.add(cell::of("9223372036854775807"));
  EXPECT_EQ(w.finish(), header(0, 0, 20, 1) + bytes({0, 0, 0, 8, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}));
}

TEST(array_writer, tells_null_from_empty) {
  array_writer w;
  w.start(element::text);
  w.add(cell::null());
  w.add(cell::of(""));
  w.add(cell::of("a,\"{}\\"));
  EXPECT_EQ(w.finish(), header(1, 0, 25, 3) + bytes({255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 6}) + "a,\"{}\\");
}

TEST(array_writer, writes_booleans_bytes_and_uuids_in_their_binary_forms) {
  array_writer w;
  w.start(element::boolean);
  w.add(cell::of("0"));
  w.add(cell::of("1"));
  EXPECT_EQ(w.finish(), header(0, 0, 16, 2) + bytes({0, 0, 0, 1, 0, 0, 0, 0, 1, 1}));
  w.start(element::bytes);
  w.add(cell::of(std::string_view("\0\xff", 2)));
  EXPECT_EQ(w.finish(), header(0, 0, 17, 1) + bytes({0, 0, 0, 2, 0, 255}));
  w.start(element::uuid);
  w.add(cell::of("00112233-4455-6677-8899-aabbccddeeff"));
  EXPECT_EQ(w.finish(), header(0, 2950 >> 8, 2950 & 255, 1) + bytes({0, 0, 0, 16}) +
                            bytes({0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}));
}

TEST(array_writer, has_no_dimension_when_empty_and_forgets_what_was_before) {
  array_writer w;
  w.start(element::int4);
  w.add(cell::null());
  w.finish();
  w.start(element::int8);
  EXPECT_EQ(w.finish(), bytes({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20}));
}

TEST(array_writer, refuses_what_is_no_value_of_the_type) {
  EXPECT_EQ(failing_state(element::int2, "32768"), "22003");
  EXPECT_EQ(failing_state(element::int4, "-2147483649"), "22003");
  EXPECT_EQ(failing_state(element::int8, "18446744073709551615"), "22003");
  for (const char* value : {"", "12x", "1.5", "+1", " 1"}) EXPECT_EQ(failing_state(element::int8, value), "22P02") << value;
  for (const char* value : {"", "2", "true", "10"}) EXPECT_EQ(failing_state(element::boolean, value), "22P02") << value;
  for (const char* value : {"", "00112233-4455-6677-8899-aabbccddeef", "00112233-4455-6677-8899-aabbccddeeff0",
                            "00112233-4455-6677-8899-aabbccddeegg", "0011223344556677-8899-aabbccddeeff--",
                            "00112233445566778899aabbccddeeff", "------------------------------------"})
    EXPECT_EQ(failing_state(element::uuid, value), "22P02") << value;
}

TEST(array_writer, does_not_write_a_value_that_the_log_did_not_carry) {
  array_writer w;
  w.start(element::text);
  try {
    w.add(cell{});
    FAIL();
  } catch (const failure& f) {
    EXPECT_EQ(f.kind, failure_kind::internal);
  }
}

TEST(array_writer, chooses_a_binary_form_only_where_it_is_exact) {
  column_type type;
  type.kind = value_kind::integer;
  type.bits = 16;
  EXPECT_EQ(element_of(type), element::int2);
  type.bits = 64;
  EXPECT_EQ(element_of(type), element::int8);
  for (auto kind : {value_kind::decimal, value_kind::real, value_kind::text, value_kind::timestamp, value_kind::json,
                    value_kind::bits, value_kind::enumeration, value_kind::array}) {
    type.kind = kind;
    EXPECT_EQ(element_of(type), element::text);
  }
}

}  // namespace
}  // namespace duet::postgres
