// initial: merge: both sides have rows, some of which differ, while both are written to and the hub is killed.
#include <map>
#include <set>

#include "integration/sync/sync_fixture.hpp"

using namespace duet::testing;
using ::testing::HasSubstr;

namespace {

// Not constant: the long form of one test merges two million.
int rows = 12000;

class merge_test : public sync_test {
 protected:
  merge_test() {
    at_home("CREATE TABLE item (id int PRIMARY KEY, name varchar(40), note text, doc jsonb, stock int NOT NULL, changed timestamptz(6));"
            "ALTER TABLE item REPLICA IDENTITY FULL");
    at_spoke("CREATE TABLE item (id int PRIMARY KEY, name varchar(40), note longtext, doc json, stock int NOT NULL, changed datetime(6)) CHARACTER SET utf8mb4");
  }

  // Ids 1 to `rows` on both sides, the same. Then, of each hundred: 3 have another name at the spoke, 2 no note at home and
  // another stock, 1 is at home only, 1 at the spoke only. Home's row is the later one where id is even.
  void fill() {
    const std::string n = std::to_string(rows);
    at_home("INSERT INTO item SELECT i, concat('item ', i), concat('note ', i), '{\"a\": [1, 2.50]}'::jsonb, 100, timestamptz '2024-01-01 00:00:00Z' FROM generate_series(1, " + n + ") i");
    for (int from = 0; from < rows; from += 500000)  // a recursion has at most a thousand steps
      at_spoke("INSERT INTO item SELECT n, CONCAT('item ', n), CONCAT('note ', n), '{\"a\":[1,2.50]}', 100, '2024-01-01 00:00:00' FROM (SELECT " + std::to_string(from) + " + a.i * 1000 + b.i AS n FROM "
               "(WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 1000) SELECT i FROM s) b, "
               "(WITH RECURSIVE t (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM t WHERE i < " + std::to_string(std::min(rows - from, 500000) / 1000 - 1) + ") SELECT i FROM t) a) AS numbers");
    at_spoke("UPDATE item SET name = CONCAT('other ', id) WHERE id % 100 IN (10, 11, 12)");
    at_home("UPDATE item SET note = NULL, stock = 70 WHERE id % 100 IN (20, 21)");
    at_home("UPDATE item SET changed = changed + interval '1 day' WHERE id % 2 = 0");
    at_spoke("UPDATE item SET changed = changed + INTERVAL 1 DAY WHERE id % 2 = 0 AND id % 100 NOT IN (10, 12, 20)");
    at_spoke("UPDATE item SET changed = changed + INTERVAL 1 HOUR WHERE id % 100 IN (11, 21)");
    at_spoke("DELETE FROM item WHERE id % 100 = 30");
    at_home("DELETE FROM item WHERE id % 100 = 31");
  }
  void configure(const std::string& truth, const std::string& conflict = "") {
    write_config("  - { home: public.item, initial: merge, truth: " + truth + (conflict.empty() ? "" : ", conflict: " + conflict) + " }\n");
  }
  sql_rows items(bool of_home, const std::string& where) {
    return of_home ? at_home("SELECT id, name, note, stock, to_char(changed AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') FROM item " + where + " ORDER BY id")
                   : at_spoke("SELECT id, name, note, stock, DATE_FORMAT(changed, '%Y-%m-%d %H:%i:%s') FROM item " + where + " ORDER BY id");
  }
  void expect_items_equal() {
    EXPECT_EQ(items(true, ""), items(false, ""));
    EXPECT_EQ(at_home("SELECT id FROM item WHERE doc <> '{\"a\": [1, 2.5]}'"), sql_rows{});
  }
  void await_merge() {
    const auto done = [&](auto answer) { return answer == sql_rows{{"1"}}; };
    const std::string ask = "SELECT count(*) FROM duet.first_copy WHERE link = '" + link_ + "' AND done";
    ASSERT_TRUE(eventually([&] { return (done(at_home(ask)) && done(at_spoke(ask))) || !hub_->running(); }, 900s)) << hub_->output();
    ASSERT_TRUE(hub_->running()) << hub_->output();
  }
  std::map<std::string, int> differences() {  // by key: entries of the conflict log
    std::map<std::string, int> all;
    for (const auto& row : at_home("SELECT key->>'id' FROM duet.conflict_log WHERE link = '" + link_ + "' AND table_name = 'public.item' AND rule = 'initial'")) ++all[*row[0]];
    return all;
  }
  void merge(const std::string& truth) {
    configure(truth);
    fill();
    set_up();
    start();
    if (HasFatalFailure()) return;
    await_merge();
    if (HasFatalFailure()) return;
    settle(*hub_);
  }
};

INSTANTIATE_TEST_SUITE_P(each, merge_test, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

TEST_P(merge_test, lets_the_later_row_stand_logs_each_difference_and_keeps_what_one_side_has) {
  merge("latest_by changed");
  if (HasFatalFailure()) return;
  expect_items_equal();
  EXPECT_EQ(items(false, "WHERE id IN (110, 111, 120, 121, 130, 131)"),
            (sql_rows{{"110", "item 110", "note 110", "100", "2024-01-02 00:00:00"}, {"111", "other 111", "note 111", "100", "2024-01-01 01:00:00"},
                      {"120", "item 120", {}, "70", "2024-01-02 00:00:00"}, {"121", "item 121", "note 121", "100", "2024-01-01 01:00:00"},
                      {"130", "item 130", "note 130", "100", "2024-01-02 00:00:00"}, {"131", "item 131", "note 131", "100", "2024-01-01 00:00:00"}}));
  const auto found = differences();
  EXPECT_EQ(found.size(), rows / 100 * 5u);
  for (const auto& [id, times] : found) EXPECT_EQ(times, 1) << id;
  EXPECT_EQ(at_home("SELECT winner, count(*) FROM duet.conflict_log WHERE link = '" + link_ + "' AND rule = 'initial' GROUP BY 1 ORDER BY 1"),
            (sql_rows{{"home", std::to_string(rows / 100 * 3)}, {"spoke", std::to_string(rows / 100 * 2)}}));
  for (const char* lane : {"home_to_spoke", "spoke_to_home"}) EXPECT_EQ(status()["hub"]["lanes"][lane]["rows"]["drift"], 0) << lane;
}

TEST_P(merge_test, takes_the_spokes_rows_or_fills_what_home_lacks_or_asks_a_person) {
  merge("spoke");
  if (HasFatalFailure()) return;
  expect_items_equal();
  EXPECT_EQ(items(true, "WHERE id IN (110, 120)"), (sql_rows{{"110", "other 110", "note 110", "100", "2024-01-01 00:00:00"}, {"120", "item 120", "note 120", "100", "2024-01-01 00:00:00"}}));
  const auto again = [&](const std::string& truth) {
    stop_hub();
    run({DUET_BINARY, "teardown", "--yes", "-c", config_file()}, 60s);
    both("DELETE FROM item");
    merge(truth);
  };
  again("union");
  if (HasFatalFailure()) return;
  expect_items_equal();
  EXPECT_EQ(items(true, "WHERE id IN (110, 120)"), (sql_rows{{"110", "item 110", "note 110", "100", "2024-01-02 00:00:00"}, {"120", "item 120", "note 120", "70", "2024-01-02 00:00:00"}}));
  again("manual");
  if (HasFatalFailure()) return;
  EXPECT_EQ(at_home("SELECT count(DISTINCT key->>'id') FROM duet.held WHERE link = '" + link_ + "'"), (sql_rows{{std::to_string(rows / 100 * 5)}}));
  EXPECT_EQ(items(true, "WHERE id = 110")[0][1], "item 110");
  EXPECT_EQ(items(false, "WHERE id = 110")[0][1], "other 110");
  const auto decided = run({DUET_BINARY, "held", "resolve", "--all", "--table", "public.item", "--pick", "spoke", "--yes", "-c", config_file()}, 60s);
  EXPECT_EQ(decided.exit_code, 0) << decided.output;
  settle(*hub_);
  if (HasFatalFailure()) return;
  expect_items_equal();
  EXPECT_EQ(items(true, "WHERE id = 110")[0][1], "other 110");
}

namespace {

// One side's application: counts stock up, and notes how often, in the same transaction; writes names and notes, and new rows.
class clerk {
 public:
  clerk(const private_server& server, const std::string& database, unsigned seed) {
    thread_ = std::jthread([this, e = server.endpoint_of(database), home = server.kind() == "postgres", seed](std::stop_token stop) {
      std::minstd_rand dice(seed);
      const auto session = connect(e);
      for (int n = 0; !stop.stop_requested(); ++n) {
        const std::string id = std::to_string(dice() % 3 ? 1 + dice() % rows : 100 * (dice() % 5) + 20 + dice() % 2), tag = (home ? "h" : "s") + std::to_string(n);
        touched_.insert(id);
        try {
          session->exec("BEGIN");
          switch (dice() % 6) {
            case 0: session->exec("UPDATE item SET name = '" + tag + "' WHERE id = " + id); break;
            case 1: session->exec("UPDATE item SET note = '" + tag + "' WHERE id = " + id); break;
            case 2: session->exec("INSERT INTO item (id, name, stock) VALUES (" + std::to_string((home ? 10000000 : 20000000) + n) + ", '" + tag + "', 0)"); break;
            default:
              if (home) session->exec("WITH u AS (UPDATE item SET stock = stock + 1 WHERE id = " + id + " RETURNING 1) INSERT INTO tally SELECT count(*) FROM u");
              else session->exec("UPDATE item SET stock = stock + 1 WHERE id = " + id), session->exec("INSERT INTO tally SELECT ROW_COUNT()");
          }
          session->exec("COMMIT");
          ++written_;
        } catch (const sql_error&) {  // a deadlock's victim
          session->exec("ROLLBACK");
        }
        std::this_thread::sleep_for(1ms);
      }
    });
  }
  const std::set<std::string>& stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
    return touched_;
  }
  int written() const { return written_; }

 private:
  std::set<std::string> touched_;
  std::atomic<int> written_{0};
  std::jthread thread_;
};

}  // namespace

// Numbers that both sides count up while they are merged end at home's number with the counts of both.
TEST_P(merge_test, under_load_ends_equal_with_exact_sums_though_the_hub_is_killed) {
  const unsigned s = seed();
  SCOPED_TRACE("DUET_SEED=" + std::to_string(s));
  std::minstd_rand random(s);
  const bool in_long = std::getenv("DUET_LONG") != nullptr;
  const auto before = std::exchange(rows, in_long ? 2'000'000 : rows);
  configure("home", "{ rule: latest, columns: { stock: delta } }");
  fill();
  both("CREATE TABLE tally (n int)");
  set_up();
  if (HasFatalFailure()) return;
  const auto number = [](const sql_rows& r) { return r[0][0] ? std::stol(*r[0][0]) : 0; };
  const long first = number(at_home("SELECT sum(stock) FROM item")) + number(at_spoke("SELECT sum(stock) FROM item WHERE id % 100 = 31"));
  clerk of_home(home(), home_db_, s), of_spoke(spoke(), spoke_db_, s + 1);
  // The merge stops before a row that the spoke's application has locked: so the first kills hit it under way.
  const auto locker = connect(spoke().endpoint_of(spoke_db_));
  locker->exec("BEGIN");
  locker->exec("SELECT id FROM item WHERE id = 9000 FOR UPDATE");
  for (int kill = 0; kill < (in_long ? 10 : 4); ++kill) {
    hub_ = start_hub();
    ASSERT_TRUE(streams(*hub_)) << hub_->output();
    if (kill < 2) ASSERT_TRUE(eventually([&] { return at_home("SELECT count(*) FROM duet.first_copy WHERE copied_rows > 0") == sql_rows{{"1"}}; }, 30s)) << hub_->output();
    if (kill == 1) EXPECT_TRUE(says(*hub_, "going on with the copy")) << hub_->output();
    if (kill == 2) locker->exec("ROLLBACK");
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % (in_long ? 4000 : 200)));
    ASSERT_TRUE(hub_->running()) << hub_->output();
    hub_->kill9();
  }
  start();
  if (HasFatalFailure()) return;
  await_merge();
  if (HasFatalFailure()) return;
  std::this_thread::sleep_for(300ms);
  std::set<std::string> touched = of_home.stop();
  touched.merge(std::set(of_spoke.stop()));
  settle(*hub_);
  if (HasFatalFailure()) return;
  EXPECT_GT(of_home.written(), 50);
  EXPECT_GT(of_spoke.written(), 50);
  if (in_long) {
    const auto verified = run({DUET_BINARY, "verify", "--table", "public.item", "-c", config_file()}, 600s);
    EXPECT_EQ(verified.exit_code, 0) << verified.output;
  } else {
    expect_items_equal();
  }
  EXPECT_EQ(number(at_home("SELECT sum(stock) FROM item")), first + number(at_home("SELECT sum(n) FROM tally")) + number(at_spoke("SELECT sum(n) FROM tally")));
  const auto found = differences();
  for (int hundred = 0; hundred < rows / 100; ++hundred)
    for (int which : {10, 11, 12, 20, 21}) {
      const std::string id = std::to_string(100 * hundred + which);
      if (!touched.contains(id)) EXPECT_EQ(found.contains(id) ? found.at(id) : 0, 1) << id;
    }
  for (const auto& [id, times] : found)
    if (!touched.contains(id)) EXPECT_TRUE(std::set({10, 11, 12, 20, 21}).contains(std::stoi(id) % 100)) << id << " was equal";
  rows = before;
}

