#include "config/quantity.hpp"

#include <charconv>
#include <string>

namespace duet::config_file {

namespace {

// Splits off the digits in front; the rest, without blanks around it and in lower case, is the unit.
std::optional<std::uint64_t> decode_number(std::string_view text, std::string& unit) {
  std::uint64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  while (!rest.empty() && rest.back() == ' ') rest.remove_suffix(1);
  unit.clear();
  for (char c : rest) unit += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return n;
}

std::optional<std::uint64_t> times(std::uint64_t n, std::uint64_t factor) {
  std::uint64_t product = 0;
  if (__builtin_mul_overflow(n, factor, &product)) return std::nullopt;
  return product;
}

}  // namespace

std::optional<std::uint64_t> decode_size(std::string_view text) {
  std::string unit;
  const auto n = decode_number(text, unit);
  if (!n) return std::nullopt;
  if (unit.empty() || unit == "b") return n;
  constexpr std::string_view letters = "kmgt";
  const auto power = letters.find(unit[0]);
  const std::string_view tail = std::string_view(unit).substr(1);
  if (power == std::string_view::npos || (tail != "" && tail != "b" && tail != "ib")) return std::nullopt;
  return times(*n, std::uint64_t{1} << (10 * (power + 1)));
}

std::optional<std::uint64_t> decode_seconds(std::string_view text) {
  std::string unit;
  const auto n = decode_number(text, unit);
  if (!n) return std::nullopt;
  if (unit.empty() || unit == "s") return n;
  if (unit == "m" || unit == "min") return times(*n, 60);
  if (unit == "h") return times(*n, 3600);
  return std::nullopt;
}

std::optional<std::uint64_t> decode_milliseconds(std::string_view text) {
  std::string unit;
  const auto n = decode_number(text, unit);
  if (n && unit == "ms") return n;
  const auto seconds = decode_seconds(text);
  return seconds ? times(*seconds, 1000) : std::nullopt;
}

std::optional<std::uint64_t> decode_count(std::string_view text) {
  std::string unit;
  const auto n = decode_number(text, unit);
  return n && unit.empty() ? n : std::nullopt;
}

}  // namespace duet::config_file
