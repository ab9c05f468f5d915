#include "mysql/binlog_statement.hpp"

#include <algorithm>

namespace duet::mysql {

namespace {

bool equal_words(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [&](char x, char y) { return lower(x) == lower(y); });
}

// Words, quoted names and single characters. Comments are skipped, but what /*! ... */ holds is read.
class lexer {
 public:
  enum class kind : std::uint8_t { end, word, quoted, symbol };

  explicit lexer(std::string_view sql) : rest_(sql) { next(); }

  kind is() const { return kind_; }
  bool at(std::string_view word) const { return kind_ == kind::word && equal_words(text_, word); }
  bool at_symbol(char c) const { return kind_ == kind::symbol && text_[0] == c; }
  bool at_name() const { return kind_ == kind::word || kind_ == kind::quoted; }
  const std::string& text() const { return text_; }
  bool take(std::string_view word) { return at(word) ? (next(), true) : false; }
  bool take_symbol(char c) { return at_symbol(c) ? (next(), true) : false; }

  void next() {
    skip_blanks();
    text_.clear();
    if (rest_.empty()) {
      kind_ = kind::end;
      return;
    }
    const char c = rest_[0];
    if (c == '`' || c == '"' || c == '\'') return quoted(c);
    std::size_t n = 0;
    while (n < rest_.size() && is_word(rest_[n])) ++n;
    kind_ = n ? kind::word : kind::symbol;
    text_ = rest_.substr(0, std::max<std::size_t>(n, 1));
    rest_.remove_prefix(text_.size());
  }

 private:
  static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' || (c & 0x80);
  }

  // A quote inside is written twice, or in strings after a backslash. Strings in '' are no names.
  void quoted(char quote) {
    std::size_t i = 1;
    for (; i < rest_.size(); ++i) {
      if (rest_[i] == '\\' && quote != '`' && i + 1 < rest_.size()) {
        text_ += rest_[++i];
      } else if (rest_[i] != quote) {
        text_ += rest_[i];
      } else if (i + 1 < rest_.size() && rest_[i + 1] == quote) {
        text_ += rest_[++i];
      } else {
        break;
      }
    }
    rest_.remove_prefix(std::min(rest_.size(), i + 1));
    kind_ = quote == '\'' ? kind::symbol : kind::quoted;
    if (text_.empty() || quote == '\'') text_ = "'";
  }

  void skip_blanks() {
    for (;;) {
      if (rest_.empty()) return;
      if (static_cast<unsigned char>(rest_[0]) <= ' ') {
        rest_.remove_prefix(1);
      } else if (rest_[0] == '#' || (rest_.starts_with("--") && (rest_.size() == 2 || static_cast<unsigned char>(rest_[2]) <= ' '))) {
        const std::size_t end = rest_.find('\n');
        rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
      } else if (rest_.starts_with("/*!") || rest_.starts_with("/*M!")) {
        rest_.remove_prefix(rest_[2] == '!' ? 3 : 4);
        while (!rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9') rest_.remove_prefix(1);
        ++open_comments_;
      } else if (rest_.starts_with("/*")) {
        const std::size_t end = rest_.find("*/", 2);
        rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 2);
      } else if (open_comments_ && rest_.starts_with("*/")) {
        rest_.remove_prefix(2);
        --open_comments_;
      } else {
        return;
      }
    }
  }

  std::string_view rest_;
  kind kind_ = kind::end;
  std::string text_;
  int open_comments_ = 0;
};

bool read_name(lexer& in, std::string_view database, table_name& name) {
  if (!in.at_name()) return false;
  name = {std::string(database), in.text()};
  in.next();
  if (in.take_symbol('.')) {
    if (!in.at_name()) return false;
    name.database = std::move(name.table);
    name.table = in.text();
    in.next();
  }
  return true;
}

void skip_if_exists(lexer& in) {
  if (in.take("IF")) {
    in.take("NOT");
    in.take("EXISTS");
  }
}

