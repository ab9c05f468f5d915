#include "pipeline/change_ring.hpp"

#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cstring>

#include "base/unnamed_file.hpp"
#include "duet/failure.hpp"

namespace duet::pipeline {

namespace {
failure spill_failure(const char* doing, int error) {
  return failure(failure_kind::spill_full, std::string("spill file: ") + doing + ": " + std::strerror(error));
}
}  // namespace

spill_file::~spill_file() {
  if (fd_ >= 0) close(fd_);
}

void spill_file::append(const change_block& block) {
  if (fd_ < 0) {
    fd_ = base::open_unnamed_file(folder_);
    if (fd_ < 0) throw spill_failure(("creating it in " + folder_).c_str(), errno);
  }
  if (bytes() + block.size() > bytes_max_)
    throw failure(failure_kind::spill_full, "the spill file has reached its limit of " + std::to_string(bytes_max_ >> 20) +
                                                " MiB (tuning.spill.max) while one side waited for the other's log");
  const std::byte* p = block.data();
  for (std::size_t left = block.size(); left > 0;) {
    const ssize_t n = pwrite(fd_, p, left, static_cast<off_t>(end_));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw spill_failure("writing", errno);
    p += n, left -= n, end_ += n;
  }
  sizes_.push_back(block.size());
}

std::unique_ptr<change_block> spill_file::take() {
  if (sizes_.empty()) return nullptr;
  const std::size_t size = sizes_.front();
  std::vector<std::byte> bytes(size);
  for (std::size_t at = 0; at < size;) {
    const ssize_t n = pread(fd_, bytes.data() + at, size - at, static_cast<off_t>(begin_ + at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw spill_failure("reading", n < 0 ? errno : EIO);
    at += n;
  }
  auto block = std::make_unique<change_block>(size);
  block->assign(bytes.data(), size);
  sizes_.pop_front();
  begin_ += size;
  if (sizes_.empty()) {  // start again at the front, and give the disk back
    begin_ = end_ = 0;
    if (ftruncate(fd_, 0) != 0) throw spill_failure("truncating", errno);
  }
  return block;
}

void change_ring::bell::ring() {
  { std::lock_guard lock(mutex); }
  rung.notify_one();
}

namespace {
std::size_t block_count(const tuning& t) { return std::max<std::size_t>(8, t.ring_bytes_max / t.block_bytes); }
}  // namespace

change_ring::change_ring(const tuning& t)
    : block_bytes_(t.block_bytes), full_(block_count(t)), empty_(block_count(t)), file_(t.spill_dir, t.spill_bytes_max) {
  for (std::size_t i = 0; i < block_count(t); ++i) {
    pool_.push_back(std::make_unique<change_block>(block_bytes_));
    empty_.push(pool_.back().get());
  }
}

change_block* change_ring::take_empty() {
  change_block* b = nullptr;
  return empty_.pop(b) ? b : nullptr;
}

bool change_ring::wait_empty(std::chrono::milliseconds limit) {
  return empty_bell_.wait(limit, [&] { return empty_.read_available() > 0; });
}

void change_ring::push(change_block* b) {
  assert(!spilling());
  queued_.fetch_add(1, std::memory_order_relaxed);
  const bool pushed = full_.push(b);
  assert(pushed);  // there are as many places as blocks
  (void)pushed;
  full_bell_.ring();
}

void change_ring::spill(change_block& b) {
  {
    std::lock_guard lock(spill_mutex_);
    file_.append(b);
    spilled_.fetch_add(1, std::memory_order_release);
  }
  b.clear();
  b.shrink(block_bytes_);
  full_bell_.ring();
}

change_block* change_ring::pop(std::chrono::milliseconds wait) {
  change_block* b = nullptr;
  if (!full_.pop(b)) {
    if (!full_bell_.wait(wait, [&] { return full_.read_available() > 0 || spilling(); })) return nullptr;
    std::lock_guard lock(spill_mutex_);
    if (!full_.pop(b)) {  // looked at again: the reader may have pushed before it began to spill
      auto block = file_.take();
      if (!block) return nullptr;
      b = block.get();
      from_file_.push_back(std::move(block));
      spilled_.fetch_sub(1, std::memory_order_release);
      return b;
    }
  }
  queued_.fetch_sub(1, std::memory_order_relaxed);
  return b;
}

void change_ring::give_back(change_block* b) {
  const auto loan = std::find_if(from_file_.begin(), from_file_.end(), [&](const auto& p) { return p.get() == b; });
  if (loan != from_file_.end()) {
    from_file_.erase(loan);
    return;
  }
  b->clear();
  b->shrink(block_bytes_);
  empty_.push(b);
  empty_bell_.ring();
}

std::size_t change_ring::memory_bytes() const { return queued_.load(std::memory_order_relaxed) * block_bytes_; }

std::size_t change_ring::spilled_bytes() const {
  std::lock_guard lock(spill_mutex_);
  return file_.bytes();
}

}  // namespace duet::pipeline
