#include "pipeline/reader.hpp"

#include "duet/failure.hpp"
#include "pipeline/images.hpp"
#include "translate/translate.hpp"

namespace duet::pipeline {

using namespace std::chrono_literals;

namespace {
using clock = std::chrono::steady_clock;

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

reader::reader(side from, source& s, const mapping& m, causality::write_index& local_writes, change_ring& ring, held_keys& held, put_backs& p, reader_start start)
    : from_(from), source_(s), mapping_(m), local_writes_(local_writes), ring_(ring), held_(held), put_backs_(p), writer_(*this), start_(start.from),
      applied_(start.applied), settled_(start.settled), seen_(start.seen),
      seen_elsewhere_(start.resumed ? std::max(start.seen, start.resumed->others_seen(from)) : start.seen), resumed_(start.resumed), epoch_(start.epoch), counter_(start.counter),
      told_seen_(start.seen.value) {}

void reader::start() { source_.start(start_); }

bool reader::step(std::chrono::milliseconds wait) {
  if (!copying_ || copying_->finished()) return read_some(wait);
  copy_some();
  return read_some(std::min(wait, 1ms));
}

bool reader::read_some(std::chrono::milliseconds wait) {
  const bool came = source_.read(writer_, unflushed_ ? 1ms : wait);
  unflushed_ |= came;
  // A busy applier gets full blocks, an idle one gets what there is.
  // Who waits for this log to be read wants all of it up to there: until then full blocks are as good.
  const log_position wanted = local_writes_.wanted();
  const bool awaited = wanted > local_writes_.read_up_to() && (!came || source_.read_up_to() >= wanted);
  if (unflushed_ && (awaited || ring_.queued() < 4)) {
    writer_.flush();
    unflushed_ = false;
  }
  return came;
}

void reader::run(std::stop_token stop, const std::function<log_position()>& released) {
  stop_ = stop;
  start();
  try {
    while (!stop.stop_requested()) {
      source_.release(released());
      step(50ms);
    }
  } catch (const stopping&) {
  }
  left_.store(true, std::memory_order_release);
}

// The next rows of a first copy, if the applier has not enough to do. While they are locked the log is read to where it ended
// then: they are put into the stream there, and nothing that is read meanwhile can be about them.
void reader::copy_some() {
  if (ring_.queued() > ring_.blocks() / 4 || clock::now() < copy_again_ || writer_.in_transaction()) return;
  const auto later = [&] { copy_again_ = clock::now() + copy_pause_; };
  if (behind_ && !read_up_to(copying_->log_end(), 1s)) return later();
  behind_ = false;
  if (!copying_->lock()) return later();
  const log_position end = copying_->log_end();
  const bool read = read_up_to(end, copying::lock_max);
  copying_->release();
  if (!read) {
    behind_ = true;
    return copying_->forget();
  }
  copying_->write(writer_, end);
  unflushed_ = true;
}

// Reads on until this place has been passed, between two transactions. False: not in time, or stopping.
bool reader::read_up_to(log_position place, std::chrono::milliseconds limit) {
  const auto deadline = clock::now() + limit;
  local_writes_.want(place);
  while (source_.read_up_to() < place || writer_.in_transaction()) {
    if (stop_.stop_requested() || clock::now() > deadline) return false;
    read_some(1ms);
  }
  return true;
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

void reader::echo(const change_record& r) {
  if (r.op == operation::truncate) return;
  const table_pair& table = mapping_.tables[r.table];
  echo_scratch_.clear();
  audit_->came_back(table, r, translate::key_token(table, from_, r, r.has_after ? block_writer::after : block_writer::before, echo_scratch_));
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
        transaction_time_us_ = b.commit_time_us;
        transaction_is_copy_ = b.copied_table != 0;
        b.seen = seen_;
        b.seen_elsewhere = seen_elsewhere_;
        break;
      }
      case record_kind::change:
        stamp_change(static_cast<change_record&>(*r));
        break;
      case record_kind::end: {
        auto& e = static_cast<transaction_end&>(*r);
        if (e.ours) notice_a_decision(e);
        if (e.ours) note_seen(e);
        e.seen = seen_;
        e.seen_elsewhere = seen_elsewhere_;
        read_up_to = e.read_up_to;
        break;
      }
      case record_kind::progress:
        read_up_to = static_cast<transaction_end&>(*r).read_up_to;
        break;
    }
  }
  local_writes_.add(entries_, read_up_to);
  told_seen_.store(seen_.value, std::memory_order_release);
}

// Of a table that catches up a side had seen nothing beyond the pause, until it was set back.
void reader::note_seen(const transaction_end& e) {
  if (e.position > applied_) {
    if (!resumed_) seen_ = e.control_position;
    else seen_ = std::max(seen_, e.control_counter >= resumed_->counters[static_cast<int>(from_)] ? e.control_position : std::min(e.control_position, resumed_->seen_when_paused(from_)));
  }
  if (!resumed_) seen_elsewhere_ = seen_;
  else if (e.position > resumed_->others_applied(from_)) seen_elsewhere_ = std::max(seen_elsewhere_, e.control_position);
}

