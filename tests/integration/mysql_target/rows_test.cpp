// Rows written and read by mysql::target on real servers.
#include <gmock/gmock.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <random>

#include "spoke_fixture.hpp"

namespace duet::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class mysql_target_rows : public spoke_fixture {
 public:
  void SetUp() override {
    spoke_fixture::SetUp();
    exec(
        "CREATE TABLE item (id bigint PRIMARY KEY, k int, name varchar(60) COLLATE utf8mb4_general_ci, note text, UNIQUE KEY "
        "by_k (k))");
    item = load("item");
    open();
  }
  fields row(int id, const std::string& name = "n") {
    return {std::to_string(id), std::to_string(id * 10), name, std::nullopt};
  }
  std::vector<fields> some(int from, int to, const std::string& name = "n") {
    std::vector<fields> rows;
    for (int i = from; i <= to; ++i) rows.push_back(row(i, name));
    return rows;
  }
  table_pair item;
};

TEST_P(mysql_target_rows, inserts_many_rows_in_one_statement) {
  exec("CREATE TABLE zero (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY)");
  const table_pair zero = load("zero");
  const auto asked = std::stoull(spoke().query("SHOW GLOBAL STATUS LIKE 'Com_insert'")[0][1].value());
  EXPECT_THAT(insert(item, some(1, 1500)), IsEmpty());
  EXPECT_EQ(std::stoull(spoke().query("SHOW GLOBAL STATUS LIKE 'Com_insert'")[0][1].value()) - asked, 1u);
  EXPECT_EQ(count("item"), "1500");
  EXPECT_THAT(insert(zero, {{"0"}}), IsEmpty());
  EXPECT_EQ(scalar("SELECT id FROM zero"), "0") << "a zero key must stay zero";
}

TEST_P(mysql_target_rows, a_trusting_insert_of_a_taken_key_is_refused_without_naming_values) {
  insert(item, {row(5, "secret")});
  const control_row before = control;
  const failure f = failure_from([&] { insert(item, some(1, 9, "secret")); });
  EXPECT_EQ(f.kind, failure_kind::row_refused);
  EXPECT_EQ(f.server_code, "1062");
  EXPECT_THAT(f.what(), HasSubstr("PRIMARY"));
  EXPECT_THAT(f.what(), Not(HasSubstr("5'")));
  undo(before);
  EXPECT_EQ(count("item"), "1");
}

TEST_P(mysql_target_rows, a_checked_insert_reports_taken_keys_and_writes_the_rest) {
  insert(item, {row(3, "old"), row(7, "old")});
  EXPECT_THAT(insert(item, some(1, 9, "new"), insert_mode::checked), ElementsAre(2, 6));
  EXPECT_EQ(count("item"), "9");
  EXPECT_EQ(scalar("SELECT GROUP_CONCAT(id) FROM item WHERE name='old'"), "3,7");
  EXPECT_THAT(insert(item, {row(3), row(7)}, insert_mode::checked), ElementsAre(0, 1));
}

TEST_P(mysql_target_rows, an_update_of_many_rows_reports_exactly_those_that_differ_or_are_gone) {
  insert(item, some(1, 300, "a"));
  exec("UPDATE item SET name='elsewhere' WHERE id IN (17, 250)");
  exec("DELETE FROM item WHERE id IN (1, 300)");
  exec("UPDATE item SET name='b' WHERE id=99");  // looks like the outcome, but is not what was expected
  std::vector<std::pair<fields, fields>> changes;
  for (int i = 1; i <= 300; ++i) changes.push_back({row(i, "a"), row(i, "b")});
  EXPECT_THAT(update(item, {2}, {1, 2, 3}, changes), ElementsAre(0, 16, 98, 249, 299));
  EXPECT_EQ(scalar("SELECT COUNT(*) FROM item WHERE name='b'"), "296");
  EXPECT_EQ(scalar("SELECT COUNT(*) FROM item WHERE name='elsewhere'"), "2");
}

TEST_P(mysql_target_rows, an_update_that_matches_nothing_reports_all) {
  insert(item, some(1, 3, "a"));
  EXPECT_THAT(update(item, {2}, {2}, {{row(1, "x"), row(1, "b")}, {row(2, "x"), row(2, "b")}}), ElementsAre(0, 1));
  EXPECT_THAT(update(item, {2}, {2}, {{row(3, "x"), row(3, "b")}}), ElementsAre(0));
  EXPECT_THAT(update(item, {2}, {2}, {{row(4, "a"), row(4, "b")}}), ElementsAre(0));
}

TEST_P(mysql_target_rows, an_update_to_the_same_values_counts_as_matched) {
  insert(item, some(1, 3, "a"));
  EXPECT_THAT(update(item, {2}, {2}, {{row(1, "a"), row(1, "a")}, {row(2, "a"), row(2, "a")}}), IsEmpty());
  EXPECT_THAT(update(item, {2}, {2}, {{row(3, "a"), row(3, "a")}}), IsEmpty());
}

