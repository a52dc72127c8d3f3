// LoadBalancer Services: addresses of the nodes, or of a pool.
#include "actors/cloud_controller_manager/balancer/core.hpp"

#include <doctest/doctest.h>

#include "tests/unit/cloud_controller_manager/fixture.hpp"

using namespace troupe;
using namespace troupe::cloud;
using namespace troupe::cloud::testing;

namespace {

using texts = std::vector<std::string>;

constexpr const char* finalizer = R"("service.kubernetes.io/load-balancer-cleanup")";

/// A Service of namespace n as the store has it.
struct service_text {
  std::string name = "web";
  std::string spec = {};  // further members
  std::string type = "LoadBalancer";
  texts ips = {};
  std::string finalizers = {};
  std::string announcer = {};
  bool deleting = false;

  std::string json() const {
    std::string ingress;
    for (const auto& ip : ips)
      ingress.append(ingress.empty() ? "" : ",").append(R"({"ip":")").append(ip).append(R"(","ipMode":"VIP"})");
    std::string metadata;
    if (!announcer.empty())
      metadata.append(R"(,"annotations":{"troupe.dev/announcing-node":")").append(announcer).append("\"}");
    if (!finalizers.empty()) metadata.append(R"(,"finalizers":[)").append(finalizers).append("]");
    if (deleting) metadata.append(R"(,"deletionTimestamp":"2026-01-01T00:00:00Z")");
    std::string out = R"({"apiVersion":"v1","kind":"Service","metadata":{"name":")";
    return out.append(name)
        .append(R"(","namespace":"n","uid":"s-)")
        .append(name)
        .append("\"")
        .append(metadata)
        .append(R"(},"spec":{"type":")")
        .append(type)
        .append(R"(","ports":[{"port":80,"protocol":"TCP"}])")
        .append(spec)
        .append(R"(},"status":{"loadBalancer":{"ingress":[)")
        .append(ingress)
        .append("]}}}");
  }
};

texts addresses_in(const document& body) {
  texts out;
  const node* list = body.root().find("status", "loadBalancer", "ingress");
  for (std::size_t i = 0; list && i < list->size(); ++i) {
    CHECK(list->element(i).find("ipMode")->string() == "VIP");
    out.emplace_back(list->element(i).find("ip")->string());
  }
  return out;
}

/// The addresses that the Service's turn gives it.
texts given_to(stage& on, const std::string& name) {
  auto effects = on.turn("n/" + name);
  if (stage::writes(effects).empty()) return {};
  CHECK(stage::writes(effects) == texts{"PATCH /api/v1/namespaces/n/services/" + name + "/status"});
  auto body = stage::body(effects, "/status");
  CHECK(text(body, {"metadata", "uid"}) == "s-" + name);
  CHECK(text(body, {"metadata", "finalizers"}) == std::string("[").append(finalizer).append("]"));
  return addresses_in(body);
}

/// Who is to announce the Service's address; "-": nobody any more, empty: as before.
std::string announcer_given(stage& on, const std::string& name) {
  auto effects = on.turn("n/" + name);
  if (stage::writes(effects).empty()) return {};
  auto body = stage::body(effects, "/status");
  const node* value = body.root().find("metadata", "annotations", "troupe.dev/announcing-node");
  return !value ? "" : value->is_null() ? "-" : std::string(value->string());
}

std::string slice_json(const std::string& node, bool ready) {
  return R"({"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{"name":"web-1","namespace":"n",)"
         R"("labels":{"kubernetes.io/service-name":"web"}},"addressType":"IPv4","endpoints":[{"addresses":["10.244.0.2"],)"
         R"("nodeName":")" +
         node + R"(","conditions":{"ready":)" + (ready ? "true" : "false") + "}}]}";
}

struct pool_stage {
  balancer_core core;
  stage on{core};
  explicit pool_stage(const char* pool = "10.99.0.192/29") : core({true, pool}) {
    on.put(1, node_json("a1", "True"));
    on.put(1, node_json("a2", "True"));
  }
};

}  // namespace

TEST_CASE("without a pool a LoadBalancer Service gets the addresses of the nodes that are ready") {
  balancer_core core({true, ""});
  stage on(core);
  on.put(1, node_json("a1", "True"));
  on.put(1, node_json("a2", "True"));
  on.put(1, node_json("a3", "False"));
  on.put(1, node_json("a4", "True", "", R"("node.kubernetes.io/exclude-from-external-load-balancers":"")"));
  on.put(0, service_text{}.json());
  CHECK(given_to(on, "web") == texts{"10.0.0.1", "10.0.0.2"});
  on.put(0, service_text{.ips = {"10.0.0.1", "10.0.0.2"}, .finalizers = finalizer}.json());
  CHECK(on.turn("n/web").empty());
  on.woken.clear();
  on.put(1, node_json("a2", "False"));
  CHECK(on.woken == texts{"n/web"});
  CHECK(given_to(on, "web") == texts{"10.0.0.1"});
}

