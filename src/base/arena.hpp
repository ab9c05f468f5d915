// Bytes that live until clear(): translated values of one batch. Chunks are kept for the next batch.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace duet::base {

class arena {
 public:
  explicit arena(std::size_t chunk_bytes = 256 << 10) : chunk_bytes_(chunk_bytes) {}

  // Aligned to 8. Uninitialised.
  char* allocate(std::size_t n) {
    n = (n + 7) & ~std::size_t{7};
    if (n > left_) refill(n);
    char* p = next_;
    next_ += n;
    left_ -= n;
    return p;
  }
  template <class T>
  T* allocate_array(std::size_t n) { return reinterpret_cast<T*>(allocate(n * sizeof(T))); }
  std::string_view copy(std::string_view s) {
    char* p = allocate(s.size());
    s.copy(p, s.size());
    return {p, s.size()};
  }

  void clear() {
    oversized_.clear();
    used_chunks_ = 0;
    next_ = nullptr;
    left_ = 0;
  }

 private:
  void refill(std::size_t n) {
    if (n > chunk_bytes_) {  // its own piece, given back at clear()
      oversized_.emplace_back(new char[n]);
      next_ = oversized_.back().get();
      left_ = n;
      return;
    }
    if (used_chunks_ == chunks_.size()) chunks_.emplace_back(new char[chunk_bytes_]);
    next_ = chunks_[used_chunks_++].get();
    left_ = chunk_bytes_;
  }

  std::size_t chunk_bytes_;
  std::vector<std::unique_ptr<char[]>> chunks_, oversized_;
  std::size_t used_chunks_ = 0;
  char* next_ = nullptr;
  std::size_t left_ = 0;
};

}  // namespace duet::base
