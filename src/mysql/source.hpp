// Reads the binlog of a MySQL or MariaDB server (include/duet/source.hpp).
#pragma once

#include <atomic>
#include <string>

#include "duet/config.hpp"
#include "duet/mapping.hpp"
#include "duet/source.hpp"
#include "mysql/binlog_connection.hpp"
#include "mysql/binlog_decoder.hpp"

namespace duet::mysql {

class source final : public duet::source {
 public:
  // The mapping must outlive the source. `link` names our control row and makes the replica's server id.
  source(const endpoint& spoke, std::string link, const mapping&, std::string application_name = "duet");

  // from = 0: from the first transaction ever, if the server still has its first log file.
  void start(log_position from) override;
  bool read(block_writer&, std::chrono::milliseconds wait) override;
  void release(log_position) override {}  // nothing to tell: the server keeps its log as long as it was told to
  void keep_alive() override {}           // nor to answer: it waits for net_write_timeout
  log_position read_up_to() const override { return decoder_.read_up_to(); }
  void interrupt() noexcept override { connection_.interrupt(); }

 private:
  [[noreturn]] void throw_server_error(std::string_view packet) const;
  void require_known_columns();

  endpoint spoke_;
  const mapping& mapping_;
  std::string application_name_;
  std::uint32_t server_id_;
  binlog_connection connection_;
  binlog_decoder decoder_;
  std::string_view packet_;   // fetched by start(), not yet decoded
  bool has_events_ = false;   // since start()
};

}  // namespace duet::mysql
