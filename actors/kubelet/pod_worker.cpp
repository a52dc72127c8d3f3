// The pod worker's shell.
#include "actors/kubelet/pod_worker.hpp"

#include <unordered_map>

#include "actors/kubelet/environment.hpp"
#include "actors/kubelet/operation_hop.hpp"
#include "actors/kubelet/pod_readers.hpp"
#include "actors/kubelet/termination_message.hpp"
#include "actors/kubelet/volumes.hpp"
#include "runtime/answer_text.hpp"
#include "runtime/api_session.hpp"
#include "runtime/component.hpp"
#include "runtime/trace/core_trace.hpp"

namespace troupe::kubelet {
namespace {

using namespace runtime;

/// The object in an answer, decoded; null when there is none.
std::shared_ptr<const document> body_of(const api::response& answer) {
  auto parsed = document::parse(answer_text(answer));
  return parsed ? std::make_shared<const document>(std::move(*parsed)) : nullptr;
}

class worker final : public component<worker_actor> {
 public:
  worker(caf::actor_config& settings, std::string uid, std::shared_ptr<const worker_context> context)
      : component(settings, ""), uid_(std::move(uid)), context_(std::move(context)), trace_(*this, "kubelet/pod") {
    state_.options = context_->pod;
    trace_.begin_with(context_->pod);
  }

  behavior_type make_behavior() override {
    send_to(context_->runtime.handle(), container::subscribe{uid_, false});
    send_to(context_->kubelet, worker_up{uid_});
    // A simulated runtime that ends takes its pods along; a driver leaves them.
    if (!context_->simulated())
      context_->runtime.observe(*this, [this](const supervision::ref_changed& m) { on_runtime(m); });
    return {[this](const pod_update& m) { on_update(m); },
            [this](const api_answer& m) { take(calls_, m.token, m.answer); },
            [this](const container::reply& m) { take(replies_, m.id, m); },
            [this](const container::happenings& m) { on_happenings(m); },
            [](const container::log_chunk&) {},
            [this](const read_pod_log& m) { readers_.take(m, current_sender()); },
            [this](const open_pod_stream& m) { readers_.take(m, current_sender()); },
            [this](const timer_due&) { feed(clock_due{now()}); }};
  }

 private:
  using answered = std::function<void(const api::response&)>;
  using replied = std::function<void(const container::reply&)>;

  moment now() const {
    return {static_cast<std::int64_t>(steady_now_us() / 1000), static_cast<std::int64_t>(wall_now_ms())};
  }

  void feed(const pod_event& what) {
    if (state_.finished) return;
    std::vector<trace::cause> causes;
    if (auto* seen = trace_.on() ? std::get_if<pod_observed>(&what) : nullptr)
      causes = trace::caused_by(seen->pod->revision);
    auto out = trace::traced_step(
        trace_, state_, what, [](pod_state& s, const pod_event& e) { return step(s, e); }, causes);
    for (auto& one : out) std::visit([this](auto& x) { perform(x); }, one);
    readers_.look_again();
  }

  template <class Map, class Answer>
  void take(Map& waiting, std::uint64_t key, const Answer& answer) {
    auto found = waiting.find(key);
    if (found == waiting.end()) return;
    auto on_done = std::move(found->second);
    waiting.erase(found);
    on_done(answer);
  }

  void ask(container::operation what, replied on_done) {
    auto id = next_++;
    if (recorder()) {
      trace::hop made;
      made.component = context_->runtime.name();
      made.subject = state_.plan.namespace_name + "/" + state_.plan.name;
      made.uid = uid_;
      made.id = id;
      on_done = recorded_operation(*this, what, std::move(made), std::move(on_done));
    }
    replies_.emplace(id, std::move(on_done));
    send_to(context_->runtime.handle(), container::request{id, std::move(what)});
  }

  void call(api::request request, answered on_done) {
    auto token = next_++;
    calls_.emplace(token, std::move(on_done));
    send_to(context_->kubelet, api_call{token, std::move(request), last_step()});
  }

  std::string target(std::string_view subresource = {}) const {
    auto out = "/api/v1/namespaces/" + state_.plan.namespace_name + "/pods/" + state_.plan.name;
    return subresource.empty() ? out : out + "/" + std::string(subresource);
  }

  /// The pod as it stands, decoded once for all that is asked of one of its versions; an error where it cannot be.
  result<const document*> pod() {
    if (decoded_from_ != state_.object) {
      auto fresh = document::parse(state_.object->json.view());
      if (!fresh) return fresh.error();
      decoded_ = std::move(*fresh);
      decoded_from_ = state_.object;
    }
    return &decoded_;
  }
  /// What starting a pod needed is not kept for as long as it runs.
  void forget_decoded() {
    decoded_ = {};
    decoded_from_ = nullptr;
  }

