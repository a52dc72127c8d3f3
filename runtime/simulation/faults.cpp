// See faults.hpp.
#include "runtime/simulation/faults.hpp"

#include <algorithm>
#include <typeindex>
#include <unordered_map>

#include "messages/supervisor.hpp"
#include "messages/type_ids.hpp"
#include "runtime/actor_context.hpp"
#include "runtime/message_types.hpp"

namespace troupe::runtime::simulation {
namespace {

const std::unordered_map<std::type_index, std::string>& names_of_types() {
  static const auto names = [] {
    std::unordered_map<std::type_index, std::string> made;
    caf::actor_system_config plain;
    add_all_message_types(plain);
    for (const auto& [index, name] : plain.type_names_by_rtti) made.emplace(index, name);
    return made;
  }();
  return names;
}

}  // namespace

fault_rule late_by_up_to(std::chrono::microseconds most) {
  auto limit = static_cast<std::uint64_t>(most.count());
  return [limit](const message_on_way&, std::mt19937_64& random) {
    message_hooks::fate decided;
    decided.delay = std::chrono::microseconds(random() % (limit + 1));
    return decided;
  };
}

void faults::arrived(const way& of) {
  auto found = ways_.find(of);
  if (--found->second.count == 0) ways_.erase(found);
}

message_hooks::fate faults::sent(const actor_context& to, const caf::mailbox_element& message,
                                 std::chrono::nanoseconds now, std::mt19937_64& random) {
  message_hooks::fate decided;
  way between{message.sender->id(), to.actor().id()};
  if (late_.erase(&message) > 0) {
    arrived(between);
    return decided;
  }
  if (rules_.empty() && ways_.empty()) return decided;
  auto type = type_of(message);
  message_on_way seen{path_of(message.sender), to.path(), type};
  for (const auto& rule : rules_) {
    decided = rule(seen, random);
    if (decided.drop || decided.delay.count() > 0) break;
  }
  if (decided.drop) {
    ++dropped_;
    return decided;
  }
  auto before = ways_.find(between);
  if (before == ways_.end() && decided.delay.count() == 0) return decided;
  // Messages of one sender to one receiver never overtake each other: one that is due is behind those before it.
  auto& late = ways_[between];
  late.last_due = std::max(now + std::max(decided.delay, std::chrono::nanoseconds(1)), late.last_due);
  ++late.count;
  late_.insert(&message);
  decided.delay = late.last_due - now;
  return decided;
}

std::string_view path_of(const caf::strong_actor_ptr& actor) {
  const auto* known = context_of(actor);
  return known ? std::string_view(known->path()) : "-";
}

std::string type_of(const caf::mailbox_element& message) {
  const auto& content = message.content();
  if (content.size() != 1) return "(several)";
  auto type = content.type(0);
  if (type.second == nullptr) return "caf";
  const auto& names = names_of_types();
  auto found = names.find(std::type_index(*type.second));
  return found == names.end() ? type.second->name() : found->second;
}

bool crash_component(const system_config& of, const std::string& path) {
  auto meant = of.registry().find(path);
  if (!meant) return false;
  meant->enqueue(caf::make_mailbox_element(nullptr, caf::make_message_id(), {}, supervision::crash{path}), nullptr);
  return true;
}

}  // namespace troupe::runtime::simulation
