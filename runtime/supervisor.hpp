// One-for-one supervision: a child that ends is started again after a capped backoff; too many ends in a short time end
// the supervisor itself, which its own supervisor handles the same way.
//
//   auto store_ref = stable_ref<store::store_actor>::make(system, "root/store");
//   std::vector<child_spec> children;
//   children.push_back(child<store::store_actor>("store", [](caf::actor_system& s) { return store::spawn(s); },
//   store_ref)); children.push_back(supervisor_child("nodes", node_children)); auto root = spawn_supervisor(system,
//   "root", children);
//   ...
//   stop_supervisor(system, root);   // reverse order, each child gone before the next is told
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <caf/actor_cast.hpp>
#include <caf/allowed_unsafe_message_type.hpp>

#include "messages/supervisor.hpp"
#include "runtime/component.hpp"
#include "runtime/stable_ref.hpp"

namespace troupe::runtime {

/// When a child that ended is started again.
enum class restart_policy : std::uint8_t {
  permanent,  // always
  transient,  // unless it ended normally (exit reason normal or user_shutdown)
  temporary,  // never; it is forgotten
};

/// More than `max_restarts` ends of a child within `window` are too many.
struct restart_limit {
  std::size_t max_restarts = 10;
  std::chrono::milliseconds window{30'000};
};

/// How a supervisor makes and keeps one child.
struct child_spec {
  std::string name;  // unique among its siblings
  /// Makes one incarnation. Runs inside the supervisor; an exception counts as an end.
  std::function<caf::strong_actor_ptr(caf::actor_system&)> start;
  any_ref reference;  // may be empty
  restart_policy policy = restart_policy::permanent;
  /// On stop: how long it may take before it is killed; zero waits for ever (supervisors).
  std::chrono::milliseconds stop_timeout{5000};
  /// Instead of the supervisor's own limit.
  std::optional<restart_limit> limit;
  /// Instead of the supervisor's own.
  std::optional<urgency> level;
};

/// A typed child.
template <class Handle, class Start>
child_spec child(std::string name, Start start, const stable_ref<Handle>& reference = {},
                 restart_policy policy = restart_policy::permanent) {
  child_spec spec;
  spec.name = std::move(name);
  spec.start = [start = std::move(start)](caf::actor_system& system) {
    return caf::actor_cast<caf::strong_actor_ptr>(Handle(start(system)));
  };
  spec.reference = reference.any();
  spec.policy = policy;
  return spec;
}

/// A child beyond its limit ends the supervisor. The n-th end within the window is followed by a wait of
/// base * 2^(n-1), at most `cap`.
struct supervisor_options : restart_limit {
  std::chrono::milliseconds base{10};
  std::chrono::milliseconds cap{5'000};
};

/// Starts one more child under a running supervisor; ignored while it stops. A child of that name must not exist.
struct start_child {
  std::shared_ptr<const child_spec> spec;
};
/// Stops and forgets a child. Unknown names are ignored.
struct stop_child {
  std::string name;
};

/// Stops a child and keeps its place: it is not started again before it is released. Unknown names are ignored.
struct hold_child {
  std::string name;
};
/// Starts a held child. Ignored when it is not held.
struct release_child {
  std::string name;
};

/// A supervisor of this process: what messages/supervisor.hpp lists, and children that come and go.
using local_supervisor =
    supervision::supervisor_actor::extend<caf::reacts_to<start_child>, caf::reacts_to<stop_child>,
                                          caf::reacts_to<hold_child>, caf::reacts_to<release_child>>;

/// Starts a supervisor with its first children, in order.
local_supervisor spawn_supervisor(caf::actor_system& system, std::string name, std::vector<child_spec> children,
                                  supervisor_options options = {});
/// A supervisor as a child of another. It ends only after a child of its own has ended ten times, which takes some ten
/// seconds, so few ends are too many: what keeps crashing anywhere in the tree ends the whole tree in the end, rather
/// than leaving a cluster that looks alive and lacks a part.
child_spec supervisor_child(const std::string& name, std::vector<child_spec> children, supervisor_options options = {});
/// Why a supervisor gave up, in words: the path of the component that kept failing and its last error.
std::string why_ended(const caf::error& reason);
/// Asks a supervisor to stop its children in reverse order and then end. Does not wait.
void request_stop(const local_supervisor& supervisor);
/// The same, and waits; never in a simulation or inside an actor. False when it took longer than the timeout.
bool stop_supervisor(caf::actor_system& system, const local_supervisor& supervisor,
                     std::chrono::milliseconds timeout = std::chrono::seconds(30));

/// See the top of this file.
class one_for_one final : public component<local_supervisor> {
 public:
  one_for_one(caf::actor_config& settings, const std::string& name, std::vector<child_spec> children,
              supervisor_options options);
  behavior_type make_behavior() override;
  void on_exit() override;

 private:
  struct kept_child {
    child_spec spec;
    std::string path;
    caf::strong_actor_ptr actor;  // null while down
    std::deque<std::uint64_t> ends_us;
    std::uint64_t starts = 0;
    bool leaving = false;  // told to stop; forgotten when gone
    bool held = false;     // told to stop; started again when released
    bool ended_once = false;
  };
  using key = std::uint64_t;  // order of start

  void add(child_spec spec);
  void start(key which);
  void ended(key which, const caf::error& why);
  void count_end(key which, const std::string& why);
  void forget(key which);
  void tell_to_stop(key which);
  void hold(key which);
  void release(key which);
  void kill_if_slow(key which, caf::actor_id actor);
  void begin_stop(caf::error reason);
  void stop_next();
  void on_down(caf::down_msg& down);
  void crash_now(const std::string& path) override;
  void crash_plain_child(const std::string& path);
  void set_state(const kept_child& child, std::string_view state, std::string_view error);

  supervisor_options options_;
  std::vector<child_spec> first_;
  std::map<key, kept_child> children_;
  std::unordered_map<std::string, key> by_name_;
  std::unordered_map<caf::actor_id, key> by_actor_;
  key next_ = 1;
  bool stopping_ = false;
  caf::error stop_reason_;
  caf::strong_actor_ptr self_kept_;  // CAF ends actors that nobody refers to; a supervisor lives until it is stopped
};

}  // namespace troupe::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::start_child)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::stop_child)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::hold_child)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::release_child)