  // -- events from outside

  void on_update(const pod_update& m) {
    if (m.pod)
      feed(pod_observed{now(), m.pod});
    else
      feed(pod_vanished{now()});
  }

  /// The driver ended or is there again: what it was asked will not be answered, and it knows no subscribers.
  void on_runtime(const supervision::ref_changed& m) {
    if (m.up && m.incarnation > runtime_incarnation_) {
      bool another = runtime_incarnation_ > 0;
      runtime_incarnation_ = m.incarnation;
      if (!another || state_.finished) return;
      send_to(context_->runtime.handle(), container::subscribe{uid_, false});
      return perform(list_runtime{});
    }
    if (m.up) return;
    auto lost = std::move(replies_);
    replies_.clear();
    for (auto& [id, on_done] : lost)
      on_done({id, {container::fault::unavailable, "the driver of the container runtime ended"}, container::done{}});
  }

  void on_happenings(const container::happenings& m) {
    if (m.lost) return perform(list_runtime{});
    runtime_changed e{now(), m.sandboxes, m.containers, m.gone};
    for (auto& one : e.containers) add_message(one, context_->volume_root);
    feed(e);
  }

  // -- effects

  void perform(const list_runtime&) {
    ask(container::list_pods{uid_}, [this](const container::reply& r) {
      runtime_listed e{now(), r.error, {}, {}};
      if (auto* list = std::get_if<container::pod_list>(&r.what)) {
        e.sandboxes = list->sandboxes;
        e.containers = list->containers;
        for (auto& one : e.containers) add_message(one, context_->volume_root);
      }
      feed(e);
    });
  }

  /// Fetches what the references name, then goes on. `error`: something could not be fetched at all.
  void gather(const std::vector<reference>& references, bool services,
              std::function<void(env_sources, std::string error)> on_done) {
    struct gathering {
      env_sources sources;
      std::string error;
      std::size_t open = 1;
      std::function<void(env_sources, std::string)> on_done;
    };
    auto all = std::make_shared<gathering>();
    all->on_done = std::move(on_done);
    auto finish_one = [all] {
      if (--all->open == 0) all->on_done(std::move(all->sources), std::move(all->error));
    };
    auto base = "/api/v1/namespaces/" + state_.plan.namespace_name;
    for (auto& r : references) {
      ++all->open;
      call(runtime::get(base + (r.secret ? "/secrets/" : "/configmaps/") + r.name),
           [all, r, finish_one](const api::response& answer) {
             auto& found = (r.secret ? all->sources.secrets : all->sources.config_maps)[r.name];
             if (answer.error.ok() && answer.code == 200)
               found = body_of(answer);
             else if (code_of(answer) != 404)
               all->error = answer.error.message;
             finish_one();
           });
    }
    if (services) {
      ++all->open;
      call(runtime::get(base + "/services"), [all, finish_one](const api::response& answer) {
        auto list = answer.error.ok() ? body_of(answer) : nullptr;
        if (list) all->sources.services = service_environment(*list);
        finish_one();
      });
    }
    finish_one();
  }

  void perform(const prepare_volumes&) {
    auto doc = pod();
    if (!doc) return feed(volumes_prepared{now(), doc.error().message});
    gather(volume_references(**doc), false, [this](const env_sources& sources, std::string error) {
      auto fresh = pod();
      if (error.empty() && fresh)
        error = make_volumes(**fresh, context_->node, sources, context_->volume_root, volume_paths_);
      feed(volumes_prepared{now(), std::move(error)});
    });
  }

  void perform(const release_volumes&) { remove_volumes(uid_, context_->volume_root); }

  void perform(const run_sandbox& e) {
    auto doc = pod();
    if (!doc) return;
    sandbox_ = build_sandbox(**doc, context_->node, e.attempt);
    ask(container::run_sandbox{sandbox_}, [this](const container::reply& r) {
      sandbox_answered out{now(), r.error, {}, {}};
      if (auto* made = std::get_if<container::sandbox_made>(&r.what)) {
        out.id = made->id;
        out.ips = made->ips;
      }
      feed(out);
    });
  }

  void perform(const stop_sandbox& e) {
    ask(container::stop_sandbox{e.id}, [this, e](const container::reply& r) {
      if (!r.error.ok() || !e.remove) return feed(sandbox_ended{now(), r.error, e.id, false});
      ask(container::remove_sandbox{e.id}, [this, id = e.id](const container::reply& last) {
        feed(sandbox_ended{now(), last.error, id, true});
      });
    });
  }

