// Rule script: a Lua function of the operator's decides. README.md, "A script decides", is its contract.
//
// Each question is answered by a Lua state of its own: nothing of one decision is left in the next one, and a script that was
// stopped leaves nothing behind. The state has no I/O and two limits; what breaks one, fails or answers what can't be
// done is a hold with the reason. Time is looked at each hundred instructions and before each library function, and library
// functions that could run for long by themselves are bounded by the size of what they are given.
#pragma once

#include <chrono>
#include <string>

#include "conflict/arbiter.hpp"

namespace duet::conflict {

struct script_limits {
  std::chrono::milliseconds time{50};      // of the processor
  std::chrono::milliseconds in_all{1000};  // by the clock, on a machine that is busy
  std::size_t bytes = 16u << 20;  // besides the rows that it is asked about
};

class script {
 public:
  script(std::string file, std::string text, script_limits limits = {}) : file_(std::move(file)), text_(std::move(text)), limits_(limits) {}

  // Why it can't be used, with its file and line; empty: it defines a function resolve.
  std::string problem() const;

  ruling decide(const question&) const;

 private:
  std::string file_, text_;
  script_limits limits_;
};

}  // namespace duet::conflict
