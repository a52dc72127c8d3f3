// One-for-one supervision.
#include "runtime/supervisor.hpp"

#include <algorithm>

#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include "runtime/priority_scheduler.hpp"

namespace troupe::runtime {

namespace {

bool normal_end(const caf::error& why) {
  return !why || why == caf::exit_reason::normal || why == caf::exit_reason::user_shutdown;
}

constexpr std::string_view gave_up = " failed again and again, at last with: ";
constexpr restart_limit limit_of_supervisors{2, std::chrono::minutes(2)};

}  // namespace

std::string why_ended(const caf::error& reason) {
  // Our own errors hold one text; the rendering of others is the best there is.
  if (reason && reason.context().match_elements<std::string>()) return reason.context().get_as<std::string>(0);
  return caf::to_string(reason);
}

one_for_one::one_for_one(caf::actor_config& settings, const std::string& name, std::vector<child_spec> children,
                         supervisor_options options)
    : component(settings, name), options_(options), first_(std::move(children)) {
  set_down_handler([this](caf::down_msg& down) { on_down(down); });
  set_exit_handler([this](caf::exit_msg& order) { begin_stop(std::move(order.reason)); });
}

void one_for_one::on_exit() { self_kept_ = nullptr; }

one_for_one::behavior_type one_for_one::make_behavior() {
  self_kept_ = caf::strong_actor_ptr{ctrl()};
  for (auto& spec : first_) add(std::move(spec));
  first_.clear();
  return {
      [this](const supervision::describe& ask) {
        supervision::tree answer;
        answer.id = ask.id;
        answer.actors = setup().registry().snapshot(path());
        if (current_sender()) send_to(current_sender(), std::move(answer));
      },
      [this](const supervision::crash& order) {
        if (auto meant = setup().registry().find(order.path))
          send_to(meant, order);
        else
          crash_plain_child(order.path);
      },
      [this](const start_child& order) {
        if (!stopping_) add(*order.spec);
      },
      [this](const stop_child& order) {
        auto found = by_name_.find(order.name);
        if (found != by_name_.end()) tell_to_stop(found->second);
      },
      [this](const hold_child& order) {
        auto found = by_name_.find(order.name);
        if (found != by_name_.end() && !stopping_) hold(found->second);
      },
      [this](const release_child& order) {
        auto found = by_name_.find(order.name);
        if (found != by_name_.end() && !stopping_) release(found->second);
      },
  };
}

void one_for_one::add(child_spec spec) {
  if (by_name_.count(spec.name) > 0) {
    log(log_level::error, "supervisor.duplicate_child", spec.name);
    return;
  }
  key which = next_++;
  by_name_.emplace(spec.name, which);
  kept_child made;
  made.path = path() + "/" + spec.name;
  made.spec = std::move(spec);
  children_.emplace(which, std::move(made));
  start(which);
}

void one_for_one::start(key which) {
  auto& child = children_.at(which);
  ++child.starts;
  try {
    spawn_scope scope(child.path, child.starts, child.spec.level.value_or(urgency_of(*this)));
    child.actor = child.spec.start(system());
  } catch (const std::exception& broken) {
    count_end(which, broken.what());
    return;
  }
  if (!child.actor) {
    count_end(which, "start gave no actor");
    return;
  }
  by_actor_[child.actor->id()] = which;
  monitor(child.actor);
  set_state(child, "running", {});
  if (child.spec.reference) child.spec.reference->set_target(child.actor);
}

void one_for_one::on_down(caf::down_msg& down) {
  auto found = by_actor_.find(down.source.id());
  if (found == by_actor_.end()) return;
  key which = found->second;
  by_actor_.erase(found);
  ended(which, down.reason);
}

void one_for_one::ended(key which, const caf::error& why) {
  auto& child = children_.at(which);
  if (child.spec.reference) child.spec.reference->drop_target(child.actor->address());
  child.actor = nullptr;
  if (stopping_) {
    set_state(child, "stopped", {});
    stop_next();
    return;
  }
  if (child.held && !child.leaving) {
    set_state(child, "stopped", {});
    return;
  }
  bool over = child.leaving || child.spec.policy == restart_policy::temporary ||
              (child.spec.policy == restart_policy::transient && normal_end(why));
  if (over) {
    forget(which);
    return;
  }
  count_end(which, why_ended(why));
}

void one_for_one::count_end(key which, const std::string& why) {
  auto& child = children_.at(which);
  auto now = steady_now_us();
  const auto limit = child.spec.limit.value_or(options_);
  auto window = static_cast<std::uint64_t>(limit.window.count()) * 1000;
  child.ends_us.push_back(now);
  while (child.ends_us.front() + window < now) child.ends_us.pop_front();
  set_state(child, "backing_off", why);
  if (child.ends_us.size() > limit.max_restarts) {
    log(log_level::warn, "supervisor.escalate", "child=" + child.path + " why=" + why);
    // What a supervisor gave up for is the cause; that it gave up itself says nothing more.
    bool told = why.find(gave_up) != std::string::npos;
    begin_stop(caf::make_error(caf::sec::runtime_error, told ? why : child.path + std::string(gave_up) + why));
    return;
  }
  auto doublings = std::min<std::size_t>(child.ends_us.size() - 1, 20);
  auto delay = std::min(options_.cap, options_.base * (1u << doublings));
  log(log_level::warn, "supervisor.restart",
      "child=" + child.path + " in_ms=" + std::to_string(delay.count()) + " why=" + why);
  after(delay, [this, which] {
    auto found = children_.find(which);
    if (!stopping_ && found != children_.end() && !found->second.actor && !found->second.held) start(which);
  });
}

void one_for_one::forget(key which) {
  auto found = children_.find(which);
  if (found->second.spec.reference) found->second.spec.reference->close();
  setup().registry().forget(found->second.path);
  by_name_.erase(found->second.spec.name);
  children_.erase(found);
}

void one_for_one::tell_to_stop(key which) {
  auto& child = children_.at(which);
  child.leaving = true;
  if (!child.actor) {
    if (stopping_)
      stop_next();
    else
      forget(which);
    return;
  }
  send_exit(child.actor, caf::exit_reason::user_shutdown);
  if (child.spec.stop_timeout.count() > 0)
    after(child.spec.stop_timeout, [this, which, id = child.actor->id()] { kill_if_slow(which, id); });
}

void one_for_one::hold(key which) {
  auto& child = children_.at(which);
  if (child.held || child.leaving) return;
  child.held = true;
  log(log_level::info, "supervisor.hold", "child=" + child.path);
  if (!child.actor) return set_state(child, "stopped", {});
  send_exit(child.actor, caf::exit_reason::user_shutdown);
  if (child.spec.stop_timeout.count() > 0)
    after(child.spec.stop_timeout, [this, which, id = child.actor->id()] { kill_if_slow(which, id); });
}

void one_for_one::release(key which) {
  auto& child = children_.at(which);
  if (!child.held) return;
  child.held = false;
  log(log_level::info, "supervisor.release", "child=" + child.path);
  // One that has not ended yet ends and is started again as any other.
  if (!child.actor) start(which);
}

void one_for_one::kill_if_slow(key which, caf::actor_id actor) {
  auto found = children_.find(which);
  if (found == children_.end() || !found->second.actor || found->second.actor->id() != actor) return;
  log(log_level::warn, "supervisor.kill", "child=" + found->second.path);
  send_exit(found->second.actor, caf::exit_reason::kill);
}

void one_for_one::begin_stop(caf::error reason) {
  if (stopping_) return;
  stopping_ = true;
  stop_reason_ = std::move(reason);
  stop_next();
}

// Children go in reverse order of start, each only after the one started later is gone.
void one_for_one::stop_next() {
  for (auto at = children_.rbegin(); at != children_.rend(); ++at) {
    if (!at->second.actor) continue;
    if (!at->second.leaving) tell_to_stop(at->first);
    return;
  }
  bool escalates = !normal_end(stop_reason_);
  for (auto& [which, child] : children_) {
    // An escalating supervisor is started again with the same references: their senders go on waiting.
    if (child.spec.reference && !escalates) child.spec.reference->close();
    setup().registry().forget(child.path);
  }
  children_.clear();
  quit(stop_reason_);
}

void one_for_one::crash_now(const std::string& meant) {
  begin_stop(caf::make_error(caf::sec::runtime_error, "crash ordered: " + meant));
}

/// A child that is no component (a spreader, say) cannot throw: it is ended with an error from outside.
void one_for_one::crash_plain_child(const std::string& meant) {
  if (!setup().allow_crash) return;
  for (const auto& [which, child] : children_)
    if (child.path == meant && child.actor)
      send_exit(child.actor, caf::make_error(caf::sec::runtime_error, "crash ordered: " + meant));
}

void one_for_one::set_state(const kept_child& child, std::string_view state, std::string_view error) {
  setup().registry().set_state(child.path, state, child.starts > 0 ? child.starts - 1 : 0, error);
}

local_supervisor spawn_supervisor(caf::actor_system& system, std::string name, std::vector<child_spec> children,
                                  supervisor_options options) {
  return system.spawn<one_for_one>(std::move(name), std::move(children), options);
}

child_spec supervisor_child(const std::string& name, std::vector<child_spec> children, supervisor_options options) {
  child_spec spec;
  spec.name = name;
  spec.start = [name, children = std::move(children), options](caf::actor_system& system) {
    return caf::actor_cast<caf::strong_actor_ptr>(spawn_supervisor(system, name, children, options));
  };
  spec.stop_timeout = std::chrono::milliseconds(0);
  spec.limit = limit_of_supervisors;
  return spec;
}

void request_stop(const local_supervisor& supervisor) {
  caf::anon_send_exit(supervisor, caf::exit_reason::user_shutdown);
}

bool stop_supervisor(caf::actor_system& system, const local_supervisor& supervisor, std::chrono::milliseconds timeout) {
  caf::scoped_actor me{system};
  me->monitor(supervisor);
  me->send_exit(supervisor, caf::exit_reason::user_shutdown);
  bool ended = false;
  me->receive([&](const caf::down_msg&) { ended = true; }, caf::after(timeout) >> [] {});
  return ended;
}

}  // namespace troupe::runtime
