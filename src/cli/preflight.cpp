#include "cli/preflight.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <map>
#include <utility>

#include "config/config_reader.hpp"
#include "conflict/script.hpp"
#include "duet/failure.hpp"
#include "pipeline/clocks.hpp"
#include "pipeline/images.hpp"
#include "pipeline/schema_fit.hpp"
#include "translate/translate.hpp"

namespace duet::cli {

namespace {

finding finding_of(const failure& f, const char* where) {
  const std::string code = f.server_code.empty() ? "" : " (server: " + f.server_code + ")";
  return {finding::level::refuse, std::string(name(f.kind)), f.what() + code,
          f.remedy.empty() ? std::string(advice(f.kind)) : f.remedy, where};
}

bool is_connection(failure_kind k) { return k == failure_kind::cannot_connect || k == failure_kind::connection_lost; }

}  // namespace

failure connect_failure(failure f) {
  f.kind = failure_kind::cannot_connect;
  return f;
}

preflight::preflight(std::string config_file, const engines& e) : config_file_(std::move(config_file)), engines_(e) {}

template <class F>
bool preflight::step(findings& into, const char* where, F f) {
  try {
    f();
    return true;
  } catch (const failure& e) {
    if (is_connection(e.kind)) unreachable_ = true;
    into.push_back(finding_of(e, where));
    return false;
  }
}

bool preflight::load() {
  step(in_config_, "config", [&] { cfg = load_config(config_file_, in_config_); });
  for (const conflict_script& s : cfg.scripts) {
    const std::string problem = conflict::script(s.file, s.text).problem();
    if (problem.empty()) continue;
    in_config_.push_back({finding::level::refuse, "script_broken", "this script can't decide conflicts: " + problem,
                          "mend that line; the file must define `function resolve(c)`, and has no I/O, no other files and a time limit",
                          fmt::format("{}:{}", config_file_, s.at.line)});
  }
  config_refused_ = refused(in_config_);
  if (!config_refused_)
    in_config_.insert(in_config_.begin(), {finding::level::ok, "config",
                                           fmt::format("{}: link {}, {} table {}", config_file_, cfg.link, cfg.tables.size(),
                                                       cfg.tables.size() == 1 ? "rule" : "rules"),
                                           "", "config"});
  return !config_refused_;
}

bool preflight::connect(const endpoint& at, const char* where, findings& into, const std::function<std::unique_ptr<site>()>& make,
                        std::unique_ptr<site>& out, site_identity& identity) {
  const bool ok = step(into, where, [&] {
    out = make();
    try {
      out->connect();
    } catch (const failure& f) {
      throw connect_failure(f);
    }
    identity = out->identity();
    into.push_back({finding::level::ok, "connected", fmt::format("connected to {} {} as {}", identity.product, identity.version, at.describe()),
                    "", where});
  });
  if (!ok) out.reset();
  return ok;
}

bool preflight::connect() {
  const bool home_ok = !want_home ||
      connect(cfg.home, "home", at_home_, [&] { return engines_.home_site(cfg.home, cfg.link); }, home, home_identity);
  const bool spoke_ok = !want_spoke ||
      connect(cfg.spoke, "spoke", at_spoke_, [&] { return engines_.spoke_site(cfg.spoke, cfg.link); }, spoke, spoke_identity);
  return home_ok && spoke_ok;
}

void preflight::look_further() {
  want_home = !cfg.home.flawed && !cfg.home.host.empty();
  want_spoke = !cfg.spoke.flawed && !cfg.spoke.host.empty();
  connect();
  bind();
  check();
  if (!cfg.link.empty()) check_set_up();
}

void preflight::bind() {
  if (!home || !spoke) return;
  const bool home_ok = step(at_home_, "home", [&] { home_tables = home->load_tables(translate::table_patterns(cfg, side::home)); });
  const bool spoke_ok = step(at_spoke_, "spoke", [&] { spoke_tables = spoke->load_tables(translate::table_patterns(cfg, side::spoke)); });
  if (!home_ok || !spoke_ok) return;
  step(in_tables_, "tables", [&] { tables = translate::bind(cfg, home_tables, spoke_tables, in_tables_); });
  if (spoke_identity.product == "MariaDB") take_whole_seconds();
}

void preflight::take_whole_seconds() {
  tables.commit_time_grain_us = 1'000'000;
  std::string names;
  for (const table_pair& t : tables.tables)
    if (t.direction == flow::both && t.policy.compares_commit_times())
      names += (names.empty() ? "" : ", ") + t.home.schema + "." + t.home.name;
  if (names.empty()) return;
  in_tables_.push_back({finding::level::warn, "commit_time_seconds",
                        names + ": the later commit wins, and MariaDB's log has commit times in whole seconds: within one second home wins",
                        "map an updated_at(6) column and name it in latest_by; for update_vs_delete write update_wins or delete_wins", "spoke"});
}

void preflight::check() {
  if (home && step(at_home_, "home", [&] { home->check_server(at_home_); }))
    check_tables(*home, "home");
  if (spoke && step(at_spoke_, "spoke", [&] { spoke->check_server(at_spoke_); }))
    check_tables(*spoke, "spoke");
  if (home && spoke) step(at_spoke_, "spoke", [&] { compare_clocks(); });
  if (config_refused_) return;
  const int days = cfg.conflict_log_retention_days;
  in_config_.push_back({finding::level::ok, "log_retention",
                        days ? fmt::format("rows of duet.conflict_log are removed after {} days", days) : "rows of duet.conflict_log are never removed", "", "config"});
}

// A site says which table it means; here the line of its rule is added.
void preflight::check_tables(site& at, const char* where) {
  const std::size_t before = in_tables_.size();
  step(in_tables_, where, [&] { at.check_tables(tables, in_tables_); });
  std::map<std::string, int> lines;
  for (const table_pair& t : tables.tables) {
    const table_schema& here = t.on(&at == home.get() ? side::home : side::spoke);
    lines[here.schema + "." + here.name] = t.line;
  }
  for (auto f = in_tables_.begin() + static_cast<std::ptrdiff_t>(before); f != in_tables_.end(); ++f) {
    const auto line = lines.find(f->where);
    if (line == lines.end()) continue;
    f->text = f->where + ": " + f->text;
    f->where = fmt::format("{}:{}", config_file_, line->second);
  }
}

void preflight::compare_clocks() {
  const auto clocks = pipeline::compare_clocks(*home, *spoke, cfg.clock_offset_limit_ms);
  if (!clocks) return;
  const bool asked = std::any_of(tables.tables.begin(), tables.tables.end(),
                                 [](const table_pair& t) { return t.direction == flow::both && t.policy.compares_commit_times(); });
  const std::string text = observe::clocks_text(*clocks);
  if (!clocks->beyond_limit() || !asked) return at_spoke_.push_back({finding::level::ok, "clock_offset", text, "", "spoke"});
  at_spoke_.push_back({finding::level::warn, "clock_offset",
                       text + fmt::format(", more than conflicts.clock_offset_limit ({} ms): where the later commit wins, the clock that is ahead does",
                                          cfg.clock_offset_limit_ms),
                       "set both servers' clocks by NTP, or go by a column: latest_by", "spoke"});
}

// A table of a running link that no longer fits waits; the link does not.
void preflight::excuse_paused_tables() {
  if (!home || !spoke || home_tables.empty()) return;
  step(at_home_, "home", [&] {
    for (const table_note& note : home->load_table_notes()) {
      const table_rule* rule = note.table.empty() ? nullptr : translate::rule_of(cfg, note.table);
      if (!rule) continue;
      const pipeline::known_table known = pipeline::decode_known_table(note.text);
      const auto find = [](const auto& all, const auto& is_it) {
        const auto at = std::find_if(all.begin(), all.end(), is_it);
        return at == all.end() ? nullptr : &*at;
      };
      const auto fit = pipeline::judge(
          known, find(home_tables, [&](const table_schema& t) { return t.schema + "." + t.name == note.table; }),
          find(spoke_tables, [&](const table_schema& t) { return t.schema == known.spoke_schema && t.name == known.spoke_name; }),
          find(tables.tables, [&](const table_pair& t) { return pipeline::table_name(t) == note.table; }), *rule, note.table, in_tables_);
      if (fit.fits() && !known.paused) continue;
      for (finding& f : in_tables_)
        if (f.table == note.table && f.is == finding::level::refuse && (known.paused || !pipeline::same_columns(known, fit.now))) f.is = finding::level::warn;
      const std::string reason = known.paused && (fit.fits() || known.paused->for_good) ? known.paused->reason : fit.reason;
      in_tables_.push_back({finding::level::warn, "table_paused", note.table + " is paused, or will be at the next start: " + reason, fit.remedy, "tables", note.table});
    }
  });
}

void preflight::check_set_up() {
  excuse_paused_tables();
  if (home) step(at_home_, "home", [&] { home->check_set_up(at_home_); });
  if (spoke) step(at_spoke_, "spoke", [&] { spoke->check_set_up(at_spoke_); });
}

int preflight::exit_code() const {
  if (config_refused_) return exit_usage;
  if (unreachable_) return exit_unreachable;
  for (const findings* f : {&in_config_, &at_home_, &at_spoke_, &in_tables_})
    if (refused(*f)) return exit_findings;
  return exit_fine;
}

std::vector<observe::finding_group> preflight::groups() const {
  return {{"config", "config", in_config_}, {"home", "home", at_home_}, {"spoke", "spoke", at_spoke_}, {"tables", "tables", in_tables_}};
}

std::string preflight::complaints() const { return observe::findings_text(groups(), true); }

}  // namespace duet::cli
