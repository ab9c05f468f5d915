#include "pipeline/applier.hpp"

#include <spdlog/spdlog.h>
#include <xxhash.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <random>
#include <thread>

#include "duet/failure.hpp"
#include "pipeline/images.hpp"
#include "translate/translate.hpp"

namespace duet::pipeline {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

namespace {

struct stopping {};

constexpr auto catch_up_under_lock_max = 200ms;     // how long an application may wait for our row locks
constexpr auto catch_up_max = 120s;                 // how long we wait without locks before the link is restarted
constexpr std::uint64_t progress_worth_a_commit = 16u << 20;  // log positions, about bytes
constexpr int deadlock_attempts_max = 30;
constexpr int decide_attempts_max = 10;

std::uint64_t table_token(const table_pair& t) {
  const std::string n = "table " + table_name(t);
  return XXH3_64bits(n.data(), n.size()) | 1;
}

void add(lane_counters& to, const lane_counters& c) {
  to.read += c.read, to.applied += c.applied, to.unchanged += c.unchanged, to.echoes += c.echoes, to.filtered += c.filtered;
  to.held_back += c.held_back, to.conflicts_lost += c.conflicts_lost, to.held += c.held, to.drift += c.drift;
  to.refreshes += c.refreshes, to.source_transactions += c.source_transactions;
  to.target_transactions += c.target_transactions, to.heartbeats += c.heartbeats, to.retries += c.retries;
  to.catch_ups += c.catch_ups;
}

bool is(const std::optional<std::string>& stored, const cell& c) {
  return c.is_null() ? !stored : c.present() && stored && *stored == c.text();
}

// Is the stored row as `row` says, in the given columns?
bool same(const owned_row& stored, row_view row, std::span<const std::uint16_t> columns) {
  return std::all_of(columns.begin(), columns.end(), [&](std::uint16_t i) { return is(stored.values[i], row[i]); });
}

}  // namespace

applier::applier(side to, target& t, const mapping& m, const config& c, change_ring& ring, causality::write_index& their_writes,
                 link_state& link, control_row committed, const std::vector<std::pair<std::string, std::uint64_t>>& held_tokens)
    : to_(to), from_(other(to)), target_(t), mapping_(m), config_(c), ring_(ring), their_writes_(their_writes), link_(link),
      control_(committed), done_(committed.position), seen_(committed.floor), done_fingerprint_(committed.fingerprint),
      found_last_(committed.fingerprint == 0), planner_(m, to), last_commit_(clock::now()), position_(committed.position.value),
      floor_(committed.floor.value) {
  for (const auto& [table, token] : held_tokens) {
    held_.insert(token);
    for (const table_pair& t : m.tables)
      if (table_name(t) == table && table_token(t) == token) link_.stopped_tables[t.id] = true;
  }
  held_keys_ = held_.size();
  link_.log_is_known[static_cast<int>(from_)] = found_last_;
}

void applier::work(std::stop_token stop, log_position decisions_from, std::chrono::milliseconds drain_limit) {
  stop_ = stop;
  decisions_from_ = decisions_from;
  std::optional<clock::time_point> deadline;
  try {
    for (;;) {
      if (stop.stop_requested() && !deadline) deadline = clock::now() + drain_limit;
      if (deadline && (give_up_ || clock::now() > *deadline)) break;
      change_block* block = ring_.pop(deadline ? 20ms : 100ms);
      if (block) {
        consume(block);
      } else if (deadline) {
        break;
      }
      if (!in_transaction_ && ring_.queued() == 0) finish_batch();
      heartbeat();
    }
    if (!in_transaction_ && !give_up_) finish_batch();
  } catch (const stopping&) {
  }
  if (open_) target_.rollback();
}

// ---------------------------------------------------------------------------------------------- the source's side

void applier::consume(change_block* block) {
  block_ = block;
  retained_.push_back(block);
  for (const record* r = block->first(); r; r = block->next(r)) {
    switch (r->kind) {
      case record_kind::begin:
        take_begin(static_cast<const transaction_begin&>(*r));
        break;
      case record_kind::change:
        if (!skipping_) take_change(static_cast<const change_record&>(*r));
        if (planner_.rows() >= config_.tune.batch_rows_max && in_transaction_ &&
            planner_.rows() >= config_.tune.batch_rows_max + config_.tune.batch_rows_max / 2)
          flush_part();
        break;
      case record_kind::end:
        take_end(static_cast<const transaction_end&>(*r));
        if (planner_.rows() + holds_.size() >= config_.tune.batch_rows_max) finish_batch();
        break;
      case record_kind::progress:
        progress_ = just_before(static_cast<const transaction_end&>(*r).read_up_to);
        require_last_found(progress_);
        break;
    }
  }
  block_ = nullptr;
  if (planner_.empty() && holds_.empty()) release_blocks(false);
  // Large rows: what waits must not take the blocks that the reader needs.
  std::size_t bytes = 0;
  for (const change_block* b : retained_) bytes += b->size();
  if (retained_.size() >= ring_.blocks() / 2 || bytes >= config_.tune.ring_bytes_max / 2) {
    if (in_transaction_) flush_part();
    else finish_batch();
  }
}

void applier::take_begin(const transaction_begin& b) {
  assert(!in_transaction_);
  in_transaction_ = true;
  skipping_ = b.position <= done_;
  if (!found_last_) {
    // The log must still hold the transaction that the control row names; another one in its place is another history.
    if (b.position == control_.position && b.fingerprint == control_.fingerprint) {
      found_last_ = true;
      link_.log_is_known[static_cast<int>(from_)] = true;
    } else if (b.position >= control_.position) {
      refuse_history(b.position == control_.position ? "another one is in its place" : "there is none at its position");
    }
  }
  if (skipping_) return;
  origins_.push_back({b.position, b.seen, b.commit_time_us});
  current_ = &origins_.back();
  current_fingerprint_ = b.fingerprint;
  if (b.position.value <= link_.careful_until[static_cast<int>(to_)]) careful_ = true;
}

// Each start of a hub writes to both logs, so that a log which is another one gets to the position, or past it, at once.
void applier::require_last_found(log_position read) const {
  if (!found_last_ && read >= control_.position) refuse_history("there is none at its position");
}

void applier::refuse_history(const char* what) const {
  throw failure(failure_kind::history_changed, "the log of " + std::string(name(from_)) +
                                                   " does not hold the transaction that was applied last: " + what);
}

bool applier::waits(const change_record& c) const {
  return link_.stopped_tables[c.table].load(std::memory_order_relaxed) ||
         (!held_.empty() && (held_.contains(c.token) || held_.contains(c.token_before)));
}

void applier::hold_later(const change_record& c, std::string reason, std::string server_code) {
  held_.insert(c.token);
  held_.insert(c.token_before);
  holds_.push_back({&c, current_, std::move(reason), std::move(server_code)});
}

void applier::take_change(const change_record& c) {
  if (c.op == operation::refresh) {  // what it had seen is known at the transaction's end
    refreshes_.emplace_back(new std::byte[c.size]);
    std::memcpy(refreshes_.back().get(), &c, c.size);
    return;
  }
  ++taken_.read;
  if (oldest_waiting_us_.load(std::memory_order_relaxed) == 0) oldest_waiting_us_ = current_->commit_time_us;
  const table_pair& table = mapping_.tables[c.table];
  if (c.op == operation::truncate) {
    if (table.direction != flow::both) return planner_.add_truncate(c, current_);
    link_.stopped_tables[table.id] = true;
    spdlog::error("{}: TRUNCATE at {} of a table that is synced both ways: the table is stopped, its changes wait in duet.held",
                  table_name(table), name(from_));
    holds_.push_back({&c, current_, "TRUNCATE of a table that is synced both ways: the table is stopped until someone decides", {}});
    return;
  }
  if (c.unchanged) {
    ++taken_.unchanged;
    return;
  }
  plan(c);
}

void applier::plan(const change_record& c) {
  if (waits(c)) return hold_later(c, "waits behind an earlier change of its key");
  run::row row;
  std::string reason;
  if (!convert(c, mapping_.tables[c.table], row, reason)) return hold_later(c, std::move(reason));
  planner_.add(c, current_, row);
}

bool applier::convert(const change_record& c, const table_pair& table, run::row& row, std::string& reason) {
  const std::size_t n = c.columns;
  cell* in = arena_.allocate_array<cell>(n);
  auto image = [&](bool has, auto cell_of, row_view& out) {
    if (!has) return out = nullptr, true;
    for (std::size_t i = 0; i < n; ++i) in[i] = cell_of(i);
    cell* converted = arena_.allocate_array<cell>(n);
    out = converted;
    return translate::convert_row(table, from_, in, converted, arena_, reason);
  };
  return image(c.has_before, [&](std::size_t i) { return c.before(i); }, row.before) &&
         image(c.has_after, [&](std::size_t i) { return c.after(i); }, row.after);
}

void applier::take_end(const transaction_end& e) {
  assert(in_transaction_);
  in_transaction_ = false;
  require_last_found(just_before(e.read_up_to));
  if (skipping_) {
    skipping_ = false;
    return;
  }
  origins_.back().seen = e.seen;
  for (; refreshes_planned_ < refreshes_.size(); ++refreshes_planned_)
    plan(*reinterpret_cast<const change_record*>(refreshes_[refreshes_planned_].get()));
  taken_.echoes += e.echoes;
  taken_.filtered += e.filtered;
  taken_.read += e.echoes + e.filtered;
  ++taken_.source_transactions;
  done_ = e.position;
  done_fingerprint_ = current_fingerprint_;
  seen_ = e.seen;
  // A marker alone is no reason for a marker on the other side.
  if (!e.ours || e.echoes > 0 || e.changes > 0) heartbeat_due_ = true;
}

// ---------------------------------------------------------------------------------------------- the target's side

control_row applier::next_control() const {
  control_row next = control_;
  next.position = done_;
  next.floor = seen_;
  next.fingerprint = done_fingerprint_;
  ++next.counter;
  return next;
}

void applier::begin(const control_row& next) {
  const std::int64_t time_us = origins_.empty() ? 0 : origins_.back().commit_time_us;
  target_.begin(control_, next, time_us);
  open_ = true;
  given_ = next;
}

// Everything that was taken is complete transactions: write and commit.
void applier::finish_batch() { write_batch(true); }

// The open transaction is larger than what is kept in memory: write what there is and go on in the same target transaction.
void applier::flush_part() { write_batch(false); }

void applier::write_batch(bool whole) {
  if (planner_.empty() && holds_.empty() && !open_) {  // nothing of it concerns the target
    if (whole) {
      after_taking();
      release_blocks(block_ != nullptr);
    }
    return;
  }
  while (!link_.log_is_known[static_cast<int>(to_)]) {
    if (stop_.stop_requested()) throw stopping();
    std::this_thread::sleep_for(5ms);
  }
  while (decisions_from_ && !their_writes_.wait_read(decisions_from_, 500ms, stop_))
    if (stop_.stop_requested()) throw stopping();
  decisions_from_ = {};

  control_row streamed = control_;
  ++streamed.counter;
  for (int attempt = 0;; ++attempt) {
    try {
      if (!open_) begin(whole ? next_control() : streamed);
      write_runs();
      if (whole) {
        const control_row final = streamed_ ? [&] { auto c = next_control(); c.counter = streamed.counter; return c; }() : given_;
        target_.commit(final);
        after_commit(final);
      } else {
        streamed_ = true;
        planner_.clear();
        holds_.clear();
        arena_.clear();
        release_blocks(block_ != nullptr);
      }
      return;
    } catch (const failure& f) {
      const bool again_from_memory = !streamed_;
      undo_attempt();
      if (f.kind != failure_kind::deadlock && f.kind != failure_kind::row_refused) throw;
      if (f.kind == failure_kind::row_refused && careful_) throw failure(failure_kind::internal, f.what(), f.server_code);
      if (!again_from_memory) {
        if (f.kind == failure_kind::row_refused)
          link_.careful_until[static_cast<int>(to_)] = std::max(done_, current_ ? current_->position : done_).value;
        throw failure(failure_kind::connection_lost, std::string("a large transaction is read and written again: ") + f.what());
      }
      if (f.kind == failure_kind::row_refused) {
        careful_ = true;
      } else {
        if (attempt >= deadlock_attempts_max) throw failure(failure_kind::connection_lost, f.what(), f.server_code);
        thread_local std::minstd_rand jitter(std::random_device{}());
        std::this_thread::sleep_for(std::chrono::milliseconds(std::min(1 << std::min(attempt, 8), 200) + jitter() % 10));
      }
    } catch (const catch_up_needed& c) {
      const bool again_from_memory = !streamed_;
      undo_attempt();
      if (!again_from_memory) throw failure(failure_kind::connection_lost, "a large transaction waited too long for the other log");
      const auto deadline = clock::now() + catch_up_max;
      while (!their_writes_.wait_read(c.place, 500ms, stop_)) {
        if (stop_.stop_requested()) throw stopping();
        if (clock::now() > deadline)
          throw failure(failure_kind::connection_lost, "the reader of " + std::string(name(to_)) + " did not catch up");
      }
    }
    add_retry();
  }
}

void applier::add_retry() {
  std::lock_guard lock(counters_mutex_);
  ++counters_.retries;
}

void applier::undo_attempt() {
  target_.rollback();
  open_ = streamed_ = false;
  forget_refreshes(0);
  for (std::uint64_t t : attempt_held_) held_.erase(t);
  attempt_held_.clear();
  attempt_ = {};
}

void applier::forget_refreshes(std::size_t from) {
  their_writes_.remove_pending(std::span(attempt_pending_).subspan(from));
  attempt_pending_.resize(from);
}

// What was read has been dealt with, written or not.
void applier::after_taking() {
  if (taken_.source_transactions || taken_.read) {
    std::lock_guard lock(counters_mutex_);
    add(counters_, taken_);
    taken_ = {};
  }
  their_writes_.prune(seen_);
  origins_.clear();
  current_ = nullptr;
  refreshes_.clear();
  refreshes_planned_ = 0;
  arena_.clear();
  oldest_waiting_us_ = 0;
}

void applier::after_commit(const control_row& final) {
  control_ = final;
  ++attempt_.target_transactions;
  {
    std::lock_guard lock(counters_mutex_);
    add(counters_, attempt_);
  }
  attempt_ = {};
  attempt_pending_.clear();
  attempt_held_.clear();
  held_keys_ = held_.size();
  position_.store(final.position.value, std::memory_order_release);
  floor_.store(final.floor.value, std::memory_order_release);
  open_ = streamed_ = careful_ = heartbeat_due_ = false;
  last_commit_ = clock::now();
  planner_.clear();
  holds_.clear();
  after_taking();
  release_blocks(block_ != nullptr);
}

void applier::release_blocks(bool keep_current) {
  for (change_block* b : retained_)
    if (!(keep_current && b == block_)) ring_.give_back(b);
  retained_.clear();
  if (keep_current) retained_.push_back(block_);
}

void applier::heartbeat() {
  if (open_ || in_transaction_ || !planner_.empty() || !holds_.empty()) return;
  if (!link_.log_is_known[0] || !link_.log_is_known[1]) return;
  if (clock::now() - last_commit_ < std::chrono::seconds(config_.tune.heartbeat_s)) return;
  const bool news = heartbeat_due_ && (done_ != control_.position || seen_ != control_.floor);
  if (progress_.value > done_.value + progress_worth_a_commit) {
    done_ = progress_;
    done_fingerprint_ = 0;
  } else if (!news) {
    return;
  }
  const control_row next = next_control();
  try {
    begin(next);
    target_.commit(next);
  } catch (const failure& f) {
    undo_attempt();
    if (f.kind != failure_kind::deadlock) throw;
    return;
  }
  ++attempt_.heartbeats;
  after_commit(next);
}

void applier::write_runs() {
  for (std::size_t i = 0; i < planner_.run_count(); ++i) write_run(planner_.at(i));
  for (const held_change& h : holds_) hold(h);
}

void applier::write_run(planned_run& r) {
  const run& shape = r.statement;
  const table_pair& table = *shape.table;
  if (shape.op == operation::truncate) {
    std::vector<const table_pair*> tables;
    for (const planned_row& row : r.rows) tables.push_back(&mapping_.tables[row.change->table]);
    target_.truncate(tables);
    attempt_.applied += r.rows.size();
    return;
  }

  std::vector<const planned_row*>& sure = sure_;
  std::vector<const planned_row*>& doubtful = doubtful_;
  sure.clear();
  doubtful.clear();
  const bool judged = table.direction == flow::both && shape.op != operation::refresh;
  if (judged) {
    questions_.clear();
    for (const planned_row& row : r.rows) questions_.push_back({row.token, row.token_before, row.from->seen});
    their_writes_.ask(questions_, answers_);
  }
  for (std::size_t i = 0; i < r.rows.size(); ++i) {
    const planned_row& row = r.rows[i];
    if (!attempt_held_.empty() && waits(*row.change)) {
      hold({row.change, row.from, "waits behind an earlier change of its key", {}});
    } else if (shape.op == operation::refresh || (judged && answers_[i])) {
      doubtful.push_back(&row);
    } else {
      sure.push_back(&row);
    }
  }
  if (!sure.empty()) {
    if (careful_) write_carefully(shape, sure, doubtful);
    else write_statement(shape, sure, insert_mode::trusting, doubtful);
  }
  if (!doubtful.empty()) decide(shape, doubtful);
}

void applier::write_statement(const run& shape, std::span<const planned_row* const> rows, insert_mode mode,
                              std::vector<const planned_row*>& doubtful) {
  statement_.table = shape.table;
  statement_.op = shape.op;
  statement_.columns = shape.columns;
  statement_.guard = shape.guard;
  statement_.rows.clear();
  for (const planned_row* row : rows) statement_.rows.push_back(row->row);
  unmatched_.clear();
  target_.apply(statement_, mode, unmatched_);
  attempt_.applied += rows.size() - unmatched_.size();
  for (std::uint32_t i : unmatched_) doubtful.push_back(rows[i]);
}

// After something in this batch was refused: halves, until the row is found that the target does not take.
void applier::write_carefully(const run& shape, std::span<const planned_row* const> rows, std::vector<const planned_row*>& doubtful) {
  target_.savepoint();
  const std::size_t doubtful_before = doubtful.size();
  const lane_counters before = attempt_;
  try {
    write_statement(shape, rows, insert_mode::checked, doubtful);
  } catch (const failure& f) {
    if (f.kind != failure_kind::row_refused) throw;
    target_.rollback_to_savepoint();
    doubtful.resize(doubtful_before);
    attempt_ = before;
    if (rows.size() == 1 && rows[0]->token != rows[0]->token_before) {
      doubtful.push_back(rows[0]);  // its new key may be taken by a local write that has not been read yet
    } else if (rows.size() == 1) {
      hold({rows[0]->change, rows[0]->from, f.what(), f.server_code});
    } else {
      write_carefully(shape, rows.first(rows.size() / 2), doubtful);
      write_carefully(shape, rows.subspan(rows.size() / 2), doubtful);
    }
  }
}

// ---------------------------------------------------------------------------------------------- the slow path

void applier::catch_up() {
  const log_position place = target_.catch_up_point();
  ++attempt_.catch_ups;
  const std::chrono::milliseconds limit = streamed_ ? std::chrono::milliseconds(catch_up_max) : catch_up_under_lock_max;
  if (!their_writes_.wait_read(place, limit, stop_)) throw catch_up_needed{place};
}

void applier::decide(const run& shape, const std::vector<const planned_row*>& rows) {
  const table_pair& table = *shape.table;
  // Locked first, then the log is read up to now: only so do the index and the row tell the same story.
  std::vector<row_view> keys;
  for (const planned_row* r : rows) keys.push_back(r->row.before ? r->row.before : r->row.after);
  const std::size_t moved_from = keys.size();
  for (const planned_row* r : rows)
    if (r->token != r->token_before) keys.push_back(r->row.after);
  const std::vector<owned_row> locked = target_.lock_rows(table, keys);
  assert(locked.size() == keys.size());
  if (table.direction == flow::both) catch_up();

  std::size_t next_moved = moved_from;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const planned_row& row = *rows[i];
    const bool moved = row.token != row.token_before;
    owned_row at_before = locked[i], at_after = moved ? locked[next_moved++] : at_before;
    for (int attempt = 1;; ++attempt) {
      const bool both_ways = table.direction == flow::both;
      const bool after_stands = both_ways && their_writes_.written_after(row.token, row.from->seen);
      const bool before_stands = both_ways && their_writes_.written_after(row.token_before, row.from->seen);
      if (careful_) target_.savepoint();
      const lane_counters before = attempt_;
      const std::size_t refreshes_before = attempt_pending_.size();
      try {
        decide_row(shape, row, at_before, at_after, before_stands, after_stands);
        break;
      } catch (const failure& f) {
        if (f.kind != failure_kind::row_refused || !careful_) throw;
        target_.rollback_to_savepoint();
        forget_refreshes(refreshes_before);
        attempt_ = before;
        // No lock keeps a row from coming where none was: an application may have taken the key meanwhile.
        std::vector<row_view> own = {row.row.before ? row.row.before : row.row.after};
        if (moved) own.push_back(row.row.after);
        const std::vector<owned_row> now = target_.lock_rows(table, own);
        const bool changed = now.front().found != at_before.found || now.back().found != at_after.found;
        if (!changed || attempt == decide_attempts_max) {
          hold({row.change, row.from, f.what(), f.server_code});
          break;
        }
        at_before = now.front();
        at_after = now.back();
        if (both_ways) catch_up();
      }
    }
  }
}

