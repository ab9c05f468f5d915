// Scenarios 36 and 39: settings and logs that a hub must not go on with, and how it goes on when they are mended.
#include "scenario_fixture.hpp"

namespace duet::testing {

using ::testing::AllOf;
using ::testing::HasSubstr;

namespace {

class scenario_of_refusals : public sync_test {
 protected:
  void refused(const ::testing::Matcher<const std::string&>& saying) {
    const auto hub = start_hub();
    const auto code = hub->wait(60s);
    ASSERT_TRUE(code) << "it runs:\n" << hub->output();
    EXPECT_EQ(*code, 4) << hub->output();
    EXPECT_THAT(hub->output(), saying);
  }
  finished duet(std::vector<std::string> words) {
    words.insert(words.begin(), DUET_BINARY);
    words.insert(words.end(), {"-c", config_file()});
    return run(words, 120s);
  }
};

INSTANTIATE_TEST_SUITE_P(each, scenario_of_refusals, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

TEST_P(scenario_of_refusals, s36_a_log_without_whole_rows_is_refused_by_name_until_it_is_mended) {
  set_up();
  if (HasFatalFailure()) return;
  at_home("ALTER TABLE kv REPLICA IDENTITY DEFAULT");
  refused(AllOf(HasSubstr("public.kv"), HasSubstr("replica_identity"), HasSubstr("ALTER TABLE \"public\".\"kv\" REPLICA IDENTITY FULL")));
  at_home("ALTER TABLE kv REPLICA IDENTITY FULL");
  spoke().exec("SET GLOBAL binlog_row_image = 'MINIMAL'");
  refused(HasSubstr("binlog_row_image"));
  spoke().exec("SET GLOBAL binlog_row_image = 'FULL'");
  if (HasFatalFailure()) return;
  start();
  if (HasFatalFailure()) return;
  both_write(1);
  settle(*hub_);
  expect_equal();
}

TEST_P(scenario_of_refusals, s39_after_a_lost_log_a_new_setup_and_repair_make_both_sides_equal) {
  set_up();
  if (HasFatalFailure()) return;
  start();
  if (HasFatalFailure()) return;
  both_write(1);
  settle(*hub_);
  if (!HasFatalFailure()) stop_hub();
  if (HasFatalFailure()) return;
  both_write(2);  // both lost with the log
  at_home("UPDATE kv SET v = 'unseen' WHERE id = 3");
  at_home("SELECT pg_drop_replication_slot('duet_" + link_ + "')");
  refused(HasSubstr("log_lost"));
  if (HasFatalFailure()) return;

  ASSERT_EQ(duet({"teardown", "--yes"}).exit_code, 0);
  set_up();
  if (HasFatalFailure()) return;
  start();
  if (HasFatalFailure()) return;
  EXPECT_EQ(duet({"verify"}).exit_code, 1);
  const auto repaired = duet({"repair", "--truth", "home", "--yes"});
  EXPECT_EQ(repaired.exit_code, 0) << repaired.output;
  settle(*hub_);
  if (HasFatalFailure()) return;
  expect_equal();
  expect_both("SELECT id, v FROM kv WHERE id > 0 ORDER BY id", {{"2", "spoke"}, {"3", "unseen"}, {"5", "home"}});
  EXPECT_EQ(duet({"verify"}).exit_code, 0);
  EXPECT_EQ(at_home("SELECT key ->> 'id', type, winner, home_row ->> 'v', spoke_row ->> 'v', result_row ->> 'v' FROM duet.conflict_log WHERE link = '" + link_ + "' ORDER BY (key ->> 'id')::int"),
            (sql_rows{{"3", "repair", "home", "unseen", "home", "unseen"}, {"4", "repair", "home", std::nullopt, "spoke", std::nullopt},
                      {"5", "repair", "home", "home", std::nullopt, "home"}}));
}

}  // namespace duet::testing
