#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "fixture.hpp"
#include "support/faulty_proxy.hpp"

namespace duet::postgres {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class postgres_target : public postgres_test {
 protected:
  target& open_shop() {
    sql("CREATE TABLE customer (id bigint PRIMARY KEY, name varchar(20), city text, score int NOT NULL DEFAULT 0)");
    return open({"customer"});
  }
  run insert_run() { return make_run(operation::insert, {0, 1, 2, 3}); }
  std::string contents() { return scalar("SELECT string_agg(c::text, ' ' ORDER BY id) FROM customer c"); }
};

TEST_F(postgres_target, writes_rows_and_the_control_row_in_one_transaction) {
  open_shop();
  begin();
  auto insert = insert_run();
  insert.rows = {{nullptr, row({"1", "Ann", "Oslo", "5"})}, {nullptr, row({"2", std::nullopt, "", "6"})},
                 {nullptr, row({"3", "Cid", "Rome", "7"})}};
  EXPECT_THAT(apply(insert), IsEmpty());
  auto update = make_run(operation::update, {1, 3}, {1, 2, 3});
  update.rows = {{row({"1", "Ann", "Oslo", "5"}), row({"1", "Anna", "Oslo", "-5"})}};
  EXPECT_THAT(apply(update), IsEmpty());
  auto remove = make_run(operation::remove, {}, {1, 2, 3});
  remove.rows = {{row({"3", "Cid", "Rome", "7"}), nullptr}};
  EXPECT_THAT(apply(remove), IsEmpty());
  EXPECT_EQ(contents(), "NULL") << "seen before it was committed";
  commit();
  EXPECT_EQ(contents(), "(1,Anna,Oslo,-5) (2,,\"\",6)");

  const control_row stored = target_->load_control();
  EXPECT_EQ(stored.position, control.position);
  EXPECT_EQ(stored.floor, control.floor);
  EXPECT_EQ(stored.counter, 1u);
  EXPECT_EQ(stored.fingerprint, ~std::uint64_t{0} - 1) << "64 bits, unsigned";
}

TEST_F(postgres_target, commits_nothing_when_it_rolls_back) {
  open_shop();
  auto insert = insert_run();
  insert.rows = {{nullptr, row({"1", "Ann", "Oslo", "5"})}};
  begin();
  apply(insert);
  target_->rollback();
  target_->rollback();
  EXPECT_EQ(contents(), "NULL");
  EXPECT_EQ(target_->load_control().counter, 0u);
  EXPECT_THAT(apply_alone(insert), IsEmpty());
  EXPECT_EQ(contents(), "(1,Ann,Oslo,5)");
}

TEST_F(postgres_target, commits_a_transaction_without_rows) {
  open_shop();
  begin();
  commit();
  EXPECT_EQ(target_->load_control().position, control.position);
}

TEST_F(postgres_target, takes_the_final_control_row_where_it_differs_from_the_announced_one) {
  open_shop();
  begin();
  auto insert = insert_run();
  insert.rows = {{nullptr, row({"1", "Ann", "Oslo", "5"})}};
  apply(insert);
  control_row final = next();
  final.position.value += 77;
  final.counter += 1;
  final.fingerprint = 42;
  target_->commit(final);
  EXPECT_EQ(target_->load_control().position, final.position);
  EXPECT_EQ(target_->load_control().fingerprint, 42u);
  EXPECT_EQ(scalar("SELECT remote_lsn - '0/0'::pg_lsn FROM pg_replication_origin_status WHERE external_id = 'duet_" + link + "'"),
            std::to_string(final.position.value));
}

TEST_F(postgres_target, marks_its_transactions_with_the_origin_and_the_sources_position) {
  open_shop();
  begin();
  commit();
  EXPECT_EQ(scalar("SELECT remote_lsn - '0/0'::pg_lsn FROM pg_replication_origin_status WHERE external_id = 'duet_" + link + "'"),
            std::to_string(control.position.value));
}

TEST_F(postgres_target, copies_long_runs_with_every_awkward_character) {
  open_shop();
  auto insert = insert_run();
  for (int i = 0; i < 3000; ++i)
    insert.rows.push_back({nullptr, row({std::to_string(i), "n" + std::to_string(i), i % 3 ? "a\tb\\N\n\r\\.\"'{},ä\xf0\x9f\x98\x80" : "", "1"})});
  insert.rows.push_back({nullptr, row({"-1", std::nullopt, std::nullopt, "2"})});
  EXPECT_THAT(apply_alone(insert), IsEmpty());
  EXPECT_EQ(scalar("SELECT count(*) FROM customer"), "3001");
  EXPECT_EQ(scalar("SELECT count(*) FROM customer WHERE city = E'a\\tb\\\\N\\n\\r\\\\.\"''{},ä😀'"), "2000");
  EXPECT_EQ(scalar("SELECT count(*) FROM customer WHERE city = ''"), "1000");
  EXPECT_EQ(scalar("SELECT count(*) FROM customer WHERE name IS NULL AND city IS NULL"), "1");
}

TEST_F(postgres_target, reports_exactly_the_rows_that_are_not_as_the_guard_says) {
  open_shop();
  sql("INSERT INTO customer VALUES (1, 'a', 'x', 1), (2, 'b', NULL, 2), (3, 'c', 'x ', 3), (4, 'd', 'X', 4), (5, NULL, 'x', 5),"
      " (6, 'f', 'x', 6)");
  auto update = make_run(operation::update, {3}, {1, 2});
  auto expect = [&](cells before) { update.rows.push_back({row(before), row({before[0], before[1], before[2], "100"})}); };
  expect({"1", "a", "x", "1"});             // as it is
  expect({"2", "b", "", "2"});              // NULL is not empty
  expect({"3", "c", "x", "3"});             // a blank more
  expect({"4", "d", "x", "4"});             // case
  expect({"5", std::nullopt, "x", "5"});    // NULL is NULL
  expect({"6", "f", std::nullopt, "6"});    // a value is not NULL
  expect({"7", "g", "x", "7"});             // absent
  EXPECT_THAT(apply_alone(update), ElementsAre(1, 2, 3, 5, 6));
  EXPECT_EQ(scalar("SELECT string_agg(id::text, ',' ORDER BY id) FROM customer WHERE score = 100"), "1,5");

  auto remove = make_run(operation::remove, {}, {1, 2});
  for (const auto& r : update.rows) remove.rows.push_back({r.before, nullptr});
  EXPECT_THAT(apply_alone(remove), ElementsAre(1, 2, 3, 5, 6));
  EXPECT_EQ(scalar("SELECT string_agg(id::text, ',' ORDER BY id) FROM customer"), "2,3,4,6");
}

TEST_F(postgres_target, counts_rows_right_over_several_statements) {
  open_shop();
  sql("INSERT INTO customer SELECT i, 'n', 'c', i FROM generate_series(0, 4999) i WHERE i % 1000 <> 7");
  auto update = make_run(operation::update, {3}, {3});
  for (int i = 0; i < 5000; ++i)
    update.rows.push_back({row({std::to_string(i), "n", "c", std::to_string(i)}), row({std::to_string(i), "n", "c", "-1"})});
  EXPECT_THAT(apply_alone(update), ElementsAre(7, 1007, 2007, 3007, 4007));
  EXPECT_EQ(scalar("SELECT count(*) FROM customer WHERE score = -1"), "4995");
}

TEST_F(postgres_target, updates_a_row_whose_locked_version_changed_only_if_the_new_version_is_as_expected) {
  open_shop();
  sql("INSERT INTO customer VALUES (1, 'a', 'x', 1), (2, 'b', 'x', 1)");
  auto other = server.session(database);
  other->exec("BEGIN; UPDATE customer SET city = 'y' WHERE id = 1; UPDATE customer SET score = 2 WHERE id = 2");
  auto update = make_run(operation::update, {1}, {2});
  update.rows = {{row({"1", "a", "x", "1"}), row({"1", "A", "x", "1"})}, {row({"2", "b", "x", "1"}), row({"2", "B", "x", "1"})}};
  auto result = std::async(std::launch::async, [&] { return apply_alone(update); });
  std::this_thread::sleep_for(300ms);
  other->exec("COMMIT");
  EXPECT_THAT(result.get(), ElementsAre(0));
  EXPECT_EQ(contents(), "(1,a,y,1) (2,B,x,2)");
}

TEST_F(postgres_target, inserts_checked_rows_but_not_over_keys_that_exist) {
  open_shop();
  sql("INSERT INTO customer SELECT i, 'old', 'c', 0 FROM generate_series(0, 2499) i WHERE i % 500 = 3");
  auto insert = insert_run();
  for (int i = 0; i < 2500; ++i) insert.rows.push_back({nullptr, row({std::to_string(i), "new", "c", "1"})});
  EXPECT_THAT(apply_alone(insert, insert_mode::checked), ElementsAre(3, 503, 1003, 1503, 2003));
  EXPECT_EQ(scalar("SELECT count(*) FROM customer WHERE name = 'new'"), "2495");
  EXPECT_EQ(scalar("SELECT count(*) FROM customer WHERE name = 'old'"), "5");

  insert.rows.resize(2);
  EXPECT_THAT(apply_alone(insert, insert_mode::checked), ElementsAre(0, 1)) << "none was left";
}

TEST_F(postgres_target, checks_composite_keys_of_text_and_time) {
  sql("CREATE TABLE visit (at timestamptz(3), place char(6), price numeric(8,2), v int, PRIMARY KEY (place, at, price))");
  open({"visit"});
  sql("INSERT INTO visit VALUES ('2024-05-01 10:00:00.5+00', 'x', 1.50, 0)");
  auto insert = make_run(operation::insert, {0, 1, 2, 3});
  insert.rows = {{nullptr, row({"2024-05-01 10:00:00", "x", "1.50", "1"})},
                 {nullptr, row({"2024-05-01 10:00:00.5", "x", "1.50", "2"})},
                 {nullptr, row({"2024-05-01 10:00:00.5", "x", "1.60", "3"})}};
  EXPECT_THAT(apply_alone(insert, insert_mode::checked), ElementsAre(1));
  EXPECT_EQ(scalar("SELECT string_agg(v::text, ',' ORDER BY v) FROM visit"), "0,1,3");
  auto remove = make_run(operation::remove, {}, {3});
  remove.rows = {{row({"2024-05-01 10:00:00.5", "x", "1.60", "3"}), nullptr}, {row({"2024-05-01 10:00:00.5", "x", "1.50", "2"}), nullptr}};
  EXPECT_THAT(apply_alone(remove), ElementsAre(1));
}

TEST_F(postgres_target, refuses_a_key_that_exists_when_it_trusts_and_says_no_value) {
  open_shop();
  sql("INSERT INTO customer VALUES (4711, 'old', 'c', 0)");
  for (int others : {0, 100}) {  // by one statement, and by COPY
    auto insert = insert_run();
    for (int i = 0; i < others; ++i) insert.rows.push_back({nullptr, row({std::to_string(i), "n", "c", "1"})});
    insert.rows.push_back({nullptr, row({"4711", "secret", "c", "1"})});
    begin();
    const failure f = failing([&] { apply(insert); });
    EXPECT_EQ(f.kind, failure_kind::row_refused);
    EXPECT_EQ(f.server_code, "23505");
    EXPECT_THAT(f.what(), HasSubstr("customer"));
    EXPECT_THAT(f.what(), Not(HasSubstr("4711")));
    EXPECT_THAT(f.what(), Not(HasSubstr("secret")));
  }
  EXPECT_EQ(contents(), "(4711,old,c,0)");
}

TEST_F(postgres_target, refuses_values_that_do_not_fit_and_goes_on_from_the_savepoint) {
  sql("CREATE TYPE mood AS ENUM ('sad', 'ok')");
  sql("CREATE TABLE strict (id int PRIMARY KEY, short varchar(3), padded char(3), mood mood, price numeric(4,2),"
      " flags bit(3), at date, doc jsonb, small smallint CHECK (small > 0))");
  open({"strict"});
  const cells good{"1", "abc", "abc", "ok", "12.34", "101", "2024-02-29", "{}", "1"};
  struct { std::size_t column; std::string value, code; } bad[] = {
      {0, "2147483648", "22003"}, {1, "abcd", "22001"},   {2, "abcd", "22001"},         {3, "happy", "22P02"}, {4, "100", "22003"},
      {5, "1011", "22026"},       {6, "2024-02-30", "22008"}, {7, "{\"sekret\"", "22P02"}, {8, "-1", "23514"},
      {1, std::string("a\0b", 3), "22021"}};
  begin();
  int next_id = 10;
  for (int copies : {1, 120}) {
    for (const auto& b : bad) {
      auto insert = make_run(operation::insert, {0, 1, 2, 3, 4, 5, 6, 7, 8});
      for (int i = 0; i < copies; ++i) {
        cells values = good;
        values[0] = std::to_string(next_id++);
        if (i == copies - 1) values[b.column] = b.value;
        insert.rows.push_back({nullptr, row(values)});
      }
      target_->savepoint();
      try {
        apply(insert);
        FAIL() << "column " << b.column << " took its value, " << copies << " rows";
      } catch (const failure& f) {
        EXPECT_EQ(f.kind, failure_kind::row_refused) << f.what();
        EXPECT_EQ(f.server_code, b.code) << f.what();
        for (const char* value : {"2147483648", "abcd", "happy", "1011", "02-30", "sekret"})
          EXPECT_THAT(f.what(), Not(HasSubstr(value))) << "a row's value is in the text";
      }
      target_->rollback_to_savepoint();
    }
  }
  auto insert = make_run(operation::insert, {0, 1, 2, 3, 4, 5, 6, 7, 8});
  insert.rows = {{nullptr, row(good)}};
  apply(insert);
  commit();
  EXPECT_EQ(scalar("SELECT string_agg(id::text, ',') FROM strict"), "1");
}

TEST_F(postgres_target, says_which_constraint_a_deferred_check_broke_at_commit) {
  sql("CREATE TABLE parent (id int PRIMARY KEY)");
  sql("CREATE TABLE child (id int PRIMARY KEY, p int REFERENCES parent DEFERRABLE INITIALLY DEFERRED)");
  open({"parent", "child"});
  auto insert = make_run(operation::insert, {0, 1}, {}, 1);
  insert.rows = {{nullptr, row({"1", "5"})}};
  begin();
  apply(insert);
  const failure f = failing([&] { commit(); });
  EXPECT_EQ(f.kind, failure_kind::row_refused);
  EXPECT_EQ(f.server_code, "23503");
  EXPECT_FALSE(f.in_doubt);
  EXPECT_EQ(target_->load_control().counter, 0u);
}

TEST_F(postgres_target, is_fenced_by_a_higher_epoch_and_writes_nothing_then) {
  open_shop();
  sql("UPDATE duet.control SET epoch = 2 WHERE link = '" + link + "'");
  auto insert = insert_run();
  for (int i = 0; i < 150; ++i) insert.rows.push_back({nullptr, row({std::to_string(i), "n", "c", "1"})});
  for (std::size_t rows : {150u, 1u}) {
    insert.rows.resize(rows);
    begin();
    EXPECT_EQ(failing([&] { apply(insert); }).kind, failure_kind::fenced);
  }
  begin();
  EXPECT_EQ(failing([&] { commit(); }).kind, failure_kind::fenced) << "also in the same round trip as COMMIT";
  EXPECT_EQ(contents(), "NULL");
  EXPECT_EQ(target_->load_control().counter, 0u);
}

TEST_F(postgres_target, notices_a_control_row_that_somebody_else_has_moved_or_removed) {
  open_shop();
  auto insert = insert_run();
  insert.rows = {{nullptr, row({"1", "n", "c", "1"})}};
  // By its counter alone: a person has decided beside this hub.
  for (const auto& [change, kind] : {std::pair{"position = 7", failure_kind::history_changed}, {"position = 7, counter = 9", failure_kind::history_changed},
                                     {"counter = 9", failure_kind::decided_by_hand}}) {
    sql("UPDATE duet.control SET position = 1000, counter = 0");
    sql(std::string("UPDATE duet.control SET ") + change);
    begin();
    target_->savepoint();
    const failure f = failing([&] { apply(insert); });
    EXPECT_EQ(f.kind, kind) << f.what();
  }
  sql("DELETE FROM duet.control");
  begin();
  EXPECT_EQ(failing([&] { apply(insert); }).kind, failure_kind::not_set_up);
  EXPECT_EQ(failing([&] { target_->load_control(); }).kind, failure_kind::not_set_up);
  EXPECT_EQ(contents(), "NULL");
}

TEST_F(postgres_target, lets_a_person_decide_beside_the_session_of_a_hub) {
  open_shop();
  auto insert = insert_run();
  insert.rows = {{nullptr, row({"1", "Ann", "Oslo", "5"})}};
  apply_alone(insert);
  target by_hand(at(), link, mapping{}, target::user::person);
  by_hand.open();  // the hub's session holds the origin
  const row_view key[] = {row({"1", std::nullopt, std::nullopt, std::nullopt})}, none[] = {row({"2", std::nullopt, std::nullopt, std::nullopt})};
  EXPECT_EQ(by_hand.read_rows(table(), key).at(0).values[1], "Ann");
  EXPECT_FALSE(by_hand.read_rows(table(), none).at(0).found);

  const auto begun = by_hand.begin_locked();
  control_row wanted = control;
  ++wanted.counter;
  EXPECT_EQ(begun.control.counter, wanted.counter);
  EXPECT_EQ(begun.control.position, control.position);
  EXPECT_EQ(begun.control.floor, control.floor);
  EXPECT_EQ(begun.control.fingerprint, control.fingerprint);
  EXPECT_NEAR(static_cast<double>(begun.time_us), static_cast<double>(std::time(nullptr)) * 1e6, 60e6);
  by_hand.rollback();
  EXPECT_EQ(target_->load_control().counter, control.counter) << "nothing was decided";

  const auto again = by_hand.begin_locked();
  const std::uint16_t name[] = {1};
  EXPECT_TRUE(by_hand.force(table(), operation::update, key[0], row({"1", "Anna", "Oslo", "5"}), name));
  conflict_entry e;
  e.table = "public.customer";
  e.key = R"({"id": "1"})";
  e.decided_by = "a person";
  by_hand.log_conflict(e);
  by_hand.commit(again.control);
  EXPECT_EQ(scalar("SELECT decided_by FROM duet.conflict_log"), "a person");
  EXPECT_EQ(contents(), "(1,Anna,Oslo,5)");
  begin();
  EXPECT_EQ(failing([&] { target_->lock_rows(table(), key); }).kind, failure_kind::decided_by_hand);
  sql("DELETE FROM duet.control");
  EXPECT_EQ(failing([&] { by_hand.begin_locked(); }).kind, failure_kind::not_set_up);
}

TEST_F(postgres_target, needs_the_bookkeeping_and_the_origin) {
  sql("CREATE TABLE t (id int PRIMARY KEY)");
  map({"t"});
  target unset(at(), link, mapping{});
  EXPECT_EQ(failing([&] { unset.open(); }).kind, failure_kind::not_set_up);
  EXPECT_EQ(failing([&] { unset.load_control(); }).kind, failure_kind::connection_lost);
  sql("SELECT pg_replication_origin_create('duet_" + link + "')");
  EXPECT_EQ(failing([&] { unset.open(); }).kind, failure_kind::not_set_up);
}

TEST_F(postgres_target, waits_for_the_outcome_of_a_zombie_before_it_reads_the_control_row) {
  open_shop();
  auto zombie = server.session(database);
  zombie->exec("BEGIN; UPDATE duet.control SET counter = 5, position = 1234");
  auto read = std::async(std::launch::async, [&] { return target_->load_control(); });
  EXPECT_EQ(read.wait_for(300ms), std::future_status::timeout);
  zombie->exec("COMMIT");
  const control_row found = read.get();
  EXPECT_EQ(found.counter, 5u);
  EXPECT_EQ(found.position.value, 1234u);
}

TEST_F(postgres_target, does_not_open_while_another_session_has_the_origin) {
  open_shop();
  target second(at(), link, mapping{});
  EXPECT_EQ(failing([&] { second.open(); }).kind, failure_kind::already_running);
}

TEST_F(postgres_target, opens_again_as_soon_as_its_former_session_has_ended) {
  open_shop();
  target second(at(), link, mapping{});
  auto opening = std::async(std::launch::async, [&] { second.open(); });
  EXPECT_EQ(opening.wait_for(700ms), std::future_status::timeout);
  target_->close();
  opening.get();
  EXPECT_EQ(second.load_control().counter, 0u);
}

TEST_F(postgres_target, loses_nothing_but_the_connection_when_its_session_is_ended) {
  open_shop();
  auto insert = insert_run();
  insert.rows = {{nullptr, row({"1", "n", "c", "1"})}};
  begin();
  apply(insert);
  sql("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'duet:" + link + ":apply'");
  auto more = insert_run();
  more.rows = {{nullptr, row({"2", "n", "c", "1"})}};
  const failure f = failing([&] { apply(more); });
  EXPECT_EQ(f.kind, failure_kind::connection_lost);
  EXPECT_FALSE(f.in_doubt);
  EXPECT_EQ(failing([&] { begin(); apply(more); }).kind, failure_kind::connection_lost);
  target_->open();
  EXPECT_EQ(target_->load_control().counter, 0u);
  EXPECT_THAT(apply_alone(more), IsEmpty());
  EXPECT_EQ(contents(), "(2,n,c,1)");
}

TEST_F(postgres_target, is_in_doubt_when_the_answer_to_commit_does_not_come_and_the_control_row_tells) {
  open_shop();
  testing::faulty_proxy proxy(at());
  target_ = std::make_unique<target>(proxy.through(), link, mapping{});
  for (bool happened : {true, false}) {
    target_->open();
    auto insert = insert_run();
    insert.rows = {{nullptr, row({happened ? "1" : "2", "n", "c", "1"})}};
    begin();
    apply(insert);
    if (happened) proxy.cut_after_request("commit");
    else proxy.cut_before_request("commit");
    const failure f = failing([&] { target_->commit(next()); });
    EXPECT_EQ(f.kind, failure_kind::connection_lost);
    EXPECT_TRUE(f.in_doubt);
    target_->open();
    const control_row found = target_->load_control();
    EXPECT_EQ(found.counter, happened ? control.counter + 1 : control.counter);
    if (happened) control = next();
  }
  EXPECT_EQ(contents(), "(1,n,c,1)");
}

TEST_F(postgres_target, is_freed_from_a_lock_wait_by_an_interrupt) {
  open_shop();
  sql("INSERT INTO customer VALUES (1, 'a', 'x', 1)");
  auto other = server.session(database);
  other->exec("BEGIN; UPDATE customer SET score = 2");
  auto update = make_run(operation::update, {1}, {});
  update.rows = {{row({"1", "a", "x", "1"}), row({"1", "b", "x", "1"})}};
  begin();
  const auto started = std::chrono::steady_clock::now();
  std::jthread interrupting([&] {
    std::this_thread::sleep_for(300ms);
    target_->interrupt();
  });
  EXPECT_EQ(failing([&] { apply(update); }).kind, failure_kind::connection_lost);
  EXPECT_LT(std::chrono::steady_clock::now() - started, 3s);
  interrupting.join();
  target_->open();
  other->exec("ROLLBACK");
  EXPECT_THAT(apply_alone(update), IsEmpty());
}

TEST_F(postgres_target, locks_rows_in_any_order_of_keys_and_reads_them_in_canonical_form) {
  open_shop();
  sql("INSERT INTO customer VALUES (1, 'a', NULL, 1), (2, 'b', '', 2), (3, 'c', 'z', 3)");
  begin();
  const std::vector<row_view> keys{row({"3", std::nullopt, std::nullopt, std::nullopt}), row({"9", std::nullopt, std::nullopt, std::nullopt}),
                                   row({"1", std::nullopt, std::nullopt, std::nullopt})};
  const auto rows = target_->lock_rows(table(), keys);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].values, (cells{"3", "c", "z", "3"}));
  EXPECT_FALSE(rows[1].found);
  EXPECT_EQ(rows[2].values, (cells{"1", "a", std::nullopt, "1"}));
  auto other = server.session(database);
  other->exec("SET lock_timeout = '200ms'");
  EXPECT_THROW(other->exec("UPDATE customer SET score = 0 WHERE id = 3"), testing::sql_error);
  other->exec("UPDATE customer SET score = 0 WHERE id = 2");
  commit();
  other->exec("UPDATE customer SET score = 0 WHERE id = 3");
}

