// The source against real servers: where it starts, what it delivers, and how it stops.
#include <gtest/gtest.h>

#include <future>
#include <random>
#include <thread>

#include "golden/mysql/golden.hpp"
#include "mysql/source.hpp"
#include "support/servers.hpp"

namespace duet::mysql {
namespace {

using namespace std::chrono_literals;

class mysql_source : public ::testing::TestWithParam<std::string> {
 public:
  mysql_source() : mysql_source({}) {}
  explicit mysql_source(std::vector<std::string> options)
      : server_(testing::make_spoke(GetParam(), std::move(options))),
        tables_(golden::parse_tables("table shop.item both\nkey column id int\ncolumn v longtext\n")) {
    server_->exec("CREATE DATABASE shop CHARACTER SET utf8mb4");
    server_->exec("CREATE TABLE item (id int PRIMARY KEY, v longtext)", "shop");
    take_types();
    source_ = make_source();
  }
  // As this server spells them.
  void take_types() {
    for (table_pair& t : tables_.tables)
      for (const auto& row : server_->query("SELECT COLUMN_NAME, COLUMN_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = '" + t.spoke.schema + "' AND TABLE_NAME = '" + t.spoke.name + "'"))
        for (column_pair& c : t.columns)
          if (c.spoke.name == *row.at(0)) c.spoke.type.native = *row.at(1);
  }

  std::unique_ptr<source> make_source(tls_mode tls = tls_mode::disable) {
    endpoint e = server_->endpoint_of("shop");
    e.tls = tls;
    return std::make_unique<source>(e, golden::link, tables_);
  }
  void exec(const std::string& sql) { server_->exec(sql, "shop"); }

  // The end of the log.
  log_position end() {
    const auto row = server_->query(server_->is_mariadb() ? "SHOW MASTER STATUS" : "SHOW BINARY LOG STATUS").at(0);
    return binlog_position(log_file_number(*row.at(0)), std::stoull(*row.at(1)));
  }

  // Reads until everything before `to` has been delivered.
  void read_to(log_position to, std::chrono::seconds limit = 20s) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (source_->read_up_to() < to) {
      source_->read(writer_, 50ms);
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << golden::position_text(source_->read_up_to()) << " of " << golden::position_text(to);
    }
  }
  std::string text() { return golden::dump(store_, tables_, false); }
  std::vector<const transaction_begin*> transactions() {
    std::vector<const transaction_begin*> found;
    for (const auto& block : store_.blocks())
      for (const record* r = block->first(); r; r = block->next(r))
        if (r->kind == record_kind::begin) found.push_back(static_cast<const transaction_begin*>(r));
    return found;
  }
  void forget() {
    store_.clear();
    writer_ = block_writer(store_);
  }
  // What start() or the first reads refuse with.
  failure_kind refusal(log_position from) {
    try {
      source_->start(from);
      for (int i = 0; i < 60; ++i) source_->read(writer_, 50ms);
    } catch (const failure& f) {
      EXPECT_EQ(std::string(f.what()).find("/data/"), std::string::npos) << f.what();
      return f.kind;
    }
    ADD_FAILURE() << "not refused";
    return failure_kind::internal;
  }

