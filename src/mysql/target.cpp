#include "mysql/target.hpp"

#include <algorithm>
#include <mutex>
#include <numeric>

#include "mysql/connection.hpp"
#include "mysql/sql_writer.hpp"
#include "mysql/target_control.hpp"

namespace duet::mysql {
namespace {

// A programming error, caught in release builds too.
void demand(bool condition, const char* what) {
  if (!condition) throw failure(failure_kind::internal, std::string("mysql::target: ") + what);
}

// Larger statements gain nothing: parsing and the derived table are linear, and memory is bounded by it.
constexpr std::size_t statement_bytes = 1 << 20;

std::string place(std::string_view verb, const table_pair& table) {
  return std::string(verb) + ' ' + table.spoke.schema + '.' + table.spoke.name;
}

// Cut to what the column holds, at a character's boundary. `bytes` is a safe stand-in for characters.
std::string_view clipped(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) --bytes;
  return text.substr(0, bytes);
}

std::string text_or_null(std::string_view text) {
  return text.empty() ? "NULL" : quote_text(text);
}
std::string position_or_null(log_position p) {
  return p ? signed_text(p.value) : "NULL";
}

// Orders keys as the primary key does for numbers, by bytes for all else: a stable order keeps deadlocks rare.
bool key_less(const table_pair& table, row_view a, row_view b) {
  for (const auto c : table.key) {
    std::string_view x = a[c].text(), y = b[c].text();
    if (x == y) continue;
    const value_kind kind = table.columns[c].spoke.type.kind;
    if (kind == value_kind::integer) {
      const bool x_negative = x.starts_with('-'), y_negative = y.starts_with('-');
      if (x_negative != y_negative) return x_negative;
      const bool less = x.size() != y.size() ? x.size() < y.size() : x < y;
      return x_negative ? !less : less;
    }
    return x < y;
  }
  return false;
}

// InnoDB refuses to remove rows that others still refer to. Tables in a circle stay in the order given.
std::vector<const table_pair*> children_first(std::span<const table_pair* const> tables) {
  std::vector<const table_pair*> left(tables.begin(), tables.end()), out;
  const auto is_parent = [&](const table_pair* table) {
    return std::any_of(left.begin(), left.end(), [&](const table_pair* other) {
      return other != table && std::find(other->parents.begin(), other->parents.end(), table->id) != other->parents.end();
    });
  };
  while (!left.empty()) {
    auto next = std::find_if_not(left.begin(), left.end(), is_parent);
    if (next == left.end()) next = left.begin();
    out.push_back(*next);
    left.erase(next);
  }
  return out;
}

}  // namespace

struct target::session {
  const endpoint at;
  const std::string link;
  const user used_by;
  std::mutex sessions;  // guards the two pointers against interrupt()
  std::unique_ptr<connection> main;
  std::unique_ptr<connection> side;  // for catch_up_point(), opened at its first call
  sql_writer writer{dialect::mysql};
  std::string statement;  // kept for its capacity
  control_row next;       // as begin() has written it
  bool in_transaction = false;
  bool failed = false;  // a statement of this transaction failed: what it has written may be lost, it must not be committed

  void keep(std::unique_ptr<connection> session::*where, std::unique_ptr<connection> c) {
    const std::lock_guard lock(sessions);
    std::swap(this->*where, c);
  }

  connection& use() {
    if (!main) throw failure(failure_kind::connection_lost, "link " + link + ": no connection to the spoke");
    return *main;
  }

  // Runs one statement of a transaction.
  std::uint64_t execute(const std::string& sql, std::string_view doing) {
    demand(!failed, "a statement after one that failed, without a rollback");
    try {
      return use().execute(sql, doing);
    } catch (...) {
      failed = true;
      throw;
    }
  }
  std::uint64_t execute(std::string_view doing) { return execute(statement, doing); }
  result query(std::string_view doing) {
    demand(!failed, "a query after a statement that failed, without a rollback");
    try {
      return use().query(statement, doing);
    } catch (...) {
      failed = true;
      throw;
    }
  }

  void insert_all(const run& r, std::string_view doing) {
    for (std::size_t first = 0; first < r.rows.size();) {
      const std::size_t end = writer.insert(statement, r, first);
      const std::uint64_t count = execute(doing);
      if (count != end - first)  // a BEFORE trigger can't skip rows here, nothing else can either
        throw failure(failure_kind::internal,
                      std::string(doing) + ": " + std::to_string(count) + " rows instead of " + std::to_string(end - first));
      first = end;
    }
  }

