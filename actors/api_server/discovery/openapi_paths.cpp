// The paths of the OpenAPI documents: every operation on every resource of a group-version.
#include "actors/api_server/discovery/openapi_paths.hpp"

#include <span>
#include <string>
#include <vector>

#include "actors/api_server/discovery/groups.hpp"

namespace troupe::api {
inline namespace discovery_detail {

namespace {

struct parameter {
  std::string_view name;
  std::string_view type;  // string, boolean, integer
};

constexpr parameter write_parameters[] = {
    {"dryRun", "string"}, {"fieldManager", "string"}, {"fieldValidation", "string"}};
constexpr parameter patch_parameters[] = {
    {"dryRun", "string"}, {"fieldManager", "string"}, {"fieldValidation", "string"}, {"force", "boolean"}};
constexpr parameter delete_parameters[] = {{"dryRun", "string"},
                                           {"gracePeriodSeconds", "integer"},
                                           {"ignoreStoreReadErrorWithClusterBreakingPotential", "boolean"},
                                           {"orphanDependents", "boolean"},
                                           {"propagationPolicy", "string"}};
constexpr parameter list_parameters[] = {{"allowWatchBookmarks", "boolean"},
                                         {"continue", "string"},
                                         {"fieldSelector", "string"},
                                         {"labelSelector", "string"},
                                         {"limit", "integer"},
                                         {"resourceVersion", "string"},
                                         {"resourceVersionMatch", "string"},
                                         {"sendInitialEvents", "boolean"},
                                         {"timeoutSeconds", "integer"},
                                         {"watch", "boolean"}};

/// What an operation answers and takes.
struct operation_kind {
  std::string_view action;     // x-kubernetes-action
  std::string_view id_prefix;  // of the operationId: "list", "read", "replace"
  std::string_view method;     // OpenAPI's: "get", "put"
  std::span<const parameter> parameters;
  bool body;  // takes an object
};

constexpr operation_kind list_operation{"list", "list", "get", list_parameters, false};
constexpr operation_kind create_operation{"post", "create", "post", write_parameters, true};
constexpr operation_kind delete_collection_operation{"deletecollection", "deleteCollection", "delete",
                                                     delete_parameters, false};
constexpr operation_kind get_operation{"get", "read", "get", {}, false};
constexpr operation_kind update_operation{"put", "replace", "put", write_parameters, true};
constexpr operation_kind patch_operation{"patch", "patch", "patch", patch_parameters, true};
constexpr operation_kind delete_operation{"delete", "delete", "delete", delete_parameters, false};

/// What all operations of one path share.
struct path_subject {
  std::string_view group, version;                  // of the path
  std::string_view kind_group, kind_version, kind;  // of its objects
  std::string id_suffix;                            // "CoreV1NamespacedPodStatus"
  std::string tag;                                  // "core_v1"
  std::uint16_t type = schema::no_index, list_type = schema::no_index;
};

std::string capitalised(std::string_view text) {
  std::string out(text);
  if (!out.empty() && out[0] >= 'a' && out[0] <= 'z') out[0] = static_cast<char>(out[0] - 32);
  return out;
}

/// "core", "apps", "rbacAuthorization": the group without its k8s.io end, in one word.
std::string group_word(std::string_view group) {
  if (group.empty()) return "core";
  if (auto end = group.find(".k8s.io"); end != std::string_view::npos) group = group.substr(0, end);
  std::string out;
  while (!group.empty()) {
    auto dot = group.find('.');
    out += out.empty() ? std::string(group.substr(0, dot)) : capitalised(group.substr(0, dot));
    group = dot == std::string_view::npos ? std::string_view() : group.substr(dot + 1);
  }
  return out;
}

void write_scalar_schema(json_writer& out, openapi_dialect dialect, std::string_view type) {
  if (dialect == openapi_dialect::v3)
    out.key("schema").open().member("type", type).close();
  else
    out.member("type", type);
}

void write_parameter(json_writer& out, openapi_dialect dialect, std::string_view name, std::string_view type,
                     bool in_path) {
  out.open().member("name", name).member("in", in_path ? "path" : "query");
  if (in_path) out.member("required", true);
  write_scalar_schema(out, dialect, type);
  out.member("uniqueItems", true).close();
}

void write_reference_schema(json_writer& out, openapi_dialect dialect, std::string_view reference) {
  out.key("schema").open();
  if (reference.empty())
    out.member("type", "object");
  else
    out.member("$ref", std::string_view(definition_reference(dialect, reference)));
  out.close();
}

void write_content(json_writer& out, std::span<const std::string_view> types, std::string_view reference) {
  out.key("content").open();
  for (std::string_view type : types) {
    out.key(type).open();
    write_reference_schema(out, openapi_dialect::v3, reference);
    out.close();
  }
  out.close();
}

constexpr std::string_view json_only[] = {"application/json"};
constexpr std::string_view json_and_yaml[] = {"application/json", "application/yaml"};
constexpr std::string_view any_type[] = {"*/*"};
constexpr std::string_view patch_types[] = {"application/json-patch+json", "application/merge-patch+json",
                                            "application/strategic-merge-patch+json"};

void write_response(json_writer& out, openapi_dialect dialect, std::string_view code, std::string_view phrase,
                    std::string_view reference) {
  out.key(code).open().member("description", phrase);
  if (!phrase.starts_with("Un")) {
    if (dialect == openapi_dialect::v3)
      write_content(out, json_and_yaml, reference);
    else
      write_reference_schema(out, dialect, reference);
  }
  out.close();
}

class path_writer {
 public:
  path_writer(json_writer& out, definition_set& definitions) : out_(out), definitions_(definitions) {}

  void begin(const std::string& path) { out_.key(path).open(); }
  /// Closes the path item with the parameters all its operations share.
  void end(bool namespaced, bool named) {
    openapi_dialect dialect = definitions_.dialect();
    out_.key("parameters").open_list();
    if (named) write_parameter(out_, dialect, "name", "string", true);
    if (namespaced) write_parameter(out_, dialect, "namespace", "string", true);
    write_parameter(out_, dialect, "pretty", "string", false);
    out_.close_list().close();
  }

  void operation(const operation_kind& what, const path_subject& of, std::string_view id_infix) {
    openapi_dialect dialect = definitions_.dialect();
    std::string id = std::string(what.id_prefix) + of.id_suffix + std::string(id_infix);
    out_.key(what.method).open().key("tags").open_list().value(std::string_view(of.tag)).close_list();
    out_.member("operationId", std::string_view(id));
    std::string body = what.body ? body_reference(what, of) : std::string();
    out_.key("parameters").open_list();
    for (const parameter& one : what.parameters) write_parameter(out_, dialect, one.name, one.type, false);
    if (what.body && dialect == openapi_dialect::v2) {
      out_.open().member("name", "body").member("in", "body").member("required", true);
      write_reference_schema(out_, dialect, body);
      out_.close();
    }
    out_.close_list();
    if (what.body && dialect == openapi_dialect::v3) write_body(what, body);
    write_responses(what, of);
    out_.member("x-kubernetes-action", what.action).key("x-kubernetes-group-version-kind");
    write_group_version_kind(out_, of.kind_group, of.kind_version, of.kind);
    out_.close();
  }

 private:
  std::string body_reference(const operation_kind& what, const path_subject& of) {
    if (what.action != "patch") return reference(of.type);
    definitions_.add("io.k8s.apimachinery.pkg.apis.meta.v1.Patch", R"({"type":"object"})");
    return "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
  }
  std::string reference(std::uint16_t type) {
    if (type == schema::no_index) return {};
    definitions_.add(type);
    return definition_name(schema::types()[type]);
  }
  void write_body(const operation_kind& what, std::string_view body) {
    out_.key("requestBody").open();
    bool patch = what.action == "patch";
    write_content(out_,
                  patch ? std::span<const std::string_view>(patch_types) : std::span<const std::string_view>(any_type),
                  body);
    out_.member("required", true).close();
  }
  void write_responses(const operation_kind& what, const path_subject& of) {
    openapi_dialect dialect = definitions_.dialect();
    bool gone = what.action == "delete" || what.action == "deletecollection";
    std::uint16_t answer = what.action == "list" ? of.list_type : gone ? schema::find_type("meta/v1.Status") : of.type;
    std::string name = reference(answer);
    out_.key("responses").open();
    write_response(out_, dialect, "200", "OK", name);
    if (what.body) write_response(out_, dialect, "201", "Created", name);
    if (what.action == "post" || what.action == "delete") write_response(out_, dialect, "202", "Accepted", name);
    write_response(out_, dialect, "401", "Unauthorized", {});
    out_.close();
  }

  json_writer& out_;
  definition_set& definitions_;
};

std::string base_path(std::string_view group, std::string_view version) {
  return group.empty() ? "/api/" + std::string(version) : "/apis/" + std::string(group) + "/" + std::string(version);
}

path_subject subject_of(const schema::resource& resource) {
  path_subject out;
  out.group = out.kind_group = resource.group;
  out.version = out.kind_version = resource.version;
  out.kind = resource.kind;
  out.type = resource.type;
  std::string word = group_word(resource.group);
  out.tag = word + "_" + std::string(resource.version);
  out.id_suffix = capitalised(word) + capitalised(resource.version);
  if (resource.type != schema::no_index && !resource.list_kind.empty()) {
    const schema::package& package = schema::packages()[schema::types()[resource.type].package];
    out.list_type = schema::find_type(std::string(package.id) + "." + std::string(resource.list_kind));
  }
  return out;
}

void write_subresource_path(path_writer& paths, const schema::resource& resource, const schema::subresource& sub,
                            const std::string& item, path_subject of, const std::string& scope) {
  of.kind_group = sub.group;
  of.kind_version = sub.version;
  of.kind = sub.kind;
  of.type = sub.type;
  of.id_suffix += scope + std::string(resource.kind) + capitalised(sub.name);
  paths.begin(item + "/" + std::string(sub.name));
  if (sub.verbs & schema::verb_get) paths.operation(get_operation, of, "");
  if (sub.verbs & schema::verb_update) paths.operation(update_operation, of, "");
  if (sub.verbs & schema::verb_create) paths.operation(create_operation, of, "");
  if (sub.verbs & schema::verb_patch) paths.operation(patch_operation, of, "");
  if (sub.verbs & schema::verb_delete) paths.operation(delete_operation, of, "");
  paths.end(resource.namespaced, true);
}

void write_resource_paths(path_writer& paths, const schema::resource& resource) {
  path_subject of = subject_of(resource);
  std::string base = base_path(resource.group, resource.version);
  std::string scope = resource.namespaced ? "Namespaced" : "";
  std::string kind(resource.kind), collection = base + (resource.namespaced ? "/namespaces/{namespace}/" : "/");
  collection += resource.plural;
  std::string id = scope + kind;
  if (resource.namespaced && (resource.verbs & schema::verb_list)) {
    paths.begin(base + "/" + std::string(resource.plural));
    paths.operation(list_operation, of, kind + "ForAllNamespaces");
    paths.end(false, false);
  }
  if (resource.verbs & (schema::verb_list | schema::verb_create | schema::verb_deletecollection)) {
    paths.begin(collection);
    if (resource.verbs & schema::verb_list) paths.operation(list_operation, of, id);
    if (resource.verbs & schema::verb_create) paths.operation(create_operation, of, id);
    if (resource.verbs & schema::verb_deletecollection) paths.operation(delete_collection_operation, of, id);
    paths.end(resource.namespaced, false);
  }
  std::string item = collection + "/{name}";
  if (resource.verbs & (schema::verb_get | schema::verb_update | schema::verb_patch | schema::verb_delete)) {
    paths.begin(item);
    if (resource.verbs & schema::verb_get) paths.operation(get_operation, of, id);
    if (resource.verbs & schema::verb_update) paths.operation(update_operation, of, id);
    if (resource.verbs & schema::verb_patch) paths.operation(patch_operation, of, id);
    if (resource.verbs & schema::verb_delete) paths.operation(delete_operation, of, id);
    paths.end(resource.namespaced, true);
  }
  for (const schema::subresource& sub : resource.subresources)
    write_subresource_path(paths, resource, sub, item, of, scope);
}

}  // namespace

void write_paths(json_writer& out, std::string_view group, std::string_view version, definition_set& definitions) {
  path_writer paths(out, definitions);
  for (const schema::resource* resource : served_resources(group, version)) {
    definitions.add(resource->type);
    write_resource_paths(paths, *resource);
  }
  definitions.add(schema::find_type("meta/v1.DeleteOptions"));
}

}  // namespace discovery_detail
}  // namespace troupe::api
