#include "observe/status_text.hpp"

#include <spdlog/fmt/fmt.h>

#include "observe/printable.hpp"
#include "observe/status_json.hpp"

namespace duet::observe {

namespace {

std::uint64_t done(const lane_status& lane) {
  const auto& r = lane.rows;
  return r.applied + r.unchanged + r.held_back + r.conflicts_lost + r.held + r.deletes_ignored;
}

// A restarted hub counts from 0 again: then there is no rate.
std::string rate(std::uint64_t before, std::uint64_t now, double seconds) {
  if (seconds <= 0 || now < before) return "-";
  return grouped(static_cast<std::uint64_t>(static_cast<double>(now - before) / seconds + 0.5));
}

// The remedy, each line indented below its finding.
void append_remedy(std::string& out, const std::string& remedy) {
  if (remedy.empty()) return;
  const std::string text = printable_lines(remedy);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    out += "            " + text.substr(at, end - at) + '\n';
    at = end + 1;
  }
}

}  // namespace

std::string status_text(const hub_status& now, const hub_status* before, double seconds) {
  std::string out = fmt::format("link {}: {}, up {}, epoch {}{}\n", printable(now.link), printable(now.state),
                                human_duration_ms(now.uptime_s * 1000), now.epoch,
                                now.restarts ? fmt::format(", {} restarts", grouped(now.restarts)) : "");
  if (!now.failure_code.empty()) {
    out += fmt::format("  last failure: {} ({})\n", printable(now.failure_text), printable(now.failure_code));
    if (!now.advice.empty()) out += fmt::format("  to do: {}\n", printable(now.advice));
  }
  const lane_status &a = now.home_to_spoke, &b = now.spoke_to_home;
  const auto line = [&](const char* label, const std::string& left, const std::string& right) {
    out += fmt::format("  {:<22}{:>26}{:>26}\n", label, shortened(printable(left), 25), shortened(printable(right), 25));
  };
  const auto count = [&](const char* label, std::uint64_t lane_counters::*field) {
    line(label, grouped(a.rows.*field), grouped(b.rows.*field));
  };
  out += '\n';
  line("", "home -> spoke", "spoke -> home");
  line("state", a.state, b.state);
  if (before)
    line("rows/s", rate(done(before->home_to_spoke), done(a), seconds), rate(done(before->spoke_to_home), done(b), seconds));
  line("lag", human_duration_ms(a.lag_ms), human_duration_ms(b.lag_ms));
  line("read up to", a.read_position, b.read_position);
  line("applied up to", a.applied_position, b.applied_position);
  count("rows applied", &lane_counters::applied);
  count("own echoes dropped", &lane_counters::echoes);
  count("conflicts decided", &lane_counters::conflicts);
  count("given up for home's row", &lane_counters::conflicts_lost);
  count("held back", &lane_counters::held_back);
  count("held", &lane_counters::held);
  if (a.rows.deletes_ignored || b.rows.deletes_ignored) count("deletes ignored", &lane_counters::deletes_ignored);
  count("written over drift", &lane_counters::drift);
  count("transactions read", &lane_counters::source_transactions);
  count("transactions written", &lane_counters::target_transactions);
  line("in memory", human_bytes(a.ring_bytes), human_bytes(b.ring_bytes));
  if (a.spill_bytes || b.spill_bytes) line("in the spill file", human_bytes(a.spill_bytes), human_bytes(b.spill_bytes));
  line("unacknowledged writes", grouped(a.index_entries), grouped(b.index_entries));
  line("their memory", human_bytes(a.index_bytes), human_bytes(b.index_bytes));
  if (a.index_spill_bytes || b.index_spill_bytes) line("their files", human_bytes(a.index_spill_bytes), human_bytes(b.index_spill_bytes));
  if (now.held_rows) out += fmt::format("\n  {} rows wait in duet.held\n", grouped(now.held_rows));
  for (const auto& table : now.stopped_tables) out += fmt::format("  table {} is stopped: its changes wait in duet.held\n", printable(table));
  for (const paused_table& t : now.paused_tables) {
    if (t.catches_up()) out += fmt::format("  table {} catches up with what came while it was paused\n", printable(t.table));
    else out += fmt::format("  table {} is paused, its changes wait in the logs: {}\n", printable(t.table), printable(t.reason));
    if (!t.remedy.empty()) out += fmt::format("    to do: {}\n", printable(t.remedy));
  }
  for (const echo_difference& d : now.echo_differences)
    out += fmt::format("  {}: {} has not stored what Duet sent, in {} rows\n", printable(d.column.empty() ? d.table : d.table + '.' + d.column), name(d.at), grouped(d.rows));
  if (!now.copies.empty()) out += '\n';
  for (const copy_status& c : now.copies) out += "  " + printable(copy_text(c)) + '\n';
  if (!now.clocks) return out;
  out += fmt::format("\n  {}, measured {} ago\n", clocks_text(*now.clocks), human_duration_ms(now.clocks->age_s * 1000));
  if (now.clocks->beyond_limit())
    out += fmt::format("  warning: that is more than conflicts.clock_offset_limit ({} ms); set the servers' clocks right\n", now.clocks->limit_us / 1000);
  return out;
}

