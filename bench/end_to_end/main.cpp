// Duet against native replication, end to end, on private servers with production durability. bench/run starts it; what is
// measured and how is in bench/README.md.
//
//   end_to_end [--quick] [--spoke mariadb|mysql]... [--backlog a|b|c|d]... [--direction out|back]... [--no-latency]
//              [--tcp] [--native-only] [--json FILE]
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <thread>

#include "support/servers.hpp"

namespace {

using namespace std::chrono_literals;
using namespace duet::testing;
using clock_type = std::chrono::steady_clock;
using nlohmann::json;

struct options {
  bool quick = false, latency = true, tcp = false, native_only = false;
  std::set<std::string> spokes, backlogs, directions;
  std::string json_file;
  long scale(long n) const { return quick ? n / 10 : n; }
};

double seconds_since(clock_type::time_point t) { return std::chrono::duration<double>(clock_type::now() - t).count(); }

void say(const std::string& line) {
  std::printf("  %s\n", line.c_str());
  std::fflush(stdout);
}

std::string format(const char* pattern, auto... values) {
  char buffer[300];
  std::snprintf(buffer, sizeof buffer, pattern, values...);
  return buffer;
}

// ---- servers with production durability ----------------------------------------------------------------------------------

std::vector<std::string> postgres_options() {
  std::vector<std::string> all;
  for (const char* o : {"fsync=on", "synchronous_commit=on", "full_page_writes=on", "shared_buffers=512MB", "max_wal_size=8GB",
                        "checkpoint_timeout=30min", "wal_retrieve_retry_interval=100ms"}) {
    all.push_back("-c");
    all.push_back(o);
  }
  return all;
}

std::vector<std::string> spoke_options(const std::string& kind) {
  std::vector<std::string> all = {"--sync-binlog=1", "--innodb-flush-log-at-trx-commit=1", "--innodb-buffer-pool-size=1G",
                                  "--performance-schema=OFF", "--default-time-zone=+00:00"};
  if (kind == "mariadb") {
    for (const char* o : {"--innodb-log-file-size=1G", "--slave-parallel-threads=4", "--slave-parallel-mode=optimistic", "--relay-log=relay"})
      all.push_back(o);
  } else {
    for (const char* o : {"--innodb-redo-log-capacity=2G", "--replica-parallel-workers=4", "--relay-log=relay", "--skip-replica-start"})
      all.push_back(o);
  }
  return all;
}

// ---- the schema and the backlogs -----------------------------------------------------------------------------------------

// sysbench's table; `mark` tells when everything before it has arrived; `pulse` is for the latency.
const char* const postgres_schema = R"(
CREATE TABLE sbtest (id bigint PRIMARY KEY, k integer NOT NULL, c char(120) NOT NULL, pad char(60) NOT NULL);
CREATE INDEX k_1 ON sbtest (k);
CREATE TABLE mark (id integer PRIMARY KEY, v bigint NOT NULL);
CREATE TABLE pulse (id bigint PRIMARY KEY, v char(100) NOT NULL);
INSERT INTO mark VALUES (1, 0), (2, 0);
)";

const char* const postgres_procedures = R"(
CREATE FUNCTION c_of(i bigint) RETURNS text LANGUAGE sql AS $$ SELECT left(repeat(md5(i::text) || '-', 4), 119) $$;
CREATE FUNCTION pad_of(i bigint) RETURNS text LANGUAGE sql AS $$ SELECT left(repeat(md5((-i)::text) || '-', 2), 59) $$;
CREATE PROCEDURE backlog_a(first bigint, n bigint) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN first .. first + n - 1 LOOP
    INSERT INTO sbtest VALUES (i, i::bigint * 7919 % 500000, c_of(i), pad_of(i));
    IF i % 10 = 9 THEN COMMIT; END IF;
  END LOOP;
END $$;
CREATE PROCEDURE backlog_b(n bigint, keys bigint) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. n LOOP
    UPDATE sbtest SET k = k + 1 WHERE id = i::bigint * 48271 % keys;
    COMMIT;
  END LOOP;
