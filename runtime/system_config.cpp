// CAF's configuration as Troupe runs it.
#include "runtime/system_config.hpp"

#include <algorithm>

#include "runtime/message_types.hpp"
#include "runtime/priority_scheduler.hpp"

namespace troupe::runtime {

void thread_set::start(std::function<void()> body) {
  std::lock_guard guard(mutex_);
  threads_.emplace_back(std::move(body));
}

void thread_set::join() {
  std::vector<std::thread> ending;
  {
    std::lock_guard guard(mutex_);
    ending.swap(threads_);
  }
  for (auto& thread : ending)
    if (thread.joinable()) thread.join();
}

system_config::system_config(services& outside, std::size_t threads) : outside_(&outside) {
  add_all_message_types(*this);
  if (threads == 0) threads = std::max(1u, std::thread::hardware_concurrency());
  set("scheduler.max-threads", threads);
}

void system_config::schedule_by_urgency() { load<priority_scheduler>(); }

const system_config& config_of(const caf::actor_system& system) {
  return static_cast<const system_config&>(system.config());
}

}  // namespace troupe::runtime
