#include "postgres/catalog.hpp"

#include <algorithm>
#include <charconv>
#include <map>

namespace duet::postgres {
namespace {

int to_int(std::string_view digits) {
  int value = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size())
    throw failure(failure_kind::internal, "PostgreSQL's catalog answered with something that is no number");
  return value;
}

bool is_true(std::string_view text) { return text == "t"; }

const char* action_name(std::string_view code) {
  switch (code.empty() ? 'a' : code[0]) {
    case 'r': return "RESTRICT";
    case 'c': return "CASCADE";
    case 'n': return "SET NULL";
    case 'd': return "SET DEFAULT";
    default: return "NO ACTION";
  }
}

constexpr const char* tables_query = R"(
SELECT c.oid, n.nspname, c.relname,
       CASE WHEN c.relkind = 'p' THEN 'p' WHEN c.relpersistence = 'u' THEN 'u' ELSE 'r' END, c.relreplident
FROM unnest($1::text[], $2::text[]) AS wanted(schema, name)
JOIN pg_namespace n ON n.nspname = wanted.schema
JOIN pg_class c ON c.relnamespace = n.oid AND (wanted.name = '*' OR c.relname = wanted.name)
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname <> 'duet'
GROUP BY c.oid, n.nspname ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C")";

constexpr const char* columns_query = R"(
SELECT a.attrelid, a.attnum, a.attname, a.attnotnull OR b.not_null, a.attgenerated <> '', a.attidentity = 'a',
       format_type(t.oid, b.modifier), t.typname, t.typnamespace = 'pg_catalog'::regnamespace, t.typtype, b.modifier,
       coalesce(l.collname, ''), coalesce(l.collisdeterministic, true),
       CASE WHEN t.typtype = 'e'
            THEN (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid) END,
       (SELECT e.extname FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
        WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'),
       m.typname, m.typnamespace = 'pg_catalog'::regnamespace
FROM pg_attribute a
CROSS JOIN LATERAL (
  WITH RECURSIVE base(type, modifier, not_null) AS (
    SELECT a.atttypid, a.atttypmod, false
    UNION ALL
    SELECT d.typbasetype, d.typtypmod, base.not_null OR d.typnotnull FROM base JOIN pg_type d ON d.oid = base.type AND d.typtype = 'd')
  SELECT base.type, base.modifier, base.not_null FROM base JOIN pg_type u ON u.oid = base.type AND u.typtype <> 'd') b
JOIN pg_type t ON t.oid = b.type
LEFT JOIN pg_type m ON m.oid = t.typelem AND m.typarray = t.oid
LEFT JOIN pg_collation l ON l.oid = a.attcollation
WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum)";

constexpr const char* indexes_query = R"(
SELECT i.indrelid, c.relname, i.indisprimary,
       CASE WHEN i.indexprs IS NULL AND i.indpred IS NULL
            THEN (SELECT array_agg(k ORDER BY n) FROM unnest(i.indkey::int2[]) WITH ORDINALITY x(k, n) WHERE n <= i.indnkeyatts)
            ELSE '{}' END
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = ANY ($1::oid[]) AND i.indisunique AND i.indislive
ORDER BY i.indrelid, c.relname COLLATE "C")";

constexpr const char* foreign_keys_query = R"(
SELECT f.conrelid, f.conname, f.conkey, n.nspname, p.relname, f.confdeltype, f.confupdtype
FROM pg_constraint f JOIN pg_class p ON p.oid = f.confrelid JOIN pg_namespace n ON n.oid = p.relnamespace
WHERE f.conrelid = ANY ($1::oid[]) AND f.contype = 'f'
ORDER BY f.conrelid, f.conname COLLATE "C")";

constexpr const char* triggers_query = R"(
SELECT g.tgrelid, g.tgname FROM pg_trigger g
WHERE g.tgrelid = ANY ($1::oid[]) AND NOT g.tgisinternal AND g.tgenabled IN ('O', 'A')
ORDER BY g.tgrelid, g.tgname COLLATE "C")";

