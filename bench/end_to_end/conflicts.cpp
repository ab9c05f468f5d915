// What conflict rules cost: where nothing conflicts, and where a tenth of the rows do.
#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <thread>

#include "end_to_end/duet_link.hpp"
#include "end_to_end/parts.hpp"

namespace duet::bench {
namespace {

// ---- no conflicts: the rules are there, and nothing meets -------------------------------------------------------------------

// Ways to declare the same link.
struct declared {
  std::string key, what;
  link_options link;
};

std::vector<declared> ways(const options& o, bool out) {
  return {
      {"one_way", "one way, no rule", {.tcp = o.tcp, .sbtest = std::string(", direction: ") + direction_name(out), .full_identity = false}},
      {"home", "home wins", {.tcp = o.tcp}},
      {"latest", "latest, merge: columns", merging(o.tcp)},
  };
}

// The ways beside each other, each on servers of its own; by backlog and way, what each round has measured.
using measured = std::map<std::string, std::map<std::string, std::vector<json>>>;

void drain_each_way(const options& o, const std::string& kind, bool out, int round, measured& all) {
  struct way : declared {
    way(declared d, const std::string& kind) : declared(std::move(d)), servers(kind), hub(servers.home, *servers.spoke, link) {}
    server_pair servers;
    duet_link hub;
  };
  std::vector<std::unique_ptr<way>> each;
  for (auto& d : ways(o, out)) each.push_back(std::make_unique<way>(std::move(d), kind));
  std::rotate(each.begin(), each.begin() + round % 3, each.end());
  long mark = 1000;
  for (const auto& b : backlogs(o)) {
    if (b.key == "a/10") continue;
    ++mark;
    for (auto& w : each) write_backlog(w->servers.source(out), b, mark_id(out), mark);
    for (auto& w : each) {
      const double seconds = w->hub.drain(w->servers.target(out), mark_id(out), mark, "(" + b.key + "), " + w->what + ",");
      const usage used = w->hub.used();
      w->hub.settle();
      w->hub.stop();
      require(w->servers.equal(), "(" + b.key + "), " + w->what + ", ends unequal");
      all[b.key][w->key].push_back({{"seconds", seconds}, {"cpu_s", used.cpu_s}, {"peak_rss_mb", static_cast<double>(used.rss_kb) / 1024}});
    }
    std::rotate(each.begin(), each.begin() + 1, each.end());  // nobody is always the first
  }
}

json without_conflicts(const options& o, const std::string& kind, bool out) {
  measured all;
  for (int round = 0; round < o.rounds; ++round) drain_each_way(o, kind, out, round, all);
  json results = json::array();
  for (const auto& b : backlogs(o)) {
    if (b.key == "a/10") continue;
    json result = {{"backlog", b.key}, {"what", b.what}, {"rows", b.rows}};
    for (const auto& [key, rounds] : all[b.key]) {
      std::vector<double> seconds;
      for (const json& r : rounds) seconds.push_back(r["seconds"]);
      result["ways"][key] = {{"rows_per_s", static_cast<double>(b.rows) / median(seconds)}, {"rounds", rounds}};
    }
    const auto rate = [&](const char* key) { return result["ways"][key]["rows_per_s"].get<double>(); };
    result["ratio_to_home"] = rate("latest") / rate("home");
    result["ratio_to_one_way"] = rate("latest") / rate("one_way");
    say(format("(%s) %-20s %8ld rows  one way %7.0f/s, home %7.0f/s, latest and merge %7.0f/s: %.2f of home's, %.2f of one way's", b.key.c_str(), b.what.c_str(),
               b.rows, rate("one_way"), rate("home"), rate("latest"), rate("latest") / rate("home"), rate("latest") / rate("one_way")));
    results.push_back(result);
  }
  return results;
}

// ---- a tenth of the rows in conflict -----------------------------------------------------------------------------------------

constexpr const char* variants[] = {"alone", "apart", "conflict"};

// What the other side writes beside backlog (b), unseen: a tenth as many rows as (b) updates.
class crossing {
 public:
  crossing(const options& o, const std::string& variant) : variant_(variant), keys_(updated_keys(o)) {}
  long rows() const { return variant_ == "alone" ? 0 : keys_ / 10; }
  long conflicts(bool out, long updates) const {  // to home each update meets the one write; to the spoke the one write meets them all
    return variant_ == "conflict" ? rows() * (out ? 1 : updates / keys_) : 0;
  }
  // Half of it before the backlog, half after it: so the backlog wins one half, and loses the other.
  void write_half(private_server& server, int half) const {
    if (variant_ == "alone") return;
    const long first = (variant_ == "apart" ? keys_ : 0) + 10 * half;
    write_fast(server, "CALL crossing(" + std::to_string(first) + ", 20, " + std::to_string(keys_ / 20) + ")");
  }

