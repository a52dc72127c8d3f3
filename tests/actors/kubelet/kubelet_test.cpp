// A kubelet with its workers against a small api_server and a runtime that obeys: registration, a pod's life, crashes.
#include "actors/kubelet/kubelet.hpp"

#include <doctest/doctest.h>

#include "messages/streams.hpp"
#include "runtime/simulation/world.hpp"
#include "tests/actors/small_api.hpp"

using namespace troupe;
using namespace troupe::kubelet;
using namespace std::chrono_literals;
using troupe::runtime::component;
using troupe::runtime::stable_ref;
using troupe::testing::small_api;
using troupe::testing::small_world;

namespace {

/// What the obedient runtime holds; it outlives kubelets.
struct machine_room {
  std::map<std::string, container::sandbox_status> sandboxes;
  std::map<std::string, container::container_status> containers;
  std::map<std::string, caf::actor_addr> subscribers;
  std::vector<container::open_stream> streams;
  int next = 1;
  bool dead = false;
};

class obedient_runtime final : public component<container::runtime_actor> {
 public:
  obedient_runtime(caf::actor_config& settings, std::shared_ptr<machine_room> room)
      : component(settings, "runtime"), room_(std::move(room)) {}
  behavior_type make_behavior() override {
    return {[this](const container::request& m) {
              container::reply r{m.id, {}, container::done{}};
              if (room_->dead)
                r.error = {container::fault::unavailable, "connection refused"};
              else
                std::visit([&](auto& o) { perform(o, r); }, m.what);
              send_to(current_sender(), std::move(r));
            },
            [this](const container::subscribe& m) {
              room_->subscribers[m.pod_uid] = caf::actor_cast<caf::actor_addr>(current_sender());
            },
            [this](const container::read_log& m) {
              send_to(current_sender(), container::log_chunk{m.id, shared_bytes("log of " + m.container_id), true, {}});
            },
            [](const container::log_more&) {},
            [this](const container::open_stream& m) {
              room_->streams.push_back(m);
              send_to(current_sender(), troupe::stream::opened{m.id, {}});
            }};
  }

  void tell(const container::container_status& c) {
    auto to = caf::actor_cast<caf::strong_actor_ptr>(room_->subscribers[c.pod_uid]);
    if (to) send_to(to, container::happenings{{}, {c}, {}, false});
  }

 private:
  void perform(const container::get_version&, container::reply& r) {
    r.what = container::version_info{"hollow", "1", "v1"};
  }
  void perform(const container::get_status&, container::reply& r) {
    r.what = container::status_info{true, "", true, ""};
  }
  void perform(const container::run_sandbox& o, container::reply& r) {
    container::sandbox_status b;
    b.id = "s" + std::to_string(room_->next++);
    b.uid = o.config.uid;
    b.attempt = o.config.attempt;
    b.state = container::sandbox_state::ready;
    b.ips = {"10.244.0." + std::to_string(room_->next)};
    room_->sandboxes[b.id] = b;
    r.what = container::sandbox_made{b.id, b.ips};
  }
  void perform(const container::remove_sandbox& o, container::reply&) {
    room_->sandboxes.erase(o.id);
    std::erase_if(room_->containers, [&](auto& c) { return c.second.sandbox_id == o.id; });
  }
  void perform(const container::list_pods& o, container::reply& r) {
    container::pod_list list;
    for (auto& [id, b] : room_->sandboxes)
      if (o.pod_uid.empty() || b.uid == o.pod_uid) list.sandboxes.push_back(b);
    for (auto& [id, c] : room_->containers)
      if (o.pod_uid.empty() || c.pod_uid == o.pod_uid) list.containers.push_back(c);
    r.what = std::move(list);
  }
  void perform(const container::image_status&, container::reply& r) {
    r.what = container::image_answer{true, {"sha256:1", {}, {}, 1, -1, ""}};
  }
  void perform(const container::create_container& o, container::reply& r) {
    container::container_status c;
    c.id = "c" + std::to_string(room_->next++);
    c.sandbox_id = o.sandbox_id;
    c.pod_uid = o.sandbox.uid;
    c.name = o.config.name;
    c.attempt = o.config.attempt;
    c.state = container::container_state::created;
    room_->containers[c.id] = c;
    r.what = container::container_made{c.id};
  }
  void perform(const container::start_container& o, container::reply&) {
    room_->containers[o.id].state = container::container_state::running;
    tell(room_->containers[o.id]);
  }
  void perform(const container::stop_container& o, container::reply&) {
    auto& c = room_->containers[o.id];
    c.state = container::container_state::exited;
    c.finished_ns = static_cast<std::int64_t>(wall_now_ms()) * 1'000'000;
    tell(c);
  }
  template <class Other>
  void perform(const Other&, container::reply&) {}

