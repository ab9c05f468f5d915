// A source reads one database's log and writes the changes of the mapped tables into change blocks.
// Used by one thread (the lane's reader), but for interrupt().
#pragma once

#include <chrono>

#include "duet/change.hpp"
#include "duet/position.hpp"

namespace duet {

class source {
 public:
  virtual ~source() = default;

  // Opens the stream so that the first transaction delivered is the one at `from` (or the first one after it if there is
  // none at it). Throws failure: log_lost when the server no longer has it, and never starts later in silence.
  virtual void start(log_position from) = 0;

  // Decodes what has arrived, at most some 100 KB of it, into the writer; waits up to `wait` for the first byte.
  // False: nothing had arrived. Does not flush the writer.
  virtual bool read(block_writer&, std::chrono::milliseconds wait) = 0;

  // The log up to `released` is no longer needed by us. Sent with the next message to the server, at the latest after 1 s.
  virtual void release(log_position released) = 0;

  // The end of reading, when there is time for one: the server is told at once what it may forget, so that the next start
  // need not read it again. Nothing may be read afterwards. Never throws: what could not be said is read again.
  virtual void finish(log_position) noexcept {}

  // Called at least once a second while the reader can't take more data (back-pressure), so that the server keeps us.
  virtual void keep_alive() = 0;

  // Everything before this has been delivered. PostgreSQL: also moves by keepalives. MySQL: the end of the last event.
  virtual log_position read_up_to() const = 0;

  // From any thread: a blocked read() returns or throws soon.
  virtual void interrupt() noexcept = 0;
};

}  // namespace duet
