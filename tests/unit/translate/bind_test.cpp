// The configured tables against two catalogs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "translate/translate.hpp"
#include "types.hpp"

namespace duet::translate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class binding : public testing::Test {
 protected:
  binding() {
    config_.file = "duet.yaml";
    config_.spoke.database = "shop";
    config_.default_conflict_rule = conflict_rule::home;
  }

  table_rule& rule(std::string home, std::string spoke = "") {
    table_rule r;
    r.home = std::move(home);
    r.spoke = std::move(spoke);
    r.at.line = 10 + static_cast<int>(config_.tables.size());
    config_.tables.push_back(r);
    return config_.tables.back();
  }

  mapping bind() {
    found_.clear();
    return translate::bind(config_, home_, spoke_, found_);
  }

  // The codes of the findings that are not ok.
  std::vector<std::string> codes() const {
    std::vector<std::string> out;
    for (const auto& f : found_)
      if (f.is != finding::level::ok) out.push_back(f.code);
    return out;
  }
  const finding& only(const std::string& code) const {
    const finding* at = nullptr;
    for (const auto& f : found_)
      if (f.code == code) at = &f;
    EXPECT_NE(at, nullptr) << code << "\n" << all();
    static const finding none;
    return at ? *at : none;
  }
  std::string all() const {
    std::string out;
    for (const auto& f : found_) out += f.where + " " + f.code + ": " + f.text + " -> " + f.remedy + "\n";
    return out;
  }

  static table_maker customer(const std::string& schema) {
    const bool home = schema == "public";
    return table_maker(schema, "customer")
        .column("id", integer_type(64), false)
        .column(home ? "full_name" : "name", text_type(home ? -1 : 200, false, home ? "" : "utf8mb4"))
        .column("email", text_type(100, false, home ? "" : "utf8mb4"))
        .key({0});
  }

  config config_;
  std::vector<table_schema> home_, spoke_;
  findings found_;
};

TEST_F(binding, pairs_columns_by_rename_and_by_name) {
  home_ = {customer("public")};
  spoke_ = {customer("shop")};
  spoke_[0].columns[2].name = "EMail";
  rule("public.customer").columns = {{"full_name", "name"}};
  const mapping m = bind();
  EXPECT_THAT(codes(), IsEmpty()) << all();
  ASSERT_EQ(m.tables.size(), 1u);
  const table_pair& t = m.tables[0];
  EXPECT_EQ(t.id, 0);
  ASSERT_EQ(t.columns.size(), 3u);
  EXPECT_EQ(t.columns[1].home.name, "full_name");
  EXPECT_EQ(t.columns[1].spoke.name, "name");
  EXPECT_EQ(t.columns[2].spoke.name, "EMail");
  EXPECT_THAT(t.key, ElementsAre(0));
  EXPECT_TRUE(t.columns[0].key);
  EXPECT_FALSE(t.columns[1].key);
  EXPECT_EQ(only("table_paired").where, "duet.yaml:10");
  EXPECT_THAT(only("held_values").text, HasSubstr("more than 200 characters"));
}

TEST_F(binding, of_a_rule_with_a_refused_part_tells_what_does_not_hang_on_it) {
  const auto keyless = [](const char* schema, const char* name) { return table_maker(schema, name).column("id", integer_type(64)).column("x", integer_type(32)); };
  home_ = {customer("public"), keyless("public", "visit"), table_maker("public", "child").column("id", integer_type(64), false).key({0}).refers_to("public", "visit")};
  spoke_ = {keyless("shop", "visit"), table_maker("shop", "child").column("id", integer_type(64), false).key({0})};
  config_.default_conflict_rule = conflict_rule::none;
  auto& visit = rule("public.visit");
  visit.flawed = visit.columns_flawed = true;
  visit.columns = {{"nowhere", "x"}};
  auto& child = rule("public.child");
  child.flawed = true;  // its conflict rule, perhaps
  auto& moved = rule("public.customer", "client");
  moved.flawed = moved.spoke_flawed = true;
  auto& gone = rule("public.gone", "x");
  gone.flawed = gone.spoke_flawed = true;
  EXPECT_EQ(bind().tables.size(), 1u) << all();
  EXPECT_THAT(codes(), ElementsAre("column_missing", "no_primary_key", "no_primary_key", "table_missing")) << all();
  EXPECT_EQ(only("table_missing").where, "duet.yaml:13");

  config_.tables.clear();
  config_.conflicts_flawed = true;
  rule("public.child");
  EXPECT_EQ(bind().tables.size(), 1u) << all();
  EXPECT_THAT(codes(), ElementsAre("parent_not_synced"));
  rule("public.visit");
  bind();
  EXPECT_THAT(codes(), ElementsAre("no_primary_key", "no_primary_key")) << "the child's parent will be synced once it has a key";
  config_.tables.clear();
  auto& turned = rule("public.child");
  turned.flawed = turned.direction_flawed = true;
  EXPECT_THAT(bind().tables, IsEmpty()) << "what the servers are asked about a table depends on its direction";
  EXPECT_THAT(codes(), IsEmpty());
}

TEST_F(binding, finds_the_column_that_takes_the_time_of_a_delete_on_the_side_that_keeps_the_row) {
  const auto archived = [](const std::string& schema, const char* gone, value_kind kind) {
    return customer(schema).column(gone, of_kind(kind, "x")).column("seen", text_type(9));
  };
  home_ = {archived("public", "gone", value_kind::timestamp)};
  spoke_ = {archived("shop", "Deleted_At", value_kind::datetime)};
  auto& r = rule("public.customer");
  r.columns = {{"full_name", "name"}};
  r.held_limit = 3;
  r.deletes[0] = {delete_action::archive, "deleted_at", {40}};
  r.deletes[1] = {delete_action::archive, "gone", {41}};
  const mapping m = bind();
  ASSERT_EQ(m.tables.size(), 1u) << all();
  EXPECT_EQ(m.tables[0].deletes_of(side::home).archived_at, "Deleted_At");
  EXPECT_TRUE(m.tables[0].deletes_of(side::home).cleared);
  EXPECT_EQ(m.tables[0].deletes_of(side::spoke).archived_at, "gone");
  EXPECT_EQ(m.tables[0].held_limit, 3u);
  for (const char* wrong : {"nowhere", "seen", "id"}) {
    config_.tables[0].deletes[0].archived_at = wrong;
    EXPECT_TRUE(bind().tables.empty()) << wrong;
    EXPECT_EQ(only("archive_column").where, "duet.yaml:40");
    EXPECT_FALSE(only("archive_column").remedy.empty());
  }
}

