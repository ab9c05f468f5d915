// The applier's slow path: the few rows of a batch that a statement did not find as expected, or that met a local write. One
// by one, under their locks.
#include <algorithm>
#include <cassert>
#include <iterator>
#include <numeric>

#include "conflict/decimal.hpp"
#include "conflict/merge.hpp"
#include "duet/failure.hpp"
#include "pipeline/applier.hpp"
#include "pipeline/images.hpp"
#include "pipeline/row_equality.hpp"
#include "translate/translate.hpp"

namespace duet::pipeline {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

namespace {

constexpr auto catch_up_under_lock_max = 200ms;  // how long an application may wait for our row locks
constexpr int decide_attempts_max = 10;
constexpr int mapping_generations = 1 << 20;  // more than there are

bool is(const std::optional<std::string>& stored, const cell& c) {
  return c.is_null() ? !stored : c.present() && stored && *stored == c.text();
}

// Is the stored row as `row` says, in the given columns?
bool same(const owned_row& stored, row_view row, std::span<const std::uint16_t> columns) {
  return std::all_of(columns.begin(), columns.end(), [&](std::uint16_t i) { return is(stored.values[i], row[i]); });
}

failure not_written(const table_pair& table) {
  return failure(failure_kind::row_refused, "nothing was written to " + table_name(table) + " though nothing stands against it: a trigger may have kept it off");
}

// The columns of a row that the log has.
std::vector<std::uint16_t> present_columns(const table_pair& table, row_view row) {
  std::vector<std::uint16_t> all;
  for (std::uint16_t i = 0; i < table.columns.size(); ++i)
    if (!row[i].absent()) all.push_back(i);
  return all;
}

// Notes how long a decision took when it goes: its own time, and what it shares with the other rows of its run.
class decision_timer {
 public:
  decision_timer(durations* to, clock::duration shared) : to_(to), began_(clock::now() - shared) {}
  ~decision_timer() {
    if (to_) to_->add(clock::now() - began_);
  }
  decision_timer(const decision_timer&) = delete;
  decision_timer& operator=(const decision_timer&) = delete;

 private:
  durations* to_;
  clock::time_point began_;
};

}  // namespace

void applier::catch_up() {
  const log_position place = target_.catch_up_point();
  ++attempt_.catch_ups;
  const std::chrono::milliseconds limit = streamed_ ? std::chrono::milliseconds(catch_up_max) : catch_up_under_lock_max;
  if (!follow_(place, limit, stop_)) throw catch_up_needed{place};
}

void applier::decide(const run& shape, const std::vector<const planned_row*>& rows) {
  const table_pair& table = *shape.table;
  const auto began = clock::now();
  for (const planned_row* r : rows)
    for (const std::uint64_t token : {r->token_before, r->token}) audit_.not_compared(table, token);
  // Locked first, then the log is read up to now: only so do the index and the row tell the same story.
  std::vector<row_view> keys;
  for (const planned_row* r : rows) keys.push_back(r->row.before ? r->row.before : r->row.after);
  const std::size_t moved_from = keys.size();
  for (const planned_row* r : rows)
    if (r->token != r->token_before) keys.push_back(r->row.after);
  const std::vector<owned_row> locked = target_.lock_rows(table, keys);
  assert(locked.size() == keys.size());
  if (table.direction == flow::both) catch_up();
  const auto shared = clock::now() - began;

  std::size_t next_moved = moved_from;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const decision_timer timer(shape.op == operation::refresh ? nullptr : &attempt_.decisions, shared);
    const planned_row& row = *rows[i];
    const bool moved = row.token != row.token_before;
    owned_row at_before = locked[i], at_after = moved ? locked[next_moved++] : at_before;
    if (!careful_) {
      decide_row(shape, row, at_before, at_after);
      continue;
    }
    for (int attempt = 1;; ++attempt) {
      target_.savepoint();
      const undo_point before = point();
      try {
        decide_row(shape, row, at_before, at_after);
        break;
      } catch (const failure& f) {
        if (f.kind != failure_kind::row_refused) throw;
        target_.rollback_to_savepoint();
        undo_to(before);
        // No lock keeps a row from coming where none was: an application may have taken the key meanwhile.
        std::vector<row_view> own = {row.row.before ? row.row.before : row.row.after};
        if (moved) own.push_back(row.row.after);
        const std::vector<owned_row> now = target_.lock_rows(table, own);
        const bool changed = now.front().found != at_before.found || now.back().found != at_after.found;
        if (!changed || attempt == decide_attempts_max) {
          if (!settle_reference(shape, row, f)) hold({row.change, row.from, f.what(), f.server_code});
          break;
        }
        at_before = now.front();
        at_after = now.back();
        if (table.direction == flow::both) catch_up();
      }
    }
  }
  if (std::exchange(gives_up_, false)) throw transactions_given_up{};
  write_decided();
}

