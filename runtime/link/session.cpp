// See session.hpp.
#include "runtime/link/session.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "messages/streams.hpp"
#include "runtime/api_session.hpp"
#include "runtime/component.hpp"
#include "runtime/link/session_streams.hpp"
#include "runtime/link/watch_queue.hpp"
#include "runtime/link/wire.hpp"
#include "runtime/log.hpp"

namespace troupe::link {
namespace {

using runtime::log_level;

constexpr std::size_t head_bytes = 64 * 1024;    // as gateway::limits::header_bytes
constexpr std::size_t delivery_slice = 1 << 20;  // so that a large list does not fill one frame

/// Whether deliveries may come before the answer. Whatever else opens a watch loses what came before its answer; the
/// bound on watches does not go by this.
bool may_open_watch(const api::request& asked) {
  return asked.verb == api::method::get && asked.target.find("watch=") != std::string::npos;
}

class session final : public runtime::component<session_actor> {
 public:
  session(caf::actor_config& settings, session_options how)
      : component(settings, how.who.name), how_(std::move(how)), names_(users_of(how_.who, how_.accounts)) {
    for (const auto& one : names_) users_.push_back(runtime::component_user(one.name, one.groups));
    set_down_handler([this](caf::down_msg&) { quit(); });
  }

  behavior_type make_behavior() override {
    monitor(how_.loop);
    server_seen_ = how_.server.reached_incarnation();
    how_.server.observe(*this, [this](const supervision::ref_changed& change) { on_server(change); });
    return {[this](const frame_arrived& m) { on_frame(m); },
            [this](const link_ended&) { quit(); },
            [this](const link_drained&) { feed(); },
            [this](const api::response& m) { on_response(m); },
            [this](const api::watch_delivery& m) { on_delivery(m); },
            [this](const kubelet::read_pod_log& m) { on_read_log(m); },
            [this](const container::log_more& m) { on_log_more(m); },
            [this](const kubelet::open_pod_stream& m) { streams_.open(current_sender(), m); },
            [this](const stream::chunk& m) { streams_.input(current_sender(), m); },
            [this](const stream::credit& m) { streams_.credit(current_sender(), m); },
            [this](const stream::close& m) { streams_.close(current_sender(), m); }};
  }

  /// Watches end with the session, and whoever reads a log or has a stream hears of its end.
  bool cleanup(caf::error&& why, caf::execution_unit* where) override {
    for (auto id : watches_) send_to(how_.server.handle(), api::watch_stop{id});
    watches_.clear();
    for (const auto& [id, reader] : readers_)
      send_to(reader.by, container::log_chunk{reader.id, {}, true, {container::fault::unavailable, lost_text()}});
    readers_.clear();
    streams_.end_all(lost_text());
    return component::cleanup(std::move(why), where);
  }

 private:
  struct log_reader {
    caf::strong_actor_ptr by;
    std::uint64_t id = 0;  // of its choice
    bool waits = true;     // it has asked for a chunk that has not come yet
  };

  struct question {
    bool watch = false;    // it may open one
    std::size_t body = 0;  // bytes
  };

  std::string lost_text() const { return "the link to node " + how_.who.name + " was lost"; }

  void send_out(frame_kind kind, std::string payload) {
    how_.unsent->posted.fetch_add(payload.size());
    send_to(how_.loop, send_frame{how_.channel, kind, shared_bytes(std::move(payload))});
  }

  void close(std::string word, std::string why) {
    send_to(how_.loop, close_channel{how_.channel, std::move(word), std::move(why)});
  }

  /// Counts and logs what a node of ours would not send.
  void refuse(const std::string& reason, const std::string& what) {
    if (how_.refused) how_.refused(reason);
    if (complaints_++ < 20) log(log_level::warn, "link.frame_refused", "reason=" + reason + " " + what);
  }

  void on_frame(const frame_arrived& m) {
    struct release {
      std::atomic<std::size_t>& held;
      std::size_t bytes;
      ~release() { held.fetch_sub(bytes, std::memory_order_relaxed); }
    } handled{*how_.unread, m.payload.size() + 256};
    if (!may_send(how_.who, m.kind))
      return close("bad_frame", "frame not allowed here: " + std::string(kind_name(m.kind)));
    if (m.kind == frame_kind::request)
      on_request(m.payload.view());
    else if (m.kind == frame_kind::watch_stop)
      on_watch_stop(m.payload.view());
    else if (m.kind == frame_kind::log_chunk)
      on_log_chunk(m.payload.view());
    else
      streams_.take(m.kind, m.payload.view());
  }

  template <class T>
  bool read(std::string_view payload, T& into, const char* what) {
    if (decode(payload, into)) return true;
    unreadable(what);
    return false;
  }

