// Text of the statements that write rows: pure functions from a run to SQL, appended to a buffer that the caller keeps.
//
// Many rows travel as one derived table `v`, joined to the target by its key:
//
//   MySQL    (VALUES ROW(..), ROW(..)) AS v(i, k0, n0, g0)
//   MariaDB  (WITH v(i, k0, n0, g0) AS (VALUES (..), (..)) SELECT * FROM v) AS v
//
//   i    the row's index in the run (find_rows only)
//   k<c> key, n<c> new value, d<c> summand (deltas), g<c> value that must still be there (guard); c = index into
//        table_pair::columns
//
// STRAIGHT_JOIN and FORCE INDEX (PRIMARY) make every row one primary key lookup, so that no row besides the wanted ones is
// ever locked. Comparisons are exact: text byte by byte (case, accents and trailing blanks count), though found by the
// index of the column's own collation; NULL equals NULL in guards.
//
// Values are quoted by doubling ' only: the session must run with NO_BACKSLASH_ESCAPES and a utf8mb4 client character set.
// What stands without quotes (numbers) is checked to be a number first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "duet/mapping.hpp"
#include "duet/target.hpp"

namespace duet::mysql {

enum class dialect : std::uint8_t { mysql, mariadb };

void append_identifier(std::string&, std::string_view name);  // `a``b`
void append_quoted(std::string&, std::string_view text);      // 'it''s'
std::string quote_identifier(std::string_view);
std::string quote_text(std::string_view);
std::string qualified_name(const table_schema&);  // `shop`.`customer`

// A value as it stands in an INSERT's VALUES or a SET. Throws row_refused for bytes that are no value of the column's type,
// and for NULL where the column has none: old servers would store something else in silence.
void append_value(std::string&, const column&, cell);
// The same with its type spelled out (DATE'..'), for places where the server does not know the column.
void append_typed_value(std::string&, const column&, cell);

// How large statements may grow. `soft` is where a statement is full, `hard` is what the server accepts in one packet.
struct statement_limits {
  std::size_t soft = 1 << 20;
  std::size_t hard = 16 << 20;
};

class sql_writer {
 public:
  explicit sql_writer(dialect speaks, statement_limits limits = {}) : speaks_(speaks), limits_(limits) {}

  // Each clears the buffer and writes one statement for rows [first, n) of the run, as many as fit, and returns n. Throws
  // row_refused when a single row is larger than the server's packet.
  std::size_t insert(std::string&, const run&, std::size_t first) const;
  std::size_t update(std::string&, const run&, std::size_t first) const;
  std::size_t remove(std::string&, const run&, std::size_t first) const;

  enum class find : std::uint8_t {
    matching,  // rows of an update or remove whose key and guard match
    existing,  // rows of an insert whose key is taken
  };
  // SELECT of the indices of such rows of [first, last), locking them. Never splits.
  void find_rows(std::string&, const run&, find, std::size_t first, std::size_t last) const;

  // SELECT of (index, columns...) of the rows with these keys, FOR UPDATE if `lock`. Never splits; the keys are asked for in the
  // order given. decode_selected() turns what comes back into the canonical form.
  void select_rows(std::string&, const table_pair&, std::span<const row_view> keys, std::span<const std::uint32_t> order,
                   bool lock = true) const;

  // The same of all rows with these values in these columns, locked; the index is 0.
  void rows_with(std::string&, const table_pair&, std::span<const std::uint16_t> columns, std::span<const std::string> values) const;

  // SELECT of all columns of at most `limit` rows in key order, locked for share (at once or not at all) if `lock`; only those after the
  // key in `behind`, unless it is null.
  void next_rows(std::string&, const table_pair&, row_view behind, std::size_t limit, bool lock) const;

  void force_update(std::string&, const table_pair&, row_view key, row_view after,
                    std::span<const std::uint16_t> columns) const;
  // One column of the row with this key, synced or not, set to an expression; to NULL only where it is not yet.
  void mark(std::string&, const table_pair&, row_view key, std::string_view column, std::string_view value) const;
  void force_remove(std::string&, const table_pair&, row_view key) const;

 private:
  struct source_columns;
  void append_names(std::string&, const source_columns&) const;
  void open_derived(std::string&, const source_columns&) const;
  void close_derived(std::string&, const source_columns&) const;
  void append_row(std::string&, const source_columns&, const run::row&, std::size_t index) const;
  std::size_t append_rows(std::string&, const source_columns&, std::span<const run::row>, std::size_t first,
                          std::size_t reserve) const;
  void append_key_match(std::string&, const table_pair&, std::uint16_t column, std::string_view right) const;
  void append_guard_match(std::string&, const table_pair&, std::uint16_t column, std::string_view right) const;
  void append_columns(std::string&, const table_pair&) const;
  void append_bytewise(std::string&, const column&) const;
  void append_on(std::string&, const table_pair&, std::span<const std::uint16_t> guard) const;
  void append_where(std::string&, const table_pair&, row_view key, std::span<const std::uint16_t> guard) const;

  dialect speaks_;
  statement_limits limits_;
};

// A column of select_rows() in the form of value.hpp.
std::string decode_selected(const column&, std::string&& printed);

}  // namespace duet::mysql
