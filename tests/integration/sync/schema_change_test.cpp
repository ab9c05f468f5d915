// A synced table is altered while the link runs: it waits until both sides fit, loses nothing, and nothing else waits.
#include "sync_fixture.hpp"

using namespace duet::testing;
using ::testing::HasSubstr;

namespace {

class schema_change : public sync_test {
 protected:
  schema_change() {
    both("CREATE TABLE item (id bigint PRIMARY KEY, n bigint, v varchar(50))");
    both("CREATE TABLE part (id bigint PRIMARY KEY, item bigint NOT NULL REFERENCES item (id), n bigint)");
    at_spoke("ALTER TABLE part ADD CONSTRAINT part_item FOREIGN KEY (item) REFERENCES item (id)");
    at_home("ALTER TABLE item REPLICA IDENTITY FULL; ALTER TABLE part REPLICA IDENTITY FULL");
    both("INSERT INTO item VALUES (1, 1, 'one'), (2, 2, 'two'), (3, 3, 'three')");
  }
  void configure(const std::string& rule = "") {
    write_config("  - home: public.item\n" + (rule.empty() ? "" : "    on_schema_change: " + rule + "\n") + "  - home: public.part\n");
  }
  void SetUp() override {
    configure();
    set_up();
    if (!HasFatalFailure()) start();
  }
  nlohmann::json paused() {
    const auto all = status();
    return all["hub"].is_object() ? all["hub"]["paused_tables"] : nlohmann::json::array();
  }
  nlohmann::json paused(const std::string& table) {
    for (const auto& t : paused())
      if (t["table"] == table) return t;
    return nullptr;
  }
  void expect_paused(const std::string& reason) {
    ASSERT_TRUE(eventually([&] { return paused("public.item").is_object() && !paused("public.item")["catches_up"]; }, 30s)) << hub_->output();
    EXPECT_THAT(paused("public.item")["reason"].get<std::string>(), HasSubstr(reason));
  }
  void expect_nothing_waits() {
    ASSERT_TRUE(eventually([&] { return paused().empty() || !hub_->running(); }, 60s)) << status() << hub_->output();
    ASSERT_TRUE(hub_->running()) << hub_->output();
    settle(*hub_);
  }
  void expect_items(const std::string& columns, const sql_rows& wanted) {
    const std::string sql = "SELECT " + columns + " FROM item ORDER BY id";
    eventually([&] { return at_home(sql) == wanted && at_spoke(sql) == wanted; }, 30s);
    expect_both(sql, wanted);
  }
  void crash() {
    hub_->kill9();
    start();
  }
  std::string remedy() {  // the statement alone
    const std::string text = paused("public.item")["remedy"].get<std::string>();
    return text.substr(text.find("ALTER"));
  }
  sql_rows conflicts() { return at_home("SELECT table_name, key, type, rule FROM duet.conflict_log WHERE link = '" + link_ + "'"); }
};

// The other side is altered, too.
class followed_change : public schema_change {
 protected:
  void SetUp() override {
    configure("follow");
    set_up();
    if (!HasFatalFailure()) start();
  }
  void expect_columns(const sql_rows& wanted) {
    const std::string sql = "SELECT column_name FROM information_schema.columns WHERE table_name = 'item' AND table_schema = ";
    const auto at_both = [&](bool the_spoke) { return the_spoke ? at_spoke(sql + "database() ORDER BY ordinal_position") : at_home(sql + "'public' ORDER BY ordinal_position"); };
    eventually([&] { return (at_both(false) == wanted && at_both(true) == wanted) || !hub_->running(); }, 30s);
    EXPECT_EQ(at_both(false), wanted) << hub_->output();
    EXPECT_EQ(at_both(true), wanted) << hub_->output();
  }
};

class ignored_change : public schema_change {
 protected:
  void SetUp() override {
    configure("ignore_new_columns");
    set_up();
    if (!HasFatalFailure()) start();
  }
};

INSTANTIATE_TEST_SUITE_P(each, schema_change, ::testing::ValuesIn(spoke_kinds()), spoke_name);
INSTANTIATE_TEST_SUITE_P(each, followed_change, ::testing::ValuesIn(spoke_kinds()), spoke_name);
INSTANTIATE_TEST_SUITE_P(each, ignored_change, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

TEST_P(schema_change, a_new_column_pauses_its_table_until_the_other_side_has_it_and_nothing_is_lost) {
  two_way_load load(home(), home_db_, spoke(), spoke_db_, seed());
  at_home("ALTER TABLE item ADD COLUMN c int");
  at_home("INSERT INTO item VALUES (11, 11, 'eleven', 7)");
  expect_paused("column c is new at home");
  if (HasFatalFailure()) return;
  EXPECT_THAT(paused("public.part")["reason"].get<std::string>(), HasSubstr("refers to public.item"));
  EXPECT_THAT(remedy(), HasSubstr("ADD COLUMN `c` int"));
  at_spoke("INSERT INTO item VALUES (12, 12, 'twelve')");
  at_spoke("UPDATE item SET n = 20 WHERE id = 2");
  at_home("UPDATE item SET c = 8, n = 12 WHERE id = 11");
  at_home("DELETE FROM item WHERE id = 3");
  at_home("INSERT INTO part VALUES (1, 11, 1)");
  settle(*hub_);  // others flow
  if (HasFatalFailure()) return;
  EXPECT_EQ(at_spoke("SELECT id FROM item ORDER BY id"), (sql_rows{{"1"}, {"2"}, {"3"}, {"12"}}));
  crash();
  if (HasFatalFailure()) return;
  settle(*hub_);
  if (HasFatalFailure()) return;
  EXPECT_EQ(at_home("SELECT id FROM item ORDER BY id"), (sql_rows{{"1"}, {"2"}, {"11"}}));
  const auto check = run({DUET_BINARY, "check", "-c", config_file()}, 60s);
  EXPECT_EQ(check.exit_code, 0) << check.output;
  EXPECT_THAT(check.output, HasSubstr("public.item is paused"));

  at_spoke(remedy());
  at_spoke("UPDATE item SET c = 9 WHERE id = 1");
  expect_nothing_waits();
  if (HasFatalFailure()) return;
  expect_items("id, n, v, c", {{"1", "1", "one", "9"}, {"2", "20", "two", std::nullopt}, {"11", "12", "eleven", "8"}, {"12", "12", "twelve", std::nullopt}});
  expect_both("SELECT id, item, n FROM part", {{"1", "11", "1"}});
  load.stop();
  settle(*hub_);
  if (HasFatalFailure()) return;
  expect_all_there(load);
}

TEST_P(schema_change, by_hand_on_both_sides_is_taken_up_whatever_it_is) {
  at_home("ALTER TABLE item RENAME COLUMN v TO w");
  at_home("UPDATE item SET w = 'uno' WHERE id = 1");
  at_spoke("UPDATE item SET v = 'dos' WHERE id = 2");
  expect_paused("column v is called w at home");
  if (HasFatalFailure()) return;
  EXPECT_THAT(remedy(), HasSubstr("RENAME COLUMN `v` TO `w`"));
  at_spoke("UPDATE item SET v = 'tres' WHERE id = 3");
  at_spoke(remedy());
  expect_nothing_waits();
  if (HasFatalFailure()) return;
  expect_items("id, w", {{"1", "uno"}, {"2", "dos"}, {"3", "tres"}});

  at_spoke("ALTER TABLE item DROP COLUMN n");
  at_spoke("INSERT INTO item VALUES (4, 'cuatro')");
  at_home("INSERT INTO item VALUES (5, 5, 'cinco')");
  expect_paused("column n is gone at the spoke");
  if (HasFatalFailure()) return;
  EXPECT_THAT(remedy(), HasSubstr("DROP COLUMN \"n\""));
  at_home(remedy());
  expect_nothing_waits();
  if (HasFatalFailure()) return;
  expect_items("id, w", {{"1", "uno"}, {"2", "dos"}, {"3", "tres"}, {"4", "cuatro"}, {"5", "cinco"}});

  at_home("ALTER TABLE item ALTER COLUMN w TYPE text; ALTER TABLE item ADD COLUMN d numeric(10,2)");
  at_spoke("ALTER TABLE item MODIFY w longtext, ADD COLUMN d decimal(10,2)");
  at_home("INSERT INTO item VALUES (6, repeat('x', 100), 1.5)");
  at_spoke("INSERT INTO item VALUES (7, repeat('y', 100), 2.5)");
  ASSERT_TRUE(eventually([&] { return at_home("SELECT id FROM item WHERE id = 7").size() == 1 && at_spoke("SELECT id FROM item WHERE id = 6").size() == 1; }, 60s))
      << hub_->output();
  expect_nothing_waits();
  if (HasFatalFailure()) return;
  expect_items("id, length(w), d", {{"1", "3", std::nullopt}, {"2", "3", std::nullopt}, {"3", "4", std::nullopt}, {"4", "6", std::nullopt}, {"5", "5", std::nullopt}, {"6", "100", "1.50"}, {"7", "100", "2.50"}});
  EXPECT_EQ(conflicts(), sql_rows{});
  expect_equal();
}

TEST_P(schema_change, what_both_sides_have_written_meanwhile_meets_once_when_the_table_goes_on) {
  at_spoke("ALTER TABLE item ADD COLUMN c int");
  at_spoke("UPDATE item SET c = 1 WHERE id = 1");
  expect_paused("column c is new at the spoke");
  if (HasFatalFailure()) return;
  at_home("UPDATE item SET n = 100 WHERE id = 2");
  at_spoke("UPDATE item SET n = 200 WHERE id = 2");
  at_home("INSERT INTO item VALUES (20, 1, 'home')");
  at_spoke("INSERT INTO item (id, n, v) VALUES (21, 1, 'spoke')");
  two_way_load load(home(), home_db_, spoke(), spoke_db_, seed());
  std::minstd_rand random(seed());
  for (const int round : {1, 2, 3}) {
    SCOPED_TRACE(round);
    if (round == 1) at_home(remedy());
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 1500));
    crash();
    if (HasFatalFailure()) return;
  }
  expect_nothing_waits();
  if (HasFatalFailure()) return;
  at_home("UPDATE item SET n = n + 1 WHERE id = 21");  // each side changes what the other one has written, and has seen it
  at_spoke("UPDATE item SET n = n + 1 WHERE id = 20");
  load.stop();
  settle(*hub_);
  if (HasFatalFailure()) return;
  expect_items("id, n, v, c", {{"1", "1", "one", "1"}, {"2", "100", "two", std::nullopt}, {"3", "3", "three", std::nullopt}, {"20", "2", "home", std::nullopt}, {"21", "2", "spoke", std::nullopt}});
  EXPECT_EQ(conflicts(), (sql_rows{{"public.item", "{\"id\": \"2\"}", "update_origin_differs", "home"}}));
  load.expect_no_half_pair();
  expect_equal();
}

