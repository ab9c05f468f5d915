// Home's log read from a real PostgreSQL.
#include "postgres/source.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "support/servers.hpp"
#include "unit/postgres/source_fixtures.hpp"

namespace duet::postgres {
namespace {

using namespace std::chrono_literals;
using testing::private_postgres;
using testing::shared_postgres;
using tests::kept_blocks;
using ::testing::HasSubstr;
using ::testing::Not;

log_position lsn(const std::string& text) {
  unsigned high = 0, low = 0;
  EXPECT_EQ(std::sscanf(text.c_str(), "%X/%X", &high, &low), 2) << text;
  return {std::uint64_t{high} << 32 | low};
}

class postgres_source : public ::testing::Test {
 protected:
  explicit postgres_source(private_postgres& s = shared_postgres()) : server(s) {}
  void SetUp() override {
    static int links = 0;
    link = "live" + std::to_string(++links);
    database = server.make_database();
    server.exec("CREATE SCHEMA duet", database);
    server.exec("CREATE TABLE duet.control (link text PRIMARY KEY, epoch bigint, position bigint, floor bigint, counter bigint)", database);
    server.exec("CREATE TABLE items (id integer PRIMARY KEY, name text)", database);
    server.exec("CREATE TABLE unmapped (id integer)", database);
    server.exec("CREATE PUBLICATION duet_" + link + " FOR TABLE duet.control, items, unmapped", database);
    make_slot();
    tests::add_table(tables, "items", {{"id", value_kind::integer, 32}, {"name", value_kind::text}});
    tables.tables[0].columns[0].home.type.native = "integer";
    tables.tables[0].columns[1].home.type.native = "text";
  }
  void TearDown() override {
    reader.reset();
    testing::eventually([&] {
      return server.scalar("SELECT count(*) FROM pg_replication_slots WHERE active AND slot_name = 'duet_" + link + "'", database) == "0";
    });
    server.exec("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = 'duet_" + link + "'", database);
  }
  void make_slot(const std::string& plugin = "pgoutput") {
    server.exec("SELECT pg_create_logical_replication_slot('duet_" + link + "', '" + plugin + "')", database);
  }
  log_position confirmed() {
    return lsn(*server.scalar("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'duet_" + link + "'", database));
  }
  log_position end_of_log() { return lsn(*server.scalar("SELECT pg_current_wal_lsn()", database)); }

  source& open(log_position from) {
    if (!reader) reader = std::make_unique<source>(server.endpoint_of(database), link, tables);
    blocks = std::make_unique<kept_blocks>();
    writer = block_writer(*blocks);
    reader->start(from);
    return *reader;
  }
  source& open() { return open(confirmed()); }
  // Reads until everything up to the present end of the log has been delivered. The text of what came.
  std::string read_all() {
    const log_position end = end_of_log();
    const auto until = std::chrono::steady_clock::now() + 20s;
    while (reader->read_up_to() < end && std::chrono::steady_clock::now() < until) reader->read(writer, 100ms);
    EXPECT_GE(reader->read_up_to().value, end.value);
    return text();
  }
  std::string text() { return tests::print(tables, blocks->all()); }
  failure_kind failure_of_open(log_position from) {
    try {
      open(from);
    } catch (const failure& f) {
      said = f.what();
      remedy = f.remedy;
      return f.kind;
    }
    said = "no failure";
    return failure_kind::internal;
  }
  failure_kind failure_of_reading() {
    try {
      const auto until = std::chrono::steady_clock::now() + 15s;
      while (std::chrono::steady_clock::now() < until) reader->read(writer, 100ms);
    } catch (const failure& f) {
      said = f.what();
      return f.kind;
    }
    said = "no failure";
    return failure_kind::internal;
  }

