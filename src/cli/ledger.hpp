// What the verbs of the conflict log and of held keys share: how entries are named, how times, keys and rows are shown.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/preflight.hpp"
#include "cli/verbs.hpp"
#include "duet/schema.hpp"

namespace duet::cli {

// Each side counts its own entries: 12 is home's, s12 the spoke's.
std::string entry_id(side, std::uint64_t);
std::optional<std::pair<side, std::uint64_t>> find_entry(std::string_view id);

std::string time_text(std::int64_t us);      // 2026-03-01 12:00:00.123, UTC; "-": not known
nlohmann::json time_json(std::int64_t us);   // "2026-03-01T12:00:00.123456Z", or null
std::string key_text(const std::string& key);  // {"id": "7"}: id=7
nlohmann::json row_json(const std::string& row);  // the object, or null: no row

// Does an entry of this table fall under --table? `wanted` may lack the schema; empty: all do.
bool is_table(const std::string& table, const std::string& wanted);

// One line per column of a row, one column per image; what differs is marked. An image is a JSON object, or "": no row.
struct image { std::string title, row; };
std::string side_by_side(const std::vector<image>&);

// Lines of a table, each column as wide as it must be; the first line is its head.
std::string aligned(const std::vector<std::vector<std::string>>& lines);

// Both databases, and the bound tables if `bound`; the exit code if that is not to be had, already answered.
std::optional<int> open_both(preflight&, bool bound, const options&, console&, std::string_view verb);

// Exit code 1: there is no such entry.
int answer_unknown(const options&, console&, std::string_view verb, const std::string& what, const std::string& link);

}  // namespace duet::cli
