// Which rows go into which statement. The planner takes the changes of a batch in source order and lays them into runs,
// many rows each, such that executing run after run has the same effect as executing change after change.
//
// A change may join an earlier run of its shape only if no later run holds something that it depends on: the same key,
// the same unique value (by token), or, for tables tied by a foreign key, the parent of a written child or the child of
// a removed parent (by table). Otherwise it opens a new run at the end.
#pragma once

#include <cstdint>
#include <vector>

#include "causality/write_index.hpp"
#include "duet/change.hpp"
#include "duet/target.hpp"

namespace duet::pipeline {

// The source transaction that a row came from, as far as decisions and records need it.
struct origin {
  log_position position, seen;
  std::int64_t commit_time_us = 0;
  bool copied = false;  // no transaction: rows of a first copy
};

struct planned_row {
  run::row row;               // in the target's form
  const change_record* change;  // in the source's form; its block is kept until the batch has ended
  const origin* from;
  std::uint64_t token, token_before;
  row_view trespass = nullptr;  // the row as the source has it, where `row` leaves out what the target's side owns
};

struct planned_run {
  run statement;              // its rows are filled in when it is executed
  std::vector<planned_row> rows;
};

class planner {
 public:
  planner(const mapping&, side target);

  // `row` is the change converted to the target's form, `change` itself tells op and what was written.
  void add(const change_record& change, const origin* from, run::row row, row_view trespass = nullptr);
  void add_truncate(const change_record& change, const origin* from);

  std::vector<planned_run>& runs() { return runs_; }
  std::size_t run_count() const { return used_; }
  planned_run& at(std::size_t i) { return runs_[i]; }
  std::size_t rows() const { return rows_; }
  bool empty() const { return rows_ == 0; }
  void clear();

 private:
  std::size_t earliest(const change_record&, const table_pair&, run::row);
  void shape_of(const change_record&, const table_pair&, const run::row&);
  planned_run& open(const table_pair&, operation);

  const mapping& mapping_;
  side target_;
  std::vector<std::vector<std::uint16_t>> children_;  // by table: tables that refer to it
  std::vector<planned_run> runs_;                      // the first used_ are of this batch; the rest keep their memory
  std::size_t used_ = 0, rows_ = 0;
  std::size_t barrier_ = 0;                            // no change may join a run before this one
  causality::token_map last_run_;                      // token -> 1 + index of the last run that touches it
  std::vector<std::size_t> last_run_of_table_;         // 1 + index, 0: none
  std::vector<std::uint64_t> unique_;
  std::vector<std::uint16_t> columns_, deltas_, guard_;  // the shape of the change at hand
};

}  // namespace duet::pipeline
