#include "torture_test/tables.hpp"

#include <algorithm>
#include <cstdio>
#include <stdexcept>

namespace duet::torture {

const std::vector<table>& tables() {
  static const std::vector<table> all = {
      {"kv",
       {{"name", content::text}, {"n", content::number}, {"at", content::time}, {"note", content::text, true}},
       60, 30, true, false,
       "name text NOT NULL, n bigint NOT NULL, at timestamp(6) NOT NULL, note text",
       "name varchar(100) NOT NULL, n bigint NOT NULL, at datetime(6) NOT NULL, note text"},
      {"acct",
       {{"balance", content::delta}, {"owner", content::text}},
       12, 12, false, false,
       "balance bigint NOT NULL, owner text NOT NULL", "balance bigint NOT NULL, owner text NOT NULL"},
      {"uq",
       {{"code", content::text}, {"note", content::text, true}},
       30, 15, true, true,
       "code varchar(60) NOT NULL UNIQUE, note text", "code varchar(60) NOT NULL UNIQUE, note text"},
      {"par", {{"v", content::text}}, 40, 20, true, true, "v text NOT NULL", "v text NOT NULL"},
      {"ch",
       {{"par", content::reference}, {"v", content::text}},
       80, 0, true, true,
       "par bigint NOT NULL REFERENCES par (id), v text NOT NULL", "par bigint NOT NULL, v text NOT NULL, FOREIGN KEY (par) REFERENCES par (id)"},
      {"big",
       {{"title", content::text}, {"body", content::body}},
       8, 4, true, false,
       "title text NOT NULL, body text NOT NULL", "title text NOT NULL, body longtext NOT NULL"},
      {"moves",
       {{"v", content::text}, {"w", content::text}},
       400, 10, true, true,
       "v text NOT NULL, w text NOT NULL", "v text NOT NULL, w text NOT NULL"},
  };
  return all;
}

const table& table_named(const std::string& name) {
  for (const table& t : tables())
    if (t.name == name) return t;
  throw std::out_of_range("no table " + name);
}

std::string select_list(const table& t, side s) {
  std::string list;
  for (const field& f : t.fields) {
    if (!list.empty()) list += ", ";
    if (f.is == content::time && s == side::home) list += "to_char(" + f.name + ", 'YYYY-MM-DD HH24:MI:SS.US')";
    else if (f.is == content::time) list += "date_format(" + f.name + ", '%Y-%m-%d %H:%i:%s.%f')";
    else if (f.is == content::body && s == side::home) list += "split_part(" + f.name + ", ':', 1)";
    else if (f.is == content::body) list += "substring_index(" + f.name + ", ':', 1)";
    else list += f.name;
  }
  return list;
}

std::string comparable(const table& t, side s) {
  std::string list = "id, " + select_list(t, s);
  for (const field& f : t.fields)
    if (f.is == content::body) list += ", length(" + f.name + "), " + (s == side::home ? "encode(sha256(convert_to(" + f.name + ", 'UTF8')), 'hex')" : "sha2(" + f.name + ", 256)");
  return list;
}

std::string literal(const field& f, const std::optional<std::string>& value) {
  if (!value) return "NULL";
  switch (f.is) {
    case content::number:
    case content::reference:
    case content::delta: return *value;
    case content::body: return "concat('" + *value + ":', repeat('" + *value + " ', 9000))";
    case content::text:
    case content::time: break;
  }
  return '\'' + *value + '\'';
}

std::string naming_part(const field& f, const std::string& whole) { return f.is == content::body ? whole.substr(0, whole.find(':')) : whole; }

std::string token(const field& f, std::size_t index, side s, int client, long n) {
  const long long writer = (s == side::home ? 0 : 16) + client;
  const long long number = ((writer * 2'000'000) + n) * 8 + static_cast<long long>(index);
  if (f.is == content::number) return std::to_string(number);
  if (f.is == content::time) {
    const long long us = number * 10 + 7;  // never a zero at the end, which one side might leave out
    char text[64];
    std::snprintf(text, sizeof text, "2020-01-01 %02d:%02d:%02d.%06d", static_cast<int>(us / 3'600'000'000), static_cast<int>(us / 60'000'000 % 60),
                  static_cast<int>(us / 1'000'000 % 60), static_cast<int>(us % 1'000'000));
    return text;
  }
  return std::string(s == side::home ? "h." : "s.") + std::to_string(client) + "." + std::to_string(n) + "." + f.name;
}

namespace {

template <class T>
const T& one_of(std::mt19937& random, const std::vector<T>& all) {
  return all[random() % all.size()];
}

}  // namespace

plan::plan(unsigned s, int secs, std::string on) : seed(s), seconds(secs), spoke(std::move(on)) {
  std::mt19937 random(seed);
  clients_per_side = 2 + static_cast<int>(random() % 2);
  default_rule = one_of<std::string>(random, {"latest", "home", "spoke"});
  for (const table& t : tables()) {
    const std::string rule = one_of<std::string>(random, {"latest", "latest", "home", "spoke"});
    std::string words = "rule: " + rule;
    if (t.name == "acct") {
      words += ", columns: { balance: delta" + one_of<std::string>(random, {" }", ", owner: home }", ", owner: spoke }"});
    } else if (t.name == "kv") {
      if (rule == "latest") words += one_of<std::string>(random, {"", ", latest_by: at"});
      words += one_of<std::string>(random, {"", ", merge: row", ", groups: [[name, n]]", ", columns: { note: spoke }", ", groups: [[name, n]], columns: { note: home }"});
    } else {
      words += one_of<std::string>(random, {"", "", ", merge: row"});
    }
    if (t.comes_and_goes)
      words += one_of<std::string>(random, {"", ", update_vs_delete: update_wins", ", update_vs_delete: delete_wins", ", update_vs_delete: latest"});
    if (words.find("merge: row") != std::string::npos) {
      whole.push_back({t.name, {}});
      for (const field& f : t.fields) whole.back().second.push_back(f.name);
    } else if (words.find("groups") != std::string::npos) {
      whole.push_back({t.name, {"name", "n"}});
    }
    table_rules += "  - home: public." + t.name + "\n    conflict: { " + words + " }\n";
    // Most of the work goes to kv, and some tables are rested in some runs.
    const double weight = t.name == "kv" ? 4 : t.name == "big" || t.name == "moves" ? 0.3 : 1;
    table_weights.push_back(t.name != "kv" && t.name != "acct" && random() % 5 == 0 ? 0 : weight);
  }
  tuning = "tuning: { heartbeat: 1s" + one_of<std::string>(random, {"", ", ring: 1MB, block: 64KB", ", batch_rows: 100"}) + " }\n";
  zipf = one_of<double>(random, {0.8, 1.1, 1.5});
  deadlock_timeout = one_of<std::string>(random, {"50ms", "50ms", "50ms", "1s"});
  spoke_isolation = one_of<std::string>(random, {"REPEATABLE READ", "READ COMMITTED"});
}

std::string plan::configuration() const {
  return "conflicts: { default: " + default_rule + " }\n" + tuning + "tables:\n  - home: public.pair\n  - home: public.mark\n" + table_rules;
}

std::string plan::describe() const {
  std::string text = "seed " + std::to_string(seed) + ", " + std::to_string(seconds) + " s, " + spoke + " (" + spoke_isolation + "), deadlocks found after " +
                     deadlock_timeout + ", " +
                     std::to_string(clients_per_side) + " clients on each side, zipf " + std::to_string(zipf).substr(0, 3) + "; weights";
  for (std::size_t i = 0; i < tables().size(); ++i) text += " " + tables()[i].name + " " + std::to_string(table_weights[i]).substr(0, 3);
  return text + "\n" + configuration();
}

}  // namespace duet::torture
