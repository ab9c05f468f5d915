// The un-acknowledged local writes of one side, by key: which of them has the other side not seen?
//
// One side's reader adds every local write as it reads the log; the applier *to* that side asks, for a change that comes
// from the other side, whether the key was written here after what the change had seen (correctness.md 1.3: concurrent).
// As one applier makes `seen` a single number, the writes of a key after it are the concurrent ones. They meet the change
// only where both touched the same fields.
//
// Entries leave when the applier has passed a change whose stamp covers them (prune), never earlier. How many there are
// depends on how far this side's log is read ahead; the memory that they take is bounded, the rest is in files.
// Thread-safe; each call locks once, so callers hand over whole blocks and whole batches.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory_resource>
#include <mutex>
#include <span>
#include <stop_token>
#include <unordered_map>
#include <vector>

#include "causality/spilling_memory.hpp"
#include "duet/change.hpp"
#include "duet/position.hpp"

namespace duet::causality {

// Open addressing from token to a number; tokens are hashes already and never 0. Not thread-safe.
class token_map {
 public:
  explicit token_map(std::pmr::memory_resource* = std::pmr::get_default_resource());
  // The number of `token`, or 0.
  std::uint64_t find(std::uint64_t token) const;
  void set(std::uint64_t token, std::uint64_t number);
  void erase(std::uint64_t token);
  void clear();
  std::size_t size() const { return size_; }

 private:
  struct slot {
    std::uint64_t token, number;
  };
  std::size_t home_of(std::uint64_t token) const { return token & (slots_.size() - 1); }
  void grow();
  std::pmr::vector<slot> slots_;  // a power of two; token 0 = free
  std::size_t size_ = 0;
};

class write_index {
 public:
  struct entry {
    std::uint64_t token = 0;
    log_position position;
    field_set fields = 0;        // what the write touched
    std::int64_t time_us = 0;    // its commit time; of a refresh: of the write that won
    side wrote = side::home;     // of a refresh: who won
    bool read_back = false;      // the first entry of a refresh of ours: takes the place of the oldest pending one of its key
  };

  explicit write_index(spilling_memory::limits l = {}) : memory_(std::move(l)), last_write_(&memory_), in_order_(memory_) {}

  // Reader: what a block held, and how far the log has been read with it. Throws failure{spill_full}.
  void add(std::span<const entry>, log_position read_up_to);

  // A change that comes from the other side.
  struct question {
    std::uint64_t token, token_before;
    log_position seen;
    field_set fields, deltas;    // what it touched; the fields of its table that are deltas
  };
  // Applier: for each question, does a write of one of its keys after `seen` meet it (duet::meeting)? Sets answers[i] to 1
  // where so.
  void ask(std::span<const question>, std::vector<std::uint8_t>& answers) const;

  // Applier: the writes of this key after `seen`, newest first, whatever they touched; appends to `out`. A refresh that is
  // not in the log yet has no position.
  void collect(std::uint64_t token, log_position seen, std::vector<entry>& out) const;

  // Applier at home: a refresh of this key will commit with the transaction under way; until it is read back it counts as
  // newer than everything. Called again for the same transaction and key, it adds to what was decided.
  void add_pending(std::uint64_t token, const decision_tag&, bool again);
  void remove_pending(std::uint64_t token);  // the newest one of the key: that commit did not happen

  void prune(log_position acknowledged);

  // Catch-up: asks the reader to get there, also when its ring is full, and waits. False: not in time, or stopping.
  bool wait_read(log_position, std::chrono::milliseconds limit, std::stop_token) const;
  void want(log_position) const;  // the same without waiting
  log_position wanted() const;   // the furthest position asked for
  log_position read_up_to() const;

  std::size_t size() const;      // entries that are not acknowledged
  std::size_t memory_bytes() const;
  std::size_t file_bytes() const;

 private:
  struct stored {
    entry write;
    std::uint64_t earlier;  // number of the write of the same key before it; 0: none
  };

  // Writes are numbered from 1 as they come, and leave in that order.
  class queue {
   public:
    explicit queue(spilling_memory& m) : memory_(m) {}
    ~queue();
    queue(const queue&) = delete;
    queue& operator=(const queue&) = delete;
    void push(const stored&);
    void pop();
    const stored& front() const { return at(gone_ + 1); }
    const stored* find(std::uint64_t number) const { return number > gone_ ? &at(number) : nullptr; }
    std::uint64_t gone() const { return gone_; }  // the first ones
    std::uint64_t last() const { return last_; }
    std::size_t size() const { return last_ - gone_; }

   private:
    static constexpr std::uint64_t block_entries = 1 << 14;
    const stored& at(std::uint64_t number) const { return blocks_[(number - 1) / block_entries - gone_ / block_entries][(number - 1) % block_entries]; }
    void free_block(stored*);

    spilling_memory& memory_;
    std::deque<stored*> blocks_;  // the first one has the entry after gone_
    std::uint64_t gone_ = 0, last_ = 0;
  };

  template <class Each>
  bool any(std::uint64_t token, log_position seen, Each each) const;

  mutable std::mutex mutex_;
  mutable std::condition_variable_any moved_;
  spilling_memory memory_;
  token_map last_write_;          // token -> number
  queue in_order_;
  std::unordered_map<std::uint64_t, std::vector<decision_tag>> pending_;  // oldest first
  log_position read_up_to_;
  mutable log_position wanted_;
};

}  // namespace duet::causality
