#include "simulation/world.hpp"

#include <algorithm>

#include "duet/failure.hpp"

namespace duet::testing {

using namespace std::chrono_literals;

std::string_view name(ablation a) {
  constexpr std::string_view names[] = {"none",        "no_refresh",          "no_index_of_resolutions", "pruned_by_the_reader",
                                        "no_catch_up", "spoke_does_not_look", "restart_at_applied",      "no_reading_up_at_start", "half_transactions",
                                        "no_answer_for_parents", "no_look_for_children"};
  return names[static_cast<int>(a)];
}

std::string plan::describe() const {
  return "seed " + std::to_string(seed) + ", rule " + std::string(duet::name(rule)) + ", update_vs_delete " + std::string(duet::name(deletes)) +
         (merge_columns ? ", merge columns" : ", merge row") + (deltas ? ", deltas" : "") + (blind_column ? ", a blind column" : "") +
         (whole_transactions ? ", whole transactions" : "") + (owners ? ", owners" : "") + (copied_from ? ", copied from " + std::string(duet::name(*copied_from)) : "") + (merged ? ", merged by " + std::string(duet::name(*merged)) : "") + (keeps_deleted[0] ? ", home's deletes ignored" : "") + (keeps_deleted[1] ? ", the spoke's deletes ignored" : "") +
         (relatives ? ", missing parents " + std::string(duet::name(relatives->rules[1])) + " and " + std::string(duet::name(relatives->rules[2])) : "") +
         ", without " + std::string(name(without));
}

namespace {

// Passes everything on to the source but what an ablation takes away.
class ablated_source : public source {
 public:
  ablated_source(std::unique_ptr<source> real, log_position at_least) : real_(std::move(real)), at_least_(at_least) {}
  void start(log_position from) override { real_->start(std::max(from, at_least_)); }
  bool read(block_writer& w, std::chrono::milliseconds wait) override { return real_->read(w, wait); }
  void release(log_position p) override { real_->release(p); }
  void keep_alive() override {}
  log_position read_up_to() const override { return real_->read_up_to(); }
  void interrupt() noexcept override { real_->interrupt(); }

 private:
  std::unique_ptr<source> real_;
  log_position at_least_;
};

// Decides by the two times, so that a run can be replayed: a side, or values that are neither side's, now and then of a column
// that is not contested.
constexpr const char* simulated_script = R"(
function resolve(c)
  local dice = (c.home_time * 7 + c.spoke_time * 13 + #c.columns) % 7
  if dice == 0 then return "home" end
  if dice == 1 then return "spoke" end
  local answer = {}
  local function set(name)
    local n = c.home_time * 3 + c.spoke_time
    answer[name] = name == "amount" and n or name .. " of " .. n
  end
  for i, name in ipairs(c.columns) do
    if i == 1 or dice > 3 then set(name) end
  end
  if dice == 6 then set("note") end
  return answer
end
)";

class forgetful_target : public memory_target {
 public:
  forgetful_target(memory_database& d, fault_plan& f, ablation without) : memory_target(d, f), without_(without) {}
  void emit_refresh(const table_pair& t, row_view key, const owned_row* row, const decision_tag& tag) override {
    if (without_ == ablation::no_refresh || (without_ == ablation::no_answer_for_parents && !t.children.empty() && !row)) return;
    memory_target::emit_refresh(t, key, row, without_ == ablation::no_index_of_resolutions ? decision_tag{} : tag);
  }
  std::vector<owned_row> lock_rows_with(const table_pair& t, std::span<const std::uint16_t> columns, std::span<const std::string> values) override {
    if (without_ == ablation::no_look_for_children) return {};
    return memory_target::lock_rows_with(t, columns, values);
  }
  log_position catch_up_point() override { return without_ == ablation::no_reading_up_at_start && !begun_ ? log_position{} : memory_target::catch_up_point(); }
  void begin(const control_row& expected, const control_row& next, std::int64_t time_us) override {
    begun_ = true;
    memory_target::begin(expected, next, time_us);
  }

