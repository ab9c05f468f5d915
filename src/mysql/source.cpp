#include "mysql/source.hpp"

#include <xxhash.h>

#include <algorithm>
#include <unordered_map>

#include "base/byte_reader.hpp"
#include "mysql/sql_writer.hpp"

namespace duet::mysql {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t bytes_per_read = 128 << 10;
constexpr auto first_packet_max = 20s;
constexpr std::uint64_t first_offset = 4;

// High, so that it does not meet the ids that administrators give.
std::uint32_t replica_id(std::string_view link) { return 0x80000000u | XXH32(link.data(), link.size(), 0); }

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace

source::source(const endpoint& spoke, std::string link, const mapping& m, std::string application_name)
    : spoke_(spoke), mapping_(m), application_name_(std::move(application_name)), server_id_(replica_id(link)), decoder_(m, std::move(link)) {
  decoder_.require_column_names();
}

void source::start(log_position from) {
  packet_ = {};
  has_events_ = false;
  connection_.open(spoke_, application_name_);
  // Both names of each setting: MySQL 8.4 and later know the second, older servers and MariaDB the first.
  connection_.query(
      "SET @master_binlog_checksum = 'CRC32', @source_binlog_checksum = 'CRC32', "
      "@master_heartbeat_period = 1000000000, @source_heartbeat_period = 1000000000");
  if (connection_.is_maria()) connection_.query("SET @mariadb_slave_capability = 4");
  connection_.query("SET SESSION net_write_timeout = 86400");  // we may be held back for long

  if (!from) from = binlog_position(1, first_offset);
  const std::uint64_t number = binlog_file_number(from);
  std::string file;
  std::uint64_t size = 0, lowest = ~std::uint64_t{0}, highest = 0, end = 0;
  for (const auto& row : connection_.query("SHOW BINARY LOGS")) {
    const std::uint64_t n = log_file_number(row.at(0));
    lowest = std::min(lowest, n);
    if (n >= highest) end = std::stoull(row.at(1));
    highest = std::max(highest, n);
    if (n != number) continue;
    file = row.at(0);
    size = std::stoull(row.at(1));
  }
  const std::string position = "binlog file " + std::to_string(number) + ", offset " + std::to_string(binlog_offset(from));
  if (file.empty()) {
    if (highest != 0 && number > highest)
      throw failure(failure_kind::history_changed, "the server's binlog ends before " + position + ", where reading has to start: it was reset, or the server is an older copy");
    throw failure(failure_kind::log_lost, "the server no longer has " + position + ", where reading has to start; its oldest file is " +
                                              (highest ? std::to_string(lowest) : std::string("none")));
  }
  if (binlog_offset(from) > size)
    throw failure(failure_kind::history_changed, "the server's binlog ends before " + position + ", where reading has to start: it was reset, or the server is an older copy");

  // The end of the log first: a table altered after it is altered in the catalog that is read next.
  decoder_.set_fits_from(binlog_position(highest, end));
  require_known_columns();
  decoder_.start(from);
  connection_.start_dump(file, decoder_.dump_offset(), server_id_);
  // The first packet says whether the server agrees.
  const auto deadline = std::chrono::steady_clock::now() + first_packet_max;
  for (packet_ = connection_.next_packet(); packet_.empty(); packet_ = connection_.next_packet()) {
    connection_.receive(100ms);
    if (std::chrono::steady_clock::now() > deadline)
      throw failure(failure_kind::connection_lost, "the server does not answer the request for its binlog");
  }
  if (packet_[0] == '\xff') throw_server_error(packet_);
}

// The catalog still has the mapping's columns.
void source::require_known_columns() {
  std::string names;
  for (const table_pair& t : mapping_.tables) names += (names.empty() ? "(" : ",(") + quote_text(t.spoke.schema) + "," + quote_text(t.spoke.name) + ")";
  if (names.empty()) return;
  std::unordered_map<std::string, std::string> types;
  std::unordered_map<std::string, std::size_t> widths;
  const auto key = [](const std::string& schema, const std::string& table, const std::string& column) { return schema + '\0' + table + '\0' + column; };
  for (const auto& row : connection_.query("SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, COLUMN_TYPE FROM information_schema.COLUMNS"
                                           " WHERE (TABLE_SCHEMA, TABLE_NAME) IN (" + names + ")"))
    types.emplace(key(row.at(0), row.at(1), row.at(2)), row.at(3)), ++widths[key(row.at(0), row.at(1), "")];
  for (const table_pair& t : mapping_.tables) {
    const auto changed = [&](const std::string& what) {
      failure f(failure_kind::schema_changed, "table " + t.spoke.schema + "." + t.spoke.name + " has changed at the spoke: " + what);
      f.table = t.home.schema + "." + t.home.name;
      return f;
    };
    for (const column_pair& c : t.columns) {
      const auto now = types.find(key(t.spoke.schema, t.spoke.name, c.spoke.name));
      if (now == types.end()) throw changed("column " + c.spoke.name + " is gone");
      if (now->second != c.spoke.type.native && !c.spoke.type.native.empty())
        throw changed("column " + c.spoke.name + " was " + c.spoke.type.native + " and is now " + now->second);
    }
    if (const std::size_t width = widths[key(t.spoke.schema, t.spoke.name, "")]; width != t.spoke.columns.size() && !t.spoke.columns.empty())
      throw changed("it has " + std::to_string(width) + " columns instead of " + std::to_string(t.spoke.columns.size()));
  }
}

bool source::read(block_writer& out, std::chrono::milliseconds wait) {
  const auto deadline = std::chrono::steady_clock::now() + wait;
  std::size_t decoded = 0;
  while (decoded < bytes_per_read) {
    if (packet_.empty()) packet_ = connection_.next_packet();
    if (packet_.empty()) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      if (connection_.receive(decoded ? 0ms : std::max(left, 0ms))) continue;
      if (decoded || std::chrono::steady_clock::now() >= deadline) break;
      continue;
    }
    const std::string_view packet = std::exchange(packet_, {});
    constexpr char ok = '\0', error = '\xff', end_of_stream = '\xfe';
    if (packet[0] == error) throw_server_error(packet);
    if (packet[0] == end_of_stream && packet.size() < 9) throw failure(failure_kind::connection_lost, "the server has ended the binlog stream");
    if (packet[0] != ok) base::throw_damaged("a packet that is no binlog event");
    const bool real = packet.size() >= 1 + event_header_size && base::byte_reader(packet.substr(14, 4)).u32_le() != 0;
    decoder_.decode(packet.substr(1), out);
    has_events_ |= real;
    decoded += packet.size();
  }
  if (decoded == 0) return false;
  decoder_.settle(out);
  return true;
}

