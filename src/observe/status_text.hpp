// Status and findings as a person reads them: at most 80 columns for the tables, no control characters from outside.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "duet/config.hpp"
#include "duet/control.hpp"
#include "duet/failure.hpp"
#include "duet/site.hpp"
#include "duet/status.hpp"

namespace duet::observe {

// A screen of a running hub. `before`, taken `seconds` earlier, gives the rates; null: no rates are shown.
std::string status_text(const hub_status& now, const hub_status* before = nullptr, double seconds = 0);

// What the database of `which` says when no hub does. `other`: the control row of the other side, which tells how far this
// side's log is applied there.
std::string site_text(side which, const site_status&, const site&, const std::optional<control_row>& other);

// The log's line about what has moved since `before`; empty: nothing has.
// "the spoke's clock is 0.3 ms ahead of home's, to within 0.1 ms"
// "public.customer: 120,000 of about 2,000,000 rows copied from home, 85,000/s, 22 s left"
std::string copy_text(const copy_status&);
std::string clocks_text(const clock_comparison&);

std::string progress_line(const hub_status& before, const hub_status& now, double seconds);

struct finding_group {
  std::string where;  // config, home, spoke, tables; not repeated before the findings that are just there
  std::string title;
  findings lines;
};
// Every finding with its remedy below it, and nothing for empty groups. `terse` leaves the `ok` lines out.
std::string findings_text(const std::vector<finding_group>&, bool terse = false, bool color = false);
std::string summary_text(const std::vector<finding_group>&);  // "12 ok, 1 warning, 2 refused"

// What, where, code, what to do.
std::string failure_text(const failure&);

}  // namespace duet::observe
