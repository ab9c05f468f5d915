#include "end_to_end/common.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>

namespace duet::bench {
namespace {
std::atomic<bool> well{true};
}

double seconds_since(clock_type::time_point t) { return std::chrono::duration<double>(clock_type::now() - t).count(); }
double ms_since(clock_type::time_point t) { return 1000 * seconds_since(t); }

void say(const std::string& line) {
  std::printf("  %s\n", line.c_str());
  std::fflush(stdout);
}

const char* direction_name(bool out) { return out ? "home_to_spoke" : "spoke_to_home"; }

json quantiles(std::vector<double> ms) {
  std::sort(ms.begin(), ms.end());
  const auto at = [&](double q) { return ms.empty() ? NAN : ms[std::min(ms.size() - 1, static_cast<std::size_t>(q * static_cast<double>(ms.size())))]; };
  return {{"samples", ms.size()}, {"p50_ms", at(0.5)}, {"p99_ms", at(0.99)}, {"max_ms", at(1)}};
}

void say_latency(const std::string& what, const json& r) {
  say(format("%-38s p50 %6.2f ms   p99 %6.2f ms   max %7.2f ms   (%d samples)", what.c_str(), r["p50_ms"].get<double>(), r["p99_ms"].get<double>(),
             r["max_ms"].get<double>(), r["samples"].get<int>()));
}

double median(std::vector<double> all) {
  if (all.empty()) return NAN;
  std::sort(all.begin(), all.end());
  return all.size() % 2 ? all[all.size() / 2] : (all[all.size() / 2 - 1] + all[all.size() / 2]) / 2;
}

bool require(bool holds, const std::string& why) {
  if (!holds) {
    well = false;
    say("NOT AS IT MUST BE: " + why);
  }
  return holds;
}

bool all_well() { return well; }

}  // namespace duet::bench
