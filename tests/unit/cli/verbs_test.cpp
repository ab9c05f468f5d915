#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "cli/preflight.hpp"
#include "fake_site.hpp"
#include "observe/status_server.hpp"

using namespace duet;
using duet::testing::fake_database;
using duet::testing::verbs_test;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using nlohmann::json;

namespace {

class command_line : public verbs_test {};
class check_verb : public verbs_test {};
class setup_verb : public verbs_test {};
class teardown_verb : public verbs_test {};
class status_verb : public verbs_test {};
class run_verb : public verbs_test {};

const failure unreachable(failure_kind::cannot_connect, "connecting to duet@127.0.0.1:5432/shop: refused");

std::uint16_t closed_port() { return observe::status_server("127.0.0.1", 0, [] { return hub_status{}; }).port(); }

}  // namespace

TEST_F(verbs_test, check_compares_the_clocks_and_warns_where_commit_times_decide) {
  home.clock_ahead_us = 0;
  spoke.clock_ahead_us = 3'000'000;
  EXPECT_EQ(verb("check"), 0) << out;
  EXPECT_THAT(out, AllOf(HasSubstr("ahead of home's"), Not(HasSubstr("clock_offset]"))));
  write_config("", "shop", "conflicts: { default: latest }\n");
  EXPECT_EQ(verb("check"), 0) << out;
  EXPECT_THAT(out, HasSubstr("[clock_offset]"));
  write_config("", "shop", "conflicts: { default: latest, clock_offset_limit: 5s }\n");
  EXPECT_EQ(verb("check"), 0) << out;
  EXPECT_THAT(out, Not(HasSubstr("[clock_offset]")));
}

TEST_F(command_line, without_a_verb_shows_help_and_exits_with_2) {
  EXPECT_EQ(call({}), 2);
  EXPECT_THAT(err, HasSubstr("duet setup --print"));
}

TEST_F(command_line, names_the_verbs_when_one_is_unknown) {
  EXPECT_EQ(call({"sync"}), 2);
  EXPECT_THAT(err, HasSubstr("there is no verb `sync`"));
  EXPECT_THAT(err, HasSubstr("check, schema, setup, run, status, conflicts, held, verify, repair or teardown"));
  EXPECT_THAT(out, IsEmpty());
}

TEST_F(command_line, prints_no_escape_sequence_that_was_typed) {
  EXPECT_EQ(call({"\x1b[2Jx"}), 2);
  EXPECT_THAT(err, Not(HasSubstr("\x1b")));
  EXPECT_EQ(call({"check", "\x1b[2Jx"}), 2);
  EXPECT_THAT(err, Not(HasSubstr("\x1b")));
}

TEST_F(command_line, refuses_unknown_options_and_bad_values) {
  EXPECT_EQ(call({"check", "--take-over"}), 2);
  EXPECT_THAT(err, HasSubstr("--take-over"));
  EXPECT_EQ(call({"run", "--log-level", "loud"}), 2);
  EXPECT_EQ(call({"run", "--log-format", "xml"}), 2);
  EXPECT_EQ(call({"teardown", "--only", "both"}), 2);
  EXPECT_EQ(call({"check", "-c"}), 2);
  EXPECT_EQ(call({"--nonsense"}), 2);
}

TEST_F(command_line, answers_wrong_usage_in_json_too) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"sync", "--json"}, {"check", "--json", "--take-over"}, {"--json", "--nonsense"}}) {
    EXPECT_EQ(call(words), 2);
    EXPECT_THAT(err, IsEmpty());
    const json told = json::parse(out);
    EXPECT_EQ(told["verb"], words[0].starts_with('-') ? "" : words[0]);
    EXPECT_EQ(told["exit_code"], 2);
    EXPECT_EQ(told["error"]["code"], "usage");
    EXPECT_THAT(told["error"]["remedy"].get<std::string>(), HasSubstr("--help"));
  }
}

TEST_F(command_line, tells_version_and_help) {
  EXPECT_EQ(call({"--version"}), 0);
  EXPECT_EQ(out, "duet 9.8.7\n");
  EXPECT_EQ(call({"--help"}), 0);
  EXPECT_THAT(out, HasSubstr("Exit codes: 0 fine"));
  EXPECT_EQ(call({"setup", "--help"}), 0);
  EXPECT_THAT(out, HasSubstr("--print"));
}

