// Each conflict rule on real servers: the hub stands still while both sides write one row, then both are compared.
#include "sync_fixture.hpp"

using namespace duet::testing;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

namespace {

class policies : public sync_test {
 protected:
  policies() {
    at_home("CREATE TABLE item (id bigint PRIMARY KEY, name text, street text, city text, stock bigint NOT NULL, price numeric(12,2) NOT NULL,"
            " updated_at timestamp(6));"
            "ALTER TABLE item REPLICA IDENTITY FULL");
    at_spoke("CREATE TABLE item (id bigint PRIMARY KEY, name text, street text, city text, stock bigint NOT NULL, price decimal(12,2) NOT NULL,"
             " updated_at datetime(6)) CHARACTER SET utf8mb4");
  }
  // The link with this rule for the table, streaming, and rows 1 to 5 on both sides.
  void begin(const std::string& conflict) {
    write_config("  - home: public.item\n    conflict: { " + conflict + " }\n");
    set_up();
    if (HasFatalFailure()) return;
    start();
    if (HasFatalFailure()) return;
    at_home("INSERT INTO item SELECT i, 'old', 'old street', 'old city', 100, 10, '2024-01-01' FROM generate_series(1, 5) i");
    settle(*hub_);
  }
  // `first` and then `second`, at least a second apart where the spoke's log knows no less, neither seen by the other side.
  void unseen(const std::function<void()>& first, const std::function<void()>& second) {
    hub_->signal(SIGSTOP);
    first();
    std::this_thread::sleep_for(spoke().is_mariadb() ? 2100ms : 20ms);
    second();
    hub_->signal(SIGCONT);
    settle(*hub_);
    if (HasFatalFailure()) return;
    const std::string all = "SELECT id, name, street, city, stock, price FROM item ORDER BY id";
    EXPECT_EQ(at_home(all), at_spoke(all));
  }
  sql_rows conflicts() {
    return at_home("SELECT key ->> 'id', type, rule, winner FROM duet.conflict_log WHERE link = '" + link_ + "' ORDER BY (key ->> 'id')::bigint, id");
  }
  sql_rows row(int id, const std::string& columns) { return at_home("SELECT " + columns + " FROM item WHERE id = " + std::to_string(id)); }
};

INSTANTIATE_TEST_SUITE_P(each, policies, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

TEST_P(policies, latest_takes_the_later_commit_of_either_side) {
  begin("rule: latest");
  if (HasFatalFailure()) return;
  unseen([&] { at_home("UPDATE item SET name = 'home' WHERE id = 1"); at_spoke("UPDATE item SET name = 'spoke' WHERE id = 2"); },
         [&] { at_spoke("UPDATE item SET name = 'spoke' WHERE id = 1"); at_home("UPDATE item SET name = 'home' WHERE id = 2"); });
  EXPECT_EQ(row(1, "name"), (sql_rows{{"spoke"}}));
  EXPECT_EQ(row(2, "name"), (sql_rows{{"home"}}));
  EXPECT_EQ(conflicts(), (sql_rows{{"1", "update_origin_differs", "latest", "spoke"}, {"2", "update_origin_differs", "latest", "home"}}));
}

TEST_P(policies, latest_by_a_column_goes_by_its_value_whenever_it_was_written) {
  begin("rule: latest, latest_by: updated_at, merge: row");
  if (HasFatalFailure()) return;
  unseen([&] { at_spoke("UPDATE item SET name = 'spoke', updated_at = '2025-06-01 12:00:00.000002' WHERE id = 1"); },
         [&] { at_home("UPDATE item SET name = 'home', updated_at = '2025-06-01 12:00:00.000001' WHERE id = 1"); });
  expect_both("SELECT name, updated_at FROM item WHERE id = 1", {{"spoke", "2025-06-01 12:00:00.000002"}});
}

TEST_P(policies, spoke_lets_the_spokes_row_stand) {
  begin("rule: spoke");
  if (HasFatalFailure()) return;
  unseen([&] { at_spoke("UPDATE item SET name = 'spoke' WHERE id = 1"); at_spoke("INSERT INTO item VALUES (10, 'spoke', 's', 's', 1, 1, NULL)"); },
         [&] { at_home("UPDATE item SET name = 'home' WHERE id = 1"); at_home("INSERT INTO item VALUES (10, 'home', 'h', 'h', 2, 2, NULL)"); });
  EXPECT_EQ(row(1, "name"), (sql_rows{{"spoke"}}));
  EXPECT_EQ(row(10, "name, street, stock"), (sql_rows{{"spoke", "s", "1"}}));
  EXPECT_EQ(conflicts(), (sql_rows{{"1", "update_origin_differs", "spoke", "spoke"}, {"10", "insert_exists", "spoke", "spoke"}}));
}

TEST_P(policies, different_columns_never_conflict_and_a_group_is_decided_as_one) {
  begin("rule: home, groups: [[street, city]], columns: { price: spoke }");
  if (HasFatalFailure()) return;
  unseen([&] { at_home("UPDATE item SET name = 'home' WHERE id IN (1, 3)"); at_home("UPDATE item SET street = 'home street', price = 11 WHERE id = 2"); },
         [&] { at_spoke("UPDATE item SET stock = 50 WHERE id IN (1, 3)"); at_spoke("UPDATE item SET city = 'spoke city', price = 12, name = 'spoke' WHERE id = 2"); });
  EXPECT_EQ(row(1, "name, stock"), (sql_rows{{"home", "50"}}));
  EXPECT_EQ(row(2, "name, street, city, price"), (sql_rows{{"spoke", "home street", "old city", "12.00"}}));
  EXPECT_EQ(conflicts(), (sql_rows{{"2", "update_origin_differs", "by column", "both"}}));
}

TEST_P(policies, merge_row_lets_one_row_stand_whole) {
  begin("rule: home, merge: row");
  if (HasFatalFailure()) return;
  unseen([&] { at_home("UPDATE item SET name = 'home' WHERE id = 1"); }, [&] { at_spoke("UPDATE item SET stock = 50 WHERE id = 1"); });
  EXPECT_EQ(row(1, "name, stock"), (sql_rows{{"home", "100"}}));
  EXPECT_EQ(conflicts().size(), 1u);
}

TEST_P(policies, what_is_decided_as_one_comes_from_one_side_also_where_the_spoke_wins) {
  begin("rule: spoke, groups: [[street, city]]");
  if (HasFatalFailure()) return;
  unseen([&] { at_home("UPDATE item SET street = 'home street', name = 'home' WHERE id = 1"); }, [&] { at_spoke("UPDATE item SET city = 'spoke city' WHERE id = 1"); });
  EXPECT_EQ(row(1, "name, street, city"), (sql_rows{{"home", "old street", "spoke city"}}));
  EXPECT_EQ(at_home("SELECT home_row ->> 'street', result_row ->> 'street' FROM duet.conflict_log WHERE link = '" + link_ + "'"),
            (sql_rows{{"home street", "old street"}}));
}

TEST_P(policies, deltas_of_both_sides_are_added_exactly_once) {
  begin("rule: home, columns: { stock: delta, price: delta }");
  if (HasFatalFailure()) return;
  unseen([&] {
           for (int i = 0; i < 5; ++i) at_home("UPDATE item SET stock = stock - 3, price = price - 0.05 WHERE id = 1");
           at_home("UPDATE item SET stock = stock - 1, name = 'home' WHERE id = 2");
         },
         [&] {
           for (int i = 0; i < 4; ++i) at_spoke("UPDATE item SET stock = stock + 10, price = price + 1.10 WHERE id = 1");
           at_spoke("UPDATE item SET stock = stock - 2, name = 'spoke' WHERE id = 2");
         });
  EXPECT_EQ(row(1, "stock, price"), (sql_rows{{"125", "14.15"}}));
  EXPECT_EQ(row(2, "stock, name"), (sql_rows{{"97", "home"}})) << "the name was lost, the delta was not";
  EXPECT_EQ(conflicts(), (sql_rows{{"2", "update_origin_differs", "home", "home"}}));
}

TEST_P(policies, an_update_against_a_delete_goes_as_declared) {
  for (const char* rule : {"update_wins", "delete_wins"}) {
    SCOPED_TRACE(rule);
    if (hub_) {
      stop_hub();
      ASSERT_EQ(run({DUET_BINARY, "teardown", "--yes", "-c", config_file()}, 60s).exit_code, 0);
      both("DELETE FROM item");
    }
    begin(std::string("rule: latest, update_vs_delete: ") + rule);
    if (HasFatalFailure()) return;
    unseen([&] { at_home("DELETE FROM item WHERE id = 1"); at_spoke("DELETE FROM item WHERE id = 2"); both("DELETE FROM item WHERE id = 3"); },
           [&] { at_spoke("UPDATE item SET name = 'spoke' WHERE id = 1"); at_home("UPDATE item SET name = 'home' WHERE id = 2"); });
    const bool update_wins = std::string_view(rule) == "update_wins";
    EXPECT_EQ(row(1, "name, city"), update_wins ? (sql_rows{{"spoke", "old city"}}) : sql_rows{});
    EXPECT_EQ(row(2, "name, city"), update_wins ? (sql_rows{{"home", "old city"}}) : sql_rows{});
    EXPECT_EQ(row(3, "name"), sql_rows{});
    EXPECT_EQ(conflicts(), (sql_rows{{"1", "update_deleted", rule, update_wins ? "spoke" : "home"},
                                     {"2", "delete_origin_differs", rule, update_wins ? "home" : "spoke"}}));
  }
}

TEST_P(policies, manual_keeps_both_rows_and_lets_everything_else_pass) {
  begin("rule: manual");
  if (HasFatalFailure()) return;
  hub_->signal(SIGSTOP);
  at_home("UPDATE item SET name = 'home' WHERE id = 1");
  at_spoke("UPDATE item SET name = 'spoke' WHERE id = 1");
  hub_->signal(SIGCONT);
  settle(*hub_);
  if (HasFatalFailure()) return;
  // Later changes of the key stay where they are, on both sides; other keys and columns flow.
  at_home("UPDATE item SET city = 'home city' WHERE id = 1");
  at_spoke("UPDATE item SET street = 'spoke street' WHERE id = 1");
  at_home("UPDATE item SET name = 'flows' WHERE id = 2");
  at_spoke("UPDATE item SET name = 'flows' WHERE id = 3");
  settle(*hub_);
  if (HasFatalFailure()) return;
  EXPECT_EQ(at_home("SELECT name, street, city FROM item WHERE id = 1"), (sql_rows{{"home", "old street", "home city"}}));
  EXPECT_EQ(at_spoke("SELECT name, street, city FROM item WHERE id = 1"), (sql_rows{{"spoke", "spoke street", "old city"}}));
  expect_both("SELECT id FROM item WHERE name = 'flows' ORDER BY id", {{"2"}, {"3"}});
  EXPECT_EQ(at_home("SELECT key ->> 'id', operation FROM duet.held WHERE link = '" + link_ + "' ORDER BY id"), (sql_rows{{"1", "update"}, {"1", "update"}}));
  EXPECT_EQ(at_spoke("SELECT operation FROM duet.held WHERE link = '" + link_ + "'"), (sql_rows{{"update"}}));
  EXPECT_EQ(conflicts(), (sql_rows{{"1", "update_origin_differs", "manual", "nobody"}}));
  EXPECT_EQ(status()["hub"]["held_rows"], 1) << status().dump(2);
}

// Both sides count one stock down as fast as they can, write each other's columns, and the hub is killed.
TEST_P(policies, a_hot_row_with_deltas_is_exact_over_kills_of_the_hub) {
  const unsigned s = seed();
  SCOPED_TRACE("DUET_SEED=" + std::to_string(s));
  std::minstd_rand random(s);
  begin("rule: latest, columns: { stock: delta }");
  if (HasFatalFailure()) return;
  std::atomic<long> sold{0};
  std::vector<std::jthread> tills;
  for (const bool at_home : {true, false, true, false}) {
    tills.emplace_back([&, at_home, n = tills.size()](std::stop_token stop) {
      const auto session = at_home ? home().session(home_db_) : spoke().session(spoke_db_);
      std::minstd_rand mine(s + static_cast<unsigned>(n));
      while (!stop.stop_requested()) {
        const int id = 1 + static_cast<int>(mine() % 3), pieces = 1 + static_cast<int>(mine() % 4);
        try {
          session->exec("UPDATE item SET stock = stock - " + std::to_string(pieces) + (mine() % 3 ? "" : ", name = 'till " + std::to_string(mine() % 100) + "'") +
                        " WHERE id = " + std::to_string(id));
          sold += pieces;
        } catch (const sql_error&) {  // the victim of a deadlock: nothing was sold
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(mine() % 6));
      }
    });
  }
  for (int kills = long_form() ? 30 : 3; kills > 0; --kills) {
    std::this_thread::sleep_for(std::chrono::milliseconds(200 + random() % 400));
    ASSERT_TRUE(hub_->running()) << hub_->output();
    hub_->kill9();
    start();
    if (HasFatalFailure()) break;
  }
  std::this_thread::sleep_for(300ms);
  tills.clear();
  if (HasFatalFailure()) return;
  settle(*hub_);
  if (HasFatalFailure()) return;
  expect_both("SELECT sum(stock) FROM item", {{std::to_string(500 - sold)}});
  const std::string all = "SELECT id, name, street, city, stock, price FROM item ORDER BY id";
  EXPECT_EQ(at_home(all), at_spoke(all));
  EXPECT_EQ(at_home("SELECT count(*) FROM duet.conflict_log WHERE link = '" + link_ + "' AND rule = 'drift'"), (sql_rows{{"0"}}));
  EXPECT_EQ(at_spoke("SELECT count(*) FROM duet.conflict_log WHERE link = '" + link_ + "'"), (sql_rows{{"0"}}));
  EXPECT_GT(conflicts().size(), 0u) << "no two writes have met";
}