void applier::decide_row(const run& shape, const planned_row& row, const owned_row& at_before, const owned_row& at_after) {
  met_entries_.clear();
  met_.clear();
  bool before_stands = false, after_stands = false;
  if (shape.table->direction == flow::both) {
    their_writes_.collect(row.token_before, row.from->seen, met_entries_);
    const auto stands = [](const causality::write_index::entry& e) { return e.fields != 0; };
    before_stands = after_stands = std::any_of(met_entries_.begin(), met_entries_.end(), stands);
    if (row.token != row.token_before) {
      const auto at_the_old_key = static_cast<std::ptrdiff_t>(met_entries_.size());
      their_writes_.collect(row.token, row.from->seen, met_entries_);
      after_stands = std::any_of(met_entries_.begin() + at_the_old_key, met_entries_.end(), stands);
    }
    for (const auto& e : met_entries_) met_.push_back({e.fields, e.time_us, e.wrote});
  }
  if (row.change->op == operation::remove && shape.table->keeps_deleted(from_)) {
    keep_deleted(row, *shape.table, at_before);
  } else if (is_given_up(row, *shape.table)) {
    give_up_row(row, *shape.table, at_before, at_after);
  } else if (to_ == side::home) {
    const std::size_t held_before = attempt_held_.size();
    if (shape.table->settles_parents() && row.row.after && !row.from->copied) answer_for_parents(*shape.table, row.row.after, row.from->seen);
    if (!row.trespass || changes_anything(*row.change, *shape.table, row.row)) decide_at_home(shape, row, at_before, at_after);
    else ++attempt_.conflicts_lost;
    if (!row.trespass || attempt_held_.size() != held_before) return;
    const row_view keys[] = {row.row.after};
    write_decided();
    answer_trespass(row, *shape.table, target_.lock_rows(*shape.table, keys).front());
  } else if (before_stands != after_stands) {
    write_other_key(row, *shape.table, at_before, at_after, before_stands);
  } else {
    decide_at_spoke(shape, row, at_before, at_after);
  }
}

namespace {

// The row that a decision has left.
owned_row outcome(const planned_row& row, const table_pair& table, const conflict::decision& d, const owned_row& was) {
  using action = conflict::decision::action;
  const auto value_of = [](const cell& c) { return c.present() ? std::optional(std::string(c.text())) : std::nullopt; };
  owned_row is = was;
  switch (d.does) {
    case action::keep:
    case action::hold:
      break;
    case action::remove:
      is = {};
      break;
    case action::insert:
    case action::move:
      is = {.found = true, .values = {}};
      for (std::size_t i = 0; i < table.columns.size(); ++i) is.values.push_back(value_of(row.row.after[i]));
      break;
    case action::update:
      for (const std::uint16_t i : d.write) is.values[i] = value_of(row.row.after[i]);
      for (const std::uint16_t i : d.add)
        if (is.values[i]) is.values[i] = conflict::sum(*is.values[i], row.row.added[i].text());
  }
  return is;
}

conflict::incoming incoming_of(const planned_row& row) {
  return {row.change->op, row.row.before, row.row.after, row.change->fields, row.from->commit_time_us, row.token != row.token_before};
}

}  // namespace

// The spoke has deleted a row that home keeps. Where home has changed it, which the delete had not seen, that change may have
// come to the spoke between an earlier change and the delete, and found nothing to write: the row goes there once more.
void applier::keep_deleted(const planned_row& row, const table_pair& table, const owned_row& current) {
  const delete_rule_of_side& rule = table.deletes_of(from_);
  if (rule.does == delete_action::archive) mark(table, row.row.before, rule.archived_at, row.from->commit_time_us);
  ++(rule.does == delete_action::archive ? attempt_.applied : attempt_.deletes_ignored);
  decision_tag tag;  // home's row stands
  for (const conflict::met_write& w : met_) {
    if (w.wrote != side::home || w.fields == 0) continue;
    tag.by_home.fields = table.policy.all();
    tag.by_home.time_us = std::max(tag.by_home.time_us, w.time_us);
  }
  if (current.found && tag.by_home.fields) refresh_later(table, row.row.before, row.token_before, tag);
}

