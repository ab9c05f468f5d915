#include "postgres/sql_writer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace duet::postgres {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

column_pair make(const char* name, value_kind kind, const char* native, bool key = false) {
  column_pair c;
  c.home.name = name;
  c.home.type.kind = kind;
  c.home.type.native = native;
  c.home.type.bits = 64;
  c.key = key;
  return c;
}

table_pair orders() {
  table_pair t;
  t.home.schema = "public";
  t.home.name = "orders";
  t.columns = {make("id", value_kind::integer, "bigint", true), make("note", value_kind::text, "text"),
               make("price", value_kind::decimal, "numeric(12,2)")};
  t.key = {0};
  return t;
}

TEST(insert_statement, selects_from_one_array_per_column_with_assignment_casts_left_to_the_server) {
  const auto s = insert_statement(orders(), std::vector<std::uint16_t>{0, 1, 2}, insert_mode::trusting);
  EXPECT_EQ(s.sql,
            "INSERT INTO \"public\".\"orders\" (\"id\", \"note\", \"price\") SELECT u.a1, u.a2, u.a3::numeric FROM"
            " ROWS FROM (pg_catalog.unnest($1::bigint[]), pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[]))"
            " WITH ORDINALITY AS u(a1, a2, a3, n)");
  ASSERT_EQ(s.arrays.size(), 3u);
  EXPECT_EQ(s.arrays[2].column, 2);
  EXPECT_EQ(s.arrays[2].image, array_parameter::after);
}

TEST(insert_statement, stores_only_what_prints_as_it_was_sent) {
  auto t = orders();
  t.columns.push_back(make("it\"s", value_kind::printed, "inet"));
  const auto s = insert_statement(t, std::vector<std::uint16_t>{0, 3}, insert_mode::trusting);
  EXPECT_THAT(s.sql, HasSubstr("SELECT u.a1, CASE WHEN u.a2 IS NULL OR pg_catalog.concat(u.a2::inet) = u.a2 THEN u.a2::inet ELSE"));
  EXPECT_THAT(s.sql, HasSubstr("'strict $.\"it\\\"s\"'"));
  EXPECT_FALSE(can_be_copied(t, std::vector<std::uint16_t>{0, 3}));
  EXPECT_TRUE(can_be_copied(t, std::vector<std::uint16_t>{0, 1}));
  EXPECT_THAT(update_statement(t, std::vector<std::uint16_t>{1}, std::vector<std::uint16_t>{3}).sql,
              HasSubstr("((CASE WHEN t.\"it\"\"s\" IS DISTINCT FROM NULL THEN pg_catalog.concat(t.\"it\"\"s\") END) COLLATE \"C\" IS NOT DISTINCT FROM u.a2)"));
}

TEST(insert_statement, that_is_checked_returns_the_keys_it_wrote) {
  const auto s = insert_statement(orders(), std::vector<std::uint16_t>{0, 1}, insert_mode::checked);
  EXPECT_THAT(s.sql, HasSubstr(" ON CONFLICT (\"id\") DO NOTHING RETURNING \"id\""));
}

TEST(insert_statement, overrides_an_identity_that_is_always_generated) {
  auto t = orders();
  EXPECT_THAT(insert_statement(t, std::vector<std::uint16_t>{0, 1}, insert_mode::trusting).sql, Not(HasSubstr("OVERRIDING")));
  t.columns[0].home.identity_always = true;
  EXPECT_THAT(insert_statement(t, std::vector<std::uint16_t>{0, 1}, insert_mode::trusting).sql,
              HasSubstr("\"note\") OVERRIDING SYSTEM VALUE SELECT"));
}

TEST(update_statement, joins_by_the_old_key_and_compares_the_guard_bytewise_and_null_safe) {
  const auto s = update_statement(orders(), std::vector<std::uint16_t>{1}, std::vector<std::uint16_t>{1, 2});
  EXPECT_EQ(s.sql,
            "UPDATE \"public\".\"orders\" AS t SET \"note\" = u.a4 FROM"
            " ROWS FROM (pg_catalog.unnest($1::bigint[]), pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[]),"
            " pg_catalog.unnest($4::text[])) WITH ORDINALITY AS u(a1, a2, a3, a4, n)"
            " WHERE t.\"id\" = u.a1 AND (t.\"note\" COLLATE \"C\" IS NOT DISTINCT FROM u.a2)"
            " AND (t.\"price\" IS NOT DISTINCT FROM u.a3::numeric) RETURNING u.n");
  EXPECT_EQ(s.arrays[0].image, array_parameter::before);
  EXPECT_EQ(s.arrays[1].image, array_parameter::before);
  EXPECT_EQ(s.arrays[3].image, array_parameter::after);
}

