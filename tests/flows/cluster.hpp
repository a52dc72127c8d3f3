// A whole troupe for flows, wherever it is placed, and a client of its API that asks and waits.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "messages/api_server.hpp"
#include "runtime/simulation/faults.hpp"
#include "runtime/stable_ref.hpp"

namespace troupe::flows {

using namespace std::chrono_literals;

/// A pod as a flow looks at it.
struct pod_row {
  std::string name, node, phase, uid;
  bool ready = false, deleting = false;
  bool operator==(const pod_row&) const = default;
};

/// Answers by the request's id. Thread-safe.
class answer_box {
 public:
  void put(const api::response& answer);
  bool has(std::uint64_t id);
  /// Waits for it; nothing when it does not come in time.
  std::optional<api::response> take(std::uint64_t id, std::chrono::seconds within);

 private:
  std::mutex mutex_;
  std::condition_variable come_;
  std::map<std::uint64_t, api::response> answers_;
};

/// See the top of this file. Its nodes are hollow-0, hollow-1, ...
class cluster {
 public:
  virtual ~cluster();

  // One request as an administrator; waits for its answer.
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

  // What befalls it.
  virtual void pass(std::chrono::microseconds time) = 0;
  /// Makes a component fail; false when there is none of that path.
  virtual bool crash(const std::string& path) = 0;
  /// Nothing passes between the node and the control plane any more.
  virtual void cut_off(const std::string& node) = 0;
  virtual void add_fault(runtime::simulation::fault_rule rule) = 0;
  virtual void clear_faults() = 0;
  virtual std::uint64_t dropped() = 0;

 protected:
  /// Gets the client ready; waits until the nodes are. Throws when that does not come about.
  void begin(caf::actor_system& client_system, runtime::stable_ref<api::api_server_actor> server, std::size_t nodes);
  /// Before the client's system ends.
  void end();
  virtual std::uint64_t now_us() = 0;
  virtual std::chrono::microseconds between_looks() const = 0;
  virtual std::optional<api::response> await(answer_box& answers, std::uint64_t id, std::chrono::seconds within) = 0;

 private:
  bool nodes_ready(std::size_t count);

  runtime::stable_ref<api::api_server_actor> server_;
  std::shared_ptr<answer_box> answers_ = std::make_shared<answer_box>();
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
