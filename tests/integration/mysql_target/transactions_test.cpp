// What mysql::target promises about transactions, fencing and lost connections, on real servers.
#include <gmock/gmock.h>

#include <chrono>
#include <thread>

#include "spoke_fixture.hpp"
#include "support/faulty_proxy.hpp"

namespace duet::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class mysql_target_transactions : public spoke_fixture {
 public:
  void SetUp() override {
    spoke_fixture::SetUp();
    exec("CREATE TABLE item (id int PRIMARY KEY, n int)");
    item = load("item");
    open();
  }
  table_pair item;
};

TEST_P(mysql_target_transactions, the_control_row_moves_with_the_rows) {
  EXPECT_EQ(t->load_control(), control);
  insert(item, {{"1", "1"}});
  EXPECT_EQ(t->load_control(), control);
  EXPECT_EQ(make_site()->load_control(), control);
  const control_row before = control;
  begin();
  EXPECT_EQ(make_site()->load_control(), before) << "not before it commits";
  undo(before);
  EXPECT_EQ(t->load_control(), before);
}

TEST_P(mysql_target_transactions, the_last_word_on_the_control_row_may_come_with_the_commit) {
  begin();
  control.position.value += 1000;
  control.floor.value += 500;
  control.fingerprint = 42;
  commit();
  EXPECT_EQ(t->load_control(), control);
  insert(item, {{"1", "1"}});
  EXPECT_EQ(t->load_control(), control);
}

TEST_P(mysql_target_transactions, the_control_row_is_the_first_write_in_the_log) {
  const auto start = make_site()->start_position();
  insert(item, {{"1", "1"}});
  std::vector<std::string> tables;
  for (const auto& event :
       spoke().query("SHOW BINLOG EVENTS IN '" +
                     std::string(make_site()->describe(start).substr(0, make_site()->describe(start).find(':'))) + "' FROM " +
                     std::to_string(binlog_offset(start))))
    if (event[2] == "Table_map") tables.push_back(event[5]->substr(event[5]->find('(')));
  EXPECT_THAT(tables, ElementsAre("(duet.control)", "(" + database + ".item)"));
}

TEST_P(mysql_target_transactions, a_raised_epoch_fences) {
  const control_row before = control;
  spoke().exec("UPDATE duet.control SET epoch=epoch+1");
  EXPECT_EQ(failure_from([&] { begin(); }).kind, failure_kind::fenced);
  control = before;
  // A hub that takes over ends the session, too; opening it again does not help.
  make_site()->take_over(5, false);
  EXPECT_EQ(failure_from([&] { begin(); }).kind, failure_kind::connection_lost);
  control = before;
  t->rollback();
  t->open();
  EXPECT_EQ(failure_from([&] { begin(); }).kind, failure_kind::fenced);
}

TEST_P(mysql_target_transactions, another_position_or_counter_is_another_history) {
  for (const char* change : {"position=position+1", "counter=counter+1"}) {
    spoke().exec(std::string("UPDATE duet.control SET ") + change);
    const control_row before = control;
    EXPECT_EQ(failure_from([&] { begin(); }).kind, failure_kind::history_changed) << change;
    control = before;
  }
  spoke().exec("DELETE FROM duet.control");
  EXPECT_EQ(failure_from([&] { begin(); }).kind, failure_kind::not_set_up);
  EXPECT_EQ(failure_from([&] { t->load_control(); }).kind, failure_kind::not_set_up);
}

