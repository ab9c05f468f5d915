// Values by the thousand, in a text that is no side's SQL yet.
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace duet::testing {

class dice {
 public:
  explicit dice(unsigned seed) : engine_(seed) {}
  std::uint64_t bits() { return engine_(); }
  std::uint64_t below(std::uint64_t n) { return engine_() % n; }
  std::int64_t between(std::int64_t low, std::int64_t high);  // both may come
  bool one_in(unsigned n) { return below(n) == 0; }
  template <class T>
  const T& one_of(const std::vector<T>& all) {
    return all[below(all.size())];
  }

 private:
  std::mt19937_64 engine_;
};

struct values {
  std::vector<std::string> edges;  // each comes in every run
  std::function<std::string(dice&)> random;
};

values whole(std::int64_t low, std::int64_t high);
values natural(std::uint64_t high);
values decimal(int digits, int fraction);
values real(int bits);  // finite: any bits, whole numbers, tenths
values zeros();         // 0 and -0
values truth();
values years();

enum class letters { unicode, basic_plane, latin1, ascii };
values text(std::size_t characters, letters = letters::unicode);
values text_without_blanks_at_end(std::size_t characters);
values bytes(std::size_t least, std::size_t most);  // the raw bytes
values bit_string(int n);

values dates();
values times(int digits);     // of a second's fraction
values moments(int digits);   // years 1 to 9999
values instants(int digits);  // 1970 to 2038

values documents();       // JSON
values uuids();           // any bits
values standard_uuids();  // versions 1 to 7
values labels(std::vector<std::string> all);
values label_sets(std::vector<std::string> all);  // joined by ',', in their order

}  // namespace duet::testing
