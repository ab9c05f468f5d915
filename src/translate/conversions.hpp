// What can be done to one value on its way. Which one a column uses is decided once, by the type contract; here are the
// conversions themselves, numbered by conversion::code.
//
// None of them changes a value in silence: a value that the other side can't keep is refused with a cause (and then held),
// but for the losses that type_contract.hpp declares.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/arena.hpp"
#include "duet/mapping.hpp"
#include "duet/schema.hpp"

namespace duet::translate {

enum class conversion_code : std::uint16_t {
  pass,               // the bytes as they are
  boolean_check,      // 0 or 1
  integer_range,      // a bits of the target, b: 1 = unsigned
  year_range,         // 0 or 1901 to 2155
  decimal_rescale,    // a digits in total, b fraction digits of the target; exact or refused
  decimal_to_integer, // a bits, b: 1 = unsigned; the fraction must be zero
  real_finite,        // neither NaN nor infinite
  real_widen,         // float to double: the same number, its digits as a double
  real_narrow,        // double to float: nearest; beyond the range refused
  text_to_home,       // a characters at most (-1: no limit); no U+0000; blanks at the end as CHAR needs it
  text_to_spoke,      // a characters, b bytes at most (-1: no limit); blanks at the end as CHAR needs it
  text_to_spoke_bmp,     // the same, for utf8mb3 and ucs2: no character beyond U+FFFF
  text_to_spoke_latin1,  // the same, for MySQL's latin1 (cp1252)
  text_to_spoke_ascii,   // the same, for ascii
  bytes_limit,        // a bytes at most
  bytes_exact,        // exactly a bytes
  bytes_pad,          // zero bytes at the end up to a (the log cuts them off BINARY(n)), then at most b (-1: no limit)
  label,              // one of the target's labels
  label_to_text,      // one of the source's own labels (MySQL's invalid '' is none); a characters at most
  text_to_set,        // labels separated by ',' to labels in the order of their definition
  array_to_set,       // {a,b} to a,b
  set_to_array,       // a,b to {a,b}
  date_to_spoke,      // no infinity, BC, or year beyond 9999
  date_to_home,       // no zero or impossible date
  time_to_spoke,      // a fraction digits are kept, the rest is cut
  time_to_home,       // the same; 00:00:00 to 24:00:00
  datetime_to_spoke,  // as date_to_spoke and time_to_spoke
  datetime_to_home,
  instant_to_spoke,   // a as above; the range of TIMESTAMP, b: 1 = until 2106
  json_to_mysql,      // MySQL's binary JSON: numbers that it keeps exactly, depth up to 100
  json_to_jsonb,      // valid, no U+0000, no half surrogates
  json_to_json,       // valid
  uuid_check,         // text that is a UUID in lower case with hyphens
  uuid_to_bytes,      // 16 bytes
  bytes_to_uuid,
  bits_check,         // exactly a digits 0 and 1
  array_to_json,      // {1,2} to [1, 2]
  json_to_array,
  hstore_to_json,     // "a"=>"1" to {"a": "1"}
  json_to_hstore,
  address_check,      // an IP address of family a (4 or 6), without a network, as PostgreSQL prints it
  wkb_to_geometry,    // WKB, or EWKB with a SRID, to MySQL's own: the SRID in 4 bytes, then WKB
  geometry_to_wkb,
  hex_wkb_to_geometry,  // the same in PostGIS's hex digits
  geometry_to_hex_wkb,
  bytes_to_vector,    // at most a bytes (-1: no limit), a multiple of 4
  reals_to_vector,    // {1,0.5} to floats of 4 bytes
  vector_to_reals,
  count
};

struct conversion_call {
  std::string_view in;
  conversion how;
  const column_type& from;
  const column_type& to;
  base::arena& arena;  // for bytes that are not a part of `in`
};

// Null: `out` is the converted value. Otherwise the cause in words, without the value; static storage.
const char* convert(const conversion_call&, std::string_view& out);

}  // namespace duet::translate
