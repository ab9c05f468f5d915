// What the configuration says about a table: the way its rows flow, and which columns of the two sides are one.
#include "sync_fixture.hpp"

using namespace duet::testing;

namespace {

class directions : public sync_test {
 protected:
  // Called once the tables are there.
  void sync(const std::string& tables) {
    write_config(tables);
    set_up();
    if (!HasFatalFailure()) start();
  }
  std::uint64_t rows_counted(const std::string& lane, const std::string& what) { return status()["hub"]["lanes"][lane]["rows"][what]; }
};

INSTANTIATE_TEST_SUITE_P(each, directions, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

TEST_P(directions, writes_on_the_wrong_side_of_a_one_way_table_are_not_carried) {
  both("CREATE TABLE down (id bigint PRIMARY KEY, n bigint)");
  both("CREATE TABLE up (id bigint PRIMARY KEY, n bigint)");
  sync("  - home: public.down\n    direction: home_to_spoke\n  - home: public.up\n    direction: spoke_to_home\n");
  if (HasFatalFailure()) return;
  at_home("INSERT INTO down VALUES (1, 1), (2, 2), (3, 3)");
  at_spoke("INSERT INTO up VALUES (1, 1), (2, 2), (3, 3)");
  settle(*hub_);
  if (HasFatalFailure()) return;

  at_spoke("INSERT INTO down VALUES (10, 10)");
  at_spoke("UPDATE down SET n = 20 WHERE id = 2");
  at_spoke("DELETE FROM down WHERE id = 3");
  at_home("INSERT INTO up VALUES (10, 10)");
  at_home("UPDATE up SET n = 20 WHERE id = 2");
  at_home("DELETE FROM up WHERE id = 3");
  settle(*hub_);
  if (HasFatalFailure()) return;
  const sql_rows right = {{"1", "1"}, {"2", "2"}, {"3", "3"}}, wrong = {{"1", "1"}, {"2", "20"}, {"10", "10"}};
  EXPECT_EQ(at_home("SELECT id, n FROM down ORDER BY id"), right);
  EXPECT_EQ(at_spoke("SELECT id, n FROM down ORDER BY id"), wrong);
  EXPECT_EQ(at_spoke("SELECT id, n FROM up ORDER BY id"), right);
  EXPECT_EQ(at_home("SELECT id, n FROM up ORDER BY id"), wrong);
  EXPECT_EQ(rows_counted("home_to_spoke", "filtered"), 3u);
  EXPECT_EQ(rows_counted("spoke_to_home", "filtered"), 3u);

  // The right side goes on, and is the one that counts where the wrong side has meddled.
  at_home("UPDATE down SET n = 21 WHERE id = 2");
  at_home("UPDATE down SET n = 31 WHERE id = 3");
  at_home("INSERT INTO down VALUES (10, 11)");
  at_spoke("UPDATE up SET n = 21 WHERE id = 2");
  at_spoke("DELETE FROM up WHERE id = 3");
  at_spoke("INSERT INTO up VALUES (10, 11)");
  settle(*hub_);
  if (HasFatalFailure()) return;
  expect_both("SELECT id, n FROM down ORDER BY id", {{"1", "1"}, {"2", "21"}, {"3", "31"}, {"10", "11"}});
  expect_both("SELECT id, n FROM up ORDER BY id", {{"1", "1"}, {"2", "21"}, {"10", "11"}});
  expect_equal();
}

TEST_P(directions, a_column_and_a_key_of_another_name_are_the_same_and_an_excluded_one_stays_what_it_was) {
  at_home("CREATE TABLE customer (id bigint PRIMARY KEY, full_name varchar(40), city varchar(40), internal_memo text DEFAULT 'memo');"
          "ALTER TABLE customer REPLICA IDENTITY FULL");
  at_spoke("CREATE TABLE client (client_no bigint PRIMARY KEY, name varchar(40), city varchar(40), score int NOT NULL DEFAULT 7) "
           "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
  sync("  - home: public.customer\n    spoke: client\n    columns: { id: client_no, full_name: name }\n"
       "    exclude: [internal_memo, score]\n");
  if (HasFatalFailure()) return;
  at_home("INSERT INTO customer VALUES (1, 'Ada', 'Paris', 'of home'), (2, 'Grace', 'Rome', 'of home'), (3, 'Mary', 'Oslo', 'of home')");
  at_spoke("INSERT INTO client VALUES (11, 'Alan', 'Bonn', 1), (12, 'Kurt', 'Wien', 1), (13, 'Emil', 'Bern', 1)");
  settle(*hub_);
  if (HasFatalFailure()) return;
  const std::string home = "SELECT id, full_name, city, internal_memo FROM customer ORDER BY id",
                    spoke = "SELECT client_no, name, city, score FROM client ORDER BY client_no";
  EXPECT_EQ(at_home(home), (sql_rows{{"1", "Ada", "Paris", "of home"}, {"2", "Grace", "Rome", "of home"}, {"3", "Mary", "Oslo", "of home"},
                                     {"11", "Alan", "Bonn", "memo"}, {"12", "Kurt", "Wien", "memo"}, {"13", "Emil", "Bern", "memo"}}));
  EXPECT_EQ(at_spoke(spoke), (sql_rows{{"1", "Ada", "Paris", "7"}, {"2", "Grace", "Rome", "7"}, {"3", "Mary", "Oslo", "7"},
                                       {"11", "Alan", "Bonn", "1"}, {"12", "Kurt", "Wien", "1"}, {"13", "Emil", "Bern", "1"}}));

  // On rows of the other side; what only an excluded column tells is nobody's business.
  at_home("UPDATE customer SET internal_memo = 'changed' WHERE id IN (1, 11)");
  at_spoke("UPDATE client SET score = 99 WHERE client_no IN (2, 12)");
  at_home("UPDATE customer SET full_name = 'Alan T.' WHERE id = 11");
  at_home("UPDATE customer SET id = 22 WHERE id = 12");
  at_home("DELETE FROM customer WHERE id = 13");
  at_spoke("UPDATE client SET name = 'Ada L.' WHERE client_no = 1");
  at_spoke("UPDATE client SET client_no = 32 WHERE client_no = 2");
  at_spoke("DELETE FROM client WHERE client_no = 3");
  settle(*hub_);
  if (HasFatalFailure()) return;
  EXPECT_EQ(at_home(home), (sql_rows{{"1", "Ada L.", "Paris", "changed"}, {"11", "Alan T.", "Bonn", "changed"},
                                     {"22", "Kurt", "Wien", "memo"}, {"32", "Grace", "Rome", "of home"}}));
  EXPECT_EQ(at_spoke(spoke), (sql_rows{{"1", "Ada L.", "Paris", "7"}, {"11", "Alan T.", "Bonn", "1"}, {"22", "Kurt", "Wien", "99"},
                                       {"32", "Grace", "Rome", "99"}}));
  EXPECT_EQ(rows_counted("home_to_spoke", "unchanged"), 2u);
  EXPECT_EQ(rows_counted("spoke_to_home", "unchanged"), 2u);
  EXPECT_EQ(at_home("SELECT type, table_name FROM duet.conflict_log WHERE link = '" + link_ + "'"), sql_rows{});
  expect_equal();
}

TEST_P(directions, a_generated_column_is_made_by_each_side_itself) {
  at_home("CREATE TABLE line (id bigint PRIMARY KEY, price int, pieces int, total int GENERATED ALWAYS AS (price * pieces) STORED,"
          " home_only text GENERATED ALWAYS AS ('p' || price) STORED, name varchar(20));"
          "ALTER TABLE line REPLICA IDENTITY FULL");
  at_spoke("CREATE TABLE line (id bigint PRIMARY KEY, price int, pieces int, total int GENERATED ALWAYS AS (price * pieces) STORED,"
           " twice int GENERATED ALWAYS AS (price * 2) VIRTUAL, name varchar(20)) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
  sync("  - home: public.line\n");
  if (HasFatalFailure()) return;
  at_home("INSERT INTO line (id, price, pieces, name) VALUES (1, 2, 3, 'a'), (2, 4, 5, 'b')");
  at_spoke("INSERT INTO line (id, price, pieces, name) VALUES (11, 2, 3, 'c'), (12, 4, 5, 'd')");
  settle(*hub_);
  at_home("UPDATE line SET price = 10 WHERE id IN (1, 11)");
  at_spoke("UPDATE line SET pieces = 10 WHERE id IN (2, 12)");
  settle(*hub_);
  if (HasFatalFailure()) return;
  expect_both("SELECT id, price, pieces, total, name FROM line ORDER BY id",
              {{"1", "10", "3", "30", "a"}, {"2", "4", "10", "40", "b"}, {"11", "10", "3", "30", "c"}, {"12", "4", "10", "40", "d"}});
  EXPECT_EQ(at_home("SELECT home_only FROM line ORDER BY id"), (sql_rows{{"p10"}, {"p4"}, {"p10"}, {"p4"}}));
  EXPECT_EQ(at_spoke("SELECT twice FROM line ORDER BY id"), (sql_rows{{"20"}, {"8"}, {"20"}, {"8"}}));
  expect_equal();
}

// Published, such a table could not be updated any more.
TEST_P(directions, a_virtual_generated_column_at_home_is_refused_where_there_are_any) {
  const std::string table = "CREATE TABLE line (id bigint PRIMARY KEY, price int, twice int GENERATED ALWAYS AS (price * 2) VIRTUAL);";
  if (std::stoi(*at_home("SHOW server_version_num")[0][0]) < 180000) {
    EXPECT_THROW(at_home(table), sql_error);
    return;
  }
  at_home(table + "ALTER TABLE line REPLICA IDENTITY FULL; INSERT INTO line VALUES (1, 1)");
  at_spoke("CREATE TABLE line (id bigint PRIMARY KEY, price int)");
  write_config("  - home: public.line\n");
  const auto r = run({DUET_BINARY, "setup", "-c", config_file()}, 60s);
  EXPECT_EQ(r.exit_code, 4) << r.output;
  EXPECT_THAT(r.output, ::testing::HasSubstr("virtual_column"));
  at_home("UPDATE line SET price = 2");
}

TEST_P(directions, a_key_of_several_columns_is_one_key) {
  at_home("CREATE TABLE stock (shop varchar(10), item int, day date, n bigint, PRIMARY KEY (shop, item, day));"
          "ALTER TABLE stock REPLICA IDENTITY FULL");
  // In another order, which is no matter.
  at_spoke("CREATE TABLE stock (day date, n bigint, item int, shop varchar(10), PRIMARY KEY (day, shop, item)) "
           "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
  sync("  - home: public.stock\n");
  if (HasFatalFailure()) return;
  at_home("INSERT INTO stock (shop, item, day, n) VALUES ('a', 1, '2024-01-01', 1), ('a', 1, '2024-01-02', 2), ('a', 2, '2024-01-01', 3),"
          " ('b', 1, '2024-01-01', 4)");
  at_spoke("INSERT INTO stock (shop, item, day, n) VALUES ('c', 1, '2024-01-01', 1), ('c', 1, '2024-01-02', 2), ('c', 2, '2024-01-01', 3),"
           " ('d', 1, '2024-01-01', 4)");
  settle(*hub_);
  at_home("UPDATE stock SET n = 10 WHERE shop = 'c' AND item = 1 AND day = '2024-01-02'");
  at_home("UPDATE stock SET day = '2024-01-03' WHERE shop = 'a' AND item = 2");
  at_home("DELETE FROM stock WHERE shop = 'b'");
  at_spoke("UPDATE stock SET n = 10 WHERE shop = 'a' AND item = 1 AND day = '2024-01-02'");
  at_spoke("UPDATE stock SET shop = 'e' WHERE shop = 'c' AND item = 2");
  at_spoke("DELETE FROM stock WHERE shop = 'd'");
  settle(*hub_);
  if (HasFatalFailure()) return;
  expect_both("SELECT shop, item, day, n FROM stock ORDER BY shop, item, day",
              {{"a", "1", "2024-01-01", "1"}, {"a", "1", "2024-01-02", "10"}, {"a", "2", "2024-01-03", "3"},
               {"c", "1", "2024-01-01", "1"}, {"c", "1", "2024-01-02", "10"}, {"e", "2", "2024-01-01", "3"}});
  expect_equal();
}
