// See node_streams.hpp.
#include "runtime/link/node_streams.hpp"

#include <utility>

#include "runtime/link/wire.hpp"

namespace troupe::link {

template <class Message>
void node_streams::pass(const Message& what) {
  auto found = streams_.find(what.id);
  if (found != streams_.end() && found->second.source) in_.send_to(found->second.source, what);
}

bool node_streams::take(frame_kind kind, std::string_view payload) {
  auto read = [&]<class T>(T what, auto&& then) {
    if (!decode(payload, what)) return false;
    then(what);
    return true;
  };
  if (kind == frame_kind::open_stream) return read(kubelet::open_pod_stream{}, [this](const auto& m) { open(m); });
  if (kind == frame_kind::stream_input) return read(stream::chunk{}, [this](const auto& m) { pass(m); });
  if (kind == frame_kind::output_credit) return read(stream::credit{}, [this](const auto& m) { pass(m); });
  if (kind == frame_kind::stream_close) return read(stream::close{}, [this](const auto& m) { close(m.id); });
  return false;
}

void node_streams::open(const kubelet::open_pod_stream& order) {
  if (!kubelet_)
    return send_out_(frame_kind::stream_opened,
                     to_msgpack(stream::opened{order.id, {container::fault::unavailable, "no kubelet here"}}));
  streams_[order.id].session = order.kind == container::stream_kind::port_forward && order.port == 0;
  in_.send_to(kubelet_.handle(), order);
}

void node_streams::close(std::uint64_t id) {
  pass(stream::close{id});
  streams_.erase(id);
}

void node_streams::on_opened(const caf::strong_actor_ptr& from, const stream::opened& m) {
  auto found = streams_.find(m.id);
  if (found == streams_.end()) {
    if (m.error.ok()) in_.send_to(from, stream::close{m.id});  // its client is gone
    return;
  }
  send_out_(frame_kind::stream_opened, to_msgpack(m));
  if (found->second.session || !m.error.ok()) {
    streams_.erase(found);
    return;
  }
  found->second.source = from;
  if (monitored_.insert(caf::actor_cast<caf::actor_addr>(from)).second) in_.actor().monitor(from);
}

void node_streams::on_output(const stream::chunk& m) const {
  if (streams_.count(m.id) > 0) send_out_(frame_kind::stream_output, to_msgpack(m));
}

void node_streams::on_credit(const stream::credit& m) const {
  if (streams_.count(m.id) > 0) send_out_(frame_kind::input_credit, to_msgpack(m));
}

void node_streams::on_closed(const stream::closed& m) {
  if (streams_.erase(m.id) > 0) send_out_(frame_kind::stream_closed, to_msgpack(m));
}

void node_streams::on_down(const caf::actor_addr& gone) {
  const container::failure lost{container::fault::unavailable, "the node's end of the stream is gone"};
  monitored_.erase(gone);
  for (auto at = streams_.begin(); at != streams_.end();) {
    bool its = at->second.source && caf::actor_cast<caf::actor_addr>(at->second.source) == gone;
    if (its) send_out_(frame_kind::stream_closed, to_msgpack(stream::closed{at->first, lost}));
    at = its ? streams_.erase(at) : std::next(at);
  }
}

void node_streams::end_all() {
  for (const auto& [id, one] : streams_)
    if (one.source) in_.send_to(one.source, stream::close{id});
  streams_.clear();
}

}  // namespace troupe::link
