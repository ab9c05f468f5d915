#include "end_to_end/duet_link.hpp"

#include <httplib.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>
#include <thread>

namespace duet::bench {

link_options merging(bool tcp) {
  return {.tcp = tcp, .conflicts = "default: latest", .sbtest = ", conflict: { rule: latest, merge: columns }"};
}

duet_link::duet_link(private_server& home, private_server& spoke, const link_options& o)
    : folder_("bench"), home_(home), spoke_(spoke), port_(find_free_port()) {
  const std::string home_url = o.tcp ? "postgresql://postgres@127.0.0.1:" + std::to_string(home.port()) + "/bench"
                                     : "postgresql://postgres@localhost/bench?host=" + home.folder() + "&port=" + std::to_string(home.port());
  write_file(folder_.file("duet.yaml"),
             "link: bench\nhome:\n  url: " + home_url + "\n  tls: { mode: disable }\nspoke:\n  url: mysql://root@127.0.0.1:" + std::to_string(spoke.port()) +
                 "/bench\n  tls: { mode: disable }\nstatus: { listen: 127.0.0.1:" + std::to_string(port_) + " }\nconflicts: { " + o.conflicts +
                 " }\ntables:\n  - { home: public.sbtest" + o.sbtest + " }\n  - home: public.mark\n  - home: public.pulse\n");
  // Two-way sync compares with old values. The native subscription stays with its default, which is faster for it.
  for (const char* table : {"sbtest", "mark", "pulse"})
    if (o.full_identity || table != std::string("sbtest")) home.exec("ALTER TABLE " + std::string(table) + " REPLICA IDENTITY FULL", "bench");
  const auto setup = run_verb("setup", 2min);
  if (setup.exit_code) throw std::runtime_error("duet setup: " + setup.output);
}

void duet_link::start() {
  hub_ = std::make_unique<child_process>(std::vector<std::string>{DUET_BINARY, "run", "-c", folder_.file("duet.yaml")}, folder_.file("log"));
}

void duet_link::stop() {
  hub_->signal(SIGTERM);
  if (!hub_->wait(20s)) say("duet did not stop within 20 s of SIGTERM");
  hub_.reset();
}

void duet_link::freeze() {
  hub_->signal(SIGSTOP);
  const std::string stat = "/proc/" + std::to_string(hub_->pid()) + "/stat";
  const auto stands = [&] {
    const std::string text = read_file(stat);
    return text.find(") T") != std::string::npos;
  };
  if (!eventually(stands, 5s)) throw std::runtime_error("the hub can't be stopped");
}

std::string duet_link::end_of_log() const {
  const auto text = log();
  return text.substr(text.size() > 3000 ? text.size() - 3000 : 0);
}

double duet_link::drain(private_server& target, int mark_id, long mark, const std::string& what) {
  auto watch = target.session("bench");
  const auto began = clock_type::now();
  start();
  try {
    wait_for_mark(*watch, mark_id, mark, 1200s, [&] { return running(); });
  } catch (const std::exception& e) {
    throw std::runtime_error(what + " by duet: " + e.what() + "\n" + end_of_log());
  }
  return seconds_since(began);
}

void duet_link::settle() {
  for (int note = 0; note < 2; ++note) {
    there_and_back();
    std::this_thread::sleep_for(1200ms);  // the hub reports once a second
    home_.exec("CHECKPOINT");
  }
  there_and_back();
}

void duet_link::there_and_back() {
  const long mark = ++settled_;
  for (const bool out : {true, false}) {
    auto& from = out ? home_ : spoke_;
    auto& to = out ? spoke_ : home_;
    from.exec("UPDATE mark SET v = " + std::to_string(-mark) + " WHERE id = " + std::to_string(mark_id(out)), "bench");
    wait_for_mark(*to.session("bench"), mark_id(out), -mark, 600s, [&] { return running(); });
  }
}

usage duet_link::used() const {
  usage u;
  const std::string stat = read_file("/proc/" + std::to_string(hub_->pid()) + "/stat");
  std::istringstream fields(stat.substr(std::min(stat.rfind(')') + 2, stat.size())));
  std::string field;
  double ticks = 0;
  for (int i = 3; i <= 15 && fields >> field; ++i)
    if (i >= 14) ticks += std::stod(field);
  u.cpu_s = ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
  std::istringstream status(read_file("/proc/" + std::to_string(hub_->pid()) + "/status"));
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) u.rss_kb = std::stol(line.substr(6));
  return u;
}

finished duet_link::run_verb(const std::string& verb, std::chrono::milliseconds limit) {
  return duet::testing::run({DUET_BINARY, verb, "-c", folder_.file("duet.yaml")}, limit);
}

double duet_link::metric(const std::string& name, const std::string& lane) const {
  const auto answer = httplib::Client("127.0.0.1", port_).Get("/metrics");
  const std::string sample = name + "{link=\"bench\",lane=\"" + lane + "\"} ";
  const auto at = answer ? answer->body.find("\n" + sample) : std::string::npos;
  if (at == std::string::npos) throw std::runtime_error("the hub does not tell " + name);
  return std::stod(answer->body.substr(at + 1 + sample.size(), 30));
}

}  // namespace duet::bench
