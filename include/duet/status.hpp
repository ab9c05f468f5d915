// What a running hub tells of itself: one snapshot, taken without stopping anything. The status page, /metrics and
// `duet status` are made from it.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "duet/position.hpp"
#include "duet/schema.hpp"

namespace duet {

// How long something took, many times.
struct durations {
  static constexpr std::array<std::int64_t, 12> bounds_us = {100, 200, 500, 1'000, 2'000, 5'000, 10'000, 20'000, 50'000, 100'000, 200'000, 1'000'000};
  std::array<std::uint64_t, bounds_us.size() + 1> counts{};  // by the first bound that is not passed; the last one: beyond all
  std::uint64_t sum_ns = 0;

  void add(std::chrono::nanoseconds);
  durations& operator+=(const durations&);
};

// Rows of mapped tables since the hub started. At each commit of the lane's applier:
//   read = applied + unchanged + echoes + filtered + held_back + conflicts_lost + held + deletes_ignored + in flight
struct lane_counters {
  std::uint64_t read = 0;            // rows of this lane's log, echoes and filtered ones too
  std::uint64_t applied = 0;         // written to the other side
  std::uint64_t unchanged = 0;       // updates that changed no mapped column: nothing to write
  std::uint64_t echoes = 0;          // our own writes, dropped
  std::uint64_t filtered = 0;        // tables that do not flow this way
  std::uint64_t held_back = 0;       // spoke: superseded by a local write that is on its way home
  std::uint64_t conflicts_lost = 0;  // home: home's row stood, the change was given up (and logged)
  std::uint64_t held = 0;            // in duet.held: refused by the target, or left to a person by the table's rule
  std::uint64_t deletes_ignored = 0; // the table's rule keeps the row on the other side
  std::uint64_t conflicts = 0;       // home: decided and logged, whoever won
  std::uint64_t drift = 0;           // of the applied ones: written by force, the row was not as expected (logged)
  std::uint64_t refreshes = 0;       // home: refreshes sent; spoke: refreshes written
  std::uint64_t source_transactions = 0, target_transactions = 0, heartbeats = 0;
  std::uint64_t retries = 0;         // target transactions tried again
  std::uint64_t catch_ups = 0;       // waits for the log under a row lock
  durations decisions;               // from the lock on the row to its outcome's being written, not yet committed; refreshes left out

  lane_counters& operator+=(const lane_counters&);
};

struct lane_status {
  side from = side::home;
  lane_counters rows;
  std::string read_position, applied_position;  // as the site prints them
  log_position read, applied, floor;
  std::int64_t lag_ms = 0;           // age of the oldest transaction read and not applied; 0: nothing waits
  std::uint64_t ring_bytes = 0, spill_bytes = 0;
  std::uint64_t index_entries = 0;   // un-acknowledged local writes of the side this lane reads
  std::uint64_t index_bytes = 0, index_spill_bytes = 0;  // what they take in memory, and in a file
  std::string state;                 // "streaming", "connecting", "catching up", "stopped: ..."
};

// The spoke's clock against home's, as measured last.
struct clock_comparison {
  std::int64_t offset_us = 0;        // the spoke's minus home's
  std::int64_t error_us = 0;         // the true one is at most so far from it: half the round trips
  std::int64_t limit_us = 0;         // conflicts.clock_offset_limit
  std::int64_t age_s = 0;            // since it was measured
  bool beyond_limit() const { return (offset_us < 0 ? -offset_us : offset_us) - error_us > limit_us; }
};

// The first copy of a table, as far as it has been committed.
struct copy_status {
  std::string table;                 // home's name
  side from = side::home;
  std::uint64_t rows = 0, estimated = 0;
  double rows_per_s = 0;             // since this hub began or went on with it; 0: it is not being copied now
  bool done = false;
};

// A column that came back from a side's log with another value than Duet had sent there.
struct echo_difference {
  std::string table, column;         // home's names; no column: the row itself came or went
  side at = side::home;
  std::uint64_t rows = 0;
};

// A table that waits for both sides to fit again, or catches up with what has waited.
struct paused_table {
  std::string table;                 // home's name
  std::string reason;                // empty: it catches up
  std::string remedy;                // the statement that mends it
  std::int64_t since_us = 0;
  bool catches_up() const { return reason.empty(); }
};

struct hub_status {
  std::string link;
  bool healthy = false;              // both lanes stream
  std::string state;                 // "streaming", "connecting", "retrying in 4 s: connection to spoke lost", "stopped: fenced"
  std::string failure_code, failure_text, advice;  // of the last failure; empty while healthy
  std::uint64_t epoch = 0, restarts = 0;
  std::int64_t uptime_s = 0;
  lane_status home_to_spoke, spoke_to_home;
  std::uint64_t held_rows = 0;       // rows waiting in duet.held of both sides, as far as this hub knows
  std::vector<std::string> stopped_tables;  // home's names: all of their changes wait in duet.held
  std::vector<paused_table> paused_tables;
  std::optional<clock_comparison> clocks;   // none: not measured yet
  std::uint64_t echoes_compared[2] = {};    // by the side written to: rows of ours that were compared as they came back
  std::vector<echo_difference> echo_differences;
  std::vector<copy_status> copies;          // those that were not done when the lanes were started last
};

}  // namespace duet
