#include "conflict/arbiter.hpp"

#include <algorithm>
#include <bit>

#include "conflict/decimal.hpp"

namespace duet::conflict {
namespace {

using action = decision::action;

// A time and who wrote then. Equal times: home. Both are brought to the coarser clock first.
struct moment {
  std::int64_t time_us;
  side wrote;
  bool operator<(const moment& m) const {
    return time_us != m.time_us ? time_us < m.time_us : wrote == side::spoke && m.wrote == side::home;
  }
};

moment moment_of(std::int64_t time_us, side wrote, std::int64_t grain_us) {
  const std::int64_t rest = ((time_us % grain_us) + grain_us) % grain_us;
  return {time_us - rest, wrote};
}

enum class verdict : std::uint8_t { home, spoke, nobody };

class bench {
 public:
  bench(const table_pair& table, const incoming& change, const owned_row& current, std::span<const met_write> met, std::int64_t grain_us)
      : policy_(table.policy), table_(table), change_(change), current_(current), met_(met), grain_us_(grain_us),
        now_(moment_of(change.time_us, side::spoke, grain_us)) {}

  // Who wins in the fields `in`, by `rule`.
  verdict by(conflict_rule rule, field_set in) const {
    if (only_against_itself(in)) return verdict::spoke;
    switch (rule) {
      case conflict_rule::home: return verdict::home;
      case conflict_rule::spoke: return verdict::spoke;
      case conflict_rule::latest: return latest(in);
      case conflict_rule::manual:
      case conflict_rule::delta:
      case conflict_rule::script:  // is asked by the caller
      case conflict_rule::none: break;
    }
    return verdict::nobody;
  }
  // `update_side` has updated, the other one has deleted.
  verdict by(delete_rule rule, side update_side) const {
    if (only_against_itself(~field_set{0})) return verdict::spoke;
    const auto as_verdict = [](side s) { return s == side::home ? verdict::home : verdict::spoke; };
    switch (rule) {
      case delete_rule::update_wins: return as_verdict(update_side);
      case delete_rule::delete_wins: return as_verdict(other(update_side));
      case delete_rule::latest: return by_commit_time(~field_set{0});
      case delete_rule::by_rule:  // the caller's
      case delete_rule::manual: break;
    }
    return verdict::nobody;
  }
  // Who stands in which of the fields that were met, for the refresh. What a script has set counts as a write of home, which
  // has seen both: fields that were not met may be among it.
  decision_tag tag(field_set met, field_set spoke_wins, field_set set = 0) const {
    decision_tag t;
    t.by_home.fields = (met & ~spoke_wins) | set;
    t.by_spoke.fields = met & spoke_wins;
    if (t.by_home.fields) t.by_home.time_us = last_met(t.by_home.fields).time_us;
    if (set) t.by_home.time_us = std::max(t.by_home.time_us, now_.time_us);
    if (t.by_spoke.fields) t.by_spoke.time_us = std::max(now_, last_met(t.by_spoke.fields)).time_us;
    return t;
  }
  field_set fields_met() const {
    field_set in = 0;
    for (const met_write& w : met_) in |= meeting(change_.fields, w.fields, policy_.deltas);
    return in;
  }
  // What was met is the spoke's own earlier writes, which had won before: nobody's write is lost.
  bool only_against_itself(field_set in) const {
    return std::none_of(met_.begin(), met_.end(), [&](const met_write& w) { return meets(w, in) && w.wrote == side::home; });
  }
  question to_script(std::uint16_t script, field_set contested) const {
    question q{script, table_, change_, current_, contested};
    bool inserted = false;
    for (const met_write& w : met_) {
      if (w.wrote != side::home || !meets(w, contested | existence)) continue;
      inserted |= (w.fields & existence) != 0;
      q.home_time_us = std::max(q.home_time_us, w.time_us);
    }
    q.home_op = !current_.found ? operation::remove : inserted ? operation::insert : operation::update;
    return q;
  }
  bool existence_met() const {
    return std::any_of(met_.begin(), met_.end(), [](const met_write& w) { return (w.fields & existence) != 0; });
  }

