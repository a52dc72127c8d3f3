// create, delete and logs.
#include <iostream>

#include "cli/kubectl/kubectl.hpp"

namespace troupe::cli {
namespace {

// "pod/nginx", "deployment.apps/web": how kubectl names an object in its messages.
std::string spoken(const schema::resource& resource, const std::string& name) {
  std::string out(resource.singular);
  if (!resource.group.empty()) out += "." + std::string(resource.group);
  return out + "/" + name;
}

std::string text_at(const node& root, const char* first, const char* second) {
  auto* field = root.find(first, second);
  return field ? std::string(field->string()) : std::string();
}

}  // namespace

int kubectl::create() {
  std::vector<manifest> all;
  if (!connect() || !manifests(all)) return 1;
  int failed = 0;
  for (auto& one : all) {
    auto where = one.where;
    where.name.clear();
    auto answer = client_->call("POST", path(where) + "?fieldManager=kubectl-create&fieldValidation=Strict",
                                to_json(one.content.root()));
    if (!answer) return print_error(answer.error().message);
    std::cerr << answer->warnings;
    if (answer->code != 201) {
      failed = print_server_error(*answer, "error when creating \"" + one.source + "\": ");
      continue;
    }
    auto made = document::parse(answer->body);
    if (!made) return print_error(made.error().message);
    auto name = spoken(*one.where.resource, text_at(made->root(), "metadata", "name"));
    if (options_.output == "json")
      std::cout << to_json(made->root()) << "\n";
    else if (options_.output == "yaml")
      std::cout << to_yaml(made->root());
    else
      std::cout << name << (options_.output == "name" ? "\n" : " created\n");
  }
  return failed;
}

// Asks until the object is gone or another one has its name.
bool kubectl::wait_gone(const target& where, const std::string& uid) {
  auto field = url_encode("metadata.name=" + where.name);
  auto collection = where;
  collection.name.clear();
  for (;;) {
    auto answer = client_->call("GET", path(where));
    if (!answer) return false;
    if (answer->code == 404) return true;
    auto now = document::parse(answer->body);
    if (!now || answer->code != 200) return false;
    if (text_at(now->root(), "metadata", "uid") != uid) return true;
    bool gone = false;
    auto since = text_at(now->root(), "metadata", "resourceVersion");
    auto watched = client_->stream(
        path(collection) + "?watch=true&timeoutSeconds=60&fieldSelector=" + field + "&resourceVersion=" + since,
        "application/json", [&](std::string_view data) {
          gone = data.find("\"type\":\"DELETED\"") != std::string_view::npos;
          return !gone;
        });
    if (!watched) return false;
    if (gone) return true;
  }
}

int kubectl::erase() {
  if (!connect()) return 1;
  std::vector<target> all;
  std::vector<manifest> read;
  if (!manifests(read) || !targets(all)) return 1;
  for (auto& one : read) all.push_back(one.where);
  if (!options_.selector.empty()) {
    std::vector<target> named;
    for (auto& one : all) {
      document list;
      if (!fetch(path(one) + selectors('?'), "application/json", list)) return 1;
      if (auto* items = list.root().find("items"))
        for (std::size_t i = 0; i < items->size(); ++i)
          named.push_back({one.resource, one.namespace_name, text_at(items->element(i), "metadata", "name")});
    }
    all = std::move(named);
  }
  int failed = 0;
  std::vector<std::pair<target, std::string>> waiting;
  for (auto& one : all) {
    if (one.name.empty()) return print_error("resource(s) were provided, but no name was specified");
    std::string body = R"({"kind":"DeleteOptions","apiVersion":"v1","propagationPolicy":"Background")";
    if (!options_.grace_period.empty()) body += ",\"gracePeriodSeconds\":" + options_.grace_period;
    auto answer = client_->call("DELETE", path(one), body + "}");
    if (!answer) return print_error(answer.error().message);
    if (answer->code != 200 && answer->code != 202) {
      failed = print_server_error(*answer);
      continue;
    }
    auto kind = spoken(*one.resource, "");
    kind.pop_back();
    std::cout << kind << " \"" << one.name << "\" deleted\n";
    auto deleted = document::parse(answer->body);
    if (!deleted) continue;
    auto uid = text_at(deleted->root(), "metadata", "uid");
    if (uid.empty()) uid = text_at(deleted->root(), "details", "uid");
    waiting.emplace_back(one, uid);
  }
  for (auto& [one, uid] : waiting)
    if (options_.wait && !wait_gone(one, uid)) return print_error("waiting for " + one.name + " failed");
  return failed;
}

int kubectl::logs() {
  if (!connect()) return 1;
  auto name = options_.arguments.at(0);
  if (name.starts_with("pod/")) name.erase(0, 4);
  target where{find_resource_by_any_name("pods"), namespace_, name};
  std::string query = options_.follow ? "&follow=true" : "";
  if (options_.previous) query += "&previous=true";
  if (options_.timestamps) query += "&timestamps=true";
  if (!options_.tail.empty()) query += "&tailLines=" + url_encode(options_.tail);
  if (!options_.container.empty()) query += "&container=" + url_encode(options_.container);
  if (options_.since_seconds > 0) query += "&sinceSeconds=" + std::to_string(options_.since_seconds);
  if (!query.empty()) query[0] = '?';
  auto answer = client_->stream(path(where) + "/log" + query, "*/*", [](std::string_view data) {
    std::cout << data << std::flush;
    return static_cast<bool>(std::cout);
  });
  if (!answer) return print_error(answer.error().message);
  return answer->code == 200 ? 0 : print_server_error(*answer);
}

}  // namespace troupe::cli
