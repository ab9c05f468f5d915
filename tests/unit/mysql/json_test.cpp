#include "mysql/json_decoder.hpp"

#include <gtest/gtest.h>

#include "duet/failure.hpp"

namespace duet::mysql {
namespace {

std::string text(std::string_view binary) {
  std::string out;
  decode_json(binary, out);
  return out;
}
template <std::size_t n>
std::string bytes(const char (&literal)[n]) { return {literal, n - 1}; }

TEST(json_decoder, reads_scalars) {
  EXPECT_EQ(text(""), "null");
  EXPECT_EQ(text(bytes("\x04\x00")), "null");
  EXPECT_EQ(text(bytes("\x04\x01")), "true");
  EXPECT_EQ(text(bytes("\x04\x02")), "false");
  EXPECT_EQ(text(bytes("\x05\xff\xff")), "-1");
  EXPECT_EQ(text(bytes("\x06\xff\xff")), "65535");
  EXPECT_EQ(text(bytes("\x09\xff\xff\xff\xff\xff\xff\xff\xff")), "-1");
  EXPECT_EQ(text(bytes("\x0a\xff\xff\xff\xff\xff\xff\xff\xff")), "18446744073709551615");
  EXPECT_EQ(text(bytes("\x0b\x00\x00\x00\x00\x00\x00\xf0\x3f")), "1.0");
  EXPECT_EQ(text(bytes("\x0c\x03" "a\"b")), "\"a\\\"b\"");
}

TEST(json_decoder, reads_an_object_with_values_in_place) {
  // one element, 14 bytes; key at 11 of 1 byte; an int16 in place
  EXPECT_EQ(text(bytes("\x00\x01\x00\x0c\x00\x0b\x00\x01\x00\x05\x07\x00" "k")), "{\"k\": 7}");
}

TEST(json_decoder, refuses_what_no_server_writes) {
  for (const auto& bad : {bytes("\x0d"), bytes("\x04"), bytes("\x04\x09"), bytes("\x05\x01"), bytes("\x0c\x05" "abc"), bytes("\x0c\xff\xff\xff\xff\xff"),
                          bytes("\x00\x01\x00\xff\xff"), bytes("\x02\xff\xff\x08\x00\x00\x00\x00\x00"), bytes("\x0b\x00\x00\x00\x00\x00\x00\xf0\x7f"),
                          bytes("\x0f\xf6\x02\x42\x00"), bytes("\x0f\xf6\x00")}) {
    try {
      text(bad);
      ADD_FAILURE() << "not refused";
    } catch (const failure& f) {
      EXPECT_EQ(f.kind, failure_kind::damaged_log);
    }
  }
}

TEST(json_decoder, refuses_a_value_that_holds_itself) {
  // an array of two arrays, both of which are at its own place but for the header
  EXPECT_THROW(text(bytes("\x02\x02\x00\x0a\x00\x02\x04\x00\x02\x04\x00")), failure);
  EXPECT_THROW(text(bytes("\x02\x01\x00\x07\x00\x02\x00\x00")), failure);
}

}  // namespace
}  // namespace duet::mysql
