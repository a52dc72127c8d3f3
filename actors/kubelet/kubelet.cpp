// The kubelet's shell.
#include "actors/kubelet/kubelet.hpp"

#include <unordered_map>

#include "actors/kubelet/log_rotation.hpp"
#include "actors/kubelet/pod_turn.hpp"
#include "actors/kubelet/pod_worker.hpp"
#include "messages/node_groups.hpp"
#include "runtime/api_session.hpp"
#include "runtime/component.hpp"
#include "runtime/event_recorder.hpp"
#include "runtime/informer.hpp"
#include "runtime/trace/core_trace.hpp"

namespace troupe::kubelet {
namespace {

using namespace runtime;

// Kubernetes' eventRecordQPS and eventBurst.
constexpr double events_per_second = 50;
constexpr double event_burst = 100;

class kubelet_shell final : public component<local_kubelet> {
 public:
  kubelet_shell(caf::actor_config& settings, kubelet_options options)
      : component(settings, "kubelet"),
        options_(std::move(options)),
        session_(*this, options_.server, session_settings()),
        events_(session_, "kubelet", options_.node.name),
        pods_(session_, pod_selection(), pod_handlers()),
        trace_(*this, "kubelet/node") {
    node_.options = options_.node;
    trace_.begin_with(options_.node);
    set_exit_handler([this](caf::exit_msg& order) { quit(std::move(order.reason)); });
  }

  behavior_type make_behavior() override {
    context_ = make_context();
    {
      spawn_scope scope(path() + "/pods", incarnation(), urgency::reporting);
      supervisor_options limits;
      limits.max_restarts = 1000;  // one bad pod must not end the others
      workers_ = spawn_supervisor(system(), "pods", {}, limits);
    }
    link_to(workers_);
    send_to(options_.runtime.handle(), container::subscribe{"", false});
    options_.runtime.observe(*this, [this](const supervision::ref_changed& m) { on_runtime(m); });
    if (!context_->simulated()) check_logs();
    pods_.start();
    feed(node_started{now(), random_u64()});
    return {[this](const worker_up& m) { on_worker_up(m); },
            [this](const worker_done& m) { on_worker_done(m); },
            [this](const api_call& m) { on_api_call(m); },
            [this](const worker_note& m) { on_note(m); },
            [this](const api::response& m) { session_.handle(m); },
            [this](const api::watch_delivery& m) { session_.handle(m); },
            [this](const container::reply& m) { on_reply(m); },
            [this](const container::happenings& m) { on_happenings(m); },
            [](const container::log_chunk&) {},
            [this](const timer_due&) { feed(node_clock_due{now()}); },
            [this](const read_pod_log& m) { on_read_log(m); },
            [this](const open_pod_stream& m) { on_open_stream(m); }};
  }

  /// Breaks the circle: the workers' context names this actor.
  void on_exit() override {
    context_.reset();
    entries_.clear();
    replies_.clear();
  }

 private:
  struct pod_entry {
    object_ptr pod;  // null: the api_server has it no more
    worker_actor worker;
  };

  session_options session_settings() const {
    session_options out;
    out.user = component_user("system:node:" + options_.node.name, {"system:nodes", std::string(own_nodes_group)});
    out.user_agent = "kubelet";
    return out;
  }

  informer_options pod_selection() const {
    informer_options out;
    out.collection = "/api/v1/pods";
    out.field_selector = "spec.nodeName=" + options_.node.name;
    out.keep_objects = false;
    return out;
  }

  informer_handlers pod_handlers() {
    informer_handlers h;
    h.added = [this](const object_ptr& pod) { on_pod(pod); };
    h.modified = [this](const object_ptr&, const object_ptr& pod) { on_pod(pod); };
    h.deleted = [this](const std::string& key, const object_ptr&) { on_pod_gone(key); };
    h.synced = [this] { remove_orphans(); };
    return h;
  }

