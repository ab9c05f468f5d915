#include "duet/status.hpp"

#include <algorithm>

namespace duet {

void durations::add(std::chrono::nanoseconds took) {
  const auto within = std::lower_bound(bounds_us.begin(), bounds_us.end(), took, [](std::int64_t us, auto t) { return std::chrono::microseconds(us) < t; });
  ++counts[static_cast<std::size_t>(within - bounds_us.begin())];
  sum_ns += static_cast<std::uint64_t>(took.count());
}

durations& durations::operator+=(const durations& d) {
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += d.counts[i];
  sum_ns += d.sum_ns;
  return *this;
}

lane_counters& lane_counters::operator+=(const lane_counters& c) {
  read += c.read, applied += c.applied, unchanged += c.unchanged, echoes += c.echoes, filtered += c.filtered;
  held_back += c.held_back, conflicts_lost += c.conflicts_lost, held += c.held, conflicts += c.conflicts, drift += c.drift;
  refreshes += c.refreshes, deletes_ignored += c.deletes_ignored, source_transactions += c.source_transactions, target_transactions += c.target_transactions;
  heartbeats += c.heartbeats, retries += c.retries, catch_ups += c.catch_ups, decisions += c.decisions;
  static_assert(sizeof(lane_counters) == 17 * sizeof(std::uint64_t) + sizeof(durations), "a new counter must be added here");
  return *this;
}

}  // namespace duet
