#include "cli/answer.hpp"

namespace duet::cli {

nlohmann::json findings_json(const std::vector<observe::finding_group>& groups) {
  nlohmann::json list = nlohmann::json::array();
  std::size_t count[3] = {};
  for (const auto& group : groups) {
    for (const auto& f : group.lines) {
      nlohmann::json one = observe::to_json(f);
      one["section"] = group.where;
      list.push_back(std::move(one));
      ++count[static_cast<int>(f.is)];
    }
  }
  return {{"findings", std::move(list)}, {"counts", {{"ok", count[0]}, {"warn", count[1]}, {"refuse", count[2]}}}};
}

int answer(console& c, std::string_view verb, int exit_code, nlohmann::json document) {
  document["verb"] = std::string(verb);
  document["exit_code"] = exit_code;
  c.out << observe::dump(document) << std::endl;
  return exit_code;
}

int answer_failure(const options& o, console& c, std::string_view verb, const failure& f) {
  if (o.json) return answer(c, verb, exit_code(f.kind), {{"error", observe::to_json(f)}});
  c.err << "duet " << verb << ": " << observe::failure_text(f) << std::flush;
  return exit_code(f.kind);
}

}  // namespace duet::cli
