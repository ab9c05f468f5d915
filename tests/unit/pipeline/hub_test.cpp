// The whole hub, both lanes with their threads, against two databases in memory that fail at random.
#include "duet/hub.hpp"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include "memory_database.hpp"

namespace duet::testing {
namespace {

using namespace std::chrono_literals;

struct two_databases {
  two_databases() {
    spdlog::set_level(spdlog::level::off);
    cfg.link = "test";
    cfg.tune.ring_bytes_max = 64 << 10;
    cfg.tune.block_bytes = 4 << 10;
    cfg.tune.spill_dir = "/tmp";
    cfg.tune.index_bytes_max = 256 << 10;
    cfg.tune.batch_rows_max = 50;
    cfg.tune.heartbeat_s = 1;
    const control_row at_home{"test", 1, just_before(spoke.end()), just_before(home.end()), 0, 0, "s", "h"};
    const control_row at_spoke{"test", 1, just_before(home.end()), just_before(spoke.end()), 0, 0, "h", "s"};
    home.control = at_home;
    spoke.control = at_spoke;
  }
  void start() {
    link = std::make_unique<hub>(cfg, map, factory(home, faults), factory(spoke, faults));
    thread = std::jthread([this](std::stop_token stop) {
      try {
        link->run(stop, false);
      } catch (const failure& f) {
        stopped_by = f.kind;
        stopped_text = f.what();
      }
    });
  }
  void stop() {
    if (!thread.joinable()) return;
    thread.request_stop();
    thread.join();
  }
  ~two_databases() { stop(); }

  // Both sides hold the same rows, and go on doing so.
  bool settles(std::chrono::seconds limit = 20s) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    int quiet = 0;
    while (std::chrono::steady_clock::now() < deadline && !stopped_by) {
      {
        std::scoped_lock both(home.lock, spoke.lock);
        quiet = home.rows == spoke.rows ? quiet + 1 : 0;
      }
      if (quiet > 30) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  }