TEST_F(binding, warns_of_children_that_stay_while_their_parents_go) {
  for (auto* tables : {&home_, &spoke_}) {
    const std::string schema = tables == &home_ ? "public" : "shop";
    table_schema child = table_maker(schema, "child").column("id", integer_type(32), false).column("parent", integer_type(32)).key({0});
    child.foreign_keys.push_back({"child_parent", {1}, schema, "parent", "RESTRICT", "RESTRICT"});
    *tables = {table_maker(schema, "parent").column("id", integer_type(32), false).key({0}), child};
  }
  rule("public.parent");
  rule("public.child").deletes[0].does = delete_action::ignore;
  bind();
  EXPECT_THAT(codes(), ElementsAre("children_stay")) << all();
  config_.tables[0].deletes[0].does = delete_action::ignore;
  bind();
  EXPECT_THAT(codes(), IsEmpty()) << all();
}

TEST_F(binding, takes_all_tables_that_exist_on_both_sides) {
  home_ = {table_maker("public", "a").column("id", integer_type(32)).key({0}), table_maker("public", "b").column("id", integer_type(32)).key({0}),
           table_maker("public", "only_here").column("id", integer_type(32)).key({0}), table_maker("other", "c").column("id", integer_type(32)).key({0}),
           table_maker("public", "d").column("id", integer_type(32)).key({0})};
  spoke_ = {table_maker("shop", "A").column("id", integer_type(32)).key({0}), table_maker("shop", "b2").column("id", integer_type(32)).key({0}),
            table_maker("shop", "c").column("id", integer_type(32)).key({0}), table_maker("shop", "d").column("id", integer_type(32)).key({0})};
  rule("public.*");
  rule("public.b", "b2");
  const mapping m = bind();
  EXPECT_THAT(codes(), IsEmpty()) << all();
  ASSERT_EQ(m.tables.size(), 3u);
  EXPECT_EQ(m.tables[0].home.name, "a");
  EXPECT_EQ(m.tables[0].spoke.name, "A");
  EXPECT_EQ(m.tables[1].home.name, "d");
  EXPECT_EQ(m.tables[2].home.name, "b");
  EXPECT_EQ(m.tables[2].spoke.name, "b2");
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(m.tables[i].id, i);
  EXPECT_THAT(all(), HasSubstr("only at home, so not synced: only_here"));
  EXPECT_THAT(all(), HasSubstr("only at the spoke, so not synced: c"));
}

TEST_F(binding, takes_a_wildcard_into_a_named_database) {
  home_ = {table_maker("sales", "a").column("id", integer_type(32)).key({0})};
  spoke_ = {table_maker("shop", "a").column("id", integer_type(32)).key({0}), table_maker("store", "a").column("id", integer_type(32)).key({0})};
  rule("sales.*", "store.*");
  const mapping m = bind();
  ASSERT_EQ(m.tables.size(), 1u) << all();
  EXPECT_EQ(m.tables[0].spoke.schema, "store");
}

TEST_F(binding, refuses_a_wildcard_that_matches_nothing) {
  home_ = {table_maker("public", "a").column("id", integer_type(32)).key({0})};
  spoke_ = {table_maker("shop", "b").column("id", integer_type(32)).key({0})};
  rule("public.*");
  EXPECT_TRUE(bind().tables.empty());
  EXPECT_THAT(codes(), ElementsAre("table_missing"));
}

TEST_F(binding, leaves_the_bookkeeping_alone) {
  home_ = {table_maker("duet", "control").column("id", integer_type(32)).key({0})};
  spoke_ = {table_maker("duet", "control").column("id", integer_type(32)).key({0})};
  rule("duet.*", "duet.*");
  rule("duet.control", "duet.control");
  EXPECT_TRUE(bind().tables.empty());
  EXPECT_THAT(codes(), ElementsAre("bookkeeping_table", "bookkeeping_table"));
}

TEST_F(binding, refuses_missing_tables_with_a_hint) {
  home_ = {table_maker("public", "Customer").column("id", integer_type(32)).key({0})};
  spoke_ = {};
  rule("public.customer");
  EXPECT_TRUE(bind().tables.empty());
  EXPECT_THAT(codes(), ElementsAre("table_missing", "table_missing"));
  EXPECT_THAT(all(), HasSubstr("did you mean public.Customer?"));
  EXPECT_THAT(all(), HasSubstr("duet.yaml:10"));
}

TEST_F(binding, refuses_a_table_that_is_mapped_twice) {
  home_ = {table_maker("public", "a").column("id", integer_type(32)).key({0}), table_maker("public", "b").column("id", integer_type(32)).key({0})};
  spoke_ = {table_maker("shop", "x").column("id", integer_type(32)).key({0}), table_maker("shop", "y").column("id", integer_type(32)).key({0})};
  rule("public.a", "x");
  rule("public.b", "shop.X");
  rule("public.a", "y");
  EXPECT_EQ(bind().tables.size(), 1u);
  EXPECT_THAT(codes(), ElementsAre("duplicate_table", "duplicate_table"));
  EXPECT_THAT(all(), HasSubstr("duet.yaml:11"));
  EXPECT_THAT(all(), HasSubstr("duet.yaml:12"));
}

TEST_F(binding, refuses_unknown_columns_with_the_line_of_their_list) {
  home_ = {customer("public")};
  spoke_ = {customer("shop")};
  auto& r = rule("public.customer");
  r.columns = {{"Full_name", "name"}, {"email", "mail"}};
  r.columns_at.line = 21;
  r.exclude = {"nothing"};
  r.exclude_at.line = 22;
  EXPECT_TRUE(bind().tables.empty());
  EXPECT_THAT(codes(), testing::IsSupersetOf({"column_missing", "column_missing", "column_missing"}));
  EXPECT_THAT(all(), HasSubstr("duet.yaml:21 column_missing: public.customer: columns names `Full_name`"));
  EXPECT_THAT(all(), HasSubstr("did you mean `full_name`?"));
  EXPECT_THAT(all(), HasSubstr("duet.yaml:22 column_missing: public.customer: exclude names `nothing`"));
}

