// Rows over the whole type list go to the other side, are copied there by its own SQL, and come back; the database that they
// started from compares them. Both real servers are the oracle: whatever Duet does wrong twice in opposite ways, the server in
// the middle would have to do as well.
//
//   id          what it is
//   1...        rows that both sides keep; updated later
//   500001...   rows with one value that the other side can't keep: held
//   700001...   rows that are kept, and then updated to such a value: the update is held, the row stays there as it was
//   + 1000000   copies, made on the other side before the updates
//   + 2000000   copies made after them
#include <iostream>
#include <map>
#include <set>

#include "integration/sync/sync_fixture.hpp"
#include "mysql/catalog.hpp"
#include "postgres/catalog.hpp"
#include "translate/type_contract.hpp"
#include "type_list.hpp"

using namespace duet::testing;
using duet::side;

namespace {

constexpr int refused_rows = 500001, refused_updates = 700001, copies = 1000000;

class round_trip : public sync_test {
 protected:
  round_trip() : types_(type_list(GetParam())), rows_(long_form() ? 2000 : 60), dice_(seed_ = seed()) {
    std::cout << "DUET_SEED=" << seed_ << std::endl;
    for (const type_pair& p : types_)
      if (tables_.empty() || tables_.back() != p.table) tables_.push_back(p.table);
    at_home("CREATE TYPE mood AS ENUM ('at home', 'sad', 'ok', 'it''s \xe6\xbc\xa2', 'Very Happy')");
    at_home("CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION ltree; CREATE TYPE pair_of AS (number int, word text);"
            "CREATE TYPE float_range AS RANGE (subtype = float8);"
            "CREATE DOMAIN positive AS int CHECK (VALUE > 0); CREATE DOMAIN small_positive AS positive CHECK (VALUE < 100);"
            "CREATE DOMAIN short_text AS varchar(10); CREATE DOMAIN numbers_of AS int[]");
    std::string rules;
    for (const std::string& t : tables_) {
      std::string home_columns, spoke_columns;
      for (const type_pair& p : columns(t)) {
        home_columns += ", " + p.column + " " + p.home;
        spoke_columns += ", " + p.column + " " + p.spoke + " NULL";
      }
      at_home("CREATE TABLE " + t + " (id bigint PRIMARY KEY" + home_columns + "); ALTER TABLE " + t +
              " REPLICA IDENTITY FULL");
      at_spoke("CREATE TABLE " + t + " (id bigint PRIMARY KEY" + spoke_columns + ") CHARACTER SET utf8mb4");
      rules += "  - home: public." + t + "\n";
    }
    write_config(rules);
  }
  void SetUp() override {
    set_up();
    if (!HasFatalFailure()) start();
  }

  std::vector<type_pair> columns(const std::string& table) const {
    std::vector<type_pair> out;
    for (const type_pair& p : types_)
      if (p.table == table) out.push_back(p);
    return out;
  }
  static const std::vector<refused>& refused_from(side s, const type_pair& p) {
    return s == side::home ? p.not_for_spoke : p.not_for_home;
  }
  sql_rows at(side s, const std::string& sql) { return s == side::home ? at_home(sql) : at_spoke(sql); }

  // A session that takes what the side's types can hold, also what its server advises against, and that lives elsewhere.
  std::unique_ptr<sql_session> open(side s, bool strict = true) {
    if (s == side::home) return home().session(home_db_);
    auto out = spoke().session(spoke_db_);
    out->exec(std::string("SET time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES,NO_BACKSLASH_ESCAPES") +
              (strict ? ",STRICT_ALL_TABLES'" : "'"));
    return out;
  }

  std::string random_literal(side s, const type_pair& p) {
    if (dice_.one_in(8)) return "NULL";
    return literal(p, s, dice_.one_in(5) ? dice_.one_of(p.good.edges) : p.good.random(dice_));
  }
  // A row of good values; the first ones have each edge of each column.
  std::string insert_row(side s, const std::string& table, int id, std::size_t edge = static_cast<std::size_t>(-1),
                         const std::string& column = "", const std::string& value = "") {
    std::string sql = "INSERT INTO " + table + " VALUES (" + std::to_string(id);
    for (const type_pair& p : columns(table))
      sql += ", " + (p.column == column           ? value
                     : edge < p.good.edges.size() ? literal(p, s, p.good.edges[edge])
                                                  : random_literal(s, p));
    return sql + ")";
  }

