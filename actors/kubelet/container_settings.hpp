// From a pod to what the runtime is told: sandbox and container configurations. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "messages/container_runtime.hpp"
#include "messages/document.hpp"
#include "messages/status.hpp"

namespace troupe::kubelet {

/// What a pod cannot know of itself.
struct node_facts {
  std::string node_name;
  std::string host_ip;
  std::string cluster_domain = "cluster.local";
  std::vector<std::string> cluster_dns;  // empty: pods get the host's resolver
  std::int64_t milli_cpu = 0;            // allocatable
  std::int64_t memory = 0;
  std::int64_t ephemeral_storage = 0;
  std::string log_root = "/var/log/pods";  // of the pods' logs
  std::string cgroup_parent;               // of all pods; empty: the runtime's own choice
};

/// A config map or secret that a container's environment (or a volume) refers to.
struct reference {
  bool secret = false;
  std::string name;
  bool optional = false;
  friend auto operator<=>(const reference&, const reference&) = default;
};

/// What references_of named, as fetched. A null document: it does not exist.
struct env_sources {
  std::map<std::string, std::shared_ptr<const document>> config_maps, secrets;
  container::label_list services;  // NAME_SERVICE_HOST and friends
};

/// Everything that goes into a container besides the pod.
struct container_inputs {
  std::string name;
  std::uint32_t attempt = 0;
  std::string image_ref;
  std::vector<std::string> pod_ips;
  std::map<std::string, std::string> volume_paths;  // volume name: directory or file on the host
  std::vector<container::mount> extra_mounts;       // /etc/hosts and the like
  env_sources sources;
};

/// Config maps and secrets that the container's env and envFrom name, each once.
std::vector<reference> references_of(const document& pod, std::string_view container);

/// Errors are worded as they stand in the container's waiting state: `configmap "x" not found`.
result<container::container_config> build_container(const document& pod, const node_facts& node,
                                                    const container_inputs& in);

container::sandbox_config build_sandbox(const document& pod, const node_facts& node, std::uint32_t attempt);

/// Environment that makes the namespace's services known (enableServiceLinks): from core/v1 ServiceList documents.
container::label_list service_environment(const document& services);

/// $(NAME) replaced by what `find` knows; $$ is a dollar; what is unknown stays as written.
std::string expand(std::string_view text, const std::map<std::string, std::string>& known);

/// Value of a fieldRef path ("metadata.name", "metadata.labels['a']", "status.podIP"); false when there is no such
/// path.
bool field_value(const document& pod, const node_facts& node, const std::vector<std::string>& pod_ips,
                 std::string_view path, std::string& out);
/// Value of a resourceFieldRef ("limits.cpu") with its divisor.
bool resource_value(const document& pod, const node_facts& node, std::string_view container, std::string_view resource,
                    std::string_view divisor, std::string& out);

}  // namespace troupe::kubelet
