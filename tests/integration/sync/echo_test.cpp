// What the hub writes comes back in the other log; it is known as an echo, and two quiet databases stay quiet.
#include "sync_fixture.hpp"

using namespace duet::testing;

namespace {

class echo : public sync_test {
 protected:
  std::uint64_t counter_at_home() { return std::stoull(at_home("SELECT counter FROM duet.control WHERE link = '" + link_ + "'").at(0).at(0).value()); }
  std::uint64_t counter_at_spoke() { return std::stoull(at_spoke("SELECT counter FROM duet.control WHERE link = '" + link_ + "'").at(0).at(0).value()); }
  // Each transaction in home's log that changes any table, by a slot of the test's own.
  std::uint64_t transactions_at_home() { return log_messages('B'); }
  std::uint64_t log_messages(char kind) {
    return std::stoull(at_home("SELECT count(*) FROM pg_logical_slot_peek_binary_changes('watch_" + link_ +
                               "', NULL, NULL, 'proto_version', '1', 'publication_names', 'watch') WHERE get_byte(data, 0) = " +
                               std::to_string(static_cast<int>(kind))).at(0).at(0).value());
  }
  // The end of the spoke's binlog: file and byte.
  std::string binlog_end() {
    const auto r = spoke().query(spoke().is_mariadb() ? "SHOW MASTER STATUS" : "SHOW BINARY LOG STATUS");
    return r.at(0).at(0).value() + ":" + r.at(0).at(1).value();
  }
  void watch_home() {
    at_home("CREATE PUBLICATION watch FOR ALL TABLES");
    at_home("SELECT pg_create_logical_replication_slot('watch_" + link_ + "', 'pgoutput')");
  }
};

INSTANTIATE_TEST_SUITE_P(each, echo, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

TEST_P(echo, both_logs_fall_silent_after_the_last_write) {
  constexpr int heartbeat_s = 2;
  write_config("", "tuning: { heartbeat: " + std::to_string(heartbeat_s) + "s }\n");
  set_up();
  watch_home();
  start();
  {
    two_way_load load(home(), home_db_, spoke(), spoke_db_, seed());
    std::this_thread::sleep_for(1s);
    load.stop();
  }
  settle(*hub_);
  if (HasFatalFailure()) return;

  // At most one heartbeat per interval and side, until nothing has been written for three intervals.
  using clock = std::chrono::steady_clock;
  const auto quiet_from = clock::now();
  const auto first_home = counter_at_home(), first_spoke = counter_at_spoke();
  struct state { std::uint64_t home, spoke, transactions; std::string binlog; bool operator==(const state&) const = default; };
  const auto look = [&] { return state{counter_at_home(), counter_at_spoke(), transactions_at_home(), binlog_end()}; };
  state last = look();
  auto since = clock::now();
  const bool silent = eventually([&] {
    state now = look();
    if (!(now == last)) last = std::move(now), since = clock::now();
    return clock::now() - since > 3s * heartbeat_s;
  }, 40s);
  const auto intervals = static_cast<std::uint64_t>((clock::now() - quiet_from) / std::chrono::seconds(heartbeat_s)) + 1;
  // + 1: what was under way when the mark arrived
  EXPECT_LE(last.home - first_home, intervals + 1);
  EXPECT_LE(last.spoke - first_spoke, intervals + 1);
  EXPECT_TRUE(silent) << "still writing: " << last.home - first_home << " transactions at home and " << last.spoke - first_spoke
                      << " at the spoke in " << intervals * heartbeat_s << " s of quiet";
  EXPECT_TRUE(hub_->running()) << hub_->output();
  expect_equal();
}

TEST_P(echo, each_change_is_written_once_on_each_side) {
  set_up();
  at_home("CREATE PUBLICATION watch FOR TABLE kv");
  at_home("SELECT pg_create_logical_replication_slot('watch_" + link_ + "', 'pgoutput')");
  start();
  for (int i = 0; i < 20; ++i) {
    at_home("INSERT INTO kv VALUES (" + std::to_string(2 * i + 1) + ", 0, 'home')");
    at_spoke("INSERT INTO kv VALUES (" + std::to_string(2 * i) + ", 0, 'spoke')");
  }
  at_home("UPDATE kv SET n = 1 WHERE v = 'home'");
  // An update that looks at every row, beside the hub's writes, may be a deadlock's victim.
  ASSERT_TRUE(eventually([&] { return at_spoke("SELECT count(*) FROM kv WHERE v = 'home' AND n = 1") == sql_rows{{"20"}}; }, 30s)) << hub_->output();
  at_spoke("UPDATE kv SET n = 1 WHERE v = 'spoke'");
  settle(*hub_);  // one insert on each side
  settle(*hub_);  // a delete and an insert on each side; what came back of the first round would be in home's log by now
  if (HasFatalFailure()) return;
  expect_equal();
  EXPECT_EQ(log_messages('I'), 44u);
  EXPECT_EQ(log_messages('D'), 2u);
  EXPECT_EQ(log_messages('U'), 40u);
}

// Nothing of the link happens, and both servers write on for others.
TEST_P(echo, a_quiet_link_lets_go_of_logs_that_others_fill) {
  write_config("", "tuning: { heartbeat: 1s }\n");
  set_up();
  const auto released = [&] {
    return std::stoull(at_home("SELECT confirmed_flush_lsn - '0/0' FROM pg_replication_slots WHERE slot_name = 'duet_" + link_ + "'").at(0).at(0).value());
  };
  start();
  settle(*hub_);
  if (HasFatalFailure()) return;
  const auto before = released();
  const std::string elsewhere = home().make_database("elsewhere"), others = spoke().make_database("others");
  home().exec("CREATE TABLE filler AS SELECT repeat(md5(i::text), 40) FROM generate_series(1, 40000) i", elsewhere);
  spoke().exec("CREATE TABLE filler (v text)", others);
  for (int file = 0; file < 2; ++file) {
    spoke().exec("INSERT INTO filler VALUES ('x')", others);
    spoke().exec("FLUSH BINARY LOGS");
  }
  EXPECT_TRUE(eventually([&] { return released() > before + (20u << 20); }, 60s)) << "home's slot holds its log";
  const auto floor_file = [&] { return at_spoke("SELECT floor >> 40 FROM duet.control WHERE link = '" + link_ + "'").at(0).at(0).value(); };
  const std::string last = spoke().query("SHOW BINARY LOGS").back()[0].value();
  EXPECT_TRUE(eventually([&] { return std::stoul(floor_file()) == std::stoul(last.substr(last.rfind('.') + 1)); }, 60s))
      << "the spoke's log is needed from file " << floor_file() << " on; the last one is " << last;
  const auto quiet = counter_at_home() + counter_at_spoke();
  std::this_thread::sleep_for(4s);
  EXPECT_EQ(counter_at_home() + counter_at_spoke(), quiet) << "the markers answer each other";
}

// A side that stores something else than what it was sent is found out by its log.
TEST_P(echo, a_value_that_a_trigger_alters_is_counted_by_its_column) {
  at_spoke("CREATE TRIGGER alters BEFORE INSERT ON kv FOR EACH ROW SET NEW.v = IF(NEW.id IN (1, 3, 5), UPPER(NEW.v), NEW.v)");
  at_home("CREATE FUNCTION alters() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.n := NEW.n + 1000; RETURN NEW; END'");
  at_home("CREATE TRIGGER alters BEFORE UPDATE ON kv FOR EACH ROW WHEN (NEW.id = 2) EXECUTE FUNCTION alters()");
  set_up();
  start();
  at_home("INSERT INTO kv VALUES (1, 1, 'one'), (3, 3, 'three'), (5, 5, 'FIVE')");
  at_spoke("INSERT INTO kv VALUES (2, 2, 'two')");
  settle(*hub_);
  if (HasFatalFailure()) return;
  at_spoke("UPDATE kv SET v = 'TWO' WHERE id = 2");  // n is not sent, and yet it comes back changed
  settle(*hub_);
  if (HasFatalFailure()) return;
  nlohmann::json audit;
  const auto difference = [&](const char* column, const char* at) -> int {
    for (const auto& d : audit["differences"])
      if (d["table"] == "public.kv" && d["column"] == column && d["at"] == at) return d["rows"];
    return 0;
  };
  EXPECT_TRUE(eventually([&] {
    audit = status()["hub"]["echo_audit"];
    return difference("v", "spoke") == 2 && difference("n", "home") == 1;
  })) << audit.dump(2);
  EXPECT_EQ(difference("n", "spoke"), 0) << audit.dump(2);
  EXPECT_EQ(difference("v", "home"), 0) << audit.dump(2);
  EXPECT_GT(audit["compared_at_spoke"], 3);
  const auto text = run({DUET_BINARY, "status", "-c", config_file()}, 60s).output;
  EXPECT_THAT(text, ::testing::HasSubstr("public.kv.n: home has not stored what Duet sent, in 1 rows"));
  EXPECT_THAT(hub_->output(), ::testing::HasSubstr("public.kv: column v came back from spoke with another value than Duet sent (1 so far)"));
  EXPECT_THAT(hub_->output(), ::testing::Not(::testing::HasSubstr("three")));
  EXPECT_TRUE(hub_->running()) << hub_->output();
}