  // The indices of rows of [first, last) that are there and match, in order.
  std::vector<std::uint32_t> find(const run& r, sql_writer::find what, std::size_t first, std::size_t last,
                                  std::string_view doing) {
    writer.find_rows(statement, r, what, first, last);
    result rows = query(doing);
    std::vector<std::uint32_t> found;
    found.reserve(rows.size());
    while (rows.next()) found.push_back(static_cast<std::uint32_t>(rows.natural(1)));
    std::sort(found.begin(), found.end());
    return found;
  }

  // find_rows() never splits, so what it is asked for at once must fit.
  static constexpr std::size_t find_rows_max = 500;

  void insert_checked(const run& r, std::vector<std::uint32_t>& unmatched, std::string_view doing) {
    std::vector<std::uint32_t> taken;
    for (std::size_t first = 0; first < r.rows.size(); first += find_rows_max) {
      const auto some = find(r, sql_writer::find::existing, first, std::min(first + find_rows_max, r.rows.size()), doing);
      taken.insert(taken.end(), some.begin(), some.end());
    }
    if (taken.empty()) return insert_all(r, doing);
    run rest{.table = r.table, .op = r.op, .columns = r.columns};
    for (std::uint32_t i = 0; i < r.rows.size(); ++i)
      if (!std::binary_search(taken.begin(), taken.end(), i)) rest.rows.push_back(r.rows[i]);
    insert_all(rest, doing);
    unmatched.insert(unmatched.end(), taken.begin(), taken.end());
  }

  std::size_t write(const run& r, std::size_t first) {
    return r.op == operation::update ? writer.update(statement, r, first) : writer.remove(statement, r, first);
  }

  void change(const run& r, std::vector<std::uint32_t>& unmatched, std::string_view doing) {
    for (std::size_t first = 0; first < r.rows.size();) {
      const bool single = first + 1 == r.rows.size();
      if (!single) execute("SAVEPOINT duet_statement", doing);
      const std::size_t end = write(r, first);
      const std::uint64_t count = execute(doing);
      if (count > end - first) throw failure(failure_kind::internal, std::string(doing) + ": more rows matched than were sent");
      if (count == 0) {
        for (std::size_t i = first; i < end; ++i) unmatched.push_back(static_cast<std::uint32_t>(i));
      } else if (count != end - first) {
        execute("ROLLBACK TO SAVEPOINT duet_statement", doing);
        write_matching(r, first, end, unmatched, doing);
      }
      first = end;
    }
  }

  // The slow path of change(): some of these rows match, some don't.
  void write_matching(const run& r, std::size_t first, std::size_t last, std::vector<std::uint32_t>& unmatched,
                      std::string_view doing) {
    run matching{.table = r.table, .op = r.op, .columns = r.columns, .deltas = r.deltas, .guard = r.guard};
    for (std::size_t from = first; from < last; from += find_rows_max) {
      const std::size_t to = std::min(from + find_rows_max, last);
      const auto found = find(r, sql_writer::find::matching, from, to, doing);
      auto next_found = found.begin();
      for (auto i = static_cast<std::uint32_t>(from); i < to; ++i) {
        if (next_found != found.end() && *next_found == i) {
          ++next_found;
          matching.rows.push_back(r.rows[i]);
        } else {
          unmatched.push_back(i);
        }
      }
    }
    std::uint64_t count = 0;
    for (std::size_t at = 0; at < matching.rows.size();) {
      at = write(matching, at);
      count += execute(doing);
    }
    if (count == matching.rows.size()) return;
    // A foreign key of the table to itself may have removed some of them together with their parents.
    bool left = r.op != operation::remove || count > matching.rows.size();
    for (std::size_t from = 0; !left && from < matching.rows.size(); from += find_rows_max)
      left = !find(matching, sql_writer::find::matching, from, std::min(from + find_rows_max, matching.rows.size()), doing).empty();
    if (left)
      throw failure(failure_kind::internal, std::string(doing) + ": rows that matched under lock did not match when written");
  }
};

target::target(const endpoint& at, std::string link, const mapping&, user used_by)
    : session_(new session{.at = at, .link = std::move(link), .used_by = used_by}) {}
target::~target() = default;

