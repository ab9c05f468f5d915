#include "postgres/target_session.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <thread>

#include "postgres/refresh_message.hpp"
#include "postgres/value_codec.hpp"

namespace duet::postgres {
namespace {

using namespace std::chrono_literals;

// Our own limits are shorter than the patience for an answer; a hub that stops amid a transaction frees its locks after a
// minute. Nested loops over indexes only: see target.hpp. Row security must not hide rows from us without an error.
constexpr const char* session_settings =
    "SET synchronous_commit = on; SET statement_timeout = '60s'; SET lock_timeout = '10s';"
    "SET idle_in_transaction_session_timeout = '60s'; SET default_transaction_isolation = 'read committed';"
    "SET default_transaction_read_only = off; SET default_transaction_deferrable = off; SET row_security = off;"
    "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; SET tcp_user_timeout = 30000;"
    "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_bitmapscan = off;"
    "SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off; SET enable_memoize = off";
constexpr auto patience = 90s;

constexpr int origin_tries = 20;  // a session of ours that died may still be ending: 5 s
constexpr auto origin_pause = 250ms;

constexpr std::size_t chunk_rows_max = 1000;
constexpr std::size_t chunk_bytes_max = 8u << 20;
constexpr std::size_t copy_rows_min = 100;  // below, its two more round trips cost more than it gains
constexpr std::size_t copy_buffer_bytes = 64u << 10;
constexpr std::size_t statements_max = 500;

constexpr std::int64_t postgres_epoch_us = 946'684'800'000'000;  // 2000-01-01 in microseconds since 1970

binary_int8 timestamp_of(std::int64_t unix_us) { return binary_int8(static_cast<std::uint64_t>(unix_us - postgres_epoch_us)); }

parameter text(std::string_view s) { return {s}; }

row_view image_of(const run::row& r, const array_parameter& a) {
  switch (a.image) {
    case array_parameter::before: return r.before;
    case array_parameter::after: return r.after;
    case array_parameter::added: break;
  }
  return r.added;
}

template <class T>
T parse_integer(std::string_view digits) {
  T value{};
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size())
    throw failure(failure_kind::internal, "PostgreSQL answered with something that is no number");
  return value;
}

std::uint64_t parse_bigint(const PGresult* result, int row, int column) {
  return static_cast<std::uint64_t>(parse_integer<std::int64_t>(field(result, row, column)));
}

control_row control_of(const PGresult* answer, const std::string& link) {
  control_row row;
  row.link = link;
  row.epoch = parse_bigint(answer, 0, 0);
  row.position.value = parse_bigint(answer, 0, 1);
  row.floor.value = parse_bigint(answer, 0, 2);
  row.counter = parse_bigint(answer, 0, 3);
  row.fingerprint = parse_bigint(answer, 0, 4);
  row.source_identity = field(answer, 0, 5);
  row.own_identity = field(answer, 0, 6);
  return row;
}

std::uint64_t decode_int8(const PGresult* result, int row) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(PQgetvalue(result, row, 0));
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | bytes[i];
  return value;
}

std::string table_name(const table_pair& table) { return table.home.schema + '.' + table.home.name; }

// jsonb can't hold U+0000: where a value has one, its escape stays readable as six characters.
std::string storable_json(const std::string& json) {
  if (json.find("\\u0000") == std::string::npos) return json;
  std::string out;
  for (std::size_t i = 0; i < json.size(); ++i) {
    if (json[i] == '\\' && json.compare(i, 6, "\\u0000") == 0) {
      out += "\\\\u0000";
      i += 5;
    } else {
      out += json[i];
      if (json[i] == '\\' && i + 1 < json.size()) out += json[++i];
    }
  }
  return out;
}

}  // namespace

target::session::session(const endpoint& at, const std::string& link, user used_by) : at_(at), link_(link), of_hub_(used_by == user::hub) {
  connection_ = connect(at_, of_hub_ ? "duet:" + link_ + ":apply" : "duet-by-hand:" + link_);
  PGconn* c = connection_.get();
  cancel_.reset(PQgetCancel(c));
  exec(c, session_settings, "preparing the session at home");
  // Ends a statement whose client has gone; only where the server's system can see that.
  result_handle(PQexec(c, "SET client_connection_check_interval = '5s'"));
  if (of_hub_) set_up_origin();

  pipeline_ = std::make_unique<target_pipeline>(c, patience);
  if (of_hub_) prepare_fixed_statements();  // a person may only read, before there is a schema duet
}

// Our side of the connection ends at once, so that whoever waits for it wakes up; then the server is told.
void target::session::interrupt() noexcept {
  shutdown(PQsocket(connection_.get()), SHUT_RDWR);
  if (!cancel_) return;
  try {  // a server that stands still takes the request and does not answer: nobody waits for it
    std::thread([request = std::move(cancel_)] {
      char why_not[256];
      PQcancel(request.get(), why_not, sizeof why_not);
    }).detach();
  } catch (const std::system_error&) {  // no thread to be had: the statement ends when the server sees that we are gone
  }
}

