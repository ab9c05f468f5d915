// Rule script on real servers: what a script answers stands on both sides, what it can't answer is held, and nothing stops.
#include "sync_fixture.hpp"

using namespace duet::testing;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;

namespace {

class scripts : public sync_test {
 protected:
  scripts() {
    at_home("CREATE TABLE item (id bigint PRIMARY KEY, name text, city varchar(40), stock bigint NOT NULL CHECK (stock < 1000), price numeric(12,2) NOT NULL,"
            " sold boolean NOT NULL, at timestamptz(3));"
            "ALTER TABLE item REPLICA IDENTITY FULL");
    at_spoke("CREATE TABLE item (id bigint PRIMARY KEY, name text, city varchar(12), stock bigint NOT NULL, price decimal(12,2) NOT NULL,"
             " sold tinyint(1) NOT NULL, at datetime(3)) CHARACTER SET utf8mb4");
  }
  // The link with these rules for the table, streaming, and rows 1 to `rows` on both sides.
  void begin(const std::string& conflict, const std::string& lua, int rows = 12) {
    write_file(folder_.file("item.lua"), lua);
    write_config("  - home: public.item\n    conflict: { " + conflict + " }\n");
    set_up();
    if (HasFatalFailure()) return;
    start();
    if (HasFatalFailure()) return;
    at_home("INSERT INTO item SELECT i, 'old', 'old', 100, 10, false, '2024-01-01 00:00:00+00' FROM generate_series(1, " + std::to_string(rows) + ") i");
    settle(*hub_);
  }
  void unseen(const std::vector<std::string>& home_sql, const std::vector<std::string>& spoke_sql) {
    hub_->signal(SIGSTOP);
    for (const auto& sql : home_sql) at_home(sql);
    for (const auto& sql : spoke_sql) at_spoke(sql);
    hub_->signal(SIGCONT);
    settle(*hub_);
  }
  sql_rows conflicts() {
    return at_home("SELECT key ->> 'id', rule, winner FROM duet.conflict_log WHERE link = '" + link_ + "' ORDER BY (key ->> 'id')::bigint, id");
  }
  std::map<std::string, std::string> reasons() {
    std::map<std::string, std::string> by_key;
    for (const auto& r : at_home("SELECT key ->> 'id', reason FROM duet.held WHERE link = '" + link_ + "' ORDER BY id DESC")) by_key[*r[0]] = *r[1];
    return by_key;
  }
};

INSTANTIATE_TEST_SUITE_P(each, scripts, ::testing::ValuesIn(spoke_kinds()), spoke_name);

constexpr const char* columns = "SELECT id, name, city, stock, price FROM item ORDER BY id";

}  // namespace

TEST_P(scripts, a_columns_script_adds_what_both_sides_have_sold) {
  begin("rule: home, columns: { stock: { script: item.lua } }", "function resolve(c) return { stock = c.home.stock + c.spoke.stock - c.base.stock } end");
  if (HasFatalFailure()) return;
  unseen({"UPDATE item SET stock = stock - 3, name = 'home' WHERE id <= 2"},
         {"UPDATE item SET stock = stock - 2, city = 'spoke' WHERE id <= 2", "UPDATE item SET name = 'spoke' WHERE id = 1"});
  if (HasFatalFailure()) return;
  expect_both("SELECT id, name, city, stock FROM item WHERE id <= 3 ORDER BY id", {{"1", "home", "spoke", "95"}, {"2", "home", "spoke", "95"}, {"3", "old", "old", "100"}});
  EXPECT_EQ(conflicts(), (sql_rows{{"1", "script", "script"}, {"1", "home", "home"}, {"2", "script", "script"}}));
  EXPECT_EQ(at_home("SELECT home_row ->> 'stock', spoke_row ->> 'stock', result_row ->> 'stock', result FROM duet.conflict_log WHERE link = '" + link_ + "' AND key ->> 'id' = '2'"),
            (sql_rows{{"97", "98", "95", "its script has set values; the row was sent to the spoke again"}}));
}

