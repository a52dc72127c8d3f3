// What the link carries: requests, watches, logs; and what its loss does.
#include <doctest/doctest.h>

#include "tests/actors/link/fixture.hpp"

using namespace troupe;
using namespace troupe::link;
using namespace troupe::link::testing;

namespace {

/// Calls of a session, as the test sees their ends. Shared with the callbacks, which may outlive it.
class calls {
 public:
  std::size_t count() const {
    std::lock_guard guard(kept_->mutex);
    return kept_->answers.size();
  }
  api::response last() const {
    std::lock_guard guard(kept_->mutex);
    return kept_->answers.back();
  }
  std::function<void(const api::response&)> note() {
    return [kept = kept_](const api::response& answer) {
      std::lock_guard guard(kept->mutex);
      kept->answers.push_back(answer);
    };
  }

 private:
  struct state {
    std::mutex mutex;
    std::vector<api::response> answers;
  };
  std::shared_ptr<state> kept_ = std::make_shared<state>();
};

/// Events of a watch, as the test sees them. Shared likewise.
class watched {
  struct state {
    std::mutex mutex;
    std::vector<api::watch_event> events;
    std::atomic<int> closed{0};
  };
  std::shared_ptr<state> kept_ = std::make_shared<state>();

 public:
  std::atomic<int>& closed = kept_->closed;
  std::vector<api::watch_event>& events = kept_->events;
  std::size_t count() const {
    std::lock_guard guard(kept_->mutex);
    return kept_->events.size();
  }
  runtime::watch_handlers handlers() {
    runtime::watch_handlers out;
    out.events = [kept = kept_](const std::vector<api::watch_event>& more) {
      std::lock_guard guard(kept->mutex);
      kept->events.insert(kept->events.end(), more.begin(), more.end());
    };
    out.closed = [kept = kept_](const status&) { ++kept->closed; };
    return out;
  }
};

/// A kubelet whose pods' logs are three chunks, given one by one; followed ones go on for ever.
class logging_kubelet final
    : public runtime::component<
          caf::typed_actor<caf::reacts_to<kubelet::read_pod_log>, caf::reacts_to<container::log_more>>> {
 public:
  logging_kubelet(caf::actor_config& settings, std::shared_ptr<std::atomic<int>> stops)
      : component(settings, "kubelet"), stops_(std::move(stops)) {}
  behavior_type make_behavior() override {
    return {[this](const kubelet::read_pod_log& m) {
              follow_ = m.follow;
              next_ = 1;
              give(m.id);
            },
            [this](const container::log_more& m) {
              if (m.stop)
                ++*stops_;
              else if (!follow_ || next_ == 2)
                give(m.id);
            }};
  }

 private:
  void give(std::uint64_t id) {
    container::log_chunk out;
    out.id = id;
    out.data = shared_bytes("line " + std::to_string(next_) + "\n");
    out.end = !follow_ && next_ == 3;
    ++next_;
    send_to(current_sender(), std::move(out));
  }
  std::shared_ptr<std::atomic<int>> stops_;
  bool follow_ = false;
  int next_ = 1;
};

/// Reads a log as the api_server's relay does.
struct reading {
  std::mutex mutex;
  std::string text;
  std::string error;
  std::atomic<bool> ended{false};
};
struct begin_reading {
  kubelet::kubelet_actor from;
  bool follow = false;
};
class log_reader final
    : public runtime::component<caf::typed_actor<caf::reacts_to<begin_reading>, caf::reacts_to<container::log_chunk>>> {
 public:
  log_reader(caf::actor_config& settings, std::shared_ptr<reading> what)
      : component(settings, "reader"), what_(std::move(what)) {}
  behavior_type make_behavior() override {
    return {[this](const begin_reading& m) {
              kubelet::read_pod_log order;
              order.id = 77;
              order.pod = "p";
              order.follow = m.follow;
              send_to(m.from, std::move(order));
            },
            [this](const container::log_chunk& m) {
              if (m.id != 77) return;
              std::lock_guard guard(what_->mutex);
              what_->text += m.data.view();
              what_->error = m.error.message;
              if (m.end)
                what_->ended = true;
              else
                send_to(current_sender(), container::log_more{77, false});
            }};
  }

 private:
  std::shared_ptr<reading> what_;
};

/// What is written while there is no link fails when there is one; so a test waits for it first.
void await_link(fixture& world, const caller_actor& by) {
  calls made;
  world.tell(by, [&](runtime::api_session& session) { session.call(runtime::get("/first"), made.note()); });
  REQUIRE(eventually([&] { return made.count() == 1; }));
}

}  // namespace

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(begin_reading)

