#include "pipeline/lanes.hpp"

#include <algorithm>

#include "duet/failure.hpp"
#include "pipeline/images.hpp"

namespace duet::pipeline {
namespace {

bool same_identity(const control_row& c, const std::string& source, const std::string& own) {
  return c.source_identity == source && c.own_identity == own;
}

failure other_history(std::string what) { return failure(failure_kind::history_changed, std::move(what)); }

}  // namespace

// What is left to be copied. A copy that is new is begun: the table that it fills must be empty, if it is not merged.
std::unique_ptr<copying> begin_copies(const mapping& map, lane& l, const side_factory& from) {
  const std::vector<std::uint16_t> wanted = copy_order(map, l.from);
  if (wanted.empty()) return nullptr;
  const auto of = [&](std::uint16_t t) { return table_name(map.tables[t]); };
  std::vector<table_copy> known = l.other_side->load_copies();
  for (const std::uint16_t t : wanted) {
    if (std::any_of(known.begin(), known.end(), [&](const table_copy& c) { return c.table == of(t); })) continue;
    if (!l.other_side->start_copy(map.tables[t]))
      throw failure(failure_kind::configuration, of(t) + " can't be copied from " + std::string(name(l.from)) + ": the table at " + std::string(name(other(l.from))) + " has rows", {},
                    "duet teardown (else the other side is emptied, too); empty the table; duet setup. Or take `initial` out if both sides are equal");
    known.push_back({of(t), {}, 0, false});
  }
  if (std::all_of(known.begin(), known.end(), [](const table_copy& c) { return c.done; })) return nullptr;
  if (!from.make_row_reader) throw failure(failure_kind::internal, "nothing can be copied from " + std::string(name(l.from)));
  return std::make_unique<copying>(map, l.from, from.make_row_reader(), known);
}

std::unique_ptr<lanes> open_lanes(const config& cfg, const mapping& map, link_state& link, site& home_site, site& spoke_site,
                                  const side_factory& home, const side_factory& spoke, bool take_over,
                                  const std::function<applier::follower(lane&)>& follow, const std::function<void(control_row&, control_row&)>& settle) {
  const site_identity home_id = home_site.identity(), spoke_id = spoke_site.identity();
  const auto h = home_site.load_control(), s = spoke_site.load_control();
  if (!h || !s)
    throw failure(failure_kind::not_set_up, "link " + cfg.link + " is not set up at " + (h ? "the spoke" : s ? "home" : "either side"));
  if (!same_identity(*h, spoke_id.id, home_id.id) || !same_identity(*s, home_id.id, spoke_id.id))
    throw other_history("the databases are not the ones that link " + cfg.link + " was set up with");

  const std::uint64_t last_epoch = std::max(h->epoch, s->epoch);
  if (link.claimed_epoch && last_epoch > link.claimed_epoch)
    throw failure(failure_kind::fenced, "another hub has taken link " + cfg.link + " over since this one has run it");
  link.claimed_epoch = last_epoch + 1;  // before it is raised: the answer may be lost
  control_row at_home = home_site.take_over(last_epoch + 1, take_over);
  link.claimed_epoch = at_home.epoch;
  control_row at_spoke = spoke_site.take_over(at_home.epoch, take_over);
  if (at_spoke.epoch != at_home.epoch) throw failure(failure_kind::fenced, "another hub takes this link over at the same time");

  if (settle) settle(at_home, at_spoke);

  if (at_home.position < at_spoke.floor)
    throw other_history("the spoke has seen home acknowledge more than home remembers: home is an older copy");
  if (at_spoke.position < at_home.floor)
    throw other_history("home has seen the spoke acknowledge more than the spoke remembers: the spoke is an older copy");
  const log_position home_start = std::min(at_spoke.position, at_home.floor);
  const log_position spoke_start = std::min(at_home.position, at_spoke.floor);
  home_site.check_log(home_start, std::max(at_spoke.position, at_home.floor));
  spoke_site.check_log(spoke_start, std::max(at_home.position, at_spoke.floor));

  auto both = std::make_unique<lanes>(cfg.tune);
  both->epoch = at_home.epoch;
  lane &down = both->home_to_spoke, &up = both->spoke_to_home;
  down.log = home.make_source();
  up.log = spoke.make_source();
  down.other_side = spoke.make_target();
  up.other_side = home.make_target();
  down.other_side->open();
  up.other_side->open();
  const auto owns = [&](const table_pair& t) { return t.policy.owned[static_cast<int>(side::spoke)] != 0; };
  if (std::any_of(map.tables.begin(), map.tables.end(), owns)) {
    up.owner = spoke.make_target();
    up.owner->open();
  }
  link.home_counter = at_home.counter;
  link.held.clear();
  link.put_back.clear();
  for (echo_audit& a : link.audit) a.restart();
  for (auto& stopped : link.stopped_tables) stopped = false;  // what stops a table stands in duet.held, or is read again
  const auto held_at_home = up.other_side->load_held_tokens(), held_at_spoke = down.other_side->load_held_tokens();
  const log_position decisions_from = up.other_side->catch_up_point();

  const resumption* const resumed = link.resumed ? &*link.resumed : nullptr;
  down.reading = std::make_unique<reader>(side::home, *down.log, map, down.local_writes, down.ring, link.held, link.put_back,
                                          reader_start{home_start, at_spoke.position, at_home.floor, at_spoke.floor, both->epoch, &link.home_counter, resumed});
  up.reading = std::make_unique<reader>(side::spoke, *up.log, map, up.local_writes, up.ring, link.held, link.put_back,
                                        reader_start{spoke_start, at_home.position, {}, at_home.floor, 0, nullptr, resumed});
  down.applying = std::make_unique<applier>(side::spoke, *down.other_side, map, cfg, down.ring, up.local_writes, link, at_spoke,
                                            held_at_spoke, follow(up), log_position{});
  up.applying = std::make_unique<applier>(side::home, *up.other_side, map, cfg, up.ring, down.local_writes, link, at_home, held_at_home,
                                          follow(down), decisions_from);
  up.applying->look_up_at(up.owner.get());
  down.first_copy = begin_copies(map, down, home);
  up.first_copy = begin_copies(map, up, spoke);
  if (down.first_copy) down.first_copy->behind(up.first_copy.get());
  for (lane* l : {&down, &up}) {
    l->reading->copy(l->first_copy.get());
    l->reading->audit(&link.audit[static_cast<int>(l->from)]);
    l->applying->copy(l->first_copy.get(), (l == &down ? up : down).first_copy.get());
  }
  return both;
}

}  // namespace duet::pipeline
