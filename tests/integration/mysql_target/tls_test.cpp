// The TLS modes against real servers: MySQL and MariaDB 11.8 make their own certificates, MariaDB 10.11 runs without TLS.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "mysql/binlog_connection.hpp"
#include "mysql/connection.hpp"
#include "spoke_fixture.hpp"

namespace duet::testing {
namespace {

class mysql_tls : public spoke_fixture {
 public:
  std::string cipher() {
    mysql::connection c(at, "duet:test");
    auto rows = c.query("SHOW SESSION STATUS LIKE 'Ssl_cipher'", "asking for the cipher");
    rows.next();
    return rows.text(2);
  }
  bool server_has_tls() {  // MariaDB from 11.4 on makes its own certificate, too
    return !spoke().is_mariadb() || spoke().query("SHOW VARIABLES LIKE 'have_ssl'").at(0).at(1) == "YES";
  }
  std::string file_of_server(const std::string& name) { return spoke().scalar("SELECT @@datadir").value() + name; }
};

TEST_P(mysql_tls, disable_means_none_and_prefer_takes_it_where_it_is) {
  at.tls = tls_mode::disable;
  EXPECT_EQ(cipher(), "");
  at.tls = tls_mode::prefer;
  EXPECT_EQ(cipher().empty(), !server_has_tls());
}

TEST_P(mysql_tls, require_is_never_answered_in_clear) {
  at.tls = tls_mode::require;
  if (server_has_tls()) {
    EXPECT_NE(cipher(), "");
  } else {
    EXPECT_EQ(failure_from([&] { cipher(); }).kind, failure_kind::cannot_connect);
  }
}

TEST_P(mysql_tls, verification_needs_the_right_authority_and_the_right_name) {
  at.tls = tls_mode::verify_ca;
  EXPECT_EQ(failure_from([&] { cipher(); }).kind, failure_kind::configuration) << "no CA given";
  at.tls_ca = "/nowhere/ca.pem";
  EXPECT_EQ(failure_from([&] { cipher(); }).kind, failure_kind::configuration);
  temporary_folder folder("tls");
  const std::string stranger = folder.file("ca.pem");
  ASSERT_EQ(run({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder.file("key.pem"), "-out",
                 stranger, "-days", "2", "-subj", "/CN=stranger"})
                .exit_code,
            0);
  const auto expect_refused = [&] {
    EXPECT_EQ(failure_from([&] { cipher(); }).server_code, "2026") << "refused before anything was sent";
    EXPECT_EQ(failure_from([&] { mysql::binlog_connection().open(at, "duet:test"); }).server_code, "2026");
  };
  at.tls_ca = stranger;
  for (const tls_mode mode : {tls_mode::verify_ca, tls_mode::verify_full}) {
    at.tls = mode;
    expect_refused();
  }
  if (spoke().is_mariadb()) return;
  at.tls_ca = file_of_server("ca.pem");
  expect_refused();  // the certificate does not name 127.0.0.1
  at.tls = tls_mode::verify_ca;
  EXPECT_NE(cipher(), "");
  EXPECT_NO_THROW(mysql::binlog_connection().open(at, "duet:test"));
}

// A server that offers no TLS, asks for the plugin given, and keeps what it is sent.
class stranger {
 public:
  stranger(bool knows_plugins, const std::string& plugin) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof a;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&a), size) != 0 || ::listen(listener_, 8) != 0) std::abort();
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&a), &size);
    port = ntohs(a.sin_port);
    thread_ = std::thread([=, this] {
      for (int fd; (fd = ::accept(listener_, nullptr, nullptr)) >= 0; ::close(fd)) serve(fd, knows_plugins, plugin);
    });
  }
  ~stranger() { stop(); }
  std::string stop() {  // what it was sent
    if (thread_.joinable()) {
      ::shutdown(listener_, SHUT_RDWR);
      thread_.join();
      ::close(listener_);
    }
    return sent_;
  }
  std::uint16_t port = 0;

 private:
  static void answer(int fd, char sequence, const std::string& payload) {
    const std::string packet = std::string{static_cast<char>(payload.size()), 0, 0, sequence} + payload;
    if (::send(fd, packet.data(), packet.size(), MSG_NOSIGNAL) < 0) return;
  }
  void serve(int fd, bool knows_plugins, const std::string& plugin) {
    using namespace std::string_literals;
    const timeval patience{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    // Version 10, its name, session, eight bytes of scramble; capabilities without SSL; the rest of the scramble.
    answer(fd, 0, "\x0a" "8.0.36\0"s + std::string("\1\0\0\0", 4) + "abcdefgh\0"s + "\xff\xf7\x21\x02\0"s + (knows_plugins ? '\x09' : '\x01') + "\0"s +
                      '\x15' + std::string(10, '\0') + "ijklmnopqrst\0"s + (knows_plugins ? "mysql_native_password\0"s : ""s));
    char bytes[4096];
    for (char sequence = 2; sequence < 8; sequence = static_cast<char>(sequence + 2)) {
      const ssize_t n = ::recv(fd, bytes, sizeof bytes, 0);
      if (n <= 0) return;
      sent_.append(bytes, static_cast<std::size_t>(n));
      answer(fd, sequence, sequence == 2 ? '\xfe' + plugin + '\0' + "abcdefghijklmnopqrst\0"s : "\1Password: "s);
    }
  }
  int listener_ = -1;
  std::thread thread_;
  std::string sent_;
};

