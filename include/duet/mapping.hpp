// Which table of home is which table of the spoke, column by column: the configuration bound to both catalogs.
// Built once at start by translate::bind; constant and shared by all threads while a link runs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "duet/policy.hpp"
#include "duet/schema.hpp"

namespace duet {

enum class flow : std::uint8_t { both, home_to_spoke, spoke_to_home };
std::string_view name(flow);

// What a delete of one side does on the other one.
enum class delete_action : std::uint8_t {
  propagate,
  ignore,   // nothing: the other side keeps its row
  archive,  // the row stays, and one of its columns gets the time of the delete
};
std::string_view name(delete_action);

// How values of one kind pair are converted; translate/ knows what each does.
struct conversion {
  std::uint16_t code = 0;  // 0 = the bytes are passed on as they are
  int a = 0, b = 0;        // its parameters (digits, length, ...), meaning given beside the code
};

struct column_pair {
  column home, spoke;
  conversion to_spoke, to_home;
  bool key = false;        // part of the primary key
  bool guarded = true;     // may stand in a WHERE: exact on both sides (not real, not json, no declared loss)
  std::string loss;        // a declared loss of this pair in words, or empty

  const column& on(side s) const { return s == side::home ? home : spoke; }
};

struct delete_rule_of_side {
  delete_action does = delete_action::propagate;
  std::string archived_at;     // archive: the column, of the other side's table
  bool cleared = false;        // archive: it is set to NULL again when the row comes back (not where it is synced, or NOT NULL)
};

// A foreign key that both sides have, to the primary key of another synced table.
struct reference {
  std::uint16_t parent = 0;            // table_pair::id
  std::vector<std::uint16_t> columns;  // of the child, in the order of the parent's key
  std::vector<std::uint16_t> nulled;   // those of them that set_null empties
  bool cascades[2] = {};               // by side: a delete of the parent takes the child along
  bool empties[2] = {};                // or sets `columns` to NULL
};

struct table_pair {
  std::uint16_t id = 0;        // index in mapping::tables
  table_schema home, spoke;    // schemas in full; `columns` below says which columns take part
  std::vector<column_pair> columns;  // rows on the way have exactly these, in this order
  std::vector<std::uint16_t> key;    // indices into `columns`: the primary key, in home's key order
  std::vector<std::vector<std::uint16_t>> unique;  // indices into `columns` of each secondary unique index of either side
  std::vector<std::uint16_t> parents;  // ids of tables that this one refers to by a foreign key, on either side
  std::vector<reference> references;   // where it or one that refers to the same table has a rule for missing parents
  std::vector<std::pair<std::uint16_t, std::uint16_t>> children;  // those that refer to this one: table, index into its references
  std::uint16_t generation = 0;        // of tables with references or children: those that it refers to have lower ones
  flow direction = flow::both;
  conflict_policy policy;      // of a table that is synced both ways
  delete_rule_of_side deletes[2];    // by the side that deletes
  std::optional<side> copied_from;   // its rows are copied to the other side first
  std::uint64_t held_limit = 0;      // with more keys in one side's duet.held the table stops; 0: no limit

  const table_schema& on(side s) const { return s == side::home ? home : spoke; }
  bool owned_by(side s, std::uint16_t column) const {  // conflict.own
    return (policy.owned[static_cast<int>(s)] & policy.bit_of(column)) != 0 && !columns[column].key;
  }
  const delete_rule_of_side& deletes_of(side s) const { return deletes[static_cast<int>(s)]; }
  // Do rows that this side deletes stay on the other one?
  bool keeps_deleted(side s) const { return deletes_of(s).does != delete_action::propagate; }
  bool settles_parents() const { return policy.missing_parent != parent_rule::hold; }
  bool flows_from(side s) const { return direction == flow::both || (direction == flow::home_to_spoke) == (s == side::home); }
};

struct mapping {
  std::vector<table_pair> tables;
  std::int64_t commit_time_grain_us = 1;  // the coarser one of both logs: 1, or a second where MariaDB is the spoke
};

}  // namespace duet
