#include "postgres/target_pipeline.hpp"

#include <poll.h>

namespace duet::postgres {

target_pipeline::target_pipeline(PGconn* connection, std::chrono::milliseconds patience)
    : connection_(connection), patience_(patience) {
  enter();
}

void target_pipeline::enter() {
  if (PQenterPipelineMode(connection_) != 1) throw failure_of(connection_, nullptr, "starting a pipeline");
}

void target_pipeline::leave() {
  if (PQexitPipelineMode(connection_) != 1) throw failure_of(connection_, nullptr, "ending a pipeline");
}

void target_pipeline::broken(const char* doing) {
  queue_.clear();
  at_ = 0;
  error_.reset();
  throw failure(failure_kind::connection_lost, failure_of(connection_, nullptr, doing).what());
}

void target_pipeline::send_prepare(const char* name, const std::string& sql, int tag, std::size_t number, const char* doing) {
  if (PQsendPrepare(connection_, name, sql.c_str(), 0, nullptr) != 1) broken(doing);
  queue_.push_back({tag, number, doing});
}

void target_pipeline::send(const char* name, std::span<const parameter> parameters, int tag, std::size_t number,
                           const char* doing, bool binary_answer) {
  values_.clear();
  lengths_.clear();
  formats_.clear();
  for (const parameter& p : parameters) {
    values_.push_back(p.null ? nullptr : p.bytes.data() ? p.bytes.data() : "");
    lengths_.push_back(static_cast<int>(p.bytes.size()));
    formats_.push_back(p.binary);
  }
  if (PQsendQueryPrepared(connection_, name, static_cast<int>(parameters.size()), values_.data(), lengths_.data(),
                          formats_.data(), binary_answer) != 1)
    broken(doing);
  queue_.push_back({tag, number, doing});
}

void target_pipeline::send_sql(const char* sql, std::span<const parameter> parameters, int tag, std::size_t number,
                               const char* doing) {
  values_.clear();
  lengths_.clear();
  formats_.clear();
  for (const parameter& p : parameters) {
    values_.push_back(p.null ? nullptr : p.bytes.data() ? p.bytes.data() : "");
    lengths_.push_back(static_cast<int>(p.bytes.size()));
    formats_.push_back(p.binary);
  }
  if (PQsendQueryParams(connection_, sql, static_cast<int>(parameters.size()), nullptr, values_.data(), lengths_.data(),
                        formats_.data(), 0) != 1)
    broken(doing);
  queue_.push_back({tag, number, doing});
}

result_handle target_pipeline::next_result(const char* doing) {
  const auto deadline = std::chrono::steady_clock::now() + patience_;
  while (PQisBusy(connection_)) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) {
      queue_.clear();
      at_ = 0;
      error_.reset();
      throw failure(failure_kind::connection_lost, std::string(doing) + ": the server does not answer");
    }
    pollfd waiting{PQsocket(connection_), POLLIN, 0};
    poll(&waiting, 1, static_cast<int>(left));
    if (PQconsumeInput(connection_) != 1) broken(doing);
  }
  return result_handle(PQgetResult(connection_));
}

void target_pipeline::start_collecting() {
  at_ = 0;
  error_.reset();
  failed_tag_ = 0;
  if (PQpipelineSync(connection_) != 1) broken("sending to PostgreSQL");
}

void target_pipeline::note(failure f, int tag) {
  if (error_) return;
  error_ = std::make_unique<failure>(std::move(f));
  failed_tag_ = tag;
}

result_handle target_pipeline::read_answer(const queued_statement& statement) {
  result_handle result = next_result(statement.doing);
  if (!result) broken(statement.doing);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
    if (status != PGRES_PIPELINE_ABORTED) {
      note(failure_of(connection_, result.get(), statement.doing), statement.tag);
      if (error_->kind == failure_kind::connection_lost && PQstatus(connection_) != CONNECTION_OK) {
        failure lost = *error_;
        queue_.clear();
        at_ = 0;
        error_.reset();
        throw lost;
      }
    }
    result.reset();
  }
  while (next_result(statement.doing)) {
  }
  return result;
}

void target_pipeline::finish_collecting() {
  result_handle end = next_result("reading the end of a pipeline");
  if (!end || PQresultStatus(end.get()) != PGRES_PIPELINE_SYNC) broken("reading the end of a pipeline");
  queue_.clear();
  at_ = 0;
  if (!error_) return;
  failure f = *error_;
  error_.reset();
  throw f;
}

}  // namespace duet::postgres