TEST_F(binding, excludes_columns_of_either_side) {
  home_ = {customer("public").column("memo", text_type()).column("note", text_type())};
  spoke_ = {customer("shop").column("memo", integer_type(32)).column("spoke_only", text_type(5), false)};
  auto& r = rule("public.customer");
  r.columns = {{"full_name", "name"}};
  r.exclude = {"memo", "note", "spoke_only"};
  const mapping m = bind();
  EXPECT_THAT(codes(), IsEmpty()) << all();
  ASSERT_EQ(m.tables.size(), 1u);
  EXPECT_EQ(m.tables[0].columns.size(), 3u);
}

TEST_F(binding, lets_a_renamed_column_take_the_name_of_an_excluded_one) {
  home_ = {table_maker("public", "t").column("id", integer_type(32)).column("a", text_type()).column("b", text_type()).key({0})};
  spoke_ = {table_maker("shop", "t").column("id", integer_type(32)).column("a", text_type(-1, false, "utf8mb4", "longtext")).key({0})};
  auto& r = rule("public.t");
  r.columns = {{"b", "a"}};
  r.exclude = {"a"};
  const mapping m = bind();
  EXPECT_THAT(codes(), IsEmpty()) << all();
  ASSERT_EQ(m.tables.size(), 1u);
  ASSERT_EQ(m.tables[0].columns.size(), 2u);
  EXPECT_EQ(m.tables[0].columns[1].home.name, "b");
  EXPECT_EQ(m.tables[0].columns[1].spoke.name, "a");
}

TEST_F(binding, refuses_two_columns_into_one_and_a_rename_of_an_excluded_one) {
  home_ = {customer("public")};
  spoke_ = {customer("shop")};
  auto& r = rule("public.customer");
  r.columns = {{"full_name", "name"}, {"email", "NAME"}};
  EXPECT_TRUE(bind().tables.empty());
  EXPECT_THAT(codes(), testing::Contains("duplicate_column"));
  config_.tables[0].columns = {{"full_name", "name"}};
  config_.tables[0].exclude = {"full_name"};
  EXPECT_TRUE(bind().tables.empty());
  EXPECT_THAT(codes(), testing::Contains("duplicate_column"));
}

TEST_F(binding, warns_of_columns_that_one_side_lacks) {
  home_ = {customer("public").column("extra", text_type(), false)};
  spoke_ = {customer("shop").column("more", text_type(5))};
  rule("public.customer").columns = {{"full_name", "name"}};
  const mapping m = bind();
  EXPECT_THAT(codes(), ElementsAre("only_one_side", "only_one_side"));
  EXPECT_FALSE(refused(found_));
  EXPECT_EQ(m.tables.size(), 1u);
  EXPECT_THAT(all(), HasSubstr("`extra` exists at home only and is not synced; it is NOT NULL"));
  EXPECT_THAT(all(), HasSubstr("`more` exists at the spoke only and is not synced ->"));
}

TEST_F(binding, leaves_generated_columns_out) {
  home_ = {customer("public").column("both", text_type(), true, true).column("here", text_type(), true, true).column("there", text_type())};
  spoke_ = {customer("shop").column("both", text_type(9), true, true).column("here", text_type(9)).column("there", text_type(9), true, true)};
  rule("public.customer").columns = {{"full_name", "name"}};
  const mapping m = bind();
  EXPECT_THAT(codes(), ElementsAre("generated_one_side", "generated_one_side")) << all();
  ASSERT_EQ(m.tables.size(), 1u);
  EXPECT_EQ(m.tables[0].columns.size(), 3u);
}

TEST_F(binding, refuses_types_that_do_not_go_together) {
  home_ = {customer("public").column("x", integer_type(32)).column("p", of_kind(value_kind::other, "point"))};
  spoke_ = {customer("shop").column("x", text_type(9)).column("p", of_kind(value_kind::other, "geometry"))};
  rule("public.customer").columns = {{"full_name", "name"}};
  EXPECT_TRUE(bind().tables.empty());
  EXPECT_THAT(codes(), ElementsAre("type_pair", "type_pair"));
  EXPECT_THAT(all(), HasSubstr("public.customer.x is int32 and its partner shop.customer.x is varchar(9)"));
  EXPECT_THAT(all(), HasSubstr("exclude: [x]"));
}

TEST_F(binding, refuses_a_table_without_primary_key) {
  home_ = {customer("public").key({})};
  spoke_ = {customer("shop").key({})};
  rule("public.*");
  EXPECT_TRUE(bind().tables.empty());
  EXPECT_THAT(codes(), testing::IsSupersetOf({"no_primary_key", "no_primary_key"}));
  EXPECT_THAT(only("no_primary_key").remedy, HasSubstr("ADD PRIMARY KEY"));
  EXPECT_THAT(only("no_primary_key").remedy, HasSubstr("instead of public.*"));
}

TEST_F(binding, refuses_keys_of_different_columns) {
  home_ = {customer("public")};
  spoke_ = {customer("shop").key({0, 2})};
  rule("public.customer").columns = {{"full_name", "name"}};
  EXPECT_TRUE(bind().tables.empty());
  EXPECT_THAT(codes(), ElementsAre("key_mismatch"));
  EXPECT_THAT(only("key_mismatch").text, HasSubstr("(id) at home, (id, email) at the spoke"));
}

TEST_F(binding, takes_a_key_in_homes_order) {
  home_ = {customer("public").key({2, 0})};
  spoke_ = {customer("shop").key({0, 2})};
  rule("public.customer").columns = {{"full_name", "name"}};
  const mapping m = bind();
  ASSERT_EQ(m.tables.size(), 1u) << all();
  EXPECT_THAT(m.tables[0].key, ElementsAre(2, 0));
}

TEST_F(binding, refuses_an_excluded_or_unpaired_key) {
  home_ = {customer("public")};
  spoke_ = {customer("shop")};
  auto& r = rule("public.customer");
  r.columns = {{"full_name", "name"}};
  r.exclude = {"id"};
  r.exclude_at.line = 30;
  EXPECT_TRUE(bind().tables.empty());
  EXPECT_THAT(codes(), ElementsAre("key_excluded", "key_excluded"));
  EXPECT_EQ(only("key_excluded").where, "duet.yaml:30");
  config_.tables[0].exclude.clear();
  spoke_[0].columns[0].name = "customer_id";
  EXPECT_TRUE(bind().tables.empty());
  EXPECT_THAT(codes(), testing::Contains("key_mismatch"));
}

