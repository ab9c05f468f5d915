#include "postgres/array_writer.hpp"

#include <charconv>

#include "duet/failure.hpp"

namespace duet::postgres {
namespace {

constexpr std::size_t header_bytes = 20;

template <class T>
void store(char* at, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    at[i] = static_cast<char>(static_cast<std::make_unsigned_t<T>>(value) >> 8 * (sizeof(T) - 1 - i));
}

[[noreturn]] void refuse(const char* state, const char* why) { throw failure(failure_kind::row_refused, why, state); }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

element element_of(const column_type& type) {
  switch (type.kind) {
    case value_kind::boolean: return element::boolean;
    case value_kind::integer: return type.bits == 16 ? element::int2 : type.bits == 32 ? element::int4 : element::int8;
    case value_kind::bytes: return element::bytes;
    case value_kind::uuid: return element::uuid;
    default: return element::text;
  }
}

std::uint32_t oid_of(element e) {  // pg_type.dat; fixed for ever
  switch (e) {
    case element::int2: return 21;
    case element::int4: return 23;
    case element::int8: return 20;
    case element::boolean: return 16;
    case element::text: return 25;
    case element::bytes: return 17;
    case element::uuid: return 2950;
  }
  return 0;
}

std::string_view array_type(element e) {
  switch (e) {
    case element::int2: return "smallint[]";
    case element::int4: return "integer[]";
    case element::int8: return "bigint[]";
    case element::boolean: return "boolean[]";
    case element::text: return "text[]";
    case element::bytes: return "bytea[]";
    case element::uuid: return "uuid[]";
  }
  return {};
}

void array_writer::start(element e) {
  element_ = e;
  count_ = 0;
  has_null_ = false;
  buffer_.assign(header_bytes, '\0');
}

void array_writer::put_sized(const char* data, std::size_t size) {
  char length[4];
  store(length, static_cast<std::int32_t>(size));
  buffer_.append(length, sizeof length);
  buffer_.append(data, size);
}

template <class T>
void array_writer::put_integer(cell c) {
  T value{};
  auto [end, error] = std::from_chars(c.data, c.data + c.size, value);
  if (error == std::errc::result_out_of_range) refuse("22003", "an integer is out of the column's range");
  if (error != std::errc{} || end != c.data + c.size) refuse("22P02", "a value is not an integer");
  char bytes[sizeof(T)];
  store(bytes, value);
  put_sized(bytes, sizeof bytes);
}

void array_writer::add(cell c) {
  ++count_;
  if (c.is_null()) {
    has_null_ = true;
    buffer_.append("\xff\xff\xff\xff", 4);
    return;
  }
  if (c.absent()) throw failure(failure_kind::internal, "a value that the log did not carry was to be written");
  switch (element_) {
    case element::int2: return put_integer<std::int16_t>(c);
    case element::int4: return put_integer<std::int32_t>(c);
    case element::int8: return put_integer<std::int64_t>(c);
    case element::boolean: {
      if (c.size != 1 || (*c.data != '0' && *c.data != '1')) refuse("22P02", "a value is not a boolean");
      const char byte = static_cast<char>(*c.data - '0');
      return put_sized(&byte, 1);
    }
    case element::uuid: {
      char bytes[16];
      std::size_t n = 0;
      for (std::size_t i = 0; i < c.size; ++i) {
        if (c.data[i] == '-' && (i == 8 || i == 13 || i == 18 || i == 23)) continue;
        const int high = hex_digit(c.data[i]), low = i + 1 < c.size ? hex_digit(c.data[i + 1]) : -1;
        if (high < 0 || low < 0 || n == sizeof bytes) refuse("22P02", "a value is not a UUID");
        bytes[n++] = static_cast<char>(high << 4 | low);
        ++i;
      }
      if (n != sizeof bytes || c.size != 36) refuse("22P02", "a value is not a UUID");
      return put_sized(bytes, sizeof bytes);
    }
    case element::text:
    case element::bytes: return put_sized(c.data, c.size);
  }
}

std::string_view array_writer::finish() {
  char* header = buffer_.data();
  store(header, std::int32_t{count_ ? 1 : 0});
  store(header + 4, std::int32_t{has_null_});
  store(header + 8, oid_of(element_));
  if (count_ == 0) return {header, 12};
  store(header + 12, count_);
  store(header + 16, std::int32_t{1});
  return buffer_;
}

}  // namespace duet::postgres
