// The control row (duet/control.hpp) in SQL, and the names under which the sessions of a link hold each other off.
#pragma once

#include <optional>
#include <string>

#include "duet/control.hpp"
#include "mysql/connection.hpp"

namespace duet::mysql {

// 64-bit numbers without a sign are kept in signed columns, bit for bit.
std::string signed_text(std::uint64_t);

// Microseconds since 1970 as an SQL expression; 0: NULL.
std::string time_expression(std::int64_t time_us);

std::string insert_control_sql(const control_row&);
// Guarded by epoch, position and counter of `expected`.
std::string update_control_sql(const control_row& expected, const control_row& next);
// `lock`: FOR UPDATE; the caller ends the transaction. Nothing: no such row. Throws not_set_up if there is no table.
std::optional<control_row> read_control(connection&, const std::string& link, bool lock);

// GET_LOCK names: the hub as a whole (held by its site) and its applying session.
std::string hub_lock(const std::string& link);
std::string apply_lock(const std::string& link);

}  // namespace duet::mysql
