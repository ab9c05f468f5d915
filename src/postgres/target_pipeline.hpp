// libpq's pipeline mode as the target uses it: statements are queued, one Sync ends the queue, all answers are collected.
//
//   send*(...) send*(...) collect()      one round trip
//
// After an error the server skips what follows in the queue; collect() reads to the end of the queue in any case and then
// throws the first error, so that the connection can be used again at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "postgres/connection.hpp"

namespace duet::postgres {

// A parameter in PostgreSQL's binary format, or text.
struct parameter {
  std::string_view bytes;
  bool binary = false;
  bool null = false;
};

// Integers in network order, kept where a parameter can point to them.
class binary_int8 {
 public:
  explicit binary_int8(std::uint64_t value) {
    for (int i = 0; i < 8; ++i) bytes_[i] = static_cast<char>(value >> 8 * (7 - i));
  }
  parameter as_parameter() const { return {{bytes_, sizeof bytes_}, true, false}; }

 private:
  char bytes_[8];
};

class target_pipeline {
 public:
  // Which queued statement an answer belongs to; the meaning of `tag` is the caller's.
  struct answer {
    int tag;
    std::size_t number;
    result_handle& result;  // may be taken
  };

  // Enters pipeline mode. `patience` is how long an answer may take.
  target_pipeline(PGconn* connection, std::chrono::milliseconds patience);

  // `doing` is for error texts and must outlive the queue. Answers are in binary format if `binary_answer`.
  void send_prepare(const char* name, const std::string& sql, int tag, std::size_t number, const char* doing);
  void send(const char* name, std::span<const parameter>, int tag, std::size_t number, const char* doing,
            bool binary_answer = false);
  void send_sql(const char* sql, std::span<const parameter>, int tag, std::size_t number, const char* doing);
  bool queued() const { return !queue_.empty(); }

  // Calls `each(answer)`, which must not throw, for all good answers in order. Throws the first error; `failed_tag` then has its tag.
  template <class Each>
  void collect(Each each) {
    start_collecting();
    while (const queued_statement* statement = next_statement())
      if (result_handle result = read_answer(*statement)) each(answer{statement->tag, statement->number, result});
    finish_collecting();
  }
  int failed_tag() const { return failed_tag_; }

  // Out of pipeline mode and back, for COPY and simple queries. Nothing may be queued.
  void leave();
  void enter();

 private:
  struct queued_statement {
    int tag;
    std::size_t number;
    const char* doing;
  };
  void start_collecting();
  const queued_statement* next_statement() { return at_ < queue_.size() ? &queue_[at_++] : nullptr; }
  result_handle read_answer(const queued_statement&);  // null: an error, noted
  void finish_collecting();
  result_handle next_result(const char* doing);
  void note(failure, int tag);
  [[noreturn]] void broken(const char* doing);

  PGconn* connection_;
  std::chrono::milliseconds patience_;
  std::vector<queued_statement> queue_;
  std::size_t at_ = 0;
  std::unique_ptr<failure> error_;
  int failed_tag_ = 0;
  std::vector<const char*> values_;
  std::vector<int> lengths_, formats_;
};

}  // namespace duet::postgres
