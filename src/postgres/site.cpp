#include "postgres/site.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <mutex>
#include <sql/postgres.hpp>
#include <thread>

#include "postgres/catalog.hpp"
#include "postgres/connection.hpp"

namespace duet::postgres {
namespace {

using namespace std::chrono_literals;

constexpr int lock_tries = 25;  // the session of a hub that was killed may still be ending: 5 s
constexpr auto lock_pause = 200ms;
constexpr int alter_lock_wait_s = 5;

constexpr int oldest_version = 150000, newest_known_version = 189999;

const char* const session_settings =
    "SET search_path = pg_catalog; SET statement_timeout = '60s'; SET lock_timeout = '30s'; SET idle_session_timeout = 0;"
    "SET default_transaction_isolation = 'read committed'; SET default_transaction_read_only = off;"
    "SET idle_in_transaction_session_timeout = '60s'; SET synchronous_commit = on";

bool is_true(std::string_view text) { return text == "t"; }

std::int64_t to_integer(std::string_view digits) {
  std::int64_t value = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size())
    throw failure(failure_kind::internal, "PostgreSQL answered with something that is no number");
  return value;
}

std::uint64_t parse_bigint(const PGresult* r, int row, int column) {
  return static_cast<std::uint64_t>(to_integer(field(r, row, column)));
}

std::string dotted(const table_schema& t) { return t.schema + '.' + t.name; }

// Without it two-way sync lacks the old values that it compares with, and of 'n' PostgreSQL publishes no updates at all.
bool needs_full_identity(const table_pair& pair) {
  return pair.home.replica_identity != 'f' && (pair.direction == flow::both || pair.home.replica_identity == 'n');
}

std::string full_identity(const table_schema& t) { return "ALTER TABLE " + qualified_name(t.schema, t.name) + " REPLICA IDENTITY FULL"; }

// The statements of a script whose statements end with ';' at the end of a line; comments stay.
std::vector<std::string> split_statements(std::string_view script) {
  std::vector<std::string> statements;
  while (!script.empty()) {
    std::size_t end = script.find(";\n");
    std::string_view one = script.substr(0, end == std::string_view::npos ? script.size() : end);
    script.remove_prefix(end == std::string_view::npos ? script.size() : end + 2);
    while (!one.empty() && (one.front() == '\n' || one.front() == ' ')) one.remove_prefix(1);
    while (!one.empty() && (one.back() == '\n' || one.back() == ' ')) one.remove_suffix(1);
    if (!one.empty()) statements.emplace_back(one);
  }
  return statements;
}

control_row control_of(const PGresult* r, const std::string& link) {
  control_row row;
  row.link = link;
  row.epoch = parse_bigint(r, 0, 0);
  row.position.value = parse_bigint(r, 0, 1);
  row.floor.value = parse_bigint(r, 0, 2);
  row.counter = parse_bigint(r, 0, 3);
  row.fingerprint = parse_bigint(r, 0, 4);
  row.source_identity = field(r, 0, 5);
  row.own_identity = field(r, 0, 6);
  return row;
}

constexpr const char* control_columns = "epoch, position, floor, counter, fingerprint, source_identity, own_identity";

// Gathers findings about one place.
class reporter {
 public:
  reporter(findings& all, std::string where) : all_(all), where_(std::move(where)) {}
  void ok(std::string code, std::string text) { add(finding::level::ok, std::move(code), std::move(text), {}); }
  void warn(std::string code, std::string text, std::string remedy = {}) {
    add(finding::level::warn, std::move(code), std::move(text), std::move(remedy));
  }
  void refuse(std::string code, std::string text, std::string remedy = {}) {
    add(finding::level::refuse, std::move(code), std::move(text), std::move(remedy));
  }

 private:
  void add(finding::level is, std::string code, std::string text, std::string remedy) {
    all_.push_back({is, std::move(code), std::move(text), std::move(remedy), where_});
  }
  findings& all_;
  std::string where_;
};

std::string alter_system(const std::string& name, const std::string& value, bool restart) {
  return "ALTER SYSTEM SET " + name + " = " + quote_literal(value) + ";" +
         (restart ? " -- then restart PostgreSQL" : " SELECT pg_reload_conf();");
}

}  // namespace

struct site::connections {
  explicit connections(const endpoint& at, std::string link) : at(at), link(std::move(link)) {}

  // The connection for everything but the lock; made anew if it broke since it was last used.
  PGconn* general() {
    if (general_) {
      result_handle(PQexec(general_.get(), ""));
      if (PQstatus(general_.get()) != CONNECTION_OK) keep(nullptr);
    }
    if (!general_) keep(open("duet:" + link));
    return general_.get();
  }
  void interrupt() noexcept {
    const std::lock_guard guard(mutex_);
    interrupted_ = true;
    if (general_) shutdown(PQsocket(general_.get()), SHUT_RDWR);
  }

  result_handle ask(const std::string& sql, std::initializer_list<std::string> parameters, std::string_view doing) {
    std::vector<const char*> values;
    for (const std::string& p : parameters) values.push_back(p.c_str());
    return exec(general(), sql.c_str(), values, doing);
  }
  bool ask_whether(const std::string& sql, std::initializer_list<std::string> parameters, std::string_view doing) {
    const result_handle r = ask(sql, parameters, doing);
    return PQntuples(r.get()) == 1 && is_true(field(r.get(), 0, 0));
  }

  connection_handle open(const std::string& application_name) {
    connection_handle c = postgres::connect(at, application_name);
    exec(c.get(), session_settings, "preparing a session at home");
    return c;
  }

  const endpoint& at;
  const std::string link;
  connection_handle lock;  // holds the advisory lock

 private:
  void keep(connection_handle c) {
    const std::lock_guard guard(mutex_);
    if (interrupted_) throw failure(failure_kind::connection_lost, "home is not asked any more");
    general_ = std::move(c);
  }
  std::mutex mutex_;  // guards general_ against interrupt()
  bool interrupted_ = false;
  connection_handle general_;
};

site::site(const endpoint& at, std::string link)
    : at_(at), link_(std::move(link)), object_name_("duet_" + link_), connections_(std::make_unique<connections>(at_, link_)) {}
site::~site() = default;

void site::connect() { connections_->general(); }

std::string site::describe(log_position position) const { return format_lsn(position); }

