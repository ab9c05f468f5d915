#include "config/config_reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

namespace duet {
namespace {

using testing::HasSubstr;
using testing::Not;

class config_reader : public testing::Test {
 protected:
  config_reader() {
    folder_ = std::filesystem::temp_directory_path() / ("duet-config-test-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
    write("secret", "top secret\n");
    write("good.lua", "function resolve(c) return 'home' end\n");
    write("other.lua", "function resolve(c) return 'spoke' end\n");
    write("large.lua", std::string(300 << 10, '-'));
    write("ca.pem", "-----BEGIN CERTIFICATE-----\n");
  }
  ~config_reader() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name, std::ios::binary) << text; }

  config read(const std::string& yaml) {
    found_.clear();
    return decode_config(yaml, (folder_ / "duet.yaml").string(), found_, [this](const std::string& name) -> std::optional<std::string> {
      const auto at = variables_.find(name);
      return at == variables_.end() ? std::nullopt : std::optional<std::string>(at->second);
    });
  }

  std::string all() const {
    std::string text;
    for (const auto& f : found_) text += f.where + " " + f.code + ": " + f.text + " -> " + f.remedy + "\n";
    return text;
  }

  static std::string with_home(const std::string& lines) {
    return "link: shop\nhome:\n" + lines + "spoke:\n  url: mysql://duet@127.0.0.1/shop\ntables:\n  - home: public.customer\n";
  }

  std::filesystem::path folder_;
  std::map<std::string, std::string> variables_{{"HOME_PASSWORD", "p@ss:/word"}, {"DB_HOST", "db.example"}, {"EMPTY", ""}};
  findings found_;
};

constexpr const char* whole_file = R"(link: shop                            # names slot
home:
  url: postgresql://duet@127.0.0.1:5432/shop
  password_file: secret
  tls: { mode: verify-full, ca: ca.pem }
spoke:
  url: mysql://duet@db:3307/store
  password: ${HOME_PASSWORD}
status: { listen: 127.0.0.1:8087 }
tables:
  - home: public.customer
    spoke: customer
    columns: { full_name: name }
    exclude: [internal_memo]
    direction: home_to_spoke
  - home: sales.*
    spoke: sales.*
    conflict: { rule: spoke, merge: row, update_vs_delete: manual }
  - home: public.account
    conflict:
      latest_by: updated_at
      merge: columns
      groups: [[street, city, zip], [lat, lon]]
      columns:
        credit_status: spoke
        balance: delta
        street: home
      own: { phone: home, billing_status: spoke }
      update_vs_delete: delete_wins
conflicts: { default: latest, log_retention_days: 7 }
tuning:
  ring: 32MB
  block: 512 KB
  spill: { max: 1GB, dir: /tmp }
  index: 8MB
  batch_rows: 500
  heartbeat: 5s
)";

TEST_F(config_reader, reads_the_whole_contract) {
  const config c = read(whole_file);
  EXPECT_TRUE(found_.empty()) << all();
  EXPECT_EQ(c.link, "shop");
  EXPECT_EQ(c.home.scheme, "postgresql");
  EXPECT_EQ(c.home.host, "127.0.0.1");
  EXPECT_EQ(c.home.port, 5432);
  EXPECT_EQ(c.home.user, "duet");
  EXPECT_EQ(c.home.database, "shop");
  EXPECT_EQ(c.home.password, "top secret");
  EXPECT_EQ(c.home.tls, tls_mode::verify_full);
  EXPECT_EQ(c.home.tls_ca, (folder_ / "ca.pem").string());
  EXPECT_EQ(c.home.at.line, 3);
  EXPECT_EQ(c.spoke.scheme, "mysql");
  EXPECT_EQ(c.spoke.port, 3307);
  EXPECT_EQ(c.spoke.password, "p@ss:/word");
  EXPECT_EQ(c.spoke.tls, tls_mode::prefer);
  EXPECT_EQ(c.status_host, "127.0.0.1");
  EXPECT_EQ(c.status_port, 8087);
  ASSERT_EQ(c.tables.size(), 3u);
  EXPECT_EQ(c.tables[0].home, "public.customer");
  EXPECT_EQ(c.tables[0].spoke, "customer");
  ASSERT_EQ(c.tables[0].columns.size(), 1u);
  EXPECT_EQ(c.tables[0].columns[0], std::make_pair(std::string("full_name"), std::string("name")));
  EXPECT_EQ(c.tables[0].exclude, std::vector<std::string>{"internal_memo"});
  EXPECT_EQ(c.tables[0].direction, flow::home_to_spoke);
  EXPECT_EQ(c.tables[0].at.line, 11);
  EXPECT_EQ(c.tables[0].columns_at.line, 13);
  EXPECT_EQ(c.tables[0].exclude_at.line, 14);
  EXPECT_EQ(c.tables[1].home, "sales.*");
  EXPECT_EQ(c.tables[1].direction, flow::both);
  EXPECT_EQ(c.tables[0].conflict.rule, conflict_rule::none);
  EXPECT_EQ(c.tables[0].conflict.at.line, 0);
  EXPECT_EQ(c.tables[1].conflict.rule, conflict_rule::spoke);
  EXPECT_FALSE(c.tables[1].conflict.merge_columns);
  EXPECT_EQ(c.tables[1].conflict.update_vs_delete, delete_rule::manual);
  const conflict_rules& r = c.tables[2].conflict;
  EXPECT_EQ(r.rule, conflict_rule::none);
  EXPECT_EQ(r.latest_by, "updated_at");
  EXPECT_TRUE(r.merge_columns);
  EXPECT_THAT(r.groups, testing::ElementsAre(testing::ElementsAre("street", "city", "zip"), testing::ElementsAre("lat", "lon")));
  EXPECT_THAT(r.columns, testing::ElementsAre(testing::Pair("credit_status", conflict_rule::spoke), testing::Pair("balance", conflict_rule::delta),
                                              testing::Pair("street", conflict_rule::home)));
  EXPECT_THAT(r.own, testing::ElementsAre(testing::Pair("phone", side::home), testing::Pair("billing_status", side::spoke)));
  EXPECT_EQ(r.update_vs_delete, delete_rule::delete_wins);
  EXPECT_EQ(r.at.line, 21);
  EXPECT_EQ(r.latest_by_at.line, 21);
  EXPECT_EQ(r.groups_at.line, 23);
  EXPECT_EQ(r.columns_at.line, 25);
  EXPECT_EQ(c.default_conflict_rule, conflict_rule::latest);
  EXPECT_EQ(c.conflict_log_retention_days, 7);
  EXPECT_EQ(c.tune.index_bytes_max, 8u << 20);
  EXPECT_EQ(c.tune.ring_bytes_max, 32u << 20);
  EXPECT_EQ(c.tune.block_bytes, 512u << 10);
  EXPECT_EQ(c.tune.spill_bytes_max, 1u << 30);
  EXPECT_EQ(c.tune.spill_dir, "/tmp");
  EXPECT_EQ(c.tune.batch_rows_max, 500u);
  EXPECT_EQ(c.tune.heartbeat_s, 5);
}

