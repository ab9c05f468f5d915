// Start-up, supervision and the end of a link. What a lane does is in reader and applier.
#include "duet/hub.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <random>
#include <thread>

#include "duet/failure.hpp"
#include "pipeline/images.hpp"
#include "pipeline/lanes.hpp"
#include "pipeline/schema_watch.hpp"
#include "pipeline/upkeep.hpp"

namespace duet {

using namespace std::chrono_literals;
using pipeline::lane;
using pipeline::lanes;
using clock = std::chrono::steady_clock;

namespace {

constexpr auto drain_limit = 4s;  // of each side, one after the other
constexpr auto last_read_limit = 1s;
constexpr auto pause_max = 10s;

// A log is released only as far as the round trip is durable: applied there, and the echo's floor committed here. What a paused
// table waits for is kept.
log_position releasable(const lane& l, const lane& back, const pipeline::link_state& link) {
  const log_position done = std::min(l.applying->position(), back.applying->floor()), kept = link.kept_from[static_cast<int>(l.from)];
  return kept ? std::min(done, kept) : done;
}

// The lanes between a start and the next one, with their threads. Destruction stops and joins.
struct running {
  explicit running(std::unique_ptr<lanes> l) : both(std::move(l)) {}
  std::unique_ptr<lanes> both;
  std::vector<std::jthread> readers, appliers;
  std::atomic<bool> read[2] = {}, applied[2] = {};  // by the log's side: its reader, its applier has ended
};

}  // namespace

struct hub::state {
  const config& cfg;
  mapping& map;
  side_factory home, spoke;
  pipeline::link_state link;
  pipeline::schema_changes schema;

  mutable std::mutex mutex;
  std::condition_variable_any changed;
  std::exception_ptr broken;            // the first failure of a thread since the lanes were started
  std::unique_ptr<site> home_site, spoke_site;
  std::unique_ptr<running> now;
  std::unique_ptr<pipeline::upkeep> beside;  // from the first start of the lanes to the end
  std::unique_ptr<pipeline::schema_watch> watch;  // the same
  hub_status told;                      // the parts that do not come from the lanes
  lane_counters before[2];              // counters of lanes that have ended
  clock::time_point since = clock::now();

