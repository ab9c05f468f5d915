// The words for what the contract counts in enums, and what an operator is told to do about each failure.
#include "duet/failure.hpp"
#include "duet/mapping.hpp"
#include "duet/policy.hpp"
#include "duet/schema.hpp"
#include "duet/value.hpp"

namespace duet {

std::string_view name(side s) { return s == side::home ? "home" : "spoke"; }

std::string_view name(flow f) {
  switch (f) {
    case flow::both: return "both";
    case flow::home_to_spoke: return "home_to_spoke";
    case flow::spoke_to_home: return "spoke_to_home";
  }
  return "?";
}

std::string_view name(initial_rows i) {
  switch (i) {
    case initial_rows::none: return "none";
    case initial_rows::copy_from_home: return "copy_from_home";
    case initial_rows::copy_from_spoke: return "copy_from_spoke";
    case initial_rows::merge: return "merge";
  }
  return "?";
}

std::string_view name(merge_truth t) {
  switch (t) {
    case merge_truth::home: return "home";
    case merge_truth::spoke: return "spoke";
    case merge_truth::latest: return "latest_by";
    case merge_truth::unite: return "union";
    case merge_truth::manual: return "manual";
  }
  return "?";
}

std::string_view name(delete_action a) {
  switch (a) {
    case delete_action::propagate: return "propagate";
    case delete_action::ignore: return "ignore";
    case delete_action::archive: return "archive";
  }
  return "?";
}

std::string_view name(schema_rule r) {
  switch (r) {
    case schema_rule::pause: return "pause";
    case schema_rule::follow: return "follow";
    case schema_rule::ignore_new_columns: return "ignore_new_columns";
  }
  return "?";
}

std::string_view name(conflict_rule r) {
  switch (r) {
    case conflict_rule::none: return "none";
    case conflict_rule::latest: return "latest";
    case conflict_rule::home: return "home";
    case conflict_rule::spoke: return "spoke";
    case conflict_rule::manual: return "manual";
    case conflict_rule::delta: return "delta";
    case conflict_rule::script: return "script";
  }
  return "?";
}

std::string_view name(delete_rule r) {
  switch (r) {
    case delete_rule::by_rule: return "by_rule";
    case delete_rule::update_wins: return "update_wins";
    case delete_rule::delete_wins: return "delete_wins";
    case delete_rule::latest: return "latest";
    case delete_rule::manual: return "manual";
  }
  return "?";
}

std::string_view name(value_kind k) {
  constexpr std::string_view names[] = {"boolean",   "integer", "decimal", "real", "text", "bytes",       "date", "time",       "datetime",
                                        "timestamp", "json",    "bits",    "uuid", "enumeration", "set",  "array", "printed", "other"};
  return names[static_cast<int>(k)];
}

namespace {

struct failure_row {
  failure_kind kind;
  std::string_view name;
  reaction reaction_;
  int exit_code;
  std::string_view advice;
};

constexpr failure_row failures[] = {
    {failure_kind::connection_lost, "connection_lost", reaction::retry, 3, "Nothing to do: Duet connects again with growing pauses."},
    {failure_kind::cannot_connect, "cannot_connect", reaction::retry, 3,
     "Check that the server runs and that host, port, user, password and TLS in the configuration are right."},
    {failure_kind::read_again, "read_again", reaction::retry, 3, "Nothing to do: Duet goes on with it."},
    {failure_kind::decided_by_hand, "decided_by_hand", reaction::retry, 3, "Nothing to do: Duet goes on with what was decided."},
    {failure_kind::deadlock, "deadlock", reaction::retry, 3, "Nothing to do: the transaction is tried again."},
    {failure_kind::row_refused, "row_refused", reaction::hold, 4, "`duet held` lists it with its reason; `duet held resolve` decides."},
    {failure_kind::fenced, "fenced", reaction::stop, 4,
     "Another hub has taken this link over. Leave this one stopped, or start it with --take-over."},
    {failure_kind::already_running, "already_running", reaction::stop, 4,
     "Another hub runs this link. Stop it first, or start this one with --take-over."},
    {failure_kind::not_set_up, "not_set_up", reaction::stop, 4, "Run `duet setup`."},
    {failure_kind::log_lost, "log_lost", reaction::stop, 4,
     "The log that Duet still needs is gone. Compare the databases, then `duet teardown` and `duet setup` start anew."},
    {failure_kind::history_changed, "history_changed", reaction::stop, 4,
     "A database is not the one that Duet wrote to, or an older copy of it. Nothing was written. Find out which side is right, "
     "then `duet teardown` and `duet setup` start anew."},
    {failure_kind::schema_changed, "schema_changed", reaction::stop, 4,
     "A synced table was altered. Make both sides fit again and restart; `duet check` names what does not fit."},
    {failure_kind::configuration, "configuration", reaction::stop, 4, "Run `duet check`: it prints the SQL that mends it."},
    {failure_kind::damaged_log, "damaged_log", reaction::stop, 4,
     "The log holds bytes that make no sense. Nothing of that transaction was written. Check the server's disk and version."},
    {failure_kind::unsupported_log, "unsupported_log", reaction::stop, 4, "The log holds an event that Duet cannot follow; the text says which setting makes it."},
    {failure_kind::table_stopped, "table_stopped", reaction::stop, 4, "The text says what happened to the table and how to go on."},
    {failure_kind::config_file, "config_file", reaction::stop, 2, "Mend the configuration file."},
    {failure_kind::spill_full, "spill_full", reaction::stop, 4, "Raise tuning.spill.max, or free disk space, and restart."},
    {failure_kind::internal, "internal", reaction::stop, 4, "This is a defect of Duet. Please report it with the log."},
};

const failure_row& row(failure_kind k) {
  for (const auto& f : failures)
    if (f.kind == k) return f;
  return failures[std::size(failures) - 1];
}

}  // namespace

std::string_view name(failure_kind k) { return row(k).name; }
reaction reaction_to(failure_kind k) { return row(k).reaction_; }
std::string_view advice(failure_kind k) { return row(k).advice; }
int exit_code(failure_kind k) { return row(k).exit_code; }

}  // namespace duet