  std::shared_ptr<const worker_context> make_context() {
    auto out = std::make_shared<worker_context>();
    auto& n = options_.node;
    out->node = {n.name,
                 n.ip,
                 options_.cluster_domain,
                 options_.cluster_dns,
                 n.milli_cpu - n.reserved_milli_cpu,
                 n.memory - n.reserved_memory,
                 n.ephemeral_storage,
                 options_.log_root,
                 options_.cgroup_parent};
    out->pod.host_ip = n.ip;
    out->pod.runtime_name = options_.runtime_name;
    out->runtime = options_.runtime;
    out->kubelet = local_kubelet{this};
    out->volume_root = options_.volume_root;
    if (!out->simulated()) out->probes = std::make_shared<prober>();
    return out;
  }

  moment now() const {
    return {static_cast<std::int64_t>(steady_now_us() / 1000), static_cast<std::int64_t>(wall_now_ms())};
  }

  // -- pods

  void on_pod(const object_ptr& pod) {
    std::string uid(pod->uid);
    auto& key_uid = by_key_[object_key(*pod)];
    if (!key_uid.empty() && key_uid != uid) vanish(key_uid);  // made again under the same name
    key_uid = uid;
    auto [at, fresh] = entries_.try_emplace(uid);
    at->second.pod = pod;
    if (fresh)
      start_worker(uid);
    else if (at->second.worker)
      send_to(at->second.worker, pod_update{pod});
  }

  void on_pod_gone(const std::string& key) {
    auto found = by_key_.find(key);
    if (found == by_key_.end()) return;
    vanish(found->second);
    by_key_.erase(found);
  }

  void vanish(const std::string& uid) {
    auto found = entries_.find(uid);
    if (found == entries_.end()) return;
    found->second.pod = nullptr;
    if (found->second.worker) send_to(found->second.worker, pod_update{nullptr});
  }

  void start_worker(const std::string& uid) {
    auto spec = std::make_shared<child_spec>(child<worker_actor>(
        uid, [uid, context = context_](caf::actor_system& s) { return spawn_worker(s, uid, context); }));
    send_to(workers_, start_child{std::move(spec)});
  }

  void on_worker_up(const worker_up& m) {
    auto found = entries_.find(m.uid);
    if (found == entries_.end()) return;
    found->second.worker = caf::actor_cast<worker_actor>(current_sender());
    send_to(found->second.worker, pod_update{found->second.pod});
  }

  void on_worker_done(const worker_done& m) {
    entries_.erase(m.uid);
    send_to(workers_, stop_child{m.uid});
  }

  /// Sandboxes whose pods the api_server does not know get a worker that takes them down.
  void remove_orphans() {
    ask(container::list_pods{}, [this](const container::reply& r) {
      auto* list = std::get_if<container::pod_list>(&r.what);
      if (!r.error.ok() || !list) {
        after(std::chrono::seconds(10), [this] { remove_orphans(); });
        return;
      }
      for (auto& b : list->sandboxes) {
        if (!entries_.try_emplace(b.uid).second) continue;
        log(log_level::info, "kubelet.orphan", "pod=" + b.namespace_name + "/" + b.name + " uid=" + b.uid);
        start_worker(b.uid);
      }
    });
  }

  void on_happenings(const container::happenings& m) {
    if (!m.lost) return;
    feed(runtime_returned{now()});
    if (pods_.synced()) remove_orphans();
  }

  // -- for the workers

  void on_api_call(const api_call& m) {
    auto worker = caf::actor_cast<caf::actor_addr>(current_sender());
    if (auto* by = m.step > 0 ? context_of(current_sender()) : nullptr) session_.attribute(by->path(), m.step);
    session_.call_at(urgency::reporting, m.request, [this, worker, token = m.token](const api::response& answer) {
      if (auto alive = caf::actor_cast<caf::strong_actor_ptr>(worker)) send_to(alive, api_answer{token, answer});
    });
  }

  void on_note(const worker_note& m) {
    if (!may_record(m.warning)) return;
    event_subject about{"Pod", "v1", m.namespace_name, m.name, m.uid, m.revision, m.field_path};
    if (m.warning)
      events_.warning(about, m.reason, m.message);
    else
      events_.normal(about, m.reason, m.message);
  }