TEST_F(postgres_target, finds_a_row_that_was_put_in_again_while_it_waited_for_the_lock) {
  open_shop();
  sql("INSERT INTO customer VALUES (1, 'old', NULL, 1)");
  auto other = server.session(database);
  other->exec("BEGIN; DELETE FROM customer WHERE id = 1; INSERT INTO customer VALUES (1, 'again', NULL, 1)");
  begin();
  const std::vector<row_view> keys{row({"1", std::nullopt, std::nullopt, std::nullopt})};
  auto locking = std::async(std::launch::async, [&] { return target_->lock_rows(table(), keys); });
  EXPECT_EQ(locking.wait_for(300ms), std::future_status::timeout);
  other->exec("COMMIT");
  const auto rows = locking.get();
  ASSERT_TRUE(rows[0].found);
  EXPECT_EQ(rows[0].values[1], "again");
  commit();
}

TEST_F(postgres_target, forces_rows_whatever_is_there) {
  open_shop();
  sql("INSERT INTO customer VALUES (1, 'a', 'x', 1)");
  const std::vector<std::uint16_t> all{0, 1, 2, 3}, name_only{1};
  begin();
  EXPECT_TRUE(target_->force(table(), operation::update, row({"1", "wrong", "wrong", "9"}), row({"1", "b", "x", "1"}), name_only));
  EXPECT_FALSE(target_->force(table(), operation::update, row({"2", "", "", "9"}), row({"2", "b", "x", "1"}), name_only));
  EXPECT_TRUE(target_->force(table(), operation::insert, nullptr, row({"3", "c", "y", "3"}), all));
  EXPECT_FALSE(target_->force(table(), operation::remove, row({"4", "", "", "0"}), nullptr, {}));
  EXPECT_TRUE(target_->force(table(), operation::remove, row({"3", "", "", "0"}), nullptr, {}));
  commit();
  EXPECT_EQ(contents(), "(1,b,x,1)");
  begin();
  EXPECT_EQ(failing([&] { target_->force(table(), operation::insert, nullptr, row({"1", "c", "y", "3"}), all); }).kind,
            failure_kind::row_refused);
}