TEST_F(binding, refuses_key_types_that_do_not_stay_equal) {
  const auto with = [&](column_type h, column_type s) {
    home_ = {table_maker("public", "t").column("k", h, false).key({0})};
    spoke_ = {table_maker("shop", "t").column("k", s, false).key({0})};
    config_.tables.clear();
    rule("public.t");
    bind();
    return codes();
  };
  EXPECT_THAT(with(real_type(64), real_type(64)), ElementsAre("key_type"));
  EXPECT_THAT(with(fraction_type(value_kind::datetime, 6), fraction_type(value_kind::datetime, 3)), ElementsAre("declared_loss", "key_type"));
  EXPECT_THAT(with(fraction_type(value_kind::datetime, 6), fraction_type(value_kind::datetime, 6)), IsEmpty());
  EXPECT_THAT(with(of_kind(value_kind::uuid, "uuid"), bytes_type(16, true)), IsEmpty());
  EXPECT_THAT(with(decimal_type(-1, -1), decimal_type(10, 2)), IsEmpty());
}

TEST_F(binding, says_where_two_sides_disagree_on_equality) {
  const column_type home = collated(text_type(20), "default", false);
  const column_type loose = collated(text_type(20, false, "utf8mb4"), "utf8mb4_0900_ai_ci");
  home_ = {table_maker("public", "t").column("k", home, false).column("u", home).key({0}).unique("u_key", {1})};
  spoke_ = {table_maker("shop", "t").column("k", loose, false).column("u", loose).key({0})};
  rule("public.t");
  EXPECT_EQ(bind().tables.size(), 1u);
  EXPECT_THAT(codes(), ElementsAre("key_equality", "unique_equality"));
  EXPECT_THAT(only("key_equality").remedy, HasSubstr("ALTER TABLE shop.t MODIFY k varchar(20) COLLATE utf8mb4_bin NOT NULL"));
  for (const char* exact : {"utf8mb4_bin", "utf8mb4_0900_as_cs"}) {
    for (auto& c : spoke_[0].columns) c.type.collation = exact;
    bind();
    EXPECT_THAT(codes(), IsEmpty()) << all();
  }
}

TEST_F(binding, warns_of_losses_assumptions_and_nulls) {
  home_ = {table_maker("public", "t")
               .column("id", integer_type(32), false)
               .column("a", fraction_type(value_kind::timestamp, 6))
               .column("b", fraction_type(value_kind::timestamp, 6))
               .column("n", integer_type(32))
               .column("j", of_kind(value_kind::json, "jsonb"))
               .key({0})};
  spoke_ = {table_maker("shop", "t")
                .column("id", integer_type(32), false)
                .column("a", fraction_type(value_kind::timestamp, 0))
                .column("b", fraction_type(value_kind::datetime, 6))
                .column("n", integer_type(32), false)
                .column("j", of_kind(value_kind::json, "json"))
                .key({0})};
  rule("public.t");
  const mapping m = bind();
  ASSERT_EQ(m.tables.size(), 1u) << all();
  EXPECT_THAT(codes(), ElementsAre("declared_loss", "utc_assumed", "null_one_side", "declared_loss"));
  EXPECT_FALSE(m.tables[0].columns[1].guarded);
  EXPECT_FALSE(m.tables[0].columns[1].loss.empty());
  EXPECT_TRUE(m.tables[0].columns[2].guarded);
  EXPECT_FALSE(m.tables[0].columns[4].guarded);
}

TEST_F(binding, merges_unique_indexes_of_both_sides) {
  home_ = {customer("public").column("x", integer_type(32)).unique("e", {2}).unique("xe", {3, 2}).unique("expression", {}).unique("id_again", {0})};
  spoke_ = {customer("shop").column("y", integer_type(32)).column("x", integer_type(32)).unique("e2", {2}).unique("ex", {2, 4}).unique("n", {1}).unique("y", {3})};
  rule("public.customer").columns = {{"full_name", "name"}};
  const mapping m = bind();
  ASSERT_EQ(m.tables.size(), 1u) << all();
  EXPECT_THAT(m.tables[0].unique, ElementsAre(ElementsAre(2), ElementsAre(3, 2), ElementsAre(1)));
}

TEST_F(binding, refuses_to_copy_what_has_no_order) {
  const auto t = [](const char* schema, const char* name) {
    return table_maker(schema, name).column("id", integer_type(32)).key({0});
  };
  home_ = {t("public", "a").refers_to("public", "b"), t("public", "b").refers_to("public", "a"), t("public", "c").refers_to("public", "tree"), t("public", "tree").refers_to("public", "tree")};
  spoke_ = {t("shop", "a"), t("shop", "b"), t("shop", "c"), t("shop", "tree")};
  for (const char* name : {"public.a", "public.b", "public.c", "public.tree"}) rule(name);
  EXPECT_EQ(bind().tables.size(), 4u) << all();
  EXPECT_THAT(codes(), IsEmpty());
  for (auto& r : config_.tables) r.initial = initial_rows::copy_from_home;
  const mapping m = bind();
  EXPECT_THAT(codes(), ElementsAre("copy_cycle", "copy_cycle", "copy_cycle"));
  ASSERT_EQ(m.tables.size(), 4u);
  EXPECT_EQ(m.tables[2].initial, initial_rows::copy_from_home);
}

TEST_F(binding, finds_parents_from_foreign_keys_of_either_side) {
  const auto t = [](const char* schema, const char* name) {
    return table_maker(schema, name).column("id", integer_type(32)).key({0});
  };
  home_ = {t("public", "child").refers_to("public", "parent").refers_to("public", "elsewhere"), t("public", "parent"), t("public", "tree").refers_to("public", "tree")};
  spoke_ = {t("shop", "child"), t("shop", "parent").refers_to("SHOP", "tree"), t("shop", "tree")};
  rule("public.child");
  rule("public.parent");
  rule("public.tree");
  const mapping m = bind();
  ASSERT_EQ(m.tables.size(), 3u) << all();
  EXPECT_THAT(m.tables[0].parents, ElementsAre(1));
  EXPECT_THAT(m.tables[1].parents, ElementsAre(2));
  EXPECT_THAT(m.tables[2].parents, ElementsAre(2));
  EXPECT_THAT(codes(), ElementsAre("parent_not_synced"));
}

