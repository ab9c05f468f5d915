// No bytes crash the binlog decoder. The input is a stream of events; checksums and sizes are put right, or nothing but the
// first check would ever run. Golden captures (tests/golden/mysql/*/*.events) are the corpus to start from.
#include <zlib.h>

#include <cstring>

#include "../golden/mysql/golden.hpp"

namespace {

const duet::mapping& tables() {
  static const duet::mapping m = [] {
    std::string text;
    const std::filesystem::path folder = std::filesystem::path(__FILE__).parent_path().parent_path() / "golden/mysql";
    for (const char* name : {"types", "transactions", "json", "maria_types", "charsets"}) {
      std::string one = duet::mysql::golden::read_file(folder / (std::string(name) + ".tables"));
      if (std::string(name) == "maria_types") one.replace(one.find("golden.kinds"), 12, "golden.maria");
      text += one + "\n";
    }
    return duet::mysql::golden::parse_tables(text);
  }();
  return m;
}

// Blocks that are written and forgotten.
class one_block final : public duet::block_supply {
 public:
  duet::change_block& next(duet::change_block*) override {
    block_.clear();
    return block_;
  }

 private:
  duet::change_block block_{64 << 10};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace duet::mysql;
  std::string stream(reinterpret_cast<const char*>(data), size);
  one_block supply;
  duet::block_writer writer(supply);
  binlog_decoder decoder(tables(), golden::link);
  try {
    bool first = true;
    for (std::size_t at = 0; stream.size() - at > event_header_size + event_checksum_size;) {
      std::uint32_t length = 0;
      std::memcpy(&length, stream.data() + at + 9, 4);
      const std::size_t left = stream.size() - at;
      length = std::min<std::uint32_t>(std::max<std::uint32_t>(length, event_header_size + event_checksum_size + 1), static_cast<std::uint32_t>(left));
      std::string event = stream.substr(at, length);
      std::memcpy(event.data() + 9, &length, 4);
      const auto sum = static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(event.data()), length - 4));
      std::memcpy(event.data() + length - 4, &sum, 4);
      if (first) decoder.start(golden::start_of(event));
      first = false;
      decoder.decode(event, writer);
      decoder.settle(writer);
      at += length;
    }
  } catch (const duet::failure&) {
  }
  return 0;
}