void applier::decide_row(const run& shape, const planned_row& row, const owned_row& at_before, const owned_row& at_after,
                         bool before_stands, bool after_stands) {
  const bool concurrent = before_stands || after_stands;
  if (concurrent && to_ == side::spoke) {
    if (before_stands != after_stands) write_other_key(row, *shape.table, at_before, at_after, before_stands);
    else if (shape.op != operation::refresh) ++attempt_.held_back;
  } else if (concurrent) {
    lose_to_home(row, *shape.table, at_before, at_after);
  } else if (shape.op == operation::refresh) {
    write_refresh(row, *shape.table, at_before);
  } else {
    write_by_force(shape, row, at_before, at_after);
  }
}

namespace {

const char* conflict_type(operation op, const owned_row& current) {
  if (op == operation::insert) return "insert_exists";
  if (op == operation::update) return current.found ? "update_origin_differs" : "update_deleted";
  return current.found ? "delete_origin_differs" : "delete_missing";
}

}  // namespace

void applier::lose_to_home(const planned_row& row, const table_pair& table, const owned_row& at_before, const owned_row& at_after) {
  const bool moved = row.token != row.token_before;
  const row_view key = row.row.before ? row.row.before : row.row.after;
  conflict_entry e;
  e.table = table_name(table);
  e.key = key_json(table, key);
  e.type = conflict_type(row.change->op, at_before);
  e.home_row = row_json(table, at_before);
  e.spoke_row = row_json(table, row.row.after);
  e.home_position = their_writes_.last_write(row.token_before);
  e.spoke_position = row.from->position;
  e.spoke_time_us = row.from->commit_time_us;
  e.rule = "home_wins";
  e.winner = "home";
  e.result = at_before.found ? "home's row stands and was sent to the spoke again" : "the row stays deleted; the spoke was told";
  target_.log_conflict(e);
  // From now on no change of the key can have seen the refresh, also not a later one of this very batch.
  const auto refresh = [&](row_view k, const owned_row& current, std::uint64_t token) {
    target_.emit_refresh(table, k, current.found ? &current : nullptr);
    attempt_pending_.push_back(token);
    their_writes_.add_pending(std::span(&token, 1));
  };
  refresh(key, at_before, row.token_before);
  if (moved) refresh(row.row.after, at_after, row.token);
  ++attempt_.conflicts_lost;
  ++attempt_.refreshes;
}

