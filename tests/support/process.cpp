#include "support/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

extern char** environ;

namespace duet::testing {

child_process::child_process(const std::vector<std::string>& command, std::string output, const environment& extra)
    : output_(std::move(output)) {
  std::vector<std::string> variables;
  for (char** v = environ; *v; ++v) {
    const std::string one = *v;
    bool replaced = false;
    for (const auto& [name, value] : extra) replaced |= one.compare(0, name.size() + 1, name + "=") == 0;
    if (!replaced) variables.push_back(one);
  }
  for (const auto& [name, value] : extra) variables.push_back(name + "=" + value);

  std::vector<char*> arguments, names;
  for (const auto& a : command) arguments.push_back(const_cast<char*>(a.c_str()));
  for (const auto& v : variables) names.push_back(const_cast<char*>(v.c_str()));
  arguments.push_back(nullptr);
  names.push_back(nullptr);

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, output_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_adddup2(&files, 1, 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  const int error = posix_spawnp(&pid_, arguments[0], &files, &attributes, arguments.data(), names.data());
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error) throw std::runtime_error("cannot start " + command[0] + ": " + std::strerror(error));
}

child_process::~child_process() { kill9(); }

bool child_process::reap(bool block) {
  if (status_) return true;
  int status = 0;
  const pid_t got = waitpid(pid_, &status, block ? 0 : WNOHANG);
  if (got == 0) return false;
  status_ = got < 0 ? -1 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return true;
}

bool child_process::running() { return !reap(false); }

namespace {

// One thread takes the signal and then stops the others: on a busy machine they run on for some milliseconds.
bool all_threads_stand_still(pid_t pid) {
  std::error_code gone;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task", gone)) {
    const std::string stat = read_file(thread.path().string() + "/stat");  // id (name) state ...
    const auto state = stat.rfind(')') + 2;
    if (state < stat.size() && stat[state] != 'T' && stat[state] != 'Z') return false;
  }
  return true;
}

}  // namespace

void child_process::signal(int number) const {
  if (status_) return;
  ::kill(pid_, number);
  if (number == SIGSTOP) eventually([&] { return all_threads_stand_still(pid_); });
}

void child_process::kill9() {
  if (reap(false)) return;
  ::kill(-pid_, SIGKILL);  // it leads a session of its own
  reap(true);
}

std::optional<int> child_process::wait(std::chrono::milliseconds limit) {
  eventually([&] { return reap(false); }, limit);
  return status_;
}

std::string child_process::output() const { return read_file(output_); }

finished run(const std::vector<std::string>& command, std::chrono::milliseconds limit, const child_process::environment& extra) {
  temporary_folder folder("run");
  child_process child(command, folder.file("output"), extra);
  const auto code = child.wait(limit);
  if (!code) throw std::runtime_error(command[0] + " did not end in time; it said: " + child.output());
  return {*code, child.output()};
}

temporary_folder::temporary_folder(const std::string& name) {
  const char* top = std::getenv("TMPDIR");
  path_ = std::string(top && *top ? top : "/tmp") + "/duet-" + name + "-XXXXXX";
  if (!mkdtemp(path_.data())) throw std::runtime_error("cannot make a folder like " + path_ + ": " + std::strerror(errno));
  chmod(path_.c_str(), 0755);
}

temporary_folder::~temporary_folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

bool long_form() { return std::getenv("DUET_LONG") != nullptr; }

}  // namespace duet::testing
