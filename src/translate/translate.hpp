// Translation of rows between the two sides, and the binding of a configuration to two catalogs. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.hpp"
#include "duet/change.hpp"
#include "duet/config.hpp"
#include "duet/mapping.hpp"
#include "duet/target.hpp"

namespace duet::translate {

// Binds the configured tables to what the catalogs have. Every problem becomes a finding with file and line (missing
// tables and columns, types that can't be paired, no primary key, ...); the mapping holds the tables that are in order.
mapping bind(const config&, const std::vector<table_schema>& home, const std::vector<table_schema>& spoke, findings&);

// The names that site::load_tables is asked for.
std::vector<std::string> table_patterns(const config&, side);

// The rule that a table of home, schema.table, is synced by; null: none.
const table_rule* rule_of(const config&, std::string_view table);

// Converts one image from side `from` to the other side's canonical form. Converted bytes go to the arena, values that
// stay as they are are passed on as views. False: this row can't be represented there; `reason` says which column and why,
// without the value.
bool convert_row(const table_pair&, side from, row_view in, cell* out, base::arena&, std::string& reason);

// Hash of table and key in home's canonical form, the same for a row read from either log. `image` is in the form of side
// `from`. Never 0. A key that can't be converted hashes by its own bytes.
std::uint64_t key_token(const table_pair&, side from, const change_record&, block_writer::image, base::arena& scratch);
std::uint64_t key_token(const table_pair&, side from, row_view, base::arena& scratch);

// The same for each unique index: order among writes that touch one unique value must be kept. Coarser than equality
// (case, accents and trailing blanks ignored for text): two equal values always have equal tokens. Appends to `out`;
// NULLs make no token.
void unique_tokens(const table_pair&, row_view, std::vector<std::uint64_t>& out);

}  // namespace duet::translate
