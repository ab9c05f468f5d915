// How the two types of one pair go together: the functions that the rows of type_contract.cpp name, and what they share.
#pragma once

#include <string>

#include "translate/conversions.hpp"
#include "translate/type_contract.hpp"

namespace duet::translate::pairings {

using decision = void(const column_type& home, const column_type& spoke, pairing&);
decision boolean_with_number, boolean_with_bits, integer_with_integer, integer_with_boolean, integer_with_year, integer_with_decimal;
decision decimal_with_integer, decimal_with_decimal, real_with_real, text_with_text, text_with_enumeration, text_with_set;
decision text_with_uuid, text_with_json, bytes_with_bytes, date_with_date, time_with_time, datetime_with_datetime, any_with_timestamp;
decision datetime_with_timestamp, timestamp_with_datetime, json_with_json, bits_with_bits, uuid_with_uuid, uuid_with_text;
decision uuid_with_bytes, enumeration_with_enumeration, enumeration_with_text, array_with_set, text_with_address, array_with_json;
decision printed_with_text, hstore_with_json, inet_with_address, bits_with_text, bytes_with_geometry, geometry_with_geometry;
decision bytes_with_vector, reals_with_vector;

// ---- what they share

conversion with(conversion_code, std::int64_t a = 0, std::int64_t b = 0);
void refuse(pairing&, std::string why);
void lose(pairing&, std::string what);
std::string word(const column_type&);
std::string lower(std::string);
std::int64_t bytes_of_native(const column_type&);  // of MySQL's TEXT and BLOB types; -1: no limit that matters
std::int64_t characters_of(const column_type&);
std::int64_t longest(const std::vector<std::string>& labels);
// `most`: the longest text that home can have, in characters; -1: any.
conversion text_into_spoke(const column_type& home, std::int64_t most, const column_type& spoke, pairing&);
bool is_mysql_json(const column_type& spoke);
bool has_unclear_label(const column_type& spoke);

}  // namespace duet::translate::pairings
