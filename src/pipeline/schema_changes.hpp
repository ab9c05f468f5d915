// Changes of synced tables while a link runs.
//
// They are noticed by the readers (the log has another table than the mapping), by the targets (a statement names a column that
// is gone) and by a look at both catalogs every few seconds. Each time what has been read is written, the lanes begin anew, and
// before they do both catalogs are bound again:
//
//   a table whose sides fit      goes on, with the columns that it has now
//   one whose sides don't fit    is paused: it leaves the mapping, and both logs are kept from here on
//   a paused one that fits again catches up: both control rows are set back to where it was paused (pipeline/resumption.hpp)
//
// What is remembered between two starts is in duet.table_state. Tables that refer to a paused one by a foreign key are paused
// with it.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "duet/config.hpp"
#include "duet/failure.hpp"
#include "duet/site.hpp"
#include "duet/status.hpp"
#include "pipeline/applier.hpp"
#include "pipeline/schema_fit.hpp"

namespace duet::pipeline {

class schema_changes {
 public:
  static constexpr int futile_max = 5;  // starts in a row that find nothing to mend
  static constexpr std::chrono::seconds follow_pause{10};
  static constexpr auto never = std::chrono::steady_clock::time_point::max();

  schema_changes(const config& c, const mapping& first) : config_(c), running_(first) {}

  // At each start of the lanes, when both control rows are ours: sets them and the link's state to what is to be done. The
  // mapping to go on with, if it is another one. Throws failure.
  std::optional<mapping> settle(site& home, site& spoke, control_row& at_home, control_row& at_spoke, link_state&);

  // A lane has met a change. False: looking again has not helped before, so somebody must act.
  bool met(const failure&);

  // Beside the lanes, on connections of its own. True: the lanes must begin anew.
  bool look(site& home, site& spoke);

  bool anything_waits() const;                // paused or catching up; any thread
  std::vector<paused_table> status() const;   // any thread

 private:
  struct catalogs {
    std::vector<table_schema> home, spoke;
    const table_schema* find(side, const std::string& schema, const std::string& name) const;
  };
  using fits = std::map<std::string, schema_fit>;

  void load(site& home);
  void add_new_tables(site& home);
  bool is_as_known() const;
  catalogs load_catalogs(site& home, site& spoke) const;
  std::string signature_of(const catalogs&) const;
  mapping judge_all(site& home, site& spoke, const catalogs&, fits&) const;
  bool follow(site& home, site& spoke, fits&);
  void pause_unfit(site& home, const fits&, const catalogs&, const control_row& at_home, const control_row& at_spoke);
  void pause_table(const std::string& table, const std::string& reason, const std::string& remedy, bool for_good, const control_row& at_home, const control_row& at_spoke);
  std::vector<std::string> parents_of(const std::string& table, const catalogs&) const;
  void begin_resuming(const fits&, const catalogs&, site& home, site& spoke, const control_row& at_home, const control_row& at_spoke);
  void set_back(site& home, site& spoke, control_row& at_home, control_row& at_spoke);
  void end_resuming(site& home);
  mapping compose(mapping bound) const;
  void store(site& home, const std::string& table) { home.store_table_note({table, encode(known_.at(table))}); }
  bool catches_up(const std::string& table) const;
  void tell();

  const config& config_;
  mapping running_;                            // what the lanes run with
  std::mutex mutex_;                 // one settles or looks
  std::map<std::string, known_table> known_;   // by home's name
  std::optional<link_note> resuming_;
  std::string signature_;
  bool asked_ = false, announced_ = false;
  int futile_ = 0;
  std::chrono::steady_clock::time_point follow_again_ = never;  // a table was busy
  std::map<std::string, int> met_;             // by table: since something last changed
  std::string met_why_;

  mutable std::mutex told_mutex_;
  std::vector<paused_table> told_;
};

}  // namespace duet::pipeline
