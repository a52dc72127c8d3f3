// Creating what every cluster has.
#include "actors/api_server/bootstrap.hpp"

#include <algorithm>

#include "actors/api_server/access/access.hpp"
#include "actors/api_server/registry/object_text.hpp"
#include "messages/schema/codec.hpp"

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

std::vector<std::string> system_classes() {
  return {
      priority_json("system-node-critical", "2000001000",
                    "Used for system critical pods that must not be moved from their current node."),
      priority_json("system-cluster-critical", "2000000000",
                    "Used for system critical pods that must run in the cluster, but can be moved to another node if "
                    "necessary.")};
}

std::string kubernetes_service(const bootstrap_options& options) {
  return R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"kubernetes","namespace":"default","labels":)"
         R"({"component":"apiserver","provider":"kubernetes"}},"spec":{"type":"ClusterIP","clusterIP":"10.96.0.1",)"
         R"("sessionAffinity":"None","ports":[{"name":"https","port":443,"protocol":"TCP","targetPort":)" +
         std::to_string(options.advertise_port) + "}]}}";
}

/// Endpoints and EndpointSlice of default/kubernetes.
std::vector<std::string> kubernetes_endpoints(const std::vector<std::string>& addresses, std::uint16_t port_number) {
  auto port = std::to_string(port_number);
  std::string of_endpoints, of_slice;
  for (const auto& address : addresses) {
    const char* comma = of_slice.empty() ? "" : ",";
    of_endpoints.append(comma).append(R"({"ip":")").append(address).append(R"("})");
    of_slice.append(comma).append(R"({"addresses":[")").append(address).append(R"("],"conditions":{"ready":true}})");
  }
  return {R"({"apiVersion":"v1","kind":"Endpoints","metadata":{"name":"kubernetes","namespace":"default","labels":)"
          R"({"endpointslice.kubernetes.io/skip-mirror":"true"}},"subsets":[{"addresses":[)" +
              of_endpoints + R"(],"ports":[{"name":"https","port":)" + port + R"(,"protocol":"TCP"}]}]})",
          R"({"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{"name":"kubernetes","namespace":)"
          R"("default","labels":{"kubernetes.io/service-name":"kubernetes"}},"addressType":"IPv4","endpoints":)"
          R"([)" +
              of_slice + R"(],"ports":[{"name":"https","port":)" + port + R"(,"protocol":"TCP"}]})"};
}

constexpr std::string_view system_namespaces[] = {"default", "kube-system", "kube-public", "kube-node-lease"};
constexpr std::uint64_t answers_due = 0, keep_due = 1;
constexpr auto keep_every = std::chrono::seconds(10);
constexpr std::int64_t announced_seconds = 15;  // upstream's --apiserver-endpoint-reconciler-type=lease
constexpr std::string_view announced = "/registry/masterleases/";

/// A loopback address is nobody's endpoint (validation says so too).
bool is_loopback(std::string_view address) { return address.starts_with("127.") || address == "::1"; }

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
  if (!options_.advertise_address.empty() && !is_loopback(options_.advertise_address))
    addresses_.push_back(options_.advertise_address);
  look();
  return {[this](const api::response& m) { on_answer(m); },
          [](const watch_delivery&) {},
          [](const store::txn_reply&) {},
          [this](const store::range_reply& m) { on_announced(m); },
          [](const store::ack&) {},
          [this](const timer_due& due) {
            if (due.token == keep_due) return keep();
            if (phase_ < last_phase) look();
          }};
}

void bootstrapper::look() {
  if (outstanding_ > 0) {
    log(runtime::log_level::warn, "bootstrap.slow", "answers are missing, starting over");
    outstanding_ = 0;
    phase_ = 0;
  }
  if (!options_.shared->slots->all_synced()) {
    start_timer(std::chrono::milliseconds(2), answers_due);
    return;
  }
  begin();
}

void bootstrapper::begin() {
  failed_ = false;
  if (phase_ == 0) {
    for (auto name : system_namespaces) ensure(namespace_json(name));
  } else if (phase_ == 1) {
    for (auto& json : bootstrap_objects()) ensure(json);
    for (auto& json : system_classes()) ensure(json);
    ensure(kubernetes_service(options_));
    if (!options_.shared->slots->shared_store) ensure_endpoints();
  }
  if (outstanding_ > 0) {
    start_timer(std::chrono::seconds(10), answers_due);
    return;
  }
  if (++phase_ < last_phase) return begin();
  done();
}

void bootstrapper::done() {
  options_.shared->bootstrapped.store(true);
  log(runtime::log_level::info, "api_server.ready");
  if (options_.shared->slots->shared_store) announce();
  start_timer(keep_every, keep_due);
}

