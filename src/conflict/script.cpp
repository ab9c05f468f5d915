#include "conflict/script.hpp"

#include <lua.hpp>

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <ctime>

#include "conflict/decimal.hpp"

// A Lua error is a longjmp: no function that may raise one has an object with a destructor.
namespace duet::conflict {
namespace {

using clock = std::chrono::steady_clock;

constexpr int instructions_between_looks = 100;
constexpr double pattern_steps_max = 2e7, plain_steps_max = 2e8;  // some 50 ms
constexpr lua_Unsigned list_max = 1 << 20;
constexpr int format_arguments_max = 64;
constexpr std::size_t reason_max = 500;

std::chrono::nanoseconds processor_time() {  // of this thread
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

// Length of the UTF-8 character at the start of `s`, 0 if there is none.
std::size_t character_length(std::string_view s) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char first = at(0);
  const std::size_t n = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (n == 0 || s.size() < n) return 0;
  for (std::size_t i = 1; i < n; ++i)
    if ((at(i) & 0xc0) != 0x80) return 0;
  const bool overlong = (first == 0xe0 && at(1) < 0xa0) || (first == 0xf0 && at(1) < 0x90);
  const bool outside = (first == 0xed && at(1) > 0x9f) || (first == 0xf4 && at(1) > 0x8f);
  return overlong || outside ? 0 : n;
}

bool is_text(std::string_view s) {
  for (std::size_t i = 0; i < s.size();) {
    const std::size_t n = character_length(s.substr(i));
    if (n == 0 || s[i] == '\0') return false;
    i += n;
  }
  return true;
}

// One line that every database stores.
std::string readable(std::string_view s) {
  std::string out;
  for (std::size_t i = 0; i < s.size() && out.size() < reason_max;) {
    const std::size_t n = character_length(s.substr(i));
    if (n == 0) out += '?';
    else if (static_cast<unsigned char>(s[i]) < 0x20) out += ' ';
    else out += s.substr(i, n);
    i += std::max<std::size_t>(n, 1);
  }
  return out;
}

// The steps that a search for `pattern` in `n` bytes takes at most: each part that may be longer or shorter, but for the last
// one, makes it begin anew at each place.
double pattern_steps(std::string_view pattern, std::size_t n, bool may_be_anchored) {
  int factors = 1;
  std::size_t i = 0, longest_set = 1;
  double optional = 1;
  if (may_be_anchored && pattern.starts_with('^')) factors = 0, i = 1;
  while (i < pattern.size()) {
    const char c = pattern[i++];
    if (c == '(' || c == ')') continue;
    if (c == '%' && i < pattern.size()) {
      const char what = pattern[i++];
      if (what == 'b' || (what >= '0' && what <= '9')) ++factors;
      if (what == 'b') i += 2;
      if (what == 'f') continue;  // a set follows
    } else if (c == '[') {
      const std::size_t start = i;
      if (i < pattern.size() && pattern[i] == '^') ++i;
      do {  // a ']' in the first place is one of the set
        if (i < pattern.size() && pattern[i] == '%') ++i;
        ++i;
      } while (i < pattern.size() && pattern[i] != ']');
      ++i;
      longest_set = std::max(longest_set, std::min(i, pattern.size()) - start);
    }
    if (i >= pattern.size()) break;
    const char how_often = pattern[i];
    if (how_often == '?') optional *= 2;
    if (how_often == '?' || how_often == '*' || how_often == '+' || how_often == '-') ++i;
    const bool last = pattern.find_first_not_of(")", i) == std::string_view::npos;
    if ((how_often == '*' || how_often == '+' || how_often == '-') && !last) ++factors;
  }
  return std::pow(static_cast<double>(n) + 1, factors) * static_cast<double>(longest_set) * optional;
}

// A Lua state with its limits.
class session {
 public:
  explicit session(const std::string& file, const script_limits& limits)
      : file_(file), limits_(limits), allowed_(limits.bytes), began_(clock::now()), processor_began_(processor_time()), state_(lua_newstate(allocate, this)) {
    if (!state_) return;
    *static_cast<session**>(lua_getextraspace(state_)) = this;
    lua_sethook(state_, [](lua_State* l, lua_Debug*) { of(l).look_at_the_clock(0); }, LUA_MASKCOUNT, instructions_between_looks);
  }
  session(const session&) = delete;
  ~session() {
    if (state_) lua_close(state_);
  }