  private_postgres& server;
  std::string link, database, said, remedy;
  mapping tables;
  std::unique_ptr<kept_blocks> blocks = std::make_unique<kept_blocks>();
  block_writer writer{*blocks};
  std::unique_ptr<source> reader;
};

TEST_F(postgres_source, delivers_what_is_committed_after_the_start) {
  server.exec("INSERT INTO items VALUES (1, 'before the start')", database);
  open();
  server.exec("INSERT INTO items VALUES (2, 'after it')", database);
  server.exec("UPDATE items SET name = 'changed' WHERE id = 1", database);
  server.exec("DELETE FROM items WHERE id = 2", database);
  const std::string all = read_all();
  EXPECT_THAT(all, HasSubstr("insert items after id='1' name='before the start'\n"));
  EXPECT_THAT(all, HasSubstr("insert items after id='2' name='after it'\n"));
  EXPECT_THAT(all, HasSubstr("update items before id='1' after id='1' name='changed'\n"));
  EXPECT_THAT(all, HasSubstr("delete items before id='2'\n"));
}

TEST_F(postgres_source, knows_at_once_that_it_has_read_an_idle_log) {
  server.exec("SELECT pg_replication_slot_advance('duet_" + link + "', pg_current_wal_lsn())", database);
  const log_position from = confirmed();
  open(just_before(from));
  EXPECT_EQ(reader->read_up_to(), from);
  reader->read(writer, 0ms);
  char expected[32];
  std::snprintf(expected, sizeof expected, "progress to %llx\n", static_cast<unsigned long long>(from.value));
  EXPECT_THAT(text(), HasSubstr(expected));
}

TEST_F(postgres_source, says_false_when_nothing_arrives) {
  open();
  read_all();
  while (reader->read(writer, 200ms)) {
  }
  EXPECT_FALSE(reader->read(writer, 10ms));
}

TEST_F(postgres_source, starts_with_the_transaction_at_the_position_and_after_it_just_behind) {
  const log_position from = confirmed();
  for (int i = 1; i <= 3; ++i) server.exec("INSERT INTO items VALUES (" + std::to_string(i) + ", 'n')", database);
  open(from);
  read_all();
  std::vector<log_position> positions;
  for (const auto& block : blocks->all())
    for (const record* r = block.first(); r; r = block.next(r))
      if (r->kind == record_kind::begin) positions.push_back(static_cast<const transaction_begin&>(*r).position);
  ASSERT_EQ(positions.size(), 3u);

  open(positions[1]);
  std::string again = read_all();
  EXPECT_THAT(again, Not(HasSubstr("id='1'")));
  EXPECT_THAT(again, HasSubstr("id='2'"));
  EXPECT_THAT(again, HasSubstr("id='3'"));

  open({positions[1].value + 1});
  again = read_all();
  EXPECT_THAT(again, Not(HasSubstr("id='2'")));
  EXPECT_THAT(again, HasSubstr("id='3'"));
}

TEST_F(postgres_source, prints_values_canonically_whatever_the_database_is_set_to) {
  using enum value_kind;
  server.exec("CREATE TABLE forms (id integer PRIMARY KEY, a_timestamptz timestamptz, a_date date, a_float float8, a_bytea bytea, a_text text)", database);
  server.exec("ALTER PUBLICATION duet_" + link + " ADD TABLE forms", database);
  for (const char* setting : {"datestyle = 'German, DMY'", "timezone = 'Asia/Tokyo'", "bytea_output = 'escape'", "extra_float_digits = 0"})
    server.exec("ALTER DATABASE " + database + " SET " + setting, database);
  tests::add_table(tables, "forms", {{"id", integer, 32}, {"a_timestamptz", timestamp}, {"a_date", date}, {"a_float", real, 64}, {"a_bytea", bytes}, {"a_text", value_kind::text}});
  open();
  server.exec("INSERT INTO forms VALUES (1, '2024-07-01 12:00:00.25+09', '2024-07-31', 0.1::float8 + 0.2::float8, decode('00ff', 'hex'), U&'\\2603')", database);
  EXPECT_THAT(read_all(), HasSubstr("a_timestamptz='2024-07-01 03:00:00.25' a_date='2024-07-31' a_float='0.30000000000000004' a_bytea='\\x00\\xff' a_text='☃'\n"));
}

TEST_F(postgres_source, releases_the_slot_only_up_to_what_it_was_told) {
  const log_position start = confirmed();
  open();
  server.exec("INSERT INTO items VALUES (1, 'n')", database);
  read_all();
  for (int i = 0; i < 15; ++i) reader->read(writer, 100ms);  // long enough for a status of its own accord
  EXPECT_EQ(confirmed(), start) << "nothing was released yet";
  const log_position up_to = reader->read_up_to();
  reader->release(up_to);
  EXPECT_TRUE(testing::eventually([&] {
    reader->read(writer, 50ms);
    return confirmed() == up_to;
  }, 3s));
  reader->release(start);  // never backwards
  for (int i = 0; i < 15; ++i) reader->read(writer, 100ms);
  EXPECT_EQ(confirmed(), up_to);
}

TEST_F(postgres_source, moves_on_by_keepalives_through_what_is_not_for_us) {
  open();
  read_all();
  const log_position before = reader->read_up_to();
  server.exec("CREATE TABLE elsewhere AS SELECT generate_series(1, 1000)", database);
  const log_position end = end_of_log();
  EXPECT_TRUE(testing::eventually([&] {
    reader->read(writer, 50ms);
    return reader->read_up_to() >= end;
  }, 3s));
  EXPECT_GT(end, before);
  const std::string all = text();
  const std::size_t last = all.rfind("progress to ");
  ASSERT_NE(last, std::string::npos);
  EXPECT_GE(std::stoull(all.substr(last + 12), nullptr, 16), end.value) << "the reader of the blocks must know, too";
}

TEST_F(postgres_source, makes_progress_of_a_sync_message_at_once) {
  open();
  read_all();
  server.exec("SELECT pg_logical_emit_message(true, 'duet:" + link + ":sync', '')", database);
  const log_position end = end_of_log();
  const auto began = std::chrono::steady_clock::now();
  while (reader->read_up_to() < end) reader->read(writer, 1s);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 500ms);
}

TEST_F(postgres_source, knows_its_own_transactions) {
  server.exec("INSERT INTO duet.control VALUES ('" + link + "', 1, 1, 1, 1)", database);
  open();
  server.exec("SELECT pg_replication_origin_create('duet_" + link + "')", database);
  server.exec("BEGIN; SELECT pg_replication_origin_session_setup('duet_" + link + "'); UPDATE duet.control SET counter = 2, position = 77; "
              "INSERT INTO items VALUES (1, 'echo'); SELECT pg_logical_emit_message(true, 'duet:" + link +
              "', '{\"table\": \"public.items\", \"key\": {\"id\": \"1\"}, \"row\": null}'); SELECT pg_replication_origin_session_reset(); COMMIT", database);
  server.exec("INSERT INTO items VALUES (2, 'local')", database);
  const std::string all = read_all();
  EXPECT_THAT(all, HasSubstr("  refresh items before id='1'\n"));
  EXPECT_THAT(all, HasSubstr("changes 1 filtered 0 echoes 1 ours epoch 1 counter 2 position 4d floor 1\n"));
  EXPECT_THAT(all, HasSubstr("insert items after id='2' name='local'\n"));
  EXPECT_THAT(all, Not(HasSubstr("insert items after id='1'")));
}

TEST_F(postgres_source, streams_a_large_transaction_in_small_blocks) {
  open();
  server.exec("INSERT INTO items SELECT i, repeat('x', 100) FROM generate_series(1, 20000) i", database);
  EXPECT_NE(read_all().find("changes 20000 filtered 0"), std::string::npos);
  EXPECT_GT(blocks->all().size(), 100u);
}

TEST_F(postgres_source, is_kept_by_the_server_while_it_cannot_read) {
  server.exec("ALTER DATABASE " + database + " SET wal_sender_timeout = '2s'", database);
  open();
  server.exec("INSERT INTO items SELECT i, repeat('x', 1000) FROM generate_series(1, 20000) i", database);  // more than the sockets hold
  const auto until = std::chrono::steady_clock::now() + 5s;
  while (std::chrono::steady_clock::now() < until) {
    reader->keep_alive();
    std::this_thread::sleep_for(300ms);
  }
  EXPECT_NE(read_all().find("changes 20000 filtered 0"), std::string::npos);
}

TEST_F(postgres_source, is_kept_by_the_server_while_there_is_nothing_to_read) {
  server.exec("ALTER DATABASE " + database + " SET wal_sender_timeout = '2s'", database);
  open();
  const auto until = std::chrono::steady_clock::now() + 5s;
  while (std::chrono::steady_clock::now() < until) reader->read(writer, 1s);
  server.exec("INSERT INTO items VALUES (1, 'still here')", database);
  EXPECT_THAT(read_all(), HasSubstr("still here"));
}

TEST_F(postgres_source, never_starts_later_than_asked) {
  const log_position from = confirmed();
  server.exec("INSERT INTO items VALUES (1, 'passed over')", database);
  server.exec("SELECT pg_replication_slot_advance('duet_" + link + "', pg_current_wal_lsn())", database);
  EXPECT_EQ(failure_of_open(from), failure_kind::log_lost) << said;
  EXPECT_THAT(said, HasSubstr("has moved on"));
  EXPECT_EQ(failure_of_open({}), failure_kind::log_lost) << said;
  open(just_before(confirmed()));  // the same place in another notation
}

TEST_F(postgres_source, refuses_a_missing_or_foreign_slot) {
  const log_position from = confirmed();
  server.exec("SELECT pg_drop_replication_slot('duet_" + link + "')", database);
  EXPECT_EQ(failure_of_open(from), failure_kind::log_lost) << said;
  EXPECT_THAT(said, HasSubstr("does not exist"));
  make_slot("test_decoding");
  EXPECT_EQ(failure_of_open(from), failure_kind::log_lost) << said;
  EXPECT_THAT(said, HasSubstr("pgoutput"));
}

TEST_F(postgres_source, refuses_a_publication_that_lacks_something) {
  server.exec("ALTER PUBLICATION duet_" + link + " DROP TABLE items", database);
  EXPECT_EQ(failure_of_open(confirmed()), failure_kind::not_set_up) << said;
  EXPECT_THAT(said, HasSubstr("public.items"));
  server.exec("ALTER PUBLICATION duet_" + link + " ADD TABLE items WHERE (id > 5)", database);
  EXPECT_EQ(failure_of_open(confirmed()), failure_kind::configuration) << said;
  EXPECT_THAT(said, HasSubstr("filters"));
  server.exec("ALTER PUBLICATION duet_" + link + " SET TABLE items", database);
  EXPECT_EQ(failure_of_open(confirmed()), failure_kind::not_set_up) << said;
  EXPECT_THAT(said, HasSubstr("duet.control"));
  server.exec("ALTER PUBLICATION duet_" + link + " SET (publish = 'insert')", database);
  EXPECT_EQ(failure_of_open(confirmed()), failure_kind::configuration) << said;
  server.exec("DROP PUBLICATION duet_" + link, database);
  EXPECT_EQ(failure_of_open(confirmed()), failure_kind::not_set_up) << said;
}

TEST_F(postgres_source, names_the_column_that_changed_before_the_start) {
  server.exec("ALTER TABLE items ALTER COLUMN name TYPE varchar(50)", database);
  EXPECT_EQ(failure_of_open(confirmed()), failure_kind::schema_changed) << said;
  EXPECT_THAT(said, HasSubstr("public.items, column name was text and is now character varying(50)"));
  server.exec("ALTER TABLE items DROP COLUMN name", database);
  EXPECT_EQ(failure_of_open(confirmed()), failure_kind::schema_changed) << said;
  EXPECT_THAT(said, HasSubstr("column name is gone"));
}

TEST_F(postgres_source, stops_when_a_mapped_column_changes_under_way) {
  open();
  server.exec("INSERT INTO items VALUES (1, 'n')", database);
  EXPECT_THAT(read_all(), HasSubstr("insert items after id='1' name='n'\n"));
  server.exec("ALTER TABLE items ALTER COLUMN id TYPE bigint", database);
  server.exec("INSERT INTO items VALUES (3, 'wider')", database);
  EXPECT_EQ(failure_of_reading(), failure_kind::schema_changed) << said;
  EXPECT_THAT(said, HasSubstr("public.items, column id"));
}

TEST_F(postgres_source, stops_before_a_row_with_a_new_column) {
  open();
  server.exec("INSERT INTO items VALUES (1, 'n')", database);
  EXPECT_THAT(read_all(), HasSubstr("insert items after id='1' name='n'\n"));
  server.exec("ALTER TABLE items ADD COLUMN extra integer", database);
  server.exec("INSERT INTO items VALUES (2, 'with extra', 5)", database);
  EXPECT_EQ(failure_of_reading(), failure_kind::schema_changed) << said;
  EXPECT_THAT(said, HasSubstr("public.items, column extra is new"));
}

TEST_F(postgres_source, reads_on_over_a_change_that_the_mapping_was_made_after) {
  const log_position from = confirmed();
  server.exec("INSERT INTO items VALUES (1, 'old')", database);
  server.exec("ALTER TABLE items ALTER COLUMN id TYPE bigint, ADD COLUMN extra boolean DEFAULT true", database);
  server.exec("INSERT INTO items VALUES (2, 'new', false)", database);
  tables = {};
  tests::add_table(tables, "items", {{"id", value_kind::integer, 64}, {"name", value_kind::text}, {"extra", value_kind::boolean}});
  tables.tables[0].columns[0].home.type.native = "bigint";
  open(from);
  const std::string all = read_all();
  EXPECT_THAT(all, HasSubstr("insert items after id='1' name='old'\n"));
  EXPECT_THAT(all, HasSubstr("insert items after id='2' name='new' extra='0'\n"));
}

TEST_F(postgres_source, can_be_interrupted_and_started_again) {
  open();
  read_all();
  while (reader->read(writer, 200ms)) {
  }
  std::atomic<bool> ended = false;
  std::jthread blocked([&] {
    try {
      for (;;) reader->read(writer, 1s);
    } catch (const failure& f) {
      EXPECT_EQ(f.kind, failure_kind::connection_lost);
    }
    ended = true;
  });
  std::this_thread::sleep_for(300ms);
  const auto began = std::chrono::steady_clock::now();
  reader->interrupt();
  blocked.join();
  EXPECT_TRUE(ended);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 500ms);
  server.exec("INSERT INTO items VALUES (1, 'later')", database);
  open();
  EXPECT_THAT(read_all(), HasSubstr("later"));
}

