// duet run: the daemon. Checks what `duet check` checks, opens the status page, runs the hub until a signal or until an
// operator must act. A database that can't be reached is waited for.
#include <pthread.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <random>
#include <thread>

#include "cli/answer.hpp"
#include "cli/log_format.hpp"
#include "cli/plan.hpp"
#include "cli/preflight.hpp"
#include "duet/failure.hpp"
#include "duet/hub.hpp"
#include "observe/status_server.hpp"
#include "observe/status_text.hpp"

namespace duet::cli {

namespace {

using namespace std::chrono_literals;

constexpr auto progress_pause = 10s;
constexpr auto reconnect_pause_max = 15000ms;
constexpr auto stop_limit = 9500ms;

// SIGTERM and SIGINT, taken by a thread of its own: the first one asks for the end, the second one is the end, and so is the
// end of the time that a stop may take: a login to a server that stands still can't be broken off.
class signal_watch {
 public:
  signal_watch() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGTERM);
    sigaddset(&set_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set_, &before_);  // before any other thread is made: they inherit it
    thread_ = std::jthread([this](std::stop_token over) {
      const timespec pause{0, 100'000'000};
      auto limit = std::chrono::steady_clock::time_point::max();
      while (!over.stop_requested()) {
        const int signal = sigtimedwait(&set_, nullptr, &pause);
        if (std::chrono::steady_clock::now() >= limit) {
          spdlog::warn("stopped without an answer from a server; nothing is lost");
          std::_Exit(exit_fine);
        }
        if (signal != SIGTERM && signal != SIGINT) continue;
        if (stop_.stop_requested()) {
          spdlog::warn("second {}: stopping at once, without draining; nothing is lost", name_of(signal));
          std::_Exit(128 + signal);
        }
        spdlog::info("{}: draining what has been read, then stopping", name_of(signal));
        limit = std::chrono::steady_clock::now() + stop_limit;
        stop_.request_stop();
      }
    });
  }
  ~signal_watch() {
    thread_.request_stop();
    thread_.join();
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  std::stop_token token() const { return stop_.get_token(); }

 private:
  static const char* name_of(int signal) { return signal == SIGTERM ? "SIGTERM" : "SIGINT"; }
  sigset_t set_{}, before_{};
  std::stop_source stop_;
  std::jthread thread_;
};

// Sleeps, unless the stop comes first. False: it came.
bool sleep_for(std::stop_token stop, std::chrono::milliseconds time) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  wake.wait_for(lock, stop, time, [] { return false; });
  return !stop.stop_requested();
}

// What the status page shows: the hub, or what there is before it exists.
class status_source {
 public:
  explicit status_source(const config& cfg) {
    early_.link = cfg.link;
    early_.state = "starting";
    early_.spoke_to_home.from = side::spoke;
    early_.home_to_spoke.state = early_.spoke_to_home.state = "connecting";
  }
  void say(std::string state, const finding* failed = nullptr) {
    std::lock_guard lock(mutex_);
    early_.state = std::move(state);
    early_.failure_code = failed ? failed->code : "";
    early_.failure_text = failed ? failed->text : "";
    early_.advice = failed ? failed->remedy : "";
  }
  void set(const hub* h) {
    std::lock_guard lock(mutex_);
    hub_ = h;
  }
  hub_status now() const {
    std::lock_guard lock(mutex_);
    if (hub_) return hub_->status();
    hub_status s = early_;
    s.uptime_s = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - since_).count();
    return s;
  }

 private:
  mutable std::mutex mutex_;
  hub_status early_;
  const hub* hub_ = nullptr;
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
};

// Forgets the hub before the hub ends.
class shown_hub {
 public:
  shown_hub(status_source& s, const hub& h) : source_(s) { source_.set(&h); }
  ~shown_hub() { source_.set(nullptr); }

 private:
  status_source& source_;
};

void log_findings(const preflight& p, bool warnings_too) {
  for (const auto& group : p.groups()) {
    for (const auto& f : group.lines) {
      if (f.is == finding::level::ok || (f.is == finding::level::warn && !warnings_too)) continue;
      std::string remedy = f.remedy;
      std::replace(remedy.begin(), remedy.end(), '\n', ' ');
      spdlog::log(f.is == finding::level::warn ? spdlog::level::warn : spdlog::level::err, "{}: {} [{}]{}{}",
                  f.where.empty() ? group.where : f.where, f.text, f.code, remedy.empty() ? "" : "; to do: ", remedy);
    }
  }
}

