// A database in memory behind the contract of site, source and target: real hub, readers and appliers run against it.
// One table (id, value, note, amount); amount is a number. Or three of them, with foreign keys. A transaction holds the whole
// database's lock, the log has its own.
// Faults are drawn from a seed: lost connections before, during and after a commit, deadlocks, slow readers.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <iterator>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "duet/failure.hpp"
#include "duet/hub.hpp"
#include "duet/row_reader.hpp"

namespace duet::testing {

using text_row = std::vector<std::optional<std::string>>;

inline table_schema memory_table(const char* name = "kv") {
  table_schema t;
  t.schema = "public";
  t.name = name;
  for (const char* n : {"id", "value", "note", "amount"}) {
    column c;
    c.name = n;
    c.ordinal = static_cast<int>(t.columns.size());
    c.type.kind = c.name == "amount" ? value_kind::integer : value_kind::text;
    t.columns.push_back(c);
  }
  t.primary_key = {0};
  return t;
}

// Field 0: value and note, or value alone; then note, then amount.
inline conflict_policy memory_policy(conflict_rule rule, bool merge_columns = true, bool delta = false) {
  conflict_policy p;
  p.rule = rule;
  p.merge_columns = merge_columns;
  p.fields.push_back({{1}, rule});
  if (merge_columns) p.fields.push_back({{2}, rule});
  else p.fields[0].columns.push_back(2);
  if (merge_columns || delta) p.fields.push_back({{3}, delta ? conflict_rule::delta : rule});
  else p.fields[0].columns.push_back(3);
  p.field_of.assign(4, 0);
  for (std::size_t f = 0; f < p.fields.size(); ++f)
    for (const std::uint16_t c : p.fields[f].columns) p.field_of[c] = static_cast<std::uint8_t>(f);
  if (delta) p.deltas = p.bit_of(3);
  return p;
}

inline mapping memory_mapping(const conflict_policy& policy = memory_policy(conflict_rule::home, false)) {
  table_pair t;
  t.home = t.spoke = memory_table();
  for (const column& c : t.home.columns) {
    column_pair p;
    p.home = p.spoke = c;
    p.key = c.name == "id";
    t.columns.push_back(p);
  }
  t.key = {0};
  t.policy = policy;
  mapping m;
  m.tables.push_back(t);
  return m;
}

// Two more tables: mid, whose note is a key of kv, and leaf, whose note is one of mid's and whose amount, if `twice`, one of kv's.
inline mapping memory_family(const conflict_policy& policy, const parent_rule (&rules)[3], bool twice) {
  mapping m = memory_mapping(policy);
  for (const char* name : {"mid", "leaf"}) {
    table_pair t = m.tables[0];
    t.id = t.generation = static_cast<std::uint16_t>(m.tables.size());
    t.home = t.spoke = memory_table(name);
    m.tables.push_back(t);
  }
  const auto refer = [&m](std::uint16_t child, std::uint16_t column, std::uint16_t parent) {
    table_pair& t = m.tables[child];
    t.references.push_back({parent, {column}, {column}, {}});
    t.parents.push_back(parent);
    m.tables[parent].children.emplace_back(child, static_cast<std::uint16_t>(t.references.size() - 1));
  };
  refer(1, 2, 0);
  refer(2, 2, 1);
  if (twice) refer(2, 3, 0);
  for (int t : {1, 2}) m.tables[static_cast<std::size_t>(t)].policy.missing_parent = rules[t];
  if (std::none_of(m.tables.begin(), m.tables.end(), [](const table_pair& t) { return t.settles_parents(); }))
    for (table_pair& t : m.tables) t.references.clear(), t.children.clear();
  return m;
}

struct fault_plan {
  std::uint64_t seed = 1;
  int per_mille_lost = 0;       // of target calls: the connection breaks
  int per_mille_doubt = 0;      // of commits: it happens, the answer is lost
  int per_mille_deadlock = 0;   // of statements
  int reader_delay_us = 0;      // up to, per read
  std::size_t read_transactions = 20;  // at a time
  bool sleeps = true;           // a source with nothing to read waits a little
  std::atomic<bool> on{true};
  std::atomic<int> targets_made{0};  // each has its own faults
};

struct memory_change {
  operation op;
  std::optional<text_row> before, after;
  decision_tag decided = {};  // of a refresh
  std::uint16_t table = 0;
};

struct memory_key {
  std::uint16_t child, column, parent;
  enum { restricts, cascades, sets_null } on_delete;
};

struct memory_tables {
  std::map<std::string, text_row> rows;     // of the first table
  std::map<std::string, text_row> more[2];
  std::map<std::string, text_row>& of(std::uint16_t table) { return table ? more[table - 1] : rows; }
};

class memory_database : public memory_tables {
 public:
  using logged = memory_change;
  struct transaction {
    log_position position;
    std::int64_t time_us;
    bool ours = false;
    control_row control;
    std::vector<logged> changes;
  };

