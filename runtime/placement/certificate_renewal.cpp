// See certificate_renewal.hpp.
#include "runtime/placement/certificate_renewal.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "runtime/component.hpp"
#include "runtime/log.hpp"

namespace troupe::runtime {
namespace {

using renewal_actor = caf::typed_actor<caf::reacts_to<timer_due>>;

class certificate_renewal final : public component<renewal_actor> {
 public:
  certificate_renewal(caf::actor_config& settings, renewal_options how)
      : component(settings, "certificates"),
        how_(std::move(how)),
        period_(std::clamp<std::int64_t>(pki::renewal_window(how_.issued.valid_seconds) * 250, 250, 60'000)) {}

  behavior_type make_behavior() override {
    start_timer(period_, 0);
    return {[this](const timer_due&) {
      if (auto bad = look(); !bad.ok())
        log(log_level::warn, "certificates.not_renewed", "why=" + log_value(bad.message));
      start_timer(period_, 0);
    }};
  }

 private:
  status look() {
    auto now = how_.used;
    auto seconds = static_cast<std::int64_t>(wall_now_ms() / 1000);
    if (auto bad = pki::renew_issued(how_.directory, how_.issued, seconds, now); !bad.ok()) return bad;
    if (now.serving.certificate != how_.used.serving.certificate) {
      if (auto bad = how_.serve(now); !bad.ok()) return bad;
      how_.used.serving = now.serving;
      tell("apiserver", now.serving);
    }
    if (now.admin.certificate != how_.used.admin.certificate) {
      if (auto bad = give_admin(now.admin); !bad.ok()) return bad;
      how_.used.admin = now.admin;
      tell("admin", now.admin);
    }
    return {};
  }

  /// What else is in the kubeconfig is its owner's; so is one that names another client by now.
  status give_admin(const pki::key_pair& now) const {
    if (how_.kubeconfig.empty()) return {};
    auto text = pki::read_file(how_.kubeconfig);
    if (!text) return text.error().why == reason::not_found ? status() : text.error();
    auto changed = pki::replace_client(std::move(*text), how_.used.admin, now);
    return changed.empty() ? status() : pki::write_file(how_.kubeconfig, changed, 0600);
  }

  void tell(const char* name, const pki::key_pair& pair) const {
    log(log_level::info, "certificates.renewed",
        std::string("name=") + name + " ends=" + std::to_string(pki::not_after(pair.certificate)));
  }

  renewal_options how_;
  const std::chrono::milliseconds period_;
};

}  // namespace

child_spec certificate_renewal_child(renewal_options how) {
  return child<renewal_actor>(
      "certificates", [how = std::move(how)](caf::actor_system& in) { return in.spawn<certificate_renewal>(how); });
}

}  // namespace troupe::runtime
