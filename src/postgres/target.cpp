#include "postgres/target.hpp"

#include "postgres/target_session.hpp"

namespace duet::postgres {

target::target(const endpoint& at, std::string link, const mapping&, user u) : at_(at), link_(std::move(link)), user_(u) {}
target::~target() = default;

target::session& target::opened() {
  if (!session_) throw failure(failure_kind::connection_lost, "home is not connected");
  return *session_;
}

void target::open() {
  close();
  auto fresh = std::make_unique<session>(at_, link_, user_);
  const std::lock_guard guard(mutex_);
  session_ = std::move(fresh);
}

void target::close() noexcept {
  std::unique_ptr<session> old;
  {
    const std::lock_guard guard(mutex_);
    old = std::move(session_);
  }
}

void target::interrupt() noexcept {
  const std::lock_guard guard(mutex_);
  if (session_) session_->interrupt();
}

void target::begin(const control_row& expected, const control_row& next, std::int64_t source_commit_time_us) {
  opened().begin(expected, next, source_commit_time_us);
}
void target::apply(const run& r, insert_mode mode, std::vector<std::uint32_t>& unmatched) { opened().apply(r, mode, unmatched); }
void target::truncate(std::span<const table_pair* const> tables) { opened().truncate(tables); }
std::vector<owned_row> target::lock_rows_with(const table_pair& table, std::span<const std::uint16_t> columns, std::span<const std::string> values) {
  return opened().lock_rows_with(table, columns, values);
}
std::vector<owned_row> target::lock_rows(const table_pair& table, std::span<const row_view> keys) {
  return opened().lock_rows(table, keys);
}
bool target::force(const table_pair& table, operation op, row_view before, row_view after, column_list columns) {
  return opened().force(table, op, before, after, columns);
}
void target::mark(const table_pair& table, row_view key, const std::string& column, std::optional<std::int64_t> time_us) {
  opened().mark(table, key, column, time_us);
}
log_position target::catch_up_point() { return opened().catch_up_point(); }
void target::emit_refresh(const table_pair& table, row_view key, const owned_row* row, const decision_tag& tag) {
  opened().emit_refresh(table, key, row, tag);
}
void target::log_conflict(const conflict_entry& entry) { opened().log_conflict(entry); }
void target::hold(const held_entry& entry) { opened().hold(entry); }
void target::release_held(std::uint64_t token) { opened().release_held(token); }
std::vector<table_copy> target::load_copies() { return opened().load_copies(); }
bool target::start_copy(const table_pair& table) { return opened().start_copy(table); }
void target::store_copy(const table_pair& table, const table_copy& copy) { opened().store_copy(table, copy); }
void target::savepoint() { opened().savepoint(); }
void target::rollback_to_savepoint() { opened().rollback_to_savepoint(); }
void target::commit(const control_row& final) { opened().commit(final); }
void target::rollback() noexcept {
  if (session_) session_->rollback();
}
target::moved target::begin_locked() { return opened().begin_locked(); }
std::vector<owned_row> target::read_rows(const table_pair& table, std::span<const row_view> keys) {
  return opened().read_rows(table, keys);
}
control_row target::load_control() { return opened().load_control(); }
std::vector<std::pair<std::string, std::uint64_t>> target::load_held_tokens() { return opened().load_held_tokens(); }

}  // namespace duet::postgres
