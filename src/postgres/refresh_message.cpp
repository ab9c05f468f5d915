#include "postgres/refresh_message.hpp"

#include <nlohmann/json.hpp>

#include "duet/failure.hpp"

namespace duet::postgres {
namespace {

using json = nlohmann::json;

std::string name_of(const table_pair& table) { return table.home.schema + '.' + table.home.name; }

std::string encode_hex(std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (unsigned char c : bytes) {
    out += digits[c >> 4];
    out += digits[c & 15];
  }
  return out;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

[[noreturn]] void damaged(const char* what) { throw failure(failure_kind::damaged_log, std::string("a refresh in the log ") + what); }

json encode_value(const column_pair& column, std::string_view value) {
  return column.home.type.kind == value_kind::bytes ? encode_hex(value) : std::string(value);
}

void decode_value(const column_pair& column, const json& value, block_writer& writer, block_writer::image image, std::size_t at) {
  if (value.is_null()) return writer.set_null(image, at);
  if (!value.is_string()) damaged("has a value that is no string");
  const auto& text = value.get_ref<const std::string&>();
  if (column.home.type.kind != value_kind::bytes) return writer.set(image, at, text);
  if (text.size() % 2) damaged("has bytes that are no hex digits");
  char* out = writer.append(image, at, text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) damaged("has bytes that are no hex digits");
    out[i / 2] = static_cast<char>(high * 16 + low);
  }
}

const json& member(const json& object, const char* name) {
  auto found = object.find(name);
  if (found == object.end()) damaged("lacks a member");
  return *found;
}

}  // namespace

std::string refresh_prefix(std::string_view link) { return "duet:" + std::string(link); }
std::string sync_prefix(std::string_view link) { return refresh_prefix(link) + ":sync"; }

namespace {

// By column name: what a field is may change with the configuration.
json encode_fields(const table_pair& table, field_set fields) {
  json names = json::array();
  for (std::size_t f = 0; f < table.policy.fields.size(); ++f)
    if (fields >> f & 1)
      for (const std::uint16_t c : table.policy.fields[f].columns) names.push_back(table.columns[c].home.name);
  return names;
}

decision_tag::won decode_won(const table_pair& table, const json& message, const char* winner) {
  decision_tag::won won;
  const auto found = message.find(winner);
  if (found == message.end()) return won;
  if (!found->is_object() || !member(*found, "fields").is_array() || !member(*found, "time").is_number_integer()) damaged("does not say what was decided");
  won.time_us = member(*found, "time").get<std::int64_t>();
  if (found->contains("existence")) won.fields = table.policy.all();
  if (found->contains("restated")) won.fields |= restated;
  for (const json& name : member(*found, "fields")) {
    if (!name.is_string()) damaged("names a column that is no string");
    const auto& text = name.get_ref<const std::string&>();
    for (std::uint16_t c = 0; c < table.columns.size(); ++c)
      if (table.columns[c].home.name == text && !table.columns[c].key && c < table.policy.field_of.size()) won.fields |= table.policy.bit_of(c);
  }
  return won;
}

}  // namespace

std::string encode_refresh(const table_pair& table, row_view key, const owned_row* row, const decision_tag& tag) {
  json cells = json::object(), keys = json::object();
  for (std::uint16_t k : table.key)
    keys[table.columns[k].home.name] = key[k].present() ? encode_value(table.columns[k], key[k].text()) : json(nullptr);
  const bool found = row && row->found;
  if (found)
    for (std::size_t i = 0; i < table.columns.size(); ++i)
      cells[table.columns[i].home.name] = row->values[i] ? encode_value(table.columns[i], *row->values[i]) : json(nullptr);
  json content = {{"table", name_of(table)}, {"key", std::move(keys)}, {"row", found ? std::move(cells) : json(nullptr)}};
  for (const auto& [winner, won] : {std::pair("home", &tag.by_home), std::pair("spoke", &tag.by_spoke)})
    if (won->fields) {
      json& w = content[winner] = {{"fields", encode_fields(table, won->fields)}, {"time", won->time_us}};
      if (won->fields & existence) w["existence"] = true;
      if (won->fields & restated) w["restated"] = true;
    }
  if (tag.ends_hold) content["ends_hold"] = true;
  // The log carries these bytes in the database's encoding: plain ASCII reads the same in all of them.
  try {
    return content.dump(-1, ' ', true);
  } catch (const json::exception&) {
    throw failure(failure_kind::internal, "a refresh of " + name_of(table) + " has text that is not UTF-8");
  }
}

void decode_refresh(const mapping& m, std::string_view content, block_writer& writer) {
  const json message = json::parse(content, nullptr, false);
  if (message.is_discarded() || !message.is_object()) damaged("is no JSON object");
  const json &name = member(message, "table"), &key = member(message, "key"), &row = member(message, "row");
  if (!name.is_string() || !key.is_object() || !(row.is_object() || row.is_null())) damaged("has a member of a wrong type");
  const table_pair* table = nullptr;
  for (const auto& t : m.tables)
    if (name.get_ref<const std::string&>() == name_of(t)) table = &t;
  if (!table) return;  // no longer synced: nothing to refresh
  auto column_changed = [&](std::size_t i) {
    throw failure(failure_kind::schema_changed,
                  "table " + name_of(*table) + ", column " + table->columns[i].home.name + " is not in a refresh in the log");
  };

  writer.start_change(operation::refresh, table->id, static_cast<std::uint16_t>(table->columns.size()), true, row.is_object());
  for (std::uint16_t k : table->key) {
    auto value = key.find(table->columns[k].home.name);
    if (value == key.end()) column_changed(k);
    decode_value(table->columns[k], *value, writer, block_writer::before, k);
  }
  if (row.is_object())
    for (std::size_t i = 0; i < table->columns.size(); ++i) {
      auto value = row.find(table->columns[i].home.name);
      if (value != row.end()) decode_value(table->columns[i], *value, writer, block_writer::after, i);
      // else: the column is younger than the refresh; absent
    }
  writer.set_decision({decode_won(*table, message, "home"), decode_won(*table, message, "spoke"), message.contains("ends_hold")});
  writer.finish_change();
}

}  // namespace duet::postgres
