#include "mysql/connection.hpp"

#include <arpa/inet.h>
#include <cppconn/driver.h>
#include <cppconn/exception.h>
#include <dirent.h>
#include <mysql_driver.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <mutex>

#include "mysql/login_guard.hpp"

namespace duet::mysql {
namespace {

constexpr int connect_timeout_s = 5;
constexpr int read_timeout_s = 300;  // longer than any statement of ours takes; a peer that is gone without a word is found out
constexpr int write_timeout_s = 60;

constexpr const char* session_sql[] = {
    "SET NAMES utf8mb4 COLLATE utf8mb4_bin",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET SESSION sql_mode='STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO,NO_ZERO_DATE,"
    "NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO',time_zone='+00:00',foreign_key_checks=1,unique_checks=1,"
    "innodb_lock_wait_timeout=10,lock_wait_timeout=60,wait_timeout=31536000,net_read_timeout=120,net_write_timeout=120",
};

std::string_view after_last(std::string_view text, std::string_view mark) {
  const auto at = text.rfind(mark);
  return at == std::string_view::npos ? std::string_view() : text.substr(at + mark.size());
}

// The name at the start of `text`, quoted by ' or `; empty if there is none.
std::string_view quoted_name(std::string_view text) {
  if (text.empty() || (text.front() != '\'' && text.front() != '`')) return {};
  const auto end = text.find(text.front(), 1);
  return end == std::string_view::npos ? std::string_view() : text.substr(1, end - 1);
}

// Where in the schema an error about a row lies, taken from behind the values that the server quotes.
std::string place_of(int error, std::string_view text) {
  const auto named = [](std::string_view what, std::string_view name) {
    return name.empty() ? std::string() : std::string(what) + ' ' + std::string(name);
  };
  switch (error) {
    case 1022:
    case 1062:
    case 1586:
      return named("duplicate value in key", quoted_name(after_last(text, " for key ")));
    case 1216:
    case 1217:
    case 1451:
    case 1452: {
      const auto at = text.find("CONSTRAINT `");
      return named(error == 1451 || error == 1217 ? "other rows refer to it by foreign key" : "no parent row for foreign key",
                   at == std::string_view::npos ? std::string_view() : quoted_name(text.substr(at + 11)));
    }
    case 3819:
      return named("violates check constraint", quoted_name(after_last(text, "Check constraint ")));
    case 4025: {
      const auto at = text.find("CONSTRAINT `");
      return named("violates check constraint", at == 0 ? quoted_name(text.substr(11)) : std::string_view());
    }
    case 1048:
    case 1364: {
      const auto at = text.find('\'');
      return named("no value for column", at == std::string_view::npos ? std::string_view() : quoted_name(text.substr(at)));
    }
    case 1264:
      return named("out of range: column", quoted_name(after_last(text, " for column ")));
    case 1406:
      return named("too long: column", quoted_name(after_last(text, " for column ")));
    case 1265:
      return named("not a value of column", quoted_name(after_last(text, " for column ")));
    case 1292:
    case 1366:
    case 1367:
    case 1411: {
      std::string_view at = after_last(text, " for column ");
      if (const auto dot = at.rfind("`.`"); dot != std::string_view::npos)
        at.remove_prefix(dot + 2);  // MariaDB: `db`.`table`.`column`
      return named("not a value of column", quoted_name(at));
    }
    case 1153:
      return "larger than max_allowed_packet";
    case 1416:
      return "no geometry, or not of the column's kind";
    case 1644:
      return "a trigger refused it";
    default:
      return {};
  }
}

sql::ConnectOptionsMap options_of(const endpoint& at, const std::string& program_name, bool tls) {
  ::sql::ConnectOptionsMap options;
  if (!at.host.empty() && at.host.front() == '/') {
    options["hostName"] = ::sql::SQLString("localhost");
    options["socket"] = ::sql::SQLString(at.host);
  } else {
    std::string host = at.host.empty() ? "127.0.0.1" : at.host;
    if (host.find(':') != std::string::npos && host.front() != '[') host = '[' + host + ']';
    options["hostName"] = ::sql::SQLString("tcp://" + host + ':' + std::to_string(at.port ? at.port : 3306));
  }
  options["userName"] = ::sql::SQLString(at.user);
  options["password"] = ::sql::SQLString(at.password);
  if (!at.database.empty()) options["schema"] = ::sql::SQLString(at.database);
  options["OPT_CHARSET_NAME"] = ::sql::SQLString("utf8mb4");
  options["OPT_CONNECT_TIMEOUT"] = connect_timeout_s;
  options["OPT_READ_TIMEOUT"] = read_timeout_s;
  options["OPT_WRITE_TIMEOUT"] = write_timeout_s;
  options["OPT_RECONNECT"] = false;
  options["OPT_LOCAL_INFILE"] = 0;
  options["CLIENT_FOUND_ROWS"] = true;
  std::map<::sql::SQLString, ::sql::SQLString> attributes;
  attributes["program_name"] = program_name;
  options["OPT_CONNECT_ATTR_ADD"] = attributes;
  options["readDefaultFile"] = ::sql::SQLString(login_guard_file(tls && at.tls != tls_mode::prefer));
  if (tls) {
    options["sslEnforce"] = true;
    if (!at.tls_ca.empty()) options["sslCA"] = ::sql::SQLString(at.tls_ca);
    if (at.tls == tls_mode::verify_full) options["sslVerify"] = true;
  }
  return options;
}

sql::Driver* driver() {
  static std::mutex lock;  // the driver's own start is not safe among threads
  const std::lock_guard guard(lock);
  return ::sql::mysql::get_driver_instance();
}

// The client library keeps state per thread.
void enter_thread() {
  struct membership {
    membership() { driver()->threadInit(); }
    ~membership() { driver()->threadEnd(); }
  };
  thread_local const membership member;
}

std::vector<int> open_sockets() {
  std::vector<int> out;
  struct close_folder {
    void operator()(DIR* d) const noexcept { closedir(d); }
  };
  const std::unique_ptr<DIR, close_folder> folder(opendir("/proc/self/fd"));
  if (!folder) return out;
  while (const dirent* entry = readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    int fd = -1, type = 0;
    socklen_t size = sizeof type;
    if (std::from_chars(name.data(), name.data() + name.size(), fd).ec != std::errc{}) continue;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM) out.push_back(fd);
  }
  return out;
}

// The port of one end of a TCP socket; 0: it is none, or not connected.
int port_of(int fd, int (*name)(int, sockaddr*, socklen_t*)) {
  sockaddr_storage a{};
  socklen_t size = sizeof a;
  if (name(fd, reinterpret_cast<sockaddr*>(&a), &size) != 0) return 0;
  if (a.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(a).sin_port);
  if (a.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(a).sin6_port);
  return 0;
}

}  // namespace

