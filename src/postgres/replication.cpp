#include "postgres/replication.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <thread>
#include <unordered_map>

#include "base/byte_reader.hpp"

namespace duet::postgres {
namespace {

using namespace std::chrono_literals;

constexpr auto status_interval = 1s;
constexpr auto slot_wait_max = 5s;
constexpr auto end_wait_max = 500ms;
constexpr std::size_t xlog_data_header = 1 + 8 + 8 + 8;
constexpr std::int64_t postgres_epoch_us = 946'684'800'000'000;

void put_u64(char*& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) *out++ = static_cast<char>(value >> shift);
}

template <class T>
T number(std::string_view text) {
  T value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string setup_remedy(std::string_view link) { return "run `duet setup` for the link " + std::string(link); }

}  // namespace

failure_kind kind_of_stream_error(std::string_view state, std::string_view message) {
  auto says = [&](std::string_view words) { return message.find(words) != std::string_view::npos; };
  if (state == "58P01" && says("already been removed")) return failure_kind::log_lost;  // the WAL file
  if (state == "55000") return failure_kind::log_lost;                                  // the slot is invalidated
  if (state == "42704") return says("publication") ? failure_kind::not_set_up : failure_kind::log_lost;
  if (state == "55006") return failure_kind::connection_lost;  // in use: whoever may hold it is judged elsewhere
  return kind_of(state);
}

replication_stream::replication_stream(const endpoint& at, std::string_view link)
    : at_(at), link_(link), slot_("duet_" + std::string(link)) {}

void replication_stream::throw_broken(std::string_view doing, const PGresult* result) {
  failure f = failure_of(connection_.get(), result, doing);
  const char* message = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : nullptr;
  if (!f.server_code.empty()) f.kind = kind_of_stream_error(f.server_code, message ? message : "");
  else f.kind = failure_kind::connection_lost;
  throw f;
}

void replication_stream::close() noexcept {
  std::lock_guard lock(socket_mutex_);
  socket_ = -1;
  data_.reset();
  connection_.reset();
  catalog_.reset();
}

void replication_stream::interrupt() noexcept {
  std::lock_guard lock(socket_mutex_);
  if (socket_ >= 0) ::shutdown(socket_, SHUT_RDWR);
}


void replication_stream::wait_for_slot() {
  const std::string query =
      "SELECT plugin, slot_type, database = current_database(), coalesce(active_pid, 0), coalesce(wal_status, 'lost'), "
      "confirmed_flush_lsn FROM pg_catalog.pg_replication_slots WHERE slot_name = " + quote_literal(slot_);
  const auto give_up = std::chrono::steady_clock::now() + slot_wait_max;
  for (;;) {
    const result_handle slot = exec(catalog_.get(), query.c_str(), "reading the state of replication slot " + slot_);
    if (PQntuples(slot.get()) == 0)
      throw failure(failure_kind::log_lost, "replication slot " + slot_ + " does not exist");
    if (field(slot.get(), 0, 1) != "logical" || field(slot.get(), 0, 0) != "pgoutput" || field(slot.get(), 0, 2) != "t")
      throw failure(failure_kind::log_lost, "replication slot " + slot_ + " is not a pgoutput slot of this database");
    if (field(slot.get(), 0, 4) == "lost")
      throw failure(failure_kind::log_lost, "the server has removed log that replication slot " + slot_ +
                                                " still needed (max_slot_wal_keep_size, or the slot was invalidated)");
    const int holder = number<int>(field(slot.get(), 0, 3));
    if (holder == 0) {
      confirmed_ = {parse_lsn(field(slot.get(), 0, 5))};
      return;
    }
    if (holder == backend_pid_) {  // our own, of a connection that we have lost and the server has not
      const std::string end = "SELECT pg_catalog.pg_terminate_backend(" + std::to_string(holder) + ')';
      exec(catalog_.get(), end.c_str(), "ending our former connection");
    } else if (std::chrono::steady_clock::now() >= give_up) {
      throw failure(failure_kind::connection_lost,
                    "replication slot " + slot_ + " is in use by the server process " + std::to_string(holder), "55006",
                    "if no other hub runs: SELECT pg_terminate_backend(" + std::to_string(holder) + ")");
    }
    std::this_thread::sleep_for(50ms);
  }
}

void replication_stream::open() {
  close();
  catalog_ = connect(at_, "duet_" + link_ + "_source_check", false);
  wait_for_slot();
  received_ = released_ = confirmed_;
  reply_asked_ = false;
}

std::vector<std::vector<type_number>> replication_stream::load_types(const mapping& m, log_position& fits_from) {
  exec(catalog_.get(), "SET search_path = pg_catalog", "preparing a session at home");  // types are named as in catalog.hpp
  // The place first: a table altered after it is altered in the catalog that is read next.
  const result_handle place =
      exec(catalog_.get(), "SELECT pg_catalog.pg_current_wal_insert_lsn()", "reading the end of the log");
  fits_from = {parse_lsn(field(place.get(), 0, 0))};

  std::string names = "('duet', 'control')";
  for (const auto& table : m.tables) names += ", (" + quote_literal(table.home.schema) + ", " + quote_literal(table.home.name) + ')';

  const std::string publication_query =
      "SELECT pubinsert AND pubupdate AND pubdelete AND pubtruncate FROM pg_catalog.pg_publication WHERE pubname = " +
      quote_literal(slot_);
  const result_handle publication = exec(catalog_.get(), publication_query.c_str(), "reading publication " + slot_);
  if (PQntuples(publication.get()) == 0)
    throw failure(failure_kind::not_set_up, "publication " + slot_ + " does not exist", {}, setup_remedy(link_));
  if (field(publication.get(), 0, 0) != "t")
    throw failure(failure_kind::configuration, "publication " + slot_ + " does not publish all operations", {},
                  "ALTER PUBLICATION " + quote_identifier(slot_) + " SET (publish = 'insert, update, delete, truncate')");

  const std::string members_query =
      "SELECT schemaname, tablename, rowfilter IS NOT NULL FROM pg_catalog.pg_publication_tables WHERE pubname = " +
      quote_literal(slot_) + " AND (schemaname, tablename) IN (" + names + ')';
  const result_handle members = exec(catalog_.get(), members_query.c_str(), "reading the tables of publication " + slot_);
  auto demand_member = [&](std::string_view schema, std::string_view name) {
    for (int i = 0; i < PQntuples(members.get()); ++i) {
      if (field(members.get(), i, 0) != schema || field(members.get(), i, 1) != name) continue;
      if (field(members.get(), i, 2) != "t") return;
      throw failure(failure_kind::configuration, "publication " + slot_ + " filters the rows of table " + std::string(schema) + '.' +
                                                     std::string(name));
    }
    throw failure(failure_kind::not_set_up, "table " + std::string(schema) + '.' + std::string(name) + " is not in publication " + slot_,
                  {}, setup_remedy(link_));
  };
  demand_member("duet", "control");

  // A domain is printed as what it is made of; the mapping may name either.
  const std::string columns_query =
      "SELECT n.nspname, c.relname, a.attname, a.atttypid, a.atttypmod, pg_catalog.format_type(a.atttypid, a.atttypmod), "
      "(WITH RECURSIVE base(type, modifier) AS (SELECT a.atttypid, a.atttypmod UNION ALL SELECT d.typbasetype, d.typtypmod "
      "FROM base JOIN pg_catalog.pg_type d ON d.oid = base.type AND d.typtype = 'd') SELECT pg_catalog.format_type(base.type, base.modifier) "
      "FROM base JOIN pg_catalog.pg_type u ON u.oid = base.type AND u.typtype <> 'd') "
      "FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid "
      "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_type t ON t.oid = a.atttypid "
      "WHERE a.attnum > 0 AND NOT a.attisdropped AND (n.nspname, c.relname) IN (" + names + ')';
  const result_handle columns = exec(catalog_.get(), columns_query.c_str(), "reading the columns of the synced tables");
  for (int i = 0; i < PQntuples(columns.get()); ++i) {
    const auto table = std::find_if(m.tables.begin(), m.tables.end(), [&](const table_pair& t) { return t.home.schema == field(columns.get(), i, 0) && t.home.name == field(columns.get(), i, 1); });
    if (table == m.tables.end() || table->home.columns.empty()) continue;
    const auto is_this = [&](const column& c) { return c.name == field(columns.get(), i, 2); };
    if (std::any_of(table->home.columns.begin(), table->home.columns.end(), is_this)) continue;
    failure f(failure_kind::schema_changed, "table " + table->home.schema + '.' + table->home.name + ", column " + std::string(field(columns.get(), i, 2)) + " is new");
    f.table = table->home.schema + '.' + table->home.name;
    throw f;
  }
  std::vector<std::vector<type_number>> types(m.tables.size());
  std::unordered_map<std::string, int> row_of;
  auto key = [](std::string_view schema, std::string_view table, std::string_view column) {
    std::string k(schema);
    ((k += '\0') += table) += '\0';
    return k += column;
  };
  for (int i = 0; i < PQntuples(columns.get()); ++i)
    row_of.emplace(key(field(columns.get(), i, 0), field(columns.get(), i, 1), field(columns.get(), i, 2)), i);
  for (std::size_t t = 0; t < m.tables.size(); ++t) {
    const table_pair& table = m.tables[t];
    demand_member(table.home.schema, table.home.name);
    for (const auto& pair : table.columns) {
      const std::string where = "table " + table.home.schema + '.' + table.home.name + ", column " + pair.home.name;
      auto found = row_of.find(key(table.home.schema, table.home.name, pair.home.name));
      if (found == row_of.end()) throw failure(failure_kind::schema_changed, where + " is gone");
      const int i = found->second;
      const std::string_view now = field(columns.get(), i, 5), base = field(columns.get(), i, 6), then = pair.home.type.native;
      if (pair.home.type.kind != value_kind::enumeration && !then.empty() && then != base)
        throw failure(failure_kind::schema_changed, where + " was " + std::string(then) + " and is now " + std::string(now));
      types[t].push_back({number<std::uint32_t>(field(columns.get(), i, 3)), number<std::int32_t>(field(columns.get(), i, 4))});
    }
  }
  return types;
}

void replication_stream::start(log_position from) {
  const log_position first = next_record(from);
  if (first < confirmed_)
    throw failure(failure_kind::log_lost, "replication slot " + slot_ + " has moved on to " + format_lsn(confirmed_) +
                                              ", and the log is needed from " + format_lsn(from));
  // A connection of its own that runs nothing else: what a query loads into the walsender's caches is today's catalog, and
  // rows that are older than an ALTER TABLE would be decoded with it (seen on PostgreSQL 18).
  catalog_.reset();
  connection_handle fresh = connect(at_, "duet_" + link_ + "_source", true);
  {
    std::lock_guard lock(socket_mutex_);
    connection_ = std::move(fresh);
    socket_ = PQsocket(connection_.get());
  }
  encrypted_ = PQsslInUse(connection_.get());
  backend_pid_ = PQbackendPID(connection_.get());
  const std::string command = "START_REPLICATION SLOT " + quote_identifier(slot_) + " LOGICAL " + format_lsn(first) +
                              " (proto_version '1', publication_names " + quote_literal(quote_identifier(slot_)) +
                              ", messages 'true')";
  const result_handle started(PQexec(connection_.get(), command.c_str()));
  if (PQresultStatus(started.get()) != PGRES_COPY_BOTH) throw_broken("starting replication from slot " + slot_, started.get());
  report_status();
}

std::optional<replication_stream::message> replication_stream::next() {
  char* raw = nullptr;
  const int size = PQgetCopyData(connection_.get(), &raw, 1);
  data_.reset(raw);
  if (size == 0) return std::nullopt;
  if (size < 0) {
    result_handle result(size == -1 ? PQgetResult(connection_.get()) : nullptr);
    if (result && PQresultStatus(result.get()) != PGRES_FATAL_ERROR)
      throw failure(failure_kind::connection_lost, "the server has ended the stream of slot " + slot_);
    throw_broken("reading from slot " + slot_, result.get());
  }
  base::byte_reader in(std::string_view(raw, static_cast<std::size_t>(size)));
  switch (in.byte()) {
    case 'w':
      in.skip(xlog_data_header - 1);
      if (in.at_end()) base::throw_damaged("an empty replication message");
      return message{in.rest(), {}};
    case 'k': {
      const log_position end{in.u64_be()};
      in.skip(8);
      reply_asked_ |= in.u8() != 0;
      return message{{}, end};
    }
    default: base::throw_damaged("a message of unknown kind in the replication stream");
  }
}

void replication_stream::receive() {
  if (!PQconsumeInput(connection_.get())) throw_broken("reading from slot " + slot_);
}

void replication_stream::wait(std::chrono::milliseconds wait) {
  using std::chrono::ceil, std::chrono::milliseconds, std::chrono::steady_clock;
  const auto until_status = ceil<milliseconds>(status_due_ - steady_clock::now());
  const auto limit = std::max(milliseconds(0), std::min(wait, until_status));
  pollfd p{PQsocket(connection_.get()), POLLIN, 0};
  if (::poll(&p, 1, static_cast<int>(limit.count())) < 0 && errno != EINTR) throw_broken("waiting for slot " + slot_);
}

// A server that shuts down waits until its walsender's client has flushed all that was sent, or, where the client does not
// speak of flushing, written it. What we release lags behind what we have read, for as long as the other side is idle: so
// flushing is spoken of only when there is something new to release, and a shutdown is never held up.
void replication_stream::report_status() {
  const log_position flushed = released_ > confirmed_ ? released_ : log_position{};
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch());
  char status[1 + 8 + 8 + 8 + 8 + 1];
  char* out = status;
  *out++ = 'r';
  put_u64(out, std::max(received_, released_).value);  // written
  put_u64(out, flushed.value);                         // what the slot may forget; 0: nothing new
  put_u64(out, flushed.value);                         // applied
  put_u64(out, static_cast<std::uint64_t>(now.count() - postgres_epoch_us));
  *out++ = 0;  // no answer wanted
  if (PQputCopyData(connection_.get(), status, sizeof status) != 1 || PQflush(connection_.get()) < 0)
    throw_broken("reporting status to slot " + slot_);
  confirmed_ = std::max(confirmed_, flushed);
  reply_asked_ = false;
  status_due_ = std::chrono::steady_clock::now() + status_interval;
}

// A connection that is closed over unread data takes what the server has not read yet with it: the report would be lost. So
// the server is asked to end the stream, and what it still sends is thrown away.
void replication_stream::finish() noexcept {
  if (!connection_) return;
  try {
    report_status();
    if (PQputCopyEnd(connection_.get(), nullptr) != 1 || PQflush(connection_.get()) < 0) return;
    const auto give_up = std::chrono::steady_clock::now() + end_wait_max;
    for (auto left = end_wait_max; left > 0ms; left = std::chrono::ceil<std::chrono::milliseconds>(give_up - std::chrono::steady_clock::now())) {
      char* raw = nullptr;
      const int size = PQgetCopyData(connection_.get(), &raw, 1);
      data_.reset(raw);
      if (size < 0) break;
      if (size > 0) continue;
      pollfd p{PQsocket(connection_.get()), POLLIN, 0};
      ::poll(&p, 1, static_cast<int>(left.count()));
      if (!PQconsumeInput(connection_.get())) break;
    }
  } catch (const failure&) {  // the server is gone: it will be told by the next start
  }
  close();
}

}  // namespace duet::postgres
