#include "mysql/sql_writer.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "duet/failure.hpp"

namespace duet::mysql {
namespace {

[[noreturn]] void refuse(const column& c, std::string_view why) {
  throw failure(failure_kind::row_refused, "column " + c.name + ": " + std::string(why));
}

bool is_digits(const char* p, const char* end) {
  if (p == end) return false;
  for (; p != end; ++p)
    if (*p < '0' || *p > '9') return false;
  return true;
}

bool is_integer(std::string_view s) {
  const char* p = s.data();
  const char* end = p + s.size();
  if (p != end && *p == '-') ++p;
  return is_digits(p, end);
}

bool is_decimal(std::string_view s) {
  if (!s.empty() && s.front() == '-') s.remove_prefix(1);
  const auto point = s.find('.');
  if (point == std::string_view::npos) return is_digits(s.data(), s.data() + s.size());
  return is_digits(s.data(), s.data() + point) && is_digits(s.data() + point + 1, s.data() + s.size());
}

void append_number(std::string& out, std::uint64_t n) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, n).ptr;
  out.append(digits, end);
}

void append_real(std::string& out, const column& c, std::string_view text) {
  char digits[40];
  std::to_chars_result done{};
  const char* first = text.data();
  const char* last = first + text.size();
  if (c.type.bits == 32) {
    // The shortest text of a 32-bit value, read as 64 bits and then rounded, could miss it by one step: send the exact value.
    float value = 0;
    const auto read = std::from_chars(first, last, value);
    if (read.ec != std::errc{} || read.ptr != last || !std::isfinite(value)) refuse(c, "not a number that a float can hold");
    done = std::to_chars(digits, digits + sizeof digits, static_cast<double>(value), std::chars_format::scientific);
  } else {
    double value = 0;
    const auto read = std::from_chars(first, last, value);
    if (read.ec != std::errc{} || read.ptr != last || !std::isfinite(value)) refuse(c, "not a number that a double can hold");
    done = std::to_chars(digits, digits + sizeof digits, value, std::chars_format::scientific);
  }
  out.append(digits, done.ptr);
}

void append_bits(std::string& out, const column& c, std::string_view text) {
  if (text.empty() || text.size() > 64) refuse(c, "not a string of bits");
  std::uint64_t value = 0;
  for (const char b : text) {
    if (b != '0' && b != '1') refuse(c, "not a string of bits");
    value = value << 1 | static_cast<std::uint64_t>(b - '0');
  }
  append_number(out, value);
}

// Whether the bytes are UTF-8 without surrogates and overlong forms. MariaDB would store bad bytes as '?'.
bool is_utf8(std::string_view text) {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  const unsigned char* end = p + text.size();
  for (;;) {
    std::uint64_t eight;
    while (end - p >= 8 && (std::memcpy(&eight, p, 8), (eight & 0x8080808080808080) == 0)) p += 8;
    while (p != end && *p < 0x80) ++p;
    if (p == end) return true;
    const unsigned lead = *p;
    const std::ptrdiff_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || end - p < size) return false;
    for (std::ptrdiff_t i = 1; i < size; ++i)
      if ((p[i] & 0xC0) != 0x80) return false;
    if ((lead == 0xE0 && p[1] < 0xA0) || (lead == 0xED && p[1] > 0x9F) || (lead == 0xF0 && p[1] < 0x90) ||
        (lead == 0xF4 && p[1] > 0x8F))
      return false;
    p += size;
  }
}

// As the server stores and returns it: CHAR loses its trailing blanks, BINARY is filled up with zero bytes.
cell as_stored(const column_type& type, cell value, std::string& padded) {
  if (!type.fixed || !value.present()) return value;
  if (type.kind == value_kind::text) {
    std::string_view text = value.text();
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return cell::of(text);
  }
  if (type.kind == value_kind::bytes && type.length >= 0 && value.size < static_cast<std::uint64_t>(type.length)) {
    padded.assign(value.data, value.size);
    padded.resize(static_cast<std::size_t>(type.length));
    return cell::of(padded);
  }
  return value;
}

void append_compared_value(std::string& out, const column& c, cell value) {
  if (value.is_null()) {
    out += "NULL";
    return;
  }
  std::string padded;
  append_typed_value(out, c, as_stored(c.type, value, padded));
}

bool is_text(const column_type& type) {
  return type.kind == value_kind::text || type.kind == value_kind::enumeration || type.kind == value_kind::set ||
         (type.kind == value_kind::json && !type.charset.empty());
}

}  // namespace

