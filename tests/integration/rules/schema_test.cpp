// From a full database and an empty one to a verified live link by three commands: duet setup --create-missing, duet run, duet verify.
#include "integration/sync/sync_fixture.hpp"

using namespace duet::testing;
using ::testing::HasSubstr;
using ::testing::Not;

namespace {

class schema : public sync_test {
 protected:
  // The tables of the configuration that come with the fixture are there on both sides.
  void configure(const std::string& tables) { write_config(tables); }
  void three_commands(const std::string& target_side, const std::vector<std::string>& tables) {
    const auto shown = run({DUET_BINARY, "schema", "--for", target_side, "-c", config_file()}, 60s);
    EXPECT_EQ(shown.exit_code, 0) << shown.output;
    for (const auto& t : tables) EXPECT_THAT(shown.output, HasSubstr(t + (target_side == "home" ? "\" (" : "` ("))) << shown.output;
    const auto r = run({DUET_BINARY, "setup", "--create-missing", "-c", config_file()}, 60s);
    ASSERT_EQ(r.exit_code, 0) << r.output;
    for (const auto& t : tables) EXPECT_THAT(r.output, HasSubstr("made at " + target_side + ": ")) << t;
    const auto again = run({DUET_BINARY, "schema", "-c", config_file()}, 60s);
    EXPECT_EQ(again.output, "-- no table is missing\n");
    start();
    if (HasFatalFailure()) return;
    for (const auto& t : tables) ASSERT_TRUE(says(*hub_, "public." + t + ": copied", 60s)) << hub_->output();
    settle(*hub_);
    if (HasFatalFailure()) return;
    const auto v = run({DUET_BINARY, "verify", "-c", config_file()}, 60s);
    EXPECT_EQ(v.exit_code, 0) << v.output;
    EXPECT_EQ(at_home("SELECT count(*) FROM duet.held"), (sql_rows{{"0"}})) << hub_->output();
    EXPECT_EQ(at_spoke("SELECT count(*) FROM duet.held WHERE link = '" + link_ + "'"), (sql_rows{{"0"}})) << hub_->output();
  }
};

INSTANTIATE_TEST_SUITE_P(each, schema, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

TEST_P(schema, of_home_is_made_filled_and_kept_equal_at_the_spoke) {
  at_home("CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s fine');"
          "CREATE TABLE person (name text, no int, born date, big bigint NOT NULL, small smallint, price numeric(10, 3), any_number numeric, r real, d double precision, v varchar(20),"
          " long_text text, c char(4), b bytea, t time(3), ts timestamp(3), tz timestamptz, j jsonb, bits bit(5), id uuid, m mood, flag boolean NOT NULL,"
          " area money, twice bigint GENERATED ALWAYS AS (big * 2) STORED, PRIMARY KEY (name, no), UNIQUE (id));"
          "ALTER TABLE person REPLICA IDENTITY FULL;"
          "CREATE TABLE \"Odd`name\" (\"Key\" uuid PRIMARY KEY, \"a b\" int); ALTER TABLE \"Odd`name\" REPLICA IDENTITY FULL;"
          "INSERT INTO person SELECT 'Zoë ' || i, i, '2000-02-29'::date + i, i * 10000000000, i, i / 3.0, i / 7.0, i / 3.0, i / 7.0, 'v' || i, repeat('ü', i), 'ab', decode(md5(i::text), 'hex'),"
          " '12:00:00.5', '2024-02-29 12:00:00.123', '2024-02-29 12:00:00.123456+02', '{\"a\": [1, null]}', B'10101', md5(i::text)::uuid, 'it''s fine', i % 2 = 0, 1"
          " FROM generate_series(1, 500) i; INSERT INTO \"Odd`name\" VALUES (md5('x')::uuid, 1)");
  configure("  - { home: public.person, initial: copy_from_home }\n  - { home: \"public.Odd`name\", initial: copy_from_home }\n");
  const auto shown = run({DUET_BINARY, "schema", "-c", config_file()}, 60s);
  EXPECT_THAT(shown.output, HasSubstr("-- area (money) has no counterpart: left out\n"));
  EXPECT_THAT(shown.output, HasSubstr("-- twice is generated there: left out\n"));
  EXPECT_THAT(shown.output, HasSubstr("-- name: a text in a key has a limit in MySQL"));
  three_commands("spoke", {"person"});
  if (HasFatalFailure()) return;
  EXPECT_EQ(at_spoke("SELECT count(*) FROM person"), (sql_rows{{"500"}}));
  EXPECT_EQ(at_spoke("SELECT `a b` FROM `Odd``name`"), (sql_rows{{"1"}}));
  at_spoke("UPDATE person SET v = 'of the spoke', m = 'sad' WHERE no = 7");
  settle(*hub_);
  if (HasFatalFailure()) return;
  EXPECT_EQ(at_home("SELECT v, m FROM person WHERE no = 7"), (sql_rows{{"of the spoke", "sad"}}));
}

// Also as keys: what PostgreSQL prints is found again by its index, and by its text at the spoke.
TEST_P(schema, of_types_that_are_printed_is_made_filled_and_kept_equal) {
  at_home("CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE TYPE place AS (street text, no int); CREATE DOMAIN day_of AS daterange NOT NULL;"
          "CREATE TABLE host (net inet, days day_of, mac macaddr UNIQUE, mail citext UNIQUE, tags text[], counts int[], props hstore, lives place, lasts interval, daily timetz, x xml,"
          " words tsvector, flags varbit, seen tstzrange, spot point, wide bit(100), PRIMARY KEY (net, days)); ALTER TABLE host REPLICA IDENTITY FULL;"
          "INSERT INTO host SELECT '10.0.0.0'::inet + i, daterange('2024-01-01', '2024-01-01'::date + i), ('08:00:2b:01:02:' || to_hex(16 + i % 200))::macaddr, 'Zoë' || i || '@x',"
          " ARRAY['a ' || i, NULL, '\"'], ARRAY[i, -i], hstore('k' || i, 'v\"'), ROW('High St', i)::place, make_interval(days => i, secs => i / 7.0), '12:00:00+02', '<a/>', to_tsvector('simple', 'x y' || i),"
          " i::bit(9)::varbit, tstzrange(NULL, '2024-02-29 12:00:00.5+00'), point(i, 0.5), (i::bit(100)) FROM generate_series(1, 150) i");
  configure("  - { home: public.host, initial: copy_from_home }\n");
  three_commands("spoke", {"host"});
  if (HasFatalFailure()) return;
  EXPECT_EQ(at_spoke("SELECT net, days, lasts, lives, counts FROM host WHERE net = '10.0.0.7'"),
            (sql_rows{{"10.0.0.7", "[2024-01-01,2024-01-08)", "P7DT1S", "(\"High St\",7)", "[7, -7]"}}));
  at_spoke("UPDATE host SET tags = '[\"of the spoke\"]', spot = '(1,2)', net = '10.9.0.7' WHERE net = '10.0.0.7'");
  at_spoke("DELETE FROM host WHERE net = '10.0.0.8'");
  at_home("UPDATE host SET props = 'a=>NULL', mail = upper(mail::text)::citext WHERE net = '10.0.0.9'; DELETE FROM host WHERE net = '10.0.0.10'");
  settle(*hub_);
  if (HasFatalFailure()) return;
  EXPECT_EQ(at_home("SELECT tags, spot FROM host WHERE net = '10.9.0.7'"), (sql_rows{{"{\"of the spoke\"}", "(1,2)"}}));
  EXPECT_EQ(at_spoke("SELECT props, mail FROM host WHERE net = '10.0.0.9'"), (sql_rows{{"{\"a\": null}", "ZOË9@X"}}));
  for (const auto& counted : {at_home("SELECT count(*) FROM host"), at_spoke("SELECT count(*) FROM host")}) EXPECT_EQ(counted, (sql_rows{{"148"}}));
  EXPECT_EQ(at_home("SELECT type FROM duet.conflict_log"), sql_rows{});
  const auto v = run({DUET_BINARY, "verify", "-c", config_file()}, 60s);
  EXPECT_EQ(v.exit_code, 0) << v.output;
}

TEST_P(schema, of_the_spoke_is_made_filled_and_kept_equal_at_home) {
  at_spoke("CREATE TABLE item (id int unsigned AUTO_INCREMENT PRIMARY KEY, tiny tinyint, tinyu tinyint unsigned, flag tinyint(1) NOT NULL, small smallint, medium mediumint unsigned, big bigint,"
           " bigu bigint unsigned, price decimal(20, 6), f float, d double, c char(5), v varchar(30), t text, lt longtext, b binary(3), vb varbinary(9), bl blob, day date, at time(2),"
           " dt datetime(6), ts timestamp(3) NULL, y year, j json, bits bit(9), e enum('a', 'b'), s set('x', 'y'), g point, UNIQUE (v)) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
  at_spoke("INSERT INTO item WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400) SELECT i, -i % 100, i % 200, i % 2, -i, i * 1000, -i * 10000000000,"
           " 18446744073709551615 - i, i / 7, i / 4, i / 3, 'c', CONCAT('v', i), REPEAT('ß', i % 40), NULL, 'abc', 'vb', 'blob', '2024-02-29', '12:34:56.78', '2024-02-29 01:02:03.456789',"
           " '2024-02-29 01:02:03.456', 1999, '[1, {\"k\": null}]', b'101010101', 'b', 'x,y', ST_GeomFromText('POINT(1 2)', 4326) FROM n");
  configure("  - { home: public.item, initial: copy_from_spoke }\n");
  three_commands("home", {"item"});
  if (HasFatalFailure()) return;
  EXPECT_EQ(at_home("SELECT count(*), max(bigu)::text FROM item"), (sql_rows{{"400", "18446744073709551614"}}));
  at_home("UPDATE item SET t = 'of home', flag = 1 WHERE id = 8");
  settle(*hub_);
  if (HasFatalFailure()) return;
  EXPECT_EQ(at_spoke("SELECT t, flag FROM item WHERE id = 8"), (sql_rows{{"of home", "1"}}));
}

TEST_P(schema, says_what_it_cannot_make) {
  at_home("CREATE TABLE nokey (a int)");
  configure("  - home: public.nokey\n");
  const auto shown = run({DUET_BINARY, "schema", "--json", "-c", config_file()}, 60s);
  EXPECT_EQ(shown.exit_code, 1) << shown.output;
  const auto said = nlohmann::json::parse(shown.output);
  ASSERT_EQ(said["missing"].size(), 1u) << shown.output;
  EXPECT_EQ(said["missing"][0]["sql"], nlohmann::json::array());
  EXPECT_THAT(said["missing"][0]["notes"].dump(), HasSubstr("no primary key"));
  const auto r = run({DUET_BINARY, "setup", "--create-missing", "-c", config_file()}, 60s);
  EXPECT_NE(r.exit_code, 0);
  EXPECT_THAT(at_spoke("SHOW TABLES LIKE 'nokey'"), ::testing::IsEmpty());
}