// Home has deleted the row, of which the spoke was not told, and has written it before, which the spoke had not seen: it is
// the spoke's alone, and both sides take it as the spoke has it.
void applier::bring_back(const planned_row& row, const table_pair& table) {
  const run::row& r = row.row;
  const auto all = present_columns(table, r.after);
  if (all.size() < table.columns.size())
    return hold({row.change, row.from, "the row is not there, and the log does not carry all of its columns", {}});
  write_one(table, operation::insert, nullptr, r.after, all);
  ++attempt_.applied;
  decision_tag tag;
  tag.by_spoke = {table.policy.all(), row.from->commit_time_us};
  refresh_later(table, r.after, row.token, tag);
  if (row.token != row.token_before) refresh_later(table, r.before, row.token_before, tag);
}

void applier::mark(const table_pair& table, row_view key, const std::string& column, std::optional<std::int64_t> time_us) {
  write_decided();
  target_.mark(table, key, column, time_us);
}

// The row is on both sides again.
void applier::clear_mark(const table_pair& table, row_view key) {
  const delete_rule_of_side& rule = table.deletes_of(from_);
  if (rule.does == delete_action::archive && rule.cleared) mark(table, key, rule.archived_at, std::nullopt);
}

void applier::decide_at_home(const run& shape, const planned_row& row, const owned_row& at_before, const owned_row& at_after) {
  const table_pair& table = *shape.table;
  if (row.from->copied && table.merges()) return merge_row(shape, row, at_before);
  if (met_.empty()) return write_by_force(shape, row, at_before, at_after);
  const bool home_has_deleted = table.keeps_deleted(side::home) && met_.front().fields == 0;  // last of all, see reader::stamp_change
  if (home_has_deleted && row.change->op != operation::remove && !at_before.found && !at_after.found) return bring_back(row, table);
  // After a restart the keys that came before are not known: the row is there, so the stream has brought it, or home has made it.
  const bool made_here = std::any_of(met_.begin(), met_.end(), [](const conflict::met_write& w) { return (w.fields & existence) != 0; });
  if (row.from->copied && at_before.found && !made_here) {
    ++attempt_.conflicts_lost;
    return;
  }
  const conflict::decision d = conflict::decide(table, incoming_of(row), at_before, at_after, met_, mapping_.commit_time_grain_us,
                                                [this](const conflict::question& q) { return scripts_.at(q.script).decide(q); });
  if (d.met == 0) return write_by_force(shape, row, at_before, at_after);

  using action = conflict::decision::action;
  if (table.policy.whole_transactions && d.recorded && d.does != action::hold && !row.from->copied) {  // home's row stands
    gives_up_ = true;
    link_.given_up.insert(row.from->position.value);
    return;
  }
  const run::row& r = row.row;
  const bool is_parents_delete = row.change->op == operation::remove && at_before.found && !table.children.empty();
  if (is_parents_delete && d.does == action::remove && !make_way(row, table, at_before)) return;
  const bool came_anew = row.change->op == operation::insert && at_before.found && !table.children.empty() && (d.met & existence);
  if ((is_parents_delete && d.does != action::remove) || came_anew) send_children(row, table);  // it was gone at the spoke
  if (d.does == action::keep && (d.met & existence)) {
    if (at_before.found) take_from_owner(table, r.before ? r.before : r.after, at_before);
    if (row.token != row.token_before && at_after.found) {
      take_from_owner(table, r.after, at_after);
      log_taken(row, table, at_after);
    }
  }
  const planned_row wanted = d.set.empty() ? row : with_values(row, table, d.set);
  switch (d.does) {
    case action::hold:
      log_conflict(row, table, d, at_before, at_before);
      ++attempt_.conflicts;
      return hold({row.change, row.from, d.reason, {}});
    case action::keep:
      break;
    case action::update: {
      if (!at_before.found) throw not_written(table);  // no write that we know of has taken it away
      if (!d.recorded) log_written_over(row, table, at_before, d.write);
      std::vector<std::uint16_t> columns = d.write;
      for (const auto& [column, value] : d.set) columns.push_back(column);
      write_some(wanted, table, std::move(columns), d.add);
      break;
    }
    case action::insert:
      write_one(table, operation::insert, nullptr, wanted.row.after, present_columns(table, wanted.row.after));
      break;
    case action::remove:
      write_one(table, operation::remove, r.before, nullptr, {});
      break;
    case action::move:
      write_one(table, operation::update, r.before, r.after, present_columns(table, r.after));
      break;
  }
  if (row.change->op == operation::insert && at_before.found) clear_mark(table, r.after);
  ++(d.does == action::keep ? attempt_.conflicts_lost : attempt_.applied);
  if (d.recorded) {
    log_conflict(row, table, d, at_before, d.set.empty() ? outcome(row, table, d, at_before) : left_by_script(row, table, d.set));
    ++attempt_.conflicts;
  }
  refresh_later(table, r.before ? r.before : r.after, row.token_before, d.tag);
  if (row.token != row.token_before) refresh_later(table, r.after, row.token, d.tag);
}

