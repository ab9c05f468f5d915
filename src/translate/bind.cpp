// The configured tables, bound to the two catalogs.
//
// Each problem is a finding; a table with a refusal does not become part of the mapping. Codes:
//   refuse  table_missing, duplicate_table, bookkeeping_table, column_missing, duplicate_column, no_column, type_pair,
//           no_primary_key, key_mismatch, key_excluded, key_type, too_many, no_conflict_rule, conflict_column, conflict_on_key,
//           latest_by_type, delta_type, too_many_fields, archive_column, copy_key, copy_cycle, truth_and_deltas
//   warn    only_one_side, generated_one_side, declared_loss, utc_assumed, key_equality, unique_equality, null_one_side,
//           parent_not_synced, cascade_differs, children_stay
//   ok      tables_one_side, table_paired, held_values, latest_by_commit_time, fields_shared, conflict_script
#include <algorithm>
#include <cassert>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "translate/conversions.hpp"
#include "translate/equality.hpp"
#include "translate/translate.hpp"
#include "translate/type_contract.hpp"

namespace duet::translate {

namespace {

std::string lower(std::string_view s) {
  std::string out(s);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

std::string full_name(const table_schema& t) { return t.schema + "." + t.name; }

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& w : words) out += (out.empty() ? "" : ", ") + w;
  return out;
}

struct qualified_name {
  std::string schema, table;
  qualified_name(const std::string& text, const std::string& default_schema) {
    const std::size_t dot = text.find('.');
    schema = dot == std::string::npos ? default_schema : text.substr(0, dot);
    table = dot == std::string::npos ? text : text.substr(dot + 1);
  }
};

// By exact name, else by the only one that differs in case alone.
template <class List, class Name>
auto find_by_name(const List& list, std::string_view wanted, const Name& name_of) -> decltype(&*list.begin()) {
  decltype(&*list.begin()) loose = nullptr;
  bool unclear = false;
  for (const auto& item : list) {
    if (name_of(item) == wanted) return &item;
    if (lower(name_of(item)) != lower(wanted)) continue;
    unclear = loose != nullptr;
    loose = &item;
  }
  return unclear ? nullptr : loose;
}

const column* find_column(const table_schema& t, std::string_view name) {
  const auto at = std::find_if(t.columns.begin(), t.columns.end(), [&](const column& c) { return c.name == name; });
  return at == t.columns.end() ? nullptr : &*at;
}

const column* find_spoke_column(const table_schema& t, std::string_view name) {
  return find_by_name(t.columns, name, [](const column& c) -> const std::string& { return c.name; });
}

const table_schema* find_home_table(const std::vector<table_schema>& tables, const qualified_name& name) {
  for (const auto& t : tables)
    if (t.schema == name.schema && t.name == name.table) return &t;
  return nullptr;
}

// MySQL's table names differ in case or don't, by server: an equal one first.
const table_schema* find_spoke_table(const std::vector<table_schema>& tables, const qualified_name& name) {
  for (const auto& t : tables)
    if (t.schema == name.schema && t.name == name.table) return &t;
  return find_by_name(tables, name.schema + "." + name.table, [](const table_schema& t) { return full_name(t); });
}

int index_of(const table_schema& t, const column& c) { return static_cast<int>(&c - t.columns.data()); }

class binder {
 public:
  binder(const config& c, const std::vector<table_schema>& home, const std::vector<table_schema>& spoke, findings& found)
      : config_(c), home_(home), spoke_(spoke), found_(found) {}

  mapping bind() {
    for (const auto& rule : config_.tables)
      if (!is_wildcard(rule)) claim_names(rule);
    for (const auto& rule : config_.tables) is_wildcard(rule) ? bind_all(rule) : bind_one(rule);
    find_parents();
    check_copy_order();
    return std::move(out_);
  }

 private:
  static bool is_wildcard(const table_rule& r) { return r.home.ends_with(".*") || r.home == "*"; }

  void add(finding::level is, std::string code, int line, std::string text, std::string remedy) {
    found_.push_back({is, std::move(code), std::move(text), std::move(remedy), config_.file + ":" + std::to_string(line), at_table_});
  }
  void refuse(std::string code, int line, std::string text, std::string remedy) {
    ok_ = false;
    add(finding::level::refuse, std::move(code), line, std::move(text), std::move(remedy));
  }
  void warn(std::string code, int line, std::string text, std::string remedy) {
    add(finding::level::warn, std::move(code), line, std::move(text), std::move(remedy));
  }
  void note(std::string code, int line, std::string text) { add(finding::level::ok, std::move(code), line, std::move(text), ""); }

  // Tables with a rule of their own are not taken by a `schema.*`.
  void claim_names(const table_rule& rule) {
    const qualified_name home(rule.home, "public");
    claimed_home_.insert(home.schema + "." + home.table);
    const qualified_name spoke(rule.spoke.empty() ? home.table : rule.spoke, config_.spoke.database);
    if (const auto* t = find_spoke_table(spoke_, spoke)) claimed_spoke_.insert(full_name(*t));
  }

