#include "pipeline/schema_fit.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "duet/failure.hpp"

using namespace duet;
using namespace duet::pipeline;
using ::testing::HasSubstr;

namespace {

column make_column(const std::string& name, int ordinal, const std::string& native = "bigint") {
  column c;
  c.name = name;
  c.ordinal = ordinal;
  c.type.native = native;
  c.type.kind = native == "text" ? value_kind::text : value_kind::integer;
  c.type.bits = 64;
  return c;
}

struct sides {
  table_schema home{.schema = "public", .name = "item"}, spoke{.schema = "shop", .name = "item"};
  table_rule rule{.home = "public.item"};
  details_of_sides details;

  explicit sides(const std::vector<std::string>& h, const std::vector<std::string>& s) {
    for (const auto& name : h) home.columns.push_back(make_column(name, static_cast<int>(home.columns.size())));
    for (const auto& name : s) spoke.columns.push_back(make_column(name, static_cast<int>(spoke.columns.size())));
  }
  table_pair bound() const {
    table_pair t;
    t.home = home;
    t.spoke = spoke;
    for (const column& h : home.columns)
      for (const column& s : spoke.columns)
        if (h.name == s.name) t.columns.push_back({.home = h, .spoke = s});
    return t;
  }
  schema_fit judged(const known_table& before) const {
    const table_pair pair = bound();
    return judge(before, &home, &spoke, &pair, rule, "public.item", {}, details.of[0].empty() && details.of[1].empty() ? nullptr : &details);
  }
};

known_table known(const std::vector<std::string>& h, const std::vector<std::string>& s) { return note_of(sides(h, s).bound()); }

}  // namespace

TEST(schema_fit, what_both_sides_have_fits) {
  EXPECT_TRUE(sides({"id", "n"}, {"id", "n"}).judged(known({"id", "n"}, {"id", "n"})).fits());
  EXPECT_TRUE(sides({"id", "n", "c"}, {"id", "n", "c"}).judged(known({"id", "n"}, {"id", "n"})).fits());
  EXPECT_TRUE(sides({"id"}, {"id"}).judged(known({"id", "n"}, {"id", "n"})).fits());
  EXPECT_TRUE(sides({"id", "m"}, {"id", "m"}).judged(known({"id", "n"}, {"id", "n"})).fits());
}

TEST(schema_fit, a_column_that_one_side_always_had_alone_fits) {
  EXPECT_TRUE(sides({"id", "own"}, {"id", "n"}).judged(known({"id", "own"}, {"id", "n"})).fits());
  EXPECT_TRUE(sides({"id"}, {"id", "n"}).judged(known({"id", "own"}, {"id", "n"})).fits()) << "nor does it matter when it goes";
}

TEST(schema_fit, names_the_statement_for_the_other_side) {
  const auto added = sides({"id", "n", "c"}, {"id", "n"}).judged(known({"id", "n"}, {"id", "n"}));
  EXPECT_EQ(added.reason, "column c is new at home");
  EXPECT_EQ(added.remedy, "at the spoke: ALTER TABLE `shop`.`item` ADD COLUMN `c` bigint");
  const auto dropped = sides({"id", "n"}, {"id"}).judged(known({"id", "n"}, {"id", "n"}));
  EXPECT_EQ(dropped.reason, "column n is gone at the spoke");
  EXPECT_EQ(dropped.remedy, "at home: ALTER TABLE \"public\".\"item\" DROP COLUMN \"n\"");
  const auto renamed = sides({"id", "m"}, {"id", "n"}).judged(known({"id", "n"}, {"id", "n"}));
  EXPECT_EQ(renamed.reason, "column n is called m at home");
  EXPECT_EQ(renamed.remedy, "at the spoke: ALTER TABLE `shop`.`item` RENAME COLUMN `n` TO `m`");
  EXPECT_EQ(renamed.now.columns[0][1].former, std::vector<std::string>{"n"}) << "older rows call it so";
}

TEST(schema_fit, new_columns_may_be_ignored_but_nothing_else) {
  sides s({"id", "c"}, {"id", "n"});
  s.rule.on_schema_change = schema_rule::ignore_new_columns;
  EXPECT_THAT(s.judged(known({"id", "n"}, {"id", "n"})).reason, HasSubstr("column n"));
  sides more({"id", "n", "c"}, {"id", "n", "d"});
  more.rule.on_schema_change = schema_rule::ignore_new_columns;
  EXPECT_TRUE(more.judged(known({"id", "n"}, {"id", "n"})).fits());
  sides excluded({"id", "n", "c"}, {"id", "n"});
  excluded.rule.exclude = {"c"};
  EXPECT_TRUE(excluded.judged(known({"id", "n"}, {"id", "n"})).fits());
}

TEST(schema_fit, a_wider_type_is_followed_and_nothing_else_of_the_definition_is_lost) {
  sides s({"id", "n"}, {"id", "n"});
  const known_table before = known({"id", "n"}, {"id", "n"});
  s.home.columns[1].type.native = "numeric(30,0)";
  s.spoke.columns[1].type.bits = 32;
  EXPECT_TRUE(s.judged(before).fits()) << "unless it is to be followed";
  s.rule.on_schema_change = schema_rule::follow;
  s.details.of[1] = {{.name = "id"}, {.name = "n", .rest = " NOT NULL DEFAULT 5 COMMENT 'n'"}};
  const schema_fit fit = s.judged(before);
  EXPECT_EQ(fit.remedy, "at the spoke: ALTER TABLE `shop`.`item` MODIFY COLUMN `n` bigint NOT NULL DEFAULT 5 COMMENT 'n'");
  EXPECT_TRUE(fit.can_follow);
  s.spoke.columns[1].type.bits = 64;
  EXPECT_TRUE(s.judged(before).fits()) << "the other side holds all of it";
}

TEST(schema_fit, a_note_reads_as_it_was_written) {
  known_table k = known({"id", "n"}, {"id", "n"});
  k.columns[0][1].former = {"was \"it\""};
  k.paused = pause_note{"reason", "remedy", 5, {{{1}, {2}, 18446744073709551615u}, {{3}, {4}, 5}}, true};
  const known_table again = decode_known_table(encode(k));
  EXPECT_EQ(again.columns[0], k.columns[0]);
  EXPECT_EQ(again.synced, k.synced);
  EXPECT_EQ(again.spoke_schema, "shop");
  EXPECT_EQ(again.paused->at.home, k.paused->at.home);
  EXPECT_EQ(again.paused->at.spoke, k.paused->at.spoke);
  EXPECT_TRUE(again.paused->for_good);
  EXPECT_THROW(decode_known_table("{}"), failure);
  EXPECT_THROW(decode_link_note("nonsense"), failure);
}
