// Are both sides equal? Where both have their keys in the same order, they are read side by side; else one side in key order, and
// each row looked up on the other one, then the reverse for what only the other one has. Without locks: what differs is looked at again when the lanes have passed the ends that the logs had, until
// it is equal, or stands as it was on both sides although nothing was under way.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/arena.hpp"
#include "duet/mapping.hpp"
#include "duet/row_reader.hpp"
#include "duet/target.hpp"

namespace duet::pipeline {

struct difference {
  enum class kind : std::uint8_t {
    missing_at_home,
    missing_at_spoke,
    different,
    incomparable,  // one side's row has no form on the other one
  } is;
  std::string key;                   // JSON, home's names; in home's form, unless it is incomparable
  std::uint64_t token = 0;           // of the key
  std::vector<std::string> columns;  // home's names: those that differ
  std::string why;                   // one side's row, or what differs of it, has no form on the other one
};

struct comparison {
  std::uint64_t rows_at_home = 0, rows_at_spoke = 0, equal = 0;
  std::uint64_t looked_at_again = 0;       // rows that differed at first, and were under way
  std::uint64_t stay = 0;                  // on one side only, since the other one's deletes are not carried over
  std::uint64_t changing = 0;              // changed each time they were looked at: not decided
  std::uint64_t missing_at_home = 0, missing_at_spoke = 0, different = 0;
  std::map<std::string, std::uint64_t> in_columns;  // of those that are on both sides: how many differ in a column
  std::map<std::string, std::uint64_t> unfit;       // by the reason: rows that can't cross
  std::vector<difference> differences;              // not more than were to be kept
};

class comparer {
 public:
  static constexpr std::size_t chunk_rows = 2000;
  static constexpr int looks_max = 30;
  static constexpr std::size_t all = SIZE_MAX;

  struct sides {
    row_reader &home_rows, &spoke_rows;  // opened
    target &home, &spoke;                // opened; outside a transaction
  };
  // Returns when what was under way has arrived; false: nobody can tell.
  using settler = std::function<bool()>;
  // After each chunk; false: that is enough.
  using onlooker = std::function<bool(const comparison&)>;

  // `keep`: so many differences are listed; all are counted.
  comparer(const table_pair& t, sides s, settler settle, onlooker look, std::size_t keep = all)
      : table_(t), sides_(s), settle_(std::move(settle)), look_(std::move(look)), keep_(keep) {}

  comparison run();

 private:
  struct pair_of_rows {
    std::vector<std::optional<std::string>> key[2];  // by side, each in its form; only key columns
    owned_row row[2];
    std::string problem;                             // no form of the key on the other side
  };
  struct front {                                     // of a side that is read
    std::vector<owned_row> rows;
    std::size_t at = 0;
    std::string cursor;
    bool last = false;
    bool empty() const { return at == rows.size(); }
  };
  bool have_one_order() const;
  void side_by_side();
  void merge(front&, front&);
  void fill(front&, side);
  std::strong_ordering compare_keys(const owned_row&, const owned_row&) const;
  bool pass(side);
  pair_of_rows pair_of(side from, owned_row&&);
  void look_up(side from, next_rows&, std::vector<pair_of_rows>&);
  void read(side at, std::vector<pair_of_rows>&);
  std::vector<std::string> differing(const pair_of_rows&, std::string& why) const;
  bool equal(const pair_of_rows&) const;
  void settle(side from, std::vector<pair_of_rows>);
  void report(const pair_of_rows&);
  std::string why_it_cannot_cross(const pair_of_rows&, side from) const;
  row_reader& rows_of(side s) { return s == side::home ? sides_.home_rows : sides_.spoke_rows; }
  target& target_of(side s) { return s == side::home ? sides_.home : sides_.spoke; }

  const table_pair& table_;
  const sides sides_;
  const settler settle_;
  const onlooker look_;
  const std::size_t keep_;
  comparison found_;
  mutable base::arena arena_;
};

}  // namespace duet::pipeline