  void unreadable(const char* what) { close("bad_frame", std::string("the ") + what + " cannot be read"); }

  // -- requests

  void on_request(std::string_view payload) {
    api::request asked;
    if (!read(payload, asked, "request")) return;
    if (asked.verb > api::method::other || asked.level > urgency::reporting)
      return close("bad_frame", "the request has a verb or urgency that does not exist");
    if (asked.target.size() + asked.content_type.size() + asked.accept.size() + asked.user_agent.size() > head_bytes)
      return close("bad_frame", "the request's target is longer than the gateway would take");
    const auto user = speaker_of(asked);
    if (!user) return;
    if (asked.body.size() > how_.bounds.request_body) return too_large(asked.id);
    if (asked_.size() >= how_.bounds.requests_in_flight) return too_many(asked.id, "too many requests in flight");
    if (bodies_ + asked.body.size() > how_.bounds.bodies_in_flight)
      return too_many(asked.id, "too many bytes of requests in flight");
    const question made{may_open_watch(asked), asked.body.size()};
    if (!asked_.emplace(asked.id, made).second) return refuse("request_id", "a request's id is in use");
    bodies_ += made.body;
    if (made.watch) ++opening_;
    // Who asks is what the certificate says. Headers could say otherwise: tokens, impersonation.
    asked.user = user;
    asked.headers.clear();
    asked.upgrade.clear();
    asked.level = std::max(asked.level, urgency::deciding);  // what serves clients comes first
    asked.auth_error.clear();
    send_to(how_.server.handle(), std::move(asked));
  }

  /// As whom it is passed on; null: it has been refused.
  api::user_ptr speaker_of(const api::request& asked) {
    const auto claimed = asked.user ? std::string_view(asked.user->name) : std::string_view();
    const auto judged = judge_speaker(how_.who, names_, claimed);
    if (judged.forged) refuse("forged_user", "user=" + runtime::log_value(claimed));
    if (judged.as) return users_[*judged.as];
    refuse_call(asked.id, make_status(reason::forbidden, "the link of " + how_.who.name + " cannot ask as \"" +
                                                             std::string(claimed.substr(0, 256)) + "\""));
    return nullptr;
  }

  void too_many(std::uint64_t id, const char* why) {
    if (how_.refused) how_.refused("too_many_requests");
    auto error = make_status(reason::too_many_requests, why);
    error.retry_after_seconds = 1;
    refuse_call(id, std::move(error));
  }

  void too_large(std::uint64_t id) {
    if (how_.refused) how_.refused("request_too_large");
    refuse_call(id, make_status(reason::request_entity_too_large,
                                "Request entity too large: limit is " + std::to_string(how_.bounds.request_body)));
  }

  void refuse_call(std::uint64_t id, status why) {
    api::response answer;
    answer.id = id;
    answer.code = why.code;
    answer.error = std::move(why);
    send_out(frame_kind::response, encode(answer));
  }

  void on_response(const api::response& answer) {
    auto found = asked_.find(answer.id);
    if (found == asked_.end()) {
      if (answer.watch_id != 0) send_to(how_.server.handle(), api::watch_stop{answer.watch_id});
      return;
    }
    auto asked = found->second;
    asked_.erase(found);
    bodies_ -= asked.body;
    if (answer.error.why == reason::forbidden) refuse("forbidden", "why=" + runtime::log_value(answer.error.message));
    pass_answer(answer);
    if (asked.watch) opened(answer.watch_id);
  }

  void pass_answer(const api::response& answer) {
    // Whether a request opens a watch is what the api_server says: a target has many spellings.
    if (answer.watch_id != 0 && watches_.size() >= how_.bounds.watches) {
      send_to(how_.server.handle(), api::watch_stop{answer.watch_id});
      early_.erase(answer.watch_id);
      return too_many(answer.id, "too many watches");
    }
    auto payload = encode(answer);
    if (payload.size() > how_.bounds.from_control_bytes) {
      if (answer.watch_id != 0) send_to(how_.server.handle(), api::watch_stop{answer.watch_id});
      return refuse_call(answer.id,
                         make_status(reason::request_entity_too_large, "the answer is too large for the link"));
    }
    if (answer.watch_id != 0) watches_.insert(answer.watch_id);
    send_out(frame_kind::response, std::move(payload));
  }

  // -- watches

  /// What came for a watch before the answer that names it follows that answer.
  void opened(std::uint64_t watch_id) {
    --opening_;
    auto found = early_.find(watch_id);
    if (found != early_.end()) {
      api::watch_delivery held{std::move(found->second)};
      early_.erase(found);
      on_delivery(held);
    }
    if (opening_ == 0) early_.clear();
  }

