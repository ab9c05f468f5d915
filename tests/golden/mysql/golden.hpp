// Captured binlog streams and what they decode to. See README.md here for the files and how they are made.
#pragma once

#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "duet/change.hpp"
#include "duet/mapping.hpp"
#include "mysql/binlog_decoder.hpp"

namespace duet::mysql::golden {

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("no such file: " + path.string());
  return {std::istreambuf_iterator<char>(in), {}};
}

// Blocks that are kept, and never run out.
class block_store final : public block_supply {
 public:
  explicit block_store(std::size_t block_bytes = 256 << 10) : block_bytes_(block_bytes) {}
  change_block& next(change_block*) override {
    blocks_.push_back(std::make_unique<change_block>(block_bytes_));
    return *blocks_.back();
  }
  const std::vector<std::unique_ptr<change_block>>& blocks() const { return blocks_; }
  void clear() { blocks_.clear(); }

 private:
  std::size_t block_bytes_;
  std::vector<std::unique_ptr<change_block>> blocks_;
};

// "bigint(20) unsigned", "enum('a','b')", "varchar(20) charset=latin1", as a catalog would have it.
inline column_type parse_type(std::string native) {
  column_type t;
  if (const auto at = native.find(" charset="); at != std::string::npos) {
    t.charset = native.substr(at + 9);
    native.resize(at);
  }
  t.native = native;
  const std::string word = native.substr(0, native.find_first_of("( "));
  t.is_unsigned = native.find("unsigned") != std::string::npos;
  std::vector<int> numbers;
  if (const auto open = native.find('('); open != std::string::npos && native[open + 1] != '\'') {
    std::istringstream in(native.substr(open + 1));
    for (int n; in >> n; in.get()) numbers.push_back(n);
  }
  const int first = numbers.empty() ? 0 : numbers[0];
  const auto integer = [&](int bits) { t.kind = value_kind::integer, t.bits = bits; };
  if (word == "tinyint") integer(8);
  else if (word == "smallint" || word == "year") integer(16);
  else if (word == "mediumint") integer(24);
  else if (word == "int") integer(32);
  else if (word == "bigint") integer(64);
  else if (word == "float") t.kind = value_kind::real, t.bits = 32;
  else if (word == "double") t.kind = value_kind::real, t.bits = 64;
  else if (word == "decimal") t.kind = value_kind::decimal, t.precision = first, t.scale = numbers.size() > 1 ? numbers[1] : 0;
  else if (word == "bit") t.kind = value_kind::bits, t.bits = first;
  else if (word == "date") t.kind = value_kind::date;
  else if (word == "time") t.kind = value_kind::time, t.precision = first;
  else if (word == "datetime") t.kind = value_kind::datetime, t.precision = first;
  else if (word == "timestamp") t.kind = value_kind::timestamp, t.precision = first;
  else if (word == "char" || word == "varchar") t.kind = value_kind::text, t.length = first, t.fixed = word == "char";
  else if (word == "binary" || word == "varbinary") t.kind = value_kind::bytes, t.length = first, t.fixed = word == "binary";
  else if (word == "json") t.kind = value_kind::json;
  else if (word == "uuid") t.kind = value_kind::uuid;
  else if (word == "inet4" || word == "inet6") t.kind = value_kind::text;
  else if (word == "enum" || word == "set") {
    t.kind = word == "enum" ? value_kind::enumeration : value_kind::set;
    for (std::size_t at = native.find('\''); at != std::string::npos;) {
      const auto end = native.find('\'', at + 1);
      t.labels.push_back(native.substr(at + 1, end - at - 1));
      at = native.find('\'', end + 1);
    }
  } else if (word.ends_with("text")) t.kind = value_kind::text;
  else t.kind = value_kind::bytes;  // blobs, geometry, vector
  if ((t.kind == value_kind::text || t.kind == value_kind::enumeration || t.kind == value_kind::set) && t.charset.empty()) t.charset = "utf8mb4";
  return t;
}

// Lines "table shop.item both|home_to_spoke|spoke_to_home", each followed by "column NAME TYPE" in the order of the table.
// "key column ..." is of the primary key, "skip column ..." is not mapped.
inline mapping parse_tables(const std::string& text) {
  mapping m;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string word, name, rest;
    words >> word;
    if (word.empty() || word[0] == '#') continue;
    if (word == "table") {
      table_pair t;
      t.id = static_cast<std::uint16_t>(m.tables.size());
      std::string direction;
      words >> name >> direction;
      t.spoke.schema = name.substr(0, name.find('.'));
      t.spoke.name = name.substr(name.find('.') + 1);
      t.home = t.spoke;
      t.direction = direction == "home_to_spoke" ? flow::home_to_spoke : direction == "spoke_to_home" ? flow::spoke_to_home : flow::both;
      m.tables.push_back(std::move(t));
      continue;
    }
    const bool key = word == "key", skip = word == "skip";
    if (key || skip) words >> word;
    if (word != "column" || m.tables.empty()) throw std::runtime_error("not a line of a table: " + line);
    table_pair& t = m.tables.back();
    words >> name >> std::ws;
    std::getline(words, rest);
    column c;
    c.name = name;
    c.ordinal = static_cast<int>(t.spoke.columns.size());
    c.type = parse_type(rest);
    t.spoke.columns.push_back(c);
    if (skip) continue;
    column_pair pair;
    pair.home = pair.spoke = c;
    pair.key = key;
    if (key) t.key.push_back(static_cast<std::uint16_t>(t.columns.size()));
    t.columns.push_back(std::move(pair));
  }
  return m;
}

