// Characters that some collation of MySQL or MariaDB takes for equal to another one, though neither Unicode's decompositions
// nor its case folding says so. Found by comparing WEIGHT_STRING of every assigned character under the general, unicode,
// unicode_520, 0900 and uca1400 collations of MariaDB 10.11 and MySQL 9.7 with what equality.cpp makes of it.
#pragma once

#include <string_view>

namespace duet::translate {

// What stands for the character; null: nothing special. Empty: it is left out.
const std::string_view* find_special_fold(char32_t);

}  // namespace duet::translate