site_identity site::identity() {
  const result_handle r = connections_->ask(
      "SELECT current_setting('server_version'), s.system_identifier, d.oid"
      " FROM pg_control_system() s, pg_database d WHERE d.datname = current_database()",
      {}, "reading home's identity");
  site_identity id;
  id.product = "PostgreSQL";
  id.version = field(r.get(), 0, 0);
  id.version = id.version.substr(0, id.version.find(' '));
  id.id = std::string(field(r.get(), 0, 1)) + '/' + std::string(field(r.get(), 0, 2));
  return id;
}

std::vector<table_schema> site::load_tables(const std::vector<std::string>& patterns) {
  return postgres::load_tables(connections_->general(), patterns);
}

// ---------------------------------------------------------------------------------------------------------------------
// Checks

void site::check_server(findings& all) {
  reporter report(all, "home");
  PGconn* c = connections_->general();
  const int version = PQserverVersion(c);
  const std::string release = PQparameterStatus(c, "server_version");
  if (version < oldest_version)
    report.refuse("server_version", "PostgreSQL " + release + " is older than 15", "upgrade to PostgreSQL 15 or newer");
  else if (version > newest_known_version)
    report.warn("server_version", "PostgreSQL " + release + " is newer than any version Duet was tested with (15 to 18)");
  else
    report.ok("server_version", "PostgreSQL " + release);

  const result_handle settings = connections_->ask(
      "SELECT name, setting FROM pg_settings WHERE name IN ('wal_level', 'track_commit_timestamp', 'max_replication_slots',"
      " 'max_active_replication_origins', 'max_wal_senders', 'fsync', 'full_page_writes', 'max_slot_wal_keep_size',"
      " 'idle_replication_slot_timeout', 'server_encoding')",
      {}, "reading home's settings");
  auto setting = [&](std::string_view name) -> std::string {
    for (int i = 0, n = PQntuples(settings.get()); i < n; ++i)
      if (field(settings.get(), i, 0) == name) return std::string(field(settings.get(), i, 1));
    return {};
  };

  if (is_true(field(connections_->ask("SELECT pg_is_in_recovery()", {}, "asking whether home is a standby").get(), 0, 0)))
    report.refuse("standby", "this server is a standby; Duet must write here", "connect to the primary");

  if (setting("wal_level") == "logical") report.ok("wal_level", "wal_level = logical");
  else
    report.refuse("wal_level", "wal_level = " + setting("wal_level") + ": the log has no row changes to read",
                  alter_system("wal_level", "logical", true));

  if (setting("track_commit_timestamp") == "on") report.ok("track_commit_timestamp", "track_commit_timestamp = on");
  else
    report.refuse("track_commit_timestamp",
                  "track_commit_timestamp = off: home can't tell when and from where a row was last written, which conflict rules need",
                  alter_system("track_commit_timestamp", "on", true));

  for (const char* name : {"fsync", "full_page_writes"}) {
    if (setting(name) == "on") report.ok(name, std::string(name) + " = on");
    else
      report.refuse(name, std::string(name) + " = off: after a crash of the machine this database may have lost what the spoke has",
                    alter_system(name, "on", false));
  }

  if (setting("server_encoding") == "UTF8") report.ok("server_encoding", "the database's encoding is UTF8");
  else
    report.refuse("server_encoding", "the database's encoding is " + setting("server_encoding") + ", which can't hold every text",
                  "move to a database created with ENCODING 'UTF8'");

  // Room for our slot, origin and walsender, unless they are there.
  const result_handle used = connections_->ask(
      "SELECT (SELECT count(*) FROM pg_replication_slots),"
      " EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1),"
      " (SELECT count(*) FROM pg_replication_origin),"
      " EXISTS (SELECT FROM pg_replication_origin WHERE roname = $1),"
      " (SELECT count(*) FROM pg_stat_replication r WHERE r.pid NOT IN"
      "   (SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1 AND active_pid IS NOT NULL))",
      {object_name_}, "counting slots at home");
  const bool has_slot = is_true(field(used.get(), 0, 1)), has_origin = is_true(field(used.get(), 0, 3));
  auto room = [&](const char* code, const char* what, const char* name, std::int64_t in_use, bool ours_is_there) {
    const std::int64_t most = to_integer(setting(name));
    const std::string text = std::string(name) + " = " + std::to_string(most) + ", " + what + " in use: " + std::to_string(in_use);
    if (ours_is_there || in_use < most) report.ok(code, text);
    else report.refuse(code, text + ": no room for link " + link_, alter_system(name, std::to_string(in_use + 4), true));
  };
  room("replication_slots", "slots", "max_replication_slots", to_integer(field(used.get(), 0, 0)), has_slot);
  room("replication_origins", "origins",
       setting("max_active_replication_origins").empty() ? "max_replication_slots" : "max_active_replication_origins",
       to_integer(field(used.get(), 0, 2)), has_origin);
  room("wal_senders", "senders", "max_wal_senders", to_integer(field(used.get(), 0, 4)), false);

  if (const std::string keep = setting("max_slot_wal_keep_size"); keep == "-1")
    report.ok("max_slot_wal_keep_size", "the log is kept for as long as Duet is away; mind the disk when it is stopped for long");
  else
    report.warn("max_slot_wal_keep_size",
                "max_slot_wal_keep_size = " + keep + " MB: a link that falls behind by more loses its slot and must be set up anew",
                alter_system("max_slot_wal_keep_size", "-1", false));
  if (const std::string idle = setting("idle_replication_slot_timeout"); !idle.empty() && idle != "0")
    report.warn("idle_replication_slot_timeout",
                "idle_replication_slot_timeout = " + idle + " s: a link that is stopped for longer loses its slot",
                alter_system("idle_replication_slot_timeout", "0", false));

  // Privileges.
  const std::string role = quote_identifier(at_.user.empty() ? PQuser(c) : at_.user);
  const result_handle rights = connections_->ask(
      "SELECT r.rolsuper OR r.rolreplication,"
      " has_database_privilege(current_database(), 'CREATE'),"
      " has_function_privilege('pg_catalog.pg_replication_origin_session_setup(text)', 'EXECUTE'),"
      " has_function_privilege('pg_catalog.pg_replication_origin_xact_setup(pg_lsn, timestamptz)', 'EXECUTE'),"
      " has_function_privilege('pg_catalog.pg_replication_origin_create(text)', 'EXECUTE'),"
      " m.may, current_database(), to_regnamespace('duet') IS NOT NULL, m.names FROM"
      " (SELECT bool_and(has_function_privilege(oid, 'EXECUTE')) AS may,"  // PostgreSQL 17 gave them a fourth parameter
      "         string_agg('pg_catalog.' || oid::regprocedure::text, ', ') AS names"
      "  FROM pg_proc WHERE proname = 'pg_logical_emit_message' AND pronamespace = 'pg_catalog'::regnamespace) AS m,"
      " pg_roles r WHERE r.rolname = current_user",
      {}, "reading privileges at home");
  auto may = [&](int i) { return is_true(field(rights.get(), 0, i)); };
  const bool has_schema = may(7);
  if (may(0)) report.ok("replication_privilege", "the role may read the log");
  else
    report.refuse("replication_privilege", "the role may not read the log (REPLICATION is missing)",
                  "ALTER ROLE " + role + " REPLICATION;");
  if (!has_schema && !may(1))
    report.warn("create_privilege", "the role may not create schema duet: a DBA must run what `duet setup --print` shows",
                "GRANT CREATE ON DATABASE " + quote_identifier(field(rights.get(), 0, 6)) + " TO " + role + ";");
  if (!may(2) || !may(3))
    report.refuse("origin_privilege", "the role may not mark its writes with a replication origin",
                  "GRANT EXECUTE ON FUNCTION pg_catalog.pg_replication_origin_session_setup(text), "
                  "pg_catalog.pg_replication_origin_xact_setup(pg_lsn, timestamptz) TO " + role + ";");
  else
    report.ok("origin_privilege", "the role may mark its writes with a replication origin");
  if (!has_origin && !may(4))
    report.warn("origin_create_privilege", "the role may not create the origin " + object_name_ + ": a DBA must",
                "SELECT pg_replication_origin_create(" + quote_literal(object_name_) + ");");
  if (!may(5))
    report.refuse("message_privilege", "the role may not put messages into the log",
                  "GRANT EXECUTE ON FUNCTION " + std::string(field(rights.get(), 0, 8)) + " TO " + role + ";");
}

