#include "postgres/row_reader.hpp"

#include <sys/socket.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "duet/failure.hpp"
#include "postgres/refresh_message.hpp"
#include "postgres/sql_writer.hpp"
#include "postgres/value_codec.hpp"

namespace duet::postgres {

// The order of the key's index is the only one that a reader of chunks can afford.
connection_handle row_reader::connect_as(const char* what) const {
  connection_handle c = connect(at_, session_name_ + ":" + what);
  exec(c.get(),
       "SET synchronous_commit = on; SET statement_timeout = '60s'; SET default_transaction_isolation = 'read committed';"
       "SET default_transaction_read_only = off; SET row_security = off; SET idle_in_transaction_session_timeout = '60s';"
       "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off",
       "preparing a session at home");
  return c;
}

void row_reader::open() {
  connection_handle rows = connect_as("copy"), log = connect_as("copy-log");
  const std::lock_guard guard(mutex_);
  rows_ = std::move(rows);
  log_ = std::move(log);
}

// The cursor is a JSON array of the key's values as PostgreSQL prints them.
next_rows row_reader::read_rows(const table_pair& table, const std::string& cursor, std::size_t limit, bool lock) {
  const std::string doing = "reading rows of " + table.home.schema + "." + table.home.name;
  std::vector<std::string> from;
  if (!cursor.empty()) from = nlohmann::json::parse(cursor).get<std::vector<std::string>>();
  std::vector<const char*> parameters;
  for (const std::string& value : from) parameters.push_back(value.c_str());

  if (lock) exec(rows_.get(), "BEGIN", doing);
  next_rows out;
  const result_handle answer(PQexecParams(rows_.get(), next_rows_statement(table, !cursor.empty(), limit, lock).c_str(),
                                          static_cast<int>(parameters.size()), nullptr, parameters.data(), nullptr, nullptr, 0));
  try {
    demand(rows_.get(), answer.get(), doing);
  } catch (const failure& f) {
    if (lock) release();
    if (f.server_code != "55P03") throw;
    out.busy = true;
    return out;
  }
  const int n = PQntuples(answer.get());
  out.rows.resize(static_cast<std::size_t>(n));
  out.last = out.rows.size() < limit;
  for (int i = 0; i < n; ++i) {
    owned_row& row = out.rows[static_cast<std::size_t>(i)];
    row.found = true;
    row.values.resize(table.columns.size());
    for (std::size_t j = 0; j < table.columns.size(); ++j)
      if (const int column = static_cast<int>(j); !PQgetisnull(answer.get(), i, column))
        decode_text(table.columns[j].home.type, field(answer.get(), i, column), row.values[j].emplace());
  }
  if (n > 0) {
    nlohmann::json last = nlohmann::json::array();
    for (const std::uint16_t k : table.key) last.push_back(std::string(field(answer.get(), n - 1, k)));
    out.cursor = last.dump();
  }
  return out;
}

// See target::catch_up_point(): the message is flushed with all that has committed before it.
log_position row_reader::log_end() {
  const std::string sql = "SELECT pg_catalog.pg_logical_emit_message(true, " + quote_literal(sync_prefix(link_)) + ", ''::text)";
  const result_handle answer = exec(log_.get(), sql.c_str(), "marking the end of the log at home");
  return {parse_lsn(field(answer.get(), 0, 0))};
}

void row_reader::release() noexcept { result_handle(PQexec(rows_.get(), "ROLLBACK")); }

std::uint64_t row_reader::estimate_rows(const table_pair& table) {
  const std::string name = qualified_name(table.home.schema, table.home.name);
  const char* parameters[] = {name.c_str()};
  const result_handle answer = exec(rows_.get(), "SELECT greatest(reltuples, 0)::bigint FROM pg_catalog.pg_class WHERE oid = $1::pg_catalog.regclass",
                                    parameters, "reading statistics at home");
  std::uint64_t rows = 0;
  if (PQntuples(answer.get()) == 1) {
    const std::string_view digits = field(answer.get(), 0, 0);
    std::from_chars(digits.data(), digits.data() + digits.size(), rows);
  }
  return rows;
}

void row_reader::interrupt() noexcept {
  const std::lock_guard guard(mutex_);
  for (const connection_handle* c : {&rows_, &log_})
    if (*c) shutdown(PQsocket(c->get()), SHUT_RDWR);
}

}  // namespace duet::postgres