  void bind_all(const table_rule& rule) {
    if (rule.spoke_flawed) return;
    const qualified_name home(rule.home, "public");
    const qualified_name spoke(rule.spoke.empty() ? "*" : rule.spoke, config_.spoke.database);
    if (home.schema == "duet" || lower(spoke.schema) == "duet") {
      return refuse("bookkeeping_table", rule.at.line, "`duet` holds the bookkeeping of Duet itself", "leave it out");
    }
    std::vector<std::string> only_home, only_spoke;
    std::set<std::string> taken;
    std::size_t found = 0;
    for (const auto& t : home_) {
      if (t.schema != home.schema || claimed_home_.contains(full_name(t))) continue;
      const auto* partner = find_spoke_table(spoke_, qualified_name(spoke.schema + "." + t.name, ""));
      if (!partner) {
        only_home.push_back(t.name);
        continue;
      }
      taken.insert(full_name(*partner));
      if (claimed_spoke_.contains(full_name(*partner))) continue;
      ++found;
      bind_pair(rule, t, *partner);
    }
    for (const auto& t : spoke_)
      if (lower(t.schema) == lower(spoke.schema) && !taken.contains(full_name(t)) && !claimed_spoke_.contains(full_name(t))) only_spoke.push_back(t.name);
    if (!only_home.empty()) note("tables_one_side", rule.at.line, "only at home, so not synced: " + join(only_home));
    if (!only_spoke.empty()) note("tables_one_side", rule.at.line, "only at the spoke, so not synced: " + join(only_spoke));
    if (found == 0 && taken.empty()) {
      refuse("table_missing", rule.at.line, "no table of schema " + home.schema + " exists in the spoke's database " + spoke.schema + " too",
             "create the tables on both sides, or check the names and the privileges of the two users");
    }
  }

  void bind_one(const table_rule& rule) {
    const qualified_name home(rule.home, "public");
    const qualified_name spoke(rule.spoke.empty() ? home.table : rule.spoke, config_.spoke.database);
    if (home.schema == "duet" || lower(spoke.schema) == "duet") {
      return refuse("bookkeeping_table", rule.at.line, "`duet` holds the bookkeeping of Duet itself", "leave this table out");
    }
    const auto* h = find_home_table(home_, home);
    const auto* s = find_spoke_table(spoke_, spoke);
    at_table_ = home.schema + "." + home.table;
    if (!h) refuse_missing_table(rule, "home", home, home_);
    if (!s && !rule.spoke_flawed) refuse_missing_table(rule, "the spoke", spoke, spoke_);
    at_table_.clear();
    if (h && s && !rule.spoke_flawed) bind_pair(rule, *h, *s);
  }

  void refuse_missing_table(const table_rule& rule, const std::string& where, const qualified_name& name, const std::vector<table_schema>& tables) {
    const std::string wanted = name.schema + "." + name.table;
    std::string remedy = "create it, mend the name, or grant SELECT on it";
    for (const auto& t : tables)
      if (lower(t.name) == lower(name.table)) remedy = "did you mean " + full_name(t) + "?";
    refuse("table_missing", rule.at.line, "there is no table " + wanted + " at " + where, remedy);
  }

  void bind_pair(const table_rule& rule, const table_schema& home, const table_schema& spoke) {
    ok_ = true;
    reported_.clear();
    const std::string what = full_name(home);
    at_table_ = what;
    bind_at_table(rule, home, spoke, what);
    at_table_.clear();
  }

  void bind_at_table(const table_rule& rule, const table_schema& home, const table_schema& spoke, const std::string& what) {
    if (!bound_home_.insert(what).second) {
      return refuse("duplicate_table", rule.at.line, "home's table " + what + " is synced by an earlier rule", "a table can be synced once");
    }
    if (const auto [at, fresh] = bound_spoke_.emplace(full_name(spoke), what); !fresh) {
      return refuse("duplicate_table", rule.at.line, "the spoke's table " + full_name(spoke) + " is already the partner of " + at->second,
                    "a table can be synced once");
    }
    if (out_.tables.size() > std::numeric_limits<std::uint16_t>::max() || home.columns.size() > std::numeric_limits<std::uint16_t>::max()) {
      return refuse("too_many", rule.at.line, "there are more tables or columns than Duet can count", "split the link");
    }
    table_pair pair;
    pair.id = static_cast<std::uint16_t>(out_.tables.size());
    pair.home = home;
    pair.spoke = spoke;
    pair.direction = rule.direction;
    pair.line = rule.at.line;
    pair.on_schema_change = rule.on_schema_change;
    pair_columns(rule, pair);
    pair_keys(rule, pair);
    if (rule.columns_flawed || rule.direction_flawed) return;
    const bool both = pair.direction == flow::both;
    if (both) find_row_rule(rule, pair);
    if (pair.columns.empty() && ok_) refuse("no_column", rule.at.line, what + ": no column is left to sync", "pair or rename columns");
    if (ok_ && both) bind_policy(rule, pair);
    bind_deletes(rule, pair);
    pair.held_limit = rule.held_limit.value_or(config_.held_limit);
    if (rule.initial != initial_rows::none) bind_copy(rule, pair);
    if (!ok_) return;
    pair_unique_indexes(rule, pair);
    std::string deletes;
    for (side s : {side::home, side::spoke})
      if (pair.keeps_deleted(s)) {
        const std::string& column = pair.deletes_of(s).archived_at;
        deletes += ", what " + std::string(duet::name(s)) + " deletes stays at " + std::string(duet::name(other(s))) + (column.empty() ? "" : " with its time in " + column);
      }
    note("table_paired", rule.at.line,
         what + " <-> " + full_name(spoke) + ", " + std::string(duet::name(rule.direction)) + ", " + std::to_string(pair.columns.size()) + " columns" + deletes);
    rule_of_.push_back(&rule);
    out_.tables.push_back(std::move(pair));
  }

  int columns_line(const table_rule& r) const { return r.columns_at.line ? r.columns_at.line : r.at.line; }
  int exclude_line(const table_rule& r) const { return r.exclude_at.line ? r.exclude_at.line : r.at.line; }

