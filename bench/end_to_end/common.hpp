// What all parts of the bench share: what is asked for, how it is said, and what a sample comes to.
#pragma once

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace duet::bench {

using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;
using nlohmann::json;

struct options {
  bool quick = false, latency = true, tcp = false, native_only = false, conflicts = false, copy = false;
  int rounds = 1;
  std::set<std::string> spokes, backlogs, directions;
  std::string json_file;
  long scale(long n) const { return quick ? n / 10 : n; }
};

double seconds_since(clock_type::time_point);
double ms_since(clock_type::time_point);
void say(const std::string& line);

std::string format(const char* pattern, auto... values) {
  char buffer[400];
  std::snprintf(buffer, sizeof buffer, pattern, values...);
  return buffer;
}

const char* direction_name(bool out);  // as results.json has it

// samples, p50_ms, p99_ms, max_ms
json quantiles(std::vector<double> ms);
void say_latency(const std::string& what, const json& quantiles);
double median(std::vector<double>);

// Notes that the bench has failed, and says why, where `holds` is false. Returns `holds`.
bool require(bool holds, const std::string& why);
bool all_well();

}  // namespace duet::bench
