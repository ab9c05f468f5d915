#include "mysql/binlog_decoder.hpp"

#include <xxhash.h>

#include <algorithm>

#include "mysql/binlog_statement.hpp"

namespace duet::mysql {

using base::byte_reader;
using base::throw_damaged;

namespace {

constexpr std::uint64_t first_event_offset = 4;  // behind the file's magic number
constexpr std::size_t known_tables_max = 4096, harmless_xa_max = 65536;
constexpr std::uint64_t dummy_table_id = 0xffffff;

std::string table_key(std::string_view database, std::string_view table) {
  std::string key;
  key.reserve(database.size() + table.size() + 1);
  key.append(database).append(1, '\0').append(table);
  return key;
}

[[noreturn]] void throw_unsupported(std::string what, std::string remedy = {}) {
  throw failure(failure_kind::unsupported_log, std::move(what), {}, std::move(remedy));
}

[[noreturn]] void throw_history(std::string what) { throw failure(failure_kind::history_changed, std::move(what)); }

// The event stays in the log: whatever made it must be mended, but a restart would stop at it again.
std::string then_begin_anew(std::string mend) {
  return std::move(mend) + "; then make the rows of both sides equal, and begin anew behind this place: duet teardown, duet setup";
}
constexpr const char* no_xa = "Duet cannot follow XA transactions: let the applications that write synced tables use ordinary ones";

std::string where(std::uint64_t file, std::uint64_t offset) {
  return "binlog file " + std::to_string(file) + ", offset " + std::to_string(offset);
}

// duet.control as sql/mysql/bookkeeping.sql makes it: link, epoch, position, floor, counter, ...
enum control_column : std::size_t { control_link, control_epoch, control_position, control_floor, control_counter, control_columns_used };

bool is_control(const table_map& m) {
  if (m.columns.size() < control_columns_used || m.columns[control_link].type != wire_varchar) return false;
  for (std::size_t i = control_epoch; i < control_columns_used; ++i)
    if (m.columns[i].type != wire_longlong) return false;
  return true;
}

}  // namespace

struct binlog_decoder::known_table {
  enum class role : std::uint8_t { ignored, control, mapped, waiting } is = role::ignored;
  bool strictly = true;      // mapped: as the mapping has it, or perhaps older
  std::string body;          // of the TABLE_MAP event
  std::uint64_t group = 0;   // the last one that named it
  std::unique_ptr<row_decoder> decoder;
  std::unique_ptr<row_walker> control;
  std::uint8_t link_prefix = 0;  // control: bytes of the length in front of the link's name
};

binlog_decoder::binlog_decoder(const mapping& m, std::string link) : mapping_(&m), link_(std::move(link)) {
  for (const auto& t : m.tables) tables_.emplace(table_key(t.spoke.schema, t.spoke.name), &t);
  for (const auto& t : m.waiting) waiting_.insert(table_key(t.spoke_schema, t.spoke_name));
}

binlog_decoder::~binlog_decoder() = default;

void binlog_decoder::start(log_position from) {
  from_ = binlog_position(binlog_file_number(from), std::max(binlog_offset(from), first_event_offset));
  // The command has four bytes for the offset; beyond that the file is read from its start and the groups before are left out.
  const std::uint64_t offset = binlog_offset(from_);
  dump_offset_ = offset > 0xffffffff ? first_event_offset : static_cast<std::uint32_t>(offset);
  file_ = offset_ = event_start_ = 0;
  located_ = reached_ = described_ = false;
  first_ = true;
  description_ = {};
  read_up_to_ = recorded_ = from_;
  known_.clear();
  described_as_.clear();
  harmless_xa_.clear();
  phase_ = phase::idle;
  begun_ = skipping_ = xa_ = false;
}

void binlog_decoder::settle(block_writer& out) {
  if (phase_ != phase::idle || recorded_ == read_up_to_) return;
  out.progress(read_up_to_);
  recorded_ = read_up_to_;
}

const table_pair* binlog_decoder::find_table(std::string_view database, std::string_view table) const {
  const auto found = tables_.find(table_key(database, table));
  return found == tables_.end() ? nullptr : found->second;
}

void binlog_decoder::decode(std::string_view event, block_writer& out) {
  if (!first_) return decode_next(event, out);
  // Bytes that make no sense where reading starts: it is another log than the one that the position is of.
  try {
    decode_next(event, out);
  } catch (const failure& f) {
    if ((f.kind != failure_kind::damaged_log && f.kind != failure_kind::unsupported_log) || !described_) throw;
    throw_history("there is no event at " + where(file_, offset_) + ": " + f.what());
  }
}

void binlog_decoder::decode_next(std::string_view event, block_writer& out) {
  const event_header header = decode_event_header(event);
  if (header.type == event_type::format_description) return on_format_description(header, event, out);
  const std::string_view body = check_and_cut(header, event);
  if (header.type == event_type::rotate) return on_rotate(header, body, out);
  if (!described_) throw_damaged("a binlog stream without a format description");
  if (header.type == event_type::heartbeat) return on_heartbeat(header, body);
  move(header);
  dispatch(header, body, out, false);
  first_ = false;
  if (phase_ == phase::idle) read_up_to_ = std::max(read_up_to_, binlog_position(file_, offset_));
}

// Checks the checksum and takes header and checksum off.
std::string_view binlog_decoder::check_and_cut(const event_header& header, std::string_view event) {
  bool has_checksum = described_ && description_.checksum == checksum_algorithm::crc32;
  if (header.log_pos == 0 || header.type == event_type::heartbeat) {
    // Made up by the dump thread: with a checksum as the file before had it, or as the session asked for it.
    has_checksum = has_valid_checksum(event);
  } else if (has_checksum && !has_valid_checksum(event)) {
    throw_damaged("the checksum of a binlog event is wrong");
  }
  return event.substr(event_header_size, event.size() - event_header_size - (has_checksum ? event_checksum_size : 0));
}

// The header has only the low 32 bits of the offset, so the offset is counted. MariaDB leaves out events that were not asked
// for (annotations); then the end says how much is missing.
void binlog_decoder::move(const event_header& header) {
  event_start_ = offset_;
  if (header.log_pos == 0 || (header.flags & event_artificial_flag)) return;  // in no file
  if (!located_) throw_damaged("a binlog stream that does not say where it starts");
  const std::uint64_t end = offset_ + header.size;
  const std::uint32_t left_out = header.log_pos - static_cast<std::uint32_t>(end);
  if (left_out && (!description_.maria || first_)) {
    if (first_) throw_history("there is no event at " + where(file_, offset_));
    throw_damaged("a binlog event is not where it says");
  }
  event_start_ = offset_ + left_out;
  offset_ = end + left_out;
  if (offset_ >> binlog_offset_bits) throw_damaged("a binlog file too long");
  if (reached_ || file_ != binlog_file_number(from_)) return;
  if (event_start_ == binlog_offset(from_)) reached_ = true;
  if (event_start_ > binlog_offset(from_)) throw_history("there is no event at " + where(file_, binlog_offset(from_)));
}

void binlog_decoder::on_rotate(const event_header& header, std::string_view body, block_writer& out) {
  const rotation next = decode_rotation(body);
  const std::uint64_t number = log_file_number(next.file);
  if (!located_) {
    if (number != binlog_file_number(from_) || next.offset != dump_offset_) throw_history("the server starts elsewhere than it was asked to");
    file_ = number;
    offset_ = next.offset;
    located_ = true;
    return;
  }
  if (header.log_pos != 0 && !(header.flags & event_artificial_flag)) move(header);
  if (number < file_) throw_history("the binlog goes back from file " + std::to_string(file_) + " to file " + std::to_string(number));
  if (next.offset >> binlog_offset_bits) throw_damaged("a binlog file too long");
  if (number == file_) {
    if (next.offset != offset_) throw_damaged("the binlog jumps within a file");
    return;
  }
  if (phase_ != phase::idle) forget_group(out, "a binlog file ends within a transaction");
  if (!reached_ && offset_ != binlog_offset(from_)) throw_history("the binlog file ends before " + where(file_, binlog_offset(from_)));
  reached_ = true;
  first_ = false;
  file_ = number;
  offset_ = next.offset;
  known_.clear();
  read_up_to_ = std::max(read_up_to_, binlog_position(file_, offset_));
}

void binlog_decoder::on_format_description(const event_header& header, std::string_view event, block_writer& out) {
  description_ = decode_format_description(event);
  described_ = true;
  known_.clear();
  if (header.log_pos == 0) return;
  if (phase_ != phase::idle) forget_group(out, "a binlog file starts within a transaction");
  move(header);
  first_ = false;
  if (reached_) read_up_to_ = std::max(read_up_to_, binlog_position(file_, offset_));
}

// Sent when nothing was written for a while: where the dump stands.
void binlog_decoder::on_heartbeat(const event_header& header, std::string_view body) {
  if (!located_ || phase_ != phase::idle || log_file_number(body) != file_) return;
  const std::uint32_t left_out = header.log_pos - static_cast<std::uint32_t>(offset_);
  if (left_out >> 31) return;  // behind us
  if (left_out && !description_.maria) return;
  offset_ += left_out;
  read_up_to_ = std::max(read_up_to_, binlog_position(file_, offset_));
}

void binlog_decoder::require(phase wanted, const char* what) const {
  if (phase_ == wanted) return;
  if (first_ && phase_ == phase::idle) throw_history("no transaction starts at " + where(file_, event_start_));
  throw_damaged(what);
}

void binlog_decoder::dispatch(const event_header& header, std::string_view body, block_writer& out, bool nested) {
  switch (header.type) {
    case event_type::gtid:
    case event_type::anonymous_gtid:
      if (nested) throw_damaged("a transaction inside a transaction");
      return open_group(header, decode_gtid(body, header.type == event_type::anonymous_gtid), phase::opened);
    case event_type::gtid_tagged:
      if (nested) throw_damaged("a transaction inside a transaction");
      return open_group(header, decode_gtid_tagged(body), phase::opened);
    case event_type::maria_gtid: {
      if (nested) throw_damaged("a transaction inside a transaction");
      group_start start = decode_maria_gtid(body, header.server_id);
      const phase next = start.standalone ? phase::opened : phase::inside;
      return open_group(header, std::move(start), next);
    }
    case event_type::query: return on_statement(header, decode_query(body), out);
    case event_type::execute_load_query: return on_statement(header, decode_execute_load_query(body), out);
    case event_type::maria_query_compressed: {
      query q = decode_query(body);
      q.text = inflate_maria(q.text, inflated_statement_);
      return on_statement(header, q, out);
    }
    case event_type::xid:
      require(phase::inside, "a commit outside a transaction");
      return close_group(out);
    case event_type::xa_prepare: return on_xa_prepare(body, out);
    case event_type::table_map: return on_table_map(body);
    case event_type::write_rows_v1:
    case event_type::update_rows_v1:
    case event_type::delete_rows_v1:
    case event_type::write_rows:
    case event_type::update_rows:
    case event_type::delete_rows:
    case event_type::maria_write_rows_compressed_v1:
    case event_type::maria_update_rows_compressed_v1:
    case event_type::maria_delete_rows_compressed_v1:
    case event_type::maria_write_rows_compressed:
    case event_type::maria_update_rows_compressed:
    case event_type::maria_delete_rows_compressed:
    case event_type::partial_update_rows: return on_rows(header.type, body, out);
    case event_type::transaction_payload:
      if (nested) throw_damaged("a compressed transaction inside another one");
      return on_payload(body, out);
    case event_type::incident:
      throw failure(failure_kind::log_lost, "the server could not write all changes to its binlog (incident event at " +
                                                where(file_, event_start_) + ")");
    case event_type::maria_start_encryption: throw_unsupported("the binlog is encrypted and the server does not decrypt it for us", "encrypt_binlog = OFF");
    case event_type::intvar:
    case event_type::rand:
    case event_type::user_var:
    case event_type::append_block:
    case event_type::begin_load_query:
    case event_type::delete_file:
    case event_type::rows_query:
    case event_type::maria_annotate_rows:
      if (phase_ == phase::idle) require(phase::inside, "a part of a transaction outside of one");
      return;
    case event_type::stop:
    case event_type::ignorable:
    case event_type::previous_gtids:
    case event_type::transaction_context:
    case event_type::view_change:
    case event_type::maria_binlog_checkpoint:
    case event_type::maria_gtid_list:
    case event_type::heartbeat_v2: return;
    default:
      if (header.flags & event_ignorable_flag) return;
      throw_unsupported("the binlog has an event of a kind that Duet does not know (type code " +
                        std::to_string(static_cast<int>(header.type)) + " at " + where(file_, event_start_) + ")");
  }
}

void binlog_decoder::open_group(const event_header& header, group_start start, phase next) {
  if (phase_ != phase::idle) throw_damaged("a transaction starts within another one");
  group_ = std::move(start);
  group_header_ = header;
  position_ = binlog_position(file_, event_start_);
  phase_ = next;
  ++group_number_;
  begun_ = xa_ = false;
  skipping_ = !reached_;
}

void binlog_decoder::ensure_begun(block_writer& out) {
  if (begun_) return;
  const std::int64_t time_us = group_.commit_time_us ? group_.commit_time_us : std::int64_t{1000000} * group_header_.time_s;
  const std::string name =
      group_.name.empty() ? std::to_string(group_header_.server_id) + '@' + std::to_string(position_.value) : group_.name;
  const std::uint64_t hash = XXH3_64bits_withSeed(name.data(), name.size(), static_cast<std::uint64_t>(time_us));
  out.begin(position_, time_us, hash ? hash : 1);
  begun_ = true;
}

void binlog_decoder::close_group(block_writer& out) {
  phase_ = phase::idle;
  read_up_to_ = std::max(read_up_to_, binlog_position(file_, offset_));
  if (!begun_) return;
  begun_ = false;
  out.end(read_up_to_);
  recorded_ = read_up_to_;
}

// The server crashed while it wrote the group, and rolled it back when it came up again.
void binlog_decoder::forget_group(block_writer& out, const char* why) {
  if (begun_ || out.in_transaction()) throw_damaged(why);
  phase_ = phase::idle;
}

void binlog_decoder::on_payload(std::string_view body, block_writer& out) {
  require(phase::opened, "a compressed transaction without its GTID");
  payload_.for_each_event(body, [&](std::string_view event) {
    if (phase_ == phase::idle) throw_damaged("an event behind the end of a compressed transaction");
    dispatch(decode_event_header(event), event.substr(event_header_size), out, true);
  });
  if (phase_ != phase::idle) throw_damaged("a compressed transaction without its end");
}

void binlog_decoder::on_statement(const event_header& header, const query& q, block_writer& out) {
  using kind = statement::kind;
  const statement s = read_statement(q.text, q.database);
  const bool alone = phase_ != phase::inside;  // no commit follows
  if (phase_ == phase::idle) {
    if (s.is == kind::commit || s.is == kind::rollback || s.is == kind::rollback_to_savepoint || s.is == kind::xa_end)
      require(phase::inside, "a commit outside a transaction");
    open_group(header, {}, phase::opened);
  }
  switch (s.is) {
    case kind::begin:
    case kind::xa_start:
      if (phase_ == phase::inside) throw_damaged("a transaction starts within another one");
      phase_ = phase::inside;
      xa_ = s.is == kind::xa_start;
      return;
    case kind::commit: return close_group(out);
    case kind::rollback:
    case kind::rollback_to_savepoint:
      // Logged only when tables without transactions were written in it. What has gone out cannot be taken back.
      if (begun_) throw_unsupported("a transaction that changed synced tables was partly rolled back because it also wrote tables without transactions",
                                    then_begin_anew("ALTER TABLE ... ENGINE = InnoDB for the tables that these transactions write"));
      if (s.is == kind::rollback) return close_group(out);
      return;
    case kind::xa_end: return;
    case kind::xa_commit:
    case kind::xa_rollback: {
      // XA COMMIT X'6162',X'',1
      const std::size_t at = q.text.find_first_of('\'');
      const std::string name(at == std::string_view::npos || at == 0 ? std::string_view() : q.text.substr(at - 1));
      const bool known = harmless_xa_.erase(name) > 0;
      if (s.is == kind::xa_commit && !known && !skipping_)
        throw_unsupported("an XA transaction was committed that may hold changes of synced tables",
                          then_begin_anew(no_xa));
      return close_group(out);
    }
    case kind::truncate:
      if (const table_pair* table = find_table(s.tables[0].database, s.tables[0].table); table && !skipping_) on_truncate(*table, out);
      else if (waiting_.contains(table_key(s.tables[0].database, s.tables[0].table)) && !skipping_) ensure_begun(out), out.count_filtered();
      break;
    case kind::remove_tables:
      for (const auto& name : s.tables)
        if (const table_pair* table = find_table(name.database, name.table); table && !skipping_) {
          failure f(failure_kind::schema_changed, "table " + name.database + "." + name.table + " was dropped, renamed or replaced at the spoke", {},
                    then_begin_anew("see that the table is there under this name, with the columns that home has"));
          f.table = table->home.schema + "." + table->home.name;
          throw f;
        }
      break;
    case kind::remove_database:
      for (const auto& t : mapping_->tables)
        if (t.spoke.schema == s.tables[0].database && !skipping_)
          throw failure(failure_kind::schema_changed, "database " + t.spoke.schema + " was dropped at the spoke", {},
                        then_begin_anew("create it again with its tables"));
      break;
    case kind::replace_rows:
    case kind::write:
      for (const auto& t : mapping_->tables) {
        if (skipping_ || !mentions(q.text, q.database, {t.spoke.schema, t.spoke.name})) continue;
        if (s.is == kind::replace_rows)
          throw failure(failure_kind::table_stopped, "ALTER TABLE moved rows in or out of " + t.spoke.schema + "." + t.spoke.name +
                                                         " without writing them to the binlog");
        throw_unsupported("a statement that names " + t.spoke.schema + "." + t.spoke.name + " stands in the binlog instead of its rows",
                          then_begin_anew("SET GLOBAL binlog_format = ROW, and let the applications connect again"));
      }
      break;
    case kind::other: break;
  }
  if (alone) close_group(out);
}

void binlog_decoder::on_truncate(const table_pair& table, block_writer& out) {
  ensure_begun(out);
  if (!table.flows_from(side::spoke)) return out.count_filtered();
  out.start_change(operation::truncate, table.id, static_cast<std::uint16_t>(table.columns.size()), false, false);
  out.finish_change();
}

void binlog_decoder::on_xa_prepare(std::string_view body, block_writer& out) {
  require(phase::inside, "a prepared transaction outside of one");
  byte_reader r(body);
  const bool one_phase = r.u8() != 0;
  if (one_phase) return close_group(out);  // XA COMMIT ... ONE PHASE: an ordinary commit
  if (begun_)
    throw_unsupported("an XA transaction changes synced tables",
                      then_begin_anew(no_xa));
  const std::uint32_t format = r.u32_le(), global = r.u32_le(), branch = r.u32_le();
  constexpr char hex[] = "0123456789abcdef";
  std::string name = "X'";
  for (char c : r.bytes(global)) name.append(1, hex[c >> 4 & 15]).append(1, hex[c & 15]);
  name += "',X'";
  for (char c : r.bytes(branch)) name.append(1, hex[c >> 4 & 15]).append(1, hex[c & 15]);
  name += "'," + std::to_string(format);
  if (harmless_xa_.size() < harmless_xa_max) harmless_xa_.insert(std::move(name));
  close_group(out);
}

void binlog_decoder::on_table_map(std::string_view body) {
  require(phase::inside, "a table outside a transaction");
  const table_map named = decode_table_name(body);
  auto& slot = known_[named.id];
  const bool strictly = position_ >= fits_from_;
  if (slot && slot->body == body && slot->strictly >= strictly) {
    slot->group = group_number_;
    return;
  }
  if (known_.size() > known_tables_max) {
    known_.clear();
    return on_table_map(body);
  }
  auto table = std::make_unique<known_table>();
  table->body = body;
  table->group = group_number_;
  if (named.database == "duet") {
    if (named.table == "control") {
      const table_map m = decode_table_map(body);
      if (!is_control(m)) throw failure(failure_kind::schema_changed, "the bookkeeping table duet.control at the spoke is not as setup made it");
      std::vector<wire_layout> layouts;
      for (const auto& c : m.columns) layouts.push_back(layout_of(c));
      table->is = known_table::role::control;
      table->link_prefix = layouts[control_link].length_bytes;
      table->control = std::make_unique<row_walker>(std::move(layouts));
    }
  } else if (const table_pair* pair = find_table(named.database, named.table)) {
    table->is = known_table::role::mapped;
    table->strictly = strictly;
    table->decoder = std::make_unique<row_decoder>(decode_table_map(body), *pair, strictly);
    if (strictly && table->decoder->fits()) {  // lengths are not compared with the catalog's, but one that changes is a change
      constexpr std::size_t id_and_flags = 8;
      std::string description(body.substr(std::min(body.size(), id_and_flags)));
      const auto [known, fresh] = described_as_.try_emplace(pair, description);
      if (!fresh && known->second != description) {
        failure f(failure_kind::schema_changed, "table " + pair->spoke.schema + "." + pair->spoke.name + " has changed at the spoke");
        f.table = pair->home.schema + "." + pair->home.name;
        throw f;
      }
    }
  } else if (waiting_.contains(table_key(named.database, named.table))) {
    table->is = known_table::role::waiting;
  }
  slot = std::move(table);
}

void binlog_decoder::on_rows(event_type type, std::string_view body, block_writer& out) {
  require(phase::inside, "rows outside a transaction");
  const rows_target target = decode_rows_target(body);
  if (target.table_id == dummy_table_id) return;  // frees the tables of a statement, holds no rows
  const auto found = known_.find(target.table_id);
  if (found == known_.end() || found->second->group != group_number_) throw_damaged("rows of a table that was not announced");
  known_table& table = *found->second;
  if (table.is == known_table::role::ignored || skipping_) return;
  if (table.is == known_table::role::waiting) {
    ensure_begun(out);
    return out.is_ours() ? out.count_echo() : out.count_filtered();
  }
  if (type == event_type::partial_update_rows) {
    if (table.is == known_table::role::mapped && out.in_transaction() && out.is_ours()) {
      throw_unsupported("our own transaction was logged with partial JSON", then_begin_anew("SET GLOBAL binlog_row_value_options = ''"));
    }
    throw_unsupported("a JSON column was logged as a partial update", then_begin_anew("SET GLOBAL binlog_row_value_options = '', and let the applications connect again"));
  }
  rows_event event = decode_rows_event(type, body);
  if (event.is_compressed) event.rows = inflate_maria(event.rows, inflated_);
  if (table.is == known_table::role::control) return on_control_rows(table, event, out);

  row_decoder& decoder = *table.decoder;
  if (begun_ && out.is_ours()) {
    if (out.wants_echoes() && (!needs_names_ || decoder.has_names())) decoder.decode(event, out);
    else out.count_echo(decoder.count_rows(event));
    return;
  }
  ensure_begun(out);
  if (!decoder.table().flows_from(side::spoke)) return out.count_filtered(decoder.count_rows(event));
  if (needs_names_ && !decoder.has_names())
    throw failure(failure_kind::configuration,
                  "the binlog does not name the columns of " + decoder.table().spoke.schema + "." + decoder.table().spoke.name +
                      ": after a change of the table, values could end in other columns",
                  {}, then_begin_anew("SET GLOBAL binlog_row_metadata = FULL"));
  decoder.decode(event, out);
}

void binlog_decoder::on_control_rows(const known_table& table, const rows_event& e, block_writer& out) {
  if (!e.has_after()) return;  // teardown
  const row_walker& walker = *table.control;
  if (e.width != walker.width()) throw_damaged("a rows event with another number of columns than its table");
  const auto all_present = [&](std::string_view present) {
    for (std::size_t i = 0; i < walker.width(); ++i)
      if (!bit_at(present, i)) return false;
    return true;
  };
  if (!all_present(e.present_after) || (e.has_before() && !all_present(e.present_before)))
    throw_unsupported("a change of duet.control in the binlog lacks columns", "SET GLOBAL binlog_row_image = FULL, and restart Duet");

  const auto* p = reinterpret_cast<const std::uint8_t*>(e.rows.data());
  const std::uint8_t* end = p + e.rows.size();
  const std::size_t bitmap = (walker.width() + 7) / 8;
  while (p < end) {
    for (int image = e.has_before() ? 0 : 1; image < 2; ++image) {
      if (bitmap > static_cast<std::size_t>(end - p)) throw_damaged("a row ends too early");
      const std::string_view nulls(reinterpret_cast<const char*>(p), bitmap);
      p += bitmap;
      std::string_view link;
      std::uint64_t numbers[control_columns_used] = {};
      for (std::size_t i = 0; i < walker.width(); ++i) {
        if (bit_at(nulls, i)) {
          if (i < control_columns_used) throw_damaged("a NULL in duet.control");
          continue;
        }
        const std::size_t n = walker.value_size(i, p, end);
        const std::string_view value(reinterpret_cast<const char*>(p), n);
        if (i == control_link) link = value.substr(table.link_prefix);
        if (i > control_link && i < control_columns_used) numbers[i] = byte_reader(value).u64_le();
        p += n;
      }
      if (image == 1 && link == link_) {
        ensure_begun(out);
        out.own(numbers[control_epoch], numbers[control_counter], {numbers[control_position]}, {numbers[control_floor]});
      }
    }
  }
}

}  // namespace duet::mysql
