// Logs on their way from a runtime driver to a client: piece by piece, as fast as the client takes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include <caf/actor_addr.hpp>

#include "runtime/placement/peers.hpp"
#include "runtime/placement/relay_request.hpp"

namespace troupe::runtime {

/// Part of a node_relay; used in its handlers. Answers 400/404 Statuses as kube-apiserver does when a log cannot be
/// read.
class log_streams {
 public:
  log_streams(actor_context& in, peers& all) : in_(in), peers_(all) {}

  void open(const relay_request& what);
  void stop(std::uint64_t watch_id);
  /// The client has got rid of a piece.
  void taken(std::uint64_t watch_id);
  void pass_on(const caf::strong_actor_ptr& from, const container::log_chunk& chunk);
  void on_down(const caf::actor_addr& who);
  /// Readers of open logs hear of their end.
  void end_all();

 private:
  struct log {
    std::uint64_t request_id = 0;
    api::client_actor client;
    std::uint64_t watch_id = 0;
    bool answered = false;
    std::size_t untaken = 0;       // pieces that the client has not got rid of
    bool source_waits = false;     // for being asked for more
    caf::strong_actor_ptr source;  // monitored
  };
  using place = std::map<std::uint64_t, log>::iterator;

  place of_watch(std::uint64_t watch_id);
  void ask_for_more(std::uint64_t id, log& of);
  void close(log& of);
  void forget(place which);
  void give_up(std::uint64_t id);

  actor_context& in_;
  peers& peers_;
  std::map<std::uint64_t, log> logs_;  // by id of the read
  std::uint64_t next_ = 1;
};

}  // namespace troupe::runtime
