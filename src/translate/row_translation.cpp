#include <cassert>
#include <string>

#include "translate/conversions.hpp"
#include "translate/translate.hpp"

namespace duet::translate {

bool convert_row(const table_pair& table, side from, row_view in, cell* out, base::arena& arena, std::string& reason) {
  const bool to_spoke = from == side::home;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const column_pair& c = table.columns[i];
    const conversion& how = to_spoke ? c.to_spoke : c.to_home;
    if (in[i].present() && how.code != 0) {
      const column &source = c.on(from), &target = c.on(other(from));
      std::string_view converted;
      if (const char* cause = convert({in[i].text(), how, source.type, target.type, arena}, converted)) {
        reason = "column " + source.name + ": " + cause;
        return false;
      }
      out[i] = cell::of(converted);
    } else {
      if (in[i].is_null() && !c.on(other(from)).nullable) {
        reason = "column " + c.on(from).name + ": it is NULL, and the other side's column is NOT NULL";
        return false;
      }
      out[i] = in[i];
    }
  }
  return true;
}

}  // namespace duet::translate
