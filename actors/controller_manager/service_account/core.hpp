// The service account controller: every living namespace has a ServiceAccount "default".
#pragma once

#include "messages/controller.hpp"

namespace troupe::controllers {

/// See the top of this file. Semantics: k8s.io/kubernetes/pkg/controller/serviceaccount.
class service_account_core final : public controller::core {
 public:
  std::string_view name() const override { return "serviceaccount-controller"; }
  std::vector<controller::source> sources() const override;
  std::vector<controller::effect> observe(const controller::object_changed& change,
                                          const controller::caches& view) override;
  std::vector<controller::effect> reconcile(const controller::key_due& due, const controller::caches& view) override;

 private:
  enum : std::uint32_t { namespaces = 0, accounts = 1 };
};

}  // namespace troupe::controllers
