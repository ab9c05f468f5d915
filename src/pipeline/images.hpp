// Rows as JSON for the conflict log and for held rows: an object of home's column names and canonical values as text,
// bytes as \x hex. Slow path only.
#pragma once

#include <string>

#include "duet/target.hpp"

namespace duet::pipeline {

std::string row_json(const table_pair&, row_view);               // absent columns are left out; "" for a null view
std::string row_json(const table_pair&, const owned_row&);       // "" if not found
std::string key_json(const table_pair&, row_view);
std::string same_json(const std::string&);                       // the same for the same object, however a server prints it
std::string table_name(const table_pair&);                       // home's schema.table
std::uint64_t table_token(const table_pair&);                    // of the table as a whole, where a row has its key's

}  // namespace duet::pipeline
