// What the hub does beside its lanes: the comparison of the clocks and the age of the conflict log.
#include "integration/sync/sync_fixture.hpp"

using namespace duet::testing;
using ::testing::HasSubstr;

namespace {

class upkeep : public sync_test {
 protected:
  std::string old_conflict(const std::string& id, const std::string& age) {
    return "INSERT INTO duet.conflict_log (link, table_name, KEY, type, rule, winner, result, decided_at) VALUES ('" + link_ + "', 'public.kv', '{\"id\": \"" + id +
           "\"}', 'update_origin_differs', 'home', 'home', 'a test', " + age + ")";
  }
  void conflict_at_home(const std::string& id, const std::string& age) {
    std::string sql = old_conflict(id, "now() - interval '" + age + "'");
    at_home(sql.replace(sql.find("KEY"), 3, "key"));
  }
  void conflict_at_spoke(const std::string& id, const std::string& days) {
    std::string sql = old_conflict(id, "UTC_TIMESTAMP(6) - INTERVAL " + days + " DAY");
    at_spoke(sql.replace(sql.find("KEY"), 3, "`key`"));
  }
  bool measured() {
    return eventually([&] { return !status()["hub"]["clocks"].is_null(); }, 30s);
  }
};

INSTANTIATE_TEST_SUITE_P(each, upkeep, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

TEST_P(upkeep, compares_the_clocks_and_says_so_everywhere) {
  set_up();
  if (HasFatalFailure()) return;
  start();
  if (HasFatalFailure()) return;
  ASSERT_TRUE(measured()) << hub_->output();
  const auto clocks = status()["hub"]["clocks"];  // both servers have the machine's clock
  EXPECT_LE(std::abs(clocks["offset_us"].get<long>()), clocks["error_us"].get<long>() + 50'000) << clocks;
  EXPECT_GT(clocks["error_us"].get<long>(), 0) << clocks;
  EXPECT_EQ(clocks["limit_us"], 1'000'000) << clocks;
  EXPECT_EQ(clocks["beyond_limit"], false) << clocks;
  const auto text = run({DUET_BINARY, "status", "-c", config_file()}, 60s);
  EXPECT_THAT(text.output, HasSubstr("the spoke's clock is"));
  EXPECT_EQ(text.exit_code, 0);
  EXPECT_THAT(run({DUET_BINARY, "check", "-c", config_file()}, 60s).output, HasSubstr("the spoke's clock is"));

  at_home("INSERT INTO kv VALUES (1, 1, 'base')");
  settle(*hub_);
  hub_->signal(SIGSTOP);
  at_home("UPDATE kv SET v = 'home' WHERE id = 1");
  at_spoke("UPDATE kv SET v = 'spoke' WHERE id = 1");
  hub_->signal(SIGCONT);
  settle(*hub_);
  if (HasFatalFailure()) return;
  const auto logged = at_home("SELECT id, clock_offset_us FROM duet.conflict_log WHERE link = '" + link_ + "'");
  ASSERT_EQ(logged.size(), 1u);
  ASSERT_TRUE(logged[0][1].has_value());
  EXPECT_LE(std::abs(std::stol(*logged[0][1])), 100'000);
  const auto shown = run({DUET_BINARY, "conflicts", "show", *logged[0][0], "--json", "-c", config_file()}, 60s);
  EXPECT_EQ(nlohmann::json::parse(shown.output)["conflict"]["clock_offset_us"], std::stol(*logged[0][1])) << shown.output;
}

TEST_P(upkeep, brings_bookkeeping_of_an_earlier_version_up_to_date_at_setup) {
  set_up();
  if (HasFatalFailure()) return;
  both("ALTER TABLE duet.conflict_log DROP COLUMN clock_offset_us");
  const auto hub = start_hub();
  const auto code = hub->wait(60s);
  ASSERT_TRUE(code) << hub->output();
  EXPECT_EQ(*code, 4) << hub->output();
  EXPECT_THAT(hub->output(), HasSubstr("earlier version of Duet"));
  const auto printed = run({DUET_BINARY, "setup", "--print", "-c", config_file()}, 60s);
  EXPECT_THAT(printed.output, HasSubstr("ADD COLUMN"));
  set_up();
  if (HasFatalFailure()) return;
  start();
}

TEST_P(upkeep, removes_old_conflicts_but_not_those_of_keys_that_wait) {
  write_config("", "");
  set_up();
  if (HasFatalFailure()) return;
  at_home("INSERT INTO duet.conflict_log (link, table_name, key, type, rule, winner, result, decided_at) SELECT '" + link_ +
          "', 'public.kv', jsonb_build_object('id', i::text), 'update_origin_differs', 'home', 'home', 'a test', now() - interval '91 days'"
          " FROM generate_series(1000, 3499) i");
  for (const char* id : {"7", "8", "9"}) conflict_at_home(id, "91 days");
  conflict_at_home("10", "89 days");
  at_home("INSERT INTO duet.conflict_log (link, table_name, key, type, rule, winner, result, decided_at) VALUES"
          " ('another', 'public.kv', '{\"id\": \"11\"}', 'update_origin_differs', 'home', 'home', 'a test', now() - interval '200 days')");
  for (const char* id : {"7", "8", "9"}) conflict_at_spoke(id, "91");
  conflict_at_spoke("10", "89");
  at_home("INSERT INTO duet.held (link, table_name, key, token, operation, reason, source_position) VALUES ('" + link_ +
          "', 'public.kv', '{\"id\": \"8\"}', 8, 'update', 'a test', 1)");
  at_spoke("INSERT INTO duet.held (link, table_name, `key`, token, operation, reason, source_position) VALUES ('" + link_ +
           "', 'public.kv', '{\"id\":\"9\"}', 9, 'update', 'a test', 1)");
  start();
  if (HasFatalFailure()) return;
  ASSERT_TRUE(says(*hub_, "2502 rows of duet.conflict_log older than 90 days are removed", 30s)) << hub_->output();
  EXPECT_EQ(at_home("SELECT link = '" + link_ + "', key ->> 'id' FROM duet.conflict_log WHERE link IN ('" + link_ + "', 'another') ORDER BY (key ->> 'id')::int"),
            (sql_rows{{"t", "8"}, {"t", "9"}, {"t", "10"}, {"f", "11"}}));
  EXPECT_EQ(at_spoke("SELECT count(*) FROM duet.conflict_log WHERE link = '" + link_ + "'"), (sql_rows{{"3"}}));
  at_home("DELETE FROM duet.held WHERE link = '" + link_ + "'; DELETE FROM duet.conflict_log WHERE link = 'another'");
  at_spoke("DELETE FROM duet.held WHERE link = '" + link_ + "'");
}

TEST_P(upkeep, holds_up_no_stop_when_a_server_stands_still) {
  set_up();
  if (HasFatalFailure()) return;
  start();
  if (HasFatalFailure()) return;
  spoke().sigstop();
  hub_->signal(SIGTERM);
  const auto code = hub_->wait(10s);
  spoke().sigcont();
  ASSERT_TRUE(code) << hub_->output();
  EXPECT_EQ(*code, 0) << hub_->output();
}

TEST_P(upkeep, holds_up_no_stop_when_a_login_gets_no_answer) {
  set_up();
  if (HasFatalFailure()) return;
  spoke().sigstop();
  const auto hub = start_hub();
  ASSERT_TRUE(says(*hub, "starting between", 10s)) << hub->output();
  std::this_thread::sleep_for(300ms);
  hub->signal(SIGTERM);
  const auto code = hub->wait(10s);
  spoke().sigcont();
  ASSERT_TRUE(code) << hub->output();
  EXPECT_EQ(*code, 0) << hub->output();
}
