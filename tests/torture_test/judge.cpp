#include "torture_test/judge.hpp"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

namespace duet::torture {
namespace {

using nlohmann::json;
using testing::sql_row;
using testing::sql_rows;

constexpr std::size_t shown_max = 6;  // of the violations of one kind

const side both_sides[] = {side::home, side::spoke};
std::string name_of(side s) { return s == side::home ? "home" : "spoke"; }

struct key_name {
  std::string in;
  long key;
  auto operator<=>(const key_name&) const = default;
};

struct journal_entry {
  side where;
  std::string client, tx, op;
  const table* in;
  long key;
  json before, after;  // null: no row
  std::string describe() const { return name_of(where) + " client " + client + " transaction " + tx + ": " + op + " " + in->name + " " + std::to_string(key); }
};

struct conflict_line {
  std::string id, in, type, rule, winner;
  long key;
  json home_row, spoke_row, result_row;
};

using value_set = std::set<std::tuple<std::string, std::string, std::string>>;  // table, field, value

std::optional<std::string> value_in(const json& row, const field& f) {
  if (!row.is_object()) return std::nullopt;
  const auto found = row.find(f.name);
  if (found == row.end() || found->is_null()) return std::nullopt;
  return naming_part(f, found->is_string() ? found->get<std::string>() : found->dump());
}

bool is_token(const field& f) { return f.is != content::reference && f.is != content::delta; }

class bench {
 public:
  bench(stage& s, const observed& o) : stage_(s), observed_(o) { read(); }

  verdict decide() {
    out_.violations = observed_.violations;
    convergence();
    deltas();
    values_of_the_journals();
    values_that_stand();
    whole_fields();
    atomicity();
    conflicts();
    constraints();
    for (const auto& [invariant, count] : counted_)
      if (count > shown_max) out_.violations.push_back({invariant, "... and " + std::to_string(count - shown_max) + " more"});
    return out_;
  }

  void keep() const {
    std::ofstream j(stage_.folder() + "/journal.tsv"), c(stage_.folder() + "/conflict_log.tsv"), h(stage_.folder() + "/held.tsv");
    for (const journal_entry& e : journal_)
      j << name_of(e.where) << '\t' << e.client << '\t' << e.tx << '\t' << e.op << '\t' << e.in->name << '\t' << e.key << '\t' << e.before.dump() << '\t'
        << e.after.dump() << '\n';
    for (const side s : both_sides) {
      rows_to(c, name_of(s), stage_.ask(s, "SELECT id, table_name, " + key_column(s) + ", type, rule, winner, result, home_position, spoke_position, home_time, spoke_time, "
                                           "home_row, spoke_row, base_row, result_row FROM duet.conflict_log WHERE table_name <> 'public.big' ORDER BY id"));
      rows_to(h, name_of(s), stage_.ask(s, "SELECT id, table_name, " + key_column(s) + ", operation, reason, server_code, before_row, after_row, source_position "
                                           "FROM duet.held WHERE table_name <> 'public.big' ORDER BY id"));
      for (const table& t : tables()) {
        std::ofstream file(stage_.folder() + "/" + t.name + "." + name_of(s) + ".tsv");
        rows_to(file, name_of(s), stage_.ask(s, "SELECT " + comparable(t, s) + " FROM " + t.name + " ORDER BY id"));
      }
    }
  }

 private:
  static std::string key_column(side s) { return s == side::home ? "key" : "`key`"; }
  // Of a body only the part that names it.
  static std::string row_column(side s, const std::string& row) {
    if (s == side::spoke) return row;
    return "CASE WHEN table_name = 'public.big' THEN jsonb_set(" + row + ", '{body}', to_jsonb(split_part(" + row + " ->> 'body', ':', 1))) ELSE " + row + " END";
  }
  static void rows_to(std::ostream& out, const std::string& where, const sql_rows& rows) {
    for (const sql_row& r : rows) {
      out << where;
      for (const auto& v : r) out << '\t' << v.value_or("NULL");
      out << '\n';
    }
  }
  static json parsed(const std::optional<std::string>& text) { return text ? json::parse(*text, nullptr, false) : json(nullptr); }
  static std::string bare(const std::string& qualified) { return qualified.substr(qualified.find('.') + 1); }
  static long key_of(const json& key) {
    const auto id = key.find("id");
    return id == key.end() ? -1 : std::stol(id->is_string() ? id->get<std::string>() : id->dump());
  }

