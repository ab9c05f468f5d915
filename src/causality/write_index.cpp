#include "causality/write_index.hpp"

#include <algorithm>
#include <cassert>

namespace duet::causality {

namespace {
constexpr std::size_t slots_min = 1024, slots_kept_max = 16384;  // a cleared map keeps its slots up to 256 KiB
}

token_map::token_map(std::pmr::memory_resource* m) : slots_(slots_min, m) {}

void token_map::clear() {
  if (slots_.size() > slots_kept_max) {
    slots_ = std::pmr::vector<slot>(slots_min, slots_.get_allocator());
  } else if (size_ > 0) {
    std::fill(slots_.begin(), slots_.end(), slot{});
  }
  size_ = 0;
}

std::uint64_t token_map::find(std::uint64_t token) const {
  for (std::size_t i = home_of(token);; i = (i + 1) & (slots_.size() - 1)) {
    if (slots_[i].token == token) return slots_[i].number;
    if (slots_[i].token == 0) return 0;
  }
}

void token_map::set(std::uint64_t token, std::uint64_t number) {
  assert(token != 0);
  if (size_ * 4 >= slots_.size() * 3) grow();
  std::size_t i = home_of(token);
  while (slots_[i].token != 0 && slots_[i].token != token) i = (i + 1) & (slots_.size() - 1);
  size_ += slots_[i].token == 0;
  slots_[i] = {token, number};
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
  std::pmr::vector<slot> old(slots_.size() * 2, slots_.get_allocator());
  old.swap(slots_);
  size_ = 0;
  for (const slot& s : old)
    if (s.token) set(s.token, s.number);
}

write_index::queue::~queue() {
  for (stored* b : blocks_) free_block(b);
}

void write_index::queue::push(const stored& s) {
  const std::uint64_t place = last_ % block_entries;
  if (place == 0) {
    if (!blocks_.empty()) memory_.set_aside(blocks_.back(), block_entries * sizeof(stored));
    blocks_.push_back(nullptr);
    try {
      blocks_.back() = static_cast<stored*>(memory_.allocate(block_entries * sizeof(stored), alignof(stored)));
    } catch (...) {
      blocks_.pop_back();
      throw;
    }
  }
  new (&blocks_.back()[place]) stored(s);
  ++last_;
}

void write_index::queue::pop() {
  if (++gone_ % block_entries != 0) return;
  free_block(blocks_.front());
  blocks_.pop_front();
}

void write_index::queue::free_block(stored* b) { memory_.deallocate(b, block_entries * sizeof(stored), alignof(stored)); }

void write_index::add(std::span<const entry> entries, log_position read_up_to) {
  {
    std::lock_guard lock(mutex_);
    for (const entry& e : entries) {
      if (e.read_back) {
        auto it = pending_.find(e.token);
        if (it != pending_.end()) {  // in the order in which they were sent
          it->second.erase(it->second.begin());
          if (it->second.empty()) pending_.erase(it);
        }
      }
      in_order_.push({e, last_write_.find(e.token)});
      last_write_.set(e.token, in_order_.last());
    }
    read_up_to_ = std::max(read_up_to_, read_up_to);
    if (read_up_to_ < wanted_) return;
  }
  moved_.notify_all();
}

// Calls `each` for the writes of a key after `seen`, newest first, until it says true.
template <class Each>
bool write_index::any(std::uint64_t token, log_position seen, Each each) const {
  if (!pending_.empty())
    if (const auto it = pending_.find(token); it != pending_.end())
      for (auto tag = it->second.rbegin(); tag != it->second.rend(); ++tag)
        for (side s : {side::home, side::spoke})
          if (const auto& won = tag->by(s); won.fields && each(entry{.token = token, .fields = won.fields, .time_us = won.time_us, .wrote = s}))
            return true;
  for (const stored* s = in_order_.find(last_write_.find(token)); s && s->write.position > seen; s = in_order_.find(s->earlier))
    if (each(s->write)) return true;
  return false;
}

void write_index::ask(std::span<const question> questions, std::vector<std::uint8_t>& answers) const {
  std::lock_guard lock(mutex_);
  answers.assign(questions.size(), 0);
  if (last_write_.size() == 0 && pending_.empty()) return;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    const question& q = questions[i];
    const auto meets = [&](const entry& e) { return meeting(q.fields, e.fields, q.deltas) != 0; };
    answers[i] = any(q.token, q.seen, meets) || (q.token_before != q.token && any(q.token_before, q.seen, meets));
  }
}

void write_index::collect(std::uint64_t token, log_position seen, std::vector<entry>& out) const {
  std::lock_guard lock(mutex_);
  any(token, seen, [&](const entry& e) {
    out.push_back(e);
    return false;
  });
}

void write_index::add_pending(std::uint64_t token, const decision_tag& tag, bool again) {
  std::lock_guard lock(mutex_);
  auto& of_key = pending_[token];
  if (again && !of_key.empty()) of_key.back().add(tag);
  else of_key.push_back(tag);
}

void write_index::remove_pending(std::uint64_t token) {
  std::lock_guard lock(mutex_);
  const auto it = pending_.find(token);
  if (it == pending_.end()) return;
  it->second.pop_back();
  if (it->second.empty()) pending_.erase(it);
}

void write_index::prune(log_position acknowledged) {
  std::lock_guard lock(mutex_);
  while (in_order_.size() && in_order_.front().write.position <= acknowledged) {
    const std::uint64_t token = in_order_.front().write.token;
    in_order_.pop();
    if (last_write_.find(token) == in_order_.gone()) last_write_.erase(token);
  }
}

void write_index::want(log_position position) const {
  const std::lock_guard lock(mutex_);
  if (wanted_ < position) wanted_ = position;
}

bool write_index::wait_read(log_position position, std::chrono::milliseconds limit, std::stop_token stop) const {
  std::unique_lock lock(mutex_);
  if (wanted_ < position) wanted_ = position;
  return moved_.wait_for(lock, stop, limit, [&] { return read_up_to_ >= position; });
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
  return in_order_.size();
}
std::size_t write_index::memory_bytes() const {
  std::lock_guard lock(mutex_);
  return memory_.memory_bytes();
}
std::size_t write_index::file_bytes() const {
  std::lock_guard lock(mutex_);
  return memory_.file_bytes();
}

}  // namespace duet::causality