void site::check_tables(const mapping& m, findings& all) {
  for (const table_pair& pair : m.tables) {
    const table_schema& t = pair.home;
    const std::string table = qualified_name(t.schema, t.name);
    reporter report(all, dotted(t));
    const std::size_t before = all.size();

    if (t.engine == "u")
      report.refuse("unlogged", "the table is unlogged: its changes are not in the log, and a crash empties it",
                    "ALTER TABLE " + table + " SET LOGGED;");
    if (t.engine == "p")
      report.refuse("partitioned", "the table is partitioned, which is not supported",
                    "map its partitions as tables of their own, or leave it out");
    if (t.replica_identity != 'f') {
      const std::string remedy = full_identity(t) + ";";
      if (pair.direction == flow::both)
        report.refuse("replica_identity",
                      "REPLICA IDENTITY is not FULL: the log lacks the old values that two-way sync compares with", remedy);
      else if (t.replica_identity == 'n')
        report.refuse("replica_identity", "REPLICA IDENTITY is NOTHING: PostgreSQL refuses updates of published tables without one",
                      remedy);
      else if (pair.flows_from(side::home))
        report.warn("replica_identity",
                    "REPLICA IDENTITY is not FULL: large values that an update leaves alone are missing from the log", remedy);
    }
    if (publishes_generated_columns() && (pair.direction == flow::both || t.replica_identity == 'f') &&
        connections_->ask_whether("SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = $1::regclass AND attgenerated = 'v' AND NOT attisdropped)", {table},
                                  "reading columns of " + dotted(t)))
      report.refuse("virtual_column", "the table has a virtual generated column: once it is published with REPLICA IDENTITY FULL, PostgreSQL refuses every update of it",
                    "make the column STORED, or drop it; a table of one way from home can do without REPLICA IDENTITY FULL");
    if (pair.flows_from(side::spoke) && !t.triggers.empty()) {
      std::string names;
      for (const std::string& name : t.triggers) names += (names.empty() ? "" : ", ") + name;
      report.warn("triggers", "triggers fire on Duet's writes, too, and what they write does not go back to the spoke: " + names,
                  "if the spoke does the same by itself, make them skip sessions whose application_name begins with 'duet:'");
    }

    const result_handle constraints = connections_->ask(
        "SELECT k.conname, k.contype FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON"
        " n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2"
        " AND (k.contype = 'x' OR k.contype IN ('p', 'u') AND k.condeferrable) ORDER BY 1",
        {t.schema, t.name}, "reading constraints of " + dotted(t));
    for (int i = 0, n = PQntuples(constraints.get()); i < n; ++i) {
      const std::string name(field(constraints.get(), i, 0));
      const char type = field(constraints.get(), i, 1)[0];
      if (type == 'p')
        report.refuse("deferrable_key", "the primary key is deferrable: it can't decide whether a key exists",
                      "ALTER TABLE " + table + " ALTER CONSTRAINT " + quote_identifier(name) + " NOT DEFERRABLE; -- or recreate it so");
      else if (type == 'u')
        report.warn("deferrable_unique", "unique constraint " + name +
                                             " is deferrable: orders of writes that are legal here may be refused by the spoke");
      else
        report.warn("exclusion", "exclusion constraint " + name +
                                     " has no counterpart at the spoke: rows that it refuses will be held");
    }

    const result_handle rights = connections_->ask(
        "SELECT has_table_privilege(c.oid, 'SELECT'), has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE')"
        " AND has_table_privilege(c.oid, 'DELETE'), has_table_privilege(c.oid, 'TRUNCATE'), row_security_active(c.oid),"
        " pg_has_role(c.relowner, 'USAGE'), has_schema_privilege(n.oid, 'USAGE'), current_user, has_table_privilege(c.oid, 'UPDATE')"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2",
        {t.schema, t.name}, "reading privileges on " + dotted(t));
    if (PQntuples(rights.get()) == 0) {
      report.refuse("missing_table", "the table is not there any more");
      continue;
    }
    auto may = [&](int i) { return is_true(field(rights.get(), 0, i)); };
    const std::string role = quote_identifier(field(rights.get(), 0, 6));
    const bool writes = pair.flows_from(side::spoke);
    const bool locks = pair.copies_from(side::home);  // its rows, while they are read for the copy
    if (!may(5) || !may(0) || (locks && !may(7)) || (writes && !may(1)) || (writes && pair.direction == flow::spoke_to_home && !may(2)))
      report.refuse("table_privileges", "the role lacks privileges on the table",
                    "GRANT USAGE ON SCHEMA " + quote_identifier(t.schema) + " TO " + role + "; GRANT SELECT" +
                        (writes ? ", INSERT, UPDATE, DELETE, TRUNCATE" : locks ? ", UPDATE" : "") + " ON " + table + " TO " + role + ";");
    if (may(3))
      report.refuse("row_security", "row-level security hides rows of the table from the role",
                    "ALTER ROLE " + role + " BYPASSRLS;");
    if (!may(4)) {
      const bool there = connections_->ask_whether(
          "SELECT EXISTS (SELECT FROM pg_publication_tables WHERE pubname = $1 AND schemaname = $2 AND tablename = $3)",
          {object_name_, t.schema, t.name}, "reading the publication");
      if (!there)
        report.warn("table_owner", "the role does not own the table and so can't publish it: a DBA must run what "
                                   "`duet setup --print` shows");
    }
    if (pair.initial == initial_rows::copy_from_spoke && may(0) && connections_->ask_whether("SELECT EXISTS (SELECT FROM " + table + ")", {}, "looking at " + dotted(t)) && !copy_is_begun(t))
      report.refuse("copy_target", "the table has rows: only an empty one can be filled from the spoke", "duet teardown, if the link is set up (else the other side is emptied, too); empty the table; duet setup. Or take `initial` out if both sides are equal");
    if (all.size() == before) report.ok("table", "ready");
  }

  if (connections_->ask_whether("SELECT EXISTS (SELECT FROM pg_publication WHERE pubname = $1)", {object_name_},
                                "reading the publication") &&
      !publishes_all(m))
    reporter(all, "home").warn("publication_content", "publication " + object_name_ + " does not have exactly the configured tables",
                               "duet setup");
}

