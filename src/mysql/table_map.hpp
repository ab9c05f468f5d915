// TABLE_MAP: before rows of a table appear in a statement, this event says which table an id stands for and of which types
// its columns are.
//
// Wire format: MySQL's documentation "Table_map_event". With binlog_row_metadata=FULL it also carries names and labels.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace duet::mysql {

enum wire_type : std::uint8_t {
  wire_tiny = 1,
  wire_short = 2,
  wire_long = 3,
  wire_float = 4,
  wire_double = 5,
  wire_null = 6,
  wire_timestamp = 7,
  wire_longlong = 8,
  wire_int24 = 9,
  wire_date = 10,
  wire_time = 11,
  wire_datetime = 12,
  wire_year = 13,
  wire_newdate = 14,
  wire_varchar = 15,
  wire_bit = 16,
  wire_timestamp2 = 17,
  wire_datetime2 = 18,
  wire_time2 = 19,
  wire_maria_blob_compressed = 140,
  wire_maria_varchar_compressed = 141,
  wire_vector = 242,
  wire_json = 245,
  wire_newdecimal = 246,
  wire_enum = 247,
  wire_set = 248,
  wire_tiny_blob = 249,
  wire_medium_blob = 250,
  wire_long_blob = 251,
  wire_blob = 252,
  wire_var_string = 253,
  wire_string = 254,
  wire_geometry = 255,
};

struct wire_column {
  wire_type type = wire_null;  // CHAR columns that are ENUM or SET inside have those types
  std::uint32_t length = 0;    // CHAR, VARCHAR: bytes; BIT: bits; ENUM, SET: bytes of the number; BLOB kinds: bytes of the length
  std::uint8_t precision = 0, scale = 0;  // DECIMAL; time types with a fraction: precision
  enum class sign : std::uint8_t { unknown, has, lacks } sign = sign::unknown;
  std::string name;                        // empty: the log does not say
  std::vector<std::string> labels;         // ENUM, SET, in the column's character set; empty: the log does not say
};

struct table_map {
  std::uint64_t id = 0;
  std::string_view database, table;  // views of the event
  std::vector<wire_column> columns;
};

// The part in front: id and names only; `body` without header and checksum.
table_map decode_table_name(std::string_view body);
table_map decode_table_map(std::string_view body);

// How many bytes a value takes in a row: a length in front, or a fixed size.
struct wire_layout {
  std::uint8_t length_bytes = 0;
  std::uint32_t size = 0;
};
// `fraction_digits` is the column's, for the time types whose event does not say (MariaDB's own).
wire_layout layout_of(const wire_column&, int fraction_digits = 0);

}  // namespace duet::mysql
