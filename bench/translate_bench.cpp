// Rows per second through the translator: bind's verdict is made once, convert_row and key_token run for each row.
#include <benchmark/benchmark.h>

#include <cassert>
#include <string>
#include <vector>

#include "translate/translate.hpp"

namespace {

using namespace duet;

column_type type(value_kind kind, std::string native) {
  column_type t;
  t.kind = kind;
  t.native = std::move(native);
  return t;
}

column_type integer(int bits, bool is_unsigned = false) {
  column_type t = type(value_kind::integer, "integer");
  t.bits = bits;
  t.is_unsigned = is_unsigned;
  return t;
}

column_type text(std::int64_t length, bool fixed, const char* charset) {
  column_type t = type(value_kind::text, fixed ? "char" : length < 0 ? "text" : "varchar");
  t.length = length;
  t.fixed = fixed;
  t.charset = charset;
  return t;
}

column_type decimal(int precision, int scale) {
  column_type t = type(value_kind::decimal, "decimal");
  t.precision = precision;
  t.scale = scale;
  return t;
}

column_type fraction(value_kind kind, int digits) {
  column_type t = type(kind, std::string(name(kind)));
  t.precision = digits;
  return t;
}

struct sample {
  column_type home, spoke;
  std::string home_value;
};

column named(const column_type& t, std::size_t i) {
  column c;
  c.name = "c" + std::to_string(i);
  c.ordinal = static_cast<int>(i);
  c.type = t;
  c.nullable = i > 0;
  return c;
}

struct bound {
  mapping tables;
  std::vector<std::string> values;
  std::vector<cell> home_row, spoke_row;
  base::arena arena;

  explicit bound(const std::vector<sample>& samples) {
    table_schema home, spoke;
    home.schema = "public";
    spoke.schema = "shop";
    home.name = spoke.name = "t";
    home.primary_key = spoke.primary_key = {0};
    for (std::size_t i = 0; i < samples.size(); ++i) {
      home.columns.push_back(named(samples[i].home, i));
      spoke.columns.push_back(named(samples[i].spoke, i));
      values.push_back(samples[i].home_value);
    }
    config c;
    c.spoke.database = "shop";
    c.default_conflict_rule = conflict_rule::home;
    table_rule r;
    r.home = "public.t";
    c.tables.push_back(r);
    findings found;
    tables = translate::bind(c, {home}, {spoke}, found);
    if (tables.tables.size() != 1) std::abort();
    for (const auto& v : values) home_row.push_back(cell::of(v));
    spoke_row.resize(home_row.size());
    std::string reason;
    if (!translate::convert_row(table(), side::home, home_row.data(), spoke_row.data(), kept_, reason)) std::abort();
  }
  const table_pair& table() const { return tables.tables[0]; }

 private:
  base::arena kept_;  // of spoke_row
};

std::vector<sample> sysbench() {
  return {{integer(64), integer(64), "123456"},
          {integer(32), integer(32), "499284"},
          {text(120, true, ""), text(120, true, "utf8mb4"), std::string(119, '7')},
          {text(60, true, ""), text(60, true, "utf8mb4"), std::string(59, '3')}};
}

std::vector<sample> mixed() {
  column_type uuid = type(value_kind::uuid, "uuid"), binary = type(value_kind::bytes, "binary(16)"), bytea = type(value_kind::bytes, "bytea");
  binary.fixed = true;
  binary.length = 16;
  column_type blob = type(value_kind::bytes, "blob"), labels = type(value_kind::enumeration, "enum"), set = type(value_kind::set, "set"), real = type(value_kind::real, "double");
  labels.labels = {"new", "paid", "shipped", "closed"};
  set.labels = {"a", "b", "c", "d"};
  real.bits = 64;
  const column_type json = type(value_kind::json, "json"), jsonb = type(value_kind::json, "jsonb"), date = type(value_kind::date, "date");
  const column_type boolean = type(value_kind::boolean, "boolean");
  column_type array = type(value_kind::array, "text[]");
  array.element = value_kind::text;
  return {{integer(64), integer(64, true), "9000000123"},
          {uuid, binary, "00112233-4455-6677-8899-aabbccddeeff"},
          {integer(16), integer(8), "100"},
          {integer(32), integer(32), "1234567"},
          {boolean, integer(8), "1"},
          {decimal(12, 2), decimal(12, 2), "123456.78"},
          {decimal(-1, -1), decimal(20, 4), "99.5"},
          {decimal(20, 0), integer(64, true), "18446744073709551615"},
          {real, real, "3.141592653589793"},
          {text(-1, false, ""), text(200, false, "utf8mb4"), "Ada Lovelace, née Byron"},
          {text(100, false, ""), text(100, false, "utf8mb4"), "ada@example.com"},
          {text(-1, false, ""), text(400, false, "latin1"), "Straße des 17. Juni 135, Berlin"},
          {bytea, blob, std::string(64, '\x7f')},
          {date, date, "1815-12-10"},
          {fraction(value_kind::time, 6), fraction(value_kind::time, 6), "12:34:56.789"},
          {fraction(value_kind::datetime, 6), fraction(value_kind::datetime, 3), "2024-02-29 23:59:59.123456"},
          {fraction(value_kind::timestamp, 6), fraction(value_kind::timestamp, 6), "2024-02-29 23:59:59.123456"},
          {jsonb, json, R"({"items": [{"sku": "A-1", "count": 2, "price": 9.5}], "note": null})"},
          {labels, labels, "shipped"},
          {array, set, "{a,c}"}};
}

void convert(benchmark::State& state, const std::vector<sample>& samples, side from) {
  bound b(samples);
  const std::vector<cell>& in = from == side::home ? b.home_row : b.spoke_row;
  std::vector<cell> out(in.size());
  std::string reason;
  std::size_t rows = 0;
  for (auto _ : state) {
    const bool ok = translate::convert_row(b.table(), from, in.data(), out.data(), b.arena, reason);
    assert(ok);
    benchmark::DoNotOptimize(ok);
    benchmark::ClobberMemory();
    if (++rows % 1000 == 0) b.arena.clear();
  }
  state.SetItemsProcessed(state.iterations());
}

void token(benchmark::State& state, const std::vector<sample>& samples, side from) {
  bound b(samples);
  const std::vector<cell>& in = from == side::home ? b.home_row : b.spoke_row;
  std::size_t rows = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(translate::key_token(b.table(), from, in.data(), b.arena));
    if (++rows % 1000 == 0) b.arena.clear();
  }
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK_CAPTURE(convert, sysbench_row_to_spoke, sysbench(), side::home);
BENCHMARK_CAPTURE(convert, sysbench_row_to_home, sysbench(), side::spoke);
BENCHMARK_CAPTURE(convert, mixed_row_of_20_to_spoke, mixed(), side::home);
BENCHMARK_CAPTURE(convert, mixed_row_of_20_to_home, mixed(), side::spoke);
BENCHMARK_CAPTURE(token, of_a_bigint_key, sysbench(), side::spoke);

}  // namespace
