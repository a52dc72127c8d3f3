// A process without api_server and nodes: scheduler, controller manager, cloud controller manager, kube_proxy, or
// several of them, each with a link of its own to a control plane.
#pragma once

#include <memory>
#include <string>

#include "messages/status.hpp"
#include "runtime/config.hpp"

namespace troupe::runtime {

/// See the top of this file. Control loops run here while this process leads.
class component_process {
 public:
  explicit component_process(configuration config);
  ~component_process();
  component_process(const component_process&) = delete;
  component_process& operator=(const component_process&) = delete;

  /// Starts every component. The links are opened in the background and kept.
  status start();
  /// False once the root supervisor gave up.
  bool running() const;
  /// Why it gave up.
  std::string failure() const;
  /// Stops every component in reverse order and waits; false when something had to be left behind.
  bool stop();

 private:
  struct parts;
  std::unique_ptr<parts> parts_;
};

}  // namespace troupe::runtime
