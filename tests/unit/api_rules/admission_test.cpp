// The admission plug-ins and the Service allocator over a handful of objects.
#include <doctest/doctest.h>

#include <map>
#include <string>

#include "actors/api_server/admission/allocation.hpp"
#include "actors/api_server/admission/plugins.hpp"
#include "actors/api_server/validation/access.hpp"

namespace troupe::api::rules {
namespace {

class fixed_objects : public object_source {
 public:
  void add(std::string_view group, std::string_view plural, const std::string& json) {
    const auto resource = resource_index(group, plural);
    auto made = make_object(resource, json, 5, 5);
    REQUIRE(made);
    objects_[resource].push_back(*made);
  }
  object_ptr find(std::uint16_t resource, std::string_view space, std::string_view name) const override {
    object_ptr out;
    visit(resource, space, [&](const object& o) {
      if (o.name == name) out = std::make_shared<object>(o);
      return !out;
    });
    return out;
  }
  void visit(std::uint16_t resource, std::string_view space,
             const std::function<bool(const object&)>& f) const override {
    const auto at = objects_.find(resource);
    if (at == objects_.end()) return;
    for (const auto& o : at->second)
      if ((space.empty() || o->namespace_name == space) && !f(*o)) return;
  }

 private:
  std::map<std::uint16_t, std::vector<object_ptr>> objects_;
};

struct fixture {
  fixed_objects others;
  document doc;
  admission_request request;

  fixture() { others.add("", "namespaces", space("default", "Active")); }
  static std::string space(const std::string& name, const std::string& phase, const std::string& labels = "{}") {
    return R"({"kind":"Namespace","apiVersion":"v1","metadata":{"name":")" + name + R"(","uid":"u","labels":)" +
           labels + R"(},"spec":{},"status":{"phase":")" + phase + R"("}})";
  }
  admission_request& make(std::string_view group, std::string_view plural, const std::string& json,
                          std::string_view in = "default") {
    auto parsed = document::parse(json);
    REQUIRE(parsed);
    doc = std::move(*parsed);
    request.info = &schema::resources()[resource_index(group, plural)];
    request.namespace_name = in;
    request.name = text(get(&doc.root(), "metadata"), "name");
    request.object = &doc;
    request.others = &others;
    return request;
  }
  admission_request& pod(const std::string& spec, std::string_view in = "default") {
    return make("", "pods", R"({"metadata":{"name":"web"},"spec":)" + spec + "}", in);
  }
};

constexpr const char* plain = R"({"containers":[{"name":"a","image":"b"}]})";

}  // namespace

TEST_CASE("a pod gets account, priority and tolerations") {
  fixture f;
  REQUIRE(run_plugins(f.pod(plain)).ok());
  const node* spec = get(&f.doc.root(), "spec");
  CHECK(text(spec, "serviceAccountName") == "default");
  CHECK(text(spec, "serviceAccount") == "default");
  CHECK(number(spec, "priority", -1) == 0);
  CHECK(text(spec, "preemptionPolicy") == "PreemptLowerPriority");
  CHECK(
      to_json(*get(spec, "tolerations")) ==
      R"([{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300},)"
      R"({"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}])");
}

TEST_CASE("a pod that tolerates everything gets no further tolerations") {
  fixture f;
  REQUIRE(run_plugins(f.pod(R"({"containers":[],"tolerations":[{"operator":"Exists"}]})")).ok());
  CHECK(count(get(&f.doc.root(), "spec", "tolerations")) == 1);
}

TEST_CASE("namespaces: missing and terminating") {
  fixture f;
  f.others.add("", "namespaces", fixture::space("old", "Terminating"));
  const auto missing = run_plugins(f.pod(plain, "nowhere"));
  CHECK(missing.code == 404);
  CHECK(missing.message == "namespaces \"nowhere\" not found");
  const auto ending = run_plugins(f.pod(plain, "old"));
  CHECK(ending.code == 403);
  CHECK(ending.message ==
        "pods \"web\" is forbidden: unable to create new content in namespace old because it is being terminated");
  REQUIRE(ending.causes.size() == 1);
  CHECK(ending.causes[0].reason == "NamespaceTerminating");
  CHECK(ending.causes[0].message == "namespace old is being terminated");
  CHECK(ending.causes[0].field == "metadata.namespace");
}