  void on_delivery(const api::watch_delivery& delivery) {
    for (const auto& batch : delivery.batches) {
      if (watches_.count(batch.watch_id) > 0) {
        if (batch.closed || !batch.error.ok()) watches_.erase(batch.watch_id);
        if (!waiting_.add(batch)) cut(batch.watch_id);
      } else if (opening_ > 0) {
        early_[batch.watch_id].push_back(batch);
      }
    }
    feed();
  }

  /// It is too far behind: its reader opens it again where it was.
  void cut(std::uint64_t watch_id) {
    if (how_.refused) how_.refused("slow_watch");
    log(log_level::info, "link.watch_cut", "watch=" + std::to_string(watch_id));
    waiting_.cut(watch_id);
    if (watches_.erase(watch_id) > 0) send_to(how_.server.handle(), api::watch_stop{watch_id});
  }

  /// Sends what waits, as far as the link takes it.
  void feed() {
    while (!waiting_.empty()) {
      if (how_.unsent->all() >= how_.bounds.feed_bytes) {
        how_.unsent->awaited = true;
        if (how_.unsent->all() > how_.bounds.feed_bytes / 2) return;
      }
      for (auto& payload : encode(waiting_.take(delivery_slice), delivery_slice))
        send_out(frame_kind::watch_delivery, std::move(payload));
    }
  }

  void on_watch_stop(std::string_view payload) {
    api::watch_stop what;
    if (!read(payload, what, "watch_stop")) return;
    // One that has just ended by itself is no offence.
    waiting_.drop(what.watch_id);
    if (watches_.erase(what.watch_id) > 0) send_to(how_.server.handle(), what);
  }

  /// A node cannot tell which of its requests an incarnation of the api_server took with it, but it knows that of its
  /// link.
  void on_server(const supervision::ref_changed& change) {
    if (change.up && change.incarnation == server_seen_) return;
    if (!change.up && change.incarnation < server_seen_) return;
    close("stopped", "the api_server was restarted");
  }

  // -- logs

  void on_read_log(const kubelet::read_pod_log& m) {
    if (!current_sender()) return;
    auto order = m;
    order.id = next_reader_++;
    readers_[order.id] = {current_sender(), m.id};
    send_out(frame_kind::read_log, to_msgpack(order));
  }

  void on_log_more(const container::log_more& m) {
    for (auto at = readers_.begin(); at != readers_.end(); ++at) {
      if (at->second.id != m.id || at->second.by != current_sender()) continue;
      at->second.waits = true;
      send_out(frame_kind::log_more, to_msgpack(container::log_more{at->first, m.stop}));
      if (m.stop) readers_.erase(at);
      return;
    }
    // The stop of a reader whose log has ended.
  }

  void on_log_chunk(std::string_view payload) {
    container::log_chunk chunk;
    if (!read(payload, chunk, "log_chunk")) return;
    auto found = readers_.find(chunk.id);
    if (found == readers_.end()) return not_asked(chunk);
    if (!std::exchange(found->second.waits, false)) return refuse("not_asked", "a chunk before it was asked for");
    if (chunk.error.code > container::fault::unimplemented) chunk.error.code = container::fault::unknown;
    auto reader = found->second;
    if (chunk.end || !chunk.error.ok()) readers_.erase(found);
    chunk.id = reader.id;
    send_to(reader.by, std::move(chunk));
  }

  /// A chunk may cross the stop of its reader; others were never asked for.
  void not_asked(const container::log_chunk& chunk) {
    if (chunk.id == 0 || chunk.id >= next_reader_) return refuse("not_asked", "a chunk of a log that nobody reads");
    if (!chunk.end) send_out(frame_kind::log_more, to_msgpack(container::log_more{chunk.id, true}));
  }

  session_options how_;
  std::vector<link_user> names_;                       // as whom it may ask
  std::vector<api::user_ptr> users_;                   // the same, as the api_server is told
  std::unordered_map<std::uint64_t, question> asked_;  // the peer's requests in flight
  std::size_t bodies_ = 0;                             // bytes of theirs
  std::set<std::uint64_t> watches_;
  watch_queue waiting_{how_.bounds.watch_bytes};  // their events that the link has not taken
  std::map<std::uint64_t, std::vector<api::watch_batch>> early_;
  std::size_t opening_ = 0;
  std::map<std::uint64_t, log_reader> readers_;
  std::uint64_t next_reader_ = 1;
  session_streams streams_{*this,
                           {[this](frame_kind kind, std::string payload) { send_out(kind, std::move(payload)); },
                            [this](const std::string& reason, const std::string& what) { refuse(reason, what); },
                            [this](const char* what) { unreadable(what); }}};
  std::uint64_t server_seen_ = 0;
  std::size_t complaints_ = 0;
};

}  // namespace

session_actor spawn_session(caf::actor_system& system, session_options how) {
  return system.spawn<session>(std::move(how));
}

}  // namespace troupe::link
