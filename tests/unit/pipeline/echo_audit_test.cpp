#include "pipeline/echo_audit.hpp"

#include <gtest/gtest.h>

#include "memory_database.hpp"

namespace duet::pipeline {
namespace {

using words = std::vector<const char*>;  // id, value, note, amount; null: absent

// An applier that sends, and a log that brings back, rows of the table in memory.
struct audited : block_supply {
  change_block& next(change_block*) override { return blocks.emplace_back(64 << 10); }
  bool expects_echo(std::uint64_t epoch, std::uint64_t counter) override { return audit.expects(epoch, counter); }
  void echo(const change_record& r) override {
    audit.came_back(table, r, std::hash<std::string_view>()((r.has_after ? r.after(0) : r.before(0)).text()));
  }
  void end_of_echo() override { audit.all_came_back(map); }

  void send(operation op, const words& row, std::vector<std::uint16_t> deltas = {}) {
    std::vector<cell> cells;
    std::vector<std::uint16_t> columns;
    for (std::uint16_t i = 0; i < row.size(); ++i) {
      cells.push_back(row[i] ? cell::of(row[i]) : cell());
      if (row[i] && std::find(deltas.begin(), deltas.end(), i) == deltas.end()) columns.push_back(i);
    }
    audit.sent(table, op, std::hash<std::string_view>()(row[0]), cells.data(), columns, deltas);
  }
  struct row {
    operation op;
    words before, after;
  };
  std::uint64_t bring_back(std::uint64_t counter, const std::vector<row>& rows) {
    writer.begin({counter * 16}, 0, 1);
    writer.own(1, counter, {}, {});
    for (const row& r : rows) {
      if (!writer.wants_echoes()) {
        writer.count_echo();
        continue;
      }
      writer.start_change(r.op, 0, 4, !r.before.empty(), !r.after.empty());
      for (std::size_t i = 0; i < 4; ++i) {
        if (!r.before.empty() && r.before[i]) writer.set(block_writer::before, i, r.before[i]);
        if (!r.after.empty() && r.after[i]) writer.set(block_writer::after, i, r.after[i]);
      }
      writer.finish_change();
    }
    writer.end({counter * 16 + 16});
    differences.clear();
    return audit.compared(map, differences);
  }
  std::string found() const {
    std::string text;
    for (const auto& d : differences) text += d.table + "." + d.column + " " + std::to_string(d.rows) + ";";
    return text;
  }

  mapping map = testing::memory_mapping();
  const table_pair& table = map.tables[0];
  std::string name = map.tables[0].home.schema + '.' + map.tables[0].home.name;
  echo_audit audit{side::spoke};
  std::deque<change_block> blocks;
  block_writer writer{*this};
  std::vector<echo_difference> differences;
};
constexpr operation insert = operation::insert, update = operation::update, removed = operation::remove;

TEST(echo_audit, finds_nothing_where_the_log_has_what_was_sent) {
  audited a;
  a.send(insert, {"k", "1", "n", "5"});
  a.send(update, {"k", "2", nullptr, "6"}, {3});
  a.send(removed, {"gone", nullptr, nullptr, nullptr});
  a.audit.will_commit(1, 7);
  EXPECT_EQ(a.bring_back(7, {{insert, {}, {"k", "1", "n", "5"}}, {update, {"k", "1", "n", "5"}, {"k", "2", "n", "9"}}, {removed, {"gone", "1", "n", "0"}, {}}}), 2u);
  EXPECT_EQ(a.found(), "");
}

TEST(echo_audit, counts_an_altered_value_and_one_that_was_not_sent) {
  audited a;
  a.send(insert, {"k", "1", "n", "5"});
  a.send(update, {"l", "2", nullptr, nullptr});
  a.send(update, {"m", "3", nullptr, nullptr});
  a.audit.will_commit(1, 7);
  EXPECT_EQ(a.bring_back(7, {{insert, {}, {"k", "1", "N", "5"}},
                             {update, {"l", "1", "n", "0"}, {"l", "2", "changed", "0"}},
                             {removed, {"m", "1", "n", "0"}, {}},
                             {insert, {}, {"by a trigger", "1", "n", "0"}}}), 3u);
  EXPECT_EQ(a.found(), a.name + ".note 2;" + a.name + ". 2;");
}

// A row whose key another row takes, which brings along a column that is not sent.
TEST(echo_audit, does_not_take_a_deleted_row_for_the_one_that_follows_it) {
  audited a;
  a.send(update, {"k", nullptr, "deleted later", nullptr});
  a.send(removed, {"k", nullptr, nullptr, nullptr});
  a.send(update, {"k", "2", nullptr, nullptr});
  a.audit.will_commit(1, 7);
  EXPECT_EQ(a.bring_back(7, {{update, {"k", "1", "n", "5"}, {"k", "1", "deleted later", "5"}},
                             {removed, {"k", "1", "deleted later", "5"}, {}},
                             {update, {"other", "1", "its own", "0"}, {"k", "2", "its own", "0"}}}), 1u);
  EXPECT_EQ(a.found(), "");
}

TEST(echo_audit, compares_only_what_was_committed) {
  audited a;
  a.send(insert, {"k", "1", "n", "5"});
  const std::size_t mark = a.audit.mark();
  a.send(insert, {"undone", "1", "n", "5"});
  a.audit.undo_to(mark);
  a.audit.will_commit(1, 7);
  a.audit.undo_to(0);
  a.send(insert, {"k", "again", "n", "5"});  // it was not committed after all, and is tried again
  a.audit.will_commit(1, 7);
  a.send(insert, {"next", "1", "n", "5"});
  a.audit.will_commit(1, 8);
  EXPECT_EQ(a.bring_back(6, {{insert, {}, {"k", "another's", "n", "5"}}}), 0u);
  EXPECT_EQ(a.bring_back(7, {{insert, {}, {"k", "again", "n", "5"}}}), 1u);
  a.audit.not_compared(a.table, 1);
  a.audit.restart();
  EXPECT_EQ(a.bring_back(8, {{insert, {}, {"next", "2", "n", "5"}}}), 1u);
  EXPECT_EQ(a.found(), "");
}

TEST(echo_audit, leaves_out_rows_that_were_decided_one_by_one) {
  audited a;
  a.send(update, {"k", "1", nullptr, nullptr});
  a.audit.not_compared(a.table, std::hash<std::string_view>()("k"));
  a.audit.will_commit(1, 7);
  EXPECT_EQ(a.bring_back(7, {{update, {"k", "0", "n", "0"}, {"k", "2", "n", "0"}}}), 0u);
  EXPECT_EQ(a.found(), "");
}

TEST(echo_audit, forgets_what_is_too_much) {
  audited a;
  for (std::uint64_t counter = 1; counter <= 2; ++counter) {
    for (std::size_t i = 0; i < (counter == 1 ? echo_audit::bytes_max / 32 : 1); ++i) a.send(insert, {"k", "1", "n", "5"});
    a.audit.will_commit(1, counter);
  }
  EXPECT_EQ(a.bring_back(1, {{insert, {}, {"k", "2", "n", "5"}}}), 0u);
  EXPECT_EQ(a.bring_back(2, {{insert, {}, {"k", "1", "n", "5"}}}), 1u);
  EXPECT_EQ(a.found(), "");
}

}  // namespace
}  // namespace duet::pipeline
