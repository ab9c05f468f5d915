#include "causality/write_index.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <thread>

#include "duet/failure.hpp"

namespace duet::causality {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using entry = write_index::entry;

TEST(token_map, agrees_with_a_plain_map_over_random_operations) {
  std::minstd_rand random(4711);
  token_map m;
  std::map<std::uint64_t, std::uint64_t> plain;
  for (int i = 0; i < 200000; ++i) {
    const std::uint64_t token = (random() % 3000 + 1) * (random() % 2 ? 1 : 1024);  // many collide
    if (random() % 3) {
      m.set(token, i + 1);
      plain[token] = i + 1;
    } else {
      m.erase(token);
      plain.erase(token);
    }
    if (i % 97 == 0) {
      const std::uint64_t asked = random() % 3000 + 1;
      EXPECT_EQ(m.find(asked), plain.contains(asked) ? plain[asked] : 0);
    }
  }
  EXPECT_EQ(m.size(), plain.size());
  for (const auto& [t, p] : plain) EXPECT_EQ(m.find(t), p);
}

entry write(std::uint64_t token, std::uint64_t position, field_set fields = 1, std::int64_t time_us = 0) {
  return {.token = token, .position = {position}, .fields = fields, .time_us = time_us};
}

std::vector<std::uint64_t> positions_after(const write_index& ix, std::uint64_t token, std::uint64_t seen) {
  std::vector<entry> found;
  ix.collect(token, {seen}, found);
  std::vector<std::uint64_t> out;
  for (const entry& e : found) out.push_back(e.position.value);
  return out;
}

using numbers = std::vector<std::uint64_t>;

TEST(write_index, knows_a_write_until_it_is_acknowledged) {
  write_index ix;
  const std::vector<entry> e{write(11, 100), write(12, 200), write(11, 300)};
  ix.add(e, {301});
  EXPECT_EQ(positions_after(ix, 11, 0), (numbers{300, 100}));
  EXPECT_EQ(positions_after(ix, 11, 100), (numbers{300}));
  EXPECT_EQ(positions_after(ix, 11, 300), (numbers{}));
  ix.prune({200});
  EXPECT_EQ(positions_after(ix, 11, 0), (numbers{300})) << "the later write of the key is still unacknowledged";
  EXPECT_EQ(positions_after(ix, 12, 0), (numbers{}));
  ix.prune({300});
  EXPECT_EQ(ix.size(), 0u);
  EXPECT_EQ(positions_after(ix, 11, 0), (numbers{}));
}

TEST(write_index, agrees_with_a_plain_list_over_random_writes_and_acknowledgements) {
  std::minstd_rand random(815);
  write_index ix;
  std::vector<entry> plain;
  std::uint64_t position = 0, acknowledged = 0;
  for (int i = 0; i < 20000; ++i) {
    if (random() % 4) {
      plain.push_back(write(random() % 40 + 1, position += random() % 3 ? 1 : 0, random() % 7));
      ix.add(std::span(&plain.back(), 1), {position + 1});
    } else if (acknowledged < position) {
      acknowledged += random() % (position - acknowledged + 1);
      ix.prune({acknowledged});
    }
    const std::uint64_t token = random() % 40 + 1, seen = acknowledged + random() % 5;
    numbers expected;
    for (auto e = plain.rbegin(); e != plain.rend() && e->position.value > seen; ++e)
      if (e->token == token) expected.push_back(e->position.value);
    ASSERT_EQ(positions_after(ix, token, seen), expected) << "step " << i;
  }
}

struct spill_folder {
  spill_folder() : path(mkdtemp(name.data())) {}
  ~spill_folder() { std::filesystem::remove_all(path); }
  std::string name = ::testing::TempDir() + "duet-index-XXXXXX", path;
};

long anonymous_kb() {  // of this process
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("RssAnon:")) return std::stol(line.substr(8));
  return -1;
}

TEST(write_index, of_a_long_backlog_keeps_what_is_beyond_its_memory_in_files) {
  constexpr std::uint64_t writes = 600'000, keys = 200'000;
  constexpr std::size_t memory = 4 << 20;
  const spill_folder folder;
  write_index ix({folder.path, memory, 1u << 30});
  const long before_kb = anonymous_kb();
  const auto token = [](std::uint64_t key) { return (key + 1) * 0x9e3779b97f4a7c15ull; };
  std::vector<entry> block;
  for (std::uint64_t n = 1; n <= writes; ++n) {
    block.push_back(write(token(n % keys), n));
    if (block.size() < 1000) continue;
    ix.add(block, {n});
    block.clear();
  }
  EXPECT_EQ(ix.size(), writes);
  EXPECT_LE(ix.memory_bytes(), memory);
  EXPECT_GT(ix.file_bytes(), writes * 48 - memory);
  EXPECT_LT(anonymous_kb() - before_kb, static_cast<long>(memory >> 10) + 2048);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path)) << "the files have no name";
  for (const std::uint64_t key : {std::uint64_t{1}, keys / 2, keys - 7})
    EXPECT_EQ(positions_after(ix, token(key), 0), (numbers{key + 2 * keys, key + keys, key}));
  for (std::uint64_t n = 0; n <= writes; n += 50'000) {
    ix.prune({n});
    const std::uint64_t next = n + 1;
    if (n < writes) ASSERT_EQ(positions_after(ix, token(next % keys), n).back(), next);
  }
  EXPECT_EQ(ix.size(), 0u);
  EXPECT_LT(ix.file_bytes(), 1u << 20) << "the disk is given back, but for what takes the next writes";
  EXPECT_LE(ix.memory_bytes(), memory);
}

