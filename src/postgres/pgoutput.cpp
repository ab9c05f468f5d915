#include "postgres/pgoutput.hpp"

#include <algorithm>
#include <charconv>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "duet/failure.hpp"
#include "postgres/refresh_message.hpp"

namespace duet::postgres {
namespace {

using base::byte_reader;
using base::throw_damaged;

constexpr std::int64_t postgres_epoch_us = 946'684'800'000'000;  // 2000-01-01 UTC

std::string table_key(std::string_view schema, std::string_view name) {
  std::string key(schema);
  key += '\0';
  return key += name;
}

std::uint64_t fingerprint_of(std::uint32_t xid, log_position position, std::int64_t commit_time_us) {
  const std::uint64_t named[3] = {xid, position.value, static_cast<std::uint64_t>(commit_time_us)};
  const std::uint64_t hash = XXH3_64bits(named, sizeof named);
  return hash ? hash : 1;
}

void expect_end(const byte_reader& in) {
  if (!in.at_end()) throw_damaged("a message is longer than its content");
}

// One column of a tuple.
struct tuple_column {
  char kind;  // n null, u unchanged TOAST, t text
  std::string_view text;
};
tuple_column decode_column(byte_reader& in) {
  switch (const char kind = in.byte()) {
    case 't': return {kind, in.bytes(in.u32_be())};
    case 'n':
    case 'u': return {kind, {}};
    case 'b': throw_damaged("a value in binary form, which was not asked for");
    default: throw_damaged("a value of a kind that does not exist");
  }
}

std::uint64_t control_number(std::string_view text) {  // bigint, read as unsigned
  std::int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) throw_damaged("a number in duet.control is none");
  return static_cast<std::uint64_t>(value);
}

}  // namespace

pgoutput_decoder::pgoutput_decoder(const mapping& m, std::string_view link)
    : mapping_(m), link_(link), refresh_prefix_(refresh_prefix(link)), types_(m.tables.size()) {
  for (const auto& table : m.tables) by_name_.emplace(table_key(table.home.schema, table.home.name), &table);
}

void pgoutput_decoder::reset() {
  relations_.clear();
  last_relation_ = nullptr;
  in_transaction_ = opened_ = false;
  end_of_last_ = {};
}

void pgoutput_decoder::decode(std::string_view message, block_writer& writer) {
  byte_reader in(message);
  const char kind = in.byte();
  switch (kind) {
    case 'B': return decode_begin(in);
    case 'M': return decode_logical_message(in, writer);
    case 'C': case 'O': case 'R': case 'Y': case 'I': case 'U': case 'D': case 'T': break;
    default: throw_damaged("a replication message of unknown kind");
  }
  if (!in_transaction_) throw_damaged("a replication message outside of a transaction");
  switch (kind) {
    case 'C': return decode_commit(in, writer);
    case 'R': return decode_relation_message(in);
    case 'T': return decode_truncate(in, writer);
    case 'I': case 'U': case 'D': return decode_row(kind, in, writer);
    default: return;  // Origin, Type: nothing that we need
  }
}

void pgoutput_decoder::decode_begin(byte_reader& in) {
  if (in_transaction_) throw_damaged("a transaction begins inside another one");
  position_ = {in.u64_be()};
  commit_time_us_ = static_cast<std::int64_t>(in.u64_be() + static_cast<std::uint64_t>(postgres_epoch_us));
  xid_ = in.u32_be();
  expect_end(in);
  in_transaction_ = true;
  opened_ = false;
}

void pgoutput_decoder::decode_commit(byte_reader& in, block_writer& writer) {
  in.skip(1);  // flags, none in use
  const log_position position{in.u64_be()}, end{in.u64_be()};
  in.skip(8);  // commit time, as in Begin
  expect_end(in);
  if (position != position_) throw_damaged("a transaction ends at another place than its beginning said");
  if (end < position) throw_damaged("a transaction ends before its commit");
  in_transaction_ = false;
  end_of_last_ = end;
  if (opened_) writer.end(end);
  else writer.progress(end);
}

void pgoutput_decoder::decode_relation_message(byte_reader& in) {
  const relation_message message = decode_relation(in);
  expect_end(in);
  relation r;
  if (message.schema == "duet" && message.name == "control") {
    r.is_control = true;
    r.to.columns.resize(message.columns.size());
    auto at = [&](std::string_view name) {
      for (std::size_t i = 0; i < message.columns.size(); ++i)
        if (message.columns[i].name == name) return i;
      throw failure(failure_kind::not_set_up, "table duet.control has no column " + std::string(name));
    };
    r.link_at = at("link");
    r.epoch_at = at("epoch");
    r.position_at = at("position");
    r.floor_at = at("floor");
    r.counter_at = at("counter");
  } else if (auto found = by_name_.find(table_key(message.schema, message.name)); found != by_name_.end()) {
    const table_pair& table = *found->second;
    r.flows = table.flows_from(side::home);
    r.to = project(message, table, types_[static_cast<std::size_t>(&table - mapping_.tables.data())], position_ >= fits_from_);
  } else {
    r.waits = is_waiting(message);
  }
  relations_[message.oid] = std::move(r);
  last_relation_ = nullptr;
}

bool pgoutput_decoder::is_waiting(const relation_message& r) const {
  return std::any_of(mapping_.waiting.begin(), mapping_.waiting.end(), [&](const waiting_table& t) { return t.home_schema == r.schema && t.home_name == r.name; });
}

pgoutput_decoder::relation& pgoutput_decoder::relation_of(std::uint32_t oid) {
  if (last_relation_ && last_oid_ == oid) return *last_relation_;
  auto found = relations_.find(oid);
  if (found == relations_.end()) throw_damaged("a row of a relation that was not described");
  last_oid_ = oid;
  last_relation_ = &found->second;
  return *last_relation_;
}

