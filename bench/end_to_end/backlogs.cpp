#include "end_to_end/backlogs.hpp"

#include <stdexcept>
#include <thread>

namespace duet::bench {

long updated_keys(const options& o) { return o.scale(100'000); }
int mark_id(bool out) { return out ? 1 : 2; }

std::vector<backlog> backlogs(const options& o) {
  const auto n = [](long v) { return std::to_string(v); };
  const long a = o.scale(500'000), tenth = a / 10, b = o.scale(300'000), keys = updated_keys(o), c = o.scale(1'000'000), d = o.scale(100'000);
  std::vector<backlog> all = {
      {"a/10", "inserts in tens, a tenth of (a)", tenth, "CALL backlog_a(" + n(a) + ", " + n(tenth) + ")"},
      {"a", "inserts in tens", a, "CALL backlog_a(0, " + n(a) + ")"},
      {"b", "single-row updates", b, "CALL backlog_b(" + n(b) + ", " + n(keys) + ")"},
      {"c", "one transaction", c, "CALL backlog_c(" + n(10 * a) + ", " + n(c) + ")"},
      {"d", "deletes in tens", d, "CALL backlog_d(" + n(a - d) + ", " + n(d) + ")"},
  };
  if (!o.backlogs.empty())
    std::erase_if(all, [&](const backlog& x) { return x.key != "a" && !o.backlogs.contains(x.key); });  // the others work on (a)'s rows
  return all;
}

void write_backlog(private_server& server, const backlog& b, int mark_id, long mark) {
  write_fast(server, b.call);
  server.exec("UPDATE mark SET v = " + std::to_string(mark) + " WHERE id = " + std::to_string(mark_id), "bench");
  if (is_home(server)) server.exec("CHECKPOINT");
}

void wait_for_mark(sql_session& target, int mark_id, long mark, std::chrono::seconds limit, const std::function<bool()>& alive) {
  const std::string sql = "SELECT v FROM mark WHERE id = " + std::to_string(mark_id), expected = std::to_string(mark);
  const auto end = clock_type::now() + limit;
  for (;;) {
    if (target.scalar(sql) == expected) return;
    if (clock_type::now() > end) throw std::runtime_error("the backlog has not arrived after " + std::to_string(limit.count()) + " s");
    if (!alive()) throw std::runtime_error("the hub has ended");
    std::this_thread::sleep_for(3ms);
  }
}

}  // namespace duet::bench
