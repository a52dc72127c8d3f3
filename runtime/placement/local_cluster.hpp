// Local mode: the whole troupe in this process.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "messages/api_server.hpp"
#include "messages/status.hpp"
#include "runtime/config.hpp"
#include "runtime/services.hpp"
#include "runtime/stable_ref.hpp"

namespace troupe::runtime {

/// A cluster of one process: store, api_server, controllers, scheduler and nodes under one root supervisor.
class local_cluster {
 public:
  explicit local_cluster(configuration config);
  ~local_cluster();
  local_cluster(const local_cluster&) = delete;
  local_cluster& operator=(const local_cluster&) = delete;

  /// Makes certificates and the kubeconfig, opens the store and starts every component. The kubeconfig is written
  /// before /readyz answers.
  status start();
  /// False once the root supervisor gave up.
  bool running() const;
  /// Why it gave up.
  std::string failure() const;
  /// "https://127.0.0.1:6443".
  std::string server_url() const;
  const std::string& kubeconfig_path() const;
  /// Stops every component in reverse order and waits; false when something had to be left behind.
  bool stop();

  // For tests that are part of the process.
  /// Messages between its components pass here; to be called before start().
  void disturb(message_hooks* by);
  caf::actor_system& system();
  const stable_ref<api::api_server_actor>& server() const;
  /// Where it listens for links; it must.
  std::uint16_t link_port() const;

 private:
  struct parts;
  std::unique_ptr<parts> parts_;
};

}  // namespace troupe::runtime
