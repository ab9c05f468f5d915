// The Lua engine: what a script is told and may answer, and that no script gets out of its limits.
#include "conflict/script.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace duet::conflict {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using verdict = ruling::verdict;
using clock = std::chrono::steady_clock;

// id, name, stock, price, active, photo, weight; name to weight have this script for their rule, and owner another one.
table_pair item_table() {
  table_pair t;
  t.home.schema = "public";
  t.home.name = "item";
  const auto add = [&](const char* name, value_kind kind, bool nullable) {
    column_pair c;
    c.home.name = name;
    c.spoke.name = std::string("spoke_") + name;
    c.home.type.kind = c.spoke.type.kind = kind;
    c.home.nullable = c.spoke.nullable = nullable;
    c.key = t.columns.empty();
    t.columns.push_back(c);
  };
  add("id", value_kind::integer, false);
  add("name", value_kind::text, true);
  add("stock", value_kind::integer, false);
  add("price", value_kind::decimal, true);
  add("active", value_kind::boolean, true);
  add("photo", value_kind::bytes, true);
  add("weight", value_kind::real, true);
  add("owner", value_kind::text, true);
  t.columns[6].home.type.bits = 64;
  t.key = {0};
  t.policy.rule = conflict_rule::script;
  for (std::uint16_t i = 1; i < 8; ++i) t.policy.fields.push_back({{i}, i == 7 ? conflict_rule::home : conflict_rule::script});
  t.policy.field_of = {0, 0, 1, 2, 3, 4, 5, 6};
  return t;
}

using values = std::vector<std::optional<std::string>>;
const values base_row = {"7", "base", "100", "10.00", "1", "\x01", "0.5", "me"};
const values home_row = {"7", "home", "90", "12345678901234567890.10", "1", std::string("\0\xff", 2), "0.1", "me"};
const values spoke_row = {"7", std::nullopt, "80", "-0.05", "0", "\x02", "1e+20", "me"};

struct asked {
  table_pair table = item_table();
  values base = base_row, home = home_row, spoke = spoke_row;
  operation op = operation::update, home_op = operation::update;
  bool home_has = true;
  field_set contested = 0b000010;  // stock
  script_limits limits = {};

  ruling by(const std::string& text) const {
    const auto cells_of = [](const values& v) {
      std::vector<cell> cells;
      for (const auto& one : v) cells.push_back(!one ? cell::null() : *one == "absent" ? cell{} : cell::of(*one));
      return cells;
    };
    const std::vector<cell> before = cells_of(base), after = cells_of(spoke);
    const incoming change{op, op == operation::insert ? nullptr : before.data(), op == operation::remove ? nullptr : after.data(), contested, 2'000'002, false};
    const owned_row current = home_has ? owned_row{true, home} : owned_row{};
    return script("rules/item.lua", text, limits).decide({0, table, change, current, contested, home_op, 1'000'001});
  }
  // Of a body of resolve(c).
  ruling answer(const std::string& body) const { return by("function resolve(c)\n" + body + "\nend"); }
  // A Lua expression of c, as text.
  std::string told(const std::string& expression) const { return answer("return 'hold', tostring(" + expression + ")").reason; }
  std::string reason(const std::string& body) const {
    const ruling r = answer(body);
    EXPECT_EQ(r.says, verdict::hold) << body;
    return r.reason;
  }
};

std::string holds(const std::string& text) { return "its script holds it: " + text; }

TEST(script, picks_a_side_or_holds) {
  const asked a;
  EXPECT_EQ(a.answer("return 'home'").says, verdict::home);
  EXPECT_EQ(a.answer("return 'spoke'").says, verdict::spoke);
  EXPECT_EQ(a.reason("return 'hold'"), "its script holds it");
  EXPECT_EQ(a.reason("return 'hold', 'ask the boss'"), holds("ask the boss"));
}