// Types that travel as the text that PostgreSQL prints.
constexpr std::string_view printed_types[] = {"inet",   "cidr", "macaddr", "macaddr8", "interval", "timetz", "xml",      "varbit", "tsvector", "tsquery",
                                              "point",  "line", "lseg",    "box",      "path",     "polygon", "circle",  "pg_lsn", "jsonpath", "name",
                                              "char"};
constexpr std::string_view printed_of_extensions[] = {"hstore", "ltree", "cube", "geometry", "geography", "vector", "halfvec", "sparsevec"};

template <std::size_t n>
bool is_one_of(std::string_view name, const std::string_view (&all)[n]) {
  return std::find(std::begin(all), std::end(all), name) != std::end(all);
}

column_type describe_array(column_type type, const catalog_type& t) {
  const auto is = [&](std::initializer_list<std::string_view> names) {
    return t.element_built_in && std::find(names.begin(), names.end(), t.element) != names.end();
  };
  type.kind = value_kind::array;
  type.name = "array";
  if (is({"box"})) {  // the only type whose arrays have another separator
    type.kind = value_kind::other;
    type.name = "box[]";
  } else if (is({"int2", "int4", "int8"})) {
    type.element = value_kind::integer;
  } else if (is({"bool"})) {
    type.element = value_kind::boolean;
  } else if (is({"float4", "float8"})) {
    type.element = value_kind::real;
    type.bits = is({"float4"}) ? 32 : 64;
  } else {
    type.element = is({"text", "varchar"}) ? value_kind::text : value_kind::printed;
  }
  return type;
}

}  // namespace

column_type describe_type(const catalog_type& t) {
  column_type type;
  type.native = t.native;
  auto collate = [&] {
    type.collation = t.collation;
    type.case_insensitive = !t.deterministic;
  };
  type.name = t.name;
  const auto printed = [&](std::string_view name) {
    type.kind = value_kind::printed;
    type.name = name;
    return type;
  };
  if (!t.element.empty()) return describe_array(std::move(type), t);
  switch (t.form) {
    case 'e':
      type.kind = value_kind::enumeration;
      type.labels = t.labels;
      return type;
    case 'c': return printed("composite type");
    case 'r': return printed(t.built_in ? std::string_view(t.name) : "range type");
    case 'm': return printed(t.built_in ? std::string_view(t.name) : "multirange type");
    default: break;
  }
  if (t.extension == t.name && t.name == "citext") {
    type.kind = value_kind::text;
    type.case_insensitive = true;
    type.collation = t.collation;
    return type;
  }
  if (!t.extension.empty() && is_one_of(t.name, printed_of_extensions)) return printed(t.name);
  if (!t.built_in) {
    type.name = "base type of your own or of an extension";
    return type;
  }
  auto integer = [&](int bits) {
    type.kind = value_kind::integer;
    type.bits = bits;
  };
  auto real = [&](int bits) {
    type.kind = value_kind::real;
    type.bits = bits;
  };
  auto with_fraction = [&](value_kind kind) {
    type.kind = kind;
    type.precision = t.modifier < 0 ? 6 : t.modifier;
  };
  const std::string& name = t.name;
  if (name == "bool") type.kind = value_kind::boolean;
  else if (name == "int2") integer(16);
  else if (name == "int4") integer(32);
  else if (name == "int8") integer(64);
  else if (name == "float4") real(32);
  else if (name == "float8") real(64);
  else if (name == "numeric") {
    type.precision = type.scale = -1;
    if (t.modifier >= 4) {
      const int m = t.modifier - 4;
      type.precision = m >> 16 & 0xffff;
      type.scale = ((m & 0x7ff) ^ 1024) - 1024;  // 11 bits, signed since PostgreSQL 15
      if (type.scale < 0) {
        type.name = "numeric with a negative scale";
        return type;
      }
    }
    type.kind = value_kind::decimal;
  } else if (name == "text" || name == "varchar") {
    type.kind = value_kind::text;
    if (t.modifier >= 4) type.length = t.modifier - 4;
    collate();
  } else if (name == "bpchar") {
    if (t.modifier < 4) {  // it keeps its blanks, but does not compare them
      type.name = "bpchar without a length";
      return type;
    }
    type.kind = value_kind::text;
    type.length = t.modifier - 4;
    type.fixed = true;
    collate();
  } else if (name == "bytea") type.kind = value_kind::bytes;
  else if (name == "date") type.kind = value_kind::date;
  else if (name == "time") with_fraction(value_kind::time);
  else if (name == "timestamp") with_fraction(value_kind::datetime);
  else if (name == "timestamptz") with_fraction(value_kind::timestamp);
  else if (name == "json" || name == "jsonb") type.kind = value_kind::json;
  else if (name == "uuid") type.kind = value_kind::uuid;
  else if (name == "bit" && t.modifier > 0) {
    type.kind = value_kind::bits;
    type.bits = t.modifier;
  } else if (is_one_of(name, printed_types)) return printed(name == "char" ? "\"char\"" : name);
  return type;
}

