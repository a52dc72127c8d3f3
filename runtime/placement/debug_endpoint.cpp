// See debug_endpoint.hpp.
#include "runtime/placement/debug_endpoint.hpp"

#include <algorithm>

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>

#include "messages/document.hpp"
#include "runtime/supervisor.hpp"
#include "runtime/system_config.hpp"

namespace troupe::runtime {
namespace {

api::response with_status(const status& what) {
  api::response out;
  out.code = what.code ? what.code : 200;
  out.error = what;
  out.body.emplace_back(shared_bytes(to_json(what)));
  return out;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  auto digit = [](char c) { return c <= '9' ? c - '0' : (c | 32) - 'a' + 10; };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string tree_json(const std::vector<supervision::actor_info>& actors) {
  document tree;
  tree.make_object(tree.root());
  tree.make_array(tree.set(tree.root(), "actors"));
  for (const auto& one : actors) {
    auto& entry = tree.append(*tree.root().find("actors"));
    tree.make_object(entry);
    tree.set(entry, "path", one.path);
    tree.set(entry, "state", one.state);
    tree.set(entry, "restarts", static_cast<std::int64_t>(one.restarts));
    tree.set(entry, "mailbox", static_cast<std::int64_t>(one.mailbox));
    tree.set(entry, "processed", static_cast<std::int64_t>(one.processed));
    tree.set(entry, "cpuMicroseconds", static_cast<std::int64_t>(one.cpu_us));
    tree.set(entry, "lastError", one.last_error);
  }
  return to_json(tree.root());
}

std::string path_of(std::string_view query) {
  return query.starts_with("path=") ? percent_decoded(query.substr(5)) : std::string();
}

api::response not_allowed() {
  return with_status(make_status(reason::forbidden, "disturbing components is not allowed: set debug.allow_crash"));
}

/// Asks the child's supervisor to stop it for the time being, or to start it again.
template <class Order>
api::response order_supervisor(caf::actor_system& system, std::string_view query) {
  const auto& config = config_of(system);
  if (!config.allow_crash) return not_allowed();
  auto path = path_of(query);
  auto slash = path.rfind('/');
  auto supervisor = slash == path.npos ? caf::strong_actor_ptr() : config.registry().find(path.substr(0, slash));
  bool known = false;
  for (const auto& one : config.registry().snapshot(path)) known |= one.path == path;
  if (!supervisor || !known)
    return with_status(make_status(reason::not_found, "there is no component \"" + path + "\" with a supervisor"));
  caf::anon_send(caf::actor_cast<caf::actor>(supervisor), Order{path.substr(slash + 1)});
  api::response out;
  out.body.emplace_back(shared_bytes(std::string("{}")));
  return out;
}

api::response crash(caf::actor_system& system, std::string_view query) {
  const auto& config = config_of(system);
  if (!config.allow_crash) return not_allowed();
  auto path = path_of(query);
  auto found = config.registry().find(path);
  // A child's own component may live one step below its supervised place.
  for (const auto& one : config.registry().snapshot(path))
    if (!found && one.path.starts_with(path + "/")) {
      path = one.path;
      found = config.registry().find(path);
    }
  if (!found) {
    // No component of its own, but perhaps the child of a supervisor.
    const auto known = config.registry().snapshot(path);
    bool there = std::any_of(known.begin(), known.end(), [&](const auto& one) { return one.path == path; });
    if (there) found = config.registry().find(path.substr(0, path.rfind('/')));
  }
  if (!found) return with_status(make_status(reason::not_found, "there is no component \"" + path + "\""));
  caf::anon_send(caf::actor_cast<caf::actor>(found), supervision::crash{path});
  api::response out;
  out.body.emplace_back(shared_bytes(std::string("{}")));
  return out;
}

}  // namespace

std::optional<api::response> answer_debug(caf::actor_system& system, const metrics::registry& measured,
                                          const api::request& asked) {
  std::string_view target = asked.target;
  auto question = target.find('?');
  auto path = target.substr(0, question);
  auto query = question == std::string_view::npos ? std::string_view() : target.substr(question + 1);
  if (path == "/debug/troupe/crash" && asked.verb == api::method::post) return crash(system, query);
  if (path == "/debug/troupe/stop" && asked.verb == api::method::post)
    return order_supervisor<hold_child>(system, query);
  if (path == "/debug/troupe/start" && asked.verb == api::method::post)
    return order_supervisor<release_child>(system, query);
  if (asked.verb != api::method::get) return std::nullopt;
  api::response out;
  if (path == "/debug/troupe/actors") {
    out.body.emplace_back(shared_bytes(tree_json(config_of(system).registry().snapshot())));
  } else if (path == "/metrics") {
    out.content_type = "text/plain; version=0.0.4; charset=utf-8";
    out.body.emplace_back(shared_bytes(measured.text()));
  } else {
    return std::nullopt;
  }
  return out;
}

}  // namespace troupe::runtime
