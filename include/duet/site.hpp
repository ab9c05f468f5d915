// One database as `check`, `setup`, `teardown`, `status` and the start-up handshake see it. Short-lived connections,
// outside the data path. Implemented by postgres::site and mysql::site.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "duet/config.hpp"
#include "duet/control.hpp"
#include "duet/mapping.hpp"
#include "duet/target.hpp"

namespace duet {

struct site_identity {
  std::string product;   // "PostgreSQL", "MySQL", "MariaDB"
  std::string version;   // "15.18", "10.11.19"
  std::string id;        // control_row::own_identity
};

struct held_summary { std::string table; std::uint64_t rows = 0; std::string last_reason; };

struct site_status {
  site_identity identity;
  std::optional<control_row> control;
  log_position log_end;                // current end of the log
  std::int64_t retained_bytes = -1;    // log kept for us; -1 unknown
  std::uint64_t conflicts = 0;         // rows in duet.conflict_log
  std::vector<held_summary> held;
  std::string detail;                  // slot state, oldest binlog
};

// What is asked of duet.conflict_log; what is empty or 0 asks for all.
struct conflict_filter {
  std::uint64_t id = 0;
  std::int64_t since_us = 0;           // decided at this time or later, by this database's clock
  std::string table;                   // home's name, with or without its schema
  std::string key;                     // the value of one of its key columns
  std::size_t limit = 50;              // the newest ones
};
struct logged_conflict : conflict_entry {
  std::uint64_t id = 0;
  std::int64_t decided_at_us = 0;
};
struct held_change : held_entry {
  std::int64_t held_at_us = 0;
};
// What following a change of a table needs to know besides the schema.
struct column_detail {
  std::string name;
  int number = 0;            // stays with the column whatever it is called (PostgreSQL's attnum); 0: the engine has none
  bool has_default = false;  // or another value that the server makes up
  bool is_constant = false;
  std::string constant;      // the default then; a text without its quotes
  std::string rest;          // MySQL: of its definition, what stands behind the type
};

// A row of duet.table_state, at home: what a link remembers of a table between two starts, as JSON (pipeline/schema_notes).
struct table_note { std::string table, text; };  // home's name; empty: about the link
struct table_key { std::string table, key; };  // home's name, and a JSON object of the key columns
struct aged_conflict : table_key {
  std::uint64_t id = 0;
  bool is_old = false;                 // older than was asked for, by this database's clock
};

// What a server's clock has said, microseconds since 1970 UTC, somewhere between two moments of ours.
struct clock_reading {
  std::int64_t us = 0;
  std::chrono::steady_clock::time_point before, after;
};

class site {
 public:
  virtual ~site() = default;

  virtual void connect() = 0;                 // throws cannot_connect, exit code 3
  virtual site_identity identity() = 0;
  // All tables that match `schema.table` or `schema.*` (empty schema: the connection's database / "public").
  // A name that matches nothing yields nothing.
  virtual std::vector<table_schema> load_tables(const std::vector<std::string>& patterns) = 0;

  virtual void check_server(findings&) = 0;                    // settings and privileges
  virtual void check_tables(const mapping&, findings&) = 0;    // replica identity, engine, triggers, key types ...
  virtual void check_set_up(findings&) = 0;                    // bookkeeping, publication, slot; warn if not there yet

  // The statements that make what is missing for this mapping, in order; each can be run again. `for_dba` adds the GRANTs.
  virtual std::vector<std::string> setup_statements(const mapping&, bool for_dba) = 0;
  virtual void create_table(const std::string& /*sql*/) {}     // one statement of translate/table_writer
  virtual std::vector<column_detail> load_column_details(const table_schema&) { return {}; }
  virtual void alter_table(const std::string& /*sql*/) {}      // one statement; waits for locks some seconds at most
  virtual void setup(const mapping&) = 0;     // runs them; idempotent; control rows are put in by init_control
  virtual log_position start_position() = 0;  // PostgreSQL: the slot's confirmed position; MySQL: the binlog's end now
  virtual bool init_control(const control_row&) = 0;           // inserts if absent; false: it was there
  virtual std::vector<std::string> teardown_statements() = 0;
  virtual void teardown() = 0;                // removes all that setup made; idempotent

  virtual std::optional<control_row> load_control() = 0;
  // Makes us the only hub of this link at this side: raises the epoch under the row's lock to at least `at_least`.
  // `force`: ends sessions of another hub first. Throws already_running otherwise. Returns the row with the new epoch.
  virtual control_row take_over(std::uint64_t at_least, bool force) = 0;
  // Sets our own row back to an earlier place (position, floor, fingerprint), under the epoch that take_over() gave.
  virtual control_row set_back(const control_row& to) { return to; }
  virtual std::vector<table_note> load_table_notes() { return {}; }  // home only
  virtual void store_table_note(const table_note&) {}                // adds or replaces; an empty text removes
  // Throws log_lost or history_changed unless the log still holds `start` and reaches at least to `known`.
  virtual void check_log(log_position start, log_position known) = 0;
  virtual site_status status() = 0;
  virtual std::vector<logged_conflict> load_conflicts(const conflict_filter&) { return {}; }  // newest first
  virtual std::vector<held_change> load_held() { return {}; }                                 // in the order they came
  virtual std::string describe(log_position) const = 0;        // 0/1A2B3C4, binlog.000007:1234

  // Upkeep of the bookkeeping. The oldest rows of duet.conflict_log behind `after_id`, by id.
  virtual std::vector<aged_conflict> load_oldest_conflicts(std::uint64_t /*after_id*/, int /*days*/, std::size_t /*limit*/) { return {}; }
  virtual void remove_conflicts(std::span<const std::uint64_t> /*ids*/) {}
  virtual std::vector<table_key> load_held_keys() { return {}; }  // may name a key more than once
  virtual void remove_held(std::uint64_t /*token*/) {}            // the spoke's part of what starts a stopped table again

  virtual std::optional<clock_reading> read_clock() { return {}; }
  // From any thread: a statement that waits throws soon, and so does every later one.
  virtual void interrupt() noexcept {}
};

}  // namespace duet
