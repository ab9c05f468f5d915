// Rows in COPY's text format. Pure: cells in, bytes out.
//
//   row   := value (TAB value)* LF
//   value := \N | text with \ TAB LF CR escaped by a backslash; bytea as \\x and hex digits
#pragma once

#include <string>
#include <string_view>

#include "duet/value.hpp"

namespace duet::postgres {

class copy_writer {
 public:
  void clear() { buffer_.clear(); }
  void add(value_kind, cell);  // absent cells: failure internal
  void end_row();
  std::string_view bytes() const { return buffer_; }

 private:
  std::string buffer_;
  bool in_row_ = false;
};

}  // namespace duet::postgres
