// Scenarios 33 to 35: values that are written in more than one way, and a trigger that changes them.
#include "scenario_fixture.hpp"

namespace duet::testing {

using ::testing::HasSubstr;

TEST_P(scenario, s33_a_change_that_the_spokes_collation_does_not_see_arrives_beside_one_of_another_column) {
  given("INSERT INTO folded VALUES (3301, 'abc', 'old'), (3302, 'abc', 'old')");
  unseen([&] {
    at_spoke("UPDATE folded SET f = 'ABC' WHERE id = 3301");
    at_home("UPDATE folded SET g = 'home' WHERE id = 3301");
    at_home("UPDATE folded SET f = 'ABC' WHERE id = 3302");
    at_spoke("UPDATE folded SET g = 'spoke' WHERE id = 3302");
  });
  EXPECT_EQ(at_spoke("SELECT 'abc' COLLATE utf8mb4_general_ci = 'ABC'"), (sql_rows{{"1"}}));
  expect_both("SELECT id, f, g FROM folded ORDER BY id", {{"3301", "ABC", "home"}, {"3302", "ABC", "spoke"}});
  EXPECT_EQ(log_of("folded"), sql_rows{});
  expect_clean("folded");
}

TEST_P(scenario, s34_values_that_each_side_writes_in_its_own_way_go_round_without_a_difference) {
  // Of each lane: what it has written. A settling adds two rows to each.
  const auto applied = [&] { return std::pair(lane("home_to_spoke")["rows"]["applied"].get<int>(), lane("spoke_to_home")["rows"]["applied"].get<int>()); };
  given("INSERT INTO awkward VALUES (3401, 0, 0.1, 0.1, 123456789012345678.12345678901234567891, '2024-02-29 23:59:59.999999', '{\"b\": 1, \"a\": [1.50, null, \"\xc3\xbc\"]}', 'ab  ')");
  at_spoke("INSERT INTO awkward VALUES (3402, 0, 0.1, 0.1, 123456789012345678.12345678901234567891, '2024-02-29 23:59:59.999999', '{\"b\": 1, \"a\": [1.50, null, \"\xc3\xbc\"]}', 'ab  ')");
  settle();
  auto [to_spoke, to_home] = applied();
  for (int turn = 1; turn <= 20; ++turn) {
    const std::string update = "UPDATE awkward SET turn = " + std::to_string(turn), look = "SELECT count(*) FROM awkward WHERE turn = " + std::to_string(turn);
    const bool from_home = turn % 2;
    from_home ? at_home(update) : at_spoke(update);
    ASSERT_TRUE(eventually([&] { return (from_home ? at_spoke(look) : at_home(look)) == sql_rows{{"2"}}; }, 20s)) << hub().output();
  }
  settle();
  const sql_row row = {"20", "123456789012345678.12345678901234567891", "2024-02-29 23:59:59.999999"};
  expect_both("SELECT turn, x, t FROM awkward", {row, row});
  EXPECT_EQ(at_home("SELECT r, d, c, j->>'b', j->'a'->>2 FROM awkward"), sql_rows(2, {"0.1", "0.1", "ab        ", "1", "\xc3\xbc"}));
  EXPECT_EQ(at_spoke("SELECT d = 0.1e0, r = CAST(0.1 AS FLOAT), c, JSON_EXTRACT(j, '$.b') = 1, JSON_UNQUOTE(JSON_EXTRACT(j, '$.a[2]')) FROM awkward"),
            sql_rows(2, {"1", "1", "ab", "1", "\xc3\xbc"}));
  EXPECT_EQ(log_of("awkward"), sql_rows{});
  expect_clean("awkward");
  EXPECT_TRUE(eventually([&] { return applied() == std::pair(to_spoke + 22, to_home + 22); }, 5s)) << ::testing::PrintToString(applied());
  settle();
  EXPECT_TRUE(eventually([&] { return applied() == std::pair(to_spoke + 24, to_home + 24); }, 5s)) << "what came back is answered: " << ::testing::PrintToString(applied());
}

// The trigger fires on Duet's write as well. What it adds stays where it is: `duet check` names it, `duet verify` finds the
// difference, and nothing goes round.
TEST_P(scenario, s35_what_a_trigger_adds_to_duets_write_stays_there_is_found_and_makes_no_loop) {
  EXPECT_THAT(duet({"check"}).output, HasSubstr("triggers fire on Duet's writes, too, and what they write does not go back home: stamp"));
  given("INSERT INTO stamped_there VALUES (3501, 'old', 'old')");
  at_home("UPDATE stamped_there SET f = 'home' WHERE id = 3501");
  settle();
  settle();
  EXPECT_EQ(at_home("SELECT f, g FROM stamped_there WHERE id = 3501"), (sql_rows{{"home", "old"}}));
  EXPECT_EQ(at_spoke("SELECT f, g FROM stamped_there WHERE id = 3501"), (sql_rows{{"home", "stamped with home"}}));
  EXPECT_EQ(log_of("stamped_there"), sql_rows{});
  EXPECT_THAT(answer({"status"})["hub"]["echo_audit"]["differences"].dump(), HasSubstr(R"({"at":"spoke","column":"g","rows":1,"table":"public.stamped_there"})"));
  const auto found = answer({"verify", "--table", "public.stamped_there"});
  EXPECT_EQ(found["exit_code"], 1) << found;
  EXPECT_EQ(found["tables"][0]["differences"], (nlohmann::json{{{"columns", {"g"}}, {"key", {{"id", "3501"}}}, {"kind", "different"}, {"why", ""}}})) << found;

  // A write of the spoke's own takes the trigger's part along.
  at_spoke("UPDATE stamped_there SET f = 'spoke' WHERE id = 3501");
  settle();
  settle();
  expect_both("SELECT f, g FROM stamped_there WHERE id = 3501", {{"spoke", "stamped with spoke"}});
  EXPECT_EQ(log_of("stamped_there", 3501), (sql_rows{{"update_origin_differs", "drift", "spoke", "the changed columns were written"}}));
  EXPECT_EQ(log_of("stamped_there", 3501, "home_row ->> 'g', spoke_row ->> 'g'"), (sql_rows{{"old", "stamped with spoke"}}));
  EXPECT_EQ(log_at_spoke("stamped_there"), sql_rows{});
  expect_nothing_held("stamped_there");
}

}  // namespace duet::testing
