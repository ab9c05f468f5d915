#include "duet/status.hpp"

namespace duet {

lane_counters& lane_counters::operator+=(const lane_counters& c) {
  read += c.read, applied += c.applied, unchanged += c.unchanged, echoes += c.echoes, filtered += c.filtered;
  held_back += c.held_back, conflicts_lost += c.conflicts_lost, held += c.held, conflicts += c.conflicts, drift += c.drift;
  refreshes += c.refreshes, deletes_ignored += c.deletes_ignored, source_transactions += c.source_transactions, target_transactions += c.target_transactions;
  heartbeats += c.heartbeats, retries += c.retries, catch_ups += c.catch_ups;
  static_assert(sizeof(lane_counters) == 17 * sizeof(std::uint64_t), "a new counter must be added here");
  return *this;
}

}  // namespace duet
