// exec, attach and port-forward over the link: what goes through, what its loss does, and a node that keeps to no rule.
#include "messages/streams.hpp"
#include "tests/actors/link/helpers.hpp"

using namespace troupe;
using namespace troupe::link;
using namespace troupe::link::testing;

namespace {

constexpr std::uint64_t session_id = std::uint64_t{5} << stream::connection_bits;

/// What the relay's part of a stream has seen.
struct stream_seen {
  std::mutex mutex;
  std::string text, end;
  std::uint32_t credit = 0;
  std::atomic<int> opened{0}, closed{0};

  std::string all() {
    std::lock_guard guard(mutex);
    return text;
  }
  std::string why() {
    std::lock_guard guard(mutex);
    return end;
  }
  std::uint32_t credits() {
    std::lock_guard guard(mutex);
    return credit;
  }
};
/// To the opener: open a stream there.
struct begin_stream {
  kubelet::kubelet_actor at;
  std::string pod;
};
/// To the opener: send that, as input.
struct say {
  std::string text;
};
/// To the opener: nobody is interested any more.
struct take_leave {};

/// Opens a stream as a relay does.
class opener final
    : public runtime::component<caf::typed_actor<
          caf::reacts_to<begin_stream>, caf::reacts_to<say>, caf::reacts_to<take_leave>, caf::reacts_to<stream::opened>,
          caf::reacts_to<stream::chunk>, caf::reacts_to<stream::credit>, caf::reacts_to<stream::closed>>> {
 public:
  opener(caf::actor_config& settings, std::shared_ptr<stream_seen> seen)
      : component(settings, "opener"), seen_(std::move(seen)) {}
  behavior_type make_behavior() override {
    return {[this](const begin_stream& m) {
              kubelet::open_pod_stream order;
              order.id = session_id;
              order.pod = m.pod;
              send_to(m.at, std::move(order));
            },
            [this](const say& m) {
              send_to(source_, stream::chunk{session_id, stream::channel::input, shared_bytes(m.text), false});
            },
            [this](const take_leave&) { send_to(source_, stream::close{session_id}); },
            [this](const stream::opened& m) {
              source_ = current_sender();
              ended(m.error);
              ++seen_->opened;
            },
            [this](const stream::chunk& m) {
              std::lock_guard guard(seen_->mutex);
              seen_->text += m.data.view();
            },
            [this](const stream::credit& m) {
              std::lock_guard guard(seen_->mutex);
              seen_->credit += m.bytes;
            },
            [this](const stream::closed& m) {
              ended(m.error);
              ++seen_->closed;
            }};
  }

 private:
  void ended(const container::failure& why) {
    std::lock_guard guard(seen_->mutex);
    seen_->end = why.message;
  }
  std::shared_ptr<stream_seen> seen_;
  caf::strong_actor_ptr source_;
};

/// A kubelet whose pods say what they are told; the pod "none" is not there.
class echoing_kubelet final
    : public runtime::component<caf::typed_actor<caf::reacts_to<kubelet::open_pod_stream>,
                                                 caf::reacts_to<stream::chunk>, caf::reacts_to<stream::close>>> {
 public:
  echoing_kubelet(caf::actor_config& settings, std::shared_ptr<std::atomic<int>> left)
      : component(settings, "kubelet"), left_(std::move(left)) {}
  behavior_type make_behavior() override {
    return {[this](const kubelet::open_pod_stream& m) {
              container::failure why;
              if (m.pod == "none") why = {container::fault::not_found, "pods \"none\" not found"};
              send_to(current_sender(), stream::opened{m.id, why});
            },
            [this](const stream::chunk& m) {
              send_to(current_sender(), stream::credit{m.id, static_cast<std::uint32_t>(m.data.size())});
              send_to(current_sender(), stream::chunk{m.id, stream::channel::output, m.data, false});
              if (m.data.view() == "bye") send_to(current_sender(), stream::closed{m.id, {}});
            },
            [this](const stream::close&) { ++*left_; }};
  }

 private:
  std::shared_ptr<std::atomic<int>> left_;
};

/// An opener for one stream, ended with the test.
struct client {
  client(fixture& in, const std::string& pod) : world(in), actor(in.system().spawn<opener>(seen)) {
    caf::anon_send(actor, begin_stream{*world.kubelet_of("worker-1"), pod});
  }
  ~client() { caf::anon_send_exit(actor, caf::exit_reason::user_shutdown); }
  void tell(const std::string& text) { caf::anon_send(actor, say{text}); }

  fixture& world;
  std::shared_ptr<stream_seen> seen = std::make_shared<stream_seen>();
  decltype(std::declval<caf::actor_system&>().spawn<opener>(seen)) actor;
};

/// A world with the node worker-1 and its echoing kubelet.
struct echo_world {
  echo_world() {
    auto made = world.system().spawn<echoing_kubelet>(left);
    kubelet = caf::actor_cast<caf::actor>(made);
    world.add_node(proof.node({world.port()}, runtime::stable_ref<kubelet::kubelet_actor>::fixed(
                                                  caf::actor_cast<kubelet::kubelet_actor>(made))));
    REQUIRE(eventually([&] { return world.kubelet_of("worker-1").has_value(); }));
  }
  ~echo_world() { caf::anon_send_exit(kubelet, caf::exit_reason::user_shutdown); }

