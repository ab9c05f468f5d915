// Both databases with certificates of an authority of their own, accounts that take nothing but TLS, and the real program in
// every mode. The certificates name 127.0.0.1; the same servers listen at 127.0.0.2.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <map>

#include "support/servers.hpp"

using namespace duet::testing;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

namespace {

constexpr const char* password = "open-sesame";

void shell(const std::string& script) {
  const auto r = run({"bash", "-euc", script});
  if (r.exit_code) throw std::runtime_error(r.output);
}

struct certificates {
  certificates() {
    const auto authority = [&](const std::string& name) {
      return "openssl req -x509 -newkey rsa:2048 -nodes -keyout " + name + ".key -out " + name + ".pem -days 2 -subj /CN=" + name + "\n";
    };
    shell("cd " + folder.path() + "\n" + authority("ca") + authority("stranger") +
          "openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=database\n"
          "echo subjectAltName=IP:127.0.0.1 > names\n"
          "openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out server.pem -extfile names\n");
  }
  temporary_folder folder{"certificates"};
};
const certificates& issued() {
  static const certificates all;
  return all;
}
std::string file(const char* name) { return issued().folder.file(name); }

void set_ssl(private_postgres& server, bool on) {
  server.exec(std::string("ALTER SYSTEM SET ssl = ") + (on ? "on" : "off"));
  server.exec("SELECT pg_reload_conf()");
  if (!eventually([&] { return server.session()->query("SHOW ssl")[0][0] == (on ? "on" : "off"); })) throw std::runtime_error(server.log());
}

private_postgres& home() {
  static private_postgres server({"-c", "listen_addresses=127.0.0.1,127.0.0.2"});
  static const bool ready = [] {
    const std::string data = server.folder() + "/data";
    shell("cp " + file("server.pem") + ' ' + data + "/server.crt; cp " + file("server.key") + ' ' + data + "; cd " + data +
          "; chown --reference=. server.crt server.key; chmod 600 server.key\n"
          "printf 'local all all trust\\nhost all postgres 127.0.0.0/8 trust\\nhostssl all duet 127.0.0.0/8 scram-sha-256\\n' > pg_hba.conf");
    server.exec("CREATE ROLE duet SUPERUSER LOGIN PASSWORD '" + std::string(password) + "'");
    set_ssl(server, true);
    return true;
  }();
  (void)ready;
  return server;
}

spoke_server& spoke(const std::string& kind) {
  const auto make = [](const std::string& kind) {
    auto server = make_spoke(kind, {"--sync-binlog=1", "--bind-address=127.0.0.1,127.0.0.2", "--ssl-ca=" + file("ca.pem"), "--ssl-cert=" + file("server.pem"),
                                    "--ssl-key=" + file("server.key")});
    server->exec("CREATE USER duet@'%' IDENTIFIED BY '" + std::string(password) + "' REQUIRE SSL");
    server->exec("GRANT ALL ON *.* TO duet@'%' WITH GRANT OPTION");
    return server;
  };
  static std::map<std::string, std::unique_ptr<spoke_server>> servers;
  auto& server = servers[kind];
  if (!server) server = make(kind);
  return *server;
}

class tls : public ::testing::TestWithParam<std::string> {
 protected:
  tls() : home_db_(home().make_database("tls")), spoke_db_(spoke(GetParam()).make_database("tls")) {
    home().exec("CREATE TABLE t (id int PRIMARY KEY, a text); ALTER TABLE t REPLICA IDENTITY FULL", home_db_);
    spoke(GetParam()).exec("CREATE TABLE t (id int PRIMARY KEY, a text)", spoke_db_);
  }
  ~tls() override {
    write_config("require");
    call({"teardown", "--yes"});
  }

