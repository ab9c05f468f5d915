#include "translate/table_writer.hpp"

#include <algorithm>

#include "translate/type_contract.hpp"

namespace duet::translate {

std::string quoted(side s, const std::string& name) {
  const char mark = s == side::home ? '"' : '`';
  std::string out(1, mark);
  for (const char c : name) {
    if (c == mark) out += mark;
    out += c;
  }
  return out + mark;
}

namespace {

std::string in_parentheses(int n) { return n < 0 ? std::string() : "(" + std::to_string(n) + ")"; }

std::string list_of(const std::vector<std::string>& labels) {
  std::string out = "(";
  for (const std::string& label : labels) {
    if (out.size() > 1) out += ", ";
    out += '\'';
    for (const char c : label) {
      if (c == '\'') out += '\'';
      out += c;
    }
    out += '\'';
  }
  return out + ")";
}

constexpr std::int64_t key_text_max = 191, key_bytes_max = 767;  // of MySQL's index, 4 bytes per character
constexpr std::int64_t varchar_max = 1000;                       // longer ones count against the row's 65535 bytes: a text does not

// MySQL's type for a column of PostgreSQL; empty: there is none.
std::string type_at_spoke(const column_type& t, bool in_key, std::string& note) {
  switch (t.kind) {
    case value_kind::boolean: return "tinyint(1)";
    case value_kind::integer: return t.bits <= 16 ? "smallint" : t.bits <= 32 ? "int" : "bigint";
    case value_kind::decimal:
      if (t.precision >= 0 && t.precision <= 65 && t.scale >= 0 && t.scale <= 30) return "decimal(" + std::to_string(t.precision) + "," + std::to_string(t.scale) + ")";
      note = "numeric beyond what MySQL has: what it can't take is held";
      return t.precision < 0 ? "decimal(65,30)" : "decimal(" + std::to_string(std::min(t.precision, 65)) + "," + std::to_string(std::clamp(t.scale, 0, 30)) + ")";
    case value_kind::real: return t.bits == 32 ? "float" : "double";
    case value_kind::text:
      if (t.fixed && t.length > 0 && t.length <= 255) return "char(" + std::to_string(t.length) + ")";
      if (in_key && (t.length < 0 || t.length > key_text_max)) {
        note = "a text in a key has a limit in MySQL: what is longer is held";
        return "varchar(" + std::to_string(key_text_max) + ")";
      }
      return t.length >= 0 && t.length <= varchar_max ? "varchar(" + std::to_string(t.length) + ")" : "longtext";
    case value_kind::bytes:
      if (!in_key) return "longblob";
      note = "bytes in a key have a limit in MySQL: what is longer is held";
      return "varbinary(" + std::to_string(key_bytes_max) + ")";
    case value_kind::date: return "date";
    case value_kind::time: return "time" + in_parentheses(t.precision < 0 ? 6 : t.precision);
    case value_kind::datetime:
    case value_kind::timestamp: return "datetime" + in_parentheses(t.precision < 0 ? 6 : t.precision);
    case value_kind::json: return "json";
    case value_kind::bits: return t.bits <= 64 ? "bit(" + std::to_string(t.bits) + ")" : t.bits <= varchar_max ? "varchar(" + std::to_string(t.bits) + ")" : "longtext";
    case value_kind::enumeration: return "enum" + list_of(t.labels);
    default: break;
  }
  const contract_row* row = find_made_at_spoke(t);
  if (!row) return "";
  if (!in_key || row->made_at_spoke != "longtext") return std::string(row->made_at_spoke);
  note = "a text in a key has a limit in MySQL: what is longer is held";
  return "varchar(" + std::to_string(key_text_max) + ")";
}

std::string type_at_home(const column_type& t) {
  switch (t.kind) {
    case value_kind::boolean: return "boolean";
    case value_kind::integer: {
      const int bits = t.bits + (t.is_unsigned ? 1 : 0);
      return bits <= 16 ? "smallint" : bits <= 32 ? "integer" : bits <= 64 ? "bigint" : "numeric(20,0)";
    }
    case value_kind::decimal: return "numeric(" + std::to_string(t.precision) + "," + std::to_string(std::max(t.scale, 0)) + ")";
    case value_kind::real: return t.bits == 32 ? "real" : "double precision";
    case value_kind::text: {
      const bool limited = t.length >= 0 && t.native.find("text") == std::string::npos;
      return !limited || t.length < 1 ? "text" : (t.fixed ? "char(" : "varchar(") + std::to_string(t.length) + ")";
    }
    case value_kind::bytes:
      if (const contract_row* row = find_made_at_home(t)) return std::string(row->made_at_home);
      return "bytea";
    case value_kind::date: return "date";
    case value_kind::time: return "time" + in_parentheses(t.precision);
    case value_kind::datetime: return "timestamp" + in_parentheses(t.precision);
    case value_kind::timestamp: return "timestamptz" + in_parentheses(t.precision);
    case value_kind::json: return "jsonb";
    case value_kind::bits: return "bit(" + std::to_string(t.bits) + ")";
    case value_kind::uuid: return "uuid";
    case value_kind::enumeration:
    case value_kind::set: return "text";
    default: break;
  }
  const contract_row* row = find_made_at_home(t);
  return row ? std::string(row->made_at_home) : "";
}

std::string name_of(const column& c, side made_for, const table_rule& rule) {
  for (const auto& [home, spoke] : rule.columns)
    if ((made_for == side::spoke ? home : spoke) == c.name) return made_for == side::spoke ? spoke : home;
  return c.name;
}

}  // namespace

written_table write_table(const table_schema& there, side made_for, const table_rule& rule, const std::string& schema, const std::string& name) {
  written_table out;
  const auto left_out = [&](const column& c) { return std::find(rule.exclude.begin(), rule.exclude.end(), c.name) != rule.exclude.end(); };
  const auto key_column = [&](const column& c) { return &c >= there.columns.data() && std::find(there.primary_key.begin(), there.primary_key.end(), &c - there.columns.data()) != there.primary_key.end(); };
  std::vector<bool> made(there.columns.size());
  std::string lines;
  for (std::size_t i = 0; i < there.columns.size(); ++i) {
    const column& c = there.columns[i];
    if (left_out(c)) continue;
    if (c.generated) {
      out.notes.push_back(c.name + " is generated there: left out");
      continue;
    }
    const bool in_index = key_column(c) || std::any_of(there.unique_indexes.begin(), there.unique_indexes.end(), [&](const unique_index& u) {
                            return std::find(u.columns.begin(), u.columns.end(), static_cast<int>(i)) != u.columns.end();
                          });
    std::string note;
    const std::string type = made_for == side::spoke ? type_at_spoke(c.type, in_index, note) : type_at_home(c.type);
    if (type.empty()) {
      out.notes.push_back(c.name + " (" + c.type.native + ") has no counterpart: left out");
      continue;
    }
    if (!note.empty()) out.notes.push_back(c.name + ": " + note);
    made[i] = true;
    lines += "  " + quoted(made_for, name_of(c, made_for, rule)) + " " + type;
    if (!c.nullable) lines += " NOT NULL";
    lines += ",\n";
  }
  const auto columns_of = [&](const std::vector<int>& all) {
    std::string text;
    for (const int i : all) {
      if (!made[static_cast<std::size_t>(i)]) return std::string();
      text += (text.empty() ? "" : ", ") + quoted(made_for, name_of(there.columns[static_cast<std::size_t>(i)], made_for, rule));
    }
    return text;
  };
  const std::string key = columns_of(there.primary_key);
  if (key.empty()) {
    out.notes.push_back("it has no primary key that both sides can have: it can't be synced");
    return out;
  }
  lines += "  PRIMARY KEY (" + key + ")";
  for (const unique_index& u : there.unique_indexes) {
    if (u.columns.empty()) {
      out.notes.push_back("unique index " + u.name + " is left out");
      continue;
    }
    const std::string columns = columns_of(u.columns);
    if (columns.empty()) out.notes.push_back("unique index " + u.name + " is left out");
    else lines += ",\n  UNIQUE (" + columns + ")";
  }
  for (const foreign_key& f : there.foreign_keys)
    out.notes.push_back("foreign key " + f.name + " to " + f.parent_schema + "." + f.parent_table + " is left out: add it once the rows are there");
  out.sql = "CREATE TABLE " + quoted(made_for, schema) + "." + quoted(made_for, name) + " (\n" + lines + "\n)";
  if (made_for == side::spoke) out.sql += " ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
  return out;
}

std::string column_definition(const column& there, side made_for, const std::string& name) {
  std::string note;
  const std::string type = made_for == side::spoke ? type_at_spoke(there.type, false, note) : type_at_home(there.type);
  if (type.empty()) return {};
  return quoted(made_for, name) + " " + type + (made_for == side::spoke && there.type.kind == value_kind::uuid ? " CHARACTER SET ascii COLLATE ascii_bin" : "");
}

std::vector<missing_table> write_missing_tables(const config& c, const std::vector<table_schema>& home, const std::vector<table_schema>& spoke) {
  using name = std::pair<std::string, std::string>;
  const auto split = [](const std::string& text, const std::string& schema) {
    const auto dot = text.find('.');
    return dot == std::string::npos ? name(schema, text) : name(text.substr(0, dot), text.substr(dot + 1));
  };
  const auto find = [](const std::vector<table_schema>& tables, const name& n) -> const table_schema* {
    for (const table_schema& t : tables)
      if (t.schema == n.first && t.name == n.second) return &t;
    return nullptr;
  };
  struct wanted {
    const table_rule* rule;
    name at_home, at_spoke;
  };
  std::vector<wanted> all;
  const auto add = [&](const table_rule& rule, name h, name s) {
    const bool known = std::any_of(all.begin(), all.end(), [&](const wanted& w) { return w.at_home == h || w.at_spoke == s; });
    if (!known && h.first != "duet" && s.first != "duet") all.push_back({&rule, std::move(h), std::move(s)});
  };
  const auto is_wildcard = [](const table_rule& r) { return r.home.ends_with(".*") || r.home == "*"; };
  for (const table_rule& rule : c.tables) {  // those that are named first: no `schema.*` takes them
    if (is_wildcard(rule)) continue;
    const name h = split(rule.home, "public");
    add(rule, h, rule.spoke.empty() ? name(c.spoke.database, h.second) : split(rule.spoke, c.spoke.database));
  }
  for (const table_rule& rule : c.tables) {
    if (!is_wildcard(rule)) continue;
    const std::string schema = split(rule.home, "public").first, database = split(rule.spoke.empty() ? "*" : rule.spoke, c.spoke.database).first;
    for (const table_schema& t : home)
      if (t.schema == schema) add(rule, {schema, t.name}, {database, t.name});
    for (const table_schema& t : spoke)
      if (t.schema == database) add(rule, {schema, t.name}, {database, t.name});
  }
  std::vector<missing_table> missing;
  for (const wanted& w : all) {
    const table_schema *h = find(home, w.at_home), *s = find(spoke, w.at_spoke);
    const std::string there = w.at_home.first + "." + w.at_home.second, here = w.at_spoke.first + "." + w.at_spoke.second;
    if (h && !s) missing.push_back({side::spoke, here, there, write_table(*h, side::spoke, *w.rule, w.at_spoke.first, w.at_spoke.second)});
    if (s && !h) missing.push_back({side::home, there, here, write_table(*s, side::home, *w.rule, w.at_home.first, w.at_home.second)});
  }
  return missing;
}

}  // namespace duet::translate
