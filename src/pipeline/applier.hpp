// The second half of a lane: the thread that writes one side.
//
//   block -> records -> convert -> planner -> runs -> target, many source transactions in one target transaction
//
// A row whose statement found it as expected is done. The few others are decided one by one under their row locks, once
// the log of the side written to has been read up to now (catch-up): the index then tells whether a local write that the
// change had not seen stands against it.
//
//   to home    such a write meets the change: the table's rules decide (conflict/arbiter), what lost goes to the conflict log,
//              and the row as it stands goes back as a refresh
//   to spoke   such a write meets it: those fields are not written here; the write is on its way home, which will answer
//   none       the row is not what the log says it was (drift): written by force, and logged
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <thread>
#include <unordered_set>
#include <vector>

#include "base/arena.hpp"
#include "causality/write_index.hpp"
#include "conflict/arbiter.hpp"
#include "conflict/script.hpp"
#include "duet/config.hpp"
#include "duet/failure.hpp"
#include "duet/status.hpp"
#include "duet/target.hpp"
#include "pipeline/change_ring.hpp"
#include "pipeline/copying.hpp"
#include "pipeline/deleted_rows.hpp"
#include "pipeline/echo_audit.hpp"
#include "pipeline/held_keys.hpp"
#include "pipeline/planner.hpp"
#include "pipeline/put_backs.hpp"
#include "pipeline/resumption.hpp"

namespace duet::pipeline {

// What the two lanes of a link share beside the indexes, and what outlives a restart of the lanes.
struct link_state {
  explicit link_state(std::size_t tables) : stopped_tables(tables) {}
  echo_audit audit[2] = {echo_audit(side::home), echo_audit(side::spoke)};  // by the side written to
  std::function<void(std::chrono::milliseconds)> pause = [](std::chrono::milliseconds t) { std::this_thread::sleep_for(t); };
  held_keys held;
  put_backs put_back;
  deleted_rows deleted;                            // of home
  std::uint64_t claimed_epoch = 0;                 // the last one that this hub has asked for; 0: none yet
  std::vector<std::atomic<bool>> stopped_tables;   // by table id: a TRUNCATE waits for a decision, or too many keys do
  // By side: its log was found to hold the transaction that was applied last. Before, it may be another history, of which
  // the other side knows nothing: until both logs are known, nothing is written to either side.
  std::atomic<bool> log_is_known[2] = {};
  // Home's control row as this hub's applier has last begun to leave it (duet/control.hpp: counter).
  std::atomic<std::uint64_t> home_counter{0};
  // The spoke's clock minus home's, as measured last.
  static constexpr std::int64_t not_measured = INT64_MIN;
  std::atomic<std::int64_t> clock_offset_us{not_measured};
  // The last source transaction per target side that was too large to be tried again from memory and had a row refused:
  // the next time it comes, each statement gets a savepoint.
  std::atomic<std::uint64_t> careful_until[2] = {};
  // Transactions of the spoke that are given up as a whole (conflict_policy::whole_transactions), by position, until that is
  // committed. Home's applier only.
  std::set<std::uint64_t> given_up;
  std::optional<resumption> resumed;               // changes between two starts of the lanes only
  log_position kept_from[2] = {};                  // by side: paused tables need its log from here on; 0: none does

  // The mapping is another one: what is known by table ids is forgotten.
  void begin_anew(std::size_t tables);
};

class applier {
 public:
  static constexpr std::size_t in_stream_max = 1'000'000;  // keys; with more, a copied row is looked at where it meets one
  static constexpr std::chrono::seconds catch_up_max{120};  // how long it waits without locks before the link is restarted

  // Waits until the log of the side written to has been read up to a place; false: not in time, or stopping.
  using follower = std::function<bool(log_position, std::chrono::milliseconds, std::stop_token)>;

  // `held_tokens`: of the side written to; those of the other side are the other applier's. `decisions_from`: a place of the
  // target's log that its reader must have passed before the first row is decided (0: none).
  applier(side to, target&, const mapping&, const config&, change_ring&, causality::write_index& their_writes, link_state&,
          control_row committed, const std::vector<std::pair<std::string, std::uint64_t>>& held_tokens, follower, log_position decisions_from);

  // At home: where the spoke's own values are looked up. Null: it owns no column.
  void look_up_at(target* owner) { owner_ = owner; }

  // The first copies of tables of the side read, and of the side written to; null: there is none. They outlive the applier.
  void copy(copying*, const copying* back);

  // Applies until stop is requested and what has been read is written, or `drain_limit` has passed. Drained, it leaves the
  // control row up to date, so that the next start reads little again.
  void work(std::stop_token, std::chrono::milliseconds drain_limit);