TEST_F(command_line, of_a_missing_file_exits_with_2_for_every_verb) {
  ::testing::internal::CaptureStderr();  // run's log
  for (const char* v : {"check", "setup", "status", "teardown", "conflicts", "held", "run"}) {
    EXPECT_EQ(call({v, "-c", "/nowhere/duet.yaml"}), 2) << v;
    if (v != std::string("run")) {
      EXPECT_THAT(out + err, HasSubstr("/nowhere/duet.yaml")) << v;
    }
    EXPECT_EQ(call({v, "-c", "/nowhere/duet.yaml", "--json"}), 2) << v;
    EXPECT_EQ(json::parse(out)["exit_code"], 2) << v;
    EXPECT_EQ(json::parse(out)["verb"], v);
    EXPECT_THAT(out, HasSubstr("/nowhere/duet.yaml")) << v;
  }
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("/nowhere/duet.yaml"));
  EXPECT_THAT(order, IsEmpty());
}

TEST_F(check_verb, is_fine_with_warnings_only) {
  home.server = {{finding::level::warn, "keep", "the log is kept for a day", "ALTER SYSTEM", "home"}};
  EXPECT_EQ(verb("check"), 0);
  EXPECT_THAT(out, HasSubstr("  warn    the log is kept for a day  [keep]\n            ALTER SYSTEM\n"));
  EXPECT_THAT(out, HasSubstr("public.customer"));
  EXPECT_THAT(out, HasSubstr(", 0 refused"));
}

TEST_F(check_verb, exits_with_1_when_something_is_refused) {
  spoke.server = {{finding::level::refuse, "binlog_format", "statements", "SET GLOBAL binlog_format = ROW;", "spoke"}};
  EXPECT_EQ(verb("check"), 1);
  EXPECT_THAT(out, HasSubstr("refuse  statements  [binlog_format]"));
}

TEST_F(check_verb, tells_of_both_databases_that_can_not_be_reached) {
  home.no_connection = unreachable;
  spoke.no_connection = failure(failure_kind::cannot_connect, "connecting to duet@127.0.0.1:3306/shop: denied", "1045");
  EXPECT_EQ(verb("check"), 3);
  EXPECT_THAT(out, HasSubstr("5432/shop: refused"));
  EXPECT_THAT(out, HasSubstr("3306/shop: denied (server: 1045)"));
}

TEST_F(check_verb, counts_a_refused_login_as_not_reached) {
  spoke.no_connection = failure(failure_kind::configuration, "connecting: access denied", "1045");
  for (const char* v : {"check", "setup", "status"}) EXPECT_EQ(verb(v), 3) << v;
  EXPECT_EQ(verb("teardown", {"--yes"}), 3);
  EXPECT_THAT(err, HasSubstr("[cannot_connect]"));
}

TEST_F(check_verb, still_checks_the_side_that_is_reached) {
  home.no_connection = unreachable;
  spoke.server = {{finding::level::refuse, "binlog_format", "statements", "", "spoke"}};
  EXPECT_EQ(verb("check"), 3);
  EXPECT_THAT(out, HasSubstr("binlog_format"));
}

TEST_F(check_verb, goes_on_where_parts_of_the_file_are_refused_and_gives_one_list) {
  home.of_tables = {{finding::level::refuse, "replica_identity", "REPLICA IDENTITY is not FULL", "ALTER TABLE", "public.customer"}};
  spoke.of_tables = {{finding::level::warn, "triggers", "triggers fire", "", "shop.customer"}};
  write_config("    confict: { rule: home }\n  - home: public.nowhere\n    direction: there\nstatsu: { listen: x }\n");
  ::testing::internal::CaptureStderr();
  for (const char* v : {"check", "setup", "run"}) {
    EXPECT_EQ(verb(v), 2) << v << out << err;
    const std::string log = v == std::string("run") ? ::testing::internal::GetCapturedStderr() : out + err;
    for (const char* line : {"duet.yaml:11: a table has no key `confict`", "duet.yaml:13: direction", "duet.yaml:14: the file has no key `statsu`",
                             "duet.yaml:12: there is no table public.nowhere at home", "duet.yaml:12: there is no table shop.nowhere at the spoke",
                             "duet.yaml:10: public.customer: REPLICA IDENTITY", "duet.yaml:10: shop.customer: triggers"})
      EXPECT_THAT(log, HasSubstr(line)) << v;
  }
  EXPECT_THAT(order, IsEmpty());
}

