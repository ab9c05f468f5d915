#include "mysql/row_decoder.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

#include "base/byte_reader.hpp"
#include "mysql/compressed.hpp"
#include "mysql/decimal.hpp"
#include "mysql/json_decoder.hpp"
#include "mysql/temporal.hpp"

namespace duet::mysql {

using base::byte_reader;
using base::throw_damaged;

// How a value's bytes read.
enum class row_decoder::form : std::uint8_t {
  int8, int16, int24, int32, int64, uint8, uint16, uint24, uint32, uint64, year, float32, float64, decimal, bits, bit_number, label,
  labels, text, bytes, padded_bytes, json, uuid, inet4, inet6, date, time2, datetime2, timestamp2, time_old, datetime_old, timestamp_old,
  maria_time, maria_datetime, maria_timestamp
};

namespace {

[[noreturn]] void throw_schema(const table_pair& table, const std::string& what) {
  failure f(failure_kind::schema_changed, "table " + table.spoke.schema + "." + table.spoke.name + " has changed at the spoke: " + what);
  f.table = table.home.schema + "." + table.home.name;
  throw f;
}

std::string lower_first_word(std::string_view native) {
  std::string word;
  for (char c : native) {
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_')) break;
    word += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  }
  return word;
}

struct type_row {
  std::string_view native;
  wire_type types[3];
};

constexpr type_row types[] = {
    {"tinyint", {wire_tiny}}, {"smallint", {wire_short}}, {"mediumint", {wire_int24}}, {"int", {wire_long}}, {"bigint", {wire_longlong}},
    {"float", {wire_float}}, {"double", {wire_double}}, {"decimal", {wire_newdecimal}}, {"bit", {wire_bit}}, {"year", {wire_year}},
    {"date", {wire_date, wire_newdate}}, {"time", {wire_time2, wire_time}}, {"datetime", {wire_datetime2, wire_datetime}},
    {"timestamp", {wire_timestamp2, wire_timestamp}}, {"char", {wire_string}}, {"binary", {wire_string}},
    {"varchar", {wire_varchar, wire_maria_varchar_compressed}}, {"varbinary", {wire_varchar, wire_maria_varchar_compressed}},
    {"enum", {wire_enum}}, {"set", {wire_set}}, {"tinytext", {wire_blob, wire_maria_blob_compressed}},
    {"text", {wire_blob, wire_maria_blob_compressed}}, {"mediumtext", {wire_blob, wire_maria_blob_compressed}},
    {"longtext", {wire_blob, wire_maria_blob_compressed}}, {"tinyblob", {wire_blob, wire_maria_blob_compressed}},
    {"blob", {wire_blob, wire_maria_blob_compressed}}, {"mediumblob", {wire_blob, wire_maria_blob_compressed}},
    {"longblob", {wire_blob, wire_maria_blob_compressed}}, {"json", {wire_json, wire_blob}}, {"vector", {wire_vector, wire_varchar}},
    {"uuid", {wire_string}}, {"inet4", {wire_string}}, {"inet6", {wire_string}}, {"geometry", {wire_geometry}}, {"point", {wire_geometry}},
    {"linestring", {wire_geometry}}, {"polygon", {wire_geometry}}, {"multipoint", {wire_geometry}}, {"multilinestring", {wire_geometry}},
    {"multipolygon", {wire_geometry}}, {"geometrycollection", {wire_geometry}}, {"geomcollection", {wire_geometry}},
};

bool is_utf8(std::string_view charset) {
  return charset.empty() || charset.starts_with("utf8") || charset == "ascii" || charset == "binary";
}

// Why the column in the log is not the catalog's; empty: it is.
std::string find_mismatch(const wire_column& wire, const column& c) {
  const std::string what = "column " + c.name + " ";
  if (!wire.name.empty() && wire.name != c.name) return what + "is now " + wire.name;
  const std::string word = lower_first_word(c.type.native);
  for (const auto& row : types) {
    if (row.native != word) continue;
    if (std::find(std::begin(row.types), std::end(row.types), wire.type) == std::end(row.types))
      return what + "is no longer of type " + c.type.native;
  }
  if (wire.type == wire_newdecimal && (wire.precision != c.type.precision || wire.scale != c.type.scale))
    return what + "is no longer of type " + c.type.native;
  if (wire.type == wire_bit && c.type.kind == value_kind::bits && static_cast<int>(wire.length) != c.type.bits)
    return what + "is no longer of type " + c.type.native;
  if (c.type.kind == value_kind::integer && wire.sign != wire_column::sign::unknown && word != "year" &&
      (wire.sign == wire_column::sign::lacks) != c.type.is_unsigned)
    return what + "is no longer of type " + c.type.native;
  if (!wire.labels.empty() && (wire.type == wire_enum || wire.type == wire_set)) {
    // A catalog that has fewer labels than the log would make values without a name.
    if (wire.labels.size() != c.type.labels.size() || (is_utf8(c.type.charset) && wire.labels != c.type.labels))
      return what + "has other labels";
  }
  return {};
}

// Why values of the log's column, which is older than the catalog, don't read as ones of the catalog's; empty: they do.
std::string find_unreadable(const wire_column& wire, const column& c) {
  const auto group_of = [](wire_type t) -> int {
    switch (t) {
      case wire_tiny: case wire_short: case wire_int24: case wire_long: case wire_longlong: return 1;
      case wire_float: case wire_double: return 2;
      case wire_string: case wire_varchar: case wire_var_string: case wire_blob: case wire_maria_varchar_compressed: case wire_maria_blob_compressed: return 3;
      case wire_date: case wire_newdate: return 4;
      case wire_time: case wire_time2: return 5;
      case wire_datetime: case wire_datetime2: return 6;
      case wire_timestamp: case wire_timestamp2: return 7;
      default: return 100 + t;
    }
  };
  const std::string word = lower_first_word(c.type.native);
  for (const auto& row : types) {
    if (row.native != word) continue;
    if (std::any_of(std::begin(row.types), std::end(row.types), [&](wire_type t) { return t && group_of(t) == group_of(wire.type); })) return {};
    if (c.type.kind == value_kind::decimal && group_of(wire.type) == 1) return {};
    return "older rows of column " + c.name + " don't read as " + c.type.native;
  }
  return {};
}

std::uint64_t little_endian(const std::uint8_t* p, std::size_t n) {
  std::uint64_t v = 0;
  std::memcpy(&v, p, n);
  return v;
}
static_assert(std::endian::native == std::endian::little, "numbers of the log are read as they are in memory");

}  // namespace

rows_target decode_rows_target(std::string_view body) {
  byte_reader r(body);
  const std::uint64_t id = r.u48_le();
  return {id, (r.u16_le() & 1) != 0};
}

rows_event decode_rows_event(event_type type, std::string_view body) {
  rows_event e;
  bool v2 = false;
  switch (type) {
    case event_type::write_rows_v1: break;
    case event_type::update_rows_v1: e.op = operation::update; break;
    case event_type::delete_rows_v1: e.op = operation::remove; break;
    case event_type::write_rows: v2 = true; break;
    case event_type::update_rows: v2 = true, e.op = operation::update; break;
    case event_type::delete_rows: v2 = true, e.op = operation::remove; break;
    case event_type::maria_write_rows_compressed_v1: e.is_compressed = true; break;
    case event_type::maria_update_rows_compressed_v1: e.is_compressed = true, e.op = operation::update; break;
    case event_type::maria_delete_rows_compressed_v1: e.is_compressed = true, e.op = operation::remove; break;
    case event_type::maria_write_rows_compressed: e.is_compressed = v2 = true; break;
    case event_type::maria_update_rows_compressed: e.is_compressed = v2 = true, e.op = operation::update; break;
    case event_type::maria_delete_rows_compressed: e.is_compressed = v2 = true, e.op = operation::remove; break;
    default: throw_damaged("an event that holds no rows");
  }
  byte_reader r(body);
  e.table_id = r.u48_le();
  e.ends_statement = (r.u16_le() & 1) != 0;
  if (v2) {
    const std::uint16_t extra = r.u16_le();  // counts itself
    if (extra < 2) throw_damaged("a rows event with an impossible header");
    r.skip(extra - 2u);
  }
  e.width = r.length_encoded();
  const std::uint64_t bitmap = e.width / 8 + (e.width % 8 != 0);
  if (e.has_before()) e.present_before = r.bytes(bitmap);
  if (e.has_after()) e.present_after = r.bytes(bitmap);
  e.rows = r.rest();
  return e;
}

namespace {

std::size_t count_present(std::string_view present, std::size_t width) {
  std::size_t n = 0;
  for (std::size_t i = 0; i < width; ++i) n += bit_at(present, i);
  return n;
}

const std::uint8_t* first_byte(std::string_view s) { return reinterpret_cast<const std::uint8_t*>(s.data()); }

}  // namespace

std::size_t row_walker::value_size(std::size_t column, const std::uint8_t* p, const std::uint8_t* end) const {
  const wire_layout& layout = columns_[column];
  const auto left = static_cast<std::size_t>(end - p);
  std::size_t n = layout.size;
  if (layout.length_bytes) {
    if (layout.length_bytes > left) throw_damaged("a row ends too early");
    n = layout.length_bytes + little_endian(p, layout.length_bytes);
  }
  if (n > left) throw_damaged("a row ends too early");
  return n;
}

const std::uint8_t* row_walker::skip_image(const std::uint8_t* p, const std::uint8_t* end, std::string_view present) const {
  const std::size_t bitmap = (count_present(present, width()) + 7) / 8;
  if (bitmap > static_cast<std::size_t>(end - p)) throw_damaged("a row ends too early");
  const std::string_view nulls(reinterpret_cast<const char*>(p), bitmap);
  p += bitmap;
  for (std::size_t i = 0, bit = 0; i < width(); ++i) {
    if (!bit_at(present, i)) continue;
    if (!bit_at(nulls, bit++)) p += value_size(i, p, end);
  }
  return p;
}

std::uint32_t row_walker::count_rows(const rows_event& e) const {
  if (e.width != width()) throw_damaged("a rows event with another number of columns than its table");
  std::uint32_t rows = 0;
  const std::uint8_t *p = first_byte(e.rows), *end = p + e.rows.size();
  while (p < end) {
    const std::uint8_t* start = p;
    if (e.has_before()) p = skip_image(p, end, e.present_before);
    if (e.has_after()) p = skip_image(p, end, e.present_after);
    if (p == start) throw_damaged("a row without a byte");
    ++rows;
  }
  return rows;
}

namespace {

std::vector<wire_layout> layouts_of(const table_map& m, const table_schema& schema) {
  const auto digits_of = [&](const wire_column& c, std::size_t place) {
    for (const column& known : schema.columns)
      if (c.name.empty() ? known.ordinal == static_cast<int>(place) : known.name == c.name) return known.type.precision;
    return 0;
  };
  std::vector<wire_layout> layouts;
  layouts.reserve(m.columns.size());
  for (std::size_t i = 0; i < m.columns.size(); ++i)
    layouts.push_back(layout_of(m.columns[i], std::clamp(digits_of(m.columns[i], i), 0, 6)));
  return layouts;
}

}  // namespace

row_decoder::form row_decoder::form_of(const wire_column& wire, const column_type& type) {
  const bool u = type.is_unsigned;
  const int digits = type.precision;
  switch (wire.type) {
    case wire_tiny: return u ? form::uint8 : form::int8;
    case wire_short: return u ? form::uint16 : form::int16;
    case wire_int24: return u ? form::uint24 : form::int24;
    case wire_long: return u ? form::uint32 : form::int32;
    case wire_longlong: return u ? form::uint64 : form::int64;
    case wire_year: return form::year;
    case wire_float: return form::float32;
    case wire_double: return form::float64;
    case wire_newdecimal: return form::decimal;
    case wire_bit: return type.kind == value_kind::bits ? form::bits : form::bit_number;
    case wire_enum: return form::label;
    case wire_set: return form::labels;
    case wire_date:
    case wire_newdate: return form::date;
    case wire_time2: return form::time2;
    case wire_datetime2: return form::datetime2;
    case wire_timestamp2: return form::timestamp2;
    case wire_time: return digits > 0 ? form::maria_time : form::time_old;
    case wire_datetime: return digits > 0 ? form::maria_datetime : form::datetime_old;
    case wire_timestamp: return digits > 0 ? form::maria_timestamp : form::timestamp_old;
    case wire_json: return form::json;
    case wire_string:
      if (type.kind == value_kind::uuid && wire.length == 16 && lower_first_word(type.native) == "uuid") return form::uuid;
      if (lower_first_word(type.native) == "inet4") return form::inet4;
      if (lower_first_word(type.native) == "inet6") return form::inet6;
      return type.kind == value_kind::bytes ? form::padded_bytes : form::text;
    default:
      switch (type.kind) {
        case value_kind::text:
        case value_kind::json: return form::text;
        default: return form::bytes;
      }
  }
}

row_decoder::row_decoder(const table_map& m, const table_pair& table, bool strictly)
    : table_(&table), walker_(layouts_of(m, table.spoke)), strictly_(strictly), at_(table.columns.size(), -1) {
  const auto& schema = table.spoke.columns;
  has_names_ = m.columns.empty() || !m.columns.front().name.empty();
  if (strictly_ || !has_names_) mismatch_ = find_difference(m, schema);
  columns_.resize(m.columns.size());
  before_.resize(table.columns.size());
  for (std::uint16_t i = 0; i < table.columns.size() && mismatch_.empty(); ++i) {
    const column& c = table.columns[i].spoke;
    at_[i] = find_column(m, table, i);
    if (at_[i] >= 0) {
      const wire_column& wire = m.columns[static_cast<std::size_t>(at_[i])];
      if (!strictly_ && has_names_) mismatch_ = find_unreadable(wire, c);
      if (mismatch_.empty()) plan_column(wire, c, static_cast<std::int16_t>(i), columns_[static_cast<std::size_t>(at_[i])]);
    } else if (table.columns[i].key) {
      mismatch_ = "column " + c.name + " is part of the key and was not there yet";
    }
  }
}

// Where the log has a column of the mapping; -1: nowhere.
int row_decoder::find_column(const table_map& m, const table_pair& table, std::uint16_t cell) const {
  if (strictly_ || !has_names_) return table.columns[cell].spoke.ordinal;
  int found = -1;
  for (std::size_t i = 0; i < m.columns.size(); ++i) {
    if (table.once_called(side::spoke, m.columns[i].name) != cell) continue;
    if (found < 0 || m.columns[i].name == table.columns[cell].spoke.name) found = static_cast<int>(i);
  }
  return found;
}

// What differs from the catalog; empty: nothing.
std::string row_decoder::find_difference(const table_map& m, const std::vector<column>& schema) {
  if (m.columns.size() != schema.size()) return "it has " + std::to_string(m.columns.size()) + " columns instead of " + std::to_string(schema.size());
  for (const auto& c : schema) {
    if (c.ordinal < 0 || static_cast<std::size_t>(c.ordinal) >= m.columns.size()) return "column " + c.name + " is not there";
    if (std::string differs = find_mismatch(m.columns[static_cast<std::size_t>(c.ordinal)], c); !differs.empty()) return differs;
  }
  return {};
}

void row_decoder::plan_column(const wire_column& wire, const column& c, std::int16_t cell, column_plan& plan) {
  const wire_layout layout = layout_of(wire, std::clamp(c.type.precision, 0, 6));
  plan.cell = cell;
  plan.type = &c.type;
  if (!strictly_) {  // as it was then, where the log tells
    plan.then = std::make_unique<column_type>(c.type);
    if (wire.sign != wire_column::sign::unknown) plan.then->is_unsigned = wire.sign == wire_column::sign::lacks;
    if (!wire.labels.empty() && is_utf8(c.type.charset)) plan.then->labels = wire.labels;
    plan.type = plan.then.get();
  }
  plan.how = form_of(wire, *plan.type);
  plan.prefix = layout.length_bytes;
  plan.size = layout.length_bytes ? wire.length : layout.size;
  plan.digits = wire.precision;
  plan.scale = wire.scale;
  plan.inflate = wire.type == wire_maria_blob_compressed || wire.type == wire_maria_varchar_compressed;
  if (plan.how == form::maria_time || plan.how == form::maria_datetime || plan.how == form::maria_timestamp)
    plan.digits = static_cast<std::uint8_t>(std::clamp(c.type.precision, 0, 6));
  if (plan.how == form::text) plan.charset = charset_converter::make(c.type.charset);
  if (plan.how == form::bits && static_cast<int>(wire.length) != c.type.bits) plan.how = form::bit_number;
  if (plan.how == form::bits) plan.digits = static_cast<std::uint8_t>(wire.length);
}

void row_decoder::check_event(const rows_event& e) const {
  if (!mismatch_.empty()) throw_schema(*table_, mismatch_);
  if (e.width != walker_.width()) throw_damaged("a rows event with another number of columns than its table");
  const std::string_view keyed = e.has_before() ? e.present_before : e.present_after;
  for (std::uint16_t k : table_->key) {
    if (!bit_at(keyed, static_cast<std::size_t>(at_[k])))
      throw failure(failure_kind::unsupported_log,
                    "a change of " + table_->spoke.schema + "." + table_->spoke.name + " in the binlog lacks the primary key", {},
                    "SET GLOBAL binlog_row_image = FULL, and let the applications connect again");
  }
}

void row_decoder::decode(const rows_event& e, block_writer& out) {
  check_event(e);
  const std::uint8_t *p = first_byte(e.rows), *end = p + e.rows.size();
  const auto cells = static_cast<std::uint16_t>(table_->columns.size());
  while (p < end) {
    const std::uint8_t* start = p;
    out.start_change(e.op, table_->id, cells, e.has_before(), e.has_after());
    if (e.has_before()) {
      if (e.has_after()) std::fill(before_.begin(), before_.end(), raw_value{});
      p = decode_image(p, end, e.present_before, block_writer::before, e.has_before(), out);
    }
    if (e.has_after()) p = decode_image(p, end, e.present_after, block_writer::after, e.has_before(), out);
    if (e.op == operation::update) {
      for (std::uint16_t k : table_->key)  // a partial image: what is not there did not change
        if (!bit_at(e.present_after, static_cast<std::size_t>(at_[k])))
          out.copy_cell(block_writer::before, block_writer::after, k);
    }
    if (p == start) throw_damaged("a row without a byte");
    out.finish_change();
  }
}

const std::uint8_t* row_decoder::decode_image(const std::uint8_t* p, const std::uint8_t* end, std::string_view present,
                                              block_writer::image image, bool has_before, block_writer& out) {
  const std::size_t width = columns_.size();
  const std::size_t bitmap = (count_present(present, width) + 7) / 8;
  if (bitmap > static_cast<std::size_t>(end - p)) throw_damaged("a row ends too early");
  const std::string_view nulls(reinterpret_cast<const char*>(p), bitmap);
  p += bitmap;
  for (std::size_t i = 0, bit = 0; i < width; ++i) {
    if (!bit_at(present, i)) continue;
    const bool is_null = bit_at(nulls, bit++);
    column_plan& plan = columns_[i];
    if (is_null) {
      if (plan.cell >= 0) out.set_null(image, static_cast<std::size_t>(plan.cell));
      continue;
    }
    const std::size_t n = walker_.value_size(i, p, end);
    if (plan.cell >= 0) {
      const auto cell = static_cast<std::size_t>(plan.cell);
      if (image == block_writer::before) {
        before_[cell] = {p, n};
        decode_value(plan, p, n, image, out);
      } else if (has_before && before_[cell].data && before_[cell].size == n && std::memcmp(before_[cell].data, p, n) == 0) {
        out.copy_cell(block_writer::before, block_writer::after, cell);
      } else {
        decode_value(plan, p, n, image, out);
      }
    }
    p += n;
  }
  return p;
}

namespace {

template <class T>
void write_number(block_writer& out, block_writer::image image, std::size_t cell, T v) {
  constexpr std::size_t room = 32;
  char* to = out.append(image, cell, room);
  out.keep_appended(static_cast<std::size_t>(std::to_chars(to, to + room, v).ptr - to));
}

template <class Write>
void write_temporal(block_writer& out, block_writer::image image, std::size_t cell, Write write) {
  char* to = out.append(image, cell, temporal_text_max);
  out.keep_appended(write(to));
}

std::uint64_t big_endian(const std::uint8_t* p, std::size_t n) {
  std::uint64_t v = 0;
  for (std::size_t i = 0; i < n; ++i) v = v << 8 | p[i];
  return v;
}

void write_uuid(const std::uint8_t* bytes, char* out) {
  constexpr char hex[] = "0123456789abcdef";
  for (std::size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *out++ = '-';
    *out++ = hex[bytes[i] >> 4];
    *out++ = hex[bytes[i] & 15];
  }
}

}  // namespace

void row_decoder::decode_value(column_plan& plan, const std::uint8_t* p, std::size_t n, block_writer::image image, block_writer& out) {
  const auto cell = static_cast<std::size_t>(plan.cell);
  std::string_view bytes(reinterpret_cast<const char*>(p) + plan.prefix, n - plan.prefix);
  if (plan.inflate) bytes = inflate_maria_column(bytes, inflated_);
  switch (plan.how) {
    case form::int8: return write_number(out, image, cell, static_cast<int>(static_cast<std::int8_t>(*p)));
    case form::int16: return write_number(out, image, cell, static_cast<int>(static_cast<std::int16_t>(little_endian(p, 2))));
    case form::int24: return write_number(out, image, cell, static_cast<std::int32_t>(little_endian(p, 3) << 8) >> 8);
    case form::int32: return write_number(out, image, cell, static_cast<std::int32_t>(little_endian(p, 4)));
    case form::int64: return write_number(out, image, cell, static_cast<std::int64_t>(little_endian(p, 8)));
    case form::uint8:
    case form::uint16:
    case form::uint24:
    case form::uint32:
    case form::uint64: return write_number(out, image, cell, little_endian(p, n));
    case form::year: return write_number(out, image, cell, *p ? *p + 1900 : 0);
    case form::float32: return write_number(out, image, cell, std::bit_cast<float>(static_cast<std::uint32_t>(little_endian(p, 4))));
    case form::float64: return write_number(out, image, cell, std::bit_cast<double>(little_endian(p, 8)));
    case form::decimal: {
      char* to = out.append(image, cell, decimal_text_max);
      return out.keep_appended(decode_decimal(p, plan.digits, plan.scale, to));
    }
    case form::bits: {
      const std::uint64_t v = big_endian(p, n);
      char* to = out.append(image, cell, plan.digits);
      for (int i = plan.digits; i-- > 0;) *to++ = static_cast<char>('0' + (v >> i & 1));
      return;
    }
    case form::bit_number: return write_number(out, image, cell, big_endian(p, n));
    case form::label: {
      const std::uint64_t number = little_endian(p, n);
      if (number > plan.type->labels.size()) throw_schema(*table_, "an ENUM column has more labels");
      return out.set(image, cell, number ? std::string_view(plan.type->labels[number - 1]) : std::string_view(""));
    }
    case form::labels: {
      text_.clear();
      std::uint64_t rest = little_endian(p, n);
      for (std::size_t i = 0; rest; ++i, rest >>= 1) {
        if (!(rest & 1)) continue;
        if (i >= plan.type->labels.size()) throw_schema(*table_, "a SET column has more labels");
        if (!text_.empty()) text_ += ',';
        text_ += plan.type->labels[i];
      }
      return out.set(image, cell, text_);
    }
    case form::text: return out.set(image, cell, plan.charset ? plan.charset->to_utf8(bytes) : bytes);
    case form::bytes: return out.set(image, cell, bytes);
    case form::padded_bytes: {  // some servers leave out zero bytes at the end of BINARY(n)
      const std::size_t size = std::max<std::size_t>(bytes.size(), plan.size);
      char* to = out.append(image, cell, size);
      if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
      std::memset(to + bytes.size(), 0, size - bytes.size());
      return;
    }
    case form::json:
      text_.clear();
      decode_json(bytes, text_);
      return out.set(image, cell, text_);
    case form::uuid: {  // the log has it in the order of its text, whatever the order in MariaDB's tables
      std::uint8_t stored[16] = {};
      if (bytes.size() > sizeof stored) throw_damaged("a UUID of impossible size");
      if (!bytes.empty()) std::memcpy(stored, bytes.data(), bytes.size());
      return write_uuid(stored, out.append(image, cell, 36));
    }
    case form::inet4:
    case form::inet6: {
      std::uint8_t stored[16] = {};
      const std::size_t size = plan.how == form::inet4 ? 4 : 16;
      if (bytes.size() > size) throw_damaged("an address of impossible size");
      if (!bytes.empty()) std::memcpy(stored, bytes.data(), bytes.size());
      char text[INET6_ADDRSTRLEN];
      inet_ntop(plan.how == form::inet4 ? AF_INET : AF_INET6, stored, text, sizeof text);
      return out.set(image, cell, text);
    }
    case form::date: return write_temporal(out, image, cell, [&](char* to) { return decode_date(p, to); });
    case form::time2: return write_temporal(out, image, cell, [&](char* to) { return decode_time2(p, plan.digits, to); });
    case form::datetime2: return write_temporal(out, image, cell, [&](char* to) { return decode_datetime2(p, plan.digits, to); });
    case form::timestamp2: return write_temporal(out, image, cell, [&](char* to) { return decode_timestamp2(p, plan.digits, to); });
    case form::time_old: return write_temporal(out, image, cell, [&](char* to) { return decode_time_old(p, to); });
    case form::datetime_old: return write_temporal(out, image, cell, [&](char* to) { return decode_datetime_old(p, to); });
    case form::timestamp_old: return write_temporal(out, image, cell, [&](char* to) { return decode_timestamp_old(p, to); });
    case form::maria_time: return write_temporal(out, image, cell, [&](char* to) { return decode_maria_time(p, plan.digits, to); });
    case form::maria_datetime: return write_temporal(out, image, cell, [&](char* to) { return decode_maria_datetime(p, plan.digits, to); });
    case form::maria_timestamp: return write_temporal(out, image, cell, [&](char* to) { return decode_maria_timestamp(p, plan.digits, to); });
  }
}

}  // namespace duet::mysql
