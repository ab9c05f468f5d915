// A walsender connection that streams one logical slot: START_REPLICATION, XLogData, keepalives, standby status updates.
// The format: PostgreSQL documentation, "Streaming Replication Protocol". Private to this folder.
#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "duet/config.hpp"
#include "duet/mapping.hpp"
#include "duet/position.hpp"
#include "postgres/connection.hpp"
#include "postgres/relation.hpp"

namespace duet::postgres {

// What an error of a walsender means. `message` is the server's.
failure_kind kind_of_stream_error(std::string_view sqlstate, std::string_view message);

// Records begin at multiples of 8, so no commit lies between a place and the next multiple.
inline log_position next_record(log_position p) { return {(p.value + 7) & ~std::uint64_t{7}}; }

class replication_stream {
 public:
  // The endpoint outlives the stream.
  replication_stream(const endpoint&, std::string_view link);

  // Connects to look at the catalog and checks the slot. A slot still held by the walsender of our last connection is freed; one held
  // by somebody else is waited for a few seconds. Throws cannot_connect, log_lost, not_set_up, connection_lost (in use).
  void open();
  // With the connection of open(): the types of the mapped columns by table, and a place in the log from which on they are
  // so. Throws schema_changed if the catalog is not as the mapping says, not_set_up if the publication lacks a table,
  // configuration if it drops some of its rows or operations.
  std::vector<std::vector<type_number>> load_types(const mapping&, log_position& fits_from);
  // Opens the stream. Throws log_lost if the slot begins after `from`.
  void start(log_position from);
  void close() noexcept;

  struct message {
    std::string_view data;      // a pgoutput message; empty: a keepalive
    log_position end_of_log;    // keepalive: all that is before has been sent
  };
  // The next message that has been received, if any. Its data live until the next call. Throws connection_lost, log_lost, ...
  std::optional<message> next();
  void receive();                        // takes what the socket has, without waiting
  void wait(std::chrono::milliseconds);  // until there is something to receive, or status is due
  int receives_until_dry() const { return encrypted_ ? 3 : 1; }  // a TLS record may be taken in pieces that poll() can't see

  void report_status();
  void report_status_if_due() {
    if (reply_asked_ || std::chrono::steady_clock::now() >= status_due_) report_status();
  }
  void finish() noexcept;  // a last report, and the stream is ended in order; waits half a second at most
  // What the server is told: received up to here; never needed again before there.
  void set_received(log_position p) { received_ = std::max(received_, p); }
  void set_released(log_position p) { released_ = std::max(released_, p); }

  void interrupt() noexcept;  // from any thread

 private:
  struct free_copy_data {
    void operator()(char* p) const noexcept { PQfreemem(p); }
  };
  void wait_for_slot();
  [[noreturn]] void throw_broken(std::string_view doing, const PGresult* result = nullptr);

  const endpoint& at_;
  const std::string link_, slot_;
  connection_handle catalog_;     // from open() to start()
  connection_handle connection_;  // the walsender, from start() on
  int backend_pid_ = 0;  // of the last connection
  bool encrypted_ = false;
  std::unique_ptr<char, free_copy_data> data_;
  std::mutex socket_mutex_;  // between interrupt() and the socket's end
  int socket_ = -1;
  log_position confirmed_, received_, released_;  // confirmed: what the server was told, or has told us, of released_
  bool reply_asked_ = false;
  std::chrono::steady_clock::time_point status_due_;
};

}  // namespace duet::postgres
