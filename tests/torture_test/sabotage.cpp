#include "torture_test/sabotage.hpp"

#include <algorithm>
#include <cstdio>

namespace duet::torture {
namespace {

struct damage {
  std::string name, invariant;
  std::string at_home, at_spoke;            // empty: nothing
  std::string undo_home, undo_spoke;
};

// One and the same change on both sides, so that they are equal and only the other invariants can tell.
damage on_both(std::string name, std::string invariant, const std::string& done, const std::string& undo) {
  return {std::move(name), std::move(invariant), done, done, undo, undo};
}

std::string in_quotes(const std::string& text) { return '\'' + text + '\''; }

}  // namespace

std::vector<std::string> try_the_judge(stage& s, const observed& seen) {
  const std::string link = in_quotes(s.link());
  std::vector<damage> all;

  // A row of kv whose name was written in this run, and which nobody has ever written over (an ABA pair does, and it is back).
  auto kept = s.ask(side::home, "SELECT id, name FROM kv WHERE name NOT LIKE 'h.0.%' AND NOT EXISTS (SELECT FROM duet.conflict_log c WHERE name IN "
                                "(c.home_row ->> 'name', c.spoke_row ->> 'name') AND c.result_row ->> 'name' IS DISTINCT FROM name) ORDER BY id");
  std::erase_if(kept, [&](const testing::sql_row& r) {
    const std::string is = " = " + in_quotes(*r[1]), at_home = "(before_row::json ->> 'name')", at_spoke = "json_unquote(json_extract(before_row, '$.name'))";
    const std::string gone_home = " AND (after_row::json ->> 'name') IS DISTINCT FROM " + in_quotes(*r[1]);
    const std::string gone_spoke = " AND NOT (json_unquote(json_extract(after_row, '$.name')) <=> " + in_quotes(*r[1]) + ")";
    return s.value(side::home, "SELECT count(*) FROM j WHERE tbl = 'kv' AND " + at_home + is + gone_home) != "0" ||
           s.value(side::spoke, "SELECT count(*) FROM j WHERE tbl = 'kv' AND " + at_spoke + is + gone_spoke) != "0";
  });
  if (kept.empty()) return {"no row of kv is left to be changed"};
  const std::string row = " WHERE id = " + *kept[0][0], undo = "UPDATE kv SET name = " + in_quotes(*kept[0][1]) + row;
  all.push_back({"a row of one side is changed", "I1", "", "UPDATE kv SET name = 'h.0.1.name'" + row, "", undo});
  const std::string mark = s.value(side::home, "SELECT v FROM mark WHERE id = 1");
  all.push_back({"a row of one side is gone", "I1", "", "DELETE FROM mark WHERE id = 1", "", "INSERT INTO mark VALUES (1, " + mark + ")"});
  all.push_back(on_both("a value is lost on both sides", "I3", "UPDATE kv SET name = 'h.0.1.name'" + row, undo));
  all.push_back(on_both("a value is invented", "I4", "UPDATE kv SET name = 'h.9.9.name'" + row, undo));
  all.push_back(on_both("a delta is lost", "I2", "UPDATE acct SET balance = balance + 1 WHERE id = 1", "UPDATE acct SET balance = balance - 1 WHERE id = 1"));
  all.push_back(on_both("half a transaction is there", "I6", "UPDATE pair SET value = value + 1 WHERE pair = 1 AND half = 0",
                        "UPDATE pair SET value = value - 1 WHERE pair = 1 AND half = 0"));

  // Its number becomes another row's, where name and number are decided as one.
  const auto& whole = s.planned().whole;
  const std::string number = s.value(side::home, "SELECT n FROM kv" + row);
  const std::string another = s.value(side::home, "SELECT n FROM kv WHERE n <> " + number + " ORDER BY id LIMIT 1");
  if (std::any_of(whole.begin(), whole.end(), [](const auto& w) { return w.first == "kv"; }))
    all.push_back(on_both("two sides are mixed in one group", "I14", "UPDATE kv SET n = " + another + row, "UPDATE kv SET n = " + number + row));

  // A name that was deleted and is nowhere in the conflict log comes back in the row.
  const auto deleted = s.ask(side::home, "SELECT before_row::json ->> 'name' FROM j WHERE tbl = 'kv' AND op = 'delete' AND NOT EXISTS (SELECT FROM "
                                         "duet.conflict_log c WHERE c.result_row ->> 'name' = j.before_row::json ->> 'name') AND NOT EXISTS (SELECT FROM kv "
                                         "WHERE name = j.before_row::json ->> 'name') ORDER BY j.id DESC LIMIT 1");
  if (deleted.empty()) return {"nothing was deleted that could come back"};
  all.push_back(on_both("a deleted value is back", "I5", "UPDATE kv SET name = " + in_quotes(*deleted[0][0]) + row, undo));

  const std::string orphan_home = "SET session_replication_role = replica; INSERT INTO ch VALUES (9999, 9999, 'h.0.1.v'); SET session_replication_role = origin";
  const std::string orphan_spoke = "SET foreign_key_checks = 0; INSERT INTO ch VALUES (9999, 9999, 'h.0.1.v'); SET foreign_key_checks = 1";
  all.push_back({"a child has no parent", "I11", orphan_home, orphan_spoke, "DELETE FROM ch WHERE id = 9999", "DELETE FROM ch WHERE id = 9999"});
  const std::string conflict = "INSERT INTO duet.conflict_log (link, table_name, key, type, rule, winner, result) VALUES (" + link + ", 'public.kv', '{\"id\": \"9999\"}', 't', ";
  const std::string no_conflict = "DELETE FROM duet.conflict_log WHERE type = 't'";
  all.push_back({"a conflict is logged that nobody had", "I9", conflict + "'home', 'home', 'x')", "", no_conflict, ""});
  all.push_back({"a row was not as the log said", "I13", conflict + "'drift', 'home', 'x')", "", no_conflict, ""});
  all.push_back({"a row is held that nothing speaks against", "I10",
                 "INSERT INTO duet.held (link, table_name, key, token, operation, reason, source_position) VALUES (" + link +
                     ", 'public.kv', '{\"id\": \"9999\"}', 1, 'update', 'x', 1)",
                 "", "DELETE FROM duet.held WHERE token = 1", ""});

  std::vector<std::string> unseen;
  std::printf("  the judge is tried: %zu kinds of damage\n", all.size());
  for (const damage& d : all) {
    if (!d.at_home.empty()) s.ask(side::home, d.at_home);
    if (!d.at_spoke.empty()) s.ask(side::spoke, "SET sql_log_bin = 0; " + d.at_spoke);
    const verdict v = judge(s, seen, evidence::none);
    const bool told = std::any_of(v.violations.begin(), v.violations.end(), [&](const violation& x) { return x.invariant == d.invariant; });
    std::printf("    %-4s %-44s %s\n", d.invariant.c_str(), d.name.c_str(), told ? "seen" : "NOT SEEN");
    if (!told) unseen.push_back(d.name + " (" + d.invariant + ")");
    if (!d.undo_home.empty()) s.ask(side::home, d.undo_home);
    if (!d.undo_spoke.empty()) s.ask(side::spoke, "SET sql_log_bin = 0; " + d.undo_spoke);
  }
  observed torn = seen;
  torn.torn = 1;
  const verdict v = judge(s, torn, evidence::none);
  if (std::none_of(v.violations.begin(), v.violations.end(), [](const violation& x) { return x.invariant == "I6"; })) unseen.push_back("a torn pair was seen (I6)");
  if (unseen.empty() && !judge(s, seen, evidence::none).violations.empty()) unseen.push_back("the damage was not undone");
  return unseen;
}

}  // namespace duet::torture
