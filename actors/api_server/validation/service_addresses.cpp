// Cluster IPs and IP families of a Service.
#include <string>

#include "actors/api_server/validation/access.hpp"
#include "actors/api_server/validation/names.hpp"
#include "actors/api_server/validation/services.hpp"

namespace troupe::api::rules {
namespace {

constexpr const char* no_change = "may not change once set";

void check_families(error_list& errors, const path& spec_path, const node* spec) {
  const path at = spec_path.child("ipFamilies");
  const node* families = get(spec, "ipFamilies");
  each(families, [&](const node& family, std::size_t i) {
    const auto name = family.string();
    if (name != "IPv4" && name != "IPv6") errors.not_supported(at.index(i), name, {"IPv4", "IPv6"});
    for (std::size_t k = 0; k < i; ++k)
      if (families->element(k).string() == name) return errors.duplicate(at.index(i), name);
  });
  const node* policy = get(spec, "ipFamilyPolicy");
  const auto name = text(policy);
  if (policy && name != "SingleStack" && name != "PreferDualStack" && name != "RequireDualStack")
    errors.not_supported(spec_path.child("ipFamilyPolicy"), name,
                         {"PreferDualStack", "RequireDualStack", "SingleStack"});
}

/// False when the later checks make no sense.
bool check_values(error_list& errors, const path& at, const node* ips) {
  bool good = true;
  each(ips, [&](const node& ip, std::size_t i) {
    if (i == 0 && ip.string() == "None") {
      if (count(ips) > 1) errors.invalid(at, ips, "'None' must be the first and only value"), good = false;
      return;
    }
    const auto before = errors.size();
    check_legacy_ip(errors, at.index(i), ip.string());
    good = good && errors.size() == before;
  });
  if (count(ips) > 2) errors.invalid(at, ips, "may only hold up to 2 values");
  return good;
}

void check_against_families(error_list& errors, const path& at, const node* ips, const node* families) {
  each(ips, [&](const node& ip, std::size_t i) {
    if (i >= count(families)) return;
    const bool v4 = parse_ip(ip.string()).v4;
    const auto family = families->element(i).string();
    const auto tail = " value as indicated by `ipFamilies[" + std::to_string(i) + "]`";
    if (family == "IPv4" && !v4) errors.invalid(at.index(i), ip.string(), "expected an IPv4" + tail);
    if (family == "IPv6" && v4) errors.invalid(at.index(i), ip.string(), "expected an IPv6" + tail);
  });
}

bool one_of_each_family(const node* ips) {
  int v4 = 0, v6 = 0;
  each(ips, [&](const node& ip, std::size_t) { ++(parse_ip(ip.string()).v4 ? v4 : v6); });
  return v4 > 0 && v6 > 0;
}

std::string_view first(const node* list) { return count(list) > 0 ? list->element(0).string() : std::string_view(); }

/// One of clusterIPs and ipFamilies: the first entry stays, a second may come and, for SingleStack, go. `shown` is
/// what the messages print.
void check_list_change(error_list& errors, const path& spec_path, const node* spec, const node* before,
                       std::string_view field, std::string_view noun) {
  const node *now = get(spec, field), *old = get(before, field);
  const path at = spec_path.child(field);
  const bool addresses = field == "clusterIPs";
  if (count(now) == count(old)) {
    for (std::size_t i = 0; i < count(old); ++i)
      if (now->element(i).string() != old->element(i).string())
        errors.invalid(at.index(addresses ? i : 0), now, no_change);
    return;
  }
  const node* shown = addresses ? now : get(spec, "clusterIPs");
  if (count(now) < count(old)) {
    if (count(spec, "clusterIPs") == 0)
      errors.invalid(at.index(0), now, "primary " + std::string(noun) + " can not be unset");
    if (count(now) > 0 && first(now) != first(old)) errors.invalid(at.index(0), shown, no_change);
    const node* policy = get(spec, "ipFamilyPolicy");
    if (count(now) == 1 && text(policy) != "SingleStack")
      errors.invalid(spec_path.child("ipFamilyPolicy"), policy,
                     "must be set to 'SingleStack' when releasing the secondary " + std::string(noun));
  } else if (count(old) > 0 && first(now) != first(old)) {
    errors.invalid(at.index(0), shown, no_change);
  }
}

}  // namespace

void check_cluster_ips(error_list& errors, const path& spec_path, const node* spec) {
  if (text(spec, "type") == "ExternalName") return;
  const path at = spec_path.child("clusterIPs");
  const auto cluster_ip = text(spec, "clusterIP");
  const node *ips = get(spec, "clusterIPs"), *families = get(spec, "ipFamilies");
  if (!cluster_ip.empty() && count(ips) == 0)
    errors.required(at);
  else if (!cluster_ip.empty() && first(ips) != cluster_ip)
    errors.invalid(at, ips, "first value must match `clusterIP`");
  else if (cluster_ip.empty() && count(ips) > 0)
    errors.invalid(at, ips, "must be empty when `clusterIP` is not specified");
  check_families(errors, spec_path, spec);
  if (!check_values(errors, at, ips)) return;
  if (count(ips) > 1 && !one_of_each_family(ips))
    errors.invalid(at, ips, "may specify no more than one IP for each IP family");
  if (!is_headless(spec)) check_against_families(errors, at, ips, families);
}

void check_cluster_ip_change(error_list& errors, const path& spec_path, const node* spec, const node* previous) {
  if (text(spec, "type") == "ExternalName" || text(previous, "type") == "ExternalName") return;
  const bool headless = is_headless(spec), was_headless = is_headless(previous);
  if (!headless || !was_headless) check_list_change(errors, spec_path, spec, previous, "clusterIPs", "clusterIP");
  if (!headless && !was_headless) check_list_change(errors, spec_path, spec, previous, "ipFamilies", "ipFamily");
}

}  // namespace troupe::api::rules
