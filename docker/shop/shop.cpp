// The demo's shop. Writes on both sides at once, shows what Duet does meanwhile, then waits until both lanes are drained
// and compares both databases, row by row. Exit code 0: equal, 1: not equal, 2: it could not be told.
//
//   demo_shop HOME_PORT HOME_USER SPOKE_PORT STATUS_PORT SECONDS TRANSACTIONS_PER_S     (0 seconds: until Ctrl-C)
//
// Home's own rows have odd keys, the spoke's even ones. Besides, now and then both change the note of the same customer at
// the same moment: a conflict, which the later one wins.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "duet/schema.hpp"
#include "observe/status_server.hpp"
#include "support/sql_session.hpp"

namespace {

using namespace std::chrono_literals;
using duet::endpoint;
using duet::side;
using duet::testing::connect;
using duet::testing::sql_error;
using duet::testing::sql_session;
using clock_type = std::chrono::steady_clock;

std::atomic<bool> stopping{false};
std::mutex trouble_mutex;
std::string trouble;  // the first thing that went wrong

void give_up(const std::string& what) {
  std::scoped_lock lock(trouble_mutex);
  if (trouble.empty()) trouble = what;
  stopping = true;
}

std::string text(long long n) { return std::to_string(n); }

std::string grouped(unsigned long long n) {
  std::string digits = std::to_string(n);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, " ");
  return digits;
}

constexpr int customers = 400, products = 200, pairs = 100, pair_sum = 1000;
constexpr int shared_customers = 3;  // of home's; both sides write their notes

// One side's customers, clerks and warehouse.
class writer {
 public:
  writer(side s, const endpoint& e, int per_second)
      : side_(s), session_(connect(e)), random_(s == side::home ? 11 : 22), per_second_(per_second) {
    if (s == side::home) session_->exec("SET application_name = 'shop'; SET TimeZone = 'UTC'");
    else session_->exec("SET time_zone = '+00:00'");
  }

  void run() try {
    seed();
    auto next = clock_type::now();
    while (!stopping) {
      const auto tick = std::chrono::system_clock::now().time_since_epoch() / 1s;
      if (tick != last_tick_) {
        last_tick_ = tick;
        transaction({"UPDATE customer SET note = '" + std::string(side_ == side::home ? "home" : "spoke") + " says " + text(tick) +
                     "' WHERE id = " + text(2 * (tick % shared_customers) + 1)});
      }
      step();
      next += std::chrono::microseconds(1'000'000 / per_second_);
      if (next < clock_type::now() - 1s) next = clock_type::now();  // the server is slower than that: no catching up
      std::this_thread::sleep_until(next);
    }
  } catch (const std::exception& e) {
    give_up("the workload at " + std::string(side_ == side::home ? "home" : "the spoke") + " failed: " + e.what());
  }

  unsigned long long transactions() const { return transactions_; }

 private:
  int below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  long long own(long long n) const { return 2 * n + (side_ == side::home ? 1 : 2); }
  std::string price() { return text(1 + below(900)) + "." + text(10 + below(90)); }
  std::string flag() { return below(2) ? "true" : "false"; }
  std::string now() const { return side_ == side::home ? "clock_timestamp()" : "now(6)"; }
  std::string name_column() const { return side_ == side::home ? "full_name" : "name"; }

  void transaction(const std::vector<std::string>& statements) {
    std::string all = "BEGIN";
    for (const auto& s : statements) all += "; " + s;
    try {
      session_->exec(all + "; COMMIT");
      ++transactions_;
    } catch (const sql_error& e) {  // a deadlock with another session: rolled back, another time
      if (e.code != "40P01" && e.code != "40001" && e.code != "1213" && e.code != "1205") throw;
      session_->exec("ROLLBACK");
    }
  }

  std::string customer(int n) {
    static const char* const names[] = {"Ada Lovelace", "Grace Hopper", "Zoë Müller", "Никола Тесла", "李小龙", "O''Brien", "Ünal 🎵 Şen"};
    return "(" + text(own(n)) + ", '" + names[n % 7] + " " + text(n) + "', " + (n % 5 ? "'c" + text(n) + "@shop.example'" : "NULL") + ", " +
           flag() + ", '20" + text(10 + n % 15) + "-03-0" + text(1 + n % 9) + "', '')";
  }

