// What a relation message says of a table, and how its columns become those of the mapping.
//
// The log is decoded with the catalog of its own time: a relation from an old part of the log may be older than the mapping,
// which was made from a later catalog. Such a one passes if its values read the same (same kind of type; columns that did
// not exist yet are absent). From the place on at which the mapping was seen to fit the catalog, any difference in a mapped
// column is a change of the table under our feet: schema_changed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_reader.hpp"
#include "duet/mapping.hpp"
#include "postgres/value_codec.hpp"

namespace duet::postgres {

// The 'R' message (Logical Replication Message Formats). Views into the message.
struct relation_message {
  struct column {
    bool identity;  // part of the replica identity
    std::string_view name;
    std::uint32_t type_oid;
    std::int32_t type_modifier;
  };
  std::uint32_t oid;
  std::string_view schema, name;
  char replica_identity;  // d, n, f, i
  std::vector<column> columns;
};
relation_message decode_relation(base::byte_reader&);

// A column's type as the catalog numbers it; oid 0: not known yet.
struct type_number {
  std::uint32_t oid = 0;
  std::int32_t modifier = -1;
  friend bool operator==(const type_number&, const type_number&) = default;
};

// Where the columns of a tuple go.
struct projection {
  struct column {
    std::int32_t to = -1;  // index into table_pair::columns; -1: not mapped
    text_form form = text_form::as_is;
    bool identity = false;
  };
  const table_pair* table = nullptr;
  std::vector<column> columns;      // of the tuple, in its order
  bool identifies_rows = false;     // the replica identity covers the mapping's key
};

// `types`: what the mapping was made for, by index into table_pair::columns; a relation judged strictly fills in what is not
// known yet. Throws schema_changed naming table and column.
projection project(const relation_message&, const table_pair&, std::vector<type_number>& types, bool strictly);

}  // namespace duet::postgres
