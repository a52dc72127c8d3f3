// The proxy's shell.
#include "actors/kube_proxy/kube_proxy.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/send.hpp>

#include <fmt/format.h>

#include "actors/kube_proxy/decode.hpp"
#include "actors/kube_proxy/nft_driver.hpp"
#include "runtime/api_session.hpp"
#include "runtime/component.hpp"
#include "runtime/informer.hpp"
#include "runtime/trace/core_trace.hpp"

namespace troupe::kube_proxy {

/// The edge's answer on its way from its thread to the actor.
struct edge_answered {
  batch_done what;
};

}  // namespace troupe::kube_proxy

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::kube_proxy::edge_answered)

namespace troupe::kube_proxy {
namespace {

using namespace runtime;

using shell_actor = kube_proxy_actor::extend<caf::reacts_to<edge_answered>>;

enum token : std::uint64_t { token_turn = 1, token_retry = 2, token_probe = 3 };

/// Services and slices of no concern: headless ones, and those of other proxies.
constexpr const char* ours = "!service.kubernetes.io/headless,!service.kubernetes.io/service-proxy-name";

std::vector<double> sync_buckets() {
  std::vector<double> bounds;
  for (double bound = 0.001; bounds.size() < 15; bound *= 2) bounds.push_back(bound);
  return bounds;
}

class proxy_shell final : public component<shell_actor> {
 public:
  proxy_shell(caf::actor_config& settings, proxy_options how)
      : component(settings, "kube_proxy"),
        how_(std::move(how)),
        state_(how_.core),
        session_(*this, how_.server, session_settings()),
        services_(session_, all_of("/api/v1/services"), service_handlers()),
        slices_(session_, all_of("/apis/discovery.k8s.io/v1/endpointslices"), slice_handlers()),
        trace_(*this),
        edge_(how_.make_edge ? how_.make_edge() : std::make_unique<nft_driver>(script_options{how_.pods})),
        announcer_(how_.make_announcer ? how_.make_announcer() : nullptr) {
    set_exit_handler([this](caf::exit_msg& order) {
      stopped_ = order.reason == caf::exit_reason::user_shutdown;
      quit(std::move(order.reason));
    });
  }

  behavior_type make_behavior() override {
    services_.start();
    slices_.start();
    start_timer(std::chrono::milliseconds(how_.probe_ms), token_probe);
    return {[this](const api::response& answer) { session_.handle(answer); },
            [this](const api::watch_delivery& delivery) { session_.handle(delivery); },
            [this](const timer_due& timer) { on_due(timer.token); },
            [this](const edge_answered& answer) { on_answer(answer.what); }};
  }

  /// No batch of this incarnation may reach the kernel after the next one's.
  void on_exit() override {
    edge_->stop(stopped_);
    if (stopped_ && announcer_) announcer_->hold({});
  }

 private:
  static session_options session_settings() {
    session_options options;
    options.user = component_user("system:kube-proxy");
    options.user_agent = "kube-proxy";
    return options;
  }

  static informer_options all_of(const char* collection) {
    informer_options options;
    options.collection = collection;
    options.label_selector = ours;
    options.keep_objects = false;
    return options;
  }

  informer_handlers service_handlers() {
    informer_handlers h;
    h.added = [this](const object_ptr& service) { observe_service(*service); };
    h.modified = [this](const object_ptr&, const object_ptr& service) { observe_service(*service); };
    h.deleted = [this](const std::string& key, const object_ptr&) {
      count_service();
      feed(service_removed{key});
    };
    h.synced = [this] { on_synced(); };
    return h;
  }

  informer_handlers slice_handlers() {
    informer_handlers h;
    h.added = [this](const object_ptr& slice) { observe_slice(*slice); };
    h.modified = [this](const object_ptr&, const object_ptr& slice) { observe_slice(*slice); };
    h.deleted = [this](const std::string& key, const object_ptr&) {
      count_endpoints();
      feed(slice_removed{key});
    };
    h.synced = [this] { on_synced(); };
    return h;
  }

  void observe_service(const object& service) {
    count_service();
    if (auto info = decode_service(service, how_.nodes))
      feed(service_observed{std::move(*info)});
    else
      feed(service_removed{object_key(service)});
  }

  void observe_slice(const object& slice) {
    count_endpoints();
    if (auto info = decode_slice(slice, how_.nodes))
      feed(slice_observed{std::move(*info)});
    else
      feed(slice_removed{object_key(slice)});
  }

  void on_synced() {
    if (services_.synced() && slices_.synced()) feed(synced{});
  }

  void on_due(std::uint64_t token) {
    if (token == token_turn) feed(turn_due{});
    if (token == token_retry) feed(retry_due{});
    if (token == token_probe) {
      start_timer(std::chrono::milliseconds(how_.probe_ms), token_probe);
      feed(probe_due{});
      if (announced_) perform(*announced_);  // somebody may have taken them away
    }
  }

