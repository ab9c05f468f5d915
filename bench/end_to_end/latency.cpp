// From the commit's return to the row's being visible on the other side.
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "end_to_end/duet_link.hpp"
#include "end_to_end/native.hpp"
#include "end_to_end/parts.hpp"

namespace duet::bench {
namespace {

class pulse {
 public:
  pulse(std::unique_ptr<sql_session> source, std::unique_ptr<sql_session> probe, int per_second, int parity)
      : source_(std::move(source)), probe_(std::move(probe)), per_second_(per_second), next_id_(parity) {}

  void write(std::chrono::seconds length) {
    const auto start = clock_type::now();
    auto next = start;
    for (long n = 0; clock_type::now() < start + length; ++n) {
      const long id = next_id_;
      next_id_ += 2;
      source_->exec("INSERT INTO pulse VALUES (" + std::to_string(id) + ", 'x" + std::to_string(id) + "')");
      if (n % sample_each == 0 && clock_type::now() > start + 1s) {  // the first second warms up
        std::scoped_lock lock(mutex_);
        waiting_.push_back({id, clock_type::now()});
        changed_.notify_one();
      }
      next += std::chrono::microseconds(1'000'000 / per_second_);
      std::this_thread::sleep_until(next);
    }
    std::scoped_lock lock(mutex_);
    done_ = true;
    changed_.notify_one();
  }

  void watch() {
    for (;;) {
      sample s;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return done_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        s = waiting_.front();
        waiting_.pop_front();
      }
      const std::string sql = "SELECT 1 FROM pulse WHERE id = " + std::to_string(s.id);
      while (!probe_->scalar(sql)) {
        if (clock_type::now() > s.at + 30s) throw std::runtime_error("a row was not visible on the other side after 30 s");
        std::this_thread::sleep_for(100us);
      }
      ms_.push_back(ms_since(s.at));
    }
  }

  json result() const { return quantiles(ms_); }

 private:
  static constexpr int sample_each = 5;
  struct sample { long id = 0; clock_type::time_point at; };
  std::unique_ptr<sql_session> source_, probe_;
  int per_second_;
  long next_id_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<sample> waiting_;
  bool done_ = false;
  std::vector<double> ms_;
};

void run_pulses(std::vector<pulse*> pulses, std::chrono::seconds length) {
  std::vector<std::jthread> threads;
  std::mutex mutex;
  std::string trouble;
  const auto guarded = [&](auto work) {
    return [&, work] {
      try {
        work();
      } catch (const std::exception& e) {
        std::scoped_lock lock(mutex);
        trouble = e.what();
      }
    };
  };
  for (pulse* p : pulses) {
    threads.emplace_back(guarded([p, length] { p->write(length); }));
    threads.emplace_back(guarded([p] { p->watch(); }));
  }
  threads.clear();
  if (!trouble.empty()) throw std::runtime_error(trouble);
}

}  // namespace

json latency(const options& o, const std::string& kind) {
  const int per_second = 200;
  const auto length = o.quick ? 10s : 60s;
  std::printf("\nCommit to visible at %d transactions/s, %s, both ways at once; native each way alone\n", per_second, kind.c_str());
  json all;
  if (!o.native_only) {
    server_pair servers(kind);
    duet_link link(servers.home, *servers.spoke, {.tcp = o.tcp});
    link.start();
    link.settle();
    const usage before = link.used();
    pulse out(servers.home.session("bench"), servers.spoke->session("bench"), per_second, 1), back(servers.spoke->session("bench"), servers.home.session("bench"), per_second, 2);
    run_pulses({&out, &back}, length);
    const usage after = link.used();
    link.stop();
    all["home_to_spoke"] = out.result();
    all["spoke_to_home"] = back.result();
    all["cpu_share"] = (after.cpu_s - before.cpu_s) / static_cast<double>(length.count());
    all["peak_rss_mb"] = static_cast<double>(after.rss_kb) / 1024;
    say_latency("duet home -> spoke", all["home_to_spoke"]);
    say_latency("duet spoke -> home", all["spoke_to_home"]);
    say(format("duet takes %.0f %% of one core and %.0f MB", 100 * all["cpu_share"].get<double>(), all["peak_rss_mb"].get<double>()));
  }
  for (const bool subscribed : {false, true}) {
    const auto native = subscribed ? make_subscription() : make_replica(kind);
    const std::string way = native->ways().back();  // the subscription with synchronous commit, as Duet has
    native->resume(way);
    pulse p(native->source().session("bench"), native->target(way), per_second, 1);
    run_pulses({&p}, length);
    const std::string name = subscribed ? "subscription" : kind + "_replica";
    all["native"][name] = p.result();
    say_latency("native " + name, all["native"][name]);
  }
  all["spoke"] = kind;
  return all;
}

}  // namespace duet::bench