TEST_F(binding, warns_of_foreign_keys_that_write_by_themselves_on_one_side_only) {
  const auto t = [](const char* schema, const char* name) {
    return table_maker(schema, name).column("id", integer_type(32)).column("owner", integer_type(32)).key({0});
  };
  const std::vector<int> by_owner = {1};
  home_ = {t("public", "parent"),
           t("public", "alike").refers_to("public", "parent", "CASCADE", "SET NULL", by_owner),
           t("public", "still").refers_to("public", "parent", "NO ACTION", "RESTRICT", by_owner),
           t("public", "at_home").refers_to("public", "parent", "CASCADE", "NO ACTION", by_owner),
           t("public", "alone"),
           t("public", "otherwise").refers_to("public", "parent", "CASCADE", "CASCADE", by_owner).refers_to("public", "parent", "NO ACTION", "NO ACTION", {0})};
  spoke_ = {t("shop", "parent"),
            t("shop", "alike").refers_to("SHOP", "parent", "CASCADE", "SET NULL", by_owner),
            t("shop", "still"),
            t("shop", "at_home").refers_to("shop", "parent", "RESTRICT", "NO ACTION", by_owner),
            t("shop", "alone").refers_to("shop", "parent", "NO ACTION", "SET NULL", by_owner),
            t("shop", "otherwise").refers_to("shop", "parent", "SET NULL", "CASCADE", by_owner).refers_to("shop", "parent", "NO ACTION", "NO ACTION", {0})};
  for (const char* name : {"parent", "alike", "still", "at_home", "alone", "otherwise"}) rule(std::string("public.") + name);
  ASSERT_EQ(bind().tables.size(), 6u) << all();
  std::vector<std::string> texts;
  for (const auto& f : found_)
    if (f.code == "cascade_differs") texts.push_back(f.where + ": " + f.text);
  EXPECT_THAT(texts, ElementsAre("duet.yaml:13: public.at_home (owner) refers to public.parent: home has ON DELETE CASCADE (fk_parent), the spoke has no such action (fk_parent)",
                                 "duet.yaml:14: public.alone (owner) refers to public.parent: home has no such foreign key, the spoke has ON UPDATE SET NULL (fk_parent)",
                                 "duet.yaml:15: public.otherwise (owner) refers to public.parent: home has ON DELETE CASCADE ON UPDATE CASCADE (fk_parent), the spoke has ON DELETE SET NULL ON UPDATE CASCADE (fk_parent)"));
  EXPECT_EQ(only("cascade_differs").is, finding::level::warn);
}

class binding_of_conflict_rules : public binding {
 protected:
  // Key id and one column of each sort, all of which go together with the spoke's; `memo` is excluded, `local` at home only,
  // `made` generated, and `title` is `name` at the spoke.
  binding_of_conflict_rules() {
    for (const char* schema : {"public", "shop"}) {
      const bool home = schema == std::string("public");
      table_maker t(schema, "account");
      t.column("id", integer_type(64), false)
          .column(home ? "title" : "name", text_type(100))
          .column("street", text_type(100))
          .column("city", text_type(100))
          .column("balance", decimal_type(12, 2), false)
          .column("visits", integer_type(32), false)
          .column("credit_status", text_type(10))
          .column("updated_at", fraction_type(value_kind::timestamp, 6))
          .column("memo", text_type(100))
          .column("made", text_type(100), true, true);
      if (home) t.column("local", text_type());
      (home ? home_ : spoke_).push_back(t.key({0}));
    }
    config_.default_conflict_rule = conflict_rule::none;
    table_rule& r = rule("public.account");
    r.columns = {{"title", "name"}};
    r.exclude = {"memo"};
    r.conflict.rule = conflict_rule::home;
    r.conflict.at.line = 30;
    r.conflict.latest_by_at.line = 31;
    r.conflict.groups_at.line = 32;
    r.conflict.columns_at.line = 33;
  }

  conflict_rules& said() { return config_.tables[0].conflict; }
  // The fields as home's column names, with the rule of each: "street city: home".
  static std::vector<std::string> fields(const table_pair& t) {
    std::vector<std::string> out;
    for (const auto& f : t.policy.fields) {
      std::string words;
      for (auto i : f.columns) words += (words.empty() ? "" : " ") + t.columns[i].home.name;
      out.push_back(words + ": " + std::string(duet::name(f.rule)));
    }
    return out;
  }
  void add_columns(int n, const column_type& type = text_type(9)) {
    for (int i = 0; i < n; ++i) {
      for (auto* t : {&home_[0], &spoke_[0]}) {
        column c;
        c.name = "extra_" + std::to_string(i);
        c.ordinal = static_cast<int>(t->columns.size());
        c.type = type;
        c.nullable = false;
        t->columns.push_back(c);
      }
    }
  }
  // The only finding that refuses.
  const finding& refusal() const {
    const finding* at = nullptr;
    for (const auto& f : found_)
      if (f.is == finding::level::refuse) {
        EXPECT_EQ(at, nullptr) << all();
        at = &f;
      }
    EXPECT_NE(at, nullptr) << all();
    static const finding none;
    return at ? *at : none;
  }
};

TEST_F(binding_of_conflict_rules, know_whose_rows_stand_in_a_merge) {
  table_rule& r = config_.tables[0];
  r.initial = initial_rows::merge;
  r.truth = merge_truth::latest;
  r.latest_by = "updated_at";
  r.truth_at.line = 40;
  const mapping m = bind();
  ASSERT_EQ(m.tables.size(), 1u) << all();
  EXPECT_EQ(m.tables[0].columns[m.tables[0].truth_by].home.name, "updated_at");
  EXPECT_TRUE(m.tables[0].copies_from(side::home) && m.tables[0].copies_from(side::spoke));

  r.latest_by = "title";
  bind();
  EXPECT_EQ(only("latest_by_type").where, "duet.yaml:40");
  r.latest_by = "memo";
  bind();
  EXPECT_EQ(only("conflict_column").remedy, "take it out of exclude, or out of truth");
  r.latest_by = "updated_at";
  said().columns = {{"balance", conflict_rule::delta}};
  bind();
  EXPECT_EQ(only("truth_and_deltas").where, "duet.yaml:40");
  r.truth = merge_truth::home;
  EXPECT_EQ(bind().tables.size(), 1u) << all();
  said().whole_transactions = true;
  bind();
  EXPECT_EQ(only("merge_scope").remedy, "write `scope: row` until the tables are merged");
}