END $$;
CREATE PROCEDURE backlog_c(first bigint, n bigint) LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO sbtest SELECT i, i * 7919 % 500000, c_of(i), pad_of(i) FROM generate_series(first, first + n - 1) AS i;
END $$;
CREATE PROCEDURE backlog_d(first bigint, n bigint) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN first .. first + n - 1 LOOP
    DELETE FROM sbtest WHERE id = i;
    IF i % 10 = 9 THEN COMMIT; END IF;
  END LOOP;
END $$;
)";

const char* const mysql_schema = R"(
CREATE TABLE sbtest (id bigint PRIMARY KEY, k int NOT NULL, c char(120) NOT NULL, pad char(60) NOT NULL, KEY k_1 (k)) CHARACTER SET utf8mb4;
CREATE TABLE mark (id int PRIMARY KEY, v bigint NOT NULL) CHARACTER SET utf8mb4;
CREATE TABLE pulse (id bigint PRIMARY KEY, v char(100) NOT NULL) CHARACTER SET utf8mb4;
INSERT INTO mark VALUES (1, 0), (2, 0);
)";

const char* const mysql_procedures[] = {
    R"(CREATE PROCEDURE backlog_a(first bigint, n bigint)
BEGIN
  DECLARE i bigint DEFAULT first;
  WHILE i < first + n DO
    IF i % 10 = 0 THEN START TRANSACTION; END IF;
    INSERT INTO sbtest VALUES (i, i * 7919 % 500000, left(repeat(concat(sha2(i, 256), '-'), 2), 119), left(sha2(-i, 256), 59));
    IF i % 10 = 9 THEN COMMIT; END IF;
    SET i = i + 1;
  END WHILE;
END)",
    R"(CREATE PROCEDURE backlog_b(n bigint, nkeys bigint)
BEGIN
  DECLARE i bigint DEFAULT 1;
  WHILE i <= n DO
    UPDATE sbtest SET k = k + 1 WHERE id = i * 48271 % nkeys;
    SET i = i + 1;
  END WHILE;
END)",
    R"(CREATE PROCEDURE backlog_c(first bigint, n bigint)
BEGIN
  DECLARE have bigint DEFAULT 1;
  DROP TEMPORARY TABLE IF EXISTS numbers;
  CREATE TEMPORARY TABLE numbers (i bigint PRIMARY KEY) ENGINE = InnoDB;
  INSERT INTO numbers VALUES (0);
  WHILE have < n DO
    CREATE TEMPORARY TABLE more AS SELECT i + have AS i FROM numbers WHERE i + have < n;
    INSERT INTO numbers SELECT i FROM more;
    DROP TEMPORARY TABLE more;
    SET have = have * 2;
  END WHILE;
  START TRANSACTION;
  INSERT INTO sbtest SELECT first + i, (first + i) * 7919 % 500000, left(repeat(concat(sha2(first + i, 256), '-'), 2), 119),
    left(sha2(-(first + i), 256), 59) FROM numbers;
  COMMIT;
  DROP TEMPORARY TABLE numbers;
END)",
    R"(CREATE PROCEDURE backlog_d(first bigint, n bigint)
BEGIN
  DECLARE i bigint DEFAULT first;
  WHILE i < first + n DO
    IF i % 10 = 0 THEN START TRANSACTION; END IF;
    DELETE FROM sbtest WHERE id = i;
    IF i % 10 = 9 THEN COMMIT; END IF;
    SET i = i + 1;
  END WHILE;
END)"};

bool is_home(const private_server& s) { return s.kind() == "postgres"; }

void make_schema(private_server& server, bool replicated) {
  server.exec("CREATE DATABASE bench");
  if (is_home(server)) {
    server.exec(postgres_schema, "bench");
    server.exec(postgres_procedures, "bench");
    return;
  }
  // A replica gets what its source writes; its own start must not stand in its binlog.
  auto session = server.session("bench");
  session->exec(mysql_schema);
  if (!replicated)
    for (const char* p : mysql_procedures) session->exec(p);
}

