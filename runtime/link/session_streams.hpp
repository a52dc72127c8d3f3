// exec, attach and port-forward on the control plane's end of a link: to the relay it is the container's end of each
// stream, to the node the client's. A node answers only for streams that were asked of it, and within their windows.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include <caf/actor_addr.hpp>

#include "messages/kubelet.hpp"
#include "messages/streams.hpp"
#include "runtime/actor_context.hpp"
#include "runtime/link/frame.hpp"

namespace troupe::link {

/// What session_streams needs of its session.
struct session_services {
  std::function<void(frame_kind, std::string)> send_out;
  /// Counts and logs what a node of ours would not send: reason, text.
  std::function<void(const std::string&, const std::string&)> refuse;
  /// Ends the link: a frame of that name cannot be read.
  std::function<void(const char*)> unreadable;
};

/// See the top of this file. Part of a session; used in its handlers.
class session_streams {
 public:
  session_streams(runtime::actor_context& in, session_services with) : in_(in), with_(std::move(with)) {}

  // -- from the relay
  void open(const caf::strong_actor_ptr& by, const kubelet::open_pod_stream& order);
  void input(const caf::strong_actor_ptr& by, const stream::chunk& m);
  void credit(const caf::strong_actor_ptr& by, const stream::credit& m);
  void close(const caf::strong_actor_ptr& by, const stream::close& m);

  /// A frame from the node; false when it is of no kind that is handled here.
  bool take(frame_kind kind, std::string_view payload);
  /// The link is lost: whoever has a stream hears of it.
  void end_all(const std::string& why);

 private:
  struct stream_state {
    caf::strong_actor_ptr by;
    std::uint64_t id = 0;  // of its choice
    bool session = false;  // of a port-forward: no stream of its own
    bool opened = false;
    std::int64_t window = stream::window_bytes;  // what the node may send yet; below zero by a little at the end
  };
  using place = std::map<std::uint64_t, stream_state>::iterator;
  using name = std::pair<caf::actor_addr, std::uint64_t>;

  place of_relay(const caf::strong_actor_ptr& by, std::uint64_t id);
  /// The open stream of a node's frame; end() and counted when it is none's.
  place of_node(std::uint64_t id, bool opened, const char* what);
  void forget(place which);
  void on_opened(stream::opened m);
  void on_output(stream::chunk m);
  void on_credit(stream::credit m);
  void on_closed(stream::closed m);

  runtime::actor_context& in_;
  session_services with_;
  std::map<std::uint64_t, stream_state> streams_;  // by the id on the wire
  std::map<name, std::uint64_t> wire_ids_;
  std::uint64_t next_ = 1;
};

}  // namespace troupe::link