// Where a copied row differs from the one that is here.
std::vector<std::uint16_t> applier::differing(const planned_row& row, const table_pair& table, const owned_row& current) {
  cell* other_side = arena_.allocate_array<cell>(table.columns.size());
  for (std::size_t i = 0; i < table.columns.size(); ++i) other_side[i] = row.change->after(i);
  const row_view here = view_of(current, arena_);
  std::string why;
  return to_ == side::home ? differing_columns(table, here, other_side, arena_, why) : differing_columns(table, other_side, here, arena_, why);
}

// A row of the spoke that was there before the link, and home's. What home has written since stands, and is on its way.
void applier::merge_row(const run& shape, const planned_row& row, const owned_row& current) {
  const table_pair& table = *shape.table;
  field_set written = 0;
  for (const conflict::met_write& w : met_) written |= w.fields;
  if (!met_.empty() && (!current.found || (written & existence))) {
    ++attempt_.conflicts_lost;
    return;
  }
  if (!current.found) return write_by_force(shape, row, current, current);
  std::vector<std::uint16_t> columns = differing(row, table, current);
  const bool differs = !columns.empty();
  // Numbers to which both sides add differ by what the spoke has not seen yet, equal or not: it gets home's.
  if (!differs && !(written & table.policy.deltas)) {
    ++attempt_.unchanged;
    return;
  }
  conflict::decision d = conflict::merge(table, row.row.after, current, columns, written);
  if (differs) {
    log_conflict(row, table, d, current, outcome(row, table, d, current));
    ++attempt_.conflicts;
  }
  if (d.does == conflict::decision::action::hold) return hold({row.change, row.from, d.reason, {}});
  ++(d.write.empty() ? attempt_.conflicts_lost : attempt_.applied);
  write_some(row, table, d.write, {});
  if (d.winner != "spoke" || !met_.empty()) refresh_later(table, row.row.after, row.token, d.tag);
}

bool applier::is_given_up(const planned_row& row, const table_pair& table) const {
  return to_ == side::home && table.policy.whole_transactions && !row.from->copied && link_.given_up.contains(row.from->position.value);
}

// A row of a transaction of the spoke that has met home's in this or another one of its rows: home's stands, and is sent there.
void applier::give_up_row(const planned_row& row, const table_pair& table, const owned_row& at_before, const owned_row& at_after) {
  // What has no position is of this very batch: an answer to the transaction itself, or to one that it builds on.
  const bool met_nobody = std::none_of(met_entries_.begin(), met_entries_.end(), [&](const auto& e) { return e.position && meeting(row.change->fields, e.fields, table.policy.deltas); });
  conflict::decision d = conflict::decide(table, incoming_of(row), at_before, at_after, met_, mapping_.commit_time_grain_us, {});
  d.does = conflict::decision::action::keep;
  if (met_nobody) d.type = "transaction_given_up";
  d.rule = "home";
  d.winner = "home";
  log_conflict(row, table, d, at_before, at_before);
  ++attempt_.conflicts;
  ++attempt_.conflicts_lost;
  const run::row& r = row.row;
  decision_tag tag;
  tag.by_home.fields = table.policy.all();
  for (const conflict::met_write& w : met_)
    if (w.wrote == side::home) tag.by_home.time_us = std::max(tag.by_home.time_us, w.time_us);
  refresh_later(table, r.before ? r.before : r.after, row.token_before, tag).undoes = true;
  if (row.token != row.token_before) refresh_later(table, r.after, row.token, tag).undoes = true;
}

// What was given up takes with it the later transactions of the batch that wrote the same rows.
void applier::give_up_what_depends() {
  std::vector<const planned_row*> rows;
  for (std::size_t i = 0; i < planner_.run_count(); ++i)
    for (const planned_row& row : planner_.at(i).rows)
      if (mapping_.tables[row.change->table].policy.whole_transactions && !row.from->copied) rows.push_back(&row);
  std::stable_sort(rows.begin(), rows.end(), [](const planned_row* a, const planned_row* b) { return a->from->position < b->from->position; });
  std::unordered_set<std::uint64_t> touched;
  for (auto first = rows.begin(); first != rows.end();) {
    const auto end = std::find_if(first, rows.end(), [&](const planned_row* r) { return r->from->position != (*first)->from->position; });
    const auto is_touched = [&](const planned_row* r) { return touched.contains(r->token) || touched.contains(r->token_before); };
    if (link_.given_up.contains((*first)->from->position.value) || std::any_of(first, end, is_touched)) {
      link_.given_up.insert((*first)->from->position.value);
      for (auto r = first; r != end; ++r) touched.insert({(*r)->token, (*r)->token_before});
    }
    first = end;
  }
}

