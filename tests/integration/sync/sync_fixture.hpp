// Two real databases and the real program between them, as a process that may be killed.
//
// counter: both halves of a pair sum to pair_sum in each transaction; who sees another sum saw half a transaction. Home owns
// the odd pairs and the spoke the even ones; pairs -1 and -2 count the transactions of their side's application.
// kv: rows that come, change and go. Home owns the odd ids and the spoke the even ones.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <random>
#include <thread>

#include "support/servers.hpp"

namespace duet::testing {

using namespace std::chrono_literals;

inline constexpr int pairs = 20, pair_sum = 1000, ids = 60;

inline private_postgres& sync_home() {
  static private_postgres server;
  return server;
}

inline spoke_server& sync_spoke(const std::string& kind) {
  if (kind == "mariadb") {
    static const auto server = make_spoke(kind, {"--sync-binlog=1"});
    return *server;
  }
  static const auto server = make_spoke(kind, {"--sync-binlog=1"});
  return *server;
}

// One side's application: transactions until it is stopped, over as many connections as it takes.
class application {
 public:
  application(const private_server& server, const std::string& database, unsigned seed)
      : home_(server.kind() == "postgres"), endpoint_(server.endpoint_of(database)), random_(seed) {
    thread_ = std::jthread([this](std::stop_token stop) { work(stop); });
  }
  void stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
  }
  std::uint64_t committed() const { return committed_; }
  std::uint64_t doubtful() const { return doubtful_; }  // the server went between COMMIT and its answer

 private:
  long below(unsigned n) { return static_cast<long>(random_() % n); }
  long own(long n) const { return 2 * n + (home_ ? 1 : 0); }

  void work(std::stop_token stop) {
    std::unique_ptr<sql_session> session;
    while (!stop.stop_requested()) {
      bool committing = false;
      try {
        if (!session) session = connect(endpoint_);
        session->exec("BEGIN");
        for (long n = 1 + below(3); n > 0; --n) transfer(*session);
        for (long n = below(4); n > 0; --n) change_a_row(*session);
        session->exec("UPDATE counter SET value = value + 1 WHERE pair = " + std::string(home_ ? "-1" : "-2"));
        committing = true;
        session->exec("COMMIT");
        ++committed_;
        std::this_thread::sleep_for(2ms);
      } catch (const sql_error&) {  // the server is gone, or chose us as a deadlock's victim
        if (committing) ++doubtful_;
        session.reset();
        std::this_thread::sleep_for(20ms);
      }
    }
  }
  void transfer(sql_session& s) {
    const std::string pair = std::to_string(own(below(pairs / 2))), amount = std::to_string(1 + below(50));
    s.exec("UPDATE counter SET value = value + " + amount + " WHERE pair = " + pair + " AND half = 0");
    s.exec("UPDATE counter SET value = value - " + amount + " WHERE pair = " + pair + " AND half = 1");
  }
  void change_a_row(sql_session& s) {
    const std::string id = std::to_string(own(below(ids))), n = std::to_string(below(1000000));
    switch (below(3)) {
      case 0: return s.exec("DELETE FROM kv WHERE id = " + id);
      case 1: return s.exec("UPDATE kv SET n = n + 1 WHERE id = " + id);
      default:
        return s.exec("INSERT INTO kv VALUES (" + id + ", " + n + ", 'value " + n + "') " +
                      (home_ ? "ON CONFLICT (id) DO UPDATE SET n = " : "ON DUPLICATE KEY UPDATE n = ") + n);
    }
  }

  bool home_;
  endpoint endpoint_;
  std::minstd_rand random_;
  std::atomic<std::uint64_t> committed_{0}, doubtful_{0};
  std::jthread thread_;
};

// Looks at one side's pairs all the time.
class onlooker {
 public:
  onlooker(const private_server& server, const std::string& database) {
    thread_ = std::jthread([this, e = server.endpoint_of(database)](std::stop_token stop) {
      std::unique_ptr<sql_session> session;
      while (!stop.stop_requested()) {
        try {
          if (!session) session = connect(e);
          const auto torn = session->query("SELECT pair, sum(value) FROM counter WHERE pair >= 0 GROUP BY pair HAVING sum(value) <> " +
                                           std::to_string(pair_sum));
          torn_ += torn.size();
          ++looks_;
          std::this_thread::sleep_for(5ms);
        } catch (const sql_error&) {
          session.reset();
          std::this_thread::sleep_for(20ms);
        }
      }
    });
  }
  void stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
  }
  std::uint64_t looks() const { return looks_; }
  std::uint64_t torn() const { return torn_; }

 private:
  std::atomic<std::uint64_t> looks_{0}, torn_{0};
  std::jthread thread_;
};

class two_way_load;

