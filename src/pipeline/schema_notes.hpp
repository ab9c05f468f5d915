// What a link remembers of its tables between two starts: duet.table_state at home, one JSON object per table.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "duet/mapping.hpp"
#include "pipeline/resumption.hpp"

namespace duet::pipeline {

struct known_column {
  std::string name, type;
  std::vector<std::string> former;  // older parts of the log call it so
  int number = 0;                   // column_detail::number
  friend bool operator==(const known_column&, const known_column&) = default;
};

// A table that waits. What has come of it since is in the logs, behind these places.
struct pause_note {
  std::string reason, remedy;
  std::int64_t since_us = 0;
  both_places at;
  bool for_good = false;            // older rows can't be read any more: only a new setup helps
};

struct known_table {
  std::string spoke_schema, spoke_name;
  std::vector<known_column> columns[2];                      // by side: the whole table as it was when both sides fitted last
  std::vector<std::pair<std::string, std::string>> synced;   // home's name, the spoke's
  std::optional<pause_note> paused;

  const known_column* find(side s, std::string_view name) const;
};

// Of the link: some tables catch up.
struct link_note {
  resumption resumed;
  bool set_back = false;            // both control rows are
  std::vector<std::string> tables;  // home's names
};

known_table note_of(const table_pair&);

std::string encode(const known_table&);
std::string encode(const link_note&);
known_table decode_known_table(const std::string&);  // throws failure internal
link_note decode_link_note(const std::string&);

}  // namespace duet::pipeline
