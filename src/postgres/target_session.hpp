// One connection that applies: the transaction under way, its prepared statements and buffers. Thrown away when the
// connection breaks.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "duet/target.hpp"
#include "postgres/array_writer.hpp"
#include "postgres/connection.hpp"
#include "postgres/copy_writer.hpp"
#include "postgres/sql_writer.hpp"
#include "postgres/target.hpp"
#include "postgres/target_pipeline.hpp"

namespace duet::postgres {

class target::session {
 public:
  session(const endpoint&, const std::string& link, user);
  void interrupt() noexcept;  // from another thread

  void begin(const control_row& expected, const control_row& next, std::int64_t source_commit_time_us);
  void apply(const run&, insert_mode, std::vector<std::uint32_t>& unmatched);
  void truncate(std::span<const table_pair* const>);
  std::vector<owned_row> lock_rows(const table_pair&, std::span<const row_view> keys);
  std::vector<owned_row> lock_rows_with(const table_pair&, column_list columns, std::span<const std::string> values);
  bool force(const table_pair&, operation, row_view before, row_view after, column_list columns);
  void mark(const table_pair&, row_view key, const std::string& column, std::optional<std::int64_t> time_us);
  log_position catch_up_point();
  void emit_refresh(const table_pair&, row_view key, const owned_row*, const decision_tag&);
  void log_conflict(const conflict_entry&);
  void hold(const held_entry&);
  void release_held(std::uint64_t token);
  std::vector<table_copy> load_copies();
  bool start_copy(const table_pair&);
  void store_copy(const table_pair&, const table_copy&);
  void savepoint();
  void rollback_to_savepoint();
  void commit(const control_row& final);
  void rollback() noexcept;
  moved begin_locked();
  std::vector<owned_row> read_rows(const table_pair&, std::span<const row_view> keys);
  control_row load_control();
  std::vector<std::pair<std::string, std::uint64_t>> load_held_tokens();

 private:
  enum tag : int { other, control, prepare, rows, committed };

  struct prepared {
    enum class use : std::uint8_t { insert_trusting, insert_checked, update, remove, lock, lock_with, read } is;
    std::vector<std::uint16_t> columns, guard, deltas;
    set_statement text;
    std::string name, doing;
    bool ready = false;  // the server has it
  };

  struct chunk {  // rows that one execution of a statement takes
    std::size_t first, end;
    result_handle answer;
  };

  void set_up_origin();
  void prepare_fixed_statements();
  void require_transaction() const;
  prepared& statement_for(const table_pair&, prepared::use, column_list columns, column_list guard, column_list deltas = {});
  std::size_t end_of_chunk(const prepared&, std::span<const run::row>, std::size_t first) const;
  void send_rows(const prepared&, std::span<const run::row>, std::size_t number);
  void execute(prepared&, std::span<const run::row>);  // its answers are in chunks_
  void find_unmatched(std::size_t rows, std::vector<std::uint32_t>& unmatched);
  void find_refused_keys(const table_pair&, std::span<const run::row>, std::vector<std::uint32_t>& unmatched);
  std::uint64_t insert(const table_pair&, column_list columns, std::span<const run::row>);  // without a check; how many were written
  std::uint64_t copy_in(const run&);
  static void take_row(const table_pair&, const PGresult*, int i, owned_row&);
  void select_missing(const table_pair&, prepared::use, std::span<const row_view> keys, std::vector<owned_row>&);
  void send_control(const control_row& expected, const control_row& next);
  void collect();                                     // of statements whose answers do not matter
  template <class Each> void collect(Each);
  [[noreturn]] void explain_control_mismatch();
  void forget_statements();

  const endpoint at_;
  const std::string link_;
  const bool of_hub_;
  bool prepared_ = false;
  struct free_cancel {
    void operator()(PGcancel* c) const noexcept { PQfreeCancel(c); }
  };

  connection_handle connection_;
  std::unique_ptr<PGcancel, free_cancel> cancel_;
  connection_handle sync_connection_;    // the second one is opened when it is first needed
  std::unique_ptr<target_pipeline> pipeline_;
  bool in_transaction_ = false, has_savepoint_ = false;
  control_row expected_, given_;
  std::int64_t commit_time_us_ = 0;

  std::vector<std::vector<std::unique_ptr<prepared>>> statements_;  // by table_pair::id
  std::size_t statement_count_ = 0, statement_number_ = 0;

  // scratch
  std::vector<array_writer> arrays_;
  std::vector<parameter> parameters_;
  std::vector<std::uint8_t> matched_;
  std::vector<chunk> chunks_;
  std::vector<run::row> key_rows_;
  std::vector<std::size_t> key_numbers_;
  copy_writer copy_;
};

}  // namespace duet::postgres
