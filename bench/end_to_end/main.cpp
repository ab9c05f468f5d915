// Duet end to end, on private servers with production durability: against native replication, what conflicts cost, and the
// first copy. bench/run starts it; what is measured and how is in bench/README.md.
//
//   end_to_end [--conflicts] [--copy] [--quick] [--spoke mariadb|mysql]... [--backlog a|b|c|d]... [--direction out|back]...
//              [--rounds N] [--no-latency] [--tcp] [--native-only] [--json FILE]
#include <algorithm>
#include <thread>

#include "end_to_end/parts.hpp"
#include "support/process.hpp"

using namespace duet::bench;

int main(int argc, char** argv) try {
  options o;
  for (int i = 1; i < argc; ++i) {
    const std::string a = argv[i];
    const auto value = [&]() -> std::string {
      if (i + 1 >= argc) throw std::invalid_argument(a + " needs a value");
      return argv[++i];
    };
    if (a == "--quick") o.quick = true;
    else if (a == "--tcp") o.tcp = true;
    else if (a == "--conflicts") o.conflicts = true;
    else if (a == "--copy") o.copy = true;
    else if (a == "--no-latency") o.latency = false;
    else if (a == "--native-only") o.native_only = true;
    else if (a == "--spoke") o.spokes.insert(value());
    else if (a == "--rounds") o.rounds = std::max(1, std::stoi(value()));
    else if (a == "--backlog") o.backlogs.insert(value());
    else if (a == "--direction") o.directions.insert(value());
    else if (a == "--json") o.json_file = value();
    else throw std::invalid_argument("unknown option " + a);
  }
  if (o.spokes.empty()) o.spokes = {"mariadb", "mysql"};
  if (o.directions.empty()) o.directions = {"out", "back"};

  json all = {{"quick", o.quick}, {"home_over", o.tcp ? "tcp" : "unix socket"}, {"cores", std::thread::hardware_concurrency()}};
  const bool drained = !o.conflicts && !o.copy;
  for (const auto& kind : o.spokes) {
    for (const bool out : {true, false}) {
      if (!o.directions.contains(out ? "out" : "back")) continue;
      if (o.conflicts) all["conflicts"].push_back(conflicts(o, kind, out));
      if (o.copy) all["first_copies"].push_back(first_copy(o, kind, out));
      if (!drained) continue;
      for (auto& r : drains(o, kind, out)) all["drains"].push_back(r);
    }
    if (o.latency && o.conflicts) all["decisions"].push_back(decision_latency(o, kind));
    if (o.latency && drained) all["latency"].push_back(latency(o, kind));
  }
  if (all.contains("drains") && !o.native_only) print_drains(all["drains"]);
  if (all.contains("conflicts")) print_conflicts(all["conflicts"]);
  if (all.contains("decisions")) print_decisions(all["decisions"]);
  if (all.contains("first_copies")) print_copies(all["first_copies"]);
  if (!o.json_file.empty()) duet::testing::write_file(o.json_file, all.dump(2) + "\n");
  if (!all_well()) std::printf("\nThe bench has failed: see what is not as it must be.\n");
  return all_well() ? 0 : 1;
} catch (const std::exception& e) {
  std::fflush(stdout);
  std::fprintf(stderr, "end_to_end: %s\n", e.what());
  return 2;
}
