#include "pipeline/comparison.hpp"

#include <algorithm>
#include <charconv>
#include <future>

#include "duet/failure.hpp"
#include "pipeline/images.hpp"
#include "pipeline/row_equality.hpp"
#include "translate/translate.hpp"

namespace duet::pipeline {

namespace {

cell cell_of(const std::optional<std::string>& value) { return value ? cell::of(*value) : cell::null(); }

}  // namespace

comparison comparer::run() {
  if (have_one_order()) side_by_side();
  else if (pass(side::home)) pass(side::spoke);
  return std::move(found_);
}

bool comparer::have_one_order() const {
  return std::all_of(table_.key.begin(), table_.key.end(), [&](std::uint16_t k) {
    const column_pair& c = table_.columns[k];
    return c.home.type.kind == value_kind::integer && c.spoke.type.kind == value_kind::integer;
  });
}

std::strong_ordering comparer::compare_keys(const owned_row& a, const owned_row& b) const {
  const auto number = [](const std::optional<std::string>& text) {
    std::int64_t n = 0;
    if (!text || std::from_chars(text->data(), text->data() + text->size(), n).ec != std::errc{}) throw failure(failure_kind::internal, "a key that is no number");
    return n;
  };
  for (const std::uint16_t k : table_.key)
    if (const auto order = number(a.values[k]) <=> number(b.values[k]); order != 0) return order;
  return std::strong_ordering::equal;
}

void comparer::fill(front& f, side s) {
  next_rows chunk = rows_of(s).read_rows(table_, f.cursor, chunk_rows, false);
  f = {std::move(chunk.rows), 0, std::move(chunk.cursor), chunk.last};
}

void comparer::side_by_side() {
  front home, spoke;
  for (;;) {
    const bool of_home = home.empty() && !home.last, of_spoke = spoke.empty() && !spoke.last;
    if (!of_home && !of_spoke) return;
    std::future<void> read;
    if (of_home) read = std::async(std::launch::async, [&] { fill(home, side::home); });
    if (of_spoke) fill(spoke, side::spoke);
    if (of_home) read.get();
    if (of_home) found_.rows_at_home += home.rows.size();
    if (of_spoke) found_.rows_at_spoke += spoke.rows.size();
    merge(home, spoke);
    if (!look_(found_)) return;
  }
}

// As far as both are known.
void comparer::merge(front& home, front& spoke) {
  arena_.clear();
  std::vector<pair_of_rows> odd;
  while (!(home.empty() && spoke.empty())) {
    if ((home.empty() && !home.last) || (spoke.empty() && !spoke.last)) break;
    const auto order = home.empty() ? std::strong_ordering::greater : spoke.empty() ? std::strong_ordering::less : compare_keys(home.rows[home.at], spoke.rows[spoke.at]);
    if (order > 0) {
      odd.push_back(pair_of(side::spoke, std::move(spoke.rows[spoke.at++])));
      continue;
    }
    pair_of_rows p;
    p.row[0] = std::move(home.rows[home.at++]);
    if (order == 0) p.row[1] = std::move(spoke.rows[spoke.at++]);
    if (order == 0 && equal(p)) {
      ++found_.equal;
      continue;
    }
    pair_of_rows& different = odd.emplace_back(pair_of(side::home, std::move(p.row[0])));
    different.row[1] = std::move(p.row[1]);
  }
  if (!odd.empty()) settle(side::home, std::move(odd));
}

// Rows of one side in key order; with home all of the row is compared, with the spoke only whether home has one.
bool comparer::pass(side from) {
  std::string cursor;
  for (bool last = false; !last;) {
    next_rows chunk = rows_of(from).read_rows(table_, cursor, chunk_rows, false);
    last = chunk.last;
    cursor = chunk.cursor;
    (from == side::home ? found_.rows_at_home : found_.rows_at_spoke) += chunk.rows.size();
    arena_.clear();
    std::vector<pair_of_rows> pairs;
    look_up(from, chunk, pairs);
    std::vector<pair_of_rows> odd;
    for (pair_of_rows& p : pairs) {
      const bool fine = from == side::home ? equal(p) : p.row[0].found;
      if (!fine) odd.push_back(std::move(p));
      else if (from == side::home) ++found_.equal;
    }
    if (!odd.empty()) settle(from, std::move(odd));
    if (!look_(found_)) return false;
  }
  return true;
}

comparer::pair_of_rows comparer::pair_of(side from, owned_row&& row) {
  const std::size_t n = table_.columns.size();
  const int here = static_cast<int>(from), there = 1 - here;
  cell* in = arena_.allocate_array<cell>(n);
  cell* out = arena_.allocate_array<cell>(n);
  pair_of_rows p;
  p.key[0].resize(n);
  p.key[1].resize(n);
  std::fill_n(in, n, cell{});
  for (const std::uint16_t k : table_.key) {
    p.key[here][k] = row.values[k];
    in[k] = cell_of(row.values[k]);
  }
  if (translate::convert_row(table_, from, in, out, arena_, p.problem))
    for (const std::uint16_t k : table_.key) p.key[there][k] = std::string(out[k].text());
  p.row[here] = std::move(row);
  return p;
}

void comparer::look_up(side from, next_rows& chunk, std::vector<pair_of_rows>& pairs) {
  for (owned_row& row : chunk.rows) pairs.push_back(pair_of(from, std::move(row)));
  read(other(from), pairs);
}

// Reads the side's row of each pair by its key.
void comparer::read(side at, std::vector<pair_of_rows>& pairs) {
  const auto s = static_cast<std::size_t>(at);
  std::vector<std::vector<cell>> cells;
  std::vector<row_view> keys;
  std::vector<std::size_t> of;
  cells.reserve(pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (!pairs[i].key[s][table_.key[0]]) continue;  // it can't have such a key
    auto& row = cells.emplace_back(table_.columns.size());
    for (const std::uint16_t k : table_.key) row[k] = cell_of(pairs[i].key[s][k]);
    keys.push_back(row.data());
    of.push_back(i);
  }
  try {
    auto rows = target_of(at).read_rows(table_, keys);
    for (std::size_t i = 0; i < of.size(); ++i) pairs[of[i]].row[s] = std::move(rows[i]);
  } catch (const failure& f) {  // a key that the server has, but does not take in a statement (a zero date)
    if (f.kind != failure_kind::row_refused) throw;
    for (std::size_t i = 0; i < of.size(); ++i) {
      try {
        pairs[of[i]].row[s] = target_of(at).read_rows(table_, std::span(&keys[i], 1)).front();
      } catch (const failure& one) {
        if (one.kind != failure_kind::row_refused) throw;  // it stays as it was read
      }
    }
  }
}

std::vector<std::string> comparer::differing(const pair_of_rows& p, std::string& why) const {
  std::vector<std::string> names;
  for (const std::uint16_t i : differing_columns(table_, view_of(p.row[0], arena_), view_of(p.row[1], arena_), arena_, why)) names.push_back(table_.columns[i].home.name);
  return names;
}

bool comparer::equal(const pair_of_rows& p) const {
  if (!p.row[0].found || !p.row[1].found) return !p.row[0].found && !p.row[1].found;
  std::string why;
  return differing(p, why).empty();
}

void comparer::settle(side from, std::vector<pair_of_rows> odd) {
  for (int look = 0; look < looks_max && !odd.empty(); ++look) {
    const bool told = settle_();
    std::vector<pair_of_rows> again = odd;
    read(side::home, again);
    read(side::spoke, again);
    std::vector<pair_of_rows> left;
    for (std::size_t i = 0; i < again.size(); ++i) {
      if (equal(again[i])) {
        ++found_.looked_at_again;
        if (from == side::home && again[i].row[0].found) ++found_.equal;
        continue;
      }
      const bool as_before = again[i].row[0].found == odd[i].row[0].found && again[i].row[0].values == odd[i].row[0].values &&
                             again[i].row[1].found == odd[i].row[1].found && again[i].row[1].values == odd[i].row[1].values;
      if (as_before || !told) {
        report(again[i]);
      } else {
        left.push_back(std::move(again[i]));
      }
    }
    odd = std::move(left);
  }
  found_.changing += odd.size();
}

void comparer::report(const pair_of_rows& p) {
  using kind = difference::kind;
  const bool home = p.row[0].found, spoke = p.row[1].found;
  if (home != spoke && table_.keeps_deleted(home ? side::spoke : side::home)) {
    ++found_.stay;
    return;
  }
  const std::size_t n = table_.columns.size();
  std::vector<cell> key(n);
  const auto& known = p.key[0][table_.key[0]] ? p.key[0] : p.key[1];
  for (const std::uint16_t k : table_.key) key[k] = cell_of(known[k]);
  difference d{.is = home && spoke ? kind::different : home ? kind::missing_at_spoke : kind::missing_at_home, .key = key_json(table_, key.data()), .columns = {}, .why = p.problem};
  d.token = translate::key_token(table_, &known == &p.key[0] ? side::home : side::spoke, key.data(), arena_);
  if (!p.problem.empty()) d.is = kind::incomparable;
  else if (d.is == kind::different) d.columns = differing(p, d.why);
  else d.why = why_it_cannot_cross(p, home ? side::home : side::spoke);
  ++(home && spoke ? found_.different : home ? found_.missing_at_spoke : found_.missing_at_home);
  for (const std::string& c : d.columns) ++found_.in_columns[c];
  if (!d.why.empty()) ++found_.unfit[d.why];
  if (found_.differences.size() < keep_) found_.differences.push_back(std::move(d));
}

std::string comparer::why_it_cannot_cross(const pair_of_rows& p, side from) const {
  std::string problem;
  cell* out = arena_.allocate_array<cell>(table_.columns.size());
  if (translate::convert_row(table_, from, view_of(p.row[static_cast<int>(from)], arena_), out, arena_, problem)) return {};
  return problem;
}

}  // namespace duet::pipeline