  void seed() {
    for (int first = 0; first < customers; first += 100) {
      std::string values;
      for (int n = first; n < first + 100; ++n) values += (n > first ? ", " : "") + customer(n);
      transaction({"INSERT INTO customer (id, " + name_column() + ", email, newsletter, since, note) VALUES " + values});
    }
    std::string values;
    for (int n = 0; n < products; ++n)
      values += (n ? ", (" : "(") + text(own(n)) + ", 'Product " + text(n) + "', " + price() + ", 500, " + now() + ")";
    transaction({"INSERT INTO product (id, title, price, stock, changed_at) VALUES " + values});
    values.clear();
    for (int n = 0; n < pairs; ++n)
      values += std::string(n ? ", " : "") + "(" + text(own(n)) + ", 1, 500), (" + text(own(n)) + ", 2, " + text(pair_sum - 500) + ")";
    transaction({"INSERT INTO counter (pair, half, value) VALUES " + values});
  }

  void step() {
    const int dice = below(100);
    if (dice < 35) return place_order();
    if (dice < 55) {
      if (next_order_ == 0) return;
      return transaction({"UPDATE orders SET status = '" + std::string(below(2) ? "paid" : "sent") + "' WHERE id = " + text(own(some_order()))});
    }
    if (dice < 70) {
      const int product = below(products);
      return transaction({"UPDATE product SET stock = stock + " + text(below(9) - 4) + ", price = " + price() + ", changed_at = " + now() +
                          " WHERE id = " + text(own(product))});
    }
    if (dice < 80)
      return transaction({"UPDATE customer SET newsletter = NOT newsletter, note = 'called " + text(below(1000)) +
                          " times' WHERE id = " + text(own(shared_customers + below(customers - shared_customers)))});
    if (dice < 92) {
      const int amount = below(50), half = 1 + below(2);
      const std::string where = " WHERE pair = " + text(own(below(pairs))) + " AND half = ";
      return transaction({"UPDATE counter SET value = value - " + text(amount) + where + text(half),
                          "UPDATE counter SET value = value + " + text(amount) + where + text(3 - half)});
    }
    if (next_order_ == 0) return;
    const std::string order = text(own(some_order()));
    transaction({"DELETE FROM order_line WHERE order_id = " + order, "DELETE FROM orders WHERE id = " + order});
  }

  long long some_order() { return std::max(0LL, next_order_ - 1 - below(2000)); }

  void place_order() {
    const std::string id = text(own(next_order_++));
    std::vector<std::string> statements = {"INSERT INTO orders (id, customer_id, status, placed_at) VALUES (" + id + ", " +
                                           text(own(below(customers))) + ", 'placed', " + now() + ")"};
    std::string lines;
    const int count = 1 + below(4);
    for (int line = 1; line <= count; ++line)
      lines += (line > 1 ? ", (" : "(") + id + ", " + text(line) + ", " + text(own(below(products))) + ", " + text(1 + below(5)) + ", " + price() + ")";
    statements.push_back("INSERT INTO order_line (order_id, line, product_id, quantity, price) VALUES " + lines);
    transaction(statements);
  }

  side side_;
  std::unique_ptr<sql_session> session_;
  std::mt19937 random_;
  int per_second_;
  long long next_order_ = 0;
  long last_tick_ = 0;
  std::atomic<unsigned long long> transactions_{0};
};

// Looks at the pairs of one side all the time.
class auditor {
 public:
  auditor(side s, const endpoint& e) : side_(s), session_(connect(e)) {}
  void run() try {
    while (!stopping) {
      broken_ += std::stoull(*session_->scalar("SELECT count(*) FROM (SELECT pair FROM counter GROUP BY pair HAVING sum(value) <> " +
                                               text(pair_sum) + " OR count(*) <> 2) AS broken"));
      ++looks_;
      std::this_thread::sleep_for(100ms);
    }
  } catch (const std::exception& e) {
    give_up("reading the counters at " + std::string(side_ == side::home ? "home" : "the spoke") + " failed: " + e.what());
  }
  unsigned long long broken() const { return broken_; }
  unsigned long long looks() const { return looks_; }

 private:
  side side_;
  std::unique_ptr<sql_session> session_;
  std::atomic<unsigned long long> broken_{0}, looks_{0};
};

// ---- the live view ------------------------------------------------------------------------------------------------------

struct view {
  std::uint16_t status_port;
  bool terminal = isatty(1) != 0;
  int lines = 0;
  duet::hub_status before;
  clock_type::time_point before_at;
  bool has_before = false;