void target::session::prepare_fixed_statements() {
  if (std::exchange(prepared_, true)) return;
  const char* doing = "preparing statements at home";
  auto prepare = [&](const char* name, const char* sql) { pipeline_->send_prepare(name, sql, tag::control, 0, doing); };
  prepare("begin", "BEGIN");
  prepare("commit", "COMMIT");
  prepare("savepoint", "SAVEPOINT duet");
  prepare("release", "RELEASE SAVEPOINT duet");
  prepare("origin", "SELECT pg_catalog.pg_replication_origin_xact_setup($1, $2)");
  prepare("message", "SELECT pg_catalog.pg_logical_emit_message(true, $1, $2::pg_catalog.bytea)");
  // The division fails where no row matched, so that nothing that is queued behind it runs.
  prepare("control",
          "WITH moved AS (UPDATE duet.control SET epoch = $5, position = $6, floor = $7, counter = $8, fingerprint = $9"
          " WHERE link = $1 AND epoch = $2 AND position = $3 AND counter = $4 RETURNING 1)"
          " SELECT 1 / pg_catalog.count(*) FROM moved");
  prepare("conflict",
          "INSERT INTO duet.conflict_log (link, table_name, key, type, home_row, spoke_row, home_position, spoke_position,"
          " home_time, spoke_time, rule, winner, result, base_row, result_row, decided_by,"
          " clock_offset_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)");
  collect();
}

void target::session::set_up_origin() {
  const std::string origin = "duet_" + link_;
  const char* parameters[] = {origin.c_str()};
  for (int attempt = 1;; ++attempt) {
    try {
      exec(connection_.get(), "SELECT pg_catalog.pg_replication_origin_session_setup($1)", parameters,
           "using replication origin " + origin);
      return;
    } catch (const failure& f) {
      if (f.server_code == "42704")
        throw failure(failure_kind::not_set_up, f.what(), f.server_code, "duet setup");
      if (f.kind != failure_kind::already_running || attempt == origin_tries) throw;
    }
    std::this_thread::sleep_for(origin_pause);
  }
}

void target::session::require_transaction() const {
  if (!in_transaction_) throw failure(failure_kind::internal, "home was to be written to outside a transaction");
}

// All collecting goes through here: a control row that did not match is explained, whoever's answers it came with.
template <class Each>
void target::session::collect(Each each) {
  try {
    pipeline_->collect(each);
  } catch (const failure& f) {
    if (pipeline_->failed_tag() != tag::control || f.kind == failure_kind::connection_lost) throw;
    if (f.server_code == "22012") explain_control_mismatch();
    if (f.server_code == "42P01" || f.server_code == "3F000")
      throw failure(failure_kind::not_set_up, f.what(), f.server_code, "duet setup");
    throw;
  }
}

void target::session::collect() {
  collect([](const auto&) {});
}

void target::session::explain_control_mismatch() {
  rollback();
  control_row found;
  bool exists = false;
  const parameter parameters[] = {text(link_)};
  pipeline_->send_sql("SELECT epoch, position, counter FROM duet.control WHERE link = $1", parameters, tag::other, 0,
                      "reading the control row");
  result_handle answer;
  pipeline_->collect([&](const auto& a) { answer = std::move(a.result); });
  if (answer && PQntuples(answer.get()) == 1) {
    exists = true;
    found.epoch = parse_bigint(answer.get(), 0, 0);
    found.position.value = parse_bigint(answer.get(), 0, 1);
    found.counter = parse_bigint(answer.get(), 0, 2);
  }
  if (!exists) throw failure(failure_kind::not_set_up, "link " + link_ + " has no control row at home", {}, "duet setup");
  auto say = [](const control_row& row) {
    return "epoch " + std::to_string(row.epoch) + ", position " + std::to_string(row.position.value) + ", counter " +
           std::to_string(row.counter);
  };
  const std::string what = "the control row of link " + link_ + " at home has " + say(found) + "; expected " + say(expected_);
  if (found.epoch != expected_.epoch) throw failure(failure_kind::fenced, what);
  if (found.position == expected_.position && found.counter > expected_.counter)
    throw failure(failure_kind::decided_by_hand, "a person has decided about held keys: " + what);
  throw failure(failure_kind::history_changed, what);
}

