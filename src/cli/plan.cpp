// duet plan: what both sides have, and what the configuration will make of it. Reads both, writes nothing to them.
#include "cli/plan.hpp"

#include <spdlog/fmt/fmt.h>
#include <xxhash.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <thread>

#include "cli/answer.hpp"
#include "cli/ledger.hpp"
#include "duet/failure.hpp"
#include "observe/printable.hpp"
#include "pipeline/comparison.hpp"
#include "pipeline/images.hpp"

namespace duet::cli {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using nlohmann::json;
using observe::grouped;
using pipeline::comparison;
using pipeline::difference;

constexpr int format_version = 1;
// Rows a second, for the time that is told beforehand; the rate of reading is measured.
constexpr double rows_copied = 40'000, rows_decided = 5'000;
constexpr int readings = 3;  // a merge reads one side for each lane and looks rows up on the other one

std::string hash_of(const std::string& text) { return fmt::format("{:016x}", XXH3_64bits(text.data(), text.size())); }

struct planned_table {
  const table_pair& table;
  comparison found;
  double seconds = 0;  // it took to compare

  bool fits() const {  // is what was found what the configuration expects?
    switch (table.initial) {
      case initial_rows::none: return found.missing_at_home + found.missing_at_spoke + found.different == 0;
      case initial_rows::copy_from_home: return found.rows_at_spoke == 0;
      case initial_rows::copy_from_spoke: return found.rows_at_home == 0;
      case initial_rows::merge: return true;
    }
    return false;
  }
  double estimated_s() const {
    if (table.initial == initial_rows::none) return 0;
    const double moved = static_cast<double>(found.missing_at_home + found.missing_at_spoke), decided = static_cast<double>(found.different);
    return readings * seconds + moved / rows_copied + decided / rows_decided;
  }
  std::uint64_t unfit() const {
    std::uint64_t n = 0;
    for (const auto& [why, rows] : found.unfit) n += rows;
    return n;
  }
};

std::string whose(const table_pair& t) {
  switch (t.truth) {
    case merge_truth::home: return "home's values stand";
    case merge_truth::spoke: return "the spoke's values stand";
    case merge_truth::latest: return "the row stands whose " + t.columns[t.truth_by].home.name + " says more, home's if it says the same";
    case merge_truth::unite: return "home's values stand, and the spoke's where home has NULL";
    case merge_truth::manual: return "they wait in duet.held for a person";
  }
  return "?";
}

std::string how(const table_pair& t) {
  if (t.merges()) return "merge, truth: " + std::string(name(t.truth)) + (t.truth == merge_truth::latest ? " " + t.columns[t.truth_by].home.name : "");
  return std::string(name(t.initial));
}

std::string what_follows(const planned_table& p, bool at_home) {
  const table_pair& t = p.table;
  if (t.copies_from(at_home ? side::home : side::spoke)) return at_home ? "they are copied to the spoke" : "they are copied home";
  return t.initial == initial_rows::none ? "nothing is done about them: `initial` says that both sides are equal" : "the table must be empty there";
}

std::string sample(const difference& d) {
  std::string text = key_text(d.key) + ": ";
  switch (d.is) {
    case difference::kind::missing_at_home: text += "only at the spoke"; break;
    case difference::kind::missing_at_spoke: text += "only at home"; break;
    case difference::kind::different: text += fmt::format("differs in {}", fmt::join(d.columns, ", ")); break;
    case difference::kind::incomparable: text += "on one side only"; break;
  }
  if (!d.why.empty()) text += ", can't cross: " + d.why;
  return observe::printable(text);
}

std::string to_text(const planned_table& p) {
  const comparison& f = p.found;
  std::string out = fmt::format("{} ({})\n", observe::printable(pipeline::table_name(p.table)), how(p.table));
  out += fmt::format("  {} rows at home, {} at the spoke, {} equal\n", grouped(f.rows_at_home), grouped(f.rows_at_spoke), grouped(f.equal));
  if (f.missing_at_spoke) out += fmt::format("  {} only at home: {}\n", grouped(f.missing_at_spoke), what_follows(p, true));
  if (f.missing_at_home) out += fmt::format("  {} only at the spoke: {}\n", grouped(f.missing_at_home), what_follows(p, false));
  if (f.different) {
    std::string columns;
    for (const auto& [column, rows] : f.in_columns) columns += fmt::format("{}{} {}", columns.empty() ? "" : ", ", observe::printable(column), grouped(rows));
    out += fmt::format("  {} differ (by column: {}): {}\n", grouped(f.different), columns,
                       p.table.merges() ? whose(p.table) : p.table.initial == initial_rows::none ? "nothing is done about them" : "the other side must be empty");
  }
  for (const auto& [why, rows] : f.unfit) out += fmt::format("  {} can't cross, and will be held: {}\n", grouped(rows), observe::printable(why));
  for (const difference& d : f.differences) out += "    " + sample(d) + '\n';
  if (const auto shown = f.differences.size(), all = static_cast<std::size_t>(f.missing_at_home + f.missing_at_spoke + f.different); shown < all)
    out += fmt::format("    and {} more\n", grouped(all - shown));
  if (!p.fits()) out += "  this is not what `initial` expects\n";
  if (const double s = p.estimated_s(); s >= 1) out += fmt::format("  about {:.0f} s\n", s);
  return out;
}

json to_json(const planned_table& p) {
  const comparison& f = p.found;
  json samples = json::array();
  for (const difference& d : f.differences) samples.push_back({{"key", row_json(d.key)}, {"columns", d.columns}, {"why", d.why}, {"text", sample(d)}});
  return {{"table", pipeline::table_name(p.table)},
          {"initial", name(p.table.initial)},
          {"truth", p.table.merges() ? json(name(p.table.truth)) : json()},
          {"truth_by", p.table.merges() && p.table.truth == merge_truth::latest ? json(p.table.columns[p.table.truth_by].home.name) : json()},
          {"rows_at_home", f.rows_at_home},
          {"rows_at_spoke", f.rows_at_spoke},
          {"equal", f.equal},
          {"only_at_home", f.missing_at_spoke},
          {"only_at_spoke", f.missing_at_home},
          {"different", f.different},
          {"different_by_column", f.in_columns},
          {"held_by_reason", f.unfit},
          {"samples", std::move(samples)},
          {"fits", p.fits()},
          {"estimated_s", p.estimated_s()}};
}

// Not seen half written.
void write_file(const std::string& file, const std::string& text) {
  const std::string part = file + ".part";
  {
    std::ofstream out(part, std::ios::binary | std::ios::trunc);
    out << text;
    if (!out.flush()) throw failure(failure_kind::config_file, "the plan can't be written to " + file, "", "name a file in a folder that may be written to");
  }
  if (std::rename(part.c_str(), file.c_str()) != 0) throw failure(failure_kind::config_file, "the plan can't be written to " + file, "", "name a file, not a folder");
}

}  // namespace