  static std::string rate(const duet::lane_status& was, const duet::lane_status& is, double seconds) {
    if (is.rows.applied < was.rows.applied) return "-";  // the hub was restarted
    return grouped(static_cast<unsigned long long>(static_cast<double>(is.rows.applied - was.rows.applied) / seconds + 0.5));
  }

  void header() const {
    std::printf("           home -> spoke               spoke -> home\n");
    std::printf("   time   rows/s  lag ms    echoes    rows/s  lag ms    echoes  held  conflicts\n");
  }

  void show(int second) {
    std::optional<duet::hub_status> now;
    try {
      now = duet::observe::find_hub_status("127.0.0.1", status_port);
    } catch (const std::exception&) {
    }
    const auto at = clock_type::now();
    if (!now) {
      std::printf("  %02d:%02d   no answer from the hub\n", second / 60, second % 60);
    } else {
      const auto& out = now->home_to_spoke;
      const auto& back = now->spoke_to_home;
      if (has_before) {
        if (lines++ % 20 == 0) header();
        const double seconds = std::chrono::duration<double>(at - before_at).count();
        std::printf("  %02d:%02d %8s %7lld %9s  %8s %7lld %9s  %4s  %9s\n", second / 60, second % 60,
                    rate(before.home_to_spoke, out, seconds).c_str(), static_cast<long long>(out.lag_ms), grouped(out.rows.echoes).c_str(),
                    rate(before.spoke_to_home, back, seconds).c_str(), static_cast<long long>(back.lag_ms), grouped(back.rows.echoes).c_str(),
                    grouped(now->held_rows).c_str(), grouped(back.rows.conflicts).c_str());
        if (!now->healthy) std::printf("          %s\n", now->state.c_str());
      }
      before = *now;
      has_before = true;
    }
    before_at = at;
    std::fflush(stdout);
  }
};

// ---- the end: drained, and equal? ------------------------------------------------------------------------------------------

// A row written last on one side, seen on the other: everything before it has arrived, for each lane keeps the log's order.
// Home's mark goes second: what home decided about the spoke's last writes has then arrived at the spoke too.
bool drained(sql_session& home, sql_session& spoke, std::chrono::seconds limit) {
  const auto end = clock_type::now() + limit;
  const std::string mark = "closed at " + text(std::chrono::system_clock::now().time_since_epoch() / 1ms);
  const auto travels = [&](sql_session& from, sql_session& to, int key) {
    from.exec("UPDATE product SET title = '" + mark + "' WHERE id = " + text(key));
    while (to.scalar("SELECT title FROM product WHERE id = " + text(key)) != mark) {
      if (clock_type::now() > end) return false;
      std::this_thread::sleep_for(50ms);
    }
    return true;
  };
  return travels(spoke, home, 2) && travels(home, spoke, 1);
}

struct table { const char *name, *home, *spoke; int key_columns; };
// Each column as text that is the same for the same value on both sides.
const table tables[] = {
    {"customer", "SELECT id, full_name, email, newsletter::int, since::text, note FROM customer ORDER BY id",
     "SELECT id, name, email, newsletter, CAST(since AS char), note FROM customer ORDER BY id", 1},
    {"product", "SELECT id, title, price, stock, to_char(changed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') FROM product ORDER BY id",
     "SELECT id, title, price, stock, date_format(changed_at, '%Y-%m-%d %H:%i:%s.%f') FROM product ORDER BY id", 1},
    {"orders", "SELECT id, customer_id, status, to_char(placed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') FROM orders ORDER BY id",
     "SELECT id, customer_id, status, date_format(placed_at, '%Y-%m-%d %H:%i:%s.%f') FROM orders ORDER BY id", 1},
    {"order_line", "SELECT order_id, line, product_id, quantity, price FROM order_line ORDER BY order_id, line",
     "SELECT order_id, line, product_id, quantity, price FROM order_line ORDER BY order_id, line", 2},
    {"counter", "SELECT pair, half, value FROM counter ORDER BY pair, half", "SELECT pair, half, value FROM counter ORDER BY pair, half", 2},
};

std::map<std::string, std::string> by_key(const duet::testing::sql_rows& rows, int key_columns) {
  std::map<std::string, std::string> all;
  for (const auto& row : rows) {
    std::string key, rest;
    for (std::size_t c = 0; c < row.size(); ++c)
      (c < static_cast<std::size_t>(key_columns) ? key : rest) += (row[c] ? "'" + *row[c] + "'" : "NULL") + std::string(" ");
    all[key] = rest;
  }
  return all;
}

