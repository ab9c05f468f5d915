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

// ---- printed_values.cpp: in PostgreSQL's own spelling

values inets(), hosts4(), hosts6(), cidrs(), hardware_addresses(int bytes);
values intervals(), zoned_times();
values ranges(const std::string& of), multiranges(const std::string& of);  // int, num, date, ts, tstz
values points(), boxes(), paths(bool closed), circles(), lines();
values composites();  // of an int and a text
values lexemes(), xmls(), bit_strings(std::size_t most), log_places(), label_paths();

// Values that the two sides write differently: home's form, `either`, the spoke's.
inline const std::string either = "\x1f", null_element = "\x1e";
enum class element_form { plain, truth, quoted };
values arrays(values of, element_form);  // PostgreSQL's literal, and JSON
values stores(bool json);                // hstore, and JSON or the same text
values geometries();                     // SQL: bytea with EWKB, and the spoke's bytes
values vectors(bool bytes);              // SQL: bytea or real[], and the spoke's bytes; three elements

}  // namespace duet::testing