void append_identifier(std::string& out, std::string_view name) {
  out += '`';
  for (const char c : name) {
    if (c == '`') out += '`';
    out += c;
  }
  out += '`';
}

void append_quoted(std::string& out, std::string_view text) {
  out += '\'';
  const char* p = text.data();
  const char* end = p + text.size();
  while (p != end) {
    const auto* quote = static_cast<const char*>(std::memchr(p, '\'', static_cast<std::size_t>(end - p)));
    if (!quote) break;
    out.append(p, quote + 1);
    out += '\'';
    p = quote + 1;
  }
  out.append(p, end);
  out += '\'';
}

std::string quote_identifier(std::string_view name) {
  std::string out;
  append_identifier(out, name);
  return out;
}

std::string quote_text(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

std::string qualified_name(const table_schema& table) {
  std::string out;
  append_identifier(out, table.schema);
  out += '.';
  append_identifier(out, table.name);
  return out;
}

void append_value(std::string& out, const column& c, cell value) {
  if (value.is_null()) {
    if (!c.nullable) refuse(c, "NULL, but the column is NOT NULL");
    out += "NULL";
    return;
  }
  if (value.absent()) throw failure(failure_kind::internal, "column " + c.name + ": no value to write");
  switch (c.type.kind) {
    case value_kind::boolean:
    case value_kind::integer:
      if (!is_integer(value.text())) refuse(c, "not an integer");
      out.append(value.data, value.size);
      return;
    case value_kind::decimal:
      if (!is_decimal(value.text())) refuse(c, "not a decimal number");
      out.append(value.data, value.size);
      return;
    case value_kind::real:
      append_real(out, c, value.text());
      return;
    case value_kind::bits:
      append_bits(out, c, value.text());
      return;
    case value_kind::bytes:
      out += "_binary";
      append_quoted(out, value.text());
      return;
    default:
      if (!is_utf8(value.text())) refuse(c, "not UTF-8");
      append_quoted(out, value.text());
  }
}

void append_typed_value(std::string& out, const column& c, cell value) {
  if (value.present()) {
    switch (c.type.kind) {
      case value_kind::date:
        out += "DATE";
        break;
      case value_kind::time:
        out += "TIME";
        break;
      case value_kind::datetime:
      case value_kind::timestamp:
        out += "TIMESTAMP";
        break;
      case value_kind::uuid:
        out += "CAST(";
        append_quoted(out, value.text());
        out += " AS UUID)";
        return;
      case value_kind::printed:
        out += "CAST(";
        append_quoted(out, value.text());
        out += c.type.name == "inet4" ? " AS INET4)" : " AS INET6)";
        return;
      default:
        break;
    }
  }
  append_value(out, c, value);
}

// What the derived table has, in this order.
struct sql_writer::source_columns {
  const table_pair* table;
  bool index = false;
  bool key_of_after = false;
  std::span<const std::uint16_t> key, values, deltas, guard;

  const column& at(std::uint16_t c) const { return table->columns[c].spoke; }
};

void sql_writer::append_names(std::string& out, const source_columns& from) const {
  out += "v(";
  if (from.index) out += "i,";
  const auto add = [&](char prefix, std::span<const std::uint16_t> columns) {
    for (const auto c : columns) {
      out += prefix;
      append_number(out, c);
      out += ',';
    }
  };
  add('k', from.key);
  add('n', from.values);
  add('d', from.deltas);
  add('g', from.guard);
  out.back() = ')';
}

void sql_writer::open_derived(std::string& out, const source_columns& from) const {
  if (speaks_ == dialect::mysql) {
    out += "(VALUES ";
    return;
  }
  out += "(WITH ";
  append_names(out, from);
  out += " AS (VALUES ";
}

void sql_writer::close_derived(std::string& out, const source_columns& from) const {
  if (speaks_ == dialect::mysql) {
    out += ") AS ";
    append_names(out, from);
  } else {
    out += ") SELECT * FROM v) AS v";
  }
}

void sql_writer::append_row(std::string& out, const source_columns& from, const run::row& row, std::size_t index) const {
  out += speaks_ == dialect::mysql ? "ROW(" : "(";
  if (from.index) {
    append_number(out, index);
    out += ',';
  }
  const row_view key = from.key_of_after ? row.after : row.before;
  for (const auto c : from.key) {
    append_compared_value(out, from.at(c), key[c]);
    out += ',';
  }
  for (const auto c : from.values) {
    append_typed_value(out, from.at(c), row.after[c]);
    out += ',';
  }
  for (const auto c : from.deltas) {
    append_value(out, from.at(c), row.added[c]);
    out += ',';
  }
  for (const auto c : from.guard) {
    append_compared_value(out, from.at(c), row.before[c]);
    out += ',';
  }
  out.back() = ')';
}

// Appends rows from `first` until the statement is full; `reserve` bytes are still to follow. Returns the end.
std::size_t sql_writer::append_rows(std::string& out, const source_columns& from, std::span<const run::row> rows,
                                    std::size_t first, std::size_t reserve) const {
  std::size_t i = first;
  for (; i < rows.size(); ++i) {
    const std::size_t before = out.size();
    if (i != first) out += ',';
    append_row(out, from, rows[i], i);
    if (out.size() + reserve > limits_.hard) {
      if (i == first)
        throw failure(failure_kind::row_refused,
                      "a row of " + from.table->spoke.schema + "." + from.table->spoke.name +
                          " is larger than the server's max_allowed_packet",
                      "1153");
      out.resize(before);
      break;
    }
    if (out.size() + reserve >= limits_.soft) {
      ++i;
      break;
    }
  }
  return i;
}

// The column as bytes of utf8mb4, compared without any rule of language or padding.
void sql_writer::append_bytewise(std::string& out, const column& c) const {
  const bool convert = c.type.charset != "utf8mb4" || c.type.kind != value_kind::text;
  if (convert) out += "CONVERT(";
  out += "t.";
  append_identifier(out, c.name);
  if (convert) out += " USING utf8mb4)";
  out += speaks_ == dialect::mysql ? " COLLATE utf8mb4_0900_bin" : " COLLATE utf8mb4_nopad_bin";
}

void sql_writer::append_key_match(std::string& out, const table_pair& table, std::uint16_t index,
                                  std::string_view right) const {
  const column& c = table.columns[index].spoke;
  if (!is_text(c.type)) {
    out += "t.";
    append_identifier(out, c.name);
    out += '=';
    out += right;
    return;
  }
  if (!c.type.collation.empty() && !c.type.charset.empty()) {  // so that the primary key finds it
    out += "t.";
    append_identifier(out, c.name);
    out += '=';
    if (c.type.charset == "utf8mb4") {
      out += right;
    } else {
      out += "CONVERT(";
      out += right;
      out += " USING ";
      out += c.type.charset;
      out += ')';
    }
    out += " COLLATE ";
    out += c.type.collation;
    out += " AND ";
  }
  append_bytewise(out, c);
  out += '=';
  out += right;
}

void sql_writer::append_guard_match(std::string& out, const table_pair& table, std::uint16_t index,
                                    std::string_view right) const {
  const column& c = table.columns[index].spoke;
  if (c.type.kind == value_kind::json)
    throw failure(failure_kind::internal, "a JSON column can't be part of a guard: " + c.name);
  if (is_text(c.type)) {
    append_bytewise(out, c);
  } else {
    out += "t.";
    append_identifier(out, c.name);
    if (c.type.native.starts_with("year")) out += "+0";  // compared with a YEAR, 0 would be read as the year 2000
  }
  out += "<=>";
  out += right;
}

void sql_writer::append_on(std::string& out, const table_pair& table, std::span<const std::uint16_t> guard) const {
  std::string name;
  bool first = true;
  const auto side = [&](char prefix, std::uint16_t c) -> std::string_view {
    if (!first) out += " AND ";
    first = false;
    name = "v.";
    name += prefix;
    append_number(name, c);
    return name;
  };
  for (const auto c : table.key) append_key_match(out, table, c, side('k', c));
  for (const auto c : guard) append_guard_match(out, table, c, side('g', c));
}

void sql_writer::append_where(std::string& out, const table_pair& table, row_view key,
                              std::span<const std::uint16_t> guard) const {
  std::string literal;
  bool first = true;
  const auto side = [&](std::uint16_t c) -> std::string_view {
    if (!first) out += " AND ";
    first = false;
    literal.clear();
    append_compared_value(literal, table.columns[c].spoke, key[c]);
    return literal;
  };
  for (const auto c : table.key) append_key_match(out, table, c, side(c));
  for (const auto c : guard) append_guard_match(out, table, c, side(c));
}

namespace {

void append_target(std::string& out, const table_pair& table) {
  append_identifier(out, table.spoke.schema);
  out += '.';
  append_identifier(out, table.spoke.name);
}

void append_assignments(std::string& out, const table_pair& table, row_view after, std::span<const std::uint16_t> columns) {
  for (const auto c : columns) {
    if (c != columns.front()) out += ',';
    out += "t.";
    append_identifier(out, table.columns[c].spoke.name);
    out += '=';
    append_value(out, table.columns[c].spoke, after[c]);
  }
}

// t.c=t.c, for each column that the server would set by itself and the statement does not.
void append_kept(std::string& out, const table_pair& table, std::span<const std::uint16_t> columns,
                 std::span<const std::uint16_t> deltas = {}, std::string_view but = {}) {
  for (const column& c : table.spoke.columns) {
    if (!c.on_update || c.name == but) continue;
    const auto names_it = [&](std::uint16_t i) { return table.columns[i].spoke.name == c.name; };
    if (std::any_of(columns.begin(), columns.end(), names_it) || std::any_of(deltas.begin(), deltas.end(), names_it)) continue;
    if (out.back() != ' ' && out.back() != ',') out += ',';
    out += "t.";
    append_identifier(out, c.name);
    out += "=t.";
    append_identifier(out, c.name);
  }
}

// t.c=(t.c+ and the summand and ')' to follow.
void append_sum_of(std::string& out, const column& c) {
  out += "t.";
  append_identifier(out, c.name);
  out += "=(t.";
  append_identifier(out, c.name);
  out += '+';
}

void check_size(const std::string& statement, const table_pair& table, const statement_limits& limits) {
  if (statement.size() > limits.hard)
    throw failure(failure_kind::row_refused,
                  "a row of " + table.spoke.schema + "." + table.spoke.name + " is larger than the server's max_allowed_packet",
                  "1153");
}

}  // namespace

std::size_t sql_writer::insert(std::string& out, const run& r, std::size_t first) const {
  const table_pair& table = *r.table;
  out.assign("INSERT INTO ");
  append_target(out, table);
  out += " (";
  for (const auto c : r.columns) {
    append_identifier(out, table.columns[c].spoke.name);
    out += ',';
  }
  if (r.columns.empty()) out += ')';
  out.back() = ')';
  out += " VALUES ";
  std::size_t i = first;
  for (; i < r.rows.size(); ++i) {
    const std::size_t before = out.size();
    out += i == first ? "(" : ",(";
    for (const auto c : r.columns) {
      append_value(out, table.columns[c].spoke, r.rows[i].after[c]);
      out += ',';
    }
    if (r.columns.empty()) out += ')';
    out.back() = ')';
    if (out.size() > limits_.hard) {
      if (i == first) check_size(out, table, limits_);
      out.resize(before);
      break;
    }
    if (out.size() >= limits_.soft) {
      ++i;
      break;
    }
  }
  return i;
}

std::size_t sql_writer::update(std::string& out, const run& r, std::size_t first) const {
  const table_pair& table = *r.table;
  out.assign("UPDATE ");
  if (first + 1 == r.rows.size()) {
    const run::row& row = r.rows[first];
    append_target(out, table);
    out += " AS t SET ";
    append_assignments(out, table, row.after, r.columns);
    for (const auto c : r.deltas) {
      if (out.back() != ' ') out += ',';
      append_sum_of(out, table.columns[c].spoke);
      append_value(out, table.columns[c].spoke, row.added[c]);
      out += ')';
    }
    append_kept(out, table, r.columns, r.deltas);
    out += " WHERE ";
    append_where(out, table, row.before, r.guard);
    check_size(out, table, limits_);
    return first + 1;
  }
  const source_columns from{.table = &table, .key = table.key, .values = r.columns, .deltas = r.deltas, .guard = r.guard};
  std::string tail;
  close_derived(tail, from);
  tail += " STRAIGHT_JOIN ";
  append_target(tail, table);
  tail += " AS t FORCE INDEX (PRIMARY) ON ";
  append_on(tail, table, r.guard);
  tail += " SET ";
  for (const auto c : r.columns) {
    tail += "t.";
    append_identifier(tail, table.columns[c].spoke.name);
    tail += "=v.n";
    append_number(tail, c);
    tail += ',';
  }
  for (const auto c : r.deltas) {
    append_sum_of(tail, table.columns[c].spoke);
    tail += "v.d";
    append_number(tail, c);
    tail += "),";
  }
  tail.pop_back();
  append_kept(tail, table, r.columns, r.deltas);
  open_derived(out, from);
  const std::size_t end = append_rows(out, from, r.rows, first, tail.size());
  out += tail;
  return end;
}

std::size_t sql_writer::remove(std::string& out, const run& r, std::size_t first) const {
  const table_pair& table = *r.table;
  out.assign("DELETE t FROM ");
  if (first + 1 == r.rows.size()) {
    append_target(out, table);
    out += " AS t WHERE ";
    append_where(out, table, r.rows[first].before, r.guard);
    check_size(out, table, limits_);
    return first + 1;
  }
  const source_columns from{.table = &table, .key = table.key, .guard = r.guard};
  std::string tail;
  close_derived(tail, from);
  tail += " STRAIGHT_JOIN ";
  append_target(tail, table);
  tail += " AS t FORCE INDEX (PRIMARY) ON ";
  append_on(tail, table, r.guard);
  open_derived(out, from);
  const std::size_t end = append_rows(out, from, r.rows, first, tail.size());
  out += tail;
  return end;
}

void sql_writer::find_rows(std::string& out, const run& r, find what, std::size_t first, std::size_t last) const {
  const table_pair& table = *r.table;
  const bool matching = what == find::matching;
  const source_columns from{.table = &table,
                            .index = true,
                            .key_of_after = !matching,
                            .key = table.key,
                            .guard = matching ? std::span<const std::uint16_t>(r.guard) : std::span<const std::uint16_t>()};
  out.assign("SELECT v.i FROM ");
  open_derived(out, from);
  for (std::size_t i = first; i < last; ++i) {
    if (i != first) out += ',';
    append_row(out, from, r.rows[i], i);
  }
  close_derived(out, from);
  out += " STRAIGHT_JOIN ";
  append_target(out, table);
  out += " AS t FORCE INDEX (PRIMARY) ON ";
  append_on(out, table, from.guard);
  out += " FOR UPDATE";
}

// Each behind a comma, in a form that decode_selected() reads.
void sql_writer::append_columns(std::string& out, const table_pair& table) const {
  for (const column_pair& pair : table.columns) {
    const column& c = pair.spoke;
    out += ",t.";
    append_identifier(out, c.name);
    if (c.type.kind == value_kind::real)
      out += "*1e0";  // FLOAT by itself prints six digits; adding zero would lose the sign of -0
    if (c.type.kind == value_kind::bits) out += "+0";
  }
}

// The order is that of the server's index, whatever the collation: ">" and ORDER BY agree on it.
void sql_writer::next_rows(std::string& out, const table_pair& table, row_view behind, std::size_t limit, bool lock) const {
  out.clear();
  append_columns(out, table);
  out.replace(0, 1, "SELECT ");
  out += " FROM ";
  append_target(out, table);
  out += " AS t FORCE INDEX (PRIMARY)";
  const auto name = [&](std::size_t i) -> const column& {
    out += "t.";
    append_identifier(out, table.columns[table.key[i]].spoke.name);
    return table.columns[table.key[i]].spoke;
  };
  if (behind) {
    out += " WHERE ";
    const column& first = name(0);
    out += ">=";
    append_value(out, first, behind[table.key[0]]);
    out += " AND ";
    for (std::size_t i = 0; i < table.key.size(); ++i) {  // (a>1 OR (a=1 AND (b>2 OR (b=2 AND c>3))))
      const bool last = i + 1 == table.key.size();
      if (!last) out += '(';
      for (const char* compared : {">", "="}) {
        if (last && *compared == '=') break;
        const column& c = name(i);
        out += compared;
        append_value(out, c, behind[table.key[i]]);
        if (*compared == '>' && !last) out += " OR (";
      }
      if (!last) out += " AND ";
    }
    out.append(2 * (table.key.size() - 1), ')');
  }
  out += " ORDER BY ";
  for (std::size_t i = 0; i < table.key.size(); ++i) {
    if (i) out += ',';
    name(i);
  }
  out += " LIMIT " + std::to_string(limit);
  if (lock) out += (speaks_ == dialect::mysql ? " FOR SHARE NOWAIT" : " LOCK IN SHARE MODE NOWAIT");
}

void sql_writer::select_rows(std::string& out, const table_pair& table, std::span<const row_view> keys,
                             std::span<const std::uint32_t> order, bool lock) const {
  const source_columns from{.table = &table, .index = true, .key = table.key};
  out.assign("SELECT v.i");
  append_columns(out, table);
  out += " FROM ";
  open_derived(out, from);
  for (const auto i : order) {
    if (i != order.front()) out += ',';
    append_row(out, from, {.before = keys[i], .after = nullptr}, i);
  }
  close_derived(out, from);
  out += " STRAIGHT_JOIN ";
  append_target(out, table);
  out += " AS t FORCE INDEX (PRIMARY) ON ";
  append_on(out, table, {});
  if (lock) out += " FOR UPDATE";
}

void sql_writer::rows_with(std::string& out, const table_pair& table, std::span<const std::uint16_t> columns, std::span<const std::string> values) const {
  out.assign("SELECT 0");
  append_columns(out, table);
  out += " FROM ";
  append_target(out, table);
  out += " AS t";
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const column& c = table.columns[columns[i]].spoke;
    out += i ? " AND t." : " WHERE t.";
    append_identifier(out, c.name);
    out += '=';
    append_value(out, c, cell::of(values[i]));
  }
  out += " FOR UPDATE";
}

