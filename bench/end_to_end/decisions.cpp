// How long one decision takes while the logs are idle.
#include <thread>

#include "end_to_end/duet_link.hpp"
#include "end_to_end/parts.hpp"

namespace duet::bench {
namespace {

// The decisions of one lane's applier, one after the other: what the histogram's sum has grown by.
class decisions {
 public:
  decisions(const duet_link& link, bool out) : link_(link), lane_(direction_name(out)) { read(); }
  // Waits for what the lane has decided since the last call, and takes it if it is one decision.
  void take() {
    const double count = count_, sum = sum_;
    if (!eventually([&] { return read(), count_ > count; }, 5s)) return;
    if (count_ == count + 1) ms_.push_back(1000 * (sum_ - sum));
  }
  json result() const { return quantiles(ms_); }

 private:
  void read() {
    count_ = link_.metric("duet_decision_seconds_count", lane_);
    sum_ = link_.metric("duet_decision_seconds_sum", lane_);
  }
  const duet_link& link_;
  std::string lane_;
  double count_ = 0, sum_ = 0;
  std::vector<double> ms_;
};

template <class Condition>
double ms_until(clock_type::time_point from, const std::string& what, Condition holds) {
  while (!holds()) {
    if (ms_since(from) > 30'000) throw std::runtime_error("after 30 s: not " + what);
    std::this_thread::sleep_for(100us);
  }
  return ms_since(from);
}

}  // namespace

json decision_latency(const options& o, const std::string& kind) {
  const int conflicts = 300;
  std::printf("\nOne decision while both logs are idle, %s, %d conflicts\n", kind.c_str(), conflicts);
  server_pair servers(kind);
  duet_link link(servers.home, *servers.spoke, merging(o.tcp));
  write_fast(servers.home, "CALL backlog_c(0, " + std::to_string(conflicts) + ")");
  link.start();
  link.settle();
  const auto home = servers.home.session("bench"), spoke = servers.spoke->session("bench");
  decisions at_home(link, false), at_spoke(link, true);
  std::vector<double> logged, equal;
  for (int i = 0; i < conflicts; ++i) {
    const std::string id = " WHERE id = " + std::to_string(i);
    link.freeze();
    home->exec("UPDATE sbtest SET k = 1" + id);
    spoke->exec("UPDATE sbtest SET k = 2" + id);
    const auto began = clock_type::now();
    link.thaw();
    logged.push_back(ms_until(began, "in the conflict log", [&] { return home->scalar("SELECT count(*) FROM duet.conflict_log") == std::to_string(i + 1); }));
    const auto stands = home->scalar("SELECT k FROM sbtest" + id);
    equal.push_back(ms_until(began, "equal", [&] { return spoke->scalar("SELECT k FROM sbtest" + id) == stands; }));
    at_home.take();
    at_spoke.take();
    std::this_thread::sleep_for(20ms);
  }
  const double retries = link.metric("duet_retries_total", "spoke_to_home");
  link.settle();
  link.stop();
  require(servers.equal(), "the decisions end unequal");
  json result = {{"spoke", kind}, {"at_home", at_home.result()}, {"at_spoke", at_spoke.result()}, {"to_conflict_log", quantiles(logged)}, {"to_equal", quantiles(equal)}, {"retries", retries}};
  require(result["at_home"]["samples"] >= conflicts / 2, "the decisions at home could not be told apart");
  say_latency("decision at home", result["at_home"]);
  say_latency("judgement at the spoke", result["at_spoke"]);
  say_latency("hub goes on -> in the conflict log", result["to_conflict_log"]);
  say_latency("hub goes on -> both sides equal", result["to_equal"]);
  say(format("%.0f transactions of home were tried again", retries));
  return result;
}

void print_decisions(const json& list) {
  std::printf("\n%-8s %-26s %9s %9s %9s %9s\n", "spoke", "one conflict, idle logs", "p50 ms", "p99 ms", "max ms", "samples");
  for (const auto& r : list)
    for (const auto& [key, what] : {std::pair{"at_home", "decision at home"}, {"at_spoke", "judgement at the spoke"}, {"to_conflict_log", "until in the conflict log"}, {"to_equal", "until both sides equal"}}) {
      const json& q = r[key];
      std::printf("%-8s %-26s %9.2f %9.2f %9.2f %9d\n", r["spoke"].get<std::string>().c_str(), what, q["p50_ms"].get<double>(), q["p99_ms"].get<double>(),
                  q["max_ms"].get<double>(), q["samples"].get<int>());
    }
}

}  // namespace duet::bench