TEST_P(mysql_target_rows, a_remove_reports_exactly_those_that_differ_or_are_gone) {
  insert(item, some(1, 300, "a"));
  exec("UPDATE item SET note='new' WHERE id=40");
  exec("DELETE FROM item WHERE id=41");
  EXPECT_THAT(remove(item, {1, 2, 3}, some(1, 300, "a")), ElementsAre(39, 40));
  EXPECT_EQ(scalar("SELECT GROUP_CONCAT(id) FROM item"), "40");
  EXPECT_THAT(remove(item, {}, {row(40)}), IsEmpty());
  EXPECT_THAT(remove(item, {}, {row(40)}), ElementsAre(0));
  EXPECT_EQ(count("item"), "0");
}

TEST_P(mysql_target_rows, guards_see_case_accents_and_trailing_blanks) {
  insert(item, {row(1, "abc"), row(2, "abc"), row(3, "abc"), row(4, "abc"), row(5, "")});
  const std::vector<std::pair<fields, fields>> changes = {{row(1, "ABC"), row(1, "x")},
                                                          {row(2, "abc "), row(2, "x")},
                                                          {row(3, "äbc"), row(3, "x")},
                                                          {row(4, "abc"), row(4, "x")},
                                                          {row(5, " "), row(5, "x")}};
  EXPECT_THAT(update(item, {2}, {2}, changes), ElementsAre(0, 1, 2, 4));
  for (std::uint32_t i = 0; i < changes.size(); ++i) {
    if (i == 3) continue;
    EXPECT_THAT(update(item, {2}, {2}, {changes[i]}), ElementsAre(0)) << i;
    EXPECT_THAT(remove(item, {2}, {changes[i].first}), ElementsAre(0)) << i;
  }
  EXPECT_EQ(scalar("SELECT name FROM item WHERE id=4"), "x");
}

TEST_P(mysql_target_rows, null_in_a_guard_matches_null_only) {
  insert(item, {row(1), row(2), row(3)});
  exec("UPDATE item SET note='' WHERE id=2");
  EXPECT_THAT(update(item, {2}, {3}, {{row(1), row(1, "x")}, {row(2), row(2, "x")}, {row(3), row(3, "x")}}), ElementsAre(1));
  fields empty = row(1);
  empty[3] = "";
  EXPECT_THAT(update(item, {2}, {3}, {{empty, row(1, "y")}}), ElementsAre(0));
}

TEST_P(mysql_target_rows, a_key_may_change_and_a_unique_value_too) {
  insert(item, {row(1), row(2), row(3)});
  EXPECT_THAT(
      update(item, {0, 1}, {2}, {{row(1), {"11", "110", "n", std::nullopt}}, {row(2), {"12", "120", "n", std::nullopt}}}),
      IsEmpty());
  EXPECT_EQ(scalar("SELECT GROUP_CONCAT(id, '/', k ORDER BY id) FROM item"), "3/30,11/110,12/120");
}