TEST_F(postgres_target, takes_an_error_inside_a_trigger_for_a_refusal_of_the_row) {
  open_shop();
  sql("CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
      " IF new.score = 1 THEN PERFORM 1 FROM nosuchtable; END IF;"
      " IF new.score = 2 THEN PERFORM nosuchfunction(new.city); END IF;"
      " IF new.score = 3 THEN RAISE insufficient_privilege USING message = 'no secret for you'; END IF;"
      " IF new.score = 4 THEN new.name := (SELECT 'a' FROM generate_series(1, 2)); END IF;"
      " RETURN new; END $$");
  sql("CREATE TRIGGER stumble BEFORE INSERT OR UPDATE ON customer FOR EACH ROW EXECUTE FUNCTION stumble()");
  sql("ALTER TABLE customer ENABLE ALWAYS TRIGGER stumble");
  const char* codes[] = {"42P01", "42883", "42501", "21000"};
  for (int score = 1; score <= 4; ++score)
    for (int others : {0, 100}) {  // by one statement, and by COPY
      auto insert = insert_run();
      for (int i = 0; i < others; ++i) insert.rows.push_back({nullptr, row({std::to_string(i), "n", "c", "0"})});
      insert.rows.push_back({nullptr, row({"4711", "secret", "secret", std::to_string(score)})});
      begin();
      const failure f = failing([&] { apply(insert); });
      EXPECT_EQ(f.kind, failure_kind::row_refused) << f.what();
      EXPECT_EQ(f.server_code, codes[score - 1]) << f.what();
      EXPECT_THAT(f.what(), HasSubstr("PL/pgSQL function"));
      EXPECT_THAT(f.what(), Not(HasSubstr("secret")));
    }
  sql("ALTER TABLE customer RENAME COLUMN city TO town");
  auto insert = insert_run();
  insert.rows = {{nullptr, row({"1", "n", "c", "0"})}};
  for (int others : {0, 100}) {
    for (int i = 0; i < others; ++i) insert.rows.push_back({nullptr, row({std::to_string(i + 2), "n", "c", "0"})});
    begin();
    EXPECT_EQ(failing([&] { apply(insert); }).kind, failure_kind::schema_changed) << "of the table itself";
  }
}

