// Bits, addresses, and what MySQL keeps in its own bytes: GEOMETRY and VECTOR.
#include <arpa/inet.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

#include "translate/converters.hpp"

namespace duet::translate {

namespace {

using call = conversion_call;
using text = std::string_view;

static_assert(std::endian::native == std::endian::little, "WKB and vectors are read as they are in memory");

std::uint32_t number_at(text s, std::size_t at) {
  std::uint32_t n;
  std::memcpy(&n, s.data() + at, sizeof n);
  return n;
}

char* write_number(std::uint32_t n, char* out) {
  std::memcpy(out, &n, sizeof n);
  return out + sizeof n;
}

// WKB: a byte for the order, 4 for the kind of geometry. PostGIS puts a SRID behind, and tells so by a bit of the kind.
constexpr std::size_t srid_size = 4, head_size = 5;
constexpr std::uint32_t has_srid = 0x20000000;

const char* wkb_into_geometry(text wkb, base::arena& arena, text& out) {
  if (wkb.size() < head_size) return "it is not WKB";
  if (wkb[0] != 1) return "its WKB has the highest byte first; the other side keeps the lowest first";
  const std::uint32_t kind = number_at(wkb, 1);
  const bool with_srid = (kind & has_srid) != 0;
  if (with_srid && wkb.size() < head_size + srid_size) return "it is not WKB";
  const std::uint32_t srid = with_srid ? number_at(wkb, head_size) : 0;
  if (with_srid && srid == 0) return "its EWKB has the SRID 0, which WKB goes without";
  if ((kind & ~has_srid) < 1 || (kind & ~has_srid) > 7) return "it is no geometry of two dimensions that both sides know";
  const text rest = wkb.substr(head_size + (with_srid ? srid_size : 0));
  char* const start = arena.allocate(srid_size + head_size + rest.size());
  char* p = write_number(srid, start);
  *p++ = 1;
  p = write_number(kind & ~has_srid, p);
  p = std::copy(rest.begin(), rest.end(), p);
  out = {start, static_cast<std::size_t>(p - start)};
  return nullptr;
}

const char* geometry_into_wkb(text in, base::arena& arena, text& out) {
  if (in.size() < srid_size + head_size || in[srid_size] != 1) return "it is not a geometry";
  const std::uint32_t srid = number_at(in, 0);
  if (srid == 0) {
    out = in.substr(srid_size);
    return nullptr;
  }
  char* const start = arena.allocate(in.size());
  char* p = start;
  *p++ = 1;
  p = write_number(number_at(in, srid_size + 1) | has_srid, p);
  p = write_number(srid, p);
  p = std::copy(in.begin() + srid_size + head_size, in.end(), p);
  out = {start, in.size()};
  return nullptr;
}

int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

// `most`: the decimal exponents from -4 up to this one are printed without one.
template <class T>
char* write_real(T value, int most, char* out) {
  char digits[40];
  const char* const end = std::to_chars(digits, digits + sizeof digits, value, std::chars_format::scientific).ptr;
  const char* const e = std::find(static_cast<const char*>(digits), end, 'e');
  int exponent = 0;
  std::from_chars(e + 1 + (e[1] == '+'), end, exponent);
  if (exponent < -4 || exponent >= most || value == 0) {
    if (value != 0) return std::copy(static_cast<const char*>(digits), end, out);
    if (std::signbit(value)) *out++ = '-';
    *out++ = '0';
    return out;
  }
  const char* p = digits;
  if (*p == '-') *out++ = *p++;
  char plain[20];
  int n = 0;
  for (; p != e; ++p)
    if (*p != '.') plain[n++] = *p;
  if (exponent < 0) {
    *out++ = '0', *out++ = '.';
    for (int i = -1; i > exponent; --i) *out++ = '0';
    return std::copy(plain, plain + n, out);
  }
  for (int i = 0; i < n || i <= exponent; ++i) {
    if (i == exponent + 1) *out++ = '.';
    *out++ = i < n ? plain[i] : '0';
  }
  return out;
}

}  // namespace

char* write_as_postgres(float value, char* out) { return write_real(value, 6, out); }
char* write_as_postgres(double value, char* out) { return write_real(value, 15, out); }

const char* bits_check(const call& c, text& out) {
  out = c.in;
  const bool ok = c.in.size() == static_cast<std::size_t>(c.how.a) && c.in.find_first_not_of("01") == text::npos;
  return ok ? nullptr : "it has not exactly as many digits 0 and 1 as the other side's column has bits";
}

// PostgreSQL prints addresses as the C library does.
const char* address_check(const call& c, text& out) {
  out = c.in;
  const int family = c.how.a == 4 ? AF_INET : AF_INET6;
  char copy[INET6_ADDRSTRLEN], again[INET6_ADDRSTRLEN];
  in6_addr address;
  if (c.in.size() >= sizeof copy) return "it is no single address of the other side's family";
  *std::copy(c.in.begin(), c.in.end(), copy) = '\0';
  if (std::strlen(copy) != c.in.size() || inet_pton(family, copy, &address) != 1) return "it is no single address of the other side's family";
  inet_ntop(family, &address, again, sizeof again);
  return c.in == again ? nullptr : "it is an address in another spelling than that of PostgreSQL";
}

const char* wkb_to_geometry(const call& c, text& out) { return wkb_into_geometry(c.in, c.arena, out); }
const char* geometry_to_wkb(const call& c, text& out) { return geometry_into_wkb(c.in, c.arena, out); }

const char* hex_wkb_to_geometry(const call& c, text& out) {
  char* const bytes = c.arena.allocate(c.in.size() / 2);
  if (c.in.size() % 2) return "it is not WKB";
  for (std::size_t i = 0; i < c.in.size() / 2; ++i) {
    const int high = hex_digit(c.in[2 * i]), low = hex_digit(c.in[2 * i + 1]);
    if (high < 0 || low < 0) return "it is not WKB";
    bytes[i] = static_cast<char>(high << 4 | low);
  }
  return wkb_into_geometry({bytes, c.in.size() / 2}, c.arena, out);
}

const char* geometry_to_hex_wkb(const call& c, text& out) {
  text wkb;
  if (const char* cause = geometry_into_wkb(c.in, c.arena, wkb)) return cause;
  char* p = c.arena.allocate(2 * wkb.size());
  out = {p, 2 * wkb.size()};
  for (const char b : wkb) {
    *p++ = "0123456789ABCDEF"[static_cast<unsigned char>(b) >> 4];
    *p++ = "0123456789ABCDEF"[b & 15];
  }
  return nullptr;
}

namespace {
const char* check_vector(std::size_t size, int most) {
  if (size == 0 || size % sizeof(float)) return "it is no whole number of floats";
  return most < 0 || size <= static_cast<std::size_t>(most) ? nullptr : "it has more elements than the other side's vector";
}
}  // namespace

const char* bytes_to_vector(const call& c, text& out) {
  out = c.in;
  return check_vector(c.in.size(), c.how.a);
}

const char* reals_to_vector(const call& c, text& out) {
  if (c.in.size() < 2 || c.in.front() != '{' || c.in.back() != '}') return "it is an array with bounds of its own, which a vector can't keep";
  const text in = c.in.substr(1, c.in.size() - 2);
  char* const start = c.arena.allocate(sizeof(float) * (in.size() / 2 + 1));
  char* p = start;
  for (std::size_t at = 0; at < in.size();) {
    const std::size_t comma = std::min(in.find(',', at), in.size());
    float value = 0;
    const auto [end, error] = std::from_chars(in.data() + at, in.data() + comma, value);
    if (error != std::errc() || end != in.data() + comma || !std::isfinite(value)) return "it has an element that a vector can't keep: NULL, NaN, infinity or an array";
    p = write_number(std::bit_cast<std::uint32_t>(value), p);
    at = comma + 1;
  }
  out = {start, static_cast<std::size_t>(p - start)};
  return check_vector(out.size(), c.how.a);
}

const char* vector_to_reals(const call& c, text& out) {
  if (const char* cause = check_vector(c.in.size(), -1)) return cause;
  char* const start = c.arena.allocate(c.in.size() / sizeof(float) * 33 + 2);
  char* p = start;
  *p++ = '{';
  for (std::size_t at = 0; at < c.in.size(); at += sizeof(float)) {
    if (at) *p++ = ',';
    p = write_as_postgres(std::bit_cast<float>(number_at(c.in, at)), p);
  }
  *p++ = '}';
  out = {start, static_cast<std::size_t>(p - start)};
  return nullptr;
}

}  // namespace duet::translate