std::string array_literal(const std::vector<std::string>& items) {
  std::string out = "{";
  for (const std::string& item : items) {
    if (out.size() > 1) out += ',';
    out += '"';
    for (char c : item) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  return out += '}';
}

std::vector<std::string> parse_array_literal(std::string_view text) {
  std::vector<std::string> items;
  if (text.size() < 2 || text.front() != '{' || text.back() != '}')
    throw failure(failure_kind::internal, "PostgreSQL's catalog answered with something that is no array");
  text = text.substr(1, text.size() - 2);
  for (std::size_t i = 0; i < text.size();) {
    std::string item;
    if (text[i] == '"') {
      for (++i; i < text.size() && text[i] != '"'; ++i) {
        if (text[i] == '\\' && i + 1 < text.size()) ++i;
        item += text[i];
      }
      ++i;
    } else {
      while (i < text.size() && text[i] != ',') item += text[i++];
    }
    items.push_back(std::move(item));
    if (i < text.size()) ++i;  // the comma
  }
  return items;
}

std::vector<table_schema> load_tables(PGconn* connection, const std::vector<std::string>& patterns) {
  std::vector<std::string> schemas, names;
  for (const std::string& pattern : patterns) {
    const std::size_t dot = pattern.find('.');
    schemas.push_back(dot == std::string::npos || dot == 0 ? "public" : pattern.substr(0, dot));
    names.push_back(dot == std::string::npos ? pattern : pattern.substr(dot + 1));
  }
  const char* doing = "reading PostgreSQL's catalogs";
  const std::string schema_list = array_literal(schemas), name_list = array_literal(names);
  const char* wanted[] = {schema_list.c_str(), name_list.c_str()};
  const result_handle found = exec(connection, tables_query, wanted, doing);

  std::vector<table_schema> tables;
  std::map<std::string, std::size_t, std::less<>> by_oid;
  std::vector<std::string> oids;
  for (int i = 0, n = PQntuples(found.get()); i < n; ++i) {
    oids.emplace_back(field(found.get(), i, 0));
    by_oid.emplace(oids.back(), tables.size());
    table_schema& t = tables.emplace_back();
    t.schema = field(found.get(), i, 1);
    t.name = field(found.get(), i, 2);
    t.engine = field(found.get(), i, 3);
    t.replica_identity = field(found.get(), i, 4)[0];
  }
  if (tables.empty()) return tables;

  const std::string oid_list = array_literal(oids);
  const char* of_these[] = {oid_list.c_str()};
  auto table_of = [&](const PGresult* r, int row) { return by_oid.find(field(r, row, 0))->second; };

  std::vector<std::map<int, int>> index_of(tables.size());  // attnum -> index into columns
  const result_handle columns = exec(connection, columns_query, of_these, doing);
  for (int i = 0, n = PQntuples(columns.get()); i < n; ++i) {
    const PGresult* r = columns.get();
    const std::size_t at = table_of(r, i);
    table_schema& t = tables[at];
    catalog_type type;
    type.native = field(r, i, 6);
    type.name = field(r, i, 7);
    type.built_in = is_true(field(r, i, 8));
    type.form = field(r, i, 9)[0];
    type.modifier = to_int(field(r, i, 10));
    type.collation = field(r, i, 11);
    type.deterministic = is_true(field(r, i, 12));
    if (!PQgetisnull(r, i, 13)) type.labels = parse_array_literal(field(r, i, 13));
    type.extension = field(r, i, 14);
    type.element = field(r, i, 15);
    type.element_built_in = is_true(field(r, i, 16));
    index_of[at][to_int(field(r, i, 1))] = static_cast<int>(t.columns.size());
    column c;
    c.name = field(r, i, 2);
    c.ordinal = static_cast<int>(t.columns.size());
    c.type = describe_type(type);
    c.nullable = !is_true(field(r, i, 3));
    c.generated = is_true(field(r, i, 4));
    c.identity_always = is_true(field(r, i, 5));
    t.columns.push_back(std::move(c));
  }
  auto indices = [&](std::size_t table, std::string_view attnums) {
    std::vector<int> out;
    for (const std::string& attnum : parse_array_literal(attnums)) {
      auto it = index_of[table].find(to_int(attnum));
      if (it == index_of[table].end()) return std::vector<int>{};  // a system column
      out.push_back(it->second);
    }
    return out;
  };

  const result_handle indexes = exec(connection, indexes_query, of_these, doing);
  for (int i = 0, n = PQntuples(indexes.get()); i < n; ++i) {
    const PGresult* r = indexes.get();
    const std::size_t at = table_of(r, i);
    std::vector<int> key = indices(at, field(r, i, 3));
    if (is_true(field(r, i, 2))) tables[at].primary_key = std::move(key);
    else tables[at].unique_indexes.push_back({std::string(field(r, i, 1)), std::move(key)});
  }

  const result_handle foreign_keys = exec(connection, foreign_keys_query, of_these, doing);
  for (int i = 0, n = PQntuples(foreign_keys.get()); i < n; ++i) {
    const PGresult* r = foreign_keys.get();
    const std::size_t at = table_of(r, i);
    tables[at].foreign_keys.push_back({std::string(field(r, i, 1)), indices(at, field(r, i, 2)), std::string(field(r, i, 3)),
                                       std::string(field(r, i, 4)), action_name(field(r, i, 5)), action_name(field(r, i, 6))});
  }

  const result_handle triggers = exec(connection, triggers_query, of_these, doing);
  for (int i = 0, n = PQntuples(triggers.get()); i < n; ++i)
    tables[table_of(triggers.get(), i)].triggers.emplace_back(field(triggers.get(), i, 1));
  return tables;
}

std::optional<std::string> constant_of(std::string_view e) {
  if (e == "true" || e == "false") return std::string(e == "true" ? "1" : "0");
  std::string text;
  std::size_t at = 0;
  if (e.starts_with('\'')) {
    for (at = 1;; ++at) {
      if (at >= e.size()) return std::nullopt;
      if (e[at] == '\'' && (at + 1 >= e.size() || e[at + 1] != '\'')) break;
      if (e[at] == '\'') ++at;
      text += e[at];
    }
    ++at;
  } else {
    at = e.find_first_not_of("0123456789.");
    if (at == 0 || e.empty()) return std::nullopt;
    if (at == std::string_view::npos) at = e.size();
    text = e.substr(0, at);
  }
  const std::string_view rest = e.substr(at);  // a cast, or nothing
  if (!rest.empty() && (!rest.starts_with("::") || rest.find_first_of("'+*/|") != std::string_view::npos || rest.find("::", 2) != std::string_view::npos)) return std::nullopt;
  return text;
}

}  // namespace duet::postgres
