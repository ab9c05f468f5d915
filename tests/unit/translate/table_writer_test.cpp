#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "translate/table_writer.hpp"
#include "types.hpp"

using namespace duet;
using namespace duet::translate;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

namespace {

table_schema customer() {
  return table_maker("public", "customer")
      .column("id", integer_type(64), false)
      .column("full`name", text_type(200), false)
      .column("memo", text_type(-1))
      .column("place", column_type{.native = "money", .name = "money"})
      .key({0});
}

}  // namespace

TEST(table_writer, renames_leaves_out_and_quotes) {
  table_rule rule;
  rule.home = "public.customer";
  rule.columns = {{"full`name", "na`me"}};
  rule.exclude = {"memo"};
  const written_table t = write_table(customer(), side::spoke, rule, "shop", "cust");
  EXPECT_EQ(t.sql,
            "CREATE TABLE `shop`.`cust` (\n  `id` bigint NOT NULL,\n  `na``me` varchar(200) NOT NULL,\n  PRIMARY KEY (`id`)\n)"
            " ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
  EXPECT_THAT(t.notes, ElementsAre("place (money) has no counterpart: left out"));
}

TEST(table_writer, gives_the_spokes_unsigned_numbers_room_at_home) {
  auto wide = integer_type(64), small = integer_type(32);
  wide.is_unsigned = small.is_unsigned = true;
  const table_schema t = table_maker("shop", "t").column("id", small, false).column("big", wide).key({0});
  const std::string sql = write_table(t, side::home, {}, "public", "t").sql;
  EXPECT_THAT(sql, HasSubstr("\"id\" bigint NOT NULL"));
  EXPECT_THAT(sql, HasSubstr("\"big\" numeric(20,0),\n"));
}

TEST(table_writer, makes_what_the_contract_says_of_types_that_are_printed_and_of_arrays) {
  const table_schema t = table_maker("public", "t").column("ip", printed_type("inet"), false).column("tags", named(of_kind(value_kind::array, "text[]"), "array")).column("h", printed_type("hstore"))
      .column("at", printed_type("composite type")).column("long_bits", bits_type(100)).column("u", of_kind(value_kind::uuid, "uuid")).key({0});
  const std::string sql = write_table(t, side::spoke, {}, "shop", "t").sql;
  for (const char* column : {"`ip` varchar(43) CHARACTER SET ascii COLLATE ascii_bin NOT NULL", "`tags` json,", "`h` json,", "`at` longtext,", "`long_bits` varchar(100),",
                             "`u` char(36) CHARACTER SET ascii COLLATE ascii_bin,"})
    EXPECT_THAT(sql, HasSubstr(column));
  const table_schema s = table_maker("shop", "t").column("id", integer_type(32), false).column("a", printed_type("inet6")).column("g", named(bytes_type(-1, false, "polygon"), "geometry"))
      .column("v", named(bytes_type(12, false, "vector(3)"), "vector")).key({0});
  const std::string home = write_table(s, side::home, {}, "public", "t").sql;
  for (const char* column : {"\"a\" inet,", "\"g\" bytea,", "\"v\" real[],"}) EXPECT_THAT(home, HasSubstr(column));
}

TEST(table_writer, makes_nothing_without_a_key) {
  const table_schema t = table_maker("public", "t").column("a", integer_type(32));
  EXPECT_THAT(write_table(t, side::spoke, {}, "shop", "t").sql, IsEmpty());
}

TEST(table_writer, finds_what_one_side_lacks) {
  config c;
  c.spoke.database = "shop";
  c.tables.resize(2);
  c.tables[0].home = "public.customer";
  c.tables[0].spoke = "cust";
  c.tables[1].home = "public.*";
  const auto t = [](const char* schema, const char* name) { return table_maker(schema, name).column("id", integer_type(32), false).key({0}); };
  const std::vector<table_schema> home = {t("public", "customer"), t("public", "both"), t("public", "here"), t("other", "x")};
  const std::vector<table_schema> spoke = {t("shop", "both"), t("shop", "there"), t("shop", "customer")};
  std::vector<std::string> found;
  for (const missing_table& m : write_missing_tables(c, home, spoke)) found.push_back(std::string(name(m.at)) + " " + m.name + " like " + m.like);
  EXPECT_THAT(found, ElementsAre("spoke shop.cust like public.customer", "spoke shop.here like public.here", "home public.there like shop.there"));
}