class by_both_connections : public ::testing::TestWithParam<bool> {
 public:
  std::string sent_to_stranger(tls_mode mode, bool knows_plugins, const std::string& plugin) {
    stranger s(knows_plugins, plugin);
    temporary_folder folder("ca");
    endpoint at;
    at.host = "127.0.0.1";
    at.port = s.port;
    at.user = "duet";
    at.password = "open sesame";
    at.tls = mode;
    if (mode == tls_mode::verify_ca || mode == tls_mode::verify_full) {
      at.tls_ca = folder.file("ca.pem");
      EXPECT_EQ(run({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder.file("key.pem"), "-out",
                     at.tls_ca, "-days", "2", "-subj", "/CN=127.0.0.1"}).exit_code, 0);
    }
    text = failure_from([&] {
      if (GetParam()) mysql::binlog_connection().open(at, "duet:test");
      else mysql::connection(at, "duet:test");
    }).what();
    return s.stop();
  }
  std::string text;
};

TEST_P(by_both_connections, nothing_is_sent_to_a_server_without_the_tls_that_is_required) {
  for (const tls_mode mode : {tls_mode::require, tls_mode::verify_ca, tls_mode::verify_full})
    for (const bool knows_plugins : {true, false}) EXPECT_EQ(sent_to_stranger(mode, knows_plugins, "mysql_clear_password"), "") << text;
}

TEST_P(by_both_connections, the_password_is_not_sent_in_clear_because_a_server_asks_for_it) {
  for (const tls_mode mode : {tls_mode::prefer, tls_mode::disable})
    for (const char* plugin : {"mysql_clear_password", "dialog", "mysql_old_password"}) {
      const std::string sent = sent_to_stranger(mode, true, plugin);
      EXPECT_NE(sent.find("duet"), std::string::npos) << text;
      EXPECT_EQ(sent.find("open sesame"), std::string::npos) << plugin << ": " << text;
      EXPECT_NE(text.find("restricted_auth"), std::string::npos) << text;
      EXPECT_EQ(sent_to_stranger(mode, false, plugin), "") << text;
    }
}

INSTANTIATE_TEST_SUITE_P(each, by_both_connections, ::testing::Bool(), [](const auto& i) { return i.param ? "binlog" : "sql"; });

TEST_P(mysql_tls, accounts_with_every_kind_of_password_log_in_over_both_connections) {
  std::vector<std::pair<std::string, std::string>> accounts;
  if (spoke().is_mariadb()) {
    accounts = {{"native", "IDENTIFIED BY 'open sesame'"}};
    try {
      spoke().exec("INSTALL SONAME 'auth_ed25519'");
    } catch (const sql_error&) {  // there already, or not on this machine
    }
    if (spoke().scalar("SELECT COUNT(*) FROM information_schema.PLUGINS WHERE PLUGIN_NAME='ed25519'") == "1")
      accounts.push_back({"ed25519", "IDENTIFIED VIA ed25519 USING PASSWORD('open sesame')"});
  } else {
    accounts = {{"sha2", "IDENTIFIED WITH caching_sha2_password BY 'open sesame'"}};
  }
  for (const auto& [name, identified] : accounts)
    for (const tls_mode mode : {tls_mode::disable, tls_mode::prefer, tls_mode::require}) {
      if (mode == tls_mode::require && !server_has_tls()) continue;
      SCOPED_TRACE(name + " " + std::to_string(static_cast<int>(mode)));
      spoke().exec("CREATE USER guarded_" + name + "@'%' " + identified);
      at.user = "guarded_" + name;
      at.password = "open sesame";
      at.tls = mode;
      at.database.clear();
      EXPECT_NO_THROW(mysql::binlog_connection().open(at, "duet:test"));
      EXPECT_NO_THROW(mysql::connection(at, "duet:test"));
      at.password = "open barley";
      EXPECT_EQ(failure_from([&] { mysql::connection(at, "duet:test"); }).kind, failure_kind::configuration);
      spoke().exec("DROP USER guarded_" + name + "@'%'");
    }
}

INSTANTIATE_TEST_SUITE_P(each, mysql_tls, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace
}  // namespace duet::testing
