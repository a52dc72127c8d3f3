// A cluster made of JSON objects, and short ways to ask an authorizer about it.
#pragma once

#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "actors/api_server/access/access.hpp"
#include "actors/api_server/cacher/snapshot_builder.hpp"
#include "messages/document.hpp"
#include "messages/object.hpp"
#include "messages/schema/schema.hpp"

namespace troupe::api {

class fake_cluster : public cluster_view {
 public:
  snapshot_ptr objects(std::uint16_t resource) const override {
    auto& kept = published_[resource];
    if (!kept) kept = builders_[resource].publish(revision_);
    return kept;
  }

  /// Adds or replaces an object given as JSON with kind and apiVersion.
  void put(const std::string& json) {
    auto doc = document::parse(json);
    if (!doc) throw std::runtime_error(doc.error().message);
    std::string_view api_version = doc->root().find("apiVersion")->string();
    auto slash = api_version.find('/');
    std::string_view group = slash == std::string_view::npos ? "" : api_version.substr(0, slash);
    std::string_view version = slash == std::string_view::npos ? api_version : api_version.substr(slash + 1);
    std::uint16_t resource = schema::find_kind(group, version, doc->root().find("kind")->string());
    ++revision_;
    auto made = make_object(resource, json, revision_, revision_);
    if (!made) throw std::runtime_error(made.error().message);
    builders_[resource].put(*made);
    published_[resource] = nullptr;
  }
  void erase(std::string_view group, std::string_view plural, std::string_view space, std::string_view name) {
    std::uint16_t resource = schema::find_resource(group, "v1", plural);
    builders_[resource].erase(space, name);
    published_[resource] = nullptr;
    ++revision_;
  }

 private:
  mutable std::map<std::uint16_t, snapshot_builder> builders_;
  mutable std::map<std::uint16_t, snapshot_ptr> published_;
  std::uint64_t revision_ = 0;
};

/// Has what the api_server makes at its start.
struct default_cluster : fake_cluster {
  default_cluster() {
    for (const std::string& object : bootstrap_objects()) put(object);
  }
};

inline std::string role(const std::string& kind, const std::string& space, const std::string& name,
                        const std::string& rules) {
  return R"({"kind":")" + kind + R"(","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{"name":")" + name + "\"" +
         (space.empty() ? "" : R"(,"namespace":")" + space + "\"") + R"(},"rules":)" + rules + "}";
}

inline std::string binding(const std::string& space, const std::string& name, const std::string& role_kind,
                           const std::string& role_name, const std::string& subjects) {
  return R"({"kind":")" + std::string(space.empty() ? "ClusterRoleBinding" : "RoleBinding") +
         R"(","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{"name":")" + name + "\"" +
         (space.empty() ? "" : R"(,"namespace":")" + space + "\"") + R"(},"subjects":)" + subjects +
         R"(,"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":")" + role_kind + R"(","name":")" + role_name +
         "\"}}";
}

inline user_ptr user(std::string name, std::vector<std::string> groups = {"system:authenticated"}) {
  return std::make_shared<const user_info>(user_info{std::move(name), {}, std::move(groups), {}});
}

inline attributes ask(std::string_view verb, std::string_view group, std::string_view resource,
                      std::string_view space = {}, std::string_view name = {}, std::string_view subresource = {}) {
  attributes out;
  out.verb = verb;
  out.group = group;
  out.version = "v1";
  out.resource = resource;
  out.subresource = subresource;
  out.namespace_name = space;
  out.name = name;
  return out;
}

inline attributes ask_path(std::string_view verb, std::string_view path) {
  attributes out;
  out.resource_request = false;
  out.verb = verb;
  out.path = path;
  return out;
}

inline request_context context_for(request_verb verb, std::string_view group, std::string_view plural,
                                   std::string space = {}, std::string name = {}) {
  request_context out;
  out.verb = verb;
  out.resource = schema::find_resource(group, "v1", plural);
  out.group = out.info().group;
  out.version = out.info().version;
  out.namespace_name = std::move(space);
  out.name = std::move(name);
  return out;
}

}  // namespace troupe::api
