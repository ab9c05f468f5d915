// MySQL's binary JSON (the form of JSON columns in rows events) as the text that CAST(... AS CHAR) prints.
//
// Wire format: a type byte and a value. Objects and arrays hold element count and byte size, then entries (key offset and
// length; value type and offset, or small values in place), then the keys and values; offsets count from the element
// count. Two bytes each in the small forms, four in the large ones.
#pragma once

#include <string>
#include <string_view>

namespace duet::mysql {

// Appends the document to `out`. Throws failure{damaged_log}.
void decode_json(std::string_view binary, std::string& out);

}  // namespace duet::mysql
