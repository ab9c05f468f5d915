#include "causality/write_index.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <thread>

namespace duet::causality {
namespace {

using namespace std::chrono_literals;
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

TEST(write_index, knows_a_write_until_it_is_acknowledged) {
  write_index ix;
  const std::vector<entry> e{{11, {100}, false}, {12, {200}, false}, {11, {300}, false}};
  ix.add(e, {301});
  EXPECT_TRUE(ix.written_after(11, {299}));
  EXPECT_FALSE(ix.written_after(11, {300}));
  ix.prune({200});
  EXPECT_TRUE(ix.written_after(11, {299})) << "the later write of the key is still unacknowledged";
  EXPECT_FALSE(ix.written_after(12, {0}));
  ix.prune({300});
  EXPECT_EQ(ix.size(), 0u);
}

TEST(write_index, takes_a_pending_resolution_for_newer_than_all_until_it_is_read_back) {
  write_index ix;
  const std::vector<std::uint64_t> keys{5};
  ix.add_pending(keys);
  EXPECT_TRUE(ix.written_after(5, {1u << 30}));
  const std::vector<entry> e{{5, {400}, true}};
  ix.add(e, {401});
  EXPECT_TRUE(ix.written_after(5, {399}));
  EXPECT_FALSE(ix.written_after(5, {400}));
  ix.add_pending(keys);
  ix.remove_pending(keys);
  EXPECT_FALSE(ix.written_after(5, {400}));
}

TEST(write_index, answers_for_the_old_and_the_new_key_of_an_update) {
  write_index ix;
  const std::vector<entry> e{{7, {50}, false}};
  ix.add(e, {51});
  const std::vector<write_index::question> q{{8, 7, {49}}, {7, 7, {50}}, {8, 8, {0}}};
  std::vector<std::uint8_t> a;
  ix.ask(q, a);
  EXPECT_EQ(a, (std::vector<std::uint8_t>{1, 0, 0}));
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