void target::open() {
  close();
  session& s = *session_;
  const bool of_hub = s.used_by == user::hub;
  auto c = std::make_unique<connection>(s.at, of_hub ? "duet:" + s.link + ":apply" : "duet-by-hand:" + s.link);
  // Tells another hub's `take_over(force)` which session this is. Not a fence: an older session of ours may still hold it.
  if (of_hub) c->query_value("SELECT GET_LOCK(" + quote_text(apply_lock(s.link)) + ",0)", "naming the session");
  if (s.at.database.empty()) c->execute("USE duet", "starting the session");  // DELETE t FROM x AS t wants some database
  c->execute("SET SESSION autocommit=0", "starting the session");
  const std::size_t hard = std::max<std::size_t>(c->packet_bytes_max(), 4096) - 1024;
  s.writer = sql_writer(c->version().speaks, {.soft = std::min(statement_bytes, hard / 2), .hard = hard});
  s.keep(&session::main, std::move(c));
}

void target::close() noexcept {
  session_->keep(&session::main, nullptr);
  session_->keep(&session::side, nullptr);
  session_->in_transaction = session_->failed = false;
}

void target::interrupt() noexcept {
  const std::lock_guard lock(session_->sessions);
  if (session_->main) session_->main->interrupt();
  if (session_->side) session_->side->interrupt();
}

void target::begin(const control_row& expected, const control_row& next, std::int64_t /*source_commit_time_us*/) {
  session& s = *session_;
  demand(!s.in_transaction && next.counter != expected.counter && expected.link == s.link && next.link == s.link,
         "begin() within a transaction, or with a control row that would not change");
  // Autocommit is off: the transaction starts with its first statement, which must be this one (it is the loop tag).
  const std::string doing = "moving the control row of link " + s.link;
  s.in_transaction = true;
  const std::uint64_t count = s.execute(update_control_sql(expected, next), doing);
  if (count == 1) {
    s.next = next;
    return;
  }
  rollback();
  const auto found = read_control(s.use(), s.link, false);
  rollback();
  if (!found) throw failure(failure_kind::not_set_up, doing + ": there is no such row");
  if (found->epoch != expected.epoch)
    throw failure(failure_kind::fenced, doing + ": another hub has taken over (epoch " + std::to_string(found->epoch) +
                                            ", ours is " + std::to_string(expected.epoch) + ')');
  throw failure(failure_kind::history_changed, doing + ": it is not as this hub left it");
}

void target::apply(const run& r, insert_mode mode, std::vector<std::uint32_t>& unmatched) {
  session& s = *session_;
  demand(s.in_transaction && r.table, "apply() without begin()");
  if (r.rows.empty()) return;
  switch (r.op) {
    case operation::insert: {
      const std::string doing = place("insert into", *r.table);
      if (mode == insert_mode::trusting) return s.insert_all(r, doing);
      return s.insert_checked(r, unmatched, doing);
    }
    case operation::update:
      demand(!r.columns.empty() || !r.deltas.empty(), "an update of nothing");
      return s.change(r, unmatched, place("update of", *r.table));
    case operation::remove:
      return s.change(r, unmatched, place("delete from", *r.table));
    default:
      demand(false, "a run holds inserts, updates or removes");
  }
}

void target::truncate(std::span<const table_pair* const> tables) {
  for (const table_pair* table : children_first(tables))
    session_->execute("DELETE FROM " + qualified_name(table->spoke), place("emptying", *table));
}

target::moved target::begin_locked() { throw failure(failure_kind::internal, "decisions are made at home"); }

std::vector<owned_row> target::lock_rows(const table_pair& table, std::span<const row_view> keys) { return select(table, keys, true); }

std::vector<owned_row> target::read_rows(const table_pair& table, std::span<const row_view> keys) {
  if (session_->in_transaction) return select(table, keys, false);
  try {
    auto rows = select(table, keys, false);
    rollback();  // the next look is a new one
    return rows;
  } catch (...) {
    rollback();
    throw;
  }
}

std::vector<owned_row> target::select(const table_pair& table, std::span<const row_view> keys, bool lock) {
  session& s = *session_;
  std::vector<owned_row> out(keys.size());
  std::vector<std::uint32_t> order(keys.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return key_less(table, keys[a], keys[b]); });
  const std::string doing = place(lock ? "locking rows of" : "reading rows of", table);
  const std::span<const std::uint32_t> all(order);
  for (std::size_t first = 0; first < all.size(); first += session::find_rows_max) {
    const auto some = all.subspan(first, std::min(session::find_rows_max, all.size() - first));
    s.writer.select_rows(s.statement, table, keys, some, lock);
    result rows = s.query(doing);
    while (rows.next()) take_row(table, rows, out.at(rows.natural(1)));
  }
  return out;
}

void target::take_row(const table_pair& table, result& rows, owned_row& row) {
  row.found = true;
  row.values.resize(table.columns.size());
  for (unsigned c = 0; c < table.columns.size(); ++c)
    if (!rows.is_null(c + 2)) row.values[c] = decode_selected(table.columns[c].spoke, rows.text(c + 2));
}

