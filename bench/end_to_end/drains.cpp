// Whole drains of a backlog, beside native replication of the target's engine.
#include <optional>

#include "end_to_end/duet_link.hpp"
#include "end_to_end/native.hpp"
#include "end_to_end/parts.hpp"

namespace duet::bench {

json drains(const options& o, const std::string& kind, bool out) {
  std::printf("\n%s\n", out ? ("home -> spoke, " + kind + "; native: a " + kind + " replica with 4 workers").c_str()
                            : ("spoke -> home, from " + kind + "; native: a PostgreSQL subscription").c_str());
  server_pair servers(kind);
  const auto native = out ? make_replica(kind) : make_subscription();
  std::optional<duet_link> link;
  if (!o.native_only) link.emplace(servers.home, *servers.spoke, link_options{.tcp = o.tcp});

  json results = json::array();
  double tenth_seconds = 0;
  long mark = 1000;
  for (const auto& b : backlogs(o)) {
    ++mark;
    json result = {{"spoke", kind}, {"direction", direction_name(out)}, {"backlog", b.key}, {"what", b.what}, {"rows", b.rows}};
    write_backlog(native->source(), b, 1, mark);
    std::string line = format("(%s) %-32s %8ld rows", b.key.c_str(), b.what.c_str(), b.rows);
    double duet_seconds = 0;
    if (link) {
      write_backlog(servers.source(out), b, mark_id(out), mark);
      duet_seconds = link->drain(servers.target(out), mark_id(out), mark, "(" + b.key + ")");
      const usage used = link->used();
      link->settle();
      link->stop();
      const bool equal = require(servers.equal(), "(" + b.key + ") ends unequal: " + digest(servers.home) + "| " + digest(*servers.spoke));
      result["duet"] = {{"seconds", duet_seconds}, {"rows_per_s", static_cast<double>(b.rows) / duet_seconds}, {"cpu_s", used.cpu_s},
                        {"peak_rss_mb", static_cast<double>(used.rss_kb) / 1024}, {"equal", equal}};
      line += format("  duet %7.0f/s  %5.1f s cpu  %4.0f MB", static_cast<double>(b.rows) / duet_seconds, used.cpu_s, static_cast<double>(used.rss_kb) / 1024);
    }
    for (const auto& way : native->ways()) {
      auto native_watch = native->target(way);
      const auto began = clock_type::now();
      native->resume(way);
      wait_for_mark(*native_watch, 1, mark, 1800s);
      const double native_seconds = seconds_since(began);
      native->pause(way);
      if (digest(native->source()) != native->target_digest(way)) throw std::runtime_error("native replication (" + way + ") is not equal");
      result["native"][way] = {{"seconds", native_seconds}, {"rows_per_s", static_cast<double>(b.rows) / native_seconds}, {"ratio", link ? native_seconds / duet_seconds : 0}};
      line += format("\n       %-25s native %6.0f/s", way.c_str(), static_cast<double>(b.rows) / native_seconds);
      if (link) line += format(", duet is %.2f times as fast", native_seconds / duet_seconds);
    }
    if (b.key == "a/10") tenth_seconds = duet_seconds;  // 0 without Duet
    if (b.key == "a" && tenth_seconds > 0) {
      result["growth"] = duet_seconds / tenth_seconds;
      line += format("\n       ten times as long a backlog takes %.1f times as long", duet_seconds / tenth_seconds);
    }
    say(line);
    results.push_back(result);
  }
  return results;
}

void print_drains(const json& list) {
  std::printf("\n%-8s %-14s %-5s %9s %10s %10s %7s %9s %7s\n", "spoke", "direction", "what", "rows", "duet/s", "native/s", "ratio", "RSS MB", "cpu s");
  for (const auto& r : list)
    for (const auto& [way, n] : r["native"].items())
      std::printf("%-8s %-14s %-5s %9ld %10.0f %10.0f %7.2f %9.0f %7.1f  %s\n", r["spoke"].get<std::string>().c_str(),
                  r["direction"].get<std::string>().c_str(), r["backlog"].get<std::string>().c_str(), r["rows"].get<long>(),
                  r["duet"]["rows_per_s"].get<double>(), n["rows_per_s"].get<double>(), n["ratio"].get<double>(), r["duet"]["peak_rss_mb"].get<double>(),
                  r["duet"]["cpu_s"].get<double>(), way.c_str());
}

}  // namespace duet::bench
