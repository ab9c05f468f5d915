// What goes wrong between the hub and a server while both live: a server that stands still, an application that holds rows
// in the opposite order, an answer that is lost on its way.
#include "sync_fixture.hpp"

#include "support/faulty_proxy.hpp"

using namespace duet::testing;

namespace {

class outage : public sync_test {
 protected:
  void TearDown() override {
    if (!short_timeout_) return;
    home().exec("ALTER SYSTEM RESET wal_sender_timeout");
    home().exec("SELECT pg_reload_conf()");
  }
  // Home drops a reader of its log that has not answered for so long.
  void shorten_wal_sender_timeout(const std::string& time) {
    short_timeout_ = true;
    home().exec("ALTER SYSTEM SET wal_sender_timeout = '" + time + "'");
    home().exec("SELECT pg_reload_conf()");
    ASSERT_TRUE(eventually([&] { return home().session()->scalar("SHOW wal_sender_timeout") == time; }, 30s));
  }
  // The server process that serves our slot.
  std::string walsender() {
    return at_home("SELECT active_pid FROM pg_replication_slots WHERE slot_name = 'duet_" + link_ + "'").at(0).at(0).value_or("none");
  }
  nlohmann::json hub() { return status()["hub"]; }
  std::uint64_t retries(const char* lane) { return hub()["lanes"][lane]["rows"]["retries"]; }

