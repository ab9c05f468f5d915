// Preloaded into a server, it tells the time CLOCK_AHEAD_S seconds ahead. For PostgreSQL, which waits for spans of time only:
// a program that waits until a time of the wall clock would wait too short.
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>

#include <cstdlib>

namespace {

time_t ahead() {
  static const time_t seconds = [] {
    const char* given = std::getenv("CLOCK_AHEAD_S");
    return static_cast<time_t>(given ? std::atol(given) : 0);
  }();
  return seconds;
}

template <class Function>
Function next(const char* name, Function) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* out) noexcept {
  static const auto real = next("clock_gettime", &clock_gettime);
  const int result = real(clock, out);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) out->tv_sec += ahead();
  return result;
}

int gettimeofday(timeval* out, void* zone) noexcept {
  static const auto real = next("gettimeofday", &gettimeofday);
  const int result = real(out, zone);
  if (result == 0) out->tv_sec += ahead();
  return result;
}

time_t time(time_t* out) noexcept {
  static const auto real = next("time", &time);
  const time_t now = real(nullptr) + ahead();
  if (out) *out = now;
  return now;
}

}