  void insert_rows(side s) {
    const auto session = open(s), lax = open(s, false);
    for (const std::string& t : tables_) {
      int refused_id = refused_rows, update_id = refused_updates;
      session->exec("BEGIN");
      for (int id = 1; id <= rows_; ++id) {
        session->exec(insert_row(s, t, id, static_cast<std::size_t>(id - 1)));
        if (id % 20 == 0) session->exec("COMMIT; BEGIN");
      }
      session->exec("COMMIT");
      for (const type_pair& p : columns(t))
        for (const refused& r : refused_from(s, p)) {
          lax->exec("BEGIN");  // good rows beside it in its transaction
          lax->exec(insert_row(s, t, update_id++));
          lax->exec(insert_row(s, t, refused_id, static_cast<std::size_t>(-1), p.column, r.literal));
          lax->exec("COMMIT");
          expect_held(t, refused_id++, "insert", p, r);
        }
    }
  }

  // Each row twice: one column after the other in turn, and then all of them.
  void update_rows(side s) {
    const auto session = open(s), lax = open(s, false);
    for (const std::string& t : tables_) {
      const auto all = columns(t);
      for (int id = 1; id <= rows_; ++id) {
        const std::string where = " WHERE id = " + std::to_string(id);
        const type_pair& one = all[static_cast<std::size_t>(id) % all.size()];
        session->exec("UPDATE " + t + " SET " + one.column + " = " + random_literal(s, one) + where);
        if (id % 2) continue;
        std::string set;
        for (const type_pair& p : all) set += (set.empty() ? "" : ", ") + p.column + " = " + random_literal(s, p);
        session->exec("UPDATE " + t + " SET " + set + where);
      }
      int id = refused_updates;
      for (const type_pair& p : all)
        for (const refused& r : refused_from(s, p)) {
          lax->exec("UPDATE " + t + " SET " + p.column + " = " + r.literal + " WHERE id = " + std::to_string(id));
          expect_held(t, id++, "update", p, r);
        }
    }
  }

  void expect_held(const std::string& table, int id, const std::string& operation, const type_pair& p, const refused& r) {
    held_[table + " " + std::to_string(id) + " " + operation] = {r.names_column ? "column " + p.column + ":" : "", r.reason,
                                                                 p.home + " <-> " + p.spoke + ", " + r.literal};
  }
  // What is held is what must be, with its reason, and nothing else.
  void check_held(side from) {
    const auto held_at = [&](side s) {
      return at(s, std::string("SELECT table_name, ") + (s == side::home ? "key" : "`key`") +
                       ", operation, reason FROM duet.held WHERE link = '" + link_ + "'");
    };
    std::set<std::string> found;
    for (const sql_row& row : held_at(other(from))) {
      std::string id;
      for (char c : row[1].value_or("")) id += c >= '0' && c <= '9' ? std::string{c} : "";
      const std::string what = row[0].value_or("").substr(std::string("public.").size()) + " " + id + " " + row[2].value_or("");
      const auto expected = held_.find(what);
      if (expected == held_.end()) {
        ADD_FAILURE() << "held without need: " << what << ": " << row[3].value_or("NULL");
        continue;
      }
      found.insert(what);
      EXPECT_THAT(row[3].value_or(""),
                  ::testing::AllOf(::testing::HasSubstr(expected->second.column), ::testing::HasSubstr(expected->second.words)))
          << expected->second.value;
    }
    for (const auto& [what, why] : held_)
      if (!found.contains(what)) ADD_FAILURE() << "not held: " << what << ", " << why.value;
    EXPECT_EQ(held_at(from), sql_rows{}) << "held on the way back";
  }

  void copy_rows(side s, int offset) {
    for (const std::string& t : tables_) {
      std::string names;
      for (const type_pair& p : columns(t)) names += ", " + p.column;
      at(s, "INSERT INTO " + t + " (id" + names + ") SELECT id + " + std::to_string(offset) + names + " FROM " + t +
                " WHERE id < 1000000");
    }
  }

