// No bytes crash the decoder of home's log. The input is a series of messages as in tests/golden/postgres/*.bin: 4 bytes of
// length (big endian), then the message. Start it with a folder that holds copies of those files.
#include "base/byte_reader.hpp"
#include "postgres/pgoutput.hpp"
#include "../unit/postgres/source_fixtures.hpp"

namespace {

// One block at a time, used again and again.
class one_block : public duet::block_supply {
 public:
  duet::change_block& next(duet::change_block* full) override {
    if (full) check(*full);
    block_.clear();
    return block_;
  }
  // Reads everything that was written: the sanitizer sees references out of the record.
  static void check(const duet::change_block& block) {
    unsigned long sum = 0;
    for (const duet::record* r = block.first(); r; r = block.next(r)) {
      if (r->size == 0 || r->size % 8) __builtin_trap();
      if (r->kind != duet::record_kind::change) continue;
      auto& c = static_cast<const duet::change_record&>(*r);
      for (std::size_t i = 0; i < c.columns; ++i) {
        if (c.has_before) for (char b : c.before(i).text()) sum += static_cast<unsigned char>(b);
        if (c.has_after) for (char b : c.after(i).text()) sum += static_cast<unsigned char>(b);
      }
    }
    volatile unsigned long used = sum;
    (void)used;
  }

 private:
  duet::change_block block_{512};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const duet::mapping tables = duet::tests::golden_mapping();
  duet::postgres::pgoutput_decoder decoder(tables, "golden");
  one_block blocks;
  duet::block_writer writer(blocks);
  duet::base::byte_reader in(std::string_view(reinterpret_cast<const char*>(data), size));
  while (!in.at_end()) {
    try {
      decoder.decode(in.bytes(in.u32_be()), writer);
      if (!decoder.in_transaction()) writer.flush();
    } catch (const duet::failure&) {
      if (in.remaining() < 4) break;
      writer.abandon();
      decoder.reset();
    }
  }
  return 0;
}
