// A row that the other side refuses waits in duet.held, with what it was and why, and later changes of its key wait behind
// it. Everything else flows.
#include "sync_fixture.hpp"

using namespace duet::testing;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

namespace {

class held : public sync_test {
 protected:
  held() {
    at_home("CREATE TABLE item (id bigint PRIMARY KEY, n bigint CHECK (n <> 777), code text UNIQUE, note varchar(20), day date);"
            "ALTER TABLE item REPLICA IDENTITY FULL");
    at_spoke("CREATE TABLE item (id bigint PRIMARY KEY, n bigint CHECK (n <> 666), code varchar(10) UNIQUE, note text, day date) "
             "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
    write_config("  - home: public.item\n");
  }
  void SetUp() override {
    set_up();
    if (!HasFatalFailure()) start();
  }
  struct entry {
    std::string operation, reason, before_row, after_row;
    nlohmann::json key;
  };
  std::vector<entry> held_at(bool the_spoke) {
    const std::string key = the_spoke ? "`key`" : "key";
    const std::string sql = "SELECT operation, reason, before_row, after_row, " + key + " FROM duet.held WHERE link = '" + link_ +
                            "' AND table_name = 'public.item' ORDER BY id";
    std::vector<entry> all;
    for (const auto& r : the_spoke ? at_spoke(sql) : at_home(sql))
      all.push_back({*r.at(0), *r.at(1), row(r.at(2)), row(r.at(3)), nlohmann::json::parse(*r.at(4))});
    return all;
  }
  static std::string row(const std::optional<std::string>& json) { return json ? nlohmann::json::parse(*json).dump() : "no row"; }
  static std::string item(int id, int n, const char* code, const char* note, const char* day) {
    nlohmann::json j{{"id", std::to_string(id)}, {"n", std::to_string(n)}};
    for (const auto& [name, value] : {std::pair{"code", code}, {"note", note}, {"day", day}}) {
      if (value) j[name] = value;
      else j[name] = nullptr;
    }
    return j.dump();
  }
  static nlohmann::json key(int id) { return {{"id", std::to_string(id)}}; }
  sql_rows items_at(bool the_spoke) {
    const std::string sql = "SELECT id, n, code, note FROM item ORDER BY id";
    return the_spoke ? at_spoke(sql) : at_home(sql);
  }
  void exec_at(bool the_spoke, const std::string& sql) { the_spoke ? at_spoke(sql) : at_home(sql); }
  std::string status_text() {
    const auto r = run({DUET_BINARY, "status", "--json", "-c", config_file()}, 60s);
    EXPECT_EQ(r.exit_code, 1) << r.output;
    return r.output;
  }
  void kill_and_start_again() {
    logs_ += hub_->output();
    hub_->kill9();
    start();
  }
  std::string logs() { return logs_ + hub_->output(); }
  std::string logs_;
};

INSTANTIATE_TEST_SUITE_P(each, held, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

TEST_P(held, a_refused_row_waits_with_its_reason_and_later_changes_wait_behind_it_while_others_flow) {
  for (const bool from_spoke : {false, true}) {
    const std::string bad = from_spoke ? "777" : "666", f = from_spoke ? "2" : "1";  // ids 10, 11.. and 20, 21..
    const auto session = from_spoke ? spoke().session(spoke_db_) : home().session(home_db_);
    session->exec("BEGIN");
    session->exec("INSERT INTO item (id, n, note) VALUES (" + f + "0, " + bad + ", 'secret first')");
    session->exec("INSERT INTO item (id, n, note) VALUES (" + f + "1, 1, 'of the same')");
    session->exec("COMMIT");
    session->exec("UPDATE item SET n = 3, note = 'secret later' WHERE id = " + f + "0");  // would be taken by itself
    session->exec("INSERT INTO item (id, n, note) VALUES (" + f + "2, 2, 'another')");
    session->exec("UPDATE item SET n = 5 WHERE id = " + f + "2");
  }
  settle(*hub_);
  if (HasFatalFailure()) return;

  for (const bool from_spoke : {false, true}) {
    SCOPED_TRACE(from_spoke ? "from the spoke" : "from home");
    const int id = from_spoke ? 20 : 10, bad = from_spoke ? 777 : 666;
    const auto waiting = held_at(!from_spoke);
    ASSERT_EQ(waiting.size(), 2u);
    EXPECT_EQ(waiting[0].operation, "insert");
    EXPECT_EQ(waiting[0].key, key(id));
    EXPECT_THAT(waiting[0].reason, AllOf(HasSubstr("item"), Not(HasSubstr("secret"))));
    EXPECT_EQ(waiting[0].before_row, "no row");
    EXPECT_EQ(waiting[0].after_row, item(id, bad, nullptr, "secret first", nullptr));
    EXPECT_EQ(waiting[1].operation, "update");
    EXPECT_EQ(waiting[1].key, key(id));
    EXPECT_THAT(waiting[1].reason, HasSubstr("waits behind"));
    EXPECT_EQ(waiting[1].before_row, item(id, bad, nullptr, "secret first", nullptr));
    EXPECT_EQ(waiting[1].after_row, item(id, 3, nullptr, "secret later", nullptr));
  }
  EXPECT_EQ(items_at(false), (sql_rows{{"10", "3", std::nullopt, "secret later"}, {"11", "1", std::nullopt, "of the same"},
                                       {"12", "5", std::nullopt, "another"}, {"21", "1", std::nullopt, "of the same"},
                                       {"22", "5", std::nullopt, "another"}}));
  EXPECT_EQ(items_at(true), (sql_rows{{"11", "1", std::nullopt, "of the same"}, {"12", "5", std::nullopt, "another"},
                                      {"20", "3", std::nullopt, "secret later"}, {"21", "1", std::nullopt, "of the same"},
                                      {"22", "5", std::nullopt, "another"}}));

  for (const char* when : {"before", "after the hub was killed"}) {
    SCOPED_TRACE(when);
    const std::string text = status_text();
    const auto told = nlohmann::json::parse(text);
    EXPECT_EQ(told["hub"]["held_rows"], 2);
    for (const char* side : {"home", "spoke"}) {
      ASSERT_EQ(told["databases"][side]["held"].size(), 1u) << text;
      EXPECT_EQ(told["databases"][side]["held"][0]["table"], "public.item");
      EXPECT_EQ(told["databases"][side]["held"][0]["rows"], 2);
    }
    EXPECT_THAT(text, Not(HasSubstr("secret")));
    if (std::string(when) == "before") kill_and_start_again();
    if (HasFatalFailure()) return;
  }

  at_home("DELETE FROM item WHERE id = 10");
  at_spoke("UPDATE item SET note = 'secret end' WHERE id = 20");
  settle(*hub_);
  if (HasFatalFailure()) return;
  ASSERT_EQ(held_at(true).size(), 3u);
  ASSERT_EQ(held_at(false).size(), 3u);
  EXPECT_EQ(held_at(true)[2].operation, "delete");
  EXPECT_EQ(held_at(true)[2].before_row, item(10, 3, nullptr, "secret later", nullptr));
  EXPECT_EQ(held_at(true)[2].after_row, "no row");
  EXPECT_EQ(held_at(false)[2].operation, "update");
  EXPECT_EQ(held_at(false)[2].after_row, item(20, 3, nullptr, "secret end", nullptr));
  EXPECT_THAT(logs(), Not(HasSubstr("secret")));
}

TEST_P(held, rows_that_a_trigger_at_home_stumbles_over_or_keeps_off_wait_while_others_flow) {
  at_home("CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
          " IF new.note = 'stumble' THEN PERFORM 1 FROM nosuchtable; END IF;"
          " IF new.note = 'keep off' THEN RETURN NULL; END IF; RETURN new; END $$;"
          "CREATE TRIGGER watch BEFORE INSERT OR UPDATE ON item FOR EACH ROW EXECUTE FUNCTION watch()");
  std::string many;
  for (int i = 1000; i < 1300; ++i) many += "(" + std::to_string(i) + ", 1, 'fine'), ";
  at_spoke("INSERT INTO item (id, n, note) VALUES " + many + "(2, 1, 'stumble'), (4, 1, 'keep off')");
  at_spoke("INSERT INTO item (id, n, note) VALUES (6, 1, 'keep off')");
  at_spoke("INSERT INTO item (id, n, note) VALUES (8, 1, 'fine')");
  at_spoke("UPDATE item SET note = 'keep off' WHERE id = 8");
  settle(*hub_);
  if (HasFatalFailure()) return;
  EXPECT_EQ(at_home("SELECT count(*), count(*) FILTER (WHERE note = 'fine'), min(id) FROM item"), (sql_rows{{"301", "301", "8"}}));
  const auto waiting = held_at(false);
  ASSERT_EQ(waiting.size(), 4u);
  std::map<std::string, std::string> reasons;
  for (const auto& w : waiting) reasons[w.key["id"].get<std::string>()] = w.reason;
  EXPECT_THAT(reasons["2"], HasSubstr("PL/pgSQL function"));
  for (const char* id : {"4", "6", "8"}) EXPECT_THAT(reasons[id], HasSubstr("trigger")) << id;
}

TEST_P(held, values_that_do_not_exist_at_the_other_side_or_are_too_long_wait) {
  at_home("INSERT INTO item (id, code) VALUES (30, 'secret code that is too long')");
  at_home("INSERT INTO item (id, day) VALUES (31, 'infinity'), (32, '2024-02-29'), (33, '-infinity'), (34, '0044-03-15 BC')");
  at_spoke("SET SESSION sql_mode = ''");
  at_spoke("INSERT INTO item (id, day) VALUES (40, '0000-00-00'), (41, '2024-02-00'), (42, '2024-02-29')");
  at_spoke("SET SESSION sql_mode = DEFAULT");
  at_spoke("INSERT INTO item (id, note) VALUES (43, 'secret note that is too long')");
  settle(*hub_);
  if (HasFatalFailure()) return;
  const auto at_the_spoke = held_at(true), at_the_home = held_at(false);
  const auto expect = [](const std::vector<entry>& waiting, const std::vector<std::pair<int, std::string>>& wanted) {
    ASSERT_EQ(waiting.size(), wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      EXPECT_EQ(waiting[i].key, key(wanted[i].first));
      EXPECT_THAT(waiting[i].after_row, HasSubstr(wanted[i].second));
      EXPECT_FALSE(waiting[i].reason.empty());
      EXPECT_THAT(waiting[i].reason, AllOf(Not(HasSubstr(wanted[i].second)), Not(HasSubstr("secret"))));
    }
  };
  expect(at_the_spoke, {{30, "secret code"}, {31, "\"infinity\""}, {33, "-infinity"}, {34, "0044-03-15 BC"}});
  expect(at_the_home, {{40, "0000-00-00"}, {41, "2024-02-00"}, {43, "secret note"}});
  if (HasFatalFailure()) return;
  EXPECT_EQ(at_spoke("SELECT id, day FROM item WHERE id < 40"), (sql_rows{{"32", "2024-02-29"}}));
  EXPECT_EQ(at_home("SELECT id, day FROM item WHERE id >= 40"), (sql_rows{{"42", "2024-02-29"}}));
  EXPECT_THAT(status_text(), Not(HasSubstr("secret")));
  EXPECT_THAT(logs(), Not(HasSubstr("secret")));
}

// The tables were not equal when the link was set up: a unique value is taken by a row that only one side has.
TEST_P(held, a_row_whose_unique_value_is_taken_by_a_row_of_one_side_only_waits) {
  stop_hub();
  const auto r = run({DUET_BINARY, "teardown", "--yes", "-c", config_file()}, 60s);
  ASSERT_EQ(r.exit_code, 0) << r.output;
  at_spoke("INSERT INTO item (id, code) VALUES (50, 'secret A')");
  at_home("INSERT INTO item (id, code) VALUES (60, 'secret B')");
  set_up();
  if (!HasFatalFailure()) start();
  if (HasFatalFailure()) return;
  at_home("INSERT INTO item (id, code) VALUES (51, 'secret A'), (52, 'free')");
  at_spoke("INSERT INTO item (id, code) VALUES (61, 'secret B'), (62, 'free too')");
  settle(*hub_);
  if (HasFatalFailure()) return;
  for (const bool at_the_spoke : {true, false}) {
    SCOPED_TRACE(at_the_spoke ? "at the spoke" : "at home");
    const auto waiting = held_at(at_the_spoke);
    ASSERT_EQ(waiting.size(), 1u);
    EXPECT_EQ(waiting[0].key, key(at_the_spoke ? 51 : 61));
    EXPECT_THAT(waiting[0].after_row, HasSubstr(at_the_spoke ? "secret A" : "secret B"));
    EXPECT_THAT(waiting[0].reason, AllOf(HasSubstr("item"), Not(HasSubstr("secret"))));
  }
  EXPECT_EQ(at_spoke("SELECT id FROM item ORDER BY id"), (sql_rows{{"50"}, {"52"}, {"61"}, {"62"}}));
  EXPECT_EQ(at_home("SELECT id FROM item ORDER BY id"), (sql_rows{{"51"}, {"52"}, {"60"}, {"62"}}));
  EXPECT_THAT(status_text(), Not(HasSubstr("secret")));
  EXPECT_THAT(logs(), Not(HasSubstr("secret")));
}