bool site::copy_is_begun(const table_schema& t) {
  return connections_->ask_whether("SELECT to_regclass('duet.first_copy') IS NOT NULL", {}, "looking at schema duet") &&
         connections_->ask_whether("SELECT EXISTS (SELECT FROM duet.first_copy WHERE link = $1 AND table_name = $2)", {link_, dotted(t)}, "reading duet.first_copy");
}

void site::check_set_up(findings& all) {
  reporter report(all, "home");
  bool missing = false;
  auto lacks = [&](std::string code, std::string text) {
    missing = true;
    report.warn(std::move(code), std::move(text), "duet setup");
  };

  if (!has_bookkeeping()) lacks("bookkeeping", "schema duet with its tables is not there yet");
  else if (!what_is_missing().empty())
    report.refuse("bookkeeping_old", "the tables of schema duet are of an earlier version of Duet", "duet setup");
  else if (!load_control()) lacks("control_row", "link " + link_ + " has no control row yet");

  const std::vector<std::string> tables = published();
  if (tables.empty()) lacks("publication", "publication " + object_name_ + " is not there yet");
  else if (std::ranges::find(tables, "\"duet\".\"control\"") == tables.end())
    report.refuse("publication", "publication " + object_name_ + " lacks duet.control: Duet could not recognise its own writes",
                  "duet setup");

  const result_handle slot = connections_->ask(
      "SELECT plugin, database = current_database(), wal_status, two_phase, temporary, active_pid FROM pg_replication_slots"
      " WHERE slot_name = $1",
      {object_name_}, "reading the slot");
  const std::string drop = "duet teardown, then duet setup";
  if (PQntuples(slot.get()) == 0) lacks("slot", "replication slot " + object_name_ + " is not there yet");
  else if (field(slot.get(), 0, 0) != "pgoutput" || !is_true(field(slot.get(), 0, 1)) || is_true(field(slot.get(), 0, 3)) ||
           is_true(field(slot.get(), 0, 4)))
    report.refuse("slot", "replication slot " + object_name_ + " exists, but it is another one's: other plugin, database or kind",
                  "drop it, or choose another link name");
  else if (field(slot.get(), 0, 2) == "lost")
    report.refuse("slot_lost", "replication slot " + object_name_ + " has been invalidated: the log that Duet needs is gone", drop);
  else if (field(slot.get(), 0, 2) == "unreserved")
    report.warn("slot_unreserved", "replication slot " + object_name_ + " may be invalidated at any checkpoint: start Duet now");

  if (!connections_->ask_whether("SELECT EXISTS (SELECT FROM pg_replication_origin WHERE roname = $1)", {object_name_},
                                 "reading origins"))
    lacks("origin", "replication origin " + object_name_ + " is not there yet");
  if (!missing) report.ok("set_up", "link " + link_ + " is set up here");
}

// ---------------------------------------------------------------------------------------------------------------------
// Setup and teardown

bool site::has_bookkeeping() {
  return connections_->ask_whether(
      "SELECT count(*) = 3 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
      " WHERE n.nspname = 'duet' AND c.relname IN ('control', 'conflict_log', 'held') AND c.relkind = 'r'",
      {}, "looking for schema duet");
}

// What brings tables of an earlier version up to date.
std::vector<std::string> site::what_is_missing() {
  std::vector<std::string> statements;
  if (!connections_->ask_whether(
          "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('duet.conflict_log') AND attname = 'clock_offset_us'"
          " AND NOT attisdropped)",
          {}, "looking at schema duet"))
    statements.push_back("ALTER TABLE duet.conflict_log ADD COLUMN IF NOT EXISTS clock_offset_us bigint");
  for (const std::string table : {"duet.first_copy", "duet.table_state"}) {
    if (connections_->ask_whether("SELECT to_regclass('" + table + "') IS NOT NULL", {}, "looking at schema duet")) continue;
    for (std::string& sql : split_statements(sql::postgres::bookkeeping))
      if (sql.find("CREATE TABLE IF NOT EXISTS " + table + " ") != std::string::npos) statements.push_back(std::move(sql));
  }
  return statements;
}

// The published tables, quoted; none if there is no publication, or an empty one.
std::vector<std::string> site::published() {
  const result_handle r = connections_->ask(
      "SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = $1", {object_name_}, "reading the publication");
  std::vector<std::string> tables;
  for (int i = 0, n = PQntuples(r.get()); i < n; ++i)
    tables.push_back(qualified_name(field(r.get(), i, 0), field(r.get(), i, 1)));
  return tables;
}

