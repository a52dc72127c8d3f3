// A container's environment.
#include <algorithm>
#include <set>

#include "actors/kubelet/container_settings.hpp"
#include "actors/kubelet/environment.hpp"
#include "messages/schema/codec.hpp"
#include "messages/views/core_v1.hpp"

namespace troupe::kubelet {
namespace {

const document* find_source(const std::map<std::string, std::shared_ptr<const document>>& all, std::string_view name) {
  auto found = all.find(std::string(name));
  return found == all.end() ? nullptr : found->second.get();
}

std::string missing(bool secret, std::string_view name) {
  return std::string(secret ? "secret" : "configmap") + " \"" + std::string(name) + "\" not found";
}

bool key_of(const document& doc, bool secret, std::string_view key, std::string& out) {
  if (secret) {
    auto value = doc.root().find("data", key);
    return value && decode_base64(value->string(), out);
  }
  auto value = doc.root().find("data", key);
  if (!value) return false;
  out = value->string();
  return true;
}

struct builder {
  const document& pod;
  const node_facts& node;
  const container_inputs& in;
  core_v1::container_view c;
  std::map<std::string, std::string> known;  // service links, envFrom, and what env has set so far
  std::vector<std::string> order;

  void put(const std::string& name, std::string value) {
    if (known.find(name) == known.end() || std::find(order.begin(), order.end(), name) == order.end())
      order.push_back(name);
    known[name] = std::move(value);
  }

  std::string take_all() {
    for (auto from : c.env_from()) {
      bool secret = from.has_secret_ref();
      auto name = secret ? from.secret_ref().name() : from.config_map_ref().name();
      bool optional = secret ? from.secret_ref().optional() : from.config_map_ref().optional();
      auto* doc = find_source(secret ? in.sources.secrets : in.sources.config_maps, name);
      if (!doc && optional) continue;
      if (!doc) return missing(secret, name);
      auto* data = doc->root().find("data");
      if (!data || !data->is_object()) continue;
      for (auto* m = data->begin_members(); m != data->end_members(); ++m) {
        std::string value(m->value.string());
        if (secret && !decode_base64(m->value.string(), value)) continue;
        put(std::string(from.prefix()) + std::string(m->key), std::move(value));
      }
    }
    return {};
  }

  std::string from_key(bool secret, std::string_view name, std::string_view key, bool optional, std::string& value,
                       bool& skip) {
    auto* doc = find_source(secret ? in.sources.secrets : in.sources.config_maps, name);
    skip = optional;
    if (!doc) return optional ? std::string() : missing(secret, name);
    if (key_of(*doc, secret, key, value)) {
      skip = false;
      return {};
    }
    if (optional) return {};
    auto where = std::string(core_v1::pod_view(pod).metadata().namespace_()) + "/" + std::string(name);
    return "couldn't find key " + std::string(key) + " in " + (secret ? "Secret " : "ConfigMap ") + where;
  }

  std::string from_source(const core_v1::env_var_source_view& from, std::string& value, bool& skip) {
    if (from.has_field_ref()) {
      auto path = from.field_ref().field_path();
      if (field_value(pod, node, in.pod_ips, path, value)) return {};
      return "unsupported fieldPath: " + std::string(path);
    }
    if (from.has_resource_field_ref()) {
      auto r = from.resource_field_ref();
      auto of = r.container_name().empty() ? std::string_view(in.name) : r.container_name();
      if (resource_value(pod, node, of, r.resource(), r.divisor(), value)) return {};
      return "unsupported container resource : " + std::string(r.resource());
    }
    if (from.has_config_map_key_ref()) {
      auto k = from.config_map_key_ref();
      return from_key(false, k.name(), k.key(), k.optional(), value, skip);
    }
    if (from.has_secret_key_ref()) {
      auto k = from.secret_key_ref();
      return from_key(true, k.name(), k.key(), k.optional(), value, skip);
    }
    return "unsupported source of an environment variable";
  }