  static session& of(lua_State* l) { return **static_cast<session**>(lua_getextraspace(l)); }

  // Runs the text. False: `why`.
  bool load(const std::string& text, std::string& why) {
    return protect([](lua_State* l) { return of(l).load_step(*static_cast<const std::string*>(lua_touserdata(l, 1))); }, &text, 0, why);
  }
  // Leaves both results of resolve(c) on the stack. False: `why`.
  bool ask(const question& q, std::string& why) {
    return protect([](lua_State* l) { return of(l).ask_step(*static_cast<const question*>(lua_touserdata(l, 1))); }, &q, 2, why);
  }
  lua_State* state() { return state_; }

  // Raises an error once the time is over. `level`: whose line it names. A machine that is busy otherwise is no fault of the
  // script's, up to a point.
  void look_at_the_clock(int level) {
    const auto passed = clock::now() - began_;
    if (passed < limits_.time || (passed < limits_.in_all && processor_time() - processor_began_ < limits_.time)) return;
    late_ = true;
    luaL_where(state_, level);
    lua_pushfstring(state_, "it ran for more than %d ms", static_cast<int>(limits_.time.count()));
    lua_concat(state_, 2);
    lua_error(state_);
  }

  bool names_a_line(std::string_view error) const { return error.starts_with(file_); }

  std::string scratch;  // of library functions: outlives an error

 private:
  static void* allocate(void* self, void* block, std::size_t before, std::size_t after) {
    session& s = *static_cast<session*>(self);
    if (!block) before = 0;  // else it would be a kind of object
    if (after == 0) {
      std::free(block);
      s.used_ -= before;
      return nullptr;
    }
    if (after > before && after - before > s.allowed_ - std::min(s.used_, s.allowed_)) return nullptr;
    void* now = std::realloc(block, after);
    if (now) s.used_ += after - before;
    return now;
  }

  bool protect(lua_CFunction step, const void* with, int results, std::string& why) {
    if (!state_) return why = out_of_memory(), false;
    lua_pushcfunction(state_, step);
    lua_pushlightuserdata(state_, const_cast<void*>(with));
    const int status = lua_pcall(state_, 1, results, 0);
    if (status == LUA_OK) return true;
    if (late_ && status == LUA_ERRMEM) why = file_ + ": it ran for more than " + std::to_string(limits_.time.count()) + " ms";
    else if (status == LUA_ERRMEM) why = out_of_memory();
    else if (lua_type(state_, -1) == LUA_TSTRING) why = readable(lua_tostring(state_, -1));
    else why = file_ + ": it raised an error that is no text";
    return false;
  }
  std::string out_of_memory() const { return file_ + ": it needs more than " + std::to_string(limits_.bytes >> 20) + " MB"; }

  int load_step(const std::string& text);
  int ask_step(const question&);

