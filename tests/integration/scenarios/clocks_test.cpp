// Scenario 3: home's clock is ten seconds ahead of the spoke's.
#include <filesystem>

#include "scenario_fixture.hpp"

namespace duet::testing {

using ::testing::HasSubstr;

namespace {

private_postgres& home_ahead() {
  static const temporary_folder passable("clock");  // the server's user must reach the library
  static const auto server = [] {
    const std::string library = passable.file("clock_ahead.so");
    std::filesystem::copy_file(DUET_CLOCK_AHEAD, library);
    ::setenv("LD_PRELOAD", library.c_str(), 1);
    ::setenv("CLOCK_AHEAD_S", "10", 1);
    auto made = std::make_unique<private_postgres>();
    ::unsetenv("LD_PRELOAD");
    ::unsetenv("CLOCK_AHEAD_S");
    return made;
  }();
  return *server;
}

class scenario_of_two_clocks : public sync_test {
 protected:
  scenario_of_two_clocks() : sync_test(home_ahead(), sync_spoke(GetParam())) {
    both("CREATE TABLE item (id bigint PRIMARY KEY, f text)");
    at_home("ALTER TABLE item REPLICA IDENTITY FULL");
    write_config("  - home: public.item\n    conflict: { rule: latest }\n");
  }
};

INSTANTIATE_TEST_SUITE_P(each, scenario_of_two_clocks, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

TEST_P(scenario_of_two_clocks, s03_the_later_write_of_the_slow_clock_loses_and_the_log_says_by_how_much_the_clocks_differ) {
  set_up();
  if (HasFatalFailure()) return;
  start();
  if (HasFatalFailure()) return;
  ASSERT_GT(std::stod(*at_home("SELECT extract(epoch FROM clock_timestamp())").at(0).at(0)) - std::stod(*at_spoke("SELECT UNIX_TIMESTAMP(SYSDATE(6))").at(0).at(0)), 9.5)
      << "home's clock is not ahead";
  const auto clocks = [&] { return status()["hub"]["clocks"]; };
  ASSERT_TRUE(eventually([&] { return clocks().is_object(); }, 20s)) << hub_->output();
  EXPECT_EQ(clocks()["beyond_limit"], true);
  EXPECT_THAT(run({DUET_BINARY, "check", "-c", config_file()}, 60s).output, HasSubstr("the spoke's clock is"));
  at_home("INSERT INTO item VALUES (1, 'old')");
  settle(*hub_);
  hub_->signal(SIGSTOP);
  at_home("UPDATE item SET f = '1' WHERE id = 1");
  std::this_thread::sleep_for(1s);  // by whatever clock
  at_spoke("UPDATE item SET f = '2' WHERE id = 1");
  hub_->signal(SIGCONT);
  settle(*hub_);
  if (HasFatalFailure()) return;
  expect_both("SELECT f FROM item", {{"1"}});
  EXPECT_EQ(at_home("SELECT type, rule, winner, result, home_row ->> 'f', spoke_row ->> 'f', result_row ->> 'f' FROM duet.conflict_log WHERE link = '" + link_ + "'"),
            (sql_rows{{"update_origin_differs", "latest", "home", "home's row stands and was sent to the spoke again", "1", "2", "1"}}));
  const auto told = at_home("SELECT extract(epoch FROM spoke_time - home_time)::float8, clock_offset_us / 1e6 FROM duet.conflict_log WHERE link = '" + link_ + "'").at(0);
  EXPECT_NEAR(std::stod(told[0].value()), -9, 1.5);  // MariaDB tells whole seconds
  EXPECT_NEAR(std::stod(told[1].value()), -10, 0.5);
}

}  // namespace duet::testing
