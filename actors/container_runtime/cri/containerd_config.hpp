// What a private containerd is told: where it lives, its configuration, the pods' network. Pure.
#pragma once

#include <string>
#include <vector>

namespace troupe::cri {

/// The network of one node's pods.
struct node_network {
  std::string pod_cidr;  // "10.244.1.0/24"; empty: not known yet
};

struct containerd_settings {
  std::string data_dir;  // absolute
  std::string cluster_cidr;
  std::vector<node_network> nodes;
  std::string runc = "/usr/sbin/runc";
  std::string plugin_dir = "/usr/lib/cni";
  std::string snapshotter = "overlayfs";
};

/// Where everything of a private containerd lies. What must not outlive the machine is below /run, with a name made of
/// the data directory: a unix socket's path may have 107 bytes only, a link's name 15.
struct containerd_places {
  std::string tag;       // eight hexadecimal digits
  std::string home;      // DATA/containerd: images, log, lock
  std::string root;      // DATA/containerd/root
  std::string log;       // DATA/containerd/log
  std::string lock;      // DATA/containerd/lock
  std::string address;   // DATA/containerd/address: a file that tells the socket, for `troupe image`
  std::string pods;      // DATA/pods: volumes
  std::string pod_logs;  // DATA/logs
  std::string run;       // /run/troupe-TAG
  std::string state;     // RUN/state
  std::string socket;    // RUN/containerd.sock
  std::string config;    // RUN/containerd.toml
  std::string pid;       // RUN/containerd.pid
  std::string before;    // RUN/before: how the machine was
  std::string cgroup;    // "/troupe-TAG", of all containers
  std::string table;     // "troupe_TAG", of nftables
};

containerd_places places_of(const std::string& data_dir);

/// The link that joins a node's pods: "trp0-TAG".
std::string bridge_name(const containerd_places& at, std::size_t node);
/// Folder with a node's CNI configuration.
std::string network_folder(const containerd_places& at, std::size_t node);
/// The runtime handler that puts pods into a node's network; empty: containerd's default.
std::string handler_name(std::size_t node);

/// containerd's configuration file (version 2).
std::string containerd_config(const containerd_places& at, const containerd_settings& settings);
/// A node's CNI configuration list: a bridge with addresses of the node's pod range, host ports by portmap.
std::string network_config(const containerd_places& at, const containerd_settings& settings, std::size_t node);
/// nftables rules that give pods the machine's address when they talk to anybody outside the cluster.
std::string masquerade_rules(const containerd_places& at, const containerd_settings& settings);

}  // namespace troupe::cri
