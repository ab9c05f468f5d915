// Conversions that have a file of their own, and what they share with conversions.cpp.
#pragma once

#include <string_view>

#include "translate/conversions.hpp"

namespace duet::translate {

using converter = const char*(const conversion_call&, std::string_view& out);

converter array_to_json, json_to_array, hstore_to_json, json_to_hstore;                            // json_conversions.cpp
converter bits_check, address_check;                                                               // binary_conversions.cpp
converter wkb_to_geometry, geometry_to_wkb, hex_wkb_to_geometry, geometry_to_hex_wkb;
converter bytes_to_vector, reals_to_vector, vector_to_reals;

// PostgreSQL's array literals: blanks as it knows them, and an element as array_out writes it. Room: twice the size and 2.
bool is_array_space(char);
char* write_array_element(std::string_view, char* out);

// A number as PostgreSQL prints it: 1e+20, 0.0001, 100000. Room: 32.
char* write_as_postgres(float, char* out);
char* write_as_postgres(double, char* out);

}  // namespace duet::translate
