// Pairs of the types that travel as text that PostgreSQL prints, of arrays, and of MySQL's GEOMETRY and VECTOR.
#include <algorithm>
#include <array>

#include "translate/pairings.hpp"

namespace duet::translate::pairings {

using code = conversion_code;
using type = column_type;

namespace {

// The longest text of those types that have one.
std::int64_t longest_print(const type& home) {
  struct limit {
    std::string_view name;
    std::int64_t characters;
  };
  constexpr limit limits[] = {{"inet", 43}, {"cidr", 43}, {"macaddr", 17}, {"macaddr8", 23}, {"timetz", 24}, {"pg_lsn", 17}, {"interval", 64},
                              {"name", 63}, {"\"char\"", 4}};
  for (const limit& l : limits)
    if (l.name == home.name) return l.characters;
  return -1;
}

// Two of these values are equal exactly if their texts are; and they have an index at home.
bool may_be_key(const type& home) {
  constexpr std::string_view names[] = {"inet", "cidr", "macaddr", "macaddr8", "timetz", "pg_lsn", "name", "\"char\"", "varbit", "int4range", "int8range",
                                        "daterange"};
  return std::find(std::begin(names), std::end(names), home.name) != std::end(names);
}

bool is_any_length(const type& spoke) {
  return spoke.kind == value_kind::json || (bytes_of_native(spoke) < 0 && characters_of(spoke) < 0 && (spoke.charset.empty() || spoke.charset == "utf8mb4"));
}

// A document's spelling is that of MySQL's JSON; MariaDB, and a text, keep what they are given.
void lose_spelling(const type& spoke, pairing& p) {
  p.guarded = p.may_be_key = false;
  if (!is_mysql_json(spoke)) lose(p, "the spaces of the JSON text, and how its characters are escaped");
}

}  // namespace

void printed_with_text(const type& home, const type& spoke, pairing& p) {
  p.may_be_key = may_be_key(home);
  p.to_spoke = text_into_spoke(home, longest_print(home), spoke, p);
  p.to_home = with(code::text_to_home, -1);
  p.held.push_back("text that is not written as PostgreSQL prints " + word(home));
}

void bits_with_text(const type& home, const type& spoke, pairing& p) {
  p.to_spoke = text_into_spoke(home, home.bits, spoke, p);
  p.to_home = with(code::bits_check, home.bits);
  p.held.push_back("text that has not exactly " + std::to_string(home.bits) + " digits 0 and 1");
}

void array_with_json(const type& home, const type& spoke, pairing& p) {
  if (!is_any_length(spoke)) return refuse(p, "an array needs a JSON column, or a longtext of utf8mb4");
  p.to_spoke = with(code::array_to_json);
  p.to_home = with(code::json_to_array);
  p.held = {"arrays with bounds of their own", "JSON that is no array of " + word(home) + " as PostgreSQL prints it"};
  lose_spelling(spoke, p);
}

void hstore_with_json(const type&, const type& spoke, pairing& p) {
  if (!is_any_length(spoke)) return refuse(p, "hstore needs a JSON column, or a longtext of utf8mb4");
  p.to_spoke = with(code::hstore_to_json);
  p.to_home = with(code::json_to_hstore);
  p.held = {"JSON that is no object of strings and nulls"};
  lose_spelling(spoke, p);
}

void inet_with_address(const type&, const type& spoke, pairing& p) {
  p.to_spoke = with(code::address_check, spoke.name == "inet4" ? 4 : 6);
  p.held = {spoke.name == "inet4" ? "networks, IPv6 addresses" : "networks, IPv4 addresses"};
}

void text_with_address(const type& home, const type& spoke, pairing& p) {
  p.to_spoke = with(code::address_check, spoke.name == "inet4" ? 4 : 6);
  p.to_home = with(code::text_to_home, home.length);
  p.held = {"text that is no address as PostgreSQL prints it"};
  if (home.length >= 0) p.held.push_back("addresses of more than " + std::to_string(home.length) + " characters");
}

void bytes_with_geometry(const type&, const type&, pairing& p) {
  p.may_be_key = false;
  p.to_spoke = with(code::wkb_to_geometry);
  p.to_home = with(code::geometry_to_wkb);
  p.held = {"bytes that are no WKB of two dimensions (EWKB where there is an SRID), or that the spoke's type does not take"};
}

void geometry_with_geometry(const type&, const type&, pairing& p) {
  p.may_be_key = false;
  p.to_spoke = with(code::hex_wkb_to_geometry);
  p.to_home = with(code::geometry_to_hex_wkb);
  p.held = {"geometries of more than two dimensions, empty ones, or of a kind that the other side's column does not take"};
}

void bytes_with_vector(const type&, const type& spoke, pairing& p) {
  p.guarded = p.may_be_key = false;  // MySQL does not compare vectors
  p.to_spoke = with(code::bytes_to_vector, spoke.length);
  p.held = {"bytes that are no whole number of floats, or more than " + word(spoke) + " takes"};
}

void reals_with_vector(const type& home, const type& spoke, pairing& p) {
  if (home.element != value_kind::real || home.bits != 32) return refuse(p, "a VECTOR needs real[], bytea or a JSON array: its numbers have single precision");
  p.guarded = p.may_be_key = false;
  p.to_spoke = with(code::reals_to_vector, spoke.length);
  p.to_home = with(code::vector_to_reals);
  p.held = {"NaN, infinity, NULL elements, empty arrays and those of more than one dimension, or with more elements than " + word(spoke) + " takes"};
}

}  // namespace duet::translate::pairings