  memory_database(side s, std::string identity) : which(s), id(std::move(identity)) {}

  const side which;
  const std::string id;
  std::timed_mutex lock;                       // rows and tables, for a whole transaction
  std::vector<memory_key> foreign_keys;
  std::optional<control_row> control;
  std::vector<conflict_entry> conflicts;
  std::vector<held_entry> held;
  std::vector<std::pair<std::string, std::optional<std::int64_t>>> marks;  // key, time
  std::vector<aged_conflict> aged;             // of duet.conflict_log as the upkeep sees it; under log_mutex
  std::vector<table_key> held_keys;
  std::vector<table_copy> copies;              // duet.first_copy
  std::size_t most_at_once = 0;                // rows removed by one statement
  std::optional<std::int64_t> clock_ahead_us;  // of ours
  std::set<std::string> refused_values;        // a constraint: these may not be stored

  mutable std::mutex log_mutex;
  std::vector<transaction> log;
  std::atomic<std::uint64_t> released{0};

  failure refuses(bool parent) const {
    return failure(failure_kind::row_refused, parent ? "others refer to it" : "there is no such parent", which == side::home ? "23503" : parent ? "1451" : "1452");
  }
  void check_parents(memory_tables& all, std::uint16_t table, const text_row& row) const {
    for (const memory_key& k : foreign_keys)
      if (k.child == table && row[k.column] && !all.of(k.parent).contains(*row[k.column])) throw refuses(false);
  }
  // With what foreign keys do to others.
  void remove(memory_tables& all, std::uint16_t table, const std::string& key, std::vector<memory_change>& changes) const {
    const text_row row = all.of(table).at(key);
    std::vector<memory_change> others;
    for (const memory_key& k : foreign_keys) {
      if (k.parent != table) continue;
      const std::map<std::string, text_row> children = all.of(k.child);
      for (const auto& [id, child] : children) {
        const auto now = all.of(k.child).find(id);
        if (now == all.of(k.child).end() || now->second[k.column] != key) continue;
        if (k.on_delete == memory_key::restricts) throw refuses(true);
        if (k.on_delete == memory_key::cascades) {
          remove(all, k.child, id, others);
        } else {
          const text_row before = now->second;
          now->second[k.column].reset();
          others.push_back({operation::update, before, now->second, {}, k.child});
        }
      }
    }
    all.of(table).erase(key);
    const memory_change own{operation::remove, row, std::nullopt, {}, table};
    if (which == side::home) changes.push_back(own);
    changes.insert(changes.end(), others.begin(), others.end());
    if (which == side::spoke) changes.push_back(own);
  }