std::string copy_text(const copy_status& c) {
  if (c.done) return fmt::format("{}: copied from {}, {} rows", c.table, name(c.from), grouped(c.rows));
  if (c.rows == 0 && c.rows_per_s == 0) return fmt::format("{}: waits for its copy from {}", c.table, name(c.from));
  std::string text = fmt::format("{}: {} of about {} rows copied from {}", c.table, grouped(c.rows), grouped(c.estimated), name(c.from));
  if (c.rows_per_s < 1) return text;
  text += fmt::format(", {}/s", grouped(static_cast<std::uint64_t>(c.rows_per_s)));
  if (c.estimated > c.rows)
    text += fmt::format(", {} left", human_duration_ms(static_cast<std::int64_t>(static_cast<double>(c.estimated - c.rows) / c.rows_per_s * 1000)));
  return text;
}

std::string clocks_text(const clock_comparison& c) {
  const auto ms = [](std::int64_t us) { return fmt::format("{:.1f} ms", static_cast<double>(us) / 1000); };
  return fmt::format("the spoke's clock is {} {} home's, to within {}", ms(c.offset_us < 0 ? -c.offset_us : c.offset_us),
                     c.offset_us < 0 ? "behind" : "ahead of", ms(c.error_us));
}

std::string site_text(side which, const site_status& s, const site& at, const std::optional<control_row>& other) {
  std::string out = fmt::format("{}: {} {}\n", name(which), printable(s.identity.product), printable(s.identity.version));
  const auto line = [&](const std::string& label, const std::string& text) {
    out += fmt::format("  {:<22}{}\n", label, printable(text));
  };
  line("log ends at", at.describe(s.log_end));
  if (other) line("applied at " + std::string(name(duet::other(which))), at.describe(other->position));
  if (s.control) {
    line("acknowledged up to", at.describe(s.control->floor));
    line("epoch", std::to_string(s.control->epoch));
    line("written by Duet", grouped(s.control->counter) + " transactions");
  } else {
    line("control row", "none: not set up");
  }
  if (s.retained_bytes >= 0) line("log kept", human_bytes(static_cast<std::uint64_t>(s.retained_bytes)));
  if (!s.detail.empty()) line("log", s.detail);
  line("conflicts logged", grouped(s.conflicts));
  std::uint64_t held = 0;
  for (const auto& h : s.held) held += h.rows;
  line("rows held", grouped(held));
  for (const auto& h : s.held)
    out += fmt::format("    {}: {}, the last one because: {}\n", printable(h.table), grouped(h.rows), printable(h.last_reason));
  return out;
}

std::string progress_line(const hub_status& before, const hub_status& now, double seconds) {
  const auto lane = [&](const lane_status& was, const lane_status& is) {
    const bool restarted = is.rows.read < was.rows.read;
    const lane_counters zero;
    const lane_counters& from = restarted ? zero : was.rows;
    const std::uint64_t moved = done(is) - std::min(done(is), restarted ? 0 : done(was));
    std::string text = fmt::format("{} -> {} {} rows/s, lag {}", name(is.from), name(other(is.from)), rate(0, moved, seconds),
                                   human_duration_ms(is.lag_ms));
    if (is.rows.held > from.held) text += fmt::format(", {} held", grouped(is.rows.held - from.held));
    if (is.rows.conflicts > from.conflicts) text += fmt::format(", {} conflicts", grouped(is.rows.conflicts - from.conflicts));
    if (is.rows.drift > from.drift) text += fmt::format(", {} over drift", grouped(is.rows.drift - from.drift));
    return text;
  };
  const auto moved = [](const lane_status& was, const lane_status& is) {
    return done(was) != done(is) || was.lag_ms != is.lag_ms || was.rows.refreshes != is.rows.refreshes;
  };
  if (!moved(before.home_to_spoke, now.home_to_spoke) && !moved(before.spoke_to_home, now.spoke_to_home)) return {};
  std::string text = lane(before.home_to_spoke, now.home_to_spoke) + "; " + lane(before.spoke_to_home, now.spoke_to_home);
  for (const copy_status& c : now.copies)
    if (c.rows_per_s > 0) text += "; " + copy_text(c);
  return text;
}

std::string findings_text(const std::vector<finding_group>& groups, bool terse, bool color) {
  constexpr const char* colors[] = {"\x1b[32m", "\x1b[33m", "\x1b[31m"};
  std::string out;
  for (const auto& group : groups) {
    std::string lines;
    for (const auto& f : group.lines) {
      if (terse && f.is == finding::level::ok) continue;
      const std::string where = f.where.empty() || f.where == group.where ? "" : printable(f.where) + ": ";
      lines += fmt::format("  {}{:<8}{}{}{}", color ? colors[static_cast<int>(f.is)] : "", name(f.is), color ? "\x1b[0m" : "", where,
                           printable(f.text));
      lines += f.is == finding::level::ok ? "\n" : fmt::format("  [{}]\n", printable(f.code));
      append_remedy(lines, f.remedy);
    }
    if (!lines.empty()) out += printable(group.title) + '\n' + lines;
  }
  return out;
}

std::string summary_text(const std::vector<finding_group>& groups) {
  std::size_t count[3] = {};
  for (const auto& group : groups)
    for (const auto& f : group.lines) ++count[static_cast<int>(f.is)];
  return fmt::format("{} ok, {} {}, {} refused", count[0], count[1], count[1] == 1 ? "warning" : "warnings", count[2]);
}

std::string failure_text(const failure& f) {
  std::string out = fmt::format("{}\n  code: {}{}\n", printable(f.what()), name(f.kind),
                                f.server_code.empty() ? "" : fmt::format(" (server: {})", printable(f.server_code)));
  const std::string todo = f.remedy.empty() ? std::string(advice(f.kind)) : f.remedy;
  out += "  to do: " + printable_lines(todo) + '\n';
  return out;
}

}  // namespace duet::observe