  std::unique_ptr<testing::spoke_server> server_;
  mapping tables_;
  golden::block_store store_;
  block_writer writer_{store_};
  std::unique_ptr<source> source_;
};

TEST_P(mysql_source, delivers_what_comes_after_its_start) {
  exec("INSERT INTO item VALUES (1, 'before')");
  const log_position from = end();
  source_->start(from);
  exec("INSERT INTO item VALUES (2, 'after')");
  exec("UPDATE item SET v = 'changed' WHERE id = 1");
  read_to(end());
  EXPECT_EQ(text(),
            "begin\n  insert shop.item\n    after id='2' v='after'\nend changes 1 filtered 0 echoes 0\n"
            "begin\n  update shop.item\n    before id='1' v='before'\n    after id='1' v='changed'\nend changes 1 filtered 0 echoes 0\n");
  EXPECT_EQ(transactions().at(0)->position, from);
}

TEST_P(mysql_source, delivers_a_transaction_again_from_its_position) {
  source_->start(end());
  for (int i = 0; i < 5; ++i) exec("INSERT INTO item VALUES (" + std::to_string(i) + ", 'x')");
  exec("FLUSH BINARY LOGS");
  for (int i = 5; i < 8; ++i) exec("INSERT INTO item VALUES (" + std::to_string(i) + ", 'x')");
  const log_position last = end();
  read_to(last);
  std::vector<std::pair<log_position, std::uint64_t>> seen;
  for (const auto* t : transactions()) seen.emplace_back(t->position, t->fingerprint);
  ASSERT_EQ(seen.size(), 8u);
  EXPECT_GT(binlog_file_number(seen.back().first), binlog_file_number(seen.front().first));
  for (std::size_t i = 0; i < seen.size(); ++i) {
    forget();
    source_->start(seen[i].first);
    read_to(last);
    const auto again = transactions();
    ASSERT_EQ(again.size(), seen.size() - i);
    for (std::size_t k = 0; k < again.size(); ++k) {
      EXPECT_EQ(again[k]->position, seen[i + k].first);
      EXPECT_EQ(again[k]->fingerprint, seen[i + k].second);
    }
  }
}

TEST_P(mysql_source, starts_at_the_end_of_a_closed_file) {
  exec("INSERT INTO item VALUES (1, 'x')");
  exec("FLUSH BINARY LOGS");
  const auto logs = server_->query("SHOW BINARY LOGS");
  const auto& closed = logs.at(logs.size() - 2);
  const log_position from = binlog_position(log_file_number(*closed.at(0)), std::stoull(*closed.at(1)));
  exec("INSERT INTO item VALUES (2, 'y')");
  source_->start(from);
  read_to(end());
  EXPECT_EQ(text(), "begin\n  insert shop.item\n    after id='2' v='y'\nend changes 1 filtered 0 echoes 0\n");
}

TEST_P(mysql_source, reads_from_the_first_log_file_when_nothing_was_read_yet) {
  exec("INSERT INTO item VALUES (1, 'x')");
  source_->start({});
  read_to(end());
  EXPECT_NE(text().find("after id='1' v='x'"), std::string::npos);
}

TEST_P(mysql_source, moves_on_without_a_change_of_ours) {
  source_->start(end());
  exec("CREATE TABLE other (id int PRIMARY KEY)");
  exec("INSERT INTO other VALUES (1)");
  exec("FLUSH BINARY LOGS");
  const log_position to = end();
  read_to(to);
  EXPECT_EQ(text(), "");
  EXPECT_NE(golden::dump(store_, tables_, true).find("progress " + golden::position_text(to)), std::string::npos);
}

TEST_P(mysql_source, stays_connected_while_nothing_happens) {
  source_->start(end());
  const auto until = std::chrono::steady_clock::now() + 4s;
  int heartbeats = 0;
  while (std::chrono::steady_clock::now() < until) heartbeats += source_->read(writer_, 100ms);
  EXPECT_GE(heartbeats, 2);
  exec("INSERT INTO item VALUES (1, 'late')");
  read_to(end());
  EXPECT_NE(text().find("late"), std::string::npos);
}

TEST_P(mysql_source, delivers_soon) {
  source_->start(end());
  source_->read(writer_, 50ms);
  std::vector<double> ms;
  for (int i = 0; i < 50; ++i) {
    auto written = std::async(std::launch::async, [&] {
      exec("INSERT INTO item VALUES (" + std::to_string(i) + ", 'x')");
      return std::chrono::steady_clock::now();
    });
    while (transactions().size() < static_cast<std::size_t>(i) + 1) source_->read(writer_, 50ms);
    const auto read = std::chrono::steady_clock::now();
    ms.push_back(std::chrono::duration<double, std::milli>(read - written.get()).count());
  }
  std::sort(ms.begin(), ms.end());
  EXPECT_LT(ms[25], 20.0);
}

TEST_P(mysql_source, stops_when_interrupted) {
  source_->start(end());
  const auto begun = std::chrono::steady_clock::now();
  std::jthread other([&] {
    std::this_thread::sleep_for(200ms);
    source_->interrupt();
  });
  try {
    for (;;) source_->read(writer_, 10s);
  } catch (const failure& f) {
    EXPECT_EQ(f.kind, failure_kind::connection_lost);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 3s);
  exec("INSERT INTO item VALUES (1, 'x')");
  const log_position to = end();
  source_->start(source_->read_up_to());
  read_to(to);
  EXPECT_NE(text().find("id='1'"), std::string::npos);
}

TEST_P(mysql_source, comes_back_after_the_server_was_killed) {
  source_->start(end());
  exec("INSERT INTO item VALUES (1, 'before')");
  read_to(end());
  const log_position reached = source_->read_up_to();
  server_->kill9();
  EXPECT_THROW(
      {
        for (int i = 0; i < 100; ++i) source_->read(writer_, 50ms);
      },
      failure);
  try {
    source_->start(reached);
    ADD_FAILURE() << "started without a server";
  } catch (const failure& f) {
    EXPECT_EQ(f.kind, failure_kind::cannot_connect);
  }
  server_->start();
  exec("INSERT INTO item VALUES (2, 'after')");
  source_->start(reached);
  read_to(end());
  EXPECT_EQ(transactions().size(), 2u);
}

TEST_P(mysql_source, refuses_a_purged_log) {
  const log_position from = end();
  exec("INSERT INTO item VALUES (1, 'x')");
  exec("FLUSH BINARY LOGS");
  exec("FLUSH BINARY LOGS");
  const std::string last = *server_->query("SHOW BINARY LOGS").back().at(0);
  for (int i = 0; i < 100 && log_file_number(*server_->query("SHOW BINARY LOGS").front().at(0)) <= binlog_file_number(from); ++i) {
    exec("PURGE BINARY LOGS TO '" + last + "'");  // MariaDB keeps a file until its engines have noted that they need it no more
    std::this_thread::sleep_for(100ms);
  }
  EXPECT_EQ(refusal(from), failure_kind::log_lost);
}

TEST_P(mysql_source, refuses_a_log_that_was_reset) {
  exec("FLUSH BINARY LOGS");
  for (int i = 0; i < 20; ++i) exec("INSERT INTO item VALUES (" + std::to_string(i) + ", 'x')");
  const log_position from = end();
  exec(server_->is_mariadb() ? "RESET MASTER" : "RESET BINARY LOGS AND GTIDS");
  EXPECT_EQ(refusal(from), failure_kind::history_changed);        // file and all
  EXPECT_EQ(refusal(binlog_position(1, 5000)), failure_kind::history_changed);  // the file is there, but shorter
  for (int i = 20; i < 40; ++i) exec("INSERT INTO item VALUES (" + std::to_string(i) + ", 'x')");
  EXPECT_EQ(refusal(binlog_position(1, 2001)), failure_kind::history_changed);  // within an event
}

TEST_P(mysql_source, notices_a_reset_while_it_reads) {
  exec("FLUSH BINARY LOGS");
  source_->start(end());
  exec("INSERT INTO item VALUES (1, 'x')");
  read_to(end());
  const log_position reached = source_->read_up_to();
  exec(server_->is_mariadb() ? "RESET MASTER" : "RESET BINARY LOGS AND GTIDS");
  exec("INSERT INTO item VALUES (2, 'x')");
  try {
    for (int i = 0; i < 40; ++i) source_->read(writer_, 50ms);
  } catch (const failure&) {
  }
  EXPECT_EQ(transactions().size(), 1u);
  EXPECT_EQ(refusal(reached), failure_kind::history_changed);
}

TEST_P(mysql_source, refuses_a_start_between_the_events_of_a_transaction) {
  const log_position from = end();
  exec("INSERT INTO item VALUES (1, 'x')");
  const auto events = server_->query("SHOW BINLOG EVENTS IN '" + *server_->query("SHOW BINARY LOGS").back().at(0) + "' FROM " +
                                     std::to_string(binlog_offset(from)));
  ASSERT_GE(events.size(), 3u);
  for (std::size_t i = 1; i < events.size(); ++i) {
    if (*events[i].at(2) == "Query") continue;  // BEGIN may start a transaction on a server without GTID events
    EXPECT_EQ(refusal(binlog_position(binlog_file_number(from), std::stoull(*events[i].at(1)))), failure_kind::history_changed) << i;
  }
}

TEST_P(mysql_source, refuses_a_wrong_password) {
  endpoint e = server_->endpoint_of("shop");
  e.user = "nobody";
  e.password = "S3cret";
  source other(e, golden::link, tables_);
  try {
    other.start({});
    ADD_FAILURE() << "let in";
  } catch (const failure& f) {
    EXPECT_EQ(f.kind, failure_kind::configuration);
    EXPECT_EQ(std::string(f.what()).find("S3cret"), std::string::npos);
  }
}

TEST_P(mysql_source, refuses_a_user_without_the_privilege) {
  exec("CREATE USER plain@'%' IDENTIFIED BY 'x'; GRANT SELECT ON shop.* TO plain@'%'");
  endpoint e = server_->endpoint_of("shop");
  e.user = "plain";
  e.password = "x";
  e.tls = tls_mode::disable;
  source other(e, golden::link, tables_);
  try {
    other.start({});
    ADD_FAILURE() << "let in";
  } catch (const failure& f) {
    EXPECT_EQ(f.kind, failure_kind::configuration) << f.what();
    EXPECT_NE(f.remedy, "");
  }
}

TEST_P(mysql_source, reads_rows_of_many_megabytes) {
  exec("SET GLOBAL max_allowed_packet = 134217728");
  source_->start(end());
  const auto session = server_->session("shop");
  session->exec("INSERT INTO item VALUES (1, REPEAT('0123456789abcdef', 2500000))");
  session->exec("INSERT INTO item VALUES (2, 'small')");
  read_to(end(), 60s);
  ASSERT_EQ(transactions().size(), 2u);
  bool found = false;
  for (const auto& block : store_.blocks())
    for (const record* r = block->first(); r; r = block->next(r)) {
      if (r->kind != record_kind::change) continue;
      const cell v = static_cast<const change_record*>(r)->after(1);
      if (v.size == 5) continue;
      ASSERT_EQ(v.size, 40000000u);
      for (std::size_t i = 0; i < v.size; i += 16) ASSERT_EQ(v.text().substr(i, 16), "0123456789abcdef") << i;
      found = true;
    }
  EXPECT_TRUE(found);
}

TEST_P(mysql_source, waits_for_a_reader_that_is_held_back) {
  exec("SET GLOBAL net_write_timeout = 1");
  source_->start(end());
  const auto session = server_->session("shop");
  for (int i = 0; i < 40; ++i) session->exec("INSERT INTO item VALUES (" + std::to_string(i) + ", REPEAT('x', 1000000))");
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(1s);
    source_->keep_alive();
  }
  read_to(end(), 60s);
  EXPECT_EQ(transactions().size(), 40u);
}

