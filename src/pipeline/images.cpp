#include "pipeline/images.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <nlohmann/json.hpp>

namespace duet::pipeline {

namespace {

using json = nlohmann::ordered_json;

json value_json(const column_pair& c, std::string_view text) {
  if (c.home.type.kind == value_kind::bytes || c.spoke.type.kind == value_kind::bytes) {
    constexpr char digits[] = "0123456789abcdef";
    std::string hex = "\\x";
    for (unsigned char b : text) hex += digits[b >> 4], hex += digits[b & 15];
    return hex;
  }
  return std::string(text);
}

std::string dump(const json& j) { return j.dump(-1, ' ', false, json::error_handler_t::replace); }

}  // namespace

std::string row_json(const table_pair& t, row_view row) {
  if (!row) return {};
  json j = json::object();
  for (std::size_t i = 0; i < t.columns.size(); ++i) {
    if (row[i].is_null()) j[t.columns[i].home.name] = nullptr;
    if (row[i].present()) j[t.columns[i].home.name] = value_json(t.columns[i], row[i].text());
  }
  return dump(j);
}

std::string row_json(const table_pair& t, const owned_row& row) {
  if (!row.found) return {};
  json j = json::object();
  for (std::size_t i = 0; i < t.columns.size(); ++i) {
    if (row.values[i]) j[t.columns[i].home.name] = value_json(t.columns[i], *row.values[i]);
    else j[t.columns[i].home.name] = nullptr;
  }
  return dump(j);
}

std::string key_json(const table_pair& t, row_view row) {
  json j = json::object();
  for (std::uint16_t k : t.key) j[t.columns[k].home.name] = value_json(t.columns[k], row[k].text());
  return dump(j);
}

std::string same_json(const std::string& text) {
  const auto j = nlohmann::json::parse(text, nullptr, false);  // sorts its members
  return j.is_discarded() ? text : j.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string table_name(const table_pair& t) { return t.home.schema + "." + t.home.name; }

std::uint64_t table_token(const table_pair& t) {
  const std::string n = "table " + table_name(t);
  return XXH3_64bits(n.data(), n.size()) | 1;
}

}  // namespace duet::pipeline
