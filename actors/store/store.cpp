// The store as an actor: messages become events, effects become messages, commits and reads.
#include "actors/store/store.hpp"

#include <deque>
#include <map>
#include <stdexcept>
#include <utility>

#include <caf/actor_addr.hpp>
#include <caf/send.hpp>
#include <caf/typed_actor.hpp>

#include "actors/store/clients.hpp"
#include "actors/store/committer.hpp"
#include "actors/store/log/log_backend.hpp"
#include "actors/store/memory_backend.hpp"
#include "messages/type_ids.hpp"
#include "runtime/component.hpp"
#include "runtime/trace/recorder.hpp"

namespace troupe::store {
namespace {

/// tick_atom: the committer has something to tell.
using shell_actor = store_actor::extend<caf::reacts_to<caf::tick_atom>>;

constexpr std::chrono::milliseconds tick_interval{500};

/// The data, read back and ready to be served.
struct opened_store {
  std::shared_ptr<store::backend> backend;
  std::shared_ptr<core::state> state;
};

class store_shell final : public runtime::component<shell_actor> {
 public:
  store_shell(caf::actor_config& settings, opened_store data)
      : component(settings, "store"), backend_(std::move(data.backend)), state_(std::move(data.state)) {
    set_down_handler([this](const caf::down_msg& down) { on_down(down.source); });
  }

  behavior_type make_behavior() override {
    if (!backend_->immediate()) committer_ = std::make_unique<committer>(backend_, waker());
    start_timer(tick_interval, 0);
    return {
        [this](txn& m) {
          auto client = sender();
          auto id = m.id;
          if (recorder()) begin_trace(client, m);
          feed(core::txn_requested{client, std::move(m)});
          if (recorder()) mark_enqueued(client, id);
        },
        [this](range& m) {
          feed(core::range_requested{sender(), std::move(m)});
        },
        [this](watch& m) {
          feed(core::watch_requested{sender(), std::move(m)});
        },
        [this](const watch_cancel& m) { cancel(m.id); },
        [this](const compact& m) {
          feed(core::compact_requested{sender(), m});
        },
        [this](const sync& m) {
          feed(core::sync_requested{sender(), m.id});
        },
        [this](const lease& m) {
          feed(core::lease_requested{sender(), m, now_ms()});
        },
        [this](caf::tick_atom) { take_outcomes(); },
    };
  }

  /// Files and the lock are given back before anybody hears of the end: the next incarnation opens them.
  void on_exit() override {
    if (committer_) committer_->stop();
    backend_->close();
  }

 private:
  std::uint64_t now_ms() const { return steady_now_us() / 1000; }

  void on_timer(std::uint64_t) override {
    start_timer(tick_interval, 0);
    feed(core::clock_ticked{now_ms()});
  }

  /// Wakes the actor from the committer's thread, if it still lives.
  std::function<void()> waker() {
    return [self = address()] {
      if (auto strong = caf::actor_cast<shell_actor>(self)) caf::anon_send(strong, caf::tick_atom_v);
    };
  }

  /// The sender's number; from the first message on it is watched for its end.
  core::client_id sender() {
    const auto& from = current_sender();
    auto [client, is_new] = clients_.number_of(from);
    if (is_new) monitor(caf::actor_cast<caf::actor_addr>(from));
    return client;
  }

  void on_down(const caf::actor_addr& gone) {
    const auto client = clients_.forget(gone);
    if (client == 0) return;
    traced_.erase(traced_.lower_bound({client, 0}), traced_.lower_bound({client + 1, 0}));
    feed(core::client_lost{client});
  }

  void cancel(std::uint64_t id) {
    const auto client = sender();
    clients_.end_watch(client, id);
    feed(core::watch_cancelled{client, id});
  }

  // -- traces: a transaction is one hop

  void begin_trace(core::client_id client, const txn& m) {
    trace::hop made;
    made.component = path();
    made.time_us = steady_now_us();
    made.what = "transaction";
    if (!m.ops.empty()) made.subject = m.ops.front().key;
    made.id = m.id;
    if (auto* from = runtime::context_of(current_sender())) made.causes.push_back({"request", from->path(), m.id});
    traced_[{client, m.id}] = std::move(made);
  }
  void mark_enqueued(core::client_id client, std::uint64_t id) {
    auto found = traced_.find({client, id});
    if (found != traced_.end()) found->second.marks.emplace_back("enqueued", steady_now_us());
  }
  void end_trace(core::client_id client, const txn_reply& reply) {
    auto found = traced_.find({client, reply.id});
    if (found == traced_.end()) return;
    auto made = std::move(found->second);
    traced_.erase(found);
    if (!reply.succeeded) return;
    made.revision = reply.revision;
    if (committer_) made.marks.emplace_back("durable", durable_us_);
    made.marks.emplace_back("replied", steady_now_us());
    recorder()->add(made);
  }

  void take_outcomes() {
    durable_us_ = steady_now_us();
    for (auto& outcome : committer_->take()) feed(std::move(outcome));
  }

