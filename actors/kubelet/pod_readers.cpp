// See pod_readers.hpp.
#include "actors/kubelet/pod_readers.hpp"

#include <chrono>
#include <utility>

#include <caf/actor_cast.hpp>

#include "messages/streams.hpp"

namespace troupe::kubelet {
namespace {

constexpr std::chrono::seconds patience{5};

}  // namespace

void pod_readers::take(const read_pod_log& wanted, const caf::strong_actor_ptr& reader) {
  if (reader && !waits([this, wanted, reader] { lead(wanted, reader); })) lead(wanted, reader);
}

void pod_readers::take(const open_pod_stream& wanted, const caf::strong_actor_ptr& reader) {
  if (reader && !waits([this, wanted, reader] { lead(wanted, reader); })) lead(wanted, reader);
}

bool pod_readers::waits(std::function<void()> again) {
  if (pod_.listed) return false;
  waiting_.push_back(std::move(again));
  if (waiting_.size() == 1) in_.after(patience, [this] { answer_all(); });
  return true;
}

void pod_readers::look_again() {
  if (pod_.listed && !waiting_.empty()) answer_all();
}

void pod_readers::answer_all() {
  for (auto& one : std::exchange(waiting_, {})) one();
}

std::size_t pod_readers::index_of(const std::string& container) const {
  std::size_t i = 0;
  while (i < pod_.runs.size() && pod_.plan.containers[i].name != container) ++i;
  return i;
}

void pod_readers::lead(const read_pod_log& wanted, const caf::strong_actor_ptr& reader) {
  auto refuse = [&](std::string message) {
    in_.send_to(reader,
                container::log_chunk{wanted.id, {}, true, {container::fault::invalid_argument, std::move(message)}});
  };
  auto i = index_of(wanted.container);
  if (i == pod_.runs.size()) return refuse("container " + wanted.container + " is not valid for pod " + wanted.pod);
  const auto& r = pod_.runs[i];
  auto text = "container \"" + wanted.container + "\" in pod \"" + wanted.pod + "\"";
  auto id = wanted.previous ? r.before.id : r.id;
  if (wanted.previous && id.empty() && r.ended.happened && r.waiting_reason == "CrashLoopBackOff") id = r.ended.id;
  if (wanted.previous && id.empty()) return refuse("previous terminated " + text + " not found");
  if (id.empty())
    return refuse(text +
                  " is waiting to start: " + (r.waiting_reason.empty() ? "ContainerCreating" : r.waiting_reason));
  pass_to_runtime(
      reader,
      container::read_log{
          wanted.id, id, {}, wanted.follow, wanted.timestamps, wanted.tail_lines, wanted.limit_bytes, wanted.since_ns});
}

void pod_readers::lead(const open_pod_stream& wanted, const caf::strong_actor_ptr& reader) {
  auto refuse = [&](std::string message) {
    in_.send_to(reader, stream::opened{wanted.id, {container::fault::not_found, std::move(message)}});
  };
  container::open_stream order{wanted.id,          wanted.kind,        {},         wanted.command, wanted.stdin_open,
                               wanted.stdout_open, wanted.stderr_open, wanted.tty, wanted.port};
  if (wanted.kind == container::stream_kind::port_forward) {
    if (pod_.sandbox_id.empty()) return refuse("sandbox of pod \"" + wanted.pod + "\" not found");
    order.target = pod_.sandbox_id;
  } else {
    auto i = index_of(wanted.container);
    if (i == pod_.runs.size() || !pod_.runs[i].running())
      return refuse("container not found (\"" + wanted.container + "\")");
    order.target = pod_.runs[i].id;
  }
  pass_to_runtime(reader, std::move(order));
}

/// The asker is made the sender, so that the runtime answers it directly.
template <class Order>
void pod_readers::pass_to_runtime(const caf::strong_actor_ptr& asker, Order&& order) {
  auto* driver = caf::actor_cast<caf::abstract_actor*>(runtime_.handle());
  driver->eq_impl(caf::make_message_id(), asker, in_.actor().context(), std::forward<Order>(order));
}

}  // namespace troupe::kubelet
