// The applier's part in conflict.own: what one side owns, the other one's updates do not change. Carried over is the rest of
// such an update; what it did to the owner's column is taken back where it was done: at the spoke by a refresh, at home by the
// owner's value (put_backs.hpp).
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "duet/failure.hpp"
#include "pipeline/applier.hpp"
#include "pipeline/images.hpp"
#include "translate/translate.hpp"

namespace duet::pipeline {

// What an update changes in columns that the side written to owns does not go on: `row` is left without it. Returns the row
// as the other side has it; null: it has kept to its own.
row_view applier::keep_to_owner(const change_record& c, const table_pair& table, run::row& row) {
  if (c.op != operation::update || !c.has_before) return nullptr;
  const std::size_t n = table.columns.size();
  bool crossed = false;
  for (std::uint16_t i = 0; i < n && !crossed; ++i) crossed = table.owned_by(to_, i) && !row.after[i].absent() && !(row.after[i] == row.before[i]);
  if (!crossed) return nullptr;
  cell* after = arena_.allocate_array<cell>(n);
  for (std::uint16_t i = 0; i < n; ++i) after[i] = table.owned_by(to_, i) && !row.after[i].absent() ? row.before[i] : row.after[i];
  return std::exchange(row.after, after);
}

bool applier::changes_anything(const change_record& c, const table_pair& table, const run::row& row) {
  if (c.token != c.token_before) return true;
  for (std::uint16_t i = 0; i < table.columns.size(); ++i)
    if (!row.after[i].absent() && !(row.after[i] == row.before[i])) return true;
  return false;
}

// At home: the row of the spoke's trespass is sent to it again, and the trespass is on record. Under the row's lock.
void applier::answer_trespass(const planned_row& row, const table_pair& table, const owned_row& was) {
  const row_view key = row.row.after;
  field_set fields = 0;
  for (std::uint16_t i = 0; i < table.columns.size(); ++i)
    if (table.owned_by(side::home, i) && !(row.trespass[i] == row.row.after[i])) fields |= table.policy.bit_of(i);
  // A row that home has deleted, or inserted anew, and of which this write did not know: all of it is answered.
  const bool another = !was.found || std::any_of(met_.begin(), met_.end(), [](const auto& w) { return (w.fields & existence) != 0; });
  if (another) {
    fields = table.policy.all();
    if (was.found) take_from_owner(table, key, was);
  }
  const row_view keys[] = {key};
  conflict_entry e;
  e.table = table_name(table);
  e.key = key_json(table, key);
  e.type = was.found ? "update_origin_differs" : "update_deleted";
  e.home_row = row_json(table, was);
  e.spoke_row = row_json(table, row.trespass);
  e.result_row = row_json(table, target_.lock_rows(table, keys).front());
  e.spoke_position = row.from->position;
  e.spoke_time_us = row.from->commit_time_us;
  e.rule = "own";
  e.winner = "home";
  e.result = "home owns what the spoke changed; the row was sent to the spoke again";
  log_entry(e);
  ++attempt_.conflicts;
  const bool was_restated = std::any_of(met_.begin(), met_.end(), [](const auto& w) { return (w.fields & restated) != 0; });
  refresh_later(table, key, row.token, {.by_home = {fields, row.from->commit_time_us}, .by_spoke = {was_restated ? restated : 0, 0}});
}

// What home's row at the new key of a change has lost to the spoke's columns: the conflict on record is about the old key.
void applier::log_taken(const planned_row& row, const table_pair& table, const owned_row& was) {
  const row_view keys[] = {row.row.after};
  const owned_row now = target_.lock_rows(table, keys).front();
  if (now.values == was.values) return;
  conflict_entry e;
  e.table = table_name(table);
  e.key = key_json(table, row.row.after);
  e.type = "insert_exists";
  e.home_row = row_json(table, was);
  e.spoke_row = row_json(table, row.row.after);
  e.result_row = row_json(table, now);
  e.spoke_position = row.from->position;
  e.spoke_time_us = row.from->commit_time_us;
  e.rule = "own";
  e.winner = "spoke";
  e.result = "the spoke has a row of this key: in the columns that it owns its values stand at home, too";
  log_entry(e);
  ++attempt_.conflicts;
}

void applier::put_back_until(log_position floor) {
  if (to_ != side::home || !link_.put_back.any_until(floor)) return;
  const std::vector<put_back> due = link_.put_back.until(floor);
  for (std::size_t i = 0; i < due.size(); ++i) {
    const put_back& p = due[i];
    std::string problem;
    const bool last_of_its_key = std::none_of(due.begin() + static_cast<std::ptrdiff_t>(i) + 1, due.end(), [&](const put_back& d) { return d.token == p.token; });
    if (last_of_its_key) problem = put_back_row(p, floor);
    const table_pair& table = mapping_.tables[p.table];
    if (!problem.empty()) spdlog::error("{}: a value that the spoke owns could not be put back at home: {}", table_name(table), problem);
    if (p.written.empty() && problem.empty()) continue;
    cell* key = key_cells(p);
    const row_view keys[] = {key};
    conflict_entry e;
    e.table = table_name(table);
    e.key = key_json(table, key);
    e.type = "update_origin_differs";
    e.home_row = p.written;
    e.home_position = p.position;
    e.rule = "own";
    e.winner = "spoke";
    e.result = problem.empty() ? "the spoke owns what home changed; its value stands at home, too" : "the spoke owns what home changed, but its value can't be put back at home: " + problem;
    e.result_row = row_json(table, target_.lock_rows(table, keys).front());
    log_entry(e);
    ++attempt_.conflicts;
  }
}

cell* applier::key_cells(const put_back& p) {
  cell* key = arena_.allocate_array<cell>(p.key.size());
  std::fill_n(key, p.key.size(), cell{});
  for (const std::uint16_t k : mapping_.tables[p.table].key)
    if (p.key[k]) key[k] = cell::of(*p.key[k]);
  return key;
}

// The row gets the spoke's values in the columns that the spoke owns. Returns why not, if home refuses.
std::string applier::put_back_row(const put_back& p, log_position floor) {
  if (link_.held.find(to_, p.token) != held_keys::state::free) return {};  // each side keeps its own row until a person has decided
  const table_pair& table = mapping_.tables[p.table];
  const row_view keys[] = {key_cells(p)};
  const owned_row ours = target_.lock_rows(table, keys).front();
  catch_up();
  if (!ours.found || !link_.put_back.stands(p.token, floor)) return {};  // deleted since, or a new row
  target_.savepoint();
  try {
    return take_from_owner(table, keys[0], ours);
  } catch (const failure& f) {
    if (f.kind != failure_kind::row_refused) throw;
    target_.rollback_to_savepoint();
    return f.what();
  }
}

// As they are at the spoke now: what its log has in between comes again, and ends with the same. `ours` is locked.
std::string applier::take_from_owner(const table_pair& table, row_view key, const owned_row& ours) {
  if (!owner_ || !table.policy.owned[static_cast<int>(side::spoke)]) return {};
  const std::size_t n = table.columns.size();
  cell* in = arena_.allocate_array<cell>(n);
  std::fill_n(in, n, cell{});
  for (const std::uint16_t k : table.key) in[k] = key[k];
  cell* their_key = arena_.allocate_array<cell>(n);
  std::string problem;
  if (!translate::convert_row(table, side::home, in, their_key, arena_, problem)) return {};  // the spoke can't have such a row
  const row_view their_keys[] = {their_key};
  const owned_row theirs = owner_->read_rows(table, their_keys).front();
  if (!theirs.found) return {};  // it will be deleted here, too

  cell* out = arena_.allocate_array<cell>(n);
  cell* after = arena_.allocate_array<cell>(n);
  for (std::size_t i = 0; i < n; ++i) after[i] = ours.values[i] ? cell::of(*ours.values[i]) : cell::null();
  std::vector<std::uint16_t> columns;
  for (std::uint16_t i = 0; i < n; ++i) {
    if (!table.owned_by(side::spoke, i)) continue;
    std::fill_n(in, n, cell{});
    in[i] = theirs.values[i] ? cell::of(*theirs.values[i]) : cell::null();
    if (!translate::convert_row(table, side::spoke, in, out, arena_, problem)) return problem;
    if (out[i] == after[i]) continue;
    after[i] = out[i].present() ? cell::of(arena_.copy(out[i].text())) : out[i];
    columns.push_back(i);
  }
  if (columns.empty()) return {};
  write_one(table, operation::update, after, after, columns);
  audit_.not_compared(table, translate::key_token(table, side::home, after, arena_));
  return {};
}

}  // namespace duet::pipeline
