#include "conflict/decimal.hpp"

#include <algorithm>
#include <cassert>

namespace duet::conflict {
namespace {

// Digits without sign and point, most significant first, both of one length and scale.
struct aligned {
  bool negative;
  std::string digits;
};

struct parts {
  bool negative = false;
  std::string_view whole, fraction;
};

parts split(std::string_view text) {
  parts p;
  if (text.starts_with('-')) p.negative = true, text.remove_prefix(1);
  const std::size_t point = text.find('.');
  p.whole = text.substr(0, point);
  if (point != std::string_view::npos) p.fraction = text.substr(point + 1);
  return p;
}

std::pair<aligned, aligned> align(const parts& a, const parts& b) {
  const std::size_t whole = std::max(a.whole.size(), b.whole.size()), fraction = std::max(a.fraction.size(), b.fraction.size());
  const auto one = [&](const parts& p) {
    std::string digits(whole - p.whole.size(), '0');
    digits += p.whole;
    digits += p.fraction;
    digits.append(fraction - p.fraction.size(), '0');
    return aligned{p.negative, std::move(digits)};
  };
  return {one(a), one(b)};
}

std::string sum_of(const std::string& a, const std::string& b) {
  std::string out(a.size() + 1, '0');
  int carry = 0;
  for (std::size_t i = a.size(); i-- > 0;) {
    const int n = (a[i] - '0') + (b[i] - '0') + carry;
    out[i + 1] = static_cast<char>('0' + n % 10);
    carry = n / 10;
  }
  out[0] = static_cast<char>('0' + carry);
  return out;
}

// a - b where a is not the smaller one.
std::string rest_of(const std::string& a, const std::string& b) {
  std::string out(a.size() + 1, '0');
  int borrow = 0;
  for (std::size_t i = a.size(); i-- > 0;) {
    int n = (a[i] - '0') - (b[i] - '0') - borrow;
    borrow = n < 0;
    if (n < 0) n += 10;
    out[i + 1] = static_cast<char>('0' + n);
  }
  return out;
}

}  // namespace

bool is_decimal(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const std::size_t point = text.find('.');
  const auto digits = [](std::string_view s) { return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) { return c >= '0' && c <= '9'; }); };
  return digits(text.substr(0, point)) && (point == std::string_view::npos || digits(text.substr(point + 1)));
}

std::string difference(std::string_view a_text, std::string_view b_text) {
  assert(is_decimal(a_text) && is_decimal(b_text));
  const parts a = split(a_text), b = split(b_text);
  const std::size_t scale = std::max(a.fraction.size(), b.fraction.size());
  auto [x, y] = align(a, b);
  y.negative = !y.negative;  // from here on a sum
  std::string digits;
  bool negative = x.negative;
  if (x.negative == y.negative) {
    digits = sum_of(x.digits, y.digits);
  } else if (x.digits >= y.digits) {
    digits = rest_of(x.digits, y.digits);
  } else {
    digits = rest_of(y.digits, x.digits);
    negative = y.negative;
  }
  const std::size_t whole = digits.size() - scale;
  std::size_t first = 0;
  while (first + 1 < whole && digits[first] == '0') ++first;
  std::string out = digits.substr(first, whole - first);
  if (scale) out += '.' + digits.substr(whole);
  if (negative && out.find_first_not_of("0.") != std::string::npos) out.insert(0, 1, '-');
  return out;
}

std::string sum(std::string_view a, std::string_view b) {
  return difference(a, b.starts_with('-') ? std::string(b.substr(1)) : "-" + std::string(b));
}

int compare_decimals(std::string_view a, std::string_view b) {
  const std::string d = difference(a, b);
  if (d.find_first_not_of("0.") == std::string::npos) return 0;
  return d.front() == '-' ? -1 : 1;
}

}  // namespace duet::conflict
