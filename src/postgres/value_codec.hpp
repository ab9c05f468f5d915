// PostgreSQL's text output of a value, made canonical (duet/value.hpp). The session must print as connect() sets it up:
// ISO dates, UTC, shortest floats, hex bytea.
#pragma once

#include <string>
#include <string_view>

#include "duet/change.hpp"
#include "duet/schema.hpp"

namespace duet::postgres {

// How a column's text becomes canonical. Most kinds are `as_is`.
enum class text_form : std::uint8_t {
  as_is,
  boolean,      // t, f -> 1, 0
  hex_bytes,    // \x00ff -> raw
  real_32,      // -> shortest by std::to_chars
  real_64,
  instant,      // timestamptz: without its +00
  padded,       // char(n): without the blanks at its end
};
text_form text_form_of(const column_type&);

// Replaces `out` by the canonical form. Throws damaged_log if the text is not what PostgreSQL prints for the type.
void decode_text(const column_type&, std::string_view pg_text, std::string& out);

// The same into a cell of the writer's open change. `text` is copied once.
void decode_text(text_form, std::string_view pg_text, block_writer&, block_writer::image, std::size_t column);

}  // namespace duet::postgres
