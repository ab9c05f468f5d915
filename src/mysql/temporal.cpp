#include "mysql/temporal.hpp"

#include <chrono>
#include <cstring>

#include "base/byte_reader.hpp"

namespace duet::mysql {

namespace {

constexpr std::uint32_t power_of_ten[7] = {1, 10, 100, 1000, 10000, 100000, 1000000};

std::uint64_t big_endian(const std::uint8_t* p, std::size_t n) {
  std::uint64_t v = 0;
  for (std::size_t i = 0; i < n; ++i) v = v << 8 | p[i];
  return v;
}

std::uint64_t little_endian(const std::uint8_t* p, std::size_t n) {
  std::uint64_t v = 0;
  for (std::size_t i = n; i-- > 0;) v = v << 8 | p[i];
  return v;
}

// At least `width` digits.
char* put(char* out, std::uint64_t v, int width) {
  char digits[20];
  int n = 0;
  do digits[n++] = static_cast<char>('0' + v % 10);
  while (v /= 10);
  for (int i = n; i < width; ++i) *out++ = '0';
  while (n > 0) *out++ = digits[--n];
  return out;
}

char* put_fraction(char* out, std::uint32_t microseconds, fraction_form form) {
  if (microseconds >= 1000000) base::throw_damaged("a fraction of a second out of range");
  if (form == fraction_form::cut && microseconds == 0) return out;
  *out++ = '.';
  out = put(out, microseconds, 6);
  if (form == fraction_form::cut)
    while (out[-1] == '0') --out;
  return out;
}

char* put_date(char* out, std::uint64_t year, unsigned month, unsigned day) {
  if (year > 9999 || month > 12 || day > 31) base::throw_damaged("a date out of range");
  out = put(out, year, 4);
  *out++ = '-';
  out = put(out, month, 2);
  *out++ = '-';
  return put(out, day, 2);
}

char* put_clock(char* out, std::uint64_t hour, unsigned minute, unsigned second) {
  if (hour > 999 || minute > 59 || second > 59) base::throw_damaged("a time out of range");
  out = put(out, hour, 2);
  *out++ = ':';
  out = put(out, minute, 2);
  *out++ = ':';
  return put(out, second, 2);
}

char* put_datetime(char* out, std::uint64_t year, unsigned month, unsigned day, unsigned hour, unsigned minute, unsigned second,
                   std::uint32_t microseconds, fraction_form form = fraction_form::cut) {
  if (hour > 23) base::throw_damaged("a time of day out of range");
  out = put_date(out, year, month, day);
  *out++ = ' ';
  return put_fraction(put_clock(out, hour, minute, second), microseconds, form);
}

std::size_t put_instant(char* out, std::uint32_t seconds, std::uint32_t microseconds) {
  if (seconds == 0 && microseconds == 0) {
    std::memcpy(out, "0000-00-00 00:00:00", 19);
    return 19;
  }
  const std::chrono::sys_days day(std::chrono::days(seconds / 86400));
  const std::chrono::year_month_day date(day);
  const std::uint32_t clock = seconds % 86400;
  return static_cast<std::size_t>(put_datetime(out, static_cast<std::uint64_t>(static_cast<int>(date.year())), unsigned(date.month()),
                                               unsigned(date.day()), clock / 3600, clock / 60 % 60, clock % 60, microseconds) -
                                  out);
}

// The fraction of the ...2 types: in hundredths, ten thousandths or millionths.
std::uint32_t microseconds(const std::uint8_t* p, int digits) {
  switch (fraction_size(digits)) {
    case 1: return static_cast<std::uint32_t>(p[0]) * 10000;
    case 2: return static_cast<std::uint32_t>(big_endian(p, 2)) * 100;
    case 3: return static_cast<std::uint32_t>(big_endian(p, 3));
    default: return 0;
  }
}

void check_digits(int digits) {
  if (digits < 0 || digits > 6) base::throw_damaged("a fraction of a second of impossible width");
}

// hour, minute and second in one number, and microseconds, of a TIME.
std::size_t put_time(char* out, bool negative, std::uint64_t hour, unsigned minute, unsigned second, std::uint32_t us,
                     fraction_form form) {
  char* o = out;
  if (negative) *o++ = '-';
  return static_cast<std::size_t>(put_fraction(put_clock(o, hour, minute, second), us, form) - out);
}

}  // namespace

std::size_t fraction_size(int digits) {
  check_digits(digits);
  return static_cast<std::size_t>(digits + 1) / 2;
}

std::size_t maria_timestamp_size(int digits) { return 4 + fraction_size(digits); }

std::size_t maria_datetime_size(int digits) {
  check_digits(digits);
  constexpr std::size_t sizes[7] = {5, 6, 6, 7, 7, 7, 8};
  return sizes[digits];
}

std::size_t maria_time_size(int digits) {
  check_digits(digits);
  constexpr std::size_t sizes[7] = {3, 4, 4, 5, 5, 5, 6};
  return sizes[digits];
}

std::size_t decode_date(const std::uint8_t* p, char* out) {
  const std::uint64_t v = little_endian(p, 3);
  return static_cast<std::size_t>(put_date(out, v >> 9, v >> 5 & 15, v & 31) - out);
}

std::size_t decode_time2(const std::uint8_t* p, int digits, char* out) {
  // One signed number of 3 + n bytes whose zero lies in the middle of its range.
  const std::size_t n = fraction_size(digits);
  std::int64_t v = static_cast<std::int64_t>(big_endian(p, 3 + n)) - (std::int64_t{0x800000} << 8 * n);
  const bool negative = v < 0;
  if (negative) v = -v;
  std::uint8_t fraction[3];
  for (std::size_t i = 0; i < n; ++i) fraction[i] = static_cast<std::uint8_t>(v >> 8 * (n - 1 - i));
  const auto clock = static_cast<std::uint32_t>(v >> 8 * n);
  return put_time(out, negative, clock >> 12 & 0x3ff, clock >> 6 & 63, clock & 63, microseconds(fraction, digits), fraction_form::cut);
}

std::size_t decode_datetime2(const std::uint8_t* p, int digits, char* out) {
  const std::uint64_t v = big_endian(p, 5) ^ 0x8000000000;
  if (v & 0x8000000000) base::throw_damaged("a negative DATETIME");
  const std::uint64_t months = v >> 22;
  return static_cast<std::size_t>(put_datetime(out, months / 13, months % 13, v >> 17 & 31, v >> 12 & 31, v >> 6 & 63, v & 63,
                                               microseconds(p + 5, digits)) -
                                  out);
}

std::size_t decode_timestamp2(const std::uint8_t* p, int digits, char* out) {
  return put_instant(out, static_cast<std::uint32_t>(big_endian(p, 4)), microseconds(p + 4, digits));
}

std::size_t decode_time_old(const std::uint8_t* p, char* out) {
  auto v = static_cast<std::int32_t>(static_cast<std::uint32_t>(little_endian(p, 3)) << 8) >> 8;
  const bool negative = v < 0;
  if (negative) v = -v;
  return put_time(out, negative, static_cast<std::uint64_t>(v / 10000), v / 100 % 100, v % 100, 0, fraction_form::cut);
}

std::size_t decode_datetime_old(const std::uint8_t* p, char* out) {
  const std::uint64_t v = little_endian(p, 8);
  const std::uint64_t date = v / 1000000, clock = v % 1000000;
  return static_cast<std::size_t>(put_datetime(out, date / 10000, date / 100 % 100, date % 100, static_cast<unsigned>(clock / 10000),
                                               clock / 100 % 100, clock % 100, 0) -
                                  out);
}

std::size_t decode_timestamp_old(const std::uint8_t* p, char* out) {
  return put_instant(out, static_cast<std::uint32_t>(little_endian(p, 4)), 0);
}

std::size_t decode_maria_time(const std::uint8_t* p, int digits, char* out) {
  constexpr std::int64_t seconds_max = 838 * 3600 + 59 * 60 + 59;
  const std::int64_t unit = power_of_ten[digits];
  std::int64_t v = static_cast<std::int64_t>(big_endian(p, maria_time_size(digits))) - (seconds_max + 1) * unit;
  const bool negative = v < 0;
  if (negative) v = -v;
  const std::int64_t seconds = v / unit;
  return put_time(out, negative, static_cast<std::uint64_t>(seconds / 3600), seconds / 60 % 60, seconds % 60,
                  static_cast<std::uint32_t>(v % unit * (1000000 / unit)), fraction_form::cut);
}

std::size_t decode_maria_datetime(const std::uint8_t* p, int digits, char* out) {
  const std::uint64_t unit = power_of_ten[digits];
  const std::uint64_t v = big_endian(p, maria_datetime_size(digits));
  std::uint64_t rest = v / unit;  // ((((year * 13 + month) * 32 + day) * 24 + hour) * 60 + minute) * 60 + second
  const auto second = static_cast<unsigned>(rest % 60), minute = static_cast<unsigned>(rest / 60 % 60);
  rest /= 3600;
  const auto hour = static_cast<unsigned>(rest % 24);
  rest /= 24;
  const auto day = static_cast<unsigned>(rest % 32);
  rest /= 32;
  return static_cast<std::size_t>(put_datetime(out, rest / 13, rest % 13, day, hour, minute, second,
                                               static_cast<std::uint32_t>(v % unit * (1000000 / unit))) -
                                  out);
}

std::size_t decode_maria_timestamp(const std::uint8_t* p, int digits, char* out) {
  const std::uint64_t unit = power_of_ten[digits];
  const std::uint64_t fraction = big_endian(p + 4, fraction_size(digits));
  if (fraction >= unit) base::throw_damaged("a fraction of a second out of range");
  return put_instant(out, static_cast<std::uint32_t>(big_endian(p, 4)), static_cast<std::uint32_t>(fraction * (1000000 / unit)));
}

std::size_t decode_packed_date(std::int64_t packed, char* out) {
  const std::uint64_t days = static_cast<std::uint64_t>(packed) >> 41;
  const std::uint64_t months = days >> 5;
  return static_cast<std::size_t>(put_date(out, months / 13, months % 13, days & 31) - out);
}

std::size_t decode_packed_time(std::int64_t packed, char* out) {
  const bool negative = packed < 0;
  const std::uint64_t v = negative ? 0 - static_cast<std::uint64_t>(packed) : static_cast<std::uint64_t>(packed);
  const std::uint64_t clock = v >> 24;
  return put_time(out, negative, clock >> 12 & 0x3ff, clock >> 6 & 63, clock & 63, static_cast<std::uint32_t>(v & 0xffffff),
                  fraction_form::six);
}

std::size_t decode_packed_datetime(std::int64_t packed, char* out) {
  if (packed < 0) base::throw_damaged("a negative DATETIME");
  const auto v = static_cast<std::uint64_t>(packed);
  const std::uint64_t clock = v >> 24 & 0x1ffff, months = v >> 46;
  return static_cast<std::size_t>(put_datetime(out, months / 13, months % 13, v >> 41 & 31, clock >> 12, clock >> 6 & 63, clock & 63,
                                               static_cast<std::uint32_t>(v & 0xffffff), fraction_form::six) -
                                  out);
}

}  // namespace duet::mysql