server_version parse_version(std::string_view text) {
  server_version v;
  v.speaks = text.find("MariaDB") != std::string_view::npos ? dialect::mariadb : dialect::mysql;
  const auto end = text.find_first_not_of("0123456789.");
  v.text = std::string(text.substr(0, end));
  int* parts[] = {&v.major, &v.minor, &v.patch};
  const char* p = v.text.data();
  const char* last = p + v.text.size();
  for (int* part : parts) {
    const auto read = std::from_chars(p, last, *part);
    if (read.ec != std::errc{}) break;
    p = read.ptr;
    if (p == last || *p != '.') break;
    ++p;
  }
  return v;
}

bool is_connection_loss(int error) {
  switch (error) {
    case 1053:  // server shutdown in progress
    case 1077:
    case 1079:
    case 1080:
    case 1152:  // aborted connection
    case 1159:
    case 1160:
    case 1161:
    case 1158:  // network read or write errors
    case 1184:
    case 1927:  // MariaDB: connection was killed
    case 2006:  // gone away
    case 2013:  // lost during query
    case 2014:  // commands out of sync: whatever happened, this session is of no use
    case 2027:  // malformed packet
    case 2055:
    case 3169:  // MySQL: session was killed
    case 4031:  // MySQL: disconnected because of inactivity
      return true;
    default:
      return false;
  }
}

