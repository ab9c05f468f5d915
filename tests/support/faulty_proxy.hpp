// A TCP proxy on loopback that breaks connections on purpose, between the hub and a server.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "duet/config.hpp"

namespace duet::testing {

class faulty_proxy {
 public:
  explicit faulty_proxy(const endpoint& server);
  ~faulty_proxy();
  faulty_proxy(const faulty_proxy&) = delete;
  faulty_proxy& operator=(const faulty_proxy&) = delete;

  endpoint through() const;  // the server's endpoint, by way of this proxy
  std::uint16_t port() const { return port_; }

  void cut();                // resets all connections of now; new ones pass
  void refuse(bool on) { refusing_ = on; }  // resets new connections at once
  void freeze(bool on) { frozen_ = on; }    // half-open: connections stay, no byte passes; off: what was held passes
  void delay(std::chrono::milliseconds d) { delay_ms_ = static_cast<int>(d.count()); }  // each piece, one at a time

  // One shot, on the connection that sends `bytes` first. After: the server gets them, answers, and the connection is cut
  // instead of the answer's passing (a commit in doubt that happened). Before: it is cut and the server never gets them
  // (one that did not).
  void cut_after_request(const std::string& bytes) { arm(bytes, true); }
  void cut_before_request(const std::string& bytes) { arm(bytes, false); }
  bool armed() const { return armed_; }     // false: the shot was fired

  int connections() const { return open_; }
  std::uint64_t bytes_to_server() const { return to_server_; }
  std::uint64_t bytes_to_client() const { return to_client_; }

 private:
  void arm(const std::string& bytes, bool after);
  void accept_all(std::stop_token);
  void carry(std::stop_token, int client);

  endpoint server_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> refusing_{false}, frozen_{false}, armed_{false};
  std::atomic<int> delay_ms_{0}, open_{0};
  std::atomic<unsigned> cuts_{0};
  std::atomic<std::uint64_t> to_server_{0}, to_client_{0};
  std::mutex mutex_;
  std::string pattern_;        // under mutex_
  bool after_ = false;         // under mutex_
  std::vector<std::jthread> carriers_;  // accept_all's thread only, until it has ended
  std::jthread acceptor_;
};

}  // namespace duet::testing
