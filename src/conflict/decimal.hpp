// Exact sums of canonical integers and decimals (include/duet/value.hpp) of any length. Pure.
#pragma once

#include <string>
#include <string_view>

namespace duet::conflict {

// Is it digits with at most one '.', and a '-' in front at most? NaN and the infinities are not.
bool is_decimal(std::string_view);

// a - b, with as many fraction digits as the longer one has; never "-0". Both must be decimals.
std::string difference(std::string_view a, std::string_view b);

// a + b, likewise.
std::string sum(std::string_view a, std::string_view b);

// Below, at or above 0 as a is less than, equal to or greater than b. Both must be decimals.
int compare_decimals(std::string_view a, std::string_view b);

}  // namespace duet::conflict
