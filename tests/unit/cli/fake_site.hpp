// Databases for tests of the verbs: they answer what the test says and note what is done to them.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "cli/command_line.hpp"
#include "duet/failure.hpp"

namespace duet::testing {

struct fake_database {
  std::string product = "PostgreSQL", id = "home-1";
  std::optional<failure> no_connection, log_damage, setup_failure, teardown_failure;
  findings server, set_up, of_tables;
  std::vector<table_schema> tables;
  std::optional<control_row> control;
  log_position start{1000};
  std::vector<held_summary> held;
  std::vector<logged_conflict> conflicts;
  std::vector<held_change> waiting;
  std::vector<conflict_filter> asked_conflicts;
  std::map<std::string, owned_row> rows;  // of the customer table, by key
  std::optional<std::int64_t> clock_ahead_us;  // of ours
  bool control_race = false;              // somebody else was faster with the control row
  std::vector<std::string> done;          // setup, init_control, teardown
  std::vector<std::string> asked_tables;
};

class fake_site final : public site {
 public:
  fake_site(fake_database& db, std::vector<std::string>& order, std::string where) : db_(db), order_(order), where_(std::move(where)) {}

  void connect() override {
    if (db_.no_connection) throw *db_.no_connection;
  }
  site_identity identity() override { return {db_.product, "1.0", db_.id}; }
  std::vector<table_schema> load_tables(const std::vector<std::string>& patterns) override {
    db_.asked_tables = patterns;
    return db_.tables;
  }
  void check_server(findings& all) override { all.insert(all.end(), db_.server.begin(), db_.server.end()); }
  void check_tables(const mapping&, findings& all) override { all.insert(all.end(), db_.of_tables.begin(), db_.of_tables.end()); }
  void check_set_up(findings& all) override { all.insert(all.end(), db_.set_up.begin(), db_.set_up.end()); }
  std::vector<std::string> setup_statements(const mapping&, bool for_dba) override {
    std::vector<std::string> all = {"CREATE SCHEMA duet;", "-- a remark"};
    if (for_dba) all.push_back("GRANT ALL TO duet");
    return all;
  }
  void setup(const mapping&) override {
    note("setup");
    if (db_.setup_failure) throw *db_.setup_failure;
  }
  log_position start_position() override { return db_.start; }
  bool init_control(const control_row& row) override {
    note("init_control");
    if (db_.control || db_.control_race) return false;
    db_.control = row;
    return true;
  }
  std::vector<std::string> teardown_statements() override { return {"DROP SCHEMA duet"}; }
  void teardown() override {
    if (db_.teardown_failure) throw *db_.teardown_failure;
    note("teardown");
    db_.control.reset();
  }
  std::optional<control_row> load_control() override { return db_.control; }
  control_row take_over(std::uint64_t, bool) override { throw failure(failure_kind::internal, "not in these tests"); }
  void check_log(log_position, log_position) override {
    if (db_.log_damage) throw *db_.log_damage;
  }
  site_status status() override { return {{db_.product, "1.0", db_.id}, db_.control, {2000}, 512, 3, db_.held, "slot is not read"}; }
  std::vector<logged_conflict> load_conflicts(const conflict_filter& f) override {
    db_.asked_conflicts.push_back(f);
    std::vector<logged_conflict> all = db_.conflicts;
    if (f.id) std::erase_if(all, [&](const logged_conflict& c) { return c.id != f.id; });
    return all;
  }
  std::vector<held_change> load_held() override { return db_.waiting; }
  void remove_held(std::uint64_t token) override {
    note("remove_held");
    std::erase_if(db_.waiting, [&](const held_change& h) { return h.token == token; });
  }
  std::optional<clock_reading> read_clock() override {
    const auto now = std::chrono::steady_clock::now();
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count();
    return db_.clock_ahead_us ? std::optional(clock_reading{us + *db_.clock_ahead_us, now, now + std::chrono::microseconds(200)}) : std::nullopt;
  }
  std::string describe(log_position p) const override { return where_ + "@" + std::to_string(p.value); }

 private:
  void note(const char* what) {
    db_.done.push_back(what);
    order_.push_back(where_ + " " + what);
  }
  fake_database& db_;
  std::vector<std::string>& order_;
  std::string where_;
};

// The customer table of one side, as a person's decision reads and writes it.
class fake_by_hand final : public target_by_hand {
 public:
  fake_by_hand(fake_database& db, std::vector<std::string>& order, std::string where) : db_(db), order_(order), where_(std::move(where)) {}

