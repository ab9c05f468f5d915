#include "mysql/site.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <sql/mysql.hpp>
#include <thread>

#include "mysql/catalog.hpp"
#include "mysql/connection.hpp"
#include "mysql/target_control.hpp"

namespace duet::mysql {
namespace {

constexpr int lock_wait_s = 5;  // a hub that has just ended may need a moment to let go
constexpr int alter_lock_wait_s = 5;
constexpr std::int64_t day_s = 86400;
constexpr std::uint64_t small_packet_bytes = 16u << 20;

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

std::string dotted(const table_schema& t) {
  return t.schema + '.' + t.name;
}

// The statements of an embedded file: each ends with ';' at the end of a line; comment lines are left out.
std::vector<std::string> split_statements(std::string_view file) {
  std::vector<std::string> out;
  std::string statement;
  while (!file.empty()) {
    const auto end = std::min(file.find('\n'), file.size() - 1);
    std::string_view line = file.substr(0, end + 1);
    file.remove_prefix(end + 1);
    if (line.starts_with("--")) continue;
    while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.remove_suffix(1);
    if (line.empty()) continue;
    const bool last = line.back() == ';';
    if (last) line.remove_suffix(1);
    if (!statement.empty()) statement += '\n';
    statement += line;
    if (last) {
      out.push_back(std::move(statement));
      statement.clear();
    }
  }
  return out;
}

bool covers(const std::string& list, std::string_view schema) {  // a,b,c
  std::string_view rest = list;
  while (!rest.empty()) {
    const auto comma = std::min(rest.find(','), rest.size());
    if (rest.substr(0, comma) == schema) return true;
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return false;
}

bool is_filtered(const binlog_end& end, std::string_view schema) {
  return (!end.only.empty() && !covers(end.only, schema)) || covers(end.without, schema);
}
std::string filter_text(const std::string& schema) {
  return "changes of database " + schema + " are not logged (binlog-do-db or binlog-ignore-db)";
}
constexpr const char* filter_remedy = "remove these options from the server's configuration and restart it";

// 'user'@'host' of the session's account, for GRANT.
std::string read_account(connection& c) {
  const std::string user = c.query_value("SELECT CURRENT_USER()", "reading the user's name").value_or("");
  const auto sign = user.rfind('@');
  return quote_text(user.substr(0, sign)) + '@' + quote_text(sign == std::string::npos ? "%" : user.substr(sign + 1));
}

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

bool cascades(const std::string& rule) {
  return rule == "CASCADE" || rule == "SET NULL" || rule == "SET DEFAULT";
}

}  // namespace

struct site::sessions {
  sessions(const endpoint& at, std::string link) : at(at), link(std::move(link)) {}

  // For everything but the lock; made anew if it broke since it was last used.
  connection& general() {
    if (general_) {
      try {
        general_->execute("DO 1", "looking whether the connection is there");
      } catch (const failure&) {
        keep(nullptr);
      }
    }
    if (!general_) {
      keep(open("duet:" + link));
      const auto base = general_->query_value("SELECT @@log_bin_basename", "reading the binlog's name");
      if (base) binlog_name = base->substr(base->rfind('/') + 1);
    }
    return *general_;
  }
  void interrupt() noexcept {
    const std::lock_guard guard(mutex_);
    interrupted_ = true;
    if (general_) general_->interrupt();
  }
  std::unique_ptr<connection> open(const std::string& name) { return std::make_unique<connection>(at, name); }

  const endpoint& at;
  const std::string link;
  std::unique_ptr<connection> lock;
  std::string proposed_uuid;
  std::string binlog_name = "binlog";

