// Names and texts that come from a database or a file, made safe for a terminal and a log line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace duet::observe {

// Control characters (escape sequences, line ends), invisible direction marks and bytes that are no UTF-8 come out as
// \xNN or \u{NNNN}: what is printed is one line and moves no cursor.
std::string printable(std::string_view);

// The same, but a line end stays: for texts of several lines, as SQL.
std::string printable_lines(std::string_view);

std::string grouped(std::uint64_t);                     // 1,234,567
std::string human_bytes(std::uint64_t);                 // 17 bytes, 3.4 kB, 1.2 GB (powers of 1024)
std::string human_duration_ms(std::int64_t);            // 4 ms, 2.5 s, 3 min 12 s, 5 h 3 min, 2 d 4 h
std::string shortened(std::string_view, std::size_t columns);  // at most so many characters, the last one "~" if cut

}  // namespace duet::observe
