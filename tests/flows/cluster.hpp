// The simulation placement for tests: the whole troupe (store in memory, api_server without gateway, controllers,
// scheduler, hollow nodes) on virtual time with a seed, and a client that asks and waits.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "messages/api_server.hpp"
#include "runtime/config.hpp"
#include "runtime/placement/graph.hpp"
#include "runtime/placement/machine.hpp"
#include "runtime/simulation/world.hpp"

namespace troupe::flows {

using namespace std::chrono_literals;

/// A pod as a flow looks at it.
struct pod_row {
  std::string name, node, phase, uid;
  bool ready = false, deleting = false;
  bool operator==(const pod_row&) const = default;
};

/// A simulated cluster. Everything it does is decided by the seed.
class cluster {
 public:
  struct options {
    std::uint64_t seed = 1;
    std::size_t nodes = 2;
    trace::recorder* recorder = nullptr;
  };
  /// Returns once the API is ready and the nodes are; throws when that does not come about.
  explicit cluster(options how);
  ~cluster();

  // One request as an administrator; waits for its answer in virtual time.
  api::response call(api::method verb, std::string target, std::string body = {}, std::string type = {});
  api::response get(std::string target) { return call(api::method::get, std::move(target)); }
  api::response post(std::string target, std::string body) {
    return call(api::method::post, std::move(target), std::move(body));
  }
  api::response merge(std::string target, std::string body) {
    return call(api::method::patch, std::move(target), std::move(body), "application/merge-patch+json");
  }

  /// The pods of the namespace "default", sorted by name, as the api_server lists them.
  std::vector<pod_row> pods();
  /// Lets time pass, looking every so often, until as many pods are Running, ready, not being deleted, and nothing
  /// else is there. False when that does not come about.
  bool settles(std::size_t running, std::chrono::seconds within);
  bool wait(const std::function<bool()>& holds, std::chrono::seconds within);

  runtime::simulation::world world;
  std::shared_ptr<api::shared_state> shared;
  std::shared_ptr<std::map<std::uint64_t, api::response>> answers;

 private:
  bool nodes_ready(std::size_t count);
  runtime::configuration config_;
  std::unique_ptr<runtime::machine> host_;
  runtime::local_supervisor root_;
  runtime::stable_ref<api::api_server_actor> server_;
  caf::strong_actor_ptr client_;
  api::user_ptr user_;
  std::uint64_t last_id_ = 0;
};

/// The body of an answer as text.
std::string body_of(const api::response& answer);
/// A Deployment "web" of so many pods of this image, as `kubectl create deployment` makes it.
std::string deployment_json(int replicas, const std::string& image);
std::string pod_json(const std::string& name);

constexpr const char* pods_path = "/api/v1/namespaces/default/pods";
constexpr const char* deployments_path = "/apis/apps/v1/namespaces/default/deployments";

}  // namespace troupe::flows
