// What an application may do to rows in one transaction arrives on the other side, both ways.
#include <functional>

#include "sync_fixture.hpp"

using namespace duet::testing;

namespace {

class rows : public sync_test {
 protected:
  rows() {
    at_home("CREATE TABLE item (id bigint PRIMARY KEY, code varchar(40) UNIQUE, note text, big text, amount numeric(12,2));"
            "CREATE TABLE parent (id bigint PRIMARY KEY, name varchar(40) NOT NULL);"
            "CREATE TABLE child (id bigint PRIMARY KEY, parent_id bigint NOT NULL REFERENCES parent (id), name varchar(40));"
            "ALTER TABLE item ALTER big SET STORAGE EXTERNAL;"
            "ALTER TABLE item REPLICA IDENTITY FULL; ALTER TABLE parent REPLICA IDENTITY FULL; ALTER TABLE child REPLICA IDENTITY FULL");
    at_spoke("CREATE TABLE item (id bigint PRIMARY KEY, code varchar(40) UNIQUE, note text, big mediumtext, amount decimal(12,2)) "
             "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
    at_spoke("CREATE TABLE parent (id bigint PRIMARY KEY, name varchar(40) NOT NULL) CHARACTER SET utf8mb4");
    at_spoke("CREATE TABLE child (id bigint PRIMARY KEY, parent_id bigint NOT NULL, name varchar(40), "
             "FOREIGN KEY (parent_id) REFERENCES parent (id)) CHARACTER SET utf8mb4");
    write_config("  - home: public.item\n  - home: public.parent\n  - home: public.child\n");
  }
  void SetUp() override {
    set_up();
    if (!HasFatalFailure()) start();
  }
  // The same work on each side in turn, on rows of its own: `first` and the few numbers after it. Returns when all has arrived.
  using work = std::function<std::vector<std::string>(long first)>;
  void do_on_each_side(const work& statements) {
    for (const bool from_home : {true, false}) {
      const long first = from_home ? 100 : 200;
      const auto session = from_home ? home().session(home_db_) : spoke().session(spoke_db_);
      for (const auto& sql : statements(first)) session->exec(sql);
      settle(*hub_);  // before the other side's turn: an application may be chosen as the victim of a deadlock with the hub
    }
  }
  void expect_items(const sql_rows& wanted, const std::string& columns = "id, code, note", const std::string& table = "item") {
    const std::string sql = "SELECT " + columns + " FROM " + table + " ORDER BY id";
    EXPECT_EQ(at_home(sql), wanted);
    EXPECT_EQ(at_spoke(sql), wanted);
    expect_equal();
  }
  static std::string n(long id) { return std::to_string(id); }
};

INSTANTIATE_TEST_SUITE_P(each, rows, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

TEST_P(rows, inserts_updates_and_deletes_arrive) {
  do_on_each_side([](long f) {
    return std::vector<std::string>{
        "INSERT INTO item (id, code, note) VALUES (" + n(f) + ", 'a" + n(f) + "', 'new'), (" + n(f + 1) + ", 'b" + n(f) + "', 'new')",
        "UPDATE item SET note = 'changed' WHERE id = " + n(f), "DELETE FROM item WHERE id = " + n(f + 1)};
  });
  expect_items({{"100", "a100", "changed"}, {"200", "a200", "changed"}});
}

TEST_P(rows, a_changed_key_arrives) {
  do_on_each_side([](long f) {
    return std::vector<std::string>{"INSERT INTO item (id, code, note) VALUES (" + n(f) + ", 'a" + n(f) + "', 'x')",
                                    "UPDATE item SET id = id + 5 WHERE id = " + n(f),
                                    "INSERT INTO item (id, code, note) VALUES (" + n(f) + ", 'b" + n(f) + "', 'y')"};
  });
  expect_items({{"100", "b100", "y"}, {"105", "a100", "x"}, {"200", "b200", "y"}, {"205", "a200", "x"}});
}

TEST_P(rows, unique_values_swapped_in_one_transaction_arrive) {
  do_on_each_side([](long f) {
    return std::vector<std::string>{"INSERT INTO item (id, code) VALUES (" + n(f) + ", 'a" + n(f) + "'), (" + n(f + 1) + ", 'b" + n(f) + "')",
                                    "BEGIN",
                                    "UPDATE item SET code = NULL WHERE id = " + n(f),
                                    "UPDATE item SET code = 'a" + n(f) + "' WHERE id = " + n(f + 1),
                                    "UPDATE item SET code = 'b" + n(f) + "' WHERE id = " + n(f),
                                    "COMMIT"};
  });
  expect_items({{"100", "b100", std::nullopt}, {"101", "a100", std::nullopt}, {"200", "b200", std::nullopt}, {"201", "a200", std::nullopt}});
}

TEST_P(rows, a_key_deleted_and_inserted_again_in_one_transaction_arrives) {
  do_on_each_side([](long f) {
    return std::vector<std::string>{"INSERT INTO item (id, code, note) VALUES (" + n(f) + ", 'a" + n(f) + "', 'old')",
                                    "BEGIN",
                                    "DELETE FROM item WHERE id = " + n(f),
                                    "INSERT INTO item (id, code, note) VALUES (" + n(f) + ", 'a" + n(f) + "', 'again')",
                                    "COMMIT",
                                    "BEGIN",
                                    "INSERT INTO item (id, code) VALUES (" + n(f + 1) + ", 'gone" + n(f) + "')",
                                    "DELETE FROM item WHERE id = " + n(f + 1),
                                    "COMMIT"};
  });
  expect_items({{"100", "a100", "again"}, {"200", "a200", "again"}});
}

TEST_P(rows, parents_and_children_arrive_in_an_order_that_foreign_keys_allow) {
  do_on_each_side([](long f) {
    return std::vector<std::string>{"BEGIN",
                                    "INSERT INTO parent VALUES (" + n(f) + ", 'first'), (" + n(f + 1) + ", 'second')",
                                    "INSERT INTO child VALUES (" + n(f) + ", " + n(f) + ", 'c')",
                                    "COMMIT",
                                    "BEGIN",
                                    "UPDATE child SET parent_id = " + n(f + 1) + " WHERE id = " + n(f),
                                    "DELETE FROM parent WHERE id = " + n(f),
                                    "COMMIT"};
  });
  expect_items({{"101", "second"}, {"201", "second"}}, "id, name", "parent");
  expect_items({{"100", "101", "c"}, {"200", "201", "c"}}, "id, parent_id, name", "child");
}

TEST_P(rows, null_the_empty_string_and_four_byte_characters_stay_what_they_are) {
  do_on_each_side([](long f) {
    return std::vector<std::string>{"INSERT INTO item (id, code, note, amount) VALUES (" + n(f) + ", NULL, '', NULL), (" + n(f + 1) +
                                    ", 'quote '' and \xc3\xa9" + n(f) + "', '\xf0\x9f\x8e\xb5 \xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80 \xe6\xbc\xa2', -0.10)",
                                    "INSERT INTO item (id, note) VALUES (" + n(f + 2) + ", 'to null')",
                                    "UPDATE item SET note = NULL WHERE id = " + n(f + 2)};
  });
  const std::string signs = "\xf0\x9f\x8e\xb5 \xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80 \xe6\xbc\xa2";
  expect_items({{"100", std::nullopt, "", std::nullopt}, {"101", "quote ' and \xc3\xa9" "100", signs, "-0.10"},
                {"102", std::nullopt, std::nullopt, std::nullopt}, {"200", std::nullopt, "", std::nullopt},
                {"201", "quote ' and \xc3\xa9" "200", signs, "-0.10"}, {"202", std::nullopt, std::nullopt, std::nullopt}},
               "id, code, note, amount");
}

TEST_P(rows, a_large_value_that_an_update_does_not_touch_stays) {
  const std::string big(50000, 'b');  // out of line at home: its log leaves it out when it is not touched
  do_on_each_side([&](long f) {
    return std::vector<std::string>{"INSERT INTO item (id, note, big) VALUES (" + n(f) + ", 'old', '" + big + "')",
                                    "UPDATE item SET note = 'new' WHERE id = " + n(f)};
  });
  expect_items({{"100", "new", big}, {"200", "new", big}}, "id, note, big");
}
