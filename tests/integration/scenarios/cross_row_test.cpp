// Scenarios 27 to 31: several rows, several tables, keys that change, TRUNCATE.
#include "scenario_fixture.hpp"

namespace duet::testing {

TEST_P(scenario, s27_unique_values_swapped_among_many_changes_of_one_batch_arrive) {
  given("INSERT INTO unique_one SELECT i, i, 'old' FROM generate_series(2700, 2799) i");
  const auto change = [&](sql_session& s, int first) {  // 50 rows, the first two of them swapped in the middle; and one by one
    const auto set = [&](int id, const std::string& what) { s.exec("UPDATE unique_one SET " + what + " WHERE id = " + std::to_string(id)); };
    s.exec("BEGIN");
    for (int i = 2; i < 26; ++i) set(first + i, "f = 'before'");
    set(first, "u = NULL");
    set(first + 1, "u = " + std::to_string(first));
    set(first, "u = " + std::to_string(first + 1) + ", f = 'swapped'");
    for (int i = 26; i < 50; ++i) set(first + i, "f = 'after'");
    s.exec("COMMIT");
    set(first + 2, "u = " + std::to_string(-first));
    set(first + 3, "u = " + std::to_string(first + 2));
    set(first + 2, "u = " + std::to_string(first + 3));
  };
  const auto at_home_session = sync_home().session(link_->home_db_), at_spoke_session = link_->spoke().session(link_->spoke_db_);
  unseen([&] {
    change(*at_home_session, 2700);
    change(*at_spoke_session, 2750);
  });
  const std::string rows = "SELECT id, u, f FROM unique_one WHERE id BETWEEN 2700 AND 2799 ORDER BY id";
  EXPECT_EQ(at_home(rows), at_spoke(rows));
  for (const int first : {2700, 2750}) {
    const auto n = [&](int i) { return std::to_string(first + i); };
    expect_both("SELECT id, u, f FROM unique_one WHERE id BETWEEN " + n(0) + " AND " + n(4) + " ORDER BY id",
                {{n(0), n(1), "swapped"}, {n(1), n(0), "old"}, {n(2), n(3), "before"}, {n(3), n(2), "before"}, {n(4), n(4), "before"}});
  }
  expect_both("SELECT f, count(*) FROM unique_one WHERE id BETWEEN 2700 AND 2799 GROUP BY f ORDER BY f", {{"after", "48"}, {"before", "48"}, {"old", "2"}, {"swapped", "2"}});
  EXPECT_EQ(at_home("SELECT key FROM duet.conflict_log WHERE link = '" + link_->link_ + "' AND table_name = 'public.unique_one' AND (key ->> 'id')::int BETWEEN 2700 AND 2799"),
            sql_rows{});
  expect_clean("unique_one");
}

// By default both wait. The parent may come back, or the child may go.
TEST_P(scenario, s28_a_child_inserted_while_its_parent_is_deleted_waits_and_no_side_ever_has_an_orphan) {
  given("INSERT INTO parent VALUES (2801, 1), (2802, 1)");
  unseen([&] {
    at_spoke("INSERT INTO child VALUES (2801, 2801, 'spoke'), (2802, 2802, 'spoke')");
    at_home("DELETE FROM parent WHERE id IN (2801, 2802)");
  });
  const std::string parents = "SELECT id FROM parent WHERE id IN (2801, 2802) ORDER BY id", children = "SELECT id, f FROM child WHERE id IN (2801, 2802) ORDER BY id";
  EXPECT_EQ(at_home(parents), sql_rows{});
  EXPECT_EQ(at_home(children), sql_rows{});
  EXPECT_EQ(at_spoke(parents), (sql_rows{{"2801"}, {"2802"}}));
  EXPECT_EQ(at_spoke(children), (sql_rows{{"2801", "spoke"}, {"2802", "spoke"}}));
  EXPECT_EQ(held_at_home("child", "key ->> 'id', operation, server_code"), (sql_rows{{"2801", "insert", "23503"}, {"2802", "insert", "23503"}}));
  EXPECT_EQ(held_at_spoke("parent", "JSON_UNQUOTE(JSON_EXTRACT(`key`, '$.id')), operation, server_code"), (sql_rows{{"2801", "delete", "1451"}, {"2802", "delete", "1451"}}));
  EXPECT_EQ(log_of("child", 2801), sql_rows{});

  resolve("parent", 2801, {"--pick", "spoke"});
  resolve("child", 2801, {"--pick", "spoke"});
  resolve("child", 2802, {"--delete"});
  resolve("parent", 2802, {"--pick", "home"});
  expect_both(parents, {{"2801"}});
  expect_both(children, {{"2801", "spoke"}});
  EXPECT_EQ(log_of("parent", 2801, "type, rule, winner, result_row ->> 'n'"), (sql_rows{{"held", "manual", "spoke", "1"}}));
  EXPECT_EQ(log_of("child", 2802, "type, rule, winner, spoke_row ->> 'f', result_row"), (sql_rows{{"held", "manual", "delete", "spoke", std::nullopt}}));
  EXPECT_EQ(log_of("parent", 2802, "type, rule, winner, spoke_row ->> 'n', result_row"), (sql_rows{{"held", "manual", "home", "1", std::nullopt}}));
  expect_clean("parent");
  expect_clean("child");
}

TEST_P(scenario, s29_a_delete_at_the_spoke_takes_its_children_along_on_both_sides) {
  given("INSERT INTO owner VALUES (2901), (2902), (2903); INSERT INTO pet SELECT i, 2901 + i % 3, 'old' FROM generate_series(2910, 2918) i");
  at_spoke("DELETE FROM owner WHERE id = 2901");
  settle();
  expect_both("SELECT id FROM owner WHERE id BETWEEN 2901 AND 2903 ORDER BY id", {{"2902"}, {"2903"}});
  expect_both("SELECT count(*), min(owner_id) FROM pet WHERE id BETWEEN 2910 AND 2918", {{"6", "2902"}});
  EXPECT_EQ(log_of("pet"), sql_rows{});
  expect_clean("owner");
  expect_clean("pet");
  unseen([&] {
    at_spoke("DELETE FROM owner WHERE id = 2902");
    let_time_pass();
    at_home("UPDATE pet SET f = 'home' WHERE id = 2911");
  });
  // No child is left without its parent, so home's change is lost on both sides. Where the spoke's log has the children's deletes,
  // it is a conflict; where it has not, the spoke has no parent for the row that comes.
  expect_both("SELECT id, owner_id FROM pet WHERE id BETWEEN 2910 AND 2918 ORDER BY id", {{"2912", "2903"}, {"2915", "2903"}, {"2918", "2903"}});
  expect_both("SELECT id FROM owner WHERE id BETWEEN 2901 AND 2903", {{"2903"}});
  EXPECT_EQ(log_at_spoke("pet"), sql_rows{});
  EXPECT_EQ(held_at_home("pet"), sql_rows{});
  if (logs_cascades()) {
    EXPECT_EQ(log_of("pet", "key ->> 'id', type, rule, winner, home_row ->> 'f', spoke_row"), (sql_rows{{"2911", "delete_origin_differs", "latest", "home", "home", std::nullopt}}));
    EXPECT_EQ(held_at_spoke("pet"), sql_rows{});
  } else {
    EXPECT_EQ(log_of("pet"), sql_rows{});
    EXPECT_EQ(held_at_spoke("pet", "JSON_UNQUOTE(JSON_EXTRACT(`key`, '$.id')), operation, server_code, JSON_UNQUOTE(JSON_EXTRACT(after_row, '$.f'))"),
              (sql_rows{{"2911", "update", "1452", "home"}}));
    resolve("pet", 2911, {"--pick", "home"});  // it has none
    EXPECT_EQ(log_of("pet", 2911, "type, rule, winner, home_row, spoke_row, result_row"), (sql_rows{{"held", "manual", "home", std::nullopt, std::nullopt, std::nullopt}}));
  }
  expect_clean("owner");
  expect_clean("pet");
}

TEST_P(scenario, s30_a_key_that_the_spoke_changed_while_home_wrote_its_row_goes_by_the_rule) {
  given("INSERT INTO merged VALUES (3001, 'old', 'old'), (3002, 'old', 'old')");
  unseen([&] {
    at_home("UPDATE merged SET f = 'home' WHERE id = 3001");
    at_spoke("UPDATE merged SET id = 30020 WHERE id = 3002");
    let_time_pass();
    at_spoke("UPDATE merged SET id = 30010 WHERE id = 3001");
    at_home("UPDATE merged SET f = 'home' WHERE id = 3002");
  });
  // The later one stands whole.
  expect_both("SELECT id, f FROM merged WHERE id IN (3001, 30010, 3002, 30020) ORDER BY id", {{"3002", "home"}, {"30010", "old"}});
  EXPECT_EQ(log_of("merged", 3001), (sql_rows{{"update_origin_differs", "latest", "spoke", "the spoke's change stands at home, too"}}));
  EXPECT_EQ(log_of("merged", 3002), (sql_rows{{"update_origin_differs", "latest", "home", "home's row stands and was sent to the spoke again"}}));
  const std::string images = "home_row ->> 'id', home_row ->> 'f', spoke_row ->> 'id', spoke_row ->> 'f', result_row ->> 'id', result_row ->> 'f'";
  EXPECT_EQ(log_of("merged", 3001, images), (sql_rows{{"3001", "home", "30010", "old", "30010", "old"}}));
  EXPECT_EQ(log_of("merged", 3002, images), (sql_rows{{"3002", "home", "30020", "old", "3002", "home"}}));
  expect_clean("merged");
}

TEST_P(scenario, s31_a_truncate_at_home_stops_the_table_and_what_the_spoke_inserts_waits) {
  given("INSERT INTO emptied VALUES (3101, 'old')");
  unseen([&] {
    at_home("TRUNCATE emptied");
    at_spoke("INSERT INTO emptied VALUES (3102, 'spoke')");
    at_home("INSERT INTO merged VALUES (3101, 'flows', NULL)");
  });
  at_spoke("INSERT INTO emptied VALUES (3103, 'spoke')");
  settle();
  EXPECT_EQ(held_at_spoke("emptied", "operation, reason"), (sql_rows{{"truncate", "TRUNCATE of a table that is synced both ways: the table is stopped until someone decides"}}));
  EXPECT_EQ(at_spoke("SELECT id, f FROM emptied ORDER BY id"), (sql_rows{{"3101", "old"}, {"3102", "spoke"}, {"3103", "spoke"}}));
  // Home had the first one before the spoke was told, or it waits; the second one waits.
  const sql_rows came = at_home("SELECT id::text, f FROM emptied"), waits = held_at_home("emptied", "key ->> 'id', after_row ->> 'f'");
  EXPECT_EQ(came, waits.size() == 1 ? (sql_rows{{"3102", "spoke"}}) : sql_rows{});
  EXPECT_EQ(waits, came.empty() ? (sql_rows{{"3102", "spoke"}, {"3103", "spoke"}}) : (sql_rows{{"3103", "spoke"}}));
  EXPECT_EQ(log_of("emptied"), sql_rows{});
  EXPECT_EQ(link_->status()["hub"]["stopped_tables"], nlohmann::json({"public.emptied"}));
  expect_both("SELECT f FROM merged WHERE id = 3101", {{"flows"}});
}

}  // namespace duet::testing
