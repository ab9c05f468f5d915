// duet repair: compares both sides, and lets the rows of one of them, or the one that a rule names, stand where they differ. Each
// row goes the way of a decision by hand (cli/decision): written at home in a transaction of ours, sent to the spoke as a refresh, on record with both images.
#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "cli/answer.hpp"
#include "cli/comparing.hpp"
#include "cli/decision.hpp"
#include "cli/ledger.hpp"
#include "conflict/arbiter.hpp"
#include "duet/failure.hpp"
#include "observe/printable.hpp"

namespace duet::cli {

namespace {

constexpr std::size_t rows_at_once = 500;
constexpr int looks_max = 5;
using pipeline::difference;

waiting_key key_of_difference(const std::string& table, const difference& d) {
  waiting_key k;
  k.id = table + " " + key_text(d.key);
  k.table = table;
  k.key = d.key;
  k.token = d.token;
  waiting_key::change of_home{side::spoke, {}};  // as if the spoke held a change of home: the key is in home's form
  of_home.what.table = table;
  of_home.what.key = d.key;
  of_home.what.token = d.token;
  k.changes.push_back(std::move(of_home));
  return k;
}

// Do all columns that differ belong to this side?
bool is_owned_by(side owner, const table_pair& t, const difference& d) {
  if (d.is != difference::kind::different) return false;
  return std::all_of(d.columns.begin(), d.columns.end(), [&](const std::string& name) {
    for (std::uint16_t i = 0; i < t.columns.size(); ++i)
      if (t.columns[i].home.name == name) return t.owned_by(owner, i);
    return false;
  });
}

// Whose row stands where both sides differ.
class truth {
 public:
  explicit truth(const std::string& word) : word_(word) {
    if (word == "home") side_ = side::home;
    if (word == "spoke") side_ = side::spoke;
  }
  const std::string& word() const { return word_; }
  std::string text() const {
    return side_ ? "as they are at " + word_ : word_ == "union" ? "as they are on the side that has them" : "as they are where latest_by says more";
  }
  // Why no row of the table can be repaired by it; empty: they can.
  std::string why_not(const table_pair& t) const {
    if (side_ && !t.flows_from(*side_)) return fmt::format("it is synced {}: {} has no say in it", name(t.direction), word_);
    if (word_ == "latest" && t.direction != flow::both) return fmt::format("it is synced {}: only one side has a say in it", name(t.direction));
    if (word_ == "latest" && !t.policy.latest_by) return "conflict.latest_by names no column of it";
    return {};
  }
  bool is_about(const table_pair& t, const difference& d) const {
    if (d.is == difference::kind::incomparable) return false;
    if (side_) return !is_owned_by(other(*side_), t, d);
    if (d.is != difference::kind::different) return t.flows_from(d.is == difference::kind::missing_at_home ? side::spoke : side::home);
    return word_ == "latest" && !is_owned_by(side::home, t, d) && !is_owned_by(side::spoke, t, d);
  }
  side of(const plan& p) const {
    if (side_) return *side_;
    if (!p.now.home.found || !p.now.spoke.found || !p.table->policy.latest_by) return p.now.home.found ? side::home : side::spoke;
    const std::uint16_t c = *p.table->policy.latest_by;
    const auto &ours = p.now.home.values[c], &theirs = p.now.spoke.values[c];
    if (!ours || !theirs) return !ours && theirs ? side::spoke : side::home;
    return conflict::is_later(p.table->columns[c].home, *theirs, *ours) ? side::spoke : side::home;
  }

