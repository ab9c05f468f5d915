#include "pipeline/row_equality.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "translate/translate.hpp"

namespace duet::pipeline {

namespace {

// Values that have several texts: numbers of base 2, and JSON.
bool same_value(const column& c, const cell& a, const cell& b) {
  if (a == b) return true;
  if (!a.present() || !b.present()) return false;
  if (c.type.kind == value_kind::real) {
    double x = 0, y = 0;
    const auto read = [](const cell& v, double& to) { return std::from_chars(v.data, v.data + v.size, to).ec == std::errc{}; };
    return read(a, x) && read(b, y) && x == y;
  }
  if (c.type.kind == value_kind::json) {
    const auto x = nlohmann::json::parse(a.text(), nullptr, false), y = nlohmann::json::parse(b.text(), nullptr, false);
    return !x.is_discarded() && !y.is_discarded() && x == y;
  }
  return false;
}

}  // namespace

bool equal_values(const table_pair& table, std::uint16_t i, const cell& at_home, const cell& at_spoke, base::arena& arena, std::string& why) {
  const column_pair& c = table.columns[i];
  if (c.to_spoke.code == 0 && at_home == at_spoke) return true;
  const std::size_t n = table.columns.size();
  cell* in = arena.allocate_array<cell>(n);
  cell* out = arena.allocate_array<cell>(n);
  const auto equal_in_the_form_of = [&](side to, const cell& from, const cell& there) {
    std::fill_n(in, n, cell{});
    in[i] = from;
    return translate::convert_row(table, other(to), in, out, arena, why) && same_value(c.on(to), out[i], there);
  };
  return equal_in_the_form_of(side::spoke, at_home, at_spoke) || equal_in_the_form_of(side::home, at_spoke, at_home);
}

std::vector<std::uint16_t> differing_columns(const table_pair& table, row_view at_home, row_view at_spoke, base::arena& arena, std::string& why) {
  std::vector<std::uint16_t> columns;
  std::string problem;
  for (std::uint16_t i = 0; i < table.columns.size(); ++i) {
    problem.clear();
    if (equal_values(table, i, at_home[i], at_spoke[i], arena, problem)) continue;
    columns.push_back(i);
    if (!problem.empty()) why = problem;
  }
  return columns;
}

row_view view_of(const owned_row& row, base::arena& arena) {
  cell* cells = arena.allocate_array<cell>(row.values.size());
  for (std::size_t i = 0; i < row.values.size(); ++i) cells[i] = row.values[i] ? cell::of(*row.values[i]) : cell::null();
  return cells;
}

}  // namespace duet::pipeline
