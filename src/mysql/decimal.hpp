// DECIMAL as rows events and binary JSON carry it: nine digits in four bytes, big endian, the sign in the first bit.
//
// The digits before the point come first: those that fill no group of nine, then whole groups; behind the point it is the
// other way round. A negative number has all its bits inverted; then the first bit of the first byte is flipped.
#pragma once

#include <cstddef>
#include <cstdint>

namespace duet::mysql {

inline constexpr int decimal_precision_max = 65, decimal_scale_max = 30;
inline constexpr std::size_t decimal_text_max = 80;  // sign, digits, point, a leading zero

// Bytes of a DECIMAL(precision, scale); throws failure{damaged_log} if there is no such type.
std::size_t packed_decimal_size(int precision, int scale);

// Writes the canonical text (value.hpp), at most decimal_text_max characters, and returns its length. `packed` has
// packed_decimal_size bytes.
std::size_t decode_decimal(const std::uint8_t* packed, int precision, int scale, char* out);

}  // namespace duet::mysql