// PostgreSQL 18 refuses updates of a table with REPLICA IDENTITY FULL that has a generated column which is not published.
bool site::publishes_generated_columns() { return PQserverVersion(connections_->general()) >= 180000; }

bool site::publishes_all(const mapping& m) {
  std::vector<std::string> wanted{qualified_name("duet", "control")};
  for (const table_pair& pair : m.tables) wanted.push_back(qualified_name(pair.home.schema, pair.home.name));
  std::vector<std::string> found = published();
  std::ranges::sort(wanted);
  std::ranges::sort(found);
  return wanted == found && (!publishes_generated_columns() || connections_->ask_whether("SELECT pubgencols = 's' FROM pg_publication WHERE pubname = $1",
                                                                                         {object_name_}, "reading the publication"));
}

std::vector<std::string> site::setup_statements(const mapping& m, bool for_dba) {
  std::vector<std::string> statements = has_bookkeeping() ? what_is_missing() : split_statements(sql::postgres::bookkeeping);
  if (for_dba)  // the tables' owner may do it; before the slot, which so finds whole rows from its beginning
    for (const table_pair& pair : m.tables)
      if (needs_full_identity(pair)) statements.push_back(full_identity(pair.home));

  const std::string publication = quote_identifier(object_name_), literal = quote_literal(object_name_);
  if (!publishes_all(m)) {
    std::string tables = qualified_name("duet", "control");
    for (const table_pair& pair : m.tables) tables += ", " + qualified_name(pair.home.schema, pair.home.name);
    const std::string with = publishes_generated_columns() ? " (publish_generated_columns = stored)" : "";
    statements.push_back("DO $duet$ BEGIN\n  IF EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = " + literal +
                         ") THEN\n    ALTER PUBLICATION " + publication + " SET TABLE " + tables +
                         (with.empty() ? "" : ";\n    ALTER PUBLICATION " + publication + " SET" + with) +
                         ";\n  ELSE\n    CREATE PUBLICATION " + publication + " FOR TABLE " + tables + (with.empty() ? "" : " WITH" + with) +
                         ";\n  END IF;\nEND $duet$");
  }
  if (!connections_->ask_whether("SELECT EXISTS (SELECT FROM pg_replication_origin WHERE roname = $1)", {object_name_},
                                 "reading origins"))
    statements.push_back("SELECT pg_catalog.pg_replication_origin_create(" + literal +
                         ") WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_replication_origin WHERE roname = " + literal + ")");
  // Last, so that the publication is there at every place of the log that the slot will read.
  if (!connections_->ask_whether("SELECT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1)", {object_name_},
                                 "reading the slot"))
    statements.push_back("SELECT pg_catalog.pg_create_logical_replication_slot(" + literal +
                         ", 'pgoutput') WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = " +
                         literal + ")");
  if (!for_dba) return statements;

  const std::string role = quote_identifier(at_.user.empty() ? PQuser(connections_->general()) : at_.user);
  statements.push_back("ALTER ROLE " + role + " REPLICATION");
  statements.push_back("GRANT USAGE ON SCHEMA duet TO " + role);
  statements.push_back("GRANT SELECT, INSERT, UPDATE, DELETE ON duet.control, duet.conflict_log, duet.held, duet.first_copy, duet.table_state TO " + role);
  statements.push_back("GRANT EXECUTE ON FUNCTION pg_catalog.pg_replication_origin_session_setup(text),"
                       " pg_catalog.pg_replication_origin_xact_setup(pg_lsn, timestamptz) TO " + role);
  std::vector<std::string> schemas;
  for (const table_pair& pair : m.tables) {
    if (std::ranges::find(schemas, pair.home.schema) == schemas.end()) {
      schemas.push_back(pair.home.schema);
      statements.push_back("GRANT USAGE ON SCHEMA " + quote_identifier(pair.home.schema) + " TO " + role);
    }
    statements.push_back(std::string("GRANT SELECT") +
                         (pair.flows_from(side::spoke) ? ", INSERT, UPDATE, DELETE, TRUNCATE" : pair.copies_from(side::home) ? ", UPDATE" : "") + " ON " +
                         qualified_name(pair.home.schema, pair.home.name) + " TO " + role);
  }
  return statements;
}

void site::create_table(const std::string& sql) { exec(connections_->general(), sql.c_str(), "creating a table at home"); }

std::vector<column_detail> site::load_column_details(const table_schema& t) {
  const result_handle r = connections_->ask(
      "SELECT a.attname, a.attnum, a.attidentity <> '', pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a"
      " JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
      " LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
      " WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped",
      {t.schema, t.name}, "reading the columns of " + dotted(t));
  std::vector<column_detail> all;
  for (int i = 0; i < PQntuples(r.get()); ++i) {
    column_detail& c = all.emplace_back();
    c.name = field(r.get(), i, 0);
    c.number = std::stoi(std::string(field(r.get(), i, 1)));
    const std::string_view expression = field(r.get(), i, 3);
    c.has_default = is_true(field(r.get(), i, 2)) || (!expression.empty() && !expression.starts_with("NULL::"));
    if (c.has_default) c.constant = constant_of(expression).value_or("");
    c.is_constant = c.has_default && constant_of(expression).has_value();
  }
  return all;
}

void site::alter_table(const std::string& sql) {
  exec(connections_->general(), ("SET lock_timeout = '" + std::to_string(alter_lock_wait_s) + "s'").c_str(), "altering a table at home");
  exec(connections_->general(), sql.c_str(), "altering a table at home");
}

void site::setup(const mapping& m) {
  for (const std::string& sql : setup_statements(m, false)) {
    try {
      exec(connections_->general(), sql.c_str(), "setting up link " + link_ + " at home");
    } catch (failure& f) {
      if (f.server_code == "42501") f.remedy = "let a DBA run what `duet setup --print` shows";
      if (f.server_code == "57014")
        f.remedy = "a transaction that has been open for long keeps the slot from being made: end it (see pg_stat_activity)";
      throw;
    }
  }
}

log_position site::start_position() {
  const result_handle r = connections_->ask(
      "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = $1 AND database = current_database()",
      {object_name_}, "reading the slot");
  if (PQntuples(r.get()) == 0 || PQgetisnull(r.get(), 0, 0))
    throw failure(failure_kind::not_set_up, "replication slot " + object_name_ + " is not there at home", {}, "duet setup");
  return {parse_lsn(field(r.get(), 0, 0))};
}

