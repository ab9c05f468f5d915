#include "pipeline/held_keys.hpp"

namespace duet::pipeline {

template <class Change>
void held_keys::change(std::uint64_t token, Change change_key) {
  const std::lock_guard lock(mutex_);
  key& k = keys_[token];
  change_key(k);
  if (k.idle()) keys_.erase(token);
  size_.store(keys_.size(), std::memory_order_release);
}

void held_keys::hold(key& k, side at, bool held) {
  const auto here = static_cast<int>(at);
  if (k.held[here] == held) return;
  k.held[here] = held;
  if (k.table == no_table) return;
  std::vector<std::size_t>& of_side = counts_[here];
  if (of_side.size() <= k.table) of_side.resize(k.table + 1u);
  held ? ++of_side[k.table] : --of_side[k.table];
}

void held_keys::insert(side at, std::uint64_t token, std::uint16_t table) {
  change(token, [&](key& k) {
    k.table = table;
    hold(k, at, true);
    k.decided = false;
  });
}

void held_keys::erase(side at, std::uint64_t token) {
  change(token, [&](key& k) { hold(k, at, false); });
}

void held_keys::announce(side at, std::uint64_t token) {
  change(token, [&](key& k) { ++k.announced[static_cast<int>(at)]; });
}

void held_keys::withdraw(side at, std::uint64_t token) {
  change(token, [&](key& k) { --k.announced[static_cast<int>(at)]; });
}

void held_keys::decide(std::uint64_t token) {
  change(token, [](key& k) { k.decided = true; });
}

void held_keys::clear() {
  const std::lock_guard lock(mutex_);
  keys_.clear();
  for (auto& of_side : counts_) of_side.clear();
  size_.store(0, std::memory_order_release);
}

bool held_keys::holds(side at, std::uint64_t token) const {
  if (empty()) return false;
  const std::lock_guard lock(mutex_);
  const auto found = keys_.find(token);
  return found != keys_.end() && found->second.held[static_cast<int>(at)];
}

std::size_t held_keys::of_table(side at, std::uint16_t table) const {
  const std::lock_guard lock(mutex_);
  const std::vector<std::size_t>& of_side = counts_[static_cast<int>(at)];
  return table < of_side.size() ? of_side[table] : 0;
}

held_keys::state held_keys::find(side to, std::uint64_t token) const {
  if (empty()) return state::free;
  const std::lock_guard lock(mutex_);
  const auto at = keys_.find(token);
  if (at == keys_.end()) return state::free;
  const key& k = at->second;
  const int here = static_cast<int>(to), there = 1 - here;
  if (k.held[here] || (k.held[there] && !(to == side::home && k.decided))) return state::waits;
  return k.announced[here] || k.announced[there] ? state::announced : state::free;
}

}  // namespace duet::pipeline