std::string plan_subject(const preflight& p) {
  json tables = json::array();
  for (const table_pair& t : p.tables.tables) {
    json columns = json::array();
    for (const column_pair& c : t.columns) columns.push_back({c.home.name, c.home.type.native, c.spoke.name, c.spoke.type.native, c.key});
    tables.push_back({pipeline::table_name(t), t.spoke.schema, t.spoke.name, name(t.direction), how(t), std::move(columns)});
  }
  return hash_of(json{p.cfg.link, p.home_identity.id, p.cfg.spoke.describe(), std::move(tables)}.dump(-1, ' ', false, json::error_handler_t::replace));
}

std::string seal_plan(json document) {
  document.erase("hash");
  document["hash"] = hash_of(document.dump(-1, ' ', true, json::error_handler_t::replace));
  return document.dump(2, ' ', true, json::error_handler_t::replace) + '\n';
}

std::string require_plan(const std::string& file, const preflight& p) {
  const auto refuse = [&](const std::string& why, const char* remedy) { return failure(failure_kind::configuration, "the plan " + file + ' ' + why, "plan", remedy); };
  constexpr const char* anew = "duet plan --out FILE; read it, and start with it";
  std::ifstream in(file, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  if (!in) throw failure(failure_kind::config_file, "the plan " + file + " can't be read", "plan", anew);
  const json document = json::parse(text.str(), nullptr, false);
  if (!document.is_object() || !document.contains("hash") || !document["hash"].is_string() || !document.contains("about") || document.value("format", 0) != format_version)
    throw refuse("is none that this version of duet has written", anew);
  const std::string hash = document["hash"];
  json unsealed = document;
  unsealed.erase("hash");
  if (hash_of(unsealed.dump(-1, ' ', true, json::error_handler_t::replace)) != hash) throw refuse("has been changed since it was written", anew);
  if (document["about"] != plan_subject(p)) throw refuse("is about another configuration, other tables or other databases than these", anew);
  return hash;
}

int plan_begin(const options& o, const engines& e, console& c) {
  preflight p(o.config_file, e);
  if (p.load() && p.connect()) p.bind();
  if (int code = p.exit_code(); code != exit_fine) {
    if (code == exit_findings) code = exit_refused;
    if (o.json) return answer(c, "plan", code, findings_json(p.groups()));
    c.err << p.complaints() << std::flush;
    return code;
  }
  const auto home_rows = e.home_rows_by_hand(p.cfg), spoke_rows = e.spoke_rows_by_hand(p.cfg);
  const auto home = e.home_by_hand(p.cfg, p.tables), spoke = e.spoke_by_hand(p.cfg, p.tables);
  home_rows->open();
  spoke_rows->open();
  home->open();
  spoke->open();
  std::vector<planned_table> all;
  for (const table_pair& t : p.tables.tables) {
    if (!is_table(pipeline::table_name(t), o.table)) continue;
    const auto began = clock::now();
    auto said = began;
    const auto look = [&](const comparison& so_far) {
      const std::uint64_t rows = so_far.rows_at_home + so_far.rows_at_spoke;
      if (o.rate) std::this_thread::sleep_until(began + std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>(static_cast<double>(rows) / static_cast<double>(o.rate))));
      if (!o.json && c.out_is_terminal && clock::now() - said > 1s) {
        said = clock::now();
        c.err << fmt::format("\r{}: {} rows read\x1b[K", observe::printable(pipeline::table_name(t)), grouped(rows)) << std::flush;
      }
      return true;
    };
    // Nobody knows what is under way: what differs is looked at twice.
    comparison found = pipeline::comparer(t, {*home_rows, *spoke_rows, *home, *spoke}, [] { return false; }, look, o.limit).run();
    all.push_back({t, std::move(found), std::chrono::duration<double>(clock::now() - began).count()});
    if (!o.json) c.out << (c.out_is_terminal ? "\r\x1b[K" : "") << to_text(all.back()) << std::flush;
  }
  if (all.empty()) throw failure(failure_kind::config_file, "no synced table is called " + observe::printable(o.table), "", "`duet check` lists the tables");

  json tables = json::array();
  bool fits = true;
  double seconds = 0;
  std::uint64_t unfit = 0;
  for (const planned_table& t : all) {
    tables.push_back(to_json(t));
    fits &= t.fits();
    seconds += t.estimated_s();
    unfit += t.unfit();
  }
  json document = {{"format", format_version},
                   {"link", p.cfg.link},
                   {"about", plan_subject(p)},
                   {"home", p.home_identity.product + " " + p.home_identity.version},
                   {"spoke", p.spoke_identity.product + " " + p.spoke_identity.version},
                   {"made_at", time_json(std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count())},
                   {"fits", fits},
                   {"estimated_s", seconds},
                   {"tables", std::move(tables)}};
  const std::string text = seal_plan(document);
  if (!o.out_file.empty()) {
    if (!o.table.empty()) throw failure(failure_kind::config_file, "a plan of one table is no plan of the link", "", "leave out --table, or --out");
    write_file(o.out_file, text);
  }
  const int code = fits && unfit == 0 ? exit_fine : exit_findings;
  if (o.json) return answer(c, "plan", code, json::parse(text));
  c.out << (fits ? "both sides are as the configuration expects" : "not all is as the configuration expects");
  if (unfit) c.out << fmt::format("; {} {} will be held", grouped(unfit), unfit == 1 ? "row" : "rows");
  if (seconds >= 1) c.out << fmt::format("; about {:.0f} s", seconds);
  if (!o.out_file.empty()) c.out << "; plan " << json::parse(text)["hash"].get<std::string>() << " written to " << o.out_file;
  c.out << std::endl;
  return code;
}

}  // namespace duet::cli
