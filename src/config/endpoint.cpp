// The functions of duet/config.hpp.
#include <algorithm>

#include "duet/config.hpp"

namespace duet {

std::string endpoint::describe() const {
  const std::string port_text = std::to_string(port ? port : scheme == "mysql" ? 3306 : 5432);
  std::string text = user.empty() ? std::string() : user + "@";
  if (host.starts_with('/')) {
    text += host;
    if (scheme != "mysql") text += ":" + port_text;  // names the socket file in its folder
  } else if (host.find(':') != std::string::npos) {
    text += "[" + host + "]:" + port_text;
  } else {
    text += host + ":" + port_text;
  }
  return text + "/" + database;
}

bool refused(const findings& all) {
  return std::any_of(all.begin(), all.end(), [](const finding& f) { return f.is == finding::level::refuse; });
}

}  // namespace duet