void sql_writer::force_update(std::string& out, const table_pair& table, row_view key, row_view after,
                              std::span<const std::uint16_t> columns) const {
  out.assign("UPDATE ");
  append_target(out, table);
  out += " AS t SET ";
  append_assignments(out, table, after, columns);
  append_kept(out, table, columns);
  out += " WHERE ";
  append_where(out, table, key, {});
  check_size(out, table, limits_);
}

void sql_writer::mark(std::string& out, const table_pair& table, row_view key, std::string_view column, std::string_view value) const {
  out.assign("UPDATE ");
  append_target(out, table);
  out += " AS t SET t.";
  append_identifier(out, column);
  out += '=';
  out += value;
  append_kept(out, table, {}, {}, column);
  out += " WHERE ";
  append_where(out, table, key, {});
  if (value != "NULL") return;
  out += " AND t.";
  append_identifier(out, column);
  out += " IS NOT NULL";
}

void sql_writer::force_remove(std::string& out, const table_pair& table, row_view key) const {
  out.assign("DELETE t FROM ");
  append_target(out, table);
  out += " AS t WHERE ";
  append_where(out, table, key, {});
  check_size(out, table, limits_);
}

namespace {

void strip_leading_zeros(std::string& s) {
  const std::size_t from = !s.empty() && s.front() == '-' ? 1 : 0;
  std::size_t n = 0;
  while (from + n + 1 < s.size() && s[from + n] == '0' && s[from + n + 1] != '.') ++n;
  s.erase(from, n);
}

void strip_fraction_zeros(std::string& s) {
  if (s.find('.') == std::string::npos) return;
  while (s.back() == '0') s.pop_back();
  if (s.back() == '.') s.pop_back();
}

}  // namespace