bool site::init_control(const control_row& row) {
  auto number = [](std::uint64_t value) { return std::to_string(static_cast<std::int64_t>(value)); };
  const result_handle r = connections_->ask(
      "INSERT INTO duet.control (link, epoch, position, floor, counter, fingerprint, source_identity, own_identity)"
      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (link) DO NOTHING",
      {link_, number(row.epoch), number(row.position.value), number(row.floor.value), number(row.counter),
       number(row.fingerprint), row.source_identity, row.own_identity},
      "writing the first control row at home");
  return std::string_view(PQcmdTuples(r.get())) == "1";
}

std::vector<std::string> site::teardown_statements() {
  const std::string name = quote_literal(object_name_), link = quote_literal(link_);
  return {
      "SELECT pg_catalog.pg_drop_replication_slot(slot_name) FROM pg_catalog.pg_replication_slots WHERE slot_name = " + name,
      "DROP PUBLICATION IF EXISTS " + quote_identifier(object_name_),
      "SELECT pg_catalog.pg_replication_origin_drop(roname) FROM pg_catalog.pg_replication_origin WHERE roname = " + name,
      "DO $duet$ BEGIN\n"
      "  IF to_regclass('duet.held') IS NOT NULL THEN DELETE FROM duet.held WHERE link = " + link + "; END IF;\n"
      "  IF to_regclass('duet.conflict_log') IS NOT NULL THEN DELETE FROM duet.conflict_log WHERE link = " + link + "; END IF;\n"
      "  IF to_regclass('duet.table_state') IS NOT NULL THEN DELETE FROM duet.table_state WHERE link = " + link + "; END IF;\n"
      "  IF to_regclass('duet.first_copy') IS NOT NULL THEN DELETE FROM duet.first_copy WHERE link = " + link + "; END IF;\n"
      "  IF to_regclass('duet.control') IS NOT NULL THEN\n"
      "    DELETE FROM duet.control WHERE link = " + link + ";\n"
      "    IF NOT EXISTS (SELECT FROM duet.control) THEN DROP SCHEMA duet CASCADE; END IF;\n"
      "  END IF;\n"
      "END $duet$"};
}

void site::teardown() {
  if (!connections_->lock) take_lock(false);  // not under a hub that runs
  for (const std::string& sql : teardown_statements())
    exec(connections_->general(), sql.c_str(), "removing link " + link_ + " at home");
  connections_->lock.reset();
}

// ---------------------------------------------------------------------------------------------------------------------
// Start-up and status

std::optional<control_row> site::load_control() {
  if (!has_bookkeeping()) return {};
  const result_handle r = connections_->ask(std::string("SELECT ") + control_columns + " FROM duet.control WHERE link = $1",
                                            {link_}, "reading the control row at home");
  if (PQntuples(r.get()) == 0) return {};
  return control_of(r.get(), link_);
}

void site::report_holder() {
  const result_handle r = connections_->ask(
      "SELECT l.pid, a.application_name, coalesce(host(a.client_addr), 'the same machine'), a.backend_start::timestamptz(0)"
      " FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid, hashtextextended('duet:' || $1, 0) AS k"
      " WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted"
      " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
      " AND l.classid::bigint = ((k >> 32) & 4294967295) AND l.objid::bigint = (k & 4294967295)",
      {link_}, "looking for the other hub");
  std::string who = "another hub";
  if (PQntuples(r.get()) > 0)
    who += ", from " + std::string(field(r.get(), 0, 2)) + " since " + std::string(field(r.get(), 0, 3)) + ", session " +
           std::string(field(r.get(), 0, 1)) + " with pid " + std::string(field(r.get(), 0, 0)) + ",";
  throw failure(failure_kind::already_running, who + " holds link " + link_ + " at home", {},
                "stop it, or take the link from it by force");
}

void site::take_lock(bool force) {
  connection_handle fresh = connections_->open("duet:" + link_ + ":hub");
  const char* parameters[] = {link_.c_str()};
  for (int attempt = 1;; ++attempt) {
    const result_handle r = exec(fresh.get(), "SELECT pg_try_advisory_lock(hashtextextended('duet:' || $1, 0))", parameters,
                                 "taking the lock of link " + link_);
    if (is_true(field(r.get(), 0, 0))) break;
    if (force) {
      exec(fresh.get(),
           "SELECT pg_terminate_backend(l.pid, 5000) FROM pg_locks l, hashtextextended('duet:' || $1, 0) AS k"
           " WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted AND l.pid <> pg_backend_pid()"
           " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
           " AND l.classid::bigint = ((k >> 32) & 4294967295) AND l.objid::bigint = (k & 4294967295)",
           parameters, "ending the other hub's session");
    }
    if (attempt == lock_tries) report_holder();
    std::this_thread::sleep_for(lock_pause);
  }
  connections_->lock = std::move(fresh);
}

// What a hub before us has left behind: its reader, its applier and their helpers. The lock is ours, so it is no hub any more.
void site::end_sessions() {
  const char* parameters[] = {link_.c_str(), object_name_.c_str()};
  exec(connections_->lock.get(),
       "SELECT pg_terminate_backend(pid, 5000) FROM"
       " (SELECT pid FROM pg_stat_activity WHERE starts_with(application_name, 'duet:' || $1 || ':')"
       "  UNION SELECT active_pid FROM pg_replication_slots WHERE slot_name = $2 AND active_pid IS NOT NULL) AS left_behind"
       " WHERE pid <> pg_backend_pid()",
       parameters, "ending sessions of an earlier hub");
}

control_row site::take_over(std::uint64_t at_least, bool force) {
  if (connections_->lock) {
    result_handle(PQexec(connections_->lock.get(), ""));
    if (PQstatus(connections_->lock.get()) != CONNECTION_OK) connections_->lock.reset();
  }
  const bool had_lock = connections_->lock != nullptr;
  if (!had_lock) take_lock(force);
  if (!had_lock || force) end_sessions();

  const std::string least = std::to_string(static_cast<std::int64_t>(at_least));
  const char* parameters[] = {link_.c_str(), least.c_str()};
  try {
    const result_handle r = exec(connections_->lock.get(),
                                 (std::string("UPDATE duet.control SET epoch = greatest(epoch + 1, $2::bigint) WHERE link = $1"
                                              " RETURNING ") + control_columns).c_str(),
                                 parameters, "raising the epoch at home");
    if (PQntuples(r.get()) == 1) return control_of(r.get(), link_);
  } catch (const failure& f) {
    if (f.server_code != "42P01" && f.server_code != "3F000") throw;
  }
  throw failure(failure_kind::not_set_up, "link " + link_ + " has no control row at home", {}, "duet setup");
}

