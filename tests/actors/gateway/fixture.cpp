#include "tests/actors/gateway/fixture.hpp"

#include <doctest/doctest.h>

#include <caf/send.hpp>

namespace troupe::gateway::testing {

const certificates& certificates::get() {
  static const certificates made = [] {
    certificates c;
    auto now = static_cast<std::int64_t>(std::time(nullptr));
    c.authority = *pki::make_authority("test-ca", now);
    c.other_authority = *pki::make_authority("other-ca", now);
    pki::subject server;
    server.common_name = "kube-apiserver";
    server.names = {"127.0.0.1", "localhost"};
    server.server = true;
    server.not_before = now - 60;
    c.serving = *pki::issue(c.authority, server);
    return c;
  }();
  return made;
}

bench::target certificates::target_for(const pki::subject* client, bool other) const {
  bench::target made;
  made.authority = authority.certificate;
  if (!client) return made;
  auto pair = pki::issue(other ? other_authority : authority, *client);
  REQUIRE(pair.ok());
  made.certificate = pair->certificate;
  made.private_key = pair->private_key;
  return made;
}

fixture::fixture(limits bounds, std::size_t loops, event_renderer renderer) {
  config_.allow_crash = true;
  system_ = std::make_unique<caf::actor_system>(config_);
  const auto& all = certificates::get();
  tls_credentials credentials{all.serving.certificate, all.serving.private_key, all.authority.certificate};
  auto opened = endpoint::open("127.0.0.1", 0, credentials, loops, bounds);
  REQUIRE(opened.ok());
  endpoint_ = *opened;
  auto api_ref = runtime::stable_ref<api::api_server_actor>::make(*system_, "root/api");
  std::vector<runtime::child_spec> specs;
  auto start = [this](caf::actor_system& system) { return system.spawn<scripted_api>(seen); };
  specs.push_back(runtime::child<api::api_server_actor>("api", start, api_ref));
  for (auto& child : children({endpoint_, api_ref, std::move(renderer), {}})) specs.push_back(std::move(child));
  root_ = runtime::spawn_supervisor(*system_, "root", std::move(specs));
  REQUIRE(eventually([&] {
    for (std::size_t i = 0; i < loops; ++i)
      if (!endpoint_->slot(i).alive) return false;
    return true;
  }));
}

fixture::~fixture() {
  stop();
  config_.threads().join();
}

bool fixture::stop() {
  if (stopped_) return true;
  stopped_ = true;
  return runtime::stop_supervisor(*system_, root_);
}

bench::target fixture::target(const std::string& user, std::vector<std::string> groups) {
  if (user.empty()) {
    auto made = certificates::get().target_for(nullptr);
    made.port = endpoint_->port();
    return made;
  }
  pki::subject who;
  who.common_name = user;
  who.organizations = std::move(groups);
  who.client = true;
  who.not_before = static_cast<std::int64_t>(std::time(nullptr)) - 60;
  return target_of(who);
}

bench::target fixture::target_of(const pki::subject& client, bool other_authority) {
  auto made = certificates::get().target_for(&client, other_authority);
  made.port = endpoint_->port();
  return made;
}

void fixture::crash(const std::string& path) {
  auto& registry = config_.registry();
  auto restarts = [&] {
    for (const auto& info : registry.snapshot(path))
      if (info.path == path && info.state == "running") return info.restarts;
    return ~std::uint64_t{0};
  };
  auto before = restarts();
  caf::anon_send(root_, supervision::crash{path});
  REQUIRE(eventually([&] { return restarts() == before + 1; }));
}

}  // namespace troupe::gateway::testing
