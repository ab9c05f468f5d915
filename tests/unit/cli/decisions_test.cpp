// duet conflicts, duet held and duet held resolve: their words, texts and JSON.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/arena.hpp"
#include "fake_site.hpp"
#include "translate/translate.hpp"

using namespace duet;
using duet::testing::verbs_test;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using nlohmann::json;

namespace {

constexpr std::int64_t noon = 1'767'268'800'000'000;  // 2026-01-01 12:00 UTC

std::uint64_t token(const std::string& id) {
  table_pair t;
  const table_schema home = duet::testing::customer_table("public"), spoke = duet::testing::customer_table("shop");
  for (std::size_t i = 0; i < home.columns.size(); ++i) t.columns.push_back({.home = home.columns[i], .spoke = spoke.columns[i]});
  t.key = {0};
  const cell cells[] = {cell::of(id), cell{}};
  base::arena arena;
  return translate::key_token(t, side::home, cells, arena);
}

owned_row customer(const std::string& id, std::optional<std::string> name) { return {true, {id, std::move(name)}}; }
std::string image(const std::string& id, const std::string& name) { return json{{"id", id}, {"name", name}}.dump(); }

held_change change(std::uint64_t number, const std::string& id, operation op, std::string reason, std::int64_t at = noon) {
  held_change h;
  h.id = number;
  h.table = "public.customer";
  h.key = json{{"id", id}}.dump();
  h.token = token(id);
  h.op = op;
  h.reason = std::move(reason);
  h.source_position = {77};
  h.source_time_us = at - 1000;
  h.before_row = image(id, "old");
  h.after_row = image(id, "secret name");
  h.held_at_us = at;
  return h;
}

class decisions : public verbs_test {
 protected:
  decisions() {
    home.control = control_row{"shop", 4, {10}, {20}, 30, 40, "spoke-1", "home-1"};
    spoke.control = control_row{"shop", 4, {20}, {10}, 30, 40, "home-1", "spoke-1"};
  }
  void wait_for_a_person() {  // id 7 waits at home for what the spoke wrote, and at the spoke behind it
    home.rows["7"] = customer("7", "home's");
    spoke.rows["7"] = customer("7", "spoke's");
    home.waiting.push_back(change(1, "7", operation::update, "both sides wrote it, and its rule is manual"));
    spoke.waiting.push_back(change(5, "7", operation::update, "waits behind an earlier change of its key", noon + 5));
  }
  void log(duet::testing::fake_database& db, std::uint64_t id, std::int64_t at) {
    logged_conflict c;
    c.id = id;
    c.table = "public.customer";
    c.key = R"({"id": "7"})";
    c.type = "update_origin_differs";
    c.rule = "latest";
    c.winner = "spoke";
    c.result = "the spoke's change stands at home, too";
    c.base_row = image("7", "secret base");
    c.home_row = image("7", "secret home");
    c.spoke_row = c.result_row = image("7", "secret spoke");
    c.home_position = {111};
    c.spoke_position = {222};
    c.home_time_us = at - 2'000'000;
    c.spoke_time_us = at - 1'000'000;
    c.decided_at_us = at;
    db.conflicts.push_back(c);
  }
  using json_list = std::vector<std::string>;
  json_list ids(const json& list) {
    json_list all;
    for (const auto& one : list) all.push_back(one["id"]);
    return all;
  }
};

}  // namespace

TEST_F(decisions, conflicts_of_both_sides_are_listed_newest_first_without_values) {
  EXPECT_EQ(verb("conflicts"), 0);
  EXPECT_THAT(out, HasSubstr("no conflict"));
  log(home, 12, noon);
  log(spoke, 3, noon + 1'000'000);
  EXPECT_EQ(verb("conflicts"), 0);
  EXPECT_THAT(out, AllOf(HasSubstr("s3  2026-01-01 12:00:01.000  public.customer  id=7"), HasSubstr("12  2026-01-01 12:00:00.000"),
                         HasSubstr("update_origin_differs  latest  spoke   the spoke's change stands"), Not(HasSubstr("secret"))));
  EXPECT_LT(out.find("s3"), out.find("12  2026"));
  EXPECT_EQ(verb("conflicts", {"--json"}), 0);
  EXPECT_THAT(ids(json::parse(out)["conflicts"]), ElementsAre("s3", "12"));
  EXPECT_EQ(json::parse(out)["conflicts"][0]["decided_at"], "2026-01-01T12:00:01.000000Z");
  EXPECT_THAT(out, Not(HasSubstr("secret")));
  EXPECT_EQ(verb("conflicts", {"--json", "--limit", "1"}), 0);
  EXPECT_THAT(ids(json::parse(out)["conflicts"]), ElementsAre("s3"));
}