  void pair_columns(const table_rule& rule, table_pair& pair) {
    const table_schema &home = pair.home, &spoke = pair.spoke;
    const std::string what = full_name(home);
    std::set<const column*> excluded, used;
    for (const auto& name : rule.exclude) {
      const column *h = find_column(home, name), *s = find_spoke_column(spoke, name);
      if (!h && !s) refuse("column_missing", exclude_line(rule), what + ": exclude names `" + name + "`, which neither side has", "take it out, or mend the name");
      // A name at home means home's column; its partner by name goes with it. Else it is one that only the spoke has.
      if (h) excluded.insert(h);
      if (s && (!h || !is_rename_target(rule, spoke, *s))) excluded.insert(s);
    }
    std::map<const column*, const column*> renamed;
    for (const auto& [home_name, spoke_name] : rule.columns) {
      const column *h = find_column(home, home_name), *s = find_spoke_column(spoke, spoke_name);
      if (!h) refuse("column_missing", columns_line(rule), what + ": columns names `" + home_name + "`, which home's table lacks", hint(home, home_name));
      if (!s) refuse("column_missing", columns_line(rule), what + ": columns names `" + spoke_name + "`, which " + full_name(spoke) + " lacks", hint(spoke, spoke_name));
      if (h && excluded.contains(h)) {
        refuse("duplicate_column", columns_line(rule), what + ": `" + home_name + "` is renamed and excluded", "keep one of the two");
      }
      if (h && s) renamed[h] = s;
      if (s && !used.insert(s).second) {
        refuse("duplicate_column", columns_line(rule), what + ": two columns go to the spoke's `" + s->name + "`", "a column has one partner");
      }
    }
    if (rule.columns_flawed) return;  // which columns are meant is not known
    std::vector<std::string> held;
    for (const auto& h : home.columns) {
      if (excluded.contains(&h)) continue;
      const auto rename = renamed.find(&h);
      const column* s = rename != renamed.end() ? rename->second : find_spoke_column(spoke, h.name);
      if (s && rename == renamed.end() && (used.contains(s) || excluded.contains(s))) s = nullptr;
      if (!s) {
        if (!h.generated) warn_one_side(rule, what, h, "home", pair.direction != flow::home_to_spoke);
        continue;
      }
      used.insert(s);
      if (h.generated || s->generated) {
        if (h.generated != s->generated) {
          warn("generated_one_side", rule.at.line,
               what + "." + h.name + " is generated at " + (h.generated ? "home" : "the spoke") + " only: it is left out, and the other side's column stays as it is",
               "exclude: [" + h.name + "], or make it generated on both sides");
        }
        continue;
      }
      pair_column(rule, pair, h, *s, held);
    }
    for (const auto& s : spoke.columns)
      if (!used.contains(&s) && !excluded.contains(&s) && !s.generated) {
        warn_one_side(rule, what, s, "the spoke", pair.direction != flow::spoke_to_home);
      }
    if (!held.empty()) note("held_values", rule.at.line, what + ": held with their reason, should they occur: " + join(held));
  }

  static bool is_rename_target(const table_rule& rule, const table_schema& spoke, const column& s) {
    return std::any_of(rule.columns.begin(), rule.columns.end(), [&](const auto& r) { return find_spoke_column(spoke, r.second) == &s; });
  }

  static std::string hint(const table_schema& t, const std::string& name) {
    for (const auto& c : t.columns)
      if (lower(c.name) == lower(name)) return "did you mean `" + c.name + "`?";
    return "mend the name";
  }

  void warn_one_side(const table_rule& rule, const std::string& what, const column& c, const std::string& where, bool written) {
    std::string text = what + ": column `" + c.name + "` exists at " + where + " only and is not synced";
    if (!c.nullable && written) text += "; it is NOT NULL: without a default, new rows from the other side will be held";
    warn("only_one_side", rule.at.line, text, "add it to the other side, rename it by `columns:`, or say exclude: [" + c.name + "]");
  }

  void pair_column(const table_rule& rule, table_pair& pair, const column& h, const column& s, std::vector<std::string>& held) {
    const std::string what = full_name(pair.home) + "." + h.name;
    const pairing p = pair_types(h.type, s.type);
    if (p.is == grade::refused) {
      reported_.insert({h.name, s.name});
      return refuse("type_pair", rule.at.line,
                    what + " is " + type_name(h) + " and its partner " + full_name(pair.spoke) + "." + s.name + " is " + type_name(s) + ": " + p.refusal,
                    "change one of the types, or exclude: [" + h.name + "]");
    }
    if (p.is == grade::declared_loss) warn("declared_loss", rule.at.line, what + " (" + type_name(h) + ", " + type_name(s) + ") does not keep: " + p.loss, "accept it, or give both sides types that keep all of it");
    if (!p.assumption.empty()) warn("utc_assumed", rule.at.line, what + " (" + type_name(h) + ", " + type_name(s) + "): " + p.assumption, "make it timestamptz and TIMESTAMP, or keep UTC in it");
    if (h.nullable != s.nullable && !is_key(pair, h)) {
      warn("null_one_side", rule.at.line, what + " is NOT NULL at " + (h.nullable ? "the spoke" : "home") + " only: NULLs of the other side will be held",
           "make both sides agree");
    }
    if (!p.held.empty()) held.push_back(h.name + ": " + join(p.held));
    column_pair c;
    c.home = h;
    c.spoke = s;
    c.to_spoke = p.to_spoke;
    c.to_home = p.to_home;
    c.guarded = p.guarded;
    c.loss = p.loss;
    if (is_key(pair, h) && !p.may_be_key) {
      refuse("key_type", rule.at.line,
             what + " (" + type_name(h) + ", " + type_name(s) + ") is part of the primary key, and such values do not stay equal on both sides",
             "use a type that is exact on both sides");
    }
    pair.columns.push_back(std::move(c));
  }

