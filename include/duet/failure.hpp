// The one exception of operation. Programming errors assert; expected outcomes are return values.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace duet {

enum class failure_kind : std::uint8_t {
  // usable again after a reconnect; the link restarts with back-off
  connection_lost,    // includes a commit in doubt: see `in_doubt`
  cannot_connect,     // exit code 3 from verbs other than run
  read_again,         // a transaction larger than a batch is to be given up whole: it is read once more
  decided_by_hand,    // a person has decided about held keys beside this hub: it starts anew from what the databases say
  // the transaction is rolled back by us or the server, the connection is good: retry at once
  deadlock,           // 1213, 1205, 40P01, 40001, 55P03
  // the row(s) of this statement are refused: constraint, range, type; the connection is good, the transaction to be rolled back
  row_refused,
  // an operator must act, exit code 4; `code` names it
  fenced,             // another hub has raised the epoch
  already_running,    // another hub holds the link
  not_set_up,         // no bookkeeping: run `duet setup`
  log_lost,           // slot dropped or invalidated, slot advanced past our position, binlog purged or reset
  history_changed,    // fingerprint, identity or cross-floor mismatch: a restored copy or another server
  schema_changed,     // a synced table is not as it was when we started
  configuration,      // wrong server settings, missing privileges
  damaged_log,        // bytes that do not decode
  unsupported_log,    // an event we know and cannot follow (XA, partial JSON, statement format)
  table_stopped,      // TRUNCATE of a table that is synced both ways: someone must decide
  config_file,        // exit code 2
  spill_full,         // the spill file reached its limit
  internal,           // what should not happen; stop
};
std::string_view name(failure_kind);

// What the daemon does about it, and the operator's next step. Unknown means stop.
enum class reaction : std::uint8_t { retry, hold, stop };
reaction reaction_to(failure_kind);
std::string_view advice(failure_kind);
int exit_code(failure_kind);  // 2, 3 or 4

class failure : public std::runtime_error {
 public:
  // `what` says what was being done and where in the data, never a secret, never a row's values.
  failure(failure_kind kind, std::string what, std::string server_code = {}, std::string remedy = {})
      : std::runtime_error(std::move(what)), kind(kind), server_code(std::move(server_code)), remedy(std::move(remedy)) {}

  failure_kind kind;
  std::string server_code;  // SQLSTATE, or MySQL's error number as text; empty if ours
  std::string remedy;       // the SQL or command that mends it, if known better than advice(kind)
  std::string table;        // schema_changed: home's name of the table, if it is known
  bool in_doubt = false;    // COMMIT was sent and its answer did not come
};

}  // namespace duet
