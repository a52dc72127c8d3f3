// Reads what the scheduler decides by from the API objects.
#pragma once

#include <string_view>

#include "actors/scheduler/types.hpp"
#include "messages/document.hpp"
#include "messages/object.hpp"
#include "messages/status.hpp"

namespace troupe::scheduler {

/// `scheduler_name`: pods that name it are ours.
result<pod_info> decode_pod(const object& pod, std::string_view scheduler_name);
result<node_info> decode_node(const object& node);

// The same from decoded objects; revision and, for a pod, uid stay as the document has them.
pod_info read_pod(const document& pod, std::string_view scheduler_name);
node_info read_node(const document& node);

}  // namespace troupe::scheduler
