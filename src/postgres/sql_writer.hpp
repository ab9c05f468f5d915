// The text of the statements that write rows of a mapped table at home. Pure.
//
// Set-based statements take one array per column (array_writer.hpp); `arrays` of the result tells which, in the order of
// the parameters. Each row of the arrays has an ordinal from 1; updates and removes return the ordinals that they matched.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "duet/mapping.hpp"
#include "duet/target.hpp"
#include "postgres/array_writer.hpp"

namespace duet::postgres {

struct array_parameter {
  std::uint16_t column;       // index into table_pair::columns
  enum image : std::uint8_t { before, after, added } image;  // whose cell
  element form;
};

struct set_statement {
  std::string sql;
  std::vector<array_parameter> arrays;
};

using column_list = std::span<const std::uint16_t>;

set_statement insert_statement(const table_pair&, column_list columns, insert_mode);  // checked: returns the keys written
set_statement update_statement(const table_pair&, column_list columns, column_list guard, column_list deltas = {});
set_statement remove_statement(const table_pair&, column_list guard);
set_statement lock_statement(const table_pair&);  // returns ordinal, then all columns; arrays are key cells of `before`
set_statement lock_with_statement(const table_pair&, column_list columns);  // the same by these columns, of any number of rows
set_statement read_statement(const table_pair&);  // the same without locks
// All columns of at most `limit` rows in key order, locked for share (at once or not at all) if `lock`. `behind`: only those after the key
// that the parameters give, as text.
std::string next_rows_statement(const table_pair&, bool behind, std::size_t limit, bool lock);
// One row's date-time column, by its key: set to the parameter behind the arrays (NULL: the time now), or cleared.
set_statement mark_statement(const table_pair&, const std::string& column, bool clear);
bool can_be_copied(const table_pair&, column_list columns);  // COPY can't look at what it stores
std::string copy_statement(const table_pair&, column_list columns);
std::string truncate_statement(std::span<const table_pair* const>);

}  // namespace duet::postgres
