// exec, attach and port-forward on their way between a client and the actor that has the stream of the container
// (messages/streams.hpp).
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include <caf/actor_addr.hpp>

#include "messages/streams.hpp"
#include "runtime/placement/peers.hpp"
#include "runtime/placement/relay_request.hpp"

namespace troupe::runtime {

/// Part of a node_relay; used in its handlers.
class pod_streams {
 public:
  pod_streams(actor_context& in, peers& all) : in_(in), peers_(all) {}

  /// Has the stream opened, then answers the request.
  void open(const relay_request& what);
  void on_opened(const caf::strong_actor_ptr& from, const stream::opened& m);
  void on_connect(const caf::strong_actor_ptr& from, const stream::connect& m);
  void on_chunk(const caf::strong_actor_ptr& from, const stream::chunk& m);
  void on_credit(const caf::strong_actor_ptr& from, const stream::credit& m);
  void on_close(const caf::strong_actor_ptr& from, const stream::close& m);
  void on_closed(const caf::strong_actor_ptr& from, const stream::closed& m);
  void on_down(const caf::actor_addr& who);
  /// Clients hear that their streams are over.
  void end_all();

 private:
  /// One stream to a container; of exec and attach a session has one, with the session's id.
  struct leg {
    caf::strong_actor_ptr source;        // monitored; null: not open yet
    std::vector<stream::chunk> waiting;  // of a client that is ahead of that; no more than its window
  };
  struct session {
    std::uint64_t request_id = 0;
    caf::strong_actor_ptr client;  // monitored
    bool answered = false;
    kubelet::open_pod_stream order;
    stable_ref<kubelet::kubelet_actor> kubelet;
    std::map<std::uint64_t, leg> legs;  // by id
    bool forwards() const { return order.kind == container::stream_kind::port_forward; }
  };
  using place = std::map<std::uint64_t, session>::iterator;

  place of(std::uint64_t id);
  /// The session, when the message is its client's.
  session* of_client(std::uint64_t id, const caf::strong_actor_ptr& from);
  void answer(std::uint64_t id, session& to);
  void drop_leg(leg& which, std::uint64_t id, bool tell);
  void forget(place which, bool tell);
  void give_up(std::uint64_t id);

  actor_context& in_;
  peers& peers_;
  std::map<std::uint64_t, session> sessions_;
  std::uint64_t next_ = 1;
};

}  // namespace troupe::runtime
