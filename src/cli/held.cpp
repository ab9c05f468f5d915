// duet held: the keys that wait for a person, and what waits there.
#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "cli/answer.hpp"
#include "cli/ledger.hpp"
#include "cli/waiting.hpp"
#include "duet/failure.hpp"
#include "observe/printable.hpp"
#include "pipeline/images.hpp"

namespace duet::cli {

namespace {

nlohmann::json key_json(const std::vector<waiting_key>& keys, const waiting_key& k) {
  nlohmann::json tied = nlohmann::json::array();
  for (const std::size_t t : k.tied) tied.push_back(keys[t].id);
  return {{"id", k.id},
          {"table", k.table},
          {"key", row_json(k.key)},
          {"at", k.at(side::home) ? k.at(side::spoke) ? "both" : "home" : "spoke"},
          {"reason", k.first().what.reason},
          {"changes", k.changes.size()},
          {"since", time_json(k.changes.front().what.held_at_us)},
          {"decided_together_with", std::move(tied)}};
}

}  // namespace

int held(const options& o, const engines& e, console& c) {
  preflight p(o.config_file, e);
  if (const auto code = open_both(p, false, o, c, "held")) return *code;
  const auto keys = load_waiting(*p.home, *p.spoke);
  const auto fits = [&](const waiting_key& k) { return is_table(k.table, o.table); };
  const auto count = std::count_if(keys.begin(), keys.end(), fits);
  const int code = count ? exit_findings : exit_fine;
  if (o.json) {
    nlohmann::json list = nlohmann::json::array();
    for (const auto& k : keys)
      if (fits(k)) list.push_back(key_json(keys, k));
    return answer(c, "held", code, {{"link", p.cfg.link}, {"held", std::move(list)}});
  }
  if (!count) {
    c.out << "nothing waits" << std::endl;
    return code;
  }
  std::vector<std::vector<std::string>> lines = {{"id", "table", "key", "held at", "changes", "since (UTC)", "first reason"}};
  for (const auto& k : keys)
    if (fits(k))
      lines.push_back({k.id, observe::printable(k.table), observe::shortened(key_text(k.key), 30), k.where(), std::to_string(k.changes.size()),
                       time_text(k.changes.front().what.held_at_us), observe::printable(k.first().what.reason)});
  c.out << aligned(lines) << "\n`duet held show ID` shows both rows, `duet held resolve ID` decides.\n" << std::flush;
  return code;
}

int show_held(const options& o, const engines& e, console& c) {
  const auto id = find_entry(o.ids.at(0));
  preflight p(o.config_file, e);
  if (const auto code = open_both(p, true, o, c, "held")) return *code;
  const auto keys = load_waiting(*p.home, *p.spoke);
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const waiting_key& k) { return id && k.has(id->first, id->second); });
  if (found == keys.end()) return answer_unknown(o, c, "held", "nothing waits under the id " + o.ids[0] + "; `duet held` lists what waits", p.cfg.link);
  const waiting_key& k = *found;
  const table_pair* table = find_table(p.tables, k.table);
  base::arena arena;
  both_rows now;
  std::string note;
  if (!table) {
    note = "the table is not in the configuration any more, so its rows are not read";
  } else if (k.is_table()) {
    note = "the table is stopped as a whole";
  } else {
    const auto at_home = e.home_by_hand(p.cfg, p.tables), at_spoke = e.spoke_by_hand(p.cfg, p.tables);
    at_home->open();
    at_spoke->open();
    const key_cells cells = key_of(*table, k, arena);
    now = read_both(*table, cells, *at_home, *at_spoke, false, arena);
    if (!cells.problem.empty()) note = "this key can't exist at " + std::string(cells.home ? "the spoke" : "home") + ": " + cells.problem;
    for (const std::string& problem : now.problems)
      if (!problem.empty()) note += (note.empty() ? "" : "; ") + ("the spoke's row can't stand at home: " + problem);
  }
  const std::string home_row = table ? pipeline::row_json(*table, now.home) : "", spoke_row = table ? pipeline::row_json(*table, now.spoke) : "";
  const auto source = [&](const waiting_key::change& w) -> const site& { return w.at == side::home ? *p.spoke : *p.home; };
  if (o.json) {
    nlohmann::json j = key_json(keys, k), list = nlohmann::json::array();
    for (const auto& w : k.changes)
      list.push_back({{"id", entry_id(w.at, w.what.id)}, {"made_at", name(other(w.at))}, {"held_at", time_json(w.what.held_at_us)},
                      {"operation", name(w.what.op)}, {"reason", w.what.reason}, {"server_code", w.what.server_code},
                      {"position", source(w).describe(w.what.source_position)}, {"time", time_json(w.what.source_time_us)},
                      {"before_row", row_json(w.what.before_row)}, {"after_row", row_json(w.what.after_row)}});
    j["changes"] = std::move(list);
    j["home_row"] = row_json(home_row);
    j["spoke_row"] = row_json(spoke_row);
    if (!note.empty()) j["note"] = note;
    return answer(c, "held", exit_findings, {{"link", p.cfg.link}, {"held", std::move(j)}});
  }
  c.out << k.id << ": " << observe::printable(k.table) << ", " << key_text(k.key) << ", held at " << k.where() << " since "
        << time_text(k.changes.front().what.held_at_us) << " UTC\n";
  for (const std::size_t t : k.tied) c.out << "  shares a change with " << keys[t].id << " (" << key_text(keys[t].key) << "): both are decided together\n";
  if (!note.empty()) c.out << "  " << observe::printable(note) << '\n';
  if (table && !k.is_table()) c.out << "\nThe row now\n" << side_by_side({{"home", home_row}, {"spoke", spoke_row}});
  c.out << "\nWhat waits, in order\n";
  for (const auto& w : k.changes) {
    c.out << fmt::format("\n  {}  {} made at {}, {} UTC at {}\n", entry_id(w.at, w.what.id), name(w.what.op), name(other(w.at)),
                         time_text(w.what.source_time_us), observe::printable(source(w).describe(w.what.source_position)))
          << "  " << observe::printable(w.what.reason) << (w.what.server_code.empty() ? "" : " (server: " + observe::printable(w.what.server_code) + ")")
          << '\n';
    if (w.what.op != operation::truncate) c.out << side_by_side({{"before", w.what.before_row}, {"after", w.what.after_row}});
  }
  c.out << std::flush;
  return exit_findings;
}

}  // namespace duet::cli
