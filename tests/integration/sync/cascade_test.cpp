// Foreign keys that act by themselves on one side only, and triggers that keep a write off.
#include "sync_fixture.hpp"

using namespace duet::testing;

namespace {

class cascade : public sync_test {
 protected:
  void begin(const std::string& tables, const std::string& more = "") {
    write_config(tables, more);
    set_up();
    if (!HasFatalFailure()) start();
  }
};

INSTANTIATE_TEST_SUITE_P(each, cascade, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace

// Home's log has the parent's delete before those of its children, and the spoke does not cascade.
TEST_P(cascade, a_delete_that_cascades_at_home_only_arrives_whole) {
  at_home("CREATE TABLE parent (id bigint PRIMARY KEY); ALTER TABLE parent REPLICA IDENTITY FULL;"
          "CREATE TABLE child (id bigint PRIMARY KEY, parent_id bigint REFERENCES parent (id) ON DELETE CASCADE);"
          "ALTER TABLE child REPLICA IDENTITY FULL");
  at_spoke("CREATE TABLE parent (id bigint PRIMARY KEY)");
  at_spoke("CREATE TABLE child (id bigint PRIMARY KEY, parent_id bigint, FOREIGN KEY (parent_id) REFERENCES parent (id))");
  begin("  - home: public.parent\n  - home: public.child\n");
  if (HasFatalFailure()) return;
  at_home("INSERT INTO parent SELECT i FROM generate_series(1, 20) i; INSERT INTO child SELECT i, 1 + i % 20 FROM generate_series(1, 200) i");
  at_home("DELETE FROM parent WHERE id <= 10");
  at_home("BEGIN; DELETE FROM parent WHERE id = 11; INSERT INTO parent VALUES (11); INSERT INTO child VALUES (1000, 11); COMMIT");
  settle(*hub_);
  if (HasFatalFailure()) return;
  expect_both("SELECT count(*) FROM parent", {{"10"}});
  expect_both("SELECT count(*), sum(id) FROM child", {at_home("SELECT count(*), sum(id) FROM child").at(0)});
  expect_both("SELECT id FROM child WHERE parent_id = 11", {{"1000"}});
  expect_equal();
}

// The spoke gets it in parts, the parents long before the last of their children.
TEST_P(cascade, a_large_delete_that_cascades_at_home_only_arrives_whole) {
  at_home("CREATE TABLE parent (id bigint PRIMARY KEY, name text); ALTER TABLE parent REPLICA IDENTITY FULL;"
          "CREATE TABLE child (id bigint PRIMARY KEY, parent_id bigint REFERENCES parent (id) ON DELETE CASCADE);"
          "ALTER TABLE child REPLICA IDENTITY FULL");
  at_spoke("CREATE TABLE parent (id bigint PRIMARY KEY, name text)");
  at_spoke("CREATE TABLE child (id bigint PRIMARY KEY, parent_id bigint, FOREIGN KEY (parent_id) REFERENCES parent (id))");
  begin("  - home: public.parent\n  - home: public.child\n", "tuning: { batch_rows: 20 }\n");
  if (HasFatalFailure()) return;
  at_home("INSERT INTO parent SELECT i, 'name ' || i FROM generate_series(1, 20) i; INSERT INTO child SELECT i, 1 + i % 20 FROM generate_series(1, 400) i");
  at_home("BEGIN; DELETE FROM parent WHERE id <= 12; INSERT INTO parent VALUES (1, 'anew'); INSERT INTO child VALUES (1000, 1);"
          " DELETE FROM parent WHERE id = 13; COMMIT");
  settle(*hub_);
  if (HasFatalFailure()) return;
  expect_both("SELECT count(*) FROM parent", {{"8"}});
  expect_both("SELECT name FROM parent WHERE id = 1", {{"anew"}});
  expect_both("SELECT id FROM child WHERE parent_id = 1", {{"1000"}});
  expect_both("SELECT count(*), sum(id) FROM child", {at_home("SELECT count(*), sum(id) FROM child").at(0)});
  expect_equal();
}

// The guard's count says that nothing was written.
// MySQL 9.6 and later log what a changed key does to the children before the parent's change; the others don't log it.
TEST_P(cascade, a_changed_key_that_cascades_on_both_sides_arrives_whole) {
  at_home("CREATE TABLE parent (id bigint PRIMARY KEY); ALTER TABLE parent REPLICA IDENTITY FULL;"
          "CREATE TABLE child (id bigint PRIMARY KEY, parent_id bigint REFERENCES parent (id) ON UPDATE CASCADE);"
          "ALTER TABLE child REPLICA IDENTITY FULL");
  at_spoke("CREATE TABLE parent (id bigint PRIMARY KEY)");
  at_spoke("CREATE TABLE child (id bigint PRIMARY KEY, parent_id bigint, FOREIGN KEY (parent_id) REFERENCES parent (id) ON UPDATE CASCADE)");
  begin("  - home: public.parent\n  - home: public.child\n");
  if (HasFatalFailure()) return;
  at_home("INSERT INTO parent VALUES (31), (32); INSERT INTO child SELECT i, 31 + i % 2 FROM generate_series(1, 40) i");
  settle(*hub_);
  if (HasFatalFailure()) return;
  at_spoke("UPDATE parent SET id = 41 WHERE id = 31");
  at_home("UPDATE parent SET id = 42 WHERE id = 32");
  settle(*hub_);
  if (HasFatalFailure()) return;
  expect_both("SELECT parent_id, count(*) FROM child GROUP BY parent_id ORDER BY parent_id", {{"41", "20"}, {"42", "20"}});
  expect_both("SELECT id FROM parent ORDER BY id", {{"41"}, {"42"}});
  EXPECT_EQ(at_home("SELECT table_name, type, result FROM duet.conflict_log WHERE link = '" + link_ + "'"), sql_rows{}) << "taken for drift";
  EXPECT_EQ(at_spoke("SELECT table_name, type, result FROM duet.conflict_log WHERE link = '" + link_ + "'"), sql_rows{}) << "taken for drift";
  expect_equal();
}

TEST_P(cascade, a_trigger_that_keeps_a_write_off_is_noticed_and_the_row_is_held) {
  at_home("CREATE TABLE picky (id bigint PRIMARY KEY, v text); ALTER TABLE picky REPLICA IDENTITY FULL;"
          "CREATE FUNCTION keep_off() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF TG_OP = 'DELETE' THEN RETURN NULL; END IF;"
          " IF NEW.v = 'no' THEN RETURN NULL; END IF; RETURN NEW; END $$;"
          "CREATE TRIGGER picky BEFORE INSERT OR UPDATE OR DELETE ON picky FOR EACH ROW EXECUTE FUNCTION keep_off()");
  at_spoke("CREATE TABLE picky (id bigint PRIMARY KEY, v text) CHARACTER SET utf8mb4");
  begin("  - home: public.picky\n");
  if (HasFatalFailure()) return;
  at_spoke("INSERT INTO picky VALUES (1, 'yes'), (2, 'no'), (3, 'yes'), (4, 'yes')");
  settle(*hub_);
  if (HasFatalFailure()) return;
  at_spoke("UPDATE picky SET v = 'no' WHERE id = 3");
  at_spoke("DELETE FROM picky WHERE id = 4");
  at_spoke("INSERT INTO picky VALUES (5, 'yes')");
  settle(*hub_);
  if (HasFatalFailure()) return;
  EXPECT_EQ(at_home("SELECT id, v FROM picky ORDER BY id"), (sql_rows{{"1", "yes"}, {"3", "yes"}, {"4", "yes"}, {"5", "yes"}}));
  EXPECT_EQ(at_home("SELECT key ->> 'id', operation FROM duet.held WHERE link = '" + link_ + "' ORDER BY id"),
            (sql_rows{{"2", "insert"}, {"3", "update"}, {"4", "delete"}}));
}