  bool short_timeout_ = false;
};

INSTANTIATE_TEST_SUITE_P(each, outage, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

TEST_P(outage, a_spoke_that_stands_still_while_home_writes_costs_nothing_but_time) {
  const auto standstill = long_form() ? 20s : 5s;
  shorten_wal_sender_timeout(long_form() ? "5s" : "1500ms");
  write_config("", "tuning: { ring: 1MB, block: 64KB }\n");  // so that the reader must wait as well
  set_up();
  start();
  settle(*hub_);
  if (HasFatalFailure()) return;
  const std::string before = walsender();
  ASSERT_NE(before, "none");

  spoke().sigstop();
  const auto until = std::chrono::steady_clock::now() + standstill;
  long last = 0;
  const std::string value(2000, 'x');
  while (std::chrono::steady_clock::now() < until) {
    at_home("INSERT INTO kv SELECT i, 0, '" + value + "' FROM generate_series(" + std::to_string(last + 1) + ", " +
            std::to_string(last + 100) + ") i");
    last += 100;
    EXPECT_EQ(walsender(), before);
    std::this_thread::sleep_for(200ms);
  }
  EXPECT_GT(hub()["lanes"]["home_to_spoke"]["lag_ms"].get<int>(), 1000);
  spoke().sigcont();
  const sql_rows all = {{std::to_string(last)}};
  ASSERT_TRUE(eventually([&] { return at_spoke("SELECT count(*) FROM kv WHERE id > 0") == all; }, 60s)) << hub_->output();
  EXPECT_EQ(walsender(), before) << "home has dropped the reader of its log";
  settle(*hub_);
  if (HasFatalFailure()) return;
  EXPECT_EQ(hub()["restarts"], 0) << hub_->output();
  expect_equal();
}

// The application holds row 2 and asks for row 1, when the hub holds row 1 and waits for row 2.
TEST_P(outage, a_deadlock_with_an_application_is_tried_again) {
  both("CREATE TABLE ballast (id bigint PRIMARY KEY)");  // not synced: who has written more is not the one to give way
  both("INSERT INTO kv VALUES (1, 0, 'a'), (2, 0, 'b')");
  set_up();
  start();
  settle(*hub_);
  if (HasFatalFailure()) return;
  for (const bool hub_writes_home : {true, false}) {
    SCOPED_TRACE(hub_writes_home ? "at home" : "at the spoke");
    const char* lane = hub_writes_home ? "spoke_to_home" : "home_to_spoke";
    const auto hub_waits = [&] {
      if (hub_writes_home)
        return !at_home("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'duet:%:apply' AND "
                        "wait_event_type = 'Lock'").empty();
      return spoke().query("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'").at(0).at(1) != "0";
    };
    int turns = 0;
    const std::uint64_t before = retries(lane);
    for (; retries(lane) == before && turns < 10; ++turns) {
      const auto app = hub_writes_home ? home().session(home_db_) : spoke().session(spoke_db_);
      if (hub_writes_home) app->exec("SET deadlock_timeout = '30s'");  // so it is the hub that finds out, and gives way
      app->exec("BEGIN");
      for (int i = 0; i < 5; ++i) {
        std::string rows = "INSERT INTO ballast VALUES (" + std::to_string(turns * 1000 + i * 100) + ")";
        for (int n = 1; n < 100; ++n) rows += ", (" + std::to_string(turns * 1000 + i * 100 + n) + ")";
        app->exec(rows);
      }
      app->exec("SELECT n FROM kv WHERE id = 2 FOR UPDATE");
      (hub_writes_home ? at_spoke("UPDATE kv SET n = n + 1 WHERE id IN (1, 2)") : at_home("UPDATE kv SET n = n + 1 WHERE id IN (1, 2)"));
      ASSERT_TRUE(eventually(hub_waits, 60s)) << hub_->output();
      try {
        app->exec("SELECT n FROM kv WHERE id = 1 FOR UPDATE");
      } catch (const sql_error&) {  // it was the one to give way this time
      }
      app->exec("ROLLBACK");
    }
    EXPECT_GT(retries(lane), before) << "no deadlock in " << turns << " turns";
    settle(*hub_);
    if (HasFatalFailure()) return;
    EXPECT_EQ(hub()["restarts"], 0) << hub_->output();
    expect_equal();
  }
  const auto sum = at_home("SELECT n FROM kv WHERE id > 0 ORDER BY id");
  ASSERT_EQ(sum.size(), 2u);
  EXPECT_EQ(sum[0], sum[1]);
  EXPECT_GE(std::stoi(*sum[0][0]), 2);
  EXPECT_EQ(at_home("SELECT type, table_name FROM duet.conflict_log WHERE link = '" + link_ + "'"), sql_rows{});
}

// The hub can't know whether what it committed was committed: it asks the control row.
TEST_P(outage, a_commit_whose_answer_is_lost_is_done_once) {
  const unsigned s = seed();
  SCOPED_TRACE("DUET_SEED=" + std::to_string(s));
  faulty_proxy to_home(home().endpoint_of(home_db_)), to_spoke(spoke().endpoint_of(spoke_db_));
  home_port_ = to_home.port();
  spoke_port_ = to_spoke.port();
  write_config();
  set_up();
  start();
  if (HasFatalFailure()) return;
  const std::string commit_at_home("\0commit\0", 8), commit_at_spoke = "COMMIT";  // a prepared statement's name; a statement
  two_way_load load(home(), home_db_, spoke(), spoke_db_, s);
  for (int round = long_form() ? 2 : 1; round > 0; --round) {
    for (const bool happened : {true, false}) {
      for (faulty_proxy* proxy : {&to_home, &to_spoke}) {
        const std::string& commit = proxy == &to_home ? commit_at_home : commit_at_spoke;
        std::this_thread::sleep_for(200ms);
        if (happened) proxy->cut_after_request(commit);
        else proxy->cut_before_request(commit);
        ASSERT_TRUE(eventually([&] { return !proxy->armed() || !hub_->running(); }, 60s)) << hub_->output();
        ASSERT_TRUE(hub_->running()) << hub_->output();
        settle(*hub_);
        if (HasFatalFailure()) return;
      }
    }
  }
  load.stop_writing();
  settle(*hub_);
  load.stop();
  if (HasFatalFailure()) return;
  EXPECT_GE(hub()["restarts"].get<int>(), 4);
  expect_all_there(load);
}

TEST_P(outage, a_stop_in_order_leaves_nothing_to_be_read_again) {
  set_up();
  start();
  at_home("INSERT INTO kv SELECT i, 0, 'x' FROM generate_series(1, 5000) i");
  const auto end = at_home("SELECT pg_current_wal_insert_lsn()").at(0).at(0).value();
  ASSERT_TRUE(eventually([&] { return at_spoke("SELECT count(*) FROM kv") == sql_rows{{"5000"}}; }, 60s)) << hub_->output();
  std::this_thread::sleep_for(500ms);  // what came back has been read; the hub's own row at home would follow in ten seconds
  stop_hub();
  if (HasFatalFailure()) return;
  EXPECT_EQ(at_home("SELECT confirmed_flush_lsn > '" + end + "'::pg_lsn - 10000 FROM pg_replication_slots WHERE slot_name = 'duet_" + link_ + "'"), sql_rows{{"t"}});
  start();
  settle(*hub_);
  if (HasFatalFailure()) return;
  EXPECT_LT(hub()["lanes"]["spoke_to_home"]["rows"]["read"].get<int>(), 5000) << "the echo is read a second time";
  expect_equal();
}

TEST_P(outage, a_stop_does_not_wait_for_a_server_that_stands_still) {
  set_up();
  for (private_server* frozen : {static_cast<private_server*>(&spoke()), static_cast<private_server*>(&home())}) {
    start();
    settle(*hub_);
    if (HasFatalFailure()) return;
    frozen->sigstop();
    if (frozen == &spoke()) at_home("INSERT INTO kv VALUES (1, 0, 'waits')");
    else at_spoke("INSERT INTO kv VALUES (2, 0, 'waits')");
    std::this_thread::sleep_for(300ms);
    hub_->signal(SIGTERM);
    const auto code = hub_->wait(10s);
    frozen->sigcont();
    ASSERT_TRUE(code) << "it did not stop within 10 s:\n" << hub_->output();
    EXPECT_EQ(*code, 0) << hub_->output();
  }
  start();
  settle(*hub_);
  if (HasFatalFailure()) return;
  expect_both("SELECT id FROM kv WHERE id > 0 ORDER BY id", {{"1"}, {"2"}});
}
