// duet verify: what is equal is never called different, whatever is under way; what was damaged by hand is found, and only that.
#include "integration/sync/sync_fixture.hpp"

using namespace duet::testing;
using ::testing::HasSubstr;

namespace {

class verify : public sync_test {
 protected:
  verify() {
    at_home("CREATE TABLE wide (name varchar(40), no int, price numeric(12, 4), share double precision, at timestamptz(6), day date, data bytea, doc jsonb, flag boolean,"
            " id uuid, PRIMARY KEY (name, no)); ALTER TABLE wide REPLICA IDENTITY FULL");
    at_spoke("CREATE TABLE wide (name varchar(40), no int, price decimal(12, 4), share double, at datetime(6), day date, data longblob, doc json, flag tinyint(1),"
             " id char(36), PRIMARY KEY (name, no)) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
  }
  void begin(const std::string& of_kv = "") {
    std::string tables = "  - home: public.wide\n";
    write_config(tables + of_kv);
    set_up();
    if (!HasFatalFailure()) start();
  }
  void fill() {
    at_home("INSERT INTO wide SELECT 'Zoë ' || i % 30, i, i / 7.0, i / 3.0, '2024-02-29 23:59:59.999999+00'::timestamptz + i * interval '1 hour', '2024-01-01'::date + i,"
            " decode(md5(i::text), 'hex'), CASE WHEN i % 5 > 0 THEN jsonb_build_object('n', i, 'list', jsonb_build_array(1.5, NULL, 'ü')) END, i % 2 = 0,"
            " CASE WHEN i % 4 > 0 THEN md5(i::text)::uuid END FROM generate_series(1, 5000) i");
  }
  const std::vector<std::string> damage_ = {"UPDATE wide SET share = share + 0.001 WHERE no = 17", "UPDATE wide SET data = NULL, price = 1 WHERE no = 4000",
                                            "UPDATE wide SET doc = '{\"n\": 18, \"list\": [1.5, null, \"u\"]}' WHERE no = 18", "DELETE FROM wide WHERE no = 2500",
                                            "DELETE FROM wide WHERE no = 5000", "INSERT INTO wide (name, no) VALUES ('Zoe', 9001), ('A', 9002)"};
  void repair_under_load(const std::string& truth) {
    begin();
    fill();
    settle(*hub_);
    if (HasFatalFailure()) return;
    damage_spoke(damage_);
    two_way_load load(home(), home_db_, spoke(), spoke_db_, seed());
    const auto before = at_spoke("SELECT * FROM wide ORDER BY no");
    const auto dry = run({DUET_BINARY, "repair", "--truth", truth, "--dry-run", "-c", config_file()}, 120s);
    EXPECT_EQ(dry.exit_code, 1) << dry.output;
    EXPECT_THAT(dry.output, HasSubstr("7 of 7 rows that differ would be as they are at " + truth));
    EXPECT_EQ(at_spoke("SELECT * FROM wide ORDER BY no"), before);
    const auto done = run({DUET_BINARY, "repair", "--truth", truth, "--yes", "--json", "-c", config_file()}, 120s);
    EXPECT_EQ(done.exit_code, 0) << done.output << hub_->output();
    EXPECT_EQ(nlohmann::json::parse(done.output)["repaired"], 7) << done.output;
    EXPECT_TRUE(eventually([&] { return verified().code == 0; }, 30s)) << verified().said.dump(1);
    load.stop_writing();
    settle(*hub_);
    load.stop();
    if (HasFatalFailure()) return;
    expect_equal();
    EXPECT_EQ(verified().of("public.wide")["equal"], 5000);
    const std::string there = "SELECT count(*) FROM wide WHERE no IN (2500, 5000)", extra = "SELECT count(*) FROM wide WHERE no > 9000";
    expect_both(there, {{truth == "home" ? "2" : "0"}});
    expect_both(extra, {{truth == "home" ? "0" : "2"}});
    EXPECT_EQ(at_home("SELECT count(*), count(home_row), count(spoke_row), min(winner), max(winner) FROM duet.conflict_log WHERE link = '" + link_ + "' AND type = 'repair'"),
              (sql_rows{{"7", "5", "5", truth, truth}}));
    const auto nothing = run({DUET_BINARY, "repair", "--truth", truth, "--yes", "-c", config_file()}, 120s);
    EXPECT_EQ(nothing.exit_code, 0);
    EXPECT_THAT(nothing.output, HasSubstr("there is nothing to repair"));
  }
  struct answer {
    int code;
    nlohmann::json said;
    const nlohmann::json& of(const std::string& table) const {
      for (const auto& t : said["tables"])
        if (t["table"] == table) return t;
      throw std::runtime_error("no table " + table + " in " + said.dump());
    }
  };
  answer verified(std::vector<std::string> more = {}) {
    std::vector<std::string> command = {DUET_BINARY, "verify", "--json", "-c", config_file()};
    command.insert(command.end(), more.begin(), more.end());
    const auto r = run(command, 120s);
    const auto j = nlohmann::json::parse(r.output, nullptr, false);
    if (j.is_discarded() || !j.contains("tables")) throw std::runtime_error(r.output);
    return {r.exit_code, j};
  }
  // Behind the back of the log.
  void damage_spoke(const std::vector<std::string>& statements) {
    const auto session = connect(spoke().endpoint_of(spoke_db_));
    session->exec("SET SESSION sql_log_bin = 0");
    for (const auto& sql : statements) session->exec(sql);
  }
};

INSTANTIATE_TEST_SUITE_P(each, verify, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

TEST_P(verify, calls_nothing_different_that_is_only_under_way) {
  begin();
  fill();
  const unsigned s = seed();
  SCOPED_TRACE("DUET_SEED=" + std::to_string(s));
  two_way_load load(home(), home_db_, spoke(), spoke_db_, s);
  std::uint64_t under_way = 0;
  for (int i = 0; i < 6; ++i) {
    const answer a = verified();
    EXPECT_EQ(a.code, 0) << a.said.dump(1);
    EXPECT_EQ(a.said["hub_runs"], true);
    for (const auto& t : a.said["tables"]) under_way += t["under_way"].get<std::uint64_t>();
  }
  load.stop_writing();
  settle(*hub_);
  load.stop();
  if (HasFatalFailure()) return;
  EXPECT_GT(under_way, 0u) << "nothing was under way when rows were read";
  const answer a = verified();
  EXPECT_EQ(a.code, 0) << a.said.dump(1);
  EXPECT_EQ(a.of("public.wide")["equal"], 5000);
  EXPECT_EQ(a.of("public.wide")["under_way"], 0);
  expect_equal();
}

TEST_P(verify, finds_what_was_damaged_and_nothing_else_under_load) {
  begin();
  fill();
  settle(*hub_);
  if (HasFatalFailure()) return;
  damage_spoke(damage_);
  two_way_load load(home(), home_db_, spoke(), spoke_db_, seed());
  for (int again : {1, 2}) {
    const answer a = verified();
    EXPECT_EQ(a.code, 1) << again;
    EXPECT_EQ(a.of("public.kv")["different"], 0) << a.said.dump(1);
    EXPECT_EQ(a.of("public.counter")["different"], 0) << a.said.dump(1);
    const auto& t = a.of("public.wide");
    EXPECT_EQ(t["equal"], 4995);
    std::map<std::string, std::string> found;
    for (const auto& d : t["differences"]) found[d["key"]["no"]] = d["kind"].get<std::string>() + d["columns"].dump();
    const std::map<std::string, std::string> wanted = {{"17", "different[\"share\"]"},  {"18", "different[\"doc\"]"},      {"4000", "different[\"price\",\"data\"]"},
                                                       {"2500", "missing_at_spoke[]"}, {"5000", "missing_at_spoke[]"}, {"9001", "missing_at_home[]"},
                                                       {"9002", "missing_at_home[]"}};
    EXPECT_EQ(found, wanted) << t.dump(1);
  }
  load.stop_writing();
  settle(*hub_);
  load.stop();
  const auto text = run({DUET_BINARY, "verify", "--table", "wide", "--limit", "3", "-c", config_file()}, 60s);
  EXPECT_EQ(text.exit_code, 1);
  EXPECT_THAT(text.output, HasSubstr("public.wide: 4,995 rows are equal, 7 differ\n"));
  EXPECT_THAT(text.output, HasSubstr("  and 4 more\n7 rows differ\n"));
}

TEST_P(verify, and_repair_by_home_make_both_sides_equal_under_load) { repair_under_load("home"); }

TEST_P(verify, and_repair_by_the_spoke_make_both_sides_equal_under_load) { repair_under_load("spoke"); }

TEST_P(verify, says_that_it_cannot_know_without_a_hub_and_leaves_held_rows_out) {
  begin();
  fill();
  both_write(1);
  settle(*hub_);
  if (HasFatalFailure()) return;
  at_home("INSERT INTO duet.held (link, table_name, key, token, operation, reason, source_position) VALUES ('" + link_ +
          "', 'public.wide', '{\"name\": \"Zoë 7\", \"no\": \"7\"}', 7, 'update', 'a test', 1)");
  damage_spoke({"UPDATE wide SET flag = NOT flag WHERE no = 7"});
  const answer held = verified({"--table", "public.wide", "--rate", "100000"});
  EXPECT_EQ(held.code, 0) << held.said.dump(1);
  EXPECT_EQ(held.of("public.wide")["held"], 1);
  EXPECT_EQ(held.said["tables"].size(), 1u);
  at_home("DELETE FROM duet.held WHERE link = '" + link_ + "'");
  stop_hub();
  at_home("INSERT INTO kv VALUES (777, 1, 'not yet there')");
  const answer alone = verified();
  EXPECT_EQ(alone.code, 1);
  EXPECT_EQ(alone.said["hub_runs"], false);
  EXPECT_EQ(alone.of("public.kv")["different"], 1);
  const auto repair = run({DUET_BINARY, "repair", "--truth", "home", "--yes", "-c", config_file()}, 60s);
  EXPECT_EQ(repair.exit_code, 4) << repair.output;
  EXPECT_THAT(repair.output, HasSubstr("no hub runs"));
  const auto unasked = run({DUET_BINARY, "repair", "--truth", "home", "-c", config_file()}, 60s);
  EXPECT_EQ(unasked.exit_code, 2) << unasked.output;
  const auto unknown = run({DUET_BINARY, "verify", "--table", "nosuch", "-c", config_file()}, 60s);
  EXPECT_EQ(unknown.exit_code, 2) << unknown.output;
}

// Whole numbers stand in one order on both sides: these are read side by side, whatever the order of the key's columns.
TEST_P(verify, reads_tables_with_numbers_for_keys_side_by_side) {
  at_home("CREATE TABLE grid (a int, b bigint, v text, PRIMARY KEY (a, b)); ALTER TABLE grid REPLICA IDENTITY FULL");
  at_spoke("CREATE TABLE grid (a int, b bigint, v varchar(20), PRIMARY KEY (b, a)) CHARACTER SET utf8mb4");
  begin("  - home: public.grid\n");
  if (HasFatalFailure()) return;
  at_home("INSERT INTO grid SELECT i % 70 - 35, i / 70 - 50, 'v' || i FROM generate_series(1, 7000) i");
  settle(*hub_);
  if (HasFatalFailure()) return;
  EXPECT_EQ(verified({"--table", "grid"}).of("public.grid")["equal"], 7000);
  damage_spoke({"DELETE FROM grid WHERE a = -35 OR (a = 34 AND b = 49)", "INSERT INTO grid VALUES (-36, -99, 'new'), (99, 0, 'new'), (0, 51, 'new')", "UPDATE grid SET v = 'off' WHERE a = 0 AND b IN (-50, 0, 49)"});
  const answer a = verified({"--table", "grid"});
  EXPECT_EQ(a.code, 1);
  EXPECT_EQ(a.of("public.grid")["different"], 101 + 3 + 3) << a.said.dump(1).substr(0, 3000);
  EXPECT_EQ(a.of("public.grid")["equal"], 7000 - 101 - 3);
  const auto csv = run({DUET_BINARY, "verify", "--table", "grid", "--csv", "--limit", "1", "-c", config_file()}, 120s);
  EXPECT_EQ(csv.exit_code, 1);
  EXPECT_EQ(std::count(csv.output.begin(), csv.output.end(), '\n'), 1 + 107) << csv.output.substr(0, 500);
  EXPECT_THAT(csv.output, ::testing::StartsWith("table,kind,key,columns,why\r\n"));
  EXPECT_THAT(csv.output, HasSubstr("\"public.grid\",different,\"{\"\"a\"\":\"\"0\"\",\"\"b\"\":\"\"49\"\"}\",\"v\",\"\"\r\n"));
}

// Two filled sides are brought together, each difference by a rule.
TEST_P(verify, then_repair_unites_two_filled_sides) {
  at_home("CREATE TABLE person (id int PRIMARY KEY, name text, changed timestamp(6)); ALTER TABLE person REPLICA IDENTITY FULL;"
          "INSERT INTO person SELECT i, 'home', '2024-01-01'::timestamp + i * interval '1 hour' FROM generate_series(1, 300) i");
  at_spoke("CREATE TABLE person (id int PRIMARY KEY, name varchar(50), changed datetime(6)) CHARACTER SET utf8mb4");
  at_spoke("INSERT INTO person SELECT a.n * 20 + b.n + 201, 'spoke', '2024-01-01 00:00:00' + INTERVAL (a.n * 20 + b.n + 201) HOUR + INTERVAL IF(b.n % 2, 1, -1) MINUTE"
           " FROM (SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) a,"
           " (SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9"
           " UNION SELECT 10 UNION SELECT 11 UNION SELECT 12 UNION SELECT 13 UNION SELECT 14 UNION SELECT 15 UNION SELECT 16 UNION SELECT 17 UNION SELECT 18 UNION SELECT 19) b");
  begin("  - home: public.person\n    conflict: { rule: latest, latest_by: changed }\n");  // 1-200 at home only, 201-300 on both, 301-400 at the spoke only
  if (HasFatalFailure()) return;
  const auto repair = [&](const std::string& truth) { return run({DUET_BINARY, "repair", "--truth", truth, "--table", "person", "--yes", "-c", config_file()}, 120s); };
  const auto united = repair("union");
  EXPECT_EQ(united.exit_code, 1) << united.output;
  EXPECT_THAT(united.output, HasSubstr("300 of 400 rows that differ are repaired"));
  settle(*hub_);
  if (HasFatalFailure()) return;
  EXPECT_EQ(at_home("SELECT count(*), min(name), max(name) FROM person WHERE id > 300"), (sql_rows{{"100", "spoke", "spoke"}}));
  EXPECT_EQ(at_spoke("SELECT count(*), min(name), max(name) FROM person WHERE id <= 200"), (sql_rows{{"200", "home", "home"}}));
  EXPECT_EQ(verified({"--table", "person"}).of("public.person")["different"], 100);
  const auto decided = repair("latest");
  EXPECT_EQ(decided.exit_code, 0) << decided.output << hub_->output();
  settle(*hub_);
  if (HasFatalFailure()) return;
  EXPECT_EQ(verified({"--table", "person"}).code, 0);
  expect_both("SELECT name, count(*) FROM person WHERE id BETWEEN 201 AND 300 GROUP BY name ORDER BY name", {{"home", "50"}, {"spoke", "50"}});
  EXPECT_EQ(at_home("SELECT winner, count(*) FROM duet.conflict_log WHERE link = '" + link_ + "' AND type = 'repair' GROUP BY winner ORDER BY winner"),
            (sql_rows{{"home", "250"}, {"spoke", "150"}}));
  const auto unruled = run({DUET_BINARY, "repair", "--truth", "latest", "--dry-run", "-c", config_file()}, 120s);
  EXPECT_EQ(unruled.exit_code, 0) << unruled.output;
}

// One row that can't be repaired is named, and keeps no other from it. A key that the server takes in no statement is compared all the same.
TEST_P(verify, and_repair_go_on_where_one_row_cannot_be_mended) {
  at_home("CREATE TABLE odd (id int PRIMARY KEY, flag boolean, v text); ALTER TABLE odd REPLICA IDENTITY FULL;"
          "CREATE TABLE dated (d date PRIMARY KEY, v int); ALTER TABLE dated REPLICA IDENTITY FULL");
  at_spoke("CREATE TABLE odd (id int PRIMARY KEY, flag tinyint(1), v varchar(50)) CHARACTER SET utf8mb4");
  at_spoke("CREATE TABLE dated (d date PRIMARY KEY, v int)");
  begin("  - home: public.odd\n  - home: public.dated\n");
  if (HasFatalFailure()) return;
  at_home("INSERT INTO odd SELECT i, true, 'v' FROM generate_series(1, 20) i; INSERT INTO dated VALUES ('2024-01-01', 1)");
  settle(*hub_);
  if (HasFatalFailure()) return;
  damage_spoke({"UPDATE odd SET flag = 7 WHERE id = 3", "UPDATE odd SET v = 'off' WHERE id IN (2, 4, 5)", "SET SESSION sql_mode = ''", "INSERT INTO dated VALUES ('0000-00-00', 2)"});
  const answer a = verified();
  EXPECT_EQ(a.code, 1);
  EXPECT_EQ(a.of("public.odd")["different"], 4) << a.said.dump(1);
  EXPECT_EQ(a.of("public.dated")["differences"][0]["kind"], "incomparable") << a.said.dump(1);
  const auto r = run({DUET_BINARY, "repair", "--truth", "spoke", "--table", "odd", "--yes", "-c", config_file()}, 60s);
  EXPECT_EQ(r.exit_code, 1) << r.output;
  EXPECT_THAT(r.output, HasSubstr("not repaired: public.odd id=3: "));
  EXPECT_THAT(r.output, HasSubstr("3 of 4 rows that differ are repaired"));
  EXPECT_EQ(verified({"--table", "odd"}).of("public.odd")["different"], 1);
  EXPECT_EQ(at_home("SELECT count(*) FROM odd WHERE v = 'off'"), (sql_rows{{"3"}}));
}