 private:
  std::string variant_;
  long keys_;
};

struct outcome {
  double seconds, settled_seconds;
  json details;
};

outcome drain_crossed(const options& o, server_pair& servers, duet_link& link, const backlog& b, const std::string& variant, bool out, long mark) {
  const crossing other(o, variant);
  const auto logged = [&] { return std::stol(*servers.home.scalar("SELECT count(*) FROM duet.conflict_log", "bench")); };
  const long before = logged();
  other.write_half(servers.target(out), 0);
  if (other.rows()) std::this_thread::sleep_for(1100ms);  // MariaDB's log has whole seconds
  write_backlog(servers.source(out), b, mark_id(out), mark);
  if (other.rows()) std::this_thread::sleep_for(1100ms);
  other.write_half(servers.target(out), 1);
  servers.home.exec("CHECKPOINT");

  const auto began = clock_type::now();
  outcome is;
  is.seconds = link.drain(servers.target(out), mark_id(out), mark, "(b), " + variant + ",");
  is.details["cpu_s"] = link.used().cpu_s;
  link.there_and_back();
  is.settled_seconds = seconds_since(began);
  for (const bool lane_out : {true, false}) {
    json& lane = is.details["lanes"][direction_name(lane_out)];
    for (const char* name : {"duet_conflicts_total", "duet_refreshes_total", "duet_retries_total", "duet_catch_ups_total", "duet_target_transactions_total",
                             "duet_decision_seconds_count"})
      lane[name] = link.metric(name, direction_name(lane_out));
  }
  link.settle();
  link.stop();
  is.details["logged"] = logged() - before;
  is.details["expected"] = other.conflicts(out, b.rows);
  require(is.details["logged"] == is.details["expected"],
          "(b), " + variant + ": the conflict log has " + is.details["logged"].dump() + " new rows, not " + is.details["expected"].dump());
  for (const auto& row : servers.home.query("SELECT winner, count(*) FROM (SELECT winner FROM duet.conflict_log ORDER BY id DESC LIMIT " +
                                                is.details["logged"].dump() + ") AS l GROUP BY winner",
                                            "bench"))
    is.details["won"][*row[0]] = std::stol(*row[1]);
  require(servers.equal(), "(b), " + variant + ", ends unequal: " + digest(servers.home) + "| " + digest(*servers.spoke));
  return is;
}

json a_tenth_in_conflict(const options& o, const std::string& kind, bool out) {
  server_pair servers(kind);
  duet_link link(servers.home, *servers.spoke, merging(o.tcp));
  const auto all = backlogs(o);
  const backlog b = *std::find_if(all.begin(), all.end(), [](const backlog& x) { return x.key == "b"; });
  long mark = 2000;
  const long rows = 2 * updated_keys(o);
  write_backlog(servers.source(out), {"rows", "the rows", rows, "CALL backlog_c(0, " + std::to_string(rows) + ")"}, mark_id(out), ++mark);
  link.drain(servers.target(out), mark_id(out), mark, "the rows");
  link.settle();
  link.stop();

  std::map<std::string, std::vector<double>> seconds, settled;
  json result = {{"rows", b.rows}, {"rounds", json::array()}};
  for (int round = 0; round < o.rounds; ++round) {
    json of_round;
    for (std::size_t i = 0; i < std::size(variants); ++i) {
      const std::string variant = variants[(i + static_cast<std::size_t>(round)) % std::size(variants)];
      const outcome is = drain_crossed(o, servers, link, b, variant, out, ++mark);
      seconds[variant].push_back(is.seconds);
      settled[variant].push_back(is.settled_seconds);
      of_round[variant] = is.details;
      of_round[variant]["seconds"] = is.seconds;
      of_round[variant]["settled_seconds"] = is.settled_seconds;
    }
    result["rounds"].push_back(of_round);
  }
  for (const char* v : variants)
    result["variants"][v] = {{"seconds", median(seconds[v])}, {"rows_per_s", static_cast<double>(b.rows) / median(seconds[v])}, {"settled_seconds", median(settled[v])}};
  result["ratio_to_alone"] = median(seconds["alone"]) / median(seconds["conflict"]);
  result["ratio_to_apart"] = median(seconds["apart"]) / median(seconds["conflict"]);
  const auto rate = [&](const char* v) { return result["variants"][v]["rows_per_s"].get<double>(); };
  say(format("(b) with a tenth of its rows written on the other side, unseen: %7.0f/s; the same elsewhere: %7.0f/s; without: %7.0f/s", rate("conflict"),
             rate("apart"), rate("alone")));
  say(format("    %.2f of the rate without, %.2f of that with writes that do not meet; %s conflicts logged", result["ratio_to_alone"].get<double>(),
             result["ratio_to_apart"].get<double>(), result["rounds"].back()["conflict"]["logged"].dump().c_str()));
  say("    who won: " + result["rounds"].back()["conflict"]["won"].dump());
  return result;
}

}  // namespace

json conflicts(const options& o, const std::string& kind, bool out) {
  std::printf("\nWhat conflicts cost, %s, %s\n", out ? "home -> spoke" : "spoke -> home", kind.c_str());
  json result = {{"spoke", kind}, {"direction", direction_name(out)}};
  result["without"] = without_conflicts(o, kind, out);
  if (o.backlogs.empty() || o.backlogs.contains("b")) result["tenth"] = a_tenth_in_conflict(o, kind, out);
  return result;
}

void print_conflicts(const json& list) {
  std::printf("\n%-8s %-14s %-5s %9s %10s %10s %10s %9s %9s\n", "spoke", "direction", "what", "rows", "one way/s", "home/s", "latest/s", "to home", "to 1 way");
  for (const auto& r : list)
    for (const auto& b : r["without"]) {
      const auto rate = [&](const char* way) { return b["ways"][way]["rows_per_s"].get<double>(); };
      std::printf("%-8s %-14s %-5s %9ld %10.0f %10.0f %10.0f %9.2f %9.2f\n", r["spoke"].get<std::string>().c_str(), r["direction"].get<std::string>().c_str(),
                  b["backlog"].get<std::string>().c_str(), b["rows"].get<long>(), rate("one_way"), rate("home"), rate("latest"), b["ratio_to_home"].get<double>(),
                  b["ratio_to_one_way"].get<double>());
    }
  std::printf("\n%-8s %-14s %9s %10s %10s %10s %9s %9s %9s\n", "spoke", "direction", "rows", "alone/s", "apart/s", "conflict/s", "to alone", "to apart", "logged");
  for (const auto& r : list) {
    if (!r.contains("tenth")) continue;
    const json& t = r["tenth"];
    const auto rate = [&](const char* v) { return t["variants"][v]["rows_per_s"].get<double>(); };
    std::printf("%-8s %-14s %9ld %10.0f %10.0f %10.0f %9.2f %9.2f %9ld\n", r["spoke"].get<std::string>().c_str(), r["direction"].get<std::string>().c_str(),
                t["rows"].get<long>(), rate("alone"), rate("apart"), rate("conflict"), t["ratio_to_alone"].get<double>(), t["ratio_to_apart"].get<double>(),
                t["rounds"].back()["conflict"]["logged"].get<long>());
  }
}

}  // namespace duet::bench
