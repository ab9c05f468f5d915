// Scenario 44: the spoke is out of reach while home writes more than the hub may keep.
#include <fstream>

#include "scenario_fixture.hpp"

namespace duet::testing {

TEST_P(scenario, s44_an_outage_of_the_spoke_costs_no_memory_and_what_met_before_it_is_decided_after_it) {
  given("INSERT INTO merged SELECT i, 'old', 'old' FROM generate_series(4401, 4408) i");
  const auto peak_kb = [&] {
    std::ifstream in("/proc/" + std::to_string(hub().pid()) + "/status");
    for (std::string line; std::getline(in, line);)
      if (line.starts_with("VmHWM:")) return std::stol(line.substr(6));
    throw std::runtime_error("the system does not tell how much memory the hub has");
  };
  std::ofstream("/proc/" + std::to_string(hub().pid()) + "/clear_refs") << "5";  // its peak so far is forgotten
  [[maybe_unused]] const long before = peak_kb();
  const auto restarts = [&] { return link_->status()["hub"]["restarts"].get<int>(); };
  const int restarts_before = restarts();
  link_->to_spoke.freeze(true);
  at_spoke("UPDATE merged SET f = 'spoke' WHERE id BETWEEN 4401 AND 4405");
  let_time_pass();
  at_home("UPDATE merged SET f = 'home' WHERE id BETWEEN 4403 AND 4408");
  constexpr int transactions = 40, rows = 1000;
  const std::string value(1000, 'x');
  for (int i = 0; i < transactions; ++i)
    at_home("INSERT INTO kv SELECT i, 0, '" + value + "' FROM generate_series(" + std::to_string(440000 + rows * i) + ", " + std::to_string(440000 + rows * (i + 1) - 1) + ") i");
  // The hub reads no more of home's log.
  std::string sent;
  EXPECT_TRUE(eventually([&] {
    const auto now = at_home("SELECT sent_lsn, sent_lsn < pg_current_wal_lsn() - 10000000 FROM pg_stat_replication JOIN pg_replication_slots ON pid = active_pid WHERE slot_name = 'duet_" +
                             link_->link_ + "'").at(0);
    return std::exchange(sent, *now[0]) == *now[0] && now[1] == "t";
  }, 20s)) << "its memory has taken all";
  link_->to_spoke.freeze(false);
  ASSERT_TRUE(eventually([&] { return at_spoke("SELECT count(*) FROM kv WHERE id >= 440000") == sql_rows{{std::to_string(transactions * rows)}}; }, 60s)) << hub().output();
  settle();
  expect_both("SELECT f, count(*), min(id) FROM merged WHERE id BETWEEN 4401 AND 4408 GROUP BY f ORDER BY f", {{"home", "6", "4403"}, {"spoke", "2", "4401"}});
  for (const int id : {4401, 4402, 4406, 4407, 4408}) EXPECT_EQ(log_of("merged", id), sql_rows{});
  for (const int id : {4403, 4404, 4405}) {
    EXPECT_EQ(log_of("merged", id), (sql_rows{{"update_origin_differs", "latest", "home", "home's row stands and was sent to the spoke again"}}));
    EXPECT_EQ(log_of("merged", id, "home_row ->> 'f', spoke_row ->> 'f', result_row ->> 'f'"), (sql_rows{{"home", "spoke", "home"}}));
  }
#ifndef __SANITIZE_ADDRESS__  // which keeps what was freed
  EXPECT_LT(peak_kb() - before, 30'000) << "of the " << transactions * rows / 1000 << " MB that home wrote";
#endif
  EXPECT_EQ(restarts(), restarts_before) << hub().output();
  at_home("DELETE FROM kv WHERE id >= 440000");
  settle();
  expect_clean("merged");
  expect_clean("kv");
}

}  // namespace duet::testing