bool equal(sql_session& home, sql_session& spoke) {
  bool all_equal = true;
  std::printf("\n  table            home      spoke\n");
  for (const auto& t : tables) {
    const auto at_home = home.query(t.home), at_spoke = spoke.query(t.spoke);
    const bool same = at_home == at_spoke;
    all_equal &= same;
    std::printf("  %-12s %8s   %8s   %s\n", t.name, grouped(at_home.size()).c_str(), grouped(at_spoke.size()).c_str(), same ? "equal" : "NOT EQUAL");
    if (same) continue;
    const auto a = by_key(at_home, t.key_columns), b = by_key(at_spoke, t.key_columns);
    int shown = 0;
    for (const auto& [key, row] : a)
      if (const auto found = b.find(key); (found == b.end() || found->second != row) && shown++ < 5)
        std::printf("    %s: home %s, spoke %s\n", key.c_str(), row.c_str(), found == b.end() ? "none" : found->second.c_str());
    for (const auto& [key, row] : b)
      if (!a.contains(key) && shown++ < 5) std::printf("    %s: home none, spoke %s\n", key.c_str(), row.c_str());
  }
  return all_equal;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 7) {
    std::fprintf(stderr, "usage: demo_shop HOME_PORT HOME_USER SPOKE_PORT STATUS_PORT SECONDS TRANSACTIONS_PER_S\n");
    return 2;
  }
  endpoint home, spoke;
  home.scheme = "postgresql";
  spoke.scheme = "mysql";
  home.host = spoke.host = "127.0.0.1";
  home.database = spoke.database = "shop";
  home.port = static_cast<std::uint16_t>(std::atoi(argv[1]));
  home.user = argv[2];
  spoke.port = static_cast<std::uint16_t>(std::atoi(argv[3]));
  spoke.user = "root";
  home.tls = spoke.tls = duet::tls_mode::disable;
  const int seconds = std::atoi(argv[5]), per_second = std::max(1, std::atoi(argv[6]));

  struct sigaction action {};
  action.sa_handler = [](int) { stopping = true; };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);

  const auto home_session = connect(home), spoke_session = connect(spoke);
  home_session->exec("SET TimeZone = 'UTC'");
  spoke_session->exec("SET time_zone = '+00:00'");

  writer home_writer(side::home, home, per_second), spoke_writer(side::spoke, spoke, per_second);
  auditor home_auditor(side::home, home), spoke_auditor(side::spoke, spoke);
  view live{static_cast<std::uint16_t>(std::atoi(argv[4]))};
  {
    std::jthread a([&] { home_writer.run(); }), b([&] { spoke_writer.run(); });
    std::jthread c([&] { home_auditor.run(); }), d([&] { spoke_auditor.run(); });
    const auto start = clock_type::now();
    const int step = live.terminal ? 1 : 5;
    for (int second = 0; !stopping && (seconds == 0 || second <= seconds); ++second) {
      if (second % step == 0 || second == seconds) live.show(second);
      while (!stopping && clock_type::now() < start + std::chrono::seconds(second + 1)) std::this_thread::sleep_for(20ms);
    }
    stopping = true;
  }
  std::printf("\n  The workload has stopped: %s transactions at home, %s at the spoke.\n", grouped(home_writer.transactions()).c_str(),
              grouped(spoke_writer.transactions()).c_str());
  if (!trouble.empty()) {
    std::printf("  %s\n", trouble.c_str());
    return 2;
  }
  std::fflush(stdout);
  if (!drained(*home_session, *spoke_session, 120s)) {
    std::printf("  The lanes are not drained after 120 s.\n");
    equal(*home_session, *spoke_session);
    return 1;
  }
  bool good = equal(*home_session, *spoke_session);
  const auto broken = home_auditor.broken() + spoke_auditor.broken();
  std::printf("\n  Counter pairs: looked at %s times on both sides, half a transaction seen %s times.\n",
              grouped(home_auditor.looks() + spoke_auditor.looks()).c_str(), grouped(broken).c_str());
  good &= broken == 0;
  if (const auto last = duet::observe::find_hub_status("127.0.0.1", live.status_port))
    std::printf("  Conflicts decided by home: %s. Rows held: %s.\n", grouped(last->spoke_to_home.rows.conflicts).c_str(),
                grouped(last->held_rows).c_str());
  std::printf("\n  %s\n", good ? "EQUAL: both databases hold the same rows." : "NOT EQUAL.");
  return good ? 0 : 1;
} catch (const std::exception& e) {
  std::fprintf(stderr, "demo_shop: %s\n", e.what());
  return 2;
}
