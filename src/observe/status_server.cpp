#include "observe/status_server.hpp"

#include <httplib.h>

#include <thread>
#include <utility>

#include "duet/failure.hpp"
#include "observe/metrics.hpp"
#include "observe/printable.hpp"
#include "observe/status_json.hpp"
#include "observe/status_page.hpp"
#include "observe/status_text.hpp"

namespace duet::observe {

namespace {

constexpr std::size_t answer_bytes_max = 1 << 20;

// 0.0.0.0 and :: are for listening only.
std::string reachable(const std::string& host) { return host.empty() || host == "0.0.0.0" ? "127.0.0.1" : host == "::" ? "::1" : host; }

std::string health_line(const hub_status& s) {
  std::string line = s.state.empty() ? "unknown" : s.state;
  if (s.held_rows > 0)  // a stopped table's, too: the lanes stream all the same
    line += "; " + std::to_string(s.held_rows) + (s.held_rows == 1 ? " change waits" : " changes wait") + " for a decision: duet held";
  for (const auto& table : s.paused_tables) line += "; table " + table.table + (table.catches_up() ? " catches up" : " is paused");
  for (const auto& table : s.stopped_tables) line += "; table " + table + " is stopped";
  if (s.clocks && s.clocks->beyond_limit()) line += "; " + clocks_text(*s.clocks) + ": more than conflicts.clock_offset_limit";
  if (!s.healthy && !s.failure_text.empty()) line += " (" + s.failure_code + ": " + s.failure_text + ")";
  return printable(line) + '\n';
}

}  // namespace

struct status_server::state {
  httplib::Server http;
  std::function<hub_status()> snapshot;
  int port = 0;
  std::thread thread;
};

status_server::status_server(const std::string& host, std::uint16_t port, std::function<hub_status()> snapshot)
    : state_(std::make_unique<state>()) {
  state_->snapshot = std::move(snapshot);
  httplib::Server& http = state_->http;
  // Not the library's default, which adds SO_REUSEPORT: a second hub would listen beside the first and share its visitors.
  http.set_socket_options([](socket_t socket) {
    int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  http.new_task_queue = [] { return new httplib::ThreadPool(4); };
  http.set_keep_alive_max_count(1);  // a browser that stays connected must not keep a thread
  http.set_read_timeout(5, 0);
  http.set_write_timeout(5, 0);
  http.set_payload_max_length(4096);
  http.set_default_headers({{"X-Content-Type-Options", "nosniff"}, {"Cache-Control", "no-store"}});
  state* self = state_.get();
  http.Get("/", [](const httplib::Request&, httplib::Response& answer) {
    answer.set_header("Content-Security-Policy", status_page_policy);
    answer.set_content(std::string(status_page), "text/html; charset=utf-8");
  });
  http.Get("/healthz", [self](const httplib::Request&, httplib::Response& answer) {
    const hub_status now = self->snapshot();
    answer.status = now.healthy ? 200 : 503;
    answer.set_content(health_line(now), "text/plain; charset=utf-8");
  });
  http.Get("/status", [self](const httplib::Request&, httplib::Response& answer) {
    answer.set_content(dump(to_json(self->snapshot())) + '\n', "application/json");
  });
  http.Get("/metrics", [self](const httplib::Request&, httplib::Response& answer) {
    answer.set_content(encode_metrics(self->snapshot()), "text/plain; version=0.0.4; charset=utf-8");
  });
  if (port == 0) {
    state_->port = http.bind_to_any_port(host);
  } else {
    state_->port = http.bind_to_port(host, port) ? port : -1;
  }
  if (state_->port <= 0)
    throw failure(failure_kind::config_file, "opening the status page: can't listen on " + host + ":" + std::to_string(port),
                  std::to_string(errno), "Is another hub or program there? Choose another address at status.listen.");
  state_->thread = std::thread([self] { self->http.listen_after_bind(); });
}

status_server::~status_server() {
  // stop() does nothing before the loop has begun.
  while (!state_->http.is_running() && state_->thread.joinable()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  state_->http.stop();
  state_->thread.join();
}

std::uint16_t status_server::port() const { return static_cast<std::uint16_t>(state_->port); }

std::optional<hub_status> find_hub_status(const std::string& host, std::uint16_t port) {
  httplib::Client http(reachable(host), port);
  http.set_connection_timeout(2, 0);
  http.set_read_timeout(2, 0);
  std::string body;
  bool too_long = false;
  const auto answer = http.Get("/status", [&](const char* bytes, std::size_t n) {
    too_long = body.size() + n > answer_bytes_max;
    if (!too_long) body.append(bytes, n);
    return !too_long;
  });
  if (too_long || (answer && answer->status != 200))
    throw failure(failure_kind::internal, "what answers at status.listen is not a hub of Duet");
  if (!answer) return std::nullopt;
  return decode_hub_status(body);
}

}  // namespace duet::observe
