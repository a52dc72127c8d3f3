#include "actors/controller_manager/service_account/core.hpp"

#include "actors/controller_manager/common/namespaces.hpp"
#include "actors/controller_manager/common/requests.hpp"

namespace troupe::controllers {

std::vector<controller::source> service_account_core::sources() const {
  return {{"/api/v1/namespaces", {}, {}}, {"/api/v1/serviceaccounts", {}, "metadata.name=default"}};
}

std::vector<controller::effect> service_account_core::observe(const controller::object_changed& change,
                                                              const controller::caches&) {
  if (change.source == namespaces) return {controller::enqueue{change.key, 0}};
  if (change.now) return {};
  return {controller::enqueue{change.key.substr(0, change.key.find('/')), 0}};
}

std::vector<controller::effect> service_account_core::reconcile(const controller::key_due& due,
                                                                const controller::caches& view) {
  auto space = view.find(namespaces, due.key);
  if (!space || !is_active_namespace(*space) || view.find(accounts, due.key + "/default")) return {};
  auto order = create(collection_path("v1", due.key, "serviceaccounts"),
                      R"({"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"default"}})", accounts);
  order.tolerated = {reason::already_exists};
  return {std::move(order)};
}

}  // namespace troupe::controllers
