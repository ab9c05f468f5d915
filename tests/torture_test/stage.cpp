#include "torture_test/stage.hpp"

#include <algorithm>
#include <csignal>
#include <thread>

#include "observe/status_server.hpp"

namespace duet::torture {

using namespace std::chrono_literals;
using testing::child_process;
using testing::eventually;

stage::stage(const plan& p, std::string folder) : plan_(p), folder_(std::move(folder)) {
  std::exception_ptr failed;
  std::thread other([&] {
    try {
      spoke_ = testing::make_spoke(p.spoke, {"--sync-binlog=1", "--innodb-flush-log-at-trx-commit=1"});
    } catch (...) {
      failed = std::current_exception();
    }
  });
  try {
    home_ = std::make_unique<testing::private_postgres>(std::vector<std::string>{"-c", "deadlock_timeout=" + p.deadlock_timeout});
  } catch (...) {
    failed = std::current_exception();
  }
  other.join();
  if (failed) std::rethrow_exception(failed);
  home_db_ = link_ = home_->make_database("torture");
  spoke_db_ = spoke_->make_database("torture");
  to_home_ = std::make_unique<testing::faulty_proxy>(reach(side::home));
  to_spoke_ = std::make_unique<testing::faulty_proxy>(reach(side::spoke));
  for (const std::size_t i : {0u, 1u}) {  // the same link; another address of the status page
    pages_[i] = testing::find_free_port();
    testing::write_file(folder_ + "/duet" + std::to_string(i) + ".yaml",
                        "link: " + link_ + "\nhome:\n  url: postgresql://postgres@127.0.0.1:" + std::to_string(to_home_->port()) + "/" + home_db_ +
                            "\n  tls: { mode: disable }\nspoke:\n  url: mysql://root@127.0.0.1:" + std::to_string(to_spoke_->port()) + "/" + spoke_db_ +
                            "\n  tls: { mode: disable }\nstatus: { listen: 127.0.0.1:" + std::to_string(pages_[i]) + " }\n" + p.configuration());
  }
}

std::string stage::value(side s, const std::string& sql) {
  const auto rows = ask(s, sql);
  return rows.empty() || rows[0].empty() ? std::string() : rows[0][0].value_or("");
}

std::string stage::versions() { return "PostgreSQL " + home_->version() + ", " + plan_.spoke + " " + spoke_->version(); }

void stage::create_tables() {
  const auto both = [&](const std::string& sql) { ask(side::home, sql), ask(side::spoke, sql); };
  const std::string of_spoke = " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
  for (const table& t : tables()) {
    ask(side::home, "CREATE TABLE " + t.name + " (id bigint PRIMARY KEY, " + t.home_columns + ")");
    ask(side::home, "ALTER TABLE " + t.name + " REPLICA IDENTITY FULL");
    ask(side::spoke, "CREATE TABLE " + t.name + " (id bigint PRIMARY KEY, " + t.spoke_columns + ")" + of_spoke);
    for (int k = 1; k <= t.first_rows; ++k) {
      std::string sql = "INSERT INTO " + t.name + " VALUES (" + std::to_string(k);
      for (std::size_t i = 0; i < t.fields.size(); ++i)
        sql += ", " + (t.fields[i].is == content::delta ? std::to_string(first_balance) : literal(t.fields[i], token(t.fields[i], i, side::home, 0, k)));
      both(sql + ")");
    }
  }
  ask(side::home, "ALTER TABLE big ALTER body SET STORAGE EXTERNAL");
  both("CREATE TABLE pair (pair int NOT NULL, half int NOT NULL, value bigint NOT NULL, PRIMARY KEY (pair, half))");
  both("CREATE TABLE mark (id int PRIMARY KEY, v bigint NOT NULL)");
  ask(side::home, "ALTER TABLE pair REPLICA IDENTITY FULL; ALTER TABLE mark REPLICA IDENTITY FULL");
  for (int p = 0; p < pairs; ++p)
    both("INSERT INTO pair VALUES (" + std::to_string(p) + ", 0, " + std::to_string(pair_sum) + "), (" + std::to_string(p) + ", 1, 0)");
  const std::string journal = ", client int NOT NULL, tx bigint NOT NULL, tbl varchar(20) NOT NULL, k bigint NOT NULL, op varchar(20) NOT NULL, "
                              "before_row text, after_row text";
  ask(side::home, "CREATE TABLE j (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY" + journal + ")");
  ask(side::spoke, "CREATE TABLE j (id bigint AUTO_INCREMENT PRIMARY KEY" + journal + ")" + of_spoke);
}

void stage::set_up() {
  const auto r = testing::run({DUET_BINARY, "setup", "-c", folder_ + "/duet0.yaml"}, 60s);
  if (r.exit_code != 0) throw trouble("duet setup: " + r.output);
}

std::unique_ptr<child_process> stage::spawn_hub(bool take_over) {
  const int number = ++hubs_;
  const std::size_t which = static_cast<std::size_t>(number % 2);
  std::vector<std::string> command = {DUET_BINARY, "run", "-c", folder_ + "/duet" + std::to_string(which) + ".yaml"};
  if (take_over) command.push_back("--take-over");
  auto hub = std::make_unique<child_process>(command, folder_ + "/hub" + std::to_string(number) + ".log");
  generation_ = number;
  page_ = pages_[which];
  return hub;
}

// What it says when it ends instead; empty: it streams.
std::string stage::wait_for_stream(child_process& hub, std::chrono::milliseconds limit) {
  const auto streams = [&] { return hub.output().find("both lanes stream") != std::string::npos; };
  eventually([&] { return streams() || !hub.running(); }, limit);
  if (streams()) return {};
  return hub.running() ? "the hub does not stream after " + std::to_string(limit.count() / 1000) + " s:\n" + hub.output()
                       : "the hub has ended with " + std::to_string(hub.wait(0s).value_or(-1)) + ":\n" + hub.output();
}

void stage::start_hub(bool take_over) { hub_ = spawn_hub(take_over); }

void stage::expect_hub_running() {
  if (hub_ && hub_->running()) return;
  const std::string log = hub_log();
  // The sessions of one that was killed may live until their statement ends; whoever looks after the hub starts it again.
  if (just_killed_ && log.find("already_running") != std::string::npos) {
    std::this_thread::sleep_for(300ms);
    return start_hub();
  }
  throw trouble("the hub has ended by itself:\n" + log);
}

bool stage::hub_streams(std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (std::chrono::steady_clock::now() < end) {
    expect_hub_running();
    if (const auto s = look(); s && s->healthy) {
      just_killed_ = false;
      return true;
    }
    std::this_thread::sleep_for(30ms);
  }
  return false;
}

void stage::kill_hub() {
  hub_->kill9();
  just_killed_ = true;
}

void stage::stop_hub() {
  hub_->signal(SIGTERM);
  const auto code = hub_->wait(25s);
  if (!code) throw trouble("the hub does not stop within 25 s of SIGTERM:\n" + hub_log());
  if (*code != 0) throw trouble("stopped by SIGTERM, the hub ended with " + std::to_string(*code) + ":\n" + hub_log());
}

void stage::replace_frozen_hub() {
  hub_->signal(SIGSTOP);
  auto second = spawn_hub(true);
  if (const std::string wrong = wait_for_stream(*second, 60s); !wrong.empty()) {
    hub_->signal(SIGCONT);
    throw trouble("taking over from a frozen hub: " + wrong);
  }
  hub_->signal(SIGCONT);
  const auto code = hub_->wait(60s);
  if (!code || *code != 4)
    throw trouble("a hub that another one took over from did not give up (" + (code ? "exit code " + std::to_string(*code) : "it still runs") + "):\n" + hub_log());
  hub_ = std::move(second);
  just_killed_ = false;
}

std::optional<hub_status> stage::look() {
  const int generation = generation_;
  std::optional<hub_status> s;
  try {
    s = observe::find_hub_status("127.0.0.1", page_);
  } catch (const std::exception&) {  // half an answer: it was killed meanwhile
  }
  if (!s || s->link != link_ || generation != generation_) return std::nullopt;
  std::scoped_lock lock(mutex_);
  const auto& up = s->spoke_to_home.rows;
  looked_[generation] = {up.refreshes, up.conflicts, up.catch_ups + s->home_to_spoke.rows.catch_ups, up.retries + s->home_to_spoke.rows.retries, s->restarts};
  return s;
}

stage::numbers stage::seen() const {
  std::scoped_lock lock(mutex_);
  numbers all;
  for (const auto& [generation, n] : looked_) {
    all.refreshes += n.refreshes, all.conflicts += n.conflicts, all.catch_ups += n.catch_ups;
    all.retries += n.retries, all.restarts += n.restarts;
  }
  return all;
}

troublemaker::troublemaker(stage& s, const plan& p) : stage_(s), random_(p.seed * 7919 + 1) {
  const auto both = {side::home, side::spoke};
  faults_.push_back({"hub killed", 5, [this] {
    stage_.kill_hub();
    if (random_() % 3 == 0) pause(0, 1500);
    stage_.start_hub();
  }});
  faults_.push_back({"hub killed while it starts", 2, [this] {
    stage_.kill_hub();
    for (int n = 1 + static_cast<int>(random_() % 3); n > 0; --n) {
      stage_.start_hub();
      pause(0, 400);
      stage_.kill_hub();
    }
    stage_.start_hub();
  }});
  faults_.push_back({"hub stopped in order", 2, [this] {
    if (!stage_.hub_streams()) throw trouble("the hub does not stream:\n" + stage_.hub_log());
    stage_.stop_hub();
    pause(0, 1000);
    stage_.start_hub();
  }});
  faults_.push_back({"hub frozen", 2, [this] {
    stage_.signal_hub(SIGSTOP);
    pause(300, 3000);
    stage_.signal_hub(SIGCONT);
  }});
  faults_.push_back({"hub frozen, another takes over", 2, [this] {
    if (!stage_.hub_streams()) throw trouble("the hub does not stream:\n" + stage_.hub_log());
    stage_.replace_frozen_hub();
  }});
  faults_.push_back({"both servers killed", 1, [this] {
    for (const side s : {side::home, side::spoke}) stage_.at(s).kill9();
    for (const side s : {side::home, side::spoke}) stage_.at(s).start();
  }});
  faults_.push_back({"hub killed while a server is down", 1, [this] {
    const side s = random_() % 2 ? side::home : side::spoke;
    stage_.at(s).kill9();
    stage_.kill_hub();
    stage_.start_hub();
    pause(0, 800);
    stage_.at(s).start();
  }});
  for (const side s : both) {
    const std::string where = s == side::home ? "home" : "spoke";
    const std::string commit = s == side::home ? std::string("\0commit\0", 8) : std::string("COMMIT");  // a statement's name; a statement
    faults_.push_back({where + " killed", 2, [this, s] { kill_server(s); }});
    faults_.push_back({where + " frozen", 1, [this, s] { freeze_server(s); }});
    faults_.push_back({where + " cut off", 1, [this, s] { stage_.before(s).cut(); }});
    faults_.push_back({where + " refuses", 0.5, [this, s] {
      stage_.before(s).refuse(true);
      stage_.before(s).cut();
      pause(200, 1500);
      stage_.before(s).refuse(false);
    }});
    faults_.push_back({where + " half open", 1, [this, s] {
      stage_.before(s).freeze(true);
      pause(300, 2000);
      stage_.before(s).freeze(false);
    }});
    faults_.push_back({where + " slow", 1, [this, s] {
      stage_.before(s).delay(std::chrono::milliseconds(3 + random_() % 20));
      pause(500, 2000);
      stage_.before(s).delay(0ms);
    }});
    faults_.push_back({where + " commits, its answer is lost", 1.5, [this, s, commit] {
      stage_.before(s).cut_after_request(commit);
      pause(200, 800);
    }});
    faults_.push_back({where + " gets no commit", 1, [this, s, commit] {
      stage_.before(s).cut_before_request(commit);
      pause(200, 800);
    }});
  }
  thread_ = std::jthread([this](std::stop_token stop) { work(stop); });
}

void troublemaker::pause(int from_ms, int to_ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds(from_ms + static_cast<int>(random_() % static_cast<unsigned>(to_ms - from_ms))));
}

