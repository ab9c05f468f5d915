#include "observe/status_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <mutex>
#include <nlohmann/json.hpp>

#include "duet/failure.hpp"

using namespace duet;
using namespace duet::observe;
using ::testing::HasSubstr;

namespace {

struct served_hub {
  std::mutex lock;
  hub_status now;
  status_server server{"127.0.0.1", 0, [this] {
                         std::lock_guard held(lock);
                         return now;
                       }};
  httplib::Client http{"127.0.0.1", server.port()};

  void set(bool healthy, std::string state) {
    std::lock_guard held(lock);
    now.link = "shop";
    now.healthy = healthy;
    now.state = std::move(state);
  }
};

}  // namespace

TEST(status_server, answers_health_with_200_or_503_and_one_line) {
  served_hub hub;
  hub.set(true, "streaming");
  auto answer = hub.http.Get("/healthz");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "streaming\n");
  {
    std::lock_guard held(hub.lock);
    hub.now.held_rows = 3;
  }
  answer = hub.http.Get("/healthz");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200) << "the lanes stream";
  EXPECT_EQ(answer->body, "streaming; 3 changes wait for a decision: duet held\n");
  {
    std::lock_guard held(hub.lock);
    hub.now.held_rows = 0;
  }
  hub.set(false, "retrying in 4 s:\nconnection to spoke lost");
  answer = hub.http.Get("/healthz");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(answer->body, "retrying in 4 s:\\x0aconnection to spoke lost\n");
}

TEST(status_server, serves_json_metrics_and_a_page) {
  served_hub hub;
  hub.set(true, "streaming");
  auto status = hub.http.Get("/status");
  ASSERT_TRUE(status);
  EXPECT_EQ(nlohmann::json::parse(status->body)["link"], "shop");
  EXPECT_EQ(status->get_header_value("Content-Type"), "application/json");
  auto metrics = hub.http.Get("/metrics");
  ASSERT_TRUE(metrics);
  EXPECT_THAT(metrics->body, HasSubstr("duet_up{link=\"shop\"} 1"));
  auto page = hub.http.Get("/");
  ASSERT_TRUE(page);
  EXPECT_THAT(page->get_header_value("Content-Type"), HasSubstr("text/html"));
  EXPECT_THAT(page->get_header_value("Content-Security-Policy"), HasSubstr("default-src 'none'"));
  EXPECT_EQ(hub.http.Get("/../etc/passwd")->status, 404);
  EXPECT_EQ(hub.http.Post("/status", "x", "text/plain")->status, 404);
}

TEST(status_server, refuses_an_address_that_is_taken) {
  served_hub hub;
  try {
    status_server second("127.0.0.1", hub.server.port(), [] { return hub_status{}; });
    FAIL() << "two hubs share one address";
  } catch (const failure& f) {
    EXPECT_EQ(f.kind, failure_kind::config_file);
    EXPECT_THAT(f.what(), HasSubstr(std::to_string(hub.server.port())));
  }
}

TEST(status_server, is_heard_by_the_status_verb_and_gone_after_its_end) {
  std::uint16_t port = 0;
  {
    served_hub hub;
    hub.set(true, "streaming");
    port = hub.server.port();
    const auto heard = find_hub_status("0.0.0.0", port);
    ASSERT_TRUE(heard);
    EXPECT_EQ(heard->link, "shop");
  }
  EXPECT_FALSE(find_hub_status("127.0.0.1", port));
}

TEST(status_server, stops_at_once_when_it_has_only_just_started) {
  for (int i = 0; i < 20; ++i) status_server("127.0.0.1", 0, [] { return hub_status{}; });
}

TEST(find_hub_status, does_not_take_another_program_for_a_hub) {
  httplib::Server other;
  other.Get("/status", [](const httplib::Request&, httplib::Response& answer) { answer.set_content("<html>", "text/html"); });
  const int port = other.bind_to_any_port("127.0.0.1");
  std::thread thread([&] { other.listen_after_bind(); });
  EXPECT_THROW(find_hub_status("127.0.0.1", static_cast<std::uint16_t>(port)), failure);
  while (!other.is_running()) std::this_thread::yield();
  other.stop();
  thread.join();
}
