#include "pipeline/schema_fit.hpp"

#include <algorithm>
#include <map>

#include "translate/table_writer.hpp"

namespace duet::pipeline {
namespace {

constexpr std::size_t former_max = 8;

const column* find(const table_schema& t, std::string_view name) {
  for (const column& c : t.columns)
    if (c.name == name) return &c;
  return nullptr;
}

// Whether values of one type may be too much for another one of its kind.
bool is_wider(const column_type& a, const column_type& b) {
  if (a.kind != b.kind) return false;
  const auto digits = [](const column_type& t) { return t.precision < 0 ? 1000 : t.precision - t.scale; };
  switch (a.kind) {
    case value_kind::integer: return a.bits + (a.is_unsigned && !b.is_unsigned ? 1 : 0) > b.bits;
    case value_kind::decimal: return digits(a) > digits(b) || a.scale > b.scale;
    case value_kind::real: return a.bits > b.bits;
    case value_kind::text: case value_kind::bytes: return b.length >= 0 && (a.length < 0 || a.length > b.length);
    case value_kind::time: case value_kind::datetime: case value_kind::timestamp: return a.precision > b.precision;
    default: return false;
  }
}

using renames = std::map<std::string, std::string>;  // before, now

const column_detail* find(const std::vector<column_detail>& all, std::string_view name) {
  for (const column_detail& d : all)
    if (d.name == name) return &d;
  return nullptr;
}

// A column that is gone and a new one of its number; where there are no numbers, of the same type in its place: it was renamed.
renames find_renames(const std::vector<known_column>& before, const table_schema& now, const std::vector<column_detail>& details) {
  renames found;
  if (std::all_of(before.begin(), before.end(), [](const known_column& k) { return k.number != 0; }) && !details.empty()) {
    for (const known_column& k : before)
      for (const column_detail& d : details)
        if (d.number == k.number && d.name != k.name) found[k.name] = d.name;
    return found;
  }
  for (std::size_t i = 0; i < before.size() && i < now.columns.size(); ++i) {
    const column& c = now.columns[i];
    if (c.name == before[i].name || c.type.native != before[i].type || find(now, before[i].name)) continue;
    if (std::none_of(before.begin(), before.end(), [&](const known_column& k) { return k.name == c.name; })) found[before[i].name] = c.name;
  }
  return found;
}

class judgement {
 public:
  judgement(const known_table& before, const table_schema& home, const table_schema& spoke, const table_pair* bound, const table_rule& rule,
            const details_of_sides& details)
      : before_(before), tables_{&home, &spoke}, bound_(bound), rule_(rule), details_(details) {
    out.now = before;
    out.now.paused.reset();
    for (const side s : {side::home, side::spoke}) {
      renamed_[index(s)] = find_renames(before.columns[index(s)], on(s), details.of[index(s)]);
      out.now.columns[index(s)] = columns_now(s);
    }
    out.now.spoke_schema = spoke.schema;
    out.now.spoke_name = spoke.name;
    if (!bound) return;
    out.now.synced.clear();
    for (const column_pair& c : bound->columns) out.now.synced.emplace_back(c.home.name, c.spoke.name);
  }

  void look_at_synced() {
    for (const auto& [home, spoke] : before_.synced) {
      const std::optional<std::string> h = now_called(side::home, home), s = now_called(side::spoke, spoke);
      if (!h && !s) continue;
      if (!h || !s) {
        const side gone = h ? side::spoke : side::home, there = other(gone);
        add("column " + (h ? spoke : home) + " is gone at " + the(gone), there, "DROP COLUMN " + translate::quoted(there, h ? *h : *s));
        continue;
      }
      if ((*h == home && *s == spoke) || is_pair(*h, *s)) continue;
      const side renamed = *h != home ? side::home : side::spoke, there = other(renamed);
      const std::string now = renamed == side::home ? *h : *s, was = renamed == side::home ? home : spoke, here = renamed == side::home ? *s : *h;
      out.can_follow &= details_.of[index(renamed)].size() > 0 && find(details_.of[index(renamed)], now)->number != 0;  // else it is a guess
      if (home == spoke) add("column " + was + " is called " + now + " at " + the(renamed), there, "RENAME COLUMN " + translate::quoted(there, here) + " TO " + translate::quoted(there, now));
      else add_unmended("column " + was + " is called " + now + " at " + the(renamed), "write `columns: { " + *h + ": " + *s + " }` at the table, and restart the hub");
    }
  }

