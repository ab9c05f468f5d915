// Scenarios 1 to 10: disjoint columns, and the later write.
#include "scenario_fixture.hpp"

namespace duet::testing {

TEST_P(scenario, s01_disjoint_columns_both_stand) {
  given("INSERT INTO merged VALUES (101, 'old', 'old')");
  unseen([&] {
    at_home("UPDATE merged SET f = '1' WHERE id = 101");
    at_spoke("UPDATE merged SET g = '2' WHERE id = 101");
  });
  expect_both("SELECT f, g FROM merged WHERE id = 101", {{"1", "2"}});
  EXPECT_EQ(log_of("merged", 101), sql_rows{});
  expect_clean("merged");
}

TEST_P(scenario, s02_the_later_write_of_one_column_stands_and_the_loser_is_logged) {
  given("INSERT INTO merged VALUES (201, 'old', 'old'), (202, 'old', 'old')");
  unseen([&] {
    at_home("UPDATE merged SET f = '1' WHERE id = 201");
    at_spoke("UPDATE merged SET f = '1' WHERE id = 202");
    let_time_pass();
    at_spoke("UPDATE merged SET f = '2' WHERE id = 201");
    at_home("UPDATE merged SET f = '2' WHERE id = 202");
  });
  expect_both("SELECT id, f, g FROM merged WHERE id IN (201, 202) ORDER BY id", {{"201", "2", "old"}, {"202", "2", "old"}});
  EXPECT_EQ(log_of("merged", 201), (sql_rows{{"update_origin_differs", "latest", "spoke", "the spoke's change stands at home, too"}}));
  EXPECT_EQ(log_of("merged", 202), (sql_rows{{"update_origin_differs", "latest", "home", "home's row stands and was sent to the spoke again"}}));
  const std::string images = "base_row ->> 'f', home_row ->> 'f', spoke_row ->> 'f', result_row ->> 'f', home_time < spoke_time";
  EXPECT_EQ(log_of("merged", 201, images), (sql_rows{{"old", "1", "2", "2", "t"}}));
  EXPECT_EQ(log_of("merged", 202, images), (sql_rows{{"old", "2", "1", "2", "f"}}));
  expect_clean("merged");
}

TEST_P(scenario, s04_equal_times_of_a_column_are_homes_whoever_is_delivered_first) {
  given("INSERT INTO stamped VALUES (401, 'old', '2024-01-01'), (402, 'old', '2024-01-01')");
  const std::string same = ", updated_at = '2025-06-01 12:00:00.000001' WHERE id = ";
  unseen([&] {
    at_home("UPDATE stamped SET f = 'home'" + same + "401");
    at_spoke("UPDATE stamped SET f = 'spoke'" + same + "402");
    at_spoke("UPDATE stamped SET f = 'spoke'" + same + "401");
    at_home("UPDATE stamped SET f = 'home'" + same + "402");
  });
  expect_both("SELECT id, f FROM stamped WHERE id IN (401, 402) ORDER BY id", {{"401", "home"}, {"402", "home"}});
  for (int id : {401, 402}) {
    EXPECT_EQ(log_of("stamped", id), (sql_rows{{"update_origin_differs", "latest", "home", "home's row stands and was sent to the spoke again"}}));
    EXPECT_EQ(log_of("stamped", id, "home_row ->> 'f', spoke_row ->> 'f', result_row ->> 'f'"), (sql_rows{{"home", "spoke", "home"}}));
  }
  expect_clean("stamped");
}

// MySQL's log tells microseconds: there the later one stands.
TEST_P(scenario, s05_two_writes_of_one_second_are_homes_at_mariadb) {
  given("INSERT INTO merged VALUES (501, 'old', 'old')");
  bool of_one_second = false;
  for (int turn = 1; turn <= 5 && !of_one_second; ++turn) {
    at_home("DELETE FROM duet.conflict_log WHERE link = '" + link_->link_ + "' AND table_name = 'public.merged' AND key ->> 'id' = '501'");
    const std::string n = std::to_string(turn);
    unseen([&] {
      const std::string second = "SELECT UNIX_TIMESTAMP()";
      const auto now = at_spoke(second);
      EXPECT_TRUE(eventually([&] { return at_spoke(second) != now; }, 5s));
      const auto from = at_spoke(second);
      at_home("UPDATE merged SET f = 'home " + n + "' WHERE id = 501");
      at_spoke("UPDATE merged SET f = 'spoke " + n + "' WHERE id = 501");
      of_one_second = at_spoke(second) == from;
    });
    if (HasFatalFailure()) return;
  }
  ASSERT_TRUE(of_one_second);
  const std::string f = *at_home("SELECT f FROM merged WHERE id = 501").at(0).at(0);
  expect_both("SELECT f, g FROM merged WHERE id = 501", {{f, "old"}});
  EXPECT_EQ(f.substr(0, 4), is_mariadb() ? "home" : "spok");
  EXPECT_EQ(log_of("merged", 501, "type, rule, winner, date_trunc('second', home_time) = date_trunc('second', spoke_time), result_row ->> 'f'"),
            (sql_rows{{"update_origin_differs", "latest", is_mariadb() ? "home" : "spoke", "t", f}}));
  expect_clean("merged");
}

TEST_P(scenario, s06_a_value_that_the_spoke_changed_and_changed_back_stands_against_an_older_one) {
  given("INSERT INTO merged VALUES (601, 'x', 'old')");
  unseen([&] {
    at_home("UPDATE merged SET f = 'z' WHERE id = 601");
    let_time_pass();
    at_spoke("UPDATE merged SET f = 'y' WHERE id = 601");
    at_spoke("UPDATE merged SET f = 'x' WHERE id = 601");
  });
  expect_both("SELECT f, g FROM merged WHERE id = 601", {{"x", "old"}});
  const sql_row each = {"update_origin_differs", "latest", "spoke", "the spoke's change stands at home, too"};
  EXPECT_EQ(log_of("merged", 601), (sql_rows{each, each}));
  EXPECT_EQ(log_of("merged", 601, "home_row ->> 'f', spoke_row ->> 'f', result_row ->> 'f'"), (sql_rows{{"z", "y", "y"}, {"y", "x", "x"}}));
  expect_clean("merged");
}

// The spoke's row is as home's change expects it when that is written, though the spoke has changed it twice meanwhile.
TEST_P(scenario, s07_a_value_changed_back_that_the_hub_has_not_read_stands_all_the_same) {
  given("INSERT INTO merged VALUES (701, 'x', 'old'); INSERT INTO kv VALUES (701, 0, 'locked')");
  // A row that an application has locked keeps the hub from writing at home, and then, when its ring is full, from reading the
  // spoke's log.
  const auto application = sync_home().session(link_->home_db_);
  application->exec("BEGIN");
  application->exec("SELECT n FROM kv WHERE id = 701 FOR UPDATE");
  at_spoke("UPDATE kv SET n = 1 WHERE id = 701");
  std::string rows;
  for (int i = 0; i < 100; ++i) rows += (i ? ", (" : "(") + std::to_string(70100 + i) + ", 0, '" + std::string(20000, 'x') + "')";
  at_spoke("INSERT INTO kv VALUES " + rows);
  nlohmann::json read;
  ASSERT_TRUE(eventually([&] {  // it stands still
    const auto now = lane("spoke_to_home")["read"];
    return std::exchange(read, now) == now && lane("spoke_to_home")["ring_bytes"] > 800'000;
  }, 20s)) << lane("spoke_to_home").dump();
  hub().signal(SIGSTOP);
  at_home("UPDATE merged SET f = 'z' WHERE id = 701");
  let_time_pass();
  at_spoke("UPDATE merged SET f = 'y' WHERE id = 701");
  let_time_pass();
  at_spoke("UPDATE merged SET f = 'x' WHERE id = 701");
  hub().signal(SIGCONT);
  EXPECT_TRUE(eventually([&] { return at_spoke("SELECT f FROM merged WHERE id = 701") == sql_rows{{"z"}}; }, 20s)) << "home's change was not written unseen";
  application->exec("COMMIT");
  settle();
  expect_both("SELECT f, g FROM merged WHERE id = 701", {{"x", "old"}});
  const sql_row each = {"update_origin_differs", "latest", "spoke", "the spoke's change stands at home, too"};
  EXPECT_EQ(log_of("merged", 701), (sql_rows{each, each}));
  expect_both("SELECT count(*) FROM kv WHERE id >= 70100 AND id < 70200", {{"100"}});
  expect_clean("merged");
}

TEST_P(scenario, s09_the_later_of_two_inserts_of_one_key_stands) {
  unseen([&] {
    at_home("INSERT INTO merged VALUES (901, 'home', NULL)");
    at_spoke("INSERT INTO merged VALUES (902, 'spoke', NULL)");
    let_time_pass();
    at_spoke("INSERT INTO merged VALUES (901, NULL, 'spoke')");
    at_home("INSERT INTO merged VALUES (902, NULL, 'home')");
  });
  expect_both("SELECT id, f, g FROM merged WHERE id IN (901, 902) ORDER BY id", {{"901", std::nullopt, "spoke"}, {"902", std::nullopt, "home"}});
  EXPECT_EQ(log_of("merged", 901), (sql_rows{{"insert_exists", "latest", "spoke", "the spoke's change stands at home, too"}}));
  EXPECT_EQ(log_of("merged", 902), (sql_rows{{"insert_exists", "latest", "home", "home's row stands and was sent to the spoke again"}}));
  const std::string images = "home_row ->> 'f', home_row ->> 'g', spoke_row ->> 'f', spoke_row ->> 'g', result_row ->> 'g'";
  EXPECT_EQ(log_of("merged", 901, images), (sql_rows{{"home", std::nullopt, std::nullopt, "spoke", "spoke"}}));
  EXPECT_EQ(log_of("merged", 902, images), (sql_rows{{std::nullopt, "home", "spoke", std::nullopt, "home"}}));
  expect_clean("merged");
}

TEST_P(scenario, s10_two_equal_inserts_of_one_key_leave_one_line_and_no_echo_without_end) {
  const auto refreshes = [&] { return lane("home_to_spoke")["rows"]["refreshes"].get<int>(); };
  const int before = refreshes();
  unseen([&] { both("INSERT INTO merged VALUES (1001, 'same', 'same')"); });
  expect_both("SELECT f, g FROM merged WHERE id = 1001", {{"same", "same"}});
  EXPECT_EQ(log_of("merged", 1001, "type, rule, count(*) OVER ()"), (sql_rows{{"insert_exists", "latest", "1"}}));
  settle();  // what an echo without end would have brought is there by now
  EXPECT_EQ(refreshes() - before, 1);
  EXPECT_EQ(log_of("merged", 1001).size(), 1u);
  expect_clean("merged");
}

}  // namespace duet::testing