struct backlog {
  std::string key, what;
  long rows;
  std::string call;
};

std::vector<backlog> backlogs(const options& o) {
  const auto n = [](long v) { return std::to_string(v); };
  const long a = o.scale(500'000), tenth = a / 10, b = o.scale(300'000), keys = o.scale(100'000), c = o.scale(1'000'000), d = o.scale(100'000);
  std::vector<backlog> all = {
      {"a/10", "inserts in tens, a tenth of (a)", tenth, "CALL backlog_a(" + n(a) + ", " + n(tenth) + ")"},
      {"a", "inserts in tens", a, "CALL backlog_a(0, " + n(a) + ")"},
      {"b", "single-row updates", b, "CALL backlog_b(" + n(b) + ", " + n(keys) + ")"},
      {"c", "one transaction", c, "CALL backlog_c(" + n(10 * a) + ", " + n(c) + ")"},
      {"d", "deletes in tens", d, "CALL backlog_d(" + n(a - d) + ", " + n(d) + ")"},
  };
  if (!o.backlogs.empty())
    std::erase_if(all, [&](const backlog& x) { return x.key != "a" && !o.backlogs.contains(x.key); });  // the others work on (a)'s rows
  return all;
}

// Written without waiting for the disk, to save time; the durability under test is back before anything is measured.
void write_backlog(private_server& server, const backlog& b, int mark_id, long mark) {
  auto session = server.session("bench");
  if (is_home(server)) {
    session->exec("SET synchronous_commit = off");
  } else {
    session->exec("SET GLOBAL sync_binlog = 0, GLOBAL innodb_flush_log_at_trx_commit = 0");
    if (server.kind() == "mariadb") session->exec("SET SESSION tx_isolation = 'READ-COMMITTED'");
  }
  session->exec(b.call);
  if (is_home(server)) session->exec("SET synchronous_commit = on");
  else session->exec("SET GLOBAL sync_binlog = 1, GLOBAL innodb_flush_log_at_trx_commit = 1");
  session->exec("UPDATE mark SET v = " + std::to_string(mark) + " WHERE id = " + std::to_string(mark_id));
  if (is_home(server)) server.exec("CHECKPOINT");
}

// Returns when the mark has arrived; throws after `limit`, or when `alive` says no.
void wait_for_mark(sql_session& target, int mark_id, long mark, std::chrono::seconds limit, const std::function<bool()>& alive = [] { return true; }) {
  const std::string sql = "SELECT v FROM mark WHERE id = " + std::to_string(mark_id), expected = std::to_string(mark);
  const auto end = clock_type::now() + limit;
  for (;;) {
    if (target.scalar(sql) == expected) return;
    if (clock_type::now() > end) throw std::runtime_error("the backlog has not arrived after " + std::to_string(limit.count()) + " s");
    if (!alive()) throw std::runtime_error("the hub has ended");
    std::this_thread::sleep_for(3ms);
  }
}

std::string digest(private_server& server, const std::string& database = "bench") {
  const auto rows = server.query(
      is_home(server)
          ? "SELECT count(*), sum(id), sum(k), sum(('x' || left(encode(sha256(convert_to(c || pad, 'UTF8')), 'hex'), 8))::bit(32)::bigint) FROM (SELECT id, k, rtrim(c) c, rtrim(pad) pad FROM sbtest) t"
          : "SELECT count(*), sum(id), sum(k), sum(cast(conv(left(sha2(concat(c, pad), 256), 8), 16, 10) AS unsigned)) FROM sbtest",
      database);
  std::string text;
  for (const auto& cell : rows[0]) text += cell.value_or("none") + " ";
  return text;
}

// ---- native replication of the target's engine ----------------------------------------------------------------------------

class native_replication {
 public:
  virtual ~native_replication() = default;
  virtual private_server& source() = 0;
  // One or more ways to run it, each with a name; the backlog is drained once by each.
  virtual std::vector<std::string> ways() const = 0;
  virtual std::unique_ptr<sql_session> target(const std::string& way) = 0;
  virtual std::string target_digest(const std::string& way) = 0;
  virtual void resume(const std::string& way) = 0;
  virtual void pause(const std::string& way) = 0;
};

