// Runs each golden script on the servers of today and compares what comes out with the text that is kept, without positions
// and times. DUET_WRITE_GOLDEN=1 writes captures and text anew instead (tests/golden/mysql/README.md).
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>

#include "golden/mysql/golden.hpp"
#include "mysql/binlog_connection.hpp"
#include "support/servers.hpp"

namespace duet::mysql {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

const fs::path folder = fs::path(DUET_SOURCE_DIR) / "tests/golden/mysql";

class capture : public ::testing::TestWithParam<std::string> {
 public:
  static testing::spoke_server& server(const std::string& kind) {
    static std::map<std::string, std::unique_ptr<testing::spoke_server>> servers;
    auto& s = servers[kind];
    if (!s) s = testing::make_spoke(kind);
    return *s;
  }

  // The events of the log from `file` on, until the server has no more.
  static std::vector<std::string> read_events(testing::spoke_server& server, const std::string& file) {
    binlog_connection connection;
    connection.open(server.endpoint_of(""), "duet");
    connection.query("SET @master_binlog_checksum = 'CRC32', @source_binlog_checksum = 'CRC32', @master_heartbeat_period = 300000000, "
                     "@source_heartbeat_period = 300000000");
    if (connection.is_maria()) connection.query("SET @mariadb_slave_capability = 4");
    connection.start_dump(file, 4, 4242);
    std::vector<std::string> events;
    for (;;) {
      const std::string_view packet = connection.next_packet();
      if (packet.empty()) {
        connection.receive(100ms);
        continue;
      }
      if (packet[0] != '\0') throw std::runtime_error("no event: " + std::string(packet.substr(1)));
      std::string event(packet.substr(1));
      if (decode_event_header(event).type == event_type::heartbeat) return events;
      events.push_back(std::move(event));
    }
  }
};

TEST_P(capture, of_today_reads_like_the_golden_one) {
  auto& server = capture::server(GetParam());
  const bool write = std::getenv("DUET_WRITE_GOLDEN") != nullptr;
  fs::create_directories(folder / GetParam());
  int cases = 0;
  std::set<fs::path> scripts;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".sql") scripts.insert(entry.path());
  for (const auto& path : scripts) {
    const std::string name = path.stem();
    const std::string script = golden::read_file(path);
    if (script.starts_with("-- only ") && !script.starts_with("-- only " + GetParam() + "\n")) continue;
    SCOPED_TRACE(name);
    const std::string mark = "-- capture\n";
    const std::size_t split = script.find(mark);
    ASSERT_NE(split, std::string::npos);
    server.exec("DROP DATABASE IF EXISTS golden; DROP DATABASE IF EXISTS duet; CREATE DATABASE golden CHARACTER SET utf8mb4");
    const auto session = server.session("golden");
    session->exec(script.substr(0, split));
    server.exec("FLUSH BINARY LOGS");
    const std::string file = *server.query("SHOW BINARY LOGS").back().at(0);
    session->exec(script.substr(split + mark.size()));
    const std::vector<std::string> events = read_events(server, file);
    if (!server.is_mariadb() && server.scalar("SELECT @@gtid_mode") != "ON") server.exec("SET GLOBAL gtid_mode = ON");
    const mapping m = golden::parse_tables(golden::read_file(folder / (name + ".tables")));
    const fs::path kept = folder / GetParam() / name;
    if (write) {
      std::ofstream raw(kept.string() + ".events", std::ios::binary), text(kept.string() + ".txt", std::ios::binary);
      for (const auto& e : events) raw << e;
      text << golden::decode(events, m, true);
    } else {
      const auto before = golden::split_events(golden::read_file(kept.string() + ".events"));
      EXPECT_EQ(golden::decode(events, m, false), golden::decode(before, m, false));
    }
    ++cases;
  }
  EXPECT_GT(cases, 10);
}

INSTANTIATE_TEST_SUITE_P(golden, capture, ::testing::ValuesIn(testing::spoke_kinds()), testing::spoke_name);

}  // namespace
}  // namespace duet::mysql
