#include "cli/decision.hpp"

#include <pwd.h>
#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <algorithm>

#include "cli/ledger.hpp"
#include "duet/failure.hpp"
#include "observe/printable.hpp"
#include "pipeline/images.hpp"

namespace duet::cli {

namespace {

constexpr int tries = 3;

std::string user_name() {
  const passwd* user = getpwuid(geteuid());
  return user && user->pw_name ? user->pw_name : "user " + std::to_string(geteuid());
}

std::vector<cell> cells_of(const owned_row& row) {
  std::vector<cell> cells;
  for (const auto& v : row.values) cells.push_back(v ? cell::of(*v) : cell::null());
  return cells;
}

void require(const plan& one, bool written) {
  if (!written) throw failure(failure_kind::row_refused, "a trigger at home did not let the row of " + one.key->id + " through");
}
void require_home(const plan& one) {
  if (one.cells.home) return;
  throw failure(failure_kind::row_refused, "the key of " + one.key->id + " can't exist at home: " + one.cells.problem, "",
                "Delete the row at the spoke, then decide with --delete.");
}

std::optional<side> pick_of(const verdict& v, const plan& p) { return p.pick ? p.pick : v.pick; }

}  // namespace

failure usage_failure(std::string what, std::string todo) { return failure(failure_kind::config_file, std::move(what), "", std::move(todo)); }

// The row that shall stand at home.
owned_row decide(const verdict& v, const plan& p) {
  if (v.remove) return {};
  const table_pair& t = *p.table;
  std::vector<std::optional<std::optional<std::string>>> set(t.columns.size());
  for (const auto& [name, value] : v.set) {
    std::size_t i = 0;
    while (i < t.columns.size() && t.columns[i].home.name != name) ++i;
    if (i == t.columns.size()) throw usage_failure("--set " + observe::printable(name) + ": " + p.key->table + " has no such column that is synced", "Write the column's name at home.");
    if (t.columns[i].key) throw usage_failure("--set " + name + ": it is part of the key", "Change a key by an UPDATE once it is decided.");
    set[i] = value ? std::optional(typed_value(t.columns[i], *value)) : std::nullopt;
  }
  const auto pick = pick_of(v, p);
  const bool from_spoke = pick ? *pick == side::spoke : !p.now.home.found && p.now.spoke.found;
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

decider::decider(preflight& p, const engines& e, const verdict& v, about a)
    : p_(p), verdict_(v), about_(a), home_(e.home_by_hand(p.cfg, p.tables)), spoke_(e.spoke_by_hand(p.cfg, p.tables)) {}

template <class Try>
bool decider::in_transaction(Try try_it) {
  for (int attempt = 1;; ++attempt) {
    try {
      const bool done = try_it();
      end();
      return done;
    } catch (const failure& f) {
      end();
      if (f.in_doubt) throw failure(f.kind, std::string(f.what()) + ": it is not known whether it was decided", f.server_code, about_ == about::held_keys ? "`duet held` says whether it still waits." : "`duet verify` says whether it still differs.");
      if (f.kind == failure_kind::row_refused && f.remedy.empty()) throw failure(f.kind, f.what(), f.server_code, "Nothing was decided. Give it values that home takes, with --set.");
      if (f.kind != failure_kind::deadlock || attempt == tries) throw;
    } catch (...) {
      end();
      throw;
    }
  }
}

void decider::open() {
  home_->open();
  spoke_->open();
}

void decider::close() {
  home_->close();
  spoke_->close();
}

void decider::look(std::vector<plan>& plans) {
  for (plan& one : plans) one.now = read_both(*one.table, one.cells, *home_, *spoke_, false, arena_);
}

bool decider::decide_all(std::span<plan> plans, bool as_shown) {
  return in_transaction([&] { return try_all(plans, as_shown); });
}

void decider::start_table(const waiting_key& table) {
  in_transaction([&] {
    const auto begun = begin();
    conflict_entry e;
    e.table = table.table;
    e.key = table.key;
    e.type = "held";
    e.rule = "manual";
    e.winner = verdict_.winner(verdict_.pick);
    e.result = "decided by hand: the table goes on";
    e.decided_by = user_name();
    home_->log_conflict(e);
    home_->release_held(table.token);
    p_.spoke->remove_held(table.token);  // no change of a row carries this to the spoke
    home_->commit(begun.control);
    return true;
  });
}

target_by_hand::moved decider::begin() {
  const auto begun = home_->begin_locked();
  if (begun.control.own_identity != p_.home_identity.id || begun.control.source_identity != p_.spoke_identity.id)
    throw failure(failure_kind::history_changed, "the databases are not the ones that link " + p_.cfg.link + " was set up with");
  return begun;
}

void decider::end() {
  home_->rollback();
  spoke_->rollback();
}

bool decider::try_all(std::span<plan> plans, bool as_shown) {
  const auto begun = begin();
  // With the control row locked no hub writes to home: what waits there waits until we are done.
  const auto waiting = load_waiting(*p_.home, *p_.spoke);
  bool same = true;
  for (plan& one : plans) {
    both_rows now = read_both(*one.table, one.cells, *home_, *spoke_, true, arena_);
    same &= now == one.now;
    const bool waits = std::any_of(waiting.begin(), waiting.end(), [&](const waiting_key& k) { return k.token == one.key->token && k.table == one.key->table; });
    same &= waits == (about_ == about::held_keys);
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
void decider::write(std::span<plan> plans) {
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

void decider::finish(plan& one, std::int64_t now_us) {
  const bool held = about_ == about::held_keys;
  const table_pair& table = *one.table;
  conflict_entry e;
  e.table = one.key->table;
  e.key = one.key->key;
  e.type = held ? "held" : "repair";
  e.home_row = pipeline::row_json(table, one.now.home);
  e.spoke_row = pipeline::row_json(table, one.now.spoke);
  e.rule = "manual";
  const auto pick = pick_of(verdict_, one);
  e.winner = verdict_.winner(pick);
  if (one.cells.home) {
    const row_view keys[] = {one.cells.home};
    one.result = home_->lock_rows(table, keys).at(0);  // as home has made it: its own spelling, what triggers did
    if (table.flows_from(side::home)) {
      decision_tag tag;
      tag.by(verdict_.stands(pick)) = {table.policy.all(), now_us};
      tag.ends_hold = held;
      home_->emit_refresh(table, one.cells.home, one.result.found ? &one.result : nullptr, tag);
    }
  } else if (one.now.spoke.found) {
    require_home(one);
  }
  e.result_row = pipeline::row_json(table, one.result);
  e.result = verdict_.remove ? "decided by hand: no row" : !verdict_.set.empty() ? "decided by hand: a row with values that were given" : "decided by hand: " + e.winner + "'s row";
  e.decided_by = user_name();
  home_->log_conflict(e);
  if (held) home_->release_held(one.key->token);
}

}  // namespace duet::cli