class subscription : public native_replication {
 public:
  subscription() : source_(postgres_options()), target_(postgres_options()) {
    make_schema(source_, false);
    source_.exec("CREATE PUBLICATION bench FOR ALL TABLES", "bench");
    for (const auto& way : ways()) {
      target_.exec("CREATE DATABASE " + way);
      target_.exec(postgres_schema, way);
      source_.exec("SELECT pg_create_logical_replication_slot('" + way + "', 'pgoutput')", "bench");
      target_.exec("CREATE SUBSCRIPTION " + way + " CONNECTION 'host=" + source_.folder() + " port=" + std::to_string(source_.port()) +
                       " user=postgres dbname=bench' PUBLICATION bench WITH (copy_data = false, create_slot = false, enabled = false, slot_name = '" +
                       way + "'" + (way == "sync_on" ? ", synchronous_commit = on" : "") + ")",
                   way);
    }
  }
  private_server& source() override { return source_; }
  std::vector<std::string> ways() const override { return {"defaults", "sync_on"}; }
  std::unique_ptr<sql_session> target(const std::string& way) override { return target_.session(way); }
  std::string target_digest(const std::string& way) override { return digest(target_, way); }
  void resume(const std::string& way) override { target_.exec("ALTER SUBSCRIPTION " + way + " ENABLE", way); }
  void pause(const std::string& way) override {
    target_.exec("ALTER SUBSCRIPTION " + way + " DISABLE", way);
    eventually([&] { return target_.scalar("SELECT count(*) FROM pg_stat_subscription WHERE subname = '" + way + "' AND pid IS NOT NULL") == "0"; });
  }

 private:
  private_postgres source_, target_;
};

class replica : public native_replication {
 public:
  explicit replica(const std::string& kind) : source_(make_spoke(kind, spoke_options(kind))), target_(make_spoke(kind, spoke_options(kind))) {
    const std::string port = std::to_string(source_->port());
    make_schema(*source_, false);
    make_schema(*target_, true);
    source_->exec("CREATE USER replica@'%' IDENTIFIED BY 'replica'; GRANT REPLICATION SLAVE ON *.* TO replica@'%'");
    if (mariadb()) {
      const auto position = *source_->scalar("SELECT @@gtid_binlog_pos");
      target_->exec("RESET MASTER; SET GLOBAL gtid_slave_pos = '" + position + "'; CHANGE MASTER TO master_host = '127.0.0.1', master_port = " + port +
                    ", master_user = 'replica', master_password = 'replica', master_use_gtid = slave_pos");
    } else {
      const auto done = *source_->scalar("SELECT @@gtid_executed");
      target_->exec("RESET BINARY LOGS AND GTIDS; SET GLOBAL gtid_purged = '" + done + "'; CHANGE REPLICATION SOURCE TO source_host = '127.0.0.1', source_port = " +
                    port + ", source_user = 'replica', source_password = 'replica', source_auto_position = 1, get_source_public_key = 1");
    }
  }
  private_server& source() override { return *source_; }
  std::vector<std::string> ways() const override { return {"4_workers"}; }
  std::unique_ptr<sql_session> target(const std::string&) override { return target_->session("bench"); }
  std::string target_digest(const std::string&) override { return digest(*target_); }
  void resume(const std::string&) override { target_->exec(mariadb() ? "START SLAVE" : "START REPLICA"); }
  void pause(const std::string&) override { target_->exec(mariadb() ? "STOP SLAVE" : "STOP REPLICA"); }

 private:
  bool mariadb() const { return source_->is_mariadb(); }
  std::unique_ptr<spoke_server> source_, target_;
};

// ---- the hub -----------------------------------------------------------------------------------------------------------------

struct usage { double cpu_s = 0; long rss_kb = 0; };