// `duet held resolve` writes to home beside the hub, in a transaction of ours that the hub's own applier knows nothing of. The
// applier finds its control row moved when it next writes; that may take long if the spoke is silent, so the reader of home's
// log looks as well: it sees each move. What the applier begins to write it announces first, so a higher counter under this
// hub's epoch is another's. (The same counter, of a transaction that the applier has only begun: its begin fails.)
void reader::notice_a_decision(const transaction_end& e) const {
  if (counter_ && e.control_epoch == epoch_ && e.control_counter > counter_->load(std::memory_order_acquire))
    throw failure(failure_kind::decided_by_hand, "a person has decided about held keys");
}

// The fields that a write of this table has touched.
field_set reader::touched(const table_pair& table, const change_record& r) const {
  const conflict_policy& policy = table.policy;
  if (r.op != operation::update || r.token != r.token_before) return policy.all();
  if (!r.has_before) return policy.all();  // the log does not tell what it was before
  field_set fields = 0;
  for (std::uint16_t c = 0; c < r.columns; ++c)
    if (!table.columns[c].key && !r.after(c).absent() && !(r.after(c) == r.before(c))) fields |= policy.bit_of(c);
  return fields;
}

// A write into a column that the other side owns is not carried over (applier: keep_to_owner), and taken back. Here it stands
// until then, like any other.
field_set reader::without_the_others(const table_pair& table, const change_record& r, field_set touched) {
  const bool moved = r.op == operation::update && r.token != r.token_before;
  if (from_ == side::home && (moved || r.op != operation::update)) put_backs_.row_is_another(r.token);
  if (from_ == side::home && moved) put_backs_.row_is_another(r.token_before);
  if (r.op != operation::update || !r.has_before) return touched;
  const field_set theirs = table.policy.owned[static_cast<int>(other(from_))];
  const bool trespass = [&] {
    for (std::uint16_t c = 0; c < r.columns; ++c)
      if (table.owned_by(other(from_), c) && !r.after(c).absent() && !(r.after(c) == r.before(c))) return true;
    return false;
  }();
  if (from_ == side::home && transaction_position_ > (resumed_ && !table.catches_up ? resumed_->others_settled() : settled_) && (trespass || moved)) {
    put_back p{transaction_position_, r.table, r.token, std::vector<std::optional<std::string>>(r.columns), {}};
    std::vector<cell> after(r.columns);
    for (std::uint16_t c = 0; c < r.columns; ++c) after[c] = r.after(c);
    if (trespass) p.written = row_json(table, after.data());
    for (const std::uint16_t k : table.key)
      if (r.after(k).present()) p.key[k] = std::string(r.after(k).text());
    put_backs_.add(std::move(p));
  }
  return touched & existence ? touched : touched & ~theirs;
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
  if (r.op == operation::refresh) r.token = r.token_before;  // of a row that is there the key is in both images
  r.unchanged = r.op == operation::update && same_cells(r);
  if (transaction_is_copy_) {  // no write of anyone
    r.fields = table.policy.all();
    return;
  }

  if (table.direction != flow::both || r.unchanged) return;
  causality::write_index::entry e{.token = r.token, .position = transaction_position_};
  if (r.op == operation::refresh) {
    r.fields = r.decided.fields();
    if (r.decided.ends_hold && !is_done(table)) held_.decide(r.token);  // else the spoke may have held it anew
    e.read_back = true;
    for (side s : {side::home, side::spoke}) {
      const auto& won = r.decided.by(s);
      if (!won.fields) continue;
      e.fields = won.fields;
      e.time_us = won.time_us;
      e.wrote = s;
      entries_.push_back(e);
      e.read_back = false;
    }
    if (e.read_back) entries_.push_back(e);  // it says nothing, but it has come back
    return;
  }
  r.fields = touched(table, r);
  // A delete that the other side is not told of is this side's own affair: it stands against no change of the row that stays,
  // and is in the index only to say why the row is gone here.
  if (r.op == operation::remove && table.keeps_deleted(from_)) {
    if (from_ == side::home) put_backs_.row_is_another(r.token);
    e.wrote = from_;
    entries_.push_back(e);
    return;
  }
  e.fields = r.fields;
  if (table.policy.owned[static_cast<int>(other(from_))]) r.fields = without_the_others(table, r, r.fields);
  e.time_us = transaction_time_us_;
  e.wrote = from_;
  entries_.push_back(e);
  if (r.token_before != r.token) {
    e.token = r.token_before;
    entries_.push_back(e);
  }
}

}  // namespace duet::pipeline