TEST_P(mysql_target_rows, statements_are_split_by_size_and_counted_over_all) {
  std::vector<fields> rows;
  for (int i = 1; i <= 60; ++i) rows.push_back({std::to_string(i), std::nullopt, "n", std::string(50'000, 'x')});
  EXPECT_THAT(insert(item, rows), IsEmpty());
  exec("UPDATE item SET name='m' WHERE id IN (5, 55)");
  std::vector<std::pair<fields, fields>> changes;
  for (const auto& r : rows) {
    fields after = r;
    after[3] = std::string(50'000, 'y');
    changes.push_back({r, after});
  }
  EXPECT_THAT(update(item, {3}, {2, 3}, changes), ElementsAre(4, 54));
  EXPECT_EQ(scalar("SELECT COUNT(*) FROM item WHERE note=REPEAT('y', 50000)"), "58");
}

TEST_P(mysql_target_rows, a_row_larger_than_the_servers_packet_is_refused_and_the_connection_stays) {
  exec("ALTER TABLE item MODIFY note longtext");
  item = load("item");
  const control_row before = control;
  const auto limit = std::stoull(scalar("SELECT @@max_allowed_packet").value());
  const failure f = failure_from([&] { insert(item, {row(1), {"2", "2", "n", std::string(limit, 'x')}}); });
  EXPECT_EQ(f.kind, failure_kind::row_refused);
  undo(before);
  EXPECT_THAT(insert(item, {row(1)}), IsEmpty());
  EXPECT_THAT(insert(item, {{"2", "2", "n", std::string(limit - 100'000, 'x')}}), IsEmpty()) << "just below the limit";
}

TEST_P(mysql_target_rows, hostile_strings_arrive_as_they_are) {
  exec("CREATE TABLE hostile (id int PRIMARY KEY, t longtext, b longblob, l varchar(50) CHARACTER SET latin1)");
  const table_pair p = load("hostile");
  std::string every_byte;
  for (int i = 0; i < 256; ++i) every_byte += static_cast<char>(i);
  const std::vector<std::string> texts = {"'",
                                          "''",
                                          "\\",
                                          "\\'",
                                          "'; DROP TABLE hostile; -- ",
                                          "\\' OR 1=1 -- ",
                                          "\n\r\t\x1a",
                                          "%_",
                                          "\"`",
                                          std::string("a\0b'\0", 5),
                                          "🦆𝄞 'ü' €",
                                          "/*! */ #",
                                          "trailing \\",
                                          "blank ",
                                          ""};
  const std::vector<std::string> bytes = {every_byte,    every_byte + "'" + every_byte,
                                          "\xbf'\xbf\\", "\xe2'\x82'\xac",
                                          "\xf0\x9f'",   std::string(3, '\0'),
                                          "'",           "",
                                          "\\",          "\xff\xff",
                                          "'\x81'"};
  std::vector<fields> rows;
  for (std::size_t i = 0; i < texts.size(); ++i)
    rows.push_back({std::to_string(i), texts[i], bytes[i % bytes.size()], i % 2 ? field("é' \\") : std::nullopt});
  EXPECT_THAT(insert(p, rows), IsEmpty());
  const auto stored = read(p, rows);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    ASSERT_TRUE(stored[i].found) << i;
    EXPECT_EQ(stored[i].values, rows[i]) << i;
  }
  // The same through the derived table of a many-row update, as new value and as guard.
  std::vector<std::pair<fields, fields>> changes;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    fields after = rows[i];
    after[1] = texts[(i + 1) % texts.size()];
    after[2] = bytes[(i + 1) % bytes.size()];
    changes.push_back({rows[i], after});
  }
  EXPECT_THAT(update(p, {1, 2}, {1, 2, 3}, changes), IsEmpty());
  const auto changed = read(p, rows);
  for (std::size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(changed[i].values, changes[i].second) << i;
  for (const auto& [before, after] : changes) EXPECT_THAT(update(p, {1, 2}, {1, 2, 3}, {{after, before}}), IsEmpty());
  EXPECT_THAT(remove(p, {1, 2, 3}, rows), IsEmpty());
}

TEST_P(mysql_target_rows, text_that_is_not_utf8_is_refused_and_not_cut) {
  const control_row before = control;
  for (const std::string bad : {"\xff\xfe", "a\xc3", "\xed\xa0\x80", "\xf0\x9f\xa6"}) {
    const failure f = failure_from([&] { insert(item, {row(1, bad)}); });
    EXPECT_EQ(f.kind, failure_kind::row_refused) << f.what();
    undo(before);
  }
  EXPECT_EQ(count("item"), "0");
}

TEST_P(mysql_target_rows, a_character_that_the_column_cannot_hold_is_refused) {
  exec("CREATE TABLE narrow (id int PRIMARY KEY, l varchar(50) CHARACTER SET latin1, m varchar(50) CHARACTER SET utf8mb3)");
  const table_pair p = load("narrow");
  insert(p, {{"1", "a", "a"}, {"2", "a", "a"}});
  const control_row before = control;
  for (const fields& bad : {fields{"3", "🦆", "a"}, fields{"3", "a", "🦆"}}) {
    EXPECT_EQ(failure_from([&] { insert(p, {bad}); }).kind, failure_kind::row_refused);
    undo(before);
    for (const bool many : {false, true}) {
      std::vector<std::pair<fields, fields>> changes = {{{"1", "a", "a"}, {"1", bad[1], bad[2]}}};
      if (many) changes.push_back({{"2", "a", "a"}, {"2", "b", "b"}});
      EXPECT_EQ(failure_from([&] { update(p, {1, 2}, {1, 2}, changes); }).kind, failure_kind::row_refused) << many;
      undo(before);
    }
  }
  EXPECT_EQ(scalar("SELECT GROUP_CONCAT(l, m) FROM narrow"), "aa,aa");
}

struct refusal {
  std::string column, value, says;
};

TEST_P(mysql_target_rows, refused_values_name_the_column_and_nothing_is_changed_in_silence) {
  exec("CREATE TABLE parent (id int PRIMARY KEY)");
  exec(
      "CREATE TABLE strict (id int PRIMARY KEY, i tinyint, u int unsigned, c varchar(3), d date, dt datetime(6), ts "
      "timestamp(6) NULL,"
      " tm time(3), de decimal(5,2), e enum('a','b'), s set('a','b'), j json, p int, y year, b bit(3), n int NOT NULL DEFAULT "
      "4,"
      " bi binary(2), ck int, nt timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP, f float,"
      " CONSTRAINT to_parent FOREIGN KEY (p) REFERENCES parent (id), CONSTRAINT small CHECK (ck < 10))");
  const table_pair p = load("strict");
  const auto at_column = [&](const std::string& name) {
    for (std::uint16_t i = 0; i < p.columns.size(); ++i)
      if (p.columns[i].spoke.name == name) return i;
    ADD_FAILURE() << name;
    return std::uint16_t{0};
  };
  fields good(p.columns.size());
  good[at_column("n")] = "1";
  good[at_column("nt")] = "2024-01-01 00:00:00";
  for (int id = 1; id <= 3; ++id) {
    good[0] = std::to_string(id);
    insert(p, {good});
  }
  good[0] = "9";
  const std::string before_all =
      scalar("SELECT SUM(CRC32(CONCAT_WS('|', id, i, u, c, d, dt, ts, de, n, nt))) FROM strict").value();
  const std::vector<refusal> cases = {{"i", "128", "column i"},
                                      {"i", "-129", "column i"},
                                      {"u", "-1", "column u"},
                                      {"u", "4294967296", "column u"},
                                      {"c", "abcd", "column c"},
                                      {"d", "2024-02-30", ""},
                                      {"d", "0000-00-00", ""},
                                      {"d", "2024-00-10", ""},
                                      {"d", "infinity", ""},
                                      {"dt", "2024-01-01 25:00:00", ""},
                                      {"ts", "1969-01-01 00:00:00", ""},
                                      {"ts", "3024-01-01 00:00:00", ""},
                                      {"tm", "900:00:00", ""},
                                      {"de", "1000.00", "column de"},
                                      {"e", "c", "column e"},
                                      {"e", "", "column e"},
                                      {"s", "a,c", "column s"},
                                      {"j", "{\"a\":", ""},
                                      {"p", "5", "to_parent"},
                                      {"y", "1800", ""},
                                      {"b", "1000", ""},
                                      {"bi", "abc", "column bi"},
                                      {"ck", "10", "small"},
                                      {"i", "1; DROP TABLE strict", "column i"},
                                      {"i", "1.5", "column i"},
                                      {"i", "", "column i"},
                                      {"de", "1e3", "column de"},
                                      {"de", "NaN", "column de"},
                                      {"f", "Infinity", "column f"},
                                      {"f", "1)", "column f"},
                                      {"b", "102", "column b"}};
  const control_row before = control;
  for (const refusal& c : cases) {
    SCOPED_TRACE(c.column + " = " + c.value);
    fields bad = good;
    bad[at_column(c.column)] = c.value;
    const auto check = [&](const failure& f) {
      EXPECT_EQ(f.kind, failure_kind::row_refused) << f.what() << ' ' << f.server_code;
      EXPECT_THAT(f.what(), HasSubstr(c.says));
      undo(before);
    };
    check(failure_from([&] { insert(p, {bad}); }));
    const auto changed = [&](const char* id) {
      fields from = good, to = bad;
      from[0] = to[0] = id;
      return std::pair{from, to};
    };
    const columns one = {at_column(c.column)};
    check(failure_from([&] { update(p, one, {}, {changed("1")}); }));
    check(failure_from([&] { update(p, one, {}, {changed("1"), changed("2"), changed("3")}); }));
  }
  for (const char* name : {"n", "nt"}) {
    fields bad = good;
    bad[at_column(name)] = std::nullopt;
    EXPECT_EQ(failure_from([&] { insert(p, {bad}); }).kind, failure_kind::row_refused) << name;
    undo(before);
  }
  EXPECT_EQ(count("strict"), "3");
  EXPECT_EQ(scalar("SELECT SUM(CRC32(CONCAT_WS('|', id, i, u, c, d, dt, ts, de, n, nt))) FROM strict"), before_all);
}

TEST_P(mysql_target_rows, a_parent_with_children_is_refused_by_its_foreign_key) {
  exec("CREATE TABLE parent (id int PRIMARY KEY)");
  exec("CREATE TABLE child (id int PRIMARY KEY, p int, CONSTRAINT of_parent FOREIGN KEY (p) REFERENCES parent (id))");
  exec("INSERT INTO parent VALUES (1), (2), (3)");
  exec("INSERT INTO child VALUES (1, 2)");
  const table_pair p = load("parent");
  const control_row before = control;
  const failure f = failure_from([&] { remove(p, {}, {{"1"}, {"2"}, {"3"}}); });
  EXPECT_EQ(f.kind, failure_kind::row_refused);
  EXPECT_THAT(f.what(), HasSubstr("of_parent"));
  undo(before);
  EXPECT_EQ(count("parent"), "3");
}

TEST_P(mysql_target_rows, a_trigger_that_signals_refuses_the_row_and_its_text_is_not_told) {
  exec("CREATE TRIGGER no BEFORE INSERT ON item FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'secret value'");
  const control_row before = control;
  const failure f = failure_from([&] { insert(item, {row(1)}); });
  EXPECT_EQ(f.kind, failure_kind::row_refused);
  EXPECT_THAT(f.what(), Not(HasSubstr("secret")));
  undo(before);
}

TEST_P(mysql_target_rows, force_writes_whatever_is_there) {
  insert(item, {row(1, "a")});
  begin();
  const row_view one = store.add(row(1, "b")), two = store.add(row(2, "c"));
  const columns name = {2};
  EXPECT_TRUE(t->force(item, operation::update, one, one, name));
  EXPECT_FALSE(t->force(item, operation::update, two, two, name));
  EXPECT_TRUE(t->force(item, operation::insert, nullptr, two, all(item)));
  EXPECT_TRUE(t->force(item, operation::remove, one, nullptr, {}));
  EXPECT_FALSE(t->force(item, operation::remove, one, nullptr, {}));
  commit();
  EXPECT_EQ(scalar("SELECT GROUP_CONCAT(id, name) FROM item"), "2c");
}

TEST_P(mysql_target_rows, truncate_empties_the_table_within_the_transaction) {
  insert(item, some(1, 5));
  const control_row before = control;
  const table_pair* tables[] = {&item};
  begin();
  t->truncate(tables);
  undo(before);
  EXPECT_EQ(count("item"), "5");
  begin();
  t->truncate(tables);
  commit();
  EXPECT_EQ(count("item"), "0");
}

TEST_P(mysql_target_rows, lock_rows_tells_absent_rows_and_keeps_the_order_of_the_keys) {
  insert(item, some(1, 1300));
  std::vector<fields> keys;
  for (int i = 1300; i >= 0; --i) keys.push_back(row(i));
  const auto rows = read(item, keys);
  ASSERT_EQ(rows.size(), keys.size());
  for (std::size_t i = 0; i + 1 < rows.size(); ++i) {
    ASSERT_TRUE(rows[i].found);
    ASSERT_EQ(rows[i].values[0], keys[i][0]);
  }
  EXPECT_FALSE(rows.back().found);
  EXPECT_THAT(read(item, {}), IsEmpty());
}

struct keyed {
  std::string type;
  std::vector<std::string> values;  // keys that are in the table
  std::vector<std::string> absent;  // keys that must not be taken for one of them
};

TEST_P(mysql_target_rows, finds_rows_by_keys_of_every_type_through_the_primary_key) {
  std::vector<keyed> cases = {
      {"bigint unsigned", {"0", "1", "9223372036854775808", "18446744073709551615"}, {"2", "9223372036854775807"}},
      {"bigint", {"-9223372036854775808", "-1", "0", "9223372036854775807"}, {"1"}},
      {"decimal(30,10)",
       {"-1.5000000000", "0.0000000001", "12345678901234567890.1234567890"},
       {"12345678901234567890.1234567891", "1.5000000000"}},
      {"decimal(65,30)",
       {"1.000000000000000000000000000001", "99999999999999999999999999999999999.999999999999999999999999999999"},
       {"1.000000000000000000000000000002"}},
      {"char(10) COLLATE utf8mb4_general_ci", {"abc", "ÄB", "🦆", "0", "x y"}, {"ABC", "äb", "abd"}},
      {"varchar(40) COLLATE utf8mb4_unicode_ci", {"abc", "o'hara", "back\\slash", ""}, {"ABC", "abc ", " "}},
      {"varchar(40) CHARACTER SET latin1", {"abc", "é", "1"}, {"É", "🦆", "?"}},
      {"varchar(40) CHARACTER SET utf8mb3", {"abc", "€"}, {"Abc", "🦆"}},
      {"varchar(40) CHARACTER SET ascii COLLATE ascii_bin", {"abc", "ABC"}, {"é", "abc "}},
      {"varchar(40) COLLATE utf8mb4_bin", {"abc", "ABC", "Abc"}, {"aBC", "abc "}},
      {"binary(4)", {std::string("a\0\0\0", 4), "abcd", "\xff\xfe\xfd\xfc"}, {std::string("b\0\0\0", 4)}},
      {"varbinary(20)", {"a", std::string("a\0", 2), "A", "'\\"}, {"b", ""}},
      {"date", {"2024-02-29", "1999-12-31"}, {"2024-03-01"}},
      {"datetime(6)", {"2024-02-29 01:02:03.000001", "2024-02-29 01:02:03"}, {"2024-02-29 01:02:03.000002"}},
      {"datetime", {"2024-02-29 01:02:03", "2024-02-29 01:02:04"}, {"2024-02-29 01:02:03.4"}},
      {"timestamp(3) NOT NULL",
       {"2024-03-31 01:30:00.5", "2024-10-27 00:30:00", "2024-10-27 01:30:00"},
       {"2024-03-31 02:30:00.5"}},
      {"time(2)", {"-838:59:59", "00:00:00.01", "838:59:59"}, {"00:00:00"}},
      {"year", {"0", "1970", "2000", "2155"}, {"2001"}},
      {"bit(9)", {"000000000", "111111111", "000100000"}, {"000000001"}},
      {"enum('x','Y','o''k')", {"x", "Y", "o'k"}, {}},
      {"double", {"0.1", "-1.7976931348623157e+308", "0.30000000000000004"}, {"0.3"}},
      {"float", {"0.1", "16777216", "3.4028235e+38", "1e-45"}, {"0.2"}},
  };
  if (spoke().is_mariadb())
    cases.push_back({"uuid",
                     {"123e4567-e89b-12d3-a456-426655440000", "00000000-0000-0000-0000-000000000000"},
                     {"123e4567-e89b-12d3-a456-426655440001"}});
  for (const keyed& c : cases) {
    SCOPED_TRACE(c.type);
    exec("DROP TABLE IF EXISTS keyed");
    exec("CREATE TABLE keyed (k " + c.type + ", part int, v varchar(20), PRIMARY KEY (k, part))");
    const table_pair p = load("keyed");
    std::vector<fields> rows, missing;
    for (const auto& v : c.values) rows.push_back({v, "1", "old"});
    for (const auto& v : c.absent) missing.push_back({v, "1", "old"});
    missing.push_back({c.values[0], "2", "old"});
    ASSERT_THAT(insert(p, rows), IsEmpty());

    const auto stored = read(p, rows);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      ASSERT_TRUE(stored[i].found) << c.values[i];
      EXPECT_EQ(stored[i].values, rows[i]) << c.values[i];
    }
    for (const auto& row : read(p, missing)) EXPECT_FALSE(row.found);

    std::vector<std::pair<fields, fields>> changes;
    for (const auto& list : {missing, rows})
      for (const auto& row : list) changes.push_back({row, {row[0], row[1], "new"}});
    indices expected;
    for (std::uint32_t i = 0; i < missing.size(); ++i) expected.push_back(i);
    EXPECT_EQ(update(p, {2}, {2}, changes), expected);
    EXPECT_EQ(scalar("SELECT COUNT(*) FROM keyed WHERE v='new'"), std::to_string(rows.size()));
    for (const auto& row : rows) EXPECT_THAT(update(p, {2}, {2}, {{{row[0], row[1], "new"}, row}}), IsEmpty()) << *row[0];
    for (const auto& row : missing) EXPECT_THAT(update(p, {2}, {2}, {{row, row}}), ElementsAre(0)) << *row[0];
    EXPECT_THAT(insert(p, rows, insert_mode::checked).size(), rows.size());
    std::vector<fields> both = missing;
    both.insert(both.end(), rows.begin(), rows.end());
    EXPECT_EQ(remove(p, {2}, both), expected);
    EXPECT_EQ(count("keyed"), "0");
  }
}

TEST_P(mysql_target_rows, each_type_makes_the_round_trip_and_stands_in_guards) {
  exec(
      "CREATE TABLE ty (id int PRIMARY KEY, flag tinyint(1), i8 tinyint, u8 tinyint unsigned zerofill, i16 smallint, i24 "
      "mediumint, i32 int,"
      " u32 int(10) unsigned zerofill, i64 bigint, u64 bigint unsigned, de decimal(12,2), dz decimal(8,3) unsigned zerofill, "
      "fl float, db double,"
      " b1 bit(1), b64 bit(64), ch char(5), chb char(5) COLLATE utf8mb4_bin, vc varchar(20), lt longtext, l1 varchar(20) "
      "CHARACTER SET latin1,"
      " bi binary(4), vb varbinary(9), bl longblob, da date, ti time, t6 time(6), dt datetime, d3 datetime(3), ts timestamp "
      "NULL,"
      " t6s timestamp(6) NULL, ye year, js json, en enum('a','b''c','d,e'), se set('x','y','z'))");
  const table_pair p = load("ty");
  const std::string minus_zero = spoke().is_mariadb() ? "0" : "-0";  // MariaDB has no -0 in SQL
  const std::string js = spoke().is_mariadb() ? "{\"a\":  [1, null]}" : "{\"a\": [1, null]}";
  const std::vector<fields> rows = {
      {"1",
       "1",
       "-128",
       "255",
       "-32768",
       "-8388608",
       "-2147483648",
       "4294967295",
       "-9223372036854775808",
       "18446744073709551615",
       "-9999999999.99",
       "12345.678",
       "0.1",
       "0.1",
       "1",
       std::string(64, '1'),
       "abc",
       "ABC",
       "a'b",
       "🦆",
       "é",
       std::string("\0\xff'\\", 4),
       "\xff",
       std::string("\0", 1),
       "1000-01-01",
       "-838:59:59",
       "838:59:59",
       "9999-12-31 23:59:59",
       "2024-01-01 00:00:00.1",
       "1970-01-01 00:00:01",
       "2038-01-19 03:14:07.999999",
       "2155",
       js,
       "b'c",
       "x,z"},
      {"2",
       "0",
       "0",
       "0",
       "0",
       "0",
       "0",
       "0",
       "0",
       "0",
       "0.00",
       "0.000",
       "0",
       minus_zero,
       "0",
       std::string(64, '0'),
       "",
       "",
       "",
       "",
       "",
       std::string(4, '\0'),
       "",
       "",
       "9999-12-31",
       "00:00:00",
       "-00:00:00.5",
       "1000-01-01 00:00:00",
       "2024-01-01 00:00:00",
       "2024-03-31 01:30:00",
       "2024-10-27 01:30:00.00001",
       "0",
       "[]",
       "a",
       ""},
      {"3",
       "7",
       "127",
       "7",
       "5",
       "5",
       "5",
       "5",
       "5",
       "9223372036854775808",
       "0.10",
       "1.500",
       "3.4028235e+38",
       "1.7976931348623157e+308",
       "1",
       "1" + std::string(63, '0'),
       "a b",
       "a b",
       "trailing  ",
       "x\ty",
       "ÿ",
       "abcd",
       "a",
       "b",
       "2024-02-29",
       "12:00:00",
       "12:00:00.123456",
       "2024-02-29 12:00:00",
       "2024-02-29 12:00:00.999",
       "2024-02-29 12:00:00",
       "2024-02-29 12:00:00.1",
       "1901",
       "\"x\"",
       "d,e",
       "x,y,z"},
      fields(p.columns.size()),
  };
  auto all_rows = rows;
  all_rows[3][0] = "4";
  ASSERT_THAT(insert(p, all_rows), IsEmpty());
  const auto expect_stored = [&] {
    const auto stored = read(p, all_rows);
    for (std::size_t i = 0; i < all_rows.size(); ++i) {
      ASSERT_TRUE(stored[i].found);
      for (std::size_t c = 0; c < p.columns.size(); ++c)
        EXPECT_EQ(stored[i].values[c], all_rows[i][c]) << "row " << i << " column " << p.columns[c].spoke.name;
    }
  };
  expect_stored();

  columns guard, set;
  for (std::uint16_t c = 1; c < p.columns.size(); ++c) {
    set.push_back(c);
    if (p.columns[c].guarded) guard.push_back(c);
  }
  // Rewritten with itself, all columns guarded: many rows, then one by one.
  std::vector<std::pair<fields, fields>> same;
  for (const auto& row : all_rows) same.push_back({row, row});
  EXPECT_THAT(update(p, set, guard, same), IsEmpty());
  for (const auto& change : same) EXPECT_THAT(update(p, set, guard, {change}), IsEmpty());
  expect_stored();
  // Rotated: each row takes another one's values.
  std::vector<std::pair<fields, fields>> rotated;
  for (std::size_t i = 0; i < all_rows.size(); ++i) {
    fields after = all_rows[(i + 1) % all_rows.size()];
    after[0] = all_rows[i][0];
    rotated.push_back({all_rows[i], after});
  }
  EXPECT_THAT(update(p, set, guard, rotated), IsEmpty());
  for (std::size_t i = 0; i < all_rows.size(); ++i) all_rows[i] = rotated[i].second;
  expect_stored();
  // Each guarded column notices a difference, in many rows and in one.
  for (const auto c : guard) {
    fields other = all_rows[0];
    other[c] = all_rows[1][c];
    if (other[c] == all_rows[0][c]) continue;
    EXPECT_THAT(update(p, {1}, {c}, {{other, other}}), ElementsAre(0)) << p.columns[c].spoke.name;
    EXPECT_THAT(update(p, {1}, {c}, {{other, other}, {all_rows[2], all_rows[2]}}), ElementsAre(0)) << p.columns[c].spoke.name;
  }
  EXPECT_THAT(remove(p, guard, all_rows), IsEmpty());
}

TEST_P(mysql_target_rows, random_floats_come_back_as_they_went) {
  exec("CREATE TABLE fl (id int PRIMARY KEY, f float, d double)");
  const table_pair p = load("fl");
  std::mt19937_64 random(20240229);
  std::vector<fields> rows;
  const auto text = [](auto value) {
    char digits[40];
    return std::string(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
  };
  while (rows.size() < 3000) {
    const std::uint64_t bits = random();
    const auto half = static_cast<std::uint32_t>(random());
    float f;
    double d;
    static_assert(sizeof f == sizeof half && sizeof d == sizeof bits);
    std::memcpy(&f, &half, sizeof f);
    std::memcpy(&d, &bits, sizeof d);
    if (!std::isfinite(f) || !std::isfinite(d)) continue;
    rows.push_back({std::to_string(rows.size()), text(f), text(d)});
  }
  ASSERT_THAT(insert(p, rows), IsEmpty());
  const auto check = [&](const char* how) {
    const auto stored = read(p, rows);
    for (std::size_t i = 0; i < rows.size(); ++i) ASSERT_EQ(stored[i].values, rows[i]) << how;
  };
  check("inserted");
  std::vector<std::pair<fields, fields>> changes;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const fields& other = rows[(i + 7) % rows.size()];
    changes.push_back({rows[i], {rows[i][0], other[1], other[2]}});
  }
  EXPECT_THAT(update(p, {1, 2}, {}, changes), IsEmpty());
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = changes[i].second;
  check("updated");
}

TEST_P(mysql_target_rows, writes_tables_of_other_databases_and_without_a_database_of_its_own) {
  const std::string elsewhere = spoke().make_database();
  for (const std::string& own : {elsewhere, std::string()}) {
    at.database = own;
    open();
    EXPECT_THAT(insert(item, some(1, 4, "a")), IsEmpty());
    EXPECT_THAT(update(item, {2}, {2}, {{row(1, "a"), row(1, "b")}, {row(2, "a"), row(2, "b")}}), IsEmpty());
    EXPECT_THAT(update(item, {2}, {2}, {{row(3, "a"), row(3, "b")}}), IsEmpty());
    EXPECT_TRUE(read(item, {row(1)})[0].found);
    EXPECT_THAT(remove(item, {2}, {row(1, "b"), row(2, "b"), row(4, "b")}), ElementsAre(2));
    EXPECT_THAT(remove(item, {2}, {row(3, "b")}), IsEmpty());
    EXPECT_THAT(remove(item, {2}, {row(4, "a")}), IsEmpty());
    EXPECT_EQ(count("item"), "0");
  }
  spoke().exec("DROP DATABASE " + elsewhere);
}

TEST_P(mysql_target_rows, a_blank_padded_key_and_guard_match_what_char_columns_return) {
  exec("CREATE TABLE padded (k char(4) PRIMARY KEY, c char(4), b binary(4))");
  const table_pair p = load("padded");
  insert(p, {{"a", "x", "y"}, {"b", "x", "y"}});
  EXPECT_THAT(update(p, {1}, {1, 2}, {{{"a   ", "x   ", "y"}, {"a", "z", "y"}}, {{"b", "x ", "y"}, {"b", "z", "y"}}}),
              IsEmpty());
  EXPECT_THAT(remove(p, {1, 2}, {{"a ", "z ", "y"}}), IsEmpty());
  EXPECT_EQ(count("padded"), "1");
}

TEST_P(mysql_target_rows, looks_rows_up_by_the_primary_key_only) {
  // Another session holds a row that is not in the run: a scan would wait for it.
  insert(item, some(1, 20, "a"));
  auto other = spoke().session(database);
  other->exec("BEGIN");
  other->exec("SELECT * FROM item WHERE id=10 FOR UPDATE");
  std::vector<std::pair<fields, fields>> changes;
  for (int i : {1, 2, 19, 20}) changes.push_back({row(i, "a"), row(i, "b")});
  EXPECT_THAT(update(item, {2}, {1, 2}, changes), IsEmpty());
  EXPECT_THAT(update(item, {2}, {1, 2}, {{row(3, "x"), row(3, "y")}, {row(4, "a"), row(4, "b")}}), ElementsAre(0));
  EXPECT_THAT(insert(item, {row(1), row(30)}, insert_mode::checked), ElementsAre(0));
  EXPECT_THAT(remove(item, {2}, {row(1, "b"), row(2, "b")}), IsEmpty());
  EXPECT_TRUE(read(item, {row(19), row(5)})[0].found);
  other->exec("ROLLBACK");
}

TEST_P(mysql_target_rows, an_update_leaves_columns_alone_that_the_server_would_set_by_itself) {
  exec("CREATE TABLE t (id int PRIMARY KEY, n int, at datetime(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),"
       " seen timestamp NULL ON UPDATE CURRENT_TIMESTAMP)");
  exec("INSERT INTO t VALUES (1, 1, '2020-01-01', '2020-01-01'), (2, 2, '2020-01-01', '2020-01-01'), (3, 3, '2020-01-01', '2020-01-01')");
  table_pair p = load("t");
  p.columns.pop_back();  // `seen` is not mapped
  open();
  const std::string stamp = "2020-01-01 00:00:00";
  const auto set = [&](const std::string& id, const std::string& to) {
    return std::pair<fields, fields>{{id, id, stamp}, {id, to, stamp}};
  };
  EXPECT_THAT(update(p, {1}, {}, {set("1", "11"), set("2", "12")}), IsEmpty());
  EXPECT_THAT(update(p, {1}, {}, {set("3", "13")}), IsEmpty());
  begin();
  const columns n = {1};
  EXPECT_TRUE(t->force(p, operation::update, store.add({"1", "11", stamp}), store.add({"1", "21", stamp}), n));
  commit();
  EXPECT_EQ(query("SELECT n FROM t ORDER BY id"), (sql_rows{{"21"}, {"12"}, {"13"}}));
  EXPECT_EQ(scalar("SELECT COUNT(*) FROM t WHERE at = '2020-01-01' AND seen = '2020-01-01'"), "3");
}

TEST_P(mysql_target_rows, emptying_tables_goes_from_the_children_to_the_parents) {
  exec("CREATE TABLE parent (id int PRIMARY KEY)");
  exec("CREATE TABLE child (id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES parent (id))");
  exec("CREATE TABLE grandchild (id int PRIMARY KEY, c int, FOREIGN KEY (c) REFERENCES child (id))");
  exec("INSERT INTO parent VALUES (1)"), exec("INSERT INTO child VALUES (1, 1)"), exec("INSERT INTO grandchild VALUES (1, 1)");
  table_pair parent = load("parent"), child = load("child"), grandchild = load("grandchild");
  parent.id = 0, child.id = 1, grandchild.id = 2;
  child.parents = {0}, grandchild.parents = {1};
  open();
  begin();
  const table_pair* tables[] = {&parent, &child, &grandchild};
  t->truncate(tables);
  commit();
  EXPECT_EQ(count("parent") + count("child") + count("grandchild"), "000");
}

INSTANTIATE_TEST_SUITE_P(each, mysql_target_rows, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace
}  // namespace duet::testing