  std::shared_ptr<machine_room> room_;
};

using log_reader_actor = caf::typed_actor<caf::reacts_to<container::log_chunk>, caf::reacts_to<read_pod_log>,
                                          caf::reacts_to<open_pod_stream>, caf::reacts_to<stream::opened>>;

/// Asks a kubelet for logs and streams and keeps what comes.
class log_reader final : public component<log_reader_actor> {
 public:
  log_reader(caf::actor_config& settings, stable_ref<kubelet_actor> kubelet,
             std::shared_ptr<std::vector<container::log_chunk>> chunks)
      : component(settings, "reader"), kubelet_(std::move(kubelet)), chunks_(std::move(chunks)) {}
  behavior_type make_behavior() override {
    return {[this](const container::log_chunk& c) { chunks_->push_back(c); },
            [this](const read_pod_log& m) { send_to(kubelet_.handle(), m); },
            [this](const open_pod_stream& m) { send_to(kubelet_.handle(), m); },
            [this](const stream::opened& m) {
              chunks_->push_back(
                  {m.id, m.error.ok() ? shared_bytes(std::string("opened")) : shared_bytes(), true, m.error});
            }};
  }

 private:
  stable_ref<kubelet_actor> kubelet_;
  std::shared_ptr<std::vector<container::log_chunk>> chunks_;
};

struct setup {
  explicit setup(std::uint64_t seed = 1) : world(seed) {
    world.setup().allow_crash = true;
    server = stable_ref<api::api_server_actor>::make(world.system(), "api_server");
    server.set_target(caf::actor_cast<api::api_server_actor>(api_actor = world.system().spawn<small_api>(state)));
    driver = stable_ref<container::runtime_actor>::make(world.system(), "runtime");
    driver.set_target(world.system().spawn<obedient_runtime>(room));
    kubelet_options options;
    options.node.name = "n1";
    options.node.ip = "10.0.0.1";
    options.server = server;
    options.runtime = driver;
    reference = stable_ref<kubelet_actor>::make(world.system(), "node/kubelet");
    node = runtime::spawn_supervisor(world.system(), "node", {kubelet_child(options, reference)});
    world.run_for(1s);
  }
  void create_pod(const std::string& name) {
    api::request r;
    r.verb = api::method::post;
    r.target = "/api/v1/namespaces/default/pods";
    r.body = shared_bytes(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" + name +
                          R"(","namespace":"default","generation":1},"spec":{"nodeName":"n1","restartPolicy":"Always",)"
                          R"("containers":[{"name":"c","image":"i"}]},"status":{"phase":"Pending"}})");
    ask(std::move(r));
  }
  void delete_pod(const std::string& name) {
    api::request r;
    r.verb = api::method::del;
    r.target = "/api/v1/namespaces/default/pods/" + name;
    ask(std::move(r));
  }
  /// A request of somebody who does not wait for the answer.
  void ask(api::request r) {
    caf::anon_send(api_actor, std::move(r));
    world.run_for(1s);
  }
  std::string phase(const std::string& name) const {
    auto found = state->objects.find("/api/v1/namespaces/default/pods/" + name);
    if (found == state->objects.end()) return "(gone)";
    auto doc = document::parse(found->second->json.view());
    auto* at = doc->root().find("status", "phase");
    return at ? std::string(at->string()) : "";
  }

  std::shared_ptr<small_world> state = std::make_shared<small_world>();
  std::shared_ptr<machine_room> room = std::make_shared<machine_room>();
  runtime::simulation::world world;
  api::api_server_actor api_actor;
  stable_ref<api::api_server_actor> server;
  stable_ref<container::runtime_actor> driver;
  stable_ref<kubelet_actor> reference;
  runtime::local_supervisor node;
};

}  // namespace

TEST_CASE("the node registers and renews its Lease") {
  setup t;
  CHECK(t.state->objects.count("/api/v1/nodes/n1") == 1);
  t.world.run_for(15s);
  auto lease = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n1";
  REQUIRE(t.state->objects.count(lease) == 1);
  auto before = t.state->objects[lease]->revision;
  t.world.run_for(21s);
  CHECK(t.state->objects[lease]->revision > before);
}

TEST_CASE("a pod runs, is told of by events, and goes") {
  setup t;
  t.create_pod("web");
  CHECK(t.phase("web") == "Running");
  CHECK(t.room->containers.size() == 1);
  auto said = [&](const std::string& what) {
    return std::count(t.state->events.begin(), t.state->events.end(), what) == 1;
  };
  CHECK(said("Created Container created"));
  CHECK(said("Started Container started"));
  t.delete_pod("web");
  CHECK(t.phase("web") == "(gone)");
  CHECK(t.room->sandboxes.empty());
  CHECK(said("Killing Stopping container c"));
  t.create_pod("web");  // the same name again
  CHECK(t.phase("web") == "Running");
}

TEST_CASE("a crashed worker is started again and adopts its pod; so is the kubelet") {
  setup t;
  t.create_pod("web");
  auto container_id = t.room->containers.begin()->first;
  CHECK(t.world.crash("node/kubelet/pods/uid-web"));
  t.world.run_for(2s);
  CHECK(t.world.crash("node/kubelet"));
  t.world.run_for(5s);
  CHECK(t.phase("web") == "Running");
  CHECK(t.room->containers.size() == 1);
  CHECK(t.room->containers.begin()->first == container_id);
  t.delete_pod("web");
  CHECK(t.phase("web") == "(gone)");
  CHECK(t.room->sandboxes.empty());
}