TEST_P(scripts, a_rows_script_picks_sets_holds_and_whatever_goes_wrong_in_it_is_held_while_the_rest_flows) {
  begin("rule: { script: item.lua }", R"(
local answers = {
  function(c) return "home" end,
  function(c) return "spoke" end,
  function(c) return { name = c.home.name .. "+" .. c.spoke.name, price = duet.add(c.home.price, "0.5"), sold = not c.home.sold, city = duet.null,
                       at = "2025-06-01 14:00:00.1239+02" } end,
  function(c) return "hold", "ask the boss about " .. c.key.id end,
  function(c) return c.nothing.there end,
  function(c) while true do end end,
  function(c) local t = {} while true do t[#t + 1] = ("0123456789"):rep(1e5) .. #t end end,
  function(c) return { stock = 5000 } end,
  function(c) return { city = "too long for the spoke" } end,
  function(c) return { name = "\xff" } end,
  function(c) return { nmae = "x" } end,
  function(c) return { stock = "99999999999999999999" } end,
}
function resolve(c) return answers[c.key.id](c) end
)");
  if (HasFatalFailure()) return;
  std::atomic<std::int64_t> longest_ms{0};
  {
    std::jthread waits([&, session = home().session(home_db_)](std::stop_token stop) {  // for the locks of keys that are being decided
      while (!stop.stop_requested()) {
        const auto start = std::chrono::steady_clock::now();
        session->exec("SELECT 1 FROM item WHERE id BETWEEN 5 AND 7 FOR UPDATE");
        longest_ms = std::max<std::int64_t>(longest_ms, std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start).count());
        std::this_thread::sleep_for(1ms);
      }
    });
    unseen({"UPDATE item SET name = 'home'"}, {"UPDATE item SET name = 'spoke', stock = 50"});
    if (HasFatalFailure()) return;
  }
  EXPECT_LT(longest_ms, 3000);
  expect_both("SELECT id, name, city, stock, price FROM item WHERE id <= 3 ORDER BY id",
              {{"1", "home", "old", "50", "10.00"}, {"2", "spoke", "old", "50", "10.00"}, {"3", "home+spoke", std::nullopt, "50", "10.50"}});
  EXPECT_EQ(at_home("SELECT sold, at AT TIME ZONE 'UTC' FROM item WHERE id = 3"), (sql_rows{{"t", "2025-06-01 12:00:00.124"}}));
  EXPECT_EQ(at_spoke("SELECT sold, at FROM item WHERE id = 3"), (sql_rows{{"1", "2025-06-01 12:00:00.124"}}));
  EXPECT_EQ(at_home("SELECT result_row ->> 'at', result_row ->> 'price' FROM duet.conflict_log WHERE link = '" + link_ + "' AND key ->> 'id' = '3'"),
            (sql_rows{{"2025-06-01 12:00:00.124", "10.50"}}))
      << "what stands, not what the script has written";
  const auto why = reasons();
  EXPECT_EQ(why.size(), 9u);
  const auto expect = [&](const char* id, const char* reason) { EXPECT_THAT(why, Contains(::testing::Pair(id, HasSubstr(reason)))); };
  expect("4", "its script holds it: ask the boss about 4");
  expect("5", "its script failed: item.lua:8: attempt to index a nil value (field 'nothing')");
  expect("6", "its script failed: item.lua:9: it ran for more than 50 ms");
  expect("7", "its script failed: item.lua: it needs more than 16 MB");
  expect("8", "check constraint");
  expect("9", "the spoke can't store what its script answers: column city");
  expect("10", "its script answers what can't be done: item.lua: name: the text is no UTF-8");
  expect("11", "there is no synced column nmae");
  expect("12", "an integer is out of the column's range");
  EXPECT_EQ(at_home("SELECT name, stock FROM item WHERE id > 3 GROUP BY 1, 2"), (sql_rows{{"home", "100"}}));
  EXPECT_EQ(at_spoke("SELECT name, stock FROM item WHERE id > 3 GROUP BY 1, 2"), (sql_rows{{"spoke", "50"}}));

  const auto resolved = run({DUET_BINARY, "held", "resolve", "--all", "--table", "public.item", "--pick", "spoke", "--yes", "-c", config_file()}, 60s);
  EXPECT_EQ(resolved.exit_code, 0) << resolved.output;
  settle(*hub_);
  if (HasFatalFailure()) return;
  EXPECT_EQ(at_home(columns), at_spoke(columns));
  EXPECT_EQ(reasons().size(), 0u);
}

