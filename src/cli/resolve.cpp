// duet held resolve: a person decides which row of a held key stands.
//
// The decision is made at home, in one transaction of ours: the result is written there, home's held changes of the key are
// removed, and a refresh that ends the hold carries the row to the spoke, whose applier removes what is held there. A hub that
// runs notices (pipeline/reader: notice_a_decision) and starts anew; one that does not run reads it when it starts.
#include <pwd.h>
#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <algorithm>

#include "cli/answer.hpp"
#include "cli/ledger.hpp"
#include "cli/waiting.hpp"
#include "duet/failure.hpp"
#include "observe/printable.hpp"
#include "pipeline/images.hpp"

namespace duet::cli {

namespace {

constexpr std::size_t keys_at_once = 200, shown_max = 10;
constexpr int tries = 3;

// What the command line says.
struct verdict {
  std::optional<side> pick;
  std::vector<std::pair<std::string, std::optional<std::string>>> set;
  bool remove = false;

  std::string winner() const { return remove ? "delete" : !set.empty() ? "set" : std::string(name(*pick)); }
  side stands() const { return remove || !set.empty() ? side::home : *pick; }  // whom later writes meet
};

failure usage(std::string what, std::string todo) { return failure(failure_kind::config_file, std::move(what), "", std::move(todo)); }

verdict decode_verdict(const options& o) {
  verdict v;
  if (!o.pick.empty()) v.pick = o.pick == "home" ? side::home : side::spoke;
  v.remove = o.remove;
  for (const std::string& s : o.set) {
    const auto sign = s.find('=');
    v.set.emplace_back(s.substr(0, sign), sign == std::string::npos ? std::nullopt : std::optional(s.substr(sign + 1)));
  }
  if (v.remove && (v.pick || !v.set.empty())) throw usage("--delete leaves no row to pick or to set", "Leave --delete out, or --pick and --set.");
  if (!v.remove && !v.pick && v.set.empty()) throw usage("it is not said which row shall stand", "Add --pick home, --pick spoke, --set COLUMN=VALUE or --delete.");
  if (o.all == !o.ids.empty()) throw usage(o.all ? "--all and ids exclude each other" : "it is not said what to decide", "Give ids as `duet held` lists them, or --all --table TABLE.");
  if (o.all && o.table.empty()) throw usage("--all takes the keys of one table", "Add --table TABLE.");
  if (o.all && !v.set.empty()) throw usage("--all can't set values", "Decide key by key, or use --pick or --delete.");
  return v;
}

std::string user_name() {
  const passwd* user = getpwuid(geteuid());
  return user && user->pw_name ? user->pw_name : "user " + std::to_string(geteuid());
}

struct plan {
  const waiting_key* key;
  const table_pair* table;
  key_cells cells;
  both_rows now;      // as shown, or as locked
  owned_row result;   // what stands at home
};

std::vector<cell> cells_of(const owned_row& row) {
  std::vector<cell> cells;
  for (const auto& v : row.values) cells.push_back(v ? cell::of(*v) : cell::null());
  return cells;
}

// The row that shall stand at home.
owned_row decide(const verdict& v, const plan& p) {
  if (v.remove) return {};
  const table_pair& t = *p.table;
  std::vector<std::optional<std::optional<std::string>>> set(t.columns.size());
  for (const auto& [name, value] : v.set) {
    std::size_t i = 0;
    while (i < t.columns.size() && t.columns[i].home.name != name) ++i;
    if (i == t.columns.size()) throw usage("--set " + observe::printable(name) + ": " + p.key->table + " has no such column that is synced", "Write the column's name at home.");
    if (t.columns[i].key) throw usage("--set " + name + ": it is part of the key", "Change a key by an UPDATE once it is decided.");
    set[i] = value ? std::optional(typed_value(t.columns[i], *value)) : std::nullopt;
  }
  const bool from_spoke = v.pick ? *v.pick == side::spoke : !p.now.home.found && p.now.spoke.found;
  owned_row row = from_spoke ? p.now.spoke : p.now.home;
  if (from_spoke && row.found)
    for (std::size_t i = 0; i < t.columns.size(); ++i)
      if (!p.now.problems[i].empty() && !set[i])
        throw failure(failure_kind::row_refused, "the spoke's row of " + p.key->id + " can't stand at home: " + p.now.problems[i], "",
                      "Add --set " + t.columns[i].home.name + "=VALUE, or --pick home.");
  if (v.set.empty()) return row;
  if (!row.found) {  // a new one
    row.found = true;
    row.values.assign(t.columns.size(), std::nullopt);
    for (const std::uint16_t k : t.key)
      if (p.cells.home && p.cells.home[k].present()) row.values[k] = std::string(p.cells.home[k].text());
  }
  for (std::size_t i = 0; i < set.size(); ++i)
    if (set[i]) row.values[i] = *set[i];
  return row;
}

class bench {
 public:
  bench(preflight& p, const engines& e, const verdict& v) : p_(p), verdict_(v), home_(e.home_by_hand(p.cfg, p.tables)), spoke_(e.spoke_by_hand(p.cfg, p.tables)) {}

