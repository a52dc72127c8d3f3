// The scheduler's shell.
#include "actors/scheduler/scheduler.hpp"

#include "actors/scheduler/decode.hpp"
#include "messages/text_search.hpp"
#include "messages/wall_time.hpp"
#include "runtime/api_session.hpp"
#include "runtime/component.hpp"
#include "runtime/event_recorder.hpp"
#include "runtime/informer.hpp"
#include "runtime/trace/core_trace.hpp"

namespace troupe::scheduler {
namespace {

using namespace runtime;

enum token : std::uint64_t { token_slice = 1, token_wake = 2 };

/// The text behind a key's first occurrence up to the next comma or brace.
std::string_view text_after(std::string_view json, std::string_view key) {
  auto at = find_text(json, key);
  if (at == json.npos) return {};
  auto rest = json.substr(at + key.size());
  return rest.substr(0, rest.find_first_of(",}"));
}

/// An assigned pod's updates are mostly its kubelet's status reports; those need no decoding.
bool matters(const object_ptr& before, const object_ptr& now) {
  if (!before || before->node_name.empty() || before->node_name != now->node_name) return true;
  auto json = now->json.view();
  if (has_text(json, "\"phase\":\"Succeeded\"") || has_text(json, "\"phase\":\"Failed\"")) return true;
  constexpr std::string_view generation = "\"generation\":";
  return text_after(before->json.view(), generation) != text_after(json, generation);
}

void add_member(std::string& json, std::string_view key, std::string_view value) {
  json += json.back() == '{' ? "\"" : ",\"";
  json.append(key).append("\":");
  append_json_string(json, value);
}

std::string pod_target(const std::string& namespace_name, const std::string& name, std::string_view subresource) {
  return "/api/v1/namespaces/" + namespace_name + "/pods/" + name + "/" + std::string(subresource);
}

class scheduler_shell final : public component<scheduler_actor> {
 public:
  scheduler_shell(caf::actor_config& settings, const scheduler_options& options)
      : component(settings, "scheduler"),
        name_(options.name),
        state_(options.core),
        session_(*this, options.server, session_settings()),
        events_(session_, options.name),
        nodes_(session_, all_of("/api/v1/nodes"), node_handlers()),
        pods_(session_, all_of("/api/v1/pods"), pod_handlers()),
        trace_(*this, "scheduler") {
    trace_.begin_with(options.core);
  }

  behavior_type make_behavior() override {
    nodes_.start();
    pods_.start();
    return {[this](const api::response& answer) { session_.handle(answer); },
            [this](const api::watch_delivery& delivery) { session_.handle(delivery); },
            [this](const timer_due& timer) { on_due(timer.token); }};
  }

 private:
  static session_options session_settings() {
    session_options options;
    options.user = component_user("system:kube-scheduler");
    options.user_agent = "kube-scheduler";
    return options;
  }

  static informer_options all_of(const char* collection) {
    informer_options options;
    options.collection = collection;
    return options;
  }

  informer_handlers node_handlers() {
    informer_handlers h;
    h.added = [this](const object_ptr& node) { observe_node(*node); };
    h.modified = [this](const object_ptr&, const object_ptr& node) { observe_node(*node); };
    h.deleted = [this](const std::string& key, const object_ptr& last) {
      feed(node_removed{now_ms(), key}, last ? last->revision : 0);
    };
    h.synced = [this] { on_synced(); };
    return h;
  }

  informer_handlers pod_handlers() {
    informer_handlers h;
    h.added = [this](const object_ptr& pod) { observe_pod(*pod); };
    h.modified = [this](const object_ptr& before, const object_ptr& now) {
      if (matters(before, now)) observe_pod(*now);
    };
    h.deleted = [this](const std::string&, const object_ptr& last) {
      if (last) feed(pod_removed{now_ms(), std::string(last->uid)}, last->revision);
    };
    h.synced = [this] { on_synced(); };
    return h;
  }

