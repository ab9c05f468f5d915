#include "observe/status_json.hpp"

namespace duet::observe {

using nlohmann::json;

namespace {

struct counter_field {
  const char* name;
  std::uint64_t lane_counters::*field;
};
constexpr counter_field counter_fields[] = {
    {"read", &lane_counters::read},
    {"applied", &lane_counters::applied},
    {"unchanged", &lane_counters::unchanged},
    {"echoes", &lane_counters::echoes},
    {"filtered", &lane_counters::filtered},
    {"held_back", &lane_counters::held_back},
    {"conflicts", &lane_counters::conflicts},
    {"conflicts_lost", &lane_counters::conflicts_lost},
    {"held", &lane_counters::held},
    {"deletes_ignored", &lane_counters::deletes_ignored},
    {"drift", &lane_counters::drift},
    {"refreshes", &lane_counters::refreshes},
    {"source_transactions", &lane_counters::source_transactions},
    {"target_transactions", &lane_counters::target_transactions},
    {"heartbeats", &lane_counters::heartbeats},
    {"retries", &lane_counters::retries},
    {"catch_ups", &lane_counters::catch_ups},
};

json to_json(const lane_status& lane) {
  json rows = json::object();
  for (const auto& f : counter_fields) rows[f.name] = lane.rows.*f.field;
  return {
      {"from", std::string(name(lane.from))},
      {"to", std::string(name(other(lane.from)))},
      {"state", lane.state},
      {"lag_ms", lane.lag_ms},
      {"rows", std::move(rows)},
      {"read_position", lane.read_position},
      {"applied_position", lane.applied_position},
      {"read", std::to_string(lane.read.value)},
      {"applied", std::to_string(lane.applied.value)},
      {"floor", std::to_string(lane.floor.value)},
      {"ring_bytes", lane.ring_bytes},
      {"spill_bytes", lane.spill_bytes},
      {"index_entries", lane.index_entries},
      {"index_bytes", lane.index_bytes},
      {"index_spill_bytes", lane.index_spill_bytes},
  };
}

// A member of an untrusted object: absent or of another type leaves the default.
template <class T>
void read_member(const json& object, const char* key, T& out) {
  const auto found = object.find(key);
  if (found == object.end()) return;
  if constexpr (std::is_same_v<T, std::string>) {
    if (found->is_string()) out = found->template get<std::string>();
  } else if constexpr (std::is_same_v<T, bool>) {
    if (found->is_boolean()) out = found->template get<bool>();
  } else if constexpr (std::is_unsigned_v<T>) {
    if (found->is_number_unsigned()) out = found->template get<T>();
  } else {
    if (found->is_number_integer()) out = found->template get<T>();
  }
}

void read_position(const json& object, const char* key, log_position& out) {
  std::string digits;
  read_member(object, key, digits);
  if (digits.empty() || digits.size() > 20 || digits.find_first_not_of("0123456789") != std::string::npos) return;
  std::uint64_t value = 0;
  for (const char c : digits) {
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (UINT64_MAX - digit) / 10) return;
    value = value * 10 + digit;
  }
  out.value = value;
}

void read_lane(const json& lanes, const char* key, lane_status& out) {
  const auto found = lanes.find(key);
  if (found == lanes.end() || !found->is_object()) return;
  const json& lane = *found;
  read_member(lane, "state", out.state);
  read_member(lane, "lag_ms", out.lag_ms);
  read_member(lane, "read_position", out.read_position);
  read_member(lane, "applied_position", out.applied_position);
  read_position(lane, "read", out.read);
  read_position(lane, "applied", out.applied);
  read_position(lane, "floor", out.floor);
  read_member(lane, "ring_bytes", out.ring_bytes);
  read_member(lane, "spill_bytes", out.spill_bytes);
  read_member(lane, "index_entries", out.index_entries);
  read_member(lane, "index_bytes", out.index_bytes);
  read_member(lane, "index_spill_bytes", out.index_spill_bytes);
  if (const auto rows = lane.find("rows"); rows != lane.end() && rows->is_object())
    for (const auto& f : counter_fields) read_member(*rows, f.name, out.rows.*f.field);
}

}  // namespace

