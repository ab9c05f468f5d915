#include "pipeline/schema_changes.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "pipeline/images.hpp"
#include "translate/translate.hpp"

namespace duet::pipeline {
namespace {

bool same_columns(const known_table& k, const table_pair& t) {
  for (const side s : {side::home, side::spoke}) {
    const auto& known = k.columns[static_cast<int>(s)];
    if (!std::equal(known.begin(), known.end(), t.on(s).columns.begin(), t.on(s).columns.end(),
                    [](const known_column& a, const column& b) { return a.name == b.name && a.type == b.type.native; }))
      return false;
  }
  return k.synced.size() == t.columns.size() && std::equal(k.synced.begin(), k.synced.end(), t.columns.begin(), [](const auto& a, const column_pair& b) {
           return a.first == b.home.name && a.second == b.spoke.name;
         });
}

}  // namespace

const table_schema* schema_changes::catalogs::find(side s, const std::string& schema, const std::string& name) const {
  for (const table_schema& t : s == side::home ? home : spoke)
    if (t.schema == schema && t.name == name) return &t;
  return nullptr;
}

std::optional<mapping> schema_changes::settle(site& home, site& spoke, control_row& at_home, control_row& at_spoke, link_state& link) {
  const std::lock_guard lock(mutex_);
  load(home);
  add_new_tables(home);
  if (resuming_ && !resuming_->set_back) set_back(home, spoke, at_home, at_spoke);  // a crash has come between
  if (resuming_ && resuming_->set_back && resuming_->resumed.done(at_home, at_spoke)) end_resuming(home);
  const bool waits = resuming_ || std::any_of(known_.begin(), known_.end(), [](const auto& k) { return k.second.paused.has_value(); });
  if (!asked_ && !waits && !link.resumed && is_as_known()) {
    if (signature_.empty()) {
      catalogs now;
      for (const table_pair& t : running_.tables) now.home.push_back(t.home), now.spoke.push_back(t.spoke);
      signature_ = signature_of(now);
    }
    return std::nullopt;
  }
  asked_ = announced_ = false;
  follow_again_ = never;
  catalogs now = load_catalogs(home, spoke);
  fits all;
  mapping bound = judge_all(home, spoke, now, all);
  if (follow(home, spoke, all)) {
    now = load_catalogs(home, spoke);
    fits again;
    bound = judge_all(home, spoke, now, again);
    for (auto& [table, fit] : again)
      if (!fit.fits()) fit.reason = all.at(table).reason;  // with what the server has said
    all = std::move(again);
  }
  pause_unfit(home, all, now, at_home, at_spoke);
  for (auto& [table, fit] : all) {
    known_table& k = known_.at(table);
    if (!fit.fits() || k.paused || (k.columns[0] == fit.now.columns[0] && k.columns[1] == fit.now.columns[1] && k.synced == fit.now.synced)) continue;
    spdlog::info("{}: its columns are other ones now on both sides, {} of them are synced", table, fit.now.synced.size());
    k = fit.now;
    store(home, table);
    met_.erase(table);
    futile_ = 0;
  }
  if (!resuming_) begin_resuming(all, now, home, spoke, at_home, at_spoke);
  if (resuming_ && !resuming_->set_back) set_back(home, spoke, at_home, at_spoke);
  signature_ = signature_of(now);
  link.resumed = resuming_ ? std::optional(resuming_->resumed) : std::nullopt;
  for (log_position& from : link.kept_from) from = {};
  const auto keep = [&](side log, log_position a, log_position b) {
    log_position& from = link.kept_from[static_cast<int>(log)];
    from = std::min(from ? from : std::min(a, b), std::min(a, b));
  };
  for (const auto& [table, k] : known_) {
    if (!k.paused || k.paused->for_good) continue;
    keep(side::home, k.paused->at.spoke.position, k.paused->at.home.floor);
    keep(side::spoke, k.paused->at.home.position, k.paused->at.spoke.floor);
  }
  tell();
  running_ = compose(std::move(bound));
  return running_;
}

void schema_changes::load(site& home) {
  for (const table_note& n : home.load_table_notes()) {
    if (n.table.empty()) resuming_ = decode_link_note(n.text);
    else known_[n.table] = decode_known_table(n.text);
  }
  for (auto it = known_.begin(); it != known_.end();) {
    const bool configured = translate::rule_of(config_, it->first) != nullptr;
    if (!configured) home.store_table_note({it->first, ""});
    it = configured ? std::next(it) : known_.erase(it);
  }
  if (!resuming_) return;
  for (const std::string& table : resuming_->tables)  // a crash may have come before this was written
    if (const auto k = known_.find(table); k != known_.end()) k->second.paused.reset();
}

void schema_changes::add_new_tables(site& home) {
  for (const table_pair& t : running_.tables) {
    const auto [k, fresh] = known_.emplace(table_name(t), note_of(t));
    if (!fresh) continue;
    for (const column_detail& d : home.load_column_details(t.home))
      for (known_column& c : k->second.columns[static_cast<int>(side::home)])
        if (c.name == d.name) c.number = d.number;
    store(home, k->first);
  }
}

bool schema_changes::is_as_known() const {
  return running_.tables.size() == known_.size() &&
         std::all_of(running_.tables.begin(), running_.tables.end(), [&](const table_pair& t) { return same_columns(known_.at(table_name(t)), t); });
}

schema_changes::catalogs schema_changes::load_catalogs(site& home, site& spoke) const {
  return {home.load_tables(translate::table_patterns(config_, side::home)), spoke.load_tables(translate::table_patterns(config_, side::spoke))};
}

std::string schema_changes::signature_of(const catalogs& c) const {
  std::string out;
  for (const auto& [table, k] : known_) {
    const auto dot = table.find('.');
    for (const table_schema* t : {c.find(side::home, table.substr(0, dot), table.substr(dot + 1)), c.find(side::spoke, k.spoke_schema, k.spoke_name)})
      out += t ? signature(*t) : "gone\n";
  }
  return out;
}

mapping schema_changes::judge_all(site& home, site& spoke, const catalogs& now, fits& all) const {
  findings found;
  mapping bound = translate::bind(config_, now.home, now.spoke, found);
  for (const auto& [table, k] : known_) {
    const auto dot = table.find('.');
    const auto pair = std::find_if(bound.tables.begin(), bound.tables.end(), [&](const table_pair& t) { return table_name(t) == table; });
    const table_schema* const h = now.find(side::home, table.substr(0, dot), table.substr(dot + 1));
    const table_schema* const s = now.find(side::spoke, k.spoke_schema, k.spoke_name);
    details_of_sides details;
    if (h && s && pair != bound.tables.end() && same_columns(k, *pair) && !k.paused) {
      for (const known_column& c : k.columns[0]) details.of[0].push_back({c.name, c.number, false, false, {}});
    } else if (h && s) {
      details = {{home.load_column_details(*h), spoke.load_column_details(*s)}};
    }
    all.emplace(table, judge(k, h, s, pair == bound.tables.end() ? nullptr : &*pair, *translate::rule_of(config_, table), table, found, &details));
  }
  return bound;
}

// Alters the other side. True: something was altered, or could not be.
bool schema_changes::follow(site& home, site& spoke, fits& all) {
  bool tried = false;
  for (auto& [table, fit] : all) {
    const known_table& k = known_.at(table);
    if (fit.fits() || !fit.can_follow || (k.paused && k.paused->for_good) || translate::rule_of(config_, table)->on_schema_change != schema_rule::follow) continue;
    tried = true;
    try {
      for (const alteration& a : fit.alterations) {
        spdlog::info("{}: following a change of {}: {}", table, name(other(a.at)), a.sql);
        (a.at == side::home ? home : spoke).alter_table(a.sql);
      }
    } catch (const failure& f) {
      if (f.kind == failure_kind::connection_lost || f.kind == failure_kind::cannot_connect) throw;
      if (f.kind == failure_kind::deadlock) follow_again_ = std::chrono::steady_clock::now() + follow_pause;
      fit.reason += std::string("; it can't be followed: ") + f.what();
    }
  }
  return tried;
}

// What the lanes go on with: the tables that are known and not paused.
mapping schema_changes::compose(mapping bound) const {
  mapping out;
  out.commit_time_grain_us = running_.commit_time_grain_us;
  std::vector<int> id(bound.tables.size(), -1);
  for (table_pair& t : bound.tables) {
    const auto k = known_.find(table_name(t));
    if (k == known_.end() || k->second.paused) continue;
    id[t.id] = static_cast<int>(out.tables.size());
    t.catches_up = catches_up(k->first);
    for (column_pair& c : t.columns)
      for (const side s : {side::home, side::spoke})
        if (const known_column* known = k->second.find(s, c.on(s).name)) c.former[static_cast<int>(s)] = known->former;
    out.tables.push_back(std::move(t));
  }
  for (table_pair& t : out.tables) {
    t.id = static_cast<std::uint16_t>(id[t.id]);
    std::vector<std::uint16_t> parents;
    for (const std::uint16_t p : t.parents)
      if (id[p] >= 0) parents.push_back(static_cast<std::uint16_t>(id[p]));
    t.parents = std::move(parents);
  }
  for (const auto& [table, k] : known_) {
    if (!k.paused) continue;
    const auto dot = table.find('.');
    out.waiting.push_back({table.substr(0, dot), table.substr(dot + 1), k.spoke_schema, k.spoke_name});
  }
  return out;
}

// ---------------------------------------------------------------------------------------------- beside the lanes

bool schema_changes::met(const failure& f) {
  const std::lock_guard lock(mutex_);
  asked_ = true;
  if (std::exchange(announced_, false)) return true;
  met_why_ = f.what();
  if (!f.table.empty()) return ++met_[f.table] <= futile_max + 2;
  return ++futile_ <= futile_max;
}

bool schema_changes::look(site& home, site& spoke) {
  const std::lock_guard lock(mutex_);
  if (announced_) return false;
  bool ended = false;
  if (resuming_ && resuming_->set_back) {
    const auto h = home.load_control(), s = spoke.load_control();
    if ((ended = h && s && resuming_->resumed.done(*h, *s))) end_resuming(home);
  }
  const bool others_wait = ended && std::any_of(known_.begin(), known_.end(), [](const auto& k) { return k.second.paused && !k.second.paused->for_good; });
  const bool follows = std::chrono::steady_clock::now() >= follow_again_;
  if (!others_wait && !follows && signature_of(load_catalogs(home, spoke)) == signature_) return false;
  return asked_ = announced_ = true;
}

bool schema_changes::anything_waits() const {
  const std::lock_guard lock(told_mutex_);
  return !told_.empty();
}

std::vector<paused_table> schema_changes::status() const {
  const std::lock_guard lock(told_mutex_);
  return told_;
}

void schema_changes::tell() {
  std::vector<paused_table> all;
  for (const auto& [table, k] : known_) {
    if (k.paused) all.push_back({table, k.paused->reason, k.paused->remedy, k.paused->since_us});
    else if (catches_up(table)) all.push_back({table, "", "", 0});
  }
  const std::lock_guard lock(told_mutex_);
  told_ = std::move(all);
}

}  // namespace duet::pipeline