TEST_F(check_verb, does_not_connect_to_a_database_of_which_a_part_is_refused) {
  home.no_connection = unreachable;
  home.server = spoke.server = {{finding::level::refuse, "x", "the server was looked at", "", ""}};
  write_config("home: { url: \"postgresql://duet@127.0.0.1:5432/shop\" }\n");
  EXPECT_EQ(verb("check"), 2);
  EXPECT_THAT(out, AllOf(HasSubstr("cannot_connect"), HasSubstr("the server was looked at"))) << "the second `home` is no part of the first";
  std::ofstream(file()) << "link: shop\nhome: { url: \"postgresql://duet@127.0.0.1:5432/shop\", tsl: { mode: require } }\n"
                        << "spoke: { url: \"mysql://duet@127.0.0.1:3306/shop\" }\ntables: [{ home: public.customer }]\n";
  EXPECT_EQ(verb("check"), 2);
  EXPECT_THAT(out, AllOf(Not(HasSubstr("cannot_connect")), HasSubstr("the server was looked at"), HasSubstr("duet.yaml:2: home has no key `tsl`")));
}

TEST_F(check_verb, refuses_a_table_that_one_side_lacks) {
  spoke.tables.clear();
  EXPECT_EQ(verb("check"), 1);
  EXPECT_THAT(out, HasSubstr("shop.customer"));
  EXPECT_THAT(out, HasSubstr("duet.yaml:"));
}

TEST_F(check_verb, answers_in_json_with_stable_names) {
  home.server = {{finding::level::refuse, "wal_level", "replica", "ALTER SYSTEM", "home"}};
  EXPECT_EQ(verb("check", {"--json"}), 1);
  const json j = json::parse(out);
  EXPECT_EQ(j["verb"], "check");
  EXPECT_EQ(j["link"], "shop");
  EXPECT_EQ(j["exit_code"], 1);
  EXPECT_EQ(j["counts"]["refuse"], 1);
  bool found = false;
  for (const auto& f : j["findings"]) {
    if (f["code"] != "wal_level") continue;
    found = true;
    EXPECT_EQ(f["section"], "home");
    EXPECT_EQ(f["level"], "refuse");
    EXPECT_EQ(f["remedy"], "ALTER SYSTEM");
  }
  EXPECT_TRUE(found);
}

TEST_F(check_verb, asks_both_sides_for_the_tables_of_the_rules) {
  write_config("  - home: sales.*\n  - home: public.item\n    spoke: goods\n  - home: public.bill\n    spoke: other.invoice\n");
  verb("check");
  EXPECT_THAT(home.asked_tables, ElementsAre("public.bill", "public.customer", "public.item", "sales.*"));
  EXPECT_THAT(spoke.asked_tables, ElementsAre("other.invoice", "shop.*", "shop.customer", "shop.goods"));
}

TEST_F(check_verb, refuses_a_script_that_is_no_lua_with_both_lines) {
  const std::string lua = std::filesystem::path(file()).replace_filename("broken.lua");
  std::ofstream(lua) << "function resolve(c)\n  return = 5\nend\n";
  write_config("  - home: public.item\n    conflict: { rule: { script: broken.lua } }\n");
  for (const char* v : {"check", "setup"}) EXPECT_EQ(verb(v), 2) << v;
  EXPECT_EQ(verb("check"), 2);
  EXPECT_THAT(out, HasSubstr("broken.lua:2: unexpected symbol near '='"));
  EXPECT_THAT(out, HasSubstr("[script_broken]"));
  EXPECT_THAT(out, HasSubstr("duet.yaml:"));
  std::ofstream(lua) << "function decide(c) return 'home' end\n";
  EXPECT_EQ(verb("check"), 2);
  EXPECT_THAT(out, HasSubstr("it defines no function resolve"));
}

TEST_F(check_verb, refuses_a_table_without_a_conflict_rule) {
  write_config("", "shop", "");
  EXPECT_EQ(verb("check"), 1);
  EXPECT_THAT(out, HasSubstr("[no_conflict_rule]"));
  EXPECT_THAT(out, HasSubstr("conflicts: { default: latest }"));
}