  // Rows `first` to `last` are as the rows whose ids are greater by `offset`, column by column.
  void check_same(side s, int first, int last, int offset) {
    const auto session = s == side::home ? home().session(home_db_) : spoke().session(spoke_db_);
    session->exec(s == side::home ? "SET TIME ZONE 'Asia/Kolkata'" : "SET time_zone = '+05:30'");
    for (const std::string& t : tables_) {
      const std::string pairs = " FROM " + t + " a LEFT JOIN " + t + " b ON b.id = a.id + " + std::to_string(offset) +
                                " WHERE a.id BETWEEN " + std::to_string(first) + " AND " + std::to_string(last);
      EXPECT_EQ(session->query("SELECT a.id" + pairs + " AND b.id IS NULL"), sql_rows{})
          << t << ": rows that did not come back";
      for (const type_pair& p : columns(t)) {
        auto differ = session->query("SELECT a.id, a." + p.column + ", b." + p.column + pairs +
                                     " AND b.id IS NOT NULL AND NOT " + sameness(p, s));
        if (s == side::spoke && p.how == compared::as_document)
          std::erase_if(differ, [&](const sql_row& row) { return same_document(row[1], row[2]); });
        EXPECT_EQ(differ, sql_rows{}) << t << "." << p.column << ", " << p.home << " <-> " << p.spoke << " is not as it was";
      }
    }
  }
  // MariaDB compares documents by their spelling: PostgreSQL decides for it.
  bool same_document(const std::optional<std::string>& a, const std::optional<std::string>& b) {
    return a && b && at_home("SELECT " + in_quotes(*a) + "::jsonb = " + in_quotes(*b) + "::jsonb") == sql_rows{{"t"}};
  }
  // How many rows of this range there are: they are the same ids on both sides, as many as they must be.
  void check_count(const std::string& condition, const std::map<std::string, int>& wanted_at_home,
                   const std::map<std::string, int>& wanted_at_spoke) {
    for (const std::string& t : tables_) {
      const std::string sql = "SELECT count(*) FROM " + t + " WHERE " + condition;
      EXPECT_EQ(at_home(sql), (sql_rows{{std::to_string(wanted_at_home.at(t))}})) << t << ", " << condition;
      EXPECT_EQ(at_spoke(sql), (sql_rows{{std::to_string(wanted_at_spoke.at(t))}})) << t << ", " << condition;
    }
  }
  void check_counts(side from, bool copied) {
    std::map<std::string, int> none, good, bad, all;
    for (const std::string& t : tables_) {
      for (const type_pair& p : columns(t)) bad[t] += static_cast<int>(refused_from(from, p).size());
      none[t] = 0, good[t] = rows_, all[t] = copied ? rows_ + bad[t] : 0;
    }
    check_count("id < 500000", good, good);
    check_count("id BETWEEN 500001 AND 700000", from == side::home ? bad : none, from == side::home ? none : bad);
    check_count("id BETWEEN 700001 AND 1000000", bad, bad);
    check_count("id BETWEEN 1000001 AND 1999999", all, all);
  }

  void go_round(side from) {
    SCOPED_TRACE("DUET_SEED=" + std::to_string(seed_));
    const side middle = other(from);
    insert_rows(from);
    std::cout << rows_ * static_cast<int>(tables_.size()) << " rows that both sides keep, " << held_.size()
              << " values that only one side keeps, each inserted and updated to, " << types_.size() << " columns" << std::endl;
    ASSERT_NO_FATAL_FAILURE(settle(*hub_));
    check_held(from);
    check_counts(from, false);
    copy_rows(middle, copies);
    ASSERT_NO_FATAL_FAILURE(settle(*hub_));
    check_counts(from, true);
    check_same(from, 1, rows_, copies);
    check_same(from, refused_updates, 999999, copies);

    update_rows(from);
    ASSERT_NO_FATAL_FAILURE(settle(*hub_));
    check_held(from);
    copy_rows(middle, 2 * copies);
    ASSERT_NO_FATAL_FAILURE(settle(*hub_));
    check_same(from, 1, rows_, 2 * copies);
    check_same(from, copies + refused_updates, 2 * copies - 1, copies);  // a held update leaves the row there as it was

    // The rows that came from the other side are found again by their values there, and so are those of this side.
    for (const std::string& t : tables_)
      at(from, "DELETE FROM " + t + " WHERE id > 1000000"), at(middle, "DELETE FROM " + t + " WHERE id < 500000");
    ASSERT_NO_FATAL_FAILURE(settle(*hub_));
    for (const std::string& t : tables_)
      for (const side s : {from, middle})
        EXPECT_EQ(at(s, "SELECT id FROM " + t + " WHERE id < 500000 OR id > 1000000"), sql_rows{}) << t;
    check_held(from);
    for (const side s : {from, middle})
      EXPECT_EQ(at(s, "SELECT table_name, type, result FROM duet.conflict_log WHERE link = '" + link_ + "' LIMIT 20"),
                sql_rows{})
          << "a row was not found as it was";
    // Each type's value is read back from the log in the form in which it was sent.
    const auto audit = status()["hub"]["echo_audit"];
    EXPECT_EQ(audit["differences"], nlohmann::json::array()) << audit.dump(2);
    EXPECT_GT(audit[std::string("compared_at_") + std::string(name(middle))], rows_);
    EXPECT_GT(audit[std::string("compared_at_") + std::string(name(from))], rows_);
    EXPECT_TRUE(hub_->running()) << hub_->output();
  }

