// What `duet schema` and `duet setup --create-missing` share.
#pragma once

#include <string>
#include <vector>

#include "cli/preflight.hpp"
#include "cli/verbs.hpp"
#include "translate/table_writer.hpp"

namespace duet::cli {

// None: it can't be made.
std::vector<std::string> statements_for(const translate::missing_table&);

// Makes what can be made, on both sides. Returns what was made: "spoke: shop.customer". Throws failure.
std::vector<std::string> create_missing(const options&, const engines&);

}  // namespace duet::cli
