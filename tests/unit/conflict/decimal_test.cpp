#include "conflict/decimal.hpp"

#include <gtest/gtest.h>

#include <random>

namespace duet::conflict {
namespace {

TEST(decimal, knows_what_is_one) {
  for (const char* good : {"0", "-1", "12.50", "-0.00", "99999999999999999999999999.1"}) EXPECT_TRUE(is_decimal(good)) << good;
  for (const char* bad : {"", "-", ".5", "1.", "NaN", "Infinity", "1e3", "+1", "1 ", "--1", "1.2.3"}) EXPECT_FALSE(is_decimal(bad)) << bad;
}

TEST(decimal, subtracts_and_adds_exactly_at_any_length) {
  EXPECT_EQ(difference("10", "3"), "7");
  EXPECT_EQ(difference("3", "10"), "-7");
  EXPECT_EQ(difference("-3", "-3"), "0");
  EXPECT_EQ(difference("1.10", "0.2"), "0.90");
  EXPECT_EQ(difference("0.05", "0.10"), "-0.05");
  EXPECT_EQ(difference("99999999999999999999", "-1"), "100000000000000000000");
  EXPECT_EQ(difference("0", "0.00"), "0.00");
  EXPECT_EQ(sum("-2", "5.5"), "3.5");
  EXPECT_EQ(sum("100", "-100"), "0");
}

TEST(decimal, agrees_with_machine_numbers) {
  std::mt19937_64 random(99);
  for (int i = 0; i < 20000; ++i) {
    const auto a = static_cast<std::int64_t>(random() % 2'000'001) - 1'000'000, b = static_cast<std::int64_t>(random() % 2'001) - 1'000;
    ASSERT_EQ(difference(std::to_string(a), std::to_string(b)), std::to_string(a - b));
    ASSERT_EQ(sum(std::to_string(a), std::to_string(b)), std::to_string(a + b));
    ASSERT_EQ(compare_decimals(std::to_string(a), std::to_string(b)), a < b ? -1 : a > b);
  }
}

}  // namespace
}  // namespace duet::conflict
