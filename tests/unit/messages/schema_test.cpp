// The schema table and the typed views made from it.
#include <doctest/doctest.h>

#include "messages/schema/codec.hpp"
#include "messages/schema/schema.hpp"
#include "messages/views/apps_v1.hpp"
#include "messages/views/core_v1.hpp"
#include "messages/views/meta_v1.hpp"

using namespace troupe;

TEST_CASE("every field of every type is found by its name, and nothing else is") {
  for (const auto& type : schema::types()) {
    REQUIRE(schema::find_type(type.id) != schema::no_index);
    CHECK(&schema::types()[schema::find_type(type.id)] == &type);
    for (std::size_t i = 0; i < type.fields.size(); ++i) {
      const auto& f = type.fields[i];
      REQUIRE(type.index_of(f.name) == i);
      CHECK(f.json_key() == "\"" + std::string(f.name) + "\":");
      CHECK((f.kind == schema::value_kind::structure) == (f.type != schema::no_index));
      CHECK(type.index_of(std::string(f.name) + "X") == schema::no_index);
      CHECK(type.index_of(f.name.substr(1)) != i);
    }
    CHECK(type.index_of("") == schema::no_index);
  }
  CHECK(schema::find_type("core/v1.Nothing") == schema::no_index);
}

TEST_CASE("every resource is found by its plural and its kind") {
  for (std::size_t i = 0; i < schema::resources().size(); ++i) {
    const auto& r = schema::resources()[i];
    CHECK(schema::find_resource(r.group, r.version, r.plural) == i);
    CHECK(schema::find_kind(r.group, r.version, r.kind) == i);
    CHECK(schema::types()[r.type].name == r.kind);
  }
  CHECK(schema::find_resource("", "v1", "deployments") == schema::no_index);
  CHECK(schema::find_resource("metrics.k8s.io", "v1beta1", "pods") == schema::no_index);
  CHECK(schema::find_kind("apps", "v1", "deployment") == schema::no_index);
}

TEST_CASE("facts that others build on") {
  using namespace schema;
  const auto& pod = resources()[find_resource("", "v1", "pods")];
  CHECK(pod.namespaced);
  CHECK(pod.list_kind == "PodList");
  CHECK((pod.verbs & verb_watch) != 0);
  REQUIRE(pod.find_subresource("eviction"));
  CHECK(pod.find_subresource("eviction")->group == "policy");
  CHECK(types()[pod.find_subresource("binding")->type].id == "core/v1.Binding");
  CHECK(pod.find_subresource("nothing") == nullptr);
  CHECK(pod.columns[0].name == "Name");
  const auto hpa = find_resource("autoscaling", "v1", "horizontalpodautoscalers");
  CHECK(resources()[hpa].storage == find_resource("autoscaling", "v2", "horizontalpodautoscalers"));
  CHECK(resources()[find_resource("events.k8s.io", "v1", "events")].storage == find_resource("", "v1", "events"));
  const auto& container = types()[find_type("core/v1.Container")];
  CHECK(container.find("env")->patch_merge);
  CHECK(container.find("env")->patch_merge_key == "name");
  CHECK(container.find("ports")->list_map_keys.size() == 2);
  CHECK(types()[find_type("core/v1.ContainerPort")].find("protocol")->default_json == "\"TCP\"");
  // Inlined structs are flat, in their place.
  const auto& probe = types()[find_type("core/v1.Probe")];
  CHECK(probe.fields[0].name == "exec");
  CHECK(probe.find("httpGet"));
}

TEST_CASE("views read without minding what is missing") {
  auto doc = document::parse(
      R"({"metadata":{"name":"p","labels":{"a":"b"}},"spec":{"containers":[{"name":"c","ports":[{"containerPort":80,"hostIP":"h"}],"command":["x","y"],"stdin":true}],"terminationGracePeriodSeconds":0},"status":{"podIPs":[{"ip":"1.2.3.4"}],"phase":null}})");
  REQUIRE(doc);
  const document& fixed = *doc;
  core_v1::pod_view pod(fixed);
  CHECK(pod.metadata().name() == "p");
  CHECK(pod.metadata().labels().find("a").value() == "b");
  CHECK(!pod.metadata().labels().find("z"));
  CHECK(pod.metadata().annotations().empty());
  CHECK(pod.spec().node_name().empty());
  CHECK(!pod.spec().has_node_name());
  CHECK(pod.spec().termination_grace_period_seconds(30) == 0);
  CHECK(pod.spec().active_deadline_seconds(-1) == -1);
  CHECK(!pod.spec().affinity().node_affinity().has_required_during_scheduling_ignored_during_execution());
  REQUIRE(pod.spec().containers().size() == 1);
  for (auto c : pod.spec().containers()) {
    CHECK(c.name() == "c");
    CHECK(c.stdin());
    CHECK(c.ports()[0].container_port() == 80);
    CHECK(c.ports()[0].host_ip() == "h");
    CHECK(c.command().contains("y"));
    CHECK(c.args().empty());
    CHECK(!c.liveness_probe());
  }
  CHECK(pod.status().pod_ips()[0].ip() == "1.2.3.4");
  CHECK(!pod.status().has_phase());
  CHECK(pod.status().conditions().begin() == pod.status().conditions().end());
  CHECK_THROWS(pod.mutable_spec().set_node_name("n"));
}

TEST_CASE("views write in schema order and make what is missing") {
  document doc;
  core_v1::pod_view pod(doc);
  pod.mutable_status().set_phase("Running");
  auto spec = pod.mutable_spec();
  spec.set_node_name("n");
  auto container = spec.mutable_containers().append();
  container.set_image("i");
  container.set_name("c");
  container.mutable_ports().append().set_container_port(80);
  container.mutable_command().append("sh");
  auto metadata = pod.mutable_metadata();
  metadata.mutable_labels().set("b", "1");
  metadata.mutable_labels().set("a", "2");
  metadata.set_name("x");
  pod.set_api_version("v1");
  pod.set_kind("Pod");
  const std::string expected =
      R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"x","labels":{"a":"2","b":"1"}},"spec":{"containers":[{"name":"c","image":"i","command":["sh"],"ports":[{"containerPort":80}]}],"nodeName":"n"},"status":{"phase":"Running"}})";
  CHECK(to_json(doc.root()).substr(0, 40) == expected.substr(0, 40));
  std::string out;
  schema::encode(out, doc.root(), schema::find_type(core_v1::pod_view::type_id));
  CHECK(
      out ==
      R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"x","labels":{"a":"2","b":"1"}},"spec":{"containers":[{"name":"c","image":"i","command":["sh"],"ports":[{"containerPort":80}],"resources":{}}],"nodeName":"n"},"status":{"phase":"Running"}})");
  pod.mutable_spec().clear_node_name();
  CHECK(!pod.spec().has_node_name());
  pod.mutable_metadata().mutable_labels().remove("b");
  CHECK(pod.metadata().labels().size() == 1);
  auto finalizers = pod.mutable_metadata().mutable_finalizers();
  finalizers.append("one");
  finalizers.append("two");
  CHECK(finalizers.remove("one"));
  CHECK(finalizers[0] == "two");
  apps_v1::deployment_view deployment(doc);
  deployment.mutable_spec().mutable_strategy().mutable_rolling_update().set_max_surge("25%");
  CHECK(deployment.spec().strategy().rolling_update().max_surge()->string() == "25%");
}
