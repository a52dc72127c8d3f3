// Parsing and matching of field selectors.
#include "actors/api_server/selectors/field_selector.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "messages/document.hpp"
#include "messages/schema/schema.hpp"

namespace troupe::api {

namespace {

struct selectable {
  std::string_view plural;
  std::span<const std::string_view> fields;
};

constexpr std::string_view pod_fields[] = {
    "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
    "status.phase",  "status.podIP",       "status.podIPs",      "status.nominatedNodeName"};
constexpr std::string_view event_fields[] = {"involvedObject.kind",
                                             "involvedObject.namespace",
                                             "involvedObject.name",
                                             "involvedObject.uid",
                                             "involvedObject.apiVersion",
                                             "involvedObject.resourceVersion",
                                             "involvedObject.fieldPath",
                                             "reason",
                                             "reportingComponent",
                                             "source",
                                             "type"};
constexpr std::string_view node_fields[] = {"spec.unschedulable"};
constexpr std::string_view namespace_fields[] = {"status.phase"};
constexpr std::string_view secret_fields[] = {"type"};
constexpr std::string_view service_fields[] = {"spec.clusterIP", "spec.type"};
constexpr std::string_view replica_fields[] = {"status.replicas"};
constexpr std::string_view job_fields[] = {"status.successful"};
constexpr std::string_view signer_fields[] = {"spec.signerName"};
constexpr std::string_view slice_fields[] = {"spec.driver", "spec.nodeName"};
constexpr selectable table[] = {{"pods", pod_fields},
                                {"events", event_fields},
                                {"nodes", node_fields},
                                {"namespaces", namespace_fields},
                                {"secrets", secret_fields},
                                {"services", service_fields},
                                {"replicasets", replica_fields},
                                {"replicationcontrollers", replica_fields},
                                {"jobs", job_fields},
                                {"certificatesigningrequests", signer_fields},
                                {"clustertrustbundles", signer_fields},
                                {"resourceslices", slice_fields}};

std::span<const std::string_view> own_fields(std::string_view plural) {
  for (auto& row : table)
    if (row.plural == plural) return row.fields;
  return {};
}

/// Other names of a field that the conversion functions of old API versions accept.
std::string canonical_name(std::string_view plural, std::string_view group, std::string_view field) {
  if (plural == "pods" && field == "spec.host") return "spec.nodeName";
  if (plural == "namespaces" && field == "name") return "metadata.name";
  if (plural == "events" && group == "events.k8s.io") {
    if (field == "reportingController") return "reportingComponent";
    if (field.starts_with("regarding.")) return "involvedObject." + std::string(field.substr(10));
  }
  return std::string(field);
}

status unsupported(const schema::resource& row, std::string_view field) {
  if (!own_fields(row.plural).empty()) return bad_request("field label not supported: " + std::string(field));
  std::string quoted;
  append_json_string(quoted, field);
  return bad_request(quoted + R"( is not a known field selector: only "metadata.name", "metadata.namespace")");
}

/// Splits at unescaped commas.
std::vector<std::string_view> split_terms(std::string_view text) {
  std::vector<std::string_view> out;
  std::size_t start = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] == '\\') {
      ++i;
      continue;
    }
    if (i < text.size() && text[i] != ',') continue;
    out.push_back(text.substr(start, i - start));
    start = i + 1;
  }
  return out;
}

bool unescape(std::string_view text, std::string& out) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '=' || text[i] == ',') return false;
    if (text[i] == '\\') {
      ++i;
      if (i == text.size() || (text[i] != '\\' && text[i] != ',' && text[i] != '=')) return false;
    }
    out += text[i];
  }
  return true;
}

bool parse_term(std::string_view term, field_requirement& out) {
  for (std::size_t i = 0; i < term.size(); ++i) {
    if (term[i] == '\\') {
      ++i;
      continue;
    }
    auto rest = term.substr(i);
    std::size_t length = rest.starts_with("!=") || rest.starts_with("==") ? 2 : rest.starts_with("=") ? 1 : 0;
    if (length == 0) continue;
    out.field = term.substr(0, i);
    out.negated = rest.front() == '!';
    return unescape(rest.substr(length), out.value);
  }
  return false;
}

bool in_envelope(std::string_view field, std::string_view plural) {
  return field == "metadata.name" || field == "metadata.namespace" || (field == "spec.nodeName" && plural == "pods");
}

std::string scalar_text(const node* value) {
  if (!value) return {};
  if (value->is_string()) return std::string(value->string());
  if (value->is_boolean()) return value->boolean() ? "true" : "false";
  if (value->is_integer()) return std::to_string(value->integer());
  return {};
}

const node* walk(const node& root, std::string_view path) {
  const node* at = &root;
  while (at && !path.empty()) {
    auto dot = path.find('.');
    at = at->find(path.substr(0, dot));
    path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  }
  return at;
}

/// The field's value as the kind's ToSelectableFields gives it.
std::string value_in(const node& root, const std::string& field, std::string_view plural) {
  if (field == "status.successful") return scalar_text(walk(root, "status.succeeded"));
  if (plural == "events" && field == "source") {
    auto component = scalar_text(walk(root, "source.component"));
    return component.empty() ? scalar_text(walk(root, "reportingComponent")) : component;
  }
  if (field == "status.podIPs") return scalar_text(walk(root, "status.podIP"));
  auto text = scalar_text(walk(root, field));
  bool flag = field == "spec.unschedulable" || field == "spec.hostNetwork";
  if (text.empty() && flag) return "false";
  return text.empty() && field == "status.replicas" ? "0" : text;
}

}  // namespace

result<field_selector> field_selector::parse(std::string_view text, std::uint16_t resource) {
  field_selector out;
  const auto& row = schema::resources()[resource];
  for (auto term : split_terms(text)) {
    if (term.empty()) continue;
    field_requirement r;
    if (!parse_term(term, r))
      return bad_request("invalid selector: '" + std::string(text) + "'; can't understand '" + std::string(term) + "'");
    auto field = canonical_name(row.plural, row.group, r.field);
    auto own = own_fields(row.plural);
    bool known = field == "metadata.name" || (field == "metadata.namespace" && row.namespaced) ||
                 std::find(own.begin(), own.end(), field) != own.end();
    if (!known) return unsupported(row, r.field);
    r.field = std::move(field);
    out.envelope_only_ = out.envelope_only_ && in_envelope(r.field, row.plural);
    out.terms_.push_back(std::move(r));
  }
  return out;
}

bool field_selector::matches(const object& o) const {
  if (terms_.empty()) return true;
  auto plural = schema::resources()[o.resource].plural;
  auto quick = [&](const field_requirement& t) {
    auto have = t.field == "metadata.name" ? o.name : t.field == "metadata.namespace" ? o.namespace_name : o.node_name;
    return (have == t.value) != t.negated;
  };
  for (auto& t : terms_)
    if (in_envelope(t.field, plural) && !quick(t)) return false;
  if (envelope_only_) return true;
  auto parsed = document::parse(o.json.view());
  if (!parsed) return false;
  return std::all_of(terms_.begin(), terms_.end(), [&](const field_requirement& t) {
    return in_envelope(t.field, plural) || (value_in(parsed->root(), t.field, plural) == t.value) != t.negated;
  });
}

const std::string* field_selector::fixed(std::string_view field) const {
  for (auto& t : terms_)
    if (!t.negated && t.field == field) return &t.value;
  return nullptr;
}

}  // namespace troupe::api