class sync_test : public ::testing::TestWithParam<std::string> {
 protected:
  sync_test() : sync_test(sync_home(), sync_spoke(GetParam())) {}
  sync_test(private_postgres& h, spoke_server& s) : home_(h), spoke_(s) {
    home_db_ = home().make_database("sync");
    spoke_db_ = spoke().make_database("sync");
    link_ = home_db_;
    both("CREATE TABLE counter (pair int NOT NULL, half smallint NOT NULL, value bigint NOT NULL, PRIMARY KEY (pair, half))");
    at_home("CREATE TABLE kv (id bigint PRIMARY KEY, n bigint NOT NULL, v text)");
    at_spoke("CREATE TABLE kv (id bigint PRIMARY KEY, n bigint NOT NULL, v text) CHARACTER SET utf8mb4");
    at_home("ALTER TABLE counter REPLICA IDENTITY FULL; ALTER TABLE kv REPLICA IDENTITY FULL");
    std::string rows = "INSERT INTO counter VALUES (-1, 0, 0), (-2, 0, 0)";
    for (int p = 0; p < pairs; ++p)
      for (int half : {0, 1})
        rows += ", (" + std::to_string(p) + ", " + std::to_string(half) + ", " + std::to_string(half * pair_sum) + ")";
    both(rows);
    write_config();
  }
  ~sync_test() override {
    hub_.reset();
    run({DUET_BINARY, "teardown", "--yes", "-c", config_file()}, 60s);
    at_home("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database() AND NOT active");
  }

  private_postgres& home() { return home_; }
  spoke_server& spoke() { return spoke_; }
  sql_rows at_home(const std::string& sql) { return home().query(sql, home_db_); }
  sql_rows at_spoke(const std::string& sql) { return spoke().query(sql, spoke_db_); }
  void both(const std::string& sql) { at_home(sql), at_spoke(sql); }
  void expect_both(const std::string& sql, const sql_rows& wanted) {
    EXPECT_EQ(at_home(sql), wanted) << "at home: " << sql;
    EXPECT_EQ(at_spoke(sql), wanted) << "at the spoke: " << sql;
  }

  void write_config(const std::string& more_tables = "", const std::string& more = "") {
    for (const char* name : {"duet.yaml", "other.yaml"})  // the same link; another address of the status page
      write_file(folder_.file(name),
                 "link: " + link_ + "\nhome:\n  url: postgresql://postgres@127.0.0.1:" + std::to_string(home_port_ ? home_port_ : home().port()) + "/" + home_db_ +
                     "\n  tls: { mode: disable }\nspoke:\n  url: mysql://root@127.0.0.1:" + std::to_string(spoke_port_ ? spoke_port_ : spoke().port()) +
                     "/" + spoke_db_ + "\n  tls: { mode: disable }\nstatus: { listen: 127.0.0.1:" + std::to_string(find_free_port()) +
                     " }\nconflicts: { default: home }\ntables:\n  - home: public.counter\n  - home: public.kv\n" + more_tables + more);
  }
  std::string config_file() const { return folder_.file("duet.yaml"); }

  void set_up() {
    const auto r = run({DUET_BINARY, "setup", "-c", config_file()}, 60s);
    ASSERT_EQ(r.exit_code, 0) << r.output;
  }
  std::unique_ptr<child_process> start_hub(const std::string& config = "duet.yaml", const std::vector<std::string>& more = {}) {
    std::vector<std::string> command = {DUET_BINARY, "run", "-c", folder_.file(config)};
    command.insert(command.end(), more.begin(), more.end());
    return std::make_unique<child_process>(command, folder_.file("hub" + std::to_string(++hubs_) + ".log"));
  }
  static bool says(child_process& hub, const std::string& text, std::chrono::milliseconds limit = 60s) {
    return eventually([&] { return hub.output().find(text) != std::string::npos || !hub.running(); }, limit) &&
           hub.output().find(text) != std::string::npos;
  }
  static bool streams(child_process& hub) { return says(hub, "both lanes stream"); }
  void start() {
    hub_ = start_hub();
    ASSERT_TRUE(streams(*hub_)) << hub_->output();
  }

  void stop_hub() {
    hub_->signal(SIGTERM);
    const auto code = hub_->wait(60s);
    ASSERT_TRUE(code) << hub_->output();
    ASSERT_EQ(*code, 0) << hub_->output();
  }
  // `duet status`, as an operator's program reads it.
  nlohmann::json status() {
    const auto r = run({DUET_BINARY, "status", "--json", "-c", config_file()}, 60s);
    return nlohmann::json::parse(r.output);
  }

  // A row written on each side has arrived on the other one, so all before it has: a lane keeps its log's order. Home's row
  // goes second, so what home decided about the spoke's rows has arrived too.
  void settle(child_process& hub) {
    const std::string mark = "mark " + std::to_string(++marks_);
    const auto value = [](const sql_rows& r) { return r.empty() ? std::string() : r[0][0].value_or(""); };
    const auto arrives = [&](int id, bool from_home) {
      const std::string row = std::to_string(id), remove = "DELETE FROM kv WHERE id = " + row,
                        insert = "INSERT INTO kv VALUES (" + row + ", 0, '" + mark + "')", look = "SELECT v FROM kv WHERE id = " + row;
      if (from_home) at_home(remove), at_home(insert);
      else at_spoke(remove), at_spoke(insert);
      return eventually([&] { return value(from_home ? at_spoke(look) : at_home(look)) == mark || !hub.running(); }, 90s);
    };
    ASSERT_TRUE(arrives(-2, false)) << "a row of the spoke does not arrive at home:\n" << hub.output();
    ASSERT_TRUE(hub.running()) << hub.output();
    ASSERT_TRUE(arrives(-1, true)) << "a row of home does not arrive at the spoke:\n" << hub.output();
    ASSERT_TRUE(hub.running()) << hub.output();
  }

