// What libtroupe_etcd.so does: single calls to one member of an etcd cluster, and one watch stream. It decides nothing:
// which member is asked, what is tried again and where a watch resumes is the core's matter.
//
// gRPC is not linked into the binary but loaded with this module on demand (docs/libraries.md).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "actors/store/etcd/core.hpp"

namespace troupe::store::etcd {

/// How members are reached.
struct connection_options {
  std::vector<std::string> endpoints;  // "https://HOST:PORT" or "http://HOST:PORT"
  std::string ca_pem;                  // who signs the members' certificates; for https
  std::string certificate_pem;         // ours; empty: none is shown
  std::string key_pem;
};

/// Connections to all members. Events come from threads of its own, those of one watch in order. Thread-safe.
class client {
 public:
  virtual ~client() = default;

  /// Answered by exactly one `answered` event.
  virtual void start(call what) = 0;
  /// Takes the place of the watch before, of which nothing is heard any more. Answered by watch_opened and events_came
  /// until watch_ended.
  virtual void watch(open_watch what) = 0;
};

/// The module's one symbol. `sink` may be called until the client has been destroyed.
using open_function = client* (*)(const connection_options& how, std::function<void(event)> sink);
inline constexpr const char* open_symbol = "troupe_etcd_open";

}  // namespace troupe::store::etcd
