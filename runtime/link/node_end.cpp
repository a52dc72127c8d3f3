// See node_end.hpp.
#include "runtime/link/node_end.hpp"

#include <chrono>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "runtime/component.hpp"
#include "runtime/link/node_streams.hpp"
#include "runtime/link/wire.hpp"

namespace troupe::link {
namespace {

/// Between two looks whether a retired link is needed.
constexpr std::chrono::milliseconds settling{500};

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
            [this](const link_ended&) { on_ended(); },
            [this](const link_retired&) { on_retired(); },
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
    for (const auto& [id, source] : sources_)
      if (source) send_to(source, container::log_more{id, true});
    sources_.clear();
    streams_.end_all();
    return component::cleanup(std::move(why), where);
  }

 private:
  struct caller {
    caf::strong_actor_ptr by;
    std::uint64_t id = 0;  // of its choice
    bool reads = false;    // what it asks changes nothing
  };
  struct watcher {
    caf::strong_actor_ptr by;
    std::uint64_t remote = 0;  // the control plane's id
  };

  void send_out(frame_kind kind, std::string payload) {
    how_.unsent->posted.fetch_add(payload.size());
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
    bool reads = m.verb == api::method::get || m.verb == api::method::head;
    callers_.emplace(asked.id, caller{current_sender(), m.id, reads});
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
    auto watch = answer.watch_id;
    if (watch != 0) answer.watch_id = open_watch(watch, to.by);
    answer.id = to.id;
    send_to(to.by, std::move(answer));
    if (watch != 0 && retired_) move_watch(locals_.at(watch));
  }

  /// Its id on this side: those of several control planes may be the same.
  std::uint64_t open_watch(std::uint64_t remote, const caf::strong_actor_ptr& by) {
    auto local = how_.watch_ids->fetch_add(1, std::memory_order_relaxed) + 1;
    watches_[local] = {by, remote};
    locals_[remote] = local;
    if (watchers_.insert(by->address()).second) monitor(by);
    return local;
  }

  void on_delivery(std::string_view payload) {
    api::watch_delivery delivery;
    if (!decode(payload, delivery)) return unreadable("watch_delivery");
    for (auto& batch : delivery.batches) {
      auto found = locals_.find(batch.watch_id);
      if (found == locals_.end()) continue;
      auto to = watches_.at(found->second).by;
      batch.watch_id = found->second;
      if (batch.closed || !batch.error.ok()) forget_watch(batch.watch_id);
      send_to(to, api::watch_delivery{{std::move(batch)}});
    }
  }

  /// The control plane's id of a watch that was open.
  std::optional<std::uint64_t> forget_watch(std::uint64_t local) {
    auto found = watches_.find(local);
    if (found == watches_.end()) return std::nullopt;
    auto remote = found->second.remote;
    locals_.erase(remote);
    watches_.erase(found);
    return remote;
  }

  void stop_watch(std::uint64_t local) {
    if (auto remote = forget_watch(local)) send_out(frame_kind::watch_stop, to_msgpack(api::watch_stop{*remote}));
  }

  /// Whoever has it opens it again where it was, by the link that requests go by now.
  void move_watch(std::uint64_t local) {
    auto to = watches_.at(local).by;
    stop_watch(local);
    api::watch_batch over;
    over.watch_id = local;
    over.closed = true;
    send_to(to, api::watch_delivery{{std::move(over)}});
  }

  // -- the end of the link

  void on_retired() {
    retired_ = true;
    std::vector<std::uint64_t> open;
    open.reserve(watches_.size());
    for (const auto& [local, one] : watches_) open.push_back(local);
    for (auto local : open) move_watch(local);
    look_for_end(0);
  }

  /// Closes the link when nothing is left twice in a row: what was sent in the moment of the change is still coming.
  void look_for_end(int found_idle) {
    bool idle = callers_.empty() && sources_.empty() && streams_.idle();
    if (idle && found_idle > 0)
      return send_to(how_.loop, close_channel{how_.channel, "retired", "a newer link of this node has its place"});
    after(settling, [this, next = idle ? found_idle + 1 : 0] { look_for_end(next); });
  }

  /// The callers of a link that was the node's way to the api_server hear of its end by their reference to it; those of
  /// a retired one from here. A read is asked again; whether a write was done nobody knows.
  void on_ended() {
    if (retired_)
      for (const auto& [id, one] : callers_) {
        api::response answer;
        answer.id = one.id;
        answer.error = make_status(one.reads ? reason::service_unavailable : reason::timeout,
                                   "the link to the control plane was lost before its answer");
        answer.code = answer.error.code;
        send_to(one.by, std::move(answer));
      }
    quit();
  }

  void on_down(const caf::actor_addr& gone) {
    if (gone == how_.loop.address()) return quit();
    watchers_.erase(gone);
    streams_.on_down(gone);
    end_logs_of(gone);
    for (auto at = watches_.begin(); at != watches_.end();) {
      auto id = at->first;
      bool its = at->second.by->address() == gone;
      ++at;
      if (its) stop_watch(id);
    }
  }

  void on_read_log(std::string_view payload) {
    kubelet::read_pod_log order;
    if (!decode(payload, order)) return unreadable("read_log");
    if (how_.kubelet) {
      sources_[order.id] = nullptr;
      return send_to(how_.kubelet.handle(), std::move(order));
    }
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
      bool its = at->second && at->second->address() == gone;
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
    if (found == sources_.end() || !found->second) return;
    send_to(found->second, more);
    if (more.stop) sources_.erase(found);
  }

  node_end_options how_;
  std::unordered_map<std::uint64_t, caller> callers_;        // by the request's id on the wire
  std::unordered_map<std::uint64_t, watcher> watches_;       // by their ids here
  std::unordered_map<std::uint64_t, std::uint64_t> locals_;  // those ids, by the control plane's
  std::unordered_set<caf::actor_addr> watchers_;             // who is monitored
  /// Of logs that are read, by id; null until the first chunk comes.
  std::unordered_map<std::uint64_t, caf::strong_actor_ptr> sources_;
  std::unordered_set<caf::actor_addr> monitored_;  // of sources
  bool retired_ = false;
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
