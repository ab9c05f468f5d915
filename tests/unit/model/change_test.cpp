#include "duet/change.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "duet/failure.hpp"

namespace duet {
namespace {

struct heap_supply : block_supply {
  explicit heap_supply(std::size_t capacity) : capacity(capacity) {}
  change_block& next(change_block*) override {
    blocks.push_back(std::make_unique<change_block>(capacity));
    return *blocks.back();
  }
  std::size_t capacity;
  std::vector<std::unique_ptr<change_block>> blocks;
};

TEST(change_block, gives_back_what_was_written) {
  heap_supply supply(4096);
  block_writer w(supply);
  w.begin({100}, 5, 9);
  w.start_change(operation::update, 3, 2, true, true);
  w.set(block_writer::before, 0, "key");
  w.set_null(block_writer::before, 1);
  w.copy_cell(block_writer::before, block_writer::after, 0);
  char* p = w.append(block_writer::after, 1, 10);
  std::memcpy(p, "hello", 5);
  w.keep_appended(5);
  w.finish_change();
  w.own(7, 8, {55}, {44});
  w.count_echo(3);
  w.end({120});
  const change_block& b = *supply.blocks[0];
  const record* r = b.first();
  ASSERT_EQ(r->kind, record_kind::begin);
  EXPECT_EQ(static_cast<const transaction_begin*>(r)->position, log_position{100});
  r = b.next(r);
  const auto& c = static_cast<const change_record&>(*r);
  EXPECT_EQ(c.before(0).text(), "key");
  EXPECT_TRUE(c.before(1).is_null());
  EXPECT_EQ(c.after(0).text(), "key");
  EXPECT_EQ(c.after(1).text(), "hello");
  r = b.next(r);
  const auto& e = static_cast<const transaction_end&>(*r);
  EXPECT_TRUE(e.ours);
  EXPECT_EQ(e.control_position, log_position{55});
  EXPECT_EQ(e.echoes, 3u);
  EXPECT_EQ(e.changes, 1u);
  EXPECT_EQ(b.next(r), nullptr);
}

TEST(change_block, carries_rows_over_block_borders_and_rows_larger_than_a_block) {
  std::minstd_rand random(99);
  heap_supply supply(512);
  block_writer w(supply);
  std::vector<std::string> wanted;
  for (int t = 0; t < 50; ++t) {
    w.begin({static_cast<std::uint64_t>(t + 1)}, 0, 1);
    for (int i = 0; i < 20; ++i) {
      std::string value(random() % (i == 7 ? 5000 : 60), static_cast<char>('a' + i));
      w.start_change(operation::insert, 0, 1, false, true);
      w.set(block_writer::after, 0, value);
      if (i == 3) {
        w.discard_change();
        continue;
      }
      w.finish_change();
      wanted.push_back(value);
    }
    w.end({static_cast<std::uint64_t>(t + 1)});
  }
  std::vector<std::string> got;
  for (const auto& b : supply.blocks)
    for (const record* r = b->first(); r; r = b->next(r))
      if (r->kind == record_kind::change) got.emplace_back(static_cast<const change_record*>(r)->after(0).text());
  EXPECT_EQ(got, wanted);
}

TEST(change_block, can_be_copied_as_bytes) {
  heap_supply supply(4096);
  block_writer w(supply);
  w.begin({1}, 0, 1);
  w.start_change(operation::insert, 0, 1, false, true);
  w.set(block_writer::after, 0, "value");
  w.finish_change();
  w.end({2});
  change_block copy(16);
  copy.assign(supply.blocks[0]->data(), supply.blocks[0]->size());
  const record* r = copy.next(copy.first());
  EXPECT_EQ(static_cast<const change_record*>(r)->after(0).text(), "value");
}

TEST(failures, have_a_name_advice_and_an_exit_code_each) {
  for (int k = 0; k <= static_cast<int>(failure_kind::internal); ++k) {
    const auto kind = static_cast<failure_kind>(k);
    EXPECT_FALSE(name(kind).empty());
    EXPECT_FALSE(advice(kind).empty());
    EXPECT_TRUE(kind == failure_kind::internal || name(kind) != "internal") << "kind " << k << " is missing in the table";
  }
  EXPECT_EQ(exit_code(failure_kind::fenced), 4);
  EXPECT_EQ(exit_code(failure_kind::cannot_connect), 3);
  EXPECT_EQ(exit_code(failure_kind::config_file), 2);
}

}  // namespace
}  // namespace duet