class duet_link {
 public:
  duet_link(private_server& home, private_server& spoke, bool tcp) : folder_("bench"), home_(home), spoke_(spoke), port_(find_free_port()) {
    const std::string home_url = tcp ? "postgresql://postgres@127.0.0.1:" + std::to_string(home.port()) + "/bench"
                                     : "postgresql://postgres@localhost/bench?host=" + home.folder() + "&port=" + std::to_string(home.port());
    write_file(folder_.file("duet.yaml"),
               "link: bench\nhome:\n  url: " + home_url + "\n  tls: { mode: disable }\nspoke:\n  url: mysql://root@127.0.0.1:" + std::to_string(spoke.port()) +
                   "/bench\n  tls: { mode: disable }\nstatus: { listen: 127.0.0.1:" + std::to_string(port_) +
                   " }\nconflicts: { default: home }\ntables:\n  - home: public.sbtest\n  - home: public.mark\n  - home: public.pulse\n");
    // Two-way sync compares with old values. The native subscription stays with its default, which is faster for it.
    for (const char* table : {"sbtest", "mark", "pulse"}) home.exec("ALTER TABLE " + std::string(table) + " REPLICA IDENTITY FULL", "bench");
    const auto setup = ::duet::testing::run({DUET_BINARY, "setup", "-c", folder_.file("duet.yaml")});
    if (setup.exit_code) throw std::runtime_error("duet setup: " + setup.output);
  }
  void start() { hub_ = std::make_unique<child_process>(std::vector<std::string>{DUET_BINARY, "run", "-c", folder_.file("duet.yaml")}, folder_.file("log")); }
  bool running() { return hub_ && hub_->running(); }
  std::string log() const { return read_file(folder_.file("log")); }

  // Both lanes have read their own echoes too: a mark goes there and back. And home knows it: a slot restarts where the server
  // has last noted which transactions run, and takes over such a note only when the hub has confirmed what is behind it. In a
  // live link that follows by itself; here it would leave each backlog to be decoded again by the next start.
  void settle() {
    for (int note = 0; note < 2; ++note) {
      there_and_back();
      std::this_thread::sleep_for(1200ms);  // the hub reports once a second
      home_.exec("CHECKPOINT");
    }
    there_and_back();
  }
  void there_and_back() {
    const long mark = ++settled_;
    for (const bool out : {true, false}) {
      auto& from = out ? home_ : spoke_;
      auto& to = out ? spoke_ : home_;
      const int id = out ? 1 : 2;
      from.exec("UPDATE mark SET v = " + std::to_string(-mark) + " WHERE id = " + std::to_string(id), "bench");
      wait_for_mark(*to.session("bench"), id, -mark, 600s, [&] { return running(); });
    }
  }
  void stop() {
    hub_->signal(15);
    if (!hub_->wait(20s)) say("duet did not stop within 20 s of SIGTERM");
    hub_.reset();
  }
  usage used() const {
    usage u;
    const std::string stat = read_file("/proc/" + std::to_string(hub_->pid()) + "/stat");
    std::istringstream fields(stat.substr(std::min(stat.rfind(')') + 2, stat.size())));
    std::string field;
    double ticks = 0;
    for (int i = 3; i <= 15 && fields >> field; ++i)
      if (i >= 14) ticks += std::stod(field);
    u.cpu_s = ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
    std::istringstream status(read_file("/proc/" + std::to_string(hub_->pid()) + "/status"));
    for (std::string line; std::getline(status, line);)
      if (line.starts_with("VmHWM:")) u.rss_kb = std::stol(line.substr(6));
    return u;
  }

 private:
  temporary_folder folder_;
  private_server& home_;
  private_server& spoke_;
  std::uint16_t port_;
  std::unique_ptr<child_process> hub_;
  long settled_ = 0;
};

// ---- drains ------------------------------------------------------------------------------------------------------------------

bool all_well = true;

