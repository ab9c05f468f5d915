// Many runs of the simulated world under each rule. DUET_SEED=n begins with that seed and runs it alone, DUET_RUNS=n runs
// that many in all; DUET_LONG: a million.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <thread>

#include "simulation/world.hpp"

namespace duet::testing {
namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text && *text ? std::strtoull(text, nullptr, 10) : otherwise;
}

struct outcome {
  std::uint64_t runs = 0, bad = 0, conflicts = 0, values_set = 0, holds = 0;
  std::map<std::string, std::pair<std::uint64_t, std::string>> kinds;  // the first words of what is wrong: how often, and one run
  std::string describe() const {
    std::string text;
    for (const auto& [kind, found] : kinds) text += "\n  " + std::to_string(found.first) + " x " + found.second;
    return text;
  }
};

// Runs `n` plans, made from their seeds, on all cores.
template <class Make>
outcome run_all(std::uint64_t first_seed, std::uint64_t n, Make make) {
  spdlog::set_level(spdlog::level::off);
  const unsigned threads = std::max(1u, std::thread::hardware_concurrency());
  std::atomic<std::uint64_t> next{0};
  std::mutex mutex;
  outcome all;
  {
    std::vector<std::jthread> workers;
    for (unsigned t = 0; t < threads; ++t)
      workers.emplace_back([&] {
        outcome mine;
        for (std::uint64_t i; (i = next++) < n;) {
          const plan p = make(first_seed + i);
          world w(p);
          const std::string wrong = w.run();
          ++mine.runs;
          mine.conflicts += w.conflicts();
          mine.values_set += w.values_set();
          mine.holds += w.holds();
          if (wrong.empty()) continue;
          if (n == 1) std::fputs(w.logs().c_str(), stdout);
          ++mine.bad;
          auto& kind = mine.kinds[wrong.substr(0, wrong.find_first_of(" :"))];
          if (kind.first++ == 0) kind.second = p.describe() + ": " + wrong;
        }
        std::lock_guard lock(mutex);
        all.runs += mine.runs;
        all.bad += mine.bad;
        all.conflicts += mine.conflicts;
        all.values_set += mine.values_set;
        all.holds += mine.holds;
        for (auto& [text, found] : mine.kinds) {
          auto& kind = all.kinds[text];
          if (kind.first == 0) kind.second = found.second;
          kind.first += found.first;
        }
      });
  }
  return all;
}

plan varied(std::uint64_t seed) {
  plan p;
  p.seed = seed;
  std::mt19937 random(static_cast<std::uint32_t>(seed * 40503 + 7));
  const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  constexpr conflict_rule rules[] = {conflict_rule::latest, conflict_rule::home, conflict_rule::spoke, conflict_rule::latest,
                                     conflict_rule::home,   conflict_rule::spoke, conflict_rule::manual};
  constexpr delete_rule deletes[] = {delete_rule::by_rule, delete_rule::update_wins, delete_rule::delete_wins, delete_rule::latest};
  p.rule = rules[below(7)];
  p.deletes = deletes[below(4)];
  p.merge_columns = below(4) != 0;
  p.deltas = below(3) != 0;
  p.blind_column = below(4) == 0;
  p.per_mille_crash = below(3) ? 20 : 0;
  p.per_mille_delete = below(2) ? 100 : below(2) ? 0 : 300;
  p.jitter_us = below(2) ? 60 : 5000;
  if (below(8) == 0) p.steps = 300;
  if (below(4) == 0) p.per_mille_move = 100;
  if (below(5) == 0) p.rule = conflict_rule::script;
  p.owners = p.merge_columns && below(4) == 0 && p.rule != conflict_rule::script;  // its answers name a column that is owned
  if (p.per_mille_delete && below(3) == 0) p.keeps_deleted[0] = below(2), p.keeps_deleted[1] = below(2);
  if (p.rule == conflict_rule::home && !p.owners && !p.keeps_deleted[0] && !p.keeps_deleted[1] && below(2)) p.whole_transactions = true, p.deletes = delete_rule::by_rule;
  const unsigned begins = below(5);
  if (begins == 0) p.copied_from = below(2) ? side::home : side::spoke;
  if (begins == 1 && !p.whole_transactions) {
    using enum merge_truth;
    constexpr merge_truth truths[] = {home, spoke, latest, unite, manual};
    p.merged = truths[below(5)];
    if (*p.merged == spoke || *p.merged == latest) p.deltas = false;
  }
  return p;
}