  struct held_reason {
    std::string column, words, value;
  };
  std::vector<type_pair> types_;
  std::vector<std::string> tables_;
  int rows_;
  unsigned seed_;
  dice dice_;
  std::map<std::string, held_reason> held_;
};

class hidden_labels : public sync_test {};
class type_contract : public sync_test {};

INSTANTIATE_TEST_SUITE_P(each, type_contract, ::testing::ValuesIn(spoke_kinds()), spoke_name);
INSTANTIATE_TEST_SUITE_P(each, hidden_labels, ::testing::ValuesIn(spoke_kinds()), spoke_name);
INSTANTIATE_TEST_SUITE_P(each, round_trip, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

TEST_P(round_trip, rows_of_home_come_back_from_the_spoke_as_they_were_or_are_held) {
  go_round(side::home);
}

TEST_P(round_trip, rows_of_the_spoke_come_back_from_home_as_they_were_or_are_held) {
  go_round(side::spoke);
}

// Both servers' catalogs show such a label as '?': Duet could only write that at home.
TEST_P(hidden_labels, a_label_that_the_spokes_catalog_does_not_show_as_it_is_is_refused) {
  at_home("CREATE TABLE feeling (id bigint PRIMARY KEY, e text); ALTER TABLE feeling REPLICA IDENTITY FULL");
  at_spoke("CREATE TABLE feeling (id bigint PRIMARY KEY, e enum('plain', 'it is \xf0\x9f\x98\x80')) CHARACTER SET utf8mb4");
  write_config("  - home: public.feeling\n");
  const auto check = run({DUET_BINARY, "check", "-c", config_file()}, 60s);
  EXPECT_NE(check.exit_code, 0);
  EXPECT_THAT(check.output, ::testing::HasSubstr("public.feeling.e"));
  EXPECT_THAT(check.output, ::testing::HasSubstr("a character beyond U+FFFF"));
  EXPECT_NE(run({DUET_BINARY, "setup", "-c", config_file()}, 60s).exit_code, 0);
}

TEST_P(type_contract, refuses_by_name_what_is_not_in_it_and_says_what_to_take) {
  at_home("CREATE TABLE odd (id bigint PRIMARY KEY, price money, lasts interval, ref regclass, n int[]); ALTER TABLE odd REPLICA IDENTITY FULL");
  at_spoke("CREATE TABLE odd (id bigint PRIMARY KEY, price decimal(19,2), lasts time, ref text, n varchar(20))");
  write_config("  - home: public.odd\n");
  const auto check = run({DUET_BINARY, "check", "-c", config_file()}, 60s);
  EXPECT_EQ(check.exit_code, 1) << check.output;
  for (const char* words : {"public.odd.price is money", "numeric(19,2) with decimal(19,2)", "public.odd.lasts is interval", "varchar(64)", "public.odd.ref is regclass",
                            "bigint or text", "public.odd.n is integer[]", "an array needs a JSON column"})
    EXPECT_THAT(check.output, ::testing::HasSubstr(words));
}

// A label that the spoke lacks is held; once both sides have it, the link goes on.
TEST_P(type_contract, an_enum_may_get_labels_on_both_sides) {
  at_home("CREATE TYPE feeling AS ENUM ('sad', 'ok'); CREATE TABLE felt (id bigint PRIMARY KEY, e feeling); ALTER TABLE felt REPLICA IDENTITY FULL");
  at_spoke("CREATE TABLE felt (id bigint PRIMARY KEY, e enum('sad', 'ok')) CHARACTER SET utf8mb4");
  write_config("  - home: public.felt\n");
  set_up();
  start();
  at_home("ALTER TYPE feeling ADD VALUE 'great'");
  at_home("INSERT INTO felt VALUES (1, 'great'), (2, 'ok')");
  settle(*hub_);
  if (HasFatalFailure()) return;
  EXPECT_EQ(at_spoke("SELECT id, e FROM felt"), (sql_rows{{"2", "ok"}}));
  EXPECT_EQ(at_spoke("SELECT operation, reason LIKE '%column e%' FROM duet.held WHERE link = '" + link_ + "'"), (sql_rows{{"insert", "1"}}));
  at_spoke("ALTER TABLE felt MODIFY e enum('sad', 'ok', 'great')");
  at_spoke("INSERT INTO felt VALUES (3, 'great')");
  if (!hub_->wait(20s)) stop_hub();
  start();
  settle(*hub_);
  if (HasFatalFailure()) return;
  EXPECT_EQ(at_home("SELECT e FROM felt WHERE id = 3"), (sql_rows{{"great"}}));
  const auto resolved = run({DUET_BINARY, "held", "resolve", "--all", "--table", "public.felt", "--pick", "home", "--yes", "-c", config_file()}, 60s);
  settle(*hub_);
  EXPECT_EQ(at_spoke("SELECT e FROM felt WHERE id = 1"), (sql_rows{{"great"}})) << resolved.output;
}

// Each type that the servers have is in the table by its kind, or by its name with what to take instead.
TEST(types_of_the_servers, of_home_are_in_the_contract) {
  const auto types = sync_home().query(
      "SELECT t.typname, t.typtype, coalesce(m.typname, '') FROM pg_type t LEFT JOIN pg_type m ON m.typarray = t.oid"
      " WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typtype IN ('b', 'r', 'm')", "postgres");
  EXPECT_GT(types.size(), 100u);
  for (const sql_row& row : types) {
    duet::postgres::catalog_type t;
    t.name = t.native = *row[0];
    t.form = (*row[1])[0];
    t.element = *row[2];
    t.built_in = t.element_built_in = true;
    if (t.name == "bit") t.modifier = 1;
    const duet::column_type type = duet::postgres::describe_type(t);
    duet::column_type nothing;
    nothing.name = "nothing";
    nothing.native = "nothing";
    const auto refusal = duet::translate::pair_types(type, nothing).refusal;
    if (type.kind == duet::value_kind::other) EXPECT_THAT(refusal, ::testing::HasSubstr("can't be synced")) << *row[0];
    else if (type.kind == duet::value_kind::printed) EXPECT_NE(duet::translate::find_made_at_spoke(type), nullptr) << *row[0];
  }
}

TEST(types_of_the_servers, of_the_spoke_are_in_the_contract) {
  for (const char* name : {"tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float", "double", "bit", "char", "varchar", "binary", "varbinary", "tinytext", "text", "mediumtext",
                           "longtext", "tinyblob", "blob", "mediumblob", "longblob", "enum", "set", "date", "time", "datetime", "timestamp", "year", "json", "geometry", "point",
                           "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection", "geomcollection", "vector", "uuid", "inet4", "inet6"}) {
    duet::mysql::column_facts facts;
    facts.data_type = facts.column_type = name;
    facts.precision = 1;
    const duet::column_type type = duet::mysql::decode_type(facts);
    EXPECT_NE(type.kind, duet::value_kind::other) << name;
    const auto rows = duet::translate::type_contract();
    EXPECT_TRUE(std::any_of(rows.begin(), rows.end(), [&](const auto& r) { return r.spoke_kind == type.kind && r.decide && (!r.applies || r.applies({}, type) || r.home_kind == duet::value_kind::array); })) << name;
  }
}
