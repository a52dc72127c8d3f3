// The Deployment controller: one ReplicaSet per pod template, rolled from the old to the new one.
#pragma once

#include <map>
#include <set>
#include <string>

#include "messages/controller.hpp"

namespace troupe::controllers {

/// See the top of this file. Semantics: k8s.io/kubernetes/pkg/controller/deployment.
class deployment_core final : public controller::core {
 public:
  std::string_view name() const override { return "deployment-controller"; }
  std::vector<controller::source> sources() const override;
  std::vector<controller::effect> observe(const controller::object_changed& change,
                                          const controller::caches& view) override;
  std::vector<controller::effect> reconcile(const controller::key_due& due, const controller::caches& view) override;
  std::vector<controller::effect> written(const controller::write_done& done, const controller::caches& view) override;

  enum : std::uint32_t { deployments = 0, sets = 1 };
  enum : std::uint64_t { tag_other = 0, tag_create_set };

 private:
  std::map<std::string, std::string> owner_of_;           // Deployment uid by ReplicaSet key
  std::map<std::string, std::set<std::string>> sets_of_;  // ReplicaSet keys by Deployment uid
  std::map<std::string, std::string> creation_failures_;  // why the new ReplicaSet could not be made, by key
};

}  // namespace troupe::controllers
