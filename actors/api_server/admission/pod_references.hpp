// Which objects a pod refers to, of whatever place in its spec. Source: Kubernetes' pkg/api/v1/pod
// (VisitPodSecretNames, VisitPodConfigmapNames).
#pragma once

#include <string_view>

#include "messages/document.hpp"

namespace troupe::api::rules {

/// Whether a pod's spec has a volume of that kind: "persistentVolumeClaim".
bool has_volume(const node& spec, std::string_view kind);
/// Whether a projected volume has a source of that kind: "serviceAccountToken".
bool has_projection(const node& spec, std::string_view kind);
/// By pull secrets, environment, volumes, and drivers of volumes.
bool refers_to_secrets(const node& spec);
/// By environment and volumes.
bool refers_to_config_maps(const node& spec);

}  // namespace troupe::api::rules
