// One object's life, put together from a trace by following causes: request -> revision -> watch event -> step ->
// request. `troupe trace diagram` draws it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "messages/status.hpp"

namespace troupe::trace {

/// Something that happened at a moment. `from` and `to` are components as people call them ("scheduler"); equal, or
/// `to` empty: it happened inside.
struct story_line {
  std::uint64_t time_us = 0;
  std::string from, to;
  std::string what;
};

/// A stretch of the object's life whose lines follow from each other: each began when the one before was done, so that
/// their times add up to the whole.
struct story_part {
  std::string title;  // "created by kubectl", "on to Running"
  std::uint64_t begin_us = 0;
  std::vector<story_line> lines;
  std::uint64_t end_us() const { return lines.empty() ? begin_us : lines.back().time_us; }
};

struct story {
  std::string resource, namespace_name, name, uid;
  /// First the creation, from the arrival of the request to its answer; then, for a pod, from the moment its creation
  /// was durable to the publication of its Running status; then every other change, in order.
  std::vector<story_part> parts;
  /// Microseconds from the arrival of the creating request: to its answer, and to the pod's being Running (0: not
  /// in the trace).
  std::uint64_t created_in_us = 0;
  std::uint64_t running_in_us = 0;
};

/// Which object: its plural with group ("pods", "deployments.apps"), namespace (empty: cluster scope) and name.
struct story_subject {
  std::string resource, namespace_name, name;
};

/// Reads a segment file or directory. Of several objects of that name in the trace, the last one's story is told.
result<story> tell_story(const std::string& path, const story_subject& about);

}  // namespace troupe::trace