TEST(script, is_told_both_rows_the_base_times_and_what_happened) {
  asked a;
  EXPECT_EQ(a.told("c.table"), holds("public.item"));
  EXPECT_EQ(a.told("c.key.id + 1"), holds("8"));
  EXPECT_EQ(a.told("c.key.name"), holds("nil"));
  EXPECT_EQ(a.told("c.home.stock .. ' ' .. c.spoke.stock .. ' ' .. c.base.stock"), holds("90 80 100"));
  EXPECT_EQ(a.told("math.type(c.home.stock) .. ' ' .. type(c.home.price) .. ' ' .. type(c.home.active)"), holds("integer string boolean"));
  EXPECT_EQ(a.told("c.home.price"), holds("12345678901234567890.10"));
  EXPECT_EQ(a.told("c.home.active == true and c.spoke.active == false"), holds("true"));
  EXPECT_EQ(a.told("c.spoke.name == duet.null and c.home.name ~= duet.null"), holds("true"));
  EXPECT_EQ(a.told("#c.home.photo .. ' ' .. c.home.photo:byte(2)"), holds("2 255"));
  EXPECT_EQ(a.told("c.home_time .. ' ' .. c.spoke_time"), holds("1000001 2000002"));
  EXPECT_EQ(a.told("c.operation.home .. ' ' .. c.operation.spoke"), holds("update update"));
  EXPECT_EQ(a.told("table.concat(c.columns, ',')"), holds("stock"));
  a.contested = 0b000011;
  EXPECT_EQ(a.told("table.concat(c.columns, ',')"), holds("name,stock"));
  a.home[2] = "18446744073709551615";
  a.spoke[2] = "-9223372036854775808";
  EXPECT_EQ(a.told("type(c.home.stock) .. ' ' .. math.type(c.spoke.stock)"), holds("string integer")) << "as it fits";
  a.spoke[1] = "absent";
  EXPECT_EQ(a.told("c.spoke.name"), holds("nil"));
}

TEST(script, throws_dice_that_depend_on_the_row_and_are_the_same_again) {
  std::set<std::string> thrown;
  for (int id = 0; id < 40; ++id) {
    asked a;
    (a.base[0] = a.home[0]) = a.spoke[0] = std::to_string(id);
    const std::string once = a.told("math.random(1000)");
    EXPECT_EQ(a.told("math.random(1000)"), once);
    thrown.insert(once);
  }
  EXPECT_GT(thrown.size(), 25u);
}

TEST(script, is_told_nil_where_there_is_no_row) {
  asked a{.op = operation::insert, .home_op = operation::insert};
  EXPECT_EQ(a.told("c.base"), holds("nil"));
  EXPECT_EQ(a.told("c.operation.home .. ' ' .. c.operation.spoke"), holds("insert insert"));
  a.op = operation::remove;
  EXPECT_EQ(a.told("tostring(c.spoke) .. ' ' .. c.base.stock .. ' ' .. c.key.id"), holds("nil 100 7"));
  EXPECT_EQ(a.told("c.operation.spoke"), holds("delete"));
  a.op = operation::update;
  a.home_has = false;
  a.home_op = operation::remove;
  EXPECT_EQ(a.told("tostring(c.home) .. ' ' .. c.operation.home"), holds("nil delete"));
}