TEST_F(binding_of_conflict_rules, refuses_a_table_of_both_ways_without_a_rule) {
  said().rule = conflict_rule::none;
  EXPECT_TRUE(bind().tables.empty());
  EXPECT_EQ(refusal().code, "no_conflict_rule");
  EXPECT_EQ(refusal().where, "duet.yaml:10");
  EXPECT_THAT(refusal().text, HasSubstr("public.account is synced both ways and has no conflict rule"));
  EXPECT_THAT(refusal().text, HasSubstr("does not assume"));
  EXPECT_THAT(refusal().remedy, HasSubstr("`conflict: { rule: latest }`"));
  EXPECT_THAT(refusal().remedy, HasSubstr("`conflicts: { default: latest }`"));
}

TEST_F(binding_of_conflict_rules, says_once_that_a_whole_schema_has_no_rule) {
  config_.tables.clear();
  home_ = {customer("public"), table_maker("public", "b").column("id", integer_type(32)).key({0})};
  spoke_ = {customer("shop"), table_maker("shop", "b").column("id", integer_type(32)).key({0})};
  rule("public.*");
  EXPECT_TRUE(bind().tables.empty());
  EXPECT_EQ(refusal().code, "no_conflict_rule");
  EXPECT_THAT(refusal().text, HasSubstr("public.* is synced"));
}

TEST_F(binding_of_conflict_rules, takes_the_default_where_the_table_has_none) {
  config_.default_conflict_rule = conflict_rule::spoke;
  EXPECT_EQ(bind().tables.at(0).policy.rule, conflict_rule::home) << all();
  said().rule = conflict_rule::none;
  const mapping m = bind();
  ASSERT_EQ(m.tables.size(), 1u) << all();
  EXPECT_EQ(m.tables[0].policy.rule, conflict_rule::spoke);
  EXPECT_EQ(m.tables[0].policy.fields[0].rule, conflict_rule::spoke);
}

TEST_F(binding_of_conflict_rules, needs_none_for_a_table_of_one_way) {
  said() = {};
  for (flow f : {flow::home_to_spoke, flow::spoke_to_home}) {
    config_.tables[0].direction = f;
    const mapping m = bind();
    ASSERT_EQ(m.tables.size(), 1u) << all();
    EXPECT_EQ(m.tables[0].policy.rule, conflict_rule::none);
    EXPECT_TRUE(m.tables[0].policy.fields.empty());
  }
}

TEST_F(binding_of_conflict_rules, makes_each_column_a_field_but_the_key) {
  const mapping m = bind();
  ASSERT_EQ(m.tables.size(), 1u) << all();
  const conflict_policy& p = m.tables[0].policy;
  EXPECT_THAT(fields(m.tables[0]), ElementsAre("title: home", "street: home", "city: home", "balance: home", "visits: home",
                                               "credit_status: home", "updated_at: home"));
  EXPECT_THAT(p.field_of, ElementsAre(0, 0, 1, 2, 3, 4, 5, 6));
  EXPECT_EQ(p.deltas, 0u);
  EXPECT_EQ(p.update_vs_delete, delete_rule::by_rule);
  EXPECT_FALSE(p.latest_by);
  EXPECT_TRUE(p.merge_columns);
  EXPECT_EQ(p.all(), existence | 0x7f);
}

TEST_F(binding_of_conflict_rules, orders_fields_by_groups_then_columns_with_a_rule_then_the_rest) {
  said().groups = {{"street", "city"}};
  said().columns = {{"credit_status", conflict_rule::spoke}, {"balance", conflict_rule::delta}, {"title", conflict_rule::latest}};
  said().latest_by = "updated_at";
  said().update_vs_delete = delete_rule::delete_wins;
  const mapping m = bind();
  ASSERT_EQ(m.tables.size(), 1u) << all();
  const table_pair& t = m.tables[0];
  EXPECT_THAT(fields(t), ElementsAre("street city: home", "title: latest", "balance: delta", "credit_status: spoke", "visits: home", "updated_at: home"));
  EXPECT_THAT(t.policy.field_of, ElementsAre(0, 1, 0, 0, 2, 4, 3, 5));
  EXPECT_EQ(t.policy.deltas, 0b100u);
  EXPECT_EQ(t.policy.latest_by, std::optional<std::uint16_t>(7));
  EXPECT_EQ(t.policy.update_vs_delete, delete_rule::delete_wins);
  EXPECT_FALSE(t.policy.compares_commit_times());
  for (const auto& c : t.columns) EXPECT_TRUE(c.guarded) << c.home.name;
}

TEST_F(binding_of_conflict_rules, gives_a_group_the_rule_of_its_column) {
  said().groups = {{"street", "city"}, {"title", "visits"}};
  said().columns = {{"city", conflict_rule::spoke}};
  const mapping m = bind();
  ASSERT_EQ(m.tables.size(), 1u) << all();
  EXPECT_EQ(fields(m.tables[0])[0], "street city: spoke");
  EXPECT_EQ(fields(m.tables[0])[1], "title visits: home");
  EXPECT_EQ(m.tables[0].policy.fields.size(), 5u);
}

TEST_F(binding_of_conflict_rules, tells_each_field_its_script_and_says_so) {
  config_.scripts = {{"account.lua", "", {34}}, {"visits.lua", "", {35}}, {"city.lua", "", {36}}};
  said().rule = conflict_rule::script;
  said().columns = {{"visits", conflict_rule::script}, {"city", conflict_rule::script}, {"title", conflict_rule::home}};
  said().column_scripts = {{"visits", 1}, {"city", 2}};
  said().groups = {{"street", "city"}};
  const mapping m = bind();
  ASSERT_EQ(m.tables.size(), 1u) << all();
  const conflict_policy& p = m.tables[0].policy;
  EXPECT_EQ(p.script, 0);
  EXPECT_THAT(fields(m.tables[0]), testing::ElementsAre("street city: script", "title: home", "visits: script", "balance: script", "credit_status: script", "updated_at: script"));
  EXPECT_EQ(p.fields[0].script, 2);
  EXPECT_EQ(p.fields[2].script, 1);
  EXPECT_EQ(p.fields[3].script, 0);
  for (const char* line : {"public.account: account.lua decides", "public.account.visits: visits.lua decides", "public.account.city: city.lua decides"})
    EXPECT_THAT(all(), testing::HasSubstr(line));
}

TEST_F(binding_of_conflict_rules, makes_the_row_one_field_beside_its_deltas) {
  said().merge_columns = false;
  said().columns = {{"visits", conflict_rule::delta}};
  const mapping m = bind();
  ASSERT_EQ(m.tables.size(), 1u) << all();
  EXPECT_THAT(fields(m.tables[0]), ElementsAre("title street city balance credit_status updated_at: home", "visits: delta"));
  EXPECT_THAT(m.tables[0].policy.field_of, ElementsAre(0, 0, 0, 0, 0, 1, 0, 0));
  EXPECT_EQ(m.tables[0].policy.deltas, 0b10u);
  EXPECT_FALSE(m.tables[0].policy.merge_columns);
}

