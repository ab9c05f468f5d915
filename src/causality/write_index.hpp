// The un-acknowledged local writes of one side, by key: which of them has the other side not seen?
//
// One side's reader adds every local write as it reads the log; the applier *to* that side asks, for a change that comes
// from the other side, whether the key was written here after what the change had seen (correctness.md 1.3: concurrent).
// As one applier makes `seen` a single number, the last write of a key decides, so one position per key is enough.
//
// Entries leave when the applier has passed a change whose stamp covers them (prune), never earlier.
// Thread-safe; each call locks once, so callers hand over whole blocks and whole batches.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <span>
#include <stop_token>
#include <unordered_map>
#include <vector>

#include "duet/position.hpp"

namespace duet::causality {

// Open addressing from token to position; tokens are hashes already and never 0. Not thread-safe.
class token_map {
 public:
  token_map();
  // The position of `token`, or 0.
  std::uint64_t find(std::uint64_t token) const;
  void set(std::uint64_t token, std::uint64_t position);
  void erase(std::uint64_t token);
  void clear();
  std::size_t size() const { return size_; }
  std::size_t bytes() const { return slots_.size() * sizeof(slot); }

 private:
  struct slot {
    std::uint64_t token, position;
  };
  std::size_t home_of(std::uint64_t token) const { return token & (slots_.size() - 1); }
  void grow();
  std::vector<slot> slots_;  // a power of two; token 0 = free
  std::size_t size_ = 0;
};

class write_index {
 public:
  struct entry {
    std::uint64_t token;
    log_position position;
    bool resolution;  // a refresh of ours, read back: takes the place of a pending one
  };

  // Reader: what a block held, and how far the log has been read with it.
  void add(std::span<const entry>, log_position read_up_to);

  struct question {
    std::uint64_t token, token_before;
    log_position seen;
  };
  // Applier: for each question, was one of its keys written here after `seen`? Sets answers[i] to 1 where so.
  void ask(std::span<const question>, std::vector<std::uint8_t>& answers) const;
  bool written_after(std::uint64_t token, log_position seen) const;
  log_position last_write(std::uint64_t token) const;  // 0: none that is not acknowledged

  // Applier at home: a refresh of this key is about to commit; until it is read back it counts as newer than everything.
  void add_pending(std::span<const std::uint64_t> tokens);
  void remove_pending(std::span<const std::uint64_t> tokens);  // that commit did not happen

  void prune(log_position acknowledged);

  // Catch-up: asks the reader to get there, also when its ring is full, and waits. False: not in time, or stopping.
  bool wait_read(log_position, std::chrono::milliseconds limit, std::stop_token) const;
  log_position wanted() const;   // the furthest position asked for
  log_position read_up_to() const;

  std::size_t size() const;
  std::size_t bytes() const;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable_any moved_;
  token_map last_write_;
  std::deque<entry> in_order_;  // for pruning
  std::unordered_map<std::uint64_t, int> pending_;
  log_position read_up_to_;
  mutable log_position wanted_;
  bool newer(std::uint64_t token, log_position seen) const;
};

}  // namespace duet::causality
