// Writes to home. See duet/target.hpp for the promises.
//
// A transaction costs two round trips: begin() only queues (BEGIN, the guarded move of the control row, the origin's
// position), so that its answers come with the first run's; commit() sends the rest. What begin() has to complain about
// is therefore thrown by the call after it.
//
// Rows travel as one binary array per column and are joined to the table by its primary key; long plain inserts by COPY.
// The session's planner may use nothing but nested loops over indexes: that is the right plan for a few hundred keys
// against a table of any size, and statistics that are missing or old can't spoil it.
#pragma once

#include <memory>
#include <mutex>

#include "duet/config.hpp"
#include "duet/target.hpp"

namespace duet::postgres {

class target final : public duet::target_by_hand {
 public:
  // A person's verbs work beside the hub, which holds the replication origin: their session goes without, and under another
  // name, so that a hub that starts does not take it for one that an earlier hub has left behind.
  enum class user : std::uint8_t { hub, person };
  target(const endpoint&, std::string link, const mapping&, user = user::hub);
  ~target() override;

  void open() override;
  void close() noexcept override;
  void interrupt() noexcept override;
  void begin(const control_row& expected, const control_row& next, std::int64_t source_commit_time_us) override;
  void apply(const run&, insert_mode, std::vector<std::uint32_t>& unmatched) override;
  void truncate(std::span<const table_pair* const> tables) override;
  std::vector<owned_row> lock_rows(const table_pair&, std::span<const row_view> keys) override;
  std::vector<owned_row> lock_rows_with(const table_pair&, std::span<const std::uint16_t> columns, std::span<const std::string> values) override;
  bool force(const table_pair&, operation, row_view before, row_view after, std::span<const std::uint16_t> columns) override;
  void mark(const table_pair&, row_view key, const std::string& column, std::optional<std::int64_t> time_us) override;
  log_position catch_up_point() override;
  void emit_refresh(const table_pair&, row_view key, const owned_row* row, const decision_tag&) override;
  void log_conflict(const conflict_entry&) override;
  void hold(const held_entry&) override;
  void release_held(std::uint64_t token) override;
  std::vector<table_copy> load_copies() override;
  bool start_copy(const table_pair&) override;
  void store_copy(const table_pair&, const table_copy&) override;
  void savepoint() override;
  void rollback_to_savepoint() override;
  void commit(const control_row& final) override;
  void rollback() noexcept override;
  moved begin_locked() override;
  std::vector<owned_row> read_rows(const table_pair&, std::span<const row_view> keys) override;
  control_row load_control() override;
  std::vector<std::pair<std::string, std::uint64_t>> load_held_tokens() override;

 private:
  class session;
  session& opened();

  const endpoint at_;
  const std::string link_;
  const user user_;
  std::mutex mutex_;  // guards the pointer against interrupt()
  std::unique_ptr<session> session_;
};

}  // namespace duet::postgres