  void perform(const check_image& e) {
    ask(container::image_status{e.image}, [this, name = e.container](const container::reply& r) {
      image_answered out{now(), r.error, name, false, false, {}, 0, 0};
      if (auto* found = std::get_if<container::image_answer>(&r.what)) {
        out.present = found->present;
        out.image_ref = found->info.id;
      }
      feed(out);
    });
  }

  void perform(const pull_image& e) {
    auto begun = now().steady_ms;
    ask(container::pull_image{e.image, {}, sandbox_}, [this, name = e.container, begun](const container::reply& r) {
      image_answered out{now(), r.error, name, true, r.error.ok(), {}, 0, 0};
      out.took_ms = out.at.steady_ms - begun;
      if (auto* got = std::get_if<container::image_pulled>(&r.what)) {
        out.image_ref = got->image_ref;
        out.size = got->size;
      }
      feed(out);
    });
  }

  void perform(const create_container& e) {
    auto doc = pod();
    if (!doc) return;
    bool services = !context_->simulated() && core_v1::pod_view(**doc).spec().enable_service_links(true);
    gather(references_of(**doc, e.container), services,
           [this, e](env_sources sources, std::string error) { create(e, std::move(sources), std::move(error)); });
  }

  void create(const create_container& e, env_sources sources, std::string error) {
    auto doc = pod();
    container_inputs in{e.container, e.attempt, e.image_ref, state_.ips, volume_paths_, {}, std::move(sources)};
    if (error.empty() && doc) {
      auto hosts = make_hosts_file(**doc, context_->volume_root, state_.ips, context_->node.cluster_domain);
      if (!hosts.empty()) in.extra_mounts.push_back({"/etc/hosts", hosts, false, false, {}});
      if (!context_->simulated()) add_message_mount(**doc, in);
      auto config = build_container(**doc, context_->node, in);
      if (config && !context_->simulated()) error = resolve_mounts(config->mounts, volume_paths_);
      if (config && error.empty()) {
        if (sandbox_.uid.empty()) sandbox_ = build_sandbox(**doc, context_->node, state_.sandbox_attempt);
        return ask(container::create_container{e.sandbox_id, std::move(*config), sandbox_},
                   [this, name = e.container](const container::reply& r) {
                     container_created out{now(), r.error, false, name, {}};
                     if (auto* made = std::get_if<container::container_made>(&r.what)) out.id = made->id;
                     feed(out);
                   });
      }
      if (!config) error = config.error().message;
    }
    feed(container_created{now(), {container::fault::invalid_argument, error}, true, e.container, {}});
  }

  void add_message_mount(const document& doc, container_inputs& in) {
    auto where = find_container(doc, in.name).termination_message_path();
    auto file = where.empty() ? std::string() : make_message_file(context_->volume_root, uid_, in.name, in.attempt);
    if (!file.empty()) in.extra_mounts.push_back({std::string(where), file, false, false, {}});
  }

  void perform(const start_container& e) {
    ask(container::start_container{e.id}, [this, e](const container::reply& r) {
      feed(container_answered{now(), r.error, e.container, e.id, false});
    });
  }
  void perform(const stop_container& e) {
    ask(container::stop_container{e.id, e.timeout_s}, [this, e](const container::reply& r) {
      feed(container_answered{now(), r.error, e.container, e.id, true});
    });
  }
  void perform(const remove_container& e) {
    ask(container::remove_container{e.id}, [](const container::reply&) {});
  }

  const container_plan* plan_of(const std::string& name) const {
    for (auto& c : state_.plan.containers)
      if (c.name == name) return &c;
    return nullptr;
  }

  /// Runs an exec, http or tcp action in or against a container.
  void act(const action_plan& action, const std::string& id, std::int64_t timeout_s, const char* simulated_as,
           const std::function<void(action_result)>& on_done) {
    if (action.kind == action_kind::sleep) {
      after(std::chrono::seconds(action.seconds), [on_done] { on_done({}); });
      return;
    }
    if (action.kind == action_kind::grpc)
      return on_done({probe_outcome::unknown, "gRPC probes are not supported by this kubelet"});
    bool network = action.kind == action_kind::http || action.kind == action_kind::tcp;
    if (network && !context_->simulated()) return act_by_network(action, timeout_s, on_done);
    // Containers on paper have no ports: their runtime is asked what a probe of that kind would find.
    auto command = action.command;
    if (context_->simulated() && simulated_as) command = {"troupe-probe", simulated_as};
    ask(container::exec_sync{id, command, timeout_s}, [on_done, timeout_s](const container::reply& r) {
      if (r.error.code == container::fault::deadline_exceeded)
        return on_done(
            {probe_outcome::failure, "command timed out: timed out after " + std::to_string(timeout_s) + "s"});
      if (!r.error.ok()) return on_done({probe_outcome::unknown, r.error.message});
      auto& result = std::get<container::exec_result>(r.what);
      on_done({result.exit_code == 0 ? probe_outcome::success : probe_outcome::failure, result.output});
    });
  }