 private:
  bool meets(const met_write& w, field_set in) const { return (meeting(change_.fields, w.fields, policy_.deltas) & in) != 0; }
  moment last_met(field_set in) const {
    moment last{0, side::spoke};
    for (const met_write& w : met_)
      if (meets(w, in)) last = std::max(last, moment_of(w.time_us, w.wrote, grain_us_));
    return last;
  }
  // The spoke's own earlier write, which has won before, is not later than this one, whatever its second.
  verdict by_commit_time(field_set in) const {
    const moment last = last_met(in);
    return last.wrote == side::spoke || last < now_ ? verdict::spoke : verdict::home;
  }
  verdict latest(field_set in) const {
    if (policy_.latest_by && current_.found && change_.after) {
      const std::uint16_t c = *policy_.latest_by;
      const cell theirs = change_.after[c];
      const auto& ours = current_.values[c];
      if (theirs.absent()) return by_commit_time(in);
      if (!ours || theirs.is_null()) return !ours && theirs.present() ? verdict::spoke : verdict::home;
      return is_later(table_.columns[c].home, theirs.text(), *ours) ? verdict::spoke : verdict::home;
    }
    return by_commit_time(in);
  }

  const conflict_policy& policy_;
  const table_pair& table_;
  const incoming& change_;
  const owned_row& current_;
  std::span<const met_write> met_;
  std::int64_t grain_us_;
  moment now_;
};

std::string_view type_of(operation op, const owned_row& current) {
  if (op == operation::insert) return current.found ? "insert_exists" : "update_deleted";
  if (op == operation::update) return current.found ? "update_origin_differs" : "update_deleted";
  return current.found ? "delete_origin_differs" : "delete_missing";
}

bool is_delta(const conflict_policy& p, std::uint16_t column) { return (p.deltas & p.bit_of(column)) != 0; }

// Every column that the change's row has a value for.
std::vector<std::uint16_t> columns_of(const table_pair& t, row_view row) {
  std::vector<std::uint16_t> all;
  for (std::uint16_t i = 0; i < t.columns.size(); ++i)
    if (!t.columns[i].key && !row[i].absent()) all.push_back(i);
  return all;
}

// The columns that an update has changed, in the fields of `in`; and the fields of `whole` as it has them, changed or not.
void take_changed(const table_pair& t, const incoming& c, field_set in, field_set whole, std::vector<std::uint16_t>& write,
                  std::vector<std::uint16_t>& add) {
  for (std::uint16_t i = 0; i < t.columns.size(); ++i) {
    if (t.columns[i].key || c.after[i].absent() || !(t.policy.bit_of(i) & in)) continue;
    if (c.before && c.after[i] == c.before[i] && !(t.policy.bit_of(i) & whole)) continue;
    const bool by_difference = is_delta(t.policy, i) && c.before && c.before[i].present() && c.after[i].present();
    (by_difference ? add : write).push_back(i);
  }
}

bool is_whole(const table_pair& t, row_view row) {
  for (std::size_t i = 0; i < t.columns.size(); ++i)
    if (row[i].absent()) return false;
  return true;
}

// Of the fields `in`, the first one and those that were declared with it: its script is asked about them at once.
field_set of_one_script(const conflict_policy& p, field_set in) {
  field_set all = 0;
  std::optional<std::uint16_t> script;
  for (std::size_t f = 0; f < p.fields.size(); ++f) {
    const field_set bit = field_set{1} << f;
    if (!(in & bit) || (script && *script != p.fields[f].script)) continue;
    script = p.fields[f].script;
    all |= bit;
  }
  return all;
}
std::uint16_t script_of(const conflict_policy& p, field_set in) { return p.fields[static_cast<std::size_t>(std::countr_zero(in))].script; }

bool is_set(const decision& d, std::uint16_t column) {
  return std::any_of(d.set.begin(), d.set.end(), [&](const new_value& v) { return v.first == column; });
}

decision hold(decision d, std::string reason) {
  d.does = action::hold;
  d.winner = "nobody";
  d.reason = std::move(reason);
  return d;
}

}  // namespace

// Text of dates and times sorts as they do.
bool is_later(const column& c, std::string_view a, std::string_view b) {
  if ((c.type.kind == value_kind::integer || c.type.kind == value_kind::decimal) && is_decimal(a) && is_decimal(b))
    return compare_decimals(a, b) > 0;
  return a > b;
}

decision decide(const table_pair& table, const incoming& change, const owned_row& current, const owned_row& at_new_key,
                std::span<const met_write> met, std::int64_t grain_us, const referee& ask) {
  const conflict_policy& policy = table.policy;
  const bench b(table, change, current, met, grain_us);
  decision d;
  d.met = b.fields_met();
  d.type = type_of(change.op, current);
  if (d.met == 0) return d;
  const auto settle = [&](verdict v, std::string_view rule) {
    d.rule = rule;
    d.winner = v == verdict::spoke ? "spoke" : "home";
    d.tag = b.tag(d.met, v == verdict::spoke ? ~field_set{0} : 0);
  };

  if (!(d.met & existence)) {  // two updates of one row: field by field
    field_set spoke_wins = d.met & restated, scripted = 0, set = 0;
    std::string_view rule;
    bool one_rule = true;
    for (std::size_t f = 0; f < policy.fields.size(); ++f) {
      const field_set bit = field_set{1} << f;
      if (!(d.met & bit)) continue;
      const conflict_rule r = policy.fields[f].rule;
      one_rule &= rule.empty() || rule == name(r);
      rule = name(r);
      if (r == conflict_rule::script && !b.only_against_itself(bit)) {
        scripted |= bit;
        continue;
      }
      switch (b.by(r, bit)) {
        case verdict::spoke: spoke_wins |= bit; break;
        case verdict::home: break;
        case verdict::nobody: return d.rule = name(r), hold(std::move(d), "both sides wrote it, and its rule is manual");
      }
    }
    while (scripted) {
      const field_set asked = of_one_script(policy, scripted);
      scripted &= ~asked;
      ruling r = ask(b.to_script(script_of(policy, asked), asked));
      if (r.says == ruling::verdict::hold) return d.rule = name(conflict_rule::script), hold(std::move(d), std::move(r.reason));
      if (r.says == ruling::verdict::spoke) spoke_wins |= asked;
      for (new_value& v : r.values) {
        set |= policy.bit_of(v.first);
        d.set.push_back(std::move(v));
      }
    }
    d.does = action::update;
    // What is decided as one never comes from both sides: where home has written another column of a field that the spoke wins,
    // home's is written over, too.
    take_changed(table, change, ~d.met | spoke_wins, spoke_wins & ~policy.deltas, d.write, d.add);
    std::erase_if(d.write, [&](std::uint16_t i) { return is_set(d, i); });
    if (d.write.empty() && d.add.empty() && d.set.empty()) d.does = action::keep;
    settle(spoke_wins == d.met ? verdict::spoke : verdict::home, one_rule ? rule : "by column");
    d.tag = b.tag(d.met, spoke_wins, set);
    if (spoke_wins && spoke_wins != d.met) d.winner = "both";
    if (set) d.winner = "script";
    d.recorded = std::any_of(met.begin(), met.end(), [&](const met_write& w) { return w.wrote == side::home && meeting(change.fields, w.fields, policy.deltas); });
    return d;
  }

  d.met = policy.all();
  const bool own_write = b.only_against_itself(~field_set{0});
  // An insert over a row that the spoke itself has won: it did not have that row any more, home's change of the key had taken
  // it away.
  d.recorded = !own_write || (change.op == operation::insert && current.found);
  std::optional<ruling> said;  // by the row's script
  const auto by_the_rows_rule = [&] {
    if (policy.rule != conflict_rule::script || own_write) return b.by(policy.rule, ~field_set{0});
    field_set asked = 0;
    for (std::size_t f = 0; f < policy.fields.size(); ++f)
      if (policy.fields[f].rule == conflict_rule::script && policy.fields[f].script == policy.script) asked |= field_set{1} << f;
    said = ask(b.to_script(policy.script, asked));
    if (said->says == ruling::verdict::home) return verdict::home;
    return said->says == ruling::verdict::spoke ? verdict::spoke : verdict::nobody;
  };
  if (change.key_changed) {
    const verdict v = by_the_rows_rule();
    if (v == verdict::home) return settle(v, name(policy.rule)), std::move(d);
    if (v == verdict::nobody) {
      d.rule = name(policy.rule);
      if (!said) return hold(std::move(d), "its key was changed at the spoke while home wrote it, and its rule is manual");
      const bool held = said->says == ruling::verdict::hold;
      return hold(std::move(d), held ? said->reason : "its key was changed at the spoke, where its script can only name a side");
    }
    if (!current.found || at_new_key.found)
      return d.rule = name(policy.rule), hold(std::move(d), current.found ? "its key was changed to one that home has taken" : "its key was changed while home deleted it");
    d.does = action::move;
    return settle(v, name(policy.rule)), std::move(d);
  }

  if (change.op == operation::remove && !current.found) {  // deleted on both sides: of no consequence
    d.recorded = false;
    return settle(verdict::spoke, "both deleted"), std::move(d);
  }

  if (own_write && change.op == operation::update && current.found) {  // what home wrote besides, in other fields, stays
    d.does = action::update;
    take_changed(table, change, ~field_set{0}, 0, d.write, d.add);
    return settle(verdict::spoke, "own write"), std::move(d);
  }

  const bool update_against_delete = change.op == operation::remove ? !b.existence_met() : !current.found;
  const side update_side = change.op == operation::remove ? side::home : side::spoke;
  const bool own_rule = update_against_delete && policy.update_vs_delete != delete_rule::by_rule;
  const verdict v = own_rule ? b.by(policy.update_vs_delete, update_side) : by_the_rows_rule();
  const std::string_view rule = own_write ? "own write" : own_rule ? name(policy.update_vs_delete) : name(policy.rule);
  if (said && said->says == ruling::verdict::values) {  // home's row with them, or the spoke's where home has none
    if (!current.found && !is_whole(table, change.after))
      return d.rule = rule, hold(std::move(d), "home has deleted it, and the log does not carry all of its columns");
    d.does = current.found ? action::update : action::insert;
    d.set = std::move(said->values);
    settle(verdict::home, rule);
    d.tag = b.tag(d.met, 0, d.met);
    d.winner = "script";
    return d;
  }
  if (v == verdict::nobody) return d.rule = rule, hold(std::move(d), said ? said->reason : "both sides wrote it, and its rule is manual");
  if (v == verdict::spoke) {
    if (change.op == operation::remove) {
      d.does = action::remove;
    } else if (!current.found) {
      if (!is_whole(table, change.after)) return d.rule = rule, hold(std::move(d), "home has deleted it, and the log does not carry all of its columns");
      d.does = action::insert;
    } else {
      d.does = action::update;
      for (const std::uint16_t i : columns_of(table, change.after)) {
        if (table.owned_by(side::home, i)) continue;
        const bool by_difference = is_delta(policy, i) && change.before && change.before[i].present() && change.after[i].present();
        if (!by_difference) d.write.push_back(i);
        else if (!(change.after[i] == change.before[i])) d.add.push_back(i);
      }
    }
  }
  settle(v, rule);
  return d;
}

share held_back(const table_pair& table, const incoming& change, bool row_is_there, std::span<const met_write> met) {
  share s;
  field_set written = 0, contested = 0;
  for (const met_write& w : met) {
    written |= w.fields;
    contested |= meeting(change.fields, w.fields, table.policy.deltas);
  }
  if (written == 0) return s.whole = true, s;
  if (((change.fields | written) & existence) || !row_is_there || change.op != operation::update) return s.nothing = true, s;
  take_changed(table, change, ~contested, 0, s.write, s.add);
  s.nothing = s.write.empty() && s.add.empty();
  return s;
}

share held_back_of_refresh(const table_pair& table, row_view row, bool row_is_there, std::span<const met_write> met) {
  share s;
  field_set written = 0;
  for (const met_write& w : met) written |= w.fields;
  if (written == 0) return s.whole = true, s;
  if (!row || !row_is_there || (written & existence)) return s.nothing = true, s;
  for (const std::uint16_t i : columns_of(table, row))
    if (!is_delta(table.policy, i) && !table.owned_by(side::spoke, i) && !(table.policy.bit_of(i) & written)) s.write.push_back(i);
  s.nothing = s.write.empty();
  return s;
}

}  // namespace duet::conflict
