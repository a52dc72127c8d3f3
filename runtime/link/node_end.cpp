// See node_end.hpp.
#include "runtime/link/node_end.hpp"

#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "runtime/component.hpp"
#include "runtime/link/node_streams.hpp"
#include "runtime/link/wire.hpp"

namespace troupe::link {
namespace {

class silent_server final : public runtime::component<api::api_server_actor> {
 public:
  explicit silent_server(caf::actor_config& settings) : component(settings, "no_link") {}
  behavior_type make_behavior() override {
    return {[](const api::request&) {}, [](const api::watch_stop&) {}};
  }
};

class node_end final : public runtime::component<node_end_actor> {
 public:
  node_end(caf::actor_config& settings, node_end_options how) : component(settings, how.node), how_(std::move(how)) {
    set_down_handler([this](caf::down_msg& down) { on_down(down.source); });
  }

  behavior_type make_behavior() override {
    monitor(how_.loop);
    return {[this](const frame_arrived& m) { on_frame(m); },
            [this](const link_ended&) { quit(); },
            [this](const api::request& m) { on_request(m); },
            [this](const api::watch_stop& m) { stop_watch(m.watch_id); },
            [this](const container::log_chunk& m) { on_log_chunk(m); },
            [this](const stream::opened& m) { streams_.on_opened(current_sender(), m); },
            [this](const stream::chunk& m) { streams_.on_output(m); },
            [this](const stream::credit& m) { streams_.on_credit(m); },
            [this](const stream::closed& m) { streams_.on_closed(m); }};
  }

  /// Sources of logs and streams are told to stop.
  bool cleanup(caf::error&& why, caf::execution_unit* where) override {
    for (const auto& [id, source] : sources_) send_to(source, container::log_more{id, true});
    sources_.clear();
    streams_.end_all();
    return component::cleanup(std::move(why), where);
  }

 private:
  struct caller {
    caf::strong_actor_ptr by;
    std::uint64_t id = 0;  // of its choice
  };

  void send_out(frame_kind kind, std::string payload) {
    send_to(how_.loop, send_frame{how_.channel, kind, shared_bytes(std::move(payload))});
  }

  void on_frame(const frame_arrived& m) {
    how_.unread->fetch_sub(m.payload.size() + 256, std::memory_order_relaxed);
    auto payload = m.payload.view();
    if (m.kind == frame_kind::response)
      on_response(payload);
    else if (m.kind == frame_kind::watch_delivery)
      on_delivery(payload);
    else if (m.kind == frame_kind::read_log)
      on_read_log(payload);
    else if (m.kind == frame_kind::log_more)
      on_log_more(payload);
    else if (!streams_.take(m.kind, payload))
      unreadable(kind_name(m.kind));
  }

  void unreadable(std::string_view what) {
    send_to(how_.loop, close_channel{how_.channel, "bad_frame", "the " + std::string(what) + " cannot be read"});
  }

  void on_request(const api::request& m) {
    if (!current_sender()) return;
    auto asked = m;
    asked.id = next_id_++;
    // A node's certificate says who asks, for every component of this process.
    if (!how_.component) asked.user = nullptr;
    auto payload = to_msgpack(asked);
    if (payload.size() > how_.bounds.from_node_bytes) return refuse(m.id);
    callers_.emplace(asked.id, caller{current_sender(), m.id});
    send_out(frame_kind::request, std::move(payload));
  }

  void refuse(std::uint64_t id) {
    api::response answer;
    answer.id = id;
    answer.error = make_status(reason::request_entity_too_large, "the request is too large for the cluster link");
    answer.code = answer.error.code;
    send_to(current_sender(), std::move(answer));
  }

