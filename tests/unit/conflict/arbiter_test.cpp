// The operation matrix: a change of the spoke meets writes of home, under each rule.
#include "conflict/arbiter.hpp"

#include <gtest/gtest.h>

namespace duet::conflict {
namespace {

using action = decision::action;
using numbers = std::vector<std::uint16_t>;
constexpr std::int64_t home_time = 1000, before_home = 500, after_home = 2000;

// id, name, city, stock. name and city are fields 0 and 1, stock is field 2.
table_pair table_with(conflict_rule rule, bool stock_is_delta = false) {
  table_pair t;
  for (const char* name : {"id", "name", "city", "stock"}) {
    column_pair c;
    c.home.name = c.spoke.name = name;
    c.home.type.kind = c.spoke.type.kind = std::string_view(name) == "stock" ? value_kind::integer : value_kind::text;
    c.key = t.columns.empty();
    t.columns.push_back(c);
  }
  t.key = {0};
  t.policy.rule = rule;
  t.policy.fields = {{{1}, rule}, {{2}, rule}, {{3}, stock_is_delta ? conflict_rule::delta : rule}};
  t.policy.field_of = {0, 0, 1, 2};
  if (stock_is_delta) t.policy.deltas = 0b100;
  return t;
}

using values = std::vector<std::string>;

struct row_of {
  explicit row_of(const values& v) : texts(v) {
    for (const auto& t : texts) cells.push_back(t == "absent" ? cell{} : t == "NULL" ? cell::null() : cell::of(t));
  }
  values texts;
  std::vector<cell> cells;
};

owned_row home_row(const values& v) {
  owned_row r{.found = true, .values = {}};
  for (const auto& t : v) r.values.push_back(t == "NULL" ? std::nullopt : std::optional(t));
  return r;
}

// The change, what it met, and what home has.
struct meeting_of {
  table_pair table;
  owned_row current = home_row({"1", "home", "here", "7"});
  std::vector<met_write> met = {{0b001, home_time, side::home}};
  std::int64_t time_us = after_home;
  std::int64_t grain_us = 1;
  referee ask = {};  // where no rule is script, nobody is asked