// The log has said why.
int not_started(const options& o, console& c, const preflight& p, int code) {
  if (!o.json) return code;
  auto document = findings_json(p.groups());
  document["link"] = p.cfg.link;
  document["result"] = "not_started";
  return answer(c, "run", code, std::move(document));
}

void log_failure(const failure& f) {
  std::string remedy = f.remedy.empty() ? std::string(advice(f.kind)) : f.remedy;
  std::replace(remedy.begin(), remedy.end(), '\n', ' ');
  spdlog::error("stopped: {}: {}{}; to do: {}", name(f.kind), f.what(), f.server_code.empty() ? "" : " (server: " + f.server_code + ")",
                remedy);
}

// Until both databases are there and checked. False: stopped meanwhile. `p` is made anew for each try.
bool examine(const options& o, const engines& e, std::stop_token stop, status_source& shown, std::unique_ptr<preflight>& p) {
  std::minstd_rand random(std::random_device{}());
  auto pause = 500ms;
  for (bool first = true;; first = false) {
    if (p->connect()) {
      p->bind();
      p->check();
      p->check_set_up();
    }
    if (p->exit_code() != exit_unreachable) return true;
    const auto wait = pause + std::chrono::milliseconds(random() % static_cast<unsigned>(pause.count() / 2));
    log_findings(*p, first);
    for (const auto& group : p->groups())
      for (const auto& f : group.lines)
        if (f.is == finding::level::refuse) shown.say("waiting for " + group.where, &f);
    spdlog::warn("trying again in {:.1f} s", static_cast<double>(wait.count()) / 1000);
    if (!sleep_for(stop, wait)) return false;
    pause = std::min<std::chrono::milliseconds>(pause * 2, reconnect_pause_max);
    p = std::make_unique<preflight>(o.config_file, e);
    if (p->load()) continue;
    p->look_further();
    return true;
  }
}

}  // namespace

int run(const options& o, const engines& e, console& c) {
  start_logging(o.log_level, o.log_json || o.json);
  signal_watch signals;
  auto p = std::make_unique<preflight>(o.config_file, e);
  if (!p->load()) {
    p->look_further();
    log_findings(*p, true);
    return not_started(o, c, *p, p->exit_code());
  }
  status_source shown(p->cfg);
  std::unique_ptr<observe::status_server> page;
  if (p->cfg.status_port != 0) {
    page = std::make_unique<observe::status_server>(p->cfg.status_host, p->cfg.status_port, [&shown] { return shown.now(); });
    spdlog::info("status page: http://{}:{}/", p->cfg.status_host, page->port());
  }
  spdlog::info("link {}: starting between {} and {}", p->cfg.link, p->cfg.home.describe(), p->cfg.spoke.describe());
  if (!examine(o, e, signals.token(), shown, p)) {
    spdlog::info("link {}: stopped", p->cfg.link);
    return exit_fine;
  }
  log_findings(*p, true);
  if (const int code = p->exit_code(); code != exit_fine) {
    spdlog::error("not started: mend what is refused first; `duet check` shows all of it");
    return not_started(o, c, *p, code == exit_findings ? exit_refused : code);
  }
  if (!o.plan_file.empty()) {
    try {
      spdlog::info("plan {} fits", require_plan(o.plan_file, *p));
    } catch (const failure& f) {
      log_failure(f);
      return o.json ? answer_failure(o, c, "run", f) : exit_code(f.kind);
    }
  }
  p->home.reset();  // the hub makes its own
  p->spoke.reset();

  hub link(p->cfg, p->tables, e.home(p->cfg, p->tables), e.spoke(p->cfg, p->tables));
  const shown_hub show(shown, link);
  std::jthread progress([&link](std::stop_token over) {
    hub_status before = link.status();
    while (sleep_for(over, progress_pause)) {
      hub_status now = link.status();
      if (const std::string line = observe::progress_line(before, now, std::chrono::duration<double>(progress_pause).count()); !line.empty())
        spdlog::info("{}", line);
      before = std::move(now);
    }
  });
  try {
    link.run(signals.token(), o.take_over);
  } catch (const failure& f) {
    log_failure(f);
    return o.json ? answer_failure(o, c, "run", f) : exit_code(f.kind);
  }
  const hub_status last = link.status();
  spdlog::info("link {}: stopped; rows applied: {} at the spoke, {} at home", p->cfg.link, last.home_to_spoke.rows.applied,
               last.spoke_to_home.rows.applied);
  return exit_fine;
}

}  // namespace duet::cli
