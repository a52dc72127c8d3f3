// The root CA publisher: every living namespace has a ConfigMap "kube-root-ca.crt" with the cluster's authority.
#pragma once

#include <string>

#include "messages/controller.hpp"
#include "messages/message.hpp"

namespace troupe::controllers {

/// See the top of this file. Semantics: k8s.io/kubernetes/pkg/controller/certificates/rootcacertpublisher.
class root_ca_core final : public controller::core {
 public:
  /// `authority`: PEM text.
  explicit root_ca_core(std::string authority) : authority_(std::move(authority)) {}
  std::string_view name() const override { return "root-ca-cert-publisher"; }
  std::vector<controller::source> sources() const override;
  std::string settings() const override { return to_msgpack(authority_); }
  std::vector<controller::effect> observe(const controller::object_changed& change,
                                          const controller::caches& view) override;
  std::vector<controller::effect> reconcile(const controller::key_due& due, const controller::caches& view) override;

 private:
  enum : std::uint32_t { namespaces = 0, maps = 1 };
  std::string authority_;
};

}  // namespace troupe::controllers
