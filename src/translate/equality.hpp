// Tokens of values: equal for values that either side takes for the same one.
//
// Where a side's collation ignores case, accents or blanks, the token is made of a folded text that is coarser than any
// collation we know: letters and digits only, lower case, without accents. Two different texts may fold to the same; two
// texts that a server calls equal never fold to different ones. Under collations of one language, whose rules are their
// own (in Swedish ü is y), only digits remain.
#pragma once

#include <cstdint>
#include <string_view>

#include "duet/mapping.hpp"

namespace duet::translate {

// The promise was checked character by character against the collations of MariaDB 10.11 and MySQL 9.7; what Unicode's own
// tables do not explain is in special_folds.cpp.

// The value in the form that is hashed. Valid until the next call in this thread.
std::string_view comparable_form(const column_pair&, std::string_view value);

enum class folding : std::uint8_t {
  none,            // bytes; but for blanks at the end
  root,            // Unicode's own order
  root_old,        // the same with all characters beyond U+FFFF equal (..._general_ci, ..._unicode_ci)
  language,        // a language's order
  language_old,    // the same with all characters beyond U+FFFF equal
};
folding folding_of(const column_type&);
std::string_view fold_text(std::string_view text, folding);

}  // namespace duet::translate
