// mysql::site on real servers: catalogs, checks, setup, take-over, the state of the log.
#include <gmock/gmock.h>

#include <algorithm>
#include <thread>

#include "spoke_fixture.hpp"

namespace duet::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::StartsWith;

class mysql_site : public spoke_fixture {
 public:
  table_schema load_schema(const std::string& name) {
    auto tables = make_site()->load_tables({database + '.' + name});
    EXPECT_EQ(tables.size(), 1u);
    return tables.at(0);
  }
};

const finding* find(const findings& all, const std::string& code) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const finding& f) { return f.code == code; });
  return found == all.end() ? nullptr : &*found;
}

TEST_P(mysql_site, tells_product_version_and_an_identity_that_stays) {
  auto s = make_site();
  const site_identity id = s->identity();
  EXPECT_EQ(id.product, spoke().is_mariadb() ? "MariaDB" : "MySQL");
  EXPECT_EQ(id.version, spoke().version());
  EXPECT_GE(id.id.size(), 36u);
  EXPECT_EQ(make_site("another")->identity().id, id.id);
}

TEST_P(mysql_site, the_identity_before_setup_is_the_one_after_it) {
  spoke().exec("DROP DATABASE duet");
  auto s = make_site();
  const std::string before = s->identity().id;
  EXPECT_EQ(s->identity().id, before);
  EXPECT_FALSE(s->load_control().has_value());
  s->setup({});
  EXPECT_EQ(s->identity().id, before);
  EXPECT_EQ(make_site()->identity().id, before);
  s->setup({});
  EXPECT_EQ(s->identity().id, before);
}

