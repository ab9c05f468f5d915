// What tests of home's log share: mappings, blocks printed as text, messages made by hand.
#pragma once

#include <cstdio>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "duet/change.hpp"
#include "duet/failure.hpp"
#include "duet/mapping.hpp"

namespace duet::tests {

// Keeps every block that it hands out.
class kept_blocks : public block_supply {
 public:
  explicit kept_blocks(std::size_t block_bytes = 4096) : block_bytes_(block_bytes) {}
  change_block& next(change_block*) override { return blocks_.emplace_back(block_bytes_); }
  const std::deque<change_block>& all() const { return blocks_; }

 private:
  std::size_t block_bytes_;
  std::deque<change_block> blocks_;
};

inline std::string printable(std::string_view bytes, bool is_text = true) {
  std::string out;
  for (unsigned char c : bytes) {
    if (c == '\\' || c == '\'') (out += '\\') += static_cast<char>(c);
    else if (c < 32 || c == 127 || (c > 127 && !is_text)) {
      char hex[8];
      std::snprintf(hex, sizeof hex, "\\x%02x", c);
      out += hex;
    } else out += static_cast<char>(c);
  }
  return out;
}

inline void print_image(const mapping& m, const change_record& r, bool after, std::string& out) {
  for (std::size_t i = 0; i < r.columns; ++i) {
    const cell c = after ? r.after(i) : r.before(i);
    if (c.absent()) continue;
    out += ' ' + m.tables[r.table].columns[i].home.name + '=';
    if (c.is_null()) out += "null";
    else if (c.size > 200) out += '(' + std::to_string(c.size) + " bytes from '" + printable(c.text().substr(0, 8)) + "')";
    else out += '\'' + printable(c.text(), m.tables[r.table].columns[i].home.type.kind != value_kind::bytes) + '\'';
  }
}

// One line per record. Absent cells are not printed.
inline std::string print(const mapping& m, const std::deque<change_block>& blocks) {
  std::string out;
  for (const auto& block : blocks)
    for (const record* r = block.first(); r; r = block.next(r)) {
      switch (r->kind) {
        case record_kind::begin: {
          auto& b = static_cast<const transaction_begin&>(*r);
          char line[128];
          std::snprintf(line, sizeof line, "begin at %llx time %lld fingerprint %016llx", static_cast<unsigned long long>(b.position.value),
                        static_cast<long long>(b.commit_time_us), static_cast<unsigned long long>(b.fingerprint));
          out += line;
          break;
        }
        case record_kind::change: {
          auto& c = static_cast<const change_record&>(*r);
          out += "  " + std::string(name(c.op)) + ' ' + m.tables[c.table].home.name;
          if (c.has_before) {
            out += " before";
            print_image(m, c, false, out);
          }
          if (c.has_after) {
            out += " after";
            print_image(m, c, true, out);
          }
          break;
        }
        case record_kind::end:
        case record_kind::progress: {
          auto& e = static_cast<const transaction_end&>(*r);
          char line[256];
          std::snprintf(line, sizeof line, "%s to %llx", r->kind == record_kind::end ? "end" : "progress",
                        static_cast<unsigned long long>(e.read_up_to.value));
          out += line;
          if (r->kind == record_kind::end) {
            std::snprintf(line, sizeof line, " changes %u filtered %u echoes %u", e.changes, e.filtered, e.echoes);
            out += line;
          }
          if (e.ours) {
            std::snprintf(line, sizeof line, " ours epoch %llu counter %llu position %llx floor %llx",
                          static_cast<unsigned long long>(e.control_epoch), static_cast<unsigned long long>(e.control_counter),
                          static_cast<unsigned long long>(e.control_position.value), static_cast<unsigned long long>(e.control_floor.value));
            out += line;
          }
          break;
        }
      }
      out += '\n';
    }
  return out;
}

struct column_spec {
  std::string name;
  value_kind kind;
  int bits = 0;
  bool fixed = false;
};

// A table of home, equally named at the spoke. The first `keys` columns are the primary key.
inline void add_table(mapping& m, const std::string& name, const std::vector<column_spec>& columns, std::size_t keys = 1,
                      flow direction = flow::both) {
  table_pair t;
  t.id = static_cast<std::uint16_t>(m.tables.size());
  t.home.schema = "public";
  t.home.name = t.spoke.name = name;
  t.direction = direction;
  for (const auto& spec : columns) {
    column c;
    c.name = spec.name;
    c.ordinal = static_cast<int>(t.columns.size());
    c.type.kind = spec.kind;
    c.type.bits = spec.bits;
    c.type.fixed = spec.fixed;
    const bool key = t.columns.size() < keys;
    if (key) {
      t.key.push_back(static_cast<std::uint16_t>(t.columns.size()));
      t.home.primary_key.push_back(c.ordinal);
    }
    t.home.columns.push_back(c);
    column_pair pair;
    pair.home = pair.spoke = c;
    pair.key = key;
    t.columns.push_back(pair);
  }
  m.tables.push_back(t);
}

// A column of the last table that is there, and takes no part.
inline void add_unmapped(mapping& m, const std::string& name) {
  column c;
  c.name = name;
  m.tables.back().home.columns.push_back(c);
}

// The tables of the golden captures (tests/golden/postgres/*.sql).
inline mapping golden_mapping() {
  using enum value_kind;
  mapping m;
  add_table(m, "kinds", {{"id", integer, 64}, {"a_bool", boolean}, {"a_small", integer, 16}, {"an_int", integer, 32},
                         {"a_numeric", decimal}, {"a_float4", real, 32}, {"a_float8", real, 64}, {"a_text", text}, {"a_char", text, 0, true},
                         {"a_bytea", bytes}, {"a_date", date}, {"a_time", time}, {"a_timestamp", datetime}, {"a_timestamptz", timestamp},
                         {"a_json", json}, {"a_jsonb", json}, {"a_bit", bits}, {"a_varbit", bits}, {"a_uuid", uuid}, {"a_mood", enumeration},
                         {"an_array", array}});
  add_table(m, "key_rows", {{"id", integer, 32}, {"name", text}, {"big", text}});
  add_unmapped(m, "unmapped");
  add_table(m, "full_rows", {{"id", integer, 32}, {"name", text}, {"big", text}});
  add_table(m, "pairs", {{"left_id", integer, 32}, {"right_id", text}, {"amount", decimal}}, 2);
  add_table(m, "one_way", {{"id", integer, 32}, {"name", text}}, 1, flow::spoke_to_home);
  return m;
}

// Messages of pgoutput made by hand.
class message_builder {
 public:
  explicit message_builder(char kind) { bytes_ += kind; }
  message_builder& u8(int v) { return number(static_cast<std::uint64_t>(v), 1); }
  message_builder& u16(std::uint64_t v) { return number(v, 2); }
  message_builder& u32(std::uint64_t v) { return number(v, 4); }
  message_builder& u64(std::uint64_t v) { return number(v, 8); }
  message_builder& cstring(std::string_view s) {
    bytes_ += s;
    bytes_ += '\0';
    return *this;
  }
  message_builder& raw(std::string_view s) {
    bytes_ += s;
    return *this;
  }
  message_builder& text(std::string_view s) { return u8('t').u32(s.size()).raw(s); }
  message_builder& null() { return u8('n'); }
  message_builder& unchanged() { return u8('u'); }
  operator std::string() const { return bytes_; }