TEST_F(postgres_target, notices_rows_that_a_trigger_keeps_off) {
  open_shop();
  sql("CREATE FUNCTION keep_off() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
      " IF coalesce(new.score, old.score) < 0 THEN RETURN NULL; END IF; RETURN coalesce(new, old); END $$");
  sql("INSERT INTO customer VALUES (9, 'a', 'x', -1)");
  sql("CREATE TRIGGER keep_off BEFORE INSERT OR UPDATE OR DELETE ON customer FOR EACH ROW EXECUTE FUNCTION keep_off()");
  sql("ALTER TABLE customer ENABLE ALWAYS TRIGGER keep_off");
  for (int others : {0, 5, 2000}) {  // by one statement, and by COPY
    auto insert = insert_run();
    for (int i = 0; i < others; ++i) insert.rows.push_back({nullptr, row({std::to_string(100 + i), "n", "c", "1"})});
    insert.rows.push_back({nullptr, row({"11", "secret", "c", "-1"})});
    insert.rows.push_back({nullptr, row({"12", "secret", "c", "-1"})});
    begin();
    const failure f = failing([&] { apply(insert); });
    EXPECT_EQ(f.kind, failure_kind::row_refused) << f.what();
    EXPECT_THAT(f.what(), HasSubstr("a trigger at home did not let 2 rows through"));
    EXPECT_THAT(f.what(), HasSubstr("customer"));
  }
  auto insert = insert_run();
  insert.rows = {{nullptr, row({"13", "n", "c", "1"})}, {nullptr, row({"14", "n", "c", "-1"})}};
  EXPECT_THAT(apply_alone(insert, insert_mode::checked), ElementsAre(1));

  const std::vector<std::uint16_t> all{0, 1, 2, 3}, name_only{1};
  begin();
  EXPECT_FALSE(target_->force(table(), operation::insert, nullptr, row({"15", "n", "c", "-1"}), all));
  EXPECT_FALSE(target_->force(table(), operation::update, row({"9", "a", "x", "-1"}), row({"9", "b", "x", "-1"}), name_only));
  EXPECT_FALSE(target_->force(table(), operation::remove, row({"9", "a", "x", "-1"}), nullptr, {}));
  EXPECT_TRUE(target_->force(table(), operation::insert, nullptr, row({"15", "n", "c", "1"}), all));
  commit();
  EXPECT_EQ(contents(), "(9,a,x,-1) (13,n,c,1) (15,n,c,1)");
}

