#include "mysql/binlog_event.hpp"

#include <zlib.h>

#include <charconv>

namespace duet::mysql {

using base::byte_reader;
using base::throw_damaged;

event_header decode_event_header(std::string_view event) {
  byte_reader r(event);
  event_header h{};
  h.time_s = r.u32_le();
  h.type = static_cast<event_type>(r.u8());
  h.server_id = r.u32_le();
  h.size = r.u32_le();
  h.log_pos = r.u32_le();
  h.flags = r.u16_le();
  if (h.size != event.size()) throw_damaged("a binlog event whose size is not what its header says");
  return h;
}

bool has_valid_checksum(std::string_view event) {
  if (event.size() < event_header_size + event_checksum_size) return false;
  const std::size_t n = event.size() - event_checksum_size;
  return crc32_z(0, reinterpret_cast<const Bytef*>(event.data()), n) == byte_reader(event.substr(n)).u32_le();
}

format_description decode_format_description(std::string_view event) {
  // The server computes the checksum before it marks the file as in use.
  constexpr std::size_t flags_at = 17;
  std::string plain(event);
  if (plain.size() > flags_at) plain[flags_at] = static_cast<char>(plain[flags_at] & ~event_in_use_flag);
  byte_reader r(plain);
  r.skip(event_header_size);
  if (r.u16_le() != 4) throw_damaged("a binlog of another format than version 4");
  format_description d;
  const std::string_view version = r.bytes(50);
  d.server_version = version.substr(0, version.find('\0'));
  d.maria = d.server_version.find("MariaDB") != std::string::npos;
  r.skip(4);
  if (r.u8() != event_header_size) throw_damaged("a binlog with event headers of unknown size");
  // Then one byte for each event type, the algorithm and a checksum, which is there whatever the algorithm.
  if (r.remaining() < 1 + event_checksum_size) throw_damaged("a format description that ends too early");
  r.skip(r.remaining() - 1 - event_checksum_size);
  switch (r.u8()) {
    case 0: d.checksum = checksum_algorithm::none; break;
    case 1:
      d.checksum = checksum_algorithm::crc32;
      if (!has_valid_checksum(event) && !has_valid_checksum(plain)) throw_damaged("the checksum of a binlog's format description is wrong");
      break;
    default: throw_damaged("a binlog with checksums of an unknown kind");
  }
  return d;
}

rotation decode_rotation(std::string_view body) {
  byte_reader r(body);
  const std::uint64_t offset = r.u64_le();
  return {offset, r.rest()};
}

namespace {

query query_after(byte_reader r, std::size_t more) {
  r.skip(8);  // thread, execution time
  const std::uint8_t database = r.u8();
  r.skip(2);  // error code
  const std::uint16_t status = r.u16_le();
  r.skip(more + status);
  query q;
  q.database = r.bytes(database);
  if (r.u8() != 0) throw_damaged("a statement's database name without its end");
  q.text = r.rest();
  return q;
}

}  // namespace

query decode_query(std::string_view body) { return query_after(byte_reader(body), 0); }
query decode_execute_load_query(std::string_view body) { return query_after(byte_reader(body), 13); }

std::uint64_t log_file_number(std::string_view name) {
  std::uint64_t number = 0;
  const std::size_t dot = name.rfind('.');
  const char* end = name.data() + name.size();
  if (dot == std::string_view::npos) throw_damaged("a binlog file whose name has no number");
  const auto [p, error] = std::from_chars(name.data() + dot + 1, end, number);
  if (error != std::errc() || p != end || number == 0 || number >= 1u << 24) throw_damaged("a binlog file whose name has no number");
  return number;
}

}  // namespace duet::mysql
