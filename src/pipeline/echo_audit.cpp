#include "pipeline/echo_audit.hpp"

#include <spdlog/spdlog.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>

#include "pipeline/images.hpp"

namespace duet::pipeline {

namespace {
constexpr std::size_t json_max = 16u << 10;  // a longer one is not compared

// 1e2, 100.0 and 100 are one number.
void make_numbers_real(nlohmann::json& value) {
  if (value.is_number()) value = value.get<double>();
  else if (value.is_structured())
    for (auto& part : value) make_numbers_real(part);
}
}

// Equal values have equal hashes, also where a value has several texts.
echo_audit::hash echo_audit::hash_of(const column& c, const cell& v) {
  if (v.absent()) return absent;
  if (v.is_null()) return null;
  const auto of = [](const void* data, std::size_t size) {
    return std::max<hash>(static_cast<hash>(XXH3_64bits(data, size)), null + 1);
  };
  if (c.type.kind == value_kind::real) {
    double number = 0;
    if (std::from_chars(v.data, v.data + v.size, number).ec == std::errc{}) {
      number += 0.0;  // -0
      return of(&number, sizeof number);
    }
  } else if (c.type.kind == value_kind::json) {
    if (v.size > json_max) return any;
    if (auto value = nlohmann::json::parse(v.text(), nullptr, false); !value.is_discarded()) {
      make_numbers_real(value);
      const std::string text = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
      return of(text.data(), text.size());
    }
  }
  return of(v.data, v.size);
}

void echo_audit::note::clear() {
  rows.clear();
  hashes.clear();
  dropped = false;
}

// ---------------------------------------------------------------------------------------------- the applier's side

echo_audit::noted& echo_audit::add(const table_pair& table, std::uint64_t token) {
  noted& row = open_.rows.emplace_back(noted{token, static_cast<std::uint32_t>(open_.hashes.size()), table.id, false, false});
  open_.hashes.resize(open_.hashes.size() + table.columns.size(), absent);
  if (open_.bytes() > bytes_max / 2) open_.dropped = true;
  return row;
}

void echo_audit::sent(const table_pair& table, operation op, std::uint64_t token, row_view after, std::span<const std::uint16_t> columns,
                      std::span<const std::uint16_t> deltas) {
  if (open_.dropped) return;
  noted& row = add(table, token);
  row.removed = op == operation::remove;
  if (row.removed) return;
  hash* hashes = open_.hashes.data() + row.first;
  for (const std::uint16_t c : columns) hashes[c] = hash_of(table.columns[c].on(written_), after[c]);
  for (const std::uint16_t c : deltas) hashes[c] = any;
}

void echo_audit::not_compared(const table_pair& table, std::uint64_t token) {
  if (!open_.dropped) add(table, token).skipped = true;
}

void echo_audit::undo_to(std::size_t mark) {
  if (mark == 0) return open_.clear();
  if (mark >= open_.rows.size()) return;
  open_.hashes.resize(open_.rows[mark].first);
  open_.rows.resize(mark);
}

void echo_audit::will_commit(std::uint64_t epoch, std::uint64_t counter) {
  std::lock_guard lock(mutex_);
  while (!waiting_.empty() && waiting_.back().epoch == epoch && waiting_.back().counter == counter) {
    waiting_bytes_ -= waiting_.back().bytes();
    waiting_.pop_back();
  }
  if (!open_.dropped && !open_.rows.empty() && waiting_bytes_ + open_.bytes() <= bytes_max) {
    open_.epoch = epoch;
    open_.counter = counter;
    waiting_bytes_ += open_.bytes();
    waiting_.push_back(std::move(open_));
    open_ = {};
    if (!spare_.empty()) {
      open_ = std::move(spare_.back());
      spare_.pop_back();
    }
  }
  open_.clear();
}

// ---------------------------------------------------------------------------------------------- the reader's side

bool echo_audit::expects(std::uint64_t epoch, std::uint64_t counter) {
  if (in_current_ && current_.epoch == epoch && current_.counter == counter) return true;  // its control row moves twice
  in_current_ = false;
  const auto place = std::pair(epoch, counter);
  {
    std::lock_guard lock(mutex_);
    while (!waiting_.empty() && std::pair(waiting_.front().epoch, waiting_.front().counter) <= place) {
      const bool is_it = std::pair(waiting_.front().epoch, waiting_.front().counter) == place;
      waiting_bytes_ -= waiting_.front().bytes();
      if (is_it) {
        std::swap(current_, waiting_.front());
        in_current_ = true;
      }
      if (spare_.size() < 4) {
        waiting_.front().clear();
        spare_.push_back(std::move(waiting_.front()));
      }
      waiting_.pop_front();
    }
  }
  if (in_current_) merge_keys();
  return in_current_;
}

// Of each key what was sent last stands.
void echo_audit::merge_keys() {
  row_of_.clear();
  arrivals_.clear();
  arrived_.clear();
  unasked_.clear();
  for (std::size_t i = 0; i < current_.rows.size(); ++i) {
    const noted& row = current_.rows[i];
    const std::size_t columns = (i + 1 < current_.rows.size() ? current_.rows[i + 1].first : current_.hashes.size()) - row.first;
    const std::uint64_t known = row_of_.find(row.token);
    if (!known) {
      row_of_.set(row.token, i + 1);
    } else {
      noted& first = current_.rows[known - 1];
      hash *to = current_.hashes.data() + first.first, *from = current_.hashes.data() + row.first;
      if (row.removed) std::fill_n(to, columns, absent);
      else
        for (std::size_t c = 0; c < columns; ++c)
          if (from[c] != absent) to[c] = from[c];
      first.removed = row.removed;
      first.skipped |= row.skipped;
    }
    arrivals_.push_back({false, false, static_cast<std::uint32_t>(arrived_.size())});
    arrived_.resize(arrived_.size() + columns, absent);
  }
}

void echo_audit::came_back(const table_pair& table, const change_record& r, std::uint64_t token) {
  if (!in_current_ || (r.op != operation::insert && r.op != operation::update && r.op != operation::remove)) return;
  const std::uint64_t known = row_of_.find(token);
  if (!known) {
    // A cascade writes rows of its own, at the other side as well; what else does is a trigger.
    if (r.op != operation::remove && table.parents.empty()) unasked_.push_back(table.id);
    return;
  }
  const noted& row = current_.rows[known - 1];
  arrival& a = arrivals_[known - 1];
  a.came = true;
  a.removed = r.op == operation::remove;
  if (row.skipped) return;
  const hash* expected = current_.hashes.data() + row.first;
  hash* got = arrived_.data() + a.first;
  if (a.removed) {  // what comes under this key from here on is another row
    std::fill_n(got, r.columns, absent);
    return;
  }
  for (std::size_t c = 0; c < r.columns; ++c) {
    const cell after = r.after(c);
    if (after.absent() || expected[c] == any) continue;
    // A column that was not sent: of an insert it has its default, of an update somebody has changed it.
    if (expected[c] == absent && (r.op == operation::insert || !r.has_before || r.before(c).absent() || r.before(c) == after)) continue;
    got[c] = hash_of(table.columns[c].on(written_), after);
  }
}

void echo_audit::all_came_back(const mapping& m) {
  if (!in_current_) return;
  in_current_ = false;
  std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < current_.rows.size(); ++i) {
    const noted& row = current_.rows[i];
    const arrival& a = arrivals_[i];
    if (!a.came || row.skipped) continue;  // MySQL does not log a write that changes nothing
    ++compared_;
    if (a.removed != row.removed) count(m, row.table, whole_row);
    if (a.removed || row.removed) continue;
    for (std::uint16_t c = 0; c < m.tables[row.table].columns.size(); ++c)
      if (const hash got = arrived_[a.first + c]; got > any && current_.hashes[row.first + c] != any && got != current_.hashes[row.first + c]) count(m, row.table, c);
  }
  for (const std::uint16_t table : unasked_) count(m, table, whole_row);
}