  std::shared_ptr<std::atomic<int>> left = std::make_shared<std::atomic<int>>(0);
  fixture world;
  changing_proof proof{"worker-1"};
  caf::actor kubelet;
};

}  // namespace

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(begin_stream)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(say)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(take_leave)

TEST_CASE("a stream goes both ways over the link, with its credit, to its end") {
  echo_world in;
  client one(in.world, "p");
  REQUIRE(eventually([&] { return one.seen->opened == 1; }));
  one.tell("hello");
  REQUIRE(eventually([&] { return one.seen->all() == "hello"; }));
  CHECK(eventually([&] { return one.seen->credits() == 5; }));
  one.tell("bye");
  REQUIRE(eventually([&] { return one.seen->closed == 1; }));
  CHECK(one.seen->all() == "hellobye");
  CHECK(one.seen->why().empty());
}

TEST_CASE("what cannot be opened says why; who leaves is heard of on the node") {
  echo_world in;
  client none(in.world, "none");
  REQUIRE(eventually([&] { return none.seen->opened == 1; }));
  CHECK(none.seen->why() == "pods \"none\" not found");
  client one(in.world, "p");
  REQUIRE(eventually([&] { return one.seen->opened == 1; }));
  caf::anon_send(one.actor, take_leave{});
  CHECK(eventually([&] { return *in.left == 1; }));
}

TEST_CASE("a stream goes on while the node's certificate is renewed, to its end") {
  echo_world in;
  client one(in.world, "p");
  REQUIRE(eventually([&] { return one.seen->opened == 1; }));
  auto before = *in.world.kubelet_of("worker-1");
  in.proof.replace(node_certificate("worker-1"));
  REQUIRE(eventually([&] { return *in.world.kubelet_of("worker-1") != before; }));
  std::this_thread::sleep_for(1500ms);  // an old link without streams would be closed by now
  one.tell("hello");
  REQUIRE(eventually([&] { return one.seen->all() == "hello"; }));
  client two(in.world, "p");  // by the new link
  REQUIRE(eventually([&] { return two.seen->opened == 1; }));
  one.tell("bye");
  REQUIRE(eventually([&] { return one.seen->closed == 1; }));
  CHECK(one.seen->why().empty());
}

TEST_CASE("when the link is lost both ends of a stream hear of it") {
  echo_world in;
  client one(in.world, "p");
  REQUIRE(eventually([&] { return one.seen->opened == 1; }));
  in.world.crash("root/link");
  REQUIRE(eventually([&] { return one.seen->closed == 1; }));
  CHECK(one.seen->why() == "the link to node worker-1 was lost");
  CHECK(eventually([&] { return *in.left == 1; }));
}

TEST_CASE("a node that sends more than a stream's window loses the stream, not its link (7)") {
  fixture world;
  raw_peer peer(world.port());
  REQUIRE(peer.enter());
  REQUIRE(eventually([&] { return world.kubelet_of("worker-1").has_value(); }));
  client one(world, "p");
  auto order = peer.read();
  REQUIRE(order);
  REQUIRE(order->kind == frame_kind::open_stream);
  kubelet::open_pod_stream asked;
  REQUIRE(decode(order->payload, asked));
  auto say_it = [&](frame_kind kind, const std::string& payload) { peer.write(encode_frame(kind, payload)); };
  // Before it has been opened there is no output.
  say_it(frame_kind::stream_output, to_msgpack(stream::chunk{asked.id, stream::channel::output, {}, false}));
  REQUIRE(eventually([&] { return world.refused("not_asked") == 1; }));
  say_it(frame_kind::stream_opened, to_msgpack(stream::opened{asked.id, {}}));
  REQUIRE(eventually([&] { return one.seen->opened == 1; }));
  const stream::chunk piece{asked.id, stream::channel::output, shared_bytes(std::string(1 << 20, 'x')), false};
  for (int i = 0; i < 10; ++i) say_it(frame_kind::stream_output, to_msgpack(piece));
  auto told = peer.read();
  REQUIRE(told);
  CHECK(told->kind == frame_kind::stream_close);
  CHECK(eventually([&] { return one.seen->closed == 1; }));
  CHECK(one.seen->why() == "the node did not keep to the stream's rules");
  CHECK(one.seen->all().size() <= 9u << 20);
  peer.ask(5, "/x");
  auto answer = peer.read();
  REQUIRE(answer);
  CHECK(answer->kind == frame_kind::response);
  CHECK(world.refused("not_asked") == 2);  // what crossed the stream's end is no offence
}

TEST_CASE("output on a channel that there is not ends the stream (7)") {
  fixture world;
  raw_peer peer(world.port());
  REQUIRE(peer.enter());
  REQUIRE(eventually([&] { return world.kubelet_of("worker-1").has_value(); }));
  client one(world, "p");
  auto order = peer.read();
  REQUIRE(order);
  kubelet::open_pod_stream asked;
  REQUIRE(decode(order->payload, asked));
  peer.write(encode_frame(frame_kind::stream_opened, to_msgpack(stream::opened{asked.id, {}})));
  const stream::chunk odd{asked.id, static_cast<stream::channel>(200), shared_bytes(std::string("x")), false};
  peer.write(encode_frame(frame_kind::stream_output, to_msgpack(odd)));
  CHECK(eventually([&] { return one.seen->closed == 1; }));
  CHECK(world.refused("not_asked") == 1);
}
