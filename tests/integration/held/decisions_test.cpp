// A person decides: `duet held resolve` beside a running hub, before one starts, and while others write.
#include <functional>
#include <sstream>

#include "cli/command_line.hpp"
#include "integration/sync/sync_fixture.hpp"

using namespace duet::testing;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

namespace {

class decisions : public sync_test {
 protected:
  decisions() {
    at_home("CREATE TABLE item (id bigint PRIMARY KEY, n bigint, note text, photo bytea);"
            "ALTER TABLE item REPLICA IDENTITY FULL");
    at_spoke("CREATE TABLE item (id bigint PRIMARY KEY, n bigint CHECK (n <> 666), note varchar(20), photo varbinary(100)) CHARACTER SET utf8mb4");
    write_config("  - home: public.item\n    conflict: { rule: manual }\n");
  }
  void begin() {
    set_up();
    if (HasFatalFailure()) return;
    start();
    if (HasFatalFailure()) return;
    at_home("INSERT INTO item SELECT i, 0, 'old', '\\x0f00' FROM generate_series(1, 9) i");
    settle(*hub_);
  }
  // Both sides write row `id` before either has seen the other's write: it waits, on both sides' words.
  void conflict(const std::vector<int>& ids) {
    hub_->signal(SIGSTOP);
    for (const int id : ids) {
      at_home("UPDATE item SET n = 10, note = 'by home' WHERE id = " + std::to_string(id));
      at_spoke("UPDATE item SET n = 20, note = 'by spoke' WHERE id = " + std::to_string(id));
    }
    hub_->signal(SIGCONT);
    settle(*hub_);
  }
  finished duet(std::vector<std::string> words) {
    words.insert(words.begin(), DUET_BINARY);
    words.insert(words.end(), {"-c", config_file()});
    return run(words, 60s);
  }
  json answer(std::vector<std::string> words, int exit_code) {
    words.push_back("--json");
    const auto r = duet(std::move(words));
    EXPECT_EQ(r.exit_code, exit_code) << r.output;
    auto j = json::parse(r.output, nullptr, false);
    EXPECT_FALSE(j.is_discarded()) << r.output;
    return j;
  }
  std::string id_of(const std::string& id) {
    const json all = answer({"held"}, 1)["held"];
    for (const auto& k : all)
      if (k["key"]["id"] == id) return k["id"];
    ADD_FAILURE() << "key " << id << " does not wait: " << all.dump();
    return "s999999";
  }
  void resolve(const std::string& id, std::vector<std::string> how) {
    std::vector<std::string> words = {"held", "resolve", id_of(id), "--yes"};
    words.insert(words.end(), how.begin(), how.end());
    const auto r = duet(words);
    ASSERT_EQ(r.exit_code, 0) << r.output;
    EXPECT_THAT(r.output, HasSubstr("decided: public.item, id=" + id));
  }
  std::size_t waiting() {
    const std::string sql = "SELECT count(*) FROM duet.held WHERE link = '" + link_ + "'";
    return std::stoul(at_home(sql)[0][0].value()) + std::stoul(at_spoke(sql)[0][0].value());
  }
  void expect_row(int id, const sql_rows& wanted) {
    expect_both("SELECT n, note FROM item WHERE id = " + std::to_string(id), wanted);
  }
  // After decisions: nothing waits, both sides are equal, the same hub runs, and later changes of the keys flow both ways.
  void expect_done(const std::vector<int>& ids) {
    ASSERT_TRUE(eventually([&] { return waiting() == 0 || !hub_->running(); }, 30s)) << hub_->output();
    settle(*hub_);
    if (HasFatalFailure()) return;
    const std::string all = "SELECT id, n, note FROM item ORDER BY id";
    EXPECT_EQ(at_home(all), at_spoke(all));
    for (const int id : ids) {
      const std::string i = std::to_string(id);
      at_home("DELETE FROM item WHERE id = " + i);
      at_home("INSERT INTO item VALUES (" + i + ", 5, 'again by home')");
      settle(*hub_);
      if (HasFatalFailure()) return;
      expect_row(id, {{"5", "again by home"}});
      at_spoke("UPDATE item SET n = 6, note = 'again by spoke' WHERE id = " + i);
      settle(*hub_);
      if (HasFatalFailure()) return;
      expect_row(id, {{"6", "again by spoke"}});
    }
    EXPECT_EQ(waiting(), 0u) << duet({"held"}).output;
    EXPECT_EQ(hub_->running(), true) << hub_->output();
    EXPECT_THAT(hub_->output(), Not(HasSubstr("by home")));
    EXPECT_THAT(hub_->output(), Not(HasSubstr("stopped:")));
  }
};

INSTANTIATE_TEST_SUITE_P(each, decisions, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

TEST_P(decisions, pick_set_and_delete_end_with_both_sides_equal_beside_a_running_hub) {
  begin();
  if (HasFatalFailure()) return;
  conflict({1, 2, 3, 4, 5});
  if (HasFatalFailure()) return;
  expect_both("SELECT count(*) FROM item WHERE n = 0", {{"4"}});
  EXPECT_EQ(at_home("SELECT count(*) FROM item WHERE n = 10"), (sql_rows{{"5"}}));
  EXPECT_EQ(at_spoke("SELECT count(*) FROM item WHERE n = 20"), (sql_rows{{"5"}}));

  // Later changes of the keys stay where they are, others flow.
  at_home("UPDATE item SET n = 11 WHERE id = 1");
  at_spoke("UPDATE item SET n = 21 WHERE id = 2");
  at_home("UPDATE item SET n = 7 WHERE id = 8");
  settle(*hub_);
  if (HasFatalFailure()) return;
  EXPECT_EQ(at_spoke("SELECT n FROM item WHERE id IN (1, 2, 8) ORDER BY id"), (sql_rows{{"20"}, {"21"}, {"7"}}));
  EXPECT_EQ(at_home("SELECT n FROM item WHERE id IN (1, 2, 8) ORDER BY id"), (sql_rows{{"11"}, {"10"}, {"7"}}));

  const json held = answer({"held"}, 1)["held"];
  ASSERT_EQ(held.size(), 5u) << held.dump();
  EXPECT_EQ(held[0]["table"], "public.item");
  EXPECT_THAT(held[0]["reason"], HasSubstr("manual"));
  EXPECT_THAT(duet({"held"}).output, AllOf(HasSubstr("id=1"), HasSubstr("manual"), Not(HasSubstr("by home"))));
  const json shown = answer({"held", "show", id_of("1")}, 1)["held"];
  EXPECT_EQ(shown["home_row"], (json{{"id", "1"}, {"n", "11"}, {"note", "by home"}, {"photo", "\\x0f00"}}));
  EXPECT_EQ(shown["spoke_row"], (json{{"id", "1"}, {"n", "20"}, {"note", "by spoke"}, {"photo", "\\x0f00"}}));
  EXPECT_EQ(shown["changes"][0]["after_row"]["note"], "by spoke");
  EXPECT_THAT(duet({"held", "show", id_of("1")}).output, AllOf(HasSubstr("by home"), HasSubstr("by spoke"), HasSubstr("*  n")));

  const json log = answer({"conflicts", "--table", "item", "--key", "1", "--since", "1h"}, 0)["conflicts"];
  ASSERT_EQ(log.size(), 1u) << log.dump();
  EXPECT_EQ(log[0]["winner"], "nobody");
  EXPECT_THAT(duet({"conflicts", "show", log[0]["id"]}).output, AllOf(HasSubstr("by home"), HasSubstr("by spoke"), HasSubstr("update_origin_differs")));
  EXPECT_EQ(duet({"conflicts", "show", "999999"}).exit_code, 1);
  EXPECT_EQ(duet({"held", "resolve", "999999", "--pick", "home", "--yes"}).exit_code, 1);
  EXPECT_EQ(duet({"held", "resolve", id_of("1"), "--pick", "home"}).exit_code, 2) << "it asked nobody";

  resolve("1", {"--pick", "home"});
  resolve("2", {"--pick", "spoke"});
  resolve("3", {"--set", "note=by a person", "--set", "n"});
  resolve("4", {"--pick", "spoke", "--set", "n=30"});
  resolve("5", {"--delete"});
  if (HasFatalFailure()) return;
  ASSERT_TRUE(eventually([&] { return waiting() == 0; }, 30s)) << hub_->output();
  settle(*hub_);
  if (HasFatalFailure()) return;
  expect_row(1, {{"11", "by home"}});
  expect_row(2, {{"21", "by spoke"}});
  expect_row(3, {{std::nullopt, "by a person"}});
  expect_row(4, {{"30", "by spoke"}});
  expect_row(5, {});
  EXPECT_EQ(at_home("SELECT key ->> 'id', rule, winner, decided_by <> 'rule', result_row ->> 'note' FROM duet.conflict_log WHERE link = '" + link_ +
                    "' AND type = 'held' ORDER BY id"),
            (sql_rows{{"1", "manual", "home", "t", "by home"}, {"2", "manual", "spoke", "t", "by spoke"}, {"3", "manual", "set", "t", "by a person"},
                      {"4", "manual", "set", "t", "by spoke"}, {"5", "manual", "delete", "t", std::nullopt}}));
  EXPECT_EQ(answer({"conflicts"}, 0)["conflicts"].size(), 10u);
  EXPECT_THAT(hub_->output(), HasSubstr("decided_by_hand"));
  EXPECT_EQ(duet({"held"}).exit_code, 0);
  expect_done({1, 2, 3, 4, 5});
}

TEST_P(decisions, a_row_that_the_spoke_refuses_is_mended_and_one_that_it_refuses_again_waits_again) {
  begin();
  if (HasFatalFailure()) return;
  at_home("INSERT INTO item VALUES (20, 666, 'refused'), (21, 1, 'a note that is longer than twenty characters'), (22, 666, 'refused twice')");
  at_home("UPDATE item SET note = 'refused, later' WHERE id = 20");
  settle(*hub_);
  if (HasFatalFailure()) return;
  ASSERT_EQ(answer({"held"}, 1)["held"].size(), 3u);
  resolve("20", {"--set", "n=20"});
  resolve("21", {"--pick", "home", "--set", "note=shorter"});
  resolve("22", {"--pick", "home"});
  if (HasFatalFailure()) return;
  settle(*hub_);
  if (HasFatalFailure()) return;
  ASSERT_EQ(waiting(), 1u) << duet({"held"}).output;
  EXPECT_EQ(answer({"held", "show", id_of("22")}, 1)["held"]["changes"][0]["operation"], "refresh");
  expect_row(20, {{"20", "refused, later"}});
  expect_row(21, {{"1", "shorter"}});
  resolve("22", {"--pick", "spoke"});  // it has none
  if (HasFatalFailure()) return;
  expect_done({20, 21, 22});
}

TEST_P(decisions, made_while_the_hub_is_down_are_carried_when_it_starts) {
  begin();
  if (HasFatalFailure()) return;
  conflict({1, 2, 3});
  if (HasFatalFailure()) return;
  stop_hub();
  if (HasFatalFailure()) return;
  at_spoke("UPDATE item SET n = 21 WHERE id = 2");  // a change that no hub has read
  resolve("1", {"--pick", "home"});
  resolve("2", {"--pick", "spoke"});
  resolve("3", {"--delete"});
  if (HasFatalFailure()) return;
  start();
  if (HasFatalFailure()) return;
  settle(*hub_);
  if (HasFatalFailure()) return;
  expect_row(1, {{"10", "by home"}});
  expect_row(2, {{"21", "by spoke"}});
  expect_row(3, {});
  expect_done({1, 2, 3});
}

TEST_P(decisions, all_keys_of_a_table_are_decided_at_once) {
  begin();
  if (HasFatalFailure()) return;
  conflict({1, 2, 3, 4, 5, 6, 7});
  if (HasFatalFailure()) return;
  EXPECT_EQ(answer({"held", "resolve", "--all", "--table", "kv", "--pick", "home", "--yes"}, 0)["result"], "nothing_waits");
  const json done = answer({"held", "resolve", "--all", "--table", "public.item", "--pick", "spoke", "--yes"}, 0);
  EXPECT_EQ(done["keys"].size(), 7u);
  // The hub notices though nobody writes anything.
  EXPECT_TRUE(eventually([&] { return status()["hub"]["held_rows"] == 0; }, 30s)) << hub_->output();
  ASSERT_TRUE(eventually([&] { return waiting() == 0; }, 30s)) << hub_->output();
  expect_both("SELECT count(*) FROM item WHERE note = 'by spoke'", {{"7"}});
  expect_done({1, 7});
}

TEST_P(decisions, of_a_changed_key_are_made_for_both_keys_together) {
  begin();
  if (HasFatalFailure()) return;
  hub_->signal(SIGSTOP);
  at_home("UPDATE item SET note = 'by home' WHERE id = 1");
  at_spoke("UPDATE item SET id = 100, note = 'by spoke' WHERE id = 1");
  hub_->signal(SIGCONT);
  settle(*hub_);
  if (HasFatalFailure()) return;
  const std::string from = id_of("1"), to = id_of("100");
  const auto alone = duet({"held", "resolve", from, "--pick", "spoke", "--yes"});
  EXPECT_EQ(alone.exit_code, 4) << alone.output;
  EXPECT_THAT(alone.output, AllOf(HasSubstr(from), HasSubstr(to), HasSubstr("together")));
  const auto both_keys = duet({"held", "resolve", from, to, "--pick", "spoke", "--yes"});
  ASSERT_EQ(both_keys.exit_code, 0) << both_keys.output;
  ASSERT_TRUE(eventually([&] { return waiting() == 0; }, 30s)) << hub_->output();
  settle(*hub_);
  if (HasFatalFailure()) return;
  expect_row(1, {});
  expect_row(100, {{"0", "by spoke"}});
  expect_done({1, 100});
}

namespace {

// A person at a terminal, who takes some time to answer.
class slow_answer : public std::streambuf {
 public:
  explicit slow_answer(std::function<void()> meanwhile) : meanwhile_(std::move(meanwhile)) {}

 protected:
  int_type underflow() override {  // called when somebody reads
    if (answered_) return traits_type::eof();
    answered_ = true;
    if (meanwhile_) meanwhile_();
    setg(text_, text_, text_ + 4);
    return traits_type::to_int_type(text_[0]);
  }

 private:
  std::function<void()> meanwhile_;
  char text_[5] = "yes\n";
  bool answered_ = false;
};

}  // namespace

TEST_P(decisions, asked_for_are_not_made_if_a_row_has_changed_meanwhile) {
  begin();
  if (HasFatalFailure()) return;
  conflict({1});
  if (HasFatalFailure()) return;
  const std::string id = id_of("1"), config = config_file();
  const auto ask = [&](std::function<void()> meanwhile, std::string& text) {
    slow_answer typed(std::move(meanwhile));
    std::istream in(nullptr);
    std::ostringstream out;
    in.rdbuf(&typed);
    duet::cli::console c{out, out, in, true, false};
    const char* words[] = {"duet", "held", "resolve", id.c_str(), "--pick", "home", "-c", config.c_str()};
    const int code = duet::cli::run_command_line(8, words, "0", duet::cli::real_engines(), c);
    text = out.str();
    return code;
  };
  std::string text;
  for (const bool the_spoke : {true, false}) {
    EXPECT_EQ(ask([&] { the_spoke ? at_spoke("UPDATE item SET note = 'moved' WHERE id = 1") : at_home("UPDATE item SET note = 'moved' WHERE id = 1"); }, text), 1) << text;
    EXPECT_THAT(text, AllOf(HasSubstr("by home"), HasSubstr("moved"), HasSubstr("Nothing of this was decided")));
  }
  EXPECT_GE(waiting(), 1u);
  EXPECT_EQ(ask({}, text), 0) << text;
  ASSERT_TRUE(eventually([&] { return waiting() == 0; }, 30s)) << hub_->output();
  expect_row(1, {{"10", "moved"}});
  expect_done({1});
}

TEST_P(decisions, outlive_a_hub_that_is_killed_right_after_them) {
  begin();
  if (HasFatalFailure()) return;
  for (int round = 0; round < (long_form() ? 10 : 3); ++round) {
    SCOPED_TRACE(round);
    conflict({1, 2, 3});
    if (HasFatalFailure()) return;
    resolve("1", {"--pick", "home"});
    resolve("2", {"--pick", "spoke"});
    resolve("3", {"--pick", "spoke", "--set", "n=30"});
    if (HasFatalFailure()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(60 * round));
    hub_->kill9();
    start();
    if (HasFatalFailure()) return;
    settle(*hub_);
    if (HasFatalFailure()) return;
    expect_row(1, {{"10", "by home"}});
    expect_row(2, {{"20", "by spoke"}});
    expect_row(3, {{"30", "by spoke"}});
    expect_done({1, 2, 3});
    if (HasFatalFailure()) return;
  }
}

TEST_P(decisions, of_a_table_that_a_truncate_has_stopped_are_refused_with_what_to_do) {
  begin();
  if (HasFatalFailure()) return;
  at_home("TRUNCATE item");
  ASSERT_TRUE(eventually([&] { return waiting() == 1; }, 30s)) << hub_->output();
  const json held = answer({"held"}, 1)["held"];
  const auto r = duet({"held", "resolve", held[0]["id"], "--pick", "home", "--yes"});
  EXPECT_EQ(r.exit_code, 4) << r.output;
  EXPECT_THAT(r.output, AllOf(HasSubstr("TRUNCATE"), HasSubstr("duet setup")));
  EXPECT_EQ(duet({"held", "show", held[0]["id"]}).exit_code, 1);
}

// Keys that one side may take for one wait behind each other, and each is a row of its own.
TEST_P(decisions, of_keys_that_may_be_equal_to_one_side_are_made_together) {
  at_home("CREATE TABLE word (k varchar(50) PRIMARY KEY, v text); ALTER TABLE word REPLICA IDENTITY FULL");
  at_spoke("CREATE TABLE word (k varchar(50) PRIMARY KEY, v text) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci");
  write_config("  - home: public.item\n    conflict: { rule: manual }\n  - home: public.word\n");
  set_up();
  start();
  if (HasFatalFailure()) return;
  at_home("INSERT INTO word VALUES ('fresh', 'x')");
  at_home("INSERT INTO word VALUES ('FRESH', 'y')");
  at_home("INSERT INTO word VALUES ('Fresh', 'z')");
  settle(*hub_);
  if (HasFatalFailure()) return;
  const json all = answer({"held"}, 1)["held"];
  ASSERT_EQ(all.size(), 2u) << all;
  std::vector<std::string> both;
  for (const auto& k : all) both.push_back(k["id"]);
  const auto one = duet({"held", "resolve", both[0], "--pick", "spoke", "--yes"});
  EXPECT_NE(one.exit_code, 0) << one.output;
  EXPECT_THAT(one.output, HasSubstr("both must be decided together"));
  EXPECT_EQ(waiting(), 2u);
  const auto decided = duet({"held", "resolve", both[0], both[1], "--pick", "spoke", "--yes"});
  EXPECT_EQ(decided.exit_code, 0) << decided.output;
  ASSERT_TRUE(eventually([&] { return waiting() == 0 || !hub_->running(); }, 30s)) << hub_->output();
  settle(*hub_);
  if (HasFatalFailure()) return;
  expect_both("SELECT k, v FROM word", {{"fresh", "x"}});
  const auto equal = duet({"verify"});
  EXPECT_EQ(equal.exit_code, 0) << equal.output;
}