  void report(const std::string& invariant, const std::string& what) {
    if (++counted_[invariant] <= shown_max) out_.violations.push_back({invariant, what});
  }
  bool held(const std::string& in, long key) const { return held_.count({in, key}) != 0; }

  void read() {
    for (const side s : both_sides) {
      const std::string mine = " WHERE link = '" + stage_.link() + "'";
      for (const table& t : tables())
        for (sql_row& r : stage_.ask(s, "SELECT " + comparable(t, s) + " FROM " + t.name)) {
          const long key = std::stol(*r[0]);
          rows_[s == side::spoke][{t.name, key}] = std::move(r);
        }
      for (const sql_row& r : stage_.ask(s, "SELECT client, tx, op, tbl, k, before_row, after_row FROM j ORDER BY id"))
        journal_.push_back({s, *r[0], *r[1], *r[2], &table_named(*r[3]), std::stol(*r[4]), parsed(r[5]), parsed(r[6])});
      out_.transactions[s == side::spoke] = std::stoull(stage_.value(s, "SELECT count(*) FROM (SELECT DISTINCT client, tx FROM j) t"));
      for (const sql_row& r : stage_.ask(s, "SELECT table_name, " + key_column(s) + ", reason FROM duet.held" + mine)) {
        held_.insert({bare(*r[0]), key_of(parsed(r[1]))});
        if (r[2].value_or("").empty()) report("I10", "a held row of " + *r[0] + " at " + name_of(s) + " has no reason");
      }
      for (const sql_row& r : stage_.ask(s, "SELECT id, table_name, type, rule, winner, " + key_column(s) +
                                                ", " + row_column(s, "home_row") + ", " + row_column(s, "spoke_row") + ", " + row_column(s, "result_row") +
                                                " FROM duet.conflict_log" + mine + " ORDER BY id")) {
        conflict_line c{*r[0], bare(*r[1]), *r[2], *r[3], *r[4], key_of(parsed(r[5])), parsed(r[6]), parsed(r[7]), parsed(r[8])};
        (c.rule == "drift" ? drift_ : log_).push_back(std::move(c));
      }
    }
    out_.journal_rows = journal_.size();
    out_.conflicts = log_.size();
    out_.held = held_.size();
  }

  void convergence() {
    for (const table& t : tables()) {
      std::set<long> keys;
      for (const auto& side_rows : rows_)
        for (const auto& [k, row] : side_rows)
          if (k.in == t.name) keys.insert(k.key);
      for (const long key : keys) {
        if (held(t.name, key)) continue;
        const auto home = rows_[0].find({t.name, key}), spoke = rows_[1].find({t.name, key});
        const auto text = [](const auto& at, const auto& rows) {
          std::string all;
          if (at == rows.end()) return std::string("no row");
          for (const auto& v : at->second) all += (all.empty() ? "" : " | ") + v.value_or("NULL");
          return all;
        };
        const std::string a = text(home, rows_[0]), b = text(spoke, rows_[1]);
        if (a != b) report("I1", t.name + " " + std::to_string(key) + ": home has " + a + ", the spoke has " + b);
      }
    }
    for (const char* sql : {"SELECT pair, half, value FROM pair ORDER BY pair, half", "SELECT id, v FROM mark ORDER BY id"})
      if (stage_.ask(side::home, sql) != stage_.ask(side::spoke, sql)) report("I1", std::string("the sides differ: ") + sql);
    for (const key_name& k : held_) {
      const bool known = std::any_of(tables().begin(), tables().end(), [&](const table& t) { return t.name == k.in; });
      if (!known || !table_named(k.in).may_be_held) report("I10", k.in + " " + std::to_string(k.key) + " is held, and nothing of that table may be");
    }
  }

