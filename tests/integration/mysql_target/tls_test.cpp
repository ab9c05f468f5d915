// The TLS modes against real servers: MySQL and MariaDB 11.8 make their own certificates, MariaDB 10.11 runs without TLS.
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
  if (spoke().is_mariadb()) {
    at.tls_ca = stranger;
    EXPECT_EQ(failure_from([&] { cipher(); }).kind, failure_kind::cannot_connect);
    at.tls = tls_mode::verify_full;
    EXPECT_EQ(failure_from([&] { cipher(); }).server_code, "2026") << "refused before anything was sent";
    return;
  }
  at.tls_ca = file_of_server("ca.pem");
  EXPECT_NE(cipher(), "");
  at.tls = tls_mode::verify_full;
  EXPECT_EQ(failure_from([&] { cipher(); }).kind, failure_kind::cannot_connect) << "the certificate does not name 127.0.0.1";
  at.tls_ca = stranger;
  for (const tls_mode mode : {tls_mode::verify_ca, tls_mode::verify_full}) {
    at.tls = mode;
    EXPECT_EQ(failure_from([&] { cipher(); }).kind, failure_kind::cannot_connect);
  }
}

INSTANTIATE_TEST_SUITE_P(each, mysql_tls, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace
}  // namespace duet::testing