control_row site::set_back(const control_row& to) {
  const auto number = [](std::uint64_t n) { return std::to_string(static_cast<std::int64_t>(n)); };
  const std::string epoch = number(to.epoch), position = number(to.position.value), floor = number(to.floor.value), fingerprint = number(to.fingerprint);
  const char* parameters[] = {link_.c_str(), epoch.c_str(), position.c_str(), floor.c_str(), fingerprint.c_str()};
  const result_handle r = exec(connections_->lock.get(),
                               (std::string("UPDATE duet.control SET position = $3::bigint, floor = $4::bigint, fingerprint = $5::bigint, counter = counter + 1"
                                            " WHERE link = $1 AND epoch = $2::bigint RETURNING ") + control_columns).c_str(),
                               parameters, "setting the control row back at home");
  if (PQntuples(r.get()) != 1) throw failure(failure_kind::fenced, "another hub has taken link " + link_ + " over at home");
  return control_of(r.get(), link_);
}

std::vector<table_note> site::load_table_notes() {
  std::vector<table_note> all;
  if (!connections_->ask_whether("SELECT to_regclass('duet.table_state') IS NOT NULL", {}, "looking at schema duet")) return all;
  const result_handle r = connections_->ask("SELECT table_name, state FROM duet.table_state WHERE link = $1 ORDER BY 1", {link_}, "reading duet.table_state");
  for (int i = 0; i < PQntuples(r.get()); ++i) all.push_back({std::string(field(r.get(), i, 0)), std::string(field(r.get(), i, 1))});
  return all;
}

void site::store_table_note(const table_note& note) {
  if (note.text.empty())
    connections_->ask("DELETE FROM duet.table_state WHERE link = $1 AND table_name = $2", {link_, note.table}, "writing duet.table_state");
  else
    connections_->ask("INSERT INTO duet.table_state (link, table_name, state) VALUES ($1, $2, $3)"
                      " ON CONFLICT (link, table_name) DO UPDATE SET state = excluded.state, changed_at = clock_timestamp()",
                      {link_, note.table, note.text}, "writing duet.table_state");
}

void site::check_log(log_position start, log_position known) {
  const result_handle r = connections_->ask(
      "SELECT s.plugin, s.database = current_database(), s.wal_status, s.confirmed_flush_lsn, pg_current_wal_insert_lsn()"
      " FROM (SELECT) AS always LEFT JOIN pg_replication_slots s ON s.slot_name = $1",
      {object_name_}, "looking at the slot");
  const std::string slot = "replication slot " + object_name_;
  const std::string remedy = "compare both databases, then duet teardown and duet setup";
  const std::uint64_t end = parse_lsn(field(r.get(), 0, 4));
  if (end < known.value)
    throw failure(failure_kind::history_changed,
                  "home's log ends at " + format_lsn(end) + ", but the spoke has applied it up to " + format_lsn(known) +
                      ": this is an older copy of home, or another server",
                  {}, remedy);
  if (PQgetisnull(r.get(), 0, 0)) throw failure(failure_kind::log_lost, slot + " has been dropped", {}, remedy);
  if (field(r.get(), 0, 0) != "pgoutput" || !is_true(field(r.get(), 0, 1)))
    throw failure(failure_kind::log_lost, slot + " has been replaced by one of another plugin or database", {}, remedy);
  if (field(r.get(), 0, 2) == "lost" || PQgetisnull(r.get(), 0, 3))
    throw failure(failure_kind::log_lost, slot + " has been invalidated (wal_status " + std::string(field(r.get(), 0, 2)) + ")", {},
                  remedy);
  const std::uint64_t confirmed = parse_lsn(field(r.get(), 0, 3));
  // Records begin at multiples of 8, so nothing lies between just_before(a place) and the place.
  if (confirmed > ((start.value + 7) & ~std::uint64_t{7}))
    throw failure(failure_kind::log_lost,
                  slot + " has been advanced to " + format_lsn(confirmed) + ", past " + format_lsn(start) +
                      " where Duet must continue",
                  {}, remedy);
}

site_status site::status() {
  site_status s;
  s.identity = identity();
  s.control = load_control();
  const result_handle log = connections_->ask(
      "SELECT pg_current_wal_lsn(), pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn)::bigint, s.active, s.wal_status,"
      " s.confirmed_flush_lsn, s.slot_name FROM (SELECT) AS always LEFT JOIN pg_replication_slots s ON s.slot_name = $1",
      {object_name_}, "looking at the slot");
  s.log_end.value = parse_lsn(field(log.get(), 0, 0));
  if (!PQgetisnull(log.get(), 0, 1)) s.retained_bytes = to_integer(field(log.get(), 0, 1));
  if (PQgetisnull(log.get(), 0, 5)) {
    s.detail = "no replication slot " + object_name_;
  } else {
    s.detail = "slot " + object_name_ + (is_true(field(log.get(), 0, 2)) ? " is read" : " is not read") + ", wal_status " +
               std::string(field(log.get(), 0, 3)) + ", confirmed " + std::string(field(log.get(), 0, 4));
  }
  if (!has_bookkeeping()) return s;
  const result_handle conflicts = connections_->ask("SELECT count(*) FROM duet.conflict_log WHERE link = $1", {link_},
                                                    "counting conflicts");
  s.conflicts = parse_bigint(conflicts.get(), 0, 0);
  const result_handle held = connections_->ask(
      "SELECT table_name, count(*), (array_agg(reason ORDER BY id DESC))[1] FROM duet.held WHERE link = $1 GROUP BY 1 ORDER BY 1",
      {link_}, "counting held rows");
  for (int i = 0, n = PQntuples(held.get()); i < n; ++i)
    s.held.push_back({std::string(field(held.get(), i, 0)), parse_bigint(held.get(), i, 1), std::string(field(held.get(), i, 2))});
  return s;
}

namespace {

std::string text_or_empty(const PGresult* r, int row, int column) {
  return PQgetisnull(r, row, column) ? std::string() : std::string(field(r, row, column));
}
std::uint64_t number_or_0(const PGresult* r, int row, int column) { return PQgetisnull(r, row, column) ? 0 : parse_bigint(r, row, column); }

#define DUET_TIME_US(column) "(extract(epoch FROM " column ") * 1000000)::bigint"

}  // namespace

