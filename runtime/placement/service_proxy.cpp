// See service_proxy.hpp.
#include "runtime/placement/service_proxy.hpp"

#include "actors/kube_proxy/decode.hpp"
#include "actors/kube_proxy/kube_proxy.hpp"
#include "runtime/log.hpp"

namespace troupe::runtime {

std::optional<child_spec> proxy_child(const configuration& config, bool hollow, const std::string& address,
                                      const stable_ref<api::api_server_actor>& server, metrics::registry& measured) {
  const auto& wanted = config.kube_proxy.enabled;
  if (!config.runs("kube_proxy")) return std::nullopt;
  if (wanted == "false" || (wanted == "auto" && hollow)) return std::nullopt;
  if (auto why = kube_proxy::why_no_tables(); !why.empty()) {
    spdlog::warn("kube_proxy.off why={}", log_value(why));
    return std::nullopt;
  }
  kube_proxy::proxy_options how;
  how.server = server;
  for (std::int64_t i = 0; i < config.nodes.count; ++i)
    how.nodes.push_back(node_name(config, static_cast<std::size_t>(i)));
  how.pods = kube_proxy::parse_range(config.nodes.pod_cidr).value_or(kube_proxy::address_range{});
  how.make_announcer = [address] { return kube_proxy::kernel_announcer(address); };
  how.measured = std::make_shared<kube_proxy::proxy_metrics>(measured);
  return child<kube_proxy::kube_proxy_actor>(
      "kube_proxy", [how](caf::actor_system& in) { return kube_proxy::spawn_kube_proxy(in, how); });
}

}  // namespace troupe::runtime
