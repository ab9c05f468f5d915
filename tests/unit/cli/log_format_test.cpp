#include "cli/log_format.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/details/log_msg.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

using duet::cli::make_log_formatter;

namespace {

std::string line(bool json, const std::string& text, spdlog::level::level_enum level = spdlog::level::warn) {
  spdlog::details::log_msg m(spdlog::log_clock::time_point(std::chrono::milliseconds(1'772'366'400'123)), {}, "duet", level, text);
  spdlog::memory_buf_t out;
  make_log_formatter(json)->format(m, out);
  return std::string(out.data(), out.size());
}

}  // namespace

TEST(log_format, is_time_level_and_text) { EXPECT_EQ(line(false, "slot lost"), "2026-03-01T12:00:00.123Z warn  slot lost\n"); }

TEST(log_format, keeps_a_hostile_text_on_one_line) {
  EXPECT_EQ(line(false, "a\n2026 info all is well\x1b[2J"), "2026-03-01T12:00:00.123Z warn  a\\x0a2026 info all is well\\x1b[2J\n");
}

TEST(log_format, as_json_is_one_document_per_line) {
  const std::string text = line(true, "a \"quoted\"\nline \xff", spdlog::level::err);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  const auto j = nlohmann::json::parse(text);
  EXPECT_EQ(j["level"], "error");
  EXPECT_EQ(j["time"], "2026-03-01T12:00:00.123Z");
  EXPECT_EQ(j["message"].get<std::string>().substr(0, 15), "a \"quoted\"\nline");
}
