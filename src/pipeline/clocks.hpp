// How far the two servers' clocks are apart, measured from here.
#pragma once

#include <optional>

#include "duet/site.hpp"
#include "duet/status.hpp"

namespace duet::pipeline {

// Each clock is read a few times, between two looks at our own; the reading with the shortest round trip counts, and half of
// that is its error. Nothing: a server does not tell. Throws failure.
std::optional<clock_comparison> compare_clocks(site& home, site& spoke, std::int64_t limit_ms);

}  // namespace duet::pipeline