TEST(script, answers_with_values_in_the_columns_form) {
  const asked a;
  const ruling r = a.answer("return { stock = c.home.stock + c.spoke.stock - c.base.stock, name = duet.null, price = duet.add(c.home.price, c.spoke.price),"
                            " active = false, photo = '\\0\\xfe', weight = 0.25 }");
  EXPECT_EQ(r.says, verdict::values) << r.reason;
  EXPECT_THAT(r.values, ElementsAre(Pair(1, std::nullopt), Pair(2, "70"), Pair(3, "12345678901234567890.05"), Pair(4, "0"),
                                    Pair(5, std::string("\0\xfe", 2)), Pair(6, "0.25")));
  for (const auto& [body, column, value] : std::vector<std::tuple<std::string, int, std::string>>{
           {"stock = '18446744073709551615'", 2, "18446744073709551615"}, {"stock = 3.0", 2, "3"}, {"stock = '-007'", 2, "-7"}, {"stock = math.mininteger", 2, "-9223372036854775808"},
           {"price = 5", 3, "5"}, {"price = 'NaN'", 3, "NaN"}, {"price = c.spoke.price", 3, "-0.05"}, {"weight = 1e20", 6, "1e+20"}, {"weight = 1/0", 6, "Infinity"},
           {"weight = c.spoke.weight", 6, "1e+20"}, {"name = 'Größe 日本 😀'", 1, "Größe 日本 😀"}, {"photo = c.home.photo", 5, std::string("\0\xff", 2)}, {"active = c.home.active", 4, "1"}}) {
    const ruling one = a.answer("return { " + body + " }");
    EXPECT_THAT(one.values, ElementsAre(Pair(column, value))) << body << ": " << one.reason;
  }
}

TEST(script, holds_answers_that_no_column_takes) {
  const asked a;
  for (const auto& [body, why] : std::vector<std::pair<std::string, std::string>>{
           {"return { stok = 1 }", "no synced column stok"}, {"return { spoke_stock = 1 }", "no synced column spoke_stock"}, {"return { id = 8 }", "id is part of the key"},
           {"return { owner = 'you' }", "owner is decided by another rule"}, {"return { 1 }", "by column names"}, {"return {}", "no values"}, {"return", "\"home\", \"spoke\", \"hold\""},
           {"return nil, 'x'", "\"home\""}, {"return 'Home'", "\"home\""}, {"return 1", "\"home\""}, {"return true", "\"home\""}, {"return resolve", "\"home\""}, {"return duet.null", "\"home\""},
           {"return { stock = duet.null }", "stock: it is NULL"}, {"return { stock = 1.5 }", "stock: a whole number"}, {"return { stock = '1.0' }", "a whole number"},
           {"return { stock = 'many' }", "a whole number"}, {"return { stock = true }", "a whole number"}, {"return { stock = {} }", "a whole number"}, {"return { price = 1.5 }", "float would round"},
           {"return { price = '1e5' }", "a decimal"}, {"return { price = false }", "a decimal"}, {"return { active = 1 }", "true, false"}, {"return { name = 5 }", "a text is wanted"},
           {"return { name = '\\xff' }", "no UTF-8"}, {"return { name = 'a\\0b' }", "U+0000"}, {"return { photo = 5 }", "a string of bytes"}, {"return { weight = 'heavy' }", "a number"}}) {
    EXPECT_THAT(a.reason(body), AllOf(HasSubstr("rules/item.lua"), HasSubstr(why))) << body;
  }
  EXPECT_THAT(a.reason("return { name = 'secret \\xff' }"), Not(HasSubstr("secret"))) << "a value is not for the reason";
}

TEST(script, holds_what_fails_and_names_the_line) {
  const asked a;
  EXPECT_EQ(a.reason("return c.nothing.there"), "its script failed: rules/item.lua:2: attempt to index a nil value (field 'nothing')");
  EXPECT_EQ(a.reason("error('no way')"), "its script failed: rules/item.lua:2: no way");
  EXPECT_THAT(a.reason("error({})"), HasSubstr("an error that is no text"));
  EXPECT_THAT(a.reason("return resolve(c)(c)"), HasSubstr("its script failed: rules/item.lua"));  // for ever deeper
  EXPECT_THAT(a.by("function resolve(c) return 'home'").reason, HasSubstr("rules/item.lua:1:"));
  EXPECT_THAT(a.by("x = 1").reason, HasSubstr("no function resolve"));
  const std::string dirty = a.reason("error('a\\0b\\nc\\xff' .. ('ü'):rep(400), 0)");
  EXPECT_THAT(dirty, HasSubstr("its script failed: a"));
  EXPECT_EQ(dirty.find_first_of("\n\xff"), std::string::npos);
  EXPECT_LT(dirty.size(), 600u);
}

