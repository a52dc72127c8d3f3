// The hollow runtime in virtual time.
#include <doctest/doctest.h>

#include "actors/container_runtime/hollow/annotations.hpp"
#include "actors/container_runtime/hollow/core.hpp"

namespace troupe::hollow {

namespace {

options on_network(const char* cidr = "10.244.3.0/24") {
  options o;
  o.node_name = "n1";
  o.pod_cidr = cidr;
  return o;
}

struct machine {
  explicit machine(options o = on_network()) : runtime(std::move(o)) {}
  core runtime;
  moment now{1000, 1'700'000'000'000'000'000};
  std::vector<container::reply> replies;
  std::vector<container::container_status> containers;
  std::uint64_t next = 1;

  void take(effects all) {
    for (auto& e : all) {
      if (auto* a = std::get_if<answer>(&e)) replies.push_back(a->reply);
      if (auto* c = std::get_if<changed>(&e))
        containers.insert(containers.end(), c->what.containers.begin(), c->what.containers.end());
    }
  }
  container::reply ask(container::operation what) {
    replies.clear();
    take(runtime.handle(now, 1, {next++, std::move(what)}));
    return replies.empty() ? container::reply{} : replies.back();
  }
  void advance(std::int64_t ms) {
    now.steady_ms += ms;
    now.wall_ns += ms * 1'000'000;
    take(runtime.advance(now));
  }
  std::string sandbox(const std::string& uid, container::label_list annotations = {}) {
    container::sandbox_config config;
    config.uid = uid;
    config.name = uid;
    config.annotations = std::move(annotations);
    auto r = ask(container::run_sandbox{config});
    auto* made = std::get_if<container::sandbox_made>(&r.what);
    ip = made && !made->ips.empty() ? made->ips[0] : r.error.message;
    return made ? made->id : "";
  }
  std::string start(const std::string& box, const std::string& name = "c") {
    container::container_config config;
    config.name = name;
    config.image = "i";
    auto r = ask(container::create_container{box, config, {}});
    auto id = std::get<container::container_made>(r.what).id;
    ask(container::start_container{id});
    return id;
  }
  std::string ip;
};

}  // namespace

TEST_CASE("sandboxes get addresses of the pod range and give them back") {
  machine m(on_network("10.1.0.0/29"));  // 10.1.0.2 to 10.1.0.6
  std::vector<std::string> boxes;
  for (int i = 0; i < 5; ++i) {
    boxes.push_back(m.sandbox("u" + std::to_string(i)));
    CHECK(m.ip == "10.1.0." + std::to_string(i + 2));
  }
  CHECK(m.sandbox("more").empty());
  CHECK(m.ip == "failed to setup network for sandbox: no IP addresses available in range set");
  m.ask(container::remove_sandbox{boxes[2]});
  CHECK(!m.sandbox("again").empty());
  CHECK(m.ip == "10.1.0.4");
}

TEST_CASE("a pod range is an address and a prefix that leaves room for pods") {
  machine m;
  for (const char* wrong : {"", "10.1.0.0", "10.1.0/24", "10.1.0.0/", "10.1.0.0/31", "10.1.0.0/33", "10.1.0.256/24",
                            "10.1.0.0.0/24", "10.1.0.0/24 ", "fd00::/64"})
    CHECK(m.ask(container::update_network{wrong}).error.message == std::string("invalid pod CIDR ").append(wrong));
  CHECK(m.ask(container::update_network{"10.9.8.77/24"}).error.ok());
  m.sandbox("u1");
  CHECK(m.ip == "10.9.8.2");
}

TEST_CASE("containers run until they are told, or as annotated") {
  machine m;
  auto forever = m.start(m.sandbox("u1"));
  m.advance(3'600'000);
  CHECK(m.runtime.running(forever));
  auto timed = m.start(m.sandbox("u2", {{"troupe.dev/hollow-exit-after", "5s"}, {"troupe.dev/hollow-exit-code", "3"}}));
  m.advance(4'999);
  CHECK(m.runtime.running(timed));
  m.advance(1);
  CHECK(m.containers.back().state == container::container_state::exited);
  CHECK(m.containers.back().exit_code == 3);
  CHECK(m.containers.back().reason == "Error");
  auto killed = m.start(m.sandbox("u3", {{"troupe.dev/hollow-exit-after", "1s"}, {"troupe.dev/hollow-oom", "true"}}));
  m.advance(1'000);
  CHECK(!m.runtime.running(killed));
  CHECK(m.containers.back().reason == "OOMKilled");
  CHECK(m.containers.back().exit_code == 137);
}

TEST_CASE("stop: obeyed at once, or ended by SIGKILL after the grace period") {
  machine m;
  auto tame = m.start(m.sandbox("u1"));
  auto r = m.ask(container::stop_container{tame, 30});
  CHECK(r.error.ok());
  CHECK(m.containers.back().exit_code == 0);
  auto stubborn = m.start(m.sandbox("u2", {{"troupe.dev/hollow-ignore-term", "true"}}));
  m.replies.clear();
  m.ask(container::stop_container{stubborn, 5});
  CHECK(m.replies.empty());
  m.advance(5'000);
  CHECK(m.replies.size() == 1);
  CHECK(m.containers.back().exit_code == 137);
}

TEST_CASE("names and attempts are unique, images of hollow.invalid cannot be pulled, probes fail as annotated") {
  machine m;
  auto box = m.sandbox("u1", {{"troupe.dev/hollow-failing-probes.c", "liveness"}});
  CHECK(m.sandbox("u1").empty());
  auto id = m.start(box);
  container::container_config again;
  again.name = "c";
  CHECK(m.ask(container::create_container{box, again, {}}).error.code == container::fault::already_exists);
  CHECK(m.ask(container::pull_image{"hollow.invalid/x", {}, {}}).error.code == container::fault::not_found);
  CHECK(!std::get<container::image_answer>(m.ask(container::image_status{"hollow.invalid/x"}).what).present);
  auto probe = [&](const char* kind) {
    return std::get<container::exec_result>(m.ask(container::exec_sync{id, {"troupe-probe", kind}, 1}).what).exit_code;
  };
  CHECK(probe("liveness") == 1);
  CHECK(probe("readiness") == 0);
}

TEST_CASE("latencies are kept") {
  auto o = on_network();
  o.start_ms = 100;
  machine m(o);
  auto id = m.start(m.sandbox("u1"));
  CHECK(!m.runtime.running(id));
  m.advance(100);
  CHECK(m.runtime.running(id));
}

TEST_CASE("durations") {
  CHECK(parse_duration("5") == 5000);
  CHECK(parse_duration("1m30s") == 90'000);
  CHECK(parse_duration("250ms") == 250);
  CHECK(parse_duration("") == -1);
  CHECK(parse_duration("soon") == -1);
}

}  // namespace troupe::hollow