  void write_config(const std::string& mode, const std::string& ca = "", const std::string& host = "127.0.0.1") {
    const auto side = [&](const std::string& name, const std::string& scheme, const private_server& server, const std::string& database) {
      return name + ":\n  url: " + scheme + "://duet@" + host + ":" + std::to_string(server.port()) + "/" + database + "\n  password: ${TLS_TEST_PASSWORD}\n  tls: { mode: " + mode +
             (ca.empty() ? "" : ", ca: " + file(ca.c_str())) + " }\n";
    };
    write_file(folder_.file("duet.yaml"), "link: " + home_db_ + "\n" + side("home", "postgresql", home(), home_db_) + side("spoke", "mysql", spoke(GetParam()), spoke_db_) +
                                              "conflicts: { default: home }\ntables:\n  - home: public.t\n");
  }
  std::vector<std::string> command(std::vector<std::string> words) {
    words.insert(words.begin(), DUET_BINARY);
    words.insert(words.end(), {"-c", folder_.file("duet.yaml")});
    return words;
  }
  finished call(std::vector<std::string> words) { return run(command(std::move(words)), 60s, {{"TLS_TEST_PASSWORD", password}}); }

  // Neither database is reached; each says why.
  void expect_refused(const std::string& why_home, const std::string& why_spoke) {
    const auto r = call({"check"});
    EXPECT_EQ(r.exit_code, 3) << r.output;
    EXPECT_THAT(r.output, AllOf(HasSubstr(why_home), HasSubstr(why_spoke), Not(HasSubstr("[ok]")), Not(HasSubstr(password))));
    EXPECT_THAT(r.output, Not(HasSubstr("connected to")));
  }

  void rows_flow_both_ways(int first_id) {
    const std::string a = std::to_string(first_id), b = std::to_string(first_id + 1);
    child_process hub(command({"run"}), folder_.file("hub.log"), {{"TLS_TEST_PASSWORD", password}});
    home().exec("INSERT INTO t VALUES (" + a + ", 'from home')", home_db_);
    spoke(GetParam()).exec("INSERT INTO t VALUES (" + b + ", 'from the spoke')", spoke_db_);
    EXPECT_TRUE(eventually([&] { return spoke(GetParam()).scalar("SELECT a FROM t WHERE id = " + a, spoke_db_) == "from home"; })) << hub.output();
    EXPECT_TRUE(eventually([&] { return home().scalar("SELECT a FROM t WHERE id = " + b, home_db_) == "from the spoke"; })) << hub.output();
    EXPECT_EQ(home().scalar("SELECT bool_and(s.ssl) AND count(*) > 2 AND bool_or(a.backend_type = 'walsender') FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid) WHERE usename = 'duet'"),
              "t");
    hub.signal(SIGTERM);
    ASSERT_EQ(hub.wait(10s), 0) << hub.output();
    EXPECT_THAT(hub.output(), Not(HasSubstr(password)));
  }

  temporary_folder folder_{"tls"};
  std::string home_db_, spoke_db_;
};

TEST_P(tls, is_used_in_every_mode_that_wants_it) {
  write_config("disable");
  expect_refused("no encryption", "Access denied");
  for (const char* mode : {"prefer", "require", "verify-ca", "verify-full"}) {
    write_config(mode, std::string(mode).starts_with("verify") ? "ca.pem" : "");
    EXPECT_EQ(call({"check"}).exit_code, 0) << mode << call({"check"}).output;
  }
}

TEST_P(tls, is_refused_to_a_server_of_another_authority_or_name) {
  for (const char* mode : {"verify-ca", "verify-full"}) {
    write_config(mode, "stranger.pem");
    expect_refused("certificate verify failed", "2026");
  }
  write_config("verify-full", "ca.pem", "127.0.0.2");
  expect_refused("does not match host name \"127.0.0.2\"", "2026");
}

TEST_P(tls, carries_both_logs_and_both_ways_of_rows) {
  write_config("verify-full", "ca.pem");
  ASSERT_EQ(call({"setup"}).exit_code, 0);
  rows_flow_both_ways(1);
  write_config("verify-ca", "ca.pem", "127.0.0.2");
  rows_flow_both_ways(3);
  write_config("prefer");
  rows_flow_both_ways(5);
}

TEST_P(tls, is_asked_of_a_server_that_has_none_and_then_nothing_is_written) {
  set_ssl(home(), false);
  for (const char* mode : {"require", "verify-ca", "verify-full"}) {
    write_config(mode, "ca.pem");
    const auto r = call({"setup"});
    EXPECT_EQ(r.exit_code, 3) << r.output;
    EXPECT_THAT(r.output, AllOf(HasSubstr("server does not support SSL"), Not(HasSubstr(password))));
  }
  set_ssl(home(), true);
}

INSTANTIATE_TEST_SUITE_P(each, tls, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace
