// What the api_server's actor tests share: a simulated world with a store in memory, the whole api_server without its
// gateway, and a client that asks and collects.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "actors/api_server/api_server.hpp"
#include "actors/store/store.hpp"
#include "messages/document.hpp"
#include "messages/type_ids.hpp"
#include "runtime/component.hpp"
#include "runtime/simulation/world.hpp"
#include "runtime/supervisor.hpp"

namespace troupe::api::testing {

/// What the client has been told.
struct inbox {
  std::map<std::uint64_t, api::response> answers;
  std::map<std::uint64_t, std::vector<watch_event>> events;  // by watch id
  std::map<std::uint64_t, status> closed;                    // watches that ended
  std::size_t deliveries = 0;
};

class probe final : public runtime::component<client_actor> {
 public:
  probe(caf::actor_config& settings, std::shared_ptr<inbox> box) : component(settings, "probe"), box_(std::move(box)) {}
  behavior_type make_behavior() override {
    return {[this](const api::response& r) { box_->answers[r.id] = r; },
            [this](const watch_delivery& d) {
              ++box_->deliveries;
              for (auto& b : d.batches) {
                auto& list = box_->events[b.watch_id];
                if (b.events) list.insert(list.end(), b.events->begin(), b.events->end());
                if (b.closed) box_->closed[b.watch_id] = b.error;
              }
            }};
  }

 private:
  std::shared_ptr<inbox> box_;
};

inline user_ptr make_user(std::string name, std::vector<std::string> groups) {
  auto user = std::make_shared<user_info>();
  user->name = std::move(name);
  user->groups = std::move(groups);
  return user;
}

inline std::string body_of(const api::response& r) {
  std::string out;
  for (auto& p : r.body) out += p.view();
  return out;
}

/// A running cluster without nodes.
class cluster {
 public:
  /// `shared_store`: as if others wrote to the store too. `waits`: until the api_server is ready.
  explicit cluster(std::uint64_t seed = 1, bool shared_store = false, bool waits = true) : world(seed) {
    world.setup().allow_crash = true;
    auto& system = world.system();
    store_ref = runtime::stable_ref<store::store_actor>::make(system, "root/store");
    api::options how;
    how.store = store_ref;
    how.shared_store = shared_store;
    how.self = runtime::stable_ref<api_server_actor>::make(system, "root/api_server/front");
    auto made = make_api_server(system, "root/api_server", how);
    shared = made.shared;
    server = how.self;
    auto kept = store::in_memory();
    std::vector<runtime::child_spec> children;
    children.push_back(runtime::child<store::store_actor>(
        "store", [kept](caf::actor_system& s) { return store::spawn(s, kept); }, store_ref));
    children.push_back(made.spec);
    root = runtime::spawn_supervisor(system, "root", std::move(children));
    client = caf::actor_cast<caf::strong_actor_ptr>(system.spawn<probe>(box));
    if (waits && !world.run_until([this] { return shared->ready(); }, std::chrono::seconds(10)))
      throw std::runtime_error("the api_server does not become ready");
  }

  /// Sends without waiting.
  std::uint64_t send(method verb, std::string target, std::string body = {}, std::string type = {}) {
    api::request r;
    r.id = ++last_id;
    r.verb = verb;
    r.target = std::move(target);
    r.body = body.empty() ? shared_bytes() : shared_bytes(std::move(body));
    r.content_type = std::move(type);
    r.user_agent = "kubectl/v1.35.0 (linux/amd64)";
    r.accept = accept;
    r.user = user;
    auto* to = caf::actor_cast<caf::abstract_actor*>(server.handle());
    to->enqueue(client, caf::make_message_id(), caf::make_message(std::move(r)), nullptr);
    return last_id;
  }
  api::response call(method verb, std::string target, std::string body = {}, std::string type = {}) {
    auto id = send(verb, std::move(target), std::move(body), std::move(type));
    if (!world.run_until([&] { return box->answers.count(id) > 0; }, std::chrono::minutes(2)))
      throw std::runtime_error("no answer");
    return box->answers.at(id);
  }
  api::response get(std::string target) { return call(method::get, std::move(target)); }
  api::response post(std::string target, std::string body) {
    return call(method::post, std::move(target), std::move(body));
  }
  api::response put(std::string target, std::string body) {
    return call(method::put, std::move(target), std::move(body));
  }
  api::response del(std::string target, std::string body = {}) {
    return call(method::del, std::move(target), std::move(body));
  }
  api::response merge(std::string target, std::string body) {
    return call(method::patch, std::move(target), std::move(body), "application/merge-patch+json");
  }

  runtime::simulation::world world;
  std::shared_ptr<shared_state> shared;
  runtime::stable_ref<store::store_actor> store_ref;
  runtime::stable_ref<api_server_actor> server;
  std::shared_ptr<inbox> box = std::make_shared<inbox>();
  runtime::local_supervisor root;
  caf::strong_actor_ptr client;
  user_ptr user = make_user("kubernetes-admin", {"system:masters"});
  std::string accept;
  std::uint64_t last_id = 0;
};

/// The member at a dotted path of a JSON text, as JSON; "" where it is absent. Digits index arrays.
inline std::string at(const std::string& json, std::string_view path) {
  auto parsed = document::parse(json);
  if (!parsed) return "unparsable: " + parsed.error().message;
  const node* here = &parsed->root();
  while (here && !path.empty()) {
    auto dot = path.find('.');
    auto part = path.substr(0, dot);
    bool index = !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos && here->is_array();
    if (index) {
      auto i = std::stoul(std::string(part));
      here = i < here->size() ? &here->element(i) : nullptr;
    } else {
      here = here->find(part);
    }
    path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  }
  if (!here) return {};
  return here->is_string() ? std::string(here->string()) : to_json(*here);
}
inline std::string at(const api::response& r, std::string_view path) { return at(body_of(r), path); }

inline std::string pod_json(const std::string& name, const std::string& extra_spec = {}) {
  return R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" + name + R"(","labels":{"app":"web"}},)" +
         R"("spec":{)" + extra_spec + R"("containers":[{"name":"c","image":"nginx"}]}})";
}
inline std::string config_map(const std::string& name, const std::string& value) {
  return R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":")" + name + R"("},"data":{"k":")" + value +
         "\"}}";
}

constexpr const char* pods = "/api/v1/namespaces/default/pods";
constexpr const char* maps = "/api/v1/namespaces/default/configmaps";

/// The account that pods of the default namespace run under, which a controller would make.
inline void make_account(cluster& c) {
  auto made = c.post("/api/v1/namespaces/default/serviceaccounts",
                     R"({"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"default"}})");
  if (made.code != 201) throw std::runtime_error("the account could not be made");
}

}  // namespace troupe::api::testing