  // An application's transaction on one key: nullopt deletes.
  void write(const std::string& key, const std::optional<text_row>& row) { write_all({{key, row}}); }
  void write_all(const std::vector<std::pair<std::string, std::optional<text_row>>>& writes) {
    std::lock_guard guard(lock);
    std::vector<logged> changes;
    for (const auto& [key, row] : writes) {
      auto it = rows.find(key);
      std::optional<text_row> before;
      if (it != rows.end()) before = it->second;
      if (!before && !row) continue;
      changes.push_back({!before ? operation::insert : row ? operation::update : operation::remove, before, row});
      if (row) rows[key] = *row;
      else rows.erase(key);
    }
    if (!changes.empty()) append({{}, 0, false, {}, std::move(changes)});
  }
  void append(transaction t) {
    std::lock_guard guard(log_mutex);
    t.position = {(log.size() + 1) * 16};
    if (t.time_us == 0) t.time_us = static_cast<std::int64_t>(1'000'000 + log.size());
    log.push_back(std::move(t));
  }
  log_position end() const {
    std::lock_guard guard(log_mutex);
    return {(log.size() + 1) * 16};
  }
};

inline failure lost(const char* where) { return failure(failure_kind::connection_lost, where); }

class memory_source : public source {
 public:
  memory_source(memory_database& d, fault_plan& f) : db_(d), faults_(f), random_(f.seed ^ 77) {}
  void start(log_position from) override {
    next_ = (from.value + 15) / 16;
    next_ = next_ ? next_ - 1 : 0;
    stopped_ = false;
    if (from.value + 1 < db_.released) throw failure(failure_kind::log_lost, "released");
  }
  bool read(block_writer& w, std::chrono::milliseconds) override {
    if (stopped_) throw lost("interrupted");
    if (faults_.on && faults_.reader_delay_us)
      std::this_thread::sleep_for(std::chrono::microseconds(random_() % faults_.reader_delay_us));
    std::vector<memory_database::transaction> batch;
    std::size_t end;
    {
      std::lock_guard guard(db_.log_mutex);
      for (std::size_t i = next_; i < db_.log.size() && batch.size() < faults_.read_transactions; ++i) batch.push_back(db_.log[i]);
      end = db_.log.size();
    }
    if (batch.empty()) {
      if (faults_.sleeps) std::this_thread::sleep_for(std::chrono::microseconds(200));
      if (told_ == end) return false;
      told_ = end;
      w.progress({(end + 1) * 16});
      return true;
    }
    for (const auto& t : batch) {
      w.begin(t.position, t.time_us, t.position.value * 31 + 7);
      if (t.ours) w.own(t.control.epoch, t.control.counter, t.control.position, t.control.floor);
      for (const auto& c : t.changes) {
        if (t.ours && c.op != operation::refresh && !w.wants_echoes()) {
          w.count_echo();
          continue;
        }
        w.start_change(c.op, c.table, 4, c.before.has_value(), c.after.has_value());
        put(w, block_writer::before, c.before, c.op == operation::refresh);
        put(w, block_writer::after, c.after, false);
        if (c.op == operation::refresh) w.set_decision(c.decided);
        w.finish_change();
      }
      ++next_;
      w.end({t.position.value + 16});
    }
    told_ = next_;
    return true;
  }
  void release(log_position p) override { db_.released = std::max(db_.released.load(), p.value); }
  void keep_alive() override {}
  log_position read_up_to() const override { return {(next_ + 1) * 16}; }
  void interrupt() noexcept override { stopped_ = true; }

 private:
  static void put(block_writer& w, block_writer::image i, const std::optional<text_row>& row, bool key_only) {
    if (!row) return;
    for (std::size_t c = 0; c < (key_only ? 1 : row->size()); ++c)
      (*row)[c] ? w.set(i, c, *(*row)[c]) : w.set_null(i, c);
  }
  memory_database& db_;
  fault_plan& faults_;
  std::minstd_rand random_;
  std::size_t next_ = 0, told_ = SIZE_MAX;
  std::atomic<bool> stopped_{false};
};

class memory_target : public target {
 public:
  memory_target(memory_database& d, fault_plan& f) : db_(d), faults_(f), random_(f.seed + 1000 * static_cast<int>(d.which) + ++f.targets_made) {}
  ~memory_target() override { drop(); }
  void open() override {}
  void close() noexcept override { drop(); }