 private:
  void keep(std::unique_ptr<connection> c) {
    const std::lock_guard guard(mutex_);
    if (interrupted_) throw failure(failure_kind::connection_lost, "the spoke is not asked any more");
    general_ = std::move(c);
  }
  std::mutex mutex_;  // guards general_ against interrupt()
  bool interrupted_ = false;
  std::unique_ptr<connection> general_;
};

site::site(const endpoint& at, std::string link)
    : at_(at), link_(std::move(link)), sessions_(std::make_unique<sessions>(at_, link_)) {}
site::~site() = default;

void site::connect() {
  sessions_->general();
}

std::string site::describe(log_position p) const {
  std::string number = std::to_string(binlog_file_number(p));
  if (number.size() < 6) number.insert(0, 6 - number.size(), '0');
  return sessions_->binlog_name + '.' + number + ':' + std::to_string(binlog_offset(p));
}

site_identity site::identity() {
  connection& c = sessions_->general();
  const std::string doing = "reading the spoke's identity";
  site_identity id{std::string(c.version().product()), c.version().text, {}};
  if (c.version().speaks == dialect::mysql) {
    id.id = c.query_value("SELECT @@server_uuid", doing).value_or("");
    return id;
  }
  std::optional<std::string> uuid;
  try {
    uuid = c.query_value("SELECT uuid FROM duet.server WHERE id=1", doing);
  } catch (const failure& f) {  // not there yet, or not yet for this user
    if (f.kind != failure_kind::not_set_up && f.kind != failure_kind::schema_changed && f.kind != failure_kind::configuration)
      throw;
  }
  if (!uuid) {
    if (sessions_->proposed_uuid.empty()) sessions_->proposed_uuid = c.query_value("SELECT UUID()", doing).value_or("");
    uuid = sessions_->proposed_uuid;
  }
  id.id = *uuid + '/' + c.query_value("SELECT @@server_id", doing).value_or("");
  return id;
}

std::vector<table_schema> site::load_tables(const std::vector<std::string>& patterns) {
  return mysql::load_tables(sessions_->general(), patterns, at_.database);
}

// ---------------------------------------------------------------------------------------------------------------------
// Checks

void site::check_server(findings& all) {
  reporter report(all, "spoke");
  connection& c = sessions_->general();
  const server_version& v = c.version();
  const bool maria = v.speaks == dialect::mariadb;
  const std::string release = std::string(v.product()) + ' ' + v.text;
  if (maria ? !v.at_least(10, 6) : !v.at_least(8, 0, 19))
    report.refuse("server_version", release + " is too old",
                  maria ? "upgrade to MariaDB 10.6 or newer" : "upgrade to MySQL 8.0.19 or newer");
  else if (maria ? v.major > 11 : v.major > 9)
    report.warn("server_version", release + " is newer than any version Duet was tested with");
  else
    report.ok("server_version", release);

  std::map<std::string, std::string> settings;
  {
    result rows = c.query("SHOW GLOBAL VARIABLES", "reading the spoke's settings");
    while (rows.next()) settings[rows.text(1)] = rows.is_null(2) ? "" : rows.text(2);
  }
  const auto setting = [&](const char* name) {
    const auto found = settings.find(name);
    return found == settings.end() ? std::string() : found->second;
  };
  const auto has = [&](const char* name) { return settings.count(name) != 0; };
  // MySQL keeps what SET PERSIST says over a restart, MariaDB needs its configuration file.
  const auto set = [&](const std::string& name, const std::string& value) {
    return maria ? "SET GLOBAL " + name + " = " + value + "; -- and in the configuration file, below [mariadb]: " + name +
                       " = " + value
                 : "SET PERSIST " + name + " = " + value + ";";
  };
  const auto demand = [&](const char* name, const std::string& wanted, const std::string& why, const std::string& sql_value) {
    const std::string found = setting(name);
    if (found == wanted)
      report.ok(name, std::string(name) + " = " + found);
    else
      report.refuse(name, std::string(name) + " = " + (found.empty() ? "''" : found) + ": " + why, set(name, sql_value));
  };

  const bool logs = setting("log_bin") == "ON";
  if (logs)
    report.ok("log_bin", "log_bin = ON");
  else
    report.refuse("log_bin", "log_bin = OFF: the server writes no binlog to read changes from",
                  "start the server with --log-bin=binlog --server-id=1 (or any number that no other server has)");
  demand("binlog_format", "ROW", "the log has statements instead of rows", "'ROW'");
  demand("binlog_row_image", "FULL", "the log lacks the old values that two-way sync compares with", "'FULL'");
  demand("binlog_row_metadata", "FULL", "after a change of a table the log does not tell which value is of which column", "FULL");
  if (has("binlog_row_value_options"))
    demand("binlog_row_value_options", "", "JSON values are logged in parts, which can't be put together again", "''");
  demand("sync_binlog", "1", "after a crash of the machine the log may lack transactions that were read from it already", "1");
  demand("innodb_flush_log_at_trx_commit", "1", "after a crash of the machine this database may have lost what home has", "1");
  if (has("binlog_order_commits"))
    demand("binlog_order_commits", "ON", "the order of the log is not the order in which transactions become visible", "ON");

  if (setting("read_only") == "ON" || setting("super_read_only") == "ON")
    report.refuse("read_only", "the server is read only; Duet must write here",
                  maria ? "SET GLOBAL read_only = OFF; -- or connect to the primary"
                        : "SET PERSIST super_read_only = OFF; SET PERSIST read_only = OFF; -- or connect to the primary");
  if (maria && setting("gtid_strict_mode") != "ON")
    report.warn("gtid_strict_mode", "gtid_strict_mode = OFF: transactions may be logged out of the order of their GTIDs",
                set("gtid_strict_mode", "ON"));
  if (!maria && setting("gtid_mode") != "ON")
    report.warn(
        "gtid_mode",
        "gtid_mode = " + setting("gtid_mode") + ": transactions have no names by which a foreign log could be told",
        "SET PERSIST enforce_gtid_consistency = ON; then gtid_mode = OFF_PERMISSIVE, ON_PERMISSIVE, ON, one after the other");
  if (setting("wsrep_on") == "ON")
    report.warn("galera",
                "the server is a node of a Galera cluster: Duet must always reach this same node, its binlog is its own");

  if (const auto expire = setting("binlog_expire_logs_seconds"); !expire.empty()) {
    const std::int64_t seconds = std::stoll(expire);
    const std::string text = "the binlog is kept for " + (seconds == 0 ? std::string("ever") : std::to_string(seconds) + " s");
    if (seconds > 0 && seconds < day_s)
      report.warn("binlog_expire_logs_seconds", text + ": a link that is stopped for longer must be set up anew",
                  set("binlog_expire_logs_seconds", "604800"));
    else
      report.ok("binlog_expire_logs_seconds", text);
  }
  if (const auto limit = setting("max_binlog_total_size"); !limit.empty() && limit != "0")
    report.warn("max_binlog_total_size",
                "max_binlog_total_size = " + limit + ": a link that falls behind by more must be set up anew",
                set("max_binlog_total_size", "0"));
  if (const auto packet = setting("max_allowed_packet"); !packet.empty() && std::stoull(packet) < small_packet_bytes)
    report.warn("max_allowed_packet", "max_allowed_packet = " + packet + ": larger rows of home are refused here",
                set("max_allowed_packet", "67108864"));

  const char* updates = has("log_replica_updates") ? "log_replica_updates" : "log_slave_updates";
  try {
    const bool replica = c.query(maria || !v.at_least(8, 0, 22) ? "SHOW SLAVE STATUS" : "SHOW REPLICA STATUS",
                                 "asking whether the spoke is a replica")
                             .size() > 0;
    if (replica && setting(updates) != "ON")
      report.refuse(updates,
                    std::string(updates) + " = " + setting(updates) + " on a replica: what it replicates is not in its binlog",
                    "start the server with --" + std::string(updates));
    const char* order = has("replica_preserve_commit_order") ? "replica_preserve_commit_order" : "slave_preserve_commit_order";
    if (replica && has(order) && setting(order) != "ON")
      report.refuse(order, std::string(order) + " = OFF on a replica: its binlog has another order than its primary's",
                    set(order, "ON"));
  } catch (const failure& f) {
    if (f.kind != failure_kind::configuration) throw;  // not allowed to ask
    if (setting(updates) != "ON")
      report.warn(updates,
                  std::string(updates) + " = " + setting(updates) +
                      ": if this server is a replica, what it replicates is not in its binlog",
                  "start the server with --" + std::string(updates));
  }

  // Privileges.
  const std::string account = read_account(c);
  std::string grants;
  bool roles = false;
  {
    result rows = c.query("SHOW GRANTS", "reading privileges");
    while (rows.next()) {
      const std::string line = rows.text(1);
      if (line.find(" ON ") == std::string::npos)
        roles = true;
      else if (line.find(" ON *.*") != std::string::npos)
        grants += line + '\n';
    }
  }
  const std::string slave = "GRANT REPLICATION SLAVE ON *.* TO " + account + ";";
  if (grants.find("ALL PRIVILEGES") != std::string::npos || grants.find("REPLICATION SLAVE") != std::string::npos)
    report.ok("replication_privilege", "the user may read the binlog");
  else if (roles)
    report.warn("replication_privilege", "the user may read the binlog only if one of its roles says so (REPLICATION SLAVE)",
                slave);
  else
    report.refuse("replication_privilege", "the user may not read the binlog (REPLICATION SLAVE is missing)", slave);
  if (logs) {
    const std::string remedy =
        std::string("GRANT ") + (maria ? "BINLOG MONITOR" : "REPLICATION CLIENT") + " ON *.* TO " + account + ";";
    try {
      c.query("SHOW BINARY LOGS", "listing binlog files");
      const binlog_end end = read_binlog_end(c);
      for (const std::string& schema : {std::string("duet"), at_.database})
        if (!schema.empty() && is_filtered(end, schema)) report.refuse("binlog_filter", filter_text(schema), filter_remedy);
      report.ok("binlog_privilege", "the user may look at the binlog's files");
    } catch (const failure& f) {
      if (f.kind != failure_kind::configuration) throw;
      report.refuse("binlog_privilege", "the user may not look at the binlog's files", remedy);
    }
  }
}

void site::check_rights(const table_pair& pair, findings& all) {
  connection& c = sessions_->general();
  const std::string table = qualified_name(pair.spoke);
  const std::string key = pair.key.empty() ? std::string("1") : quote_identifier(pair.columns[pair.key.front()].spoke.name);
  std::vector<std::string> lacking;
  // EXPLAIN asks for the same privileges as the statement and touches nothing.
  const auto may = [&](const char* right, const std::string& sql) {
    try {
      c.query("EXPLAIN " + sql, "checking privileges on " + dotted(pair.spoke));
    } catch (const failure& f) {
      if (f.kind == failure_kind::row_refused) return;  // it got as far as the columns, so the privilege is there
      if (f.kind != failure_kind::configuration) throw;
      lacking.push_back(right);
    }
  };
  may("SELECT", "SELECT * FROM " + table + " WHERE FALSE");
  if (pair.flows_from(side::home) && !pair.key.empty()) {
    may("INSERT", "INSERT INTO " + table + " (" + key + ") SELECT NULL FROM (SELECT 1 AS one) AS nothing WHERE FALSE");
    may("UPDATE", "UPDATE " + table + " SET " + key + '=' + key + " WHERE FALSE");
    may("DELETE", "DELETE FROM " + table + " WHERE FALSE");
  }
  if (lacking.empty()) return;
  reporter(all, dotted(pair.spoke))
      .refuse("table_privileges", "the user lacks privileges on the table: " + listed(lacking),
              "GRANT " + listed(lacking) + " ON " + table + " TO " + read_account(c) + ";");
}

void site::check_tables(const mapping& m, findings& all) {
  connection& c = sessions_->general();
  const bool maria = c.version().speaks == dialect::mariadb;
  binlog_end end;
  try {
    end = read_binlog_end(c);
  } catch (const failure& f) {
    if (f.kind != failure_kind::configuration) throw;  // check_server() has said so
  }
  const bool logs_cascades =
      !maria && c.version().at_least(9, 6) &&
      c.query("SHOW GLOBAL VARIABLES WHERE Variable_name='innodb_native_foreign_keys' AND Value='ON'", "reading settings")
              .size() == 0;

  std::set<std::string> versioned;
  {
    std::string schemas = "''";
    for (const table_pair& pair : m.tables) schemas += ',' + quote_text(pair.spoke.schema);
    if (maria) {
      result tables = c.query(
          "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE='SYSTEM VERSIONED'"
          " AND TABLE_SCHEMA IN (" +
              schemas + ")",
          "reading the catalog");
      while (tables.next()) versioned.insert(tables.text(1) + '.' + tables.text(2));
    }
  }

  for (const table_pair& pair : m.tables) {
    const table_schema& t = pair.spoke;
    const std::string table = qualified_name(t);
    reporter report(all, dotted(t));
    const std::size_t before = all.size();

    if (t.engine != "InnoDB")
      report.refuse("engine",
                    "the table's engine is " + (t.engine.empty() ? "unknown" : t.engine) + ", which has no transactions",
                    "ALTER TABLE " + table + " ENGINE = InnoDB;");
    if (versioned.count(dotted(t)))
      report.refuse("system_versioned", "the table keeps old versions of its rows, and logs deletes as updates",
                    "ALTER TABLE " + table + " DROP SYSTEM VERSIONING; -- or leave the table out");
    if (is_filtered(end, t.schema)) report.refuse("binlog_filter", filter_text(t.schema), filter_remedy);
    if (pair.flows_from(side::home) && !t.triggers.empty())
      report.warn("triggers",
                  "triggers fire on Duet's writes, too, and what they write does not go back home: " + listed(t.triggers),
                  "if home does the same by itself, let their bodies begin with: IF SUBSTRING_INDEX(USER(), '@', 1) <> " +
                      quote_text(at_.user) + " THEN ...");
    if (pair.flows_from(side::spoke) && !logs_cascades)
      for (const foreign_key& key : t.foreign_keys)
        if (cascades(key.on_delete) || cascades(key.on_update))
          report.warn("unlogged_cascade",
                      "foreign key " + key.name + " (ON DELETE " + key.on_delete + ", ON UPDATE " + key.on_update + " from " +
                          key.parent_schema + '.' + key.parent_table + ") changes rows here without a word in the binlog",
                      "declare the same rule at home and sync the parent table, too: then home does the same by itself, except where its row stands against the parent's change (duet verify finds what is then missing)");
    check_rights(pair, all);
    if (pair.initial == initial_rows::copy_from_home && all.size() == before && c.query_value("SELECT 1 FROM " + table + " LIMIT 1", "looking at " + dotted(t)) && !copy_is_begun(pair))
      report.refuse("copy_target", "the table has rows: only an empty one can be filled from home", "duet teardown, if the link is set up (else the other side is emptied, too); empty the table; duet setup. Or take `initial` out if both sides are equal");
    if (all.size() == before) report.ok("table", "ready");
  }
}

bool site::copy_is_begun(const table_pair& pair) {
  connection& c = sessions_->general();
  return c.query_value("SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA='duet' AND TABLE_NAME='first_copy'", "looking at database duet") &&
         c.query_value("SELECT 1 FROM duet.first_copy WHERE link=" + quote_text(link_) + " AND table_name=" + quote_text(dotted(pair.home)), "reading duet.first_copy");
}

void site::check_set_up(findings& all) {
  reporter report(all, "spoke");
  if (!has_bookkeeping()) {
    report.warn("bookkeeping", "database duet with its tables is not there yet", "duet setup");
    return;
  }
  if (!what_is_missing().empty()) {
    report.refuse("bookkeeping_old", "the tables of database duet are of an earlier version of Duet", "duet setup");
    return;
  }
  if (!load_control()) {
    report.warn("control_row", "link " + link_ + " has no control row yet", "duet setup");
    return;
  }
  report.ok("set_up", "link " + link_ + " is set up here");
}

// ---------------------------------------------------------------------------------------------------------------------
// Setup and teardown

bool site::has_bookkeeping() {
  connection& c = sessions_->general();
  const std::string wanted =
      c.version().speaks == dialect::mariadb ? "'control','conflict_log','held','server'" : "'control','conflict_log','held'";
  const auto count = c.query_value(
      "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA='duet' AND TABLE_NAME IN (" + wanted + ")",
      "looking for Duet's tables");
  return count == (c.version().speaks == dialect::mariadb ? "4" : "3");
}

// What brings tables of an earlier version up to date.
std::vector<std::string> site::what_is_missing() {
  const auto there = [&](const std::string& condition) {
    return sessions_->general().query_value("SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA='duet' AND " + condition,
                                            "looking at database duet") != "0";
  };
  std::vector<std::string> statements;
  if (!there("TABLE_NAME='conflict_log' AND COLUMN_NAME='clock_offset_us'"))
    statements.push_back("ALTER TABLE duet.conflict_log ADD COLUMN clock_offset_us bigint");
  if (!there("TABLE_NAME='first_copy'"))
    for (std::string& sql : split_statements(sql::mysql::bookkeeping))
      if (sql.find("duet.first_copy") != std::string::npos) statements.push_back(std::move(sql));
  return statements;
}

std::vector<std::string> site::setup_statements(const mapping& m, bool for_dba) {
  connection& c = sessions_->general();
  const bool maria = c.version().speaks == dialect::mariadb;
  std::vector<std::string> statements;
  const bool there = has_bookkeeping();
  if (there) {
    statements = what_is_missing();
  } else {
    statements = split_statements(sql::mysql::bookkeeping);
    if (maria)
      for (auto& sql : split_statements(sql::mysql::mariadb_identity)) statements.push_back(std::move(sql));
  }
  if (maria && (!there || !c.query_value("SELECT uuid FROM duet.server WHERE id=1", "reading the spoke's identity"))) {
    identity();  // proposes one
    statements.push_back("INSERT INTO duet.server (id, uuid) SELECT 1, " + quote_text(sessions_->proposed_uuid) +
                         " FROM (SELECT 1 AS one) AS always WHERE NOT EXISTS (SELECT * FROM duet.server)");
  }
  if (!for_dba) return statements;

  const std::string account = read_account(c);
  statements.push_back(std::string("GRANT REPLICATION SLAVE, ") + (maria ? "BINLOG MONITOR" : "REPLICATION CLIENT") +
                       " ON *.* TO " + account);
  statements.push_back("GRANT SELECT, INSERT, UPDATE, DELETE ON `duet`.* TO " + account);
  for (const table_pair& pair : m.tables)
    statements.push_back(std::string("GRANT SELECT") + (pair.flows_from(side::home) ? ", INSERT, UPDATE, DELETE" : "") +
                         (pair.on_schema_change == schema_rule::follow ? ", ALTER" : "") +
                         " ON " + qualified_name(pair.spoke) + " TO " + account);
  return statements;
}

void site::create_table(const std::string& sql) { sessions_->general().execute(sql, "creating a table at the spoke"); }

std::vector<column_detail> site::load_column_details(const table_schema& t) {
  connection& c = sessions_->general();
  const bool maria = c.version().speaks == dialect::mariadb;
  try {  // a column that is only hidden from the user must not be taken for one that is gone
    c.query("EXPLAIN SELECT * FROM " + qualified_name(t) + " WHERE FALSE", "reading the columns of " + dotted(t));
  } catch (const failure& f) {
    if (f.kind != failure_kind::configuration) throw;
    throw failure(f.kind, f.what(), f.server_code, "GRANT SELECT ON " + qualified_name(t) + " TO " + read_account(c) + ";");
  }
  std::string made;
  {
    result created = c.query("SHOW CREATE TABLE " + quote_identifier(t.schema) + "." + quote_identifier(t.name), "reading " + dotted(t));
    if (created.next()) made = created.text(2);
  }
  result rows = c.query("SELECT COLUMN_NAME, COLUMN_DEFAULT, EXTRA, COLUMN_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA=" + quote_text(t.schema) +
                            " AND TABLE_NAME=" + quote_text(t.name),
                        "reading the columns of " + dotted(t));
  std::vector<column_detail> all;
  while (rows.next()) {
    column_detail& d = all.emplace_back();
    d.name = rows.text(1);
    const std::string begin = "\n  " + quote_identifier(d.name) + " " + rows.text(4);
    if (const auto at = made.find(begin); at != std::string::npos) {
      d.rest = made.substr(at + begin.size(), made.find('\n', at + begin.size()) - at - begin.size());
      if (d.rest.ends_with(',')) d.rest.pop_back();
    }
    const std::string extra = rows.text(3), text = rows.is_null(2) ? std::string() : rows.text(2);
    const bool made_up = extra.find("DEFAULT_GENERATED") != std::string::npos || extra.find("auto_increment") != std::string::npos || extra.find("on update") != std::string::npos;
    d.has_default = made_up || !(rows.is_null(2) || (maria && text == "NULL"));
    if (!d.has_default || made_up) continue;
    d.constant = text;
    d.is_constant = true;
    if (!maria) continue;
    if (text.starts_with('\'') && text.size() >= 2 && text.ends_with('\'')) {  // MariaDB shows it as it is written
      d.constant.clear();
      for (std::size_t i = 1; i + 1 < text.size(); ++i) {
        d.is_constant &= text[i] != '\\';
        if (text[i] == '\'') ++i;
        d.constant += text[i];
      }
    } else {
      d.is_constant = !text.empty() && text.find_first_not_of("0123456789.-") == std::string::npos;
    }
  }
  return all;
}

void site::alter_table(const std::string& sql) {
  sessions_->general().execute("SET SESSION lock_wait_timeout=" + std::to_string(alter_lock_wait_s), "altering a table at the spoke");
  sessions_->general().execute(sql, "altering a table at the spoke");
}

void site::setup(const mapping& m) {
  connection& c = sessions_->general();
  for (const std::string& sql : setup_statements(m, false)) {
    try {
      c.execute(sql, "setting up link " + link_ + " at the spoke");
    } catch (failure& f) {
      if (f.kind == failure_kind::configuration) f.remedy = "let a DBA run what `duet setup --print` shows";
      throw;
    }
  }
  if (c.version().speaks == dialect::mariadb && !sessions_->proposed_uuid.empty() &&
      c.query_value("SELECT uuid FROM duet.server WHERE id=1", "reading the spoke's identity") != sessions_->proposed_uuid)
    throw failure(failure_kind::already_running,
                  "setting up link " + link_ + ": somebody else sets up this server at the same time", {},
                  "run `duet setup` once more");
}

log_position site::start_position() {
  return read_binlog_end(sessions_->general()).position;
}

bool site::init_control(const control_row& row) {
  try {
    sessions_->general().execute(insert_control_sql(row), "writing the first control row at the spoke");
    return true;
  } catch (const failure& f) {
    if (f.server_code == "1062") return false;
    throw;
  }
}

std::vector<std::string> site::teardown_statements() {
  connection& c = sessions_->general();
  std::vector<std::string> tables;
  {
    result rows = c.query(
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA='duet' AND TABLE_NAME IN"
        " ('held','first_copy','conflict_log','control') ORDER BY TABLE_NAME DESC",
        "looking for Duet's tables");
    while (rows.next()) tables.push_back(rows.text(1));
  }
  std::vector<std::string> out;
  bool others = false;
  for (const std::string& table : tables) {
    out.push_back("DELETE FROM duet." + table + " WHERE link=" + quote_text(link_));
    if (table == "control")
      others =
          c.query_value("SELECT COUNT(*) FROM duet.control WHERE link<>" + quote_text(link_), "looking for other links") != "0";
  }
  if (!others && c.query_value("SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME='duet'",
                               "looking for database duet") != "0")
    out.push_back("DROP DATABASE IF EXISTS duet");
  return out;
}

void site::teardown() {
  if (!sessions_->lock) take_lock(false);  // not under a hub that runs
  for (const std::string& sql : teardown_statements()) {
    try {
      sessions_->general().execute(sql, "removing link " + link_ + " at the spoke");
    } catch (failure& f) {
      if (f.kind == failure_kind::configuration) f.remedy = "let a DBA run: " + sql + ";";
      throw;
    }
  }
  sessions_->lock.reset();
}

// ---------------------------------------------------------------------------------------------------------------------
// Start-up and status

std::optional<control_row> site::load_control() {
  if (!has_bookkeeping()) return std::nullopt;
  return read_control(sessions_->general(), link_, false);
}

void site::take_lock(bool force) {
  auto fresh = sessions_->open("duet:" + link_ + ":hub");
  const std::string name = quote_text(hub_lock(link_)), doing = "taking the lock of link " + link_;
  for (int second = 0;; ++second) {
    if (fresh->query_value("SELECT GET_LOCK(" + name + ",1)", doing) == "1") break;
    const auto holder = fresh->query_value("SELECT IS_USED_LOCK(" + name + ")", doing);
    if (!holder) continue;
    if (force) {
      try {
        fresh->execute("KILL " + *holder, doing);
      } catch (const failure& f) {
        if (f.server_code != "1094") throw;  // no such thread any more
      }
    }
    if (second < lock_wait_s) continue;
    std::string who = "another hub, connection " + *holder;
    result rows = fresh->query("SELECT HOST, TIME FROM information_schema.PROCESSLIST WHERE ID=" + *holder, doing);
    if (rows.next()) who += " from " + rows.text(1);
    throw failure(failure_kind::already_running, who + ", holds link " + link_ + " at the spoke", {},
                  "stop it, or take the link from it by force");
  }
  sessions_->lock = std::move(fresh);
}

// What a hub before us has left behind. The lock is ours, so it is no hub any more.
void site::end_sessions() {
  connection& c = *sessions_->lock;
  const std::string doing = "ending sessions of an earlier hub", prefix = "duet:" + link_ + ':';
  std::vector<std::string> left;
  if (auto id = c.query_value("SELECT IS_USED_LOCK(" + quote_text(apply_lock(link_)) + ")", doing)) left.push_back(*id);
  try {  // where the server keeps them, the names say more
    result rows = c.query(
        "SELECT PROCESSLIST_ID FROM performance_schema.session_account_connect_attrs WHERE ATTR_NAME='program_name'"
        " AND LEFT(ATTR_VALUE," +
            std::to_string(prefix.size()) + ")=" + quote_text(prefix),
        doing);
    while (rows.next()) left.push_back(rows.text(1));
  } catch (const failure& f) {
    if (f.kind == failure_kind::connection_lost) throw;
  }
  for (const std::string& id : left) {
    if (id == std::to_string(c.id())) continue;
    try {
      c.execute("KILL " + id, doing);
    } catch (const failure& f) {
      if (f.server_code != "1094") throw;
    }
  }
}

control_row site::take_over(std::uint64_t at_least, bool force) {
  if (sessions_->lock) {
    try {
      sessions_->lock->execute("DO 1", "looking whether the lock is still ours");
    } catch (const failure&) {
      sessions_->lock.reset();
    }
  }
  const bool had_lock = sessions_->lock != nullptr;
  if (!had_lock) take_lock(force);
  if (!had_lock || force) end_sessions();

  connection& c = *sessions_->lock;
  const std::string doing = "raising the epoch at the spoke";
  try {
    c.execute("START TRANSACTION", doing);
    auto row = read_control(c, link_, true);
    if (!row) {
      c.execute("ROLLBACK", doing);
      throw failure(failure_kind::not_set_up, "link " + link_ + " has no control row at the spoke", {}, "duet setup");
    }
    control_row next = *row;
    next.epoch = std::max(row->epoch + 1, at_least);
    if (c.execute(update_control_sql(*row, next), doing) != 1)
      throw failure(failure_kind::internal, doing + ": the locked row is not there");
    c.execute("COMMIT", doing);
    return next;
  } catch (const failure& f) {
    if (f.kind != failure_kind::deadlock) throw;
    c.execute("ROLLBACK", doing);
    throw failure(failure_kind::already_running, "another session writes for link " + link_ + " at the spoke and does not end",
                  f.server_code, "stop that hub, or take the link from it by force");
  }
}

control_row site::set_back(const control_row& to) {
  connection& c = *sessions_->lock;
  const std::string doing = "setting the control row back at the spoke";
  c.execute("START TRANSACTION", doing);
  const auto row = read_control(c, link_, true);
  if (!row || row->epoch != to.epoch) {
    c.execute("ROLLBACK", doing);
    throw failure(failure_kind::fenced, "another hub has taken link " + link_ + " over at the spoke");
  }
  control_row next = *row;
  next.position = to.position;
  next.floor = to.floor;
  next.fingerprint = to.fingerprint;
  ++next.counter;
  if (c.execute(update_control_sql(*row, next), doing) != 1) throw failure(failure_kind::internal, doing + ": the locked row is not there");
  c.execute("COMMIT", doing);
  return next;
}

void site::check_log(log_position start, log_position known) {
  connection& c = sessions_->general();
  const std::string remedy = "compare both databases, then duet teardown and duet setup";
  const std::uint64_t wanted = binlog_file_number(start);
  std::uint64_t oldest = 0, newest = 0, size = 0;
  bool found = false;
  {
    result rows = c.query("SHOW BINARY LOGS", "listing binlog files");
    while (rows.next()) {
      const std::uint64_t number = binlog_number(rows.text(1));
      if (oldest == 0) oldest = number;
      newest = number;
      if (number != wanted) continue;
      found = true;
      size = rows.natural(2);
    }
  }
  const log_position end = read_binlog_end(c).position;
  if (end < known)
    throw failure(failure_kind::history_changed,
                  "the spoke's binlog ends at " + describe(end) + ", but home has applied it up to " + describe(known) +
                      ": it was reset, or this is an older copy of the spoke, or another server",
                  {}, remedy);
  if (!found && wanted > newest)
    throw failure(failure_kind::history_changed,
                  "the spoke's binlog ends before " + describe(start) + ", where Duet must continue", {}, remedy);
  if (!found)
    throw failure(failure_kind::log_lost,
                  "the spoke no longer has " + describe(start) + ", where Duet must continue; its oldest file is number " +
                      std::to_string(oldest),
                  {}, remedy);
  if (binlog_offset(start) > size)
    throw failure(
        failure_kind::history_changed,
        "the spoke's binlog file ends at " + std::to_string(size) + ", before " + describe(start) + " where Duet must continue",
        {}, remedy);
}

site_status site::status() {
  site_status s;
  s.identity = identity();
  s.control = load_control();
  connection& c = sessions_->general();
  s.log_end = read_binlog_end(c).position;
  s.retained_bytes = 0;
  std::string oldest;
  {
    result rows = c.query("SHOW BINARY LOGS", "listing binlog files");
    while (rows.next()) {
      if (oldest.empty()) oldest = rows.text(1);
      s.retained_bytes += static_cast<std::int64_t>(rows.natural(2));
    }
  }
  s.detail = "oldest binlog file " + oldest;
  if (!has_bookkeeping()) return s;
  s.conflicts =
      std::stoull(c.query_value("SELECT COUNT(*) FROM duet.conflict_log WHERE link=" + quote_text(link_), "counting conflicts")
                      .value_or("0"));
  result rows = c.query(
      "SELECT h.table_name, COUNT(*), (SELECT l.reason FROM duet.held l WHERE l.id=MAX(h.id)) FROM duet.held h WHERE h.link=" +
          quote_text(link_) + " GROUP BY h.table_name ORDER BY 1",
      "counting held rows");
  while (rows.next()) s.held.push_back({rows.text(1), rows.natural(2), rows.is_null(3) ? "" : rows.text(3)});
  return s;
}

namespace {

std::string text_or_empty(const result& rows, unsigned column) { return rows.is_null(column) ? "" : rows.text(column); }
std::int64_t integer_or_0(const result& rows, unsigned column) { return rows.is_null(column) ? 0 : rows.integer(column); }
log_position position_or_0(const result& rows, unsigned column) { return {static_cast<std::uint64_t>(integer_or_0(rows, column))}; }

// The session speaks UTC.
std::string time_us(const std::string& column) { return "TIMESTAMPDIFF(MICROSECOND,'1970-01-01'," + column + ")"; }

// As a pattern of JSON_SEARCH that stands for itself.
std::string quote_pattern(std::string_view text) {
  std::string pattern;
  for (const char c : text) {
    if (c == '|' || c == '%' || c == '_') pattern += '|';
    pattern += c;
  }
  return quote_text(pattern);
}

}  // namespace

std::vector<logged_conflict> site::load_conflicts(const conflict_filter& f) {
  std::vector<logged_conflict> all;
  connection& c = sessions_->general();
  if (!has_bookkeeping()) return all;
  if (!what_is_missing().empty())
    throw failure(failure_kind::not_set_up, "reading duet.conflict_log at the spoke: it is of an earlier version of Duet", {}, "duet setup");
  std::string sql =
      "SELECT id, table_name, CAST(`key` AS CHAR), type, CAST(home_row AS CHAR), CAST(spoke_row AS CHAR), CAST(base_row AS CHAR), "
      "CAST(result_row AS CHAR), home_position, spoke_position, " +
      time_us("home_time") + ", " + time_us("spoke_time") + ", rule, winner, result, decided_by, " + time_us("decided_at") +
      ", clock_offset_us FROM duet.conflict_log WHERE link=" + quote_text(link_);
  if (f.id) sql += " AND id=" + std::to_string(f.id);
  if (f.since_us) sql += " AND " + time_us("decided_at") + ">=" + std::to_string(f.since_us);
  if (!f.table.empty())
    sql += " AND (table_name=" + quote_text(f.table) + " OR RIGHT(table_name,CHAR_LENGTH(" + quote_text(f.table) + ")+1)=" + quote_text("." + f.table) + ")";
  if (!f.key.empty()) sql += " AND JSON_SEARCH(`key`,'one'," + quote_pattern(f.key) + ",'|') IS NOT NULL";
  sql += " ORDER BY id DESC LIMIT " + std::to_string(f.limit);
  result rows = c.query(sql, "reading duet.conflict_log");
  while (rows.next()) {
    logged_conflict& one = all.emplace_back();
    one.id = rows.natural(1);
    std::string* const texts[] = {&one.table, &one.key, &one.type, &one.home_row, &one.spoke_row, &one.base_row, &one.result_row};
    for (unsigned t = 0; t < 7; ++t) *texts[t] = text_or_empty(rows, 2 + t);
    one.home_position = position_or_0(rows, 9);
    one.spoke_position = position_or_0(rows, 10);
    one.home_time_us = integer_or_0(rows, 11);
    one.spoke_time_us = integer_or_0(rows, 12);
    one.rule = rows.text(13);
    one.winner = rows.text(14);
    one.result = rows.text(15);
    one.decided_by = rows.text(16);
    one.decided_at_us = rows.integer(17);
    if (!rows.is_null(18)) one.clock_offset_us = rows.integer(18);
  }
  return all;
}

std::vector<held_change> site::load_held() {
  std::vector<held_change> all;
  connection& c = sessions_->general();
  if (!has_bookkeeping()) return all;
  result rows = c.query(
      "SELECT id, table_name, CAST(`key` AS CHAR), token, operation, reason, server_code, CAST(before_row AS CHAR), "
      "CAST(after_row AS CHAR), source_position, " +
          time_us("source_time") + ", " + time_us("held_at") + " FROM duet.held WHERE link=" + quote_text(link_) + " ORDER BY id",
      "reading duet.held");
  while (rows.next()) {
    held_change& h = all.emplace_back();
    h.id = rows.natural(1);
    h.table = rows.text(2);
    h.key = rows.text(3);
    h.token = static_cast<std::uint64_t>(rows.integer(4));
    h.op = operation_named(rows.text(5));
    h.reason = rows.text(6);
    h.server_code = rows.text(7);
    h.before_row = text_or_empty(rows, 8);
    h.after_row = text_or_empty(rows, 9);
    h.source_position = position_or_0(rows, 10);
    h.source_time_us = integer_or_0(rows, 11);
    h.held_at_us = rows.integer(12);
  }
  return all;
}

std::vector<aged_conflict> site::load_oldest_conflicts(std::uint64_t after_id, int days, std::size_t limit) {
  std::vector<aged_conflict> all;
  result rows = sessions_->general().query("SELECT id, table_name, CAST(`key` AS CHAR), decided_at < NOW(6) - INTERVAL " + std::to_string(days) +
                                               " DAY FROM duet.conflict_log WHERE link=" + quote_text(link_) + " AND id>" + std::to_string(after_id) +
                                               " ORDER BY id LIMIT " + std::to_string(limit),
                                           "reading duet.conflict_log");
  while (rows.next()) all.push_back({{rows.text(2), rows.text(3)}, rows.natural(1), rows.integer(4) != 0});
  return all;
}

void site::remove_conflicts(std::span<const std::uint64_t> ids) {
  if (ids.empty()) return;
  std::string list;
  for (const std::uint64_t id : ids) list += (list.empty() ? "" : ",") + std::to_string(id);
  sessions_->general().execute("DELETE FROM duet.conflict_log WHERE link=" + quote_text(link_) + " AND id IN (" + list + ')',
                               "removing old rows of duet.conflict_log");
}

std::vector<table_key> site::load_held_keys() {
  std::vector<table_key> all;
  result rows = sessions_->general().query("SELECT table_name, CAST(`key` AS CHAR) FROM duet.held WHERE link=" + quote_text(link_), "reading duet.held");
  while (rows.next()) all.push_back({rows.text(1), rows.text(2)});
  return all;
}

void site::remove_held(std::uint64_t token) {
  sessions_->general().execute("DELETE FROM duet.held WHERE link=" + quote_text(link_) + " AND token=" + std::to_string(static_cast<std::int64_t>(token)),
                               "releasing held changes");
}

std::optional<clock_reading> site::read_clock() {
  connection& c = sessions_->general();  // found alive, so that the reading itself is one round trip
  clock_reading reading{.us = 0, .before = std::chrono::steady_clock::now(), .after = {}};
  result rows = c.query("SELECT " + time_us("SYSDATE(6)"), "reading the spoke's clock");
  reading.after = std::chrono::steady_clock::now();
  if (!rows.next() || rows.is_null(1)) return std::nullopt;
  reading.us = rows.integer(1);
  return reading;
}

void site::interrupt() noexcept { sessions_->interrupt(); }

}  // namespace duet::mysql