TEST_F(binding_of_conflict_rules, has_no_field_where_all_columns_are_the_key) {
  config_.tables.clear();
  home_ = {table_maker("public", "t").column("a", integer_type(32)).column("b", integer_type(32)).key({0, 1})};
  spoke_ = {table_maker("shop", "t").column("a", integer_type(32)).column("b", integer_type(32)).key({0, 1})};
  for (bool merge_columns : {true, false}) {
    config_.tables.clear();
    rule("public.t").conflict.rule = conflict_rule::home;
    said().merge_columns = merge_columns;
    const mapping m = bind();
    ASSERT_EQ(m.tables.size(), 1u) << all();
    EXPECT_THAT(m.tables[0].policy.fields, IsEmpty());
    EXPECT_THAT(m.tables[0].policy.field_of, ElementsAre(0, 0));
    EXPECT_EQ(m.tables[0].policy.all(), existence);
  }
}

TEST_F(binding_of_conflict_rules, lets_columns_beyond_the_last_field_share_it) {
  add_columns(55);  // and 7 others: as many as there are fields
  mapping m = bind();
  ASSERT_EQ(m.tables.size(), 1u) << all();
  EXPECT_EQ(m.tables[0].policy.fields.size(), fields_max);
  EXPECT_EQ(m.tables[0].policy.fields.back().columns.size(), 1u);
  EXPECT_EQ(m.tables[0].policy.all(), ~restated);
  EXPECT_THAT(all(), Not(HasSubstr("fields_shared")));

  for (auto* t : {&home_[0], &spoke_[0]}) {
    for (const char* name : {"last_but_one", "last"}) {
      t->columns.push_back(t->columns.back());
      t->columns.back().name = name;
    }
  }
  said().columns = {{"last", conflict_rule::spoke}};
  m = bind();
  ASSERT_EQ(m.tables.size(), 1u) << all();
  const conflict_policy& p = m.tables[0].policy;
  EXPECT_EQ(p.fields.size(), fields_max);
  EXPECT_EQ(fields(m.tables[0]).front(), "last: spoke");
  EXPECT_EQ(fields(m.tables[0]).back(), "extra_53 extra_54 last_but_one: home");
  EXPECT_EQ(p.field_of[m.tables[0].columns.size() - 2], fields_max - 1);
  EXPECT_EQ(only("fields_shared").is, finding::level::ok);
  EXPECT_THAT(only("fields_shared").text, HasSubstr("`extra_53` and the 2 columns"));
}

TEST_F(binding_of_conflict_rules, refuses_more_rules_than_fields) {
  add_columns(static_cast<int>(fields_max), integer_type(32));
  for (int i = 0; i + 1 < static_cast<int>(fields_max); ++i) said().columns.emplace_back("extra_" + std::to_string(i), conflict_rule::delta);
  EXPECT_EQ(bind().tables.size(), 1u) << all();
  said().columns.emplace_back("extra_" + std::to_string(fields_max - 1), conflict_rule::delta);  // one more, and none is left for the other columns
  EXPECT_TRUE(bind().tables.empty());
  EXPECT_EQ(refusal().code, "too_many_fields");
  EXPECT_EQ(refusal().where, "duet.yaml:30");
  said().merge_columns = false;  // the row needs one as well
  EXPECT_TRUE(bind().tables.empty());
  EXPECT_EQ(refusal().code, "too_many_fields");
  said().columns.pop_back();
  EXPECT_EQ(bind().tables.size(), 1u) << all();
}

TEST_F(binding_of_conflict_rules, refuses_columns_that_cannot_have_a_rule) {
  struct wrong_column {
    const char *name, *code, *text, *remedy;
  };
  const wrong_column all_wrong[] = {{"nothing", "conflict_column", "home's table lacks", "mend the name"},
                                    {"Street", "conflict_column", "home's table lacks", "did you mean `street`?"},
                                    {"name", "conflict_column", "home's table lacks", "home calls it `title`"},
                                    {"memo", "conflict_column", "excluded", "exclude"},
                                    {"local", "conflict_column", "at home only", "take it out"},
                                    {"made", "conflict_column", "generated", "take it out"},
                                    {"id", "conflict_on_key", "primary key", "take it out"}};
  const conflict_rules good = said();
  for (const auto& w : all_wrong) {
    for (int list = 0; list < 3; ++list) {
      said() = good;
      if (list == 0) said().latest_by = w.name;
      if (list == 1) said().groups = {{"city", w.name}};
      if (list == 2) said().columns = {{w.name, conflict_rule::spoke}};
      EXPECT_TRUE(bind().tables.empty()) << w.name;
      EXPECT_EQ(refusal().code, w.code) << all();
      EXPECT_EQ(refusal().where, "duet.yaml:" + std::to_string(31 + list)) << all();
      EXPECT_THAT(refusal().text, HasSubstr(std::string(list == 0 ? "latest_by" : list == 1 ? "groups" : "columns") + " names `" + w.name + "`"));
      EXPECT_THAT(refusal().text, HasSubstr(w.text));
      EXPECT_THAT(refusal().remedy, HasSubstr(w.remedy));
    }
  }
}

TEST_F(binding_of_conflict_rules, names_the_line_of_the_table_where_the_rules_have_none) {
  said().at = said().columns_at = {};
  said().columns = {{"nothing", conflict_rule::spoke}};
  bind();
  EXPECT_EQ(refusal().where, "duet.yaml:10");
}

