// Which type of home goes with which type of the spoke, and what happens to a value between them. One row per pair; what
// is not in the table can't be paired.
//
//   exact          every value either arrives as it is and comes back as it was, or is held with its reason
//   declared loss  the named part of a value is not kept; such columns are not compared by guards and can't be keys
//
// Decisions worth knowing:
//   - Fractions of a second that the other side has no room for are cut, never rounded, and by the hub, never by a server.
//   - A float paired with a double keeps its number: 0.1 as a float is 0.10000000149011612 as a double, and comes back as
//     0.1. The other way the nearest float is stored, which is a declared loss.
//   - CHAR(n) has no blanks at its end on either side; a value with such blanks is held where it would go into a CHAR from
//     a type that keeps them.
//   - BINARY(n) takes values of exactly n bytes; others are held rather than filled with zero bytes.
//   - A UUID as text is 36 characters in lower case; any other spelling is held, because keys are compared bytewise.
//   - -0 and 0 are one number: MariaDB stores both as 0.
//   - The catalogs of MySQL and MariaDB show '?' for a character beyond U+FFFF in a label, so a label with '?' is refused,
//     but for a column whose character set has no such characters.
//   - What PostgreSQL only prints (inet, interval, ranges, composite types, ...) is text at the spoke, in exactly PostgreSQL's
//     spelling: home's statement compares what it stores with what was sent, and refuses the rest, which is held.
//   - TIMESTAMP ends in 2038. A catalog that knows its server goes on until 2106 (MariaDB 11.5) says so by is_unsigned.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "duet/mapping.hpp"
#include "duet/schema.hpp"

namespace duet::translate {

enum class grade : std::uint8_t { exact, declared_loss, refused };
std::string_view name(grade);

// How one column of home goes with one of the spoke.
struct pairing {
  grade is = grade::exact;
  conversion to_spoke, to_home;
  bool guarded = true;     // column_pair::guarded
  bool may_be_key = true;
  std::string loss;        // what is not kept, if declared_loss
  std::string refusal;     // why not, if refused
  std::string assumption;  // what Duet takes for granted and an operator should know
  std::vector<std::string> held;  // which values of this very pair can be held
};
pairing pair_types(const column_type& home, const column_type& spoke);

// What happens to values on their way to one side.
struct contract_direction {
  grade is;               // the worst that it can be for such types, short of refusal
  std::string_view held;  // which values are held, in words
};

struct contract_row {
  value_kind home_kind, spoke_kind;
  std::string_view home, spoke;  // the types in words; of types that are only told by their name: these names, ", " between them
  contract_direction to_spoke, to_home;
  std::string_view note;         // refused: what to take instead
  void (*decide)(const column_type& home, const column_type& spoke, pairing&) = nullptr;  // null: refused
  bool (*applies)(const column_type& home, const column_type& spoke) = nullptr;           // null: always
  std::string_view made_at_spoke = {}, made_at_home = {};  // what `duet schema` makes; empty: table_writer says, or another row
};
std::span<const contract_row> type_contract();

// The first row for a type of home, or of the spoke, that says what `duet schema` makes on the other side. Null: none.
const contract_row* find_made_at_spoke(const column_type& home);
const contract_row* find_made_at_home(const column_type& spoke);

// src/translate/README.md: the table as Markdown.
std::string describe_type_contract();

}  // namespace duet::translate
