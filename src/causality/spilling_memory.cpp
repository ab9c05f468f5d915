#include "causality/spilling_memory.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "base/unnamed_file.hpp"
#include "duet/failure.hpp"

namespace duet::causality {

namespace {
constexpr std::size_t piece_min = 64 << 10;  // smaller ones are not worth a file

failure spill_failure(const std::string& doing, int error) {
  return failure(failure_kind::spill_full, "file of unacknowledged writes: " + doing + ": " + std::strerror(error));
}
}  // namespace

void* spilling_memory::do_allocate(std::size_t bytes, std::size_t alignment) {
  if (bytes >= piece_min && (bytes > limits_.memory_bytes_max || memory_bytes_ > limits_.memory_bytes_max - bytes)) return map_file(bytes);
  void* piece = std::pmr::new_delete_resource()->allocate(bytes, alignment);
  memory_bytes_ += bytes;
  return piece;
}

void* spilling_memory::map_file(std::size_t bytes) {
  if (bytes > limits_.file_bytes_max || file_bytes_ > limits_.file_bytes_max - bytes)
    throw failure(failure_kind::spill_full, "the file of unacknowledged writes has reached its limit of " + std::to_string(limits_.file_bytes_max >> 20) + " MiB (tuning.spill.max)");
  const int fd = base::open_unnamed_file(limits_.folder);
  if (fd < 0) throw spill_failure("creating it in " + limits_.folder, errno);
  // The disk's space is taken at once: a page that finds none later would end the process.
  const int error = posix_fallocate(fd, 0, static_cast<off_t>(bytes));
  void* piece = error ? MAP_FAILED : mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  const int map_error = errno;
  close(fd);
  if (piece == MAP_FAILED) throw spill_failure(error ? "taking its space" : "mapping it", error ? error : map_error);
  mapped_.insert(piece);
  file_bytes_ += bytes;
  return piece;
}

void spilling_memory::do_deallocate(void* piece, std::size_t bytes, std::size_t alignment) {
  if (mapped_.erase(piece)) {
    munmap(piece, bytes);
    file_bytes_ -= bytes;
    return;
  }
  std::pmr::new_delete_resource()->deallocate(piece, bytes, alignment);
  memory_bytes_ -= bytes;
}

void spilling_memory::set_aside(void* piece, std::size_t bytes) {
  if (mapped_.contains(piece)) madvise(piece, bytes, MADV_DONTNEED);  // of a shared file: what was written stays written
}

}  // namespace duet::causality