// Raw events, one after the other.
inline std::vector<std::string> split_events(const std::string& stream) {
  std::vector<std::string> events;
  for (std::size_t at = 0; at < stream.size();) {
    std::uint32_t size = 0;
    if (stream.size() - at < event_header_size) throw std::runtime_error("a capture that ends within an event");
    std::memcpy(&size, stream.data() + at + 9, 4);
    if (size < event_header_size || size > stream.size() - at) throw std::runtime_error("a capture that ends within an event");
    events.push_back(stream.substr(at, size));
    at += size;
  }
  return events;
}

// Where the stream starts: the rotate event in front says it.
inline log_position start_of(const std::string& first_event) {
  const rotation r = decode_rotation(std::string_view(first_event).substr(event_header_size));
  std::string_view file = r.file;
  if (has_valid_checksum(first_event) && file.size() >= event_checksum_size) file.remove_suffix(event_checksum_size);
  return binlog_position(log_file_number(file), r.offset);
}

inline std::string quote(std::string_view bytes) {
  constexpr char hex[] = "0123456789abcdef";
  constexpr std::size_t shown = 200;
  std::string out = "'";
  for (std::size_t i = 0; i < bytes.size() && i < shown; ++i) {
    const auto c = static_cast<unsigned char>(bytes[i]);
    if (c == '\'' || c == '\\') out.append(1, '\\').append(1, bytes[i]);
    else if (c < 0x20 || c == 0x7f || c >= 0x80) out.append("\\x").append(1, hex[c >> 4]).append(1, hex[c & 15]);
    else out += bytes[i];
  }
  if (bytes.size() > shown) out += "... " + std::to_string(bytes.size()) + " bytes";
  return out + "'";
}

inline std::string position_text(log_position p) {
  return std::to_string(binlog_file_number(p)) + ":" + std::to_string(binlog_offset(p));
}

// One line per record. `exact`: with positions, times and fingerprints, which differ from capture to capture.
inline std::string dump(const block_store& store, const mapping& m, bool exact) {
  std::ostringstream out;
  for (const auto& block : store.blocks()) {
    for (const record* r = block->first(); r && r->size; r = block->next(r)) {  // size 0: the one that decoding stopped in
      switch (r->kind) {
        case record_kind::begin: {
          const auto& b = static_cast<const transaction_begin&>(*r);
          out << "begin";
          if (exact) out << " at " << position_text(b.position) << " time " << b.commit_time_us << " fingerprint " << std::hex << b.fingerprint << std::dec;
          out << "\n";
          break;
        }
        case record_kind::change: {
          const auto& c = static_cast<const change_record&>(*r);
          const table_pair& t = m.tables.at(c.table);
          out << "  " << name(c.op) << " " << t.spoke.schema << "." << t.spoke.name << "\n";
          const auto image = [&](const char* label, bool before) {
            out << "    " << label;
            for (std::size_t i = 0; i < c.columns; ++i) {
              const cell v = before ? c.before(i) : c.after(i);
              if (v.absent()) continue;
              out << " " << t.columns[i].spoke.name << "=" << (v.is_null() ? "NULL" : quote(v.text()));
            }
            out << "\n";
          };
          if (c.has_before) image("before", true);
          if (c.has_after) image("after", false);
          break;
        }
        case record_kind::end: {
          const auto& e = static_cast<const transaction_end&>(*r);
          out << "end changes " << e.changes << " filtered " << e.filtered << " echoes " << e.echoes;
          if (e.ours)
            out << " ours epoch " << e.control_epoch << " counter " << e.control_counter << " position " << e.control_position.value << " floor "
                << e.control_floor.value;
          if (exact) out << " read up to " << position_text(e.read_up_to);
          out << "\n";
          break;
        }
        case record_kind::progress:
          if (exact) out << "progress " << position_text(static_cast<const transaction_end&>(*r).read_up_to) << "\n";
          break;
      }
    }
  }
  return out.str();
}

inline constexpr const char* link = "golden";

// Decodes a stream; a failure becomes the last line.
inline std::string decode(const std::vector<std::string>& events, const mapping& m, bool exact) {
  block_store store;
  block_writer writer(store);
  binlog_decoder decoder(m, link);
  std::string stopped;
  try {
    decoder.start(start_of(events.at(0)));
    for (const auto& e : events) {
      decoder.decode(e, writer);
      decoder.settle(writer);
    }
  } catch (const failure& f) {
    stopped = "stopped: " + std::string(name(f.kind)) + ": ";
    // where it happened differs from capture to capture
    const std::string what = f.what();
    stopped += exact ? what : what.substr(0, what.find(" at "));
    stopped += "\n";
  }
  return dump(store, m, exact) + stopped;
}

}  // namespace duet::mysql::golden
