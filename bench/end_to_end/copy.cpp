// The first copy of a table, beside what its clients and pgloader do, and the proof of it beside plain reading.
#include <algorithm>
#include <thread>

#include "end_to_end/duet_link.hpp"
#include "end_to_end/parts.hpp"

namespace duet::bench {
namespace {

// Other ways into an empty table of another database of the target, with its index in place.
const std::string other_database = "other";

std::string psql(const private_server& home, const std::string& database, const std::string& sql) {
  return "psql -X -q -h " + home.folder() + " -p " + std::to_string(home.port()) + " -U postgres -d " + database + " -c \"" + sql + "\"";
}
std::string mysql_client(const private_server& spoke, const std::string& database, const std::string& sql) {
  return "mariadb --no-defaults --local-infile=1 --batch --quick --skip-column-names -uroot -S " + spoke.folder() + "/s.sock " + database + " -e \"" + sql + "\"";
}

double seconds_of(const std::string& what, const std::string& command) {
  const auto began = clock_type::now();
  const auto done = run({"/bin/bash", "-c", "set -eo pipefail; " + command}, 1h);
  if (done.exit_code) throw std::runtime_error(what + ": " + done.output);
  return seconds_since(began);
}

void empty(private_server& target) {
  if (is_home(target)) target.exec("TRUNCATE sbtest; CHECKPOINT", other_database);
  else target.exec("TRUNCATE sbtest", other_database);
}

double by_pipe(server_pair& servers, bool out) {
  const std::string command =
      out ? psql(servers.home, "bench", "COPY sbtest TO STDOUT") + " | " +
                mysql_client(*servers.spoke, other_database, "LOAD DATA LOCAL INFILE '/dev/stdin' INTO TABLE sbtest CHARACTER SET utf8mb4")
          : mysql_client(*servers.spoke, "bench", "SELECT id, k, c, pad FROM sbtest") + " | " + psql(servers.home, other_database, "COPY sbtest FROM STDIN");
  return seconds_of("the clients' pipe", command);
}

// Throws if it has not copied all: it ends well even where it could not log in.
double by_pgloader(server_pair& servers, const std::string& expected) {
  temporary_folder folder("pgloader");
  write_file(folder.file("load"), "LOAD DATABASE FROM mysql://root@127.0.0.1:" + std::to_string(servers.spoke->port()) + "/bench INTO postgresql://postgres@127.0.0.1:" +
                                      std::to_string(servers.home.port()) + "/" + other_database +
                                      "\n WITH data only\n INCLUDING ONLY TABLE NAMES MATCHING 'sbtest'\n ALTER SCHEMA 'bench' RENAME TO 'public';\n");
  const std::string log = folder.file("log");
  const double seconds = seconds_of("pgloader", "pgloader --root-dir " + folder.path() + " " + folder.file("load") + " >" + log + " 2>&1 || { cat " + log + "; exit 1; }");
  if (digest(servers.home, other_database) != expected) throw std::runtime_error("pgloader:\n" + read_file(log));
  return seconds;
}

// The line of its output that says why it has failed.
std::string why_failed(const std::string& output) {
  for (const char* word : {" ERROR ", "Failed", "rror"}) {
    const auto at = output.find(word);
    if (at == std::string::npos) continue;
    const auto first = output.rfind('\n', at) + 1;  // npos + 1 is 0
    return "failed: " + output.substr(first, std::min<std::size_t>(output.find('\n', at) - first, 160));
  }
  return "failed";
}

// From the hub's start to the end of the copy.
double copied_in(server_pair& servers, duet_link& link, bool out) {
  auto watch = servers.target(out).session("bench");
  const auto began = clock_type::now();
  link.start();
  while (watch->scalar("SELECT count(*) FROM duet.first_copy WHERE done") != "1") {
    if (!link.running()) throw std::runtime_error("the hub has ended\n" + link.end_of_log());
    if (seconds_since(began) > 3600) throw std::runtime_error("not copied after an hour\n" + link.end_of_log());
    std::this_thread::sleep_for(5ms);
  }
  return seconds_since(began);
}

}  // namespace

json first_copy(const options& o, const std::string& kind, bool out) {
  const long rows = o.scale(2'000'000);
  std::printf("\nFirst copy of %ld rows, %s, %s\n", rows, out ? "home -> spoke" : "spoke -> home", kind.c_str());
  server_pair servers(kind);
  private_server& source = servers.source(out);
  private_server& target = servers.target(out);
  write_fast(source, "CALL backlog_c(0, " + std::to_string(rows) + ")");
  source.exec(is_home(source) ? "VACUUM ANALYZE sbtest" : "ANALYZE TABLE sbtest", "bench");
  if (is_home(source)) source.exec("CHECKPOINT");
  if (!out) servers.home.exec("CHECKPOINT");
  else servers.spoke->exec("SET GLOBAL local_infile = 1");
  target.exec("CREATE DATABASE " + other_database);
  make_tables(target, other_database, false);
  const std::string expected = digest(source);

  json result = {{"spoke", kind}, {"direction", direction_name(out)}, {"rows", rows}};
  const auto per_second = [&](double seconds) { return static_cast<double>(rows) / seconds; };
  duet_link link(servers.home, *servers.spoke, {.tcp = o.tcp, .sbtest = out ? ", initial: copy_from_home" : ", initial: copy_from_spoke"});
  const double seconds = copied_in(servers, link, out);
  const usage used = link.used();
  result["duet"] = {{"seconds", seconds}, {"rows_per_s", per_second(seconds)}, {"cpu_s", used.cpu_s}, {"peak_rss_mb", static_cast<double>(used.rss_kb) / 1024}};
  result["duet"]["equal"] = require(digest(target) == expected, "the copy is not equal: " + digest(target) + "| " + expected);
  say(format("duet        %7.1f s  %8.0f rows/s  %5.1f s cpu  %4.0f MB", seconds, per_second(seconds), used.cpu_s, static_cast<double>(used.rss_kb) / 1024));

  // The proof, while the hub runs: it tells `verify` what is under way.
  link.settle();
  const auto began = clock_type::now();
  const auto verified = link.run_verb("verify", 1h);
  const double verify_seconds = seconds_since(began);
  require(verified.exit_code == 0, "duet verify: " + verified.output);
  const std::string read_home = psql(servers.home, "bench", "COPY (SELECT id, k, c, pad FROM sbtest ORDER BY id) TO STDOUT") + " >/dev/null",
                    read_spoke = mysql_client(*servers.spoke, "bench", "SELECT id, k, c, pad FROM sbtest ORDER BY id") + " >/dev/null";
  const double in_turn = seconds_of("reading", read_home + "; " + read_spoke);
  const double at_once = seconds_of("reading", read_home + " & a=$!; " + read_spoke + "; wait $a");
  result["verify"] = {{"seconds", verify_seconds},     {"rows_per_s", per_second(verify_seconds)}, {"read_in_turn_seconds", in_turn}, {"read_at_once_seconds", at_once},
                      {"ratio_to_in_turn", in_turn / verify_seconds}, {"ratio_to_at_once", at_once / verify_seconds}};
  link.stop();
  say(format("duet verify %7.1f s; reading both tables with clients: %.1f s one after the other, %.1f s at once: %.2f and %.2f of their rate", verify_seconds, in_turn,
             at_once, in_turn / verify_seconds, at_once / verify_seconds));

  const auto beside = [&](const std::string& name, double taken) {
    const bool equal = require(digest(target, other_database) == expected, name + " is not equal: " + digest(target, other_database) + "| " + expected);
    result["beside"][name] = {{"seconds", taken}, {"rows_per_s", per_second(taken)}, {"ratio", taken / seconds}, {"equal", equal}};
    say(format("%-11s %7.1f s  %8.0f rows/s; duet is %.2f times as fast", name.c_str(), taken, per_second(taken), taken / seconds));
  };
  beside("clients", by_pipe(servers, out));
  const auto not_measured = [&](const std::string& why) {
    result["beside"]["pgloader"] = {{"not_measured", why}};
    say("pgloader    " + why);
  };
  if (out) {
    not_measured("writes to PostgreSQL only");
  } else if (run({"/bin/sh", "-c", "command -v pgloader"}).exit_code) {
    not_measured("not installed");
  } else {
    empty(target);
    try {
      beside("pgloader", by_pgloader(servers, expected));
    } catch (const std::exception& e) {
      not_measured(why_failed(e.what()));
    }
  }
  return result;
}

void print_copies(const json& list) {
  std::printf("\n%-8s %-14s %9s %10s  %-10s %10s %7s %9s %9s %9s %9s\n", "spoke", "direction", "rows", "duet/s", "beside", "its/s", "ratio", "RSS MB", "verify/s", "to turn",
              "to once");
  for (const auto& r : list)
    for (const auto& [name, b] : r["beside"].items()) {
      std::printf("%-8s %-14s %9ld %10.0f  %-10s ", r["spoke"].get<std::string>().c_str(), r["direction"].get<std::string>().c_str(), r["rows"].get<long>(),
                  r["duet"]["rows_per_s"].get<double>(), name.c_str());
      if (b.contains("not_measured")) {
        std::printf("%s\n", b["not_measured"].get<std::string>().c_str());
        continue;
      }
      std::printf("%10.0f %7.2f %9.0f %9.0f %9.2f %9.2f\n", b["rows_per_s"].get<double>(), b["ratio"].get<double>(), r["duet"]["peak_rss_mb"].get<double>(),
                  r["verify"]["rows_per_s"].get<double>(), r["verify"]["ratio_to_in_turn"].get<double>(), r["verify"]["ratio_to_at_once"].get<double>());
    }
}

}  // namespace duet::bench