void target::session::send_control(const control_row& expected, const control_row& next) {
  const binary_int8 numbers[] = {binary_int8(expected.epoch),   binary_int8(expected.position.value),
                                 binary_int8(expected.counter), binary_int8(next.epoch),
                                 binary_int8(next.position.value), binary_int8(next.floor.value),
                                 binary_int8(next.counter),     binary_int8(next.fingerprint)};
  parameters_.clear();
  parameters_.push_back(text(link_));
  for (const binary_int8& n : numbers) parameters_.push_back(n.as_parameter());
  pipeline_->send("control", parameters_, tag::control, 0, "moving the control row at home");

  if (!of_hub_) return;
  const binary_int8 lsn(next.position.value), time = timestamp_of(commit_time_us_);
  const parameter origin[] = {lsn.as_parameter(), time.as_parameter()};
  pipeline_->send("origin", origin, tag::other, 0, "setting the origin's position");
}

void target::session::begin(const control_row& expected, const control_row& next, std::int64_t source_commit_time_us) {
  if (in_transaction_) throw failure(failure_kind::internal, "a transaction at home was begun inside another one");
  if (statement_count_ > statements_max) forget_statements();
  expected_ = expected;
  given_ = next;
  commit_time_us_ = source_commit_time_us;
  if (commit_time_us_ == 0)
    commit_time_us_ = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  in_transaction_ = true;
  has_savepoint_ = false;
  pipeline_->send("begin", {}, tag::other, 0, "beginning a transaction at home");
  send_control(expected, next);
}

target::moved target::session::begin_locked() {
  if (in_transaction_) throw failure(failure_kind::internal, "a transaction at home was begun inside another one");
  const char* doing = "locking the control row at home";
  const parameter parameters[] = {text(link_)};
  prepare_fixed_statements();
  in_transaction_ = true;
  has_savepoint_ = false;
  result_handle answer;
  pipeline_->send("begin", {}, tag::other, 0, doing);
  pipeline_->send_sql("SET LOCAL lock_timeout = '50s'", {}, tag::other, 0, doing);  // the hub may have a large transaction under way
  pipeline_->send_sql(
      "UPDATE duet.control SET counter = counter + 1 WHERE link = $1 RETURNING epoch, position, floor, counter, fingerprint,"
      " source_identity, own_identity, (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint",
      parameters, tag::rows, 0, doing);
  try {
    collect([&](const target_pipeline::answer& a) {
      if (a.tag == tag::rows) answer = std::move(a.result);
    });
    if (PQntuples(answer.get()) != 1) throw failure(failure_kind::not_set_up, "link " + link_ + " has no control row at home", {}, "duet setup");
  } catch (...) {
    rollback();
    throw;
  }
  given_ = control_of(answer.get(), link_);
  return {given_, parse_integer<std::int64_t>(field(answer.get(), 0, 7))};
}

// Bounds what the server keeps for us: a wide table can be written in very many shapes.
void target::session::forget_statements() {
  pipeline_->send_sql("DEALLOCATE ALL", {}, tag::other, 0, "dropping prepared statements");
  statements_.clear();
  statement_count_ = 0;
  prepared_ = false;
  prepare_fixed_statements();
}

target::session::prepared& target::session::statement_for(const table_pair& table, prepared::use use, column_list columns,
                                                          column_list guard, column_list deltas) {
  if (statements_.size() <= table.id) statements_.resize(table.id + 1u);
  auto& of_table = statements_[table.id];
  for (auto& p : of_table)
    if (p->is == use && std::ranges::equal(p->columns, columns) && std::ranges::equal(p->guard, guard) && std::ranges::equal(p->deltas, deltas)) return *p;

  auto made = std::make_unique<prepared>();
  made->is = use;
  made->columns.assign(columns.begin(), columns.end());
  made->guard.assign(guard.begin(), guard.end());
  made->deltas.assign(deltas.begin(), deltas.end());
  made->name = "s" + std::to_string(++statement_number_);
  switch (use) {
    using enum prepared::use;
    case insert_trusting:
      made->text = insert_statement(table, columns, insert_mode::trusting);
      made->doing = "inserting into ";
      break;
    case insert_checked:
      made->text = insert_statement(table, columns, insert_mode::checked);
      made->doing = "inserting into ";
      break;
    case update:
      made->text = update_statement(table, columns, guard, deltas);
      made->doing = "updating ";
      break;
    case remove:
      made->text = remove_statement(table, guard);
      made->doing = "deleting from ";
      break;
    case lock:
      made->text = lock_statement(table);
      made->doing = "locking rows of ";
      break;
    case lock_with:
      made->text = lock_with_statement(table, columns);
      made->doing = "locking rows of ";
      break;
    case read:
      made->text = read_statement(table);
      made->doing = "reading rows of ";
      break;
  }
  made->doing += table_name(table);
  ++statement_count_;
  of_table.push_back(std::move(made));
  return *of_table.back();
}

std::size_t target::session::end_of_chunk(const prepared& p, std::span<const run::row> rows, std::size_t first) const {
  const std::size_t limit = std::min(rows.size(), first + chunk_rows_max);
  std::size_t bytes = 0, end = first;
  while (end < limit) {
    for (const array_parameter& a : p.text.arrays) {
      const run::row& r = rows[end];
      bytes += image_of(r, a)[a.column].size;
    }
    if (bytes > chunk_bytes_max && end > first) break;
    ++end;
  }
  return end;
}

