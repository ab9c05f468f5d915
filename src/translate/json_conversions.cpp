// Arrays and hstore of PostgreSQL, and JSON documents that hold the same.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <vector>

#include "translate/converters.hpp"
#include "translate/json_check.hpp"

namespace duet::translate {

namespace {

using call = conversion_call;
using text = std::string_view;

constexpr const char* no_array = "it is not a PostgreSQL array literal";

char* copy(text from, char* to) { return std::copy(from.begin(), from.end(), to); }

// A text as a JSON string; its bytes come from `next` until that is false. Room: six times the bytes and 2.
template <class Next>
char* write_json_string(Next next, char* out) {
  *out++ = '"';
  for (char c; next(c);) {
    switch (c) {
      case '"': case '\\': *out++ = '\\', *out++ = c; break;
      case '\b': out = copy("\\b", out); break;
      case '\f': out = copy("\\f", out); break;
      case '\n': out = copy("\\n", out); break;
      case '\r': out = copy("\\r", out); break;
      case '\t': out = copy("\\t", out); break;
      default:
        if (static_cast<unsigned char>(c) >= 0x20) {
          *out++ = c;
        } else {
          out = copy("\\u00", out);
          *out++ = static_cast<char>('0' + (c >> 4));
          *out++ = "0123456789abcdef"[c & 15];
        }
    }
  }
  *out++ = '"';
  return out;
}

// A view of a valid JSON document, read from the front.
class json_reader {
 public:
  explicit json_reader(text document) : p_(document.data()), end_(p_ + document.size()) {}

  char next() {  // the first character of what follows, without blanks; 0 at the end
    while (p_ != end_ && (*p_ == ' ' || *p_ == '\t' || *p_ == '\n' || *p_ == '\r')) ++p_;
    return p_ == end_ ? '\0' : *p_;
  }
  void skip() { ++p_; }
  text word() {  // a number, true, false, null
    const char* first = p_;
    while (p_ != end_ && *p_ != ',' && *p_ != ']' && *p_ != '}' && *p_ != ' ' && *p_ != '\t' && *p_ != '\n' && *p_ != '\r') ++p_;
    return {first, static_cast<std::size_t>(p_ - first)};
  }
  // The text of a string, without its escapes, to `out`: it has room for as many bytes as the document has left.
  text string(char* out) {
    const char* const first = out;
    for (++p_; *p_ != '"'; ++p_) {
      if (*p_ != '\\') {
        *out++ = *p_;
        continue;
      }
      switch (*++p_) {
        case 'b': *out++ = '\b'; break;
        case 'f': *out++ = '\f'; break;
        case 'n': *out++ = '\n'; break;
        case 'r': *out++ = '\r'; break;
        case 't': *out++ = '\t'; break;
        case 'u': out = write_code_point(out); break;
        default: *out++ = *p_;
      }
    }
    ++p_;
    return {first, static_cast<std::size_t>(out - first)};
  }

 private:
  char32_t four_digits() {
    unsigned unit = 0;
    std::from_chars(p_ + 1, p_ + 5, unit, 16);
    p_ += 4;
    return unit;
  }
  char* write_code_point(char* out) {
    char32_t c = four_digits();
    if (c >= 0xd800 && c < 0xdc00) {  // the second half follows: check_json has seen it
      p_ += 2;
      c = 0x10000 + ((c - 0xd800) << 10) + (four_digits() - 0xdc00);
    }
    const auto tail = [&](int shift) { return static_cast<char>(0x80 | (c >> shift & 0x3f)); };
    if (c < 0x80) *out++ = static_cast<char>(c);
    else if (c < 0x800) *out++ = static_cast<char>(0xc0 | c >> 6), *out++ = tail(0);
    else if (c < 0x10000) *out++ = static_cast<char>(0xe0 | c >> 12), *out++ = tail(6), *out++ = tail(0);
    else *out++ = static_cast<char>(0xf0 | c >> 18), *out++ = tail(12), *out++ = tail(6), *out++ = tail(0);
    return out;
  }

