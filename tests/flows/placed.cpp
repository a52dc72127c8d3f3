// See placed.hpp.
#include "tests/flows/placed.hpp"

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <stdexcept>
#include <thread>

#include <spdlog/spdlog.h>
#include <unistd.h>

#include "messages/type_ids.hpp"
#include "runtime/pki.hpp"
#include "runtime/placement/local_cluster.hpp"
#include "runtime/placement/node_process.hpp"

namespace troupe::flows {
namespace {

using namespace runtime;
using simulation::fault_rule, simulation::message_on_way;

std::uint64_t steady_us() {
  auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

/// The rules, asked by many threads.
class disturbance final : public message_hooks {
 public:
  fate sent(actor_context& to, caf::mailbox_element& message, std::chrono::nanoseconds now) override {
    std::lock_guard guard(mutex_);
    return rules_.sent(to, message, now, random_);
  }
  void received(actor_context&, caf::mailbox_element&) override {}

  void add(fault_rule rule) {
    std::lock_guard guard(mutex_);
    rules_.add(std::move(rule));
  }
  void clear() {
    std::lock_guard guard(mutex_);
    rules_.clear();
  }
  std::uint64_t dropped() {
    std::lock_guard guard(mutex_);
    return rules_.dropped();
  }

 private:
  std::mutex mutex_;
  std::mt19937_64 random_{1};
  simulation::faults rules_;
};

/// A folder that goes with it.
struct folder {
  folder() {
    char pattern[] = "/tmp/troupe-flow-XXXXXX";
    path = mkdtemp(pattern);
  }
  ~folder() { std::filesystem::remove_all(path); }
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;
  std::string path;
};

/// Short times of the control loops: seconds here are real.
configuration quick(const std::string& data_dir) {
  configuration out;
  out.data_dir = data_dir;
  out.kubeconfig = data_dir + "/kubeconfig";
  out.api_server.listen = "127.0.0.1:0";
  out.nodes.runtime = "hollow";
  out.nodes.heartbeat_seconds = 1;
  out.controllers.node_grace_seconds = 5;
  out.controllers.eviction_seconds = 1;
  out.kube_proxy.enabled = "false";
  out.debug.allow_crash = true;
  return out;
}

void must(const status& well, const char* what) {
  if (!well.ok()) throw std::runtime_error(std::string(what) + ": " + well.message);
}

/// The control plane's authority signs certificates for the nodes.
status provide_certificates(const std::string& authority_dir, const configuration& config,
                            const std::vector<std::string>& names) {
  auto certificate = pki::read_file(authority_dir + "/ca.crt"), key = pki::read_file(authority_dir + "/ca.key");
  if (!certificate || !key) return internal_error("no authority in " + authority_dir);
  std::filesystem::create_directories(config.data_dir + "/pki");
  for (const auto& name : names) {
    pki::subject who;
    who.common_name = "system:node:" + name;
    who.organizations = {"system:nodes"};
    who.client = true;
    who.not_before = static_cast<std::int64_t>(std::time(nullptr)) - 60;
    auto made = pki::issue({*certificate, *key}, who);
    if (!made) return made.error();
    auto files = files_of_node(config, name);
    if (auto bad = pki::write_file(files.authority, *certificate, 0644); !bad.ok()) return bad;
    if (auto bad = pki::write_file(files.certificate, made->certificate, 0644); !bad.ok()) return bad;
    if (auto bad = pki::write_file(files.key, made->private_key, 0600); !bad.ok()) return bad;
  }
  return {};
}

class placed final : public cluster {
 public:
  placed(bool linked, std::size_t nodes) {
    spdlog::set_level(std::getenv("TROUPE_SIM_LOG") ? spdlog::level::debug : spdlog::level::err);
    auto config = quick(folder_.path + "/plane");
    config.nodes.count = linked ? 0 : static_cast<std::int64_t>(nodes);
    if (linked) config.link.listen = "127.0.0.1:0";
    plane_ = std::make_unique<local_cluster>(config);
    plane_->disturb(&disturbed_);
    must(plane_->start(), "the control plane does not start");
    if (linked) start_nodes(nodes);
    begin(plane_->system(), plane_->server(), nodes);
  }
  ~placed() override {
    end();
    clear_faults();
    if (nodes_) nodes_->stop();
    plane_->stop();
  }

  void pass(std::chrono::microseconds time) override { std::this_thread::sleep_for(time); }
  bool crash(const std::string& path) override {
    return simulation::crash_component(config_of(plane_->system()), path) ||
           (nodes_ && simulation::crash_component(config_of(nodes_->system()), path));
  }
  void cut_off(const std::string& node) override {
    add_fault([inside = "root/nodes/" + node + "/"](const message_on_way& way, std::mt19937_64&) {
      message_hooks::fate decided;
      decided.drop =
          way.type.starts_with("troupe::api::") && way.from.starts_with(inside) != way.to.starts_with(inside);
      return decided;
    });
  }
  void add_fault(fault_rule rule) override { disturbed_.add(std::move(rule)); }
  void clear_faults() override { disturbed_.clear(); }
  std::uint64_t dropped() override { return disturbed_.dropped(); }

 private:
  void start_nodes(std::size_t count) {
    auto config = quick(folder_.path + "/nodes");
    config.nodes.count = static_cast<std::int64_t>(count);
    config.link.servers = {"127.0.0.1:" + std::to_string(plane_->link_port())};
    auto authority = folder_.path + "/plane/pki";
    nodes_ = std::make_unique<node_process>(config, [authority](const auto& settled, const auto& names) {
      return provide_certificates(authority, settled, names);
    });
    nodes_->disturb(&disturbed_);
    must(nodes_->start(), "the nodes do not start");
  }

  std::uint64_t now_us() override { return steady_us(); }
  std::chrono::microseconds between_looks() const override { return 20ms; }
  std::optional<api::response> await(answer_box& answers, std::uint64_t id, std::chrono::seconds within) override {
    return answers.take(id, within);
  }

  folder folder_;
  disturbance disturbed_;
  std::unique_ptr<local_cluster> plane_;
  std::unique_ptr<node_process> nodes_;
};

}  // namespace

std::unique_ptr<cluster> place(const std::string& placement, std::size_t nodes) {
  if (placement != "local" && placement != "cluster") throw std::runtime_error("no placement \"" + placement + "\"");
  return std::make_unique<placed>(placement == "cluster", nodes);
}

}  // namespace troupe::flows
