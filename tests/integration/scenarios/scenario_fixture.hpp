// The named scenarios. All tests of the program share one link for each kind of spoke: its tables have a rule each, and each
// scenario takes keys of its own. README.md in this folder lists them.
#pragma once

#include <functional>

#include "integration/sync/sync_fixture.hpp"
#include "support/faulty_proxy.hpp"

namespace duet::testing {

// Databases, proxies before both servers, and the hub, for as long as the program runs.
class scenario_link : public sync_test {
 public:
  scenario_link(private_postgres& home, spoke_server& spoke);
  void TestBody() override {}  // it is no test, only what they share
  void begin() {
    set_up();
    if (!HasFatalFailure()) start();
  }

  using sync_test::at_home;
  using sync_test::at_spoke;
  using sync_test::both;
  using sync_test::config_file;
  using sync_test::home_db_;
  using sync_test::hub_;
  using sync_test::link_;
  using sync_test::set_up;
  using sync_test::settle;
  using sync_test::spoke;
  using sync_test::spoke_db_;
  using sync_test::start;
  using sync_test::status;
  using sync_test::stop_hub;

  faulty_proxy to_home, to_spoke;
};

class scenario : public ::testing::TestWithParam<std::string> {
 protected:
  static void TearDownTestSuite() { links().clear(); }
  void SetUp() override {
    auto& l = links()[GetParam()];
    if (!l) {
      l = std::make_unique<scenario_link>(sync_home(), sync_spoke(GetParam()));
      l->begin();
    } else if (!l->hub_ || !l->hub_->running()) {  // the scenario before this one has failed
      l->start();
    }
    link_ = l.get();
  }
  void TearDown() override {
    if (link_->hub_) link_->hub_->signal(SIGCONT);
  }

  sql_rows at_home(const std::string& sql) { return link_->at_home(sql); }
  sql_rows at_spoke(const std::string& sql) { return link_->at_spoke(sql); }
  void both(const std::string& sql) { link_->both(sql); }
  bool is_mariadb() const { return GetParam() == "mariadb"; }
  // Does its log have what a foreign key deletes by itself?
  bool logs_cascades() {
    const std::string v = link_->spoke().version();
    const int major = std::stoi(v), minor = std::stoi(v.substr(v.find('.') + 1));
    return !is_mariadb() && std::pair(major, minor) >= std::pair(9, 6);
  }
  child_process& hub() { return *link_->hub_; }
  void settle() { link_->settle(hub()); }

  // Rows that both sides have before the scenario begins, written by home.
  void given(const std::string& sql) {
    at_home(sql);
    settle();
  }
  // The hub stands still while `work` is done: neither side sees the other's part of it.
  void unseen(const std::function<void()>& work) {
    hub().signal(SIGSTOP);
    work();
    hub().signal(SIGCONT);
    settle();
  }
  // Returns when a commit is later than those before by the clock of both logs. MariaDB's has whole seconds.
  void let_time_pass() {
    if (!is_mariadb()) return;
    const std::string second = "SELECT UNIX_TIMESTAMP()";
    const auto now = at_spoke(second);
    ASSERT_TRUE(eventually([&] { return at_spoke(second) != now; }, 5s));
  }

  void expect_both(const std::string& sql, const sql_rows& wanted) {
    EXPECT_EQ(at_home(sql), wanted) << "at home: " << sql;
    EXPECT_EQ(at_spoke(sql), wanted) << "at the spoke: " << sql;
  }
  // type, rule, winner and result of what is in home's conflict log about a row, or what is named of it.
  sql_rows log_of(const std::string& table, int id, const std::string& what = "type, rule, winner, result") {
    return at_home("SELECT " + what + " FROM duet.conflict_log WHERE link = '" + link_->link_ + "' AND table_name = 'public." + table +
                   "' AND key ->> 'id' = '" + std::to_string(id) + "' ORDER BY id");
  }
  // Of all rows of a table, with their keys.
  sql_rows log_of(const std::string& table, const std::string& what = "key ->> 'id', type, rule, winner") {
    return at_home("SELECT " + what + " FROM duet.conflict_log WHERE link = '" + link_->link_ + "' AND table_name = 'public." + table + "' ORDER BY id");
  }
  // The spoke decides nothing: what its log has is a difference that no log explains.
  sql_rows log_at_spoke(const std::string& table) {
    return at_spoke("SELECT type, rule, winner, result FROM duet.conflict_log WHERE link = '" + link_->link_ + "' AND table_name = 'public." + table +
                    "' ORDER BY id");
  }
  sql_rows held_at_home(const std::string& table, const std::string& what = "key ->> 'id', operation") {
    return at_home("SELECT " + what + " FROM duet.held WHERE link = '" + link_->link_ + "' AND table_name = 'public." + table + "' ORDER BY id");
  }
  sql_rows held_at_spoke(const std::string& table, const std::string& what = "JSON_UNQUOTE(JSON_EXTRACT(`key`, '$.id')), operation") {
    return at_spoke("SELECT " + what + " FROM duet.held WHERE link = '" + link_->link_ + "' AND table_name = 'public." + table + "' ORDER BY id");
  }
  void expect_nothing_held(const std::string& table) {
    EXPECT_EQ(held_at_home(table, "key, operation, reason"), sql_rows{});
    EXPECT_EQ(held_at_spoke(table, "`key`, operation, reason"), sql_rows{});
  }
  // Nothing waits, and the spoke's log of the table is empty.
  void expect_clean(const std::string& table) {
    expect_nothing_held(table);
    EXPECT_EQ(log_at_spoke(table), sql_rows{});
    EXPECT_EQ(at_home("SELECT key, type, result FROM duet.conflict_log WHERE link = '" + link_->link_ + "' AND table_name = 'public." + table + "' AND rule = 'drift'"),
              sql_rows{});
  }

  finished duet(std::vector<std::string> words) {
    words.insert(words.begin(), DUET_BINARY);
    words.insert(words.end(), {"-c", link_->config_file()});
    return run(words, 60s);
  }
  nlohmann::json answer(std::vector<std::string> words) {
    words.push_back("--json");
    const auto r = duet(std::move(words));
    auto j = nlohmann::json::parse(r.output, nullptr, false);
    if (j.is_discarded()) throw std::runtime_error(r.output);
    return j;
  }
  // By what name a key waits.
  std::string held_id(const std::string& table, int id) {
    const auto all = answer({"held", "--table", table})["held"];
    for (const auto& k : all)
      if (k["key"]["id"] == std::to_string(id)) return k["id"];
    ADD_FAILURE() << table << " " << id << " does not wait: " << all.dump();
    return "s999999";
  }
  void resolve(const std::string& table, int id, std::vector<std::string> how) {
    std::vector<std::string> words = {"held", "resolve", held_id(table, id), "--yes"};
    words.insert(words.end(), how.begin(), how.end());
    const auto r = duet(words);
    EXPECT_EQ(r.exit_code, 0) << r.output;
    settle();
  }
  nlohmann::json lane(const char* name) { return link_->status()["hub"]["lanes"][name]; }

  scenario_link* link_ = nullptr;

 private:
  static std::map<std::string, std::unique_ptr<scenario_link>>& links();
};

}  // namespace duet::testing
