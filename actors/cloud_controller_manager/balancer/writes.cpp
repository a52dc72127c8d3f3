// See writes.hpp.
#include "actors/cloud_controller_manager/balancer/writes.hpp"

#include <fmt/format.h>

#include "messages/cloud.hpp"
#include "messages/document.hpp"

namespace troupe::cloud {
namespace {

/// By status, as upstream's helpers do (PatchService): the controller has no right to Services themselves. The uid
/// keeps it from a Service that has taken the name.
controller::write status_patch(const object& service, const document& body) {
  controller::write out;
  out.request.verb = api::method::patch;
  out.request.target = fmt::format("/api/v1/namespaces/{}/services/{}/status", service.namespace_name, service.name);
  out.request.content_type = "application/strategic-merge-patch+json";
  out.request.body = shared_bytes(to_json(body.root()));
  out.seen_by = 0;
  out.tolerated = {reason::not_found};
  return out;
}

troupe::node& member(document& body, troupe::node& of, std::string_view key) {
  auto& out = body.set(of, key);
  body.make_object(out);
  return out;
}

/// `finalizers`: the directive by which a strategic merge adds to them or takes from them.
void set_metadata(document& body, const object& service, std::string_view finalizers, const announcement& by) {
  auto& metadata = member(body, body.root(), "metadata");
  body.set(metadata, "uid", std::string_view(service.uid));
  auto& list = body.set(metadata, finalizers);
  body.make_array(list);
  body.assign(body.append(list), balancer_finalizer);
  if (by.before == by.now) return;
  auto& annotations = member(body, metadata, "annotations");
  auto& node_name = body.set(annotations, announcer_annotation);  // null takes it away
  if (!by.now.empty()) body.assign(node_name, std::string_view(by.now));
}

troupe::node& set_ingress(document& body) {
  return body.set(member(body, member(body, body.root(), "status"), "loadBalancer"), "ingress");
}

}  // namespace

controller::write ensure_balancer(const object& service, const std::set<std::string>& addresses,
                                  const announcement& by) {
  document body;
  body.make_object(body.root());
  set_metadata(body, service, "finalizers", by);
  auto& ingress = set_ingress(body);
  body.make_array(ingress);
  for (const auto& one : addresses) {
    auto& entry = body.append(ingress);
    body.make_object(entry);
    body.set(entry, "ip", std::string_view(one));
    body.set(entry, "ipMode", "VIP");
  }
  return status_patch(service, body);
}

controller::write release_balancer(const object& service, const announcement& by) {
  document body;
  body.make_object(body.root());
  set_metadata(body, service, "$deleteFromPrimitiveList/finalizers", by);
  set_ingress(body);  // null: none
  return status_patch(service, body);
}

}  // namespace troupe::cloud