TEST_P(mysql_source, reads_decimals_doubles_and_times_as_the_server_prints_them) {
  tables_ = golden::parse_tables(
      "table shop.oracle both\nkey column id int\ncolumn n decimal(20,6)\ncolumn l bigint unsigned\ncolumn t time(6)\ncolumn d datetime(6)\ncolumn s timestamp(3)\n"
      "column b bit(13)\n");
  exec("CREATE TABLE oracle (id int PRIMARY KEY, n decimal(20,6), l bigint unsigned, t time(6), d datetime(6), s timestamp(3) NULL, b bit(13))");
  take_types();
  source_ = make_source();
  source_->start(end());
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  exec("INSERT INTO oracle WITH RECURSIVE c AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM c WHERE i < 500) SELECT i, "
       "(RAND(" + std::to_string(seed % 100000) + ") - 0.5) * POW(10, i MOD 14), RAND() * 1e19, SEC_TO_TIME((RAND() - 0.5) * 6000000), "
       "TIMESTAMPADD(MICROSECOND, RAND() * 250000000000000000, '1000-01-01'), FROM_UNIXTIME(1 + RAND() * 2000000000), RAND() * 8191 FROM c");
  read_to(end());
  const auto session = server_->session("shop");
  session->exec("SET time_zone = '+00:00'");
  const auto rows = session->query("SELECT id, CAST(n AS CHAR), CAST(l AS CHAR), CAST(t AS CHAR), CAST(d AS CHAR), CAST(s AS CHAR), LPAD(BIN(b), 13, '0') FROM oracle ORDER BY id");
  std::size_t i = 0;
  for (const auto& block : store_.blocks())
    for (const record* r = block->first(); r; r = block->next(r)) {
      if (r->kind != record_kind::change) continue;
      const auto& c = *static_cast<const change_record*>(r);
      for (std::size_t k = 0; k < rows.at(i).size(); ++k) {
        std::string expected = *rows[i][k];
        if (k >= 3 && k <= 5) {
          while (expected.ends_with('0')) expected.pop_back();
          if (expected.ends_with('.')) expected.pop_back();
          else if (expected.find('.') == std::string::npos) expected = *rows[i][k];
        }
        EXPECT_EQ(c.after(k).text(), expected) << "row " << i << " column " << k;
      }
      ++i;
    }
  EXPECT_EQ(i, rows.size());
}

