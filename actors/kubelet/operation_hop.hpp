// The runtime's operations in traces: each is a hop from the worker's asking to the runtime's answer.
#pragma once

#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "messages/container_runtime.hpp"
#include "runtime/actor_context.hpp"
#include "runtime/trace/recorder.hpp"

namespace troupe::kubelet {

/// Records the operation when it is answered, then goes on. `made`: component, subject, uid and id of the hop; the rest
/// is filled in. Only while cores are recorded.
inline std::function<void(const container::reply&)> recorded_operation(
    runtime::actor_context& by, const container::operation& what, trace::hop made,
    std::function<void(const container::reply&)> on_done) {
  made.what = std::visit([](const auto& one) { return trace::type_name<std::decay_t<decltype(one)>>(); }, what);
  made.time_us = by.steady_now_us();
  made.causes.push_back({"step", by.path(), by.last_step()});
  return [&by, made = std::move(made), on_done = std::move(on_done)](const container::reply& answer) mutable {
    made.marks.emplace_back(answer.error.ok() ? "done" : "failed", by.steady_now_us());
    by.recorder()->add(made);
    on_done(answer);
  };
}

}  // namespace troupe::kubelet
