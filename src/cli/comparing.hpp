// The comparison of both sides as `duet verify` and `duet repair` make it: table after table, with progress and text.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/preflight.hpp"
#include "cli/verbs.hpp"
#include "pipeline/comparison.hpp"

namespace duet::cli {

struct table_result {
  std::string table;
  std::string skipped;  // why it was not compared
  pipeline::comparison found;
  std::uint64_t held = 0;  // keys that differ and wait for a person: not among the differences
};

struct compared {
  std::vector<table_result> tables;
  bool hub_runs = true;  // else nobody knows what was under way
  std::uint64_t differences() const;
  std::uint64_t undecided() const;  // rows that changed all the time, tables that were skipped
};

// All tables, or the one of --table. Text of each on out, progress on err, unless it is for JSON. Throws failure.
compared compare_both(preflight&, const options&, const engines&, console&);

nlohmann::json to_json(const table_result&, std::size_t limit);

}  // namespace duet::cli
