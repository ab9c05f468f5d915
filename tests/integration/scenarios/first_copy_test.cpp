// Scenario 42: a table is copied while many write it. A log position is no snapshot of PostgreSQL: what a chunk would take for
// already read, or read twice, is an addition too few or too many at the spoke.
#include "scenario_fixture.hpp"

namespace duet::testing {

namespace {

class scenario_of_a_first_copy : public sync_test {
 protected:
  static constexpr int keys = 20000, writers = 12;
  scenario_of_a_first_copy() {
    at_home("CREATE TABLE item (id bigint PRIMARY KEY, n bigint NOT NULL); ALTER TABLE item REPLICA IDENTITY FULL;"
            "INSERT INTO item SELECT i, 0 FROM generate_series(1, " + std::to_string(keys) + ") i");
    at_spoke("CREATE TABLE item (id bigint PRIMARY KEY, n bigint NOT NULL)");
    write_config("  - home: public.item\n    initial: copy_from_home\n    conflict: { rule: home }\n");
  }
};

INSTANTIATE_TEST_SUITE_P(each, scenario_of_a_first_copy, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

TEST_P(scenario_of_a_first_copy, s42_no_stale_value_arrives_while_twelve_write_the_rows_that_are_read) {
  const unsigned s = seed();
  SCOPED_TRACE("DUET_SEED=" + std::to_string(s));
  set_up();
  if (HasFatalFailure()) return;
  std::atomic<int> written{0}, before{0}, behind{0};
  std::atomic<int> copied{0};  // the key up to which the spoke has rows
  std::vector<std::jthread> all;
  for (unsigned w = 0; w < writers; ++w)
    all.emplace_back([&, w](std::stop_token stop) {
      const auto session = home().session(home_db_);
      std::minstd_rand random(s + w);
      while (!stop.stop_requested()) {  // around the place where the copy is, most of the time
        const int at = copied, key = random() % 4 ? at + static_cast<int>(random() % 4000) - 1000 : static_cast<int>(random() % keys) + 1;
        if (key < 1 || key > keys) continue;
        session->exec("UPDATE item SET n = n + 1 WHERE id = " + std::to_string(key));
        ++written;
        ++(key > at ? before : behind);
      }
    });
  ASSERT_TRUE(eventually([&] { return written > 200; }, 20s));
  start();
  if (HasFatalFailure()) return;
  const int at_start = before;
  ASSERT_TRUE(eventually([&] {
    copied = std::stoi(at_spoke("SELECT coalesce(max(id), 0) FROM item").at(0).at(0).value());
    return at_spoke("SELECT count(*) FROM duet.first_copy WHERE link = '" + link_ + "' AND done") == sql_rows{{"1"}} || !hub_->running();
  }, 60s)) << hub_->output();
  all.clear();
  settle(*hub_);
  if (HasFatalFailure()) return;
  EXPECT_GT(before - at_start, 50) << "nothing was written before the copy came to it";
  EXPECT_GT(behind, 50);
  expect_both("SELECT count(*), sum(n) FROM item", {{std::to_string(keys), std::to_string(written)}});
  EXPECT_EQ(at_home("SELECT id, n FROM item WHERE n > 0 ORDER BY id"), at_spoke("SELECT id, n FROM item WHERE n > 0 ORDER BY id"));
  for (const auto& rows : {at_home("SELECT key, type FROM duet.conflict_log WHERE link = '" + link_ + "'"), at_spoke("SELECT `key`, type FROM duet.conflict_log WHERE link = '" + link_ + "'")})
    EXPECT_EQ(rows, sql_rows{});
  expect_equal();
}

}  // namespace duet::testing