  void deltas() {
    const table& t = table_named("acct");
    std::map<long, long> expected;
    for (int k = 1; k <= t.first_rows; ++k) expected[k] = first_balance;
    for (const journal_entry& e : journal_)
      if (e.in == &t) expected[e.key] += std::stol(*value_in(e.after, t.fields[0])) - std::stol(*value_in(e.before, t.fields[0]));
    for (const side s : both_sides)
      for (const auto& [key, balance] : expected) {
        const std::string is = stage_.value(s, "SELECT balance FROM acct WHERE id = " + std::to_string(key));
        if (is != std::to_string(balance))
          report("I2", "acct " + std::to_string(key) + " at " + name_of(s) + ": " + is + ", the journals say " + std::to_string(balance));
      }
  }

  // I3
  void values_of_the_journals() {
    value_set stands, overwritten, lost;
    for (const auto& [k, row] : rows_[0]) {
      const table& t = table_named(k.in);
      for (std::size_t i = 0; i < t.fields.size(); ++i)
        if (row[i + 1]) stands.insert({t.name, t.fields[i].name, *row[i + 1]});
    }
    for (const journal_entry& e : journal_)
      for (const field& f : e.in->fields) {
        const auto was = value_in(e.before, f), is = value_in(e.after, f);
        if (was && was != is && e.op != "move from") overwritten.insert({e.in->name, f.name, *was});
      }
    for (const conflict_line& c : log_)
      for (const field& f : table_named(c.in).fields) {
        const auto left = value_in(c.result_row, f);
        for (const json* row : {&c.home_row, &c.spoke_row})
          if (const auto v = value_in(*row, f); v && v != left) lost.insert({c.in, f.name, *v});
      }
    for (const journal_entry& e : journal_) {
      if (held(e.in->name, e.key)) continue;
      for (const field& f : e.in->fields) {
        const auto v = value_in(e.after, f);
        if (!v || !is_token(f) || v == value_in(e.before, f)) continue;
        ++out_.values;
        const std::tuple<std::string, std::string, std::string> name{e.in->name, f.name, *v};
        if (!stands.count(name) && !overwritten.count(name) && !lost.count(name))
          report("I3", e.describe() + ": " + f.name + " = " + *v + " is gone, and nobody says why");
      }
    }
  }

  // I4, I5
  void values_that_stand() {
    value_set written, deleted, brought_back;
    for (const table& t : tables())
      for (int k = 1; k <= t.first_rows; ++k)
        for (std::size_t i = 0; i < t.fields.size(); ++i) written.insert({t.name, t.fields[i].name, token(t.fields[i], i, side::home, 0, k)});
    for (const journal_entry& e : journal_)
      for (const field& f : e.in->fields) {
        if (const auto v = value_in(e.after, f)) written.insert({e.in->name, f.name, *v});
        if (const auto v = value_in(e.before, f); v && e.op == "delete") deleted.insert({e.in->name, f.name, *v});
      }
    for (const conflict_line& c : log_)
      for (const field& f : table_named(c.in).fields)
        if (const auto v = value_in(c.result_row, f)) brought_back.insert({c.in, f.name, *v});
    for (const side s : both_sides)
      for (const auto& [k, row] : rows_[s == side::spoke]) {
        const table& t = table_named(k.in);
        if (held(t.name, k.key)) continue;
        for (std::size_t i = 0; i < t.fields.size(); ++i) {
          if (!row[i + 1] || !is_token(t.fields[i])) continue;
          const std::tuple<std::string, std::string, std::string> name{t.name, t.fields[i].name, *row[i + 1]};
          const std::string what = t.name + " " + std::to_string(k.key) + " at " + name_of(s) + ": " + t.fields[i].name + " = " + *row[i + 1];
          if (!written.count(name)) report("I4", what + " was written by nobody");
          else if (deleted.count(name) && !brought_back.count(name)) report("I5", what + " was deleted, and nobody says why it is back");
        }
      }
  }