  state(const config& c, mapping& m, side_factory h, side_factory s)
      : cfg(c), map(m), home(std::move(h)), spoke(std::move(s)), link(m.tables.size()), schema(c, m) {
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

  void start(bool take_over);
  void stop(bool drain);
  void drain(lane& down, lane& up);
  void supervise(std::stop_token);
};

void hub::state::start(bool take_over) {
  if (!home_site) {
    auto h = home.make_site(), s = spoke.make_site();
    h->connect();
    s->connect();
    std::lock_guard lock(mutex);
    home_site = std::move(h);
    spoke_site = std::move(s);
  }
  const auto follow = [](const lane& l) {
    return [&l](log_position place, std::chrono::milliseconds limit, std::stop_token stop) { return l.local_writes.wait_read(place, limit, stop); };
  };
  auto opened = pipeline::open_lanes(cfg, map, link, *home_site, *spoke_site, home, spoke, take_over, follow, [this](control_row& at_home, control_row& at_spoke) {
    auto other = schema.settle(*home_site, *spoke_site, at_home, at_spoke, link);
    if (!other) return;
    std::lock_guard lock(mutex);
    map = std::move(*other);
    link.begin_anew(map.tables.size());
  });
  {
    std::lock_guard lock(mutex);
    broken = nullptr;
    told.epoch = opened->epoch;
    now = std::make_unique<running>(std::move(opened));
  }
  auto run_reader = [this](lane& l, const lane& back) {
    return std::jthread([this, &l, &back](std::stop_token stop) {
      try {
        l.reading->run(stop, [&] { return releasable(l, back, link); });
      } catch (...) {
        if (!stop.stop_requested()) break_with(std::current_exception());
      }
      now->read[static_cast<int>(l.from)] = true;
    });
  };
  auto run_applier = [this](lane& l) {
    return std::jthread([this, &l](std::stop_token stop) {
      try {
        l.applying->work(stop, drain_limit);
      } catch (...) {
        break_with(std::current_exception());
      }
      now->applied[static_cast<int>(l.from)] = true;
    });
  };
  lane &down = now->both->home_to_spoke, &up = now->both->spoke_to_home;
  now->readers.push_back(run_reader(down, up));
  now->readers.push_back(run_reader(up, down));
  now->appliers.push_back(run_applier(down));
  now->appliers.push_back(run_applier(up));
}

void hub::state::stop(bool drain) {
  if (!now) return;
  lane &down = now->both->home_to_spoke, &up = now->both->spoke_to_home;
  lane* const lanes_now[] = {&down, &up};
  if (drain) {
    this->drain(down, up);
  } else {
    for (auto& t : now->readers) t.request_stop();
    for (lane* l : lanes_now) {
      l->log->interrupt();
      l->applying->give_up();
      l->other_side->interrupt();
      if (l->owner) l->owner->interrupt();
      if (l->first_copy) l->first_copy->interrupt();
    }
    for (auto& t : now->appliers) t.request_stop();
  }
  now->readers.clear();
  now->appliers.clear();
  std::lock_guard lock(mutex);
  for (lane* l : lanes_now) before[static_cast<int>(l->from)] += l->applying->counters();
  now.reset();
}

// The readers stop and the appliers write what has been read; a decision that still waits for a log is given up and taken
// again after the next start. Home is done first and its last control row is read back, so that the spoke's says how much home
// has of its log, and home's log is released that far: the next start finds its place at once.
void hub::state::drain(lane& down, lane& up) {
  const auto until = [](clock::time_point limit, const auto& done) {
    while (!done() && clock::now() < limit) std::this_thread::sleep_for(5ms);
    return done();
  };
  const auto end_of = [&](lane& l) {
    const auto i = static_cast<std::size_t>(l.from);
    now->readers[i].request_stop();
    now->appliers[i].request_stop();
    if (!until(clock::now() + drain_limit + 200ms, [&] { return now->applied[i].load(); })) {  // its server does not answer
      l.applying->give_up();
      l.other_side->interrupt();
      if (l.owner) l.owner->interrupt();
    }
    now->appliers[i].join();
  };
  end_of(up);
  until(clock::now() + last_read_limit, [&] { return down.reading->seen() >= up.applying->position() || now->applied[0] || now->read[0]; });
  end_of(down);
  for (lane* l : {&down, &up}) {
    until(clock::now() + last_read_limit, [&] { return now->read[static_cast<int>(l->from)].load(); });
    if (l->reading->left()) l->log->finish(releasable(*l, l == &down ? up : down, link));
    else l->log->interrupt();
    if (l->first_copy) l->first_copy->interrupt();
  }
}

void hub::state::supervise(std::stop_token stop) {
  std::unique_lock lock(mutex);
  changed.wait(lock, stop, [&] { return broken != nullptr; });
  if (!broken) return;
  const std::exception_ptr e = broken;
  lock.unlock();
  std::rethrow_exception(e);
}

hub::hub(const config& c, mapping& m, side_factory home, side_factory spoke)
    : state_(std::make_unique<state>(c, m, std::move(home), std::move(spoke))) {}

hub::~hub() {
  state_->watch.reset();
  state_->stop(false);
}

void hub::run(std::stop_token stop, bool take_over) {
  state& s = *state_;
  std::minstd_rand random(std::random_device{}());
  auto pause = 100ms;
  for (;;) {
    const auto started = clock::now();
    try {
      s.start(take_over);
      take_over = false;  // that was an order for once: from who takes over later nothing is taken back
      s.say("streaming", true);
      if (!s.beside) {
        auto beside = std::make_unique<pipeline::upkeep>(s.cfg, s.link, s.home.make_site, s.spoke.make_site);
        std::lock_guard lock(s.mutex);
        s.beside = std::move(beside);
        s.watch = std::make_unique<pipeline::schema_watch>(s.schema, s.home.make_site, s.spoke.make_site, [&s] {
          s.break_with(std::make_exception_ptr(failure(failure_kind::schema_changed, "a synced table has been altered")));
        });
      }
      spdlog::info("link {}: both lanes stream (epoch {})", s.cfg.link, s.told.epoch);
      s.supervise(stop);
      s.say("draining", false);
      s.stop(true);
      s.say("stopped", false);
      return;
    } catch (const failure& f) {
      const bool altered = f.kind == failure_kind::schema_changed && s.schema.met(f);
      s.stop(altered);  // what has been read is written as the tables were then
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
      if (!altered && reaction_to(f.kind) != reaction::retry) {
        s.say("stopped: " + std::string(name(f.kind)), false);
        throw;
      }
      if (clock::now() - started > 30s) pause = 100ms;
      const bool broken = !altered && f.kind != failure_kind::decided_by_hand && f.kind != failure_kind::read_again;
      if (!broken) pause = 100ms;
      const auto wait = pause + std::chrono::milliseconds(random() % (pause.count() / 2));
      spdlog::log(broken ? spdlog::level::warn : spdlog::level::info, "link {}: {}: {}; again in {} ms", s.cfg.link, name(f.kind), f.what(), wait.count());
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
    to.rows += l->applying->counters();
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
    to.index_bytes = l->local_writes.memory_bytes();
    to.index_spill_bytes = l->local_writes.file_bytes();
  };
  out.held_rows = s.now ? s.link.held.size() : 0;
  for (const table_pair& t : s.map.tables)
    if (s.now && s.link.stopped_tables[t.id]) out.stopped_tables.push_back(pipeline::table_name(t));
  for (const side at : {side::home, side::spoke})
    out.echoes_compared[static_cast<int>(at)] = s.link.audit[static_cast<int>(at)].compared(s.map, out.echo_differences);
  if (s.beside) out.clocks = s.beside->clocks();
  out.paused_tables = s.schema.status();
  if (s.now)
    for (const lane* l : {&s.now->both->home_to_spoke, &s.now->both->spoke_to_home})
      if (l->first_copy)
        for (copy_status& c : l->first_copy->status()) out.copies.push_back(std::move(c));
  fill(out.home_to_spoke, side::home, s.before[0], s.now ? &s.now->both->home_to_spoke : nullptr, s.home_site.get());
  fill(out.spoke_to_home, side::spoke, s.before[1], s.now ? &s.now->both->spoke_to_home : nullptr, s.spoke_site.get());
  return out;
}

}  // namespace duet
