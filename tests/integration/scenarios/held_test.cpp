// Scenarios 21 to 25: what a script decides over and over, and what waits for a person.
#include "scenario_fixture.hpp"

namespace duet::testing {

TEST_P(scenario, s21_a_thousand_random_decisions_over_kills_are_each_made_once_and_what_the_log_says_stands) {
  given("INSERT INTO judged SELECT i, 0, 'old' FROM generate_series(1, 1000) i");
  const auto decided = [&] { return std::stoi(*at_home("SELECT count(*) FROM duet.conflict_log WHERE link = '" + link_->link_ + "' AND table_name = 'public.judged'").at(0).at(0)); };
  hub().signal(SIGSTOP);
  {
    const auto at_home = sync_home().session(link_->home_db_), at_spoke = link_->spoke().session(link_->spoke_db_);
    for (int i = 0; i < 10; ++i) {  // several transactions, so that a hub may be killed between them
      const std::string these = " WHERE id > " + std::to_string(100 * i) + " AND id <= " + std::to_string(100 * i + 100);
      at_home->exec("UPDATE judged SET n = 1, f = 'home'" + these);
      at_spoke->exec("UPDATE judged SET n = 2, f = 'spoke'" + these);
    }
  }
  hub().signal(SIGCONT);
  for (int kills = 0; kills < 3; ++kills) {
    const int before = decided();
    ASSERT_TRUE(eventually([&] { return decided() > before || decided() == 1000; }, 20s)) << hub().output();
    hub().kill9();
    link_->start();
    if (HasFatalFailure()) return;
  }
  settle();
  EXPECT_EQ(decided(), 1000);
  const std::string all = "SELECT id, n, f FROM judged ORDER BY id";
  EXPECT_EQ(at_home(all), at_spoke(all));
  EXPECT_EQ(at_home("SELECT id FROM judged j WHERE (SELECT count(*) FROM duet.conflict_log WHERE link = '" + link_->link_ + "' AND table_name = 'public.judged'"
                    " AND key ->> 'id' = j.id::text AND result_row ->> 'n' = j.n::text AND result_row ->> 'f' = j.f) <> 1"),
            sql_rows{});
  EXPECT_EQ(at_home("SELECT DISTINCT type, rule, winner FROM duet.conflict_log WHERE link = '" + link_->link_ + "' AND table_name = 'public.judged' ORDER BY 3"),
            (sql_rows{{"update_origin_differs", "script", "home"}, {"update_origin_differs", "script", "script"}, {"update_origin_differs", "script", "spoke"}}));
  EXPECT_EQ(at_home("SELECT count(*) FROM duet.conflict_log WHERE link = '" + link_->link_ + "' AND table_name = 'public.judged' AND (winner = 'home' AND result_row ->> 'f' <> 'home'"
                    " OR winner = 'spoke' AND result_row ->> 'f' <> 'spoke' OR winner = 'script' AND result_row ->> 'f' <> 'judged')"),
            (sql_rows{{"0"}}));
  expect_clean("judged");
}

TEST_P(scenario, s23_a_key_that_waits_keeps_both_latest_rows_and_the_one_that_is_picked_stands) {
  given("INSERT INTO asked VALUES (2301, 0, 'old'), (2302, 0, 'old')");
  unseen([&] {
    at_home("UPDATE asked SET n = 1, f = 'home' WHERE id = 2301");
    at_spoke("UPDATE asked SET n = 2, f = 'spoke' WHERE id = 2301");
  });
  EXPECT_EQ(log_of("asked", 2301),
            (sql_rows{{"update_origin_differs", "manual", "nobody", "held until someone decides: both sides wrote it, and its rule is manual"}}));
  const auto shown = [&] { return answer({"held", "show", held_id("asked", 2301)})["held"]; };
  EXPECT_EQ(shown()["home_row"]["n"], "1");
  EXPECT_EQ(shown()["spoke_row"]["n"], "2");
  for (int i = 0; i < 10; ++i) {
    at_home("UPDATE asked SET n = " + std::to_string(100 + i) + " WHERE id = 2301");
    at_spoke("UPDATE asked SET n = " + std::to_string(200 + i) + " WHERE id = 2301");
    at_home("UPDATE asked SET n = n + 1 WHERE id = 2302");
  }
  settle();
  EXPECT_EQ(at_home("SELECT n, f FROM asked WHERE id = 2301"), (sql_rows{{"109", "home"}}));
  EXPECT_EQ(at_spoke("SELECT n, f FROM asked WHERE id = 2301"), (sql_rows{{"209", "spoke"}}));
  expect_both("SELECT n, f FROM asked WHERE id = 2302", {{"10", "old"}});
  EXPECT_EQ(shown()["home_row"]["n"], "109");
  EXPECT_EQ(shown()["spoke_row"]["n"], "209");
  EXPECT_EQ(held_at_home("asked", "operation"), sql_rows(11, {"update"}));
  EXPECT_EQ(held_at_spoke("asked", "operation"), sql_rows(10, {"update"})) << "the first one was answered by home's decision";

  resolve("asked", 2301, {"--pick", "spoke"});
  expect_both("SELECT n, f FROM asked WHERE id = 2301", {{"209", "spoke"}});
  EXPECT_EQ(log_of("asked", 2301, "type, rule, winner, home_row ->> 'n', spoke_row ->> 'n', result_row ->> 'n'"),
            (sql_rows{{"update_origin_differs", "manual", "nobody", "1", "2", "1"}, {"held", "manual", "spoke", "109", "209", "209"}}));
  expect_clean("asked");
}

// A child of a parent that waits is refused by its foreign key. Each is decided, the parent first.
TEST_P(scenario, s24_a_child_waits_with_its_parent_and_both_come_when_they_are_decided) {
  at_home("INSERT INTO parent VALUES (2401, 666), (2402, 1)");
  at_home("INSERT INTO child VALUES (2401, 2401, 'waits'), (2402, 2402, 'flows')");
  settle();
  EXPECT_EQ(at_spoke("SELECT id FROM parent WHERE id IN (2401, 2402)"), (sql_rows{{"2402"}}));
  EXPECT_EQ(at_spoke("SELECT id FROM child WHERE id IN (2401, 2402)"), (sql_rows{{"2402"}}));
  EXPECT_EQ(held_at_spoke("parent"), (sql_rows{{"2401", "insert"}}));
  EXPECT_EQ(held_at_spoke("child", "JSON_UNQUOTE(JSON_EXTRACT(`key`, '$.id')), operation, server_code"), (sql_rows{{"2401", "insert", "1452"}}));
  EXPECT_EQ(held_at_home("parent"), sql_rows{});

  resolve("parent", 2401, {"--pick", "home", "--set", "n=5"});
  expect_both("SELECT n FROM parent WHERE id = 2401", {{"5"}});
  resolve("child", 2401, {"--pick", "home"});
  expect_both("SELECT parent_id, f FROM child WHERE id = 2401", {{"2401", "waits"}});
  EXPECT_EQ(log_of("parent", 2401, "type, rule, winner, home_row ->> 'n', spoke_row, result_row ->> 'n'"), (sql_rows{{"held", "manual", "set", "666", std::nullopt, "5"}}));
  EXPECT_EQ(log_of("child", 2401, "type, rule, winner, home_row ->> 'f', spoke_row, result_row ->> 'f'"),
            (sql_rows{{"held", "manual", "home", "waits", std::nullopt, "waits"}}));
  expect_clean("parent");
  expect_clean("child");
}

TEST_P(scenario, s25_one_unique_value_of_two_keys_waits_on_both_sides_until_somebody_decides_about_both) {
  unseen([&] {
    at_home("INSERT INTO unique_one VALUES (2501, 7, 'home')");
    at_spoke("INSERT INTO unique_one VALUES (2502, 7, 'spoke')");
  });
  const std::string rows = "SELECT id, u, f FROM unique_one WHERE id IN (2501, 2502) ORDER BY id";
  EXPECT_EQ(at_home(rows), (sql_rows{{"2501", "7", "home"}}));
  EXPECT_EQ(at_spoke(rows), (sql_rows{{"2502", "7", "spoke"}}));
  EXPECT_EQ(held_at_home("unique_one", "key ->> 'id', operation, server_code"), (sql_rows{{"2502", "insert", "23505"}}));
  EXPECT_EQ(held_at_spoke("unique_one", "JSON_UNQUOTE(JSON_EXTRACT(`key`, '$.id')), operation, server_code"), (sql_rows{{"2501", "insert", "1062"}}));

  resolve("unique_one", 2502, {"--pick", "home"});  // it has none: the spoke's row goes
  EXPECT_EQ(at_spoke(rows), sql_rows{});
  resolve("unique_one", 2501, {"--pick", "home"});
  expect_both(rows, {{"2501", "7", "home"}});
  EXPECT_EQ(log_of("unique_one", 2502, "type, rule, winner, home_row, spoke_row ->> 'f', result_row"),
            (sql_rows{{"held", "manual", "home", std::nullopt, "spoke", std::nullopt}}));
  EXPECT_EQ(log_of("unique_one", 2501, "type, rule, winner, home_row ->> 'f', spoke_row, result_row ->> 'f'"),
            (sql_rows{{"held", "manual", "home", "home", std::nullopt, "home"}}));
  expect_clean("unique_one");
}

}  // namespace duet::testing
