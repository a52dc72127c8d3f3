// Storage object in use protection: claims and volumes that are being deleted go when nobody uses them any more.
#pragma once

#include <string>

#include "messages/controller.hpp"

namespace troupe::controllers {

/// See the top of this file. Semantics: k8s.io/kubernetes/pkg/controller/volume/pvcprotection and pvprotection, which
/// take off the finalizers that admission puts on. One runs for claims and one for volumes; keys are theirs.
class storage_protection_core final : public controller::core {
 public:
  enum class kind { claims, volumes };
  explicit storage_protection_core(kind of) : of_(of) {}
  std::string_view name() const override {
    return of_ == kind::claims ? "pvc-protection-controller" : "pv-protection-controller";
  }
  std::vector<controller::source> sources() const override;
  std::vector<controller::effect> observe(const controller::object_changed& change,
                                          const controller::caches& view) override;
  std::vector<controller::effect> reconcile(const controller::key_due& due, const controller::caches& view) override;

  enum : std::uint32_t { objects = 0, pods = 1 };

 private:
  kind of_;
};

}  // namespace troupe::controllers
