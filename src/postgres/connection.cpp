#include "postgres/connection.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace duet::postgres {
namespace {

// jit off: its start-up cost is far above that of any statement here, and the planner's penalties (see target) would wake it.
constexpr const char* session_options =
    "-c DateStyle=ISO -c TimeZone=UTC -c extra_float_digits=1 -c bytea_output=hex -c IntervalStyle=iso_8601"
    " -c standard_conforming_strings=on -c client_min_messages=warning -c jit=off";

const char* sslmode(tls_mode mode) {
  switch (mode) {
    case tls_mode::disable: return "disable";
    case tls_mode::prefer: return "prefer";
    case tls_mode::require: return "require";
    case tls_mode::verify_ca: return "verify-ca";
    case tls_mode::verify_full: return "verify-full";
  }
  return "verify-full";
}

// Raised by sql_writer, which has no other way to fail in a statement: see printed() there.
constexpr std::string_view not_as_printed_state = "2203A";

void ignore_notice(void*, const char*) {}

std::string trimmed(const char* text) {
  std::string s = text ? text : "";
  while (!s.empty() && (s.back() == '\n' || s.back() == ' ')) s.pop_back();
  for (char& c : s)
    if (c == '\n') c = ' ';
  return s;
}

bool starts_with_any(std::string_view state, std::initializer_list<std::string_view> prefixes) {
  for (std::string_view p : prefixes)
    if (state.starts_with(p)) return true;
  return false;
}

// PostgreSQL quotes the offending value in messages of class 22 ("invalid input syntax for type integer: "x"") and after a
// colon; names of types and columns stay.
std::string without_values(std::string_view message) {
  std::string out;
  std::size_t colon = message.find(": ");
  if (colon != std::string_view::npos) message = message.substr(0, colon);
  bool quoted = false;
  for (char c : message) {
    if (c == '"') {
      if (!quoted) out += "\"...\"";
      quoted = !quoted;
    } else if (!quoted) {
      out += c;
    }
  }
  return out;
}

// A function of the user's own, of a trigger mostly, met the error. COPY has a context of its own: the line.
bool is_raised_inside_a_function(const PGresult* result) {
  const char* context = PQresultErrorField(result, PG_DIAG_CONTEXT);
  return context && *context && !std::string_view(context).starts_with("COPY ");
}

// The innermost function that a context names, in parentheses; what its statements say is left out.
std::string function_of(std::string_view context) {
  constexpr std::string_view begins = "PL/pgSQL function ";
  while (!context.starts_with(begins)) {
    const std::size_t line_end = context.find('\n');
    if (line_end == std::string_view::npos) return "";
    context.remove_prefix(line_end + 1);
  }
  return " (" + std::string(context.substr(0, std::min(context.find(" line "), context.find('\n')))) + ")";
}

std::string diagnosis(const PGresult* result, std::string_view state, bool of_a_function) {
  auto part = [&](int code) { return trimmed(PQresultErrorField(result, code)); };
  std::string text;
  if (state == not_as_printed_state && !of_a_function) {
    // JSON object does not contain key "NAME", in the server's language
    const std::string message = part(PG_DIAG_MESSAGE_PRIMARY);
    const std::size_t first = message.find('"'), last = message.rfind('"');
    text = (first < last ? "column " + message.substr(first + 1, last - first - 1) + ": " : "") + "it is not written as PostgreSQL itself writes such a value";
  } else if (state.starts_with("22")) {
    text = without_values(part(PG_DIAG_MESSAGE_PRIMARY));
  } else if (of_a_function || starts_with_any(state, {"P0", "38", "39", "09"})) {  // raised by the user's own code: its text may hold anything
    const char* context = PQresultErrorField(result, PG_DIAG_CONTEXT);
    text = "refused by a trigger or function" + function_of(context ? context : "");
  } else {
    text = part(PG_DIAG_MESSAGE_PRIMARY);
  }
  if (std::string column = part(PG_DIAG_COLUMN_NAME); !column.empty() && text.find(column) == std::string::npos)
    text += ", column " + column;
  if (std::string constraint = part(PG_DIAG_CONSTRAINT_NAME); !constraint.empty() && text.find(constraint) == std::string::npos)
    text += ", constraint " + constraint;
  return text;
}

}  // namespace