  static std::string type_name(const column& c) { return c.type.native.empty() ? std::string(duet::name(c.type.kind)) : c.type.native; }

  static bool is_key(const table_pair& pair, const column& home_column) {
    const auto& key = pair.home.primary_key;
    const column* c = find_column(pair.home, home_column.name);
    return c && std::find(key.begin(), key.end(), index_of(pair.home, *c)) != key.end();
  }

  std::optional<std::uint16_t> find_pair(const table_pair& pair, side s, int column_index) const {
    const auto& columns = pair.on(s).columns;
    assert(column_index >= 0 && static_cast<std::size_t>(column_index) < columns.size());
    const std::string& name = columns[static_cast<std::size_t>(column_index)].name;
    for (std::size_t i = 0; i < pair.columns.size(); ++i)
      if (pair.columns[i].on(s).name == name) return static_cast<std::uint16_t>(i);
    return std::nullopt;
  }

  void pair_keys(const table_rule& rule, table_pair& pair) {
    const std::string what = full_name(pair.home);
    const std::string instead = is_wildcard(rule) ? "; or name the tables one by one instead of " + rule.home : "";
    for (side s : {side::home, side::spoke}) {
      if (!pair.on(s).primary_key.empty()) continue;
      refuse("no_primary_key", rule.at.line, full_name(pair.on(s)) + " has no primary key at " + (s == side::home ? "home" : "the spoke") + ": rows could not be told apart",
             "ALTER TABLE " + full_name(pair.on(s)) + " ADD PRIMARY KEY (...)" + instead);
    }
    if (pair.home.primary_key.empty() || pair.spoke.primary_key.empty() || rule.columns_flawed) return;
    std::set<std::uint16_t> home_key, spoke_key;
    bool whole = true;
    for (side s : {side::home, side::spoke}) {
      for (int k : pair.on(s).primary_key) {
        const auto i = find_pair(pair, s, k);
        if (!i) {
          const std::string& name = pair.on(s).columns[static_cast<std::size_t>(k)].name;
          const bool excluded = std::find(rule.exclude.begin(), rule.exclude.end(), name) != rule.exclude.end();
          const bool reported = std::any_of(reported_.begin(), reported_.end(), [&](const auto& r) { return name == (s == side::home ? r.first : r.second); });
          whole = false;
          if (!reported) {
            refuse(excluded ? "key_excluded" : "key_mismatch", excluded ? exclude_line(rule) : rule.at.line,
                   what + ": `" + name + "` is part of the primary key at " + (s == side::home ? "home" : "the spoke") + " and is not synced",
                   excluded ? "take it out of exclude" : "give it a partner column on the other side");
          }
          continue;
        }
        if (s == side::home) pair.key.push_back(*i);
        (s == side::home ? home_key : spoke_key).insert(*i);
      }
    }
    if (whole && home_key != spoke_key) {
      refuse("key_mismatch", rule.at.line, what + ": the primary keys are of different columns: (" + key_names(pair, side::home) + ") at home, (" + key_names(pair, side::spoke) + ") at the spoke",
             "make the primary keys of both sides the same columns");
    }
    if (!ok_) return;
    for (std::uint16_t i : pair.key) {
      pair.columns[i].key = true;
      check_equality(rule, pair, pair.columns[i], true);
    }
  }

  static std::string key_names(const table_pair& pair, side s) {
    std::vector<std::string> names;
    for (int k : pair.on(s).primary_key) names.push_back(pair.on(s).columns[static_cast<std::size_t>(k)].name);
    return join(names);
  }

  // Text that is one value to one side and two to the other.
  void check_equality(const table_rule& rule, const table_pair& pair, const column_pair& c, bool key) {
    if (c.home.type.kind != value_kind::text || c.spoke.type.kind != value_kind::text) return;
    const auto folds = [](const column_type& t) { return folding_of(t) != folding::none && !t.collation.ends_with("_as_cs"); };
    const bool home_folds = folds(c.home.type), spoke_folds = folds(c.spoke.type);
    if (home_folds == spoke_folds) return;
    const side loose = spoke_folds ? side::spoke : side::home;
    warn(key ? "key_equality" : "unique_equality", rule.at.line,
         full_name(pair.home) + "." + c.home.name + " is " + (key ? "part of the primary key" : "unique") + ", and its collation " + c.on(loose).type.collation + " at " +
             (loose == side::spoke ? "the spoke" : "home") + " takes texts for equal that differ in case or accents: of two such rows the second will be held",
         loose == side::spoke ? "ALTER TABLE " + full_name(pair.spoke) + " MODIFY " + c.spoke.name + " " + c.spoke.type.native +
                                    " COLLATE " + (c.spoke.type.charset.empty() ? "utf8mb4" : c.spoke.type.charset) + "_bin" + (c.spoke.nullable ? "" : " NOT NULL")
                              : "give home's column a deterministic collation");
  }

  void pair_unique_indexes(const table_rule& rule, table_pair& pair) {
    std::set<std::vector<std::uint16_t>> seen;
    std::vector<std::uint16_t> key = pair.key;
    std::sort(key.begin(), key.end());
    seen.insert(key);
    std::set<std::uint16_t> warned;
    for (side s : {side::home, side::spoke}) {
      for (const auto& index : pair.on(s).unique_indexes) {
        std::vector<std::uint16_t> columns;
        for (int c : index.columns)
          if (const auto i = find_pair(pair, s, c)) columns.push_back(*i);
        if (columns.empty() || columns.size() != index.columns.size()) continue;
        std::vector<std::uint16_t> sorted = columns;
        std::sort(sorted.begin(), sorted.end());
        if (!seen.insert(sorted).second) continue;
        for (std::uint16_t i : columns)
          if (!pair.columns[i].key && warned.insert(i).second) check_equality(rule, pair, pair.columns[i], false);
        pair.unique.push_back(std::move(columns));
      }
    }
  }