  // From any thread: when stop is requested, do not drain.
  void give_up() { give_up_.store(true); }

  // As committed; any thread.
  log_position position() const { return {position_.load(std::memory_order_acquire)}; }
  log_position floor() const { return {floor_.load(std::memory_order_acquire)}; }
  lane_counters counters() const;
  std::int64_t lag_ms() const;

  // One step of work(): takes a block if there is one, writes what is complete when there is none, and a heartbeat if one is
  // due. False: nothing was there.
  bool step(std::chrono::milliseconds wait);

 private:
  struct held_change {
    const change_record* change;
    const origin* from;
    std::string reason, server_code;
  };
  struct deferred_row {
    const run* shape;
    const planned_row* row;
  };
  // Copies of deferred rows whose part of the transaction is written and forgotten.
  struct kept_rows {
    base::arena arena;
    std::deque<run> shapes;
    std::deque<planned_row> rows;
    std::size_t bytes = 0;
    deferred_row add(const deferred_row&);
    void clear();
  };
  struct catch_up_needed {
    log_position place;
  };
  struct transactions_given_up {};                // of the batch: those in link_state, since now
  // A key that home has decided about in the transaction under way. Its row is sent at the transaction's end, since later
  // changes of the batch may touch it in fields that nobody contests.
  struct due_refresh {
    const table_pair* table;
    std::vector<std::optional<std::string>> key;  // by column; home's form
    std::uint64_t token;
    decision_tag tag;
    bool undoes = false;                          // a transaction that was given up
  };

  // reading blocks
  void consume(change_block*);
  void require_last_found(log_position read) const;
  [[noreturn]] void refuse_history(const char* what) const;
  void take_begin(const transaction_begin&);
  void take_change(const change_record&);
  void note_in_stream(const change_record&);
  void plan(const change_record&);
  void take_end(const transaction_end&);
  void read_up_before_deciding();
  void add_deltas(const table_pair&, run::row&);
  bool convert(const change_record&, const table_pair&, run::row&, std::string& reason);
  static bool changes_anything(const change_record&, const table_pair&, const run::row&);
  row_view keep_to_owner(const change_record&, const table_pair&, run::row&);
  bool waits(const change_record&);
  bool waits(std::uint64_t token);
  bool stays_here(const change_record&) const;
  const origin* origin_of(const change_record& c) const { return link_.resumed && !mapping_.tables[c.table].catches_up ? elsewhere_ : current_; }
  void hold_later(const change_record&, std::string reason, std::string server_code = {});

