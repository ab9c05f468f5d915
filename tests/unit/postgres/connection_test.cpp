#include "postgres/connection.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace duet::postgres {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(sqlstate, tells_what_can_be_tried_again_from_what_can_not) {
  using enum failure_kind;
  EXPECT_EQ(kind_of(""), connection_lost);
  for (const char* state : {"08006", "57P01", "57P02", "57P03", "25P03", "53300", "58030"}) EXPECT_EQ(kind_of(state), connection_lost) << state;
  for (const char* state : {"40001", "40P01", "55P03", "57014"}) EXPECT_EQ(kind_of(state), deadlock) << state;
  for (const char* state : {"23505", "23503", "23502", "23514", "22001", "22003", "22P02", "22021", "42804", "P0001", "428C9", "54000"})
    EXPECT_EQ(kind_of(state), row_refused) << state;
  for (const char* state : {"42501", "25006", "28P01", "55000"}) EXPECT_EQ(kind_of(state), configuration) << state;
  for (const char* state : {"42P01", "42703", "3F000", "0A000"}) EXPECT_EQ(kind_of(state), schema_changed) << state;
  EXPECT_EQ(kind_of("55006"), already_running);
  for (const char* state : {"XX000", "XX001", "25P02", "99999"}) EXPECT_EQ(kind_of(state), internal) << state;
}

TEST(names, are_quoted_so_that_nothing_in_them_ends_the_quotes) {
  EXPECT_EQ(quote_identifier("customer"), "\"customer\"");
  EXPECT_EQ(quote_identifier("a\"; DROP TABLE b; --"), "\"a\"\"; DROP TABLE b; --\"");
  EXPECT_EQ(quote_literal("it's"), "'it''s'");
  EXPECT_EQ(quote_literal("a\\'b"), "E'a\\\\''b'");
  EXPECT_EQ(qualified_name("My Shop", "t"), "\"My Shop\".\"t\"");
}

TEST(lsn, reads_what_it_prints) {
  for (std::uint64_t lsn : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{0x16b374d848}, ~std::uint64_t{0}})
    EXPECT_EQ(parse_lsn(format_lsn(lsn)), lsn);
  EXPECT_EQ(format_lsn(std::uint64_t{0x16b374d848}), "16/B374D848");
  EXPECT_EQ(parse_lsn("FFFFFFFF/FFFFFFFF"), ~std::uint64_t{0});
}

TEST(lsn, refuses_what_is_none) {
  for (const char* text : {"", "/", "16", "16/", "/B3", "16/B374D848X", "x/1", "100000000/0", "0/100000000", "-1/0"})
    EXPECT_THROW(parse_lsn(text), failure) << text;
}

TEST(connecting, fails_without_the_password_in_the_text) {
  endpoint nowhere;
  nowhere.host = "/nonexistent-folder";
  nowhere.user = "duet";
  nowhere.password = "s3cret-word";
  nowhere.database = "shop";
  try {
    connect(nowhere, "duet:test");
    FAIL() << "connected to nowhere";
  } catch (const failure& f) {
    EXPECT_EQ(f.kind, failure_kind::cannot_connect);
    EXPECT_THAT(f.what(), HasSubstr("shop"));
    EXPECT_THAT(f.what(), Not(HasSubstr("s3cret-word")));
  }
}

}  // namespace
}  // namespace duet::postgres
