#include "pipeline/applier.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <random>
#include <thread>
#include <unordered_map>

#include "conflict/decimal.hpp"
#include "duet/failure.hpp"
#include "pipeline/images.hpp"
#include "translate/translate.hpp"

namespace duet::pipeline {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

namespace {

struct stopping {};

constexpr std::uint64_t progress_worth_a_commit = 16u << 20;  // log positions, about bytes
constexpr auto heavy_traffic_pause = 1s;                          // between such commits, where one side writes that much
constexpr auto catch_up_pause = 200ms;
constexpr int deadlock_attempts_max = 30;
constexpr auto announcement_max = 5s;               // how long the other lane's transaction that holds a key may take

bool has_blind_columns(const table_pair& t) {
  return std::any_of(t.columns.begin(), t.columns.end(), [](const column_pair& c) { return !c.key && !c.guarded; });
}

// A row that others refer to, or that refers to one that is not there, or whose children go too deep for a cascade.
bool is_foreign_key(const failure& f) {
  for (const char* code : {"1451", "1452", "6575", "23503"})
    if (f.server_code == code) return true;
  return false;
}

// Does a statement write over a value, or delete one, that its guard does not look at?
bool looks_away(const run& r) {
  const auto guarded = [&](std::uint16_t c) { return std::find(r.guard.begin(), r.guard.end(), c) != r.guard.end(); };
  if (r.op == operation::update) return !std::all_of(r.columns.begin(), r.columns.end(), guarded);
  std::uint16_t c = 0;
  return r.op == operation::remove && !std::all_of(r.table->columns.begin(), r.table->columns.end(), [&](const column_pair& p) { return guarded(c++) || p.key; });
}

bool changes_keys(const run& r) {
  return std::any_of(r.columns.begin(), r.columns.end(), [&](std::uint16_t c) { return r.table->columns[c].key; });
}

}  // namespace

applier::applier(side to, target& t, const mapping& m, const config& c, change_ring& ring, causality::write_index& their_writes,
                 link_state& link, control_row committed, const std::vector<std::pair<std::string, std::uint64_t>>& held_tokens,
                 follower follow, log_position decisions_from)
    : to_(to), from_(other(to)), follow_(std::move(follow)), target_(t), mapping_(m), config_(c), ring_(ring), their_writes_(their_writes), link_(link),
      audit_(link.audit[static_cast<int>(to)]),
      decisions_from_(decisions_from),
      control_(committed), done_(committed.position), seen_(committed.floor), done_fingerprint_(committed.fingerprint),
      found_last_(committed.fingerprint == 0), planner_(m, to), last_commit_(clock::now()), position_(committed.position.value),
      floor_(committed.floor.value) {
  if (to == side::home)
    for (const conflict_script& s : c.scripts) scripts_.emplace_back(s.file, s.text);
  std::unordered_map<std::string, const table_pair*> tables;
  for (const table_pair& t : m.tables) tables[table_name(t)] = &t;
  for (const auto& [table, token] : held_tokens) {
    const auto found = tables.find(table);
    const bool whole = found != tables.end() && table_token(*found->second) == token;
    if (whole) link_.stopped_tables[found->second->id] = true;
    link_.held.insert(to, token, whole || found == tables.end() ? held_keys::no_table : found->second->id);
  }
  attempt_new_.resize(m.tables.size());
  being_merged_.resize(m.tables.size());
  link_.log_is_known[static_cast<int>(from_)] = found_last_;
}

void link_state::begin_anew(std::size_t tables) {
  stopped_tables = std::vector<std::atomic<bool>>(tables);
  for (const side s : {side::home, side::spoke}) audit[static_cast<int>(s)].forget();
}

void applier::work(std::stop_token stop, std::chrono::milliseconds drain_limit) {
  stop_ = stop;
  std::optional<clock::time_point> deadline;
  try {
    for (;;) {
      if (stop.stop_requested() && !deadline) deadline = clock::now() + drain_limit;
      if (deadline && (give_up_ || clock::now() > *deadline)) break;
      if (!step(deadline ? 20ms : 100ms) && deadline) break;
    }
    if (!in_transaction_ && !give_up_) {
      finish_batch();
      heartbeat(true);
    }
  } catch (const stopping&) {
  }
  if (open_) target_.rollback();
}

bool applier::step(std::chrono::milliseconds wait) {
  change_block* block = ring_.pop(wait);
  if (block) consume(block);
  if (!in_transaction_ && ring_.queued() == 0) finish_batch();
  heartbeat();
  return block != nullptr;
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
        // What has been written in parts ends with its transaction: it can't be tried again from memory.
        if (streamed_ || planner_.rows() + holds_.size() >= config_.tune.batch_rows_max) finish_batch();
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

void applier::copy(copying* c, const copying* back) {
  copying_ = c;
  for (const table_pair& t : mapping_.tables) being_merged_[t.id] = t.merges() && ((c && c->pending(t.id)) || (back && back->pending(t.id)));
  if (!c) return;
  for (const table_pair& t : mapping_.tables) {
    not_begun_.push_back(c->not_begun(t.id) && !t.merges());
    being_copied_.push_back(c->pending(t.id));
  }
}

void applier::take_begin(const transaction_begin& b) {
  assert(!in_transaction_);
  in_transaction_ = true;
  if ((copied_table_ = b.copied_table)) {
    not_begun_[copied_table_ - 1] = false;
    origins_.push_back({b.position, b.seen_elsewhere, 0, true});
    current_ = elsewhere_ = &origins_.back();
    if (b.position.value <= link_.careful_until[static_cast<int>(to_)]) careful_ = true;
    return;
  }
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
  if (link_.resumed) elsewhere_ = &origins_.emplace_back(origin{b.position, b.seen_elsewhere, b.commit_time_us});
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

bool applier::waits(const change_record& c) {
  if (c.op == operation::refresh && c.decided.ends_hold) return false;
  if (link_.stopped_tables[c.table].load(std::memory_order_relaxed)) return true;
  return waits(c.token) || (c.token_before != c.token && waits(c.token_before));
}

bool applier::waits(std::uint64_t token) {
  if (!batch_held_.empty() && batch_held_.contains(token)) return true;
  if (link_.held.empty()) return false;
  for (const auto deadline = clock::now() + announcement_max;;) {
    switch (link_.held.find(to_, token)) {
      case held_keys::state::free: return false;
      case held_keys::state::waits: return true;
      case held_keys::state::announced: break;
    }
    if (std::any_of(attempt_held_.begin(), attempt_held_.end(), [&](const held_token& h) { return h.token == token; })) return true;
    if (clock::now() > deadline)
      throw failure(failure_kind::connection_lost, "the other lane does not get done with a transaction that holds a key which both have changed");
    if (stop_.stop_requested()) throw stopping();
    link_.pause(1ms);
  }
}

// A delete that the table's rule does not carry over.
bool applier::stays_here(const change_record& c) const {
  return c.op == operation::remove && mapping_.tables[c.table].deletes_of(from_).does == delete_action::ignore;
}

void applier::hold_later(const change_record& c, std::string reason, std::string server_code) {
  batch_held_.insert(c.token);
  batch_held_.insert(c.token_before);
  holds_.push_back({&c, origin_of(c), std::move(reason), std::move(server_code)});
}

void applier::take_change(const change_record& c) {
  if (link_.resumed && !mapping_.tables[c.table].catches_up && !current_->copied && current_->position <= link_.resumed->others_applied(from_)) return;
  if (oldest_waiting_us_.load(std::memory_order_relaxed) == 0) oldest_waiting_us_ = current_->commit_time_us;
  if (c.op == operation::refresh) {  // what it had seen is known at the transaction's end
    refreshes_.emplace_back(new std::byte[c.size]);
    std::memcpy(refreshes_.back().get(), &c, c.size);
    return;
  }
  ++taken_.read;
  const table_pair& table = mapping_.tables[c.table];
  if (!not_begun_.empty() && not_begun_[c.table]) {  // its copy is made later, and has it
    ++taken_.filtered;
    return;
  }
  if (c.op == operation::truncate) {
    if (table.deletes_of(from_).does == delete_action::ignore) {
      ++taken_.deletes_ignored;
      return;
    }
    const bool archived = table.keeps_deleted(from_), stopped = link_.stopped_tables[table.id];
    if (table.direction != flow::both && !archived && !stopped) return planner_.add_truncate(c, origin_of(c));
    link_.stopped_tables[table.id] = true;
    const char* of = archived ? "a table whose deletes are archived" : table.direction == flow::both ? "a table that is synced both ways" : "a stopped table";
    spdlog::error("{}: TRUNCATE at {} of {}: the table is stopped, its changes wait in duet.held", table_name(table), name(from_), of);
    holds_.push_back({&c, origin_of(c), "TRUNCATE of " + std::string(of) + ": the table is stopped until someone decides", {}});
    return;
  }
  // Home looks at those of a table that is synced both ways: a change of its own may have crossed one.
  if (stays_here(c) && (to_ == side::spoke || table.direction != flow::both)) {
    ++taken_.deletes_ignored;
    return;
  }
  if (c.unchanged) {
    ++taken_.unchanged;
    return;
  }
  plan(c);
}

// A key that the log has brought whole, or taken away, since its table's copy has begun needs no copy: the stream has all that
// the copied row has, and what this side has written to it since is no conflict with it.
void applier::note_in_stream(const change_record& c) {
  if (in_stream_.size() >= in_stream_max) return;
  for (std::uint16_t i = 0; c.has_after && i < c.columns; ++i)
    if (c.after(i).absent()) return;  // it brings nothing where the row is not yet
  in_stream_.insert(c.token);
  in_stream_.insert(c.token_before);
}

void applier::plan(const change_record& c) {
  if (current_->copied && in_stream_.contains(c.token)) {
    ++taken_.unchanged;
    return;
  }
  read_up_before_deciding();
  if (waits(c) && stays_here(c)) {  // each side keeps its own row anyway
    ++taken_.deletes_ignored;
    return;
  }
  if (waits(c)) return hold_later(c, "waits behind an earlier change of its key");
  run::row row;
  std::string reason;
  const table_pair& table = mapping_.tables[c.table];
  if (!convert(c, table, row, reason)) return hold_later(c, std::move(reason));
  row_view trespass = nullptr;
  if (table.policy.owned[static_cast<int>(to_)] && (trespass = keep_to_owner(c, table, row)) && to_ == side::spoke) {
    answer_owed_ = true;
    if (!changes_anything(c, table, row)) {
      ++taken_.held_back;
      return;
    }
    trespass = nullptr;  // home knows by itself
  }
  if (is_being_copied(table) && !table.merges() && !current_->copied && c.op != operation::refresh) note_in_stream(c);
  planner_.add(c, origin_of(c), row, trespass);
}

// After a start: both logs must be known, and what was decided last is in the target's own log: it must be known before
// anything else is decided.
void applier::read_up_before_deciding() {
  while (!link_.log_is_known[static_cast<int>(to_)]) {
    if (stop_.stop_requested()) throw stopping();
    link_.pause(5ms);
  }
  while (decisions_from_ && !follow_(decisions_from_, 500ms, stop_))
    if (stop_.stop_requested()) throw stopping();
  decisions_from_ = {};
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
  if (!image(c.has_before, [&](std::size_t i) { return c.before(i); }, row.before) ||
      !image(c.has_after, [&](std::size_t i) { return c.after(i); }, row.after))
    return false;
  if (table.policy.deltas && c.op == operation::update && c.has_before) add_deltas(table, row);
  return true;
}

// By how much an update has changed the delta columns.
void applier::add_deltas(const table_pair& table, run::row& row) {
  cell* added = nullptr;
  for (std::uint16_t i = 0; i < table.columns.size(); ++i) {
    const cell &before = row.before[i], &after = row.after[i];
    if (table.columns[i].key || !(table.policy.deltas & table.policy.bit_of(i))) continue;
    if (!before.present() || !after.present() || before == after) continue;
    if (!conflict::is_decimal(before.text()) || !conflict::is_decimal(after.text())) continue;  // NaN: as it is
    if (!added) {
      added = arena_.allocate_array<cell>(table.columns.size());
      std::fill_n(added, table.columns.size(), cell{});
      row.added = added;
    }
    added[i] = cell::of(arena_.copy(conflict::difference(after.text(), before.text())));
  }
}

void applier::take_end(const transaction_end& e) {
  assert(in_transaction_);
  in_transaction_ = false;
  require_last_found(just_before(e.read_up_to));
  if (skipping_) {
    skipping_ = false;
    return;
  }
  if (copied_table_) {
    const auto table = static_cast<std::uint16_t>(copied_table_ - 1);
    std::erase_if(copied_, [&](const auto& c) { return c.first == table; });
    copied_.emplace_back(table, copying_->taken());
    copied_table_ = 0;
    return;
  }
  origins_.back().seen = e.seen;
  if (link_.resumed) elsewhere_->seen = e.seen_elsewhere;
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
  if (to_ == side::home) link_.home_counter.store(next.counter, std::memory_order_release);  // before anyone can read it from the log
  target_.begin(control_, next, time_us);
  open_ = true;
  given_ = next;
}

void applier::commit(const control_row& final) {
  audit_.will_commit(final.epoch, final.counter);
  target_.commit(final);
}

// Everything that was taken is complete transactions: write and commit.
void applier::finish_batch() { write_batch(true); }

// The open transaction is larger than what is kept in memory: write what there is and go on in the same target transaction.
void applier::flush_part() { write_batch(false); }

void applier::write_batch(bool whole) {
  if (planner_.empty() && holds_.empty() && copied_.empty() && !open_) {  // nothing of it concerns the target
    if (whole) {
      after_taking();
      release_blocks(block_ != nullptr);
    }
    return;
  }
  read_up_before_deciding();

  control_row streamed = control_;
  ++streamed.counter;
  for (int attempt = 0;; ++attempt) {
    try {
      if (!open_) begin(whole ? next_control() : streamed);
      write_runs(whole);
      if (whole) {
        put_back_until(seen_);
        send_refreshes();
        for (const auto& [table, copy] : copied_) target_.store_copy(mapping_.tables[table], copy);
        const control_row final = streamed_ ? [&] { auto c = next_control(); c.counter = streamed.counter; return c; }() : given_;
        commit(final);
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
        link_.pause(std::chrono::milliseconds(std::min(1 << std::min(attempt, 8), 200) + jitter() % 10));
      }
    } catch (const catch_up_needed& c) {
      const bool again_from_memory = !streamed_;
      undo_attempt();
      if (!again_from_memory) throw failure(failure_kind::connection_lost, "a large transaction waited too long for the other log");
      const auto deadline = clock::now() + catch_up_max;
      while (!follow_(c.place, 500ms, stop_)) {
        if (stop_.stop_requested()) throw stopping();
        if (clock::now() > deadline)
          throw failure(failure_kind::connection_lost, "the reader of " + std::string(name(to_)) + " did not catch up");
      }
    } catch (const transactions_given_up&) {
      const bool again_from_memory = !streamed_;
      give_up_what_depends();
      undo_attempt();
      if (!again_from_memory) throw failure(failure_kind::read_again, "a large transaction that is given up as a whole is read again");
      --attempt;
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
  open_ = streamed_ = last_chance_ = gives_up_ = false;
  undo_to({});
  kept_.clear();
  decided_.rows.clear();
}

void applier::undo_to(const undo_point& p) {
  deferred_.resize(p.deferred);
  audit_.undo_to(p.echoes);
  attempt_ = p.counters;
  for (const due_refresh& r : attempt_refreshes_) their_writes_.remove_pending(r.token);
  attempt_refreshes_ = p.refreshes;
  for (const due_refresh& r : attempt_refreshes_) their_writes_.add_pending(r.token, r.tag, false);
  while (attempt_held_.size() > p.holds) {
    const held_token h = attempt_held_.back();
    link_.held.withdraw(to_, h.token);
    if (h.table != held_keys::no_table && !link_.held.holds(to_, h.token)) --attempt_new_[h.table];
    attempt_held_.pop_back();
  }
  if (attempt_held_.empty()) attempt_stopped_.clear();
  attempt_released_.resize(p.releases);
}

// What was read has been dealt with, written or not.
void applier::after_taking() {
  if (taken_.source_transactions || taken_.read) {
    std::lock_guard lock(counters_mutex_);
    counters_ += taken_;
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
    counters_ += attempt_;
  }
  attempt_ = {};
  attempt_refreshes_.clear();
  for (const auto& [token, table] : attempt_held_) {
    link_.held.insert(to_, token, table);
    link_.held.withdraw(to_, token);
  }
  if (!attempt_held_.empty()) std::fill(attempt_new_.begin(), attempt_new_.end(), 0);
  attempt_held_.clear();
  for (const std::uint16_t t : attempt_stopped_) {
    if (link_.stopped_tables[t].exchange(true)) continue;
    spdlog::error("{}: more than {} keys are held at {}: the table is stopped, its changes wait in duet.held", table_name(mapping_.tables[t]),
                  mapping_.tables[t].held_limit, name(to_));
  }
  attempt_stopped_.clear();
  for (const held_token& t : attempt_released_) link_.held.erase(to_, t.token);
  attempt_released_.clear();
  batch_held_.clear();
  position_.store(final.position.value, std::memory_order_release);
  floor_.store(final.floor.value, std::memory_order_release);
  open_ = streamed_ = careful_ = heartbeat_due_ = false;
  last_commit_ = clock::now();
  planner_.clear();
  holds_.clear();
  if (!copied_.empty()) copies_stored();
  answer_owed_ = false;
  if (to_ == side::home) link_.given_up.erase(link_.given_up.begin(), link_.given_up.upper_bound(final.position.value));
  link_.put_back.done(to_ == side::home ? final.floor : log_position{});
  after_taking();
  release_blocks(block_ != nullptr);
}

void applier::copies_stored() {
  copying_->stored(copied_);
  for (const auto& [table, copy] : copied_)
    if (copy.done) being_copied_[table] = false;
  if (std::find(being_copied_.begin(), being_copied_.end(), true) == being_copied_.end()) in_stream_.clear();
  copied_.clear();
}

void applier::release_blocks(bool keep_current) {
  for (change_block* b : retained_)
    if (!(keep_current && b == block_)) ring_.give_back(b);
  retained_.clear();
  if (keep_current) retained_.push_back(block_);
}

void applier::heartbeat(bool at_once) {
  if (open_ || in_transaction_ || !planner_.empty() || !holds_.empty() || !copied_.empty()) return;
  if (!link_.log_is_known[0] || !link_.log_is_known[1]) return;
  const auto pause = clock::now() - last_commit_;
  const bool catches_up = link_.resumed && !link_.resumed->passed(to_, control_);  // until then the control rows answer each other
  const bool due = at_once || pause >= std::chrono::seconds(config_.tune.heartbeat_s) || (catches_up && pause >= catch_up_pause);
  // Where others fill a log, both control rows must follow, or it could never be released: first the position, then, when
  // that has come back, the other side's floor. Neither is an answer to the other: each takes that much of foreign log.
  const bool seen_far = seen_.value > control_.floor.value + progress_worth_a_commit;
  const bool owed = to_ == side::home ? link_.put_back.any_until(seen_) : answer_owed_;
  if (!due && !owed && !(seen_far && pause >= heavy_traffic_pause)) return;
  const bool news = (heartbeat_due_ || catches_up) && (done_ != control_.position || seen_ != control_.floor);
  if (progress_.value > done_.value + progress_worth_a_commit || (catches_up && done_ < link_.resumed->others_applied(from_) && progress_ > done_)) {
    done_ = progress_;
    done_fingerprint_ = 0;
  } else if (!news && !seen_far && !owed) {
    return;
  }
  const control_row next = next_control();
  try {
    begin(next);
    put_back_until(next.floor);
    send_refreshes();
    commit(next);
  } catch (const failure& f) {
    undo_attempt();
    if (f.kind != failure_kind::deadlock) throw;
    return;
  } catch (const catch_up_needed&) {  // the next one comes soon
    undo_attempt();
    return;
  }
  ++attempt_.heartbeats;
  after_commit(next);
}

void applier::write_runs(bool last) {
  for (std::size_t i = 0; i < planner_.run_count(); ++i) write_run(planner_.at(i));
  if (last || kept_.bytes > config_.tune.ring_bytes_max) write_deferred();  // memory is bounded: their children should have come
  else keep_deferred();
  for (const held_change& h : holds_) hold(h);
  if (!attempt_held_.empty()) stop_full_tables();
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
  const bool merged = table.merges() && r.rows.front().from->copied;
  if (merged) look_at_merged(r);
  const bool looked_at = !merged && is_being_merged(table) && looks_away(shape);
  if (judged) {
    if (shape.op != operation::insert && has_blind_columns(table) && (to_ == side::home || changes_keys(shape))) read_up_under_locks(r);
    questions_.clear();
    for (const planned_row& row : r.rows)
      questions_.push_back({row.token, row.token_before, row.from->seen, row.change->fields, table.policy.deltas});
    their_writes_.ask(questions_, answers_);
  }
  for (std::size_t i = 0; i < r.rows.size(); ++i) {
    const planned_row& row = r.rows[i];
    if (!deferred_.empty() && is_deferred(row)) {
      deferred_.push_back({&shape, &row});
    } else if (!attempt_held_.empty() && waits(*row.change)) {
      if (stays_here(*row.change)) ++attempt_.deletes_ignored;
      else hold({row.change, row.from, "waits behind an earlier change of its key", {}});
    } else if (shape.op == operation::refresh || row.trespass || is_given_up(row, table) || (judged && shape.op == operation::remove && to_ == side::home && table.keeps_deleted(from_))) {
      doubtful.push_back(&row);
    } else if (judged && answers_[i] && !(shape.op == operation::remove && table.keeps_deleted(from_))) {
      doubtful.push_back(&row);
    } else if (merged && merged_[i] == found_here::equal) {
      ++attempt_.unchanged;
    } else if (looked_at || (merged && merged_[i] == found_here::different)) {
      doubtful.push_back(&row);
    } else {
      sure.push_back(&row);
    }
  }
  if (!sure.empty()) {
    if (careful_) write_carefully(shape, sure, doubtful);
    else write_statement(shape, sure, insert_mode::trusting, doubtful);
    if (judged && sure.front()->from->copied) look_behind_copied(r);
  }
  if (!doubtful.empty()) decide(shape, doubtful);
}

// Where no row was, nothing could be locked: a copied row may stand where the other side's application has just deleted one. Now
// that the rows are ours, whatever was there is in the log before them.
void applier::look_behind_copied(const planned_run& r) {
  catch_up();
  const std::vector<std::uint8_t> before = answers_;
  questions_.clear();
  for (const planned_row& row : r.rows) questions_.push_back({row.token, row.token_before, row.from->seen, row.change->fields, r.statement.table->policy.deltas});
  their_writes_.ask(questions_, answers_);
  for (std::size_t i = 0; i < r.rows.size(); ++i)
    if (answers_[i] && !before[i]) throw failure(failure_kind::deadlock, "a copied row met a write that had not been read");
}

// Most rows of two filled tables are equal, and need no lock. What was read is what the log says as far as it has been read
// then: where the index knows of no write behind that, it is what the other side knows, too.
void applier::look_at_merged(const planned_run& r) {
  const table_pair& table = *r.statement.table;
  std::vector<row_view> keys;
  for (const planned_row& row : r.rows) keys.push_back(row.row.after);
  const std::vector<owned_row> here = target_.read_rows(table, keys);
  catch_up();
  merged_.clear();
  for (std::size_t i = 0; i < here.size(); ++i)
    merged_.push_back(!here[i].found ? found_here::nothing : differing(r.rows[i], table, here[i]).empty() ? found_here::equal : found_here::different);
}

bool applier::is_deferred(const planned_row& row) const {
  const std::vector<std::uint16_t>& parents = mapping_.tables[row.change->table].parents;
  return std::any_of(deferred_.begin(), deferred_.end(), [&](const deferred_row& d) {
    if (d.row->token == row.token || d.row->token == row.token_before || d.row->token_before == row.token) return true;
    // A row that is to come again, and a child that may be of the new one.
    return d.shape->op != operation::remove && row.change->op != operation::remove &&
           std::find(parents.begin(), parents.end(), d.shape->table->id) != parents.end();
  });
}

// A log may have a parent's delete before the deletes of its children, which follow from it, or what a change of its key does to
// them before that: what was refused for its children or its parent is tried again behind them, at the transaction's end, with all that came later of its key.
void applier::write_deferred() {
  const std::vector<deferred_row> rows = std::move(deferred_);
  deferred_.clear();
  last_chance_ = true;
  for (const deferred_row& d : rows) {
    if (waits(*d.row->change)) {
      hold({d.row->change, d.row->from, "waits behind an earlier change of its key", {}});
      continue;
    }
    doubtful_.clear();
    if (is_given_up(*d.row, *d.shape->table)) doubtful_.push_back(d.row);
    else write_carefully(*d.shape, std::span(&d.row, 1), doubtful_);
    if (!doubtful_.empty()) decide(*d.shape, doubtful_);
  }
  last_chance_ = false;
  kept_.clear();
}

// The deletes of the children may be in a later part.
void applier::keep_deferred() {
  for (std::size_t i = kept_.rows.size(); i < deferred_.size(); ++i) deferred_[i] = kept_.add(deferred_[i]);
}

applier::deferred_row applier::kept_rows::add(const deferred_row& d) {
  if (shapes.empty() || d.shape->table != shapes.back().table || d.shape->op != shapes.back().op || d.shape->columns != shapes.back().columns ||
      d.shape->deltas != shapes.back().deltas || d.shape->guard != shapes.back().guard)
    shapes.push_back(*d.shape);
  const auto row_of = [&](row_view from) -> row_view {
    if (!from) return nullptr;
    const std::size_t n = d.shape->table->columns.size();
    cell* cells = arena.allocate_array<cell>(n);
    for (std::size_t i = 0; i < n; ++i) {
      cells[i] = from[i].present() ? cell::of(arena.copy(from[i].text())) : from[i];
      bytes += sizeof(cell) + from[i].size;
    }
    return cells;
  };
  planned_row& row = rows.emplace_back(*d.row);
  row.row = {row_of(d.row->row.before), row_of(d.row->row.after), row_of(d.row->row.added)};
  row.trespass = row_of(d.row->trespass);
  char* change = arena.allocate(d.row->change->size);
  std::memcpy(change, d.row->change, d.row->change->size);
  row.change = reinterpret_cast<const change_record*>(change);
  bytes += d.row->change->size + sizeof(planned_row);
  return {&shapes.back(), &row};
}

void applier::kept_rows::clear() {
  arena.clear();
  shapes.clear();
  rows.clear();
  bytes = 0;
}

// A guard can't see a local write of a column that can't be compared. Where there is such a column, the rows are locked and
// the log is read up to now first, so that the index sees it. At the spoke that is needed only where a row would take the
// value along to another key: home answers for the old key.
void applier::read_up_under_locks(const planned_run& r) {
  std::vector<row_view> keys;
  for (const planned_row& row : r.rows) keys.push_back(row.row.before);
  target_.lock_rows(*r.statement.table, keys);
  catch_up();
}

void applier::write_statement(const run& shape, std::span<const planned_row* const> rows, insert_mode mode,
                              std::vector<const planned_row*>& doubtful) {
  if (const auto& rule = shape.table->deletes_of(from_); shape.op == operation::remove && rule.does == delete_action::archive) {
    for (const planned_row* row : rows) {
      target_.mark(*shape.table, row->row.before, rule.archived_at, row->from->commit_time_us);
      audit_.not_compared(*shape.table, row->token);
    }
    attempt_.applied += rows.size();
    return;
  }
  statement_.table = shape.table;
  statement_.op = shape.op;
  statement_.columns = shape.columns;
  statement_.deltas = shape.deltas;
  statement_.guard = shape.guard;
  statement_.rows.clear();
  for (const planned_row* row : rows) statement_.rows.push_back(row->row);
  unmatched_.clear();
  target_.apply(statement_, mode, unmatched_);
  attempt_.applied += rows.size() - unmatched_.size();
  std::sort(unmatched_.begin(), unmatched_.end());
  std::size_t next_unmatched = 0;
  for (std::uint32_t i = 0; i < rows.size(); ++i) {
    if (next_unmatched < unmatched_.size() && unmatched_[next_unmatched] == i) {
      doubtful.push_back(rows[i]);
      ++next_unmatched;
    } else {
      audit_.sent(*shape.table, shape.op, rows[i]->token, rows[i]->row.after, shape.columns, shape.deltas);
    }
  }
}

// After something in this batch was refused: halves, until the row is found that the target does not take.
void applier::write_carefully(const run& shape, std::span<const planned_row* const> rows, std::vector<const planned_row*>& doubtful) {
  target_.savepoint();
  const std::size_t doubtful_before = doubtful.size();
  const undo_point before = point();
  try {
    write_statement(shape, rows, insert_mode::checked, doubtful);
  } catch (const failure& f) {
    if (f.kind != failure_kind::row_refused) throw;
    target_.rollback_to_savepoint();
    doubtful.resize(doubtful_before);
    undo_to(before);
    if (rows.size() == 1 && rows[0]->token != rows[0]->token_before) {
      doubtful.push_back(rows[0]);  // its new key may be taken by a local write that has not been read yet
    } else if (rows.size() == 1 && shape.op != operation::insert && is_foreign_key(f) && !last_chance_) {
      deferred_.push_back({&shape, rows[0]});
    } else if (rows.size() == 1) {
      hold({rows[0]->change, rows[0]->from, f.what(), f.server_code});
    } else {
      write_carefully(shape, rows.first(rows.size() / 2), doubtful);
      write_carefully(shape, rows.subspan(rows.size() / 2), doubtful);
    }
  }
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
