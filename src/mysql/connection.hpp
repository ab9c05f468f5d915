// SQL connections to MySQL and MariaDB through Connector/C++, and the meaning of their errors. Private to this folder:
// nothing outside sees cppconn. The binlog has its own connection (see source).
//
// Traps of Connector/C++ 1.1 that this file keeps to itself: OPT_SSL_MODE is ignored (sslEnforce and sslCA work), results of
// prepared statements throw on JSON (text protocol only here), reconnecting by itself would lose the session (never on).
#pragma once

#include <cppconn/connection.h>
#include <cppconn/resultset.h>
#include <cppconn/statement.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "duet/config.hpp"
#include "duet/failure.hpp"
#include "mysql/sql_writer.hpp"

namespace duet::mysql {

struct server_version {
  dialect speaks = dialect::mysql;
  int major = 0, minor = 0, patch = 0;
  std::string text;  // "10.11.19", "9.7.4"
  bool at_least(int a, int b, int c = 0) const { return major != a ? major > a : minor != b ? minor > b : patch >= c; }
  std::string_view product() const { return speaks == dialect::mysql ? "MySQL" : "MariaDB"; }
};
server_version parse_version(std::string_view from_select_version);

// What an error number (and SQLSTATE, for numbers unknown to us) means for Duet.
failure_kind kind_of(int error, std::string_view sqlstate);

// Whether the number is the client library's word for a broken connection.
bool is_connection_loss(int error);

// The failure for an error. Servers quote row values in messages about data; of those only the name of the constraint, key
// or column is kept.
failure failure_of(int error, std::string_view sqlstate, std::string_view server_text, std::string_view doing);

// A result in the text protocol, fetched whole.
class result {
 public:
  explicit result(std::unique_ptr<::sql::ResultSet> rows) : rows_(std::move(rows)) {}
  bool next() { return rows_->next(); }
  std::size_t size() const { return rows_->rowsCount(); }
  bool is_null(unsigned column) const { return rows_->isNull(column); }  // columns count from 1
  std::string text(unsigned column) const { return rows_->getString(column).asStdString(); }
  std::int64_t integer(unsigned column) const { return rows_->getInt64(column); }
  std::uint64_t natural(unsigned column) const { return rows_->getUInt64(column); }

 private:
  std::unique_ptr<::sql::ResultSet> rows_;
};

// One session, used by one thread. Every error is a `failure`; after connection_lost the object is of no further use.
//
// The session speaks utf8mb4 and UTC, quotes without backslashes, is strict, keeps the id 0 and refuses zero dates, reads
// committed data, and counts matched rows as affected ones. Autocommit is on until set_autocommit.
class connection {
 public:
  // `program_name` shows up in performance_schema.session_connect_attrs. Throws cannot_connect, or configuration when the
  // login is refused; no text has a secret.
  connection(const endpoint&, std::string program_name);
  connection(const connection&) = delete;
  ~connection();

  const server_version& version() const { return version_; }
  std::uint64_t id() const { return id_; }
  std::size_t packet_bytes_max() const { return packet_bytes_max_; }  // max_allowed_packet
  bool lost() const { return lost_; }

  // From any thread: a statement that waits throws connection_lost soon, and so does every later one.
  void interrupt() noexcept;

  // Runs one statement and returns the rows matched. `doing` begins the text of a failure: "insert into shop.customer".
  std::uint64_t execute(const std::string& sql, std::string_view doing);
  result query(const std::string& sql, std::string_view doing);
  // The first column of the first row; nothing if there is no row or it is NULL.
  std::optional<std::string> query_value(const std::string& sql, std::string_view doing);

 private:
  [[noreturn]] void fail(const std::exception&, std::string_view doing);
  void find_socket(const endpoint&, const std::vector<int>& before);

  int socket_ = -1;  // a duplicate of the driver's socket: the driver does not hand out its own
  std::unique_ptr<::sql::Connection> connection_;
  std::unique_ptr<::sql::Statement> statement_;
  ::sql::SQLString text_;  // the driver's own string type; its capacity is kept from statement to statement
  server_version version_;
  std::uint64_t id_ = 0;
  std::size_t packet_bytes_max_ = 0;
  bool lost_ = false;
};

// The end of the server's binlog now. Needs REPLICATION CLIENT (MariaDB: BINLOG MONITOR). Throws configuration when the binlog
// is off.
struct binlog_end {
  std::string file;
  log_position position;
  std::string only, without;  // binlog-do-db and binlog-ignore-db: a,b,c
};
binlog_end read_binlog_end(connection&);

// The number in binlog.000007; throws damaged_log for a name without one.
std::uint64_t binlog_number(std::string_view file);

}  // namespace duet::mysql
