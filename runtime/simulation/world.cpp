// The simulated world: seeded scheduling, virtual time, faults, digest.
#include "runtime/simulation/world.hpp"

#include <algorithm>

#include <caf/binary_serializer.hpp>
#include <caf/detail/test_actor_clock.hpp>
#include <caf/message.hpp>
#include <caf/scheduled_actor.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/scoped_execution_unit.hpp>
#include <caf/send.hpp>

#include "messages/supervisor.hpp"
#include "messages/type_ids.hpp"
#include "runtime/actor_context.hpp"
#include "runtime/message_types.hpp"

namespace troupe::runtime::simulation {

namespace {

constexpr std::uint64_t no_limit = ~std::uint64_t{0};

}  // namespace

/// FNV-1a, continued.
class running_hash {
 public:
  void add(std::string_view bytes) {
    for (unsigned char c : bytes) value_ = (value_ ^ c) * 1099511628211ull;
    value_ = (value_ ^ 0xff) * 1099511628211ull;
  }
  void add(std::uint64_t number) {
    for (int i = 0; i < 8; ++i) value_ = (value_ ^ ((number >> (8 * i)) & 0xff)) * 1099511628211ull;
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 14695981039346656037ull;
};

/// Sees every message between components.
class world::observer final : public message_hooks {
 public:
  observer(world& owner, std::uint64_t seed) : owner_(owner), random_(seed ^ 0x9e3779b97f4a7c15ull) {}

  fate sent(actor_context& to, caf::mailbox_element& message, std::chrono::nanoseconds now) override {
    return disturbed.sent(to, message, now, random_);
  }

  void received(actor_context& by, caf::mailbox_element& message) override {
    ++messages;
    seen_.add(owner_.now_us());
    seen_.add(by.path());
    seen_.add(path_of(message.sender));
    auto type = type_of(message);
    seen_.add(type);
    // CAF's own messages hold addresses, which differ from run to run.
    if (std::string_view(type).starts_with("troupe::")) seen_.add(content_of(message));
  }

  std::uint64_t digest() const { return seen_.value(); }

  faults disturbed;
  std::uint64_t messages = 0;

 private:
  std::string content_of(caf::mailbox_element& message) {
    std::vector<char> bytes;
    caf::scoped_execution_unit unit{owner_.system_.get()};
    caf::binary_serializer out(&unit, bytes);
    if (caf::message::save(out, message.content())) return {};
    return {bytes.begin(), bytes.end()};
  }

  world& owner_;
  std::mt19937_64 random_;
  running_hash seen_;
};

world::world(std::uint64_t seed, trace::recorder* recorder)
    : seed_(seed),
      random_(seed),
      outside_(seed + 1),
      observer_(std::make_unique<observer>(*this, seed)),
      config_(std::make_unique<system_config>(outside_, 1)) {
  config_->set("scheduler.policy", caf::atom("testing"));
  config_->set("logger.inline-output", true);
  config_->hooks = observer_.get();
  config_->recorder = recorder;
  config_->allow_crash = true;
  system_ = std::make_unique<caf::actor_system>(*config_);
  system_->await_actors_before_shutdown(false);  // a foreign actor left over must not hang the test
  scheduler_ = &dynamic_cast<caf::scheduler::test_coordinator&>(system_->scheduler());
  // Virtual time begins at one hour: CAF treats zero as unset.
  scheduler_->clock().current_time = caf::actor_clock::time_point{} + std::chrono::hours(1);
  outside_.attach(scheduler_->clock());
}

world::~world() {
  stop_all();
  outside_.detach();
}

void world::run_for(std::chrono::microseconds span) {
  auto& clock = scheduler_->clock();
  auto end = clock.now() + span;
  auto end_us = now_us() + static_cast<std::uint64_t>(span.count());
  while (step(end_us)) {
  }
  clock.current_time = std::max(clock.current_time, end);
}

void world::run_until_idle() {
  while (step(0)) {
  }
}

bool world::run_until(const std::function<bool()>& condition, std::chrono::microseconds within) {
  auto end = now_us() + static_cast<std::uint64_t>(within.count());
  while (!condition())
    if (!step(end)) return condition();
  return true;
}

/// One actor's turn, picked at random, or the next timer due up to then; false when there is neither.
bool world::step(std::uint64_t until_us) {
  auto& jobs = scheduler_->jobs;
  if (!jobs.empty()) {
    auto pick = random_() % jobs.size();
    if (pick != 0) std::swap(jobs[0], jobs[pick]);
    scheduler_->run_once();
    return true;
  }
  auto& timers = scheduler_->clock().schedule();
  if (timers.empty()) return false;
  auto due = std::chrono::duration_cast<std::chrono::microseconds>(timers.begin()->first.time_since_epoch());
  if (until_us != no_limit && static_cast<std::uint64_t>(due.count()) > until_us) return false;
  scheduler_->trigger_timeout();
  return true;
}

void world::add_fault(fault_rule rule) { observer_->disturbed.add(std::move(rule)); }

void world::clear_faults() { observer_->disturbed.clear(); }

void world::partition(std::string one, std::string other) {
  add_fault([one = std::move(one), other = std::move(other)](const message_on_way& way, std::mt19937_64&) {
    message_hooks::fate decided;
    decided.drop = (way.from.starts_with(one) && way.to.starts_with(other)) ||
                   (way.from.starts_with(other) && way.to.starts_with(one));
    return decided;
  });
}

void world::jitter(std::chrono::microseconds up_to) { add_fault(late_by_up_to(up_to)); }

bool world::crash(const std::string& path) { return crash_component(*config_, path); }

std::uint64_t world::digest() const { return observer_->digest(); }
std::uint64_t world::messages() const { return observer_->messages; }
std::uint64_t world::dropped() const { return observer_->disturbed.dropped(); }

/// A living actor with a periodic timer would keep the system's destructor busy for ever. Supervisors first, or they
/// would start their children again.
void world::stop_all() {
  clear_faults();
  for (int round = 0; round < 100; ++round) {
    auto alive = config_->registry().snapshot();
    bool any = false;
    for (const auto& info : alive) {
      auto actor = config_->registry().find(info.path);
      if (!actor) continue;
      any = true;
      caf::anon_send_exit(actor, round < 50 ? caf::exit_reason::user_shutdown : caf::exit_reason::kill);
    }
    if (!any) break;
    run_for(std::chrono::seconds(10));
  }
  scheduler_->clock().cancel_all();
  while (scheduler_->try_run_once()) {
  }
}

}  // namespace troupe::runtime::simulation
