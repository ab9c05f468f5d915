// duet held resolve: a person decides which row of a held key stands. How that is done: cli/decision.
#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "cli/answer.hpp"
#include "cli/decision.hpp"
#include "cli/ledger.hpp"
#include "duet/failure.hpp"
#include "observe/printable.hpp"
#include "pipeline/images.hpp"

namespace duet::cli {

namespace {

constexpr std::size_t keys_at_once = 200, shown_max = 10;

verdict decode_verdict(const options& o) {
  verdict v;
  if (!o.pick.empty()) v.pick = o.pick == "home" ? side::home : side::spoke;
  v.remove = o.remove;
  for (const std::string& s : o.set) {
    const auto sign = s.find('=');
    v.set.emplace_back(s.substr(0, sign), sign == std::string::npos ? std::nullopt : std::optional(s.substr(sign + 1)));
  }
  if (v.remove && (v.pick || !v.set.empty())) throw usage_failure("--delete leaves no row to pick or to set", "Leave --delete out, or --pick and --set.");
  if (!v.remove && !v.pick && v.set.empty()) throw usage_failure("it is not said which row shall stand", "Add --pick home, --pick spoke, --set COLUMN=VALUE or --delete.");
  if (o.all == !o.ids.empty()) throw usage_failure(o.all ? "--all and ids exclude each other" : "it is not said what to decide", "Give ids as `duet held` lists them, or --all --table TABLE.");
  if (o.all && o.table.empty()) throw usage_failure("--all takes the keys of one table", "Add --table TABLE.");
  if (o.all && !v.set.empty()) throw usage_failure("--all can't set values", "Decide key by key, or use --pick or --delete.");
  return v;
}

nlohmann::json plans_json(std::span<const plan> plans, bool with_result) {
  nlohmann::json list = nlohmann::json::array();
  for (const plan& one : plans) {
    nlohmann::json j = {{"id", one.key->id}, {"table", one.key->table}, {"key", row_json(one.key->key)},
                        {"home_row", row_json(pipeline::row_json(*one.table, one.now.home))},
                        {"spoke_row", row_json(pipeline::row_json(*one.table, one.now.spoke))}};
    if (with_result) j["result_row"] = row_json(pipeline::row_json(*one.table, one.result));
    list.push_back(std::move(j));
  }
  return list;
}

void show(std::ostream& out, std::span<const plan> plans) {
  for (const plan& one : plans.first(std::min(plans.size(), shown_max)))
    out << one.key->id << ": " << observe::printable(one.key->table) << ", " << key_text(one.key->key) << '\n'
        << side_by_side({{"home", pipeline::row_json(*one.table, one.now.home)}, {"spoke", pipeline::row_json(*one.table, one.now.spoke)}}) << '\n';
  if (plans.size() > shown_max) out << "and " << observe::grouped(plans.size() - shown_max) << " more keys\n\n";
  out << std::flush;
}

// The keys that the command line names. Nothing: `unknown` is one that does not wait.
std::optional<std::vector<std::size_t>> choose(const options& o, const std::vector<waiting_key>& keys, std::string& unknown) {
  std::vector<std::size_t> chosen;
  const auto add = [&](std::size_t i) {
    if (std::find(chosen.begin(), chosen.end(), i) == chosen.end()) chosen.push_back(i);
  };
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (o.all && is_table(keys[i].table, o.table)) add(i);
  for (const std::string& text : o.ids) {
    const auto id = find_entry(text);
    std::size_t i = 0;
    while (i < keys.size() && !(id && keys[i].has(id->first, id->second))) ++i;
    if (i == keys.size()) return unknown = text, std::nullopt;
    add(i);
  }
  return chosen;
}

void refuse_what_cannot_be_decided(const options& o, const std::vector<waiting_key>& keys, const std::vector<std::size_t>& chosen) {
  for (const std::size_t i : chosen) {
    for (const waiting_key& k : keys)
      if (k.is_truncate() && k.table == keys[i].table)
        throw failure(failure_kind::table_stopped, "table " + k.table + " is stopped by a TRUNCATE: its keys can't be decided one by one", "",
                      "Make the table equal on both sides, then\n  duet teardown\n  duet setup");
    if (o.all) continue;  // those that share a change are decided alike
    for (const std::size_t other : tied_to(keys, i))
      if (std::find(chosen.begin(), chosen.end(), other) == chosen.end())
        throw failure(failure_kind::row_refused,
                      "keys " + keys[i].id + " and " + keys[other].id + " wait behind each other (a held change has changed one to the other, or they may be equal to one side): both must be decided together", "",
                      "duet held resolve " + keys[i].id + ' ' + keys[other].id + " ...");
  }
}

// Chosen keys in transactions: keys that share a change are in the same one.
std::vector<std::vector<std::size_t>> into_transactions(const std::vector<waiting_key>& keys, const std::vector<std::size_t>& chosen) {
  std::vector<std::vector<std::size_t>> parts(1);
  std::vector<bool> taken(keys.size());
  for (const std::size_t i : chosen) {
    if (taken[i]) continue;
    if (parts.back().size() >= keys_at_once) parts.emplace_back();
    for (const std::size_t other : tied_to(keys, i)) {
      taken[other] = true;
      parts.back().push_back(other);
    }
  }
  return parts;
}

}  // namespace

int resolve_held(const options& o, const engines& e, console& c) {
  const verdict v = decode_verdict(o);
  preflight p(o.config_file, e);
  if (const auto code = open_both(p, true, o, c, "held")) return *code;
  const auto keys = load_waiting(*p.home, *p.spoke);
  std::string unknown;
  auto chosen = choose(o, keys, unknown);
  if (!chosen) return answer_unknown(o, c, "held", "nothing waits under the id " + unknown + "; `duet held` lists what waits", p.cfg.link);
  auto started = nlohmann::json::array();
  const auto finished = [&](const char* result, int code, std::span<const plan> plans) {
    return answer(c, "held", code, {{"link", p.cfg.link}, {"result", result}, {"winner", v.winner(v.pick)}, {"keys", plans_json(plans, code == exit_fine)}, {"tables", started}});
  };
  if (chosen->empty()) {
    if (o.json) return finished("nothing_waits", exit_fine, {});
    c.out << "nothing of " << observe::printable(o.table) << " waits" << std::endl;
    return exit_fine;
  }
  refuse_what_cannot_be_decided(o, keys, *chosen);
  if (!o.yes && (!c.in_is_terminal || o.json))
    throw failure(failure_kind::config_file, o.json ? "with --json nobody is asked" : "there is no terminal to ask", "", "Add --yes.");

  std::vector<std::size_t> tables;  // stopped ones, to go on behind the decisions about their keys
  std::erase_if(*chosen, [&](std::size_t i) { return keys[i].is_table() && (tables.push_back(i), true); });
  decider b(p, e, v, decider::about::held_keys);
  std::vector<plan> plans;
  std::vector<std::size_t> ends;
  for (const auto& part : into_transactions(keys, *chosen)) {
    for (const std::size_t i : part) {
      const table_pair* table = find_table(p.tables, keys[i].table);
      if (!table)
        throw failure(failure_kind::configuration, "table " + keys[i].table + " is not in the configuration any more", "", "Put it back, decide, then take it out.");
      plans.push_back({&keys[i], table, key_of(*table, keys[i], b.arena()), {}, {}});
    }
    ends.push_back(plans.size());
  }
  b.open();
  if (!o.yes) {
    b.look(plans);
    b.close();
    show(c.out, plans);
    for (const plan& one : plans) decide(v, one);  // what can't be done is said before it is asked for
    for (const std::size_t i : tables) c.out << "Table " << observe::printable(keys[i].table) << " shall go on; keys that still wait go on waiting.\n";
    if (plans.empty()) c.out << "Type yes to let it: " << std::flush;
    else c.out << (v.remove ? "No row" : !v.set.empty() ? "The row with the values that were given" : v.pick == side::home ? "Home's row" : "The spoke's row")
          << " shall stand on both sides. Type yes to decide so: " << std::flush;
    std::string typed;
    std::getline(c.in, typed);
    if (typed != "yes") {
      c.out << "Nothing was decided." << std::endl;
      return exit_findings;
    }
    b.open();
  }
  std::size_t first = 0;
  for (const std::size_t end : ends) {
    const auto part = std::span(plans).subspan(first, end - first);
    if (!b.decide_all(part, !o.yes)) {
      if (first) c.out << observe::grouped(first) << (first == 1 ? " key is decided.\n" : " keys are decided.\n");
      c.out << "\nMeanwhile a row has changed. It is now\n\n";
      show(c.out, part);
      c.out << "Nothing of this was decided. Look, and decide once more." << std::endl;
      return exit_findings;
    }
    first = end;
  }
  for (const std::size_t i : tables) {
    b.start_table(keys[i]);
    started.push_back(keys[i].table);
  }
  if (o.json) return finished("decided", exit_fine, plans);
  for (const plan& one : plans) {
    c.out << "decided: " << observe::printable(one.key->table) << ", " << key_text(one.key->key) << ": "
          << (!one.result.found ? "no row" : !v.set.empty() ? "the row with the values that were given" : v.winner(v.pick) + "'s row") << '\n';
    if (!one.cells.spoke) c.out << "  the spoke can't have this key (" << observe::printable(one.cells.problem) << "): it will hold the decision again\n";
  }
  for (const std::size_t i : tables)
    c.out << "table " << observe::printable(keys[i].table) << " goes on; what has come to be held meanwhile waits: duet held\n";
  c.out << std::flush;
  return exit_fine;
}

}  // namespace duet::cli