/// What users may delete comes back: a Namespace, the Service, its endpoints.
void bootstrapper::keep() {
  start_timer(keep_every, keep_due);
  outstanding_ = 0;  // answers that have not come by now count no more
  for (auto name : system_namespaces) ensure(namespace_json(name));
  ensure(kubernetes_service(options_));
  if (options_.shared->slots->shared_store)
    announce();
  else
    ensure_endpoints();
}

/// Says that this api_server lives, and asks which ones do.
void bootstrapper::announce() {
  const auto& address = options_.advertise_address;
  if (!address.empty() && !is_loopback(address)) {
    store::lease grant;
    grant.id = next_id_++;
    grant.lease_id = static_cast<std::int64_t>(random_u64() >> 2 | 1);
    grant.ttl_seconds = announced_seconds;
    store::txn put;
    put.id = next_id_++;
    auto value = R"({"kind":"Endpoints","apiVersion":"v1","metadata":{},"subsets":[{"addresses":[{"ip":")" + address +
                 R"("}]}]})";
    put.ops.push_back(
        {store::op_kind::put, std::string(announced) + address, shared_bytes(std::move(value)), grant.lease_id});
    send_to(options_.shared->store.handle(), grant);
    send_to(options_.shared->store.handle(), std::move(put));
  }
  store::range all;
  all.id = next_id_++;
  all.key = announced;
  all.range_end = std::string(announced.substr(0, announced.size() - 1)) + '0';
  all.keys_only = true;
  send_to(options_.shared->store.handle(), std::move(all));
}

/// Those that live; this one's own word may still be on its way.
void bootstrapper::on_announced(const store::range_reply& all) {
  if (!all.error.ok()) return;
  addresses_.clear();
  for (const auto& kv : all.kvs) addresses_.push_back(kv.key.substr(announced.size()));
  const auto& own = options_.advertise_address;
  if (!own.empty() && !is_loopback(own)) addresses_.push_back(own);
  std::sort(addresses_.begin(), addresses_.end());
  addresses_.erase(std::unique(addresses_.begin(), addresses_.end()), addresses_.end());
  ensure_endpoints();
}

void bootstrapper::ensure_endpoints() {
  for (auto& json : kubernetes_endpoints(addresses_, options_.advertise_port)) {
    if (!addresses_.empty()) {
      ensure(json);
      continue;
    }
    // Of a start that advertised an address.
    auto parsed = document::parse(json);
    auto resource = resource_of_object(parsed->root());
    if (options_.shared->slots->objects(resource)->find("default", "kubernetes"))
      send(method::del, collection_path(schema::resources()[resource], "default") + "/kubernetes", {});
  }
}

/// Brings what clients or another address left otherwise back to what is wanted.
void bootstrapper::repair(document& wanted, const object& found, const std::string& path) {
  const auto& row = schema::resources()[found.resource];
  auto current = document::parse(found.json.view());
  std::string canonical;
  schema::encode(canonical, wanted.root(), row.type);
  auto should_be = document::parse(canonical);
  if (!current || !should_be) return;
  if (row.group == "rbac.authorization.k8s.io") {
    if (phase_ < last_phase && reconcile_bootstrap(*current, wanted.root()))
      send(method::put, path, to_json(current->root()));
    return;
  }
  auto same = [&](auto... keys) {
    auto* is = current->root().find(keys...);
    auto* should = should_be->root().find(keys...);
    return is && should && to_json(*is) == to_json(*should);
  };
  bool right = row.plural == "endpoints"        ? same("subsets")
               : row.plural == "endpointslices" ? same("endpoints") && same("ports")
               : row.plural == "services"       ? same("spec", "ports")
                                                : true;
  if (!right) send(method::put, path, to_json(wanted.root()));
}

void bootstrapper::ensure(const std::string& json) {
  auto wanted = document::parse(json);
  if (!wanted) throw std::logic_error("bootstrap object is no JSON: " + wanted.error().message);
  auto resource = resource_of_object(wanted->root());
  if (resource == schema::no_index) throw std::logic_error("bootstrap object of an unknown kind: " + json);
  const auto& row = schema::resources()[resource];
  schema::conform_report ignored;
  if (auto wrong = schema::conform(*wanted, wanted->root(), row.type, ignored); !wrong.ok())
    throw std::logic_error("bootstrap object is not of its kind: " + wrong.message);
  auto name = metadata_text(wanted->root(), "name");
  auto space = metadata_text(wanted->root(), "namespace");
  auto path = collection_path(row, space);
  auto snapshot = options_.shared->slots->objects(resource);
  auto* found = snapshot->find(space, name);
  if (!found) return send(method::post, path, json);
  repair(*wanted, **found, path + "/" + std::string(name));
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
  if (--outstanding_ > 0 || phase_ >= last_phase) return;
  if (failed_) {
    start_timer(std::chrono::milliseconds(500), answers_due);
    return;
  }
  ++phase_;
  if (phase_ < last_phase) return begin();
  done();
}

}  // namespace troupe::api
