#include "config/url.hpp"

namespace duet::config_file {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool percent_decode(std::string_view in, std::string& out) {
  out.clear();
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (in[i] != '%') {
      out += in[i];
      continue;
    }
    if (i + 2 >= in.size() || hex_digit(in[i + 1]) < 0 || hex_digit(in[i + 2]) < 0) return false;
    const char c = static_cast<char>(hex_digit(in[i + 1]) * 16 + hex_digit(in[i + 2]));
    if (c == '\0') return false;
    out += c;
    i += 2;
  }
  return true;
}

}  // namespace

bool decode_url(std::string_view text, url_parts& out, std::string& problem) {
  out = {};
  const auto fail = [&](const char* why) {
    problem = why;
    return false;
  };
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos) return fail("it has no scheme such as postgresql:// or mysql://");
  const std::string_view scheme = text.substr(0, colon);
  if (scheme == "postgresql" || scheme == "postgres") {
    out.scheme = "postgresql";
  } else if (scheme == "mysql" || scheme == "mariadb") {
    out.scheme = "mysql";
  } else {
    return fail("its scheme is neither postgresql nor mysql");
  }
  std::string_view rest = text.substr(colon + 3);
  if (rest.find('#') != std::string_view::npos) return fail("it has a '#': write %23 if it belongs to a name or password");

  std::string_view query;
  if (const std::size_t q = rest.find('?'); q != std::string_view::npos) {
    query = rest.substr(q + 1);
    rest = rest.substr(0, q);
  }
  std::string_view authority = rest, path;
  if (const std::size_t slash = rest.find('/'); slash != std::string_view::npos) {
    authority = rest.substr(0, slash);
    path = rest.substr(slash + 1);
  }
  std::string_view host_port = authority;
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    std::string_view user = authority.substr(0, at);
    host_port = authority.substr(at + 1);
    if (user.find('@') != std::string_view::npos) return fail("a '@' in a user name or password is written %40");
    std::size_t password_at = std::string_view::npos;
    for (std::size_t i = 0, depth = 0; i < user.size() && password_at == std::string_view::npos; ++i) {
      if (user.substr(i).starts_with("${")) depth = 1;
      if (user[i] == '}') depth = 0;
      if (user[i] == ':' && !depth) password_at = i;
    }
    if (password_at != std::string_view::npos) {
      out.has_password = true;
      if (!percent_decode(user.substr(password_at + 1), out.password)) return fail("a '%' is not followed by two hex digits");
      user = user.substr(0, password_at);
    }
    if (!percent_decode(user, out.user)) return fail("a '%' is not followed by two hex digits");
  }
  std::string_view host = host_port;
  if (host_port.starts_with('[')) {
    const std::size_t close = host_port.find(']');
    if (close == std::string_view::npos) return fail("the '[' of its IPv6 address is not closed");
    host = host_port.substr(1, close - 1);
    const std::string_view after = host_port.substr(close + 1);
    if (!after.empty() && after[0] != ':') return fail("only ':port' may follow the IPv6 address");
    if (!after.empty()) out.port = after.substr(1);
    if (!after.empty() && out.port.empty()) return fail("the port after ':' is missing");
  } else if (const std::size_t port_at = host_port.rfind(':'); port_at != std::string_view::npos) {
    host = host_port.substr(0, port_at);
    out.port = host_port.substr(port_at + 1);
    if (out.port.empty()) return fail("the port after ':' is missing");
    if (host.find(':') != std::string_view::npos) return fail("an IPv6 address is written in brackets, [::1]");
  }
  if (!percent_decode(host, out.host)) return fail("a '%' is not followed by two hex digits");
  if (path.find('/') != std::string_view::npos) return fail("its path has more than the database's name");
  if (!percent_decode(path, out.database)) return fail("a '%' is not followed by two hex digits");

  while (!query.empty()) {
    const std::size_t amp = query.find('&');
    const std::string_view one = query.substr(0, amp);
    query = amp == std::string_view::npos ? std::string_view() : query.substr(amp + 1);
    const std::size_t eq = one.find('=');
    const std::string_view key = one.substr(0, eq);
    std::string value;
    if (!percent_decode(eq == std::string_view::npos ? std::string_view() : one.substr(eq + 1), value))
      return fail("a '%' is not followed by two hex digits");
    if (key == (out.scheme == "mysql" ? "socket" : "host")) {
      if (!value.starts_with('/')) return fail("the Unix socket's path must be absolute");
      out.host = value;
    } else if (key == "port" && out.scheme == "postgresql") {
      out.port = value;
    } else {
      return fail(out.scheme == "mysql" ? "it has a parameter other than ?socket=/path; TLS and passwords have keys of their own"
                                        : "it has a parameter other than ?host=/path and &port=; TLS and passwords have keys of their own");
    }
  }
  if (out.host.starts_with('/') && out.scheme == "mysql" && !out.port.empty()) return fail("a socket has no port");
  return true;
}

}  // namespace duet::config_file