  void look_at_new() {
    if (!bound_) return;
    for (const side s : {side::home, side::spoke}) {
      for (const column& c : on(s).columns) {
        if (before_.find(s, c.name) || was_renamed_to(s, c.name) || c.generated || is_synced(s, c.name) || is_excluded(c.name)) continue;
        if (find(on(other(s)), c.name) || rule_.on_schema_change == schema_rule::ignore_new_columns) continue;
        const std::string made = translate::column_definition(c, other(s), c.name);
        if (made.empty()) add_unmended("column " + c.name + " is new at " + the(s) + ", and its type has no counterpart", "write `exclude: [" + c.name + "]` at the table, and restart the hub");
        else add("column " + c.name + " is new at " + the(s), other(s), "ADD COLUMN " + made + with_default(c, s));
      }
    }
  }

  // A type that one side has widened beyond what the other one's holds. Where the change is not followed both types still go
  // together, or translate::bind says why not.
  void look_at_types() {
    if (rule_.on_schema_change != schema_rule::follow) return;
    for (const auto& [home, spoke] : before_.synced) {
      const std::string names[] = {home, spoke};
      const column* now[2];
      bool altered[2];
      for (const side s : {side::home, side::spoke}) {
        const std::optional<std::string> called = now_called(s, names[index(s)]);
        now[index(s)] = called ? find(on(s), *called) : nullptr;
        altered[index(s)] = now[index(s)] && now[index(s)]->type.native != before_.find(s, names[index(s)])->type;
      }
      if (!now[0] || !now[1] || altered[0] == altered[1]) continue;
      const side at = altered[0] ? side::spoke : side::home;
      const column &wide = *now[index(other(at))], &narrow = *now[index(at)];
      if (!is_wider(wide.type, narrow.type)) continue;
      const std::string made = translate::column_definition(wide, at, narrow.name);
      const std::string column = translate::quoted(at, narrow.name), type = made.substr(std::min(made.size(), column.size() + 1));
      const column_detail* d = find(details_.of[index(at)], narrow.name);
      if (type.empty() || (at == side::spoke && !d)) continue;
      add("column " + wide.name + " is " + wide.type.native + " at " + the(other(at)), at,
          at == side::home ? "ALTER COLUMN " + column + " TYPE " + type : "MODIFY COLUMN " + column + " " + type + d->rest);
    }
  }

  void look_at_findings(const findings& found, const std::string& table) {
    if (bound_ || !out.reason.empty()) return;
    for (const finding& f : found)
      if (f.is == finding::level::refuse && f.table == table) add_unmended(f.text, f.remedy);
    if (out.reason.empty()) add_unmended("the two sides don't fit", "duet check");
  }

  schema_fit out;

 private:
  static std::size_t index(side s) { return static_cast<std::size_t>(s); }
  static std::string the(side s) { return s == side::home ? "home" : "the spoke"; }
  const table_schema& on(side s) const { return *tables_[index(s)]; }

  std::optional<std::string> now_called(side s, const std::string& name) const {
    if (const auto at = renamed_[index(s)].find(name); at != renamed_[index(s)].end()) return at->second;
    return find(on(s), name) ? std::optional(name) : std::nullopt;
  }
  bool was_renamed_to(side s, const std::string& name) const {
    return std::any_of(renamed_[index(s)].begin(), renamed_[index(s)].end(), [&](const auto& r) { return r.second == name; });
  }
  bool is_pair(const std::string& home, const std::string& spoke) const {
    return bound_ && std::any_of(bound_->columns.begin(), bound_->columns.end(), [&](const column_pair& c) { return c.home.name == home && c.spoke.name == spoke; });
  }
  bool is_synced(side s, const std::string& name) const {
    return std::any_of(bound_->columns.begin(), bound_->columns.end(), [&](const column_pair& c) { return c.on(s).name == name; });
  }
  bool is_excluded(const std::string& name) const { return std::find(rule_.exclude.begin(), rule_.exclude.end(), name) != rule_.exclude.end(); }

  std::vector<known_column> columns_now(side s) const {
    std::vector<known_column> now;
    for (const column& c : on(s).columns) {
      known_column k{c.name, c.type.native, {}, 0};
      if (const column_detail* d = find(details_.of[index(s)], c.name)) k.number = d->number;
      if (const known_column* before = before_.find(s, c.name)) k.former = before->former;
      for (const auto& [was, is] : renamed_[index(s)])
        if (is == c.name) {
          k.former = before_.find(s, was)->former;
          k.former.push_back(was);
          if (k.former.size() > former_max) k.former.erase(k.former.begin());
        }
      now.push_back(std::move(k));
    }
    return now;
  }

