// What the cluster link adds: a component asks the same api_server in its own process and over a link on loopback.
//   link_bench [CALLS]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include <caf/allowed_unsafe_message_type.hpp>

#include "runtime/api_session.hpp"
#include "runtime/component.hpp"
#include "runtime/link/dialer.hpp"
#include "runtime/link/listener.hpp"
#include "runtime/pki.hpp"
#include "runtime/supervisor.hpp"

namespace {

using namespace troupe;
using clock_type = std::chrono::steady_clock;

/// Answers everything with a small object's bytes.
class small_api final : public runtime::component<api::api_server_actor> {
 public:
  explicit small_api(caf::actor_config& settings) : component(settings, "api") {}
  behavior_type make_behavior() override {
    return {[this](const api::request& m) {
              api::response answer;
              answer.id = m.id;
              answer.body.emplace_back(body_);
              send_to(current_sender(), std::move(answer));
            },
            [](const api::watch_stop&) {}};
  }

 private:
  shared_bytes body_{std::string(1500, 'x')};
};

/// To a caller: do so many calls, so many at a time, and say how many seconds each took.
struct measure {
  std::size_t calls = 0, together = 0;
  std::shared_ptr<std::promise<std::vector<double>>> done;
};

class caller final
    : public runtime::component<caf::typed_actor<caf::reacts_to<api::response>, caf::reacts_to<api::watch_delivery>,
                                                 caf::reacts_to<measure>>> {
 public:
  caller(caf::actor_config& settings, const runtime::stable_ref<api::api_server_actor>& server)
      : component(settings, "caller"), session_(*this, server, {}) {}
  behavior_type make_behavior() override {
    return {[this](const api::response& m) { session_.handle(m); },
            [this](const api::watch_delivery& m) { session_.handle(m); },
            [this](const measure& m) {
              order_ = m;
              begun_ = 0;
              took_.clear();
              for (std::size_t i = 0; i < m.together; ++i) call();
            }};
  }

 private:
  void call() {
    if (begun_ == order_.calls) return;
    ++begun_;
    session_.call(runtime::get("/api/v1/namespaces/default/pods/p"), [this, at = clock_type::now()](const auto&) {
      took_.push_back(std::chrono::duration<double>(clock_type::now() - at).count());
      if (took_.size() == order_.calls) return order_.done->set_value(std::move(took_));
      call();
    });
  }
  runtime::api_session session_;
  measure order_;
  std::size_t begun_ = 0;
  std::vector<double> took_;
};

std::vector<double> run(const caf::actor& by, std::size_t calls, std::size_t together) {
  measure what{calls, together, std::make_shared<std::promise<std::vector<double>>>()};
  auto result = what.done->get_future();
  caf::anon_send(by, what);
  return result.get();
}

void report(const char* where, const caf::actor& by, std::size_t calls) {
  run(by, calls / 10, 1);  // the link is up, caches are warm
  auto alone = run(by, calls, 1);
  std::sort(alone.begin(), alone.end());
  auto begun = clock_type::now();
  run(by, calls * 10, 64);
  auto seconds = std::chrono::duration<double>(clock_type::now() - begun).count();
  std::printf("%-11s one by one: p50 %.0f us, p99 %.0f us; 64 at a time: %.0f calls/s\n", where,
              alone[alone.size() / 2] * 1e6, alone[alone.size() * 99 / 100] * 1e6,
              static_cast<double>(calls * 10) / seconds);
}

pki::key_pair issued(const pki::key_pair& authority, const std::string& name, bool server) {
  pki::subject who;
  who.common_name = name;
  if (server)
    who.names = {"127.0.0.1"};
  else
    who.organizations = {"system:nodes"};
  who.server = server;
  who.client = !server;
  who.not_before = static_cast<std::int64_t>(std::time(nullptr));
  return *pki::issue(authority, who);
}

}  // namespace

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(measure)

int main(int argc, char** argv) {
  const std::size_t calls = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 5000;
  auto authority = *pki::make_authority("kubernetes", static_cast<std::int64_t>(std::time(nullptr)));
  auto serving = issued(authority, "kube-apiserver", true), proof = issued(authority, "system:node:n", false);
  runtime::real_services outside;
  runtime::system_config config(outside, 2);
  caf::actor_system system(config);
  auto server = runtime::stable_ref<api::api_server_actor>::make(system, "root/api");
  auto linked = runtime::stable_ref<api::api_server_actor>::make(system, "node/server");
  auto port =
      *link::link_port::open("127.0.0.1", 0, {serving.certificate, serving.private_key, authority.certificate}, {});
  link::listener_options listening;
  listening.port = port;
  listening.server = server;
  link::dialer_options dialing;
  dialing.servers = {"127.0.0.1:" + std::to_string(port->port())};
  link::credentials with{proof.certificate, proof.private_key, authority.certificate};
  dialing.nodes.push_back({"n", [with]() -> result<link::credentials> { return with; }, linked, {}});
  std::vector<runtime::child_spec> children;
  children.push_back(runtime::child<api::api_server_actor>(
      "api", [](caf::actor_system& in) { return caf::actor_cast<api::api_server_actor>(in.spawn<small_api>()); },
      server));
  children.push_back(link::listener_child(listening));
  auto root = runtime::spawn_supervisor(system, "root", std::move(children));
  std::vector<runtime::child_spec> node_children;
  node_children.push_back(link::dialer_child(dialing));
  auto node = runtime::spawn_supervisor(system, "node", std::move(node_children));
  auto near = caf::actor_cast<caf::actor>(system.spawn<caller>(server));
  auto far = caf::actor_cast<caf::actor>(system.spawn<caller>(linked));
  report("in process", near, calls);
  report("by the link", far, calls);
  for (auto& one : {near, far}) caf::anon_send_exit(one, caf::exit_reason::user_shutdown);
  near = far = nullptr;
  runtime::stop_supervisor(system, node);
  runtime::stop_supervisor(system, root);
}
