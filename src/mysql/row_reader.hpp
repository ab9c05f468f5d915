// Reads the spoke's tables for their first copy. See duet/row_reader.hpp.
#pragma once

#include <memory>
#include <mutex>

#include "duet/config.hpp"
#include "duet/row_reader.hpp"
#include "mysql/connection.hpp"
#include "mysql/sql_writer.hpp"

namespace duet::mysql {

class row_reader final : public duet::row_reader {
 public:
  explicit row_reader(const endpoint& at, std::string session_name) : at_(at), session_name_(std::move(session_name)) {}

  void open() override;
  next_rows read_rows(const table_pair&, const std::string& cursor, std::size_t limit, bool lock) override;
  log_position log_end() override;
  void release() noexcept override;
  std::uint64_t estimate_rows(const table_pair&) override;
  void interrupt() noexcept override;

 private:
  const endpoint at_;
  const std::string session_name_;
  std::mutex mutex_;  // guards the pointers against interrupt()
  std::unique_ptr<connection> rows_, log_;
  std::string statement_;  // kept for its capacity
};

}  // namespace duet::mysql