  // ---- conflict rules

  void find_row_rule(const table_rule& rule, table_pair& pair) {
    conflict_policy& p = pair.policy;
    p.rule = rule.conflict.rule != conflict_rule::none ? rule.conflict.rule : config_.default_conflict_rule;
    p.script = rule.conflict.script;
    if (p.rule != conflict_rule::none || rule.flawed || config_.conflicts_flawed) return;
    ok_ = false;
    if (!without_rule_.insert(&rule).second) return;  // another table of the same schema.*
    refuse("no_conflict_rule", rule.at.line,
           (is_wildcard(rule) ? rule.home : full_name(pair.home)) +
               " is synced both ways and has no conflict rule: when both sides have changed the same row, Duet does not assume who wins",
           "write `conflict: { rule: latest }` at the table, or `conflicts: { default: latest }` for all tables; one of latest, home, spoke, manual, or at a table { script: FILE }");
  }

  // The index in pair.columns of a column that a conflict rule may be about.
  std::optional<std::uint16_t> conflict_column(const table_rule& rule, const table_pair& pair, const std::string& key, int line, const std::string& name) {
    const std::string what = full_name(pair.home) + ": " + key + " names `" + name + "`", from = key.substr(0, key.find_first_of(".:"));
    if (line == 0) line = rule.conflict.at.line ? rule.conflict.at.line : rule.at.line;
    const auto at = std::find_if(pair.columns.begin(), pair.columns.end(), [&](const column_pair& c) { return c.home.name == name; });
    if (at != pair.columns.end()) {
      if (!at->key) return static_cast<std::uint16_t>(at - pair.columns.begin());
      refuse("conflict_on_key", line, what + ", which is part of the primary key: a row with another key is another row, so both sides can't disagree on it",
             "take it out");
      return std::nullopt;
    }
    if (const column* h = find_column(pair.home, name)) {
      const bool excluded = std::find(rule.exclude.begin(), rule.exclude.end(), name) != rule.exclude.end();
      refuse("conflict_column", line, what + ", which is not synced: it is " + (excluded ? "excluded" : h->generated ? "generated" : "at home only"),
             excluded ? "take it out of exclude, or out of " + from : "take it out of " + from);
      return std::nullopt;
    }
    std::string remedy = hint(pair.home, name);
    for (const auto& c : pair.columns)
      if (c.spoke.name == name) remedy = "home calls it `" + c.home.name + "`: write that";
    refuse("conflict_column", line, what + ", which home's table lacks", remedy);
    return std::nullopt;
  }

  void bind_policy(const table_rule& rule, table_pair& pair) {
    const conflict_rules& said = rule.conflict;
    conflict_policy& p = pair.policy;
    p.update_vs_delete = said.update_vs_delete;
    p.merge_columns = said.merge_columns;
    p.whole_transactions = said.whole_transactions;
    for (const delete_flow& d : rule.deletes)
      if (said.whole_transactions && d.does != delete_action::propagate)
        refuse("transaction_scope", d.at.line, full_name(pair.home) + ": with conflict.scope: transaction all of a transaction is carried over, its deletes too",
               "write `deletes: propagate`, or `scope: row`");
    p.field_of.assign(pair.columns.size(), 0);
    if (!said.latest_by.empty()) {
      p.latest_by = conflict_column(rule, pair, "conflict.latest_by", said.latest_by_at.line, said.latest_by);
      if (p.latest_by)
        check_latest_by(pair, "conflict.latest_by", said.latest_by_at.line ? said.latest_by_at.line : rule.at.line, pair.columns[*p.latest_by],
                        ", or leave latest_by out: the commit time decides");
    }
    std::map<std::uint16_t, conflict_rule> own;  // by column
    for (const auto& [name, column_rule] : said.columns) {
      const auto i = conflict_column(rule, pair, "conflict.columns", said.columns_at.line, name);
      if (!i) continue;
      own[*i] = column_rule;
      if (column_rule == conflict_rule::delta) check_delta(rule, pair, pair.columns[*i]);
    }
    std::set<std::uint16_t> owned[2];
    for (const auto& [name, owner] : said.own) {
      const auto i = conflict_column(rule, pair, "conflict.own", said.own_at.line, name);
      if (!i) continue;
      own[*i] = owner == side::home ? conflict_rule::home : conflict_rule::spoke;
      owned[static_cast<int>(owner)].insert(*i);
    }
    std::vector<std::vector<std::uint16_t>> groups;
    std::set<std::uint16_t> grouped;
    for (const auto& names : said.groups) {
      auto& group = groups.emplace_back();
      for (const auto& name : names)
        if (const auto i = conflict_column(rule, pair, "conflict.groups", said.groups_at.line, name); i && grouped.insert(*i).second) group.push_back(*i);
    }
    if (!ok_) return;

    // Of the columns of a field at most one has a rule of its own, or all of them the same (config/ sees to it).
    const auto add_field = [&](std::vector<std::uint16_t> columns, conflict_rule r) {
      std::uint16_t script = p.script;
      for (const auto& [name, one] : said.column_scripts)
        if (std::any_of(columns.begin(), columns.end(), [&](std::uint16_t i) { return pair.columns[i].home.name == name; })) script = one;
      p.fields.push_back({std::move(columns), r == conflict_rule::none ? p.rule : r, script});
    };
    std::vector<std::uint16_t> ruled, others;
    for (std::uint16_t i = 0; i < pair.columns.size(); ++i) {
      if (pair.columns[i].key || grouped.contains(i)) continue;
      (own.contains(i) ? ruled : others).push_back(i);
    }
    if (!p.merge_columns) {
      if (!others.empty()) add_field(std::exchange(others, {}), p.rule);
    }
    for (auto& group : groups) {  // the rule of the column that has one; config/ sees to it that no other one differs
      conflict_rule r = conflict_rule::none;
      for (std::uint16_t i : group)
        if (const auto at = own.find(i); at != own.end()) r = at->second;
      add_field(std::move(group), r);
    }
    for (std::uint16_t i : ruled) add_field({i}, own[i]);
    if (p.fields.size() + !others.empty() > fields_max) {
      return refuse("too_many_fields", said.at.line ? said.at.line : rule.at.line,
                    full_name(pair.home) + ": conflict has " + std::to_string(p.fields.size()) + " groups and columns with a rule of their own" +
                        (others.empty() ? "" : ", beside the other columns") + "; Duet can tell " + std::to_string(fields_max) + " apart",
                    "give less columns a rule of their own, or put some that have the same rule into a group");
    }
    const std::size_t room = fields_max - p.fields.size();
    for (std::size_t i = 0; i < others.size(); ++i) {
      if (i < room) add_field({others[i]}, p.rule);
      else p.fields.back().columns.push_back(others[i]);
    }
    if (others.size() > room) {
      note("fields_shared", rule.at.line,
           full_name(pair.home) + " has more columns than can be decided one by one: `" + pair.columns[others[room - 1]].home.name + "` and the " +
               std::to_string(others.size() - room) + " columns without a rule of their own behind it are decided as one");
    }
    for (std::size_t f = 0; f < p.fields.size(); ++f) {
      for (std::uint16_t i : p.fields[f].columns) p.field_of[i] = static_cast<std::uint8_t>(f);
      if (p.fields[f].rule != conflict_rule::delta) continue;
      p.deltas |= field_set{1} << f;
    }
    for (side s : {side::home, side::spoke})
      for (const std::uint16_t i : owned[static_cast<int>(s)]) p.owned[static_cast<int>(s)] |= p.bit_of(i);
    if (p.rule == conflict_rule::script) note_script(pair, said.at.line, p.script, "");
    for (const auto& [name, script] : said.column_scripts) note_script(pair, said.columns_at.line, script, "." + name);
    if (p.compares_commit_times()) {
      note("latest_by_commit_time", rule.at.line,
           full_name(pair.home) + ": which write is the later one is told by the commit times in both logs, so by the clocks of both servers");
    }
  }

