// Scenarios 17 to 20: sums, and a row that one side writes without end.
#include "scenario_fixture.hpp"

namespace duet::testing {

TEST_P(scenario, s17_sums_are_exact_when_the_hub_is_killed_before_it_knows_of_its_commit) {
  given("INSERT INTO account VALUES (1701, 1000, 'old')");
  const std::string commit_at_home("\0commit\0", 8), commit_at_spoke = "COMMIT";  // a prepared statement's name; a statement
  long sum = 1000;
  for (int round = long_form() ? 25 : 1; round > 0; --round) {
    for (const bool happened : {true, false}) {
      for (faulty_proxy* proxy : {&link_->to_home, &link_->to_spoke}) {
        const std::string& commit = proxy == &link_->to_home ? commit_at_home : commit_at_spoke;
        if (happened) proxy->cut_after_request(commit);
        else proxy->cut_before_request(commit);
        at_home("UPDATE account SET balance = balance + 30 WHERE id = 1701");
        at_spoke("UPDATE account SET balance = balance - 10 WHERE id = 1701");
        sum += 20;
        ASSERT_TRUE(eventually([&] { return !proxy->armed() || !hub().running(); }, 60s)) << hub().output();
        hub().kill9();
        link_->start();
        if (HasFatalFailure()) return;
      }
    }
  }
  settle();
  expect_both("SELECT balance, name FROM account WHERE id = 1701", {{std::to_string(sum), "old"}});
  EXPECT_EQ(log_of("account", 1701), sql_rows{});
  expect_clean("account");
}

TEST_P(scenario, s18_a_delta_brings_back_a_row_that_the_other_side_has_deleted) {
  given("INSERT INTO kept VALUES (1801, 'old', 'old', 100, NULL), (1802, 'old', 'old', 100, NULL)");
  unseen([&] {
    at_home("UPDATE kept SET n = n + 30 WHERE id = 1801");
    at_spoke("UPDATE kept SET n = n - 10 WHERE id = 1801");
    at_spoke("DELETE FROM kept WHERE id = 1801");
    at_home("UPDATE kept SET n = n + 30 WHERE id = 1802");
    at_home("DELETE FROM kept WHERE id = 1802");
    at_spoke("UPDATE kept SET n = n - 10 WHERE id = 1802");
  });
  // 1801: home's row, with all that it has accepted. 1802: the spoke's row as it was; what home had added went with its row.
  expect_both("SELECT id, f, n FROM kept WHERE id IN (1801, 1802) ORDER BY id", {{"1801", "old", "120"}, {"1802", "old", "90"}});
  EXPECT_EQ(log_of("kept", 1801), (sql_rows{{"delete_origin_differs", "update_wins", "home", "home's row stands and was sent to the spoke again"}}));
  EXPECT_EQ(log_of("kept", 1802), (sql_rows{{"update_deleted", "update_wins", "spoke", "the spoke's change stands at home, too"}}));
  expect_clean("kept");
}

TEST_P(scenario, s19_a_delta_that_a_check_refuses_waits_and_everything_else_flows) {
  given("INSERT INTO account VALUES (1901, 100, 'old'), (1902, 100, 'old')");
  const auto position = [&] { return std::stoull(*at_home("SELECT position FROM duet.control WHERE link = '" + link_->link_ + "'").at(0).at(0)); };
  const auto before = position();
  unseen([&] {
    at_home("UPDATE account SET balance = balance - 70 WHERE id = 1901");
    at_spoke("UPDATE account SET balance = balance - 60 WHERE id = 1901");
    at_spoke("UPDATE account SET balance = balance - 60 WHERE id = 1902");
  });
  settle();
  EXPECT_GT(position(), before);
  EXPECT_EQ(at_home("SELECT id, balance FROM account WHERE id IN (1901, 1902) ORDER BY id"), (sql_rows{{"1901", "30"}, {"1902", "40"}}));
  EXPECT_EQ(at_spoke("SELECT id, balance FROM account WHERE id IN (1901, 1902) ORDER BY id"), (sql_rows{{"1901", "40"}, {"1902", "40"}}));
  EXPECT_EQ(held_at_home("account", "key ->> 'id', operation, server_code, before_row ->> 'balance', after_row ->> 'balance'"),
            (sql_rows{{"1901", "update", "23514", "100", "40"}}));
  EXPECT_EQ(held_at_spoke("account"), (sql_rows{{"1901", "update"}}));
  EXPECT_EQ(log_of("account", 1901), sql_rows{});

  resolve("account", 1901, {"--pick", "home"});
  expect_both("SELECT id, balance FROM account WHERE id IN (1901, 1902) ORDER BY id", {{"1901", "30"}, {"1902", "40"}});
  EXPECT_EQ(log_of("account", 1901, "type, winner, home_row ->> 'balance', spoke_row ->> 'balance', result_row ->> 'balance'"),
            (sql_rows{{"held", "home", "30", "40", "30"}}));
  both("UPDATE account SET balance = balance - 1 WHERE id = 1901");
  settle();
  expect_both("SELECT balance FROM account WHERE id = 1901", {{"28"}});
  expect_clean("account");
}

TEST_P(scenario, s20_a_row_that_the_spoke_writes_without_end_ends_equal_and_each_write_that_lost_is_logged) {
  given("INSERT INTO hot VALUES (2001, 0)");
  int n = 0;
  const auto write = [&](int times) {
    for (int i = 0; i < times; ++i) at_spoke("UPDATE hot SET n = " + std::to_string(++n) + " WHERE id = 2001");
  };
  unseen([&] {
    write(10);
    at_home("UPDATE hot SET n = 5000 WHERE id = 2001");
    write(10);
    hub().signal(SIGCONT);
    const auto has_seen = [&] { return !at_home("SELECT 1 FROM hot_seen WHERE id = 2001 AND n > 20 AND n <> 5000").empty(); };
    EXPECT_TRUE(eventually([&] { return write(1), has_seen(); }, 20s)) << "no write of the spoke comes home any more";
    write(long_form() ? 500 : 50);
  });
  const std::string last = *at_home("SELECT n FROM hot WHERE id = 2001").at(0).at(0);
  EXPECT_EQ(last, std::to_string(n)) << "the spoke has written on after it had seen home's";
  expect_both("SELECT n FROM hot WHERE id = 2001", {{last}});
  // Each write of the spoke has come home or is in the log, never both.
  const std::string lost = "SELECT (spoke_row ->> 'n')::bigint FROM duet.conflict_log WHERE link = '" + link_->link_ + "' AND table_name = 'public.hot'",
                    came = "SELECT n FROM hot_seen WHERE id = 2001 AND n <> 5000";
  EXPECT_EQ(at_home("SELECT i FROM generate_series(1, " + std::to_string(n) + ") i WHERE i NOT IN (" + lost + ") AND i NOT IN (" + came + ")"), sql_rows{});
  EXPECT_EQ(at_home(lost + " INTERSECT " + came), sql_rows{});
  EXPECT_EQ(at_home("SELECT count(*) FROM (" + lost + ") AS l (n) WHERE n <= 20"), (sql_rows{{"20"}})) << "those that were written before home's came";
  EXPECT_EQ(at_home("SELECT DISTINCT type, rule, winner, home_row ->> 'n', result_row ->> 'n' FROM duet.conflict_log WHERE link = '" + link_->link_ + "' AND table_name = 'public.hot'"),
            (sql_rows{{"update_origin_differs", "home", "home", "5000", "5000"}}));
  expect_clean("hot");
}

}  // namespace duet::testing