TEST_F(config_reader, uses_defaults_for_what_is_left_out) {
  const config c = read(with_home("  url: postgresql://duet@h/shop\n"));
  EXPECT_TRUE(found_.empty()) << all();
  EXPECT_EQ(c.home.port, 0);
  EXPECT_EQ(c.home.password, "");
  EXPECT_EQ(c.status_port, 0);
  EXPECT_EQ(c.tune.index_bytes_max, 64u << 20);
  EXPECT_EQ(c.tune.ring_bytes_max, 16u << 20);
  EXPECT_FALSE(c.tune.spill_dir.empty());
  EXPECT_EQ(c.tables[0].direction, flow::both);
  EXPECT_EQ(c.default_conflict_rule, conflict_rule::none);
  EXPECT_EQ(c.conflict_log_retention_days, 90);
  EXPECT_EQ(c.tables[0].conflict.rule, conflict_rule::none);
  EXPECT_EQ(c.tables[0].conflict.update_vs_delete, delete_rule::by_rule);
  EXPECT_TRUE(c.tables[0].conflict.merge_columns);
}

TEST_F(config_reader, reads_what_deletes_do_on_the_other_side) {
  const std::string head = "link: shop\nhome:\n  url: postgresql://duet@h/shop\nspoke:\n  url: mysql://duet@h/shop\n"
                           "conflicts: { default: home, clock_offset_limit: 250ms, held_limit: 7 }\ntables:\n";
  const config c = read(head + "  - home: public.a\n    deletes: ignore\n  - home: public.b\n    deletes: { archive: gone }\n    held_limit: 0\n    on_schema_change: follow\n"
                               "  - home: public.c\n    deletes: { from_home: ignore, from_spoke: { archive: gone } }\n  - home: public.d\n"
                               "  - home: public.e\n    direction: home_to_spoke\n    deletes: { archive: gone }\n");
  EXPECT_TRUE(found_.empty()) << all();
  EXPECT_EQ(c.clock_offset_limit_ms, 250);
  EXPECT_EQ(c.held_limit, 7u);
  ASSERT_EQ(c.tables.size(), 5u);
  using enum delete_action;
  const std::pair<delete_action, delete_action> wanted[] = {{ignore, ignore}, {archive, archive}, {ignore, archive}, {propagate, propagate}, {archive, propagate}};
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(c.tables[i].deletes[0].does, wanted[i].first) << i;
    EXPECT_EQ(c.tables[i].deletes[1].does, wanted[i].second) << i;
  }
  EXPECT_EQ(c.tables[2].deletes[1].archived_at, "gone");
  EXPECT_EQ(c.tables[1].held_limit, 0u);
  EXPECT_EQ(c.tables[0].held_limit, std::nullopt);
  EXPECT_EQ(c.tables[0].on_schema_change, schema_rule::pause);
  EXPECT_EQ(c.tables[1].on_schema_change, schema_rule::follow);
  EXPECT_EQ(config().clock_offset_limit_ms, 1000);
  EXPECT_EQ(config().held_limit, 10000u);
}

struct broken {
  const char* yaml;
  const char* code;
  int line;
  const char* remedy_or_text = "";  // a part of either
};

constexpr const char* good_ends = "link: shop\nhome: {url: 'postgresql://d@h/s'}\nspoke: {url: 'mysql://d@h/s'}\n";

