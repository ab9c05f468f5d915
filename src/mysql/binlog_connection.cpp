#include "mysql/binlog_connection.hpp"

#include <mysql.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "duet/failure.hpp"
#include "mysql/login_guard.hpp"

namespace duet::mysql {

namespace {

using namespace std::chrono_literals;

constexpr unsigned connect_timeout_s = 10, read_timeout_s = 60;
constexpr auto silence_max = 30s;  // the server sends a heartbeat each second
constexpr std::size_t buffer_bytes = 512 << 10, buffer_bytes_kept = 4 << 20;
constexpr std::size_t packet_header_size = 4, packet_size_max = 0xffffff;
constexpr std::size_t event_bytes_max = std::size_t{2} << 30;
constexpr enum enum_server_command binlog_dump = static_cast<enum enum_server_command>(18);

std::size_t packet_size(const char* header) {
  std::uint32_t n = 0;
  std::memcpy(&n, header, 3);
  return n;
}

bool is_refused_login(unsigned error) {
  switch (error) {
    case 1044:  // no access to the database
    case 1045:  // wrong user or password
    case 1049:  // no such database
    case 1251:  // authentication plugins
    case 1698:
    case 2059:
    case 2061:
    case 5010: return true;  // a plugin that would send the password in clear
    default: return false;
  }
}

[[noreturn]] void throw_lost(const std::string& what, unsigned error = 0) {
  throw failure(failure_kind::connection_lost, what, error ? std::to_string(error) : std::string());
}

bool send_all(int socket, const char* bytes, std::size_t n) {
  while (n > 0) {
    const ssize_t sent = ::send(socket, bytes, n, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes += sent;
    n -= static_cast<std::size_t>(sent);
  }
  return true;
}

bool send_packet(int socket, std::string_view payload) {
  std::uint8_t sequence = 0;
  for (;;) {
    const std::size_t n = std::min(payload.size(), packet_size_max);
    const char header[packet_header_size] = {static_cast<char>(n), static_cast<char>(n >> 8), static_cast<char>(n >> 16),
                                             static_cast<char>(sequence++)};
    if (!send_all(socket, header, sizeof header) || !send_all(socket, payload.data(), n)) return false;
    payload.remove_prefix(n);
    if (n < packet_size_max) return true;
  }
}

struct free_result {
  void operator()(MYSQL_RES* r) const noexcept { mysql_free_result(r); }
};

}  // namespace

void binlog_connection::close_mysql::operator()(st_mysql* m) const noexcept { mysql_close(m); }

binlog_connection::binlog_connection() {
  register_login_guard();
}

binlog_connection::~binlog_connection() { close(); }

void binlog_connection::open(const endpoint& to, const std::string& application_name) {
  close();
  interrupted_ = false;
  described_ = to.describe();
  const bool socket = to.host.starts_with('/');
  if (to.tls == tls_mode::disable || (socket && to.tls == tls_mode::prefer)) return connect(to, application_name, false);
  if (to.tls != tls_mode::prefer) return connect(to, application_name, true);
  try {
    connect(to, application_name, true);
  } catch (const failure& f) {
    constexpr std::string_view no_tls = "2026";
    if (f.server_code != no_tls) throw;
    connect(to, application_name, false);
  }
}

void binlog_connection::connect(const endpoint& to, const std::string& application_name, bool tls) {
  std::unique_ptr<st_mysql, close_mysql> m(mysql_init(nullptr));
  if (!m) throw std::bad_alloc();
  mysql_options(m.get(), MYSQL_OPT_CONNECT_TIMEOUT, &connect_timeout_s);
  mysql_options(m.get(), MYSQL_OPT_READ_TIMEOUT, &read_timeout_s);
  mysql_options(m.get(), MYSQL_OPT_WRITE_TIMEOUT, &read_timeout_s);
  mysql_options(m.get(), MYSQL_SET_CHARSET_NAME, "utf8mb4");
  mysql_options4(m.get(), MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", application_name.c_str());
  const char* guard = login_guard(tls && to.tls != tls_mode::prefer);
  mysql_options(m.get(), MYSQL_DEFAULT_AUTH, guard);
  mysql_options(m.get(), MARIADB_OPT_RESTRICTED_AUTH, guard);
  if (tls) {
    const my_bool yes = 1;
    mysql_options(m.get(), MYSQL_OPT_SSL_ENFORCE, &yes);
    if (!to.tls_ca.empty()) mysql_options(m.get(), MYSQL_OPT_SSL_CA, to.tls_ca.c_str());
    if (to.tls == tls_mode::verify_full) mysql_options(m.get(), MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
  }
  const bool socket = to.host.starts_with('/');
  constexpr std::uint16_t default_port = 3306;
  if (!mysql_real_connect(m.get(), socket ? nullptr : to.host.c_str(), to.user.c_str(), to.password.c_str(),
                          to.database.empty() ? nullptr : to.database.c_str(), to.port ? to.port : default_port,
                          socket ? to.host.c_str() : nullptr, 0)) {
    const unsigned error = mysql_errno(m.get());
    throw failure(is_refused_login(error) ? failure_kind::configuration : failure_kind::cannot_connect,
                  "connecting to " + described_ + " to read its binlog: " + mysql_error(m.get()), std::to_string(error));
  }
  mysql_ = std::move(m);
  maria_ = mariadb_connection(mysql_.get());
  {
    const std::lock_guard lock(sockets_);
    server_socket_ = mysql_get_socket(mysql_.get());
  }
  if (interrupted_) throw_lost("reading the binlog was interrupted");
}

void binlog_connection::close() noexcept {
  interrupt();
  if (pump_.joinable()) pump_.join();
  {
    const std::lock_guard lock(sockets_);
    if (pair_socket_ >= 0) {
      ::close(pair_socket_);
      ::close(stream_);
    }
    server_socket_ = pair_socket_ = stream_ = -1;
  }
  mysql_.reset();
  begin_ = end_ = taken_ = 0;
}

void binlog_connection::interrupt() noexcept {
  interrupted_ = true;
  const std::lock_guard lock(sockets_);
  if (server_socket_ >= 0) ::shutdown(server_socket_, SHUT_RDWR);
  if (pair_socket_ >= 0) ::shutdown(pair_socket_, SHUT_RDWR);
}

std::vector<std::vector<std::string>> binlog_connection::query(const std::string& sql) {
  const auto fail = [&] {
    const unsigned error = mysql_errno(mysql_.get());
    const std::string what = "preparing to read the binlog of " + described_ + ": " + mysql_error(mysql_.get());
    constexpr unsigned client_errors = 2000, denied = 1227, no_binlog = 1381;
    if (error >= client_errors && error < 3000) throw_lost(what, error);
    if (error == denied)
      throw failure(failure_kind::configuration, what, std::to_string(error), maria_ ? "GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO the user"
                                                                                     : "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO the user");
    if (error == no_binlog) throw failure(failure_kind::configuration, what, std::to_string(error), "Start the server with log_bin");
    throw_lost(what, error);
  };
  if (mysql_real_query(mysql_.get(), sql.data(), sql.size()) != 0) fail();
  std::vector<std::vector<std::string>> rows;
  const std::unique_ptr<MYSQL_RES, free_result> result(mysql_store_result(mysql_.get()));
  if (!result) {
    if (mysql_errno(mysql_.get()) != 0) fail();
    return rows;
  }
  const unsigned columns = mysql_num_fields(result.get());
  while (MYSQL_ROW row = mysql_fetch_row(result.get())) {
    const unsigned long* lengths = mysql_fetch_lengths(result.get());
    auto& values = rows.emplace_back();
    for (unsigned i = 0; i < columns; ++i) values.emplace_back(row[i] ? std::string(row[i], lengths[i]) : std::string());
  }
  return rows;
}

void binlog_connection::start_dump(const std::string& file, std::uint32_t offset, std::uint32_t server_id) {
  std::string command;
  const auto put = [&](std::uint32_t v, int bytes) {
    for (int i = 0; i < bytes; ++i) command += static_cast<char>(v >> 8 * i);
  };
  put(offset, 4);
  put(0, 2);  // no flags: wait at the end of the log, leave MariaDB's annotations out
  put(server_id, 4);
  command += file;
  if (mysql_->methods->db_command(mysql_.get(), binlog_dump, command.data(), command.size(), 1, nullptr) != 0)
    throw_lost("asking " + described_ + " for its binlog: " + mysql_error(mysql_.get()), mysql_errno(mysql_.get()));

  if (!mysql_get_ssl_cipher(mysql_.get())) {
    // libmariadb has read all answers before the command in full, so nothing of the stream is in its buffers.
    stream_ = mysql_get_socket(mysql_.get());
  } else {
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) throw std::system_error(errno, std::generic_category(), "socketpair");
    {
      const std::lock_guard lock(sockets_);
      stream_ = pair[0];
      pair_socket_ = pair[1];
    }
    pump_ = std::thread([this, to = pair[1]] { pump(to); });
  }
  if (interrupted_) throw_lost("reading the binlog was interrupted");
  begin_ = end_ = taken_ = 0;
  silent_since_ = std::chrono::steady_clock::now();
}

// The other thread of a TLS connection: the only one that touches libmariadb while the dump runs.
void binlog_connection::pump(int to) noexcept {
  for (;;) {
    const unsigned long n = mysql_net_read_packet(mysql_.get());
    if (n == static_cast<unsigned long>(-1)) {
      // An error packet has been taken apart; put it together again.
      const unsigned error = mysql_errno(mysql_.get());
      if (error != 0 && error < 2000) {
        std::string packet{'\xff', static_cast<char>(error), static_cast<char>(error >> 8), '#'};
        packet += mysql_sqlstate(mysql_.get());
        packet += mysql_error(mysql_.get());
        send_packet(to, packet);
      }
      break;
    }
    if (!send_packet(to, {reinterpret_cast<const char*>(mysql_->net.read_pos), n})) break;
  }
  ::shutdown(to, SHUT_RDWR);
}

// Room for a packet of so many bytes from begin_ on.
void binlog_connection::make_room(std::size_t bytes) {
  if (begin_ == end_) begin_ = end_ = 0;
  const bool oversized = capacity_ > buffer_bytes_kept && bytes <= buffer_bytes && end_ - begin_ <= buffer_bytes / 2;
  if (bytes > capacity_ || oversized) {
    const std::size_t capacity = std::max(bytes, buffer_bytes);
    std::unique_ptr<char[]> bigger(new char[capacity]);
    std::memcpy(bigger.get(), buffer_.get() + begin_, end_ - begin_);
    buffer_ = std::move(bigger);
    capacity_ = capacity;
  } else if (begin_ > 0 && capacity_ - begin_ < bytes) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
  } else {
    return;
  }
  end_ -= begin_;
  begin_ = 0;
}

std::string_view binlog_connection::next_packet() {
  begin_ += taken_;
  taken_ = 0;
  // Packets of 2^24 - 1 bytes are continued by the next one.
  std::size_t at = begin_, total = 0, parts = 0;
  for (;;) {
    if (end_ - at < packet_header_size) return {};
    const std::size_t n = packet_size(buffer_.get() + at);
    total += n;
    if (total > event_bytes_max) throw failure(failure_kind::damaged_log, "the server sends a binlog event of impossible size");
    at += packet_header_size + n;
    ++parts;
    if (at > end_) return {};
    if (n < packet_size_max) break;
  }
  taken_ = at - begin_;
  char* const first = buffer_.get() + begin_ + packet_header_size;
  for (std::size_t i = 1; i < parts; ++i) {
    const std::size_t n = i + 1 < parts ? packet_size_max : total - packet_size_max * i;
    std::memmove(first + packet_size_max * i, first + packet_size_max * i + packet_header_size * i, n);
  }
  return {first, total};
}

bool binlog_connection::receive(std::chrono::milliseconds wait) {
  if (stream_ < 0) throw_lost("the binlog of " + described_ + " is not being read");
  begin_ += taken_;
  taken_ = 0;
  pollfd waiting{stream_, POLLIN, 0};
  const int ready = ::poll(&waiting, 1, static_cast<int>(std::max<std::int64_t>(wait.count(), 0)));
  if (ready < 0 && errno != EINTR) throw_lost(std::string("waiting for the binlog of ") + described_ + ": " + std::strerror(errno));
  const auto now = std::chrono::steady_clock::now();
  if (ready <= 0) {
    if (interrupted_) throw_lost("reading the binlog was interrupted");
    if (now - silent_since_ > silence_max) throw_lost("the server of " + described_ + " has sent nothing for too long, not even a heartbeat");
    return false;
  }
  // As much as there is, but at least the packet that has begun.
  std::size_t wanted = buffer_bytes / 2;
  std::size_t at = begin_;
  while (end_ - at >= packet_header_size) {
    const std::size_t n = packet_size(buffer_.get() + at);
    at += packet_header_size + n;
    if (at - begin_ > event_bytes_max) throw failure(failure_kind::damaged_log, "the server sends a binlog event of impossible size");
    if (at > end_ || n < packet_size_max) break;
  }
  make_room(std::max(at - begin_ + packet_header_size, end_ - begin_ + wanted));
  const ssize_t got = ::recv(stream_, buffer_.get() + end_, capacity_ - end_, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return false;
  if (got < 0) throw_lost(std::string("reading the binlog of ") + described_ + ": " + std::strerror(errno));
  if (got == 0) throw_lost(interrupted_ ? "reading the binlog was interrupted" : "the server of " + described_ + " has closed the connection that its binlog is read over");
  end_ += static_cast<std::size_t>(got);
  silent_since_ = now;
  return true;
}

}  // namespace duet::mysql
