#include "cli/ledger.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>
#include <ctime>

#include "cli/answer.hpp"
#include "observe/printable.hpp"

namespace duet::cli {

namespace {

using ordered = nlohmann::ordered_json;

constexpr std::size_t value_width = 36;

ordered parse(const std::string& text) { return text.empty() ? ordered() : ordered::parse(text, nullptr, false); }

std::string value_text(const ordered& v) {
  if (v.is_null()) return "NULL";
  return observe::printable(v.is_string() ? v.get_ref<const std::string&>() : v.dump());
}

std::string format_time(std::int64_t us, const char* between, int digits, const char* zone) {
  const std::time_t s = us / 1'000'000;
  std::tm utc{};
  gmtime_r(&s, &utc);
  const std::string fraction = fmt::format("{:06}", us % 1'000'000).substr(0, digits);
  return fmt::format("{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}.{}{}", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, between, utc.tm_hour,
                     utc.tm_min, utc.tm_sec, fraction, zone);
}

std::size_t width_of(std::string_view text) {  // characters
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace

std::string entry_id(side at, std::uint64_t id) { return (at == side::spoke ? "s" : "") + std::to_string(id); }

std::optional<std::pair<side, std::uint64_t>> find_entry(std::string_view id) {
  side at = side::home;
  if (id.starts_with('s')) at = side::spoke;
  if (id.starts_with('s') || id.starts_with('h')) id.remove_prefix(1);
  std::uint64_t n = 0;
  const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), n);
  if (error != std::errc() || end != id.data() + id.size() || n == 0 || n > INT64_MAX) return std::nullopt;
  return std::pair(at, n);
}

std::string time_text(std::int64_t us) { return us <= 0 ? "-" : format_time(us, " ", 3, ""); }
nlohmann::json time_json(std::int64_t us) {
  if (us <= 0) return nullptr;
  return format_time(us, "T", 6, "Z");
}

std::string key_text(const std::string& key) {
  const ordered j = parse(key);
  if (!j.is_object()) return observe::printable(key);
  std::string out;
  for (const auto& [name, value] : j.items()) out += (out.empty() ? "" : ", ") + observe::printable(name) + '=' + value_text(value);
  return out.empty() ? "(the table)" : out;
}

nlohmann::json row_json(const std::string& row) {
  if (row.empty()) return nullptr;
  auto j = nlohmann::json::parse(row, nullptr, false);
  return j.is_discarded() ? nlohmann::json(row) : j;
}

bool is_table(const std::string& table, const std::string& wanted) {
  return wanted.empty() || table == wanted || table.ends_with("." + wanted);
}

std::string aligned(const std::vector<std::vector<std::string>>& lines) {
  std::vector<std::size_t> widths;
  for (const auto& line : lines) {
    widths.resize(std::max(widths.size(), line.size()));
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], width_of(line[i]));
  }
  std::string out;
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      out += "  " + line[i];
      if (i + 1 < line.size()) out.append(widths[i] - width_of(line[i]), ' ');
    }
    while (out.ends_with(' ')) out.pop_back();
    out += '\n';
  }
  return out;
}

std::string side_by_side(const std::vector<image>& images) {
  std::vector<ordered> rows;
  std::vector<std::string> names, head = {"", "column"};
  for (const image& i : images) {
    rows.push_back(parse(i.row));
    if (!rows.back().is_object()) rows.back() = nullptr;
    head.push_back(i.title + (rows.back().is_null() ? " (no row)" : ""));
    for (const auto& [name, value] : rows.back().items())
      if (rows.back().is_object() && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  std::vector<std::vector<std::string>> lines = {head};
  for (const std::string& name : names) {
    std::vector<std::string> line = {"", observe::shortened(observe::printable(name), value_width)};
    const ordered* first = nullptr;
    for (const ordered& row : rows) {
      const auto found = row.is_object() ? row.find(name) : row.end();
      if (!row.is_object() || found == row.end()) {
        line.emplace_back();
        continue;
      }
      if (first && *first != *found) line[0] = "*";
      if (!first) first = &*found;
      line.push_back(observe::shortened(value_text(*found), value_width));
    }
    lines.push_back(std::move(line));
  }
  return names.empty() ? "  there is no row on any side\n" : aligned(lines);
}

std::optional<int> open_both(preflight& p, bool bound, const options& o, console& c, std::string_view verb) {
  if (p.load() && p.connect() && bound) {
    p.bind();
    p.excuse_paused_tables();
  }
  int code = p.exit_code();
  if (code == exit_fine) {
    if (p.home->load_control() && p.spoke->load_control()) return std::nullopt;
    throw failure(failure_kind::not_set_up, "link " + p.cfg.link + " is not set up");
  }
  if (code == exit_findings) code = exit_refused;
  if (o.json) {
    auto document = findings_json(p.groups());
    document["link"] = p.cfg.link;
    return answer(c, verb, code, std::move(document));
  }
  c.err << p.complaints() << std::flush;
  return code;
}

int answer_unknown(const options& o, console& c, std::string_view verb, const std::string& what, const std::string& link) {
  if (o.json) return answer(c, verb, exit_findings, {{"link", link}, {"result", "unknown"}, {"text", what}});
  c.err << "duet " << verb << ": " << observe::printable(what) << std::endl;
  return exit_findings;
}

}  // namespace duet::cli
