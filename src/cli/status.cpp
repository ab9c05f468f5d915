// duet status: how the link does. Asks the running hub at status.listen; if none answers, both databases, so that it is of
// use when the hub is down.
#include <spdlog/fmt/fmt.h>

#include <chrono>
#include <thread>

#include "cli/answer.hpp"
#include "cli/preflight.hpp"
#include "duet/failure.hpp"
#include "observe/printable.hpp"
#include "observe/status_server.hpp"

namespace duet::cli {

namespace {

using clock = std::chrono::steady_clock;

// One answer, from the hub or from the databases.
struct report {
  int exit_code = exit_fine;
  std::string text;
  nlohmann::json document;
};

// Both databases, as far as they are reached.
struct databases {
  std::optional<site_status> home, spoke;
  std::vector<std::pair<side, failure>> failures;
};

databases load_databases(preflight& p, const engines& e) {
  databases d;
  const auto ask = [&](side which, std::unique_ptr<site>& s, const endpoint& at, const auto& make, std::optional<site_status>& out) {
    try {
      if (!s) {
        s = make(at, p.cfg.link);
        try {
          s->connect();
        } catch (const failure& f) {
          throw connect_failure(f);
        }
      }
      out = s->status();
    } catch (const failure& f) {
      d.failures.emplace_back(which, f);
      s.reset();
    }
  };
  ask(side::home, p.home, p.cfg.home, e.home_site, d.home);
  ask(side::spoke, p.spoke, p.cfg.spoke, e.spoke_site, d.spoke);
  return d;
}

std::uint64_t held_rows(const std::optional<site_status>& s) {
  std::uint64_t rows = 0;
  if (s)
    for (const auto& h : s->held) rows += h.rows;
  return rows;
}

void add_databases(report& r, const preflight& p, const databases& d) {
  const std::optional<control_row> none;
  nlohmann::json sides = nlohmann::json::object(), errors = nlohmann::json::array();
  const auto add = [&](side which, const std::optional<site_status>& own, const std::unique_ptr<site>& at,
                       const std::optional<site_status>& other) {
    sides[std::string(name(which))] = nullptr;
    if (!own || !at) return;
    const auto& control = other ? other->control : none;
    sides[std::string(name(which))] = observe::to_json(*own, *at, control);
    r.text += '\n' + observe::site_text(which, *own, *at, control);
  };
  add(side::home, d.home, p.home, d.spoke);
  add(side::spoke, d.spoke, p.spoke, d.home);
  for (const auto& [which, f] : d.failures) {
    r.text += fmt::format("\n{}: {}", name(which), observe::failure_text(f));
    auto one = observe::to_json(f);
    one["side"] = std::string(name(which));
    errors.push_back(std::move(one));
  }
  r.document["databases"] = std::move(sides);
  r.document["errors"] = std::move(errors);
}

report report_databases(preflight& p, const engines& e, const std::string& why) {
  const databases d = load_databases(p, e);
  report r;
  r.document = {{"source", "databases"}, {"note", why}, {"hub", nullptr}};
  r.text = fmt::format("link {}: {}; this is what the databases say\n", observe::printable(p.cfg.link), why);
  add_databases(r, p, d);
  const bool home_set = d.home && d.home->control, spoke_set = d.spoke && d.spoke->control;
  std::string state;
  if (!d.failures.empty()) {
    r.exit_code = exit_unreachable;
    for (const auto& [which, f] : d.failures)
      if (exit_code(f.kind) != exit_unreachable) r.exit_code = exit_code(f.kind);
    state = "unreachable";
  } else if (!home_set || !spoke_set) {
    r.exit_code = exit_refused;
    state = home_set || spoke_set ? "half_set_up" : "not_set_up";
    r.text += home_set || spoke_set ? "\nOnly one side is set up. `duet teardown` and `duet setup` start anew.\n" : "\nNot set up: run `duet setup`.\n";
  } else {
    const bool hub_is_down = p.cfg.status_port != 0;
    state = hub_is_down ? "hub_down" : "unknown";
    r.exit_code = hub_is_down || held_rows(d.home) || held_rows(d.spoke) ? exit_findings : exit_fine;
  }
  r.document["state"] = state;
  return r;
}

report report_hub(preflight& p, const engines& e, const hub_status& now, const hub_status* before, double seconds, bool with_held) {
  report r;
  r.text = observe::status_text(now, before, seconds);
  r.document = {{"source", "hub"}, {"state", now.healthy ? "streaming" : "not_streaming"}, {"hub", observe::to_json(now)}};
  const bool clocks_fine = !now.clocks || !now.clocks->beyond_limit();
  r.exit_code = now.healthy && now.held_rows == 0 && now.paused_tables.empty() && clocks_fine ? exit_fine : exit_findings;
  if (with_held && now.held_rows != 0) add_databases(r, p, load_databases(p, e));  // which tables, and why
  return r;
}

class reporter {
 public:
  reporter(preflight& p, const engines& e) : p_(p), engines_(e) {}

  report next(bool watch) {
    std::string why = "no status.listen is configured, so a running hub can't be asked";
    if (p_.cfg.status_port != 0) {
      const std::string at = p_.cfg.status_host + ":" + std::to_string(p_.cfg.status_port);
      why = "no hub answers at " + at;
      try {
        if (auto now = observe::find_hub_status(p_.cfg.status_host, p_.cfg.status_port)) {
          if (now->link == p_.cfg.link) return from_hub(std::move(*now), watch);
          why = "the hub at " + at + " runs another link, " + observe::printable(now->link);
        }
      } catch (const failure& f) {
        why = std::string(f.what()) + " (" + at + ")";
      }
    }
    before_.reset();
    return report_databases(p_, engines_, why);
  }

 private:
  report from_hub(hub_status now, bool watch) {
    const auto at = clock::now();
    const double seconds = std::chrono::duration<double>(at - before_at_).count();
    report r = report_hub(p_, engines_, now, before_ ? &*before_ : nullptr, seconds, !watch);
    before_ = std::move(now);
    before_at_ = at;
    return r;
  }

  preflight& p_;
  const engines& engines_;
  std::optional<hub_status> before_;
  clock::time_point before_at_{};
};

// The cursor goes home and each line is cleared behind its text: no flicker.
std::string repainted(const std::string& text) {
  std::string out = "\x1b[H";
  for (const char ch : text) out += ch == '\n' ? std::string("\x1b[K\n") : std::string(1, ch);
  return out + "\x1b[J";
}

}  // namespace

int status(const options& o, const engines& e, console& c) {
  preflight p(o.config_file, e);
  if (!p.load()) {
    if (o.json) return answer(c, "status", p.exit_code(), findings_json(p.groups()));
    c.err << p.complaints() << std::flush;
    return p.exit_code();
  }
  reporter reports(p, e);
  if (!o.watch) {
    report r = reports.next(false);
    r.document["link"] = p.cfg.link;
    if (o.json) return answer(c, "status", r.exit_code, std::move(r.document));
    c.out << r.text << std::flush;
    return r.exit_code;
  }
  if (c.out_is_terminal && !o.json) c.out << "\x1b[2J";
  for (int code = exit_fine;;) {  // until Ctrl-C, or until nobody reads any more
    report r = reports.next(true);
    code = r.exit_code;
    r.document["link"] = p.cfg.link;
    r.document["verb"] = "status";
    r.document["exit_code"] = code;
    if (o.json) c.out << r.document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
    else if (c.out_is_terminal) c.out << repainted(r.text);
    else c.out << r.text << '\n';
    c.out << std::flush;
    if (!c.out) return code;
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

}  // namespace duet::cli
