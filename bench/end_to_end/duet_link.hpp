// Duet itself: one link between two private servers, its hub a process of its own.
#pragma once

#include <signal.h>

#include <memory>
#include <string>

#include "end_to_end/backlogs.hpp"
#include "end_to_end/common.hpp"
#include "end_to_end/servers.hpp"

namespace duet::bench {

struct usage { double cpu_s = 0; long rss_kb = 0; };

struct link_options {
  bool tcp = false;                          // home over TCP instead of its Unix socket
  std::string conflicts = "default: home";   // what the configuration says there
  std::string sbtest = {};                   // more of that table: ", initial: copy_from_home"
  bool full_identity = true;                 // REPLICA IDENTITY FULL of sbtest; one-way tables can do without
};

link_options merging(bool tcp);              // all that a rule which merges needs

class duet_link {
 public:
  duet_link(private_server& home, private_server& spoke, const link_options&);
  void start();
  void stop();
  bool running() { return hub_ && hub_->running(); }
  void freeze();                                        // returns when the hub stands still
  void thaw() { hub_->signal(SIGCONT); }
  std::string log() const { return read_file(folder_.file("log")); }
  std::string end_of_log() const;

  // Starts the hub and returns the seconds until the mark has arrived.
  double drain(private_server& target, int mark_id, long mark, const std::string& what);

  // Both lanes have read their own echoes too: a mark goes there and back. And home knows it: a slot restarts where the server
  // has last noted which transactions run, and takes over such a note only when the hub has confirmed what is behind it. In a
  // live link that follows by itself; here it would leave each backlog to be decoded again by the next start.
  void settle();
  void there_and_back();                                // a mark, after all that is under way

  usage used() const;                                   // of the running hub
  finished run_verb(const std::string& verb, std::chrono::milliseconds limit);
  // A sample of /metrics: metric("duet_conflicts_total", "spoke_to_home"). Throws if there is none.
  double metric(const std::string& name, const std::string& lane) const;

 private:
  temporary_folder folder_;
  private_server& home_;
  private_server& spoke_;
  std::uint16_t port_;
  std::unique_ptr<child_process> hub_;
  long settled_ = 0;
};

}  // namespace duet::bench
