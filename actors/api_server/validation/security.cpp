// Security contexts of pods and containers, and the rules that hang on the operating system.
#include <algorithm>
#include <string>
#include <vector>

#include "actors/api_server/validation/names.hpp"
#include "actors/api_server/validation/pod_rules.hpp"

namespace troupe::api::rules {
namespace {

void check_id(error_list& errors, const path& at, const node* context, std::string_view field) {
  if (const node* id = get(context, field)) errors.invalid(at.child(field), id->integer(), user_id(id->integer()));
}

void check_seccomp(error_list& errors, const path& at, const node* profile) {
  if (!profile) return;
  const auto type = text(profile, "type");
  const node* local = get(profile, "localhostProfile");
  if (type.empty())
    errors.required(at.child("type"), "type is required when seccompProfile is set");
  else if (type != "Localhost" && type != "RuntimeDefault" && type != "Unconfined")
    errors.not_supported(at.child("type"), type, {"Localhost", "RuntimeDefault", "Unconfined"});
  if (type == "Localhost" && !local)
    errors.required(at.child("localhostProfile"), "must be set when seccomp type is Localhost");
  else if (type == "Localhost")
    check_descending_path(errors, at.child("localhostProfile"), local->string());
  else if (local)
    errors.invalid(at.child("localhostProfile"), profile, "can only be set when seccomp type is Localhost");
}

void check_app_armor(error_list& errors, const path& at, const node* profile) {
  if (!profile) return;
  const auto type = text(profile, "type");
  const node* local = get(profile, "localhostProfile");
  if (type.empty()) return errors.required(at.child("type"), "type is required when appArmorProfile is set");
  if (type == "RuntimeDefault" || type == "Unconfined") {
    if (local) errors.invalid(at.child("localhostProfile"), local, "can only be set when AppArmor type is Localhost");
    return;
  }
  if (type != "Localhost")
    return errors.not_supported(at.child("type"), type, {"Localhost", "RuntimeDefault", "Unconfined"});
  const auto name = text(local);
  const bool padded = !name.empty() && (name.front() == ' ' || name.back() == ' ' || name.back() == '\n');
  if (padded)
    errors.invalid(at.child("localhostProfile"), name, "must not be padded with whitespace");
  else if (name.empty())
    errors.required(at.child("localhostProfile"), "must be set when AppArmor type is Localhost");
  if (name.size() > 4095) errors.too_long(at.child("localhostProfile"), 4095);
}

/// Segments of lower case letters, digits, '-' and '_', separated by '.' or '/'.
bool sysctl_name(std::string_view name) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (name.size() > 253) return false;
  for (std::size_t start = 0;;) {
    const auto end = std::min(name.find_first_of("./", start), name.size());
    const auto segment = name.substr(start, end - start);
    if (segment.empty() || !plain(segment.front()) || !plain(segment.back())) return false;
    for (char c : segment)
      if (!plain(c) && c != '-' && c != '_') return false;
    if (end == name.size()) return true;
    start = end + 1;
  }
}

bool network_sysctl(std::string_view name) { return name.starts_with("net."); }
bool ipc_sysctl(std::string_view name) {
  return name.starts_with("kernel.shm") || name.starts_with("kernel.msg") || name == "kernel.sem" ||
         name.starts_with("fs.mqueue.");
}

void check_sysctls(error_list& errors, const path& at, const node* sysctls, const node* spec) {
  std::vector<std::string_view> seen;
  each(sysctls, [&](const node& sysctl, std::size_t i) {
    const path here = at.index(i);
    const auto name = text(&sysctl, "name");
    if (name.empty())
      errors.required(here.child("name"));
    else if (!sysctl_name(name))
      errors.invalid(here.child("name"), name,
                     "must have at most 253 characters and match regex "
                     "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$");
    else if (std::find(seen.begin(), seen.end(), name) != seen.end())
      errors.duplicate(here.child("name"), name);
    if (flag(spec, "hostNetwork") && network_sysctl(name))
      errors.invalid(here.child("name"), name, "may not be specified when 'hostNetwork' is true");
    else if (flag(spec, "hostIPC") && ipc_sysctl(name))
      errors.invalid(here.child("name"), name, "may not be specified when 'hostIPC' is true");
    seen.push_back(name);
  });
}

void check_choice(error_list& errors, const path& at, const node* context, std::string_view field,
                  std::initializer_list<std::string_view> known) {
  const node* value = get(context, field);
  if (value && std::find(known.begin(), known.end(), value->string()) == known.end())
    errors.not_supported(at.child(field), value->string(), known);
}

void check_escalation(error_list& errors, const path& at, const node* context) {
  const node* escalation = get(context, "allowPrivilegeEscalation");
  if (!escalation || escalation->boolean()) return;
  if (flag(context, "privileged"))
    errors.invalid(at, context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
  if (holds(get(context, "capabilities", "add"), "CAP_SYS_ADMIN"))
    errors.invalid(at, context, "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN");
}

void check_linux(error_list& errors, const path& at, const node* spec) {
  constexpr const char* refused = "windows options cannot be set for a linux pod";
  if (has(get(spec, "securityContext"), "windowsOptions"))
    errors.forbidden(at.child("securityContext.windowsOptions"), refused);
  each_container(spec, at, [&](const node& c, const path& here) {
    if (has(get(&c, "securityContext"), "windowsOptions"))
      errors.forbidden(here.child("securityContext.windowsOptions"), refused);
  });
}

void check_windows(error_list& errors, const path& at, const node* spec) {
  constexpr const char* refused = "cannot be set for a windows pod";
  const path context_path = at.child("securityContext");
  const node* context = get(spec, "securityContext");
  for (std::string_view field : {"appArmorProfile", "seLinuxOptions"})
    if (has(context, field)) errors.forbidden(context_path.child(field), refused);
  if (has(spec, "hostUsers")) errors.forbidden(at.child("hostUsers"), refused);
  for (std::string_view field : {"hostPID", "hostIPC"})
    if (flag(spec, field)) errors.forbidden(at.child(field), refused);
  for (std::string_view field : {"seccompProfile", "fsGroup", "fsGroupChangePolicy"})
    if (has(context, field)) errors.forbidden(context_path.child(field), refused);
  if (count(context, "sysctls") > 0) errors.forbidden(context_path.child("sysctls"), refused);
  if (has(spec, "shareProcessNamespace")) errors.forbidden(at.child("shareProcessNamespace"), refused);
  for (std::string_view field :
       {"runAsUser", "runAsGroup", "supplementalGroups", "supplementalGroupsPolicy", "seLinuxChangePolicy"})
    if (has(context, field)) errors.forbidden(context_path.child(field), refused);
  each_container(spec, at, [&](const node& c, const path& here) {
    const path place = here.child("securityContext");
    for (std::string_view field :
         {"appArmorProfile", "seLinuxOptions", "seccompProfile", "capabilities", "readOnlyRootFilesystem", "privileged",
          "allowPrivilegeEscalation", "procMount", "runAsUser", "runAsGroup"})
      if (has(get(&c, "securityContext"), field)) errors.forbidden(place.child(field), refused);
  });
}

}  // namespace

void check_security_context(error_list& errors, const path& at, const node* context, bool host_users) {
  if (!context) return;
  check_id(errors, at, context, "runAsUser");
  check_id(errors, at, context, "runAsGroup");
  if (const node* mount = get(context, "procMount")) {
    check_choice(errors, at, context, "procMount", {"Default", "Unmasked"});
    if (host_users && mount->string() == "Unmasked")
      errors.invalid(at.child("procMount"), "Unmasked", "`hostUsers` must be false to use `Unmasked`");
  }
  check_seccomp(errors, at.child("seccompProfile"), get(context, "seccompProfile"));
  check_escalation(errors, at, context);
  check_app_armor(errors, at.child("appArmorProfile"), get(context, "appArmorProfile"));
}

void check_pod_security_context(error_list& errors, const path& at, const node* context, const node* spec) {
  if (!context) return;
  check_id(errors, at, context, "fsGroup");
  check_id(errors, at, context, "runAsUser");
  check_id(errors, at, context, "runAsGroup");
  const path groups = at.child("supplementalGroups");
  each(get(context, "supplementalGroups"),
       [&](const node& id, std::size_t i) { errors.invalid(groups.index(i), id.integer(), group_id(id.integer())); });
  if (flag(spec, "hostPID") && flag(spec, "shareProcessNamespace"))
    errors.invalid(at.child("shareProcessNamespace"), true, "ShareProcessNamespace and HostPID cannot both be enabled");
  check_sysctls(errors, at.child("sysctls"), get(context, "sysctls"), spec);
  check_choice(errors, at, context, "fsGroupChangePolicy", {"Always", "OnRootMismatch"});
  check_seccomp(errors, at.child("seccompProfile"), get(context, "seccompProfile"));
  check_app_armor(errors, at.child("appArmorProfile"), get(context, "appArmorProfile"));
  check_choice(errors, at, context, "supplementalGroupsPolicy", {"Merge", "Strict"});
  check_choice(errors, at, context, "seLinuxChangePolicy", {"Recursive"});
}

void check_os(error_list& errors, const path& spec_path, const node* spec) {
  const node* os = get(spec, "os");
  if (!os) return;
  const auto name = text(os, "name");
  if (name.empty()) return errors.required(spec_path.child("os.name"));
  if (name == "linux") return check_linux(errors, spec_path, spec);
  if (name == "windows") return check_windows(errors, spec_path, spec);
  errors.not_supported(spec_path.child("os"), name, {"linux", "windows"});
}

}  // namespace troupe::api::rules