void target::session::send_rows(const prepared& p, std::span<const run::row> rows, std::size_t number) {
  const auto& arrays = p.text.arrays;
  if (arrays_.size() < arrays.size()) arrays_.resize(arrays.size());
  parameters_.clear();
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    const array_parameter& a = arrays[i];
    array_writer& writer = arrays_[i];
    writer.start(a.form);
    try {
      for (const run::row& r : rows) writer.add(image_of(r, a)[a.column]);
    } catch (const failure& f) {
      throw failure(f.kind, p.doing + ": " + f.what(), f.server_code);
    }
    parameters_.push_back({writer.finish(), true, false});
  }
  const bool binary_answer = p.is == prepared::use::update || p.is == prepared::use::remove;
  pipeline_->send(p.name.c_str(), parameters_, tag::rows, number, p.doing.c_str(), binary_answer);
}

void target::session::execute(prepared& p, std::span<const run::row> rows) {
  chunks_.clear();
  auto take_answer = [&](const target_pipeline::answer& a) {
    if (a.tag == tag::prepare) p.ready = true;
    if (a.tag == tag::rows) chunks_[a.number].answer = std::move(a.result);
  };
  bool announced = p.ready;
  try {
    for (std::size_t first = 0; first < rows.size();) {
      const std::size_t end = end_of_chunk(p, rows, first);
      if (!announced) pipeline_->send_prepare(p.name.c_str(), p.text.sql, tag::prepare, 0, p.doing.c_str());
      announced = true;
      send_rows(p, rows.subspan(first, end - first), chunks_.size());
      chunks_.push_back({first, end, nullptr});
      first = end;
    }
  } catch (const failure& f) {  // a value that can't even be sent; what is under way is read to its end first
    if (f.kind != failure_kind::connection_lost) collect(take_answer);
    throw;
  }
  collect(take_answer);
}

void target::session::apply(const run& r, insert_mode mode, std::vector<std::uint32_t>& unmatched) {
  require_transaction();
  if (r.rows.empty()) return;
  const table_pair& table = *r.table;
  using enum prepared::use;
  switch (r.op) {
    case operation::insert:
      if (mode == insert_mode::checked) {
        execute(statement_for(table, insert_checked, r.columns, {}), r.rows);
        find_refused_keys(table, r.rows, unmatched);
      } else {
        const std::uint64_t written = r.rows.size() >= copy_rows_min && can_be_copied(table, r.columns) ? copy_in(r) : insert(table, r.columns, r.rows);
        if (const std::uint64_t kept_off = r.rows.size() - written; kept_off > 0)
          throw failure(failure_kind::row_refused, "inserting into " + table_name(table) + ": a trigger at home did not let " +
                                                       std::to_string(kept_off) + (kept_off == 1 ? " row" : " rows") + " through");
      }
      return;
    case operation::update:
      execute(statement_for(table, update, r.columns, r.guard, r.deltas), r.rows);
      return find_unmatched(r.rows.size(), unmatched);
    case operation::remove:
      execute(statement_for(table, remove, {}, r.guard), r.rows);
      return find_unmatched(r.rows.size(), unmatched);
    case operation::truncate:
    case operation::refresh:
      break;
  }
  throw failure(failure_kind::internal, "a run at home must be of inserts, updates or removes");
}

// The answers carry the ordinals of the rows that were written, counted from 1 in each chunk.
void target::session::find_unmatched(std::size_t rows, std::vector<std::uint32_t>& unmatched) {
  std::size_t written = 0;
  for (const chunk& c : chunks_) written += static_cast<std::size_t>(PQntuples(c.answer.get()));
  if (written == rows) return;
  matched_.assign(rows, 0);
  for (const chunk& c : chunks_)
    for (int i = 0, n = PQntuples(c.answer.get()); i < n; ++i)
      if (const std::size_t at = c.first + decode_int8(c.answer.get(), i) - 1; at < rows) matched_[at] = 1;
  for (std::size_t i = 0; i < rows; ++i)
    if (!matched_[i]) unmatched.push_back(static_cast<std::uint32_t>(i));
}

// The answers carry the keys that were written, in the order of the rows: walking both side by side finds the gaps.
void target::session::find_refused_keys(const table_pair& table, std::span<const run::row> rows,
                                        std::vector<std::uint32_t>& unmatched) {
  std::string value;
  for (const chunk& c : chunks_) {
    const PGresult* written = c.answer.get();
    const int n = PQntuples(written);
    if (static_cast<std::size_t>(n) == c.end - c.first) continue;
    int next = 0;
    for (std::size_t at = c.first; at < c.end; ++at) {
      bool same = next < n;
      for (std::size_t k = 0; same && k < table.key.size(); ++k) {
        const std::uint16_t i = table.key[k];
        decode_text(table.columns[i].home.type, field(written, next, static_cast<int>(k)), value);
        same = rows[at].after[i].text() == value;
      }
      if (same) ++next;
      else unmatched.push_back(static_cast<std::uint32_t>(at));
    }
    if (next != n)
      throw failure(failure_kind::internal, "inserting into " + table_name(table) + ": a key that was written reads differently");
  }
}