TEST_CASE("the system namespaces stay") {
  fixture f;
  auto& request = f.make("", "namespaces", R"({"metadata":{"name":"kube-system"}})", "");
  request.action = admission_action::remove;
  CHECK(run_plugins(request).message == "namespaces \"kube-system\" is forbidden: this namespace may not be deleted");
}

TEST_CASE("priority classes") {
  fixture f;
  f.others.add("scheduling.k8s.io", "priorityclasses",
               R"({"kind":"PriorityClass","apiVersion":"scheduling.k8s.io/v1","metadata":{"name":"high","uid":"u"},)"
               R"("value":1000,"preemptionPolicy":"Never"})");
  REQUIRE(run_plugins(f.pod(R"({"containers":[],"priorityClassName":"high"})")).ok());
  CHECK(number(get(&f.doc.root(), "spec"), "priority") == 1000);
  CHECK(text(get(&f.doc.root(), "spec"), "preemptionPolicy") == "Never");
  CHECK(run_plugins(f.pod(R"({"containers":[],"priorityClassName":"none"})")).message ==
        "pods \"web\" is forbidden: no PriorityClass with name none was found");
  CHECK(run_plugins(f.pod(R"({"containers":[],"priority":7})")).message ==
        "pods \"web\" is forbidden: the integer value of priority (7) must not be provided in pod spec; priority "
        "admission controller computed 0 from the given PriorityClass name");
}

TEST_CASE("an account that is not there") {
  fixture f;
  CHECK(run_plugins(f.pod(R"({"containers":[],"serviceAccountName":"bob"})")).message ==
        "pods \"web\" is forbidden: error looking up service account default/bob: serviceaccount \"bob\" not found");
}

TEST_CASE("limit ranges fill in and refuse") {
  fixture f;
  f.others.add("", "limitranges",
               R"({"kind":"LimitRange","apiVersion":"v1","metadata":{"name":"l","namespace":"default","uid":"u"},)"
               R"("spec":{"limits":[{"type":"Container","max":{"cpu":"1"},"default":{"cpu":"500m"},)"
               R"("defaultRequest":{"cpu":"100m"}}]}})");
  REQUIRE(run_plugins(f.pod(plain)).ok());
  CHECK(to_json(*get(&f.doc.root(), "spec", "containers")->element(0).find("resources")) ==
        R"({"limits":{"cpu":"500m"},"requests":{"cpu":"100m"}})");
  CHECK(run_plugins(f.pod(R"({"containers":[{"name":"a","resources":{"limits":{"cpu":"2"}}}]})")).message ==
        "pods \"web\" is forbidden: maximum cpu usage per Container is 1, but limit is 2");
}

TEST_CASE("pod security: restricted") {
  fixture f;
  f.others.add("", "namespaces",
               fixture::space("tight", "Active", R"({"pod-security.kubernetes.io/enforce":"restricted"})"));
  CHECK(
      run_plugins(f.pod(plain, "tight")).message ==
      "pods \"web\" is forbidden: violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false "
      "(container \"a\" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "
      "\"a\" must set securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != true (pod or container \"a\" must "
      "set securityContext.runAsNonRoot=true), seccompProfile (pod or container \"a\" must set "
      "securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")");
}

TEST_CASE("a new node is not ready") {
  fixture f;
  REQUIRE(run_plugins(f.make("", "nodes", R"({"metadata":{"name":"n"}})", "")).ok());
  CHECK(to_json(*get(&f.doc.root(), "spec", "taints")) ==
        R"([{"key":"node.kubernetes.io/not-ready","effect":"NoSchedule"}])");
}

namespace {

struct allocation_fixture : fixture {
  std::vector<reservation> out;
  std::vector<std::string> taken;

  status run(const std::string& spec, const std::string& before = "") {
    auto& r = make("", "services", R"({"metadata":{"name":"s"},"spec":)" + spec + "}");
    document old;
    if (!before.empty()) {
      auto parsed = document::parse(R"({"spec":)" + before + "}");
      REQUIRE(parsed);
      old = std::move(*parsed);
      r.previous = &old.root();
      r.action = admission_action::update;
    }
    allocation_input input;
    input.request = &r;
    input.random = 12345;
    input.taken = &taken;
    out.clear();
    return allocate_service(input, out);
  }
  const node* spec() const { return get(&doc.root(), "spec"); }
};

}  // namespace