TEST_P(mysql_target_transactions, a_deadlock_is_told_and_the_transaction_can_be_tried_again) {
  insert(item, {{"1", "0"}, {"2", "0"}});
  auto other = spoke().session(database);
  other->exec("SET SESSION innodb_lock_wait_timeout=30");
  other->exec("BEGIN");
  // Give the other session more to lose, so that we are the victim.
  other->exec("CREATE TEMPORARY TABLE digits (d int)");
  exec("CREATE TABLE filler (id int PRIMARY KEY)");
  for (int i = 0; i < 50; ++i) other->exec("INSERT INTO filler VALUES (" + std::to_string(i) + ")");
  other->exec("UPDATE item SET n=1 WHERE id=2");
  const control_row before = control;
  begin();
  const duet::run first{.table = &item,
                        .op = operation::update,
                        .columns = {1},
                        .guard = {},
                        .rows = {{store.add({"1", "0"}), store.add({"1", "5"})}}};
  const duet::run second{.table = &item,
                         .op = operation::update,
                         .columns = {1},
                         .guard = {},
                         .rows = {{store.add({"2", "0"}), store.add({"2", "5"})}}};
  indices unmatched;
  t->apply(first, insert_mode::trusting, unmatched);
  std::jthread crossing([&] {
    try {
      other->exec("UPDATE item SET n=1 WHERE id=1");
    } catch (const sql_error&) {  // it was the victim: then our wait ends well
    }
    other->exec("ROLLBACK");
  });
  std::this_thread::sleep_for(300ms);
  std::optional<failure> refused;
  try {
    t->apply(second, insert_mode::trusting, unmatched);
  } catch (const failure& f) {
    refused = f;
  }
  crossing.join();
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->kind, failure_kind::deadlock);
  EXPECT_EQ(refused->server_code, "1213");
  // Nothing may be written or committed before the rollback: the control row's move is gone.
  EXPECT_EQ(failure_from([&] { t->apply(first, insert_mode::trusting, unmatched); }).kind, failure_kind::internal);
  EXPECT_EQ(failure_from([&] { commit(); }).kind, failure_kind::internal);
  undo(before);
  EXPECT_EQ(scalar("SELECT GROUP_CONCAT(n) FROM item"), "0,0");
  begin();
  t->apply(first, insert_mode::trusting, unmatched);
  t->apply(second, insert_mode::trusting, unmatched);
  commit();
  EXPECT_EQ(scalar("SELECT GROUP_CONCAT(n) FROM item"), "5,5");
}

TEST_P(mysql_target_transactions, a_lock_wait_that_ends_without_the_lock_counts_as_deadlock) {
  insert(item, {{"1", "0"}});
  auto other = spoke().session(database);
  other->exec("BEGIN");
  other->exec("UPDATE item SET n=1 WHERE id=1");
  const control_row before = control;
  begin();
  indices unmatched;
  const duet::run r{.table = &item, .op = operation::remove, .guard = {}, .rows = {{store.add({"1", "0"}), nullptr}}};
  const failure f = failure_from([&] { t->apply(r, insert_mode::trusting, unmatched); });
  EXPECT_EQ(f.kind, failure_kind::deadlock);
  EXPECT_EQ(f.server_code, "1205");
  undo(before);
  other->exec("ROLLBACK");
  EXPECT_THAT(remove(item, {}, {{"1", "0"}}), IsEmpty());
}

TEST_P(mysql_target_transactions, a_savepoint_keeps_what_came_before_it) {
  begin();
  indices unmatched;
  const auto put = [&](const char* id) {
    const duet::run r{
        .table = &item, .op = operation::insert, .columns = all(item), .guard = {}, .rows = {{nullptr, store.add({id, "1"})}}};
    t->apply(r, insert_mode::trusting, unmatched);
  };
  put("1");
  t->savepoint();
  put("2");
  t->savepoint();
  put("3");
  EXPECT_EQ(failure_from([&] { put("1"); }).kind, failure_kind::row_refused);
  t->rollback_to_savepoint();
  put("4");
  commit();
  EXPECT_EQ(scalar("SELECT GROUP_CONCAT(id) FROM item"), "1,2,4");
}

