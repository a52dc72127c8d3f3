// Volumes of a pod: exactly one source each, and the rules of the source.
#include <algorithm>
#include <string>
#include <vector>

#include "actors/api_server/validation/names.hpp"
#include "actors/api_server/validation/pod_rules.hpp"
#include "actors/api_server/validation/quantities.hpp"
#include "actors/api_server/validation/volume_sources.hpp"

namespace troupe::api::rules {
namespace {

void check_source(error_list& errors, const path& at, const node& volume, const pod_scope& scope) {
  bool found = false;
  if (const node* empty_dir = get(&volume, "emptyDir")) {
    found = true;
    if (to_quantity(get(empty_dir, "sizeLimit")).nanos < 0)
      errors.forbidden(at.child("emptyDir.sizeLimit"), "SizeLimit field must be a valid resource quantity");
  }
  for (const auto& rule : volume_source_rules) {
    const node* source = get(&volume, rule.field);
    if (!source) continue;
    if (found)
      errors.forbidden(at.child(rule.duplicate_path), "may not specify more than 1 volume type");
    else
      rule.check(errors, at.child(rule.path), *source, scope);
    found = true;
  }
  if (!found) errors.required(at, "must specify a volume type");
}

/// The claim that a generic ephemeral volume makes is named after pod and volume.
std::string claim_name(const pod_scope& scope, std::string_view volume) {
  return std::string(text(scope.metadata, "name")) + "-" + std::string(volume);
}

bool names_generated_claim(const node* volumes, const pod_scope& scope, std::string_view claim) {
  bool found = false;
  each(volumes, [&](const node& v, std::size_t) {
    found = found || (has(&v, "ephemeral") && claim_name(scope, text(&v, "name")) == claim);
  });
  return found;
}

}  // namespace

void check_volumes(error_list& errors, const path& at, const node* volumes, pod_scope& scope) {
  const bool named_pod = !text(scope.metadata, "name").empty();
  each(volumes, [&](const node& volume, std::size_t i) {
    const path here = at.index(i);
    const auto name = text(&volume, "name");
    const auto before = errors.size();
    check_source(errors, here, volume, scope);
    if (named_pod && !name.empty() && has(&volume, "ephemeral")) {
      const auto claim = claim_name(scope, name);
      for (const auto& wrong : name_is_subdomain(claim, false))
        errors.invalid(here.child("name"), name, "PVC name " + go_quote(claim) + ": " + wrong);
    }
    if (name.empty())
      errors.required(here.child("name"));
    else
      errors.invalid(here.child("name"), name, dns1123_label(name));
    if (scope.volume(name)) errors.duplicate(here.child("name"), name);
    if (errors.size() == before) scope.volumes.emplace_back(name, &volume);
    const node* claim = get(&volume, "persistentVolumeClaim");
    if (claim && named_pod && names_generated_claim(volumes, scope, text(claim, "claimName")))
      errors.invalid(here.child("persistentVolumeClaim.claimName"), text(claim, "claimName"),
                     "must not reference a PVC that gets created for an ephemeral volume");
  });
}

void check_no_backsteps(error_list& errors, const path& at, std::string_view value) {
  for (std::string_view rest = value;;) {
    const auto slash = rest.find('/');
    if (rest.substr(0, slash) == "..") return errors.invalid(at, value, "must not contain '..'");
    if (slash == std::string_view::npos) return;
    rest.remove_prefix(slash + 1);
  }
}

void check_descending_path(error_list& errors, const path& at, std::string_view value) {
  if (value.starts_with('/')) errors.invalid(at, value, "must be a relative path");
  check_no_backsteps(errors, at, value);
}

void check_local_path(error_list& errors, const path& at, std::string_view value) {
  check_descending_path(errors, at, value);
  if (value.starts_with("..") && !value.starts_with("../")) errors.invalid(at, value, "must not start with '..'");
}

void check_file_mode(error_list& errors, const path& at, const node* mode) {
  if (mode && (mode->integer() > 0777 || mode->integer() < 0))
    errors.invalid(at, mode->integer(), "must be a number between 0 and 0777 (octal), both inclusive");
}

void check_key_to_path(error_list& errors, const path& at, const node& item) {
  const auto file = text(&item, "path");
  if (text(&item, "key").empty()) errors.required(at.child("key"));
  if (file.empty()) errors.required(at.child("path"));
  check_local_path(errors, at.child("path"), file);
  check_file_mode(errors, at.child("mode"), get(&item, "mode"));
}

}  // namespace troupe::api::rules
