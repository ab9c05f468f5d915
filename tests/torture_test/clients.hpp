// The applications of both sides. Each transaction tells the journal of its own side what it has written over what, in
// the same transaction: j(client, tx, tbl, k, op, before_row, after_row), which is not synced.
#pragma once

#include <atomic>
#include <memory>
#include <random>
#include <thread>

#include "duet/config.hpp"
#include "support/sql_session.hpp"
#include "torture_test/tables.hpp"

namespace duet::torture {

// How fast the clients go at the moment; anyone may look.
enum class phase { load, storm, quiet };

class client {
 public:
  client(side, int number, endpoint, const plan&, const std::atomic<phase>&);
  void stop();
  std::uint64_t committed() const { return committed_; }
  std::uint64_t failed() const { return failed_; }  // deadlocks, locks not got in time, lost connections

 private:
  struct entry {
    const table* in;
    long key;
    const char* op;
    std::optional<values> before, after;
  };
  struct way_back {  // of an ABA pair: this field shall have its old value again
    const table* in;
    long key;
    std::size_t field;
    std::optional<std::string> value;
  };

  void work(std::stop_token);
  void transaction();
  void change();
  void change_row(const table&, long key);
  void change_child(long key);
  void insert(const table&, long key);
  void update(const table&, long key, const values& before, values after);
  void remove(const table&, long key, const values& before);
  void touch_many(const table&);
  void swap_codes(const table&);
  void move(const table&, long key, const values& before);
  void transfer();
  void write_journal();

  std::optional<values> lock(const table&, long key);
  values fresh(const table&);
  std::optional<std::string> fresh(const field&, std::size_t index);
  long hot_key(const table&);
  bool chance(double p) { return std::uniform_real_distribution<>(0, 1)(random_) < p; }
  long below(long n) { return static_cast<long>(random_() % static_cast<unsigned long>(n)); }

  side side_;
  int number_;
  endpoint endpoint_;
  const plan& plan_;
  const std::atomic<phase>& phase_;
  std::mt19937 random_;
  std::discrete_distribution<std::size_t> pick_table_;
  std::unique_ptr<testing::sql_session> session_;
  std::vector<entry> journal_;
  std::optional<way_back> back_;
  long n_ = 0, tx_ = 0;
  std::atomic<std::uint64_t> committed_{0}, failed_{0};
  std::jthread thread_;
};

// Looks at the pairs of one side all the time: who sees another sum saw half a transaction.
class onlooker {
 public:
  explicit onlooker(endpoint);
  void stop();
  std::uint64_t looks() const { return looks_; }
  std::uint64_t torn() const { return torn_; }

 private:
  std::atomic<std::uint64_t> looks_{0}, torn_{0};
  std::jthread thread_;
};

}  // namespace duet::torture
