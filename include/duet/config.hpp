// The configuration file as data, and the findings of every check.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "duet/mapping.hpp"

namespace duet {

struct config_mark { int line = 0; };  // 1-based line in the file; 0: not from the file

enum class tls_mode : std::uint8_t { disable, prefer, require, verify_ca, verify_full };

struct endpoint {
  std::string scheme;               // postgresql | mysql
  std::string host;                 // or an absolute folder: the Unix socket's (PostgreSQL), or the socket file (MySQL)
  std::uint16_t port = 0;           // 0: the engine's default
  std::string user, database;
  std::string password;             // resolved; never printed
  tls_mode tls = tls_mode::prefer;
  std::string tls_ca;
  bool flawed = false;              // a part of it was refused: it is not to be connected to
  config_mark at;
  std::string describe() const;     // user@host:port/database, without the password
};

// A Lua file that decides conflicts.
struct conflict_script {
  std::string file;                 // as written
  std::string text;
  config_mark at;
};

// As written in the file; bound to columns by translate::bind.
struct conflict_rules {
  conflict_rule rule = conflict_rule::none;  // none: the link's default
  std::uint16_t script = 0;                  // of rule script: index into config::scripts
  std::string latest_by;                     // home's column name; empty: the commit time
  bool merge_columns = true;
  bool whole_transactions = false;           // scope: transaction
  std::vector<std::vector<std::string>> groups;                      // home's column names
  std::vector<std::pair<std::string, conflict_rule>> columns;        // home's column name
  std::vector<std::pair<std::string, side>> own;                     // home's column name, its owner
  std::vector<std::pair<std::string, std::uint16_t>> column_scripts; // of those with rule script: index into config::scripts
  delete_rule update_vs_delete = delete_rule::by_rule;
  config_mark at, latest_by_at, groups_at, columns_at, own_at, scope_at;
};

// What a delete of one side does on the other one, as written.
struct delete_flow {
  delete_action does = delete_action::propagate;
  std::string archived_at;          // archive: a column of the other side's table
  config_mark at;
};

struct table_rule {
  std::string home, spoke;          // as written: schema.table or schema.*; spoke may be empty (same name)
  std::vector<std::pair<std::string, std::string>> columns;  // home, spoke
  std::vector<std::string> exclude; // home's column names (or spoke's, for columns that only the spoke has)
  flow direction = flow::both;
  conflict_rules conflict;
  delete_flow deletes[2];           // by the side that deletes
  initial_rows initial = initial_rows::none;
  merge_truth truth = merge_truth::home;
  std::string latest_by;            // truth latest: home's column name
  std::optional<std::uint64_t> held_limit;
  schema_rule on_schema_change = schema_rule::pause;
  // What was refused of it: what hangs on that is not looked at.
  bool flawed = false;              // any part
  bool spoke_flawed = false, columns_flawed = false, direction_flawed = false;  // the spoke's name; columns or exclude; direction
  config_mark at;
  config_mark columns_at, exclude_at, truth_at;
};

struct tuning {
  std::size_t ring_bytes_max = 16u << 20;     // per lane: change blocks in memory
  std::size_t block_bytes = 256u << 10;
  std::size_t spill_bytes_max = 4ull << 30;   // per lane: blocks on disk while the reader must run ahead
  std::string spill_dir;                      // default: $TMPDIR or /tmp
  std::size_t batch_rows_max = 2000;          // rows per target transaction, unless one source transaction has more
  std::size_t index_bytes_max = 64u << 20;    // per lane: un-acknowledged writes in memory; what is beyond is in a file of spill_dir
  int heartbeat_s = 10;
};

struct config {
  std::string file;
  std::string link;
  endpoint home, spoke;
  std::string status_host = "127.0.0.1";
  std::uint16_t status_port = 0;              // 0: no status page
  conflict_rule default_conflict_rule = conflict_rule::none;  // conflicts.default
  bool conflicts_flawed = false;              // a part of conflicts was refused, as with table_rule
  int conflict_log_retention_days = 90;       // conflicts.log_retention_days; 0: kept for ever
  std::vector<conflict_script> scripts;       // one for each place that names a file
  std::int64_t clock_offset_limit_ms = 1000;  // conflicts.clock_offset_limit
  std::uint64_t held_limit = 10000;           // conflicts.held_limit: of each table that has none of its own; 0: no limit
  std::vector<table_rule> tables;
  tuning tune;
};

// One line of what `check` (and the config reader) says.
struct finding {
  enum class level : std::uint8_t { ok, warn, refuse };
  level is = level::ok;
  std::string code;     // stable, snake_case: wal_level, binlog_row_image, unknown_key
  std::string text;     // what is, and why it matters
  std::string remedy;   // the SQL, setting or edit that mends it
  std::string where;    // "duet.yaml:12", "home", "spoke", "public.customer"
  std::string table;    // home's name, if it is about how the sides of one table fit
};
using findings = std::vector<finding>;
bool refused(const findings&);

}  // namespace duet