  void open() {
    home_->open();
    spoke_->open();
  }
  void close() {  // while a person thinks
    home_->close();
    spoke_->close();
  }
  void look(std::vector<plan>& plans) {
    for (plan& one : plans) one.now = read_both(*one.table, one.cells, *home_, *spoke_, false, arena_);
  }

  // One transaction. False: a row is not as it was shown, and nothing was written; `plans` says how it is now.
  bool decide_all(std::span<plan> plans, bool as_shown) {
    return in_transaction([&] { return try_all(plans, as_shown); });
  }

  // A table that was stopped because too many of its keys were held. Nothing was decided about those that still are.
  void start_table(const waiting_key& table) {
    in_transaction([&] {
      const auto begun = begin();
      conflict_entry e;
      e.table = table.table;
      e.key = table.key;
      e.type = "held";
      e.rule = "manual";
      e.winner = verdict_.winner();
      e.result = "decided by hand: the table goes on";
      e.decided_by = user_name();
      home_->log_conflict(e);
      home_->release_held(table.token);
      p_.spoke->remove_held(table.token);  // no change of a row carries this to the spoke
      home_->commit(begun.control);
      return true;
    });
  }

  base::arena& arena() { return arena_; }

 private:
  template <class Try>
  bool in_transaction(Try try_it) {
    for (int attempt = 1;; ++attempt) {
      try {
        const bool done = try_it();
        end();
        return done;
      } catch (const failure& f) {
        end();
        if (f.in_doubt) throw failure(f.kind, std::string(f.what()) + ": it is not known whether it was decided", f.server_code, "`duet held` says whether it still waits.");
        if (f.kind == failure_kind::row_refused && f.remedy.empty()) throw failure(f.kind, f.what(), f.server_code, "Nothing was decided. Give it values that home takes, with --set.");
        if (f.kind != failure_kind::deadlock || attempt == tries) throw;
      } catch (...) {
        end();
        throw;
      }
    }
  }

  target_by_hand::moved begin() {
    const auto begun = home_->begin_locked();
    if (begun.control.own_identity != p_.home_identity.id || begun.control.source_identity != p_.spoke_identity.id)
      throw failure(failure_kind::history_changed, "the databases are not the ones that link " + p_.cfg.link + " was set up with");
    return begun;
  }

  void end() {
    home_->rollback();
    spoke_->rollback();
  }

  bool try_all(std::span<plan> plans, bool as_shown) {
    const auto begun = begin();
    // With the control row locked no hub writes to home: what waits there waits until we are done.
    const auto waiting = load_waiting(*p_.home, *p_.spoke);
    bool same = true;
    for (plan& one : plans) {
      both_rows now = read_both(*one.table, one.cells, *home_, *spoke_, true, arena_);
      same &= now == one.now;
      same &= std::any_of(waiting.begin(), waiting.end(), [&](const waiting_key& k) { return k.token == one.key->token && k.table == one.key->table; });
      one.now = std::move(now);
    }
    if (as_shown && !same) return false;
    for (plan& one : plans) one.result = decide(verdict_, one);
    write(plans);
    for (plan& one : plans) finish(one, begun.time_us);
    home_->commit(begun.control);
    return true;
  }