// A number that home makes odd and the spoke even, each when it sees the other's: a write that is judged without what its side had seen is a
// conflict, one that is lost or done twice stops the game.
TEST_P(schema_change, under_load_on_the_table_itself_and_killed_again_and_again) {
  const auto play = [&](const private_server& server, const std::string& database, int mine) {
    return std::jthread([this, &server, database, mine](std::stop_token stop) {
      std::unique_ptr<sql_session> session;
      while (!stop.stop_requested()) {
        try {
          if (!session) session = connect(server.endpoint_of(database));
          session->exec("UPDATE counter SET value = value + 1 WHERE pair = -3 AND value % 2 = " + std::to_string(mine));
        } catch (const sql_error&) {
          session.reset();
        }
        std::this_thread::sleep_for(3ms);
      }
    });
  };
  at_home("INSERT INTO counter VALUES (-3, 0, 0)");
  const auto value = [&] { return std::stol(at_home("SELECT value FROM counter WHERE pair = -3").at(0).at(0).value()); };
  two_way_load load(home(), home_db_, spoke(), spoke_db_, seed());
  std::minstd_rand random(seed());
  {
    const std::jthread at_home_plays = play(home(), home_db_, 0), at_spoke_plays = play(spoke(), spoke_db_, 1);
    const std::string add = "ALTER TABLE counter ADD COLUMN more", type = " int DEFAULT 1";
    for (const bool spoke_first : {false, true}) {
      SCOPED_TRACE(spoke_first ? "first at the spoke" : "first at home");
      const std::string column = spoke_first ? "2" : "1";
      spoke_first ? at_spoke(add + column + type) : at_home(add + column + type);
      ASSERT_TRUE(eventually([&] { return paused("public.counter").is_object(); }, 30s)) << hub_->output();
      const long then = value();
      spoke_first ? at_home(add + column + type) : at_spoke(add + column + type);
      for (int i = 0; i < 2; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(random() % 1200));
        crash();
        if (HasFatalFailure()) return;
      }
      ASSERT_TRUE(eventually([&] { return paused().empty() && value() > then + 20; }, 60s)) << status() << hub_->output();
    }
  }
  load.stop();
  settle(*hub_);
  if (HasFatalFailure()) return;
  expect_all_there(load);
}

