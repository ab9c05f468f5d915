#include "postgres/copy_writer.hpp"

#include "duet/failure.hpp"

namespace duet::postgres {

void copy_writer::add(value_kind kind, cell c) {
  if (in_row_) buffer_ += '\t';
  in_row_ = true;
  if (c.is_null()) {
    buffer_ += "\\N";
    return;
  }
  if (c.absent()) throw failure(failure_kind::internal, "a value that the log did not carry was to be written");
  if (kind == value_kind::bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    const std::size_t at = buffer_.size();
    buffer_.resize(at + 3 + 2 * std::size_t{c.size});
    char* out = buffer_.data() + at;
    *out++ = '\\';
    *out++ = '\\';
    *out++ = 'x';
    for (std::uint32_t i = 0; i < c.size; ++i) {
      const auto byte = static_cast<unsigned char>(c.data[i]);
      *out++ = digits[byte >> 4];
      *out++ = digits[byte & 15];
    }
    return;
  }
  const char* plain = c.data;
  const char* const end = c.data + c.size;
  for (const char* p = plain; p != end; ++p) {
    char letter;
    switch (*p) {
      case '\\': letter = '\\'; break;
      case '\t': letter = 't'; break;
      case '\n': letter = 'n'; break;
      case '\r': letter = 'r'; break;
      default: continue;
    }
    buffer_.append(plain, p);
    buffer_ += '\\';
    buffer_ += letter;
    plain = p + 1;
  }
  buffer_.append(plain, end);
}

void copy_writer::end_row() {
  buffer_ += '\n';
  in_row_ = false;
}

}  // namespace duet::postgres
