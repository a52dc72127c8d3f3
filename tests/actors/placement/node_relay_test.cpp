// The relay between clients and a node, both played by the test: who gets what, flow control, and who goes when.
#include "runtime/placement/node_relay.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "runtime/simulation/world.hpp"

namespace troupe::runtime::testing {
/// Runs a function in an actor, which is then the sender of what it sends.
struct run_there {
  std::function<void(actor_context&, const caf::strong_actor_ptr& last)> what;
};
}  // namespace troupe::runtime::testing

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::testing::run_there)

namespace node_relay_tests {

using namespace troupe;
using namespace troupe::runtime;
using namespace std::chrono_literals;
using stream::channel;
using troupe::runtime::testing::run_there;

namespace {

struct heard {
  std::vector<std::string> lines;
  std::vector<api::response> answers;
  caf::strong_actor_ptr last;  // who sent last
  std::string all() {
    std::string out;
    for (auto& one : lines) out += one + ";";
    lines.clear();
    return out;
  }
};

std::string text_of(const stream::chunk& m) {
  return std::to_string(static_cast<int>(m.on)) + ":" + std::string(m.data.view()) + (m.end ? " end" : "");
}

using far_client_actor = api::client_actor::extend<caf::reacts_to<stream::chunk>, caf::reacts_to<stream::credit>,
                                                   caf::reacts_to<stream::closed>, caf::reacts_to<run_there>>;

class far_client final : public component<far_client_actor> {
 public:
  far_client(caf::actor_config& settings, std::shared_ptr<heard> into)
      : component(settings, "client"), into_(std::move(into)) {}
  behavior_type make_behavior() override {
    return {[this](const api::response& m) { into_->answers.push_back(m); },
            [this](const api::watch_delivery& m) {
              for (auto& one : m.batches)
                into_->lines.push_back("log " + std::to_string(one.raw.size()) + (one.closed ? " closed" : ""));
            },
            [this](const stream::chunk& m) { into_->lines.push_back(text_of(m)); },
            [this](const stream::credit& m) { into_->lines.push_back("credit " + std::to_string(m.bytes)); },
            [this](const stream::closed& m) { into_->lines.push_back("closed " + m.error.message); },
            [this](const run_there& m) { m.what(*this, into_->last); }};
  }

 private:
  std::shared_ptr<heard> into_;
};

using node_end_actor = kubelet::kubelet_actor::extend<caf::reacts_to<stream::chunk>, caf::reacts_to<stream::credit>,
                                                      caf::reacts_to<stream::close>,
                                                      caf::reacts_to<container::log_more>, caf::reacts_to<run_there>>;

/// A kubelet that is its own runtime.
class node_end final : public component<node_end_actor> {
 public:
  node_end(caf::actor_config& settings, std::shared_ptr<heard> into)
      : component(settings, "kubelet"), into_(std::move(into)) {}
  behavior_type make_behavior() override {
    return {[](const api::response&) {},
            [](const api::watch_delivery&) {},
            [](const container::reply&) {},
            [](const container::happenings&) {},
            [](const container::log_chunk&) {},
            [](const timer_due&) {},
            [this](const kubelet::read_pod_log& m) { note("read " + m.pod); },
            [this](const kubelet::open_pod_stream& m) {
              note("open " + m.pod + " " + m.container + " " + std::to_string(m.port));
              if (refuse) return send_to(current_sender(), stream::opened{m.id, {container::fault::not_found, "gone"}});
              if (!hang) send_to(current_sender(), stream::opened{m.id, {}});
            },
            [this](const stream::chunk& m) { note(text_of(m)); },
            [this](const stream::credit& m) { note("credit " + std::to_string(m.bytes)); },
            [this](const stream::close&) { note("close"); },
            [this](const container::log_more& m) { note(m.stop ? "stop" : "more"); },
            [this](const run_there& m) { m.what(*this, into_->last); }};
  }
  bool refuse = false, hang = false;

 private:
  void note(std::string what) {
    into_->lines.push_back(std::move(what));
    into_->last = current_sender();
  }
  std::shared_ptr<heard> into_;
};

struct setup {
  simulation::world world{1};
  std::shared_ptr<heard> near = std::make_shared<heard>(), far = std::make_shared<heard>();
  far_client_actor client = world.system().spawn<far_client>(near);
  node_end_actor node = world.system().spawn<node_end>(far);
  node_relay_actor relay = world.system().spawn<node_relay>();
  node_end& end = *static_cast<node_end*>(caf::actor_cast<caf::abstract_actor*>(node));

