#include "pipeline/schema_notes.hpp"

#include <nlohmann/json.hpp>

#include "duet/failure.hpp"

namespace duet::pipeline {

using json = nlohmann::json;

namespace {

json place_json(const place& p) { return {{"position", p.position.value}, {"floor", p.floor.value}, {"fingerprint", p.fingerprint}}; }
json places_json(const both_places& p) { return {{"home", place_json(p.home)}, {"spoke", place_json(p.spoke)}}; }

place place_of(const json& j) {
  return {{j.at("position").get<std::uint64_t>()}, {j.at("floor").get<std::uint64_t>()}, j.at("fingerprint").get<std::uint64_t>()};
}
both_places places_of(const json& j) { return {place_of(j.at("home")), place_of(j.at("spoke"))}; }

template <class Decode>
auto decoded(const std::string& text, Decode decode) {
  try {
    return decode(json::parse(text));
  } catch (const json::exception& e) {
    throw failure(failure_kind::internal, std::string("a row of duet.table_state does not read: ") + e.what());
  }
}

}  // namespace

const known_column* known_table::find(side s, std::string_view name) const {
  for (const known_column& c : columns[static_cast<int>(s)])
    if (c.name == name) return &c;
  return nullptr;
}

known_table note_of(const table_pair& t) {
  known_table k;
  k.spoke_schema = t.spoke.schema;
  k.spoke_name = t.spoke.name;
  for (const side s : {side::home, side::spoke})
    for (const column& c : t.on(s).columns) k.columns[static_cast<int>(s)].push_back({c.name, c.type.native, {}});
  for (const column_pair& c : t.columns) k.synced.emplace_back(c.home.name, c.spoke.name);
  return k;
}

std::string encode(const known_table& k) {
  json j = {{"spoke", {k.spoke_schema, k.spoke_name}}, {"synced", k.synced}};
  for (const side s : {side::home, side::spoke}) {
    json list = json::array();
    for (const known_column& c : k.columns[static_cast<int>(s)]) {
      json one = {{"name", c.name}, {"type", c.type}};
      if (!c.former.empty()) one["former"] = c.former;
      if (c.number) one["number"] = c.number;
      list.push_back(std::move(one));
    }
    j[std::string(name(s)) + "_columns"] = std::move(list);
  }
  if (k.paused)
    j["paused"] = {{"reason", k.paused->reason}, {"remedy", k.paused->remedy}, {"since_us", k.paused->since_us}, {"at", places_json(k.paused->at)}, {"for_good", k.paused->for_good}};
  return j.dump(-1, ' ', false, json::error_handler_t::replace);
}

known_table decode_known_table(const std::string& text) {
  return decoded(text, [](const json& j) {
    known_table k;
    k.spoke_schema = j.at("spoke").at(0).get<std::string>();
    k.spoke_name = j.at("spoke").at(1).get<std::string>();
    k.synced = j.at("synced").get<std::vector<std::pair<std::string, std::string>>>();
    for (const side s : {side::home, side::spoke})
      for (const json& c : j.at(std::string(name(s)) + "_columns"))
        k.columns[static_cast<int>(s)].push_back(
            {c.at("name").get<std::string>(), c.at("type").get<std::string>(), c.value("former", std::vector<std::string>()), c.value("number", 0)});
    if (const auto p = j.find("paused"); p != j.end())
      k.paused = pause_note{p->at("reason").get<std::string>(), p->at("remedy").get<std::string>(), p->at("since_us").get<std::int64_t>(), places_of(p->at("at")),
                       p->at("for_good").get<bool>()};
    return k;
  });
}

std::string encode(const link_note& n) {
  return json{{"tables", n.tables},
              {"set_back", n.set_back},
              {"counters", {n.resumed.counters[0], n.resumed.counters[1]}},
              {"paused", places_json(n.resumed.paused)},
              {"others", places_json(n.resumed.others)}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

link_note decode_link_note(const std::string& text) {
  return decoded(text, [](const json& j) {
    link_note n;
    n.tables = j.at("tables").get<std::vector<std::string>>();
    n.set_back = j.at("set_back").get<bool>();
    for (const int s : {0, 1}) n.resumed.counters[s] = j.at("counters").at(static_cast<std::size_t>(s)).get<std::uint64_t>();
    n.resumed.paused = places_of(j.at("paused"));
    n.resumed.others = places_of(j.at("others"));
    return n;
  });
}

}  // namespace duet::pipeline
