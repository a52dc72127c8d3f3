// The downward API: values of a pod's own fields and resources.
#include <algorithm>

#include "actors/kubelet/container_settings.hpp"
#include "actors/kubelet/environment.hpp"
#include "messages/schema/codec.hpp"

namespace troupe::kubelet {
namespace {

/// "metadata.labels['a']": the key in the brackets.
bool bracketed(std::string_view path, std::string_view prefix, std::string_view& key) {
  if (path.substr(0, prefix.size()) != prefix) return false;
  path.remove_prefix(prefix.size());
  if (path.size() < 4 || path.substr(0, 2) != "['" || path.substr(path.size() - 2) != "']") return false;
  key = path.substr(2, path.size() - 4);
  return true;
}

std::string joined(const std::vector<std::string>& list) {
  std::string out;
  for (auto& one : list) out += (out.empty() ? "" : ",") + one;
  return out;
}

/// As the downward API's volumes print maps: key="value", one a line.
std::string map_text(const map_view& map) {
  std::string out;
  for (auto [key, value] : map) {
    out += (out.empty() ? "" : "\n") + std::string(key) + "=";
    append_json_string(out, value);
  }
  return out;
}

}  // namespace

bool field_value(const document& doc, const node_facts& node, const std::vector<std::string>& pod_ips,
                 std::string_view path, std::string& out) {
  core_v1::pod_view pod(doc);
  auto meta = pod.metadata();
  auto ips = pod.spec().host_network() ? std::vector<std::string>{node.host_ip} : pod_ips;
  std::string_view key;
  if (bracketed(path, "metadata.labels", key)) return out = meta.labels().get(key), true;
  if (bracketed(path, "metadata.annotations", key)) return out = meta.annotations().get(key), true;
  if (path == "metadata.labels") return out = map_text(meta.labels()), true;
  if (path == "metadata.annotations") return out = map_text(meta.annotations()), true;
  if (path == "metadata.name") return out = meta.name(), true;
  if (path == "metadata.namespace") return out = meta.namespace_(), true;
  if (path == "metadata.uid") return out = meta.uid(), true;
  if (path == "spec.nodeName") return out = node.node_name, true;
  if (path == "spec.serviceAccountName") return out = pod.spec().service_account_name(), true;
  if (path == "status.hostIP" || path == "status.hostIPs") return out = node.host_ip, true;
  if (path == "status.podIP") return out = ips.empty() ? "" : ips.front(), true;
  if (path == "status.podIPs") return out = joined(ips), true;
  return false;
}

bool resource_value(const document& pod, const node_facts& node, std::string_view container, std::string_view resource,
                    std::string_view divisor, std::string& out) {
  auto dot = resource.find('.');
  if (dot == resource.npos) return false;
  auto group = resource.substr(0, dot), name = resource.substr(dot + 1);
  auto c = find_container(pod, container);
  if (!c || (group != "limits" && group != "requests")) return false;
  auto limits = c.resources().limits(), requests = c.resources().requests();
  auto text = group == "limits" ? limits.find(name) : requests.find(name);
  if (divisor.empty() || divisor == "0") divisor = "1";
  std::int64_t value = 0, by = 1;
  if (name == "cpu") {
    if (text) schema::quantity_milli(*text, value);
    if (!text && group == "limits") value = node.milli_cpu;
    schema::quantity_milli(divisor, by);
  } else {
    if (text) schema::quantity_value(*text, value);
    if (!text && group == "limits") value = name == "memory" ? node.memory : node.ephemeral_storage;
    schema::quantity_value(divisor, by);
  }
  if (by <= 0) by = 1;
  out = std::to_string((value + by - 1) / by);
  return true;
}

bool decode_base64(std::string_view text, std::string& out) {
  out.clear();
  std::uint32_t bits = 0;
  int held = 0;
  for (char c : text) {
    std::uint32_t value;
    if (c >= 'A' && c <= 'Z')
      value = static_cast<std::uint32_t>(c - 'A');
    else if (c >= 'a' && c <= 'z')
      value = static_cast<std::uint32_t>(c - 'a' + 26);
    else if (c >= '0' && c <= '9')
      value = static_cast<std::uint32_t>(c - '0' + 52);
    else if (c == '+')
      value = 62;
    else if (c == '/')
      value = 63;
    else if (c == '=' || c == '\n' || c == '\r')
      continue;
    else
      return false;
    bits = bits << 6 | value;
    held += 6;
    if (held >= 8) {
      held -= 8;
      out += static_cast<char>(bits >> held & 0xff);
    }
  }
  return true;
}

}  // namespace troupe::kubelet