json drain(const options& o, const std::string& kind, bool out) {
  std::printf("\n%s\n", out ? ("home -> spoke, " + kind + "; native: a " + kind + " replica with 4 workers").c_str()
                            : ("spoke -> home, from " + kind + "; native: a PostgreSQL subscription").c_str());
  private_postgres home(postgres_options());
  const auto spoke = make_spoke(kind, spoke_options(kind));
  make_schema(home, false);
  make_schema(*spoke, false);
  private_server& source = out ? static_cast<private_server&>(home) : *spoke;
  private_server& target = out ? static_cast<private_server&>(*spoke) : home;
  const int mark_id = out ? 1 : 2;
  std::unique_ptr<native_replication> native;
  if (out) native = std::make_unique<replica>(kind);
  else native = std::make_unique<subscription>();
  std::optional<duet_link> link;
  if (!o.native_only) link.emplace(home, *spoke, o.tcp);

  json results = json::array();
  double tenth_seconds = 0;
  long mark = 1000;
  for (const auto& b : backlogs(o)) {
    ++mark;
    json result = {{"spoke", kind}, {"direction", out ? "home_to_spoke" : "spoke_to_home"}, {"backlog", b.key}, {"what", b.what}, {"rows", b.rows}};
    write_backlog(native->source(), b, 1, mark);
    std::string line = format("(%s) %-32s %8ld rows", b.key.c_str(), b.what.c_str(), b.rows);
    double duet_seconds = 0;
    if (link) {
      write_backlog(source, b, mark_id, mark);
      auto watch = target.session("bench");
      const auto began = clock_type::now();
      link->start();
      try {
        wait_for_mark(*watch, mark_id, mark, 1200s, [&] { return link->running(); });
      } catch (const std::exception& e) {
        const auto log = link->log();
        throw std::runtime_error("(" + b.key + ") by duet: " + e.what() + "\n" + log.substr(log.size() > 3000 ? log.size() - 3000 : 0));
      }
      duet_seconds = seconds_since(began);
      const usage used = link->used();
      link->settle();
      link->stop();
      const bool equal = digest(source) == digest(target);
      all_well &= equal;
      result["duet"] = {{"seconds", duet_seconds}, {"rows_per_s", static_cast<double>(b.rows) / duet_seconds}, {"cpu_s", used.cpu_s},
                        {"peak_rss_mb", static_cast<double>(used.rss_kb) / 1024}, {"equal", equal}};
      line += format("  duet %7.0f/s  %5.1f s cpu  %4.0f MB", static_cast<double>(b.rows) / duet_seconds, used.cpu_s, static_cast<double>(used.rss_kb) / 1024);
      if (!equal) line += "\n       NOT EQUAL: " + digest(source) + "| " + digest(target);
    }
    for (const auto& way : native->ways()) {
      auto native_watch = native->target(way);
      const auto began = clock_type::now();
      native->resume(way);
      wait_for_mark(*native_watch, 1, mark, 1800s);
      const double native_seconds = seconds_since(began);
      native->pause(way);
      if (digest(native->source()) != native->target_digest(way)) throw std::runtime_error("native replication (" + way + ") is not equal");
      result["native"][way] = {{"seconds", native_seconds}, {"rows_per_s", static_cast<double>(b.rows) / native_seconds}, {"ratio", link ? native_seconds / duet_seconds : 0}};
      line += format("\n       %-25s native %6.0f/s", way.c_str(), static_cast<double>(b.rows) / native_seconds);
      if (link) line += format(", duet is %.2f times as fast", native_seconds / duet_seconds);
    }
    if (b.key == "a/10") tenth_seconds = duet_seconds;  // 0 without Duet
    if (b.key == "a" && tenth_seconds > 0) {
      result["growth"] = duet_seconds / tenth_seconds;
      line += format("\n       ten times as long a backlog takes %.1f times as long", duet_seconds / tenth_seconds);
    }
    say(line);
    results.push_back(result);
  }
  return results;
}

// ---- latency: from the commit's return to the row's being visible on the other side ------------------------------------------

class pulse {
 public:
  pulse(std::unique_ptr<sql_session> source, std::unique_ptr<sql_session> probe, int per_second, int parity)
      : source_(std::move(source)), probe_(std::move(probe)), per_second_(per_second), next_id_(parity) {}

