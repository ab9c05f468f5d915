#include "pipeline/copying.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "pipeline/images.hpp"

namespace duet::pipeline {

using clock = std::chrono::steady_clock;

std::vector<std::uint16_t> copy_order(const mapping& m, side from) {
  std::vector<std::uint16_t> order;
  std::vector<bool> seen(m.tables.size());
  const auto visit = [&](const auto& self, std::uint16_t t) -> void {
    if (seen[t]) return;
    seen[t] = true;
    for (const std::uint16_t parent : m.tables[t].parents) self(self, parent);
    if (m.tables[t].copies_from(from)) order.push_back(t);
  };
  for (const table_pair& t : m.tables) visit(visit, t.id);
  return order;
}

copying::copying(const mapping& m, side from, std::unique_ptr<row_reader> r, const std::vector<table_copy>& stored)
    : mapping_(m), from_(from), reader_(std::move(r)), progress_(m.tables.size()) {
  for (const std::uint16_t t : copy_order(m, from)) {
    const auto found = std::find_if(stored.begin(), stored.end(), [&](const table_copy& c) { return c.table == table_name(m.tables[t]); });
    if (found == stored.end()) continue;
    progress_[t].copy = *found;
    if (!found->done) order_.push_back(t);
  }
  if (!finished()) at_ = progress_[order_[0]].copy;
}

copying::~copying() = default;

void copying::open() {
  reader_->open();
  opened_ = true;
}

bool copying::lock() {
  if (table().merges() && spokes_rows_ && !spokes_rows_->done(table().id)) return false;
  if (!opened_) open();
  progress& p = progress_[table().id];
  if (!p.begun) {
    const std::uint64_t estimated = reader_->estimate_rows(table());
    {
      const std::lock_guard guard(mutex_);
      p.begun = true;
      p.estimated = estimated;
      p.rows_before = at_.rows;
      p.since = clock::now();
    }
    spdlog::info("{}: {} from {}, about {} rows{}", table_name(table()), at_.rows ? "going on with the copy" : "copying", name(from_), estimated,
                 at_.rows ? fmt::format(", {} are there", at_.rows) : "");
  }
  chunk_ = reader_->read_rows(table(), at_.cursor, limit_, true);
  if (!chunk_.busy) {
    busy_since_.reset();
    return true;
  }
  limit_ = std::max<std::size_t>(1, limit_ / 4);
  if (!busy_since_) busy_since_ = clock::now();
  if (clock::now() - *busy_since_ > busy_warning) {
    spdlog::warn("{}: the copy waits for a row that an application has locked for long at {}", table_name(table()), name(from_));
    busy_since_ = clock::now();
  }
  return false;
}

log_position copying::log_end() {
  if (!opened_) open();
  return reader_->log_end();
}

void copying::release() { reader_->release(); }
void copying::forget() {
  chunk_ = {};
  limit_ = std::max<std::size_t>(1, limit_ / 2);
}

void copying::write(block_writer& out, log_position at) {
  const table_pair& t = table();
  const auto columns = static_cast<std::uint16_t>(t.columns.size());
  std::size_t bytes = 0;
  out.begin(at, 0, 1, t.id + 1u);
  for (const owned_row& row : chunk_.rows) {
    out.start_change(operation::insert, t.id, columns, false, true);
    for (std::size_t i = 0; i < columns; ++i) {
      if (row.values[i]) out.set(block_writer::after, i, *row.values[i]), bytes += row.values[i]->size();
      else out.set_null(block_writer::after, i);
    }
    out.finish_change();
  }
  out.end(at);
  at_.rows += chunk_.rows.size();
  if (!chunk_.rows.empty()) at_.cursor = chunk_.cursor;
  at_.done = chunk_.last;
  {
    const std::lock_guard guard(mutex_);
    under_way_.push_back(at_);
  }
  next_size(bytes);
  chunk_ = {};
  if (!at_.done) return;
  ++next_;
  limit_ = rows_first;
  if (!finished()) at_ = progress_[order_[next_]].copy;
}

// Rows are as large as the last ones, and no chunk is much larger than the one before it.
void copying::next_size(std::size_t bytes) {
  if (chunk_.rows.empty()) return;
  const std::size_t fitting = bytes_wanted / std::max<std::size_t>(1, bytes / chunk_.rows.size());
  limit_ = std::clamp<std::size_t>(std::min(fitting, limit_ * 4), 1, rows_max);
}

table_copy copying::taken() {
  const std::lock_guard guard(mutex_);
  table_copy c = std::move(under_way_.front());
  under_way_.pop_front();
  return c;
}

void copying::stored(const std::vector<std::pair<std::uint16_t, table_copy>>& all) {
  for (const auto& [table, copy] : all) {
    std::uint64_t rows = 0;
    double seconds = 0;
    {
      const std::lock_guard guard(mutex_);
      progress& p = progress_[table];
      p.copy = copy;
      rows = copy.rows - p.rows_before;
      seconds = std::chrono::duration<double>(clock::now() - p.since).count();
    }
    if (copy.done) spdlog::info("{}: copied, {} rows in all, {} of them in {:.1f} s", copy.table, copy.rows, rows, seconds);
  }
}

bool copying::pending(std::uint16_t table) const { return std::find(order_.begin(), order_.end(), table) != order_.end(); }

bool copying::done(std::uint16_t table) const {
  const std::lock_guard guard(mutex_);
  return progress_[table].copy.done;
}

std::vector<copy_status> copying::status() const {
  std::vector<copy_status> all;
  const std::lock_guard guard(mutex_);
  for (const std::uint16_t t : order_) {
    const progress& p = progress_[t];
    copy_status s{.table = table_name(mapping_.tables[t]), .from = from_, .rows = p.copy.rows, .estimated = std::max(p.estimated, p.copy.rows), .done = p.copy.done};
    if (p.begun && !p.copy.done) {
      const double seconds = std::chrono::duration<double>(clock::now() - p.since).count();
      s.rows_per_s = seconds > 0 ? static_cast<double>(p.copy.rows - p.rows_before) / seconds : 0;
    }
    all.push_back(std::move(s));
  }
  return all;
}

}  // namespace duet::pipeline