TEST(script, says_what_is_wrong_before_it_is_needed) {
  EXPECT_EQ(script("a.lua", "function resolve(c) return 'home' end").problem(), "");
  EXPECT_THAT(script("a.lua", "\n\nfunction resolve(c) return = end").problem(), AllOf(HasSubstr("a.lua:3:"), HasSubstr("unexpected symbol")));
  EXPECT_THAT(script("a.lua", "").problem(), HasSubstr("a.lua:1: it defines no function resolve"));
  EXPECT_THAT(script("a.lua", "resolve = 5").problem(), HasSubstr("no function resolve"));
  EXPECT_THAT(script("a.lua", "local socket = require('socket')").problem(), AllOf(HasSubstr("a.lua:1:"), HasSubstr("require")));
  EXPECT_THAT(script("a.lua", "while true do end").problem(), HasSubstr("a.lua:1: it ran for more than 50 ms"));
  EXPECT_THAT(script("a.lua", std::string("\x1bLua") + std::string(40, 'x')).problem(), HasSubstr("binary"));
}

TEST(script, keeps_nothing_from_one_decision_to_the_next) {
  const asked a;
  const std::string counts = "n = 0\nfunction resolve(c) n = n + 1; string.seen = (string.seen or 0) + 1; return 'hold', n .. ' ' .. string.seen end";
  EXPECT_EQ(a.by(counts).reason, holds("1 1"));
  EXPECT_EQ(a.by(counts).reason, holds("1 1"));
}

TEST(script, reaches_nothing_outside) {
  const asked a;
  for (const char* name : {"io", "os", "require", "package", "debug", "load", "loadstring", "loadfile", "dofile", "collectgarbage", "coroutine", "print", "warn", "pcall",
                           "xpcall", "setmetatable", "getmetatable", "string.dump", "string.pack", "string.unpack", "_G.io", "_ENV.os"})
    EXPECT_EQ(a.told(name), holds("nil")) << name;
  EXPECT_EQ(a.told("next(_G) ~= nil and #('x'):rep(3)"), holds("3"));
  EXPECT_EQ(a.told("tostring(('a,b'):match('(%w),(%w)')) .. select(2, ('a,b'):gsub(',', ';')) .. utf8.len('ü') .. math.max(1, 2)"), holds("a112"));
  EXPECT_EQ(a.answer("local t = {} for w in ('b a'):gmatch('%a+') do table.insert(t, w) end table.sort(t) return 'hold', table.concat(t, ' ') .. table.unpack({3})").reason, holds("a b3"));
  EXPECT_EQ(a.answer("local t = {1, 3, 2} table.sort(t, function(a, b) return a > b end) table.move(t, 1, 2, 4) return 'hold', table.concat(t, ' ') .. table.remove(t)").reason, holds("3 2 1 3 22"));
}

TEST(script, adds_and_compares_decimals_exactly) {
  const asked a;
  EXPECT_EQ(a.told("duet.add('0.1', '0.2') .. ' ' .. duet.subtract(1, '0.30') .. ' ' .. duet.compare('10', '9.99') .. duet.compare(2, '2.0') .. duet.compare('-1', 0)"),
            holds("0.3 0.70 10-1"));
  EXPECT_THAT(a.reason("return { price = duet.add(1.5, 1) }"), HasSubstr("a float would round it"));
  EXPECT_THAT(a.reason("return { price = duet.add('x', 1) }"), HasSubstr("no decimal"));
  EXPECT_THAT(a.reason("return { price = duet.add(duet.null, 1) }"), HasSubstr("its script failed"));
}