void troublemaker::kill_server(side s) {
  stage_.at(s).kill9();
  if (random_() % 3 == 0) pause(0, 1500);
  stage_.at(s).start();
}

void troublemaker::freeze_server(side s) {
  stage_.at(s).sigstop();
  pause(500, 3000);
  stage_.at(s).sigcont();
}

void troublemaker::work(std::stop_token stop) {
  std::vector<double> weights;
  for (const fault& f : faults_) weights.push_back(f.weight);
  std::discrete_distribution<std::size_t> pick(weights.begin(), weights.end());
  // The hub and each server are killed in every run that is long enough; the rest is chance.
  std::vector<std::string> first = {"hub killed", "home killed", "spoke killed"};
  std::shuffle(first.begin(), first.end(), random_);
  try {
    while (!stop.stop_requested()) {
      pause(50, 700);
      // Most of the time the hub has found its feet before the next blow.
      if (random_() % 4 != 0 && !stage_.hub_streams()) throw trouble("the hub does not stream after a minute:\n" + stage_.hub_log());
      stage_.expect_hub_running();
      if (random_() % 4 != 0) pause(100, 1000);
      if (stop.stop_requested()) break;
      std::size_t next = pick(random_);
      if (!first.empty()) {
        while (faults_[next].name != first.back()) next = (next + 1) % faults_.size();
        first.pop_back();
      }
      const fault& f = faults_[next];
      {
        std::scoped_lock lock(mutex_);
        ++counts_[f.name];
      }
      f.happen();
    }
    mend();
  } catch (const std::exception& e) {
    std::scoped_lock lock(mutex_);
    wrong_ = e.what();
    failed_ = true;
  }
}

void troublemaker::mend() {
  for (const side s : {side::home, side::spoke}) {
    stage_.before(s).cut_after_request(std::string(64, '\1'));  // what is still armed shall not go off
    stage_.before(s).refuse(false);
    stage_.before(s).freeze(false);
    stage_.before(s).delay(0ms);
  }
  if (!stage_.hub_streams()) throw trouble("the hub does not stream after the last fault:\n" + stage_.hub_log());
}

void troublemaker::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

std::string troublemaker::what_went_wrong() const {
  if (!failed_) return {};
  std::scoped_lock lock(mutex_);
  return wrong_;
}

std::map<std::string, int> troublemaker::counts() const {
  std::scoped_lock lock(mutex_);
  return counts_;
}

int troublemaker::kills() const {
  int n = 0;
  for (const auto& [name, count] : counts())
    if (name.find("killed") != std::string::npos) n += count;
  return n;
}

}  // namespace duet::torture
