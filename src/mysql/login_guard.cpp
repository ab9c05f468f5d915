#include "mysql/login_guard.hpp"

#include <errmsg.h>
#include <mysql.h>
#include <mysql/plugin_auth.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <mutex>
#include <system_error>

#include "duet/failure.hpp"

namespace duet::mysql {
namespace {

constexpr int authentication_plugin = 2;
constexpr unsigned interface_version = 0x0101;

// None of these sends the password as it is.
constexpr char plugins_in_clear[] =
    "mysql_native_password,caching_sha2_password,sha256_password,client_ed25519,parsec,auth_gssapi_client";

int begin(MYSQL_PLUGIN_VIO* vio, MYSQL* m, bool tls_required) {
  if (tls_required && !(m->server_capabilities & CLIENT_SSL)) {
    m->methods->set_error(m, CR_SSL_CONNECTION_ERROR, "HY000", "TLS is required, but the server does not offer it");
    return CR_ERROR;
  }
  if (vio->write_packet(vio, nullptr, 0) != 0) return CR_ERROR;  // makes TLS first
  const bool tls = mysql_get_ssl_cipher(m) != nullptr;
  if (tls_required && !tls) return CR_ERROR;
  MYSQL_PLUGIN_VIO_INFO way{};
  vio->info(vio, &way);
  const bool secret = tls || way.protocol == MYSQL_PLUGIN_VIO_INFO::MYSQL_VIO_SOCKET;
  mysql_options(m, MARIADB_OPT_RESTRICTED_AUTH, secret ? nullptr : plugins_in_clear);
  return CR_OK;
}

// <mysql/client_plugin.h> says this, but needs a header that is not installed with it.
struct plugin {
  st_mysql_client_plugin head;
  int (*authenticate_user)(MYSQL_PLUGIN_VIO*, MYSQL*);
  int (*hash_password)(MYSQL*, unsigned char*, std::size_t*);  // since interface version 1.1
};

plugin make(const char* name, int (*begin)(MYSQL_PLUGIN_VIO*, MYSQL*)) {
  plugin p{};
  p.head.type = authentication_plugin;
  p.head.interface_version = interface_version;
  p.head.name = name;
  p.head.author = p.head.desc = p.head.license = "Duet";
  p.authenticate_user = begin;
  return p;
}

// libmariadb keeps pointers to them.
plugin guards[] = {
    make("duet_login", [](MYSQL_PLUGIN_VIO* vio, MYSQL* m) { return begin(vio, m, false); }),
    make("duet_login_by_tls", [](MYSQL_PLUGIN_VIO* vio, MYSQL* m) { return begin(vio, m, true); }),
};

std::string option_file(bool tls_required) {
  const std::string text = std::string("[client]\ndefault-auth=") + login_guard(tls_required) + "\nrestricted-auth=" + login_guard(tls_required) + '\n';
  const int fd = memfd_create("duet-login", MFD_CLOEXEC);  // lives as long as the process
  if (fd < 0 || ::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    throw std::system_error(errno, std::generic_category(), "memfd_create");
  return "/proc/self/fd/" + std::to_string(fd);
}

}  // namespace

void register_login_guard() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (mysql_library_init(0, nullptr, nullptr) != 0) throw failure(failure_kind::internal, "the MariaDB client library does not start");
    MYSQL* m = mysql_init(nullptr);
    bool registered = m != nullptr;
    for (auto& guard : guards) registered = registered && mysql_client_register_plugin(m, &guard.head);
    mysql_close(m);
    if (!registered) throw failure(failure_kind::internal, "the MariaDB client library does not take Duet's login guard");
  });
}

const char* login_guard(bool tls_required) { return guards[tls_required].head.name; }

const std::string& login_guard_file(bool tls_required) {
  static const std::string files[] = {option_file(false), option_file(true)};
  return files[tls_required];
}

}  // namespace duet::mysql
