// A target writes to one database. All of a target transaction's rows, its bookkeeping and its control row commit together.
// Used by one thread (the lane's applier). Values are in the target's canonical form (the translator ran before).
//
// Errors: failure of kind deadlock or row_refused: the caller rolls back (to the savepoint or wholly) and tries again;
// connection_lost: the object must be reopened; if in_doubt, the control row tells whether the commit happened.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "duet/change.hpp"
#include "duet/control.hpp"
#include "duet/mapping.hpp"

namespace duet {

using row_view = const cell*;  // table_pair::columns.size() cells

// Rows of one table that one statement can write: one operation, one set of columns. No two rows of a run touch the same
// key or the same unique value.
struct run {
  const table_pair* table = nullptr;
  operation op = operation::insert;      // insert, update or remove
  std::vector<std::uint16_t> columns;    // insert, update: the columns to write, indices into table->columns
  std::vector<std::uint16_t> deltas;     // update: columns to be changed by row::added, whatever they are; not in `columns`
  std::vector<std::uint16_t> guard;      // update, remove: non-key columns of `before` that must be as they are there
  struct row {
    row_view before;                     // update, remove: its key cells say which row
    row_view after;                      // insert, update
    row_view added = nullptr;            // update with deltas: by how much, in the columns of `deltas`
  };
  std::vector<row> rows;
};

enum class insert_mode : std::uint8_t {
  trusting,  // fastest; a key that exists already is failure row_refused
  checked,   // rows whose primary key exists are not written and reported as unmatched
};

struct owned_row {                        // the slow path's row; absent columns do not occur
  bool found = false;
  std::vector<std::optional<std::string>> values;  // nullopt: NULL
};

// A row of duet.conflict_log.
struct conflict_entry {
  std::string table;                      // home's name, schema.table
  std::string key;                        // JSON object of the key columns, home's names
  std::string type;                       // insert_exists, update_origin_differs, update_missing, update_deleted, delete_origin_differs, delete_missing, parent_missing
  std::string home_row, spoke_row;        // JSON objects, or empty: no row
  std::string base_row;                   // what the change was made on, if the log tells; the same
  std::string result_row;                 // what stands now; the same
  log_position home_position, spoke_position;  // of the writes that met; 0 if unknown
  std::int64_t home_time_us = 0, spoke_time_us = 0;
  std::string rule;                       // latest, home, spoke, ..., drift
  std::string winner;                     // home, spoke, both: some columns of each, script: values of its own
  std::string result;                     // what was done, in words: "kept home's row, refresh sent", "written by force"
  std::string decided_by = "rule";        // or the person's name
  std::optional<std::int64_t> clock_offset_us;  // the spoke's clock minus home's, as measured last
};

// held_entry::server_code of the entry that stops a table because too many of its keys are held. Its operation is truncate, as
// of the one that a TRUNCATE leaves: both stand for the whole table.
inline constexpr const char* held_limit_code = "held_limit";

struct held_entry {                       // a row of duet.held
  std::uint64_t id = 0;                   // given by the table
  std::string table, key;                 // as above
  std::uint64_t token = 0;                // change_record::token of the key it waits for
  operation op = operation::insert;
  std::string reason;                     // without values
  std::string server_code;
  std::string before_row, after_row;      // JSON, source's canonical values
  log_position source_position;
  std::int64_t source_time_us = 0;
};

// How far the first copy of a table has come: a row of duet.copy, at the side that is filled.
struct table_copy {
  std::string table;       // home's name
  std::string cursor;      // row_reader's; empty: nothing has been copied
  std::uint64_t rows = 0;  // so far
  bool done = false;
};

class target {
 public:
  virtual ~target() = default;

  virtual void open() = 0;   // connects; again after connection_lost
  virtual void close() noexcept = 0;
  virtual void interrupt() noexcept {}  // from any thread: a statement that waits returns or throws soon

