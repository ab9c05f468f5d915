// Home's log: the logical replication slot `duet_<link>`, through pgoutput and the publication `duet_<link>`, which holds
// the mapped tables and duet.control.
#pragma once

#include <memory>
#include <string>

#include "duet/config.hpp"
#include "duet/mapping.hpp"
#include "duet/source.hpp"

namespace duet::postgres {

class source final : public duet::source {
 public:
  // The mapping outlives it.
  source(const endpoint& home, std::string link, const mapping&);
  ~source() override;

  // May be called again after any failure or interrupt(): connects anew.
  void start(log_position from) override;
  bool read(block_writer&, std::chrono::milliseconds wait) override;
  void release(log_position released) override;
  void finish(log_position released) noexcept override;
  void keep_alive() override;
  log_position read_up_to() const override;
  void interrupt() noexcept override;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace duet::postgres
