// The objects that every cluster has: namespaces, RBAC roles and bindings, priority classes, the kubernetes service.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "actors/api_server/pipeline/shared.hpp"
#include "messages/api_server.hpp"
#include "messages/document.hpp"
#include "messages/object.hpp"
#include "messages/store.hpp"
#include "messages/timer.hpp"
#include "runtime/component.hpp"
#include "runtime/stable_ref.hpp"

namespace troupe::api {

/// What it understands.
using bootstrap_actor =
    caf::typed_actor<caf::reacts_to<response>, caf::reacts_to<watch_delivery>, caf::reacts_to<store::txn_reply>,
                     caf::reacts_to<store::range_reply>, caf::reacts_to<store::ack>, caf::reacts_to<timer_due>>;

/// What it needs.
struct bootstrap_options {
  std::shared_ptr<shared_state> shared;
  runtime::stable_ref<api_server_actor> server;
  std::string advertise_address;  // IPv4 of the endpoint of default/kubernetes; empty: it has none
  std::uint16_t advertise_port = 6443;
};

/// Waits until all cachers are synced, creates what is missing, adds to RBAC objects what newer versions know, then
/// marks the api_server as started. From then on it keeps the system namespaces and default/kubernetes as they should
/// be, as k8s.io/kubernetes/pkg/controlplane/controller/{systemnamespaces,kubernetesservice} do. Where several
/// api_servers share the store, default/kubernetes has the addresses of all that live: each keeps a key of its own
/// below /registry/masterleases/ (pkg/controlplane/reconcilers/lease.go).
class bootstrapper final : public runtime::component<bootstrap_actor> {
 public:
  bootstrapper(caf::actor_config& settings, bootstrap_options options);
  behavior_type make_behavior() override;

 private:
  void look();
  void begin();
  void send(method verb, std::string target, std::string body);
  void ensure(const std::string& json);
  void repair(document& wanted, const object& found, const std::string& path);
  void announce();
  void on_announced(const store::range_reply& all);
  void ensure_endpoints();
  void keep();
  void done();
  void on_answer(const api::response& answer);

  bootstrap_options options_;
  std::uint64_t next_id_ = 1;
  std::size_t outstanding_ = 0;
  int phase_ = 0;  // namespaces first: everything else lives in them; last_phase: all is there, it is kept so
  bool failed_ = false;
  std::vector<std::string> addresses_;  // endpoints of default/kubernetes
};

}  // namespace troupe::api