TEST_F(postgres_target, moves_a_row_to_another_key) {
  open_shop();
  sql("INSERT INTO customer VALUES (1, 'a', 'x', 1), (2, 'b', 'x', 2)");
  auto update = make_run(operation::update, {0, 1}, {1});
  update.rows = {{row({"1", "a", "x", "1"}), row({"11", "A", "x", "1"})}, {row({"2", "no", "x", "2"}), row({"12", "B", "x", "2"})}};
  EXPECT_THAT(apply_alone(update), ElementsAre(1));
  EXPECT_EQ(contents(), "(2,b,x,2) (11,A,x,1)");
}

TEST_F(postgres_target, writes_identity_columns_and_leaves_generated_ones_alone) {
  sql("CREATE TABLE made (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED)");
  open({"made"});
  ASSERT_EQ(table().columns.size(), 2u);
  auto insert = make_run(operation::insert, {0, 1});
  insert.rows = {{nullptr, row({"70", "5"})}};
  EXPECT_THAT(apply_alone(insert), IsEmpty());
  insert.rows = {{nullptr, row({"71", "6"})}, {nullptr, row({"70", "6"})}};
  EXPECT_THAT(apply_alone(insert, insert_mode::checked), ElementsAre(1));
  insert.rows.clear();
  for (int i = 100; i < 260; ++i) insert.rows.push_back({nullptr, row({std::to_string(i), "1"})});
  EXPECT_THAT(apply_alone(insert), IsEmpty());
  EXPECT_EQ(scalar("SELECT string_agg(id || ':' || twice, ' ' ORDER BY id) FROM made WHERE id < 102"), "70:10 71:12 100:2 101:2");
}

