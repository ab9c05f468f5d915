// The connection that a binlog is read over: libmariadb logs in and sends the command, then packets are cut out of the
// stream here. libmariadb's own replication calls know too few events, and its reads cannot tell "nothing has arrived".
//
// Used by one thread, but for interrupt().
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "duet/config.hpp"

struct st_mysql;

namespace duet::mysql {

class binlog_connection {
 public:
  binlog_connection();
  binlog_connection(const binlog_connection&) = delete;
  ~binlog_connection();

  // Logs in. Throws cannot_connect, or configuration when the login is refused.
  void open(const endpoint&, const std::string& application_name);
  void close() noexcept;
  bool is_maria() const { return maria_; }

  // The rows of a statement; NULL reads as the empty string.
  std::vector<std::vector<std::string>> query(const std::string& sql);

  // COM_BINLOG_DUMP: what follows is the stream. Nothing else can be asked on this connection then.
  void start_dump(const std::string& file, std::uint32_t offset, std::uint32_t server_id);

  // The next packet that has arrived in full, valid until the next call of either function; empty: there is none yet.
  std::string_view next_packet();
  // Takes what arrives within `wait`; false: nothing did. Throws connection_lost.
  bool receive(std::chrono::milliseconds wait);

  // From any thread: a blocked open(), query() or receive() ends soon, with connection_lost or cannot_connect.
  void interrupt() noexcept;

 private:
  struct close_mysql {
    void operator()(st_mysql* m) const noexcept;
  };
  void connect(const endpoint&, const std::string& application_name, bool tls);
  void pump(int to) noexcept;
  void make_room(std::size_t bytes);

  std::unique_ptr<st_mysql, close_mysql> mysql_;
  bool maria_ = false;
  std::string described_;  // user@host:port/database

  // The stream: the server's socket, or for TLS one end of a pair that a thread fills with the decrypted packets.
  int stream_ = -1;
  std::thread pump_;
  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_ = 0, begin_ = 0, end_ = 0;
  std::size_t taken_ = 0;  // bytes of the packet that next_packet() gave out
  std::chrono::steady_clock::time_point silent_since_;

  std::mutex sockets_;     // guards the two numbers below against use after close
  int server_socket_ = -1, pair_socket_ = -1;
  std::atomic<bool> interrupted_{false};
};

}  // namespace duet::mysql
