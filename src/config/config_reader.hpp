// Reads duet.yaml.
//
// Every problem of the file becomes a finding with file and line; nothing is thrown. With refused(findings) the config is
// what could be understood and must not be used.
//
// Secrets come from ${VAR} (the environment; anywhere in a password, and in the parts of a URL) or from a password_file.
// No finding repeats a password, a URL or what a variable holds.
//
// (The folder's namespace would be duet::config, which is the struct; so its two functions are in duet itself.)
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "duet/config.hpp"

namespace duet {

// nullopt: the variable is not set.
using environment = std::function<std::optional<std::string>(const std::string& name)>;
environment process_environment();

config load_config(const std::string& path, findings&, const environment& = process_environment());

// The same for text that is at hand. `file` names it in findings; relative paths in it start at the folder of `file`.
config decode_config(const std::string& yaml, const std::string& file, findings&, const environment& = process_environment());

}  // namespace duet