  // writing
  void finish_batch();
  void flush_part();
  void write_batch(bool whole);
  void write_runs(bool last);
  void write_run(planned_run&);
  void read_up_under_locks(const planned_run&);
  void look_behind_copied(const planned_run&);
  void look_at_merged(const planned_run&);
  bool is_deferred(const planned_row&) const;
  void write_deferred();
  void keep_deferred();
  void write_statement(const run&, std::span<const planned_row* const> rows, insert_mode, std::vector<const planned_row*>& doubtful);
  void write_carefully(const run& shape, std::span<const planned_row* const> rows, std::vector<const planned_row*>& doubtful);
  void decide(const run&, const std::vector<const planned_row*>& rows);
  void decide_row(const run&, const planned_row&, const owned_row& at_before, const owned_row& at_after);
  void decide_at_home(const run&, const planned_row&, const owned_row& at_before, const owned_row& at_after);
  void decide_at_spoke(const run&, const planned_row&, const owned_row& at_before, const owned_row& at_after);
  void merge_row(const run&, const planned_row&, const owned_row& current);
  std::vector<std::uint16_t> differing(const planned_row&, const table_pair&, const owned_row& current);
  bool is_given_up(const planned_row&, const table_pair&) const;
  void give_up_row(const planned_row&, const table_pair&, const owned_row& at_before, const owned_row& at_after);
  void give_up_what_depends();
  void keep_deleted(const planned_row&, const table_pair&, const owned_row& current);
  void clear_mark(const table_pair&, row_view key);
  void bring_back(const planned_row&, const table_pair&);
  due_refresh& refresh_later(const table_pair&, row_view key, std::uint64_t token, const decision_tag&);
  void send_refreshes();
  void answer_trespass(const planned_row&, const table_pair&, const owned_row& was);
  std::string take_from_owner(const table_pair&, row_view key, const owned_row& ours);
  void log_taken(const planned_row&, const table_pair&, const owned_row& was);
  void put_back_until(log_position floor);
  std::string put_back_row(const put_back&, log_position floor);
  cell* key_cells(const put_back&);
  // rows that refer to others: parents.cpp
  struct referred {                               // a row that another one refers to
    const reference* by;
    std::uint64_t token;
    row_view key;
    bool found;
    std::optional<causality::write_index::entry> deleted;  // how home has deleted it, which the spoke's change had not seen
  };
  struct kin {                                    // a row of the side written to that refers to another one
    static constexpr std::size_t root = SIZE_MAX;
    const table_pair* table;
    const reference* by;
    std::size_t parent;                           // whom it refers to: number among its kin, or the root
    owned_row row;
    std::vector<cell> cells;
    std::uint64_t token;
    log_position position;                        // of its last write there that the delete had not seen
    std::int64_t time_us;
    bool sent, unseen;                            // something of it is on its way to the other side; that is not the other side's own
    bool goes, emptied;
  };
  static bool is_foreign_key(const failure&);
  std::optional<causality::write_index::entry> deleted_unseen(std::uint64_t token, log_position seen);
  bool is_referred_to_unseen(std::uint64_t token, log_position seen);
  bool refers_to_deleted(const table_pair&, row_view image, log_position seen);
  bool parent_explains(const planned_row&, const table_pair&);
  bool stays_for_children(const run&, const planned_row&);
  bool stays_for_kin(const run&, const planned_row&);
  bool left_to_home(const run&, const planned_row&);
  bool write_without_parents(const run&, const planned_row&);
  bool settle_reference(const run&, const planned_row&, const failure&);
  bool settle_parents(const run&, const planned_row&);
  std::vector<referred> missing_parents(const table_pair&, row_view child, log_position seen);
  void answer_for_parents(const table_pair&, row_view child, log_position seen);
  void answer_for_held(const held_change&);
  row_view key_of_parent(const reference&, row_view child);
  std::vector<referred> parents_of(const table_pair&, row_view child, log_position seen);
  void answer_for(const referred&);
  void answer_for_ancestors(const table_pair&, std::uint64_t token, log_position seen);
  bool waits_here(std::uint64_t token) const;
  cell* cells_at_spoke(const table_pair&, row_view key);
  cell* cells_of_deleted(const table_pair&, std::uint64_t token);
  static decision_tag stands_at_home(const table_pair&, std::int64_t time_us);
  void bring_parent_back(const table_pair&, const referred&, log_position seen);
  std::deque<kin> kin_of(const table_pair&, row_view key, log_position seen);
  void send_kin(const std::deque<kin>&);
  void send_children(const planned_row&, const table_pair&);
  void log_kin(const planned_row&, const kin&, const owned_row& left, const char* result);
  bool make_way(const planned_row&, const table_pair&, const owned_row& current);
  void end_hold(const planned_row&, const table_pair&);
  void write_one(const table_pair&, operation, row_view before, row_view after, const std::vector<std::uint16_t>& columns);
  void write_some(const planned_row&, const table_pair&, std::vector<std::uint16_t> columns, std::vector<std::uint16_t> deltas);
  void write_decided();
  void mark(const table_pair&, row_view key, const std::string& column, std::optional<std::int64_t> time_us);
  planned_row with_values(const planned_row&, const table_pair&, const std::vector<conflict::new_value>&);
  owned_row left_by_script(const planned_row&, const table_pair&, const std::vector<conflict::new_value>&);
  void write_by_force(const run&, const planned_row&, const owned_row& current, const owned_row& at_after);
  void write_other_key(const planned_row&, const table_pair&, const owned_row& at_before, const owned_row& at_after, bool before_stands);
  void write_refresh(const planned_row&, const table_pair&, const owned_row& current);
  void log_entry(conflict_entry&);
  void log_conflict(const planned_row&, const table_pair&, const conflict::decision&, const owned_row& was, const owned_row& is);
  bool is_being_copied(const table_pair& t) const { return !being_copied_.empty() && being_copied_[t.id]; }
  bool is_being_merged(const table_pair& t) const { return being_merged_[t.id]; }
  void log_drift(const planned_row&, const table_pair&, const char* type, const owned_row& found, const char* result, bool expected = false);
  void log_written_over(const planned_row&, const table_pair&, const owned_row& current, std::span<const std::uint16_t> columns);
  void hold(const held_change&);
  void announce_hold(std::uint64_t token, std::uint16_t table);
  void stop_full_tables();
  void catch_up();
  void begin(const control_row& next);
  void commit(const control_row& final);
  void undo_attempt();
  struct held_token {
    std::uint64_t token;
    std::uint16_t table;
  };
  struct undo_point {
    lane_counters counters;
    std::vector<due_refresh> refreshes;
    std::size_t holds, releases, deferred, echoes;
  };
  undo_point point() const { return {attempt_, attempt_refreshes_, attempt_held_.size(), attempt_released_.size(), deferred_.size(), audit_.mark()}; }
  void undo_to(const undo_point&);          // what was done since is not in the transaction after all
  void add_retry();
  void after_taking();
  void after_commit(const control_row&);
  void copies_stored();
  void release_blocks(bool keep_current);
  void heartbeat(bool at_once = false);
  control_row next_control() const;

