// The namespace controller: empties a namespace that is being deleted, then lets it go.
#pragma once

#include <map>
#include <string>

#include "actors/controller_manager/namespace/conditions.hpp"
#include "messages/controller.hpp"

namespace troupe::controllers {

/// See the top of this file. Semantics: k8s.io/kubernetes/pkg/controller/namespace/deletion; pods go first (KEP-5080).
///
/// A deletion takes several turns, each sent together and answered before the next: delete the pods, see whether any is
/// left; delete everything else, see whether any is left; finalize.
class namespace_core final : public controller::core {
 public:
  std::string_view name() const override { return "namespace-controller"; }
  std::vector<controller::source> sources() const override;
  std::vector<controller::effect> observe(const controller::object_changed& change,
                                          const controller::caches& view) override;
  std::vector<controller::effect> reconcile(const controller::key_due& due, const controller::caches& view) override;
  std::vector<controller::effect> written(const controller::write_done& done, const controller::caches& view) override;

 private:
  enum class stage { delete_pods, look_for_pods, delete_rest, look_for_rest, finalize };
  struct progress {
    stage next = stage::delete_pods;
    left_overs left;           // resources with objects at the last look
    std::uint64_t rounds = 0;  // of looking and finding something
  };
  std::vector<controller::effect> delete_all(const std::string& space, bool pods_only);
  std::vector<controller::effect> look(const std::string& space, bool pods_only);
  std::vector<controller::effect> judge(const controller::key_due& due, const object& space, progress& now);
  std::vector<controller::effect> finalize(const object& space);

  std::map<std::string, progress> deleting_;
};

}  // namespace troupe::controllers
