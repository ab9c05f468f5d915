#include "support/servers.hpp"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <set>
#include <sstream>

namespace duet::testing {
namespace {

using namespace std::chrono_literals;

std::string support_script(const std::string& name) { return std::string(DUET_SOURCE_DIR) + "/tests/support/" + name; }

bool is_running(pid_t pid) {  // a zombie has ended
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(stat, line)) return false;
  const auto at = line.rfind(')');
  return at != std::string::npos && at + 2 < line.size() && line[at + 2] != 'Z';
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, at);)
    if (!part.empty()) parts.push_back(part);
  return parts;
}

}  // namespace

std::uint16_t find_free_port() {
  static std::mutex mutex;
  static std::mt19937 random(std::random_device{}());
  static std::set<std::uint16_t> given;  // nobody may listen on it yet
  std::scoped_lock lock(mutex);
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const auto port = static_cast<std::uint16_t>(20000 + random() % 12000);
    if (given.count(port)) continue;
    const int s = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool free = bind(s, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    close(s);
    if (!free) continue;
    given.insert(port);
    return port;
  }
  throw std::runtime_error("no free port on 127.0.0.1");
}

private_server::private_server(std::string kind, std::string script, std::vector<std::string> options)
    : kind_(std::move(kind)), script_(std::move(script)), options_(std::move(options)), folder_(kind_), port_(find_free_port()) {
  start();
}

private_server::~private_server() {
  watcher_.reset();
  forget_sessions();
  if (pid_ > 0) end(kind_ == "postgres" ? SIGQUIT : SIGKILL);
}

void private_server::start() {
  std::vector<std::string> command = {support_script(script_), folder(), std::to_string(port_)};
  command.insert(command.end(), options_.begin(), options_.end());
  const auto result = run(command);
  if (result.exit_code) throw std::runtime_error("a private " + kind_ + " server did not start: " + result.output);
  pid_ = std::stoi(read_file(folder_.file("pid")));
  watch();
}

void private_server::watch() {
  const std::string script = "tail --pid=\"$1\" -f /dev/null; kill -9 \"$2\"; sleep 1; rm -rf \"$3\"";
  watcher_ = std::make_unique<child_process>(
      std::vector<std::string>{"/bin/sh", "-c", script, "watch", std::to_string(getpid()), std::to_string(pid_), folder()}, "/dev/null");
}

void private_server::end(int signal) {
  watcher_.reset();
  for (const pid_t p : processes()) ::kill(p, SIGCONT);
  ::kill(pid_, signal);
  if (!eventually([&] { return !is_running(pid_); }, 30s)) {
    ::kill(pid_, SIGKILL);
    eventually([&] { return !is_running(pid_); }, 10s);
  }
  pid_ = -1;
}

void private_server::forget_sessions() {
  std::scoped_lock lock(sessions_mutex_);
  sessions_.clear();
}

void private_server::stop() {
  forget_sessions();
  if (pid_ > 0) end(stop_signal_);
}

void private_server::kill9() {
  if (pid_ > 0) end(SIGKILL);
  forget_sessions();
}

void private_server::sigstop() {
  for (const pid_t p : processes()) ::kill(p, SIGSTOP);
}

void private_server::sigcont() {
  for (const pid_t p : processes()) ::kill(p, SIGCONT);
}

std::string private_server::log() const { return read_file(folder_.file(kind_ == "postgres" ? "log" : "server.log")); }

endpoint private_server::endpoint_of(const std::string& database) const {
  endpoint e;
  const bool home = kind_ == "postgres";
  e.scheme = home ? "postgresql" : "mysql";
  e.host = "127.0.0.1";
  e.port = port_;
  e.user = home ? "postgres" : "root";
  e.database = home && database.empty() ? "postgres" : database;
  e.tls = tls_mode::disable;
  return e;
}

sql_rows private_server::query(const std::string& sql, const std::string& database) {
  std::scoped_lock lock(sessions_mutex_);
  const auto found = std::find_if(sessions_.begin(), sessions_.end(), [&](const auto& s) { return s.first == database; });
  if (found == sessions_.end()) {
    if (sessions_.size() == most_sessions) sessions_.erase(sessions_.begin());
    sessions_.emplace_back(database, connect(endpoint_of(database)));
  } else {
    std::rotate(found, found + 1, sessions_.end());  // the last used one stands last
  }
  try {
    return sessions_.back().second->query(sql);
  } catch (const sql_error& e) {
    if (e.code == "connection") sessions_.pop_back();
    throw;
  }
}

std::optional<std::string> private_server::scalar(const std::string& sql, const std::string& database) {
  const auto rows = query(sql, database);
  return rows.empty() || rows[0].empty() ? std::nullopt : rows[0][0];
}

std::string private_server::version() {
  const auto text = *scalar(kind_ == "postgres" ? "SHOW server_version" : "SELECT version()");
  return text.substr(0, text.find_first_not_of("0123456789."));
}

std::string private_server::make_database(const std::string& prefix) {
  static std::atomic<int> number{0};
  const std::string name = prefix + "_" + std::to_string(++number);
  exec("CREATE DATABASE " + name);
  return name;
}

private_postgres::private_postgres(std::vector<std::string> options)
    : private_server("postgres", "start-postgres", std::move(options)) {
  stop_signal_ = SIGINT;
}

std::vector<pid_t> private_postgres::processes() const {
  std::vector<pid_t> all = {pid()};
  std::unique_ptr<DIR, int (*)(DIR*)> proc(opendir("/proc"), [](DIR* d) { return closedir(d); });
  while (const dirent* entry = readdir(proc.get())) {
    const pid_t p = std::atoi(entry->d_name);
    if (p <= 0) continue;
    const std::string stat = read_file("/proc/" + std::to_string(p) + "/stat");
    const auto at = stat.rfind(')');
    if (at != std::string::npos && std::atoi(stat.c_str() + std::min(at + 4, stat.size())) == pid()) all.push_back(p);
  }
  return all;
}

private_mariadb::private_mariadb(std::vector<std::string> options)
    : spoke_server("mariadb", "start-mariadb", [&] {
        std::vector<std::string> all = {"--innodb-buffer-pool-size=64M"};
        all.insert(all.end(), options.begin(), options.end());
        return all;
      }()) {}

private_mysql::private_mysql(std::vector<std::string> options)
    : spoke_server("mysql", "start-mysql", [&] {
        std::vector<std::string> all = {"--innodb-buffer-pool-size=64M", "--performance-schema=OFF"};
        all.insert(all.end(), options.begin(), options.end());
        return all;
      }()) {}

std::unique_ptr<spoke_server> make_spoke(const std::string& kind, std::vector<std::string> options) {
  if (kind == "mariadb") return std::make_unique<private_mariadb>(std::move(options));
  if (kind == "mysql") return std::make_unique<private_mysql>(std::move(options));
  throw std::invalid_argument("no such spoke: " + kind);
}

private_postgres& shared_postgres() {
  static private_postgres server;
  return server;
}

spoke_server& shared_spoke(const std::string& kind) {
  if (kind == "mariadb") {
    static private_mariadb server;
    return server;
  }
  static const auto server = make_spoke(kind);
  return *server;
}

std::vector<std::string> spoke_kinds() {
  const char* chosen = std::getenv("DUET_SPOKES");
  return split(chosen && *chosen ? chosen : "mariadb,mysql", ',');
}

std::string spoke_name(const ::testing::TestParamInfo<std::string>& info) { return info.param; }

}  // namespace duet::testing
