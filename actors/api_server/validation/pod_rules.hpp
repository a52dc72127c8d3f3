// Validation of pods and of everything a pod template holds. `whole pod` rules apply to Pod only, not to templates.
#pragma once

#include <string_view>
#include <vector>

#include "actors/api_server/validation/access.hpp"
#include "actors/api_server/validation/field_errors.hpp"
#include "messages/document.hpp"

namespace troupe::api::rules {

/// Annotation of a mirror pod: the API's picture of a pod that a kubelet runs from a file.
constexpr std::string_view mirror_annotation = "kubernetes.io/config.mirror";
/// Annotations that chose AppArmor profiles before securityContext could; a container's name follows.
constexpr std::string_view app_armor_prefix = "container.apparmor.security.beta.kubernetes.io/";

/// What the parts of a pod spec need to know about each other while they are checked.
struct pod_scope {
  const node* metadata = nullptr;  // of the pod; null for a template
  const node* spec = nullptr;
  bool whole_pod = false;
  bool host_users = true;
  std::string_view restart_policy;
  const node* grace_period = nullptr;
  std::vector<std::pair<std::string_view, const node*>> volumes;  // those without errors
  std::vector<std::string_view> claims;                           // names in spec.resourceClaims

  const node* volume(std::string_view name) const {
    for (const auto& [known, source] : volumes)
      if (known == name) return source;
    return nullptr;
  }
};

// pod_spec.cpp
void check_pod_spec(error_list& errors, const path& at, const node* spec, const node* metadata, bool whole_pod);
void check_pod_template_spec(error_list& errors, const path& at, const node* spec_template);
/// Calls f(container, path) for init containers, containers and ephemeral containers.
template <class F>
void each_container(const node* spec, const path& at, F&& f) {
  for (std::string_view list : {"initContainers", "containers", "ephemeralContainers"}) {
    const path here = at.child(list);
    each(get(spec, list), [&](const node& c, std::size_t i) { f(c, here.index(i)); });
  }
}

// volumes.cpp: fills scope.volumes
void check_volumes(error_list& errors, const path& at, const node* volumes, pod_scope& scope);
void check_no_backsteps(error_list& errors, const path& at, std::string_view value);
void check_descending_path(error_list& errors, const path& at, std::string_view value);
// volume_projections.cpp
void check_key_to_path(error_list& errors, const path& at, const node& item);
void check_local_path(error_list& errors, const path& at, std::string_view value);
void check_file_mode(error_list& errors, const path& at, const node* mode);
void check_downward_file(error_list& errors, const path& at, const node& file);
void check_projected(error_list& errors, const path& at, const node& source);

// containers.cpp
void check_containers(error_list& errors, const path& at, const node* containers, const pod_scope& scope);
void check_init_containers(error_list& errors, const path& at, const node* containers, const pod_scope& scope);
void check_ephemeral_containers(error_list& errors, const path& at, const node* containers, const pod_scope& scope);
void check_image_spaces(error_list& errors, const path& at, const node& container);
void check_pull_policy(error_list& errors, const path& at, std::string_view policy);
// handlers.cpp
void check_lifecycle(error_list& errors, const path& at, const node& lifecycle, const pod_scope& scope);
void check_probes(error_list& errors, const path& at, const node& container, const pod_scope& scope);
/// A port number or name (IntOrString).
void check_port_or_name(error_list& errors, const path& at, const node* port);
// container_env.cpp
void check_env(error_list& errors, const path& at, const node* env);
void check_env_from(error_list& errors, const path& at, const node* sources);
void check_object_field(error_list& errors, const path& at, const node& selector, bool volume);
void check_resource_field(error_list& errors, const path& at, const node& selector, bool volume);
// container_mounts.cpp
void check_mounts(error_list& errors, const path& at, const node& container, const pod_scope& scope);
void check_devices(error_list& errors, const path& at, const node& container, const pod_scope& scope);
// resources.cpp
void check_container_resources(error_list& errors, const path& at, const node* resources, const pod_scope& scope);
void check_pod_resources(error_list& errors, const path& spec_path, const pod_scope& scope);
void check_resource_quantity(error_list& errors, const path& at, std::string_view name, const node& value);
void check_resource_name(error_list& errors, const path& at, std::string_view name);
bool integer_resource(std::string_view name);
bool standard_resource(std::string_view name);
/// "example.com/gpu": fully qualified, not kubernetes.io, no quota prefix.
bool extended_resource(std::string_view name);
// security.cpp
void check_security_context(error_list& errors, const path& at, const node* context, bool host_users);
void check_pod_security_context(error_list& errors, const path& at, const node* context, const node* spec);
void check_os(error_list& errors, const path& spec_path, const node* spec);
// scheduling.cpp
void check_affinity(error_list& errors, const path& at, const node* affinity);
void check_node_selector(error_list& errors, const path& at, const node* selector);
void check_tolerations(error_list& errors, const path& at, const node* tolerations);
void check_taint_effect(error_list& errors, const path& at, std::string_view effect, bool may_be_empty);
void check_topology_spread(error_list& errors, const path& at, const node* constraints);

// pod.cpp
void check_pod_create(error_list& errors, const node& pod);
// pod_update.cpp
void check_pod_update(error_list& errors, const node& pod, const node& previous);
void check_pod_status_update(error_list& errors, const node& pod, const node& previous);
void check_ephemeral_containers_update(error_list& errors, const node& pod, const node& previous);
void check_pod_annotations(error_list& errors, const path& at, const node* annotations, const node* spec);
void check_pod_metadata_and_spec(error_list& errors, const node& pod);

}  // namespace troupe::api::rules