json to_json(const hub_status& s) {
  json failure = nullptr;
  if (!s.failure_code.empty()) failure = {{"code", s.failure_code}, {"text", s.failure_text}, {"advice", s.advice}};
  json clocks = nullptr;
  if (s.clocks) {
    clocks = {{"offset_us", s.clocks->offset_us}, {"error_us", s.clocks->error_us},         {"limit_us", s.clocks->limit_us},
              {"age_s", s.clocks->age_s},         {"beyond_limit", s.clocks->beyond_limit()}};
  }
  json differences = json::array();
  for (const echo_difference& d : s.echo_differences)
    differences.push_back({{"table", d.table}, {"column", d.column}, {"at", std::string(name(d.at))}, {"rows", d.rows}});
  json paused = json::array();
  for (const paused_table& t : s.paused_tables)
    paused.push_back({{"table", t.table}, {"catches_up", t.catches_up()}, {"reason", t.reason}, {"remedy", t.remedy}, {"since_us", t.since_us}});
  json copies = json::array();
  for (const copy_status& c : s.copies)
    copies.push_back({{"table", c.table}, {"from", std::string(name(c.from))}, {"rows", c.rows}, {"estimated", c.estimated}, {"rows_per_s", c.rows_per_s}, {"done", c.done}});
  return {
      {"link", s.link},
      {"healthy", s.healthy},
      {"state", s.state},
      {"failure", std::move(failure)},
      {"epoch", s.epoch},
      {"restarts", s.restarts},
      {"uptime_s", s.uptime_s},
      {"held_rows", s.held_rows},
      {"stopped_tables", s.stopped_tables},
      {"paused_tables", std::move(paused)},
      {"clocks", std::move(clocks)},
      {"echo_audit", {{"compared_at_home", s.echoes_compared[0]}, {"compared_at_spoke", s.echoes_compared[1]}, {"differences", std::move(differences)}}},
      {"copies", std::move(copies)},
      {"lanes", {{"home_to_spoke", to_json(s.home_to_spoke)}, {"spoke_to_home", to_json(s.spoke_to_home)}}},
  };
}

hub_status decode_hub_status(std::string_view text) {
  const json document = json::parse(text, nullptr, false);
  if (!document.is_object() || !document.contains("link") || !document.contains("lanes") || !document["lanes"].is_object())
    throw failure(failure_kind::internal, "what answers at status.listen is not a hub of Duet");
  hub_status s;
  read_member(document, "link", s.link);
  read_member(document, "healthy", s.healthy);
  read_member(document, "state", s.state);
  read_member(document, "epoch", s.epoch);
  read_member(document, "restarts", s.restarts);
  read_member(document, "uptime_s", s.uptime_s);
  read_member(document, "held_rows", s.held_rows);
  if (const auto failed = document.find("failure"); failed != document.end() && failed->is_object()) {
    read_member(*failed, "code", s.failure_code);
    read_member(*failed, "text", s.failure_text);
    read_member(*failed, "advice", s.advice);
  }
  if (const auto tables = document.find("stopped_tables"); tables != document.end() && tables->is_array())
    for (const auto& table : *tables)
      if (table.is_string()) s.stopped_tables.push_back(table.get<std::string>());
  if (const auto paused = document.find("paused_tables"); paused != document.end() && paused->is_array())
    for (const auto& one : *paused) {
      if (!one.is_object()) continue;
      paused_table& t = s.paused_tables.emplace_back();
      read_member(one, "table", t.table);
      read_member(one, "reason", t.reason);
      read_member(one, "remedy", t.remedy);
      read_member(one, "since_us", t.since_us);
    }
  if (const auto clocks = document.find("clocks"); clocks != document.end() && clocks->is_object()) {
    clock_comparison& c = s.clocks.emplace();
    read_member(*clocks, "offset_us", c.offset_us);
    read_member(*clocks, "error_us", c.error_us);
    read_member(*clocks, "limit_us", c.limit_us);
    read_member(*clocks, "age_s", c.age_s);
  }
  if (const auto audit = document.find("echo_audit"); audit != document.end() && audit->is_object()) {
    read_member(*audit, "compared_at_home", s.echoes_compared[0]);
    read_member(*audit, "compared_at_spoke", s.echoes_compared[1]);
    if (const auto all = audit->find("differences"); all != audit->end() && all->is_array())
      for (const auto& one : *all) {
        if (!one.is_object()) continue;
        echo_difference& d = s.echo_differences.emplace_back();
        std::string at;
        read_member(one, "table", d.table);
        read_member(one, "column", d.column);
        read_member(one, "at", at);
        d.at = at == name(side::spoke) ? side::spoke : side::home;
        read_member(one, "rows", d.rows);
      }
  }
  if (const auto copies = document.find("copies"); copies != document.end() && copies->is_array())
    for (const auto& copy : *copies) {
      if (!copy.is_object()) continue;
      copy_status& c = s.copies.emplace_back();
      std::string from;
      read_member(copy, "table", c.table);
      read_member(copy, "from", from);
      c.from = from == name(side::spoke) ? side::spoke : side::home;
      read_member(copy, "rows", c.rows);
      read_member(copy, "estimated", c.estimated);
      if (const auto rate = copy.find("rows_per_s"); rate != copy.end() && rate->is_number()) c.rows_per_s = rate->get<double>();
      read_member(copy, "done", c.done);
    }
  s.home_to_spoke.from = side::home;
  s.spoke_to_home.from = side::spoke;
  read_lane(document["lanes"], "home_to_spoke", s.home_to_spoke);
  read_lane(document["lanes"], "spoke_to_home", s.spoke_to_home);
  return s;
}

