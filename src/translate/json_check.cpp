#include "translate/json_check.hpp"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace duet::translate {

namespace {

constexpr const char* not_json = "it is not a valid JSON document";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A number as its digits without zeros at either end, and the power of ten of the first one.
struct scientific {
  std::string digits;
  long exponent = 0;
  bool negative = false;
  friend bool operator==(const scientific&, const scientific&) = default;
};

scientific decode_scientific(std::string_view text) {
  scientific out;
  std::size_t i = 0;
  if (i < text.size() && text[i] == '-') out.negative = true, ++i;
  long point = 0;
  bool seen_point = false;
  for (; i < text.size() && (is_digit(text[i]) || text[i] == '.'); ++i) {
    if (text[i] == '.') {
      seen_point = true;
    } else {
      if (out.digits.empty() && text[i] == '0') {
        if (seen_point) --point;
        continue;
      }
      out.digits += text[i];
      if (!seen_point) ++point;
    }
  }
  long exponent = 0;
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && text[i] == '+') ++i;
    if (std::from_chars(text.data() + i, text.data() + text.size(), exponent).ec != std::errc()) exponent = 1'000'000'000;
  }
  while (!out.digits.empty() && out.digits.back() == '0') out.digits.pop_back();
  out.exponent = out.digits.empty() ? 0 : point + exponent;
  if (out.digits.empty()) out.negative = false;
  return out;
}

bool kept_exactly(std::string_view number) {
  const char *first = number.data(), *last = first + number.size();
  const bool has_exponent = number.find_first_of("eE") != std::string_view::npos;
  if (!has_exponent && number.size() <= 16) return true;  // 15 digits come back from any double, 16 from an integer
  if (!has_exponent && number.find('.') == std::string_view::npos) {
    std::int64_t i = 0;
    std::uint64_t u = 0;
    if (std::from_chars(first, last, i).ec == std::errc() || std::from_chars(first, last, u).ec == std::errc()) return true;
  }
  double d = 0;
  const auto parsed = std::from_chars(first, last, d);
  if (parsed.ec != std::errc() || !std::isfinite(d)) return false;
  char shortest[32];
  // Scientific, because in its plain form a large double shows digits that a server does not print: 2^64 and not 1.8446744073709552e19.
  const auto printed = std::to_chars(shortest, shortest + sizeof(shortest), d, std::chars_format::scientific);
  return decode_scientific(number) == decode_scientific({shortest, static_cast<std::size_t>(printed.ptr - shortest)});
}

class scanner {
 public:
  scanner(std::string_view text, const json_rules& rules) : text_(text), rules_(rules) {}

  const char* scan() {
    // An explicit stack: '{' or '[' for each open container.
    skip_space();
    for (;;) {
      // a value is expected here
      if (at_ >= text_.size()) return not_json;
      const char c = text_[at_];
      if (c == '{' || c == '[') {
        if (open_.size() >= static_cast<std::size_t>(rules_.depth_max)) return "the JSON document is nested too deeply";
        open_.push_back(c);
        ++at_;
        skip_space();
        if (at_ < text_.size() && text_[at_] == (c == '{' ? '}' : ']')) {
          open_.pop_back();
          ++at_;
        } else {
          if (c == '{') {
            if (const char* cause = scan_key()) return cause;
          }
          continue;
        }
      } else if (const char* cause = scan_scalar(c)) {
        return cause;
      }
      // a value has ended
      for (;;) {
        skip_space();
        if (open_.empty()) return at_ == text_.size() ? nullptr : not_json;
        if (at_ >= text_.size()) return not_json;
        const char next = text_[at_++];
        if (next == ',') {
          skip_space();
          if (open_.back() == '{') {
            if (const char* cause = scan_key()) return cause;
          }
          break;
        }
        if (next != (open_.back() == '{' ? '}' : ']')) return not_json;
        open_.pop_back();
      }
    }
  }

 private:
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) ++at_;
  }

  const char* scan_key() {
    if (at_ >= text_.size() || text_[at_] != '"') return not_json;
    if (const char* cause = scan_string()) return cause;
    skip_space();
    if (at_ >= text_.size() || text_[at_++] != ':') return not_json;
    skip_space();
    return nullptr;
  }

  const char* scan_scalar(char c) {
    if (c == '"') return scan_string();
    if (c == '-' || is_digit(c)) return scan_number();
    for (std::string_view word : {"true", "false", "null"}) {
      if (text_.substr(at_, word.size()) == word) {
        at_ += word.size();
        return nullptr;
      }
    }
    return not_json;
  }

  const char* scan_number() {
    const std::size_t start = at_;
    if (text_[at_] == '-') ++at_;
    if (at_ < text_.size() && text_[at_] == '0') {
      ++at_;
    } else if (!scan_digits()) {
      return not_json;
    }
    if (at_ < text_.size() && text_[at_] == '.') {
      ++at_;
      if (!scan_digits()) return not_json;
    }
    if (at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
      ++at_;
      if (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
      if (!scan_digits()) return not_json;
    }
    if (rules_.exact_numbers && !kept_exactly(text_.substr(start, at_ - start))) {
      return "a number in the JSON document can't be kept exactly there";
    }
    return nullptr;
  }

  bool scan_digits() {
    const std::size_t start = at_;
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    return at_ > start;
  }

  const char* scan_string() {
    ++at_;
    bool high = false;  // the last thing was the first half of a surrogate pair
    while (at_ < text_.size()) {
      const unsigned char c = static_cast<unsigned char>(text_[at_++]);
      int unit = -1;
      if (c < 0x20) return not_json;
      if (c == '\\') {
        if (at_ >= text_.size()) return not_json;
        const char e = text_[at_++];
        if (e == 'u') {
          if (at_ + 4 > text_.size()) return not_json;
          const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + at_ + 4, unit, 16);
          if (error != std::errc() || end != text_.data() + at_ + 4 || unit < 0) return not_json;
          at_ += 4;
          if (unit == 0 && rules_.no_zero_character) return "a string in the JSON document has U+0000, which jsonb can't keep";
        } else if (std::string_view("\"\\/bfnrt").find(e) == std::string_view::npos) {
          return not_json;
        }
      }
      const bool is_high = unit >= 0xd800 && unit < 0xdc00, is_low = unit >= 0xdc00 && unit < 0xe000;
      if (rules_.whole_surrogates && high != is_low) return "a string in the JSON document has half a surrogate pair";
      high = is_high;
      if (c == '"') return nullptr;
    }
    return not_json;
  }

  std::string_view text_;
  const json_rules& rules_;
  std::size_t at_ = 0;
  std::string open_;
};

}  // namespace

const char* check_json(std::string_view text, const json_rules& rules) { return scanner(text, rules).scan(); }

}  // namespace duet::translate
