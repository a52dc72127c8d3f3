// The hollow runtime: sandboxes and containers that exist on paper only. Deterministic: ids and addresses are counted,
// time comes in, exits follow from annotations of the pod:
//
//   troupe.dev/hollow-exit-after: "5s"      every container ends that long after its start (h, m, s, ms; else seconds)
//
//   troupe.dev/hollow-exit-code: "3"        with this code; default 0
//
//   troupe.dev/hollow-oom: "true"           as if killed for its memory
//
//   troupe.dev/hollow-ignore-term: "true"   the stop signal is ignored until SIGKILL
//
//   troupe.dev/hollow-log: "text"           what it writes at its start
//
//   troupe.dev/hollow-failing-probes: "liveness readiness startup"   those probes fail
//
//   troupe.dev/hollow-exec-exit-code: "1"   result of every other exec_sync
//
// Each may carry "." and a container's name behind it, and then holds for that container alone. An image whose registry
// is hollow.invalid cannot be pulled.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "messages/container_runtime.hpp"

namespace troupe::hollow {

/// Milliseconds that operations take.
struct options {
  std::string node_name;
  std::string pod_cidr;  // "10.244.1.0/24"; may come later by update_network
  std::int64_t sandbox_ms = 0;
  std::int64_t create_ms = 0;
  std::int64_t start_ms = 0;
  std::int64_t stop_ms = 0;
  std::int64_t pull_ms = 0;
  bool images_present = true;  // false: the first use of an image pulls it
};

/// Reply to the request of that caller. Callers are numbers given by the shell.
struct answer {
  std::uint64_t caller = 0;
  container::reply reply;
};
/// State of a pod's things that changed.
struct changed {
  std::string pod_uid;
  container::happenings what;
};
/// Call advance() at this steady millisecond.
struct wake {
  std::int64_t at_ms = 0;
};
using effect = std::variant<answer, changed, wake>;
using effects = std::vector<effect>;

/// What time it is: steady milliseconds and Unix nanoseconds.
struct moment {
  std::int64_t steady_ms = 0;
  std::int64_t wall_ns = 0;
};

class core {
 public:
  explicit core(options settings);

  /// One request; its answer may come at once or by advance().
  effects handle(moment now, std::uint64_t caller, const container::request& ask);
  /// Does what has become due.
  effects advance(moment now);

  /// The log of a container so far, one CRI line ("TIME stream F text") each; null when it is not known.
  const std::vector<std::string>* log_of(const std::string& id) const;
  bool running(const std::string& id) const;
  std::size_t sandbox_count() const { return sandboxes_.size(); }
  std::size_t container_count() const { return containers_.size(); }

 private:
  struct sandbox {
    container::sandbox_status status;
    std::uint32_t address = 0;
    std::vector<std::string> containers;  // their ids, in order of creation
  };
  struct held_container {
    container::container_status status;
    std::int64_t exit_after_ms = -1;
    std::int32_t exit_code = 0;
    bool oom = false, ignores_term = false;
    std::string failing_probes;
    std::int32_t exec_exit_code = 0;
    std::uint64_t run = 0;  // exits planned for an earlier run are void
    std::vector<std::string> log;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> stoppers;  // caller, request id: waiting for the end
  };
  /// Something that happens later.
  struct later {
    std::uint64_t caller = 0;
    std::uint64_t request = 0;
    container::operation what;
    std::string exits;  // a container's own end, or its kill
    std::uint64_t run = 0;
    bool killed = false;
  };

  void perform(std::uint64_t caller, std::uint64_t id, const container::operation& what);
  void reply(std::uint64_t caller, std::uint64_t id, container::outcome what);
  void refuse(std::uint64_t caller, std::uint64_t id, container::fault code, std::string message);
  void schedule(std::int64_t after_ms, later what);
  std::int64_t latency(const container::operation& what) const;

  // Operations.
  void on(std::uint64_t caller, std::uint64_t id, const container::run_sandbox& o);
  void on(std::uint64_t caller, std::uint64_t id, const container::stop_sandbox& o);
  void on(std::uint64_t caller, std::uint64_t id, const container::remove_sandbox& o);
  void on(std::uint64_t caller, std::uint64_t id, const container::list_pods& o);
  void on(std::uint64_t caller, std::uint64_t id, const container::create_container& o);
  void on(std::uint64_t caller, std::uint64_t id, const container::start_container& o);
  void on(std::uint64_t caller, std::uint64_t id, const container::stop_container& o);
  void on(std::uint64_t caller, std::uint64_t id, const container::remove_container& o);
  void on(std::uint64_t caller, std::uint64_t id, const container::exec_sync& o);
  void on(std::uint64_t caller, std::uint64_t id, const container::image_status& o);
  void on(std::uint64_t caller, std::uint64_t id, const container::pull_image& o);
  void on(std::uint64_t caller, std::uint64_t id, const container::remove_image& o);
  void on(std::uint64_t caller, std::uint64_t id, const container::list_images& o);
  void on(std::uint64_t caller, std::uint64_t id, const container::list_stats& o);
  void on(std::uint64_t caller, std::uint64_t id, const container::update_network& o);
  void on(std::uint64_t caller, std::uint64_t id, const container::get_version&);
  void on(std::uint64_t caller, std::uint64_t id, const container::get_status&);
  void on(std::uint64_t caller, std::uint64_t id, const container::update_resources&);
  void on(std::uint64_t caller, std::uint64_t id, const container::reopen_log&);

  void list(container::pod_list& into, const sandbox& b) const;
  void end(held_container& c, std::int32_t code, std::string reason);
  void end_sandbox(sandbox& b);
  void drop_container(const std::string& id);
  void tell(const container::container_status& c);
  void tell(const container::sandbox_status& b);
  std::string new_id(char kind);
  std::uint32_t new_address();
  bool use_network(std::string_view cidr);
  container::image_info image(const std::string& name) const;

  options options_;
  moment now_;
  effects out_;
  std::uint64_t next_id_ = 1;
  std::uint32_t network_ = 0, network_size_ = 0, next_address_ = 0;
  std::map<std::uint32_t, bool> addresses_;
  std::map<std::string, sandbox> sandboxes_;
  std::map<std::string, std::vector<std::string>> sandboxes_of_;  // ids by uid of the pod, in order of creation
  std::map<std::string, held_container> containers_;
  std::map<std::string, bool> images_;
  std::multimap<std::int64_t, later> later_;
  std::int64_t wake_ms_ = 0;
};

}  // namespace troupe::hollow
