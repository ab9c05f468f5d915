// One link while it runs: two lanes, restarted together from the databases' own bookkeeping when something breaks.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>

#include "duet/config.hpp"
#include "duet/mapping.hpp"
#include "duet/row_reader.hpp"
#include "duet/site.hpp"
#include "duet/source.hpp"
#include "duet/status.hpp"
#include "duet/target.hpp"

namespace duet {

// Makes the engine's objects; the command line is the only place that knows which engine is which.
struct side_factory {
  std::function<std::unique_ptr<site>()> make_site;      // unconnected
  std::function<std::unique_ptr<source>()> make_source;  // not started
  std::function<std::unique_ptr<target>()> make_target;  // not opened
  std::function<std::unique_ptr<row_reader>()> make_row_reader = {};  // not opened; none: nothing can be copied from there
};

class hub {
 public:
  // The config and the mapping outlive the hub, which changes the mapping between two starts of the lanes when tables change.
  hub(const config&, mapping&, side_factory home, side_factory spoke);
  ~hub();

  // Runs until stop is requested (then drains what has been read, at most 8 s, and returns) or until an operator must act
  // (throws failure). `take_over`: end another hub of this link first.
  void run(std::stop_token, bool take_over);

  hub_status status() const;  // from any thread

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace duet
