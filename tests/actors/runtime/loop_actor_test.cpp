// An actor inside its own loop, on real threads.
#include "runtime/loop_actor.hpp"

#include <doctest/doctest.h>

#include <poll.h>

#include <atomic>
#include <future>

#include <caf/scoped_actor.hpp>

#include "runtime/supervisor.hpp"
#include "tests/actors/runtime/fixture.hpp"

using namespace troupe;
using namespace troupe::runtime;
using namespace troupe::runtime::testing;

namespace {

struct totals {
  std::atomic<int> sum{0};
  std::atomic<int> starts{0};
  std::atomic<int> timers{0};
  std::promise<void> reached;
};

using summing_actor = caf::typed_actor<caf::reacts_to<ping>, caf::reacts_to<timer_due>>;

/// Adds up what it gets, in a poll loop.
class summing_loop final : public loop_actor<summing_actor> {
 public:
  summing_loop(caf::actor_config& settings, std::shared_ptr<totals> out, int goal)
      : loop_actor(settings, "loop"), out_(std::move(out)), goal_(goal) {
    ++out_->starts;
  }
  behavior_type make_behavior() override {
    start_timer(1ms, 5);
    return {[this](const ping& message) {
              if (message.number < 0) throw std::runtime_error("negative");
              CHECK_UNARY(thread_ == std::this_thread::get_id());
              out_->sum += message.number;
              if (out_->sum == goal_) out_->reached.set_value();
            },
            [this](const timer_due& due) {
              if (due.token == 5) ++out_->timers;
            }};
  }
  void run() override {
    thread_ = std::this_thread::get_id();
    while (!ended()) {
      pollfd waiting{wake_fd(), POLLIN, 0};
      ::poll(&waiting, 1, -1);
      drain();
    }
  }

 private:
  std::shared_ptr<totals> out_;
  int goal_;
  std::thread::id thread_;
};

}  // namespace

TEST_CASE("messages from many threads reach the loop, and an exit ends it") {
  real_services outside;
  system_config config(outside, 2);
  caf::actor_system system(config);
  auto out = std::make_shared<totals>();
  constexpr int senders = 4, each = 2'000;
  auto loop = spawn_loop<summing_loop>(system, out, senders * each);
  std::vector<std::thread> threads;
  for (int t = 0; t < senders; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < each; ++i) caf::anon_send(loop, ping{1});
    });
  for (auto& thread : threads) thread.join();
  out->reached.get_future().wait();
  caf::scoped_actor me{system};
  me->monitor(loop);
  caf::anon_send_exit(loop, caf::exit_reason::user_shutdown);
  bool down = false;
  me->receive([&](const caf::down_msg&) { down = true; });
  CHECK(down);
  config.threads().join();
  CHECK(out->sum == senders * each);
  // What comes later is refused, not kept.
  bool refused = false;
  me->request(caf::actor_cast<caf::actor>(loop), caf::infinite, ping{1})
      .receive([] {}, [&](const caf::error&) { refused = true; });
  CHECK(refused);
}

TEST_CASE("a loop that crashes is started again by its supervisor, in a new thread") {
  real_services outside;
  system_config config(outside, 2);
  caf::actor_system system(config);
  auto out = std::make_shared<totals>();
  auto ref = stable_ref<summing_actor>::make(system, "root/loop");
  auto root =
      spawn_supervisor(system, "root",
                       {child<summing_actor>(
                           "loop", [=](caf::actor_system& s) { return spawn_loop<summing_loop>(s, out, 3); }, ref)});
  // What is lost with the crashed incarnation is told by the reference; afterwards messages arrive again.
  caf::anon_send(ref.handle(), ping{-1});
  while (ref.reached_incarnation() < 2) std::this_thread::yield();
  for (int i = 0; i < 3; ++i) caf::anon_send(ref.handle(), ping{1});
  out->reached.get_future().wait();
  CHECK(out->starts == 2);
  CHECK(out->sum == 3);
  CHECK(stop_supervisor(system, root));
  config.threads().join();
}
