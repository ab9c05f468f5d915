#include "mysql/row_reader.hpp"

#include <nlohmann/json.hpp>

#include "duet/failure.hpp"

namespace duet::mysql {
namespace {

// Key values may hold any bytes: they travel as hex digits.
std::string to_hex(std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    const auto b = static_cast<unsigned char>(c);
    out += digits[b >> 4];
    out += digits[b & 15];
  }
  return out;
}

std::string from_hex(std::string_view digits) {
  const auto value = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string out;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) out += static_cast<char>(value(digits[i]) << 4 | value(digits[i + 1]));
  return out;
}

}  // namespace

void row_reader::open() {
  auto rows = std::make_unique<connection>(at_, session_name_ + ":copy"), log = std::make_unique<connection>(at_, session_name_ + ":copy-log");
  const std::lock_guard guard(mutex_);
  rows_ = std::move(rows);
  log_ = std::move(log);
}

// The cursor is a JSON array of the key's values in the canonical form, as hex digits.
next_rows row_reader::read_rows(const table_pair& table, const std::string& cursor, std::size_t limit, bool lock) {
  const std::string doing = "reading rows of " + qualified_name(table.spoke);
  const std::size_t n = table.columns.size();
  std::vector<std::string> values;
  std::vector<cell> behind(n);
  if (!cursor.empty()) {
    for (const auto& hex : nlohmann::json::parse(cursor)) values.push_back(from_hex(hex.get<std::string>()));
    for (std::size_t i = 0; i < table.key.size(); ++i) behind[table.key[i]] = cell::of(values.at(i));
  }
  sql_writer(rows_->version().speaks).next_rows(statement_, table, cursor.empty() ? nullptr : behind.data(), limit, lock);
  if (lock) rows_->execute("START TRANSACTION", doing);
  next_rows out;
  try {
    result rows = rows_->query(statement_, doing);
    out.rows.reserve(rows.size());
    while (rows.next()) {
      owned_row& row = out.rows.emplace_back();
      row.found = true;
      row.values.resize(n);
      for (unsigned c = 0; c < n; ++c)
        if (!rows.is_null(c + 1)) row.values[c] = decode_selected(table.columns[c].spoke, rows.text(c + 1));
    }
  } catch (const failure& f) {
    if (f.server_code != "3572" && f.server_code != "1205") throw;  // somebody has locked one of them
    release();
    out.busy = true;
    return out;
  }
  out.last = out.rows.size() < limit;
  if (!out.rows.empty()) {
    nlohmann::json last = nlohmann::json::array();
    for (const std::uint16_t k : table.key) last.push_back(to_hex(*out.rows.back().values[k]));
    out.cursor = last.dump();
  }
  return out;
}

log_position row_reader::log_end() { return read_binlog_end(*log_).position; }

void row_reader::release() noexcept {
  try {
    rows_->execute("ROLLBACK", "releasing rows");
  } catch (const failure&) {  // the next statement says so
  }
}

std::uint64_t row_reader::estimate_rows(const table_pair& table) {
  const auto rows = rows_->query_value("SELECT TABLE_ROWS FROM information_schema.TABLES WHERE TABLE_SCHEMA=" + quote_text(table.spoke.schema) +
                                           " AND TABLE_NAME=" + quote_text(table.spoke.name),
                                       "reading statistics at the spoke");
  return rows ? std::stoull(*rows) : 0;
}

void row_reader::interrupt() noexcept {
  const std::lock_guard guard(mutex_);
  for (const auto* c : {&rows_, &log_})
    if (*c) (*c)->interrupt();
}

}  // namespace duet::mysql
