#include "pipeline/clocks.hpp"

namespace duet::pipeline {

namespace {

constexpr int readings = 5;

struct against_ours {
  std::int64_t ahead_us = 0, error_us = 0;
};

std::int64_t us_of(std::chrono::steady_clock::duration d) { return std::chrono::duration_cast<std::chrono::microseconds>(d).count(); }

std::optional<against_ours> measure(site& at) {
  std::optional<against_ours> best;
  for (int i = 0; i < readings; ++i) {
    const auto r = at.read_clock();
    if (!r) return std::nullopt;
    const std::int64_t error = (us_of(r->after - r->before) + 1) / 2;
    if (!best || error < best->error_us) best = against_ours{r->us - us_of(r->before.time_since_epoch()) - error, error};
  }
  return best;
}

}  // namespace

std::optional<clock_comparison> compare_clocks(site& home, site& spoke, std::int64_t limit_ms) {
  const auto h = measure(home), s = measure(spoke);
  if (!h || !s) return std::nullopt;
  return clock_comparison{.offset_us = s->ahead_us - h->ahead_us, .error_us = h->error_us + s->error_us, .limit_us = limit_ms * 1000};
}

}  // namespace duet::pipeline