TEST_F(postgres_source, takes_its_slot_back_from_its_own_lost_connection_and_starts_twice) {
  open();
  server.exec("INSERT INTO items VALUES (1, 'once')", database);
  read_all();
  open();
  EXPECT_THAT(read_all(), HasSubstr("once"));
}

TEST_F(postgres_source, says_who_holds_its_slot) {
  open();
  source second(server.endpoint_of(database), link, tables);
  try {
    second.start(confirmed());
    ADD_FAILURE() << "two readers of one slot";
  } catch (const failure& f) {
    EXPECT_EQ(f.kind, failure_kind::connection_lost);
    EXPECT_EQ(f.server_code, "55006");
    EXPECT_THAT(f.remedy, HasSubstr("pg_terminate_backend"));
  }
}

TEST_F(postgres_source, reports_a_slot_that_is_dropped_under_way) {
  open();
  read_all();
  server.exec("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'duet_" + link + "'", database);
  EXPECT_EQ(failure_of_reading(), failure_kind::connection_lost) << said;
  const log_position from = confirmed();
  testing::eventually([&] {
    return server.scalar("SELECT active FROM pg_replication_slots WHERE slot_name = 'duet_" + link + "'", database) == "f";
  });
  server.exec("SELECT pg_drop_replication_slot('duet_" + link + "')", database);
  EXPECT_EQ(failure_of_open(from), failure_kind::log_lost) << said;
}