  memory_database home{side::home, "h"}, spoke{side::spoke, "s"};
  fault_plan faults;
  config cfg;
  mapping map = memory_mapping();
  std::unique_ptr<hub> link;
  std::optional<failure_kind> stopped_by;
  std::string stopped_text;
  std::jthread thread;
};

text_row row(std::string id, std::string value, std::string note = "n", std::string amount = "0") { return {id, value, note, amount}; }

TEST(hub, carries_inserts_updates_and_deletes_both_ways) {
  two_databases d;
  d.home.write("1", row("1", "a"));
  d.spoke.write("2", row("2", "b"));
  d.start();
  ASSERT_TRUE(d.settles());
  EXPECT_EQ(d.home.rows.size(), 2u);
  d.home.write("2", row("2", "b2"));
  d.spoke.write("1", std::nullopt);
  ASSERT_TRUE(d.settles());
  EXPECT_EQ(d.home.rows.size(), 1u);
  EXPECT_EQ(d.spoke.rows.at("2")[1], "b2");
  EXPECT_TRUE(d.home.conflicts.empty() && d.spoke.conflicts.empty());
}

TEST(hub, writes_no_transaction_of_its_own_when_nothing_happens) {
  two_databases d;
  d.start();
  d.home.write("1", row("1", "a"));
  ASSERT_TRUE(d.settles());
  std::this_thread::sleep_for(2500ms);  // the acknowledgement's heartbeat
  const auto home_end = d.home.end(), spoke_end = d.spoke.end();
  EXPECT_LE(d.home.log.size(), 2u);
  EXPECT_EQ(d.spoke.log.size(), 1u);
  std::this_thread::sleep_for(2500ms);
  EXPECT_EQ(d.home.end(), home_end);
  EXPECT_EQ(d.spoke.end(), spoke_end);
  EXPECT_GT(d.home.released.load(), 0u);
}

TEST(hub, lets_home_win_a_conflict_and_keeps_the_loser) {
  two_databases d;
  d.home.write("1", row("1", "base"));
  d.start();
  ASSERT_TRUE(d.settles());
  d.stop();
  d.home.write("1", row("1", "home"));
  d.spoke.write("1", row("1", "spoke"));
  d.start();
  ASSERT_TRUE(d.settles());
  EXPECT_EQ(d.spoke.rows.at("1")[1], "home");
  ASSERT_EQ(d.home.conflicts.size(), 1u);
  EXPECT_EQ(d.home.conflicts[0].type, "update_origin_differs");
  EXPECT_NE(d.home.conflicts[0].spoke_row.find("\"spoke\""), std::string::npos);
}

TEST(hub, holds_a_refused_row_and_lets_the_others_pass) {
  two_databases d;
  d.spoke.refused_values = {"bad"};
  d.start();
  d.home.write_all({{"1", row("1", "good")}, {"2", row("2", "bad")}, {"3", row("3", "good")}});
  d.home.write("2", row("2", "mended"));
  d.home.write("4", row("4", "good"));
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  const auto arrived = [&] {
    std::lock_guard guard(d.spoke.lock);
    return d.spoke.rows.size() == 3 && d.spoke.held.size() == 2;
  };
  while (!arrived() && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(10ms);
  std::scoped_lock both(d.home.lock, d.spoke.lock);
  EXPECT_EQ(d.spoke.rows.size(), 3u);
  EXPECT_FALSE(d.spoke.rows.contains("2"));
  ASSERT_EQ(d.spoke.held.size(), 2u) << "the refused change, and the later one of its key behind it";
  EXPECT_EQ(d.spoke.held[0].server_code, "23514");
  EXPECT_NE(d.spoke.held[1].reason.find("waits behind"), std::string::npos);
}

TEST(hub, measures_the_clocks_logs_them_with_each_conflict_and_warns_beyond_the_limit) {
  two_databases d;
  d.spoke.clock_ahead_us = -1'500'000;
  d.home.clock_ahead_us = 0;
  d.home.write("1", row("1", "base"));
  d.start();
  ASSERT_TRUE(d.settles());
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (!d.link->status().clocks && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(10ms);
  const auto clocks = d.link->status().clocks;
  ASSERT_TRUE(clocks);
  EXPECT_EQ(clocks->offset_us, -1'500'000);
  EXPECT_TRUE(clocks->beyond_limit());
  {
    std::scoped_lock both(d.home.lock, d.spoke.lock);  // neither is seen by the other side
    const text_row before = row("1", "base");
    d.home.append({{}, 0, false, {}, {{operation::update, before, d.home.rows["1"] = row("1", "home")}}});
    d.spoke.append({{}, 0, false, {}, {{operation::update, before, d.spoke.rows["1"] = row("1", "spoke")}}});
  }
  ASSERT_TRUE(d.settles());
  ASSERT_EQ(d.home.conflicts.size(), 1u);
  EXPECT_EQ(d.home.conflicts[0].clock_offset_us, -1'500'000);
}

TEST(hub, removes_old_conflicts_in_batches_but_none_of_keys_that_wait) {
  two_databases d;
  d.cfg.conflict_log_retention_days = 30;
  for (int i = 0; i < 2500; ++i)
    d.home.aged.push_back({{"public.kv", "{\"id\": \"" + std::to_string(i % 500) + "\"}"}, static_cast<std::uint64_t>(i + 1), i < 2400});
  d.home.held_keys = {{"public.kv", "{\"id\":\"7\"}"}};
  d.spoke.held_keys = {{"public.kv", "{\"id\": \"8\"}"}, {"public.other", "{\"id\": \"9\"}"}};
  d.start();
  const auto left = [&] {
    std::lock_guard guard(d.home.log_mutex);
    return d.home.aged.size();
  };
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (left() > 110 && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(left(), 110u) << "100 that are young, and 5 of each key that waits";
  EXPECT_LE(d.home.most_at_once, 1000u);
  d.stop();
  d.cfg.conflict_log_retention_days = 0;
  d.home.held_keys.clear();
  d.spoke.held_keys.clear();
  d.start();
  std::this_thread::sleep_for(200ms);
  EXPECT_EQ(left(), 110u) << "0: kept for ever";
}

TEST(hub, stops_a_table_with_too_many_held_keys_and_goes_on_holding_it_after_a_restart) {
  two_databases d;
  d.map.tables[0].held_limit = 3;
  d.spoke.refused_values = {"bad"};
  d.start();
  const auto held = [&](std::size_t n) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    for (;;) {
      {
        std::lock_guard guard(d.spoke.lock);
        if (d.spoke.held.size() >= n || std::chrono::steady_clock::now() > deadline) return d.spoke.held.size();
      }
      std::this_thread::sleep_for(10ms);
    }
  };
  for (const char* k : {"1", "2", "3"}) d.home.write(k, row(k, "bad"));
  d.home.write("3", row("3", "later"));
  ASSERT_EQ(held(4), 4u);
  EXPECT_TRUE(d.link->status().stopped_tables.empty());
  d.home.write("4", row("4", "bad"));
  ASSERT_EQ(held(6), 6u) << "the change, and what stops the table";
  EXPECT_EQ(d.spoke.held.back().server_code, held_limit_code);
  EXPECT_EQ(d.spoke.held.back().op, operation::truncate);
  d.home.write("5", row("5", "good"));
  ASSERT_EQ(held(7), 7u);
  EXPECT_EQ(d.link->status().stopped_tables, std::vector<std::string>{"public.kv"});
  d.stop();
  d.start();
  d.home.write("6", row("6", "good"));
  ASSERT_EQ(held(8), 8u);
  EXPECT_EQ(d.link->status().stopped_tables, std::vector<std::string>{"public.kv"});
  d.stop();
  std::erase_if(d.spoke.held, [](const held_entry& h) { return h.server_code == held_limit_code; });  // a person lets it go on
  d.start();
  d.home.write("7", row("7", "good"));
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  const auto arrived = [&] {
    std::lock_guard guard(d.spoke.lock);
    return d.spoke.rows.contains("7");
  };
  while (!arrived() && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(10ms);
  EXPECT_TRUE(arrived());
  EXPECT_TRUE(d.link->status().stopped_tables.empty());
}

TEST(hub, marks_what_is_archived_and_clears_the_mark_when_the_row_comes_back) {
  two_databases d;
  d.map.tables[0].deletes[0] = {delete_action::archive, "archived_at", true};
  d.start();
  d.home.write("1", row("1", "a"));
  ASSERT_TRUE(d.settles());
  d.home.write("1", std::nullopt);
  d.home.write("1", row("1", "again"));
  ASSERT_TRUE(d.settles());
  d.stop();
  EXPECT_EQ(d.spoke.rows.at("1")[1], "again");
  ASSERT_GE(d.spoke.marks.size(), 2u);
  EXPECT_EQ(d.spoke.marks.front().first, "1");
  EXPECT_GT(d.spoke.marks.front().second.value_or(0), 1'000'000) << "the delete's own time";
  EXPECT_EQ(d.spoke.marks.back().second, std::nullopt);
}

TEST(hub, refuses_a_log_in_which_another_transaction_stands_at_the_known_position) {
  two_databases d;
  d.start();
  d.home.write("1", row("1", "a"));
  ASSERT_TRUE(d.settles());
  d.stop();
  d.spoke.control->fingerprint ^= 1;
  d.start();
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (!d.stopped_by && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(d.stopped_by, failure_kind::history_changed);
}

TEST(hub, refuses_an_older_copy_of_a_side) {
  two_databases d;
  d.start();
  for (int i = 0; i < 50; ++i) {
    d.home.write("h" + std::to_string(i), row("h" + std::to_string(i), "a"));
    d.spoke.write("s" + std::to_string(i), row("s" + std::to_string(i), "a"));
  }
  ASSERT_TRUE(d.settles());
  std::this_thread::sleep_for(2500ms);  // floors are stored
  d.stop();
  ASSERT_GT(d.home.control->floor.value, 16u);
  d.spoke.control->position = {1};
  d.spoke.control->fingerprint = 0;
  d.start();
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (!d.stopped_by && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(d.stopped_by, failure_kind::history_changed) << d.stopped_text;
}

TEST(hub, spills_instead_of_waiting_in_a_circle_when_both_rings_are_full) {
  two_databases d;
  d.cfg.tune.ring_bytes_max = 32 << 10;  // eight blocks a lane
  const std::string wide(900, 'x');
  for (int i = 0; i < 40; ++i) {
    d.home.write("c" + std::to_string(i), row("c" + std::to_string(i), "h", wide));
    d.spoke.write("c" + std::to_string(i), row("c" + std::to_string(i), "s", wide));
  }
  for (int i = 0; i < 2000; ++i) {  // far more than the rings hold, behind doubtful rows on both sides
    d.home.write("h" + std::to_string(i), row("h" + std::to_string(i), "a", wide));
    d.spoke.write("s" + std::to_string(i), row("s" + std::to_string(i), "a", wide));
  }
  d.start();
  ASSERT_TRUE(d.settles(60s)) << d.stopped_text;
  EXPECT_EQ(d.home.rows.size(), 4040u);
}

TEST(hub, streams_a_transaction_larger_than_memory_into_one_target_transaction) {
  two_databases d;
  d.start();
  std::uint64_t in_memory = 0, in_files = 0;  // of the index of its writes, at most
  std::jthread onlooker([&](std::stop_token over) {
    for (; !over.stop_requested(); std::this_thread::sleep_for(5ms)) {
      const lane_status now = d.link->status().home_to_spoke;
      in_memory = std::max(in_memory, now.index_bytes);
      in_files = std::max(in_files, now.index_spill_bytes);
    }
  });
  std::vector<std::pair<std::string, std::optional<text_row>>> big;
  for (int i = 0; i < 20000; ++i) big.emplace_back(std::to_string(i), row(std::to_string(i), "v"));
  d.home.write_all(big);
  ASSERT_TRUE(d.settles(60s)) << d.stopped_text;
  onlooker.request_stop();
  onlooker.join();
  EXPECT_LE(in_memory, d.cfg.tune.index_bytes_max);
  EXPECT_GT(in_files, 20000u * 40);
  EXPECT_EQ(d.spoke.rows.size(), 20000u);
  EXPECT_EQ(d.spoke.log.size(), 1u);
}

// Writers on both sides, few keys, faults everywhere; then silence, and the books are checked.
class storm : public ::testing::TestWithParam<int> {};

TEST_P(storm, converges_and_loses_no_value_silently) {
  const std::uint64_t seed = GetParam() * 7919;
  SCOPED_TRACE("seed " + std::to_string(seed));
  two_databases d;
  d.faults.seed = seed;
  d.faults.per_mille_lost = seed % 3 ? 10 : 0;
  d.faults.per_mille_doubt = 20;
  d.faults.per_mille_deadlock = 10;
  d.faults.reader_delay_us = seed % 2 ? 3000 : 300;
  std::mutex books;
  std::set<std::string> written, overwritten;
  auto writer = [&](memory_database& db, int n) {
    std::minstd_rand random(seed + n);
    for (int i = 0; i < 250; ++i) {
      const std::string key = "k" + std::to_string(random() % (seed % 4 ? 12 : 3));
      const std::string value = std::to_string(n) + "." + std::to_string(i);
      {
        std::unique_lock guard(db.lock);
        std::optional<text_row> before;
        if (auto it = db.rows.find(key); it != db.rows.end()) before = it->second;
        std::optional<text_row> after = row(key, value);
        if (before && random() % 5 == 0) after = std::nullopt;
        if (before && random() % 7 == 0) after = before;  // an update that changes nothing
        {
          std::lock_guard guard2(books);
          if (before && after != before) overwritten.insert(*(*before)[1]);
          if (after && after != before) written.insert(value);
        }
        std::vector<memory_database::logged> changes{
            {!before ? operation::insert : after ? operation::update : operation::remove, before, after}};
        if (after) db.rows[key] = *after;
        else db.rows.erase(key);
        db.append({{}, 0, false, {}, changes});
      }
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 2000));
    }
  };
  d.start();
  {
    std::vector<std::jthread> writers;
    for (int n = 0; n < 2; ++n) {
      writers.emplace_back(writer, std::ref(d.home), n);
      writers.emplace_back(writer, std::ref(d.spoke), n + 10);
    }
    for (int i = 0; i < 4; ++i) {  // the hub goes away and comes back
      std::this_thread::sleep_for(60ms);
      d.stop();
      ASSERT_FALSE(d.stopped_by) << d.stopped_text;
      d.start();
    }
  }
  d.faults.on = false;
  ASSERT_TRUE(d.settles(30s)) << d.stopped_text << " home " << d.home.rows.size() << " spoke " << d.spoke.rows.size();
  std::string losers;
  for (const auto& c : d.home.conflicts) {
    EXPECT_EQ(c.rule, "home") << "nothing but the two logs wrote to these tables: " << c.type << " " << c.key;
    losers += c.spoke_row;
  }
  EXPECT_TRUE(d.spoke.conflicts.empty());
  std::set<std::string> final_values;
  for (const auto& [k, r] : d.home.rows) final_values.insert(*r[1]);
  for (const std::string& v : written)
    EXPECT_TRUE(final_values.contains(v) || overwritten.contains(v) || losers.find("\"" + v + "\"") != std::string::npos)
        << v << " vanished";
  EXPECT_TRUE(d.home.held.empty() && d.spoke.held.empty());
  const lane_counters c = d.link->status().spoke_to_home.rows;
  EXPECT_EQ(c.read, c.applied + c.unchanged + c.echoes + c.filtered + c.held_back + c.conflicts_lost + c.held + c.deletes_ignored);
  const lane_counters h = d.link->status().home_to_spoke.rows;
  EXPECT_EQ(h.read, h.applied + h.unchanged + h.echoes + h.filtered + h.held_back + h.conflicts_lost + h.held + h.deletes_ignored);
}

INSTANTIATE_TEST_SUITE_P(seeds, storm, ::testing::Range(1, 25));

}  // namespace
}  // namespace duet::testing
