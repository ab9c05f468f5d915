// Dates and times of rows events and of binary JSON as canonical text (value.hpp).
//
// The wire forms are those of MySQL's documentation, "Date and Time Data Type Representation": the ...2 types are big
// endian with 0 to 3 bytes of fraction; the older ones are little-endian decimal numbers; MariaDB's own form with a
// fraction (mysql56_temporal_format=OFF) is a big-endian count in units of the fraction. Each decode_ function gets as
// many bytes as its _size function says and writes at most temporal_text_max characters.
#pragma once

#include <cstddef>
#include <cstdint>

namespace duet::mysql {

inline constexpr std::size_t temporal_text_max = 40;

// Whether the fraction is cut (canonical text) or always has six digits (the JSON printer's form).
enum class fraction_form : std::uint8_t { cut, six };

std::size_t fraction_size(int digits);         // 0..3 bytes; throws failure{damaged_log} unless 0 <= digits <= 6
std::size_t maria_timestamp_size(int digits);  // MariaDB's own forms with a fraction
std::size_t maria_datetime_size(int digits);
std::size_t maria_time_size(int digits);

std::size_t decode_date(const std::uint8_t* p, char* out);                    // DATE, NEWDATE: 3 bytes
std::size_t decode_time2(const std::uint8_t* p, int digits, char* out);       // TIME2: 3 bytes and fraction
std::size_t decode_datetime2(const std::uint8_t* p, int digits, char* out);   // DATETIME2: 5 bytes and fraction
std::size_t decode_timestamp2(const std::uint8_t* p, int digits, char* out);  // TIMESTAMP2: 4 bytes and fraction; UTC
std::size_t decode_time_old(const std::uint8_t* p, char* out);                // TIME: 3 bytes
std::size_t decode_datetime_old(const std::uint8_t* p, char* out);            // DATETIME: 8 bytes
std::size_t decode_timestamp_old(const std::uint8_t* p, char* out);           // TIMESTAMP: 4 bytes
std::size_t decode_maria_time(const std::uint8_t* p, int digits, char* out);
std::size_t decode_maria_datetime(const std::uint8_t* p, int digits, char* out);
std::size_t decode_maria_timestamp(const std::uint8_t* p, int digits, char* out);

// The packed 64-bit forms inside binary JSON.
std::size_t decode_packed_date(std::int64_t packed, char* out);
std::size_t decode_packed_time(std::int64_t packed, char* out);
std::size_t decode_packed_datetime(std::int64_t packed, char* out);

}  // namespace duet::mysql