  void on_answer(const batch_done& answer) {
    if (answer.id == sent_id_) measure(answer.error.empty());
    feed(answer);
  }

  void measure(bool good) {
    auto seconds = static_cast<double>(steady_now_us() - sent_us_) / 1e6;
    if (good && !told_ && sent_kind_ == batch_kind::whole) {
      log(log_level::info, "kube_proxy.synced",
          fmt::format("elements={} ms={:.1f}", state_.table.size(), seconds * 1e3));
      told_ = true;
    }
    if (!how_.measured) return;
    auto& m = *how_.measured;
    if (!good) return m.failures.add();
    if (sent_kind_ == batch_kind::probe) return;
    m.sync.observe(seconds);
    (sent_kind_ == batch_kind::whole ? m.whole_sync : m.partial_sync).observe(seconds);
    m.last_sync.set(static_cast<std::int64_t>(wall_now_ms() / 1000));
  }

  void count_service() {
    if (how_.measured) how_.measured->service_changes.add();
  }
  void count_endpoints() {
    if (how_.measured) how_.measured->endpoint_changes.add();
  }

  void feed(const event& what) {
    auto out = trace::traced_step(trace_, state_, what, [](state& s, const event& e) { return step(s, e); });
    for (auto& one : out) std::visit([this](auto& x) { perform(x); }, one);
  }

  void perform(const apply_batch& order) {
    sent_id_ = order.what->id;
    sent_kind_ = order.what->kind;
    sent_us_ = steady_now_us();
    shell_actor me{this};
    edge_->apply(order.what, [me, id = sent_id_](std::string error) {
      caf::anon_send(me, edge_answered{{id, std::move(error)}});
    });
  }

  void perform(const continue_soon&) { send_to(caf::strong_actor_ptr{ctrl()}, timer_due{token_turn}); }

  void perform(const retry_after& pause) {
    told_ = false;
    if (pause.why != trouble_) log(log_level::warn, "kube_proxy.refused", pause.why);
    trouble_ = pause.why;
    start_timer(std::chrono::milliseconds(pause.pause_ms), token_retry);
  }

  void perform(const announce& order) {
    announced_ = order;
    if (!announcer_) return;
    auto bad = announcer_->hold(order.ips);
    if (!bad.empty() && bad != announce_trouble_) log(log_level::error, "kube_proxy.not_announced", bad);
    announce_trouble_ = std::move(bad);
  }

  proxy_options how_;
  state state_;
  api_session session_;
  informer services_;
  informer slices_;
  trace::core_trace trace_;
  std::unique_ptr<table_edge> edge_;
  std::unique_ptr<announcer> announcer_;
  std::optional<announce> announced_;  // the last order
  std::string announce_trouble_;       // told already
  bool stopped_ = false;               // in good order: not to be started again
  bool told_ = false;                  // that the table is in step
  std::string trouble_;                // told already
  std::uint64_t sent_id_ = 0;
  batch_kind sent_kind_ = batch_kind::probe;
  std::uint64_t sent_us_ = 0;
};

}  // namespace

proxy_metrics::proxy_metrics(metrics::registry& all)
    : sync(all.make_histogram("kubeproxy_sync_proxy_rules_duration_seconds", "SyncProxyRules latency in seconds.",
                              sync_buckets(), {{"ip_family", "IPv4"}})),
      whole_sync(all.make_histogram("kubeproxy_sync_full_proxy_rules_duration_seconds",
                                    "SyncProxyRules latency in seconds for full resyncs.", sync_buckets(),
                                    {{"ip_family", "IPv4"}})),
      partial_sync(all.make_histogram("kubeproxy_sync_partial_proxy_rules_duration_seconds",
                                      "SyncProxyRules latency in seconds for partial resyncs.", sync_buckets(),
                                      {{"ip_family", "IPv4"}})),
      failures(all.make_counter("kubeproxy_sync_proxy_rules_nftables_sync_failures_total",
                                "Cumulative proxy nftables sync failures.", {{"ip_family", "IPv4"}})),
      service_changes(all.make_counter("kubeproxy_sync_proxy_rules_service_changes_total",
                                       "Cumulative proxy rules Service changes.")),
      endpoint_changes(all.make_counter("kubeproxy_sync_proxy_rules_endpoint_changes_total",
                                        "Cumulative proxy rules Endpoint changes.")),
      last_sync(all.make_gauge("kubeproxy_sync_proxy_rules_last_timestamp_seconds",
                               "The last time proxy rules were successfully synced.", {{"ip_family", "IPv4"}})) {}

kube_proxy_actor spawn_kube_proxy(caf::actor_system& system, proxy_options options) {
  return system.spawn<proxy_shell>(std::move(options));
}

}  // namespace troupe::kube_proxy
