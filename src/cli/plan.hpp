// The plan of how a link begins, as a file: what `duet plan` has found, and what it was about. `duet run --initial FILE` goes on
// only if that is still so.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "cli/preflight.hpp"

namespace duet::cli {

// What a plan is about: the link, both databases (MariaDB has no identity before setup: its address), and of each table its columns, its direction and how its rows begin.
std::string plan_subject(const preflight&);

// The file's text: the document with its own hash.
std::string seal_plan(nlohmann::json document);

// Throws failure unless the file is a plan as `duet plan` wrote it, about what this configuration says. Returns its hash.
std::string require_plan(const std::string& file, const preflight&);

}  // namespace duet::cli