TEST_CASE("a service gets an address and reserves it in the same transaction") {
  allocation_fixture f;
  REQUIRE(f.run(R"({"type":"ClusterIP","ports":[{"port":80}]})").ok());
  const std::string address(text(f.spec(), "clusterIP"));
  CHECK(address.starts_with("10.96."));
  CHECK(text(f.spec(), "ipFamilyPolicy") == "SingleStack");
  REQUIRE(f.out.size() == 1);
  CHECK(f.out[0].key == "/registry/ipaddresses/" + address);
  CHECK(f.out[0].expected_revision == 0);
  CHECK_FALSE(f.out[0].unconditional);
  f.taken.push_back(f.out[0].key);
  REQUIRE(f.run(R"({"type":"ClusterIP","ports":[{"port":80}]})").ok());
  CHECK(text(f.spec(), "clusterIP") != address);
}

TEST_CASE("addresses that cannot be had") {
  allocation_fixture f;
  f.others.add("networking.k8s.io", "ipaddresses",
               R"({"kind":"IPAddress","apiVersion":"networking.k8s.io/v1","metadata":{"name":"10.96.0.9","uid":"u"}})");
  CHECK(f.run(R"({"type":"ClusterIP","clusterIP":"10.96.0.9","clusterIPs":["10.96.0.9"]})").message ==
        "Service \"s\" is invalid: spec.clusterIPs: Invalid value: [\"10.96.0.9\"]: failed to allocate IP 10.96.0.9: "
        "provided IP is already allocated");
  CHECK(f.run(R"({"type":"ClusterIP","clusterIP":"1.2.3.4","clusterIPs":["1.2.3.4"]})").message ==
        "Service \"s\" is invalid: spec.clusterIPs: Invalid value: [\"1.2.3.4\"]: failed to allocate IP 1.2.3.4: the "
        "provided IP (1.2.3.4) is not in the valid range. The range of valid IPs is 10.96.0.0/16");
}

TEST_CASE("headless and external services take nothing") {
  allocation_fixture f;
  REQUIRE(f.run(R"({"type":"ClusterIP","clusterIP":"None","clusterIPs":["None"]})").ok());
  CHECK(f.out.empty());
  REQUIRE(f.run(R"({"type":"ExternalName","externalName":"a.b"})").ok());
  CHECK(f.out.empty());
}

TEST_CASE("node ports: chosen, shared between protocols, fixed and refused") {
  allocation_fixture f;
  REQUIRE(
      f.run(
           R"({"type":"NodePort","ports":[{"name":"a","port":53,"protocol":"UDP"},{"name":"b","port":53,"protocol":"TCP"}]})")
          .ok());
  const node* ports = get(f.spec(), "ports");
  const auto port = number(&ports->element(0), "nodePort");
  CHECK(port >= 30000);
  CHECK(port <= 32767);
  CHECK(number(&ports->element(1), "nodePort") == port);
  CHECK(f.out.size() == 2);  // one address, one port
  f.others.add("", "services",
               R"({"kind":"Service","apiVersion":"v1","metadata":{"name":"t","namespace":"default","uid":"u"},)"
               R"("spec":{"ports":[{"port":1,"nodePort":30080}],"type":"NodePort"}})");
  CHECK(f.run(R"({"type":"NodePort","ports":[{"port":80,"protocol":"TCP","nodePort":30080}]})").message ==
        "Service \"s\" is invalid: spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated");
  CHECK(f.run(R"({"type":"NodePort","ports":[{"port":80,"protocol":"TCP","nodePort":80}]})").message ==
        "Service \"s\" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. "
        "The "
        "range of valid ports is 30000-32767");
}

TEST_CASE("what an update no longer needs is given back") {
  allocation_fixture f;
  REQUIRE(
      f.run(
           R"({"type":"ExternalName","externalName":"a.b"})",
           R"({"type":"NodePort","clusterIP":"10.96.3.3","clusterIPs":["10.96.3.3"],"ports":[{"port":80,"nodePort":30081}]})")
          .ok());
  REQUIRE(f.out.size() == 2);
  CHECK(f.out[0].erase);
  CHECK(f.out[0].key == "/registry/ipaddresses/10.96.3.3");
  CHECK(f.out[1].erase);
  CHECK(f.out[1].key == "/registry/ranges/servicenodeports/30081");
}

}  // namespace troupe::api::rules