  void write(std::chrono::seconds length) {
    const auto start = clock_type::now();
    auto next = start;
    for (long n = 0; clock_type::now() < start + length; ++n) {
      const long id = next_id_;
      next_id_ += 2;
      source_->exec("INSERT INTO pulse VALUES (" + std::to_string(id) + ", 'x" + std::to_string(id) + "')");
      if (n % sample_each == 0 && clock_type::now() > start + 1s) {  // the first second warms up
        std::scoped_lock lock(mutex_);
        waiting_.push_back({id, clock_type::now()});
        changed_.notify_one();
      }
      next += std::chrono::microseconds(1'000'000 / per_second_);
      std::this_thread::sleep_until(next);
    }
    std::scoped_lock lock(mutex_);
    done_ = true;
    changed_.notify_one();
  }

  void watch() {
    for (;;) {
      sample s;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return done_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        s = waiting_.front();
        waiting_.pop_front();
      }
      const std::string sql = "SELECT 1 FROM pulse WHERE id = " + std::to_string(s.id);
      while (!probe_->scalar(sql)) {
        if (clock_type::now() > s.at + 30s) throw std::runtime_error("a row was not visible on the other side after 30 s");
        std::this_thread::sleep_for(100us);
      }
      ms_.push_back(std::chrono::duration<double, std::milli>(clock_type::now() - s.at).count());
    }
  }

  json result() {
    std::sort(ms_.begin(), ms_.end());
    const auto at = [&](double q) { return ms_.empty() ? NAN : ms_[std::min(ms_.size() - 1, static_cast<std::size_t>(q * static_cast<double>(ms_.size())))]; };
    return {{"samples", ms_.size()}, {"p50_ms", at(0.5)}, {"p99_ms", at(0.99)}, {"max_ms", at(1)}};
  }

 private:
  static constexpr int sample_each = 5;
  struct sample { long id = 0; clock_type::time_point at; };
  std::unique_ptr<sql_session> source_, probe_;
  int per_second_;
  long next_id_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<sample> waiting_;
  bool done_ = false;
  std::vector<double> ms_;
};

void run_pulses(std::vector<pulse*> pulses, std::chrono::seconds length) {
  std::vector<std::jthread> threads;
  std::mutex mutex;
  std::string trouble;
  const auto guarded = [&](auto work) {
    return [&, work] {
      try {
        work();
      } catch (const std::exception& e) {
        std::scoped_lock lock(mutex);
        trouble = e.what();
      }
    };
  };
  for (pulse* p : pulses) {
    threads.emplace_back(guarded([p, length] { p->write(length); }));
    threads.emplace_back(guarded([p] { p->watch(); }));
  }
  threads.clear();
  if (!trouble.empty()) throw std::runtime_error(trouble);
}

void say_latency(const std::string& what, const json& r) {
  say(format("%-32s p50 %6.2f ms   p99 %6.2f ms   max %7.2f ms   (%d samples)", what.c_str(), r["p50_ms"].get<double>(), r["p99_ms"].get<double>(),
             r["max_ms"].get<double>(), r["samples"].get<int>()));
}