TEST_CASE("a sandbox nobody wants is removed when the kubelet starts") {
  setup t;
  container::sandbox_status stray;
  stray.id = "stray";
  stray.uid = "u-stray";
  stray.state = container::sandbox_state::ready;
  t.room->sandboxes["stray"] = stray;
  t.world.crash("node/kubelet");
  t.world.run_for(5s);
  CHECK(t.room->sandboxes.empty());
}

TEST_CASE("a dead runtime is reported by the node") {
  setup t;
  t.room->dead = true;
  t.world.run_for(30s);
  auto json = std::string(t.state->objects["/api/v1/nodes/n1"]->json.view());
  CHECK(json.find("container runtime is down: connection refused") != std::string::npos);
}

TEST_CASE("logs come straight from the runtime; what cannot be read is refused") {
  setup t;
  t.create_pod("web");
  auto chunks = std::make_shared<std::vector<container::log_chunk>>();
  auto reader = t.world.system().spawn<log_reader>(t.reference, chunks);
  auto read = [&](const std::string& pod, const std::string& container) {
    caf::anon_send(reader, read_pod_log{7, "default", pod, container, false, false, false, -1, 0, 0});
    t.world.run_until_idle();
    REQUIRE(!chunks->empty());
    return chunks->back();
  };
  auto chunk = read("web", "c");
  CHECK(chunk.data.view() == "log of " + t.room->containers.begin()->first);
  CHECK(read("web", "x").error.message == "container x is not valid for pod web");
  CHECK(read("other", "c").error.message == "pods \"other\" not found");
}

TEST_CASE("who asks before the runtime has told what runs waits for it") {
  setup t;
  t.create_pod("web");
  auto container_id = t.room->containers.begin()->first;
  auto chunks = std::make_shared<std::vector<container::log_chunk>>();
  auto reader = t.world.system().spawn<log_reader>(t.reference, chunks);
  t.room->dead = true;
  REQUIRE(t.world.crash("node/kubelet/pods/uid-web"));
  t.world.run_for(1s);
  caf::anon_send(reader, read_pod_log{7, "default", "web", "c", false, false, false, -1, 0, 0});
  caf::anon_send(
      reader,
      open_pod_stream{9, container::stream_kind::exec, "default", "web", "c", {"sh"}, true, true, false, true, 80});
  t.world.run_for(1s);
  CHECK(chunks->empty());
  t.room->dead = false;
  t.world.run_for(3s);
  REQUIRE(chunks->size() == 2);
  CHECK(chunks->front().data.view() == "log of " + container_id);
  CHECK(t.room->streams.back().target == container_id);
  // But not for ever.
  t.room->dead = true;
  REQUIRE(t.world.crash("node/kubelet/pods/uid-web"));
  t.world.run_for(1s);
  caf::anon_send(reader, read_pod_log{8, "default", "web", "c", false, false, false, -1, 0, 0});
  t.world.run_for(6s);
  REQUIRE(chunks->size() == 3);
  CHECK(chunks->back().error.message == "container \"c\" in pod \"web\" is waiting to start: ContainerCreating");
}

TEST_CASE("streams are opened by the runtime, at the right container or sandbox; others are refused") {
  setup t;
  t.create_pod("web");
  auto heard = std::make_shared<std::vector<container::log_chunk>>();
  auto client = t.world.system().spawn<log_reader>(t.reference, heard);
  auto open = [&](container::stream_kind kind, const std::string& pod, const std::string& container) {
    caf::anon_send(client, open_pod_stream{9, kind, "default", pod, container, {"sh"}, true, true, false, true, 80});
    t.world.run_until_idle();
    REQUIRE(!heard->empty());
    return heard->back();
  };
  CHECK(open(container::stream_kind::exec, "web", "c").data.view() == "opened");
  auto& order = t.room->streams.back();
  CHECK(order.id == 9);
  CHECK(order.target == t.room->containers.begin()->first);
  CHECK(order.command == std::vector<std::string>{"sh"});
  CHECK((order.stdin_open && order.stdout_open && !order.stderr_open && order.tty));
  CHECK(open(container::stream_kind::port_forward, "web", "").data.view() == "opened");
  CHECK(t.room->streams.back().target == t.room->sandboxes.begin()->first);
  CHECK(t.room->streams.back().port == 80);
  CHECK(open(container::stream_kind::attach, "web", "x").error.message == "container not found (\"x\")");
  CHECK(open(container::stream_kind::exec, "other", "c").error.message == "pods \"other\" not found");
  CHECK(t.room->streams.size() == 2);
}

TEST_CASE("the same seed gives the same run") {
  auto run = [](std::uint64_t seed) {
    setup t(seed);
    for (int i = 0; i < 5; ++i) t.create_pod("p" + std::to_string(i));
    t.delete_pod("p2");
    return t.world.digest();
  };
  CHECK(run(5) == run(5));
}
