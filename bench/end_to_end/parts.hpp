// The parts of the bench. Each measures, says what it sees, and returns what results.json gets.
#pragma once

#include "end_to_end/common.hpp"

namespace duet::bench {

json drains(const options&, const std::string& kind, bool out);   // a list
json latency(const options&, const std::string& kind);
json conflicts(const options&, const std::string& kind, bool out);
json decision_latency(const options&, const std::string& kind);
json first_copy(const options&, const std::string& kind, bool out);

void print_drains(const json& list);
void print_conflicts(const json& list);
void print_decisions(const json& list);
void print_copies(const json& list);

}  // namespace duet::bench
