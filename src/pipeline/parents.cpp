// Rows that refer to one that the other side has deleted meanwhile: conflict.missing_parent.
//
// A change of a child and a delete of its parent that have not seen each other meet on both sides, in each order. Home decides:
//
//   the child comes from the spoke    home has no parent for it (settle_parents)
//   the delete comes from the spoke   rows of home refer to what goes (make_way)
//
// and sends parent and children as they then stand, also where the child or the delete has lost for another reason. The spoke
// leaves alone what its foreign keys, or a write of its own, do not let happen: it is about to be told.
#include <algorithm>
#include <deque>
#include <numeric>

#include "duet/failure.hpp"
#include "pipeline/applier.hpp"
#include "pipeline/images.hpp"
#include "translate/translate.hpp"

namespace duet::pipeline {

namespace {

std::vector<cell> cells_of(const owned_row& row) {
  std::vector<cell> cells;
  for (const auto& v : row.values) cells.push_back(v ? cell::of(*v) : cell::null());
  return cells;
}

failure no_parent(const char* why) { return failure(failure_kind::row_refused, why, "23503"); }

}  // namespace

// A row that others refer to, or that refers to one that is not there, or whose children go too deep for a cascade.
bool applier::is_foreign_key(const failure& f) {
  for (const char* code : {"1451", "1452", "6575", "23503"})
    if (f.server_code == code) return true;
  return false;
}

// The other side's change has not seen that this row was deleted here, or that it stays deleted.
std::optional<causality::write_index::entry> applier::deleted_unseen(std::uint64_t token, log_position seen) {
  parent_writes_.clear();
  their_writes_.collect(token, seen, parent_writes_);
  const auto at = std::find_if(parent_writes_.begin(), parent_writes_.end(), [](const auto& e) { return (e.fields & existence) != 0; });
  return at == parent_writes_.end() ? std::nullopt : std::optional(*at);
}

bool applier::refers_to_deleted(const table_pair& table, row_view image, log_position seen) {
  return image && std::any_of(table.references.begin(), table.references.end(), [&](const reference& r) {
           const std::uint64_t token = translate::parent_token(mapping_.tables[r.parent], r, to_, image, arena_);
           return token && deleted_unseen(to_ == side::home ? token : translate::deletion_token(token), seen) && !waits(token);
         });
}

// ---------------------------------------------------------------------------------------------- at the spoke

bool applier::is_referred_to_unseen(std::uint64_t token, log_position seen) {
  parent_writes_.clear();
  their_writes_.collect(translate::reference_token(token), seen, parent_writes_);
  return !parent_writes_.empty();
}

// The row was not let in before, or went with its parent: home's answer is on its way, or knows.
bool applier::parent_explains(const planned_row& row, const table_pair& table) {
  if (to_ != side::spoke || !row.row.before) return false;
  if (table.settles_parents() && refers_to_deleted(table, row.row.before, row.from->seen)) return true;
  return row.change->op == operation::remove && std::any_of(table.references.begin(), table.references.end(), [&](const reference& r) {
           if (!r.cascades[static_cast<int>(to_)] || !translate::parent_token(mapping_.tables[r.parent], r, to_, row.row.before, arena_)) return false;
           const row_view key[] = {key_of_parent(r, row.row.before)};
           return !target_.lock_rows(mapping_.tables[r.parent], key).front().found;
         });
}

// A row that the spoke's own rows refer to stays until home has seen them.
bool applier::stays_for_children(const run& shape, const planned_row& row) {
  const bool removes = shape.op == operation::remove || (shape.op == operation::refresh && !row.row.after);
  return removes && !shape.table->children.empty() && is_referred_to_unseen(row.token_before, row.from->seen);
}

// It would take such a row along, or be refused for it.
bool applier::stays_for_kin(const run& shape, const planned_row& row) {
  const bool removes = shape.op == operation::remove || (shape.op == operation::refresh && !row.row.after);
  if (!removes || shape.table->children.empty()) return false;
  const std::deque<kin> all = kin_of(*shape.table, row.row.before, row.from->seen);
  return std::any_of(all.begin(), all.end(), [&](const kin& k) { return is_referred_to_unseen(k.token, row.from->seen) || waits(k.token); });
}

bool applier::left_to_home(const run& shape, const planned_row& row) {
  const table_pair& table = *shape.table;
  if (!table.settles_parents() && table.children.empty()) return false;
  catch_up();
  const bool refers = table.settles_parents() && refers_to_deleted(table, row.row.after, row.from->seen);
  if (!stays_for_children(shape, row) && !refers) return false;
  if (refers && row.token == row.token_before) return write_without_parents(shape, row);
  if (shape.op == operation::refresh) end_hold(row, table);
  ++(shape.op == operation::refresh ? attempt_.refreshes : attempt_.held_back);
  return true;
}

// What the row was to refer to is not there, and home is about to hear of it. The rest of it is written, if the row is there.
bool applier::write_without_parents(const run& shape, const planned_row& row) {
  const table_pair& table = *shape.table;
  const row_view key[] = {row.row.before ? row.row.before : row.row.after};
  const owned_row current = std::move(target_.lock_rows(table, key).front());
  if (!current.found) {
    if (shape.op == operation::refresh) end_hold(row, table);
    ++(shape.op == operation::refresh ? attempt_.refreshes : attempt_.held_back);
    return true;
  }
  planned_row wanted = row;
  run wanted_shape = shape;
  cell* cells = arena_.allocate_array<cell>(table.columns.size());
  std::copy_n(row.row.after, table.columns.size(), cells);
  for (const reference& r : table.references) {
    const std::uint64_t token = translate::parent_token(mapping_.tables[r.parent], r, to_, row.row.after, arena_);
    if (!token || !deleted_unseen(translate::deletion_token(token), row.from->seen)) continue;
    for (const std::uint16_t i : r.columns) {
      cells[i] = current.values[i] ? cell::of(arena_.copy(*current.values[i])) : cell::null();
      std::erase(wanted_shape.columns, i);
    }
  }
  wanted.row.after = cells;
  decide_row(wanted_shape, wanted, current, current);
  return true;
}

// ---------------------------------------------------------------------------------------------- at home

// What a statement or a decision was refused for. False: a person has to decide.
bool applier::settle_reference(const run& shape, const planned_row& row, const failure& f) {
  const table_pair& table = *shape.table;
  if (!is_foreign_key(f) || (!table.settles_parents() && table.children.empty())) return false;
  const auto later = [&] { return deferred_.push_back({&shape, &row}), true; };  // what is in the way may go in this transaction
  if (shape.op == operation::remove && !last_chance_) return later();
  target_.savepoint();
  const undo_point before = point();
  try {
    if (to_ == side::spoke ? left_to_home(shape, row) : settle_parents(shape, row)) return true;
  } catch (const failure& again) {
    if (again.kind != failure_kind::row_refused) throw;
    decided_.rows.clear();
  }
  target_.rollback_to_savepoint();
  undo_to(before);
  return shape.op == operation::update && !last_chance_ && later();
}

row_view applier::key_of_parent(const reference& r, row_view child) {
  const table_pair& parent = mapping_.tables[r.parent];
  cell* key = arena_.allocate_array<cell>(parent.columns.size());
  std::fill_n(key, parent.columns.size(), cell{});
  for (std::size_t k = 0; k < parent.key.size(); ++k) key[parent.key[k]] = cell::of(arena_.copy(child[r.columns[k]].text()));
  return key;
}

// The rows that it refers to, and whether they were deleted unseen. Those that are there stay until we are done.
std::vector<applier::referred> applier::parents_of(const table_pair& table, row_view child, log_position seen) {
  std::vector<referred> all;
  bool any_missing = false;
  for (const reference& r : table.references) {
    const table_pair& parent = mapping_.tables[r.parent];
    const std::uint64_t token = translate::parent_token(parent, r, side::home, child, arena_);
    if (!token) continue;
    const row_view key[] = {key_of_parent(r, child)};
    write_decided();
    const bool found = target_.lock_rows(parent, key).front().found;
    any_missing |= !found;
    all.push_back({&r, token, key[0], found, {}});
  }
  if (any_missing) catch_up();
  for (referred& r : all) r.deleted = deleted_unseen(r.token, seen);
  return all;
}

std::vector<applier::referred> applier::missing_parents(const table_pair& table, row_view child, log_position seen) {
  std::vector<referred> all = parents_of(table, child, seen);
  std::erase_if(all, [](const referred& r) { return r.found; });
  return all;
}

// The spoke may have kept such a row for the sake of this change: it is told that the row is gone. And what that one referred to,
// which may then have been held there.
void applier::answer_for_parents(const table_pair& table, row_view child, log_position seen) {
  for (const referred& r : parents_of(table, child, seen)) {
    if (!r.deleted) continue;
    if (!r.found) answer_for(r);
    answer_for_ancestors(mapping_.tables[r.by->parent], r.token, seen);
  }
}

void applier::answer_for(const referred& r) {
  const table_pair& parent = mapping_.tables[r.by->parent];
  decision_tag tag = stands_at_home(parent, r.deleted->time_us);
  tag.ends_hold = true;
  refresh_later(parent, r.key, r.token, tag);
}

void applier::answer_for_ancestors(const table_pair& table, std::uint64_t token, log_position seen) {
  if (table.references.empty()) return;
  const cell* cells = cells_of_deleted(table, token);
  if (!cells) return;
  for (const reference& r : table.references) {
    const std::uint64_t above = translate::parent_token(mapping_.tables[r.parent], r, side::home, cells, arena_);
    const auto deleted = above ? deleted_unseen(above, seen) : std::nullopt;
    if (!deleted) continue;
    answer_for({&r, above, key_of_parent(r, cells), false, deleted});
    answer_for_ancestors(mapping_.tables[r.parent], above, seen);
  }
}

// Of a row that home's applications have not deleted: it was deleted by a decision, of which the spoke has not heard. No sums: what
// has not come yet would be added once more.
cell* applier::cells_at_spoke(const table_pair& table, row_view key) {
  if (!owner_ || table.policy.deltas) return nullptr;
  std::vector<cell> in(table.columns.size());
  std::string reason;
  if (!translate::convert_row(table, side::home, key, in.data(), arena_, reason)) return nullptr;
  const row_view keys[] = {in.data()};
  const owned_row there = std::move(owner_->read_rows(table, keys).front());
  if (!there.found) return nullptr;
  cell* copied = arena_.allocate_array<cell>(table.columns.size());
  for (std::size_t i = 0; i < table.columns.size(); ++i) copied[i] = there.values[i] ? cell::of(arena_.copy(*there.values[i])) : cell::null();
  cell* cells = arena_.allocate_array<cell>(table.columns.size());
  return translate::convert_row(table, side::spoke, copied, cells, arena_, reason) ? cells : nullptr;
}

// As home has deleted it; null: that is not known.
cell* applier::cells_of_deleted(const table_pair& table, std::uint64_t token) {
  const auto image = link_.deleted.find(token);
  if (!image) return nullptr;
  cell* cells = arena_.allocate_array<cell>(table.columns.size());
  for (std::size_t i = 0; i < table.columns.size(); ++i) cells[i] = (*image)[i] ? cell::of(arena_.copy(*(*image)[i])) : cell::null();
  return cells;
}

// What is held is answered as well: the spoke counts on it.
void applier::answer_for_held(const held_change& h) {
  const change_record& c = *h.change;
  const table_pair& table = mapping_.tables[c.table];
  const bool refers = table.settles_parents() && c.has_after, goes = !table.children.empty() && c.op == operation::remove;
  if (to_ != side::home || h.from->copied || (!refers && !goes)) return;
  std::vector<cell> in(c.columns), out(c.columns);
  if (goes)
    for (const std::uint16_t i : table.key) in[i] = c.before(i);
  else
    for (const reference& r : table.references)
      for (const std::uint16_t i : r.columns) in[i] = c.after(i);
  std::string reason;
  if (!translate::convert_row(table, side::spoke, in.data(), out.data(), arena_, reason)) return;
  if (goes) send_kin(kin_of(table, out.data(), h.from->seen));
  else answer_for_parents(table, out.data(), h.from->seen);
}

decision_tag applier::stands_at_home(const table_pair& table, std::int64_t time_us) {
  decision_tag tag;
  tag.by_home = {table.policy.all(), time_us};
  return tag;
}

// A row of the spoke refers to rows that home has deleted.
bool applier::settle_parents(const run& shape, const planned_row& row) {
  const table_pair& table = *shape.table;
  if (!table.settles_parents() || !row.row.after || row.from->copied) return false;
  const log_position seen = row.from->seen;
  const std::vector<referred> missing = missing_parents(table, row.row.after, seen);
  if (missing.empty()) return false;
  for (const referred& m : missing)
    if (!m.deleted || waits_here(m.token)) return false;
  std::vector<row_view> own = {row.row.before ? row.row.before : row.row.after};
  if (row.token != row.token_before) own.push_back(row.row.after);
  const std::vector<owned_row> was = target_.lock_rows(table, own);

  planned_row wanted = row;
  run wanted_shape = shape;
  decision_tag tag;
  const parent_rule rule = table.policy.missing_parent;
  switch (rule) {
    case parent_rule::hold:
      return false;
    case parent_rule::resurrect:
      for (const referred& m : missing) bring_parent_back(mapping_.tables[m.by->parent], m, seen);
      tag.by_spoke = {table.policy.all(), row.from->commit_time_us};
      break;
    case parent_rule::set_null: {
      cell* cells = arena_.allocate_array<cell>(table.columns.size());
      std::copy_n(row.row.after, table.columns.size(), cells);
      for (const referred& m : missing) {
        if (m.by->nulled.empty()) return false;
        for (const std::uint16_t i : m.by->nulled) {
          cells[i] = cell::null();
          tag.by_home.fields |= table.policy.bit_of(i);
          if (std::find(wanted_shape.columns.begin(), wanted_shape.columns.end(), i) == wanted_shape.columns.end()) wanted_shape.columns.push_back(i);
        }
        tag.by_home.time_us = std::max(tag.by_home.time_us, m.deleted->time_us);
      }
      tag.by_spoke = {table.policy.all() & ~tag.by_home.fields, row.from->commit_time_us};
      wanted.row.after = cells;
      break;
    }
    case parent_rule::drop_child:
      tag = stands_at_home(table, missing.front().deleted->time_us);
      ++attempt_.conflicts_lost;
      break;
  }
  if (rule != parent_rule::resurrect) answer_for_parents(table, row.row.after, seen);
  if (rule != parent_rule::drop_child) {
    decide_row(wanted_shape, wanted, was.front(), was.back());
    write_decided();
  }
  conflict_entry e;
  e.table = table_name(table);
  e.key = key_json(table, own.front());
  e.type = "parent_missing";
  e.home_row = row_json(table, was.front());
  e.spoke_row = row_json(table, row.row.after);
  if (row.change->op == operation::update) e.base_row = row_json(table, row.row.before);
  e.result_row = row_json(table, target_.lock_rows(table, own).back());
  e.home_position = missing.front().deleted->position;
  e.home_time_us = missing.front().deleted->time_us;
  e.spoke_position = row.from->position;
  e.spoke_time_us = row.from->commit_time_us;
  e.rule = name(rule);
  e.winner = rule == parent_rule::resurrect ? "spoke" : rule == parent_rule::set_null ? "both" : "home";
  e.result = rule == parent_rule::resurrect  ? "the row that it refers to is back"
             : rule == parent_rule::set_null ? "it refers to no row any more"
             : was.front().found             ? "home's row stands: the one that the spoke's refers to was deleted at home"
                                             : "deleted at the spoke, too: the row that it refers to was deleted at home";
  log_entry(e);
  ++attempt_.conflicts;
  const auto known = [&](std::uint64_t token) { return std::any_of(attempt_refreshes_.begin(), attempt_refreshes_.end(), [&](const due_refresh& r) { return r.token == token; }); };
  if (rule == parent_rule::set_null && known(row.token)) tag.by_spoke = {};  // who won elsewhere has been decided
  if (rule != parent_rule::resurrect || !known(row.token)) refresh_later(table, row.row.after, row.token, tag);
  if (row.token != row.token_before) refresh_later(table, row.row.before, row.token_before, tag);
  if (!table.children.empty()) send_kin(kin_of(table, row.row.after, seen));
  return true;
}

// As home has deleted it, and what it refers to in turn.
void applier::bring_parent_back(const table_pair& table, const referred& m, log_position seen) {
  const row_view keys[] = {m.key};
  if (target_.lock_rows(table, keys).front().found) return;  // for another of its children
  const bool waits = waits_here(m.token);
  cell* cells = waits ? nullptr : cells_of_deleted(table, m.token);
  if (!cells && !waits) cells = cells_at_spoke(table, m.key);
  if (!cells) throw no_parent("the row that it refers to is not known any more");
  std::vector<std::uint16_t> columns(table.columns.size());
  std::iota(columns.begin(), columns.end(), std::uint16_t{0});
  answer_for_ancestors(table, m.token, seen);
  for (const referred& above : missing_parents(table, cells, seen)) {
    if (!above.deleted) throw no_parent("the row that it refers to has no parent any more");
    if (table.policy.missing_parent == parent_rule::set_null && !above.by->nulled.empty()) {
      for (const std::uint16_t i : above.by->nulled) cells[i] = cell::null();
      answer_for(above);
    } else {
      bring_parent_back(mapping_.tables[above.by->parent], above, seen);
    }
  }
  write_one(table, operation::insert, nullptr, cells, columns);
  audit_.not_compared(table, m.token);
  conflict_entry e;
  e.table = table_name(table);
  e.key = key_json(table, cells);
  e.type = "parent_missing";
  e.result_row = row_json(table, cells);
  e.home_position = m.deleted->position;
  e.home_time_us = m.deleted->time_us;
  e.rule = name(parent_rule::resurrect);
  e.winner = "spoke";
  e.result = "home had deleted it; it is back, since a row of the spoke refers to it";
  log_entry(e);
  decision_tag tag = stands_at_home(table, m.deleted->time_us);
  tag.ends_hold = true;
  refresh_later(table, cells, m.token, tag);
}

// Its own change is held on this side. What the spoke holds ends with our answer.
bool applier::waits_here(std::uint64_t token) const {
  return batch_held_.contains(token) || link_.held.holds(to_, token) ||
         std::any_of(attempt_held_.begin(), attempt_held_.end(), [&](const held_token& h) { return h.token == token; });
}

// All rows of this side that refer to this one, those first that others refer to. Locked; nobody refers to a locked row anew.
std::deque<applier::kin> applier::kin_of(const table_pair& root, row_view key, log_position seen) {
  std::deque<kin> all;
  const auto gather = [&](const table_pair& table, row_view of, std::size_t parent) {
    std::vector<std::string> values;
    for (const std::uint16_t k : table.key) values.emplace_back(of[k].text());
    for (const auto& [child, number] : table.children) {
      const table_pair& t = mapping_.tables[child];
      const reference& r = t.references[number];
      for (owned_row& row : target_.lock_rows_with(t, r.columns, values)) {
        kin& k = all.emplace_back(kin{&t, &r, parent, std::move(row), {}, 0, {}, 0, false, false, false, false});
        k.cells = cells_of(k.row);
        k.token = translate::key_token(t, to_, k.cells.data(), arena_);
      }
    }
  };
  write_decided();
  gather(root, key, kin::root);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool again = std::any_of(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(i), [&](const kin& k) { return k.token == all[i].token; });
    if (!again) gather(*all[i].table, all[i].cells.data(), i);
  }
  if (all.empty()) return all;
  catch_up();
  std::vector<causality::write_index::entry> writes;
  for (kin& k : all) {
    writes.clear();
    their_writes_.collect(k.token, seen, writes);
    field_set decided = 0;  // for the other side, later than what is left
    for (const auto& w : writes) {
      k.sent |= w.fields != 0;
      if (w.wrote != to_) decided |= w.fields;
      if (w.wrote != to_ || (w.fields & ~decided) == 0) continue;
      k.unseen = true;
      k.time_us = std::max(k.time_us, w.time_us);
      k.position = std::max(k.position, w.position);
    }
  }
  return all;
}

