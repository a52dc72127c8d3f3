// The endpoint slice controller: which pods serve a Service, as EndpointSlices.
#pragma once

#include <map>
#include <string>

#include "actors/controller_manager/common/selector.hpp"
#include "messages/controller.hpp"

namespace troupe::controllers {

/// See the top of this file. Semantics: k8s.io/endpointslice; at most 100 endpoints a slice.
class endpointslice_core final : public controller::core {
 public:
  static constexpr std::size_t max_endpoints = 100;

  std::string_view name() const override { return "endpointslice-controller"; }
  std::vector<controller::source> sources() const override;
  std::vector<controller::effect> observe(const controller::object_changed& change,
                                          const controller::caches& view) override;
  std::vector<controller::effect> reconcile(const controller::key_due& due, const controller::caches& view) override;

 private:
  enum : std::uint32_t { services = 0, pods = 1, slices = 2 };
  std::map<std::string, label_matcher> selectors_;  // by Service key; only Services that have one
};

}  // namespace troupe::controllers
