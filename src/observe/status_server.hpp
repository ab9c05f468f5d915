// The status page of a running hub, on status.listen:
//   /          a page for people, self-contained, refreshes itself
//   /healthz   200 while both lanes stream, else 503; one line says why
//   /status    JSON (status_json.hpp)
//   /metrics   Prometheus text (metrics.hpp)
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "duet/status.hpp"

namespace duet::observe {

class status_server {
 public:
  // Listens when it returns; port 0 takes any free one. `snapshot` is called by the server's own threads for each request
  // until the destructor returns. Throws failure{config_file} if the address can't be listened on.
  status_server(const std::string& host, std::uint16_t port, std::function<hub_status()> snapshot);
  ~status_server();

  std::uint16_t port() const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

// Asks the hub that listens there, waits at most 2 s. nullopt: nobody answers. Throws failure{internal} if what answers is
// no hub.
std::optional<hub_status> find_hub_status(const std::string& host, std::uint16_t port);

}  // namespace duet::observe
