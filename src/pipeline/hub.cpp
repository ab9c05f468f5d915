// Start-up, supervision and the end of a link. What a lane does is in reader and applier.
#include "duet/hub.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <random>
#include <thread>

#include "causality/write_index.hpp"
#include "duet/failure.hpp"
#include "pipeline/applier.hpp"
#include "pipeline/reader.hpp"

namespace duet {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

namespace {

constexpr auto drain_limit = 8s;
constexpr auto pause_max = 10s;

// Everything of one direction: the log of `from` is read and written to the other side.
struct lane {
  lane(side from, const tuning& t) : from(from), ring(t) {}
  side from;
  std::unique_ptr<source> log;
  std::unique_ptr<target> other_side;
  causality::write_index local_writes;  // of `from`
  pipeline::change_ring ring;
  std::unique_ptr<pipeline::reader> reading;
  std::unique_ptr<pipeline::applier> applying;
};

// The lanes between a start and the next one, with their threads. Destruction stops and joins.
struct running {
  running(const tuning& t) : home_to_spoke(side::home, t), spoke_to_home(side::spoke, t) {}
  lane home_to_spoke, spoke_to_home;
  std::vector<std::jthread> readers, appliers;
};

bool same_identity(const control_row& c, const std::string& source, const std::string& own) {
  return c.source_identity == source && c.own_identity == own;
}

failure other_history(std::string what) { return failure(failure_kind::history_changed, std::move(what)); }

}  // namespace

struct hub::state {
  const config& cfg;
  const mapping& map;
  side_factory home, spoke;
  pipeline::link_state link;

  mutable std::mutex mutex;
  std::condition_variable_any changed;
  std::exception_ptr broken;            // the first failure of a thread since the lanes were started
  std::unique_ptr<site> home_site, spoke_site;
  std::unique_ptr<running> lanes;
  hub_status told;                      // the parts that do not come from the lanes
  lane_counters before[2];              // counters of lanes that have ended
  clock::time_point since = clock::now();

  state(const config& c, const mapping& m, side_factory h, side_factory s)
      : cfg(c), map(m), home(std::move(h)), spoke(std::move(s)), link(m.tables.size()) {
    told.link = c.link;
    told.state = "starting";
  }

  void say(std::string what, bool healthy) {
    std::lock_guard lock(mutex);
    told.state = std::move(what);
    told.healthy = healthy;
    if (healthy) told.failure_code = told.failure_text = told.advice = {};
  }
  void break_with(std::exception_ptr e) {
    {
      std::lock_guard lock(mutex);
      if (!broken) broken = e;
    }
    changed.notify_all();
  }

