// Reads home's tables for their first copy. See duet/row_reader.hpp.
#pragma once

#include <mutex>

#include "duet/config.hpp"
#include "duet/row_reader.hpp"
#include "postgres/connection.hpp"

namespace duet::postgres {

class row_reader final : public duet::row_reader {
 public:
  // A person's sessions go under another name: a hub that starts ends what an earlier hub has left behind.
  enum class user : std::uint8_t { hub, person };
  row_reader(const endpoint& at, std::string link, user u = user::hub)
      : at_(at), link_(std::move(link)), session_name_((u == user::hub ? "duet:" : "duet-by-hand:") + link_) {}

  void open() override;
  next_rows read_rows(const table_pair&, const std::string& cursor, std::size_t limit, bool lock) override;
  log_position log_end() override;
  void release() noexcept override;
  std::uint64_t estimate_rows(const table_pair&) override;
  void interrupt() noexcept override;

 private:
  connection_handle connect_as(const char* what) const;

  const endpoint at_;
  const std::string link_, session_name_;
  std::mutex mutex_;  // guards the handles against interrupt()
  connection_handle rows_, log_;
};

}  // namespace duet::postgres
