// The proxy's shell: watches Services and EndpointSlices, feeds the core, hands its batches to the kernel.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "actors/kube_proxy/announcer.hpp"
#include "actors/kube_proxy/core.hpp"
#include "actors/kube_proxy/edge.hpp"
#include "actors/kube_proxy/types.hpp"
#include "messages/kube_proxy.hpp"
#include "runtime/metrics.hpp"
#include "runtime/stable_ref.hpp"

namespace troupe::kube_proxy {

/// What is counted, under kube-proxy's names (k8s.io/kubernetes/pkg/proxy/metrics). Made once a process.
struct proxy_metrics {
  explicit proxy_metrics(metrics::registry& all);
  metrics::histogram& sync;          // seconds from the batch's sending to its answer
  metrics::histogram& whole_sync;    // the same, of whole tables
  metrics::histogram& partial_sync;  // the same, of changes
  metrics::counter& failures;
  metrics::counter& service_changes;
  metrics::counter& endpoint_changes;
  metrics::gauge& last_sync;  // Unix seconds
};

struct proxy_options {
  runtime::stable_ref<api::api_server_actor> server;
  std::vector<std::string> nodes;           // names of this machine's nodes: their pods are local
  address_range pods;                       // addresses of the cluster's pods
  std::shared_ptr<proxy_metrics> measured;  // may be null
  /// Makes the way to the kernel, once per incarnation; empty: nft_driver.
  std::function<std::unique_ptr<table_edge>()> make_edge;
  /// Makes what answers ARP for balancers' addresses, once per incarnation; empty: nobody does.
  std::function<std::unique_ptr<announcer>()> make_announcer;
  options core;
  std::int64_t probe_ms = 30'000;  // how often the table is looked for
};

/// Starts the proxy. Stopped cleanly, it takes its table and announced addresses with it; when it crashes, the table
/// goes on serving until the next incarnation replaces it.
kube_proxy_actor spawn_kube_proxy(caf::actor_system& system, proxy_options options);

/// Why this process cannot keep tables: rights or libraries that are missing; empty when it can.
std::string why_no_tables();

}  // namespace troupe::kube_proxy
