// What information_schema says of tables. Private to this folder.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "duet/schema.hpp"
#include "mysql/connection.hpp"

namespace duet::mysql {

// A row of information_schema.COLUMNS, as far as the type goes.
struct column_facts {
  std::string data_type;    // varchar
  std::string column_type;  // varchar(20), enum('a','b'), int(10) unsigned
  std::int64_t characters = -1, octets = -1;
  int precision = -1, scale = 0, fraction_digits = -1;
  std::string charset, collation;
  bool json_checked = false;  // MariaDB: CHECK (json_valid(column)), which is how its JSON type is made
};
column_type decode_type(const column_facts&);

// enum('a','it''s') -> a | it's. The server prints \\ \n \r \0 for four characters, whatever the session's sql_mode.
std::vector<std::string> decode_labels(std::string_view column_type);

// Base tables that match `schema.table` or `schema.*`; without "schema." those of `database`. Ordered by schema and name.
std::vector<table_schema> load_tables(connection&, const std::vector<std::string>& patterns, const std::string& database);

}  // namespace duet::mysql
