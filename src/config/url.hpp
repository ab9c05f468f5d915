// Database URLs of the configuration:
//
//   postgresql://user[:password]@host[:port]/database[?host=/folder/of/the/socket][&port=5433]
//   mysql://user[:password]@host[:port]/database[?socket=/path/of/the/socket]
//
// postgres:// and mariadb:// are the same schemes under other names. Parts are percent-decoded. ${VAR} stands for itself
// here; whoever reads the file puts values in.
#pragma once

#include <string>
#include <string_view>

namespace duet::config_file {

struct url_parts {
  std::string scheme;                      // postgresql | mysql
  std::string user, password, host, port, database;  // decoded; port as written; host may be a socket's path
  bool has_password = false;
};

// False: `problem` says what is wrong, without repeating the URL.
bool decode_url(std::string_view text, url_parts&, std::string& problem);

}  // namespace duet::config_file
