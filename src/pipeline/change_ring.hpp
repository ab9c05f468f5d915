// The way from a reader to its applier: blocks in memory, and behind them a file for the time in which the reader must run
// ahead of a full ring. Memory is bounded by the number of blocks (a row larger than a block lets that block grow for as
// long as it is on the way); the file by tuning::spill_bytes_max. The file is a cache: it has no name and dies with us.
//
// Order: what is in the ring is older than what is in the file; while the file holds anything, new blocks go there too.
#pragma once

#include <atomic>
#include <boost/lockfree/spsc_queue.hpp>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "duet/change.hpp"
#include "duet/config.hpp"

namespace duet::pipeline {

class spill_file {
 public:
  spill_file(std::string folder, std::size_t bytes_max) : folder_(std::move(folder)), bytes_max_(bytes_max) {}
  ~spill_file();
  spill_file(const spill_file&) = delete;
  spill_file& operator=(const spill_file&) = delete;

  void append(const change_block&);   // throws failure{spill_full}
  std::unique_ptr<change_block> take();  // the oldest; null: empty
  bool empty() const { return sizes_.empty(); }
  std::size_t bytes() const { return end_ - begin_; }

 private:
  std::string folder_;
  std::size_t bytes_max_;
  int fd_ = -1;
  std::uint64_t begin_ = 0, end_ = 0;
  std::deque<std::size_t> sizes_;
};

class change_ring {
 public:
  explicit change_ring(const tuning&);

  // -- reader's thread
  // Null: no block is free.
  change_block* take_empty();
  void push(change_block*);
  void spill(change_block&);          // instead of push, and the block is the caller's again, empty
  bool spilling() const { return spilled_.load(std::memory_order_acquire) > 0; }
  bool wait_empty(std::chrono::milliseconds);  // true: take_empty may succeed now

  // -- applier's thread
  change_block* pop(std::chrono::milliseconds wait);  // null: nothing came
  void give_back(change_block*);

  // -- any thread
  std::size_t queued() const { return queued_.load(std::memory_order_relaxed) + spilled_.load(std::memory_order_relaxed); }
  std::size_t blocks() const { return pool_.size(); }
  std::size_t memory_bytes() const;
  std::size_t spilled_bytes() const;

 private:
  // Wakes one waiting thread; one lock per block, none per row.
  struct bell {
    std::mutex mutex;
    std::condition_variable rung;
    void ring();
    template <class Ready>
    bool wait(std::chrono::milliseconds limit, Ready ready) {
      std::unique_lock lock(mutex);
      return rung.wait_for(lock, limit, ready);
    }
  };

  std::size_t block_bytes_;
  std::vector<std::unique_ptr<change_block>> pool_;
  boost::lockfree::spsc_queue<change_block*> full_, empty_;
  bell full_bell_, empty_bell_;
  std::atomic<std::size_t> queued_{0}, spilled_{0};
  mutable std::mutex spill_mutex_;
  spill_file file_;
  std::vector<std::unique_ptr<change_block>> from_file_;  // on loan to the applier
};

}  // namespace duet::pipeline