TEST_F(check_verb, warns_of_commit_times_in_whole_seconds_where_mariadb_is_asked_for_the_later_commit) {
  write_config("", "shop", "conflicts: { default: latest }\n");
  EXPECT_EQ(verb("check"), 0) << out;
  EXPECT_THAT(out, HasSubstr("[commit_time_seconds]"));
  EXPECT_THAT(out, HasSubstr("public.customer: the later commit wins, and MariaDB's log has commit times in whole seconds"));
  EXPECT_THAT(out, HasSubstr("map an updated_at(6) column and name it in latest_by"));
  write_config("    conflict: { rule: home }\n", "shop", "conflicts: { default: latest }\n");  // none asks
  EXPECT_EQ(verb("check"), 0) << out;
  EXPECT_THAT(out, Not(HasSubstr("[commit_time_seconds]")));
  write_config("    conflict: { rule: home, update_vs_delete: latest }\n");
  EXPECT_EQ(verb("check"), 0) << out;
  EXPECT_THAT(out, HasSubstr("[commit_time_seconds]"));
  write_config("    direction: home_to_spoke\n", "shop", "conflicts: { default: latest }\n");
  EXPECT_EQ(verb("check"), 0) << out;
  EXPECT_THAT(out, Not(HasSubstr("[commit_time_seconds]")));
  spoke.product = "MySQL";
  write_config("", "shop", "conflicts: { default: latest }\n");
  EXPECT_EQ(verb("check"), 0) << out;
  EXPECT_THAT(out, Not(HasSubstr("[commit_time_seconds]")));
}

TEST_F(check_verb, compares_commit_times_as_coarsely_as_the_spokes_log_has_them) {
  const auto grain = [&] {
    const cli::engines e = engines();
    cli::preflight p(file(), e);
    EXPECT_TRUE(p.load() && p.connect());
    p.bind();
    EXPECT_EQ(p.tables.tables.size(), 1u);
    return p.tables.commit_time_grain_us;
  };
  EXPECT_EQ(grain(), 1'000'000);
  spoke.product = "MySQL";
  EXPECT_EQ(grain(), 1);
}

TEST_F(setup_verb, puts_mirrored_control_rows_just_before_where_the_logs_begin) {
  EXPECT_EQ(verb("setup"), 0) << out << err;
  EXPECT_THAT(order, ElementsAre("home setup", "spoke setup", "spoke init_control", "home init_control"));
  ASSERT_TRUE(home.control && spoke.control);
  EXPECT_EQ(*spoke.control, (control_row{"shop", 0, {999}, {4999}, 0, 0, "home-1", "spoke-1"}));
  EXPECT_EQ(*home.control, (control_row{"shop", 0, {4999}, {999}, 0, 0, "spoke-1", "home-1"}));
  EXPECT_THAT(out, HasSubstr("Rows that exist are copied only where"));
}

TEST_F(setup_verb, changes_no_control_row_the_second_time) {
  verb("setup");
  const auto before = home.control;
  home.start = {7777};
  EXPECT_EQ(verb("setup"), 0);
  EXPECT_EQ(home.control, before);
  EXPECT_THAT(out, HasSubstr("was set up already"));
  EXPECT_EQ(verb("setup", {"--json"}), 0);
  EXPECT_EQ(json::parse(out)["result"], "already_set_up");
}

TEST_F(setup_verb, does_not_replace_a_slot_that_was_lost) {
  verb("setup");
  order.clear();
  home.log_damage = failure(failure_kind::log_lost, "slot duet_shop has been dropped");
  EXPECT_EQ(verb("setup"), 4);
  EXPECT_THAT(order, IsEmpty());
  EXPECT_THAT(err, HasSubstr("log_lost"));
}

TEST_F(setup_verb, refuses_when_only_one_side_has_its_control_row) {
  for (fake_database* has : {&home, &spoke}) {
    home.control.reset();
    spoke.control.reset();
    has->control = control_row{"shop"};
    EXPECT_EQ(verb("setup"), 4);
    EXPECT_THAT(order, IsEmpty());
    EXPECT_THAT(err, HasSubstr("duet teardown\n  duet setup"));
  }
}

TEST_F(setup_verb, refuses_databases_that_the_link_was_not_made_for) {
  verb("setup");
  order.clear();
  spoke.id = "spoke-2";
  EXPECT_EQ(verb("setup"), 4);
  EXPECT_THAT(order, IsEmpty());
  EXPECT_EQ(verb("setup", {"--json"}), 4);
  EXPECT_EQ(json::parse(out)["error"]["code"], "history_changed");
}

TEST_F(setup_verb, does_nothing_when_check_refuses) {
  home.server = {{finding::level::refuse, "wal_level", "replica", "ALTER SYSTEM", "home"}};
  EXPECT_EQ(verb("setup"), 4);
  EXPECT_THAT(order, IsEmpty());
  EXPECT_THAT(err, HasSubstr("ALTER SYSTEM"));
  EXPECT_EQ(verb("setup", {"--json"}), 4);
  EXPECT_EQ(json::parse(out)["result"], "refused");
}

