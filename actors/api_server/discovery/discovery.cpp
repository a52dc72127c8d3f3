// Non-resource GETs: which document answers which path.
#include "actors/api_server/discovery/discovery.hpp"

#include <algorithm>
#include <map>
#include <mutex>

#include "actors/api_server/discovery/cached_document.hpp"
#include "actors/api_server/discovery/groups.hpp"
#include "actors/api_server/discovery/health.hpp"
#include "actors/api_server/discovery/openapi.hpp"
#include "actors/api_server/discovery/version.hpp"

namespace troupe::api {

namespace {

const nonresource_answer unknown{404, {}, {}, {}};

/// Version of aggregated discovery that the Accept header wants: "v2", "v2beta1", or empty for the legacy form. The
/// first media range that can be served decides, as in kube-apiserver.
std::string_view aggregated_version(std::string_view accept) {
  while (!accept.empty()) {
    auto comma = accept.find(',');
    std::string_view range = accept.substr(0, comma);
    accept = comma == std::string_view::npos ? std::string_view() : accept.substr(comma + 1);
    bool discovery = range.find("g=apidiscovery.k8s.io") != std::string_view::npos &&
                     range.find("as=APIGroupDiscoveryList") != std::string_view::npos;
    bool json = range.find("application/json") != std::string_view::npos;
    if (json && discovery && range.find("v=v2beta1") != std::string_view::npos) return "v2beta1";
    if (json && discovery && range.find("v=v2") != std::string_view::npos) return "v2";
    if (!discovery && (json || range.find("*/*") != std::string_view::npos)) return {};
  }
  return {};
}

nonresource_answer answer_aggregated(const nonresource_request& request, std::string_view version) {
  bool core = request.path == "/api" || request.path == "/api/";
  cached_document document = document_once("aggregated" + std::string(core ? "/api " : "/apis ") + std::string(version),
                                           [&] { return aggregated_document(core, version); });
  nonresource_answer out;
  out.content_type = "application/json;g=apidiscovery.k8s.io;v=" + std::string(version) + ";as=APIGroupDiscoveryList";
  out.headers = {{"etag", document.etag}, {"vary", "Accept"}, {"cache-control", "public"}};
  if (request.if_none_match == document.etag)
    out.code = 304;
  else
    out.body = document.body;
  return out;
}

/// A document that depends on nothing but the key; empty text means there is none.
template <class F>
nonresource_answer answer_document(std::string key, F&& make) {
  cached_document document = document_once(std::move(key), std::forward<F>(make));
  if (document.body.empty()) return unknown;
  return {200, "application/json", {}, document.body};
}

nonresource_answer answer_groups(const nonresource_request& request, std::string_view path) {
  if (path == "/api" || path == "/apis") {
    if (std::string_view version = aggregated_version(request.accept); !version.empty())
      return answer_aggregated(request, version);
    nonresource_answer out =
        path == "/apis" ? answer_document("/apis", group_list_document)
                        : nonresource_answer{
                              200, "application/json", {}, shared_bytes(api_versions_document(request.server_address))};
    out.headers.emplace_back("vary", "Accept");
    return out;
  }
  if (path == "/api/v1") return answer_document("/api/v1", [] { return resource_list_document("", "v1"); });
  if (!path.starts_with("/apis/")) return unknown;
  std::string_view rest = path.substr(6);
  auto slash = rest.find('/');
  std::string_view group = rest.substr(0, slash);
  auto versions = served_versions();
  bool known = std::any_of(versions.begin(), versions.end(), [&](auto& gv) {
    return gv.group == group && (slash == std::string_view::npos || gv.version == rest.substr(slash + 1));
  });
  if (!known || group.empty()) return unknown;  // nothing is cached for paths that clients make up
  if (slash == std::string_view::npos) return answer_document(std::string(path), [&] { return group_document(group); });
  return answer_document(std::string(path), [&] { return resource_list_document(group, rest.substr(slash + 1)); });
}

/// GET /: every path there is.
std::string path_list(const std::vector<health_check>& checks) {
  std::vector<std::string> paths{"/api",     "/api/v1",     "/apis",       "/apis/",       "/healthz", "/livez",
                                 "/metrics", "/openapi/v2", "/openapi/v3", "/openapi/v3/", "/readyz",  "/version"};
  for (const auto& gv : served_versions()) {
    if (gv.group.empty()) continue;
    paths.push_back("/apis/" + std::string(gv.group));
    paths.push_back(paths.back() + "/" + std::string(gv.version));
  }
  for (const health_check& check : checks) {
    paths.push_back("/healthz/" + std::string(check.name));
    paths.push_back("/readyz/" + std::string(check.name));
    if (check.for_liveness) paths.push_back("/livez/" + std::string(check.name));
  }
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  std::string out = "{\n  \"paths\": [";
  for (const std::string& path : paths) out += (&path == &paths[0] ? "\n    \"" : ",\n    \"") + path + "\"";
  return out + "\n  ]\n}";
}

struct document_cache {
  std::mutex guard;
  std::map<std::string, cached_document, std::less<>> documents;
};

}  // namespace

cached_document document_once(std::string key, const std::function<std::string()>& make) {
  static document_cache cache;
  std::lock_guard lock(cache.guard);
  auto known = cache.documents.find(key);
  if (known != cache.documents.end()) return known->second;
  std::string text = make();
  cached_document document{content_hash(text), {}, {}};
  document.etag = "\"" + document.hash + "\"";
  document.body = shared_bytes(std::move(text));
  return cache.documents.emplace(std::move(key), std::move(document)).first->second;
}

std::string content_hash(std::string_view text) {
  // Two FNV-1a sums with different bases: 128 bits that change with the content. Not a defence against anyone.
  std::uint64_t a = 0xcbf29ce484222325ULL, b = 0x9ae16a3b2f90404fULL;
  for (unsigned char c : text) {
    a = (a ^ c) * 0x100000001b3ULL;
    b = (b ^ c ^ (a >> 57)) * 0x100000001b3ULL;
  }
  std::string out;
  for (std::uint64_t half : {a, b})
    for (int shift = 60; shift >= 0; shift -= 4) out += "0123456789ABCDEF"[(half >> shift) & 15];
  return out;
}

nonresource_answer answer_nonresource(const nonresource_request& request) {
  std::string_view path = request.path;
  if (path.empty() || path == "/" || path == "/index.html")
    return {200, "application/json", {}, shared_bytes(path_list(request.health))};
  if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  if (path == "/version") return {200, "application/json", {}, version_document()};
  if (path.starts_with("/openapi/")) return answer_openapi(request, path);
  if (path.starts_with("/api")) return answer_groups(request, path);
  return answer_health(request);
}

}  // namespace troupe::api
