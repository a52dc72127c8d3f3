// See session_streams.hpp.
#include "runtime/link/session_streams.hpp"

#include <caf/actor_cast.hpp>

#include "runtime/link/wire.hpp"

namespace troupe::link {
namespace {

// What a source may send beyond its window: the last piece it read, and at the end what the kernel still had for it.
constexpr std::int64_t most_overdraft = 8 << 20;

container::failure lost_stream(const std::string& why) { return {container::fault::unavailable, why}; }

/// A code that is none of ours is unknown.
void settle(container::failure& why) {
  if (why.code > container::fault::unimplemented) why.code = container::fault::unknown;
}

}  // namespace

session_streams::place session_streams::of_relay(const caf::strong_actor_ptr& by, std::uint64_t id) {
  auto found = wire_ids_.find({caf::actor_cast<caf::actor_addr>(by), id});
  return found == wire_ids_.end() ? streams_.end() : streams_.find(found->second);
}

session_streams::place session_streams::of_node(std::uint64_t id, bool opened, const char* what) {
  auto found = streams_.find(id);
  if (found != streams_.end() && found->second.opened == opened) return found;
  // What crosses the client's leave is no offence.
  if (found != streams_.end() || id == 0 || id >= next_)
    with_.refuse("not_asked", std::string(what).append(" of a stream that nobody has"));
  return streams_.end();
}

void session_streams::forget(place which) {
  wire_ids_.erase({caf::actor_cast<caf::actor_addr>(which->second.by), which->second.id});
  streams_.erase(which);
}

void session_streams::open(const caf::strong_actor_ptr& by, const kubelet::open_pod_stream& order) {
  if (!by || of_relay(by, order.id) != streams_.end()) return;
  auto sent = order;
  sent.id = next_++;
  stream_state made{by, order.id};
  made.session = order.kind == container::stream_kind::port_forward && order.port == 0;
  wire_ids_[{caf::actor_cast<caf::actor_addr>(by), order.id}] = sent.id;
  streams_.emplace(sent.id, std::move(made));
  with_.send_out(frame_kind::open_stream, to_msgpack(sent));
}

void session_streams::input(const caf::strong_actor_ptr& by, const stream::chunk& m) {
  auto found = of_relay(by, m.id);
  if (found == streams_.end()) return;
  auto sent = m;
  sent.id = found->first;
  with_.send_out(frame_kind::stream_input, to_msgpack(sent));
}

void session_streams::credit(const caf::strong_actor_ptr& by, const stream::credit& m) {
  auto found = of_relay(by, m.id);
  if (found == streams_.end()) return;
  found->second.window += m.bytes;
  with_.send_out(frame_kind::output_credit, to_msgpack(stream::credit{found->first, m.bytes}));
}

void session_streams::close(const caf::strong_actor_ptr& by, const stream::close& m) {
  auto found = of_relay(by, m.id);
  if (found == streams_.end()) return;
  with_.send_out(frame_kind::stream_close, to_msgpack(stream::close{found->first}));
  forget(found);
}

bool session_streams::take(frame_kind kind, std::string_view payload) {
  auto pass = [&]<class T>(T what, void (session_streams::*to)(T)) {
    if (decode(payload, what))
      (this->*to)(std::move(what));
    else
      with_.unreadable(kind_name(kind).data());
    return true;
  };
  if (kind == frame_kind::stream_opened) return pass(stream::opened{}, &session_streams::on_opened);
  if (kind == frame_kind::stream_output) return pass(stream::chunk{}, &session_streams::on_output);
  if (kind == frame_kind::input_credit) return pass(stream::credit{}, &session_streams::on_credit);
  if (kind == frame_kind::stream_closed) return pass(stream::closed{}, &session_streams::on_closed);
  return false;
}

void session_streams::on_opened(stream::opened m) {
  auto found = of_node(m.id, false, "an answer");
  if (found == streams_.end()) return;
  auto& one = found->second;
  m.id = one.id;
  settle(m.error);
  in_.send_to(one.by, m);
  one.opened = true;
  if (one.session || !m.error.ok()) forget(found);
}

void session_streams::on_output(stream::chunk m) {
  auto found = of_node(m.id, true, "output");
  if (found == streams_.end()) return;
  auto& one = found->second;
  one.window -= static_cast<std::int64_t>(m.data.size());
  // Of its own channels a source says only that it takes no more.
  bool its_own = m.on == stream::channel::input || m.on == stream::channel::resize;
  bool known = m.on <= stream::channel::resize && (!its_own || m.data.empty());
  if (known && one.window >= -most_overdraft) {
    m.id = one.id;
    return in_.send_to(one.by, std::move(m));
  }
  with_.refuse("not_asked", known ? "more output than was asked for" : "output on a channel that has none");
  with_.send_out(frame_kind::stream_close, to_msgpack(stream::close{found->first}));
  in_.send_to(one.by, stream::closed{one.id, lost_stream("the node did not keep to the stream's rules")});
  forget(found);
}

void session_streams::on_credit(stream::credit m) {
  auto found = of_node(m.id, true, "credit");
  if (found != streams_.end()) in_.send_to(found->second.by, stream::credit{found->second.id, m.bytes});
}

void session_streams::on_closed(stream::closed m) {
  auto found = of_node(m.id, true, "an end");
  if (found == streams_.end()) return;
  m.id = found->second.id;
  settle(m.error);
  in_.send_to(found->second.by, std::move(m));
  forget(found);
}

void session_streams::end_all(const std::string& why) {
  for (const auto& [wire_id, one] : streams_) {
    if (one.opened)
      in_.send_to(one.by, stream::closed{one.id, lost_stream(why)});
    else
      in_.send_to(one.by, stream::opened{one.id, lost_stream(why)});
  }
  streams_.clear();
  wire_ids_.clear();
}

}  // namespace troupe::link
