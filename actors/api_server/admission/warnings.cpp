// Deprecated or doubtful fields, and kinds that are kept but have no effect here.
#include "actors/api_server/admission/warnings.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "actors/api_server/validation/access.hpp"
#include "messages/schema/schema.hpp"

namespace troupe::api::rules {
namespace {

constexpr std::string_view without_effect[] = {
    "admissionregistration/v1.MutatingWebhookConfiguration",
    "admissionregistration/v1.ValidatingWebhookConfiguration",
    "admissionregistration/v1.ValidatingAdmissionPolicy",
    "admissionregistration/v1.ValidatingAdmissionPolicyBinding",
    "admissionregistration/v1.MutatingAdmissionPolicy",
    "admissionregistration/v1.MutatingAdmissionPolicyBinding",
    "apiextensions/v1.CustomResourceDefinition",
    "apiregistration/v1.APIService",
    "apps/v1.DaemonSet",
    "apps/v1.StatefulSet",
    "autoscaling/v1.HorizontalPodAutoscaler",
    "autoscaling/v2.HorizontalPodAutoscaler",
    "batch/v1.CronJob",
    "batch/v1.Job",
    "certificates/v1.CertificateSigningRequest",
    "core/v1.PersistentVolume",
    "core/v1.PersistentVolumeClaim",
    "core/v1.ReplicationController",
    "core/v1.ResourceQuota",
    "flowcontrol/v1.FlowSchema",
    "flowcontrol/v1.PriorityLevelConfiguration",
    "networking/v1.Ingress",
    "networking/v1.IngressClass",
    "networking/v1.NetworkPolicy",
    "networking/v1.ServiceCIDR",
    "resource/v1.ResourceClaim",
    "resource/v1.ResourceClaimTemplate",
    "resource/v1.DeviceClass",
    "resource/v1.ResourceSlice",
    "storage/v1.CSIDriver",
    "storage/v1.CSIStorageCapacity",
    "storage/v1.StorageClass",
    "storage/v1.VolumeAttachment",
    "storage/v1.VolumeAttributesClass",
};

/// The pod spec inside a workload, and where it is.
const node* pod_spec_of(std::string_view id, const node& object, std::string& at) {
  if (id == "core/v1.Pod") return at = "spec", get(&object, "spec");
  if (id == "batch/v1.CronJob")
    return at = "spec.jobTemplate.spec.template.spec", get(&object, "spec", "jobTemplate", "spec", "template", "spec");
  if (id == "core/v1.PodTemplate") return at = "template.spec", get(&object, "template", "spec");
  return at = "spec.template.spec", get(&object, "spec", "template", "spec");
}

void duplicate_env(std::vector<std::string>& out, const std::string& at, const node& container) {
  const node* env = get(&container, "env");
  each(env, [&](const node& variable, std::size_t i) {
    for (std::size_t k = 0; k < i; ++k)
      if (text(&env->element(k), "name") == text(&variable, "name") && !text(&variable, "name").empty()) {
        out.push_back(at + ".env[" + std::to_string(i) + "]: hides previous definition of \"" +
                      std::string(text(&variable, "name")) + "\", which may be dropped when using apply");
        return;
      }
  });
}

void pod_warnings(std::vector<std::string>& out, const std::string& at, const node* spec) {
  constexpr std::pair<std::string_view, std::string_view> old_selectors[] = {
      {"beta.kubernetes.io/arch", "kubernetes.io/arch"},
      {"beta.kubernetes.io/os", "kubernetes.io/os"},
      {"failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"},
      {"failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"},
      {"beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type"}};
  for (const auto& [old, now] : old_selectors)
    if (get(get(spec, "nodeSelector"), old))
      out.push_back(at + ".nodeSelector[" + std::string(old) + "]: deprecated since v1.14; use \"" + std::string(now) +
                    "\" instead");
  each(get(spec, "volumes"), [&](const node& volume, std::size_t i) {
    if (has(&volume, "gitRepo"))
      out.push_back(at + ".volumes[" + std::to_string(i) +
                    "].gitRepo: deprecated in v1.11, and disabled by default in v1.33+");
    if (has(&volume, "cephfs"))
      out.push_back(at + ".volumes[" + std::to_string(i) + "].cephfs: deprecated in v1.28, non-functional in v1.31+");
    if (has(&volume, "rbd"))
      out.push_back(at + ".volumes[" + std::to_string(i) + "].rbd: deprecated in v1.28, non-functional in v1.31+");
    if (has(&volume, "glusterfs"))
      out.push_back(at + ".volumes[" + std::to_string(i) +
                    "].glusterfs: deprecated in v1.25, non-functional in v1.26+");
  });
  for (std::string_view list : {"containers", "initContainers"})
    each(get(spec, list), [&](const node& container, std::size_t i) {
      duplicate_env(out, at + "." + std::string(list) + "[" + std::to_string(i) + "]", container);
    });
  if (number(spec, "terminationGracePeriodSeconds") < 0)
    out.push_back(at +
                  ".terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1");
}

}  // namespace

std::vector<std::string> warnings_for(std::uint16_t type, const node& object) {
  std::vector<std::string> out;
  const auto& t = schema::types()[type];
  const bool idle = std::find(std::begin(without_effect), std::end(without_effect), t.id) != std::end(without_effect);
  if (idle) out.push_back(std::string(t.name) + " objects are stored, but this server does not act on them yet");
  std::string at;
  if (const node* spec = pod_spec_of(t.id, object, at); spec && has(spec, "containers")) pod_warnings(out, at, spec);
  return out;
}

}  // namespace troupe::api::rules
