#include "translate/type_contract.hpp"

#include <algorithm>

#include "translate/pairings.hpp"

namespace duet::translate {

namespace {

using namespace pairings;
using kind = value_kind;
using type = column_type;

bool spoke_is_year(const type&, const type& spoke) { return lower(spoke.native).starts_with("year"); }
bool spoke_is_geometry(const type&, const type& spoke) { return spoke.name == "geometry"; }
bool spoke_is_vector(const type&, const type& spoke) { return spoke.name == "vector"; }
bool spoke_is_plain(const type& home, const type& spoke) { return !spoke_is_geometry(home, spoke) && !spoke_is_vector(home, spoke); }
bool home_is_text_array(const type& home, const type&) { return home.element == value_kind::text; }

constexpr grade exact = grade::exact, loss = grade::declared_loss, refused = grade::refused;
constexpr contract_direction all{exact, ""}, no{refused, ""};
constexpr std::string_view bad_days = "zero and impossible dates", far_days = "infinity, BC, years after 9999",
                           not_1970 = "outside 1970 to 2038 (MariaDB 11.5: 2106), infinity", not_printed = "text that is not spelled as PostgreSQL prints it",
                           no_room = "text that is too long, or has characters that the character set lacks", fractions = "exact between equal precisions; else fractions of a second are cut",
                           varchars = "char, varchar, text", geometries = "geometry, point, linestring, polygon, multi..., geometrycollection";
constexpr contract_direction as_printed_to_spoke{exact, no_room}, as_printed_to_home{exact, not_printed};

constexpr contract_row rows[] = {
    // numbers
    {kind::boolean, kind::integer, "boolean", "tinyint(1), tinyint and other integers", all, {exact, "numbers other than 0 and 1"}, "", boolean_with_number},
    {kind::boolean, kind::boolean, "boolean", "boolean", all, {exact, "numbers other than 0 and 1"}, "", boolean_with_number},
    {kind::boolean, kind::bits, "boolean", "bit(1)", all, all, "", boolean_with_bits},
    {kind::integer, kind::integer, "smallint, integer, bigint", "year", {exact, "numbers other than 0 and 1901 to 2155"}, all, "", integer_with_year, spoke_is_year},
    {kind::integer, kind::integer, "smallint, integer, bigint", "tinyint to bigint, signed or unsigned", {exact, "numbers out of the spoke's range"},
     {exact, "numbers out of home's range"}, "", integer_with_integer},
    {kind::integer, kind::boolean, "smallint, integer, bigint", "boolean", {exact, "numbers other than 0 and 1"}, all, "", integer_with_boolean},
    {kind::integer, kind::decimal, "smallint, integer, bigint", "decimal", {exact, "numbers out of range"}, {exact, "fractions, numbers out of range"}, "",
     integer_with_decimal},
    {kind::decimal, kind::integer, "numeric (numeric(20,0) for bigint unsigned)", "tinyint to bigint, signed or unsigned",
     {exact, "NaN, infinity, fractions, numbers out of range"}, {exact, "numbers out of range"}, "", decimal_with_integer},
    {kind::decimal, kind::decimal, "numeric", "decimal", {exact, "NaN, infinity, digits that the spoke has no room for (numeric(1000) included)"},
     {exact, "digits that home has no room for"}, "zeros at the end of a fraction follow the target's scale", decimal_with_decimal},
    {kind::real, kind::real, "real, double precision", "float, double", {loss, "NaN, infinity"}, {loss, ""},
     "exact between equal precisions, but for -0, which MariaDB stores as 0; a double rounded to a float loses digits", real_with_real},
    // text
    {kind::text, kind::text, "char, varchar, text, citext", "char, varchar, tinytext to longtext",
     {exact, "text too long, with characters that the character set lacks, with blanks at its end for CHAR"},
     {exact, "text too long, with U+0000, with blanks at its end for char"}, "a citext can't be a primary key", text_with_text},
    {kind::text, kind::enumeration, "char, varchar, text, citext", "enum", {exact, "text that is no label"}, {exact, "MySQL's '' for an invalid value"}, "",
     text_with_enumeration},
    {kind::text, kind::set, "char, varchar, text, citext", "set", {loss, "text with an unknown label"}, all,
     "labels joined by ',', in the SET's order and each once", text_with_set},
    {kind::text, kind::uuid, "char, varchar, text", "uuid", {exact, "text that is not a UUID in lower case with hyphens"}, all, "MariaDB", text_with_uuid},
    {kind::text, kind::printed, "char, varchar, text", "inet4, inet6", {exact, "text that is no address as PostgreSQL prints it"}, all, "MariaDB",
     text_with_address},
    {kind::text, kind::json, "char, varchar, text", "json", {loss, "text that is not valid JSON"}, all,
     "spaces, the order of keys and the spelling of numbers are the server's", text_with_json},
    // bytes
    {kind::bytes, kind::bytes, "bytea", "binary, varbinary, tinyblob to longblob", {exact, "values too long; not exactly n bytes for BINARY(n)"}, all, "",
     bytes_with_bytes, spoke_is_plain},
    {kind::bytes, kind::bytes, "bytea", geometries, {exact, "bytes that are no WKB or EWKB of two dimensions; what the spoke's type does not take"}, all,
     "bytea holds WKB, or EWKB where the SRID is not 0", bytes_with_geometry, spoke_is_geometry, "", "bytea"},
    {kind::printed, kind::bytes, "geometry, geography", geometries, {exact, "more than two dimensions, empty geometries, what the spoke's type does not take"},
     {exact, not_printed}, "PostGIS, by EWKB with the SRID; not tried with PostGIS itself", geometry_with_geometry, spoke_is_geometry},
    {kind::bytes, kind::bytes, "bytea", "vector", {exact, "bytes that are no whole number of floats, or too many"}, all,
     "floats of 4 bytes, the lowest first; MySQL 9, MariaDB 11.7", bytes_with_vector, spoke_is_vector},
    {kind::array, kind::bytes, "real[]", "vector", {exact, "NaN, infinity, NULL elements, empty arrays, more than one dimension, too many elements"}, all,
     "MySQL 9, MariaDB 11.7", reals_with_vector, spoke_is_vector, "", "real[]"},
    // date and time
    {kind::date, kind::date, "date", "date", {exact, far_days}, {exact, bad_days}, "", date_with_date},
    {kind::time, kind::time, "time(0..6)", "time(0..6)", {loss, ""}, {loss, "negative times, times beyond 24 hours"}, fractions, time_with_time},
    {kind::datetime, kind::datetime, "timestamp(0..6)", "datetime(0..6)", {loss, far_days}, {loss, bad_days}, fractions, datetime_with_datetime},
    {kind::datetime, kind::timestamp, "timestamp(0..6)", "timestamp(0..6)", {loss, not_1970}, {loss, "the zero timestamp"},
     "home's value is taken as UTC; fractions as above", datetime_with_timestamp},
    {kind::timestamp, kind::timestamp, "timestamptz(0..6)", "timestamp(0..6)", {loss, not_1970}, {loss, "the zero timestamp"}, fractions, any_with_timestamp},
    {kind::timestamp, kind::datetime, "timestamptz(0..6)", "datetime(0..6)", {loss, far_days}, {loss, bad_days},
     "the spoke's value is taken as UTC; fractions as above", timestamp_with_datetime},
    {kind::printed, kind::time, "interval, timetz", "time(0..6)", no, no, "a TIME has neither months, days nor a zone: varchar(64)"},
    {kind::printed, kind::text, "interval", varchars, as_printed_to_spoke, as_printed_to_home, "ISO 8601: P1Y2M3DT4H5M6.7S", printed_with_text, nullptr,
     "varchar(64) CHARACTER SET ascii COLLATE ascii_bin"},
    {kind::printed, kind::text, "timetz", varchars, as_printed_to_spoke, as_printed_to_home, "04:05:06.789+02", printed_with_text, nullptr,
     "varchar(24) CHARACTER SET ascii COLLATE ascii_bin"},
    // documents
    {kind::json, kind::json, "json, jsonb", "json", {loss, "numbers that a double can't keep, depth over 100 (MySQL)"}, {loss, "U+0000, half surrogate pairs (jsonb)"},
     "the same document; spaces, the order of keys and the spelling of numbers are the server's", json_with_json},
    {kind::json, kind::text, "json, jsonb", "longtext and other text (JSON of MariaDB)", all, {loss, "text that is not valid JSON; U+0000 (jsonb)"},
     "exact between json and text; jsonb has its own spelling", json_with_json},
    {kind::printed, kind::json, "hstore", "json", all, {loss, "JSON that is no object of strings and nulls"}, "an object; exact with MySQL's JSON, which has one spelling",
     hstore_with_json, nullptr, "json"},
    {kind::printed, kind::text, "hstore", varchars, as_printed_to_spoke, as_printed_to_home, "", printed_with_text},
    {kind::printed, kind::text, "xml", varchars, as_printed_to_spoke, as_printed_to_home, "the text that was given; PostgreSQL drops the encoding of a declaration",
     printed_with_text, nullptr, "longtext"},
    {kind::printed, kind::text, "jsonpath", varchars, as_printed_to_spoke, as_printed_to_home, "", printed_with_text, nullptr, "longtext"},
    // arrays
    {kind::array, kind::json, "arrays", "json", {exact, "bounds of their own"}, {loss, "JSON that is no array of such elements as PostgreSQL prints them"},
     "numbers of smallint to double precision and booleans as such, all else (numeric too) as strings in PostgreSQL's spelling; exact with MySQL's JSON", array_with_json, nullptr, "json"},
    {kind::array, kind::text, "arrays", "longtext", {exact, "bounds of their own"}, {loss, "JSON that is no array of such elements as PostgreSQL prints them"},
     "as JSON", array_with_json},
    {kind::array, kind::set, "text[]", "set", {loss, "unknown labels, NULL elements, more than one dimension"}, all,
     "labels in the SET's order, each once; {} is the empty set", array_with_set, home_is_text_array},
    // bits, UUIDs, labels
    {kind::bits, kind::bits, "bit(n)", "bit(n)", all, all, "n must be equal", bits_with_bits},
    {kind::bits, kind::text, "bit(n)", varchars, all, {exact, "text that is not n digits 0 and 1"}, "", bits_with_text},
    {kind::printed, kind::text, "varbit", varchars, as_printed_to_spoke, as_printed_to_home, "digits 0 and 1", printed_with_text, nullptr, "longtext"},
    {kind::uuid, kind::uuid, "uuid", "uuid", {exact, "UUIDs of version 8 and above that MariaDB refuses"}, all, "MariaDB", uuid_with_uuid},
    {kind::uuid, kind::text, "uuid", "char(36), varchar(36)", all, {exact, "text that is not a UUID in lower case with hyphens"}, "", uuid_with_text, nullptr,
     "char(36) CHARACTER SET ascii COLLATE ascii_bin"},
    {kind::uuid, kind::bytes, "uuid", "binary(16)", all, all, "the bytes in the order of the text", uuid_with_bytes, spoke_is_plain},
    {kind::enumeration, kind::enumeration, "enum", "enum", {exact, "labels that the spoke lacks"}, {exact, "labels that home lacks"}, "",
     enumeration_with_enumeration},
    {kind::enumeration, kind::text, "enum", varchars, all, {exact, "text that is no label"}, "", enumeration_with_text},
    // addresses
    {kind::printed, kind::printed, "inet", "inet4, inet6", {exact, "networks; addresses of the other family"}, all, "MariaDB", inet_with_address, nullptr, "", "inet"},
    {kind::printed, kind::text, "inet, cidr", varchars, as_printed_to_spoke, as_printed_to_home, "", printed_with_text, nullptr,
     "varchar(43) CHARACTER SET ascii COLLATE ascii_bin"},
    {kind::printed, kind::text, "macaddr, macaddr8", varchars, as_printed_to_spoke, as_printed_to_home, "", printed_with_text, nullptr,
     "varchar(23) CHARACTER SET ascii COLLATE ascii_bin"},
    // ranges, geometry, text search and others, as PostgreSQL prints them
    {kind::printed, kind::text, "int4range, int8range, daterange, numrange, tsrange, tstzrange, range type", varchars, as_printed_to_spoke, as_printed_to_home,
     "[1,10)", printed_with_text, nullptr, "varchar(191)"},
    {kind::printed, kind::text, "int4multirange, int8multirange, datemultirange, nummultirange, tsmultirange, tstzmultirange, multirange type", varchars,
     as_printed_to_spoke, as_printed_to_home, "{[1,10),[20,30)}", printed_with_text, nullptr, "longtext"},
    {kind::printed, kind::text, "composite type", varchars, as_printed_to_spoke, as_printed_to_home, "(1,\"a b\",)", printed_with_text, nullptr, "longtext"},
    {kind::printed, kind::text, "point, line, lseg, box, path, polygon, circle", varchars, as_printed_to_spoke, as_printed_to_home, "(1.5,2)", printed_with_text,
     nullptr, "longtext"},
    {kind::printed, kind::text, "tsvector, tsquery", varchars, as_printed_to_spoke, as_printed_to_home, "", printed_with_text, nullptr, "longtext"},
    {kind::printed, kind::text, "pg_lsn, name, \"char\"", varchars, as_printed_to_spoke, as_printed_to_home, "", printed_with_text, nullptr, "varchar(63)"},
    {kind::printed, kind::text, "ltree, cube, geometry, geography, vector, halfvec, sparsevec", varchars, as_printed_to_spoke, as_printed_to_home,
     "of extensions; tried with ltree only", printed_with_text, nullptr, "longtext"},
    // refused
    {kind::other, kind::other, "money", "", no, no, "its text and its fraction depend on lc_monetary: numeric(19,2) with decimal(19,2)"},
    {kind::other, kind::other, "numeric with a negative scale", "", no, no, "numeric with a scale of 0 or more"},
    {kind::other, kind::other, "bpchar without a length", "", no, no, "text, or char(n)"},
    {kind::other, kind::other, "box[]", "", no, no, "its separator is not that of other arrays: polygon[]"},
    {kind::other, kind::other, "oid, xid, xid8, cid, tid, regclass, regcollation, regconfig, regdictionary, regnamespace, regoper, regoperator, regproc, "
     "regprocedure, regrole, regtype", "", no, no, "numbers that mean something in one database only: bigint or text"},
    {kind::other, kind::other, "oidvector, int2vector, pg_node_tree, aclitem, refcursor, gtsvector, txid_snapshot, pg_snapshot, pg_ndistinct, "
     "pg_dependencies, pg_mcv_list, pg_brin_bloom_summary, pg_brin_minmax_multi_summary", "", no, no, "internal to PostgreSQL: text"},
    {kind::other, kind::other, "base type of your own or of an extension", "", no, no, "Duet can't know how it compares: text, or a domain over a type of this table"},
};

bool is_among(std::string_view names, std::string_view name) {
  for (std::size_t at = 0; at < names.size();) {
    const std::size_t comma = std::min(names.find(", ", at), names.size());
    if (names.substr(at, comma - at) == name) return true;
    at = comma + 2;
  }
  return false;
}

bool by_name(kind k) { return k == kind::printed || k == kind::other; }
bool has_home(const contract_row& r, const type& t) { return r.home_kind == t.kind && (!by_name(t.kind) || is_among(r.home, t.name)); }
bool has_spoke(const contract_row& r, const type& t) { return r.spoke_kind == t.kind && (!by_name(t.kind) || is_among(r.spoke, t.name)); }

// Why a type of home goes with none, and what to take instead.
std::string why_refused(const type& home) {
  for (const auto& r : rows)
    if (has_home(r, home)) return " can't be synced: " + std::string(r.note);
  return " is outside the type contract";
}

std::string partners_of(const type& home) {
  std::string out;
  for (const auto& r : rows) {
    if (r.decide && has_home(r, home)) out += (out.empty() ? "; it goes with " : "; ") + std::string(r.spoke);
  }
  return out;
}

}  // namespace

std::string_view name(grade g) {
  switch (g) {
    case grade::exact: return "exact";
    case grade::declared_loss: return "declared loss";
    case grade::refused: return "refused";
  }
  return "?";
}

std::span<const contract_row> type_contract() { return rows; }

pairing pair_types(const column_type& home, const column_type& spoke) {
  pairing p;
  for (const auto& row : rows) {
    if (!has_home(row, home) || !has_spoke(row, spoke) || (row.applies && !row.applies(home, spoke))) continue;
    if (!row.decide) {
      refuse(p, std::string(row.note));
      return p;
    }
    row.decide(home, spoke, p);
    if (home.name == "citext") p.may_be_key = false;  // its operators are not where statements look for them
    if (p.is != grade::refused && has_unclear_label(spoke)) {
      refuse(p, "its catalog shows a label with '?', which may stand for a character beyond U+FFFF; give the label another name, or the column a "
                "character set such as utf8mb3 or latin1");
    }
    return p;
  }
  if (home.kind == kind::other) refuse(p, word(home) + why_refused(home));
  else if (spoke.kind == kind::other) refuse(p, word(spoke) + " is outside the type contract");
  else refuse(p, "these types do not go together" + partners_of(home));
  return p;
}

const contract_row* find_made_at_spoke(const column_type& home) {
  const auto at = std::find_if(std::begin(rows), std::end(rows), [&](const contract_row& r) { return !r.made_at_spoke.empty() && has_home(r, home); });
  return at == std::end(rows) ? nullptr : at;
}

const contract_row* find_made_at_home(const column_type& spoke) {
  const auto at = std::find_if(std::begin(rows), std::end(rows), [&](const contract_row& r) {
    return !r.made_at_home.empty() && has_spoke(r, spoke) && (!r.applies || r.applies({}, spoke));
  });
  return at == std::end(rows) ? nullptr : at;
}

std::string describe_type_contract() {
  std::string out = R"(# Which type goes with which

Made from the table in `type_contract.cpp`; a test compares the two. What is not here can't be synced: `duet check` refuses it by name.

- *exact*: each value arrives and comes back as it was, or is held in `duet.held` with the reason.
- *declared loss*: the note says what is not kept. Such columns are not compared by guards, and can't be keys.
- *refused*: `duet check` says so; the note says what to take instead.

A domain goes as its base type does; its CHECKs are PostgreSQL's. Text at the spoke for a type that PostgreSQL prints must be spelled
exactly so: anything else is held, since it would come back in another spelling. Tables with such columns, or with arrays of other
types than real numbers, are not filled at home by COPY, which can't look.

| PostgreSQL | MySQL, MariaDB | to the spoke | held on this way | to home | held on this way | |
|---|---|---|---|---|---|---|
)";
  for (const auto& r : rows) {
    for (std::string_view cell : {r.home, r.spoke, name(r.to_spoke.is), r.to_spoke.held, name(r.to_home.is), r.to_home.held, r.note}) (out += "| ").append(cell) += ' ';
    out += "|\n";
  }
  return out;
}

}  // namespace duet::translate
