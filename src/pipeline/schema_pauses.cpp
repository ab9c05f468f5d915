// schema_changes, continued: tables that wait, and how they go on.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "pipeline/schema_changes.hpp"

namespace duet::pipeline {
namespace {

std::int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

bool schema_changes::catches_up(const std::string& table) const {
  return resuming_ && std::find(resuming_->tables.begin(), resuming_->tables.end(), table) != resuming_->tables.end();
}

// The tables that it refers to, as far as they are synced.
std::vector<std::string> schema_changes::parents_of(const std::string& table, const catalogs& now) const {
  std::vector<std::string> parents;
  const auto dot = table.find('.');
  const known_table& k = known_.at(table);
  if (const table_schema* t = now.find(side::home, table.substr(0, dot), table.substr(dot + 1)))
    for (const foreign_key& f : t->foreign_keys)
      if (known_.contains(f.parent_schema + '.' + f.parent_table)) parents.push_back(f.parent_schema + '.' + f.parent_table);
  if (const table_schema* t = now.find(side::spoke, k.spoke_schema, k.spoke_name))
    for (const foreign_key& f : t->foreign_keys)
      for (const auto& [name, parent] : known_)
        if (parent.spoke_schema == f.parent_schema && parent.spoke_name == f.parent_table) parents.push_back(name);
  std::erase(parents, table);
  return parents;
}

void schema_changes::pause_table(const std::string& table, const std::string& reason, const std::string& remedy, bool for_good, const control_row& at_home,
                                 const control_row& at_spoke) {
  known_table& k = known_.at(table);
  if (k.paused) {
    k.paused->reason = reason;
    k.paused->remedy = remedy;
    k.paused->for_good |= for_good;
    return;
  }
  both_places at{place::of(at_home), place::of(at_spoke)};
  if (catches_up(table)) {
    std::erase(resuming_->tables, table);
  } else if (resuming_) {  // the control rows are further back than this table is
    if (at.home.position < resuming_->resumed.others.home.position) at.home = resuming_->resumed.others.home;
    if (at.spoke.position < resuming_->resumed.others.spoke.position) at.spoke = resuming_->resumed.others.spoke;
  }
  k.paused = pause_note{reason, remedy, now_us(), at, for_good};
  futile_ = 0;
  met_.erase(table);
  spdlog::warn("{}: paused, its changes wait in the logs: {}{}{}", table, reason, remedy.empty() ? "" : "; to do: ", remedy);
}

void schema_changes::pause_unfit(site& home, const fits& all, const catalogs& now, const control_row& at_home, const control_row& at_spoke) {
  std::set<std::string> touched;
  std::map<std::string, std::string> because;  // of a parent
  for (const auto& [table, fit] : all) {
    const known_table& k = known_.at(table);
    const bool for_good = (k.paused && k.paused->for_good) || met_[table] > futile_max;
    if (fit.fits() && !for_good) continue;
    if (for_good && fit.fits())
      pause_table(table, k.paused ? k.paused->reason : "its log can't be followed: " + met_why_, "duet teardown and duet setup", true, at_home, at_spoke);
    else
      pause_table(table, fit.reason, fit.remedy, for_good, at_home, at_spoke);
    touched.insert(table);
  }
  for (bool more = true; more;) {
    more = false;
    for (const auto& [table, k] : known_) {
      if (touched.contains(table)) continue;
      for (const std::string& parent : parents_of(table, now)) {
        if (!touched.contains(parent)) continue;
        pause_table(table, "it refers to " + parent + ", which is paused", "", false, at_home, at_spoke);
        more = touched.insert(table).second;
        break;
      }
    }
  }
  for (const std::string& table : touched) store(home, table);
  if (resuming_) home.store_table_note({"", encode(*resuming_)});
}

// ---------------------------------------------------------------------------------------------- going on

// Tables that were paused at the same place and fit again, with all that they refer to.
void schema_changes::begin_resuming(const fits& all, const catalogs& now, site& home, site& spoke, const control_row& at_home, const control_row& at_spoke) {
  std::set<std::string> ready;
  for (const auto& [table, k] : known_)
    if (k.paused && !k.paused->for_good && all.at(table).fits()) ready.insert(table);
  for (bool less = true; less;) {  // none whose parent waits on
    less = std::erase_if(ready, [&](const std::string& table) {
             const std::vector<std::string> parents = parents_of(table, now);
             return std::any_of(parents.begin(), parents.end(), [&](const std::string& p) { return known_.at(p).paused && !ready.contains(p); });
           }) > 0;
  }
  while (!ready.empty()) {
    std::set<std::string> group;
    for (const std::string& table : ready)
      if (known_.at(table).paused->at.home == known_.at(*ready.begin()).paused->at.home && known_.at(table).paused->at.spoke == known_.at(*ready.begin()).paused->at.spoke)
        group.insert(table);
    const bool after_parents = std::all_of(group.begin(), group.end(), [&](const std::string& table) {
      const std::vector<std::string> parents = parents_of(table, now);
      return std::none_of(parents.begin(), parents.end(), [&](const std::string& p) { return known_.at(p).paused && !group.contains(p); });
    });
    for (const std::string& table : group) ready.erase(table);
    if (!after_parents) continue;
    const both_places at = known_.at(*group.begin()).paused->at;
    try {
      home.check_log(std::min(at.spoke.position, at.home.floor), at.spoke.position);
      spoke.check_log(std::min(at.home.position, at.spoke.floor), at.home.position);
    } catch (const failure& f) {
      if (f.kind != failure_kind::log_lost) throw;
      for (const std::string& table : group) {
        pause_table(table, std::string("what has waited is no longer in the log: ") + f.what(), "duet teardown and duet setup", true, at_home, at_spoke);
        store(home, table);
      }
      continue;
    }
    link_note n;
    n.resumed.paused = at;
    n.resumed.others = {place::of(at_home), place::of(at_spoke)};
    n.tables.assign(group.begin(), group.end());
    home.store_table_note({"", encode(n)});
    resuming_ = std::move(n);
    for (const std::string& table : group) {
      known_.at(table) = all.at(table).now;
      store(home, table);
      met_.erase(table);
      spdlog::info("{}: both sides fit again, it catches up with what has waited", table);
    }
    futile_ = 0;
    return;
  }
}

void schema_changes::set_back(site& home, site& spoke, control_row& at_home, control_row& at_spoke) {
  const auto to = [](control_row row, const place& p) {
    row.position = p.position;
    row.floor = p.floor;
    row.fingerprint = p.fingerprint;
    return row;
  };
  at_home = home.set_back(to(at_home, resuming_->resumed.paused.home));
  at_spoke = spoke.set_back(to(at_spoke, resuming_->resumed.paused.spoke));
  resuming_->resumed.counters[static_cast<int>(side::home)] = at_home.counter;
  resuming_->resumed.counters[static_cast<int>(side::spoke)] = at_spoke.counter;
  resuming_->set_back = true;
  home.store_table_note({"", encode(*resuming_)});
}

void schema_changes::end_resuming(site& home) {
  home.store_table_note({"", ""});
  for (const std::string& table : resuming_->tables) spdlog::info("{}: it has caught up", table);
  resuming_.reset();
  tell();
}

}  // namespace duet::pipeline