TEST_P(merge_test, is_refused_where_the_other_sides_numbers_would_be_taken_from_under_a_count) {
  configure("spoke", "{ rule: latest, columns: { stock: delta } }");
  const auto checked = run({DUET_BINARY, "check", "-c", config_file()}, 60s);
  EXPECT_EQ(checked.exit_code, 1) << checked.output;
  EXPECT_THAT(checked.output, HasSubstr("only home's numbers can be what both sides start from"));
}

TEST_P(merge_test, is_planned_before_and_begins_only_as_planned) {
  configure("latest_by changed");
  fill();
  at_home("INSERT INTO item (id, name, stock, changed) VALUES (900001, 'old', 1, '0044-03-15 BC')");
  const std::string file = folder_.file("plan.json");
  const auto of = [&](std::vector<std::string> words) {
    std::vector<std::string> command = {DUET_BINARY};
    command.insert(command.end(), words.begin(), words.end());
    command.insert(command.end(), {"-c", config_file()});
    return run(command, 60s);
  };
  const auto planned = of({"plan", "--out", file, "--limit", "2"});
  EXPECT_EQ(planned.exit_code, 1) << planned.output;
  const std::string hundreds = std::to_string(rows / 100);
  EXPECT_THAT(planned.output, HasSubstr("public.item (merge, truth: latest_by changed)"));
  EXPECT_THAT(planned.output, HasSubstr("600 differ (by column: changed 600, name 360, note 240, stock 240): the row stands whose changed says more"));
  EXPECT_THAT(planned.output, HasSubstr("121 only at home: they are copied to the spoke"));
  EXPECT_THAT(planned.output, HasSubstr("120 only at the spoke: they are copied home"));
  EXPECT_THAT(planned.output, HasSubstr("1 can't cross, and will be held"));
  EXPECT_THAT(planned.output, HasSubstr("id=10: differs in name, changed"));
  EXPECT_EQ(at_home("SELECT count(*) FROM pg_namespace WHERE nspname = 'duet'"), (sql_rows{{"0"}})) << "planning writes nothing";

  set_up();
  if (HasFatalFailure()) return;
  const auto kept = nlohmann::json::parse(read_file(file));
  write_file(file, [&] {
    auto changed = kept;
    changed["tables"][2]["different"] = 0;
    return changed.dump();
  }());
  EXPECT_THAT(of({"run", "--initial", file}).output, HasSubstr("has been changed since it was written"));
  write_file(file, kept.dump());
  configure("home");
  EXPECT_THAT(of({"run", "--initial", file}).output, HasSubstr("is about another configuration"));
  EXPECT_EQ(of({"run", "--initial", file + "x"}).exit_code, 2);
  EXPECT_EQ(at_spoke("SELECT count(*) FROM item WHERE id % 100 = 31"), (sql_rows{{hundreds}})) << "nothing has begun";

  configure("latest_by changed");
  hub_ = start_hub("duet.yaml", {"--initial", file});
  ASSERT_TRUE(streams(*hub_)) << hub_->output();
  await_merge();
  if (HasFatalFailure()) return;
  settle(*hub_);
  if (HasFatalFailure()) return;
  EXPECT_EQ(at_spoke("SELECT count(*) FROM duet.held"), (sql_rows{{"1"}}));
  at_home("DELETE FROM item WHERE id = 900001");
  EXPECT_EQ(items(true, ""), items(false, ""));
}
