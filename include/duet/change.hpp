// Change blocks: how rows travel from a reader to an applier.
//
// A block is one slab of bytes that holds a sequence of records. A record is self-contained and position independent (its
// references are offsets from its own start), so a block can be spilled to a file with one write. A transaction may span
// blocks; a record never does: one that does not fit moves to the next block, and one larger than a whole block makes that
// block's slab grow.
//
//   log         := (transaction | progress)*
//   transaction := begin change* end
//
// Rows of a first copy travel as a transaction of their own, at the place of the log where they were as they are.
//
// Both logs deliver committed transactions only, in commit order. A transaction that carried our link's control row is
// "ours": of its rows only refreshes are kept, the rest is counted in transaction_end::echoes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "duet/policy.hpp"
#include "duet/position.hpp"
#include "duet/schema.hpp"
#include "duet/value.hpp"

namespace duet {

enum class operation : std::uint8_t {
  insert,    // after
  update,    // before if the log has it (full, or only the key if the key changed), after
  remove,    // before: full or only the key
  truncate,  // neither; one record per table
  refresh,   // home only, in a transaction of ours: before = the key; after = home's whole row, or none: the row is gone
};
std::string_view name(operation);
operation operation_named(std::string_view);  // the reverse; throws failure internal

enum class record_kind : std::uint8_t { begin, change, end, progress };

// Each record starts with this. `size` is a multiple of 8 and leads to the next record.
struct record {
  std::uint32_t size;
  record_kind kind;
};

struct transaction_begin : record {
  log_position position;        // see position.hpp
  std::int64_t commit_time_us;  // the server's clock, since 1970 UTC; 0 if the log does not say
  std::uint64_t fingerprint;    // hash of what names it beside its position (xid or GTID, commit time); never 0
  log_position seen;            // the other log as far as this side had seen it at this transaction; filled by the pipeline
  log_position seen_elsewhere;  // the same, of tables that do not catch up (pipeline/resumption.hpp)
  std::uint64_t copied_table;   // 1 + table_pair::id: no transaction of the log, but rows of that table's first copy, as inserts
};

struct transaction_end : record {
  log_position position;      // of the transaction; in a `progress` record 0
  log_position read_up_to;    // everything in the log before this has been read
  log_position seen, seen_elsewhere;  // as in begin; of a transaction of ours: with what it carried; filled by the pipeline
  std::uint32_t changes;      // records between begin and end
  std::uint32_t filtered;     // rows of mapped tables that do not flow this way
  std::uint32_t echoes;       // rows of ours, dropped
  bool ours;
  std::uint64_t control_epoch, control_counter;           // if ours: the control row as this transaction left it
  log_position control_position, control_floor;
};

// What was decided about a row. A refresh carries it, so that later writes of the row are judged against the writes that
// won and not against the refresh.
struct decision_tag {
  struct won {
    field_set fields = 0;      // where a write of this side met one of the other and stands
    std::int64_t time_us = 0;  // its commit time, the latest of several
  };
  won by_home, by_spoke;
  bool ends_hold = false;      // a person has decided: the key no longer waits

  won& by(side s) { return s == side::home ? by_home : by_spoke; }
  const won& by(side s) const { return s == side::home ? by_home : by_spoke; }
  field_set fields() const { return by_home.fields | by_spoke.fields; }
  // Another decision, after this one: its fields have a new winner.
  void add(const decision_tag& later) {
    ends_hold |= later.ends_hold;
    for (side s : {side::home, side::spoke}) {
      by(s).fields = (by(s).fields & ~later.fields()) | later.by(s).fields;
      if (later.by(s).fields && later.by(s).time_us > by(s).time_us) by(s).time_us = later.by(s).time_us;
    }
  }
};

struct change_record : record {
  operation op;
  bool has_before, has_after;
  bool unchanged;          // an update that changed no mapped column; filled by the pipeline
  std::uint16_t table;     // table_pair::id
  std::uint16_t columns;   // number of cells per image = table_pair::columns.size()
  std::uint64_t token;     // hash of table and key; filled by the pipeline
  std::uint64_t token_before;  // of the key before, where an update changed it; else = token
  field_set fields;        // what it has touched; of a refresh: what was decided; filled by the pipeline
  decision_tag decided;    // of a refresh

  cell before(std::size_t column) const { return at(column); }
  cell after(std::size_t column) const { return at((has_before ? columns : 0) + column); }

