// What a statement in the binlog does to the tables that are synced: just enough SQL to tell transaction control, TRUNCATE,
// statements that take tables or rows away without rows events, and statement-format writes. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace duet::mysql {

struct table_name {
  std::string database, table;
  friend bool operator==(const table_name&, const table_name&) = default;
};

struct statement {
  enum class kind : std::uint8_t {
    begin, commit, rollback, rollback_to_savepoint,
    xa_start, xa_end, xa_commit, xa_rollback,
    truncate,       // `tables` has the one
    remove_tables,  // DROP TABLE, RENAME TABLE, CREATE OR REPLACE TABLE, ALTER TABLE ... RENAME: `tables` are no longer what they were
    remove_database,  // `tables` has one without a table name
    replace_rows,   // ALTER TABLE ... EXCHANGE | DROP | TRUNCATE PARTITION, IMPORT TABLESPACE: rows come or go without rows events
    write,          // INSERT, UPDATE, DELETE, REPLACE, LOAD DATA ... as a statement
    other,          // all that changes no rows
  };
  kind is = kind::other;
  std::vector<table_name> tables;
};

// `database` is what unqualified names belong to.
statement read_statement(std::string_view sql, std::string_view database);

// Whether the statement names this table anywhere. Rather yes than no: a column of that name counts too.
bool mentions(std::string_view sql, std::string_view database, const table_name&);

}  // namespace duet::mysql
