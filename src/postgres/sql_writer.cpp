#include "postgres/sql_writer.hpp"

#include <algorithm>

#include "postgres/connection.hpp"

namespace duet::postgres {
namespace {

const column& home_column(const table_pair& table, std::uint16_t i) { return table.columns[i].home; }

std::string table_name(const table_pair& table) { return qualified_name(table.home.schema, table.home.name); }

bool is_citext(const column_type& type) { return type.name == "citext"; }

// The value `reference` (an element of the arrays) as its column's type, but without the column's limits: those are applied
// by the assignment, which refuses where an explicit cast would cut in silence. (Of what is printed, see below, nothing is cut.)
std::string typed(const column_type& type, const std::string& reference) {
  switch (type.kind) {
    case value_kind::boolean:
    case value_kind::integer:
    case value_kind::bytes:
    case value_kind::uuid:
      return reference;
    case value_kind::text: return is_citext(type) ? reference + "::" + type.native : reference;
    case value_kind::decimal: return reference + "::numeric";
    case value_kind::real: return reference + (type.bits == 32 ? "::real" : "::double precision");
    case value_kind::date: return reference + "::date";
    case value_kind::time: return reference + "::time";
    case value_kind::datetime: return reference + "::timestamp";
    case value_kind::timestamp: return reference + "::timestamptz";  // the session's zone is UTC
    case value_kind::json: return reference + (type.native == "json" ? "::json" : "::jsonb");
    case value_kind::bits: return reference + "::\"bit\"";  // quoted: without the implied length 1
    case value_kind::array:
    case value_kind::printed:
    case value_kind::enumeration:
    case value_kind::set:
    case value_kind::other:
      return reference + "::" + type.native;
  }
  return reference;
}

// In comparisons a CHAR(n) is compared as one: trailing blanks are padding.
std::string comparable(const column_type& type, const std::string& reference) {
  return type.kind == value_kind::text && type.fixed ? reference + "::bpchar" : typed(type, reference);
}

bool is_collated(const column_type& type) { return type.kind == value_kind::text; }

bool is_printed(const column_type& type) { return type.kind == value_kind::printed || type.kind == value_kind::array; }

// A real number has several spellings: of its arrays the value is what counts.
bool is_checked(const column_type& type) { return is_printed(type) && !(type.kind == value_kind::array && type.element == value_kind::real); }

std::string quoted(char mark, std::string_view text) {
  std::string out(1, mark);
  for (const char c : text) {
    if (c == mark || (c == '\\' && mark == '"')) out += mark == '"' ? '\\' : mark;
    out += c;
  }
  return out + mark;
}

// What is stored must print as what was sent: PostgreSQL understands 10.0.0.1/32, and prints 10.0.0.1. Anything else would be
// another value to the side that it came from. concat() prints with the type's own output function. A statement can fail by
// its values only through a function that does: the error names the column (see not_as_printed_state).
std::string printed(const column& c, const std::string& reference) {
  const std::string value = typed(c.type, reference), path = "strict $." + quoted('"', c.name);
  return "CASE WHEN " + reference + " IS NULL OR pg_catalog.concat(" + value + ") = " + reference + " THEN " + value +
         " ELSE pg_catalog.concat(pg_catalog.jsonb_path_query_first(pg_catalog.jsonb_build_object('', " + reference + "), " +
         quoted('\'', path) + "))::" + c.type.native + " END";
}

std::string assigned(const column& c, const std::string& reference) {
  return is_checked(c.type) ? printed(c, reference) : typed(c.type, reference);
}

// Parameters, and the columns of the relation u that unnests them.
class array_list {
 public:
  explicit array_list(const table_pair& table) : table_(table) {}

  // The element of this column and image in u.
  std::string element(std::uint16_t column, enum array_parameter::image image) {
    std::size_t i = 0;
    while (i < arrays_.size() && (arrays_[i].column != column || arrays_[i].image != image)) ++i;
    if (i == arrays_.size()) arrays_.push_back({column, image, element_of(home_column(table_, column).type)});
    return "u.a" + std::to_string(i + 1);
  }

