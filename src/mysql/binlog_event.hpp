// The frame of a binlog event: header, checksum, and the bodies of the events that hold no rows. Pure.
//
// Wire format: MySQL's documentation "Binary Log Event" and MariaDB's "Replication Protocol". All numbers little endian.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/byte_reader.hpp"

namespace duet::mysql {

enum class event_type : std::uint8_t {
  query = 2,
  stop = 3,
  rotate = 4,
  intvar = 5,
  append_block = 9,
  delete_file = 11,
  rand = 13,
  user_var = 14,
  format_description = 15,
  xid = 16,
  begin_load_query = 17,
  execute_load_query = 18,
  table_map = 19,
  write_rows_v1 = 23,
  update_rows_v1 = 24,
  delete_rows_v1 = 25,
  incident = 26,
  heartbeat = 27,
  ignorable = 28,
  rows_query = 29,
  write_rows = 30,
  update_rows = 31,
  delete_rows = 32,
  gtid = 33,
  anonymous_gtid = 34,
  previous_gtids = 35,
  transaction_context = 36,
  view_change = 37,
  xa_prepare = 38,
  partial_update_rows = 39,
  transaction_payload = 40,
  heartbeat_v2 = 41,
  gtid_tagged = 42,
  maria_annotate_rows = 160,
  maria_binlog_checkpoint = 161,
  maria_gtid = 162,
  maria_gtid_list = 163,
  maria_start_encryption = 164,
  maria_query_compressed = 165,
  maria_write_rows_compressed_v1 = 166,
  maria_update_rows_compressed_v1 = 167,
  maria_delete_rows_compressed_v1 = 168,
  maria_write_rows_compressed = 169,
  maria_update_rows_compressed = 170,
  maria_delete_rows_compressed = 171,
};

inline constexpr std::size_t event_header_size = 19;
inline constexpr std::size_t event_checksum_size = 4;
inline constexpr std::uint16_t event_in_use_flag = 0x1, event_artificial_flag = 0x20, event_ignorable_flag = 0x80;

struct event_header {
  std::uint32_t time_s;
  event_type type;
  std::uint32_t server_id;
  std::uint32_t size;     // header, body and checksum
  std::uint32_t log_pos;  // where it ends in the file, the low 32 bits; 0: it is in no file
  std::uint16_t flags;
};

// `event` is one whole event; throws failure{damaged_log} if its size is not the header's.
event_header decode_event_header(std::string_view event);

// Whether the last four bytes are the CRC32 of the rest.
bool has_valid_checksum(std::string_view event);

enum class checksum_algorithm : std::uint8_t { none = 0, crc32 = 1 };

struct format_description {
  std::string server_version;
  bool maria = false;
  checksum_algorithm checksum = checksum_algorithm::none;
};
format_description decode_format_description(std::string_view event);  // the whole event; verifies its checksum

struct rotation {
  std::uint64_t offset;
  std::string_view file;
};
rotation decode_rotation(std::string_view body);

struct query {
  std::string_view database;
  std::string_view text;
};
query decode_query(std::string_view body);
query decode_execute_load_query(std::string_view body);

// The number at the end of a log file's name: binlog.000007 is 7. Throws failure{damaged_log} if there is none.
std::uint64_t log_file_number(std::string_view name);

}  // namespace duet::mysql