// Fewer than were given: a BEFORE trigger kept some off.
std::uint64_t target::session::insert(const table_pair& table, column_list columns, std::span<const run::row> rows) {
  execute(statement_for(table, prepared::use::insert_trusting, columns, {}), rows);
  std::uint64_t written = 0;
  for (const chunk& c : chunks_) written += parse_integer<std::uint64_t>(PQcmdTuples(c.answer.get()));
  return written;
}

// The number of rows written, as above.
std::uint64_t target::session::copy_in(const run& r) {
  collect();
  const table_pair& table = *r.table;
  const std::string doing = "copying into " + table_name(table);
  PGconn* c = connection_.get();
  pipeline_->leave();
  std::unique_ptr<failure> error;
  std::uint64_t written = 0;
  try {
    exec(c, copy_statement(table, r.columns).c_str(), doing);
    const char* given_up = nullptr;
    copy_.clear();
    try {
      for (const run::row& row : r.rows) {
        for (std::uint16_t i : r.columns) copy_.add(table.columns[i].home.type.kind, row.after[i]);
        copy_.end_row();
        if (copy_.bytes().size() < copy_buffer_bytes) continue;
        if (PQputCopyData(c, copy_.bytes().data(), static_cast<int>(copy_.bytes().size())) != 1) break;
        copy_.clear();
      }
      if (!copy_.bytes().empty()) PQputCopyData(c, copy_.bytes().data(), static_cast<int>(copy_.bytes().size()));
    } catch (const failure& f) {
      error = std::make_unique<failure>(f.kind, doing + ": " + f.what(), f.server_code);
      given_up = "given up";
    }
    PQputCopyEnd(c, given_up);
    while (result_handle result{PQgetResult(c)}) {
      if (PQresultStatus(result.get()) == PGRES_COMMAND_OK) written = parse_integer<std::uint64_t>(PQcmdTuples(result.get()));
      else if (!error) error = std::make_unique<failure>(failure_of(c, result.get(), doing));
    }
  } catch (const failure& f) {
    error = std::make_unique<failure>(f);
  }
  if (PQstatus(c) == CONNECTION_OK) pipeline_->enter();
  else if (!error) error = std::make_unique<failure>(failure_of(c, nullptr, doing));
  if (error) throw failure(*error);
  return written;
}

bool target::session::force(const table_pair& table, operation op, row_view before, row_view after, column_list columns) {
  require_transaction();
  const run::row row{before, after};
  const std::span<const run::row> rows(&row, 1);
  using enum prepared::use;
  switch (op) {
    case operation::insert:
      return insert(table, columns, rows) > 0;
    case operation::update:
      execute(statement_for(table, update, columns, {}), rows);
      break;
    case operation::remove:
      execute(statement_for(table, remove, {}, {}), rows);
      break;
    case operation::truncate:
    case operation::refresh:
      throw failure(failure_kind::internal, "only rows can be forced");
  }
  return PQntuples(chunks_[0].answer.get()) > 0;
}

void target::session::mark(const table_pair& table, row_view key, const std::string& column, std::optional<std::int64_t> time_us) {
  require_transaction();
  const set_statement statement = mark_statement(table, column, !time_us);
  if (arrays_.size() < statement.arrays.size()) arrays_.resize(statement.arrays.size());
  parameters_.clear();
  for (std::size_t i = 0; i < statement.arrays.size(); ++i) {
    arrays_[i].start(statement.arrays[i].form);
    arrays_[i].add(key[statement.arrays[i].column]);
    parameters_.push_back({arrays_[i].finish(), true, false});
  }
  const binary_int8 time = timestamp_of(time_us.value_or(0));
  if (time_us) parameters_.push_back({time.as_parameter().bytes, true, *time_us == 0});
  const std::string doing = "setting " + column + " of " + table_name(table);
  pipeline_->send_sql(statement.sql.c_str(), parameters_, tag::other, 0, doing.c_str());
  collect();
}

void target::session::truncate(std::span<const table_pair* const> tables) {
  require_transaction();
  if (tables.empty()) return;
  const std::string doing = "truncating " + table_name(*tables[0]) + (tables.size() > 1 ? " and others" : "");
  pipeline_->send_sql(truncate_statement(tables).c_str(), {}, tag::other, 0, doing.c_str());
  try {
    collect();
  } catch (const failure& f) {
    if (f.server_code != "0A000") throw;  // a table that is not among them refers to one of them
    throw failure(failure_kind::table_stopped, f.what(), f.server_code,
                  "empty the referring tables by hand, or map them as well");
  }
}

