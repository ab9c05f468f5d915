// The shapes that programs read: `duet status --json`, /status, and the findings of `check --json`.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "duet/config.hpp"
#include "duet/control.hpp"
#include "duet/failure.hpp"
#include "duet/site.hpp"
#include "duet/status.hpp"

namespace duet::observe {

// Positions stand twice: as the server prints them ("applied_position": "0/1A2B3C4"), and as our numbers, in decimal text
// because they are too large for JavaScript's numbers ("applied": "27455428").
nlohmann::json to_json(const hub_status&);
// The reverse. Unknown fields are passed over, missing ones keep their defaults; throws failure{internal} when it is not a
// hub's status at all. The text may come from anybody who listens on that port.
hub_status decode_hub_status(std::string_view text);

nlohmann::json to_json(const finding&);
nlohmann::json to_json(const findings&);
nlohmann::json to_json(const failure&);
// `other`: the control row of the other side; its position says how far this side's log is applied there.
nlohmann::json to_json(const site_status&, const site&, const std::optional<control_row>& other);

std::string_view name(finding::level);

// One document as text; bytes that are no UTF-8 are replaced, never thrown over.
std::string dump(const nlohmann::json&);

}  // namespace duet::observe
