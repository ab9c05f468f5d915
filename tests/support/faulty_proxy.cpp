#include "support/faulty_proxy.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>

#include "support/process.hpp"

namespace duet::testing {
namespace {

using namespace std::chrono_literals;
constexpr int poll_ms = 5;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(port);
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return a;
}

struct socket_closer {
  int fd;
  ~socket_closer() {
    if (fd < 0) return;
    const linger reset{1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
  }
};

bool send_all(int fd, const char* data, std::size_t size) {
  while (size) {
    const ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
    if (n <= 0) return false;
    data += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

}  // namespace

faulty_proxy::faulty_proxy(const endpoint& server) : server_(server) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (listener_ < 0 || bind(listener_, reinterpret_cast<sockaddr*>(&address), size) || listen(listener_, 64) ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size))
    throw std::runtime_error("the proxy cannot listen on 127.0.0.1");
  port_ = ntohs(address.sin_port);
  acceptor_ = std::jthread([this](std::stop_token stop) { accept_all(stop); });
}

faulty_proxy::~faulty_proxy() {
  acceptor_.request_stop();
  acceptor_.join();
  carriers_.clear();  // each is asked to stop and joined
  close(listener_);
}

endpoint faulty_proxy::through() const {
  endpoint e = server_;
  e.host = "127.0.0.1";
  e.port = port_;
  return e;
}

void faulty_proxy::cut() {
  ++cuts_;
  const unsigned now = cuts_;
  eventually([&] { return open_ == 0 || cuts_ != now; }, 100ms);
}

void faulty_proxy::arm(const std::string& bytes, bool after) {
  std::scoped_lock lock(mutex_);
  pattern_ = bytes;
  after_ = after;
  armed_ = true;
}

void faulty_proxy::accept_all(std::stop_token stop) {
  while (!stop.stop_requested()) {
    pollfd p{listener_, POLLIN, 0};
    if (poll(&p, 1, poll_ms) <= 0) continue;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);  // a program started meanwhile would keep it open
    if (client < 0) continue;
    if (refusing_) {
      socket_closer reset{client};
      continue;
    }
    carriers_.emplace_back([this, client](std::stop_token s) { carry(s, client); });
  }
}

void faulty_proxy::carry(std::stop_token stop, int client_fd) {
  const unsigned cuts_before = cuts_;
  struct counted {
    std::atomic<int>& n;
    explicit counted(std::atomic<int>& n) : n(n) { ++n; }
    ~counted() { --n; }
  } count(open_);
  socket_closer client{client_fd}, server{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const sockaddr_in address = loopback(server_.port);
  if (connect(server.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address)) return;
  const int on = 1;
  for (const int fd : {client.fd, server.fd}) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);

  std::string recent;  // the end of what the client sent: a pattern may come in two pieces
  bool answer_is_lost = false, answered = false;
  char buffer[65536];
  const auto cut_now = [&] { return stop.stop_requested() || cuts_ != cuts_before; };
  while (!cut_now()) {
    if (frozen_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(poll_ms));
      continue;
    }
    pollfd p[2] = {{client.fd, POLLIN, 0}, {server.fd, POLLIN, 0}};
    const int ready = poll(p, 2, answered ? 50 : poll_ms);
    if (ready < 0 && errno != EINTR) return;
    if (ready == 0 && answered) return;  // the server has said all that it had to say
    if (ready <= 0 || frozen_ || cut_now()) continue;
    if (const int ms = delay_ms_) std::this_thread::sleep_for(std::chrono::milliseconds(ms));
    for (const int from : {0, 1}) {
      if (!p[from].revents) continue;
      const ssize_t n = recv(p[from].fd, buffer, sizeof buffer, 0);
      if (n <= 0) return;
      const auto size = static_cast<std::size_t>(n);
      if (from == 1 && answer_is_lost) {
        answered = true;
        continue;
      }
      if (from == 0 && armed_) {
        std::scoped_lock lock(mutex_);
        recent.append(buffer, size);
        if (armed_ && recent.find(pattern_) != std::string::npos) {
          armed_ = false;
          if (!after_) return;
          answer_is_lost = true;
        }
        if (recent.size() >= pattern_.size()) recent.erase(0, recent.size() - pattern_.size() + 1);
      }
      if (!send_all(p[1 - from].fd, buffer, size)) return;
      (from == 0 ? to_server_ : to_client_) += size;
    }
  }
}

}  // namespace duet::testing