std::vector<owned_row> target::session::lock_rows(const table_pair& table, std::span<const row_view> keys) {
  require_transaction();
  std::vector<owned_row> rows(keys.size());
  // A row that was deleted and put in again while we waited for its lock is missed by the first look, not by the second.
  for (int look = 0; look < 2; ++look) select_missing(table, prepared::use::lock, keys, rows);
  return rows;
}

std::vector<owned_row> target::session::read_rows(const table_pair& table, std::span<const row_view> keys) {
  std::vector<owned_row> rows(keys.size());
  select_missing(table, prepared::use::read, keys, rows);
  return rows;
}

// Fills in those of the rows that have not been found yet.
void target::session::select_missing(const table_pair& table, prepared::use use, std::span<const row_view> keys, std::vector<owned_row>& rows) {
  key_rows_.clear();
  key_numbers_.clear();
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (!rows[i].found) {
      key_rows_.push_back({keys[i], nullptr});
      key_numbers_.push_back(i);
    }
  if (key_rows_.empty()) return;
  execute(statement_for(table, use, {}, {}), key_rows_);
  for (const chunk& c : chunks_) {
    const PGresult* answer = c.answer.get();
    for (int i = 0, n = PQntuples(answer); i < n; ++i) {
      const std::size_t at = c.first + parse_bigint(answer, i, 0) - 1;
      take_row(table, answer, i, rows.at(key_numbers_.at(at)));
    }
  }
}

// The columns behind the ordinal.
void target::session::take_row(const table_pair& table, const PGresult* answer, int i, owned_row& row) {
  row.found = true;
  row.values.resize(table.columns.size());
  for (std::size_t j = 0; j < table.columns.size(); ++j) {
    const int column = static_cast<int>(j) + 1;
    if (PQgetisnull(answer, i, column)) row.values[j].reset();
    else decode_text(table.columns[j].home.type, field(answer, i, column), row.values[j].emplace());
  }
}

std::vector<owned_row> target::session::lock_rows_with(const table_pair& table, column_list columns, std::span<const std::string> values) {
  require_transaction();
  std::vector<cell> cells(table.columns.size());
  for (std::size_t i = 0; i < columns.size(); ++i) cells[columns[i]] = cell::of(values[i]);
  const run::row wanted[] = {{cells.data(), nullptr}};
  execute(statement_for(table, prepared::use::lock_with, columns, {}), wanted);
  std::vector<owned_row> rows;
  for (const chunk& c : chunks_)
    for (int i = 0, n = PQntuples(c.answer.get()); i < n; ++i) take_row(table, c.answer.get(), i, rows.emplace_back());
  return rows;
}

void target::session::savepoint() {
  require_transaction();
  if (has_savepoint_) pipeline_->send("release", {}, tag::other, 0, "replacing the savepoint");
  pipeline_->send("savepoint", {}, tag::other, 0, "setting a savepoint");
  has_savepoint_ = true;
}

void target::session::rollback_to_savepoint() {
  require_transaction();
  if (!has_savepoint_) throw failure(failure_kind::internal, "there is no savepoint to roll back to");
  if (pipeline_->queued()) {
    try {
      collect();
    } catch (const failure& f) {
      if (!in_transaction_ || f.kind == failure_kind::connection_lost) throw;
    }
  }
  pipeline_->send_sql("ROLLBACK TO SAVEPOINT duet", {}, tag::other, 0, "rolling back to the savepoint");
  collect();
}

void target::session::emit_refresh(const table_pair& table, row_view key, const owned_row* row, const decision_tag& tag) {
  require_transaction();
  const std::string prefix = refresh_prefix(link_), message = encode_refresh(table, key, row, tag);
  const parameter parameters[] = {text(prefix), {message, true, false}};
  pipeline_->send("message", parameters, tag::other, 0, "putting a refresh into the log");
}

void target::session::log_conflict(const conflict_entry& e) {
  require_transaction();
  const std::string key = storable_json(e.key), home_row = storable_json(e.home_row), spoke_row = storable_json(e.spoke_row),
                    base_row = storable_json(e.base_row), result_row = storable_json(e.result_row);
  const binary_int8 home_position(e.home_position.value), spoke_position(e.spoke_position.value),
      home_time = timestamp_of(e.home_time_us), spoke_time = timestamp_of(e.spoke_time_us);
  const binary_int8 offset(static_cast<std::uint64_t>(e.clock_offset_us.value_or(0)));
  const parameter parameters[] = {text(link_),
                                  text(e.table),
                                  text(key),
                                  text(e.type),
                                  {home_row, false, home_row.empty()},
                                  {spoke_row, false, spoke_row.empty()},
                                  {home_position.as_parameter().bytes, true, !e.home_position},
                                  {spoke_position.as_parameter().bytes, true, !e.spoke_position},
                                  {home_time.as_parameter().bytes, true, e.home_time_us == 0},
                                  {spoke_time.as_parameter().bytes, true, e.spoke_time_us == 0},
                                  text(e.rule),
                                  text(e.winner),
                                  text(e.result),
                                  {base_row, false, base_row.empty()},
                                  {result_row, false, result_row.empty()},
                                  text(e.decided_by),
                                  {offset.as_parameter().bytes, true, !e.clock_offset_us}};
  pipeline_->send("conflict", parameters, tag::other, 0, "writing duet.conflict_log");  // its answer comes with the next one that is waited for
}

