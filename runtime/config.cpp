// The table of configuration keys and its three readers.
#include "runtime/config.hpp"

#include <algorithm>
#include <fstream>
#include <functional>
#include <sstream>
#include <variant>

#include <yaml-cpp/yaml.h>

#include "messages/number.hpp"

namespace troupe::runtime {
namespace {

using target = std::variant<std::string*, std::int64_t*, bool*, std::vector<std::string>*>;

struct row {
  config_key key;
  std::function<target(configuration&)> field;
  std::int64_t least = 0;  // integers only
  std::int64_t most = INT64_MAX;
  std::vector<std::string> choices;  // strings, also of lists; empty: any
};

const std::vector<row>& rows() {
  static const std::vector<row> table = {
      {{"data_dir", "string", "where the store, certificates and traces live"},
       [](auto& c) { return &c.data_dir; },
       0,
       0,
       {}},
      {{"kubeconfig", "string", "administrator's kubeconfig to write"},
       [](auto& c) { return &c.kubeconfig; },
       0,
       0,
       {}},
      {{"components", "list of strings", "what runs in this process"},
       [](auto& c) { return &c.components; },
       0,
       0,
       {"store", "api_server", "controller_manager", "scheduler", "cloud_controller_manager", "nodes", "kube_proxy"}},
      {{"log.level", "string", "least severe message that is logged"},
       [](auto& c) { return &c.log.level; },
       0,
       0,
       {"trace", "debug", "info", "warn", "error"}},
      {{"log.file", "string", "log file; standard error when empty"}, [](auto& c) { return &c.log.file; }, 0, 0, {}},
      {{"store.backend", "string", "where objects are kept"},
       [](auto& c) { return &c.store.backend; },
       0,
       0,
       {"embedded", "memory", "etcd"}},
      {{"store.compact_seconds", "integer", "how often history is dropped"},
       [](auto& c) { return &c.store.compact_seconds; },
       1,
       86400,
       {}},
      {{"store.endpoints", "list of strings", "members of the etcd cluster"},
       [](auto& c) { return &c.store.endpoints; },
       0,
       0,
       {}},
      {{"store.ca", "string", "who signs the certificates of etcd's members"},
       [](auto& c) { return &c.store.ca; },
       0,
       0,
       {}},
      {{"store.cert", "string", "certificate shown to etcd"}, [](auto& c) { return &c.store.cert; }, 0, 0, {}},
      {{"store.key", "string", "its private key"}, [](auto& c) { return &c.store.key; }, 0, 0, {}},
      {{"api_server.listen", "string", "ADDRESS:PORT of the HTTPS API"},
       [](auto& c) { return &c.api_server.listen; },
       0,
       0,
       {}},
      {{"api_server.gateway_threads", "integer", "threads that do TLS and HTTP"},
       [](auto& c) { return &c.api_server.gateway_threads; },
       1,
       64,
       {}},
      {{"api_server.workers", "integer", "actors that run the request pipeline"},
       [](auto& c) { return &c.api_server.workers; },
       1,
       64,
       {}},
      {{"api_server.max_body_bytes", "integer", "largest request body"},
       [](auto& c) { return &c.api_server.max_body_bytes; },
       1024,
       1 << 30,
       {}},
      {{"api_server.max_inflight", "integer", "reading requests served at once"},
       [](auto& c) { return &c.api_server.max_inflight; },
       1,
       1000000,
       {}},
      {{"api_server.max_mutating_inflight", "integer", "changing requests served at once"},
       [](auto& c) { return &c.api_server.max_mutating_inflight; },
       1,
       1000000,
       {}},
      {{"api_server.service_cidr", "string", "range of cluster IPs"},
       [](auto& c) { return &c.api_server.service_cidr; },
       0,
       0,
       {}},
      {{"api_server.extra_names", "list of strings", "further names and addresses of the serving certificate"},
       [](auto& c) { return &c.api_server.extra_names; },
       0,
       0,
       {}},
      {{"api_server.certificate_seconds", "integer", "life of the serving and the administrator's certificate"},
       [](auto& c) { return &c.api_server.certificate_seconds; },
       5,
       10 * 365 * 24 * 3600,
       {}},
      {{"link.listen", "string", "ADDRESS:PORT for links"}, [](auto& c) { return &c.link.listen; }, 0, 0, {}},
      {{"link.servers", "list of strings", "ADDRESS:PORT of the control planes' links"},
       [](auto& c) { return &c.link.servers; },
       0,
       0,
       {}},
      {{"link.credentials", "string", "folder of a node's or component's certificates"},
       [](auto& c) { return &c.link.credentials; },
       0,
       0,
       {}},
      {{"nodes.runtime", "string", "what runs the containers"},
       [](auto& c) { return &c.nodes.runtime; },
       0,
       0,
       {"auto", "cri", "hollow"}},
      {{"nodes.count", "integer", "nodes of the local cluster"}, [](auto& c) { return &c.nodes.count; }, 0, 100000, {}},
      {{"nodes.name_prefix", "string", "node name, or its prefix with several nodes"},
       [](auto& c) { return &c.nodes.name_prefix; },
       0,
       0,
       {}},
      {{"nodes.pod_cidr", "string", "range of pod IPs; each node gets a part"},
       [](auto& c) { return &c.nodes.pod_cidr; },
       0,
       0,
       {}},
      {{"nodes.heartbeat_seconds", "integer", "how often a node renews its Lease"},
       [](auto& c) { return &c.nodes.heartbeat_seconds; },
       1,
       3600,
       {}},
      {{"nodes.cri_socket", "string", "socket of a running container runtime"},
       [](auto& c) { return &c.nodes.cri_socket; },
       0,
       0,
       {}},
      {{"controllers.node_grace_seconds", "integer", "a node without heartbeat for so long is NotReady"},
       [](auto& c) { return &c.controllers.node_grace_seconds; },
       1,
       86400,
       {}},
      {{"controllers.eviction_seconds", "integer", "how long pods stay on a node that is NotReady"},
       [](auto& c) { return &c.controllers.eviction_seconds; },
       0,
       86400,
       {}},
      {{"controllers.leader_lease_seconds", "integer", "when a process that led and died is followed by another one"},
       [](auto& c) { return &c.controllers.leader_lease_seconds; },
       3,
       3600,
       {}},
      {{"controllers.cluster_signing_cert_file", "string", "certificate of what signs certificates"},
       [](auto& c) { return &c.controllers.cluster_signing_cert_file; },
       0,
       0,
       {}},
      {{"controllers.cluster_signing_key_file", "string", "its private key"},
       [](auto& c) { return &c.controllers.cluster_signing_key_file; },
       0,
       0,
       {}},
      {{"kube_proxy.enabled", "string", "whether Services are served on this machine"},
       [](auto& c) { return &c.kube_proxy.enabled; },
       0,
       0,
       {"auto", "true", "false"}},
      {{"cloud.provider", "string", "who knows the machines behind the nodes"},
       [](auto& c) { return &c.cloud.provider; },
       0,
       0,
       {"auto", "local", "none"}},
      {{"cloud.load_balancer_pool", "string", "addresses that LoadBalancer Services are given"},
       [](auto& c) { return &c.cloud.load_balancer_pool; },
       0,
       0,
       {}},
      {{"trace.enabled", "boolean", "record every component's events and effects"},
       [](auto& c) { return &c.trace.enabled; },
       0,
       0,
       {}},
      {{"trace.max_bytes", "integer", "most bytes of recorded traces kept"},
       [](auto& c) { return &c.trace.max_bytes; },
       1 << 20,
       INT64_MAX,
       {}},
      {{"debug.allow_crash", "boolean", "let `troupe debug crash` end a component"},
       [](auto& c) { return &c.debug.allow_crash; },
       0,
       0,
       {}},
  };
  return table;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> line(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) line[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = line[0];
    line[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t above = line[j];
      line[j] = std::min({line[j] + 1, line[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return line[b.size()];
}

status refuse(std::string_view where, std::string message) {
  return bad_request(std::string(where) + ": " + std::move(message));
}

const row* find_row(std::string_view name) {
  for (const auto& r : rows())
    if (r.key.name == name) return &r;
  return nullptr;
}

status unknown_key(std::string_view where, std::string_view name) {
  std::vector<std::string> names;
  for (const auto& r : rows()) {
    names.emplace_back(r.key.name);
    // A section's name is as good an answer as a key's.
    if (auto dot = r.key.name.find('.'); dot != std::string_view::npos) names.emplace_back(r.key.name.substr(0, dot));
  }
  auto near = nearest(name, names);
  auto hint = near.empty() ? std::string() : "; did you mean \"" + near + "\"?";
  return refuse(where, "unknown key \"" + std::string(name) + "\"" + hint);
}

/// `found`: the value in quotes, or what it is.
status wrong_type(std::string_view where, const row& r, const std::string& found) {
  return refuse(where, "\"" + std::string(r.key.name) + "\" must be " + (r.key.type.starts_with('i') ? "an " : "a ") +
                           std::string(r.key.type) + ", not " + found);
}

std::string in_quotes(std::string_view text) { return "\"" + std::string(text) + "\""; }

/// Whether the text is one of the row's choices, where it has some.
status check_choice(std::string_view where, const row& r, const std::string& value) {
  if (r.choices.empty() || std::find(r.choices.begin(), r.choices.end(), value) != r.choices.end()) return {};
  std::string list;
  for (const auto& choice : r.choices) list += (list.empty() ? "" : ", ") + choice;
  auto text = "\"" + std::string(r.key.name) + "\" must be one of " + list + ", not " + in_quotes(value);
  if (auto near = nearest(value, r.choices); !near.empty())
    text.append("; did you mean ").append(in_quotes(near)).append("?");
  return refuse(where, std::move(text));
}

status assign(std::string_view where, const row& r, std::string_view text, configuration& out) {
  auto field = r.field(out);
  if (auto** string = std::get_if<std::string*>(&field)) {
    std::string value(text);
    if (auto bad = check_choice(where, r, value); !bad.ok()) return bad;
    **string = std::move(value);
  } else if (auto** integer = std::get_if<std::int64_t*>(&field)) {
    const auto value = number_in<std::int64_t>(text);
    if (!value) return wrong_type(where, r, in_quotes(text));
    if (*value < r.least || *value > r.most)
      return refuse(where, "\"" + std::string(r.key.name) + "\" must be between " + std::to_string(r.least) + " and " +
                               std::to_string(r.most) + ", not " + std::to_string(*value));
    **integer = *value;
  } else if (auto** boolean = std::get_if<bool*>(&field)) {
    if (text != "true" && text != "false") return wrong_type(where, r, in_quotes(text));
    **boolean = text == "true";
  } else {
    if (auto bad = check_choice(where, r, std::string(text)); !bad.ok()) return bad;
    std::get<std::vector<std::string>*>(field)->emplace_back(text);
  }
  return {};
}

std::string at_line(std::string_view source, const YAML::Node& node) {
  return std::string(source) + ":" + std::to_string(node.Mark().line + 1);
}

bool is_section(std::string_view name) {
  return std::any_of(rows().begin(), rows().end(), [&](const row& r) {
    return r.key.name.size() > name.size() && r.key.name.starts_with(name) && r.key.name[name.size()] == '.';
  });
}

status read_value(std::string_view source, const row& r, const YAML::Node& value, configuration& out) {
  bool list = r.key.type == "list of strings";
  if (value.IsNull()) return {};  // a key without value keeps its default
  if (!list && !value.IsScalar())
    return wrong_type(at_line(source, value), r, value.IsSequence() ? "a list" : "a mapping");
  if (!list) return assign(at_line(source, value), r, value.Scalar(), out);
  if (!value.IsSequence())
    return wrong_type(at_line(source, value), r, value.IsScalar() ? in_quotes(value.Scalar()) : "a mapping");
  std::get<std::vector<std::string>*>(r.field(out))->clear();
  for (const auto& element : value) {
    if (!element.IsScalar()) return wrong_type(at_line(source, element), r, "a list of something else");
    if (auto bad = assign(at_line(source, element), r, element.Scalar(), out); !bad.ok()) return bad;
  }
  return {};
}

status read_mapping(std::string_view source, const std::string& prefix, const YAML::Node& mapping, configuration& out) {
  for (const auto& entry : mapping) {
    auto name = prefix + entry.first.Scalar();
    status bad;
    if (const row* r = find_row(name)) {
      bad = read_value(source, *r, entry.second, out);
    } else if (!is_section(name)) {
      bad = unknown_key(at_line(source, entry.first), name);
    } else if (entry.second.IsMap()) {
      bad = read_mapping(source, name + ".", entry.second, out);
    } else if (!entry.second.IsNull()) {
      bad = refuse(at_line(source, entry.second), "\"" + name + "\" must be a mapping");
    }
    if (!bad.ok()) return bad;
  }
  return {};
}

}  // namespace

bool configuration::runs(std::string_view component) const {
  return components.empty() || std::find(components.begin(), components.end(), component) != components.end();
}

const std::vector<config_key>& config_keys() {
  static const std::vector<config_key> keys = [] {
    std::vector<config_key> list;
    list.reserve(rows().size());
    for (const auto& r : rows()) list.push_back(r.key);
    return list;
  }();
  return keys;
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t least = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const auto& candidate : candidates) {
    auto distance = edit_distance(word, candidate);
    // The last part alone may be what was meant: "listen" for "api_server.listen".
    if (auto dot = candidate.rfind('.'); dot != std::string::npos)
      distance = std::min(distance, edit_distance(word, candidate.substr(dot + 1)) + 1);
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

status parse_config(std::string_view yaml, std::string_view source, configuration& out) {
  YAML::Node root;
  try {
    root = YAML::Load(std::string(yaml));
  } catch (const YAML::Exception& broken) {
    return refuse(std::string(source) + ":" + std::to_string(broken.mark.line + 1), broken.msg);
  }
  if (root.IsNull()) return {};
  if (!root.IsMap()) return refuse(source, "the configuration must be a mapping");
  return read_mapping(source, "", root, out);
}

status load_config(const std::string& path, configuration& out) {
  std::ifstream file(path);
  if (!file) return bad_request("cannot read configuration file " + path);
  std::stringstream text;
  text << file.rdbuf();
  return parse_config(text.str(), path, out);
}

status set_config(std::string_view assignment, configuration& out) {
  auto equals = assignment.find('=');
  if (equals == std::string_view::npos)
    return refuse("--set " + std::string(assignment), "must have the form key=value");
  auto name = assignment.substr(0, equals);
  auto where = "--set " + std::string(assignment);
  const row* r = find_row(name);
  if (!r) return unknown_key(where, name);
  return assign(where, *r, assignment.substr(equals + 1), out);
}

std::optional<host_and_port> split_address(std::string_view text) {
  auto colon = text.rfind(':');
  if (colon == 0 || colon == std::string_view::npos) return std::nullopt;
  host_and_port out;
  auto port = number_in<std::uint16_t>(text.substr(colon + 1));
  if (!port) return std::nullopt;
  out.port = *port;
  auto host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  out.host = std::string(host);
  return out;
}

}  // namespace troupe::runtime
