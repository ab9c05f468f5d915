// What a hub does beside its lanes: each minute it compares the servers' clocks, and each hour it removes what has been in
// duet.conflict_log for long enough. On a thread and on connections of its own: a server that stands still holds up nothing
// else, and a stop does not wait for it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "duet/config.hpp"
#include "duet/site.hpp"
#include "duet/status.hpp"
#include "pipeline/applier.hpp"

namespace duet::pipeline {

class upkeep {
 public:
  static constexpr std::chrono::seconds clock_pause{60}, log_pause{3600};
  static constexpr std::size_t rows_at_once = 1000;        // of one statement
  static constexpr std::chrono::seconds removing_max{20};  // of each hour, at each side; the rest goes in the next one

  using maker = std::function<std::unique_ptr<site>()>;
  upkeep(const config&, link_state&, maker home, maker spoke);
  ~upkeep();  // interrupts what waits

  std::optional<clock_comparison> clocks() const;  // from any thread

  // One step each; throw failure.
  void compare(site& home, site& spoke);
  std::uint64_t remove_old_conflicts(site& home, site& spoke, std::stop_token);  // how many

 private:
  void work(std::stop_token);
  void tend(std::stop_token);
  void connect();
  void disconnect();

  const config& config_;
  link_state& link_;
  const maker make_home_, make_spoke_;
  std::chrono::steady_clock::time_point next_log_ = std::chrono::steady_clock::now();
  bool complained_ = false;  // that it can't be done; once until it can

  mutable std::mutex mutex_;
  std::unique_ptr<site> home_, spoke_;
  std::optional<clock_comparison> clocks_;
  std::chrono::steady_clock::time_point measured_;
  std::jthread thread_;
};

}  // namespace duet::pipeline
