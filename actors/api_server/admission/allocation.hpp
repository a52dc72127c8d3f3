// Cluster IPs and node ports of Services.
//
// Every address taken is an IPAddress object, every node port a key below /registry/ranges/, written in the same store
// transaction as the Service and demanded not to exist: two workers that choose the same one cannot both succeed, and a
// crash leaves neither a leak nor a double use. What is free is guessed from the snapshots; a wrong guess is repeated.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/api_server/admission/plugins.hpp"
#include "messages/document.hpp"
#include "messages/status.hpp"

namespace troupe::api::rules {

/// The cluster's ranges (kube-apiserver's --service-cluster-ip-range and --service-node-port-range).
struct service_ranges {
  std::uint32_t network = (10u << 24) | (96u << 16);
  int prefix = 16;
  std::int64_t first_port = 30000;
  std::int64_t last_port = 32767;
};

/// A key to write or erase together with the Service.
struct reservation {
  std::string key;
  std::uint64_t expected_revision = 0;
  bool erase = false;
  bool unconditional = false;
  std::string value;
};

struct allocation_input {
  const admission_request* request = nullptr;
  service_ranges ranges;
  std::uint64_t random = 0;
  const std::vector<std::string>* taken = nullptr;  // keys an earlier attempt found taken
  std::function<std::string()> new_uid;
};

/// Fills what the Service needs and adds what has to be written with it. Not ok: 422 with upstream's words, or 500 when
/// a range is full.
status allocate_service(const allocation_input& input, std::vector<reservation>& out);

}  // namespace troupe::api::rules
