// A worker's frames, calls and their replies.
#include "actors/api_server/pipeline/worker.hpp"

#include <algorithm>

#include "actors/api_server/pipeline/requeue.hpp"
#include "actors/api_server/pipeline/respond.hpp"
#include "runtime/trace/recorder.hpp"

namespace troupe::api {

namespace {
constexpr std::uint64_t sweep_token = 1;
constexpr std::uint64_t freshness_limit_ms = 3'000;  // as Kubernetes waits for a version to arrive
constexpr std::uint64_t shared_limit_ms = 13'000;    // and a cluster of stores may have to elect its leader first
constexpr std::uint64_t store_limit_ms = 34'000;
}  // namespace

worker::worker(caf::actor_config& settings, worker_options options)
    : component(settings, options.name), options_(std::move(options)), judge_(*options_.shared->slots) {}

worker::behavior_type worker::make_behavior() {
  options_.shared->store.observe(*this, [this](const supervision::ref_changed& change) { on_store(change); });
  return {[this](api::request& m) { on_request(m); },
          [this](const watch_stop& m) { on_watch_stop(m); },
          [this](const store::txn_reply& m) { on_reply<transaction_call>(m); },
          [this](const store::range_reply& m) { on_reply<read_call>(m); },
          [this](const store::ack& m) { on_ack(m); },
          [this](const cacher::reached& m) { on_reached(m); },
          [this](const timer_due&) { on_sweep(); }};
}

bool worker::cleanup(caf::error&& why, caf::execution_unit* where) {
  requeue_unhandled(*this, options_.self);
  // What was under way may or may not have been written: clients look again.
  auto lost = make_status(reason::service_unavailable, "the request was interrupted by a failure inside the server");
  lost.retry_after_seconds = 1;
  auto tell = [&](const frame& f) {
    auto answer = answer_status(f.context, lost);
    answer.id = f.incoming.id;
    send_to(f.client, std::move(answer));
  };
  for (auto& [id, f] : frames_) tell(*f);
  frames_.clear();
  pending_.clear();
  return component::cleanup(std::move(why), where);
}

void worker::on_request(api::request& incoming) {
  auto made = std::make_unique<frame>();
  auto& f = *made;
  f.id = next_id_++;
  f.incoming = std::move(incoming);
  f.client = caf::actor_cast<api::client_actor>(current_sender());
  f.context.id = f.incoming.id;
  f.context.now_ms = static_cast<std::int64_t>(wall_now_ms());
  bool changes = f.incoming.verb != method::get && f.incoming.verb != method::head;
  if (recorder() && changes) f.begun_us = steady_now_us();
  current_ = &f;
  auto kept = frames_.emplace_hint(frames_.end(), f.id, std::move(made));
  f.run = serve(f);
  f.run.start();
  if (f.run.done()) {
    finish(f);
    frames_.erase(kept);
  }
  current_ = nullptr;
}

void worker::finish(frame& f) {
  auto outcome = f.run.take();
  api::response answer = outcome ? std::move(*outcome) : answer_status(f.context, outcome.error());
  if (answer.code == 0) return;  // a node answers it
  add_warnings(f.context, answer);
  answer.id = f.incoming.id;
  if (f.begun_us > 0) record(f, answer);
  send_to(f.client, std::move(answer));
  for (auto& [resource, order] : f.watches) {
    order.recipient = f.client;
    send_to(options_.shared->cachers[resource].handle(), std::move(order));
  }
}

/// The request as one hop: its stages, what it wrote, who asked.
void worker::record(const frame& f, const api::response& answer) {
  const auto& context = f.context;
  trace::hop made;
  made.component = path();
  made.time_us = f.begun_us;
  made.what = std::string(verb_name(context.verb));
  auto space = context.namespace_name;
  auto name = context.name;
  if (context.resource != schema::no_index) {
    made.what.append(" ").append(context.plural());
    if (!context.group.empty()) made.what.append(".").append(context.group);
    if (context.subresource) made.what.append("/").append(context.subresource_name());
  }
  if (answer.object && !context.subresource) {
    space = answer.object->namespace_name;
    name = answer.object->name;
  }
  if (answer.object) made.uid = answer.object->uid;
  made.subject = space.empty() ? name : space + "/" + name;
  made.revision = f.revision;
  made.id = f.incoming.id;
  auto* client = runtime::context_of(caf::actor_cast<caf::strong_actor_ptr>(f.client));
  made.causes.push_back({"request", client ? client->path() : std::string(), f.incoming.id});
  made.marks = f.marks;
  made.marks.emplace_back("answered " + std::to_string(answer.code), steady_now_us());
  recorder()->add(made);
}

void worker::go_on(pending_call& call) {
  auto found = frames_.find(call.frame);
  if (found == frames_.end()) return;
  current_ = found->second.get();
  pending_.erase(call.id);
  call.id = 0;
  call.waiting().resume();
  if (current_->run.done()) {
    finish(*current_);
    frames_.erase(current_->id);
  }
  current_ = nullptr;
}

template <class Call, class Reply>
void worker::on_reply(const Reply& reply) {
  auto found = pending_.find(reply.id);
  if (found == pending_.end()) return;
  auto& call = static_cast<Call&>(*found->second);
  call.reply = reply;
  if constexpr (std::is_same_v<Call, transaction_call>) note_commit(call);
  go_on(call);
}

void worker::begin(pending_call& call) {
  call.id = next_id_++;
  call.frame = current_->id;
  bool freshness = call.what() == pending_call::kind::freshness;
  auto freshness_limit = slots().shared_store ? shared_limit_ms : freshness_limit_ms;
  call.deadline_ms = steady_ms() + (freshness ? freshness_limit : store_limit_ms);
  pending_.emplace(call.id, &call);
  send_order(call);
  arm_sweep();
}

/// Before the request goes on: its transaction is through.
void worker::note_commit(transaction_call& call) {
  auto found = frames_.find(call.frame);
  if (found == frames_.end() || found->second->begun_us == 0) return;
  auto& f = *found->second;
  f.marks.emplace_back(call.reply.succeeded ? "committed" : "not committed", steady_now_us());
  if (call.reply.succeeded) f.revision = call.reply.revision;
}

void worker::forget(pending_call& call) { pending_.erase(call.id); }

void worker::send_order(pending_call& call) {
  switch (call.what()) {
    case pending_call::kind::transaction: {
      auto& order = static_cast<transaction_call&>(call).order;
      order.id = call.id;
      mark("transaction sent");
      send_to(options_.shared->store.handle(), order);
      return;
    }
    case pending_call::kind::read: {
      auto& order = static_cast<read_call&>(call).order;
      order.id = call.id;
      send_to(options_.shared->store.handle(), order);
      return;
    }
    case pending_call::kind::control: {
      auto send = [&](auto& order) {
        order.id = call.id;
        send_to(options_.shared->store.handle(), order);
      };
      std::visit(send, static_cast<control_call&>(call).order);
      return;
    }
    case pending_call::kind::freshness: {
      auto& wanted = static_cast<freshness_call&>(call);
      if (wanted.settles) return send_to(options_.shared->store.handle(), store::sync{call.id});
      auto resource = schema::resources()[wanted.resource].storage;
      send_to(options_.shared->cachers[resource].handle(), cacher::wait_for{call.id, wanted.revision});
      return;
    }
    default:
      return;
  }
}

void worker::on_store(const supervision::ref_changed& change) {
  if (!change.up) return;
  bool same = store_incarnation_ == 0 || store_incarnation_ == change.incarnation;
  store_incarnation_ = change.incarnation;
  if (same) return;
  // Whether the store before did it is unknown; doing it twice is found out by the compares (registry/change.cpp).
  for (auto& [id, call] : pending_) {
    if (call->what() == pending_call::kind::freshness && !static_cast<freshness_call*>(call)->settles) continue;
    if (call->what() == pending_call::kind::transaction) static_cast<transaction_call*>(call)->repeated = true;
    send_order(*call);
  }
}

void worker::on_ack(const store::ack& reply) {
  if (reply.lease_id == lease_ && !reply.error.ok()) lease_ = 0;
  auto found = pending_.find(reply.id);
  if (found == pending_.end()) return;  // of a lease grant; one that failed shows in the transaction
  if (found->second->what() == pending_call::kind::control) return on_reply<control_call>(reply);
  auto& wanted = static_cast<freshness_call&>(*found->second);
  wanted.settles = false;
  wanted.outcome = reply.error;
  wanted.as_of = reply.revision;
  if (!reply.error.ok() || wanted.reached()) return go_on(wanted);
  send_order(wanted);
}

void worker::on_reached(const cacher::reached& reply) {
  auto found = pending_.find(reply.id);
  if (found == pending_.end()) return;
  auto& wanted = static_cast<freshness_call&>(*found->second);
  const auto asked = wanted.revision;
  if (wanted.reached()) return go_on(wanted);
  // It is known only now how much is needed. Else the cacher has not heard yet that its store is gone: see on_sweep.
  if (wanted.revision > asked) send_order(wanted);
}

void worker::arm_sweep() {
  if (sweeping_) return;
  sweeping_ = true;
  start_timer(std::chrono::milliseconds(started() ? 500 : 5), sweep_token);
}

void worker::on_sweep() {
  sweeping_ = false;
  auto now = steady_ms();
  std::vector<std::uint64_t> ids;
  ids.reserve(pending_.size());
  for (auto& [id, call] : pending_) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  for (auto id : ids) {
    auto found = pending_.find(id);
    if (found == pending_.end()) continue;
    auto& call = *found->second;
    bool late = now >= call.deadline_ms;
    if (call.what() == pending_call::kind::startup) {
      if (!late && !started()) continue;
      if (!started())
        static_cast<startup_call&>(call).outcome = make_status(reason::service_unavailable, "the server is starting");
      go_on(call);
    } else if (call.what() == pending_call::kind::freshness) {
      auto& wanted = static_cast<freshness_call&>(call);
      bool there = !wanted.settles && wanted.reached();
      if (!there && !late) continue;
      if (wanted.settles || wanted.as_of != 0) {
        wanted.outcome = make_status(reason::server_timeout, "the store did not answer in time");
      } else if (!there) {
        auto& slot = slots().slot(wanted.resource);
        wanted.outcome =
            make_status(reason::timeout, "Too large resource version: " + std::to_string(wanted.revision) +
                                             ", current: " + std::to_string(slot.current.load()->revision()));
        wanted.outcome.retry_after_seconds = 1;
      }
      go_on(call);
    } else if (late) {
      auto error = make_status(reason::server_timeout, "the store did not answer in time");
      if (call.what() == pending_call::kind::transaction)
        static_cast<transaction_call&>(call).reply.error = error;
      else if (call.what() == pending_call::kind::control)
        static_cast<control_call&>(call).reply.error = error;
      else
        static_cast<read_call&>(call).reply.error = error;
      go_on(call);
    }
  }
  if (!pending_.empty()) arm_sweep();
}

void worker::on_watch_stop(const watch_stop& stop) {
  auto resource = static_cast<std::uint16_t>(stop.watch_id & 0xffff);
  const auto& cachers = options_.shared->cachers;
  if (resource == 0xffff && options_.shared->stop_stream) options_.shared->stop_stream(stop.watch_id);
  if (resource < cachers.size() && cachers[resource])
    send_to(cachers[resource].handle(), cacher::close_watch{stop.watch_id});
}

std::uint64_t worker::new_watch_id(std::uint16_t resource) {
  auto count = options_.shared->watch_counter.fetch_add(1) + 1;
  return count << 16 | schema::resources()[resource].storage;
}

void worker::open_watch(std::uint16_t resource, cacher::open_watch order) {
  current_->watches.emplace_back(schema::resources()[resource].storage, std::move(order));
}

bool worker::delegate(request_context& context, const object_ptr& pod, const std::string& container) {
  if (!options_.shared->proxy) return false;
  node_request order;
  order.id = current_->incoming.id;
  order.client = current_->client;
  order.subresource = context.subresource_name();
  order.node_name = pod->node_name;
  order.pod = pod;
  order.container = container;
  order.options = context.options.raw;
  order.user = context.user;
  return options_.shared->proxy(std::move(order));
}

std::int64_t worker::shared_lease(std::int64_t ttl_seconds) {
  constexpr std::uint64_t reuse_ms = 60'000;
  auto now = steady_ms();
  if (lease_ != 0 && now < lease_until_ms_) return lease_;
  // The grant reaches the store before the transaction that uses it: messages of one sender keep their order.
  lease_ = static_cast<std::int64_t>(random_u64() >> 2 | 1);
  lease_until_ms_ = now + reuse_ms;
  store::lease grant;
  grant.id = next_id_++;
  grant.lease_id = lease_;
  grant.ttl_seconds = ttl_seconds + static_cast<std::int64_t>(reuse_ms / 1000);
  send_to(options_.shared->store.handle(), grant);
  return lease_;
}

}  // namespace troupe::api
