#include "postgres/catalog.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace duet::postgres {
namespace {

using ::testing::ElementsAre;

column_type built_in(const char* name, int modifier = -1) {
  catalog_type t;
  t.name = t.native = name;
  t.built_in = true;
  t.modifier = modifier;
  return describe_type(t);
}

TEST(describe_type, reads_precision_and_scale_of_numeric) {
  const auto plain = built_in("numeric");
  EXPECT_EQ(plain.kind, value_kind::decimal);
  EXPECT_EQ(plain.precision, -1);
  EXPECT_EQ(plain.scale, -1);
  const auto money = built_in("numeric", (12 << 16 | 2) + 4);
  EXPECT_EQ(money.precision, 12);
  EXPECT_EQ(money.scale, 2);
  const auto whole = built_in("numeric", (5 << 16) + 4);
  EXPECT_EQ(whole.scale, 0);
  EXPECT_EQ(built_in("numeric", (5 << 16 | 0x7fe) + 4).kind, value_kind::other) << "numeric(5,-2)";
}

TEST(describe_type, reads_lengths_and_fraction_digits) {
  EXPECT_EQ(built_in("varchar", 14).length, 10);
  EXPECT_EQ(built_in("varchar").length, -1);
  const auto padded = built_in("bpchar", 7);
  EXPECT_EQ(padded.kind, value_kind::text);
  EXPECT_EQ(padded.length, 3);
  EXPECT_TRUE(padded.fixed);
  EXPECT_EQ(built_in("timestamp").precision, 6);
  EXPECT_EQ(built_in("timestamptz", 0).precision, 0);
  EXPECT_EQ(built_in("time", 3).precision, 3);
  EXPECT_EQ(built_in("bit", 12).bits, 12);
  EXPECT_EQ(built_in("int2").bits, 16);
  EXPECT_EQ(built_in("float4").bits, 32);
}

TEST(describe_type, leaves_types_outside_the_contract_as_other) {
  for (const char* name : {"money", "oid", "bpchar", "regclass", "aclitem"}) EXPECT_EQ(built_in(name).kind, value_kind::other) << name;
  catalog_type fake;
  fake.name = "text";
  EXPECT_EQ(describe_type(fake).kind, value_kind::other) << "somebody's own type of a built-in name";
  fake.name = "hstore";
  EXPECT_EQ(describe_type(fake).kind, value_kind::other);
}

TEST(describe_type, knows_what_travels_as_it_is_printed) {
  for (const char* name : {"varbit", "interval", "timetz", "inet", "name", "xml", "point", "tsvector"}) {
    EXPECT_EQ(built_in(name).kind, value_kind::printed) << name;
    EXPECT_EQ(built_in(name).name, name);
  }
  catalog_type t;
  t.name = "int4range";
  t.form = 'r';
  EXPECT_EQ(describe_type(t).name, "range type") << "somebody's own";
  t.built_in = true;
  EXPECT_EQ(describe_type(t).name, "int4range");
  t.form = 'c';
  EXPECT_EQ(describe_type(t).name, "composite type");
  t = {};
  t.name = t.extension = "hstore";
  EXPECT_EQ(describe_type(t).kind, value_kind::printed);
  t.name = t.extension = "citext";
  EXPECT_EQ(describe_type(t).kind, value_kind::text);
  EXPECT_TRUE(describe_type(t).case_insensitive);
}

TEST(describe_type, tells_what_an_array_is_of) {
  const auto array_of = [](const char* element, bool element_built_in = true) {
    catalog_type t;
    t.built_in = true;
    t.name = std::string("_") + element;
    t.element = element;
    t.element_built_in = element_built_in;
    return describe_type(t);
  };
  EXPECT_EQ(array_of("int4").element, value_kind::integer);
  EXPECT_EQ(array_of("bool").element, value_kind::boolean);
  EXPECT_EQ(array_of("float4").bits, 32);
  EXPECT_EQ(array_of("text").element, value_kind::text);
  EXPECT_EQ(array_of("inet").element, value_kind::printed);
  EXPECT_EQ(array_of("int4", false).element, value_kind::printed) << "somebody's own type of a built-in name";
  EXPECT_EQ(array_of("box").kind, value_kind::other);
}

TEST(describe_type, keeps_labels_and_knows_collations_that_fold) {
  catalog_type mood;
  mood.name = "mood";
  mood.form = 'e';
  mood.labels = {"sad", "ok"};
  EXPECT_EQ(describe_type(mood).kind, value_kind::enumeration);
  EXPECT_THAT(describe_type(mood).labels, ElementsAre("sad", "ok"));
  catalog_type text;
  text.name = "text";
  text.built_in = true;
  EXPECT_FALSE(describe_type(text).case_insensitive);
  text.deterministic = false;
  EXPECT_TRUE(describe_type(text).case_insensitive);
}

TEST(array_literals, read_back_what_they_quote) {
  const std::vector<std::string> items{"a", "", "b,c", "\"quoted\\\"", "{}", "ä b", "NULL"};
  EXPECT_EQ(parse_array_literal(array_literal(items)), items);
  EXPECT_THAT(parse_array_literal("{1,23}"), ElementsAre("1", "23"));
  EXPECT_TRUE(parse_array_literal("{}").empty());
  EXPECT_THROW(parse_array_literal("1,2"), failure);
  EXPECT_THROW(parse_array_literal(""), failure);
}

}  // namespace
}  // namespace duet::postgres
