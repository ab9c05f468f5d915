// Memory that is bounded: of large pieces, those beyond the bound lie in files without a name, which are mapped, so that the
// kernel can take their pages away and bring them back. Not thread-safe.
#pragma once

#include <cstddef>
#include <limits>
#include <memory_resource>
#include <string>
#include <unordered_set>

namespace duet::causality {

class spilling_memory : public std::pmr::memory_resource {
 public:
  struct limits {
    std::string folder = "/tmp";
    std::size_t memory_bytes_max = std::numeric_limits<std::size_t>::max();
    std::size_t file_bytes_max = std::numeric_limits<std::size_t>::max();
  };
  explicit spilling_memory(limits l) : limits_(std::move(l)) {}

  // The piece will hardly be read for a while: its pages need not stay, if they are a file's.
  void set_aside(void* piece, std::size_t bytes);

  std::size_t memory_bytes() const { return memory_bytes_; }
  std::size_t file_bytes() const { return file_bytes_; }

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override;  // throws failure{spill_full}
  void do_deallocate(void* piece, std::size_t bytes, std::size_t alignment) override;
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }
  void* map_file(std::size_t bytes);

  limits limits_;
  std::size_t memory_bytes_ = 0, file_bytes_ = 0;
  std::unordered_set<void*> mapped_;  // pieces that are a file's, one each
};

}  // namespace duet::causality
