// duet schema: the tables that one side lacks, as CREATE TABLE. `duet setup --create-missing` runs the same.
#include <algorithm>

#include "cli/answer.hpp"
#include "cli/schema.hpp"
#include "duet/failure.hpp"
#include "observe/printable.hpp"

namespace duet::cli {

std::vector<std::string> statements_for(const translate::missing_table& t) {
  if (t.made.sql.empty()) return {};
  std::vector<std::string> all = {t.made.sql};
  if (t.at == side::home) {  // two-way sync compares with the old values
    const std::string head = "CREATE TABLE ";
    all.push_back("ALTER TABLE " + t.made.sql.substr(head.size(), t.made.sql.find(" (\n") - head.size()) + " REPLICA IDENTITY FULL");
  }
  return all;
}

int schema(const options& o, const engines& e, console& c) {
  preflight p(o.config_file, e);
  if (p.load() && p.connect()) p.bind();
  if (!p.home || !p.spoke) {
    if (o.json) return answer(c, "schema", p.exit_code(), findings_json(p.groups()));
    c.err << p.complaints() << std::flush;
    return p.exit_code();
  }
  auto missing = translate::write_missing_tables(p.cfg, p.home_tables, p.spoke_tables);
  std::erase_if(missing, [&](const auto& t) { return (o.home_only && t.at != side::home) || (o.spoke_only && t.at != side::spoke); });
  const bool all_made = std::none_of(missing.begin(), missing.end(), [](const auto& t) { return t.made.sql.empty(); });
  const int code = all_made ? exit_fine : exit_findings;
  if (o.json) {
    nlohmann::json list = nlohmann::json::array();
    for (const auto& t : missing)
      list.push_back({{"side", name(t.at)}, {"table", t.name}, {"like", t.like}, {"sql", statements_for(t)}, {"notes", t.made.notes}});
    return answer(c, "schema", code, {{"link", p.cfg.link}, {"missing", std::move(list)}});
  }
  if (missing.empty()) c.out << "-- no table is missing\n";
  for (const auto& t : missing) {
    c.out << "-- " << (t.at == side::home ? "Home" : "Spoke") << " lacks " << observe::printable(t.name) << ", which is " << observe::printable(t.like)
          << " on the other side\n";
    for (const std::string& note : t.made.notes) c.out << "-- " << observe::printable(note) << '\n';
    for (const std::string& sql : statements_for(t)) c.out << observe::printable_lines(sql) << ";\n";
    c.out << '\n';
  }
  c.out << std::flush;
  return code;
}

std::vector<std::string> create_missing(const options& o, const engines& e) {
  std::vector<std::string> made;
  preflight p(o.config_file, e);
  if (!p.load() || !p.connect()) return made;  // the verb says why
  p.bind();
  for (const auto& t : translate::write_missing_tables(p.cfg, p.home_tables, p.spoke_tables)) {
    try {
      for (const std::string& sql : statements_for(t)) (t.at == side::home ? p.home : p.spoke)->create_table(sql);
    } catch (const failure& f) {
      throw failure(f.kind, t.name + ": " + f.what(), f.server_code, "make it by hand, after what `duet schema` shows, then run duet setup once more");
    }
    if (!t.made.sql.empty()) made.push_back(std::string(name(t.at)) + ": " + t.name);
  }
  return made;
}

}  // namespace duet::cli