TEST_F(binding_of_conflict_rules, takes_values_with_an_order_as_latest_by_and_no_others) {
  said().latest_by = "x";
  said().rule = conflict_rule::latest;
  const auto bound_with = [&](const column_type& home, const column_type& spoke) {
    for (auto* t : {&home_[0], &spoke_[0]}) {
      if (t->columns.back().name == "x") t->columns.pop_back();
      column c;
      c.name = "x";
      c.type = t == &home_[0] ? home : spoke;
      t->columns.push_back(c);
    }
    return bind().tables.size() == 1;
  };
  const auto dated = [](value_kind k) { return fraction_type(k, 6); };
  EXPECT_TRUE(bound_with(integer_type(64), integer_type(64))) << all();
  EXPECT_TRUE(bound_with(decimal_type(20, 0), integer_type(64, true))) << all();
  EXPECT_TRUE(bound_with(of_kind(value_kind::date, "date"), of_kind(value_kind::date, "date"))) << all();
  EXPECT_TRUE(bound_with(dated(value_kind::datetime), dated(value_kind::datetime))) << all();
  EXPECT_TRUE(bound_with(dated(value_kind::timestamp), dated(value_kind::datetime))) << all();
  EXPECT_FALSE(bound_with(text_type(9), text_type(9)));
  EXPECT_EQ(refusal().code, "latest_by_type");
  EXPECT_EQ(refusal().where, "duet.yaml:31");
  EXPECT_THAT(refusal().text, HasSubstr("`x` (varchar(9), varchar(9))"));
  EXPECT_FALSE(bound_with(real_type(64), real_type(64)));
  EXPECT_FALSE(bound_with(dated(value_kind::time), dated(value_kind::time)));
  EXPECT_FALSE(bound_with(of_kind(value_kind::uuid, "uuid"), bytes_type(16, true)));
  EXPECT_FALSE(bound_with(boolean_type(), integer_type(8)));
}

TEST_F(binding_of_conflict_rules, takes_exact_numbers_as_delta_and_no_others) {
  said().columns = {{"x", conflict_rule::delta}};
  const auto bound_with = [&](const column_type& home, const column_type& spoke, bool home_null = false, bool spoke_null = false) {
    for (auto* t : {&home_[0], &spoke_[0]}) {
      if (t->columns.back().name == "x") t->columns.pop_back();
      column c;
      c.name = "x";
      c.type = t == &home_[0] ? home : spoke;
      c.nullable = t == &home_[0] ? home_null : spoke_null;
      t->columns.push_back(c);
    }
    return bind().tables.size() == 1;
  };
  EXPECT_TRUE(bound_with(integer_type(64), integer_type(64))) << all();
  EXPECT_TRUE(bound_with(integer_type(32), integer_type(64, true))) << all();
  EXPECT_TRUE(bound_with(decimal_type(20, 0), integer_type(64, true))) << all();
  EXPECT_TRUE(bound_with(integer_type(64), decimal_type(12, 2))) << all();
  EXPECT_TRUE(bound_with(decimal_type(-1, -1), decimal_type(12, 2))) << all();
  for (const auto& [home, spoke] : {std::pair(real_type(64), real_type(64)), {boolean_type(), integer_type(8)}, {integer_type(32), boolean_type()},
                                    {text_type(9), text_type(9)}, {fraction_type(value_kind::timestamp, 6), fraction_type(value_kind::timestamp, 6)}}) {
    EXPECT_FALSE(bound_with(home, spoke)) << home.native;
    EXPECT_EQ(refusal().code, "delta_type");
    EXPECT_EQ(refusal().where, "duet.yaml:33");
    EXPECT_THAT(refusal().text, HasSubstr("whole and decimal numbers only")) << home.native;
  }
  EXPECT_FALSE(bound_with(integer_type(32), year_type()));
  EXPECT_THAT(refusal().text, HasSubstr("do not keep every number"));
  EXPECT_FALSE(bound_with(integer_type(64), integer_type(64), true, true));
  EXPECT_EQ(refusal().code, "delta_type");
  EXPECT_THAT(refusal().text, HasSubstr("may be NULL at both sides"));
  EXPECT_THAT(refusal().remedy, HasSubstr("ALTER TABLE public.account ALTER COLUMN x SET NOT NULL; at the spoke: ALTER TABLE shop.account MODIFY x int64 NOT NULL"));
  EXPECT_FALSE(bound_with(integer_type(64), integer_type(64), true, false));
  EXPECT_THAT(refusal().text, HasSubstr("may be NULL at home"));
  EXPECT_FALSE(bound_with(integer_type(64), integer_type(64), false, true));
  EXPECT_THAT(refusal().text, HasSubstr("may be NULL at the spoke"));
  EXPECT_THAT(refusal().remedy, testing::StartsWith("ALTER TABLE shop.account MODIFY"));
}

TEST_F(binding_of_conflict_rules, notes_once_per_table_that_commit_times_decide) {
  const auto noted = [&] {
    const mapping m = bind();
    EXPECT_EQ(m.tables.size(), 1u) << all();
    const auto n = std::count_if(found_.begin(), found_.end(), [](const finding& f) { return f.code == "latest_by_commit_time"; });
    EXPECT_LE(n, 1);
    EXPECT_EQ(n == 1, m.tables.at(0).policy.compares_commit_times());
    return n == 1;
  };
  EXPECT_FALSE(noted());
  said().columns = {{"title", conflict_rule::latest}, {"city", conflict_rule::latest}};
  EXPECT_TRUE(noted());
  EXPECT_EQ(only("latest_by_commit_time").is, finding::level::ok);
  said().latest_by = "updated_at";
  EXPECT_FALSE(noted());
  said().update_vs_delete = delete_rule::latest;  // there is no value to compare
  EXPECT_TRUE(noted());
  said() = {};
  said().rule = conflict_rule::latest;
  EXPECT_TRUE(noted());
}

TEST_F(binding, keeps_good_tables_beside_refused_ones) {
  home_ = {table_maker("public", "bad").column("id", integer_type(32)), table_maker("public", "good").column("id", integer_type(32)).key({0})};
  spoke_ = {table_maker("shop", "bad").column("id", integer_type(32)).key({0}), table_maker("shop", "good").column("id", integer_type(32)).key({0})};
  rule("public.bad");
  rule("public.good").direction = flow::spoke_to_home;
  const mapping m = bind();
  ASSERT_EQ(m.tables.size(), 1u);
  EXPECT_EQ(m.tables[0].home.name, "good");
  EXPECT_EQ(m.tables[0].id, 0);
  EXPECT_EQ(m.tables[0].direction, flow::spoke_to_home);
  EXPECT_TRUE(refused(found_));
}

TEST_F(binding, lists_each_problem_of_a_table_once) {
  home_ = {table_maker("public", "t").column("id", integer_type(32)).column("k", of_kind(value_kind::other, "point")).key({0, 1})};
  spoke_ = {table_maker("shop", "t").column("id", integer_type(32)).column("k", text_type(5)).key({0, 1})};
  rule("public.t");
  EXPECT_TRUE(bind().tables.empty());
  EXPECT_THAT(codes(), ElementsAre("type_pair"));
}

}  // namespace
}  // namespace duet::translate
