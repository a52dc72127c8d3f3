// A pod's volumes on the node: directories and files that its containers mount.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "actors/kubelet/container_settings.hpp"
#include "messages/document.hpp"

namespace troupe::kubelet {

/// Config maps and secrets that the pod's volumes name, each once.
std::vector<reference> volume_references(const document& pod);

/// Makes every volume below `root` (root/POD_UID/volumes/NAME) and tells their paths. With an empty root nothing is
/// written: containers on paper need no files. The text says what is wrong, as the FailedMount event shows it; empty:
/// all is there.
std::string make_volumes(const document& pod, const node_facts& node, const env_sources& sources,
                         const std::string& root, std::map<std::string, std::string>& paths);

/// Mounts of a part of a volume (subPath) are replaced by what they lead to; the text says which one leads out of its
/// volume: a container may have put a symbolic link there.
std::string resolve_mounts(std::vector<container::mount>& mounts,
                           const std::map<std::string, std::string>& volume_paths);

/// The pod's /etc/hosts below its directory; empty when it uses the host's or there is no root.
std::string make_hosts_file(const document& pod, const std::string& root, const std::vector<std::string>& pod_ips,
                            const std::string& cluster_domain);

/// Unmounts and removes what make_volumes made.
void remove_volumes(const std::string& pod_uid, const std::string& root);

/// Removes the folder of the pod's logs, "NAMESPACE_NAME_UID" below `log_root`.
void remove_logs(const std::string& pod_uid, const std::string& log_root);

}  // namespace troupe::kubelet
