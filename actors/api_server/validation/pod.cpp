// Pods as wholes: metadata, annotations with a meaning, creation.
#include <string>

#include "actors/api_server/validation/metadata.hpp"
#include "actors/api_server/validation/pod_rules.hpp"
#include "messages/number.hpp"

namespace troupe::api::rules {
namespace {

constexpr std::string_view deletion_cost = "controller.kubernetes.io/pod-deletion-cost";
constexpr std::string_view seccomp_pod = "seccomp.security.alpha.kubernetes.io/pod";
constexpr std::string_view seccomp_prefix = "container.seccomp.security.alpha.kubernetes.io/";

/// A 32 bit number without plus sign or leading zeros.
bool valid_cost(std::string_view value) {
  const auto number = number_in<std::int32_t>(value);
  return number && std::to_string(*number) == value;
}

bool has_container(const node* spec, std::string_view name) {
  bool found = false;
  const path root("");
  each_container(spec, root, [&](const node& c, const path&) { found = found || text(&c, "name") == name; });
  return found;
}

void check_seccomp_profile(error_list& errors, const path& at, std::string_view profile) {
  if (profile == "runtime/default" || profile == "docker/default" || profile == "unconfined") return;
  if (profile.starts_with("localhost/")) return check_descending_path(errors, at, profile.substr(10));
  errors.invalid(at, profile, "must be a valid seccomp profile");
}

void check_app_armor(error_list& errors, const path& at, std::string_view key, std::string_view profile,
                     const node* spec) {
  const path here = at.key(key);
  const auto name = key.substr(app_armor_prefix.size());
  if (!has_container(spec, name)) errors.invalid(here, name, "container not found");
  if (!profile.empty() && profile != "runtime/default" && profile != "unconfined" && !profile.starts_with("localhost/"))
    errors.invalid(here, profile, "invalid AppArmor profile name: " + go_quote(profile));
}

/// A token volume needs an account.
void check_token_volumes(error_list& errors, const path& at, const node* spec) {
  if (!text(spec, "serviceAccountName").empty()) return;
  const path volumes = at.child("volumes");
  each(get(spec, "volumes"), [&](const node& volume, std::size_t i) {
    const path here = volumes.index(i);
    const path sources = here.child("projected.sources");
    each(get(&volume, "projected", "sources"), [&](const node& source, std::size_t k) {
      const path place = sources.index(k);
      if (has(&source, "serviceAccountToken"))
        errors.forbidden(place.child("serviceAccountToken"),
                         "must not be specified when serviceAccountName is not set");
    });
  });
}

}  // namespace

void check_pod_annotations(error_list& errors, const path& at, const node* annotations, const node* spec) {
  if (!annotations || annotations->empty()) return;
  const node* value = get(annotations, mirror_annotation);
  if (value && text(spec, "nodeName").empty())
    errors.invalid(at.key(mirror_annotation), value->string(),
                   "must set spec.nodeName if mirror pod annotation is set");
  if (const node* cost = get(annotations, deletion_cost); cost && !valid_cost(cost->string()))
    errors.invalid(at.key(deletion_cost), cost->string(), "must be a 32bit integer");
  if (const node* profile = get(annotations, seccomp_pod))
    check_seccomp_profile(errors, at.child(seccomp_pod), profile->string());
  each_member(annotations, [&](std::string_view key, const node& profile) {
    if (key.starts_with(seccomp_prefix)) check_seccomp_profile(errors, at.child(key), profile.string());
  });
  each_member(annotations, [&](std::string_view key, const node& profile) {
    if (key.starts_with(app_armor_prefix)) check_app_armor(errors, at, key, profile.string(), spec);
  });
}

void check_pod_metadata_and_spec(error_list& errors, const node& pod) {
  const path meta("metadata"), spec_path("spec");
  const node *metadata = get(&pod, "metadata"), *spec = get(&pod, "spec");
  check_metadata(errors, meta, metadata, true, name_is_subdomain);
  check_pod_annotations(errors, meta.child("annotations"), get(metadata, "annotations"), spec);
  check_pod_spec(errors, spec_path, spec, metadata, true);
  check_token_volumes(errors, spec_path, spec);
  for (std::string_view list : {"containers", "initContainers"}) {
    const path here = spec_path.child(list);
    each(get(spec, list), [&](const node& c, std::size_t i) { check_image_spaces(errors, here.index(i), c); });
  }
}

void check_pod_create(error_list& errors, const node& pod) {
  check_pod_metadata_and_spec(errors, pod);
  const node* spec = get(&pod, "spec");
  if (count(spec, "ephemeralContainers") > 0)
    errors.forbidden(path("spec.ephemeralContainers"), "cannot be set on create");
  if (!text(spec, "nodeName").empty() && count(spec, "schedulingGates") > 0)
    errors.forbidden(path("spec.nodeName"), "cannot be set until all schedulingGates have been cleared");
}

}  // namespace troupe::api::rules
