#include "support/servers.hpp"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

namespace duet::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(private_postgres, starts_for_logical_decoding_and_answers) {
  private_postgres server;
  EXPECT_EQ(server.scalar("SHOW wal_level"), "logical");
  EXPECT_EQ(server.scalar("SHOW fsync"), "on");
  EXPECT_THAT(server.version(), ::testing::MatchesRegex("1[5-9]\\..*"));
  const auto db = server.make_database();
  const auto rows = server.query("SELECT 1, NULL, 'ä' UNION ALL SELECT 2, 'x', '' ORDER BY 1", db);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_THAT(rows[0], ElementsAre(std::optional<std::string>("1"), std::nullopt, std::optional<std::string>("ä")));
  EXPECT_THAT(rows[1], ElementsAre("2", "x", ""));
}

TEST(private_postgres, keeps_committed_rows_over_kill_9_and_restart) {
  private_postgres server({"-c", "shared_buffers=16MB"});
  EXPECT_EQ(server.scalar("SHOW shared_buffers"), "16MB");
  server.exec("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
  const pid_t first = server.pid();
  server.kill9();
  EXPECT_EQ(server.pid(), -1);
  EXPECT_THROW(server.query("SELECT 1"), sql_error);
  server.start();
  EXPECT_NE(server.pid(), first);
  EXPECT_EQ(server.scalar("SELECT count(*) FROM t"), "1");
  server.restart();
  EXPECT_EQ(server.scalar("SELECT count(*) FROM t"), "1");
}

TEST(private_postgres, freezes_with_all_its_sessions_and_goes_on) {
  private_postgres server;
  auto session = server.session();
  session->exec("SELECT 1");
  server.sigstop();
  std::atomic<bool> answered{false};
  std::jthread asking([&] {
    session->exec("SELECT 2");
    answered = true;
  });
  std::this_thread::sleep_for(200ms);
  EXPECT_FALSE(answered);
  server.sigcont();
  EXPECT_TRUE(eventually([&] { return answered.load(); }));
}

TEST(private_postgres, reports_an_error_of_the_server_with_its_code) {
  try {
    shared_postgres().exec("SELECT * FROM nowhere");
    FAIL() << "no error";
  } catch (const sql_error& e) {
    EXPECT_EQ(e.code, "42P01");
    EXPECT_THAT(e.what(), HasSubstr("nowhere"));
  }
}

TEST(private_postgres, that_can_not_start_says_why) {
  try {
    private_postgres server({"-c", "max_connections=none"});
    FAIL() << "started";
  } catch (const std::runtime_error& e) {
    EXPECT_THAT(e.what(), HasSubstr("max_connections"));
  }
}

TEST(private_postgres, is_asked_in_more_databases_than_it_takes_clients) {
  private_postgres server({"-c", "max_connections=16", "-c", "max_wal_senders=2"});
  for (int i = 0; i < 24; ++i) {
    const auto database = server.make_database();
    EXPECT_EQ(server.scalar("SELECT current_database()", database), database);
  }
}

TEST(private_server, ends_with_a_test_program_that_is_killed) {
  temporary_folder folder("orphan");
  const std::string note = folder.file("note");
  const pid_t child = fork();
  if (child == 0) {
    private_mariadb server;
    write_file(note + ".part", std::to_string(server.pid()) + " " + server.folder());
    rename((note + ".part").c_str(), note.c_str());
    for (;;) pause();
  }
  ASSERT_TRUE(eventually([&] { return !read_file(note).empty(); }, 60s));
  const auto text = read_file(note);
  const pid_t server = std::stoi(text);
  const auto data = text.substr(text.find(' ') + 1);
  EXPECT_EQ(kill(server, 0), 0);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(eventually([&] { return !std::filesystem::exists(data); }, 20s));
  EXPECT_TRUE(eventually([&] { return read_file("/proc/" + std::to_string(server) + "/cmdline").empty(); }));  // gone, or a zombie
}

class spoke_server_test : public spoke_test {};
INSTANTIATE_TEST_SUITE_P(each, spoke_server_test, ::testing::ValuesIn(spoke_kinds()), spoke_name);

TEST_P(spoke_server_test, starts_with_a_full_row_binlog_and_answers) {
  EXPECT_EQ(spoke().scalar("SELECT @@binlog_format"), "ROW");
  EXPECT_EQ(spoke().scalar("SELECT @@binlog_row_image"), "FULL");
  EXPECT_EQ(spoke().scalar("SELECT @@binlog_row_metadata"), "FULL");
  EXPECT_THAT(spoke().version(), StartsWith(spoke().is_mariadb() ? "1" : "9."));
  const auto db = spoke().make_database();
  spoke().exec("CREATE TABLE t (id int PRIMARY KEY, v varchar(10)); INSERT INTO t VALUES (1, NULL), (2, ''), (3, 'ä')", db);
  const auto rows = spoke().query("SELECT v FROM t ORDER BY id", db);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0][0], std::nullopt);
  EXPECT_EQ(rows[1][0], "");
  EXPECT_EQ(rows[2][0], "ä");
}

TEST_P(spoke_server_test, keeps_committed_rows_over_kill_9_and_restart) {
  const auto server = make_spoke(GetParam(), {"--sync-binlog=1", "--max-connections=77"});
  EXPECT_EQ(server->scalar("SELECT @@max_connections"), "77");
  const auto db = server->make_database();
  server->exec("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)", db);
  server->kill9();
  EXPECT_THROW(server->query("SELECT 1", db), sql_error);
  server->start();
  EXPECT_EQ(server->scalar("SELECT count(*) FROM t", db), "1");
  server->restart();
  EXPECT_EQ(server->scalar("SELECT count(*) FROM t", db), "1");
}

TEST_P(spoke_server_test, has_an_identity_of_its_own) {
  const auto other = make_spoke(GetParam());
  const auto identity = [](spoke_server& s) { return s.scalar(s.is_mariadb() ? "SELECT @@server_id" : "SELECT @@server_uuid"); };
  EXPECT_NE(identity(*other), identity(spoke()));
}

TEST_P(spoke_server_test, reports_an_error_of_the_server_with_its_number) {
  try {
    spoke().exec("SELECT * FROM mysql.nowhere");
    FAIL() << "no error";
  } catch (const sql_error& e) {
    EXPECT_EQ(e.code, "1146");
  }
}

TEST_P(spoke_server_test, that_can_not_start_says_why) {
  try {
    make_spoke(GetParam(), {"--no-such-option=1"});
    FAIL() << "started";
  } catch (const std::runtime_error& e) {
    EXPECT_THAT(e.what(), HasSubstr("no-such-option"));
  }
}

}  // namespace
}  // namespace duet::testing