TEST_P(followed_change, columns_come_go_and_get_other_names_on_both_sides) {
  two_way_load load(home(), home_db_, spoke(), spoke_db_, seed());
  std::minstd_rand random(seed());
  at_home("ALTER TABLE item ADD COLUMN c int NOT NULL DEFAULT 5");
  at_home("INSERT INTO item VALUES (11, 11, 'eleven', 7)");
  expect_columns({{"id"}, {"n"}, {"v"}, {"c"}});
  at_spoke("ALTER TABLE item ADD COLUMN d varchar(20) DEFAULT 'it''s'");
  at_spoke("UPDATE item SET d = 'two' WHERE id = 2");
  std::this_thread::sleep_for(std::chrono::milliseconds(random() % 500));
  crash();
  if (HasFatalFailure()) return;
  expect_columns({{"id"}, {"n"}, {"v"}, {"c"}, {"d"}});
  expect_items("id, c, d", {{"1", "5", "it's"}, {"2", "5", "two"}, {"3", "5", "it's"}, {"11", "7", "it's"}});

  hub_->signal(SIGSTOP);
  at_home("ALTER TABLE item RENAME COLUMN v TO w");
  at_home("UPDATE item SET w = 'uno' WHERE id = 1");
  at_spoke("UPDATE item SET v = 'dos' WHERE id = 2");
  hub_->signal(SIGCONT);
  std::this_thread::sleep_for(std::chrono::milliseconds(random() % 500));
  crash();
  if (HasFatalFailure()) return;
  expect_columns({{"id"}, {"n"}, {"w"}, {"c"}, {"d"}});
  at_spoke("ALTER TABLE item DROP COLUMN n");
  at_spoke("INSERT INTO item (id, w) VALUES (12, 'twelve')");
  at_home("UPDATE item SET c = 8 WHERE id = 3");
  expect_columns({{"id"}, {"w"}, {"c"}, {"d"}});
  expect_items("id, w, c, d", {{"1", "uno", "5", "it's"}, {"2", "dos", "5", "two"}, {"3", "three", "8", "it's"}, {"11", "eleven", "7", "it's"}, {"12", "twelve", "5", "it's"}});
  at_home("ALTER TABLE item ALTER COLUMN c TYPE bigint");
  at_home("UPDATE item SET c = 5000000000 WHERE id = 1");
  at_spoke("ALTER TABLE item MODIFY d varchar(200) DEFAULT 'it''s'");
  at_spoke("UPDATE item SET d = repeat('d', 200) WHERE id = 2");
  expect_items("id, w, c, length(d)", {{"1", "uno", "5000000000", "4"}, {"2", "dos", "5", "200"}, {"3", "three", "8", "4"}, {"11", "eleven", "7", "4"}, {"12", "twelve", "5", "4"}});
  EXPECT_EQ(at_spoke("SELECT column_default, is_nullable FROM information_schema.columns WHERE table_schema = database() AND table_name = 'item' AND column_name = 'c'"), (sql_rows{{"5", "NO"}}));
  EXPECT_EQ(paused(), nlohmann::json::array());
  load.stop();
  settle(*hub_);
  if (HasFatalFailure()) return;
  expect_all_there(load);
}

