// Native replication of an engine, between two private servers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "end_to_end/servers.hpp"

namespace duet::bench {

class native_replication {
 public:
  virtual ~native_replication() = default;
  virtual private_server& source() = 0;
  // One or more ways to run it, each with a name; the backlog is drained once by each.
  virtual std::vector<std::string> ways() const = 0;
  virtual std::unique_ptr<sql_session> target(const std::string& way) = 0;
  virtual std::string target_digest(const std::string& way) = 0;
  virtual void resume(const std::string& way) = 0;
  virtual void pause(const std::string& way) = 0;
};

std::unique_ptr<native_replication> make_subscription();
std::unique_ptr<native_replication> make_replica(const std::string& kind);

}  // namespace duet::bench