TEST_CASE("a port of the nodes belongs to the older Service, and to the next when that goes") {
  balancer_core core({true, ""});
  stage on(core);
  on.put(1, node_json("a1", "True"));
  on.put(0, service_text{.name = "z"}.json());
  on.put(0, service_text{.name = "a"}.json());
  auto effects = on.turn("n/a");
  CHECK(stage::writes(effects).empty());
  CHECK(notes(effects) == texts{"SyncLoadBalancerFailed: Error syncing load balancer: failed to ensure "
                                "load balancer: port 80/TCP of the nodes is used by Service n/z"});
  CHECK(stage::writes(on.turn("n/z")).size() == 1);
  on.woken.clear();
  on.drop(0, "n/z");
  CHECK(on.woken == texts{"n/a"});
  CHECK(stage::writes(on.turn("n/a")).size() == 1);
}

TEST_CASE("without a proxy on the nodes Services stay pending, and are told why; other classes are left alone") {
  balancer_core core({false, ""});
  stage on(core);
  on.put(1, node_json("a1", "True"));
  on.put(0, service_text{}.json());
  on.put(0, service_text{.name = "other", .spec = R"(,"loadBalancerClass":"x.y/z")", .ips = {"198.51.100.1"}}.json());
  CHECK(stage::writes(on.turn("n/web")).empty());
  CHECK(notes(on.turn("n/web")).size() == 1);
  CHECK(on.turn("n/other").empty());
}

TEST_CASE("a Service gets the lowest free address of the pool, and keeps it") {
  pool_stage s;
  for (const char* name : {"a", "b"}) s.on.put(0, service_text{.name = name}.json());
  auto effects = s.on.turn("n/a");
  CHECK(notes(effects) ==
        texts{"EnsuringLoadBalancer: Ensuring load balancer", "EnsuredLoadBalancer: Ensured load balancer"});
  CHECK(given_to(s.on, "a") == texts{"10.99.0.193"});  // not answered yet: as before
  CHECK(given_to(s.on, "b") == texts{"10.99.0.194"});
  auto by = announcer_given(s.on, "b");
  s.on.put(0, service_text{.name = "b", .ips = {"10.99.0.194"}, .finalizers = finalizer, .announcer = by}.json());
  s.on.drop(0, "n/a");
  CHECK(s.on.turn("n/b").empty());
  s.on.put(0, service_text{.name = "c"}.json());
  CHECK(given_to(s.on, "c") == texts{"10.99.0.193"});
}

TEST_CASE("an address that is asked for is given when it is of the pool and free") {
  pool_stage s;
  s.on.put(0, service_text{.name = "a", .spec = R"(,"loadBalancerIP":"10.99.0.197")"}.json());
  s.on.put(0, service_text{.name = "b", .spec = R"(,"loadBalancerIP":"10.99.0.197")"}.json());
  s.on.put(0, service_text{.name = "c", .spec = R"(,"loadBalancerIP":"10.99.0.199")"}.json());
  CHECK(given_to(s.on, "a") == texts{"10.99.0.197"});
  CHECK(notes(s.on.turn("n/b")) ==
        texts{"SyncLoadBalancerFailed: Error syncing load balancer: failed to ensure load balancer: requested address "
              "10.99.0.197 is used by another Service"});
  CHECK(notes(s.on.turn("n/c")) ==
        texts{"SyncLoadBalancerFailed: Error syncing load balancer: failed to ensure load balancer: requested address "
              "10.99.0.199 is not in the pool 10.99.0.192/29"});
  s.on.put(0, service_text{.name = "a", .spec = R"(,"loadBalancerIP":"10.99.0.195")", .ips = {"10.99.0.197"}}.json());
  CHECK(given_to(s.on, "a") == texts{"10.99.0.195"});
}

