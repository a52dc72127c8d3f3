#include "actors/controller_manager/root_ca/core.hpp"

#include "actors/controller_manager/common/namespaces.hpp"
#include "actors/controller_manager/common/owner.hpp"
#include "actors/controller_manager/common/requests.hpp"
#include "messages/views/core_v1.hpp"

namespace troupe::controllers {
namespace {

constexpr const char* map_name = "kube-root-ca.crt";

}  // namespace

std::vector<controller::source> root_ca_core::sources() const {
  return {{"/api/v1/namespaces", {}, {}}, {"/api/v1/configmaps", {}, "metadata.name=kube-root-ca.crt"}};
}

std::vector<controller::effect> root_ca_core::observe(const controller::object_changed& change,
                                                      const controller::caches&) {
  return {controller::enqueue{change.key.substr(0, change.key.find('/')), 0}};
}

std::vector<controller::effect> root_ca_core::reconcile(const controller::key_due& due,
                                                        const controller::caches& view) {
  auto space = view.find(namespaces, due.key);
  if (!space || !is_active_namespace(*space)) return {};
  auto found = view.find(maps, due.key + "/" + map_name);
  document body;
  if (found) {
    body = decode(*found);
    if (core_v1::config_map_view(body).data().get("ca.crt") == authority_) return {};
  } else {
    body.make_object(body.root());
    body.set(body.root(), "apiVersion", "v1");
    body.set(body.root(), "kind", "ConfigMap");
  }
  core_v1::config_map_view wanted(body);
  if (!found) wanted.mutable_metadata().set_name(map_name);
  wanted.mutable_data().set("ca.crt", authority_);
  auto collection = collection_path("v1", due.key, "configmaps");
  if (found) return {replace(collection + "/" + map_name, to_json(body.root()), maps)};
  auto order = create(collection, to_json(body.root()), maps);
  order.tolerated = {reason::already_exists};
  return {std::move(order)};
}

}  // namespace troupe::controllers
