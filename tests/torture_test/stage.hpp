// Both servers, the proxies before them and the hub, and what happens to them.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <stdexcept>

#include "duet/status.hpp"
#include "support/faulty_proxy.hpp"
#include "support/servers.hpp"
#include "torture_test/tables.hpp"

namespace duet::torture {

// What must not happen while the hub lives: it ends by itself, refuses to start, does not stop.
struct trouble : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class stage {
 public:
  stage(const plan&, std::string folder);

  testing::private_server& at(side s) { return s == side::home ? static_cast<testing::private_server&>(*home_) : *spoke_; }
  testing::faulty_proxy& before(side s) { return *(s == side::home ? to_home_ : to_spoke_); }
  const std::string& database(side s) const { return s == side::home ? home_db_ : spoke_db_; }
  endpoint reach(side s) { return at(s).endpoint_of(database(s)); }
  testing::sql_rows ask(side s, const std::string& sql) { return at(s).query(sql, database(s)); }
  std::string value(side s, const std::string& sql);     // of one row and column; empty: NULL or none
  std::string versions();

  void create_tables();
  void set_up();                                          // duet check, duet setup
  void start_hub(bool take_over = false);
  void expect_hub_running();
  bool hub_streams(std::chrono::milliseconds limit = std::chrono::seconds(60));
  void kill_hub();
  void stop_hub();                                        // in order
  void signal_hub(int number) { hub_->signal(number); }
  void replace_frozen_hub();                              // it is stopped, another one takes over, it goes on and must give up
  std::string hub_log() const { return hub_ ? hub_->output() : ""; }

  std::optional<hub_status> look();                       // at the hub's page; keeps its numbers
  struct numbers {
    std::uint64_t refreshes = 0, conflicts = 0, catch_ups = 0, retries = 0, restarts = 0;
  };
  numbers seen() const;                                   // of all hubs so far, as they were last looked at
  const plan& planned() const { return plan_; }
  const std::string& folder() const { return folder_; }
  const std::string& link() const { return link_; }

 private:
  std::unique_ptr<testing::child_process> spawn_hub(bool take_over);
  std::string wait_for_stream(testing::child_process&, std::chrono::milliseconds limit);

  const plan& plan_;
  std::string folder_, home_db_, spoke_db_, link_;
  std::unique_ptr<testing::private_postgres> home_;
  std::unique_ptr<testing::spoke_server> spoke_;
  std::unique_ptr<testing::faulty_proxy> to_home_, to_spoke_;
  std::unique_ptr<testing::child_process> hub_;
  int hubs_ = 0;
  bool just_killed_ = false;
  std::array<std::uint16_t, 2> pages_{};
  std::atomic<std::uint16_t> page_{0};
  std::atomic<int> generation_{0};
  mutable std::mutex mutex_;
  std::map<int, numbers> looked_;  // by generation; under mutex_
};

// Faults, one after the other, as the seed says, until it is stopped; then everything runs again.
class troublemaker {
 public:
  troublemaker(stage&, const plan&);
  void stop();
  std::string what_went_wrong() const;          // empty: nothing
  std::map<std::string, int> counts() const;
  int kills() const;

 private:
  struct fault {
    std::string name;
    double weight;
    std::function<void()> happen;
  };
  void work(std::stop_token);
  void mend();
  void pause(int from_ms, int to_ms);
  void kill_server(side);
  void freeze_server(side);

  stage& stage_;
  std::mt19937 random_;
  std::vector<fault> faults_;
  std::atomic<bool> failed_{false};
  mutable std::mutex mutex_;
  std::map<std::string, int> counts_;           // under mutex_
  std::string wrong_;                           // under mutex_
  std::jthread thread_;
};

}  // namespace duet::torture
