// The driver's decisions: in which order requests go to the runtime, when it is looked at, what changed. Pure.
//
// Order: requests about one sandbox or container queue up behind each other. Two kinds do not hold up what comes behind
// them: reading ones (a command in the container), and stopping ones among each other, so that a shorter grace period
// overtakes a longer one.
//
// Looking: the runtime has no events (containerd 1.6), so it is asked for its list: every second, at once behind each
// request that changed something, and whenever somebody wants a list. What is new or has another state is inspected;
// when all answers are there the round is over, subscribers hear of the changes and those who waited get their list.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "actors/container_runtime/cri/client.hpp"

namespace troupe::cri {

/// How a request stands to others about the same thing.
enum class manner : std::uint8_t {
  alone,     // waits for all before it but readers; all behind it wait
  stopping,  // the same, but does not wait for other stopping ones
  reading,   // waits for `alone` ones; nobody waits for it
};

// -- events; times are steady milliseconds

/// A request came. `key`: what it is about; empty: nothing in particular, it starts at once.
struct request_came {
  std::int64_t now_ms = 0;
  std::uint64_t token = 0;
  std::string key;
  manner how = manner::alone;
};
/// Somebody wants to know what exists.
struct list_wanted {
  std::int64_t now_ms = 0;
  std::uint64_t token = 0;
};
/// A request is over.
struct request_ended {
  std::int64_t now_ms = 0;
  std::uint64_t token = 0;
  bool changed = false;  // it may have changed what exists
};
/// Answer to look.
struct looked {
  std::int64_t now_ms = 0;
  container::failure error;
  brief_list found;
};
/// Answers to inspect.
struct sandbox_seen {
  std::int64_t now_ms = 0;
  std::string id;
  container::failure error;
  container::sandbox_status status;
};
struct container_seen {
  std::int64_t now_ms = 0;
  std::string id;
  container::failure error;
  container::container_status status;
};
/// Answer to wake.
struct clock_due {
  std::int64_t now_ms = 0;
};
using event = std::variant<request_came, list_wanted, request_ended, looked, sandbox_seen, container_seen, clock_due>;

// -- effects

/// Pass the request on to the runtime.
struct begin {
  std::uint64_t token = 0;
};
/// Ask the runtime for its list.
struct look {};
struct inspect {
  bool sandbox = false;
  std::string id;
};
/// Tell the subscribers of the pod.
struct publish {
  std::string pod_uid;
  container::happenings what;
};
/// Tell all subscribers that the runtime was out of sight.
struct publish_lost {};
/// Answer list_wanted, from the picture or with the error.
struct give_list {
  std::uint64_t token = 0;
  container::failure error;
};
struct wake {
  std::int64_t at_ms = 0;
};
using effect = std::variant<begin, look, inspect, publish, publish_lost, give_list, wake>;
using effects = std::vector<effect>;

// -- state

struct queued_request {
  std::uint64_t token = 0;
  manner how = manner::alone;
  bool started = false;
};

struct driver_state {
  std::map<std::string, std::deque<queued_request>> queues;  // by key, in order of arrival
  std::map<std::uint64_t, std::string> keys;                 // of requests under way or waiting

  std::map<std::string, container::sandbox_status> sandboxes;
  std::map<std::string, container::container_status> containers;
  std::map<std::string, std::int32_t> seen_states;  // as listed, by id

  enum class stage : std::uint8_t { idle, listing, inspecting } round = stage::idle;
  bool again = false;  // something changed since the round began
  bool known = false;  // one round has been completed: from now on differences are news
  bool away = false;   // the runtime did not answer the last time
  brief_list listed;
  std::set<std::string> open;                         // being inspected
  container::failure round_error;                     // of an inspection
  std::set<std::string> fresh;                        // inspected in this round
  std::map<std::string, container::happenings> news;  // by pod
  std::vector<std::uint64_t> wanted, served;          // lists: for the next round, for this one
  std::int64_t look_due_ms = 0;
  std::int64_t wake_ms = 0;
};

/// One event in, its consequences out.
effects step(driver_state& s, const event& e);

/// The picture of one pod, or of all when the uid is empty.
container::pod_list picture(const driver_state& s, const std::string& pod_uid);

}  // namespace troupe::cri
