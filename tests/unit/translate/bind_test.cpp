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

class binding : public testing::Test {
 protected:
  binding() {
    config_.file = "duet.yaml";
    config_.spoke.database = "shop";
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
