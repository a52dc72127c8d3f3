// See upgraded.hpp.
#include "actors/api_server/gateway/upgraded.hpp"

#include <utility>

namespace troupe::gateway {
namespace {

// More than the streams' windows together means that the client makes us answer (pings) and does not read.
constexpr std::size_t max_queued = 24 << 20;
constexpr std::size_t max_answers_ahead = 256 << 10;
// kubectl gives up a connection on which nothing answers its pings for a minute.
constexpr std::uint64_t pong_period_us = 5'000'000;

}  // namespace

upgraded::upgraded(const upgrade_choice& chosen, std::string_view target, std::uint64_t stream_id, stream_port& to)
    : websocket_(!chosen.accept.empty()),
      stream_id_(stream_id),
      port_(to),
      speaker_(make_speaker(chosen, target, stream_id, *this)) {}

upgraded::~upgraded() { port_.pass(stream::close{stream_id_}); }

void upgraded::receive(std::string_view data) {
  if (ending_) return;
  if (websocket_) {
    if (!decoder_.feed(data)) end(decoder_.failure());
  } else if (!speaker_->hear(data, false, false)) {
    end(wire::ws_close::protocol_error);
  }
}

bool upgraded::wants_input() const { return ending_ || (queued_ < max_answers_ahead && speaker_->wants_input()); }

void upgraded::on_message(bool, std::string_view piece, bool begins, bool ends) {
  // Whether text or binary does not matter, as to Kubernetes: Python's client sends both.
  if (!ending_ && !speaker_->hear(piece, begins, ends)) end(wire::ws_close::protocol_error);
}

void upgraded::on_control(wire::ws_opcode what, std::string_view payload) {
  if (ending_) return;
  if (what == wire::ws_opcode::close) return end(wire::ws_close::normal);
  if (what != wire::ws_opcode::ping) return;
  std::string answer;
  wire::append_frame(answer, wire::ws_opcode::pong, payload);
  put(std::move(answer));
}

void upgraded::say(std::string_view head, std::string_view payload, std::uint64_t stream_id, std::size_t credit) {
  if (ending_) return;
  piece_out made{{}, stream_id, credit};
  made.bytes.reserve(head.size() + payload.size() + 16);
  if (websocket_) wire::append_frame_head(made.bytes, wire::ws_opcode::binary, head.size() + payload.size());
  made.bytes += head;
  made.bytes += payload;
  queued_ += made.bytes.size();
  queue_.push_back(std::move(made));
  if (queued_ > max_queued) end(wire::ws_close::too_big);
}

void upgraded::put(std::string bytes) {
  queued_ += bytes.size();
  queue_.push_back({std::move(bytes), 0, 0});
}

void upgraded::end(wire::ws_close why) {
  if (std::exchange(ending_, true) || !websocket_) return;
  std::string last;
  wire::append_close(last, why);
  put(std::move(last));
}

void upgraded::fill(std::string& out, std::size_t room) {
  // One WebSocket message a time, which makes it a TLS record of its own: Python's client polls the socket and does not
  // see a second message that OpenSSL has already read.
  while (!queue_.empty() && out.size() < room && (!websocket_ || out.empty())) {
    auto front = std::move(queue_.front());
    queue_.pop_front();
    queued_ -= front.bytes.size();
    out += front.bytes;
    if (front.credit > 0) port_.pass(stream::credit{front.stream_id, static_cast<std::uint32_t>(front.credit)});
  }
}

void upgraded::tick(std::uint64_t now_us) {
  speaker_->tick(now_us);
  // A client that is not read from gets no answers to its pings: it shall not take that for a dead connection.
  if (!websocket_ || ending_ || speaker_->wants_input()) {
    pong_due_us_ = now_us + pong_period_us;
  } else if (now_us >= pong_due_us_ && queue_.empty()) {
    pong_due_us_ = now_us + pong_period_us;
    std::string pong;
    wire::append_frame(pong, wire::ws_opcode::pong, {});
    put(std::move(pong));
  }
}

}  // namespace troupe::gateway