  // Starts the transaction and moves the control row from `expected` (compared: epoch, position, counter) to `next`
  // under its lock. Throws fenced when there is another epoch, history_changed when the rest differs.
  virtual void begin(const control_row& expected, const control_row& next, std::int64_t source_commit_time_us) = 0;

  // Writes a run. Appends to `unmatched` the indices of rows that were not written because the row is not as the guard
  // says (update, remove: different or absent; insert checked: the key exists). Several rows may be unmatched.
  virtual void apply(const run&, insert_mode, std::vector<std::uint32_t>& unmatched) = 0;
  virtual void truncate(std::span<const table_pair* const> tables) = 0;

  // Slow path, row by row. Keys are the key cells of each row_view, in the target's form.
  virtual std::vector<owned_row> lock_rows(const table_pair&, std::span<const row_view> keys) = 0;  // SELECT ... FOR UPDATE, in key order
  // The rows that have these values, none of them NULL, in these columns.
  virtual std::vector<owned_row> lock_rows_with(const table_pair&, std::span<const std::uint16_t> columns, std::span<const std::string> values) = 0;
  // The rows without locks: as they are committed now, and as this transaction has made them.
  virtual std::vector<owned_row> read_rows(const table_pair&, std::span<const row_view> keys) = 0;
  // Writes whatever is there: update and remove by key without guard, insert plainly. False: no row with that key.
  virtual bool force(const table_pair&, operation, row_view before, row_view after, std::span<const std::uint16_t> columns) = 0;

  // Sets a date-time column, which need not be synced, of the row with this key, if it is there: to the time, or (nothing)
  // to NULL if it is not yet. Time 0: the server's.
  virtual void mark(const table_pair&, row_view key, const std::string& column, std::optional<std::int64_t> time_us) = 0;

  // A point of the target's own log such that a reader that has read up to it has seen every transaction that committed,
  // or released its row locks, before this call. Home: made by a small flushed write on a second connection.
  virtual log_position catch_up_point() = 0;

  // Home only: puts a refresh of this key into the log, in this transaction. `row` null: the row is gone.
  virtual void emit_refresh(const table_pair&, row_view key, const owned_row* row, const decision_tag&) = 0;
  virtual void log_conflict(const conflict_entry&) = 0;
  virtual void hold(const held_entry&) = 0;
  virtual void release_held(std::uint64_t token) = 0;  // a person has decided: removes the key's rows of duet.held here

  // First copies. Loading and starting are outside a transaction; started, a copy has a row, and `start_copy` says false and
  // does nothing if the table that is to be filled has rows and is not merged. Storing commits with the rows; at the end of a table its
  // counters for new keys are set above the largest.
  virtual std::vector<table_copy> load_copies() { return {}; }
  virtual bool start_copy(const table_pair&) { return false; }
  virtual void store_copy(const table_pair&, const table_copy&) {}

  virtual void savepoint() = 0;            // one level, replaces the previous one
  virtual void rollback_to_savepoint() = 0;

  // `final` replaces what begin() was given if they differ (a streamed transaction learns its position at its end).
  virtual void commit(const control_row& final) = 0;
  virtual void rollback() noexcept = 0;

  // The control row as committed, read under its lock (waits for a zombie's outcome). For start-up and doubtful commits.
  virtual control_row load_control() = 0;
  virtual std::vector<std::pair<std::string, std::uint64_t>> load_held_tokens() = 0;  // table (home's name), token
};

// A target as a person's decision uses it, beside a hub that may be running (cli/resolve).
class target_by_hand : public target {
 public:
  struct moved {
    control_row control;                   // as it stands in this transaction
    std::int64_t time_us = 0;              // home's clock now
  };
  // Home only: starts a transaction of ours without knowing the control row before. Locks it and raises its counter by 1, so
  // that the transaction's rows count as echoes; a running hub finds it moved, and starts anew from what the databases say
  // (failure decided_by_hand). Waits for the transaction that the hub has under way.
  virtual moved begin_locked() = 0;
};

}  // namespace duet
