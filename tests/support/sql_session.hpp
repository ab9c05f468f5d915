// A plain connection to either database, text in and text out: for tests, the demo and the bench.
#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "duet/config.hpp"

namespace duet::testing {

using sql_row = std::vector<std::optional<std::string>>;  // nullopt: NULL
using sql_rows = std::vector<sql_row>;

struct sql_error : std::runtime_error {
  sql_error(std::string code, const std::string& text) : std::runtime_error(code + " " + text), code(std::move(code)) {}
  std::string code;  // SQLSTATE of PostgreSQL, error number of MySQL and MariaDB; "connection" when it is gone
};

// One connection, text in and text out. One thread at a time.
class sql_session {
 public:
  virtual ~sql_session() = default;
  // One or several statements; the rows of the last one that has any. Throws sql_error.
  virtual sql_rows query(const std::string& sql) = 0;
  void exec(const std::string& sql) { query(sql); }
  std::optional<std::string> scalar(const std::string& sql);  // first column of the first row; nullopt: NULL or no row
};
std::unique_ptr<sql_session> connect(const endpoint&);

}  // namespace duet::testing
