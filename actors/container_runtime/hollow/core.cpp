// The hollow runtime's life of sandboxes and containers.
#include "actors/container_runtime/hollow/core.hpp"

#include <algorithm>
#include <cstdio>
#include <optional>

#include "actors/container_runtime/hollow/annotations.hpp"
#include "messages/hash.hpp"
#include "messages/number.hpp"

namespace troupe::hollow {

using container::container_state;
using container::fault;
using container::sandbox_state;

core::core(options settings) : options_(std::move(settings)) { use_network(options_.pod_cidr); }

effects core::handle(moment now, std::uint64_t caller, const container::request& ask) {
  now_ = now;
  auto after = latency(ask.what);
  if (after > 0)
    schedule(after, {caller, ask.id, ask.what, {}, 0, false});
  else
    perform(caller, ask.id, ask.what);
  return std::move(out_);
}

effects core::advance(moment now) {
  now_ = now;
  if (wake_ms_ <= now.steady_ms) wake_ms_ = 0;
  while (!later_.empty() && later_.begin()->first <= now.steady_ms) {
    auto what = std::move(later_.extract(later_.begin()).mapped());
    if (what.exits.empty()) {
      perform(what.caller, what.request, what.what);
      continue;
    }
    auto found = containers_.find(what.exits);
    if (found == containers_.end() || found->second.run != what.run) continue;
    auto& c = found->second;
    if (c.status.state != container_state::running) continue;
    if (what.killed)
      end(c, 137, "Error");
    else
      end(c, c.oom ? 137 : c.exit_code, c.oom ? "OOMKilled" : "");
  }
  if (!later_.empty() && wake_ms_ == 0) {
    wake_ms_ = later_.begin()->first;
    out_.emplace_back(wake{wake_ms_});
  }
  return std::move(out_);
}

void core::perform(std::uint64_t caller, std::uint64_t id, const container::operation& what) {
  std::visit([&](auto& o) { on(caller, id, o); }, what);
}

void core::reply(std::uint64_t caller, std::uint64_t id, container::outcome what) {
  out_.emplace_back(answer{caller, {id, {}, std::move(what)}});
}

void core::refuse(std::uint64_t caller, std::uint64_t id, fault code, std::string message) {
  out_.emplace_back(answer{caller, {id, {code, std::move(message)}, container::done{}}});
}

void core::schedule(std::int64_t after_ms, later what) {
  auto at = now_.steady_ms + after_ms;
  later_.emplace(at, std::move(what));
  if (wake_ms_ != 0 && wake_ms_ <= at) return;
  wake_ms_ = at;
  out_.emplace_back(wake{at});
}

std::int64_t core::latency(const container::operation& what) const {
  if (std::holds_alternative<container::run_sandbox>(what)) return options_.sandbox_ms;
  if (std::holds_alternative<container::create_container>(what)) return options_.create_ms;
  if (std::holds_alternative<container::start_container>(what)) return options_.start_ms;
  if (std::holds_alternative<container::pull_image>(what)) return options_.pull_ms;
  return 0;
}

std::string core::new_id(char kind) {
  char text[80];
  const auto hash = fnv1a(options_.node_name + kind + std::to_string(next_id_));
  std::snprintf(text, sizeof text, "%016llx%016llx%016llx%016llx", static_cast<unsigned long long>(hash),
                static_cast<unsigned long long>(hash * 0x9e3779b97f4a7c15ull),
                static_cast<unsigned long long>(next_id_), static_cast<unsigned long long>(~hash));
  ++next_id_;
  return text;
}

// -- network

namespace {

/// The number that ends at the next `end` in the text, which loses both.
std::optional<std::uint8_t> take_number(std::string_view& text, char end) {
  auto at = std::min(text.find(end), text.size());
  auto number = number_in<std::uint8_t>(text.substr(0, at));
  text.remove_prefix(std::min(at + 1, text.size()));
  return number;
}

}  // namespace

bool core::use_network(std::string_view cidr) {
  std::uint32_t address = 0;
  for (char end : {'.', '.', '.', '/'}) {
    auto part = take_number(cidr, end);
    if (!part) return false;
    address = address << 8 | *part;
  }
  auto bits = number_in<unsigned>(cidr);
  if (!bits || *bits > 30) return false;
  network_size_ = *bits == 0 ? 0xffffffff : 1u << (32 - *bits);
  network_ = address & ~(network_size_ - 1);
  if (next_address_ == 0 || next_address_ >= network_size_) next_address_ = 2;  // .1 is the bridge
  return true;
}

/// The next free address, 0 when there is none.
std::uint32_t core::new_address() {
  for (std::uint32_t tried = 0; tried + 3 < network_size_; ++tried) {
    auto at = next_address_;
    next_address_ = next_address_ + 2 < network_size_ ? next_address_ + 1 : 2;
    if (addresses_.emplace(network_ + at, true).second) return network_ + at;
  }
  return 0;
}

void core::on(std::uint64_t caller, std::uint64_t id, const container::update_network& o) {
  if (!use_network(o.pod_cidr)) return refuse(caller, id, fault::invalid_argument, "invalid pod CIDR " + o.pod_cidr);
  reply(caller, id, container::done{});
}

// -- sandboxes

void core::on(std::uint64_t caller, std::uint64_t id, const container::run_sandbox& o) {
  auto& config = o.config;
  if (auto known = sandboxes_of_.find(config.uid); known != sandboxes_of_.end())
    for (auto& key : known->second)
      if (sandboxes_.at(key).status.attempt == config.attempt)
        return refuse(caller, id, fault::already_exists,
                      "failed to reserve sandbox name: it is reserved for \"" + key + "\"");
  sandbox b;
  if (!config.namespaces.host_network) {
    if (network_size_ == 0) return refuse(caller, id, fault::unavailable, "cni plugin not initialized");
    b.address = new_address();
    if (b.address == 0)
      return refuse(caller, id, fault::resource_exhausted,
                    "failed to setup network for sandbox: no IP addresses available in range set");
    char text[20];
    std::snprintf(text, sizeof text, "%u.%u.%u.%u", b.address >> 24, b.address >> 16 & 255, b.address >> 8 & 255,
                  b.address & 255);
    b.status.ips = {text};
  }
  b.status.id = new_id('s');
  b.status.name = config.name;
  b.status.uid = config.uid;
  b.status.namespace_name = config.namespace_name;
  b.status.attempt = config.attempt;
  b.status.state = sandbox_state::ready;
  b.status.created_ns = now_.wall_ns;
  b.status.labels = config.labels;
  for (auto& one : config.annotations)
    if (one.first.compare(0, 11, "troupe.dev/") == 0) b.status.annotations.push_back(one);
  auto made = container::sandbox_made{b.status.id, b.status.ips};
  sandboxes_of_[config.uid].push_back(b.status.id);
  sandboxes_.emplace(b.status.id, std::move(b));
  reply(caller, id, std::move(made));
}

void core::end_sandbox(sandbox& b) {
  for (auto& key : b.containers)
    if (auto& c = containers_.at(key); c.status.state == container_state::running) end(c, 137, "Error");
  if (b.status.state == sandbox_state::not_ready) return;
  b.status.state = sandbox_state::not_ready;
  addresses_.erase(b.address);
  tell(b.status);
}

void core::on(std::uint64_t caller, std::uint64_t id, const container::stop_sandbox& o) {
  if (auto found = sandboxes_.find(o.id); found != sandboxes_.end()) end_sandbox(found->second);
  reply(caller, id, container::done{});
}

void core::on(std::uint64_t caller, std::uint64_t id, const container::remove_sandbox& o) {
  if (auto found = sandboxes_.find(o.id); found != sandboxes_.end()) {
    end_sandbox(found->second);
    auto inside = found->second.containers;
    for (auto& one : inside) drop_container(one);
    container::happenings gone;
    gone.gone.push_back(o.id);
    const auto uid = found->second.status.uid;
    out_.emplace_back(changed{uid, std::move(gone)});
    sandboxes_.erase(found);
    auto& others = sandboxes_of_[uid];
    std::erase(others, o.id);
    if (others.empty()) sandboxes_of_.erase(uid);
  }
  reply(caller, id, container::done{});
}

void core::on(std::uint64_t caller, std::uint64_t id, const container::list_pods& o) {
  container::pod_list found;
  if (o.pod_uid.empty()) {
    for (auto& [key, b] : sandboxes_) list(found, b);
  } else if (auto boxes = sandboxes_of_.find(o.pod_uid); boxes != sandboxes_of_.end()) {
    for (auto& key : boxes->second) list(found, sandboxes_.at(key));
  }
  reply(caller, id, std::move(found));
}

void core::list(container::pod_list& into, const sandbox& b) const {
  into.sandboxes.push_back(b.status);
  for (auto& key : b.containers) into.containers.push_back(containers_.at(key).status);
}

// -- containers

void core::on(std::uint64_t caller, std::uint64_t id, const container::create_container& o) {
  auto box = sandboxes_.find(o.sandbox_id);
  if (box == sandboxes_.end() || box->second.status.state != sandbox_state::ready)
    return refuse(caller, id, fault::not_found, "sandbox \"" + o.sandbox_id + "\" not found");
  for (auto& key : box->second.containers) {
    auto& other = containers_.at(key).status;
    if (other.name == o.config.name && other.attempt == o.config.attempt)
      return refuse(caller, id, fault::already_exists,
                    "failed to reserve container name: it is reserved for \"" + key + "\"");
  }
  held_container c;
  annotations marks{box->second.status.annotations, o.config.name};
  c.exit_after_ms = parse_duration(marks.get("exit-after"));
  c.exit_code = number_in<std::int32_t>(marks.get("exit-code")).value_or(0);
  c.oom = marks.get("oom") == "true";
  c.ignores_term = marks.get("ignore-term") == "true";
  c.failing_probes = marks.get("failing-probes");
  c.exec_exit_code = number_in<std::int32_t>(marks.get("exec-exit-code")).value_or(0);
  c.log = {marks.get("log")};
  auto& s = c.status;
  s.id = new_id('c');
  s.sandbox_id = o.sandbox_id;
  s.pod_uid = box->second.status.uid;
  s.name = o.config.name;
  s.attempt = o.config.attempt;
  s.state = container_state::created;
  s.created_ns = now_.wall_ns;
  s.image = o.config.user_image.empty() ? o.config.image : o.config.user_image;
  s.image_ref = image(s.image).id;
  s.log_path = "hollow/" + s.id;
  auto made = s.id;
  box->second.containers.push_back(made);
  containers_.emplace(made, std::move(c));
  reply(caller, id, container::container_made{made});
}

void core::on(std::uint64_t caller, std::uint64_t id, const container::start_container& o) {
  auto found = containers_.find(o.id);
  if (found == containers_.end() || found->second.status.state != container_state::created)
    return refuse(caller, id, fault::not_found, "container \"" + o.id + "\" not found");
  auto& c = found->second;
  c.status.state = container_state::running;
  c.status.started_ns = now_.wall_ns;
  ++c.run;
  auto text = c.log.front();
  c.log.clear();
  if (text.empty()) {
    auto& box = sandboxes_.at(c.status.sandbox_id).status;
    text = "hollow container " + c.status.name + " of pod " + box.namespace_name + "/" + box.name + " runs";
  }
  for (std::size_t at = 0; at <= text.size();) {
    auto stop = std::min(text.find('\n', at), text.size());
    if (stop > at || stop < text.size()) c.log.push_back(log_line(now_.wall_ns, text.substr(at, stop - at)));
    at = stop + 1;
  }
  reply(caller, id, container::done{});
  tell(c.status);
  if (c.exit_after_ms >= 0) schedule(c.exit_after_ms, {0, 0, container::get_version{}, o.id, c.run, false});
}

void core::end(held_container& c, std::int32_t code, std::string reason) {
  c.status.state = container_state::exited;
  c.status.finished_ns = now_.wall_ns;
  c.status.exit_code = code;
  c.status.reason = !reason.empty() ? std::move(reason) : code == 0 ? "Completed" : "Error";
  tell(c.status);
  for (auto& [caller, id] : c.stoppers) reply(caller, id, container::done{});
  c.stoppers.clear();
}

void core::on(std::uint64_t caller, std::uint64_t id, const container::stop_container& o) {
  auto found = containers_.find(o.id);
  if (found == containers_.end() || found->second.status.state != container_state::running)
    return reply(caller, id, container::done{});
  auto& c = found->second;
  c.stoppers.emplace_back(caller, id);
  auto after = c.ignores_term || o.timeout_s == 0 ? o.timeout_s * 1000 : std::min(options_.stop_ms, o.timeout_s * 1000);
  if (!c.ignores_term && o.timeout_s > 0 && after == options_.stop_ms) {
    // It obeys the signal: code 0 unless the pod says otherwise.
    c.oom = false;
    if (after == 0) return end(c, c.exit_code, "");
    return schedule(after, {0, 0, container::get_version{}, o.id, c.run, false});
  }
  if (after == 0) return end(c, 137, "Error");
  schedule(after, {0, 0, container::get_version{}, o.id, c.run, true});
}

void core::drop_container(const std::string& id) {
  auto found = containers_.find(id);
  if (found->second.status.state == container_state::running) end(found->second, 137, "Error");
  container::happenings gone;
  gone.gone.push_back(id);
  out_.emplace_back(changed{found->second.status.pod_uid, std::move(gone)});
  std::erase(sandboxes_.at(found->second.status.sandbox_id).containers, id);
  containers_.erase(found);
}

void core::on(std::uint64_t caller, std::uint64_t id, const container::remove_container& o) {
  if (containers_.count(o.id) > 0) drop_container(o.id);
  reply(caller, id, container::done{});
}

void core::on(std::uint64_t caller, std::uint64_t id, const container::exec_sync& o) {
  auto found = containers_.find(o.id);
  if (found == containers_.end() || found->second.status.state != container_state::running)
    return refuse(caller, id, fault::not_found, "container \"" + o.id + "\" is not running");
  auto& c = found->second;
  // The kubelet sends its http and tcp probes here as well: {"troupe-probe", KIND}.
  if (o.command.size() == 2 && o.command[0] == "troupe-probe") {
    bool fails = (" " + c.failing_probes + " ").find(" " + o.command[1] + " ") != std::string::npos;
    return reply(caller, id, container::exec_result{fails ? "hollow probe fails" : "ok", fails ? 1 : 0});
  }
  reply(caller, id, container::exec_result{"", c.exec_exit_code});
}

void core::tell(const container::container_status& c) {
  container::happenings h;
  h.containers.push_back(c);
  out_.emplace_back(changed{c.pod_uid, std::move(h)});
}

void core::tell(const container::sandbox_status& b) {
  container::happenings h;
  h.sandboxes.push_back(b);
  out_.emplace_back(changed{b.uid, std::move(h)});
}

const std::vector<std::string>* core::log_of(const std::string& id) const {
  auto found = containers_.find(id);
  return found == containers_.end() ? nullptr : &found->second.log;
}

bool core::running(const std::string& id) const {
  auto found = containers_.find(id);
  return found != containers_.end() && found->second.status.state == container_state::running;
}

}  // namespace troupe::hollow
