#include "actors/cloud_controller_manager/local/provider.hpp"

#include "messages/document.hpp"
#include "messages/views/core_v1.hpp"

namespace troupe::cloud {
namespace {

constexpr std::string_view list_key = "kube-system/local-cloud";

std::string text_of(const document& from, std::string_view key) {
  const auto* found = from.root().find(key);
  return found ? std::string(found->string()) : std::string();
}

result<std::optional<machine>> read_machine(std::string_view node, std::string_view text) {
  auto refused = [&](const std::string& why) {
    return bad_request("ConfigMap " + std::string(list_key) + ", key " + std::string(node) + ": " + why);
  };
  auto parsed = document::parse_yaml(text);
  if (!parsed) return refused(parsed.error().message);
  if (!parsed->root().is_object() && !parsed->root().is_null()) return refused("must be a mapping");
  machine out;
  out.provider_id = "local://" + std::string(node);
  out.zone = text_of(*parsed, "zone");
  out.region = text_of(*parsed, "region");
  out.instance_type = text_of(*parsed, "instanceType");
  auto state = text_of(*parsed, "state");
  if (!state.empty() && state != "running" && state != "stopped")
    return refused("state must be running or stopped, not \"" + state + "\"");
  out.shut_down = state == "stopped";
  if (const auto* addresses = parsed->root().find("addresses"); addresses && addresses->is_object())
    for (auto* one = addresses->begin_members(); one != addresses->end_members(); ++one)
      out.addresses.emplace_back(one->key, one->value.string());
  return std::optional<machine>(std::move(out));
}

}  // namespace

std::vector<controller::source> local_provider::sources() const {
  return {{"/api/v1/namespaces/kube-system/configmaps", {}, "metadata.name=local-cloud"}};
}

result<std::optional<machine>> local_provider::machine_of(std::string_view node, const controller::caches& view,
                                                          std::uint32_t first) const {
  auto list = view.find(first, list_key);
  if (!list) return read_machine(node, "");
  auto content = document::parse(list->json.view());
  if (!content) return content.error();
  for (auto [key, text] : core_v1::config_map_view(*content).data())
    if (key == node) return read_machine(node, text);
  return std::optional<machine>();
}

}  // namespace troupe::cloud
