// The api_server: a supervisor over cachers, workers, the bootstrapper and the gateway, each restartable alone.
//
//   api::options options;
//   options.store = store_ref;                                  // a stable reference to the store
//   options.self = stable_ref<api::api_server_actor>::make(system, "root/api_server/front");
//   auto server = api::make_api_server(system, "root/api_server", options);
//   children.push_back(server.spec);                            // under the root supervisor
//   ... server.shared->ready() ... requests go to options.self
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "actors/api_server/gateway/gateway.hpp"
#include "actors/api_server/pipeline/shared.hpp"
#include "messages/api_server.hpp"
#include "messages/store.hpp"
#include "runtime/stable_ref.hpp"
#include "runtime/supervisor.hpp"

namespace troupe::api {

/// How an api_server runs.
struct options {
  runtime::stable_ref<store::store_actor> store;
  /// Gets its target here; everyone's handle of the api_server.
  runtime::stable_ref<api_server_actor> self;
  std::size_t workers = 2;    // for clients; as many serve components, and one what they report
  bool shared_store = false;  // other processes write to the store as well
  /// Where clients reach it; also the endpoint of the service default/kubernetes.
  std::string advertise_address = "127.0.0.1";
  std::uint16_t advertise_port = 6443;
  /// Answers pods/log, exec, attach and portforward; without one such requests get 503.
  node_proxy proxy;
  stream_stopper stop_stream;
  /// What carries them, for the gateway's clients.
  runtime::stable_ref<stream::relay_actor> relay;
  /// Further non-resource paths; may be empty.
  extra_paths extra;
  std::int64_t toleration_seconds = 300;  // see shared_state
  /// HTTPS endpoint; null: no gateway (tests, simulation).
  std::shared_ptr<gateway::endpoint> endpoint;
};

/// A supervised api_server, not started yet.
struct made_api_server {
  runtime::child_spec spec;              // for the parent supervisor
  std::shared_ptr<shared_state> shared;  // shared->ready() says whether /readyz is ok
};

/// Prepares the tree. `path` is the supervisor's path in the tree; its last part is the child's name.
made_api_server make_api_server(caf::actor_system& system, const std::string& path, const options& with);

/// Writes watch events as Tables and PartialObjectMetadata for the gateway.
gateway::event_renderer make_event_renderer();

}  // namespace troupe::api
