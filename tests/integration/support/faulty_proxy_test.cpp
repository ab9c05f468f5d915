#include "support/faulty_proxy.hpp"

#include <gmock/gmock.h>

#include "support/servers.hpp"

namespace duet::testing {
namespace {

using namespace std::chrono_literals;

class faulty_proxy_test : public ::testing::Test {
 protected:
  faulty_proxy_test() : database_(server_.make_database("proxy")), proxy_(server_.endpoint_of(database_)) {
    server_.exec("CREATE TABLE t (id int PRIMARY KEY)", database_);
  }
  std::string rows() { return *server_.scalar("SELECT count(*) FROM t", database_); }

  private_postgres& server_ = shared_postgres();
  std::string database_;
  faulty_proxy proxy_;
};

TEST_F(faulty_proxy_test, forwards_both_ways) {
  auto session = connect(proxy_.through());
  EXPECT_EQ(session->scalar("SELECT repeat('x', 1000000)")->size(), 1000000u);
  EXPECT_EQ(proxy_.connections(), 1);
  EXPECT_GT(proxy_.bytes_to_client(), 1000000u);
}

TEST_F(faulty_proxy_test, cuts_the_connections_of_now_and_lets_new_ones_pass) {
  auto session = connect(proxy_.through());
  session->exec("SELECT 1");
  proxy_.cut();
  EXPECT_THROW(session->exec("SELECT 1"), sql_error);
  EXPECT_EQ(connect(proxy_.through())->scalar("SELECT 1"), "1");
}

TEST_F(faulty_proxy_test, refuses_new_connections) {
  proxy_.refuse(true);
  EXPECT_THROW(connect(proxy_.through()), sql_error);
  proxy_.refuse(false);
  EXPECT_EQ(connect(proxy_.through())->scalar("SELECT 1"), "1");
}

TEST_F(faulty_proxy_test, freezes_without_closing_and_goes_on) {
  auto session = connect(proxy_.through());
  proxy_.freeze(true);
  std::atomic<bool> answered{false};
  std::jthread asking([&] {
    session->exec("SELECT 1");
    answered = true;
  });
  std::this_thread::sleep_for(200ms);
  EXPECT_FALSE(answered);
  EXPECT_EQ(proxy_.connections(), 1);
  proxy_.freeze(false);
  EXPECT_TRUE(eventually([&] { return answered.load(); }));
}

TEST_F(faulty_proxy_test, delays) {
  auto session = connect(proxy_.through());
  proxy_.delay(30ms);
  const auto begin = std::chrono::steady_clock::now();
  session->exec("SELECT 1");
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 60ms);
}

TEST_F(faulty_proxy_test, loses_the_answer_of_a_commit_that_happened) {
  auto session = connect(proxy_.through());
  session->exec("BEGIN; INSERT INTO t VALUES (1)");
  proxy_.cut_after_request("COMMIT");
  EXPECT_THROW(session->exec("COMMIT"), sql_error);
  EXPECT_FALSE(proxy_.armed());
  EXPECT_EQ(rows(), "1");
}

TEST_F(faulty_proxy_test, cuts_before_a_commit_that_then_did_not_happen) {
  auto session = connect(proxy_.through());
  session->exec("BEGIN; INSERT INTO t VALUES (1)");
  proxy_.cut_before_request("COMMIT");
  EXPECT_THROW(session->exec("COMMIT"), sql_error);
  EXPECT_FALSE(proxy_.armed());
  EXPECT_EQ(rows(), "0");
  connect(proxy_.through())->exec("BEGIN; INSERT INTO t VALUES (2); COMMIT");  // one shot
  EXPECT_EQ(rows(), "1");
}

}  // namespace
}  // namespace duet::testing
