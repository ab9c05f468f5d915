// The spoke as `check`, `setup`, `teardown`, `status` and the start-up handshake see it. See duet/site.hpp for the promises.
//
// Identity: MySQL's server_uuid. MariaDB has none that stays with its data, so setup stores a uuid of its own in duet.server,
// and the identity is "<that uuid>/<server_id>": another server is found out by the uuid, a replica or a clone with its own
// server_id by that. A restored older copy of the same server has the same identity on both; check_log() and the
// fingerprints find it out. Before setup, identity() proposes the uuid that setup() of this object then stores.
//
// Take-over: GET_LOCK('duet:<link>') on a connection that lives as long as this object says who the hub is. The applier's
// session holds 'duet:<link>:apply', so that a forced take-over can end it.
#pragma once

#include <memory>
#include <string>

#include "duet/config.hpp"
#include "duet/site.hpp"

namespace duet::mysql {

class site final : public duet::site {
 public:
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
  control_row take_over(std::uint64_t at_least, bool force) override;
  control_row set_back(const control_row&) override;
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
  std::string describe(log_position) const override;  // binlog.000007:1234

 private:
  struct sessions;

  void take_lock(bool force);
  void end_sessions();
  bool has_bookkeeping();
  bool copy_is_begun(const table_pair&);
  std::vector<std::string> what_is_missing();
  void check_rights(const table_pair&, findings&);

  const endpoint at_;
  const std::string link_;
  const std::unique_ptr<sessions> sessions_;
};

}  // namespace duet::mysql