TEST_P(followed_change, what_cant_be_followed_pauses_until_it_is_mended_or_taken_back) {
  at_home("ALTER TABLE item ADD COLUMN made_up timestamptz DEFAULT now()");
  at_home("INSERT INTO item VALUES (11, 11, 'eleven')");
  expect_paused("column made_up is new at home");
  if (HasFatalFailure()) return;
  at_spoke("INSERT INTO item VALUES (12, 12, 'twelve')");
  at_home("ALTER TABLE item DROP COLUMN made_up");
  expect_nothing_waits();
  if (HasFatalFailure()) return;
  expect_items("id, v", {{"1", "one"}, {"2", "two"}, {"3", "three"}, {"11", "eleven"}, {"12", "twelve"}});
  at_spoke("ALTER TABLE item RENAME COLUMN v TO w");
  at_spoke("DELETE FROM item WHERE id = 3");
  expect_paused("column v is called w at the spoke");
  if (HasFatalFailure()) return;
  at_home(remedy());
  expect_nothing_waits();
  if (HasFatalFailure()) return;
  expect_items("id, w", {{"1", "one"}, {"2", "two"}, {"11", "eleven"}, {"12", "twelve"}});
  expect_equal();
}

TEST_P(ignored_change, new_columns_are_left_alone_and_other_changes_pause) {
  at_home("ALTER TABLE item ADD COLUMN c int");
  at_spoke("ALTER TABLE item ADD COLUMN d int");
  at_home("INSERT INTO item VALUES (11, 11, 'eleven', 7)");
  at_spoke("INSERT INTO item VALUES (12, 12, 'twelve', 8)");
  settle(*hub_);
  if (HasFatalFailure()) return;
  expect_items("id, v", {{"1", "one"}, {"2", "two"}, {"3", "three"}, {"11", "eleven"}, {"12", "twelve"}});
  EXPECT_EQ(at_home("SELECT id FROM item WHERE c = 7"), (sql_rows{{"11"}}));
  EXPECT_EQ(at_spoke("SELECT id FROM item WHERE d = 8"), (sql_rows{{"12"}}));
  EXPECT_EQ(paused(), nlohmann::json::array());
  at_spoke("ALTER TABLE item DROP COLUMN v");
  at_spoke("DELETE FROM item WHERE id = 3");
  expect_paused("column v is gone at the spoke");
  if (HasFatalFailure()) return;
  at_home(remedy());
  expect_nothing_waits();
}
