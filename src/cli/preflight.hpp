// The steps that `check`, `setup` and `run` share, in the same words: configuration, connections, catalogs, mapping,
// checks. Each step turns what it meets into findings; the next one does what is still possible.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/verbs.hpp"
#include "duet/config.hpp"
#include "duet/failure.hpp"
#include "duet/mapping.hpp"
#include "duet/site.hpp"
#include "observe/status_text.hpp"

namespace duet::cli {

class preflight {
 public:
  preflight(std::string config_file, const engines&);

  bool load();           // the configuration; false: it is refused
  bool connect();        // both sites, also if the first one fails; false: one is not reached
  // After load() was false: looks at what can be looked at all the same, so that all there is to mend is in one list.
  void look_further();
  bool want_home = true, want_spoke = true;  // connect() leaves the other one out
  void bind();           // catalogs and mapping; needs both
  void check();          // server and tables, of each site that is reached
  void excuse_paused_tables();  // of a link that is set up: tables that no longer fit are no refusal
  void check_set_up();   // what setup makes, and this

  // Of all findings so far: 2 the configuration is refused, 3 a database can't be reached, 1 something else is refused, 0.
  int exit_code() const;
  std::vector<observe::finding_group> groups() const;
  // Refused findings and warnings only, for verbs that go on; nothing if there are none.
  std::string complaints() const;

  config cfg;
  std::unique_ptr<site> home, spoke;     // null: not reached
  site_identity home_identity, spoke_identity;
  mapping tables;
  std::vector<table_schema> home_tables, spoke_tables;  // the catalogs, as bind() has loaded them

 private:
  // Runs a step of one site; a failure becomes a finding there. False: it failed.
  template <class F>
  bool step(findings&, const char* where, F);
  bool connect(const endpoint&, const char* where, findings&, const std::function<std::unique_ptr<site>()>&,
               std::unique_ptr<site>&, site_identity&);

  void check_tables(site&, const char* where);
  void take_whole_seconds();  // MariaDB's commit times
  void compare_clocks();

  std::string config_file_;
  const engines& engines_;
  bool config_refused_ = false, unreachable_ = false;
  findings in_config_, at_home_, at_spoke_, in_tables_;
};

// A failure to connect, whatever its reason (a refused login, too): the database can't be reached.
failure connect_failure(failure);

}  // namespace duet::cli
