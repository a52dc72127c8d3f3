// See core.hpp.
#include "actors/controller_manager/certificates/core.hpp"

#include <algorithm>
#include <set>

#include "messages/wall_time.hpp"

namespace troupe::certificates {
namespace {

constexpr std::string_view kubelet_signer = "kubernetes.io/kube-apiserver-client-kubelet";
constexpr std::string_view client_signer = "kubernetes.io/kube-apiserver-client";

std::string text_at(const node* parent, std::string_view key) {
  const node* found = parent ? parent->find(key) : nullptr;
  return found ? std::string(found->string()) : std::string();
}

std::set<std::string> as_set(const std::vector<std::string>& list) { return {list.begin(), list.end()}; }

/// ValidateKubeletClientCSR.
bool is_for_a_node(const request_facts& facts) {
  const std::set<std::string> few = {"digital signature", "client auth"};
  const std::set<std::string> more = {"digital signature", "client auth", "key encipherment"};
  auto usages = as_set(facts.usages);
  return facts.signer == kubelet_signer && facts.asked.readable &&
         facts.asked.organizations == std::vector<std::string>{"system:nodes"} && !facts.asked.alternative_names &&
         facts.asked.common_name.starts_with("system:node:") && (usages == few || usages == more);
}

/// Client certificates of anybody but the masters (admission's CertificateSubjectRestriction).
bool is_for_a_client(const request_facts& facts) {
  const std::set<std::string> allowed = {"digital signature", "client auth", "key encipherment"};
  auto usages = as_set(facts.usages);
  const auto& groups = facts.asked.organizations;
  return facts.signer == client_signer && facts.asked.readable && !facts.asked.alternative_names &&
         usages.count("client auth") > 0 &&
         std::includes(allowed.begin(), allowed.end(), usages.begin(), usages.end()) &&
         std::find(groups.begin(), groups.end(), "system:masters") == groups.end();
}

/// The requester's own certificate once more: it names nobody else, and no group.
bool is_the_same_client(const request_facts& facts) {
  return is_for_a_client(facts) && facts.asked.organizations.empty() && facts.asked.common_name == facts.username;
}

}  // namespace

request_facts facts_of(const node& object) {
  request_facts out;
  const node* spec = object.find("spec");
  out.signer = text_at(spec, "signerName");
  out.username = text_at(spec, "username");
  if (const node* usages = spec ? spec->find("usages") : nullptr; usages && usages->is_array())
    for (std::size_t i = 0; i < usages->size(); ++i) out.usages.emplace_back(usages->element(i).string());
  if (const node* seconds = spec ? spec->find("expirationSeconds") : nullptr)
    out.expiration_seconds = seconds->integer(0);
  const node* status = object.find("status");
  out.has_certificate = !text_at(status, "certificate").empty();
  const node* conditions = status ? status->find("conditions") : nullptr;
  for (std::size_t i = 0; conditions && conditions->is_array() && i < conditions->size(); ++i) {
    auto type = text_at(&conditions->element(i), "type");
    out.approved = out.approved || type == "Approved";
    out.denied = out.denied || type == "Denied";
    out.failed = out.failed || type == "Failed";
  }
  return out;
}

verdict judge(const request_facts& facts) {
  if (facts.has_certificate || facts.denied || facts.failed) return verdict::nothing;
  bool node = is_for_a_node(facts);
  if (facts.approved) return node || is_for_a_client(facts) ? verdict::sign : verdict::nothing;
  if (!node) return is_the_same_client(facts) ? verdict::approve_same : verdict::nothing;
  return facts.username == facts.asked.common_name ? verdict::approve_own : verdict::approve_other;
}

bool needs_new_name(verdict which, const request_facts& facts) {
  return which == verdict::approve_other && facts.username.starts_with("system:bootstrap:");
}

std::string node_asked_for(const request_facts& facts) {
  constexpr std::string_view prefix = "system:node:";
  return facts.asked.common_name.starts_with(prefix) ? facts.asked.common_name.substr(prefix.size()) : std::string();
}

std::string_view permission_of(verdict which) {
  if (which == verdict::approve_same) return "selfclient";
  return which == verdict::approve_own ? "selfnodeclient" : "nodeclient";
}

std::string_view message_of(verdict which) {
  if (which == verdict::approve_same) return "Auto approving self client certificate after SubjectAccessReview.";
  return which == verdict::approve_own ? "Auto approving self kubelet client certificate after SubjectAccessReview."
                                       : "Auto approving kubelet client certificate after SubjectAccessReview.";
}

bool has_served(const node& object, std::int64_t certificate_ends, std::uint64_t now_ms) {
  constexpr std::uint64_t hour_ms = 3'600'000;
  auto older = [&](const std::string& time, std::uint64_t by_ms) {
    const auto then = time_ms(time);
    return then != 0 && then + by_ms < now_ms;
  };
  const node* conditions = object.find("status", "conditions");
  if (!conditions || conditions->empty())
    return older(text_at(object.find("metadata"), "creationTimestamp"), 24 * hour_ms);
  const bool issued = !text_at(object.find("status"), "certificate").empty();
  for (std::size_t i = 0; i < conditions->size(); ++i) {
    const node& one = conditions->element(i);
    auto type = text_at(&one, "type");
    const bool over = type == "Denied" || type == "Failed" || (type == "Approved" && issued);
    if (over && older(text_at(&one, "lastUpdateTime"), hour_ms)) return true;
  }
  return issued && certificate_ends > 0 && static_cast<std::uint64_t>(certificate_ends) * 1000 < now_ms;
}

std::int64_t lifetime_of(const request_facts& facts) {
  constexpr std::int64_t least = 600, most = std::int64_t{365} * 24 * 3600;
  return facts.expiration_seconds == 0 ? most : std::clamp(facts.expiration_seconds, least, most);
}

}  // namespace troupe::certificates
