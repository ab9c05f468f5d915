// Private servers with production durability, and what is in them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "support/servers.hpp"

namespace duet::bench {

using namespace duet::testing;

std::vector<std::string> postgres_options();
std::vector<std::string> spoke_options(const std::string& kind);
bool is_home(const private_server&);

// sbtest, mark, pulse; `procedures`: those that write the backlogs, too.
void make_tables(private_server&, const std::string& database, bool procedures);
// A database `bench` with them. A replica gets the procedures from its source.
void make_schema(private_server&, bool replicated);

// Count and sums of sbtest, the same on both engines for equal rows.
std::string digest(private_server&, const std::string& database = "bench");

// Runs a statement without waiting for the disk, to save time; the durability under test is back before anything is measured.
void write_fast(private_server&, const std::string& sql);

// Both ends of a link, with their schema.
struct server_pair {
  explicit server_pair(const std::string& kind);
  private_postgres home;
  std::unique_ptr<spoke_server> spoke;
  private_server& source(bool out) { return out ? static_cast<private_server&>(home) : *spoke; }
  private_server& target(bool out) { return source(!out); }
  bool equal() { return digest(home) == digest(*spoke); }
};

}  // namespace duet::bench
