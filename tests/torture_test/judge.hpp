// Judges a run by what SQL says of both databases: the tables, the journals, and Duet's own tables.
//
//   I1  convergence       both sides are equal in every row that is not held; only tables that the README names have held rows
//   I2  exact deltas      each balance is what it was plus all that both journals have added
//   I3  no silent loss    each value of a journal stands, or was written over by somebody who had it before him, or lost and
//                         stands in duet.conflict_log, or waits in duet.held
//   I4  nothing invented  each value that stands is in a journal or was there before
//   I5  no resurrection   a value that was deleted stands only if duet.conflict_log says that its row was brought back
//   I6  atomicity         nobody saw half a transaction: the pairs' sums, looked at all the time and at the end
//   I7  no loop           when nobody writes, neither side's control row moves, and the spoke's log does not grow; in all no
//                         more transactions of the hub than of the applications, heartbeats and restarts
//   I9  true conflicts    a line of duet.conflict_log is about a key that both sides have written, and names its rule
//   I10 bounded           floors and positions reach the logs' ends, the slot follows, no write is left in the index
//   I11 constraints       no child without its parent, no unique value twice
//   I13 clean echo        no row was found other than the log said (drift)
//   I14 whole fields      columns that are decided as one (groups, merge: row) stand as somebody has left them
//
// Not here: I8 (the order in which the other side's values were seen) takes a trigger on each side, which would change what
// is tested. The other half of I9 (no conflict without its line) takes the history of markers; what it protects is I3. I12
// (refusals) has its own tests, integration/sync: lost_log, older_copy, take_over.
#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "torture_test/stage.hpp"

namespace duet::torture {

struct violation {
  std::string invariant, what;
};

// What was seen while it ran; the rest is asked for afterwards.
struct observed {
  std::uint64_t looks = 0, torn = 0;   // by onlookers
  std::vector<violation> violations;   // of I7 and I10, which need a running hub
};

struct verdict {
  std::vector<violation> violations;
  std::uint64_t transactions[2] = {}, journal_rows = 0, conflicts = 0, held = 0, values = 0;
};

enum class evidence { keep, keep_if_wrong, none };

// Both sides have come to rest and the hub is stopped. Nothing is changed; the evidence goes to the stage's folder.
verdict judge(stage&, const observed&, evidence);

}  // namespace duet::torture
