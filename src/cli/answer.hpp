// The JSON that each verb answers with under --json: one document on standard output, always with "verb", "exit_code" and,
// if something stopped it, "error".
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "cli/verbs.hpp"
#include "observe/status_json.hpp"
#include "observe/status_text.hpp"

namespace duet::cli {

// {"findings": [{section, level, code, text, remedy, where}], "counts": {ok, warn, refuse}}
nlohmann::json findings_json(const std::vector<observe::finding_group>&);

// Prints the document and returns the exit code.
int answer(console&, std::string_view verb, int exit_code, nlohmann::json document);

// A failure as text on err, or as JSON on out. Returns its exit code.
int answer_failure(const options&, console&, std::string_view verb, const failure&);

}  // namespace duet::cli
