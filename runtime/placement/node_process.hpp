// A process that is nodes only: runtime drivers, kubelets and kube_proxy of this machine, and a link for each node to a
// control plane on another one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <caf/fwd.hpp>

#include "messages/status.hpp"
#include "runtime/config.hpp"
#include "runtime/node_certificate.hpp"
#include "runtime/services.hpp"

namespace troupe::runtime {

/// See the top of this file. The nodes work on while there is no control plane.
class node_process {
 public:
  /// Gets the certificates of the nodes of these names, or does nothing where they are there.
  using provision = std::function<status(const configuration& config, const std::vector<std::string>& names)>;

  /// `provide` may be empty.
  explicit node_process(configuration config, provision provide = {});
  ~node_process();
  node_process(const node_process&) = delete;
  node_process& operator=(const node_process&) = delete;

  /// Starts every component. The links are opened in the background and kept.
  status start();
  /// False once the root supervisor gave up.
  bool running() const;
  /// Why it gave up.
  std::string failure() const;
  std::vector<std::string> names() const;
  /// Stops every component in reverse order and waits; false when something had to be left behind.
  bool stop();

  // For tests that are part of the process.
  /// Messages between its components pass here; to be called before start().
  void disturb(message_hooks* by);
  caf::actor_system& system();

 private:
  struct parts;
  std::unique_ptr<parts> parts_;
};

/// The certificate, key and authority of a node, read anew at each try to connect.
pki::node_files files_of_node(const configuration& config, const std::string& node);

}  // namespace troupe::runtime
