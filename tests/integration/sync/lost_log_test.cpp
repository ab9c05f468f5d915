// A log that does not reach back to where the hub stopped, or is another one: no row is changed, and the operator is told.
#include "sync_fixture.hpp"

using namespace duet::testing;
using ::testing::AnyOf;
using ::testing::HasSubstr;

namespace {

class lost_log : public sync_test {
 protected:
  // A link that has worked, and writes on both sides since it stopped.
  void worked_and_stopped() {
    set_up();
    start();
    both_write(1);
    settle(*hub_);
    if (!HasFatalFailure()) stop_hub();
  }
  void forget_binlogs() { spoke().exec(spoke().is_mariadb() ? "RESET MASTER" : "RESET BINARY LOGS AND GTIDS"); }
};

INSTANTIATE_TEST_SUITE_P(each, lost_log, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

TEST_P(lost_log, a_dropped_slot) {
  worked_and_stopped();
  if (HasFatalFailure()) return;
  both_write(2);
  at_home("SELECT pg_drop_replication_slot('duet_" + link_ + "')");
  refuses_and_changes_nothing(HasSubstr("log_lost"));
}

TEST_P(lost_log, a_slot_dropped_and_made_again) {
  worked_and_stopped();
  if (HasFatalFailure()) return;
  both_write(2);
  at_home("SELECT pg_drop_replication_slot('duet_" + link_ + "')");
  at_home("SELECT pg_create_logical_replication_slot('duet_" + link_ + "', 'pgoutput')");
  refuses_and_changes_nothing(HasSubstr("log_lost"));
}

TEST_P(lost_log, a_slot_advanced_past_a_row) {
  worked_and_stopped();
  if (HasFatalFailure()) return;
  both_write(2);
  at_home("SELECT pg_replication_slot_advance('duet_" + link_ + "', pg_current_wal_lsn())");
  refuses_and_changes_nothing(HasSubstr("log_lost"));
}

TEST_P(lost_log, a_purged_binlog) {
  worked_and_stopped();
  if (HasFatalFailure()) return;
  both_write(2);
  spoke().exec("FLUSH BINARY LOGS");
  both_write(3);
  // A server keeps a file that a session still reads, and does not notice at once that the reader has gone.
  ASSERT_TRUE(eventually([&] {
    spoke().exec("PURGE BINARY LOGS TO '" + spoke().query("SHOW BINARY LOGS").back()[0].value() + "'");
    return spoke().query("SHOW BINARY LOGS").size() == 1;
  }, 60s));
  refuses_and_changes_nothing(HasSubstr("log_lost"));
}

TEST_P(lost_log, binlogs_begun_anew) {
  worked_and_stopped();
  if (HasFatalFailure()) return;
  both_write(2);
  forget_binlogs();
  both_write(3);
  refuses_and_changes_nothing(AnyOf(HasSubstr("log_lost"), HasSubstr("history_changed")));
}

// The place where the hub stopped is there again, with other transactions before it.
TEST_P(lost_log, binlogs_begun_anew_and_grown_past_the_old_end) {
  forget_binlogs();
  worked_and_stopped();
  if (HasFatalFailure()) return;
  both_write(2);
  forget_binlogs();
  const std::string long_value(8000, 'x');
  for (int id = 100; id < 160; ++id) at_spoke("INSERT INTO kv VALUES (" + std::to_string(2 * id) + ", 1, '" + long_value + "')");
  refuses_and_changes_nothing(AnyOf(HasSubstr("log_lost"), HasSubstr("history_changed")));
}