 private:
  message_builder& number(std::uint64_t v, int width) {
    for (int i = width; i-- > 0;) bytes_ += static_cast<char>(v >> (8 * i));
    return *this;
  }
  std::string bytes_;
};

inline constexpr std::int64_t commit_time_us = 1'700'000'000'123'456;
inline std::string begin_message(std::uint64_t position, std::uint32_t xid = 700) {
  return message_builder('B').u64(position).u64(static_cast<std::uint64_t>(commit_time_us - 946'684'800'000'000)).u32(xid);
}
inline std::string commit_message(std::uint64_t position) {
  return message_builder('C').u8(0).u64(position).u64(position + 48).u64(0);
}

struct relation_column {
  std::string name;
  std::uint32_t type_oid;
  bool identity = false;
  std::int64_t type_modifier = -1;
};
inline std::string relation_described(std::uint32_t oid, std::string_view schema, std::string_view name, char identity,
                                    const std::vector<relation_column>& columns) {
  message_builder b('R');
  b.u32(oid).cstring(schema).cstring(name).u8(identity).u16(columns.size());
  for (const auto& c : columns)
    b.u8(c.identity).cstring(c.name).u32(c.type_oid).u32(static_cast<std::uint32_t>(c.type_modifier));
  return b;
}

}  // namespace duet::tests