TEST_F(decisions, conflicts_can_be_asked_for_by_time_table_and_key) {
  EXPECT_EQ(verb("conflicts", {"--since", "2026-01-01T12:00", "--table", "customer", "--key", "7", "--limit", "9"}), 0);
  ASSERT_EQ(home.asked_conflicts.size(), 1u);
  const conflict_filter& f = home.asked_conflicts[0];
  EXPECT_EQ(f.since_us, noon);
  EXPECT_EQ(f.table, "customer");
  EXPECT_EQ(f.key, "7");
  EXPECT_EQ(f.limit, 9u);
  EXPECT_EQ(verb("conflicts", {"--since", "2026-01-01"}), 0);
  EXPECT_EQ(home.asked_conflicts[1].since_us, noon - 12 * 3600 * std::int64_t{1'000'000});
  EXPECT_EQ(verb("conflicts", {"--since", "2026-01-01 12:00:05Z"}), 0);
  EXPECT_EQ(home.asked_conflicts[2].since_us, noon + 5'000'000);
  const std::int64_t now = std::int64_t{std::time(nullptr)} * 1'000'000;
  for (const auto& [text, seconds] : {std::pair{"90s", 90}, {"10m", 600}, {"2h", 7200}, {"3d", 3 * 86400}}) {
    EXPECT_EQ(verb("conflicts", {"--since", text}), 0) << text;
    EXPECT_NEAR(static_cast<double>(now - home.asked_conflicts.back().since_us), seconds * 1e6, 5e6) << text;
  }
  for (const char* wrong : {"soon", "2026", "12:00", "3y", "-1h", "2026-01-01T12:00x", "99999999d"}) EXPECT_EQ(verb("conflicts", {"--since", wrong}), 2) << wrong;
  EXPECT_EQ(verb("conflicts", {"--limit", "0"}), 2);
}

TEST_F(decisions, one_conflict_is_shown_whole_with_what_differs_marked) {
  log(home, 12, noon);
  EXPECT_EQ(verb("conflicts", {"show", "12"}), 0);
  EXPECT_THAT(out, AllOf(HasSubstr("secret base  secret home  secret spoke  secret spoke"), HasSubstr("*  name"), Not(HasSubstr("*  id")), HasSubstr("home@111"),
                         HasSubstr("spoke@222"), HasSubstr("2026-01-01 11:59:58.000"), HasSubstr("latest")));
  EXPECT_EQ(verb("conflicts", {"show", "12", "--json"}), 0);
  const json one = json::parse(out)["conflict"];
  EXPECT_EQ(one["home_row"]["name"], "secret home");
  EXPECT_EQ(one["home_position"], "home@111");
  EXPECT_EQ(one["spoke_time"], "2026-01-01T11:59:59.000000Z");
  for (const char* unknown : {"13", "s12", "x", "0", "99999999999999999999"}) {
    EXPECT_EQ(verb("conflicts", {"show", unknown}), 1) << unknown;
    EXPECT_THAT(err, HasSubstr("there is no entry"));
  }
  EXPECT_EQ(verb("conflicts", {"show", "13", "--json"}), 1);
  EXPECT_EQ(json::parse(out)["result"], "unknown");
  EXPECT_EQ(verb("conflicts", {"show"}), 2);
}

TEST_F(decisions, of_a_link_that_is_not_set_up_or_reached_are_refused) {
  home.control.reset();
  for (const char* v : {"conflicts", "held"}) EXPECT_EQ(verb(v), 4) << v;
  spoke.no_connection = failure(failure_kind::cannot_connect, "refused");
  for (const char* v : {"conflicts", "held"}) EXPECT_EQ(verb(v), 3) << v;
}