INSTANTIATE_TEST_SUITE_P(each, mysql_source, ::testing::ValuesIn(testing::spoke_kinds()), testing::spoke_name);

// MySQL makes itself a certificate at its first start.
class mysql_source_over_tls : public mysql_source {};

TEST_P(mysql_source_over_tls, delivers_starts_again_and_stops) {
  source_ = make_source(tls_mode::require);
  source_->start(end());
  const auto session = server_->session("shop");
  session->exec("INSERT INTO item VALUES (1, REPEAT('x', 20000000))");
  session->exec("INSERT INTO item VALUES (2, 'small')");
  read_to(end(), 60s);
  ASSERT_EQ(transactions().size(), 2u);
  const log_position second = transactions().at(1)->position;
  forget();
  source_->start(second);
  read_to(end());
  EXPECT_EQ(text(), "begin\n  insert shop.item\n    after id='2' v='small'\nend changes 1 filtered 0 echoes 0\n");
  exec("FLUSH BINARY LOGS");
  const std::string last = *server_->query("SHOW BINARY LOGS").back().at(0);
  exec("PURGE BINARY LOGS TO '" + last + "'");
  EXPECT_EQ(refusal(second), failure_kind::log_lost);
  source_->start(end());
  std::jthread other([&] {
    std::this_thread::sleep_for(200ms);
    source_->interrupt();
  });
  EXPECT_THROW(
      {
        for (int i = 0; i < 100; ++i) source_->read(writer_, 100ms);
      },
      failure);
}

