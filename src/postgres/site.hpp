// Home as `check`, `setup`, `teardown`, `status` and the start-up handshake see it. See duet/site.hpp for the promises.
#pragma once

#include <memory>

#include "duet/site.hpp"

namespace duet::postgres {

class site final : public duet::site {
 public:
  // `link` names the slot, publication and origin duet_<link>, and the rows in schema duet.
  site(const endpoint&, std::string link);
  ~site() override;

  void connect() override;
  site_identity identity() override;
  std::vector<table_schema> load_tables(const std::vector<std::string>& patterns) override;

  void check_server(findings&) override;
  void check_tables(const mapping&, findings&) override;
  void check_set_up(findings&) override;

  std::vector<std::string> setup_statements(const mapping&, bool for_dba) override;
  void create_table(const std::string& sql) override;
  std::vector<column_detail> load_column_details(const table_schema&) override;
  void alter_table(const std::string& sql) override;
  void setup(const mapping&) override;
  log_position start_position() override;
  bool init_control(const control_row&) override;
  std::vector<std::string> teardown_statements() override;
  void teardown() override;

  std::optional<control_row> load_control() override;
  // Holds an advisory lock from here on, for the life of this object.
  control_row take_over(std::uint64_t at_least, bool force) override;
  control_row set_back(const control_row&) override;
  std::vector<table_note> load_table_notes() override;
  void store_table_note(const table_note&) override;
  void check_log(log_position start, log_position known) override;
  site_status status() override;
  std::vector<logged_conflict> load_conflicts(const conflict_filter&) override;
  std::vector<held_change> load_held() override;
  std::vector<aged_conflict> load_oldest_conflicts(std::uint64_t after_id, int days, std::size_t limit) override;
  void remove_conflicts(std::span<const std::uint64_t> ids) override;
  std::vector<table_key> load_held_keys() override;
  void remove_held(std::uint64_t token) override;
  std::optional<clock_reading> read_clock() override;
  void interrupt() noexcept override;
  std::string describe(log_position) const override;

 private:
  struct connections;  // libpq's stay in this folder

  void take_lock(bool force);
  void end_sessions();
  [[noreturn]] void report_holder();
  bool publishes_generated_columns();
  bool publishes_all(const mapping&);
  std::vector<std::string> published();
  bool has_bookkeeping();
  bool copy_is_begun(const table_schema&);
  std::vector<std::string> what_is_missing();

  const endpoint at_;
  const std::string link_, object_name_;  // duet_<link>
  const std::unique_ptr<connections> connections_;
};

}  // namespace duet::postgres