TEST_F(decisions, what_waits_is_listed_by_key_and_shown_with_its_rows) {
  EXPECT_EQ(verb("held"), 0);
  EXPECT_THAT(out, HasSubstr("nothing waits"));
  wait_for_a_person();
  EXPECT_EQ(verb("held"), 1);
  EXPECT_THAT(out, AllOf(HasSubstr("1   public.customer  id=7  both sides  2        2026-01-01 12:00:00.000  both sides wrote it"), Not(HasSubstr("secret"))));
  EXPECT_EQ(verb("held", {"--table", "order"}), 0);
  EXPECT_EQ(verb("held", {"--table", "customer", "--json"}), 1);
  const json all = json::parse(out)["held"];
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0]["at"], "both");
  EXPECT_EQ(all[0]["changes"], 2);
  for (const char* id : {"1", "s5", "h1"}) {  // each of its changes names it
    EXPECT_EQ(verb("held", {"show", id}), 1) << id;
    EXPECT_THAT(out, AllOf(HasSubstr("*  name    home's  spoke's"), HasSubstr("update made at spoke"), HasSubstr("secret name"), HasSubstr("spoke@77"))) << out;
  }
  EXPECT_EQ(verb("held", {"show", "1", "--json"}), 1);
  EXPECT_EQ(json::parse(out)["held"]["home_row"]["name"], "home's");
  EXPECT_EQ(json::parse(out)["held"]["changes"].size(), 2u);
  EXPECT_EQ(verb("held", {"show", "2"}), 1);
  EXPECT_THAT(err, HasSubstr("nothing waits under the id 2"));
  EXPECT_THAT(order, IsEmpty()) << "it only looks";
}

TEST_F(decisions, are_one_transaction_at_home_that_moves_the_counter_alone) {
  wait_for_a_person();
  EXPECT_EQ(verb("held", {"resolve", "1", "--pick", "spoke", "--yes"}), 0) << err;
  EXPECT_THAT(order, ElementsAre("home begin", "home update", "home refresh spoke's by spoke ends", "home commit"));
  EXPECT_EQ(*home.control, (control_row{"shop", 4, {10}, {20}, 31, 40, "spoke-1", "home-1"}));
  EXPECT_EQ(home.rows["7"].values[1], "spoke's");
  EXPECT_THAT(home.waiting, IsEmpty());
  EXPECT_EQ(spoke.waiting.size(), 1u) << "the spoke's applier removes it";
  ASSERT_EQ(home.conflicts.size(), 1u);
  const conflict_entry& e = home.conflicts[0];
  EXPECT_EQ(e.type, "held");
  EXPECT_EQ(e.rule, "manual");
  EXPECT_EQ(e.winner, "spoke");
  EXPECT_NE(e.decided_by, "rule");
  EXPECT_EQ(json::parse(e.home_row)["name"], "home's");
  EXPECT_EQ(json::parse(e.result_row)["name"], "spoke's");
}

TEST_F(decisions, pick_home_set_and_delete_do_what_they_say) {
  wait_for_a_person();
  EXPECT_EQ(verb("held", {"resolve", "s5", "--pick", "home", "--yes", "--json"}), 0) << out;
  EXPECT_EQ(json::parse(out)["result"], "decided");
  EXPECT_EQ(json::parse(out)["keys"][0]["result_row"]["name"], "home's");
  EXPECT_THAT(order, ElementsAre("home begin", "home refresh home's by home ends", "home commit"));
  wait_for_a_person();
  order.clear();
  EXPECT_EQ(verb("held", {"resolve", "1", "--pick", "spoke", "--set", "name=a=b", "--yes"}), 0) << err;
  EXPECT_THAT(order, ElementsAre("home begin", "home update", "home refresh a=b by home ends", "home commit"));
  EXPECT_EQ(home.conflicts.back().winner, "set");
  wait_for_a_person();
  order.clear();
  EXPECT_EQ(verb("held", {"resolve", "1", "--set", "name", "--yes"}), 0) << err;
  EXPECT_EQ(home.rows["7"].values[1], std::nullopt);
  wait_for_a_person();
  order.clear();
  EXPECT_EQ(verb("held", {"resolve", "1", "--delete", "--yes"}), 0) << err;
  EXPECT_THAT(order, ElementsAre("home begin", "home delete", "home refresh gone by home ends", "home commit"));
  EXPECT_EQ(home.conflicts.back().winner, "delete");
  EXPECT_EQ(home.conflicts.back().result_row, "");
  home.waiting.push_back(change(2, "8", operation::insert, "refused"));
  spoke.rows["8"] = customer("8", "new");
  order.clear();
  EXPECT_EQ(verb("held", {"resolve", "2", "--pick", "spoke", "--yes"}), 0) << err;
  EXPECT_THAT(order, ElementsAre("home begin", "home insert", "home refresh new by spoke ends", "home commit"));
}

