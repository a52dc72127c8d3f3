// The way to the kernel, as the proxy sees it; tests put their own in its place.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "actors/kube_proxy/core.hpp"

namespace troupe::kube_proxy {

/// Carries batches out, one at a time and in order.
class table_edge {
 public:
  virtual ~table_edge() = default;
  /// Carries out one batch. `done` gets the error, empty when all of it is in the kernel; it may be called in another
  /// thread, and is not called when stop() comes first.
  virtual void apply(std::shared_ptr<const batch> what, std::function<void(std::string error)> done) = 0;
  /// Returns when nothing is under way any more. `remove`: the table is deleted.
  virtual void stop(bool remove) = 0;
};

}  // namespace troupe::kube_proxy
