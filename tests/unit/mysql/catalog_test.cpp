#include "mysql/catalog.hpp"

#include <gmock/gmock.h>

namespace duet::mysql {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(enum_labels, are_cut_at_quotes_not_at_commas) {
  EXPECT_THAT(decode_labels("enum('a','b')"), ElementsAre("a", "b"));
  EXPECT_THAT(decode_labels("set('a,b','it''s','','''')"), ElementsAre("a,b", "it's", "", "'"));
  EXPECT_THAT(decode_labels("enum('back\\\\slash','new\\nline','\\\\')"), ElementsAre("back\\slash", "new\nline", "\\"));
  EXPECT_THAT(decode_labels("enum(' lead','grün')"), ElementsAre(" lead", "grün"));
  EXPECT_THAT(decode_labels("enum()"), IsEmpty());
  EXPECT_THAT(decode_labels(""), IsEmpty());
}

TEST(enum_labels, of_damaged_text_end_without_reading_beyond_it) {
  EXPECT_THAT(decode_labels("enum('a','b"), ElementsAre("a", "b"));
  EXPECT_THAT(decode_labels("enum('a\\"), ElementsAre("a\\"));
  EXPECT_THAT(decode_labels("'"), ElementsAre(""));
}

TEST(column_types, of_points_addresses_and_vectors_are_told_and_unknown_ones_are_other) {
  EXPECT_EQ(decode_type({.data_type = "point", .column_type = "point"}).name, "geometry");
  EXPECT_EQ(decode_type({.data_type = "point", .column_type = "point"}).kind, value_kind::bytes);
  EXPECT_EQ(decode_type({.data_type = "inet6", .column_type = "inet6"}).kind, value_kind::printed);
  EXPECT_EQ(decode_type({.data_type = "vector", .column_type = "vector(3)", .octets = 12}).length, 12);
  EXPECT_EQ(decode_type({}).kind, value_kind::other);
}

TEST(column_types, only_binary_collations_are_exact) {
  const auto insensitive = [](const char* collation) {
    return decode_type({.data_type = "varchar",
                        .column_type = "varchar(3)",
                        .characters = 3,
                        .octets = 12,
                        .charset = "utf8mb4",
                        .collation = collation})
        .case_insensitive;
  };
  EXPECT_FALSE(insensitive("utf8mb4_bin"));
  EXPECT_FALSE(insensitive("utf8mb4_0900_bin"));
  EXPECT_TRUE(insensitive("utf8mb4_0900_as_cs"));
  EXPECT_TRUE(insensitive("utf8mb4_general_ci"));
}

TEST(column_types, an_enum_with_the_word_unsigned_is_no_unsigned_number) {
  const column_type t = decode_type({.data_type = "enum", .column_type = "enum('unsigned')"});
  EXPECT_FALSE(t.is_unsigned);
  EXPECT_THAT(t.labels, ElementsAre("unsigned"));
}

}  // namespace
}  // namespace duet::mysql