void target::session::hold(const held_entry& e) {
  require_transaction();
  const std::string key = storable_json(e.key), before_row = storable_json(e.before_row), after_row = storable_json(e.after_row);
  const std::string operation(name(e.op));
  const binary_int8 token(e.token), position(e.source_position.value), time = timestamp_of(e.source_time_us);
  const parameter parameters[] = {text(link_),
                                  text(e.table),
                                  text(key),
                                  token.as_parameter(),
                                  text(operation),
                                  text(e.reason),
                                  text(e.server_code),
                                  {before_row, false, before_row.empty()},
                                  {after_row, false, after_row.empty()},
                                  position.as_parameter(),
                                  {time.as_parameter().bytes, true, e.source_time_us == 0}};
  pipeline_->send_sql(
      "INSERT INTO duet.held (link, table_name, key, token, operation, reason, server_code, before_row, after_row,"
      " source_position, source_time) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
      parameters, tag::other, 0, "writing duet.held");
  collect();
}

void target::session::release_held(std::uint64_t token) {
  require_transaction();
  const binary_int8 number(token);
  const parameter parameters[] = {text(link_), number.as_parameter()};
  pipeline_->send_sql("DELETE FROM duet.held WHERE link = $1 AND token = $2", parameters, tag::other, 0, "releasing held changes");
  collect();
}

std::vector<table_copy> target::session::load_copies() {
  const parameter parameters[] = {text(link_)};
  pipeline_->send_sql("SELECT table_name, copied_to, copied_rows, done FROM duet.first_copy WHERE link = $1", parameters, tag::rows, 0,
                      "reading duet.first_copy");
  result_handle answer;
  collect([&](const target_pipeline::answer& a) {
    if (a.tag == tag::rows) answer = std::move(a.result);
  });
  std::vector<table_copy> all;
  for (int i = 0, n = PQntuples(answer.get()); i < n; ++i)
    all.push_back({std::string(field(answer.get(), i, 0)), std::string(field(answer.get(), i, 1)), parse_bigint(answer.get(), i, 2),
                   field(answer.get(), i, 3) == "t"});
  return all;
}

bool target::session::start_copy(const table_pair& table) {
  if (in_transaction_) throw failure(failure_kind::internal, "a first copy was to be started inside a transaction");
  const std::string name = table_name(table);
  const std::string sql = "INSERT INTO duet.first_copy (link, table_name) SELECT $1, $2" +
                          (table.merges() ? "" : " WHERE NOT EXISTS (SELECT FROM " + qualified_name(table.home.schema, table.home.name) + ')') + " RETURNING 1";
  const parameter parameters[] = {text(link_), text(name)};
  pipeline_->send_sql(sql.c_str(), parameters, tag::rows, 0, "starting a first copy at home");
  bool started = false;
  collect([&](const target_pipeline::answer& a) { started |= a.tag == tag::rows && PQntuples(a.result.get()) == 1; });
  return started;
}

void target::session::store_copy(const table_pair& table, const table_copy& copy) {
  require_transaction();
  const binary_int8 rows(copy.rows);
  const parameter parameters[] = {text(link_), text(copy.table), text(copy.cursor), rows.as_parameter(), text(copy.done ? "t" : "f")};
  pipeline_->send_sql(
      "UPDATE duet.first_copy SET copied_to = $3, copied_rows = $4, done = $5, changed_at = pg_catalog.clock_timestamp()"
      " WHERE link = $1 AND table_name = $2",
      parameters, tag::other, 0, "writing duet.first_copy");
  const std::string name = qualified_name(table.home.schema, table.home.name);
  std::vector<std::string> raised;
  for (const std::uint16_t k : table.key) {
    const column& c = table.columns[k].home;
    if (!copy.done || c.type.kind != value_kind::integer) continue;
    raised.push_back("SELECT pg_catalog.setval(s.sequence, s.top) FROM (SELECT pg_catalog.pg_get_serial_sequence(" + quote_literal(name) + ", " +
                     quote_literal(c.name) + ")::pg_catalog.regclass AS sequence, (SELECT max(" + quote_identifier(c.name) + ") FROM " + name +
                     ") AS top) s WHERE s.sequence IS NOT NULL AND pg_catalog.has_sequence_privilege(s.sequence, 'SELECT, UPDATE')"
                     " AND s.top > coalesce(pg_catalog.pg_sequence_last_value(s.sequence), 0)");
  }
  for (const std::string& sql : raised) pipeline_->send_sql(sql.c_str(), {}, tag::other, 0, "raising a sequence at home");
  collect();
}

