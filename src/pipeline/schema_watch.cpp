#include "pipeline/schema_watch.hpp"

#include <condition_variable>

namespace duet::pipeline {

schema_watch::schema_watch(schema_changes& s, maker home, maker spoke, std::function<void()> changed)
    : schema_(s), make_home_(std::move(home)), make_spoke_(std::move(spoke)), changed_(std::move(changed)) {
  thread_ = std::jthread([this](std::stop_token stop) { work(stop); });
}

schema_watch::~schema_watch() {
  thread_.request_stop();
  {
    const std::lock_guard lock(mutex_);
    for (site* s : {home_.get(), spoke_.get()})
      if (s) s->interrupt();
  }
  thread_.join();
}

void schema_watch::work(std::stop_token stop) {
  std::mutex waiting;
  std::condition_variable_any wake;
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(waiting);
      wake.wait_for(lock, stop, schema_.anything_waits() ? pause_while_waiting : pause, [] { return false; });
    }
    if (stop.stop_requested()) return;
    try {
      look();
    } catch (const std::exception&) {  // the lanes notice it, too, when a server is gone
      const std::lock_guard lock(mutex_);
      home_.reset();
      spoke_.reset();
    }
  }
}

void schema_watch::look() {
  for (const auto& [made, make] : {std::pair{&home_, &make_home_}, std::pair{&spoke_, &make_spoke_}}) {
    if (*made) continue;
    auto fresh = (*make)();
    fresh->connect();
    const std::lock_guard lock(mutex_);
    *made = std::move(fresh);
  }
  if (schema_.look(*home_, *spoke_)) changed_();
}

}  // namespace duet::pipeline
