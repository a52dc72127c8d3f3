// exec, attach and port-forward on a node's end of a link: to the kubelet and the runtime driver it is the client's end
// of each stream.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include <caf/actor_addr.hpp>

#include "messages/kubelet.hpp"
#include "messages/streams.hpp"
#include "runtime/actor_context.hpp"
#include "runtime/link/frame.hpp"
#include "runtime/stable_ref.hpp"

namespace troupe::link {

/// See the top of this file. Part of a node_end; used in its handlers.
class node_streams {
 public:
  using sender = std::function<void(frame_kind, std::string)>;

  /// `kubelet` may be empty.
  node_streams(runtime::actor_context& in, runtime::stable_ref<kubelet::kubelet_actor> kubelet, sender send_out)
      : in_(in), kubelet_(std::move(kubelet)), send_out_(std::move(send_out)) {}

  /// A frame from the control plane; false when it is of no kind that is handled here, or cannot be read.
  bool take(frame_kind kind, std::string_view payload);

  // -- from the kubelet and the driver
  void on_opened(const caf::strong_actor_ptr& from, const stream::opened& m);
  void on_output(const stream::chunk& m) const;
  void on_credit(const stream::credit& m) const;
  void on_closed(const stream::closed& m);
  /// The streams of that source are over.
  void on_down(const caf::actor_addr& gone);
  /// No stream is open or about to be.
  bool idle() const { return streams_.empty(); }
  /// Sources are told that nobody is interested any more.
  void end_all();

 private:
  struct stream_state {
    bool session = false;  // of a port-forward: no stream of its own
    caf::strong_actor_ptr source;
  };

  void open(const kubelet::open_pod_stream& order);
  void close(std::uint64_t id);
  /// Sends to the stream's source, if it has one.
  template <class Message>
  void pass(const Message& what);

  runtime::actor_context& in_;
  runtime::stable_ref<kubelet::kubelet_actor> kubelet_;
  sender send_out_;
  std::unordered_map<std::uint64_t, stream_state> streams_;
  std::set<caf::actor_addr> monitored_;  // sources; a driver has one for all its streams
};

}  // namespace troupe::link
