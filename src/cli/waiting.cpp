#include "cli/waiting.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/ledger.hpp"
#include "duet/failure.hpp"
#include "pipeline/images.hpp"
#include "translate/translate.hpp"

namespace duet::cli {

namespace {

bool is_hex(const column_pair& c) { return c.home.type.kind == value_kind::bytes || c.spoke.type.kind == value_kind::bytes; }

// The reverse of pipeline/images: \x0fa0.
std::optional<std::string> decode_hex(std::string_view text) {
  if (!text.starts_with("\\x") || text.size() % 2) return std::nullopt;
  std::string out;
  const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; };
  for (std::size_t i = 2; i < text.size(); i += 2) {
    const int high = digit(text[i]), low = digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high << 4 | low);
  }
  return out;
}

// Do both entries stand for one change that has changed the row's key?
bool share(const waiting_key::change& a, const waiting_key::change& b) {
  return a.at == b.at && a.what.op == operation::update && b.what.op == operation::update && a.what.token != b.what.token &&
         a.what.source_position == b.what.source_position && a.what.table == b.what.table && a.what.before_row == b.what.before_row &&
         a.what.after_row == b.what.after_row;
}

}  // namespace

bool waiting_key::at(side s) const {
  return std::any_of(changes.begin(), changes.end(), [&](const change& c) { return c.at == s; });
}
bool waiting_key::has(side s, std::uint64_t wanted) const {
  return std::any_of(changes.begin(), changes.end(), [&](const change& c) { return c.at == s && c.what.id == wanted; });
}
const waiting_key::change& waiting_key::first() const {
  const auto waits = [](const change& c) { return c.what.reason.starts_with("waits behind"); };
  const auto found = std::find_if_not(changes.begin(), changes.end(), waits);
  return found == changes.end() ? changes.front() : *found;
}
std::string waiting_key::where() const { return at(side::home) ? at(side::spoke) ? "both sides" : "home" : "spoke"; }
bool waiting_key::is_table() const { return changes.front().what.op == operation::truncate; }
bool waiting_key::is_truncate() const {
  return std::any_of(changes.begin(), changes.end(), [](const change& c) { return c.what.op == operation::truncate && c.what.server_code != held_limit_code; });
}

std::vector<waiting_key> load_waiting(site& home, site& spoke) {
  std::vector<waiting_key::change> all;
  for (auto& c : home.load_held()) all.push_back({side::home, std::move(c)});
  for (auto& c : spoke.load_held()) all.push_back({side::spoke, std::move(c)});
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.what.held_at_us < b.what.held_at_us; });
  std::vector<waiting_key> keys;
  struct spelling {
    std::size_t key;
    std::optional<std::string> at[2];  // by the side that holds it
  };
  std::map<std::pair<std::string, std::uint64_t>, std::vector<spelling>> known;  // keys that may be equal to one side share a token
  std::map<std::pair<bool, std::uint64_t>, std::vector<std::pair<std::size_t, std::size_t>>> by_position;  // key, its change
  for (auto& c : all) {
    auto& alike = known[{c.what.table, c.what.token}];
    const std::string spelled = pipeline::same_json(c.what.key);
    const auto here = static_cast<std::size_t>(c.at);
    auto found = std::find_if(alike.begin(), alike.end(), [&](const spelling& s) { return s.at[here] ? *s.at[here] == spelled : s.at[1 - here] == spelled; });
    if (found == alike.end() && alike.size() == 1 && !alike[0].at[here]) found = alike.begin();  // the other side spells it another way
    if (found == alike.end()) {
      for (const spelling& s : alike) keys[s.key].tied.push_back(keys.size());  // they wait behind each other
      found = alike.insert(alike.end(), spelling{.key = keys.size(), .at = {}});
      keys.push_back({.id = {}, .table = c.what.table, .key = c.what.key, .token = c.what.token, .changes = {}, .tied = {}});
      for (const spelling& s : alike)
        if (s.key != found->key) keys.back().tied.push_back(s.key);
    }
    found->at[here] = spelled;
    const std::size_t number_of_key = found->key;
    auto& key = keys[number_of_key];
    auto& beside = by_position[{c.at == side::spoke, c.what.source_position.value}];
    for (const auto& [other, number] : beside) {
      if (other == number_of_key || !share(keys[other].changes[number], c)) continue;
      key.tied.push_back(other);
      keys[other].tied.push_back(number_of_key);
    }
    beside.emplace_back(number_of_key, key.changes.size());
    key.changes.push_back(std::move(c));
  }
  for (auto& k : keys) k.id = entry_id(k.first().at, k.first().what.id);
  return keys;
}

