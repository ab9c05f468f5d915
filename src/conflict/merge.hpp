// Both sides had rows when the link began (table_pair::initial): what follows where they have one key and differ. Pure.
#pragma once

#include "conflict/arbiter.hpp"

namespace duet::conflict {

// At home, under the row's lock. `spoke_row` whole, in home's form; `columns` are those that differ; `written`: where home has
// written what the spoke had not seen. Does keep, update or hold. Unless the winner is the spoke and nothing was written, the
// row goes there as it then stands, with `tag`.
decision merge(const table_pair&, row_view spoke_row, const owned_row& home_row, std::span<const std::uint16_t> columns, field_set written);

}  // namespace duet::conflict
