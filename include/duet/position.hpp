// A position in one database's log, as a number that grows with the log.
//
// It names a committed transaction: starting to read *at* the position delivers that transaction again. So a restart
// re-reads the last applied transaction and can compare its fingerprint.
//
//   PostgreSQL   the LSN of the commit record (the final LSN of pgoutput's Begin, not the end LSN)
//   MySQL        file number << 40 | offset of the transaction's first event (its GTID event) << 1; binlog.000007 is file 7
//
// The same numbers name places between transactions (the end of the log, "read up to here"): a place P is before the
// transaction that begins at P. To store such a place as a position that everything up to it is done, use just_before(P):
// it is smaller than a transaction at P and greater than all before it, and reading from it begins at P.
//
// Positions of two logs are never compared with each other; the type does not stop you, the names must.
#pragma once

#include <compare>
#include <cstdint>

namespace duet {

struct log_position {
  std::uint64_t value = 0;  // 0 = before the log's first transaction, "nothing"
  friend auto operator<=>(log_position, log_position) = default;
  explicit operator bool() const { return value != 0; }
};

inline log_position just_before(log_position place) { return {place.value ? place.value - 1 : 0}; }

inline constexpr int binlog_offset_bits = 40;

inline log_position binlog_position(std::uint64_t file_number, std::uint64_t offset) {
  return {file_number << binlog_offset_bits | offset << 1};
}
inline std::uint64_t binlog_file_number(log_position p) { return p.value >> binlog_offset_bits; }
inline std::uint64_t binlog_offset(log_position p) {  // of a position or of just_before() it
  return ((p.value & ((std::uint64_t{1} << binlog_offset_bits) - 1)) + 1) >> 1;
}

}  // namespace duet