// Three tables that refer to each other.
plan of_relatives(std::uint64_t seed) {
  plan p;
  p.seed = seed;
  std::mt19937 random(static_cast<std::uint32_t>(seed * 69069 + 11));
  const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  constexpr conflict_rule rules[] = {conflict_rule::latest, conflict_rule::home, conflict_rule::spoke};
  constexpr delete_rule deletes[] = {delete_rule::by_rule, delete_rule::update_wins, delete_rule::delete_wins, delete_rule::latest};
  constexpr parent_rule parents[] = {parent_rule::resurrect, parent_rule::drop_child, parent_rule::set_null};
  p.rule = rules[below(3)];
  p.deletes = deletes[below(4)];
  p.merge_columns = below(3) != 0;
  p.deltas = false;
  p.per_mille_crash = below(3) ? 20 : 0;
  p.jitter_us = below(2) ? 60 : 5000;
  if (below(8) == 0) p.steps = 300;
  plan::family& f = p.relatives.emplace();
  for (parent_rule& r : f.rules) r = parents[below(3)];
  for (int key = 0; key < 3; ++key) f.on_delete[0][key] = f.on_delete[1][key] = static_cast<int>(below(3));
  f.twice = below(3) == 0;
  f.tables = below(2) ? 2 : 3;
  return p;
}

}  // namespace

TEST(simulation, both_sides_end_equal_where_rows_refer_to_what_the_other_side_deletes) {
  const std::uint64_t one = number_from("DUET_SEED", 0), runs = number_from("DUET_RUNS", one ? 1 : std::getenv("DUET_LONG") ? 200'000 : 8'000);
  const outcome o = run_all(one ? one : 1, runs, of_relatives);
  std::printf("%llu runs, %llu conflicts decided, in %llu runs something waits\n", static_cast<unsigned long long>(o.runs),
              static_cast<unsigned long long>(o.conflicts), static_cast<unsigned long long>(o.holds));
  EXPECT_EQ(o.bad, 0u) << o.bad << " of " << o.runs << " runs; DUET_SEED replays one:" << o.describe();
  if (one) return;
  EXPECT_GT(o.conflicts, runs);
  EXPECT_LT(o.holds, 1 + runs / 30) << "only where several writes cross among three tables may a person be asked";
}

TEST(simulation, both_sides_end_equal_under_any_rule_and_any_crash) {
  const std::uint64_t one = number_from("DUET_SEED", 0);
  const std::uint64_t runs = number_from("DUET_RUNS", one ? 1 : std::getenv("DUET_LONG") ? 1'000'000 : 200'000);
  // The same runs each time, but for the long form: a change that breaks one is found by whoever made it.
  const std::uint64_t first = one ? one : std::getenv("DUET_LONG") ? 1 + std::random_device{}() % 1'000'000'000ull : 1;
  const outcome o = run_all(first, runs, varied);
  std::printf("%llu runs from seed %llu, %llu conflicts decided, %llu with a script's values\n", static_cast<unsigned long long>(o.runs),
              static_cast<unsigned long long>(first), static_cast<unsigned long long>(o.conflicts), static_cast<unsigned long long>(o.values_set));
  EXPECT_EQ(o.bad, 0u) << o.bad << " of " << o.runs << " runs; DUET_SEED replays one:" << o.describe();
  EXPECT_EQ(o.runs, runs);
  if (!one) EXPECT_GT(o.conflicts, runs);
  if (!one) EXPECT_GT(o.values_set, runs / 4);
}

TEST(simulation, no_part_of_the_algorithm_can_be_left_out) {
  for (const ablation a : {ablation::no_refresh, ablation::no_index_of_resolutions, ablation::pruned_by_the_reader, ablation::no_catch_up,
                           ablation::spoke_does_not_look, ablation::restart_at_applied, ablation::no_reading_up_at_start, ablation::half_transactions}) {
    const outcome o = run_all(1, a == ablation::no_reading_up_at_start ? 20000 : 2000, [&](std::uint64_t seed) {
      plan p = varied(seed);
      p.without = a;
      if (a == ablation::no_reading_up_at_start) p.per_mille_crash = 80;
      return p;
    });
    std::printf("  %-26s %6llu of %llu runs fail\n", std::string(name(a)).c_str(), static_cast<unsigned long long>(o.bad),
                static_cast<unsigned long long>(o.runs));
    EXPECT_GT(o.bad, 0u) << "without " << name(a) << " nothing is noticed";
  }
  for (const ablation a : {ablation::no_answer_for_parents, ablation::no_look_for_children}) {
    const outcome o = run_all(1, 1000, [&](std::uint64_t seed) {
      plan p = of_relatives(seed);
      p.without = a;
      return p;
    });
    std::printf("  %-26s %6llu of %llu runs fail\n", std::string(name(a)).c_str(), static_cast<unsigned long long>(o.bad), static_cast<unsigned long long>(o.runs));
    EXPECT_GT(o.bad, 0u) << "without " << name(a) << " nothing is noticed";
  }
}

}  // namespace duet::testing