// Each of these stands behind `good_ends` (3 lines).
const broken broken_tails[] = {
    {"tables:\n  - home: public.a\ntabels: x\n", "unknown_key", 6, "did you mean `tables`?"},
    {"tables:\n  - home: public.a\nzzzzzzzzz: x\n", "unknown_key", 6, "known keys: link"},
    {"tables:\n  - home: public.a\n    colums: {}\n", "unknown_key", 6, "`columns`"},
    {"tables:\n  - home: public.a\nlink: again\n", "duplicate_key", 6, "line 1"},
    {"", "missing_key", 1, "`tables` is missing"},
    {"tables:\n", "no_tables", 4},
    {"tables: []\n", "no_tables", 4},
    {"tables: public.a\n", "wrong_type", 4},
    {"tables:\n  - public.a\n", "wrong_type", 5},
    {"tables:\n  - spoke: a\n", "missing_key", 5, "without `home`"},
    {"tables:\n  - home:\n", "wrong_type", 5},
    {"tables:\n  - home: [a]\n", "wrong_type", 5},
    {"tables:\n  - home: customer\n", "bad_table_name", 5, "schema.table"},
    {"tables:\n  - home: a.b.c\n", "bad_table_name", 5},
    {"tables:\n  - home: public.cust*\n", "bad_table_name", 5},
    {"tables:\n  - home: '*.*'\n", "bad_table_name", 5},
    {"tables:\n  - home: .a\n", "bad_table_name", 5},
    {"tables:\n  - home: duet.control\n", "bad_table_name", 5, "bookkeeping"},
    {"tables:\n  - home: public.a\n    spoke: duet.control\n", "bad_table_name", 5, "bookkeeping"},
    {"tables:\n  - home: public.*\n    spoke: a\n", "bad_table_name", 6, "database.*"},
    {"tables:\n  - home: public.a\n    spoke: b.*\n", "bad_table_name", 6},
    {"tables:\n  - home: public.*\n    columns: {a: b}\n", "wrong_type", 6},
    {"tables:\n  - home: public.*\n    exclude: [a]\n", "wrong_type", 6},
    {"tables:\n  - home: public.a\n  - home: public.b\n  - home: public.a\n", "duplicate_table", 7, "line 5"},
    {"tables:\n  - home: public.a\n    spoke: x\n  - home: public.b\n    spoke: s.x\n", "duplicate_table", 7, "line 5"},
    {"tables:\n  - home: public.a\n    direction: up\n", "bad_direction", 6, "home_to_spoke"},
    {"tables:\n  - home: public.a\n    direction: {}\n", "wrong_type", 6},
    {"tables:\n  - home: public.a\n    columns: [a]\n", "wrong_type", 6},
    {"tables:\n  - home: public.a\n    columns:\n      a: x\n      b: x\n", "duplicate_column", 8, "`x`"},
    {"tables:\n  - home: public.a\n    columns:\n      a: x\n      a: y\n", "duplicate_column", 8, "`a`"},
    {"tables:\n  - home: public.a\n    columns: {a: }\n", "wrong_type", 6},
    {"tables:\n  - home: public.a\n    exclude: memo\n", "wrong_type", 6},
    {"tables:\n  - home: public.a\n    exclude: [{a: b}]\n", "wrong_type", 6},
    {"tables:\n  - home: public.a\n    conflict: latest\n", "wrong_type", 6, "conflict: { rule: latest }"},
    {"tables:\n  - home: public.a\n    conflict: [latest]\n", "wrong_type", 6},
    {"tables:\n  - home: public.a\n    conflict:\n", "wrong_type", 6},
    {"tables:\n  - home: public.a\n    direction: home_to_spoke\n    conflict: {rule: home}\n", "conflict_one_way", 7, "`direction: both`"},
    {"tables:\n  - home: public.a\n    conflict: {rule: home}\n    direction: spoke_to_home\n", "conflict_one_way", 6, "take conflict out"},
    {"tables:\n  - home: public.a\nconflict: {default: home}\n", "unknown_key", 6, "did you mean `conflicts`?"},
    {"tables:\n  - home: public.a\nconflicts: home\n", "wrong_type", 6, "conflicts: { default: latest }"},
    {"tables:\n  - home: public.a\nconflicts: [home]\n", "wrong_type", 6},
    {"tables:\n  - home: public.a\nconflicts:\n  defaults: home\n", "unknown_key", 7, "did you mean `default`?"},
    {"tables:\n  - home: public.a\nconflicts:\n  default: hom\n", "bad_conflict_rule", 7, "one of latest, home, spoke, manual"},
    {"tables:\n  - home: public.a\nconflicts:\n  default: delta\n", "bad_conflict_rule", 7, "columns: { balance: delta }"},
    {"tables:\n  - home: public.a\nconflicts:\n  default: [home]\n", "wrong_type", 7},
    {"tables:\n  - home: public.a\nconflicts:\n  default: script\n", "bad_conflict_rule", 7, "at the table"},
    {"tables:\n  - home: public.a\nconflicts:\n  default: { script: good.lua }\n", "bad_conflict_rule", 7, "conflict: { rule: { script: rules/customer.lua } }"},
    {"tables:\n  - home: public.a\nconflicts:\n  log_retention_days: 90d\n", "bad_number", 7},
    {"tables:\n  - home: public.a\nconflicts:\n  log_retention_days: 36501\n", "bad_number", 7, "out of range"},
    {"tables:\n  - home: public.a\nconflicts:\n  clock_offset_limit: soon\n", "bad_duration", 7, "clock_offset_limit: 1s"},
    {"tables:\n  - home: public.a\nconflicts:\n  clock_offset_limit: 0\n", "bad_duration", 7, "between 1 ms and 86400000 ms"},
    {"tables:\n  - home: public.a\nconflicts:\n  held_limit: many\n", "bad_number", 7, "held_limit: 10000"},
    {"tables:\n  - home: public.a\n    held_limit: -1\n", "bad_number", 6, "held_limit: 10000"},
    {"tables:\n  - home: public.a\n    held_limit: []\n", "wrong_type", 6},
    {"tables:\n  - home: public.a\n    on_schema_change: stop\n", "bad_schema_rule", 6, "one of pause, follow, ignore_new_columns"},
    {"tables:\n  - home: public.a\n    on_schema_change: []\n", "wrong_type", 6},
    {"tables:\n  - home: public.a\n    initial: copy\n", "bad_initial", 6, "copy_from_home"},
    {"tables:\n  - home: public.a\n    initial: []\n", "wrong_type", 6},
    {"tables:\n  - home: public.a\n    direction: home_to_spoke\n    initial: copy_from_spoke\n", "initial_against_direction", 7, "direction: both"},
    {"tables:\n  - home: public.a\n    direction: home_to_spoke\n    initial: merge\n    truth: home\n", "initial_against_direction", 7, "direction: both"},
    {"tables:\n  - home: public.a\n    initial: merge\n", "truth_missing", 5, "latest_by COLUMN"},
    {"tables:\n  - home: public.a\n    truth: home\n", "truth_without_merge", 6, "initial: merge"},
    {"tables:\n  - home: public.a\n    initial: merge\n    truth: newest\n", "bad_truth", 7, "latest_by COLUMN"},
    {"tables:\n  - home: public.a\n    initial: merge\n    truth: latest_by\n", "bad_truth", 7, "latest_by updated_at"},
    {"tables:\n  - home: public.a\n    initial: merge\n    truth: {}\n", "bad_truth", 7, "latest_by updated_at"},
    {"tables:\n  - home: public.a\n    initial: merge\n    truth: [home]\n", "wrong_type", 7},
    {"tables:\n  - home: public.a\n    deletes: drop\n", "bad_deletes", 6, "one of propagate, ignore"},
    {"tables:\n  - home: public.a\n    deletes: archive\n", "bad_deletes", 6, "archive: archived_at"},
    {"tables:\n  - home: public.a\n    deletes: []\n", "wrong_type", 6},
    {"tables:\n  - home: public.a\n    deletes: {}\n", "missing_key", 6, "archive: archived_at"},
    {"tables:\n  - home: public.a\n    deletes: {archive: }\n", "wrong_type", 6, "archived_at"},
    {"tables:\n  - home: public.a\n    deletes: {archive: [a]}\n", "wrong_type", 6},
    {"tables:\n  - home: public.a\n    deletes: {archived: x}\n", "unknown_key", 6, "did you mean `archive`?"},
    {"tables:\n  - home: public.a\n    deletes: {from_home: ignore, archive: x}\n", "unknown_key", 6},
    {"tables:\n  - home: public.a\n    deletes: {from_home: {archive: {}}}\n", "wrong_type", 6},
    {"tables:\n  - home: public.a\n    deletes: {from_spoke: no}\n", "bad_deletes", 6, "deletes.from_spoke"},
    {"tables:\n  - home: public.a\n    direction: home_to_spoke\n    deletes:\n      from_spoke: ignore\n", "deletes_one_way", 8, "take from_spoke out"},
    {"tables:\n  - home: public.a\nstatus: 8087\n", "wrong_type", 6},
    {"tables:\n  - home: public.a\nstatus: {}\n", "missing_key", 6, "status.listen"},
    {"tables:\n  - home: public.a\nstatus: {listen: 8087}\n", "bad_listen", 6},
    {"tables:\n  - home: public.a\nstatus: {listen: ':8087'}\n", "bad_listen", 6},
    {"tables:\n  - home: public.a\nstatus: {listen: 'h:0'}\n", "bad_listen", 6},
    {"tables:\n  - home: public.a\nstatus: {listen: 'h:65536'}\n", "bad_listen", 6},
    {"tables:\n  - home: public.a\nstatus: {listen: '::1:80'}\n", "bad_listen", 6},
    {"tables:\n  - home: public.a\ntuning:\n  ring: 16 bananas\n", "bad_size", 7, "16MB"},
    {"tables:\n  - home: public.a\ntuning:\n  ring: -1\n", "bad_size", 7},
    {"tables:\n  - home: public.a\ntuning:\n  ring: 1KB\n", "bad_size", 7, "out of range"},
    {"tables:\n  - home: public.a\ntuning:\n  ring: 99999999999999999999GB\n", "bad_size", 7},
    {"tables:\n  - home: public.a\ntuning:\n  ring: 18446744073709551615TB\n", "bad_size", 7},
    {"tables:\n  - home: public.a\ntuning:\n  ring: 1MB\n  block: 1MB\n", "bad_size", 7, "four blocks"},
    {"tables:\n  - home: public.a\ntuning:\n  batch_rows: 0\n", "bad_number", 7},
    {"tables:\n  - home: public.a\ntuning:\n  batch_rows: 2k\n", "bad_number", 7},
    {"tables:\n  - home: public.a\ntuning:\n  heartbeat: 500ms\n", "bad_duration", 7},
    {"tables:\n  - home: public.a\ntuning:\n  heartbeat: [60]\n", "wrong_type", 7},
    {"tables:\n  - home: public.a\ntuning:\n  spill:\n    dir: /there/is/no/such/folder\n", "bad_spill_dir", 8},
    {"tables:\n  - home: public.a\ntuning:\n  spill: 4GB\n", "wrong_type", 7},
    {"tables:\n  - home: public.a\ntuning:\n  heart: 4\n", "unknown_key", 7},
    {"tables:\n  - home: public.a\n   spoke: b\n", "yaml_syntax", 6},
    {"tables:\n  - home: 'public.a\n", "bad_table_name", 5},  // yaml-cpp lets the open quote pass
    {"tables:\n  - home: [public.a\n", "yaml_syntax", 6},
    {"tables:\n\t- home: a\n", "yaml_syntax", 5},
};

