// The OpenAPI documents, generated from the schema table.
#include "actors/api_server/discovery/openapi.hpp"

#include <optional>

#include "actors/api_server/discovery/cached_document.hpp"
#include "actors/api_server/discovery/groups.hpp"
#include "actors/api_server/discovery/openapi_paths.hpp"
#include "actors/api_server/discovery/openapi_protobuf.hpp"
#include "actors/api_server/discovery/version.hpp"

namespace troupe::api {

namespace {

/// "api/v1" or "apis/apps/v1": a group-version's place in the index and behind /openapi/v3/.
std::string place_of(const schema::group_version& gv) {
  return gv.group.empty() ? "api/" + std::string(gv.version)
                          : "apis/" + std::string(gv.group) + "/" + std::string(gv.version);
}

std::optional<schema::group_version> version_at(std::string_view place) {
  for (const auto& gv : served_versions())
    if (place_of(gv) == place) return gv;
  return {};
}

cached_document v3_document(const schema::group_version& gv) {
  return document_once("openapi/v3/" + place_of(gv), [&] { return openapi_v3_document(gv.group, gv.version); });
}

/// Only hashes are needed for the index, so the documents are built, summed and dropped.
std::string index_text() {
  std::string text;
  json_writer out(text);
  out.open().key("paths").open();
  for (const auto& gv : served_versions()) {
    std::string place = place_of(gv);
    std::string url = "/openapi/v3/" + place + "?hash=" + content_hash(openapi_v3_document(gv.group, gv.version));
    out.key(place).open().member("serverRelativeURL", std::string_view(url)).close();
  }
  out.close().close();
  return text;
}

std::string_view query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    auto end = query.find('&');
    std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=')
      return pair.substr(name.size() + 1);
  }
  return {};
}

bool takes_json(std::string_view accept) {
  if (accept.empty()) return true;
  while (!accept.empty()) {
    auto comma = accept.find(',');
    std::string_view range = accept.substr(0, comma);
    accept = comma == std::string_view::npos ? std::string_view() : accept.substr(comma + 1);
    range.remove_prefix(std::min(range.find_first_not_of(' '), range.size()));
    for (std::string_view known : {"application/json", "application/*", "*/*"})
      if (range.starts_with(known)) return true;
  }
  return false;
}

nonresource_answer with_etag(const nonresource_request& request, const cached_document& document) {
  nonresource_answer out;
  out.headers = {{"etag", document.etag}, {"vary", "Accept"}};
  if (request.if_none_match == document.etag)
    out.code = 304;
  else
    out.body = document.body;
  return out;
}

/// Clients that know the protobuf form ask for nothing else.
nonresource_answer answer_v2_protobuf(const nonresource_request& request) {
  if (request.accept.find("application/com.github.proto-openapi.spec.v2") == std::string_view::npos)
    return {406, "application/json", {}, {}};
  auto out = with_etag(request,
                       document_once("openapi/v2 protobuf", [] { return openapi_v2_protobuf(openapi_v2_document()); }));
  out.content_type = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
  return out;
}

nonresource_answer answer_version(const nonresource_request& request, const schema::group_version& gv) {
  cached_document document = v3_document(gv);
  std::string_view hash = query_value(request.query, "hash");
  if (!hash.empty() && hash != document.hash) {
    nonresource_answer out;
    out.code = 301;
    out.headers = {{"location", "/openapi/v3/" + place_of(gv) + "?hash=" + document.hash}};
    return out;
  }
  nonresource_answer out = with_etag(request, document);
  out.headers.emplace_back("cache-control", hash.empty() ? "no-cache, private" : "public, immutable, max-age=31536000");
  return out;
}

}  // namespace

std::string openapi_v3_document(std::string_view group, std::string_view version) {
  if (served_resources(group, version).empty()) return {};
  definition_set definitions(openapi_dialect::v3);
  std::string text;
  json_writer out(text);
  out.open().member("openapi", "3.0.0").key("info").open().member("title", "Kubernetes");
  out.member("version", git_version()).close().key("paths").open();
  write_paths(out, group, version, definitions);
  out.close().key("components").open().key("schemas");
  definitions.write(out);
  out.key("securitySchemes").open().key("BearerToken").open().member("type", "apiKey").member("name", "authorization");
  out.member("in", "header").close().close().close().close();
  return text;
}

std::string openapi_v2_document() {
  definition_set definitions(openapi_dialect::v2);
  std::string text;
  json_writer out(text);
  out.open().member("swagger", "2.0").key("info").open().member("title", "Kubernetes");
  out.member("version", git_version()).close().key("paths").open();
  for (const auto& gv : served_versions()) write_paths(out, gv.group, gv.version, definitions);
  out.close().key("definitions");
  definitions.write(out);
  out.close();
  return text;
}

nonresource_answer answer_openapi(const nonresource_request& request, std::string_view path) {
  if (path == "/openapi/v3") return with_etag(request, document_once("openapi/v3", index_text));
  if (path == "/openapi/v2") {
    if (!takes_json(request.accept)) return answer_v2_protobuf(request);
    return with_etag(request, document_once("openapi/v2", openapi_v2_document));
  }
  constexpr std::string_view prefix = "/openapi/v3/";
  if (!path.starts_with(prefix)) return {404, {}, {}, {}};
  auto gv = version_at(path.substr(prefix.size()));
  if (!gv) return {404, {}, {}, {}};
  return answer_version(request, *gv);
}

}  // namespace troupe::api