  // After all elements are named: ROWS FROM (unnest($1::bigint[]), ...) WITH ORDINALITY AS u(a1, ..., n)
  std::string from() const {
    std::string arguments, names;
    for (std::size_t i = 0; i < arrays_.size(); ++i) {
      const std::string n = std::to_string(i + 1);
      if (i) arguments += ", ";
      arguments += "pg_catalog.unnest($" + n + "::" + std::string(array_type(arrays_[i].form)) + ')';
      names += 'a' + n + ", ";
    }
    return "ROWS FROM (" + arguments + ") WITH ORDINALITY AS u(" + names + "n)";
  }

  std::vector<array_parameter> take() { return std::move(arrays_); }

 private:
  const table_pair& table_;
  std::vector<array_parameter> arrays_;
};

// The row of t whose key is that of `before`, and whose guarded columns are as there. Guards are written with IS NOT DISTINCT
// FROM: NULL-safe, and no index can serve it, so that the primary key's is the only choice.
std::string row_condition(const table_pair& table, column_list guard, array_list& arrays) {
  std::string where;
  for (std::uint16_t i : table.key) {
    const column& c = home_column(table, i);
    const std::string name = "t." + quote_identifier(c.name), element = arrays.element(i, array_parameter::before);
    if (!where.empty()) where += " AND ";
    where += name + " = " + comparable(c.type, element);
    if (c.type.case_insensitive) where += " AND " + name + " COLLATE \"C\" = " + comparable(c.type, element);
  }
  for (std::uint16_t i : guard) {
    const column& c = home_column(table, i);
    std::string stored = "t." + quote_identifier(c.name);
    std::string expected = arrays.element(i, array_parameter::before);
    if (c.type.kind == value_kind::json && c.type.native == "json") stored = "(" + stored + "::text) COLLATE \"C\"";
    else if (is_printed(c.type)) stored = "(CASE WHEN " + stored + " IS DISTINCT FROM NULL THEN pg_catalog.concat(" + stored + ") END) COLLATE \"C\"";
    else if (is_citext(c.type)) stored += "::text";
    else expected = comparable(c.type, expected);
    if (is_collated(c.type)) stored += " COLLATE \"C\"";
    where += " AND (" + stored + " IS NOT DISTINCT FROM " + expected + ")";
  }
  return where;
}

std::string column_names(const table_pair& table, column_list columns) {
  std::string out;
  for (std::uint16_t i : columns) {
    if (!out.empty()) out += ", ";
    out += quote_identifier(home_column(table, i).name);
  }
  return out;
}

}  // namespace

set_statement insert_statement(const table_pair& table, column_list columns, insert_mode mode) {
  array_list arrays(table);
  std::string values;
  bool overriding = false;
  for (std::uint16_t i : columns) {
    const column& c = home_column(table, i);
    if (!values.empty()) values += ", ";
    values += assigned(c, arrays.element(i, array_parameter::after));
    overriding |= c.identity_always;
  }
  std::string sql = "INSERT INTO " + table_name(table) + " (" + column_names(table, columns) + ")";
  if (overriding) sql += " OVERRIDING SYSTEM VALUE";
  sql += " SELECT " + values + " FROM " + arrays.from();
  if (mode == insert_mode::checked) {
    const std::string key = column_names(table, table.key);
    sql += " ON CONFLICT (" + key + ") DO NOTHING RETURNING " + key;
  }
  return {std::move(sql), arrays.take()};
}

set_statement update_statement(const table_pair& table, column_list columns, column_list guard, column_list deltas) {
  array_list arrays(table);
  const std::string where = row_condition(table, guard, arrays);
  std::string assignments;
  for (std::uint16_t i : columns) {
    const column& c = home_column(table, i);
    if (!assignments.empty()) assignments += ", ";
    assignments += quote_identifier(c.name) + " = " + assigned(c, arrays.element(i, array_parameter::after));
  }
  for (std::uint16_t i : deltas) {
    const column& c = home_column(table, i);
    const std::string name = quote_identifier(c.name);
    if (!assignments.empty()) assignments += ", ";
    assignments += name + " = t." + name + " + " + typed(c.type, arrays.element(i, array_parameter::added));
  }
  return {"UPDATE " + table_name(table) + " AS t SET " + assignments + " FROM " + arrays.from() + " WHERE " + where +
              " RETURNING u.n",
          arrays.take()};
}

set_statement remove_statement(const table_pair& table, column_list guard) {
  array_list arrays(table);
  const std::string where = row_condition(table, guard, arrays);
  return {"DELETE FROM " + table_name(table) + " AS t USING " + arrays.from() + " WHERE " + where + " RETURNING u.n",
          arrays.take()};
}

set_statement mark_statement(const table_pair& table, const std::string& column, bool clear) {
  array_list arrays(table);
  const std::string where = row_condition(table, {}, arrays), from = arrays.from(), name = quote_identifier(column);
  std::vector<array_parameter> parameters = arrays.take();
  const std::string time = "$" + std::to_string(parameters.size() + 1) + "::timestamptz";
  return {"UPDATE " + table_name(table) + " AS t SET " + name + " = " + (clear ? "NULL" : "coalesce(" + time + ", pg_catalog.clock_timestamp())") +
              " FROM " + from + " WHERE " + where + (clear ? " AND t." + name + " IS NOT NULL" : ""),
          std::move(parameters)};
}

namespace {
set_statement select_statement(const table_pair& table, const char* lock, column_list equal = {}) {
  array_list arrays(table);
  std::string where = equal.empty() ? row_condition(table, {}, arrays) : "";
  for (std::uint16_t i : equal) {
    const column& c = home_column(table, i);
    where += (where.empty() ? "t." : " AND t.") + quote_identifier(c.name) + " = " + comparable(c.type, arrays.element(i, array_parameter::before));
  }
  std::string columns = "u.n", order;
  for (const column_pair& c : table.columns) columns += ", t." + quote_identifier(c.home.name);
  for (std::uint16_t i : table.key) {
    if (!order.empty()) order += ", ";
    order += "t." + quote_identifier(home_column(table, i).name);
  }
  return {"SELECT " + columns + " FROM " + table_name(table) + " AS t, " + arrays.from() + " WHERE " + where + " ORDER BY " +
              order + lock,
          arrays.take()};
}
}  // namespace

set_statement lock_statement(const table_pair& table) { return select_statement(table, " FOR UPDATE OF t"); }
set_statement lock_with_statement(const table_pair& table, column_list columns) { return select_statement(table, " FOR UPDATE OF t", columns); }
set_statement read_statement(const table_pair& table) { return select_statement(table, ""); }

std::string next_rows_statement(const table_pair& table, bool behind, std::size_t limit, bool lock) {
  std::string columns, key, values;
  for (const column_pair& c : table.columns) columns += (columns.empty() ? "" : ", ") + quote_identifier(c.home.name);
  for (std::size_t i = 0; i < table.key.size(); ++i) {
    const char* comma = i ? ", " : "";
    key += comma + quote_identifier(home_column(table, table.key[i]).name);
    values += comma + ('$' + std::to_string(i + 1));
  }
  return "SELECT " + columns + " FROM ONLY " + table_name(table) + (behind ? " WHERE (" + key + ") > (" + values + ")" : "") + " ORDER BY " + key +
         " LIMIT " + std::to_string(limit) + (lock ? " FOR SHARE NOWAIT" : "");
}

bool can_be_copied(const table_pair& table, column_list columns) {
  return std::none_of(columns.begin(), columns.end(), [&](std::uint16_t i) { return is_checked(home_column(table, i).type); });
}

std::string copy_statement(const table_pair& table, column_list columns) {
  return "COPY " + table_name(table) + " (" + column_names(table, columns) + ") FROM STDIN";
}

std::string truncate_statement(std::span<const table_pair* const> tables) {
  std::string sql = "TRUNCATE ";
  for (std::size_t i = 0; i < tables.size(); ++i) {
    if (i) sql += ", ";
    sql += "ONLY " + table_name(*tables[i]);
  }
  return sql;
}

}  // namespace duet::postgres
