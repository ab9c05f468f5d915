#include "mysql/gtid.hpp"

#include <array>
#include <bit>

namespace duet::mysql {

namespace {

using base::byte_reader;
using base::throw_damaged;

using uuid_bytes = std::array<std::uint8_t, 16>;

std::string uuid_text(const uuid_bytes& uuid) {
  constexpr char hex[] = "0123456789abcdef";
  std::string text;
  text.reserve(60);
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += hex[uuid[i] >> 4];
    text += hex[uuid[i] & 15];
  }
  return text;
}

std::int64_t checked_time(std::uint64_t us) {
  if (us >> 55) throw_damaged("a commit time out of range");
  return static_cast<std::int64_t>(us);
}

// MySQL's serialisation library: the number of ones at the low end of the first byte is the number of further bytes; the
// value sits above those ones and a zero. Nine bytes if the first is 0xff.
std::uint64_t variable_uint(byte_reader& r) {
  const std::uint8_t first = r.peek_u8();
  const int more = std::countr_one(first);
  if (more == 8) {
    r.skip(1);
    return r.u64_le();
  }
  return r.uint_le(static_cast<std::size_t>(more) + 1) >> (more + 1);
}

std::int64_t variable_int(byte_reader& r) {
  const std::uint64_t v = variable_uint(r);
  return static_cast<std::int64_t>(v >> 1 ^ (0 - (v & 1)));
}

}  // namespace

group_start decode_gtid(std::string_view body, bool anonymous) {
  byte_reader r(body);
  group_start g;
  r.skip(1);  // flags
  uuid_bytes uuid;
  for (auto& b : uuid) b = r.u8();
  const std::uint64_t number = r.u64_le();
  if (!anonymous) g.name = uuid_text(uuid) + ':' + std::to_string(number);
  if (r.remaining() < 1 + 16 + 7) return g;  // before 8.0.1
  if (r.u8() != 2) return g;                 // no logical clock behind it
  r.skip(16);
  constexpr std::uint64_t original_follows = std::uint64_t{1} << 55;
  g.commit_time_us = checked_time(r.uint_le(7) & ~original_follows);
  return g;
}

group_start decode_gtid_tagged(std::string_view body) {
  // version, size, last field that must be understood; then fields, each with its number in front, in ascending order.
  byte_reader r(body);
  if (variable_uint(r) != 1) throw_damaged("a tagged GTID of unknown version");
  variable_uint(r);
  variable_uint(r);
  enum field : std::uint64_t { flags, uuid, number, tag, last_committed, sequence_number, immediate_commit_time };
  group_start g;
  std::string source, tag_text;
  std::int64_t gno = 0;
  bool has_uuid = false, has_number = false;
  while (!r.at_end()) {
    switch (variable_uint(r)) {
      case flags: variable_uint(r); break;
      case uuid: {
        uuid_bytes bytes;
        for (auto& b : bytes) {
          const std::uint64_t v = variable_uint(r);
          if (v > 0xff) throw_damaged("a tagged GTID with an impossible UUID");
          b = static_cast<std::uint8_t>(v);
        }
        source = uuid_text(bytes);
        has_uuid = true;
        break;
      }
      case number:
        gno = variable_int(r);
        has_number = true;
        break;
      case tag: tag_text = r.bytes(variable_uint(r)); break;
      case last_committed:
      case sequence_number: variable_int(r); break;
      case immediate_commit_time:
        g.commit_time_us = checked_time(variable_uint(r));
        r.skip(r.remaining());  // nothing behind it is of interest
        break;
      default: throw_damaged("a tagged GTID with a field out of order");
    }
  }
  if (!has_uuid || !has_number) throw_damaged("a tagged GTID without its parts");
  g.name = source + ':' + (tag_text.empty() ? "" : tag_text + ':') + std::to_string(gno);
  return g;
}

group_start decode_maria_gtid(std::string_view body, std::uint32_t server_id) {
  constexpr std::uint8_t standalone = 1;
  byte_reader r(body);
  const std::uint64_t sequence = r.u64_le();
  const std::uint32_t domain = r.u32_le();
  group_start g;
  g.standalone = (r.u8() & standalone) != 0;
  g.name = std::to_string(domain) + '-' + std::to_string(server_id) + '-' + std::to_string(sequence);
  return g;
}

}  // namespace duet::mysql
