// See service_proxy.hpp.
#include "runtime/placement/service_proxy.hpp"

#include "actors/kube_proxy/decode.hpp"
#include "actors/kube_proxy/kube_proxy.hpp"
#include "runtime/log.hpp"
#include "runtime/placement/nodes.hpp"

namespace troupe::runtime {

std::optional<child_spec> proxy_child(const configuration& config, const stable_ref<api::api_server_actor>& server,
                                      metrics::registry& measured) {
  const auto& wanted = config.kube_proxy.enabled;
  if (wanted == "false" || (wanted == "auto" && config.nodes.runtime != "cri")) return std::nullopt;
  if (auto why = kube_proxy::why_no_tables(); !why.empty()) {
    spdlog::warn("kube_proxy.off why={}", log_value(why));
    return std::nullopt;
  }
  kube_proxy::proxy_options how;
  how.server = server;
  how.nodes = node_names(config);
  how.pods = kube_proxy::parse_range(config.nodes.pod_cidr).value_or(kube_proxy::address_range{});
  how.measured = std::make_shared<kube_proxy::proxy_metrics>(measured);
  return child<kube_proxy::kube_proxy_actor>(
      "kube_proxy", [how](caf::actor_system& in) { return kube_proxy::spawn_kube_proxy(in, how); });
}

}  // namespace troupe::runtime
