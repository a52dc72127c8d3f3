// See pods.hpp.
#include "actors/container_runtime/cri/pods.hpp"

#include <condition_variable>
#include <mutex>

#include "actors/container_runtime/cri/loader.hpp"

namespace troupe::cri {
namespace {

// Long enough for a server to close its connections, short enough for somebody who waits at a terminal.
constexpr std::int64_t stop_grace_s = 2;
// As CRI numbers its states.
constexpr std::int32_t running = 1;

/// Asks all questions at once and waits for all answers.
void ask_all(client& runtime, const std::vector<question>& questions) {
  std::mutex mutex;
  std::condition_variable all_done;
  std::size_t open = questions.size();
  for (auto& one : questions)
    runtime.ask(one, {}, [&](const container::failure&, const answer&) {
      std::lock_guard guard(mutex);
      if (--open == 0) all_done.notify_all();
    });
  std::unique_lock guard(mutex);
  all_done.wait(guard, [&] { return open == 0; });
}

}  // namespace

void remove_pods(const std::string& socket, const container::label_list& labels) {
  auto runtime = open_client(socket);
  if (!runtime) return;
  answer came;
  if (!ask_and_wait(**runtime, list_brief{labels}, &came).ok()) return;
  auto& found = std::get<brief_list>(came);
  std::vector<question> stops, ends, removals;
  for (auto& one : found.containers)
    if (one.state == running) stops.emplace_back(container::stop_container{one.id, stop_grace_s});
  for (auto& one : found.sandboxes) {
    ends.emplace_back(container::stop_sandbox{one.id});
    removals.emplace_back(container::remove_sandbox{one.id});
  }
  ask_all(**runtime, stops);
  ask_all(**runtime, ends);
  ask_all(**runtime, removals);
}

}  // namespace troupe::cri