TEST(update_statement, sends_the_new_key_beside_the_old_one) {
  const auto s = update_statement(orders(), std::vector<std::uint16_t>{0}, {});
  EXPECT_THAT(s.sql, HasSubstr("SET \"id\" = u.a2 FROM"));
  ASSERT_EQ(s.arrays.size(), 2u);
  EXPECT_EQ(s.arrays[0].image, array_parameter::before);
  EXPECT_EQ(s.arrays[1].image, array_parameter::after);
}

TEST(update_statement, adds_deltas_to_what_is_there) {
  const auto s = update_statement(orders(), std::vector<std::uint16_t>{1}, {}, std::vector<std::uint16_t>{2});
  EXPECT_THAT(s.sql, HasSubstr("SET \"note\" = u.a2, \"price\" = t.\"price\" + u.a3::numeric FROM"));
  ASSERT_EQ(s.arrays.size(), 3u);
  EXPECT_EQ(s.arrays[2].image, array_parameter::added);
  EXPECT_THAT(update_statement(orders(), {}, {}, std::vector<std::uint16_t>{2}).sql, HasSubstr("SET \"price\" = t.\"price\" + u.a2::numeric FROM"));
}

TEST(remove_statement, without_a_guard_needs_the_key_only) {
  const auto s = remove_statement(orders(), {});
  EXPECT_EQ(s.sql,
            "DELETE FROM \"public\".\"orders\" AS t USING ROWS FROM (pg_catalog.unnest($1::bigint[])) WITH ORDINALITY AS u(a1, n)"
            " WHERE t.\"id\" = u.a1 RETURNING u.n");
}

TEST(statements, compare_padded_and_case_insensitive_columns_as_what_they_are) {
  auto t = orders();
  t.columns[0] = make("code", value_kind::text, "character(4)", true);
  t.columns[0].home.type.fixed = true;
  t.columns[1].home.type.case_insensitive = true;
  t.columns[2] = make("doc", value_kind::json, "json");
  auto s = remove_statement(t, std::vector<std::uint16_t>{1, 2});
  EXPECT_THAT(s.sql, HasSubstr("t.\"code\" = u.a1::bpchar"));
  EXPECT_THAT(s.sql, HasSubstr("(t.\"doc\"::text) COLLATE \"C\" IS NOT DISTINCT FROM u.a3"));
  t.key = {1};
  s = remove_statement(t, {});
  EXPECT_THAT(s.sql, HasSubstr("t.\"note\" = u.a1 AND t.\"note\" COLLATE \"C\" = u.a1"));
}

TEST(statements, cast_to_types_without_limits_so_that_nothing_is_cut_in_silence) {
  auto t = orders();
  t.columns.push_back(make("flags", value_kind::bits, "bit(3)"));
  t.columns.push_back(make("mood", value_kind::enumeration, "public.mood"));
  t.columns.push_back(make("at", value_kind::timestamp, "timestamp(3) with time zone"));
  const auto s = insert_statement(t, std::vector<std::uint16_t>{3, 4, 5}, insert_mode::trusting);
  EXPECT_THAT(s.sql, HasSubstr("SELECT u.a1::\"bit\", u.a2::public.mood, u.a3::timestamptz FROM"));
}

TEST(statements, quote_names_of_tables_and_columns) {
  auto t = orders();
  t.home.name = "a\"b";
  t.columns[1].home.name = "c\"d";
  const auto s = update_statement(t, std::vector<std::uint16_t>{1}, {});
  EXPECT_THAT(s.sql, HasSubstr("UPDATE \"public\".\"a\"\"b\" AS t SET \"c\"\"d\" ="));
}

TEST(lock_statement, locks_in_key_order_and_returns_every_column) {
  auto t = orders();
  t.key = {2, 0};
  const auto s = lock_statement(t);
  EXPECT_THAT(s.sql, HasSubstr("SELECT u.n, t.\"id\", t.\"note\", t.\"price\" FROM"));
  EXPECT_THAT(s.sql, HasSubstr(" ORDER BY t.\"price\", t.\"id\" FOR UPDATE OF t"));
}

TEST(next_rows_statement, goes_on_behind_a_key_and_waits_for_nobody) {
  auto t = orders();
  EXPECT_EQ(next_rows_statement(t, false, 64, true), "SELECT \"id\", \"note\", \"price\" FROM ONLY \"public\".\"orders\" ORDER BY \"id\" LIMIT 64 FOR SHARE NOWAIT");
  t.key = {2, 0};
  EXPECT_THAT(next_rows_statement(t, true, 5, false), HasSubstr(" WHERE (\"price\", \"id\") > ($1, $2) ORDER BY \"price\", \"id\" LIMIT 5"));
}

TEST(truncate_statement, names_all_tables_at_once) {
  const table_pair a = orders();
  table_pair b = orders();
  b.home.name = "items";
  const std::vector<const table_pair*> both{&a, &b};
  EXPECT_EQ(truncate_statement(both), "TRUNCATE ONLY \"public\".\"orders\", ONLY \"public\".\"items\"");
}

}  // namespace
}  // namespace duet::postgres
