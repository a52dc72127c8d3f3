// The cloud's part of a node: provider id, place and addresses; the taint that keeps pods away until these are known;
// the node's end when its machine is gone.
#pragma once

#include <memory>

#include "messages/cloud.hpp"
#include "messages/controller.hpp"

namespace troupe::cloud {

/// See the top of this file. Semantics: k8s.io/cloud-provider/controllers/{node,nodelifecycle}; where these poll, this
/// looks when a node or what the provider knows has changed.
class node_core final : public controller::core {
 public:
  explicit node_core(std::unique_ptr<provider> of) : provider_(std::move(of)) {}
  std::string_view name() const override { return "cloud-node-controller"; }
  std::vector<controller::source> sources() const override;
  std::vector<controller::effect> observe(const controller::object_changed& change,
                                          const controller::caches& view) override;
  std::vector<controller::effect> reconcile(const controller::key_due& due, const controller::caches& view) override;

 private:
  enum : std::uint32_t { nodes = 0, provided = 1 };

  std::unique_ptr<provider> provider_;
};

}  // namespace troupe::cloud
