// Writes to MySQL and MariaDB. See duet/target.hpp for the contract; what is particular to these servers:
//
// - An error rolls back the statement only (a lock wait timeout, too): the caller must roll the transaction back, always.
// - apply() returns exact answers by a savepoint before each many-row statement: when fewer rows matched than were sent, it
//   rolls back to it, asks under lock which rows match, and writes just those. The savepoint shows in the binlog as an event.
// - truncate() is DELETE without WHERE: TRUNCATE TABLE would commit the transaction.
// - Text keys are found byte by byte: a key that only the column's collation calls equal is another row here. Inserting
//   beside it is refused by the server (row_refused).
// - A dead session of ours may hold the control row's lock for a while: then begin() throws deadlock after the lock wait
//   timeout of 10 s.
#pragma once

#include <memory>
#include <string>

#include "duet/config.hpp"
#include "duet/mapping.hpp"
#include "duet/target.hpp"

namespace duet::mysql {

class target final : public duet::target_by_hand {
 public:
  // The mapping must outlive the target. A person's verbs work beside the hub's session and don't take its name.
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
  void emit_refresh(const table_pair&, row_view key, const owned_row* row, const decision_tag&) override;  // home's alone: throws internal
  void log_conflict(const conflict_entry&) override;
  void hold(const held_entry&) override;
  void release_held(std::uint64_t token) override;
  std::vector<table_copy> load_copies() override;
  bool start_copy(const table_pair&) override;
  void store_copy(const table_pair&, const table_copy&) override;  // InnoDB raises AUTO_INCREMENT by itself
  void savepoint() override;
  void rollback_to_savepoint() override;
  void commit(const control_row& final) override;
  void rollback() noexcept override;
  moved begin_locked() override;  // home's alone: throws internal
  std::vector<owned_row> read_rows(const table_pair&, std::span<const row_view> keys) override;
  control_row load_control() override;
  std::vector<std::pair<std::string, std::uint64_t>> load_held_tokens() override;

 private:
  void take_row(const table_pair&, class result&, owned_row&);
  std::vector<owned_row> select(const table_pair&, std::span<const row_view> keys, bool lock);

  struct session;
  std::unique_ptr<session> session_;
};

}  // namespace duet::mysql
