// Storage object in use protection: claims and volumes that are being deleted go when nobody uses them any more.
#pragma once

#include <string>

#include "messages/controller.hpp"

namespace troupe::controllers {

/// See the top of this file. Semantics: k8s.io/kubernetes/pkg/controller/volume/pvcprotection and pvprotection, which
/// take off the finalizers that admission puts on. Keys: "NAMESPACE/NAME" of a claim, "NAME" of a volume.
class storage_protection_core final : public controller::core {
 public:
  std::string_view name() const override { return "storage-protection-controller"; }
  std::vector<controller::source> sources() const override;
  std::vector<controller::effect> observe(const controller::object_changed& change,
                                          const controller::caches& view) override;
  std::vector<controller::effect> reconcile(const controller::key_due& due, const controller::caches& view) override;

  enum : std::uint32_t { claims = 0, volumes = 1, pods = 2 };
};

}  // namespace troupe::controllers