// Each of these would run for seconds, years, or take gigabytes.
TEST(script, ends_whatever_runs_too_long_or_takes_too_much) {
  const asked a;
  for (const char* body : {
           "while true do end", "local function f() return f() end return f()", "repeat local x = ('x'):rep(1000) until false", "for i = 1, math.huge do local t = {i} end",
           "local t = {} while true do t[#t + 1] = 'x' end", "local s = 'x' while true do s = s .. s end", "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1e6) .. i end",
           "return ('x'):rep(1e10)", "return ('x'):rep(1e18, 'y')", "return string.rep('x', 1 << 62)", "local s = ('x'):rep(9e6) return s .. s",
           "return ('a'):rep(1e5):find(('a*'):rep(20) .. 'b')", "return ('a'):rep(3e4):match('.-.-.-b')", "return ('a'):rep(3e4):gsub('(a+)(a+)b', '')", "return ('a'):rep(3e4):gmatch('a*a*b')",
           "return ('a'):rep(5e6):find(('a'):rep(2e6) .. 'b', 1, true)", "return ('x'):rep(40):find(('x?'):rep(40) .. ('x'):rep(40))", "return ('('):rep(1e5):find('%b()')",
           "table.move({}, 1, 1 << 62, 2)", "local t = {} for i = 0, 62 do t[1 << i] = 1 end t[5] = 1 table.insert(t, 1, 'x') while true do end",
           "local t = {} for i = 1, 3e5 do t[i] = -i end while true do table.sort(t) end", "table.sort({1, 2, 3}, math.type)", "while true do table.unpack({}, 1, 1e5) end",
           "local t = {} for i = 1, 1000 do t[i] = ('x'):rep(1e5) end return string.format(('%.0s'):rep(1000), table.unpack(t))", "while true do local s = ('x'):rep(5e6):upper():reverse() end",
           "string.rep = nil while true do end", "local a = {} for i = 1, 200 do a = {a, a} end while true do tostring(a) end",
       }) {
    const auto start = clock::now();
    const ruling r = a.answer(std::string(body));
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - start).count();
    EXPECT_EQ(r.says, verdict::hold) << body;
    EXPECT_THAT(r.reason, AllOf(HasSubstr("its script failed: "), HasSubstr("rules/item.lua"))) << body;
    EXPECT_LT(took, 400) << body;
  }
  EXPECT_EQ(a.told("#(''):rep(1 << 62)"), holds("0"));
  EXPECT_THAT(a.reason("return ('x'):rep(1 << 62)"), HasSubstr("rules/item.lua:2: resulting string too large"));
  EXPECT_THAT(a.reason("while true do end"), HasSubstr("rules/item.lua:2: it ran for more than 50 ms"));
  EXPECT_THAT(a.reason("local t = {} while true do t[#t + 1] = ('0123456789'):rep(1e5) .. #t end"), HasSubstr("rules/item.lua: it needs more than 16 MB"));
}

TEST(script, keeps_to_limits_that_are_given) {
  asked a{.limits = {.time = std::chrono::milliseconds(5), .bytes = 1 << 20}};
  EXPECT_THAT(a.reason("while true do end"), HasSubstr("more than 5 ms"));
  EXPECT_THAT(a.reason("return ('x'):rep(1 << 20)"), HasSubstr("more than 1 MB"));
  a.limits = {.time = std::chrono::milliseconds(5), .bytes = 100};
  EXPECT_THAT(a.reason("return 'home'"), HasSubstr("it needs more than 0 MB"));
}

TEST(script, is_asked_about_rows_larger_than_its_memory) {
  asked a{.limits = {.bytes = 1 << 20}};
  a.home[5] = std::string(8 << 20, 'x');
  EXPECT_EQ(a.told("#c.home.photo"), holds(std::to_string(8 << 20)));
  const ruling r = a.answer("return { photo = c.home.photo }");
  ASSERT_EQ(r.values.size(), 1u) << r.reason;
  EXPECT_EQ(r.values[0].second, a.home[5]);
}

}  // namespace
}  // namespace duet::conflict
