// The text answers of /healthz, /livez and /readyz.
#include "actors/api_server/discovery/health.hpp"

#include <algorithm>
#include <set>

namespace troupe::api {

namespace {

nonresource_answer text_answer(std::uint16_t code, std::string text) {
  return {code, "text/plain; charset=utf-8", {{"x-content-type-options", "nosniff"}}, shared_bytes(std::move(text))};
}

struct health_query {
  bool verbose = false;
  std::set<std::string, std::less<>> excluded;
};

health_query read_query(std::string_view query) {
  health_query out;
  while (!query.empty()) {
    auto end = query.find('&');
    std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    auto equals = pair.find('=');
    std::string_view name = pair.substr(0, equals);
    if (name == "verbose") out.verbose = true;
    if (name == "exclude" && equals != std::string_view::npos) out.excluded.emplace(pair.substr(equals + 1));
  }
  return out;
}

/// "%2F" in a check's name stands for a slash.
std::set<std::string, std::less<>> unescape_slashes(const std::set<std::string, std::less<>>& from) {
  std::set<std::string, std::less<>> out;
  for (std::string name : from) {
    for (std::string_view escaped : {"%2F", "%2f"})
      for (auto at = name.find(escaped); at != std::string::npos; at = name.find(escaped)) name.replace(at, 3, "/");
    out.insert(std::move(name));
  }
  return out;
}

nonresource_answer all_checks(std::string_view endpoint, const std::vector<health_check>& checks,
                              std::string_view raw_query) {
  health_query query = read_query(raw_query);
  auto excluded = unescape_slashes(query.excluded);
  std::string lines;
  bool failed = false;
  for (const health_check& check : checks) {
    std::string name(check.name);
    if (excluded.erase(name)) {
      lines += "[+]" + name + " excluded: ok\n";
    } else if (check.ok) {
      lines += "[+]" + name + " ok\n";
    } else {
      lines += "[-]" + name + " failed: reason withheld\n";
      failed = true;
    }
  }
  if (!excluded.empty()) {
    lines += "warn: some health checks cannot be excluded: no matches for ";
    for (const std::string& name : excluded) lines += (&name == &*excluded.begin() ? "\"" : ", \"") + name + "\"";
    lines += '\n';
  }
  if (failed) return text_answer(500, lines + std::string(endpoint) + " check failed\n");
  if (!query.verbose) return text_answer(200, "ok");
  return text_answer(200, lines + std::string(endpoint) + " check passed\n");
}

}  // namespace

nonresource_answer answer_health(const nonresource_request& request) {
  for (std::string_view endpoint : {"healthz", "livez", "readyz"}) {
    std::string_view path = request.path.substr(1);
    if (!path.starts_with(endpoint)) continue;
    path.remove_prefix(endpoint.size());
    if (!path.empty() && path[0] != '/') break;
    std::vector<health_check> checks;
    for (const health_check& check : request.health)
      if (endpoint != "livez" || check.for_liveness) checks.push_back(check);
    if (path.empty() || path == "/") return all_checks(endpoint, checks, request.query);
    path.remove_prefix(1);
    auto found = std::find_if(checks.begin(), checks.end(), [&](const health_check& c) { return c.name == path; });
    if (found == checks.end()) break;
    return found->ok ? text_answer(200, "ok") : text_answer(500, "internal server error: " + std::string(path) + "\n");
  }
  return {404, {}, {}, {}};
}

}  // namespace troupe::api
