// What happens to messages on their way: rules that drop or delay them. The simulation decides by its seed; tests of
// real processes use the same rules.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <caf/fwd.hpp>
#include <caf/mailbox_element.hpp>

#include "runtime/services.hpp"
#include "runtime/system_config.hpp"

namespace troupe::runtime::simulation {

/// One message on its way, as a fault rule sees it. Paths are those of components; "-" for senders that are none.
struct message_on_way {
  std::string_view from;
  std::string_view to;
  std::string_view type;  // "troupe::api::request"
};

/// What happens to it. Delays keep the order of messages between the same two actors.
using fault_rule = std::function<message_hooks::fate(const message_on_way&, std::mt19937_64& random)>;

/// Each message is delayed by up to this much, at random.
fault_rule late_by_up_to(std::chrono::microseconds most);

/// Rules and what they remember. Not thread-safe.
class faults {
 public:
  /// The first rule that drops or delays a message decides.
  void add(fault_rule rule) { rules_.push_back(std::move(rule)); }
  /// What is delayed already still comes when it is due.
  void clear() { rules_.clear(); }
  std::uint64_t dropped() const { return dropped_; }

  /// As message_hooks::sent.
  message_hooks::fate sent(const actor_context& to, const caf::mailbox_element& message, std::chrono::nanoseconds now,
                           std::mt19937_64& random);

 private:
  /// From one actor to another.
  using way = std::pair<caf::actor_id, caf::actor_id>;
  struct late_messages {
    std::size_t count = 0;
    std::chrono::nanoseconds last_due{0};
  };
  void arrived(const way& of);

  std::vector<fault_rule> rules_;
  std::unordered_set<const caf::mailbox_element*> late_;  // will come by a second time
  std::map<way, late_messages> ways_;                     // with late messages on them
  std::uint64_t dropped_ = 0;
};

/// The path of a component, "-" for another actor.
std::string_view path_of(const caf::strong_actor_ptr& actor);
/// "troupe::api::request"; "caf" for messages of CAF's own.
std::string type_of(const caf::mailbox_element& message);
/// Makes the component of that path fail at its next message, as supervision::crash does; false when there is none.
bool crash_component(const system_config& of, const std::string& path);

}  // namespace troupe::runtime::simulation
