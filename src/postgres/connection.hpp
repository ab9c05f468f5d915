// Connections to PostgreSQL and their errors. Private to this folder: nothing outside sees libpq.
#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "duet/config.hpp"
#include "duet/failure.hpp"
#include "duet/position.hpp"

namespace duet::postgres {

struct close_connection {
  void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
};
using connection_handle = std::unique_ptr<PGconn, close_connection>;

struct clear_result {
  void operator()(PGresult* result) const noexcept { PQclear(result); }
};
using result_handle = std::unique_ptr<PGresult, clear_result>;

// Connects, with a session in which every value prints in one form: ISO dates, UTC, shortest floats, hex bytea, UTF-8.
// `replication` opens a walsender on the endpoint's database. Throws cannot_connect; its text has no secret.
connection_handle connect(const endpoint&, std::string_view application_name, bool replication = false);

// What an SQLSTATE means for Duet; empty: the connection itself broke.
failure_kind kind_of(std::string_view sqlstate);

// The failure that `result` (may be null) or the state of the connection speaks of. Its text says what was `doing` and
// what the server said, without the values that PostgreSQL quotes in messages about data.
failure failure_of(const PGconn*, const PGresult*, std::string_view doing);

// Run one statement and demand PGRES_COMMAND_OK, PGRES_TUPLES_OK or the start of a COPY. Parameters are text; null = NULL.
result_handle exec(PGconn*, const char* sql, std::string_view doing);
result_handle exec(PGconn*, const char* sql, std::span<const char* const> parameters, std::string_view doing);

// Throws failure_of() unless the result is one of the good ones above.
void demand(const PGconn*, const PGresult*, std::string_view doing);

inline std::string_view field(const PGresult* result, int row, int column) {
  return {PQgetvalue(result, row, column), static_cast<std::size_t>(PQgetlength(result, row, column))};
}

std::string quote_identifier(std::string_view);  // "a""b"
std::string quote_literal(std::string_view);     // 'it''s', or E'..' with a backslash
std::string qualified_name(std::string_view schema, std::string_view table);

std::string format_lsn(std::uint64_t);  // 16/B374D848
inline std::string format_lsn(log_position position) { return format_lsn(position.value); }
std::uint64_t parse_lsn(std::string_view);  // throws failure internal

}  // namespace duet::postgres
