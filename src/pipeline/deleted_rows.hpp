// Rows that home's own applications have deleted, as they were, while the spoke has not seen the delete: a row of the spoke may
// still refer to one, and it may have to come back (conflict.missing_parent: resurrect).
//
// The reader of home's log adds, home's applier looks up and forgets. Thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "duet/position.hpp"

namespace duet::pipeline {

class deleted_rows {
 public:
  using row = std::vector<std::optional<std::string>>;  // by column, home's form

  void add(std::uint64_t token, log_position, row);      // in log order
  std::optional<row> find(std::uint64_t token) const;    // as it was deleted last
  void prune(log_position acknowledged);
  void clear();

 private:
  struct deleted {
    log_position position;
    row values;
  };
  mutable std::mutex mutex_;
  std::unordered_map<std::uint64_t, deleted> rows_;
  std::deque<std::pair<log_position, std::uint64_t>> in_order_;
};

}  // namespace duet::pipeline
