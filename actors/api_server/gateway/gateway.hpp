// The HTTPS gateway in front of the api_server: epoll threads, each with an actor inside, that turn HTTP/1.1 and HTTP/2
// into api::request and back.
//
//   auto opened = gateway::endpoint::open("127.0.0.1", 6443, credentials, 2, {});   // once; keeps the port over
//   crashes gateway::options options{*opened, api_ref, renderer}; for (auto& child : gateway::children(options))
//   specs.push_back(child);         // under a supervisor
//
// A loop that crashes loses its connections, not the port: its supervisor starts the next one on the same endpoint.
#pragma once

#include <memory>
#include <vector>

#include "actors/api_server/gateway/endpoint.hpp"
#include "actors/api_server/gateway/watch_feed.hpp"
#include "messages/api_server.hpp"
#include "messages/streams.hpp"
#include "runtime/stable_ref.hpp"
#include "runtime/supervisor.hpp"

namespace troupe::gateway {

/// A loop: asks the api_server, and is the client's end of streams.
using gateway_actor = api::client_actor::extend<caf::reacts_to<stream::chunk>, caf::reacts_to<stream::credit>,
                                                caf::reacts_to<stream::closed>>;

/// What the loops of one gateway need.
struct options {
  std::shared_ptr<endpoint> where;
  /// Answers requests. When its incarnation changes, unanswered requests fail at once and watches end.
  runtime::stable_ref<api::api_server_actor> api_server;
  /// Writes watch events that are not plain JSON; without one they are written as JSON.
  event_renderer renderer;
  /// Carries exec, attach, port-forward and logs; without one no stream is ever opened.
  runtime::stable_ref<stream::relay_actor> relay;
};

/// Starts loop `index` of the endpoint; there must be at most one of each index at a time.
gateway_actor spawn_loop(caf::actor_system& system, const options& with, std::size_t index);

/// One child for each loop: "gateway-0", "gateway-1", ...
std::vector<runtime::child_spec> children(const options& with);

}  // namespace troupe::gateway