 private:
  ablation without_;
  bool begun_ = false;
};

}  // namespace

world::world(const plan& p) : plan_(p), random_(static_cast<std::uint32_t>(p.seed * 2654435761u + 12345)) {
  faults_.seed = p.seed;
  faults_.sleeps = false;
  faults_.per_mille_lost = below(3) ? 0 : 10;
  faults_.per_mille_doubt = below(3) ? 0 : 60;
  faults_.per_mille_deadlock = below(3) ? 0 : 20;
  config_.link = "simulated";
  config_.tune.ring_bytes_max = 256 << 10;
  config_.tune.block_bytes = 2 << 10;
  config_.tune.batch_rows_max = 1 + below(6);
  mapping_ = memory_mapping(memory_policy(p.rule, p.merge_columns, p.deltas));
  mapping_.tables[0].policy.update_vs_delete = p.deletes;
  if (p.relatives) {
    mapping_ = memory_family(mapping_.tables[0].policy, p.relatives->rules, p.relatives->twice);
    for (memory_database* db : {&home_, &spoke_}) {
      const auto act = [&](int key) { return static_cast<decltype(memory_key::on_delete)>(p.relatives->on_delete[static_cast<int>(db->which)][key]); };
      db->foreign_keys = {{1, 2, 0, act(0)}, {2, 2, 1, act(1)}};
      if (p.relatives->twice) db->foreign_keys.push_back({2, 3, 0, act(2)});
      for (std::size_t k = 0; k < db->foreign_keys.size(); ++k) {
        const memory_key& key = db->foreign_keys[k];
        for (reference& r : mapping_.tables[key.child].references)
          if (r.columns.front() == key.column) {
            r.cascades[static_cast<int>(db->which)] = key.on_delete == memory_key::cascades;
            r.empties[static_cast<int>(db->which)] = key.on_delete == memory_key::sets_null;
          }
      }
    }
  }
  mapping_.tables[0].policy.whole_transactions = p.whole_transactions && p.without != ablation::half_transactions;
  if (p.owners) {
    conflict_policy& policy = mapping_.tables[0].policy;
    policy.fields[policy.field_of[1]].rule = conflict_rule::home;
    policy.fields[policy.field_of[2]].rule = conflict_rule::spoke;
    policy.owned[static_cast<int>(side::home)] = policy.bit_of(1);
    policy.owned[static_cast<int>(side::spoke)] = policy.bit_of(2);
  }
  config_.scripts = {{"simulated.lua", simulated_script, {}}};
  for (int s : {0, 1})
    if (p.keeps_deleted[s]) mapping_.tables[0].deletes[s].does = delete_action::ignore;
  if (p.copied_from) mapping_.tables[0].initial = *p.copied_from == side::home ? initial_rows::copy_from_home : initial_rows::copy_from_spoke;
  if (p.merged) {
    mapping_.tables[0].initial = initial_rows::merge;
    mapping_.tables[0].truth = *p.merged;
    mapping_.tables[0].truth_by = 3;
  }
  mapping_.tables[0].columns[2].guarded = !p.blind_column;
  if (below(4) == 0) mapping_.commit_time_grain_us = 40;
  keys_ = {"cnt", "k1", "k2"};
  keys_.resize(1 + below(3));
  if (p.relatives) keys_ = {"k1", "k2"};
  for (const auto& k : keys_) {
    const text_row row = {k, new_value(), new_value(), "0"};
    if (p.copied_from != side::spoke) home_.rows[k] = row;
    if (p.copied_from != side::home) spoke_.rows[k] = row;
    if (!p.merged) continue;
    for (memory_database* db : {&home_, &spoke_}) {
      text_row& r = db->rows[k];
      for (int c : {1, 2})
        if (below(3) == 0) r[c] = new_value();
      if (below(4) == 0) r[2] = std::nullopt;
      if (below(2)) r[3] = std::to_string(below(100));
    }
    if (k != "cnt" && below(3) == 0) (below(2) ? home_ : spoke_).rows.erase(k);
    for (memory_database* db : {&home_, &spoke_}) {
      const auto at = db->rows.find(k);
      if (at == db->rows.end()) continue;
      books_.initial[static_cast<int>(db->which)][k] = at->second;
      for (int c : {1, 2})
        if (at->second[c]) books_.written.insert(*at->second[c]);
    }
  }
  if (p.per_mille_move) keys_.push_back("k3");
  home_.control = {"simulated", 1, just_before(spoke_.end()), just_before(home_.end()), 0, 0, "s", "h"};
  spoke_.control = {"simulated", 1, just_before(home_.end()), just_before(spoke_.end()), 0, 0, "h", "s"};
  link_ = std::make_unique<pipeline::link_state>(mapping_.tables.size());
  link_->pause = [this](std::chrono::milliseconds) {  // nobody else gets on while we wait
    if (++pauses_ > 60) throw failure(failure_kind::connection_lost, "waited in vain");
  };
}

world::~world() = default;

void world::start() {
  for (;;) {
    pauses_ = 0;
    try {
      lanes_.reset();
      memory_site h(home_), s(spoke_);
      const auto of = [&](memory_database& db, memory_database& from) {
        const log_position applied = plan_.without == ablation::restart_at_applied ? from.control->position : log_position{};
        side_factory f;
        f.make_source = [&, applied] { return std::make_unique<ablated_source>(std::make_unique<memory_source>(db, faults_), applied); };
        f.make_row_reader = [&] { return std::make_unique<memory_row_reader>(db); };
        f.make_target = [&] { return std::make_unique<forgetful_target>(db, faults_, plan_.without); };
        return f;
      };
      lanes_ = pipeline::open_lanes(config_, mapping_, *link_, h, s, of(home_, spoke_), of(spoke_, home_), false, [&](pipeline::lane& l) {
        return [this, &l](log_position place, std::chrono::milliseconds, std::stop_token) {
          if (plan_.without == ablation::no_catch_up) return true;
          if (per_mille(50)) return false;  // not in time: the locks are given up, and the decision is taken anew
          const std::size_t before = std::exchange(faults_.read_transactions, 20);
          if (!l.local_writes.wait_read(place, 0ms, {}))
            while (l.local_writes.read_up_to() < place) l.reading->step(0ms);
          faults_.read_transactions = before;
          if (plan_.without == ablation::spoke_does_not_look) lanes_->spoke_to_home.local_writes.prune({~std::uint64_t{0}});
          return true;
        };
      });
      for (pipeline::lane* l : {&lanes_->home_to_spoke, &lanes_->spoke_to_home}) {
        l->reading->copy(nullptr);  // later: it reads ahead
        l->reading->start();
      }
      // Both logs must be known before either lane goes on: the transaction that was applied last comes first.
      for (pipeline::lane* l : {&lanes_->home_to_spoke, &lanes_->spoke_to_home}) {
        faults_.read_transactions = 1;
        for (int tries = 0; !link_->log_is_known[static_cast<int>(l->from)]; ++tries) {
          if (tries > 1000) throw failure(failure_kind::internal, "the transaction that was applied last is not found");
          l->reading->step(0ms);
          l->applying->step(0ms);
        }
        l->reading->copy(l->first_copy.get(), 0ms);
      }
      return;
    } catch (const failure& f) {
      if (reaction_to(f.kind) != reaction::retry) throw;
    }
  }
}

void world::crash() { start(); }

bool world::guarded(const std::function<bool()>& step) {
  pauses_ = 0;
  try {
    return step();
  } catch (const failure& f) {
    if (reaction_to(f.kind) != reaction::retry) throw;
    start();
    return true;
  }
}

bool world::step_reader(pipeline::lane& l) {
  if (l.ring.queued() > 8) return false;
  faults_.read_transactions = 1 + below(3);
  pipeline::lane& back = &l == &lanes_->home_to_spoke ? lanes_->spoke_to_home : lanes_->home_to_spoke;
  l.log->release(std::min(l.applying->position(), back.applying->floor()));
  return guarded([&] {
    const bool came = l.reading->step(0ms);
    if (plan_.without == ablation::pruned_by_the_reader && came) {
      const auto& log = at(l.from).log;  // what this side has acknowledged of the other one, as far as it has been read
      log_position acknowledged;
      for (const auto& t : log)
        if (t.ours && t.position < l.local_writes.read_up_to()) acknowledged = t.control.position;
      back.local_writes.prune(acknowledged);
    }
    return came;
  });
}

bool world::step_applier(pipeline::lane& l) {
  if (plan_.without == ablation::spoke_does_not_look) lanes_->spoke_to_home.local_writes.prune({~std::uint64_t{0}});
  config_.tune.heartbeat_s = per_mille(100) ? 0 : 3600;
  return guarded([&] {
    const auto before = at(other(l.from)).log.size();
    return l.applying->step(0ms) || at(other(l.from)).log.size() != before;
  });
}

// Nobody makes rows there by himself until its rows have come.
bool world::is_being_filled(const memory_database& db) const {
  if (plan_.merged) return false;
  return plan_.copied_from && db.which != *plan_.copied_from && (db.copies.empty() || !db.copies[0].done);
}

// One transaction of an application: one key or two.
void world::application(memory_database& db) {
  std::unique_lock lock(db.lock, std::try_to_lock);
  if (!lock) return;  // it waits for a transaction of ours
  now_us_ += 10;
  std::vector<std::string> chosen = keys_;
  std::shuffle(chosen.begin(), chosen.end(), random_);
  chosen.resize(std::min<std::size_t>(chosen.size(), below(3) ? 1 : 2));
  std::set<std::string>& deleted = books_.deleted[static_cast<int>(db.which)];
  memory_database::transaction t;
  t.time_us = std::max<std::int64_t>(1, now_us_ + static_cast<std::int64_t>(below(static_cast<unsigned>(2 * plan_.jitter_us + 1))) - plan_.jitter_us);
  for (const auto& k : chosen) {
    books_.touched.insert(k);
    const auto it = db.rows.find(k);
    if (it == db.rows.end() && is_being_filled(db)) continue;
    if (it == db.rows.end()) {
      const text_row row = {k, new_value(), new_value(), "0"};
      for (int c : {1, 2}) books_.written.insert(row[c].value_or(""));
      t.changes.push_back({operation::insert, std::nullopt, row});
      db.rows[k] = row;
      deleted.erase(k);
      continue;
    }
    const text_row before = it->second;
    text_row after = before;
    const unsigned what = below(100);
    if (k != "cnt" && per_mille(plan_.per_mille_delete)) {
      for (int c : {1, 2}) books_.caused.insert(before[c].value_or(""));
      t.changes.push_back({operation::remove, before, std::nullopt});
      db.rows.erase(k);
      deleted.insert(k);
      continue;
    }
    deleted.erase(k);
    const std::string free_key = "k3";
    if (k != "cnt" && per_mille(plan_.per_mille_move) && !db.rows.contains(free_key) && !is_being_filled(db)) {
      after[0] = free_key;
      if (below(2)) after[1] = new_value();
      if (after[1] != before[1]) books_.caused.insert(*before[1]), books_.written.insert(*after[1]);
      t.changes.push_back({operation::update, before, after});
      db.rows.erase(it);
      db.rows[free_key] = after;
      deleted.erase(free_key);
      continue;
    }
    if (what < 45) after[1] = new_value();
    else if (what < 65) after[2] = new_value();
    else if (what < 75) after[1] = new_value(), after[2] = new_value();
    else if (what < 95) {
      const long delta = static_cast<long>(below(11)) - 5;
      after[3] = std::to_string(std::stol(*before[3]) + delta);
      books_.sums[k] += delta;
    }  // else an update that changes nothing
    for (int c : {1, 2})
      if (after[c] != before[c]) books_.caused.insert(before[c].value_or("")), books_.written.insert(after[c].value_or(""));
    t.changes.push_back({operation::update, before, after});
    it->second = after;
  }
  if (!t.changes.empty()) db.append(std::move(t));
}

// One transaction of an application: one row or two, of any table. Whoever takes a row along has seen it.
void world::family_application(memory_database& db) {
  std::unique_lock lock(db.lock, std::try_to_lock);
  if (!lock) return;
  now_us_ += 10;
  memory_database::transaction t;
  t.time_us = std::max<std::int64_t>(1, now_us_ + static_cast<std::int64_t>(below(static_cast<unsigned>(2 * plan_.jitter_us + 1))) - plan_.jitter_us);
  memory_tables now = db;
  const auto any_of = [&](std::uint16_t table) -> std::optional<std::string> {
    std::vector<std::string> there;
    for (const auto& [k, row] : now.of(table)) there.push_back(k);
    if (there.empty() || below(6) == 0) return std::nullopt;
    return there[below(static_cast<unsigned>(there.size()))];
  };
  try {
    for (unsigned n = 1 + below(2); n > 0; --n) {
      const auto table = static_cast<std::uint16_t>(below(plan_.relatives->tables));
      auto& rows = now.of(table);
      const std::string key = "k" + std::to_string(1 + below(2));
      const auto it = rows.find(key);
      const auto change_references = [&](text_row& row) {
        if (table == 1) row[2] = any_of(0);
        if (table == 2) row[2] = any_of(1);
        if (table == 2 && plan_.relatives->twice) row[3] = any_of(0);
      };
      if (it == rows.end()) {
        text_row row = {key, new_value(), std::nullopt, std::nullopt};
        change_references(row);
        rows[key] = row;
        t.changes.push_back({operation::insert, std::nullopt, row, {}, table});
      } else if (below(10) < 4) {
        db.remove(now, table, key, t.changes);
      } else {
        const text_row before = it->second;
        const unsigned what = below(3);
        if (what != 0) it->second[1] = new_value();
        if (what != 1) change_references(it->second);
        t.changes.push_back({operation::update, before, it->second, {}, table});
      }
    }
  } catch (const failure&) {
    return;  // a foreign key refuses it
  }
  for (const auto& c : t.changes)
    if (c.after && (!c.before || (*c.before)[1] != (*c.after)[1])) books_.written.insert(*(*c.after)[1]);
  for (std::uint16_t table = 0; table < 3; ++table)
    for (const auto& [k, row] : db.of(table)) {
      const auto is = now.of(table).find(k);
      if (is == now.of(table).end() || is->second[1] != row[1]) books_.caused.insert(*row[1]);
    }
  for (const auto& c : t.changes)  // what did not last to its end
    for (const auto& row : {c.before, c.after}) {
      if (!row) continue;
      const auto is = now.of(c.table).find(*(*row)[0]);
      if (is == now.of(c.table).end() || is->second[1] != (*row)[1]) books_.caused.insert(*(*row)[1]);
    }
  static_cast<memory_tables&>(db) = std::move(now);
  if (!t.changes.empty()) db.append(std::move(t));
}

std::string world::run() {
  try {
    start();
    for (int i = 0; i < plan_.steps; ++i) {
      const unsigned what = below(1000);
      if (what < 300 && plan_.relatives) family_application(below(2) ? home_ : spoke_);
      else if (what < 300) application(below(2) ? home_ : spoke_);
      else if (what < 300 + static_cast<unsigned>(plan_.per_mille_crash)) crash();
      else {
        pipeline::lane& l = below(2) ? lanes_->home_to_spoke : lanes_->spoke_to_home;
        below(2) ? step_reader(l) : step_applier(l);
      }
    }
    if (plan_.per_mille_crash) crash();
    faults_.on = false;
    int quiet = 0;
    for (int i = 0; quiet < 3; ++i) {
      if (i > 2000) return "not quiescent";
      bool moved = false;
      for (int which : {0, 1}) {
        const auto lane = [&]() -> pipeline::lane& { return which ? lanes_->spoke_to_home : lanes_->home_to_spoke; };
        moved |= step_reader(lane());
        moved |= step_applier(lane());
        config_.tune.heartbeat_s = 0;
      }
      moved |= is_being_filled(home_) || is_being_filled(spoke_);
      for (const memory_database* db : {&home_, &spoke_}) moved |= plan_.merged && (db->copies.empty() || !db->copies[0].done);
      quiet = moved ? 0 : quiet + 1;
    }
    return plan_.relatives ? check_family() : check();
  } catch (const failure& f) {
    return std::string(name(f.kind)) + ": " + f.what();
  }
}

std::string world::logs() const {
  std::string out;
  const auto row = [](const std::optional<text_row>& r) {
    std::string text = "(";
    if (r)
      for (const auto& v : *r) text += v.value_or("-") + " ";
    return text + ")";
  };
  for (const memory_database* db : {&home_, &spoke_}) {
    out += std::string("log of ") + std::string(duet::name(db->which)) + "\n";
    for (const auto& t : db->log) {
      out += "  " + std::to_string(t.position.value) + " at " + std::to_string(t.time_us);
      if (t.ours) out += "  ours, position " + std::to_string(t.control.position.value) + " floor " + std::to_string(t.control.floor.value);
      out += "\n";
      for (const auto& c : t.changes)
        out += "      " + (plan_.relatives ? mapping_.tables[c.table].home.name + " " : "") + std::string(duet::name(c.op)) + " " + row(c.before) + " -> " + row(c.after) +
               (c.op == operation::refresh ? " by home " + std::to_string(c.decided.by_home.fields) + " by spoke " + std::to_string(c.decided.by_spoke.fields) : "") + "\n";
    }
    for (const auto& h : db->held) out += "  held " + h.table + " " + std::string(duet::name(h.op)) + " " + h.key + " " + h.before_row + " -> " + h.after_row + ": " + h.reason + "\n";
    for (const auto& c : db->conflicts) out += "  conflict " + c.table + " " + c.type + " " + c.key + " home " + c.home_row + " spoke " + c.spoke_row + " result " + c.result_row + " " + c.rule + " " + c.winner + "\n";
  }
  return out;
}

std::uint64_t world::values_set() const {
  return static_cast<std::uint64_t>(std::count_if(home_.conflicts.begin(), home_.conflicts.end(), [](const conflict_entry& c) { return c.winner == "script"; }));
}

namespace {
// A copied row has the place of a transaction, but not its time.
bool is_of(const memory_database::transaction& t, const conflict_entry& c) { return c.rule != "initial" && c.spoke_position == t.position && c.spoke_time_us == t.time_us; }
}  // namespace

// Rows that no application has written are as the truth says, and each difference is logged once.
std::string world::check_merge(const std::set<std::string>& waiting) const {
  const auto &of_home = books_.initial[0], &of_spoke = books_.initial[1];
  for (const auto& k : keys_) {
    if (waiting.contains(k) || books_.touched.contains(k) || !(of_home.contains(k) || of_spoke.contains(k))) continue;
    const bool both = of_home.contains(k) && of_spoke.contains(k);
    text_row expected = of_home.contains(k) ? of_home.at(k) : of_spoke.at(k);
    if (both) {
      const text_row& theirs = of_spoke.at(k);
      const bool later = std::stol(*theirs[3]) > std::stol(*expected[3]);
      const text_row ours = expected;
      for (int c : {1, 2, 3}) {
        const conflict_policy& policy = mapping_.tables[0].policy;
        const bool counted = policy.deltas & policy.bit_of(static_cast<std::uint16_t>(c));
        bool from_spoke = false;
        if (plan_.owners && c != 3) from_spoke = c == 2;
        else if (counted) from_spoke = false;
        else if (*plan_.merged == merge_truth::spoke) from_spoke = true;
        else if (*plan_.merged == merge_truth::latest) from_spoke = later;
        else if (*plan_.merged == merge_truth::unite) from_spoke = !ours[c];
        else if (*plan_.merged == merge_truth::manual && ours[c] != theirs[c]) return "it should wait: " + k;
        if (from_spoke) expected[c] = theirs[c];
      }
    }
    if (home_.rows.at(k) != expected) return "not as the truth says: " + k;
    const auto entries = std::count_if(home_.conflicts.begin(), home_.conflicts.end(), [&](const conflict_entry& c) { return c.key.find("\"" + k + "\"") != std::string::npos; }) +
                         std::count_if(spoke_.conflicts.begin(), spoke_.conflicts.end(), [&](const conflict_entry& c) { return c.key.find("\"" + k + "\"") != std::string::npos; });
    if (entries != (both && of_home.at(k) != of_spoke.at(k))) return k + ": " + std::to_string(entries) + " entries for its difference";
  }
  return "";
}

std::string world::check_family() const {
  std::set<std::string> waiting, kept;
  const auto keep_values = [&](const std::string& json) {
    const std::string_view name = "\"value\":\"";
    const std::size_t at = json.find(name), begin = at + name.size();
    if (at != std::string::npos) kept.insert(json.substr(begin, json.find('"', begin) - begin));
  };
  for (const memory_database* db : {&home_, &spoke_}) {
    for (const auto& h : db->held) {
      waiting.insert(h.table + h.key);
      keep_values(h.before_row);
      keep_values(h.after_row);
    }
    for (const auto& c : db->conflicts) {
      if (c.rule == "drift" && plan_.relatives->tables == 2) return "taken for drift: " + c.table + " " + c.type + " " + c.key + " home " + c.home_row + " spoke " + c.spoke_row;
      keep_values(c.home_row);
      keep_values(c.spoke_row);
    }
  }
  const auto show = [](memory_database& db, std::uint16_t table, const std::string& k) {
    const auto it = db.of(table).find(k);
    if (it == db.of(table).end()) return std::string("absent");
    std::string out;
    for (const auto& v : it->second) out += v.value_or("NULL") + " ";
    return out;
  };
  auto &home = const_cast<memory_database&>(home_), &spoke = const_cast<memory_database&>(spoke_);
  for (std::uint16_t t = 0; t < 3; ++t)
    for (const std::string k : {"k1", "k2"}) {
      for (memory_database* db : {&home, &spoke})
        if (const auto it = db->of(t).find(k); it != db->of(t).end()) kept.insert(*it->second[1]);
      if (!waiting.contains("public." + mapping_.tables[t].home.name + "{\"id\":\"" + k + "\"}") && show(home, t, k) != show(spoke, t, k))
        return "not equal: " + mapping_.tables[t].home.name + " " + k + " home " + show(home, t, k) + "| spoke " + show(spoke, t, k);
    }
  for (const auto& v : books_.written)
    if (!kept.contains(v) && !books_.caused.contains(v)) return "value " + v + " vanished";
  return check_counters();
}

std::string world::check() const {
  const auto show = [](const std::map<std::string, text_row>& rows, const std::string& k) {
    const auto it = rows.find(k);
    if (it == rows.end()) return std::string("absent");
    std::string out;
    for (const auto& v : it->second) out += v.value_or("NULL") + " ";
    return out;
  };
  std::set<std::string> waiting;
  for (const memory_database* db : {&home_, &spoke_})
    for (const auto& h : db->held)
      for (const auto& k : keys_)
        if (h.key.find("\"" + k + "\"") != std::string::npos) waiting.insert(k);
  if (plan_.rule != conflict_rule::manual && plan_.deletes != delete_rule::manual && plan_.merged != merge_truth::manual)
    for (const memory_database* db : {&home_, &spoke_})
      for (const auto& h : db->held)
        if (plan_.per_mille_move == 0 || (h.reason.find("its key was changed") == std::string::npos && h.reason.find("waits behind") == std::string::npos))
          return "a row is held: " + h.reason;
  const auto stays = [&](side deleter, const std::string& k) {  // on the other side only, since this one has deleted it
    const memory_database &gone = deleter == side::home ? home_ : spoke_, &kept = deleter == side::home ? spoke_ : home_;
    const auto which = static_cast<int>(deleter);
    return plan_.keeps_deleted[which] && books_.deleted[which].contains(k) && !gone.rows.contains(k) && kept.rows.contains(k);
  };
  for (const auto& k : keys_)
    if (!waiting.contains(k) && !stays(side::home, k) && !stays(side::spoke, k) && show(home_.rows, k) != show(spoke_.rows, k)) return "not equal: " + k + " home " + show(home_.rows, k) + "| spoke " + show(spoke_.rows, k);
  if (plan_.deltas && !waiting.contains("cnt") && home_.rows.contains("cnt")) {
    const auto sum = books_.sums.find("cnt");
    long expected = sum == books_.sums.end() ? 0 : sum->second;
    if (plan_.merged) expected += std::stol(*books_.initial[0].at("cnt")[3]);
    for (const auto& t : spoke_.log) {  // what was given up with its transaction
      const bool given_up = plan_.whole_transactions && !t.ours && std::any_of(home_.conflicts.begin(), home_.conflicts.end(), [&](const conflict_entry& c) { return is_of(t, c); });
      for (const auto& c : t.changes)
        if (given_up && c.before && c.after && *(*c.after)[0] == "cnt") expected -= std::stol(*(*c.after)[3]) - std::stol(*(*c.before)[3]);
    }
    if (*home_.rows.at("cnt")[3] != std::to_string(expected)) return "the sum of the deltas is " + *home_.rows.at("cnt")[3] + ", not " + std::to_string(expected);
  }
  std::set<std::string> kept;
  for (const memory_database* db : {&home_, &spoke_})
    for (const auto& [k, row] : db->rows)
      for (int c : {1, 2}) kept.insert(row[c].value_or(""));
  const auto keep_numbers = [&](const std::string& json) {
    for (std::size_t i = 0; (i = json.find(":\"", i)) != std::string::npos;) {
      const std::size_t end = json.find('"', i += 2);
      kept.insert(json.substr(i, end - i));
    }
  };
  for (const memory_database* db : {&home_, &spoke_}) {
    for (const auto& c : db->conflicts) {
      // After a restart nobody knows what had crossed the end of a merge.
      if (c.rule == "drift" && !(plan_.merged && plan_.per_mille_crash)) return "taken for drift: " + c.type + " " + c.key + " home " + c.home_row + " spoke " + c.spoke_row;
      keep_numbers(c.home_row);
      keep_numbers(c.spoke_row);
    }
    for (const auto& h : db->held) keep_numbers(h.before_row), keep_numbers(h.after_row);
  }
  for (const auto& v : books_.written)
    if (!kept.contains(v) && !books_.caused.contains(v)) return "value " + v + " vanished";
  if (plan_.whole_transactions && waiting.empty())
    for (const auto& t : spoke_.log) {
      if (t.ours) continue;
      const auto changes = std::count_if(t.changes.begin(), t.changes.end(), [](const auto& c) { return c.before != c.after; });
      const auto given_up = std::count_if(home_.conflicts.begin(), home_.conflicts.end(), [&](const conflict_entry& c) { return is_of(t, c); });
      if (given_up != 0 && given_up != changes) return "of the transaction at " + std::to_string(t.position.value) + " of the spoke " + std::to_string(given_up) + " of " + std::to_string(changes) + " changes were given up";
    }
  if (plan_.merged)
    if (std::string wrong = check_merge(waiting); !wrong.empty()) return wrong;
  return check_counters();
}

std::string world::check_counters() const {
  std::vector<echo_difference> altered;
  for (const pipeline::echo_audit& a : link_->audit) a.compared(mapping_, altered);
  for (const auto& d : altered) return "the log of " + std::string(duet::name(d.at)) + " is said to have brought back another " + d.column + " than was sent";
  for (const pipeline::lane* l : {&lanes_->home_to_spoke, &lanes_->spoke_to_home}) {
    const lane_counters c = l->applying->counters();
    if (c.read != c.applied + c.unchanged + c.echoes + c.filtered + c.held_back + c.conflicts_lost + c.held + c.deletes_ignored) return "the counters of a lane do not add up: read " + std::to_string(c.read) + ", applied " + std::to_string(c.applied) + ", unchanged " + std::to_string(c.unchanged) + ", echoes " + std::to_string(c.echoes) + ", held back " + std::to_string(c.held_back) + ", lost " + std::to_string(c.conflicts_lost) + ", held " + std::to_string(c.held);
  }
  return "";
}

}  // namespace duet::testing
