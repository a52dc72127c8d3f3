// The ReplicaSet controller: as many active pods as the spec says.
#pragma once

#include <map>
#include <set>
#include <string>
#include <unordered_map>

#include "actors/controller_manager/common/pod_facts.hpp"
#include "actors/controller_manager/common/selector.hpp"
#include "messages/controller.hpp"
#include "messages/views/apps_v1.hpp"

namespace troupe::controllers {

/// See the top of this file. Pods created or deleted in one turn are at most `burst` (upstream's BurstReplicas).
class replicaset_core final : public controller::core {
 public:
  static constexpr std::size_t burst = 500;

  std::string_view name() const override { return "replicaset-controller"; }
  std::vector<controller::source> sources() const override;
  std::vector<controller::effect> observe(const controller::object_changed& change,
                                          const controller::caches& view) override;
  std::vector<controller::effect> reconcile(const controller::key_due& due, const controller::caches& view) override;
  std::vector<controller::effect> written(const controller::write_done& done, const controller::caches& view) override;

 private:
  enum : std::uint32_t { sets = 0, pods = 1 };
  enum : std::uint64_t { tag_create = 1, tag_delete, tag_status, tag_adopt };
  /// What a turn looks at.
  struct turn;

  std::vector<controller::effect> observe_set(const controller::object_changed& change);
  std::vector<controller::effect> observe_pod(const controller::object_changed& change, const controller::caches& view);
  void forget_pod(const std::string& key);
  void adopt_and_release(turn& now);
  void create_missing(turn& now, std::size_t count);
  void delete_surplus(turn& now, std::size_t count);
  void update_status(turn& now, bool failing);

  std::map<std::string, pod_facts> facts_;                // by pod key
  std::map<std::string, std::set<std::string>> pods_of_;  // pod keys by the controlling ReplicaSet's uid
  std::map<std::string, std::set<std::string>> orphans_;  // keys of uncontrolled pods by namespace
  std::map<std::string, std::string> creation_failures_;  // last message by ReplicaSet key
};

}  // namespace troupe::controllers