TEST_F(postgres_target, tells_keys_apart_that_a_folding_collation_holds_equal) {
  sql("CREATE COLLATION folding (provider = icu, locale = 'und-u-ks-level2', deterministic = false)");
  sql("CREATE TABLE word (w text COLLATE folding PRIMARY KEY, n int)");
  open({"word"});
  EXPECT_TRUE(table().columns[0].home.type.case_insensitive);
  sql("INSERT INTO word VALUES ('Duet', 1)");
  auto remove = make_run(operation::remove, {}, {1});
  remove.rows = {{row({"duet", "1"}), nullptr}};
  EXPECT_THAT(apply_alone(remove), ElementsAre(0));
  remove.rows = {{row({"Duet", "1"}), nullptr}};
  EXPECT_THAT(apply_alone(remove), IsEmpty());
}

TEST_F(postgres_target, truncates_tables_together_and_stops_at_one_that_others_refer_to) {
  sql("CREATE TABLE parent (id int PRIMARY KEY)");
  sql("CREATE TABLE child (id int PRIMARY KEY, p int REFERENCES parent)");
  sql("INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1, 1)");
  open({"parent", "child"});
  const std::vector<const table_pair*> one{&table(0)}, both{&table(0), &table(1)};
  begin();
  const failure f = failing([&] { target_->truncate(one); });
  EXPECT_EQ(f.kind, failure_kind::table_stopped) << f.what();
  begin();
  target_->truncate(both);
  commit();
  EXPECT_EQ(scalar("SELECT count(*) FROM parent"), "0");
  EXPECT_EQ(scalar("SELECT count(*) FROM child"), "0");
}

TEST_F(postgres_target, goes_back_to_the_last_savepoint_only) {
  open_shop();
  auto insert = insert_run();
  begin();
  insert.rows = {{nullptr, row({"1", "n", "c", "1"})}};
  apply(insert);
  target_->savepoint();
  insert.rows = {{nullptr, row({"2", "n", "c", "1"})}};
  apply(insert);
  target_->savepoint();
  insert.rows = {{nullptr, row({"3", "n", "c", "1"})}};
  apply(insert);
  insert.rows = {{nullptr, row({"1", "n", "c", "1"})}};
  EXPECT_THROW(apply(insert), failure);
  target_->rollback_to_savepoint();
  insert.rows = {{nullptr, row({"4", "n", "c", "1"})}};
  apply(insert);
  target_->rollback_to_savepoint();
  commit();
  EXPECT_EQ(scalar("SELECT string_agg(id::text, ',' ORDER BY id) FROM customer"), "1,2");
}

TEST_F(postgres_target, never_commits_a_transaction_that_had_failed) {
  open_shop();
  auto insert = insert_run();
  insert.rows = {{nullptr, row({"1", "n", "c", "1"})}, {nullptr, row({"1", "n", "c", "1"})}};
  begin();
  EXPECT_THROW(apply(insert), failure);
  EXPECT_EQ(failing([&] { target_->commit(next()); }).kind, failure_kind::internal);
  EXPECT_EQ(contents(), "NULL");
  EXPECT_EQ(target_->load_control().counter, 0u);
}

