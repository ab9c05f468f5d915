// Is this text a JSON document (RFC 8259) that a given database keeps?
#pragma once

#include <string_view>

namespace duet::translate {

struct json_rules {
  bool no_zero_character = false;  // \u0000 in a string
  bool whole_surrogates = false;   // \ud83d without its second half
  bool exact_numbers = false;      // only numbers that a 64-bit integer or a double keeps
  int depth_max = 10000;
};

// Null if it is; otherwise the cause, static storage.
const char* check_json(std::string_view text, const json_rules&);

}  // namespace duet::translate
