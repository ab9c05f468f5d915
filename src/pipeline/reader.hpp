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
#include "pipeline/copying.hpp"
#include "pipeline/echo_audit.hpp"
#include "pipeline/held_keys.hpp"
#include "pipeline/put_backs.hpp"
#include "pipeline/resumption.hpp"

namespace duet::pipeline {

struct reader_start {
  log_position from;        // where to read from
  log_position applied;     // up to here the other side has everything: read for the index only
  log_position settled;     // of home's log: what home wrote into the spoke's columns up to here has been put back
  log_position seen;        // what this side had seen of the other log at `applied`
  std::uint64_t epoch = 0;  // this hub's
  const std::atomic<std::uint64_t>* counter = nullptr;  // of home's log: link_state::home_counter
  const resumption* resumed = nullptr;  // tables that catch up; outlives the reader
};

class reader : private block_supply {
 public:
  reader(side from, source&, const mapping&, causality::write_index& local_writes, change_ring&, held_keys&, put_backs&, reader_start);

  // This side's tables are copied first; outlives the reader. `pause`: before rows that are locked are tried again.
  void copy(copying* c, std::chrono::milliseconds pause = std::chrono::milliseconds(20)) {
    copying_ = c;
    copy_pause_ = pause;
  }

  // Of what is written to this side; outlives the reader.
  void audit(echo_audit* a) { audit_ = a; }

  // One step of run(), between start() and the end: what has arrived, on to the applier. False: nothing had arrived.
  void start();
  bool step(std::chrono::milliseconds wait);

  // Reads until stop is requested. `released` says how much of this log is no longer needed by anyone.
  void run(std::stop_token, const std::function<log_position()>& released);
  // What the log's side has seen of the other log, as far as this log has been read. Any thread.
  log_position seen() const { return {told_seen_.load(std::memory_order_acquire)}; }
  bool left() const { return left_.load(std::memory_order_acquire); }  // run() has returned because it was asked to; any thread

 private:
  change_block& next(change_block* full) override;
  bool expects_echo(std::uint64_t epoch, std::uint64_t counter) override { return audit_ && audit_->expects(epoch, counter); }
  void echo(const change_record&) override;
  void end_of_echo() override { audit_->all_came_back(mapping_); }
  void stamp(change_block&);
  bool read_some(std::chrono::milliseconds wait);
  void copy_some();
  bool read_up_to(log_position, std::chrono::milliseconds limit);
  void stamp_change(change_record&);
  void note_seen(const transaction_end&);
  bool is_done(const table_pair& t) const {  // the other side has the current transaction's change of this table
    return transaction_position_ <= (resumed_ && !t.catches_up ? resumed_->others_applied(from_) : applied_);
  }
  void notice_a_decision(const transaction_end&) const;
  field_set touched(const table_pair&, const change_record&) const;
  field_set without_the_others(const table_pair&, const change_record&, field_set touched);

  side from_;
  source& source_;
  const mapping& mapping_;
  causality::write_index& local_writes_;
  change_ring& ring_;
  held_keys& held_;
  put_backs& put_backs_;
  block_writer writer_;
  std::stop_token stop_;

  log_position start_, applied_, settled_, seen_, seen_elsewhere_;
  const resumption* resumed_;
  std::uint64_t epoch_;
  const std::atomic<std::uint64_t>* counter_;
  log_position transaction_position_;          // of the transaction that the current record belongs to
  std::int64_t transaction_time_us_ = 0;
  bool transaction_is_copy_ = false;
  std::vector<causality::write_index::entry> entries_;
  base::arena scratch_, echo_scratch_;
  bool unflushed_ = false;
  echo_audit* audit_ = nullptr;
  copying* copying_ = nullptr;
  std::chrono::milliseconds copy_pause_{};
  bool behind_ = true;                         // perhaps: rows are not locked before the log's end has been read
  std::chrono::steady_clock::time_point copy_again_{};
  std::atomic<std::uint64_t> told_seen_;
  std::atomic<bool> left_{false};
};

}  // namespace duet::pipeline
