// From binlog events to change blocks: the grammar of the log. Pure: event bytes in, writer out.
//
//   log      := file*
//   file     := rotate* format_description (idle | group)*
//   idle     := rotate | stop | heartbeat | previous_gtids | gtid_list | binlog_checkpoint | ignorable
//   group    := gtid ( statement                                    DDL, and MariaDB's standalone groups
//                    | BEGIN part* end                              MariaDB: no BEGIN, its GTID event stands for it
//                    | transaction_payload )                        MySQL: compressed; BEGIN part* end inside
//   part     := table_map+ rows+ | statement | intvar | ... | annotate_rows
//   end      := xid | COMMIT | ROLLBACK | xa_prepare
//
// What does not fit stops with failure{damaged_log}. A group is delivered if it changes rows of mapped tables, truncates
// one, or moves our control row; the others only move read_up_to.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "duet/change.hpp"
#include "duet/mapping.hpp"
#include "mysql/binlog_event.hpp"
#include "mysql/compressed.hpp"
#include "mysql/gtid.hpp"
#include "mysql/row_decoder.hpp"

namespace duet::mysql {

class binlog_decoder {
 public:
  // The mapping must outlive the decoder.
  binlog_decoder(const mapping&, std::string link);
  ~binlog_decoder();

  // From now on changes in a log that does not name its columns are refused: after ALTER TABLE they could be misread.
  void require_column_names() { needs_names_ = true; }

  // Transactions before this may be older than the mapping: what their tables lack or have besides is no change of a table.
  void set_fits_from(log_position place) { fits_from_ = place; }

  // What comes next is the stream of a dump that was asked for from dump_offset() in the file of `from`.
  void start(log_position from);
  std::uint32_t dump_offset() const { return dump_offset_; }

  // One event as the server sent it, header and checksum included.
  void decode(std::string_view event, block_writer&);

  // Outside a transaction: a progress record, if the log has moved since the last record.
  void settle(block_writer&);

  // Everything before this has been delivered. It is the end of a group, or of an event between groups.
  log_position read_up_to() const { return read_up_to_; }
  bool inside_group() const { return phase_ != phase::idle; }

 private:
  enum class phase : std::uint8_t {
    idle,    // between groups
    opened,  // the GTID is known, nothing more
    inside,
  };
  struct known_table;

  void decode_next(std::string_view event, block_writer&);
  void dispatch(const event_header&, std::string_view body, block_writer&, bool nested);
  std::string_view check_and_cut(const event_header&, std::string_view event);
  void move(const event_header&);
  void on_rotate(const event_header&, std::string_view body, block_writer&);
  void on_format_description(const event_header&, std::string_view event, block_writer&);
  void on_heartbeat(const event_header&, std::string_view body);
  void open_group(const event_header&, group_start, phase);
  void close_group(block_writer&);
  void forget_group(block_writer&, const char* why);
  void on_statement(const event_header&, const query&, block_writer&);
  void on_truncate(const table_pair&, block_writer&);
  void on_xa_prepare(std::string_view body, block_writer&);
  void on_table_map(std::string_view body);
  void on_rows(event_type, std::string_view body, block_writer&);
  void on_control_rows(const known_table&, const rows_event&, block_writer&);
  void on_payload(std::string_view body, block_writer&);
  void ensure_begun(block_writer&);
  void require(phase, const char* what) const;
  const table_pair* find_table(std::string_view database, std::string_view table) const;

  const mapping* mapping_;
  std::string link_;
  bool needs_names_ = false;
  std::unordered_map<std::string, const table_pair*> tables_;  // by database, zero byte, table
  std::unordered_set<std::string> waiting_;  // paused tables, the same
  log_position fits_from_;
  std::unordered_map<const table_pair*, std::string> described_as_;  // by their last TABLE_MAP since fits_from_, without its id

  // of the stream
  log_position from_;
  std::uint32_t dump_offset_ = 0;
  std::uint64_t file_ = 0, offset_ = 0;  // where the next event starts
  std::uint64_t event_start_ = 0;
  bool located_ = false, reached_ = false, first_ = true;
  bool described_ = false;
  format_description description_;
  log_position read_up_to_, recorded_;
  std::unordered_map<std::uint64_t, std::unique_ptr<known_table>> known_;
  std::unordered_set<std::string> harmless_xa_;  // prepared, without rows of mapped tables

  // of the group
  phase phase_ = phase::idle;
  group_start group_;
  event_header group_header_{};
  log_position position_;
  std::uint64_t group_number_ = 0;
  bool begun_ = false, skipping_ = false, xa_ = false;

  std::vector<char> inflated_, inflated_statement_;
  payload_reader payload_;
};

}  // namespace duet::mysql
