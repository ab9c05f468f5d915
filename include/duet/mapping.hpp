// Which table of home is which table of the spoke, column by column: the configuration bound to both catalogs.
// Built by translate::bind; constant and shared by all threads while the lanes run.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
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

// What follows when a synced table is altered on one side while the link runs. Once both sides fit again the table goes on by itself.
enum class schema_rule : std::uint8_t {
  pause,               // the table waits until both sides fit
  follow,              // the other side is altered, too, where the type contract allows it; else it waits
  ignore_new_columns,  // a new column is left alone; anything else: it waits
};
std::string_view name(schema_rule);
// What becomes of the rows that are there when the link begins.
enum class initial_rows : std::uint8_t {
  none,             // they are equal already
  copy_from_home,   // the other side's table is empty, and gets them
  copy_from_spoke,
  merge,            // both have some: each gets those of the other one
};
std::string_view name(initial_rows);

// Merged: whose values stand where both sides have a row of one key and differ.
enum class merge_truth : std::uint8_t {
  home,
  spoke,
  latest,  // the row with the larger value in table_pair::truth_by; equal: home's
  unite,   // home's, and the spoke's where home has NULL
  manual,  // nobody's: the row waits in duet.held
};
std::string_view name(merge_truth);

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
  std::vector<std::string> former[2];  // by side: what an older part of its log may call the column

  const column& on(side s) const { return s == side::home ? home : spoke; }
};

struct delete_rule_of_side {
  delete_action does = delete_action::propagate;
  std::string archived_at;     // archive: the column, of the other side's table
  bool cleared = false;        // archive: it is set to NULL again when the row comes back (not where it is synced, or NOT NULL)
};

struct table_pair {
  std::uint16_t id = 0;        // index in mapping::tables
  table_schema home, spoke;    // schemas in full; `columns` below says which columns take part
  std::vector<column_pair> columns;  // rows on the way have exactly these, in this order
  std::vector<std::uint16_t> key;    // indices into `columns`: the primary key, in home's key order
  std::vector<std::vector<std::uint16_t>> unique;  // indices into `columns` of each secondary unique index of either side
  std::vector<std::uint16_t> parents;  // ids of tables that this one refers to by a foreign key, on either side
  flow direction = flow::both;
  conflict_policy policy;      // of a table that is synced both ways
  delete_rule_of_side deletes[2];    // by the side that deletes
  initial_rows initial = initial_rows::none;
  merge_truth truth = merge_truth::home;  // merge
  std::uint16_t truth_by = 0;             // truth latest: index into `columns`
  std::uint64_t held_limit = 0;      // with more keys in one side's duet.held the table stops; 0: no limit
  int line = 0;                      // of its rule in the configuration
  schema_rule on_schema_change = schema_rule::pause;
  bool catches_up = false;           // it was paused: of the logs that are read again, its changes are new and those of other tables are not

  const table_schema& on(side s) const { return s == side::home ? home : spoke; }
  bool owned_by(side s, std::uint16_t column) const {  // conflict.own
    return (policy.owned[static_cast<int>(s)] & policy.bit_of(column)) != 0 && !columns[column].key;
  }
  const delete_rule_of_side& deletes_of(side s) const { return deletes[static_cast<int>(s)]; }
  // Do rows that this side deletes stay on the other one?
  bool keeps_deleted(side s) const { return deletes_of(s).does != delete_action::propagate; }
  // Which of `columns` an older part of this side's log calls so; -1: none.
  int once_called(side s, std::string_view name) const {
    const auto index = [&](const auto& is_it) {
      const auto at = std::find_if(columns.begin(), columns.end(), is_it);
      return at == columns.end() ? -1 : static_cast<int>(at - columns.begin());
    };
    const int now = index([&](const column_pair& c) { return c.on(s).name == name; });
    if (now >= 0) return now;
    return index([&](const column_pair& c) {
      const auto& former = c.former[static_cast<int>(s)];
      return std::find(former.begin(), former.end(), name) != former.end();
    });
  }
  bool merges() const { return initial == initial_rows::merge; }
  // Are this side's rows copied to the other one first?
  bool copies_from(side s) const { return merges() || initial == (s == side::home ? initial_rows::copy_from_home : initial_rows::copy_from_spoke); }
  bool flows_from(side s) const { return direction == flow::both || (direction == flow::home_to_spoke) == (s == side::home); }
};

// A table that is not carried over until both sides fit again: its changes wait in the logs.
struct waiting_table {
  std::string home_schema, home_name, spoke_schema, spoke_name;
};

struct mapping {
  std::vector<table_pair> tables;
  std::vector<waiting_table> waiting;     // not among the tables; their transactions are delivered, without their rows
  std::int64_t commit_time_grain_us = 1;  // the coarser one of both logs: 1, or a second where MariaDB is the spoke
};

}  // namespace duet
