#include "support/sql_session.hpp"

#include <libpq-fe.h>
#include <mysql.h>

namespace duet::testing {
namespace {

class postgres_session : public sql_session {
 public:
  explicit postgres_session(const endpoint& e) {
    const std::string port = std::to_string(e.port ? e.port : 5432);
    const char* names[] = {"host", "port", "user", "password", "dbname", "connect_timeout", "client_encoding", "sslmode", nullptr};
    const char* values[] = {e.host.c_str(), port.c_str(), e.user.c_str(), e.password.c_str(),
                            e.database.empty() ? "postgres" : e.database.c_str(), "10", "UTF8",
                            e.tls == tls_mode::disable ? "disable" : "prefer", nullptr};
    connection_.reset(PQconnectdbParams(names, values, 0));
    if (PQstatus(connection_.get()) != CONNECTION_OK) throw sql_error("connection", PQerrorMessage(connection_.get()));
    PQsetNoticeProcessor(connection_.get(), [](void*, const char*) {}, nullptr);
  }

  sql_rows query(const std::string& sql) override {
    std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection_.get(), sql.c_str()), &PQclear);
    const auto status = PQresultStatus(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY) {
      const char* code = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
      const bool gone = PQstatus(connection_.get()) != CONNECTION_OK;
      throw sql_error(gone || !code ? "connection" : code, PQerrorMessage(connection_.get()));
    }
    sql_rows rows(static_cast<std::size_t>(PQntuples(result.get())));
    for (int r = 0; r < PQntuples(result.get()); ++r)
      for (int c = 0; c < PQnfields(result.get()); ++c)
        rows[static_cast<std::size_t>(r)].push_back(
            PQgetisnull(result.get(), r, c)
                ? std::nullopt
                : std::optional<std::string>(std::string(PQgetvalue(result.get(), r, c), static_cast<std::size_t>(PQgetlength(result.get(), r, c)))));
    return rows;
  }

 private:
  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_{nullptr, &PQfinish};
};

class mysql_session : public sql_session {
 public:
  explicit mysql_session(const endpoint& e) : connection_(mysql_init(nullptr), &mysql_close) {
    const unsigned seconds = 10;
    mysql_options(connection_.get(), MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    mysql_options(connection_.get(), MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (!mysql_real_connect(connection_.get(), e.host.c_str(), e.user.c_str(), e.password.c_str(),
                            e.database.empty() ? nullptr : e.database.c_str(), e.port ? e.port : 3306, nullptr,
                            CLIENT_MULTI_STATEMENTS))
      raise();
  }

  sql_rows query(const std::string& sql) override {
    if (mysql_real_query(connection_.get(), sql.data(), sql.size())) raise();
    sql_rows rows;
    for (;;) {
      std::unique_ptr<MYSQL_RES, decltype(&mysql_free_result)> result(mysql_store_result(connection_.get()), &mysql_free_result);
      if (result) {
        rows.clear();
        while (MYSQL_ROW row = mysql_fetch_row(result.get())) {
          const unsigned long* sizes = mysql_fetch_lengths(result.get());
          sql_row& out = rows.emplace_back();
          for (unsigned c = 0; c < mysql_num_fields(result.get()); ++c)
            out.push_back(row[c] ? std::optional<std::string>(std::string(row[c], sizes[c])) : std::nullopt);
        }
      } else if (mysql_field_count(connection_.get())) {
        raise();
      }
      const int more = mysql_next_result(connection_.get());
      if (more > 0) raise();
      if (more < 0) return rows;
    }
  }

 private:
  [[noreturn]] void raise() {
    const unsigned number = mysql_errno(connection_.get());
    throw sql_error(number >= 2000 && number < 3000 ? "connection" : std::to_string(number), mysql_error(connection_.get()));
  }
  std::unique_ptr<MYSQL, decltype(&mysql_close)> connection_;
};

}  // namespace

std::optional<std::string> sql_session::scalar(const std::string& sql) {
  const auto rows = query(sql);
  return rows.empty() || rows[0].empty() ? std::nullopt : rows[0][0];
}

std::unique_ptr<sql_session> connect(const endpoint& e) {
  if (e.scheme == "postgresql") return std::make_unique<postgres_session>(e);
  return std::make_unique<mysql_session>(e);
}

}  // namespace duet::testing