  moved begin_locked() override {
    note("begin");
    control_row row = db_.control.value();
    ++row.counter;
    rows_ = db_.rows;
    return {row, 1'700'000'000'000'000};
  }
  std::vector<owned_row> read_rows(const table_pair&, std::span<const row_view> keys) override { return find(db_.rows, keys); }
  std::vector<owned_row> lock_rows_with(const table_pair&, std::span<const std::uint16_t>, std::span<const std::string>) override { return {}; }
  std::vector<owned_row> lock_rows(const table_pair&, std::span<const row_view> keys) override { return find(where_ == "home" ? rows_ : db_.rows, keys); }
  bool force(const table_pair& t, operation op, row_view before, row_view after, std::span<const std::uint16_t> columns) override {
    note(std::string(name(op)));
    owned_row& row = rows_[std::string((before ? before : after)[t.key[0]].text())];
    row.found = op != operation::remove;
    row.values.resize(t.columns.size());
    for (const std::uint16_t c : columns) row.values[c] = after[c].present() ? std::optional(std::string(after[c].text())) : std::nullopt;
    return true;
  }
  void emit_refresh(const table_pair&, row_view, const owned_row* row, const decision_tag& tag) override {
    note(std::string("refresh ") + (row ? row->values[1].value_or("NULL") : "gone") + (tag.by_home.fields ? " by home" : "") + (tag.by_spoke.fields ? " by spoke" : "") +
         (tag.ends_hold ? " ends" : ""));
  }
  void log_conflict(const conflict_entry& e) override { db_.conflicts.push_back({e, db_.conflicts.size() + 1, 1'700'000'000'000'000}); }
  void release_held(std::uint64_t token) override {
    std::erase_if(db_.waiting, [&](const held_change& h) { return h.token == token; });
  }
  void commit(const control_row& final) override {
    note("commit");
    db_.control = final;
    db_.rows = rows_;
  }

  void open() override {}
  void close() noexcept override {}
  void rollback() noexcept override {}
  void begin(const control_row&, const control_row&, std::int64_t) override {}
  void apply(const run&, insert_mode, std::vector<std::uint32_t>&) override {}
  void truncate(std::span<const table_pair* const>) override {}
  void mark(const table_pair&, row_view, const std::string&, std::optional<std::int64_t>) override {}
  log_position catch_up_point() override { return {}; }
  void hold(const held_entry&) override {}
  void savepoint() override {}
  void rollback_to_savepoint() override {}
  control_row load_control() override { return db_.control.value(); }
  std::vector<std::pair<std::string, std::uint64_t>> load_held_tokens() override { return {}; }

 private:
  static std::vector<owned_row> find(const std::map<std::string, owned_row>& rows, std::span<const row_view> keys) {
    std::vector<owned_row> found;
    for (const row_view k : keys) {
      const auto row = rows.find(std::string(k[0].text()));
      found.push_back(row == rows.end() || !row->second.found ? owned_row{} : row->second);
    }
    return found;
  }
  void note(const std::string& what) { order_.push_back(where_ + ' ' + what); }
  fake_database& db_;
  std::vector<std::string>& order_;
  std::string where_;
  std::map<std::string, owned_row> rows_;  // as the transaction leaves them
};

inline table_schema customer_table(const std::string& schema) {
  table_schema t;
  t.schema = schema;
  t.name = "customer";
  for (const char* n : {"id", "name"}) {
    column c;
    c.name = n;
    c.ordinal = static_cast<int>(t.columns.size());
    c.type.kind = t.columns.empty() ? value_kind::integer : value_kind::text;
    c.type.bits = 64;
    c.type.native = t.columns.empty() ? "bigint" : "text";
    c.type.charset = "utf8mb4";
    c.nullable = !t.columns.empty();
    t.columns.push_back(c);
  }
  t.primary_key = {0};
  t.replica_identity = 'f';
  t.engine = schema == "public" ? "r" : "InnoDB";
  return t;
}

// Runs the command line against two fake databases and a duet.yaml in a folder of its own.
class verbs_test : public ::testing::Test {
 protected:
  verbs_test() {
    std::string name = (std::filesystem::temp_directory_path() / "duet-cli-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    home.tables = {customer_table("public")};
    spoke.product = "MariaDB";
    spoke.id = "spoke-1";
    spoke.start = {5000};
    spoke.tables = {customer_table("shop")};
    write_config("");
  }
  ~verbs_test() override { std::filesystem::remove_all(folder_); }

  void write_config(const std::string& more, const std::string& link = "shop", const std::string& conflicts = "conflicts: { default: home }\n") {
    std::ofstream(file()) << "link: " << link << "\nhome:\n  url: postgresql://duet@127.0.0.1:5432/shop\n  password: s3cret-home\n"
                          << "spoke:\n  url: mysql://duet@127.0.0.1:3306/shop\n  password: s3cret-spoke\n"
                          << conflicts << "tables:\n  - home: public.customer\n" << more;
  }
  std::string file() const { return folder_ + "/duet.yaml"; }

  cli::engines engines() {
    cli::engines e;
    e.home_site = [this](const endpoint&, const std::string&) { return std::make_unique<fake_site>(home, order, "home"); };
    e.spoke_site = [this](const endpoint&, const std::string&) { return std::make_unique<fake_site>(spoke, order, "spoke"); };
    e.home_by_hand = [this](const config&, const mapping&) { return std::make_unique<fake_by_hand>(home, order, "home"); };
    e.spoke_by_hand = [this](const config&, const mapping&) { return std::make_unique<fake_by_hand>(spoke, order, "spoke"); };
    return e;
  }
  int call(std::vector<std::string> words, const std::string& typed = "", bool terminal = false) {
    std::vector<const char*> argv = {"duet"};
    for (const auto& w : words) argv.push_back(w.c_str());
    std::istringstream in(typed);
    std::ostringstream out_stream, err_stream;
    const cli::engines e = engines();
    cli::console c{out_stream, err_stream, in, terminal, false};
    const int code = cli::run_command_line(static_cast<int>(argv.size()), argv.data(), "9.8.7", e, c);
    out = out_stream.str();
    err = err_stream.str();
    EXPECT_EQ((out + err).find("s3cret"), std::string::npos) << "a password was printed";
    return code;
  }
  int verb(std::string name, std::vector<std::string> more = {}) {
    std::vector<std::string> words = {std::move(name), "-c", file()};
    words.insert(words.end(), more.begin(), more.end());
    return call(words);
  }

  fake_database home, spoke;
  std::vector<std::string> order;
  std::string out, err;

 private:
  std::string folder_;
};

}  // namespace duet::testing
