// A database of its own with link, bookkeeping and slot; tables are mapped onto themselves.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "duet/failure.hpp"
#include "duet/mapping.hpp"
#include "postgres/site.hpp"
#include "postgres/target.hpp"
#include "support/servers.hpp"

namespace duet::postgres {

using cells = std::vector<std::optional<std::string>>;

class postgres_test : public ::testing::Test {
 protected:
  testing::private_postgres& server = testing::shared_postgres();
  const std::string database = server.make_database();
  const std::string link = database;  // slots and origins belong to the whole server

  void TearDown() override {
    target_.reset();
    site_.reset();
    try {
      site(at(), link).teardown();
    } catch (const failure& f) {
      ADD_FAILURE() << "teardown: " << f.what();
    }
  }

  endpoint at() const { return server.endpoint_of(database); }
  void sql(const std::string& text) { server.exec(text, database); }
  std::string scalar(const std::string& text) { return server.scalar(text, database).value_or("NULL"); }

  site& home() {
    if (!site_) {
      site_ = std::make_unique<site>(at(), link);
      site_->connect();
    }
    return *site_;
  }

  // Tables of schema public, all columns but generated ones.
  const mapping& map(const std::vector<std::string>& names) {
    mapping_.tables.clear();
    for (const std::string& name : names) {
      const auto found = home().load_tables({"public." + name});
      if (found.size() != 1) throw std::runtime_error("no table " + name);
      table_pair& pair = mapping_.tables.emplace_back();
      pair.id = static_cast<std::uint16_t>(mapping_.tables.size() - 1);
      pair.home = pair.spoke = found[0];
      std::vector<int> place(found[0].columns.size(), -1);
      for (std::size_t i = 0; i < found[0].columns.size(); ++i) {
        const column& c = found[0].columns[i];
        if (c.generated) continue;
        place[i] = static_cast<int>(pair.columns.size());
        column_pair both;
        both.home = both.spoke = c;
        pair.columns.push_back(both);
      }
      for (int i : found[0].primary_key) {
        pair.key.push_back(static_cast<std::uint16_t>(place[static_cast<std::size_t>(i)]));
        pair.columns[pair.key.back()].key = true;
      }
    }
    return mapping_;
  }

  // Sets up the link with these tables and opens the target.
  target& open(const std::vector<std::string>& names) {
    map(names);
    home().setup(mapping_);
    control.link = link;
    control.epoch = 1;
    control.position = {1000};
    home().init_control(control);
    target_ = std::make_unique<target>(at(), link, mapping_);
    target_->open();
    return *target_;
  }

  const table_pair& table(std::size_t i = 0) const { return mapping_.tables[i]; }

  // Cells that live as long as the test.
  row_view row(const cells& values) {
    auto& texts = texts_.emplace_back(values);
    auto& views = views_.emplace_back();
    for (const auto& v : texts) views.push_back(v ? cell::of(*v) : cell::null());
    return views.data();
  }

  run make_run(operation op, std::vector<std::uint16_t> columns, std::vector<std::uint16_t> guard = {}, std::size_t of = 0) {
    run r;
    r.table = &mapping_.tables[of];
    r.op = op;
    r.columns = std::move(columns);
    r.guard = std::move(guard);
    return r;
  }

  control_row next(std::uint64_t step = 10) const {
    control_row n = control;
    n.position.value += step;
    n.floor.value += step;
    ++n.counter;
    n.fingerprint = ~std::uint64_t{0} - n.counter;
    return n;
  }
  void begin() { target_->begin(control, next(), 1'700'000'000'123'456); }
  void commit() {
    target_->commit(next());
    control = next();
  }
  std::vector<std::uint32_t> apply(const run& r, insert_mode mode = insert_mode::trusting) {
    std::vector<std::uint32_t> unmatched;
    target_->apply(r, mode, unmatched);
    return unmatched;
  }
  std::vector<std::uint32_t> apply_alone(const run& r, insert_mode mode = insert_mode::trusting) {
    begin();
    auto unmatched = apply(r, mode);
    commit();
    return unmatched;
  }
  // What the first call throws, rolled back.
  template <class Call>
  failure failing(Call call) {
    try {
      call();
    } catch (const failure& f) {
      if (target_) target_->rollback();
      return f;
    }
    ADD_FAILURE() << "nothing was thrown";
    return failure(failure_kind::internal, "nothing was thrown");
  }

  control_row control;
  std::unique_ptr<target> target_;

 private:
  std::unique_ptr<site> site_;
  mapping mapping_;
  std::deque<cells> texts_;
  std::deque<std::vector<cell>> views_;
};

}  // namespace duet::postgres
