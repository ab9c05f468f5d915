#include "mysql/decimal.hpp"

#include <algorithm>
#include <cstring>

#include "base/byte_reader.hpp"

namespace duet::mysql {

namespace {

constexpr int group_digits = 9;
constexpr std::size_t bytes_of_digits[group_digits + 1] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4};
constexpr std::uint32_t power_of_ten[group_digits + 1] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};

// The next group, of `digits` digits, as that many characters.
const std::uint8_t* decode_group(const std::uint8_t* p, int digits, std::uint8_t invert, char* out) {
  const std::size_t n = bytes_of_digits[digits];
  std::uint32_t v = 0;
  for (std::size_t i = 0; i < n; ++i) v = v << 8 | static_cast<std::uint8_t>(p[i] ^ invert);
  if (v >= power_of_ten[digits]) base::throw_damaged("a DECIMAL with a group of digits out of range");
  for (int i = digits; i-- > 0; v /= 10) out[i] = static_cast<char>('0' + v % 10);
  return p + n;
}

}  // namespace

std::size_t packed_decimal_size(int precision, int scale) {
  if (precision < 1 || precision > decimal_precision_max || scale < 0 || scale > decimal_scale_max || scale > precision)
    base::throw_damaged("a DECIMAL of impossible precision");
  const int whole = precision - scale;
  return static_cast<std::size_t>(whole / group_digits + scale / group_digits) * 4 + bytes_of_digits[whole % group_digits] +
         bytes_of_digits[scale % group_digits];
}

std::size_t decode_decimal(const std::uint8_t* packed, int precision, int scale, char* out) {
  const std::size_t size = packed_decimal_size(precision, scale);
  std::uint8_t bytes[40];
  std::memcpy(bytes, packed, size);
  const bool negative = (bytes[0] & 0x80) == 0;
  const std::uint8_t invert = negative ? 0xff : 0;
  bytes[0] ^= 0x80;

  char digits[decimal_precision_max + group_digits];
  char* d = digits;
  const std::uint8_t* p = bytes;
  const int whole = precision - scale;
  if (whole % group_digits) p = decode_group(p, whole % group_digits, invert, d), d += whole % group_digits;
  for (int i = 0; i < whole / group_digits; ++i, d += group_digits) p = decode_group(p, group_digits, invert, d);
  for (int i = 0; i < scale / group_digits; ++i, d += group_digits) p = decode_group(p, group_digits, invert, d);
  if (scale % group_digits) decode_group(p, scale % group_digits, invert, d), d += scale % group_digits;

  char* o = out;
  if (negative && std::any_of(digits, d, [](char c) { return c != '0'; })) *o++ = '-';
  const char* first = std::find_if(digits, digits + whole, [](char c) { return c != '0'; });
  if (first == digits + whole) *o++ = '0';
  o = std::copy(first, static_cast<const char*>(digits + whole), o);
  if (scale) {
    *o++ = '.';
    o = std::copy(digits + whole, d, o);
  }
  return static_cast<std::size_t>(o - out);
}

}  // namespace duet::mysql
