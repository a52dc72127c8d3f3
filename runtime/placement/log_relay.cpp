// See log_relay.hpp.
#include "runtime/placement/log_relay.hpp"

#include <charconv>

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>

namespace troupe::runtime {
namespace {

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

void kubelet_directory::add(const std::string& node, stable_ref<kubelet::kubelet_actor> kubelet) {
  std::lock_guard guard(mutex_);
  kubelets_[node] = std::move(kubelet);
}

void kubelet_directory::remove(const std::string& node) {
  std::lock_guard guard(mutex_);
  kubelets_.erase(node);
}

stable_ref<kubelet::kubelet_actor> kubelet_directory::find(const std::string& node) const {
  std::lock_guard guard(mutex_);
  auto found = kubelets_.find(node);
  return found == kubelets_.end() ? stable_ref<kubelet::kubelet_actor>() : found->second;
}

log_relay::behavior_type log_relay::make_behavior() {
  return {[this](const relay_request& what) { begin(what); },
          [this](const relay_stop& what) {
            // The next chunk finds nobody and tells its sender to stop.
            std::erase_if(streams_, [&](const auto& one) { return one.second.watch_id == what.watch_id; });
          },
          [this](const container::log_chunk& chunk) { pass_on(chunk); }};
}

bool log_relay::cleanup(caf::error&& why, caf::execution_unit* where) {
  for (const auto& [id, to] : streams_) {
    if (!to.answered) {
      refuse(to, {container::fault::unavailable, "the log was cut off by a failure inside the server"});
      continue;
    }
    api::watch_delivery delivery;
    auto& batch = delivery.batches.emplace_back();
    batch.watch_id = to.watch_id;
    batch.closed = true;
    send_to(to.client, std::move(delivery));
  }
  streams_.clear();
  return component::cleanup(std::move(why), where);
}

void log_relay::begin(const relay_request& what) {
  const auto& asked = what.asked;
  auto id = next_++;
  streams_[id] = {asked.id, asked.client, id << 16 | 0xffff, false};
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
    order.since_ns = (static_cast<std::int64_t>(wall_now_ms()) - seconds * 1000) * 1'000'000;
  send_to(what.kubelet.handle(), std::move(order));
}

void log_relay::pass_on(const container::log_chunk& chunk) {
  auto source = caf::actor_cast<container::runtime_actor>(current_sender());
  auto found = streams_.find(chunk.id);
  if (found == streams_.end()) {
    if (!chunk.end) send_to(source, container::log_more{chunk.id, true});
    return;
  }
  auto& to = found->second;
  if (!to.answered && !chunk.error.ok()) {
    refuse(to, chunk.error);
    streams_.erase(found);
    return;
  }
  if (!to.answered) {
    to.answered = true;
    api::response head;
    head.id = to.request_id;
    head.content_type = "text/plain";
    head.watch_id = to.watch_id;
    head.format = api::watch_format::raw;
    send_to(to.client, std::move(head));
  }
  api::watch_delivery delivery;
  auto& batch = delivery.batches.emplace_back();
  batch.watch_id = to.watch_id;
  batch.raw = chunk.data;
  batch.closed = chunk.end;
  send_to(to.client, std::move(delivery));
  if (chunk.end)
    streams_.erase(found);
  else
    send_to(source, container::log_more{chunk.id, false});
}

void log_relay::refuse(const stream& to, const container::failure& why) {
  auto what = why.code == container::fault::not_found     ? make_status(reason::not_found, why.message)
              : why.code == container::fault::unavailable ? make_status(reason::service_unavailable, why.message)
                                                          : bad_request(why.message);
  api::response answer;
  answer.id = to.request_id;
  answer.code = what.code;
  answer.error = what;
  answer.body.emplace_back(shared_bytes(to_json(what)));
  send_to(to.client, std::move(answer));
}

api::node_proxy make_node_proxy(log_relay_actor relay, std::shared_ptr<kubelet_directory> kubelets) {
  return [relay, kubelets](api::node_request asked) {
    auto kubelet = kubelets->find(asked.node_name);
    if (asked.subresource != "log" || !kubelet) return false;
    caf::anon_send(relay, relay_request{std::move(asked), std::move(kubelet)});
    return true;
  };
}

api::stream_stopper make_stream_stopper(log_relay_actor relay) {
  return [relay](std::uint64_t watch_id) { caf::anon_send(relay, relay_stop{watch_id}); };
}

}  // namespace troupe::runtime