TEST_P(scripts, a_rows_script_decides_about_inserts_and_deletes) {
  begin("rule: { script: item.lua }, columns: { price: delta }", R"(
function resolve(c)
  local what = c.operation.home .. " " .. c.operation.spoke
  if what == "insert insert" then return { name = c.home.name .. "+" .. c.spoke.name .. (c.base and "" or ", no base") } end
  if not c.spoke then return { city = "kept " .. c.base.stock } end
  return c.key.id == 2 and "home" or { city = "back", stock = c.base.stock + 1 }
end
)");
  if (HasFatalFailure()) return;
  unseen({"DELETE FROM item WHERE id IN (1, 2)", "UPDATE item SET name = 'home' WHERE id = 3", "INSERT INTO item VALUES (20, 'home', 'h', 1, 1, true)"},
         {"UPDATE item SET name = 'spoke' WHERE id IN (1, 2)", "DELETE FROM item WHERE id = 3", "INSERT INTO item VALUES (20, 'spoke', 's', 2, 2, true, NULL)"});
  if (HasFatalFailure()) return;
  expect_both("SELECT id, name, city, stock, price FROM item WHERE id IN (1, 2, 3, 20) ORDER BY id",
              {{"1", "spoke", "back", "101", "10.00"}, {"3", "home", "kept 100", "100", "10.00"}, {"20", "home+spoke, no base", "h", "1", "1.00"}});
  EXPECT_EQ(conflicts(), (sql_rows{{"1", "script", "script"}, {"2", "script", "home"}, {"3", "script", "script"}, {"20", "script", "script"}}));
  EXPECT_EQ(reasons().size(), 0u);
}

TEST_P(scripts, a_storm_of_script_decisions_ends_equal_over_kills_of_the_hub) {
  const unsigned s = seed();
  SCOPED_TRACE("DUET_SEED=" + std::to_string(s));
  std::minstd_rand random(s);
  begin("rule: { script: item.lua }", R"(
function resolve(c)
  local dice = math.random(4)
  if dice == 1 then return "home" end
  if dice == 2 then return "spoke" end
  if not c.home or not c.spoke then return { name = "neither", city = "back" } end
  return { name = "n" .. math.random(1e6), stock = (c.home.stock + c.spoke.stock) // 2, price = duet.subtract(c.home.price, c.spoke.price) }
end
)", 4);
  if (HasFatalFailure()) return;
  std::vector<std::jthread> writers;
  for (const bool at_home : {true, false, true, false}) {
    writers.emplace_back([&, at_home, n = writers.size()](std::stop_token stop) {
      const auto session = at_home ? home().session(home_db_) : spoke().session(spoke_db_);
      std::minstd_rand mine(s + static_cast<unsigned>(n));
      while (!stop.stop_requested()) {
        const std::string id = std::to_string(1 + mine() % 4), value = std::to_string(mine() % 900);
        try {
          switch (mine() % 8) {
            case 0: session->exec("DELETE FROM item WHERE id = " + id); break;
            case 1: case 2: session->exec("INSERT INTO item VALUES (" + id + ", 'new', 'new', " + value + ", 1, true, NULL)"); break;
            default: session->exec("UPDATE item SET name = 'w" + value + "', stock = " + value + (mine() % 2 ? ", price = price + 0.5" : "") + " WHERE id = " + id);
          }
        } catch (const sql_error&) {  // the key is taken, or the victim of a deadlock
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(mine() % 8));
      }
    });
  }
  for (int kills = long_form() ? 30 : 3; kills > 0; --kills) {
    std::this_thread::sleep_for(std::chrono::milliseconds(200 + random() % 400));
    ASSERT_TRUE(hub_->running()) << hub_->output();
    hub_->kill9();
    start();
    if (HasFatalFailure()) break;
  }
  std::this_thread::sleep_for(300ms);
  writers.clear();
  if (HasFatalFailure()) return;
  settle(*hub_);
  if (HasFatalFailure()) return;
  EXPECT_EQ(at_home(columns), at_spoke(columns));
  EXPECT_EQ(reasons().size(), 0u);
  EXPECT_EQ(at_home("SELECT count(*) FROM duet.conflict_log WHERE link = '" + link_ + "' AND rule = 'drift'"), (sql_rows{{"0"}}));
  EXPECT_EQ(at_spoke("SELECT count(*) FROM duet.conflict_log WHERE link = '" + link_ + "'"), (sql_rows{{"0"}}));
  EXPECT_EQ(at_home("SELECT DISTINCT winner FROM duet.conflict_log WHERE link = '" + link_ + "' AND rule = 'script' ORDER BY 1"), (sql_rows{{"home"}, {"script"}, {"spoke"}}));
}
