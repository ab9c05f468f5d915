// What follows when a change meets writes that it had not seen. Pure: images and times in, a decision out; where a script
// decides, it is asked through a function.
//
// Home decides (correctness.md 2.3, 2.4); the spoke decides nothing, it only holds back what a write of its own, which is
// on its way home, supersedes. So both sides end equal whatever home decides.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "duet/mapping.hpp"
#include "duet/target.hpp"

namespace duet::conflict {

// A write of this side that the change had not seen (causality::write_index::entry, or what a refresh remembers).
struct met_write {
  field_set fields = 0;
  std::int64_t time_us = 0;
  side wrote = side::home;  // a refresh that the spoke has won counts as the spoke's
};

struct incoming {
  operation op = operation::update;  // insert, update, remove
  row_view before = nullptr, after = nullptr;
  field_set fields = 0;
  std::int64_t time_us = 0;
  bool key_changed = false;
};

// What a table's script is asked (conflict/script.hpp), and its answer.
struct question {
  std::uint16_t script;                   // index into config::scripts
  const table_pair& table;
  const incoming& change;
  const owned_row& current;
  field_set contested;                    // where the rule is this script
  operation home_op = operation::update;  // insert, update or remove
  std::int64_t home_time_us = 0;          // of home's latest write that the change had not seen
};
using new_value = std::pair<std::uint16_t, std::optional<std::string>>;  // a column; in home's form, nullopt: NULL
struct ruling {
  enum class verdict : std::uint8_t { home, spoke, values, hold };
  verdict says = verdict::hold;
  std::vector<new_value> values;          // at least one; of columns whose rule is this script
  std::string reason;                     // hold
};
using referee = std::function<ruling(const question&)>;

struct decision {
  enum class action : std::uint8_t {
    keep,    // home's row, or its absence, stands
    update,  // `write` is taken from the change, `add` by difference
    insert,  // the change's row, all of it
    remove,
    move,    // the change as it is, with its new key
    hold,    // a person decides; `reason`
  };
  action does = action::keep;
  std::vector<std::uint16_t> write, add;  // columns
  std::vector<new_value> set;             // update, insert: columns that get what a script has said
  field_set met = 0;                      // 0: no conflict, nothing was decided
  bool recorded = true;                   // false: nothing of anybody's is lost, no line in the log
  std::string_view type;                  // PostgreSQL's name of the conflict
  std::string_view rule;                  // what decided
  std::string_view winner;                // home, spoke, both, script: it has set values
  std::string reason;                     // hold
  decision_tag tag;                       // of the refresh
};

// Is `a` the later one? Canonical values of a column that `latest_by` may name.
bool is_later(const column&, std::string_view a, std::string_view b);

// At home, under the row's lock. `current` is home's row now, `current_at_new_key` home's row at the changed key. The referee
// is asked where the rule is script.
decision decide(const table_pair&, const incoming&, const owned_row& current, const owned_row& current_at_new_key,
                std::span<const met_write>, std::int64_t grain_us, const referee&);

// At the spoke: what of an update that met writes of the spoke's own may be written.
struct share {
  bool whole = false, nothing = false;
  std::vector<std::uint16_t> write, add;
};
share held_back(const table_pair&, const incoming&, bool row_is_there, std::span<const met_write>);

// The same for a refresh; `row` is home's whole row, or null: it is gone. A delta column has an absolute value there, which
// is right only if nothing was met.
share held_back_of_refresh(const table_pair&, row_view row, bool row_is_there, std::span<const met_write>);

}  // namespace duet::conflict
