// Scenarios 11 to 15: updates, inserts and deletes of one row.
#include "scenario_fixture.hpp"

namespace duet::testing {

TEST_P(scenario, s11_an_update_wins_against_a_delete_and_brings_the_whole_row_back) {
  const std::string big(50000, 'b');
  given("INSERT INTO kept VALUES (1101, 'old', 'old', 7, '" + big + "'), (1102, 'old', 'old', 7, '" + big + "')");
  unseen([&] {
    at_home("DELETE FROM kept WHERE id = 1101");
    at_spoke("UPDATE kept SET f = 'spoke' WHERE id = 1101");
    at_home("UPDATE kept SET f = 'home' WHERE id = 1102");
    at_spoke("DELETE FROM kept WHERE id = 1102");
  });
  expect_both("SELECT id, f, g, n, big FROM kept WHERE id IN (1101, 1102) ORDER BY id", {{"1101", "spoke", "old", "7", big}, {"1102", "home", "old", "7", big}});
  EXPECT_EQ(log_of("kept", 1101), (sql_rows{{"update_deleted", "update_wins", "spoke", "the spoke's change stands at home, too"}}));
  EXPECT_EQ(log_of("kept", 1102), (sql_rows{{"delete_origin_differs", "update_wins", "home", "home's row stands and was sent to the spoke again"}}));
  const std::string images = "home_row ->> 'f', spoke_row ->> 'f', result_row ->> 'f', length(result_row ->> 'big')";
  EXPECT_EQ(log_of("kept", 1101, images), (sql_rows{{std::nullopt, "spoke", "spoke", "50000"}}));
  EXPECT_EQ(log_of("kept", 1102, images), (sql_rows{{"home", std::nullopt, "home", "50000"}}));
  expect_clean("kept");
}

TEST_P(scenario, s12_a_delete_wins_against_an_update_and_the_loser_is_logged_whole) {
  given("INSERT INTO dropped VALUES (1201, 'old', 'old'), (1202, 'old', 'old')");
  unseen([&] {
    at_home("DELETE FROM dropped WHERE id = 1201");
    at_spoke("DELETE FROM dropped WHERE id = 1202");
    let_time_pass();  // that the update is the later one changes nothing
    at_spoke("UPDATE dropped SET f = 'spoke' WHERE id = 1201");
    at_home("UPDATE dropped SET f = 'home' WHERE id = 1202");
  });
  expect_both("SELECT id FROM dropped WHERE id IN (1201, 1202)", {});
  EXPECT_EQ(log_of("dropped", 1201), (sql_rows{{"update_deleted", "delete_wins", "home", "the row stays deleted; the spoke was told"}}));
  EXPECT_EQ(log_of("dropped", 1202), (sql_rows{{"delete_origin_differs", "delete_wins", "spoke", "deleted at home, too"}}));
  const std::string images = "home_row ->> 'f', home_row ->> 'g', spoke_row ->> 'f', spoke_row ->> 'g', result_row ->> 'f'";
  EXPECT_EQ(log_of("dropped", 1201, images), (sql_rows{{std::nullopt, std::nullopt, "spoke", "old", std::nullopt}}));
  EXPECT_EQ(log_of("dropped", 1202, images), (sql_rows{{"home", "old", std::nullopt, std::nullopt, std::nullopt}}));
  expect_clean("dropped");
}

// The insert had not seen home's delete. The later one stands; where deletes win, it is lost like an update.
TEST_P(scenario, s13_a_row_that_both_have_deleted_and_the_spoke_inserts_again_is_the_spokes) {
  given("INSERT INTO merged VALUES (1301, 'old', 'old'), (1302, 'old', 'old'); INSERT INTO dropped VALUES (1301, 'old', 'old')");
  unseen([&] {
    both("DELETE FROM merged WHERE id IN (1301, 1302)");
    both("DELETE FROM dropped WHERE id = 1301");
    let_time_pass();
    at_spoke("INSERT INTO merged VALUES (1301, 'again', 'spoke')");
    at_spoke("INSERT INTO dropped VALUES (1301, 'again', 'spoke')");
  });
  expect_both("SELECT id, f, g FROM merged WHERE id IN (1301, 1302)", {{"1301", "again", "spoke"}});
  EXPECT_EQ(log_of("merged", 1301), (sql_rows{{"update_deleted", "latest", "spoke", "the spoke's change stands at home, too"}}));
  EXPECT_EQ(log_of("merged", 1302), sql_rows{});
  expect_both("SELECT id FROM dropped WHERE id = 1301", {});
  EXPECT_EQ(log_of("dropped", 1301), (sql_rows{{"update_deleted", "delete_wins", "home", "the row stays deleted; the spoke was told"}}));
  EXPECT_EQ(log_of("dropped", 1301, "spoke_row ->> 'f', spoke_row ->> 'g', result_row"), (sql_rows{{"again", "spoke", std::nullopt}}));
  expect_clean("merged");
  expect_clean("dropped");
}

// Row by row: the spoke's insert meets home's, then its delete meets what stands.
TEST_P(scenario, s14_the_later_of_an_insert_and_a_delete_of_the_same_new_key_stands) {
  unseen([&] {
    at_spoke("INSERT INTO merged VALUES (1401, 'spoke', NULL)");
    at_spoke("DELETE FROM merged WHERE id = 1401");
    at_home("INSERT INTO merged VALUES (1402, 'home', NULL)");
    let_time_pass();
    at_home("INSERT INTO merged VALUES (1401, 'home', NULL)");
    at_spoke("INSERT INTO merged VALUES (1402, 'spoke', NULL)");
    let_time_pass();
    at_spoke("DELETE FROM merged WHERE id = 1402");
  });
  expect_both("SELECT id, f FROM merged WHERE id IN (1401, 1402)", {{"1401", "home"}});
  EXPECT_EQ(log_of("merged", 1401), (sql_rows{{"insert_exists", "latest", "home", "home's row stands and was sent to the spoke again"},
                                              {"delete_origin_differs", "latest", "home", "home's row stands and was sent to the spoke again"}}));
  EXPECT_EQ(log_of("merged", 1402), (sql_rows{{"insert_exists", "latest", "spoke", "the spoke's change stands at home, too"},
                                              {"delete_origin_differs", "latest", "spoke", "deleted at home, too"}}));
  EXPECT_EQ(log_of("merged", 1401, "spoke_row ->> 'f'"), (sql_rows{{"spoke"}, {std::nullopt}}));
  EXPECT_EQ(log_of("merged", 1402, "home_row ->> 'f'"), (sql_rows{{"home"}, {"spoke"}}));
  expect_clean("merged");
}

TEST_P(scenario, s15_an_update_that_wins_against_a_delete_leaves_both_sides_equal_in_all_columns) {
  given("INSERT INTO kept VALUES (1501, 'old', 'old', 7, 'old')");
  unseen([&] {
    at_spoke("UPDATE kept SET f = 'spoke' WHERE id = 1501");
    at_spoke("DELETE FROM kept WHERE id = 1501");
    let_time_pass();
    at_home("UPDATE kept SET g = 'home' WHERE id = 1501");
  });
  expect_both("SELECT f, g, n, big FROM kept WHERE id = 1501", {{"spoke", "home", "7", "old"}});
  EXPECT_EQ(log_of("kept", 1501), (sql_rows{{"delete_origin_differs", "update_wins", "home", "home's row stands and was sent to the spoke again"}}));
  expect_clean("kept");
}

}  // namespace duet::testing
