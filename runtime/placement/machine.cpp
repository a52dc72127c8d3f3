// See machine.hpp.
#include "runtime/placement/machine.hpp"

#include <cctype>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "actors/container_runtime/cri/cri.hpp"
#include "actors/container_runtime/cri/leftovers.hpp"
#include "actors/container_runtime/cri/loader.hpp"
#include "actors/container_runtime/cri/pods.hpp"
#include "runtime/host_address.hpp"

namespace troupe::runtime {
namespace {

constexpr const char* usual_socket = "/run/containerd/containerd.sock";
constexpr std::int64_t most_nodes = 100;  // that share one runtime

bool listens(const std::string& socket_path) {
  sockaddr_un address{};
  if (socket_path.size() >= sizeof address.sun_path) return false;
  address.sun_family = AF_UNIX;
  socket_path.copy(address.sun_path, sizeof address.sun_path - 1);
  int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool good = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return good;
}

/// Why the runtime behind the socket cannot be used; empty: it can.
std::string why_not(const std::string& socket) {
  if (!listens(socket)) return "nobody listens at " + socket;
  auto opened = cri::open_client(socket);
  if (!opened) return opened.error().message;
  cri::answer came;
  if (auto bad = cri::ask_and_wait(**opened, container::get_status{}, &came); !bad.ok())
    return "the runtime at " + socket + " does not speak CRI v1: " + bad.message;
  auto& status = std::get<container::status_info>(std::get<container::outcome>(came));
  if (!status.network_ready) return "the runtime at " + socket + " has no network: " + status.network_message;
  return {};
}

/// The machine's address; where it has no way out, the first one of the pods' bridge.
std::string node_address(const std::string& pod_cidr) {
  if (auto own = host_address(); !own.empty()) return own;
  auto base = pod_cidr.substr(0, pod_cidr.find('/'));
  return base.substr(0, base.rfind('.') + 1) + "1";
}

status check_pod_range(const configuration& config) {
  in_addr base{};
  auto slash = config.nodes.pod_cidr.find('/');
  if (slash == std::string::npos || inet_pton(AF_INET, config.nodes.pod_cidr.substr(0, slash).c_str(), &base) != 1)
    return bad_request("nodes.pod_cidr: must be an IPv4 range as 10.244.0.0/16, not \"" + config.nodes.pod_cidr + "\"");
  return {};
}

}  // namespace

std::string pod_cidr_of(const std::string& cluster, std::size_t index) {
  in_addr base{};
  inet_pton(AF_INET, cluster.substr(0, cluster.find('/')).c_str(), &base);
  base.s_addr = htonl(ntohl(base.s_addr) + static_cast<std::uint32_t>(index << 8));
  char text[INET_ADDRSTRLEN];
  return std::string(inet_ntop(AF_INET, &base, text, sizeof text)) + "/24";
}

bool ranges_are_given(const configuration& config) {
  return !config.link.servers.empty() || !config.runs("controller_manager");
}

std::string node_name(const configuration& config, std::size_t index) {
  auto name = config.nodes.name_prefix;
  if (config.nodes.runtime == "hollow") return (name.empty() ? "hollow-" : name) + std::to_string(index);
  bool numbered = index > 0;
  if (name.empty()) {
    char host[256] = "node";
    gethostname(host, sizeof host - 1);
    // As a kubelet: a name of the API is in lower case.
    for (char c : std::string(host)) name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  } else {
    numbered = config.nodes.count > 1;
  }
  if (!numbered) return name;
  return name + (name.ends_with('-') ? "" : "-") + std::to_string(index);
}

result<std::unique_ptr<machine>> machine::open(configuration& config) {
  if (auto bad = check_pod_range(config); !bad.ok()) return bad;
  std::unique_ptr<machine> made(new machine);
  auto& wanted = config.nodes.runtime;
  if (wanted == "hollow") return made;
  bool demanded = wanted == "cri";
  std::string why;
  if (config.data_dir.empty()) {
    why = "containers need a data directory (--data-dir)";
  } else if (config.nodes.count > most_nodes) {
    why = fmt::format("nodes.count: at most {} nodes can share a container runtime", most_nodes);
  } else if (!config.nodes.cri_socket.empty()) {
    why = why_not(config.nodes.cri_socket);
    if (why.empty()) made->socket_ = config.nodes.cri_socket;
  } else if (!demanded && why_not(usual_socket).empty()) {
    made->socket_ = usual_socket;
  } else if (auto bad = made->take_private(config); !bad.ok()) {
    why = bad.message;
  }
  if (!why.empty() && demanded) return bad_request("nodes.runtime cri: " + why);
  wanted = why.empty() ? "cri" : "hollow";
  if (!why.empty()) {
    spdlog::warn("nodes.hollow nodes.runtime is auto, but no containers can be run: {}", why);
    return made;
  }
  made->data_dir_ = config.data_dir;
  made->address_ = node_address(pod_cidr_of(config.nodes.pod_cidr, 0));
  for (std::size_t i = 0; i < static_cast<std::size_t>(config.nodes.count); ++i)
    made->nodes_.push_back(node_name(config, i));
  spdlog::info("nodes.runtime socket={} private={}", made->socket_, made->containerd_ != nullptr);
  return made;
}

status machine::take_private(const configuration& config) {
  cri::containerd_settings settings;
  settings.data_dir = config.data_dir;
  settings.cluster_cidr = config.nodes.pod_cidr;
  for (std::size_t i = 0; i < static_cast<std::size_t>(config.nodes.count); ++i)
    settings.nodes.push_back({ranges_are_given(config) ? std::string() : pod_cidr_of(config.nodes.pod_cidr, i)});
  // That the module loads is known before anything is started.
  if (auto loads = cri::open_client(cri::places_of(config.data_dir).socket); !loads) return loads.error();
  auto made = cri::private_containerd::prepare(std::move(settings));
  if (!made) return made.error();
  containerd_ = std::move(*made);
  socket_ = containerd_->places().socket;
  return {};
}

std::string machine::use_range(std::size_t index, const std::string& pod_cidr) const {
  return containerd_ ? containerd_->use_range(index, pod_cidr) : std::string();
}

void machine::clean_up() {
  if (containerd_) {
    containerd_->remove_everything();
    containerd_.reset();
  } else {
    for (auto& node : nodes_) cri::remove_pods(socket_, {{cri::node_label, node}});
    if (!hollow()) cri::remove_pod_traces(cri::places_of(data_dir_));
  }
}

}  // namespace troupe::runtime
