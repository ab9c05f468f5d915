// Both sides write a row before they have seen each other's write: home's row stands on both sides, what was lost is in
// duet.conflict_log, and no other write is.
#include "sync_fixture.hpp"

using namespace duet::testing;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

namespace {

class conflict : public sync_test {
 protected:
  void SetUp() override {
    set_up();
    if (!HasFatalFailure()) start();
  }
  struct entry {
    std::string type, table, key, home_row, spoke_row, rule, winner;
    bool operator==(const entry&) const = default;
    friend void PrintTo(const entry& e, std::ostream* out) {
      *out << e.type << ' ' << e.table << ' ' << e.key << " home " << e.home_row << " spoke " << e.spoke_row << ' ' << e.rule << ' '
           << e.winner;
    }
  };
  std::vector<entry> conflicts() {
    std::vector<entry> all;
    for (const auto& r : at_home("SELECT type, table_name, key ->> 'id', home_row, spoke_row, rule, winner FROM duet.conflict_log "
                                 "WHERE link = '" + link_ + "' ORDER BY (key ->> 'id')::bigint, id"))
      all.push_back({*r.at(0), *r.at(1), *r.at(2), row(r.at(3)), row(r.at(4)), *r.at(5), *r.at(6)});
    return all;
  }
  static std::string row(const std::optional<std::string>& json) { return json ? nlohmann::json::parse(*json).dump() : "no row"; }
  static std::string kv(int id, int n, const std::string& v) {
    return nlohmann::json{{"id", std::to_string(id)}, {"n", std::to_string(n)}, {"v", v}}.dump();
  }
  static entry lost(const std::string& type, int id, const std::string& home_row, const std::string& spoke_row) {
    return {type, "public.kv", std::to_string(id), home_row, spoke_row, "home", "home"};
  }
  void expect_no_loser_at_the_spoke() {
    EXPECT_EQ(at_spoke("SELECT type, table_name FROM duet.conflict_log WHERE link = '" + link_ + "'"), sql_rows{});
  }
};

INSTANTIATE_TEST_SUITE_P(each, conflict, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

TEST_P(conflict, homes_row_stands_whatever_the_two_writes_were) {
  at_home("INSERT INTO kv VALUES (11, 0, 'old'), (12, 0, 'old'), (13, 0, 'old'), (14, 0, 'old')");
  settle(*hub_);
  if (HasFatalFailure()) return;
  unseen([&] {
    at_home("INSERT INTO kv VALUES (10, 1, 'home')");
    at_spoke("INSERT INTO kv VALUES (10, 2, 'spoke')");
    at_home("UPDATE kv SET v = 'home' WHERE id = 11");
    at_spoke("UPDATE kv SET n = 2, v = 'spoke' WHERE id = 11");  // n is nobody else's
    at_home("UPDATE kv SET v = 'home' WHERE id = 12");
    at_spoke("DELETE FROM kv WHERE id = 12");
    at_home("DELETE FROM kv WHERE id = 13");
    at_spoke("UPDATE kv SET v = 'spoke' WHERE id = 13");
    both("DELETE FROM kv WHERE id = 14");
    at_spoke("INSERT INTO kv VALUES (20, 0, 'nobody else')");
    at_home("INSERT INTO kv VALUES (21, 0, 'nobody else')");
  });
  if (HasFatalFailure()) return;
  expect_equal();
  expect_both("SELECT id, n, v FROM kv WHERE id > 0 ORDER BY id",
              {{"10", "1", "home"}, {"11", "2", "home"}, {"12", "0", "home"}, {"20", "0", "nobody else"}, {"21", "0", "nobody else"}});
  EXPECT_THAT(conflicts(), ElementsAre(lost("insert_exists", 10, kv(10, 1, "home"), kv(10, 2, "spoke")),
                                       lost("update_origin_differs", 11, kv(11, 0, "home"), kv(11, 2, "spoke")),
                                       lost("delete_origin_differs", 12, kv(12, 0, "home"), "no row"),
                                       lost("update_deleted", 13, "no row", kv(13, 0, "spoke"))));
  expect_no_loser_at_the_spoke();
}

TEST_P(conflict, homes_key_change_stands_against_an_update) {
  at_home("INSERT INTO kv VALUES (15, 0, 'old')");
  settle(*hub_);
  if (HasFatalFailure()) return;
  unseen([&] {
    at_home("UPDATE kv SET id = 115 WHERE id = 15");
    at_spoke("UPDATE kv SET v = 'spoke' WHERE id = 15");
  });
  if (HasFatalFailure()) return;
  expect_equal();
  expect_both("SELECT id, n, v FROM kv WHERE id > 0", {{"115", "0", "old"}});
  EXPECT_THAT(conflicts(), ElementsAre(lost("update_deleted", 15, "no row", kv(15, 0, "spoke"))));
  expect_no_loser_at_the_spoke();
}

TEST_P(conflict, homes_update_stands_against_a_key_change) {
  at_home("INSERT INTO kv VALUES (16, 0, 'old')");
  settle(*hub_);
  if (HasFatalFailure()) return;
  unseen([&] {
    at_home("UPDATE kv SET v = 'home' WHERE id = 16");
    at_spoke("UPDATE kv SET id = 116 WHERE id = 16");
  });
  if (HasFatalFailure()) return;
  expect_equal();
  expect_both("SELECT id, n, v FROM kv WHERE id > 0", {{"16", "0", "home"}});
  EXPECT_THAT(conflicts(), ElementsAre(lost("update_origin_differs", 16, kv(16, 0, "home"), kv(116, 0, "old"))));
  expect_no_loser_at_the_spoke();
}

TEST_P(conflict, homes_key_change_stands_against_an_insert_of_the_new_key) {
  at_home("INSERT INTO kv VALUES (17, 0, 'old')");
  settle(*hub_);
  if (HasFatalFailure()) return;
  unseen([&] {
    at_home("UPDATE kv SET id = 117 WHERE id = 17");
    at_spoke("INSERT INTO kv VALUES (117, 2, 'spoke')");
  });
  if (HasFatalFailure()) return;
  expect_equal();
  expect_both("SELECT id, n, v FROM kv WHERE id > 0", {{"117", "0", "old"}});
  EXPECT_THAT(conflicts(), ElementsAre(lost("insert_exists", 117, kv(117, 0, "old"), kv(117, 2, "spoke"))));
  expect_no_loser_at_the_spoke();
}

TEST_P(conflict, homes_insert_stands_against_a_key_change_to_its_key) {
  at_home("INSERT INTO kv VALUES (18, 0, 'old')");
  settle(*hub_);
  if (HasFatalFailure()) return;
  unseen([&] {
    at_home("INSERT INTO kv VALUES (118, 1, 'home')");
    at_spoke("UPDATE kv SET id = 118 WHERE id = 18");
  });
  if (HasFatalFailure()) return;
  // The spoke's whole change is lost, so the row stays at its old key as well.
  expect_equal();
  expect_both("SELECT id, n, v FROM kv WHERE id > 0 ORDER BY id", {{"18", "0", "old"}, {"118", "1", "home"}});
  ASSERT_EQ(conflicts().size(), 1u);
  expect_no_loser_at_the_spoke();
}

TEST_P(conflict, homes_key_change_stands_against_another_key_change_of_the_row) {
  at_home("INSERT INTO kv VALUES (19, 0, 'old')");
  settle(*hub_);
  if (HasFatalFailure()) return;
  unseen([&] {
    at_home("UPDATE kv SET id = 119 WHERE id = 19");
    at_spoke("UPDATE kv SET id = 219 WHERE id = 19");
  });
  if (HasFatalFailure()) return;
  expect_equal();
  expect_both("SELECT id, n, v FROM kv WHERE id > 0", {{"119", "0", "old"}});
  EXPECT_THAT(conflicts(), ElementsAre(lost("update_deleted", 19, "no row", kv(219, 0, "old"))));
  expect_no_loser_at_the_spoke();
}

// A difference that no log shows: the change is the newer one, and the row that was written over is kept.
TEST_P(conflict, a_key_change_to_a_key_that_is_taken_unknown_to_the_log_writes_over_the_row) {
  at_home("INSERT INTO kv VALUES (60, 0, 'old')");
  settle(*hub_);
  if (HasFatalFailure()) return;
  at_spoke("SET SESSION sql_log_bin = 0");
  at_spoke("INSERT INTO kv VALUES (160, 9, 'in no log')");
  at_spoke("SET SESSION sql_log_bin = 1");
  at_home("UPDATE kv SET id = 160 WHERE id = 60");
  settle(*hub_);
  if (HasFatalFailure()) return;
  expect_equal();
  expect_both("SELECT id, n, v FROM kv WHERE id > 0", {{"160", "0", "old"}});
  EXPECT_EQ(at_spoke("SELECT type, rule, winner FROM duet.conflict_log WHERE link = '" + link_ + "'"),
            (sql_rows{{"insert_exists", "drift", "home"}}));
  EXPECT_THAT(conflicts(), IsEmpty());
}

TEST_P(conflict, writes_that_saw_each_other_are_none) {
  at_home("INSERT INTO kv VALUES (30, 0, 'home')");
  for (int turn = 1; turn <= 3; ++turn) {
    const std::string from_home = std::to_string(2 * turn), from_spoke = std::to_string(2 * turn + 1);
    const auto arrives = [&](bool at_the_spoke, const std::string& n) {
      const std::string sql = "SELECT 1 FROM kv WHERE id = 30 AND n = " + n;
      return eventually([&] { return !(at_the_spoke ? at_spoke(sql) : at_home(sql)).empty(); }, 60s);
    };
    at_home("UPDATE kv SET n = " + from_home + " WHERE id = 30");
    ASSERT_TRUE(arrives(true, from_home)) << hub_->output();
    at_spoke("UPDATE kv SET n = " + from_spoke + " WHERE id = 30");
    ASSERT_TRUE(arrives(false, from_spoke)) << hub_->output();
  }
  at_home("DELETE FROM kv WHERE id = 30");
  ASSERT_TRUE(eventually([&] { return at_spoke("SELECT 1 FROM kv WHERE id = 30").empty(); }, 60s)) << hub_->output();
  at_spoke("INSERT INTO kv VALUES (30, 9, 'again')");
  settle(*hub_);
  if (HasFatalFailure()) return;
  expect_equal();
  expect_both("SELECT id, n, v FROM kv WHERE id > 0", {{"30", "9", "again"}});
  EXPECT_THAT(conflicts(), IsEmpty());
  expect_no_loser_at_the_spoke();
}

// The row at home is as the spoke's change expects it; only the log tells.
TEST_P(conflict, a_write_at_home_and_back_while_the_hub_was_down_stands) {
  at_home("INSERT INTO kv VALUES (40, 5, 'old')");
  settle(*hub_);
  if (!HasFatalFailure()) stop_hub();
  if (HasFatalFailure()) return;
  at_home("UPDATE kv SET n = 6 WHERE id = 40");
  at_home("UPDATE kv SET n = 5 WHERE id = 40");
  at_spoke("UPDATE kv SET n = 7 WHERE id = 40");
  start();
  settle(*hub_);
  if (HasFatalFailure()) return;
  expect_equal();
  expect_both("SELECT id, n, v FROM kv WHERE id > 0", {{"40", "5", "old"}});
  EXPECT_THAT(conflicts(), ElementsAre(lost("update_origin_differs", 40, kv(40, 5, "old"), kv(40, 7, "old"))));
}

// Under a running hub the two logs are read at the same time: either write may stand, but it is the same one on both sides.
TEST_P(conflict, a_write_at_home_and_back_unseen_by_a_running_hub_leaves_both_sides_equal) {
  at_home("INSERT INTO kv VALUES (41, 5, 'old')");
  settle(*hub_);
  for (int turn = 1; turn <= 3 && !HasFatalFailure(); ++turn) {
    unseen([&] {
      at_home("UPDATE kv SET n = n + 1 WHERE id = 41");
      at_home("UPDATE kv SET n = n - 1 WHERE id = 41");
      at_spoke("UPDATE kv SET v = 'spoke " + std::to_string(turn) + "' WHERE id = 41");
    });
    expect_equal();
    EXPECT_EQ(at_home("SELECT n FROM kv WHERE id = 41"), (sql_rows{{"5"}}));
  }
}

namespace {

// Writes a few rows that everybody else writes too.
class hot_writer {
 public:
  hot_writer(const private_server& server, const std::string& database, unsigned seed)
      : home_(server.kind() == "postgres"), endpoint_(server.endpoint_of(database)), random_(seed),
        thread_([this](std::stop_token stop) { work(stop); }) {}
  void stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
  }
  std::uint64_t committed() const { return committed_; }

 private:
  std::string some_key() { return std::to_string(500 + random_() % 10); }
  void work(std::stop_token stop) {
    std::unique_ptr<sql_session> session;
    while (!stop.stop_requested()) {
      try {
        if (!session) {
          session = connect(endpoint_);
          if (home_) session->exec("SET deadlock_timeout = '50ms'");
        }
        session->exec("BEGIN");
        for (auto n = 1 + random_() % 3; n > 0; --n) write(*session);
        session->exec("COMMIT");
        ++committed_;
      } catch (const sql_error&) {  // a deadlock, or a key that is taken
        session.reset();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(random_() % 8));
    }
  }
  void write(sql_session& s) {
    const std::string id = some_key(), n = std::to_string(random_() % 1000), v = std::string(home_ ? "'home " : "'spoke ") + n + "'";
    switch (random_() % 6) {
      case 0: return s.exec("DELETE FROM kv WHERE id = " + id);
      case 1: return s.exec("UPDATE kv SET n = n + 1 WHERE id = " + id);
      case 2: return s.exec("UPDATE kv SET v = " + v + " WHERE id = " + id);
      case 3: return s.exec("UPDATE kv SET id = " + some_key() + " WHERE id = " + id);
      default:
        return s.exec("INSERT INTO kv VALUES (" + id + ", " + n + ", " + v + ") " +
                      (home_ ? "ON CONFLICT (id) DO UPDATE SET n = " : "ON DUPLICATE KEY UPDATE n = ") + n + ", v = " + v);
    }
  }

  bool home_;
  duet::endpoint endpoint_;
  std::minstd_rand random_;
  std::atomic<std::uint64_t> committed_{0};
  std::jthread thread_;
};

}  // namespace

TEST_P(conflict, a_storm_on_the_same_rows_from_both_sides_with_a_hub_that_is_killed_ends_equal) {
  const unsigned s = seed();
  SCOPED_TRACE("DUET_SEED=" + std::to_string(s));
  std::minstd_rand random(s);
  constexpr int writers_per_side = 3;
  for (int round = long_form() ? 20 : 1; round > 0; --round) {
    std::vector<std::unique_ptr<hot_writer>> writers;
    for (unsigned w = 0; w < writers_per_side; ++w) {
      writers.push_back(std::make_unique<hot_writer>(home(), home_db_, s + 10 * w + 100 * static_cast<unsigned>(round)));
      writers.push_back(std::make_unique<hot_writer>(spoke(), spoke_db_, s + 10 * w + 100 * static_cast<unsigned>(round) + 1));
    }
    for (int kills = 3; kills > 0; --kills) {
      std::this_thread::sleep_for(std::chrono::milliseconds(200 + random() % 300));
      ASSERT_TRUE(hub_->running()) << hub_->output();
      hub_->kill9();
      start();
      if (HasFatalFailure()) return;
    }
    std::this_thread::sleep_for(300ms);
    for (auto& w : writers) w->stop();
    std::uint64_t committed[2] = {};  // at home, at the spoke
    for (std::size_t w = 0; w < writers.size(); ++w) committed[w % 2] += writers[w]->committed();
    EXPECT_GT(committed[0], 20u);
    EXPECT_GT(committed[1], 20u);
    settle(*hub_);
    if (HasFatalFailure()) return;
    expect_equal();
    if (HasNonfatalFailure()) return;
  }
  EXPECT_GT(conflicts().size(), 0u) << "no two writes have met";
  EXPECT_EQ(at_home("SELECT winner FROM duet.conflict_log WHERE link = '" + link_ + "' AND rule = 'home' AND winner <> 'home'"),
            sql_rows{});
}
