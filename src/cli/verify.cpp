// duet verify: are the rows of both sides equal? Reads both while they are written to; what is under way is waited for. Keys
// of what differs are shown, values never.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include "cli/answer.hpp"
#include "cli/comparing.hpp"
#include "cli/ledger.hpp"
#include "duet/failure.hpp"
#include "observe/printable.hpp"
#include "observe/status_server.hpp"
#include "pipeline/images.hpp"

namespace duet::cli {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using pipeline::difference;

constexpr auto settle_max = 60s;
constexpr auto settle_pause = 20ms;
constexpr auto progress_pause = 1s;

const char* name(difference::kind k) {
  switch (k) {
    case difference::kind::missing_at_home: return "missing_at_home";
    case difference::kind::missing_at_spoke: return "missing_at_spoke";
    case difference::kind::different: return "different";
    case difference::kind::incomparable: return "incomparable";
  }
  return "?";
}

std::string text_of(const difference& d) {
  switch (d.is) {
    case difference::kind::missing_at_home: return "missing at home" + (d.why.empty() ? "" : ", and can't be there: " + d.why);
    case difference::kind::missing_at_spoke: return "missing at the spoke" + (d.why.empty() ? "" : ", and can't be there: " + d.why);
    case difference::kind::different: return "differs in " + fmt::format("{}", fmt::join(d.columns, ", ")) + (d.why.empty() ? "" : ": " + d.why);
    case difference::kind::incomparable: return "can't be on both sides: " + d.why;
  }
  return "?";
}

// What was under way when it is called has arrived when it returns, by what the running hub says.
class lanes_watch {
 public:
  lanes_watch(const config& cfg, row_reader& home, row_reader& spoke) : cfg_(cfg), home_(home), spoke_(spoke) {}

  bool wait() {
    if (!there_) return false;
    const log_position ends[] = {home_.log_end(), spoke_.log_end()};
    int passed = 0;
    for (const auto limit = clock::now() + settle_max; clock::now() < limit; std::this_thread::sleep_for(settle_pause)) {
      const auto now = cfg_.status_port ? observe::find_hub_status(cfg_.status_host, cfg_.status_port) : std::nullopt;
      if (!now || now->link != cfg_.link) {
        there_ = false;
        return false;
      }
      passed = has_passed(now->home_to_spoke, ends[0]) && has_passed(now->spoke_to_home, ends[1]) ? passed + 1 : 0;
      if (passed == 2) return true;  // a block may have been between the ring and the applier
    }
    throw failure(failure_kind::connection_lost, "the hub does not get to the ends of both logs: it is too far behind to compare", "", "see duet status; try again when its lag is small");
  }
  bool hub_is_there() const { return there_; }

 private:
  static bool has_passed(const lane_status& l, log_position end) {
    return l.applied >= end || (l.read >= end && l.ring_bytes == 0 && l.spill_bytes == 0 && l.lag_ms == 0);
  }
  const config& cfg_;
  row_reader &home_, &spoke_;
  bool there_ = true;
};

std::string to_text(const table_result& r, std::size_t limit) {
  using observe::grouped;
  const std::string table = observe::printable(r.table);
  if (!r.skipped.empty()) return fmt::format("{}: not compared: {}\n", table, r.skipped);
  std::string out = fmt::format("{}: {} rows are equal", table, grouped(r.found.equal));
  if (!r.found.differences.empty()) out += fmt::format(", {} differ", grouped(r.found.differences.size()));
  if (r.held) out += fmt::format(", {} wait in duet.held", grouped(r.held));
  if (r.found.stay) out += fmt::format(", {} are on one side only by the rule for deletes", grouped(r.found.stay));
  if (r.found.changing) out += fmt::format(", {} changed each time they were looked at", grouped(r.found.changing));
  out += '\n';
  std::size_t shown = 0;
  for (const difference& d : r.found.differences) {
    if (shown++ == limit) {
      out += fmt::format("  and {} more\n", grouped(r.found.differences.size() - limit));
      break;
    }
    out += fmt::format("  {}: {}\n", key_text(d.key), observe::printable(text_of(d)));
  }
  return out;
}

}  // namespace

std::uint64_t compared::differences() const {
  std::uint64_t n = 0;
  for (const table_result& r : tables) n += r.found.differences.size();
  return n;
}

std::uint64_t compared::undecided() const {
  std::uint64_t n = 0;
  for (const table_result& r : tables) n += r.found.changing + (r.skipped.empty() ? 0 : 1);
  return n;
}

nlohmann::json to_json(const table_result& r, std::size_t limit) {
  nlohmann::json list = nlohmann::json::array();
  for (const difference& d : r.found.differences) {
    if (list.size() == limit) break;
    list.push_back({{"kind", name(d.is)}, {"key", row_json(d.key)}, {"columns", d.columns}, {"why", d.why}});
  }
  return {{"table", r.table},
          {"skipped", r.skipped.empty() ? nlohmann::json() : nlohmann::json(r.skipped)},
          {"rows_at_home", r.found.rows_at_home},
          {"rows_at_spoke", r.found.rows_at_spoke},
          {"equal", r.found.equal},
          {"under_way", r.found.looked_at_again},
          {"stay_on_one_side", r.found.stay},
          {"changing", r.found.changing},
          {"held", r.held},
          {"different", r.found.differences.size()},
          {"differences", std::move(list)}};
}

