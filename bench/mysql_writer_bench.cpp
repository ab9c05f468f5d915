// How fast statements for MySQL and MariaDB are built, and, with DUET_BENCH_SPOKE=host:port (a private server, root without
// a password), how fast one connection writes sysbench's table through mysql::target. It needs the
// table duet_bench.sbtest1 (id bigint PRIMARY KEY, k int, c char(120), pad char(60), KEY (k)), and leaves database duet behind.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <deque>
#include <memory>
#include <string>

#include "mysql/site.hpp"
#include "mysql/sql_writer.hpp"
#include "mysql/target.hpp"

namespace {

using namespace duet;

column make_column(const char* name, value_kind kind, int bits, std::int64_t length) {
  column c;
  c.name = name;
  c.type.kind = kind;
  c.type.bits = bits;
  c.type.length = length;
  if (kind == value_kind::text) {
    c.type.fixed = true;
    c.type.charset = "utf8mb4";
    c.type.collation = "utf8mb4_general_ci";
  }
  c.nullable = false;
  return c;
}

// id bigint, k int, c char(120), pad char(60)
table_pair sysbench_table() {
  table_pair t;
  t.spoke.schema = "duet_bench";
  t.spoke.name = "sbtest1";
  t.spoke.columns = {make_column("id", value_kind::integer, 64, -1), make_column("k", value_kind::integer, 32, -1),
                     make_column("c", value_kind::text, 0, 120), make_column("pad", value_kind::text, 0, 60)};
  t.home = t.spoke;
  for (const column& c : t.spoke.columns) t.columns.push_back({.home = c, .spoke = c});
  t.key = {0};
  return t;
}

struct rows_of {
  std::deque<std::string> texts;
  std::deque<std::vector<cell>> rows;

  row_view add(std::uint64_t id, int version) {
    std::vector<cell> cells;
    const auto put = [&](std::string s) {
      texts.push_back(std::move(s));
      cells.push_back(cell::of(texts.back()));
    };
    put(std::to_string(id));
    put(std::to_string((id * 7919 + static_cast<std::uint64_t>(version)) % 100'000));
    std::string c, pad;
    std::uint64_t random = id * 0x9e3779b97f4a7c15 + static_cast<std::uint64_t>(version);
    const auto group = [&](std::string& to) {
      random = random * 6364136223846793005 + 1442695040888963407;
      std::string digits = std::to_string(10'000'000'000 + (random >> 31));
      if (!to.empty()) to += '-';
      to += digits.substr(0, 11);
    };
    for (int i = 0; i < 10; ++i) group(c);
    for (int i = 0; i < 5; ++i) group(pad);
    put(std::move(c));
    put(std::move(pad));
    rows.push_back(std::move(cells));
    return rows.back().data();
  }
};

run make_run(const table_pair& t, operation op, std::size_t n, rows_of& store, std::uint64_t first = 1) {
  run r{.table = &t, .op = op};
  if (op == operation::insert) r.columns = {0, 1, 2, 3};
  if (op == operation::update) r.columns = {1, 2};
  if (op != operation::insert) r.guard = {1, 2, 3};
  for (std::uint64_t id = first; id < first + n; ++id)
    r.rows.push_back({op == operation::insert ? nullptr : store.add(id, 0),
                      op == operation::remove ? nullptr : store.add(id, op == operation::update ? 1 : 0)});
  return r;
}

void build_text(benchmark::State& state, operation op) {
  const table_pair t = sysbench_table();
  rows_of store;
  const run r = make_run(t, op, 1000, store);
  const mysql::sql_writer writer(mysql::dialect::mysql, {.soft = 16 << 20, .hard = 64 << 20});
  std::string text;
  for (auto _ : state) {
    switch (op) {
      case operation::insert:
        writer.insert(text, r, 0);
        break;
      case operation::update:
        writer.update(text, r, 0);
        break;
      default:
        writer.remove(text, r, 0);
    }
    benchmark::DoNotOptimize(text.data());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * r.rows.size()));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
}
BENCHMARK_CAPTURE(build_text, insert, operation::insert);
BENCHMARK_CAPTURE(build_text, update, operation::update);
BENCHMARK_CAPTURE(build_text, remove, operation::remove);

// One connection: inserts, guarded updates and guarded deletes of 50 000 rows in transactions of `batch` rows.
void write_rows(benchmark::State& state, operation op, const std::string& where) {
  const auto batch = static_cast<std::size_t>(state.range(0));
  endpoint at;
  at.scheme = "mysql";
  at.host = where.substr(0, where.find(':'));
  at.port = static_cast<std::uint16_t>(std::stoi(where.substr(where.find(':') + 1)));
  at.user = "root";
  at.tls = tls_mode::disable;
  constexpr std::size_t total = 50'000;
  const table_pair t = sysbench_table();
  mysql::site s(at, "bench");
  s.connect();
  s.setup({});
  control_row control{"bench", 1, {1}, {1}, 1, 1, "a", "b"};
  s.init_control(control);
  control = s.load_control().value();
  mapping nothing;
  mysql::target target(at, "bench", nothing);
  target.open();
  std::vector<std::uint32_t> unmatched;
  const auto apply_all = [&](operation what, rows_of& store, std::vector<run>& runs) {
    if (runs.empty())
      for (std::uint64_t first = 1; first <= total; first += batch)
        runs.push_back(make_run(t, what, std::min<std::size_t>(batch, total - first + 1), store, first));
    return [&] {
      for (const run& r : runs) {
        const control_row before = control;
        ++control.counter;
        target.begin(before, control, 0);
        target.apply(r, insert_mode::trusting, unmatched);
        target.commit(control);
      }
    };
  };
  const auto empty = [&] {
    const table_pair* tables[] = {&t};
    const control_row before = control;
    ++control.counter;
    target.begin(before, control, 0);
    target.truncate(tables);
    target.commit(control);
  };
  rows_of inserted, written;
  std::vector<run> inserts, writes;
  const auto fill = apply_all(operation::insert, inserted, inserts);
  const auto write = apply_all(op, written, writes);
  for (auto _ : state) {
    state.PauseTiming();
    empty();
    if (op != operation::insert) fill();
    state.ResumeTiming();
    write();
  }
  if (!unmatched.empty()) state.SkipWithError("rows did not match");
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * total));
}

const bool with_server = [] {
  const char* where = std::getenv("DUET_BENCH_SPOKE");
  if (!where) return false;
  const std::string at = where;
  for (const auto& [name, op] :
       {std::pair{"insert", operation::insert}, {"guarded_update", operation::update}, {"guarded_remove", operation::remove}})
    benchmark::RegisterBenchmark(("write_rows/" + std::string(name)).c_str(),
                                 [op = op, at](benchmark::State& s) { write_rows(s, op, at); })
        ->Arg(1000)
        ->Arg(2000)
        ->Iterations(3)
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  return true;
}();

}  // namespace