std::vector<std::size_t> tied_to(const std::vector<waiting_key>& keys, std::size_t start) {
  std::vector<std::size_t> all = {start};
  for (std::size_t i = 0; i < all.size(); ++i)
    for (const std::size_t other : keys[all[i]].tied)
      if (std::find(all.begin(), all.end(), other) == all.end()) all.push_back(other);
  return all;
}

const table_pair* find_table(const mapping& m, const std::string& home_name) {
  for (const table_pair& t : m.tables)
    if (pipeline::table_name(t) == home_name) return &t;
  return nullptr;
}

key_cells key_of(const table_pair& table, const waiting_key& key, base::arena& arena) {
  // As home has made it, if home has changed it: then it needs no conversion there.
  const waiting_key::change* made = &key.changes.front();
  for (const auto& c : key.changes)
    if (c.at == side::spoke) {
      made = &c;
      break;
    }
  const side from = other(made->at);
  const auto values = nlohmann::json::parse(made->what.key, nullptr, false);
  cell* in = arena.allocate_array<cell>(table.columns.size());
  cell* out = arena.allocate_array<cell>(table.columns.size());
  std::fill_n(in, table.columns.size(), cell{});
  for (const std::uint16_t k : table.key) {
    const column_pair& c = table.columns[k];
    const auto found = values.is_object() ? values.find(c.home.name) : values.end();
    if (!values.is_object() || found == values.end() || !found->is_string())
      throw failure(failure_kind::schema_changed, "the key of table " + key.table + " is not the one that was held (id " + key.id + ")");
    const auto& text = found->get_ref<const std::string&>();
    const auto bytes = is_hex(c) ? decode_hex(text) : std::nullopt;
    in[k] = cell::of(arena.copy(bytes ? *bytes : text));
  }
  if (translate::key_token(table, from, in, arena) != key.token)
    throw failure(failure_kind::schema_changed,
                  "the tables of the configuration are not those, or not in the order, of when id " + key.id + " was held", "",
                  "Put them into their old order; new ones go to the end.");
  key_cells cells;
  const bool converted = translate::convert_row(table, from, in, out, arena, cells.problem);
  (from == side::home ? cells.home : cells.spoke) = in;
  if (converted) (from == side::home ? cells.spoke : cells.home) = out;
  return cells;
}

both_rows read_both(const table_pair& table, const key_cells& key, target_by_hand& home, target_by_hand& spoke, bool lock, base::arena& arena) {
  const auto read = [&](target_by_hand& at, row_view view) {
    if (!view) return owned_row{};
    const row_view keys[] = {view};
    return (lock ? at.lock_rows(table, keys) : at.read_rows(table, keys)).at(0);
  };
  both_rows rows;
  rows.home = read(home, key.home);
  const owned_row raw = read(spoke, key.spoke);
  const std::size_t n = table.columns.size();
  rows.spoke = raw;
  rows.problems.resize(n);
  if (!raw.found) return rows;
  cell* in = arena.allocate_array<cell>(n);
  cell* out = arena.allocate_array<cell>(n);
  for (std::size_t i = 0; i < n; ++i) {  // each for itself: one that home can't have must not hide the others
    std::fill_n(in, n, cell{});
    in[i] = raw.values[i] ? cell::of(*raw.values[i]) : cell::null();
    if (!translate::convert_row(table, side::spoke, in, out, arena, rows.problems[i])) continue;
    if (out[i].present()) rows.spoke.values[i] = std::string(out[i].text());
  }
  return rows;
}

std::string typed_value(const column_pair& c, const std::string& text) {
  if (c.home.type.kind == value_kind::boolean && (text == "true" || text == "false")) return text == "true" ? "1" : "0";
  if (c.home.type.kind != value_kind::bytes) return text;
  if (const auto bytes = decode_hex(text)) return *bytes;
  throw failure(failure_kind::config_file, "--set " + c.home.name + ": bytes are written as \\x and hex digits", "", "Write --set '" + c.home.name + "=\\x0fa0'");
}

}  // namespace duet::cli
