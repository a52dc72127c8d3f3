// The proxy's shell with a kernel on paper: order of batches, retries, crash and clean stop.
#include "actors/kube_proxy/kube_proxy.hpp"

#include <doctest/doctest.h>

#include "actors/kube_proxy/decode.hpp"
#include "runtime/supervisor.hpp"
#include "tests/actors/runtime/fixture.hpp"

using namespace troupe;
using namespace troupe::kube_proxy;
using namespace troupe::runtime;
using namespace troupe::runtime::testing;

namespace {

/// What reached the kernel, over all incarnations.
struct paper_kernel {
  struct pending {
    std::shared_ptr<const batch> what;
    std::function<void(std::string)> done;
  };
  std::vector<std::shared_ptr<const batch>> batches;
  std::vector<pending> unanswered;
  bool answers = true;
  std::string refuse;  // the next batch's error
  std::vector<bool> stops;
  std::vector<std::vector<address>> announced;  // every order
};

class paper_edge final : public table_edge {
 public:
  explicit paper_edge(std::shared_ptr<paper_kernel> kernel) : kernel_(std::move(kernel)) {}
  void apply(std::shared_ptr<const batch> what, std::function<void(std::string)> done) override {
    kernel_->batches.push_back(what);
    if (kernel_->answers)
      done(std::exchange(kernel_->refuse, {}));
    else
      kernel_->unanswered.push_back({what, done});
  }
  void stop(bool remove) override { kernel_->stops.push_back(remove); }

 private:
  std::shared_ptr<paper_kernel> kernel_;
};

class paper_announcer final : public announcer {
 public:
  explicit paper_announcer(std::shared_ptr<paper_kernel> kernel) : kernel_(std::move(kernel)) {}
  std::string hold(const std::vector<address>& ips) override {
    kernel_->announced.push_back(ips);
    return {};
  }

 private:
  std::shared_ptr<paper_kernel> kernel_;
};

object_ptr make(const char* group, const char* resource, const std::string& json, std::uint64_t revision) {
  auto made = make_object(schema::find_resource(group, "v1", resource), json, revision, revision);
  if (!made) throw std::runtime_error(made.error().message);
  return *made;
}

object_ptr service(const std::string& name, const std::string& address, std::uint64_t revision) {
  return make("", "services",
              R"({"kind":"Service","apiVersion":"v1","metadata":{"name":")" + name +
                  R"(","namespace":"default","uid":"u-)" + name + R"("},"spec":{"ports":[{"port":80}],"clusterIP":")" +
                  address + R"("}})",
              revision);
}

/// A Service whose balancer's address a node announces.
object_ptr balanced(const std::string& address, const std::string& announcer, std::uint64_t revision) {
  return make("", "services",
              R"({"kind":"Service","apiVersion":"v1","metadata":{"name":"b","namespace":"default","uid":"u-b",)"
              R"("annotations":{"troupe.dev/announcing-node":")" +
                  announcer + R"("}},"spec":{"ports":[{"port":80}],"clusterIP":"10.96.0.7","type":"LoadBalancer"},)" +
                  R"("status":{"loadBalancer":{"ingress":[{"ip":")" + address + R"("}]}}})",
              revision);
}

object_ptr slice(const std::string& name, const std::string& address, std::uint64_t revision) {
  return make("discovery.k8s.io", "endpointslices",
              R"({"kind":"EndpointSlice","apiVersion":"discovery.k8s.io/v1","metadata":{"name":")" + name +
                  R"(","namespace":"default","uid":"s-)" + name + R"(","labels":{"kubernetes.io/service-name":")" +
                  name + R"("}},"addressType":"IPv4","endpoints":[{"addresses":[")" + address +
                  R"("],"nodeName":"n"}],"ports":[{"name":"","port":8080}]})",
              revision);
}

struct setup {
  setup() {
    plan->on_request = [this](const script::asked& a) {
      bool services = a.request.target.find("/services?") != std::string::npos;
      asked.push_back(a.request);
      (services ? services_watch : slices_watch) = {a, ++next_watch};
      script::accept_watch(a, next_watch);
    };
    ref = stable_ref<api::api_server_actor>::make(world.system(), "api_server");
    server = world.system().spawn<scripted_server>(plan);
    ref.set_target(server);
    proxy_options how;
    how.server = ref;
    how.nodes = {"n"};
    how.measured = std::make_shared<proxy_metrics>(measured);
    how.make_edge = [k = kernel] { return std::make_unique<paper_edge>(k); };
    how.make_announcer = [k = kernel] { return std::make_unique<paper_announcer>(k); };
    root = spawn_supervisor(
        world.system(), "root",
        {child<kube_proxy_actor>("kube_proxy", [how](caf::actor_system& in) { return spawn_kube_proxy(in, how); })});
    world.run_until_idle();
  }
  /// Answers that did not come hold the actor that holds them.
  ~setup() { kernel->unanswered.clear(); }
  void services(std::vector<api::watch_event> what) { deliver(services_watch, std::move(what)); }
  void slices(std::vector<api::watch_event> what) { deliver(slices_watch, std::move(what)); }
  void deliver(const std::pair<script::asked, std::uint64_t>& to, std::vector<api::watch_event> what) {
    script::deliver(to.first, to.second, std::move(what));
    world.run_until_idle();
  }
  void both_synced() {
    services({bookmark(5, true)});
    slices({bookmark(5, true)});
  }
  const batch& last() { return *kernel->batches.back(); }

