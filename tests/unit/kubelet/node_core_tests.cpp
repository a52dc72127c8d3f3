// The node's registration, heartbeat and conditions.
#include <doctest/doctest.h>

#include "actors/kubelet/node_core.hpp"
#include "messages/document.hpp"

using namespace troupe;
using namespace troupe::kubelet;

namespace {

struct machine {
  node_state core;
  moment now{1000, 1'700'000'000'000};
  bool exists = false;
  bool lease_exists = false;
  std::string runtime_error;
  bool network_ready = true;
  bool cut_off = false;  // renewals are not answered
  std::vector<std::string> log;
  std::vector<std::string> patches;
  std::string created;
  std::int64_t wake = 0;

  machine() {
    core.options.name = "n1";
    core.options.ip = "10.0.0.1";
    core.options.pod_cidr = "10.244.1.0/24";
  }
  void send(const node_event& e) {
    std::vector<node_event> todo{e};
    while (!todo.empty()) {
      auto next = todo.front();
      todo.erase(todo.begin());
      for (auto& x : step(core, next)) std::visit([&](auto& what) { take(what, todo); }, x);
    }
  }
  void advance(std::int64_t ms) {
    auto until = now.steady_ms + ms;
    while (wake != 0 && wake <= until) {
      now.wall_ms += wake - now.steady_ms;
      now.steady_ms = wake;
      wake = 0;
      send(node_clock_due{now});
    }
    now.wall_ms += until - now.steady_ms;
    now.steady_ms = until;
  }
  std::string condition(const std::string& json, const std::string& type, const std::string& field) const {
    auto doc = document::parse(json);
    REQUIRE(doc);
    auto* list = doc->root().find("status", "conditions");
    for (std::size_t i = 0; list && i < list->size(); ++i)
      if (list->element(i).find("type")->string() == type) return std::string(list->element(i).find(field)->string());
    return "";
  }

  using events = std::vector<node_event>;
  void take(const read_node&, events& todo) {
    log.push_back("read");
    todo.push_back(node_answered{now, static_cast<std::uint16_t>(exists ? 200 : 404), "uid"});
  }
  void take(const create_node& e, events& todo) {
    created = e.json;
    exists = true;
    log.push_back("create");
    todo.push_back(node_answered{now, 201, "uid"});
  }
  void take(const patch_node& e, events& todo) {
    if (!e.status) return log.push_back("labels");
    patches.push_back(e.json);
    todo.push_back(node_patched{now, 200});
  }
  void take(const create_lease&, events& todo) {
    lease_exists = true;
    log.push_back("create lease");
    todo.push_back(lease_answered{now, 201});
  }
  void take(const renew_lease&, events& todo) {
    log.push_back("renew");
    if (cut_off) return;
    todo.push_back(lease_answered{now, static_cast<std::uint16_t>(lease_exists ? 200 : 404)});
  }
  void take(const check_runtime&, events& todo) {
    todo.push_back(
        runtime_checked{now, runtime_error, runtime_error.empty(), network_ready, "", "no cni", "hollow://1", room});
  }
  void take(const node_note& e, events&) { notes.push_back(e.reason); }
  void take(const wake_node& e, events&) { wake = wake == 0 ? e.steady_ms : std::min(wake, e.steady_ms); }
  machine_room room;
  std::vector<std::string> notes;
  auto renewals() const { return std::count(log.begin(), log.end(), "renew"); }
};

}  // namespace

