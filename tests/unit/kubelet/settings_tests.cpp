// What the runtime is told: environment, resources, security, mounts.
#include <doctest/doctest.h>

#include "actors/kubelet/container_settings.hpp"
#include "actors/kubelet/volumes.hpp"
#include "tests/unit/kubelet/fixture.hpp"

using namespace troupe;
using namespace troupe::kubelet;

namespace {

document pod_with(const std::string& container, const std::string& spec = "") {
  return testing::parse_json(R"({"metadata":{"name":"web","namespace":"ns","uid":"u","labels":{"app":"x"}},"spec":{)" +
                             spec + R"("containers":[{"name":"c","image":"i",)" + container + "}]}}");
}

std::string env_of(const container::container_config& config, const std::string& name) {
  for (auto& [key, value] : config.envs)
    if (key == name) return value;
  return "(unset)";
}

}  // namespace

TEST_CASE("$(NAME) expands, $$ escapes, the unknown stays") {
  std::map<std::string, std::string> known{{"A", "1"}, {"B_C", "two"}};
  CHECK(expand("$(A)-$(B_C)", known) == "1-two");
  CHECK(expand("$(X) $A $", known) == "$(X) $A $");
  CHECK(expand("$$(A) $$$(A)", known) == "$(A) $1");
  CHECK(expand("$(A", known) == "$(A");
}

TEST_CASE("environment from values, fields, resources, config maps and secrets") {
  auto pod =
      pod_with(R"json("command":["run","$(ALL)"],"resources":{"requests":{"cpu":"250m"},"limits":{"memory":"64Mi"}},
    "envFrom":[{"prefix":"P_","configMapRef":{"name":"cm"}}],
    "env":[{"name":"A","value":"1"},{"name":"ALL","value":"$(A)$(P_k)$(NONE)"},
      {"name":"POD","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}},
      {"name":"APP","valueFrom":{"fieldRef":{"fieldPath":"metadata.labels['app']"}}},
      {"name":"IP","valueFrom":{"fieldRef":{"fieldPath":"status.podIP"}}},
      {"name":"CPU","valueFrom":{"resourceFieldRef":{"resource":"requests.cpu","divisor":"1m"}}},
      {"name":"MEM","valueFrom":{"resourceFieldRef":{"resource":"limits.memory"}}},
      {"name":"S","valueFrom":{"secretKeyRef":{"name":"s","key":"pw"}}},
      {"name":"NO","valueFrom":{"secretKeyRef":{"name":"s","key":"zz","optional":true}}}])json");
  container_inputs in;
  in.name = "c";
  in.pod_ips = {"10.1.1.1"};
  in.sources.config_maps["cm"] = std::make_shared<const document>(testing::parse_json(R"({"data":{"k":"v"}})"));
  in.sources.secrets["s"] = std::make_shared<const document>(testing::parse_json(R"({"data":{"pw":"c2VjcmV0"}})"));
  auto config = build_container(pod, {}, in);
  REQUIRE(config);
  CHECK(env_of(*config, "ALL") == "1v$(NONE)");
  CHECK(env_of(*config, "POD") == "web");
  CHECK(env_of(*config, "APP") == "x");
  CHECK(env_of(*config, "IP") == "10.1.1.1");
  CHECK(env_of(*config, "CPU") == "250");
  CHECK(env_of(*config, "MEM") == "67108864");
  CHECK(env_of(*config, "S") == "secret");
  CHECK(env_of(*config, "NO") == "(unset)");
  CHECK(config->command == std::vector<std::string>{"run", "1v$(NONE)"});
  CHECK(references_of(pod, "c").size() == 3);
  CHECK(config->resources.cpu_shares == 256);
  CHECK(config->resources.memory_limit == 64 << 20);
}

TEST_CASE("what is missing is named") {
  auto pod = pod_with(R"("env":[{"name":"A","valueFrom":{"configMapKeyRef":{"name":"cm","key":"k"}}}])");
  container_inputs in;
  in.name = "c";
  in.sources.config_maps["cm"] = nullptr;
  auto absent = build_container(pod, {}, in);
  REQUIRE(!absent);
  CHECK(absent.error().message == "configmap \"cm\" not found");
  in.sources.config_maps["cm"] = std::make_shared<const document>(testing::parse_json(R"({"data":{}})"));
  auto keyless = build_container(pod, {}, in);
  REQUIRE(!keyless);
  CHECK(keyless.error().message == "couldn't find key k in ConfigMap ns/cm");
}

TEST_CASE("services become environment variables") {
  auto env = service_environment(testing::parse_json(
      R"({"items":[{"metadata":{"name":"my-web"},"spec":{"clusterIP":"10.0.0.7","ports":[{"port":80,"name":"http"}]}},
                         {"metadata":{"name":"none"},"spec":{"clusterIP":"None","ports":[{"port":80}]}}]})"));
  container::container_config config;
  config.envs = env;
  CHECK(env_of(config, "MY_WEB_SERVICE_HOST") == "10.0.0.7");
  CHECK(env_of(config, "MY_WEB_SERVICE_PORT_HTTP") == "80");
  CHECK(env_of(config, "MY_WEB_PORT") == "tcp://10.0.0.7:80");
  CHECK(env_of(config, "MY_WEB_PORT_80_TCP_ADDR") == "10.0.0.7");
  CHECK(env_of(config, "NONE_SERVICE_HOST") == "(unset)");
}

TEST_CASE("security of pod and container are merged, limits become cgroup values") {
  auto pod =
      pod_with(R"("securityContext":{"runAsUser":7,"allowPrivilegeEscalation":false,"readOnlyRootFilesystem":true},
                         "resources":{"limits":{"cpu":"500m"}})",
               R"("securityContext":{"runAsUser":5,"runAsGroup":6,"fsGroup":9},)");
  container_inputs in;
  in.name = "c";
  auto config = build_container(pod, {}, in);
  REQUIRE(config);
  CHECK(config->security.run_as_user == 7);
  CHECK(config->security.run_as_group == 6);
  CHECK(config->security.no_new_privileges);
  CHECK(config->security.read_only_root);
  CHECK(config->security.supplemental_groups == std::vector<std::int64_t>{9});
  CHECK(config->resources.cpu_quota == 50'000);
  CHECK(config->resources.cpu_shares == 512);
}

TEST_CASE("an unsupported volume is named, a mount needs its volume") {
  auto pod = pod_with(R"("volumeMounts":[{"name":"v","mountPath":"/data","subPath":"x"}])",
                      R"("volumes":[{"name":"v","nfs":{"server":"s","path":"/"}}],)");
  std::map<std::string, std::string> paths;
  CHECK(make_volumes(pod, {}, {}, "", paths) ==
        "MountVolume.SetUp failed for volume \"v\" : no volume plugin matched: nfs is not supported by this kubelet");
  container_inputs in;
  in.name = "c";
  CHECK(!build_container(pod, {}, in));
  in.volume_paths["v"] = "/host/v";
  auto config = build_container(pod, {}, in);
  REQUIRE(config);
  CHECK(config->mounts.at(0).host_path == "/host/v/x");
}
