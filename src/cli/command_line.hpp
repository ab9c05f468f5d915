// The command line: reads its words, calls a verb, turns what stopped it into a message and an exit code.
#pragma once

#include <string_view>

#include "cli/verbs.hpp"

namespace duet::cli {

int run_command_line(int argc, const char* const* argv, std::string_view version, const engines&, console&);

}  // namespace duet::cli
