#include "postgres/copy_writer.hpp"

#include <gtest/gtest.h>

#include "duet/failure.hpp"

namespace duet::postgres {
namespace {

TEST(copy_writer, separates_values_by_tabs_and_rows_by_newlines) {
  copy_writer w;
  w.add(value_kind::integer, cell::of("1"));
  w.add(value_kind::text, cell::null());
  w.add(value_kind::text, cell::of(""));
  w.end_row();
  w.add(value_kind::integer, cell::of("2"));
  w.end_row();
  EXPECT_EQ(w.bytes(), "1\t\\N\t\n2\n");
}

TEST(copy_writer, escapes_what_copy_would_read_otherwise) {
  copy_writer w;
  w.add(value_kind::text, cell::of("a\tb\nc\rd\\e"));
  w.add(value_kind::text, cell::of("\\N"));
  w.add(value_kind::text, cell::of("\\."));
  w.end_row();
  EXPECT_EQ(w.bytes(), "a\\tb\\nc\\rd\\\\e\t\\\\N\t\\\\.\n");
}

TEST(copy_writer, writes_bytea_as_hex) {
  copy_writer w;
  w.add(value_kind::bytes, cell::of(std::string_view("\0\x1f\xff\n", 4)));
  w.add(value_kind::bytes, cell::of(""));
  w.end_row();
  EXPECT_EQ(w.bytes(), "\\\\x001fff0a\t\\\\x\n");
}

TEST(copy_writer, does_not_write_a_value_that_the_log_did_not_carry) {
  copy_writer w;
  EXPECT_THROW(w.add(value_kind::text, cell{}), failure);
}

}  // namespace
}  // namespace duet::postgres
