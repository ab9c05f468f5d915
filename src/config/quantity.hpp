// Sizes, times and counts as people write them: 16MB, 256 KB, 10s, 2m.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace duet::config_file {

// B, KB, MB, GB, TB (also K, KiB, ...), always powers of 1024; a bare number is bytes.
std::optional<std::uint64_t> decode_size(std::string_view);
// s, m, h; a bare number is seconds. Whole seconds only.
std::optional<std::uint64_t> decode_seconds(std::string_view);
// ms, s, m, h; a bare number is seconds.
std::optional<std::uint64_t> decode_milliseconds(std::string_view);
std::optional<std::uint64_t> decode_count(std::string_view);

}  // namespace duet::config_file