  void start(bool take_over, std::stop_token);
  void stop(bool drain);
  void supervise(std::stop_token);
};

namespace {

void add_counters(lane_counters& to, const lane_counters& c) {
  const auto* from = reinterpret_cast<const std::uint64_t*>(&c);
  auto* sum = reinterpret_cast<std::uint64_t*>(&to);
  static_assert(sizeof(lane_counters) % sizeof(std::uint64_t) == 0);
  for (std::size_t i = 0; i < sizeof(lane_counters) / sizeof(std::uint64_t); ++i) sum[i] += from[i];
}

}  // namespace

// The handshake (correctness.md 3.3): identity, epoch, cross floors, range; fingerprints follow when the logs are read.
void hub::state::start(bool take_over, std::stop_token) {
  if (!home_site) {
    auto h = home.make_site(), s = spoke.make_site();
    h->connect();
    s->connect();
    std::lock_guard lock(mutex);
    home_site = std::move(h);
    spoke_site = std::move(s);
  }
  const site_identity home_id = home_site->identity(), spoke_id = spoke_site->identity();
  const auto h = home_site->load_control(), s = spoke_site->load_control();
  if (!h || !s)
    throw failure(failure_kind::not_set_up, "link " + cfg.link + " is not set up at " + (h ? "the spoke" : s ? "home" : "either side"));
  if (!same_identity(*h, spoke_id.id, home_id.id) || !same_identity(*s, home_id.id, spoke_id.id))
    throw other_history("the databases are not the ones that link " + cfg.link + " was set up with");

  const std::uint64_t epoch = std::max(h->epoch, s->epoch) + 1;
  const control_row at_home = home_site->take_over(epoch, take_over);
  const control_row at_spoke = spoke_site->take_over(at_home.epoch, take_over);
  if (at_spoke.epoch != at_home.epoch) throw failure(failure_kind::fenced, "another hub takes this link over at the same time");

  if (at_home.position < at_spoke.floor)
    throw other_history("the spoke has seen home acknowledge more than home remembers: home is an older copy");
  if (at_spoke.position < at_home.floor)
    throw other_history("home has seen the spoke acknowledge more than the spoke remembers: the spoke is an older copy");
  const log_position home_start = std::min(at_spoke.position, at_home.floor);
  const log_position spoke_start = std::min(at_home.position, at_spoke.floor);
  home_site->check_log(home_start, std::max(at_spoke.position, at_home.floor));
  spoke_site->check_log(spoke_start, std::max(at_home.position, at_spoke.floor));

  auto r = std::make_unique<running>(cfg.tune);
  lane& down = r->home_to_spoke;
  lane& up = r->spoke_to_home;
  down.log = home.make_source();
  up.log = spoke.make_source();
  down.other_side = spoke.make_target();
  up.other_side = home.make_target();
  down.other_side->open();
  up.other_side->open();
  const auto held_at_home = up.other_side->load_held_tokens(), held_at_spoke = down.other_side->load_held_tokens();
  const log_position decisions_from = up.other_side->catch_up_point();

  down.reading = std::make_unique<pipeline::reader>(side::home, *down.log, map, down.local_writes, down.ring,
                                                    pipeline::reader_start{home_start, at_spoke.position, at_spoke.floor});
  up.reading = std::make_unique<pipeline::reader>(side::spoke, *up.log, map, up.local_writes, up.ring,
                                                  pipeline::reader_start{spoke_start, at_home.position, at_home.floor});
  down.applying = std::make_unique<pipeline::applier>(side::spoke, *down.other_side, map, cfg, down.ring, up.local_writes, link,
                                                      at_spoke, held_at_spoke);
  up.applying = std::make_unique<pipeline::applier>(side::home, *up.other_side, map, cfg, up.ring, down.local_writes, link, at_home,
                                                    held_at_home);
  {
    std::lock_guard lock(mutex);
    broken = nullptr;
    told.epoch = at_home.epoch;
    lanes = std::move(r);
  }
  // A log is released only as far as the round trip is durable: applied there, and the echo's floor committed here.
  auto run_reader = [this](lane& l, const pipeline::applier& forth, const pipeline::applier& back) {
    return std::jthread([this, &l, &forth, &back](std::stop_token stop) {
      try {
        l.reading->run(stop, [&] { return std::min(forth.position(), back.floor()); });
      } catch (...) {
        if (!stop.stop_requested()) break_with(std::current_exception());
      }
    });
  };
  auto run_applier = [this](lane& l, log_position from) {
    return std::jthread([this, &l, from](std::stop_token stop) {
      try {
        l.applying->work(stop, from, drain_limit);
      } catch (...) {
        break_with(std::current_exception());
      }
    });
  };
  lanes->readers.push_back(run_reader(down, *down.applying, *up.applying));
  lanes->readers.push_back(run_reader(up, *up.applying, *down.applying));
  lanes->appliers.push_back(run_applier(down, {}));
  lanes->appliers.push_back(run_applier(up, decisions_from));
}

void hub::state::stop(bool drain) {
  if (!lanes) return;
  // Draining, the readers stop first and the appliers write what has been read; a decision that still waits for a log
  // is given up and taken again after the next start.
  for (auto& t : lanes->readers) t.request_stop();
  lanes->home_to_spoke.log->interrupt();
  lanes->spoke_to_home.log->interrupt();
  if (!drain) {
    lanes->home_to_spoke.applying->give_up();
    lanes->spoke_to_home.applying->give_up();
    lanes->home_to_spoke.other_side->interrupt();
    lanes->spoke_to_home.other_side->interrupt();
  }
  for (auto& t : lanes->appliers) t.request_stop();
  lanes->readers.clear();
  lanes->appliers.clear();
  std::lock_guard lock(mutex);
  add_counters(before[0], lanes->home_to_spoke.applying->counters());
  add_counters(before[1], lanes->spoke_to_home.applying->counters());
  lanes.reset();
}

void hub::state::supervise(std::stop_token stop) {
  std::unique_lock lock(mutex);
  changed.wait(lock, stop, [&] { return broken != nullptr; });
  if (!broken) return;
  const std::exception_ptr e = broken;
  lock.unlock();
  std::rethrow_exception(e);
}

hub::hub(const config& c, const mapping& m, side_factory home, side_factory spoke)
    : state_(std::make_unique<state>(c, m, std::move(home), std::move(spoke))) {}

hub::~hub() { state_->stop(false); }

void hub::run(std::stop_token stop, bool take_over) {
  state& s = *state_;
  std::minstd_rand random(std::random_device{}());
  auto pause = 100ms;
  for (;;) {
    const auto started = clock::now();
    try {
      s.start(take_over, stop);
      s.say("streaming", true);
      spdlog::info("link {}: both lanes stream (epoch {})", s.cfg.link, s.told.epoch);
      s.supervise(stop);
      s.say("draining", false);
      s.stop(true);
      s.say("stopped", false);
      return;
    } catch (const failure& f) {
      s.stop(false);
      {  // connections of the sites may be what broke; they hold the locks that say we are the only hub
        std::lock_guard lock(s.mutex);
        s.home_site.reset();
        s.spoke_site.reset();
        s.told.failure_code = name(f.kind);
        s.told.failure_text = f.what();
        s.told.advice = f.remedy.empty() ? std::string(advice(f.kind)) : f.remedy;
        ++s.told.restarts;
      }
      if (stop.stop_requested()) return;
      if (reaction_to(f.kind) != reaction::retry) {
        s.say("stopped: " + std::string(name(f.kind)), false);
        throw;
      }
      if (clock::now() - started > 30s) pause = 100ms;
      const auto wait = pause + std::chrono::milliseconds(random() % (pause.count() / 2));
      spdlog::warn("link {}: {}: {}; again in {} ms", s.cfg.link, name(f.kind), f.what(), wait.count());
      s.say(fmt::format("retrying in {} ms: {}", wait.count(), f.what()), false);
      std::unique_lock lock(s.mutex);
      s.changed.wait_for(lock, stop, wait, [] { return false; });
      if (stop.stop_requested()) return;
      pause = std::min<std::chrono::milliseconds>(pause * 2, pause_max);
    }
  }
}

hub_status hub::status() const {
  const state& s = *state_;
  std::lock_guard lock(s.mutex);
  hub_status out = s.told;
  out.uptime_s = std::chrono::duration_cast<std::chrono::seconds>(clock::now() - s.since).count();
  auto fill = [&](lane_status& to, side from, const lane_counters& ended, const lane* l, const site* log_site) {
    to.from = from;
    to.rows = ended;
    to.state = s.told.state;
    if (!l) return;
    add_counters(to.rows, l->applying->counters());
    to.read = l->local_writes.read_up_to();
    to.applied = l->applying->position();
    to.floor = l->applying->floor();
    if (log_site) {
      to.read_position = log_site->describe(to.read);
      to.applied_position = log_site->describe(to.applied);
    }
    to.lag_ms = l->applying->lag_ms();
    to.ring_bytes = l->ring.memory_bytes();
    to.spill_bytes = l->ring.spilled_bytes();
    to.index_entries = l->local_writes.size();
    out.held_rows += l->applying->held_keys();
  };
  fill(out.home_to_spoke, side::home, s.before[0], s.lanes ? &s.lanes->home_to_spoke : nullptr, s.home_site.get());
  fill(out.spoke_to_home, side::spoke, s.before[1], s.lanes ? &s.lanes->spoke_to_home : nullptr, s.spoke_site.get());
  return out;
}

}  // namespace duet
