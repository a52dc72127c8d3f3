// Rows of kinds that hold rules and quantities: bindings, autoscalers, quotas, resource claims, signing requests.
#include <map>

#include "actors/api_server/printers/rows.hpp"

namespace troupe::api {
inline namespace printing_detail {

namespace {

std::string subjects_of(const node& binding, std::string_view kind) {
  std::vector<std::string> out;
  for (const node& subject : elements_of(binding.find("subjects"))) {
    if (text_at(subject, "kind") != kind) continue;
    std::string name(text_at(subject, "name"));
    out.push_back(kind == "ServiceAccount" ? std::string(text_at(subject, "namespace")) + "/" + name : name);
  }
  return join(out, ", ");
}

std::string percent(const node* value) { return is_set(value) ? scalar_text(value) + "%" : std::string(); }

std::string or_unknown(const std::string& text) { return text.empty() ? "<unknown>" : text; }

/// The part of a metric's spec or status that its type names ("resource", "containerResource", ...).
const node* metric_part(const node& metric) {
  std::string type(text_at(metric, "type"));
  if (type.empty()) return nullptr;
  if (type[0] >= 'A' && type[0] <= 'Z') type[0] = static_cast<char>(type[0] + 32);
  return metric.find(type);
}

std::string metric_text(const node& spec, const node* status) {
  const node* wanted = metric_part(spec);
  const node* found = status ? metric_part(*status) : nullptr;
  if (!wanted) return "<unknown type>";
  auto current = [&](std::string_view field) { return found ? found->find("current", field) : nullptr; };
  std::string_view type = text_at(spec, "type");
  const node* average = wanted->find("target", "averageValue");
  if (type == "Resource" || type == "ContainerResource") {
    std::string out(text_at(*wanted, "name"));
    if (is_set(average))
      return out + ": " + or_unknown(scalar_text(current("averageValue"))) + "/" + scalar_text(average);
    std::string target = percent(wanted->find("target", "averageUtilization"));
    return out + ": " + or_unknown(percent(current("averageUtilization"))) + "/" + (target.empty() ? "<auto>" : target);
  }
  if (is_set(average))
    return or_unknown(scalar_text(current("averageValue"))) + "/" + scalar_text(average) +
           (type == "Pods" ? "" : " (avg)");
  return or_unknown(scalar_text(current("value"))) + "/" + scalar_text(wanted->find("target", "value"));
}

std::string metrics_text(const node& autoscaler) {
  if (const node* target = autoscaler.find("spec", "targetCPUUtilizationPercentage"); is_set(target))
    return "cpu: " + or_unknown(percent(autoscaler.find("status", "currentCPUUtilizationPercentage"))) + "/" +
           percent(target);
  const node* statuses = autoscaler.find("status", "currentMetrics");
  std::vector<std::string> list;
  for (const node& metric : elements_of(autoscaler.find("spec", "metrics"))) {
    std::size_t i = list.size();
    list.push_back(metric_text(metric, statuses && i < statuses->size() ? &statuses->element(i) : nullptr));
  }
  if (list.empty()) return "<none>";
  constexpr std::size_t most = 2;
  std::size_t more = list.size() > most ? list.size() - most : 0;
  if (more) list.resize(most);
  return join(list, ", ") + (more ? " + " + std::to_string(more) + " more..." : std::string());
}

}  // namespace

void print_binding(table_row& out, const node& binding) {
  out.name_of(binding);
  out.text(std::string(text_at(binding, "roleRef", "kind")) + "/" + std::string(text_at(binding, "roleRef", "name")));
  out.age_of(binding).text(subjects_of(binding, "User")).text(subjects_of(binding, "Group"));
  out.text(subjects_of(binding, "ServiceAccount"));
}

void print_autoscaler(table_row& out, const node& autoscaler) {
  const node* least = autoscaler.find("spec", "minReplicas");
  out.name_of(autoscaler);
  out.text(std::string(text_at(autoscaler, "spec", "scaleTargetRef", "kind")) + "/" +
           std::string(text_at(autoscaler, "spec", "scaleTargetRef", "name")));
  out.text(metrics_text(autoscaler)).text(is_set(least) ? scalar_text(least) : "<unset>");
  out.number(number_at(autoscaler, "spec", "maxReplicas")).number(number_at(autoscaler, "status", "currentReplicas"));
  out.age_of(autoscaler);
}

void print_quota(table_row& out, const node& quota) {
  std::map<std::string_view, const node*> hard;
  for (const member& entry : members_of(quota.find("status", "hard"))) hard[entry.key] = &entry.value;
  std::vector<std::string> requests, limits;
  for (const auto& [name, limit] : hard) {
    std::string used = scalar_text(quota.find("status", "used", name));
    auto& list = name.starts_with("limits.") ? limits : requests;
    list.push_back(std::string(name) + ": " + (used.empty() ? "0" : used) + "/" + scalar_text(limit));
  }
  out.name_of(quota).text(join(requests, ", ")).text(join(limits, ", ")).age_of(quota);
}

void print_resource_claim(table_row& out, const node& claim) {
  std::vector<std::string> states;
  if (is_set(claim.find("metadata", "deletionTimestamp"))) states.emplace_back("deleted");
  if (!is_set(claim.find("status", "allocation"))) {
    if (states.empty()) states.emplace_back("pending");
  } else {
    states.emplace_back("allocated");
    if (size_at(claim, "status", "reservedFor"))
      states.emplace_back("reserved");
    else if (states.size() > 1)
      states.emplace_back("deallocating");
  }
  out.name_of(claim).text(join(states, ",")).age_of(claim);
}

void print_signing_request(table_row& out, const node& csr) {
  std::string state;
  bool approved = false, denied = false, failed = false;
  for (const node& condition : elements_of(csr.find("status", "conditions"))) {
    std::string_view type = text_at(condition, "type");
    approved |= type == "Approved";
    denied |= type == "Denied";
    failed |= type == "Failed";
  }
  if (denied)
    state = "Denied";
  else if (approved)
    state = "Approved";
  else
    state = "Pending";
  if (failed) state += ",Failed";
  if (!text_at(csr, "status", "certificate").empty()) state += ",Issued";
  const node* seconds = csr.find("spec", "expirationSeconds");
  out.name_of(csr).age_of(csr).text(or_else(text_at(csr, "spec", "signerName"), "<none>"));
  out.text(text_at(csr, "spec", "username"));
  out.text(is_set(seconds) ? human_duration(seconds->integer() * 1000) : "<none>").text(state);
}

}  // namespace printing_detail
}  // namespace troupe::api