  bool may_record(bool) {
    auto at = steady_now_us();
    auto passed = static_cast<double>(at - event_refilled_us_) / 1e6;
    event_credit_ = std::min(event_burst, event_credit_ + passed * events_per_second);
    event_refilled_us_ = at;
    if (event_credit_ < 1) return false;
    event_credit_ -= 1;
    return true;
  }

  // -- the runtime

  void ask(container::operation what, std::function<void(const container::reply&)> on_done) {
    auto id = next_++;
    replies_.emplace(id, std::move(on_done));
    send_to(options_.runtime.handle(), container::request{id, std::move(what)});
  }

  /// Its driver ended or is there again: what it was asked will not be answered, and it knows no subscribers.
  void on_runtime(const supervision::ref_changed& m) {
    if (m.up && m.incarnation > runtime_incarnation_) {
      if (runtime_incarnation_ > 0) send_to(options_.runtime.handle(), container::subscribe{"", false});
      runtime_incarnation_ = m.incarnation;
    }
    if (m.up) return;
    auto lost = std::move(replies_);
    replies_.clear();
    for (auto& [id, on_done] : lost)
      on_done({id, {container::fault::unavailable, "the driver of the container runtime ended"}, container::done{}});
  }

  void on_reply(const container::reply& m) {
    auto found = replies_.find(m.id);
    if (found == replies_.end()) return;
    auto on_done = std::move(found->second);
    replies_.erase(found);
    on_done(m);
  }

  // -- logs that have grown too large

  void check_logs() {
    after(std::chrono::seconds(log_check_s), [this] {
      ask(container::list_pods{}, [this](const container::reply& r) {
        if (auto* list = std::get_if<container::pod_list>(&r.what))
          for (auto& one : list->containers)
            if (one.state == container::container_state::running && log_is_large(one.log_path)) rotate(one);
        check_logs();
      });
    });
  }
  void rotate(const container::container_status& of) {
    auto stamp = time_text(now().wall_ms);
    if (!rotate_log(of.log_path, stamp)) return;
    ask(container::reopen_log{of.id}, [this, path = of.log_path, stamp](const container::reply& r) {
      if (r.error.ok()) return;
      log(log_level::warn, "kubelet.log_not_reopened", path + ": " + r.error.message);
      unrotate_log(path, stamp);
    });
  }

  // -- the node

  void feed(const node_event& what) {
    auto out = trace::traced_step(trace_, node_, what, [](node_state& s, const node_event& e) { return step(s, e); });
    for (auto& one : out) std::visit([this](auto& x) { perform(x); }, one);
  }

  void answer_node(const api::response& answer) {
    node_answered e{now(), code_of(answer), {}};
    if (answer.object) e.uid = answer.object->uid;
    feed(e);
  }

  void perform(const read_node&) {
    session_.call(runtime::get("/api/v1/nodes/" + options_.node.name),
                  [this](const api::response& r) { answer_node(r); });
  }
  void perform(const create_node& e) {
    session_.call(runtime::post("/api/v1/nodes", e.json), [this](const api::response& r) { answer_node(r); });
  }
  void perform(const patch_node& e) {
    auto target = "/api/v1/nodes/" + options_.node.name;
    if (!e.status) {
      session_.call(runtime::patch(target, e.json), [](const api::response&) {});
      return;
    }
    session_.call(runtime::patch(target + "/status", e.json, "application/strategic-merge-patch+json"),
                  [this](const api::response& r) {
                    feed(node_patched{now(), code_of(r)});
                  });
  }
  static constexpr const char* leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
  void perform(const create_lease& e) {
    session_.call(runtime::post(leases, e.json), [this](const api::response& r) {
      feed(lease_answered{now(), code_of(r)});
    });
  }
  void perform(const renew_lease& e) {
    session_.call(runtime::patch(std::string(leases) + "/" + options_.node.name, e.json),
                  [this](const api::response& r) {
                    feed(lease_answered{now(), code_of(r)});
                  });
  }