// They stand, whatever the spoke's foreign keys have done to them.
void applier::send_kin(const std::deque<kin>& all) {
  for (const kin& k : all) {
    decision_tag tag = stands_at_home(*k.table, k.time_us);
    tag.ends_hold = true;
    refresh_later(*k.table, k.cells.data(), k.token, tag);
  }
}

void applier::send_children(const planned_row& row, const table_pair& table) {
  send_kin(kin_of(table, row.row.before ? row.row.before : row.row.after, row.from->seen));
}

void applier::log_kin(const planned_row& row, const kin& k, const owned_row& left, const char* result) {
  conflict_entry e;
  e.table = table_name(*k.table);
  e.key = key_json(*k.table, k.cells.data());
  e.type = "parent_missing";
  e.home_row = row_json(*k.table, k.row);
  e.result_row = row_json(*k.table, left);
  e.home_position = k.position;
  e.home_time_us = k.time_us;
  e.spoke_position = row.from->position;
  e.spoke_time_us = row.from->commit_time_us;
  e.rule = name(k.table->policy.missing_parent);
  e.winner = left.found ? "both" : "spoke";
  e.result = result;
  log_entry(e);
  ++attempt_.conflicts;
}

// The spoke has deleted a row. What home has written unseen of the rows that refer to it decides: true, the row may go, and what
// was in its way is gone or changed; false, it stays, or waits for a person.
bool applier::make_way(const planned_row& row, const table_pair& table, const owned_row& current) {
  std::deque<kin> all = kin_of(table, row.row.before, row.from->seen);
  bool held = false, stays = false;
  constexpr auto home = static_cast<int>(side::home);
  for (kin& k : all) {
    if (k.parent != kin::root && !all[k.parent].goes) continue;
    if (waits(k.token)) {  // the spoke has not got it
      held = k.unseen = true;
      continue;
    }
    if (k.parent != kin::root && all[k.parent].unseen) k.unseen = k.sent = true;  // what it refers to goes by our decision alone
    if (!k.unseen && (!k.sent || k.by->cascades[home] || k.by->empties[home])) {  // as the spoke has seen it, it went there, too
      k.goes = k.by->cascades[home];
      k.emptied = k.sent && k.by->empties[home];
      continue;
    }
    k.unseen = true;
    switch (k.table->policy.missing_parent) {
      case parent_rule::hold: held = true; break;
      case parent_rule::resurrect: stays = true; break;
      case parent_rule::drop_child: k.goes = true; break;
      case parent_rule::set_null: (k.by->nulled.empty() ? held : k.emptied) = true; break;
    }
  }
  if (held) {
    hold({row.change, row.from, "rows that home has written meanwhile refer to it", "23503"});
    return false;
  }
  if (stays) {
    const kin& first = *std::find_if(all.begin(), all.end(), [](const kin& k) { return k.unseen; });
    conflict_entry e;
    e.table = table_name(table);
    e.key = key_json(table, row.row.before);
    e.type = "parent_missing";
    e.home_row = e.result_row = row_json(table, current);
    e.home_position = first.position;
    e.home_time_us = first.time_us;
    e.spoke_position = row.from->position;
    e.spoke_time_us = row.from->commit_time_us;
    e.rule = name(parent_rule::resurrect);
    e.winner = "home";
    e.result = "home's row stands and was sent to the spoke again, with all that refer to it";
    log_entry(e);
    ++attempt_.conflicts;
    ++attempt_.conflicts_lost;
    refresh_later(table, row.row.before, row.token_before, stands_at_home(table, first.time_us));
    send_kin(all);
    return false;
  }
  const auto goes = [&](const kin& one) { return std::any_of(all.begin(), all.end(), [&](const kin& k) { return k.goes && k.token == one.token; }); };
  for (kin& k : all) {
    if (!k.emptied || goes(k)) continue;
    decision_tag tag;
    owned_row left = k.row;
    const std::vector<std::uint16_t>& columns = k.unseen ? k.by->nulled : k.by->columns;
    std::vector<cell> cells = k.cells;
    for (const std::uint16_t i : columns) {
      cells[i] = cell::null();
      left.values[i].reset();
      tag.by_spoke.fields |= k.table->policy.bit_of(i);
    }
    write_one(*k.table, operation::update, k.cells.data(), cells.data(), columns);
    audit_.not_compared(*k.table, k.token);
    if (k.unseen) log_kin(row, k, left, "it refers to no row any more: the spoke has deleted that");
    tag.by_spoke.time_us = row.from->commit_time_us;
    tag.ends_hold = true;
    refresh_later(*k.table, k.cells.data(), k.token, tag);
  }
  std::vector<std::uint64_t> gone;
  for (auto k = all.rbegin(); k != all.rend(); ++k) {
    if (!k->sent || !k->goes || std::find(gone.begin(), gone.end(), k->token) != gone.end()) continue;
    gone.push_back(k->token);
    write_one(*k->table, operation::remove, k->cells.data(), nullptr, {});
    audit_.not_compared(*k->table, k->token);
    if (k->unseen) log_kin(row, *k, {}, "deleted at home, too: the spoke has deleted the row that it refers to");
    decision_tag tag;
    tag.by_spoke = {k->table->policy.all(), row.from->commit_time_us};
    tag.ends_hold = true;
    refresh_later(*k->table, k->cells.data(), k->token, tag);
  }
  return true;
}

}  // namespace duet::pipeline
