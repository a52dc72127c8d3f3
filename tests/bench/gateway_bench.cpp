// What the gateway alone costs: requests and watch deliveries against an actor that answers at once. The client runs in
// a child process, so that the process's CPU time is the server's.
#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include "actors/api_server/gateway/gateway.hpp"
#include "messages/type_ids.hpp"
#include "runtime/pki.hpp"
#include "runtime/system_config.hpp"
#include "tests/bench/client/load.hpp"
#include "tests/bench/client/watcher.hpp"

namespace {

using namespace troupe;

/// Answers 4 KiB to everything; watches get `burst` events for each POST, all of a POST in one delivery.
class instant_api final : public runtime::component<api::api_server_actor> {
 public:
  explicit instant_api(caf::actor_config& settings) : component(settings, "api") {
    auto made = std::make_shared<object>();
    made->json = shared_bytes(std::string(4096, 'j'));
    object_ = made;
  }
  behavior_type make_behavior() override {
    return {[this](const api::request& call) { on_request(call); },
            [this](const api::watch_stop& stop) { watchers_.erase(stop.watch_id); }};
  }

 private:
  void on_request(const api::request& call) {
    auto from = caf::actor_cast<api::client_actor>(current_sender());
    api::response answer;
    answer.id = call.id;
    if (call.target.find("watch=") != std::string::npos) {
      answer.watch_id = ++next_;
      watchers_[next_] = from;
    } else {
      answer.body.emplace_back(object_->json);
    }
    if (call.verb == api::method::post) publish(std::stoul(call.target.substr(1)));
    send(from, std::move(answer));
  }
  void publish(std::size_t burst) {
    auto events = std::make_shared<std::vector<api::watch_event>>();
    for (std::size_t i = 0; i < burst; ++i) events->push_back({api::event_type::modified, object_, 1, false});
    std::map<api::client_actor, api::watch_delivery> out;
    for (const auto& [id, who] : watchers_) {
      api::watch_batch batch;
      batch.watch_id = id;
      batch.events = events;
      out[who].batches.push_back(std::move(batch));
    }
    for (auto& [who, delivery] : out) send(who, std::move(delivery));
  }
  object_ptr object_;
  std::uint64_t next_ = 0;
  std::map<std::uint64_t, api::client_actor> watchers_;
};

/// Runs the client's part in a child; returns what it reports (operations, seconds).
std::array<double, 2> in_child(const std::function<std::array<double, 2>()>& part) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return {};
  auto child = fork();
  if (child == 0) {
    auto figures = part();
    (void)!write(ends[1], figures.data(), sizeof figures);
    _exit(0);
  }
  close(ends[1]);
  std::array<double, 2> figures{};
  (void)!read(ends[0], figures.data(), sizeof figures);
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return figures;
}

const char* only = "";  // rows whose name holds this text

void measure(const char* name, const std::function<std::array<double, 2>()>& part) {
  if (!std::strstr(name, only)) return;
  auto cpu = bench::own_cpu_seconds();
  auto [operations, seconds] = in_child(part);
  cpu = bench::own_cpu_seconds() - cpu;
  std::printf("%-44s %9.0f/s  server CPU %5.1f us\n", name, operations / seconds, cpu / operations * 1e6);
  std::fflush(stdout);
}

std::array<double, 2> get_4k(const bench::target& where, bool h2, std::size_t connections, std::size_t streams) {
  bench::load what;
  what.h2 = h2;
  what.connections = connections;
  what.streams = streams;
  what.time = std::chrono::seconds(3);
  what.make = [](std::uint64_t, bench::request& r) { r.path = "/api/v1/namespaces/default/pods/some-pod"; };
  auto result = bench::run(where, what);
  return {static_cast<double>(result.answers), result.seconds};
}

std::array<double, 2> fan_out(const bench::target& where, std::size_t watchers, bool h2, std::size_t streams,
                              std::size_t burst) {
  bench::watcher reading(where, "/api/v1/pods?watch=1", watchers, h2, streams);
  bench::client writer(where);
  bench::request post;
  post.method = "POST";
  post.path = "/" + std::to_string(burst);
  writer.call(post);
  std::uint64_t wanted = watchers * burst;
  reading.wait_for(wanted, std::chrono::seconds(10));
  auto begun = bench::now_us();
  std::size_t rounds = 100'000 / watchers / burst;
  for (std::size_t i = 0; i < rounds; ++i) {
    writer.call(post);
    wanted += watchers * burst;
    reading.wait_for(wanted > 4 * watchers * burst ? wanted - 4 * watchers * burst : 0, std::chrono::seconds(10));
  }
  reading.wait_for(wanted, std::chrono::seconds(10));
  return {static_cast<double>(rounds * watchers * burst), static_cast<double>(bench::now_us() - begun) / 1e6};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) only = argv[1];
  auto now = static_cast<std::int64_t>(std::time(nullptr));
  auto authority = *pki::make_authority("bench", now);
  pki::subject server;
  server.common_name = "server";
  server.names = {"127.0.0.1"};
  server.server = true;
  server.not_before = now - 60;
  auto serving = *pki::issue(authority, server);
  pki::subject user;
  user.common_name = "bench";
  user.organizations = {"system:masters"};
  user.client = true;
  user.not_before = now - 60;
  auto client = *pki::issue(authority, user);

  runtime::real_services services;
  runtime::system_config config(services, 2);
  caf::actor_system system(config);
  auto opened = gateway::endpoint::open(
      "127.0.0.1", 0, {serving.certificate, serving.private_key, authority.certificate}, 2, gateway::limits());
  if (!opened.ok()) {
    std::fprintf(stderr, "%s\n", opened.error().message.c_str());
    return 1;
  }
  auto ref = runtime::stable_ref<api::api_server_actor>::make(system, "root/api");
  std::vector<runtime::child_spec> specs;
  specs.push_back(runtime::child<api::api_server_actor>(
      "api", [](caf::actor_system& s) { return s.spawn<instant_api>(); }, ref));
  for (auto& child : gateway::children({*opened, ref, {}, {}})) specs.push_back(std::move(child));
  auto root = runtime::spawn_supervisor(system, "root", std::move(specs));

  bench::target where;
  where.port = (*opened)->port();
  where.authority = authority.certificate;
  where.certificate = client.certificate;
  where.private_key = client.private_key;
  measure("GET 4 KiB, h1, 1 connection", [&] { return get_4k(where, false, 1, 1); });
  measure("GET 4 KiB, h1, 32 connections", [&] { return get_4k(where, false, 32, 1); });
  measure("GET 4 KiB, h2, 32 connections", [&] { return get_4k(where, true, 32, 1); });
  measure("GET 4 KiB, h2, 4 connections x 10 streams", [&] { return get_4k(where, true, 4, 10); });
  measure("fan-out 4 KiB, 100 h1 watchers", [&] { return fan_out(where, 100, false, 1, 1); });
  measure("fan-out 4 KiB, 100 h1 watchers, 8 a batch", [&] { return fan_out(where, 100, false, 1, 8); });
  measure("fan-out 4 KiB, 4 x 25 h2 watchers", [&] { return fan_out(where, 100, true, 25, 1); });
  runtime::stop_supervisor(system, root);
  config.threads().join();
  return 0;
}