  const std::string& file_;
  const script_limits& limits_;
  std::size_t used_ = 0, allowed_;
  clock::time_point began_;
  std::chrono::nanoseconds processor_began_;
  bool late_ = false;
  lua_State* state_;
};

// ---- the library

// Calls a function of the library, which is the caller's upvalue. Its errors get the script's line.
int call_original(lua_State* l) {
  lua_pushvalue(l, lua_upvalueindex(1));
  lua_insert(l, 1);
  const int status = lua_pcall(l, lua_gettop(l) - 1, LUA_MULTRET, 0);
  if (status == LUA_OK) return lua_gettop(l);
  if (status == LUA_ERRRUN && lua_type(l, -1) == LUA_TSTRING && !session::of(l).names_a_line(lua_tostring(l, -1))) {
    luaL_where(l, 1);
    lua_insert(l, -2);
    lua_concat(l, 2);
  }
  return lua_error(l);
}
// First looks at the clock.
int timed(lua_State* l) {
  session::of(l).look_at_the_clock(1);
  return call_original(l);
}

int bounded_search(lua_State* l, bool is_find, bool may_be_anchored) {
  session::of(l).look_at_the_clock(1);
  std::size_t n = 0, length = 0;
  luaL_checklstring(l, 1, &n);
  const char* pattern = luaL_checklstring(l, 2, &length);
  const std::string_view p(pattern, length);
  const bool plain = is_find && (lua_toboolean(l, 4) || p.find_first_of("^$*+?.([%-") == std::string_view::npos);
  const double steps = plain ? static_cast<double>(n) * static_cast<double>(length) : pattern_steps(p, n, may_be_anchored);
  if (steps > (plain ? plain_steps_max : pattern_steps_max))
    return luaL_error(l, "a search for such a pattern in %d bytes may take too long", static_cast<int>(n));
  return call_original(l);
}
int bounded_find(lua_State* l) { return bounded_search(l, true, true); }
int bounded_match(lua_State* l) { return bounded_search(l, false, true); }
int bounded_gmatch(lua_State* l) { return bounded_search(l, false, false); }

int bounded_format(lua_State* l) {
  if (lua_gettop(l) > format_arguments_max) return luaL_error(l, "format with more than %d arguments", format_arguments_max - 1);
  return timed(l);
}

// Nothing, ever so often: the original counts.
int bounded_rep(lua_State* l) {
  std::size_t n = 0, between = 0;
  luaL_checklstring(l, 1, &n);
  luaL_optlstring(l, 3, "", &between);
  if (n + between > 0) return timed(l);
  lua_pushliteral(l, "");
  return 1;
}

// Lists are as long as the memory allows, but # of a table with holes is any number.
int bounded_list(lua_State* l) {
  luaL_checktype(l, 1, LUA_TTABLE);
  if (lua_rawlen(l, 1) > list_max) return luaL_error(l, "a list of more than %d values", static_cast<int>(list_max));
  return timed(l);
}
int bounded_move(lua_State* l) {
  const lua_Integer first = luaL_checkinteger(l, 2), last = luaL_checkinteger(l, 3);
  if (last >= first && static_cast<lua_Unsigned>(last) - static_cast<lua_Unsigned>(first) > list_max)
    return luaL_error(l, "a list of more than %d values", static_cast<int>(list_max));
  return timed(l);
}
int less(lua_State* l) {
  session::of(l).look_at_the_clock(3);
  lua_pushboolean(l, lua_compare(l, 1, 2, LUA_OPLT));
  return 1;
}
int bounded_sort(lua_State* l) {
  lua_settop(l, 2);
  if (lua_isnil(l, 2)) lua_pushcfunction(l, less), lua_replace(l, 2);
  else if (lua_iscfunction(l, 2)) return luaL_error(l, "sort by a function of the library");
  return bounded_list(l);
}

struct offered {
  const char* name;
  lua_CFunction guard = nullptr;  // null: as it is
};
constexpr offered base_functions[] = {{"_G"},     {"_VERSION"}, {"assert"}, {"error"},  {"ipairs"},   {"next"},     {"pairs"}, {"rawequal"},
                                      {"rawget"}, {"rawlen"},   {"rawset"}, {"select"}, {"tonumber"}, {"tostring"}, {"type"}};
constexpr offered string_functions[] = {{"byte", timed},        {"char", timed},      {"find", bounded_find}, {"format", bounded_format},
                                        {"gmatch", bounded_gmatch}, {"gsub", bounded_match}, {"len", timed},    {"lower", timed},
                                        {"match", bounded_match}, {"rep", bounded_rep}, {"reverse", timed},     {"sub", timed},
                                        {"upper", timed}};
constexpr offered table_functions[] = {{"concat", bounded_list}, {"insert", bounded_list}, {"move", bounded_move}, {"pack", timed},
                                       {"remove", bounded_list}, {"sort", bounded_sort},   {"unpack", bounded_list}};
constexpr offered utf8_functions[] = {{"char", timed},  {"charpattern"}, {"codepoint", timed},
                                      {"codes", timed}, {"len", timed},  {"offset", timed}};

// Opens a library and leaves in it what is offered.
template <std::size_t n>
void open(lua_State* l, const char* library, lua_CFunction opens, const offered (&list)[n]) {
  luaL_requiref(l, library, opens, 1);
  lua_pushnil(l);
  while (lua_next(l, -2)) {
    lua_pop(l, 1);
    const char* name = lua_tostring(l, -1);  // each key is a name
    if (std::any_of(std::begin(list), std::end(list), [&](const offered& o) { return std::string_view(o.name) == name; })) continue;
    lua_pushvalue(l, -1);
    lua_pushnil(l);
    lua_rawset(l, -4);
  }
  for (const offered& o : list) {
    if (!o.guard) continue;
    lua_getfield(l, -1, o.name);
    lua_pushcclosure(l, o.guard, 1);
    lua_setfield(l, -2, o.name);
  }
  lua_pop(l, 1);
}

// Both numbers of duet.add and its like: decimals as text, or whole numbers.
std::string_view decimal_at(lua_State* l, int at) {
  if (lua_type(l, at) == LUA_TNUMBER && !lua_isinteger(l, at))
    luaL_argerror(l, at, "a decimal as text, or a whole number, is wanted: a float would round it");
  std::size_t n = 0;
  const char* text = luaL_checklstring(l, at, &n);
  if (!is_decimal({text, n})) luaL_argerror(l, at, "this is no decimal");
  return {text, n};
}
int combined(lua_State* l, std::string (*how)(std::string_view, std::string_view)) {
  session& s = session::of(l);
  s.look_at_the_clock(1);
  const std::string_view a = decimal_at(l, 1), b = decimal_at(l, 2);
  s.scratch = how(a, b);
  lua_pushlstring(l, s.scratch.data(), s.scratch.size());
  return 1;
}
int add(lua_State* l) { return combined(l, sum); }
int subtract(lua_State* l) { return combined(l, difference); }
int compare(lua_State* l) {
  session::of(l).look_at_the_clock(1);
  const std::string_view a = decimal_at(l, 1), b = decimal_at(l, 2);
  lua_pushinteger(l, compare_decimals(a, b));
  return 1;
}

void open_duet(lua_State* l) {
  lua_newtable(l);
  lua_pushlightuserdata(l, nullptr);
  lua_setfield(l, -2, "null");
  for (const luaL_Reg& f : {luaL_Reg{"add", add}, {"subtract", subtract}, {"compare", compare}}) {
    lua_pushcfunction(l, f.func);
    lua_setfield(l, -2, f.name);
  }
  lua_setglobal(l, "duet");
}

int session::load_step(const std::string& text) {
  lua_State* l = state_;
  open(l, LUA_GNAME, luaopen_base, base_functions);
  open(l, LUA_STRLIBNAME, luaopen_string, string_functions);
  open(l, LUA_TABLIBNAME, luaopen_table, table_functions);
  open(l, LUA_UTF8LIBNAME, luaopen_utf8, utf8_functions);
  luaL_requiref(l, LUA_MATHLIBNAME, luaopen_math, 1);
  open_duet(l);
  lua_settop(l, 0);
  const char* name = lua_pushfstring(l, "@%s", file_.c_str());
  if (luaL_loadbufferx(l, text.data(), text.size(), name, "t") != LUA_OK) lua_error(l);
  lua_call(l, 0, 0);
  if (lua_getglobal(l, "resolve") != LUA_TFUNCTION) luaL_error(l, "%s:1: it defines no function resolve", file_.c_str());
  return 0;
}

// ---- the question

void push_value(lua_State* l, const column& c, std::string_view text) {
  if (c.type.kind == value_kind::boolean) {
    lua_pushboolean(l, text == "1");
    return;
  }
  if (c.type.kind == value_kind::integer) {
    lua_Integer n = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (error == std::errc() && end == text.data() + text.size()) {
      lua_pushinteger(l, n);
      return;
    }
  }
  lua_pushlstring(l, text.data(), text.size());
}

// Sets c.NAME to the row as a table by home's column names; what the log does not carry is left out.
template <class Value>
void set_row(lua_State* l, const char* name, const table_pair& t, bool found, const Value& value_of) {
  if (!found) return;
  lua_createtable(l, 0, static_cast<int>(t.columns.size()));
  for (std::size_t i = 0; i < t.columns.size(); ++i) {
    const cell v = value_of(i);
    if (v.absent()) continue;
    const std::string& column = t.columns[i].home.name;
    lua_pushlstring(l, column.data(), column.size());
    if (v.is_null()) lua_pushlightuserdata(l, nullptr);
    else push_value(l, t.columns[i].home, v.text());
    lua_rawset(l, -3);
  }
  lua_setfield(l, -2, name);
}

const char* word(operation op) { return op == operation::insert ? "insert" : op == operation::remove ? "delete" : "update"; }

// math.random, by the row and the times: else all decisions of a second would throw the same dice, and a decision that is taken
// again after a crash might end otherwise.
void seed_dice(lua_State* l, const question& q) {
  const row_view key = q.change.before ? q.change.before : q.change.after;
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const std::uint16_t k : q.table.key)
    for (const char c : key[k].present() ? key[k].text() : std::string_view()) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  if (lua_getglobal(l, LUA_MATHLIBNAME) == LUA_TTABLE && lua_getfield(l, -1, "randomseed") == LUA_TFUNCTION) {
    lua_pushinteger(l, static_cast<lua_Integer>(hash));
    lua_pushinteger(l, static_cast<lua_Integer>(static_cast<std::uint64_t>(q.home_time_us) * 31 + static_cast<std::uint64_t>(q.change.time_us)));
    lua_call(l, 2, 0);
  }
  lua_settop(l, 1);
}

int session::ask_step(const question& q) {
  lua_State* l = state_;
  const table_pair& t = q.table;
  seed_dice(l, q);
  const std::size_t allowed = std::exchange(allowed_, SIZE_MAX);  // rows may be as large as they are
  lua_getglobal(l, "resolve");
  lua_createtable(l, 0, 9);
  const row_view before = q.change.before, after = q.change.after, key = before ? before : after;
  set_row(l, "home", t, q.current.found, [&](std::size_t i) {
    const auto& v = q.current.values[i];
    return v ? cell::of(*v) : cell::null();
  });
  set_row(l, "spoke", t, after, [&](std::size_t i) { return after[i]; });
  set_row(l, "base", t, before, [&](std::size_t i) { return before[i]; });
  set_row(l, "key", t, key, [&](std::size_t i) { return t.columns[i].key ? key[i] : cell{}; });
  lua_pushlstring(l, t.home.schema.data(), t.home.schema.size());
  lua_pushliteral(l, ".");
  lua_pushlstring(l, t.home.name.data(), t.home.name.size());
  lua_concat(l, 3);
  lua_setfield(l, -2, "table");
  lua_pushinteger(l, q.home_time_us);
  lua_setfield(l, -2, "home_time");
  lua_pushinteger(l, q.change.time_us);
  lua_setfield(l, -2, "spoke_time");
  lua_createtable(l, 0, 2);
  lua_pushstring(l, word(q.home_op));
  lua_setfield(l, -2, "home");
  lua_pushstring(l, word(q.change.op));
  lua_setfield(l, -2, "spoke");
  lua_setfield(l, -2, "operation");
  lua_newtable(l);
  lua_Integer n = 0;
  for (std::uint16_t i = 0; i < t.columns.size(); ++i) {
    if (t.columns[i].key || !(t.policy.bit_of(i) & q.contested)) continue;
    lua_pushlstring(l, t.columns[i].home.name.data(), t.columns[i].home.name.size());
    lua_rawseti(l, -2, ++n);
  }
  lua_setfield(l, -2, "columns");
  allowed_ = used_ + allowed;
  lua_call(l, 1, 2);
  return 2;
}

// ---- the answer; nothing here may raise a Lua error

bool is_no_number(std::string_view text) { return text == "NaN" || text == "Infinity" || text == "-Infinity"; }

bool is_real(std::string_view text) {
  if (is_no_number(text)) return true;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && std::isfinite(number);
}

// As the column's canonical form. Null: done; else what is wrong.
const char* take_value(lua_State* l, int at, const column& c, std::optional<std::string>& out) {
  const int type = lua_type(l, at);
  if (type == LUA_TLIGHTUSERDATA) return c.nullable ? nullptr : "it is NULL, and home's column is NOT NULL";
  std::string_view text;
  if (type == LUA_TSTRING) {
    std::size_t n = 0;
    const char* bytes = lua_tolstring(l, at, &n);
    text = {bytes, n};
  }
  int is_whole = 0;
  const lua_Integer whole = type == LUA_TNUMBER ? lua_tointegerx(l, at, &is_whole) : 0;
  switch (c.type.kind) {
    case value_kind::boolean:
      if (type != LUA_TBOOLEAN) return "true, false or duet.null is wanted";
      out.emplace(1, lua_toboolean(l, at) ? '1' : '0');
      return nullptr;
    case value_kind::integer:
      if (is_whole) return out = std::to_string(whole), nullptr;
      if (type != LUA_TSTRING || !is_decimal(text) || text.find('.') != std::string_view::npos) return "a whole number is wanted";
      out = sum(text, "0");
      return nullptr;
    case value_kind::decimal:
      if (is_whole) return out = std::to_string(whole), nullptr;
      if (type == LUA_TNUMBER) return "a decimal is wanted, as text: a float would round it";
      if (type != LUA_TSTRING || !(is_decimal(text) || is_no_number(text))) return "a decimal is wanted, as text";
      out = text;
      return nullptr;
    case value_kind::real:
      if (type == LUA_TNUMBER) {
        char buffer[64];
        const double number = c.type.bits == 32 ? static_cast<float>(lua_tonumber(l, at)) : lua_tonumber(l, at);
        if (!std::isfinite(number)) return out.emplace(std::isnan(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity"), nullptr;
        char* const full = buffer + sizeof buffer;
        const auto [end, error] = c.type.bits == 32 ? std::to_chars(buffer, full, static_cast<float>(number)) : std::to_chars(buffer, full, number);
        assert(error == std::errc());
        out = std::string(buffer, end);
        return nullptr;
      }
      if (type != LUA_TSTRING || !is_real(text)) return "a number is wanted";
      out = text;
      return nullptr;
    default:
      if (type != LUA_TSTRING) return c.type.kind == value_kind::bytes ? "a string of bytes is wanted" : "a text is wanted";
      if (c.type.kind != value_kind::bytes && !is_text(text)) return "the text is no UTF-8, or has U+0000";
      out = text;
      return nullptr;
  }
}

ruling held(std::string reason) { return {.says = ruling::verdict::hold, .values = {}, .reason = std::move(reason)}; }

ruling take_values(lua_State* l, int at, const question& q, const std::string& file) {
  const table_pair& t = q.table;
  ruling r{.says = ruling::verdict::values};
  const auto refused = [&](const std::string& what) { return held("its script answers what can't be done: " + file + ": " + what); };
  lua_pushnil(l);
  while (lua_next(l, at)) {
    if (lua_type(l, -2) != LUA_TSTRING) return refused("a table by column names is wanted");
    std::size_t n = 0;
    const char* bytes = lua_tolstring(l, -2, &n);
    const std::string_view name(bytes, n);
    std::uint16_t i = 0;
    while (i < t.columns.size() && t.columns[i].home.name != name) ++i;
    const std::string shown = readable(name);
    if (i == t.columns.size()) return refused("there is no synced column " + shown);
    if (t.columns[i].key) return refused(shown + " is part of the key");
    const auto& field = t.policy.fields[t.policy.field_of[i]];
    if (field.rule != conflict_rule::script || field.script != q.script) return refused(shown + " is decided by another rule");
    std::optional<std::string> value;
    if (const char* wrong = take_value(l, -1, t.columns[i].home, value)) return refused(shown + ": " + wrong);
    r.values.emplace_back(i, std::move(value));
    lua_pop(l, 1);
  }
  if (r.values.empty()) return refused("the table has no values");
  std::sort(r.values.begin(), r.values.end());
  return r;
}

ruling take_answer(lua_State* l, const question& q, const std::string& file) {
  using verdict = ruling::verdict;
  const int answer = lua_absindex(l, -2), reason = answer + 1;
  if (!lua_checkstack(l, 10)) return held("its script failed: " + file + ": out of memory");
  if (lua_type(l, answer) == LUA_TTABLE) return take_values(l, answer, q, file);
  const std::string_view said = lua_type(l, answer) == LUA_TSTRING ? lua_tostring(l, answer) : "";
  if (said == "home") return {.says = verdict::home};
  if (said == "spoke") return {.says = verdict::spoke};
  if (said != "hold")
    return held("its script answers what can't be done: " + file + ": \"home\", \"spoke\", \"hold\" or a table by column names is wanted");
  return held(lua_type(l, reason) == LUA_TSTRING ? "its script holds it: " + readable(lua_tostring(l, reason)) : "its script holds it");
}

}  // namespace

std::string script::problem() const {
  session s(file_, limits_);
  std::string why;
  s.load(text_, why);
  return why;
}

ruling script::decide(const question& q) const {
  assert(q.change.before || q.change.after);
  session s(file_, limits_);
  std::string why;
  if (!s.load(text_, why) || !s.ask(q, why)) return held("its script failed: " + why);
  return take_answer(s.state(), q, file_);
}

}  // namespace duet::conflict
