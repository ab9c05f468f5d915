// The keys that wait in duet.held, by token. While a key waits on one side, its changes don't cross either way: each side
// keeps its own row until a person has decided.
//
// A key is announced before the transaction that holds it commits, so that the other lane, which may read on at once, can't
// miss it. A decision made at home is known as soon as it is read from home's log: it frees the way to home; the way to the
// spoke is free when the decision is applied there. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "duet/schema.hpp"

namespace duet::pipeline {

class held_keys {
 public:
  static constexpr std::uint16_t no_table = 0xffff;  // what stands for a whole table, or is of one that is not synced any more

  // `at` is the side whose duet.held has the key.
  void insert(side at, std::uint64_t token, std::uint16_t table);
  void erase(side at, std::uint64_t token);
  void announce(side at, std::uint64_t token);
  void withdraw(side at, std::uint64_t token);  // the announced transaction did not happen
  void decide(std::uint64_t token);             // a decision was read
  void clear();

  enum class state : std::uint8_t { free, announced, waits };
  state find(side to, std::uint64_t token) const;  // for the lane that writes to this side
  bool empty() const { return size_.load(std::memory_order_acquire) == 0; }
  bool holds(side at, std::uint64_t token) const;
  std::size_t of_table(side at, std::uint16_t table) const;  // its keys in the duet.held of one side
  std::size_t size() const { return size_.load(std::memory_order_acquire); }

 private:
  struct key {
    bool held[2] = {}, decided = false;
    int announced[2] = {};
    std::uint16_t table = no_table;
    bool idle() const { return !held[0] && !held[1] && !announced[0] && !announced[1]; }
  };
  template <class Change>
  void change(std::uint64_t token, Change);

  mutable std::mutex mutex_;
  void hold(key&, side at, bool);
  std::unordered_map<std::uint64_t, key> keys_;
  std::vector<std::size_t> counts_[2];  // by table
  std::atomic<std::size_t> size_{0};  // spares the lock where nothing is held
};

}  // namespace duet::pipeline
