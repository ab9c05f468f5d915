// Real database servers for tests: each private, in a temporary folder, on a free port of 127.0.0.1, stopped and removed
// with its object, also when the test program dies. A server that can't start throws with its log: the test fails loudly.
//
//   private_postgres home;                          // the newest PostgreSQL of this machine, or DUET_POSTGRES_BIN's
//   private_mysql spoke({"--sync-binlog=1"});       // more options of the server's command line
//   auto db = home.make_database();
//   home.exec("CREATE TABLE t (id int PRIMARY KEY)", db);
//   endpoint e = home.endpoint_of(db);
//
// Starting costs 1 to 2 s, so tests that do not break their server share one per process: shared_postgres(), shared_spoke().
//
// The same test against MariaDB and MySQL:
//
//   class two_way : public spoke_test {};           // spoke() is the shared server of the kind under test
//   TEST_P(two_way, carries_an_insert) { ... }
//   INSTANTIATE_TEST_SUITE_P(each, two_way, ::testing::ValuesIn(spoke_kinds()), spoke_name);
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "duet/config.hpp"
#include "support/process.hpp"
#include "support/sql_session.hpp"

namespace duet::testing {

class private_server {
 public:
  virtual ~private_server();
  private_server(const private_server&) = delete;
  private_server& operator=(const private_server&) = delete;

  const std::string& kind() const { return kind_; }    // postgres, mariadb, mysql
  std::string version();                               // 15.18, 10.11.19, 9.7.4
  std::uint16_t port() const { return port_; }
  pid_t pid() const { return pid_; }                   // of the running server; -1 if stopped
  const std::string& folder() const { return folder_.path(); }
  std::string log() const;                             // the server's own log
  endpoint endpoint_of(const std::string& database) const;  // TCP, superuser without a password, no TLS

  void stop();       // in order, what is committed is kept
  void kill9();      // as if the power of the server's process were cut
  void start();      // a stopped or killed one, with its data, on the same port
  void restart() { stop(); start(); }
  void sigstop();    // all its processes freeze; connections stay open
  void sigcont();
  void set_options(std::vector<std::string> options) { options_ = std::move(options); }  // from the next start on

  // On a session of this object, kept open for each of the databases used last. From any thread, one at a time.
  sql_rows query(const std::string& sql, const std::string& database = "");
  void exec(const std::string& sql, const std::string& database = "") { query(sql, database); }
  std::optional<std::string> scalar(const std::string& sql, const std::string& database = "");
  std::unique_ptr<sql_session> session(const std::string& database = "") const { return connect(endpoint_of(database)); }

  std::string make_database(const std::string& prefix = "test");  // a new, empty one; its name

 protected:
  private_server(std::string kind, std::string script, std::vector<std::string> options);
  virtual std::vector<pid_t> processes() const { return {pid_}; }
  int stop_signal_ = 15;

 private:
  void end(int signal);
  void watch();
  void forget_sessions();

  std::string kind_, script_;
  std::vector<std::string> options_;
  temporary_folder folder_;
  std::uint16_t port_;
  pid_t pid_ = -1;
  std::unique_ptr<child_process> watcher_;  // stops the server should this process be killed
  static constexpr std::size_t most_sessions = 8;  // a program of many tests makes more databases than a server takes clients
  std::mutex sessions_mutex_;
  std::vector<std::pair<std::string, std::unique_ptr<sql_session>>> sessions_;
};

// Options are those of the postgres program: {"-c", "shared_buffers=64MB"}.
class private_postgres : public private_server {
 public:
  explicit private_postgres(std::vector<std::string> options = {});

 private:
  std::vector<pid_t> processes() const override;
};

// MariaDB or MySQL.
class spoke_server : public private_server {
 public:
  bool is_mariadb() const { return kind() == "mariadb"; }

 protected:
  using private_server::private_server;
};

class private_mariadb : public spoke_server {
 public:
  explicit private_mariadb(std::vector<std::string> options = {});
};

class private_mysql : public spoke_server {
 public:
  explicit private_mysql(std::vector<std::string> options = {});
};

std::unique_ptr<spoke_server> make_spoke(const std::string& kind, std::vector<std::string> options = {});

// Started at first use, stopped at the end of the program.
private_postgres& shared_postgres();
spoke_server& shared_spoke(const std::string& kind);

// mariadb and mysql, or what DUET_SPOKES says ("mysql").
std::vector<std::string> spoke_kinds();
std::string spoke_name(const ::testing::TestParamInfo<std::string>&);

class spoke_test : public ::testing::TestWithParam<std::string> {
 public:
  private_postgres& home() { return shared_postgres(); }
  spoke_server& spoke() { return shared_spoke(GetParam()); }
};

std::uint16_t find_free_port();  // of 127.0.0.1, outside the range that the system takes for clients

}  // namespace duet::testing
