// Both lanes of a link between one start and the next: their objects, without threads. The hub runs them; a simulation steps
// them.
#pragma once

#include <functional>
#include <memory>

#include "causality/write_index.hpp"
#include "duet/hub.hpp"
#include "pipeline/applier.hpp"
#include "pipeline/reader.hpp"

namespace duet::pipeline {

// Everything of one direction: the log of `from` is read and written to the other side.
struct lane {
  lane(side from, const tuning& t) : from(from), local_writes({t.spill_dir, t.index_bytes_max, t.spill_bytes_max}), ring(t) {}
  side from;
  std::unique_ptr<source> log;
  std::unique_ptr<target> other_side;
  std::unique_ptr<target> owner;  // a second session at `from`, to look up values that `from` owns; only where it owns any
  causality::write_index local_writes;  // of `from`
  change_ring ring;
  std::unique_ptr<copying> first_copy;  // of tables of `from`; null: there is none to be made
  std::unique_ptr<reader> reading;
  std::unique_ptr<applier> applying;
};

struct lanes {
  explicit lanes(const tuning& t) : home_to_spoke(side::home, t), spoke_to_home(side::spoke, t) {}
  lane home_to_spoke, spoke_to_home;
  std::uint64_t epoch = 0;
};

// The handshake with two connected sites (identity, epoch, cross floors, range; fingerprints follow when the logs are read),
// and then the lanes, ready to read from where both control rows say. `follow` gives the applier that writes to a side its
// way to wait for that side's log. `settle` is asked when both control rows are ours: it may set them back, and change the
// mapping. Throws failure.
std::unique_ptr<lanes> open_lanes(const config&, const mapping&, link_state&, site& home_site, site& spoke_site, const side_factory& home,
                                  const side_factory& spoke, bool take_over, const std::function<applier::follower(lane&)>& follow,
                                  const std::function<void(control_row& home, control_row& spoke)>& settle = {});

}  // namespace duet::pipeline