  // The hub stands still while `work` is done: neither side sees the other's part of it.
  template <class Work>
  void unseen(Work work) {
    hub_->signal(SIGSTOP);
    work();
    hub_->signal(SIGCONT);
    settle(*hub_);
  }

  void expect_equal() {
    const std::string counters = "SELECT pair, half, value FROM counter ORDER BY pair, half", rows = "SELECT id, n, v FROM kv ORDER BY id";
    EXPECT_EQ(at_home(counters), at_spoke(counters));
    EXPECT_EQ(at_home(rows), at_spoke(rows));
    EXPECT_EQ(at_home("SELECT table_name, operation, reason FROM duet.held WHERE link = '" + link_ + "'"), sql_rows{});
    EXPECT_EQ(at_spoke("SELECT table_name, operation, reason FROM duet.held WHERE link = '" + link_ + "'"), sql_rows{});
  }

  using contents = std::vector<sql_rows>;
  contents everything() {
    contents all;
    for (const char* sql : {"SELECT pair, half, value FROM counter ORDER BY pair, half", "SELECT id, n, v FROM kv ORDER BY id"})
      all.push_back(at_home(sql)), all.push_back(at_spoke(sql));
    return all;
  }
  void both_write(int id) {
    at_home("INSERT INTO kv VALUES (" + std::to_string(2 * id + 1) + ", 1, 'home')");
    at_spoke("INSERT INTO kv VALUES (" + std::to_string(2 * id) + ", 1, 'spoke')");
  }
  void refuses_and_changes_nothing(const ::testing::Matcher<const std::string&>& saying) {
    const contents before = everything();
    for (int again : {1, 2}) {  // it is no better the second time
      const auto hub = start_hub();
      const auto code = hub->wait(60s);
      ASSERT_TRUE(code) << "try " << again << ": it runs:\n" << hub->output();
      EXPECT_EQ(*code, 4) << hub->output();
      EXPECT_THAT(hub->output(), saying);
      EXPECT_EQ(everything(), before);
    }
  }

  // After a load that was stopped and settled: each transaction is there once, and was never seen by halves.
  void expect_all_there(const two_way_load&);

  // A word to make a run again: DUET_SEED=n.
  unsigned seed() {
    const char* given = std::getenv("DUET_SEED");
    const unsigned n = given ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device{}();
    RecordProperty("seed", std::to_string(n));
    return n;
  }

  temporary_folder folder_{"sync"};
  std::string home_db_, spoke_db_, link_;
  std::unique_ptr<child_process> hub_;
  std::uint16_t home_port_ = 0, spoke_port_ = 0;  // of what stands between the hub and a server; 0: nothing
  int hubs_ = 0, marks_ = 0;

 private:
  private_postgres& home_;
  spoke_server& spoke_;
};

// Both applications and both onlookers.
class two_way_load {
 public:
  two_way_load(const private_server& home, const std::string& home_db, const private_server& spoke, const std::string& spoke_db,
               unsigned seed)
      : home_(home, home_db, seed), spoke_(spoke, spoke_db, seed + 1), sees_home_(home, home_db), sees_spoke_(spoke, spoke_db) {}
  void stop_writing() { home_.stop(), spoke_.stop(); }
  void stop() {
    stop_writing();
    sees_home_.stop(), sees_spoke_.stop();
  }
  const application& home() const { return home_; }
  const application& spoke() const { return spoke_; }
  void expect_no_half_pair() const {
    EXPECT_EQ(sees_home_.torn(), 0u);
    EXPECT_EQ(sees_spoke_.torn(), 0u);
    EXPECT_GT(sees_home_.looks(), 20u);
    EXPECT_GT(sees_spoke_.looks(), 20u);
  }

 private:
  application home_, spoke_;
  onlooker sees_home_, sees_spoke_;
};

inline void sync_test::expect_all_there(const two_way_load& load) {
  expect_equal();
  load.expect_no_half_pair();
  const auto counted = [&](const application& a, const char* pair) {
    const std::string sql = std::string("SELECT value FROM counter WHERE pair = ") + pair;
    const std::uint64_t n = std::stoull(at_home(sql).at(0).at(0).value());
    EXPECT_GT(a.committed(), 20u);
    EXPECT_GE(n, a.committed());
    EXPECT_LE(n, a.committed() + a.doubtful());
  };
  counted(load.home(), "-1");
  counted(load.spoke(), "-2");
  EXPECT_EQ(at_home("SELECT pair FROM counter WHERE pair >= 0 GROUP BY pair HAVING sum(value) <> " + std::to_string(pair_sum)), sql_rows{});
  EXPECT_EQ(at_home("SELECT type, table_name FROM duet.conflict_log WHERE link = '" + link_ + "'"), sql_rows{});
}

}  // namespace duet::testing
