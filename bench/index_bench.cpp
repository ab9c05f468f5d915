// The index of un-acknowledged writes: what a row costs its reader and the applier of the other lane.
#include <benchmark/benchmark.h>

#include <vector>

#include "causality/write_index.hpp"

namespace {

using namespace duet;
using causality::write_index;

std::uint64_t token(std::uint64_t n) { return n * 0x9e3779b97f4a7c15ull | 1; }

// A window of writes that wait for their acknowledgement; blocks of 1000 come, are asked about, and the oldest leave.
void add_ask_prune(benchmark::State& state, causality::spilling_memory::limits limits) {
  constexpr std::uint64_t block = 1000;
  const auto window = static_cast<std::uint64_t>(state.range(0));
  write_index ix(std::move(limits));
  std::vector<write_index::entry> entries(block);
  std::vector<write_index::question> questions(block);
  std::vector<std::uint8_t> answers;
  std::uint64_t n = 0;
  const auto add = [&] {
    for (auto& e : entries) e = {.token = token(++n), .position = {n}, .fields = 1};
    ix.add(entries, {n});
  };
  while (n < window) add();
  for (auto _ : state) {
    add();
    for (std::uint64_t i = 0; i < block; ++i) questions[i] = {token(n - window / 2 + i), token(n - window / 2 + i), {n - window}, 1, 0};
    ix.ask(questions, answers);
    ix.prune({n - window});
  }
  state.SetItemsProcessed(state.iterations() * block);
  state.counters["file MB"] = static_cast<double>(ix.file_bytes()) / (1 << 20);
}

void in_memory(benchmark::State& state) { add_ask_prune(state, {}); }
void beyond_memory(benchmark::State& state) { add_ask_prune(state, {.folder = "/tmp", .memory_bytes_max = 1 << 20}); }
BENCHMARK(in_memory)->Arg(2'000)->Arg(100'000)->Arg(1'000'000);
BENCHMARK(beyond_memory)->Arg(100'000)->Arg(1'000'000);

}  // namespace
