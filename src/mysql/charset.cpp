#include "mysql/charset.hpp"

#include <unicode/ucnv.h>

#include "duet/failure.hpp"

namespace duet::mysql {

namespace {

// MySQL's latin1 is cp1252; the five codes that cp1252 leaves open are control characters. 0x80 to 0x9f:
constexpr char16_t latin1_upper[32] = {0x20ac, 0x0081, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
                                       0x2039, 0x0152, 0x008d, 0x017d, 0x008f, 0x0090, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
                                       0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x009d, 0x017e, 0x0178};

struct charset_row {
  std::string_view mysql;
  const char* icu;  // null: the bytes are UTF-8
};

constexpr charset_row charsets[] = {
    {"utf8mb4", nullptr}, {"utf8mb3", nullptr}, {"utf8", nullptr}, {"ascii", nullptr}, {"binary", nullptr}, {"", nullptr},
    {"ucs2", "UTF-16BE"}, {"utf16", "UTF-16BE"}, {"utf16le", "UTF-16LE"}, {"utf32", "UTF-32BE"},
    {"latin2", "ISO-8859-2"}, {"latin5", "ISO-8859-9"}, {"latin7", "ISO-8859-13"}, {"greek", "ISO-8859-7"},
    {"hebrew", "ISO-8859-8"}, {"koi8r", "KOI8-R"}, {"koi8u", "KOI8-U"}, {"cp850", "ibm-850"}, {"cp852", "ibm-852"},
    {"cp866", "ibm-866"}, {"cp1250", "windows-1250"}, {"cp1251", "windows-1251"}, {"cp1256", "windows-1256"},
    {"cp1257", "windows-1257"}, {"macroman", "macintosh"}, {"macce", "x-mac-centraleurroman"}, {"tis620", "TIS-620"},
    {"big5", "Big5"}, {"gb2312", "GB2312"}, {"gbk", "GBK"}, {"gb18030", "gb18030"}, {"sjis", "Shift_JIS"},
    {"cp932", "windows-31j"}, {"ujis", "EUC-JP"}, {"eucjpms", "EUC-JP"}, {"euckr", "EUC-KR"},
};

[[noreturn]] void throw_unknown(std::string_view name) {
  throw failure(failure_kind::configuration, "the character set " + std::string(name) + " of a text column cannot be converted to UTF-8", {},
                "ALTER TABLE ... CONVERT TO CHARACTER SET utf8mb4, or exclude the column.");
}

}  // namespace

struct charset_converter::converter {
  UConverter* handle = nullptr;
  ~converter() {
    if (handle) ucnv_close(handle);
  }
};

charset_converter::charset_converter(std::unique_ptr<converter> c) : converter_(std::move(c)) {}
charset_converter::~charset_converter() = default;

std::unique_ptr<charset_converter> charset_converter::make(std::string_view name) {
  if (name == "latin1") return std::unique_ptr<charset_converter>(new charset_converter(nullptr));
  for (const auto& row : charsets) {
    if (row.mysql != name) continue;
    if (!row.icu) return nullptr;
    auto made = std::make_unique<converter>();
    UErrorCode status = U_ZERO_ERROR;
    made->handle = ucnv_open(row.icu, &status);
    if (U_FAILURE(status)) throw_unknown(name);
    ucnv_setToUCallBack(made->handle, UCNV_TO_U_CALLBACK_STOP, nullptr, nullptr, nullptr, &status);
    return std::unique_ptr<charset_converter>(new charset_converter(std::move(made)));
  }
  throw_unknown(name);
}

std::string_view charset_converter::to_utf8(std::string_view bytes) {
  if (!converter_) {
    text_.resize(bytes.size() * 3);
    char* out = text_.data();
    for (char b : bytes) {
      const auto code = static_cast<unsigned char>(b);
      const char16_t c = code >= 0x80 && code < 0xa0 ? latin1_upper[code - 0x80] : code;
      if (c < 0x80) {
        *out++ = static_cast<char>(c);
      } else if (c < 0x800) {
        *out++ = static_cast<char>(0xc0 | c >> 6);
        *out++ = static_cast<char>(0x80 | (c & 0x3f));
      } else {
        *out++ = static_cast<char>(0xe0 | c >> 12);
        *out++ = static_cast<char>(0x80 | (c >> 6 & 0x3f));
        *out++ = static_cast<char>(0x80 | (c & 0x3f));
      }
    }
    return {text_.data(), static_cast<std::size_t>(out - text_.data())};
  }
  text_.resize(bytes.size() * 4 + 4);  // no character set needs more UTF-8 than this for a byte
  UErrorCode status = U_ZERO_ERROR;
  const int32_t n = ucnv_toAlgorithmic(UCNV_UTF8, converter_->handle, text_.data(), static_cast<int32_t>(text_.size()), bytes.data(),
                                       static_cast<int32_t>(bytes.size()), &status);
  if (U_FAILURE(status))
    throw failure(failure_kind::unsupported_log, "a text column holds bytes that are no characters of its character set", {},
                  "Mend the row (the character set of the column is given by SHOW CREATE TABLE), or exclude the column.");
  return {text_.data(), static_cast<std::size_t>(n)};
}

}  // namespace duet::mysql
