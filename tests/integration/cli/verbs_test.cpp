// The verbs of the real program against real servers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "support/servers.hpp"

using namespace duet::testing;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

class verbs : public spoke_test {
 protected:
  verbs() {
    home_db_ = home().make_database("cli");
    spoke_db_ = spoke().make_database("cli");
    home().exec("CREATE TABLE customer (id bigint PRIMARY KEY, name varchar(200) NOT NULL); ALTER TABLE customer REPLICA IDENTITY FULL",
                home_db_);
    spoke().exec("CREATE TABLE customer (id bigint PRIMARY KEY, name varchar(200) NOT NULL) CHARACTER SET utf8mb4", spoke_db_);
    spoke().exec("SET GLOBAL sync_binlog = 1");
    link_ = home_db_;
    write_config();
  }
  ~verbs() override { call({"teardown", "--yes"}); }

  void write_config(const std::string& home_user = "postgres", const std::string& spoke_user = "root", std::uint16_t home_port = 0,
                    std::uint16_t spoke_port = 0, const std::string& tables = "  - home: public.customer\n") {
    write_file(folder_.file("duet.yaml"),
               "link: " + link_ + "\nhome:\n  url: postgresql://" + home_user + "@127.0.0.1:" + std::to_string(home_port ? home_port : home().port()) + "/" +
                   home_db_ + "\n  password: ${CLI_TEST_HOME_PASSWORD}\nspoke:\n  url: mysql://" + spoke_user + "@127.0.0.1:" +
                   std::to_string(spoke_port ? spoke_port : spoke().port()) + "/" + spoke_db_ +
                   "\n  password: ${CLI_TEST_SPOKE_PASSWORD}\nstatus: { listen: 127.0.0.1:" + std::to_string(status_port_) +
                   " }\nconflicts: { default: home }\ntables:\n" + tables);
  }
  std::vector<std::string> command(std::vector<std::string> words) {
    words.insert(words.begin(), DUET_BINARY);
    words.insert(words.end(), {"-c", folder_.file("duet.yaml")});
    return words;
  }
  child_process::environment secrets() const {
    return {{"CLI_TEST_HOME_PASSWORD", home_password_}, {"CLI_TEST_SPOKE_PASSWORD", spoke_password_}};
  }
  finished call(std::vector<std::string> words) { return run(command(std::move(words)), 60s, secrets()); }
  std::optional<std::string> at_home(const std::string& sql) { return home().scalar(sql, home_db_); }

  temporary_folder folder_{"cli"};
  std::uint16_t status_port_ = find_free_port();
  std::string home_db_, spoke_db_, link_, home_password_, spoke_password_;
};