compared compare_both(preflight& p, const options& o, const engines& e, console& c) {
  const auto home_rows = e.home_rows_by_hand(p.cfg), spoke_rows = e.spoke_rows_by_hand(p.cfg);
  const auto home = e.home_by_hand(p.cfg, p.tables), spoke = e.spoke_by_hand(p.cfg, p.tables);
  home_rows->open();
  spoke_rows->open();
  home->open();
  spoke->open();
  std::set<std::pair<std::string, std::uint64_t>> held;  // what waits, waits by its token; its key tells it where tables have changed
  std::set<std::pair<std::string, std::string>> held_keys;
  for (site* s : {p.home.get(), p.spoke.get()})
    for (const table_key& k : s->load_held_keys()) held_keys.insert({k.table, pipeline::same_json(k.key)});
  std::set<std::string> under_copy;
  for (target* t : {static_cast<target*>(home.get()), static_cast<target*>(spoke.get())})
    for (const table_copy& copy : t->load_copies())
      if (!copy.done) under_copy.insert(copy.table);
  for (target* t : {static_cast<target*>(home.get()), static_cast<target*>(spoke.get())})
    for (const auto& waiting : t->load_held_tokens()) held.insert(waiting);

  lanes_watch lanes(p.cfg, *home_rows, *spoke_rows);
  compared all;
  bool known = false;
  for (const table_pair& t : p.tables.tables) {
    const std::string table = pipeline::table_name(t);
    if (!is_table(table, o.table)) continue;
    known = true;
    table_result& r = all.tables.emplace_back(table_result{.table = table, .skipped = {}, .found = {}});
    if (under_copy.contains(table)) {
      r.skipped = "its first copy is under way";
    } else if (held.contains({table, pipeline::table_token(t)})) {
      r.skipped = "it is stopped: its changes wait in duet.held";
    } else {
      const auto started = clock::now();
      auto said = started;
      const auto look = [&](const pipeline::comparison& so_far) {
        const std::uint64_t rows = so_far.rows_at_home + so_far.rows_at_spoke;
        if (o.rate) std::this_thread::sleep_until(started + std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>(static_cast<double>(rows) / static_cast<double>(o.rate))));
        if (!o.json && c.out_is_terminal && clock::now() - said > progress_pause) {
          said = clock::now();
          c.err << fmt::format("\r{}: {} rows read, {}/s\x1b[K", observe::printable(table), observe::grouped(rows),
                               observe::grouped(static_cast<std::uint64_t>(static_cast<double>(rows) / std::chrono::duration<double>(said - started).count())))
                << std::flush;
        }
        return true;
      };
      r.found = pipeline::comparer(t, {*home_rows, *spoke_rows, *home, *spoke}, [&] { return lanes.wait(); }, look).run();
      if (!o.json && c.out_is_terminal && said != started) c.err << "\r\x1b[K" << std::flush;
      r.held = static_cast<std::uint64_t>(std::erase_if(r.found.differences, [&](const difference& d) { return held.contains({table, d.token}) || held_keys.contains({table, pipeline::same_json(d.key)}); }));
    }
    if (!o.json && !o.csv) c.out << to_text(r, o.limit) << std::flush;
  }
  if (!known) throw failure(failure_kind::config_file, "no synced table is called " + observe::printable(o.table), "", "`duet check` lists the tables");
  all.hub_runs = lanes.hub_is_there();
  return all;
}

namespace {

// As RFC 4180 has it: quoted, quotes doubled.
std::string csv_field(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += c;
    out += c;
  }
  return out + '"';
}

std::string csv_line(const std::string& table, const difference& d) {
  std::string columns;
  for (const std::string& c : d.columns) columns += (columns.empty() ? "" : ", ") + c;
  return csv_field(table) + ',' + std::string(name(d.is)) + ',' + csv_field(d.key) + ',' + csv_field(columns) + ',' + csv_field(d.why) + "\r\n";
}

}  // namespace

int verify(const options& o, const engines& e, console& c) {
  preflight p(o.config_file, e);
  if (const auto code = open_both(p, true, o, c, "verify")) return *code;
  const compared all = compare_both(p, o, e, c);
  const std::uint64_t differences = all.differences(), undecided = all.undecided();
  const int code = differences || undecided ? exit_findings : exit_fine;
  if (o.json) {
    nlohmann::json tables = nlohmann::json::array();
    for (const table_result& r : all.tables) tables.push_back(to_json(r, o.limit));
    return answer(c, "verify", code, {{"link", p.cfg.link}, {"equal", code == exit_fine}, {"hub_runs", all.hub_runs}, {"tables", std::move(tables)}});
  }
  if (o.csv) {
    c.out << "table,kind,key,columns,why\r\n";
    for (const table_result& r : all.tables)
      for (const difference& d : r.found.differences) c.out << csv_line(r.table, d);
    c.out << std::flush;
    for (const table_result& r : all.tables)
      if (!r.skipped.empty() || r.found.changing) c.err << observe::printable(r.table) << " could not be compared in full\n";
    if (!all.hub_runs) c.err << "no hub runs, so nobody can say what was under way\n";
    return code;
  }
  std::uint64_t equal = 0, waiting = 0;
  for (const table_result& r : all.tables) equal += r.found.equal, waiting += r.held;
  if (!all.hub_runs) c.out << "no hub runs, so nobody can say what was under way: what differs may only not have arrived yet\n";
  if (differences) c.out << fmt::format("{} rows differ\n", observe::grouped(differences));
  else if (undecided) c.out << "not all could be compared\n";
  else c.out << fmt::format("both sides are equal{}, {} rows\n", waiting ? fmt::format(" except for {} rows that are held", observe::grouped(waiting)) : "", observe::grouped(equal));
  c.out << std::flush;
  return code;
}

}  // namespace duet::cli
