// One transaction of very many rows arrives whole or not yet, while the hub's memory stays small, and also when the hub is
// killed in its middle. DUET_LONG: a million rows.
#include "sync_fixture.hpp"

using namespace duet::testing;

namespace {

class large_transaction : public sync_test {
 protected:
  large_transaction() {
    both("CREATE TABLE big (id bigint PRIMARY KEY, n bigint NOT NULL, v varchar(80))");
    at_home("ALTER TABLE big REPLICA IDENTITY FULL");
    write_config("  - home: public.big\n");
  }
  void SetUp() override {
    set_up();
    if (!HasFatalFailure()) start();
  }

  static int row_count() { return long_form() ? 1000000 : 100000; }
  // All rows in one statement, so in one transaction; `first` on.
  static std::string insert(int first) {
    std::string digits = "(SELECT 0 AS d", from, value;
    for (int d = 1; d < 10; ++d) digits += " UNION ALL SELECT " + std::to_string(d);
    digits += ")";
    int scale = 1;
    for (char name = 'a'; scale < row_count(); ++name, scale *= 10) {
      from += std::string(from.empty() ? "" : ", ") + digits + " AS " + name;
      value += std::string(value.empty() ? "" : " + ") + name + ".d * " + std::to_string(scale);
    }
    return "INSERT INTO big SELECT " + std::to_string(first) + " + " + value + ", 0, 'forty characters in each and every row...' FROM " +
           from;
  }
  // VmHWM: the most memory that the hub has had so far.
  static std::uint64_t peak_kib(const child_process& hub) {
    const std::string text = read_file("/proc/" + std::to_string(hub.pid()) + "/status");
    const auto at = text.find("VmHWM:");
    return at == std::string::npos ? 0 : std::stoull(text.substr(at + 6));
  }
  void expect_small(const child_process& hub) {
    const std::uint64_t peak = peak_kib(hub);
    most_kib_ = std::max(most_kib_, peak);
    RecordProperty("peak_kib", std::to_string(most_kib_));
    EXPECT_GT(peak, 0u);
    EXPECT_LT(peak, 256u << 10);
  }
  // Counts the rows of [first, ..) with `n` all the time.
  class watcher {
   public:
    watcher(const private_server& server, const std::string& database, std::string sql, long whole) {
      thread_ = std::jthread([this, e = server.endpoint_of(database), sql = std::move(sql), whole](std::stop_token stop) {
        const auto session = connect(e);
        while (!stop.stop_requested()) {
          const long n = std::stol(session->scalar(sql).value());
          (n == 0 ? none_ : n == whole ? all_ : part_) += 1;
          std::this_thread::sleep_for(20ms);
        }
      });
    }
    void stop() {
      thread_.request_stop();
      if (thread_.joinable()) thread_.join();
    }
    std::uint64_t none() const { return none_; }
    std::uint64_t part() const { return part_; }
    std::uint64_t all() const { return all_; }

   private:
    std::atomic<std::uint64_t> none_{0}, part_{0}, all_{0};
    std::jthread thread_;
  };

  private_server& server(bool home_side) { return home_side ? static_cast<private_server&>(home()) : spoke(); }
  const std::string& database(bool home_side) { return home_side ? home_db_ : spoke_db_; }
  // A transaction of the hub has written a part of it and has not committed.
  bool is_in_the_middle(bool target_is_home) {
    if (target_is_home) return std::stol(*home().scalar("SELECT pg_relation_size('big')", home_db_)) > row_count() * 20L;
    if (!uncommitted_) {
      uncommitted_ = spoke().session(spoke_db_);
      uncommitted_->exec("SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED");
    }
    return std::stol(*uncommitted_->scalar("SELECT count(*) FROM big")) > row_count() / 5;
  }

  long size_before_ = 0;
  std::uint64_t most_kib_ = 0;
  std::unique_ptr<sql_session> uncommitted_;
};

INSTANTIATE_TEST_SUITE_P(each, large_transaction, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

TEST_P(large_transaction, arrives_whole_both_ways_also_when_the_hub_is_killed_in_its_middle) {
  const std::string whole = std::to_string(row_count());
  for (const bool from_home : {true, false}) {
    SCOPED_TRACE(from_home ? "from home" : "from the spoke");
    const int first = from_home ? 1 : 10000000;
    const std::string rows = "SELECT count(*) FROM big WHERE id >= " + std::to_string(first) + " AND id < " +
                             std::to_string(first + row_count());
    size_before_ = std::stol(*home().scalar("SELECT pg_relation_size('big')", home_db_));
    watcher looks(server(!from_home), database(!from_home), rows, row_count());
    server(from_home).exec(insert(first), database(from_home));
    ASSERT_TRUE(eventually([&] { return is_in_the_middle(!from_home) || looks.all() > 0; }, 120s)) << hub_->output();
    EXPECT_EQ(looks.all(), 0u) << "it was there before the hub could be killed";
    expect_small(*hub_);
    hub_->kill9();
    start();
    if (HasFatalFailure()) return;
    ASSERT_TRUE(eventually([&] { return looks.all() > 0 || !hub_->running(); }, long_form() ? 600s : 120s)) << hub_->output();
    looks.stop();
    EXPECT_EQ(looks.part(), 0u) << "parts of the transaction were seen";
    EXPECT_GT(looks.none(), 0u);
    settle(*hub_);
    if (HasFatalFailure()) return;
    expect_small(*hub_);
    const std::string sums = "SELECT count(*), sum(id), min(v), max(v) FROM big";
    EXPECT_EQ(at_home(sums), at_spoke(sums));
  }

  // As many updates and deletes, of rows of both sides.
  const std::string half = std::to_string(row_count() / 2);
  watcher looks(spoke(), spoke_db_, "SELECT count(*) FROM big WHERE n = 1", row_count() / 2);
  at_home("BEGIN; UPDATE big SET n = 1 WHERE id >= 10000000 + " + half + "; DELETE FROM big WHERE id <= " + half + "; COMMIT");
  ASSERT_TRUE(eventually([&] { return looks.all() > 0 || !hub_->running(); }, long_form() ? 600s : 120s)) << hub_->output();
  looks.stop();
  EXPECT_EQ(looks.part(), 0u);
  settle(*hub_);
  if (HasFatalFailure()) return;
  expect_small(*hub_);
  expect_both("SELECT n, count(*) FROM big GROUP BY n ORDER BY n", {{"0", whole}, {"1", half}});
  expect_equal();
  EXPECT_EQ(at_home("SELECT count(*) FROM duet.conflict_log WHERE link = '" + link_ + "'"), (sql_rows{{"0"}}));
}
