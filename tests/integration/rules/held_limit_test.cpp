// A table of which too many keys are held stops as a whole; nothing else does, nothing is lost, and a person lets it go on.
#include "integration/sync/sync_fixture.hpp"

using namespace duet::testing;
using ::testing::HasSubstr;
using ::testing::Not;

namespace {

class held_limit : public sync_test {
 protected:
  held_limit() {
    at_home("CREATE TABLE item (id bigint PRIMARY KEY, n bigint CHECK (n <> 777)); ALTER TABLE item REPLICA IDENTITY FULL");
    at_spoke("CREATE TABLE item (id bigint PRIMARY KEY, n bigint CHECK (n <> 666))");
    write_config("  - home: public.item\n    held_limit: 5\n");
  }
  void SetUp() override {
    set_up();
    if (!HasFatalFailure()) start();
  }
  sql_rows count_held(bool the_spoke) {
    const std::string sql = "SELECT count(*) FROM duet.held WHERE link = '" + link_ + "' AND operation <> 'truncate'";
    return the_spoke ? at_spoke(sql) : at_home(sql);
  }
};

INSTANTIATE_TEST_SUITE_P(each, held_limit, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

TEST_P(held_limit, stops_the_table_and_no_other_until_a_person_lets_it_go_on) {
  for (const bool from_spoke : {false, true}) {
    SCOPED_TRACE(from_spoke ? "from the spoke" : "from home");
    const std::string bad = from_spoke ? "777" : "666";
    const auto write = [&](const std::string& sql) { from_spoke ? at_spoke(sql) : at_home(sql); };
    const auto other = [&](const std::string& sql) { return from_spoke ? at_home(sql) : at_spoke(sql); };
    const int base = from_spoke ? 100 : 0;
    for (int i = 1; i <= 5; ++i) write("INSERT INTO item VALUES (" + std::to_string(base + i) + ", " + bad + ")");
    write("UPDATE item SET n = 1 WHERE id = " + std::to_string(base + 1));  // of a key that waits already
    settle(*hub_);
    if (HasFatalFailure()) return;
    EXPECT_THAT(hub_->output(), Not(HasSubstr("keys are held"))) << "five keys are no more than five";
    write("INSERT INTO item VALUES (" + std::to_string(base + 50) + ", 1)");
    settle(*hub_);
    EXPECT_EQ(other("SELECT n FROM item WHERE id = " + std::to_string(base + 50)), (sql_rows{{"1"}}));

    write("INSERT INTO item VALUES (" + std::to_string(base + 6) + ", " + bad + ")");
    ASSERT_TRUE(says(*hub_, "public.item: more than 5 keys are held at " + std::string(from_spoke ? "home" : "spoke"))) << hub_->output();
    for (const char* when : {"before", "after the hub was killed"}) {
      SCOPED_TRACE(when);
      const bool first = std::string(when) == "before";
      const std::string fresh = std::to_string(base + (first ? 60 : 61));
      at_home("INSERT INTO kv VALUES (" + fresh + ", 0, 'of another table')");
      at_home("INSERT INTO item VALUES (" + fresh + ", 1)");
      at_spoke("INSERT INTO item VALUES (10" + fresh + ", 1)");
      settle(*hub_);
      if (HasFatalFailure()) return;
      EXPECT_EQ(at_spoke("SELECT n FROM item WHERE id = " + fresh), sql_rows{});
      EXPECT_EQ(at_home("SELECT n FROM item WHERE id = 10" + fresh), sql_rows{});
      const auto told = status();
      EXPECT_EQ(told["hub"]["stopped_tables"], nlohmann::json({"public.item"})) << told;
      EXPECT_EQ(told["exit_code"], 1);
      if (!first) break;
      hub_->kill9();
      start();
      if (HasFatalFailure()) return;
    }
    // The error of the mapping is mended, and all that waits is decided.
    at_home(from_spoke ? "ALTER TABLE item DROP CONSTRAINT item_n_check" : "UPDATE item SET n = 2 WHERE n = 666");
    for (const int round : {1, 2}) {  // the second time for what came to be held meanwhile
      const auto r = run({DUET_BINARY, "held", "resolve", "--all", "--table", "item", "--pick", from_spoke ? "spoke" : "home", "--yes", "-c", config_file()}, 60s);
      EXPECT_EQ(r.exit_code, 0) << r.output;
      if (round == 1) EXPECT_THAT(r.output, HasSubstr("table public.item goes on"));
      settle(*hub_);
      if (HasFatalFailure()) return;
    }
    EXPECT_EQ(count_held(true), (sql_rows{{"0"}}));
    EXPECT_EQ(count_held(false), (sql_rows{{"0"}}));
    EXPECT_EQ(status()["hub"]["stopped_tables"], nlohmann::json::array());
    EXPECT_EQ(at_home("SELECT id, n FROM item ORDER BY id"), at_spoke("SELECT id, n FROM item ORDER BY id"));
    write("INSERT INTO item VALUES (" + std::to_string(base + 70) + ", 1)");
    settle(*hub_);
    EXPECT_EQ(other("SELECT n FROM item WHERE id = " + std::to_string(base + 70)), (sql_rows{{"1"}}));
  }
}
