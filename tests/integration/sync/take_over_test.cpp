// A link has one hub. A second one waits for an order, and after the order the first one never writes again.
#include "sync_fixture.hpp"

using namespace duet::testing;
using ::testing::AnyOf;
using ::testing::HasSubstr;

namespace {

class two_hubs : public sync_test {
 protected:
  std::string epochs() {
    const std::string sql = "SELECT epoch FROM duet.control WHERE link = '" + link_ + "'";
    return at_home(sql).at(0).at(0).value() + " " + at_spoke(sql).at(0).at(0).value();
  }
};

INSTANTIATE_TEST_SUITE_P(each, two_hubs, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

TEST_P(two_hubs, the_second_refuses_and_the_first_goes_on) {
  set_up();
  start();
  const std::string before = epochs();
  const auto second = start_hub("other.yaml");
  const auto code = second->wait(60s);
  ASSERT_TRUE(code) << second->output();
  EXPECT_EQ(*code, 4) << second->output();
  EXPECT_THAT(second->output(), HasSubstr("already_running"));
  EXPECT_EQ(epochs(), before);
  settle(*hub_);
  expect_equal();
}

TEST_P(two_hubs, the_second_takes_over_from_a_frozen_first_which_never_writes_again) {
  set_up();
  start();
  two_way_load load(home(), home_db_, spoke(), spoke_db_, seed());
  std::this_thread::sleep_for(500ms);
  hub_->signal(SIGSTOP);
  const auto second = start_hub("other.yaml", {"--take-over"});
  ASSERT_TRUE(streams(*second)) << second->output();
  settle(*second);
  if (HasFatalFailure()) return;
  const std::string after = epochs();
  hub_->signal(SIGCONT);
  const auto code = hub_->wait(90s);
  ASSERT_TRUE(code) << hub_->output();
  EXPECT_EQ(*code, 4) << hub_->output();
  EXPECT_THAT(hub_->output(), AnyOf(HasSubstr("already_running"), HasSubstr("fenced")));
  EXPECT_EQ(epochs(), after);
  load.stop_writing();
  settle(*second);
  load.stop();
  if (HasFatalFailure()) return;
  EXPECT_EQ(epochs(), after);
  expect_equal();
  load.expect_no_half_pair();
}

// The first one finds its connections gone and the link free. It was taken over from, so it does not come back.
TEST_P(two_hubs, the_first_does_not_come_back_when_the_second_has_gone) {
  set_up();
  start();
  settle(*hub_);
  if (HasFatalFailure()) return;
  hub_->signal(SIGSTOP);
  const auto second = start_hub("other.yaml", {"--take-over"});
  ASSERT_TRUE(streams(*second)) << second->output();
  settle(*second);
  if (HasFatalFailure()) return;
  second->signal(SIGTERM);
  ASSERT_EQ(second->wait(60s), 0) << second->output();
  const std::string after = epochs();
  hub_->signal(SIGCONT);
  const auto code = hub_->wait(90s);
  ASSERT_TRUE(code) << "it runs again:\n" << hub_->output();
  EXPECT_EQ(*code, 4) << hub_->output();
  EXPECT_THAT(hub_->output(), HasSubstr("fenced"));
  EXPECT_EQ(epochs(), after);
}
