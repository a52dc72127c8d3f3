// The shell that every controller shares: runs a controller::core over informers, a work queue and a session.
//
//   child_spec spec = child<controller_actor>("replicaset", [=](caf::actor_system& system) {
//     return spawn_controller(system, server_ref, [] { return std::make_unique<replicaset::core>(); }, options);
//   });
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "messages/controller.hpp"
#include "runtime/component.hpp"
#include "runtime/event_recorder.hpp"
#include "runtime/informer.hpp"
#include "runtime/trace/core_trace.hpp"
#include "runtime/work_queue.hpp"

namespace troupe::runtime {

/// What a controller understands: answers and watch events of the api_server.
using controller_actor = api::client_actor;

struct controller_options {
  std::string manager = "kube-controller-manager";  // whose controller it is: it watches as system:MANAGER
  /// The service account in kube-system as which the controller writes; empty: it writes as it watches. So do
  /// upstream's controllers with --use-service-account-credentials: informers are shared, each client has the rights of
  /// its controller only (bootstrappolicy/controller_policy.go).
  std::string account = {};
  std::size_t concurrent_keys = 32;         // keys whose writes may be under way at the same time
  std::size_t keys_per_slice = 16;          // looked at in one handler
  std::chrono::milliseconds settle{5'000};  // longest wait for a cache to show a write
  backoff_limits backoff = {};
};

/// Makes a controller of the core; the factory runs once per incarnation.
controller_actor spawn_controller(caf::actor_system& system, const stable_ref<api::api_server_actor>& server,
                                  const std::function<std::unique_ptr<controller::core>()>& make_core,
                                  controller_options options = {});

/// See the top of this file.
class controller_shell final : public component<controller_actor> {
 public:
  controller_shell(caf::actor_config& settings, stable_ref<api::api_server_actor> server,
                   std::unique_ptr<controller::core> logic, controller_options options);
  behavior_type make_behavior() override;

 private:
  /// Writes of a key that are not answered, and revisions its caches must show before it is done.
  struct key_turn {
    std::size_t unanswered = 0;
    bool failed = false;
    bool settling = false;                           // waits for the caches
    std::map<std::uint32_t, std::uint64_t> awaited;  // by source
    std::uint64_t number = 0;
  };
  class informer_caches final : public controller::caches {
   public:
    const object_map& all(std::size_t source) const override { return informers.at(source)->objects(); }
    std::vector<std::unique_ptr<informer>> informers;
  };

  void watch_sources();
  void changed(std::uint32_t source, std::string key, object_ptr before, object_ptr now);
  std::vector<controller::effect> step(const controller::event& happened);
  void perform(std::vector<controller::effect> effects, const std::string& key);
  void send_write(controller::write write, const std::string& key);
  void answered(const std::string& key, std::uint64_t number, const controller::write& write,
                const api::response& answer);
  void work();
  void begin(const std::string& key);
  void settle(const std::string& key);
  void end(const std::string& key);
  void schedule_work();
  void wake_when_due();
  bool ready() const;
  std::uint64_t now_ms() const { return steady_now_us() / 1000; }

  std::unique_ptr<controller::core> logic_;
  controller_options options_;
  api_session session_;
  event_recorder events_;
  informer_caches caches_;
  work_queue queue_;
  std::map<std::string, key_turn> turns_;
  trace::core_trace trace_;
  std::uint64_t next_turn_ = 1;
  bool work_scheduled_ = false;
  std::uint64_t armed_for_ms_ = 0;
};

}  // namespace troupe::runtime
