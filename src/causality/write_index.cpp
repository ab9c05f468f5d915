#include "causality/write_index.hpp"

#include <algorithm>
#include <cassert>

namespace duet::causality {

namespace {
constexpr std::size_t slots_min = 1024, slots_kept_max = 16384;  // a cleared map keeps its slots up to 256 KiB
}

token_map::token_map() : slots_(slots_min) {}

void token_map::clear() {
  if (slots_.size() > slots_kept_max) {
    slots_ = std::vector<slot>(slots_min);
  } else if (size_ > 0) {
    std::fill(slots_.begin(), slots_.end(), slot{});
  }
  size_ = 0;
}

std::uint64_t token_map::find(std::uint64_t token) const {
  for (std::size_t i = home_of(token);; i = (i + 1) & (slots_.size() - 1)) {
    if (slots_[i].token == token) return slots_[i].position;
    if (slots_[i].token == 0) return 0;
  }
}

void token_map::set(std::uint64_t token, std::uint64_t position) {
  assert(token != 0);
  if (size_ * 4 >= slots_.size() * 3) grow();
  std::size_t i = home_of(token);
  while (slots_[i].token != 0 && slots_[i].token != token) i = (i + 1) & (slots_.size() - 1);
  size_ += slots_[i].token == 0;
  slots_[i] = {token, position};
}

// Linear probing without tombstones: the entries after the hole that may not stay there move back.
void token_map::erase(std::uint64_t token) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t hole = home_of(token);
  while (slots_[hole].token != token) {
    if (slots_[hole].token == 0) return;
    hole = (hole + 1) & mask;
  }
  for (std::size_t i = (hole + 1) & mask; slots_[i].token != 0; i = (i + 1) & mask) {
    const std::size_t distance_of_entry = (i - home_of(slots_[i].token)) & mask, distance_of_hole = (i - hole) & mask;
    if (distance_of_entry >= distance_of_hole) {
      slots_[hole] = slots_[i];
      hole = i;
    }
  }
  slots_[hole] = {};
  --size_;
  if (size_ == 0 && slots_.size() > slots_kept_max) clear();  // gives the memory of a burst back
}

void token_map::grow() {
  std::vector<slot> old(slots_.size() * 2);
  old.swap(slots_);
  size_ = 0;
  for (const slot& s : old)
    if (s.token) set(s.token, s.position);
}

void write_index::add(std::span<const entry> entries, log_position read_up_to) {
  {
    std::lock_guard lock(mutex_);
    for (const entry& e : entries) {
      if (e.resolution) {
        auto it = pending_.find(e.token);
        if (it != pending_.end() && --it->second == 0) pending_.erase(it);
      }
      last_write_.set(e.token, e.position.value);
      in_order_.push_back(e);
    }
    read_up_to_ = std::max(read_up_to_, read_up_to);
    if (read_up_to_ < wanted_) return;
  }
  moved_.notify_all();
}

bool write_index::newer(std::uint64_t token, log_position seen) const {
  return last_write_.find(token) > seen.value || (!pending_.empty() && pending_.contains(token));
}

void write_index::ask(std::span<const question> questions, std::vector<std::uint8_t>& answers) const {
  std::lock_guard lock(mutex_);
  answers.assign(questions.size(), 0);
  if (last_write_.size() == 0 && pending_.empty()) return;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    const question& q = questions[i];
    answers[i] = newer(q.token, q.seen) || (q.token_before != q.token && newer(q.token_before, q.seen));
  }
}

bool write_index::written_after(std::uint64_t token, log_position seen) const {
  std::lock_guard lock(mutex_);
  return newer(token, seen);
}

void write_index::add_pending(std::span<const std::uint64_t> tokens) {
  std::lock_guard lock(mutex_);
  for (std::uint64_t t : tokens) ++pending_[t];
}

void write_index::remove_pending(std::span<const std::uint64_t> tokens) {
  std::lock_guard lock(mutex_);
  for (std::uint64_t t : tokens) {
    auto it = pending_.find(t);
    if (it != pending_.end() && --it->second == 0) pending_.erase(it);
  }
}

void write_index::prune(log_position acknowledged) {
  std::lock_guard lock(mutex_);
  while (!in_order_.empty() && in_order_.front().position <= acknowledged) {
    const std::uint64_t token = in_order_.front().token;
    if (const std::uint64_t last = last_write_.find(token); last != 0 && last <= acknowledged.value) last_write_.erase(token);
    in_order_.pop_front();
  }
}

bool write_index::wait_read(log_position position, std::chrono::milliseconds limit, std::stop_token stop) const {
  std::unique_lock lock(mutex_);
  if (wanted_ < position) wanted_ = position;
  return moved_.wait_for(lock, stop, limit, [&] { return read_up_to_ >= position; });
}

log_position write_index::last_write(std::uint64_t token) const {
  std::lock_guard lock(mutex_);
  return {last_write_.find(token)};
}

log_position write_index::wanted() const {
  std::lock_guard lock(mutex_);
  return wanted_;
}
log_position write_index::read_up_to() const {
  std::lock_guard lock(mutex_);
  return read_up_to_;
}
std::size_t write_index::size() const {
  std::lock_guard lock(mutex_);
  return last_write_.size();
}
std::size_t write_index::bytes() const {
  std::lock_guard lock(mutex_);
  return last_write_.bytes() + in_order_.size() * sizeof(entry);
}

}  // namespace duet::causality
