#include "observe/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <initializer_list>
#include <utility>
#include <vector>

namespace duet::observe {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using labels = std::vector<ClientMetric::Label>;

class families {
 public:
  explicit families(const hub_status& hub) : hub_(hub) {}

  void open(const char* name, const char* help, MetricType type) {
    MetricFamily family;
    family.name = name;
    family.help = help;
    family.type = type;
    all_.push_back(std::move(family));
  }

  void add(labels which, double value) {
    ClientMetric metric;
    metric.label = std::move(which);
    metric.label.insert(metric.label.begin(), {"link", hub_.link});
    (all_.back().type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
    all_.back().metric.push_back(std::move(metric));
  }

  template <class F>
  void add_per_lane(F value_of) {
    add({{"lane", "home_to_spoke"}}, static_cast<double>(value_of(hub_.home_to_spoke)));
    add({{"lane", "spoke_to_home"}}, static_cast<double>(value_of(hub_.spoke_to_home)));
  }

  void counter_per_lane(const char* name, const char* help, std::uint64_t lane_counters::*field) {
    open(name, help, MetricType::Counter);
    add_per_lane([&](const lane_status& lane) { return lane.rows.*field; });
  }

  void histogram_per_lane(const char* name, const char* help, durations lane_counters::*field) {
    open(name, help, MetricType::Histogram);
    add_per_lane([](const lane_status&) { return 0; });
    auto metric = all_.back().metric.begin();
    for (const lane_status* lane : {&hub_.home_to_spoke, &hub_.spoke_to_home}) {
      const durations& d = lane->rows.*field;
      auto& to = (metric++)->histogram;
      for (std::size_t i = 0; i < d.counts.size(); ++i) {
        to.sample_count += d.counts[i];
        if (i < d.bounds_us.size()) to.bucket.push_back({to.sample_count, static_cast<double>(d.bounds_us[i]) / 1e6});
      }
      to.sample_sum = static_cast<double>(d.sum_ns) / 1e9;
    }
  }

  std::string text() const { return prometheus::TextSerializer().Serialize(all_); }

 private:
  const hub_status& hub_;
  std::vector<MetricFamily> all_;
};

struct row_result {
  const char* name;
  std::uint64_t lane_counters::*field;
};
constexpr row_result row_results[] = {
    {"applied", &lane_counters::applied},   {"unchanged", &lane_counters::unchanged}, {"echo", &lane_counters::echoes},
    {"filtered", &lane_counters::filtered}, {"held_back", &lane_counters::held_back}, {"conflict_lost", &lane_counters::conflicts_lost},
    {"held", &lane_counters::held},         {"delete_ignored", &lane_counters::deletes_ignored},
};

}  // namespace

std::string encode_metrics(const hub_status& hub) {
  families f(hub);
  f.open("duet_up", "1 while both lanes stream.", MetricType::Gauge);
  f.add({}, hub.healthy ? 1 : 0);
  f.open("duet_uptime_seconds", "Since the hub started.", MetricType::Gauge);
  f.add({}, static_cast<double>(hub.uptime_s));
  f.open("duet_epoch", "Epoch of this hub in both control rows.", MetricType::Gauge);
  f.add({}, static_cast<double>(hub.epoch));
  f.open("duet_restarts_total", "Restarts of the lanes after a failure.", MetricType::Counter);
  f.add({}, static_cast<double>(hub.restarts));
  f.open("duet_held_rows", "Rows that wait in duet.held of both sides.", MetricType::Gauge);
  f.add({}, static_cast<double>(hub.held_rows));

  if (!hub.copies.empty()) {
    f.open("duet_copied_rows", "Rows of a table's first copy so far.", MetricType::Gauge);
    for (const copy_status& c : hub.copies) f.add({{"table", c.table}, {"from", std::string(name(c.from))}}, static_cast<double>(c.rows));
    f.open("duet_copy_estimated_rows", "Rows that a table's first copy will have, by the server's statistics.", MetricType::Gauge);
    for (const copy_status& c : hub.copies) f.add({{"table", c.table}, {"from", std::string(name(c.from))}}, static_cast<double>(c.estimated));
  }

  f.open("duet_echoes_compared_total", "Rows that Duet wrote and that were compared as the log brought them back.", MetricType::Counter);
  for (const side at : {side::home, side::spoke}) f.add({{"at", std::string(name(at))}}, static_cast<double>(hub.echoes_compared[static_cast<int>(at)]));
  if (!hub.echo_differences.empty()) {
    f.open("duet_echo_differences_total", "Rows in which a column came back with another value than Duet sent; no column: the row itself.", MetricType::Counter);
    for (const echo_difference& d : hub.echo_differences)
      f.add({{"at", std::string(name(d.at))}, {"table", d.table}, {"column", d.column}}, static_cast<double>(d.rows));
  }

  f.open("duet_stopped_tables", "Tables all of whose changes wait in duet.held.", MetricType::Gauge);
  f.add({}, static_cast<double>(hub.stopped_tables.size()));
  f.open("duet_paused_tables", "Tables whose changes wait in the logs until both sides fit again, or that catch up.", MetricType::Gauge);
  f.add({}, static_cast<double>(hub.paused_tables.size()));
  if (hub.clocks) {
    f.open("duet_clock_offset_seconds", "The spoke's clock minus home's.", MetricType::Gauge);
    f.add({}, static_cast<double>(hub.clocks->offset_us) / 1e6);
    f.open("duet_clock_offset_error_seconds", "The true offset is at most so far from duet_clock_offset_seconds.", MetricType::Gauge);
    f.add({}, static_cast<double>(hub.clocks->error_us) / 1e6);
    f.open("duet_clock_offset_beyond_limit", "1 while the clocks are further apart than conflicts.clock_offset_limit.", MetricType::Gauge);
    f.add({}, hub.clocks->beyond_limit() ? 1 : 0);
  }

  f.open("duet_rows_total", "Rows read from the lane's log, by what became of them.", MetricType::Counter);
  for (const auto& [name, lane] : {std::pair<const char*, const lane_status*>{"home_to_spoke", &hub.home_to_spoke},
                                   std::pair<const char*, const lane_status*>{"spoke_to_home", &hub.spoke_to_home}})
    for (const auto& result : row_results)
      f.add({{"lane", name}, {"result", result.name}}, static_cast<double>(lane->rows.*result.field));
  f.counter_per_lane("duet_rows_read_total", "Rows read from the lane's log.", &lane_counters::read);
  f.counter_per_lane("duet_rows_drift_total", "Applied rows that were written by force, because the row was not as expected.",
                     &lane_counters::drift);
  f.counter_per_lane("duet_conflicts_total", "Conflicts decided by the tables' rules and logged, whoever won.", &lane_counters::conflicts);
  f.counter_per_lane("duet_refreshes_total", "Decisions of home: sent (to home), written (to the spoke).", &lane_counters::refreshes);
  f.counter_per_lane("duet_source_transactions_total", "Transactions read.", &lane_counters::source_transactions);
  f.counter_per_lane("duet_target_transactions_total", "Transactions written.", &lane_counters::target_transactions);
  f.counter_per_lane("duet_heartbeats_total", "Transactions that carried nothing but the control row.", &lane_counters::heartbeats);
  f.counter_per_lane("duet_retries_total", "Target transactions that were tried again.", &lane_counters::retries);
  f.counter_per_lane("duet_catch_ups_total", "Waits for the log under a row lock.", &lane_counters::catch_ups);

  f.histogram_per_lane("duet_decision_seconds", "One decision about a row that was not as expected or met a local write: from its lock to its outcome.",
                       &lane_counters::decisions);

  f.open("duet_lag_seconds", "Age of the oldest transaction that is read and not applied; 0: nothing waits.", MetricType::Gauge);
  f.add_per_lane([](const lane_status& lane) { return static_cast<double>(lane.lag_ms) / 1000; });
  f.open("duet_ring_bytes", "Change blocks in memory.", MetricType::Gauge);
  f.add_per_lane([](const lane_status& lane) { return lane.ring_bytes; });
  f.open("duet_spill_bytes", "Change blocks in the spill file.", MetricType::Gauge);
  f.add_per_lane([](const lane_status& lane) { return lane.spill_bytes; });
  f.open("duet_index_entries", "Local writes that the other side has not acknowledged.", MetricType::Gauge);
  f.add_per_lane([](const lane_status& lane) { return lane.index_entries; });
  f.open("duet_index_bytes", "What they take in memory.", MetricType::Gauge);
  f.add_per_lane([](const lane_status& lane) { return lane.index_bytes; });
  f.open("duet_index_spill_bytes", "What they take in files, beyond tuning.index.", MetricType::Gauge);
  f.add_per_lane([](const lane_status& lane) { return lane.index_spill_bytes; });
  return f.text();
}

}  // namespace duet::observe