 private:
  std::string word_;
  std::optional<side> side_;
};

// One transaction, once none of the rows changes any more. Nothing: it is done; else why not. Rows that are equal by now are left
// alone.
std::optional<std::string> try_some(decider& d, const std::vector<plan>& wanted, const truth& whose) {
  for (int look = 0; look < looks_max; ++look) {
    std::vector<plan> plans = wanted;
    d.look(plans);
    std::erase_if(plans, [](const plan& one) { return one.now.home.found == one.now.spoke.found && one.now.home.values == one.now.spoke.values; });
    for (plan& one : plans) one.pick = whose.of(one);
    try {
      if (plans.empty() || d.decide_all(plans, true)) return std::nullopt;
    } catch (const failure& f) {
      if (f.kind != failure_kind::row_refused) throw;
      return f.what();
    }
  }
  return "it changes all the time";
}

}  // namespace

int repair(const options& o, const engines& e, console& c) {
  preflight p(o.config_file, e);
  if (const auto code = open_both(p, true, o, c, "repair")) return *code;
  if (!o.yes && !o.dry_run && (!c.in_is_terminal || o.json))
    throw usage_failure(o.json ? "with --json nobody is asked" : "there is no terminal to ask", "Add --yes, or --dry-run.");
  const compared all = compare_both(p, o, e, c);
  const truth whose(o.pick);
  const std::uint64_t differences = all.differences();

  verdict v;
  std::vector<waiting_key> keys;
  std::vector<const table_pair*> tables;
  std::uint64_t left = all.undecided();
  for (const table_result& r : all.tables) {
    const table_pair* t = find_table(p.tables, r.table);
    const std::string reason = whose.why_not(*t);
    for (const difference& d : r.found.differences) {
      if (!reason.empty() || !whose.is_about(*t, d)) {
        ++left;
        continue;
      }
      keys.push_back(key_of_difference(r.table, d));
      tables.push_back(t);
    }
    if (!reason.empty() && !r.found.differences.empty() && !o.json) c.out << observe::printable(r.table) << " is left as it is: " << reason << '\n';
  }
  std::uint64_t repaired = 0;
  std::vector<std::pair<std::string, std::string>> refused;  // key, why
  const auto finish = [&](const char* result) {
    const int code = differences == repaired && left == 0 ? exit_fine : exit_findings;
    if (o.json) {
      nlohmann::json list = nlohmann::json::array();
      for (const table_result& r : all.tables) list.push_back(to_json(r, o.limit));
      return answer(c, "repair", code, {{"link", p.cfg.link}, {"result", result}, {"truth", whose.word()}, {"differ", differences}, {"repaired", repaired}, {"refused", refused}, {"tables", std::move(list)}});
    }
    if (differences == 0) c.out << "there is nothing to repair\n";
    else if (o.dry_run) c.out << fmt::format("{} of {} rows that differ would be {}\n", observe::grouped(keys.size()), observe::grouped(differences), whose.text());
    else c.out << fmt::format("{} of {} rows that differ are repaired; `duet verify` says when they are equal\n", observe::grouped(repaired), observe::grouped(differences));
    c.out << std::flush;
    return code;
  };
  if (keys.empty() || o.dry_run) return finish(differences == 0 ? "equal" : o.dry_run ? "dry_run" : "nothing_repaired");
  if (!all.hub_runs)
    throw failure(failure_kind::not_set_up, "no hub runs that could tell what is under way: what differs may only not have arrived yet", "", "Start it (duet run), then repair.");
  if (!o.yes) {
    c.out << fmt::format("{} rows shall be {}, on both sides. Type yes to do so: ", observe::grouped(keys.size()), whose.text()) << std::flush;
    std::string typed;
    std::getline(c.in, typed);
    if (typed != "yes") {
      c.out << "Nothing was changed." << std::endl;
      return exit_findings;
    }
  }
  decider d(p, e, v, decider::about::differences);
  d.open();
  for (std::size_t first = 0; first < keys.size(); first += rows_at_once) {
    std::vector<plan> plans;
    for (std::size_t i = first; i < std::min(keys.size(), first + rows_at_once); ++i) plans.push_back({&keys[i], tables[i], key_of(*tables[i], keys[i], d.arena()), {}, {}});
    // Else each for itself: one that can't be repaired must not keep the others from it.
    const auto why_not_all = try_some(d, plans, whose);
    if (!why_not_all) repaired += plans.size();
    else
      for (const plan& one : plans) {
        if (const auto why = try_some(d, {one}, whose)) refused.emplace_back(one.key->id, *why);
        else ++repaired;
      }
    if (!o.json && c.out_is_terminal) c.err << fmt::format("\r{} of {} rows\x1b[K", observe::grouped(repaired), observe::grouped(keys.size())) << std::flush;
  }
  if (!o.json && c.out_is_terminal) c.err << "\r\x1b[K" << std::flush;
  if (!o.json)
    for (const auto& [key, why] : refused) c.out << "not repaired: " << observe::printable(key) << ": " << observe::printable(why) << '\n';
  return finish("repaired");
}

}  // namespace duet::cli
