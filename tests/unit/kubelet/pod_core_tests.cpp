// Lives of pods, step by step, in virtual time.
#include <doctest/doctest.h>

#include "fixture.hpp"

using namespace troupe;
using namespace troupe::kubelet;
using kubelet_node = troupe::kubelet::testing::node;
using troupe::kubelet::testing::pod_json;

namespace {

const std::string one = R"("restartPolicy":"Always","containers":[{"name":"nginx","image":"nginx:1"}])";

std::string with_policy(const std::string& policy) {
  return R"("restartPolicy":")" + policy + R"(","containers":[{"name":"nginx","image":"nginx:1"}])";
}
std::string deleting(std::int64_t grace) {
  return R"("deletionTimestamp":"2024-01-01T00:00:00Z","deletionGracePeriodSeconds":)" + std::to_string(grace);
}

}  // namespace

TEST_CASE("a pod starts: volumes, sandbox, container; one status tells it all") {
  kubelet_node n;
  n.observe(pod_json(one));
  CHECK(n.log == std::vector<std::string>{"volumes", "sandbox 0", "create nginx 0", "start nginx"});
  REQUIRE(n.statuses.size() == 1);
  CHECK(n.status({"phase"}) == "Running");
  CHECK(n.status({"podIP"}) == "10.244.0.2");
  CHECK(n.status({"hostIP"}) == "10.0.0.1");
  CHECK(n.status({"startTime"}) == "2023-11-14T22:13:20Z");
  CHECK(n.status({"containerStatuses", "0", "containerID"}) == "hollow://nginx-0");
  CHECK(n.status({"containerStatuses", "0", "ready"}) == "true");
  CHECK(n.status({"containerStatuses", "0", "started"}) == "true");
  for (auto type : {"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"})
    CHECK(n.condition(type) == "True");
  CHECK(n.noted("Pulled", "Container image \"nginx:1\" already present on machine and can be accessed by the pod"));
  CHECK(n.noted("Created", "Container created"));
  CHECK(n.noted("Started", "Container started"));
}

TEST_CASE("the echo of its own status changes nothing") {
  kubelet_node n;
  n.observe(pod_json(one));
  auto steps = n.log.size();
  n.observe(pod_json(one, "", R"("phase":"Running")"));
  CHECK(n.log.size() == steps);
  CHECK(n.statuses.size() == 1);
}

TEST_CASE("a verdict that somebody else wrote over its own is written again, once") {
  kubelet_node n;
  n.observe(pod_json(one));
  auto status = [](const char* ready) {
    return R"("phase":"Running","conditions":[{"type":"PodScheduled","status":"True"},{"type":"Ready","status":")" +
           std::string(ready) + R"(","reason":"NodeNotReady"}])";
  };
  REQUIRE(n.statuses.size() == 1);
  n.observe(pod_json(one, "", status("False")));
  CHECK(n.statuses.size() == 2);
  CHECK(n.condition("Ready") == "True");
  n.observe(pod_json(one, "", status("True")));
  CHECK(n.statuses.size() == 2);
  // What was written before its own write was acknowledged, and arrives after it, is old.
  n.send(status_written{n.now, 200, 1'000'000});
  n.observe(pod_json(one, "", status("False")));
  CHECK(n.statuses.size() == 2);
}

TEST_CASE("graceful deletion: stop signal with the grace period, sandbox, last status, deletion of the object") {
  kubelet_node n;
  n.observe(pod_json(one));
  n.log.clear();
  n.observe(pod_json(one, deleting(30)));
  CHECK(n.log == std::vector<std::string>{"stop nginx 30", "remove s0", "release"});
  CHECK(n.noted("Killing", "Stopping container nginx"));
  CHECK(n.status({"containerStatuses", "0", "state", "terminated", "exitCode"}) == "143");
  CHECK(n.status({"phase"}) == "Failed");
  CHECK(n.deleted);
  CHECK(!n.finished);
  n.send(pod_vanished{n.now});
  CHECK(n.finished);
}

TEST_CASE("a pod that vanishes without grace is taken down all the same") {
  kubelet_node n;
  n.observe(pod_json(one));
  n.send(pod_vanished{n.now});
  CHECK(n.count("stop nginx 30") == 1);
  CHECK(n.count("remove s0") == 1);
  CHECK(n.finished);
  CHECK(!n.deleted);
}

