// Programs that tests start: the hub itself and the scripts of this folder.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace duet::testing {

// A child of this process. Its output goes to `output`, a file. Killed (SIGKILL) when the object goes.
class child_process {
 public:
  using environment = std::vector<std::pair<std::string, std::string>>;

  child_process(const std::vector<std::string>& command, std::string output, const environment& extra = {});
  ~child_process();
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;

  pid_t pid() const { return pid_; }
  bool running();
  void signal(int number) const;   // nothing if it has ended; SIGSTOP: returns when all its threads stand still
  void kill9();                    // SIGKILL, and waits for its end
  // Exit code, or 128 + signal; nothing if it is still running after `limit`.
  std::optional<int> wait(std::chrono::milliseconds limit);
  std::string output() const;      // all it has written so far

 private:
  bool reap(bool block);
  pid_t pid_ = -1;
  std::optional<int> status_;
  std::string output_;
};

// Runs a program to its end. Throws std::runtime_error when it takes longer than `limit`.
struct finished { int exit_code; std::string output; };
finished run(const std::vector<std::string>& command, std::chrono::milliseconds limit = std::chrono::minutes(2),
             const child_process::environment& extra = {});

// A folder of its own under $TMPDIR or /tmp, removed with all that is in it. Other users may pass through it.
class temporary_folder {
 public:
  explicit temporary_folder(const std::string& name);
  ~temporary_folder();
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;
  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

void write_file(const std::string& path, const std::string& text);
std::string read_file(const std::string& path);  // empty if there is none

// tests/run --long: 50 kills instead of a few, more random rows.
bool long_form();

// Polls until `condition` holds; false when `limit` has passed.
template <class Condition>
bool eventually(Condition condition, std::chrono::milliseconds limit = std::chrono::seconds(20));

}  // namespace duet::testing

#include <thread>
template <class Condition>
bool duet::testing::eventually(Condition condition, std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  for (;;) {
    if (condition()) return true;
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}
