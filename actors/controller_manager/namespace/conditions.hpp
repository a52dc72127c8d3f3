// What a namespace's status says about a deletion that takes time.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "messages/views/core_v1.hpp"

namespace troupe::controllers {

/// Of one resource: how many objects the last look found, and how many of the shown ones each finalizer holds.
struct left_over {
  std::int64_t count = 0;
  std::map<std::string, std::int64_t> finalizers;
};
using left_overs = std::map<std::uint16_t, left_over>;  // by schema resource index

/// Reads the answer to a look, a list of at most a page; no count where it cannot be read.
left_over read_left_over(std::string_view list);

/// Puts the conditions of a namespace that is not empty yet into its status; false when they are there already. Types,
/// reasons and messages: k8s.io/kubernetes/pkg/controller/namespace/deletion/status_condition_utils.go.
bool set_conditions(document& space, const left_overs& left, const std::string& now);

}  // namespace troupe::controllers
