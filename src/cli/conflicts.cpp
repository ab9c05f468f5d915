// duet conflicts: what the conflict log of both sides says. Values of rows are shown under `show` only.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>

#include "cli/answer.hpp"
#include "cli/ledger.hpp"
#include "config/quantity.hpp"
#include "duet/failure.hpp"
#include "observe/printable.hpp"

namespace duet::cli {

namespace {

// "10m", "2h", "3d" before now; or a time in UTC: "2026-03-01", "2026-03-01 12:00", "2026-03-01T12:00:00Z".
std::int64_t decode_since(const std::string& text) {
  if (text.empty()) return 0;
  std::tm t{};
  int used = 0;
  const auto whole = [&](int n) {
    return n > 0 && (text.substr(static_cast<std::size_t>(n)).empty() || text.substr(static_cast<std::size_t>(n)) == "Z");
  };
  char between = 0;
  const auto read = [&](const char* format, int wanted) {
    t = {};
    used = 0;
    return std::sscanf(text.c_str(), format, &t.tm_year, &t.tm_mon, &t.tm_mday, &between, &t.tm_hour, &t.tm_min, &t.tm_sec, &used) == wanted && whole(used);
  };
  const bool day = std::sscanf(text.c_str(), "%4d-%2d-%2d%n", &t.tm_year, &t.tm_mon, &t.tm_mday, &used) == 3 && whole(used);
  if (day || read("%4d-%2d-%2d%c%2d:%2d:%2d%n", 7) ||
      (std::sscanf(text.c_str(), "%4d-%2d-%2d%c%2d:%2d%n", &t.tm_year, &t.tm_mon, &t.tm_mday, &between, &t.tm_hour, &t.tm_min, &used) == 6 && (t.tm_sec = 0, whole(used)))) {
    t.tm_year -= 1900;
    t.tm_mon -= 1;
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(timegm(&t)) * 1'000'000);
  }
  std::string duration = text;
  std::uint64_t times = 1;
  if (duration.back() == 'd') {
    times = 24;
    duration.back() = 'h';
  }
  const auto seconds = duration.find_first_not_of("0123456789") == std::string::npos ? std::nullopt : config_file::decode_seconds(duration);
  const std::int64_t now = std::time(nullptr);
  if (!seconds || *seconds > static_cast<std::uint64_t>(now) / times)
    throw failure(failure_kind::config_file, "--since " + observe::printable(text) + " is neither a duration nor a time", "",
                  "Write 10m, 2h, 3d, or a time in UTC: 2026-03-01, 2026-03-01T12:00");
  return (now - static_cast<std::int64_t>(*seconds * times)) * 1'000'000;
}

struct entry {
  side at;
  logged_conflict c;
};

std::string offset_text(std::int64_t us) {
  return fmt::format("the spoke's {:.1f} ms {} home's", static_cast<double>(us < 0 ? -us : us) / 1000, us < 0 ? "behind" : "ahead of");
}

nlohmann::json line_json(const entry& e) {
  return {{"id", entry_id(e.at, e.c.id)}, {"side", name(e.at)},        {"table", e.c.table},   {"key", row_json(e.c.key)},
          {"type", e.c.type},             {"rule", e.c.rule},          {"winner", e.c.winner}, {"result", e.c.result},
          {"decided_by", e.c.decided_by}, {"decided_at", time_json(e.c.decided_at_us)}};
}

}  // namespace

