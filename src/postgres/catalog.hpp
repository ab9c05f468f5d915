// What PostgreSQL's catalogs say of tables.
#pragma once

#include <string>
#include <optional>
#include <string_view>
#include <vector>

#include "duet/schema.hpp"
#include "postgres/connection.hpp"

namespace duet::postgres {

// A type as pg_type and pg_attribute have it; of a domain: its base type.
struct catalog_type {
  std::string native;          // format_type(), qualified unless it is in pg_catalog
  std::string name;            // pg_type.typname
  bool built_in = false;       // in schema pg_catalog
  char form = 'b';             // typtype: b base, c composite, e enum, r range, m multirange
  std::string extension;       // that it belongs to, or empty
  std::string element;         // of an array: typname of its elements
  bool element_built_in = false;
  int modifier = -1;           // atttypmod
  std::vector<std::string> labels;
  std::string collation;
  bool deterministic = true;
};

column_type describe_type(const catalog_type&);  // pure

// Tables that match `schema.table` or `schema.*`; without a schema: public. Sorted by name. The connection's search_path
// must be pg_catalog alone, so that type names come out qualified.
std::vector<table_schema> load_tables(PGconn*, const std::vector<std::string>& patterns);

// PostgreSQL's array literal of names or numbers: {"a","b"}
std::string array_literal(const std::vector<std::string>&);
std::vector<std::string> parse_array_literal(std::string_view);  // one dimension, no NULLs

// The constant that a default is, as the server prints it ('it''s'::text, 5, true); none: it is no constant. Of NULL: none.
std::optional<std::string> constant_of(std::string_view expression);

}  // namespace duet::postgres
