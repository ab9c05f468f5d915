#include "pipeline/planner.hpp"

#include <gtest/gtest.h>

#include <random>

#include "memory_database.hpp"

namespace duet::pipeline {
namespace {

struct heap_supply : block_supply {
  change_block& next(change_block*) override {
    blocks.push_back(std::make_unique<change_block>(64 << 10));
    return *blocks.back();
  }
  std::vector<std::unique_ptr<change_block>> blocks;
};

// Changes of tables with the columns (id, value, note), written as records the way a source does.
struct changes {
  changes() { writer.begin({1}, 0, 1); }
  void add(planner& p, operation op, std::uint16_t table, const char* id, const char* before, const char* after) {
    writer.start_change(op, table, 3, before != nullptr, after != nullptr);
    auto put = [&](block_writer::image i, const char* value) {
      if (!value) return;
      writer.set(i, 0, id);
      writer.set(i, 1, value);
      writer.set(i, 2, "n");
    };
    put(block_writer::before, before);
    put(block_writer::after, after);
    writer.finish_change();
    auto* c = const_cast<change_record*>(static_cast<const change_record*>(last()));
    c->token = c->token_before = std::hash<std::string>()(std::string(id) + "/" + std::to_string(table)) | 1;
    cells.push_back(std::make_unique<cell[]>(6));
    cell* row = cells.back().get();
    for (int i = 0; i < 3; ++i) {
      if (before) row[i] = c->before(i);
      if (after) row[3 + i] = c->after(i);
    }
    p.add(*c, &from, {before ? row : nullptr, after ? row + 3 : nullptr});
  }
  const record* last() const {
    const change_block& b = *supply.blocks.back();
    const record* r = b.first();
    while (const record* n = b.next(r)) r = n;
    return r;
  }
  heap_supply supply;
  block_writer writer{supply};
  origin from;
  std::vector<std::unique_ptr<cell[]>> cells;
};

mapping tables(int n) {
  mapping m;
  for (int i = 0; i < n; ++i) {
    m.tables.push_back(testing::memory_mapping().tables[0]);
    m.tables.back().id = static_cast<std::uint16_t>(i);
  }
  return m;
}

TEST(planner, puts_rows_of_one_shape_into_one_run) {
  const mapping m = tables(1);
  planner p(m, side::spoke);
  changes c;
  for (int i = 0; i < 100; ++i) c.add(p, operation::insert, 0, std::to_string(i).c_str(), nullptr, "a");
  ASSERT_EQ(p.run_count(), 1u);
  EXPECT_EQ(p.at(0).rows.size(), 100u);
  EXPECT_EQ(p.at(0).statement.columns, (std::vector<std::uint16_t>{0, 1, 2}));
}

TEST(planner, writes_only_changed_columns_and_guards_with_all_others) {
  const mapping m = tables(1);
  planner p(m, side::spoke);
  changes c;
  c.add(p, operation::update, 0, "1", "a", "b");
  EXPECT_EQ(p.at(0).statement.columns, (std::vector<std::uint16_t>{1}));
  EXPECT_EQ(p.at(0).statement.guard, (std::vector<std::uint16_t>{1, 2}));
}

TEST(planner, lets_inserts_of_parent_and_child_share_two_runs_over_many_transactions) {
  mapping m = tables(2);
  m.tables[1].parents = {0};
  planner p(m, side::spoke);
  changes c;
  for (int i = 0; i < 50; ++i) {
    c.add(p, operation::insert, 0, std::to_string(i).c_str(), nullptr, "order");
    c.add(p, operation::insert, 1, std::to_string(i).c_str(), nullptr, "line");
  }
  ASSERT_EQ(p.run_count(), 2u);
  EXPECT_EQ(p.at(0).statement.table->id, 0);
}

TEST(planner, removes_children_before_their_parent) {
  mapping m = tables(2);
  m.tables[1].parents = {0};
  planner p(m, side::spoke);
  changes c;
  c.add(p, operation::remove, 0, "0", "p", nullptr);  // an unrelated parent first
  c.add(p, operation::remove, 1, "1", "l", nullptr);
  c.add(p, operation::remove, 0, "1", "p", nullptr);
  ASSERT_EQ(p.run_count(), 3u);
  EXPECT_EQ(p.at(1).statement.table->id, 1);
  EXPECT_EQ(p.at(2).statement.table->id, 0);
}

TEST(planner, keeps_the_order_of_one_unique_value_that_moves_from_row_to_row) {
  mapping m = tables(1);
  m.tables[0].unique = {{1}};
  planner p(m, side::spoke);
  changes c;
  c.add(p, operation::update, 0, "1", "u1", "tmp");
  c.add(p, operation::update, 0, "2", "u2", "u1");
  c.add(p, operation::update, 0, "1", "tmp", "u2");
  EXPECT_EQ(p.run_count(), 3u);
}

// The promise itself: run after run has the effect of change after change.
TEST(planner, has_the_effect_of_the_source_order_for_random_transactions) {
  std::minstd_rand random(20261123);
  for (int round = 0; round < 300; ++round) {
    mapping m = tables(3);
    m.tables[1].parents = {0};
    m.tables[2].parents = {1};
    planner p(m, side::spoke);
    changes c;
    using database = std::map<std::pair<int, std::string>, std::string>;
    database wanted, start;
    std::vector<std::string> values;
    for (int i = 0; i < 10; ++i) start[{static_cast<int>(random() % 3), std::to_string(i)}] = "s";
    wanted = start;
    for (int i = 0; i < 60; ++i) {
      const int table = static_cast<int>(random() % 3);
      const std::string id = std::to_string(random() % 10), value = "v" + std::to_string(i);
      auto it = wanted.find({table, id});
      if (it == wanted.end()) {
        c.add(p, operation::insert, table, id.c_str(), nullptr, value.c_str());
        wanted[{table, id}] = value;
      } else if (random() % 3) {
        c.add(p, operation::update, table, id.c_str(), it->second.c_str(), value.c_str());
        it->second = value;
      } else {
        c.add(p, operation::remove, table, id.c_str(), it->second.c_str(), nullptr);
        wanted.erase(it);
      }
    }
    database got = start;
    for (std::size_t r = 0; r < p.run_count(); ++r) {
      const planned_run& run = p.at(r);
      std::set<std::uint64_t> keys;
      for (const planned_row& row : run.rows) {
        EXPECT_TRUE(keys.insert(row.token).second) << "one key twice in a run";
        const std::pair key(static_cast<int>(run.statement.table->id), std::string((row.row.after ? row.row.after : row.row.before)[0].text()));
        if (run.statement.op == operation::insert) EXPECT_FALSE(got.contains(key));
        else EXPECT_EQ(got.at(key), row.row.before[1].text()) << "the guard would not match";
        if (run.statement.op == operation::remove) got.erase(key);
        else got[key] = row.row.after[1].text();
      }
    }
    EXPECT_EQ(got, wanted) << "round " << round;
  }
}

}  // namespace
}  // namespace duet::pipeline
