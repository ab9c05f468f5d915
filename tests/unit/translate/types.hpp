// Column types and tables as the catalogs describe them, in short form.
#pragma once

#include <string>
#include <vector>

#include "duet/mapping.hpp"
#include "duet/schema.hpp"

namespace duet::translate {

inline column_type of_kind(value_kind kind, std::string native) {
  column_type t;
  t.kind = kind;
  t.native = std::move(native);
  return t;
}

inline column_type named(column_type t, std::string name) {
  t.name = std::move(name);
  return t;
}

inline column_type printed_type(std::string name) { return named(of_kind(value_kind::printed, name), name); }

inline column_type text_array_type() {
  column_type t = of_kind(value_kind::array, "text[]");
  t.element = value_kind::text;
  return t;
}

inline column_type boolean_type() { return of_kind(value_kind::boolean, "boolean"); }

inline column_type integer_type(int bits, bool is_unsigned = false) {
  column_type t = of_kind(value_kind::integer, "int" + std::to_string(bits) + (is_unsigned ? " unsigned" : ""));
  t.bits = bits;
  t.is_unsigned = is_unsigned;
  return t;
}

inline column_type year_type() {
  column_type t = integer_type(16);
  t.native = "year(4)";
  return t;
}

inline column_type decimal_type(int precision, int scale, bool is_unsigned = false) {
  column_type t = of_kind(value_kind::decimal, precision < 0 ? "numeric" : "decimal(" + std::to_string(precision) + "," + std::to_string(scale) + ")");
  t.precision = precision;
  t.scale = scale;
  t.is_unsigned = is_unsigned;
  return t;
}

inline column_type real_type(int bits) {
  column_type t = of_kind(value_kind::real, bits == 32 ? "float" : "double");
  t.bits = bits;
  return t;
}

inline column_type text_type(std::int64_t length = -1, bool fixed = false, std::string charset = "", std::string native = "") {
  column_type t = of_kind(value_kind::text, native.empty() ? length < 0 ? "text" : (fixed ? "char(" : "varchar(") + std::to_string(length) + ")" : native);
  t.length = length;
  t.fixed = fixed;
  t.charset = std::move(charset);
  return t;
}

inline column_type collated(column_type t, std::string collation, bool case_insensitive = true) {
  t.collation = std::move(collation);
  t.case_insensitive = case_insensitive;
  return t;
}

inline column_type bytes_type(std::int64_t length = -1, bool fixed = false, std::string native = "") {
  column_type t = of_kind(value_kind::bytes, native.empty() ? length < 0 ? "bytea" : (fixed ? "binary(" : "varbinary(") + std::to_string(length) + ")" : native);
  t.length = length;
  t.fixed = fixed;
  return t;
}

inline column_type fraction_type(value_kind kind, int digits) {
  column_type t = of_kind(kind, std::string(duet::name(kind)) + "(" + std::to_string(digits) + ")");
  t.precision = digits;
  return t;
}

inline column_type bits_type(int n) {
  column_type t = of_kind(value_kind::bits, "bit(" + std::to_string(n) + ")");
  t.bits = n;
  return t;
}

inline column_type labels_type(value_kind kind, std::vector<std::string> labels) {
  column_type t = of_kind(kind, kind == value_kind::set ? "set(...)" : "enum(...)");
  t.labels = std::move(labels);
  return t;
}

struct table_maker {
  table_schema t;
  table_maker(std::string schema, std::string name) {
    t.schema = std::move(schema);
    t.name = std::move(name);
  }
  table_maker& column(std::string name, column_type type, bool nullable = true, bool generated = false) {
    duet::column c;
    c.name = std::move(name);
    c.ordinal = static_cast<int>(t.columns.size());
    c.type = std::move(type);
    c.nullable = nullable;
    c.generated = generated;
    t.columns.push_back(std::move(c));
    return *this;
  }
  table_maker& key(std::vector<int> columns) {
    t.primary_key = std::move(columns);
    return *this;
  }
  table_maker& unique(std::string name, std::vector<int> columns) {
    t.unique_indexes.push_back({std::move(name), std::move(columns)});
    return *this;
  }
  table_maker& refers_to(std::string schema, std::string table, std::string on_delete = "NO ACTION", std::string on_update = "NO ACTION",
                         std::vector<int> columns = {0}) {
    std::string key = "fk_" + table;
    t.foreign_keys.push_back({std::move(key), std::move(columns), std::move(schema), std::move(table), std::move(on_delete), std::move(on_update)});
    return *this;
  }
  operator table_schema() const { return t; }
};

}  // namespace duet::translate