// The row to be written, with what a script has set. The bytes live as long as the batch.
planned_row applier::with_values(const planned_row& row, const table_pair& table, const std::vector<conflict::new_value>& set) {
  planned_row wanted = row;
  const row_view from = row.row.after ? row.row.after : row.row.before;
  cell* cells = arena_.allocate_array<cell>(table.columns.size());
  std::copy(from, from + table.columns.size(), cells);
  for (const auto& [column, value] : set) cells[column] = value ? cell::of(arena_.copy(*value)) : cell::null();
  wanted.row.after = cells;
  return wanted;
}

// The row as home has stored it: a script's values come in any form that home takes. They must have one at the spoke, too.
owned_row applier::left_by_script(const planned_row& row, const table_pair& table, const std::vector<conflict::new_value>& set) {
  const row_view key = row.row.before ? row.row.before : row.row.after;
  write_decided();
  owned_row left = std::move(target_.lock_rows(table, std::span(&key, 1)).front());
  if (!left.found) throw not_written(table);
  std::vector<cell> in(table.columns.size()), out(table.columns.size());
  for (const auto& [column, value] : set) in[column] = left.values[column] ? cell::of(*left.values[column]) : cell::null();
  std::string reason;
  if (!translate::convert_row(table, side::home, in.data(), out.data(), arena_, reason))
    throw failure(failure_kind::row_refused, "the spoke can't store what its script answers: " + reason);
  return left;
}

// From now on no change of the key can have seen the refresh, also not a later one of this very batch.
applier::due_refresh& applier::refresh_later(const table_pair& table, row_view key, std::uint64_t token, const decision_tag& tag) {
  const auto known = std::find_if(attempt_refreshes_.begin(), attempt_refreshes_.end(), [&](const due_refresh& r) { return r.token == token; });
  their_writes_.add_pending(token, tag, known != attempt_refreshes_.end());
  if (known != attempt_refreshes_.end()) {
    known->tag.add(tag);
    return *known;
  }
  due_refresh& r = attempt_refreshes_.emplace_back(due_refresh{&table, {}, token, tag, false});
  r.key.resize(table.columns.size());
  for (const std::uint16_t k : table.key)
    if (key[k].present()) r.key[k] = std::string(key[k].text());
  return r;
}

void applier::send_refreshes() {
  // What undoes a transaction goes the way back: what was written last is first.
  const auto undoing = std::stable_partition(attempt_refreshes_.begin(), attempt_refreshes_.end(), [](const due_refresh& r) { return !r.undoes; });
  std::reverse(undoing, attempt_refreshes_.end());
  std::vector<std::vector<cell>> keys;
  std::vector<owned_row> rows;
  for (std::size_t first = 0; first < attempt_refreshes_.size(); first = rows.size()) {
    const table_pair& table = *attempt_refreshes_[first].table;
    std::vector<row_view> views;
    for (std::size_t i = first; i < attempt_refreshes_.size() && attempt_refreshes_[i].table == &table; ++i) {
      auto& cells = keys.emplace_back(table.columns.size());
      for (const std::uint16_t k : table.key)
        if (const auto& value = attempt_refreshes_[i].key[k]) cells[k] = cell::of(*value);
      views.push_back(cells.data());
    }
    std::vector<owned_row> found = target_.lock_rows(table, views);
    std::move(found.begin(), found.end(), std::back_inserter(rows));
  }
  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), 0);
  // What is there comes after what it refers to; what is gone goes behind, the other way round.
  const auto rank = [&](std::size_t i) {
    const int generation = attempt_refreshes_[i].table->generation;
    return rows[i].found ? generation : mapping_generations - generation;
  };
  if (std::any_of(order.begin(), order.end(), [&](std::size_t i) { return attempt_refreshes_[i].table->generation != 0; }))
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return rank(a) < rank(b); });
  for (const std::size_t i : order)
    target_.emit_refresh(*attempt_refreshes_[i].table, keys[i].data(), rows[i].found ? &rows[i] : nullptr, attempt_refreshes_[i].tag);
  attempt_.refreshes += order.size();
}

void applier::decide_at_spoke(const run& shape, const planned_row& row, const owned_row& at_before, const owned_row& at_after) {
  const table_pair& table = *shape.table;
  const bool is_refresh = shape.op == operation::refresh;
  if (is_refresh) end_hold(row, table);
  if (stays_for_children(shape, row)) {
    ++(is_refresh ? attempt_.refreshes : attempt_.held_back);
    return;
  }
  if (at_before.found && stays_for_kin(shape, row))
    return hold({row.change, row.from, "rows that would go with it have changes that home has not seen yet", {}});
  const conflict::share s = is_refresh ? conflict::held_back_of_refresh(table, row.row.after, at_before.found, met_)
                                       : conflict::held_back(table, incoming_of(row), at_before.found, met_);
  if (s.whole) return is_refresh ? write_refresh(row, table, at_before) : write_by_force(shape, row, at_before, at_after);
  if (!s.nothing) {
    log_written_over(row, table, at_before, s.write);
    write_some(row, table, s.write, s.add);
  }
  if (is_refresh) ++attempt_.refreshes;
  else ++(s.nothing ? attempt_.held_back : attempt_.applied);
}

