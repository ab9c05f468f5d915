// duet setup: makes Duet's own tables, the publication, the slot and the origin, then the two control rows that say where
// the streams begin. Can be run again.
#include <algorithm>

#include "cli/answer.hpp"
#include "cli/preflight.hpp"
#include "cli/schema.hpp"
#include "duet/failure.hpp"
#include "observe/printable.hpp"

namespace duet::cli {

namespace {

constexpr const char* start_note =
    "What is written from here on is carried over. Rows that exist are copied only where a table says `initial: copy_from_home` or "
    "`copy_from_spoke`; all others must be equal on both sides at this moment.";

// Statements as a script: each ends with a semicolon, on its own line where it ends with a comment.
std::string script(const std::vector<std::string>& statements) {
  std::string out;
  for (std::string s : statements) {
    while (!s.empty() && (s.back() == '\n' || s.back() == ' ' || s.back() == ';')) s.pop_back();
    if (s.empty()) continue;
    const std::size_t last_line = s.rfind('\n') == std::string::npos ? 0 : s.rfind('\n') + 1;
    const bool comment = s.compare(last_line, 2, "--") == 0;
    out += observe::printable_lines(s) + (comment ? "\n" : ";\n");
  }
  return out;
}

int print_statements(const options& o, preflight& p, console& c) {
  const auto at_home = p.home->setup_statements(p.tables, true), at_spoke = p.spoke->setup_statements(p.tables, true);
  const int code = p.exit_code();
  if (o.json) {
    auto document = findings_json(p.groups());
    document["link"] = p.cfg.link;
    document["home"] = at_home;
    document["spoke"] = at_spoke;
    return answer(c, "setup", code, std::move(document));
  }
  c.err << p.complaints() << std::flush;
  c.out << "-- Home: " << observe::printable(p.cfg.home.describe()) << ", as a superuser\n"
        << script(at_home) << "\n-- Spoke: " << observe::printable(p.cfg.spoke.describe()) << ", as an administrator\n"
        << script(at_spoke) << "\n-- Then run `duet setup` as the users of the configuration: it finds all this, and notes where the "
           "streams begin.\n"
        << std::flush;
  return code;
}

[[noreturn]] void refuse_half(const std::string& link, side has, side lacks) {
  throw failure(failure_kind::history_changed,
                "setting up link " + link + ": " + std::string(name(has)) + " has its control row, " + std::string(name(lacks)) +
                    " has none. Either an earlier setup was cut off, or " + std::string(name(lacks)) +
                    " is another database or an older copy. Where to go on can't be known, so nothing was changed",
                "", "Make sure that both tables hold the same rows, then:\n  duet teardown\n  duet setup");
}

void refuse_strangers(const std::string& link, const control_row& at_home, const control_row& at_spoke, const preflight& p) {
  const auto wrong = [](const control_row& row, const std::string& source, const std::string& own) {
    return row.source_identity != source || row.own_identity != own;
  };
  if (!wrong(at_home, p.spoke_identity.id, p.home_identity.id) && !wrong(at_spoke, p.home_identity.id, p.spoke_identity.id)) return;
  throw failure(failure_kind::history_changed,
                "setting up link " + link + ": it was set up between other databases than these two. Nothing was changed", "",
                "If these two are to be linked now: make sure that the tables hold the same rows, then\n  duet teardown\n  duet setup");
}

}  // namespace

int setup(const options& o, const engines& e, console& c) {
  std::vector<std::string> made;
  if (o.create_missing && !o.print) made = create_missing(o, e);
  if (!o.json)
    for (const std::string& table : made) c.out << "made at " << observe::printable(table) << std::endl;
  preflight p(o.config_file, e);
  if (!p.load()) {
    p.look_further();
  } else if (p.connect()) {
    p.bind();
    p.check();
    if (o.print && p.exit_code() != exit_unreachable) return print_statements(o, p, c);
  }
  if (int code = p.exit_code(); code != exit_fine) {
    if (code == exit_findings) code = exit_refused;
    if (o.json) {
      auto document = findings_json(p.groups());
      document["link"] = p.cfg.link;
      document["result"] = "refused";
      return answer(c, "setup", code, std::move(document));
    }
    c.err << p.complaints() << (made.empty() ? "\nNothing" : "\nBut for these tables nothing") << " was set up: mend what is refused first. `duet check` shows all of it." << std::endl;
    return code;
  }

  const std::string& link = p.cfg.link;
  const auto home_before = p.home->load_control(), spoke_before = p.spoke->load_control();
  if (home_before && !spoke_before) refuse_half(link, side::home, side::spoke);
  if (spoke_before && !home_before) refuse_half(link, side::spoke, side::home);
  const bool again = home_before && spoke_before;
  if (again) {
    // A log that was lost must not be replaced in silence by a new slot.
    refuse_strangers(link, *home_before, *spoke_before, p);
    p.home->check_log(std::min(spoke_before->position, home_before->floor), std::max(spoke_before->position, home_before->floor));
    p.spoke->check_log(std::min(home_before->position, spoke_before->floor), std::max(home_before->position, spoke_before->floor));
  }

  p.home->setup(p.tables);
  p.spoke->setup(p.tables);
  p.spoke_identity = p.spoke->identity();  // MariaDB's has been made by setup
  control_row at_home, at_spoke;
  if (again) {
    at_home = *home_before;
    at_spoke = *spoke_before;
  } else {
    const log_position home_start = p.home->start_position(), spoke_start = p.spoke->start_position();
    at_spoke = {link, 0, just_before(home_start), just_before(spoke_start), 0, 0, p.home_identity.id, p.spoke_identity.id};
    at_home = {link, 0, just_before(spoke_start), just_before(home_start), 0, 0, p.spoke_identity.id, p.home_identity.id};
    const bool spoke_new = p.spoke->init_control(at_spoke), home_new = p.home->init_control(at_home);
    if (!spoke_new || !home_new)
      throw failure(failure_kind::already_running, "setting up link " + link + ": somebody else sets it up at the same time", "",
                    "Look with `duet status` what is there, and run `duet setup` once more.");
  }
  const std::string home_at = p.home->describe(at_spoke.position), spoke_at = p.spoke->describe(at_home.position);
  if (o.json) {
    auto document = findings_json(p.groups());
    document["link"] = link;
    document["result"] = again ? "already_set_up" : "set_up";
    document["home_position"] = home_at;
    document["spoke_position"] = spoke_at;
    document["tables"] = p.tables.tables.size();
    document["made"] = made;
    return answer(c, "setup", exit_fine, std::move(document));
  }
  c.err << p.complaints() << std::flush;
  const auto n = p.tables.tables.size();
  c.out << "link " << link << (again ? " was set up already; what was missing has been added" : " is set up") << ": " << n
        << (n == 1 ? " table" : " tables") << "\n  home's log is read from   " << observe::printable(home_at)
        << "\n  spoke's log is read from  " << observe::printable(spoke_at) << '\n';
  if (!again) c.out << start_note << "\nNext: duet run -c " << observe::printable(o.config_file) << '\n';
  c.out << std::flush;
  return exit_fine;
}

}  // namespace duet::cli
