// See pod_references.hpp.
#include "actors/api_server/admission/pod_references.hpp"

#include "actors/api_server/validation/access.hpp"

namespace troupe::api::rules {
namespace {

/// What the environment of any container is taken from.
bool environment_from(const node& spec, std::string_view source, std::string_view whole) {
  bool found = false;
  for (std::string_view list : {"containers", "initContainers", "ephemeralContainers"})
    each(get(&spec, list), [&](const node& container, std::size_t) {
      each(get(&container, "env"),
           [&](const node& one, std::size_t) { found = found || has(get(&one, "valueFrom"), source); });
      each(get(&container, "envFrom"), [&](const node& one, std::size_t) { found = found || has(&one, whole); });
    });
  return found;
}

bool driver_refers_to_secret(const node& spec) {
  bool found = false;
  each(get(&spec, "volumes"), [&](const node& volume, std::size_t) {
    for (std::string_view driver : {"cephfs", "cinder", "flexVolume", "iscsi", "rbd", "scaleIO", "storageos"})
      found = found || has(get(&volume, driver), "secretRef");
    found = found || has(&volume, "azureFile") || has(get(&volume, "csi"), "nodePublishSecretRef");
  });
  return found;
}

}  // namespace

bool has_volume(const node& spec, std::string_view kind) {
  bool found = false;
  each(get(&spec, "volumes"), [&](const node& volume, std::size_t) { found = found || has(&volume, kind); });
  return found;
}

bool has_projection(const node& spec, std::string_view kind) {
  bool found = false;
  each(get(&spec, "volumes"), [&](const node& volume, std::size_t) {
    each(get(&volume, "projected", "sources"),
         [&](const node& source, std::size_t) { found = found || has(&source, kind); });
  });
  return found;
}

bool refers_to_secrets(const node& spec) {
  return count(&spec, "imagePullSecrets") > 0 || has_volume(spec, "secret") || has_projection(spec, "secret") ||
         driver_refers_to_secret(spec) || environment_from(spec, "secretKeyRef", "secretRef");
}

bool refers_to_config_maps(const node& spec) {
  return has_volume(spec, "configMap") || has_projection(spec, "configMap") ||
         environment_from(spec, "configMapKeyRef", "configMapRef");
}

}  // namespace troupe::api::rules