std::vector<owned_row> target::lock_rows_with(const table_pair& table, std::span<const std::uint16_t> columns, std::span<const std::string> values) {
  session& s = *session_;
  demand(s.in_transaction, "lock_rows_with() without begin()");
  s.writer.rows_with(s.statement, table, columns, values);
  result rows = s.query(place("locking rows of", table));
  std::vector<owned_row> out;
  while (rows.next()) take_row(table, rows, out.emplace_back());
  return out;
}

bool target::force(const table_pair& table, operation op, row_view before, row_view after,
                   std::span<const std::uint16_t> columns) {
  session& s = *session_;
  demand(s.in_transaction, "force() without begin()");
  switch (op) {
    case operation::insert: {
      const run r{
          .table = &table, .op = op, .columns = {columns.begin(), columns.end()}, .rows = {{.before = before, .after = after}}};
      s.insert_all(r, place("insert into", table));
      return true;
    }
    case operation::update:
      s.writer.force_update(s.statement, table, before ? before : after, after, columns);
      return s.execute(place("update of", table)) == 1;
    case operation::remove:
      s.writer.force_remove(s.statement, table, before);
      return s.execute(place("delete from", table)) == 1;
    default:
      demand(false, "force() inserts, updates or removes");
      return false;
  }
}

void target::mark(const table_pair& table, row_view key, const std::string& column, std::optional<std::int64_t> time_us) {
  session& s = *session_;
  demand(s.in_transaction, "mark() without begin()");
  s.writer.mark(s.statement, table, key, column, !time_us ? "NULL" : *time_us > 0 ? time_expression(*time_us) : "NOW(6)");
  s.execute(place("setting " + column + " in", table));
}

log_position target::catch_up_point() {
  session& s = *session_;
  try {
    if (!s.side) s.keep(&session::side, std::make_unique<connection>(s.at, "duet:" + s.link + ":log"));
    return read_binlog_end(*s.side).position;
  } catch (const failure& f) {
    if (f.kind == failure_kind::connection_lost) s.keep(&session::side, nullptr);
    throw;
  }
}

void target::emit_refresh(const table_pair& table, row_view, const owned_row*, const decision_tag&) {
  throw failure(failure_kind::internal, place("refresh of", table) + ": only home decides conflicts");
}

void target::log_conflict(const conflict_entry& e) {
  const std::string sql =
      "INSERT INTO duet.conflict_log (link, table_name, `key`, type, home_row, spoke_row, home_position, spoke_position, "
      "home_time, "
      "spoke_time, rule, winner, base_row, result_row, decided_by, clock_offset_us, result) VALUES (" +
      quote_text(session_->link) + ',' + quote_text(clipped(e.table, 200)) + ',' + quote_text(e.key) + ',' +
      quote_text(clipped(e.type, 64)) + ',' + text_or_null(e.home_row) + ',' + text_or_null(e.spoke_row) + ',' +
      position_or_null(e.home_position) + ',' + position_or_null(e.spoke_position) + ',' + time_expression(e.home_time_us) +
      ',' + time_expression(e.spoke_time_us) + ',' + quote_text(clipped(e.rule, 64)) + ',' + quote_text(clipped(e.winner, 16)) +
      ',' + text_or_null(e.base_row) + ',' + text_or_null(e.result_row) + ',' + quote_text(clipped(e.decided_by, 200)) + ',' +
      (e.clock_offset_us ? std::to_string(*e.clock_offset_us) : "NULL") + ',' + quote_text(clipped(e.result, 200)) + ')';
  session_->execute(sql, "logging a conflict of " + e.table);
}

void target::hold(const held_entry& e) {
  const std::string sql =
      "INSERT INTO duet.held (link, table_name, `key`, token, operation, reason, server_code, before_row, after_row, "
      "source_position, "
      "source_time) VALUES (" +
      quote_text(session_->link) + ',' + quote_text(clipped(e.table, 200)) + ',' + quote_text(e.key) + ',' +
      signed_text(e.token) + ',' + quote_text(name(e.op)) + ',' + quote_text(clipped(e.reason, 1000)) + ',' +
      quote_text(clipped(e.server_code, 16)) + ',' + text_or_null(e.before_row) + ',' + text_or_null(e.after_row) + ',' +
      signed_text(e.source_position.value) + ',' + time_expression(e.source_time_us) + ')';
  session_->execute(sql, "holding a change of " + e.table);
}

