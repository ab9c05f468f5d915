// The event that opens a transaction in the binlog and names it: GTID, anonymous and tagged GTID of MySQL, GTID of MariaDB.
#pragma once

#include <cstdint>
#include <string>

#include "mysql/binlog_event.hpp"

namespace duet::mysql {

struct group_start {
  std::string name;                 // "uuid:5", "uuid:tag:5", "0-1-5"; empty: anonymous
  std::int64_t commit_time_us = 0;  // 0: the event does not say more than its header's second
  bool standalone = false;          // MariaDB: one statement follows and no commit
};

// `body` without header and checksum.
group_start decode_gtid(std::string_view body, bool anonymous);
group_start decode_gtid_tagged(std::string_view body);
group_start decode_maria_gtid(std::string_view body, std::uint32_t server_id);

}  // namespace duet::mysql