TEST_F(decisions, need_words_that_fit) {
  wait_for_a_person();
  const std::vector<std::vector<std::string>> wrong = {
      {"1"}, {"--pick", "home"}, {"1", "--pick", "me"}, {"1", "--pick", "home", "--delete"}, {"--all", "--pick", "home"}, {"1", "--all", "--table", "customer", "--pick", "home"},
      {"--all", "--table", "customer", "--set", "name=x"}, {"1", "--set", "nonsense=1"}, {"1", "--set", "id=1"}};
  for (auto words : wrong) {
    words.insert(words.begin(), "resolve");
    words.push_back("--yes");
    EXPECT_EQ(verb("held", words), 2) << ::testing::PrintToString(words);
  }
  EXPECT_EQ(verb("held", {"resolve", "1", "--pick", "home"}), 2);
  EXPECT_THAT(err, HasSubstr("there is no terminal to ask"));
  EXPECT_EQ(verb("held", {"resolve", "44", "--pick", "home", "--yes"}), 1);
  EXPECT_EQ(home.control->counter, 30u);
}

TEST_F(decisions, are_asked_for_with_both_rows_in_view) {
  wait_for_a_person();
  EXPECT_EQ(call({"held", "resolve", "1", "--pick", "home", "-c", file()}, "no\n", true), 1);
  EXPECT_THAT(out, AllOf(HasSubstr("*  name    home's  spoke's"), HasSubstr("Home's row shall stand"), HasSubstr("Nothing was decided")));
  EXPECT_THAT(order, IsEmpty());
  EXPECT_EQ(call({"held", "resolve", "1", "--pick", "home", "-c", file()}, "yes\n", true), 0) << err;
  EXPECT_THAT(out, HasSubstr("decided: public.customer, id=7: home's row"));
}

TEST_F(decisions, of_keys_that_share_a_change_are_made_together_or_not_at_all) {
  for (const auto& [number, id] : {std::pair{1, "7"}, {2, "8"}}) {
    held_change h = change(static_cast<std::uint64_t>(number), id, operation::update, number == 1 ? "manual" : "its key was changed by a held change: manual");
    h.before_row = image("8", "old");
    h.after_row = image("7", "new");
    home.waiting.push_back(h);
  }
  home.rows["8"] = customer("8", "home's");
  spoke.rows["7"] = customer("7", "new");
  EXPECT_EQ(verb("held", {"resolve", "1", "--pick", "spoke", "--yes"}), 4);
  EXPECT_THAT(err, AllOf(HasSubstr("together"), HasSubstr("resolve 1 2")));
  EXPECT_THAT(order, IsEmpty());
  EXPECT_EQ(verb("held", {"show", "2"}), 1);
  EXPECT_THAT(out, HasSubstr("shares a change with 1"));
  EXPECT_EQ(verb("held", {"resolve", "1", "2", "--pick", "spoke", "--yes"}), 0) << err;
  EXPECT_THAT(order, ElementsAre("home begin", "home delete", "home insert", "home refresh new by spoke ends", "home refresh gone by spoke ends", "home commit"));
}