void target::release_held(std::uint64_t token) {
  session_->execute("DELETE FROM duet.held WHERE link=" + quote_text(session_->link) + " AND token=" + signed_text(token),
                    "releasing held changes");
}

std::vector<table_copy> target::load_copies() {
  session& s = *session_;
  demand(!s.in_transaction, "load_copies() within a transaction");
  std::vector<table_copy> all;
  result rows = s.use().query("SELECT table_name, copied_to, copied_rows, done FROM duet.first_copy WHERE link=" + quote_text(s.link),
                              "reading duet.first_copy");
  while (rows.next()) all.push_back({rows.text(1), rows.text(2), rows.natural(3), rows.integer(4) != 0});
  s.use().execute("ROLLBACK", "reading duet.first_copy");
  return all;
}

bool target::start_copy(const table_pair& table) {
  session& s = *session_;
  demand(!s.in_transaction, "start_copy() within a transaction");
  const std::string doing = place("starting the first copy of", table);
  const bool may = table.merges() || !s.use().query_value("SELECT 1 FROM " + qualified_name(table.spoke) + " LIMIT 1", doing);
  if (may)
    s.use().execute("INSERT INTO duet.first_copy (link, table_name, copied_to) VALUES (" + quote_text(s.link) + ',' +
                        quote_text(table.home.schema + '.' + table.home.name) + ",'')",
                    doing);
  s.use().execute("COMMIT", doing);
  return may;
}

void target::store_copy(const table_pair&, const table_copy& copy) {
  session& s = *session_;
  demand(s.in_transaction, "store_copy() without begin()");
  s.execute("UPDATE duet.first_copy SET copied_to=" + quote_text(copy.cursor) + ",copied_rows=" + std::to_string(copy.rows) +
                ",done=" + (copy.done ? "1" : "0") + ",changed_at=NOW(6) WHERE link=" + quote_text(s.link) + " AND table_name=" + quote_text(copy.table),
            "writing duet.first_copy");
}

void target::savepoint() {
  session_->execute("SAVEPOINT duet_batch", "setting a savepoint");
}

void target::rollback_to_savepoint() {
  session_->failed = false;
  try {
    session_->execute("ROLLBACK TO SAVEPOINT duet_batch", "rolling back to the savepoint");
  } catch (const failure& f) {
    if (f.server_code != "1305") throw;  // no such savepoint: a deadlock has taken the whole transaction with it
    throw failure(failure_kind::deadlock, "rolling back to the savepoint: the transaction is gone", f.server_code);
  }
}

void target::commit(const control_row& final) {
  session& s = *session_;
  demand(s.in_transaction && !s.failed, "commit() without begin(), or after a statement that failed");
  const std::string doing = "committing for link " + s.link;
  if (final != s.next) {
    if (s.execute(update_control_sql(s.next, final), doing) != 1)
      throw failure(failure_kind::internal, doing + ": the control row that this transaction wrote is not there");
  }
  try {
    s.use().execute("COMMIT", doing);
  } catch (failure& f) {
    // Only a deadlock among a cluster's nodes is a certain "no". After anything else the control row must be looked up.
    if (f.kind != failure_kind::deadlock) {
      f.in_doubt = true;
      f.kind = failure_kind::connection_lost;
      close();
    }
    s.in_transaction = false;
    throw;
  }
  s.in_transaction = false;
}

void target::rollback() noexcept {
  session& s = *session_;
  s.in_transaction = s.failed = false;
  if (!s.main) return;
  try {
    s.main->execute("ROLLBACK", "rolling back");
  } catch (...) {
    s.keep(&session::main, nullptr);  // the server rolls back when the socket closes
  }
}

control_row target::load_control() {
  session& s = *session_;
  demand(!s.in_transaction, "load_control() within a transaction");
  auto row = read_control(s.use(), s.link, true);
  s.use().execute("ROLLBACK", "reading the control row of link " + s.link);
  if (!row) throw failure(failure_kind::not_set_up, "link " + s.link + " has no control row at the spoke");
  return *row;
}

std::vector<std::pair<std::string, std::uint64_t>> target::load_held_tokens() {
  session& s = *session_;
  std::vector<std::pair<std::string, std::uint64_t>> out;
  result rows = s.use().query("SELECT DISTINCT table_name, token FROM duet.held WHERE link=" + quote_text(s.link),
                              "reading held changes");
  while (rows.next()) out.emplace_back(rows.text(1), static_cast<std::uint64_t>(rows.integer(2)));
  if (!s.in_transaction) s.use().execute("ROLLBACK", "reading held changes");
  return out;
}

}  // namespace duet::mysql