  void begin(const control_row& expected, const control_row& next, std::int64_t) override {
    if (!db_.lock.try_lock_for(std::chrono::seconds(10))) throw failure(failure_kind::deadlock, "lock wait");
    locked_ = true;
    if (db_.control->epoch != expected.epoch) throw failure(failure_kind::fenced, "epoch");
    if (*db_.control != expected) throw failure(failure_kind::history_changed, "control row");
    work_ = {};
    work_.tables = db_;
    work_.control = next;
    maybe_break();
  }
  void apply(const run& r, insert_mode mode, std::vector<std::uint32_t>& unmatched) override {
    maybe_break();
    for (std::uint32_t i = 0; i < r.rows.size(); ++i) {
      const auto& row = r.rows[i];
      const std::string key(key_of(row.before ? row.before : row.after));
      auto& rows = work_.tables.of(r.table->id);
      auto it = rows.find(key);
      if (r.op == operation::insert) {
        if (it != rows.end()) {
          if (mode == insert_mode::trusting) throw failure(failure_kind::row_refused, "duplicate key");
          unmatched.push_back(i);
          continue;
        }
        store(*r.table, operation::insert, row.before, row.after, r.columns);
        continue;
      }
      bool matches = it != rows.end();
      for (std::uint16_t c : r.guard) matches = matches && equal(it->second[c], row.before[c]);
      if (matches) store(*r.table, r.op, row.before, row.after, r.columns, r.deltas, row.added);
      else unmatched.push_back(i);
    }
  }
  void truncate(std::span<const table_pair* const>) override { work_.tables.rows.clear(); }
  std::vector<owned_row> lock_rows(const table_pair& t, std::span<const row_view> keys) override {
    maybe_break();
    std::vector<owned_row> out;
    for (row_view k : keys) {
      auto& rows = work_.tables.of(t.id);
      auto it = rows.find(std::string(key_of(k)));
      out.push_back(it == rows.end() ? owned_row{} : owned_row{true, it->second});
    }
    return out;
  }
  std::vector<owned_row> lock_rows_with(const table_pair& t, std::span<const std::uint16_t> columns, std::span<const std::string> values) override {
    maybe_break();
    std::vector<owned_row> out;
    for (const auto& [key, row] : work_.tables.of(t.id)) {
      bool matches = true;
      for (std::size_t i = 0; i < columns.size(); ++i) matches = matches && row[columns[i]] == values[i];
      if (matches) out.push_back({true, row});
    }
    return out;
  }
  std::vector<owned_row> read_rows(const table_pair& t, std::span<const row_view> keys) override {
    std::unique_lock guard(db_.lock, std::defer_lock);  // what is committed can be read beside a transaction
    if (!locked_ && faults_.sleeps && !guard.try_lock_for(std::chrono::seconds(1))) throw failure(failure_kind::deadlock, "a transaction is under way");
    std::vector<owned_row> out;
    for (row_view k : keys) {
      const auto& rows = locked_ ? work_.tables.of(t.id) : db_.of(t.id);
      auto it = rows.find(std::string(key_of(k)));
      out.push_back(it == rows.end() ? owned_row{} : owned_row{true, it->second});
    }
    return out;
  }
  bool force(const table_pair& t, operation op, row_view before, row_view after, std::span<const std::uint16_t> columns) override {
    const bool found = work_.tables.of(t.id).contains(std::string(key_of(before ? before : after)));
    if (op == operation::insert && found) throw failure(failure_kind::row_refused, "duplicate key");
    if (op == operation::insert || found) store(t, op, before, after, columns);
    return op == operation::insert || found;
  }
  void mark(const table_pair&, row_view key, const std::string&, std::optional<std::int64_t> time_us) override {
    db_.marks.emplace_back(key_of(key), time_us);  // there is no such column here
  }
  log_position catch_up_point() override { return db_.end(); }
  void emit_refresh(const table_pair& t, row_view key, const owned_row* row, const decision_tag& tag) override {
    text_row k(4);
    k[0] = std::string(key_of(key));
    work_.changes.push_back({operation::refresh, k, row && row->found ? std::optional<text_row>(row->values) : std::nullopt, tag, t.id});
  }
  void log_conflict(const conflict_entry& e) override { work_.conflicts.push_back(e); }
  void hold(const held_entry& e) override { work_.held.push_back(e); }
  void release_held(std::uint64_t token) override {
    std::erase_if(work_.held, [&](const held_entry& h) { return h.token == token; });
    work_.released.push_back(token);
  }
  std::vector<table_copy> load_copies() override { return db_.copies; }
  bool start_copy(const table_pair& t) override {
    if (!db_.rows.empty() && !t.merges()) return false;
    db_.copies.push_back({"public.kv", {}, 0, false});
    return true;
  }
  void store_copy(const table_pair&, const table_copy& c) override { work_.copy = c; }
  void savepoint() override { saved_ = work_; }
  void rollback_to_savepoint() override { work_ = saved_; }
  void commit(const control_row& final) override {
    maybe_break();
    const bool doubt = dice(faults_.per_mille_doubt);
    if (!doubt || random_() % 2) {
      static_cast<memory_tables&>(db_) = std::move(work_.tables);
      std::move(work_.conflicts.begin(), work_.conflicts.end(), std::back_inserter(db_.conflicts));
      for (const std::uint64_t token : work_.released) std::erase_if(db_.held, [&](const held_entry& h) { return h.token == token; });
      std::move(work_.held.begin(), work_.held.end(), std::back_inserter(db_.held));
      db_.control = final;
      if (work_.copy) db_.copies = {*work_.copy};
      db_.append({{}, 0, true, final, std::move(work_.changes)});
    }
    drop();
    if (doubt) throw lost("commit in doubt");
  }
  void rollback() noexcept override { drop(); }
  control_row load_control() override { return *db_.control; }
  std::vector<std::pair<std::string, std::uint64_t>> load_held_tokens() override {
    std::vector<std::pair<std::string, std::uint64_t>> out;
    for (const auto& h : db_.held) out.emplace_back(h.table, h.token);
    return out;
  }