// From PostgreSQL 18 on the server says nothing and sends nothing; then the next start finds it out.
TEST_F(postgres_source, reports_a_publication_that_is_dropped_under_way) {
  const log_position from = confirmed();
  open();
  server.exec("DROP PUBLICATION duet_" + link, database);
  server.exec("INSERT INTO items VALUES (1, 'n')", database);
  if (std::stoi(server.version()) < 18) EXPECT_EQ(failure_of_reading(), failure_kind::not_set_up) << said;
  EXPECT_EQ(failure_of_open(from), failure_kind::not_set_up) << said;
}

// Tests that break their server.
class postgres_source_alone : public postgres_source {
 protected:
  postgres_source_alone() : postgres_source(*server_of_its_own()) {}
  static private_postgres* server_of_its_own() {
    static private_postgres own({"-c", "max_slot_wal_keep_size=2MB", "-c", "min_wal_size=32MB", "-c", "max_wal_size=32MB"});
    return &own;
  }
};

TEST_F(postgres_source_alone, survives_restarts_and_crashes_of_the_server) {
  open();
  server.exec("INSERT INTO items VALUES (1, 'before')", database);
  read_all();
  const log_position from = confirmed();
  std::jthread reading([&] { EXPECT_EQ(failure_of_reading(), failure_kind::connection_lost) << said; });
  const auto began = std::chrono::steady_clock::now();
  server.restart();  // although nothing of what was read has been released
  EXPECT_LT(std::chrono::steady_clock::now() - began, 10s);
  reading.join();
  server.exec("INSERT INTO items VALUES (2, 'between')", database);
  open(from);
  EXPECT_THAT(read_all(), HasSubstr("between"));
  EXPECT_EQ(confirmed(), from);
  server.kill9();
  EXPECT_EQ(failure_of_reading(), failure_kind::connection_lost) << said;
  EXPECT_EQ(failure_of_open(from), failure_kind::cannot_connect) << said;
  server.start();
  server.exec("INSERT INTO items VALUES (3, 'after the crash')", database);
  open(from);
  EXPECT_THAT(read_all(), HasSubstr("after the crash"));
}

TEST_F(postgres_source_alone, reports_log_that_the_server_has_removed) {
  const log_position from = confirmed();
  for (int i = 0; i < 4; ++i) {
    server.exec("CREATE TABLE filler AS SELECT repeat('x', 1000) FROM generate_series(1, 20000)", database);
    server.exec("DROP TABLE filler; SELECT pg_switch_wal()", database);
    server.exec("CHECKPOINT", database);
  }
  ASSERT_EQ(server.scalar("SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'duet_" + link + "'", database), "lost");
  EXPECT_EQ(failure_of_open(from), failure_kind::log_lost) << said;
  EXPECT_THAT(said, HasSubstr("has removed log"));
}

}  // namespace
}  // namespace duet::postgres
