// Who wins when both sides wrote one row before they had seen each other's write: the declared rules, bound to one table.
// Which writes met is the judge's business (causality/write_index.hpp), what follows is conflict/.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace duet {

enum class conflict_rule : std::uint8_t {
  none,    // nothing was declared: `check` refuses a table that is synced both ways
  latest,  // the later write; by commit time, or by a column
  home,
  spoke,
  manual,  // nobody: the key waits in duet.held until a person decides
  delta,   // of a numeric column only: both changes are added, it is never in conflict with another delta
  script,  // what a Lua function of the operator's says (conflict/script.hpp)
};
std::string_view name(conflict_rule);

// An update on one side, a delete on the other. by_rule: as the row's rule says, like any other conflict.
enum class delete_rule : std::uint8_t { by_rule, update_wins, delete_wins, latest, manual };
std::string_view name(delete_rule);

// A row that refers to one which the other side has deleted meanwhile.
enum class parent_rule : std::uint8_t {
  hold,        // waits for a person
  resurrect,   // the deleted row comes back
  drop_child,  // the row that refers to it goes
  set_null,    // it refers to nothing
};
std::string_view name(parent_rule);

// Which fields of a row a write has touched. A field is what is decided as one: a column, a declared group of columns, or
// the whole row (merge: row). Bit i is conflict_policy::fields[i].
using field_set = std::uint64_t;
inline constexpr field_set existence = field_set{1} << 63;  // an insert, a delete, a changed key: meets every other write
inline constexpr field_set restated = field_set{1} << 62;   // of a refresh only: contests nothing, and whoever had not seen it gets another one
inline constexpr std::size_t fields_max = 62;

struct conflict_policy {
  conflict_rule rule = conflict_rule::none;                 // of the row as a whole, and of fields without one of their own
  std::uint16_t script = 0;                                 // of rule script: index into config::scripts
  delete_rule update_vs_delete = delete_rule::by_rule;
  std::optional<std::uint16_t> latest_by;                   // index into table_pair::columns; none: the commit time
  bool whole_transactions = false;                          // of the spoke: where home's row stands, the rest of them is given up, too
  parent_rule missing_parent = parent_rule::hold;           // of the rows that this table's rows refer to
  bool merge_columns = true;                                // false: all columns are one field

  struct field {
    std::vector<std::uint16_t> columns;                     // indices into table_pair::columns
    conflict_rule rule = conflict_rule::none;               // as declared for it, or the row's
    std::uint16_t script = 0;                               // of rule script; what is declared at one place is asked as one
  };
  std::vector<field> fields;                                // at most fields_max; the columns beyond share the last one
  std::vector<std::uint8_t> field_of;                       // by column: its field
  field_set deltas = 0;                                     // the fields whose rule is delta
  field_set owned[2] = {};                                  // by side: the fields that only it may update (conflict.own)

  field_set bit_of(std::uint16_t column) const { return column < field_of.size() ? field_set{1} << field_of[column] : 0; }
  // Do commit times decide what a latest_by, or another word for update_vs_delete, could decide? (Under rule latest with
  // latest_by they still do so for an update against a delete, which leaves no value to compare.)
  bool compares_commit_times() const {
    if (update_vs_delete == delete_rule::latest) return true;
    if (latest_by) return false;
    if (rule == conflict_rule::latest) return true;
    for (const field& f : fields)
      if (f.rule == conflict_rule::latest) return true;
    return false;
  }
  field_set all() const { return existence | (fields.empty() ? 0 : (~field_set{0} >> (64 - fields.size()))); }
};

// Do two writes of one row meet? Two deltas of one column don't, a write of the row's existence meets every other one, and so
// does a row that was restated.
// What is left are the fields that they meet in.
inline field_set meeting(field_set a, field_set b, field_set deltas) {
  if (a == 0 || b == 0) return 0;
  if ((a | b) & existence) return (a | b);
  return (a & b & ~deltas) | ((a | b) & restated);
}

}  // namespace duet
