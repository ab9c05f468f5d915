#include "mysql/temporal.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "duet/failure.hpp"
#include "mysql/charset.hpp"

namespace duet::mysql {
namespace {

template <class Decode>
std::string text(std::vector<int> bytes, Decode decode) {
  std::vector<std::uint8_t> b(bytes.begin(), bytes.end());
  char out[temporal_text_max];
  return {out, decode(b.data(), out)};
}

TEST(temporal, reads_dates_with_zeros) {
  EXPECT_EQ(text({0, 0, 0}, decode_date), "0000-00-00");
  EXPECT_EQ(text({0x5d, 0xd0, 0x0f}, decode_date), "2024-02-29");
  EXPECT_THROW(text({0xff, 0xff, 0xff}, decode_date), failure);
}

TEST(temporal, reads_negative_times_with_a_fraction) {
  const auto six = [](const std::uint8_t* p, char* out) { return decode_time2(p, 6, out); };
  EXPECT_EQ(text({0x80, 0, 0, 0, 0, 0}, six), "00:00:00");
  EXPECT_EQ(text({0x7f, 0xff, 0xff, 0xff, 0xff, 0xff}, six), "-00:00:00.000001");
  EXPECT_EQ(text({0x80, 0, 1, 0, 0, 1}, six), "00:00:01.000001");
  EXPECT_THROW(text({0x80, 0, 63, 0, 0, 0}, six), failure);
  EXPECT_THROW(text({0x80, 0, 1, 0xff, 0xff, 0xff}, six), failure);
}

TEST(temporal, reads_instants_beyond_2038) {
  const auto none = [](const std::uint8_t* p, char* out) { return decode_timestamp2(p, 0, out); };
  EXPECT_EQ(text({0, 0, 0, 0}, none), "0000-00-00 00:00:00");
  EXPECT_EQ(text({0, 0, 0, 1}, none), "1970-01-01 00:00:01");
  EXPECT_EQ(text({0xff, 0xff, 0xff, 0xff}, none), "2106-02-07 06:28:15");
}

TEST(temporal, reads_the_old_forms) {
  EXPECT_EQ(text({0xaf, 0xc1, 0x01}, decode_time_old), "11:51:19");
  EXPECT_EQ(text({0xff, 0xff, 0xff}, decode_time_old), "-00:00:01");
  EXPECT_EQ(text({0x01, 0, 0, 0}, decode_timestamp_old), "1970-01-01 00:00:01");
  EXPECT_THROW(text({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, decode_datetime_old), failure);
}

TEST(temporal, refuses_impossible_fractions) {
  EXPECT_THROW(fraction_size(7), failure);
  EXPECT_THROW(fraction_size(-1), failure);
  EXPECT_THROW(maria_time_size(7), failure);
}

TEST(charset, turns_latin1_into_utf8_as_mysql_does) {
  const auto latin1 = charset_converter::make("latin1");
  EXPECT_EQ(latin1->to_utf8("abc"), "abc");
  EXPECT_EQ(latin1->to_utf8("\xe4\x80\x9f\x81"), "\u00e4\u20ac\u0178\u0081");
  EXPECT_EQ(latin1->to_utf8(""), "");
}

TEST(charset, leaves_utf8_alone_and_knows_what_it_cannot_do) {
  EXPECT_EQ(charset_converter::make("utf8mb4"), nullptr);
  EXPECT_EQ(charset_converter::make("utf8mb3"), nullptr);
  EXPECT_EQ(charset_converter::make("ascii"), nullptr);
  EXPECT_THROW(charset_converter::make("dec8"), failure);
}

TEST(charset, refuses_bytes_that_are_no_characters) {
  const auto utf16 = charset_converter::make("utf16");
  EXPECT_EQ(utf16->to_utf8(std::string_view("\x03\xa9", 2)), "\u03a9");
  EXPECT_THROW(utf16->to_utf8(std::string_view("\xd8\x00\x00\x41", 4)), failure);
  EXPECT_EQ(utf16->to_utf8(std::string_view("\x00" "A", 2)), "A");
}

}  // namespace
}  // namespace duet::mysql
