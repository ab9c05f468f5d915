#include "duet/change.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>

#include "duet/failure.hpp"

namespace duet {

namespace {
constexpr std::size_t align8(std::size_t n) { return (n + 7) & ~std::size_t{7}; }
}  // namespace

std::string_view name(operation op) {
  switch (op) {
    case operation::insert: return "insert";
    case operation::update: return "update";
    case operation::remove: return "delete";
    case operation::truncate: return "truncate";
    case operation::refresh: return "refresh";
  }
  return "?";
}

operation operation_named(std::string_view text) {
  for (operation op : {operation::insert, operation::update, operation::remove, operation::truncate, operation::refresh})
    if (name(op) == text) return op;
  throw failure(failure_kind::internal, "a held change is of no operation that Duet knows");
}

void change_block::assign(const std::byte* bytes, std::size_t n) {
  size_ = 0;
  reserve(n);
  std::memcpy(slab_.get(), bytes, n);
  size_ = n;
}

void change_block::reserve(std::size_t n) {
  if (n <= capacity_) return;
  std::unique_ptr<std::byte[]> bigger(new std::byte[n]);
  std::memcpy(bigger.get(), slab_.get(), size_);
  slab_ = std::move(bigger);
  capacity_ = n;
}

void change_block::shrink(std::size_t capacity) {
  if (capacity_ <= capacity) return;
  size_ = 0;
  slab_.reset(new std::byte[capacity]);
  capacity_ = capacity;
}

// The open record, if any, is the last thing in the block and not counted by the block's size until it is finished;
// `size_` is then the record's end so far. A record that outgrows the block moves to a new one; alone in a block it grows.
std::byte* block_writer::grow(std::size_t bytes) {
  if (!block_) block_ = &supply_->next(nullptr);
  if (block_->size_ + bytes > block_->capacity_) {
    const std::size_t start = in_change_ ? change_at_ : block_->size_;
    const std::size_t open = block_->size_ - start;
    if (start == 0) {
      block_->reserve(std::max(align8(open + bytes), block_->capacity_ * 2));
    } else {
      // next() may hand the old block to the applier at once, so the open record is taken out of it first.
      std::unique_ptr<std::byte[]> moving(open ? new std::byte[open] : nullptr);
      if (open) std::memcpy(moving.get(), block_->slab_.get() + start, open);
      block_->size_ = start;
      block_ = &supply_->next(block_);
      assert(block_->empty());
      block_->reserve(align8(open + bytes));
      if (open) std::memcpy(block_->slab_.get(), moving.get(), open);
      block_->size_ = open;
      change_at_ = 0;
    }
  }
  std::byte* p = block_->slab_.get() + block_->size_;
  block_->size_ += bytes;
  return p;
}

template <class T>
T& block_writer::put() {
  static_assert(sizeof(T) % 8 == 0);
  return *new (grow(sizeof(T))) T{};
}

change_record& block_writer::change() { return *reinterpret_cast<change_record*>(block_->slab_.get() + change_at_); }

void block_writer::begin(log_position position, std::int64_t commit_time_us, std::uint64_t fingerprint, std::uint64_t copied_table) {
  assert(!in_transaction_);
  auto& r = put<transaction_begin>();
  r.size = sizeof(r);
  r.kind = record_kind::begin;
  r.position = position;
  r.commit_time_us = commit_time_us;
  r.fingerprint = fingerprint;
  r.copied_table = copied_table;
  end_ = {};
  end_.size = sizeof(end_);
  end_.kind = record_kind::end;
  end_.position = position;
  in_transaction_ = true;
}

void block_writer::own(std::uint64_t epoch, std::uint64_t counter, log_position position, log_position floor) {
  assert(in_transaction_);
  end_.ours = true;
  end_.control_epoch = epoch;
  end_.control_counter = counter;
  end_.control_position = position;
  end_.control_floor = floor;
  wants_echoes_ = supply_->expects_echo(epoch, counter);
}

void block_writer::start_change(operation op, std::uint16_t table, std::uint16_t columns, bool has_before, bool has_after) {
  assert(in_transaction_ && !in_change_);
  const std::size_t cells = std::size_t{columns} * (has_before + has_after);
  std::byte* p = grow(sizeof(change_record) + cells * sizeof(change_record::stored_cell));
  change_at_ = static_cast<std::size_t>(p - block_->slab_.get());
  in_change_ = true;
  auto& r = *new (p) change_record{};
  r.kind = record_kind::change;
  r.op = op;
  r.has_before = has_before;
  r.has_after = has_after;
  r.table = table;
  r.columns = columns;
  for (std::size_t i = 0; i < cells; ++i) r.cells()[i] = {0, change_record::absent_size};
}

namespace {
std::size_t cell_index(const change_record& r, block_writer::image i, std::size_t column) {
  assert(column < r.columns && (i == block_writer::before ? r.has_before : r.has_after));
  return (i == block_writer::after && r.has_before ? r.columns : 0) + column;
}
}  // namespace

void block_writer::set_null(image i, std::size_t column) {
  auto& r = change();
  r.cells()[cell_index(r, i, column)] = {0, change_record::null_size};
}

void block_writer::set(image i, std::size_t column, std::string_view bytes) {
  std::memcpy(append(i, column, bytes.size()), bytes.data(), bytes.size());
}

char* block_writer::append(image i, std::size_t column, std::size_t size) {
  assert(in_change_);
  if (size >= change_record::absent_size - change_at_) throw std::bad_alloc();
  std::byte* p = grow(size);
  auto& r = change();
  last_cell_ = static_cast<std::uint32_t>(cell_index(r, i, column));
  r.cells()[last_cell_] = {static_cast<std::uint32_t>(p - reinterpret_cast<std::byte*>(&r)), static_cast<std::uint32_t>(size)};
  return reinterpret_cast<char*>(p);
}

void block_writer::keep_appended(std::size_t used) {
  auto& c = change().cells()[last_cell_];
  assert(used <= c.size);
  block_->size_ -= c.size - used;
  c.size = static_cast<std::uint32_t>(used);
}

void block_writer::copy_cell(image from, image to, std::size_t column) {
  auto& r = change();
  r.cells()[cell_index(r, to, column)] = r.cells()[cell_index(r, from, column)];
}

void block_writer::set_decision(const decision_tag& decided) { change().decided = decided; }

void block_writer::finish_change() {
  assert(in_change_);
  const std::size_t open = block_->size_ - change_at_;
  if (std::size_t pad = align8(open) - open) std::memset(grow(pad), 0, pad);
  change().size = static_cast<std::uint32_t>(block_->size_ - change_at_);
  if (end_.ours && change().op != operation::refresh) {
    supply_->echo(change());
    discard_change();
    return count_echo();
  }
  in_change_ = false;
  ++end_.changes;
}

void block_writer::discard_change() {
  assert(in_change_);
  block_->size_ = change_at_;
  in_change_ = false;
}

void block_writer::end(log_position read_up_to) {
  assert(in_transaction_ && !in_change_);
  end_.read_up_to = read_up_to;
  put<transaction_end>() = end_;
  in_transaction_ = false;
  if (wants_echoes_) supply_->end_of_echo();
  wants_echoes_ = false;
}

void block_writer::abandon() {
  if (block_) block_->clear();
  in_change_ = in_transaction_ = wants_echoes_ = false;
  end_ = {};
}

void block_writer::progress(log_position read_up_to) {
  assert(!in_transaction_);
  auto& r = put<transaction_end>();
  r.size = sizeof(r);
  r.kind = record_kind::progress;
  r.read_up_to = read_up_to;
}

void block_writer::flush() {
  assert(!in_change_);
  if (block_ && !block_->empty()) block_ = &supply_->next(block_);
}

}  // namespace duet
