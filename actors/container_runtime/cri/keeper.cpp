// See keeper.hpp.
#include "actors/container_runtime/cri/keeper.hpp"

#include <caf/allowed_unsafe_message_type.hpp>

#include "runtime/component.hpp"

namespace troupe::cri {

/// From the waiting thread: containerd has ended.
struct containerd_ended {
  std::string why;
};

using keeper_actor = caf::typed_actor<caf::reacts_to<containerd_ended>>;

namespace {

using namespace runtime;

constexpr std::int64_t first_wait_ms = 100;
constexpr std::int64_t longest_wait_ms = 10'000;
// Having run so long, it starts afresh: the next end is not a repetition.
constexpr std::int64_t good_run_ms = 30'000;

class keeper final : public component<keeper_actor> {
 public:
  keeper(caf::actor_config& settings, std::shared_ptr<private_containerd> kept)
      : component(settings, "containerd"), kept_(std::move(kept)) {}

  behavior_type make_behavior() override {
    begin();
    return {[this](const containerd_ended& m) { on_ended(m); }};
  }

  void on_exit() override { kept_->forget_listener(); }

 private:
  std::int64_t now_ms() const { return static_cast<std::int64_t>(steady_now_us() / 1000); }

  void begin() {
    started_ms_ = now_ms();
    auto me = caf::actor_cast<caf::actor_addr>(caf::strong_actor_ptr{ctrl()});
    auto bad = kept_->launch([me](std::string why) {
      if (auto alive = caf::actor_cast<caf::strong_actor_ptr>(me))
        caf::anon_send(caf::actor_cast<keeper_actor>(alive), containerd_ended{std::move(why)});
    });
    if (bad.empty())
      log(log_level::info, "containerd.started", "pid=" + std::to_string(kept_->pid()));
    else
      log(log_level::error, "containerd.start_failed", bad);
  }

  void on_ended(const containerd_ended& m) {
    if (now_ms() - started_ms_ >= good_run_ms) wait_ms_ = first_wait_ms;
    log(log_level::warn, "containerd.ended",
        m.why + ", again in_ms=" + std::to_string(wait_ms_) + " log=" + kept_->places().log);
    after(std::chrono::milliseconds(wait_ms_), [this] { begin(); });
    wait_ms_ = std::min(wait_ms_ * 2, longest_wait_ms);
  }

  std::shared_ptr<private_containerd> kept_;
  std::int64_t started_ms_ = 0;
  std::int64_t wait_ms_ = first_wait_ms;
};

}  // namespace

child_spec keeper_child(std::shared_ptr<private_containerd> kept) {
  return child<keeper_actor>("containerd",
                             [kept = std::move(kept)](caf::actor_system& in) { return in.spawn<keeper>(kept); });
}

}  // namespace troupe::cri

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::cri::containerd_ended)
