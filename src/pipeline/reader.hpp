// The first half of a lane: the thread that reads one side's log.
//
// The source decodes into change blocks; before a block goes on, the reader goes through its records once: it stamps each
// transaction with what this side had seen of the other log, gives each row its key token, and enters local writes into
// the index. A full ring holds the reader back, unless somebody waits for this log (causality::write_index::wanted): then
// it runs ahead into the spill file.
#pragma once

#include <atomic>
#include <functional>
#include <stop_token>
#include <vector>

#include "base/arena.hpp"
#include "causality/write_index.hpp"
#include "duet/mapping.hpp"
#include "duet/source.hpp"
#include "pipeline/change_ring.hpp"

namespace duet::pipeline {

struct reader_start {
  log_position from;        // where to read from
  log_position applied;     // up to here the other side has everything: read for the index only
  log_position seen;        // what this side had seen of the other log at `applied`
};

class reader : private block_supply {
 public:
  reader(side from, source&, const mapping&, causality::write_index& local_writes, change_ring&, reader_start);

  // Reads until stop is requested. `released` says how much of this log is no longer needed by anyone.
  void run(std::stop_token, const std::function<log_position()>& released);

  bool started() const { return started_.load(std::memory_order_acquire); }
  std::int64_t last_commit_time_us() const { return last_commit_time_us_.load(std::memory_order_relaxed); }

 private:
  change_block& next(change_block* full) override;
  void stamp(change_block&);
  void stamp_change(change_record&);

  side from_;
  source& source_;
  const mapping& mapping_;
  causality::write_index& local_writes_;
  change_ring& ring_;
  block_writer writer_;
  std::stop_token stop_;

  log_position start_, applied_, seen_;
  log_position transaction_position_;          // of the transaction that the current record belongs to
  std::vector<causality::write_index::entry> entries_;
  base::arena scratch_;
  std::atomic<bool> started_{false};
  std::atomic<std::int64_t> last_commit_time_us_{0};
};

}  // namespace duet::pipeline
