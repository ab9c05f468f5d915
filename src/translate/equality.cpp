#include "translate/equality.hpp"

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/utf16.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <string>

#include "translate/special_folds.hpp"

namespace duet::translate {

namespace {

void append_folded(std::string& out, UChar32 c) {
  if (c == 's' && out.ends_with('s')) return;  // ß is s to one collation and ss to another
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  }
}

// One code point of a decomposition, without case. 0: it is left out.
UChar32 fold_code_point(UChar32 c) {
  c = u_foldCase(c, U_FOLD_CASE_DEFAULT);
  switch (c) {
    case 0xdf: return 's';
    case 0x3b9: return 0;  // iota: a mark below a letter to one collation, a letter to another
    case 0x5da: case 0x5dd: case 0x5df: case 0x5e3: case 0x5e5: return c + 1;  // final forms
    default: break;
  }
  // Vowels that stand before their consonant and are ordered behind it (Thai, Lao, New Tai Lue, Tai Viet).
  if ((c >= 0xe40 && c <= 0xe44) || (c >= 0xec0 && c <= 0xec4) || (c >= 0x19b5 && c <= 0x19ba) || (c >= 0xaab5 && c <= 0xaabc)) return 0;
  if (c >= 0x2d00 && c <= 0x2d25) c += 0x10d0 - 0x2d00;  // Georgian
  if (c >= 0x30a1 && c <= 0x30f6) c -= 0x60;             // katakana to hiragana
  switch (c) {                                           // small kana
    case 0x3041: case 0x3043: case 0x3045: case 0x3047: case 0x3049: case 0x3063: case 0x3083: case 0x3085: case 0x3087: case 0x308e: return c + 1;
    case 0x3095: return 0x304b;
    case 0x3096: return 0x3051;
    default: break;
  }
  return u_isalnum(c) ? c : 0;
}

void append_code_point(std::string& out, UChar32 c) {
  if (const std::string_view* special = find_special_fold(c)) {
    for (std::int32_t i = 0, n = static_cast<std::int32_t>(special->size()); i < n;) {
      UChar32 letter;
      U8_NEXT(special->data(), i, n, letter);
      append_folded(out, letter);
    }
    return;
  }
  const auto category = u_charType(c);
  if (category == U_NON_SPACING_MARK || category == U_COMBINING_SPACING_MARK || category == U_ENCLOSING_MARK) return;
  if (category == U_DECIMAL_DIGIT_NUMBER || category == U_OTHER_NUMBER || category == U_LETTER_NUMBER) {
    const double value = u_getNumericValue(c);
    if (value >= 0 && value <= 1e6 && value == static_cast<int>(value)) {
      out += std::to_string(static_cast<int>(value));
      return;
    }
  }
  if (const UChar32 folded = fold_code_point(c)) append_folded(out, folded);
}

void fold_unicode(std::string_view text, bool supplementary_equal, std::string& out) {
  if (text.size() > 16u << 20) return;  // no index holds such a text; ICU counts in 32 bits
  UErrorCode error = U_ZERO_ERROR;
  const UNormalizer2* nfkd = unorm2_getNFKDInstance(&error);
  if (U_FAILURE(error)) return;  // the coarsest token
  for (std::int32_t i = 0, n = static_cast<std::int32_t>(text.size()); i < n;) {
    UChar32 c;
    U8_NEXT(text.data(), i, n, c);
    if (c < 0 || c == 0xfffd || (supplementary_equal && c > 0xffff)) {
      append_folded(out, 0xfffd);
      continue;
    }
    UChar parts[32];  // the longest has 18
    UErrorCode failed = U_ZERO_ERROR;
    const std::int32_t count = find_special_fold(c) ? -1 : unorm2_getDecomposition(nfkd, c, parts, 32, &failed);
    if (count < 0 || U_FAILURE(failed)) {
      append_code_point(out, c);
      continue;
    }
    for (std::int32_t k = 0; k < count;) {
      UChar32 part;
      U16_NEXT(parts, k, count, part);
      append_code_point(out, part);
    }
  }
}

std::string_view without_blanks_at_end(std::string_view s) {
  while (s.ends_with(' ')) s.remove_suffix(1);
  return s;
}

// 12.50 and 12.5 are one number.
std::string_view without_zeros_of_fraction(std::string_view s) {
  if (s.find('.') == std::string_view::npos) return s;
  while (s.ends_with('0')) s.remove_suffix(1);
  if (s.ends_with('.')) s.remove_suffix(1);
  return s;
}

}  // namespace

folding folding_of(const column_type& t) {
  if (t.kind != value_kind::text || !t.case_insensitive) return folding::none;
  std::string_view name = t.collation;
  if (name.ends_with("_bin")) return folding::none;
  if (const std::size_t bar = name.find('_'); bar != std::string_view::npos && !name.starts_with("uca1400_")) name.remove_prefix(bar + 1);
  if (name.starts_with("unicode_520_") || name.starts_with("0900_a") || name.starts_with("uca1400_a") || name.starts_with("uca1400_nopad_")) {
    return folding::root;
  }
  if (name.starts_with("general_") || name == "unicode_ci" || name == "unicode_nopad_ci") return folding::root_old;
  const bool knows_all = name.find("0900_") != std::string_view::npos || name.find("520_") != std::string_view::npos || t.collation.find("uca1400_") != std::string::npos;
  return knows_all ? folding::language : folding::language_old;
}

std::string_view fold_text(std::string_view text, folding how) {
  text = without_blanks_at_end(text);
  if (how == folding::none) return text;
  thread_local std::string out;
  out.clear();
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return static_cast<signed char>(c) >= 0; });
  if (ascii) {
    for (char c : text) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
      if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) append_folded(out, c);
    }
  } else {
    fold_unicode(text, how == folding::root_old || how == folding::language_old, out);
  }
  if (how >= folding::language) std::erase_if(out, [](char c) { return c < '0' || c > '9'; });
  return out;
}

std::string_view comparable_form(const column_pair& c, std::string_view value) {
  const auto either = [&](value_kind k) { return c.home.type.kind == k || c.spoke.type.kind == k; };
  if (either(value_kind::decimal)) return without_zeros_of_fraction(value);
  if (either(value_kind::text)) return fold_text(value, std::max(folding_of(c.home.type), folding_of(c.spoke.type)));
  if (either(value_kind::real) && value == "-0") return "0";
  return value;
}

}  // namespace duet::translate