json latency(const options& o, const std::string& kind) {
  const int per_second = 200;
  const auto length = o.quick ? 10s : 60s;
  std::printf("\nCommit to visible at %d transactions/s, %s, both ways at once; native each way alone\n", per_second, kind.c_str());
  json all;
  if (!o.native_only) {
    private_postgres home(postgres_options());
    const auto spoke = make_spoke(kind, spoke_options(kind));
    make_schema(home, false);
    make_schema(*spoke, false);
    duet_link link(home, *spoke, o.tcp);
    link.start();
    link.settle();
    const usage before = link.used();
    pulse out(home.session("bench"), spoke->session("bench"), per_second, 1), back(spoke->session("bench"), home.session("bench"), per_second, 2);
    run_pulses({&out, &back}, length);
    const usage after = link.used();
    link.stop();
    all["home_to_spoke"] = out.result();
    all["spoke_to_home"] = back.result();
    all["cpu_share"] = (after.cpu_s - before.cpu_s) / static_cast<double>(length.count());
    all["peak_rss_mb"] = static_cast<double>(after.rss_kb) / 1024;
    say_latency("duet home -> spoke", all["home_to_spoke"]);
    say_latency("duet spoke -> home", all["spoke_to_home"]);
    say(format("duet takes %.0f %% of one core and %.0f MB", 100 * all["cpu_share"].get<double>(), all["peak_rss_mb"].get<double>()));
  }
  std::vector<std::pair<std::string, std::unique_ptr<native_replication>>> natives;
  for (const bool subscribed : {false, true}) {
    std::unique_ptr<native_replication> native;
    if (subscribed) native = std::make_unique<subscription>();
    else native = std::make_unique<replica>(kind);
    const std::string way = native->ways().back();  // the subscription with synchronous commit, as Duet has
    native->resume(way);
    pulse p(native->source().session("bench"), native->target(way), per_second, 1);
    run_pulses({&p}, length);
    const std::string name = subscribed ? "subscription" : kind + "_replica";
    all["native"][name] = p.result();
    say_latency("native " + name, all["native"][name]);
  }
  all["spoke"] = kind;
  return all;
}

// ---- the table ------------------------------------------------------------------------------------------------------------------

void print_table(const json& all) {
  std::printf("\n%-8s %-14s %-5s %9s %10s %10s %7s %9s %7s\n", "spoke", "direction", "what", "rows", "duet/s", "native/s", "ratio", "RSS MB", "cpu s");
  for (const auto& r : all["drains"])
    for (const auto& [way, n] : r["native"].items())
      std::printf("%-8s %-14s %-5s %9ld %10.0f %10.0f %7.2f %9.0f %7.1f  %s\n", r["spoke"].get<std::string>().c_str(),
                  r["direction"].get<std::string>().c_str(), r["backlog"].get<std::string>().c_str(), r["rows"].get<long>(),
                  r["duet"]["rows_per_s"].get<double>(), n["rows_per_s"].get<double>(), n["ratio"].get<double>(), r["duet"]["peak_rss_mb"].get<double>(),
                  r["duet"]["cpu_s"].get<double>(), way.c_str());
}

}  // namespace

int main(int argc, char** argv) try {
  options o;
  for (int i = 1; i < argc; ++i) {
    const std::string a = argv[i];
    const auto value = [&]() -> std::string {
      if (i + 1 >= argc) throw std::invalid_argument(a + " needs a value");
      return argv[++i];
    };
    if (a == "--quick") o.quick = true;
    else if (a == "--tcp") o.tcp = true;
    else if (a == "--no-latency") o.latency = false;
    else if (a == "--native-only") o.native_only = true;
    else if (a == "--spoke") o.spokes.insert(value());
    else if (a == "--backlog") o.backlogs.insert(value());
    else if (a == "--direction") o.directions.insert(value());
    else if (a == "--json") o.json_file = value();
    else throw std::invalid_argument("unknown option " + a);
  }
  if (o.spokes.empty()) o.spokes = {"mariadb", "mysql"};
  if (o.directions.empty()) o.directions = {"out", "back"};

  json all = {{"quick", o.quick}, {"home_over", o.tcp ? "tcp" : "unix socket"}, {"cores", std::thread::hardware_concurrency()}};
  all["drains"] = json::array();
  all["latency"] = json::array();
  for (const auto& kind : o.spokes) {
    for (const bool out : {true, false})
      if (o.directions.contains(out ? "out" : "back"))
        for (auto& r : drain(o, kind, out)) all["drains"].push_back(r);
    if (o.latency) all["latency"].push_back(latency(o, kind));
  }
  if (!o.native_only) print_table(all);
  if (!o.json_file.empty()) write_file(o.json_file, all.dump(2) + "\n");
  if (!all_well) std::printf("\nA drain did not end equal.\n");
  return all_well ? 0 : 1;
} catch (const std::exception& e) {
  std::fflush(stdout);
  std::fprintf(stderr, "end_to_end: %s\n", e.what());
  return 2;
}
