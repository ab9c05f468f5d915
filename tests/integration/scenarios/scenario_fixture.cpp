#include "scenario_fixture.hpp"

namespace duet::testing {

namespace {

struct table {
  const char *name, *home, *spoke, *rules;  // rules: what follows its name in the configuration
};

constexpr table tables[] = {
    {"merged", "id bigint PRIMARY KEY, f text, g text", "id bigint PRIMARY KEY, f text, g text", "conflict: { rule: latest }"},
    {"stamped", "id bigint PRIMARY KEY, f text, updated_at timestamp(6)", "id bigint PRIMARY KEY, f text, updated_at datetime(6)",
     "conflict: { rule: latest, latest_by: updated_at, merge: row }"},
    // `big` is out of line at home: its log leaves it out of an update that does not touch it
    {"kept", "id bigint PRIMARY KEY, f text, g text, n bigint NOT NULL, big text", "id bigint PRIMARY KEY, f text, g text, n bigint NOT NULL, big mediumtext",
     "conflict: { rule: latest, update_vs_delete: update_wins, columns: { n: delta } }"},
    {"dropped", "id bigint PRIMARY KEY, f text, g text", "id bigint PRIMARY KEY, f text, g text", "conflict: { rule: latest, update_vs_delete: delete_wins }"},
    {"account", "id bigint PRIMARY KEY, balance bigint NOT NULL CHECK (balance >= 0), name text", "id bigint PRIMARY KEY, balance bigint NOT NULL CHECK (balance >= 0), name text",
     "conflict: { rule: home, columns: { balance: delta } }"},
    {"hot", "id bigint PRIMARY KEY, n bigint", "id bigint PRIMARY KEY, n bigint", "conflict: { rule: home }"},
    {"judged", "id bigint PRIMARY KEY, n bigint, f text", "id bigint PRIMARY KEY, n bigint, f text", "conflict: { rule: { script: judge.lua } }"},
    {"asked", "id bigint PRIMARY KEY, n bigint, f text", "id bigint PRIMARY KEY, n bigint, f text", "conflict: { rule: manual }"},
    {"parent", "id bigint PRIMARY KEY, n bigint", "id bigint PRIMARY KEY, n bigint CHECK (n <> 666)", "conflict: { rule: latest }"},
    {"child", "id bigint PRIMARY KEY, parent_id bigint NOT NULL REFERENCES parent (id), f text",
     "id bigint PRIMARY KEY, parent_id bigint NOT NULL, f text, FOREIGN KEY (parent_id) REFERENCES parent (id)", "conflict: { rule: latest }"},
    {"stem", "id bigint PRIMARY KEY, n bigint", "id bigint PRIMARY KEY, n bigint", "conflict: { rule: latest }"},
    {"twig_back", "id bigint PRIMARY KEY, stem_id bigint REFERENCES stem (id), f text",
     "id bigint PRIMARY KEY, stem_id bigint, f text, FOREIGN KEY (stem_id) REFERENCES stem (id)", "conflict: { rule: latest, missing_parent: resurrect }"},
    {"twig_gone", "id bigint PRIMARY KEY, stem_id bigint REFERENCES stem (id), f text",
     "id bigint PRIMARY KEY, stem_id bigint, f text, FOREIGN KEY (stem_id) REFERENCES stem (id)", "conflict: { rule: latest, missing_parent: drop_child }"},
    {"twig_emptied", "id bigint PRIMARY KEY, stem_id bigint REFERENCES stem (id), f text",
     "id bigint PRIMARY KEY, stem_id bigint, f text, FOREIGN KEY (stem_id) REFERENCES stem (id)", "conflict: { rule: latest, missing_parent: set_null }"},
    {"root", "id bigint PRIMARY KEY", "id bigint PRIMARY KEY", "conflict: { rule: latest }"},
    {"leaf_back", "id bigint PRIMARY KEY, a bigint REFERENCES root (id) ON DELETE CASCADE, b bigint REFERENCES root (id) ON DELETE CASCADE, f text",
     "id bigint PRIMARY KEY, a bigint, b bigint, f text, FOREIGN KEY (a) REFERENCES root (id) ON DELETE CASCADE, FOREIGN KEY (b) REFERENCES root (id) ON DELETE CASCADE",
     "conflict: { rule: latest, missing_parent: resurrect }"},
    {"leaf_gone", "id bigint PRIMARY KEY, a bigint REFERENCES root (id) ON DELETE CASCADE, b bigint REFERENCES root (id) ON DELETE CASCADE, f text",
     "id bigint PRIMARY KEY, a bigint, b bigint, f text, FOREIGN KEY (a) REFERENCES root (id) ON DELETE CASCADE, FOREIGN KEY (b) REFERENCES root (id) ON DELETE CASCADE",
     "conflict: { rule: latest, missing_parent: drop_child }"},
    {"bud", "id bigint PRIMARY KEY, leaf bigint REFERENCES leaf_back (id) ON DELETE CASCADE, f text",
     "id bigint PRIMARY KEY, leaf bigint, f text, FOREIGN KEY (leaf) REFERENCES leaf_back (id) ON DELETE CASCADE", "conflict: { rule: latest, missing_parent: resurrect }"},
    {"unique_one", "id bigint PRIMARY KEY, u bigint UNIQUE, f text", "id bigint PRIMARY KEY, u bigint UNIQUE, f text", "conflict: { rule: latest }"},
    {"owner", "id bigint PRIMARY KEY", "id bigint PRIMARY KEY", "conflict: { rule: latest }"},
    {"pet", "id bigint PRIMARY KEY, owner_id bigint REFERENCES owner (id) ON DELETE CASCADE, f text",
     "id bigint PRIMARY KEY, owner_id bigint, f text, FOREIGN KEY (owner_id) REFERENCES owner (id) ON DELETE CASCADE", "conflict: { rule: latest }"},
    {"emptied", "id bigint PRIMARY KEY, f text", "id bigint PRIMARY KEY, f text", "conflict: { rule: latest }"},
    {"folded", "id bigint PRIMARY KEY, f text, g text", "id bigint PRIMARY KEY, f varchar(40) COLLATE utf8mb4_general_ci, g text", "conflict: { rule: latest }"},
    {"awkward", "id bigint PRIMARY KEY, turn int, r real, d double precision, x numeric(38,20), t timestamp(6), j jsonb, c char(10)",
     "id bigint PRIMARY KEY, turn int, r float, d double, x decimal(38,20), t datetime(6), j json, c char(10)", "conflict: { rule: latest }"},
    {"stamped_there", "id bigint PRIMARY KEY, f text, g text", "id bigint PRIMARY KEY, f text, g text", "conflict: { rule: latest }"},
};

// Lua begins each decision of one second with the same number: the key makes them differ from each other.
constexpr const char* judge = R"(
function resolve(c)
  local dice = (c.key.id + math.random(1000)) % 3
  if dice == 0 then return "home" end
  if dice == 1 then return "spoke" end
  return { n = math.random(1000000), f = "judged" }
end
)";

}  // namespace

