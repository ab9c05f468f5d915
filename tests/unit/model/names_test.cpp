// The words of the contract's enums are those of the configuration and of the conflict log.
#include <gtest/gtest.h>

#include "duet/policy.hpp"

namespace duet {
namespace {

TEST(names, of_conflict_rules_are_those_of_the_configuration) {
  EXPECT_EQ(name(conflict_rule::none), "none");
  EXPECT_EQ(name(conflict_rule::latest), "latest");
  EXPECT_EQ(name(conflict_rule::home), "home");
  EXPECT_EQ(name(conflict_rule::spoke), "spoke");
  EXPECT_EQ(name(conflict_rule::manual), "manual");
  EXPECT_EQ(name(conflict_rule::delta), "delta");
  EXPECT_EQ(name(conflict_rule::script), "script");
}

TEST(names, of_rules_for_updates_against_deletes_are_those_of_the_configuration) {
  EXPECT_EQ(name(delete_rule::by_rule), "by_rule");
  EXPECT_EQ(name(delete_rule::update_wins), "update_wins");
  EXPECT_EQ(name(delete_rule::delete_wins), "delete_wins");
  EXPECT_EQ(name(delete_rule::latest), "latest");
  EXPECT_EQ(name(delete_rule::manual), "manual");
}

}  // namespace
}  // namespace duet
