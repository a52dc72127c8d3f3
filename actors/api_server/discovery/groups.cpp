// Which groups, versions and resources there are, in the legacy and the aggregated form of discovery.
#include "actors/api_server/discovery/groups.hpp"

#include <algorithm>

#include "actors/api_server/discovery/json_writer.hpp"

namespace troupe::api {

namespace {

std::string version_text(const schema::group_version& gv) {
  return gv.group.empty() ? std::string(gv.version) : std::string(gv.group) + "/" + std::string(gv.version);
}

void write_version(json_writer& out, const schema::group_version& gv) {
  out.open().member("groupVersion", std::string_view(version_text(gv))).member("version", gv.version).close();
}

/// name, versions, preferredVersion of a group; `versions` has its versions, the preferred one first.
void write_group(json_writer& out, std::string_view group, std::span<const schema::group_version> versions) {
  out.member("name", group).key("versions").open_list();
  for (const auto& gv : versions) write_version(out, gv);
  out.close_list().key("preferredVersion");
  write_version(out, versions.front());
}

/// The served groups but core, each with its versions.
std::vector<std::vector<schema::group_version>> named_groups() {
  std::vector<std::vector<schema::group_version>> out;
  for (const auto& gv : served_versions()) {
    if (gv.group.empty()) continue;
    auto known = std::find_if(out.begin(), out.end(), [&](auto& group) { return group[0].group == gv.group; });
    if (known == out.end())
      out.push_back({gv});
    else
      known->push_back(gv);
  }
  return out;
}

void write_resource(json_writer& out, const schema::resource& from) {
  out.open().member("name", from.plural).member("singularName", from.singular).member("namespaced", from.namespaced);
  out.member("kind", from.kind).member("verbs", verb_texts(from.verbs));
  if (!from.short_names.empty()) out.member("shortNames", from.short_names);
  if (!from.categories.empty()) out.member("categories", from.categories);
  if (!from.storage_version_hash.empty()) out.member("storageVersionHash", from.storage_version_hash);
  out.close();
}

void write_subresource(json_writer& out, const schema::resource& parent, const schema::subresource& from) {
  std::string name = std::string(parent.plural) + "/" + std::string(from.name);
  out.open().member("name", std::string_view(name)).member("singularName", "").member("namespaced", parent.namespaced);
  if (from.group != parent.group || from.version != parent.version) {
    if (!from.group.empty()) out.member("group", from.group);
    out.member("version", from.version);
  }
  out.member("kind", from.kind).member("verbs", verb_texts(from.verbs)).close();
}

/// Subresources sorted by name.
std::vector<const schema::subresource*> sorted_subresources(const schema::resource& of) {
  std::vector<const schema::subresource*> out;
  for (const auto& subresource : of.subresources) out.push_back(&subresource);
  std::sort(out.begin(), out.end(), [](auto* a, auto* b) { return a->name < b->name; });
  return out;
}

void write_response_kind(json_writer& out, std::string_view group, std::string_view version, std::string_view kind) {
  out.key("responseKind").open().member("group", group).member("version", version).member("kind", kind).close();
}

void write_aggregated_resource(json_writer& out, const schema::resource& from) {
  out.open().member("resource", from.plural);
  write_response_kind(out, from.group, from.version, from.kind);
  out.member("scope", from.namespaced ? "Namespaced" : "Cluster").member("singularResource", from.singular);
  out.member("verbs", verb_texts(from.verbs));
  if (!from.short_names.empty()) out.member("shortNames", from.short_names);
  if (!from.categories.empty()) out.member("categories", from.categories);
  if (!from.subresources.empty()) {
    out.key("subresources").open_list();
    for (const schema::subresource* subresource : sorted_subresources(from)) {
      out.open().member("subresource", subresource->name);
      write_response_kind(out, subresource->group, subresource->version, subresource->kind);
      out.member("verbs", verb_texts(subresource->verbs)).close();
    }
    out.close_list();
  }
  out.close();
}

void write_aggregated_group(json_writer& out, std::string_view group, std::span<const schema::group_version> versions) {
  out.open().key("metadata").open();
  if (!group.empty()) out.member("name", group);
  out.close().key("versions").open_list();
  for (const auto& gv : versions) {
    out.open().member("version", gv.version).key("resources").open_list();
    for (const schema::resource* resource : served_resources(gv.group, gv.version))
      write_aggregated_resource(out, *resource);
    out.close_list().member("freshness", "Current").close();
  }
  out.close_list().close();
}

}  // namespace

std::vector<schema::group_version> served_versions() {
  std::vector<schema::group_version> out;
  for (const auto& gv : schema::group_versions())
    if (gv.group != "metrics.k8s.io") out.push_back(gv);
  return out;
}

std::vector<const schema::resource*> served_resources(std::string_view group, std::string_view version) {
  std::vector<const schema::resource*> out;
  if (group == "metrics.k8s.io") return out;
  for (const auto& resource : schema::resources())
    if (resource.group == group && resource.version == version) out.push_back(&resource);
  std::sort(out.begin(), out.end(), [](auto* a, auto* b) { return a->plural < b->plural; });
  return out;
}

std::vector<std::string_view> verb_texts(std::uint16_t verbs) {
  static constexpr std::pair<std::uint16_t, std::string_view> names[] = {
      {schema::verb_create, "create"},
      {schema::verb_delete, "delete"},
      {schema::verb_deletecollection, "deletecollection"},
      {schema::verb_get, "get"},
      {schema::verb_list, "list"},
      {schema::verb_patch, "patch"},
      {schema::verb_update, "update"},
      {schema::verb_watch, "watch"}};
  std::vector<std::string_view> out;
  for (const auto& [bit, name] : names)
    if (verbs & bit) out.push_back(name);
  return out;
}

std::string api_versions_document(std::string_view server_address) {
  std::string text;
  json_writer out(text);
  out.open().member("kind", "APIVersions").key("versions").open_list().value(std::string_view("v1")).close_list();
  out.key("serverAddressByClientCIDRs").open_list().open();
  out.member("clientCIDR", "0.0.0.0/0").member("serverAddress", server_address).close().close_list().close();
  return text;
}

std::string group_list_document() {
  std::string text;
  json_writer out(text);
  out.open().member("kind", "APIGroupList").member("apiVersion", "v1").key("groups").open_list();
  for (const auto& versions : named_groups()) {
    out.open();
    write_group(out, versions[0].group, versions);
    out.close();
  }
  out.close_list().close();
  return text;
}

std::string group_document(std::string_view group) {
  for (const auto& versions : named_groups()) {
    if (versions[0].group != group) continue;
    std::string text;
    json_writer out(text);
    out.open().member("kind", "APIGroup").member("apiVersion", "v1");
    write_group(out, group, versions);
    out.close();
    return text;
  }
  return {};
}

std::string resource_list_document(std::string_view group, std::string_view version) {
  auto resources = served_resources(group, version);
  if (resources.empty()) return {};
  std::string text;
  json_writer out(text);
  out.open().member("kind", "APIResourceList");
  if (!group.empty()) out.member("apiVersion", "v1");
  out.member("groupVersion", std::string_view(version_text({group, version, 0, 0}))).key("resources").open_list();
  for (const schema::resource* resource : resources) {
    write_resource(out, *resource);
    for (const schema::subresource* subresource : sorted_subresources(*resource))
      write_subresource(out, *resource, *subresource);
  }
  out.close_list().close();
  return text;
}

std::string aggregated_document(bool core, std::string_view version) {
  std::string text, api_version = "apidiscovery.k8s.io/" + std::string(version);
  json_writer out(text);
  out.open().member("kind", "APIGroupDiscoveryList").member("apiVersion", std::string_view(api_version));
  out.key("metadata").open().close().key("items").open_list();
  if (core) {
    const schema::group_version v1{"", "v1", 0, 0};
    write_aggregated_group(out, "", {&v1, 1});
  } else {
    for (const auto& versions : named_groups()) write_aggregated_group(out, versions[0].group, versions);
  }
  out.close_list().close();
  return text;
}

}  // namespace troupe::api