  void note_script(const table_pair& pair, int line, std::uint16_t script, const std::string& column) {
    note("conflict_script", line, full_name(pair.home) + column + ": " + config_.scripts.at(script).file + " decides");
  }

  // The column that takes the time of a delete is one of the side that keeps the row.
  void bind_deletes(const table_rule& rule, table_pair& pair) {
    for (side s : {side::home, side::spoke}) {
      const delete_flow& said = rule.deletes[static_cast<int>(s)];
      delete_rule_of_side& out = pair.deletes[static_cast<int>(s)];
      out.does = said.does;
      if (said.does != delete_action::archive) continue;
      const table_schema& there = pair.on(other(s));
      const column* c = s == side::home ? find_spoke_column(there, said.archived_at) : find_column(there, said.archived_at);
      const std::string what = full_name(pair.home) + ": deletes of " + std::string(name(s)) + " are archived in `" + said.archived_at + "`";
      if (!c) {
        refuse("archive_column", said.at.line, what + ", which " + full_name(there) + " lacks", "ALTER TABLE " + full_name(there) + " ADD COLUMN " + said.archived_at +
                   (s == side::home ? " datetime(6)" : " timestamptz") + ", or mend the name");
        continue;
      }
      const bool moment = c->type.kind == value_kind::datetime || c->type.kind == value_kind::timestamp;
      if (!moment || c->generated) {
        refuse("archive_column", said.at.line, what + ", which is " + (c->generated ? "generated" : type_name(*c)) + " at " + full_name(there),
               s == side::home ? "name a column of type datetime or timestamp" : "name a column of type timestamptz or timestamp");
        continue;
      }
      out.archived_at = c->name;
      const auto synced = std::find_if(pair.columns.begin(), pair.columns.end(), [&](const column_pair& p) { return p.on(other(s)).name == c->name; });
      if (synced != pair.columns.end() && synced->key) {
        refuse("archive_column", said.at.line, what + ", which is part of the primary key", "name another column");
        continue;
      }
      out.cleared = c->nullable && synced == pair.columns.end();
    }
  }

  // The copy reads the table in the order of its key, and goes on behind the last one.
  void bind_copy(const table_rule& rule, table_pair& pair) {
    pair.initial = rule.initial;
    for (const std::uint16_t k : pair.key) {
      const column& c = pair.columns[k].spoke;
      if (pair.copies_from(side::spoke) && (c.type.kind == value_kind::enumeration || c.type.kind == value_kind::set))
        refuse("copy_key", rule.at.line, full_name(pair.home) + " can't be copied from the spoke: its key column " + c.name + " is " + type_name(c),
               "copy it by other means, and take `initial` out");
    }
    if (pair.merges()) bind_truth(rule, pair);
  }

