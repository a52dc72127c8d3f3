// Conversion of Events and HorizontalPodAutoscalers.
#include "actors/api_server/registry/convert.hpp"

#include <string>
#include <string_view>

#include "actors/api_server/registry/object_text.hpp"
#include "messages/schema/codec.hpp"
#include "messages/schema/schema.hpp"

namespace troupe::api {

namespace {

void rename(document& doc, node& in, std::string_view from, std::string_view to) {
  auto* value = in.find(from);
  if (!value) return;
  node moved = *value;
  doc.remove(in, from);
  doc.set(in, to, moved);
}

void set_type_meta(document& doc, const schema::resource& row) {
  std::string version =
      row.group.empty() ? std::string(row.version) : std::string(row.group) + "/" + std::string(row.version);
  doc.set(doc.root(), "kind", row.kind);
  doc.set(doc.root(), "apiVersion", std::string_view(version));
}

constexpr std::pair<std::string_view, std::string_view> event_names[] = {{"involvedObject", "regarding"},
                                                                         {"message", "note"},
                                                                         {"source", "deprecatedSource"},
                                                                         {"firstTimestamp", "deprecatedFirstTimestamp"},
                                                                         {"lastTimestamp", "deprecatedLastTimestamp"},
                                                                         {"count", "deprecatedCount"},
                                                                         {"reportingComponent", "reportingController"}};

void convert_event(document& doc, bool to_core) {
  for (auto& [core, newer] : event_names) rename(doc, doc.root(), to_core ? newer : core, to_core ? core : newer);
}

bool is_cpu_utilization(const node& metric) {
  auto* resource = metric.find("resource");
  auto* target = resource ? resource->find("target") : nullptr;
  return resource && text_at(metric, "type") == "Resource" && text_at(*resource, "name") == "cpu" && target &&
         text_at(*target, "type") == "Utilization";
}

/// v1 keeps the CPU target as a number and everything else v2 knows as JSON in annotations.
constexpr std::string_view metrics_note = "autoscaling.alpha.kubernetes.io/metrics";
constexpr std::string_view behavior_note = "autoscaling.alpha.kubernetes.io/behavior";
constexpr std::string_view conditions_note = "autoscaling.alpha.kubernetes.io/conditions";
constexpr std::string_view current_note = "autoscaling.alpha.kubernetes.io/current-metrics";

void to_annotation(document& doc, node& part, std::string_view member, std::string_view note) {
  auto* value = part.find(member);
  if (!value || (value->is_array() && value->empty())) return;
  auto text = to_json(*value);
  doc.remove(part, member);
  doc.set(doc.set(metadata_of(doc), "annotations"), note, std::string_view(text));
}

void from_annotation(document& doc, node& part, std::string_view member, std::string_view note) {
  auto* notes = metadata_of(doc).find("annotations");
  auto* text = notes ? notes->find(note) : nullptr;
  if (!text) return;
  auto parsed = document::parse(text->string());
  if (parsed) doc.set(part, member, doc.clone(parsed->root()));
  doc.remove(*notes, note);
  if (notes->empty()) doc.remove(metadata_of(doc), "annotations");
}

node cpu_metric(document& doc, std::string_view number_name, std::string_view holder, const node& percent) {
  node metric;
  doc.make_object(metric);
  doc.set(metric, "type", "Resource");
  auto& resource = doc.set(metric, "resource");
  doc.make_object(resource);
  doc.set(resource, "name", "cpu");
  auto& target = doc.set(resource, holder);
  doc.make_object(target);
  if (holder == "target") doc.set(target, "type", "Utilization");
  doc.set(target, number_name, percent);
  return metric;
}

void hpa_to_v2(document& doc) {
  auto& spec = doc.set(doc.root(), "spec");
  from_annotation(doc, spec, "metrics", metrics_note);
  from_annotation(doc, spec, "behavior", behavior_note);
  if (auto* percent = spec.find("targetCPUUtilizationPercentage")) {
    node value = *percent;
    doc.remove(spec, "targetCPUUtilizationPercentage");
    auto metric = cpu_metric(doc, "averageUtilization", "target", value);
    doc.append(doc.set(spec, "metrics"), metric);
  }
  auto* status = doc.root().find("status");
  if (!status) return;
  from_annotation(doc, *status, "conditions", conditions_note);
  from_annotation(doc, *status, "currentMetrics", current_note);
  if (auto* percent = status->find("currentCPUUtilizationPercentage")) {
    node value = *percent;
    doc.remove(*status, "currentCPUUtilizationPercentage");
    auto metric = cpu_metric(doc, "averageUtilization", "current", value);
    doc.append(doc.set(*status, "currentMetrics"), metric);
  }
}

void hpa_to_v1(document& doc) {
  auto& spec = doc.set(doc.root(), "spec");
  if (auto* metrics = spec.find("metrics")) {
    for (std::size_t i = 0; i < metrics->size(); ++i) {
      if (!is_cpu_utilization(metrics->element(i))) continue;
      if (auto* percent = metrics->element(i).find("resource", "target", "averageUtilization"))
        doc.set(spec, "targetCPUUtilizationPercentage", *percent);
      metrics = spec.find("metrics");
      doc.erase(*metrics, i);
      break;
    }
    if (metrics->empty()) doc.remove(spec, "metrics");
  }
  to_annotation(doc, spec, "metrics", metrics_note);
  to_annotation(doc, spec, "behavior", behavior_note);
  auto* status = doc.root().find("status");
  if (!status) return;
  to_annotation(doc, *status, "conditions", conditions_note);
  to_annotation(doc, *status, "currentMetrics", current_note);
}

}  // namespace

bool is_converted(std::uint16_t resource) { return schema::resources()[resource].storage != resource; }

void to_storage_version(document& doc, std::uint16_t resource) {
  if (!is_converted(resource)) return;
  const auto& row = schema::resources()[resource];
  const auto& stored = schema::resources()[row.storage];
  if (row.plural == "events")
    convert_event(doc, stored.group.empty());
  else
    stored.version == "v2" ? hpa_to_v2(doc) : hpa_to_v1(doc);
  set_type_meta(doc, stored);
  schema::conform_report ignored;
  (void)schema::conform(doc, doc.root(), stored.type, ignored);
}

void from_storage_version(document& doc, std::uint16_t resource) {
  if (!is_converted(resource)) return;
  const auto& row = schema::resources()[resource];
  if (row.plural == "events")
    convert_event(doc, row.group.empty());
  else
    row.version == "v2" ? hpa_to_v2(doc) : hpa_to_v1(doc);
  set_type_meta(doc, row);
  schema::conform_report ignored;
  (void)schema::conform(doc, doc.root(), row.type, ignored);
}

object_ptr in_version(const object_ptr& stored, std::uint16_t resource) {
  if (!stored || !is_converted(resource)) return stored;
  auto parsed = document::parse(stored->json.view());
  if (!parsed) return stored;
  from_storage_version(*parsed, resource);
  std::string text;
  schema::encode(text, parsed->root(), schema::resources()[resource].type);
  auto made = make_object(resource, text, stored->revision, stored->created);
  return made ? *made : stored;
}

}  // namespace troupe::api
