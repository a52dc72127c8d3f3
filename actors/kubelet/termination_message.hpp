// What a container says of its end: a file that it may write (terminationMessagePath), or the end of its log.
#pragma once

#include <string>

#include "messages/container_runtime.hpp"

namespace troupe::kubelet {

/// Makes the file below `root` (root/POD_UID/messages/CONTAINER-ATTEMPT) that the container gets at its
/// terminationMessagePath. Empty: it cannot be made.
std::string make_message_file(const std::string& root, const std::string& pod_uid, const std::string& container,
                              std::uint32_t attempt);

/// Fills in the message of a container that has ended, unless the runtime gave one: at most 4096 bytes of the file;
/// with terminationMessagePolicy FallbackToLogsOnError, when it failed and the file is empty, the last 80 lines of its
/// log, at most 2048 bytes.
void add_message(container::container_status& of, const std::string& root);

}  // namespace troupe::kubelet
