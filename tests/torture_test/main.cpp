// The torture test: applications that write the same rows on both sides, faults of every kind, and at the end a judgement by
// SQL from outside (judge.hpp). See tests/torture for its options.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

#include "torture_test/clients.hpp"
#include "torture_test/judge.hpp"
#include "torture_test/sabotage.hpp"
#include "torture_test/stage.hpp"

namespace {

using namespace duet;
using namespace duet::torture;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

struct options {
  unsigned seed = 0;
  int seconds = 30;
  std::string spoke = "mariadb";
  bool try_judge = false, keep = false, calm = false;
};

double since(clock_type::time_point t) { return std::chrono::duration<double>(clock_type::now() - t).count(); }

// Two seconds of load, five of storm, half a second of quiet, and again.
phase phase_at(double seconds) {
  const double t = seconds - 7.5 * static_cast<int>(seconds / 7.5);
  return t < 2 ? phase::load : t < 7 ? phase::storm : phase::quiet;
}

template <class Done>
bool wait(std::chrono::seconds limit, Done done) {
  const auto end = clock_type::now() + limit;
  while (!done()) {
    if (clock_type::now() > end) return false;
    std::this_thread::sleep_for(20ms);
  }
  return true;
}

// A row written on each side has arrived on the other one, so all before it has: a lane keeps its log's order. Home's row
// goes second, so what home decided about the spoke's rows has arrived, too.
void settle(stage& s) {
  for (const side from : {side::spoke, side::home}) {
    const std::string id = from == side::home ? "1" : "2", v = std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
    s.ask(from, "DELETE FROM mark WHERE id = " + id);
    s.ask(from, "INSERT INTO mark VALUES (" + id + ", " + v + ")");
    const bool there = wait(120s, [&] {
      s.expect_hub_running();
      s.look();
      return s.value(other(from), "SELECT v FROM mark WHERE id = " + id) == v;
    });
    if (!there) throw trouble("a row of " + std::string(name(from)) + " has not arrived after two minutes:\n" + s.hub_log());
  }
}

std::uint64_t home_end(stage& s) { return std::stoull(s.value(side::home, "SELECT pg_current_wal_insert_lsn() - '0/0'")); }

std::uint64_t spoke_end(stage& s, const std::string& spoke) {
  const auto rows = s.ask(side::spoke, spoke == "mysql" ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS");
  const std::string file = *rows.at(0).at(0);
  return binlog_position(std::stoull(file.substr(file.rfind('.') + 1)), std::stoull(*rows[0][1])).value;
}

std::uint64_t control(stage& s, side at, const std::string& column) {
  return std::stoull(s.value(at, "SELECT " + column + " FROM duet.control WHERE link = '" + s.link() + "'"));
}

// I10: both sides have acknowledged all of both logs, and nothing waits in the hub. Then I7: nothing moves any more.
void watch_at_rest(stage& s, const options& o, double seconds, observed& seen) {
  const std::uint64_t home = home_end(s), spoke = spoke_end(s, o.spoke);
  settle(s);
  std::string missing;
  const bool reached = wait(30s, [&] {
    missing.clear();
    const auto expect = [&](const char* what, std::uint64_t is, std::uint64_t least) {
      if (is < least) missing += std::string(what) + " is " + std::to_string(is) + ", the log had got to " + std::to_string(least) + "; ";
    };
    expect("the spoke's position", control(s, side::spoke, "position"), home);
    expect("home's floor", control(s, side::home, "floor"), home);
    expect("home's position", control(s, side::home, "position"), spoke);
    expect("the spoke's floor", control(s, side::spoke, "floor"), spoke);
    expect("the slot", std::stoull(s.value(side::home, "SELECT confirmed_flush_lsn - '0/0' FROM pg_replication_slots WHERE slot_name = 'duet_" + s.link() + "'")), home);
    const auto hub = s.look();
    if (!hub) return false;
    for (const lane_status* l : {&hub->home_to_spoke, &hub->spoke_to_home})
      if (l->index_entries || l->ring_bytes || l->spill_bytes || l->lag_ms)
        missing += "from " + std::string(name(l->from)) + " " + std::to_string(l->index_entries) + " writes in the index, " + std::to_string(l->ring_bytes) +
                   " bytes in the ring, lag " + std::to_string(l->lag_ms) + " ms; ";
    return missing.empty();
  });
  if (!reached) seen.violations.push_back({"I10", "after 30 s of quiet: " + missing});

  const std::uint64_t counters[] = {control(s, side::home, "counter"), control(s, side::spoke, "counter")};
  const std::uint64_t end = spoke_end(s, o.spoke);
  std::this_thread::sleep_for(2500ms);  // two heartbeats
  for (const side at : {side::home, side::spoke}) {
    const std::uint64_t moved = control(s, at, "counter") - counters[at == side::spoke];
    if (moved > 1) seen.violations.push_back({"I7", "nobody writes, and the hub has written " + std::to_string(moved) + " times in 2.5 s at " + std::string(name(at))});
    // Each transaction of the hub carries one of the other side, or several; a heartbeat is sent each second at most.
    const std::uint64_t theirs = std::stoull(s.value(other(at), "SELECT count(*) FROM (SELECT DISTINCT client, tx FROM j) t"));
    const auto refreshes = at == side::spoke ? std::stoull(s.value(side::home, "SELECT count(*) FROM duet.conflict_log")) : 0;
    // A transaction that only moved a pair has no line in the journal; fewer than as many again have.
    const auto most = 2 * theirs + refreshes + static_cast<std::uint64_t>(2 * seconds) + 200;
    if (const auto all = control(s, at, "counter"); all > most)
      seen.violations.push_back({"I7", "the hub has written " + std::to_string(all) + " transactions at " + std::string(name(at)) + " for " + std::to_string(theirs)});
  }
  if (const auto now = spoke_end(s, o.spoke); now - end > 2 * 4096) seen.violations.push_back({"I7", "the spoke's log grows by " + std::to_string((now - end) / 2) + " bytes, and nobody writes"});
}

// For --try-the-judge: somebody writes, in a table that is not synced, as a loop would.
bool sees_a_log_that_grows(stage& s, const options& o, double seconds) {
  s.ask(side::spoke, "CREATE TABLE noise (id int AUTO_INCREMENT PRIMARY KEY, v text)");
  observed seen;
  std::jthread noise([at = s.reach(side::spoke)](std::stop_token stop) {
    const auto session = duet::testing::connect(at);
    while (!stop.stop_requested()) {
      session->exec("INSERT INTO noise (v) VALUES (repeat('x', 2000))");
      std::this_thread::sleep_for(100ms);
    }
  });
  watch_at_rest(s, o, seconds, seen);
  return std::any_of(seen.violations.begin(), seen.violations.end(), [](const violation& v) { return v.invariant == "I7"; });
}

void print_faults(const troublemaker& t) {
  std::string line;
  for (const auto& [name, n] : t.counts()) line += (line.empty() ? "" : ", ") + name + " " + std::to_string(n);
  std::printf("  faults: %s\n", line.empty() ? "none" : line.c_str());
}

int torture_one(const options& o, const plan& p, const std::string& folder) {
  const auto begun = clock_type::now();
  stage s(p, folder);
  std::printf("  %s; %d clients on each side\n", s.versions().c_str(), p.clients_per_side);
  s.create_tables();
  s.set_up();
  s.start_hub();
  if (!s.hub_streams()) throw trouble("the hub does not stream:\n" + s.hub_log());

  std::atomic<phase> now{phase::load};
  std::vector<std::unique_ptr<client>> clients;
  for (int n = 1; n <= p.clients_per_side; ++n)
    for (const side at : {side::home, side::spoke}) clients.push_back(std::make_unique<client>(at, n, s.reach(at), p, now));
  onlooker sees_home(s.reach(side::home)), sees_spoke(s.reach(side::spoke));
  const auto committed = [&](std::size_t first) {
    std::uint64_t n = 0;
    for (std::size_t i = first; i < clients.size(); i += 2) n += clients[i]->committed();
    return n;
  };
  std::unique_ptr<troublemaker> faults;
  if (!o.calm) faults = std::make_unique<troublemaker>(s, p);
  const auto start = clock_type::now();
  double next_line = 5;
  while (since(start) < o.seconds && (!faults || faults->what_went_wrong().empty())) {
    now = phase_at(since(start));
    s.look();
    std::this_thread::sleep_for(100ms);
    if (since(start) < next_line) continue;
    next_line += o.seconds > 120 ? 30 : 5;
    std::printf("  %4.0f s: %llu transactions at home, %llu at the spoke; %llu conflicts, %llu refreshes; %d kills\n", since(start),
                static_cast<unsigned long long>(committed(0)), static_cast<unsigned long long>(committed(1)),
                static_cast<unsigned long long>(s.seen().conflicts), static_cast<unsigned long long>(s.seen().refreshes), faults ? faults->kills() : 0);
  }
  if (faults) faults->stop();
  now = phase::quiet;
  for (auto& c : clients) c->stop();
  std::uint64_t failed = 0;
  for (auto& c : clients) failed += c->failed();
  if (faults) {
    print_faults(*faults);
    if (const auto wrong = faults->what_went_wrong(); !wrong.empty()) throw trouble(wrong);
  }
  settle(s);
  observed seen;
  watch_at_rest(s, o, since(start), seen);
  sees_home.stop(), sees_spoke.stop();
  const bool loop_is_seen = !o.try_judge || sees_a_log_that_grows(s, o, since(start));
  s.stop_hub();
  seen.looks = sees_home.looks() + sees_spoke.looks();
  seen.torn = sees_home.torn() + sees_spoke.torn();

  const verdict v = judge(s, seen, o.keep ? evidence::keep : evidence::keep_if_wrong);
  for (const violation& x : v.violations) std::printf("  %-4s %s\n", x.invariant.c_str(), x.what.c_str());
  const auto numbers = s.seen();
  std::printf("  %llu transactions (%llu at home, %llu at the spoke, %llu given up), %llu conflicts, %llu refreshes, %llu waits for a log, %llu retries, %llu restarts "
              "by the hub itself, %llu keys held, %d kills, %.0f s\n",
              static_cast<unsigned long long>(v.transactions[0] + v.transactions[1]), static_cast<unsigned long long>(v.transactions[0]),
              static_cast<unsigned long long>(v.transactions[1]), static_cast<unsigned long long>(failed), static_cast<unsigned long long>(v.conflicts),
              static_cast<unsigned long long>(numbers.refreshes), static_cast<unsigned long long>(numbers.catch_ups),
              static_cast<unsigned long long>(numbers.retries), static_cast<unsigned long long>(numbers.restarts), static_cast<unsigned long long>(v.held), faults ? faults->kills() : 0, since(begun));
  if (!v.violations.empty()) return 1;
  if (v.transactions[0] < 20 || v.transactions[1] < 20 || v.conflicts == 0) {
    std::printf("  too little has happened to judge\n");
    return 1;
  }
  if (o.try_judge) {
    auto unseen = try_the_judge(s, seen);
    if (!loop_is_seen) unseen.push_back("the spoke's log grows (I7)");
    if (!unseen.empty()) {
      for (const auto& u : unseen) std::printf("  the judge does not see: %s\n", u.c_str());
      return 1;
    }
  }
  return 0;
}

int usage(const std::string& wrong) {
  std::fprintf(stderr, "tests/torture: %s; see --help\n", wrong.c_str());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  options o;
  bool seeded = false;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--try-the-judge") o.try_judge = true;
    else if (word == "--keep") o.keep = true;
    else if (word == "--calm") o.calm = true;
    else if (i + 1 == argc) return usage("unknown option " + word + ", or its value is missing");
    else if (word == "--seed") o.seed = static_cast<unsigned>(std::strtoul(argv[++i], nullptr, 10)), seeded = true;
    else if (word == "--seconds") o.seconds = std::atoi(argv[++i]);
    else if (word == "--spoke") o.spoke = argv[++i];
    else return usage("unknown option " + word);
  }
  if (o.seconds < 1) return usage("--seconds is a number from 1");
  if (o.spoke != "mariadb" && o.spoke != "mysql") return usage("--spoke is mariadb or mysql");
  if (!seeded) o.seed = std::random_device{}() % 1000000;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);

