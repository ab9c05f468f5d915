#include "pipeline/deleted_rows.hpp"

namespace duet::pipeline {

void deleted_rows::add(std::uint64_t token, log_position at, row values) {
  const std::lock_guard lock(mutex_);
  rows_.insert_or_assign(token, deleted{at, std::move(values)});
  in_order_.emplace_back(at, token);
}

std::optional<deleted_rows::row> deleted_rows::find(std::uint64_t token) const {
  const std::lock_guard lock(mutex_);
  const auto at = rows_.find(token);
  return at == rows_.end() ? std::nullopt : std::optional(at->second.values);
}

void deleted_rows::prune(log_position acknowledged) {
  const std::lock_guard lock(mutex_);
  while (!in_order_.empty() && in_order_.front().first <= acknowledged) {
    const auto at = rows_.find(in_order_.front().second);
    if (at != rows_.end() && at->second.position <= acknowledged) rows_.erase(at);
    in_order_.pop_front();
  }
}

void deleted_rows::clear() {
  const std::lock_guard lock(mutex_);
  rows_.clear();
  in_order_.clear();
}

}  // namespace duet::pipeline
