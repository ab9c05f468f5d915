// Whether the two sides of a synced table still fit, after what is known of it has met what the catalogs have now. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "duet/config.hpp"
#include "duet/site.hpp"
#include "pipeline/schema_notes.hpp"

namespace duet::pipeline {

struct alteration {
  side at;
  std::string sql;
};

struct schema_fit {
  std::string reason;   // what does not fit; empty: it fits
  std::string remedy;   // the statement that mends it, and where it is to be run
  std::vector<alteration> alterations;  // the same
  bool can_follow = true;               // they mend all of it, and both sides are equal then
  known_table now;      // as the catalogs have it; without `paused`
  bool fits() const { return reason.empty(); }
};

struct details_of_sides { std::vector<column_detail> of[2]; };

// `bound`: what translate::bind makes of it now, or null; `found`: what it says. A table of one side may be null: it is gone.
// Without details a renamed column is told by its place and type.
schema_fit judge(const known_table& before, const table_schema* home, const table_schema* spoke, const table_pair* bound, const table_rule&,
                 const std::string& table, const findings& found, const details_of_sides* = nullptr);

bool same_columns(const known_table&, const known_table&);

// All of a catalog that matters to a link, to see that something has changed.
std::string signature(const table_schema&);

}  // namespace duet::pipeline