  void bind_truth(const table_rule& rule, table_pair& pair) {
    pair.truth = rule.truth;
    if (pair.policy.whole_transactions)
      refuse("merge_scope", rule.conflict.scope_at.line, full_name(pair.home) + " is merged row by row, and conflict.scope: transaction goes by whole transactions",
             "write `scope: row` until the tables are merged");
    if (pair.truth == merge_truth::latest) {
      const auto column = conflict_column(rule, pair, "truth: latest_by", rule.truth_at.line, rule.latest_by);
      if (!column) return;
      pair.truth_by = *column;
      check_latest_by(pair, "truth: latest_by", rule.truth_at.line, pair.columns[*column], "");
    }
    // What a side has counted while the other one's number was about to be taken would be lost or counted twice.
    if (pair.policy.deltas && (pair.truth == merge_truth::spoke || pair.truth == merge_truth::latest))
      refuse("truth_and_deltas", rule.truth_at.line, full_name(pair.home) + " has columns whose changes are added (delta): only home's numbers can be what both sides start from",
             "write `truth: home` or `truth: union`, or let the columns have another rule until the tables are merged");
  }

  // A table's rows come after those that they refer to.
  void check_copy_order() {
    for (const table_pair& pair : out_.tables) {
      if (pair.initial == initial_rows::none) continue;
      std::set<std::uint16_t> above;
      std::vector<std::uint16_t> left = pair.parents;
      while (!left.empty()) {
        const std::uint16_t t = left.back();
        left.pop_back();
        if (above.insert(t).second) left.insert(left.end(), out_.tables[t].parents.begin(), out_.tables[t].parents.end());
      }
      if (above.contains(pair.id))
        refuse("copy_cycle", rule_of_[pair.id]->at.line, full_name(pair.home) + " refers to itself by foreign keys: a copy in the order of keys would have children before their parents",
               "copy it by other means, and take `initial` out");
    }
  }

  void check_latest_by(const table_pair& pair, const char* what, int line, const column_pair& c, const char* or_else) {
    const auto ordered = [](const column_type& t) {
      switch (t.kind) {
        case value_kind::integer: case value_kind::decimal: case value_kind::date: case value_kind::datetime: case value_kind::timestamp: return true;
        default: return false;
      }
    };
    if (ordered(c.home.type) && ordered(c.spoke.type)) return;
    refuse("latest_by_type", line,
           full_name(pair.home) + ": " + what + " names `" + c.home.name + "` (" + type_name(c.home) + ", " + type_name(c.spoke) +
               "), and the later one of two such values can't be told",
           std::string("name a column of timestamps, dates or whole or decimal numbers") + or_else);
  }

  void check_delta(const table_rule& rule, const table_pair& pair, const column_pair& c) {
    const auto number = [](const column_type& t) { return t.kind == value_kind::integer || t.kind == value_kind::decimal; };
    const auto exact = [](const conversion& how) {
      switch (static_cast<conversion_code>(how.code)) {
        case conversion_code::pass: case conversion_code::integer_range: case conversion_code::decimal_rescale: case conversion_code::decimal_to_integer:
          return true;
        default: return false;
      }
    };
    std::string why;
    std::string remedy = "give it another rule: latest, home, spoke or manual";
    if (!number(c.home.type) || !number(c.spoke.type)) {
      why = "changes can be added to whole and decimal numbers only";
    } else if (!c.loss.empty() || !exact(c.to_spoke) || !exact(c.to_home)) {
      why = "the two types do not keep every number of each other, so sums would drift apart";
    } else if (c.home.nullable || c.spoke.nullable) {
      why = std::string("it may be NULL at ") + (!c.spoke.nullable ? "home" : !c.home.nullable ? "the spoke" : "both sides") + ", and nothing can be added to NULL";
      remedy = c.home.nullable ? "ALTER TABLE " + full_name(pair.home) + " ALTER COLUMN " + c.home.name + " SET NOT NULL" : "";
      if (c.spoke.nullable) remedy += (remedy.empty() ? "" : "; at the spoke: ") + ("ALTER TABLE " + full_name(pair.spoke) + " MODIFY " + c.spoke.name + " " + c.spoke.type.native + " NOT NULL");
      remedy += "; or give it another rule";
    }
    if (why.empty()) return;
    refuse("delta_type", rule.conflict.columns_at.line ? rule.conflict.columns_at.line : rule.at.line,
           full_name(pair.home) + "." + c.home.name + " (" + type_name(c.home) + ", " + type_name(c.spoke) + ") can't be delta: " + why, remedy);
  }

  void find_parents() {
    for (auto& pair : out_.tables) {
      std::set<std::uint16_t> parents;
      for (side s : {side::home, side::spoke}) {
        for (const auto& key : pair.on(s).foreign_keys) {
          if (const table_pair* parent = synced_parent(key, s)) {
            parents.insert(parent->id);
          } else if (!is_refused(key, s)) {
            warn("parent_not_synced", rule_of_[pair.id]->at.line,
                 full_name(pair.on(s)) + " refers to " + key.parent_schema + "." + key.parent_table + " (" + key.name + "), which is not synced: rows without a parent at " +
                     (s == side::home ? "home" : "the spoke") + " will be held",
                 "sync that table too");
          }
        }
      }
      pair.parents.assign(parents.begin(), parents.end());
      for (side s : {side::home, side::spoke})
        for (std::uint16_t parent : parents) warn_of_children(pair, out_.tables[parent], s);
      compare_cascades(pair);
    }
  }

  // Rows that stay though their side has deleted them refer to parents which then go.
  void warn_of_children(const table_pair& child, const table_pair& parent, side s) {
    if (!child.keeps_deleted(s) || parent.keeps_deleted(s) || !parent.flows_from(s) || &child == &parent) return;
    warn("children_stay", rule_of_[child.id]->at.line,
         full_name(child.home) + " keeps rows that " + std::string(name(s)) + " has deleted, but not so " + full_name(parent.home) +
             ", which it refers to: a delete there will be held, or takes them along",
         "write the same `deletes` at " + full_name(parent.home));
  }