TEST_F(decisions, of_all_keys_of_a_table_take_one_transaction) {
  wait_for_a_person();
  home.waiting.push_back(change(2, "8", operation::insert, "refused"));
  spoke.rows["8"] = customer("8", "new");
  EXPECT_EQ(verb("held", {"resolve", "--all", "--table", "customer", "--pick", "spoke", "--yes", "--json"}), 0) << out;
  EXPECT_EQ(json::parse(out)["keys"].size(), 2u);
  EXPECT_EQ(home.control->counter, 31u);
  EXPECT_THAT(home.waiting, IsEmpty());
  spoke.waiting.clear();
  EXPECT_EQ(verb("held", {"resolve", "--all", "--table", "customer", "--pick", "spoke", "--yes"}), 0);
  EXPECT_THAT(out, HasSubstr("nothing of customer waits"));
}

TEST_F(decisions, of_a_stopped_table_and_in_other_databases_are_refused) {
  wait_for_a_person();
  home.control->own_identity = "home-2";
  EXPECT_EQ(verb("held", {"resolve", "1", "--pick", "home", "--yes"}), 4);
  EXPECT_THAT(err, HasSubstr("not the ones"));
  home.control->own_identity = "home-1";
  held_change truncated = change(9, "7", operation::truncate, "TRUNCATE of a table that is synced both ways");
  truncated.key = "{}";
  truncated.token = 99;
  spoke.waiting.push_back(truncated);
  for (const char* id : {"1", "s9"}) {
    EXPECT_EQ(verb("held", {"resolve", id, "--pick", "home", "--yes"}), 4) << id;
    EXPECT_THAT(err, AllOf(HasSubstr("TRUNCATE"), HasSubstr("duet setup")));
  }
  EXPECT_THAT(home.conflicts, IsEmpty());
}

TEST_F(decisions, of_a_table_that_held_too_many_keys_let_it_go_on) {
  wait_for_a_person();
  held_change full = change(9, "7", operation::truncate, "more than 1 keys wait: the table is stopped until someone decides about them");
  full.key = "{}";
  full.token = 99;
  full.server_code = held_limit_code;
  spoke.waiting.push_back(full);
  EXPECT_EQ(verb("held", {"resolve", "1", "--pick", "home", "--yes"}), 0) << err;  // its keys can be decided one by one
  EXPECT_THAT(out, Not(HasSubstr("goes on")));
  spoke.waiting.clear();
  wait_for_a_person();
  spoke.waiting.push_back(full);
  order.clear();
  EXPECT_EQ(verb("held", {"resolve", "--all", "--table", "customer", "--pick", "home", "--yes", "--json"}), 0) << out << err;
  EXPECT_EQ(json::parse(out)["tables"], json({"public.customer"}));
  EXPECT_EQ(json::parse(out)["keys"].size(), 1u);
  EXPECT_THAT(order, ElementsAre("home begin", "home refresh home's by home ends", "home commit", "home begin", "spoke remove_held", "home commit"));
  EXPECT_EQ(home.conflicts.back().result, "decided by hand: the table goes on");
  spoke.waiting.push_back(full);
  EXPECT_EQ(call({"held", "resolve", "s9", "--pick", "home", "-c", file()}, "yes\n", true), 0) << err;
  EXPECT_THAT(out, AllOf(HasSubstr("Table public.customer shall go on"), HasSubstr("table public.customer goes on")));
}

TEST_F(decisions, after_the_order_of_tables_has_changed_are_refused) {
  wait_for_a_person();
  home.waiting[0].token = spoke.waiting[0].token = 12345;
  EXPECT_EQ(verb("held", {"resolve", "1", "--pick", "home", "--yes"}), 4);
  EXPECT_THAT(err, HasSubstr("old order"));
}

TEST_F(decisions, are_in_the_help) {
  EXPECT_EQ(call({"--help"}), 0);
  EXPECT_THAT(out, AllOf(HasSubstr("conflicts"), HasSubstr("held resolve")));
  EXPECT_EQ(call({"held", "resolve", "--help"}), 0);
  EXPECT_THAT(out, AllOf(HasSubstr("--pick"), HasSubstr("--set"), HasSubstr("--delete"), HasSubstr("--all"), HasSubstr("--yes")));
}
