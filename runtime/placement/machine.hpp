// What runs containers on this machine for the nodes of a local cluster: nothing (hollow), a runtime that runs already,
// or a private containerd.
#pragma once

#include <memory>
#include <string>

#include "actors/container_runtime/cri/private_containerd.hpp"
#include "messages/status.hpp"
#include "runtime/config.hpp"

namespace troupe::runtime {

/// One per process. Settles nodes.runtime "auto".
class machine {
 public:
  /// Judges the configuration against this machine; in it, `auto` becomes what is taken. Refuses what this machine
  /// cannot do, and says why `auto` takes hollow.
  static result<std::unique_ptr<machine>> open(configuration& config);

  bool hollow() const { return socket_.empty(); }
  /// The runtime's socket.
  const std::string& socket() const { return socket_; }
  /// Null when the runtime is not ours.
  const std::shared_ptr<cri::private_containerd>& containerd() const { return containerd_; }
  /// This machine's address, for its nodes.
  const std::string& address() const { return address_; }
  /// Where pods' volumes and logs lie.
  const std::string& data_dir() const { return data_dir_; }

  /// The pods of the node of that index get addresses of that range from now on. An error is a text; empty: done.
  std::string use_range(std::size_t index, const std::string& pod_cidr) const;

  /// After all actors have ended: removes the nodes' pods and whatever was made for them. Blocks for seconds.
  void clean_up();

 private:
  machine() = default;
  status take_private(const configuration& config);

  std::string socket_;
  std::string address_;
  std::string data_dir_;
  std::vector<std::string> nodes_;
  std::shared_ptr<cri::private_containerd> containerd_;
};

/// Part `index` of the cluster's pod range: /24 each.
std::string pod_cidr_of(const std::string& cluster, std::size_t index);

/// Whether a controller manager elsewhere gives this process's nodes their pod ranges; otherwise they take the first
/// parts.
bool ranges_are_given(const configuration& config);

/// Name of a node: "hollow-0" or NAME_PREFIX0 for hollow ones; the host's name and HOST-1, ..., or NAME_PREFIX and
/// PREFIX-1, ... for those with containers.
std::string node_name(const configuration& config, std::size_t index);

}  // namespace troupe::runtime
