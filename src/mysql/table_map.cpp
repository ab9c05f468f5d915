#include "mysql/table_map.hpp"

#include "base/byte_reader.hpp"
#include "duet/failure.hpp"
#include "mysql/decimal.hpp"
#include "mysql/temporal.hpp"

namespace duet::mysql {

namespace {

using base::byte_reader;
using base::throw_damaged;

constexpr std::uint64_t columns_max = 4096;

table_map decode_name(byte_reader& r) {
  table_map m;
  m.id = r.u48_le();
  r.skip(2);  // flags
  m.database = r.bytes(r.u8());
  if (r.u8() != 0) throw_damaged("a database name without its end");
  m.table = r.bytes(r.u8());
  if (r.u8() != 0) throw_damaged("a table name without its end");
  return m;
}

void decode_type_metadata(wire_column& c, byte_reader& r) {
  switch (c.type) {
    case wire_float:
    case wire_double:
      c.length = r.u8();
      if (c.length != (c.type == wire_float ? 4 : 8)) throw_damaged("a floating point column of impossible width");
      break;
    case wire_blob:
    case wire_geometry:
    case wire_json:
    case wire_vector:
    case wire_tiny_blob:
    case wire_medium_blob:
    case wire_long_blob:
    case wire_maria_blob_compressed:
      c.length = r.u8();
      if (c.length < 1 || c.length > 4) throw_damaged("a BLOB column of impossible width");
      break;
    case wire_timestamp2:
    case wire_datetime2:
    case wire_time2:
      c.precision = r.u8();
      fraction_size(c.precision);
      break;
    case wire_varchar:
    case wire_var_string:
    case wire_maria_varchar_compressed: c.length = r.u16_le(); break;
    case wire_bit: {
      const std::uint32_t odd = r.u8(), bytes = r.u8();
      c.length = bytes * 8 + odd;
      if (odd > 7 || c.length < 1 || c.length > 64) throw_damaged("a BIT column of impossible width");
      break;
    }
    case wire_newdecimal:
      c.precision = r.u8();
      c.scale = r.u8();
      packed_decimal_size(c.precision, c.scale);
      break;
    case wire_string:
    case wire_enum:
    case wire_set: {
      // The true type, and the length; two bits of the length are hidden, inverted, in the type.
      std::uint8_t type = r.u8();
      c.length = r.u8();
      if ((type & 0x30) != 0x30) {
        c.length |= static_cast<std::uint32_t>((type & 0x30) ^ 0x30) << 4;
        type |= 0x30;
      }
      c.type = static_cast<wire_type>(type);
      if (c.type == wire_enum ? c.length < 1 || c.length > 2 : c.type == wire_set ? c.length < 1 || c.length > 8 : c.type != wire_string)
        throw_damaged("a CHAR column of unknown kind");
      break;
    }
    default: break;
  }
}

bool is_number(wire_type t) {
  switch (t) {
    case wire_tiny:
    case wire_short:
    case wire_int24:
    case wire_long:
    case wire_longlong:
    case wire_newdecimal:
    case wire_float:
    case wire_double:
    case wire_year: return true;
    default: return false;
  }
}

void decode_optional(table_map& m, byte_reader r) {
  enum field : std::uint8_t { signedness = 1, column_names = 4, set_labels = 5, enum_labels = 6 };
  while (!r.at_end()) {
    const std::uint8_t kind = r.u8();
    byte_reader value(r.length_encoded_bytes());
    switch (kind) {
      case signedness: {
        std::uint8_t bits = 0;
        int left = 0;
        for (auto& c : m.columns) {
          if (!is_number(c.type)) continue;
          if (left == 0) bits = value.u8(), left = 8;
          c.sign = bits & 0x80 ? wire_column::sign::lacks : wire_column::sign::has;
          bits = static_cast<std::uint8_t>(bits << 1);
          --left;
        }
        break;
      }
      case column_names:
        for (auto& c : m.columns) c.name = value.length_encoded_bytes();
        break;
      case set_labels:
      case enum_labels:
        for (auto& c : m.columns) {
          if (c.type != (kind == set_labels ? wire_set : wire_enum)) continue;
          const std::uint64_t count = value.length_encoded();
          if (count > value.remaining()) throw_damaged("a column with too many labels");
          for (std::uint64_t i = 0; i < count; ++i) c.labels.emplace_back(value.length_encoded_bytes());
        }
        break;
      default: break;
    }
  }
}

}  // namespace

table_map decode_table_name(std::string_view body) {
  byte_reader r(body);
  return decode_name(r);
}

table_map decode_table_map(std::string_view body) {
  byte_reader r(body);
  table_map m = decode_name(r);
  const std::uint64_t count = r.length_encoded();
  if (count > columns_max) throw_damaged("a table with too many columns");
  m.columns.resize(count);
  for (auto& c : m.columns) c.type = static_cast<wire_type>(r.u8());
  byte_reader metadata(r.length_encoded_bytes());
  for (auto& c : m.columns) decode_type_metadata(c, metadata);
  r.skip((count + 7) / 8);  // which columns may be NULL
  decode_optional(m, r);
  return m;
}

wire_layout layout_of(const wire_column& c, int fraction_digits) {
  const auto fixed = [](std::size_t n) { return wire_layout{0, static_cast<std::uint32_t>(n)}; };
  switch (c.type) {
    case wire_tiny:
    case wire_year: return fixed(1);
    case wire_short: return fixed(2);
    case wire_int24:
    case wire_date:
    case wire_newdate: return fixed(3);
    case wire_long:
    case wire_float: return fixed(4);
    case wire_double:
    case wire_longlong: return fixed(8);
    case wire_time: return fixed(fraction_digits > 0 ? maria_time_size(fraction_digits) : 3);
    case wire_datetime: return fixed(fraction_digits > 0 ? maria_datetime_size(fraction_digits) : 8);
    case wire_timestamp: return fixed(fraction_digits > 0 ? maria_timestamp_size(fraction_digits) : 4);
    case wire_time2: return fixed(3 + fraction_size(c.precision));
    case wire_datetime2: return fixed(5 + fraction_size(c.precision));
    case wire_timestamp2: return fixed(4 + fraction_size(c.precision));
    case wire_newdecimal: return fixed(packed_decimal_size(c.precision, c.scale));
    case wire_bit: return fixed((c.length + 7) / 8);
    case wire_enum:
    case wire_set: return fixed(c.length);
    case wire_varchar:
    case wire_var_string:
    case wire_string:
    case wire_maria_varchar_compressed: return {static_cast<std::uint8_t>(c.length > 255 ? 2 : 1), 0};
    case wire_tiny_blob:
    case wire_medium_blob:
    case wire_long_blob:
    case wire_blob:
    case wire_geometry:
    case wire_json:
    case wire_vector:
    case wire_maria_blob_compressed: return {static_cast<std::uint8_t>(c.length), 0};
    default:
      throw failure(failure_kind::unsupported_log, "a table in the binlog has a column of a type that Duet does not know (type code " +
                                                       std::to_string(static_cast<int>(c.type)) + ")");
  }
}

}  // namespace duet::mysql