void target::session::commit(const control_row& final) {
  require_transaction();
  if (final != given_) send_control(given_, final);
  pipeline_->send("commit", {}, tag::committed, 0, "committing at home");
  bool really = false;
  try {
    collect([&](const target_pipeline::answer& a) {
      if (a.tag == tag::committed) really = std::string_view(PQcmdStatus(a.result.get())) == "COMMIT";
    });
  } catch (const failure& f) {
    if (f.kind != failure_kind::connection_lost) throw;
    failure lost = f;
    lost.in_doubt = true;
    throw lost;
  }
  in_transaction_ = false;
  if (!really) throw failure(failure_kind::internal, "a transaction at home that had failed before was to be committed");
}

void target::session::rollback() noexcept {
  if (!in_transaction_) return;
  in_transaction_ = false;
  try {
    if (pipeline_->queued()) {
      try {
        pipeline_->collect([](const auto&) {});
      } catch (const failure& f) {
        if (f.kind == failure_kind::connection_lost) return;
      }
    }
    if (PQtransactionStatus(connection_.get()) == PQTRANS_IDLE) return;
    pipeline_->send_sql("ROLLBACK", {}, tag::other, 0, "rolling back at home");
    pipeline_->collect([](const auto&) {});
  } catch (...) {  // a connection that can't even do this will say so at its next use
  }
}

log_position target::session::catch_up_point() {
  // The message lies in the log behind all that has committed by now, and before the commit of its own transaction, which
  // the server flushes, together with what others have committed asynchronously. So the reader will pass it.
  const std::string sql = "SELECT pg_catalog.pg_logical_emit_message(true, " + quote_literal(sync_prefix(link_)) + ", ''::text)";
  for (bool fresh = false;;) {
    try {
      if (!sync_connection_) {
        fresh = true;
        sync_connection_ = connect(at_, "duet:" + link_ + ":sync");
        exec(sync_connection_.get(), "SET synchronous_commit = on; SET statement_timeout = '60s'", "preparing a session at home");
      }
      const result_handle answer = exec(sync_connection_.get(), sql.c_str(), "marking the end of the log at home");
      return {parse_lsn(field(answer.get(), 0, 0))};
    } catch (const failure& f) {
      sync_connection_.reset();
      if (f.kind == failure_kind::cannot_connect) throw failure(failure_kind::connection_lost, f.what(), f.server_code);
      if (f.kind != failure_kind::connection_lost || fresh) throw;
    }
  }
}

control_row target::session::load_control() {
  if (in_transaction_) throw failure(failure_kind::internal, "the control row was to be read inside a transaction");
  const parameter parameters[] = {text(link_)};
  const char* doing = "reading the control row at home";
  pipeline_->send_sql("BEGIN", {}, tag::other, 0, doing);
  pipeline_->send_sql("SET LOCAL lock_timeout = '60s'", {}, tag::other, 0, doing);
  pipeline_->send_sql(
      "SELECT epoch, position, floor, counter, fingerprint, source_identity, own_identity FROM duet.control WHERE link = $1"
      " FOR UPDATE",
      parameters, tag::rows, 0, doing);
  pipeline_->send("commit", {}, tag::other, 0, doing);
  result_handle answer;
  in_transaction_ = true;  // for rollback(), if one of them fails
  try {
    collect([&](const target_pipeline::answer& a) {
      if (a.tag == tag::rows) answer = std::move(a.result);
    });
  } catch (...) {
    rollback();
    throw;
  }
  in_transaction_ = false;
  if (PQntuples(answer.get()) != 1)
    throw failure(failure_kind::not_set_up, "link " + link_ + " has no control row at home", {}, "duet setup");
  return control_of(answer.get(), link_);
}

std::vector<std::pair<std::string, std::uint64_t>> target::session::load_held_tokens() {
  const parameter parameters[] = {text(link_)};
  pipeline_->send_sql("SELECT DISTINCT table_name, token FROM duet.held WHERE link = $1 ORDER BY 1, 2", parameters, tag::rows, 0,
                      "reading duet.held");
  result_handle answer;
  collect([&](const target_pipeline::answer& a) {
    if (a.tag == tag::rows) answer = std::move(a.result);
  });
  std::vector<std::pair<std::string, std::uint64_t>> tokens;
  for (int i = 0, n = PQntuples(answer.get()); i < n; ++i)
    tokens.emplace_back(field(answer.get(), i, 0), parse_bigint(answer.get(), i, 1));
  return tokens;
}

}  // namespace duet::postgres
