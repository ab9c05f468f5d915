#include "translate/pairings.hpp"

#include <algorithm>
#include <limits>

namespace duet::translate::pairings {

using code = conversion_code;
using type = column_type;

conversion with(code c, std::int64_t a, std::int64_t b) {
  const auto clamp = [](std::int64_t v) { return static_cast<int>(std::clamp<std::int64_t>(v, -1, std::numeric_limits<int>::max())); };
  return {static_cast<std::uint16_t>(c), clamp(a), clamp(b)};
}

void refuse(pairing& p, std::string why) {
  p.is = grade::refused;
  p.refusal = std::move(why);
}

void lose(pairing& p, std::string what) {
  p.is = grade::declared_loss;
  p.guarded = p.may_be_key = false;
  p.loss += (p.loss.empty() ? "" : "; ") + std::move(what);
}

std::string word(const type& t) { return t.native.empty() ? std::string(duet::name(t.kind)) : t.native; }

std::string lower(std::string s) {
  for (char& c : s)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return s;
}

// ---- numbers

namespace {

int bits_of(const type& t) { return t.bits > 0 ? t.bits : 64; }

// Every value of a is one of b.
bool fits(const type& a, const type& b) {
  if (a.is_unsigned && !b.is_unsigned) return bits_of(a) < bits_of(b);
  return a.is_unsigned == b.is_unsigned && bits_of(a) <= bits_of(b);
}

conversion integer_into(const type& from, const type& to, pairing& p) {
  if (from.kind == value_kind::integer && fits(from, to)) return {};
  p.held.push_back("numbers out of the range of " + word(to));
  return with(code::integer_range, bits_of(to), to.is_unsigned);
}

conversion into_decimal(const type& to, pairing& p) {
  if (to.precision < 0 && !to.is_unsigned) return {};
  p.held.push_back("numbers that " + word(to) + " can't hold exactly");
  return with(code::decimal_rescale, to.precision < 0 ? std::numeric_limits<int>::max() : to.precision, std::max(to.scale, 0));
}

}  // namespace

void boolean_with_number(const type&, const type&, pairing& p) {
  p.to_home = with(code::boolean_check);
  p.held.push_back("numbers other than 0 and 1");
}

void boolean_with_bits(const type&, const type& spoke, pairing& p) {
  if (spoke.bits != 1) refuse(p, "only BIT(1) goes with boolean");
}

void integer_with_integer(const type& home, const type& spoke, pairing& p) {
  p.to_spoke = integer_into(home, spoke, p);
  p.to_home = integer_into(spoke, home, p);
}

void integer_with_boolean(const type&, const type&, pairing& p) {
  p.to_spoke = with(code::boolean_check);
  p.held.push_back("numbers other than 0 and 1");
}

void integer_with_year(const type& home, const type&, pairing& p) {
  if (bits_of(home) < 16) return refuse(p, "YEAR needs at least smallint");
  p.to_spoke = with(code::year_range);
  p.held.push_back("numbers other than 0 and 1901 to 2155");
}

void integer_with_decimal(const type& home, const type& spoke, pairing& p) {
  p.to_spoke = into_decimal(spoke, p);
  p.to_home = with(code::decimal_to_integer, bits_of(home), home.is_unsigned);
  p.held.push_back("numbers with a fraction, or out of the range of " + word(home));
}

void decimal_with_integer(const type& home, const type& spoke, pairing& p) {
  p.to_spoke = with(code::decimal_to_integer, bits_of(spoke), spoke.is_unsigned);
  p.to_home = into_decimal(home, p);
  p.held.push_back("NaN, infinity, numbers with a fraction, or out of the range of " + word(spoke));
}

void decimal_with_decimal(const type& home, const type& spoke, pairing& p) {
  p.to_spoke = into_decimal(spoke, p);
  p.held.push_back("NaN, infinity");
  if (home.precision == spoke.precision && home.scale == spoke.scale) return;
  p.to_home = into_decimal(home, p);
}

void real_with_real(const type& home, const type& spoke, pairing& p) {
  p.guarded = p.may_be_key = false;
  p.held.push_back("NaN, infinity");
  const bool narrow_home = home.bits == 32, narrow_spoke = spoke.bits == 32;
  if (narrow_home == narrow_spoke) {
    p.to_spoke = with(code::real_finite);
  } else if (narrow_home) {
    p.to_spoke = with(code::real_widen);
    p.to_home = with(code::real_narrow);
  } else {
    p.to_spoke = with(code::real_narrow);
    p.to_home = with(code::real_widen);
  }
  if (spoke.native.find(',') != std::string::npos) lose(p, "digits beyond those of " + word(spoke) + ", which the server rounds");
  if (narrow_home != narrow_spoke) lose(p, "digits beyond single precision (about 7) of the double precision side");
}

// ---- text and bytes

// MySQL's TEXT and BLOB types are limited in bytes; catalogs name the limit as a length or not at all.
std::int64_t bytes_of_native(const type& t) {
  const std::string native = lower(t.native);
  if (native.starts_with("tinytext") || native.starts_with("tinyblob")) return 255;
  if (native.starts_with("mediumtext") || native.starts_with("mediumblob")) return 16777215;
  if (native.starts_with("longtext") || native.starts_with("longblob")) return -1;
  if (native.starts_with("text") || native.starts_with("blob")) return 65535;
  return -1;
}

std::int64_t characters_of(const type& t) {
  const std::string native = lower(t.native);
  const bool large_object = native.find("text") != std::string::npos;
  return large_object ? -1 : t.length;
}

// `most`: the longest text that home can have, in characters; -1: any.
conversion text_into_spoke(const type& home, std::int64_t most, const type& spoke, pairing& p) {
  std::int64_t characters = characters_of(spoke), bytes = bytes_of_native(spoke);
  if (most >= 0 && (characters < 0 || most <= characters)) characters = -1;
  else if (characters >= 0) p.held.push_back("text of more than " + std::to_string(characters) + " characters");
  if (most >= 0 && most * 4 <= bytes) bytes = -1;
  else if (bytes >= 0) p.held.push_back("text of more than " + std::to_string(bytes) + " bytes");

  const std::string charset = lower(spoke.charset);
  code c = code::text_to_spoke;
  if (charset == "utf8" || charset == "utf8mb3" || charset == "ucs2") c = code::text_to_spoke_bmp;
  if (charset == "latin1") c = code::text_to_spoke_latin1;
  if (charset == "ascii") c = code::text_to_spoke_ascii;
  const bool all_of_unicode = charset.empty() || charset == "utf8mb4" || charset.starts_with("utf16") || charset == "utf32" || charset == "binary";
  if (!all_of_unicode) p.held.push_back("characters that " + spoke.charset + " lacks");

  const bool blanks = spoke.fixed && !home.fixed && home.kind == value_kind::text;
  if (blanks) p.held.push_back("text of " + word(home) + " that ends with blanks");
  if (c == code::text_to_spoke && characters < 0 && bytes < 0 && !spoke.fixed && !home.fixed) return {};
  return with(c, characters, bytes);
}

namespace {

conversion text_into_home(const type& home, const type& spoke, pairing& p) {
  const std::int64_t most = characters_of(spoke);
  const bool fits = home.length < 0 || (most >= 0 && most <= home.length);
  if (!fits) p.held.push_back("text of more than " + std::to_string(home.length) + " characters");
  if (home.fixed && !spoke.fixed) p.held.push_back("text of " + word(spoke) + " that ends with blanks");
  return with(code::text_to_home, fits ? -1 : home.length);
}

}  // namespace

void text_with_text(const type& home, const type& spoke, pairing& p) {
  p.to_spoke = text_into_spoke(home, home.length, spoke, p);
  p.to_home = text_into_home(home, spoke, p);
  p.held.push_back("text with U+0000");
}

std::int64_t longest(const std::vector<std::string>& labels) {
  std::size_t most = 0;
  for (const auto& l : labels) most = std::max<std::size_t>(most, static_cast<std::size_t>(std::count_if(l.begin(), l.end(), [](char c) { return (c & 0xc0) != 0x80; })));
  return static_cast<std::int64_t>(most);
}

void text_with_enumeration(const type& home, const type& spoke, pairing& p) {
  p.to_spoke = with(code::label);
  const bool fits = home.length < 0 || longest(spoke.labels) <= home.length;
  p.to_home = with(code::label_to_text, fits ? -1 : home.length);
  p.held = {"text that is no label of the ENUM", "MySQL's '' for invalid values"};
  if (!fits) p.held.push_back("labels of more than " + std::to_string(home.length) + " characters");
}

void text_with_set(const type& home, const type&, pairing& p) {
  p.to_spoke = with(code::text_to_set);
  p.to_home = with(code::text_to_home, home.length);
  p.held = {"text with a label that the SET lacks"};
  if (home.length >= 0) p.held.push_back("text of more than " + std::to_string(home.length) + " characters");
  lose(p, "the order and repetition of labels in home's text");
}

void text_with_uuid(const type& home, const type&, pairing& p) {
  if (home.length >= 0 && home.length < 36) return refuse(p, "a UUID needs 36 characters");
  p.to_spoke = with(code::uuid_check);
  p.held = {"text that is not a UUID in lower case with hyphens"};
}

bool is_mysql_json(const type& spoke) { return spoke.kind == value_kind::json && !lower(spoke.native).starts_with("longtext"); }

namespace {

conversion json_into_spoke(const type& home, const type& spoke, pairing& p) {
  if (is_mysql_json(spoke)) {
    p.held.push_back("documents with numbers that MySQL's JSON can't keep exactly, or nested more than 100 deep");
    return with(code::json_to_mysql);
  }
  return spoke.kind == value_kind::text ? text_into_spoke(home, -1, spoke, p) : conversion{};
}

}  // namespace

void text_with_json(const type& home, const type& spoke, pairing& p) {
  p.to_spoke = with(is_mysql_json(spoke) ? code::json_to_mysql : code::json_to_json);
  p.to_home = with(code::text_to_home, home.length);
  p.held.push_back("text that is not valid JSON");
  lose(p, "spaces, the order of keys, repeated keys and the spelling of numbers");
}

void bytes_with_bytes(const type&, const type& spoke, pairing& p) {
  if (spoke.fixed) {
    p.to_spoke = with(code::bytes_exact, spoke.length);
    p.to_home = with(code::bytes_pad, spoke.length, -1);
    p.held.push_back("values that have not exactly " + std::to_string(spoke.length) + " bytes");
    return;
  }
  const std::int64_t by_name = bytes_of_native(spoke), most = by_name >= 0 ? by_name : spoke.length;
  if (most < 0 || most > std::numeric_limits<int>::max()) return;
  p.to_spoke = with(code::bytes_limit, most);
  p.held.push_back("values of more than " + std::to_string(most) + " bytes");
}

// ---- date and time

namespace {

int fraction_digits(const type& t) { return t.precision < 0 || t.precision > 6 ? 6 : t.precision; }

void compare_precisions(const type& home, const type& spoke, pairing& p) {
  const int h = fraction_digits(home), s = fraction_digits(spoke);
  if (h == s) return;
  lose(p, "fractions of a second beyond " + std::to_string(std::min(h, s)) + " digits (cut, not rounded)");
}

}  // namespace

void date_with_date(const type&, const type&, pairing& p) {
  p.to_spoke = with(code::date_to_spoke);
  p.to_home = with(code::date_to_home);
  p.held = {"infinity, BC, years after 9999", "zero and impossible dates"};
}

void time_with_time(const type& home, const type& spoke, pairing& p) {
  if (fraction_digits(home) > fraction_digits(spoke)) p.to_spoke = with(code::time_to_spoke, fraction_digits(spoke));
  p.to_home = with(code::time_to_home, fraction_digits(home));
  p.held = {"negative times, times beyond 24 hours"};
  compare_precisions(home, spoke, p);
}

void datetime_with_datetime(const type& home, const type& spoke, pairing& p) {
  p.to_spoke = with(code::datetime_to_spoke, fraction_digits(spoke));
  p.to_home = with(code::datetime_to_home, fraction_digits(home));
  p.held = {"infinity, BC, years after 9999", "zero and impossible dates"};
  compare_precisions(home, spoke, p);
}

void any_with_timestamp(const type& home, const type& spoke, pairing& p) {
  p.to_spoke = with(code::instant_to_spoke, fraction_digits(spoke), spoke.is_unsigned);
  p.to_home = with(code::datetime_to_home, fraction_digits(home));
  p.held = {std::string("instants before 1970 or after ") + (spoke.is_unsigned ? "2106-02-07" : "2038-01-19") + ", infinity", "the zero timestamp"};
  compare_precisions(home, spoke, p);
}

void datetime_with_timestamp(const type& home, const type& spoke, pairing& p) {
  any_with_timestamp(home, spoke, p);
  p.assumption = "home's value has no time zone: it is taken as UTC";
}

void timestamp_with_datetime(const type& home, const type& spoke, pairing& p) {
  datetime_with_datetime(home, spoke, p);
  p.assumption = "the spoke's value has no time zone: it is taken as UTC";
}

// ---- documents, bits, UUIDs, labels

void json_with_json(const type& home, const type& spoke, pairing& p) {
  p.guarded = p.may_be_key = false;
  p.to_spoke = json_into_spoke(home, spoke, p);
  const bool binary = !lower(home.native).starts_with("json") || lower(home.native).starts_with("jsonb");
  p.to_home = with(binary ? code::json_to_jsonb : code::json_to_json);
  if (spoke.kind == value_kind::text) p.held.push_back("text that is not valid JSON");
  if (binary) p.held.push_back("documents with U+0000 or half a surrogate pair");
  if (is_mysql_json(spoke) || binary) lose(p, "spaces, the order of keys, repeated keys and the spelling of numbers");
}

void bits_with_bits(const type& home, const type& spoke, pairing& p) {
  if (home.bits != spoke.bits) refuse(p, "bit strings must have the same length on both sides");
}

void uuid_with_uuid(const type&, const type&, pairing& p) { p.held = {"UUIDs of version 8 and above that MariaDB refuses"}; }

void uuid_with_text(const type&, const type& spoke, pairing& p) {
  if (characters_of(spoke) >= 0 && characters_of(spoke) < 36) return refuse(p, "a UUID needs char(36), varchar(36) or binary(16)");
  p.to_home = with(code::uuid_check);
  p.held = {"text that is not a UUID in lower case with hyphens"};
}

void uuid_with_bytes(const type&, const type& spoke, pairing& p) {
  if ((spoke.fixed && spoke.length != 16) || (spoke.length >= 0 && spoke.length < 16)) return refuse(p, "a UUID needs binary(16), char(36) or varchar(36)");
  p.to_spoke = with(code::uuid_to_bytes);
  p.to_home = with(code::bytes_to_uuid);
  if (!spoke.fixed) p.held = {"values that have not exactly 16 bytes"};
}

// The server's own catalog shows '?' for each character of a label that is beyond U+FFFF.
bool has_unclear_label(const type& spoke) {
  if (spoke.kind != value_kind::enumeration && spoke.kind != value_kind::set) return false;
  const std::string charset = lower(spoke.charset);
  const bool beyond = charset == "utf8mb4" || charset.starts_with("utf16") || charset == "utf32" || charset == "gb18030";
  return beyond && std::any_of(spoke.labels.begin(), spoke.labels.end(), [](const auto& l) { return l.find('?') != std::string::npos; });
}

namespace {

bool has_all(const std::vector<std::string>& all, const std::vector<std::string>& some) {
  return std::all_of(some.begin(), some.end(), [&](const auto& l) { return std::find(all.begin(), all.end(), l) != all.end(); });
}

}  // namespace

void enumeration_with_enumeration(const type& home, const type& spoke, pairing& p) {
  const bool any = std::any_of(home.labels.begin(), home.labels.end(), [&](const auto& l) { return has_all(spoke.labels, {l}); });
  if (!any) return refuse(p, "the two enumerations have no label in common");
  p.to_home = with(code::label);
  p.held.push_back("MySQL's '' for invalid values");
  if (!has_all(spoke.labels, home.labels)) {
    p.to_spoke = with(code::label);
    p.held.push_back("labels that the spoke lacks");
  }
  if (!has_all(home.labels, spoke.labels)) p.held.push_back("labels that home lacks");
}

void enumeration_with_text(const type& home, const type& spoke, pairing& p) {
  p.to_spoke = text_into_spoke(home, longest(home.labels), spoke, p);
  p.to_home = with(code::label);
  p.held.push_back("text that is no label of the enumeration");
}

void array_with_set(const type&, const type&, pairing& p) {
  p.to_spoke = with(code::array_to_set);
  p.to_home = with(code::set_to_array);
  p.held = {"labels that the SET lacks, NULL elements, arrays of more than one dimension"};
  lose(p, "the order and repetition of home's elements");
}

}  // namespace duet::translate::pairings
