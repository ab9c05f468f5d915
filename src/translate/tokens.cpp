#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

#include "translate/conversions.hpp"
#include "translate/equality.hpp"
#include "translate/translate.hpp"

namespace duet::translate {

namespace {

// Each value is hashed with what was hashed before it as the seed, so that ("ab", "c") is not ("a", "bc").
std::uint64_t add(std::uint64_t hash, std::string_view value) { return XXH3_64bits_withSeed(value.data(), value.size(), hash); }

std::uint64_t seed(const table_pair& table, std::uint64_t index) {
  return (std::uint64_t{table.id} + 1) * 0x9e3779b97f4a7c15u ^ index * 0xc2b2ae3d27d4eb4fu;
}

std::uint64_t never_zero(std::uint64_t hash) { return hash ? hash : 1; }

constexpr std::string_view null_mark("\xff" "null", 5);  // no valid UTF-8

template <class Cells>
std::uint64_t token_of_key(const table_pair& table, side from, const Cells& cell_at, base::arena& scratch) {
  std::uint64_t hash = seed(table, 0);
  for (const std::uint16_t k : table.key) {
    const column_pair& c = table.columns[k];
    const cell value = cell_at(k);
    if (!value.present()) {
      hash = add(hash, null_mark);
      continue;
    }
    std::string_view text = value.text();
    if (from == side::spoke && c.to_home.code != 0) {
      std::string_view converted;
      if (!convert({text, c.to_home, c.spoke.type, c.home.type, scratch}, converted)) text = converted;
    }
    hash = add(hash, comparable_form(c, text));
  }
  return never_zero(hash);
}

}  // namespace

std::uint64_t key_token(const table_pair& table, side from, const change_record& change, block_writer::image image, base::arena& scratch) {
  return token_of_key(
      table, from, [&](std::size_t i) { return image == block_writer::before ? change.before(i) : change.after(i); }, scratch);
}

std::uint64_t key_token(const table_pair& table, side from, row_view row, base::arena& scratch) {
  return token_of_key(table, from, [&](std::size_t i) { return row[i]; }, scratch);
}

std::uint64_t parent_token(const table_pair& parent, const reference& r, side from, row_view row, base::arena& scratch) {
  if (r.columns.empty()) return 0;
  for (const std::uint16_t c : r.columns)
    if (!row[c].present()) return 0;
  const auto column_for = [&](std::size_t key_column) {
    const auto at = std::find(parent.key.begin(), parent.key.end(), static_cast<std::uint16_t>(key_column));
    return r.columns[static_cast<std::size_t>(at - parent.key.begin())];
  };
  return token_of_key(parent, from, [&](std::size_t i) { return row[column_for(i)]; }, scratch);
}

void unique_tokens(const table_pair& table, row_view row, std::vector<std::uint64_t>& out) {
  for (std::size_t u = 0; u < table.unique.size(); ++u) {
    std::uint64_t hash = seed(table, u + 1);
    bool whole = true;
    for (const std::uint16_t i : table.unique[u]) {
      whole = row[i].present();
      if (!whole) break;
      hash = add(hash, comparable_form(table.columns[i], row[i].text()));
    }
    if (whole) out.push_back(never_zero(hash));
  }
}

}  // namespace duet::translate
