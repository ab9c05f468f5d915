#include "pipeline/reader.hpp"

#include "duet/failure.hpp"
#include "translate/translate.hpp"

namespace duet::pipeline {

using namespace std::chrono_literals;

namespace {
struct stopping {};  // leaves the source from within its writer

bool same_cells(const change_record& r) {
  if (!r.has_before || !r.has_after) return false;
  for (std::size_t c = 0; c < r.columns; ++c) {
    const cell after = r.after(c);
    if (!after.absent() && !(after == r.before(c))) return false;
  }
  return true;
}
}  // namespace

reader::reader(side from, source& s, const mapping& m, causality::write_index& local_writes, change_ring& ring, reader_start start)
    : from_(from), source_(s), mapping_(m), local_writes_(local_writes), ring_(ring), writer_(*this), start_(start.from),
      applied_(start.applied), seen_(start.seen) {}

void reader::run(std::stop_token stop, const std::function<log_position()>& released) {
  stop_ = stop;
  source_.start(start_);
  started_.store(true, std::memory_order_release);
  try {
    bool unflushed = false;
    while (!stop.stop_requested()) {
      source_.release(released());
      if (source_.read(writer_, unflushed ? 1ms : 50ms)) unflushed = true;
      // A busy applier gets full blocks, an idle one gets what there is.
      const bool awaited = local_writes_.wanted() > local_writes_.read_up_to();
      if (unflushed && (awaited || ring_.queued() < 4)) {
        writer_.flush();
        unflushed = false;
      }
    }
  } catch (const stopping&) {
  }
}

change_block& reader::next(change_block* full) {
  if (full) {
    stamp(*full);
    if (ring_.spilling()) {
      ring_.spill(*full);
      return *full;
    }
  }
  for (;;) {
    if (stop_.stop_requested()) throw stopping();
    if (change_block* empty = ring_.take_empty()) {
      if (full) ring_.push(full);
      return *empty;
    }
    if (full && local_writes_.wanted() > local_writes_.read_up_to()) {  // someone waits for this log: run ahead
      ring_.spill(*full);
      return *full;
    }
    if (full && ring_.spilling()) {
      ring_.spill(*full);
      return *full;
    }
    if (!ring_.wait_empty(100ms)) source_.keep_alive();
  }
}

void reader::stamp(change_block& block) {
  entries_.clear();
  scratch_.clear();
  log_position read_up_to;
  for (record* r = block.first(); r; r = block.next(r)) {
    switch (r->kind) {
      case record_kind::begin: {
        auto& b = static_cast<transaction_begin&>(*r);
        transaction_position_ = b.position;
        b.seen = seen_;
        last_commit_time_us_.store(b.commit_time_us, std::memory_order_relaxed);
        break;
      }
      case record_kind::change:
        stamp_change(static_cast<change_record&>(*r));
        break;
      case record_kind::end: {
        auto& e = static_cast<transaction_end&>(*r);
        if (e.ours && e.position > applied_) seen_ = e.control_position;
        e.seen = seen_;
        read_up_to = e.read_up_to;
        break;
      }
      case record_kind::progress:
        read_up_to = static_cast<transaction_end&>(*r).read_up_to;
        break;
    }
  }
  local_writes_.add(entries_, read_up_to);
}

void reader::stamp_change(change_record& r) {
  const table_pair& table = mapping_.tables[r.table];
  if (r.op == operation::truncate) {
    r.token = r.token_before = 0;
    return;
  }
  if (r.has_after) r.token = translate::key_token(table, from_, r, block_writer::after, scratch_);
  if (r.has_before) r.token_before = translate::key_token(table, from_, r, block_writer::before, scratch_);
  if (!r.has_after) r.token = r.token_before;
  if (!r.has_before) r.token_before = r.token;
  r.unchanged = r.op == operation::update && same_cells(r);

  if (table.direction != flow::both || r.unchanged) return;
  const bool resolution = r.op == operation::refresh;
  entries_.push_back({r.token, transaction_position_, resolution});
  if (r.token_before != r.token) entries_.push_back({r.token_before, transaction_position_, resolution});
}

}  // namespace duet::pipeline