  // So that rows which are there get the same value on both sides; where that can't be told, a person has to.
  std::string with_default(const column& c, side s) {
    const column_detail* d = find(details_.of[index(s)], c.name);
    if (!d || (d->has_default && !d->is_constant) || (!c.nullable && !d->has_default) || c.on_update) out.can_follow = false;
    if (!d || !d->is_constant) return {};
    std::string constant;
    switch (c.type.kind) {
      case value_kind::boolean: case value_kind::integer: case value_kind::decimal: case value_kind::real:
        if (d->constant.empty() || d->constant.find_first_not_of("0123456789.-") != std::string::npos) return out.can_follow = false, std::string();
        constant = d->constant;
        if (s == side::spoke && c.type.kind == value_kind::boolean) constant = d->constant == "0" ? "false" : "true";
        break;
      case value_kind::text: case value_kind::date: case value_kind::datetime: case value_kind::time: case value_kind::enumeration:
        constant = "'";
        for (const char ch : d->constant) constant += ch == '\'' ? std::string("''") : std::string(1, ch);
        constant += '\'';
        if (s == side::home && c.type.kind == value_kind::text) constant = "(" + constant + ")";  // MySQL's long texts take an expression only
        break;
      default: return out.can_follow = false, std::string();
    }
    return " DEFAULT " + constant + (c.nullable ? "" : " NOT NULL");
  }

  void add_unmended(const std::string& reason, const std::string& remedy) {
    out.can_follow = false;
    add_text(reason, remedy);
  }
  void add_text(const std::string& reason, const std::string& remedy) {
    out.reason += (out.reason.empty() ? "" : "; ") + reason;
    if (!remedy.empty()) out.remedy += (out.remedy.empty() ? "" : "; ") + remedy;
  }
  void add(const std::string& reason, side at, const std::string& clause) {
    const table_schema& t = on(at);
    const std::string sql = "ALTER TABLE " + translate::quoted(at, t.schema) + "." + translate::quoted(at, t.name) + " " + clause;
    out.alterations.push_back({at, sql});
    add_text(reason, "at " + the(at) + ": " + sql);
  }

  const known_table& before_;
  const table_schema* tables_[2];
  const table_pair* bound_;
  const table_rule& rule_;
  const details_of_sides& details_;
  renames renamed_[2];
};

}  // namespace

schema_fit judge(const known_table& before, const table_schema* home, const table_schema* spoke, const table_pair* bound, const table_rule& rule,
                 const std::string& table, const findings& found, const details_of_sides* details) {
  if (!home || !spoke) {
    schema_fit out;
    out.now = before;
    out.now.paused.reset();
    out.can_follow = false;
    out.reason = std::string("the table is gone at ") + (home ? "the spoke" : "home");
    out.remedy = "duet teardown and duet setup, once it is there again";
    return out;
  }
  const details_of_sides none;
  judgement j(before, *home, *spoke, bound, rule, details ? *details : none);
  j.look_at_synced();
  j.look_at_new();
  j.look_at_types();
  j.look_at_findings(found, table);
  return std::move(j.out);
}

bool same_columns(const known_table& a, const known_table& b) {
  const auto same = [](const known_column& x, const known_column& y) { return x.name == y.name && x.type == y.type; };
  for (const int s : {0, 1})
    if (!std::equal(a.columns[s].begin(), a.columns[s].end(), b.columns[s].begin(), b.columns[s].end(), same)) return false;
  return true;
}

std::string signature(const table_schema& t) {
  std::string out = t.schema + '.' + t.name + '\n';
  const auto add = [&](const std::string& text) { out += text + '\x1f'; };
  const auto add_all = [&](const std::vector<int>& numbers) {
    for (const int n : numbers) out += std::to_string(n) + ',';
    out += '\x1f';
  };
  for (const column& c : t.columns) {
    add(c.name), add(c.type.native), add(c.type.charset), add(c.type.collation);
    for (const std::string& label : c.type.labels) add(label);
    out += c.nullable ? 'n' : '-';
    out += c.generated ? 'g' : '-';
    out += '\n';
  }
  add_all(t.primary_key);
  for (const unique_index& u : t.unique_indexes) add(u.name), add_all(u.columns);
  for (const foreign_key& f : t.foreign_keys) add(f.name), add_all(f.columns), add(f.parent_schema + '.' + f.parent_table), add(f.on_delete), add(f.on_update);
  return out;
}

}  // namespace duet::pipeline
