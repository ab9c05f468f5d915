// Rows events: from the bytes of row images to canonical values in change blocks. Pure.
//
// Wire format: table id, flags, column count, one bitmap of present columns per image; then for each row and image a
// bitmap of NULLs and the values that are neither absent nor NULL, in column order.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "duet/change.hpp"
#include "duet/mapping.hpp"
#include "mysql/binlog_event.hpp"
#include "mysql/charset.hpp"
#include "mysql/table_map.hpp"

namespace duet::mysql {

struct rows_event {
  operation op = operation::insert;
  std::uint64_t table_id = 0;
  bool ends_statement = false;
  bool is_compressed = false;  // MariaDB: `rows` is to be inflated first
  std::uint64_t width = 0;     // columns
  std::string_view present_before, present_after;  // bitmaps; an insert has no before, a delete no after
  std::string_view rows;

  bool has_before() const { return op != operation::insert; }
  bool has_after() const { return op != operation::remove; }
};

// The id and the flag alone, for tables that are of no interest.
struct rows_target {
  std::uint64_t table_id;
  bool ends_statement;
};
rows_target decode_rows_target(std::string_view body);
rows_event decode_rows_event(event_type, std::string_view body);

inline bool bit_at(std::string_view bitmap, std::size_t i) { return bitmap[i / 8] >> (i % 8) & 1; }

// Steps over the images of rows.
class row_walker {
 public:
  explicit row_walker(std::vector<wire_layout> columns) : columns_(std::move(columns)) {}
  std::size_t width() const { return columns_.size(); }
  // Rows of the event (an update's two images are one row). Nothing is decoded.
  std::uint32_t count_rows(const rows_event&) const;
  // The whole of the value at p, its length included; checked against the end.
  std::size_t value_size(std::size_t column, const std::uint8_t* p, const std::uint8_t* end) const;

 private:
  const std::uint8_t* skip_image(const std::uint8_t* p, const std::uint8_t* end, std::string_view present) const;
  std::vector<wire_layout> columns_;
};

// The rows of one mapped table, as one TABLE_MAP describes it.
class row_decoder {
 public:
  // `strictly`: the table must be as the mapping has it. Else the log may be older: what it does not have yet is absent, what it
  // still has is left out.
  row_decoder(const table_map&, const table_pair&, bool strictly = true);

  const table_pair& table() const { return *table_; }
  bool fits() const { return mismatch_.empty(); }
  bool has_names() const { return has_names_; }  // the log names the columns: binlog_row_metadata was FULL
  std::uint32_t count_rows(const rows_event& e) const { return walker_.count_rows(e); }

  // Writes one change per row. Throws schema_changed if the table is not as the mapping has it, unsupported_log if the
  // images lack the key, damaged_log.
  void decode(const rows_event&, block_writer&);

 private:
  enum class form : std::uint8_t;
  struct column_plan {
    form how;
    std::int16_t cell = -1;  // index into table_pair::columns; -1: not wanted
    std::uint8_t prefix = 0;  // bytes of the length in front
    std::uint32_t size = 0;   // fixed size, or what the bytes are padded to
    std::uint8_t digits = 0, scale = 0;
    bool inflate = false;
    const column_type* type = nullptr;
    std::unique_ptr<column_type> then;  // `type` is this: as the log has it
    std::unique_ptr<charset_converter> charset;
  };
  struct raw_value {
    const std::uint8_t* data = nullptr;
    std::size_t size = 0;
  };

  const std::uint8_t* decode_image(const std::uint8_t* p, const std::uint8_t* end, std::string_view present, block_writer::image,
                                   bool has_before, block_writer&);
  void decode_value(column_plan&, const std::uint8_t* p, std::size_t n, block_writer::image, block_writer&);
  void check_event(const rows_event&) const;
  int find_column(const table_map&, const table_pair&, std::uint16_t cell) const;
  static std::string find_difference(const table_map&, const std::vector<column>& schema);
  void plan_column(const wire_column&, const column&, std::int16_t cell, column_plan&);
  static form form_of(const wire_column&, const column_type&);

  const table_pair* table_;
  row_walker walker_;
  bool has_names_ = false;
  bool strictly_;
  std::vector<int> at_;   // by cell: its column in the log; -1: it has none
  std::string mismatch_;  // what differs from the mapping; empty: nothing
  std::vector<column_plan> columns_;
  std::vector<raw_value> before_;  // of the row at hand, by cell
  std::vector<char> inflated_;
  std::string text_;
};

}  // namespace duet::mysql