  const char *p_, *end_;
};

constexpr json_rules readable{.no_zero_character = true, .whole_surrogates = true};

bool is_integer(text s) {
  if (s.starts_with('-')) s.remove_prefix(1);
  return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Null if there is such a float.
template <class T>
const char* write_real(text number, char*& out) {
  constexpr const char* inexact = "its JSON has a number that the array can't keep exactly";
  double d = 0;
  T value{};
  if (std::from_chars(number.data(), number.data() + number.size(), d).ec != std::errc() ||
      std::from_chars(number.data(), number.data() + number.size(), value).ec != std::errc())
    return inexact;
  if (std::int64_t whole = 0; is_integer(number) && std::abs(d) > 9007199254740992.0) {
    const auto read = std::from_chars(number.data(), number.data() + number.size(), whole);
    if (read.ec != std::errc() || static_cast<double>(whole) != d || d >= 0x1p63 || static_cast<std::int64_t>(d) != whole) return inexact;
  }
  char* const first = out;
  out = write_as_postgres(value, out);
  double again = 0;
  std::from_chars(first, out, again);
  return again == d ? nullptr : inexact;
}

// What the array's elements are in JSON.
const char* write_element(const column_type& array, json_reader& json, char* scratch, char*& out) {
  const bool string = json.next() == '"';
  const text value = string ? json.string(scratch) : json.word();
  if (!string && value == "null") {
    out = copy("NULL", out);
    return nullptr;
  }
  switch (array.element) {
    case value_kind::integer:
      if (string || !is_integer(value) || value == "-0") return "its JSON has something else than a whole number";
      out = copy(value, out);
      return nullptr;
    case value_kind::boolean:
      if (string || (value != "true" && value != "false")) return "its JSON has something else than true or false";
      *out++ = value[0];
      return nullptr;
    case value_kind::real:
      if (string && (value == "NaN" || value == "Infinity" || value == "-Infinity")) {
        out = copy(value, out);
        return nullptr;
      }
      if (string || value == "true" || value == "false") return "its JSON has something else than a number";
      return array.bits == 32 ? write_real<float>(value, out) : write_real<double>(value, out);
    default:
      if (!string) return "its JSON has a number or a boolean where the array's elements are texts";
      out = write_array_element(value, out);
      return nullptr;
  }
}

}  // namespace

bool is_array_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

char* write_array_element(text element, char* out) {
  const auto is_null = [](text s) {
    return s.size() == 4 && (s[0] | 32) == 'n' && (s[1] | 32) == 'u' && (s[2] | 32) == 'l' && (s[3] | 32) == 'l';
  };
  const bool quotes = element.empty() || is_null(element) || std::any_of(element.begin(), element.end(), [](char c) {
                        return c == '"' || c == '\\' || c == '{' || c == '}' || c == ',' || is_array_space(c);
                      });
  if (quotes) *out++ = '"';
  for (const char c : element) {
    if (c == '"' || c == '\\') *out++ = '\\';
    *out++ = c;
  }
  if (quotes) *out++ = '"';
  return out;
}

const char* array_to_json(const call& c, text& out) {
  const text in = c.in;
  if (in.starts_with('[')) return "its array has bounds of its own, which JSON can't keep";
  if (!in.starts_with('{')) return no_array;
  char* const start = c.arena.allocate(6 * in.size() + 8);
  char* p = start;
  const value_kind element = c.from.element;
  for (std::size_t i = 0; i < in.size();) {
    switch (in[i]) {
      case '{': *p++ = '[', ++i; continue;
      case '}': *p++ = ']', ++i; continue;
      case ',': *p++ = ',', *p++ = ' ', ++i; continue;
      case '"':
        ++i;
        p = write_json_string(
            [&](char& b) {
              if (i < in.size() && in[i] == '\\') ++i;
              else if (i < in.size() && in[i] == '"') return false;
              if (i >= in.size()) return false;
              b = in[i++];
              return true;
            },
            p);
        if (i++ >= in.size()) return no_array;
        continue;
      default: break;
    }
    const std::size_t first = i;
    while (i < in.size() && in[i] != ',' && in[i] != '}' && in[i] != '{' && in[i] != '"') ++i;
    const text word = in.substr(first, i - first);
    if (word == "NULL") {
      p = copy("null", p);
    } else if (element == value_kind::boolean) {
      p = copy(word == "t" ? "true" : "false", p);
    } else if (element == value_kind::integer) {
      p = copy(word, p);
    } else if (element == value_kind::real && word.find_first_of("NI") == text::npos) {
      p = copy(word == "-0" ? text("-0.0") : word, p);  // MySQL reads -0 as 0
    } else {
      std::size_t k = 0;
      p = write_json_string([&](char& b) { return k < word.size() && (b = word[k++], true); }, p);
    }
  }
  out = {start, static_cast<std::size_t>(p - start)};
  return nullptr;
}

const char* json_to_array(const call& c, text& out) {
  if (const char* cause = check_json(c.in, readable)) return cause;
  char* const start = c.arena.allocate(8 * c.in.size() + 32);
  char* const scratch = c.arena.allocate(c.in.size());
  char* p = start;
  json_reader json(c.in);
  if (json.next() != '[') return "its JSON is not an array";
  while (const char next = json.next()) {
    switch (next) {
      case '[': *p++ = '{', json.skip(); continue;
      case ']':
        if (p[-1] == '{' && p != start + 1) return "its JSON has an empty array inside an array";
        *p++ = '}', json.skip();
        continue;
      case ',': *p++ = ',', json.skip(); continue;
      case '{': return "its JSON has an object, which an array can't keep";
      default: break;
    }
    if (const char* cause = write_element(c.to, json, scratch, p)) return cause;
  }
  out = {start, static_cast<std::size_t>(p - start)};
  return nullptr;
}

// ---- hstore: "a"=>"1", "b"=>NULL

const char* hstore_to_json(const call& c, text& out) {
  const text in = c.in;
  char* const start = c.arena.allocate(6 * in.size() + 8);
  char* p = start;
  *p++ = '{';
  for (std::size_t i = 0; i < in.size();) {
    switch (in[i]) {
      case '=': p = copy(": ", p), i += 2; continue;
      case ',': *p++ = ',', ++i; continue;
      case ' ': *p++ = ' ', ++i; continue;
      case 'N': p = copy("null", p), i += 4; continue;
      case '"': break;
      default: return "it is not a hstore literal";
    }
    ++i;
    p = write_json_string(
        [&](char& b) {
          if (i < in.size() && in[i] == '\\') ++i;
          else if (i < in.size() && in[i] == '"') return false;
          if (i >= in.size()) return false;
          b = in[i++];
          return true;
        },
        p);
    if (i++ >= in.size()) return "it is not a hstore literal";
  }
  *p++ = '}';
  out = {start, static_cast<std::size_t>(p - start)};
  return nullptr;
}

const char* json_to_hstore(const call& c, text& out) {
  constexpr const char* no_strings = "its JSON is not an object of strings and nulls";
  if (const char* cause = check_json(c.in, readable)) return cause;
  struct member {
    text key, value;
    bool is_null;
  };
  std::vector<member> members;
  char* scratch = c.arena.allocate(c.in.size());
  json_reader json(c.in);
  if (json.next() != '{') return no_strings;
  json.skip();
  while (json.next() != '}') {
    if (json.next() == ',') json.skip();
    json.next();
    member m{};
    m.key = json.string(scratch);
    scratch += m.key.size();
    json.next();
    json.skip();  // :
    if (json.next() == '"') {
      m.value = json.string(scratch);
      scratch += m.value.size();
    } else if (json.next() == '{' || json.next() == '[' || json.word() != "null") {
      return no_strings;
    } else {
      m.is_null = true;
    }
    members.push_back(m);
  }
  // As hstore orders them; of two with one key it would keep one.
  std::sort(members.begin(), members.end(), [](const member& a, const member& b) { return a.key.size() != b.key.size() ? a.key.size() < b.key.size() : a.key < b.key; });
  if (std::adjacent_find(members.begin(), members.end(), [](const member& a, const member& b) { return a.key == b.key; }) != members.end())
    return "its JSON has a key twice";
  char* const start = c.arena.allocate(2 * c.in.size() + 8 * members.size() + 8);
  char* p = start;
  const auto write = [&](text s) {
    *p++ = '"';
    for (const char b : s) {
      if (b == '"' || b == '\\') *p++ = '\\';
      *p++ = b;
    }
    *p++ = '"';
  };
  for (const member& m : members) {
    if (p != start) p = copy(", ", p);
    write(m.key);
    p = copy("=>", p);
    if (m.is_null) p = copy("NULL", p);
    else write(m.value);
  }
  out = {start, static_cast<std::size_t>(p - start)};
  return nullptr;
}

}  // namespace duet::translate
