// A database of the test's own on a real spoke server, the link set up in it, and rows as plain strings.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "duet/failure.hpp"
#include "duet/mapping.hpp"
#include "mysql/site.hpp"
#include "mysql/target.hpp"
#include "support/servers.hpp"

namespace duet::testing {

using field = std::optional<std::string>;
using fields = std::vector<field>;
using indices = std::vector<std::uint32_t>;
using columns = std::vector<std::uint16_t>;

// A table that pairs with itself: what the translator would make of two equal tables.
inline table_pair pair_of(const table_schema& t) {
  table_pair pair;
  pair.home = pair.spoke = t;
  std::vector<int> at(t.columns.size(), -1);
  for (std::size_t i = 0; i < t.columns.size(); ++i) {
    if (t.columns[i].generated) continue;
    at[i] = static_cast<int>(pair.columns.size());
    column_pair c;
    c.home = c.spoke = t.columns[i];
    const value_kind kind = c.spoke.type.kind;
    c.guarded = kind != value_kind::real && kind != value_kind::json;
    pair.columns.push_back(c);
  }
  for (const int k : t.primary_key) {
    pair.key.push_back(static_cast<std::uint16_t>(at[k]));
    pair.columns[at[k]].key = true;
  }
  return pair;
}

// Keeps rows alive while a run points at them.
class row_store {
 public:
  row_view add(const fields& values) {
    texts_.push_back(values);
    std::vector<cell> cells;
    for (const field& f : texts_.back()) cells.push_back(f ? cell::of(*f) : cell::null());
    cells_.push_back(std::move(cells));
    return cells_.back().data();
  }

 private:
  std::deque<fields> texts_;
  std::deque<std::vector<cell>> cells_;
};

class spoke_fixture : public spoke_test {
 public:
  static constexpr const char* link = "shop";

  void SetUp() override {
    database = spoke().make_database();
    at = spoke().endpoint_of(database);
    make_site()->setup({});
    control = {link, 1, {100}, {50}, 7, 0xfedcba9876543210ull, "home/1", "spoke/1"};
    spoke().exec("DELETE FROM duet.control");
    spoke().exec("DELETE FROM duet.held");
    spoke().exec("DELETE FROM duet.conflict_log");
    ASSERT_TRUE(make_site()->init_control(control));
  }
  void TearDown() override {
    t.reset();
    spoke().exec("DROP DATABASE " + database);
    spoke().exec("DROP DATABASE IF EXISTS duet");
  }

  std::unique_ptr<mysql::site> make_site(const std::string& name = link) {
    auto s = std::make_unique<mysql::site>(at, name);
    s->connect();
    return s;
  }

  void exec(const std::string& sql) { spoke().exec(sql, database); }
  sql_rows query(const std::string& sql) { return spoke().query(sql, database); }
  field scalar(const std::string& sql) { return spoke().scalar(sql, database); }
  std::string count(const std::string& table) { return scalar("SELECT COUNT(*) FROM " + table).value(); }

  table_pair load(const std::string& name) {
    auto tables = make_site()->load_tables({database + '.' + name});
    EXPECT_EQ(tables.size(), 1u);
    return pair_of(tables.at(0));
  }

  mysql::target& open() {
    t = std::make_unique<mysql::target>(at, link, nothing);
    t->open();
    return *t;
  }
  void begin() {
    const control_row before = control;
    ++control.counter;
    control.position.value += 2;
    t->begin(before, control, 0);
  }
  void commit() { t->commit(control); }
  void undo(const control_row& before) {
    t->rollback();
    control = before;
  }

  // Each writes one run in a transaction of its own and returns what was unmatched.
  indices insert(const table_pair& p, const std::vector<fields>& rows, insert_mode mode = insert_mode::trusting) {
    duet::run r{.table = &p, .op = operation::insert, .columns = all(p)};
    for (const auto& row : rows) r.rows.push_back({.before = nullptr, .after = store.add(row)});
    return write(r, mode);
  }
  indices update(const table_pair& p, const columns& set, const columns& guard,
                 const std::vector<std::pair<fields, fields>>& rows) {
    duet::run r{.table = &p, .op = operation::update, .columns = set, .guard = guard};
    for (const auto& [before, after] : rows) r.rows.push_back({.before = store.add(before), .after = store.add(after)});
    return write(r);
  }
  indices remove(const table_pair& p, const columns& guard, const std::vector<fields>& rows) {
    duet::run r{.table = &p, .op = operation::remove, .guard = guard};
    for (const auto& row : rows) r.rows.push_back({.before = store.add(row), .after = nullptr});
    return write(r);
  }
  indices write(const duet::run& r, insert_mode mode = insert_mode::trusting) {
    indices unmatched;
    begin();
    t->apply(r, mode, unmatched);
    commit();
    return unmatched;
  }
  std::vector<owned_row> read(const table_pair& p, const std::vector<fields>& keys) {
    std::vector<row_view> views;
    for (const auto& key : keys) views.push_back(store.add(key));
    begin();
    auto rows = t->lock_rows(p, views);
    commit();
    return rows;
  }

  static columns all(const table_pair& p) {
    columns out;
    for (std::uint16_t i = 0; i < p.columns.size(); ++i) out.push_back(i);
    return out;
  }

  std::string database;
  endpoint at;
  mapping nothing;
  control_row control;
  row_store store;
  std::unique_ptr<mysql::target> t;
};

// The failure that `act` ends with.
template <class Act>
failure failure_from(Act act) {
  try {
    act();
  } catch (const failure& f) {
    return f;
  }
  ADD_FAILURE() << "no failure was thrown";
  return failure(failure_kind::internal, "none");
}

}  // namespace duet::testing