TEST_F(config_reader, names_the_line_and_the_code_of_each_mistake_in_tables_status_and_tuning) {
  for (const auto& b : broken_tails) {
    read(std::string(good_ends) + b.yaml);
    ASSERT_EQ(found_.size(), 1u) << b.yaml << all();
    EXPECT_EQ(found_[0].code, b.code) << b.yaml << all();
    EXPECT_EQ(found_[0].is, finding::level::refuse) << b.yaml;
    EXPECT_EQ(found_[0].where, (folder_ / "duet.yaml").string() + ":" + std::to_string(b.line)) << b.yaml << all();
    EXPECT_THAT(found_[0].text + " " + found_[0].remedy, HasSubstr(b.remedy_or_text)) << b.yaml;
    EXPECT_FALSE(found_[0].remedy.empty()) << b.yaml;
    EXPECT_TRUE(refused(found_));
  }
}

// Each of these stands behind `good_ends`, a line `tables:`, a line `  - home: public.a` and a line `    conflict:`.
const broken broken_rules[] = {
    {"      rul: latest\n", "unknown_key", 7, "did you mean `rule`?"},
    {"      latest_from: x\n", "unknown_key", 7},
    {"      rule: home\n      rule: spoke\n", "duplicate_key", 8, "line 7"},
    {"      rule: newest\n", "bad_conflict_rule", 7, "one of latest, home, spoke, manual"},
    {"      rule: none\n", "bad_conflict_rule", 7, "one of latest, home, spoke, manual"},
    {"      rule: delta\n", "bad_conflict_rule", 7, "columns: { balance: delta }"},
    {"      rule: script\n", "bad_conflict_rule", 7, "conflict: { rule: { script: rules/customer.lua } }"},
    {"      rule: script\n      file: no.lua\n", "script_unreadable", 8, "no.lua can't be read"},
    {"      rule: {script: no.lua}\n", "script_unreadable", 7, "no.lua can't be read"},
    {"      rule: {script: .}\n", "script_unreadable", 7, "can't be read"},
    {"      rule: {script: large.lua}\n", "script_unreadable", 7, "has more than 256 KB"},
    {"      rule: {script: [a.lua]}\n", "wrong_type", 7},
    {"      rule: {script: ''}\n", "wrong_type", 7},
    {"      rule: {rule: script}\n", "bad_conflict_rule", 7, "rules/customer.lua"},
    {"      rule: {rule: home}\n", "bad_conflict_rule", 7, "only a script"},
    {"      rule: {rule: home, file: good.lua}\n", "bad_conflict_rule", 7, "only a script"},
    {"      rule: {script: good.lua, file: good.lua}\n", "bad_conflict_rule", 7, "only a script"},
    {"      rule: {scrip: good.lua}\n", "unknown_key", 7, "did you mean `script`?"},
    {"      rule: home\n      file: good.lua\n", "bad_conflict_rule", 8, "`rule: script`"},
    {"      file: good.lua\n", "bad_conflict_rule", 7, "`rule: script`"},
    {"      rule: home\n      columns:\n        a: script\n", "bad_conflict_rule", 9, "{ stock: { script: rules/stock.lua } }"},
    {"      rule: home\n      columns:\n        a: {script: no.lua}\n", "script_unreadable", 9, "conflict.columns.a"},
    {"      rule: home\n      groups: [[a, b]]\n      columns: {a: {script: good.lua}, b: {script: other.lua}}\n", "group_rules", 8,
     "`a` is script good.lua and `b` is script other.lua"},
    {"      rule: home\n      merge: row\n      columns: {a: {script: good.lua}}\n", "merge_row", 9, "`a` has no rule of its own"},
    {"      rule: {script: good.lua}\n      latest_by: a\n", "latest_by_unused", 8},
    {"      rule: [home]\n", "wrong_type", 7},
    {"      rule:\n", "wrong_type", 7},
    {"      rule: home\n      merge: column\n", "bad_merge", 8, "one of columns, row"},
    {"      rule: home\n      merge: {}\n", "wrong_type", 8},
    {"      rule: home\n      update_vs_delete: update\n", "bad_update_vs_delete", 8, "one of update_wins, delete_wins, latest, manual"},
    {"      rule: home\n      update_vs_delete: by_rule\n", "bad_update_vs_delete", 8},
    {"      rule: home\n      update_vs_delete: []\n", "wrong_type", 8},
    {"      rule: home\n      scope: table\n", "bad_scope", 8, "one of row, transaction"},
    {"      rule: home\n      scope: [row]\n", "wrong_type", 8},
    {"      rule: latest\n      scope: transaction\n", "transaction_scope", 8, "the rule is latest"},
    {"      rule: home\n      scope: transaction\n      columns: {a: spoke, b: delta}\n", "transaction_scope", 9, "`a` is spoke"},
    {"      rule: home\n      scope: transaction\n      own: {a: spoke}\n", "transaction_scope", 9, "`a` has an owner"},
    {"      rule: home\n      scope: transaction\n      update_vs_delete: update_wins\n", "transaction_scope", 7, "update_vs_delete is update_wins"},
    {"      rule: latest\n      latest_by: [a]\n", "wrong_type", 8},
    {"      rule: latest\n      latest_by: ''\n", "wrong_type", 8},
    {"      rule: home\n      latest_by: a\n", "latest_by_unused", 8, "`rule: latest`"},
    {"      rule: home\n      latest_by: a\n      columns: {a: spoke}\n", "latest_by_unused", 8},
    {"      rule: home\n      latest_by: a\n      update_vs_delete: latest\n", "latest_by_unused", 8, "goes by commit times"},
    {"      rule: latest\n      latest_by: a\n      columns: {a: delta}\n", "latest_by_delta", 8},
    {"      rule: home\n      own: name\n", "wrong_type", 8, "own: {"},
    {"      rule: home\n      own: { name: both }\n", "bad_owner", 8, "home, spoke"},
    {"      rule: home\n      own:\n        name: home\n        name: spoke\n", "duplicate_column", 10, "`name`"},
    {"      rule: home\n      own: { name: home }\n      columns: { name: spoke }\n", "owned_and_ruled", 8, "columns"},
    {"      rule: home\n      own: { name: home }\n      groups: [[name, street]]\n", "owned_and_ruled", 8, "group"},
    {"      rule: home\n      groups: a\n", "wrong_type", 8, "[[street, city, zip]]"},
    {"      rule: home\n      groups: [a, b]\n", "wrong_type", 8},
    {"      rule: home\n      groups:\n        - [a, b]\n        - [c, {d: e}]\n", "wrong_type", 10},
    {"      rule: home\n      groups:\n        - [a, b]\n        - [c]\n", "bad_group", 10, "less than two"},
    {"      rule: home\n      groups:\n        - []\n", "bad_group", 9, "less than two"},
    {"      rule: home\n      groups:\n        - [a, b]\n        - [c, a]\n", "duplicate_column", 10, "line 9"},
    {"      rule: home\n      groups:\n        - [a, a]\n", "duplicate_column", 9, "`a`"},
    {"      rule: home\n      groups: [[a, b]]\n      columns: {a: home, b: spoke}\n", "group_rules", 8, "`a` is home and `b` is spoke"},
    {"      rule: home\n      groups: [[a, b]]\n      columns: {b: delta}\n", "group_rules", 8, "`b` is delta"},
    {"      rule: home\n      columns: [a]\n", "wrong_type", 8, "balance: delta"},
    {"      rule: home\n      columns:\n        a: home\n        a: spoke\n", "duplicate_column", 10},
    {"      rule: home\n      columns:\n        a: home\n        b: add\n", "bad_conflict_rule", 10, "one of latest, home, spoke, manual, delta"},
    {"      rule: home\n      columns:\n        a:\n", "wrong_type", 9},
    {"      rule: home\n      merge: row\n      groups: [[a, b]]\n", "merge_row", 9, "all columns are one group"},
    {"      rule: home\n      merge: row\n      columns: {a: spoke, b: delta}\n", "merge_row", 9, "`a` has no rule of its own"},
};