INSTANTIATE_TEST_SUITE_P(each, verbs, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

TEST_P(verbs, check_warns_before_setup_and_changes_nothing) {
  const auto r = call({"check"});
  EXPECT_EQ(r.exit_code, 0) << r.output;
  EXPECT_THAT(r.output, AllOf(HasSubstr("wal_level = logical"), HasSubstr("[slot]"), HasSubstr(" 0 refused")));
  EXPECT_EQ(at_home("SELECT count(*) FROM pg_namespace WHERE nspname = 'duet'"), "0");
}

TEST_P(verbs, setup_twice_then_status_then_teardown_twice) {
  auto r = call({"setup"});
  ASSERT_EQ(r.exit_code, 0) << r.output;
  EXPECT_EQ(at_home("SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'duet_" + link_ + "'"), "1");
  const auto control = [&] {
    return at_home("SELECT (position, floor, source_identity, own_identity)::text FROM duet.control WHERE link = '" + link_ + "'");
  };
  const auto before = control();
  ASSERT_TRUE(before);
  EXPECT_EQ(spoke().scalar("SELECT COUNT(*) FROM duet.control WHERE link = '" + link_ + "'"), "1");

  r = call({"setup", "--json"});
  EXPECT_EQ(r.exit_code, 0) << r.output;
  EXPECT_EQ(json::parse(r.output)["result"], "already_set_up");
  EXPECT_EQ(control(), before);

  r = call({"check", "--json"});
  EXPECT_EQ(r.exit_code, 0) << r.output;
  EXPECT_EQ(json::parse(r.output)["counts"]["refuse"], 0);

  r = call({"status", "--json"});  // the hub is down
  EXPECT_EQ(r.exit_code, 1) << r.output;
  const json status = json::parse(r.output);
  EXPECT_EQ(status["state"], "hub_down");
  EXPECT_EQ(status["databases"]["home"]["product"], "PostgreSQL");
  EXPECT_EQ(status["databases"]["spoke"]["product"], spoke().is_mariadb() ? "MariaDB" : "MySQL");
  EXPECT_FALSE(status["databases"]["home"]["control"].is_null());

  r = call({"teardown"});
  EXPECT_EQ(r.exit_code, 2) << "it asked nobody: " << r.output;
  EXPECT_EQ(control(), before);
  r = call({"teardown", "--yes"});
  EXPECT_EQ(r.exit_code, 0) << r.output;
  EXPECT_THAT(r.output, HasSubstr("pg_drop_replication_slot"));
  EXPECT_EQ(at_home("SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'duet_" + link_ + "'"), "0");
  EXPECT_EQ(at_home("SELECT count(*) FROM pg_publication WHERE pubname = 'duet_" + link_ + "'"), "0");
  EXPECT_EQ(at_home("SELECT count(*) FROM pg_replication_origin WHERE roname = 'duet_" + link_ + "'"), "0");
  EXPECT_EQ(at_home("SELECT count(*) FROM pg_namespace WHERE nspname = 'duet'"), "0");
  r = call({"teardown", "--yes", "--json"});
  EXPECT_EQ(r.exit_code, 0) << r.output;
  EXPECT_EQ(json::parse(r.output)["result"], "nothing_to_remove");
  EXPECT_EQ(call({"status"}).exit_code, 4);
}

TEST_P(verbs, setup_print_runs_nothing_and_its_script_runs_as_it_stands) {
  const auto r = call({"setup", "--print"});
  ASSERT_EQ(r.exit_code, 0) << r.output;
  EXPECT_THAT(r.output, AllOf(HasSubstr("CREATE SCHEMA IF NOT EXISTS duet;"), HasSubstr("pg_create_logical_replication_slot"),
                              HasSubstr("GRANT"), HasSubstr("CREATE DATABASE IF NOT EXISTS duet")));
  EXPECT_EQ(at_home("SELECT count(*) FROM pg_namespace WHERE nspname = 'duet'"), "0");
  EXPECT_EQ(at_home("SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'duet_" + link_ + "'"), "0");
  const std::size_t at_spoke = r.output.find("-- Spoke:");
  ASSERT_NE(at_spoke, std::string::npos);
  const std::size_t from = r.output.find("-- Home:");  // below the warnings, which are on standard error
  ASSERT_LT(from, at_spoke);
  write_file(folder_.file("home.sql"), r.output.substr(from, at_spoke - from));
  const auto script = run({"psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", std::to_string(home().port()), "-U", "postgres", "-d",
                           home_db_, "-f", folder_.file("home.sql")});
  EXPECT_EQ(script.exit_code, 0) << script.output;
  write_file(folder_.file("spoke.sql"), r.output.substr(at_spoke));
  const auto other = run({"bash", "-c", "exec mariadb --no-defaults -h 127.0.0.1 -P " + std::to_string(spoke().port()) + " -u root < " +
                                            folder_.file("spoke.sql")});
  EXPECT_EQ(other.exit_code, 0) << other.output;
  const auto again = call({"setup"});
  EXPECT_EQ(again.exit_code, 0) << again.output;
}

TEST_P(verbs, refuse_a_half_set_up_link) {
  ASSERT_EQ(call({"setup"}).exit_code, 0);
  home().exec("DELETE FROM duet.control", home_db_);
  const auto r = call({"setup"});
  EXPECT_EQ(r.exit_code, 4) << r.output;
  EXPECT_THAT(r.output, AllOf(HasSubstr("history_changed"), HasSubstr("duet teardown")));
  EXPECT_EQ(at_home("SELECT count(*) FROM duet.control"), "0");
  EXPECT_EQ(call({"run"}).exit_code, 4);
}

TEST_P(verbs, do_not_replace_a_dropped_slot) {
  ASSERT_EQ(call({"setup"}).exit_code, 0);
  home().exec("SELECT pg_drop_replication_slot('duet_" + link_ + "')", home_db_);
  const auto r = call({"setup"});
  EXPECT_EQ(r.exit_code, 4) << r.output;
  EXPECT_THAT(r.output, HasSubstr("log_lost"));
  EXPECT_EQ(at_home("SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'duet_" + link_ + "'"), "0");
}

TEST_P(verbs, report_both_databases_that_are_not_there) {
  write_config("postgres", "root", find_free_port(), find_free_port());
  for (const char* verb : {"check", "setup", "status"}) {
    const auto r = call({verb});
    EXPECT_EQ(r.exit_code, 3) << verb << ": " << r.output;
    EXPECT_THAT(r.output, AllOf(HasSubstr("cannot_connect"), HasSubstr("postgres@127.0.0.1"), HasSubstr("root@127.0.0.1")));
  }
  write_config();
}

TEST_P(verbs, exit_with_3_for_a_bad_password_and_never_print_it) {
  spoke_password_ = "Wr0ng&S3cret";
  home_password_ = "An0ther%S3cret";
  spoke().exec("CREATE USER '" + link_.substr(0, 20) + "'@'%' IDENTIFIED BY 'right'");
  write_config("postgres", link_.substr(0, 20));
  for (const char* verb : {"check", "setup", "status", "teardown"}) {
    auto words = std::vector<std::string>{verb, "--json"};
    if (std::string(verb) == "teardown") words.push_back("--yes");
    const auto r = call(words);
    EXPECT_EQ(r.exit_code, 3) << verb << ": " << r.output;
    EXPECT_THAT(r.output, AllOf(HasSubstr("1045"), Not(HasSubstr("S3cret"))));
  }
  spoke().exec("DROP USER '" + link_.substr(0, 20) + "'@'%'");
  write_config();
}

TEST_P(verbs, refuse_a_table_without_a_partner_with_file_and_line) {
  home().exec("CREATE TABLE orphan (id int PRIMARY KEY)", home_db_);
  write_config("postgres", "root", 0, 0, "  - home: public.customer\n  - home: public.orphan\n");
  const auto r = call({"check"});
  EXPECT_EQ(r.exit_code, 1) << r.output;
  EXPECT_THAT(r.output, AllOf(HasSubstr("duet.yaml:12"), HasSubstr("orphan"), HasSubstr("[table_missing]")));
  EXPECT_EQ(call({"setup"}).exit_code, 4);
  EXPECT_EQ(call({"run"}).exit_code, 4);
  EXPECT_EQ(at_home("SELECT count(*) FROM pg_namespace WHERE nspname = 'duet'"), "0");
}

TEST_P(verbs, find_what_is_wrong_in_the_file_and_in_both_databases_in_one_go) {
  home().exec("CREATE TABLE keyless (id int); CREATE TABLE typed (id int PRIMARY KEY, a point); CREATE TABLE lone (id int PRIMARY KEY);"
              "CREATE TABLE partial (id int PRIMARY KEY, a int); ALTER TABLE customer REPLICA IDENTITY DEFAULT", home_db_);
  spoke().exec("CREATE TABLE keyless (id int)", spoke_db_);
  spoke().exec("CREATE TABLE typed (id int PRIMARY KEY, a datetime)", spoke_db_);
  spoke().exec("CREATE TABLE partial (id int PRIMARY KEY, a int)", spoke_db_);
  write_config("postgres", "root", 0, 0,
               "  - home: public.customer\n    helt_limit: 5\n  - home: public.keyless\n  - home: public.typed\n  - home: public.lone\n"
               "  - home: public.partial\n    columns: { b: a }\nstatsu: 5\n");
  for (const char* verb : {"check", "setup", "run"}) {
    const auto r = call({verb});
    EXPECT_EQ(r.exit_code, 2) << r.output;
    for (const char* line : {"duet.yaml:12: a table has no key `helt_limit`", "duet.yaml:18: the file has no key `statsu`", "duet.yaml:13: public.keyless has no primary key",
                             "duet.yaml:14: public.typed.a is point", "duet.yaml:15: there is no table", "duet.yaml:17: public.partial: columns names `b`",
                             "duet.yaml:11: public.customer: REPLICA IDENTITY is not FULL"})
      EXPECT_THAT(r.output, HasSubstr(line)) << verb;
  }
  EXPECT_EQ(at_home("SELECT count(*) FROM pg_namespace WHERE nspname = 'duet'"), "0");
}

TEST_P(verbs, run_carries_a_row_each_way_serves_its_status_and_stops_on_sigterm) {
  ASSERT_EQ(call({"setup"}).exit_code, 0);
  child_process hub(command({"run"}), folder_.file("hub.log"), secrets());
  const auto status = [&] { return json::parse(call({"status", "--json"}).output); };
  ASSERT_TRUE(eventually([&] { return status()["source"] == "hub" && status()["state"] == "streaming"; })) << hub.output();
  home().exec("INSERT INTO customer VALUES (1, 'from home')", home_db_);
  spoke().exec("INSERT INTO customer VALUES (2, 'from the spoke')", spoke_db_);
  EXPECT_TRUE(eventually([&] { return spoke().scalar("SELECT name FROM customer WHERE id = 1", spoke_db_) == "from home"; })) << hub.output();
  EXPECT_TRUE(eventually([&] { return at_home("SELECT name FROM customer WHERE id = 2") == "from the spoke"; })) << hub.output();
  EXPECT_EQ(call({"status"}).exit_code, 0);
  const auto teardown = call({"teardown", "--yes"});
  EXPECT_EQ(teardown.exit_code, 4) << "the hub runs: " << teardown.output;
  const auto second = call({"run"});
  EXPECT_EQ(second.exit_code, 2) << "the status page's address is taken: " << second.output;
  hub.signal(SIGTERM);
  const auto code = hub.wait(10s);
  ASSERT_TRUE(code) << "it did not stop within 10 s: " << hub.output();
  EXPECT_EQ(*code, 0) << hub.output();
  EXPECT_THAT(hub.output(), HasSubstr("stopped; rows applied: 1 at the spoke, 1 at home"));
}

TEST_P(verbs, run_waits_for_a_database_that_is_not_there_yet_and_stops_when_told) {
  write_config("postgres", "root", find_free_port());
  child_process hub(command({"run"}), folder_.file("hub.log"), secrets());
  EXPECT_TRUE(eventually([&] { return hub.output().find("trying again in") != std::string::npos; })) << hub.output();
  EXPECT_TRUE(hub.running());
  const auto r = call({"status", "--json"});
  EXPECT_EQ(r.exit_code, 1) << r.output;
  EXPECT_EQ(json::parse(r.output)["hub"]["failure"]["code"], "cannot_connect");
  hub.signal(SIGTERM);
  const auto code = hub.wait(5s);
  ASSERT_TRUE(code) << hub.output();
  EXPECT_EQ(*code, 0);
  write_config();
}

TEST(check_of_settings, refuses_wal_level_replica_with_the_statement_that_mends_it) {
  private_postgres home({"-c", "wal_level=replica"});
  auto& spoke = shared_spoke(spoke_kinds().front());
  const std::string db = home.make_database("cli"), other = spoke.make_database("cli");
  home.exec("CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t REPLICA IDENTITY FULL", db);
  spoke.exec("CREATE TABLE t (id int PRIMARY KEY)", other);
  temporary_folder folder("cli");
  write_file(folder.file("duet.yaml"), "link: x\nhome: { url: \"postgresql://postgres@127.0.0.1:" + std::to_string(home.port()) + "/" + db +
                                           "\" }\nspoke: { url: \"mysql://root@127.0.0.1:" + std::to_string(spoke.port()) + "/" + other +
                                           "\" }\ntables: [{ home: public.t, conflict: { rule: home } }]\n");
  const auto r = run({DUET_BINARY, "check", "-c", folder.file("duet.yaml")});
  EXPECT_EQ(r.exit_code, 1) << r.output;
  EXPECT_THAT(r.output, AllOf(HasSubstr("refuse"), HasSubstr("[wal_level]"), HasSubstr("ALTER SYSTEM SET wal_level = 'logical'")));
  EXPECT_EQ(run({DUET_BINARY, "setup", "-c", folder.file("duet.yaml")}).exit_code, 4);
}
