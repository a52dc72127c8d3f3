// Exact arithmetic on quantities, for comparing limits with requests and adding up containers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "messages/document.hpp"

namespace troupe::api::rules {

/// A quantity in nano-units: 128 bits hold every value Kubernetes allows (up to 2^63 whole units).
struct quantity {
  __extension__ typedef __int128 wide;
  wide nanos = 0;
  bool binary = false;  // written with Ki, Mi, ...
  friend auto operator<=>(const quantity& a, const quantity& b) { return a.nanos <=> b.nanos; }
  friend bool operator==(const quantity& a, const quantity& b) { return a.nanos == b.nanos; }
  /// Canonical text.
  std::string text() const;
  bool whole() const { return nanos % 1000000000 == 0; }
};

/// The value of a quantity's text or number; zero where it is none (conform has checked before).
quantity parse_quantity(std::string_view text);
quantity to_quantity(const node* value);

using resource_sums = std::vector<std::pair<std::string, quantity>>;  // sorted by name
/// What a pod's containers ask for (`side` is "requests" or "limits") as the scheduler counts it: the sum of containers
/// and sidecars, or the largest init container where that is more.
resource_sums aggregate_containers(const node& pod_spec, std::string_view side);

/// "Guaranteed", "Burstable" or "BestEffort".
std::string_view pod_qos(const node& pod_spec);

}  // namespace troupe::api::rules
