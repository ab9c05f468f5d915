// What a server without TLS is sent. (Servers with certificates: integration/cli/tls_test.cpp.)
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "duet/failure.hpp"
#include "postgres/connection.hpp"
#include "support/servers.hpp"

namespace duet::testing {
namespace {

// Says that it has no TLS, asks for the password in clear, and keeps what it is sent.
class stranger {
 public:
  stranger() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof a;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&a), size) != 0 || ::listen(listener_, 8) != 0) std::abort();
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&a), &size);
    port = ntohs(a.sin_port);
    thread_ = std::thread([this] {
      for (int fd; (fd = ::accept(listener_, nullptr, nullptr)) >= 0; ::close(fd)) serve(fd);
    });
  }
  ~stranger() { stop(); }
  std::string stop() {
    if (thread_.joinable()) {
      ::shutdown(listener_, SHUT_RDWR);
      thread_.join();
      ::close(listener_);
    }
    return sent_;
  }
  std::uint16_t port = 0;

 private:
  bool receive(int fd) {
    char bytes[4096];
    const ssize_t n = ::recv(fd, bytes, sizeof bytes, 0);
    if (n > 0) sent_.append(bytes, static_cast<std::size_t>(n));
    return n > 0;
  }
  void serve(int fd) {
    using namespace std::string_literals;
    const timeval patience{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    for (const std::string& answer : {"N"s, "R\0\0\0\x08\0\0\0\x03"s, ""s}) {
      if (!receive(fd)) return;
      if (!answer.empty() && ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) return;
    }
  }
  int listener_ = -1;
  std::thread thread_;
  std::string sent_;
};

class postgres_tls : public ::testing::TestWithParam<bool> {
 public:
  // By the ordinary or the replication connection.
  std::string sent_to_stranger(tls_mode mode) {
    stranger s;
    temporary_folder folder("ca");
    endpoint at;
    at.host = "127.0.0.1";
    at.port = s.port;
    at.user = "duet";
    at.database = "shop";
    at.password = "open sesame";
    at.tls = mode;
    if (mode == tls_mode::verify_ca || mode == tls_mode::verify_full) {
      at.tls_ca = folder.file("ca.pem");
      EXPECT_EQ(run({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder.file("key.pem"), "-out", at.tls_ca, "-days", "2", "-subj",
                     "/CN=127.0.0.1"}).exit_code, 0);
    }
    try {
      postgres::connect(at, "duet:test", GetParam());
    } catch (const failure& f) {
      said = f.what();
    }
    return s.stop();
  }
  std::string said;
};

TEST_P(postgres_tls, nothing_but_the_wish_for_it_is_sent_to_a_server_without_the_tls_that_is_required) {
  constexpr char wish[] = "\0\0\0\x08\x04\xd2\x16\x2f";
  for (const tls_mode mode : {tls_mode::require, tls_mode::verify_ca, tls_mode::verify_full}) {
    EXPECT_EQ(sent_to_stranger(mode), std::string(wish, 8));
    EXPECT_NE(said.find("server does not support SSL"), std::string::npos) << said;
    EXPECT_EQ(said.find("sesame"), std::string::npos);
  }
  EXPECT_NE(sent_to_stranger(tls_mode::prefer).find("duet"), std::string::npos) << "the stranger would have been told";
}

INSTANTIATE_TEST_SUITE_P(each, postgres_tls, ::testing::Bool(), [](const auto& i) { return i.param ? "replication" : "sql"; });

}  // namespace
}  // namespace duet::testing
