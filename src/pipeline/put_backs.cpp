#include "pipeline/put_backs.hpp"

#include <algorithm>

namespace duet::pipeline {

void put_backs::add(put_back p) {
  const std::lock_guard lock(mutex_);
  if (all_.empty()) first_.store(p.position.value, std::memory_order_release);
  all_.push_back(std::move(p));
}

bool put_backs::any_until(log_position floor) const { return first_.load(std::memory_order_acquire) <= floor.value; }

std::vector<put_back> put_backs::until(log_position floor) const {
  if (!any_until(floor)) return {};
  const std::lock_guard lock(mutex_);
  const auto end = std::find_if(all_.begin(), all_.end(), [&](const put_back& p) { return p.position > floor; });
  return {all_.begin(), end};
}

void put_backs::row_is_another(std::uint64_t token) {
  if (!any_until({~std::uint64_t{0} - 1})) return;
  const std::lock_guard lock(mutex_);
  for (put_back& p : all_)
    if (p.token == token) p.moot = true;
}

bool put_backs::stands(std::uint64_t token, log_position floor) const {
  if (!any_until(floor)) return false;
  const std::lock_guard lock(mutex_);
  return std::any_of(all_.begin(), all_.end(), [&](const put_back& p) { return p.position <= floor && p.token == token && !p.moot; });
}

void put_backs::done(log_position floor) {
  if (!any_until(floor)) return;
  const std::lock_guard lock(mutex_);
  const auto rest = std::find_if(all_.begin(), all_.end(), [&](const put_back& p) { return p.position > floor; });
  all_.erase(all_.begin(), rest);
  first_.store(all_.empty() ? ~std::uint64_t{0} : all_.front().position.value, std::memory_order_release);
}

void put_backs::clear() {
  const std::lock_guard lock(mutex_);
  all_.clear();
  first_.store(~std::uint64_t{0}, std::memory_order_release);
}

}  // namespace duet::pipeline
