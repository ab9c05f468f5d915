// The first copy of one side's tables: chunk after chunk, through the lane like any change.
//
// The reader of the side's log reads the next rows under shared locks (duet/row_reader.hpp), reads its log to the end that was
// noted then, lets the rows go and puts them into the stream: at that place of the log they are as they were read. What the
// log has of them from before is older and is in the ring before them, what comes later is newer and behind them. The applier
// writes them like inserts, and how far the copy has come in the same transaction: nothing is copied twice after a crash.
//
// Two filled tables are merged by a copy of the spoke's rows, in which home decides where both have one, and then one of home's.
//
// Parents come before their children. Changes of a table whose copy has not begun are not applied: the copy brings them.
//
// One object for each lane; the reader's thread works with it, the applier and the status look.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "duet/change.hpp"
#include "duet/mapping.hpp"
#include "duet/row_reader.hpp"
#include "duet/status.hpp"
#include "duet/target.hpp"

namespace duet::pipeline {

class copying {
 public:
  static constexpr std::size_t rows_first = 64, rows_max = 2000;  // of one chunk
  static constexpr std::size_t bytes_wanted = 1u << 20;           // of one chunk, by the rows of the last one
  static constexpr std::chrono::milliseconds lock_max{300};       // how long an application may wait for rows that are read
  static constexpr std::chrono::seconds busy_warning{10};         // somebody else has locked the next row for so long

  // `stored`: what the side that is filled knows; each table that is to be copied has an entry.
  copying(const mapping&, side from, std::unique_ptr<row_reader>, const std::vector<table_copy>& stored);
  ~copying();

  // Of home's rows: a table that is merged waits until the spoke's have come. Outlives this object's last lock().
  void behind(const copying* spokes_rows) { spokes_rows_ = spokes_rows; }

  // The reader's thread.
  bool finished() const { return next_ == order_.size(); }
  bool lock();            // the next rows; false: not now
  log_position log_end(); // of the moment since when they are locked
  void release();
  void write(block_writer&, log_position at);  // what was locked last, as one transaction
  void forget();                               // instead: it is read again later

  // The applier's thread. Chunks come back in the order in which they were written.
  table_copy taken();
  void stored(const std::vector<std::pair<std::uint16_t, table_copy>>&);  // committed

  bool pending(std::uint16_t table) const;     // when this object was made: it was not done
  bool done(std::uint16_t table) const;        // any thread: committed
  bool not_begun(std::uint16_t table) const { return pending(table) && progress_[table].copy.cursor.empty(); }  // the same

  void interrupt() noexcept { reader_->interrupt(); }  // any thread
  std::vector<copy_status> status() const;             // any thread

 private:
  struct progress {
    table_copy copy;            // as committed
    std::uint64_t estimated = 0;
    bool begun = false;         // by this object
    std::uint64_t rows_before = 0;  // this object
    std::chrono::steady_clock::time_point since;
  };
  const table_pair& table() const { return mapping_.tables[order_[next_]]; }
  void open();
  void next_size(std::size_t bytes);

  const mapping& mapping_;
  const side from_;
  const std::unique_ptr<row_reader> reader_;
  const copying* spokes_rows_ = nullptr;
  bool opened_ = false;
  std::vector<std::uint16_t> order_;  // tables, parents first
  std::size_t next_ = 0;              // in order_: the one that is read
  table_copy at_;                     // how far it has been read
  std::size_t limit_ = rows_first;
  next_rows chunk_;
  std::optional<std::chrono::steady_clock::time_point> busy_since_;

  mutable std::mutex mutex_;
  std::deque<table_copy> under_way_;  // written, not yet taken
  std::vector<progress> progress_;    // by table
};

// Tables that are copied from this side, each after those that it refers to.
std::vector<std::uint16_t> copy_order(const mapping&, side from);

}  // namespace duet::pipeline