  // Rows that go make room for those that come: a unique value may move from one key to another.
  void write(std::span<plan> plans) {
    for (const plan& one : plans)
      if (one.now.home.found && !one.result.found) require(one, home_->force(*one.table, operation::remove, one.cells.home, nullptr, {}));
    for (const plan& one : plans) {
      if (!one.result.found) continue;
      require_home(one);
      const auto row = cells_of(one.result);
      std::vector<std::uint16_t> columns;
      for (std::uint16_t i = 0; i < row.size(); ++i)
        if (!one.now.home.found || (one.now.home.values[i] != one.result.values[i] && !one.table->columns[i].key)) columns.push_back(i);
      if (!one.now.home.found) require(one, home_->force(*one.table, operation::insert, nullptr, row.data(), columns));
      else if (!columns.empty()) require(one, home_->force(*one.table, operation::update, one.cells.home, row.data(), columns));
    }
  }

  static void require(const plan& one, bool written) {
    if (!written) throw failure(failure_kind::row_refused, "a trigger at home did not let the row of " + one.key->id + " through");
  }
  static void require_home(const plan& one) {
    if (one.cells.home) return;
    throw failure(failure_kind::row_refused, "the key of " + one.key->id + " can't exist at home: " + one.cells.problem, "",
                  "Delete the row at the spoke, then decide with --delete.");
  }

  void finish(plan& one, std::int64_t now_us) {
    const table_pair& table = *one.table;
    conflict_entry e;
    e.table = one.key->table;
    e.key = one.key->key;
    e.type = "held";
    e.home_row = pipeline::row_json(table, one.now.home);
    e.spoke_row = pipeline::row_json(table, one.now.spoke);
    e.rule = "manual";
    e.winner = verdict_.winner();
    if (one.cells.home) {
      const row_view keys[] = {one.cells.home};
      one.result = home_->lock_rows(table, keys).at(0);  // as home has made it: its own spelling, what triggers did
      if (table.flows_from(side::home)) {
        decision_tag tag;
        tag.by(verdict_.stands()) = {table.policy.all(), now_us};
        tag.ends_hold = true;
        home_->emit_refresh(table, one.cells.home, one.result.found ? &one.result : nullptr, tag);
      }
    } else if (one.now.spoke.found) {
      require_home(one);
    }
    e.result_row = pipeline::row_json(table, one.result);
    e.result = verdict_.remove ? "decided by hand: no row" : !verdict_.set.empty() ? "decided by hand: a row with values that were given" : "decided by hand: " + e.winner + "'s row";
    e.decided_by = user_name();
    home_->log_conflict(e);
    home_->release_held(one.key->token);
  }

  preflight& p_;
  const verdict& verdict_;
  std::unique_ptr<target_by_hand> home_, spoke_;
  base::arena arena_;
};

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
                      "a held change has changed the key " + keys[i].id + " to or from " + keys[other].id + ": both must be decided together", "",
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
    return answer(c, "held", code, {{"link", p.cfg.link}, {"result", result}, {"winner", v.winner()}, {"keys", plans_json(plans, code == exit_fine)}, {"tables", started}});
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
  bench b(p, e, v);
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
          << (!one.result.found ? "no row" : !v.set.empty() ? "the row with the values that were given" : v.winner() + "'s row") << '\n';
    if (!one.cells.spoke) c.out << "  the spoke can't have this key (" << observe::printable(one.cells.problem) << "): it will hold the decision again\n";
  }
  for (const std::size_t i : tables)
    c.out << "table " << observe::printable(keys[i].table) << " goes on; what has come to be held meanwhile waits: duet held\n";
  c.out << std::flush;
  return exit_fine;
}

}  // namespace duet::cli