TEST_F(config_reader, names_the_line_and_the_code_of_each_mistake_in_a_conflict_rule) {
  for (const auto& b : broken_rules) {
    const config c = read(std::string(good_ends) + "tables:\n  - home: public.a\n    conflict:\n" + b.yaml);
    ASSERT_EQ(found_.size(), 1u) << b.yaml << all();
    EXPECT_EQ(found_[0].code, b.code) << b.yaml << all();
    EXPECT_EQ(found_[0].is, finding::level::refuse) << b.yaml;
    EXPECT_EQ(found_[0].where, (folder_ / "duet.yaml").string() + ":" + std::to_string(b.line)) << b.yaml << all();
    EXPECT_THAT(found_[0].text + " " + found_[0].remedy, HasSubstr(b.remedy_or_text)) << b.yaml;
    EXPECT_FALSE(found_[0].remedy.empty()) << b.yaml;
    ASSERT_EQ(c.tables.size(), 1u) << b.yaml;
    EXPECT_TRUE(c.tables[0].flawed) << b.yaml;
  }
}

TEST_F(config_reader, tells_what_of_a_refused_file_can_be_looked_at) {
  const config c = read("link: shop\nhome:\n  url: postgresql://duet@127.0.0.1:5432/shop\n  tsl: { mode: require }\nspoke:\n  url: mysql://duet@127.0.0.1:3306/shop\n"
                        "conflicts: { defualt: home }\ntables:\n  - home: public.a\n    colums: { a: b }\n  - home: public.b\n    columns: { a: b, c: b }\n"
                        "  - home: public.c\n    spoke: [c]\n  - home: public.d\n    direction: there\n  - spoke: e\n  - home: public.f\n");
  EXPECT_EQ(found_.size(), 7u) << all();
  EXPECT_TRUE(c.home.flawed) << "the key that is not known may have been `tls`";
  EXPECT_FALSE(c.spoke.flawed);
  EXPECT_TRUE(c.conflicts_flawed);
  ASSERT_EQ(c.tables.size(), 5u);
  const auto flaws = [&](std::size_t i) {
    const table_rule& r = c.tables[i];
    return std::string(r.flawed ? "any " : "") + (r.columns_flawed ? "columns" : "") + (r.spoke_flawed ? "spoke" : "") + (r.direction_flawed ? "direction" : "");
  };
  EXPECT_EQ(flaws(0), "any ");
  EXPECT_EQ(flaws(1), "any columns");
  EXPECT_EQ(flaws(2), "any spoke");
  EXPECT_EQ(flaws(3), "any direction");
  EXPECT_EQ(flaws(4), "");
}