void applier::log_drift(const planned_row& row, const table_pair& table, const char* type, const owned_row& found, const char* result) {
  conflict_entry e;
  e.table = table_name(table);
  e.key = key_json(table, row.row.before ? row.row.before : row.row.after);
  e.type = type;
  const std::string here = row_json(table, found), incoming = row_json(table, row.row.after);
  e.home_row = to_ == side::home ? here : incoming;
  e.spoke_row = to_ == side::home ? incoming : here;
  (to_ == side::home ? e.spoke_position : e.home_position) = row.from->position;
  (to_ == side::home ? e.spoke_time_us : e.home_time_us) = row.from->commit_time_us;
  e.rule = "drift";
  e.winner = name(from_);
  e.result = result;
  target_.log_conflict(e);
  ++attempt_.drift;
}

// No local write stands against the change, and yet the row is not what the log says it was: an earlier difference, or
// something that the log does not show (a trigger, an unlogged write). The change is the newer one.
void applier::write_by_force(const run& shape, const planned_row& row, const owned_row& current, const owned_row& at_after) {
  const table_pair& table = *shape.table;
  const run::row& r = row.row;
  switch (shape.op) {
    case operation::insert:
      if (!current.found) {
        target_.force(table, operation::insert, nullptr, r.after, shape.columns);
      } else if (!same(current, r.after, shape.columns)) {
        target_.force(table, operation::update, r.after, r.after, shape.columns);
        log_drift(row, table, "insert_exists", current, "written over the row that was there");
      }
      break;
    case operation::update:
      if (row.token != row.token_before && at_after.found) {
        write_other_key(row, table, current, at_after, true);
        return;
      }
      if (current.found) {
        if (!same(current, r.before, shape.guard) && !same(current, r.after, shape.columns))
          log_drift(row, table, "update_origin_differs", current, "the changed columns were written");
        target_.force(table, operation::update, r.before, r.after, shape.columns);
      } else {
        std::vector<std::uint16_t> all;
        for (std::uint16_t i = 0; i < table.columns.size(); ++i)
          if (!r.after[i].absent()) all.push_back(i);
        if (all.size() < table.columns.size()) {
          hold({row.change, row.from, "the row is not there, and the log does not carry all of its columns", {}});
          return;
        }
        target_.force(table, operation::insert, nullptr, r.after, all);
        log_drift(row, table, "update_missing", current, "inserted, since it was not there");
      }
      break;
    case operation::remove:
      if (current.found) {
        if (!same(current, r.before, shape.guard)) log_drift(row, table, "delete_origin_differs", current, "deleted");
        target_.force(table, operation::remove, r.before, nullptr, {});
      } else {
        log_drift(row, table, "delete_missing", current, "nothing to delete");
      }
      break;
    case operation::truncate:
    case operation::refresh:
      assert(false);
  }
  ++attempt_.applied;
}