TEST_CASE("a node asks as its certificate says, whoever it says it is") {
  fixture world;
  auto by = world.add_caller(world.add_node("worker-1"));
  calls made;
  world.tell(by, [&](runtime::api_session& session) {
    auto asked = runtime::get("/object");
    asked.headers = {{"authorization", "Bearer stolen"}, {"impersonate-user", "kubernetes-admin"}};
    session.call(std::move(asked), made.note());
  });
  REQUIRE(eventually([&] { return made.count() == 1; }));
  CHECK(made.last().error.ok());
  REQUIRE(made.last().object);
  CHECK(made.last().object->name == "m");
  auto asked = world.seen->all().at(0);
  CHECK(asked.user->name == "system:node:worker-1");
  CHECK(asked.user->groups == std::vector<std::string>{"system:nodes", "system:authenticated"});
  CHECK(asked.headers.empty());
}

TEST_CASE("a watch's events come in order, those before its answer too; its end reaches the api_server") {
  fixture world;
  auto by = world.add_caller(world.add_node());
  watched seen;
  std::atomic<std::uint64_t> handle{0};
  world.tell(by, [&](runtime::api_session& session) { handle = session.watch("/m?watch=true", seen.handlers()); });
  REQUIRE(eventually([&] { return seen.count() == 1; }));
  for (int i = 0; i < 5; ++i) world.publish_event(i == 3 ? 3'000'000 : 100);
  REQUIRE(eventually([&] { return seen.count() == 6; }));
  for (std::size_t i = 0; i < 6; ++i) CHECK(seen.events[i].object->revision == i + 1);
  CHECK(seen.events[4].object->json.size() > 3'000'000);
  world.tell(by, [&](runtime::api_session& session) { session.stop_watch(handle); });
  CHECK(eventually([&] { return world.seen->stops() == 1; }));
}

TEST_CASE("what was in flight fails at once when the link is lost, and later calls take the next link") {
  fixture world;
  auto by = world.add_caller(world.add_node());
  await_link(world, by);
  calls write, read;
  watched seen;
  world.tell(by, [&](runtime::api_session& session) {
    session.watch("/m?watch=true", seen.handlers());
    session.call(runtime::post("/never", "{}"), write.note());
  });
  REQUIRE(eventually([&] { return world.seen->unanswered == 1 && seen.count() == 1; }));
  auto begun = std::chrono::steady_clock::now();
  world.crash("root/link");
  REQUIRE(eventually([&] { return write.count() == 1 && seen.closed == 1; }));
  CHECK(std::chrono::steady_clock::now() - begun < 2s);  // the call's deadline is 30 s
  CHECK(write.last().error.why == reason::service_unavailable);
  world.tell(by, [&](runtime::api_session& session) { session.call(runtime::get("/again"), read.note()); });
  REQUIRE(eventually([&] { return read.count() == 1; }));
  CHECK(read.last().error.ok());
  // Its watch ended with its session.
  CHECK(eventually([&] { return world.seen->stops() == 1; }));
}

TEST_CASE("a restarted api_server ends the link, so that nodes know what was lost") {
  fixture world;
  auto by = world.add_caller(world.add_node());
  await_link(world, by);
  calls write;
  world.tell(by, [&](runtime::api_session& session) { session.call(runtime::post("/never", "{}"), write.note()); });
  REQUIRE(eventually([&] { return world.seen->unanswered == 1; }));
  world.crash("root/api");
  REQUIRE(eventually([&] { return write.count() == 1; }));
  CHECK(write.last().error.why == reason::service_unavailable);
  calls read;
  world.tell(by, [&](runtime::api_session& session) { session.call(runtime::get("/again"), read.note()); });
  CHECK(eventually([&] { return read.count() == 1; }));
}

TEST_CASE("a session that crashes costs its own link only") {
  fixture world;
  auto one = world.add_caller(world.add_node("worker-1"));
  auto two = world.add_caller(world.add_node("worker-2"));
  watched first, second;
  world.tell(one, [&](runtime::api_session& session) { session.watch("/m?watch=true", first.handlers()); });
  world.tell(two, [&](runtime::api_session& session) { session.watch("/m?watch=true", second.handlers()); });
  REQUIRE(eventually([&] { return first.count() >= 1 && second.count() >= 1; }));
  world.crash("root/link/worker-1");
  REQUIRE(eventually([&] { return first.closed == 1; }));
  auto before = second.count();
  world.publish_event(10);
  REQUIRE(eventually([&] { return second.count() > before; }));
  CHECK(second.closed == 0);
}

TEST_CASE("a component that ends takes its watches with it") {
  fixture world;
  auto by = world.add_caller(world.add_node());
  watched seen;
  world.tell(by, [&](runtime::api_session& session) { session.watch("/m?watch=true", seen.handlers()); });
  REQUIRE(eventually([&] { return seen.count() == 1; }));
  caf::anon_send_exit(by, caf::exit_reason::user_shutdown);
  CHECK(eventually([&] { return world.seen->stops() == 1; }));
}

