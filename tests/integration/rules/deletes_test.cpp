// `deletes`: what a delete of one side does on the other one, and what follows where it does nothing.
#include "integration/sync/sync_fixture.hpp"

using namespace duet::testing;
using ::testing::HasSubstr;

namespace {

class deletes : public sync_test {
 protected:
  deletes() {
    at_home("CREATE TABLE item (id bigint PRIMARY KEY, name text, stock bigint NOT NULL DEFAULT 0, archived_at timestamptz);"
            "ALTER TABLE item REPLICA IDENTITY FULL;"
            "CREATE TABLE parent (id bigint PRIMARY KEY); ALTER TABLE parent REPLICA IDENTITY FULL;"
            "CREATE TABLE child (id bigint PRIMARY KEY, parent bigint REFERENCES parent ON DELETE CASCADE); ALTER TABLE child REPLICA IDENTITY FULL");
    at_spoke("CREATE TABLE item (id bigint PRIMARY KEY, name text, stock bigint NOT NULL DEFAULT 0, archived_at datetime(6) NULL) CHARACTER SET utf8mb4");
    at_spoke("CREATE TABLE parent (id bigint PRIMARY KEY) ENGINE = InnoDB");
    at_spoke("CREATE TABLE child (id bigint PRIMARY KEY, parent bigint, FOREIGN KEY (parent) REFERENCES parent (id) ON DELETE CASCADE) ENGINE = InnoDB");
  }
  void begin(const std::string& rules) {
    write_config("  - home: public.item\n    exclude: [archived_at]\n    conflict: { rule: latest }\n    " + rules +
                 "\n  - home: public.parent\n    deletes: ignore\n  - home: public.child\n    deletes: ignore\n");
    set_up();
    if (HasFatalFailure()) return;
    start();
    if (HasFatalFailure()) return;
    at_home("INSERT INTO item (id, name) SELECT i, 'old' FROM generate_series(1, 9) i");
    settle(*hub_);
  }
  std::string log_of(const char* key) { return "SELECT type, rule, winner FROM duet.conflict_log WHERE link = '" + link_ + "' AND " + key + " ORDER BY id"; }
  sql_rows ids_at_home() { return at_home("SELECT id FROM item ORDER BY id"); }
  sql_rows ids_at_spoke() { return at_spoke("SELECT id FROM item ORDER BY id"); }
  void settled() { settle(*hub_); }
};

INSTANTIATE_TEST_SUITE_P(each, deletes, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

TEST_P(deletes, that_are_ignored_leave_the_row_and_go_by_their_own_direction) {
  begin("deletes: { from_home: ignore, from_spoke: propagate }");
  if (HasFatalFailure()) return;
  at_home("DELETE FROM item WHERE id <= 3");
  at_spoke("DELETE FROM item WHERE id = 9");
  settled();
  if (HasFatalFailure()) return;
  EXPECT_EQ(at_home("SELECT min(id), max(id), count(*) FROM item"), (sql_rows{{"4", "8", "5"}}));
  EXPECT_EQ(at_spoke("SELECT min(id), max(id), count(*) FROM item"), (sql_rows{{"1", "8", "8"}}));
  const auto told = status();
  EXPECT_EQ(told["hub"]["lanes"]["home_to_spoke"]["rows"]["deletes_ignored"], 3) << told;
  EXPECT_EQ(told["exit_code"], 0) << told;

  // What the spoke changes of a row that it alone has comes home as a new one; what home puts in again is written over it.
  at_spoke("UPDATE item SET name = 'spoke' WHERE id = 1");
  at_home("INSERT INTO item (id, name) VALUES (2, 'home again')");
  at_spoke("DELETE FROM item WHERE id = 3");
  settled();
  if (HasFatalFailure()) return;
  expect_both("SELECT id, name FROM item WHERE id <= 3 ORDER BY id", {{"1", "spoke"}, {"2", "home again"}});
  EXPECT_EQ(at_home(log_of("rule <> ''")), sql_rows{});
  EXPECT_EQ(at_spoke(log_of("JSON_EXTRACT(`key`, '$.id') = '2'")), (sql_rows{{"insert_exists", "deletes", "home"}}));
  EXPECT_EQ(at_spoke(log_of("rule <> ''")).size(), 1u);

  // Read again after a kill it is still no loop, and the position has moved.
  hub_->kill9();
  start();
  if (HasFatalFailure()) return;
  settled();
  if (HasFatalFailure()) return;
  expect_both("SELECT id, name FROM item WHERE id <= 3 ORDER BY id", {{"1", "spoke"}, {"2", "home again"}});
  EXPECT_EQ(at_home("SELECT count(*) FROM item"), at_spoke("SELECT count(*) FROM item"));
}

TEST_P(deletes, that_are_ignored_stand_against_no_change_of_the_other_side) {
  begin("deletes: ignore");
  if (HasFatalFailure()) return;
  for (const char* which : {"home", "spoke"}) {
    SCOPED_TRACE(std::string(which) + " deletes");
    const bool home_deletes = std::string(which) == "home";
    const auto deleting = [&](const std::string& sql) { home_deletes ? at_home(sql) : at_spoke(sql); };
    const auto keeping = [&](const std::string& sql) { home_deletes ? at_spoke(sql) : at_home(sql); };
    const int first = home_deletes ? 1 : 5;
    const auto id = [&](int n) { return std::to_string(first + n); };
    hub_->signal(SIGSTOP);
    // 0: deleted against an update; 1: changed, then deleted, against an update of another column; 2: of the same one
    deleting("DELETE FROM item WHERE id = " + id(0));
    keeping("UPDATE item SET name = 'kept' WHERE id = " + id(0));
    for (int n : {1, 2}) {
      deleting("UPDATE item SET " + std::string(n == 1 ? "stock = 7" : "name = 'lost'") + " WHERE id = " + id(n));
      deleting("DELETE FROM item WHERE id = " + id(n));
      keeping("UPDATE item SET name = 'kept' WHERE id = " + id(n));
    }
    // 3: deleted and nothing else
    deleting("DELETE FROM item WHERE id = " + id(3));
    hub_->signal(SIGCONT);
    settled();
    if (HasFatalFailure()) return;
    settled();  // an answer of home may follow an answer
    if (HasFatalFailure()) return;
    const std::string all = "SELECT id, name, stock FROM item WHERE id BETWEEN " + id(0) + " AND " + id(2) + " ORDER BY id";
    EXPECT_EQ(at_home(all).size(), 3u);
    EXPECT_EQ(at_home(all), at_spoke(all));
    EXPECT_EQ((home_deletes ? at_spoke(all) : at_home(all)).at(0).at(1), "kept");
    const std::string alone = "SELECT name FROM item WHERE id = " + id(3);
    EXPECT_EQ(home_deletes ? at_home(alone) : at_spoke(alone), sql_rows{});
    EXPECT_EQ(home_deletes ? at_spoke(alone) : at_home(alone), (sql_rows{{"old"}}));
  }
  EXPECT_EQ(at_home("SELECT count(*) FROM duet.conflict_log WHERE link = '" + link_ + "' AND rule = 'drift'"), (sql_rows{{"0"}}));
  EXPECT_EQ(at_spoke("SELECT count(*) FROM duet.conflict_log WHERE link = '" + link_ + "' AND rule = 'drift'"), (sql_rows{{"0"}}));
  expect_both("SELECT count(*) FROM duet.held WHERE link = '" + link_ + "'", {{"0"}});
}

TEST_P(deletes, are_archived_with_their_time_and_the_mark_goes_when_the_row_comes_back) {
  begin("deletes: { archive: archived_at }");
  if (HasFatalFailure()) return;
  const auto before = at_home("SELECT date_trunc('second', clock_timestamp() AT TIME ZONE 'UTC')").at(0).at(0).value();
  at_home("DELETE FROM item WHERE id IN (1, 2)");
  at_spoke("DELETE FROM item WHERE id IN (8, 9)");
  settled();
  if (HasFatalFailure()) return;
  const auto after = at_home("SELECT date_trunc('second', clock_timestamp() AT TIME ZONE 'UTC') + interval '1 s'").at(0).at(0).value();
  EXPECT_EQ(ids_at_home(), (sql_rows{{"3"}, {"4"}, {"5"}, {"6"}, {"7"}, {"8"}, {"9"}}));
  EXPECT_EQ(ids_at_spoke(), (sql_rows{{"1"}, {"2"}, {"3"}, {"4"}, {"5"}, {"6"}, {"7"}}));
  EXPECT_EQ(at_spoke("SELECT id FROM item WHERE archived_at BETWEEN '" + before + "' AND '" + after + "' ORDER BY id"), (sql_rows{{"1"}, {"2"}}));
  EXPECT_EQ(at_spoke("SELECT count(*) FROM item WHERE archived_at IS NULL"), (sql_rows{{"5"}}));
  EXPECT_EQ(at_home("SELECT id FROM item WHERE archived_at AT TIME ZONE 'UTC' BETWEEN '" + before + "' AND '" + after + "' ORDER BY id"),
            (sql_rows{{"8"}, {"9"}}));
  EXPECT_EQ(at_home("SELECT count(*) FROM item WHERE archived_at IS NULL"), (sql_rows{{"5"}}));

  at_home("INSERT INTO item (id, name) VALUES (1, 'back')");
  at_spoke("INSERT INTO item (id, name) VALUES (9, 'back')");
  // Gone on both sides: there is nothing to mark.
  hub_->signal(SIGSTOP);
  both("DELETE FROM item WHERE id = 3");
  hub_->signal(SIGCONT);
  settled();
  if (HasFatalFailure()) return;
  expect_both("SELECT id, name FROM item WHERE id IN (1, 3, 9) AND archived_at IS NULL ORDER BY id", {{"1", "back"}, {"9", "back"}});
  EXPECT_EQ(status()["exit_code"], 0);
}

TEST_P(deletes, of_a_parent_that_are_ignored_leave_the_children_alone) {
  begin("deletes: propagate");
  if (HasFatalFailure()) return;
  at_home("INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (10, 1), (11, 2)");
  settled();
  at_home("DELETE FROM parent WHERE id = 1");
  settled();
  if (HasFatalFailure()) return;
  EXPECT_EQ(at_home("SELECT id FROM child ORDER BY id"), (sql_rows{{"11"}}));
  EXPECT_EQ(at_spoke("SELECT id FROM parent ORDER BY id"), (sql_rows{{"1"}, {"2"}}));
  EXPECT_EQ(at_spoke("SELECT id FROM child ORDER BY id"), (sql_rows{{"10"}, {"11"}}));
  at_home("TRUNCATE parent, child");
  settled();
  if (HasFatalFailure()) return;
  EXPECT_EQ(at_spoke("SELECT id FROM child ORDER BY id"), (sql_rows{{"10"}, {"11"}}));
  EXPECT_EQ(status()["exit_code"], 0) << "a TRUNCATE whose deletes are ignored stops nothing";
}

TEST_P(deletes, that_can_t_be_archived_are_found_by_check) {
  write_config("  - home: public.item\n    exclude: [archived_at]\n    deletes: { from_home: { archive: gone_at }, from_spoke: { archive: name } }\n"
               "  - home: public.parent\n  - home: public.child\n    deletes: { from_home: ignore }\n");
  const auto r = run({DUET_BINARY, "check", "-c", config_file()}, 60s);
  EXPECT_EQ(r.exit_code, 1) << r.output;
  EXPECT_THAT(r.output, HasSubstr("ADD COLUMN gone_at datetime(6)"));
  EXPECT_THAT(r.output, HasSubstr("name a column of type timestamptz"));
}
