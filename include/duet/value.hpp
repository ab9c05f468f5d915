// Values on the way, in canonical text. A source writes them, the translator maps them, a target reads them.
//
// A value carries no type of its own: the column's `value_kind` says how its bytes read. Both sources must produce exactly
// these forms, because two values are "equal" when their canonical bytes are equal:
//
//   boolean      0 | 1
//   integer      decimal digits, '-' in front if negative, no leading zeros; also YEAR
//   decimal      digits with '.' and the fraction digits that the source has (12.50); never "-0", never an exponent;
//                PostgreSQL's NaN, Infinity, -Infinity
//   real         std::to_chars(float or double), its shortest form: 0.1, 1e+20; NaN, Infinity, -Infinity; -0
//   text         UTF-8 without U+0000 (MySQL may hold U+0000; the translator refuses it towards PostgreSQL)
//   bytes        the raw bytes
//   date         YYYY-MM-DD; as the source has them: 0000-00-00, 2024-00-10, infinity, -infinity, 0044-03-15 BC
//   time         [-]HH:MM:SS[.ffffff], trailing zeros of the fraction cut; beyond 24 h possible from MySQL (838:59:59)
//   datetime     YYYY-MM-DD HH:MM:SS[.ffffff], the same cut; no time zone; infinity etc. as for date
//   timestamp    an instant, in UTC, written like datetime
//   json         the document as the source prints it (jsonb and MySQL binary JSON have their own order of keys)
//   bits         n characters 0 or 1, for BIT(n)
//   uuid         36 characters, lower case
//   enumeration  the label
//   set          labels in the order of their definition, joined by ','
//   array        PostgreSQL's array literal, {a,"b c",NULL}
//   printed      a type that travels as the text that its server prints: inet, interval (ISO 8601), ranges, composite types, ...
//   other        a type outside the contract; never on the way (the mapping refuses it)
#pragma once

#include <cstdint>
#include <string_view>

namespace duet {

enum class value_kind : std::uint8_t {
  boolean, integer, decimal, real, text, bytes, date, time, datetime, timestamp, json, bits, uuid, enumeration, set, array, printed, other
};
std::string_view name(value_kind);

// A view of one value. `absent` means that the log did not carry it (unchanged TOAST, a partial row image).
struct cell {
  enum class state : std::uint8_t { absent, null, present };
  const char* data = nullptr;
  std::uint32_t size = 0;
  state is = state::absent;

  static cell null() { return {nullptr, 0, state::null}; }
  static cell of(std::string_view text) { return {text.data(), static_cast<std::uint32_t>(text.size()), state::present}; }
  bool present() const { return is == state::present; }
  bool is_null() const { return is == state::null; }
  bool absent() const { return is == state::absent; }
  std::string_view text() const { return {data, size}; }
  friend bool operator==(const cell& a, const cell& b) { return a.is == b.is && a.text() == b.text(); }
};

}  // namespace duet
