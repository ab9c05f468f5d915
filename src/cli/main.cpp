#include <unistd.h>

#include <csignal>
#include <iostream>

#include "cli/command_line.hpp"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  duet::cli::console console{std::cout, std::cerr, std::cin, isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1};
  return duet::cli::run_command_line(argc, argv, DUET_VERSION, duet::cli::real_engines(), console);
}
