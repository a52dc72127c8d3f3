// The control plane's end: one port, one session actor for each link of a node or component that proved itself.
//
//   auto port = link::link_port::open("0.0.0.0", 6444, credentials, {});        // once; outlives the loop's crashes
//   link::listener_options how{*port, server_ref}; how.node_up = ...; how.node_down = ...;
//   children.push_back(link::listener_child(how));                              // under a supervisor
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "messages/api_server.hpp"
#include "messages/kubelet.hpp"
#include "runtime/link/limits.hpp"
#include "runtime/link/messages.hpp"
#include "runtime/link/tls.hpp"
#include "runtime/metrics.hpp"
#include "runtime/stable_ref.hpp"
#include "runtime/supervisor.hpp"

namespace troupe::link {

/// What was refused, by reason: connections and frames. Thread-safe; also a metric where there is a registry.
class refusals {
 public:
  explicit refusals(metrics::registry* all = nullptr) : all_(all) {}
  void count(const std::string& reason);
  std::uint64_t of(const std::string& reason) const;

 private:
  metrics::registry* all_;
  mutable std::mutex mutex_;
  std::map<std::string, std::uint64_t> counts_;
  std::map<std::string, metrics::counter*> counters_;
};

/// The bound port and its certificate. Thread-safe.
class link_port {
 public:
  /// Listens on a numeric address; port 0 takes a free one.
  static result<std::shared_ptr<link_port>> open(const std::string& address, std::uint16_t port,
                                                 const credentials& with, const limits& bounds,
                                                 metrics::registry* measured = nullptr);
  ~link_port();
  link_port(const link_port&) = delete;
  link_port& operator=(const link_port&) = delete;

  std::uint16_t port() const { return port_; }
  int socket() const { return socket_; }
  const limits& bounds() const { return bounds_; }
  refusals& refused() { return refused_; }
  /// What new connections are served with.
  ssl_context_ptr tls() const;
  /// New connections prove themselves with this from now on; those that are open go on.
  status renew(const credentials& with);

 private:
  link_port(const limits& bounds, metrics::registry* measured) : bounds_(bounds), refused_(measured) {}

  int socket_ = -1;
  std::uint16_t port_ = 0;
  limits bounds_;
  refusals refused_;
  mutable std::mutex mutex_;
  ssl_context_ptr tls_;
};

struct listener_options {
  std::shared_ptr<link_port> port;
  runtime::stable_ref<api::api_server_actor> server;
  std::vector<std::string> accounts = {};    // as which the controller manager's link may ask; see users_of()
  std::vector<std::string> not_wanted = {};  // users of components that run in this process without election: no links
  /// A node's link is open: by the newest its kubelet can be asked for logs. Called by the loop.
  std::function<void(const std::string& node, const kubelet::kubelet_actor& kubelet)> node_up = {};
  /// The last one is closed.
  std::function<void(const std::string& node)> node_down = {};
};

loop_handle spawn_listener(caf::actor_system& system, listener_options how);
/// The listener as a child named "link".
runtime::child_spec listener_child(listener_options how);

}  // namespace troupe::link
