// Decodes PostgreSQL's logical replication messages (pgoutput, protocol 1, text values, no streaming) into change blocks.
// Pure: bytes in, records out. The format: PostgreSQL documentation, "Logical Replication Message Formats".
//
//   stream      := (transaction | message)*
//   transaction := Begin [Origin] (Type | Relation | Insert | Update | Delete | Truncate | Message)* Commit
//
// A transaction without anything for us makes no records but `progress`.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "duet/change.hpp"
#include "duet/mapping.hpp"
#include "postgres/relation.hpp"

namespace duet::postgres {

class pgoutput_decoder {
 public:
  // The mapping outlives the decoder.
  pgoutput_decoder(const mapping&, std::string_view link);

  // What is known of the mapped columns' types; see relation.hpp. Transactions before `fits_from` may be older than the
  // mapping.
  void expect(std::size_t table, std::vector<type_number> types) { types_[table] = std::move(types); }
  void set_fits_from(log_position place) { fits_from_ = place; }

  // A new stream begins: forgets relations and any unfinished transaction.
  void reset();

  // One message. Throws damaged_log, schema_changed, configuration (a replica identity that does not identify rows); the
  // writer's transaction and this decoder are then unfinished: abandon() and reset().
  void decode(std::string_view message, block_writer&);

  bool in_transaction() const { return in_transaction_; }
  log_position end_of_last() const { return end_of_last_; }  // place after the last Commit; 0: none yet

 private:
  // A relation of the stream. Neither mapped nor control: its rows are skipped.
  struct relation {
    projection to;            // to.table is null if not mapped
    bool is_control = false;
    bool waits = false;       // of a paused table: its rows are counted
    bool flows = false;       // its changes flow from home
    // is_control: places of our columns in the tuple
    std::size_t link_at = 0, epoch_at = 0, position_at = 0, floor_at = 0, counter_at = 0;
  };

  void decode_begin(base::byte_reader&);
  void decode_commit(base::byte_reader&, block_writer&);
  void decode_relation_message(base::byte_reader&);
  void decode_row(char kind, base::byte_reader&, block_writer&);
  void decode_control_row(const relation&, base::byte_reader&, block_writer&);
  void decode_truncate(base::byte_reader&, block_writer&);
  void decode_logical_message(base::byte_reader&, block_writer&);
  void decode_tuple(const projection&, base::byte_reader&, block_writer&, block_writer::image, bool only_identity, bool has_old);

  relation& relation_of(std::uint32_t oid);
  // Whether the row is to be written; counts it if not. Opens the transaction in the writer in any case.
  bool wanted(const relation&, block_writer&);
  bool is_waiting(const relation_message&) const;
  void open(block_writer&);

  const mapping& mapping_;
  const std::string link_, refresh_prefix_;
  std::unordered_map<std::string, const table_pair*> by_name_;  // schema, zero byte, name
  std::vector<std::vector<type_number>> types_;                 // by table_pair::id
  log_position fits_from_;
  std::unordered_map<std::uint32_t, relation> relations_;
  std::uint32_t last_oid_ = 0;
  relation* last_relation_ = nullptr;  // that of last_oid_

  bool in_transaction_ = false, opened_ = false;  // opened: the writer has its begin
  log_position position_;
  std::int64_t commit_time_us_ = 0;
  std::uint32_t xid_ = 0;
  log_position end_of_last_;
};

}  // namespace duet::postgres