TEST_CASE("preStop runs first and eats into the grace period; one that hangs is cut off") {
  auto spec = R"("containers":[{"name":"nginx","image":"i","lifecycle":{"preStop":{"exec":{"command":["x"]}}}}])";
  kubelet_node n;
  n.observe(pod_json(spec));
  n.hold_pre_stop = true;
  n.observe(pod_json(spec, deleting(10)));
  CHECK(n.count("preStop nginx") == 1);
  n.advance(9'999);
  CHECK(n.count("stop nginx 2") == 0);
  n.advance(2);
  CHECK(n.count("stop nginx 2") == 1);  // never less than two seconds
  CHECK(n.deleted);

  kubelet_node quick;
  quick.observe(pod_json(spec));
  quick.observe(pod_json(spec, deleting(10)));
  CHECK(quick.count("stop nginx 10") == 1);
}

TEST_CASE("a shorter grace period given later shortens the stop under way") {
  kubelet_node n;
  n.observe(pod_json(one));
  n.hold_stop = true;
  n.observe(pod_json(one, deleting(30)));
  CHECK(n.count("stop nginx 30") == 1);
  n.observe(pod_json(one, deleting(1)));
  CHECK(n.count("stop nginx 1") == 1);
}

TEST_CASE("crashes: the first restart is free, then 10 s, 20 s, ... 300 s; ten quiet minutes start over") {
  kubelet_node n;
  n.observe(pod_json(one));
  n.exit("nginx", 1);
  CHECK(n.count("create nginx 1") == 1);
  std::uint32_t attempt = 1;
  for (std::int64_t wait : {10, 20, 40, 80, 160, 300, 300}) {
    n.exit("nginx", 1);
    CHECK(n.status({"containerStatuses", "0", "state", "waiting", "reason"}) == "CrashLoopBackOff");
    auto text = n.status({"containerStatuses", "0", "state", "waiting", "message"});
    if (wait == 10) CHECK(text == "back-off 10s restarting failed container=nginx pod=web_default(u1)");
    if (wait == 300) CHECK(text == "back-off 5m0s restarting failed container=nginx pod=web_default(u1)");
    CHECK(n.status({"containerStatuses", "0", "lastState", "terminated", "reason"}) == "Error");
    CHECK(n.condition("Ready") == "False");
    CHECK(n.condition("Ready", "message") == "containers with unready status: [nginx]");
    ++attempt;
    auto next = "create nginx " + std::to_string(attempt);
    n.advance(wait * 1000 - 1);
    CHECK(n.count(next) == 0);
    n.advance(1);
    CHECK(n.count(next) == 1);
  }
  CHECK(n.noted("BackOff", "Back-off restarting failed container nginx in pod web_default(u1)"));
  n.advance(600'001);
  n.exit("nginx", 1);
  CHECK(n.count("create nginx " + std::to_string(attempt + 1)) == 1);
}

TEST_CASE("restart policies decide about restarts and the phase") {
  struct row {
    const char* policy;
    int code;
    bool restarts;
    const char* phase;
  };
  for (auto r : {row{"Always", 0, true, "Running"}, row{"OnFailure", 1, true, "Running"},
                 row{"OnFailure", 0, false, "Succeeded"}, row{"Never", 0, false, "Succeeded"},
                 row{"Never", 3, false, "Failed"}}) {
    CAPTURE(r.policy);
    CAPTURE(r.code);
    kubelet_node n;
    n.observe(pod_json(with_policy(r.policy)));
    n.exit("nginx", r.code);
    CHECK((n.count("create nginx 1") == 1) == r.restarts);
    CHECK(n.status({"phase"}) == r.phase);
    CHECK(n.count("stop s0") == (r.restarts ? 0 : 1));  // the sandbox of a finished pod is stopped, its logs stay
    if (!r.restarts)
      CHECK(n.status({"containerStatuses", "0", "state", "terminated", "exitCode"}) == std::to_string(r.code));
    if (r.restarts) continue;
    n.observe(pod_json(with_policy(r.policy), deleting(30)));
    CHECK(n.count("remove s0") == 1);
    CHECK(n.deleted);
  }
}

TEST_CASE("an exit that overtakes the answer to the start is not lost") {
  kubelet_node n;
  n.exits_at_once = {"nginx"};
  n.observe(pod_json(with_policy("Never")));
  CHECK(n.status({"phase"}) == "Succeeded");
  CHECK(n.noted("Started", "Container started"));
}

TEST_CASE("init containers run one after another, and again after a failure") {
  auto spec = R"("restartPolicy":"Always","initContainers":[{"name":"a","image":"i"},{"name":"b","image":"i"}],)"
              R"("containers":[{"name":"main","image":"i"}])";
  kubelet_node n;
  n.observe(pod_json(spec));
  CHECK(n.count("create a 0") == 1);
  CHECK(n.count("create b 0") == 0);
  n.advance(200);
  CHECK(n.status({"phase"}) == "Pending");
  CHECK(n.condition("Initialized") == "False");
  CHECK(n.condition("Initialized", "message") == "containers with incomplete status: [a b]");
  CHECK(n.status({"containerStatuses", "0", "state", "waiting", "reason"}) == "PodInitializing");
  n.exit("a", 1);
  CHECK(n.count("create a 1") == 1);
  n.exit("a", 0);
  CHECK(n.count("create b 0") == 1);
  CHECK(n.count("create main 0") == 0);
  n.exit("b", 0);
  CHECK(n.count("create main 0") == 1);
  CHECK(n.status({"phase"}) == "Running");
  CHECK(n.condition("Initialized") == "True");
  CHECK(n.status({"initContainerStatuses", "0", "ready"}) == "true");
}

TEST_CASE("a failed init container of a pod that never restarts fails the pod") {
  kubelet_node n;
  n.observe(pod_json(R"("restartPolicy":"Never","initContainers":[{"name":"a","image":"i"}],)"
                     R"("containers":[{"name":"main","image":"i"}])"));
  n.exit("a", 2);
  CHECK(n.count("create a 1") == 0);
  CHECK(n.count("create main 0") == 0);
  CHECK(n.status({"phase"}) == "Failed");
}

TEST_CASE("sidecars start before, restart beside, and stop after the containers") {
  auto spec = R"("restartPolicy":"Never","initContainers":[{"name":"side","image":"i","restartPolicy":"Always"}],)"
              R"("containers":[{"name":"main","image":"i"}])";
  kubelet_node n;
  n.observe(pod_json(spec));
  CHECK(n.count("create side 0") == 1);
  CHECK(n.count("create main 0") == 1);
  CHECK(n.status({"phase"}) == "Running");
  n.exit("side", 1);
  CHECK(n.count("create side 1") == 1);
  n.log.clear();
  n.exit("main", 0);
  CHECK(n.log == std::vector<std::string>{"stop side 30", "stop s0", "release"});
  CHECK(n.status({"phase"}) == "Succeeded");
}

TEST_CASE("pull policies and errors") {
  kubelet_node n;
  n.absent_images = {"i"};
  n.observe(pod_json(R"("containers":[{"name":"c","image":"i"}])"));
  CHECK(n.count("pull i") == 1);
  CHECK(n.noted("Pulling", "Pulling image \"i\""));
  CHECK(n.noted("Pulled",
                "Successfully pulled image \"i\" in 1.234s (1.234s including waiting). Image size: 1000 bytes."));

  kubelet_node always;
  always.observe(pod_json(R"("containers":[{"name":"c","image":"i","imagePullPolicy":"Always"}])"));
  CHECK(always.count("pull i") == 1);

  kubelet_node never;
  never.absent_images = {"i"};
  never.observe(pod_json(R"("containers":[{"name":"c","image":"i","imagePullPolicy":"Never"}])"));
  never.advance(200);
  CHECK(never.status({"containerStatuses", "0", "state", "waiting", "reason"}) == "ErrImageNeverPull");
  CHECK(never.count("pull i") == 0);

  kubelet_node bad;
  bad.absent_images = bad.failing_pulls = {"i"};
  bad.observe(pod_json(R"("containers":[{"name":"c","image":"i"}])"));
  bad.advance(200);
  CHECK(bad.status({"containerStatuses", "0", "state", "waiting", "reason"}) == "ErrImagePull");
  CHECK(bad.noted("Failed", "Failed to pull image \"i\": i: not found"));
  bad.advance(3'000);
  CHECK(bad.status({"containerStatuses", "0", "state", "waiting", "reason"}) == "ImagePullBackOff");
  CHECK(bad.status({"containerStatuses", "0", "state", "waiting", "message"}) ==
        "Back-off pulling image \"i\": ErrImagePull: i: not found");
  CHECK(bad.count("pull i") == 1);
  bad.advance(8'000);
  CHECK(bad.count("pull i") == 2);
  bad.failing_pulls.clear();
  bad.advance(25'000);
  CHECK(bad.status({"phase"}) == "Running");
}

TEST_CASE("what a container refers to must exist; it is tried again") {
  kubelet_node n;
  n.config_errors["nginx"] = "configmap \"c\" not found";
  n.observe(pod_json(one));
  n.advance(200);
  CHECK(n.status({"containerStatuses", "0", "state", "waiting", "reason"}) == "CreateContainerConfigError");
  CHECK(n.status({"containerStatuses", "0", "state", "waiting", "message"}) == "configmap \"c\" not found");
  CHECK(n.noted("Failed", "Error: configmap \"c\" not found"));
  n.config_errors.clear();
  n.advance(11'000);
  CHECK(n.status({"phase"}) == "Running");
  CHECK(n.status({"containerStatuses", "0", "restartCount"}) == "0");
}

TEST_CASE("volumes and sandboxes that fail are told and tried again") {
  kubelet_node n;
  n.volume_error = "MountVolume.SetUp failed for volume \"v\" : configmap \"c\" not found";
  n.sandbox_error = "no network";
  n.observe(pod_json(one));
  n.advance(200);
  CHECK(n.noted("FailedMount", n.volume_error));
  CHECK(n.status({"containerStatuses", "0", "state", "waiting", "reason"}) == "ContainerCreating");
  CHECK(n.condition("PodReadyToStartContainers") == "False");
  n.volume_error.clear();
  n.advance(10'000);
  CHECK(n.noted("FailedCreatePodSandBox", "Failed to create pod sandbox: no network"));
  n.sandbox_error.clear();
  n.advance(20'000);
  CHECK(n.status({"phase"}) == "Running");
}

TEST_CASE("readiness follows its thresholds") {
  auto spec = R"("containers":[{"name":"c","image":"i","readinessProbe":{"exec":{"command":["x"]},"periodSeconds":5,)"
              R"("initialDelaySeconds":3,"failureThreshold":2,"successThreshold":1}}])";
  kubelet_node n;
  n.observe(pod_json(spec));
  CHECK(n.condition("Ready") == "False");
  CHECK(n.count("probe c/readiness") == 0);
  n.advance(3'000);
  CHECK(n.condition("Ready") == "True");
  n.probe_results["c/readiness"] = probe_outcome::failure;
  n.advance(5'000);
  CHECK(n.noted("Unhealthy", "Readiness probe failed: said no"));
  CHECK(n.condition("Ready") == "True");
  n.advance(5'000);
  CHECK(n.condition("Ready") == "False");
  CHECK(n.count("stop c 30") == 0);
}

TEST_CASE("a failing liveness probe restarts the container; startup holds the others back") {
  auto spec =
      R"("terminationGracePeriodSeconds":7,"containers":[{"name":"c","image":"i","livenessProbe":{"httpGet":{"port":80}},)"
      R"("startupProbe":{"tcpSocket":{"port":80},"periodSeconds":1,"failureThreshold":30}}])";
  kubelet_node n;
  n.probe_results["c/startup"] = probe_outcome::failure;
  n.observe(pod_json(spec));
  n.advance(5'000);
  CHECK(n.status({"containerStatuses", "0", "started"}) == "false");
  CHECK(n.condition("Ready") == "False");
  CHECK(n.count("probe c/liveness") == 0);
  n.probe_results["c/startup"] = probe_outcome::success;
  n.advance(1'000);
  CHECK(n.status({"containerStatuses", "0", "started"}) == "true");
  CHECK(n.condition("Ready") == "True");
  n.probe_results["c/liveness"] = probe_outcome::failure;
  n.advance(30'000);
  CHECK(n.noted("Killing", "Container c failed liveness probe, will be restarted"));
  CHECK(n.count("stop c 7") == 1);
  CHECK(n.count("create c 1") == 1);
  CHECK(n.status({"containerStatuses", "0", "restartCount"}) == "1");
}

TEST_CASE("activeDeadlineSeconds fails the pod") {
  kubelet_node n;
  n.observe(pod_json(one + R"(,"activeDeadlineSeconds":60)"));
  n.advance(59'000);
  CHECK(n.status({"phase"}) == "Running");
  n.advance(1'500);
  CHECK(n.status({"phase"}) == "Failed");
  CHECK(n.status({"reason"}) == "DeadlineExceeded");
  CHECK(n.status({"message"}) == "Pod was active on the node longer than the specified deadline");
  CHECK(n.count("create nginx 1") == 0);
}

TEST_CASE("a restarted kubelet adopts what runs") {
  container::sandbox_status box;
  box.id = "s3";
  box.attempt = 3;
  box.ips = {"10.244.0.9"};
  box.state = container::sandbox_state::ready;
  container::container_status c;
  c.id = "old";
  c.sandbox_id = "s3";
  c.name = "nginx";
  c.attempt = 4;
  c.state = container::container_state::running;
  c.started_ns = 1'600'000'000'000'000'000;
  kubelet_node n;
  n.sandboxes = {box};
  n.containers = {c};
  n.observe(pod_json(one, "", R"("phase":"Running","startTime":"2020-01-01T00:00:00Z")"));
  CHECK(n.count("sandbox 0") == 0);
  CHECK(n.status({"containerStatuses", "0", "containerID"}) == "hollow://old");
  CHECK(n.status({"containerStatuses", "0", "restartCount"}) == "4");
  CHECK(n.status({"podIP"}) == "10.244.0.9");
  // The API merges this list by address: the old one must not stay.
  CHECK(n.statuses.back().find(R"("podIPs":[{"$patch":"replace"},{"ip":"10.244.0.9"}])") != std::string::npos);
  CHECK(n.status({"startTime"}) == "2020-01-01T00:00:00Z");
  n.exit("nginx", 1);
  CHECK(n.count("create nginx 5") == 1);
}

TEST_CASE("containers that were lost with their runtime are unknown, and restarted by policy") {
  auto status =
      R"("phase":"Running","containerStatuses":[{"name":"nginx","containerID":"hollow://x","restartCount":2}])";
  kubelet_node n;
  n.observe(pod_json(one, "", status));
  CHECK(n.count("create nginx 3") == 1);
  CHECK(n.status({"containerStatuses", "0", "lastState", "terminated", "reason"}) == "ContainerStatusUnknown");

  kubelet_node never;
  never.observe(pod_json(with_policy("Never"), "", status));
  CHECK(never.count("create nginx 3") == 0);
  CHECK(never.status({"phase"}) == "Failed");
}

TEST_CASE("a pod that was over stays as it was reported") {
  kubelet_node n;
  n.observe(pod_json(with_policy("Never"), "", R"("phase":"Succeeded")"));
  n.advance(1000);
  CHECK(n.statuses.empty());
  CHECK(n.count("sandbox 0") == 0);
  n.observe(pod_json(with_policy("Never"), deleting(30), R"("phase":"Succeeded")"));
  CHECK(n.deleted);
}

TEST_CASE("a lost sandbox is replaced with everything in it") {
  kubelet_node n;
  n.observe(pod_json(one));
  container::sandbox_status box;
  box.id = "s0";
  box.state = container::sandbox_state::not_ready;
  n.send(runtime_changed{n.now, {box}, {}, {}});
  CHECK(n.noted("SandboxChanged", "Pod sandbox changed, it will be killed and re-created."));
  CHECK(n.count("sandbox 1") == 1);
  CHECK(n.count("create nginx 1") == 1);
  CHECK(n.status({"phase"}) == "Running");
}

TEST_CASE("a status that could not be written is written again") {
  kubelet_node n;
  n.status_code = 500;
  n.observe(pod_json(one));
  auto tries = n.statuses.size();
  n.status_code = 200;
  n.advance(1'100);
  CHECK(n.statuses.size() == tries + 1);
}

TEST_CASE("a sandbox without a pod is removed") {
  container::sandbox_status box;
  box.id = "s0";
  box.state = container::sandbox_state::ready;
  kubelet_node n;
  n.sandboxes = {box};
  n.send(pod_vanished{n.now});
  CHECK(n.count("remove s0") == 1);
  CHECK(n.finished);
}