  // I14
  void whole_fields() {
    for (const auto& [in, names] : stage_.planned().whole) {
      const table& t = table_named(in);
      const auto together = [&, &names = names](const auto& value_of) {
        std::string all;
        for (std::size_t i = 0; i < t.fields.size(); ++i)
          if (std::find(names.begin(), names.end(), t.fields[i].name) != names.end()) all += t.fields[i].name + " = " + value_of(i).value_or("NULL") + " ";
        return all;
      };
      std::set<std::string> known;
      for (int k = 1; k <= t.first_rows; ++k)
        known.insert(together([&](std::size_t i) { return std::optional(token(t.fields[i], i, side::home, 0, k)); }));
      for (const journal_entry& e : journal_)
        if (e.in == &t && e.after.is_object()) known.insert(together([&](std::size_t i) { return value_in(e.after, t.fields[i]); }));
      for (const auto& [k, row] : rows_[0]) {
        if (k.in != in || held(in, k.key)) continue;
        const std::string now = together([&, &row = row](std::size_t i) { return row[i + 1]; });
        if (!known.count(now)) report("I14", in + " " + std::to_string(k.key) + " has " + now + "which nobody has written together");
      }
    }
  }

  void atomicity() {
    if (observed_.torn) report("I6", std::to_string(observed_.torn) + " pairs were seen half moved in " + std::to_string(observed_.looks) + " looks");
    if (observed_.looks < 20) report("I6", "only " + std::to_string(observed_.looks) + " looks at the pairs");
    for (const side s : both_sides)
      for (const sql_row& r : stage_.ask(s, "SELECT pair, sum(value) FROM pair GROUP BY pair HAVING sum(value) <> " + std::to_string(pair_sum)))
        report("I6", "pair " + *r[0] + " sums to " + *r[1] + " at " + name_of(s));
  }

  // I9, I13
  void conflicts() {
    std::set<key_name> by[2];
    for (const journal_entry& e : journal_) by[e.where == side::spoke].insert({e.in->name, e.key});
    for (const conflict_line& c : log_) {
      // A change of a key that lost is answered under both keys, of which one side may know one only.
      if (c.in != "moves" && (!by[0].count({c.in, c.key}) || !by[1].count({c.in, c.key})))
        report("I9", "conflict " + c.id + " is about " + c.in + " " + std::to_string(c.key) + ", which only one side has written");
      if (c.winner != "home" && c.winner != "spoke" && c.winner != "both" && c.winner != "nobody") report("I9", "conflict " + c.id + " has no winner");
      if (c.rule.empty()) report("I9", "conflict " + c.id + " names no rule");
    }
    for (const conflict_line& c : drift_)
      report("I13", "drift: " + c.type + " of " + c.in + " " + std::to_string(c.key) + ": home " + c.home_row.dump().substr(0, 300) + ", spoke " + c.spoke_row.dump().substr(0, 300));
  }

  void constraints() {
    for (const side s : both_sides) {
      for (const sql_row& r : stage_.ask(s, "SELECT ch.id, ch.par FROM ch LEFT JOIN par ON par.id = ch.par WHERE par.id IS NULL"))
        report("I11", "ch " + *r[0] + " at " + name_of(s) + " has no parent " + *r[1]);
      for (const sql_row& r : stage_.ask(s, "SELECT code, count(*) FROM uq GROUP BY code HAVING count(*) > 1"))
        report("I11", "uq at " + name_of(s) + " has the code " + *r[0] + " " + *r[1] + " times");
    }
  }

  stage& stage_;
  const observed& observed_;
  verdict out_;
  std::map<std::string, std::size_t> counted_;
  std::map<key_name, sql_row> rows_[2];
  std::vector<journal_entry> journal_;
  std::vector<conflict_line> log_, drift_;
  std::set<key_name> held_;
};

}  // namespace

verdict judge(stage& s, const observed& o, evidence e) {
  bench b(s, o);
  verdict v = b.decide();
  if (e == evidence::keep || (e == evidence::keep_if_wrong && !v.violations.empty())) b.keep();
  return v;
}

}  // namespace duet::torture
