#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "duet/failure.hpp"
#include "observe/metrics.hpp"
#include "observe/printable.hpp"
#include "observe/status_json.hpp"
#include "observe/status_text.hpp"

using namespace duet;
using namespace duet::observe;
using ::testing::HasSubstr;
using ::testing::Not;

namespace {

hub_status busy_hub() {
  hub_status s;
  s.link = "shop";
  s.healthy = true;
  s.state = "streaming";
  s.epoch = 3;
  s.restarts = 1;
  s.uptime_s = 192;
  s.held_rows = 2;
  s.copies = {{.table = "public.item", .from = side::spoke, .rows = 5000, .estimated = 20000, .rows_per_s = 2500},
              {.table = "public.sale", .from = side::spoke},
              {.table = "public.shop", .from = side::home, .rows = 7, .estimated = 7, .done = true}};
  s.home_to_spoke.from = side::home;
  s.home_to_spoke.rows = {.read = 100, .applied = 60, .unchanged = 5, .echoes = 20, .filtered = 4, .held_back = 3, .conflicts_lost = 1, .held = 2};
  s.home_to_spoke.rows.drift = 6;
  s.home_to_spoke.rows.source_transactions = 50;
  s.home_to_spoke.read = {UINT64_MAX};
  s.home_to_spoke.applied = {27455428};
  s.home_to_spoke.read_position = "0/1A2B3C5";
  s.home_to_spoke.applied_position = "0/1A2B3C4";
  s.home_to_spoke.lag_ms = 1500;
  s.home_to_spoke.ring_bytes = 4096;
  s.home_to_spoke.state = "streaming";
  s.spoke_to_home.from = side::spoke;
  s.spoke_to_home.rows.applied = 7;
  s.spoke_to_home.spill_bytes = 1 << 20;
  s.spoke_to_home.state = "catching up";
  return s;
}

std::size_t longest_line(const std::string& text) {
  std::size_t longest = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    longest = std::max(longest, end - at);
    at = end + 1;
  }
  return longest;
}

}  // namespace

TEST(status_json, survives_the_way_to_text_and_back) {
  const hub_status sent = busy_hub();
  const hub_status got = decode_hub_status(dump(to_json(sent)));
  EXPECT_EQ(dump(to_json(got)), dump(to_json(sent)));
  EXPECT_EQ(got.home_to_spoke.rows.held_back, 3u);
  EXPECT_EQ(got.home_to_spoke.read.value, UINT64_MAX);
  EXPECT_EQ(got.spoke_to_home.spill_bytes, 1u << 20);
  EXPECT_EQ(got.spoke_to_home.from, side::spoke);
}

TEST(status, tells_how_far_first_copies_are) {
  const std::string text = status_text(busy_hub(), nullptr, 0);
  EXPECT_THAT(text, HasSubstr("public.item: 5,000 of about 20,000 rows copied from spoke, 2,500/s, 6.0 s left\n"));
  EXPECT_THAT(text, HasSubstr("public.sale: waits for its copy from spoke\n"));
  EXPECT_THAT(text, HasSubstr("public.shop: copied from home, 7 rows\n"));
  EXPECT_THAT(encode_metrics(busy_hub()), HasSubstr("duet_copied_rows{link=\"shop\",table=\"public.item\",from=\"spoke\"} 5000"));
  hub_status later = busy_hub();
  later.home_to_spoke.rows.applied += 10;
  EXPECT_THAT(progress_line(busy_hub(), later, 10), HasSubstr("; public.item: 5,000 of about 20,000 rows"));
}