TEST_F(config_reader, reads_a_script_in_each_spelling_at_each_place) {
  variables_["RULES"] = "good";
  const config c = read(std::string(good_ends) +
                        "tables:\n  - home: public.a\n    conflict: { rule: { script: good.lua }, columns: { s: { script: other.lua }, t: home, u: { rule: script, file: good.lua } } }\n"
                        "  - home: public.b\n    conflict: { rule: { rule: script, file: other.lua } }\n"
                        "  - home: public.*\n    conflict:\n      rule: script\n      file: ${RULES}.lua\n      update_vs_delete: update_wins\n"
                        "  - home: public.d\n    conflict: { rule: home, groups: [[s, t]], columns: { s: { script: good.lua }, t: { script: good.lua } } }\n");
  EXPECT_TRUE(found_.empty()) << all();
  ASSERT_EQ(c.tables.size(), 4u);
  const auto file = [&](std::uint16_t i) { return c.scripts.at(i).file + " " + std::to_string(c.scripts.at(i).at.line); };
  EXPECT_EQ(c.tables[0].conflict.rule, conflict_rule::script);
  EXPECT_EQ(file(c.tables[0].conflict.script), "good.lua 6");
  EXPECT_THAT(c.tables[0].conflict.columns, testing::ElementsAre(testing::Pair("s", conflict_rule::script), testing::Pair("t", conflict_rule::home),
                                                                 testing::Pair("u", conflict_rule::script)));
  ASSERT_EQ(c.tables[0].conflict.column_scripts.size(), 2u);
  EXPECT_EQ(c.tables[0].conflict.column_scripts[0].first, "s");
  EXPECT_EQ(file(c.tables[0].conflict.column_scripts[0].second), "other.lua 6");
  EXPECT_EQ(file(c.tables[0].conflict.column_scripts[1].second), "good.lua 6");
  EXPECT_EQ(file(c.tables[1].conflict.script), "other.lua 8");
  EXPECT_EQ(file(c.tables[2].conflict.script), "good.lua 12");
  EXPECT_EQ(c.tables[2].conflict.update_vs_delete, delete_rule::update_wins);
  EXPECT_EQ(c.scripts[0].text, "function resolve(c) return 'home' end\n");
}

TEST_F(config_reader, takes_latest_by_for_a_rule_that_is_the_default_a_columns_or_not_known_yet) {
  for (const char* rules : {"conflicts: {default: latest}\ntables: [{home: public.a, conflict: {latest_by: t}}]\n",
                            "tables: [{home: public.a, conflict: {rule: home, latest_by: t, columns: {a: latest}}}]\n",
                            "tables: [{home: public.a, conflict: {latest_by: t}}]\n"}) {
    EXPECT_EQ(read(std::string(good_ends) + rules).tables.at(0).conflict.latest_by, "t");
    EXPECT_TRUE(found_.empty()) << rules << all();
  }
  read(std::string(good_ends) + "conflicts: {default: home}\ntables: [{home: public.a, conflict: {latest_by: t}}]\n");
  ASSERT_EQ(found_.size(), 1u) << all();
  EXPECT_EQ(found_[0].code, "latest_by_unused");
}

TEST_F(config_reader, gives_a_schema_only_rules_that_name_no_column) {
  const std::string start = std::string(good_ends) + "tables:\n  - home: public.*\n    conflict:\n      rule: latest\n      ";
  for (const char* one : {"latest_by: t", "groups: [[a, b]]", "columns: {a: home}"}) {
    read(start + one + "\n");
    ASSERT_EQ(found_.size(), 1u) << one << all();
    EXPECT_EQ(found_[0].code, "wrong_type") << one;
    EXPECT_THAT(found_[0].where, HasSubstr(":8")) << one;
    EXPECT_THAT(found_[0].remedy, HasSubstr("a rule of its own")) << one;
  }
  EXPECT_EQ(read(start + "merge: row\n      update_vs_delete: update_wins\n").tables.size(), 1u);
  EXPECT_TRUE(found_.empty()) << all();
}

TEST_F(config_reader, keeps_groups_and_deltas_of_one_table_apart) {
  const config c = read(std::string(good_ends) + "tables:\n  - home: public.a\n    conflict: {rule: home, merge: row, columns: {n: delta}}\n"
                                                 "  - home: public.b\n    conflict: {rule: home, groups: [[a, b]], columns: {a: spoke, b: spoke, n: delta}}\n");
  EXPECT_TRUE(found_.empty()) << all();
  EXPECT_EQ(c.tables.size(), 2u);
}

