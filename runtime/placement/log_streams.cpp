// See log_streams.hpp.
#include "runtime/placement/log_streams.hpp"

#include <charconv>
#include <chrono>
#include <string>
#include <utility>

namespace troupe::runtime {
namespace {

// Pieces of 64 KiB: enough under way to keep a fast client busy.
constexpr std::size_t max_untaken = 8;
// A node that hangs, as in pod_streams. Whoever opens a log says so at once, though there be nothing in it yet.
constexpr std::chrono::seconds log_open_limit{30};

std::string option(const api::node_request& asked, std::string_view name) {
  for (const auto& [key, value] : asked.options)
    if (key == name) return value;
  return {};
}

bool flag(const api::node_request& asked, std::string_view name) {
  auto value = option(asked, name);
  return value == "true" || value == "1";
}

std::int64_t number(const api::node_request& asked, std::string_view name, std::int64_t fallback) {
  auto text = option(asked, name);
  std::from_chars(text.data(), text.data() + text.size(), fallback);
  return fallback;
}

}  // namespace

void log_streams::open(const relay_request& what) {
  const auto& asked = what.asked;
  auto id = next_++;
  auto& made = logs_[id];
  made.request_id = asked.id;
  made.client = asked.client;
  made.watch_id = id << 16 | 0xffff;
  kubelet::read_pod_log order;
  order.id = id;
  order.namespace_name = asked.pod->namespace_name;
  order.pod = asked.pod->name;
  order.container = asked.container;
  order.previous = flag(asked, "previous");
  order.follow = flag(asked, "follow");
  order.timestamps = flag(asked, "timestamps");
  order.tail_lines = number(asked, "tailLines", -1);
  order.limit_bytes = number(asked, "limitBytes", 0);
  if (auto seconds = number(asked, "sinceSeconds", 0); seconds > 0)
    order.since_ns = (static_cast<std::int64_t>(in_.wall_now_ms()) - seconds * 1000) * 1'000'000;
  in_.send_to(what.kubelet.handle(), std::move(order));
  in_.after(log_open_limit, [this, id] { give_up(id); });
}

void log_streams::give_up(std::uint64_t id) {
  auto found = logs_.find(id);
  if (found == logs_.end() || found->second.answered) return;
  in_.send_to(found->second.client, refusal(found->second.request_id,
                                            {container::fault::unavailable, "the node did not open the log in time"}));
  forget(found);
}

log_streams::place log_streams::of_watch(std::uint64_t watch_id) { return logs_.find(watch_id >> 16); }

void log_streams::forget(place which) {
  if (which->second.source) peers_.drop(caf::actor_cast<caf::actor_addr>(which->second.source));
  logs_.erase(which);
}

void log_streams::stop(std::uint64_t watch_id) {
  auto found = of_watch(watch_id);
  if (found == logs_.end()) return;
  // A source that is at work finds nobody when it is done, and is told then.
  if (found->second.source_waits) in_.send_to(found->second.source, container::log_more{found->first, true});
  forget(found);
}

void log_streams::taken(std::uint64_t watch_id) {
  auto found = of_watch(watch_id);
  if (found == logs_.end()) return;
  auto& one = found->second;
  if (one.untaken > 0) --one.untaken;
  if (one.source_waits) ask_for_more(found->first, one);
}

void log_streams::ask_for_more(std::uint64_t id, log& of) {
  of.source_waits = of.untaken >= max_untaken;
  if (!of.source_waits) in_.send_to(of.source, container::log_more{id, false});
}

void log_streams::pass_on(const caf::strong_actor_ptr& from, const container::log_chunk& chunk) {
  auto found = logs_.find(chunk.id);
  if (found == logs_.end()) {
    if (!chunk.end) in_.send_to(from, container::log_more{chunk.id, true});
    return;
  }
  auto& one = found->second;
  if (!one.answered && !chunk.error.ok()) {
    in_.send_to(one.client, refusal(one.request_id, chunk.error));
    return forget(found);
  }
  if (!one.answered) {
    one.answered = true;
    one.source = from;
    peers_.add(from);
    api::response head;
    head.id = one.request_id;
    head.content_type = "text/plain";
    head.watch_id = one.watch_id;
    head.format = api::watch_format::raw;
    in_.send_to(one.client, std::move(head));
  }
  api::watch_delivery delivery;
  auto& batch = delivery.batches.emplace_back();
  batch.watch_id = one.watch_id;
  batch.raw = chunk.data;
  batch.closed = chunk.end;
  in_.send_to(one.client, std::move(delivery));
  if (chunk.end) return forget(found);
  if (!chunk.data.empty()) ++one.untaken;
  ask_for_more(chunk.id, one);
}

void log_streams::close(log& of) {
  if (!of.answered) {
    in_.send_to(of.client, refusal(of.request_id, {container::fault::unavailable,
                                                   "the log was cut off by a failure inside the server"}));
    return;
  }
  api::watch_delivery delivery;
  auto& batch = delivery.batches.emplace_back();
  batch.watch_id = of.watch_id;
  batch.closed = true;
  in_.send_to(of.client, std::move(delivery));
}

void log_streams::on_down(const caf::actor_addr& who) {
  for (auto at = logs_.begin(); at != logs_.end();) {
    auto& one = at->second;
    bool concerned = one.source && caf::actor_cast<caf::actor_addr>(one.source) == who;
    if (concerned) close(one);
    at = concerned ? logs_.erase(at) : std::next(at);
  }
}

void log_streams::end_all() {
  for (auto& [id, one] : logs_) close(one);
  logs_.clear();
}

}  // namespace troupe::runtime
