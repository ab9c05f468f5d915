// Scenario 28 with its other policies, and what belongs to it: rows that refer to one that the other side deletes.
#include "scenario_fixture.hpp"

namespace duet::testing {

namespace {

const char* policies[] = {"back", "gone", "emptied"};  // resurrect, drop_child, set_null: tables twig_NAME under branch_NAME under stem
std::string twig(const std::string& policy) { return "twig_" + policy; }

}  // namespace

TEST_P(scenario, s28_a_child_inserted_at_the_spoke_decides_about_its_parent_that_home_has_deleted) {
  given("INSERT INTO stem VALUES (2811, 1), (2812, 2), (2813, 3)");
  unseen([&] {
    at_home("DELETE FROM stem WHERE id IN (2811, 2812, 2813)");
    at_spoke("INSERT INTO twig_back VALUES (2811, 2811, 'spoke')");
    at_spoke("INSERT INTO twig_gone VALUES (2812, 2812, 'spoke')");
    at_spoke("INSERT INTO twig_emptied VALUES (2813, 2813, 'spoke')");
  });
  expect_both("SELECT id, n FROM stem WHERE id BETWEEN 2811 AND 2813", {{"2811", "1"}});
  expect_both("SELECT id, stem_id, f FROM twig_back WHERE id = 2811", {{"2811", "2811", "spoke"}});
  expect_both("SELECT id FROM twig_gone WHERE id = 2812", {});
  expect_both("SELECT id, stem_id, f FROM twig_emptied WHERE id = 2813", {{"2813", std::nullopt, "spoke"}});
  EXPECT_EQ(log_of("stem", 2811, "type, rule, winner, result_row ->> 'n'"), (sql_rows{{"parent_missing", "resurrect", "spoke", "1"}}));
  EXPECT_EQ(log_of("twig_back", 2811, "type, rule, winner, spoke_row ->> 'f'"), (sql_rows{{"parent_missing", "resurrect", "spoke", "spoke"}}));
  EXPECT_EQ(log_of("twig_gone", 2812, "type, rule, winner, spoke_row ->> 'f', result_row"), (sql_rows{{"parent_missing", "drop_child", "home", "spoke", std::nullopt}}));
  EXPECT_EQ(log_of("twig_emptied", 2813, "type, rule, winner, spoke_row ->> 'stem_id', result_row ->> 'stem_id'"),
            (sql_rows{{"parent_missing", "set_null", "both", "2813", std::nullopt}}));
  for (const char* table : {"stem", "twig_back", "twig_gone", "twig_emptied"}) expect_clean(table);
}

TEST_P(scenario, s28_a_child_inserted_at_home_decides_about_its_parent_that_the_spoke_has_deleted) {
  given("INSERT INTO stem VALUES (2821, 1), (2822, 2), (2823, 3)");
  unseen([&] {
    at_spoke("DELETE FROM stem WHERE id IN (2821, 2822, 2823)");
    at_home("INSERT INTO twig_back VALUES (2821, 2821, 'home'); INSERT INTO twig_gone VALUES (2822, 2822, 'home'); INSERT INTO twig_emptied VALUES (2823, 2823, 'home')");
  });
  expect_both("SELECT id, n FROM stem WHERE id BETWEEN 2821 AND 2823", {{"2821", "1"}});
  expect_both("SELECT id, stem_id, f FROM twig_back WHERE id = 2821", {{"2821", "2821", "home"}});
  expect_both("SELECT id FROM twig_gone WHERE id = 2822", {});
  expect_both("SELECT id, stem_id, f FROM twig_emptied WHERE id = 2823", {{"2823", std::nullopt, "home"}});
  EXPECT_EQ(log_of("stem", 2821, "type, rule, winner"), (sql_rows{{"parent_missing", "resurrect", "home"}}));
  EXPECT_EQ(log_of("twig_gone", 2822, "type, rule, winner, home_row ->> 'f', result_row"), (sql_rows{{"parent_missing", "drop_child", "spoke", "home", std::nullopt}}));
  EXPECT_EQ(log_of("twig_emptied", 2823, "type, rule, winner, home_row ->> 'stem_id', result_row ->> 'stem_id'"),
            (sql_rows{{"parent_missing", "set_null", "both", "2823", std::nullopt}}));
  for (const char* table : {"stem", "twig_back", "twig_gone", "twig_emptied"}) expect_clean(table);
}

// The parent's delete takes its children along on both sides; MariaDB does not log that.
TEST_P(scenario, s29_a_cascade_of_the_spoke_meets_a_child_that_home_has_written) {
  given("INSERT INTO root VALUES (2951), (2952); INSERT INTO leaf_back VALUES (1, 2951, 2951, 'old'), (2, 2951, 2951, 'old');"
        "INSERT INTO leaf_gone VALUES (1, 2952, 2952, 'old'), (2, 2952, 2952, 'old')");
  unseen([&] {
    at_spoke("DELETE FROM root WHERE id IN (2951, 2952)");
    at_home("INSERT INTO leaf_back VALUES (3, 2951, 2951, 'home'); UPDATE leaf_gone SET f = 'home' WHERE id = 2; INSERT INTO leaf_gone VALUES (3, 2952, 2952, 'home')");
  });
  expect_both("SELECT id FROM root WHERE id IN (2951, 2952)", {{"2951"}});
  // Where its log has the children, they are deleted before the parent's delete is seen.
  const std::string back = "SELECT id, f FROM leaf_back WHERE a = 2951 ORDER BY id";
  expect_both(back, logs_cascades() ? sql_rows{{"3", "home"}} : sql_rows{{"1", "old"}, {"2", "old"}, {"3", "home"}});
  expect_both("SELECT id FROM leaf_gone WHERE a = 2952", {});
  EXPECT_EQ(log_of("leaf_gone", 3, "type, rule, home_row ->> 'f'"), (sql_rows{{"parent_missing", "drop_child", "home"}}));
  EXPECT_GE(log_of("leaf_gone", 2, "home_row ->> 'f'").size(), 1u);
  for (const char* table : {"root", "leaf_back", "leaf_gone"}) expect_clean(table);
}

// A grandparent comes back with the parent; two columns refer to it.
TEST_P(scenario, s28_what_the_deleted_parent_refers_to_comes_back_with_it) {
  given("INSERT INTO root VALUES (2861); INSERT INTO leaf_back VALUES (2861, 2861, 2861, 'old')");
  unseen([&] {
    at_home("DELETE FROM root WHERE id = 2861");  // and its leaf
    at_spoke("INSERT INTO bud VALUES (1, 2861, 'spoke')");
  });
  expect_both("SELECT id FROM root WHERE id = 2861", {{"2861"}});
  expect_both("SELECT id, a, f FROM leaf_back WHERE id = 2861", {{"2861", "2861", "old"}});
  expect_both("SELECT id, leaf, f FROM bud WHERE id = 1", {{"1", "2861", "spoke"}});
  for (const char* table : {"root", "leaf_back", "bud"}) expect_clean(table);
}

// An update that moves a child to a parent that is gone; the hub is killed while it decides.
TEST_P(scenario, s28_a_child_moved_to_a_deleted_parent_over_kills_of_the_hub) {
  given("INSERT INTO stem SELECT i, i FROM generate_series(284000, 284119) i;"
        "INSERT INTO twig_back SELECT i, 284000, 'old' FROM generate_series(284001, 284039) i;"
        "INSERT INTO twig_gone SELECT i, 284000, 'old' FROM generate_series(284041, 284079) i;"
        "INSERT INTO twig_emptied SELECT i, 284000, 'old' FROM generate_series(284081, 284119) i");
  hub().signal(SIGSTOP);
  at_home("DELETE FROM stem WHERE id BETWEEN 284001 AND 284119");
  for (const char* policy : policies) at_spoke("UPDATE " + twig(policy) + " SET stem_id = id, f = 'moved' WHERE id BETWEEN 284001 AND 284119");
  for (int kill = 0; kill < 3; ++kill) {
    link_->hub_->kill9();
    link_->start();
    std::this_thread::sleep_for(std::chrono::milliseconds(30 * kill));
  }
  settle();
  expect_both("SELECT count(*), min(id), max(id) FROM stem WHERE id BETWEEN 284001 AND 284119", {{"39", "284001", "284039"}});
  expect_both("SELECT count(*), min(f) FROM twig_back WHERE stem_id = id AND id > 284000", {{"39", "moved"}});
  expect_both("SELECT count(*), min(f), max(stem_id) FROM twig_gone WHERE id BETWEEN 284041 AND 284079", {{"39", "old", "284000"}});
  expect_both("SELECT count(*), min(f), max(stem_id) FROM twig_emptied WHERE id BETWEEN 284081 AND 284119", {{"39", "moved", std::nullopt}});
  for (const char* policy : policies)
    EXPECT_EQ(at_home("SELECT count(*), count(DISTINCT key ->> 'id') FROM duet.conflict_log WHERE link = '" + link_->link_ + "' AND table_name = 'public." + twig(policy) +
                      "' AND (key ->> 'id')::int BETWEEN 284001 AND 284119 AND type = 'parent_missing'"),
              (sql_rows{{"39", "39"}})) << policy;
  for (const char* table : {"stem", "twig_back", "twig_gone", "twig_emptied"}) expect_clean(table);
}

}  // namespace duet::testing
