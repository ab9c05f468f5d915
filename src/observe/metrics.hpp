// One snapshot of a hub as Prometheus text.
#pragma once

#include <string>

#include "duet/status.hpp"

namespace duet::observe {

// Per lane, sum over `result` of duet_rows_total = duet_rows_read_total - rows in flight.
std::string encode_metrics(const hub_status&);

}  // namespace duet::observe
