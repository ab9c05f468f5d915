#include "cli/log_format.hpp"

#include <spdlog/details/log_msg.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>

#include "observe/printable.hpp"

namespace duet::cli {

namespace {

std::string utc(spdlog::log_clock::time_point at) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
  const std::time_t s = ms / 1000;
  std::tm parts{};
  gmtime_r(&s, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                     parts.tm_hour, parts.tm_min, parts.tm_sec, ms % 1000);
}

std::string_view word(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace: return "trace";
    case spdlog::level::debug: return "debug";
    case spdlog::level::info: return "info";
    case spdlog::level::warn: return "warn";
    default: return "error";
  }
}

class line_formatter final : public spdlog::formatter {
 public:
  explicit line_formatter(bool json) : json_(json) {}

  void format(const spdlog::details::log_msg& m, spdlog::memory_buf_t& out) override {
    const std::string_view text(m.payload.data(), m.payload.size());
    std::string line;
    if (json_) {
      nlohmann::ordered_json document = {{"time", utc(m.time)}, {"level", std::string(word(m.level))}, {"message", std::string(text)}};
      line = document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
    } else {
      line = fmt::format("{} {:<5} {}\n", utc(m.time), word(m.level), observe::printable(text));
    }
    out.append(line.data(), line.data() + line.size());
  }

  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<line_formatter>(json_); }

 private:
  bool json_;
};

}  // namespace

std::unique_ptr<spdlog::formatter> make_log_formatter(bool json) { return std::make_unique<line_formatter>(json); }

void start_logging(const std::string& level, bool json) {
  auto logger = std::make_shared<spdlog::logger>("duet", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_formatter(make_log_formatter(json));
  logger->set_level(spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace duet::cli
