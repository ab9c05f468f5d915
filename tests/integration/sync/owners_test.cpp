// conflict.own on real servers: what one side owns, the other one's updates do not change, seen or unseen.
#include "sync_fixture.hpp"

using namespace duet::testing;

namespace {

class owners : public sync_test {
 protected:
  owners() {
    at_home("CREATE TABLE item (id bigint PRIMARY KEY, name text, billing text, note text, stock bigint NOT NULL);"
            "ALTER TABLE item REPLICA IDENTITY FULL");
    at_spoke("CREATE TABLE item (id bigint PRIMARY KEY, name text, billing varchar(20), note text, stock bigint NOT NULL) CHARACTER SET utf8mb4");
    write_config("  - home: public.item\n    conflict: { rule: latest, columns: { stock: delta }, own: { name: home, billing: spoke } }\n");
  }
  void begin() {
    set_up();
    if (HasFatalFailure()) return;
    start();
    if (HasFatalFailure()) return;
    at_home("INSERT INTO item SELECT i, 'name', 'open', 'note', 100 FROM generate_series(1, 9) i");
    settle(*hub_);
  }
  bool both_become(int id, const std::string& columns, const sql_rows& wanted) {
    const std::string sql = "SELECT " + columns + " FROM item WHERE id = " + std::to_string(id);
    return eventually([&] { return at_home(sql) == wanted && at_spoke(sql) == wanted; }, 20s);
  }
  sql_rows conflicts() {
    return at_home("SELECT key ->> 'id', rule, winner FROM duet.conflict_log WHERE link = '" + link_ + "' ORDER BY id");
  }
};

INSTANTIATE_TEST_SUITE_P(each, owners, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

TEST_P(owners, an_update_by_the_other_side_is_put_back_and_the_rest_of_it_goes_on) {
  begin();
  if (HasFatalFailure()) return;
  at_spoke("UPDATE item SET name = 'theirs', note = 'kept', stock = stock - 10 WHERE id = 1");
  EXPECT_TRUE(both_become(1, "name, note, stock", {{"name", "kept", "90"}})) << hub_->output();
  at_home("UPDATE item SET billing = 'paid', note = 'kept', stock = stock - 20 WHERE id = 2");
  EXPECT_TRUE(both_become(2, "billing, note, stock", {{"open", "kept", "80"}})) << hub_->output();
  at_spoke("UPDATE item SET name = 'alone' WHERE id = 3");
  EXPECT_TRUE(both_become(3, "name", {{"name"}})) << hub_->output();
  at_home("UPDATE item SET billing = 'alone' WHERE id = 4");
  EXPECT_TRUE(both_become(4, "billing", {{"open"}})) << hub_->output();
  EXPECT_EQ(conflicts(), (sql_rows{{"1", "own", "home"}, {"2", "own", "spoke"}, {"3", "own", "home"}, {"4", "own", "spoke"}}));
  EXPECT_EQ(at_home("SELECT spoke_row ->> 'name', result_row ->> 'name' FROM duet.conflict_log WHERE key ->> 'id' = '1'"), (sql_rows{{"theirs", "name"}}));
  EXPECT_EQ(at_home("SELECT home_row ->> 'billing', result_row ->> 'billing' FROM duet.conflict_log WHERE key ->> 'id' = '2'"), (sql_rows{{"paid", "open"}}));
  expect_equal();
}

TEST_P(owners, an_owner_changes_inserts_and_deletes_as_it_likes) {
  begin();
  if (HasFatalFailure()) return;
  at_home("UPDATE item SET name = 'home' WHERE id = 1");
  at_spoke("UPDATE item SET billing = 'paid' WHERE id = 1");
  at_home("INSERT INTO item VALUES (20, 'a', 'b', 'c', 1)");
  at_spoke("INSERT INTO item VALUES (21, 'a', 'b', 'c', 1)");
  at_home("DELETE FROM item WHERE id = 2");
  at_spoke("DELETE FROM item WHERE id = 3");
  settle(*hub_);
  if (HasFatalFailure()) return;
  expect_both("SELECT id, name, billing FROM item WHERE id IN (1, 2, 3, 20, 21) ORDER BY id",
              {{"1", "home", "paid"}, {"20", "a", "b"}, {"21", "a", "b"}});
  EXPECT_EQ(conflicts(), sql_rows{});
}

TEST_P(owners, what_both_write_unseen_is_the_owners) {
  begin();
  if (HasFatalFailure()) return;
  hub_->signal(SIGSTOP);
  at_home("UPDATE item SET name = 'home', billing = 'home' WHERE id = 1");
  at_spoke("UPDATE item SET name = 'spoke', billing = 'spoke' WHERE id = 1");
  at_home("UPDATE item SET billing = 'first' WHERE id = 2");
  at_home("UPDATE item SET billing = 'second' WHERE id = 2");
  at_home("UPDATE item SET id = 12 WHERE id = 2");
  at_home("UPDATE item SET billing = 'gone' WHERE id = 3");
  at_home("DELETE FROM item WHERE id = 3");
  at_home("INSERT INTO item VALUES (3, 'new', 'new', 'new', 0)");
  hub_->signal(SIGCONT);
  EXPECT_TRUE(both_become(1, "name, billing", {{"home", "spoke"}})) << hub_->output();
  EXPECT_TRUE(both_become(12, "billing", {{"open"}})) << hub_->output();
  EXPECT_TRUE(both_become(3, "billing", {{"new"}})) << hub_->output();
  expect_both("SELECT id FROM item WHERE id = 2", {});
}

TEST_P(owners, nothing_is_forgotten_by_a_hub_that_is_killed) {
  begin();
  if (HasFatalFailure()) return;
  for (int round = 0; round < (long_form() ? 30 : 6); ++round) {
    for (int id = 1; id <= 9; ++id) {
      at_home("UPDATE item SET billing = 'round " + std::to_string(round) + "' WHERE id = " + std::to_string(id));
      at_spoke("UPDATE item SET name = 'round " + std::to_string(round) + "' WHERE id = " + std::to_string(id));
      if (id % 3 == 0) at_spoke("UPDATE item SET billing = 'by the owner " + std::to_string(round) + "' WHERE id = " + std::to_string(id));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(round * 7));
    hub_->signal(SIGKILL);
    hub_->wait(10s);
    start();
    if (HasFatalFailure()) return;
  }
  const std::string all = "SELECT id, name, billing, stock FROM item ORDER BY id";
  sql_rows wanted;
  const std::string last = std::to_string((long_form() ? 30 : 6) - 1);
  for (int id = 1; id <= 9; ++id) wanted.push_back({std::to_string(id), "name", id % 3 ? "open" : "by the owner " + last, "100"});
  EXPECT_TRUE(eventually([&] { return at_home(all) == wanted && at_spoke(all) == wanted; }, 30s)) << hub_->output();
  EXPECT_EQ(at_home(all), wanted);
  EXPECT_EQ(at_spoke(all), wanted);
  expect_equal();
}
