// A paused table goes on: both control rows are set back to where it was paused, and the logs are read again from there. Its
// changes are new then; those of all other tables have been carried over further, up to where the control rows stood.
//
// So for a while there are two sorts of tables, which differ in three things: which changes are done, what a side had seen of
// the other log when it wrote (of the paused table nothing since the pause), and which trespasses have been put back. Both are
// one again when both control rows have passed where they stood, and so have their floors.
#pragma once

#include <cstdint>

#include "duet/control.hpp"
#include "duet/schema.hpp"

namespace duet::pipeline {

struct place {  // what a control row says of how far its side is
  log_position position, floor;
  std::uint64_t fingerprint = 0;
  static place of(const control_row& c) { return {c.position, c.floor, c.fingerprint}; }
  friend bool operator==(const place&, const place&) = default;
};
struct both_places { place home, spoke; };  // of the control row there

struct resumption {
  std::uint64_t counters[2] = {};  // by side: of its control row as it was set back; lower ones are from before
  both_places paused;       // where the tables that catch up were paused
  both_places others;       // where the other tables are

  // Of the log of one side, in the words of pipeline/reader.
  log_position others_applied(side log) const { return log == side::home ? others.spoke.position : others.home.position; }
  log_position others_seen(side log) const { return log == side::home ? others.spoke.floor : others.home.floor; }
  log_position others_settled() const { return others.home.floor; }  // of home's log
  // What the log's side had seen of the other log, of tables that catch up, when the pause ended.
  log_position seen_when_paused(side log) const { return log == side::home ? paused.home.position : paused.spoke.position; }

  // The control row at a side has passed where it stood; what it has seen then was written after it had been set back.
  bool passed(side at, const control_row& c) const {
    const place &own = at == side::home ? others.home : others.spoke, &there = at == side::home ? others.spoke : others.home;
    return c.position >= own.position && c.floor >= there.position;
  }
  bool done(const control_row& home, const control_row& spoke) const { return passed(side::home, home) && passed(side::spoke, spoke); }
};

}  // namespace duet::pipeline