  void observe_node(const object& node) {
    auto info = decode_node(node);
    if (info) feed(node_observed{now_ms(), std::move(*info)}, node.revision);
  }
  void observe_pod(const object& pod) {
    auto info = decode_pod(pod, name_);
    if (info) feed(pod_observed{now_ms(), std::move(*info)}, pod.revision);
  }
  void on_synced() {
    if (nodes_.synced() && pods_.synced()) feed(synced{now_ms()});
  }
  void on_due(std::uint64_t token) {
    if (token == token_slice) feed(slice_due{now_ms(), random_u64()});
    if (token == token_wake) feed(wake_due{now_ms()});
  }

  std::int64_t now_ms() const { return static_cast<std::int64_t>(steady_now_us() / 1000); }

  /// `revision`: of the object that the event tells of; 0: it tells of none.
  void feed(const event& what, std::uint64_t revision = 0) {
    auto causes = trace_.on() && revision > 0 ? trace::caused_by(revision) : std::vector<trace::cause>();
    auto out = trace::traced_step(
        trace_, state_, what, [](state& s, const event& e) { return step(s, e); }, causes);
    for (auto& one : out) std::visit([this](auto& x) { perform(x); }, one);
  }

  void perform(const bind_pod& bind) {
    std::string body = R"({"apiVersion":"v1","kind":"Binding","metadata":{)";
    add_member(body, "name", bind.name);
    add_member(body, "namespace", bind.namespace_name);
    add_member(body, "uid", bind.uid);
    body += R"(},"target":{"kind":"Node","apiVersion":"v1")";
    add_member(body, "name", bind.node);
    body += "}}";
    session_.call(runtime::post(pod_target(bind.namespace_name, bind.name, "binding"), std::move(body)),
                  [this, uid = bind.uid](const api::response& answer) {
                    auto code = answer.error.ok() ? answer.code : answer.error.code;
                    feed(binding_answered{now_ms(), uid, code, answer.error.message});
                  });
  }

  void perform(const patch_condition& patch_wanted) {
    std::string body = R"({"metadata":{)";
    add_member(body, "uid", patch_wanted.uid);
    body += R"(},"status":{"conditions":[{"lastProbeTime":null)";
    add_member(body, "lastTransitionTime", time_text(wall_now_ms()));
    add_member(body, "message", patch_wanted.message);
    add_member(body, "reason", patch_wanted.reason);
    body += R"(,"status":"False","type":"PodScheduled"}]}})";
    session_.call(runtime::patch(pod_target(patch_wanted.namespace_name, patch_wanted.name, "status"), std::move(body),
                                 "application/strategic-merge-patch+json"),
                  [this, name = patch_wanted.name](const api::response& answer) {
                    if (answer.error.ok() || answer.error.code == 404) return;
                    log(log_level::warn, "scheduler.condition_failed",
                        "pod=" + name + " error=" + answer.error.message);
                  });
  }

  void perform(const record_event& r) {
    event_subject about{"Pod", "v1", r.namespace_name, r.name, r.uid, r.revision, ""};
    if (r.warning)
      events_.warning(about, r.reason, r.message);
    else
      events_.normal(about, r.reason, r.message);
  }

  void perform(const continue_soon&) { send_to(caf::strong_actor_ptr{ctrl()}, timer_due{token_slice}); }

  void perform(const wake_at& wake) {
    auto wait = std::max<std::int64_t>(wake.at_ms - now_ms(), 0);
    start_timer(std::chrono::milliseconds(wait + 1), token_wake);
  }

  std::string name_;
  state state_;
  api_session session_;
  event_recorder events_;
  informer nodes_;
  informer pods_;
  trace::core_trace trace_;
};

}  // namespace

scheduler_actor spawn_scheduler(caf::actor_system& system, scheduler_options options) {
  return system.spawn<scheduler_shell>(std::move(options));
}

}  // namespace troupe::scheduler
