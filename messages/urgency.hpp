// How soon work is done when there is more than fits: of actors and of API requests.
#pragma once

#include <cstddef>
#include <cstdint>

#include <msgpack.hpp>

namespace troupe {

/// Classes of work, the first ones first: what a waiting client waits for, what decides, what reports. Each has a share
/// for bad times (runtime/priority_scheduler.hpp). kube-apiserver's counterpart are the priority levels of API priority
/// and fairness (KEP-1040).
enum class urgency : std::uint8_t {
  serving,    // store, cachers, what the api_server does for clients
  deciding,   // scheduler, controllers, kubelets, and what the api_server does for them
  reporting,  // the pods' workers, and what the api_server does for them and for Events
};

inline constexpr std::size_t urgency_count = 3;

}  // namespace troupe

MSGPACK_ADD_ENUM(troupe::urgency)
