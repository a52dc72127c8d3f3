// How much of each zone works, and how fast nodes may be tainted NoExecute, which evicts their pods.
//
// Semantics and figures: k8s.io/kubernetes/pkg/controller/nodelifecycle (ComputeZoneState, handleDisruption,
// RateLimitedTimedQueue) with its defaults, for which there are no settings here. When no node of any zone is ready, it
// is more likely this controller that is cut off: then nobody is evicted.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "messages/views/core_v1.hpp"

namespace troupe::controllers {

/// See the top of this file.
class zones {
 public:
  /// What changed for all nodes. `entered`: no node of any zone is ready any more, evictions stop and the taints that
  /// lead to them go. `left`: one is, and what nodes are given time for starts anew.
  enum class turn : std::uint8_t { none, entered, left };

  /// The node is in that zone (zone_of); `ready`: its condition Ready is True.
  void observe(const std::string& node, const std::string& zone, bool ready);
  void forget(const std::string& node);
  /// Judges all zones by what has been observed. Not before every node there is has been.
  turn settle(std::uint64_t now_ms);
  /// Whether there are nodes, and none of them is ready.
  bool stopped() const { return stopped_; }
  /// Takes leave to taint one node of the zone. 0: granted; else after how many milliseconds to ask again; nothing: not
  /// before the zone's state has changed.
  std::optional<std::uint64_t> take(const std::string& zone, std::uint64_t now_ms);

 private:
  struct tally {
    std::size_t ready = 0, not_ready = 0;
    std::uint64_t pause_ms = 10'000;  // between two nodes; 0: no node at all
    std::uint64_t next_ms = 0;        // when the next one may be
    std::size_t size() const { return ready + not_ready; }
  };
  struct member {
    std::string zone;
    bool ready = false;
  };

  static void set_pause(tally& one, bool resumed, std::uint64_t now_ms);
  void count(const member& who, int by);

  std::map<std::string, tally> zones_;
  std::map<std::string, member> nodes_;
  bool changed_ = false;  // since the last settle
  bool stopped_ = false;
};

/// Of the labels of region and zone; empty without any (k8s.io/component-helpers/node/topology GetZoneKey).
std::string zone_of(const core_v1::node_view& node);

}  // namespace troupe::controllers