failure_kind kind_of(int error, std::string_view sqlstate) {
  if (is_connection_loss(error)) return failure_kind::connection_lost;
  switch (error) {
    case 1205:  // lock wait timeout: the server has rolled back the statement only, the caller must roll back the rest
    case 1213:
    case 1317:  // the query was interrupted
    case 1412:  // the table's definition has changed since the transaction began
    case 1613:
    case 1614:
    case 1969:  // MariaDB: max_statement_time
    case 3024:  // MySQL: max_execution_time
    case 3101:  // group replication: rolled back by certification
      return failure_kind::deadlock;

    case 2002:
    case 2003:
    case 2005:
    case 2012:
    case 2026:  // TLS
    case 1040:  // too many connections
    case 1129:  // host blocked
    case 1130:
    case 1203:
    case 1226:  // a limit of this user
      return failure_kind::cannot_connect;

    case 1044:
    case 1045:
    case 1049:  // unknown database
    case 1095:  // not owner of thread
    case 1142:
    case 1143:
    case 1227:
    case 1251:
    case 1290:  // --read-only and the like
    case 1381:  // no binary log
    case 1396:
    case 1410:
    case 1419:
    case 1524:  // authentication plugin not loaded
    case 1698:
    case 1820:  // password expired
    case 1836:  // read only
    case 1862:
    case 2058:
    case 2059:
    case 2061:
    case 3118:  // account locked
    case 4151:
    case 5010:  // an authentication plugin that would send the password in clear
      return failure_kind::configuration;

    case 1051:
    case 1054:  // unknown column
    case 1072:
    case 1146:  // no such table
    case 1176:  // no such index
    case 1288:
    case 1347:
      return failure_kind::schema_changed;

    case 1021:  // disk full
    case 1026:
    case 1037:  // out of memory
    case 1038:
    case 1041:
    case 1114:  // table is full
    case 1180:  // error during COMMIT
    case 1197:  // max_binlog_cache_size
    case 1598:
      return failure_kind::connection_lost;  // not ours to mend; again after a pause, on a new connection

    case 1022:
    case 1048:
    case 1062:
    case 1110:
    case 1136:
    case 1153:  // packet too large
    case 1162:
    case 1216:
    case 1217:
    case 1264:
    case 1265:
    case 1292:
    case 1300:  // invalid utf8mb4 string
    case 1364:
    case 1365:
    case 1366:
    case 1367:
    case 1406:
    case 1411:
    case 1441:
    case 1451:
    case 1452:
    case 1525:
    case 1557:
    case 1586:
    case 1644:  // SIGNAL in a trigger
    case 1690:
    case 1761:
    case 1762:
    case 1906:  // MariaDB: value for a generated column
    case 2020:  // packet larger than the client's limit
    case 3105:  // MySQL: value for a generated column
    case 3140:
    case 3141:
    case 3144:
    case 3156:
    case 3157:  // JSON
    case 3819:
    case 3854:
    case 4025:
    case 4038:
    case 6136:  // MySQL 9: not a vector of the column
    case 6575:  // MySQL 9.6: a cascade that goes deeper than the server follows it
      return failure_kind::row_refused;
    default:
      break;
  }
  if (sqlstate.starts_with("22") || sqlstate.starts_with("23") || sqlstate.starts_with("44") || sqlstate.starts_with("45"))
    return failure_kind::row_refused;
  if (sqlstate.starts_with("40")) return failure_kind::deadlock;
  if (sqlstate.starts_with("28")) return failure_kind::configuration;
  if (sqlstate == "08004") return failure_kind::cannot_connect;
  if (sqlstate.starts_with("08")) return failure_kind::connection_lost;
  return failure_kind::internal;
}

