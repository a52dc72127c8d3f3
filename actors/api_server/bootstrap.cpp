// Creating what every cluster has.
#include "actors/api_server/bootstrap.hpp"

#include "actors/api_server/access/access.hpp"
#include "actors/api_server/registry/object_text.hpp"

namespace troupe::api {

namespace {

const user_ptr& server_user() {
  static const user_ptr user = [] {
    auto made = std::make_shared<user_info>();
    made->name = "system:apiserver";
    made->groups = {"system:masters", "system:authenticated"};
    return made;
  }();
  return user;
}

std::string namespace_json(std::string_view name) {
  return R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":")" + std::string(name) + "\"}}";
}

std::string priority_json(std::string_view name, std::string_view value, std::string_view description) {
  return R"({"apiVersion":"scheduling.k8s.io/v1","kind":"PriorityClass","metadata":{"name":")" + std::string(name) +
         R"("},"value":)" + std::string(value) +
         R"(,"globalDefault":false,"preemptionPolicy":"PreemptLowerPriority",)" + R"("description":")" +
         std::string(description) + "\"}";
}

std::vector<std::string> system_objects(const bootstrap_options& options) {
  auto port = std::to_string(options.advertise_port);
  const auto& address = options.advertise_address;
  std::vector<std::string> all = {
      priority_json("system-node-critical", "2000001000",
                    "Used for system critical pods that must not be moved from their current node."),
      priority_json("system-cluster-critical", "2000000000",
                    "Used for system critical pods that must run in the cluster, but can be moved to another node if "
                    "necessary."),
      R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"kubernetes","namespace":"default","labels":)"
      R"({"component":"apiserver","provider":"kubernetes"}},"spec":{"type":"ClusterIP","clusterIP":"10.96.0.1",)"
      R"("sessionAffinity":"None","ports":[{"name":"https","port":443,"protocol":"TCP","targetPort":)" +
          port + "}]}}"};
  // A loopback address is nobody's endpoint (validation says so too): the Service then has none.
  if (address.starts_with("127.") || address == "::1") return all;
  all.push_back(
      R"({"apiVersion":"v1","kind":"Endpoints","metadata":{"name":"kubernetes","namespace":"default","labels":)"
      R"({"endpointslice.kubernetes.io/skip-mirror":"true"}},"subsets":[{"addresses":[{"ip":")" +
      address + R"("}],"ports":[{"name":"https","port":)" + port + R"(,"protocol":"TCP"}]}]})");
  all.push_back(
      R"({"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{"name":"kubernetes","namespace":)"
      R"("default","labels":{"kubernetes.io/service-name":"kubernetes"}},"addressType":"IPv4","endpoints":)"
      R"([{"addresses":[")" +
      address + R"("],"conditions":{"ready":true}}],"ports":[{"name":"https","port":)" + port +
      R"(,"protocol":"TCP"}]})");
  return all;
}

std::string collection_path(const schema::resource& row, std::string_view space) {
  std::string out = row.group.empty() ? "/api/" + std::string(row.version)
                                      : "/apis/" + std::string(row.group) + "/" + std::string(row.version);
  if (row.namespaced) out += "/namespaces/" + std::string(space);
  return out + "/" + std::string(row.plural);
}

std::uint16_t resource_of_object(const node& object) {
  auto version = text_at(object, "apiVersion");
  auto slash = version.find('/');
  auto group = slash == std::string_view::npos ? std::string_view() : version.substr(0, slash);
  return schema::find_kind(group, slash == std::string_view::npos ? version : version.substr(slash + 1),
                           text_at(object, "kind"));
}

constexpr int last_phase = 2;

}  // namespace

bootstrapper::bootstrapper(caf::actor_config& settings, bootstrap_options options)
    : component(settings, "bootstrap"), options_(std::move(options)) {}

bootstrapper::behavior_type bootstrapper::make_behavior() {
  look();
  return {[this](const api::response& m) { on_answer(m); }, [](const watch_delivery&) {},
          [this](const timer_due&) { look(); }};
}

void bootstrapper::look() {
  if (outstanding_ > 0) {
    log(runtime::log_level::warn, "bootstrap.slow", "answers are missing, starting over");
    outstanding_ = 0;
    phase_ = 0;
  }
  if (!options_.shared->slots->all_synced()) {
    start_timer(std::chrono::milliseconds(2), 0);
    return;
  }
  begin();
}

void bootstrapper::begin() {
  failed_ = false;
  if (phase_ == 0) {
    for (auto name : {"default", "kube-system", "kube-public", "kube-node-lease"}) ensure(namespace_json(name));
  } else if (phase_ == 1) {
    for (auto& json : bootstrap_objects()) ensure(json);
    for (auto& json : system_objects(options_)) ensure(json);
  }
  if (outstanding_ > 0) {
    start_timer(std::chrono::seconds(10), 0);
    return;
  }
  if (++phase_ < last_phase) return begin();
  options_.shared->bootstrapped.store(true);
  log(runtime::log_level::info, "api_server.ready");
  quit();
}

void bootstrapper::ensure(const std::string& json) {
  auto wanted = document::parse(json);
  if (!wanted) throw std::logic_error("bootstrap object is no JSON: " + wanted.error().message);
  auto resource = resource_of_object(wanted->root());
  if (resource == schema::no_index) throw std::logic_error("bootstrap object of an unknown kind: " + json);
  const auto& row = schema::resources()[resource];
  auto name = metadata_text(wanted->root(), "name");
  auto space = metadata_text(wanted->root(), "namespace");
  auto path = collection_path(row, space);
  auto snapshot = options_.shared->slots->objects(resource);
  auto* found = snapshot->find(space, name);
  if (!found) return send(method::post, path, json);
  if (row.group != "rbac.authorization.k8s.io") return;
  auto current = document::parse((*found)->json.view());
  if (current && reconcile_bootstrap(*current, wanted->root()))
    send(method::put, path + "/" + std::string(name), to_json(current->root()));
}

void bootstrapper::send(method verb, std::string target, std::string body) {
  api::request order;
  order.id = next_id_++;
  order.verb = verb;
  order.target = std::move(target);
  order.user_agent = "kube-apiserver";
  order.body = shared_bytes(std::move(body));
  order.user = server_user();
  ++outstanding_;
  send_to(options_.server.handle(), std::move(order));
}

void bootstrapper::on_answer(const api::response& answer) {
  if (outstanding_ == 0) return;
  bool there = answer.error.ok() || answer.error.why == reason::already_exists;
  if (!there) {
    failed_ = true;
    log(runtime::log_level::error, "bootstrap.refused", answer.error.message);
  }
  if (--outstanding_ > 0) return;
  if (failed_) {
    start_timer(std::chrono::milliseconds(500), 0);
    return;
  }
  ++phase_;
  if (phase_ < last_phase) return begin();
  options_.shared->bootstrapped.store(true);
  log(runtime::log_level::info, "api_server.ready");
  quit();
}

}  // namespace troupe::api
