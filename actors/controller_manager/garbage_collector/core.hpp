// The garbage collector: what its last owner leaves behind is deleted; foreground deletion and orphaning.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "messages/controller.hpp"

namespace troupe::controllers {

/// See the top of this file. Semantics: k8s.io/kubernetes/pkg/controller/garbagecollector. Keys are uids. The graph
/// holds every object that has owners or finalizers of the collector, and every owner that somebody names.
class garbage_collector_core final : public controller::core {
 public:
  garbage_collector_core();
  std::string_view name() const override { return "generic-garbage-collector"; }
  std::vector<controller::source> sources() const override;
  std::vector<controller::effect> observe(const controller::object_changed& change,
                                          const controller::caches& view) override;
  std::vector<controller::effect> reconcile(const controller::key_due& due, const controller::caches& view) override;
  std::vector<controller::effect> written(const controller::write_done& done, const controller::caches& view) override;

 private:
  struct owner_link {
    std::string uid, api_version, kind, name;
    bool blocks = false;  // blockOwnerDeletion
  };
  /// An object of the graph. `source` below 0: named as an owner but not seen.
  struct vertex {
    std::int32_t source = -1;
    std::string key;  // of the cache
    std::vector<owner_link> owners;
    std::set<std::string> dependents;  // uids
    bool deleting = false;
    bool foreground = false;    // has finalizer foregroundDeletion
    bool orphans = false;       // has finalizer orphan
    bool known_absent = false;  // the api_server says there is no such object
  };

  vertex read(std::uint32_t source, const std::string& key, const object& one) const;
  void link(const std::string& uid, vertex next);
  void unlink_owners(const std::string& uid);
  void drop_if_unused(const std::string& uid);
  std::string path_of(const vertex& one) const;
  std::vector<controller::effect> finish_foreground(const std::string& uid, const vertex& owner);
  std::vector<controller::effect> finish_orphaning(const std::string& uid, const vertex& owner);
  std::vector<controller::effect> judge_dependent(const std::string& uid, const vertex& one);
  void open_circle(const std::string& uid, const vertex& one, std::vector<controller::effect>& out) const;
  /// A strategic patch of the object's owner references: entries as JSON, merged by uid.
  controller::effect patch_owners(const std::string& uid, const vertex& one,
                                  const std::vector<std::string>& entries) const;
  controller::effect drop_finalizer(const std::string& uid, const vertex& one, std::string_view finalizer,
                                    const controller::caches& view);

  std::vector<std::uint16_t> resources_;      // schema index by source
  std::map<std::string, vertex> graph_;       // by uid
  const controller::caches* view_ = nullptr;  // during reconcile
  std::vector<std::string> asked_;            // uids of owners that GETs ask for; tag minus one is the index
};

}  // namespace troupe::controllers