void pgoutput_decoder::open(block_writer& writer) {
  if (opened_) return;
  writer.begin(position_, commit_time_us_, fingerprint_of(xid_, position_, commit_time_us_));
  opened_ = true;
}

bool pgoutput_decoder::wanted(const relation& r, block_writer& writer) {
  open(writer);
  if (writer.is_ours()) {
    if (writer.wants_echoes() && !r.waits && r.to.identifies_rows) return true;
    writer.count_echo();
    return false;
  }
  if (!r.flows || r.waits) {
    writer.count_filtered();
    return false;
  }
  return true;
}

void pgoutput_decoder::decode_tuple(const projection& to, byte_reader& in, block_writer& writer, block_writer::image image,
                                    bool only_identity, bool has_old) {
  if (in.u16_be() != to.columns.size()) throw_damaged("a row has another number of columns than its relation");
  for (const auto& column : to.columns) {
    const tuple_column value = decode_column(in);
    if (column.to < 0 || (only_identity && !column.identity)) continue;  // a key tuple says null for all other columns
    const std::size_t at = static_cast<std::size_t>(column.to);
    switch (value.kind) {
      case 't': decode_text(column.form, value.text, writer, image, at); break;
      case 'n': writer.set_null(image, at); break;
      default:  // unchanged: as in the old row, if the log has it
        if (has_old) writer.copy_cell(block_writer::before, image, at);
    }
  }
}

void pgoutput_decoder::decode_row(char kind, byte_reader& in, block_writer& writer) {
  const relation& r = relation_of(in.u32_be());
  if (r.is_control) {
    if (kind != 'D') decode_control_row(r, in, writer);
    return;
  }
  if ((!r.to.table && !r.waits) || !wanted(r, writer)) return;
  const table_pair& table = *r.to.table;
  const auto columns = static_cast<std::uint16_t>(table.columns.size());

  char part = in.byte();
  if (kind == 'I') {
    if (part != 'N') throw_damaged("an insert without its row");
    writer.start_change(operation::insert, table.id, columns, false, true);
    decode_tuple(r.to, in, writer, block_writer::after, false, false);
  } else {
    if (!r.to.identifies_rows)
      throw failure(failure_kind::configuration,
                    "table " + table.home.schema + '.' + table.home.name + ": its replica identity does not name the primary key", {},
                    "ALTER TABLE " + table.home.schema + '.' + table.home.name + " REPLICA IDENTITY FULL");
    const bool has_old = part == 'K' || part == 'O';
    writer.start_change(kind == 'U' ? operation::update : operation::remove, table.id, columns, true, kind == 'U');
    if (has_old) {
      decode_tuple(r.to, in, writer, block_writer::before, part == 'K', false);
      if (kind == 'U') part = in.byte();
    }
    if (kind == 'D') {
      if (!has_old) throw_damaged("a delete without its key");
    } else {
      if (part != 'N') throw_damaged("an update without its row");
      decode_tuple(r.to, in, writer, block_writer::after, false, has_old);
      if (!has_old)  // the key did not change
        for (std::uint16_t k : table.key) writer.copy_cell(block_writer::after, block_writer::before, k);
    }
  }
  expect_end(in);
  writer.finish_change();
}

void pgoutput_decoder::decode_control_row(const relation& r, byte_reader& in, block_writer& writer) {
  auto skip_tuple = [&] {
    const std::size_t n = in.u16_be();
    for (std::size_t i = 0; i < n; ++i) decode_column(in);
  };
  char part = in.byte();
  if (part == 'K' || part == 'O') {
    skip_tuple();
    part = in.byte();
  }
  if (part != 'N') throw_damaged("a change of duet.control without its row");
  const std::size_t n = in.u16_be();
  if (n != r.to.columns.size()) throw_damaged("a row has another number of columns than its relation");
  std::uint64_t epoch = 0, position = 0, floor = 0, counter = 0;
  bool ours = false;
  for (std::size_t i = 0; i < n; ++i) {
    const tuple_column value = decode_column(in);
    if (i == r.link_at) ours = value.kind == 't' && value.text == link_;
    else if (i == r.epoch_at) epoch = control_number(value.text);
    else if (i == r.position_at) position = control_number(value.text);
    else if (i == r.floor_at) floor = control_number(value.text);
    else if (i == r.counter_at) counter = control_number(value.text);
  }
  expect_end(in);
  if (!ours) return;
  open(writer);
  writer.own(epoch, counter, {position}, {floor});
}

void pgoutput_decoder::decode_truncate(byte_reader& in, block_writer& writer) {
  const std::uint32_t n = in.u32_be();
  in.skip(1);  // CASCADE, RESTART IDENTITY: the list has every table that was emptied
  for (std::uint32_t i = 0; i < n; ++i) {
    const relation& r = relation_of(in.u32_be());
    if ((!r.to.table && !r.waits) || !wanted(r, writer)) continue;
    writer.start_change(operation::truncate, r.to.table->id, static_cast<std::uint16_t>(r.to.table->columns.size()), false, false);
    writer.finish_change();
  }
  expect_end(in);
}

void pgoutput_decoder::decode_logical_message(byte_reader& in, block_writer& writer) {
  const bool transactional = in.u8() & 1;
  in.skip(8);  // its place in the log
  const std::string_view prefix = in.cstring();
  const std::string_view content = in.bytes(in.u32_be());
  expect_end(in);
  if (!transactional || prefix != refresh_prefix_) return;
  if (!in_transaction_) throw_damaged("a transactional message outside of a transaction");
  if (opened_ && writer.is_ours()) decode_refresh(mapping_, content, writer);  // nobody else decides
}

}  // namespace duet::postgres