  void on_response(std::string_view payload) {
    api::response answer;
    if (!decode(payload, answer)) return unreadable("response");
    auto found = callers_.find(answer.id);
    if (found == callers_.end()) return;
    auto to = std::move(found->second);
    callers_.erase(found);
    if (answer.watch_id != 0) {
      watches_[answer.watch_id] = to.by;
      if (watchers_.insert(to.by->address()).second) monitor(to.by);
    }
    answer.id = to.id;
    send_to(to.by, std::move(answer));
  }

  void on_delivery(std::string_view payload) {
    api::watch_delivery delivery;
    if (!decode(payload, delivery)) return unreadable("watch_delivery");
    for (auto& batch : delivery.batches) {
      auto found = watches_.find(batch.watch_id);
      if (found == watches_.end()) continue;
      auto to = found->second;
      if (batch.closed || !batch.error.ok()) watches_.erase(found);
      send_to(to, api::watch_delivery{{std::move(batch)}});
    }
  }

  void stop_watch(std::uint64_t id) {
    if (watches_.erase(id) > 0) send_out(frame_kind::watch_stop, to_msgpack(api::watch_stop{id}));
  }

  void on_down(const caf::actor_addr& gone) {
    if (gone == how_.loop.address()) return quit();
    watchers_.erase(gone);
    streams_.on_down(gone);
    end_logs_of(gone);
    for (auto at = watches_.begin(); at != watches_.end();) {
      auto id = at->first;
      bool its = at->second->address() == gone;
      ++at;
      if (its) stop_watch(id);
    }
  }

  void on_read_log(std::string_view payload) {
    kubelet::read_pod_log order;
    if (!decode(payload, order)) return unreadable("read_log");
    if (how_.kubelet) return send_to(how_.kubelet.handle(), std::move(order));
    send_out(frame_kind::log_chunk,
             to_msgpack(container::log_chunk{order.id, {}, true, {container::fault::unavailable, "no kubelet here"}}));
  }

  void on_log_chunk(const container::log_chunk& m) {
    if (m.end || !m.error.ok()) {
      sources_.erase(m.id);
    } else if (current_sender()) {
      sources_[m.id] = current_sender();
      if (monitored_.insert(current_sender()->address()).second) monitor(current_sender());
    }
    send_out(frame_kind::log_chunk, to_msgpack(m));
  }

  void end_logs_of(const caf::actor_addr& gone) {
    monitored_.erase(gone);
    for (auto at = sources_.begin(); at != sources_.end();) {
      bool its = at->second->address() == gone;
      if (its)
        send_out(frame_kind::log_chunk,
                 to_msgpack(container::log_chunk{
                     at->first, {}, true, {container::fault::unavailable, "the node's end of the log is gone"}}));
      at = its ? sources_.erase(at) : std::next(at);
    }
  }

  void on_log_more(std::string_view payload) {
    container::log_more more;
    if (!decode(payload, more)) return unreadable("log_more");
    auto found = sources_.find(more.id);
    if (found == sources_.end()) return;
    send_to(found->second, more);
    if (more.stop) sources_.erase(found);
  }

  node_end_options how_;
  std::unordered_map<std::uint64_t, caller> callers_;                 // by the request's id on the wire
  std::unordered_map<std::uint64_t, caf::strong_actor_ptr> watches_;  // by the control plane's watch id
  std::unordered_set<caf::actor_addr> watchers_;                      // who is monitored
  std::unordered_map<std::uint64_t, caf::strong_actor_ptr> sources_;  // of logs that are read, by id
  std::unordered_set<caf::actor_addr> monitored_;                     // of sources
  node_streams streams_{*this, how_.kubelet,
                        [this](frame_kind kind, std::string payload) { send_out(kind, std::move(payload)); }};
  std::uint64_t next_id_ = 1;
};

}  // namespace

node_end_actor spawn_node_end(caf::actor_system& system, node_end_options how) {
  return system.spawn<node_end>(std::move(how));
}

api::api_server_actor spawn_silent_server(caf::actor_system& system) { return system.spawn<silent_server>(); }

}  // namespace troupe::link