TEST_CASE("after a silence the status is written again though nothing has changed here") {
  machine m;
  m.send(node_started{m.now, 3});
  m.advance(100'000);
  auto before = m.patches.size();
  m.cut_off = true;
  m.advance(5'000);
  m.cut_off = false;
  m.send(lease_answered{m.now, 200});
  CHECK(m.patches.size() == before);  // one renewal late: nobody has marked the node
  m.cut_off = true;
  m.advance(40'000);
  m.cut_off = false;
  m.send(lease_answered{m.now, 200});
  REQUIRE(m.patches.size() == before + 1);
  CHECK(m.condition(m.patches.back(), "Ready", "status") == "True");
  m.advance(60'000);
  CHECK(m.patches.size() == before + 1);
}

TEST_CASE("a node registers itself, ready, and keeps its Lease every ten seconds") {
  machine m;
  m.send(node_started{m.now, 3});
  CHECK(m.log == std::vector<std::string>{"read", "create"});
  auto doc = document::parse(m.created);
  REQUIRE(doc);
  CHECK(doc->root().find("metadata", "labels")->find("kubernetes.io/hostname")->string() == "n1");
  CHECK(doc->root().find("status", "capacity", "memory")->string() == "8388608Ki");
  CHECK(doc->root().find("status", "nodeInfo", "containerRuntimeVersion")->string() == "hollow://1");
  CHECK(doc->root().find("spec", "podCIDR")->string() == "10.244.1.0/24");
  CHECK(m.condition(m.created, "Ready", "status") == "True");
  CHECK(m.condition(m.created, "Ready", "message") == "kubelet is posting ready status");
  m.advance(100);
  CHECK(m.log.back() == "create lease");
  m.advance(100'000);
  CHECK(m.renewals() == 11);  // the first found no Lease
  CHECK(m.patches.empty());   // nothing changed
  m.advance(300'000);
  CHECK(m.patches.size() == 1);
}

TEST_CASE("a dead runtime makes the node not ready and says why; it recovers") {
  machine m;
  m.exists = true;
  m.send(node_started{m.now, 0});
  CHECK(m.log.at(1) == "labels");
  CHECK(m.patches.size() == 1);
  m.runtime_error = "connection refused";
  m.advance(10'500);
  REQUIRE(m.patches.size() == 2);
  CHECK(m.condition(m.patches.back(), "Ready", "status") == "False");
  CHECK(m.condition(m.patches.back(), "Ready", "reason") == "KubeletNotReady");
  CHECK(m.condition(m.patches.back(), "Ready", "message") == "container runtime is down: connection refused");
  auto since = m.condition(m.patches.back(), "MemoryPressure", "lastTransitionTime");
  m.runtime_error.clear();
  m.network_ready = false;
  m.advance(10'000);
  CHECK(m.condition(m.patches.back(), "Ready", "message") ==
        "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:no cni");
  m.network_ready = true;
  m.advance(10'000);
  CHECK(m.condition(m.patches.back(), "Ready", "status") == "True");
  CHECK(m.condition(m.patches.back(), "MemoryPressure", "lastTransitionTime") == since);
}

TEST_CASE("a full disk is pressure, until five minutes after it has room again") {
  machine m;
  m.exists = true;
  m.send(node_started{m.now, 0});
  CHECK(m.condition(m.patches.back(), "DiskPressure", "status") == "False");
  m.room.disk = 0.14;
  m.advance(10'500);
  CHECK(m.condition(m.patches.back(), "DiskPressure", "status") == "True");
  CHECK(m.condition(m.patches.back(), "DiskPressure", "reason") == "KubeletHasDiskPressure");
  CHECK(m.condition(m.patches.back(), "Ready", "status") == "True");
  m.room.disk = 0.5;
  m.advance(290'000);
  CHECK(m.condition(m.patches.back(), "DiskPressure", "status") == "True");
  m.advance(30'000);
  CHECK(m.condition(m.patches.back(), "DiskPressure", "status") == "False");
  m.room.memory_bytes = 50ll << 20;
  m.room.inodes = 0.01;
  m.advance(10'500);
  CHECK(m.condition(m.patches.back(), "MemoryPressure", "status") == "True");
  CHECK(m.condition(m.patches.back(), "DiskPressure", "status") == "True");
}

TEST_CASE("a runtime that was away is told and asked again soon") {
  machine m;
  m.exists = true;
  m.send(node_started{m.now, 0});
  m.runtime_error = "connection refused";
  m.send(runtime_returned{m.now});
  CHECK(m.notes == std::vector<std::string>{"ContainerRuntimeLost", "NodeNotReady"});
  CHECK(m.condition(m.patches.back(), "Ready", "status") == "False");
  m.runtime_error.clear();
  m.advance(1500);  // not only after the status period
  CHECK(m.condition(m.patches.back(), "Ready", "status") == "True");
}

TEST_CASE("many nodes spread their heartbeats") {
  std::set<std::int64_t> wakes;
  for (std::uint64_t random : {1u, 2500u, 5000u, 7500u}) {
    machine m;
    m.exists = true;
    m.send(node_started{m.now, random});
    wakes.insert(m.wake);
  }
  CHECK(wakes.size() == 4);
}
