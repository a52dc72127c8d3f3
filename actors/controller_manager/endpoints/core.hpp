// The endpoints controller: one Endpoints object per Service with a selector, for clients that still read the old API.
#pragma once

#include <map>
#include <set>
#include <string>

#include "actors/controller_manager/common/selector.hpp"
#include "messages/controller.hpp"

namespace troupe::controllers {

/// See the top of this file. Semantics: k8s.io/kubernetes/pkg/controller/endpoint. The API is deprecated (KEP-4974),
/// its controller still runs by default. Keys are Services.
class endpoints_core final : public controller::core {
 public:
  std::string_view name() const override { return "endpoint-controller"; }
  std::vector<controller::source> sources() const override;
  std::vector<controller::effect> observe(const controller::object_changed& change,
                                          const controller::caches& view) override;
  std::vector<controller::effect> reconcile(const controller::key_due& due, const controller::caches& view) override;

  enum : std::uint32_t { services = 0, pods = 1, endpoints = 2 };

 private:
  std::map<std::string, label_matcher> selectors_;  // by Service
  std::set<std::string> ended_;                     // Services seen to go: their Endpoints go too, whoever made them
};

}  // namespace troupe::controllers