std::vector<logged_conflict> site::load_conflicts(const conflict_filter& f) {
  std::vector<logged_conflict> all;
  if (!has_bookkeeping()) return all;
  if (!what_is_missing().empty())
    throw failure(failure_kind::not_set_up, "reading duet.conflict_log at home: it is of an earlier version of Duet", {}, "duet setup");
  const result_handle r = connections_->ask(
      "SELECT id, table_name, key, type, home_row, spoke_row, base_row, result_row, home_position, spoke_position, "
      DUET_TIME_US("home_time") ", " DUET_TIME_US("spoke_time") ", rule, winner, result, decided_by, " DUET_TIME_US("decided_at")
      ", clock_offset_us FROM duet.conflict_log WHERE link = $1 AND ($2::bigint = 0 OR id = $2::bigint)"
      " AND ($3::bigint = 0 OR decided_at >= to_timestamp($3::bigint / 1000000.0))"
      " AND ($4 = '' OR table_name = $4 OR right(table_name, length($4) + 1) = '.' || $4)"
      " AND ($5 = '' OR EXISTS (SELECT FROM jsonb_each_text(key) AS k WHERE k.value = $5)) ORDER BY id DESC LIMIT $6::bigint",
      {link_, std::to_string(f.id), std::to_string(f.since_us), f.table, f.key, std::to_string(f.limit)}, "reading duet.conflict_log");
  const PGresult* p = r.get();
  for (int i = 0, n = PQntuples(p); i < n; ++i) {
    logged_conflict& c = all.emplace_back();
    c.id = parse_bigint(p, i, 0);
    std::string* const texts[] = {&c.table, &c.key, &c.type, &c.home_row, &c.spoke_row, &c.base_row, &c.result_row};
    for (int t = 0; t < 7; ++t) *texts[t] = text_or_empty(p, i, 1 + t);
    c.home_position.value = number_or_0(p, i, 8);
    c.spoke_position.value = number_or_0(p, i, 9);
    c.home_time_us = static_cast<std::int64_t>(number_or_0(p, i, 10));
    c.spoke_time_us = static_cast<std::int64_t>(number_or_0(p, i, 11));
    c.rule = field(p, i, 12);
    c.winner = field(p, i, 13);
    c.result = field(p, i, 14);
    c.decided_by = field(p, i, 15);
    c.decided_at_us = to_integer(field(p, i, 16));
    if (!PQgetisnull(p, i, 17)) c.clock_offset_us = to_integer(field(p, i, 17));
  }
  return all;
}

std::vector<held_change> site::load_held() {
  std::vector<held_change> all;
  if (!has_bookkeeping()) return all;
  const result_handle r = connections_->ask(
      "SELECT id, table_name, key, token, operation, reason, server_code, before_row, after_row, source_position, "
      DUET_TIME_US("source_time") ", " DUET_TIME_US("held_at") " FROM duet.held WHERE link = $1 ORDER BY id",
      {link_}, "reading duet.held");
  const PGresult* p = r.get();
  for (int i = 0, n = PQntuples(p); i < n; ++i) {
    held_change& h = all.emplace_back();
    h.id = parse_bigint(p, i, 0);
    h.table = field(p, i, 1);
    h.key = field(p, i, 2);
    h.token = parse_bigint(p, i, 3);
    h.op = operation_named(field(p, i, 4));
    h.reason = field(p, i, 5);
    h.server_code = field(p, i, 6);
    h.before_row = text_or_empty(p, i, 7);
    h.after_row = text_or_empty(p, i, 8);
    h.source_position.value = parse_bigint(p, i, 9);
    h.source_time_us = static_cast<std::int64_t>(number_or_0(p, i, 10));
    h.held_at_us = to_integer(field(p, i, 11));
  }
  return all;
}

std::vector<aged_conflict> site::load_oldest_conflicts(std::uint64_t after_id, int days, std::size_t limit) {
  std::vector<aged_conflict> all;
  const result_handle r = connections_->ask(
      "SELECT id, table_name, key, decided_at < clock_timestamp() - make_interval(days => $3::int) FROM duet.conflict_log"
      " WHERE link = $1 AND id > $2::bigint ORDER BY id LIMIT $4::bigint",
      {link_, std::to_string(after_id), std::to_string(days), std::to_string(limit)}, "reading duet.conflict_log");
  const PGresult* p = r.get();
  for (int i = 0, n = PQntuples(p); i < n; ++i)
    all.push_back({{std::string(field(p, i, 1)), std::string(field(p, i, 2))}, parse_bigint(p, i, 0), is_true(field(p, i, 3))});
  return all;
}

void site::remove_conflicts(std::span<const std::uint64_t> ids) {
  std::string list = "{";
  for (const std::uint64_t id : ids) list += (list.size() > 1 ? "," : "") + std::to_string(id);
  connections_->ask("DELETE FROM duet.conflict_log WHERE link = $1 AND id = ANY ($2::bigint[])", {link_, list + "}"},
                    "removing old rows of duet.conflict_log");
}

std::vector<table_key> site::load_held_keys() {
  std::vector<table_key> all;
  const result_handle r = connections_->ask("SELECT DISTINCT table_name, key FROM duet.held WHERE link = $1", {link_}, "reading duet.held");
  for (int i = 0, n = PQntuples(r.get()); i < n; ++i) all.push_back({std::string(field(r.get(), i, 0)), std::string(field(r.get(), i, 1))});
  return all;
}

void site::remove_held(std::uint64_t token) {
  connections_->ask("DELETE FROM duet.held WHERE link = $1 AND token = $2::bigint",
                    {link_, std::to_string(static_cast<std::int64_t>(token))}, "releasing held changes");
}

std::optional<clock_reading> site::read_clock() {
  PGconn* c = connections_->general();  // found alive, so that the reading itself is one round trip
  clock_reading reading{.us = 0, .before = std::chrono::steady_clock::now(), .after = {}};
  const result_handle r = exec(c, "SELECT " DUET_TIME_US("clock_timestamp()"), "reading home's clock");
  reading.after = std::chrono::steady_clock::now();
  reading.us = to_integer(field(r.get(), 0, 0));
  return reading;
}

void site::interrupt() noexcept { connections_->interrupt(); }

}  // namespace duet::postgres
