// A refresh: home's decision on one row, put into home's log with pg_logical_emit_message() in the transaction that decided.
//
// The message is transactional, its prefix is `duet:<link>`, its content is JSON:
//
//   {"table": "public.customer", "key": {"id": "7"}, "row": {"id": "7", "name": null, "photo": "00ff"}}
//
// Names are home's; values are strings in home's canonical form (duet/value.hpp), raw bytes as hex, or null. "row" has every
// column of the table_pair, or is null: the row is gone.
//
// A message with the prefix `duet:<link>:sync` says nothing: it makes a commit whose place in the log one can wait for.
#pragma once

#include <string>
#include <string_view>

#include "duet/change.hpp"
#include "duet/mapping.hpp"
#include "duet/target.hpp"

namespace duet::postgres {

std::string refresh_prefix(std::string_view link);  // duet:<link>
std::string sync_prefix(std::string_view link);     // duet:<link>:sync

// `key`: table.columns.size() cells, of which those of table.key are used. `row`: null or not found = the row is gone.
std::string encode_refresh(const table_pair&, row_view key, const owned_row* row, const decision_tag&);

// Writes the refresh as one change (before = key cells, after = the row or no image) into the writer's open transaction.
// A table that is no longer in the mapping: nothing. Throws damaged_log if it is no refresh, schema_changed if it lacks a key column.
void decode_refresh(const mapping&, std::string_view content, block_writer&);

}  // namespace duet::postgres
