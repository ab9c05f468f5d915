#include "mysql/decimal.hpp"

#include <gtest/gtest.h>

#include <string>

#include "duet/failure.hpp"

namespace duet::mysql {
namespace {

std::string text(std::initializer_list<int> bytes, int precision, int scale) {
  std::uint8_t packed[40] = {};
  std::size_t n = 0;
  for (int b : bytes) packed[n++] = static_cast<std::uint8_t>(b);
  EXPECT_EQ(n, packed_decimal_size(precision, scale));
  char out[decimal_text_max];
  return {out, decode_decimal(packed, precision, scale, out)};
}

TEST(decimal, reads_the_example_of_the_documentation) {
  EXPECT_EQ(text({0x81, 0x0d, 0xfb, 0x38, 0xd2, 0x04, 0xd2}, 14, 4), "1234567890.1234");
  EXPECT_EQ(text({0x7e, 0xf2, 0x04, 0xc7, 0x2d, 0xfb, 0x2d}, 14, 4), "-1234567890.1234");
}

TEST(decimal, has_no_negative_zero_and_keeps_the_fraction) {
  EXPECT_EQ(text({0x80, 0x00}, 3, 1), "0.0");
  EXPECT_EQ(text({0x7f, 0xff}, 3, 1), "0.0");
  EXPECT_EQ(text({0x80}, 2, 2), "0.00");
  EXPECT_EQ(text({0x85}, 1, 0), "5");
}

TEST(decimal, refuses_digits_out_of_range_and_impossible_types) {
  EXPECT_THROW(text({0x80 | 100}, 2, 0), failure);
  EXPECT_THROW(text({0xff, 0xff, 0xff, 0xff}, 9, 0), failure);
  for (const auto& [precision, scale] : {std::pair{0, 0}, {66, 0}, {10, 11}, {65, 31}, {5, -1}}) EXPECT_THROW(packed_decimal_size(precision, scale), failure);
}

}  // namespace
}  // namespace duet::mysql