statement read_alter(lexer& in, std::string_view database) {
  using kind = statement::kind;
  while (in.at("ONLINE") || in.at("IGNORE")) in.next();
  if (!in.take("TABLE")) return {};
  skip_if_exists(in);
  table_name name;
  if (!read_name(in, database, name)) return {};
  bool renames = false;
  for (; in.is() != lexer::kind::end;) {
    if (in.take("RENAME")) {
      if (!in.at("COLUMN") && !in.at("INDEX") && !in.at("KEY") && !in.at("CONSTRAINT")) renames = true;
    } else if (in.at("TRUNCATE") || in.at("DROP") || in.at("EXCHANGE") || in.at("IMPORT") || in.at("DISCARD")) {
      in.next();
      if (in.at("PARTITION") || in.at("TABLESPACE")) return {kind::replace_rows, {}};
    } else {
      in.next();
    }
  }
  if (renames) return {kind::remove_tables, {name}};
  return {};
}

statement read_rename(lexer& in, std::string_view database) {
  if (!in.take("TABLE") && !in.take("TABLES")) return {};
  skip_if_exists(in);
  statement s{statement::kind::remove_tables, {}};
  table_name name;
  while (read_name(in, database, name)) {
    s.tables.push_back(name);
    if (in.take("WAIT")) in.next();
    in.take("NOWAIT");
    if (!in.take("TO") && !in.take_symbol(',')) break;
  }
  return s;
}

statement read_drop(lexer& in, std::string_view database) {
  if (in.take("DATABASE") || in.take("SCHEMA")) {
    skip_if_exists(in);
    if (!in.at_name()) return {};
    return {statement::kind::remove_database, {{in.text(), ""}}};
  }
  if (!in.take("TABLE") && !in.take("TABLES")) return {};  // TEMPORARY tables are no matter
  skip_if_exists(in);
  statement s{statement::kind::remove_tables, {}};
  table_name name;
  while (read_name(in, database, name)) {
    s.tables.push_back(name);
    if (!in.take_symbol(',')) break;
  }
  return s;
}

}  // namespace

statement read_statement(std::string_view sql, std::string_view database) {
  using kind = statement::kind;
  lexer in(sql);
  if (in.take("BEGIN")) return {kind::begin, {}};
  if (in.take("COMMIT")) return {kind::commit, {}};
  if (in.take("ROLLBACK")) {
    in.take("WORK");
    return {in.at("TO") ? kind::rollback_to_savepoint : kind::rollback, {}};
  }
  if (in.take("XA")) {
    if (in.at("START") || in.at("BEGIN")) return {kind::xa_start, {}};
    if (in.at("END")) return {kind::xa_end, {}};
    if (in.at("COMMIT")) return {kind::xa_commit, {}};
    if (in.at("ROLLBACK")) return {kind::xa_rollback, {}};
    return {};
  }
  if (in.take("TRUNCATE")) {
    in.take("TABLE");
    table_name name;
    if (!read_name(in, database, name)) return {};
    return {kind::truncate, {name}};
  }
  if (in.take("ALTER")) return read_alter(in, database);
  if (in.take("RENAME")) return read_rename(in, database);
  if (in.take("DROP")) return read_drop(in, database);
  if (in.take("CREATE")) {
    table_name name;
    if (in.take("OR") && in.take("REPLACE") && in.take("TABLE") && read_name(in, database, name)) return {kind::remove_tables, {name}};
    return {};
  }
  while (in.take_symbol('(')) {
  }
  for (std::string_view word : {"INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "WITH", "IMPORT", "MERGE"})
    if (in.at(word)) return {kind::write, {}};
  return {};
}

bool mentions(std::string_view sql, std::string_view database, const table_name& name) {
  bool has_table = false, has_database = equal_words(database, name.database);
  for (lexer in(sql); in.is() != lexer::kind::end; in.next()) {
    if (!in.at_name()) continue;
    has_table |= equal_words(in.text(), name.table);
    has_database |= equal_words(in.text(), name.database);
  }
  return has_table && has_database;
}

}  // namespace duet::mysql
