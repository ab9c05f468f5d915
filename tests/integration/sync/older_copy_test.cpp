// One of the two databases is put back to an older copy of itself, as after a restore from a backup: the hub refuses and no
// row is changed, also when the copy has been written to until its log is as long as the one that is gone.
#include <chrono>
#include <filesystem>

#include "sync_fixture.hpp"

using namespace duet::testing;
using ::testing::AnyOf;
using ::testing::HasSubstr;

namespace {

// Servers that are stopped and put back are this file's own.
private_postgres& own_home() {
  static private_postgres server;
  return server;
}

spoke_server& own_spoke(const std::string& kind) {
  if (kind == "mariadb") {
    static const auto server = make_spoke(kind, {"--sync-binlog=1"});
    return *server;
  }
  static const auto server = make_spoke(kind, {"--sync-binlog=1"});
  return *server;
}

std::chrono::sys_seconds second_now() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

class older_copy : public sync_test {
 protected:
  older_copy(private_postgres& h, spoke_server& s, private_server& restored) : sync_test(h, s), restored_(restored) {}

  bool at_home_is_restored() { return &restored_ == &home(); }
  std::string data() const { return restored_.folder() + "/data"; }
  std::string copy() const { return restored_.folder() + "/older"; }
  // A copy of a spoke is what a snapshot of its disk would be; MySQL takes three seconds to stop in order.
  void take_down() {
    if (at_home_is_restored()) restored_.stop();
    else restored_.kill9();
  }
  void keep_a_copy() {
    take_down();
    std::filesystem::remove_all(copy());
    const auto r = run({"cp", "-a", "--reflink=auto", data(), copy()});
    ASSERT_EQ(r.exit_code, 0) << r.output;
    restored_.start();
  }
  void put_the_copy_back() {
    take_down();
    std::filesystem::remove_all(data());
    std::filesystem::rename(copy(), data());
    restored_.start();
  }
  sql_rows at_restored(const std::string& sql) { return at_home_is_restored() ? at_home(sql) : at_spoke(sql); }
  sql_rows at_other(const std::string& sql) { return at_home_is_restored() ? at_spoke(sql) : at_home(sql); }
  // Grows with the log.
  std::pair<std::string, std::uint64_t> log_end() {
    if (at_home_is_restored())
      return {"", std::stoull(at_home("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").at(0).at(0).value())};
    const auto r = spoke().query(spoke().is_mariadb() ? "SHOW MASTER STATUS" : "SHOW BINARY LOG STATUS");
    return {r.at(0).at(0).value(), std::stoull(r.at(0).at(1).value())};
  }

  void is_refused_after_work_both_ways() {
    set_up();
    start();
    both_write(1);
    settle(*hub_);
    if (!HasFatalFailure()) stop_hub();
    if (!HasFatalFailure()) keep_a_copy();
    if (!HasFatalFailure()) start();
    if (HasFatalFailure()) return;
    both_write(2);
    settle(*hub_);
    if (!HasFatalFailure()) stop_hub();
    if (HasFatalFailure()) return;
    both_write(3);
    put_the_copy_back();
    both_write(4);
    refuses_and_changes_nothing(AnyOf(HasSubstr("history_changed"), HasSubstr("log_lost")));
  }

  // Only the restored side has worked since the copy was made: nothing that the two sides know of each other is amiss, the
  // log is as long as it was, and at the spoke even the place and the number of the last transaction are the same.
  void is_refused_when_its_log_has_grown_past_the_old_end() {
    set_up();
    start();
    both_write(1);
    settle(*hub_);
    if (!HasFatalFailure()) stop_hub();
    if (!HasFatalFailure()) keep_a_copy();
    if (HasFatalFailure()) return;
    const auto write = [&](const std::string& life) { at_restored("INSERT INTO kv VALUES (11, 1, '" + life + "')"); };
    write("first life");
    start();
    if (HasFatalFailure()) return;
    ASSERT_TRUE(eventually([&] { return !at_other("SELECT 1 FROM kv WHERE id = 11").empty(); }, 60s)) << hub_->output();
    stop_hub();
    if (HasFatalFailure()) return;
    const auto old_end = log_end();
    const auto first_life = second_now();
    put_the_copy_back();
    // MariaDB's log tells the second only, of the hub's own transaction, too. No restore is as fast as this one.
    ASSERT_TRUE(eventually([&] { return second_now() > first_life; }));
    write("other life");
    for (int id = 1000; log_end() <= old_end; ++id) at_restored("INSERT INTO kv VALUES (" + std::to_string(id) + ", 1, 'more')");
    at_restored("INSERT INTO kv VALUES (12, 1, 'past the end')");
    at_other("INSERT INTO kv VALUES (13, 1, 'waits for its way to the restored side')");
    refuses_and_changes_nothing(HasSubstr("history_changed"));
  }

  private_server& restored_;
};

class older_home : public older_copy {
 protected:
  older_home() : older_copy(own_home(), sync_spoke(GetParam()), own_home()) {}
};

class older_spoke : public older_copy {
 protected:
  older_spoke() : older_copy(sync_home(), own_spoke(GetParam()), own_spoke(GetParam())) {}
};

INSTANTIATE_TEST_SUITE_P(each, older_home, ::testing::ValuesIn(spoke_kinds()), spoke_name);
INSTANTIATE_TEST_SUITE_P(each, older_spoke, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

TEST_P(older_home, is_refused) { is_refused_after_work_both_ways(); }
TEST_P(older_spoke, is_refused) { is_refused_after_work_both_ways(); }
TEST_P(older_home, is_refused_when_it_was_written_to_past_its_old_end) { is_refused_when_its_log_has_grown_past_the_old_end(); }
TEST_P(older_spoke, is_refused_when_it_was_written_to_past_its_old_end) { is_refused_when_its_log_has_grown_past_the_old_end(); }
