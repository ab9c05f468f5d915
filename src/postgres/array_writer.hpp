// Columns of values as PostgreSQL's binary arrays, the parameters of set-based statements. Pure: cells in, bytes out.
//
// Wire format (array_recv in the server): int32 dimensions, int32 has NULLs, uint32 element type oid, int32 length,
// int32 lower bound; then per element int32 size (-1: NULL) and its bytes, all in network order.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "duet/schema.hpp"
#include "duet/value.hpp"

namespace duet::postgres {

// How a value travels. Kinds without a form of their own go as text and are cast in the statement.
enum class element : std::uint8_t { int2, int4, int8, boolean, text, bytes, uuid };

element element_of(const column_type&);
std::uint32_t oid_of(element);
std::string_view array_type(element);  // bigint[]

class array_writer {
 public:
  // Forgets the previous array; its memory is kept.
  void start(element);
  // Throws failure row_refused (22P02, 22003) if the bytes are no value of the element's type; absent cells: internal.
  void add(cell);
  // The array; a view until the next start().
  std::string_view finish();
  std::size_t bytes() const { return buffer_.size(); }

 private:
  void put_sized(const char* data, std::size_t size);
  template <class T> void put_integer(cell);

  std::string buffer_;
  element element_ = element::text;
  std::int32_t count_ = 0;
  bool has_null_ = false;
};

}  // namespace duet::postgres
