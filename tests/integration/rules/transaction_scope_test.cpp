// `scope: transaction`: where home's row stands against one row of a transaction of the spoke, the whole transaction is given up.
#include "integration/sync/sync_fixture.hpp"

using namespace duet::testing;
using ::testing::HasSubstr;

namespace {

class transaction_scope : public sync_test {
 protected:
  transaction_scope() {
    at_home("CREATE TABLE account (id bigint PRIMARY KEY, owner text, balance bigint NOT NULL); ALTER TABLE account REPLICA IDENTITY FULL;"
            "CREATE TABLE receipt (id bigint PRIMARY KEY, account bigint NOT NULL REFERENCES account); ALTER TABLE receipt REPLICA IDENTITY FULL;"
            "CREATE TABLE note (id bigint PRIMARY KEY, t text); ALTER TABLE note REPLICA IDENTITY FULL");
    at_spoke("CREATE TABLE account (id bigint PRIMARY KEY, owner text, balance bigint NOT NULL) ENGINE = InnoDB, CHARACTER SET utf8mb4");
    at_spoke("CREATE TABLE receipt (id bigint PRIMARY KEY, account bigint NOT NULL, FOREIGN KEY (account) REFERENCES account (id)) ENGINE = InnoDB");
    at_spoke("CREATE TABLE note (id bigint PRIMARY KEY, t text) ENGINE = InnoDB, CHARACTER SET utf8mb4");
  }
  void begin(const std::string& tuning = "") {
    write_config("  - home: public.account\n    conflict: { rule: home, scope: transaction }\n"
                 "  - home: public.receipt\n    conflict: { rule: home, scope: transaction }\n"
                 "  - home: public.note\n    conflict: { rule: home }\n", tuning);
    set_up();
    if (HasFatalFailure()) return;
    start();
    if (HasFatalFailure()) return;
    at_home("INSERT INTO account SELECT i, 'old', 100 FROM generate_series(1, 9) i");
    settle(*hub_);
  }
  sql_rows conflicts() {
    return at_home("SELECT table_name, key ->> 'id', type, rule, winner FROM duet.conflict_log WHERE link = '" + link_ +
                   "' ORDER BY table_name, (key ->> 'id')::bigint, id");
  }
};

INSTANTIATE_TEST_SUITE_P(each, transaction_scope, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

TEST_P(transaction_scope, a_transfer_stands_whole_or_not_at_all) {
  begin();
  if (HasFatalFailure()) return;
  unseen([&] {
    at_home("UPDATE account SET balance = 50 WHERE id = 1");
    const auto session = spoke().session(spoke_db_);
    session->exec("BEGIN");  // meets home's at account 1 only
    session->exec("UPDATE account SET balance = 90 WHERE id = 1");
    session->exec("UPDATE account SET balance = 110 WHERE id = 2");
    session->exec("INSERT INTO note VALUES (1, 'goes by itself')");
    session->exec("COMMIT");
    session->exec("BEGIN");  // made on what the first one has left
    session->exec("UPDATE account SET balance = 60 WHERE id = 2");
    session->exec("UPDATE account SET balance = 150 WHERE id = 3");
    session->exec("COMMIT");
    session->exec("BEGIN");
    session->exec("UPDATE account SET balance = 70 WHERE id = 4");
    session->exec("UPDATE account SET balance = 130 WHERE id = 5");
    session->exec("COMMIT");
  });
  if (HasFatalFailure()) return;
  expect_both("SELECT id, balance FROM account WHERE id <= 5 ORDER BY id", {{"1", "50"}, {"2", "100"}, {"3", "100"}, {"4", "70"}, {"5", "130"}});
  expect_both("SELECT id, t FROM note", {{"1", "goes by itself"}});
  // The second write of account 2 may come in a batch of its own: then it meets home's answer to the first.
  const auto all = [](const char* second) {
    return sql_rows{{"public.account", "1", "update_origin_differs", "home", "home"}, {"public.account", "2", "transaction_given_up", "home", "home"},
                    {"public.account", "2", second, "home", "home"}, {"public.account", "3", "transaction_given_up", "home", "home"}};
  };
  EXPECT_THAT(conflicts(), ::testing::AnyOf(all("transaction_given_up"), all("update_origin_differs")));
  EXPECT_EQ(at_home("SELECT spoke_row ->> 'balance' FROM duet.conflict_log WHERE link = '" + link_ + "' AND key ->> 'id' = '2' ORDER BY id"),
            (sql_rows{{"110"}, {"60"}}));
  // What the spoke does afterwards has seen it.
  at_spoke("UPDATE account SET balance = 1 WHERE id IN (1, 2, 3)");
  settle(*hub_);
  expect_both("SELECT id, balance FROM account WHERE id <= 3 ORDER BY id", {{"1", "1"}, {"2", "1"}, {"3", "1"}});
  EXPECT_EQ(conflicts().size(), 4u);
}

TEST_P(transaction_scope, parents_and_children_are_undone_in_the_order_that_keys_allow) {
  begin();
  if (HasFatalFailure()) return;
  at_home("INSERT INTO account VALUES (20, 'old', 0); INSERT INTO receipt VALUES (20, 20)");
  settle(*hub_);
  if (HasFatalFailure()) return;
  unseen([&] {
    at_home("UPDATE account SET owner = 'home' WHERE id = 1");
    const auto session = spoke().session(spoke_db_);
    session->exec("BEGIN");
    session->exec("INSERT INTO account VALUES (10, 'new', 1)");
    session->exec("INSERT INTO receipt VALUES (10, 10), (11, 10)");
    session->exec("DELETE FROM receipt WHERE id = 20");
    session->exec("DELETE FROM account WHERE id = 20");
    session->exec("UPDATE account SET owner = 'spoke' WHERE id = 1");
    session->exec("COMMIT");
  });
  if (HasFatalFailure()) return;
  expect_both("SELECT id, owner, balance FROM account WHERE id IN (1, 10, 20) ORDER BY id", {{"1", "home", "100"}, {"20", "old", "0"}});
  expect_both("SELECT id, account FROM receipt ORDER BY id", {{"20", "20"}});
  EXPECT_EQ(at_spoke("SELECT reason FROM duet.held WHERE link = '" + link_ + "'"), sql_rows{});
  EXPECT_EQ(conflicts().size(), 6u);
}

TEST_P(transaction_scope, a_transaction_larger_than_a_batch_is_given_up_whole) {
  begin("tuning: { batch_rows: 100 }\n");
  if (HasFatalFailure()) return;
  at_home("INSERT INTO account SELECT i, 'old', 0 FROM generate_series(1001, 2000) i");
  settle(*hub_);
  if (HasFatalFailure()) return;
  unseen([&] {
    at_home("UPDATE account SET owner = 'home' WHERE id = 2000");
    at_spoke("UPDATE account SET owner = 'spoke' WHERE id > 1000");
    at_spoke("UPDATE account SET owner = 'later' WHERE id = 2");
  });
  if (HasFatalFailure()) return;
  expect_both("SELECT owner, count(*) FROM account WHERE id > 1000 GROUP BY owner ORDER BY owner", {{"home", "1"}, {"old", "999"}});
  expect_both("SELECT owner FROM account WHERE id = 2", {{"later"}});
  EXPECT_EQ(at_home("SELECT type, count(*) FROM duet.conflict_log WHERE link = '" + link_ + "' GROUP BY type ORDER BY type"),
            (sql_rows{{"transaction_given_up", "999"}, {"update_origin_differs", "1"}}));
}

TEST_P(transaction_scope, several_large_transactions_are_given_up_one_after_the_other_without_a_pause) {
  begin("tuning: { batch_rows: 100 }\n");
  if (HasFatalFailure()) return;
  unseen([&] {
    at_home("UPDATE account SET owner = 'home'");
    const auto session = spoke().session(spoke_db_);
    for (int k = 1; k <= 8; ++k) {
      session->exec("BEGIN");
      std::string rows;
      for (int i = 0; i < 400; ++i) rows += (i ? ", (" : "(") + std::to_string(k * 10000 + i) + ", 'spoke', 0)";
      session->exec("INSERT INTO account VALUES " + rows);
      session->exec("UPDATE account SET owner = 'spoke' WHERE id = " + std::to_string(k));
      session->exec("COMMIT");
    }
  });
  if (HasFatalFailure()) return;
  expect_both("SELECT owner, count(*) FROM account GROUP BY owner", {{"home", "9"}});
  EXPECT_EQ(at_home("SELECT type, count(*) FROM duet.conflict_log WHERE link = '" + link_ + "' GROUP BY type ORDER BY type"),
            (sql_rows{{"transaction_given_up", "3200"}, {"update_origin_differs", "8"}}));
  EXPECT_THAT(hub_->output(), ::testing::Not(HasSubstr("connection_lost")));
}