failure failure_of(int error, std::string_view sqlstate, std::string_view server_text, std::string_view doing) {
  const failure_kind kind = kind_of(error, sqlstate);
  std::string what(doing);
  switch (kind) {
    case failure_kind::row_refused: {
      const std::string place = place_of(error, server_text);
      what += ": " + (place.empty() ? std::string("the server refuses the row") : place);
      break;
    }
    case failure_kind::internal:  // may quote the statement, and so values
      what += ": unexpected error of the server";
      break;
    case failure_kind::schema_changed:
      if (error == 1146 && server_text.find("'duet.") != std::string_view::npos)
        return failure(failure_kind::not_set_up, what + ": Duet's tables are not there", std::to_string(error));
      [[fallthrough]];
    default:
      what += ": ";
      what += server_text;
  }
  what += " (error " + std::to_string(error) + ')';
  return failure(kind, std::move(what), std::to_string(error));
}

connection::connection(const endpoint& at, std::string program_name) {
  const std::string doing = "connecting to " + at.describe();
  const bool local = !at.host.empty() && at.host.front() == '/';
  const bool tls_wanted = at.tls != tls_mode::disable && !(local && at.tls == tls_mode::prefer);
  if (!at.tls_ca.empty() && tls_wanted && !std::filesystem::exists(at.tls_ca))
    throw failure(failure_kind::configuration, doing + ": there is no CA file " + at.tls_ca);
  if ((at.tls == tls_mode::verify_ca || at.tls == tls_mode::verify_full) && at.tls_ca.empty())
    throw failure(failure_kind::configuration, doing + ": this TLS mode needs a CA file", {}, "tls: { ca: /path/to/ca.pem }");
  enter_thread();
  register_login_guard();
  const std::vector<int> before = open_sockets();
  for (bool tls = tls_wanted;; tls = false) {
    try {
      ::sql::ConnectOptionsMap options = options_of(at, program_name, tls);
      connection_.reset(driver()->connect(options));
      break;
    } catch (const ::sql::SQLException& e) {
      if (tls && at.tls == tls_mode::prefer && e.getErrorCode() == 2026) continue;  // the server has no TLS
      failure f = failure_of(e.getErrorCode(), e.getSQLState(), e.what(), doing);
      if (f.kind != failure_kind::configuration) f.kind = failure_kind::cannot_connect;
      if (e.getErrorCode() == 2026 && f.remedy.empty())
        f.remedy = "give the server a certificate (ssl_cert, ssl_key) that suits the TLS mode, or choose another mode";
      throw f;
    }
  }
  try {
    statement_.reset(connection_->createStatement());
    for (const char* sql : session_sql) execute(sql, doing);
    result row = query("SELECT VERSION(), CONNECTION_ID(), @@max_allowed_packet, @@sql_mode, @@character_set_client", doing);
    row.next();
    version_ = parse_version(row.text(1));
    id_ = row.natural(2);
    packet_bytes_max_ = row.natural(3);
    // Values are quoted for exactly this session; on any other they could break out of their quotes.
    if (row.text(4).find("NO_BACKSLASH_ESCAPES") == std::string::npos || row.text(5) != "utf8mb4")
      throw failure(failure_kind::configuration,
                    doing + ": the server does not accept the session's sql_mode and character set");
    find_socket(at, before);
  } catch (failure& f) {
    if (f.kind == failure_kind::connection_lost) f.kind = failure_kind::cannot_connect;
    throw;
  }
}

connection::~connection() {
  try {
    statement_.reset();
    connection_.reset();
  } catch (...) {
  }
  if (socket_ >= 0) ::close(socket_);
}

