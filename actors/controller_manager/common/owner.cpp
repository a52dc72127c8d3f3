#include "actors/controller_manager/common/owner.hpp"

#include <stdexcept>

namespace troupe::controllers {

owner controller_of(const meta_v1::object_meta_view& metadata) {
  for (auto one : metadata.owner_references())
    if (one.controller())
      return {std::string(one.api_version()), std::string(one.kind()), std::string(one.name()), std::string(one.uid())};
  return {};
}

void set_controller(meta_v1::object_meta_view metadata, std::string_view api_version, std::string_view kind,
                    std::string_view name, std::string_view uid) {
  auto reference = metadata.mutable_owner_references().append();
  reference.set_api_version(api_version);
  reference.set_kind(kind);
  reference.set_name(name);
  reference.set_uid(uid);
  reference.set_controller(true);
  reference.set_block_owner_deletion(true);
}

document decode(const object& one) {
  auto parsed = document::parse(one.json.view());
  if (!parsed) throw std::runtime_error("cached object " + key_of(one) + " is broken: " + parsed.error().message);
  return std::move(*parsed);
}

std::string key_of(const object& one) { return key_of(one.namespace_name, one.name); }

std::string key_of(std::string_view namespace_name, std::string_view name) {
  if (namespace_name.empty()) return std::string(name);
  std::string key;
  key.reserve(namespace_name.size() + 1 + name.size());
  key.append(namespace_name).append("/").append(name);
  return key;
}

}  // namespace troupe::controllers
