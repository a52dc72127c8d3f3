// The built-in admission plug-ins as functions, in the order they run. Each looks at one request and may change the
// object; a status that is not ok refuses it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "messages/document.hpp"
#include "messages/object.hpp"
#include "messages/schema/schema.hpp"
#include "messages/status.hpp"

namespace troupe::api::rules {

/// Other objects as a plug-in may look at them.
class object_source {
 public:
  virtual ~object_source() = default;
  /// The object or null. An empty namespace for cluster scope.
  virtual object_ptr find(std::uint16_t resource, std::string_view namespace_name, std::string_view name) const = 0;
  /// f returns false to stop. An empty namespace visits all.
  virtual void visit(std::uint16_t resource, std::string_view namespace_name,
                     const std::function<bool(const object&)>& f) const = 0;
};

enum class admission_action : std::uint8_t { create, update, remove };

/// One request as the plug-ins see it.
struct admission_request {
  admission_action action = admission_action::create;
  const schema::resource* info = nullptr;
  std::string_view subresource;
  std::string_view namespace_name;
  std::string_view name;
  const node* previous = nullptr;  // null on create
  document* object = nullptr;      // null on delete
  const object_source* others = nullptr;
  std::int64_t now_ms = 0;
  std::int64_t toleration_seconds = 300;  // of nodes that are not ready or unreachable, where a pod says nothing
  std::string_view kubelet = {};          // whose kubelet asks; empty: nobody's
  bool own_node = false;                  // that kubelet is of the server's own process (own_nodes_group)

  bool is(std::string_view group, std::string_view plural) const {
    return info->group == group && info->plural == plural;
  }
  bool creates_pod() const { return action == admission_action::create && subresource.empty() && is("", "pods"); }
};

/// pods "x" is forbidden: <message>
status refuse(const admission_request& request, std::string_view message);
/// Index of a resource of the table; the table is fixed, so callers keep it in a static.
std::uint16_t resource_index(std::string_view group, std::string_view plural);

status namespace_lifecycle(const admission_request& request);
status limit_ranger(const admission_request& request);
status service_account(const admission_request& request);
status taint_nodes_by_condition(const admission_request& request);
status pod_security(const admission_request& request);
status node_restriction(const admission_request& request);
status priority(const admission_request& request);
status default_toleration_seconds(const admission_request& request);
status default_storage_class(const admission_request& request);
status storage_object_in_use(const admission_request& request);
status runtime_class(const admission_request& request);
status default_ingress_class(const admission_request& request);

/// All of them.
status run_plugins(const admission_request& request);

}  // namespace troupe::api::rules
