// Decoding rows events from memory: sysbench's table (bigint key, int, char(120), char(60)), as MySQL and MariaDB log it.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "duet/change.hpp"
#include "mysql/binlog_decoder.hpp"

namespace {

using namespace duet;
using namespace duet::mysql;

mapping sysbench_tables() {
  mapping m;
  table_pair t;
  t.spoke.schema = t.home.schema = "shop";
  t.spoke.name = t.home.name = "sbtest1";
  const auto add = [&](const char* name, value_kind kind, const char* native, int bits) {
    column_pair pair;
    pair.spoke.name = name;
    pair.spoke.ordinal = static_cast<int>(t.columns.size());
    pair.spoke.type.kind = kind;
    pair.spoke.type.native = native;
    pair.spoke.type.bits = bits;
    pair.spoke.type.charset = "utf8mb4";
    pair.home = pair.spoke;
    t.spoke.columns.push_back(pair.spoke);
    t.columns.push_back(std::move(pair));
  };
  add("id", value_kind::integer, "bigint", 64);
  add("k", value_kind::integer, "int", 32);
  add("c", value_kind::text, "char(120)", 0);
  add("pad", value_kind::text, "char(60)", 0);
  t.key = {0};
  m.tables.push_back(std::move(t));
  return m;
}

void put(std::string& s, std::uint64_t v, int bytes) {
  for (int i = 0; i < bytes; ++i) s += i < 8 ? static_cast<char>(v >> 8 * i) : char(0);
}

// A stream without checksums, so that decoding alone is measured.
class stream {
 public:
  stream() {
    std::string body;
    put(body, 4, 8);
    add(event_type::rotate, body + "log.1", true);
    body.clear();
    put(body, 4, 2);
    body += std::string("9.0.0").append(45, '\0') + std::string(4, '\0') + char(19) + std::string(40, '\0') + std::string(5, '\0');
    add(event_type::format_description, body, true);
  }
  void add(event_type type, const std::string& body, bool artificial = false) {
    std::string e;
    put(e, 1700000000, 4);
    e += static_cast<char>(type);
    put(e, 1, 4);
    put(e, event_header_size + body.size(), 4);
    if (!artificial) offset_ += event_header_size + body.size();
    put(e, artificial ? 0 : offset_, 4);
    put(e, artificial ? event_artificial_flag : 0, 2);
    events_.push_back(e + body);
  }
  void add_transaction(operation op, std::size_t rows, const std::string& database = "shop") {
    std::string body(1, '\0');
    body.append(16, 'u');
    put(body, ++number_, 8);
    body += char(2);
    put(body, 0, 16);
    put(body, 1700000000000000, 7);
    add(event_type::gtid, body);
    body.assign(8, '\0');
    put(body, database.size(), 1);
    put(body, 0, 4);
    add(event_type::query, body + database + '\0' + "BEGIN");
    body.clear();
    put(body, 90, 6);
    put(body, 1, 2);
    body += char(database.size()) + database + '\0' + char(7) + "sbtest1" + '\0' + char(4) + char(wire_longlong) + char(wire_long) + char(wire_string) +
            char(wire_string) + char(4);
    // char(120) and char(60) in utf8mb4: 480 and 240 bytes; two bits of the length sit in the type
    body += static_cast<char>(wire_string ^ (480 >> 8 << 4)) + std::string(1, static_cast<char>(480 & 0xff));
    body += static_cast<char>(wire_string) + std::string(1, static_cast<char>(240));
    body += char(0);
    add(event_type::table_map, body);
    while (rows > 0) {
      body.clear();
      put(body, 90, 6);
      put(body, 1, 2);
      put(body, 2, 2);
      body += char(4);
      body += char(15);
      if (op == operation::update) body += char(15);
      for (std::size_t n = 0; n < 40 && rows > 0; ++n, --rows) {
        for (int image = 0; image < (op == operation::update ? 2 : 1); ++image) {
          body += char(0);
          put(body, ++key_, 8);
          put(body, key_ * 7919 % 1000000 + static_cast<unsigned>(image), 4);
          put(body, 119, 2);
          body.append(119, 'c');
          put(body, 59, 1);
          body.append(59, 'p');
        }
        if (op == operation::update) --key_;
      }
      add(op == operation::insert ? event_type::write_rows : op == operation::update ? event_type::update_rows : event_type::delete_rows, body);
    }
    body.clear();
    put(body, number_, 8);
    add(event_type::xid, body);
  }
  const std::vector<std::string>& events() const { return events_; }
  std::size_t bytes() const {
    std::size_t n = 0;
    for (const auto& e : events_) n += e.size();
    return n;
  }

 private:
  std::vector<std::string> events_;
  std::uint64_t offset_ = 4, number_ = 0, key_ = 0;
};

class two_blocks final : public block_supply {
 public:
  change_block& next(change_block*) override {
    change_block& b = blocks_[at_++ % 2];
    b.clear();
    return b;
  }

 private:
  change_block blocks_[2] = {change_block(256 << 10), change_block(256 << 10)};
  std::size_t at_ = 0;
};

void decode(benchmark::State& state, const stream& s, std::size_t rows) {
  const mapping m = sysbench_tables();
  two_blocks supply;
  block_writer writer(supply);
  binlog_decoder decoder(m, "bench");
  for (auto _ : state) {
    decoder.start(binlog_position(1, 4));
    for (const auto& e : s.events()) decoder.decode(e, writer);
    decoder.settle(writer);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(rows));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(s.bytes()));
}

void rows_in_transactions_of(benchmark::State& state, operation op) {
  const auto per_transaction = static_cast<std::size_t>(state.range(0));
  constexpr std::size_t rows = 20000;
  stream s;
  for (std::size_t i = 0; i < rows; i += per_transaction) s.add_transaction(op, per_transaction);
  decode(state, s, rows);
}

void inserts(benchmark::State& state) { rows_in_transactions_of(state, operation::insert); }
void updates(benchmark::State& state) { rows_in_transactions_of(state, operation::update); }
void deletes(benchmark::State& state) { rows_in_transactions_of(state, operation::remove); }
BENCHMARK(inserts)->Arg(1)->Arg(10)->Arg(1000);
BENCHMARK(updates)->Arg(1)->Arg(1000);
BENCHMARK(deletes)->Arg(10)->Arg(1000);

void rows_of_a_table_that_is_not_mapped(benchmark::State& state) {
  constexpr std::size_t rows = 20000;
  stream s;
  for (std::size_t i = 0; i < rows; i += 10) s.add_transaction(operation::insert, 10, "elsewhere");
  decode(state, s, rows);
}
BENCHMARK(rows_of_a_table_that_is_not_mapped);

}  // namespace
