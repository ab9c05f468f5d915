// The control row: one per link on each side, table duet.control. It is loop tag, checkpoint and fence in one: each
// transaction of ours updates it first, guarded by what we believe it to be, and commits with it.
//
// The row at side X belongs to the stream from the other side Y to X.
#pragma once

#include <cstdint>
#include <string>

#include "duet/position.hpp"

namespace duet {

struct control_row {
  std::string link;
  std::uint64_t epoch = 0;      // raised by each hub that takes over; a write with an older epoch matches no row
  log_position position;        // Y's log, up to and with this transaction, is applied at X
  log_position floor;           // X's log as far as Y had seen it when Y wrote `position`
  std::uint64_t counter = 0;    // grows with each transaction, so that the UPDATE always changes the row
  std::uint64_t fingerprint = 0;  // of the transaction at `position` (see record::fingerprint); 0: none was at it
  std::string source_identity;  // of Y: PostgreSQL system_identifier/database oid; MySQL server_uuid; MariaDB: uuid or server_id we found at setup
  std::string own_identity;     // of X, the same; a restored or cloned X is found out by it

  friend bool operator==(const control_row&, const control_row&) = default;
};

}  // namespace duet
