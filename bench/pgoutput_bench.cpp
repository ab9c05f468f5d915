// How fast is home's log decoded from memory? Rows of sysbench's table: bigint, int, char(120), char(60).
#include <benchmark/benchmark.h>

#include "postgres/pgoutput.hpp"

namespace {

using namespace duet;

class one_block : public block_supply {
 public:
  change_block& next(change_block*) override {
    block_.clear();
    return block_;
  }

 private:
  change_block block_{256 << 10};
};

std::string number(std::uint64_t v, int width) {
  std::string s;
  for (int i = width; i-- > 0;) s += static_cast<char>(v >> (8 * i));
  return s;
}
std::string text(const std::string& s) { return 't' + number(s.size(), 4) + s; }
std::string tuple(int id) {
  return number(4, 2) + text(std::to_string(id)) + text(std::to_string(id * 7919 % 100'000)) +
         text(std::string(119, static_cast<char>('0' + id % 10)) + ' ') + text(std::string(59, static_cast<char>('0' + id % 10)) + ' ');
}
std::string cstring(std::string s) { return s += '\0'; }
constexpr std::uint32_t oid = 16500;

mapping sbtest() {
  mapping m;
  table_pair t;
  t.home.schema = "public";
  t.home.name = "sbtest";
  for (auto [name, kind, fixed] : {std::tuple{"id", value_kind::integer, false}, {"k", value_kind::integer, false},
                                   {"c", value_kind::text, true}, {"pad", value_kind::text, true}}) {
    column_pair c;
    c.home.name = name;
    c.home.type.kind = kind;
    c.home.type.fixed = fixed;
    t.columns.push_back(c);
  }
  t.key = {0};
  t.columns[0].key = true;
  m.tables.push_back(t);
  return m;
}

enum class kind { insert, update, update_full, remove };

void decode_rows(benchmark::State& state, kind k) {
  const int rows_per_transaction = static_cast<int>(state.range(0));
  const mapping m = sbtest();
  postgres::pgoutput_decoder decoder(m, "bench");
  one_block supply;
  block_writer writer(supply);
  const std::string begin = 'B' + number(4096, 8) + number(1, 8) + number(7, 4);
  const std::string commit = 'C' + number(0, 1) + number(4096, 8) + number(4144, 8) + number(1, 8);
  const std::string relation = 'R' + number(oid, 4) + cstring("public") + cstring("sbtest") + (k == kind::update_full ? 'f' : 'd') + number(4, 2) +
                               '\1' + cstring("id") + number(20, 4) + number(~0u, 4) + '\0' + cstring("k") + number(23, 4) + number(~0u, 4) +
                               '\0' + cstring("c") + number(1042, 4) + number(124, 4) + '\0' + cstring("pad") + number(1042, 4) + number(64, 4);
  std::vector<std::string> messages;
  for (int i = 0; i < 1000; ++i) {
    switch (k) {
      case kind::insert: messages.push_back('I' + number(oid, 4) + 'N' + tuple(i)); break;
      case kind::update: messages.push_back('U' + number(oid, 4) + 'N' + tuple(i)); break;
      case kind::update_full: messages.push_back('U' + number(oid, 4) + 'O' + tuple(i) + 'N' + tuple(i + 1)); break;
      case kind::remove: messages.push_back('D' + number(oid, 4) + 'K' + number(4, 2) + text(std::to_string(i)) + "nnn"); break;
    }
  }
  decoder.decode(begin, writer);
  decoder.decode(relation, writer);
  decoder.decode(commit, writer);
  std::size_t i = 0;
  std::int64_t bytes = 0;
  for (auto _ : state) {
    decoder.decode(begin, writer);
    for (int r = 0; r < rows_per_transaction; ++r) {
      const std::string& message = messages[i++ % messages.size()];
      decoder.decode(message, writer);
      bytes += static_cast<std::int64_t>(message.size());
    }
    decoder.decode(commit, writer);
  }
  state.SetItemsProcessed(state.iterations() * rows_per_transaction);
  state.SetBytesProcessed(bytes);
}

BENCHMARK_CAPTURE(decode_rows, insert, kind::insert)->Arg(1)->Arg(10)->Arg(1000);
BENCHMARK_CAPTURE(decode_rows, update, kind::update)->Arg(1)->Arg(1000);
BENCHMARK_CAPTURE(decode_rows, update_full, kind::update_full)->Arg(1)->Arg(1000);
BENCHMARK_CAPTURE(decode_rows, delete, kind::remove)->Arg(10);

}  // namespace