connection_handle connect(const endpoint& at, std::string_view application_name, bool replication) {
  const std::string port = at.port ? std::to_string(at.port) : "";
  const std::string name(application_name);
  const char* keys[24];
  const char* values[24];
  int n = 0;
  auto set = [&](const char* key, const char* value) {
    if (!value || !*value) return;
    keys[n] = key;
    values[n++] = value;
  };
  set("host", at.host.c_str());
  set("port", port.c_str());
  set("user", at.user.c_str());
  set("dbname", at.database.c_str());
  set("password", at.password.c_str());
  set("application_name", name.c_str());
  set("sslmode", sslmode(at.tls));
  set("sslrootcert", at.tls_ca.c_str());
  set("gssencmode", "disable");
  set("client_encoding", "UTF8");
  set("options", session_options);
  set("connect_timeout", "10");
  set("keepalives", "1");
  set("keepalives_idle", "10");
  set("keepalives_interval", "5");
  set("keepalives_count", "3");
  set("tcp_user_timeout", "30000");
  if (replication) set("replication", "database");
  keys[n] = values[n] = nullptr;

  connection_handle connection(PQconnectdbParams(keys, values, 0));
  if (!connection || PQstatus(connection.get()) != CONNECTION_OK) {
    std::string said = connection ? trimmed(PQerrorMessage(connection.get())) : "out of memory";
    throw failure(failure_kind::cannot_connect, "connecting to " + at.describe() + ": " + said);
  }
  PQsetNoticeProcessor(connection.get(), ignore_notice, nullptr);
  return connection;
}

failure_kind kind_of(std::string_view state) {
  using enum failure_kind;
  if (state.empty()) return connection_lost;
  // 53: no memory, disk or connections left; 58: the server's system calls fail. Both may pass: back off and try again.
  if (starts_with_any(state, {"08", "57P", "53", "58", "25P03"})) return connection_lost;
  // 57014: a statement timeout or a cancel; the connection is good, the transaction is not.
  if (starts_with_any(state, {"40", "55P03", "57014"})) return deadlock;
  if (starts_with_any(state, {"22", "23", "27", "38", "39", "44", "54", "P0", "09", "42804", "42846", "428C9"})) return row_refused;
  if (state == "42501" || state == "25006" || state.starts_with("28") || state == "55000") return configuration;
  if (state == "55006") return already_running;
  if (starts_with_any(state, {"42", "3F", "3D", "0A", "26"})) return schema_changed;
  return internal;
}

failure failure_of(const PGconn* connection, const PGresult* result, std::string_view doing) {
  const char* field = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : nullptr;
  const std::string state = field ? field : "";
  const bool broken = PQstatus(connection) != CONNECTION_OK;
  failure_kind kind = kind_of(state);
  // What a trigger can't do is about the row, not about the tables that are synced or the hub's own privileges.
  const bool of_a_function = (kind == failure_kind::schema_changed || kind == failure_kind::configuration || kind == failure_kind::internal) &&
                             !state.empty() && !state.starts_with("XX") && is_raised_inside_a_function(result);
  if (of_a_function) kind = failure_kind::row_refused;
  std::string text(doing);
  text += ": ";
  text += state.empty() ? trimmed(PQerrorMessage(connection)) : diagnosis(result, state, of_a_function);
  if (broken) kind = failure_kind::connection_lost;
  else if (state.empty()) kind = failure_kind::internal;  // libpq itself refuses, on a good connection
  return failure(kind, std::move(text), state);
}

void demand(const PGconn* connection, const PGresult* result, std::string_view doing) {
  switch (result ? PQresultStatus(result) : PGRES_FATAL_ERROR) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
      return;
    default:
      throw failure_of(connection, result, doing);
  }
}

result_handle exec(PGconn* connection, const char* sql, std::string_view doing) {
  result_handle result(PQexec(connection, sql));
  demand(connection, result.get(), doing);
  return result;
}

result_handle exec(PGconn* connection, const char* sql, std::span<const char* const> parameters, std::string_view doing) {
  result_handle result(PQexecParams(connection, sql, static_cast<int>(parameters.size()), nullptr, parameters.data(), nullptr,
                                    nullptr, 0));
  demand(connection, result.get(), doing);
  return result;
}

std::string quote_identifier(std::string_view name) {
  std::string out = "\"";
  for (char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out += '"';
}

std::string quote_literal(std::string_view text) {
  std::string out = text.find('\\') == std::string_view::npos ? "'" : "E'";
  for (char c : text) {
    if (c == '\'' || c == '\\') out += c;
    out += c;
  }
  return out += '\'';
}

std::string qualified_name(std::string_view schema, std::string_view table) {
  return quote_identifier(schema) + '.' + quote_identifier(table);
}

std::string format_lsn(std::uint64_t lsn) {
  char text[24];
  int n = std::snprintf(text, sizeof text, "%X/%X", static_cast<unsigned>(lsn >> 32), static_cast<unsigned>(lsn));
  return {text, static_cast<std::size_t>(n)};
}

std::uint64_t parse_lsn(std::string_view text) {
  const std::size_t slash = text.find('/');
  std::uint32_t high = 0, low = 0;
  auto whole = [](std::string_view digits, std::uint32_t& into) {
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), into, 16);
    return error == std::errc{} && end == digits.data() + digits.size() && !digits.empty();
  };
  if (slash == std::string_view::npos || !whole(text.substr(0, slash), high) || !whole(text.substr(slash + 1), low))
    throw failure(failure_kind::internal, "not an LSN: '" + std::string(text) + "'");
  return std::uint64_t{high} << 32 | low;
}

}  // namespace duet::postgres