TEST_CASE("when the pool is used up Services wait until an address comes back") {
  pool_stage s("10.99.0.200-10.99.0.200");
  for (const char* name : {"a", "b"}) s.on.put(0, service_text{.name = name}.json());
  CHECK(given_to(s.on, "a") == texts{"10.99.0.200"});
  CHECK(notes(s.on.turn("n/b")) ==
        texts{"SyncLoadBalancerFailed: Error syncing load balancer: failed to ensure load balancer: no address of the "
              "pool 10.99.0.200-10.99.0.200 is free"});
  service_text taken{.name = "a", .ips = {"10.99.0.200"}, .finalizers = finalizer};
  s.on.put(0, taken.json());
  taken.deleting = true;
  s.on.put(0, taken.json());
  CHECK(given_to(s.on, "b").empty());  // it is still in the other's status
  auto effects = s.on.turn("n/a");
  CHECK(notes(effects) ==
        texts{"DeletingLoadBalancer: Deleting load balancer", "DeletedLoadBalancer: Deleted load balancer"});
  auto body = stage::body(effects, "/a/status");
  CHECK(text(body, {"metadata", "$deleteFromPrimitiveList/finalizers"}) ==
        std::string("[").append(finalizer).append("]"));
  CHECK(body.root().find("status", "loadBalancer", "ingress")->is_null());
  s.on.woken.clear();
  s.on.drop(0, "n/a");
  CHECK(s.on.woken == texts{"n/b"});
  CHECK(given_to(s.on, "b") == texts{"10.99.0.200"});
}

TEST_CASE("a Service that is no balancer any more gives its address back") {
  pool_stage s("10.99.0.200-10.99.0.200");
  s.on.put(0, service_text{.name = "a", .ips = {"10.99.0.200"}, .finalizers = finalizer}.json());
  s.on.put(0, service_text{.name = "b"}.json());
  CHECK(given_to(s.on, "b").empty());
  s.on.woken.clear();
  // The api_server has emptied its status.
  s.on.put(0, service_text{.name = "a", .type = "ClusterIP", .finalizers = finalizer, .announcer = "a1"}.json());
  CHECK(s.on.woken == texts{"n/a", "n/b"});
  CHECK(announcer_given(s.on, "a") == "-");
  CHECK(given_to(s.on, "b") == texts{"10.99.0.200"});
}

TEST_CASE("of two Services that show one address the older one has it, also after a restart") {
  pool_stage s;
  s.on.put(0, service_text{.name = "z", .ips = {"10.99.0.193"}, .finalizers = finalizer}.json());
  s.on.put(0, service_text{.name = "a", .ips = {"10.99.0.193"}, .finalizers = finalizer}.json());
  CHECK(given_to(s.on, "a") == texts{"10.99.0.194"});
  CHECK(given_to(s.on, "z") == texts{"10.99.0.193"});  // only the announcing node is new
}

TEST_CASE("one ready node announces the address, and another one when it fails") {
  pool_stage s;
  s.on.put(0, service_text{}.json());
  auto first = announcer_given(s.on, "web");
  CHECK((first == "a1" || first == "a2"));
  std::string second = first == "a1" ? "a2" : "a1";
  service_text made{.ips = {"10.99.0.193"}, .finalizers = finalizer, .announcer = first};
  s.on.put(0, made.json());
  s.on.woken.clear();
  s.on.put(1, node_json(first, "Unknown"));
  CHECK(s.on.woken == texts{"n/web"});
  auto effects = s.on.turn("n/web");
  CHECK(notes(effects) == texts{"UpdatedLoadBalancer: Updated load balancer with new hosts"});
  CHECK(announcer_given(s.on, "web") == second);
  made.announcer = second;
  s.on.put(0, made.json());
  s.on.put(1, node_json(first, "True"));
  CHECK(s.on.turn("n/web").empty());  // it stays where it is
  for (const char* name : {"a1", "a2"}) s.on.put(1, node_json(name, "False"));
  CHECK(notes(s.on.turn("n/web")).front() == "UnAvailableLoadBalancer: There are no available nodes for LoadBalancer");
  CHECK(announcer_given(s.on, "web") == "-");
}

TEST_CASE("traffic that is to stay local is announced where a ready endpoint is") {
  pool_stage s;
  constexpr const char* local = R"(,"externalTrafficPolicy":"Local")";
  s.on.put(0, service_text{.spec = local}.json());
  CHECK(announcer_given(s.on, "web").empty());
  for (const char* name : {"a1", "a2"}) {
    s.on.woken.clear();
    s.on.put(2, slice_json(name, true));
    CHECK(s.on.woken == texts{"n/web"});
    CHECK(announcer_given(s.on, "web") == name);
  }
  s.on.put(2, slice_json("a1", false));
  CHECK(announcer_given(s.on, "web").empty());
}
