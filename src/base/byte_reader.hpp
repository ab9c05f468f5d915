// Reads numbers and strings from untrusted bytes. Every read is checked: beyond the end throws failure{damaged_log}.
//
// A reader is a view with a cursor; what it returns points into the bytes that it was given. Copy it to look ahead.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "duet/failure.hpp"

namespace duet::base {

[[noreturn]] inline void throw_damaged(const char* what) { throw failure(failure_kind::damaged_log, what); }

class byte_reader {
 public:
  explicit byte_reader(std::string_view bytes) : first_(bytes.data()), next_(bytes.data()), end_(bytes.data() + bytes.size()) {}
  explicit byte_reader(std::span<const std::byte> bytes)
      : byte_reader(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size())) {}

  std::size_t offset() const { return static_cast<std::size_t>(next_ - first_); }
  std::size_t remaining() const { return static_cast<std::size_t>(end_ - next_); }
  bool at_end() const { return next_ == end_; }
  std::string_view rest() const { return {next_, remaining()}; }
  void skip(std::size_t n) {
    need(n);
    next_ += n;
  }

  std::uint8_t u8() {
    need(1);
    return static_cast<std::uint8_t>(*next_++);
  }
  char byte() { return static_cast<char>(u8()); }
  std::uint8_t peek_u8() const {
    need(1);
    return static_cast<std::uint8_t>(*next_);
  }

  std::uint16_t u16_le() { return little<std::uint16_t, 2>(); }
  std::uint32_t u24_le() { return little<std::uint32_t, 3>(); }
  std::uint32_t u32_le() { return little<std::uint32_t, 4>(); }
  std::uint64_t u48_le() { return little<std::uint64_t, 6>(); }
  std::uint64_t u64_le() { return little<std::uint64_t, 8>(); }
  std::uint64_t uint_le(std::size_t width) {  // width 1 to 8
    if (width == 0 || width > 8) throw_damaged("a number of impossible width");
    need(width);
    std::uint64_t v = 0;
    for (std::size_t i = width; i-- > 0;) v = v << 8 | static_cast<std::uint8_t>(next_[i]);
    next_ += width;
    return v;
  }

  std::uint16_t u16_be() { return big<std::uint16_t, 2>(); }
  std::uint32_t u24_be() { return big<std::uint32_t, 3>(); }
  std::uint32_t u32_be() { return big<std::uint32_t, 4>(); }
  std::uint64_t u64_be() { return big<std::uint64_t, 8>(); }
  std::uint64_t uint_be(std::size_t width) {  // width 1 to 8
    if (width == 0 || width > 8) throw_damaged("a number of impossible width");
    need(width);
    std::uint64_t v = 0;
    for (std::size_t i = 0; i < width; ++i) v = v << 8 | static_cast<std::uint8_t>(next_[i]);
    next_ += width;
    return v;
  }

  // MySQL's length-encoded integer: one byte below 0xfb, or 0xfc, 0xfd, 0xfe and 2, 3, 8 bytes. 0xfb (NULL) and 0xff are
  // no lengths: whoever may meet them looks with peek_u8() first.
  std::uint64_t length_encoded() {
    const std::uint8_t first = u8();
    if (first < 0xfb) return first;
    switch (first) {
      case 0xfc: return u16_le();
      case 0xfd: return u24_le();
      case 0xfe: return u64_le();
      default: throw_damaged("a length that is none");
    }
  }

  std::string_view bytes(std::uint64_t n) {
    need(n);
    const char* p = next_;
    next_ += n;
    return {p, static_cast<std::size_t>(n)};
  }
  std::string_view length_encoded_bytes() { return bytes(length_encoded()); }

  // Up to a zero byte, which is consumed and not returned.
  std::string_view cstring() {
    const void* zero = at_end() ? nullptr : std::memchr(next_, 0, remaining());
    if (!zero) throw_damaged("a string without its end");
    std::string_view s(next_, static_cast<std::size_t>(static_cast<const char*>(zero) - next_));
    next_ = static_cast<const char*>(zero) + 1;
    return s;
  }

  // The next n bytes as a reader of their own; this one moves past them.
  byte_reader sub(std::uint64_t n) { return byte_reader(bytes(n)); }

 private:
  void need(std::uint64_t n) const {
    if (n > remaining()) [[unlikely]] throw_damaged("a message ends too early");
  }
  template <class T, std::size_t width>
  T little() {
    need(width);
    T v = 0;
    if constexpr (std::endian::native == std::endian::little) {
      std::memcpy(&v, next_, width);
    } else {
      for (std::size_t i = width; i-- > 0;) v = static_cast<T>(v << 8 | static_cast<std::uint8_t>(next_[i]));
    }
    next_ += width;
    return v;
  }
  template <class T, std::size_t width>
  T big() {
    need(width);
    T v = 0;  // compilers make one load and a byte swap of this loop
    for (std::size_t i = 0; i < width; ++i) v = static_cast<T>(v << 8 | static_cast<std::uint8_t>(next_[i]));
    next_ += width;
    return v;
  }

  const char *first_, *next_, *end_;
};

}  // namespace duet::base