scenario_link::scenario_link(private_postgres& home, spoke_server& spoke)
    : sync_test(home, spoke), to_home(home.endpoint_of(home_db_)), to_spoke(spoke.endpoint_of(spoke_db_)) {
  home_port_ = to_home.port();
  spoke_port_ = to_spoke.port();
  std::string rules;
  for (const table& t : tables) {
    const std::string name = t.name;
    at_home("CREATE TABLE " + name + " (" + t.home + "); ALTER TABLE " + name + " REPLICA IDENTITY FULL");
    at_spoke("CREATE TABLE " + name + " (" + t.spoke + ") CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
    rules += "  - home: public." + name + "\n    " + t.rules + "\n";
  }
  at_home("ALTER TABLE kept ALTER big SET STORAGE EXTERNAL");
  // What each side's application has seen of `hot`, Duet's writes included; not synced.
  at_home("CREATE TABLE hot_seen (id bigint, n bigint);"
          "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO hot_seen VALUES (NEW.id, NEW.n); RETURN NULL; END $$;"
          "CREATE TRIGGER see AFTER INSERT OR UPDATE ON hot FOR EACH ROW EXECUTE FUNCTION see()");
  at_spoke("CREATE TRIGGER stamp BEFORE UPDATE ON stamped_there FOR EACH ROW SET NEW.g = CONCAT('stamped with ', NEW.f)");
  write_file(folder_.file("judge.lua"), judge);
  write_config(rules, "tuning: { ring: 1MB, block: 64KB }\n");
}

std::map<std::string, std::unique_ptr<scenario_link>>& scenario::links() {
  static std::map<std::string, std::unique_ptr<scenario_link>> all;
  return all;
}

INSTANTIATE_TEST_SUITE_P(each, scenario, ::testing::ValuesIn(spoke_kinds()), spoke_name);

}  // namespace duet::testing
