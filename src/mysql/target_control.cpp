#include "mysql/target_control.hpp"

namespace duet::mysql {

std::string signed_text(std::uint64_t n) {
  return std::to_string(static_cast<std::int64_t>(n));
}

std::string time_expression(std::int64_t time_us) {
  if (time_us <= 0) return "NULL";
  const std::string fraction = std::to_string(time_us % 1'000'000);
  return "FROM_UNIXTIME(" + std::to_string(time_us / 1'000'000) + '.' + std::string(6 - fraction.size(), '0') + fraction + ')';
}

std::string insert_control_sql(const control_row& row) {
  return "INSERT INTO duet.control (link, epoch, position, floor, counter, fingerprint, source_identity, own_identity) VALUES "
         "(" +
         quote_text(row.link) + ',' + signed_text(row.epoch) + ',' + signed_text(row.position.value) + ',' +
         signed_text(row.floor.value) + ',' + signed_text(row.counter) + ',' + signed_text(row.fingerprint) + ',' +
         quote_text(row.source_identity) + ',' + quote_text(row.own_identity) + ')';
}

std::string update_control_sql(const control_row& expected, const control_row& next) {
  return "UPDATE duet.control SET epoch=" + signed_text(next.epoch) + ",position=" + signed_text(next.position.value) +
         ",floor=" + signed_text(next.floor.value) + ",counter=" + signed_text(next.counter) +
         ",fingerprint=" + signed_text(next.fingerprint) + ",source_identity=" + quote_text(next.source_identity) +
         ",own_identity=" + quote_text(next.own_identity) + " WHERE link=" + quote_text(expected.link) +
         " AND epoch=" + signed_text(expected.epoch) + " AND position=" + signed_text(expected.position.value) +
         " AND counter=" + signed_text(expected.counter);
}

std::optional<control_row> read_control(connection& c, const std::string& link, bool lock) {
  std::string sql =
      "SELECT epoch, position, floor, counter, fingerprint, source_identity, own_identity FROM duet.control WHERE link=" +
      quote_text(link);
  if (lock) sql += " FOR UPDATE";
  try {
    result rows = c.query(sql, "reading the control row of link " + link);
    if (!rows.next()) return std::nullopt;
    control_row row;
    row.link = link;
    row.epoch = static_cast<std::uint64_t>(rows.integer(1));
    row.position = {static_cast<std::uint64_t>(rows.integer(2))};
    row.floor = {static_cast<std::uint64_t>(rows.integer(3))};
    row.counter = static_cast<std::uint64_t>(rows.integer(4));
    row.fingerprint = static_cast<std::uint64_t>(rows.integer(5));
    row.source_identity = rows.text(6);
    row.own_identity = rows.text(7);
    return row;
  } catch (failure& f) {
    // A user without any right on a database that does not exist is told "denied".
    if (f.server_code == "1049" || f.server_code == "1142")
      throw failure(failure_kind::not_set_up,
                    "reading the control row of link " + link + ": Duet's tables are not there, or not for this user",
                    f.server_code);
    throw;
  }
}

std::string hub_lock(const std::string& link) {
  return "duet:" + link;
}
std::string apply_lock(const std::string& link) {
  return "duet:" + link + ":apply";
}

}  // namespace duet::mysql