TEST_F(postgres_target, puts_a_refresh_into_the_log_with_its_transaction) {
  open_shop();
  const std::string peek = "SELECT count(*) FROM pg_logical_slot_peek_binary_changes('duet_" + link + "', NULL, NULL, 'proto_version', '1',"
                           " 'publication_names', 'duet_" + link + "', 'messages', 'true') WHERE position(convert_to('";
  const std::string of_message = "', 'UTF8') IN data) > 0 AND get_byte(data, 0) = ascii('M')";
  owned_row now;
  now.found = true;
  now.values = {"1", "Annie", std::nullopt, "5"};
  begin();
  target_->emit_refresh(table(), row({"1", std::nullopt, std::nullopt, std::nullopt}), &now, {});
  target_->rollback();
  EXPECT_EQ(scalar(peek + "Annie" + of_message), "0") << "rolled back, it is not there";
  begin();
  target_->emit_refresh(table(), row({"1", std::nullopt, std::nullopt, std::nullopt}), &now, {});
  target_->emit_refresh(table(), row({"2", std::nullopt, std::nullopt, std::nullopt}), nullptr, {});
  commit();
  EXPECT_EQ(scalar(peek + "Annie" + of_message), "1");
  EXPECT_EQ(scalar(peek + "duet:" + link + of_message), "2");
}

TEST_F(postgres_target, names_a_point_behind_everything_that_has_committed) {
  open_shop();
  sql("SET synchronous_commit = off; INSERT INTO customer VALUES (1, 'a', 'x', 1)");
  const std::string before = scalar("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn");
  const log_position point = target_->catch_up_point();
  EXPECT_GT(point.value, std::stoull(before));
  // The transaction that made the point ends behind it, and is flushed: a reader will get past it without further writes.
  EXPECT_EQ(scalar("SELECT pg_current_wal_flush_lsn() > '0/0'::pg_lsn + " + std::to_string(point.value)), "t");
  sql("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'duet:" + link + ":sync'");
  EXPECT_GT(target_->catch_up_point(), point) << "its connection is made anew";
}

TEST_F(postgres_target, writes_down_conflicts) {
  open_shop();
  conflict_entry e;
  e.table = "public.customer";
  e.key = R"({"id": "1"})";
  e.type = "update_origin_differs";
  e.home_row = R"({"id": "1", "name": "it's \\u0000 and \u0000"})";
  e.home_position = {123};
  e.home_time_us = 1'700'000'000'123'456;
  e.rule = "home_wins";
  e.winner = "home";
  e.result = "kept home's row, refresh sent";
  begin();
  target_->log_conflict(e);
  commit();
  EXPECT_EQ(scalar("SELECT concat_ws('|', link, table_name, key, type, home_row->>'name', spoke_row IS NULL, home_position,"
                   " spoke_position IS NULL, home_time AT TIME ZONE 'UTC', spoke_time IS NULL, rule, winner, result) FROM duet.conflict_log"),
            link + "|public.customer|{\"id\": \"1\"}|update_origin_differs|it's \\u0000 and \\u0000|t|123|t|2023-11-14 22:13:20.123456|t|"
                   "home_wins|home|kept home's row, refresh sent");
}

TEST_F(postgres_target, holds_changes_and_remembers_their_tokens) {
  open_shop();
  held_entry e;
  e.table = "public.customer";
  e.key = R"({"id": "1"})";
  e.token = 0xfedcba9876543210;
  e.op = operation::update;
  e.reason = "value too long";
  e.server_code = "22001";
  e.after_row = R"({"id": "1"})";
  e.source_position = {77};
  begin();
  target_->hold(e);
  target_->hold(e);
  e.token = 5;
  target_->hold(e);
  EXPECT_EQ(scalar("SELECT count(*) FROM duet.held"), "0");
  commit();
  EXPECT_EQ(scalar("SELECT concat_ws('|', operation, reason, server_code, before_row IS NULL, after_row, source_position,"
                   " source_time IS NULL) FROM duet.held WHERE token = 5"),
            "update|value too long|22001|t|{\"id\": \"1\"}|77|t");
  EXPECT_THAT(target_->load_held_tokens(),
              ::testing::UnorderedElementsAre(std::pair<std::string, std::uint64_t>("public.customer", 0xfedcba9876543210),
                                              std::pair<std::string, std::uint64_t>("public.customer", 5)));
  const auto status = home().status();
  ASSERT_EQ(status.held.size(), 1u);
  EXPECT_EQ(status.held[0].table, "public.customer");
  EXPECT_EQ(status.held[0].rows, 3u);
  EXPECT_EQ(status.held[0].last_reason, "value too long");
}

TEST_F(postgres_target, finds_rows_by_index_in_tables_that_were_never_analysed) {
  sql("CREATE TABLE big (id bigint PRIMARY KEY, k int, c text) WITH (autovacuum_enabled = off); CREATE INDEX ON big (k)");
  open({"big"});
  auto touch = [&](int from) {
    auto update = make_run(operation::update, {1, 2}, {1, 2});
    auto remove = make_run(operation::remove, {}, {1, 2});
    for (int i = from; i < from + 50; ++i) {
      const std::string id = std::to_string(i);
      update.rows.push_back({row({id, "1", "x"}), row({id, "2", "y"})});
      remove.rows.push_back({row({id, "2", "y"}), nullptr});
    }
    const std::size_t not_updated = apply_alone(update).size();
    return std::pair(not_updated, apply_alone(remove).size());
  };
  EXPECT_EQ(touch(0), std::pair(std::size_t{50}, std::size_t{50})) << "planned while the table was empty";
  sql("INSERT INTO big SELECT i, 1, 'x' FROM generate_series(0, 19999) i");
  for (int i = 0; i < 10; ++i) EXPECT_EQ(touch(i * 100), std::pair(std::size_t{0}, std::size_t{0}));
  target_->close();  // its statistics are sent at the latest now
  EXPECT_TRUE(testing::eventually([&] {
    return scalar("SELECT idx_scan >= 1000 FROM pg_stat_user_tables WHERE relname = 'big'") == "t";
  }));
  // The indexes were built over an empty table; whoever reads it from end to end after that reads thousands of rows.
  EXPECT_EQ(scalar("SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'big'"), "0");
}

