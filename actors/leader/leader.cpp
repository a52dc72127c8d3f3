// The shell of leader election.
#include "actors/leader/leader.hpp"

#include <chrono>
#include <memory>
#include <utility>

#include "actors/leader/core.hpp"
#include "messages/document.hpp"
#include "messages/type_ids.hpp"
#include "runtime/api_session.hpp"
#include "runtime/component.hpp"

namespace troupe::leader {
namespace {

constexpr std::chrono::milliseconds tick_interval{250};
constexpr std::chrono::milliseconds release_limit{1'000};  // of the last write
constexpr std::string_view collection = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases";

std::string text_of(const node* at, std::string_view name) {
  const auto* found = at ? at->find(name) : nullptr;
  return found && found->is_string() ? std::string(found->string()) : std::string();
}

std::int64_t number_of(const node* at, std::string_view name) {
  const auto* found = at ? at->find(name) : nullptr;
  return found && found->is_integer() ? found->integer() : 0;
}

record record_of(const api::response& answer) {
  record out;
  if (!answer.object) return out;
  out.resource_version = std::to_string(answer.object->revision);
  auto parsed = document::parse(answer.object->json.view());
  if (!parsed) return out;
  const auto* spec = parsed->root().find("spec");
  out.holder = text_of(spec, "holderIdentity");
  out.acquired = text_of(spec, "acquireTime");
  out.duration_ms = static_cast<std::uint64_t>(number_of(spec, "leaseDurationSeconds")) * 1000;
  out.transitions = number_of(spec, "leaseTransitions");
  return out;
}

/// The proportions of kube-controller-manager's defaults: 15, 10 and 2 seconds.
settings settings_of(const options& how) {
  settings out;
  out.name = how.lease;
  out.identity = how.identity;
  out.lease_ms = how.lease_ms;
  out.renew_ms = how.lease_ms * 2 / 3;
  out.retry_ms = how.lease_ms * 2 / 15;
  return out;
}

runtime::session_options session_of(const options& how) {
  runtime::session_options out;
  out.user = runtime::component_user(how.user);
  out.user_agent = how.lease + "/leader-election";
  out.deadline = std::chrono::milliseconds(settings_of(how).renew_ms / 2);  // as client-go
  out.retries = 0;
  return out;
}

/// What outlives an elector: its next incarnation begins where the one before ended. Their lives do not overlap.
struct left_behind {
  caf::actor_addr work;  // the children's supervisor, if it has not ended
  bool gave_up = false;  // the children kept failing: others are to have a try
};

class elector final : public runtime::component<api::client_actor> {
 public:
  elector(caf::actor_config& config, const std::string& name, options how, std::vector<runtime::child_spec> children,
          std::shared_ptr<left_behind> before)
      : component(config, name),
        how_(std::move(how)),
        children_(std::move(children)),
        session_(*this, how_.server, session_of(how_)),
        left_(std::move(before)),
        state_(settings_of(how_)) {
    set_down_handler([this](caf::down_msg& down) { on_down(down); });
    set_exit_handler([this](caf::exit_msg& order) { on_order_to_end(std::move(order.reason)); });
  }

  behavior_type make_behavior() override {
    kept_ = caf::strong_actor_ptr{ctrl()};
    take_over();
    tick();
    return {[this](const api::response& m) { session_.handle(m); },
            [this](const api::watch_delivery& m) { session_.handle(m); }};
  }

  void on_exit() override {
    kept_ = nullptr;
    if (work_) runtime::request_stop(work_);
  }

 private:
  /// The children of the incarnation before may still be ending: ours must not run beside them.
  void take_over() {
    if (std::exchange(left_->gave_up, false)) state_.due_ms = steady_now_us() / 1000 + 2 * state_.config.retry_ms;
    auto old = caf::actor_cast<caf::strong_actor_ptr>(left_->work);
    if (!old) return;
    work_ = caf::actor_cast<runtime::local_supervisor>(old);
    inherited_ = true;
    monitor(work_);
    runtime::request_stop(work_);
  }

  void on_timer(std::uint64_t) override { tick(); }
  void tick() {
    start_timer(tick_interval, 0);
    if (!ending_) feed(clock_ticked{steady_now_us() / 1000, wall_now_ms()});
  }

  void feed(const event& e) {
    for (auto& one : step(state_, e)) std::visit([this](auto& x) { perform(x); }, one);
  }

  std::string target() const { return std::string(collection).append("/").append(how_.lease); }

  void perform(read_lease&) {
    session_.call(runtime::get(target()), [this](const api::response& answer) {
      if (answer.error.why == reason::not_found && !answer.error.ok()) return feed(lease_read{});
      if (!answer.error.ok() || !answer.object) return feed(call_failed{});
      feed(lease_read{true, record_of(answer)});
    });
  }
  void perform(write_lease& x) {
    auto order = x.create ? runtime::post(std::string(collection), x.json) : runtime::put(target(), x.json);
    session_.call(std::move(order), [this](const api::response& answer) {
      const auto why = answer.error.why;
      if (answer.error.ok() && answer.object) return feed(lease_written{true, record_of(answer)});
      if (!answer.error.ok() && (why == reason::conflict || why == reason::already_exists || why == reason::not_found))
        return feed(lease_written{});
      feed(call_failed{});
    });
  }
  void perform(lead&) {
    log(runtime::log_level::info, "leader.elected", "lease=" + how_.lease + " identity=" + how_.identity);
    if (work_) return;  // still ending since we stepped down: begun anew when it has
    work_ = runtime::spawn_supervisor(system(), "leading", children_);
    left_->work = work_->address();
    monitor(work_);
  }
  void perform(step_down&) {
    log(runtime::log_level::warn, "leader.lost", "lease=" + how_.lease + " identity=" + how_.identity);
    if (work_) runtime::request_stop(work_);
  }

  void on_down(const caf::down_msg& down) {
    if (!work_ || down.source != work_->address()) return;
    work_ = nullptr;
    left_->work = nullptr;
    const bool inherited = std::exchange(inherited_, false);
    if (ending_) return give_back();
    if (!state_.leads) return;
    const bool gave_up = !inherited && down.reason && down.reason != caf::exit_reason::user_shutdown;
    if (gave_up) return fail(down.reason);
    perform_lead();
  }
  /// Our supervisor counts how often: in the end this process goes. Meanwhile another one may do better.
  void fail(const caf::error& reason) {
    ending_ = left_->gave_up = true;
    why_ = caf::make_error(caf::sec::runtime_error, runtime::why_ended(reason));
    give_back();
  }
  void perform_lead() {
    lead again;
    perform(again);
  }

  void on_order_to_end(caf::error why) {
    if (ending_) return;
    ending_ = true;
    why_ = std::move(why);
    if (work_) return runtime::request_stop(work_);
    give_back();
  }
  /// The children have ended: others may lead.
  void give_back() {
    auto json = released(state_);
    if (json.empty()) return quit(why_);
    session_.call(
        runtime::put(target(), std::move(json)), [this](const api::response&) { quit(why_); }, release_limit);
  }

  options how_;
  std::vector<runtime::child_spec> children_;
  runtime::api_session session_;
  std::shared_ptr<left_behind> left_;
  state state_;
  runtime::local_supervisor work_;
  bool inherited_ = false;      // `work_` is that of the incarnation before, and ends
  caf::strong_actor_ptr kept_;  // CAF ends actors that nobody refers to
  bool ending_ = false;
  caf::error why_;
};

}  // namespace

runtime::child_spec child(const std::string& name, options how, std::vector<runtime::child_spec> children) {
  runtime::child_spec spec;
  spec.name = name;
  auto left = std::make_shared<left_behind>();
  spec.start = [name, how = std::move(how), children = std::move(children), left](caf::actor_system& system) {
    return caf::actor_cast<caf::strong_actor_ptr>(system.spawn<elector>(name, how, children, left));
  };
  // It ends only after its children have ended often, like a supervisor.
  spec.limit = runtime::supervisor_child({}, {}).limit;
  spec.stop_timeout = std::chrono::milliseconds(0);
  return spec;
}

}  // namespace troupe::leader