std::string decode_selected(const column& c, std::string&& printed) {
  const auto damaged = [&] {
    return failure(failure_kind::internal, "column " + c.name + ": the server printed a value that does not read as its type");
  };
  switch (c.type.kind) {
    case value_kind::integer:  // ZEROFILL and YEAR print leading zeros
      strip_leading_zeros(printed);
      break;
    case value_kind::decimal:
      strip_leading_zeros(printed);
      if (printed.starts_with('-') && printed.find_first_not_of("0.", 1) == std::string::npos) printed.erase(0, 1);
      break;
    case value_kind::real: {
      double value = 0;
      const auto read = std::from_chars(printed.data(), printed.data() + printed.size(), value);
      if (read.ec != std::errc{}) throw damaged();
      char digits[40];
      const auto end = c.type.bits == 32 ? std::to_chars(digits, digits + sizeof digits, static_cast<float>(value)).ptr
                                         : std::to_chars(digits, digits + sizeof digits, value).ptr;
      return {digits, end};
    }
    case value_kind::bits: {
      std::uint64_t value = 0;
      const auto read = std::from_chars(printed.data(), printed.data() + printed.size(), value);
      if (read.ec != std::errc{}) throw damaged();
      std::string bits(static_cast<std::size_t>(std::max(c.type.bits, 1)), '0');
      for (std::size_t i = bits.size(); i-- > 0; value >>= 1)
        if (value & 1) bits[i] = '1';
      return bits;
    }
    case value_kind::time:
    case value_kind::datetime:
    case value_kind::timestamp:
      strip_fraction_zeros(printed);
      break;
    case value_kind::printed:  // MariaDB's own spelling of INET6 is not that of PostgreSQL, nor that of row_decoder
      if (in6_addr address; inet_pton(AF_INET6, printed.c_str(), &address) == 1) {
        char text[INET6_ADDRSTRLEN];
        return inet_ntop(AF_INET6, &address, text, sizeof text);
      }
      break;
    default:
      break;
  }
  return std::move(printed);
}

}  // namespace duet::mysql
