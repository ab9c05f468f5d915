#include "mysql/sql_writer.hpp"

#include <gmock/gmock.h>

#include <deque>
#include <optional>

#include "duet/failure.hpp"

namespace duet::mysql {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

column make_column(std::string name, value_kind kind, int bits = 0) {
  column c;
  c.name = std::move(name);
  c.type.kind = kind;
  c.type.bits = bits;
  if (kind == value_kind::text) {
    c.type.charset = "utf8mb4";
    c.type.collation = "utf8mb4_general_ci";
  }
  return c;
}

std::string value(const column& c, std::string_view text) {
  std::string out;
  append_value(out, c, cell::of(text));
  return out;
}

std::string refusal(const column& c, std::string_view text) {
  try {
    return "accepted as " + value(c, text);
  } catch (const failure& f) {
    EXPECT_EQ(f.kind, failure_kind::row_refused);
    return f.what();
  }
}

class sql_writer_test : public ::testing::Test {
 protected:
  sql_writer_test() {
    table.spoke.schema = "shop";
    table.spoke.name = "it`em";
    for (const column& c : {make_column("id", value_kind::integer, 64), make_column("name", value_kind::text),
                            make_column("at", value_kind::datetime)})
      table.columns.push_back({.home = c, .spoke = c});
    table.key = {0};
  }
  row_view row(std::string id, std::optional<std::string> name, std::optional<std::string> at) {
    std::vector<cell> cells;
    for (auto& v : {std::optional(id), name, at}) {
      if (!v) {
        cells.push_back(cell::null());
        continue;
      }
      texts.push_back(*v);
      cells.push_back(cell::of(texts.back()));
    }
    rows.push_back(cells);
    return rows.back().data();
  }
  run two_updates() {
    return {.table = &table,
            .op = operation::update,
            .columns = {1},
            .guard = {1, 2},
            .rows = {{row("1", "a", std::nullopt), row("1", "it's", std::nullopt)},
                     {row("2", "b", "2024-01-02 03:04:05"), row("2", "c", "2024-01-02 03:04:05")}}};
  }

