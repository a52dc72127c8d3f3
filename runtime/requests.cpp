// Requests and watch targets of components.
#include <utility>

#include "runtime/api_session.hpp"

namespace troupe::runtime {

namespace {

api::request make_request(api::method verb, std::string target, std::string body) {
  api::request made;
  made.verb = verb;
  made.target = std::move(target);
  if (!body.empty()) made.body = shared_bytes(std::move(body));
  return made;
}

void add_query(std::string& target, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  target += target.find('?') == std::string::npos ? '?' : '&';
  target.append(name).append("=").append(url_encode(value));
}

}  // namespace

api::user_ptr component_user(std::string name, std::vector<std::string> groups) {
  api::user_info user;
  user.name = std::move(name);
  user.groups = std::move(groups);
  user.groups.emplace_back("system:authenticated");
  return std::make_shared<const api::user_info>(std::move(user));
}

api::user_ptr service_account_user(const std::string& namespace_name, const std::string& name) {
  return component_user("system:serviceaccount:" + namespace_name + ":" + name,
                        {"system:serviceaccounts", "system:serviceaccounts:" + namespace_name});
}

api::request get(std::string target) { return make_request(api::method::get, std::move(target), {}); }

api::request post(std::string target, std::string body) {
  return make_request(api::method::post, std::move(target), std::move(body));
}

api::request put(std::string target, std::string body) {
  return make_request(api::method::put, std::move(target), std::move(body));
}

api::request del(std::string target, std::string body) {
  return make_request(api::method::del, std::move(target), std::move(body));
}

api::request patch(std::string target, std::string body, std::string type) {
  auto made = make_request(api::method::patch, std::move(target), std::move(body));
  made.content_type = std::move(type);
  return made;
}

std::string url_encode(std::string_view text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (unsigned char c : text) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                 c == '_' || c == '~';
    if (plain) {
      out += static_cast<char>(c);
    } else {
      out += '%';
      out += digits[c >> 4];
      out += digits[c & 15];
    }
  }
  return out;
}

std::string list_target(std::string_view collection, std::string_view label_selector, std::string_view field_selector) {
  std::string target(collection);
  add_query(target, "labelSelector", label_selector);
  add_query(target, "fieldSelector", field_selector);
  return target;
}

std::string initial_watch_target(std::string_view collection, std::string_view label_selector,
                                 std::string_view field_selector) {
  auto target = list_target(collection, label_selector, field_selector);
  add_query(target, "watch", "true");
  add_query(target, "sendInitialEvents", "true");
  add_query(target, "resourceVersionMatch", "NotOlderThan");
  add_query(target, "allowWatchBookmarks", "true");
  return target;
}

std::string resume_watch_target(std::string_view collection, std::uint64_t revision, std::string_view label_selector,
                                std::string_view field_selector) {
  auto target = list_target(collection, label_selector, field_selector);
  add_query(target, "watch", "true");
  add_query(target, "resourceVersion", std::to_string(revision));
  add_query(target, "allowWatchBookmarks", "true");
  return target;
}

}  // namespace troupe::runtime