// Each of these is the body of `home:` from line 3 on.
const broken broken_homes[] = {
    {"  url: postgresql://duet@h/shop\n  pasword: x\n", "unknown_key", 4, "`password`"},
    {"  password: ${HOME_PASSWORD}\n", "missing_key", 3, "home.url"},
    {"  url: duet@h/shop\n", "bad_url", 3, "scheme"},
    {"  url: oracle://duet@h/shop\n", "bad_url", 3, "scheme"},
    {"  url: mysql://duet@h/shop\n", "bad_url", 3, "PostgreSQL side"},
    {"  url: postgresql://h/shop\n", "bad_url", 3, "no user"},
    {"  url: postgresql://duet@/shop\n", "bad_url", 3, "no host"},
    {"  url: postgresql://duet@h\n", "bad_url", 3, "no database"},
    {"  url: postgresql://duet@h/\n", "bad_url", 3, "no database"},
    {"  url: postgresql://duet@h/a/b\n", "bad_url", 3, "more than"},
    {"  url: postgresql://duet@h:0/shop\n", "bad_url", 3, "port"},
    {"  url: postgresql://duet@h:65536/shop\n", "bad_url", 3, "port"},
    {"  url: postgresql://duet@h:pg/shop\n", "bad_url", 3, "port"},
    {"  url: postgresql://duet@h:/shop\n", "bad_url", 3, "port"},
    {"  url: postgresql://duet@::1/shop\n", "bad_url", 3, "brackets"},
    {"  url: 'postgresql://duet@[::1/shop'\n", "bad_url", 3, "closed"},
    {"  url: postgresql://du%zzet@h/shop\n", "bad_url", 3, "hex"},
    {"  url: postgresql://du%00et@h/shop\n", "bad_url", 3},
    {"  url: postgresql://du@et@h/shop\n", "bad_url", 3, "%40"},
    {"  url: postgresql://duet@h/shop?sslmode=require\n", "bad_url", 3, "parameter"},
    {"  url: postgresql://duet@/shop?host=tmp\n", "bad_url", 3, "absolute"},
    {"  url: postgresql://duet@${NO_SUCH}/shop\n", "variable_unset", 3, "NO_SUCH"},
    {"  url: postgresql://duet@${bad-name}/shop\n", "bad_variable", 3},
    {"  url: ${NO_URL}\n", "variable_unset", 3, "NO_URL"},
    {"  url: [a]\n", "wrong_type", 3},
    {"  url:\n", "wrong_type", 3},
    {"  url: postgresql://duet@h/shop\n  password: ${NOT_SET}\n", "variable_unset", 4, "NOT_SET"},
    {"  url: postgresql://duet@h/shop\n  password: ab${HOME_PASSWORD\n", "bad_variable", 4},
    {"  url: postgresql://duet@h/shop\n  password: [x]\n", "wrong_type", 4},
    {"  url: postgresql://duet@h/shop\n  password: ${HOME_PASSWORD}\n  password_file: secret\n", "password_twice", 5},
    {"  url: postgresql://duet:${HOME_PASSWORD}@h/shop\n  password_file: secret\n", "password_twice", 4},
    {"  url: postgresql://duet@h/shop\n  password_file: no_such_file\n", "password_file_unreadable", 4},
    {"  url: postgresql://duet@h/shop\n  password_file: /\n", "password_file_unreadable", 4},
    {"  url: postgresql://duet@h/shop\n  tls: require\n", "wrong_type", 4},
    {"  url: postgresql://duet@h/shop\n  tls: {mode: on}\n", "bad_tls_mode", 4, "verify-ca"},
    {"  url: postgresql://duet@h/shop\n  tls: {mode: verify-ca}\n", "tls_ca_missing", 4},
    {"  url: postgresql://duet@h/shop\n  tls: {mode: verify-full}\n", "tls_ca_missing", 4},
    {"  url: postgresql://duet@h/shop\n  tls: {mode: verify-full, ca: nothing.pem}\n", "tls_ca_unreadable", 4},
    {"  url: postgresql://duet@h/shop\n  tls: {ca: ca.pem}\n", "missing_key", 4, "tls.mode"},
};

TEST_F(config_reader, names_the_line_and_the_code_of_each_mistake_in_an_endpoint) {
  for (const auto& b : broken_homes) {
    read(with_home(b.yaml));
    ASSERT_EQ(found_.size(), 1u) << b.yaml << all();
    EXPECT_EQ(found_[0].code, b.code) << b.yaml << all();
    EXPECT_EQ(found_[0].is, finding::level::refuse) << b.yaml;
    EXPECT_EQ(found_[0].where, (folder_ / "duet.yaml").string() + ":" + std::to_string(b.line)) << b.yaml << all();
    EXPECT_THAT(found_[0].text + " " + found_[0].remedy, HasSubstr(b.remedy_or_text)) << b.yaml;
  }
}

TEST_F(config_reader, refuses_a_link_name_that_cannot_name_a_slot) {
  const std::string rest = "\nhome: {url: 'postgresql://d@h/s'}\nspoke: {url: 'mysql://d@h/s'}\ntables: [{home: public.a}]\n";
  for (const char* bad : {"Shop", "my-shop", "a b", "äpfel", "123456789012345678901234567890123"}) {
    read("link: " + std::string(bad) + rest);
    ASSERT_EQ(found_.size(), 1u) << bad << all();
    EXPECT_EQ(found_[0].code, "bad_link") << bad;
  }
  for (const char* good : {"shop", "a", "0", "shop_2", "12345678901234567890123456789012"}) {
    EXPECT_EQ(read("link: " + std::string(good) + rest).link, good);
    EXPECT_TRUE(found_.empty()) << good << all();
  }
}

TEST_F(config_reader, lists_all_problems_at_once) {
  read("link: BAD\nhom: x\nspoke: {url: 'mysql://h/s'}\ntables:\n  - home: a\n  - home: public.b\n    direction: no\n");
  std::vector<std::string> codes;
  for (const auto& f : found_) codes.push_back(f.code);
  EXPECT_THAT(codes, testing::UnorderedElementsAre("unknown_key", "bad_link", "missing_key", "bad_url", "bad_table_name", "bad_direction")) << all();
}

TEST_F(config_reader, says_so_when_the_file_is_empty_a_list_or_absent) {
  read("");
  ASSERT_EQ(found_.size(), 1u);
  EXPECT_EQ(found_[0].code, "empty_file");
  read("- a\n");
  ASSERT_EQ(found_.size(), 1u);
  EXPECT_EQ(found_[0].code, "wrong_type");
  found_.clear();
  load_config((folder_ / "no.yaml").string(), found_);
  ASSERT_EQ(found_.size(), 1u);
  EXPECT_EQ(found_[0].code, "file_unreadable");
  found_.clear();
  load_config(folder_.string(), found_);
  ASSERT_EQ(found_.size(), 1u);
  EXPECT_EQ(found_[0].code, "file_unreadable");
}

TEST_F(config_reader, reads_a_file_from_disk_with_paths_beside_it) {
  write("duet.yaml", with_home("  url: postgresql://duet@h/shop\n  password_file: secret\n"));
  found_.clear();
  const config c = load_config((folder_ / "duet.yaml").string(), found_);
  EXPECT_TRUE(found_.empty()) << all();
  EXPECT_EQ(c.home.password, "top secret");
  EXPECT_EQ(c.file, (folder_ / "duet.yaml").string());
}