TEST_CASE("logs are read over the link, chunk by chunk, and end when it is lost") {
  fixture world;
  auto stops = std::make_shared<std::atomic<int>>(0);
  auto kubelet = world.system().spawn<logging_kubelet>(stops);
  world.add_node("worker-1", node_certificate("worker-1"),
                 runtime::stable_ref<kubelet::kubelet_actor>::fixed(caf::actor_cast<kubelet::kubelet_actor>(kubelet)));
  REQUIRE(eventually([&] { return world.kubelet_of("worker-1").has_value(); }));
  auto whole = std::make_shared<reading>();
  auto first = world.system().spawn<log_reader>(whole);
  caf::anon_send(first, begin_reading{*world.kubelet_of("worker-1"), false});
  REQUIRE(eventually([&] { return whole->ended.load(); }));
  CHECK(whole->text == "line 1\nline 2\nline 3\n");
  CHECK(whole->error.empty());

  auto followed = std::make_shared<reading>();
  auto second = world.system().spawn<log_reader>(followed);
  caf::anon_send(second, begin_reading{*world.kubelet_of("worker-1"), true});
  REQUIRE(eventually([&] {
    std::lock_guard guard(followed->mutex);
    return followed->text == "line 1\nline 2\n";
  }));
  CHECK(stops->load() == 0);

  // A source that dies says nothing more: its reader is told.
  auto mortal = world.system().spawn<logging_kubelet>(std::make_shared<std::atomic<int>>());
  world.add_node("worker-2", node_certificate("worker-2"),
                 runtime::stable_ref<kubelet::kubelet_actor>::fixed(caf::actor_cast<kubelet::kubelet_actor>(mortal)));
  REQUIRE(eventually([&] { return world.kubelet_of("worker-2").has_value(); }));
  auto cut = std::make_shared<reading>();
  auto third = world.system().spawn<log_reader>(cut);
  caf::anon_send(third, begin_reading{*world.kubelet_of("worker-2"), true});
  REQUIRE(eventually([&] {
    std::lock_guard guard(cut->mutex);
    return cut->text == "line 1\nline 2\n";
  }));
  caf::anon_send_exit(mortal, caf::exit_reason::kill);
  REQUIRE(eventually([&] { return cut->ended.load(); }));
  CHECK(cut->error == "the node's end of the log is gone");
  caf::anon_send_exit(third, caf::exit_reason::user_shutdown);

  world.crash("root/link");
  REQUIRE(eventually([&] { return followed->ended.load(); }));
  CHECK(followed->error == "the link to node worker-1 was lost");
  CHECK(eventually([&] { return stops->load() == 1; }));
  caf::anon_send_exit(first, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(second, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(kubelet, caf::exit_reason::user_shutdown);
}

TEST_CASE("an idle link is kept") {
  fixture world;
  auto by = world.add_caller(world.add_node());
  watched seen;
  world.tell(by, [&](runtime::api_session& session) { session.watch("/m?watch=true", seen.handlers()); });
  REQUIRE(eventually([&] { return seen.count() == 1; }));
  std::this_thread::sleep_for(2500ms);  // beyond the silence that ends a link
  CHECK(seen.closed == 0);
}

TEST_CASE("a node dials past a server that does not answer (4)") {
  fixture world;
  auto server = runtime::stable_ref<api::api_server_actor>::make(world.system(), "node/server");
  auto mine = node_certificate("worker-1");
  credentials with{mine.certificate, mine.private_key, certificates::get().authority.certificate};
  dialer_options how;
  how.bounds = fixture::quick();
  // TEST-NET-1 (RFC 5737) swallows or refuses, by the machine's routes; the name resolves to nothing.
  how.servers = {"192.0.2.1:1", "no.such.host.invalid:1", "127.0.0.1:" + std::to_string(world.port())};
  how.nodes.push_back({"worker-1", [with]() -> result<credentials> { return with; }, server, {}});
  auto dialer = spawn_dialer(world.system(), how);
  auto by = world.add_caller(server);
  calls made;
  world.tell(by, [&](runtime::api_session& session) { session.call(runtime::get("/x"), made.note()); });
  CHECK(eventually([&] { return made.count() == 1; }));
  CHECK(made.last().error.ok());
  caf::anon_send_exit(dialer, caf::exit_reason::user_shutdown);
}

TEST_CASE("a certificate that goes missing costs tries, not the process (3)") {
  fixture world;
  auto server = runtime::stable_ref<api::api_server_actor>::make(world.system(), "node/server");
  auto mine = node_certificate("worker-1");
  credentials with{mine.certificate, mine.private_key, certificates::get().authority.certificate};
  auto there = std::make_shared<std::atomic<bool>>(false);
  dialer_options how;
  how.bounds = fixture::quick();
  how.servers = {"127.0.0.1:" + std::to_string(world.port())};
  auto proof = [with, there]() -> result<credentials> {
    if (!*there) return make_status(reason::not_found, "cannot read worker-1.crt: No such file or directory");
    return with;
  };
  how.nodes.push_back({"worker-1", proof, server, {}});
  auto dialer = spawn_dialer(world.system(), how);
  CHECK(eventually([] { return log_text().find("cannot read worker-1.crt") != std::string::npos; }));
  *there = true;
  CHECK(eventually([&] { return world.kubelet_of("worker-1").has_value(); }));
  caf::anon_send_exit(dialer, caf::exit_reason::user_shutdown);
}