TEST(status, tells_of_stopped_tables_and_of_clocks_that_are_too_far_apart) {
  hub_status s = busy_hub();
  EXPECT_TRUE(to_json(s)["clocks"].is_null());
  s.stopped_tables = {"public.item"};
  s.clocks = clock_comparison{.offset_us = -1'200'300, .error_us = 400, .limit_us = 1'000'000, .age_s = 12};
  const hub_status got = decode_hub_status(dump(to_json(s)));
  EXPECT_EQ(dump(to_json(got)), dump(to_json(s)));
  EXPECT_EQ(to_json(got)["clocks"]["beyond_limit"], true);
  EXPECT_THAT(status_text(s), HasSubstr("table public.item is stopped"));
  EXPECT_THAT(status_text(s), HasSubstr("the spoke's clock is 1200.3 ms behind home's, to within 0.4 ms, measured 12.0 s ago"));
  EXPECT_THAT(status_text(s), HasSubstr("more than conflicts.clock_offset_limit (1000 ms)"));
  EXPECT_THAT(encode_metrics(s), HasSubstr("duet_clock_offset_seconds{link=\"shop\"} -1.2003"));
  EXPECT_THAT(encode_metrics(s), HasSubstr("duet_clock_offset_beyond_limit{link=\"shop\"} 1"));
  EXPECT_THAT(encode_metrics(s), HasSubstr("duet_stopped_tables{link=\"shop\"} 1"));
  s.clocks->error_us = 300'000;  // it may be within the limit as well
  EXPECT_FALSE(s.clocks->beyond_limit());
  EXPECT_THAT(status_text(s), Not(HasSubstr("warning")));
  EXPECT_EQ(decode_hub_status(R"({"link":"a","lanes":{},"clocks":7,"stopped_tables":[1,"b"]})").stopped_tables, std::vector<std::string>{"b"});
}

TEST(status_json, has_a_failure_only_when_there_is_one) {
  hub_status s = busy_hub();
  EXPECT_TRUE(to_json(s)["failure"].is_null());
  s.failure_code = "log_lost";
  s.failure_text = "the slot is gone";
  EXPECT_EQ(to_json(s)["failure"]["code"], "log_lost");
  EXPECT_EQ(decode_hub_status(dump(to_json(s))).failure_text, "the slot is gone");
}

TEST(status_json, of_somebody_else_is_refused_or_read_without_harm) {
  for (const char* text : {"", "<html>", "[]", "{}", "null", "{\"link\":1}", "{\"link\":\"a\",\"lanes\":7}"})
    EXPECT_THROW(decode_hub_status(text), failure) << text;
  const auto s = decode_hub_status(
      R"({"link":5,"lanes":{"home_to_spoke":{"lag_ms":"x","read":"99999999999999999999","applied":"-1","rows":{"applied":-4}}},"epoch":1.5})");
  EXPECT_EQ(s.link, "");
  EXPECT_EQ(s.home_to_spoke.lag_ms, 0);
  EXPECT_EQ(s.home_to_spoke.read.value, 0u);
  EXPECT_EQ(s.home_to_spoke.applied.value, 0u);
  EXPECT_EQ(s.home_to_spoke.rows.applied, 0u);
  EXPECT_EQ(s.epoch, 0u);
}

TEST(status_json, prints_bytes_that_are_no_utf8_without_throwing) {
  hub_status s = busy_hub();
  s.failure_code = "internal";
  s.failure_text = "table \xff\xfe";
  EXPECT_NO_THROW(dump(to_json(s)));
}

TEST(status_json, of_a_failure_names_code_exit_code_and_remedy) {
  const auto j = to_json(failure(failure_kind::cannot_connect, "connecting to home", "28P01"));
  EXPECT_EQ(j["code"], "cannot_connect");
  EXPECT_EQ(j["exit_code"], 3);
  EXPECT_EQ(j["server_code"], "28P01");
  EXPECT_FALSE(j["remedy"].get<std::string>().empty());
  EXPECT_EQ(to_json(failure(failure_kind::configuration, "x", "", "ALTER SYSTEM"))["remedy"], "ALTER SYSTEM");
}

TEST(metrics, add_up_to_the_rows_that_were_read) {
  const std::string text = encode_metrics(busy_hub());
  EXPECT_THAT(text, HasSubstr("# TYPE duet_rows_total counter"));
  EXPECT_THAT(text, HasSubstr("duet_rows_total{link=\"shop\",lane=\"home_to_spoke\",result=\"applied\"} 60"));
  EXPECT_THAT(text, HasSubstr("duet_rows_total{link=\"shop\",lane=\"home_to_spoke\",result=\"echo\"} 20"));
  EXPECT_THAT(text, HasSubstr("duet_rows_read_total{link=\"shop\",lane=\"home_to_spoke\"} 100"));
  EXPECT_THAT(text, HasSubstr("duet_lag_seconds{link=\"shop\",lane=\"home_to_spoke\"} 1.5"));
  EXPECT_THAT(text, HasSubstr("duet_up{link=\"shop\"} 1"));
  EXPECT_THAT(text, HasSubstr("duet_spill_bytes{link=\"shop\",lane=\"spoke_to_home\"} 1048576"));
  double sum = 0;
  const std::string prefix = "duet_rows_total{link=\"shop\",lane=\"home_to_spoke\"";
  for (std::size_t at = text.find(prefix); at != std::string::npos; at = text.find(prefix, at + 1))
    sum += std::stod(text.substr(text.find("} ", at) + 2));
  EXPECT_EQ(sum, 95);  // the 5 missing ones are in flight
}