  /// One event, and the events that performing its effects gives at once.
  void feed(core::event e) {
    events_.push_back(std::move(e));
    if (events_.size() > 1) return;  // called from perform(): the loop below gets to it
    while (!events_.empty()) {
      for (auto& what : core::step(*state_, std::move(events_.front()))) {
        std::visit([this](auto& x) { perform(x); }, what);
      }
      events_.pop_front();
    }
  }

  void perform(core::append& x) {
    if (committer_) {
      committer_->submit(std::move(x));
    } else {
      feed(backend_->commit({std::move(x)}));
    }
  }
  void perform(core::advance_progress& x) { clients_.advance(x); }
  void perform(core::send_txn_reply& x) {
    if (recorder()) end_trace(x.client, x.reply);
    reply(x.client, std::move(x.reply));
  }
  void perform(core::send_range_reply& x) { reply(x.client, std::move(x.reply)); }
  void perform(core::send_watch_started& x) {
    if (x.reply.error.ok()) {
      clients_.begin_watch(x);
    } else if (!state_->watchers.find(x.client, x.reply.id)) {
      // A refused start leaves a watch of that id that exists alone; one that failed later is gone from the core.
      clients_.end_watch(x.client, x.reply.id);
    }
    reply(x.client, std::move(x.reply));
  }
  void perform(core::send_watch_events& x) { reply(x.client, std::move(x.events)); }
  void perform(core::send_ack& x) { reply(x.client, std::move(x.reply)); }
  void perform(core::load_values& x) {
    core::values_loaded loaded;
    loaded.job = x.job;
    loaded.values.reserve(x.places.size());
    for (const auto& from : x.places) {
      auto value = backend_->read(from);
      if (!value) {
        loaded.error = value.error();
        log(runtime::log_level::error, "store.corrupt_record", loaded.error.message);
        break;
      }
      loaded.values.push_back(std::move(*value));
    }
    feed(std::move(loaded));
  }
  void perform(core::schedule_slice&) {
    post([this] { feed(core::slice_due{}); });
  }
  void perform(core::drop_segments& x) { feed(core::segments_dropped{backend_->drop(x.below)}); }
  void perform(core::report& x) { log(runtime::log_level::error, x.name, x.text); }

  template <class Message>
  void reply(core::client_id client, Message&& message) {
    if (auto to = clients_.find(client)) send_to(to, std::forward<Message>(message));
  }

  std::shared_ptr<store::backend> backend_;
  std::shared_ptr<core::state> state_;
  std::unique_ptr<committer> committer_;
  std::deque<core::event> events_;
  client_book clients_;
  std::map<std::pair<core::client_id, std::uint64_t>, trace::hop> traced_;  // transactions under way
  std::uint64_t durable_us_ = 0;                                            // when the committer last told of its work
};

std::shared_ptr<store::backend> make_backend(const options& how, runtime::services& outside) {
  if (how.instance) return how.instance;
  if (how.backend == backend_kind::memory) return std::make_shared<memory_backend>();
  log::log_options files;
  files.directory = how.data_dir + "/store";
  files.segment_bytes = how.segment_bytes;
  files.salt = outside.random_u64();
  return std::make_shared<log::log_backend>(std::move(files));
}

/// Reads every object as it is now once. A segment opens by its footer, without its values; a damaged one would be
/// found by the cacher that lists it, which could do nothing about it but keep its whole resource away from everybody.
status check_values(const opened_store& data) {
  for (auto at = data.state->index.begin(); at != data.state->index.end(); ++at) {
    const auto* now = at->second.current();
    if (now == nullptr) continue;
    auto value = data.backend->read({now->at, now->mod});
    if (value) continue;
    auto why = value.error().message;
    return store_error("store: " + at->first + ": " + (why.starts_with("store: ") ? why.substr(7) : why));
  }
  return {};
}

result<opened_store> open(const options& how, runtime::services& outside) {
  auto policy = how.policy;
  policy.seed = outside.random_u64();
  opened_store data{make_backend(how, outside), std::make_shared<core::state>(policy)};
  auto disk = data.backend->open([&](record found, location at) { core::recover(*data.state, std::move(found), at); });
  if (!disk) return disk.error();
  core::finish_recovery(*data.state, *disk, outside.steady_now_us() / 1000);
  if (auto damaged = check_values(data); !damaged.ok()) {
    data.backend->close();
    return damaged;
  }
  return data;
}

}  // namespace

options in_memory() {
  options how;
  how.backend = backend_kind::memory;
  how.instance = std::make_shared<memory_backend>();
  return how;
}

result<store_actor> try_spawn(caf::actor_system& system, const options& how) {
  if (how.backend == backend_kind::etcd) return etcd::try_spawn(system, how.etcd);
  auto& outside = runtime::config_of(system).outside();
  auto data = open(how, outside);
  if (!data) {
    outside.log(runtime::log_level::error, "store.open_failed", data.error().message);
    return data.error();
  }
  return store_actor(system.spawn<store_shell>(std::move(*data)));
}

store_actor spawn(caf::actor_system& system, const options& how) {
  auto started = try_spawn(system, how);
  if (!started) throw std::runtime_error(started.error().message);
  return *started;
}

}  // namespace troupe::store
