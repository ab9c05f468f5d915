// duet teardown: removes all that setup made, of this link only. The tables that were synced are not touched.
#include <string>

#include "cli/answer.hpp"
#include "cli/preflight.hpp"
#include "duet/failure.hpp"
#include "observe/printable.hpp"

namespace duet::cli {

namespace {

// As a script: what --print shows can be run as it stands.
void list(std::ostream& out, const char* title, const std::vector<std::string>& statements) {
  out << title << '\n';
  for (const auto& s : statements) out << observe::printable_lines(s) << ";\n";
}

}  // namespace

int teardown(const options& o, const engines& e, console& c) {
  preflight p(o.config_file, e);
  if (p.load()) {
    p.want_home = !o.spoke_only;
    p.want_spoke = !o.home_only;
    p.connect();
  }
  if (int code = p.exit_code(); code != exit_fine) {
    if (code == exit_findings) code = exit_refused;
    if (o.json) {
      auto document = findings_json(p.groups());
      document["link"] = p.cfg.link;
      document["result"] = "refused";
      return answer(c, "teardown", code, std::move(document));
    }
    c.err << p.complaints() << "\nNothing was removed.";
    if (code == exit_unreachable) c.err << " If a database is gone for good: `duet teardown --only home` (or spoke).";
    c.err << std::endl;
    return code;
  }

  const std::string& link = p.cfg.link;
  std::vector<std::string> at_home, at_spoke;
  if (p.home) at_home = p.home->teardown_statements();
  if (p.spoke) at_spoke = p.spoke->teardown_statements();
  const bool before_home = p.home && p.home->load_control().has_value(), before_spoke = p.spoke && p.spoke->load_control().has_value();
  if (o.print || !o.json) {
    std::ostream& out = o.json ? c.err : c.out;
    out << "-- Removes link " << link << ", its logged conflicts and held rows; the synced tables keep their rows.\n";
    if (p.home) list(out, "-- At home:", at_home);
    if (p.spoke) list(out, "-- At the spoke:", at_spoke);
    out << std::flush;
  }
  if (!o.print && !o.yes) {
    if (!c.in_is_terminal)
      throw failure(failure_kind::config_file, "removing link " + link + ": there is no terminal to ask", "", "Add --yes.");
    c.out << "Type the link's name to go on: " << std::flush;
    std::string typed;
    std::getline(c.in, typed);
    if (typed != link) {
      c.out << "Nothing was removed." << std::endl;
      return exit_findings;
    }
  }
  if (!o.print) {
    try {
      if (p.home) p.home->teardown();  // first: it refuses while a hub of this link runs
      if (p.spoke) p.spoke->teardown();
    } catch (failure& f) {
      if (f.kind == failure_kind::configuration && f.remedy.empty())
        f.remedy = "The user of the configuration lacks the right: let a DBA run what `duet teardown --print` shows.";
      throw;
    }
  }
  const char* result = o.print ? "printed" : before_home || before_spoke ? "removed" : "nothing_to_remove";
  if (o.json) {
    nlohmann::json document = {{"link", link}, {"result", result}};
    if (p.home) document["home"] = at_home;
    if (p.spoke) document["spoke"] = at_spoke;
    return answer(c, "teardown", exit_fine, std::move(document));
  }
  if (!o.print) c.out << (before_home || before_spoke ? "link " + link + " is removed" : "link " + link + " was not set up; whatever was left of it is removed") << std::endl;
  return exit_fine;
}

}  // namespace duet::cli