std::string_view name(finding::level l) {
  switch (l) {
    case finding::level::ok: return "ok";
    case finding::level::warn: return "warn";
    case finding::level::refuse: return "refuse";
  }
  return "?";
}

json to_json(const finding& f) {
  return {{"level", std::string(name(f.is))}, {"code", f.code}, {"text", f.text}, {"remedy", f.remedy}, {"where", f.where}};
}

json to_json(const findings& all) {
  json list = json::array();
  for (const auto& f : all) list.push_back(to_json(f));
  return list;
}

json to_json(const failure& f) {
  return {{"code", std::string(name(f.kind))},
          {"text", f.what()},
          {"server_code", f.server_code},
          {"remedy", f.remedy.empty() ? std::string(advice(f.kind)) : f.remedy},
          {"exit_code", exit_code(f.kind)}};
}

json to_json(const site_status& s, const site& at, const std::optional<control_row>& other) {
  json control = nullptr;
  if (s.control) {
    control = {{"epoch", s.control->epoch},
               {"position", std::to_string(s.control->position.value)},
               {"floor", std::to_string(s.control->floor.value)},
               {"counter", s.control->counter}};
  }
  json held = json::array();
  std::uint64_t held_rows = 0;
  for (const auto& h : s.held) {
    held.push_back({{"table", h.table}, {"rows", h.rows}, {"last_reason", h.last_reason}});
    held_rows += h.rows;
  }
  return {{"product", s.identity.product},
          {"version", s.identity.version},
          {"identity", s.identity.id},
          {"control", std::move(control)},
          {"log_end", std::to_string(s.log_end.value)},
          {"log_end_position", at.describe(s.log_end)},
          {"applied", other ? json(std::to_string(other->position.value)) : json(nullptr)},
          {"applied_position", other ? json(at.describe(other->position)) : json(nullptr)},
          {"acknowledged_position", s.control ? json(at.describe(s.control->floor)) : json(nullptr)},
          {"retained_bytes", s.retained_bytes < 0 ? json(nullptr) : json(s.retained_bytes)},
          {"conflicts", s.conflicts},
          {"held_rows", held_rows},
          {"held", std::move(held)},
          {"detail", s.detail}};
}

std::string dump(const json& document) { return document.dump(2, ' ', false, json::error_handler_t::replace); }

}  // namespace duet::observe
