#include "torture_test/clients.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

namespace duet::torture {

using namespace std::chrono_literals;
using testing::connect;
using testing::sql_error;

namespace {

std::string as_json(const table& t, const std::optional<values>& row) {
  if (!row) return "NULL";
  nlohmann::ordered_json j = nlohmann::ordered_json::object();
  for (std::size_t i = 0; i < t.fields.size(); ++i) {
    if ((*row)[i]) j[t.fields[i].name] = *(*row)[i];
    else j[t.fields[i].name] = nullptr;
  }
  return '\'' + j.dump() + '\'';
}

std::string text(long n) { return std::to_string(n); }

}  // namespace

client::client(side s, int number, endpoint e, const plan& p, const std::atomic<phase>& now)
    : side_(s), number_(number), endpoint_(std::move(e)), plan_(p), phase_(now),
      random_(p.seed * 1000 + static_cast<unsigned>(number) * 2 + (s == side::home ? 0 : 1)),
      pick_table_(p.table_weights.begin(), p.table_weights.end()) {
  thread_ = std::jthread([this](std::stop_token stop) { work(stop); });
}

void client::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void client::work(std::stop_token stop) {
  while (!stop.stop_requested()) {
    const phase now = phase_;
    if (now == phase::quiet) {
      std::this_thread::sleep_for(20ms);
      continue;
    }
    try {
      if (!session_) {
        session_ = connect(endpoint_);
        if (side_ == side::home) session_->exec("SET lock_timeout = '4s'");
        else session_->exec("SET SESSION innodb_lock_wait_timeout = 4; SET SESSION TRANSACTION ISOLATION LEVEL " + plan_.spoke_isolation);
      }
      transaction();
    } catch (const sql_error& e) {
      ++failed_;
      try {
        if (e.code == "connection" || !session_) session_.reset();
        else session_->exec("ROLLBACK");
      } catch (const sql_error&) {
        session_.reset();
      }
      if (!session_) std::this_thread::sleep_for(50ms);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(now == phase::load ? 10 + below(40) : 2 + below(side_ == side::home ? 4 : 16)));
  }
}

void client::transaction() {
  journal_.clear();
  ++tx_;
  session_->exec(side_ == side::home && chance(0.15) ? "BEGIN ISOLATION LEVEL REPEATABLE READ" : "BEGIN");
  const double shape = std::uniform_real_distribution<>(0, 1)(random_);
  const long changes = shape < 0.5 ? 1 : shape < 0.85 ? 2 + below(4) : shape < 0.97 ? 6 + below(7) : 13 + below(18);
  const long saves_at = chance(0.15) ? below(changes) : -1, returns_at = saves_at < 0 ? -1 : saves_at + 1 + below(3);
  std::size_t saved = 0;
  if (chance(0.4)) transfer();
  if (back_) {  // an ABA pair over two transactions
    const way_back b = *back_;
    back_.reset();
    if (const auto row = lock(*b.in, b.key)) {
      values after = *row;
      after[b.field] = b.value;
      update(*b.in, b.key, *row, after);
    }
  }
  for (long i = 0; i < changes; ++i) {
    if (i == saves_at) {
      session_->exec("SAVEPOINT here");
      saved = journal_.size();
    }
    change();
    if (i == returns_at && chance(0.7)) {
      session_->exec("ROLLBACK TO SAVEPOINT here");
      journal_.resize(saved);
    }
  }
  if (chance(0.06)) {
    session_->exec("ROLLBACK");
    return;
  }
  write_journal();
  session_->exec("COMMIT");
  ++committed_;
}

void client::change() {
  const table& t = tables()[pick_table_(random_)];
  if (t.name == "kv" && chance(0.06)) return touch_many(t);
  if (t.name == "uq" && chance(0.08)) return swap_codes(t);
  if (t.name == "ch") return change_child(hot_key(t));
  change_row(t, hot_key(t));
}

void client::change_row(const table& t, long key) {
  const auto row = lock(t, key);
  if (!row) {
    if (t.comes_and_goes && chance(t.name == "moves" ? 0.2 : 0.9)) insert(t, key);
    return;
  }
  const double what = std::uniform_real_distribution<>(0, 1)(random_);
  if (t.name == "moves" && what < 0.25) return move(t, key, *row);
  if (t.comes_and_goes && what < (t.name == "par" ? 0.04 : 0.14)) {
    if (t.name == "par" && session_->scalar("SELECT count(*) FROM ch WHERE par = " + text(key)) != "0") return;
    return remove(t, key, *row);
  }
  if (t.comes_and_goes && t.name != "par" && what < 0.20) {  // another row under the same key
    remove(t, key, *row);
    return insert(t, key);
  }
  if (what < 0.25) {
    session_->exec("UPDATE " + t.name + " SET " + t.fields[0].name + " = " + t.fields[0].name + " WHERE id = " + text(key));
    return;
  }
  values after = *row;
  bool any = false;
  while (!any) {
    for (std::size_t i = 0; i < t.fields.size(); ++i) {
      if (!chance(t.fields[i].is == content::body ? 0.15 : 0.5)) continue;
      after[i] = t.fields[i].is == content::delta ? text(std::stol((*row)[i].value()) + 1 + below(50) - 25) : fresh(t.fields[i], i);
      any = true;
    }
  }
  update(t, key, *row, after);
  if (what > 0.94) {  // there and back
    const std::size_t i = static_cast<std::size_t>(below(static_cast<long>(t.fields.size())));
    if (t.fields[i].is == content::delta || after[i] == (*row)[i]) return;
    if (t.name == "uq" && i == 0 && chance(0.5)) return;  // the old code may be taken by then
    if (chance(0.5)) {
      values again = after;
      again[i] = (*row)[i];
      update(t, key, after, again);
    } else {
      back_ = way_back{&t, key, i, (*row)[i]};
    }
  }
}

void client::change_child(long key) {
  const table &children = table_named("ch"), &parents = table_named("par");
  const auto row = lock(children, key);
  if (row && chance(0.25)) return remove(children, key, *row);
  const long parent = hot_key(parents);
  const bool there = session_->query("SELECT id FROM par WHERE id = " + text(parent)).size() == 1;
  if (!row) {
    if (!there) return;
    values v = {text(parent), fresh(children.fields[1], 1)};
    session_->exec("INSERT INTO ch VALUES (" + text(key) + ", " + *v[0] + ", " + literal(children.fields[1], v[1]) + ")");
    journal_.push_back({&children, key, "insert", std::nullopt, v});
    return;
  }
  values after = *row;
  if (there && chance(0.4)) after[0] = text(parent);
  after[1] = fresh(children.fields[1], 1);
  update(children, key, *row, after);
}

void client::insert(const table& t, long key) {
  values v = fresh(t);
  std::string sql = "INSERT INTO " + t.name + " VALUES (" + text(key);
  for (std::size_t i = 0; i < t.fields.size(); ++i) sql += ", " + literal(t.fields[i], v[i]);
  session_->exec(sql + ")");
  journal_.push_back({&t, key, "insert", std::nullopt, v});
}

void client::update(const table& t, long key, const values& before, values after) {
  std::string sets;
  for (std::size_t i = 0; i < t.fields.size(); ++i)
    if (after[i] != before[i]) sets += (sets.empty() ? "" : ", ") + t.fields[i].name + " = " + literal(t.fields[i], after[i]);
  if (sets.empty()) return;
  session_->exec("UPDATE " + t.name + " SET " + sets + " WHERE id = " + text(key));
  journal_.push_back({&t, key, "update", before, std::move(after)});
}

void client::remove(const table& t, long key, const values& before) {
  session_->exec("DELETE FROM " + t.name + " WHERE id = " + text(key));
  journal_.push_back({&t, key, "delete", before, std::nullopt});
}

// Several rows in one statement.
void client::touch_many(const table& t) {
  const std::size_t note = t.fields.size() - 1;
  const std::string value = token(t.fields[note], note, side_, number_, ++n_);
  std::string keys;
  for (long n = 2 + below(5); n > 0; --n) keys += (keys.empty() ? "" : ", ") + text(1 + below(t.keys));
  const auto rows = session_->query("SELECT id, " + select_list(t, side_) + " FROM " + t.name + " WHERE id IN (" + keys + ") ORDER BY id FOR UPDATE");
  if (rows.empty()) return;
  keys.clear();
  for (const auto& r : rows) {
    keys += (keys.empty() ? "" : ", ") + *r[0];
    values before(r.begin() + 1, r.end()), after = before;
    after[note] = value + "." + *r[0];
    journal_.push_back({&t, std::stol(*r[0]), "update", std::move(before), std::move(after)});
  }
  session_->exec("UPDATE " + t.name + " SET note = concat('" + value + ".', id) WHERE id IN (" + keys + ")");
}

// Two rows exchange their unique values, by way of a third one.
void client::swap_codes(const table& t) {
  const long a = hot_key(t), b = hot_key(t);
  if (a == b) return;
  const auto first = lock(t, std::min(a, b)), second = lock(t, std::max(a, b));
  if (!first || !second) return;
  values parked = *first, moved = *second, arrived = *first;
  parked[0] = token(t.fields[0], 0, side_, number_, ++n_);
  moved[0] = (*first)[0];
  arrived[0] = (*second)[0];
  update(t, std::min(a, b), *first, parked);
  update(t, std::max(a, b), *second, moved);
  update(t, std::min(a, b), parked, arrived);
}

// The row gets another key: in the journal it goes from one and comes to the other.
void client::move(const table& t, long key, const values& before) {
  const long to = 1 + below(t.keys);
  if (to == key || lock(t, to)) return;
  session_->exec("UPDATE " + t.name + " SET id = " + text(to) + " WHERE id = " + text(key));
  journal_.push_back({&t, key, "move from", before, std::nullopt});
  journal_.push_back({&t, to, "move to", std::nullopt, before});
}

void client::transfer() {
  const std::string pair = text(2 * below(pairs / 2) + (side_ == side::home ? 1 : 0)), amount = text(1 + below(50));
  session_->exec("UPDATE pair SET value = value + " + amount + " WHERE pair = " + pair + " AND half = 0");
  session_->exec("UPDATE pair SET value = value - " + amount + " WHERE pair = " + pair + " AND half = 1");
}

void client::write_journal() {
  std::string sql;
  for (const entry& e : journal_)
    sql += (sql.empty() ? "INSERT INTO j (client, tx, tbl, k, op, before_row, after_row) VALUES (" : ", (") + text(number_) + ", " + text(tx_) + ", '" +
           e.in->name + "', " + text(e.key) + ", '" + e.op + "', " + as_json(*e.in, e.before) + ", " + as_json(*e.in, e.after) + ")";
  if (!sql.empty()) session_->exec(sql);
}

std::optional<values> client::lock(const table& t, long key) {
  const auto rows = session_->query("SELECT " + select_list(t, side_) + " FROM " + t.name + " WHERE id = " + text(key) + " FOR UPDATE");
  if (rows.empty()) return std::nullopt;
  return rows[0];
}

std::optional<std::string> client::fresh(const field& f, std::size_t index) {
  if (f.nullable && chance(0.25)) return std::nullopt;
  return token(f, index, side_, number_, ++n_);
}

values client::fresh(const table& t) {
  values v;
  for (std::size_t i = 0; i < t.fields.size(); ++i) v.push_back(fresh(t.fields[i], i));
  return v;
}

// Zipf: the k-th key as often as 1 / k^zipf says.
long client::hot_key(const table& t) {
  if (t.name == "moves") return chance(0.9) ? 1 + below(t.first_rows * 2) : 1 + below(t.keys);
  std::vector<double> weights;
  for (int k = 1; k <= t.keys; ++k) weights.push_back(1 / std::pow(k, plan_.zipf));
  return 1 + static_cast<long>(std::discrete_distribution<int>(weights.begin(), weights.end())(random_));
}

onlooker::onlooker(endpoint e) {
  thread_ = std::jthread([this, e = std::move(e)](std::stop_token stop) {
    std::unique_ptr<testing::sql_session> session;
    while (!stop.stop_requested()) {
      try {
        if (!session) session = connect(e);
        torn_ += session->query("SELECT pair FROM pair GROUP BY pair HAVING sum(value) <> " + std::to_string(pair_sum)).size();
        ++looks_;
        std::this_thread::sleep_for(5ms);
      } catch (const sql_error&) {
        session.reset();
        std::this_thread::sleep_for(50ms);
      }
    }
  });
}

void onlooker::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace duet::torture