// An error packet instead of an event: nearly always 1236 with a text that says more.
void source::throw_server_error(std::string_view packet) const {
  base::byte_reader r(packet);
  r.skip(1);
  const unsigned code = r.u16_le();
  std::string_view text = r.rest();
  if (text.starts_with('#') && text.size() >= 6) text.remove_prefix(6);
  const std::string what = "reading the binlog: " + std::string(text), server_code = std::to_string(code);
  constexpr unsigned access_denied = 1227, fatal_dump_error = 1236;
  if (code == access_denied)
    throw failure(failure_kind::configuration, what, server_code, "GRANT REPLICATION SLAVE ON *.* TO the user");
  if (code != fatal_dump_error) throw failure(failure_kind::connection_lost, what, server_code);
  if (contains(text, "Could not find") || contains(text, "purged"))
    throw failure(failure_kind::log_lost, what, server_code);
  if (contains(text, "position >") || contains(text, "impossible position"))
    throw failure(failure_kind::history_changed, what, server_code);
  if (contains(text, "same server_uuid") || contains(text, "same server_id") || contains(text, "shutdown"))
    throw failure(failure_kind::connection_lost, what, server_code);
  if (contains(text, "Binary log is not open") || contains(text, "Misconfigured") || contains(text, "GTID_MODE"))
    throw failure(failure_kind::configuration, what, server_code);
  // Bytes at our position that are no event: when nothing could be read, it is another log than the one we knew.
  throw failure(has_events_ ? failure_kind::damaged_log : failure_kind::history_changed, what, server_code);
}

}  // namespace duet::mysql
