// The scheduling queue: active pods by priority, pods in back-off, and pods that wait for the cluster to change.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "actors/scheduler/filters.hpp"

namespace troupe::scheduler {

enum class place : std::uint8_t { active, backoff, unschedulable, gated, binding };

/// A pod that is not bound yet. Times are steady milliseconds.
struct pending_pod {
  pod_info pod;
  compiled_pod compiled;
  place where = place::active;
  std::uint64_t sequence = 0;  // order of entering the active queue
  std::int64_t failed_at = 0;  // last attempt's end
  std::int64_t backoff_until = 0;
  std::int32_t rejections = 0;  // attempts that found no node
  std::int32_t errors = 0;      // attempts whose binding failed
  bool after_error = false;     // the back-off follows an error: never shortened
  std::string node;             // chosen, while binding
};

/// Limits of the queue, milliseconds.
struct queue_options {
  std::int64_t initial_backoff = 1000;
  std::int64_t max_backoff = 10000;
  std::int64_t max_unschedulable = 5 * 60 * 1000;  // then a pod is tried again whatever happened
  std::int64_t flush_interval = 30 * 1000;
  MSGPACK_DEFINE(initial_backoff, max_backoff, max_unschedulable, flush_interval)
};

class scheduling_queue {
 public:
  explicit scheduling_queue(queue_options options) : options_(options) {}

  pending_pod* find(const std::string& uid);
  /// Adds a pod as active, or as gated while its scheduling gates stand.
  pending_pod& add(pod_info pod, compiled_pod compiled);
  void remove(const std::string& uid);

  void to_active(pending_pod& p);
  void to_binding(pending_pod& p, std::string node);
  /// No node was found: waits for an event.
  void to_unschedulable(pending_pod& p, std::int64_t now);
  /// Something failed: waits out the back-off.
  void to_error_backoff(pending_pod& p, std::int64_t now);
  /// An event may have made it schedulable: active, or back-off until its time is over.
  void wake(pending_pod& p, std::int64_t now);

  /// The pod to try next, or nullptr. With nothing active, pods in back-off after a rejection are taken early, as
  /// Kubernetes does since 1.33.
  pending_pod* next();
  bool has_next() const { return !active_.empty() || !backoff_.empty(); }

  /// Moves what is due out of the back-off and the unschedulable pods.
  void advance(std::int64_t now);
  /// When advance() has something to do next, or 0.
  std::int64_t next_due() const;

  std::size_t active_count() const { return active_.size(); }
  std::size_t backoff_count() const { return backoff_.size() + error_backoff_.size(); }
  std::size_t unschedulable_count() const { return unschedulable_.size(); }
  std::size_t binding_count() const { return binding_; }
  std::size_t size() const { return pods_.size(); }

  /// Unschedulable pods in the order they failed, from a key on: for sweeps in slices.
  using wait_key = std::pair<std::int64_t, std::uint64_t>;
  const std::map<wait_key, pending_pod*>& unschedulable() const { return unschedulable_; }

 private:
  using rank = std::tuple<std::int64_t, std::uint64_t>;  // -priority, sequence
  static rank rank_of(const pending_pod& p) { return {-static_cast<std::int64_t>(p.pod.priority), p.sequence}; }
  void leave(pending_pod& p);
  std::int64_t backoff_of(std::int32_t failures) const;

  queue_options options_;
  std::uint64_t next_sequence_ = 1;
  std::size_t binding_ = 0;
  std::int64_t next_flush_ = 0;
  std::unordered_map<std::string, std::unique_ptr<pending_pod>> pods_;
  std::map<rank, pending_pod*> active_;
  std::map<wait_key, pending_pod*> backoff_;        // by end of the back-off
  std::map<wait_key, pending_pod*> error_backoff_;  // the same, after errors
  std::map<wait_key, pending_pod*> unschedulable_;  // by time of the failure
};

}  // namespace troupe::scheduler
