#include "pipeline/upkeep.hpp"

#include <spdlog/spdlog.h>

#include <condition_variable>
#include <set>

#include "duet/failure.hpp"
#include "observe/status_text.hpp"
#include "pipeline/clocks.hpp"
#include "pipeline/images.hpp"

namespace duet::pipeline {

using clock = std::chrono::steady_clock;

upkeep::upkeep(const config& c, link_state& link, maker home, maker spoke)
    : config_(c), link_(link), make_home_(std::move(home)), make_spoke_(std::move(spoke)) {
  thread_ = std::jthread([this](std::stop_token stop) { work(stop); });
}

upkeep::~upkeep() {
  thread_.request_stop();
  {
    const std::lock_guard lock(mutex_);
    for (site* s : {home_.get(), spoke_.get()})
      if (s) s->interrupt();
  }
  thread_.join();
}

std::optional<clock_comparison> upkeep::clocks() const {
  const std::lock_guard lock(mutex_);
  auto now = clocks_;
  if (now) now->age_s = std::chrono::duration_cast<std::chrono::seconds>(clock::now() - measured_).count();
  return now;
}

void upkeep::work(std::stop_token stop) {
  std::mutex waiting;
  std::condition_variable_any wake;
  while (!stop.stop_requested()) {
    try {
      connect();
      tend(stop);
      complained_ = false;
    } catch (const std::exception& e) {
      if (stop.stop_requested()) return;
      if (!std::exchange(complained_, true)) spdlog::warn("link {}: clocks and conflict log can't be looked at: {}; again each minute", config_.link, e.what());
      disconnect();
    }
    std::unique_lock lock(waiting);
    wake.wait_for(lock, stop, clock_pause, [] { return false; });
  }
}

void upkeep::connect() {
  for (const auto& [made, make] : {std::pair{&home_, &make_home_}, std::pair{&spoke_, &make_spoke_}}) {
    if (*made) continue;
    auto fresh = (*make)();
    fresh->connect();
    const std::lock_guard lock(mutex_);
    *made = std::move(fresh);
  }
}

void upkeep::disconnect() {
  const std::lock_guard lock(mutex_);
  home_.reset();
  spoke_.reset();
}

void upkeep::tend(std::stop_token stop) {
  compare(*home_, *spoke_);
  if (config_.conflict_log_retention_days == 0 || clock::now() < next_log_ || stop.stop_requested()) return;
  next_log_ = clock::now() + log_pause;
  if (const auto n = remove_old_conflicts(*home_, *spoke_, stop))
    spdlog::info("link {}: {} rows of duet.conflict_log older than {} days are removed", config_.link, n, config_.conflict_log_retention_days);
}

void upkeep::compare(site& home, site& spoke) {
  const auto now = compare_clocks(home, spoke, config_.clock_offset_limit_ms);
  if (!now) return;
  link_.clock_offset_us = now->offset_us;
  bool was_beyond;
  {
    const std::lock_guard lock(mutex_);
    was_beyond = clocks_ && clocks_->beyond_limit();
    clocks_ = now;
    measured_ = clock::now();
  }
  if (now->beyond_limit() && !was_beyond)
    spdlog::warn("link {}: {}, more than conflicts.clock_offset_limit ({} ms): rules that go by commit times favour the clock that is ahead",
                 config_.link, observe::clocks_text(*now), config_.clock_offset_limit_ms);
  if (!now->beyond_limit() && was_beyond) spdlog::info("link {}: {} again", config_.link, observe::clocks_text(*now));
}

// In the order of their ids, which is about that in which they were written: the first batch without an old one is the end.
std::uint64_t upkeep::remove_old_conflicts(site& home, site& spoke, std::stop_token stop) {
  std::set<std::pair<std::string, std::string>> waiting;  // table, key
  for (site* s : {&home, &spoke})
    for (const table_key& k : s->load_held_keys()) waiting.insert({k.table, same_json(k.key)});
  std::uint64_t removed = 0;
  for (site* s : {&home, &spoke}) {
    const auto deadline = clock::now() + removing_max;
    for (std::uint64_t last = 0; !stop.stop_requested() && clock::now() < deadline;) {
      const auto rows = s->load_oldest_conflicts(last, config_.conflict_log_retention_days, rows_at_once);
      std::vector<std::uint64_t> ids;
      bool any_old = false;
      for (const aged_conflict& c : rows) {
        any_old |= c.is_old;
        if (c.is_old && !waiting.contains({c.table, same_json(c.key)})) ids.push_back(c.id);
      }
      if (!ids.empty()) s->remove_conflicts(ids);
      removed += ids.size();
      if (!any_old || rows.size() < rows_at_once) break;
      last = rows.back().id;
    }
  }
  return removed;
}

}  // namespace duet::pipeline
