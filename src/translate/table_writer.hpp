// The table that one side lacks, as the other one has it: CREATE TABLE in the engine's words, with types that go together by the
// type contract. Pure.
#pragma once

#include <string>
#include <vector>

#include "duet/config.hpp"
#include "duet/schema.hpp"

namespace duet::translate {

struct written_table {
  std::string sql;                 // without a semicolon; empty: it can't be made
  std::vector<std::string> notes;  // what it lacks, or what was chosen, for a person
};

// `there`: the table as it is on the other side than `made_for`; `schema`, `name`: what it shall be called. The rule renames and
// leaves out columns.
written_table write_table(const table_schema& there, side made_for, const table_rule&, const std::string& schema, const std::string& name);

std::string quoted(side, const std::string& name);
// `name` and its type there, for ADD COLUMN; empty: the type has no counterpart. A column of a table that has rows: it may be NULL.
std::string column_definition(const column& there, side made_for, const std::string& name);

// What the configuration names, or takes by a `schema.*`, and only one side has.
struct missing_table {
  side at;
  std::string name, like;  // schema.table: here, and on the other side
  written_table made;
};
std::vector<missing_table> write_missing_tables(const config&, const std::vector<table_schema>& home, const std::vector<table_schema>& spoke);

}  // namespace duet::translate