// Only interrupt() needs it. The server says which port we came from; behind a translating network that is not ours, then the
// socket is the one that is there now and was not before, if there is just one. Else interrupt() can do nothing, and a
// statement waits for its own timeouts.
void connection::find_socket(const endpoint& at, const std::vector<int>& before) {
  std::vector<int> sockets = open_sockets();
  const bool local = !at.host.empty() && at.host.front() == '/';
  if (!local) {
    const int server_port = at.port ? at.port : 3306;
    std::erase_if(sockets, [&](int fd) { return port_of(fd, getpeername) != server_port; });
    std::optional<std::string> host;
    try {
      host = query_value("SELECT HOST FROM information_schema.PROCESSLIST WHERE ID=CONNECTION_ID()", "looking at the session");
    } catch (const failure& f) {  // MySQL reads all sessions, and fails on bytes in another one's statement (error 3854)
      if (f.kind == failure_kind::connection_lost) throw;
    }
    int our_port = 0;
    if (host)
      if (const auto digits = after_last(*host, ":"); !digits.empty())
        std::from_chars(digits.data(), digits.data() + digits.size(), our_port);
    for (const int fd : sockets)
      if (our_port != 0 && port_of(fd, getsockname) == our_port) {
        socket_ = dup(fd);
        return;
      }
  }
  std::erase_if(sockets, [&](int fd) { return std::find(before.begin(), before.end(), fd) != before.end(); });
  if (sockets.size() == 1) socket_ = dup(sockets.front());
}

void connection::interrupt() noexcept {
  if (socket_ >= 0) ::shutdown(socket_, SHUT_RDWR);
}

void connection::fail(const std::exception& e, std::string_view doing) {
  const auto* server = dynamic_cast<const ::sql::SQLException*>(&e);
  if (!server) throw failure(failure_kind::internal, std::string(doing) + ": " + e.what());
  const int error = server->getErrorCode();
  if (is_connection_loss(error)) lost_ = true;
  throw failure_of(error, server->getSQLState(), server->what(), doing);
}

std::uint64_t connection::execute(const std::string& sql, std::string_view doing) {
  if (lost_) throw failure(failure_kind::connection_lost, std::string(doing) + ": the connection was lost before");
  enter_thread();
  try {
    text_ = sql;
    if (statement_->execute(text_)) {
      std::unique_ptr<::sql::ResultSet> unwanted(statement_->getResultSet());
      return 0;
    }
    return statement_->getUpdateCount();
  } catch (const std::exception& e) {
    fail(e, doing);
  }
}

result connection::query(const std::string& sql, std::string_view doing) {
  if (lost_) throw failure(failure_kind::connection_lost, std::string(doing) + ": the connection was lost before");
  enter_thread();
  try {
    text_ = sql;
    return result(std::unique_ptr<::sql::ResultSet>(statement_->executeQuery(text_)));
  } catch (const std::exception& e) {
    fail(e, doing);
  }
}

std::optional<std::string> connection::query_value(const std::string& sql, std::string_view doing) {
  result rows = query(sql, doing);
  if (!rows.next() || rows.is_null(1)) return std::nullopt;
  return rows.text(1);
}

binlog_end read_binlog_end(connection& c) {
  const char* sql = c.version().speaks == dialect::mariadb ? "SHOW BINLOG STATUS"
                    : c.version().at_least(8, 2)           ? "SHOW BINARY LOG STATUS"
                                                           : "SHOW MASTER STATUS";
  result rows = c.query(sql, "reading the end of the binlog");
  if (!rows.next())
    throw failure(failure_kind::configuration, "reading the end of the binlog: the server writes no binlog", {},
                  "start the server with --log-bin");
  binlog_end end{rows.text(1), {}, rows.text(3), rows.text(4)};
  end.position = binlog_position(binlog_number(end.file), rows.natural(2));
  return end;
}

std::uint64_t binlog_number(std::string_view file) {
  const auto digits = after_last(file, ".");
  std::uint64_t number = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (digits.empty() || read.ec != std::errc{} || read.ptr != digits.data() + digits.size())
    throw failure(failure_kind::damaged_log, "a binlog file without a number in its name: " + std::string(file));
  return number;
}

}  // namespace duet::mysql