  table_pair table;
  std::deque<std::string> texts;
  std::deque<std::vector<cell>> rows;
  std::string sql;
};

TEST(sql_quoting, doubles_quotes_and_leaves_backslashes) {
  EXPECT_EQ(quote_text("it's"), "'it''s'");
  EXPECT_EQ(quote_text("'"), "''''");
  EXPECT_EQ(quote_text(""), "''");
  EXPECT_EQ(quote_text("\\'"), "'\\'''");
  EXPECT_EQ(quote_text(std::string_view("a\0'b", 4)), std::string("'a\0''b'", 7));
  EXPECT_EQ(quote_identifier("a`b"), "`a``b`");
}

TEST(sql_values, numbers_stand_bare_and_nothing_else_does) {
  EXPECT_EQ(value(make_column("c", value_kind::integer), "-42"), "-42");
  EXPECT_EQ(value(make_column("c", value_kind::decimal), "-12.50"), "-12.50");
  EXPECT_EQ(value(make_column("c", value_kind::bits), "101"), "5");
  EXPECT_EQ(value(make_column("c", value_kind::bits), std::string(64, '1')), "18446744073709551615");
  for (const char* bad : {"", "-", "1 ", "+1", "0x1", "1e3", "1.0", "1;", "--1", "1 OR 1"})
    EXPECT_EQ(refusal(make_column("c", value_kind::integer), bad), "column c: not an integer") << bad;
  for (const char* bad : {"", ".", "1.", ".5", "1.2.3", "1e3", "NaN", "-", "1,5"})
    EXPECT_EQ(refusal(make_column("c", value_kind::decimal), bad), "column c: not a decimal number") << bad;
  for (const std::string& bad : {std::string(), std::string("2"), std::string(65, '1'), std::string("1 ")})
    EXPECT_EQ(refusal(make_column("c", value_kind::bits), bad), "column c: not a string of bits") << bad;
  for (const char* bad : {"", "NaN", "Infinity", "1e999", "1x", "0x1p3", " 1"}) {
    EXPECT_THAT(refusal(make_column("c", value_kind::real, 64), bad), StartsWith("column c: not a number")) << bad;
    EXPECT_THAT(refusal(make_column("c", value_kind::real, 32), bad), StartsWith("column c: not a number")) << bad;
  }
  EXPECT_THAT(refusal(make_column("c", value_kind::real, 32), "1e39"), StartsWith("column c: not a number"));
}

TEST(sql_values, a_32_bit_float_is_sent_as_the_exact_number_that_it_is) {
  EXPECT_EQ(value(make_column("c", value_kind::real, 32), "0.1"), "1.0000000149011612e-01");
  EXPECT_EQ(value(make_column("c", value_kind::real, 64), "0.1"), "1e-01");
  EXPECT_EQ(value(make_column("c", value_kind::real, 64), "-0"), "-0e+00");
}

TEST(sql_values, bytes_are_marked_and_text_must_be_utf8) {
  EXPECT_EQ(value(make_column("c", value_kind::bytes), "\xff'"), "_binary'\xff'''");
  const column text = make_column("c", value_kind::text);
  EXPECT_EQ(value(text, "grün 🦆"), "'grün 🦆'");
  for (const std::string bad : {"\x80", "\xc0\xaf", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
                                "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "12345678\xff", "\xe2\x82"})
    EXPECT_EQ(refusal(text, bad), "column c: not UTF-8");
  for (const std::string good :
       {"\xc2\x80", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "12345678é12345678é"})
    EXPECT_EQ(value(text, good), "'" + good + "'");
}

TEST(sql_values, null_is_refused_where_the_column_has_none_and_absent_is_a_programming_error) {
  column c = make_column("c", value_kind::integer);
  std::string out;
  append_value(out, c, cell::null());
  EXPECT_EQ(out, "NULL");
  c.nullable = false;
  EXPECT_THROW(append_value(out, c, cell::null()), failure);
  try {
    append_value(out, c, cell{});
    FAIL();
  } catch (const failure& f) {
    EXPECT_EQ(f.kind, failure_kind::internal);
  }
}

TEST_F(sql_writer_test, adds_deltas_to_what_is_there) {
  table.columns.push_back({.home = make_column("stock", value_kind::integer, 32), .spoke = make_column("stock", value_kind::integer, 32)});
  run r = two_updates();
  r.deltas = {3};
  const std::vector<cell> down = {{}, {}, {}, cell::of("-3")}, up = {{}, {}, {}, cell::of("10")};
  r.rows[0].added = down.data();
  r.rows[1].added = up.data();
  EXPECT_EQ(sql_writer(dialect::mysql).update(sql, r, 0), 2u);
  EXPECT_THAT(sql, HasSubstr("v(k0,n1,d3,g1,g2)"));
  EXPECT_THAT(sql, HasSubstr("ROW(1,'it''s',-3,'a',NULL)"));
  EXPECT_THAT(sql, HasSubstr("SET t.`name`=v.n1,t.`stock`=(t.`stock`+v.d3)"));
  r.rows.resize(1);
  r.columns.clear();
  sql_writer(dialect::mariadb).update(sql, r, 0);
  EXPECT_THAT(sql, HasSubstr("SET t.`stock`=(t.`stock`+-3) WHERE"));
}

TEST_F(sql_writer_test, the_next_rows_are_those_behind_a_key_and_are_not_waited_for) {
  sql_writer(dialect::mysql).next_rows(sql, table, nullptr, 64, true);
  EXPECT_EQ(sql, "SELECT t.`id`,t.`name`,t.`at` FROM `shop`.`it``em` AS t FORCE INDEX (PRIMARY) ORDER BY t.`id` LIMIT 64 FOR SHARE NOWAIT");
  sql_writer(dialect::mariadb).next_rows(sql, table, row("7", "a", {}), 3, true);
  EXPECT_EQ(sql, "SELECT t.`id`,t.`name`,t.`at` FROM `shop`.`it``em` AS t FORCE INDEX (PRIMARY) WHERE t.`id`>=7 AND t.`id`>7 ORDER BY t.`id` LIMIT 3"
                 " LOCK IN SHARE MODE NOWAIT");
  table.key = {1, 0, 2};
  sql_writer(dialect::mysql).next_rows(sql, table, row("7", "it's", "2024-01-02 03:04:05"), 3, false);
  EXPECT_THAT(sql, HasSubstr(" WHERE t.`name`>='it''s' AND (t.`name`>'it''s' OR (t.`name`='it''s' AND (t.`id`>7 OR (t.`id`=7 AND t.`at`>'2024-01-02 03:04:05'))))"
                             " ORDER BY t.`name`,t.`id`,t.`at` LIMIT 3"));
}

TEST_F(sql_writer_test, an_insert_lists_the_rows) {
  const run r{.table = &table,
              .op = operation::insert,
              .columns = {0, 1},
              .guard = {},
              .rows = {{nullptr, row("1", "a", {})}, {nullptr, row("2", {}, {})}}};
  EXPECT_EQ(sql_writer(dialect::mysql).insert(sql, r, 0), 2u);
  EXPECT_EQ(sql, "INSERT INTO `shop`.`it``em` (`id`,`name`) VALUES (1,'a'),(2,NULL)");
}

TEST_F(sql_writer_test, an_update_of_many_rows_joins_them_in_each_servers_dialect) {
  EXPECT_EQ(sql_writer(dialect::mysql).update(sql, two_updates(), 0), 2u);
  EXPECT_EQ(
      sql,
      "UPDATE (VALUES ROW(1,'it''s','a',NULL),ROW(2,'c','b',TIMESTAMP'2024-01-02 03:04:05')) AS v(k0,n1,g1,g2) STRAIGHT_JOIN "
      "`shop`.`it``em` AS t"
      " FORCE INDEX (PRIMARY) ON t.`id`=v.k0 AND t.`name` COLLATE utf8mb4_0900_bin<=>v.g1 AND t.`at`<=>v.g2 SET t.`name`=v.n1");
  EXPECT_EQ(sql_writer(dialect::mariadb).update(sql, two_updates(), 0), 2u);
  EXPECT_EQ(sql,
            "UPDATE (WITH v(k0,n1,g1,g2) AS (VALUES (1,'it''s','a',NULL),(2,'c','b',TIMESTAMP'2024-01-02 03:04:05')) SELECT * "
            "FROM v) AS v STRAIGHT_JOIN"
            " `shop`.`it``em` AS t FORCE INDEX (PRIMARY) ON t.`id`=v.k0 AND t.`name` COLLATE utf8mb4_nopad_bin<=>v.g1 AND "
            "t.`at`<=>v.g2 SET t.`name`=v.n1");
}

TEST_F(sql_writer_test, an_update_names_the_columns_that_the_server_would_set_by_itself) {
  column at = make_column("at", value_kind::datetime), seen = make_column("se`en", value_kind::timestamp);
  at.on_update = seen.on_update = true;  // `seen` is not mapped
  table.spoke.columns = {table.columns[0].spoke, table.columns[1].spoke, at, seen};
  const sql_writer writer(dialect::mysql);
  run r = two_updates();
  r.guard.clear();
  writer.update(sql, r, 0);
  EXPECT_THAT(sql, EndsWith(" SET t.`name`=v.n1,t.`at`=t.`at`,t.`se``en`=t.`se``en`"));
  writer.update(sql, r, 1);
  EXPECT_THAT(sql, HasSubstr(" SET t.`name`='c',t.`at`=t.`at`,t.`se``en`=t.`se``en` WHERE "));
  r.columns = {1, 2};
  writer.update(sql, r, 0);
  EXPECT_THAT(sql, EndsWith(" SET t.`name`=v.n1,t.`at`=v.n2,t.`se``en`=t.`se``en`"));
  const std::vector<std::uint16_t> name = {1};
  writer.force_update(sql, table, r.rows[0].before, r.rows[0].after, name);
  EXPECT_THAT(sql, HasSubstr(" SET t.`name`='it''s',t.`at`=t.`at`,t.`se``en`=t.`se``en` WHERE "));
}

TEST_F(sql_writer_test, a_single_row_needs_no_join) {
  run r = two_updates();
  r.rows.pop_back();
  EXPECT_EQ(sql_writer(dialect::mysql).update(sql, r, 0), 1u);
  EXPECT_EQ(sql,
            "UPDATE `shop`.`it``em` AS t SET t.`name`='it''s' WHERE t.`id`=1 AND t.`name` COLLATE utf8mb4_0900_bin<=>'a' AND "
            "t.`at`<=>NULL");
  EXPECT_EQ(sql_writer(dialect::mysql).remove(sql, r, 0), 1u);
  EXPECT_EQ(sql,
            "DELETE t FROM `shop`.`it``em` AS t WHERE t.`id`=1 AND t.`name` COLLATE utf8mb4_0900_bin<=>'a' AND t.`at`<=>NULL");
}

TEST_F(sql_writer_test, a_text_key_is_found_by_its_collation_and_compared_by_its_bytes) {
  table.key = {1};
  run r = two_updates();
  r.guard.clear();
  sql_writer(dialect::mysql).remove(sql, r, 0);
  EXPECT_THAT(sql, HasSubstr(" ON t.`name`=v.k1 COLLATE utf8mb4_general_ci AND t.`name` COLLATE utf8mb4_0900_bin=v.k1"));
  table.columns[1].spoke.type.charset = "latin1";
  table.columns[1].spoke.type.collation = "latin1_swedish_ci";
  sql_writer(dialect::mysql).remove(sql, r, 0);
  EXPECT_THAT(sql, HasSubstr(" ON t.`name`=CONVERT(v.k1 USING latin1) COLLATE latin1_swedish_ci AND CONVERT(t.`name` USING "
                             "utf8mb4) COLLATE utf8mb4_0900_bin=v.k1"));
}

TEST_F(sql_writer_test, a_statement_ends_where_it_is_full_and_the_next_one_goes_on) {
  run r{.table = &table, .op = operation::insert, .columns = {0, 1}, .guard = {}, .rows = {}};
  for (int i = 0; i < 10; ++i) r.rows.push_back({nullptr, row(std::to_string(i), std::string(100, 'x'), {})});
  const sql_writer writer(dialect::mysql, {.soft = 300, .hard = 1000});
  EXPECT_EQ(writer.insert(sql, r, 0), 3u);
  EXPECT_EQ(writer.insert(sql, r, 3), 6u);
  EXPECT_THAT(sql, Not(HasSubstr("(2,")));
  EXPECT_THAT(sql, HasSubstr("(5,"));
  EXPECT_EQ(writer.insert(sql, r, 9), 10u);
}

TEST_F(sql_writer_test, no_statement_is_larger_than_the_servers_packet) {
  for (const operation op : {operation::insert, operation::update, operation::remove}) {
    run r{.table = &table, .op = op, .columns = {1}, .guard = {1}, .rows = {}};
    if (op == operation::insert) r.columns = {0, 1};
    if (op != operation::insert) r.guard = {1};
    for (int i = 0; i < 20; ++i)
      r.rows.push_back({row(std::to_string(i), std::string(100, 'x'), {}), row(std::to_string(i), std::string(100, 'y'), {})});
    const sql_writer writer(dialect::mariadb, {.soft = 10'000, .hard = 1000});
    int statements = 0;
    for (std::size_t at = 0; at < r.rows.size(); ++statements) {
      at = op == operation::insert   ? writer.insert(sql, r, at)
           : op == operation::update ? writer.update(sql, r, at)
                                     : writer.remove(sql, r, at);
      EXPECT_LE(sql.size(), 1000u);
    }
    EXPECT_GT(statements, 2);
    r.rows[0] = {row("1", std::string(1000, 'x'), {}), row("1", std::string(1000, 'y'), {})};
    try {
      op == operation::insert   ? writer.insert(sql, r, 0)
      : op == operation::update ? writer.update(sql, r, 0)
                                : writer.remove(sql, r, 0);
      FAIL() << "larger than a packet";
    } catch (const failure& f) {
      EXPECT_EQ(f.kind, failure_kind::row_refused);
      EXPECT_EQ(f.server_code, "1153");
    }
  }
}

TEST_F(sql_writer_test, json_in_a_guard_is_a_programming_error) {
  table.columns[1].spoke.type.kind = value_kind::json;
  try {
    sql_writer(dialect::mysql).update(sql, two_updates(), 0);
    FAIL();
  } catch (const failure& f) {
    EXPECT_EQ(f.kind, failure_kind::internal);
  }
}

TEST(decode_selected_test, spells_addresses_as_the_log_and_postgresql_do) {
  const column c = make_column("c", value_kind::printed);
  EXPECT_EQ(decode_selected(c, "1::2:0:3:0:4:0"), "1:0:2:0:3:0:4:0");  // as MariaDB prints it
  EXPECT_EQ(decode_selected(c, "::ffff:1.2.3.4"), "::ffff:1.2.3.4");
  EXPECT_EQ(decode_selected(c, "10.0.0.1"), "10.0.0.1");
}

TEST(decode_selected_test, gives_canonical_forms) {
  column c = make_column("c", value_kind::integer);
  EXPECT_EQ(decode_selected(c, "00042"), "42");
  EXPECT_EQ(decode_selected(c, "0000"), "0");
  EXPECT_EQ(decode_selected(c, "-1"), "-1");
  c = make_column("c", value_kind::decimal);
  EXPECT_EQ(decode_selected(c, "0001.50"), "1.50");
  EXPECT_EQ(decode_selected(c, "0.50"), "0.50");
  EXPECT_EQ(decode_selected(c, "-0.00"), "0.00");
  EXPECT_EQ(decode_selected(c, "-0.10"), "-0.10");
  c = make_column("c", value_kind::time);
  EXPECT_EQ(decode_selected(c, "-00:00:00.500000"), "-00:00:00.5");
  EXPECT_EQ(decode_selected(c, "10:20:30.000000"), "10:20:30");
  EXPECT_EQ(decode_selected(c, "10:20:30"), "10:20:30");
  c = make_column("c", value_kind::bits, 5);
  EXPECT_EQ(decode_selected(c, "5"), "00101");
  EXPECT_THROW(decode_selected(c, "x"), failure);
  c = make_column("c", value_kind::real, 32);
  EXPECT_EQ(decode_selected(c, "0.10000000149011612"), "0.1");
  EXPECT_THROW(decode_selected(c, ""), failure);
  c = make_column("c", value_kind::text);
  EXPECT_EQ(decode_selected(c, "007.0"), "007.0");
}

}  // namespace
}  // namespace duet::mysql
