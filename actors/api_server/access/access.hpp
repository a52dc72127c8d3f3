// Authentication, impersonation and RBAC: who asks, and whether they may.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "actors/api_server/cacher/snapshot.hpp"
#include "actors/api_server/pipeline/request_context.hpp"
#include "messages/api_server.hpp"
#include "messages/document.hpp"
#include "messages/status.hpp"

namespace troupe::api {

constexpr std::string_view authentication_group = "authentication.k8s.io";

/// What is to be judged (authorizer.Attributes). Views live as long as the request.
struct attributes {
  std::string_view verb;  // "get", "create", ..., "impersonate", "bind", "escalate"
  bool resource_request = true;
  std::string_view group, version, resource, subresource, namespace_name, name;
  std::string_view path;  // nonresource only
  /// fieldSelector of a list, watch or deletecollection as sent ("spec.nodeName=n1"); the node authorizer judges by it.
  std::string_view field_selector;
};

/// Attributes of the request itself.
attributes attributes_of(const request_context& context);

/// An authorizer's verdict. Neither allowed nor denied is Kubernetes' NoOpinion, which ends as forbidden.
struct decision {
  bool allowed = false;
  bool denied = false;
  std::string reason;            // as RBAC puts it: `RBAC: allowed by ClusterRoleBinding "x" of ...`
  std::string evaluation_error;  // roles that bindings name but that do not exist, joined as Kubernetes does
};

/// RBAC (and system:masters, and the node authorizer's part that the bootstrap roles do not cover) over the cached
/// Role, ClusterRole, RoleBinding and ClusterRoleBinding snapshots. Compiled rules are kept until a snapshot changes.
/// One per worker: not for use by several threads.
class authorizer {
 public:
  explicit authorizer(const cluster_view& cluster);
  ~authorizer();
  authorizer(const authorizer&) = delete;
  authorizer& operator=(const authorizer&) = delete;

  decision decide(const user_info& user, const attributes& what);

  struct state;
  state& internals() { return *state_; }

 private:
  std::unique_ptr<state> state_;
};

/// The user that the request acts as: the certificate's or component's user, or system:anonymous where none was given,
/// after impersonation headers were judged. Errors: 401 for a refused certificate or token, 403 for a forbidden
/// impersonation, worded as Kubernetes does. Sets context.user and context.real_user. Groups system:authenticated resp.
/// system:unauthenticated are added here.
status authenticate(const request& incoming, authorizer& judge, request_context& context);

/// 403 Status unless the user may do what the request says: `pods is forbidden: User "u" cannot list resource "pods" in
/// API group "" in the namespace "n"`.
status authorise(authorizer& judge, const request_context& context);

/// Whether a resource is one of the create-only reviews (SubjectAccessReview, SelfSubjectRulesReview, TokenReview,
/// ...).
bool is_review(std::uint16_t resource);

/// Answers a create of a review: fills its status in the conformed, defaulted document. The pipeline encodes and sends
/// it; nothing is stored.
status answer_review(authorizer& judge, request_context& context, document& review);

/// RBAC's check against privilege escalation for creates and updates of (Cluster)Roles and (Cluster)RoleBindings.
/// `previous` is null on create. Not ok: 403 as Kubernetes words it.
status check_escalation(authorizer& judge, const request_context& context, const node* previous, const node& next);

/// The objects that must exist before the api_server is ready (RBAC bootstrap roles and bindings), each as JSON with
/// kind and apiVersion. Those already there are left as they are, except that missing rules and subjects are added
/// (rbac.authorization.kubernetes.io/autoupdate), see reconcile_bootstrap.
const std::vector<std::string>& bootstrap_objects();
/// Adds the rules or subjects that `wanted` has and `current` lacks; true when `current` was changed.
bool reconcile_bootstrap(document& current, const node& wanted);

}  // namespace troupe::api