  void act_by_network(const action_plan& action, std::int64_t timeout_s,
                      const std::function<void(action_result)>& on_done) {
    auto host = state_.plan.host_network || state_.ips.empty() ? context_->node.host_ip : state_.ips.front();
    // The prober answers from its own thread: the result becomes a message to this actor.
    auto id = next_++;
    replies_.emplace(id, [on_done](const container::reply& r) {
      auto& text = std::get<container::exec_result>(r.what);
      on_done({static_cast<probe_outcome>(text.exit_code), text.output});
    });
    worker_actor me{this};
    context_->probes->run(action, host, timeout_s * 1000, [me, id](action_result result) {
      caf::anon_send(
          me, container::reply{
                  id, {}, container::exec_result{std::move(result.output), static_cast<std::int32_t>(result.outcome)}});
    });
  }

  void perform(const run_hook& e) {
    auto* c = plan_of(e.container);
    if (!c) return;
    bool first = e.hook == hook_kind::post_start;
    act(first ? c->post_start : c->pre_stop, e.id, 0, nullptr, [this, e, first](const action_result& result) {
      std::string error;
      if (result.outcome != probe_outcome::success)
        error = std::string(first ? "PostStartHook" : "PreStopHook") + " failed: " + result.output;
      feed(hook_done{now(), e.container, e.id, e.hook, std::move(error)});
    });
  }

  void perform(const run_probe& e) {
    auto* c = plan_of(e.container);
    if (!c) return;
    static constexpr const char* names[] = {"startup", "liveness", "readiness"};
    auto& probe = c->probe(e.probe);
    act(probe.action, e.id, probe.timeout, names[static_cast<std::size_t>(e.probe)], [this, e](action_result result) {
      feed(probe_done{now(), e.container, e.id, e.probe, result.outcome, std::move(result.output)});
    });
  }

  void perform(const write_status& e) {
    forget_decoded();
    auto body = "{\"metadata\":{\"uid\":\"" + uid_ + "\"},\"status\":" + e.status + "}";
    call(runtime::patch(target("status"), std::move(body), "application/strategic-merge-patch+json"),
         [this](const api::response& answer) {
           if (!answer.error.ok()) log(log_level::warn, "kubelet.status_not_written", answer.error.message);
           feed(status_written{now(), code_of(answer), answer.revision});
         });
  }

  void perform(const delete_pod&) {
    auto body =
        R"({"kind":"DeleteOptions","apiVersion":"v1","gracePeriodSeconds":0,"preconditions":{"uid":")" + uid_ + "\"}}";
    call(runtime::del(target(), std::move(body)), [this](const api::response& answer) {
      feed(deletion_answered{now(), code_of(answer)});
    });
  }

  void perform(const pod_note& e) {
    if (!state_.planned) return;
    std::string path;
    if (auto* c = e.container.empty() ? nullptr : plan_of(e.container))
      path = (c->role == container_role::regular ? "spec.containers{" : "spec.initContainers{") + c->name + "}";
    send_to(context_->kubelet,
            worker_note{state_.plan.namespace_name, state_.plan.name, uid_, state_.object ? state_.object->revision : 0,
                        path, e.warning, e.reason, e.message});
  }

  void perform(const wake_at& e) {
    auto wait = std::max<std::int64_t>(e.steady_ms - now().steady_ms, 0);
    start_timer(std::chrono::milliseconds(wait + 1), 0);
  }

  void perform(const pod_finished&) {
    if (!context_->simulated()) remove_logs(uid_, context_->node.log_root);
    send_to(context_->runtime.handle(), container::subscribe{uid_, true});
    send_to(context_->kubelet, worker_done{uid_});
  }

  std::string uid_;
  std::shared_ptr<const worker_context> context_;
  pod_state state_;
  pod_readers readers_{*this, state_, context_->runtime};
  container::sandbox_config sandbox_;
  std::map<std::string, std::string> volume_paths_;
  document decoded_;
  object_ptr decoded_from_;
  std::unordered_map<std::uint64_t, answered> calls_;
  std::unordered_map<std::uint64_t, replied> replies_;
  std::uint64_t next_ = 1;
  std::uint64_t runtime_incarnation_ = 0;
  trace::core_trace trace_;
};

}  // namespace

worker_actor spawn_worker(caf::actor_system& system, std::string uid, std::shared_ptr<const worker_context> context) {
  return system.spawn<worker>(std::move(uid), std::move(context));
}

}  // namespace troupe::kubelet
