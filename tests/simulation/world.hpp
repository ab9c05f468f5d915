// Two databases in memory, applications that write to both, and the real lanes between them: readers, rings, index, planner,
// arbiter and appliers are Duet's own, stepped one at a time in an order drawn from a seed. Crashes, lost connections, lost
// answers to COMMIT and deadlocks are drawn from it too. One thread, no sleeping: a run is a function of its plan.
//
// Afterwards the books are checked: both sides equal, sums of deltas exact, every value that is gone was overwritten by
// somebody who had seen it or stands in the conflict log, nothing was taken for drift, and a restart never needed a part of a
// log that had been released.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>

#include "pipeline/lanes.hpp"
#include "unit/pipeline/memory_database.hpp"

namespace duet::testing {

// Parts of the algorithm that can be left out, to show that the simulation notices.
enum class ablation : std::uint8_t {
  none,
  no_refresh,                // a decision is not written back
  no_index_of_resolutions,   // a refresh that is read back is not in the index
  pruned_by_the_reader,      // the index is pruned when the acknowledgement is read, not when the applier gets there
  no_catch_up,               // decided without reading the log up to now
  spoke_does_not_look,       // the spoke writes by force
  restart_at_applied,        // a log is read again from what was applied, not from the acknowledged floor
  no_reading_up_at_start,    // the first decision is taken before home's log has been read to its end
  half_transactions,         // of a transaction that is to stand whole or not at all, only the row that lost is given up
  no_answer_for_parents,     // the spoke is not told what has become of a row that it kept for its children
  no_look_for_children,      // a row is deleted at home without a look at those that refer to it
};
std::string_view name(ablation);

struct plan {
  std::uint64_t seed = 1;
  conflict_rule rule = conflict_rule::latest;
  delete_rule deletes = delete_rule::by_rule;
  bool merge_columns = true, deltas = true;
  bool blind_column = false;  // note can't be compared in a statement, like JSON
  bool whole_transactions = false;  // of the spoke stand or are given up; only with rule home
  bool owners = false;        // home owns value, the spoke owns note; only with merge_columns
  int steps = 90;
  int per_mille_crash = 15;
  int per_mille_delete = 100;
  int per_mille_move = 0;     // changes of the key
  std::optional<side> copied_from;  // the other side is empty at first, and filled from this one
  std::optional<merge_truth> merged;  // both sides have rows at first, which differ
  bool keeps_deleted[2] = {}; // by the side that deletes: the other one keeps its row
  // Three tables that refer to each other, instead of one.
  struct family {
    parent_rule rules[3] = {};  // by table; of the first one of no meaning
    int on_delete[2][3] = {};   // by side and foreign key: memory_key::on_delete
    bool twice = false;         // the last table refers to the first one, too
    unsigned tables = 3;        // that are written to
  };
  std::optional<family> relatives;
  int jitter_us = 60;         // of commit times, against steps of 10; large: decisions by time are random ones
  ablation without = ablation::none;
  std::string describe() const;
};

class world {
 public:
  explicit world(const plan&);
  ~world();

  // Empty: all is well. Else what is wrong.
  std::string run();

  // Both logs and the conflicts, to read what has happened.
  std::string logs() const;
  std::uint64_t conflicts() const { return home_.conflicts.size(); }
  bool holds() const { return !home_.held.empty() || !spoke_.held.empty(); }
  std::uint64_t values_set() const;  // conflicts that ended with values of neither side

 private:
  struct books {
    std::set<std::string> written, caused;
    std::map<std::string, long> sums;  // of the deltas, by key
    std::map<std::string, text_row> initial[2];  // by side: of a merge
    std::set<std::string> touched;     // keys that an application has written
    std::set<std::string> deleted[2];  // by side: keys that its own application has deleted last
  };
  void start();
  void crash();
  bool guarded(const std::function<bool()>& step);  // a failure that the hub would take for a reason to begin again does so here
  bool step_reader(pipeline::lane&);
  bool is_being_filled(const memory_database&) const;
  bool step_applier(pipeline::lane&);
  void application(memory_database&);
  void family_application(memory_database&);
  std::string check_family() const;
  std::string check_counters() const;
  std::string check() const;
  std::string check_merge(const std::set<std::string>& waiting) const;

  unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }
  bool per_mille(int n) { return static_cast<int>(below(1000)) < n; }
  std::string new_value() { return std::to_string(++last_value_); }
  memory_database& at(side s) { return s == side::home ? home_ : spoke_; }

  plan plan_;
  std::mt19937 random_;
  memory_database home_{side::home, "h"}, spoke_{side::spoke, "s"};
  fault_plan faults_;
  config config_;
  mapping mapping_;
  std::vector<std::string> keys_;
  books books_;
  long last_value_ = 0;
  int pauses_ = 0;  // of this step
  std::int64_t now_us_ = 1'000'000;
  std::unique_ptr<pipeline::link_state> link_;
  std::unique_ptr<pipeline::lanes> lanes_;
};

}  // namespace duet::testing