// Told at once, and then when it has become ten times as often.
void echo_audit::count(const mapping& m, std::uint16_t table, std::uint16_t column) {
  const std::uint64_t n = ++differences_[{table, column}];
  std::uint64_t power = 1;
  while (power < n) power *= 10;
  if (power != n) return;
  const table_pair& t = m.tables[table];
  if (column == whole_row)
    spdlog::warn("{}: a row came back from {} that Duet did not send, or that was gone ({} so far): a trigger may write it. duet verify names the rows that differ",
                 table_name(t), name(written_), n);
  else
    spdlog::warn("{}: column {} came back from {} with another value than Duet sent ({} so far): a trigger, a truncation or its type. duet verify names the rows that differ",
                 table_name(t), t.columns[column].on(written_).name, name(written_), n);
}

void echo_audit::restart() {
  std::lock_guard lock(mutex_);
  waiting_.clear();
  waiting_bytes_ = 0;
  open_.clear();
  in_current_ = false;
}

void echo_audit::forget() {
  restart();
  const std::lock_guard lock(mutex_);
  differences_.clear();
}

std::uint64_t echo_audit::compared(const mapping& m, std::vector<echo_difference>& out) const {
  std::lock_guard lock(mutex_);
  for (const auto& [at, rows] : differences_) {
    const table_pair& t = m.tables[at.first];
    out.push_back({table_name(t), at.second == whole_row ? std::string() : t.columns[at.second].home.name, written_, rows});
  }
  return compared_;
}

}  // namespace duet::pipeline
