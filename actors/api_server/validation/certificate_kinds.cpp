// Certificate signing requests: what may become of their conditions and certificate. Source of rules and words:
// Kubernetes' pkg/apis/certificates/validation (with the options of v1).
#include <array>
#include <string>
#include <vector>

#include "actors/api_server/validation/kinds.hpp"
#include "messages/schema/schema.hpp"

namespace troupe::api::rules {
namespace {

constexpr std::array<std::string_view, 3> judgements = {"Approved", "Denied", "Failed"};

const node* conditions_of(const node& request) { return get(&request, "status", "conditions"); }

std::vector<const node*> of_type(const node& request, std::string_view type) {
  std::vector<const node*> out;
  each(conditions_of(request), [&](const node& one, std::size_t) {
    if (text(&one, "type") == type) out.push_back(&one);
  });
  return out;
}

void check_conditions(error_list& errors, const node& request) {
  const path list("status.conditions");
  std::vector<std::string_view> seen;
  each(conditions_of(request), [&](const node& one, std::size_t i) {
    const path at = list.index(i);
    const auto type = text(&one, "type"), value = text(&one, "status");
    if (type.empty()) errors.required(at.child("type"));
    if (value.empty())
      errors.required(at.child("status"));
    else if (one_of(type, judgements) && value != "True")
      errors.not_supported(at.child("status"), value, {"True"});
    else if (!one_of(value, {"False", "True", "Unknown"}))
      errors.not_supported(at.child("status"), value, {"False", "True", "Unknown"});
    const auto other = type == "Approved" ? "Denied" : type == "Denied" ? "Approved" : "";
    if (*other && one_of(other, seen))
      errors.invalid(at.child("type"), type, "Approved and Denied conditions are mutually exclusive");
    if (one_of(type, seen)) errors.duplicate(at.child("type"), type);
    seen.push_back(type);
  });
}

std::string may_not(std::string_view verb, std::string_view type) {
  std::string out = "updates may not ";
  return out.append(verb).append(" a condition of type ").append(go_quote(type));
}

/// Of any update: a judgement stays.
void update_signing_request(error_list& errors, const node& object, const node& previous) {
  check_conditions(errors, object);
  for (auto type : judgements)
    if (of_type(object, type).size() < of_type(previous, type).size())
      errors.forbidden(path("status.conditions"), may_not("remove", type));
}

/// Of a status: to approve and to deny is the approval's.
void status_signing_request(error_list& errors, const node& object, const node& previous) {
  update_signing_request(errors, object, previous);
  for (std::string_view type : {"Approved", "Denied"}) {
    const auto before = of_type(previous, type), now = of_type(object, type);
    if (now.size() > before.size()) errors.forbidden(path("status.conditions"), may_not("add", type));
    for (std::size_t i = 0; i < now.size() && now.size() == before.size(); ++i)
      if (!same(now[i], before[i])) errors.forbidden(path("status.conditions"), may_not("modify", type));
  }
  const auto issued = text(get(&previous, "status"), "certificate");
  if (!issued.empty() && issued != text(get(&object, "status"), "certificate"))
    errors.forbidden(path("status.certificate"), "updates may not modify existing certificate content");
}

void spec_signing_request(error_list& errors, const node& object) {
  static const auto type = schema::find_type("certificates/v1.CertificateSigningRequest");
  check_by_schema(errors, type, object);
}

}  // namespace

const kind_rules certificate_kinds[] = {
    {.type = "certificates/v1.CertificateSigningRequest",
     .spec = spec_signing_request,
     .update = update_signing_request,
     .status = status_signing_request},
    {.type = nullptr},
};

}  // namespace troupe::api::rules
