// What is written while nothing reads it, and how its arrival is seen.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "end_to_end/common.hpp"
#include "end_to_end/servers.hpp"

namespace duet::bench {

struct backlog {
  std::string key, what;
  long rows;
  std::string call;
};

std::vector<backlog> backlogs(const options&);
long updated_keys(const options&);     // (b) updates so many rows, in turn
int mark_id(bool out);                 // the row of `mark` that home, or the spoke, writes

// The backlog and then a mark.
void write_backlog(private_server&, const backlog&, int mark_id, long mark);

// Returns when the mark has arrived; throws after `limit`, or when `alive` says no.
void wait_for_mark(sql_session& target, int mark_id, long mark, std::chrono::seconds limit, const std::function<bool()>& alive = [] { return true; });

}  // namespace duet::bench
