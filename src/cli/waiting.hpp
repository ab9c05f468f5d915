// The keys that wait for a person: duet.held of both sides by key, and their rows as they are now.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/arena.hpp"
#include "duet/mapping.hpp"
#include "duet/site.hpp"
#include "duet/target.hpp"

namespace duet::cli {

struct waiting_key {
  struct change {
    side at;  // which side holds it: the other one made it
    held_change what;
  };
  std::string id;              // of the change that it waits for
  std::string table, key;      // home's name; JSON
  std::uint64_t token = 0;
  std::vector<change> changes;     // in order
  std::vector<std::size_t> tied;   // other waiting keys that share a held change (it has changed one key to the other), or that may be equal to one side

  bool at(side) const;
  bool has(side at, std::uint64_t id) const;
  const change& first() const;     // what all the others wait for
  std::string where() const;       // home, spoke, both sides
  bool is_table() const;           // it stands for the whole table, which is stopped
  bool is_truncate() const;        // by a TRUNCATE, not by the number of its held keys
};

std::vector<waiting_key> load_waiting(site& home, site& spoke);
// The keys that share changes with this one, itself included.
std::vector<std::size_t> tied_to(const std::vector<waiting_key>&, std::size_t);
const table_pair* find_table(const mapping&, const std::string& home_name);

// The key's cells in the form of each side; null: that side can't have it, and why.
struct key_cells {
  row_view home = nullptr, spoke = nullptr;
  std::string problem;
};
key_cells key_of(const table_pair&, const waiting_key&, base::arena&);

// Both rows. A value of the spoke that home can't have stands as the spoke has it, with the problem by column.
struct both_rows {
  owned_row home, spoke;           // in home's form
  std::vector<std::string> problems;  // by column; empty if there is none
  friend bool operator==(const both_rows& a, const both_rows& b) {
    return a.home.found == b.home.found && a.home.values == b.home.values && a.spoke.found == b.spoke.found && a.spoke.values == b.spoke.values;
  }
};
both_rows read_both(const table_pair&, const key_cells&, target_by_hand& home, target_by_hand& spoke, bool lock, base::arena&);

// Text that a person typed as a column's value, in home's form: bytes as \x hex. Throws config_file.
std::string typed_value(const column_pair&, const std::string&);

}  // namespace duet::cli
