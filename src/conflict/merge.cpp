#include "conflict/merge.hpp"

#include <algorithm>

namespace duet::conflict {

namespace {

bool spoke_is_later(const table_pair& table, row_view spoke_row, const owned_row& home_row) {
  const cell theirs = spoke_row[table.truth_by];
  const auto& ours = home_row.values[table.truth_by];
  if (!ours || !theirs.present()) return !ours && theirs.present();
  return is_later(table.columns[table.truth_by].home, theirs.text(), *ours);
}

// union: what is decided as one comes from one side.
bool home_has_nothing(const table_pair& table, const owned_row& home_row, std::uint16_t column) {
  const auto& together = table.policy.fields[table.policy.field_of[column]].columns;
  if (!table.policy.merge_columns) return !home_row.values[column];
  return std::none_of(together.begin(), together.end(), [&](std::uint16_t i) { return home_row.values[i].has_value(); });
}

}  // namespace

decision merge(const table_pair& table, row_view spoke_row, const owned_row& home_row, std::span<const std::uint16_t> columns, field_set written) {
  decision d;
  d.type = "insert_exists";
  d.rule = "initial";
  const bool later = table.truth == merge_truth::latest && spoke_is_later(table, spoke_row, home_row);
  std::size_t kept = 0;
  for (const std::uint16_t i : columns) {
    const bool counted = (table.policy.deltas & table.policy.bit_of(i)) != 0;
    bool from_spoke = false;
    if (table.owned_by(side::spoke, i)) from_spoke = true;
    else if (counted || table.owned_by(side::home, i) || (written & table.policy.bit_of(i))) from_spoke = false;
    else if (table.truth == merge_truth::spoke) from_spoke = true;
    else if (table.truth == merge_truth::latest) from_spoke = later;
    else if (table.truth == merge_truth::unite) from_spoke = home_has_nothing(table, home_row, i);
    else if (table.truth == merge_truth::manual) {
      d.does = decision::action::hold;
      d.winner = "nobody";
      d.reason = "both sides had the row when they were merged, and differ";
      return d;
    }
    if (from_spoke) d.write.push_back(i);
    else ++kept;
  }
  if (!d.write.empty()) d.does = decision::action::update;
  d.winner = kept == 0 ? "spoke" : d.write.empty() ? "home" : "both";
  // A change of the spoke that had not seen this is later, and stands; the row goes there once more with it.
  d.tag.by_spoke.fields = restated;
  return d;
}

}  // namespace duet::conflict
