// What came back from the log of the side written to, compared with what was sent. A difference is a trigger, a type that
// does not hold the value, or a truncation: the only way to see that a value was altered in silence.
//
// The applier to that side notes a hash of each value that it sends; the reader of that side's log hands over the rows of our
// own transactions before it drops them. Rows that were decided one by one are not compared. Notes are bounded: of what is
// written faster than the log brings it back, a part is compared.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "causality/write_index.hpp"
#include "duet/change.hpp"
#include "duet/mapping.hpp"
#include "duet/status.hpp"
#include "duet/target.hpp"

namespace duet::pipeline {

class echo_audit {
 public:
  static constexpr std::size_t bytes_max = 4u << 20;  // of all notes

  explicit echo_audit(side written) : written_(written) {}

  // The applier, of the transaction under way. `columns`: those that were written, as `after` has them; those of `deltas` have
  // a value that only the server knows.
  void sent(const table_pair&, operation, std::uint64_t token, row_view after, std::span<const std::uint16_t> columns, std::span<const std::uint16_t> deltas);
  void not_compared(const table_pair&, std::uint64_t token);
  std::size_t mark() const { return open_.rows.size(); }
  void undo_to(std::size_t mark);
  // Before it commits: by this the log names it. Told again of one that was rolled back, the later one counts.
  void will_commit(std::uint64_t epoch, std::uint64_t counter);

  // The reader, as block_supply has it. `token`: of the row's key.
  bool expects(std::uint64_t epoch, std::uint64_t counter);
  void came_back(const table_pair&, const change_record&, std::uint64_t token);
  void all_came_back(const mapping&);

  void restart();  // the lanes begin anew: nothing is expected
  void forget();   // the tables have other numbers: nor is anything known of them

  // Any thread. Rows compared since the hub started, and the columns that were not as sent, appended to `out`.
  std::uint64_t compared(const mapping&, std::vector<echo_difference>& out) const;

 private:
  using hash = std::uint32_t;
  static constexpr hash absent = 0, any = 1, null = 2;  // a value's is above
  static constexpr std::uint16_t whole_row = 0xffff;
  struct noted {
    std::uint64_t token;
    std::uint32_t first;         // of its hashes, one per column
    std::uint16_t table;
    bool removed, skipped;
  };
  struct note {
    std::uint64_t epoch = 0, counter = 0;
    std::vector<noted> rows;
    std::vector<hash> hashes;
    bool dropped = false;        // it became too large
    std::size_t bytes() const { return rows.size() * sizeof(noted) + hashes.size() * sizeof(hash); }
    void clear();
  };
  struct arrival {               // of a row that is expected
    bool came = false, removed = false;
    std::uint32_t first = 0;     // of its hashes
  };
  static hash hash_of(const column&, const cell&);
  noted& add(const table_pair&, std::uint64_t token);
  void merge_keys();
  void count(const mapping&, std::uint16_t table, std::uint16_t column);

  const side written_;

  note open_;                    // the applier's

  mutable std::mutex mutex_;
  std::deque<note> waiting_;
  std::vector<note> spare_;
  std::size_t waiting_bytes_ = 0;
  std::uint64_t compared_ = 0;
  std::map<std::pair<std::uint16_t, std::uint16_t>, std::uint64_t> differences_;  // by table and column

  note current_;                 // the reader's: the transaction that is coming back, one row per key
  bool in_current_ = false;
  causality::token_map row_of_;  // token -> 1 + index
  std::vector<arrival> arrivals_;
  std::vector<hash> arrived_;
  std::vector<std::uint16_t> unasked_;  // tables of rows that nobody sent
};

}  // namespace duet::pipeline