 private:
  friend class block_writer;
  struct stored_cell {
    std::uint32_t offset;  // from the start of the record
    std::uint32_t size;    // or one of the two below
  };
  static constexpr std::uint32_t null_size = 0xffffffff, absent_size = 0xfffffffe;
  const stored_cell* cells() const { return reinterpret_cast<const stored_cell*>(this + 1); }
  stored_cell* cells() { return reinterpret_cast<stored_cell*>(this + 1); }
  cell at(std::size_t i) const {
    const stored_cell& s = cells()[i];
    if (s.size == null_size) return cell::null();
    if (s.size == absent_size) return {};
    return {reinterpret_cast<const char*>(this) + s.offset, s.size, cell::state::present};
  }
};

// A slab and the records in it. Owned by the lane's pool, written by one thread, then read by one thread.
class change_block {
 public:
  explicit change_block(std::size_t capacity) : capacity_(capacity), slab_(new std::byte[capacity]) {}

  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }
  const std::byte* data() const { return slab_.get(); }

  const record* first() const { return size_ ? reinterpret_cast<const record*>(slab_.get()) : nullptr; }
  const record* next(const record* r) const {
    auto* p = reinterpret_cast<const std::byte*>(r) + r->size;
    return p < slab_.get() + size_ ? reinterpret_cast<const record*>(p) : nullptr;
  }
  record* first() { return const_cast<record*>(std::as_const(*this).first()); }
  record* next(record* r) { return const_cast<record*>(std::as_const(*this).next(r)); }

  void clear() { size_ = 0; }
  void assign(const std::byte* bytes, std::size_t n);  // for a block read back from the spill file
  void reserve(std::size_t n);                         // grows the slab, keeping its contents
  void shrink(std::size_t capacity);                   // after clear(): gives an oversized slab back

 private:
  friend class block_writer;
  std::size_t capacity_, size_ = 0;
  std::unique_ptr<std::byte[]> slab_;
};

// Where a writer gets its blocks. next() takes over the full block (null at the first call) and returns an empty one;
// it may wait for room, and throws if the link is stopping.
class block_supply {
 public:
  virtual ~block_supply() = default;
  virtual change_block& next(change_block* full) = 0;

  // Our own transactions. Does anyone look at the rows of the one that left the control row so? Asked each time the log shows
  // the control row; then, if so, each row before it is dropped, and the end.
  virtual bool expects_echo(std::uint64_t /*epoch*/, std::uint64_t /*counter*/) { return false; }
  virtual void echo(const change_record&) {}
  virtual void end_of_echo() {}
};

// How a source writes. One writer per source, used by the reader's thread only.
//
//   begin(...); { [own(...)] | start_change(...); set.. ; finish_change() | count_echo(n) | count_filtered(n) }* ; end(...)
class block_writer {
 public:
  enum image : std::uint8_t { before, after };

  explicit block_writer(block_supply& supply) : supply_(&supply) {}

  void begin(log_position position, std::int64_t commit_time_us, std::uint64_t fingerprint, std::uint64_t copied_table = 0);
  // The transaction carries our control row. May be called again in one transaction: the last one counts.
  void own(std::uint64_t epoch, std::uint64_t counter, log_position position, log_position floor);
  bool is_ours() const { return end_.ours; }
  // Of a transaction of ours: its rows are to be written like any other's, not only counted. They go to block_supply::echo, and
  // finish_change() counts them.
  bool wants_echoes() const { return wants_echoes_; }
  bool in_transaction() const { return in_transaction_; }

  void start_change(operation op, std::uint16_t table, std::uint16_t columns, bool has_before, bool has_after);  // cells start absent
  void set_null(image, std::size_t column);
  void set(image, std::size_t column, std::string_view bytes);
  // `size` bytes to be written by the caller before any other call; keep_appended cuts them to what was used.
  char* append(image, std::size_t column, std::size_t size);
  void keep_appended(std::size_t used);
  void copy_cell(image from, image to, std::size_t column);  // the same bytes, not stored twice
  void set_decision(const decision_tag&);                    // of a refresh
  void finish_change();
  void discard_change();

  void count_echo(std::uint32_t rows = 1) { end_.echoes += rows; }
  void count_filtered(std::uint32_t rows = 1) { end_.filtered += rows; }

  void end(log_position read_up_to);
  void abandon();                         // forgets an unfinished transaction's state (the connection was lost)
  void progress(log_position read_up_to);  // only outside a transaction
  void flush();                           // hands out the current block if there is anything in it

 private:
  std::byte* grow(std::size_t bytes);     // room at the end of the current record
  template <class T> T& put();
  change_record& change();

  block_supply* supply_;
  change_block* block_ = nullptr;
  std::size_t change_at_ = 0;             // offset of the open change record in the block
  std::uint32_t last_cell_ = 0;
  bool in_transaction_ = false, in_change_ = false, wants_echoes_ = false;
  transaction_end end_{};
};

}  // namespace duet
