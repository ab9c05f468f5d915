// What the torture test writes: its tables, the values that name their writer, and the plan of a run, made from a seed.
#pragma once

#include <optional>
#include <random>
#include <string>
#include <vector>

#include "duet/schema.hpp"

namespace duet::torture {

enum class content {
  text, number, time, body,  // each value is written once in the whole run and says by whom
  reference,                 // the key of another row
  delta,                     // a number to which both sides add
};

struct field {
  std::string name;
  content is;
  bool nullable = false;
};

struct table {
  std::string name;
  std::vector<field> fields;  // beside the key, `id`
  int keys;                   // rows 1 to `keys` are written, the first ones most of the time
  int first_rows;             // of them exist on both sides before the link is set up
  bool comes_and_goes;        // rows are deleted and inserted
  bool may_be_held;           // the README says what of it waits for a person: a unique value, a parent, a changed key
  std::string home_columns, spoke_columns;
};
const std::vector<table>& tables();
const table& table_named(const std::string&);

using values = std::vector<std::optional<std::string>>;  // of a table's fields, in their order

// Both databases print these fields alike; of a body only the part that names it.
std::string select_list(const table&, side);
std::string comparable(const table&, side);                // the whole of each row, to compare both sides by
std::string literal(const field&, const std::optional<std::string>&);  // reads the same in both dialects
std::string naming_part(const field&, const std::string& whole);      // of a value as Duet's own tables show it

// The n-th value of a client; client 0 stands for the rows that were there before.
std::string token(const field&, std::size_t index, side, int client, long n);

// Balances of two accounts that only one side moves: their sum never changes. Home has the odd pairs.
inline constexpr int pairs = 12, pair_sum = 1000;
inline constexpr int first_balance = 1000;

struct plan {
  plan(unsigned seed, int seconds, std::string spoke);

  unsigned seed;
  int seconds;
  std::string spoke;
  int clients_per_side;
  std::string default_rule, table_rules, tuning;
  std::vector<std::pair<std::string, std::vector<std::string>>> whole;  // fields of a table that are decided as one
  double zipf;                           // how much of the work goes to the first keys
  std::vector<double> table_weights;     // as tables() has them
  std::string spoke_isolation;
  std::string deadlock_timeout;          // of home; its default makes each deadlock cost a second
  std::string configuration() const;     // all but where the databases are
  std::string describe() const;
};

}  // namespace duet::torture
