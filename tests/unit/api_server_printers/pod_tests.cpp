// The Pod row's status in its many words.
#include <doctest/doctest.h>

#include "tests/unit/api_server_printers/fixture.hpp"

using namespace troupe;
using namespace troupe::api;

namespace {

/// A pod of one container (and init containers) whose status is given as YAML lines indented by two.
std::string pod(const std::string& status, const std::string& spec_extra = "", const std::string& meta_extra = "") {
  return "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  creationTimestamp: \"2026-01-01T23:55:00Z\"\n" +
         meta_extra + "spec:\n  containers:\n  - name: c\n    image: i\n" + spec_extra + "status:\n" + status;
}

/// READY, STATUS and RESTARTS of the row.
std::string summary(const std::string& yaml) {
  auto parsed = document::parse(cells(yaml));
  const node& row = parsed->root();
  return std::string(row.element(1).string()) + " " + std::string(row.element(2).string()) + " " +
         std::string(row.element(3).string());
}

}  // namespace

TEST_CASE("a running pod, wide") {
  CHECK(cells(pod("  phase: Running\n  podIPs:\n  - ip: 10.1.0.5\n  containerStatuses:\n"
                  "  - {name: c, ready: true, restartCount: 0, state: {running: {}}}\n",
                  "  nodeName: n1\n")) == R"(["web","1/1","Running","0","5m","10.1.0.5","n1","<none>","<none>"])");
  CHECK(cells(pod("  phase: Pending\n  nominatedNodeName: n2\n  conditions:\n  - {type: a/b, status: \"True\"}\n",
                  "  readinessGates:\n  - conditionType: a/b\n  - conditionType: c/d\n")) ==
        R"(["web","0/1","Pending","0","5m","<none>","<none>","n2","1/2"])");
}

TEST_CASE("waiting, terminated and restarted containers") {
  std::string crash =
      "  phase: Running\n  containerStatuses:\n  - name: c\n    ready: false\n    restartCount: 3\n"
      "    state: {waiting: {reason: CrashLoopBackOff}}\n"
      "    lastState: {terminated: {exitCode: 1, finishedAt: \"2026-01-01T23:58:30Z\"}}\n";
  CHECK(summary(pod(crash)) == "0/1 CrashLoopBackOff 3 (90s ago)");
  auto terminated = [](const std::string& how, const std::string& phase) {
    return pod("  phase: " + phase +
               "\n  containerStatuses:\n  - {name: c, restartCount: 0, state: {terminated: " + how + "}}\n");
  };
  CHECK(summary(terminated("{exitCode: 0, reason: Completed}", "Succeeded")) == "0/1 Completed 0");
  CHECK(summary(terminated("{exitCode: 3}", "Failed")) == "0/1 ExitCode:3 0");
  CHECK(summary(terminated("{exitCode: 137, signal: 9}", "Failed")) == "0/1 Signal:9 0");
  CHECK(summary(pod("  phase: Failed\n  reason: Evicted\n")) == "0/1 Evicted 0");
  std::string mixed =
      "  phase: Running\n  containerStatuses:\n  - {name: a, restartCount: 0, state: {terminated: {exitCode: 0, "
      "reason: "
      "Completed}}}\n  - {name: b, ready: true, restartCount: 0, state: {running: {}}}\n";
  CHECK(summary(pod(mixed)) == "1/1 NotReady 0");
  CHECK(summary(pod(mixed + "  conditions:\n  - {type: Ready, status: \"True\"}\n")) == "1/1 Running 0");
}

TEST_CASE("init containers and sidecars") {
  std::string inits = "  initContainers:\n  - {name: i1, image: x}\n  - {name: i2, image: x}\n";
  auto status = [](const std::string& first, const std::string& second) {
    return "  phase: Pending\n  initContainerStatuses:\n  - {name: i1, restartCount: 1, state: " + first +
           "}\n  - {name: i2, restartCount: 0, state: " + second + "}\n";
  };
  std::string done = "{terminated: {exitCode: 0}}", waiting = "{waiting: {reason: PodInitializing}}";
  CHECK(summary(pod(status("{running: {}}", waiting), inits)) == "0/1 Init:0/2 1");
  CHECK(summary(pod(status(done, waiting), inits)) == "0/1 Init:1/2 1");
  CHECK(summary(pod(status(done, "{waiting: {reason: ImagePullBackOff}}"), inits)) == "0/1 Init:ImagePullBackOff 1");
  CHECK(summary(pod(status("{terminated: {exitCode: 2, reason: Error}}", waiting), inits)) == "0/1 Init:Error 1");
  CHECK(summary(pod(status("{terminated: {exitCode: 2}}", waiting), inits)) == "0/1 Init:ExitCode:2 1");
  std::string sidecar = "  initContainers:\n  - {name: s, image: x, restartPolicy: Always}\n";
  CHECK(
      summary(pod("  phase: Running\n  initContainerStatuses:\n  - {name: s, ready: true, started: true, restartCount: "
                  "2, state: {running: {}}}\n  containerStatuses:\n  - {name: c, ready: true, restartCount: 1, state: "
                  "{running: {}}}\n",
                  sidecar)) == "2/2 Running 3");
}

TEST_CASE("deleted, lost and gated pods") {
  std::string deleted = "  deletionTimestamp: \"2026-01-01T23:59:00Z\"\n";
  CHECK(summary(pod("  phase: Running\n", "", deleted)) == "0/1 Terminating 0");
  CHECK(summary(pod("  phase: Running\n  reason: NodeLost\n", "", deleted)) == "0/1 Unknown 0");
  CHECK(summary(pod("  phase: Succeeded\n", "", deleted)) == "0/1 Succeeded 0");
  CHECK(summary(pod("  phase: Pending\n  conditions:\n  - {type: PodScheduled, status: \"False\", reason: "
                    "SchedulingGated}\n")) == "0/1 SchedulingGated 0");
}

TEST_CASE("ages") {
  auto seconds = [](std::int64_t s) { return human_duration(s * 1000); };
  CHECK(seconds(-2) == "<invalid>");
  CHECK(seconds(-1) == "0s");
  CHECK(seconds(119) == "119s");
  CHECK(seconds(120) == "2m");
  CHECK(seconds(125) == "2m5s");
  CHECK(seconds(10 * 60 + 1) == "10m");
  CHECK(seconds(179 * 60 + 59) == "179m");
  CHECK(seconds(3 * 3600) == "3h");
  CHECK(seconds(3 * 3600 + 60) == "3h1m");
  CHECK(seconds(47 * 3600) == "47h");
  CHECK(seconds(50 * 3600) == "2d2h");
  CHECK(seconds(9 * 86400) == "9d");
  CHECK(seconds(800 * 86400) == "2y70d");
  CHECK(seconds(9 * 365 * 86400LL) == "9y");
}