TEST_F(setup_verb, exits_with_3_and_does_nothing_when_one_side_is_away) {
  spoke.no_connection = unreachable;
  EXPECT_EQ(verb("setup"), 3);
  EXPECT_EQ(verb("setup", {"--print"}), 3);
  EXPECT_THAT(order, IsEmpty());
}

TEST_F(setup_verb, prints_the_statements_and_grants_and_runs_nothing) {
  EXPECT_EQ(verb("setup", {"--print"}), 0);
  EXPECT_THAT(order, IsEmpty());
  EXPECT_FALSE(home.control);
  EXPECT_THAT(out, HasSubstr("CREATE SCHEMA duet;\n-- a remark\nGRANT ALL TO duet;\n"));
  EXPECT_EQ(verb("setup", {"--print", "--json"}), 0);
  EXPECT_EQ(json::parse(out)["spoke"].size(), 3u);
}

TEST_F(setup_verb, prints_even_when_a_privilege_is_missing_and_says_so) {
  home.server = {{finding::level::refuse, "replication_privilege", "may not read the log", "ALTER ROLE", "home"}};
  EXPECT_EQ(verb("setup", {"--print"}), 1);
  EXPECT_THAT(out, HasSubstr("GRANT ALL"));
  EXPECT_THAT(out, Not(HasSubstr("may not read the log")));  // out is a script
  EXPECT_THAT(err, HasSubstr("may not read the log"));
}

TEST_F(setup_verb, notices_somebody_who_sets_up_at_the_same_time) {
  home.control_race = true;
  EXPECT_EQ(verb("setup"), 4);
  EXPECT_THAT(err, HasSubstr("at the same time"));
}

TEST_F(setup_verb, reports_a_failure_with_its_code_and_remedy) {
  home.setup_failure = failure(failure_kind::configuration, "setting up link shop at home: permission denied", "42501", "let a DBA do it");
  EXPECT_EQ(verb("setup"), 4);
  EXPECT_THAT(err, HasSubstr("permission denied\n  code: configuration (server: 42501)\n  to do: let a DBA do it"));
}

TEST_F(teardown_verb, says_what_it_removes_and_asks_for_the_name) {
  verb("setup");
  EXPECT_EQ(call({"teardown", "-c", file()}, "other\n", true), 1);
  EXPECT_THAT(out, HasSubstr("DROP SCHEMA duet;"));
  EXPECT_TRUE(home.control);
  EXPECT_EQ(call({"teardown", "-c", file()}, "shop\n", true), 0);
  EXPECT_FALSE(home.control);
  EXPECT_FALSE(spoke.control);
}

TEST_F(teardown_verb, needs_yes_where_nobody_can_be_asked) {
  verb("setup");
  order.clear();
  EXPECT_EQ(verb("teardown"), 2);
  EXPECT_THAT(err, HasSubstr("--yes"));
  EXPECT_THAT(order, IsEmpty());
  EXPECT_EQ(verb("teardown", {"--yes"}), 0);
  EXPECT_THAT(order, ElementsAre("home teardown", "spoke teardown"));
  EXPECT_THAT(out, HasSubstr("link shop is removed"));
  EXPECT_EQ(verb("teardown", {"--yes", "--json"}), 0);
  EXPECT_EQ(json::parse(out)["result"], "nothing_to_remove");
}

TEST_F(teardown_verb, leaves_the_spoke_alone_while_a_hub_runs) {
  verb("setup");
  order.clear();
  home.teardown_failure = failure(failure_kind::already_running, "another hub holds link shop");
  EXPECT_EQ(verb("teardown", {"--yes"}), 4);
  EXPECT_THAT(order, IsEmpty());
  EXPECT_TRUE(spoke.control);
}

TEST_F(teardown_verb, can_be_told_that_one_database_is_gone_for_good) {
  verb("setup");
  order.clear();
  spoke.no_connection = unreachable;
  EXPECT_EQ(verb("teardown", {"--yes"}), 3);
  EXPECT_THAT(err, HasSubstr("--only home"));
  EXPECT_THAT(order, IsEmpty());
  EXPECT_EQ(verb("teardown", {"--yes", "--only", "home"}), 0);
  EXPECT_THAT(order, ElementsAre("home teardown"));
}

TEST_F(teardown_verb, sends_to_a_dba_when_a_right_is_missing) {
  verb("setup");
  home.teardown_failure = failure(failure_kind::configuration, "must be owner of publication duet_shop", "42501");
  EXPECT_EQ(verb("teardown", {"--yes"}), 4);
  EXPECT_THAT(err, HasSubstr("let a DBA run what `duet teardown --print` shows"));
}

