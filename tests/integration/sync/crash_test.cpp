// The hub and both servers, killed in the middle of two-way work: nothing is lost, nothing is done twice, no transaction is
// seen by halves. DUET_LONG: as often as the promise says. DUET_SEED: the same work and moments again.
#include "sync_fixture.hpp"

using namespace duet::testing;

namespace {

class crash : public sync_test {};

INSTANTIATE_TEST_SUITE_P(each, crash, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

TEST_P(crash, a_hub_killed_at_any_moment_loses_and_doubles_nothing) {
  set_up();
  const unsigned s = seed();
  SCOPED_TRACE("DUET_SEED=" + std::to_string(s));
  std::minstd_rand random(s);
  two_way_load load(home(), home_db_, spoke(), spoke_db_, s);
  for (int kills = long_form() ? 50 : 8; kills > 0; --kills) {
    hub_ = start_hub();
    if (random() % 4 != 0) {  // else killed while it starts
      ASSERT_TRUE(streams(*hub_)) << hub_->output();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 800));
    ASSERT_TRUE(hub_->running()) << hub_->output();
    hub_->kill9();
  }
  start();
  std::this_thread::sleep_for(500ms);
  load.stop_writing();
  settle(*hub_);
  load.stop();
  if (HasFatalFailure()) return;
  expect_all_there(load);
}

TEST_P(crash, servers_killed_at_any_moment_lose_and_double_nothing) {
  set_up();
  const unsigned s = seed();
  SCOPED_TRACE("DUET_SEED=" + std::to_string(s));
  std::minstd_rand random(s);
  start();
  two_way_load load(home(), home_db_, spoke(), spoke_db_, s);
  for (int kills = long_form() ? 10 : 1; kills > 0; --kills) {
    for (private_server* server : {static_cast<private_server*>(&home()), static_cast<private_server*>(&spoke())}) {
      std::this_thread::sleep_for(std::chrono::milliseconds(200 + random() % 800));
      server->kill9();
      server->start();
      settle(*hub_);  // the hub comes back by itself
      if (HasFatalFailure()) return;
    }
  }
  std::this_thread::sleep_for(300ms);
  load.stop_writing();
  settle(*hub_);
  load.stop();
  if (HasFatalFailure()) return;
  expect_all_there(load);
}
