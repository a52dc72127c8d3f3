// Takes down the pods of a runtime when the cluster is stopped. Blocks.
#pragma once

#include <string>

#include "messages/container_runtime.hpp"

namespace troupe::cri {

/// Stops and removes all sandboxes that carry the labels, side by side: containers get their stop signal and a short
/// time. What fails is left; the caller has other means.
void remove_pods(const std::string& socket, const container::label_list& labels);

}  // namespace troupe::cri