TEST_P(mysql_target_transactions, exact_counts_do_not_disturb_the_callers_savepoint) {
  insert(item, {{"1", "0"}, {"2", "0"}, {"3", "0"}});
  begin();
  t->savepoint();
  indices unmatched;
  duet::run r{.table = &item, .op = operation::update, .columns = {1}, .guard = {1}};
  for (const char* id : {"1", "2", "3", "4"}) r.rows.push_back({store.add({id, "0"}), store.add({id, "9"})});
  t->apply(r, insert_mode::trusting, unmatched);
  EXPECT_THAT(unmatched, ElementsAre(3));
  t->rollback_to_savepoint();
  commit();
  EXPECT_EQ(scalar("SELECT GROUP_CONCAT(n) FROM item"), "0,0,0");
}

TEST_P(mysql_target_transactions, conflicts_and_held_changes_are_kept_with_the_transaction) {
  begin();
  t->log_conflict({.table = "public.item",
                   .key = "{\"id\": 1}",
                   .type = "update_missing",
                   .home_row = "",
                   .spoke_row = "{\"id\": 1, \"n\": \"it's\"}",
                   .home_position = {9},
                   .spoke_position = {},
                   .home_time_us = 1'700'000'000'000'001,
                   .spoke_time_us = 0,
                   .rule = "home_wins",
                   .winner = "home",
                   .result = std::string(300, 'r')});
  t->hold({.table = "public.item",
           .key = "{\"id\": 1}",
           .token = 0xffffffffffffffff,
           .op = operation::insert,
           .reason = "duplicate 'x' \\",
           .server_code = "1062",
           .before_row = "",
           .after_row = "{\"id\": 1}",
           .source_position = {77},
           .source_time_us = 1'700'000'000'500'000});
  t->hold({.table = "public.other",
           .key = "{\"id\": 1}",
           .token = 7,
           .op = operation::remove,
           .reason = "ü" + std::string(2000, 'x'),
           .before_row = "{}",
           .source_position = {77}});
  commit();
  EXPECT_THAT(t->load_held_tokens(),
              UnorderedElementsAre(std::pair<std::string, std::uint64_t>("public.item", 0xffffffffffffffff),
                                   std::pair<std::string, std::uint64_t>("public.other", 7)));
  EXPECT_EQ(spoke().scalar("SELECT CONCAT_WS('|', link, table_name, home_row IS NULL, JSON_VALUE(spoke_row, '$.n'), "
                           "home_position, spoke_position IS NULL,"
                           " home_time, rule, LENGTH(result)) FROM duet.conflict_log"),
            "shop|public.item|1|it's|9|1|2023-11-14 22:13:20.000001|home_wins|200");
  EXPECT_EQ(spoke().scalar("SELECT CONCAT_WS('|', operation, reason, server_code, before_row IS NULL, source_position, "
                           "source_time) FROM duet.held WHERE token=-1"),
            "insert|duplicate 'x' \\|1062|1|77|2023-11-14 22:13:20.500000");
  const auto s = make_site()->status();
  EXPECT_EQ(s.conflicts, 1u);
  ASSERT_EQ(s.held.size(), 2u);
  EXPECT_EQ(s.held[0].table, "public.item");
  EXPECT_EQ(s.held[0].rows, 1u);
  EXPECT_EQ(s.held[0].last_reason, "duplicate 'x' \\");
}

TEST_P(mysql_target_transactions, a_refresh_is_homes_business) {
  EXPECT_EQ(failure_from([&] { t->emit_refresh(item, store.add({"1", "1"}), nullptr, {}); }).kind, failure_kind::internal);
}

TEST_P(mysql_target_transactions, the_catch_up_point_covers_what_has_committed) {
  const auto before = t->catch_up_point();
  insert(item, {{"1", "0"}});
  const auto after = t->catch_up_point();
  EXPECT_LT(before, after);
  EXPECT_EQ(after, make_site()->start_position());
  begin();
  EXPECT_EQ(t->catch_up_point(), after) << "an open transaction has not been logged, and must not block the question";
  commit();
  exec("FLUSH BINARY LOGS");
  EXPECT_LT(after, t->catch_up_point());
}

TEST_P(mysql_target_transactions, a_lost_connection_is_told_and_the_target_can_be_opened_again) {
  faulty_proxy proxy(at);
  mysql::target through(proxy.through(), link, nothing);
  through.open();
  const control_row before = control;
  control_row next = control;
  ++next.counter;
  through.begin(before, next, 0);
  proxy.cut();
  indices unmatched;
  const duet::run r{
      .table = &item, .op = operation::insert, .columns = all(item), .guard = {}, .rows = {{nullptr, store.add({"1", "1"})}}};
  const failure f = failure_from([&] { through.apply(r, insert_mode::trusting, unmatched); });
  EXPECT_EQ(f.kind, failure_kind::connection_lost);
  EXPECT_FALSE(f.in_doubt);
  through.rollback();
  EXPECT_EQ(failure_from([&] { through.begin(before, next, 0); }).kind, failure_kind::connection_lost);
  through.rollback();
  through.open();
  through.begin(before, next, 0);
  through.apply(r, insert_mode::trusting, unmatched);
  through.commit(next);
  EXPECT_EQ(count("item"), "1");
}

TEST_P(mysql_target_transactions, a_commit_without_an_answer_is_in_doubt_and_the_control_row_knows) {
  for (const bool happened : {true, false}) {
    faulty_proxy proxy(at);
    mysql::target through(proxy.through(), link, nothing);
    through.open();
    const control_row before = through.load_control();
    control_row next = before;
    ++next.counter;
    through.begin(before, next, 0);
    happened ? proxy.cut_after_request("COMMIT") : proxy.cut_before_request("COMMIT");
    const failure f = failure_from([&] { through.commit(next); });
    EXPECT_EQ(f.kind, failure_kind::connection_lost);
    EXPECT_TRUE(f.in_doubt);
    through.open();
    EXPECT_EQ(through.load_control(), happened ? next : before);
  }
}

TEST_P(mysql_target_transactions, an_interrupt_ends_a_statement_that_waits) {
  auto other = spoke().session(database);
  other->exec("BEGIN");
  other->exec("SELECT * FROM duet.control FOR UPDATE");
  std::jthread interrupter([&] {
    std::this_thread::sleep_for(300ms);
    t->interrupt();
  });
  const auto start = std::chrono::steady_clock::now();
  const failure f = failure_from([&] { begin(); });
  EXPECT_EQ(f.kind, failure_kind::connection_lost);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 3s);
  other->exec("ROLLBACK");
}

TEST_P(mysql_target_transactions, an_interrupt_ends_a_statement_on_a_frozen_network) {
  faulty_proxy proxy(at);
  mysql::target through(proxy.through(), link, nothing);
  through.open();
  proxy.freeze(true);
  std::jthread interrupter([&] {
    std::this_thread::sleep_for(300ms);
    through.interrupt();
  });
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(failure_from([&] { through.load_control(); }).kind, failure_kind::connection_lost);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 3s);
  proxy.freeze(false);
}

TEST_P(mysql_target_transactions, a_server_that_is_not_there_cannot_be_connected_to) {
  endpoint wrong = at;
  wrong.port = find_free_port();
  mysql::target nobody(wrong, link, nothing);
  EXPECT_EQ(failure_from([&] { nobody.open(); }).kind, failure_kind::cannot_connect);
  wrong = at;
  wrong.user = "stranger";
  wrong.password = "s3cret";
  mysql::target stranger(wrong, link, nothing);
  const failure f = failure_from([&] { stranger.open(); });
  EXPECT_EQ(f.kind, failure_kind::configuration);
  EXPECT_EQ(std::string(f.what()).find("s3cret"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(each, mysql_target_transactions, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace
}  // namespace duet::testing
