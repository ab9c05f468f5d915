// TRUNCATE: passed on where a table flows one way; where it flows both ways the table stops, and nothing else does.
#include "sync_fixture.hpp"

using namespace duet::testing;
using ::testing::HasSubstr;

namespace {

class truncate : public sync_test {
 protected:
  truncate() {
    for (const char* table : {"down", "up", "other_down", "first", "second"})
      both("CREATE TABLE " + std::string(table) + " (id bigint PRIMARY KEY, n bigint)");
    at_home("ALTER TABLE first REPLICA IDENTITY FULL; ALTER TABLE second REPLICA IDENTITY FULL");
    write_config("  - home: public.down\n    direction: home_to_spoke\n  - home: public.other_down\n    direction: home_to_spoke\n"
                 "  - home: public.up\n    direction: spoke_to_home\n  - home: public.first\n  - home: public.second\n");
  }
  void SetUp() override {
    set_up();
    if (!HasFatalFailure()) start();
  }
  sql_rows ids(bool the_spoke, const std::string& table) {
    const std::string sql = "SELECT id FROM " + table + " ORDER BY id";
    return the_spoke ? at_spoke(sql) : at_home(sql);
  }
};

INSTANTIATE_TEST_SUITE_P(each, truncate, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

TEST_P(truncate, of_a_table_that_flows_one_way_is_passed_on) {
  at_home("INSERT INTO down VALUES (1, 1), (2, 2)");
  at_home("INSERT INTO other_down VALUES (1, 1), (2, 2)");
  at_spoke("INSERT INTO up VALUES (1, 1), (2, 2)");
  settle(*hub_);
  if (HasFatalFailure()) return;
  expect_both("SELECT id FROM down ORDER BY id", {{"1"}, {"2"}});
  expect_both("SELECT id FROM up ORDER BY id", {{"1"}, {"2"}});

  at_home("BEGIN; INSERT INTO down VALUES (3, 3); TRUNCATE down, other_down; INSERT INTO down VALUES (4, 4); COMMIT");
  at_spoke("INSERT INTO up VALUES (3, 3)");
  at_spoke("TRUNCATE TABLE up");
  at_spoke("INSERT INTO up VALUES (4, 4)");
  settle(*hub_);
  if (HasFatalFailure()) return;
  expect_both("SELECT id, n FROM down", {{"4", "4"}});
  expect_both("SELECT id, n FROM other_down", {});
  expect_both("SELECT id, n FROM up", {{"4", "4"}});
  expect_equal();
}

TEST_P(truncate, on_the_side_that_a_table_does_not_flow_from_is_not_passed_on) {
  at_home("INSERT INTO down VALUES (1, 1)");
  at_spoke("INSERT INTO up VALUES (1, 1)");
  settle(*hub_);
  at_spoke("TRUNCATE TABLE down");
  at_home("TRUNCATE up");
  settle(*hub_);
  if (HasFatalFailure()) return;
  EXPECT_EQ(ids(false, "down"), (sql_rows{{"1"}}));
  EXPECT_EQ(ids(true, "up"), (sql_rows{{"1"}}));
  expect_equal();
}

TEST_P(truncate, of_a_table_that_flows_both_ways_stops_that_table_and_no_other) {
  at_home("INSERT INTO first VALUES (1, 1)");
  at_spoke("INSERT INTO second VALUES (2, 2)");
  settle(*hub_);
  at_home("TRUNCATE first");
  at_spoke("TRUNCATE TABLE second");
  settle(*hub_);
  if (HasFatalFailure()) return;
  const auto at_once = status();
  EXPECT_EQ(at_once["exit_code"], 1) << at_once;
  EXPECT_EQ(at_once["hub"]["held_rows"], 2) << at_once;
  EXPECT_THAT(at_once["databases"]["spoke"]["held"][0]["last_reason"].get<std::string>(), HasSubstr("the table is stopped")) << at_once;
  EXPECT_THAT(at_once["databases"]["home"]["held"][0]["last_reason"].get<std::string>(), HasSubstr("the table is stopped")) << at_once;
  for (const int round : {1, 2}) {
    SCOPED_TRACE(round == 1 ? "before" : "after the hub was killed");
    for (const char* table : {"first", "second"}) {
      at_home("INSERT INTO " + std::string(table) + " VALUES (" + std::to_string(10 * round) + ", 0)");
      at_spoke("INSERT INTO " + std::string(table) + " VALUES (" + std::to_string(10 * round + 1) + ", 0)");
    }
    at_home("INSERT INTO down VALUES (" + std::to_string(round) + ", 0)");
    settle(*hub_);  // kv flows
    if (HasFatalFailure()) return;
    EXPECT_EQ(ids(true, "down").size(), static_cast<std::size_t>(round));
    EXPECT_EQ(ids(false, "first"), round == 1 ? (sql_rows{{"10"}}) : (sql_rows{{"10"}, {"20"}}));
    EXPECT_EQ(ids(true, "first"), round == 1 ? (sql_rows{{"1"}, {"11"}}) : (sql_rows{{"1"}, {"11"}, {"21"}}));
    EXPECT_EQ(ids(false, "second"), round == 1 ? (sql_rows{{"2"}, {"10"}}) : (sql_rows{{"2"}, {"10"}, {"20"}}));
    EXPECT_EQ(ids(true, "second"), round == 1 ? (sql_rows{{"11"}}) : (sql_rows{{"11"}, {"21"}}));

    const auto told = status();
    EXPECT_EQ(told["exit_code"], 1) << told;
    EXPECT_GE(told["hub"]["held_rows"], 2) << told;
    for (const char* side : {"home", "spoke"}) {
      std::map<std::string, int> rows;
      for (const auto& h : told["databases"][side]["held"]) rows[h["table"].get<std::string>()] = h["rows"].get<int>();
      // The TRUNCATE itself waits where it was to be done, and what came after it on either side.
      const bool home = std::string(side) == "home";
      EXPECT_EQ(rows, (std::map<std::string, int>{{"public.first", home ? round : round + 1}, {"public.second", home ? round + 1 : round}}))
          << told;
    }
    EXPECT_EQ(at_spoke("SELECT table_name, operation FROM duet.held WHERE link = '" + link_ + "' AND reason LIKE 'TRUNCATE%'"),
              (sql_rows{{"public.first", "truncate"}}));
    EXPECT_EQ(at_home("SELECT table_name, operation FROM duet.held WHERE link = '" + link_ + "' AND reason LIKE 'TRUNCATE%'"),
              (sql_rows{{"public.second", "truncate"}}));
    if (round == 2) break;
    EXPECT_THAT(hub_->output(), HasSubstr("the table is stopped"));
    hub_->kill9();
    start();
    if (HasFatalFailure()) return;
  }
}
