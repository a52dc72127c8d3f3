// From API objects to the proxy's records.
#include <doctest/doctest.h>

#include "actors/kube_proxy/decode.hpp"
#include "messages/schema/schema.hpp"

using namespace troupe;
using namespace troupe::kube_proxy;

namespace {

object_ptr make(const char* group, const char* version, const char* resource, const std::string& json) {
  auto made = make_object(schema::find_resource(group, version, resource), json, 1, 1);
  REQUIRE(made);
  return *made;
}

object_ptr service(const std::string& spec, const std::string& rest = "", const std::string& labels = "") {
  return make("", "v1", "services",
              R"({"kind":"Service","apiVersion":"v1","metadata":{"name":"web","namespace":"ns","uid":"u")" + labels +
                  R"(},"spec":{)" + spec + "}" + rest + "}");
}

object_ptr slice(const std::string& rest, const std::string& type = "IPv4") {
  return make(
      "discovery.k8s.io", "v1", "endpointslices",
      R"({"kind":"EndpointSlice","apiVersion":"discovery.k8s.io/v1","metadata":{"name":"web-x","namespace":"ns",)"
      R"("uid":"u","labels":{"kubernetes.io/service-name":"web"}},"addressType":")" +
          type + R"(",)" + rest + "}");
}

}  // namespace

TEST_CASE("addresses and ranges") {
  CHECK(parse_address("10.1.2.3") == 0x0a010203u);
  CHECK(to_text(0x0a010203u) == "10.1.2.3");
  for (auto* text : {"", "None", "fd00::1", "10.1.2", "10.1.2.300"}) CHECK_FALSE(parse_address(text));
  CHECK(parse_range("10.1.2.3/16") == address_range{0x0a010000u, 16});
  CHECK(parse_range("0.0.0.0/0") == address_range{0, 0});
  for (auto* text : {"10.1.2.3", "10.1.2.3/33", "10.1.2.3/", "fd00::/8"}) CHECK_FALSE(parse_range(text));
  CHECK(address_range{0x0a000000u, 8}.contains({0x0a010000u, 16}));
  CHECK_FALSE(address_range{0x0a010000u, 16}.contains({0x0a000000u, 8}));
  CHECK(address_range{0, 0}.contains({0x0a010000u, 16}));
}

TEST_CASE("a Service of every kind of address") {
  auto info = decode_service(*service(
      R"("ports":[{"name":"a","protocol":"UDP","port":53,"nodePort":30053},{"name":"b","port":80}],)"
      R"("clusterIP":"fd00::1","clusterIPs":["fd00::1","10.96.0.9"],"type":"LoadBalancer",)"
      R"("externalIPs":["203.0.113.1","fd00::2"],"sessionAffinity":"ClientIP",)"
      R"("loadBalancerSourceRanges":["10.0.0.0/8"],"externalTrafficPolicy":"Local","internalTrafficPolicy":"Local")",
      R"(,"status":{"loadBalancer":{"ingress":[{"ip":"203.0.113.2"},{"ip":"203.0.113.3","ipMode":"Proxy"},)"
      R"({"hostname":"h"}]}})"));
  REQUIRE(info);
  CHECK(info->key == "ns/web");
  CHECK(info->cluster_ip == parse_address("10.96.0.9"));
  CHECK(info->external_ips == std::vector{*parse_address("203.0.113.1")});
  CHECK(info->balancer_ips == std::vector{*parse_address("203.0.113.2")});
  CHECK(info->source_ranges == std::vector{*parse_range("10.0.0.0/8")});
  CHECK(info->internal_local);
  CHECK(info->external_local);
  CHECK(info->affinity_seconds == 10800);
  REQUIRE(info->ports.size() == 2);
  CHECK(info->ports[0].protocol == udp);
  CHECK(info->ports[0].node_port == 30053);
  CHECK(info->ports[1].protocol == tcp);
}

TEST_CASE("a Service whose address a node of this machine announces") {
  auto balanced = service(R"("clusterIP":"10.96.0.9","type":"LoadBalancer")", "",
                          R"(,"annotations":{"troupe.dev/announcing-node":"here"})");
  CHECK(decode_service(*balanced, {"there", "here"})->announced);
  CHECK(!decode_service(*balanced, {"there"})->announced);
  CHECK(!decode_service(*service(R"("clusterIP":"10.96.0.9")"), {"here"})->announced);
}

TEST_CASE("Services that are none of the proxy's business") {
  CHECK_FALSE(decode_service(*service(R"("clusterIP":"None")")));
  CHECK_FALSE(decode_service(*service(R"("clusterIP":"fd00::1")")));
  CHECK_FALSE(decode_service(*service(R"("type":"ExternalName","externalName":"x")")));
  CHECK_FALSE(decode_service(
      *service(R"("clusterIP":"10.96.0.9")", "", R"(,"labels":{"service.kubernetes.io/service-proxy-name":"other"})")));
}

TEST_CASE("a slice: conditions default as the API says, the node tells what is local") {
  auto info = decode_slice(
      *slice(R"("endpoints":[{"addresses":["10.244.0.1","10.244.9.9"],"nodeName":"a"},)"
             R"({"addresses":["10.244.0.2"],"conditions":{"ready":false,"serving":true,"terminating":true}},)"
             R"({"addresses":["10.244.0.3"],"conditions":{"ready":false},"nodeName":"b"}],)"
             R"("ports":[{"name":"web","port":8080},{"name":"none"}])"),
      {"a"});
  REQUIRE(info);
  CHECK(info->service == "ns/web");
  CHECK(info->ports.size() == 1);
  REQUIRE(info->endpoints.size() == 3);
  CHECK(info->endpoints[0].ip == parse_address("10.244.0.1"));
  CHECK((info->endpoints[0].ready && info->endpoints[0].serving && info->endpoints[0].local));
  CHECK((!info->endpoints[1].ready && info->endpoints[1].serving && info->endpoints[1].terminating));
  CHECK((!info->endpoints[2].ready && !info->endpoints[2].serving && !info->endpoints[2].local));
  CHECK_FALSE(decode_slice(*slice(R"("endpoints":[])", "IPv6"), {}));
}
