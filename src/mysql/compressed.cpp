#include "mysql/compressed.hpp"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include "base/byte_reader.hpp"
#include "duet/failure.hpp"
#include "mysql/binlog_event.hpp"

namespace duet::mysql {

namespace {

using base::byte_reader;
using base::throw_damaged;

struct free_stream {
  void operator()(ZSTD_DStream* s) const { ZSTD_freeDStream(s); }
};

// Cuts events out of bytes that come in pieces.
class event_cutter {
 public:
  event_cutter(std::vector<char>& buffer, const std::function<void(std::string_view)>& sink) : buffer_(buffer), sink_(sink) {
    buffer_.clear();
  }
  void add(std::string_view bytes) {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    std::size_t at = 0;
    while (buffer_.size() - at >= event_header_size) {
      std::uint32_t size;
      std::memcpy(&size, buffer_.data() + at + 9, 4);
      if (size < event_header_size) throw_damaged("an event inside a compressed transaction has an impossible size");
      if (size > buffer_.size() - at) break;
      sink_({buffer_.data() + at, size});
      at += size;
    }
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(at));
  }
  void finish() const {
    if (!buffer_.empty()) throw_damaged("a compressed transaction ends within an event");
  }

 private:
  std::vector<char>& buffer_;
  const std::function<void(std::string_view)>& sink_;
};

std::string_view inflate_exactly(std::string_view data, std::uint64_t size, int window_bits, std::vector<char>& buffer) {
  // Deflate makes at most 1032 bytes of one.
  if (size > data.size() * 1040 + 64) throw_damaged("compressed data with an impossible plain length");
  buffer.resize(std::max<std::size_t>(size, 1));
  z_stream z{};
  if (inflateInit2(&z, window_bits) != Z_OK) throw std::bad_alloc();
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  z.avail_in = static_cast<uInt>(data.size());
  z.next_out = reinterpret_cast<Bytef*>(buffer.data());
  z.avail_out = static_cast<uInt>(size);
  const int result = inflate(&z, Z_FINISH);
  const std::uint64_t made = z.total_out;
  inflateEnd(&z);
  if (result != Z_STREAM_END || made != size) throw_damaged("compressed data does not decompress");
  return {buffer.data(), static_cast<std::size_t>(size)};
}

}  // namespace

void payload_reader::for_each_event(std::string_view body, const std::function<void(std::string_view)>& sink) {
  // Fields of number, length, value until number 0; then the payload.
  enum field : std::uint64_t { end_of_header, payload_size, method, plain_size };
  constexpr std::uint64_t method_zstd = 0, method_none = 255;
  byte_reader r(body);
  std::uint64_t compression = method_zstd, plain = 0, size = 0;
  bool has_size = false;
  for (;;) {
    const std::uint64_t number = r.length_encoded();
    if (number == end_of_header) break;
    byte_reader value(r.length_encoded_bytes());
    if (number == payload_size) size = value.length_encoded(), has_size = true;
    if (number == method) compression = value.length_encoded();
    if (number == plain_size) plain = value.length_encoded();
  }
  const std::string_view payload = has_size ? r.bytes(size) : r.rest();

  event_cutter cutter(buffer_, sink);
  if (compression == method_none) {
    cutter.add(payload);
    return cutter.finish();
  }
  if (compression != method_zstd)
    throw failure(failure_kind::unsupported_log, "a transaction in the binlog is compressed in an unknown way", {},
                  "SET GLOBAL binlog_transaction_compression = OFF");
  std::unique_ptr<ZSTD_DStream, free_stream> stream(ZSTD_createDStream());
  if (!stream) throw std::bad_alloc();
  ZSTD_DCtx_setParameter(stream.get(), ZSTD_d_windowLogMax, 27);
  std::string piece(ZSTD_DStreamOutSize(), '\0');
  ZSTD_inBuffer in{payload.data(), payload.size(), 0};
  std::uint64_t made = 0;
  std::size_t state = 1;
  for (;;) {
    ZSTD_outBuffer out{piece.data(), piece.size(), 0};
    state = ZSTD_decompressStream(stream.get(), &out, &in);
    if (ZSTD_isError(state)) throw_damaged("a compressed transaction does not decompress");
    made += out.pos;
    if (made > plain) throw_damaged("a compressed transaction is longer than it says");
    cutter.add({piece.data(), out.pos});
    if (in.pos == in.size && out.pos < out.size) break;
  }
  if (state != 0 || made != plain) throw_damaged("a compressed transaction is shorter than it says");
  cutter.finish();
  if (buffer_.capacity() > 1 << 20) buffer_ = {};
}

std::string_view inflate_maria(std::string_view compressed, std::vector<char>& buffer) {
  byte_reader r(compressed);
  const std::uint8_t head = r.u8();
  const std::size_t width = head & 7;
  if ((head & 0xf8) != 0x80 || width < 1 || width > 4) throw_damaged("a compressed event with an unknown header");
  const std::uint64_t size = r.uint_be(width);
  return inflate_exactly(r.rest(), size, MAX_WBITS, buffer);
}

std::string_view inflate_maria_column(std::string_view stored, std::vector<char>& buffer) {
  if (stored.empty()) return stored;  // the empty value
  byte_reader r(stored);
  const std::uint8_t head = r.u8();
  if (head == 0) return r.rest();
  const std::size_t width = head & 7;
  if (head >> 4 != 8 || width < 1 || width > 4) throw_damaged("a compressed column with an unknown header");
  const std::uint64_t size = r.uint_be(width);
  return inflate_exactly(r.rest(), size, head & 8 ? -MAX_WBITS : MAX_WBITS, buffer);
}

}  // namespace duet::mysql