  const plan p(o.seed, o.seconds, o.spoke);
  const char* top = std::getenv("TMPDIR");
  std::string folder = std::string(top && *top ? top : "/tmp") + "/duet-torture-" + std::to_string(o.seed) + "-XXXXXX";
  if (!mkdtemp(folder.data())) {
    std::perror(folder.c_str());
    return 2;
  }
  duet::testing::write_file(folder + "/plan.txt", p.describe());
  std::printf("Torture: seed %u, %d s, %s\n", o.seed, o.seconds, o.spoke.c_str());
  int code = 1;
  try {
    code = torture_one(o, p, folder);
  } catch (const std::exception& e) {
    std::string what = e.what();
    if (what.size() > 6000) what = what.substr(0, 1500) + "\n[...]\n" + what.substr(what.size() - 4000);
    std::printf("  %s\n", what.c_str());
  }
  if (code == 0) std::printf("seed %u, %s: every invariant holds\n", o.seed, o.spoke.c_str());
  else std::printf("FAILED: seed %u, %s. The plan:\n%s", o.seed, o.spoke.c_str(), p.describe().c_str());
  if (code == 0 && !o.keep) {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  } else {
    std::printf("Kept: %s (plan, journals, conflict log, held rows, tables, logs of the hub)\n", folder.c_str());
  }
  return code;
}
