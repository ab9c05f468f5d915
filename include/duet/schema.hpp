// What a catalog says of a table. Loaded once at start by each side; plain data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "duet/value.hpp"

namespace duet {

enum class side : std::uint8_t { home, spoke };  // home = PostgreSQL, decides conflicts; spoke = MySQL or MariaDB
inline side other(side s) { return s == side::home ? side::spoke : side::home; }
std::string_view name(side);

struct column_type {
  value_kind kind = value_kind::other;
  std::string native;             // as the server prints it, in full: "numeric(12,2)", "int(10) unsigned", "timestamp(3) without time zone"
  std::string name;               // printed, other: the type without its parameters (interval, inet6; "composite type"); bytes: geometry, vector
  value_kind element = value_kind::other;  // array: integer, boolean, real (of `bits`), text; printed for all else
  int bits = 0;                   // integer: 8, 16, 24, 32, 64 (YEAR: 16); real: 32 or 64; bits: n
  bool is_unsigned = false;       // integer, decimal, real on MySQL
  int precision = -1;             // decimal: total digits (-1: without limit); date/time kinds: fraction digits 0-6
  int scale = 0;                  // decimal: fraction digits (-1: without limit)
  std::int64_t length = -1;       // text: characters, bytes: bytes; -1: without a declared limit
  bool fixed = false;             // CHAR(n), BINARY(n)
  std::vector<std::string> labels;  // enumeration, set: in order of definition
  std::string charset;            // MySQL text kinds: character set of the column (its bytes in the binlog are in it)
  std::string collation;          // text kinds
  bool case_insensitive = false;  // equality of the collation ignores case, accents or trailing blanks
};

struct column {
  std::string name;
  int ordinal = 0;  // 0-based position in the table (MySQL: as in the binlog's row image; PostgreSQL: order of attnum, dropped ones not counted)
  column_type type;
  bool nullable = true;
  bool generated = false;  // a generated column: never read, compared or written
  bool on_update = false;  // MySQL: ON UPDATE CURRENT_TIMESTAMP: an UPDATE that does not name the column changes it
  bool identity_always = false;  // PostgreSQL GENERATED ALWAYS AS IDENTITY: inserts need OVERRIDING SYSTEM VALUE
};

struct unique_index {
  std::string name;
  std::vector<int> columns;  // indices into table_schema::columns; an index over expressions or a predicate has none
};

struct foreign_key {
  std::string name;
  std::vector<int> columns;
  std::string parent_schema, parent_table;
  std::string on_delete, on_update;  // "CASCADE", "SET NULL", "RESTRICT", "NO ACTION", "SET DEFAULT"
  std::vector<std::string> parent_columns;
};

struct table_schema {
  std::string schema;  // PostgreSQL schema or MySQL database
  std::string name;
  std::vector<column> columns;
  std::vector<int> primary_key;  // indices into columns, in key order; empty: none
  std::vector<unique_index> unique_indexes;  // without the primary key
  std::vector<foreign_key> foreign_keys;
  std::vector<std::string> triggers;  // names of enabled triggers, for `check`
  char replica_identity = 'd';        // PostgreSQL: d, n, f, i; MySQL: 'f'
  std::string engine;                 // MySQL: InnoDB, ...; PostgreSQL: relkind 'r' table, 'p' partitioned, 'u' unlogged
};

}  // namespace duet
