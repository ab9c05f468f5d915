// Compression inside the binlog: MySQL's transaction payload (zstd), MariaDB's compressed events and columns (zlib).
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace duet::mysql {

// Hands out the events inside a TRANSACTION_PAYLOAD event, one by one as they are decompressed: memory is bounded by the
// largest of them. They have a header each and no checksum. Throws failure{damaged_log}, also if they do not end with an
// event's end.
class payload_reader {
 public:
  void for_each_event(std::string_view body, const std::function<void(std::string_view event)>&);

 private:
  std::vector<char> buffer_;
};

// MariaDB's compressed statement or rows: a byte with method and length's width, the plain length (big endian), zlib data.
// The result lies in `buffer`, which is kept for the next call.
std::string_view inflate_maria(std::string_view compressed, std::vector<char>& buffer);

// A value of a MariaDB column declared COMPRESSED: the first byte 0 and the value as it is, or method and width of the
// plain length (big endian), then zlib data.
std::string_view inflate_maria_column(std::string_view stored, std::vector<char>& buffer);

}  // namespace duet::mysql