TEST_F(postgres_target, goes_on_when_there_are_more_shapes_of_statements_than_it_keeps) {
  std::string columns;
  for (int i = 1; i <= 11; ++i) columns += ", c" + std::to_string(i) + " int";
  sql("CREATE TABLE wide (id int PRIMARY KEY" + columns + ")");
  open({"wide"});
  sql("INSERT INTO wide (id) VALUES (1)");
  cells values(12, "1");
  const row_view after = row(values);
  for (unsigned shape = 1; shape <= 1100; ++shape) {
    auto update = make_run(operation::update, {});
    for (std::uint16_t i = 0; i < 11; ++i)
      if (shape >> i & 1) update.columns.push_back(static_cast<std::uint16_t>(i + 1));
    update.rows = {{after, after}};
    ASSERT_THAT(apply_alone(update), IsEmpty()) << shape;
  }
  EXPECT_EQ(target_->load_control().counter, 1100u);
}

// What goes in by COPY, by INSERT and by UPDATE comes out of lock_rows the same, and meets its own guard.
TEST_F(postgres_target, brings_every_type_round_unchanged) {
  sql("CREATE TYPE mood AS ENUM ('sad', 'so, so', 'it''s \"ok\"')");
  sql("CREATE DOMAIN email AS varchar(40) CHECK (VALUE <> 'never')");
  sql("CREATE TABLE everything (id int PRIMARY KEY, small smallint, big bigint, free numeric, money numeric(12,2), r real, d double precision,"
      " b boolean, fixed char(5), var varchar(10), t text, raw bytea, day date, clock time(3), local timestamp(3), instant timestamptz,"
      " j json, jb jsonb, u uuid, m mood, bits1 bit, bits9 bit(9), list text[], mail email)");
  open({"everything"});
  for (const auto& c : table().columns) ASSERT_NE(c.home.type.kind, value_kind::other) << c.home.name;
  const std::vector<cells> rows{
      {"1", "-32768", "-9223372036854775808", "-123456789012345678901234567890.1234567890", "-0.05", "-3.4028235e+38", "1.7976931348623157e+308",
       "1", "ab", "äöü", "tab\t\\ \n\r 'quote' \"q\" {a,b}", std::string("\0\x01\xff\\x", 5), "0044-03-15 BC", "23:59:59.999",
       "9999-12-31 23:59:59.999", "1969-12-31 23:59:59.999999", "{\"b\" : 1,\"a\":[1, 2]}", "{\"a\": [1, 2], \"b\": 1}",
       "00112233-4455-6677-8899-aabbccddeeff", "so, so", "1", "101010101", "{a,\"b c\",NULL,\"NULL\",\"\\\"\"}", "a@b.c"},
      {"2", "32767", "9223372036854775807", "NaN", "9999999999.99", "NaN", "-Infinity", "0", "", "", "", "", "infinity", "00:00:00",
       "-infinity", "infinity", "null", "\"\"", "ffffffff-ffff-ffff-ffff-ffffffffffff", "it's \"ok\"", "0", "000000000", "{}", ""},
      {"3", "0", "0", "0.00100", "0.00", "1e-45", "5e-324", "1", "abcde", "0123456789", "\xf0\x9f\x98\x80", std::string(70000, '\xee'),
       "-infinity", "12:30:00.5", "2024-02-29 00:00:00", "2024-05-01 10:00:00.5", "[]", "1.50", "00000000-0000-0000-0000-000000000000",
       "sad", "1", "111111111", "{{a,b},{c,d}}", "x"},
      {"4", "1", "1", "Infinity", "1.00", "0.1", "0.1", "1", "a b", "a b", std::string(100000, 'x'), "x", "2024-01-01", "01:02:03.004",
       "0044-03-15 12:00:00 BC", "0044-03-15 12:00:00.25 BC", "{}", "{}", "12345678-1234-1234-1234-123456789abc", "sad", "0", "000000001",
       "{\"\"}", "y"},
      cells(table().columns.size(), std::nullopt)};
  std::vector<std::uint16_t> all, guard, written;
  for (std::uint16_t i = 0; i < table().columns.size(); ++i) {
    all.push_back(i);
    if (i > 0) guard.push_back(i), written.push_back(i);
  }
  auto with_id = [&](cells values, int id) {
    values[0] = std::to_string(id);
    return row(values);
  };
  auto same = [&](int id, const cells& values) {
    cells expected = values;
    expected[0] = std::to_string(id);
    begin();
    const std::vector<row_view> key{row(expected)};
    const auto found = target_->lock_rows(table(), key);
    commit();
    ASSERT_TRUE(found[0].found) << id;
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_EQ(found[0].values[i], expected[i]) << table().columns[i].home.name << " of row " << id;
  };

  for (int many : {1, 30}) {  // one statement, and COPY
    const int first = many * 1000;
    auto insert = make_run(operation::insert, all);
    for (int i = 0; i < many; ++i)
      for (std::size_t r = 0; r < rows.size(); ++r)
        insert.rows.push_back({nullptr, with_id(rows[r], first + i * static_cast<int>(rows.size()) + static_cast<int>(r))});
    ASSERT_THAT(apply_alone(insert), IsEmpty());
    for (std::size_t r = 0; r < rows.size(); ++r) same(first + static_cast<int>(r), rows[r]);
  }
  // Each row becomes the next one, guarded by all of its own values.
  auto update = make_run(operation::update, written, guard);
  for (std::size_t r = 0; r < rows.size(); ++r)
    update.rows.push_back({with_id(rows[r], 1000 + static_cast<int>(r)), with_id(rows[(r + 1) % rows.size()], 1000 + static_cast<int>(r))});
  EXPECT_THAT(apply_alone(update), IsEmpty());
  for (std::size_t r = 0; r < rows.size(); ++r) same(1000 + static_cast<int>(r), rows[(r + 1) % rows.size()]);
  EXPECT_THAT(apply_alone(update), ElementsAre(0, 1, 2, 3, 4)) << "they are no longer what they were";
}

}  // namespace
}  // namespace duet::postgres
