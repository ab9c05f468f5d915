#include <gmock/gmock.h>

#include <chrono>
#include <thread>

#include "fixture.hpp"

namespace duet::postgres {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class postgres_site : public postgres_test {
 protected:
  std::vector<finding> of(const findings& all, const std::string& code) {
    std::vector<finding> some;
    for (const finding& f : all)
      if (f.code == code) some.push_back(f);
    return some;
  }
  findings check_tables(const mapping& m) {
    findings all;
    home().check_tables(m, all);
    return all;
  }
  findings check_set_up() {
    findings all;
    home().check_set_up(all);
    return all;
  }
  control_row row_of(const std::string& of_link, std::uint64_t epoch) {
    control_row r;
    r.link = of_link;
    r.epoch = epoch;
    r.position = r.floor = {8};
    return r;
  }
  std::string published() {
    return scalar("SELECT string_agg(schemaname || '.' || tablename, ' ' ORDER BY 1) FROM"
                  " (SELECT * FROM pg_publication_tables ORDER BY schemaname, tablename) p WHERE pubname = 'duet_" + link + "'");
  }
  // Everything of this link that a server can hold.
  std::string leftovers() {
    const std::string name = "'duet_" + link + "'";
    return scalar("SELECT concat_ws(' ', (SELECT count(*) FROM pg_replication_slots WHERE slot_name = " + name +
                  "), (SELECT count(*) FROM pg_publication WHERE pubname = " + name +
                  "), (SELECT count(*) FROM pg_replication_origin WHERE roname = " + name +
                  "), (SELECT count(*) FROM pg_namespace WHERE nspname = 'duet'))");
  }
};

TEST_F(postgres_site, knows_who_it_is) {
  const site_identity id = home().identity();
  EXPECT_EQ(id.product, "PostgreSQL");
  EXPECT_EQ(id.version, server.version());
  EXPECT_EQ(id.id, scalar("SELECT system_identifier FROM pg_control_system()") + "/" +
                       scalar("SELECT oid FROM pg_database WHERE datname = current_database()"));
}

TEST_F(postgres_site, reads_types_of_every_kind_from_the_catalogs) {
  sql("CREATE SCHEMA odd; CREATE TYPE odd.\"the mood\" AS ENUM ('z', 'a', 'm'); CREATE DOMAIN odd.price AS numeric(10,3);"
      "CREATE DOMAIN odd.cheap AS odd.price CHECK (VALUE < 10)");
  sql("CREATE TABLE t (a smallint, b int NOT NULL, c bigint, d numeric(6,2), e char(4), f varchar(9), g timestamp(2), h timestamptz,"
      " i time(0), j bit(5), k odd.\"the mood\", l odd.cheap, m text[], n interval, o double precision, dropped int, p jsonb)");
  sql("ALTER TABLE t DROP COLUMN dropped");
  const auto tables = home().load_tables({"public.t"});
  ASSERT_EQ(tables.size(), 1u);
  std::vector<std::string> seen;
  for (const column& c : tables[0].columns)
    seen.push_back(c.name + " " + std::to_string(c.ordinal) + " " + std::string(name(c.type.kind)) + " " + c.type.native);
  EXPECT_THAT(seen, ElementsAre("a 0 integer smallint", "b 1 integer integer", "c 2 integer bigint", "d 3 decimal numeric(6,2)",
                                "e 4 text character(4)", "f 5 text character varying(9)", "g 6 datetime timestamp(2) without time zone",
                                "h 7 timestamp timestamp with time zone", "i 8 time time(0) without time zone", "j 9 bits bit(5)",
                                "k 10 enumeration odd.\"the mood\"", "l 11 decimal numeric(10,3)", "m 12 array text[]",
                                "n 13 printed interval", "o 14 real double precision", "p 15 json jsonb"));
  const auto& c = tables[0].columns;
  EXPECT_TRUE(c[0].nullable);
  EXPECT_FALSE(c[1].nullable);
  EXPECT_EQ(c[3].type.precision, 6);
  EXPECT_EQ(c[3].type.scale, 2);
  EXPECT_EQ(c[6].type.precision, 2);
  EXPECT_EQ(c[7].type.precision, 6);
  EXPECT_EQ(c[9].type.bits, 5);
  EXPECT_THAT(c[10].type.labels, ElementsAre("z", "a", "m"));
  EXPECT_EQ(c[11].type.scale, 3);
}

TEST_F(postgres_site, reads_keys_indexes_foreign_keys_triggers_and_kinds_of_tables) {
  sql("CREATE TABLE parent (x int, y int, PRIMARY KEY (y, x))");
  sql("CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, a int, b int, c text, d int GENERATED ALWAYS AS (a + b) STORED,"
      " PRIMARY KEY (id) INCLUDE (c), UNIQUE (b, a), FOREIGN KEY (a, b) REFERENCES parent (x, y) ON DELETE CASCADE ON UPDATE SET NULL)");
  sql("CREATE UNIQUE INDEX lowered ON t (lower(c)); CREATE UNIQUE INDEX part ON t (a) WHERE b > 0; CREATE INDEX plain ON t (a)");
  sql("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'");
  for (const char* name : {"fires", "sleeps", "on_replicas"})
    sql(std::string("CREATE TRIGGER ") + name + " BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()");
  sql("ALTER TABLE t DISABLE TRIGGER sleeps; ALTER TABLE t ENABLE REPLICA TRIGGER on_replicas; ALTER TABLE t REPLICA IDENTITY FULL");
  sql("CREATE UNLOGGED TABLE u (id int PRIMARY KEY); CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id)");
  sql("CREATE VIEW v AS SELECT 1 AS id; CREATE SCHEMA other; CREATE TABLE other.t (id int)");
  const auto tables = home().load_tables({"public.*", "public.t", "nothing.*", "public.missing"});
  ASSERT_EQ(tables.size(), 4u) << "each once, and no view";
  EXPECT_EQ(tables[0].name, "p");
  EXPECT_EQ(tables[0].engine, "p");
  EXPECT_EQ(tables[1].primary_key, (std::vector<int>{1, 0})) << "in key order";
  EXPECT_EQ(tables[3].engine, "u");
  const table_schema& t = tables[2];
  EXPECT_EQ(t.engine, "r");
  EXPECT_EQ(t.replica_identity, 'f');
  EXPECT_EQ(tables[3].replica_identity, 'd');
  EXPECT_EQ(t.primary_key, std::vector<int>{0}) << "without what is only included";
  EXPECT_TRUE(t.columns[0].identity_always);
  EXPECT_TRUE(t.columns[4].generated);
  EXPECT_FALSE(t.columns[1].generated);
  ASSERT_EQ(t.unique_indexes.size(), 3u);
  EXPECT_THAT(t.unique_indexes[0].columns, IsEmpty()) << "lowered";
  EXPECT_THAT(t.unique_indexes[1].columns, IsEmpty()) << "part";
  EXPECT_EQ(t.unique_indexes[2].columns, (std::vector<int>{2, 1}));
  ASSERT_EQ(t.foreign_keys.size(), 1u);
  EXPECT_EQ(t.foreign_keys[0].columns, (std::vector<int>{1, 2}));
  EXPECT_EQ(t.foreign_keys[0].parent_table, "parent");
  EXPECT_EQ(t.foreign_keys[0].on_delete, "CASCADE");
  EXPECT_EQ(t.foreign_keys[0].on_update, "SET NULL");
  EXPECT_THAT(t.triggers, ElementsAre("fires"));
  EXPECT_EQ(home().load_tables({"other.t"}).size(), 1u);
  EXPECT_EQ(home().load_tables({"t"})[0].schema, "public") << "without a schema";
}

TEST_F(postgres_site, finds_a_fit_server_fit) {
  findings all;
  home().check_server(all);
  for (const finding& f : all) {
    EXPECT_EQ(f.is, finding::level::ok) << f.code << ": " << f.text;
  }
  for (const char* code : {"server_version", "wal_level", "fsync", "full_page_writes", "server_encoding", "replication_slots",
                           "replication_origins", "wal_senders", "replication_privilege", "origin_privilege"})
    EXPECT_EQ(of(all, code).size(), 1u) << code;
}

TEST(postgres_site_of_an_unfit_server, says_what_would_endanger_the_sync_and_what_mends_it) {
  testing::private_postgres server({"-c", "wal_level=replica", "-c", "fsync=off", "-c", "full_page_writes=off", "-c",
                                    "max_slot_wal_keep_size=100MB", "-c", "track_commit_timestamp=off", "-c", "max_replication_slots=0", "-c",
                                    "max_wal_senders=1"});
  server.exec("CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
  site here(server.endpoint_of("latin"), "shop");
  findings all;
  here.check_server(all);
  std::vector<std::string> refused, warned;
  for (const finding& f : all) {
    if (f.is == finding::level::refuse) refused.push_back(f.code);
    if (f.is == finding::level::warn) warned.push_back(f.code);
    EXPECT_EQ(f.remedy.empty(), f.is == finding::level::ok) << f.code;
  }
  std::vector<std::string> expected{"wal_level", "track_commit_timestamp", "fsync", "full_page_writes", "server_encoding", "replication_slots"};
  if (server.scalar("SELECT count(*) FROM pg_settings WHERE name = 'max_active_replication_origins'") == "0")
    expected.push_back("replication_origins");  // limited by the setting for slots before PostgreSQL 18
  EXPECT_EQ(refused, expected);
  EXPECT_THAT(warned, ElementsAre("max_slot_wal_keep_size"));
}

TEST_F(postgres_site, says_which_tables_are_not_fit_and_what_mends_them) {
  sql("CREATE TABLE both_ways (id int PRIMARY KEY); CREATE TABLE one_way (id int PRIMARY KEY);"
      "CREATE UNLOGGED TABLE quick (id int PRIMARY KEY); CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);"
      "CREATE TABLE nothing (id int PRIMARY KEY); ALTER TABLE nothing REPLICA IDENTITY NOTHING;"
      "CREATE TABLE loose (id int PRIMARY KEY DEFERRABLE, v int UNIQUE DEFERRABLE, r int4range, EXCLUDE USING gist (r WITH &&));"
      "CREATE TABLE good (id int PRIMARY KEY); ALTER TABLE good REPLICA IDENTITY FULL");
  sql("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; "
      "CREATE TRIGGER stamp BEFORE INSERT ON one_way FOR EACH ROW EXECUTE FUNCTION f()");
  mapping m = map({"both_ways", "one_way", "quick", "parts", "nothing", "loose", "good"});
  for (std::size_t i : {1u, 2u}) m.tables[i].direction = flow::home_to_spoke;
  for (std::size_t i : {4u, 5u}) m.tables[i].direction = flow::spoke_to_home;
  const findings all = check_tables(m);
  std::vector<std::string> lines;
  for (const finding& f : all)
    lines.push_back(f.where + " " + (f.is == finding::level::ok ? "ok " : f.is == finding::level::warn ? "warn " : "refuse ") + f.code);
  EXPECT_THAT(lines, UnorderedElementsAre("public.both_ways refuse replica_identity", "public.one_way warn replica_identity",
                                          "public.quick refuse unlogged", "public.quick warn replica_identity",
                                          "public.parts refuse partitioned", "public.parts refuse replica_identity",
                                          "public.nothing refuse replica_identity", "public.loose refuse deferrable_key",
                                          "public.loose warn deferrable_unique", "public.loose warn exclusion", "public.good ok table"));
  EXPECT_EQ(of(all, "replica_identity")[0].remedy, "ALTER TABLE \"public\".\"both_ways\" REPLICA IDENTITY FULL;");
  for (const finding& f : of(all, "replica_identity")) sql(f.remedy);
  sql(of(all, "unlogged")[0].remedy);
  sql("ALTER TABLE loose DROP CONSTRAINT loose_pkey, ADD PRIMARY KEY (id), REPLICA IDENTITY FULL");
  mapping mended = map({"both_ways", "one_way", "quick", "nothing", "loose", "good"});
  EXPECT_FALSE(duet::refused(check_tables(mended)));
  const auto triggers = of(check_tables(map({"one_way"})), "triggers");
  ASSERT_EQ(triggers.size(), 1u) << "they fire where the spoke's changes are written";
  EXPECT_THAT(triggers[0].text, HasSubstr("stamp"));
}

TEST_F(postgres_site, prints_for_a_dba_the_identities_that_check_demands) {
  sql("CREATE TABLE lacks (id int PRIMARY KEY); CREATE TABLE one_way (id int PRIMARY KEY);"
      "CREATE TABLE nothing (id int PRIMARY KEY); ALTER TABLE nothing REPLICA IDENTITY NOTHING;"
      "CREATE TABLE good (id int PRIMARY KEY); ALTER TABLE good REPLICA IDENTITY FULL");
  mapping m = map({"lacks", "one_way", "nothing", "good"});
  for (std::size_t i : {1u, 2u}) m.tables[i].direction = flow::home_to_spoke;
  EXPECT_TRUE(duet::refused(check_tables(m)));
  std::vector<std::string> identities;
  for (const std::string& statement : home().setup_statements(m, true))
    if (statement.find("REPLICA IDENTITY") != std::string::npos) identities.push_back(statement);
  EXPECT_THAT(identities, ElementsAre("ALTER TABLE \"public\".\"lacks\" REPLICA IDENTITY FULL",
                                      "ALTER TABLE \"public\".\"nothing\" REPLICA IDENTITY FULL"));
  for (const std::string& statement : home().setup_statements(m, false)) EXPECT_THAT(statement, Not(HasSubstr("REPLICA IDENTITY")));
  for (const std::string& statement : identities) sql(statement);
  mapping mended = map({"lacks", "nothing", "good"});
  EXPECT_FALSE(duet::refused(check_tables(mended)));
  for (const std::string& statement : home().setup_statements(mended, true)) EXPECT_THAT(statement, Not(HasSubstr("REPLICA IDENTITY")));
}

TEST_F(postgres_site, sets_up_and_tears_down_twice_as_well_as_once) {
  sql("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)");
  EXPECT_EQ(leftovers(), "0 0 0 0");
  EXPECT_FALSE(home().load_control());
  EXPECT_EQ(failing([&] { home().start_position(); }).kind, failure_kind::not_set_up);
  EXPECT_EQ(of(check_set_up(), "slot").at(0).is, finding::level::warn);

  for (int twice = 0; twice < 2; ++twice) {
    home().setup(map({"a"}));
    EXPECT_EQ(published(), "duet.control public.a");
    EXPECT_THAT(home().setup_statements(map({"a"}), false), IsEmpty());
  }
  const log_position start = home().start_position();
  EXPECT_EQ(home().describe(start), scalar("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'duet_" + link + "'"));
  EXPECT_EQ(of(check_set_up(), "control_row").size(), 1u);
  control_row first{link, 3, {5}, {6}, 7, ~std::uint64_t{8}, "spoke's", "home's"};
  EXPECT_TRUE(home().init_control(first));
  EXPECT_FALSE(home().init_control(row_of(link, 1)));
  EXPECT_EQ(home().load_control(), first);
  const findings ready = check_set_up();
  ASSERT_EQ(ready.size(), 1u) << ready[0].text;
  EXPECT_EQ(ready[0].is, finding::level::ok);

  EXPECT_EQ(of(check_tables(map({"a", "b"})), "publication_content").size(), 1u);
  home().setup(map({"a", "b"}));
  EXPECT_EQ(published(), "duet.control public.a public.b");
  EXPECT_THAT(of(check_tables(map({"a", "b"})), "publication_content"), IsEmpty());
  home().setup(map({"b"}));
  EXPECT_EQ(published(), "duet.control public.b");
  EXPECT_EQ(home().start_position(), start) << "the slot is the same one";
  EXPECT_EQ(home().load_control(), first);

  sql("ALTER PUBLICATION duet_" + link + " DROP TABLE duet.control");
  EXPECT_EQ(of(check_set_up(), "publication").at(0).is, finding::level::refuse);

  for (int twice = 0; twice < 2; ++twice) {
    home().teardown();
    EXPECT_EQ(leftovers(), "0 0 0 0");
  }
}

TEST_F(postgres_site, leaves_the_bookkeeping_to_another_link_of_the_same_database) {
  sql("CREATE TABLE a (id int PRIMARY KEY)");
  home().setup(map({"a"}));
  home().init_control(row_of(link, 1));
  site second(at(), link + "_b");
  second.setup(map({"a"}));
  second.init_control(row_of(link + "_b", 1));
  second.teardown();
  EXPECT_TRUE(home().load_control());
  EXPECT_FALSE(second.load_control());
  EXPECT_EQ(leftovers(), "1 1 1 1");
}

TEST_F(postgres_site, gets_along_with_the_privileges_that_it_prints) {
  sql("CREATE SCHEMA app; CREATE TABLE app.a (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v int); ALTER TABLE app.a REPLICA IDENTITY FULL;"
      "CREATE TABLE app.secret (id int PRIMARY KEY)");
  const std::string role = "app_" + database;
  sql("CREATE ROLE " + role + " LOGIN");
  endpoint e = at();
  e.user = role;
  mapping m;
  {
    auto found = home().load_tables({"app.a"});
    table_pair& pair = m.tables.emplace_back();
    pair.home = pair.spoke = found.at(0);
    pair.columns.resize(2);
    for (std::size_t i : {0u, 1u}) pair.columns[i].home = pair.columns[i].spoke = found[0].columns[i];
    pair.columns[0].key = true;
    pair.key = {0};
  }
  auto holding = std::make_unique<site>(e, link);
  site& limited = *holding;
  sql("DO $$ DECLARE f regprocedure; BEGIN FOR f IN SELECT oid FROM pg_proc WHERE proname = 'pg_logical_emit_message' LOOP"
      " EXECUTE 'REVOKE EXECUTE ON FUNCTION ' || f || ' FROM PUBLIC'; END LOOP; END $$");
  findings before;
  limited.check_server(before);
  limited.check_tables(m, before);
  std::vector<std::string> codes;
  for (const finding& f : before)
    if (f.is == finding::level::refuse) codes.push_back(f.code);
  EXPECT_THAT(codes, UnorderedElementsAre("replication_privilege", "origin_privilege", "message_privilege", "table_privileges"));
  EXPECT_EQ(failing([&] { limited.setup(m); }).kind, failure_kind::configuration);

  for (const std::string& statement : limited.setup_statements(m, true)) sql(statement);
  sql(of(before, "message_privilege").at(0).remedy);
  findings after;
  limited.check_server(after);
  limited.check_tables(m, after);
  for (const finding& f : after)
    EXPECT_NE(f.is, finding::level::refuse) << f.code << ": " << f.text;
  EXPECT_THAT(of(after, "table_owner"), IsEmpty()) << "it is published already";
  EXPECT_THAT(limited.setup_statements(m, false), IsEmpty());

  EXPECT_TRUE(limited.init_control(row_of(link, 1)));
  control = limited.take_over(5, false);
  EXPECT_EQ(control.epoch, 5u);
  target_ = std::make_unique<target>(e, link, m);
  target_->open();
  run r;
  r.table = &m.tables[0];
  r.columns = {0, 1};
  r.rows = {{nullptr, row({"1", "2"})}};
  apply_alone(r);
  begin();
  const table_pair* tables[] = {&m.tables[0]};
  target_->truncate(tables);
  held_entry h;
  h.table = "app.a";
  h.key = "{}";
  target_->hold(h);
  conflict_entry c;
  c.table = "app.a";
  c.key = "{}";
  target_->log_conflict(c);
  target_->emit_refresh(m.tables[0], row({"1", "2"}), nullptr, {});
  commit();
  EXPECT_GT(target_->catch_up_point().value, 0u);
  EXPECT_EQ(limited.status().conflicts, 1u);
  EXPECT_EQ(limited.identity().product, "PostgreSQL");
  target_.reset();
  holding.reset();
  home().teardown();
  sql("DROP OWNED BY " + role);
  sql("DROP ROLE " + role);
}

TEST_F(postgres_site, lets_one_hub_only_hold_the_link_unless_forced) {
  sql("CREATE TABLE a (id int PRIMARY KEY)");
  open({"a"});
  target_->close();
  auto first = std::make_unique<site>(at(), link), second = std::make_unique<site>(at(), link);
  EXPECT_EQ(first->take_over(1, false).epoch, 2u);
  EXPECT_EQ(first->take_over(1, false).epoch, 3u) << "its own lock is not in its way";
  const failure busy = failing([&] { second->take_over(1, false); });
  EXPECT_EQ(busy.kind, failure_kind::already_running);
  EXPECT_THAT(busy.what(), HasSubstr("duet:" + link + ":hub"));
  EXPECT_THAT(busy.what(), HasSubstr("127.0.0.1"));
  EXPECT_EQ(failing([&] { second->teardown(); }).kind, failure_kind::already_running);
  EXPECT_EQ(home().load_control()->epoch, 3u) << "who is refused raises nothing";

  target_->open();
  EXPECT_EQ(second->take_over(10, true).epoch, 10u);
  control.epoch = 3;
  EXPECT_EQ(failing([&] { begin(); commit(); }).kind, failure_kind::connection_lost) << "the first hub's session was ended";
  target_->open();
  EXPECT_EQ(failing([&] { begin(); commit(); }).kind, failure_kind::fenced);
  target_->close();

  second.reset();
  EXPECT_EQ(first->take_over(1, false).epoch, 11u) << "free again";
}

TEST_F(postgres_site, waits_a_little_for_a_hub_that_is_ending) {
  sql("CREATE TABLE a (id int PRIMARY KEY)");
  open({"a"});
  auto first = std::make_unique<site>(at(), link);
  first->take_over(1, false);
  std::jthread ending([&] {
    std::this_thread::sleep_for(800ms);
    first.reset();
  });
  EXPECT_EQ(home().take_over(1, false).epoch, 3u);
}

TEST_F(postgres_site, needs_a_control_row_to_take_over) {
  EXPECT_EQ(failing([&] { home().take_over(1, false); }).kind, failure_kind::not_set_up);
  sql("CREATE TABLE a (id int PRIMARY KEY)");
  home().setup(map({"a"}));
  EXPECT_EQ(failing([&] { home().take_over(1, false); }).kind, failure_kind::not_set_up);
}

TEST_F(postgres_site, accepts_the_log_only_if_it_holds_all_that_is_needed) {
  sql("CREATE TABLE a (id int PRIMARY KEY)");
  home().setup(map({"a"}));
  const log_position start = home().start_position();
  home().check_log(start, start);
  home().check_log(just_before(start), just_before(start));
  EXPECT_EQ(failing([&] { home().check_log({start.value - 8}, start); }).kind, failure_kind::log_lost);
  EXPECT_EQ(failing([&] { home().check_log(start, {start.value + (std::uint64_t{1} << 40)}); }).kind, failure_kind::history_changed);

  sql("INSERT INTO a VALUES (1)");
  sql("SELECT pg_replication_slot_advance('duet_" + link + "', pg_current_wal_lsn())");
  const failure advanced = failing([&] { home().check_log(start, start); });
  EXPECT_EQ(advanced.kind, failure_kind::log_lost);
  EXPECT_THAT(advanced.what(), HasSubstr("advanced"));
  home().check_log(home().start_position(), start);

  sql("SELECT pg_drop_replication_slot('duet_" + link + "')");
  EXPECT_EQ(failing([&] { home().check_log(start, start); }).kind, failure_kind::log_lost);
  sql("SELECT pg_create_logical_replication_slot('duet_" + link + "', 'test_decoding')");
  EXPECT_EQ(failing([&] { home().check_log({~std::uint64_t{7}}, start); }).kind, failure_kind::log_lost) << "another plugin's";
  EXPECT_EQ(of(check_set_up(), "slot").at(0).is, finding::level::refuse);
}

TEST(postgres_site_of_a_small_disk, says_that_the_slot_was_invalidated) {
  testing::private_postgres server({"-c", "max_slot_wal_keep_size=1MB", "-c", "max_wal_size=32MB", "-c", "min_wal_size=32MB"});
  const std::string db = server.make_database();
  server.exec("CREATE TABLE a (id int PRIMARY KEY, t text)", db);
  site here(server.endpoint_of(db), "shop");
  mapping m;
  m.tables.resize(1);
  m.tables[0].home = here.load_tables({"public.a"}).at(0);
  here.setup(m);
  const log_position start = here.start_position();
  for (int i = 0; i < 4; ++i) server.exec("INSERT INTO a SELECT g, repeat('x', 1000) FROM generate_series(" + std::to_string(i * 20000) +
                                          "," + std::to_string(i * 20000 + 19999) + ") g; SELECT pg_switch_wal(); CHECKPOINT", db);
  ASSERT_EQ(server.scalar("SELECT wal_status FROM pg_replication_slots", db), "lost");
  try {
    here.check_log(start, start);
    FAIL();
  } catch (const failure& f) {
    EXPECT_EQ(f.kind, failure_kind::log_lost);
    EXPECT_THAT(f.what(), HasSubstr("invalidated"));
  }
  findings all;
  here.check_set_up(all);
  EXPECT_THAT(all, Contains(::testing::Field(&finding::code, "slot_lost")));
}

TEST_F(postgres_site, reports_its_status_before_and_after_setup) {
  const site_status nothing = home().status();
  EXPECT_FALSE(nothing.control);
  EXPECT_EQ(nothing.retained_bytes, -1);
  EXPECT_GT(nothing.log_end.value, 0u);
  sql("CREATE TABLE a (id int PRIMARY KEY)");
  home().setup(map({"a"}));
  home().init_control(row_of(link, 4));
  sql("INSERT INTO a SELECT generate_series(1, 1000)");
  const site_status s = home().status();
  EXPECT_EQ(s.control->epoch, 4u);
  EXPECT_GT(s.retained_bytes, 1000);
  EXPECT_THAT(s.detail, HasSubstr("is not read"));
  EXPECT_EQ(s.conflicts, 0u);
  EXPECT_THAT(s.held, IsEmpty());
}

TEST_F(postgres_site, comes_back_after_its_connection_was_lost) {
  EXPECT_FALSE(home().load_control());
  sql("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'duet:" + link + "'");
  EXPECT_EQ(home().identity().product, "PostgreSQL");
}

TEST_F(postgres_site, can_not_connect_where_nothing_listens) {
  endpoint nowhere = at();
  nowhere.port = testing::find_free_port();
  site there(nowhere, link);
  EXPECT_EQ(failing([&] { there.connect(); }).kind, failure_kind::cannot_connect);
}

TEST_F(postgres_site, speaks_over_the_unix_socket_too) {
  endpoint local = at();
  local.host = server.folder();
  site there(local, link);
  EXPECT_EQ(there.identity().product, "PostgreSQL");
}

}  // namespace
}  // namespace duet::postgres
