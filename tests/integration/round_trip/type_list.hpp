// The types that Duet carries, one row per pair: what comes back as it was, and what is held.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "duet/schema.hpp"
#include "values.hpp"

namespace duet::testing {

// A value that its side takes and the other one can't keep, in its side's SQL. The reason in duet.held has these words and
// the column's name; an empty column: the other server's own words.
struct refused {
  std::string literal, reason;
  std::string only = "";  // mariadb or mysql
  bool names_column = true;
};

enum class written { plain, quoted, bits, as_hex, uuid_as_bytes, set_or_array, each_quoted, each_plain };  // how a value becomes SQL
enum class compared { bytewise, as_number, as_document, as_bytes };  // number, document: the spelling is the servers'; bytes: what has no equality

struct type_pair {
  std::string table, column, home, spoke;
  values good;  // both sides keep them
  written as = written::plain;
  std::vector<refused> not_for_spoke, not_for_home;
  compared how = compared::bytewise;
  std::string only = "";
};

std::vector<type_pair> type_list(const std::string& spoke_kind);

std::string in_quotes(const std::string& text);
std::string literal(const type_pair&, side, const std::string& value);

// SQL: whether the columns of rows a and b hold the same. The spoke compares the spelling of documents.
std::string sameness(const type_pair&, side);

}  // namespace duet::testing