void applier::end_hold(const planned_row& row, const table_pair& table) {
  if (!row.change->decided.ends_hold) return;
  target_.release_held(row.token);
  attempt_released_.push_back({row.token, table.id});
}

// Under the row's lock: these columns as the change has them, those by as much as it has changed them. Written with the next
// ones of their kind: a run has each key once.
void applier::write_some(const planned_row& row, const table_pair& table, std::vector<std::uint16_t> columns, std::vector<std::uint16_t> deltas) {
  if (columns.empty() && deltas.empty()) return;
  if (decided_.table != &table || decided_.columns != columns || decided_.deltas != deltas) {
    write_decided();
    decided_.table = &table;
    decided_.columns = std::move(columns);
    decided_.deltas = std::move(deltas);
  }
  run::row r = row.row;
  if (!r.before) r.before = r.after;  // an insert over a row that is there: the key is the same
  decided_.rows.push_back(r);
  if (careful_) write_decided();
}

void applier::write_decided() {
  if (decided_.rows.empty()) return;
  unmatched_.clear();
  try {
    target_.apply(decided_, insert_mode::checked, unmatched_);
  } catch (...) {
    decided_.rows.clear();  // a savepoint takes them back
    throw;
  }
  decided_.rows.clear();
  if (!unmatched_.empty()) throw not_written(*decided_.table);
}

// A row that is there, or a new one.
void applier::write_one(const table_pair& table, operation op, row_view before, row_view after, const std::vector<std::uint16_t>& columns) {
  write_decided();
  if (!target_.force(table, op, before, after, columns)) throw not_written(table);
}

void applier::log_conflict(const planned_row& row, const table_pair& table, const conflict::decision& d, const owned_row& was,
                           const owned_row& is) {
  using action = conflict::decision::action;
  conflict_entry e;
  e.table = table_name(table);
  e.key = key_json(table, row.row.before ? row.row.before : row.row.after);
  e.type = d.type;
  e.home_row = row_json(table, was);
  e.spoke_row = row_json(table, row.row.after);
  if (row.change->op == operation::update) e.base_row = row_json(table, row.row.before);
  e.result_row = row_json(table, is);
  for (const auto& w : met_entries_)  // home's latest write of its own
    if (w.wrote == side::home && w.position > e.home_position) e.home_position = w.position, e.home_time_us = w.time_us;
  e.spoke_position = row.from->position;
  e.spoke_time_us = row.from->commit_time_us;
  e.rule = d.rule;
  e.winner = d.winner;
  if (d.does == action::hold) e.result = "held until someone decides: " + d.reason;
  else if (!is.found) e.result = d.does == action::keep ? "the row stays deleted; the spoke was told" : "deleted at home, too";
  else if (d.does == action::keep) e.result = "home's row stands and was sent to the spoke again";
  else if (!d.set.empty()) e.result = "its script has set values; the row was sent to the spoke again";
  else e.result = d.winner == "both" ? "columns of both sides, sent to the spoke again" : "the spoke's change stands at home, too";
  log_entry(e);
}

void applier::log_entry(conflict_entry& e) {
  if (const std::int64_t offset = link_.clock_offset_us; offset != link_state::not_measured) e.clock_offset_us = offset;
  target_.log_conflict(e);
}

// `expected`: the table's rule for deletes lets rows of one side differ so.
void applier::log_drift(const planned_row& row, const table_pair& table, const char* type, const owned_row& found, const char* result,
                        bool expected) {
  conflict_entry e;
  e.table = table_name(table);
  e.key = key_json(table, row.row.before ? row.row.before : row.row.after);
  e.type = type;
  const std::string here = row_json(table, found), incoming = row_json(table, row.row.after);
  e.home_row = to_ == side::home ? here : incoming;
  e.spoke_row = to_ == side::home ? incoming : here;
  (to_ == side::home ? e.spoke_position : e.home_position) = row.from->position;
  (to_ == side::home ? e.spoke_time_us : e.home_time_us) = row.from->commit_time_us;
  const bool initial = row.from->copied || is_being_merged(table);
  e.rule = initial ? "initial" : expected ? "deletes" : "drift";
  e.winner = name(from_);
  e.result = result;
  log_entry(e);
  if (!expected && !initial) ++attempt_.drift;
}

