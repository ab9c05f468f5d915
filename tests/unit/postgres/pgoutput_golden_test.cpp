// Do we still read what a real server sent? tests/golden/postgres: *.sql made *.bin (by `capture`), *.txt is what we read.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "base/byte_reader.hpp"
#include "postgres/pgoutput.hpp"
#include "unit/postgres/source_fixtures.hpp"

namespace duet::postgres {
namespace {

using namespace duet::tests;

std::string load(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

class pgoutput_golden : public testing::TestWithParam<const char*> {};

TEST_P(pgoutput_golden, reads_what_the_server_sent) {
  const std::string stem = std::string(DUET_SOURCE_DIR) + "/tests/golden/postgres/" + GetParam();
  const std::string captured = load(stem + ".bin");
  ASSERT_FALSE(captured.empty());
  const mapping tables = golden_mapping();
  pgoutput_decoder decoder(tables, "golden");
  kept_blocks blocks;
  block_writer writer(blocks);
  std::string ending;
  base::byte_reader in(captured);
  try {
    while (!in.at_end()) decoder.decode(in.bytes(in.u32_be()), writer);
  } catch (const failure& f) {
    ending = "failure " + std::string(name(f.kind)) + ": " + f.what() + '\n';
  }
  const std::string text = print(tables, blocks.all()) + ending;
  if (std::getenv("DUET_UPDATE_GOLDEN")) std::ofstream(stem + ".txt") << text;
  EXPECT_EQ(text, load(stem + ".txt"));
}

INSTANTIATE_TEST_SUITE_P(postgres, pgoutput_golden, testing::Values("values", "rows", "ours", "altered"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace duet::postgres