TEST_P(mysql_source_over_tls, refuses_a_certificate_that_nobody_vouches_for) {
  source_ = make_source(tls_mode::verify_full);
  try {
    source_->start(end());
    ADD_FAILURE() << "trusted";
  } catch (const failure& f) {
    EXPECT_EQ(f.kind, failure_kind::cannot_connect);
  }
}

std::vector<std::string> kinds_with_tls() {
  std::vector<std::string> kinds = testing::spoke_kinds();
  std::erase(kinds, "mariadb");
  return kinds;
}
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(mysql_source_over_tls);
TEST_P(mysql_source, a_log_that_does_not_name_the_columns_is_refused_with_the_setting_that_does) {
  exec("CREATE TABLE other (id int PRIMARY KEY)");
  const log_position before = end();
  exec("SET GLOBAL binlog_row_metadata = MINIMAL");
  exec("INSERT INTO other VALUES (1)");
  exec("SET GLOBAL binlog_row_metadata = FULL");
  exec("INSERT INTO item VALUES (1, 'named')");
  source_->start(before);
  ASSERT_NO_FATAL_FAILURE(read_to(end())) << "a table that is not synced";
  EXPECT_NE(text().find("named"), std::string::npos);
  exec("SET GLOBAL binlog_row_metadata = MINIMAL");
  exec("INSERT INTO item VALUES (2, 'nameless')");
  try {
    read_to(end());
    ADD_FAILURE() << "not refused";
  } catch (const failure& f) {
    EXPECT_EQ(f.kind, failure_kind::configuration);
    EXPECT_NE(f.remedy.find("SET GLOBAL binlog_row_metadata = FULL"), std::string::npos) << f.remedy;
  }
}

TEST_P(mysql_source, what_every_restart_would_stop_at_is_passed_by_a_new_setup_and_the_remedy_says_so) {
  const auto refused_at = [&](const std::vector<std::string>& statements) {
    const log_position before = end();
    const auto session = server_->session("shop");
    for (const auto& sql : statements) session->exec(sql);
    for (int again : {1, 2}) {
      source_ = make_source();
      forget();
      try {
        source_->start(before);
        read_to(end());
        ADD_FAILURE() << "not refused, try " << again;
      } catch (const failure& f) {
        EXPECT_NE(f.remedy.find("duet teardown, duet setup"), std::string::npos) << f.what() << ": " << f.remedy;
      }
    }
    source_ = make_source();
    forget();
    source_->start(end());  // as after a new setup
    exec("INSERT INTO item VALUES (9, 'goes on')");
    ASSERT_NO_FATAL_FAILURE(read_to(end()));
    EXPECT_NE(text().find("goes on"), std::string::npos);
    exec("DELETE FROM item");
  };
  refused_at({"SET SESSION binlog_format = STATEMENT", "INSERT INTO item VALUES (1, 'by statement')"});
  refused_at({"XA START 'a'", "INSERT INTO item VALUES (2, 'xa')", "XA END 'a'", "XA PREPARE 'a'", "XA COMMIT 'a'"});
  refused_at({"CREATE TABLE item_new LIKE item", "RENAME TABLE item TO item_old, item_new TO item"});
}

INSTANTIATE_TEST_SUITE_P(each, mysql_source_over_tls, ::testing::ValuesIn(kinds_with_tls()), testing::spoke_name);

}  // namespace
}  // namespace duet::mysql
