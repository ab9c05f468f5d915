// What may be sent to a server before it is known to be the right one, for the SQL and the binlog connection alike.
//
// libmariadb 3.3 takes "TLS is required" for a wish unless it verifies the server's name, and answers whatever
// authentication plugin the server asks for, in clear too. The guard is a plugin of ours that every login starts with: where
// TLS is required, nothing at all is sent to a server that does not offer it; without TLS, no plugin is answered that would
// send the password as it is. The server then asks for the account's own plugin.
#pragma once

#include <string>

struct st_mysql;

namespace duet::mysql {

// Any number of times, from any thread.
void register_login_guard();

// The plugin to start with, and the only one that may be started with: "default-auth" and "restricted-auth".
const char* login_guard(bool tls_required);

// The same as the path of an option file, for a driver that knows no option for it.
const std::string& login_guard_file(bool tls_required);

}  // namespace duet::mysql