 private:
  struct work {
    memory_tables tables;
    control_row control;
    std::vector<conflict_entry> conflicts;
    std::vector<held_entry> held;
    std::vector<std::uint64_t> released;
    std::vector<memory_database::logged> changes;
    std::optional<table_copy> copy;
  };
  static std::string_view key_of(row_view r) { return r[0].text(); }
  static bool equal(const std::optional<std::string>& s, const cell& c) { return c.is_null() ? !s : s && *s == c.text(); }
  void store(const table_pair& t, operation op, row_view before, row_view after, std::span<const std::uint16_t> columns,
             std::span<const std::uint16_t> deltas = {}, row_view added = nullptr) {
    const std::string old_key(key_of(before ? before : after));
    auto& rows = work_.tables.of(t.id);
    std::optional<text_row> old;
    if (auto it = rows.find(old_key); it != rows.end()) old = it->second;
    if (op == operation::remove) return db_.remove(work_.tables, t.id, old_key, work_.changes);
    text_row now = old.value_or(text_row(4));
    for (std::uint16_t c : columns) now[c] = after[c].is_null() ? std::nullopt : std::optional<std::string>(after[c].text());
    for (std::uint16_t c : deltas) now[c] = std::to_string(std::stoll(*now[c]) + std::stoll(std::string(added[c].text())));
    if (now[1] && db_.refused_values.contains(*now[1])) throw failure(failure_kind::row_refused, "check constraint", "23514");
    db_.check_parents(work_.tables, t.id, now);
    if (*now[0] != old_key && rows.contains(*now[0])) throw failure(failure_kind::row_refused, "duplicate key", "23505");
    rows.erase(old_key);
    rows[*now[0]] = now;
    work_.changes.push_back({op, old, now, {}, t.id});
  }
  bool dice(int per_mille) { return faults_.on && per_mille && static_cast<int>(random_() % 1000) < per_mille; }
  void maybe_break() {
    if (dice(faults_.per_mille_lost)) {
      drop();
      throw lost("connection lost");
    }
    if (dice(faults_.per_mille_deadlock)) throw failure(failure_kind::deadlock, "deadlock");
  }
  void drop() {
    if (locked_) db_.lock.unlock();
    locked_ = false;
  }
  memory_database& db_;
  fault_plan& faults_;
  std::minstd_rand random_;
  bool locked_ = false;
  work work_, saved_;
};

// One row at a time, so that a copy has many chunks.
class memory_row_reader : public row_reader {
 public:
  explicit memory_row_reader(memory_database& d) : db_(d) {}
  void open() override {}
  next_rows read_rows(const table_pair&, const std::string& cursor, std::size_t, bool) override {
    next_rows out;
    const std::unique_lock guard(db_.lock, std::try_to_lock);
    if (!guard) {
      out.busy = true;
      return out;
    }
    auto it = cursor.empty() ? db_.rows.begin() : db_.rows.upper_bound(cursor);
    if (it != db_.rows.end()) {
      out.rows.push_back({true, it->second});
      out.cursor = it++->first;
    }
    out.last = it == db_.rows.end();
    return out;
  }
  log_position log_end() override { return db_.end(); }
  void release() noexcept override {}
  std::uint64_t estimate_rows(const table_pair&) override { return db_.rows.size(); }
  void interrupt() noexcept override {}

