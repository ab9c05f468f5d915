// Reads a table of one side in the order of its key: for its first copy, and to compare it. Used by one thread, but for
// interrupt().
//
// Rows that are locked are locked for share until release(): whatever the log has of them from before lies before the end of the
// log that log_end() names then, and nothing new of them can come before release().
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "duet/mapping.hpp"
#include "duet/target.hpp"

namespace duet {

struct next_rows {
  std::vector<owned_row> rows;  // in the side's canonical form, in key order
  bool last = false;            // the table ends with them
  std::string cursor;           // of the last one: reading goes on from there; for this engine to read
  bool busy = false;            // a row is locked by somebody: nothing was read, nothing is locked
};

class row_reader {
 public:
  virtual ~row_reader() = default;

  virtual void open() = 0;  // connects; throws failure
  // The next rows behind the cursor (empty: from the first one), at most `limit`. Not locked, they are as committed.
  // Throws failure.
  virtual next_rows read_rows(const table_pair&, const std::string& cursor, std::size_t limit, bool lock) = 0;
  // All that has committed by now lies in the log before this, and the log's reader will get there. Throws failure.
  virtual log_position log_end() = 0;
  virtual void release() noexcept = 0;
  virtual std::uint64_t estimate_rows(const table_pair&) = 0;  // by the server's statistics; 0: not known
  virtual void interrupt() noexcept = 0;                       // from any thread: a statement that waits throws soon
};

}  // namespace duet