// A change of the row's key, the two keys taken each for itself. At the spoke, where a local write stands at one of them:
// home's answer to that write will be about its key only, so the rest of the change is made here. A write at the old key has
// lost already: home's row is no longer there. On either side, where the new key is taken by a row that nobody wrote.
void applier::write_other_key(const planned_row& row, const table_pair& table, const owned_row& at_before, const owned_row& at_after,
                              bool before_stands) {
  const run::row& r = row.row;
  if (!before_stands) {
    if (at_before.found) target_.force(table, operation::remove, r.before, nullptr, {});
  } else {
    std::vector<std::uint16_t> all;
    for (std::uint16_t i = 0; i < table.columns.size(); ++i)
      if (!r.after[i].absent()) all.push_back(i);
    if (all.size() < table.columns.size()) {
      hold({row.change, row.from, "its key changes to one that is taken, and the log does not carry all of its columns", {}});
      return;
    }
    if (at_after.found) {
      if (at_before.found) target_.force(table, operation::remove, r.before, nullptr, {});
      // Where the other side takes both keys for one, it was the same row.
      if (!target_.force(table, operation::update, r.after, r.after, all)) target_.force(table, operation::insert, nullptr, r.after, all);
      log_drift(row, table, "insert_exists", at_after, "written over the row that was there");
    } else if (at_before.found) {
      target_.force(table, operation::update, r.before, r.after, all);
    } else {
      target_.force(table, operation::insert, nullptr, r.after, all);
    }
  }
  ++attempt_.applied;
}