int conflicts(const options& o, const engines& e, console& c) {
  conflict_filter f{.since_us = decode_since(o.since), .table = o.table, .key = o.key, .limit = o.limit};
  preflight p(o.config_file, e);
  if (const auto code = open_both(p, false, o, c, "conflicts")) return *code;
  std::vector<entry> all;
  for (auto& one : p.home->load_conflicts(f)) all.push_back({side::home, std::move(one)});
  for (auto& one : p.spoke->load_conflicts(f)) all.push_back({side::spoke, std::move(one)});
  std::stable_sort(all.begin(), all.end(), [](const entry& a, const entry& b) { return a.c.decided_at_us > b.c.decided_at_us; });
  if (all.size() > o.limit) all.resize(o.limit);
  if (o.json) {
    nlohmann::json list = nlohmann::json::array();
    for (const entry& one : all) list.push_back(line_json(one));
    return answer(c, "conflicts", exit_fine, {{"link", p.cfg.link}, {"conflicts", std::move(list)}});
  }
  if (all.empty()) {
    c.out << "no conflict is logged" << (o.since.empty() && o.table.empty() && o.key.empty() ? "" : " that fits") << std::endl;
    return exit_fine;
  }
  std::vector<std::vector<std::string>> lines = {{"id", "time (UTC)", "table", "key", "type", "rule", "winner", "result"}};
  for (const entry& one : all)
    lines.push_back({entry_id(one.at, one.c.id), time_text(one.c.decided_at_us), observe::printable(one.c.table),
                     observe::shortened(key_text(one.c.key), 30), one.c.type, one.c.rule, one.c.winner, observe::printable(one.c.result)});
  c.out << aligned(lines) << std::flush;
  return exit_fine;
}

int show_conflict(const options& o, const engines& e, console& c) {
  const auto id = find_entry(o.ids.at(0));
  preflight p(o.config_file, e);
  if (const auto code = open_both(p, false, o, c, "conflicts")) return *code;
  std::vector<logged_conflict> found;
  if (id) found = (id->first == side::home ? p.home : p.spoke)->load_conflicts({.id = id->second});
  if (found.empty())
    return answer_unknown(o, c, "conflicts", "there is no entry " + o.ids[0] + " in the conflict log; `duet conflicts` lists what there is", p.cfg.link);
  const entry one{id->first, found[0]};
  const logged_conflict& l = one.c;
  const auto place = [](const site& s, log_position at) { return at ? observe::printable(s.describe(at)) : std::string("-"); };
  if (o.json) {
    nlohmann::json j = line_json(one);
    j["base_row"] = row_json(l.base_row);
    j["home_row"] = row_json(l.home_row);
    j["spoke_row"] = row_json(l.spoke_row);
    j["result_row"] = row_json(l.result_row);
    j["home_position"] = l.home_position ? nlohmann::json(p.home->describe(l.home_position)) : nlohmann::json();
    j["spoke_position"] = l.spoke_position ? nlohmann::json(p.spoke->describe(l.spoke_position)) : nlohmann::json();
    j["home_time"] = time_json(l.home_time_us);
    j["spoke_time"] = time_json(l.spoke_time_us);
    j["clock_offset_us"] = l.clock_offset_us ? nlohmann::json(*l.clock_offset_us) : nlohmann::json();
    return answer(c, "conflicts", exit_fine, {{"link", p.cfg.link}, {"conflict", std::move(j)}});
  }
  c.out << "conflict " << entry_id(one.at, l.id) << ", logged at " << name(one.at) << ": " << observe::printable(l.table) << ", "
        << key_text(l.key) << '\n'
        << aligned({{"type", l.type},
                    {"rule", l.rule},
                    {"winner", l.winner},
                    {"result", observe::printable(l.result)},
                    {"decided by", observe::printable(l.decided_by) + ", " + time_text(l.decided_at_us) + " UTC"},
                    {"home wrote", time_text(l.home_time_us) + " at " + place(*p.home, l.home_position)},
                    {"spoke wrote", time_text(l.spoke_time_us) + " at " + place(*p.spoke, l.spoke_position)},
                    {"clocks", l.clock_offset_us ? offset_text(*l.clock_offset_us) : "not compared"}})
        << '\n'
        << side_by_side({{"base", l.base_row}, {"home", l.home_row}, {"spoke", l.spoke_row}, {"result", l.result_row}}) << std::flush;
  return exit_fine;
}

}  // namespace duet::cli
