// The allocator of cluster IPs and node ports.
#include "actors/api_server/admission/allocation.hpp"

#include <algorithm>

#include "actors/api_server/admission/prepare.hpp"
#include "actors/api_server/defaults/defaults.hpp"
#include "actors/api_server/validation/access.hpp"
#include "actors/api_server/validation/field_errors.hpp"
#include "actors/api_server/validation/names.hpp"
#include "actors/api_server/validation/services.hpp"

namespace troupe::api::rules {
namespace {

constexpr std::string_view address_prefix = "/registry/ipaddresses/";
constexpr std::string_view port_prefix = "/registry/ranges/servicenodeports/";

std::string dotted(std::uint32_t address) {
  return std::to_string(address >> 24) + "." + std::to_string((address >> 16) & 255) + "." +
         std::to_string((address >> 8) & 255) + "." + std::to_string(address & 255);
}

std::uint32_t number_of(const ip_address& ip) {
  return (std::uint32_t{ip.bytes[12]} << 24) | (std::uint32_t{ip.bytes[13]} << 16) |
         (std::uint32_t{ip.bytes[14]} << 8) | ip.bytes[15];
}

std::uint64_t mixed(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

class allocator {
 public:
  allocator(const allocation_input& input, std::vector<reservation>& out)
      : input_(input), out_(out), request_(*input.request) {}

  status run() {
    if (request_.object) {
      spec_ = &object_member(*request_.object, request_.object->root(), "spec");
      doc_ = request_.object;
    }
    before_ = get(request_.previous, "spec");
    if (status s = addresses(); !s.ok()) return s;
    return ports();
  }

 private:
  status invalid_field(const path& at, std::string_view value, std::string_view detail) {
    error_list errors;
    errors.invalid(at, value, detail);
    return refuse_invalid(std::move(errors));
  }
  status refuse_invalid(error_list&& errors) { return invalid("", "Service", request_.name, std::move(errors).take()); }
  bool known_taken(std::string_view key) const {
    return input_.taken && std::find(input_.taken->begin(), input_.taken->end(), key) != input_.taken->end();
  }

  // Addresses

  object_ptr address_object(std::string_view address) const {
    static const auto addresses = resource_index("networking.k8s.io", "ipaddresses");
    return request_.others->find(addresses, {}, address);
  }
  bool address_free(const std::string& address) const {
    return !known_taken(std::string(address_prefix) + address) && !address_object(address);
  }

  status addresses() {
    const node* old = get(before_, "clusterIPs");
    const bool wants = spec_ && text(spec_, "type") != "ExternalName";
    if (wants && text(spec_, "clusterIP").empty() && count(spec_, "clusterIPs") == 0)
      if (status s = choose_address(); !s.ok()) return s;
    if (wants)
      if (status s = complete_families(); !s.ok()) return s;
    const node* now = wants ? get(spec_, "clusterIPs") : nullptr;
    status failed;
    each(now, [&](const node& ip, std::size_t i) {
      if (failed.ok() && ip.string() != "None" && !holds(old, ip.string())) failed = take_address(ip.string(), i);
    });
    if (!failed.ok()) return failed;
    each(old, [&](const node& ip, std::size_t) {
      if (ip.string() != "None" && !holds(now, ip.string())) give_back_address(ip.string());
    });
    return {};
  }

  /// Dynamic addresses come from the upper part of the range first; the lower part is left to fixed ones (KEP-3070).
  status choose_address() {
    const std::uint32_t size = (std::uint32_t{1} << (32 - input_.ranges.prefix)) - 2;
    const std::uint32_t lower = std::clamp<std::uint32_t>(size / 16, 16, 256);
    const std::uint32_t upper = size - lower;
    std::uint64_t seed = input_.random;
    for (int attempt = 0; attempt < 64; ++attempt) {
      seed = mixed(seed);
      if (try_address(1 + lower + static_cast<std::uint32_t>(seed % upper))) return {};
    }
    const auto start = static_cast<std::uint32_t>(seed % size);
    for (std::uint32_t i = 0; i < size; ++i)
      if (try_address(1 + (start + i) % size)) return {};
    return internal_error("failed to allocate a serviceIP: range is full");
  }
  bool try_address(std::uint32_t offset) {
    const auto address = dotted(input_.ranges.network + offset);
    if (!address_free(address)) return false;
    doc_->set(*spec_, "clusterIP", std::string_view(address));
    node& list = doc_->set(*spec_, "clusterIPs");
    doc_->clear(list);
    doc_->make_array(list);
    doc_->assign(doc_->append(list), std::string_view(address));
    return true;
  }

  status complete_families() {
    if (!has(spec_, "ipFamilyPolicy")) doc_->set(*spec_, "ipFamilyPolicy", "SingleStack");
    const node* ips = get(spec_, "clusterIPs");
    const auto policy = text(spec_, "ipFamilyPolicy");
    if (policy == "RequireDualStack")
      return invalid_field(path("spec.ipFamilyPolicy"), "RequireDualStack",
                           "this cluster is not configured for dual-stack services");
    if (count(spec_, "ipFamilies") == 0) {
      const bool v6 = count(ips) > 0 && ips->element(0).string().find(':') != std::string_view::npos;
      node& families = doc_->set(*spec_, "ipFamilies");
      doc_->make_array(families);
      doc_->assign(doc_->append(families), v6 ? "IPv6" : "IPv4");
    }
    const path at("spec.ipFamilies");
    status failed;
    each(get(spec_, "ipFamilies"), [&](const node& family, std::size_t i) {
      if (failed.ok() && family.string() == "IPv6" && !is_headless(spec_))
        failed = invalid_field(at.index(i), "IPv6", "not configured on this cluster");
    });
    return failed;
  }

  status take_address(std::string_view address, std::size_t index) {
    const path at("spec.clusterIPs");
    const std::string value(address);
    const auto parsed = parse_ip(address);
    if (!parsed.valid) return {};  // validation says so
    const auto fail = [&](const std::string& why) {
      error_list errors;
      errors.invalid_json(at, to_json(*get(spec_, "clusterIPs")), "failed to allocate IP " + value + ": " + why);
      return refuse_invalid(std::move(errors));
    };
    const std::uint32_t mask = ~((std::uint32_t{1} << (32 - input_.ranges.prefix)) - 1);
    if (!parsed.v4 || (number_of(parsed) & mask) != input_.ranges.network)
      return fail("the provided IP (" + value + ") is not in the valid range. The range of valid IPs is " +
                  dotted(input_.ranges.network) + "/" + std::to_string(input_.ranges.prefix));
    if (!address_free(value)) return fail("provided IP is already allocated");
    (void)index;
    out_.push_back({std::string(address_prefix) + value, 0, false, false, address_json(value)});
    return {};
  }

  void give_back_address(std::string_view address) {
    reservation r{std::string(address_prefix) + std::string(address), 0, true, false, {}};
    const auto found = address_object(address);
    r.expected_revision = found ? found->revision : 0;
    r.unconditional = !found;
    out_.push_back(std::move(r));
  }

  /// networking.k8s.io/v1 IPAddress with a reference to its Service, in canonical form.
  std::string address_json(const std::string& address) const {
    std::string out = "{\"kind\":\"IPAddress\",\"apiVersion\":\"networking.k8s.io/v1\",\"metadata\":{\"name\":\"" +
                      address + "\",\"uid\":\"" + (input_.new_uid ? input_.new_uid() : std::string()) + "\"";
    if (const auto time = rfc3339(request_.now_ms); !time.empty()) out += ",\"creationTimestamp\":\"" + time + "\"";
    out +=
        ",\"labels\":{\"ipaddress.kubernetes.io/ip-family\":\"IPv4\",\"ipaddress.kubernetes.io/managed-by\":"
        "\"ipallocator.k8s.io\"}},\"spec\":{\"parentRef\":{\"resource\":\"services\",\"namespace\":";
    append_json_string(out, request_.namespace_name);
    out += ",\"name\":";
    append_json_string(out, request_.name);
    return out + "}}}";
  }

  // Ports

  static bool uses_ports(const node* spec) {
    const auto type = text(spec, "type");
    return type == "NodePort" || (type == "LoadBalancer" && flag(spec, "allocateLoadBalancerNodePorts", true));
  }
  static std::vector<std::int64_t> ports_of(const node* spec) {
    std::vector<std::int64_t> out;
    const auto add = [&](std::int64_t port) {
      if (port != 0 && std::find(out.begin(), out.end(), port) == out.end()) out.push_back(port);
    };
    each(get(spec, "ports"), [&](const node& port, std::size_t) { add(number(&port, "nodePort")); });
    add(number(spec, "healthCheckNodePort"));
    return out;
  }
  static std::string port_key(std::int64_t port) { return std::string(port_prefix) + std::to_string(port); }

  status ports() {
    const auto old = ports_of(before_);
    if (status s = check_fixed(old); !s.ok()) return s;
    if (status s = choose_ports(); !s.ok()) return s;
    const auto now = ports_of(spec_);
    for (auto port : now)
      if (std::find(old.begin(), old.end(), port) == old.end()) reserve(port);
    for (auto port : old)
      if (std::find(now.begin(), now.end(), port) == now.end()) out_.push_back({port_key(port), 0, true, true, {}});
    return {};
  }
  void reserve(std::int64_t port) {
    std::string owner = "{\"namespace\":";
    append_json_string(owner, request_.namespace_name);
    owner += ",\"name\":";
    append_json_string(owner, request_.name);
    out_.push_back({port_key(port), 0, false, false, owner + "}"});
  }

  /// Ports that the client chose.
  status check_fixed(const std::vector<std::int64_t>& old) {
    const path list("spec.ports");
    status failed;
    each(get(spec_, "ports"), [&](const node& entry, std::size_t i) {
      const auto port = number(&entry, "nodePort");
      if (!failed.ok() || port == 0 || std::find(old.begin(), old.end(), port) != old.end()) return;
      const path here = list.index(i);
      error_list errors;
      if (port < input_.ranges.first_port || port > input_.ranges.last_port)
        errors.invalid(here.child("nodePort"), port,
                       "provided port is not in the valid range. The range of valid ports is " +
                           std::to_string(input_.ranges.first_port) + "-" + std::to_string(input_.ranges.last_port));
      else if (port_taken(port))
        errors.invalid(here.child("nodePort"), port, "provided port is already allocated");
      if (!errors.empty()) failed = refuse_invalid(std::move(errors));
    });
    return failed;
  }

  /// Whether another Service has the port. Looked up once for a request that needs it.
  bool port_taken(std::int64_t port) {
    if (known_taken(port_key(port))) return true;
    if (!scanned_) scan_services();
    return std::binary_search(used_.begin(), used_.end(), port);
  }
  void scan_services() {
    static const auto services = resource_index("", "services");
    scanned_ = true;
    request_.others->visit(services, {}, [&](const object& service) {
      const auto json = service.json.view();
      if (service.name == request_.name && service.namespace_name == request_.namespace_name) return true;
      if (json.find("odePort\":") == std::string_view::npos) return true;
      auto parsed = document::parse(json);
      if (parsed)
        for (auto port : ports_of(get(&parsed->root(), "spec"))) used_.push_back(port);
      return true;
    });
    std::sort(used_.begin(), used_.end());
  }

  status choose_ports() {
    if (!spec_) return {};
    node* list = spec_->find("ports");
    if (uses_ports(spec_) && list && list->is_array())
      for (std::size_t i = 0; i < list->size(); ++i)
        if (status s = choose_for(*list, i); !s.ok()) return s;
    if (needs_health_check(spec_) && number(spec_, "healthCheckNodePort") == 0) {
      const auto port = free_port();
      if (port == 0) return full();
      doc_->set(*spec_, "healthCheckNodePort", port);
    }
    return {};
  }
  /// The same port number with another protocol shares the node port.
  status choose_for(node& list, std::size_t index) {
    node& entry = list.element(index);
    if (!entry.is_object() || number(&entry, "nodePort") != 0) return {};
    std::int64_t port = 0;
    for (std::size_t k = 0; k < list.size(); ++k) {
      const node& other = list.element(k);
      if (k != index && number(&other, "port") == number(&entry, "port") && number(&other, "nodePort") != 0 &&
          text(&other, "protocol") != text(&entry, "protocol"))
        port = number(&other, "nodePort");
    }
    if (port == 0) port = free_port();
    if (port == 0) return full();
    doc_->set(entry, "nodePort", port);
    return {};
  }
  static status full() { return internal_error("failed to allocate a nodePort: range is full"); }

  /// A free port, from the upper part of the range first (KEP-3668); 0 when there is none.
  std::int64_t free_port() {
    const auto own = ports_of(spec_);
    const auto usable = [&](std::int64_t port) {
      return !port_taken(port) && std::find(own.begin(), own.end(), port) == own.end();
    };
    const auto size = input_.ranges.last_port - input_.ranges.first_port + 1;
    const auto lower = std::min<std::int64_t>(std::clamp<std::int64_t>(size / 32, 16, 128), size / 2);
    std::uint64_t seed = input_.random ^ 0x5bd1e995;
    for (int attempt = 0; attempt < 32; ++attempt) {
      seed = mixed(seed);
      const auto port =
          input_.ranges.first_port + lower + static_cast<std::int64_t>(seed % static_cast<std::uint64_t>(size - lower));
      if (usable(port)) return port;
    }
    const auto start = static_cast<std::int64_t>(seed % static_cast<std::uint64_t>(size));
    for (std::int64_t i = 0; i < size; ++i)
      if (const auto port = input_.ranges.first_port + (start + i) % size; usable(port)) return port;
    return 0;
  }

  const allocation_input& input_;
  std::vector<reservation>& out_;
  const admission_request& request_;
  document* doc_ = nullptr;
  node* spec_ = nullptr;  // null on delete
  const node* before_ = nullptr;
  bool scanned_ = false;
  std::vector<std::int64_t> used_;  // sorted
};

}  // namespace

status allocate_service(const allocation_input& input, std::vector<reservation>& out) {
  return allocator(input, out).run();
}

}  // namespace troupe::api::rules