TEST_F(teardown_verb, prints_and_removes_nothing) {
  verb("setup");
  EXPECT_EQ(verb("teardown", {"--print"}), 0);
  EXPECT_TRUE(home.control);
  EXPECT_THAT(out, HasSubstr("DROP SCHEMA duet;"));
}

TEST_F(status_verb, asks_the_databases_when_no_hub_can_be_asked) {
  verb("setup");
  EXPECT_EQ(verb("status"), 0);
  EXPECT_THAT(out, HasSubstr("no status.listen is configured"));
  EXPECT_THAT(out, HasSubstr("applied at spoke      home@999"));
  EXPECT_THAT(out, HasSubstr("conflicts logged      3"));
}

TEST_F(status_verb, is_a_finding_when_the_hub_is_down_or_rows_are_held) {
  verb("setup");
  spoke.held = {{"public.customer", 2, "NULL in a column that is NOT NULL"}};
  EXPECT_EQ(verb("status"), 1);
  EXPECT_THAT(out, HasSubstr("public.customer: 2, the last one because: NULL in a column"));
  spoke.held.clear();
  write_config("status: { listen: 127.0.0.1:" + std::to_string(closed_port()) + " }\n");
  EXPECT_EQ(verb("status", {"--json"}), 1);
  const json j = json::parse(out);
  EXPECT_EQ(j["source"], "databases");
  EXPECT_EQ(j["state"], "hub_down");
  EXPECT_EQ(j["databases"]["home"]["applied_position"], "home@999");
  EXPECT_EQ(j["databases"]["spoke"]["held_rows"], 0);
  EXPECT_EQ(j["databases"]["home"]["log_end"], "2000");
}

TEST_F(status_verb, tells_what_is_not_set_up_or_not_reached) {
  EXPECT_EQ(verb("status"), 4);
  EXPECT_THAT(out, HasSubstr("run `duet setup`"));
  spoke.control = control_row{"shop"};
  EXPECT_EQ(verb("status", {"--json"}), 4);
  EXPECT_EQ(json::parse(out)["state"], "half_set_up");
  home.no_connection = unreachable;
  EXPECT_EQ(verb("status", {"--json"}), 3);
  const json j = json::parse(out);
  EXPECT_TRUE(j["databases"]["home"].is_null());
  EXPECT_EQ(j["errors"][0]["side"], "home");
  EXPECT_EQ(j["databases"]["spoke"]["product"], "MariaDB");
}

TEST_F(status_verb, prefers_the_hub_that_runs_this_link) {
  hub_status now;
  now.link = "shop";
  now.healthy = true;
  now.state = "streaming";
  observe::status_server page("127.0.0.1", 0, [&] { return now; });
  write_config("status: { listen: 127.0.0.1:" + std::to_string(page.port()) + " }\n");
  EXPECT_EQ(verb("status", {"--json"}), 0);
  EXPECT_EQ(json::parse(out)["source"], "hub");
  EXPECT_EQ(json::parse(out)["hub"]["state"], "streaming");
  now.held_rows = 1;
  home.control = spoke.control = control_row{"shop"};
  home.held = {{"public.customer", 1, "too long"}};
  EXPECT_EQ(verb("status"), 1);
  EXPECT_THAT(out, HasSubstr("too long"));
  now.link = "other";
  verb("status", {"--json"});
  EXPECT_EQ(json::parse(out)["source"], "databases");
  EXPECT_THAT(json::parse(out)["note"].get<std::string>(), HasSubstr("another link, other"));
}

TEST_F(run_verb, exits_with_2_for_a_bad_file_and_with_4_when_check_refuses) {
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(call({"run", "-c", "/nowhere/duet.yaml"}), 2);
  home.server = {{finding::level::refuse, "wal_level", "wal_level = replica", "ALTER SYSTEM\nrestart", "home"}};
  EXPECT_EQ(verb("run", {"--log-format", "json"}), 4);
  EXPECT_THAT(out, IsEmpty());
  EXPECT_EQ(verb("run", {"--json"}), 4);
  EXPECT_EQ(json::parse(out)["result"], "not_started");
  EXPECT_THAT(out, HasSubstr("wal_level"));
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("wal_level = replica [wal_level]; to do: ALTER SYSTEM restart"));
  EXPECT_EQ(log.find("s3cret"), std::string::npos);
  EXPECT_THAT(order, IsEmpty());
}