  std::string take_env() {
    for (auto e : c.env()) {
      std::string value(e.value());
      bool skip = false;
      if (e.has_value_from()) {
        auto bad = from_source(e.value_from(), value, skip);
        if (!bad.empty()) return bad;
      } else {
        value = expand(value, known);
      }
      if (!skip) put(std::string(e.name()), std::move(value));
    }
    return {};
  }
};

}  // namespace

core_v1::container_view find_container(const document& pod, std::string_view name) {
  auto spec = core_v1::pod_view(pod).spec();
  for (auto c : spec.init_containers())
    if (c.name() == name) return c;
  for (auto c : spec.containers())
    if (c.name() == name) return c;
  return {};
}

std::string build_environment(const document& pod, const node_facts& node, const container_inputs& in,
                              std::map<std::string, std::string>& known, container::label_list& out) {
  builder b{pod, node, in, find_container(pod, in.name), {}, {}};
  for (auto& [name, value] : in.sources.services) b.put(name, value);
  auto bad = b.take_all();
  if (bad.empty()) bad = b.take_env();
  if (!bad.empty()) return bad;
  for (auto& name : b.order) out.emplace_back(name, b.known[name]);
  known = std::move(b.known);
  return {};
}

std::vector<reference> references_of(const document& pod, std::string_view name) {
  std::set<reference> out;
  auto c = find_container(pod, name);
  for (auto from : c.env_from()) {
    if (from.has_secret_ref()) out.insert({true, std::string(from.secret_ref().name()), from.secret_ref().optional()});
    if (from.has_config_map_ref())
      out.insert({false, std::string(from.config_map_ref().name()), from.config_map_ref().optional()});
  }
  for (auto e : c.env()) {
    auto from = e.value_from();
    if (from.has_secret_key_ref())
      out.insert({true, std::string(from.secret_key_ref().name()), from.secret_key_ref().optional()});
    if (from.has_config_map_key_ref())
      out.insert({false, std::string(from.config_map_key_ref().name()), from.config_map_key_ref().optional()});
  }
  return {out.begin(), out.end()};
}

std::string expand(std::string_view text, const std::map<std::string, std::string>& known) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    if (text[i + 1] == '$') {
      out += '$';
      ++i;
      continue;
    }
    auto close = text[i + 1] == '(' ? text.find(')', i) : text.npos;
    if (close == text.npos) {
      out += '$';
      continue;
    }
    auto found = known.find(std::string(text.substr(i + 2, close - i - 2)));
    out += found == known.end() ? std::string(text.substr(i, close - i + 1)) : found->second;
    i = close;
  }
  return out;
}

container::label_list service_environment(const document& services) {
  container::label_list out;
  auto* items = services.root().find("items");
  if (!items) return out;
  for (auto* one = items->begin_elements(); one != items->end_elements(); ++one) {
    core_v1::service_view service(one);
    auto ip = service.spec().cluster_ip();
    auto ports = service.spec().ports();
    if (ip.empty() || ip == "None" || ports.empty()) continue;
    std::string prefix;
    for (char c : service.metadata().name())
      prefix += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
    auto add = [&](const std::string& name, std::string value) { out.emplace_back(prefix + name, std::move(value)); };
    add("_SERVICE_HOST", std::string(ip));
    add("_SERVICE_PORT", std::to_string(ports.front().port()));
    bool first = true;
    for (auto p : ports) {
      auto number = std::to_string(p.port());
      if (!p.name().empty()) {
        std::string name;
        for (char c : p.name()) name += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
        add("_SERVICE_PORT_" + name, number);
      }
      std::string protocol(p.protocol().empty() ? "TCP" : p.protocol()), low;
      for (char c : protocol) low += static_cast<char>(c + 32);
      auto url = low + "://" + std::string(ip) + ":" + number;
      if (first) add("_PORT", url);
      first = false;
      auto base = "_PORT_" + number + "_" + protocol;
      add(base, url);
      add(base + "_PROTO", low);
      add(base + "_PORT", number);
      add(base + "_ADDR", std::string(ip));
    }
  }
  return out;
}

}  // namespace troupe::kubelet
