// A containerd of our own: made ready, started, and at the end removed with all it made. The keeper (keeper.hpp) is its
// supervisor; what is here blocks and is called before the actors start and after they have ended.
//
// When Troupe is killed, containerd goes with it (parent-death signal) and the containers live on under their shims;
// the next start finds root and state where they were and containerd takes the containers over.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "actors/container_runtime/cri/child_process.hpp"
#include "actors/container_runtime/cri/containerd_config.hpp"
#include "messages/status.hpp"

namespace troupe::cri {

/// Why this machine cannot run a private containerd; empty: it can.
std::string why_not_private();

class private_containerd {
 public:
  ~private_containerd();

  /// Takes the data directory's lock, writes configuration and networks, ends what an earlier process left of
  /// containerd itself.
  static result<std::unique_ptr<private_containerd>> prepare(containerd_settings settings);

  const containerd_places& places() const { return at_; }
  /// Starts it unless it runs; `on_end` replaces the one before and is called from another thread, with the reason.
  std::string launch(std::function<void(std::string)> on_end);
  /// Nobody wants to hear of its end any more.
  void forget_listener();
  pid_t pid() const { return process_.pid(); }
  /// The node's pods get their addresses from that range from now on. An error is a text; empty: done.
  std::string use_range(std::size_t node, const std::string& pod_cidr);

  /// Stops and removes every pod, containerd itself, and all that it and the network plug-ins made but images.
  void remove_everything();

 private:
  explicit private_containerd(containerd_settings settings);
  status write_files();
  status write_network(std::size_t node) const;
  void end_predecessor();
  void tell_listener(const std::string& why);
  bool answers() const;

  containerd_settings settings_;
  containerd_places at_;
  int lock_ = -1;
  std::mutex mutex_;
  std::function<void(std::string)> on_end_;
  child_process process_;  // last: its thread uses the others
};

}  // namespace troupe::cri