TEST(metrics, tell_how_long_decisions_take) {
  using namespace std::chrono_literals;
  hub_status s = busy_hub();
  durations first, rest;
  for (const auto took : {std::chrono::nanoseconds(100us), std::chrono::nanoseconds(100'001ns), std::chrono::nanoseconds(9ms)}) first.add(took);
  rest.add(2min);
  lane_counters more;
  more.decisions = rest;
  s.spoke_to_home.rows.decisions = first;
  s.spoke_to_home.rows += more;
  const std::string text = encode_metrics(s), lane = "{link=\"shop\",lane=\"spoke_to_home\"";
  EXPECT_THAT(text, HasSubstr("# TYPE duet_decision_seconds histogram"));
  EXPECT_THAT(text, HasSubstr("duet_decision_seconds_bucket" + lane + ",le=\"0.0001\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("duet_decision_seconds_bucket" + lane + ",le=\"0.0002\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("duet_decision_seconds_bucket" + lane + ",le=\"0.01\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("duet_decision_seconds_bucket" + lane + ",le=\"1\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("duet_decision_seconds_bucket" + lane + ",le=\"+Inf\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("duet_decision_seconds_count" + lane + "} 4\n"));
  EXPECT_THAT(text, HasSubstr("duet_decision_seconds_sum" + lane + "} 120.009200001\n"));
  EXPECT_THAT(text, HasSubstr("duet_decision_seconds_count{link=\"shop\",lane=\"home_to_spoke\"} 0\n"));
}

TEST(metrics, escape_a_hostile_link_name) {
  hub_status s = busy_hub();
  s.link = "a\"} 1\nduet_up 7\\";
  EXPECT_THAT(encode_metrics(s), Not(HasSubstr("\nduet_up 7")));
}

TEST(status_text, fits_in_eighty_columns_whatever_the_hub_says) {
  hub_status s = busy_hub();
  s.home_to_spoke.state = "stopped: " + std::string(200, 'x');
  s.home_to_spoke.read_position = "binlog-with-a-very-long-name-of-its-own.000007:123456789012";
  s.home_to_spoke.rows.applied = UINT64_MAX;
  s.home_to_spoke.lag_ms = INT64_MAX / 2;
  EXPECT_LE(longest_line(status_text(s)), 80u);
}

TEST(status_text, shows_rates_between_two_snapshots_and_none_across_a_restart) {
  const hub_status before = busy_hub();
  hub_status now = before;
  now.home_to_spoke.rows.applied += 2468;
  EXPECT_THAT(status_text(now, &before, 2), HasSubstr("1,234"));
  EXPECT_THAT(status_text(now), Not(HasSubstr("rows/s")));
  now.home_to_spoke.rows = {};
  EXPECT_THAT(status_text(now, &before, 2), HasSubstr("rows/s" + std::string(41, ' ') + "-"));
}

TEST(status_text, tells_the_last_failure_and_what_to_do) {
  hub_status s = busy_hub();
  s.failure_code = "fenced";
  s.failure_text = "another hub came";
  s.advice = "leave it";
  const std::string text = status_text(s);
  EXPECT_THAT(text, HasSubstr("another hub came (fenced)"));
  EXPECT_THAT(text, HasSubstr("to do: leave it"));
}

TEST(status_text, lets_no_control_character_through) {
  hub_status s = busy_hub();
  s.state = "\x1b[2Jevil\r\n";
  s.failure_code = "x";
  s.failure_text = "row\x1b]0;title\x07";
  s.home_to_spoke.state = "\x1b[31m";
  EXPECT_THAT(status_text(s), Not(HasSubstr("\x1b")));
  EXPECT_THAT(status_text(s), Not(HasSubstr("\r")));
}

TEST(progress_line, is_empty_when_nothing_moved) {
  const hub_status s = busy_hub();
  EXPECT_EQ(progress_line(s, s, 10), "");
}

TEST(progress_line, tells_rates_lag_and_what_went_wrong) {
  const hub_status before = busy_hub();
  hub_status now = before;
  now.home_to_spoke.rows.applied += 500;
  now.spoke_to_home.rows.held += 3;
  now.spoke_to_home.rows.conflicts += 2;
  const std::string line = progress_line(before, now, 10);
  EXPECT_THAT(line, HasSubstr("home -> spoke 50 rows/s, lag 1.5 s"));
  EXPECT_THAT(line, HasSubstr("3 held"));
  EXPECT_THAT(line, HasSubstr("2 conflicts"));
  now.home_to_spoke.rows = {};  // counts from 0 again
  now.home_to_spoke.rows.applied = 100;
  now.home_to_spoke.rows.read = 10;
  EXPECT_THAT(progress_line(before, now, 10), HasSubstr("home -> spoke 10 rows/s"));
}

TEST(findings_text, puts_the_remedy_below_its_finding_line_by_line) {
  const std::string text = findings_text(
      {{"home", "home", {{finding::level::refuse, "wal_level", "wal_level is replica", "ALTER SYSTEM SET wal_level = logical;\n-- restart", "home"}}},
       {"spoke", "spoke", {}}});
  EXPECT_EQ(text,
            "home\n  refuse  wal_level is replica  [wal_level]\n"
            "            ALTER SYSTEM SET wal_level = logical;\n            -- restart\n");
}

TEST(findings_text, leaves_out_what_is_fine_when_terse) {
  const std::vector<finding_group> groups = {{"home", "home", {{finding::level::ok, "a", "fine", "", ""}}},
                                             {"spoke", "spoke", {{finding::level::warn, "b", "hm", "", ""}}}};
  EXPECT_EQ(findings_text(groups, true), "spoke\n  warn    hm  [b]\n");
  EXPECT_EQ(summary_text(groups), "1 ok, 1 warning, 0 refused");
}

TEST(findings_text, of_a_hostile_table_name_is_one_line) {
  const std::string text =
      findings_text({{"tables", "tables", {{finding::level::refuse, "missing_table", "no table public.\x1b[31mx\n  ok  all is well", "", "a\rb"}}}});
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(failure_text, says_what_code_and_what_to_do) {
  const std::string text = failure_text(failure(failure_kind::cannot_connect, "connecting to home", "28P01"));
  EXPECT_THAT(text, HasSubstr("connecting to home\n"));
  EXPECT_THAT(text, HasSubstr("cannot_connect (server: 28P01)"));
  EXPECT_THAT(text, HasSubstr("to do: Check that the server runs"));
}

TEST(printable, keeps_letters_of_all_scripts_and_escapes_the_rest) {
  EXPECT_EQ(printable("Kundin 客户 😀"), "Kundin 客户 😀");
  EXPECT_EQ(printable(std::string_view("a\0b\x7f", 4)), "a\\x00b\\x7f");
  EXPECT_EQ(printable("\xc2\x9b" "31m"), "\\u{009b}31m");       // CSI as one character
  EXPECT_EQ(printable("\xe2\x80\xae" "txt"), "\\u{202e}txt");   // right-to-left override
  EXPECT_EQ(printable("\xff\xc0\xaf"), "\\xff\\xc0\\xaf");      // no UTF-8, overlong
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");      // surrogate
  EXPECT_EQ(printable("\xe4\xba"), "\\xe4\\xba");               // cut
  EXPECT_EQ(printable_lines("a\nb\r"), "a\nb\\x0d");
}

TEST(figures, are_written_for_people) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(human_bytes(1), "1 byte");
  EXPECT_EQ(human_bytes(1023), "1023 bytes");
  EXPECT_EQ(human_bytes(1536), "1.5 kB");
  EXPECT_EQ(human_bytes(1048575), "1.0 MB");
  EXPECT_EQ(human_duration_ms(999), "999 ms");
  EXPECT_EQ(human_duration_ms(2500), "2.5 s");
  EXPECT_EQ(human_duration_ms(59999), "1 min 0 s");
  EXPECT_EQ(human_duration_ms(192000), "3 min 12 s");
  EXPECT_EQ(human_duration_ms(90061000), "1 d 1 h");
  EXPECT_EQ(human_duration_ms(-5), "-5 ms");
  EXPECT_EQ(shortened("abcdef", 4), "abc~");
  EXPECT_EQ(shortened("äöü", 3), "äöü");
  EXPECT_EQ(shortened("äöü", 2), "ä~");
}
