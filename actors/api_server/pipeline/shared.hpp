// What the actors of one api_server share: the slots, the references to each other, and whether it is ready.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/api_server/cacher/slots.hpp"
#include "actors/api_server/discovery/discovery.hpp"
#include "messages/api_server.hpp"
#include "messages/cacher.hpp"
#include "messages/store.hpp"
#include "runtime/stable_ref.hpp"

namespace troupe::api {

/// A request that only the pod's node can answer (pods/log, exec, attach, portforward). Whoever takes it answers
/// `client` with a response of `id`; a log goes on as watch_delivery with watch_batch::raw, the others as the messages
/// of messages/streams.hpp.
struct node_request {
  std::uint64_t id = 0;
  api::client_actor client;
  std::string subresource;  // "log", "exec", "attach", "portforward"
  std::string node_name;
  object_ptr pod;
  std::string container;                                     // resolved: the only one, where none was named
  std::vector<std::pair<std::string, std::string>> options;  // of the query: follow, tailLines, sinceSeconds ...
  user_ptr user;
};
/// Takes the request; false when the node is out of reach (503 then). Called by workers, several at a time.
using node_proxy = std::function<bool(node_request)>;
/// A log that a node_proxy began (watch ids whose lower 16 bits are all set) has lost its reader.
using stream_stopper = std::function<void(std::uint64_t watch_id)>;

/// Answers non-resource paths that are not the api_server's own (/metrics, /debug/...), after authorisation; nothing
/// for a path it does not know. Called by workers, several at a time.
using extra_paths = std::function<std::optional<response>(const request&)>;

/// See the top of this file. Thread-safe; lives as long as any of the actors.
struct shared_state {
  std::shared_ptr<object_slots> slots = std::make_shared<object_slots>();
  runtime::stable_ref<store::store_actor> store;
  /// By index of the stored resource; empty for others.
  std::vector<runtime::stable_ref<cacher::cacher_actor>> cachers;
  node_proxy proxy;
  stream_stopper stop_stream;
  extra_paths extra;
  std::string server_address;  // "127.0.0.1:6443", for /api
  /// How long pods that say nothing tolerate a node that is not ready or unreachable; kube-apiserver's
  /// --default-not-ready-toleration-seconds.
  std::int64_t toleration_seconds = 300;
  std::atomic<std::uint64_t> watch_counter{0};
  /// The objects that every cluster has are there, and so everything has been read: they are looked for after that.
  /// Requests of others than system:masters wait for it.
  std::atomic<bool> bootstrapped{false};

  bool ready() const { return bootstrapped.load(); }
  std::vector<health_check> health() const;
};

}  // namespace troupe::api
