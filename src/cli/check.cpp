// duet check: everything that would stop or endanger the sync, and what mends it. Changes nothing.
#include "cli/answer.hpp"
#include "cli/preflight.hpp"

namespace duet::cli {

int check(const options& o, const engines& e, console& c) {
  preflight p(o.config_file, e);
  if (p.load()) {
    p.connect();
    p.bind();
    p.check();
    p.check_set_up();
  } else {
    p.look_further();
  }
  const int code = p.exit_code();
  const auto groups = p.groups();
  if (o.json) {
    auto document = findings_json(groups);
    document["link"] = p.cfg.link;
    return answer(c, "check", code, std::move(document));
  }
  c.out << observe::findings_text(groups, false, c.out_is_terminal) << '\n' << observe::summary_text(groups) << std::endl;
  return code;
}

}  // namespace duet::cli