  decision update(const values& before, const values& after) {
    const row_of b(before), a(after);
    incoming c{operation::update, b.cells.data(), a.cells.data(), 0, time_us, false};
    for (std::uint16_t i = 1; i < 4; ++i)
      if (before[i] != after[i]) c.fields |= table.policy.bit_of(i);
    return decide(table, c, current, {}, met, grain_us, ask);
  }
  decision insert(const values& after) {
    const row_of a(after);
    return decide(table, {operation::insert, nullptr, a.cells.data(), table.policy.all(), time_us, false}, current, {}, met, grain_us, ask);
  }
  decision remove(const values& before) {
    const row_of b(before);
    return decide(table, {operation::remove, b.cells.data(), nullptr, table.policy.all(), time_us, false}, current, {}, met, grain_us, ask);
  }
};

const values base = {"1", "base", "here", "7"};

TEST(arbiter, finds_no_conflict_between_different_columns) {
  meeting_of m{.table = table_with(conflict_rule::home)};
  EXPECT_EQ(m.update(base, {"1", "base", "there", "7"}).met, 0u);
}

TEST(arbiter, lets_the_declared_side_win_one_column) {
  meeting_of home{.table = table_with(conflict_rule::home)}, spoke{.table = table_with(conflict_rule::spoke)};
  const values changed = {"1", "spoke", "there", "7"};
  const decision lost = home.update(base, changed), won = spoke.update(base, changed);
  EXPECT_EQ(lost.does, action::update) << "the other column is not contested";
  EXPECT_EQ(lost.write, (numbers{2}));
  EXPECT_EQ(lost.winner, "home");
  EXPECT_EQ(lost.tag.by_home.fields, 0b001u);
  EXPECT_EQ(lost.tag.by_home.time_us, home_time);
  EXPECT_EQ(won.write, (numbers{1, 2}));
  EXPECT_EQ(won.winner, "spoke");
  EXPECT_EQ(won.tag.by_spoke.time_us, after_home);
  EXPECT_TRUE(lost.recorded && won.recorded);
  EXPECT_EQ(lost.type, "update_origin_differs");
}

TEST(arbiter, compares_commit_times_and_gives_a_tie_to_home) {
  meeting_of m{.table = table_with(conflict_rule::latest)};
  const values changed = {"1", "spoke", "here", "7"};
  EXPECT_EQ(m.update(base, changed).winner, "spoke");
  m.time_us = before_home;
  EXPECT_EQ(m.update(base, changed).winner, "home");
  m.time_us = home_time;
  EXPECT_EQ(m.update(base, changed).winner, "home");
  m.time_us = home_time + 900;
  m.grain_us = 1000;
  EXPECT_EQ(m.update(base, changed).winner, "home") << "both are in one tick of the coarser clock";
}

TEST(arbiter, lets_the_spokes_next_write_follow_its_own_that_has_won_in_the_same_tick) {
  meeting_of m{.table = table_with(conflict_rule::latest)};
  m.met = {{0b001, home_time, side::home}, {0b001, after_home, side::spoke}};
  m.grain_us = 1000;
  m.time_us = after_home + 3;
  EXPECT_EQ(m.update(base, {"1", "spoke again", "here", "7"}).winner, "spoke");
  m.met.push_back({0b001, after_home, side::home});
  EXPECT_EQ(m.update(base, {"1", "spoke again", "here", "7"}).winner, "home");
}

TEST(arbiter, compares_a_column_where_one_is_named) {
  meeting_of m{.table = table_with(conflict_rule::latest)};
  m.table.policy.latest_by = 3;
  m.time_us = before_home;
  EXPECT_EQ(m.update(base, {"1", "spoke", "here", "10"}).winner, "spoke") << "10 is more than 7, as a number";
  EXPECT_EQ(m.update(base, {"1", "spoke", "here", "7"}).winner, "home");
  EXPECT_EQ(m.update(base, {"1", "spoke", "here", "NULL"}).winner, "home");
}

TEST(arbiter, adds_deltas_whoever_wins_the_rest) {
  meeting_of m{.table = table_with(conflict_rule::home, true), .met = {{0b101, home_time, side::home}}};
  const decision d = m.update(base, {"1", "spoke", "here", "5"});
  EXPECT_EQ(d.does, action::update);
  EXPECT_EQ(d.write, numbers{});
  EXPECT_EQ(d.add, numbers{3});
  EXPECT_EQ(d.met, 0b001u);
  EXPECT_EQ(m.update(base, {"1", "base", "here", "5"}).met, 0u) << "two deltas";
}

TEST(arbiter, decides_column_by_column) {
  meeting_of m{.table = table_with(conflict_rule::home), .met = {{0b011, home_time, side::home}}};
  m.table.policy.fields[1].rule = conflict_rule::spoke;
  const decision d = m.update(base, {"1", "spoke", "there", "7"});
  EXPECT_EQ(d.write, numbers{2});
  EXPECT_EQ(d.winner, "both");
  EXPECT_EQ(d.rule, "by column");
  EXPECT_EQ(d.tag.by_home.fields, 0b001u);
  EXPECT_EQ(d.tag.by_spoke.fields, 0b010u);
}

TEST(arbiter, takes_what_is_decided_as_one_from_one_side_only) {
  meeting_of m{.table = table_with(conflict_rule::spoke, true)};
  m.table.policy.fields = {{{1, 2}, conflict_rule::spoke}, {{3}, conflict_rule::delta}};  // name and city are a group
  m.table.policy.field_of = {0, 0, 0, 1};
  m.table.policy.deltas = 0b10;
  const decision d = m.update(base, {"1", "base", "there", "5"});
  EXPECT_EQ(d.write, (numbers{1, 2})) << "home's name goes with home's city, though the spoke has not changed it";
  EXPECT_EQ(d.add, numbers{3});
  m.met = {{0b01, home_time, side::spoke}};
  EXPECT_FALSE(m.update(base, {"1", "base", "there", "7"}).recorded);
}

TEST(arbiter, leaves_a_manual_column_to_a_person) {
  meeting_of m{.table = table_with(conflict_rule::manual)};
  EXPECT_EQ(m.update(base, {"1", "spoke", "here", "7"}).does, action::hold);
  EXPECT_EQ(m.insert({"1", "spoke", "here", "7"}).does, action::hold);
}

TEST(arbiter, takes_the_spokes_own_earlier_win_for_no_conflict_of_anybody) {
  for (const conflict_rule rule : {conflict_rule::home, conflict_rule::manual, conflict_rule::latest}) {
    meeting_of m{.table = table_with(rule), .met = {{0b001, home_time, side::spoke}}};
    const decision d = m.update(base, {"1", "spoke again", "here", "7"});
    EXPECT_EQ(d.write, numbers{1}) << name(rule);
    EXPECT_FALSE(d.recorded) << name(rule);
  }
}

// Home's change of the key took the row away at the spoke, while the spoke's update of it has won at home: the insert that
// the spoke makes then has not seen what it writes over.
TEST(arbiter, records_an_insert_over_a_row_that_the_spoke_had_won) {
  meeting_of m{.table = table_with(conflict_rule::home), .met = {}};
  m.met = {{m.table.policy.all(), home_time, side::spoke}};
  const decision d = m.insert({"1", "spoke anew", "there", "7"});
  EXPECT_EQ(d.does, action::update);
  EXPECT_EQ(d.winner, "spoke");
  EXPECT_EQ(d.rule, "own write");
  EXPECT_TRUE(d.recorded);
  m.current = {};
  EXPECT_FALSE(m.insert({"1", "spoke anew", "there", "7"}).recorded) << "over its own delete nothing is lost";
}

TEST(arbiter, decides_two_inserts_of_one_key_as_whole_rows) {
  meeting_of m{.table = table_with(conflict_rule::spoke, true), .met = {}};
  m.met = {{m.table.policy.all(), home_time, side::home}};
  const decision d = m.insert({"1", "spoke", "there", "3"});
  EXPECT_EQ(d.does, action::update);
  EXPECT_EQ(d.write, (numbers{1, 2, 3})) << "a new row's delta column has an absolute value";
  EXPECT_EQ(d.type, "insert_exists");
  m.table.policy.rule = conflict_rule::home;
  EXPECT_EQ(m.insert({"1", "spoke", "there", "3"}).does, action::keep);
}

TEST(arbiter, decides_an_update_against_a_delete) {
  struct expected { delete_rule rule; action spoke_updates, spoke_deletes; };
  for (const auto& e : {expected{delete_rule::update_wins, action::insert, action::keep}, expected{delete_rule::delete_wins, action::keep, action::remove},
                        expected{delete_rule::latest, action::insert, action::remove}, expected{delete_rule::manual, action::hold, action::hold},
                        expected{delete_rule::by_rule, action::keep, action::keep}}) {
    meeting_of gone{.table = table_with(conflict_rule::home), .current = {}, .met = {}};
    gone.met = {{gone.table.policy.all(), home_time, side::home}};
    gone.table.policy.update_vs_delete = e.rule;
    EXPECT_EQ(gone.update(base, {"1", "spoke", "here", "7"}).does, e.spoke_updates) << name(e.rule);
    meeting_of changed{.table = gone.table};
    EXPECT_EQ(changed.remove(base).does, e.spoke_deletes) << name(e.rule);
  }
}

TEST(arbiter, holds_an_update_that_would_bring_a_row_back_without_all_of_its_columns) {
  meeting_of gone{.table = table_with(conflict_rule::spoke), .current = {}, .met = {}};
  gone.met = {{gone.table.policy.all(), home_time, side::home}};
  EXPECT_EQ(gone.update(base, {"1", "spoke", "absent", "7"}).does, action::hold);
}

TEST(arbiter, takes_two_deletes_for_no_loss_and_still_answers) {
  meeting_of m{.table = table_with(conflict_rule::manual), .current = {}, .met = {}};
  m.met = {{m.table.policy.all(), home_time, side::home}};
  const decision d = m.remove(base);
  EXPECT_EQ(d.does, action::keep);
  EXPECT_FALSE(d.recorded);
  EXPECT_EQ(d.tag.fields(), m.table.policy.all());
}

// ---- a script decides

// A referee that answers alike each time, and remembers what it was asked.
struct oracle {
  ruling answer;
  std::vector<question> asked = {};
  referee ask() {
    return [this](const question& q) { return asked.push_back(q), answer; };
  }
};
ruling pick(ruling::verdict v) { return {.says = v}; }
ruling set(std::vector<new_value> v) { return {.says = ruling::verdict::values, .values = std::move(v)}; }
ruling hold_it() { return {.says = ruling::verdict::hold, .reason = "ask the boss"}; }

TEST(arbiter_with_a_script, takes_its_side_or_its_hold) {
  const values changed = {"1", "spoke", "there", "7"};
  oracle o{pick(ruling::verdict::home)};
  meeting_of m{.table = table_with(conflict_rule::script), .ask = o.ask()};
  decision d = m.update(base, changed);
  EXPECT_EQ(d.write, numbers{2}) << "what is not contested is written";
  EXPECT_EQ(d.winner, "home");
  EXPECT_EQ(d.rule, "script");
  EXPECT_EQ(d.tag.by_home.fields, 0b001u);
  o.answer = pick(ruling::verdict::spoke);
  d = m.update(base, changed);
  EXPECT_EQ(d.write, (numbers{1, 2}));
  EXPECT_EQ(d.winner, "spoke");
  EXPECT_EQ(d.tag.by_spoke.fields, 0b001u);
  o.answer = hold_it();
  d = m.update(base, changed);
  EXPECT_EQ(d.does, action::hold);
  EXPECT_EQ(d.reason, "ask the boss");
  EXPECT_EQ(d.rule, "script");
  ASSERT_EQ(o.asked.size(), 3u);
  EXPECT_EQ(o.asked[0].contested, 0b001u);
  EXPECT_EQ(o.asked[0].home_time_us, home_time);
  EXPECT_EQ(o.asked[0].home_op, operation::update);
  EXPECT_EQ(m.update(base, {"1", "base", "there", "7"}).met, 0u);
  EXPECT_EQ(o.asked.size(), 3u) << "no conflict";
}

TEST(arbiter_with_a_script, counts_values_as_a_write_of_home_that_has_seen_both) {
  oracle o{set({{1, "both"}, {2, std::nullopt}})};
  meeting_of m{.table = table_with(conflict_rule::script), .ask = o.ask()};
  const decision d = m.update(base, {"1", "spoke", "there", "9"});
  EXPECT_EQ(d.does, action::update);
  EXPECT_EQ(d.set, o.answer.values);
  EXPECT_EQ(d.write, numbers{3}) << "city was written by the spoke alone, and still gets the script's value";
  EXPECT_EQ(d.winner, "script");
  EXPECT_EQ(d.tag.by_home.fields, 0b011u);
  EXPECT_EQ(d.tag.by_home.time_us, after_home);
  EXPECT_EQ(d.tag.by_spoke.fields, 0u);
  EXPECT_TRUE(d.recorded);
}

TEST(arbiter_with_a_script, asks_once_about_what_was_declared_at_one_place) {
  oracle o{set({{1, "both"}})};
  meeting_of m{.table = table_with(conflict_rule::script), .met = {{0b111, home_time, side::home}}, .ask = o.ask()};
  m.table.policy.fields[2].script = 1;
  const decision d = m.update(base, {"1", "spoke", "there", "9"});
  ASSERT_EQ(o.asked.size(), 2u);
  EXPECT_EQ(o.asked[0].contested, 0b011u);
  EXPECT_EQ(o.asked[1].contested, 0b100u);
  EXPECT_EQ(o.asked[1].script, 1);
  EXPECT_EQ(d.write, numbers{}) << "what it does not name stays as home has it";
  m.table.policy.fields[2].rule = conflict_rule::spoke;
  const decision mixed = m.update(base, {"1", "spoke", "there", "9"});
  EXPECT_EQ(mixed.write, numbers{3});
  EXPECT_EQ(mixed.rule, "by column");
  EXPECT_EQ(mixed.winner, "script");
  EXPECT_EQ(mixed.tag.by_spoke.fields, 0b100u);
}

TEST(arbiter_with_a_script, does_not_ask_about_the_spokes_own_earlier_win) {
  oracle o{hold_it()};
  meeting_of m{.table = table_with(conflict_rule::script), .met = {{0b001, home_time, side::spoke}}, .ask = o.ask()};
  EXPECT_EQ(m.update(base, {"1", "again", "here", "7"}).write, numbers{1});
  m.met = {{m.table.policy.all(), home_time, side::spoke}};
  EXPECT_EQ(m.remove(base).does, action::remove);
  EXPECT_TRUE(o.asked.empty());
}

TEST(arbiter_with_a_script, asks_about_inserts_and_deletes_by_the_rows_rule_only) {
  oracle o{set({{1, "both"}})};
  meeting_of m{.table = table_with(conflict_rule::script, true), .met = {}, .ask = o.ask()};
  m.met = {{m.table.policy.all(), home_time, side::home}};
  decision d = m.insert({"1", "spoke", "there", "3"});
  EXPECT_EQ(d.does, action::update);
  EXPECT_EQ(d.write, numbers{}) << "home's row, and the script's values in it";
  EXPECT_EQ(d.set, o.answer.values);
  EXPECT_EQ(d.tag.by_home.fields, m.table.policy.all());
  EXPECT_EQ(o.asked.at(0).home_op, operation::insert);
  EXPECT_EQ(o.asked.at(0).contested, 0b011u) << "a delta is not the script's";
  o.answer = pick(ruling::verdict::spoke);
  EXPECT_EQ(m.insert({"1", "spoke", "there", "3"}).write, (numbers{1, 2, 3}));

  meeting_of gone{.table = m.table, .current = {}, .met = m.met, .ask = o.ask()};
  EXPECT_EQ(gone.update(base, {"1", "spoke", "here", "7"}).does, action::insert);
  EXPECT_EQ(o.asked.back().home_op, operation::remove);
  o.answer = set({{1, "both"}});
  d = gone.update(base, {"1", "spoke", "here", "7"});
  EXPECT_EQ(d.does, action::insert);
  EXPECT_EQ(d.set, o.answer.values);
  EXPECT_EQ(gone.update(base, {"1", "spoke", "absent", "7"}).does, action::hold);
  meeting_of changed{.table = m.table, .ask = o.ask()};
  EXPECT_EQ(changed.remove(base).does, action::update) << "the row stays, with the script's values";

  const std::size_t before = o.asked.size();
  gone.table.policy.update_vs_delete = delete_rule::delete_wins;
  EXPECT_EQ(gone.update(base, {"1", "spoke", "here", "7"}).does, action::keep);
  m.table.policy.rule = conflict_rule::home;
  EXPECT_EQ(m.insert({"1", "spoke", "there", "3"}).does, action::keep);
  EXPECT_EQ(o.asked.size(), before);
}

TEST(arbiter_with_a_script, lets_it_pick_a_side_where_the_key_was_changed) {
  oracle o{pick(ruling::verdict::spoke)};
  meeting_of m{.table = table_with(conflict_rule::script)};
  const row_of before(base), after({"2", "spoke", "here", "7"});
  const incoming c{operation::update, before.cells.data(), after.cells.data(), m.table.policy.all(), after_home, true};
  const auto decided = [&](ruling answer) {
    o.answer = std::move(answer);
    return decide(m.table, c, m.current, {}, m.met, 1, o.ask());
  };
  EXPECT_EQ(decided(pick(ruling::verdict::spoke)).does, action::move);
  EXPECT_EQ(decided(pick(ruling::verdict::home)).does, action::keep);
  EXPECT_EQ(decided(hold_it()).reason, "ask the boss");
  const decision d = decided(set({{1, "both"}}));
  EXPECT_EQ(d.does, action::hold);
  EXPECT_NE(d.reason.find("can only name a side"), std::string::npos);
}

// ---- the spoke

TEST(hold_back, writes_all_where_nothing_was_met_and_the_rest_where_something_was) {
  const table_pair t = table_with(conflict_rule::home, true);
  const row_of before(base), after({"1", "home", "there", "9"});
  const incoming c{operation::update, before.cells.data(), after.cells.data(), 0b111, home_time, false};
  EXPECT_TRUE(held_back(t, c, true, {}).whole);
  const std::vector<met_write> name_written = {{0b101, home_time, side::spoke}};
  const share s = held_back(t, c, true, name_written);
  EXPECT_EQ(s.write, numbers{2});
  EXPECT_EQ(s.add, numbers{3});
  const std::vector<met_write> deleted = {{t.policy.all(), home_time, side::spoke}};
  EXPECT_TRUE(held_back(t, c, true, deleted).nothing);
}

TEST(hold_back, keeps_a_refresh_off_the_columns_that_were_written_and_off_deltas) {
  const table_pair t = table_with(conflict_rule::home, true);
  const row_of row(base);
  const std::vector<met_write> name_written = {{0b001, home_time, side::spoke}};
  EXPECT_EQ(held_back_of_refresh(t, row.cells.data(), true, name_written).write, numbers{2});
  EXPECT_TRUE(held_back_of_refresh(t, nullptr, true, name_written).nothing) << "a row that was written here is not removed";
  EXPECT_TRUE(held_back_of_refresh(t, row.cells.data(), false, name_written).nothing);
  EXPECT_TRUE(held_back_of_refresh(t, nullptr, true, {}).whole);
}

}  // namespace
}  // namespace duet::conflict