void applier::write_refresh(const planned_row& row, const table_pair& table, const owned_row& current) {
  const run::row& r = row.row;
  if (!r.after) {
    if (current.found) target_.force(table, operation::remove, r.before, nullptr, {});
  } else {
    std::vector<std::uint16_t> all;
    for (std::uint16_t i = 0; i < table.columns.size(); ++i)
      if (!r.after[i].absent()) all.push_back(i);
    if (!current.found) target_.force(table, operation::insert, nullptr, r.after, all);
    else if (!same(current, r.after, all)) target_.force(table, operation::update, r.after, r.after, all);
  }
  ++attempt_.refreshes;
}

void applier::hold(const held_change& h) {
  const change_record& c = *h.change;
  const table_pair& table = mapping_.tables[c.table];
  held_entry e;
  e.table = table_name(table);
  e.op = c.op;
  e.reason = h.reason;
  e.server_code = h.server_code;
  e.source_position = h.from->position;
  e.source_time_us = h.from->commit_time_us;
  if (c.op == operation::truncate) {
    e.key = "{}";
    e.token = table_token(table);
    if (held_.insert(e.token).second) attempt_held_.push_back(e.token);
  } else {
    std::vector<cell> cells(c.columns);
    if (c.has_before) {
      for (std::size_t i = 0; i < cells.size(); ++i) cells[i] = c.before(i);
      e.before_row = row_json(table, cells.data());
      e.key = key_json(table, cells.data());
    }
    if (c.has_after) {
      for (std::size_t i = 0; i < cells.size(); ++i) cells[i] = c.after(i);
      e.after_row = row_json(table, cells.data());
      e.key = key_json(table, cells.data());
    }
    e.token = c.token;
  }
  target_.hold(e);
  if (c.token_before != c.token) {  // the old key's later changes wait as well
    e.token = c.token_before;
    e.reason = "its key was changed by a held change: " + h.reason;
    target_.hold(e);
  }
  for (std::uint64_t t : {c.token, c.token_before})
    if (t && held_.insert(t).second) attempt_held_.push_back(t);
  ++attempt_.held;
}

lane_counters applier::counters() const {
  std::lock_guard lock(counters_mutex_);
  return counters_;
}

std::int64_t applier::lag_ms() const {
  const std::int64_t oldest = oldest_waiting_us_.load(std::memory_order_relaxed);
  if (oldest == 0) return 0;
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch());
  return std::max<std::int64_t>(0, (now.count() - oldest) / 1000);
}

}  // namespace duet::pipeline
