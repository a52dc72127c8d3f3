// Kubernetes' layout of keys.
#include "actors/api_server/registry/keys.hpp"

#include <vector>

#include "messages/schema/schema.hpp"

namespace troupe::api {

namespace {

std::string make_prefix(const schema::resource& row) {
  // pkg/kubeapiserver/default_storage_factory_builder.go, SpecialDefaultResourcePrefixes
  if (row.plural == "replicationcontrollers") return "/registry/controllers/";
  if (row.plural == "nodes") return "/registry/minions/";
  if (row.plural == "services") return "/registry/services/specs/";
  if (row.plural == "endpoints") return "/registry/services/endpoints/";
  if (row.group == "apiregistration.k8s.io" || row.group == "apiextensions.k8s.io")
    return "/registry/" + std::string(row.group) + "/" + std::string(row.plural) + "/";
  if (row.plural == "ingresses") return "/registry/ingress/";
  return "/registry/" + std::string(row.plural) + "/";
}

std::vector<std::string> make_prefixes() {
  std::vector<std::string> out;
  for (auto& row : schema::resources()) out.push_back(make_prefix(schema::resources()[row.storage]));
  return out;
}

}  // namespace

std::string_view storage_prefix(std::uint16_t resource) {
  static const std::vector<std::string> prefixes = make_prefixes();
  return prefixes[resource];
}

std::string storage_key(std::uint16_t resource, std::string_view namespace_name, std::string_view name) {
  auto prefix = storage_prefix(resource);
  std::string key;
  key.reserve(prefix.size() + namespace_name.size() + name.size() + 1);
  key += prefix;
  if (!namespace_name.empty()) {
    key += namespace_name;
    key += '/';
  }
  key += name;
  return key;
}

std::string prefix_end(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) end.pop_back();
  if (!end.empty()) ++end.back();
  return end;
}

}  // namespace troupe::api
