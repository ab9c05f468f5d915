#include "postgres/source.hpp"

#include "postgres/pgoutput.hpp"
#include "postgres/replication.hpp"

namespace duet::postgres {
namespace {
constexpr std::size_t read_bytes_max = 100 << 10;
constexpr std::size_t message_overhead = 32;  // so that a stream of tiny messages also ends
}  // namespace

struct source::state {
  state(const endpoint& home, const std::string& link, const mapping& m)
      : at(home), tables(m), stream(at, link), decoder(tables, link) {}

  const endpoint at;
  const mapping& tables;
  replication_stream stream;
  pgoutput_decoder decoder;
  log_position read_up_to;
  bool told = false;  // the writer knows it

  void take(const replication_stream::message& message, block_writer& writer) {
    const log_position before = read_up_to;
    if (!message.data.empty()) {
      decoder.decode(message.data, writer);  // makes its own progress records
      read_up_to = std::max(read_up_to, decoder.end_of_last());
    } else if (!decoder.in_transaction()) {
      read_up_to = std::max(read_up_to, message.end_of_log);
      if (read_up_to > before) writer.progress(read_up_to);
    }
    if (read_up_to > before) stream.set_received(read_up_to);
  }
};

source::source(const endpoint& home, std::string link, const mapping& m) : state_(std::make_unique<state>(home, link, m)) {}
source::~source() = default;

void source::start(log_position from) {
  state& s = *state_;
  s.decoder.reset();
  s.stream.open();
  log_position fits_from;
  auto types = s.stream.load_types(s.tables, fits_from);
  for (std::size_t t = 0; t < types.size(); ++t) s.decoder.expect(t, std::move(types[t]));
  s.decoder.set_fits_from(fits_from);
  s.stream.start(from);
  // An idle server has nothing to say: without this we would not know for half a minute that we have read all.
  s.read_up_to = next_record(from);
  s.told = false;
}

bool source::read(block_writer& writer, std::chrono::milliseconds wait) {
  state& s = *state_;
  if (!s.told) writer.progress(s.read_up_to);
  s.told = true;
  std::size_t bytes = 0;
  bool waited = false;
  int receives = s.stream.receives_until_dry();
  while (bytes < read_bytes_max) {
    if (const auto message = s.stream.next()) {
      s.take(*message, writer);
      bytes += message->data.size() + message_overhead;
      receives = s.stream.receives_until_dry();
    } else if (receives > 0) {  // to ask the socket is cheaper than to sleep: the server sends row by row
      --receives;
      s.stream.receive();
    } else if (bytes == 0 && !waited) {
      s.stream.report_status_if_due();
      s.stream.wait(wait);
      waited = true;
      receives = s.stream.receives_until_dry();
    } else {
      break;
    }
  }
  s.stream.report_status_if_due();
  return bytes > 0;
}

void source::release(log_position released) { state_->stream.set_released(released); }

void source::finish(log_position released) noexcept {
  state_->stream.set_released(released);
  state_->stream.finish();
}

// May be called from within read(), by the writer that waits for room: the message at hand stays. What the server sends
// meanwhile need not be read: it is content with a status each second.
void source::keep_alive() { state_->stream.report_status_if_due(); }

log_position source::read_up_to() const { return state_->read_up_to; }
void source::interrupt() noexcept { state_->stream.interrupt(); }

}  // namespace duet::postgres
