#include "mysql/catalog.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace duet::mysql {
namespace {

using table_name = std::pair<std::string, std::string>;

// "WHERE" for the tables wanted, over these two columns.
std::string condition(const std::vector<std::string>& patterns, const std::string& database, const std::string& schema_column,
                      const std::string& table_column) {
  std::string out = "(FALSE";
  for (const std::string& pattern : patterns) {
    const auto dot = pattern.find('.');
    std::string schema = dot == std::string::npos ? std::string() : pattern.substr(0, dot);
    const std::string table = dot == std::string::npos ? pattern : pattern.substr(dot + 1);
    if (schema.empty()) schema = database;
    out += " OR " + schema_column + '=' + quote_text(schema);
    if (table != "*") out += " AND " + table_column + '=' + quote_text(table);
  }
  return out + ')';
}

int index_of(const table_schema& table, std::string_view column) {
  for (std::size_t i = 0; i < table.columns.size(); ++i)
    if (table.columns[i].name == column) return static_cast<int>(i);
  return -1;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool is_geometry(std::string_view type) {
  for (const std::string_view name : {"geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon",
                                      "geometrycollection", "geomcollection"})
    if (type == name) return true;
  return false;
}

}  // namespace

std::vector<std::string> decode_labels(std::string_view type) {
  std::vector<std::string> labels;
  std::size_t i = type.find('\'');
  while (i < type.size()) {
    std::string label;
    for (++i; i < type.size(); ++i) {
      if (type[i] == '\'') {
        if (i + 1 < type.size() && type[i + 1] == '\'') {
          label += '\'';
          ++i;
          continue;
        }
        break;
      }
      if (type[i] == '\\' && i + 1 < type.size()) {
        ++i;
        label += type[i] == 'n' ? '\n' : type[i] == 'r' ? '\r' : type[i] == '0' ? '\0' : type[i];
        continue;
      }
      label += type[i];
    }
    labels.push_back(std::move(label));
    i = type.find('\'', i + 1);
  }
  return labels;
}

column_type decode_type(const column_facts& facts) {
  column_type t;
  t.native = facts.column_type;
  t.name = facts.data_type;
  const std::string_view type = facts.data_type;
  const auto integer = [&](int bits) {
    t.kind = value_kind::integer;
    t.bits = bits;
  };
  const auto text = [&] {
    t.kind = value_kind::text;
    t.length = facts.characters;
  };
  const auto bytes = [&] {
    t.kind = value_kind::bytes;
    t.length = facts.octets;
  };
  const auto temporal = [&](value_kind kind) {
    t.kind = kind;
    t.precision = facts.fraction_digits;
  };
  if (type == "tinyint")
    integer(8);
  else if (type == "smallint")
    integer(16);
  else if (type == "mediumint")
    integer(24);
  else if (type == "int")
    integer(32);
  else if (type == "bigint")
    integer(64);
  else if (type == "year")
    integer(16);
  else if (type == "decimal") {
    t.kind = value_kind::decimal;
    t.precision = facts.precision;
    t.scale = facts.scale;
  } else if (type == "float" || type == "double") {
    t.kind = value_kind::real;
    t.bits = type == "float" ? 32 : 64;
  } else if (type == "bit") {
    t.kind = value_kind::bits;
    t.bits = facts.precision;
  } else if (type == "char" || type == "varchar" || type == "tinytext" || type == "text" || type == "mediumtext" ||
             type == "longtext") {
    text();
    t.fixed = type == "char";
    if (facts.json_checked) t.kind = value_kind::json;
  } else if (type == "binary" || type == "varbinary" || type == "tinyblob" || type == "blob" || type == "mediumblob" ||
             type == "longblob") {
    bytes();
    t.fixed = type == "binary";
  } else if (type == "date")
    t.kind = value_kind::date;
  else if (type == "time")
    temporal(value_kind::time);
  else if (type == "datetime")
    temporal(value_kind::datetime);
  else if (type == "timestamp")
    temporal(value_kind::timestamp);
  else if (type == "json")
    t.kind = value_kind::json;
  else if (type == "uuid")
    t.kind = value_kind::uuid;
  else if (type == "inet4" || type == "inet6")
    t.kind = value_kind::printed;
  else if (type == "vector") {
    bytes();
    t.name = "vector";
  } else if (is_geometry(type)) {
    t.kind = value_kind::bytes;
    t.name = "geometry";
  } else if (type == "enum" || type == "set") {
    t.kind = type == "enum" ? value_kind::enumeration : value_kind::set;
    t.labels = decode_labels(facts.column_type);
  }
  if (t.kind == value_kind::integer || t.kind == value_kind::decimal || t.kind == value_kind::real)
    t.is_unsigned = contains(facts.column_type, "unsigned") || type == "year";
  t.charset = facts.charset;
  t.collation = facts.collation;
  t.case_insensitive = !facts.collation.empty() && facts.collation != "binary" && !facts.collation.ends_with("_bin");
  return t;
}

std::vector<table_schema> load_tables(connection& c, const std::vector<std::string>& patterns, const std::string& database) {
  const std::string doing = "reading the catalog";
  std::vector<table_schema> tables;
  if (patterns.empty()) return tables;
  std::map<table_name, std::size_t> at;
  const auto find = [&](const std::string& schema, const std::string& name) -> table_schema* {
    const auto found = at.find({schema, name});
    return found == at.end() ? nullptr : &tables[found->second];
  };

  const std::string mine = condition(patterns, database, "TABLE_SCHEMA", "TABLE_NAME");
  {
    result rows = c.query(
        "SELECT TABLE_SCHEMA, TABLE_NAME, ENGINE FROM information_schema.TABLES WHERE TABLE_TYPE IN ('BASE TABLE',"
        "'SYSTEM VERSIONED') AND " +
            mine + " ORDER BY 1, 2",
        doing);
    while (rows.next()) {
      table_schema t;
      t.schema = rows.text(1);
      t.name = rows.text(2);
      t.engine = rows.is_null(3) ? "" : rows.text(3);
      t.replica_identity = 'f';
      at[{t.schema, t.name}] = tables.size();
      tables.push_back(std::move(t));
    }
  }
  if (tables.empty()) return tables;

  std::vector<std::pair<table_name, std::string>> json_columns;
  if (c.version().speaks == dialect::mariadb) {
    result rows =
        c.query("SELECT CONSTRAINT_SCHEMA, TABLE_NAME, CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS WHERE " +
                    condition(patterns, database, "CONSTRAINT_SCHEMA", "TABLE_NAME"),
                doing);
    while (rows.next()) {
      std::string clause = rows.text(3);
      if (clause.starts_with("json_valid(`") && clause.ends_with("`)"))
        json_columns.push_back({{rows.text(1), rows.text(2)}, clause.substr(12, clause.size() - 14)});
    }
  }
  {
    result rows = c.query(
        "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, ORDINAL_POSITION, DATA_TYPE, COLUMN_TYPE, CHARACTER_MAXIMUM_LENGTH,"
        " CHARACTER_OCTET_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION, CHARACTER_SET_NAME, COLLATION_NAME,"
        " IS_NULLABLE, COALESCE(GENERATION_EXPRESSION,''), EXTRA LIKE '%on update%' FROM information_schema.COLUMNS WHERE " +
            mine + " ORDER BY 1, 2, 4",
        doing);
    while (rows.next()) {
      const std::string schema = rows.text(1), name = rows.text(2);
      table_schema* table = find(schema, name);
      if (!table) continue;
      column col;
      col.name = rows.text(3);
      col.ordinal =
          static_cast<int>(rows.integer(4)) - 1;  // the binlog's row image has generated columns, too, on both servers
      const auto number = [&](unsigned i, std::int64_t none) { return rows.is_null(i) ? none : rows.integer(i); };
      const auto text = [&](unsigned i) { return rows.is_null(i) ? std::string() : rows.text(i); };
      column_facts facts;
      facts.data_type = rows.text(5);
      facts.column_type = rows.text(6);
      facts.characters = number(7, -1);
      facts.octets = number(8, -1);
      facts.precision = static_cast<int>(number(9, -1));
      facts.scale = static_cast<int>(number(10, 0));
      facts.fraction_digits = static_cast<int>(number(11, -1));
      facts.charset = text(12);
      facts.collation = text(13);
      facts.json_checked = std::find(json_columns.begin(), json_columns.end(), std::pair{table_name{schema, name}, col.name}) !=
                           json_columns.end();
      col.type = decode_type(facts);
      col.nullable = rows.text(14) == "YES";
      col.generated = !rows.text(15).empty();
      col.on_update = rows.integer(16) != 0;
      table->columns.push_back(std::move(col));
    }
  }
  {
    result rows = c.query(
        "SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, COLUMN_NAME, SUB_PART FROM information_schema.STATISTICS"
        " WHERE NON_UNIQUE=0 AND " +
            mine + " ORDER BY 1, 2, INDEX_NAME, SEQ_IN_INDEX",
        doing);
    struct parts {
      std::vector<int> columns;
      bool whole = true;  // every part is a whole column
    };
    std::map<std::pair<table_name, std::string>, parts> indexes;
    while (rows.next()) {
      const std::string schema = rows.text(1), name = rows.text(2);
      const table_schema* table = find(schema, name);
      if (!table) continue;
      parts& index = indexes[{{schema, name}, rows.text(3)}];
      const int column = rows.is_null(4) ? -1 : index_of(*table, rows.text(4));
      if (column < 0 || !rows.is_null(5)) index.whole = false;
      index.columns.push_back(column);
    }
    for (auto& [key, index] : indexes) {
      table_schema& table = *find(key.first.first, key.first.second);
      if (!index.whole) index.columns.clear();
      if (key.second == "PRIMARY")
        table.primary_key = std::move(index.columns);  // a key over prefixes does not name one row: none
      else
        table.unique_indexes.push_back({key.second, std::move(index.columns)});
    }
  }
  {
    result rows = c.query(
        "SELECT k.TABLE_SCHEMA, k.TABLE_NAME, k.CONSTRAINT_NAME, k.COLUMN_NAME, k.REFERENCED_TABLE_SCHEMA, "
        "k.REFERENCED_TABLE_NAME,"
        " r.DELETE_RULE, r.UPDATE_RULE, k.REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE k JOIN "
        "information_schema.REFERENTIAL_CONSTRAINTS r"
        " ON r.CONSTRAINT_SCHEMA=k.CONSTRAINT_SCHEMA AND r.TABLE_NAME=k.TABLE_NAME AND r.CONSTRAINT_NAME=k.CONSTRAINT_NAME"
        " WHERE k.REFERENCED_TABLE_NAME IS NOT NULL AND " +
            condition(patterns, database, "k.TABLE_SCHEMA", "k.TABLE_NAME") + " ORDER BY 1, 2, 3, k.ORDINAL_POSITION",
        doing);
    while (rows.next()) {
      table_schema* table = find(rows.text(1), rows.text(2));
      if (!table) continue;
      std::string name = rows.text(3);
      if (table->foreign_keys.empty() || table->foreign_keys.back().name != name)
        table->foreign_keys.push_back({name, {}, rows.text(5), rows.text(6), rows.text(7), rows.text(8), {}});
      table->foreign_keys.back().columns.push_back(index_of(*table, rows.text(4)));
      table->foreign_keys.back().parent_columns.push_back(rows.text(9));
    }
  }
  {
    result rows =
        c.query("SELECT EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, TRIGGER_NAME FROM information_schema.TRIGGERS WHERE " +
                    condition(patterns, database, "EVENT_OBJECT_SCHEMA", "EVENT_OBJECT_TABLE") + " ORDER BY 1, 2, 3",
                doing);
    while (rows.next())
      if (table_schema* table = find(rows.text(1), rows.text(2))) table->triggers.push_back(rows.text(3));
  }
  return tables;
}

}  // namespace duet::mysql