  const side to_, from_;
  follower follow_;
  target& target_;
  target* owner_ = nullptr;
  const mapping& mapping_;
  const config& config_;
  std::vector<conflict::script> scripts_;  // of config::scripts
  change_ring& ring_;
  causality::write_index& their_writes_;
  link_state& link_;
  echo_audit& audit_;
  std::stop_token stop_;
  log_position decisions_from_;

  // the source, as far as it has been taken
  control_row control_;                 // as committed
  log_position done_, seen_;            // position and floor of the last complete source transaction
  std::uint64_t done_fingerprint_ = 0;
  log_position progress_;               // nothing for us up to here
  bool found_last_ = false;             // the transaction at the committed position has been read again and compared
  bool skipping_ = false, in_transaction_ = false;
  const origin* current_ = nullptr;
  origin* elsewhere_ = nullptr;                  // the same transaction, as tables see it that do not catch up; only while others do
  std::uint64_t current_fingerprint_ = 0;
  std::vector<std::unique_ptr<std::byte[]>> refreshes_;  // copies, from the open transaction of ours to the end of the batch
  std::size_t refreshes_planned_ = 0;            // of them; the rest waits for the transaction's end

  // the batch
  planner planner_;
  std::deque<origin> origins_;
  base::arena arena_;
  change_block* block_ = nullptr;       // being consumed
  std::vector<change_block*> retained_; // their records are referred to by planned rows
  std::vector<held_change> holds_;
  bool answer_owed_ = false;            // the spoke has dropped a trespass: home waits for the acknowledgement
  std::unordered_set<std::uint64_t> batch_held_;   // keys of holds_: later changes of the batch wait behind them
  bool open_ = false, streamed_ = false, careful_ = false;
  control_row given_;                   // what begin() was told

  // first copies
  copying* copying_ = nullptr;
  std::vector<bool> not_begun_, being_copied_;  // by table; empty: none is copied
  std::vector<bool> being_merged_;      // by table, since this object was made: what had not seen the end of it may still come
  std::unordered_set<std::uint64_t> in_stream_;  // keys that the log has brought since the copy of their table has begun; until all copies are made
  std::uint64_t copied_table_ = 0;      // 1 + table of the rows under way; 0: they are a transaction's
  std::vector<std::pair<std::uint16_t, table_copy>> copied_;  // how far, with the rows of this batch; the last one of each table

  // of this attempt, taken back if it fails
  lane_counters attempt_;
  std::vector<due_refresh> attempt_refreshes_;
  std::vector<held_token> attempt_held_, attempt_released_;
  std::vector<std::size_t> attempt_new_;    // by table: keys of attempt_held_ that were not held before
  std::vector<std::uint16_t> attempt_stopped_;  // tables that hold too many keys from here on
  std::vector<deferred_row> deferred_;      // to be tried again at the end
  kept_rows kept_;                          // the first ones of them, if parts of the transaction are written
  bool last_chance_ = false;                // that is now
  bool gives_up_ = false;                   // a transaction of the run at hand, which was not known to be

  // scratch
  std::vector<causality::write_index::question> questions_;
  std::vector<std::uint8_t> answers_;
  std::vector<std::uint32_t> unmatched_;
  enum class found_here : std::uint8_t { nothing, equal, different };
  std::vector<found_here> merged_;      // by row of a run of copied rows of a table that is merged
  run statement_;
  run decided_{.table = nullptr, .op = operation::update};  // rows that are decided and not written yet
  std::vector<const planned_row*> sure_, doubtful_;
  std::vector<causality::write_index::entry> met_entries_;
  std::vector<conflict::met_write> met_;
  std::vector<causality::write_index::entry> parent_writes_;

  lane_counters taken_;                 // read, echoes, filtered, unchanged of the batch
  bool heartbeat_due_ = false;
  std::chrono::steady_clock::time_point last_commit_;
  std::atomic<bool> give_up_{false};
  std::atomic<std::uint64_t> position_, floor_;
  std::atomic<std::int64_t> oldest_waiting_us_{0};
  mutable std::mutex counters_mutex_;
  lane_counters counters_;
};

}  // namespace duet::pipeline