TEST_F(config_reader, takes_passwords_from_variables_anywhere_in_the_value) {
  EXPECT_EQ(read(with_home("  url: postgresql://duet@h/shop\n  password: a${HOME_PASSWORD}$b${EMPTY}\n")).home.password, "ap@ss:/word$b");
  EXPECT_TRUE(found_.empty()) << all();
  EXPECT_EQ(read(with_home("  url: postgresql://duet:${HOME_PASSWORD}@${DB_HOST}/shop\n")).home.password, "p@ss:/word");
  EXPECT_TRUE(found_.empty()) << all();
  variables_["URL"] = "postgresql://u:p%40q@h2:99/d";
  const config c = read(with_home("  url: ${URL}\n"));
  EXPECT_TRUE(found_.empty()) << all();
  EXPECT_EQ(c.home.password, "p@q");
  EXPECT_EQ(c.home.describe(), "u@h2:99/d");
}

TEST_F(config_reader, warns_of_a_password_in_clear_without_repeating_it) {
  EXPECT_EQ(read(with_home("  url: postgresql://duet@h/shop\n  password: geheim1\n")).home.password, "geheim1");
  ASSERT_EQ(found_.size(), 1u);
  EXPECT_EQ(found_[0].code, "password_in_clear");
  EXPECT_EQ(found_[0].is, finding::level::warn);
  EXPECT_FALSE(refused(found_));
  EXPECT_THAT(all(), Not(HasSubstr("geheim1")));
  EXPECT_EQ(read(with_home("  url: postgresql://duet:geheim2@h/shop\n")).home.password, "geheim2");
  ASSERT_EQ(found_.size(), 1u);
  EXPECT_EQ(found_[0].code, "password_in_clear");
  EXPECT_THAT(all(), Not(HasSubstr("geheim2")));
}

TEST_F(config_reader, never_repeats_a_secret_in_a_finding) {
  variables_["S"] = "geheim3";
  for (const char* home : {"  url: postgresql://duet:geheim3@h:bad/shop\n", "  url: postgresql://duet:geheim3@h/shop?x=geheim3\n",
                           "  url: xx://duet:geheim3@h/shop\n", "  url: postgresql://duet:${S}@h:99999/shop\n",
                           "  url: postgresql://duet@h/shop\n  password: geheim3${\n"}) {
    read(with_home(home));
    EXPECT_FALSE(found_.empty()) << home;
    EXPECT_THAT(all(), Not(HasSubstr("geheim3"))) << home;
  }
}

TEST_F(config_reader, cuts_one_newline_off_a_password_file) {
  const std::string home = "  url: postgresql://duet@h/shop\n  password_file: secret\n";
  const std::pair<const char*, const char*> cases[] = {{"a b ", "a b "}, {"a\n", "a"}, {"a\r\n", "a"}, {"a\n\n", "a\n"}};
  for (const auto& [bytes, password] : cases) {
    write("secret", bytes);
    EXPECT_EQ(read(with_home(home)).home.password, password);
    EXPECT_TRUE(found_.empty()) << all();
  }
  write("secret", "\n");
  read(with_home(home));
  ASSERT_EQ(found_.size(), 1u);
  EXPECT_EQ(found_[0].code, "password_file_empty");
  write("secret", std::string(70000, 'x'));
  read(with_home(home));
  EXPECT_TRUE(refused(found_));
}

TEST_F(config_reader, reads_urls_of_sockets_and_ipv6) {
  config c = read(with_home("  url: postgresql://duet@/shop?host=/var/run/postgresql&port=5433\n"));
  EXPECT_TRUE(found_.empty()) << all();
  EXPECT_EQ(c.home.host, "/var/run/postgresql");
  EXPECT_EQ(c.home.port, 5433);
  EXPECT_EQ(c.home.describe(), "duet@/var/run/postgresql:5433/shop");
  c = read(with_home("  url: postgresql://duet@%2Ftmp%2Fpg:5434/shop\n"));
  EXPECT_TRUE(found_.empty()) << all();
  EXPECT_EQ(c.home.host, "/tmp/pg");
  EXPECT_EQ(c.home.port, 5434);
  c = read(with_home("  url: 'postgresql://duet@[::1]:5432/shop'\n"));
  EXPECT_TRUE(found_.empty()) << all();
  EXPECT_EQ(c.home.host, "::1");
  EXPECT_EQ(c.home.describe(), "duet@[::1]:5432/shop");
  c = read(with_home("  url: postgres://du%40et@h/my%20shop\n"));
  EXPECT_TRUE(found_.empty()) << all();
  EXPECT_EQ(c.home.user, "du@et");
  EXPECT_EQ(c.home.database, "my shop");
  c = read("link: s\nhome: {url: 'postgresql://d@h/s'}\nspoke: {url: 'mariadb://d@/s?socket=%2Frun%2Fmy.sock'}\ntables: [{home: public.a}]\n");
  EXPECT_TRUE(found_.empty()) << all();
  EXPECT_EQ(c.spoke.scheme, "mysql");
  EXPECT_EQ(c.spoke.host, "/run/my.sock");
  EXPECT_EQ(c.spoke.describe(), "d@/run/my.sock/s");
}

TEST_F(config_reader, describes_an_endpoint_without_its_password) {
  endpoint e;
  e.scheme = "mysql";
  e.user = "duet";
  e.host = "db";
  e.database = "shop";
  e.password = "geheim";
  EXPECT_EQ(e.describe(), "duet@db:3306/shop");
  e.scheme = "postgresql";
  EXPECT_EQ(e.describe(), "duet@db:5432/shop");
}

TEST_F(config_reader, survives_any_cut_of_a_good_file) {
  const std::string text = whole_file;
  for (std::size_t n = 0; n < text.size(); ++n) {
    read(text.substr(0, n));
    for (const auto& f : found_) EXPECT_FALSE(f.code.empty() || f.where.empty());
  }
}

TEST_F(config_reader, survives_aliases_that_lead_in_a_circle) {
  read(std::string(good_ends) + "tables: &a\n  - home: public.x\n    columns: {a: *a}\n");
  EXPECT_TRUE(refused(found_));
  read(std::string(good_ends) + "tables:\n  - home: public.x\nbase: &b [*b, *b]\n");
  EXPECT_TRUE(refused(found_));
  read(std::string(1000000, '['));
  EXPECT_TRUE(refused(found_));
}

TEST(refused, asks_for_one_finding_that_refuses) {
  findings f;
  EXPECT_FALSE(refused(f));
  f.push_back({finding::level::warn, "a", "", "", ""});
  EXPECT_FALSE(refused(f));
  f.push_back({finding::level::refuse, "b", "", "", ""});
  EXPECT_TRUE(refused(f));
}

}  // namespace
}  // namespace duet
