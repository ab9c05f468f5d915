// Two rows of one key that were there before the link: whose values stand.
#include "conflict/merge.hpp"

#include <gtest/gtest.h>

namespace duet::conflict {
namespace {

using action = decision::action;
using numbers = std::vector<std::uint16_t>;

// id, name, city, stock, changed; name and city are one field where `grouped`.
class merging : public ::testing::Test {
 protected:
  merging() {
    for (const char* name : {"id", "name", "city", "stock", "changed"}) {
      column_pair c;
      c.home.name = c.spoke.name = name;
      c.home.type.kind = c.spoke.type.kind = std::string_view(name) == "stock" ? value_kind::integer : value_kind::text;
      c.key = table_.columns.empty();
      table_.columns.push_back(c);
    }
    table_.key = {0};
    table_.initial = initial_rows::merge;
    table_.policy.fields = {{{1}}, {{2}}, {{3}}, {{4}}};
    table_.policy.field_of = {0, 0, 1, 2, 3};
  }
  static std::optional<std::string> value(const std::string& text) { return text == "NULL" ? std::nullopt : std::optional(text); }
  decision with(merge_truth truth, const std::vector<std::string>& home, const std::vector<std::string>& spoke, field_set written = 0) {
    table_.truth = truth;
    owned_row ours{.found = true, .values = {}};
    std::vector<cell> theirs;
    numbers columns;
    for (std::uint16_t i = 0; i < home.size(); ++i) {
      ours.values.push_back(value(home[i]));
      theirs.push_back(value(spoke[i]) ? cell::of(spoke[i]) : cell::null());
      if (home[i] != spoke[i]) columns.push_back(i);
    }
    return merge(table_, theirs.data(), ours, columns, written);
  }

  table_pair table_;
  const std::vector<std::string> home_ = {"1", "ann", "NULL", "7", "2024-01-01"}, spoke_ = {"1", "anna", "bern", "9", "2024-01-02"};
};

}  // namespace

TEST_F(merging, lets_the_side_stand_that_is_named) {
  const decision home = with(merge_truth::home, home_, spoke_), spoke = with(merge_truth::spoke, home_, spoke_);
  EXPECT_EQ(home.does, action::keep);
  EXPECT_EQ(home.winner, "home");
  EXPECT_EQ(home.tag.by_spoke.fields, restated) << "what the spoke writes before it has seen this must be answered";
  EXPECT_EQ(spoke.does, action::update);
  EXPECT_EQ(spoke.write, (numbers{1, 2, 3, 4}));
  EXPECT_EQ(spoke.winner, "spoke");
}

TEST_F(merging, lets_the_row_stand_whose_column_is_later) {
  table_.truth_by = 4;
  EXPECT_EQ(with(merge_truth::latest, home_, spoke_).write, (numbers{1, 2, 3, 4}));
  EXPECT_EQ(with(merge_truth::latest, spoke_, home_).does, action::keep);
  EXPECT_EQ(with(merge_truth::latest, {"1", "a", "b", "1", "NULL"}, spoke_).winner, "spoke") << "nothing is earlier than anything";
  EXPECT_EQ(with(merge_truth::latest, home_, {"1", "a", "b", "1", "NULL"}).winner, "home");
  EXPECT_EQ(with(merge_truth::latest, {"1", "a", "b", "1", "NULL"}, {"1", "b", "b", "1", "NULL"}).winner, "home");
}

TEST_F(merging, fills_what_home_lacks_field_by_field) {
  EXPECT_EQ(with(merge_truth::unite, home_, spoke_).write, numbers{2});
  EXPECT_EQ(with(merge_truth::unite, home_, spoke_).winner, "both");
  table_.policy.fields = {{{1, 2}}, {{3}}, {{4}}};
  table_.policy.field_of = {0, 0, 0, 1, 2};
  EXPECT_EQ(with(merge_truth::unite, home_, spoke_).does, action::keep) << "half a group is taken from nobody";
  EXPECT_EQ(with(merge_truth::unite, {"1", "NULL", "NULL", "7", "x"}, {"1", "anna", "NULL", "7", "x"}).write, numbers{1});
}

TEST_F(merging, asks_a_person_where_nobody_is_named) {
  EXPECT_EQ(with(merge_truth::manual, home_, spoke_).does, action::hold);
  EXPECT_FALSE(with(merge_truth::manual, home_, spoke_).reason.empty());
}

TEST_F(merging, keeps_home_where_it_counts_owns_or_has_written_meanwhile) {
  table_.policy.deltas = table_.policy.bit_of(3);
  EXPECT_EQ(with(merge_truth::spoke, home_, spoke_).write, (numbers{1, 2, 4}));
  table_.policy.owned[0] = table_.policy.bit_of(1);
  EXPECT_EQ(with(merge_truth::spoke, home_, spoke_).write, (numbers{2, 4}));
  EXPECT_EQ(with(merge_truth::spoke, home_, spoke_, table_.policy.bit_of(2)).write, numbers{4});
  table_.policy.owned[1] = table_.policy.bit_of(2);
  EXPECT_EQ(with(merge_truth::home, home_, spoke_).write, numbers{2}) << "what the spoke owns is the spoke's under any truth";
  EXPECT_EQ(with(merge_truth::home, home_, spoke_).winner, "both");
}

}  // namespace duet::conflict
