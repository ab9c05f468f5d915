// What each verb is called with, and what all of them share. The words of the command line are read in command_line.cpp.
//
// A verb returns the exit code. It throws failure for what stopped it; the command line prints that and exits by its kind.
#pragma once

#include <functional>
#include <istream>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "duet/hub.hpp"
#include "duet/site.hpp"

namespace duet::cli {

enum exit_codes : int { exit_fine = 0, exit_findings = 1, exit_usage = 2, exit_unreachable = 3, exit_refused = 4 };

struct options {
  std::string config_file = "duet.yaml";
  bool json = false;
  bool print = false;                   // setup, teardown: show the SQL, run nothing
  bool take_over = false;               // run
  std::string plan_file;                // run: the plan that must fit
  std::string out_file;                 // plan
  std::string log_level = "info";
  bool log_json = false;
  bool watch = false;                   // status
  bool yes = false;                     // teardown, held resolve
  bool home_only = false, spoke_only = false;
  std::string since, table, key;        // conflicts; table: held, too
  std::size_t limit = 50;
  std::vector<std::string> ids;         // show, resolve
  std::string pick;                     // held resolve: home, spoke, or nothing; repair: the truth
  std::vector<std::string> set;         // column=value, or column: NULL
  bool remove = false, all = false;
  bool dry_run = false;                 // repair
  bool csv = false;                     // verify
  bool create_missing = false;          // setup
  std::uint64_t rate = 0;               // verify: rows per second; 0: as fast as it goes
};

struct console {
  std::ostream& out;
  std::ostream& err;
  std::istream& in;
  bool in_is_terminal = false, out_is_terminal = false;
};

// How the objects of both engines are made: PostgreSQL at home, MySQL or MariaDB at the spoke.
struct engines {
  std::function<std::unique_ptr<site>(const endpoint&, const std::string& link)> home_site, spoke_site;
  // The config and the mapping outlive what is made.
  std::function<side_factory(const config&, const mapping&)> home, spoke;
  std::function<std::unique_ptr<target_by_hand>(const config&, const mapping&)> home_by_hand, spoke_by_hand;
  std::function<std::unique_ptr<row_reader>(const config&)> home_rows_by_hand, spoke_rows_by_hand;
};
engines real_engines();

int check(const options&, const engines&, console&);
int setup(const options&, const engines&, console&);
int run(const options&, const engines&, console&);
int status(const options&, const engines&, console&);
int teardown(const options&, const engines&, console&);
int conflicts(const options&, const engines&, console&);
int show_conflict(const options&, const engines&, console&);
int held(const options&, const engines&, console&);
int show_held(const options&, const engines&, console&);
int resolve_held(const options&, const engines&, console&);
int verify(const options&, const engines&, console&);
int repair(const options&, const engines&, console&);
int schema(const options&, const engines&, console&);
int plan_begin(const options&, const engines&, console&);

}  // namespace duet::cli