  // "RESTRICT" and "NO ACTION" write nothing.
  static std::string written_by(const std::string& action) { return action == "RESTRICT" || action == "NO ACTION" ? "" : action; }

  struct cascade {
    std::string name, on_delete, on_update;  // the foreign key's, and what it does by itself
  };
  // By the columns that refer and the table referred to, both synced; a key that is there twice does what either one does.
  using cascades = std::map<std::pair<std::vector<std::uint16_t>, std::uint16_t>, cascade>;

  cascades cascades_of(const table_pair& pair, side s) const {
    cascades found;
    for (const auto& key : pair.on(s).foreign_keys) {
      const table_pair* parent = synced_parent(key, s);
      std::vector<std::uint16_t> columns;
      for (int i : key.columns)
        for (std::uint16_t c = 0; c < pair.columns.size(); ++c)
          if (pair.columns[c].on(s).name == pair.on(s).columns[static_cast<std::size_t>(i)].name) columns.push_back(c);
      if (!parent || columns.size() != key.columns.size()) continue;
      std::sort(columns.begin(), columns.end());
      cascade& c = found[{std::move(columns), parent->id}];
      c.name = key.name;
      if (c.on_delete.empty()) c.on_delete = written_by(key.on_delete);
      if (c.on_update.empty()) c.on_update = written_by(key.on_update);
    }
    return found;
  }

  // What a foreign key writes by itself on one side only makes the two sides differ, or meets the other side's rows.
  void compare_cascades(const table_pair& pair) {
    const cascades at_home = cascades_of(pair, side::home), at_spoke = cascades_of(pair, side::spoke);
    cascades all = at_home;
    all.insert(at_spoke.begin(), at_spoke.end());
    for (const auto& [reference, any] : all) {
      const auto on = [&reference](const cascades& there) {
        const auto at = there.find(reference);
        return at == there.end() ? cascade{} : at->second;
      };
      const cascade home = on(at_home), spoke = on(at_spoke);
      if (home.on_delete == spoke.on_delete && home.on_update == spoke.on_update) continue;
      const auto says = [](const cascade& c) {
        if (c.name.empty()) return std::string("has no such foreign key");
        std::string text = c.on_delete.empty() ? "" : "ON DELETE " + c.on_delete;
        if (!c.on_update.empty()) text += (text.empty() ? "" : " ") + ("ON UPDATE " + c.on_update);
        return "has " + (text.empty() ? "no such action" : text) + " (" + c.name + ")";
      };
      std::vector<std::string> columns;
      for (std::uint16_t c : reference.first) columns.push_back(pair.columns[c].home.name);
      warn("cascade_differs", rule_of_[pair.id]->at.line,
           full_name(pair.home) + " (" + join(columns) + ") refers to " + full_name(out_.tables[reference.second].home) + ": home " + says(home) +
               ", the spoke " + says(spoke),
           "make the foreign keys of both sides alike");
    }
  }

  // Of a table that is to be synced once it is mended.
  bool is_refused(const foreign_key& key, side s) const {
    const std::string parent = key.parent_schema + "." + key.parent_table;
    if (s == side::home) return bound_home_.contains(parent);
    return std::any_of(bound_spoke_.begin(), bound_spoke_.end(), [&](const auto& t) { return lower(t.first) == lower(parent); });
  }

  const table_pair* synced_parent(const foreign_key& key, side s) const {
    const auto parent = std::find_if(out_.tables.begin(), out_.tables.end(), [&](const table_pair& t) {
      const table_schema& there = t.on(s);
      if (s == side::home) return there.schema == key.parent_schema && there.name == key.parent_table;
      return lower(there.schema) == lower(key.parent_schema) && lower(there.name) == lower(key.parent_table);
    });
    return parent == out_.tables.end() ? nullptr : &*parent;
  }

  const config& config_;
  const std::vector<table_schema>&home_, &spoke_;
  findings& found_;
  mapping out_;
  std::vector<const table_rule*> rule_of_;  // by table_pair::id
  std::set<std::string> claimed_home_, claimed_spoke_, bound_home_;
  std::map<std::string, std::string> bound_spoke_;  // and home's table
  std::set<const table_rule*> without_rule_;  // of conflicts
  std::string at_table_;  // home's name of the one that is bound
  bool ok_ = true;  // no refusal of the table at hand
  std::set<std::pair<std::string, std::string>> reported_;  // its columns, of home and the spoke, that are refused
};

}  // namespace

mapping bind(const config& c, const std::vector<table_schema>& home, const std::vector<table_schema>& spoke, findings& found) {
  return binder(c, home, spoke, found).bind();
}

const table_rule* rule_of(const config& cfg, std::string_view table) {
  const table_rule* by_schema = nullptr;
  for (const table_rule& rule : cfg.tables) {
    const qualified_name home(rule.home, "public");
    if (home.schema + "." + home.table == table) return &rule;
    if (home.table == "*" && table.starts_with(home.schema + ".") && !by_schema) by_schema = &rule;
  }
  return by_schema;
}

std::vector<std::string> table_patterns(const config& cfg, side which) {
  std::vector<std::string> patterns;
  for (const auto& rule : cfg.tables) {
    if (which == side::home) {
      patterns.push_back(rule.home);
      continue;
    }
    std::string name = rule.spoke.empty() ? rule.home.substr(rule.home.find('.') + 1) : rule.spoke;  // npos + 1 = 0
    if (rule.spoke.empty() || name.find('.') == std::string::npos) name = cfg.spoke.database + "." + name;
    patterns.push_back(std::move(name));
  }
  std::sort(patterns.begin(), patterns.end());
  patterns.erase(std::unique(patterns.begin(), patterns.end()), patterns.end());
  return patterns;
}

}  // namespace duet::translate
