// How the daemon's log lines look: one line each, whatever names and texts they carry.
#pragma once

#include <spdlog/formatter.h>

#include <memory>
#include <string>

namespace duet::cli {

// 2026-03-01T12:00:00.123Z info  text          or, as JSON,
// {"time":"2026-03-01T12:00:00.123Z","level":"info","message":"text"}
std::unique_ptr<spdlog::formatter> make_log_formatter(bool json);

// Sets the process's logger: to standard error. `level` is one of trace, debug, info, warn, error.
void start_logging(const std::string& level, bool json);

}  // namespace duet::cli