  metrics::registry measured;
  std::shared_ptr<paper_kernel> kernel = std::make_shared<paper_kernel>();
  simulation::world world{1};
  std::shared_ptr<script> plan = std::make_shared<script>();
  std::vector<api::request> asked;
  std::pair<script::asked, std::uint64_t> services_watch, slices_watch;
  std::uint64_t next_watch = 0;
  stable_ref<api::api_server_actor> ref;
  api::api_server_actor server;
  local_supervisor root;
};

}  // namespace

TEST_CASE("it asks as kube-proxy, for what it serves, and waits until it knows both kinds") {
  setup s;
  REQUIRE(s.asked.size() == 2);
  for (const auto& one : s.asked) {
    CHECK(one.user->name == "system:kube-proxy");
    CHECK(one.target.find("labelSelector=%21service.kubernetes.io%2Fheadless") != std::string::npos);
  }
  s.services({added(service("web", "10.96.0.9", 3)), bookmark(5, true)});
  CHECK(s.kernel->batches.empty());
  s.slices({added(slice("web", "10.244.0.9", 4)), bookmark(5, true)});
  REQUIRE(s.kernel->batches.size() == 1);
  CHECK(s.last().kind == batch_kind::whole);
  CHECK(s.last().added.size() == 4);  // frontend, backend, cluster address, hairpin
  CHECK(s.measured.text().find("kubeproxy_sync_full_proxy_rules_duration_seconds_count{ip_family=\"IPv4\"} 1") !=
        std::string::npos);
}

TEST_CASE("one batch at a time; events meanwhile make one batch") {
  setup s;
  s.both_synced();
  s.kernel->answers = false;
  s.services({added(service("a", "10.96.0.1", 6))});
  s.services({added(service("b", "10.96.0.2", 7))});
  s.services({added(service("c", "10.96.0.3", 8)), deleted(service("a", "10.96.0.1", 6), 9)});
  REQUIRE(s.kernel->batches.size() == 2);
  s.kernel->answers = true;
  s.kernel->unanswered.back().done({});
  s.world.run_until_idle();
  REQUIRE(s.kernel->batches.size() == 3);
  CHECK(s.last().kind == batch_kind::change);
  CHECK(s.last().removed.size() == 2);
  CHECK(s.last().added.size() == 4);
}

TEST_CASE("a refused batch is followed by the whole table after a pause") {
  setup s;
  s.both_synced();
  s.kernel->refuse = "no";
  s.services({added(service("a", "10.96.0.1", 6))});
  CHECK(s.kernel->batches.size() == 2);
  s.world.run_for(99ms);
  CHECK(s.kernel->batches.size() == 2);
  s.world.run_for(10ms);
  REQUIRE(s.kernel->batches.size() == 3);
  CHECK(s.last().kind == batch_kind::whole);
  CHECK(s.measured.text().find("nftables_sync_failures_total{ip_family=\"IPv4\"} 1") != std::string::npos);
}

TEST_CASE("the table is looked for now and then, and brought back when it is gone") {
  setup s;
  s.both_synced();
  s.world.run_for(29s);
  CHECK(s.kernel->batches.size() == 1);
  s.world.run_for(2s);
  REQUIRE(s.kernel->batches.size() == 2);
  CHECK(s.last().kind == batch_kind::probe);
  s.kernel->refuse = "No such file or directory";
  s.world.run_for(31s);
  CHECK(s.last().kind == batch_kind::whole);
}

TEST_CASE("a crash leaves the table to the next incarnation, which replaces it when it knows everything") {
  setup s;
  s.both_synced();
  CHECK(s.world.crash("root/kube_proxy"));
  s.world.run_for(1s);
  CHECK(s.kernel->stops == std::vector<bool>{false});
  CHECK(s.kernel->batches.size() == 1);
  s.services({added(service("web", "10.96.0.9", 3)), bookmark(8, true)});
  CHECK(s.kernel->batches.size() == 1);
  s.slices({bookmark(8, true)});
  REQUIRE(s.kernel->batches.size() == 2);
  CHECK(s.last().kind == batch_kind::whole);
}

TEST_CASE("a clean stop takes the table along") {
  setup s;
  s.both_synced();
  request_stop(s.root);
  s.world.run_for(1s);
  CHECK(s.kernel->stops == std::vector<bool>{true});
}

TEST_CASE(
    "balancers' addresses are announced while their Services name a node of this machine, and given up at a stop") {
  setup s;
  s.services({added(balanced("203.0.113.8", "n", 3)), bookmark(5, true)});
  CHECK(s.kernel->announced.empty());
  s.slices({bookmark(5, true)});
  using orders = std::vector<std::vector<address>>;
  const orders held = {{*parse_address("203.0.113.8")}};
  CHECK(s.kernel->announced == held);
  s.world.run_for(31s);  // somebody may have taken it away
  CHECK(s.kernel->announced == orders{held[0], held[0]});
  CHECK(s.world.crash("root/kube_proxy"));
  s.world.run_for(1s);
  CHECK(s.kernel->announced.size() == 2);
  s.services({added(balanced("203.0.113.8", "n", 3)), bookmark(8, true)});
  s.slices({bookmark(8, true)});
  CHECK(s.kernel->announced.size() == 3);
  s.services({modified(balanced("203.0.113.8", "other", 9))});
  CHECK(s.kernel->announced.back().empty());
  s.services({modified(balanced("203.0.113.8", "n", 10))});
  request_stop(s.root);
  s.world.run_for(1s);
  CHECK(s.kernel->announced == orders{held[0], held[0], held[0], {}, held[0], {}});
}
