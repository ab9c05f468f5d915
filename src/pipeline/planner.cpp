#include "pipeline/planner.hpp"

#include <algorithm>

#include "translate/translate.hpp"

namespace duet::pipeline {

planner::planner(const mapping& m, side target)
    : mapping_(m), target_(target), children_(m.tables.size()), last_run_of_table_(m.tables.size()) {
  for (const table_pair& t : m.tables)
    for (std::uint16_t parent : t.parents) children_[parent].push_back(t.id);
}

void planner::clear() {
  for (std::size_t i = 0; i < used_; ++i) runs_[i].rows.clear();
  if (rows_) last_run_.clear();
  used_ = rows_ = barrier_ = 0;
  std::fill(last_run_of_table_.begin(), last_run_of_table_.end(), 0);
}

// What the statement writes and what it expects. The cells are compared as the source gave them.
void planner::shape_of(const change_record& c, const table_pair& t, const run::row& row) {
  columns_.clear();
  deltas_.clear();
  guard_.clear();
  for (std::uint16_t i = 0; i < c.columns; ++i) {
    const bool kept_to_owner = c.op == operation::update && c.has_before && t.owned_by(target_, i);
    if (c.op != operation::remove && !kept_to_owner) {
      const cell after = c.after(i);
      if (row.added && row.added[i].present()) deltas_.push_back(i);
      else if (!after.absent() && !(c.op == operation::update && c.has_before && after == c.before(i))) columns_.push_back(i);
    }
    // A delta is right whatever the column holds by now; a delete or a changed key is not.
    const bool any_will_do = c.op == operation::update && c.token == c.token_before && (t.policy.deltas & t.policy.bit_of(i)) != 0;
    // What home has put into a column of the spoke is about to go, and says nothing. A write of the owner does, to a delete.
    const bool owned = t.owned_by(side::spoke, i) && (target_ == side::home || (c.op == operation::update && c.token == c.token_before));
    if (c.op != operation::insert && c.has_before && !t.columns[i].key && t.columns[i].guarded && !any_will_do && !owned && !c.before(i).absent())
      guard_.push_back(i);
  }
}

// The first run that the change may be part of, as an index.
std::size_t planner::earliest(const change_record& c, const table_pair& t, run::row row) {
  std::size_t at = barrier_;
  at = std::max<std::size_t>(at, last_run_.find(c.token));
  if (c.token_before != c.token) at = std::max<std::size_t>(at, last_run_.find(c.token_before));
  unique_.clear();
  if (!t.unique.empty()) {
    if (row.before) translate::unique_tokens(t, row.before, unique_);
    if (row.after) translate::unique_tokens(t, row.after, unique_);
    for (std::uint64_t u : unique_) at = std::max<std::size_t>(at, last_run_.find(u));
  }
  if (c.op != operation::remove)
    for (std::uint16_t parent : t.parents)
      if (parent != t.id) at = std::max(at, last_run_of_table_[parent]);
  if (c.op != operation::insert)
    for (std::uint16_t child : children_[t.id])
      if (child != t.id) at = std::max(at, last_run_of_table_[child]);
  return at;
}

planned_run& planner::open(const table_pair& t, operation op) {
  if (used_ == runs_.size()) runs_.emplace_back();
  planned_run& r = runs_[used_++];
  r.rows.clear();
  r.statement.table = &t;
  r.statement.op = op;
  r.statement.columns.clear();
  r.statement.deltas.clear();
  r.statement.guard.clear();
  return r;
}

void planner::add(const change_record& c, const origin* from, run::row row, row_view trespass) {
  const table_pair& t = mapping_.tables[c.table];
  shape_of(c, t, row);
  std::size_t i = earliest(c, t, row);
  // A table that refers to itself keeps the order of its rows: rows may join its last run only.
  if (std::find(t.parents.begin(), t.parents.end(), t.id) != t.parents.end() && last_run_of_table_[t.id])
    i = std::max(i, last_run_of_table_[t.id] - 1);
  while (i < used_) {
    const run& s = runs_[i].statement;
    if (s.table == &t && s.op == c.op && runs_[i].rows.front().from->copied == from->copied && s.columns == columns_ && s.deltas == deltas_ && s.guard == guard_) break;
    ++i;
  }
  if (i == used_) {
    run& s = open(t, c.op).statement;
    s.columns = columns_;
    s.deltas = deltas_;
    s.guard = guard_;
  }
  runs_[i].rows.push_back({row, &c, from, c.token, c.token_before, trespass});
  ++rows_;
  const auto after_this = i + 1;
  last_run_.set(c.token, after_this);
  if (c.token_before != c.token) last_run_.set(c.token_before, after_this);
  for (std::uint64_t u : unique_) last_run_.set(u, after_this);
  last_run_of_table_[t.id] = std::max(last_run_of_table_[t.id], after_this);
}

void planner::add_truncate(const change_record& c, const origin* from) {
  const table_pair& t = mapping_.tables[c.table];
  // Tables truncated by one statement follow each other in the log and must be truncated together (foreign keys).
  if (used_ == 0 || runs_[used_ - 1].statement.op != operation::truncate) open(t, operation::truncate);
  runs_[used_ - 1].rows.push_back({{nullptr, nullptr}, &c, from, 0, 0});
  ++rows_;
  barrier_ = used_;
}

}  // namespace duet::pipeline