// While a table is merged, a row may be another one than the change was made on; only what it writes is its affair.
void applier::log_written_over(const planned_row& row, const table_pair& table, const owned_row& current, std::span<const std::uint16_t> columns) {
  if (!is_being_merged(table)) return;
  const run::row& r = row.row;
  const auto is_lost = [&](std::uint16_t i) { return !is(current.values[i], r.after[i]) && !(r.before && is(current.values[i], r.before[i])); };
  if (std::any_of(columns.begin(), columns.end(), is_lost)) log_drift(row, table, "update_origin_differs", current, "the changed columns were written");
}

// No local write meets the change. Where the row is still not what the log says it was, in columns that no local write
// explains, it is an earlier difference or something that the log does not show (a trigger, an unlogged write): drift. The
// change is the newer one.
void applier::write_by_force(const run& shape, const planned_row& row, const owned_row& current, const owned_row& at_after) {
  const table_pair& table = *shape.table;
  const run::row& r = row.row;
  field_set explained = 0;
  for (const conflict::met_write& w : met_) explained |= w.fields;
  std::vector<std::uint16_t> guard = shape.guard;
  std::erase_if(guard, [&](std::uint16_t i) { return (table.policy.bit_of(i) & explained) != 0 || table.owned_by(side::spoke, i); });
  switch (shape.op) {
    case operation::insert: {
      std::vector<std::uint16_t> columns = shape.columns;
      if (row.from->copied && current.found) std::erase_if(columns, [&](std::uint16_t i) { return table.owned_by(to_, i); });
      if (!current.found) {
        write_one(table, operation::insert, nullptr, r.after, columns);
      } else if (!same(current, r.after, columns)) {
        write_one(table, operation::update, r.after, r.after, columns);
        const bool stayed = table.keeps_deleted(from_), for_children = !table.children.empty() && to_ == side::spoke && is_referred_to_unseen(row.token, row.from->seen);
        if (!for_children) log_drift(row, table, "insert_exists", current, stayed ? "written over the row that had stayed" : "written over the row that was there", stayed);
      }
      if (current.found) clear_mark(table, r.after);
      break;
    }
    case operation::update:
      if (row.token != row.token_before && at_after.found) {
        write_other_key(row, table, current, at_after, true);
        return;
      }
      if (current.found) {
        if (is_being_merged(table)) log_written_over(row, table, current, shape.columns);
        else if (!same(current, r.before, guard) && !same(current, r.after, shape.columns) && !parent_explains(row, table))
          log_drift(row, table, "update_origin_differs", current, "the changed columns were written");
        write_some(row, table, shape.columns, shape.deltas);
      } else if (const auto all = present_columns(table, r.after); all.size() < table.columns.size()) {
        if (is_being_copied(table)) break;  // the copy comes to it
        return hold({row.change, row.from, "the row is not there, and the log does not carry all of its columns", {}});
      } else {
        write_one(table, operation::insert, nullptr, r.after, all);
        if (!table.keeps_deleted(to_) && !is_being_copied(table) && !is_being_merged(table) && !parent_explains(row, table))
          log_drift(row, table, "update_missing", current, "inserted, since it was not there");
      }
      break;
    case operation::remove:
      if (current.found) {
        if (to_ == side::home && !table.children.empty() && !make_way(row, table, current)) return;
        if (!same(current, r.before, is_being_merged(table) ? present_columns(table, r.before) : guard) && !parent_explains(row, table))
          log_drift(row, table, "delete_origin_differs", current, "deleted");
        write_one(table, operation::remove, r.before, nullptr, {});
      } else {
        if (!table.keeps_deleted(to_) && !is_being_copied(table) && !is_being_merged(table) && !parent_explains(row, table))
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
  if (is_being_merged(table) && at_before.found && !same(at_before, r.before, present_columns(table, r.before)))
    log_drift(row, table, "delete_origin_differs", at_before, "the row has another key now");
  if (!before_stands) {
    if (at_before.found) write_one(table, operation::remove, r.before, nullptr, {});
  } else {
    const auto all = present_columns(table, r.after);
    if (all.size() < table.columns.size())
      return hold({row.change, row.from, "its key changes to one that is taken, and the log does not carry all of its columns", {}});
    if (at_after.found) {
      if (at_before.found) write_one(table, operation::remove, r.before, nullptr, {});
      // Where the other side takes both keys for one, it was the same row.
      write_decided();
      if (!target_.force(table, operation::update, r.after, r.after, all)) write_one(table, operation::insert, nullptr, r.after, all);
      const bool stayed = table.keeps_deleted(from_);
      log_drift(row, table, "insert_exists", at_after, stayed ? "written over the row that had stayed" : "written over the row that was there", stayed);
    } else if (at_before.found) {
      write_one(table, operation::update, r.before, r.after, all);
    } else {
      write_one(table, operation::insert, nullptr, r.after, all);
    }
  }
  ++attempt_.applied;
}

void applier::write_refresh(const planned_row& row, const table_pair& table, const owned_row& current) {
  const run::row& r = row.row;
  if (!r.after) {
    if (current.found) write_one(table, operation::remove, r.before, nullptr, {});
  } else {
    auto all = present_columns(table, r.after);
    if (!current.found) {
      write_one(table, operation::insert, nullptr, r.after, all);
    } else {
      std::erase_if(all, [&](std::uint16_t i) { return table.owned_by(side::spoke, i); });  // home takes them from here
      if (is_being_merged(table)) {  // home has decided about some fields, and sends all of them
        auto undecided = all;
        std::erase_if(undecided, [&](std::uint16_t i) { return (row.change->decided.fields() & (table.policy.bit_of(i) | restated)) != 0; });
        log_written_over(row, table, current, undecided);
      }
      if (!same(current, r.after, all)) write_one(table, operation::update, r.after, r.after, all);
    }
    if (current.found) clear_mark(table, r.after);
  }
  ++attempt_.refreshes;
}

void applier::hold(const held_change& h) {
  const change_record& c = *h.change;
  const table_pair& table = mapping_.tables[c.table];
  held_entry e;
  std::string key_before;
  e.table = table_name(table);
  e.op = c.op;
  e.reason = h.reason;
  e.server_code = h.server_code;
  e.source_position = h.from->position;
  e.source_time_us = h.from->commit_time_us;
  if (c.op == operation::truncate) {
    e.key = "{}";
    e.token = table_token(table);
    announce_hold(e.token, held_keys::no_table);
  } else {
    std::vector<cell> cells(c.columns);
    if (c.has_before) {
      for (std::size_t i = 0; i < cells.size(); ++i) cells[i] = c.before(i);
      e.before_row = row_json(table, cells.data());
      key_before = e.key = key_json(table, cells.data());
    }
    if (c.has_after) {
      for (std::size_t i = 0; i < cells.size(); ++i) cells[i] = c.after(i);
      e.after_row = row_json(table, cells.data());
      e.key = key_json(table, cells.data());
    }
    e.token = c.token;
  }
  if (c.op == operation::refresh && c.decided.ends_hold) target_.release_held(c.token);  // decided, but refused again: this alone waits
  target_.hold(e);
  if (c.token_before != c.token) {  // the old key's later changes wait as well
    e.token = c.token_before;
    e.key = key_before;
    e.reason = "its key was changed by a held change: " + h.reason;
    target_.hold(e);
  }
  for (std::uint64_t t : {c.token, c.token_before})
    if (t) announce_hold(t, table.id);
  if (c.op != operation::refresh) ++attempt_.held;  // a refresh is no row of the log
  answer_for_held(h);
}

void applier::announce_hold(std::uint64_t token, std::uint16_t table) {
  if (std::any_of(attempt_held_.begin(), attempt_held_.end(), [&](const held_token& h) { return h.token == token; })) return;
  link_.held.announce(to_, token);
  if (table != held_keys::no_table && !link_.held.holds(to_, token)) ++attempt_new_[table];
  attempt_held_.push_back({token, table});
}

// A mapping that is wrong must not become a million decisions: from here on nothing of the table is tried any more.
void applier::stop_full_tables() {
  for (const table_pair& table : mapping_.tables) {
    if (!table.held_limit || !attempt_new_[table.id] || link_.stopped_tables[table.id]) continue;
    const auto goes = [&](const held_token& t) { return t.table == table.id && link_.held.holds(to_, t.token); };
    const auto released = static_cast<std::size_t>(std::count_if(attempt_released_.begin(), attempt_released_.end(), goes));
    if (link_.held.of_table(to_, table.id) + attempt_new_[table.id] - released <= table.held_limit) continue;
    if (std::find(attempt_stopped_.begin(), attempt_stopped_.end(), table.id) != attempt_stopped_.end()) continue;
    held_entry e;
    e.table = table_name(table);
    e.key = "{}";
    e.token = table_token(table);
    e.op = operation::truncate;
    e.reason = "more than " + std::to_string(table.held_limit) + " keys wait: the table is stopped until someone decides about them";
    e.server_code = held_limit_code;
    e.source_position = origins_.empty() ? done_ : origins_.back().position;
    target_.hold(e);
    announce_hold(e.token, held_keys::no_table);
    attempt_stopped_.push_back(table.id);
  }
}

}  // namespace duet::pipeline
