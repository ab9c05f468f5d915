// The only place that names the engines' types.
#include "cli/verbs.hpp"
#include "mysql/row_reader.hpp"
#include "mysql/site.hpp"
#include "mysql/source.hpp"
#include "mysql/target.hpp"
#include "postgres/row_reader.hpp"
#include "postgres/site.hpp"
#include "postgres/source.hpp"
#include "postgres/target.hpp"

namespace duet::cli {

engines real_engines() {
  engines e;
  e.home_site = [](const endpoint& at, const std::string& link) { return std::make_unique<postgres::site>(at, link); };
  e.spoke_site = [](const endpoint& at, const std::string& link) { return std::make_unique<mysql::site>(at, link); };
  e.home = [](const config& c, const mapping& m) {
    return side_factory{[&c] { return std::make_unique<postgres::site>(c.home, c.link); },
                        [&c, &m] { return std::make_unique<postgres::source>(c.home, c.link, m); },
                        [&c, &m] { return std::make_unique<postgres::target>(c.home, c.link, m); },
                        [&c] { return std::make_unique<postgres::row_reader>(c.home, c.link); }};
  };
  e.spoke = [](const config& c, const mapping& m) {
    return side_factory{[&c] { return std::make_unique<mysql::site>(c.spoke, c.link); },
                        [&c, &m] { return std::make_unique<mysql::source>(c.spoke, c.link, m); },
                        [&c, &m] { return std::make_unique<mysql::target>(c.spoke, c.link, m); },
                        [&c] { return std::make_unique<mysql::row_reader>(c.spoke, "duet:" + c.link); }};
  };
  e.home_by_hand = [](const config& c, const mapping& m) { return std::make_unique<postgres::target>(c.home, c.link, m, postgres::target::user::person); };
  e.spoke_by_hand = [](const config& c, const mapping& m) { return std::make_unique<mysql::target>(c.spoke, c.link, m, mysql::target::user::person); };
  e.home_rows_by_hand = [](const config& c) { return std::make_unique<postgres::row_reader>(c.home, c.link, postgres::row_reader::user::person); };
  e.spoke_rows_by_hand = [](const config& c) { return std::make_unique<mysql::row_reader>(c.spoke, "duet-by-hand:" + c.link); };
  return e;
}

}  // namespace duet::cli
