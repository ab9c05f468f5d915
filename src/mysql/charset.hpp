// Text columns arrive in the column's own character set; canonical text is UTF-8.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace duet::mysql {

class charset_converter {
 public:
  // `name` as MySQL writes it (latin1, utf8mb4, cp1251). Null: the bytes are UTF-8 already. Throws
  // failure{configuration} for a set that cannot be converted (dec8, swe7, ...).
  static std::unique_ptr<charset_converter> make(std::string_view name);

  charset_converter(const charset_converter&) = delete;
  charset_converter& operator=(const charset_converter&) = delete;
  ~charset_converter();

  // The result is valid until the next call. Throws failure{unsupported_log} if some bytes have no Unicode character.
  std::string_view to_utf8(std::string_view bytes);

 private:
  struct converter;
  explicit charset_converter(std::unique_ptr<converter>);
  std::unique_ptr<converter> converter_;  // null: latin1
  std::string text_;
};

}  // namespace duet::mysql