  ~setup() {
    for (const auto& one :
         {caf::actor_cast<caf::actor>(client), caf::actor_cast<caf::actor>(node), caf::actor_cast<caf::actor>(relay)})
      caf::anon_send_exit(one, caf::exit_reason::kill);
    world.run_until_idle();
  }

  void ask(const std::string& subresource, std::vector<std::pair<std::string, std::string>> options = {}) {
    auto pod = std::make_shared<object>();
    pod->namespace_name = "default";
    pod->name = "web";
    relay_request order;
    order.asked.id = 42;
    order.asked.client = client;
    order.asked.subresource = subresource;
    order.asked.pod = pod;
    order.asked.container = "main";
    order.asked.options = std::move(options);
    order.kubelet = stable_ref<kubelet::kubelet_actor>::fixed(node);
    caf::anon_send(relay, std::move(order));
    world.run_until_idle();
  }
  template <class Message>
  void from_client(const Message& what) {
    caf::anon_send(client, run_there{[what, to = relay](actor_context& me, const auto&) { me.send_to(to, what); }});
    world.run_until_idle();
  }
  template <class Message>
  void from_node(const Message& what) {
    caf::anon_send(node, run_there{[what, to = relay](actor_context& me, const auto&) { me.send_to(to, what); }});
    world.run_until_idle();
  }
  std::uint64_t stream_id() { return near->answers.empty() ? 0 : near->answers.back().stream_id; }
};

stream::chunk chunk(std::uint64_t id, channel on, std::string text, bool end = false) {
  return {id, on, text.empty() ? shared_bytes() : shared_bytes(std::move(text)), end};
}

}  // namespace

TEST_CASE("relay: a command's stream, both ways, to its end") {
  setup t;
  t.ask("exec", {{"command", "sh"}, {"stdin", "true"}, {"stdout", "1"}});
  CHECK(t.far->all() == "open web main 0;");
  REQUIRE(t.near->answers.size() == 1);
  CHECK(t.near->answers[0].id == 42);
  CHECK(t.near->answers[0].code == 101);
  auto id = t.stream_id();
  REQUIRE(id != 0);
  t.from_client(chunk(id, channel::input, "in"));
  t.from_client(stream::credit{id, 7});
  CHECK(t.far->all() == "0:in;credit 7;");
  t.from_node(stream::credit{id, 2});
  t.from_node(chunk(id, channel::output, "out"));
  t.from_node(stream::closed{id, {}});
  CHECK(t.near->all() == "credit 2;1:out;closed ;");
  t.from_client(chunk(id, channel::input, "late"));
  t.from_client(stream::close{id});
  t.from_node(chunk(id, channel::output, "late"));
  CHECK(t.far->all().empty());
  CHECK(t.near->all().empty());
}

TEST_CASE("relay: what cannot be opened is answered with a Status; what is not opened in time, too") {
  setup t;
  t.end.refuse = true;
  t.ask("attach");
  REQUIRE(t.near->answers.size() == 1);
  CHECK(t.near->answers[0].code == 404);
  CHECK(t.near->answers[0].error.message == "gone");
  t.end.refuse = false;
  t.end.hang = true;
  t.ask("exec");
  t.world.run_for(31s);
  REQUIRE(t.near->answers.size() == 2);
  CHECK(t.near->answers[1].code == 503);
  // The node comes to itself: nobody waits any more.
  t.far->all();
  t.from_node(stream::opened{2ull << stream::connection_bits, {}});
  CHECK(t.far->all() == "close;");
}

TEST_CASE("relay: nobody but its client touches a stream") {
  setup t;
  t.ask("exec");
  auto id = t.stream_id();
  t.far->all();
  auto other_hears = std::make_shared<heard>();
  auto other = t.world.system().spawn<far_client>(other_hears);
  caf::anon_send(other, run_there{[id, to = t.relay](actor_context& me, const auto&) {
                   me.send_to(to, chunk(id, channel::input, "evil"));
                   me.send_to(to, stream::credit{id, 1 << 30});
                   me.send_to(to, stream::closed{id, {}});
                   me.send_to(to, stream::close{id});
                 }});
  t.world.run_until_idle();
  CHECK(t.far->all().empty());
  CHECK(t.near->all().empty());
  caf::anon_send_exit(other, caf::exit_reason::kill);
  t.world.run_until_idle();
}

TEST_CASE("relay: connections of a port-forward come and go within their session") {
  setup t;
  t.ask("portforward");
  auto id = t.stream_id();
  REQUIRE(id != 0);
  t.far->all();
  t.end.hang = true;
  t.from_client(stream::connect{id + 1, 80});
  t.from_client(chunk(id + 1, channel::input, "early"));
  CHECK(t.far->all() == "open web main 80;");
  t.from_node(stream::opened{id + 1, {}});
  CHECK(t.far->all() == "0:early;");
  t.end.hang = false;
  t.from_client(stream::connect{id + 2, 81});
  t.from_node(chunk(id + 2, channel::output, "b"));
  t.from_node(stream::closed{id + 1, {container::fault::unavailable, "refused"}});
  CHECK(t.near->all() == "1:b;closed refused;");
  t.far->all();
  t.from_client(stream::close{id});
  CHECK(t.far->all() == "close;");  // of the second
  t.from_client(stream::connect{id + 3, 82});
  CHECK(t.far->all().empty());
}

TEST_CASE("relay: a client that dies closes its streams, a node that dies ends them") {
  setup t;
  t.ask("exec");
  t.ask("portforward");
  auto id = t.stream_id();
  t.from_client(stream::connect{id + 1, 80});
  t.far->all();
  caf::anon_send_exit(t.client, caf::exit_reason::kill);
  t.world.run_until_idle();
  CHECK(t.far->all() == "close;close;");

  setup u;
  u.ask("exec");
  caf::anon_send_exit(u.node, caf::exit_reason::kill);
  u.world.run_until_idle();
  CHECK(u.near->all() == "closed the node's end of the stream is gone;");
}

TEST_CASE("relay: a log is asked for as fast as its reader takes it") {
  setup t;
  t.ask("log", {{"follow", "true"}});
  CHECK(t.far->all() == "read web;");
  std::string piece(64 << 10, 'l');
  container::log_chunk more{1, shared_bytes(piece), false, {}};
  int asked = 0;
  for (int i = 0; i < 100; ++i) {
    t.from_node(more);
    if (t.far->all() != "more;") break;
    ++asked;
  }
  CHECK(asked == 7);  // and the eighth waits
  REQUIRE(t.near->answers.size() == 1);
  auto watch = t.near->answers[0].watch_id;
  t.near->all();
  t.from_client(stream::log_taken{watch});
  CHECK(t.far->all() == "more;");
  t.from_node(container::log_chunk{1, shared_bytes(piece), true, {}});
  CHECK(t.near->all() == "log 65536 closed;");
  t.from_client(stream::log_taken{watch});
  CHECK(t.far->all().empty());
}

TEST_CASE("relay: a log that the node does not open in time is answered; a quiet one goes on") {
  setup t;
  t.ask("log", {{"follow", "true"}});
  t.world.run_for(31s);
  REQUIRE(t.near->answers.size() == 1);
  CHECK(t.near->answers[0].code == 503);
  CHECK(t.near->answers[0].error.message == "the node did not open the log in time");
  t.far->all();
  t.from_node(container::log_chunk{1, shared_bytes(std::string("late")), false, {}});
  CHECK(t.far->all() == "stop;");

  t.ask("log", {{"follow", "true"}});
  t.from_node(container::log_chunk{2, {}, false, {}});  // open, and nothing in it yet
  t.world.run_for(600s);
  REQUIRE(t.near->answers.size() == 2);
  CHECK(t.near->answers[1].error.ok());
  t.near->all();
  t.from_node(container::log_chunk{2, shared_bytes(std::string("line")), true, {}});
  CHECK(t.near->all() == "log 4 closed;");
}

TEST_CASE("relay: a log whose reader goes is stopped, also while it waits; one whose source dies is closed") {
  setup t;
  t.ask("log");
  for (int i = 0; i < 8; ++i) t.from_node(container::log_chunk{1, shared_bytes(std::string("x")), false, {}});
  t.far->all();
  caf::anon_send(t.relay, relay_stop{t.near->answers.back().watch_id});
  t.world.run_until_idle();
  CHECK(t.far->all() == "stop;");

  t.ask("log");
  t.from_node(container::log_chunk{2, shared_bytes(std::string("x")), false, {}});
  t.near->all();
  caf::anon_send_exit(t.node, caf::exit_reason::kill);
  t.world.run_until_idle();
  CHECK(t.near->all() == "log 0 closed;");
}

}  // namespace node_relay_tests
