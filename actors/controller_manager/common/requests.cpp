#include "actors/controller_manager/common/requests.hpp"

#include <fmt/format.h>

namespace troupe::controllers {
namespace {

controller::write make(api::method verb, std::string target, std::string body, std::int32_t seen_by,
                       std::uint64_t tag) {
  controller::write out;
  out.tag = tag;
  out.request.verb = verb;
  out.request.target = std::move(target);
  out.request.body = shared_bytes(std::move(body));
  out.seen_by = seen_by;
  return out;
}

}  // namespace

std::string collection_path(std::string_view group_version, std::string_view namespace_name, std::string_view plural) {
  std::string path = group_version.find('/') == std::string_view::npos ? "/api/" : "/apis/";
  path += group_version;
  if (!namespace_name.empty()) path.append("/namespaces/").append(namespace_name);
  return path.append("/").append(plural);
}

controller::write create(std::string collection, std::string body, std::int32_t seen_by, std::uint64_t tag) {
  return make(api::method::post, std::move(collection), std::move(body), seen_by, tag);
}

controller::write merge_patch(std::string path, std::string body, std::int32_t seen_by, std::uint64_t tag) {
  auto out = make(api::method::patch, std::move(path), std::move(body), seen_by, tag);
  out.request.content_type = "application/merge-patch+json";
  return out;
}

controller::write replace(std::string path, std::string body, std::int32_t seen_by, std::uint64_t tag) {
  return make(api::method::put, std::move(path), std::move(body), seen_by, tag);
}

controller::write erase(std::string path, std::string_view uid, std::int32_t seen_by, std::uint64_t tag) {
  auto body = fmt::format(R"({{"kind":"DeleteOptions","apiVersion":"v1","preconditions":{{"uid":"{}"}}}})", uid);
  auto out = make(api::method::del, std::move(path), std::move(body), seen_by, tag);
  // Conflict: an object of another uid has the name by now, so ours is gone too.
  out.tolerated = {reason::not_found, reason::conflict};
  return out;
}

}  // namespace troupe::controllers
