#include "postgres/relation.hpp"

#include <algorithm>

#include "duet/failure.hpp"

namespace duet::postgres {
namespace {

constexpr std::uint32_t first_user_oid = 16384;  // FirstNormalObjectId

// The kinds of the built-in types (pg_type.dat); types made by users may be anything.
value_kind kind_of_type(std::uint32_t oid) {
  switch (oid) {
    case 16: return value_kind::boolean;
    case 20: case 21: case 23: return value_kind::integer;
    case 1700: return value_kind::decimal;
    case 700: case 701: return value_kind::real;
    case 25: case 1042: case 1043: return value_kind::text;
    case 17: return value_kind::bytes;
    case 1082: return value_kind::date;
    case 1083: return value_kind::time;
    case 1114: return value_kind::datetime;
    case 1184: return value_kind::timestamp;
    case 114: case 3802: return value_kind::json;
    case 1560: case 1562: return value_kind::bits;
    case 2950: return value_kind::uuid;
    case 1009: case 1014: case 1015: return value_kind::array;
    default: return value_kind::other;
  }
}

// Whether text printed for a column that then had the type `oid` reads as a value of `kind`.
bool reads_as(std::uint32_t oid, value_kind kind) {
  if (kind == value_kind::printed) return false;  // only as the very type of the mapping
  if (oid >= first_user_oid) return kind == value_kind::enumeration || kind == value_kind::text;
  const value_kind then = kind_of_type(oid);
  if (then == kind) return true;
  if (kind == value_kind::decimal) return then == value_kind::integer;
  if (kind == value_kind::text) return then == value_kind::uuid || then == value_kind::integer || then == value_kind::decimal;
  return false;
}

[[noreturn]] void changed(const table_pair& table, std::string_view column, const char* how) {
  failure f(failure_kind::schema_changed, "table " + table.home.schema + '.' + table.home.name + ", column " + std::string(column) + ' ' + how);
  f.table = table.home.schema + '.' + table.home.name;
  throw f;
}

}  // namespace

relation_message decode_relation(base::byte_reader& in) {
  relation_message r;
  r.oid = in.u32_be();
  r.schema = in.cstring();
  if (r.schema.empty()) r.schema = "pg_catalog";
  r.name = in.cstring();
  r.replica_identity = in.byte();
  const std::size_t n = in.u16_be();
  r.columns.reserve(n);
  for (std::size_t i = 0; i < n; ++i) {
    relation_message::column c;
    c.identity = in.u8() & 1;
    c.name = in.cstring();
    c.type_oid = in.u32_be();
    c.type_modifier = static_cast<std::int32_t>(in.u32_be());
    r.columns.push_back(c);
  }
  return r;
}

projection project(const relation_message& relation, const table_pair& table, std::vector<type_number>& types, bool strictly) {
  projection p;
  p.table = &table;
  p.columns.resize(relation.columns.size());
  types.resize(table.columns.size());
  std::vector<int> from(table.columns.size(), -1);

  for (std::size_t i = 0; i < relation.columns.size(); ++i) {
    const auto& c = relation.columns[i];
    p.columns[i].identity = c.identity;
    const int meant = strictly ? -1 : table.once_called(side::home, c.name);
    for (std::size_t to = 0; to < table.columns.size(); ++to) {
      const auto& home = table.columns[to].home;
      if (strictly ? home.name != c.name : meant != static_cast<int>(to)) continue;
      if (from[to] >= 0) base::throw_damaged("a relation has two columns of one name");
      from[to] = static_cast<int>(i);
      p.columns[i].to = static_cast<std::int32_t>(to);
      p.columns[i].form = text_form_of(home.type);
      const type_number now{c.type_oid, c.type_modifier};
      if (types[to].oid != c.type_oid && !reads_as(c.type_oid, home.type.kind))
        changed(table, home.name, "has another type in the log than the mapping was made for");
      if (!strictly) break;
      if (!types[to].oid) types[to] = now;
      if (types[to] != now) changed(table, home.name, "has changed its type");
      break;
    }
    const auto is_this = [&](const column& known) { return known.name == c.name; };
    if (strictly && p.columns[i].to < 0 && std::none_of(table.home.columns.begin(), table.home.columns.end(), is_this)) changed(table, c.name, "is new");
  }
  for (std::size_t to = 0; to < table.columns.size(); ++to) {
    if (from[to] >= 0) continue;
    if (strictly) changed(table, table.columns[to].home.name, "is gone");
    if (table.columns[to].key) changed(table, table.columns[to].home.name, "is part of the key and was not there yet");
  }
  p.identifies_rows = relation.replica_identity != 'n';
  if (relation.replica_identity != 'f')
    for (std::uint16_t k : table.key) p.identifies_rows &= from[k] >= 0 && relation.columns[static_cast<std::size_t>(from[k])].identity;
  return p;
}

}  // namespace duet::postgres