TEST(write_index, says_so_when_its_files_have_no_room) {
  const auto fill = [](spilling_memory::limits l) {
    write_index ix(l);
    std::vector<entry> block;
    for (std::uint64_t n = 1; n <= 100'000; ++n) block.push_back(write(n, n));
    ix.add(block, {100'000});
  };
  const spill_folder folder;
  const auto said = [&](spilling_memory::limits l) {
    try {
      fill(l);
    } catch (const failure& f) {
      return std::string(name(f.kind)) + ": " + f.what();
    }
    return std::string("nothing");
  };
  EXPECT_EQ(said({folder.path, 1 << 20, 1u << 30}), "nothing");
  EXPECT_THAT(said({folder.path, 1 << 20, 2 << 20}), AllOf(StartsWith("spill_full"), HasSubstr("2 MiB (tuning.spill.max)")));
  EXPECT_THAT(said({folder.path + "/none", 1 << 20, 1u << 30}), AllOf(StartsWith("spill_full"), HasSubstr("/none: No such file")));
}

TEST(write_index, takes_a_pending_resolution_for_newer_than_all_until_it_is_read_back) {
  write_index ix;
  const decision_tag decided{.by_home = {.fields = 1, .time_us = 7}, .by_spoke = {}};
  ix.add_pending(5, decided, false);
  EXPECT_EQ(positions_after(ix, 5, 1u << 30), (numbers{0}));
  const std::vector<entry> e{{.token = 5, .position = {400}, .fields = 1, .read_back = true}};
  ix.add(e, {401});
  EXPECT_EQ(positions_after(ix, 5, 399), (numbers{400}));
  EXPECT_EQ(positions_after(ix, 5, 400), (numbers{}));
  ix.add_pending(5, decided, false);
  ix.remove_pending(5);
  EXPECT_EQ(positions_after(ix, 5, 400), (numbers{}));
}

TEST(write_index, answers_for_the_old_and_the_new_key_of_an_update) {
  write_index ix;
  const std::vector<entry> e{write(7, 50)};
  ix.add(e, {51});
  const std::vector<write_index::question> q{{8, 7, {49}, 1, 0}, {7, 7, {50}, 1, 0}, {8, 8, {0}, 1, 0}};
  std::vector<std::uint8_t> a;
  ix.ask(q, a);
  EXPECT_EQ(a, (std::vector<std::uint8_t>{1, 0, 0}));
}

TEST(write_index, says_that_writes_meet_only_in_fields_of_both_and_that_deltas_never_do) {
  write_index ix;
  const std::vector<entry> e{write(1, 10, 0b011), write(2, 11, existence | 0b111)};
  ix.add(e, {12});
  const auto meets = [&](std::uint64_t token, field_set fields, field_set deltas = 0) {
    const std::vector<write_index::question> q{{token, token, {9}, fields, deltas}};
    std::vector<std::uint8_t> a;
    ix.ask(q, a);
    return a[0] == 1;
  };
  EXPECT_TRUE(meets(1, 0b001));
  EXPECT_FALSE(meets(1, 0b100));
  EXPECT_FALSE(meets(1, 0b010, 0b010)) << "two deltas";
  EXPECT_TRUE(meets(1, 0b011, 0b010)) << "another field besides the delta";
  EXPECT_TRUE(meets(1, existence)) << "a delete meets every update";
  EXPECT_TRUE(meets(2, 0b010, 0b010)) << "a delta meets a delete";
  EXPECT_FALSE(meets(2, 0)) << "an update that changed nothing meets nobody";
}

TEST(write_index, wakes_who_waits_for_the_log_and_remembers_how_far) {
  write_index ix;
  EXPECT_FALSE(ix.wait_read({10}, 5ms, {}));
  EXPECT_EQ(ix.wanted(), log_position{10});
  std::jthread reader([&] {
    std::this_thread::sleep_for(20ms);
    ix.add({}, {10});
  });
  EXPECT_TRUE(ix.wait_read({10}, 5s, {}));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(ix.wait_read({11}, 5s, stop.get_token()));
}

}  // namespace
}  // namespace duet::causality
