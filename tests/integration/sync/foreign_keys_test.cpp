// Foreign keys at the spoke while home's changes arrive, and columns that the spoke's server sets by itself.
#include "sync_fixture.hpp"

using namespace duet::testing;

namespace {

class foreign_keys : public sync_test {
 protected:
  void begin(const std::vector<std::string>& tables, const std::string& direction) {
    std::string listed;
    for (const auto& table : tables) {
      at_home("ALTER TABLE " + table + " REPLICA IDENTITY FULL");
      listed += "  - home: public." + table + '\n' + (direction.empty() ? "" : "    direction: " + direction + '\n');
    }
    write_config(listed);
    set_up();
    if (!HasFatalFailure()) start();
  }
};

INSTANTIATE_TEST_SUITE_P(each, foreign_keys, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

TEST_P(foreign_keys, a_tree_goes_with_its_root_where_both_sides_cascade) {
  both("CREATE TABLE tree (id bigint PRIMARY KEY, parent bigint, FOREIGN KEY (parent) REFERENCES tree (id) ON DELETE CASCADE)");
  for (const char* direction : {"", "home_to_spoke"}) {
    SCOPED_TRACE(direction);
    if (*direction) {
      stop_hub();
      run({DUET_BINARY, "teardown", "--yes", "-c", config_file()}, 60s);
    }
    ASSERT_NO_FATAL_FAILURE(begin({"tree"}, direction));
    // Two trees: of one the root is the first row by key, of the other the last; and a leaf that stays.
    at_home("INSERT INTO tree VALUES (1, NULL), (90, NULL), (100, NULL)");
    at_home("INSERT INTO tree SELECT i, i / 2 FROM generate_series(2, 40) i");
    at_home("INSERT INTO tree SELECT i, 90 FROM generate_series(50, 60) i");
    ASSERT_NO_FATAL_FAILURE(settle(*hub_));
    expect_both("SELECT count(*) FROM tree", {{"53"}});
    at_home("DELETE FROM tree WHERE id IN (1, 90)");
    ASSERT_NO_FATAL_FAILURE(settle(*hub_));
    if (!spoke().is_mariadb()) {
      // MySQL 9.6 and later may refuse to follow such a tree (error 6575): then its root waits, and everything else flows.
      EXPECT_EQ(at_home("SELECT id FROM tree"), (sql_rows{{"100"}}));
      EXPECT_EQ(at_spoke("SELECT count(*) FROM tree WHERE id NOT IN (1, 90, 100)"), (sql_rows{{"0"}}));
      EXPECT_EQ(at_spoke("SELECT count(*) FROM tree WHERE id <> 100"),
                at_spoke("SELECT count(*) FROM duet.held WHERE link = '" + link_ + "' AND server_code = '6575'"));
      return;
    }
    expect_both("SELECT id FROM tree", {{"100"}});
    at_home("DELETE FROM tree");
    ASSERT_NO_FATAL_FAILURE(settle(*hub_));
    expect_equal();
    EXPECT_EQ(at_home("SELECT type, table_name FROM duet.conflict_log WHERE link = '" + link_ + "'"), sql_rows{});
  }
}

TEST_P(foreign_keys, truncate_cascade_empties_the_children_first) {
  both("CREATE TABLE parent (id bigint PRIMARY KEY)");
  both("CREATE TABLE child (id bigint PRIMARY KEY, parent bigint, FOREIGN KEY (parent) REFERENCES parent (id))");
  ASSERT_NO_FATAL_FAILURE(begin({"parent", "child"}, "home_to_spoke"));
  at_home("INSERT INTO parent VALUES (1), (2)");
  at_home("INSERT INTO child VALUES (1, 1), (2, 2)");
  ASSERT_NO_FATAL_FAILURE(settle(*hub_));
  expect_both("SELECT count(*) FROM child", {{"2"}});
  at_home("TRUNCATE parent CASCADE");
  ASSERT_NO_FATAL_FAILURE(settle(*hub_));
  expect_both("SELECT count(*) FROM parent", {{"0"}});
  expect_both("SELECT count(*) FROM child", {{"0"}});
  expect_equal();
}

TEST_P(foreign_keys, an_update_of_home_does_not_stamp_the_spokes_row) {
  at_home("CREATE TABLE stamped (id bigint PRIMARY KEY, n bigint, at timestamp(6))");
  at_spoke("CREATE TABLE stamped (id bigint PRIMARY KEY, n bigint, at datetime(6) ON UPDATE CURRENT_TIMESTAMP(6))");
  ASSERT_NO_FATAL_FAILURE(begin({"stamped"}, ""));
  at_home("INSERT INTO stamped SELECT i, 0, '2020-01-01' FROM generate_series(1, 5) i");
  ASSERT_NO_FATAL_FAILURE(settle(*hub_));
  at_home("UPDATE stamped SET n = 1");
  at_home("UPDATE stamped SET n = 2 WHERE id = 3");
  ASSERT_NO_FATAL_FAILURE(settle(*hub_));
  expect_both("SELECT count(*), sum(n) FROM stamped WHERE at = '2020-01-01'", {{"5", "6"}});
  at_spoke("UPDATE stamped SET n = 3 WHERE id = 1");
  ASSERT_NO_FATAL_FAILURE(settle(*hub_));
  expect_both("SELECT id, n FROM stamped WHERE at > '2020-01-01'", {{"1", "3"}});
  expect_equal();
}