  /// The driver may hang with its runtime: the answer is waited for a while only.
  void perform(const check_runtime&) {
    auto check = ++check_;
    ask(container::get_version{}, [this, check](const container::reply& version) {
      std::string text;
      if (auto* v = std::get_if<container::version_info>(&version.what))
        text = v->runtime_name + "://" + v->runtime_version;
      if (!version.error.ok())
        return runtime_answered(check, {now(), version.error.message, false, false, "", "", "", room()});
      ask(container::get_status{}, [this, check, text](const container::reply& status) {
        runtime_checked e{now(), status.error.message, false, false, "", "", text, room()};
        if (auto* s = std::get_if<container::status_info>(&status.what)) {
          e.runtime_ready = s->runtime_ready;
          e.runtime_message = s->runtime_message;
          e.network_ready = s->network_ready;
          e.network_message = s->network_message;
        }
        runtime_answered(check, e);
      });
    });
    after(std::chrono::seconds(20), [this, check] {
      runtime_answered(check, {now(), "no answer from the container runtime", false, false, "", "", "", room()});
    });
  }
  machine_room room() const { return context_->simulated() ? machine_room() : measure_host(options_.log_root + "/.."); }
  void runtime_answered(std::uint64_t check, const runtime_checked& e) {
    if (check != check_) return;
    ++check_;
    feed(e);
  }
  void perform(const node_note& e) {
    event_subject about{"Node", "v1", "", options_.node.name, options_.node.name, 0, ""};
    if (e.warning)
      events_.warning(about, e.reason, e.message);
    else
      events_.normal(about, e.reason, e.message);
  }
  void perform(const wake_node& e) {
    auto wait = std::max<std::int64_t>(e.steady_ms - now().steady_ms, 0);
    start_timer(std::chrono::milliseconds(wait + 1), 0);
  }

  // -- questions about pods

  worker_actor worker_of(const std::string& namespace_name, const std::string& name) const {
    auto uid = by_key_.find(object_key(namespace_name, name));
    if (uid == by_key_.end()) return {};
    auto entry = entries_.find(uid->second);
    return entry == entries_.end() ? worker_actor{} : entry->second.worker;
  }

  /// Passes a question on to the pod's worker as if the asker had sent it there.
  template <class Question>
  bool pass_on(const Question& m) {
    auto worker = worker_of(m.namespace_name, m.pod);
    if (!worker) return false;
    auto* target = caf::actor_cast<caf::abstract_actor*>(worker);
    target->eq_impl(caf::make_message_id(), current_sender(), context(), m);
    return true;
  }

  void on_read_log(const read_pod_log& m) {
    if (!current_sender() || pass_on(m)) return;
    send_to(current_sender(),
            container::log_chunk{m.id, {}, true, {container::fault::not_found, "pods \"" + m.pod + "\" not found"}});
  }
  void on_open_stream(const open_pod_stream& m) {
    if (!current_sender() || pass_on(m)) return;
    send_to(current_sender(), stream::opened{m.id, {container::fault::not_found, "pods \"" + m.pod + "\" not found"}});
  }

  kubelet_options options_;
  std::shared_ptr<const worker_context> context_;
  local_supervisor workers_;
  api_session session_;
  event_recorder events_;
  informer pods_;
  std::unordered_map<std::string, std::string> by_key_;  // "ns/name": uid
  std::unordered_map<std::string, pod_entry> entries_;   // by uid
  std::unordered_map<std::uint64_t, std::function<void(const container::reply&)>> replies_;
  std::uint64_t next_ = 1;
  std::uint64_t check_ = 0;
  std::uint64_t runtime_incarnation_ = 0;
  double event_credit_ = event_burst;
  std::uint64_t event_refilled_us_ = 0;
  node_state node_;
  trace::core_trace trace_;
};

}  // namespace

kubelet_actor spawn_kubelet(caf::actor_system& system, kubelet_options options) {
  return system.spawn<kubelet_shell>(std::move(options));
}

child_spec kubelet_child(kubelet_options options, const stable_ref<kubelet_actor>& reference) {
  return child<kubelet_actor>(
      "kubelet", [options = std::move(options)](caf::actor_system& s) { return spawn_kubelet(s, options); }, reference);
}

}  // namespace troupe::kubelet
