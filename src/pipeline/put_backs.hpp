// What home wrote into columns that the spoke owns and that home must take back: conflict.own, owner spoke.
//
// The spoke never gets such a write. Once the spoke has acknowledged the transaction (so that the row stands there as far as it
// ever will), home's applier takes the owner's value as it is there now, in the very transaction that commits the
// acknowledgement: home's log is read again only from behind there, so nothing is forgotten and nothing done twice. The value
// may be newer than what has come from the spoke's log: the log will bring it again, and ends with the same one.
//
// The reader of home's log adds, home's applier takes. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "duet/position.hpp"

namespace duet::pipeline {

struct put_back {
  log_position position;  // of home's transaction
  std::uint16_t table = 0;
  std::uint64_t token = 0;
  std::vector<std::optional<std::string>> key;  // by column; home's form
  std::string written;    // home's row as it was written, JSON; empty: the key has changed, and may have taken one along
  bool moot = false;      // since then the row was deleted or is a new one: what it holds is no trespass, but that one is on record
};

class put_backs {
 public:
  void add(put_back);                                        // in log order
  bool any_until(log_position floor) const;                  // is one acknowledged?
  std::vector<put_back> until(log_position floor) const;
  void row_is_another(std::uint64_t token);                  // deleted, inserted anew, or moved to or from another key
  bool stands(std::uint64_t token, log_position floor) const;  // is one acknowledged that is not moot?
  void done(log_position floor);                             // committed up to here
  void clear();

 private:
  mutable std::mutex mutex_;
  std::vector<put_back> all_;
  std::atomic<std::uint64_t> first_{~std::uint64_t{0}};  // the first one's position; spares the lock where there is none
};

}  // namespace duet::pipeline