 private:
  memory_database& db_;
};

class memory_site : public site {
 public:
  explicit memory_site(memory_database& d) : db_(d) {}
  void connect() override {}
  site_identity identity() override { return {"memory", "1", db_.id}; }
  std::vector<table_schema> load_tables(const std::vector<std::string>&) override { return {memory_table()}; }
  void check_server(findings&) override {}
  void check_tables(const mapping&, findings&) override {}
  void check_set_up(findings&) override {}
  std::vector<std::string> setup_statements(const mapping&, bool) override { return {}; }
  void setup(const mapping&) override {}
  log_position start_position() override { return db_.end(); }
  bool init_control(const control_row& c) override {
    if (db_.control) return false;
    db_.control = c;
    return true;
  }
  std::vector<std::string> teardown_statements() override { return {}; }
  void teardown() override { db_.control.reset(); }
  std::optional<control_row> load_control() override {
    std::lock_guard guard(db_.lock);
    return db_.control;
  }
  control_row take_over(std::uint64_t at_least, bool) override {
    std::lock_guard guard(db_.lock);
    db_.control->epoch = std::max(db_.control->epoch + 1, at_least);
    return *db_.control;
  }
  void check_log(log_position, log_position known) override {
    if (known > db_.end()) throw failure(failure_kind::history_changed, "log is shorter than known");
  }
  site_status status() override { return {}; }
  std::vector<aged_conflict> load_oldest_conflicts(std::uint64_t after_id, int, std::size_t limit) override {
    std::lock_guard guard(db_.log_mutex);
    std::vector<aged_conflict> all;
    for (const aged_conflict& c : db_.aged)
      if (c.id > after_id && all.size() < limit) all.push_back(c);
    return all;
  }
  void remove_conflicts(std::span<const std::uint64_t> ids) override {
    std::lock_guard guard(db_.log_mutex);
    db_.most_at_once = std::max(db_.most_at_once, ids.size());
    std::erase_if(db_.aged, [&](const aged_conflict& c) { return std::find(ids.begin(), ids.end(), c.id) != ids.end(); });
  }
  std::vector<table_key> load_held_keys() override { return db_.held_keys; }
  std::optional<clock_reading> read_clock() override {
    if (!db_.clock_ahead_us) return std::nullopt;
    const std::chrono::steady_clock::time_point now{std::chrono::microseconds(5'000'000)};
    return clock_reading{5'000'100 + *db_.clock_ahead_us, now, now + std::chrono::microseconds(200)};
  }
  std::string describe(log_position p) const override { return std::to_string(p.value); }

 private:
  memory_database& db_;
};

inline side_factory factory(memory_database& d, fault_plan& f) {
  return {[&d] { return std::make_unique<memory_site>(d); }, [&d, &f] { return std::make_unique<memory_source>(d, f); },
          [&d, &f] { return std::make_unique<memory_target>(d, f); }};
}

}  // namespace duet::testing