// MySQL converts the text of all sessions' statements where it lists one of them.
TEST_P(mysql_site, logs_in_whatever_bytes_other_sessions_send) {
  std::jthread other([e = spoke().endpoint_of(database)] { connect(e)->exec("SELECT SLEEP(2), _binary'\xff\xfe\x80 bytes'"); });
  for (int i = 0; i < 20; ++i) {
    EXPECT_NO_THROW(make_site()->connect());
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

struct described {
  std::string sql;
  column_type type;
};

TEST_P(mysql_site, describes_every_type) {
  const bool maria = spoke().is_mariadb();
  const std::vector<described> all = {
      {"tinyint(1)", {.kind = value_kind::integer, .native = "tinyint(1)", .bits = 8}},
      {"tinyint unsigned",
       {.kind = value_kind::integer,
        .native = maria ? "tinyint(3) unsigned" : "tinyint unsigned",
        .bits = 8,
        .is_unsigned = true}},
      {"smallint", {.kind = value_kind::integer, .native = maria ? "smallint(6)" : "smallint", .bits = 16}},
      {"mediumint unsigned",
       {.kind = value_kind::integer,
        .native = maria ? "mediumint(8) unsigned" : "mediumint unsigned",
        .bits = 24,
        .is_unsigned = true}},
      {"int", {.kind = value_kind::integer, .native = maria ? "int(11)" : "int", .bits = 32}},
      {"bigint unsigned",
       {.kind = value_kind::integer,
        .native = maria ? "bigint(20) unsigned" : "bigint unsigned",
        .bits = 64,
        .is_unsigned = true}},
      {"year", {.kind = value_kind::integer, .native = maria ? "year(4)" : "year", .bits = 16, .is_unsigned = true}},
      {"decimal(12,2)", {.kind = value_kind::decimal, .native = "decimal(12,2)", .precision = 12, .scale = 2}},
      {"decimal(65,30) unsigned",
       {.kind = value_kind::decimal, .native = "decimal(65,30) unsigned", .is_unsigned = true, .precision = 65, .scale = 30}},
      {"float", {.kind = value_kind::real, .native = "float", .bits = 32}},
      {"double", {.kind = value_kind::real, .native = "double", .bits = 64}},
      {"bit(1)", {.kind = value_kind::bits, .native = "bit(1)", .bits = 1}},
      {"bit(64)", {.kind = value_kind::bits, .native = "bit(64)", .bits = 64}},
      {"char(7) CHARACTER SET latin1",
       {.kind = value_kind::text,
        .native = "char(7)",
        .length = 7,
        .fixed = true,
        .charset = "latin1",
        .collation = "latin1_swedish_ci",
        .case_insensitive = true}},
      {"varchar(9) COLLATE utf8mb4_bin",
       {.kind = value_kind::text, .native = "varchar(9)", .length = 9, .charset = "utf8mb4", .collation = "utf8mb4_bin"}},
      {"longtext COLLATE utf8mb4_unicode_ci",
       {.kind = value_kind::text,
        .native = "longtext",
        .length = 4294967295,
        .charset = "utf8mb4",
        .collation = "utf8mb4_unicode_ci",
        .case_insensitive = true}},
      {"binary(3)", {.kind = value_kind::bytes, .native = "binary(3)", .length = 3, .fixed = true}},
      {"varbinary(5)", {.kind = value_kind::bytes, .native = "varbinary(5)", .length = 5}},
      {"mediumblob", {.kind = value_kind::bytes, .native = "mediumblob", .length = 16777215}},
      {"date", {.kind = value_kind::date, .native = "date"}},
      {"time(3)", {.kind = value_kind::time, .native = "time(3)", .precision = 3}},
      {"datetime", {.kind = value_kind::datetime, .native = "datetime", .precision = 0}},
      {"timestamp(6) NULL", {.kind = value_kind::timestamp, .native = "timestamp(6)", .precision = 6}},
      {"enum('a','it''s','c,d','e\\\\f','(','') COLLATE utf8mb4_bin",
       {.kind = value_kind::enumeration,
        .labels = {"a", "it's", "c,d", "e\\f", "(", ""},
        .charset = "utf8mb4",
        .collation = "utf8mb4_bin"}},
      {"set('x','y z') COLLATE utf8mb4_bin",
       {.kind = value_kind::set,
        .native = "set('x','y z')",
        .labels = {"x", "y z"},
        .charset = "utf8mb4",
        .collation = "utf8mb4_bin"}},
      {"json", maria ? column_type{.kind = value_kind::json,
                                   .native = "longtext",
                                   .length = 4294967295,
                                   .charset = "utf8mb4",
                                   .collation = "utf8mb4_bin"}
                     : column_type{.kind = value_kind::json, .native = "json"}},
      {"point", {.kind = value_kind::bytes, .native = "point"}},
  };
  std::string sql = "CREATE TABLE ty (id int PRIMARY KEY";
  for (std::size_t i = 0; i < all.size(); ++i) sql += ", c" + std::to_string(i) + ' ' + all[i].sql;
  exec(sql + ")");
  const table_schema t = load_schema("ty");
  ASSERT_EQ(t.columns.size(), all.size() + 1);
  for (std::size_t i = 0; i < all.size(); ++i) {
    SCOPED_TRACE(all[i].sql);
    const column_type &is = t.columns[i + 1].type, &wanted = all[i].type;
    EXPECT_EQ(is.kind, wanted.kind) << name(is.kind);
    if (!wanted.native.empty()) EXPECT_EQ(is.native, wanted.native);
    EXPECT_EQ(is.bits, wanted.bits);
    EXPECT_EQ(is.is_unsigned, wanted.is_unsigned);
    EXPECT_EQ(is.precision, wanted.precision);
    EXPECT_EQ(is.scale, wanted.scale);
    EXPECT_EQ(is.length, wanted.length);
    EXPECT_EQ(is.fixed, wanted.fixed);
    EXPECT_EQ(is.labels, wanted.labels);
    EXPECT_EQ(is.charset, wanted.charset);
    EXPECT_EQ(is.collation, wanted.collation);
    EXPECT_EQ(is.case_insensitive, wanted.case_insensitive);
    EXPECT_EQ(t.columns[i + 1].ordinal, static_cast<int>(i + 1));
    EXPECT_TRUE(t.columns[i + 1].nullable);
  }
  if (maria) {
    exec("CREATE TABLE u (id uuid PRIMARY KEY, j longtext)");
    const table_schema u = load_schema("u");
    EXPECT_EQ(u.columns[0].type.kind, value_kind::uuid);
    EXPECT_EQ(u.columns[1].type.kind, value_kind::text) << "a longtext without json_valid is no JSON";
  }
}

TEST_P(mysql_site, describes_keys_indexes_generated_columns_and_triggers) {
  exec("CREATE TABLE parent (a int, b int, PRIMARY KEY (b, a))");
  exec(
      "CREATE TABLE child (v int GENERATED ALWAYS AS (x + 1) VIRTUAL, x int NOT NULL, s int GENERATED ALWAYS AS (w + 2) "
      "STORED, y int, w int, name varchar(20), z int,"
      " PRIMARY KEY (x), UNIQUE KEY yn (y, name), UNIQUE KEY pre (name(3)), KEY plain (y),"
      " CONSTRAINT up FOREIGN KEY (y, z) REFERENCES parent (b, a) ON DELETE CASCADE)");
  exec("CREATE TRIGGER ti BEFORE INSERT ON child FOR EACH ROW SET NEW.y = NEW.y");
  exec("CREATE VIEW looks AS SELECT * FROM parent");
  const table_schema parent = load_schema("parent"), child = load_schema("child");
  EXPECT_THAT(parent.primary_key, ElementsAre(1, 0));
  EXPECT_EQ(parent.engine, "InnoDB");
  EXPECT_EQ(parent.replica_identity, 'f');
  EXPECT_THAT(child.primary_key, ElementsAre(1));
  EXPECT_TRUE(child.columns[0].generated);
  EXPECT_TRUE(child.columns[2].generated);
  EXPECT_FALSE(child.columns[1].generated);
  EXPECT_FALSE(child.columns[1].nullable);
  EXPECT_EQ(child.columns[3].ordinal, 3);
  ASSERT_EQ(child.unique_indexes.size(), 2u);
  EXPECT_EQ(child.unique_indexes[0].name, "pre");
  EXPECT_THAT(child.unique_indexes[0].columns, IsEmpty()) << "unique over prefixes only";
  EXPECT_THAT(child.unique_indexes[1].columns, ElementsAre(3, 5));
  ASSERT_EQ(child.foreign_keys.size(), 1u);
  EXPECT_EQ(child.foreign_keys[0].name, "up");
  EXPECT_THAT(child.foreign_keys[0].columns, ElementsAre(3, 6));
  EXPECT_EQ(child.foreign_keys[0].parent_schema, database);
  EXPECT_EQ(child.foreign_keys[0].parent_table, "parent");
  EXPECT_EQ(child.foreign_keys[0].on_delete, "CASCADE");
  EXPECT_THAT(child.triggers, ElementsAre("ti"));

  auto s = make_site();
  EXPECT_EQ(s->load_tables({database + ".*"}).size(), 2u) << "no views";
  EXPECT_EQ(s->load_tables({"*"}).size(), 2u) << "of the connection's database";
  EXPECT_EQ(s->load_tables({"child", database + ".parent", database + ".none", "nowhere.*"}).size(), 2u);
  EXPECT_THAT(s->load_tables({"ch'ild"}), IsEmpty());
  EXPECT_THAT(s->load_tables({}), IsEmpty());
}

TEST_P(mysql_site, a_text_key_over_a_prefix_is_no_primary_key) {
  exec("CREATE TABLE t (a text NOT NULL, PRIMARY KEY (a(10)))");
  EXPECT_THAT(load_schema("t").primary_key, IsEmpty());
}

TEST_P(mysql_site, finds_nothing_to_refuse_on_a_server_that_is_in_order) {
  spoke().exec("SET GLOBAL sync_binlog=1");
  spoke().exec("SET GLOBAL innodb_flush_log_at_trx_commit=1");
  findings all;
  make_site()->check_server(all);
  for (const finding& f : all) EXPECT_NE(f.is, finding::level::refuse) << f.code << ": " << f.text;
  EXPECT_TRUE(find(all, "replication_privilege"));
  EXPECT_TRUE(find(all, "binlog_privilege"));
}

TEST_P(mysql_site, refuses_settings_that_lose_or_hide_changes_each_with_its_remedy) {
  struct bad {
    std::string name, value;
  };
  std::vector<bad> settings = {{"binlog_format", "STATEMENT"},
                               {"binlog_row_image", "MINIMAL"},
                               {"binlog_row_metadata", "MINIMAL"},
                               {"sync_binlog", "0"},
                               {"innodb_flush_log_at_trx_commit", "2"}};
  if (!spoke().is_mariadb()) {
    settings.push_back({"binlog_row_value_options", "PARTIAL_JSON"});
    settings.push_back({"binlog_order_commits", "OFF"});
  }
  for (const bad& b : settings) {
    const std::string was = spoke().scalar("SELECT @@GLOBAL." + b.name).value();
    const auto set = [&](const std::string& value) {
      const bool number = !value.empty() && value.find_first_not_of("0123456789") == std::string::npos;
      spoke().exec("SET GLOBAL " + b.name + "=" + (number ? value : "'" + value + "'"));
    };
    set(b.value);
    findings all;
    make_site()->check_server(all);
    set(was == "1" && b.name == "binlog_order_commits" ? "ON" : was);
    const finding* f = find(all, b.name);
    ASSERT_TRUE(f) << b.name;
    EXPECT_EQ(f->is, finding::level::refuse) << b.name;
    EXPECT_THAT(f->remedy, HasSubstr(b.name));
    EXPECT_THAT(f->text, HasSubstr(b.name));
  }
}

// Or else a table that follows changes would lose it at home.
TEST_P(mysql_site, a_column_that_is_hidden_from_the_user_is_not_taken_for_one_that_is_gone) {
  exec("CREATE TABLE item (id int PRIMARY KEY, n int)");
  const table_schema item = load_schema("item");
  const std::string user = "part_" + database;
  spoke().exec("CREATE USER '" + user + "'@'%' IDENTIFIED BY 'pw'");
  spoke().exec("GRANT SELECT (id) ON " + database + ".item TO '" + user + "'@'%'");
  endpoint poor = at;
  poor.user = user;
  poor.password = "pw";
  mysql::site s(poor, link);
  s.connect();
  try {
    s.load_column_details(item);
    FAIL() << "it was told that there are " << s.load_column_details(item).size() << " columns";
  } catch (const failure& f) {
    EXPECT_EQ(f.kind, failure_kind::configuration) << f.what();
    EXPECT_THAT(f.remedy, AllOf(StartsWith("GRANT SELECT ON "), HasSubstr(user)));
  }
  spoke().exec("GRANT SELECT ON " + database + ".item TO '" + user + "'@'%'");
  EXPECT_EQ(s.load_column_details(item).size(), 2u);
}

TEST_P(mysql_site, a_user_with_the_least_privileges_passes_and_one_without_is_told_what_to_grant) {
  exec("CREATE TABLE item (id int PRIMARY KEY, n int)");
  mapping m;
  m.tables.push_back(pair_of(load_schema("item")));
  const std::string user = "least_" + database;
  spoke().exec("CREATE USER '" + user + "'@'%' IDENTIFIED BY 'pw'");
  spoke().exec("GRANT SELECT ON " + database + ".* TO '" + user + "'@'%'");
  endpoint poor = at;
  poor.user = user;
  poor.password = "pw";
  findings all;
  {
    mysql::site s(poor, link);
    s.connect();
    s.check_server(all);
    s.check_tables(m, all);
    for (const char* code : {"replication_privilege", "binlog_privilege", "table_privileges"}) {
      const finding* f = find(all, code);
      ASSERT_TRUE(f) << code;
      EXPECT_EQ(f->is, finding::level::refuse) << code;
      EXPECT_THAT(f->remedy, AllOf(StartsWith("GRANT "), HasSubstr(user)));
    }
    EXPECT_THAT(find(all, "table_privileges")->text, HasSubstr("INSERT, UPDATE, DELETE"));
    EXPECT_FALSE(s.load_control().has_value());
    spoke().exec("DROP DATABASE duet");
    for (const auto& sql : s.setup_statements(m, true)) spoke().exec(sql);
  }
  mysql::site s(poor, link);
  s.connect();
  all.clear();
  s.check_server(all);
  s.check_tables(m, all);
  s.check_set_up(all);
  for (const finding& f : all)
    if (f.code.find("privilege") != std::string::npos) EXPECT_EQ(f.is, finding::level::ok) << f.code << ": " << f.text;
  s.setup(m);
  EXPECT_TRUE(s.init_control(control));
  EXPECT_FALSE(s.init_control(control));
  s.take_over(2, false);
  s.check_log(s.start_position(), s.start_position());
  s.status();
  control = s.load_control().value();
  t = std::make_unique<mysql::target>(poor, link, nothing);
  t->open();
  EXPECT_THAT(insert(m.tables[0], {{"1", "1"}, {"2", "2"}}), IsEmpty());
  EXPECT_THAT(update(m.tables[0], {1}, {1}, {{{"1", "1"}, {"1", "2"}}, {{"2", "1"}, {"2", "2"}}}), ElementsAre(1));
  EXPECT_THAT(remove(m.tables[0], {1}, {{"1", "2"}}), IsEmpty());
  t->catch_up_point();
  t.reset();
  spoke().exec("DROP USER '" + user + "'@'%'");
}

TEST_P(mysql_site, tells_what_is_wrong_with_tables) {
  exec("CREATE TABLE parent (id int PRIMARY KEY)");
  exec(
      "CREATE TABLE child (id int PRIMARY KEY, p int, at timestamp NULL ON UPDATE CURRENT_TIMESTAMP,"
      " CONSTRAINT casc FOREIGN KEY (p) REFERENCES parent (id) ON DELETE SET NULL)");
  exec("CREATE TABLE noted (id int PRIMARY KEY)");
  exec("CREATE TRIGGER tr AFTER INSERT ON noted FOR EACH ROW SET @x = 1");
  exec("CREATE TABLE old (id int PRIMARY KEY) ENGINE=MyISAM");
  mapping m;
  for (const char* name : {"child", "noted", "old"}) m.tables.push_back(pair_of(load_schema(name)));
  m.tables[0].columns.pop_back();  // `at` is not mapped
  findings all;
  make_site()->check_tables(m, all);
  EXPECT_EQ(find(all, "engine")->is, finding::level::refuse);
  EXPECT_THAT(find(all, "engine")->remedy, HasSubstr("ENGINE = InnoDB"));
  EXPECT_EQ(find(all, "triggers")->is, finding::level::warn);
  EXPECT_THAT(find(all, "triggers")->remedy, HasSubstr("<> '" + at.user + "' THEN"));
  const bool logs_cascades = !spoke().is_mariadb() && std::stod(spoke().version()) >= 9.6;
  EXPECT_EQ(find(all, "unlogged_cascade") == nullptr, logs_cascades);
}

TEST_P(mysql_site, setup_can_be_repeated_and_teardown_removes_the_link_and_then_all) {
  auto s = make_site(), second = make_site("second");
  control_row other = control;
  other.link = "second";
  EXPECT_TRUE(second->init_control(other));
  findings all;
  s->check_set_up(all);
  EXPECT_EQ(find(all, "set_up")->is, finding::level::ok);
  s->teardown();
  s->teardown();
  EXPECT_FALSE(s->load_control().has_value());
  EXPECT_EQ(second->load_control(), other);
  all.clear();
  s->check_set_up(all);
  EXPECT_EQ(find(all, "control_row")->is, finding::level::warn);
  second->teardown();
  EXPECT_EQ(spoke().scalar("SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME='duet'"), "0");
  all.clear();
  s->check_set_up(all);
  EXPECT_EQ(find(all, "bookkeeping")->is, finding::level::warn);
  second->teardown();
  EXPECT_EQ(failure_from([&] { s->take_over(1, false); }).kind, failure_kind::not_set_up);
}

TEST_P(mysql_site, one_hub_holds_a_link_until_another_takes_it_by_force) {
  auto first = make_site(), second = make_site();
  EXPECT_EQ(first->take_over(5, false).epoch, 5u);
  EXPECT_EQ(first->take_over(5, false).epoch, 6u) << "a hub that starts again raises it, too";
  const failure f = failure_from([&] { second->take_over(1, false); });
  EXPECT_EQ(f.kind, failure_kind::already_running);
  EXPECT_THAT(f.what(), HasSubstr("connection"));
  EXPECT_EQ(failure_from([&] { second->teardown(); }).kind, failure_kind::already_running);

  control = first->load_control().value();
  open();
  begin();  // holds the control row's lock
  const control_row taken = second->take_over(1, true);
  EXPECT_EQ(taken.epoch, 7u);
  EXPECT_EQ(failure_from([&] { commit(); }).kind, failure_kind::connection_lost);
  EXPECT_EQ(failure_from([&] { first->take_over(1, false); }).kind, failure_kind::already_running);
  EXPECT_EQ(make_site("second")->load_control(), std::nullopt);
  second.reset();
  EXPECT_EQ(first->take_over(1, false).epoch, 8u) << "the lock goes with its holder";
}

TEST_P(mysql_site, knows_whether_its_log_still_holds_a_position) {
  auto s = make_site();
  const log_position start = s->start_position();
  s->check_log(start, start);
  s->check_log(just_before(start), start);
  const log_position beyond = binlog_position(binlog_file_number(start), binlog_offset(start) + 1000);
  EXPECT_EQ(failure_from([&] { s->check_log(start, beyond); }).kind, failure_kind::history_changed);
  EXPECT_EQ(failure_from([&] { s->check_log(beyond, start); }).kind, failure_kind::history_changed);
  EXPECT_EQ(failure_from([&] { s->check_log(binlog_position(binlog_file_number(start) + 1, 4), start); }).kind,
            failure_kind::history_changed);
  spoke().exec("FLUSH BINARY LOGS");
  const log_position next = s->start_position();
  EXPECT_EQ(binlog_file_number(next), binlog_file_number(start) + 1);
  s->check_log(start, next);
  const std::string file = s->describe(next).substr(0, s->describe(next).find(':'));
  ASSERT_TRUE(eventually([&] {  // MariaDB keeps a file until its engine has confirmed all of it
    spoke().exec("PURGE BINARY LOGS TO '" + file + "'");
    return spoke().query("SHOW BINARY LOGS").size() == 1;
  }));
  const failure f = failure_from([&] { s->check_log(start, next); });
  EXPECT_EQ(f.kind, failure_kind::log_lost);
  EXPECT_THAT(f.what(), HasSubstr(s->describe(start)));
  const auto status = s->status();
  EXPECT_GE(status.log_end, next);  // MariaDB notes its checkpoints in the log
  EXPECT_THAT(status.detail, HasSubstr(file));
  EXPECT_GT(status.retained_bytes, 0);
  EXPECT_EQ(status.control, control);
}

TEST_P(mysql_site, prints_positions_as_the_server_does) {
  auto s = make_site();
  EXPECT_EQ(s->describe(binlog_position(7, 1234)), "binlog.000007:1234");
  EXPECT_EQ(s->describe(binlog_position(1234567, 4)), "binlog.1234567:4");
}

TEST_P(mysql_site, goes_on_after_its_connection_was_ended) {
  auto s = make_site();
  const auto before = s->load_control();
  const auto ids = spoke().query("SELECT ID FROM information_schema.PROCESSLIST WHERE USER='" + at.user +
                                 "' AND ID<>CONNECTION_ID() AND COMMAND='Sleep'");
  auto killer = spoke().session();
  const auto own = killer->scalar("SELECT CONNECTION_ID()").value();
  for (const auto& id : ids)
    if (id[0] != own) {
      try {
        killer->exec("KILL " + *id[0]);
      } catch (const sql_error&) {
      }
    }
  EXPECT_EQ(s->load_control(), before);
}

INSTANTIATE_TEST_SUITE_P(each, mysql_site, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace
}  // namespace duet::testing
