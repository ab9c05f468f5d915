// Is a value the same on both sides? A column is equal if it is in either side's form: a declared loss goes one way only.
#pragma once

#include <string>
#include <vector>

#include "base/arena.hpp"
#include "duet/mapping.hpp"
#include "duet/target.hpp"

namespace duet::pipeline {

// `why`: what keeps one of them from having a form on the other side. The arena is for scratch.
bool equal_values(const table_pair&, std::uint16_t column, const cell& at_home, const cell& at_spoke, base::arena&, std::string& why);

// The columns that differ.
std::vector<std::uint16_t> differing_columns(const table_pair&, row_view at_home, row_view at_spoke, base::arena&, std::string& why);

// A row that was read; the bytes stay its own, the cells are the arena's.
row_view view_of(const owned_row&, base::arena&);

}  // namespace duet::pipeline
