// Looks at both catalogs beside the lanes, every few seconds, on a thread and on connections of its own.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "duet/site.hpp"
#include "pipeline/schema_changes.hpp"

namespace duet::pipeline {

class schema_watch {
 public:
  static constexpr std::chrono::seconds pause{5}, pause_while_waiting{1};

  using maker = std::function<std::unique_ptr<site>()>;
  // `changed`: the lanes must begin anew.
  schema_watch(schema_changes&, maker home, maker spoke, std::function<void()> changed);
  ~schema_watch();  // interrupts what waits

 private:
  void work(std::stop_token);
  void look();

  schema_changes& schema_;
  const maker make_home_, make_spoke_;
  const std::function<void()> changed_;
  std::mutex mutex_;
  std::unique_ptr<site> home_, spoke_;
  std::jthread thread_;
};

}  // namespace duet::pipeline
