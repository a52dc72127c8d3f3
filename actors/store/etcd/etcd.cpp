// The shell: messages become events, effects become calls of the client and messages.
#include "actors/store/etcd/etcd.hpp"

#include <deque>
#include <mutex>
#include <stdexcept>
#include <utility>

#include <caf/send.hpp>
#include <caf/typed_actor.hpp>

#include "actors/store/clients.hpp"
#include "actors/store/etcd/loader.hpp"
#include "messages/type_ids.hpp"
#include "runtime/component.hpp"
#include "runtime/pki.hpp"

namespace troupe::store::etcd {
namespace {

/// tick_atom: the client has something to tell.
using shell_actor = store_actor::extend<caf::reacts_to<caf::tick_atom>>;

constexpr std::chrono::milliseconds tick_interval{100};

/// Where the client's threads leave what they heard. Shared with them: it outlives the actor.
class inbox {
 public:
  /// True when it was empty.
  bool put(event e) {
    std::lock_guard guard(mutex_);
    events_.push_back(std::move(e));
    return events_.size() == 1;
  }
  std::vector<event> take() {
    std::lock_guard guard(mutex_);
    return std::exchange(events_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<event> events_;
};

class etcd_shell final : public runtime::component<shell_actor> {
 public:
  etcd_shell(caf::actor_config& config, const options& how)
      : component(config, "store"), how_(how), heard_(std::make_shared<inbox>()), state_(how.policy) {
    set_down_handler([this](const caf::down_msg& down) { on_down(down.source); });
    state_.now_ms = now_ms();
  }

  behavior_type make_behavior() override {
    auto opened = open_client(how_.connection, sink());
    if (!opened) throw std::runtime_error(opened.error().message);
    client_ = std::move(*opened);
    start_timer(tick_interval, 0);
    post([this] { perform_all(start(state_)); });
    return {
        [this](txn& m) {
          feed(core::txn_requested{sender(), std::move(m)});
        },
        [this](range& m) {
          feed(core::range_requested{sender(), std::move(m)});
        },
        [this](watch& m) {
          feed(core::watch_requested{sender(), std::move(m)});
        },
        [this](const watch_cancel& m) {
          const auto client = sender();
          clients_.end_watch(client, m.id);
          feed(core::watch_cancelled{client, m.id});
        },
        [this](const compact& m) {
          feed(core::compact_requested{sender(), m});
        },
        [this](const sync& m) {
          feed(core::sync_requested{sender(), m.id});
        },
        [this](const lease& m) {
          feed(core::lease_requested{sender(), m, now_ms()});
        },
        [this](caf::tick_atom) {
          for (auto& e : heard_->take()) feed(std::move(e));
        },
    };
  }

  /// No thread of the client's calls us any more afterwards.
  void on_exit() override { client_.reset(); }

 private:
  std::uint64_t now_ms() const { return steady_now_us() / 1000; }

  void on_timer(std::uint64_t) override {
    start_timer(tick_interval, 0);
    feed(core::clock_ticked{now_ms()});
  }

  /// Wakes the actor from the client's threads, if it still lives.
  std::function<void(event)> sink() {
    return [self = address(), heard = heard_](event e) {
      if (!heard->put(std::move(e))) return;
      if (auto strong = caf::actor_cast<shell_actor>(self)) caf::anon_send(strong, caf::tick_atom_v);
    };
  }

  core::client_id sender() {
    const auto& from = current_sender();
    auto [client, is_new] = clients_.number_of(from);
    if (is_new) monitor(caf::actor_cast<caf::actor_addr>(from));
    return client;
  }

  void on_down(const caf::actor_addr& gone) {
    if (const auto client = clients_.forget(gone)) feed(core::client_lost{client});
  }

  void feed(event e) { perform_all(step(state_, std::move(e))); }

  void perform_all(effects what) {
    for (auto& one : what) std::visit([this](auto& x) { perform(x); }, one);
  }

  void perform(call& x) { client_->start(std::move(x)); }
  void perform(open_watch& x) { client_->watch(x); }
  void perform(give_up& x) { throw std::runtime_error("store: " + x.why); }
  void perform(core::advance_progress& x) { clients_.advance(x); }
  void perform(core::send_txn_reply& x) { reply(x.client, std::move(x.reply)); }
  void perform(core::send_range_reply& x) { reply(x.client, std::move(x.reply)); }
  void perform(core::send_watch_started& x) {
    if (x.reply.error.ok()) clients_.begin_watch(x);
    reply(x.client, std::move(x.reply));
  }
  void perform(core::send_watch_events& x) { reply(x.client, std::move(x.events)); }
  void perform(core::send_ack& x) { reply(x.client, std::move(x.reply)); }
  void perform(core::report& x) { log(runtime::log_level::warn, x.name, x.text); }

  template <class Message>
  void reply(core::client_id client, Message&& message) {
    if (auto to = clients_.find(client)) send_to(to, std::forward<Message>(message));
  }

  options how_;
  std::shared_ptr<inbox> heard_;
  state state_;
  client_book clients_;
  std::unique_ptr<client> client_;
};

status read_into(const std::string& path, const char* what, std::string& out) {
  if (path.empty()) return {};
  auto content = pki::read_file(path);
  if (!content) {
    std::string why(what);
    return bad_request(why.append(": ").append(content.error().message));
  }
  out = std::move(*content);
  return {};
}

}  // namespace

result<connection_options> read_connection(const std::vector<std::string>& endpoints, const std::string& ca,
                                           const std::string& certificate, const std::string& key) {
  connection_options out;
  out.endpoints = endpoints;
  if (auto bad = read_into(ca, "store.ca", out.ca_pem); !bad.ok()) return bad;
  if (auto bad = read_into(certificate, "store.cert", out.certificate_pem); !bad.ok()) return bad;
  if (auto bad = read_into(key, "store.key", out.key_pem); !bad.ok()) return bad;
  return out;
}

result<store_actor> try_spawn(caf::actor_system& system, const options& how) {
  auto complete = how;
  complete.policy.endpoints = static_cast<std::uint32_t>(how.connection.endpoints.size());
  return store_actor(system.spawn<etcd_shell>(std::move(complete)));
}

}  // namespace troupe::store::etcd
