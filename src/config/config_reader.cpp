#include "config/config_reader.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <map>
#include <sstream>

#include "config/quantity.hpp"
#include "config/url.hpp"

namespace duet {

namespace {

using config_file::decode_count;
using config_file::decode_milliseconds;
using config_file::decode_seconds;
using config_file::decode_size;
using config_file::decode_url;
using config_file::url_parts;

constexpr std::size_t script_bytes_max = 256 << 10;
constexpr std::uint64_t held_limit_max = 1'000'000'000;

// Number of single-letter edits between two words.
std::size_t edits_between(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

bool variable_name_ok(std::string_view s) {
  if (s.empty() || (s[0] >= '0' && s[0] <= '9')) return false;
  return std::all_of(s.begin(), s.end(), [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
}

class reader {
 public:
  reader(const std::string& file, findings& found, const environment& variables)
      : file_(file), found_(found), variables_(variables) {
    out_.file = file;
    const char* tmp = std::getenv("TMPDIR");
    out_.tune.spill_dir = tmp && *tmp ? tmp : "/tmp";
  }

  config read(const std::string& yaml) {
    YAML::Node root;
    try {
      root = YAML::Load(yaml);
    } catch (const YAML::ParserException& e) {
      add(finding::level::refuse, "yaml_syntax", e.mark.is_null() ? 0 : e.mark.line + 1, "this is not YAML: " + e.msg,
          "mend the syntax; mind indentation, and quote text that has ': ', '#' or a leading special character");
      return out_;
    } catch (const YAML::Exception& e) {
      add(finding::level::refuse, "yaml_syntax", e.mark.is_null() ? 0 : e.mark.line + 1, "this is not YAML: " + e.msg, "mend the syntax");
      return out_;
    }
    if (root.IsNull() || !root.IsDefined()) {
      add(finding::level::refuse, "empty_file", 1, "the file is empty", "start from the example in the README");
      return out_;
    }
    collect_empty_values(root);
    if (!check_map(root, "the file", {"link", "home", "spoke", "status", "conflicts", "tables", "tuning"})) return out_;
    read_link(root);
    out_.home.flawed = refuses([&] { read_endpoint(root, "home", out_.home); });
    out_.spoke.flawed = refuses([&] { read_endpoint(root, "spoke", out_.spoke); });
    read_status(root["status"]);
    out_.conflicts_flawed = refuses([&] { read_conflicts(root["conflicts"]); });
    read_tables(root);
    read_tuning(root["tuning"]);
    return out_;
  }

 private:
  // An empty value has the mark of whatever follows it; its key's line is what people look for.
  int line_of(const YAML::Node& n) const {
    for (const auto& [node, line] : empty_values_)
      if (n.IsNull() && node.is(n)) return line;
    return n.Mark().is_null() ? 0 : n.Mark().line + 1;
  }
  void collect_empty_values(const YAML::Node& n, int depth = 0) {
    if (depth == 6) return;  // deeper than any key of ours; an alias may lead in a circle
    for (const auto& entry : n) {
      if (n.IsSequence()) {
        collect_empty_values(entry, depth + 1);
      } else if (entry.second.IsNull()) {
        empty_values_.emplace_back(entry.second, line_of(entry.first));
      } else {
        collect_empty_values(entry.second, depth + 1);
      }
    }
  }

  void add(finding::level is, std::string code, int line, std::string text, std::string remedy) {
    found_.push_back({is, std::move(code), std::move(text), std::move(remedy), file_ + ":" + std::to_string(std::max(line, 1))});
  }
  void refuse(std::string code, int line, std::string text, std::string remedy) {
    add(finding::level::refuse, std::move(code), line, std::move(text), std::move(remedy));
  }

  // Does what is done add a refusal?
  template <class F>
  bool refuses(F f) {
    const std::size_t before = found_.size();
    f();
    return std::any_of(found_.begin() + static_cast<std::ptrdiff_t>(before), found_.end(), [](const finding& x) { return x.is == finding::level::refuse; });
  }

  // The node is a map; its unknown and repeated keys are findings.
  bool check_map(const YAML::Node& n, const std::string& what, std::initializer_list<std::string_view> known) {
    if (!n.IsMap()) {
      refuse("wrong_type", line_of(n), what + " must be a map of `key: value`", "see the example in the README");
      return false;
    }
    std::map<std::string, int> seen;
    for (const auto& entry : n) {
      const int line = line_of(entry.first);
      if (!entry.first.IsScalar()) {
        refuse("unknown_key", line, "a key in " + what + " is not a word", "keys are plain words");
        continue;
      }
      const std::string& key = entry.first.Scalar();
      if (const auto [at, fresh] = seen.emplace(key, line); !fresh) {
        refuse("duplicate_key", line, "`" + key + "` was given in line " + std::to_string(at->second) + " already", "keep one of the two");
        continue;
      }
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      std::string_view nearest;
      std::size_t best = std::max<std::size_t>(2, key.size() / 3) + 1;
      std::string all;
      for (std::string_view k : known) {
        all += (all.empty() ? "" : ", ") + std::string(k);
        if (const std::size_t d = edits_between(key, k); d < best) best = d, nearest = k;
      }
      refuse("unknown_key", line, what + " has no key `" + key + "`",
             nearest.empty() ? "known keys: " + all : "did you mean `" + std::string(nearest) + "`?");
    }
    return true;
  }

  // A scalar's text; nullopt, with a finding, if it is something else or empty.
  std::optional<std::string> text_of(const YAML::Node& n, const std::string& what, const std::string& example) {
    if (n.IsScalar() && !n.Scalar().empty()) return n.Scalar();
    refuse("wrong_type", line_of(n), what + (n.IsMap() || n.IsSequence() ? " must be a single value" : " is empty"), "write " + example);
    return std::nullopt;
  }

  // Puts the environment's values in for ${VAR}. False, with findings, if that can't be done.
  bool expand(std::string& text, int line, const std::string& what, bool* has_variable = nullptr) {
    std::string out;
    bool ok = true;
    for (std::size_t i = 0; i < text.size();) {
      if (text.compare(i, 2, "${") != 0) {
        out += text[i++];
        continue;
      }
      const std::size_t close = text.find('}', i);
      const std::string name = close == std::string::npos ? "" : text.substr(i + 2, close - i - 2);
      if (!variable_name_ok(name)) {
        refuse("bad_variable", line, what + " has a `${` that is no variable", "write ${NAME}: letters, digits and _, nothing else");
        return false;
      }
      if (has_variable) *has_variable = true;
      if (const auto value = variables_(name)) {
        out += *value;
      } else {
        refuse("variable_unset", line, what + ": the environment variable " + name + " is not set",
               "export " + name + "=... before starting duet, or use password_file");
        ok = false;
      }
      i = close + 1;
    }
    if (ok) text = std::move(out);
    return ok;
  }

  std::string beside_file(const std::string& path) const {
    if (path.starts_with('/')) return path;
    return (std::filesystem::path(file_).parent_path() / path).string();
  }

  void read_link(const YAML::Node& root) {
    const YAML::Node n = root["link"];
    if (!n) return refuse("missing_key", line_of(root), "`link` is missing: it names the slot and the bookkeeping rows", "add `link: shop`");
    const auto text = text_of(n, "link", "`link: shop`");
    if (!text) return;
    const bool ok = text->size() <= 32 && std::all_of(text->begin(), text->end(), [](char c) {
      return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
    });
    if (!ok) {
      return refuse("bad_link", line_of(n), "the link's name must be 1 to 32 of a-z, 0-9 and _: it becomes the name of a replication slot",
                    "choose a name such as `shop`");
    }
    out_.link = *text;
  }

  void read_endpoint(const YAML::Node& root, const std::string& key, endpoint& out) {
    const bool is_home = key == "home";
    const std::string example = is_home ? "`url: postgresql://duet@127.0.0.1:5432/shop`" : "`url: mysql://duet@127.0.0.1:3306/shop`";
    const YAML::Node n = root[key];
    if (!n) {
      return refuse("missing_key", line_of(root), "`" + key + "` is missing: the " + (is_home ? "PostgreSQL" : "MySQL or MariaDB") + " database",
                    "add `" + key + ":` with " + example);
    }
    out.at.line = line_of(n);
    if (!check_map(n, key, {"url", "password", "password_file", "tls"})) return;
    bool password_in_url = false;
    if (const YAML::Node url = n["url"]) {
      read_url(url, key, example, is_home, out, password_in_url);
    } else {
      refuse("missing_key", line_of(n), key + ".url is missing", "add " + example);
    }
    read_password(n, key, out, password_in_url);
    if (n["tls"]) read_tls(n["tls"], key, out);
  }

  void read_url(const YAML::Node& n, const std::string& key, const std::string& example, bool is_home, endpoint& out, bool& has_password) {
    auto text = text_of(n, key + ".url", example);
    if (!text) return;
    const int line = line_of(n);
    const std::string what = key + ".url";
    bool whole_is_variable = false;
    if (text->starts_with("${") && text->find("://") == std::string::npos && !expand(*text, line, what, &whole_is_variable)) return;

    url_parts parts;
    std::string problem;
    if (!decode_url(*text, parts, problem)) return refuse("bad_url", line, what + ": " + problem, "write " + example);
    if (parts.scheme != (is_home ? "postgresql" : "mysql")) {
      return refuse("bad_url", line, is_home ? "home is the PostgreSQL side, and this URL is for MySQL or MariaDB"
                                             : "spoke is the MySQL or MariaDB side, and this URL is for PostgreSQL",
                    "write " + example);
    }
    bool password_variable = whole_is_variable;
    if (!whole_is_variable) {
      bool ok = expand(parts.user, line, what);
      ok &= expand(parts.host, line, what);
      ok &= expand(parts.port, line, what);
      ok &= expand(parts.database, line, what);
      ok &= expand(parts.password, line, what, &password_variable);
      if (!ok) return;
    }
    out.scheme = parts.scheme;
    out.host = parts.host;
    out.user = parts.user;
    out.database = parts.database;
    if (parts.has_password) {
      has_password = true;
      out.password = parts.password;
      if (!password_variable) warn_clear_password(line, what);
    }
    if (!parts.port.empty()) {
      const auto port = decode_count(parts.port);
      if (!port || *port == 0 || *port > 65535) return refuse("bad_url", line, what + ": the port must be 1 to 65535", "write " + example);
      out.port = static_cast<std::uint16_t>(*port);
    }
    if (out.host.empty()) {
      refuse("bad_url", line, what + ": it names no host",
             "write " + example + ", or " + (is_home ? "?host=/folder" : "?socket=/path") + " for a Unix socket");
    }
    if (out.user.empty()) refuse("bad_url", line, what + ": it names no user", "write " + example);
    if (out.database.empty()) refuse("bad_url", line, what + ": it names no database", "write " + example);
  }

  void warn_clear_password(int line, const std::string& where) {
    add(finding::level::warn, "password_in_clear", line, where + ": a password stands in the file in clear",
        "use password_file, or password: ${VARIABLE}");
  }

  void read_password(const YAML::Node& n, const std::string& key, endpoint& out, bool password_in_url) {
    const YAML::Node password = n["password"], file = n["password_file"];
    if ((password ? 1 : 0) + (file ? 1 : 0) + password_in_url > 1) {
      refuse("password_twice", line_of(file ? file : password), key + " has its password in more than one place",
             "keep one of password, password_file and the URL's");
      return;
    }
    if (password) {
      if (!password.IsScalar()) return void(text_of(password, key + ".password", "`password: ${VARIABLE}`"));
      std::string text = password.Scalar();
      bool has_variable = false;
      if (!expand(text, line_of(password), key + ".password", &has_variable)) return;
      if (!has_variable && !text.empty()) warn_clear_password(line_of(password), key + ".password");
      out.password = std::move(text);
    }
    if (file) {
      auto path = text_of(file, key + ".password_file", "`password_file: /run/secrets/" + key + "`");
      if (!path || !expand(*path, line_of(file), key + ".password_file")) return;
      read_password_file(beside_file(*path), line_of(file), key, out);
    }
  }

  void read_password_file(const std::string& path, int line, const std::string& key, endpoint& out) {
    std::error_code error;
    const bool regular = std::filesystem::is_regular_file(path, error);
    std::ifstream in;
    if (regular) in.open(path, std::ios::binary);
    if (!regular || !in) {
      return refuse("password_file_unreadable", line, key + ".password_file: " + path + " can't be read",
                    "check the path, and that the user that runs duet may read it");
    }
    std::string text(64 << 10, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (in.bad() || text.size() == 64 << 10) {
      return refuse("password_file_unreadable", line, key + ".password_file: " + path + " does not hold a password", "it must have one short line");
    }
    if (text.ends_with('\n')) text.pop_back();
    if (text.ends_with('\r')) text.pop_back();
    if (text.empty()) {
      add(finding::level::warn, "password_file_empty", line, key + ".password_file: " + path + " is empty", "put the password in");
    }
    out.password = std::move(text);
  }

  void read_tls(const YAML::Node& n, const std::string& key, endpoint& out) {
    const std::string what = key + ".tls";
    if (!check_map(n, what, {"mode", "ca"})) return;
    const std::string example = "`tls: { mode: verify-full, ca: /etc/duet/ca.pem }`";
    bool verify = false;
    if (const YAML::Node mode = n["mode"]) {
      if (const auto text = text_of(mode, what + ".mode", example)) {
        constexpr std::pair<std::string_view, tls_mode> modes[] = {{"disable", tls_mode::disable},
                                                                   {"prefer", tls_mode::prefer},
                                                                   {"require", tls_mode::require},
                                                                   {"verify-ca", tls_mode::verify_ca},
                                                                   {"verify-full", tls_mode::verify_full}};
        const auto* found = std::find_if(std::begin(modes), std::end(modes), [&](const auto& m) { return m.first == *text; });
        if (found == std::end(modes)) {
          refuse("bad_tls_mode", line_of(mode), what + ".mode: there is no mode of that name",
                 "one of disable, prefer, require, verify-ca, verify-full");
        } else {
          out.tls = found->second;
          verify = out.tls == tls_mode::verify_ca || out.tls == tls_mode::verify_full;
        }
      }
    } else {
      refuse("missing_key", line_of(n), what + ".mode is missing", "write " + example);
    }
    if (const YAML::Node ca = n["ca"]) {
      auto path = text_of(ca, what + ".ca", example);
      if (!path || !expand(*path, line_of(ca), what + ".ca")) return;
      out.tls_ca = beside_file(*path);
      if (!std::ifstream(out.tls_ca) || std::filesystem::is_directory(out.tls_ca)) {
        refuse("tls_ca_unreadable", line_of(ca), what + ".ca: " + out.tls_ca + " can't be read",
               "check the path, and that the user that runs duet may read it");
      }
    } else if (verify) {
      refuse("tls_ca_missing", line_of(n), what + ": there is nothing to verify the server with", "write " + example);
    }
  }

  void read_status(const YAML::Node& n) {
    if (!n) return;
    const std::string example = "`status: { listen: 127.0.0.1:8087 }`";
    if (!check_map(n, "status", {"listen"})) return;
    const YAML::Node listen = n["listen"];
    if (!listen) return refuse("missing_key", line_of(n), "status.listen is missing", "write " + example);
    auto text = text_of(listen, "status.listen", example);
    if (!text || !expand(*text, line_of(listen), "status.listen")) return;
    const std::size_t colon = text->rfind(':');
    std::string host = text->substr(0, colon == std::string::npos ? text->size() : colon);
    const auto port = colon == std::string::npos ? std::nullopt : decode_count(text->substr(colon + 1));
    const bool bracketed = host.starts_with('[') && host.ends_with(']');
    if (bracketed) host = host.substr(1, host.size() - 2);
    if (!port || *port == 0 || *port > 65535 || host.empty() || (!bracketed && host.find(':') != std::string::npos)) {
      return refuse("bad_listen", line_of(listen), "status.listen must be host:port", "write " + example);
    }
    out_.status_host = host;
    out_.status_port = static_cast<std::uint16_t>(*port);
  }

  void read_conflicts(const YAML::Node& n) {
    if (!n) return;
    const std::string example = "`conflicts: { default: latest }`";
    if (n.IsScalar()) return refuse("wrong_type", line_of(n), "conflicts must be a map of `key: value`", "write " + example);
    if (!check_map(n, "conflicts", {"default", "log_retention_days", "clock_offset_limit", "held_limit"})) return;
    if (const YAML::Node rule = n["default"]) read_rule(rule, "conflicts.default", "`default: latest`", false, out_.default_conflict_rule, nullptr);
    read_number(n, "log_retention_days", "conflicts.", decode_count, "bad_number", "90", 0, 36500, out_.conflict_log_retention_days);
    read_number(n, "clock_offset_limit", "conflicts.", decode_milliseconds, "bad_duration", "1s", 1, 86'400'000, out_.clock_offset_limit_ms, " ms");
    read_number(n, "held_limit", "conflicts.", decode_count, "bad_number", "10000", 0, held_limit_max, out_.held_limit);
  }

  // One of the words of an enum, all of which `names` has.
  template <class E>
  bool read_word(const YAML::Node& n, const std::string& what, const std::string& example, const char* code, std::initializer_list<E> names, E& out,
                 const std::string& or_else = "") {
    const auto text = text_of(n, what, example);
    if (!text) return false;
    std::string all;
    for (E e : names) {
      all += (all.empty() ? "" : ", ") + std::string(name(e));
      if (*text == name(e)) return out = e, true;
    }
    refuse(code, line_of(n), what + ": there is no `" + *text + "`", "one of " + all + or_else);
    return false;
  }

  // `index`: where scripts are allowed, of the one that is named.
  bool read_rule(const YAML::Node& n, const std::string& what, const std::string& example, bool of_column, conflict_rule& out, std::uint16_t* index) {
    using enum conflict_rule;
    const std::string fix = of_column ? "`columns: { stock: { script: rules/stock.lua } }`" : "`conflict: { rule: { script: rules/customer.lua } }`";
    if ((n.IsMap() || (n.IsScalar() && n.Scalar() == name(script))) && !index) {
      refuse("bad_conflict_rule", line_of(n), what + ": a script knows the columns of its table, and is named at the table",
             "write " + fix + " there; here: one of latest, home, spoke, manual");
      return false;
    }
    if (n.IsMap()) {
      const std::size_t before = found_.size();
      if (!check_map(n, what, {"script", "rule", "file"}) || found_.size() != before) return false;
      const YAML::Node rule = n["rule"], file = n["script"] ? n["script"] : n["file"];
      const bool long_form = rule && rule.IsScalar() && rule.Scalar() == name(script) && n["file"];
      if (n.size() == (long_form ? 2 : 1) && (long_form || n["script"])) return read_script(file, what, out, *index);
      refuse("bad_conflict_rule", line_of(n), what + ": of all rules only a script is written as a map", "write " + fix);
      return false;
    }
    if (n.IsScalar() && n.Scalar() == name(script)) {
      refuse("bad_conflict_rule", line_of(n), what + ": it is not said which script", "write " + fix);
      return false;
    }
    const std::string or_script = index ? ", { script: FILE }" : "";
    if (of_column) return read_word(n, what, example, "bad_conflict_rule", {latest, home, spoke, manual, delta}, out, or_script);
    if (n.IsScalar() && n.Scalar() == name(delta)) {
      refuse("bad_conflict_rule", line_of(n), what + ": delta adds the changes of a number, and a row is none",
             "name the columns that it is for, `conflict: { columns: { balance: delta } }`; here: one of latest, home, spoke, manual");
      return false;
    }
    return read_word(n, what, example, "bad_conflict_rule", {latest, home, spoke, manual}, out, or_script);
  }

  // Whether it is good Lua is seen where it can be tried (cli/preflight).
  bool read_script(const YAML::Node& n, const std::string& what, conflict_rule& rule, std::uint16_t& index) {
    auto file = text_of(n, what, "`script: rules/customer.lua`");
    if (!file || !expand(*file, line_of(n), what)) return false;
    const std::string path = beside_file(*file);
    std::error_code error;
    std::ifstream in;
    if (std::filesystem::is_regular_file(path, error)) in.open(path, std::ios::binary);
    std::string text(script_bytes_max + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (!in.is_open() || in.bad() || text.size() > script_bytes_max) {
      refuse("script_unreadable", line_of(n),
             what + ": " + path + (text.size() > script_bytes_max ? " has more than " + std::to_string(script_bytes_max >> 10) + " KB" : " can't be read"),
             "name a Lua file, as seen from the folder of the configuration, that the user that runs duet may read");
      return false;
    }
    index = static_cast<std::uint16_t>(out_.scripts.size());
    rule = conflict_rule::script;
    out_.scripts.push_back({*file, std::move(text), {line_of(n)}});
    return true;
  }

  void read_tables(const YAML::Node& root) {
    const YAML::Node n = root["tables"];
    const std::string example = "`- home: public.customer`";
    if (!n) return refuse("missing_key", line_of(root), "`tables` is missing: nothing would be synced", "add `tables:` with " + example);
    if (!n.IsSequence() || n.size() == 0) {
      return refuse(n.IsSequence() || n.IsNull() ? "no_tables" : "wrong_type", line_of(n), "tables must be a list with at least one table",
                    "write " + example);
    }
    std::map<std::string, int> homes, spokes;
    for (const auto& entry : n) {
      table_rule rule;
      rule.flawed = refuses([&] { read_table(entry, example, rule); });
      if (rule.home.empty()) continue;
      const auto once = [&](std::map<std::string, int>& seen, const std::string& table, const char* where) {
        const auto [at, fresh] = seen.emplace(table, rule.at.line);
        if (!fresh) {
          refuse("duplicate_table", rule.at.line,
                 std::string(where) + " " + table + " has a rule in line " + std::to_string(at->second) + " already",
                 "a table can be synced once: keep one of the two");
        }
        return fresh;
      };
      bool fresh = once(homes, rule.home, "home's table");
      if (!rule.spoke.empty()) {
        fresh &= once(spokes, rule.spoke.find('.') == std::string::npos ? out_.spoke.database + "." + rule.spoke : rule.spoke, "the spoke's table");
      }
      if (fresh) out_.tables.push_back(std::move(rule));
    }
  }

  // "schema.table" and the like; either part may be '*' only as the table.
  static bool table_name_ok(const std::string& s, bool needs_schema) {
    if (s.starts_with(' ') || s.ends_with(' ')) return false;
    const std::size_t dot = s.find('.');
    if (dot == std::string::npos) return !needs_schema && !s.empty() && s.find('*') == std::string::npos;
    const std::string schema = s.substr(0, dot), table = s.substr(dot + 1);
    if (schema.empty() || table.empty() || table.find('.') != std::string::npos || schema.find('*') != std::string::npos) return false;
    return table == "*" || table.find('*') == std::string::npos;
  }

  // `rule` is what could be understood; without a name at home it is nothing.
  void read_table(const YAML::Node& n, const std::string& example, table_rule& rule) {
    rule.at.line = line_of(n);
    if (!check_map(n, "a table", {"home", "spoke", "columns", "exclude", "direction", "conflict", "deletes", "held_limit", "initial", "truth", "on_schema_change"})) return;
    if (const YAML::Node home = n["home"]) {
      const auto text = text_of(home, "home", example);
      if (text && table_name_ok(*text, true)) rule.home = *text;
      else if (text) refuse("bad_table_name", line_of(home), "home must be schema.table or schema.*", "write " + example);
    } else {
      refuse("missing_key", rule.at.line, "a table without `home`", "write " + example);
    }
    const bool wildcard = rule.home.ends_with(".*");
    if (const YAML::Node spoke = n["spoke"]) {
      const auto text = text_of(spoke, "spoke", "`spoke: customer`");
      if (text && table_name_ok(*text, false) && (rule.home.empty() || wildcard == text->ends_with(".*"))) {
        rule.spoke = *text;
      } else {
        rule.spoke_flawed = true;
        if (text) {
          refuse("bad_table_name", line_of(spoke),
                 wildcard ? "with " + rule.home + ", spoke must be database.*" : "spoke must be table or database.table",
                 wildcard ? "leave it out, or write `spoke: shop.*`" : "write `spoke: customer`");
        }
      }
    }
    if (rule.home.starts_with("duet.") || rule.spoke.starts_with("duet.")) {
      refuse("bad_table_name", rule.at.line, "`duet` holds the bookkeeping of Duet itself", "leave this table out");
      rule.home.clear();
    }
    rule.columns_flawed = refuses([&] {
      if (const YAML::Node columns = n["columns"]) read_columns(columns, wildcard, rule);
      if (const YAML::Node exclude = n["exclude"]) read_exclude(exclude, wildcard, rule);
    });
    if (const YAML::Node direction = n["direction"])
      rule.direction_flawed = !read_word(direction, "direction", "`direction: both`", "bad_direction", {flow::both, flow::home_to_spoke, flow::spoke_to_home}, rule.direction);
    if (const YAML::Node conflict = n["conflict"]) read_conflict(conflict, wildcard, rule);
    if (const YAML::Node deletes = n["deletes"]) read_deletes(deletes, rule);
    if (refuses([&] { read_initial(n["initial"], rule); }) || refuses([&] { read_truth(n["truth"], rule); })) rule.initial = initial_rows::none;
    if (n["held_limit"]) read_number(n, "held_limit", "", decode_count, "bad_number", "10000", 0, held_limit_max, rule.held_limit.emplace());
    if (n["on_schema_change"]) read_schema_rule(n["on_schema_change"], rule);
  }

  void read_schema_rule(const YAML::Node& n, table_rule& table) {
    const auto text = text_of(n, "on_schema_change", "`on_schema_change: pause`");
    for (const schema_rule r : {schema_rule::pause, schema_rule::follow, schema_rule::ignore_new_columns}) {
      if (!text || *text != name(r)) continue;
      table.on_schema_change = r;
      return;
    }
    if (text) refuse("bad_schema_rule", line_of(n), "on_schema_change: there is no such rule", "one of pause, follow, ignore_new_columns");
  }

  void read_initial(const YAML::Node& n, table_rule& table) {
    using enum initial_rows;
    if (!n || !read_word(n, "initial", "`initial: copy_from_home`", "bad_initial", {none, copy_from_home, copy_from_spoke, merge}, table.initial)) return;
    const bool fits = table.initial == none || table.direction == flow::both || table.initial == (table.direction == flow::home_to_spoke ? copy_from_home : copy_from_spoke);
    if (fits) return;
    refuse("initial_against_direction", line_of(n), "initial: " + std::string(name(table.initial)) + ", but " + table.home + " is synced " + std::string(name(table.direction)),
           "copy from the side that the table is synced from, or write `direction: both`");
  }

  // Of a merge: home | spoke | latest_by COLUMN (or { latest_by: COLUMN }) | union | manual
  void read_truth(const YAML::Node& n, table_rule& table) {
    using enum merge_truth;
    table.truth_at.line = n ? line_of(n) : table.at.line;
    if (table.initial != initial_rows::merge) {
      if (n) refuse("truth_without_merge", line_of(n), "truth says whose values stand when two filled tables are merged, and " + table.home + " has no `initial: merge`",
                    "write `initial: merge`, or take truth out");
      return;
    }
    const char* words = "one of home, spoke, latest_by COLUMN, union, manual";
    if (!n) return refuse("truth_missing", table.at.line, "initial: merge, and nobody says whose values stand where both sides have a row and differ", std::string("write `truth: ...`: ") + words);
    const std::string by = std::string(name(latest)) + ' ';
    if (n.IsMap()) {
      table.truth = latest;
      if (!check_map(n, "truth", {name(latest)})) return;
      const auto column = n[std::string(name(latest))] ? text_of(n[std::string(name(latest))], "truth.latest_by", "`truth: { latest_by: updated_at }`") : std::nullopt;
      table.latest_by = column.value_or("");
    } else if (n.IsScalar() && n.Scalar().starts_with(by)) {
      table.truth = latest;
      table.latest_by = n.Scalar().substr(n.Scalar().find_first_not_of(' ', by.size()));
    } else if (n.IsScalar() && n.Scalar() == name(latest)) {
      table.truth = latest;
    } else {
      return void(read_word(n, "truth", "`truth: home`", "bad_truth", {home, spoke, unite, manual}, table.truth, ", latest_by COLUMN"));
    }
    if (table.latest_by.empty()) refuse("bad_truth", line_of(n), "truth: latest_by names no column", "write `truth: latest_by updated_at`, with a column that both sides have");
  }

  // propagate | ignore | { archive: column }, of both sides or of each: { from_home: ..., from_spoke: ... }
  void read_deletes(const YAML::Node& n, table_rule& table) {
    const bool by_side = n.IsMap() && (n["from_home"] || n["from_spoke"]);
    if (!by_side) {
      delete_flow both;
      read_delete_flow(n, "deletes", both);
      for (side s : {side::home, side::spoke})
        if (flows_from(table, s)) table.deletes[static_cast<int>(s)] = both;
    } else if (check_map(n, "deletes", {"from_home", "from_spoke"})) {
      for (side s : {side::home, side::spoke}) {
        const std::string key = "from_" + std::string(name(s));
        const YAML::Node of_side = n[key];
        if (!of_side) continue;
        read_delete_flow(of_side, "deletes." + key, table.deletes[static_cast<int>(s)]);
        if (flows_from(table, s)) continue;
        refuse("deletes_one_way", line_of(of_side), "deletes." + key + ": " + table.home + " is synced " + std::string(name(table.direction)) +
                   ": no delete of " + std::string(name(s)) + " is carried over anyway",
               "take " + key + " out, or write `direction: both`");
      }
    }
  }

  static bool flows_from(const table_rule& table, side s) {
    return table.direction == flow::both || (table.direction == flow::home_to_spoke) == (s == side::home);
  }

  void read_delete_flow(const YAML::Node& n, const std::string& what, delete_flow& out) {
    using enum delete_action;
    out.at.line = line_of(n);
    if (n.IsMap()) {
      if (!check_map(n, what, {"archive"})) return;
      const YAML::Node column = n["archive"];
      if (!column && n.size() > 0) return;  // an unknown key, and it has been said
      if (!column) return refuse("missing_key", out.at.line, what + ": it is not said what to do", "write `deletes: ignore` or `deletes: { archive: archived_at }`");
      const auto text = text_of(column, what + ".archive", "`deletes: { archive: archived_at }`");
      if (!text) return;
      out.does = archive;
      out.archived_at = *text;
      return;
    }
    if (n.IsScalar() && n.Scalar() == name(archive)) {
      return refuse("bad_deletes", out.at.line, what + ": archive needs the column that gets the time of the delete", "write `deletes: { archive: archived_at }`");
    }
    read_word(n, what, "`deletes: ignore`", "bad_deletes", {propagate, ignore}, out.does);
  }

  void read_conflict(const YAML::Node& n, bool wildcard, table_rule& table) {
    const int line = table.conflict.at.line = line_of(n);
    const std::size_t before = found_.size();
    if (n.IsScalar()) return refuse("wrong_type", line, "conflict must be a map of `key: value`", "write `conflict: { rule: latest }`");
    if (!check_map(n, "conflict", {"rule", "file", "latest_by", "merge", "groups", "columns", "own", "update_vs_delete", "scope"})) return;
    if (table.direction != flow::both) {
      return refuse("conflict_one_way", line,
                    table.home + " is synced " + std::string(name(table.direction)) + ": what one side alone may change is never in conflict",
                    "take conflict out, or write `direction: both`");
    }
    if (wildcard) {
      for (const char* key : {"latest_by", "groups", "columns", "own"}) {
        if (!n[key]) continue;
        refuse("wrong_type", line_of(n[key]), "conflict." + std::string(key) + " can't go with all tables of a schema", "give the table a rule of its own");
      }
      if (found_.size() != before) return;
    }
    conflict_rules& out = table.conflict;
    const YAML::Node rule = n["rule"], file = n["file"];
    if (file && rule && rule.IsScalar() && rule.Scalar() == name(conflict_rule::script)) read_script(file, "conflict.file", out.rule, out.script);
    else if (file) refuse("bad_conflict_rule", line_of(file), "conflict.file: only a script has a file", "write `rule: script` beside it, or take it out");
    else if (rule) read_rule(rule, "conflict.rule", "`rule: latest`", false, out.rule, &out.script);
    if (const YAML::Node merge = n["merge"]) read_merge(merge, out);
    if (const YAML::Node deleted = n["update_vs_delete"]) {
      using enum delete_rule;
      read_word(deleted, "conflict.update_vs_delete", "`update_vs_delete: update_wins`", "bad_update_vs_delete",
                {update_wins, delete_wins, latest, manual}, out.update_vs_delete);
    }
    if (const YAML::Node scope = n["scope"]) read_scope(scope, out);
    if (const YAML::Node columns = n["columns"]) read_column_rules(columns, out);
    if (const YAML::Node groups = n["groups"]) read_groups(groups, out);
    if (const YAML::Node own = n["own"]) read_owners(own, out);
    if (const YAML::Node by = n["latest_by"]) {
      out.latest_by_at.line = line_of(by);
      if (const auto text = text_of(by, "conflict.latest_by", "`latest_by: updated_at`")) out.latest_by = *text;
    }
    if (found_.size() == before) check_conflict(out);
  }

  void read_merge(const YAML::Node& n, conflict_rules& out) {
    const auto text = text_of(n, "conflict.merge", "`merge: columns`");
    if (!text) return;
    out.merge_columns = *text != "row";
    if (*text != "row" && *text != "columns") refuse("bad_merge", line_of(n), "conflict.merge: there is no `" + *text + "`", "one of columns, row");
  }

  void read_column_rules(const YAML::Node& n, conflict_rules& out) {
    const std::string example = "`columns: { balance: delta }`";
    out.columns_at.line = line_of(n);
    if (!n.IsMap()) return refuse("wrong_type", line_of(n), "conflict.columns must be a map of home's column to its rule", "write " + example);
    for (const auto& entry : n) {
      const int line = line_of(entry.first);
      if (!entry.first.IsScalar() || entry.first.Scalar().empty()) {
        refuse("wrong_type", line, "conflict.columns must be a map of home's column to its rule", "write " + example);
        continue;
      }
      const std::string& column = entry.first.Scalar();
      if (std::any_of(out.columns.begin(), out.columns.end(), [&](const auto& c) { return c.first == column; })) {
        refuse("duplicate_column", line, "conflict.columns: column `" + column + "` is named twice", "a column has one rule: keep one of the two");
        continue;
      }
      conflict_rule rule = conflict_rule::none;
      std::uint16_t script = 0;
      if (!read_rule(entry.second, "conflict.columns." + column, example, true, rule, &script)) continue;
      out.columns.emplace_back(column, rule);
      if (rule == conflict_rule::script) out.column_scripts.emplace_back(column, script);
    }
  }

  void read_owners(const YAML::Node& n, conflict_rules& out) {
    const std::string example = "`own: { billing_status: spoke }`";
    out.own_at.line = line_of(n);
    if (!n.IsMap()) return refuse("wrong_type", line_of(n), "conflict.own must be a map of home's column to the side that owns it", "write " + example);
    for (const auto& entry : n) {
      const int line = line_of(entry.first);
      const std::string column = entry.first.IsScalar() ? entry.first.Scalar() : "", owner = entry.second.IsScalar() ? entry.second.Scalar() : "";
      if (column.empty()) {
        refuse("wrong_type", line, "conflict.own must be a map of home's column to the side that owns it", "write " + example);
      } else if (std::any_of(out.own.begin(), out.own.end(), [&](const auto& c) { return c.first == column; })) {
        refuse("duplicate_column", line, "conflict.own: column `" + column + "` is named twice", "a column has one owner: keep one of the two");
      } else if (owner != "home" && owner != "spoke") {
        refuse("bad_owner", line_of(entry.second), "conflict.own." + column + ": there is no side `" + owner + "`", "one of home, spoke");
      } else {
        out.own.emplace_back(column, owner == "home" ? side::home : side::spoke);
      }
    }
  }

  void read_scope(const YAML::Node& n, conflict_rules& out) {
    out.scope_at.line = line_of(n);
    const auto text = text_of(n, "conflict.scope", "`scope: transaction`");
    if (!text) return;
    if (*text != "row" && *text != "transaction")
      return refuse("bad_scope", line_of(n), "conflict.scope is `" + *text + "`, but must be one of row, transaction", "write `scope: transaction`, or take it out");
    out.whole_transactions = *text == "transaction";
  }

  void read_groups(const YAML::Node& n, conflict_rules& out) {
    const std::string example = "`groups: [[street, city, zip]]`";
    out.groups_at.line = line_of(n);
    if (!n.IsSequence()) return refuse("wrong_type", line_of(n), "conflict.groups must be a list of lists of home's columns", "write " + example);
    std::map<std::string, int> seen;
    for (const auto& entry : n) {
      const int line = line_of(entry);
      std::vector<std::string> group;
      bool ok = entry.IsSequence();
      for (std::size_t i = 0; ok && i < entry.size(); ++i) {
        ok = entry[i].IsScalar() && !entry[i].Scalar().empty();
        if (ok) group.push_back(entry[i].Scalar());
      }
      if (!ok) return refuse("wrong_type", line, "conflict.groups must be a list of lists of home's columns", "write " + example);
      for (const std::string& column : group) {
        if (const auto [at, fresh] = seen.emplace(column, line); !fresh) {
          refuse("duplicate_column", line, "conflict.groups: column `" + column + "` is in a group in line " + std::to_string(at->second) + " already",
                 "a column is decided once: keep one of the two");
          ok = false;
        }
      }
      if (ok && group.size() < 2) {
        refuse("bad_group", line, "conflict.groups: a group of less than two columns", "a column alone is decided by itself: name its companions, or take the group out");
      }
      out.groups.push_back(std::move(group));
    }
  }

  // What the parts of one table's rules say of each other.
  void check_conflict(const conflict_rules& r) {
    const auto rule_of = [&](const std::string& column) {
      const auto at = std::find_if(r.columns.begin(), r.columns.end(), [&](const auto& c) { return c.first == column; });
      return at == r.columns.end() ? conflict_rule::none : at->second;
    };
    const auto rule_and_file = [&](const std::string& column) {
      std::string text(name(rule_of(column)));
      for (const auto& [named, script] : r.column_scripts)
        if (named == column) text += " " + out_.scripts[script].file;
      return text;
    };
    if (!r.merge_columns) {
      if (!r.groups.empty())
        refuse("merge_row", r.groups_at.line, "conflict.groups: with merge: row, all columns are one group", "take groups out, or write `merge: columns`");
      for (const auto& [column, rule] : r.columns) {
        if (rule == conflict_rule::delta) continue;
        refuse("merge_row", r.columns_at.line, "conflict.columns: with merge: row, `" + column + "` has no rule of its own: the row is decided as one",
               "take it out, or write `merge: columns`");
      }
    }
    for (const auto& group : r.groups) {
      std::string first;
      for (const std::string& column : group) {
        const conflict_rule rule = rule_of(column);
        if (rule == conflict_rule::none) continue;
        if (rule == conflict_rule::delta) {
          refuse("group_rules", r.groups_at.line, "conflict.groups: `" + column + "` is delta, which is added by itself and never part of a group",
                 "take it out of the group, or its rule out of columns");
        } else if (first.empty()) {
          first = column;
        } else if (rule_and_file(first) != rule_and_file(column)) {
          refuse("group_rules", r.groups_at.line,
                 "conflict.groups: `" + first + "` is " + rule_and_file(first) + " and `" + column + "` is " + rule_and_file(column) + ", but a group is decided as one",
                 "give one column of the group a rule: it is that of all of them");
        }
      }
    }
    for (const auto& [column, owner] : r.own) {
      const bool grouped = std::any_of(r.groups.begin(), r.groups.end(), [&](const auto& g) { return std::find(g.begin(), g.end(), column) != g.end(); });
      if (rule_of(column) == conflict_rule::none && !grouped) continue;
      refuse("owned_and_ruled", r.own_at.line,
             "conflict.own: `" + column + "` " + (grouped ? "is part of a group" : "has a rule in columns") + ", but what one side owns is never in question",
             std::string("take it out of ") + (grouped ? "the group" : "columns") + ", or out of own");
    }
    if (r.whole_transactions) check_scope(r);
    if (r.latest_by.empty()) return;
    const conflict_rule row = r.rule == conflict_rule::none ? out_.default_conflict_rule : r.rule;
    const bool any_latest = row == conflict_rule::none || row == conflict_rule::latest ||
                            std::any_of(r.columns.begin(), r.columns.end(), [](const auto& c) { return c.second == conflict_rule::latest; });
    if (!any_latest) {
      refuse("latest_by_unused", r.latest_by_at.line, "conflict.latest_by: no rule of this table is latest" +
                 std::string(r.update_vs_delete == delete_rule::latest ? ", and update_vs_delete goes by commit times: a deleted row has no value to compare" : ""),
             "write `rule: latest`, or take latest_by out");
    }
    if (rule_of(r.latest_by) == conflict_rule::delta) {
      refuse("latest_by_delta", r.latest_by_at.line, "conflict.latest_by: `" + r.latest_by + "` is delta: a sum of both sides says nothing of their order",
             "name another column, or leave latest_by out: the commit time decides");
    }
  }

  // A transaction of home is never undone, so each of its rows must stand against the spoke's.
  void check_scope(const conflict_rules& r) {
    const auto unfit = [&](int line, const std::string& what) {
      refuse("transaction_scope", line, "conflict.scope: transaction needs home to win every conflict, since home's own transactions are never undone; " + what,
             "write `rule: home` and let columns be home or delta, without own and update_vs_delete; or write `scope: row`");
    };
    const conflict_rule row = r.rule == conflict_rule::none ? out_.default_conflict_rule : r.rule;
    if (row != conflict_rule::home && row != conflict_rule::none) unfit(r.scope_at.line, "the rule is " + std::string(name(row)));
    for (const auto& [column, rule] : r.columns)
      if (rule != conflict_rule::home && rule != conflict_rule::delta) unfit(r.columns_at.line, "`" + column + "` is " + std::string(name(rule)));
    if (!r.own.empty()) unfit(r.own_at.line, "`" + r.own.front().first + "` has an owner");
    if (r.update_vs_delete != delete_rule::by_rule) unfit(r.at.line, "update_vs_delete is " + std::string(name(r.update_vs_delete)));
  }

  void read_columns(const YAML::Node& n, bool wildcard, table_rule& rule) {
    rule.columns_at.line = line_of(n);
    if (wildcard) return refuse("wrong_type", line_of(n), "columns can't go with all tables of a schema", "give the table a rule of its own");
    if (!n.IsMap()) return refuse("wrong_type", line_of(n), "columns must be a map of home's name to the spoke's", "write `columns: { full_name: name }`");
    for (const auto& entry : n) {
      const int line = line_of(entry.first);
      if (!entry.first.IsScalar() || !entry.second.IsScalar() || entry.first.Scalar().empty() || entry.second.Scalar().empty()) {
        refuse("wrong_type", line, "columns must be a map of home's name to the spoke's", "write `columns: { full_name: name }`");
        continue;
      }
      const std::string &home = entry.first.Scalar(), &spoke = entry.second.Scalar();
      for (const auto& [h, s] : rule.columns) {
        if (h != home && s != spoke) continue;
        refuse("duplicate_column", line, "column `" + (h == home ? home : spoke) + "` is named twice", "a column has one partner: keep one of the two");
      }
      rule.columns.emplace_back(home, spoke);
    }
  }

  void read_exclude(const YAML::Node& n, bool wildcard, table_rule& rule) {
    rule.exclude_at.line = line_of(n);
    if (wildcard) return refuse("wrong_type", line_of(n), "exclude can't go with all tables of a schema", "give the table a rule of its own");
    bool ok = n.IsSequence();
    for (std::size_t i = 0; ok && i < n.size(); ++i) {
      ok = n[i].IsScalar() && !n[i].Scalar().empty();
      if (ok) rule.exclude.push_back(n[i].Scalar());
    }
    if (!ok) refuse("wrong_type", line_of(n), "exclude must be a list of column names", "write `exclude: [internal_memo]`");
  }

  using decoder = std::optional<std::uint64_t> (*)(std::string_view);

  template <class T>
  void read_number(const YAML::Node& map, const char* key, const std::string& what, decoder decode, const char* code, const std::string& example,
                   std::uint64_t least, std::uint64_t most, T& out, const char* unit = "") {
    const YAML::Node n = map[key];
    if (!n) return;
    const auto text = text_of(n, what + key, "`" + std::string(key) + ": " + example + "`");
    if (!text) return;
    const auto value = decode(*text);
    if (!value || *value < least || *value > most) {
      return refuse(code, line_of(n), what + key + (value ? " is out of range" : " is not understood"),
                    "write `" + std::string(key) + ": " + example + "`" +
                        (value ? ", between " + std::to_string(least) + unit + " and " + std::to_string(most) + unit : ""));
    }
    out = static_cast<T>(*value);
  }

  void read_tuning(const YAML::Node& n) {
    if (!n || !check_map(n, "tuning", {"ring", "block", "spill", "index", "batch_rows", "heartbeat"})) return;
    const std::string what = "tuning.";
    tuning& t = out_.tune;
    const std::size_t before = found_.size();
    read_number(n, "ring", what, decode_size, "bad_size", "16MB", 1 << 20, 64ull << 30, t.ring_bytes_max);
    read_number(n, "block", what, decode_size, "bad_size", "256KB", 16 << 10, 64 << 20, t.block_bytes);
    if (found_.size() == before && t.block_bytes > t.ring_bytes_max / 4) {
      refuse("bad_size", line_of(n), "tuning.ring has no room for four blocks", "raise ring or lower block");
    }
    read_number(n, "index", what, decode_size, "bad_size", "64MB", 1 << 20, 64ull << 30, t.index_bytes_max);
    read_number(n, "batch_rows", what, decode_count, "bad_number", "2000", 1, 100000, t.batch_rows_max);
    read_number(n, "heartbeat", what, decode_seconds, "bad_duration", "10s", 1, 3600, t.heartbeat_s);
    const YAML::Node spill = n["spill"];
    if (!spill || !check_map(spill, "tuning.spill", {"max", "dir"})) return;
    read_number(spill, "max", "tuning.spill.", decode_size, "bad_size", "4GB", 1 << 20, 1ull << 50, t.spill_bytes_max);
    if (const YAML::Node dir = spill["dir"]) {
      auto path = text_of(dir, "tuning.spill.dir", "`dir: /var/tmp`");
      if (!path || !expand(*path, line_of(dir), "tuning.spill.dir")) return;
      std::error_code error;
      if (!std::filesystem::is_directory(*path, error)) {
        refuse("bad_spill_dir", line_of(dir), "tuning.spill.dir: " + *path + " is no folder", "make it, or choose another one");
      }
      t.spill_dir = *path;
    }
  }

  const std::string file_;
  findings& found_;
  const environment& variables_;
  std::vector<std::pair<YAML::Node, int>> empty_values_;  // and the lines of their keys
  config out_;
};

}  // namespace

environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value ? std::optional<std::string>(value) : std::nullopt;
  };
}

config decode_config(const std::string& yaml, const std::string& file, findings& found, const environment& variables) {
  return reader(file, found, variables).read(yaml);
}

config load_config(const std::string& path, findings& found, const environment& variables) {
  std::error_code error;
  std::ifstream in;
  if (std::filesystem::is_regular_file(path, error)) in.open(path, std::ios::binary);
  std::ostringstream text;
  if (!in.is_open() || !in || (in.peek() != std::ifstream::traits_type::eof() && !(text << in.rdbuf()))) {
    found.push_back({finding::level::refuse, "file_unreadable", path + " can't be read", "name the configuration with -c duet.yaml", path});
    config none;
    none.file = path;
    return none;
  }
  return decode_config(text.str(), path, found, variables);
}

}  // namespace duet
